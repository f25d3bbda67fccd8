"""One worker process as its parent sees it: started, given records, asked for results, ended.

A plain child process with two pipes: it starts from any thread, in any program, and inherits
nothing of the parent's memory. What the child does is in `worker.py`, how many there are and what
happens when one dies is in `pool.py`.
"""

import os
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import FileIO
from typing import Self

from graftport_dagster.store.record_store import TransformInput
from graftport_dagster.transform.worker import READY, Row, Work, receive, send

COMMAND = "graftport_dagster.transform.worker"


@dataclass(eq=False, slots=True)
class Piece:
    """Some records, and their results once they are there."""

    records: Sequence[TransformInput]
    rows: list[Row] | None = None


@dataclass(eq=False, slots=True)
class WorkerProcess:
    """A running worker. `pieces`: what it has, oldest first; `since`: when it was last heard of (monotonic)."""

    process: "subprocess.Popen[bytes]"
    requests: FileIO
    answers: FileIO
    is_ready: bool = False
    pieces: deque[Piece] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, work: Work) -> Self:
        """Starts it; `is_ready` once it has compiled the mapping."""
        child_in, requests = os.pipe()
        answers, child_out = os.pipe()
        # The parent may have been started where the package is not installed.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        try:
            process = subprocess.Popen(  # noqa: S603 - this very interpreter, no words of others
                [sys.executable, "-P", "-m", COMMAND], stdin=child_in, stdout=child_out, env=environment
            )
        finally:
            os.close(child_in)
            os.close(child_out)
        worker = cls(process, FileIO(requests, "wb"), FileIO(answers, "rb"))
        worker._send(work)
        return worker

    def give(self, piece: Piece) -> None:
        """Adds to what it has. Where it has died, the piece counts as given all the same."""
        if not self.pieces:
            self.since = time.monotonic()
        self.pieces.append(piece)
        self._send([(record.source_id, record.payload) for record in piece.records])

    def _send(self, message: object) -> None:
        try:
            send(self.requests, message)
        except OSError:
            # It has died; whoever asks for results is told.
            return

    def take(self) -> None:
        """Reads the results of its oldest piece, or that it is ready. Raises EOFError or OSError where it has died."""
        answer = receive(self.answers)
        if answer == READY:
            self.is_ready = True
        else:
            self.pieces.popleft().rows = answer
        self.since = time.monotonic()

    def finish(self, piece: Piece, patience: float) -> bool:
        """Gives a piece and waits for its results; False where it dies of it, or is silent for that many seconds."""
        self.give(piece)
        try:
            while piece.rows is None and with_answers([self], patience):
                self.take()
        except (EOFError, OSError):
            return False
        return piece.rows is not None

    def end(self) -> None:
        """Ends it at once."""
        self.process.kill()
        self.process.wait()
        self.requests.close()
        self.answers.close()


def with_answers(workers: Sequence[WorkerProcess], seconds: float) -> list[WorkerProcess]:
    """Those that have something to read, or have died, after waiting at most so long for the first."""
    by_descriptor = {worker.answers.fileno(): worker for worker in workers}
    # Unlike select, it knows no highest descriptor.
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    return [by_descriptor[descriptor] for descriptor, _ in poll.poll(seconds * 1000)] if workers else []

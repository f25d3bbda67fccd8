"""Worker processes over a stream of chunks: results in the order of the records, none lost, none twice.

A worker that dies or is silent for too long is replaced, and the chunks it had are given out again
record by record, so that the one that killed it is found and becomes an error. What a worker does
is in `worker.py`. Workers are plain child processes with two pipes: they start from any thread, in
any program, and inherit nothing of the parent's memory.
"""

import os
import pickle
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Names
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self


from graftport_dagster.errors import ConfigurationError, RemoteTimeoutError, TransformError
from graftport_dagster.mappings import Mapping
from graftport_dagster.records import ResourceType
from graftport_dagster.shopify.payload import check as check_payload
from graftport_dagster.store.record_store import StagedResult, TransformInput
from graftport_dagster.transform.record import Check, read_payload
from graftport_dagster.transform.worker import READY, Row, Work, receive, send

_WORKER = "graftport_dagster.transform.worker"
_PIECE = 50  # records given to a worker at once
_AHEAD = 3  # pieces that a worker may have, one of them in work
_FEW = 200  # one worker is enough
_GRACE_SECONDS = 60.0  # for a machine with other things to do
_DEATHS_IN_A_ROW = 10


@dataclass(eq=False, slots=True)
class _Piece:
    """Some records of a chunk, and their results once they are there."""

    records: Sequence[TransformInput]
    rows: list[Row] | None = None


@dataclass(eq=False, slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    is_ready: bool = False
    pieces: deque[_Piece] = field(default_factory=deque)
    since: float = 0.0

    def give(self, piece: _Piece) -> None:
        if not self.pieces:
            self.since = time.monotonic()
        self.pieces.append(piece)
        assert self.process.stdin is not None  # noqa: S101 - started with pipes
        send(self.process.stdin, [(record.source_id, record.payload) for record in piece.records])  # type: ignore[arg-type]

    def take(self) -> None:
        """Reads the oldest piece's results, or that it is ready. Raises EOFError where the worker has died."""
        assert self.process.stdout is not None  # noqa: S101 - started with pipes
        answer = receive(self.process.stdout)  # type: ignore[arg-type]
        if answer == READY:
            self.is_ready = True
        else:
            self.pieces.popleft().rows = answer
        self.since = time.monotonic()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue


class TransformPool:
    """Evaluates one mapping over many records in worker processes; a context, to be left in any case.

    `now`: what $now() says in every record. `expected`: how many records will come, as far as known: a few take one
    worker. Raises ConfigurationError at once for a text that does not compile.
    """

    def __init__(
        self, mapping_text: str, name: str, *, resource_type: ResourceType, platform: str = "",
        settings: Names[str, Any] | None = None, publications: Sequence[str] = (), now: datetime | None = None,
        expected: int | None = None, processes: int = 2, seconds_per_record: float = 5.0, memory_bytes: int = 2 << 30,
        check: Check = check_payload,
    ) -> None:  # fmt: skip
        bindings = {
            "settings": dict(settings or {}), "publications": list(publications), "platform": platform,
            "now": (now or datetime.now(UTC)).isoformat(),
        }  # fmt: skip
        Mapping.compile(mapping_text, name=name)
        self._work = Work(mapping_text, name, resource_type, bindings, check, seconds_per_record, memory_bytes)
        self._size = 1 if expected is not None and expected < _FEW else max(1, processes)
        self._workers: list[_Worker] = []
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers at once; what they were doing is given up."""
        while self._workers:
            self._workers.pop().end()

    def rows(self, chunks: Iterable[Sequence[TransformInput]]) -> Iterator[list[StagedResult]]:
        """The results of each chunk, in order. Takes from `chunks` only what the workers can be busy with.

        Raises RemoteTimeoutError where workers die one after the other whatever they are given.
        """
        for answers in self.answers(chunks):
            yield [_result(record, row) for record, row in answers]

    def answers(self, chunks: Iterable[Sequence[TransformInput]]) -> Iterator[list[tuple[TransformInput, Row]]]:
        """As `rows`, in the workers' own form, which also holds what the mapping gave for a refused record."""
        source = iter(chunks)
        waiting: deque[list[_Piece]] = deque()
        to_give: deque[_Piece] = deque()
        exhausted = False
        while True:
            while not exhausted and len(to_give) < self._size and len(waiting) < _AHEAD * self._size:
                chunk = next(source, None)
                exhausted = chunk is None
                if chunk:
                    pieces = [_Piece(chunk[start : start + _PIECE]) for start in range(0, len(chunk), _PIECE)]
                    waiting.append(pieces)
                    to_give.extend(pieces)
            self._give_out(to_give)
            if not waiting:
                return
            while waiting and all(piece.rows is not None for piece in waiting[0]):
                yield [pair for piece in waiting.popleft() for pair in zip(piece.records, piece.rows or (), strict=True)]
                self._collect(0)
                self._give_out(to_give)
            if waiting and self._busy():
                self._collect(1)

    def _busy(self) -> bool:
        return any(worker.pieces for worker in self._workers)

    def _give_out(self, to_give: deque[_Piece]) -> None:
        while to_give:
            worker = self._freest()
            if worker is None:
                return
            try:
                worker.give(to_give[0])
                to_give.popleft()
            except OSError:
                # It was counted among what the worker had; recovery would do it and the queue once more.
                if worker.pieces and worker.pieces[-1] is to_give[0]:
                    worker.pieces.pop()
                self._recover(worker)

    def _freest(self) -> _Worker | None:
        if not self._workers:
            # Together: a start takes longer than the first records do.
            self._workers = [self._start() for _ in range(self._size)]
        elif len(self._workers) < self._size:
            self._workers.append(self._start())
        worker = min(self._workers, key=lambda one: len(one.pieces))
        return worker if len(worker.pieces) < _AHEAD else None

    def _start(self) -> _Worker:
        process = subprocess.Popen(
            [sys.executable, "-m", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0,
            # The parent may have been started where the package is not installed.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )  # fmt: skip
        worker = _Worker(process)
        assert process.stdin is not None  # noqa: S101 - started with pipes
        send(process.stdin, self._work)  # type: ignore[arg-type]
        return worker

    def _collect(self, seconds: float) -> None:
        """Reads whatever results are there, after waiting at most so long for the first."""
        busy = {worker.process.stdout: worker for worker in self._workers if worker.pieces}
        ready, _, _ = select.select(list(busy), [], [], seconds) if busy else ([], [], [])
        for stream in ready:
            try:
                busy[stream].take()
                self._deaths = 0
            except (EOFError, OSError, pickle.UnpicklingError):
                self._recover(busy[stream])
        limit = self._patience(_PIECE)
        for worker in busy.values():
            if worker in self._workers and worker.pieces and time.monotonic() - worker.since > limit:
                self._recover(worker)

    def _patience(self, records: int) -> float:
        """Seconds of silence after which a worker counts as dead; its own limits are of processor time."""
        return 10 * self._work.seconds_per_record * records + _GRACE_SECONDS

    def _recover(self, dead: _Worker) -> None:
        """Does what a dead worker had, one record at a time in one worker after another."""
        self._workers.remove(dead)
        dead.end()
        if not dead.is_ready:
            raise ConfigurationError(
                "The process that evaluates mappings does not start.", code="WORKER_START",
                hint=f"Its own words are in the log of errors; it is {sys.executable} -m {_WORKER}.",
            )  # fmt: skip
        alone: _Worker | None = None
        try:
            for piece in dead.pieces:
                rows: list[Row] = []
                for record in piece.records:
                    alone = alone or self._start()
                    row = self._one(alone, record)
                    if row is None:
                        alone.end()
                        alone = None
                        row = (record.source_id, None, "", self._crashed(record.source_id), ())
                    rows.append(row)
                piece.rows = rows
        finally:
            if alone is not None:
                alone.end()

    def _one(self, worker: _Worker, record: TransformInput) -> Row | None:
        piece = _Piece([record])
        try:
            worker.give(piece)
            while piece.rows is None and select.select([worker.process.stdout], [], [], self._patience(1))[0]:
                worker.take()
        except (EOFError, OSError, pickle.UnpicklingError):
            pass
        if piece.rows is None:
            self._deaths += 1
            if self._deaths >= _DEATHS_IN_A_ROW:
                raise RemoteTimeoutError(
                    f"{_DEATHS_IN_A_ROW} records in a row ended the process that evaluated them.", code="EVALUATION_CRASHED",
                    hint="See that the machine has memory to spare, then run again.",
                )  # fmt: skip
            return None
        self._deaths = 0
        return piece.rows[0]

    def _crashed(self, source_id: str) -> TransformError:
        return TransformError(
            f"{self._work.name} ended its process on record {source_id}: out of time or memory beyond any catching.",
            code="EVALUATION_CRASHED", hint="Look for a text or list that grows without end, then transform again.",
        )  # fmt: skip


def _result(record: TransformInput, row: Row) -> StagedResult:
    _, data, reason, error, warnings = row
    payload = None if data is None or reason or error is not None else read_payload(data)
    return StagedResult(
        record.source_id, record.source_hash, payload, exclude_reason=reason, error=error, warnings=warnings
    )

"""Worker processes over a stream of chunks: results in the order of the records, none lost, none twice.

A worker that dies or is silent for too long is replaced, and the pieces it had are done again
record by record, so that the one that killed it is found and becomes an error. What a worker does
is in `worker.py`, starting and talking to one in `process.py`.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Names
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from graftport_dagster.errors import ConfigurationError, RemoteTimeoutError, TransformError
from graftport_dagster.mappings import Mapping
from graftport_dagster.records import ResourceType, read_json
from graftport_dagster.shopify.payload import check as check_payload
from graftport_dagster.store.record_store import StagedResult, TransformInput
from graftport_dagster.transform.process import COMMAND, Piece, WorkerProcess, with_answers
from graftport_dagster.transform.record import Check
from graftport_dagster.transform.worker import Row, Work

_RECORDS = 50  # given to a worker at once
_AHEAD = 3  # pieces that a worker may have, one of them in work; chunks per worker that may wait for an earlier one
_FEW = 200  # one worker is enough
_GRACE_SECONDS = 60.0  # for a machine with other things to do
_DEATHS_IN_A_ROW = 10
_FAILED_STARTS = 3


class TransformPool:
    """Evaluates one mapping over many records in worker processes; a context, to be left in any case.

    `now`: what $now() says in every record. `expected`: how many records will come, as far as known: a few take one
    worker. `abort_after`: records in a row that run out of time before one worker, and so the pool, gives up. Raises
    ConfigurationError at once for a text that does not compile.
    """

    def __init__(
        self, mapping_text: str, name: str, *, resource_type: ResourceType, platform: str = "",
        settings: Names[str, Any] | None = None, publications: Sequence[str] = (), now: datetime | None = None,
        expected: int | None = None, processes: int = 2, seconds_per_record: float = 5.0, memory_bytes: int = 2 << 30,
        abort_after: int = 25, check: Check = check_payload,
    ) -> None:  # fmt: skip
        Mapping.compile(mapping_text, name=name)
        bindings = {
            "settings": dict(settings or {}), "publications": list(publications), "platform": platform,
            "now": (now or datetime.now(UTC)).isoformat(),
        }  # fmt: skip
        self._work = Work(
            mapping_text, name, resource_type, bindings, check, seconds_per_record, memory_bytes, abort_after
        )  # fmt: skip
        self._size = 1 if expected is not None and expected < _FEW else max(1, processes)
        self._workers: list[WorkerProcess] = []
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers at once; what they were doing is given up."""
        while self._workers:
            self._workers.pop().end()

    def rows(self, chunks: Iterable[Sequence[TransformInput]]) -> Iterator[list[StagedResult]]:
        """The results of each chunk, in order. Takes from `chunks` only what the workers can be busy with.

        Raises RemoteTimeoutError where workers die one after the other whatever they are given, and ConfigurationError
        where record after record runs out of time; the results until then were given, the last chunk's in part.
        """
        for answers in self.answers(chunks):
            yield [_result(record, row) for record, row in answers]

    def answers(self, chunks: Iterable[Sequence[TransformInput]]) -> Iterator[list[tuple[TransformInput, Row]]]:
        """As `rows`, in the workers' own form, which also holds what the mapping gave for a refused record."""
        source = iter(chunks)
        waiting: deque[list[Piece]] = deque()
        to_give: deque[Piece] = deque()
        exhausted = False
        while True:
            while not exhausted and len(to_give) < self._size and len(waiting) < _AHEAD * self._size:
                chunk = next(source, None)
                exhausted = chunk is None
                if chunk:
                    pieces = [Piece(chunk[start : start + _RECORDS]) for start in range(0, len(chunk), _RECORDS)]
                    waiting.append(pieces)
                    to_give.extend(pieces)
            self._give_out(to_give)
            if not waiting:
                return
            while waiting and all(piece.rows is not None for piece in waiting[0]):
                done = waiting.popleft()
                # A worker that gave up has left the rest of its piece.
                yield [pair for piece in done for pair in zip(piece.records, piece.rows or (), strict=False)]
                if gave_up := [piece for piece in done if len(piece.rows or ()) < len(piece.records)]:
                    raise self._looping(gave_up[0])
                self._collect(0)
                self._give_out(to_give)
            self._collect(1)

    def _give_out(self, to_give: deque[Piece]) -> None:
        while to_give and (worker := self._freest()) is not None:
            worker.give(to_give.popleft())

    def _freest(self) -> WorkerProcess | None:
        # All at once: to start takes longer than the first records do.
        while len(self._workers) < self._size:
            self._workers.append(WorkerProcess.start(self._work))
        worker = min(self._workers, key=lambda one: len(one.pieces))
        return worker if len(worker.pieces) < _AHEAD else None

    def _collect(self, seconds: float) -> None:
        """Reads whatever results are there, after waiting at most so long for the first."""
        for worker in with_answers([worker for worker in self._workers if worker.pieces], seconds):
            try:
                worker.take()
            except (EOFError, OSError):
                self._recover(worker)
        limit = time.monotonic() - self._patience(_RECORDS)
        for worker in list(self._workers):
            if worker.pieces and worker.since < limit:
                self._recover(worker)

    def _patience(self, records: int) -> float:
        """Seconds of silence after which a worker counts as dead; its own limits are of processor time."""
        return 10 * self._work.seconds_per_record * records + _GRACE_SECONDS

    def _recover(self, dead: WorkerProcess) -> None:
        """Does what a dead worker had, one record at a time, in a new worker after each death."""
        self._workers.remove(dead)
        dead.end()
        alone: WorkerProcess | None = None
        try:
            for piece in dead.pieces:
                rows: list[Row] = []
                for record in piece.records:
                    alone, found = self._alone(alone, record)
                    rows += found
                piece.rows = rows
        finally:
            if alone is not None:
                alone.end()

    def _alone(self, worker: WorkerProcess | None, record: TransformInput) -> tuple[WorkerProcess | None, list[Row]]:
        """One record in a worker that has nothing else; the worker for the next, None where it died."""
        one = Piece([record])
        while True:
            worker = worker or WorkerProcess.start(self._work)
            if worker.finish(one, self._patience(1)):
                self._deaths = 0
                return worker, one.rows or []
            worker.end()
            self._count_death(worker)
            if worker.is_ready:
                return None, [(record.source_id, None, "", self._crashed(record.source_id), (), "")]
            # It died before it had seen the record, which so is not to blame.
            worker = None

    def _count_death(self, worker: WorkerProcess) -> None:
        self._deaths += 1
        if not worker.is_ready and self._deaths >= _FAILED_STARTS:
            raise ConfigurationError(
                "The process that evaluates mappings does not start.", code="WORKER_START",
                hint=f"Its own words are in the error output; its command is python -m {COMMAND}.",
            )  # fmt: skip
        if self._deaths >= _DEATHS_IN_A_ROW:
            raise RemoteTimeoutError(
                f"{_DEATHS_IN_A_ROW} records in a row ended the process that evaluated them.",
                code="EVALUATION_CRASHED", hint="See that the machine has memory to spare, then run again.",
            )  # fmt: skip

    def _looping(self, piece: Piece) -> ConfigurationError:
        last = piece.records[max(0, len(piece.rows or ()) - 1)].source_id
        return ConfigurationError(
            f"{self._work.abort_after} records in a row took more than {self._work.seconds_per_record:g} s of "
            f"processor time each in {self._work.name}; the last was {last}.", code="ABORTED",
            hint="Look for a function that calls itself without end. What was not tried stays as it was.",
        )  # fmt: skip

    def _crashed(self, source_id: str) -> TransformError:
        return TransformError(
            f"{self._work.name} ended its process on record {source_id}: out of time or memory beyond any catching.",
            code="EVALUATION_CRASHED", hint="Look for a text or list that grows without end, then transform again.",
        )  # fmt: skip


def _result(record: TransformInput, row: Row) -> StagedResult:
    _, data, reason, error, warnings, valid_until = row
    payload = None if data is None or reason or error is not None else read_json(data)
    return StagedResult(
        record.source_id, record.source_hash, payload, exclude_reason=reason, error=error, warnings=warnings,
        valid_until=datetime.fromisoformat(valid_until) if valid_until else None,
    )  # fmt: skip

"""A worker process: records in, what they became out, one mapping, limits on.

Run as `python -m graftport_dagster.transform.worker` by `pool.py`, with the work to do on standard
input. Nothing but the worker's main thread evaluates. Limits are of processor time, so that a busy
machine never makes a record fail: one timer interrupts the evaluation, another ends the process
where the first cannot (a call into C that does not come back); memory is limited by the system, and
what one record may become besides, because the parent holds the results of many.
A worker ignores Ctrl-C and SIGTERM (its parent decides) and ends when its parent does.
"""

import contextlib
import os
import pickle
import queue
import resource
import signal
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO, RawIOBase
from typing import Any

from graftport_dagster.errors import GraftportError, TransformError
from graftport_dagster.mappings import Mapping
from graftport_dagster.records import ResourceType, canonical_json, read_json
from graftport_dagster.transform.record import Check, Mapped, map_record

READY = "ready"
_LENGTH = struct.Struct("!Q")
# source id, JSON of what the mapping gave (normalized where it is right), reason to leave it out, error, warnings,
# and when it may differ though nothing changed
Row = tuple[str, bytes | None, str, GraftportError | None, tuple[tuple[str, str], ...], str]
_OUT_OF_TIME = "D1012"
# What a record of a source may be by default, and far beyond what Shopify takes in one call.
_LARGEST_RESULT = 16 << 20


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is started with. `abort_after`: out of time so often in a row, it leaves the rest of a chunk."""

    mapping_text: str
    name: str
    resource_type: ResourceType
    bindings: dict[str, Any]
    check: Check
    seconds_per_record: float
    memory_bytes: int
    abort_after: int = 25


class OutOfTimeError(BaseException):
    """The record's time is up. Not an Exception: an expression cannot catch it, nor can the language."""


def send(stream: RawIOBase, message: object) -> None:
    """Writes one message to an unbuffered stream."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    while rest:
        rest = rest[stream.write(rest) :]


def receive(stream: RawIOBase) -> Any:
    """Reads one message, and not a byte more. Raises EOFError where the other side is gone."""
    (length,) = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    return pickle.loads(_read_exactly(stream, length))  # noqa: S301 - from our own parent or child


def _read_exactly(stream: RawIOBase, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = stream.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data


def map_rows(work: Work, mapping: Mapping, rows: list[tuple[str, bytes]]) -> Iterator[Row]:
    """Every record of a chunk, each within the limits."""
    for source_id, payload in rows:
        try:
            _start_clock(work.seconds_per_record)
            try:
                mapped = map_record(
                    mapping, work.resource_type, work.bindings, work.check, source_id, read_json(payload)
                )
                value = mapped.result if mapped.payload is None else mapped.payload
                data = None if value is None else canonical_json(value)
            finally:
                _start_clock(0)
        except OutOfTimeError:
            yield source_id, None, "", _out_of_time(work, source_id), (), ""
        except MemoryError:
            yield source_id, None, "", _out_of_memory(work, source_id), (), ""
        except Exception as error:  # noqa: BLE001 - whatever one record does, the next ones go on
            yield source_id, None, "", _unexpected(work, source_id, error), (), ""
        else:
            if _size(mapped, data) > _LARGEST_RESULT:
                yield source_id, None, "", _too_large(work, source_id), (), ""
            else:
                yield source_id, data, mapped.exclude_reason, mapped.error, mapped.warnings, mapped.valid_until


def _size(mapped: Mapped, data: bytes | None) -> int:
    told = "" if mapped.error is None else mapped.error.message
    warnings = sum(len(code) + len(message) for code, message in mapped.warnings)
    return len(data or b"") + len(mapped.exclude_reason) + len(told) + warnings


def _start_clock(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    # Nobody handles this one: the process ends.
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * seconds + 1 if seconds else 0)


def _time_is_up(_signal: int, _frame: object) -> None:
    raise OutOfTimeError


def _out_of_time(work: Work, source_id: str) -> TransformError:
    return TransformError(
        f"{work.name} took more than {work.seconds_per_record:g} s of processor time for record {source_id}.",
        code=_OUT_OF_TIME,
        hint="Look for a function that calls itself without end, or a regular expression with nested repeats.",
    )  # fmt: skip


def _out_of_memory(work: Work, source_id: str) -> TransformError:
    return TransformError(
        f"{work.name} needs more than {work.memory_bytes >> 20} MiB for record {source_id}.", code="OUT_OF_MEMORY",
        hint="Look for a join of everything with everything, or a text that grows without end.",
    )  # fmt: skip


def _too_large(work: Work, source_id: str) -> TransformError:
    return TransformError(
        f"{work.name} gives more than {_LARGEST_RESULT >> 20} MiB for record {source_id}.", code="RESULT_TOO_LARGE",
        hint="Look for a text or list that grows without end; Shopify takes far less in one call.",
    )  # fmt: skip


def _unexpected(work: Work, source_id: str, error: Exception) -> TransformError:
    return TransformError(
        f"{work.name} failed for record {source_id}: {type(error).__name__}.", code="BAD_RESULT",
        hint="The result is not something that JSON can hold: give plain values.",
    )  # fmt: skip


def main() -> None:
    """Serves until the parent closes the pipe; says once when it is ready."""
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, _time_is_up)
    requests, answers = FileIO(os.dup(0), "rb"), FileIO(os.dup(1), "wb")
    # What a library prints must not end up among the answers.
    os.dup2(2, 1)
    work: Work = receive(requests)
    mapping = Mapping.compile(work.mapping_text, name=work.name)
    resource.setrlimit(resource.RLIMIT_AS, (work.memory_bytes, work.memory_bytes))
    chunks: queue.SimpleQueue[list[tuple[str, bytes]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, chunks), daemon=True).start()
    spent = 0
    # Whoever was to read the answers may have been killed.
    with contextlib.suppress(BrokenPipeError):
        send(answers, READY)
        while True:
            rows = []
            for row in map_rows(work, mapping, chunks.get()):
                rows.append(row)
                spent = spent + 1 if is_out_of_time(row) else 0
                if spent >= work.abort_after:
                    break
            send(answers, rows)


def is_out_of_time(row: Row) -> bool:
    """Whether the record took all the processor time that it may."""
    return row[3] is not None and row[3].code == _OUT_OF_TIME


def _read(requests: RawIOBase, chunks: "queue.SimpleQueue[list[tuple[str, bytes]]]") -> None:
    # Keeps the pipe empty, so that the parent never waits for a busy worker. Without this thread the worker would
    # wait for ever, so whatever ends it (the parent's end, a chunk beyond the memory) ends the process.
    try:
        while True:
            chunks.put(receive(requests))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()

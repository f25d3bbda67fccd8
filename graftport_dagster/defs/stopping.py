"""How a run is asked to stop: signals, Dagster's terminate, and a parent that is being stopped.

The first request lets the batch in hand end and be recorded; a second signal interrupts at
once. What is recorded of what was not done is said in `pipeline/` and `conclusion.py`.
"""

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import dagster as dg

from graftport_dagster.defs.layout import PARENT_TAG
from graftport_dagster.errors import GraftportError
from graftport_dagster.store.place import open_store

STOPPING = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Ctrl-C in a terminal reaches a step's process twice, from the terminal and from the process above it.
_ONE_REQUEST_SECONDS = 1.0
_POLL_SECONDS = 1.0


class StopRequest:
    """Whether this run has been asked to stop; cheap to call, asks Dagster at most once a second."""

    def __init__(self, context: dg.OpExecutionContext | dg.AssetExecutionContext, clock: Callable[[], float]) -> None:
        self._instance = context.instance
        self._run_id = context.run.run_id
        self._parent = context.run.tags.get(PARENT_TAG)
        self._clock = clock
        self._asked_at = clock()
        self.signaled_at: float | None = None
        self._stopped = False

    def __call__(self) -> bool:
        """True from the first request on. Raises GraftportError where the parent's process was killed."""
        now = self._clock()
        if self.signaled_at is None and not self._stopped and now - self._asked_at >= _POLL_SECONDS:
            self._asked_at = now
            self._stopped = self._is_stopped()
        return self.signaled_at is not None or self._stopped

    def _is_stopped(self) -> bool:
        # What was asked of us, the phases look for in the record store themselves.
        own = self._instance.get_run_by_id(self._run_id)
        if own is not None and own.status in STOPPING:
            return True
        if not self._parent:
            return False
        above = multiprocessing.parent_process()
        parent = self._instance.get_run_by_id(self._parent)
        if parent is not None and parent.status in STOPPING:
            return True
        if (above is not None and not above.is_alive()) or (parent is not None and parent.is_finished):
            # Killed, a run leaves its children behind. Nobody asked for a stop, so this is no cancellation.
            raise GraftportError("The run that this is a part of was killed.", code="RUN_KILLED", hint="Run again.")
        return False

    def signaled(self) -> bool:
        """Notes a signal; True when it is another one than the first, and so an interrupt."""
        now = self._clock()
        if self.signaled_at is None:
            self.signaled_at = now
        return now - self.signaled_at >= _ONE_REQUEST_SECONDS


@contextmanager
def graceful(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[StopRequest]:
    """While open, a first SIGINT or SIGTERM is only noted; the next one does what it did before.

    Signals can be handled on the main thread only, which is where Dagster runs steps.
    """
    request = StopRequest(context, clock)
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if request.signaled() and callable(before[number]):
            before[number](number, frame)

    if threading.current_thread() is threading.main_thread():
        before |= {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> dg.DagsterExecutionInterruptedError:
    """The exception that ends this run as stopped.

    Dagster says CANCELED only of a run that was CANCELING before, and FAILURE of any other that is
    interrupted; a child learns of the request by its parent, so it is marked here.
    """
    parent = context.instance.get_run_by_id(context.run.tags.get(PARENT_TAG, context.run.run_id))
    own = context.instance.get_run_by_id(context.run.run_id)
    if parent and own and parent.status in STOPPING and own.status is dg.DagsterRunStatus.STARTED:
        context.instance.report_run_canceling(own)
    return dg.DagsterExecutionInterruptedError()


def is_stopping(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether somebody asked Dagster, or us, to stop this run."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status in STOPPING:
        return True
    with open_store(in_a_run=True) as store:
        return store.runs.is_to_stop(run_id)


def was_interrupted(run: dg.DagsterRun) -> bool:
    """Whether a finished run ended by a signal, which Dagster calls a failure."""
    return run.tags.get("dagster/failure_reason") == "UNEXPECTED_TERMINATION"

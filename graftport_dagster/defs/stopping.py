"""How a run is asked to stop: signals, Dagster's terminate, and a parent that is being stopped.

The first request lets the batch in hand end and be recorded; a second signal interrupts at
once. What is recorded of what was not done is said in `pipeline.py` and `conclusion.py`.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import dagster as dg

from graftport_dagster.defs.layout import PARENT_TAG

STOPPING = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Ctrl-C in a terminal reaches a step's process twice, from the terminal and from the process above it.
_ONE_REQUEST_SECONDS = 1.0
_POLL_SECONDS = 1.0


class StopRequest:
    """Whether this run has been asked to stop; cheap to call, asks Dagster at most once a second."""

    def __init__(self, context: dg.OpExecutionContext | dg.AssetExecutionContext, clock: Callable[[], float]) -> None:
        self._instance = context.instance
        self._run_ids = [context.run.run_id, *filter(None, [context.run.tags.get(PARENT_TAG)])]
        self._clock = clock
        self._asked_at = clock()
        self.signaled_at: float | None = None
        self._stopped = False

    def __call__(self) -> bool:
        """True from the first request on."""
        now = self._clock()
        if self.signaled_at is None and not self._stopped and now - self._asked_at >= _POLL_SECONDS:
            self._asked_at = now
            runs = self._instance.get_runs(dg.RunsFilter(run_ids=self._run_ids))
            self._stopped = any(run.status in STOPPING for run in runs)
        return self.signaled_at is not None or self._stopped

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
    """Whether somebody asked Dagster to stop this run."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in STOPPING


def was_interrupted(run: dg.DagsterRun) -> bool:
    """Whether a finished run ended by a signal, which Dagster calls a failure."""
    return run.tags.get("dagster/failure_reason") == "UNEXPECTED_TERMINATION"

"""A few threads that wait for the network, so that the one that writes the record store need not.

What is asked, and what an answer means, is in `sending.py` and `bulk.py`.
"""

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
# How long an answer may wait for others before it is on the disk; a call takes longer than that.
_A_MOMENT = 0.02


class Threads(Generic[T]):
    """A few daemon threads: a second signal must be able to end the process while they wait for an answer."""

    def __init__(self, number: int) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._number = number
        self._started = 0
        self.in_flight = 0

    def submit(self, job: Callable[[], T]) -> None:
        """Runs the job, which must not raise, in one of the threads."""
        if self._started < self._number:
            self._started += 1
            threading.Thread(target=self._work, daemon=True).start()
        self.in_flight += 1
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._answers.put(job())

    def answers(self, *, seconds: float) -> list[T]:
        """What is answered by now, or the first within so many seconds; [] if none came.

        Answers that come within a moment of the first are taken with it, so that they settle together.
        """
        found: list[T] = []
        try:
            found.append(self._answers.get(timeout=seconds))
            until = time.monotonic() + _A_MOMENT
            while len(found) < self.in_flight:
                found.append(self._answers.get(timeout=max(0.0, until - time.monotonic())))
        except queue.Empty:
            pass
        self.in_flight -= len(found)
        return found

    def close(self) -> None:
        """Lets the threads end once they are idle; does not wait for them."""
        for _ in range(self._started):
            self._jobs.put(None)

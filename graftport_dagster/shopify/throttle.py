"""How long to wait before a call, so that Shopify accepts it at the first attempt.

This keeps the account of one store's points, shared by the threads of one process. Nothing is
sent here (`client.py` does), nothing refused is tried again here, and what a call asks for is
foreseen in `cost.py`. Clock and sleep are passed in; tests turn them by hand.
"""

import threading
from collections.abc import Callable

from graftport_dagster.errors import UnreachableError

# A standard store's, until the first answer tells: https://shopify.dev/docs/api/usage/limits
_SIZE, _RESTORE_RATE = 2000.0, 100.0
_LONGEST_NAP = 0.2


class CostBucket:
    """A store's points: how many there are now, how many are promised to calls on their way.

    Shopify books the *requested* cost when a call arrives and gives the unused part back when it
    answers. Our figure is never above Shopify's while nobody else asks, so a call that fits here
    fits there; what other processes take shows in the answers.
    """

    def __init__(self, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._size = _SIZE
        self._rate = _RESTORE_RATE
        self._available = _SIZE
        self._promised = 0.0
        self._at = clock()

    def take(self, cost: float, stop: Callable[[], bool]) -> None:
        """Wait until a call of this cost fits, and book it. Every `take` is followed by one `give_back`.

        Raises UnreachableError with code STOPPED as soon as `stop()` says so; nothing is booked then.
        """
        # One waits for points, the rest for their turn: a dear call is not starved by cheap ones.
        with self._turn:
            while True:
                if stop():
                    raise UnreachableError("Not sent: the run was asked to stop.", code="STOPPED")
                missing_seconds = self._try_to_book(cost)
                if missing_seconds <= 0:
                    return
                self._sleep(min(missing_seconds, _LONGEST_NAP))

    def give_back(self, requested: float, actual: float) -> None:
        """A call is over: it was booked at `requested` and used `actual` (0 where it was not executed)."""
        with self._lock:
            self._restore()
            self._promised -= requested
            self._available = min(self._size - self._promised, self._available + requested - actual)

    def learn(self, *, size: float, rate: float, available: float) -> None:
        """Take over what an answer's throttleStatus says; call it after that call's `give_back`.

        Of the calls on their way, Shopify has booked none to all by then. So ours is at most
        Shopify's figure, and at least that less all that is promised.
        """
        with self._lock:
            self._restore()
            self._size = size
            self._rate = max(rate, 1.0)
            self._available = min(max(self._available, available - self._promised), available)

    @property
    def available(self) -> float:
        """Points that a call could be booked from now."""
        with self._lock:
            self._restore()
            return self._available

    def _try_to_book(self, cost: float) -> float:
        with self._lock:
            self._restore()
            # A call dearer than the whole bucket is sent when it is full: Shopify says what is wrong with it.
            missing = min(cost, self._size) - self._available
            if missing <= 1e-9:
                self._available -= cost
                self._promised += cost
                return 0.0
            return missing / self._rate

    def _restore(self) -> None:
        now = self._clock()
        restored = self._available + max(0.0, now - self._at) * self._rate
        # What is promised has perhaps not arrived, and a full bucket there does not fill further meanwhile.
        self._available = min(self._size - self._promised, restored)
        self._at = now

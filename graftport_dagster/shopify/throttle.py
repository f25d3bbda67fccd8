"""How long to wait before a call, so that Shopify accepts it at the first attempt.

This keeps the account of one store's points, shared by the threads of one process. Nothing is
sent here (`client.py` does), nothing refused is tried again here, and what a call asks for is
foreseen in `cost.py`. Clock and sleep are passed in; tests turn them by hand.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from graftport_dagster.errors import StoppedError

_LONGEST_NAP = 0.2

# Left in the bucket for what another process sends, before we learn of it: as much as Shopify lets one
# call ask for, so that cheap calls of one process never starve dear ones of another. Nothing is lost by
# it: points are wasted only by a bucket that is full.
_RESERVE, _RESERVE_SHARE = 1000.0, 0.5


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an answer says of the store's points: how many at most, how many a second, how many now."""

    size: float
    rate: float
    available: float


@dataclass(frozen=True, slots=True)
class Booking:
    """Points promised to one call; `used_before`: what all settled calls had used when it was booked."""

    cost: float
    used_before: float


# A standard store's, until the first answer tells: https://shopify.dev/docs/api/usage/limits
_STANDARD = Allowance(size=2000.0, rate=100.0, available=2000.0)


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
        self._size = _STANDARD.size
        self._rate = _STANDARD.rate
        self._available = _STANDARD.available
        self._promised = 0.0
        self._used = 0.0
        self._at = clock()

    def take(self, cost: float, stop: Callable[[], bool]) -> Booking:
        """Wait until a call of this cost fits, and book it; every booking is to be settled.

        Raises StoppedError as soon as `stop()` says so; nothing is booked then.
        """
        # One waits for points, the rest for their turn: a dear call is not starved by cheap ones.
        with self._turn:
            while True:
                if stop():
                    raise StoppedError
                with self._lock:
                    missing_seconds = self._missing_seconds(cost)
                    if not missing_seconds:
                        self._available -= cost
                        self._promised += cost
                        return Booking(cost, self._used)
                self._sleep(min(missing_seconds, _LONGEST_NAP))

    def wait(self, cost: float) -> float:
        """Seconds until a call of this cost fits, as far as we know now; 0 if it fits."""
        with self._lock:
            return self._missing_seconds(cost)

    def settle(self, booking: Booking, used: float, allowance: Allowance | None = None) -> None:
        """A call is over: it used this much (0 where it was not executed), and its answer said so much."""
        with self._lock:
            self._restore()
            self._promised -= booking.cost
            self._available += booking.cost - used
            if allowance:
                self._learn(allowance, self._used - booking.used_before)
            self._used += used
            self._available = min(self._available, self._size - self._promised)

    @property
    def available(self) -> float:
        """Points that a call could be booked from now."""
        with self._lock:
            self._restore()
            return self._available

    def _learn(self, told: Allowance, used_meanwhile: float) -> None:
        """Bring our figure between the least and the most that Shopify's can mean.

        Of the calls still on their way Shopify had booked none to all; and what others used since
        this one was booked, it had seen or not. The least assumes the worse of both.
        """
        self._size = told.size
        self._rate = max(told.rate, 1.0)
        least = told.available - self._promised - used_meanwhile
        self._available = min(max(self._available, least), told.available)

    def _missing_seconds(self, cost: float) -> float:
        self._restore()
        # A call dearer than the whole bucket is sent when it is full: Shopify says what is wrong with it.
        missing = min(cost + min(_RESERVE, _RESERVE_SHARE * self._size), self._size) - self._available
        return missing / self._rate if missing > 1e-6 else 0.0

    def _restore(self) -> None:
        now = self._clock()
        restored = self._available + max(0.0, now - self._at) * self._rate
        # What is promised has perhaps not arrived, and a full bucket there does not fill further meanwhile.
        self._available = min(self._size - self._promised, restored)
        self._at = now

"""Calls of which a store takes only a few a minute, whatever their points.

Trial and development stores take five orders a minute (https://shopify.dev/docs/api/usage/limits)
and say so only in a refusal. From the first one on, all threads of the process send that document
one after another, as far apart as the limit asks. Waiting and sending are done in `client.py`.
"""

import threading
from collections.abc import Callable

_CALLS_A_MINUTE = 5


class Pace:
    """When each slowed document may be sent next."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at: dict[str, float] = {}

    def turn(self, document: str) -> float:
        """Seconds until the caller may send the document; that turn is the caller's. 0 where it is not slowed."""
        if document not in self._next_at:
            return 0.0
        with self._lock:
            now = self._clock()
            at = max(now, self._next_at[document])
            self._next_at[document] = at + 60 / _CALLS_A_MINUTE
            return at - now

    def refused(self, document: str, seconds: float) -> None:
        """The store takes no more of them now: the next one goes so many seconds later, and then one by one."""
        with self._lock:
            at = self._clock() + seconds
            self._next_at[document] = max(at, self._next_at.get(document, 0.0))

    @property
    def told(self) -> str:
        """What is to be said while calls are slowed; "" while none are."""
        return f"the store takes {_CALLS_A_MINUTE} of them a minute" if self._next_at else ""

"""The bucket of points that pays for requests, one for each app.

What lives here: plans and arithmetic over a given clock. What a request costs is `cost.py`'s;
the THROTTLED answer is put together in `execution.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Points restored a second (shopify.dev/docs/api/usage/limits); the bucket holds twenty seconds' worth.
PLANS: dict[str, float] = {
    "standard": 100.0, "advanced": 200.0, "plus": 1000.0, "enterprise": 2000.0, "development": 100.0,
    "unlimited": 1_000_000.0,
}  # fmt: skip
_BUCKET_SECONDS = 20


@dataclass(slots=True)
class _Bucket:
    available: float
    as_of: float


class Throttle:
    """How much each app may still ask, on a plan of PLANS."""

    def __init__(self, plan: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.restore_rate = PLANS[plan]
        self.maximum = self.restore_rate * _BUCKET_SECONDS
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, app: str, cost: float) -> bool:
        """Books the requested cost; False, with nothing booked, when it is not there."""
        bucket = self._bucket(app)
        if bucket.available < cost:
            return False
        bucket.available -= cost
        return True

    def give_back(self, app: str, cost: float) -> None:
        """Refunds what a request asked for and did not use."""
        bucket = self._bucket(app)
        bucket.available = min(self.maximum, bucket.available + cost)

    def status(self, app: str) -> dict[str, Any]:
        """The bucket as Shopify shows it in each answer."""
        available = int(self._bucket(app).available)
        return {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": available,
            "restoreRate": self.restore_rate,
        }

    def _bucket(self, app: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(app)
        if bucket is None:
            bucket = self._buckets[app] = _Bucket(self.maximum, now)
        bucket.available = min(self.maximum, bucket.available + (now - bucket.as_of) * self.restore_rate)
        bucket.as_of = now
        return bucket

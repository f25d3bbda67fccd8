"""The account of a store's points, against Shopify's own way of booking them."""

import heapq
import threading
import time
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.errors import UnreachableError
from graftport_dagster.shopify.throttle import Allowance, Booking, CostBucket
from tests.shopify.conftest import Clock

RESERVE = 1000  # of a standard store's 2,000 points


def never() -> bool:
    return False


@dataclass
class Store:
    """Shopify's side: books on arrival, gives back when it answers."""

    rate: float
    available: float
    at: float = 1000.0

    @property
    def size(self) -> float:
        return 20 * self.rate

    def restore(self, now: float) -> None:
        self.available = min(self.size, self.available + (now - self.at) * self.rate)
        self.at = now

    def arrives(self, now: float, requested: float) -> bool:
        self.restore(now)
        if self.available < requested - 1e-6:
            return False
        self.available -= requested
        return True

    def answers(self, now: float, unused: float) -> Allowance:
        self.restore(now)
        self.available = min(self.size, self.available + unused)
        return Allowance(self.size, self.rate, self.available)


@dataclass
class World:
    """Virtual time: callers that send one call after the other through one bucket each process."""

    store: Store
    clock: Clock = field(default_factory=Clock)
    throttled: int = 0
    accepted: int = 0
    used: float = 0.0

    def run(self, buckets: list[CostBucket], callers: int, dice: Random, seconds: float, dearest: int) -> None:
        end = self.clock.now + seconds
        order = 0
        events: list[tuple[float, int, str, CostBucket, Booking | None, float, Allowance | None]] = []

        def later(delay: float, what: str, bucket: CostBucket, booking: Booking | None, cost: float,
                  told: Allowance | None = None) -> None:  # fmt: skip
            nonlocal order
            order += 1
            heapq.heappush(events, (self.clock.now + delay, order, what, bucket, booking, cost, told))

        for number in range(callers):
            later(dice.random() / 10, "wants", buckets[number % len(buckets)], None, dice.randint(1, dearest))
        while events and events[0][0] < end:
            now, _, what, bucket, booking, cost, told = heapq.heappop(events)
            self.clock.now = now
            if what == "wants":
                if wait := bucket.wait(cost):
                    later(max(wait, 0.01), "wants", bucket, None, cost)
                    continue
                later(dice.random() * 0.1, "arrives", bucket, bucket.take(cost, never), cost)
            elif what == "arrives":
                if self.store.arrives(now, cost):
                    later(dice.random() * 0.5, "is done", bucket, booking, cost)
                else:
                    self.throttled += 1
                    told = Allowance(self.store.size, self.store.rate, self.store.available)
                    later(dice.random() * 0.1, "comes back", bucket, booking, 0.0, told)
            elif what == "is done":
                used = cost * dice.choice((0.2, 0.5, 1.0, 1.0))
                self.accepted += 1
                self.used += used
                later(dice.random() * 0.1, "comes back", bucket, booking, used, self.store.answers(now, cost - used))
            elif booking:
                bucket.settle(booking, cost, told)
                pause = 0.0 if cost else dice.random()
                later(pause, "wants", bucket, None, dice.randint(1, dearest))


def world(rate: float, share: float = 1.0) -> World:
    return World(Store(rate, 20 * rate * share))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10**9), callers=st.integers(1, 40), rate=st.sampled_from([100.0, 200.0, 1000.0, 2000.0]),
    dearest=st.integers(1, 900),
)  # fmt: skip
def test_what_fits_here_fits_at_shopify(seed: int, callers: int, rate: float, dearest: int) -> None:
    there = world(rate)
    there.run([CostBucket(clock=there.clock, sleep=there.clock.sleep)], callers, Random(seed), 20, dearest)
    assert there.accepted > 0
    assert there.throttled == 0


@pytest.mark.parametrize("rate", [100.0, 200.0, 1000.0])
def test_at_steady_state_nearly_all_points_are_used_and_nearly_nothing_is_refused(rate: float) -> None:
    there = world(rate, share=0.0)
    bucket = CostBucket(clock=there.clock, sleep=there.clock.sleep)
    there.run([bucket], 64, Random(7), 120, 60)
    assert there.used >= 0.97 * (rate * 120 - RESERVE)  # which an empty bucket has to gain first
    assert there.throttled <= 0.001 * there.accepted + 64  # until the first answer tells that it is empty


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_that_do_not_know_of_each_other_use_all_points_and_get_on(processes: int) -> None:
    there = world(100.0)
    buckets = [CostBucket(clock=there.clock, sleep=there.clock.sleep) for _ in range(processes)]
    there.run(buckets, 8 * processes, Random(3), 600, 30)
    assert there.used >= 0.97 * 100 * 600
    assert there.throttled < 0.01 * there.accepted


def test_dear_calls_of_one_process_are_not_starved_by_cheap_ones_of_another() -> None:
    there = world(100.0)
    cheap, dear = (CostBucket(clock=there.clock, sleep=there.clock.sleep) for _ in range(2))
    waited: list[float] = []
    there.run([cheap], 16, Random(5), 60, 30)
    for _ in range(20):
        wanted_at = there.clock.now
        there.run([cheap], 16, Random(5), max(0.1, dear.wait(800)), 30)
        while not there.store.arrives(there.clock.now, 800):
            dear.settle(dear.take(800, never), 0, Allowance(2000, 100, there.store.available))
            there.run([cheap], 16, Random(6), max(0.1, dear.wait(800)), 30)
        dear.settle(dear.take(800, never), 800, there.store.answers(there.clock.now, 0))
        waited.append(there.clock.now - wanted_at)
    assert max(waited) < 60


def test_a_call_that_fits_is_not_kept_waiting(clock: Clock) -> None:
    bucket = CostBucket(clock=clock, sleep=clock.sleep)
    bucket.take(900, never)
    assert clock.slept == 0


def test_a_call_that_does_not_fit_waits_as_long_as_the_missing_points_take(clock: Clock) -> None:
    bucket = CostBucket(clock=clock, sleep=clock.sleep)
    bucket.settle(bucket.take(900, never), 900)
    bucket.take(500, never)
    assert clock.slept == pytest.approx((500 + RESERVE - 1100) / 100)


def test_unused_points_come_back(clock: Clock) -> None:
    bucket = CostBucket(clock=clock, sleep=clock.sleep)
    bucket.settle(bucket.take(1000, never), 100)
    assert bucket.available == pytest.approx(1900)


def test_what_others_took_is_learned_from_an_answer(clock: Clock) -> None:
    bucket = CostBucket(clock=clock, sleep=clock.sleep)
    bucket.settle(bucket.take(10, never), 10, Allowance(2000, 100, 50))
    assert bucket.available == pytest.approx(50)


def test_a_larger_plan_is_learned_from_an_answer(clock: Clock) -> None:
    bucket = CostBucket(clock=clock, sleep=clock.sleep)
    bucket.settle(bucket.take(10, never), 10, Allowance(20_000, 1000, 19_990))
    assert bucket.available == pytest.approx(19_990)


def test_a_call_dearer_than_the_whole_bucket_is_sent_when_it_is_full(clock: Clock) -> None:
    bucket = CostBucket(clock=clock, sleep=clock.sleep)
    bucket.settle(bucket.take(1000, never), 1000)
    bucket.take(5000, never)
    assert clock.slept == pytest.approx(10)


def test_a_cancel_ends_the_wait_and_books_nothing(clock: Clock) -> None:
    bucket = CostBucket(clock=clock, sleep=clock.sleep)
    bucket.settle(bucket.take(1000, never), 1000)
    with pytest.raises(UnreachableError) as found:
        bucket.take(1500, lambda: clock.slept > 1)
    assert found.value.code == "STOPPED"
    assert bucket.available == pytest.approx(1000 + clock.slept * 100)


def test_threads_share_the_bucket_and_none_starves() -> None:
    bucket = CostBucket(clock=time.monotonic, sleep=time.sleep)
    bucket.settle(bucket.take(10, never), 10, Allowance(20_000, 1000, 100))
    done: list[float] = []

    def work(cost: float) -> None:
        for _ in range(5):
            bucket.settle(bucket.take(cost, never), cost)
            done.append(cost)

    threads = [threading.Thread(target=work, args=(cost,)) for cost in (5, 10, 20, 40)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 20
    assert time.monotonic() - started >= (75 * 5 - 100) / 1000 * 0.9

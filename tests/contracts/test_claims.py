"""Who tries an open record: one run, whatever else happens at the same time, and whatever the clock does."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from graftport_dagster.errors import RemoteFaultError
from graftport_dagster.records import Outcome, ResourceType, Result, Run, RunOptions
from graftport_dagster.store.record_store import RecordStore, Settlement

SHOP = "gid://shopify/Shop/1"
PRODUCTS = ResourceType.PRODUCTS
CLAIM = """
import sys
from graftport_dagster.records import Run, RunOptions
from graftport_dagster.store.record_store import RecordStore
with RecordStore.open(sys.argv[1]) as store:
    run = store.runs.start(Run(sys.argv[2], "acme", RunOptions(retry="open")))
    sys.stdin.readline()
    print(store.incomplete.claim(run))
"""


@pytest.fixture
def store(record_store_url: str, clock: Callable[[], datetime]) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url, now=clock) as opened:
        yield opened


def fail(store: RecordStore, *source_ids: str) -> None:
    """Records that may pass by themselves: each is due in a minute."""
    run = store.runs.start(Run(f"run-{source_ids[0]}", "acme", RunOptions(), host="here", pid=os.getpid()))
    lease = store.loads.acquire("acme", SHOP, PRODUCTS, run)
    failed = [Settlement(name, Outcome.ERRORED, "p", error=RemoteFaultError("502")) for name in source_ids]
    store.loads.settle(lease, run, failed)
    store.loads.release(lease)
    store.runs.finish(run.run_id, Result.COMPLETED_WITH_ERRORS)


def due_run(store: RecordStore, run_id: str) -> Run:
    return store.runs.start(Run(run_id, "acme", RunOptions(retry="due")))


def test_of_processes_that_claim_at_once_each_row_goes_to_one(store: RecordStore, record_store_url: str) -> None:
    fail(store, *(f"p{number}" for number in range(30)))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, record_store_url, f"claim-{number}"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    claimed = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sorted(claimed) == [0, 0, 30]
    assert len({row["claimed_by"] for row in store.incomplete.open("acme")}) == 1


def test_what_a_dead_run_claimed_is_free_once_it_has_been_ended(store: RecordStore) -> None:
    fail(store, "a")
    dead, next_one = (store.runs.start(Run(name, "acme", RunOptions(retry="open"))) for name in ("dead", "next"))
    assert store.incomplete.claim(dead) == 1
    assert store.incomplete.claim(next_one) == 0
    store.runs.finish("dead", Result.FAILED)
    assert store.incomplete.claim(next_one) == 1


def test_a_clock_that_steps_back_delays_a_retry_and_loses_none(store: RecordStore, clock: Any) -> None:
    fail(store, "a")
    clock.turn(minutes=2)
    assert store.incomplete.due("acme") == {PRODUCTS: 1}
    clock.turn(hours=-3)
    assert store.incomplete.due("acme") == {}
    assert store.incomplete.claim(due_run(store, "early")) == 0
    fail(store, "b")
    clock.turn(hours=3)
    assert store.incomplete.due("acme") == {PRODUCTS: 2}
    assert store.incomplete.claim(due_run(store, "late")) == 2
    assert {row["status"] for row in store.incomplete.open("acme")} == {"in_progress"}


def test_waves_say_what_is_due_what_waits_and_what_is_left(store: RecordStore, clock: Any) -> None:
    fail(store, "a", "b")
    wave = store.incomplete.waves("acme")[PRODUCTS]
    assert (wave.due, wave.waiting, wave.left) == (0, 2, 0)
    assert wave.until == clock().replace(minute=1)
    clock.turn(minutes=1)
    wave = store.incomplete.waves("acme")[PRODUCTS]
    assert (wave.due, wave.waiting, wave.since) == (2, 0, clock())


def test_one_run_at_a_time_tries_another_again(store: RecordStore) -> None:
    fail(store, "a")
    store.runs.start(Run("first", "acme", RunOptions(resource_types=(PRODUCTS,)), retry_of="run-a"))
    with pytest.raises(Exception, match="Run first tries run-a again already"):
        store.runs.start(Run("second", "acme", RunOptions(), retry_of="run-a"))
    other = RunOptions(resource_types=(ResourceType.ORDERS,))
    store.runs.start(Run("third", "acme", other, retry_of="run-a"))
    store.runs.finish("first", Result.FAILED)
    store.runs.finish("third", Result.FAILED)
    store.runs.start(Run("fourth", "acme", RunOptions(), retry_of="run-a"))
    assert [run.run_id for run in store.runs.tries_again("run-a")] == ["first", "third", "fourth"]

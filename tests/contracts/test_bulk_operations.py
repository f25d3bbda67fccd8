"""Bulk operations in the record store: there with their lines and intents, or not at all, on either database."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from graftport_dagster.errors import BrokenPromiseError, LeaseLostError
from graftport_dagster.records import ResourceType, Run, RunOptions
from graftport_dagster.store.record_store import BulkLine, Intent, Lease, RecordStore

SHOP = "gid://shopify/Shop/1"
CUSTOMERS, PRODUCTS = ResourceType.CUSTOMERS, ResourceType.PRODUCTS
LINES = [BulkLine("p1", "h1"), BulkLine("p2", ""), BulkLine("p3", "h3")]
INTENTS = [Intent("p1", "set", "h1", repeatable=True)]


@pytest.fixture
def store(record_store_url: str, clock: Callable[[], datetime]) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url, now=clock) as opened:
        yield opened


@pytest.fixture
def run(store: RecordStore) -> Run:
    return replace(store.runs.start(Run("run", "acme", RunOptions())), host="here", pid=os.getpid())


@pytest.fixture
def lease(store: RecordStore, run: Run) -> Lease:
    return store.loads.acquire("acme", SHOP, PRODUCTS, run)


def test_an_operation_is_kept_with_its_lines_until_it_is_over(store: RecordStore, run: Run, lease: Lease) -> None:
    loads = store.loads
    loads.begin_bulk(lease, run, "one", LINES, INTENTS)
    (found,) = loads.open_bulks("acme", SHOP, PRODUCTS)
    assert (found.token, found.gid, found.run_id) == ("one", "", "run")
    assert [(step.source_id, step.step, step.state) for step in loads.open_steps("acme", SHOP, PRODUCTS)] == [
        ("p1", "set", "intent")
    ]
    assert loads.open_bulks("acme", SHOP, CUSTOMERS) == []
    assert loads.bulk_lines(lease, "one", [0, 2, 7]) == {0: LINES[0], 2: LINES[2]}
    loads.name_bulk(lease, "one", "gid://shopify/BulkOperation/1")
    assert loads.open_bulks("acme", SHOP, PRODUCTS)[0].gid == "gid://shopify/BulkOperation/1"
    loads.begin_bulk(lease, run, "two", LINES[:1], [])
    loads.end_bulk(lease, "one")
    assert [one.token for one in loads.open_bulks("acme", SHOP, PRODUCTS)] == ["two"]
    assert loads.bulk_lines(lease, "one", [0]) == {}
    assert loads.bulk_lines(lease, "two", [0]) == {0: LINES[0]}


def test_one_that_is_asked_for_again_is_the_same_one_later(store: RecordStore, run: Run, lease: Lease) -> None:
    store.loads.begin_bulk(lease, run, "one", LINES, INTENTS)
    before = store.loads.open_bulks("acme", SHOP, PRODUCTS)[0].sent_at
    store.loads.begin_bulk(lease, run, "one", LINES, INTENTS)
    (found,) = store.loads.open_bulks("acme", SHOP, PRODUCTS)
    assert found.sent_at >= before
    assert store.loads.bulk_lines(lease, "one", range(9)) == dict(enumerate(LINES))


def test_who_has_lost_the_lease_writes_nothing_of_operations(store: RecordStore, run: Run, lease: Lease) -> None:
    store.loads.begin_bulk(lease, run, "one", LINES, INTENTS)
    store.loads.release(lease)
    other = replace(store.runs.start(Run("other", "acme", RunOptions())), host="elsewhere", pid=1)
    store.loads.acquire("acme", SHOP, PRODUCTS, other)
    with pytest.raises(LeaseLostError):
        store.loads.begin_bulk(lease, run, "two", LINES, INTENTS)
    with pytest.raises(LeaseLostError):
        store.loads.name_bulk(lease, "one", "gid")
    with pytest.raises(LeaseLostError):
        store.loads.end_bulk(lease, "one")
    assert [(one.token, one.gid) for one in store.loads.open_bulks("acme", SHOP, PRODUCTS)] == [("one", "")]


def test_a_dry_run_begins_none(store: RecordStore, run: Run, lease: Lease) -> None:
    with pytest.raises(BrokenPromiseError):
        store.loads.begin_bulk(lease, replace(run, options=RunOptions(dry_run=True)), "one", LINES, INTENTS)
    assert store.loads.open_bulks("acme", SHOP, PRODUCTS) == []

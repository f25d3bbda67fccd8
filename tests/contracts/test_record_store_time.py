"""What a record store promises of results that run out and records that are gone, on SQLite and on Postgres."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from graftport_dagster.errors import LoadRejectedError, MissingReferenceError
from graftport_dagster.records import Outcome, RecordKey, ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection, Settlement, StagedResult

SHOP = "gid://shopify/Shop/1"
REAL = Dataset("acme")
PRODUCTS = ResourceType.PRODUCTS
ALL = Selection()


@pytest.fixture
def store(record_store_url: str, clock: Callable[[], datetime]) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url, now=clock) as opened:
        yield opened


def start(store: RecordStore, run_id: str) -> Run:
    return store.runs.start(Run(run_id, "acme", RunOptions()))


def read(store: RecordStore, run: Run, dataset: Dataset = REAL, **payloads: Any) -> tuple[int, int, int]:
    records = [SourceRecord(name, {"v": value}) for name, value in payloads.items()]
    found = store.source_records.upsert(dataset, PRODUCTS, run, records)
    return found.new, found.changed, found.unchanged


def stage(store: RecordStore, run: Run, dataset: Dataset = REAL, **until: datetime | None) -> dict[Outcome, int]:
    """Stages what is to be transformed; each result holds until the moment given for it."""
    version = store.mappings.publish("files", PRODUCTS, "{}", by="test")
    batches = store.staged_records.to_transform(dataset, dataset, PRODUCTS, version, "", ALL)
    results = [
        StagedResult(
            one.source_id, one.source_hash, payload={"input": one.payload.decode()},
            valid_until=until.get(one.source_id),
        )
        for batch in batches for one in batch
    ]  # fmt: skip
    return store.staged_records.stage(dataset, PRODUCTS, run, version, "", results) if results else {}


def test_a_result_that_runs_out_is_made_again_and_no_other(store: RecordStore, clock: Any) -> None:
    run = start(store, "run-1")
    read(store, run, a=1, b=2, c=3)
    noon, later = datetime(2026, 3, 1, 13, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    assert stage(store, run, a=noon, b=later) == {Outcome.STAGED: 3}
    assert stage(store, run) == {}
    assert store.staged_records.expired("acme", PRODUCTS) is None
    clock.turn(minutes=60)
    assert store.staged_records.expired("acme", PRODUCTS) == noon
    version = store.mappings.publish("files", PRODUCTS, "{}", by="test")
    scope = store.staged_records.scope(REAL, REAL, PRODUCTS, version, "", ALL)
    assert (scope.in_scope, scope.unchanged) == (3, 2)
    assert stage(store, run) == {Outcome.UNCHANGED: 1}
    assert store.staged_records.expired("acme", PRODUCTS) is None


def test_a_dry_run_counts_what_is_known_already(store: RecordStore) -> None:
    first, rehearsal = start(store, "run-1"), start(store, "dry-1")
    dry = Dataset("acme", "dry-1")
    read(store, first, a=1, b=2)
    stage(store, first)
    assert read(store, rehearsal, dry, a=1, b=20, c=3) == (1, 1, 1)
    assert stage(store, rehearsal, dry) == {Outcome.UNCHANGED: 1, Outcome.RESTAGED: 1, Outcome.STAGED: 1}
    second = store.source_records.upsert(dry, PRODUCTS, rehearsal, [SourceRecord("a", {"v": 5})])
    assert [record.source_id for record in second.duplicates] == ["a"]
    assert store.source_records.count(dry, PRODUCTS) == 3
    assert store.source_records.count(REAL, PRODUCTS) == 2


def failed(store: RecordStore, run: Run) -> None:
    """A was refused, B waits for another, of C the answer was lost."""
    lease = store.loads.acquire("acme", SHOP, PRODUCTS, run)
    parent = RecordKey("collections", "c1")
    batches = store.loads.to_load(REAL, SHOP, PRODUCTS, ALL, only_pending=True)
    loads = {one.source_id: one for batch in batches for one in batch}
    errors = {"a": LoadRejectedError("no"), "b": MissingReferenceError("waits"), "c": None}
    outcomes = {"a": Outcome.ERRORED, "b": Outcome.HELD, "c": Outcome.UNKNOWN}
    store.loads.settle(lease, run, [
        Settlement(
            name, outcomes[name], one.payload_hash, error=errors[name], waits_for=(parent,) if name == "b" else (),
            steps_unknown=("set",) if name == "c" else (),
        )
        for name, one in loads.items()
    ])  # fmt: skip
    store.loads.release(lease)


def test_what_never_landed_and_is_gone_from_the_source_is_no_more_to_load(store: RecordStore) -> None:
    run = start(store, "run-1")
    read(store, run, a=1, b=2, c=3)
    stage(store, run)
    failed(store, run)
    assert len(store.incomplete.open("acme")) == 3
    second = start(store, "run-2")
    store.source_records.mark_deleted(REAL, PRODUCTS, second)
    # Of C there may be an object in the store: a person is to see that.
    assert [row["source_id"] for row in store.incomplete.open("acme")] == ["c"]
    assert store.loads.scope(REAL, SHOP, PRODUCTS, ALL)["in_scope"] == 1
    batches = store.loads.to_load(REAL, SHOP, PRODUCTS, ALL, only_pending=True)
    assert [one.source_id for batch in batches for one in batch] == ["c"]
    assert store.loads.waiters("acme", SHOP) == {}


def test_what_comes_back_is_to_load_again(store: RecordStore) -> None:
    run = start(store, "run-1")
    read(store, run, a=1)
    stage(store, run)
    store.source_records.mark_deleted(REAL, PRODUCTS, start(store, "run-2"))
    assert store.loads.scope(REAL, SHOP, PRODUCTS, ALL)["in_scope"] == 0
    read(store, start(store, "run-3"), a=1)
    assert store.loads.scope(REAL, SHOP, PRODUCTS, ALL) == {"in_scope": 1, "pending": 1, "landed": 0}

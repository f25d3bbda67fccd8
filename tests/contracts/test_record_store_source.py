"""What every record store promises of what it is given from the source, on SQLite and on Postgres."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from graftport_dagster.records import (
    InvalidRow,
    ResourceType,
    Run,
    RunOptions,
    SourceRecord,
)
from graftport_dagster.store.record_store import (
    Dataset,
    MappingVersion,
    RecordStore,
    Selection,
)

REAL = Dataset("acme")
PRODUCTS = ResourceType.PRODUCTS
ALL = Selection()


@pytest.fixture
def store(record_store_url: str) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url) as opened:
        yield opened


def start(store: RecordStore, run_id: str, **options: Any) -> Run:
    return store.runs.start(Run(run_id, "acme", RunOptions(**options)))


def read(store: RecordStore, run: Run, dataset: Dataset = REAL, **payloads: Any) -> tuple[int, int, int]:
    records = [
        SourceRecord(name, {"v": value}, origin=f"p.csv:{i}") for i, (name, value) in enumerate(payloads.items())
    ]
    result = store.source_records.upsert(dataset, PRODUCTS, run, records)
    return result.new, result.changed, result.unchanged


def mapping(store: RecordStore, text: str = "{}") -> MappingVersion:
    return store.mappings.publish("files", PRODUCTS, text, by="test")


def test_records_are_new_then_unchanged_then_changed(store: RecordStore) -> None:
    assert read(store, start(store, "run-1"), a=1, b=1) == (2, 0, 0)
    assert read(store, start(store, "run-2"), a=1, b=2, c=1) == (1, 1, 1)
    assert store.source_records.count(REAL, PRODUCTS) == 3


def test_the_second_record_of_an_id_within_a_run_is_a_duplicate_and_not_written(store: RecordStore) -> None:
    run = start(store, "run-1")
    first, second = SourceRecord("a", {"v": 1}), SourceRecord("a", {"v": 2})

    assert store.source_records.upsert(REAL, PRODUCTS, run, [first, second]).duplicates == (second,)
    assert store.source_records.upsert(REAL, PRODUCTS, run, [second]).duplicates == (second,)
    assert store.story("acme", PRODUCTS, "a")["source"]["payload"] == {"v": 1}


def test_what_no_database_can_keep_is_refused_and_the_rest_goes_in(store: RecordStore) -> None:
    bad = [
        SourceRecord("", {}),
        SourceRecord("x\0y", {}),
        SourceRecord("\ud800", {}),
        SourceRecord("b", {"v": "\ud800"}),
    ]
    result = store.source_records.upsert(REAL, PRODUCTS, run := start(store, "run-1"), [*bad, SourceRecord("a", {})])

    assert result.new == 1
    assert [row.code for row in result.refused] == ["BAD_ID", "BAD_ID", "BAD_ID", "NOT_JSON"]
    assert store.source_records.record_errors(REAL, PRODUCTS, run, result.refused) == 1


def test_a_payload_keeps_its_key_order_its_long_integers_and_its_odd_characters(store: RecordStore) -> None:
    payload = {"z": 12345678901234567890123, "a": 1.10, "m": {"b": "\0 \U0001f600 é", "a": None}}
    store.source_records.upsert(REAL, PRODUCTS, start(store, "run-1"), [SourceRecord("a", payload)])

    (batch,) = store.staged_records.to_transform(REAL, REAL, PRODUCTS, mapping(store), "settings", ALL)
    assert batch[0].payload.startswith(b'{"z":12345678901234567890123,"a":1.1,"m":{"b":')
    assert store.payload(batch[0].source_hash) == payload


def test_deletion_is_what_a_run_has_not_seen_and_a_deleted_record_comes_back_as_new(store: RecordStore) -> None:
    read(store, start(store, "run-1"), a=1, b=1, c=1)
    second = start(store, "run-2")
    read(store, second, a=1)
    store.source_records.record_errors(REAL, PRODUCTS, second, [InvalidRow("", "bad", "BAD", source_id="b")])

    assert store.source_records.count_unseen(REAL, PRODUCTS, second) == 1
    assert store.source_records.mark_deleted(REAL, PRODUCTS, second) == 1
    assert store.source_records.mark_deleted(REAL, PRODUCTS, second) == 0
    assert store.source_records.count(REAL, PRODUCTS) == 2
    assert read(store, start(store, "run-3"), a=1, b=1, c=1) == (1, 0, 2)
    told = store.story("acme", PRODUCTS, "c")["source"]
    assert [(version["deleted"], version["run_id"]) for version in told["versions"]] == [
        (False, "run-1"), (True, "run-2"), (False, "run-3"),
    ]  # fmt: skip


def test_a_run_that_began_earlier_does_not_unsee_what_a_later_one_saw(store: RecordStore) -> None:
    early, late = start(store, "run-1"), start(store, "run-2")
    read(store, late, a=1)
    read(store, early, a=1)

    assert store.source_records.count_unseen(REAL, PRODUCTS, late) == 0


def test_extract_errors_are_refreshed_not_doubled_and_counted_once_per_record(store: RecordStore) -> None:
    first = start(store, "run-1")
    rows = [InvalidRow("1;x", "no price", "BAD", "p.csv:2", "a"), InvalidRow("1;y", "no price", "BAD", "p.csv:3", "a"),
            InvalidRow("?", "no id", "NO_ID", "p.csv:4")]  # fmt: skip
    assert store.source_records.record_errors(REAL, PRODUCTS, first, rows) == 1
    assert store.source_records.record_errors(REAL, PRODUCTS, first, rows[:1]) == 0
    second = start(store, "run-2")
    assert store.source_records.record_errors(REAL, PRODUCTS, second, rows[:1]) == 1

    found = store.source_records.extract_errors("acme", PRODUCTS)
    assert sorted((row["origin"], row["first_run_id"], row["run_id"]) for row in found) == [
        ("p.csv:2", "run-1", "run-2"), ("p.csv:3", "run-1", "run-1"), ("p.csv:4", "run-1", "run-1"),
    ]  # fmt: skip
    (open_one,) = store.incomplete.open("acme")
    assert (open_one["source_id"], open_one["phase"], open_one["tries"]) == ("a", "extract", 3)


def test_an_extract_that_reads_them_well_resolves_extract_errors(store: RecordStore) -> None:
    first = start(store, "run-1")
    rows = [
        InvalidRow("x", "no price", "BAD", "p.csv:2", "a"),
        InvalidRow("?", "no id", "NO_ID", "p.csv:4"),
        InvalidRow("?", "no id", "NO_ID", "other.csv:4"),
        InvalidRow("x", "no price", "BAD", "p.csv:9", "b"),
    ]
    store.source_records.record_errors(REAL, PRODUCTS, first, rows)
    narrow = start(store, "run-2", limit=1)
    read(store, narrow, c=1)
    assert store.source_records.seen_clean(REAL, PRODUCTS, narrow) == 0

    whole = start(store, "run-3")
    read(store, whole, a=1)
    store.source_records.record_errors(REAL, PRODUCTS, whole, rows[3:])
    assert store.source_records.seen_clean(REAL, PRODUCTS, whole) == 2

    assert {row["origin"] for row in store.source_records.extract_errors("acme")} == {"other.csv:4", "p.csv:9"}
    assert len(store.source_records.extract_errors("acme", open_only=False)) == 4
    assert [one["source_id"] for one in store.incomplete.open("acme")] == ["b"]


def test_the_cursor_is_kept_per_type(store: RecordStore) -> None:
    run = start(store, "run-1")
    assert store.source_records.cursor("acme", PRODUCTS) is None
    store.source_records.set_cursor("acme", PRODUCTS, {"since": "2026-01-01"}, run)

    assert store.source_records.cursor("acme", PRODUCTS) == {"since": "2026-01-01"}
    assert store.source_records.cursor("acme", ResourceType.ORDERS) is None


def test_moments_at_the_ends_of_the_calendar_and_without_a_zone_are_kept(store: RecordStore) -> None:
    moments = {
        "a": datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        "b": datetime(2026, 3, 1, 12),  # noqa: DTZ001 - a source that names no zone
        "c": datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))),
    }
    records = [SourceRecord(name, {}, updated_at=moment) for name, moment in moments.items()]
    assert store.source_records.upsert(REAL, PRODUCTS, start(store, "run-1"), records).new == 3
    told = [store.story("acme", PRODUCTS, name)["source"]["updated_at"] for name in "abc"]
    assert told[:2] == ["2026-03-01T10:00:00+00:00", "2026-03-01T12:00:00+00:00"]
    assert told[2].startswith("9999-12-31T23:59:59")

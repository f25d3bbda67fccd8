"""What every record store promises of runs, mapping versions, stores and stories."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graftport_dagster.errors import (
    ConfigurationError,
    GraftportError,
    LoadRejectedError,
    UnknownOutcomeError,
)
from graftport_dagster.records import (
    ErrorGroup,
    Identity,
    InvalidRow,
    Outcome,
    Phase,
    RecordKey,
    ResourceType,
    Result,
    Run,
    RunItem,
    RunOptions,
    SourceRecord,
)
from graftport_dagster.store.record_store import (
    Dataset,
    Intent,
    Lease,
    RecordStore,
    Settlement,
    StagedResult,
)

SHOP = "gid://shopify/Shop/1"
REAL = Dataset("acme")
PRODUCTS = ResourceType.PRODUCTS


@pytest.fixture
def store(record_store_url: str, clock: Callable[[], datetime]) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url, now=clock) as opened:
        yield opened


def start(store: RecordStore, run_id: str = "run-1", **options: Any) -> Run:
    return store.runs.start(Run(run_id, "acme", RunOptions(**options), host="here", pid=os.getpid()))


def acquire(store: RecordStore, run: Run) -> Lease:
    return store.loads.acquire("acme", SHOP, PRODUCTS, run)


def stage(store: RecordStore, run: Run, value: object, *source_ids: str) -> None:
    version = store.mappings.publish("files", PRODUCTS, "{}", by="test")
    results = [StagedResult(source_id, "hash", payload={"input": value}) for source_id in source_ids]
    store.staged_records.stage(REAL, PRODUCTS, run, version, "settings", results)


def fail(store: RecordStore, lease: Lease, run: Run, error: GraftportError, payload_hash: str = "p1") -> dict[str, Any]:
    outcome = Outcome.UNKNOWN if isinstance(error, UnknownOutcomeError) else Outcome.ERRORED
    store.loads.settle(lease, run, [Settlement("a", outcome, payload_hash, error=error)])
    (found,) = store.incomplete.open("acme")
    return found


def test_a_run_is_started_once_and_final_once_ended(store: RecordStore, clock: Any) -> None:
    options: dict[str, Any] = {"phases": (Phase.LOAD,), "resource_types": (PRODUCTS,), "source_ids": ("1",), "limit": 5,
               "field_filter": {"products": ("price",)}}  # fmt: skip
    first = start(store, "run-first", **options)
    assert first.options == RunOptions(**options)
    assert (first.result, first.started_at, first.started_at and first.started_at.tzinfo) == (
        Result.RUNNING,
        clock(),
        UTC,
    )
    clock.turn(minutes=5)
    assert start(store, "run-first") == first
    assert start(store, "run-second").seq > first.seq

    ended = store.runs.finish("run-first", Result.FAILED, "401")
    assert (ended.result, ended.first_error, ended.ended_at) == (Result.FAILED, "401", clock())
    assert store.runs.finish("run-first", Result.SUCCEEDED) == ended
    with pytest.raises(ConfigurationError, match="no run"):
        store.runs.finish("nobody", Result.FAILED)


def test_runs_are_found_by_a_prefix_that_only_one_has(store: RecordStore) -> None:
    for run_id in ("abcdef-1", "abcdef-2", "abc_ef-3"):
        start(store, run_id)

    found = store.runs.find("abcdef-1")
    assert found is not None
    assert found.run_id == "abcdef-1"
    assert store.runs.find("abc") is None
    assert store.runs.find("nobody-is") is None
    by_prefix = store.runs.find("abc_ef")
    assert by_prefix is not None
    assert by_prefix.run_id == "abc_ef-3"
    with pytest.raises(ConfigurationError, match="More than one run"):
        store.runs.find("abcdef")


def test_runs_are_listed_oldest_first(store: RecordStore, clock: Any) -> None:
    for number in range(4):
        start(store, f"run-{number}")
        clock.turn(hours=1)
    store.runs.finish("run-1", Result.FAILED)
    store.runs.finish("run-2", Result.COMPLETED_WITH_ERRORS)
    store.runs.finish_item(RunItem("run-2", PRODUCTS, Phase.LOAD, Result.FAILED))

    def names(migration: str | None = "acme", **asked: Any) -> list[str]:
        return [run.run_id for run in store.runs.list(migration, **asked)]

    assert names() == names(None) == ["run-0", "run-1", "run-2", "run-3"]
    assert names(limit=2) == ["run-2", "run-3"]
    assert names(failed=True) == ["run-1", "run-2"]
    assert names(going_on=True) == ["run-0", "run-3"]
    assert names(since=clock() - timedelta(hours=3), until=clock() - timedelta(hours=2)) == ["run-1", "run-2"]
    assert names("beta") == []


def test_an_item_comes_back_as_it_was_finished(store: RecordStore, clock: Any) -> None:
    group = ErrorGroup("DataError", "TAKEN", "handle", "taken", "rename", 2, ("1", "2"), clock(), clock())
    item = RunItem(
        "run-1", PRODUCTS, Phase.LOAD, Result.COMPLETED_WITH_ERRORS, {"in_scope": 3, "errored": 2}, "products/1 (ab)",
        "taken", "drift", (group,), (replace(group, code="CUT"),), {"drift": 1}, 12.5, 4, ("a note",), None, "child",
    )  # fmt: skip
    store.runs.start_item(RunItem("run-1", PRODUCTS, Phase.LOAD))
    began = clock()
    clock.turn(minutes=5)
    store.runs.finish_item(item)
    store.runs.start_item(RunItem("run-1", ResourceType.COLLECTIONS, Phase.TRANSFORM))
    store.runs.start_item(RunItem("run-1", ResourceType.COLLECTIONS, Phase.EXTRACT))

    items = store.runs.items("run-1")
    assert [(one.resource_type.value, one.phase.value) for one in items] == [
        ("collections", "extract"), ("collections", "transform"), ("products", "load"),
    ]  # fmt: skip
    assert items[2] == replace(item, started_at=began, ended_at=clock())


def test_failures_are_grouped_with_samples_and_counted_by_their_last_attempt(store: RecordStore, clock: Any) -> None:
    run = start(store)
    lease = acquire(store, run)
    for number in range(5):
        error = LoadRejectedError(f"taken {number}", code="TAKEN", path="handle", hint="rename")
        store.loads.settle(lease, run, [Settlement(str(number), Outcome.ERRORED, "p", error=error)])
        clock.turn(minutes=1)
    store.loads.settle(lease, run, [
        Settlement("4", Outcome.CREATED, "p", clean=True, warnings=(("CUT", "tag cut"), ("UNIT", "kg assumed"))),
        Settlement("5", Outcome.CREATED, "p", clean=True, warnings=(("CUT", "tag cut"),)),
        Settlement("6", Outcome.HELD, "p", reason="drift"),
        Settlement("7", Outcome.SKIPPED, "p", reason="immutable"),
        Settlement("8", Outcome.SKIPPED, "p", reason="immutable"),
        Settlement("9", Outcome.REFUSED_BEFORE, "p", reason="refused before"),
    ])  # fmt: skip

    (group,) = store.runs.error_groups("run-1", PRODUCTS, Phase.LOAD)
    assert (group.error_class, group.code, group.path, group.hint) == ("DataError", "TAKEN", "handle", "rename")
    assert (group.count, group.sample_ids, group.message) == (4, ("3", "2", "1"), "taken 3")
    assert (group.first_seen, group.last_seen) == (clock() - timedelta(minutes=5), clock() - timedelta(minutes=2))
    assert [(one.code, one.count) for one in store.runs.warnings("run-1", PRODUCTS, Phase.LOAD)] == [
        ("CUT", 2),
        ("UNIT", 1),
    ]
    assert store.runs.skip_reasons("run-1", PRODUCTS, Phase.LOAD) == {"immutable": 2, "drift": 1}
    assert store.runs.error_groups("run-2", PRODUCTS, Phase.LOAD) == ()


def test_extract_errors_are_among_the_groups_of_an_extract(store: RecordStore) -> None:
    run = start(store)
    rows = [InvalidRow("x", "no price", "BAD", f"p.csv:{number}", "a" if number < 3 else "") for number in range(5)]
    store.source_records.record_errors(REAL, PRODUCTS, run, rows)

    (group,) = store.runs.error_groups("run-1", PRODUCTS, Phase.EXTRACT)
    assert (group.error_class, group.code, group.count) == ("DataError", "BAD", 3)
    assert sorted(group.sample_ids) == ["a", "p.csv:3", "p.csv:4"]


def test_a_mapping_text_is_published_once_and_found_by_number_hash_or_name(store: RecordStore) -> None:
    first = store.mappings.publish("files", PRODUCTS, "{}", by="ann")
    second = store.mappings.publish("files", PRODUCTS, "[]", by="bob")
    assert store.mappings.publish("files", PRODUCTS, "{}", by="cid") == first
    assert store.mappings.publish("magento", PRODUCTS, "[]", by="cid").number == 1
    assert [one.number for one in store.mappings.versions("files", PRODUCTS)] == [1, 2]
    for name in ("2", second.content_hash[:4], second.content_hash, second.name):
        assert store.mappings.find("files", PRODUCTS, name) == second
    with pytest.raises(ConfigurationError, match=r"no version '9'.*products/1 \("):
        store.mappings.find("files", PRODUCTS, "9")


def test_pins_remember_who_moved_them_and_why(store: RecordStore) -> None:
    first = store.mappings.publish("files", PRODUCTS, "{}", by="ann")
    second = store.mappings.publish("files", PRODUCTS, "[]", by="ann")
    assert store.mappings.pinned("acme", PRODUCTS) is None
    store.mappings.pin("acme", first, held=False, by="run")
    store.mappings.pin("acme", second, held=True, by="ann", reason="for the live feed")
    pin = store.mappings.pinned("acme", PRODUCTS)
    assert pin is not None
    assert (pin.version, pin.held, pin.reason) == (second, True, "for the live feed")

    store.mappings.unpin("acme", PRODUCTS, by="bob", reason="over")
    store.mappings.unpin("acme", PRODUCTS, by="bob", reason="over")
    pin = store.mappings.pinned("acme", PRODUCTS)
    assert pin is not None
    assert not pin.held
    told = [(one["action"], one["number"], one["by"]) for one in store.mappings.pin_history("acme", PRODUCTS)]
    assert told == [("pin", 1, "run"), ("hold", 2, "ann"), ("release", 2, "bob")]


def test_the_first_store_is_confirmed_by_itself_and_another_only_by_word(store: RecordStore) -> None:
    assert store.stores.meet("acme", "gid://1", "a.example", "A").confirmed
    assert not store.stores.meet("acme", "gid://2", "b.example", "B").confirmed
    assert not store.stores.meet("acme", "gid://2", "b.example", "B").confirmed
    assert store.stores.meet("acme", "gid://2", "b2.example", "B", confirm=True).confirmed
    assert store.stores.meet("acme", "gid://2", "b2.example", "B").confirmed
    assert [(one.gid, one.domain) for one in store.stores.known("acme")] == [
        ("gid://1", "a.example"), ("gid://2", "b2.example"),
    ]  # fmt: skip


def test_a_pause_holds_until_it_is_lifted(store: RecordStore, clock: Any) -> None:
    assert store.stores.paused("acme") is None
    store.stores.pause("acme", by="ann", reason="cut-over")
    assert store.stores.paused("acme") == {"since": clock().isoformat(), "by": "ann", "reason": "cut-over"}
    assert store.stores.paused("beta") is None
    assert store.stores.resume("acme")
    assert not store.stores.resume("acme")


def test_the_story_of_a_record_tells_all_of_it(store: RecordStore) -> None:
    run = start(store, actor="ann", reason="rehearsal")
    lease = acquire(store, run)
    store.source_records.upsert(REAL, PRODUCTS, run, [SourceRecord("a", {"v": 1}, origin="p.csv:2")])
    stage(store, run, "x", "a")
    fail(store, lease, run, LoadRejectedError("no", code="TAKEN"))
    key, part = RecordKey("products", "a"), RecordKey("products", "a", "variant", "1")
    store.loads.settle(lease, run, [Settlement(
        "a", Outcome.CREATED, "p1", clean=True, identities=(Identity(key, "gid://a", "h"), Identity(part, "gid://v")),
        snapshot={"title": "x"},
    )])  # fmt: skip
    store.loads.intend(lease, [Intent("a", "publish", "p1", repeatable=True)], run)

    told = store.story("acme", PRODUCTS, "a")
    assert told["source"]["payload"] == {"v": 1}
    assert told["staged"]["payload"] == {"input": "x"}
    (place,) = told["stores"]
    assert (place["gid"], place["handle"], place["snapshot"]) == ("gid://a", "h", {"title": "x"})
    assert place["parts"] == [{"part": "variant", "part_id": "1", "gid": "gid://v", "handle": ""}]
    assert (place["landed"]["landed_hash"], place["steps"][0]["step"]) == ("p1", "publish")
    tried = [(one["phase"], one["outcome"], one["code"], one["actor"]) for one in told["attempts"]]
    assert tried == [
        ("transform", "staged", "", "ann"),
        ("load", "errored", "TAKEN", "ann"),
        ("load", "created", "", "ann"),
    ]
    assert told["incomplete"] == told["extract_errors"] == []
    assert store.story("acme", PRODUCTS, "nobody") == store.story("beta", PRODUCTS, "a") == {}

"""What is purged by age and what is forgotten of a customer, and what stays, on SQLite and on Postgres."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, select, text

from graftport_dagster.errors import LoadRejectedError
from graftport_dagster.records import (
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
from graftport_dagster.store.record_store import Dataset, RecordStore, Settlement, StagedResult, Which
from graftport_dagster.store.tables import metadata
from tests.conftest import Clock

SHOP = "gid://shopify/Shop/1"
REAL = Dataset("acme")
PRODUCTS, CUSTOMERS, ORDERS = ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.ORDERS
CARDS = ResourceType.GIFT_CARDS
ANNA: dict[str, Any] = {
    "id": 7, "email": "Anna.Gruber@example.at", "first_name": "Anna", "last_name": "Gruber", "phone": "+43 664 1234567",
    "address": {"street": "Hauptstraße 12/3", "city": "Wien"},
}  # fmt: skip
ORDER = {"number": "100", "customer_id": 7, "shipping": {"street": "Bergweg 99 Top 4", "name": "Anna Gruber"}}
GUEST = {"number": "101", "billing_email": "anna.gruber@example.at", "note": "leave at the door"}
OF_OTHERS = {"number": "102", "customer_id": 77, "billing_email": "hanna.gruber@example.at", "note": "for 7 people"}
CARD = {"id": "c1", "code": "SECRETCODE7", "recipient_email": "anna.gruber@example.at", "balance": 50}
PERSONAL = ("anna.gruber@example.at", "1234567", "hauptstraße", "bergweg", "secretcode7", "leave at the door")


@pytest.fixture
def store(record_store_url: str, clock: Clock) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url, now=clock) as opened:
        yield opened


def everything_in(url: str) -> str:
    """All rows of all tables, in small letters."""
    engine = create_engine(url if url.startswith("sqlite") else make_url(url).set(drivername="postgresql+psycopg2"))
    with engine.connect() as connection:
        rows = [connection.execute(select(*map(text, ["*"])).select_from(table)).all()
                for table in metadata.sorted_tables]  # fmt: skip
    engine.dispose()
    return repr(rows).lower()


def run_of(store: RecordStore, run_id: str, result: Result = Result.SUCCEEDED, **options: Any) -> Run:
    run = store.runs.start(Run(run_id, "acme", RunOptions(**options)))
    for phase in Phase:
        store.runs.finish_item(RunItem(run_id, PRODUCTS, phase, result, mapping_version="v1 (aaaa)"))
    store.runs.finish(run_id, result)
    return run


def read(store: RecordStore, run: Run, kind: ResourceType, **payloads: Any) -> None:
    rows = [SourceRecord(name, payload, origin=f"{kind}.csv:1") for name, payload in payloads.items()]
    store.source_records.upsert(REAL, kind, run, rows)


def stage(store: RecordStore, run: Run, kind: ResourceType, **payloads: Any) -> None:
    version = store.mappings.publish("files", kind, "{}", by="test")
    results = [StagedResult(name, f"source-{name}", payload={"input": body}) for name, body in payloads.items()]
    store.staged_records.stage(REAL, kind, run, version, "settings", results)


def land(store: RecordStore, run: Run, kind: ResourceType, *source_ids: str) -> None:
    lease = store.loads.acquire("acme", SHOP, kind, run)
    settled = [
        Settlement(
            one, Outcome.CREATED, f"hash-{one}", clean=True, identities=(Identity(RecordKey(str(kind), one), f"gid://{kind}/{one}"),),
            snapshot={"email": "anna.gruber@example.at"},
        )
        for one in source_ids
    ]  # fmt: skip
    store.loads.settle(lease, run, settled)
    store.loads.release(lease)


def refuse(store: RecordStore, run: Run, kind: ResourceType, source_id: str, message: str) -> None:
    lease = store.loads.acquire("acme", SHOP, kind, run)
    error = LoadRejectedError(message, code="TAKEN")
    store.loads.settle(lease, run, [Settlement(source_id, Outcome.ERRORED, f"hash-{source_id}", error=error)])
    store.loads.release(lease)


def counts(store: RecordStore, clock: Clock, *, days: float, dry_run: bool = False, unresolved: Any = ()) -> Any:
    from datetime import timedelta

    return store.purging.by_age("acme", clock() - timedelta(days=days), unresolved=unresolved, dry_run=dry_run)


def test_what_is_old_goes_but_never_the_present_state(store: RecordStore, clock: Clock, record_store_url: str) -> None:
    first = run_of(store, "run-1")
    read(store, first, PRODUCTS, a={"v": "first-version"}, b={"v": "same"})
    stage(store, first, PRODUCTS, a={"title": "first-staged"}, b={"title": "staged-b"})
    land(store, first, PRODUCTS, "a", "b")
    clock.turn(days=50)
    second = run_of(store, "run-2")
    read(store, second, PRODUCTS, a={"v": "second-version"})
    stage(store, second, PRODUCTS, a={"title": "second-staged"})
    land(store, second, PRODUCTS, "a")
    clock.turn(days=100)

    looked = counts(store, clock, days=90, dry_run=True)
    assert store.runs.find("run-1") is not None
    done = counts(store, clock, days=90)
    assert looked == done
    assert done.run_ids == ("run-1",)
    assert (done.counts["source_versions"], done.counts["payloads"], done.counts["run_items"]) == (1, 2, 3)
    left = everything_in(record_store_url)
    assert [word for word in ("first-version", "first-staged") if word in left] == []
    assert [word for word in ("second-version", "second-staged", "staged-b", "same", "gid://products/b")
            if word not in left] == []  # fmt: skip
    assert store.source_records.count(REAL, PRODUCTS) == 2
    assert counts(store, clock, days=90).counts == {}


def test_what_an_unresolved_run_or_an_open_record_needs_stays(store: RecordStore, clock: Clock) -> None:
    failed = run_of(store, "run-1", Result.FAILED)
    read(store, failed, PRODUCTS, a={"v": 1})
    refuse(store, failed, PRODUCTS, "b", "no")
    clock.turn(days=50)
    run_of(store, "run-2")
    later = run_of(store, "run-3")
    read(store, later, PRODUCTS, a={"v": 2})
    clock.turn(days=500)
    done = counts(store, clock, days=90, unresolved=[failed])
    assert done.run_ids == ("run-2",)
    assert store.replays.look(failed, PRODUCTS).purged == 0
    assert [row["source_id"] for row in store.incomplete.open("acme")] == ["b"]
    assert [one["outcome"] for one in store.story("acme", PRODUCTS, "b")["attempts"]] == ["errored"]

    # Nothing needs the run any more but the open record.
    assert counts(store, clock, days=90).run_ids == ()
    assert store.replays.look(failed, PRODUCTS).purged == 0
    assert store.story("acme", PRODUCTS, "b")["attempts"]


def test_resolved_records_go_by_age_and_given_up_ones_never(store: RecordStore, clock: Clock) -> None:
    run = run_of(store, "run-1")
    refuse(store, run, PRODUCTS, "a", "no")
    refuse(store, run, PRODUCTS, "b", "no")
    store.incomplete.discard("acme", Which(source_ids=("b",)), by="me", reason="never wanted")
    land(store, run, PRODUCTS, "a")
    bad = InvalidRow("x,y", "bad", "BAD", origin="p.csv:3")
    store.source_records.record_errors(REAL, PRODUCTS, run, [bad])
    clock.turn(days=10)
    assert "resolved_incomplete_records" not in counts(store, clock, days=90).counts
    clock.turn(days=90)
    assert counts(store, clock, days=90).counts["resolved_incomplete_records"] == 1
    assert counts(store, clock, days=90).counts == {}
    assert len(store.source_records.extract_errors("acme")) == 1
    given_up = [row.discarded_hash for batch in
                store.loads.to_load(REAL, SHOP, PRODUCTS, _all(), only_pending=False) for row in batch]  # fmt: skip
    assert given_up == []
    assert "never wanted" in everything_of_incomplete(store)


def _all() -> Any:
    from graftport_dagster.store.record_store import Selection

    return Selection()


def everything_of_incomplete(store: RecordStore) -> str:
    from graftport_dagster.store.tables import incomplete_records

    with store._database.read() as connection:
        return repr(connection.execute(select(incomplete_records)).all())


@pytest.fixture
def shop(store: RecordStore) -> RecordStore:
    """A customer, her orders, her gift card, a row of hers that failed, and others."""
    run = run_of(store, "run-1", source_ids=("anna.gruber@example.at",))
    read(store, run, CUSTOMERS, **{"7": ANNA, "77": {"id": 77, "email": "hanna.gruber@example.at"}})
    read(store, run, ORDERS, **{"100": ORDER, "101": GUEST, "102": OF_OTHERS})
    read(store, run, CARDS, c1=CARD)
    dry = Dataset("acme", "dry-1")
    store.runs.start(Run("dry-1", "acme", RunOptions(dry_run=True)))
    store.source_records.upsert(dry, CUSTOMERS, run, [SourceRecord("7", ANNA)])
    stage(store, run, CUSTOMERS, **{"7": {"email": ANNA["email"], "phone": ANNA["phone"]}})
    stage(store, run, ORDERS, **{"100": {"customer": {"$ref": {"resource_type": "customers", "source_id": "7"}}}})
    land(store, run, CUSTOMERS, "7", "77")
    refuse(store, run, ORDERS, "101", "Email anna.gruber@example.at is no good")
    refuse(store, run, ORDERS, "102", "Not like ANNA.GRUBER@example.at or +43 664 1234567, Anna Gruber")
    bad = InvalidRow('101,"anna.gruber@example.at', "Quote", "QUOTE", origin="o.csv:9", source_id="101")
    lost = InvalidRow(
        "?,anna.gruber@example.at,?", "Id of 'anna.gruber@example.at' is empty", "NO_ID", origin="o.csv:8"
    )
    store.source_records.record_errors(REAL, ORDERS, run, [bad, lost])
    said = f"orders: {json.dumps('anna.gruber@example.at')} is taken"
    item = RunItem("run-1", ORDERS, Phase.LOAD, Result.FAILED, first_error=said, notes=(said,))
    store.runs.finish_item(item)
    return store


def test_of_a_forgotten_customer_no_word_stays_but_that_the_records_landed(
    shop: RecordStore, record_store_url: str
) -> None:
    assert [word for word in PERSONAL if word not in everything_in(record_store_url)] == []
    found = shop.forgetting.find("acme", "7")
    assert found.records == {("customers", "7"), ("orders", "100"), ("orders", "101"), ("gift_cards", "c1")}
    before = everything_in(record_store_url)
    looked = shop.forgetting.forget("acme", found, everything=False, dry_run=True)
    assert everything_in(record_store_url) == before
    assert shop.forgetting.forget("acme", found, everything=False, dry_run=False) == looked
    shop.forgetting.rewrite()

    left = everything_in(record_store_url)
    # Hanna's address ends like Anna's.
    assert [word for word in PERSONAL if word in left.replace("hanna.gruber@example.at", "")] == []
    assert "gid://customers/7" in left
    assert "hanna.gruber@example.at" in left
    assert "for 7 people" in left
    if record_store_url.startswith("sqlite"):
        folder = Path(make_url(record_store_url).database or "").parent
        held = b"".join(path.read_bytes() for path in folder.iterdir()).lower().replace(b"hanna.gruber", b"")
        assert [word for word in PERSONAL if word.encode() in held] == []


def test_a_customer_is_found_by_mail_address_in_any_case_and_no_other_is(shop: RecordStore) -> None:
    by_mail = shop.forgetting.find("acme", "ANNA.gruber@example.at").records
    assert by_mail == shop.forgetting.find("acme", "7").records
    assert shop.forgetting.find("acme", "gruber@example.at").records == set()
    assert shop.forgetting.find("acme", "8").records == set()
    assert shop.forgetting.find("other", "7").records == set()


def test_a_forgotten_record_is_read_again_and_is_not_sent_again(shop: RecordStore) -> None:
    shop.forgetting.forget("acme", shop.forgetting.find("acme", "7"), everything=False, dry_run=False)
    run = run_of(shop, "run-2")
    upserted = shop.source_records.upsert(REAL, CUSTOMERS, run, [SourceRecord("7", ANNA)])
    assert (upserted.new, upserted.unchanged) == (1, 0)
    assert shop.story("acme", CUSTOMERS, "7")["stores"][0]["gid"] == "gid://customers/7"
    assert shop.story("acme", CUSTOMERS, "7")["stores"][0]["landed"]["landed_hash"] == "hash-7"


def test_a_record_whose_id_is_the_mail_address_goes_with_its_identity(
    store: RecordStore, record_store_url: str
) -> None:
    run = run_of(store, "run-1")
    read(store, run, CUSTOMERS, **{"anna@example.at": {"email": "anna@example.at"}})
    land(store, run, CUSTOMERS, "anna@example.at")
    found = store.forgetting.find("acme", "anna@example.at")
    assert store.forgetting.forget("acme", found, everything=False, dry_run=False)["identities"] == 1
    assert "anna@example.at" not in everything_in(record_store_url).replace("anna.gruber@example.at", "")


def test_what_another_migration_has_read_as_well_stays_with_it_and_is_told(store: RecordStore) -> None:
    for slug in ("acme", "rehearsal"):
        run = store.runs.start(Run(f"run-{slug}", slug, RunOptions()))
        store.source_records.upsert(Dataset(slug), CUSTOMERS, run, [SourceRecord("7", ANNA)])
    found = store.forgetting.find("acme", "7")
    removed = store.forgetting.forget("acme", found, everything=False, dry_run=False)
    assert (removed.get("payloads", 0), removed["payloads_of_others"]) == (0, 1)
    assert store.story("rehearsal", CUSTOMERS, "7")["source"]["payload"] == ANNA


def test_a_whole_migration_is_forgotten_but_for_what_landed(shop: RecordStore, record_store_url: str) -> None:
    run = run_of(shop, "run-9")
    shop.source_records.set_cursor("acme", CUSTOMERS, {"since": "2026"}, run)
    removed = shop.forgetting.forget("acme", shop.forgetting.everything("acme"), everything=True, dry_run=False)
    assert removed["source_records"] == 7
    left = everything_in(record_store_url)
    assert [word for word in PERSONAL if word in left.replace('["anna.gruber@example.at"]', "")] == []
    assert shop.source_records.cursor("acme", CUSTOMERS) is None
    assert ("gid://customers/7" in left, "hash-77" in left, "run-1" in left) == (True, True, True)

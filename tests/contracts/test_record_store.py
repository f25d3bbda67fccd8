"""What every record store promises of staging and landing, on SQLite and on Postgres."""

from collections.abc import Iterator
from typing import Any

import pytest

from graftport_dagster.errors import (
    BrokenPromiseError,
    ConfigurationError,
    LoadRejectedError,
    MissingReferenceError,
    TransformError,
)
from graftport_dagster.records import (
    Identity,
    InvalidRow,
    Outcome,
    Phase,
    RecordKey,
    ResourceType,
    Run,
    RunOptions,
    SourceRecord,
)
from graftport_dagster.store.record_store import (
    Dataset,
    Intent,
    Lease,
    LoadInput,
    MappingVersion,
    RecordStore,
    Selection,
    Settlement,
    StagedResult,
)

SHOP = "gid://shopify/Shop/1"
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


def stage(
    store: RecordStore, run: Run, results: list[StagedResult], dataset: Dataset = REAL, text: str = "{}"
) -> dict[Outcome, int]:
    return store.staged_records.stage(dataset, PRODUCTS, run, mapping(store, text), "settings", results)


def staged(source_id: str, value: object = 1, **groups: str) -> StagedResult:
    return StagedResult(source_id, "hash", payload={"input": value}, group_hashes=groups)


def to_load(
    store: RecordStore, selection: Selection = ALL, *, only_pending: bool = True, **more: Any
) -> list[LoadInput]:
    batches = store.loads.to_load(REAL, SHOP, PRODUCTS, selection, only_pending=only_pending, **more)
    return [one for batch in batches for one in batch]


def land(store: RecordStore, lease: Lease, run: Run, *source_ids: str) -> None:
    store.loads.settle(
        lease,
        run,
        [
            Settlement(
                one.source_id, Outcome.CREATED, one.payload_hash, clean=True, landed_groups=one.group_hashes,
                identities=(Identity(RecordKey("products", one.source_id), f"gid://{one.source_id}", "handle"),),
                snapshot={"title": one.source_id},
            )
            for one in to_load(store, Selection(source_ids=source_ids), only_pending=False)
        ],
    )  # fmt: skip


def lease_of(store: RecordStore, run: Run) -> Lease:
    return store.loads.acquire("acme", SHOP, PRODUCTS, run)


def test_only_what_changed_since_is_transformed_again(store: RecordStore) -> None:
    run = start(store, "run-1")
    read(store, run, a=1, b=2, c=3, d=4)
    version = mapping(store)

    def todo(version: MappingVersion = version, settings: str = "settings", selection: Selection = ALL) -> list[str]:
        batches = store.staged_records.to_transform(REAL, REAL, PRODUCTS, version, settings, selection, batch=2)
        return [one.source_id for batch in batches for one in batch]

    inputs = {
        one.source_id: one.source_hash
        for batch in store.staged_records.to_transform(REAL, REAL, PRODUCTS, version, "settings", ALL, batch=3)
        for one in batch
    }
    counts = stage(store, run, [
        StagedResult("a", inputs["a"], payload={"input": 1}),
        StagedResult("b", inputs["b"], exclude_reason="not for sale"),
        StagedResult("c", inputs["c"], error=TransformError("no title")),
    ])  # fmt: skip

    assert counts == {Outcome.STAGED: 1, Outcome.EXCLUDED: 1, Outcome.ERRORED: 1}
    assert todo() == ["c", "d"]
    assert todo(selection=Selection(limit=3)) == ["c"]
    assert todo(selection=Selection(source_ids=("a", "d"))) == ["d"]
    assert todo(selection=Selection(error_group="TRANSFORM")) == ["c"]
    assert todo(selection=Selection(error_group="DataError:TRANSFORM")) == ["c"]
    assert todo(selection=Selection(error_group="DataError:TRANSFORM:elsewhere")) == []
    assert todo(settings="other") == todo(mapping(store, "[]")) == ["a", "b", "c", "d"]
    scope = store.staged_records.scope(REAL, REAL, PRODUCTS, version, "settings", ALL)
    assert (scope.in_scope, scope.unchanged, scope.unchanged_excluded) == (4, 1, 1)
    assert scope.excluded_reasons == {"not for sale": 1}
    assert store.staged_records.scope(REAL, REAL, PRODUCTS, version, "settings", Selection(limit=0)).in_scope == 0


def test_staging_the_same_payload_again_is_unchanged_and_leaves_no_attempt(store: RecordStore) -> None:
    run = start(store, "run-1")
    assert stage(store, run, [staged("a")]) == {Outcome.STAGED: 1}
    assert stage(store, run, [staged("a")], text="[]") == {Outcome.UNCHANGED: 1}
    assert stage(store, run, [staged("a", 2)]) == {Outcome.RESTAGED: 1}
    assert [one["outcome"] for one in store.story("acme", PRODUCTS, "a")["attempts"]] == ["staged", "restaged"]


def test_an_errored_transform_takes_a_landed_record_out_of_scope_until_it_is_good_again(store: RecordStore) -> None:
    run = start(store, "run-1")
    lease = lease_of(store, run)
    stage(store, run, [staged("a")])
    land(store, lease, run, "a")

    stage(store, run, [StagedResult("a", "hash", error=TransformError("no title", path="title"))])
    assert store.loads.scope(REAL, SHOP, PRODUCTS, ALL) == {"in_scope": 0, "pending": 0, "landed": 0}
    assert store.story("acme", PRODUCTS, "a")["staged"]["payload"] == {"input": 1}
    assert store.incomplete.counts("acme")[0]["count"] == 1

    assert stage(store, run, [staged("a")]) == {Outcome.UNCHANGED: 1}
    assert store.loads.scope(REAL, SHOP, PRODUCTS, ALL) == {"in_scope": 1, "pending": 0, "landed": 1}
    assert store.incomplete.counts("acme") == []


def test_a_landed_record_is_pending_again_when_its_payload_changes_and_on_another_store(store: RecordStore) -> None:
    run = start(store, "run-1")
    stage(store, run, [staged("a"), staged("b")])
    land(store, lease_of(store, run), run, "a", "b")
    stage(store, run, [staged("b", 2)])

    (pending,) = to_load(store)
    assert (pending.source_id, pending.gid, pending.handle) == ("b", "gid://b", "handle")
    assert pending.landed_hash not in ("", pending.payload_hash)
    assert store.loads.scope(REAL, "gid://shopify/Shop/2", PRODUCTS, ALL)["pending"] == 2
    assert store.loads.landed_payload("acme", SHOP, PRODUCTS, "b") == ({"input": 1}, {"title": "b"})
    assert store.loads.landed_payload("acme", SHOP, PRODUCTS, "nobody") == (None, None)
    assert store.loads.snapshots("acme", SHOP, PRODUCTS, ["a", "nobody"]) == {"a": {"title": "a"}}


def test_batches_give_each_record_once_also_when_settled_while_iterating(store: RecordStore) -> None:
    run = start(store, "run-1")
    lease = lease_of(store, run)
    names = [f"{number}" for number in range(23)]
    stage(store, run, [staged(name) for name in names])

    seen = []
    for batch in store.loads.to_load(REAL, SHOP, PRODUCTS, ALL, only_pending=True, batch=5):
        seen += [one.source_id for one in batch]
        land(store, lease, run, *(one.source_id for one in batch))

    assert seen == sorted(names)
    assert to_load(store) == []
    assert len(to_load(store, only_pending=False, batch=23)) == 23


def test_open_steps_survive_and_a_clean_settlement_clears_them(store: RecordStore) -> None:
    run = start(store, "run-1")
    lease = lease_of(store, run)
    stage(store, run, [staged("a")])
    (one,) = to_load(store)
    calls = [Intent("a", name, one.payload_hash, repeatable=name != "refund") for name in ("set", "publish", "refund")]
    store.loads.intend(lease, calls, run)
    assert {step.state for step in store.loads.open_steps("acme", SHOP, PRODUCTS)} == {"intent"}

    store.loads.settle(lease, run, [Settlement(
        "a", Outcome.UNKNOWN, one.payload_hash, steps_done={"set": "gid://a"}, steps_unknown=("refund",),
        steps_released=("publish",),
    )])  # fmt: skip
    (step,) = store.loads.open_steps("acme", SHOP, PRODUCTS)
    assert (step.step, step.state, step.repeatable, step.run_id) == ("refund", "unknown", False, "run-1")
    assert store.loads.done_steps("acme", SHOP, PRODUCTS, ["a"]) == {"a": {"set": (one.payload_hash, "gid://a")}}

    land(store, lease, run, "a")
    assert store.loads.open_steps("acme", SHOP, PRODUCTS) == []
    assert store.loads.done_steps("acme", SHOP, PRODUCTS, ["a"]) == {}
    assert to_load(store) == []


def test_groups_that_landed_alone_leave_the_record_pending_until_all_agree(store: RecordStore) -> None:
    run = start(store, "run-1")
    lease = lease_of(store, run)
    stage(store, run, [staged("a", 1, price="p1", stock="s1")])
    land(store, lease, run, "a")
    stage(store, run, [staged("a", 2, price="p2", stock="s2")])
    (one,) = to_load(store)

    store.loads.settle(lease, run, [Settlement("a", Outcome.UPDATED, one.payload_hash, landed_groups={"stock": "s2"})])
    (one,) = to_load(store)
    assert (one.landed_hash, one.landed_groups) == ("", {"price": "p1", "stock": "s2"})
    assert store.loads.landed_payload("acme", SHOP, PRODUCTS, "a")[0] == {"input": 1}

    store.loads.settle(lease, run, [Settlement("a", Outcome.UPDATED, one.payload_hash, landed_groups={"price": "p2"})])
    assert to_load(store) == []
    assert store.loads.landed_payload("acme", SHOP, PRODUCTS, "a")[0] == {"input": 2}


def test_what_was_refused_is_named_until_the_payload_changes(store: RecordStore) -> None:
    run = start(store, "run-1")
    lease = lease_of(store, run)
    stage(store, run, [staged("a"), staged("b")])
    first, second = to_load(store)
    store.loads.settle(lease, run, [
        Settlement("a", Outcome.ERRORED, first.payload_hash, error=LoadRejectedError("Title can't be blank")),
        Settlement("b", Outcome.HELD, second.payload_hash, error=MissingReferenceError("no collection")),
    ])  # fmt: skip
    assert [one.refused_hash for one in to_load(store)] == [first.payload_hash, ""]

    stage(store, run, [staged("a", 2)])
    changed = to_load(store)[0]
    assert changed.refused_hash == ""

    refused = Settlement("a", Outcome.ERRORED, changed.payload_hash, error=LoadRejectedError("Title can't be blank"))
    store.loads.settle(lease, run, [refused])
    store.loads.settle(lease, run, [Settlement("a", Outcome.DISCARDED, changed.payload_hash, reason="not wanted")])
    assert to_load(store)[0].refused_hash == ""
    assert to_load(store)[0].discarded_hash == changed.payload_hash


def test_a_record_gone_at_the_source_is_withdrawn_per_store_and_pending_when_it_comes_back(store: RecordStore) -> None:
    run = start(store, "run-1")
    lease = lease_of(store, run)
    read(store, run, a=1, b=1)
    stage(store, run, [staged("a"), staged("b")])
    land(store, lease, run, "a", "b")
    second = start(store, "run-2")
    read(store, second, a=1)
    store.source_records.mark_deleted(REAL, PRODUCTS, second)

    assert to_load(store) == []
    (gone,) = to_load(store, with_deleted=True)
    assert (gone.source_id, gone.source_deleted, gone.gid) == ("b", True, "gid://b")
    store.loads.settle(lease, second, [
        Settlement("b", Outcome.DELETED, gone.payload_hash, removed_identities=(RecordKey("products", "b"),))
    ])  # fmt: skip
    assert to_load(store, with_deleted=True) == []
    assert store.loads.scope(REAL, SHOP, PRODUCTS, ALL, with_deleted=True) == {"in_scope": 1, "pending": 0, "landed": 1}
    elsewhere = store.loads.scope(REAL, "gid://shopify/Shop/2", PRODUCTS, ALL, with_deleted=True)
    # It never landed there, and is nothing to create now.
    assert elsewhere == {"in_scope": 1, "pending": 1, "landed": 0}

    read(store, start(store, "run-3"), a=1, b=1)
    (back,) = to_load(store)
    assert (back.source_id, back.gid, back.landed_hash) == ("b", "", "")


def test_selection_means_the_same_in_a_load(store: RecordStore) -> None:
    run = start(store, "run-1")
    lease = lease_of(store, run)
    stage(store, run, [staged(name) for name in "abcd"])
    hashes = {one.source_id: one.payload_hash for one in to_load(store)}
    refused = LoadRejectedError("taken", code="TAKEN", path="input.handle")
    store.loads.settle(lease, run, [Settlement("c", Outcome.ERRORED, hashes["c"], error=refused)])

    def names(**selection: Any) -> list[str]:
        return [one.source_id for one in to_load(store, Selection(**selection))]

    assert names(limit=2) == ["a", "b"]
    assert names(source_ids=("b", "d", "z")) == ["b", "d"]
    assert names(source_ids=("b", "d"), limit=2) == ["b"]
    assert names(error_group="TAKEN") == names(error_group="DataError:TAKEN:input.handle") == ["c"]
    assert names(error_group="DataError:OTHER") == []
    assert store.loads.scope(REAL, SHOP, PRODUCTS, Selection(error_group="TAKEN"))["in_scope"] == 1


def test_a_group_still_holds_what_its_own_run_has_mended(store: RecordStore) -> None:
    run = start(store, "run-1")
    stage(store, run, [StagedResult("a", "hash", error=TransformError("no title", code="NO_TITLE")), staged("b")])
    mending = start(store, "run-2", error_group="NO_TITLE")
    stage(store, mending, [staged("a")])

    assert to_load(store, Selection(error_group="NO_TITLE")) == []
    (found,) = to_load(store, Selection(error_group="NO_TITLE", run_id="run-2"))
    assert found.source_id == "a"


def test_identities_of_records_and_parts_are_found_by_key(store: RecordStore) -> None:
    product, variant = RecordKey("products", "a"), RecordKey("products", "a", "variant", "1")
    place = RecordKey("locations", "main")
    found = [Identity(product, "gid://p", "h"), Identity(variant, "gid://v"), Identity(place, "gid://l")]
    store.loads.put_identities("acme", SHOP, found)

    wanted = [one.key for one in found] + [RecordKey("products", "nobody"), RecordKey("products", "a", "image", "1")]
    assert store.loads.identities("acme", SHOP, wanted) == {one.key: one for one in found}
    assert store.loads.identities("acme", "gid://shopify/Shop/2", wanted) == {}
    assert store.loads.parts("acme", SHOP, PRODUCTS, ["a", "b"]) == {"a": {variant: found[1]}}


def test_staged_keys_ignore_parts_and_know_only_what_may_still_come(store: RecordStore) -> None:
    stage(store, start(store, "run-1"), [staged("a"), StagedResult("b", "hash", exclude_reason="no")])
    keys = [RecordKey("products", "a", "variant", "1"), RecordKey("products", "b"), RecordKey("orders", "a")]

    assert store.loads.staged_keys(REAL, keys) == {keys[0]}


def test_a_dry_run_touches_nothing_real_and_goes_with_all_it_wrote(store: RecordStore) -> None:
    real = start(store, "run-real")
    read(store, real, a=1, b=1)
    stage(store, real, [staged("a")])
    before = store.story("acme", PRODUCTS, "a")
    run = start(store, "run-dry", dry_run=True)
    dry = Dataset("acme", "run-dry")
    read(store, run, dry, a=2, c=3)
    store.source_records.record_errors(dry, PRODUCTS, run, [InvalidRow("", "bad", "BAD", "p.csv:1", "a")])
    stage(store, run, [staged("a", "dry"), StagedResult("c", "h", error=TransformError("no"))], dry)
    lease = Lease("acme", SHOP, PRODUCTS, run.run_id, 0)
    store.loads.settle(lease, run, [Settlement("a", Outcome.CREATED, "h", warnings=(("CUT", "tag cut"),))])
    with pytest.raises(BrokenPromiseError):
        store.loads.intend(lease, [Intent("a", "set", "h", repeatable=True)], run)

    assert [group.code for group in store.runs.error_groups("run-dry", PRODUCTS, Phase.TRANSFORM)] == ["TRANSFORM"]
    assert [group.code for group in store.runs.warnings("run-dry", PRODUCTS, Phase.LOAD)] == ["CUT"]
    (batch,) = store.loads.to_load(dry, SHOP, PRODUCTS, ALL, only_pending=True)
    assert [one.payload for one in batch] == [{"input": "dry"}]
    assert store.story("acme", PRODUCTS, "a") == before
    assert store.story("acme", PRODUCTS, "c") == {}
    assert store.incomplete.open("acme") == store.source_records.extract_errors("acme") == []

    store.runs.drop_dry_run("run-dry")
    with pytest.raises(ConfigurationError):
        store.payload(batch[0].payload_hash)
    assert store.source_records.count(dry, PRODUCTS) == 0
    assert store.runs.error_groups("run-dry", PRODUCTS, Phase.TRANSFORM) == ()
    assert store.runs.find("run-dry") is not None
    assert store.story("acme", PRODUCTS, "a") == before


def test_a_selection_may_name_very_many_records(store: RecordStore) -> None:
    stage(store, start(store, "run-1"), [staged("a"), staged("b")])
    wanted = Selection(source_ids=("a", *(f"nobody-{number}" for number in range(50_000))))

    assert store.loads.scope(REAL, SHOP, PRODUCTS, wanted)["in_scope"] == 1

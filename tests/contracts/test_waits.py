"""What held records wait for: circles, and what never comes, are told apart from what is only late."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from graftport_dagster.errors import LoadRejectedError, MissingReferenceError
from graftport_dagster.records import Identity, Outcome, RecordKey, ResourceType, Run, RunOptions
from graftport_dagster.store.record_store import (
    Dataset,
    Lease,
    RecordStore,
    Settlement,
    StagedResult,
    Which,
)

SHOP = "gid://shopify/Shop/1"
PRODUCTS, COLLECTIONS = ResourceType.PRODUCTS, ResourceType.COLLECTIONS
ENABLED = ("products", "collections")


class Scene:
    """A store with held products."""

    def __init__(self, store: RecordStore) -> None:
        self.store = store
        self.run = store.runs.start(Run("run-1", "acme", RunOptions(), host="here", pid=os.getpid()))
        self.lease: Lease = store.loads.acquire("acme", SHOP, PRODUCTS, self.run)
        self.version = store.mappings.publish("magento", COLLECTIONS, '{"input": {}}', by="ann")

    def hold(self, source_id: str, *targets: RecordKey) -> None:
        error = MissingReferenceError("It waits.", code="REFERENCE_PENDING")
        held = Settlement(source_id, Outcome.HELD, "p", error=error, waits_for=targets, reason="reference")
        self.store.loads.settle(self.lease, self.run, [held])

    def exclude(self, source_id: str, reason: str) -> None:
        result = StagedResult(source_id, "hash", exclude_reason=reason)
        self.store.staged_records.stage(Dataset("acme"), COLLECTIONS, self.run, self.version, "s", [result])

    def judged(self) -> dict[str, Any]:
        self.store.loads.judge_waits("acme", SHOP, ENABLED)
        rows = self.store.incomplete.open("acme", Which((PRODUCTS,)))
        return {row["source_id"]: (row["code"], row["message"]) for row in rows}


def product(name: str) -> RecordKey:
    return RecordKey("products", name)


def collection(name: str) -> RecordKey:
    return RecordKey("collections", name)


@pytest.fixture
def scene(record_store_url: str) -> Iterator[Scene]:
    with RecordStore.open(record_store_url) as store:
        yield Scene(store)


def codes(judged: dict[str, Any], names: Sequence[str]) -> list[str]:
    return [judged[name][0] for name in names]


def test_a_circle_is_named_and_what_only_waits_for_it_is_not_called_one(scene: Scene) -> None:
    scene.hold("a", product("b"))
    scene.hold("b", product("c"))
    scene.hold("c", product("a"))
    scene.hold("d", product("a"))
    scene.hold("e", product("later"))
    judged = scene.judged()
    assert codes(judged, "abcde") == ["REFERENCE_CYCLE"] * 3 + ["REFERENCE_PENDING"] * 2
    assert judged["a"][1] == "It waits for itself: products a → products b → products c → products a."
    assert scene.store.loads.judge_waits("acme", SHOP, ENABLED) == {"REFERENCE_CYCLE": 3}


def test_a_record_that_refers_to_itself_is_a_circle(scene: Scene) -> None:
    scene.hold("a", product("a"))
    assert codes(scene.judged(), "a") == ["REFERENCE_CYCLE"]


def test_what_never_comes_is_said_with_its_reason_and_passed_on(scene: Scene) -> None:
    scene.exclude("old", "out of season")
    scene.hold("a", collection("old"))
    scene.hold("b", product("a"))
    scene.hold("c", RecordKey("orders", "1"))
    scene.hold("d", collection("late"))
    judged = scene.judged()
    assert codes(judged, "abcd") == ["REFERENCE_NEVER"] * 3 + ["REFERENCE_PENDING"]
    assert "the mapping leaves it out (out of season)" in judged["a"][1]
    assert "waits itself for what never comes" in judged["b"][1]
    assert "orders are not moved by this migration" in judged["c"][1]


def test_a_part_that_the_landed_record_does_not_have_never_comes(scene: Scene) -> None:
    scene.store.loads.put_identities("acme", SHOP, [Identity(product("x"), "gid://1")])
    scene.hold("a", RecordKey("products", "x", "variant", "red"))
    assert scene.judged()["a"] == (
        "REFERENCE_NEVER", "It waits for what never comes. Products x has landed, and has no variant red."
    )  # fmt: skip


def test_what_can_come_again_is_pending_again(scene: Scene) -> None:
    scene.hold("a", product("b"))
    scene.hold("b", product("a"))
    assert codes(scene.judged(), "ab") == ["REFERENCE_CYCLE"] * 2
    scene.hold("b", product("c"))
    assert codes(scene.judged(), "ab") == ["REFERENCE_PENDING"] * 2


def test_what_was_given_up_never_comes(scene: Scene) -> None:
    scene.hold("a", product("b"))
    scene.hold("b", product("c"))
    scene.store.incomplete.discard("acme", Which(source_ids=("b",)), by="ann", reason="sold out")
    assert "it was given up (sold out)" in scene.judged()["a"][1]


def test_what_was_given_up_on_another_store_may_still_come_on_this_one(scene: Scene) -> None:
    scene.hold("a", product("b"))
    elsewhere = scene.store.loads.acquire("acme", "gid://shopify/Shop/2", PRODUCTS, scene.run)
    refused = Settlement("b", Outcome.ERRORED, "p", error=LoadRejectedError("no"))
    scene.store.loads.settle(elsewhere, scene.run, [refused])
    scene.store.incomplete.discard("acme", Which(source_ids=("b",)), by="ann", reason="rehearsal only")
    assert codes(scene.judged(), "a") == ["REFERENCE_PENDING"]


def test_what_another_run_is_just_bringing_is_named(scene: Scene) -> None:
    scene.hold("b", RecordKey("collections", "m"), product("z"))
    scene.hold("c", RecordKey("collections", "n"))

    def awaited() -> list[tuple[str, int, str]]:
        return scene.store.loads.awaited_of_others("acme", SHOP, PRODUCTS, scene.run)

    assert awaited() == []
    other = scene.store.runs.start(Run("run-2", "acme", RunOptions(), host="there", pid=1))
    lease = scene.store.loads.acquire("acme", SHOP, COLLECTIONS, other)
    assert awaited() == [("collections", 2, "run-2")]
    own = [Identity(RecordKey("collections", "n"), "gid://shopify/Collection/1")]
    scene.store.loads.put_identities("acme", SHOP, own)
    assert awaited() == [("collections", 1, "run-2")]
    scene.store.loads.release(lease)
    assert awaited() == []

"""A gift card whose id is its code is shown by its last four, and may be named by them."""

from collections.abc import Callable
from typing import Any

import pytest

from graftport_dagster.errors import LoadRejectedError, MissingReferenceError
from graftport_dagster.records import Outcome, RecordKey, ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.store.record_store import Dataset, RecordStore, Settlement
from tests.cli.conftest import Invoke

CARDS, ORDERS = ResourceType.GIFT_CARDS, ResourceType.ORDERS
CODE, OTHER = "SECRETCODE7777", "ANOTHERCARD7778"


@pytest.fixture
def failed(store: RecordStore) -> RecordStore:
    run = store.runs.start(Run("run-1", "shop", RunOptions()))
    rows = [SourceRecord(one, {"code": one, "amount": 5}) for one in (CODE, OTHER)]
    store.source_records.upsert(Dataset("shop"), CARDS, run, rows)
    error = LoadRejectedError(f"The code {CODE.lower()} is taken", code="TAKEN")
    invalid = LoadRejectedError("no value", code="INVALID")
    held = MissingReferenceError("waits for a gift card")
    for kind, one, outcome, why, waits in (
        (CARDS, CODE, Outcome.ERRORED, error, ()), (CARDS, OTHER, Outcome.ERRORED, invalid, ()),
        (ORDERS, "100", Outcome.HELD, held, (RecordKey("gift_cards", CODE),)),
    ):  # fmt: skip
        lease = store.loads.acquire("shop", "gid://shop", kind, run)
        store.loads.settle(lease, run, [Settlement(one, outcome, "h", error=why, waits_for=waits)])
        store.loads.release(lease)
    return store


def test_no_command_shows_the_code(failed: RecordStore, graftport: Invoke) -> None:
    del failed
    for words in (
        ("incomplete", "list", "shop"), ("incomplete", "show", "shop", "--all"), ("errors", "shop"),
        ("record", "shop", "gift_cards", CODE), ("record", "shop", "gift_cards", CODE, "--payload"),
        ("record", "shop", "orders", "100"),
    ):  # fmt: skip
        for more in ((), ("--json",)):
            shown = graftport(*words, *more).output
            assert (CODE.lower() in shown.lower(), OTHER in shown) == (False, False), words
            assert words[0] == "errors" or "7777" in shown


def test_a_card_is_named_as_it_is_shown(failed: RecordStore, told: Callable[..., Any]) -> None:
    assert told("record", "shop", "gift_cards", "••••7777")["source_id"] == "••••7777"
    assert told("incomplete", "discard", "shop", "••••7777", "--reason", "spent")["discarded"] == 1
    assert {row["source_id"] for row in failed.incomplete.open("shop")} == {OTHER, "100"}
    assert "Not open" in str(told("incomplete", "show", "shop", "••••0000", status=2))


def test_two_cards_that_are_shown_alike_are_asked_about(failed: RecordStore, told: Callable[..., Any]) -> None:
    run = failed.runs.start(Run("run-2", "shop", RunOptions()))
    lease = failed.loads.acquire("shop", "gid://shop", CARDS, run)
    error = LoadRejectedError("no", code="NO")
    failed.loads.settle(lease, run, [Settlement("THIRDCARD7777", Outcome.ERRORED, "h", error=error)])
    refused = told("incomplete", "show", "shop", "••••7777", status=2)
    assert "2 open gift cards end like ••••7777" in str(refused)

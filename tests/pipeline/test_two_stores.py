"""A rehearsal store and then the live one: nothing is shared, and the second is confirmed once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from graftport_dagster import simulator
from graftport_dagster.errors import StoreNotConfirmedError
from graftport_dagster.migration import Destination
from graftport_dagster.pipeline import state_folder
from graftport_dagster.records import Phase, Result

Shop = Any


@pytest.fixture
def stores(shop: Shop) -> Iterator[tuple[Shop, Shop]]:
    """The same migration and record store, into two embedded stores of their own."""
    both = [
        replace(shop, migration=shop.migration.model_copy(update={"destination": Destination(shop=f"simulator://{name}")}))
        for name in ("rehearsal", "live")
    ]  # fmt: skip
    for name, each in zip(("rehearsal", "live"), both, strict=True):
        each.url = simulator.ensure(state_folder() / f"simulator-{name}")
    yield both[0], both[1]
    for each in both:
        requests.post(f"{each.url}/_simulator/stop", timeout=10)


def test_everything_is_pending_again_for_another_store_after_one_confirmation(stores: tuple[Shop, Shop]) -> None:
    rehearsal, live = stores
    assert rehearsal.run().run.result is Result.SUCCEEDED
    live.runs = 1
    refused = live.run()
    assert isinstance(refused.raised["products"], StoreNotConfirmedError)
    assert "Every record would be created there anew" in str(refused.raised["products"])
    assert live.objects("Product") == []
    confirmed = live.run(confirm_store=True)
    assert confirmed.counts("products load") == {"in_scope": 32, "created": 32}
    assert live.run().run.result is Result.UNCHANGED
    assert len(live.objects("Product")) == len(rehearsal.objects("Product")) == 32


def test_a_dry_run_changes_nothing_anywhere(shop: Shop) -> None:
    ran = shop.run(dry_run=True)
    assert ran.run.result is Result.SUCCEEDED
    assert ran.counts("products load") == {"in_scope": 32, "created": 32}
    assert shop.writes() == 0
    assert shop.run().counts("products extract")["new"] == 32
    shop.replace("<p>", "<p>New: ", times=1000)
    again = shop.run(dry_run=True)
    assert again.counts("products load").get("updated", 0) > 0
    assert shop.run(phases=(Phase.LOAD,)).run.result is Result.UNCHANGED

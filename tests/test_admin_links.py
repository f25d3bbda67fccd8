"""Links from a run into Shopify's admin."""

from pathlib import Path

import pytest

from graftport_dagster.errors import TransformError
from graftport_dagster.migration import Destination, Migration
from graftport_dagster.records import Identity, Outcome, Phase, RecordKey, ResourceType, Run, RunItem, RunOptions
from graftport_dagster.reports import AdminLinks
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import RecordStore, Settlement

STORE = "gid://shopify/Shop/1"
CUSTOMERS = ResourceType.CUSTOMERS


def lines(folder: Path, shop: str) -> list[str]:
    """Of a load that created two customers, one of whom has a mail address as its id, and refused a third."""
    source = FilesSettings(platform="csv", files={})
    migration = Migration(
        slug="acme", folder=folder, source=source, destination=Destination(shop=shop, access_token="env:T")
    )
    with RecordStore.open(f"sqlite:///{folder / 'store.db'}") as store:
        store.stores.meet("acme", STORE, "acme.myshopify.com", "Acme")
        run = store.runs.start(Run("run-1", "acme", RunOptions(), store_gid=STORE))
        lease = store.loads.acquire("acme", STORE, CUSTOMERS, run)
        made = [
            Settlement(
                name, Outcome.CREATED, "p", clean=True,
                identities=(Identity(RecordKey(CUSTOMERS, name), f"gid://shopify/Customer/{number}"),),
            )
            for number, name in enumerate(("7", "ann@example.com"), 100)
        ]  # fmt: skip
        refused = Settlement("9", Outcome.ERRORED, "p", error=TransformError("No.", code="TAKEN"))
        store.loads.settle(lease, run, [*made, refused])
        item = RunItem("run-1", CUSTOMERS, Phase.LOAD, counts={"created": 2, "errored": 1})
        links = AdminLinks(store, migration)
        open_ones = links.open_ones(store.incomplete.open("acme"))
        assert [line.partition(" · ")[0] for line in open_ones] == ["customers `9`: errored TAKEN"]
        assert links.examples(RunItem("run-1", CUSTOMERS, Phase.LOAD, counts={})) == []
        return links.examples(item)


def test_records_of_a_real_store_lead_to_its_admin_and_refused_ones_to_their_story(tmp_path: Path) -> None:
    assert lines(tmp_path, "acme.myshopify.com") == [
        "customers [(mail address)](https://admin.shopify.com/store/acme/customers/101): created",
        "customers [7](https://admin.shopify.com/store/acme/customers/100): created"
        " · `graftport record acme customers 7`",
        "customers `9`: errored TAKEN · `graftport record acme customers 9`",
    ]


@pytest.mark.parametrize("shop", ["simulator://", "http://127.0.0.1:4000"])
def test_a_simulated_store_has_no_admin_to_lead_to(tmp_path: Path, shop: str) -> None:
    assert not any("](" in line for line in lines(tmp_path, shop))

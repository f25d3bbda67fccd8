"""A Shopify shop of which only its CSV exports are left, into a simulated store; and again nothing is sent."""

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.migration import Destination, FileSpec, Migration
from graftport_dagster.records import ResourceType, Result
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import RecordStore
from tests.pipeline.conftest import Shop

SAMPLES = Path(__file__).parents[1] / "sources" / "shopify_exports"
TYPES = (ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.ORDERS)
ORDERS = """{ orders(first: 20) { nodes { name displayFinancialStatus displayFulfillmentStatus customer { id }
  totalPriceSet { shopMoney { amount } } totalTaxSet { shopMoney { amount } }
  totalRefundedSet { shopMoney { amount } } lineItems(first: 20) { nodes { title variant { sku } } } } } }"""


@pytest.fixture
def exported(simulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    for path in SAMPLES.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    source = FilesSettings(
        platform="shopify", shopify_export={kind: FileSpec(path=f"{kind}_export.csv") for kind in TYPES}
    )
    migration = Migration(
        slug="shop", folder=tmp_path, source=source,
        destination=Destination(shop=simulator_url, access_token="env:SIMULATOR_TOKEN"),
    )  # fmt: skip
    with RecordStore.open(f"sqlite:///{tmp_path}/records.db") as store:
        yield Shop(tmp_path, migration, store, simulator_url)


def orders_of(shop: Shop) -> dict[str, Any]:
    asked = requests.post(
        f"{shop.url}/admin/api/2026-10/graphql.json", json={"query": ORDERS}, timeout=30,
        headers={"X-Shopify-Access-Token": "anything"},
    ).json()  # fmt: skip
    return dict(sorted((it["name"], it) for it in asked["data"]["orders"]["nodes"]))


def amounts(order: Any) -> list[Decimal]:
    sums = (order["totalPriceSet"], order["totalTaxSet"], order["totalRefundedSet"])
    return [Decimal(it["shopMoney"]["amount"]) for it in sums]


def test_exports_become_a_shop_with_its_orders_to_the_cent(exported: Shop) -> None:
    first = exported.run(resource_types=TYPES)
    assert first.raised == {}
    for kind, created in zip(TYPES, (3, 3, 4), strict=True):
        assert first.counts(f"{kind} load") == {"in_scope": created, "created": created}, [
            (it["source_id"], it["message"]) for it in exported.incomplete()
        ]
    stands = orders_of(exported)
    euro = Decimal("0.01")
    assert {name: [it.quantize(euro) for it in amounts(order)] for name, order in stands.items()} == {
        "#1001": [Decimal("95.00"), Decimal("15.84"), Decimal("10.00")],
        "#1002": [Decimal("205.04"), Decimal("15.04"), Decimal("0.00")],
        "#1003": [Decimal("10.00"), Decimal("0.00"), Decimal("0.00")],
        "#1004": [Decimal("25.00"), Decimal("0.00"), Decimal("25.00")],
    }
    assert [it["displayFinancialStatus"] for it in stands.values()] == [
        "PARTIALLY_REFUNDED", "PAID", "PENDING", "REFUNDED",
    ]  # fmt: skip
    assert [it["displayFulfillmentStatus"] for it in stands.values()] == [
        "FULFILLED", "PARTIALLY_FULFILLED", "UNFULFILLED", "UNFULFILLED",
    ]  # fmt: skip
    assert [it["variant"] and it["variant"]["sku"] for it in stands["#1002"]["lineItems"]["nodes"]] == [
        "RJ-M", None, None,
    ]  # fmt: skip
    assert [bool(it["customer"]) for it in stands.values()] == [True, True, True, False]

    sent = exported.writes()
    again = exported.run(resource_types=TYPES)
    assert (exported.writes(), again.run.result) == (sent, Result.UNCHANGED)

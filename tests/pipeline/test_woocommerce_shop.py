"""A whole WooCommerce shop, asked over HTTP, into a simulated store; then again, and after a merchant's changes."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.migration import Destination, Migration
from graftport_dagster.records import Phase, ResourceType, Result
from graftport_dagster.source_settings import WooCommerceSettings
from graftport_dagster.sources.woocommerce.source import TYPES
from graftport_dagster.store.record_store import RecordStore
from tests.pipeline.conftest import Shop


@pytest.fixture
def woocommerce(
    simulator_url: str, woocommerce_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    for name, value in (
        ("SIMULATOR_TOKEN", "anything"), ("GRAFTPORT_STATE", str(tmp_path / "state")),
        ("WOO_KEY", "ck_simulated"), ("WOO_SECRET", "cs_simulated"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    source = WooCommerceSettings(
        type="woocommerce", url=woocommerce_url, consumer_key="env:WOO_KEY", consumer_secret="env:WOO_SECRET",
        sign_in="header",
    )  # fmt: skip
    migration = Migration(
        slug="shop", folder=tmp_path, source=source, settings={"status": "as_source", "excluded_countries": ["US"]},
        destination=Destination(shop=simulator_url, access_token="env:SIMULATOR_TOKEN"),
    )  # fmt: skip
    with RecordStore.open(f"sqlite:///{tmp_path}/records.db") as store:
        yield Shop(tmp_path, migration, store, simulator_url)


def edit(url: str, **change: Any) -> None:
    requests.post(f"{url}/_simulator/edit", json=change, timeout=20).raise_for_status()


def objects(url: str, name: str) -> Any:
    return requests.get(f"{url}/_simulator/objects?list={name}", timeout=20).json()


ORDERS = """{ orders(first: 100) { nodes {
  name displayFinancialStatus displayFulfillmentStatus currentTotalPriceSet { shopMoney { amount } }
  totalPriceSet { shopMoney { amount } } totalTaxSet { shopMoney { amount } } totalRefundedSet { shopMoney { amount } }
  lineItems(first: 20) { nodes { variant { id } } }
} } }"""
PAYMENT = {
    "pending": "PENDING",
    "on-hold": "PENDING",
    "cancelled": "VOIDED",
    "failed": "VOIDED",
    "refunded": "REFUNDED",
}


def check_orders(store_url: str, shop_url: str) -> None:
    """They stand in the store as they stood in the shop: sums, taxes, refunds, states, variants."""
    asked = requests.post(
        f"{store_url}/admin/api/2026-10/graphql.json", json={"query": ORDERS}, timeout=30,
        headers={"X-Shopify-Access-Token": "anything"},
    ).json()  # fmt: skip
    stands = {order["name"]: order for order in asked["data"]["orders"]["nodes"]}
    refunds = objects(shop_url, "refunds")
    for order in objects(shop_url, "orders"):
        found = stands[order["number"]]
        assert amount(found["totalPriceSet"]) == Decimal(order["total"]), order["number"]
        assert amount(found["totalTaxSet"]) == Decimal(order["total_tax"])
        back = sum((Decimal(it["amount"]) for it in refunds.get(str(order["id"]), [])), Decimal(0))
        assert amount(found["totalRefundedSet"]) == back
        paid = "PARTIALLY_REFUNDED" if 0 < back < Decimal(order["total"]) else PAYMENT.get(order["status"], "PAID")
        assert found["displayFinancialStatus"] == paid, order["number"]
        assert (found["displayFulfillmentStatus"] == "FULFILLED") == (order["status"] == "completed"), order["number"]
        tied = sum(line["product_id"] > 0 for line in order["line_items"])
        assert sum(line["variant"] is not None for line in found["lineItems"]["nodes"]) == tied


def amount(bag: Any) -> Decimal:
    return Decimal(bag["shopMoney"]["amount"])


def test_a_whole_shop_lands_and_again_nothing_is_sent(woocommerce: Shop, woocommerce_url: str) -> None:
    first = woocommerce.run(resource_types=TYPES)
    assert first.raised == {}
    for kind in TYPES:
        counts = first.counts(f"{kind} load")
        assert counts == {"in_scope": counts["created"], "created": counts["created"]}, (kind, woocommerce.incomplete())
    assert first.counts("products load")["created"] == len(objects(woocommerce_url, "products"))
    assert first.counts("customers load")["created"] == len(objects(woocommerce_url, "customers"))
    check_orders(woocommerce.url, woocommerce_url)
    sent = woocommerce.writes()
    again = woocommerce.run(resource_types=TYPES)
    assert woocommerce.writes() == sent
    assert again.run.result is Result.UNCHANGED
    assert again.counts("products extract").get("read", 0) == 0


def test_after_a_merchants_changes_only_those_are_read_and_sent(woocommerce: Shop, woocommerce_url: str) -> None:
    types = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)
    woocommerce.run(resource_types=types)
    simple = next(it for it in objects(woocommerce_url, "products") if it["type"] == "simple")
    parent, (variation, *_) = next(
        (int(it), found) for it, found in objects(woocommerce_url, "variations").items() if found
    )
    edit(woocommerce_url, list="products", id=simple["id"], set={"name": "Renamed by the merchant"})
    edit(woocommerce_url, list="variations", parent=parent, id=variation["id"], set={"regular_price": "77.70"})
    sent = woocommerce.writes()
    ran = woocommerce.run(resource_types=types)
    assert ran.counts("products extract")["changed"] == 2
    assert ran.counts("products load")["updated"] == 2
    assert woocommerce.writes() > sent
    assert "Renamed by the merchant" in [it["title"] for it in woocommerce.objects("Product")]
    assert "77.70" in [it["price"] for it in woocommerce.objects("ProductVariant")]


@pytest.mark.slow
def test_what_went_into_the_trash_is_gone_after_a_whole_reading(woocommerce: Shop, woocommerce_url: str) -> None:
    types = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)
    woocommerce.run(resource_types=types)
    gone = objects(woocommerce_url, "products")[0]["id"]
    edit(woocommerce_url, list="products", id=gone, set={"status": "trash"})
    assert woocommerce.run(resource_types=types).counts("products extract").get("deleted_at_source", 0) == 0
    ran = woocommerce.run(resource_types=types, full_extract=True)
    assert ran.counts("products extract")["deleted_at_source"] == 1


def test_a_shop_that_fails_midway_leaves_its_cursor_where_it_was(woocommerce: Shop, woocommerce_url: str) -> None:
    faults = f"{woocommerce_url}/_simulator/faults"
    requests.post(faults, json=[{"fault": "wrong_shape", "path": "/variations"}], timeout=20)
    failed = woocommerce.run(resource_types=(ResourceType.PRODUCTS,), phases=(Phase.EXTRACT,))
    assert failed.raised["products"].code == "UNEXPECTED_ANSWER"
    assert woocommerce.store.source_records.cursor("shop", ResourceType.PRODUCTS) is None
    requests.post(faults, json=[], timeout=20)
    mended = woocommerce.run(resource_types=(ResourceType.PRODUCTS,), phases=(Phase.EXTRACT,))
    whole = len(objects(woocommerce_url, "products"))
    counts = mended.counts("products extract")
    assert counts["read"] == whole
    assert woocommerce.store.source_records.cursor("shop", ResourceType.PRODUCTS) is not None

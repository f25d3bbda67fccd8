"""A whole Magento shop, asked over REST, into a simulated store; then again, and after a merchant's changes."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster import pipeline
from graftport_dagster.migration import Destination, Migration
from graftport_dagster.records import Phase, ResourceType, Result, RunOptions
from graftport_dagster.source_settings import MagentoSettings
from graftport_dagster.store.record_store import RecordStore
from tests.pipeline.conftest import Shop

SECRETS = {
    "CONSUMER_KEY": "ck_simulated", "CONSUMER_SECRET": "cs_simulated", "ACCESS_TOKEN": "at_simulated",
    "ACCESS_TOKEN_SECRET": "ats_simulated",
}  # fmt: skip


@pytest.fixture
def magento_shop(
    simulator_url: str, magento_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    for name, value in {"SIMULATOR_TOKEN": "anything", "GRAFTPORT_STATE": str(tmp_path / "state"), **SECRETS}.items():
        monkeypatch.setenv(name, value)
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    ask(
        simulator_url, 'mutation { locationAdd(input: {name: "Alps", address: {countryCode: CH}}) { location { id } } }'
    )
    secrets = {name.lower(): f"env:{name}" for name in SECRETS}
    source = MagentoSettings.model_validate({"type": "magento", "url": magento_url, "page_size": 20, **secrets})
    migration = Migration(
        slug="shop", folder=tmp_path, source=source,
        settings={"status": "as_source", "weight_unit": "kg", "excluded_countries": ["US"]},
        locations={"alps": "Alps"},
        destination=Destination(shop=simulator_url, access_token="env:SIMULATOR_TOKEN"),
    )  # fmt: skip
    with RecordStore.open(f"sqlite:///{tmp_path}/records.db") as store:
        yield Shop(tmp_path, migration, store, simulator_url)


def ask(url: str, query: str) -> Any:
    answer = requests.post(
        f"{url}/admin/api/2026-10/graphql.json", json={"query": query}, timeout=20,
        headers={"X-Shopify-Access-Token": "anything"},
    )  # fmt: skip
    return answer.json()["data"]


def edit(url: str, **change: Any) -> None:
    requests.post(f"{url}/_simulator/edit", json=change, timeout=20).raise_for_status()


def objects(url: str, name: str) -> Any:
    return requests.get(f"{url}/_simulator/objects?list={name}", timeout=20).json()


def orders_cost_what_they_cost(magento_shop: Shop, magento_url: str) -> None:
    """To the cent, in the currency that was paid in, with as many refunds and shipments."""
    fields = "name totalPriceSet { presentmentMoney { amount currencyCode } } refunds { id } fulfillments { id }"
    nodes = ask(magento_shop.url, f"{{ orders(first: 50) {{ nodes {{ {fields} }} }} }}")["orders"]["nodes"]
    landed = {one["name"]: one for one in nodes}
    orders = objects(magento_url, "orders")
    assert landed.keys() == {order["increment_id"] for order in orders}
    memos = Counter(memo["order_id"] for memo in objects(magento_url, "creditmemos"))
    shipments = Counter(shipment["order_id"] for shipment in objects(magento_url, "shipments"))
    for order in orders:
        there = landed[order["increment_id"]]
        money = there["totalPriceSet"]["presentmentMoney"]
        assert Decimal(money["amount"]) == Decimal(str(order["grand_total"])), order["increment_id"]
        assert money["currencyCode"] == order["order_currency_code"]
        assert len(there["refunds"]) == memos[order["entity_id"]]
        assert len(there["fulfillments"]) == shipments[order["entity_id"]]


LOADED = tuple(kind for kind in ResourceType if kind in pipeline.loadable() and kind is not ResourceType.GIFT_CARDS)


def test_a_whole_shop_lands_and_again_nothing_is_sent(magento_shop: Shop, magento_url: str) -> None:
    first = magento_shop.run(resource_types=LOADED)
    assert first.raised == {}
    for kind in LOADED:
        counts = first.counts(f"{kind} load")
        assert counts["created"] > 0, kind
        assert counts["created"] + counts.get("skipped", 0) == counts["in_scope"], (kind, magento_shop.incomplete()[:3])
    assert first.counts("products load")["created"] == 24
    assert first.counts("orders load")["created"] == len(objects(magento_url, "orders"))
    orders_cost_what_they_cost(magento_shop, magento_url)
    sent = magento_shop.writes()
    again = magento_shop.run(resource_types=LOADED)
    assert magento_shop.writes() == sent
    assert again.counts("products extract").get("changed", 0) == 0


def test_after_a_merchants_changes_only_those_are_read_and_sent(magento_shop: Shop, magento_url: str) -> None:
    types = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)
    magento_shop.run(resource_types=types)
    cursor = magento_shop.store.source_records.cursor("shop", ResourceType.PRODUCTS)
    edit(magento_url, list="products", id=1, set={"price": 77.7})
    sent = magento_shop.writes()
    ran = magento_shop.run(resource_types=types)
    assert ran.counts("products extract")["changed"] == 1
    assert ran.counts("products load")["updated"] == 1
    assert magento_shop.writes() > sent
    assert "77.70" in [it["price"] for it in magento_shop.objects("ProductVariant")]
    assert magento_shop.store.source_records.cursor("shop", ResourceType.PRODUCTS) != cursor


def test_a_shop_that_fails_midway_leaves_its_cursor_where_it_was(magento_shop: Shop, magento_url: str) -> None:
    faults = f"{magento_url}/_simulator/faults"
    requests.post(faults, json=[{"fault": "wrong_shape", "path": "/source-items", "after": 1}], timeout=20)
    failed = magento_shop.run(resource_types=(ResourceType.PRODUCTS,), phases=(Phase.EXTRACT,))
    assert failed.raised["products"].code == "UNEXPECTED_ANSWER"
    assert magento_shop.store.source_records.cursor("shop", ResourceType.PRODUCTS) is None
    requests.post(faults, json=[], timeout=20)
    mended = magento_shop.run(resource_types=(ResourceType.PRODUCTS,), phases=(Phase.EXTRACT,))
    assert mended.counts("products extract")["read"] == 24
    assert magento_shop.store.source_records.cursor("shop", ResourceType.PRODUCTS) is not None


def test_a_run_says_that_its_shop_is_asked_without_encryption(magento_shop: Shop, magento_url: str) -> None:
    # Another name of this machine.
    url = magento_url.replace("127.0.0.1", "127.1")
    source = magento_shop.migration.source.model_copy(update={"url": url})
    magento_shop.migration = magento_shop.migration.model_copy(update={"source": source})
    ran = magento_shop.run(resource_types=(ResourceType.BLOGS,), phases=(Phase.EXTRACT,))
    assert [note for note in ran.items["blogs extract"].notes if "is not encrypted" in note]


def test_a_stop_while_the_shop_makes_us_wait_is_a_cancel(magento_shop: Shop, magento_url: str) -> None:
    faults = [{"fault": "http_429", "path": "/customers", "after": 1, "retry_after": "60"}]
    requests.post(f"{magento_url}/_simulator/faults", json=faults, timeout=20)
    asked = RunOptions(phases=(Phase.EXTRACT,), resource_types=(ResourceType.CUSTOMERS,))
    looks = count()
    migration = magento_shop.migration.model_copy(
        update={"source": magento_shop.migration.source.model_copy(update={"page_size": 4})}
    )
    with pipeline.open_work(
        migration, asked, run_id="stopped", store=magento_shop.store, should_stop=lambda: next(looks) > 8
    ) as work:
        item = pipeline.run_phase(work, Phase.EXTRACT, ResourceType.CUSTOMERS)
    assert item.result is Result.CANCELED
    assert magento_shop.store.source_records.cursor("shop", ResourceType.CUSTOMERS) is None

"""A Shopify shop as a source: by bulk queries and in pages the same, whole, and since a moment."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from graftport_dagster.errors import ConfigurationError, CredentialsError, GraftportError, RemoteFaultError
from graftport_dagster.mappings import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import Migration
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.shopify.payload import check
from graftport_dagster.source_settings import ShopifySettings
from graftport_dagster.sources.rest_reader import Clock
from graftport_dagster.sources.shopify import ShopifySource
from graftport_dagster.sources.shopify.asking import bulk_document, walk
from graftport_dagster.sources.shopify.bulk import _trees
from graftport_dagster.sources.shopify.catalogue import WANTED
from tests.sources.shopify_shop import FilledShop

PRODUCTS = ResourceType.PRODUCTS
NOW = "2026-06-15T12:00:00+00:00"
Make = Callable[..., ShopifySource]


@contextmanager
def simulator(state: Path, *more: str) -> Iterator[str]:
    """The address of a shop of its own process."""
    arguments = ["-m", "graftport_dagster.simulator", "--port", "0", "--state", str(state), "--plan", "unlimited"]
    process = subprocess.Popen([sys.executable, *arguments, *more], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledShop]:
    """A shop with something of every type; the tests of this module only look at it, or add to it."""
    with simulator(tmp_path_factory.mktemp("source") / "state.db") as url:
        made = FilledShop(url)
        made.fill()
        yield made


@pytest.fixture
def make(shop: FilledShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setenv("SOURCE_TOKEN", "x")
    opened: list[ShopifySource] = []

    def make(stop: Callable[[], bool] = lambda: False, **given: Any) -> ShopifySource:
        settings = {"type": "shopify", "shop": shop.url, "access_token": "env:SOURCE_TOKEN", **given}
        moments = itertools.count(0, 0.05)
        clock = Clock(now=lambda: next(moments), sleep=lambda _: None, spread=lambda _: 0.0)
        opened.append(ShopifySource(ShopifySettings.model_validate(settings), tmp_path, stop=stop, clock=clock))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def records(source: ShopifySource, kind: ResourceType, since: JsonObject | None = None) -> dict[str, SourceRecord]:
    given = list(source.read(kind, since))
    assert not [item for item in given if isinstance(item, InvalidRow)]
    found = {item.source_id: item for item in given if isinstance(item, SourceRecord)}
    assert len(found) == len(given)
    return found


@pytest.mark.parametrize("kind", ResourceType)
def test_bulk_queries_and_pages_give_the_same_records(make: Make, kind: ResourceType) -> None:
    in_bulk = records(make(), kind)
    assert in_bulk == records(make(bulk_queries=False), kind)
    assert in_bulk == records(make(), kind), "reading twice gives the same"
    for record in in_bulk.values():
        assert json.loads(json.dumps(record.payload)) == record.payload
        assert record.origin.endswith(record.payload["id"])


def test_what_belongs_to_a_product_is_put_together(make: Make) -> None:
    jacket = next(one for one in records(make(), PRODUCTS).values() if one.payload["handle"] == "jacket")
    first = jacket.payload["variants"][0]
    assert [variant["sku"] for variant in jacket.payload["variants"]] == ["J-S", "J-M"]
    assert first["inventoryItem"]["inventoryLevels"][0]["quantities"] == [{"name": "available", "quantity": 7}]
    assert [(field["key"], field["value"]) for field in first["metafields"]] == [("fit", "0")]
    assert [media["alt"] for media in jacket.payload["media"]] == ["Front"]
    assert [each["handle"] for each in jacket.payload["collections"]] == ["summer", "warm"]
    assert len(jacket.payload["resourcePublicationsV2"]) == 1
    assert jacket.rows > 5
    assert jacket.updated_at


def test_lists_longer_than_a_page_come_whole(make: Make) -> None:
    (ten,) = (
        one
        for one in records(make(), ResourceType.DISCOUNT_CODES).values()
        if len(one.payload["codeDiscount"]["codes"]) > 1
    )
    assert len(ten.payload["codeDiscount"]["codes"]) == 121


def test_an_object_that_is_deleted_while_its_list_is_read_stops_no_other(make: Make, tmp_path: Path) -> None:
    with simulator(tmp_path / "state.db") as url:
        shop = FilledShop(url)
        shop.fill()
        *_, last = (it["id"] for it in shop.objects("DiscountCodeNode"))
        codes = [{"code": f"MANY-{number}"} for number in range(60)]
        shop.make(
            "discountRedeemCodeBulkAdd", "codes", "[DiscountRedeemCodeInput!]!", "bulkCreation { id }", codes,
            discountId=last,
        )  # fmt: skip
        reading = make(shop=url).read(ResourceType.DISCOUNT_CODES, None)
        next(reading)
        requests.post(f"{url}/_simulator/edit", json={"id": last, "delete": True}, timeout=9).raise_for_status()
        sound, bad = reading
    assert isinstance(sound, SourceRecord)
    assert isinstance(bad, InvalidRow)
    assert (bad.code, bad.source_id) == ("RECORD_CHANGED", last.rpartition("/")[2])


def test_an_order_has_its_refunds_and_shipments_line_by_line(make: Make) -> None:
    (order,) = records(make(), ResourceType.ORDERS).values()
    assert [line["quantity"] for line in order.payload["refunds"][0]["refundLineItems"]] == [1]
    assert order.payload["refunds"][0]["transactions"][0]["kind"] == "REFUND"
    assert [len(each["fulfillmentLineItems"]) for each in order.payload["fulfillments"]] == [2]


@pytest.mark.parametrize("bulk_queries", [True, False])
def test_no_shipment_of_an_order_is_left_out_silently(shop: FilledShop, make: Make, bulk_queries: bool) -> None:
    (order,) = shop.objects("Order")
    sent = order["fulfillments"]

    def with_shipments(count: int) -> SourceRecord | InvalidRow:
        edit = {"id": order["id"], "set": {"fulfillments": sent * count}}
        requests.post(f"{shop.url}/_simulator/edit", json=edit, timeout=9).raise_for_status()
        (given,) = make(bulk_queries=bulk_queries).read(ResourceType.ORDERS, None)
        return given

    try:
        many, too_many = with_shipments(60), with_shipments(120)
    finally:
        with_shipments(1)
    assert isinstance(many, SourceRecord)
    assert len(many.payload["fulfillments"]) == 60
    assert isinstance(too_many, InvalidRow)
    assert "more than 100 fulfillments" in too_many.reason


def test_articles_and_pages_are_one_type_with_ids_apart(make: Make) -> None:
    found = records(make(), ResourceType.BLOGS)
    assert sorted(one.payload["__typename"] for one in found.values()) == ["Article", "Page"]
    assert [source_id.startswith("page-") for source_id in found].count(True) == 1


@pytest.mark.parametrize("bulk_queries", [True, False])
def test_later_reads_give_what_changed(shop: FilledShop, make: Make, bulk_queries: bool) -> None:
    source = make(bulk_queries=bulk_queries, overlap_minutes=0)
    whole = records(source, PRODUCTS)
    cursor = source.cursor(PRODUCTS)
    before = source.freshness(PRODUCTS)
    assert (before.kind, before.token) == ("max(updatedAt)", source.freshness(PRODUCTS).token)
    edited = next(one for one in whole.values() if one.payload["handle"] == "mug").payload["id"]
    # Shopify's times are whole seconds.
    time.sleep(1.1)
    edit = {"id": edited, "set": {"title": f"Mug {bulk_queries}"}}
    requests.post(f"{shop.url}/_simulator/edit", json=edit, timeout=9).raise_for_status()
    assert source.freshness(PRODUCTS).token != before.token
    changed = records(source, PRODUCTS, cursor)
    now = source.cursor(PRODUCTS)
    assert f"Mug {bulk_queries}" in [one.payload["title"] for one in changed.values()]
    assert [one.payload["handle"] for one in records(source, PRODUCTS, now).values()] == ["mug"]
    assert source.cursor(PRODUCTS) == now
    assert records(source, PRODUCTS, {"since": "2040-01-01T00:00:00Z"}) == {}
    assert source.cursor(PRODUCTS) == {"since": "2040-01-01T00:00:00Z"}


def edited_one_after_the_other(shop: FilledShop, *ids: str) -> None:
    for number in ids:
        # Shopify's times are whole seconds.
        time.sleep(1.1)
        edit = {"id": number, "set": {"title": f"Edited at {time.time()}"}}
        requests.post(f"{shop.url}/_simulator/edit", json=edit, timeout=9).raise_for_status()


@pytest.mark.parametrize("bulk_queries", [True, False])
def test_what_changes_behind_the_read_is_in_the_next_one(shop: FilledShop, make: Make, bulk_queries: bool) -> None:
    source = make(bulk_queries=bulk_queries, overlap_minutes=0)
    reading = source.read(ResourceType.BLOGS, None)
    first = next(reading)
    assert isinstance(first, SourceRecord)
    page = shop.objects("Page")[0]["id"]
    edited_one_after_the_other(shop, first.payload["id"], page)
    assert [item.source_id for item in reading][-1] == f"page-{page.rpartition('/')[2]}"
    changed = records(source, ResourceType.BLOGS, source.cursor(ResourceType.BLOGS))
    assert first.source_id in changed


def test_a_page_that_changed_before_an_article_did_is_in_a_later_read(shop: FilledShop, make: Make) -> None:
    source = make(overlap_minutes=0)
    records(source, ResourceType.BLOGS)
    cursor = source.cursor(ResourceType.BLOGS)
    edited_one_after_the_other(shop, shop.objects("Page")[0]["id"], shop.objects("Article")[0]["id"])
    changed = records(source, ResourceType.BLOGS, cursor)
    assert sorted(one.payload["__typename"] for one in changed.values()) == ["Article", "Page"]


def test_types_without_a_time_are_read_whole_and_told_apart_by_their_content(make: Make) -> None:
    source = make()
    for kind in (ResourceType.MARKETS, ResourceType.REDIRECTS):
        records(source, kind)
        assert source.cursor(kind) is None
        assert source.freshness(kind).kind == "checksum"


def test_nothing_is_written_to_the_source(shop: FilledShop, make: Make) -> None:
    def writes() -> int:
        answer = requests.get(f"{shop.url}/_simulator/requests?after=0", timeout=30).json()
        asked = answer["requests"] if isinstance(answer, dict) else answer
        return sum(1 for request in asked if request["writes"] and "bulkOperation" not in json.dumps(request))

    before = writes()
    source = make()
    source.check()
    for kind in ResourceType:
        source.freshness(kind)
        records(source, kind)
    assert writes() == before


def test_a_bulk_query_is_within_what_shopify_takes() -> None:
    for wanted in (each for several in WANTED.values() for each in several if each.in_bulk):
        for part in wanted.root.parts:
            document = bulk_document(wanted.root, part, "")
            assert document.count("edges") <= 5
        assert (
            len({kind for _, connection in walk(wanted.root) for kind in connection.types})
            >= len(list(walk(wanted.root))) - 1
        )


def test_lines_in_another_order_are_refused_not_guessed_at(tmp_path: Path) -> None:
    root = WANTED[PRODUCTS][0].root
    lines = [
        {"__typename": "Product", "id": "gid://shopify/Product/1"},
        {
            "__typename": "ProductVariant",
            "id": "gid://shopify/ProductVariant/1",
            "__parentId": "gid://shopify/Product/2",
        },
    ]
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    with pytest.raises(GraftportError, match="not in the order"):
        list(_trees(file, root))


def test_a_bulk_query_is_canceled_where_the_one_beside_it_is_refused(make: Make, tmp_path: Path) -> None:
    with simulator(tmp_path / "state.db", "--processing-seconds", "60") as url:
        shop = FilledShop(url)
        start = (
            'mutation { bulkOperationRunQuery(query: "{ products { edges { node { id } } } }")'
            " { bulkOperation { id } userErrors { message } } }"
        )
        others = {shop.ask(start)["bulkOperation"]["id"] for _ in range(4)}
        assert records(make(shop=url), PRODUCTS) == {}
        statuses = {it["id"]: it["status"] for it in shop.objects("BulkOperation")}
    (own,) = statuses.keys() - others
    assert statuses[own] in ("CANCELING", "CANCELED")


def test_a_stopped_run_is_not_kept_waiting(make: Make) -> None:
    with pytest.raises(GraftportError) as stopped:
        list(make(stop=lambda: True).read(PRODUCTS, None))
    assert stopped.value.code == "STOPPED"


def test_check_names_the_shop_and_what_is_missing(make: Make) -> None:
    (result,) = make().check()
    assert (result.ok, result.detail.partition(" (")[0]) == (True, "Simulated Shop")
    (refused,) = make(shop="http://127.0.0.1:9").check()
    assert not refused.ok


def test_orders_that_the_token_sees_no_more_are_not_taken_for_deleted(make: Make, tmp_path: Path) -> None:
    with simulator(tmp_path / "state.db", "--scopes", "read_orders,read_products") as url:
        source = make(shop=url)
        assert [result.detail for result in source.check()][-1].startswith("Only the last 60 days")
        assert [kind for kind in ResourceType if not source.conclusive(kind)] == [ResourceType.ORDERS]
    assert make().conclusive(ResourceType.ORDERS)


def test_a_refused_token_is_told_as_such(shop: FilledShop, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    requests.post(f"{shop.url}/_simulator/revoke", json={"token": "revoked"}, timeout=9).raise_for_status()
    monkeypatch.setenv("OTHER_TOKEN", "revoked")
    with pytest.raises(CredentialsError) as refused:
        list(make(access_token="env:OTHER_TOKEN").read(PRODUCTS, None))
    assert refused.value.hint
    (result,) = make(access_token="env:OTHER_TOKEN").check()
    assert not result.ok
    monkeypatch.delenv("OTHER_TOKEN")
    with pytest.raises(ConfigurationError, match="OTHER_TOKEN is not set"):
        list(make(access_token="env:OTHER_TOKEN").read(PRODUCTS, None))


@pytest.mark.parametrize("given", [{}, {"access_token": "env:A", "client_id": "env:B", "client_secret": "env:C"}])
def test_one_way_in_is_asked_for(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ShopifySettings.model_validate({"type": "shopify", "shop": "a.myshopify.com", **given})


@pytest.mark.parametrize("kind", ResourceType)
def test_every_record_passes_shopifys_schema_through_its_packaged_mapping(make: Make, kind: ResourceType) -> None:
    settings = ShopifySettings(type="shopify", shop="a.myshopify.com", access_token="env:A")
    mapping = Mapping.compile(
        text_of(Migration(slug="m", folder=Path("/nowhere"), source=settings), kind).text, name=kind
    )
    assert mapping.remarks == ()
    bindings = {"settings": {}, "publications": ["Online Store"], "platform": "shopify", "now": NOW}
    for record in records(make(), kind).values():
        found = mapping.evaluate(record.payload, bindings, record_id=record.source_id)
        assert not found.warnings
        if found.value.get("exclude"):
            assert kind is ResourceType.GIFT_CARDS
            continue
        _, problems = check(kind, found.value)
        assert [f"{problem.path}: {problem.message}" for problem in problems] == []


def test_a_lost_answer_to_a_bulk_query_is_no_unknown_outcome(shop: FilledShop, make: Make) -> None:
    """Reading changes nothing: what became of the query need not be looked for, only asked again."""
    faults = f"{shop.url}/_simulator/faults"
    rule = {"fault": "html_error", "operation": "bulkOperationRunQuery"}
    requests.post(faults, json=rule, timeout=20).raise_for_status()
    until = time.monotonic() + 2
    try:
        with pytest.raises(RemoteFaultError) as refused:
            list(make(stop=lambda: time.monotonic() > until).read(PRODUCTS, None))
    finally:
        requests.post(faults, json={"faults": [], "replace": True}, timeout=20).raise_for_status()
    assert "no answer came" not in refused.value.message
    assert "source.shop" in refused.value.hint

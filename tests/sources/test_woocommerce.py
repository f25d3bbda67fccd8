"""A WooCommerce shop, read over real sockets: whole, from a cursor on, while it is edited, and under every fault."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    GraftportError,
    RemoteFaultError,
    ThrottledError,
    UnreachableError,
)
from graftport_dagster.migration import FileSpec, Migration
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.source_settings import WooCommerceSettings
from graftport_dagster.sources.opening import open_source
from graftport_dagster.sources.rest_reader import Clock
from graftport_dagster.sources.woocommerce import WooCommerceSource
from graftport_dagster.sources.woocommerce.asking import signed
from graftport_dagster.sources.woocommerce.source import TYPES

Serving = Callable[..., AbstractContextManager[str]]


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("WOO_KEY", "ck_simulated"), ("WOO_SECRET", "cs_simulated"), ("WP_USER", "mara"),
        ("WP_PASSWORD", "abcd efgh ijkl mnop"), ("WRONG", "cs_wrong"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)


def settings(url: str, **given: Any) -> WooCommerceSettings:
    keys = {"consumer_key": "env:WOO_KEY", "consumer_secret": "env:WOO_SECRET", "sign_in": "header"}
    return WooCommerceSettings.model_validate({"type": "woocommerce", "url": url, "page_size": 5, **keys, **given})


class Impatient:
    """A clock whose sleeping takes no time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep, spread=lambda most: most)


class Shop:
    """The simulated shop of one test, and the source over it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder
        self._opened: list[WooCommerceSource] = []
        self.time = Impatient()

    def open(self, **given: Any) -> WooCommerceSource:
        source = WooCommerceSource(settings(self.url, **given), self._folder, clock=self.time.clock())
        self._opened.append(source)
        return source

    def read(self, kind: ResourceType, since: JsonObject | None = None, **given: Any) -> list[SourceRecord]:
        found = list(self.open(**given).read(kind, since))
        assert all(isinstance(it, SourceRecord) for it in found), found
        return [it for it in found if isinstance(it, SourceRecord)]

    def edit(self, **change: Any) -> JsonObject:
        answer = requests.post(f"{self.url}/_simulator/edit", json=change, timeout=20)
        answer.raise_for_status()
        return dict(answer.json())

    def fails(self, *rules: JsonObject) -> None:
        requests.post(f"{self.url}/_simulator/faults", json=list(rules), timeout=20).raise_for_status()

    def objects(self, name: str) -> Any:
        return requests.get(f"{self.url}/_simulator/objects?list={name}", timeout=20).json()

    def asked(self) -> list[JsonObject]:
        return list(requests.get(f"{self.url}/_simulator/requests", timeout=20).json()["requests"])

    def close(self) -> None:
        for source in self._opened:
            source.close()


@pytest.fixture
def shop(woocommerce_url: str, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(woocommerce_url, tmp_path)
    yield made
    made.close()


def numbers(records: list[SourceRecord]) -> list[int]:
    return [int(it.source_id) for it in records]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(ResourceType.PRODUCTS, "products"), (ResourceType.CUSTOMERS, "customers"), (ResourceType.ORDERS, "orders"),
     (ResourceType.DISCOUNT_CODES, "coupons"), (ResourceType.COLLECTIONS, "categories")],
)  # fmt: skip
def test_everything_the_shop_has_is_read_once(shop: Shop, kind: ResourceType, name: str) -> None:
    read = numbers(shop.read(kind))
    # Coupons that are not published are in no list.
    assert read == sorted({it["id"] for it in shop.objects(name) if name != "coupons" or it["status"] == "publish"})


def test_a_product_comes_with_its_variations_in_the_order_of_the_shop(shop: Shop) -> None:
    variations = shop.objects("variations")
    parent = next(it for it in variations if len(variations[it]) > 1)
    first, last = variations[parent][0]["id"], variations[parent][-1]["id"]
    shop.edit(list="variations", parent=int(parent), id=first, set={"menu_order": 99})
    product = next(it for it in shop.read(ResourceType.PRODUCTS) if it.source_id == parent)
    ids = [it["id"] for it in product.payload["variants"]]
    assert set(ids) == {it["id"] for it in variations[parent]}
    assert (ids[-1], ids[-2] if len(ids) > 1 else None) == (first, last)
    assert product.rows == 1 + len(ids)
    assert "price_html" not in product.payload


def test_variations_are_asked_for_many_products_at_once(shop: Shop) -> None:
    shop.read(ResourceType.PRODUCTS, page_size=100)
    paths = [it["path"] for it in shop.asked() if "variations" in it["path"]]
    assert paths == ["/wp-json/wc/v3/variations"]


def test_a_product_that_misses_a_variation_is_set_aside_whole(shop: Shop) -> None:
    product = next(it for it in shop.objects("products") if it["variations"])
    shop.edit(list="products", id=product["id"], set={"variations": [*product["variations"], 987654]})
    given = list(shop.open().read(ResourceType.PRODUCTS, None))
    (bad,) = [it for it in given if isinstance(it, InvalidRow)]
    assert (bad.code, bad.source_id) == ("VARIATIONS_MISSING", str(product["id"]))
    assert "987654" in bad.reason


def refund_questions(url: str) -> list[str]:
    log = requests.get(f"{url}/_simulator/requests", timeout=20).json()["requests"]
    return [it["path"] for it in log if it["path"].endswith("/refunds")]


def test_refunds_of_many_orders_are_asked_for_at_once(shop: Shop) -> None:
    refunded = sum(1 for it in shop.objects("refunds").values() if it)
    assert refunded > 2
    shop.read(ResourceType.ORDERS, page_size=100)
    assert refund_questions(shop.url) == ["/wp-json/wc/v3/refunds"]


def test_before_9_0_refunds_are_asked_for_order_by_order_and_are_the_same(
    shop: Shop, serving_woocommerce: Serving, tmp_path: Path
) -> None:
    with serving_woocommerce("--behind-tls", "--before-9-0") as url:
        older = Shop(url, tmp_path)
        given = {it.source_id: it.payload["refunds"] for it in older.read(ResourceType.ORDERS)}
        older.close()
        refunded = sum(1 for it in given.values() if it)
        assert len(refund_questions(url)) == refunded + 1
    assert given == {it.source_id: it.payload["refunds"] for it in shop.read(ResourceType.ORDERS)}


def test_a_refund_that_no_list_gives_sets_its_order_aside(shop: Shop) -> None:
    """A plugin may keep some from the list of all, so that the order's own is asked before."""
    before = {it.source_id: it.payload["refunds"] for it in shop.read(ResourceType.ORDERS)}
    rule = {"fault": "wrong_shape", "path": "/wc/v3/refunds"}
    requests.post(f"{shop.url}/_simulator/faults", json=rule, timeout=20).raise_for_status()
    with pytest.raises(RemoteFaultError):
        shop.read(ResourceType.ORDERS)
    requests.post(f"{shop.url}/_simulator/faults", json=[], timeout=20).raise_for_status()
    number, (refund, *_) = next((it, found) for it, found in before.items() if found)
    change = {"list": "orders", "id": int(number), "silently": True,
              "set": {"refunds": [{"id": refund["id"]}, {"id": 99_999_999}]}}  # fmt: skip
    requests.post(f"{shop.url}/_simulator/edit", json=change, timeout=20).raise_for_status()
    given = list(shop.open().read(ResourceType.ORDERS, None))
    (bad,) = [it for it in given if isinstance(it, InvalidRow)]
    assert (bad.code, bad.source_id, "99999999" in bad.reason) == ("REFUNDS_MISSING", number, True)
    after = {it.source_id: it.payload["refunds"] for it in given if isinstance(it, SourceRecord)}
    assert after | {number: before[number]} == before
    assert f"/wp-json/wc/v3/orders/{number}/refunds" in refund_questions(shop.url)


def test_an_order_comes_with_its_refunds_whole_and_its_notes_on_request(shop: Shop) -> None:
    refunds = {int(number): it for number, it in shop.objects("refunds").items() if it}
    orders = {int(it.source_id): it for it in shop.read(ResourceType.ORDERS, order_notes=True)}
    for number, order in orders.items():
        assert [it["id"] for it in order.payload["refunds"]] == [it["id"] for it in refunds.get(number, [])]
        assert all("line_items" in it for it in order.payload["refunds"])
        assert order.payload["notes"][0]["note"].startswith("Order status changed")
    assert "notes" not in shop.read(ResourceType.ORDERS)[0].payload


def test_an_order_that_is_deleted_before_its_notes_are_asked_for_stops_no_other(shop: Shop) -> None:
    reading = shop.open(order_notes=True).read(ResourceType.ORDERS, None)
    next(reading)
    gone = shop.objects("orders")[2]["id"]
    shop.edit(list="orders", id=gone, delete=True)
    given = list(reading)
    (bad,) = [it for it in given if isinstance(it, InvalidRow)]
    assert (bad.code, bad.source_id) == ("RECORD_CHANGED", str(gone))
    assert len(given) == 19


def test_categories_know_their_way_from_the_root_and_the_address_they_had(shop: Shop) -> None:
    records = {it.payload["slug"]: it.payload for it in shop.read(ResourceType.COLLECTIONS)}
    assert records["hoodies"]["path"] == ["Clothing", "Hoodies"]
    assert records["hoodies"]["url_path"] == "/product-category/clothing/hoodies/"
    assert {it["name"] for slug, it in records.items() if slug.startswith("accessories")} == {"Accessories"}
    assert "count" not in records["hoodies"]


def test_posts_and_pages_come_with_their_author_picture_and_terms(shop: Shop) -> None:
    entries = {it.payload["slug"]: it.payload for it in shop.read(ResourceType.BLOGS)}
    hello = entries["hello-from-the-workshop"]
    assert (hello["type"], hello["author_name"]) == ("post", "Mara Ink")
    assert hello["category_names"] == ["News", "Care"]
    assert hello["image"]["src"].endswith(".jpg")
    assert entries["about-us"]["type"] == "page"
    assert {it["status"] for it in entries.values()} == {"publish"}


def test_with_an_application_password_drafts_and_private_posts_are_read_too(shop: Shop) -> None:
    author: dict[str, Any] = {"application_user": "env:WP_USER", "application_password": "env:WP_PASSWORD"}
    entries = shop.read(ResourceType.BLOGS, **author)
    assert {it.payload["status"] for it in entries} == {"publish", "draft", "private"}
    assert all(it.payload["title"]["raw"] for it in entries)


def test_redirects_are_the_addresses_of_what_was_public(shop: Shop) -> None:
    found = {it.source_id: it.payload["target"] for it in shop.read(ResourceType.REDIRECTS)}
    public = [it for it in shop.objects("products") if it["status"] == "publish"]
    for product in public:
        assert found[f"/product/{product['slug']}/"] == {
            "resource_type": "products", "source_id": str(product["id"])
        }  # fmt: skip
    assert found["/product-category/music/albums/"]["resource_type"] == "collections"
    assert found["/about-us/team/"]["resource_type"] == "blogs"
    assert not any(path.endswith("/an-unfinished-thought/") for path in found)


def test_where_the_shop_sells_is_one_record(shop: Shop) -> None:
    (market,) = shop.read(ResourceType.MARKETS)
    assert market.payload["country"] == "DE"
    assert market.payload["currency"] == "EUR"
    assert market.payload["specific_countries"] == ["DE", "AT", "FR", "US"]


def test_gift_cards_are_read_from_a_file_beside_the_shop(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        shop.open().read(ResourceType.GIFT_CARDS, None)
    assert refused.value.code == "NO_FILES"
    assert "source.files.gift_cards" in refused.value.hint
    (tmp_path / "cards.csv").write_text("code,balance\nABCD1234,25.00\n")
    files = {ResourceType.GIFT_CARDS: FileSpec(path="cards.csv")}
    source = open_source(Migration(slug="w", folder=tmp_path, source=settings(shop.url, files=files)))
    assert ResourceType.GIFT_CARDS in source.resource_types()
    (card,) = source.read(ResourceType.GIFT_CARDS, None)
    assert isinstance(card, SourceRecord)
    assert card.payload == {"code": "ABCD1234", "balance": "25.00"}
    assert any("gift_cards" in it.name and it.ok for it in source.check())
    source.close()


# --- from a cursor on ---------------------------------------------------------------------------------


def read_on(shop: Shop, kind: ResourceType, **given: Any) -> tuple[list[SourceRecord], JsonObject | None]:
    source = shop.open(overlap_minutes=0, **given)
    list(source.read(kind, None))
    cursor = source.cursor(kind)
    assert cursor is not None
    return shop.read(kind, cursor, overlap_minutes=0, **given), cursor


@pytest.mark.parametrize(
    ("kind", "name"),
    [(ResourceType.PRODUCTS, "products"), (ResourceType.ORDERS, "orders"), (ResourceType.DISCOUNT_CODES, "coupons"),
     (ResourceType.BLOGS, "posts")],
)  # fmt: skip
def test_the_next_reading_gives_only_what_changed_since(shop: Shop, kind: ResourceType, name: str) -> None:
    nothing, cursor = read_on(shop, kind)
    assert nothing == []
    changed = shop.objects(name)[0]["id"]
    shop.edit(list=name, id=changed, set={"menu_order": 3})
    earlier = {"modified_after": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()}
    assert numbers(shop.read(kind, earlier, overlap_minutes=0)) == [changed]
    assert cursor is not None
    assert abs(datetime.fromisoformat(cursor["modified_after"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_overlap_catches_what_changed_while_clocks_differed(shop: Shop) -> None:
    changed = shop.objects("orders")[0]["id"]
    shop.edit(list="orders", id=changed, set={"status": "processing"})
    later = {"modified_after": (datetime.now(UTC) + timedelta(minutes=5)).isoformat()}
    assert shop.read(ResourceType.ORDERS, later, overlap_minutes=0) == []
    assert numbers(shop.read(ResourceType.ORDERS, later, overlap_minutes=15)) == [changed]


def test_a_changed_variation_brings_its_product_whose_own_date_stays(shop: Shop) -> None:
    parent, (variation, *_) = next((int(it), found) for it, found in shop.objects("variations").items() if found)
    shop.edit(list="variations", parent=parent, id=variation["id"], set={"stock_quantity": 77})
    since = {"modified_after": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()}
    (product,) = shop.read(ResourceType.PRODUCTS, since)
    assert product.source_id == str(parent)
    assert 77 in [it["stock_quantity"] for it in product.payload["variants"]]


def test_customers_have_no_cursor_and_are_always_read_whole(shop: Shop) -> None:
    source = shop.open()
    assert len(list(source.read(ResourceType.CUSTOMERS, {"modified_after": "2099-01-01T00:00:00+00:00"}))) == 9
    assert source.cursor(ResourceType.CUSTOMERS) is None


def test_no_cursor_is_given_for_a_reading_that_did_not_end(shop: Shop) -> None:
    source = shop.open()
    next(source.read(ResourceType.ORDERS, None))
    assert source.cursor(ResourceType.ORDERS) is None


def test_older_shops_without_a_list_of_all_variations_give_every_variable_product(
    serving_woocommerce: Serving, tmp_path: Path
) -> None:
    with serving_woocommerce("--behind-tls", "--before-10-3") as url:
        old = Shop(url, tmp_path)
        products, _ = read_on(old, ResourceType.PRODUCTS)
        assert numbers(products) == [it["id"] for it in old.objects("products") if it["type"] == "variable"]
        assert old.open().freshness(ResourceType.PRODUCTS).token
        old.close()


# --- while the shop is edited ---------------------------------------------------------------------------


def test_nothing_is_lost_when_things_are_removed_while_pages_are_read(shop: Shop) -> None:
    ids = sorted(it["id"] for it in shop.objects("customers"))
    given = shop.open(page_size=3).read(ResourceType.CUSTOMERS, None)
    seen = [int(next(given).source_id) for _ in range(3)]
    for gone in ids[:3]:
        shop.edit(list="customers", id=gone, delete=True)
    seen += [int(it.source_id) for it in given]
    assert seen == ids


def test_nothing_is_doubled_when_things_are_added_while_pages_are_read(shop: Shop) -> None:
    given = shop.open(page_size=3).read(ResourceType.CUSTOMERS, None)
    seen = [next(given).source_id for _ in range(3)]
    new = shop.objects("customers")[0] | {"id": 5000}
    shop.edit(list="customers", create=new)
    seen += [it.source_id for it in given]
    assert len(seen) == len(set(seen)) == 10
    assert seen[-1] == "5000"


def test_what_is_in_the_trash_is_not_read(shop: Shop) -> None:
    gone = shop.objects("products")[0]["id"]
    shop.edit(list="products", id=gone, set={"status": "trash"})
    assert gone not in numbers(shop.read(ResourceType.PRODUCTS))


# --- pages that are none ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["wrong_shape", "truncated_json", "empty_answer", "html_error"])
def test_an_answer_of_another_shape_is_an_error_and_never_the_end(shop: Shop, fault: str) -> None:
    shop.fails({"fault": fault, "path": "/orders", "after": 1})
    with pytest.raises(RemoteFaultError) as refused:
        list(shop.open(attempts=2).read(ResourceType.ORDERS, None))
    assert refused.value.code == "UNEXPECTED_ANSWER"
    assert refused.value.hint


def test_a_page_that_comes_twice_is_an_error(shop: Shop) -> None:
    shop.fails({"fault": "same_page", "path": "/orders", "after": 1})
    with pytest.raises(RemoteFaultError, match="the same page again"):
        list(shop.open().read(ResourceType.ORDERS, None))


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "http_429", "retry_after": "2"},
        {"fault": "http_503"},
        {"fault": "hangup"},
        {"fault": "truncated_json"},
    ],
)
def test_what_passes_by_itself_costs_time_and_nothing_else(shop: Shop, rule: JsonObject) -> None:
    shop.fails({**rule, "path": "/orders", "after": 1, "times": 2})
    assert len(shop.read(ResourceType.ORDERS)) == 20
    assert shop.time.seconds >= 1


def test_a_shop_that_fails_one_question_in_five_gives_everything_all_the_same(shop: Shop) -> None:
    calm = {kind: shop.read(kind) for kind in (ResourceType.PRODUCTS, ResourceType.ORDERS, ResourceType.BLOGS)}
    shop.fails(
        *({"fault": fault, "probability": 0.05} for fault in ("http_429", "http_503", "hangup", "truncated_json"))
    )
    for kind, records in calm.items():
        assert shop.read(kind, attempts=20) == records


def test_a_shop_that_stays_busy_says_so(shop: Shop) -> None:
    shop.fails({"fault": "http_429", "retry_after": "3"})
    with pytest.raises(ThrottledError) as refused:
        list(shop.open(attempts=2).read(ResourceType.ORDERS, None))
    assert refused.value.code == "SOURCE_THROTTLED"


# --- freshness and check ------------------------------------------------------------------------------------


def test_freshness_stays_while_nothing_changes_and_moves_with_a_change(shop: Shop) -> None:
    first = {kind: shop.open().freshness(kind) for kind in TYPES}
    assert {kind: shop.open().freshness(kind) for kind in TYPES} == first
    for name, kind in (
        ("products", ResourceType.PRODUCTS), ("orders", ResourceType.ORDERS), ("coupons", ResourceType.DISCOUNT_CODES),
        ("posts", ResourceType.BLOGS), ("categories", ResourceType.COLLECTIONS),
    ):  # fmt: skip
        shop.edit(list=name, id=shop.objects(name)[0]["id"], set={"slug": "another"})
        assert shop.open().freshness(kind).token != first[kind].token, kind
    shop.edit(list="customers", create=shop.objects("customers")[0] | {"id": 5000})
    assert shop.open().freshness(ResourceType.CUSTOMERS).token != first[ResourceType.CUSTOMERS].token


def test_freshness_of_products_moves_with_a_variation(shop: Shop) -> None:
    first = shop.open().freshness(ResourceType.PRODUCTS).token
    parent, (variation, *_) = next((int(it), found) for it, found in shop.objects("variations").items() if found)
    shop.edit(list="variations", parent=parent, id=variation["id"], set={"stock_quantity": 77})
    assert shop.open().freshness(ResourceType.PRODUCTS).token != first


def test_freshness_of_articles_moves_with_a_draft_that_is_read_too(shop: Shop) -> None:
    author = {"application_user": "env:WP_USER", "application_password": "env:WP_PASSWORD"}
    first, public = shop.open(**author).freshness(ResourceType.BLOGS), shop.open().freshness(ResourceType.BLOGS)
    draft = next(it for it in shop.objects("posts") if it["status"] == "draft")
    shop.edit(list="posts", id=draft["id"], set={"slug": "another"})
    assert shop.open(**author).freshness(ResourceType.BLOGS).token != first.token
    assert shop.open().freshness(ResourceType.BLOGS).token == public.token


def test_freshness_of_redirects_moves_with_a_category(shop: Shop) -> None:
    first = shop.open().freshness(ResourceType.REDIRECTS).token
    shop.edit(list="categories", id=shop.objects("categories")[0]["id"], set={"slug": "another"})
    assert shop.open().freshness(ResourceType.REDIRECTS).token != first


def test_check_is_content_with_a_good_shop_and_names_its_version(shop: Shop) -> None:
    results = shop.open().check()
    assert all(it.ok for it in results), results
    assert "WooCommerce 10.4.0, WordPress 6.9" in [it.detail for it in results]
    assert any("source orders" in it.name and "20 there" in it.detail for it in results)


def failed(source: WooCommerceSource) -> tuple[str, str]:
    bad = [it for it in source.check() if not it.ok]
    assert bad
    return bad[0].detail, bad[0].hint


def test_check_tells_a_wrong_secret(shop: Shop) -> None:
    detail, hint = failed(shop.open(consumer_secret="env:WRONG"))
    assert "Consumer secret is invalid" in detail
    assert "permission Read" in hint
    assert "cs_wrong" not in detail + hint


def test_check_tells_a_key_that_may_only_write(serving_woocommerce: Serving, tmp_path: Path) -> None:
    with serving_woocommerce("--behind-tls", "--permission", "write") as url:
        detail, hint = failed(Shop(url, tmp_path).open())
    assert "does not have read permissions" in detail
    assert "permission Read" in hint


def test_check_tells_permalinks_that_are_not_enabled(serving_woocommerce: Serving, tmp_path: Path) -> None:
    with serving_woocommerce("--behind-tls", "--plain-permalinks") as url:
        detail, hint = failed(Shop(url, tmp_path).open())
    assert "404" in detail
    assert "Permalinks" in hint


def test_check_tells_a_firewall_from_wrong_credentials(shop: Shop) -> None:
    shop.fails({"fault": "firewall"})
    detail, hint = failed(shop.open())
    assert "web page" in detail
    assert "firewall" in hint


def test_check_tells_an_address_that_is_not_encrypted(shop: Shop, tmp_path: Path) -> None:
    # Another name of this machine.
    first, *rest = Shop(shop.url.replace("127.0.0.1", "127.1"), tmp_path).open().check()
    assert (first.name, first.ok) == ("source: encryption", True)
    assert "is not encrypted" in first.detail
    assert all(it.ok for it in rest)


def test_check_tells_an_address_where_nobody_is(tmp_path: Path) -> None:
    detail, hint = failed(Shop("http://127.0.0.1:9", tmp_path).open(attempts=1))
    assert "refused the connection" in detail
    assert hint


def test_check_tells_an_application_password_that_is_wrong(shop: Shop) -> None:
    detail, hint = failed(shop.open(application_user="env:WP_USER", application_password="env:WRONG"))
    assert "application password" in detail
    assert "application_password" in hint


def test_a_wrong_key_stops_at_the_first_answer(shop: Shop) -> None:
    with pytest.raises(CredentialsError):
        list(shop.open(consumer_key="env:WRONG").read(ResourceType.ORDERS, None))
    assert len(shop.asked()) == 1


# --- the ways in --------------------------------------------------------------------------------------------


def test_the_key_may_stand_in_the_query_where_a_host_strips_the_header(shop: Shop) -> None:
    assert len(shop.read(ResourceType.ORDERS, sign_in="query")) == 20


def test_over_plain_http_every_question_is_signed(serving_woocommerce: Serving, tmp_path: Path) -> None:
    with serving_woocommerce() as url:
        plain = Shop(url, tmp_path)
        assert len(plain.read(ResourceType.ORDERS, sign_in="auto")) == 20
        assert len(plain.read(ResourceType.BLOGS, sign_in="auto")) == 6
        with pytest.raises(CredentialsError, match="signature does not match"):
            list(plain.open(sign_in="auto", consumer_secret="env:WRONG").read(ResourceType.ORDERS, None))
        plain.close()


def test_a_signature_is_over_the_whole_address_and_changes_with_the_moment() -> None:
    first, second = (signed("http://shop.example/p?b=1&a=%C3%A9", "ck", "cs", nonce="n", at=at) for at in (1, 2))
    assert first.startswith("http://shop.example/p?b=1&a=%C3%A9&oauth_consumer_key=ck&")
    assert first.rsplit("oauth_signature=", 1)[1] != second.rsplit("oauth_signature=", 1)[1]


def test_a_secret_in_a_file_is_looked_for_beside_the_migration_file(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("cs_simulated\n")
    assert shop.read(ResourceType.MARKETS, consumer_secret="file:secret.txt")


def test_an_absent_secret_is_named_before_anything_is_asked(shop: Shop) -> None:
    del os.environ["WOO_SECRET"]
    with pytest.raises(GraftportError) as refused:
        shop.open()
    assert (refused.value.code, "WOO_SECRET" in refused.value.message) == ("SECRET_MISSING", True)
    assert shop.asked() == []


def test_reading_stops_when_the_run_is_asked_to(shop: Shop, tmp_path: Path) -> None:
    stopped: list[bool] = []
    source = WooCommerceSource(settings(shop.url), tmp_path, stop=lambda: bool(stopped))
    given = source.read(ResourceType.ORDERS, None)
    next(given)
    stopped.append(True)
    with pytest.raises(UnreachableError) as refused:
        list(given)
    assert refused.value.code == "STOPPED"
    source.close()


def test_only_questions_are_asked(shop: Shop) -> None:
    source = shop.open(application_user="env:WP_USER", application_password="env:WP_PASSWORD")
    source.check()
    for kind in TYPES:
        source.freshness(kind)
        list(source.read(kind, None))
    assert {it["method"] for it in shop.asked()} == {"GET"}

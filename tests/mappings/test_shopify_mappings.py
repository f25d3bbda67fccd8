"""What another Shopify shop points at is what that became in the new one, where a migration asks for it."""

from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.mappings import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.shopify.payload import check
from graftport_dagster.source_settings import FilesSettings

BLOGS, CUSTOMERS, PRODUCTS = ResourceType.BLOGS, ResourceType.CUSTOMERS, ResourceType.PRODUCTS
MARKETS, ORDERS = ResourceType.MARKETS, ResourceType.ORDERS
FIELDS = [
    {"namespace": "custom", "key": "home", "type": "collection_reference", "value": "gid://shopify/Collection/7"},
    {"namespace": "custom", "key": "best", "type": "product_reference", "value": "gid://shopify/Product/8"},
    {"namespace": "custom", "key": "more", "type": "list.product_reference", "value": '["gid://shopify/Product/8"]'},
    {"namespace": "custom", "key": "note", "type": "single_line_text_field", "value": "x"},
]
ROWS: dict[ResourceType, JsonObject] = {
    PRODUCTS: {
        "id": "gid://shopify/Product/1", "title": "Bag", "handle": "bag", "status": "ACTIVE", "metafields": FIELDS,
    },
    CUSTOMERS: {
        "id": "gid://shopify/Customer/1", "firstName": "A", "metafields": FIELDS,
        "defaultEmailAddress": {"emailAddress": "a@example.com"},
    },
    BLOGS: {
        "__typename": "Page", "id": "gid://shopify/Page/1", "title": "P", "handle": "p", "body": "",
        "metafields": FIELDS,
    },
}  # fmt: skip


def mapped(kind: ResourceType, row: JsonObject, **settings: Any) -> tuple[JsonObject, tuple[tuple[str, str], ...]]:
    """The checked envelope and the warnings."""
    migration = Migration(slug="m", folder=Path("/nowhere"), source=FilesSettings(platform="shopify"))
    mapping = Mapping.compile(text_of(migration, kind).text, name=f"{kind}.jsonata")
    bindings = {"settings": settings, "publications": [], "platform": "shopify", "now": "2026-06-15T12:00:00+00:00"}
    done = mapping.evaluate(row, bindings, record_id="1")
    envelope, problems = check(kind, done.value)
    assert problems == []
    return envelope, done.warnings


def fields(kind: ResourceType, **settings: Any) -> tuple[dict[str, Any], str]:
    """The metafields by key, and what is warned of."""
    envelope, warnings = mapped(kind, ROWS[kind], **settings)
    given = [*envelope["input"].get("metafields", ()), *envelope.get("metafields", ())]
    said = [message for code, message in warnings if code == "REFERENCE_LEFT"]
    return {it["key"]: it["value"] for it in given}, " ".join(said)


@pytest.mark.parametrize("kind", list(ROWS))
def test_a_field_that_points_at_something_is_left_out_with_a_warning(kind: ResourceType) -> None:
    found, said = fields(kind)
    assert found == {"note": "x"}
    assert "custom.home, custom.best, custom.more" in said


@pytest.mark.parametrize(
    ("kind", "kept"),
    [(PRODUCTS, {"home": ("collections", "7")}),
     (CUSTOMERS, {"home": ("collections", "7"), "best": ("products", "8")}),
     (BLOGS, {"home": ("collections", "7"), "best": ("products", "8")})],
)  # fmt: skip
def test_it_points_at_what_that_became_where_the_setting_says_so(kind: ResourceType, kept: dict[str, Any]) -> None:
    found, said = fields(kind, reference_fields=True)
    wanted = {key: {"$ref": {"resource_type": of, "source_id": number}} for key, (of, number) in kept.items()}
    assert found == {"note": "x", **wanted}
    assert "custom.more" in said
    assert "custom.home" not in said


def test_a_gift_card_of_a_file_names_its_recipient() -> None:
    row = {"code": "ABCD1234", "balance": "5.00", "recipient_id": 4, "recipient_name": "Ann", "message": "Hi"}
    envelope, _ = mapped(ResourceType.GIFT_CARDS, row)
    assert envelope["input"]["recipientAttributes"] == {
        "id": {"$ref": {"resource_type": "customers", "source_id": "4"}}, "preferredName": "Ann", "message": "Hi",
    }  # fmt: skip


def test_an_attribute_of_an_order_or_a_line_that_has_no_value_is_left_out() -> None:
    price = {"shopMoney": {"amount": "5.00", "currencyCode": "EUR"}, "presentmentMoney": {"currencyCode": "EUR"}}
    noted = [{"key": "gift", "value": "yes"}, {"key": "card", "value": None}]
    lines = [
        {"id": "gid://shopify/LineItem/1", "title": "Mug", "quantity": 1, "originalUnitPriceSet": price, **more}
        for more in ({"customAttributes": noted}, {"customAttributes": noted[1:], "id": "gid://shopify/LineItem/2"})
    ]
    order = {"id": "gid://shopify/Order/1", "name": "#1", "currencyCode": "EUR", "presentmentCurrencyCode": "EUR"}
    envelope, _ = mapped(ORDERS, {**order, "lineItems": lines, "customAttributes": noted})
    assert envelope["input"]["customAttributes"] == [{"key": "gift", "value": "yes"}]
    kept, none = envelope["input"]["lineItems"]
    assert kept["properties"] == [{"name": "gift", "value": "yes"}]
    assert "properties" not in none


def test_a_price_list_that_follows_no_other_prices_follows_them_unchanged() -> None:
    prices: JsonObject = {"id": "gid://shopify/PriceList/2", "name": "Swiss", "currency": "CHF", "parent": None}
    catalog = {"id": "gid://shopify/Catalog/3", "title": "Swiss", "status": "ACTIVE", "priceList": prices}
    market = {"id": "gid://shopify/Market/1", "name": "Swiss", "status": "ACTIVE", "catalogs": [catalog]}
    envelope, _ = mapped(MARKETS, market)
    assert envelope["priceLists"][0]["parent"] == {"adjustment": {"type": "PERCENTAGE_DECREASE", "value": 0}}

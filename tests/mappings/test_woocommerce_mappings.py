"""The packaged mappings for WooCommerce: what each thing becomes, and that Shopify's schema takes all of it."""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import TransformError
from graftport_dagster.mappings import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.shopify.payload import check
from graftport_dagster.simulator.woocommerce.shop import Shop
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.woocommerce.source import TYPES

NOW = "2026-06-15T12:00:00+00:00"


@cache
def packaged(resource_type: ResourceType) -> Mapping:
    migration = Migration(slug="m", folder=Path("/nowhere"), source=FilesSettings(platform="woocommerce"))
    return Mapping.compile(text_of(migration, resource_type).text, name=f"{resource_type}.jsonata")


def mapped(resource_type: ResourceType, row: JsonObject, **settings: Any) -> tuple[JsonObject, list[str]]:
    """The checked envelope and the codes of the warnings."""
    bindings = {"settings": settings, "publications": ["Online Store"], "platform": "woocommerce", "now": NOW}
    found = packaged(resource_type).evaluate(row, bindings, record_id=str(row.get("id")))
    envelope, problems = check(resource_type, found.value)
    assert problems == [], row
    return envelope, [code for code, _ in found.warnings]


@cache
def shop(seed: int = 1) -> Shop:
    return Shop.made(seed, products=30, customers=14, orders=40)


def products(seed: int = 1) -> list[JsonObject]:
    made = shop(seed)
    units = {"weight_unit": "kg", "dimension_unit": "cm"}
    return [it | {"variants": made.below("variations", it["id"])} | units for it in made.lists["products"]]


def orders(seed: int = 1) -> list[JsonObject]:
    made = shop(seed)
    return [it | {"refunds": made.below("refunds", it["id"]), "trashed_products": []} for it in made.lists["orders"]]


def product(**fields: Any) -> JsonObject:
    found = next(it for it in products() if it["type"] == "simple" and not it["virtual"])
    return {**found, **fields}


def variable(*variants: JsonObject, names: tuple[str, ...] = ("Size",), **fields: Any) -> JsonObject:
    found = next(it for it in products() if it["type"] == "variable")
    attributes = [
        {"id": 0, "name": name, "slug": name, "variation": True, "options": ["S", "M", "L"]} for name in names
    ]
    whole = [{**found["variants"][0], "id": 900 + place, **it} for place, it in enumerate(variants)]
    return {**found, "attributes": attributes, "variants": whole, **fields}


def chosen(**options: str) -> JsonObject:
    return {"attributes": [{"id": 0, "name": name, "slug": name, "option": it} for name, it in options.items()]}


def mapped_product(row: JsonObject, **settings: Any) -> tuple[JsonObject, list[str]]:
    envelope, warnings = mapped(ResourceType.PRODUCTS, row, **settings)
    return envelope["input"], warnings


@pytest.mark.parametrize("resource_type", [*TYPES, ResourceType.GIFT_CARDS])
def test_packaged_mappings_have_nothing_to_remark_on(resource_type: ResourceType) -> None:
    assert packaged(resource_type).remarks == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_in_a_made_shop_passes_shopifys_schema(seed: int) -> None:
    for row in products(seed):
        mapped(ResourceType.PRODUCTS, row, status="as_source")
    for row in orders(seed):
        mapped(ResourceType.ORDERS, row)
    for row in shop(seed).lists["customers"]:
        mapped(ResourceType.CUSTOMERS, row)


# --- products -------------------------------------------------------------------------------------------------


def test_a_simple_product_has_the_one_default_variant() -> None:
    row = product(manage_stock=True, stock_quantity=4, backorders="no", stock_status="instock", sale_price="")
    found, warnings = mapped_product(row)
    assert (found["handle"], found["status"]) == (row["slug"], "DRAFT")
    assert found["productOptions"] == [{"name": "Title", "values": [{"name": "Default Title"}]}]
    (only,) = found["variants"]
    assert only["price"] == row["regular_price"]
    assert only["barcode"] == row["global_unique_id"]
    assert only["inventoryQuantities"][0]["quantity"] == 4
    assert only["inventoryPolicy"] == "DENY"
    assert only["taxable"] is True
    assert warnings == []


def test_the_part_of_a_variant_is_the_variations_own_id() -> None:
    row = next(it for it in products() if it["type"] == "variable")
    envelope, _ = mapped(ResourceType.PRODUCTS, row)
    ids = [str(it["id"]) for it in row["variants"]]
    assert [it for it in envelope["parts"]["variant"] if "-" not in it] == ids
    assert mapped(ResourceType.PRODUCTS, product())[0]["parts"]["variant"] == [str(product()["id"])]


@pytest.mark.parametrize(
    ("fields", "price", "before"),
    [
        ({"sale_price": ""}, "20.00", None),
        ({"sale_price": "15"}, "15.00", "20.00"),
        ({"sale_price": "15", "date_on_sale_to_gmt": "2026-06-15T11:00:00"}, "20.00", None),
        ({"sale_price": "15", "date_on_sale_to_gmt": "2026-06-15T13:00:00"}, "15.00", "20.00"),
        ({"sale_price": "15", "date_on_sale_from_gmt": "2026-06-15T13:00:00"}, "20.00", None),
        ({"sale_price": "25"}, "20.00", None),
    ],
)
def test_a_sale_price_counts_while_its_dates_last(fields: JsonObject, price: str, before: str | None) -> None:
    names = ("date_on_sale_from_gmt", "date_on_sale_to_gmt", "date_on_sale_from", "date_on_sale_to")
    dates: JsonObject = dict.fromkeys(names)
    (variant,) = mapped_product(product(regular_price="20", **{**dates, **fields}))[0]["variants"]
    assert (variant["price"], variant.get("compareAtPrice")) == (price, before)


def test_on_both_dates_of_a_sale_the_record_is_looked_at_again() -> None:
    row = product(regular_price="20", sale_price="15", date_on_sale_from_gmt="2026-07-01T00:00:00",
                  date_on_sale_to_gmt="2026-07-31T00:00:00")  # fmt: skip
    bindings = {"settings": {}, "publications": ["Online Store"], "platform": "woocommerce", "now": NOW}
    found = packaged(ResourceType.PRODUCTS).evaluate(row, bindings, record_id="1")
    assert found.valid_until == "2026-07-01T00:00:00Z"


def test_sale_dates_of_a_file_are_in_the_shops_own_zone() -> None:
    row = product(regular_price="20", sale_price="15", date_on_sale_from_gmt=None, date_on_sale_to_gmt=None,
                  date_on_sale_from=None, date_on_sale_to="2026-06-15 13:00:00")  # fmt: skip
    assert mapped_product(row)[0]["variants"][0]["price"] == "15.00"
    assert mapped_product(row, time_zone="Europe/Berlin")[0]["variants"][0]["price"] == "20.00"


def test_a_variation_for_any_value_becomes_a_variant_for_each_that_has_none() -> None:
    row = variable(chosen(Size="M"), {"attributes": [], "stock_quantity": 3, "manage_stock": True})
    envelope, warnings = mapped(ResourceType.PRODUCTS, row)
    sizes = [it["optionValues"][0]["name"] for it in envelope["input"]["variants"]]
    assert sizes == ["M", "S", "L"]
    assert envelope["parts"]["variant"] == ["900", "901", "901-2"]
    assert "ANY_VALUE" in warnings


def test_a_fourth_option_is_joined_to_the_third() -> None:
    names = ("Size", "Color", "Fit", "Neck")
    row = variable(chosen(Size="S", Color="M", Fit="L", Neck="S"), names=names)
    found, warnings = mapped_product(row)
    assert [it["name"] for it in found["productOptions"]] == ["Size", "Color", "Fit, Neck"]
    assert [it["name"] for it in found["variants"][0]["optionValues"]] == ["S", "M", "L, S"]
    assert "OPTIONS_JOINED" in warnings


def test_the_parents_stock_is_every_variations_and_that_is_said() -> None:
    shared = {"manage_stock": "parent", "stock_quantity": None}
    row = variable(chosen(Size="S") | shared, chosen(Size="M") | shared, stock_quantity=12)
    found, warnings = mapped_product(row)
    assert [it["inventoryQuantities"][0]["quantity"] for it in found["variants"]] == [12, 12]
    assert "SHARED_STOCK" in warnings


@pytest.mark.parametrize(
    ("fields", "tracked", "quantity", "policy"),
    [
        ({"manage_stock": False, "stock_status": "instock"}, False, None, "DENY"),
        ({"manage_stock": False, "stock_status": "outofstock"}, True, 0, "DENY"),
        ({"manage_stock": False, "stock_status": "onbackorder"}, True, 0, "CONTINUE"),
        ({"manage_stock": True, "stock_quantity": -2, "backorders": "notify"}, True, -2, "CONTINUE"),
        ({"manage_stock": True, "stock_quantity": None}, True, 0, "DENY"),
    ],
)
def test_stock_is_sent_where_it_is_kept(fields: JsonObject, tracked: bool, quantity: int | None, policy: str) -> None:
    (variant,) = mapped_product(product(**{"backorders": "no", **fields}))[0]["variants"]
    assert variant["inventoryItem"]["tracked"] is tracked
    assert [it["quantity"] for it in variant.get("inventoryQuantities", [])] == ([] if quantity is None else [quantity])
    assert variant["inventoryPolicy"] == policy


@pytest.mark.parametrize(
    ("fields", "setting", "status"),
    [
        ({"status": "publish"}, "as_source", "ACTIVE"),
        ({"status": "publish", "catalog_visibility": "hidden"}, "as_source", "UNLISTED"),
        ({"status": "private"}, "as_source", "DRAFT"),
        ({"status": "publish"}, "DRAFT", "DRAFT"),
        ({"status": "publish", "price": "", "regular_price": "", "sale_price": ""}, "ACTIVE", "DRAFT"),
        ({"status": "publish", "type": "external", "external_url": "https://p.example/x"}, "ACTIVE", "DRAFT"),
    ],
)
def test_the_status_follows_the_setting_and_never_sells_what_is_not_for_sale(
    fields: JsonObject, setting: str, status: str
) -> None:
    assert mapped_product(product(catalog_visibility="visible") | fields, status=setting)[0]["status"] == status


def test_a_name_with_a_dollar_stands_whole_in_the_title_for_search_engines() -> None:
    row = product(name="Gift card $50", meta_data=[{"key": "_yoast_wpseo_title", "value": "%%title%% | %%sitename%%"}])
    assert mapped_product(row, site_name="Shop $1")[0]["seo"]["title"] == "Gift card $50 | Shop $1"


def test_what_yoast_shows_to_search_engines_goes_before_what_its_fields_are_made_from() -> None:
    head = {"title": "Tea &amp; Co | Leaf", "description": "Buy it.", "og_locale": "en_US"}
    row = product(yoast_head_json=head, meta_data=[{"key": "_yoast_wpseo_title", "value": "%%title%% %%pa_taste%%"}])
    assert mapped_product(row)[0]["seo"] == {"title": "Tea & Co | Leaf", "description": "Buy it."}
    category = {"id": 4, "name": "Tea", "slug": "tea", "path": ["Tea"], "url_path": "/product-category/tea/"}
    envelope, _ = mapped(ResourceType.COLLECTIONS, category | {"yoast_head_json": head})
    assert envelope["input"]["seo"] == {"title": "Tea & Co | Leaf", "description": "Buy it."}
    assert "seo" not in mapped(ResourceType.COLLECTIONS, category)[0]["input"]


def test_brand_tags_collections_and_seo_come_along() -> None:
    row = product(
        name="Tea &amp; Co", brands=[{"id": 1, "name": "H&#252;gel", "slug": "h"}],
        tags=[{"id": 2, "name": "new", "slug": "new"}],
        categories=[
            {"id": 3, "name": "Uncategorized", "slug": "uncategorized"}, {"id": 4, "name": "Tea", "slug": "tea"}
        ],
        meta_data=[
            {"key": "_yoast_wpseo_title", "value": "%%title%% %%page%% %%sep%% %%sitename%%"},
            {"key": "_yoast_wpseo_metadesc", "value": "Buy it."}, {"key": "care", "value": "Wash\ncold"},
            {"key": "_edit_lock", "value": "1"}, {"key": "nested", "value": {"a": 1}},
        ],
    )  # fmt: skip
    found, _ = mapped_product(row, site_name="Leaf")
    assert (found["title"], found["vendor"], found["productType"]) == ("Tea & Co", "Hügel", "Tea")
    assert found["tags"] == ["new"]
    assert found["collections"] == [{"$ref": {"resource_type": "collections", "source_id": "4"}}]
    assert found["seo"] == {"title": "Tea & Co - Leaf", "description": "Buy it."}
    kept = {it["key"]: (it["type"], it["value"]) for it in found["metafields"]}
    assert kept["care"] == ("multi_line_text_field", "Wash\ncold")
    assert not {"edit_lock", "_edit_lock", "nested"} & kept.keys()
    assert kept["length"] == ("dimension", '{"value":10,"unit":"cm"}')


def test_meta_fields_are_kept_in_the_types_that_the_settings_give() -> None:
    meta = [{"key": "_points", "value": "15"}, {"key": "care", "value": "x"}, {"key": "nested", "value": {"a": 1}}]
    found, _ = mapped_product(product(meta_data=meta), meta_fields={"_points": "number_integer", "nested": "json"})
    kept = {it["key"]: (it["type"], it["value"]) for it in found["metafields"]}
    assert kept["_points"] == ("number_integer", "15")
    assert kept["nested"] == ("json", '{"a":1}')
    assert "care" not in kept


def test_attributes_become_metafields_lists_or_tags() -> None:
    attributes = [
        {"id": 1, "name": "Material", "slug": "pa_material", "variation": False, "options": ["Wool", "Silk"]},
        {"id": 0, "name": "Season", "slug": "Season", "variation": False, "options": ["Summer"]},
    ]
    plain = mapped_product(product(attributes=attributes))[0]
    assert ("material", "Wool, Silk") in [(it["key"], it["value"]) for it in plain["metafields"]]
    found, _ = mapped_product(product(attributes=attributes), list_attributes=["Material"], tag_attributes="Season")
    kept = {it["key"]: (it["type"], it["value"]) for it in found["metafields"]}
    assert kept["material"] == ("list.single_line_text_field", '["Wool","Silk"]')
    assert "Season" in found["tags"] or "Summer" in found["tags"]
    assert "Season" not in kept


def test_pictures_come_once_in_order_without_the_placeholder() -> None:
    images = [
        {"id": 1, "src": "https://shop.example/a.jpg", "alt": "Front"},
        {"id": 2, "src": "https://shop.example/b.jpg", "alt": ""},
        {"id": 1, "src": "https://shop.example/a.jpg", "alt": "Front"},
        {"id": 0, "src": "https://shop.example/wp-content/uploads/woocommerce-placeholder.png", "alt": ""},
    ]
    found, _ = mapped_product(product(images=images))
    assert [(it["originalSource"][-5:], it["alt"]) for it in found["files"]] == [
        ("a.jpg", "Front"), ("b.jpg", product()["name"])
    ]  # fmt: skip


def test_what_shopify_has_no_kind_for_becomes_one_product_and_says_so() -> None:
    said = {it["type"]: mapped_product(it)[1] for it in products() if it["type"] in ("grouped", "external")}
    assert "SET_AS_PRODUCT" in said["grouped"]
    assert "EXTERNAL_PRODUCT" in said["external"]
    downloads = next(it for it in products() if it["downloadable"])
    found, warnings = mapped_product(downloads)
    assert "DOWNLOADS_LEFT" in warnings
    assert found["variants"][0]["inventoryItem"]["requiresShipping"] is False
    assert found["variants"][0]["taxable"] is False


# --- orders ---------------------------------------------------------------------------------------------------


def cents(bag: JsonObject) -> int:
    return int(Decimal(bag["shopMoney"]["amount"]) * 100)


def reckoned(given: JsonObject) -> int:
    """What Shopify will make of it."""
    goods = sum(cents(it["priceSet"]) * int(it["quantity"]) for it in given["lineItems"])
    freight = sum(cents(it["priceSet"]) for it in given.get("shippingLines", []))
    discount = given.get("discountCode", {}).get("itemFixedDiscountCode", {}).get("amountSet")
    at_lines = [tax for it in [*given["lineItems"], *given.get("shippingLines", [])] for tax in it.get("taxLines", [])]
    taxes = sum(cents(it["priceSet"]) for it in [*at_lines, *given.get("taxLines", [])])
    return goods + freight + (0 if given["taxesIncluded"] else taxes) - (cents(discount) if discount else 0)


@pytest.mark.parametrize("seed", [3])
def test_orders_cost_in_shopify_what_they_cost_to_the_cent(seed: int) -> None:
    for row in orders(seed):
        envelope, warnings = mapped(ResourceType.ORDERS, row)
        assert reckoned(envelope["input"]) == int(Decimal(row["total"]) * 100), row["id"]
        assert "TOTAL_DIFFERS" not in warnings


def order(**fields: Any) -> JsonObject:
    found = next(it for it in orders() if it["status"] == "completed" and not it["fee_lines"] and it["shipping_lines"])
    return {**found, **fields}


def line(**fields: Any) -> JsonObject:
    return {
        "id": 71, "name": "Mug", "product_id": 12, "variation_id": 0, "quantity": 3, "subtotal": "8.40",
        "subtotal_tax": "1.60", "total": "8.40", "total_tax": "1.60", "sku": "MUG", "parent_name": None,
        "meta_data": [],
        "taxes": [{"id": 1, "total": "1.60", "subtotal": "1.60"}], **fields,
    }  # fmt: skip


def sold(*lines: JsonObject, total: str, tax: str, **fields: Any) -> JsonObject:
    tax_lines = [{"rate_id": 1, "label": "VAT", "rate_percent": 19, "tax_total": tax, "shipping_tax_total": "0.00"}]
    plain: JsonObject = {
        "line_items": list(lines), "shipping_lines": [], "fee_lines": [], "coupon_lines": [], "refunds": [],
        "discount_total": "0.00", "discount_tax": "0.00", "total": total, "total_tax": tax, "tax_lines": tax_lines,
    }  # fmt: skip
    return order(**{**plain, **fields})


def test_an_order_is_in_the_currency_that_was_paid_in() -> None:
    # Of a shop with one of the plugins for several currencies: WooCommerce keeps no amounts in its own beside them.
    envelope, _ = mapped(ResourceType.ORDERS, orders()[0] | {"currency": "SEK"})
    given = envelope["input"]
    assert (given["currency"], given["presentmentCurrency"]) == ("SEK", "SEK")
    assert {it["priceSet"]["shopMoney"]["currencyCode"] for it in given["lineItems"]} == {"SEK"}
    assert envelope["source_totals"]["total"]["currencyCode"] == "SEK"


def test_prices_that_held_the_tax_hold_it_in_shopify() -> None:
    # 3 × 3.33 with the tax in it: 9.99 in all, though no net price is in whole cents.
    row = sold(
        line(subtotal="8.39", subtotal_tax="1.60", total="8.39"), total="9.99", tax="1.60", prices_include_tax=True
    )
    envelope, warnings = mapped(ResourceType.ORDERS, row)
    assert envelope["input"]["taxesIncluded"] is True
    assert envelope["input"]["lineItems"][0]["priceSet"]["shopMoney"]["amount"] == "3.33"
    assert reckoned(envelope["input"]) == 999
    assert warnings == []


def test_a_total_that_does_not_add_up_says_by_how_much() -> None:
    _, warnings = mapped(ResourceType.ORDERS, sold(line(), total="11.00", tax="1.60"))
    assert warnings == ["TOTAL_DIFFERS"]


def test_a_cent_lost_in_dividing_goes_into_the_discount_where_there_is_one() -> None:
    row = sold(
        line(subtotal="10.00", subtotal_tax="0.00", total="9.00", total_tax="0.00", taxes=[]), total="9.00", tax="0.00",
        discount_total="1.00", coupon_lines=[{"code": "ten", "discount": "1.00"}],
    )  # fmt: skip
    envelope, warnings = mapped(ResourceType.ORDERS, row)
    assert reckoned(envelope["input"]) == 900
    assert envelope["input"]["discountCode"]["itemFixedDiscountCode"]["code"] == "ten"
    assert warnings == []


def test_lines_name_their_variant_and_gone_ones_are_custom() -> None:
    gone = [line(id=72, product_id=0), line(id=73, sku=None), line(id=74, product_id=99)]
    row = sold(line(variation_id=15), *gone, total="40.00", tax="6.40", trashed_products=[99])
    envelope, warnings = mapped(ResourceType.ORDERS, row)
    first, *rest = envelope["input"]["lineItems"]
    assert first["variantId"]["$ref"] == {
        "resource_type": "products", "source_id": "12", "part": "variant", "part_id": "15"
    }  # fmt: skip
    assert not any("variantId" in it for it in rest)
    assert envelope["parts"]["line_item"] == ["71", "72", "73", "74"]
    assert warnings == ["PRODUCT_GONE"]


def test_goods_need_shipping_and_fees_do_not() -> None:
    """An order says of no line whether it was virtual, and Shopify takes a line that says nothing for one."""
    fee = {"id": 81, "name": "Wrapping", "total": "2.00", "total_tax": "0.38", "taxes": [{"id": 1, "total": "0.38"}]}
    envelope, _ = mapped(ResourceType.ORDERS, sold(line(), total="12.38", tax="1.98", fee_lines=[fee]))
    assert [it["requiresShipping"] for it in envelope["input"]["lineItems"]] == [True, False]


def test_a_fee_is_a_line_and_one_below_zero_a_discount_with_the_taxes_at_the_order() -> None:
    fee = {"id": 81, "name": "Wrapping", "total": "2.00", "total_tax": "0.38", "taxes": [{"id": 1, "total": "0.38"}]}
    rebate = {"id": 82, "name": "Loyal", "total": "-1.00", "total_tax": "-0.19", "taxes": [{"id": 1, "total": "-0.19"}]}
    row = sold(line(), total="12.38", tax="1.98", fee_lines=[fee])
    envelope, _ = mapped(ResourceType.ORDERS, row)
    assert envelope["parts"]["line_item"] == ["71", "81"]
    assert envelope["input"]["lineItems"][1]["taxLines"][0]["rate"] == "0.19"
    row = sold(line(), total="10.81", tax="1.41", fee_lines=[rebate])
    row["tax_lines"][0]["tax_total"] = "1.41"
    envelope, warnings = mapped(ResourceType.ORDERS, row)
    given = envelope["input"]
    assert given["discountCode"]["itemFixedDiscountCode"]["code"] == "Loyal"
    assert [it["priceSet"]["shopMoney"]["amount"] for it in given["taxLines"]] == ["1.41"]
    assert (reckoned(given), "TOTAL_DIFFERS" in warnings) == (8_40 + 1_41 - 1_00, True)


@pytest.mark.parametrize(
    ("quantity", "subtotal", "before", "after"),
    [(2, "10.25", "9.25", 9_25), (1, "1.005", "0.01", 1), (8, "81.00", "80.00", 80_04)],
)
def test_half_a_cent_of_a_line_is_reckoned_as_it_is_sent(quantity: int, subtotal: str, before: str, after: int) -> None:
    """Shopify gets 5.13 twice for 10.25, and 10.13 eight times for 81.00."""
    row = sold(
        line(quantity=quantity, subtotal=subtotal, subtotal_tax="0.00", total=before, total_tax="0.00", taxes=[]),
        total=before, tax="0.00", discount_total="1.00", coupon_lines=[{"code": "one", "discount": "1.00"}],
    )  # fmt: skip
    bindings = {"settings": {}, "publications": [], "platform": "woocommerce", "now": NOW}
    found = packaged(ResourceType.ORDERS).evaluate(row, bindings, record_id="1")
    assert reckoned(found.value["input"]) == after
    said = [text.partition("difference is ")[2] for code, text in found.warnings if code == "TOTAL_DIFFERS"]
    assert said == ([] if after == round(float(before) * 100) else ["-0.04."])


def test_a_refund_names_the_orders_own_lines_and_its_payment() -> None:
    row = next(it for it in orders() if it["status"] == "refunded" and it["shipping_lines"])
    envelope, _ = mapped(ResourceType.ORDERS, row)
    (refund,) = envelope["refunds"]
    own = {"resource_type": "orders", "source_id": str(row["id"])}
    assert [it["lineItemId"]["$ref"] for it in refund["refundLineItems"]] == [
        {**own, "part": "line_item", "part_id": str(it["id"])} for it in row["line_items"]
    ]
    assert [it["quantity"] for it in refund["refundLineItems"]] == [it["quantity"] for it in row["line_items"]]
    assert refund["transactions"] == [{
        "kind": "REFUND", "gateway": "stripe", "amount": row["total"],
        "parentId": {"$ref": {**own, "part": "transaction", "part_id": "payment"}},
    }]  # fmt: skip
    assert envelope["parts"]["refund"] == [str(row["refunds"][0]["id"])]
    amount_only = {"id": 5, "amount": "2.00", "reason": "", "date_created_gmt": "2024-01-01T00:00:00",
                   "line_items": [], "shipping_lines": [], "fee_lines": []}  # fmt: skip
    (refund,) = mapped(ResourceType.ORDERS, order(refunds=[amount_only]))[0]["refunds"]
    assert (refund["discrepancyReason"], refund["transactions"][0]["amount"]) == ("OTHER", "2.00")


@pytest.mark.parametrize(
    ("status", "paid", "financial", "closed"),
    [
        ("completed", True, None, True), ("processing", True, None, False), ("pending", False, "PENDING", False),
        ("on-hold", False, "PENDING", False), ("cancelled", False, "VOIDED", True), ("failed", False, "VOIDED", True),
    ],
)  # fmt: skip
def test_the_status_becomes_payments_and_an_end(status: str, paid: bool, financial: str | None, closed: bool) -> None:
    moment = "2024-01-31T10:00:00"
    row = order(
        status=status, date_paid_gmt=moment if paid else None,
        date_completed_gmt=moment if status == "completed" else None, refunds=[],
    )  # fmt: skip
    envelope, _ = mapped(ResourceType.ORDERS, row)
    given = envelope["input"]
    assert ("transactions" in given, given.get("financialStatus"), "closedAt" in given) == (paid, financial, closed)
    assert ("fulfillments" in envelope) == (status == "completed")
    assert (status in given.get("tags", [])) == (status in ("cancelled", "failed", "on-hold"))


def test_tracking_of_the_common_plugins_goes_with_the_fulfilment() -> None:
    items = [{"tracking_provider": "DHL", "tracking_number": "JJD1", "custom_tracking_link": "https://t.example/1"},
             {"tracking_provider": "", "custom_tracking_provider": "Post", "tracking_number": "JJD2"}]  # fmt: skip
    row = order(meta_data=[{"key": "_wc_shipment_tracking_items", "value": items}])
    (sent,) = mapped(ResourceType.ORDERS, row)[0]["fulfillments"]
    assert sent["trackingInfo"] == {"company": "DHL", "numbers": ["JJD1", "JJD2"], "urls": ["https://t.example/1"]}
    row = order(meta_data=[{"key": "_aftership_tracking_number", "value": "9"}])
    assert mapped(ResourceType.ORDERS, row)[0]["fulfillments"][0]["trackingInfo"] == {"numbers": ["9"]}


def test_numbers_customers_and_what_is_left_out() -> None:
    given = mapped(ResourceType.ORDERS, order(number="2024-77", customer_id=5), order_prefix="#", order_tags="old")[0]
    assert (given["input"]["name"], given["input"]["tags"]) == ("#2024-77", ["old"])
    assert given["input"]["customer"]["toAssociate"]["id"]["$ref"]["source_id"] == "5"
    assert "customer" not in mapped(ResourceType.ORDERS, order(customer_id=0))[0]["input"]
    assert mapped(ResourceType.ORDERS, order(status="checkout-draft"))[0]["exclude"] is True
    left = mapped(ResourceType.ORDERS, order(status="failed"), excluded_statuses=["failed", "pending"])[0]
    assert left["exclude_reason"] == "The order is failed (excluded_statuses)."


# --- customers ------------------------------------------------------------------------------------------------


def customer(**fields: Any) -> JsonObject:
    found = next(it for it in shop().lists["customers"] if it["billing"]["country"] == "US")
    return {**found, **fields}


def test_addresses_have_codes_and_numbers_and_the_same_one_comes_once() -> None:
    row = customer()
    same = {**row["billing"], "phone": ""}
    envelope, _ = mapped(ResourceType.CUSTOMERS, customer(shipping=same))
    (address,) = envelope["input"]["addresses"]
    assert (address["countryCode"], address["provinceCode"], address["phone"]) == ("US", "NY", "+12125550143")
    assert envelope["parts"]["address"] == ["billing"]
    other = {**same, "address_1": "1 Depot Road"}
    envelope, _ = mapped(ResourceType.CUSTOMERS, customer(shipping=other))
    assert envelope["parts"]["address"] == ["billing", "shipping"]
    empty = dict.fromkeys(same, "")
    envelope, _ = mapped(ResourceType.CUSTOMERS, customer(billing={**empty, "email": ""}, shipping=empty))
    assert "addresses" not in envelope["input"]


@pytest.mark.parametrize(
    ("meta", "settings", "state"),
    [
        ([], {}, None),
        ([{"key": "mailchimp_woocommerce_is_subscribed", "value": "1"}], {}, "SUBSCRIBED"),
        ([{"key": "mailchimp_woocommerce_is_subscribed", "value": "0"}], {}, "UNSUBSCRIBED"),
        ([{"key": "mailchimp_woocommerce_is_subscribed", "value": "0"}], {"send_unsubscribed": False}, None),
        ([{"key": "wants_mail", "value": "yes"}], {"consent_meta": "wants_mail"}, "SUBSCRIBED"),
    ],
)  # fmt: skip
def test_consent_is_what_a_plugin_kept(meta: list[JsonObject], settings: JsonObject, state: str | None) -> None:
    envelope, _ = mapped(ResourceType.CUSTOMERS, customer(meta_data=meta), **settings)
    assert envelope.get("emailMarketingConsent", {}).get("marketingState") == state


def test_a_role_becomes_a_tag_and_the_note_comes_from_meta() -> None:
    row = customer(role="wholesale", meta_data=[{"key": "remark", "value": "Call first"}], first_name="")
    given = mapped(ResourceType.CUSTOMERS, row, note_meta="remark", customer_tags=["moved"], customer_phone=True)[0]
    assert given["input"]["tags"] == ["moved", "wholesale"]
    assert given["input"]["note"] == "Call first"
    assert given["input"]["firstName"] == row["billing"]["first_name"]
    assert given["input"]["phone"] == "+12125550143"
    assert "tags" not in mapped(ResourceType.CUSTOMERS, row, role_tags=False)[0]["input"]


# --- coupons, content, markets, addresses ---------------------------------------------------------------------


def coupon(code: str = "welcome10", **fields: Any) -> JsonObject:
    found = next(it for it in shop().lists["coupons"] if it["code"] == code)
    return {**found, "variation_parents": [], "missing_products": [], "restricted_customers": [], **fields}


def test_each_kind_of_coupon_becomes_its_discount() -> None:
    percent = mapped(ResourceType.DISCOUNT_CODES, coupon())[0]["input"]["basicCodeDiscount"]
    assert percent["customerGets"]["value"] == {"percentage": 0.1}
    assert percent["appliesOncePerCustomer"] is True
    cart = mapped(ResourceType.DISCOUNT_CODES, coupon("fiver"))[0]["input"]["basicCodeDiscount"]
    assert cart["customerGets"]["value"]["discountAmount"] == {"amount": "5.00", "appliesOnEachItem": False}
    assert cart["minimumRequirement"]["subtotal"]["greaterThanOrEqualToSubtotal"] == "25.00"
    assert cart["usageLimit"] == 100
    ship = mapped(ResourceType.DISCOUNT_CODES, coupon("freeship"))[0]["input"]["freeShippingCodeDiscount"]
    assert ship["endsAt"] == "2099-12-30T23:00:00Z"
    clothes = mapped(ResourceType.DISCOUNT_CODES, coupon("clothes"))
    assert clothes[0]["input"]["basicCodeDiscount"]["customerGets"]["items"]["collections"]["add"]
    assert clothes[1] == ["SALE_ITEMS_LEFT"]


def test_a_coupon_names_products_variants_and_buyers() -> None:
    row = coupon("twoeach", product_ids=[7, 8, 9], variation_parents=[{"id": 8, "parent_id": 3}], missing_products=[9])
    items = mapped(ResourceType.DISCOUNT_CODES, row)[0]["input"]["basicCodeDiscount"]["customerGets"]["items"]
    assert items["products"]["productsToAdd"] == [{"$ref": {"resource_type": "products", "source_id": "7"}}]
    assert items["products"]["productVariantsToAdd"][0]["$ref"]["part_id"] == "8"
    row = coupon("friend", email_restrictions=["a@x.example", "b@x.example"], restricted_customers=[{"id": 4}])
    envelope, warnings = mapped(ResourceType.DISCOUNT_CODES, row)
    (buyer,) = envelope["input"]["basicCodeDiscount"]["customerSelection"]["customers"]["add"]
    assert buyer["$ref"]["source_id"] == "4"
    assert "BUYERS_LEFT" in warnings


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "draft"}, "Not published in WooCommerce."),
        ({"discount_type": "sign_up_fee"}, "Shopify has no discount like sign_up_fee."),
        ({"usage_limit": 3, "usage_count": 3}, "Used up."),
        ({"amount": "0.00"}, "It gives nothing."),
        ({"email_restrictions": ["*@x.example"]}, "Only for addresses that have no account in the shop."),
        ({"product_ids": [9], "missing_products": [9]}, "Only for products that are gone."),
    ],
)
def test_a_coupon_that_would_say_something_else_is_left_out(fields: JsonObject, reason: str) -> None:
    envelope, _ = mapped(ResourceType.DISCOUNT_CODES, coupon(**fields))
    assert (envelope["exclude"], envelope["exclude_reason"]) == (True, reason)


def entry(kind: str = "post", **fields: Any) -> JsonObject:
    found = shop().lists["posts" if kind == "post" else "pages"][0]
    more = {"author_name": "Mara", "image": {"src": "https://shop.example/p.jpg", "alt": ""},
            "category_names": ["News &amp; more"], "tag_names": ["wool"]}  # fmt: skip
    return {**found, **more, **fields}


def test_a_post_is_an_article_and_a_page_a_page() -> None:
    article = mapped(ResourceType.BLOGS, entry(title={"rendered": "Tea &amp; more"}))[0]
    assert article["content_type"] == "article"
    assert article["blog"] == {"title": "Blog", "handle": "blog"}
    assert article["input"]["title"] == "Tea & more"
    assert article["input"]["author"] == {"name": "Mara"}
    assert article["input"]["tags"] == ["News & more", "wool"]
    assert article["input"]["isPublished"] is True
    per_category = mapped(ResourceType.BLOGS, entry(), blog_per_category=True)[0]
    assert per_category["blog"]["handle"] == "news-more"
    page = mapped(ResourceType.BLOGS, entry("page"))[0]
    assert (page["content_type"], page["input"]["handle"]) == ("page", "about-us")


def test_drafts_passwords_and_woocommerces_own_pages_are_not_published() -> None:
    assert mapped(ResourceType.BLOGS, entry(status="draft"))[0]["input"]["isPublished"] is False
    hidden = entry(content={"rendered": "", "protected": True})
    envelope, warnings = mapped(ResourceType.BLOGS, hidden)
    assert (envelope["input"]["isPublished"], warnings) == (False, ["PASSWORD_LEFT"])
    assert mapped(ResourceType.BLOGS, entry("page", slug="cart"))[0]["exclude"] is True
    assert mapped(ResourceType.BLOGS, entry("page", slug="cart"), excluded_pages=["x"])[0]["exclude"] is False


def test_categories_become_collections_with_the_handle_they_had() -> None:
    row = {"id": 3, "name": "Caf&eacute;", "slug": "caf%c3%a9", "path": ["Food", "Café"], "description": "<p>Hi</p>",
           "image": {"src": "https://shop.example/c.jpg", "alt": ""},
           "url_path": "/product-category/food/cafe/"}  # fmt: skip
    envelope, _ = mapped(ResourceType.COLLECTIONS, row)
    assert (envelope["input"]["title"], envelope["input"]["handle"]) == ("Café", "cafe")
    assert envelope["input"]["metafields"][0]["value"] == "Food / Café"
    assert envelope["source_url_path"] == "/product-category/food/cafe/"
    below = mapped(ResourceType.COLLECTIONS, {**row, "parent": 2, "menu_order": 4})[0]
    assert below["hierarchy"] == {"parent": "2", "position": 4}
    assert [it["value"] for it in below["input"]["metafields"]] == ["Food / Café", "4"]
    left = {**row, "slug": "uncategorized"}
    assert mapped(ResourceType.COLLECTIONS, left)[0]["exclude"] is True


def test_a_market_is_where_the_shop_sells_besides_its_own_country() -> None:
    row = {"country": "DE", "currency": "EUR", "allowed_countries": "specific", "specific_countries": ["DE", "AT"],
           "except_countries": [], "prices_include_tax": True}  # fmt: skip
    given = mapped(ResourceType.MARKETS, row)[0]["input"]
    assert given["conditions"]["regionsCondition"]["regions"] == [{"countryCode": "AT"}]
    assert given["priceInclusions"]["taxPricingStrategy"] == "INCLUDES_TAXES_IN_PRICE"
    both = mapped(ResourceType.MARKETS, row, home_country=True, market_name="Old shop")[0]["input"]
    assert (both["name"], len(both["conditions"]["regionsCondition"]["regions"])) == ("Old shop", 2)
    assert mapped(ResourceType.MARKETS, row, excluded_countries=["AT"])[0]["exclude"] is True
    assert mapped(ResourceType.MARKETS, {**row, "allowed_countries": "all"})[0]["exclude"] is True
    assert mapped(ResourceType.MARKETS, {**row, "specific_countries": ["DE"]})[0]["exclude"] is True


def test_old_addresses_lead_to_what_was_loaded_unless_that_was_left_out() -> None:
    def redirect(path: str, kind: str) -> JsonObject:
        return mapped(ResourceType.REDIRECTS, {"path": path, "target": {"resource_type": kind, "source_id": "7"}})[0]

    assert redirect("/product/mug/", "products")["input"] == {
        "path": "/product/mug/", "target": {"$ref": {"resource_type": "products", "source_id": "7"}}
    }  # fmt: skip
    assert redirect("/cart/", "blogs")["exclude"] is True
    assert redirect("/product-category/uncategorized/", "collections")["exclude"] is True
    assert redirect("/product/cart/", "products")["exclude"] is False


@pytest.mark.parametrize(
    "row",
    [
        {"Card Number": "ABCD-EFGH-1234", "Balance": "$15.00", "Amount": "20.00", "Expiration Date": "2030-01-31"},
        {"code": "abcdefgh1234", "remaining": 15, "issued": 20, "expires": "2030-01-31 00:00:00", "recipient": ""},
    ],
)
def test_gift_cards_of_the_common_plugins_keep_code_balance_and_expiry(row: JsonObject) -> None:
    envelope, warnings = mapped(ResourceType.GIFT_CARDS, row, currency="EUR")
    given = envelope["input"]
    assert (given["code"], given["expiresOn"]) == ("ABCDEFGH1234", "2030-01-31")
    assert given["initialAmount"] == {"amount": "20.00", "currencyCode": "EUR"}
    assert envelope["debit"]["debitAmount"]["amount"] == "5.00"
    assert warnings == []


@pytest.mark.parametrize(
    ("written", "amount"),
    [("25,00 €", "25.00"), ("1.234,50", "1234.50"), ("$1,234.50", "1234.50"), ("1,234", "1234.00"), ("7,5", "7.50"),
     (25, "25.00")],
)  # fmt: skip
def test_a_balance_is_read_as_it_is_written(written: Any, amount: str) -> None:
    envelope, _ = mapped(ResourceType.GIFT_CARDS, {"code": "ABCDEFGH", "balance": written, "currency": "EUR"})
    assert envelope["input"]["initialAmount"]["amount"] == amount


@pytest.mark.parametrize("written", ["1,2345", "12,34,56.7.8"])
def test_a_balance_that_could_be_any_number_is_refused(written: str) -> None:
    with pytest.raises(TransformError) as caught:
        mapped(ResourceType.GIFT_CARDS, {"code": "ABCDEFGH", "balance": written, "currency": "EUR"})
    assert caught.value.code == "BAD_NUMBER"


def test_an_empty_gift_card_is_left_out_and_a_disabled_one_is_disabled() -> None:
    row = {"code": "ABCDEFGH", "balance": "3.50", "active": "0"}
    envelope, warnings = mapped(ResourceType.GIFT_CARDS, row)
    assert (envelope["deactivate"], envelope["input"]["initialAmount"]["currencyCode"]) == (True, "USD")
    assert warnings == ["CURRENCY_ASSUMED"]
    assert "debit" not in envelope


def test_a_gift_card_names_its_customer_and_its_recipient_where_the_file_does() -> None:
    row = {"code": "ABCD-1234", "balance": "5.00", "currency": "EUR", "customer_id": 3, "recipient_id": 4,
           "recipient_name": "Ann", "message": "x" * 300}  # fmt: skip
    given = mapped(ResourceType.GIFT_CARDS, row)[0]["input"]
    assert given["customerId"] == {"$ref": {"resource_type": "customers", "source_id": "3"}}
    recipient = given["recipientAttributes"]
    assert recipient["id"] == {"$ref": {"resource_type": "customers", "source_id": "4"}}
    assert (recipient["preferredName"], len(recipient["message"])) == ("Ann", 200)
    assert "recipientAttributes" not in mapped(ResourceType.GIFT_CARDS, {**row, "recipient_id": ""})[0]["input"]

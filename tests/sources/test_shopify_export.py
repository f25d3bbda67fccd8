"""Shopify's own CSV exports: rows put together as its API would give them, and what bad rows cost."""

import csv
import shutil
from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.mappings import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import FileSpec, Migration
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.shopify.payload import check
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.files import FileSource

PRODUCTS, CUSTOMERS, ORDERS = ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.ORDERS
SAMPLES = Path(__file__).with_name("shopify_exports")
ALL = {kind: FileSpec(path=f"{kind}_export.csv") for kind in (PRODUCTS, CUSTOMERS, ORDERS)}


def settings_of(given: AnyMapping[ResourceType, Any]) -> FilesSettings:
    return FilesSettings(platform="shopify", shopify_export=given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in SAMPLES.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path


def read(folder: Path, kind: ResourceType, given: Any = None) -> list[SourceRecord | InvalidRow]:
    source = FileSource(settings_of(given or ALL), folder)
    try:
        return list(source.read(kind, None))
    finally:
        source.close()


def records(folder: Path, kind: ResourceType, given: Any = None) -> dict[str, JsonObject]:
    found = read(folder, kind, given)
    assert all(isinstance(it, SourceRecord) for it in found), found
    return {it.source_id: it.payload for it in found if isinstance(it, SourceRecord)}


def mapped(kind: ResourceType, row: JsonObject, **settings: Any) -> tuple[JsonObject, list[str]]:
    migration = Migration(slug="m", folder=Path("/nowhere"), source=settings_of(ALL))
    mapping = Mapping.compile(text_of(migration, kind).text, name=f"{kind}.jsonata")
    bindings = {"settings": settings, "publications": ["Online Store"], "platform": "shopify",
                "now": "2026-06-15T12:00:00+00:00"}  # fmt: skip
    done = mapping.evaluate(row, bindings, record_id="x")
    envelope, problems = check(kind, done.value)
    assert problems == []
    return envelope, [code for code, _ in done.warnings]


def edited(folder: Path, name: str, change: Any) -> None:
    """Writes the file again after `change(rows)`; rows are lists of cells, the header among them."""
    with (folder / name).open(newline="") as stream:
        rows = list(csv.reader(stream))
    change(rows)
    with (folder / name).open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def test_rows_of_one_handle_are_one_product_with_its_variants_and_pictures(folder: Path) -> None:
    given = records(folder, PRODUCTS)
    assert list(given) == ["rain-jacket", "mug", "gift-card"]
    jacket, warned = mapped(PRODUCTS, given["rain-jacket"])
    assert warned == ["REFERENCE_LEFT", "CATEGORY_LEFT", "MARKET_PRICES_LEFT"]
    made = jacket["input"]
    assert made["productOptions"] == [
        {"name": "Size", "position": 1, "values": [{"name": "S"}, {"name": "M"}]},
        {"name": "Color", "position": 2, "values": [{"name": "Red/Blue"}]},
    ]
    small, medium = made["variants"]
    assert (small["sku"], small["barcode"], small["price"], small["compareAtPrice"]) == (
        "0001", "4006381333931", "89.00", "99.00",
    )  # fmt: skip
    assert small["inventoryItem"]["measurement"]["weight"] == {"value": 0.5, "unit": "KILOGRAMS"}
    assert (small["inventoryItem"]["cost"], small["inventoryPolicy"], medium["inventoryPolicy"]) == (
        "41.50", "DENY", "CONTINUE",
    )  # fmt: skip
    assert [it["inventoryQuantities"][0]["quantity"] for it in (small, medium)] == [7, -1]
    assert [it["originalSource"][-5] for it in made["files"]] == ["1", "2", "3"]
    assert made["files"][0]["alt"] == "The jacket from the front"
    assert small["file"]["originalSource"].endswith("jacket-2.jpg")
    assert (made["status"], made["tags"], made["seo"]["title"]) == (
        "ACTIVE", ["rain", "outdoor", "sale"], "Rain jacket",
    )  # fmt: skip
    assert jacket["publications"] == ["Online Store"]
    assert {f"{it['namespace']}.{it['key']}": it["value"] for it in made["metafields"]} == {
        "custom.care": "Wash cold", "custom.pieces": "2", "mm-google-shopping.gender": "unisex",
        "mm-google-shopping.custom_product": "false",
    }  # fmt: skip


def test_a_product_without_options_and_one_that_is_a_gift_card_stay_what_they_are(folder: Path) -> None:
    given = records(folder, PRODUCTS)
    mug, warned = mapped(PRODUCTS, given["mug"])
    assert (warned, mug["input"]["status"], mug["publications"]) == ([], "DRAFT", [])
    (only,) = mug["input"]["variants"]
    assert only["optionValues"] == [{"optionName": "Title", "name": "Default Title"}]
    assert only["inventoryItem"]["measurement"]["weight"] == {"value": 12.0, "unit": "OUNCES"}
    assert "inventoryQuantities" not in only
    card, _ = mapped(PRODUCTS, given["gift-card"])
    assert (card["input"]["giftCard"], card["input"]["status"]) == (True, "ARCHIVED")


@pytest.mark.parametrize("name", ["products_export.csv", "products_export_new.csv"])
def test_a_product_with_an_empty_price_stays_a_draft(folder: Path, name: str) -> None:
    def unpriced(rows: list[list[str]]) -> None:
        (place,) = (n for n, column in enumerate(rows[0]) if column.lower() in {"variant price", "price"})
        rows[1][place] = " "

    edited(folder, name, unpriced)
    given = records(folder, PRODUCTS, {PRODUCTS: FileSpec(path=name)})
    jacket, warned = mapped(PRODUCTS, given["rain-jacket"], status="ACTIVE")
    assert "NO_PRICE" in warned
    assert jacket["input"]["status"] == "DRAFT"
    assert [it.get("price") for it in jacket["input"]["variants"]] == [None, "89.00"]


def test_a_file_without_a_column_of_prices_says_nothing_of_prices(folder: Path) -> None:
    def without(rows: list[list[str]]) -> None:
        place = rows[0].index("Variant Price")
        for row in rows:
            del row[place : place + 1]

    edited(folder, "products_export.csv", without)
    jacket, warned = mapped(PRODUCTS, records(folder, PRODUCTS)["rain-jacket"])
    assert "NO_PRICE" not in warned
    assert jacket["input"]["status"] == "ACTIVE"
    assert not any("price" in it for it in jacket["input"]["variants"])


def test_the_newer_columns_give_the_same_products_as_the_older_ones(folder: Path) -> None:
    older = records(folder, PRODUCTS)
    newer = records(folder, PRODUCTS, {PRODUCTS: FileSpec(path="products_export_new.csv")})
    older["rain-jacket"]["marketPrices"] = []
    assert newer == older


def test_the_type_of_a_metafield_is_said_by_a_setting(folder: Path) -> None:
    given = records(folder, PRODUCTS)["rain-jacket"]
    jacket, _ = mapped(PRODUCTS, given, metafield_types={"custom.pieces": "number_integer"})
    types = {it["key"]: it["type"] for it in jacket["input"]["metafields"]}
    assert (types["pieces"], types["care"]) == ("number_integer", "single_line_text_field")


def test_customers_keep_their_numbers_consent_and_address(folder: Path) -> None:
    given = records(folder, CUSTOMERS)
    assert list(given) == ["7001", "7002", "7003"]
    ada, _ = mapped(CUSTOMERS, given["7001"])
    assert ada["input"]["phone"] == "+33612345678"
    assert ada["emailMarketingConsent"]["marketingState"] == "SUBSCRIBED"
    assert ada["emailMarketingConsent"]["marketingOptInLevel"] == "SINGLE_OPT_IN"
    assert "smsMarketingConsent" not in ada
    (home,) = ada["input"]["addresses"]
    assert (home["zip"], home["countryCode"], home["company"]) == ("01000", "FR", "Engines")
    assert ada["metafields"] == [
        {"namespace": "custom", "key": "size", "type": "single_line_text_field", "value": "38"}
    ]
    anne, _ = mapped(CUSTOMERS, given["7002"])
    assert (anne["input"]["lastName"], anne["input"]["taxExempt"]) == ("'t Hooft", True)
    assert anne["input"]["addresses"][0]["provinceCode"] == "OR"
    by_phone, _ = mapped(CUSTOMERS, given["7003"])
    assert by_phone["smsMarketingConsent"]["marketingState"] == "SUBSCRIBED"


def amount(bag: JsonObject) -> str:
    return str(bag["shopMoney"]["amount"])


def test_an_order_comes_to_its_sums_with_what_only_they_say(folder: Path) -> None:
    given = records(folder, ORDERS)
    first, warned = mapped(ORDERS, given["5001"])
    made = first["input"]
    assert warned == []
    assert (made["name"], made["taxesIncluded"], made["processedAt"]) == ("#1001", True, "2024-05-01T09:58:12+02:00")
    assert amount(made["discountCode"]["itemFixedDiscountCode"]["amountSet"]) == "8.90"
    assert [(it["title"], it["rate"], amount(it["priceSet"])) for it in made["taxLines"]] == [("TVA", "0.2", "15.84")]
    assert [(it["kind"], amount(it["amountSet"])) for it in made["transactions"]] == [("SALE", "95.00")]
    assert first["refunds"][0]["transactions"][0]["amount"] == "10.00"
    assert {name: it["amount"] for name, it in first["source_totals"].items()} == {
        "total": "95.00",
        "refunded": "10.00",
    }
    assert "lineItems" not in first["fulfillments"][0]
    assert made["billingAddress"]["firstName"] == "Ada Augusta"
    assert made["customAttributes"] == [{"key": "gift", "value": "yes"}, {"key": "wrapped by", "value": "Anna"}]

    second, warned = mapped(ORDERS, given["5002"])
    made = second["input"]
    assert sorted(warned) == ["PRODUCT_GONE", "TOTAL_MADE_UP"]
    assert made["taxesIncluded"] is False
    assert (made["lineItems"][2]["title"], amount(made["lineItems"][2]["priceSet"])) == (
        "Tips, duties and other charges", "2.00",
    )  # fmt: skip
    assert [it["title"] for it in made["taxLines"]] == ["OR State Tax", "County"]
    assert [it["quantity"] for it in second["fulfillments"][0]["lineItems"]] == [2]
    assert made["billingAddress"]["countryCode"] == "US"

    unpaid, _ = mapped(ORDERS, given["5003"])
    assert ("transactions" in unpaid["input"], unpaid["input"]["financialStatus"]) == (False, "PENDING")
    assert "canceled" in unpaid["input"]["tags"]


def test_lines_and_buyers_are_found_in_the_other_exports_and_left_alone_without_them(folder: Path) -> None:
    line = records(folder, ORDERS)["5001"]["lineItems"][0]
    assert line["variant"]["id"] == "gid://shopify/ProductVariant/S%20%2F%20Red%2FBlue"
    assert records(folder, ORDERS)["5001"]["customer"] == {"id": "gid://shopify/Customer/7001"}
    # Of a line without a sku the name tells.
    assert records(folder, ORDERS)["5003"]["lineItems"][0]["product"] == {"id": "gid://shopify/Product/mug"}
    alone = records(folder, ORDERS, {ORDERS: ALL[ORDERS]})["5001"]
    assert (alone["customer"], alone["lineItems"][0]["product"]) == (None, None)


def test_a_sku_that_several_variants_share_is_told_by_the_name_or_not_at_all(folder: Path) -> None:
    edited(folder, "products_export.csv", lambda rows: [row.__setitem__(rows[0].index("Variant SKU"), "SAME")
                                                        for row in rows[1:3]])  # fmt: skip

    def same(rows: list[list[str]]) -> None:
        for row in rows[1:4]:
            row[rows[0].index("Lineitem sku")] = "SAME"

    edited(folder, "orders_export.csv", same)
    given = records(folder, ORDERS)
    assert given["5001"]["lineItems"][0]["variant"]["id"].endswith("/S%20%2F%20Red%2FBlue")
    assert given["5001"]["lineItems"][1]["variant"] is None


@pytest.mark.parametrize(
    ("name", "kind", "line", "column", "value", "told"),
    [
        ("products_export.csv", PRODUCTS, 2, "Variant Price", "12,5", "variant price is '12,5', not a number."),
        ("products_export.csv", PRODUCTS, 2, "Option1 Value", "S", "'S / Red/Blue' is there twice"),
        ("products_export.csv", PRODUCTS, 2, "Option2 Value", "", "has no value for Color"),
        ("orders_export.csv", ORDERS, 1, "Created at", "1/5/24", "created at is '1/5/24', not a time"),
        ("orders_export.csv", ORDERS, 2, "Lineitem quantity", "some", "is 'some', not a number."),
        ("orders_export.csv", ORDERS, 2, "Id", "5001", "The order is there twice."),
    ],
)
def test_a_cell_that_is_not_what_its_column_holds_sets_its_record_alone_aside(
    folder: Path, name: str, kind: ResourceType, line: int, column: str, value: str, told: str
) -> None:
    edited(folder, name, lambda rows: rows[line].__setitem__(rows[0].index(column), value))
    found = read(folder, kind)
    (bad,) = [it for it in found if isinstance(it, InvalidRow)]
    assert told in bad.reason
    assert bad.source_id in {"rain-jacket", "5001"}
    assert len(found) == len(records_of(found)) + 1


def records_of(found: list[SourceRecord | InvalidRow]) -> list[SourceRecord]:
    return [it for it in found if isinstance(it, SourceRecord)]


def test_a_damaged_row_that_names_nothing_holds_back_only_its_neighbours(folder: Path) -> None:
    text = (folder / "products_export.csv").read_text().splitlines(keepends=True)
    text.insert(5, ",cells,only\n")
    text.append("rain-hat,Rain Hat" + "," * (len(text[0].split(",")) - 2) + "\n")
    (folder / "products_export.csv").write_text("".join(text))
    source = FileSource(settings_of(ALL), folder)
    found = list(source.read(PRODUCTS, None))
    assert not source.conclusive(PRODUCTS)
    source.close()
    assert [(it.source_id, it.code) for it in found if isinstance(it, InvalidRow)] == [
        ("rain-jacket", "OWNER_UNKNOWN"), ("mug", "OWNER_UNKNOWN"), ("", "COLUMN_COUNT"),
    ]  # fmt: skip
    assert [it.source_id for it in records_of(found)] == ["gift-card", "rain-hat"]


def test_lines_whose_order_does_not_begin_in_the_file_are_invalid(folder: Path) -> None:
    edited(folder, "orders_export.csv", lambda rows: rows.pop(1))
    found = read(folder, ORDERS)
    (bad,) = [it for it in found if isinstance(it, InvalidRow)]
    assert (bad.code, bad.source_id) == ("NO_PARENT", "")
    assert "#1001" in bad.reason


def test_several_files_of_one_type_are_read_one_after_the_other(folder: Path) -> None:
    text = (folder / "orders_export.csv").read_text().splitlines(keepends=True)
    cut = next(place for place, line in enumerate(text) if line.startswith("#1003"))
    (folder / "orders_1.csv").write_text("".join(text[:cut]))
    (folder / "orders_2.csv").write_text(text[0] + "".join(text[cut:]))
    given = records(folder, ORDERS, {**ALL, ORDERS: FileSpec(path="orders_[12].csv")})
    assert given == records(folder, ORDERS)


def test_another_table_is_refused_with_what_it_lacks(folder: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(folder, ORDERS, {ORDERS: FileSpec(path="customers_export.csv")})
    assert refused.value.code == "HEADER"
    assert "lineitem quantity" in refused.value.message
    assert refused.value.hint


def test_a_changed_product_file_makes_orders_read_again_too(folder: Path) -> None:
    source = FileSource(settings_of(ALL), folder)
    before = {kind: source.freshness(kind).token for kind in ALL}
    edited(folder, "products_export.csv", lambda rows: rows.pop())
    after = {kind: source.freshness(kind).token for kind in ALL}
    assert [kind for kind in ALL if after[kind] != before[kind]] == [PRODUCTS, ORDERS]
    assert all(result.ok for result in source.check())
    source.close()


def test_types_that_shopify_does_not_export_are_refused_with_the_settings() -> None:
    with pytest.raises(ValueError, match="Shopify exports products, customers, orders, not blogs"):
        settings_of({ResourceType.BLOGS: FileSpec(path="blogs.csv")})


def test_a_type_given_by_an_export_and_by_a_file_is_refused(folder: Path) -> None:
    settings = FilesSettings(platform="shopify", shopify_export=ALL, files={ORDERS: FileSpec(path="orders_export.csv")})
    with pytest.raises(ConfigurationError, match=r"`source.shopify_export` and `source.files.orders`"):
        FileSource(settings, folder)

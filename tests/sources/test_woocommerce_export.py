"""WooCommerce's own product CSV: rows put together as the API would give them, and what bad rows cost."""

import csv
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.mappings import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import FileSpec, Migration
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.shopify.payload import check
from graftport_dagster.simulator.woocommerce.shop import Shop
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.files import FileSource

SETTINGS = FilesSettings(platform="woocommerce", woocommerce_export=FileSpec(path="products.csv"))
COLUMNS = [
    "ID", "Type", "SKU", "GTIN, UPC, EAN, or ISBN", "Name", "Published", "Is featured?", "Visibility in catalog",
    "Short description", "Description", "Date sale price starts", "Date sale price ends", "Tax status", "Tax class",
    "In stock?", "Stock", "Backorders allowed?", "Weight (kg)", "Length (cm)", "Width (cm)", "Height (cm)",
    "Sale price",
    "Regular price", "Categories", "Tags", "Images", "Parent", "Grouped products", "External URL", "Button text",
    "Position", "Brands", "Attribute 1 name", "Attribute 1 value(s)", "Attribute 1 visible", "Attribute 1 global",
    "Attribute 2 name", "Attribute 2 value(s)", "Attribute 2 visible", "Attribute 2 global", "Attribute 3 name",
    "Attribute 3 value(s)", "Attribute 3 visible", "Attribute 3 global", "Meta: total_points", "Download 1 name",
    "Download 1 URL",
]  # fmt: skip


def exported(thing: JsonObject, shop: Shop, parent: str = "") -> dict[str, Any]:
    """One row as WooCommerce's exporter writes it (class-wc-product-csv-exporter.php)."""
    flags = [name for name in ("virtual", "downloadable") if thing[name]]
    stock = thing["stock_quantity"] if thing["manage_stock"] is True else thing["manage_stock"] or ""
    row = {
        "ID": thing["id"], "Type": ", ".join([thing["type"], *flags]), "SKU": thing["sku"], "Name": thing["name"],
        "GTIN, UPC, EAN, or ISBN": thing["global_unique_id"], "Position": thing["menu_order"], "Parent": parent,
        "Published": {"publish": 1, "private": 0}.get(thing["status"], -1),
        "Visibility in catalog": thing.get("catalog_visibility", "visible"),
        "Short description": thing.get("short_description", ""),
        "Description": thing["description"].replace("\n", "\\n"), "Tax status": thing["tax_status"],
        "Date sale price starts": thing["date_on_sale_from"] or "",
        "Date sale price ends": thing["date_on_sale_to"] or "",
        "In stock?": {"instock": 1, "outofstock": 0}.get(thing["stock_status"], "backorder"), "Stock": stock,
        "Backorders allowed?": {"yes": 1, "no": 0}.get(thing["backorders"], "notify"),
        "Weight (kg)": thing["weight"], "Length (cm)": thing["dimensions"]["length"],
        "Regular price": thing["regular_price"].replace(".", ","), "Sale price": thing["sale_price"].replace(".", ","),
        "Categories": ", ".join(path_of(it["id"], shop) for it in thing.get("categories", [])),
        "Tags": ", ".join(it["name"] for it in thing.get("tags", [])),
        "Brands": ", ".join(it["name"] for it in thing.get("brands", [])),
        "Images": ", ".join(it["src"] for it in thing.get("images", [thing.get("image")]) if it),
        "Grouped products": ", ".join(f"id:{it}" for it in thing.get("grouped_products", [])),
        "External URL": thing.get("external_url", ""), "Button text": thing.get("button_text", ""),
    }  # fmt: skip
    for place, attribute in enumerate(thing["attributes"], 1):
        options = attribute.get("options") or [attribute["option"]]
        row[f"Attribute {place} name"] = attribute["name"]
        row[f"Attribute {place} value(s)"] = ", ".join(options)
        row[f"Attribute {place} global"] = int(attribute["id"] > 0)
    for place, file in enumerate(thing["downloads"], 1):
        row |= {f"Download {place} name": file["name"], f"Download {place} URL": file["file"]}
    return {column: row.get(column, "") for column in COLUMNS}


def path_of(number: int, shop: Shop) -> str:
    found = shop.find("categories", number)
    assert found
    above = f"{path_of(found['parent'], shop)} > " if found["parent"] else ""
    return above + str(found["name"]).replace(",", "\\,")


def write(folder: Path, rows: list[dict[str, Any]], name: str = "products.csv") -> None:
    with (folder / name).open("w", encoding="utf-8-sig", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        table.writeheader()
        table.writerows(rows)


def rows_of(shop: Shop) -> list[dict[str, Any]]:
    rows = []
    for product in shop.lists["products"]:
        rows.append(exported(product, shop))
        parent = product["sku"] or f"id:{product['id']}"
        rows += [exported(it, shop, parent) for it in shop.below("variations", product["id"])]
    return rows


def read(
    folder: Path, kind: ResourceType = ResourceType.PRODUCTS, settings: Any = SETTINGS
) -> list[SourceRecord | InvalidRow]:
    source = FileSource(settings, folder)
    try:
        return list(source.read(kind, None))
    finally:
        source.close()


def records(folder: Path, kind: ResourceType = ResourceType.PRODUCTS) -> dict[str, JsonObject]:
    found = read(folder, kind)
    assert all(isinstance(it, SourceRecord) for it in found), found
    return {it.source_id: it.payload for it in found if isinstance(it, SourceRecord)}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.made(3, products=24)


@pytest.fixture
def export(shop: Shop, tmp_path: Path) -> Path:
    write(tmp_path, rows_of(shop))
    return tmp_path


def mapped(row: JsonObject) -> JsonObject:
    migration = Migration(slug="m", folder=Path("/nowhere"), source=SETTINGS)
    mapping = Mapping.compile(text_of(migration, ResourceType.PRODUCTS).text, name="products.jsonata")
    bindings = {"settings": {"status": "as_source"}, "publications": ["Online Store"], "platform": "woocommerce",
                "now": "2026-06-15T12:00:00+00:00"}  # fmt: skip
    envelope, problems = check(ResourceType.PRODUCTS, mapping.evaluate(row, bindings, record_id="x").value)
    assert problems == []
    return envelope


def test_the_export_and_the_api_become_the_same_products(export: Path, shop: Shop) -> None:
    given = records(export)
    assert set(given) == {str(it["id"]) for it in shop.lists["products"]}
    for product in shop.lists["products"]:
        whole = product | {"variants": shop.below("variations", product["id"]), "weight_unit": "kg"}
        asked, filed = mapped(whole), mapped(given[str(product["id"])])
        assert filed["parts"] == asked["parts"]
        for name in ("title", "status", "vendor", "tags", "productOptions", "descriptionHtml"):
            assert filed["input"].get(name) == asked["input"].get(name), (name, product["id"])
        plain = [{**it, "file": None} for it in asked["input"]["variants"]]
        assert [{**it, "file": None} for it in filed["input"]["variants"]] == plain
        assert len(filed["input"]["collections"]) == len(asked["input"]["collections"])


def test_categories_become_collections_with_those_above_them(export: Path) -> None:
    found = records(export, ResourceType.COLLECTIONS)
    assert {"Clothing", "Clothing > Hoodies"} <= set(found)
    assert found["Clothing > Hoodies"] == {
        "id": "Clothing > Hoodies", "name": "Hoodies", "slug": "clothing-hoodies", "path": ["Clothing", "Hoodies"],
        "image": None, "parent": "Clothing",
    }  # fmt: skip
    assert found["Clothing"]["parent"] == ""


def test_variations_find_their_product_by_id_and_before_it(shop: Shop, tmp_path: Path) -> None:
    rows = [row | {"Parent": ""} if not row["Parent"] else row for row in rows_of(shop)]
    ids = {it["sku"]: f"id:{it['id']}" for it in shop.lists["products"]}
    named = [row | {"Parent": ids.get(row["Parent"], "")} for row in reversed(rows)]
    write(tmp_path, named)
    given = read(tmp_path)
    assert all(isinstance(it, SourceRecord) for it in given)
    assert sum(it.rows for it in given) == len(rows)
    for product in shop.lists["products"]:
        found = next(it.payload for it in given if isinstance(it, SourceRecord) and it.source_id == str(product["id"]))
        assert {it["id"] for it in found["variants"]} == {it["id"] for it in shop.below("variations", product["id"])}


def test_numbers_are_read_with_the_shops_own_decimal_sign(shop: Shop, tmp_path: Path) -> None:
    row = exported(shop.lists["products"][0], shop) | {
        "Regular price": "12,50",
        "Sale price": "9.99",
        "Weight (kg)": "0,7",
    }
    write(tmp_path, [row])
    (found,) = records(tmp_path).values()
    assert (found["regular_price"], found["sale_price"], found["weight"]) == ("12.50", "9.99", "0.7")
    assert (found["weight_unit"], found["dimension_unit"]) == ("kg", "cm")


def a_product_with_variations(shop: Shop) -> tuple[JsonObject, list[dict[str, Any]]]:
    product = next(it for it in shop.lists["products"] if len(shop.below("variations", it["id"])) > 1)
    below = [exported(it, shop, product["sku"]) for it in shop.below("variations", product["id"])]
    return product, [exported(product, shop), *below]


def test_one_bad_variation_sets_its_product_aside_whole_and_nothing_else(shop: Shop, tmp_path: Path) -> None:
    product, rows = a_product_with_variations(shop)
    rows[1]["Regular price"] = "cheap"
    other = exported(next(it for it in shop.lists["products"] if it["type"] == "simple"), shop)
    write(tmp_path, [*rows, other])
    bad, good = read(tmp_path)
    assert isinstance(bad, InvalidRow)
    assert (bad.code, bad.source_id, bad.rows) == ("BAD_NUMBER", str(product["id"]), len(rows))
    assert "cheap" in bad.reason
    assert isinstance(good, SourceRecord)


def test_a_variation_whose_product_is_not_in_the_file_is_named(shop: Shop, tmp_path: Path) -> None:
    _, rows = a_product_with_variations(shop)
    write(tmp_path, rows[1:2])
    (bad,) = read(tmp_path)
    assert isinstance(bad, InvalidRow)
    assert (bad.code, rows[0]["SKU"] in bad.reason) == ("NO_PARENT", True)


def test_a_damaged_row_that_may_be_a_variation_holds_back_every_variable_product(shop: Shop, tmp_path: Path) -> None:
    product, rows = a_product_with_variations(shop)
    simple = exported(next(it for it in shop.lists["products"] if it["type"] == "simple"), shop)
    write(tmp_path, [*rows, simple])
    lines = (tmp_path / "products.csv").read_bytes().splitlines(keepends=True)
    (tmp_path / "products.csv").write_bytes(b"".join([*lines, b"777,variation,cut\r\n"]))
    source = FileSource(SETTINGS, tmp_path)
    found = list(source.read(ResourceType.PRODUCTS, None))
    assert not source.conclusive(ResourceType.PRODUCTS)
    source.close()
    codes = [it.code if isinstance(it, InvalidRow) else "" for it in found]
    assert codes == ["OWNER_UNKNOWN", "", "COLUMN_COUNT"]
    assert found[0].source_id == str(product["id"])


def test_a_table_of_another_kind_and_one_in_another_language_are_refused(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("Kennung,Typ,Artikelnummer,Name\n1,simple,A,Tasse\n")
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path)
    assert (refused.value.code, "ID, Type, SKU" in refused.value.message) == ("HEADER", True)
    assert "English" in refused.value.hint
    (failed,) = FileSource(SETTINGS, tmp_path).check()
    assert not failed.ok


def test_check_is_content_and_freshness_follows_the_content(export: Path) -> None:
    source = FileSource(SETTINGS, export)
    assert source.resource_types() == (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)
    assert all(it.ok for it in source.check())
    assert source.freshness(ResourceType.PRODUCTS) == source.freshness(ResourceType.COLLECTIONS)


def test_products_are_named_once(tmp_path: Path) -> None:
    twice = FilesSettings(
        platform="woocommerce", woocommerce_export=FileSpec(path="a.csv"), magento_export=FileSpec(path="b.csv")
    )
    with pytest.raises(ConfigurationError) as refused:
        FileSource(twice, tmp_path)
    assert refused.value.code == "PRODUCTS_TWICE"

"""The demo's files are a small shop that is whole: every row is used, every name in it leads to a row."""

import csv
import json
import re
from pathlib import Path

import pytest

from graftport_dagster.migration import load_migrations
from graftport_dagster.records import ResourceType
from graftport_dagster.source_settings import FilesSettings

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
JSON_LINES = sorted(DEMO.glob("*.jsonl"))


def csv_rows(name: str) -> list[dict[str, str]]:
    with (DEMO / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def products() -> dict[str, dict[str, str]]:
    """The rows of the products themselves, without those of single store views."""
    return {row["sku"]: row for row in csv_rows("products.csv") if not row["store_view_code"]}


def test_demo_is_the_only_migration_beside_its_data() -> None:
    assert list(load_migrations(DEMO)) == ["demo"]


def test_demo_is_small() -> None:
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 150_000


def test_every_file_named_by_the_demo_is_there() -> None:
    source = load_migrations(DEMO)["demo"].source
    assert isinstance(source, FilesSettings)
    loaded = {ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS}
    assert set(source.files) == set(ResourceType) - loaded
    for spec in [source.magento_export, *source.files.values()]:
        assert spec is not None
        assert not isinstance(spec, list)
        assert (DEMO / spec.path).is_file()


def test_skus_and_addresses_are_unique() -> None:
    rows = csv_rows("products.csv")
    keys = [(row["sku"], row["store_view_code"]) for row in rows]
    addresses = [row["url_key"] for row in rows]
    assert len(set(keys)) == len(set(addresses)) == len(rows) > 70


def test_demo_has_every_product_type() -> None:
    types = {row["product_type"] for row in products().values()}
    assert types == {"simple", "configurable", "virtual", "downloadable", "bundle", "grouped"}
    assert 24 <= sum(row["visibility"] != "Not Visible Individually" for row in products().values()) <= 40


def test_every_hidden_row_is_the_variant_of_one_configurable_product() -> None:
    named = [
        sku
        for row in products().values()
        for sku in re.findall(r"(?:^|\|)sku=([^,|]+)", row["configurable_variations"])
    ]
    hidden = [sku for sku, row in products().items() if row["visibility"] == "Not Visible Individually"]
    assert sorted(named) == sorted(hidden)


def test_every_sku_that_a_product_points_at_is_there() -> None:
    rows = products()
    for row in rows.values():
        pointed = re.findall(r"sku=([^,|]+)", row["bundle_values"]) + re.findall(r"([^,=]+)=", row["associated_skus"])
        for column in ("related_skus", "crosssell_skus", "upsell_skus"):
            pointed += [sku for sku in row[column].split(",") if sku]
        assert [sku for sku in pointed if sku not in rows] == [], row["sku"]


def test_export_has_what_makes_real_ones_hard() -> None:
    text = (DEMO / "products.csv").read_text(encoding="utf-8")
    rows = products().values()
    assert any("\n" in row["description"] for row in rows)
    assert '""' in text
    assert any("," in row["name"] for row in rows)
    assert any(character in text for character in "äöüßé€“")
    assert any(row["special_price_from_date"] for row in rows)
    assert any(row["product_online"] == "2" for row in rows)
    assert len(csv_rows("products.csv")) > len(rows), "rows of a single store view"


def test_people_of_the_demo_are_invented() -> None:
    for path in DEMO.iterdir():
        addresses = re.findall(r"[\w.+-]+@[\w.-]+", path.read_text(encoding="utf-8"))
        assert [address for address in addresses if not address.endswith("@example.com")] == [], path.name


@pytest.mark.parametrize("path", JSON_LINES, ids=lambda path: path.name)
def test_prepared_json_lines_are_objects_with_an_id(path: Path) -> None:
    source = load_migrations(DEMO)["demo"].source
    assert isinstance(source, FilesSettings)
    spec = source.files[ResourceType(path.stem)]
    assert not isinstance(spec, list)
    ids = [json.loads(line)[spec.id_column] for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(set(ids)) == len(ids) > 2


def test_prepared_tables_have_unique_ids() -> None:
    for name, column in (("customers", "email"), ("discount_codes", "code"), ("gift_cards", "code")):
        ids = [row[column] for row in csv_rows(f"{name}.csv")]
        assert all(ids)
        assert len(set(ids)) == len(ids) > 2


def test_orders_name_customers_products_and_codes_of_the_demo() -> None:
    customers = {row["email"] for row in csv_rows("customers.csv")}
    codes = {row["code"] for row in csv_rows("discount_codes.csv")}
    for line in (DEMO / "orders.jsonl").read_text(encoding="utf-8").splitlines():
        order = json.loads(line)
        assert order["customer_email"] in customers
        assert order["coupon_code"] is None or order["coupon_code"] in codes
        assert [item["sku"] for item in order["items"] if item["sku"] not in products()] == []

"""The packaged mappings for Magento: what a row becomes, and that Shopify's schema takes all of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.mappings import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import FileSpec, Migration, migrations_folder, read_migration
from graftport_dagster.records import ResourceType, SourceRecord
from graftport_dagster.shopify.payload import check
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.opening import open_source

NOW = "2026-06-15T12:00:00+00:00"
TYPES = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS)
SAMPLE = Path(__file__).parents[2] / "../shared/data/magento2-sample-data/app/code/Magento"


def packaged(resource_type: ResourceType) -> Mapping:
    migration = Migration(slug="m", folder=Path("/nowhere"), source=FilesSettings(platform="magento"))
    return Mapping.compile(text_of(migration, resource_type).text, name=f"{resource_type}.jsonata")


PRODUCT = packaged(ResourceType.PRODUCTS)


def mapped(row: dict[str, Any], **settings: Any) -> tuple[dict[str, Any], list[str]]:
    """The checked input and the codes of the warnings."""
    bindings = {"settings": settings, "publications": ["Online Store"], "platform": "magento", "now": NOW}
    found = PRODUCT.evaluate(row, bindings, record_id=str(row.get("sku")))
    envelope, problems = check(ResourceType.PRODUCTS, found.value)
    assert problems == []
    assert envelope["publications"] == ["Online Store"]
    return envelope["input"], [code for code, _ in found.warnings]


def simple(**cells: Any) -> dict[str, Any]:
    row = {
        "sku": "24-MB01", "product_type": "simple", "name": "Joust Bag", "price": "34.0000", "weight": "1.5",
        "categories": [], "additional_attributes": {}, "images": [], "options": [], "variants": [], "store_views": {},
    }  # fmt: skip
    return {**row, **cells}


def child(sku: str, size: str, **cells: Any) -> dict[str, Any]:
    return {"sku": sku, "option_values": {"size": size}, "additional_attributes": {}, "images": [], **cells}


def configurable(*variants: dict[str, Any], **cells: Any) -> dict[str, Any]:
    sizes = [variant["option_values"]["size"] for variant in variants]
    options = [{"code": "size", "label": "Size", "values": sizes}]
    return simple(product_type="configurable", options=options, variants=list(variants), **cells)


@pytest.mark.parametrize("resource_type", TYPES)
def test_packaged_mappings_have_nothing_to_remark_on(resource_type: ResourceType) -> None:
    assert packaged(resource_type).remarks == ()


def test_a_simple_product_has_the_one_default_variant() -> None:
    product, warnings = mapped(simple(), weight_unit="kg")
    assert product["title"] == "Joust Bag"
    assert product["handle"] == "joust-bag"
    assert product["status"] == "DRAFT"
    assert product["productOptions"] == [{"name": "Title", "values": [{"name": "Default Title"}]}]
    assert product["variants"] == [
        {
            "optionValues": [{"optionName": "Title", "name": "Default Title"}], "sku": "24-MB01", "price": "34.00",
            "inventoryPolicy": "DENY",
            "inventoryItem": {
                "tracked": False, "requiresShipping": True,
                "measurement": {"weight": {"value": 1.5, "unit": "KILOGRAMS"}},
            },
        }
    ]  # fmt: skip
    assert warnings == []


def test_what_a_row_does_not_give_is_left_out() -> None:
    product, _ = mapped({"sku": "A", "price": "1", "product_type": "simple"})
    assert product["title"] == "A"
    assert set(product) == {"title", "handle", "status", "productOptions", "variants"}


def test_variants_come_in_order_with_the_parents_price_where_they_have_none() -> None:
    product, _ = mapped(configurable(child("B-S", "S", price="30"), child("B-M", "M"), price="34"))
    assert product["productOptions"] == [{"name": "Size", "values": [{"name": "S"}, {"name": "M"}]}]
    assert [(v["sku"], v["price"], v["optionValues"]) for v in product["variants"]] == [
        ("B-S", "30.00", [{"optionName": "Size", "name": "S"}]),
        ("B-M", "34.00", [{"optionName": "Size", "name": "M"}]),
    ]  # fmt: skip


def test_a_single_variant_stays_a_list() -> None:
    product, _ = mapped(configurable(child("B-S", "S", price="30")))
    assert len(product["variants"]) == 1
    assert product["productOptions"][0]["values"] == [{"name": "S"}]


@pytest.mark.parametrize(
    ("cells", "price", "before"),
    [
        ({"special_price": "20"}, "20.00", "34.00"),
        ({"special_price": "40"}, "34.00", None),
        ({"special_price": "20", "special_price_to_date": "2026-06-15"}, "20.00", "34.00"),
        ({"special_price": "20", "special_price_to_date": "6/14/26"}, "34.00", None),
        ({"special_price": "20", "special_price_from_date": "2026-06-15 00:00:00"}, "20.00", "34.00"),
        ({"special_price": "20", "special_price_from_date": "2026-06-16"}, "34.00", None),
        ({"special_price": "9.50"}, "9.50", "34.00"),
        ({"special_price": "20", "special_price_to_date": "9999-12-31"}, "20.00", "34.00"),
    ],
)
def test_a_special_price_of_today_is_the_price(cells: dict[str, str], price: str, before: str | None) -> None:
    product, _ = mapped(simple(**cells))
    variant = product["variants"][0]
    assert (variant["price"], variant.get("compareAtPrice")) == (price, before)


def test_the_days_of_a_special_price_are_the_shops() -> None:
    cells = simple(special_price="20", special_price_to_date="2026-06-14")
    assert mapped(cells, time_zone="Pacific/Pago_Pago")[0]["variants"][0]["price"] == "34.00"
    late = {"settings": {"time_zone": "Pacific/Pago_Pago"}, "publications": [], "now": "2026-06-15T10:00:00Z"}
    assert PRODUCT.evaluate(cells, late, record_id="").value["input"]["variants"][0]["price"] == "20.00"


@pytest.mark.parametrize(
    ("cells", "settings", "quantity", "policy", "warned"),
    [
        ({"qty": "5.0000", "manage_stock": "1"}, {}, 5, "DENY", False),
        ({"qty": "5", "manage_stock": "0", "use_config_manage_stock": "1"}, {}, 5, "DENY", False),
        ({"qty": "5", "use_config_manage_stock": "1"}, {"manage_stock": False}, None, "DENY", False),
        ({"qty": "5", "manage_stock": "0", "use_config_manage_stock": "0"}, {}, None, "DENY", False),
        ({"qty": "5", "manage_stock": "1", "is_in_stock": "0"}, {}, 0, "DENY", True),
        ({"qty": "0", "manage_stock": "1", "is_in_stock": "0"}, {}, 0, "DENY", False),
        ({"qty": "-2", "manage_stock": "1", "allow_backorders": "1"}, {}, -2, "CONTINUE", False),
        ({"qty": "2", "manage_stock": "1", "allow_backorders": "1", "use_config_backorders": "1"},
         {}, 2, "DENY", False),
        ({"manage_stock": "1"}, {}, None, "DENY", False),
    ],
)  # fmt: skip
def test_stock_is_sent_where_it_is_kept(
    cells: dict[str, str], settings: dict[str, Any], quantity: int | None, policy: str, warned: bool
) -> None:
    product, warnings = mapped(simple(**cells), weight_unit="kg", **settings)
    variant = product["variants"][0]
    assert variant["inventoryPolicy"] == policy
    assert variant["inventoryItem"]["tracked"] is (quantity is not None)
    assert ("MARKED_OUT_OF_STOCK" in warnings) is warned
    if quantity is None:
        assert "inventoryQuantities" not in variant
    else:
        place = {"$ref": {"resource_type": "locations", "source_id": "default"}}
        assert variant["inventoryQuantities"] == [{"locationId": place, "name": "available", "quantity": quantity}]


@pytest.mark.parametrize(
    ("cells", "setting", "status"),
    [
        ({"product_online": "1"}, None, "DRAFT"),
        ({"product_online": "2"}, "ACTIVE", "ACTIVE"),
        ({"product_online": "1", "visibility": "Catalog, Search"}, "as_source", "ACTIVE"),
        ({"product_online": "1", "visibility": "Not Visible Individually"}, "as_source", "UNLISTED"),
        ({"product_online": "2"}, "as_source", "DRAFT"),
        ({"product_online": "1", "price": None}, "ACTIVE", "DRAFT"),
    ],
)
def test_the_status_follows_the_setting_and_never_sells_for_nothing(
    cells: dict[str, Any], setting: str | None, status: str
) -> None:
    row = {key: value for key, value in simple(**cells).items() if value is not None}
    product, warnings = mapped(row, **({"status": setting} if setting else {}))
    assert product["status"] == status
    assert ("NO_PRICE" in warnings) is ("price" not in row)


def test_a_product_with_one_variant_without_a_price_is_not_on_sale() -> None:
    row = configurable(child("B-S", "S", price="30"), child("B-M", "M"), product_online="1", price=None)
    product, warnings = mapped(row, status="as_source")
    assert product["status"] == "DRAFT"
    assert "NO_PRICE" in warnings


def test_images_go_with_the_product_and_each_variants_first_with_it() -> None:
    own = [{"file": "/b/a.jpg", "label": "Front", "roles": ["base"]}, {"file": "/b/b.jpg", "label": "", "roles": []}]
    small = child("B-S", "S", price="1", images=[{"file": "/b/s.jpg", "label": "", "roles": ["base"]}])
    same = child("B-M", "M", price="1", images=[{"file": "/b/a.jpg", "label": "", "roles": ["base"]}])
    product, warnings = mapped(
        configurable(small, same, images=own), media_base_url="https://x.example/p", weight_unit="kg"
    )
    assert [(file["originalSource"], file["alt"]) for file in product["files"]] == [
        ("https://x.example/p/b/a.jpg", "Front"), ("https://x.example/p/b/b.jpg", "Joust Bag"),
        ("https://x.example/p/b/s.jpg", "Joust Bag"),
    ]  # fmt: skip
    assert [variant["file"]["originalSource"][-5:] for variant in product["variants"]] == ["s.jpg", "a.jpg"]
    assert warnings == []


def test_without_the_media_setting_images_are_left_out_with_one_warning() -> None:
    images = [{"file": f"/b/{name}.jpg", "label": "", "roles": []} for name in "abc"]
    product, warnings = mapped(simple(images=images), weight_unit="kg")
    assert "files" not in product
    assert warnings == ["NO_MEDIA_BASE"]


def test_attributes_become_metafields_and_tags() -> None:
    attributes = {
        "has_options": "0", "material": "Wool|Fleece", "climate": "Cool", "eco": "Yes", "care": "Wash\nDry",
        "brand": "Luma", "x": "too short", "empty": "",
    }  # fmt: skip
    product, _ = mapped(
        simple(additional_attributes=attributes, short_description="<p>Soft</p>"),
        tag_attributes=["climate", "material"], list_attributes=["material"],
    )  # fmt: skip
    assert product["vendor"] == "Luma"
    assert product["tags"] == ["Cool", "Wool", "Fleece"]
    assert {(field["key"], field["type"], field["value"]) for field in product["metafields"]} == {
        ("short_description", "multi_line_text_field", "Soft"), ("eco", "boolean", "true"),
        ("care", "multi_line_text_field", "Wash\nDry"),
    }  # fmt: skip
    product, _ = mapped(simple(additional_attributes={"material": "Wool|Fleece", "climate": "Cool|Dry"}),
                        list_attributes=["material"])  # fmt: skip
    assert [(field["type"], field["value"]) for field in product["metafields"]] == [
        ("list.single_line_text_field", '["Wool","Fleece"]'), ("single_line_text_field", "Cool, Dry"),
    ]  # fmt: skip
    assert "tags" not in product


def test_categories_are_references_to_collections() -> None:
    product, _ = mapped(simple(categories=["Default Category/Gear"]))
    assert product["collections"] == [{"$ref": {"resource_type": "collections", "source_id": "Default Category/Gear"}}]


def test_sets_become_one_product_with_their_parts_in_a_metafield() -> None:
    parts = [{"sku": "A", "qty": "1.0"}, {"sku": "B", "qty": "2"}]
    product, warnings = mapped(simple(product_type="grouped", associated_skus=parts), weight_unit="kg")
    assert warnings == ["SET_AS_PRODUCT"]
    assert product["metafields"][0]["type"] == "json"
    assert '"sku":"B"' in product["metafields"][0]["value"]


def test_downloads_are_not_shipped() -> None:
    product, warnings = mapped(simple(product_type="downloadable"))
    assert product["variants"][0]["inventoryItem"] == {"tracked": False, "requiresShipping": False}
    assert warnings == []


def test_what_is_left_behind_is_said() -> None:
    row = simple(
        custom_options=[{"name": "Engraving"}], store_views={"de": {"name": "Tasche"}}, product_type="configurable"
    )
    _, warnings = mapped(row, weight_unit="kg")
    assert warnings == ["NO_VARIANTS", "CUSTOM_OPTIONS_LEFT", "STORE_VIEWS_LEFT"]


def test_a_bad_cell_is_an_error_with_its_place_in_the_mapping() -> None:
    with pytest.raises(Exception, match="is not a") as caught:
        mapped(simple(price="about ten"))
    assert "line " in str(caught.value)


@pytest.mark.parametrize(
    ("path", "name", "handle"),
    [
        ("Default Category/Men/Tops", "Tops", "men-tops"), ("Default Category", "Default Category", "default-category"),
        ("Default Category/Bags \\/ Totes", "Bags / Totes", "bags-totes"), ("Default Category/Café", "Café", "cafe"),
    ],
)  # fmt: skip
def test_categories_become_collections_with_a_handle_of_their_path(path: str, name: str, handle: str) -> None:
    found = packaged(ResourceType.COLLECTIONS).evaluate({"path": path, "name": name}, {}, record_id=path).value
    envelope, problems = check(ResourceType.COLLECTIONS, found)
    assert problems == []
    assert envelope["input"] == {"title": name, "handle": handle}


@pytest.mark.parametrize(
    ("row", "hierarchy", "metafields"),
    [
        ({"path": "Default Category", "name": "Default Category", "parent": "", "level": 1}, None, {}),
        ({"path": "Default Category/Bags \\/ Totes", "name": "Bags / Totes", "parent": "Default Category", "level": 2},
         {"in_menu": True}, {"path": "Bags / Totes"}),
        ({"path": "Default Category/Men/Tops", "name": "Tops", "parent": "Default Category/Men", "level": 3},
         {"parent": "Default Category/Men", "in_menu": True}, {"path": "Men / Tops"}),
        ({"id": 5, "name": "Tops", "parent_id": 4, "level": 3, "position": 2, "is_active": True, "path": "1/2/4/5",
          "path_names": ["Default Category", "Men", "Tops"], "include_in_menu": False},
         {"parent": "4", "position": 2, "in_menu": False}, {"path": "Men / Tops", "position": "2"}),
    ],
)  # fmt: skip
def test_a_category_says_where_it_stood(row: Any, hierarchy: Any, metafields: Any) -> None:
    found = packaged(ResourceType.COLLECTIONS).evaluate(row, {}, record_id="c").value
    envelope, problems = check(ResourceType.COLLECTIONS, found)
    assert problems == []
    assert envelope.get("hierarchy") == hierarchy
    assert {it["key"]: it["value"] for it in envelope["input"].get("metafields", ())} == metafields


def test_old_addresses_lead_to_what_was_loaded() -> None:
    row = {"path": "bag.html", "target": {"resource_type": "products", "source_id": "24-MB01"}}
    found = packaged(ResourceType.REDIRECTS).evaluate(row, {}, record_id="bag.html").value
    envelope, problems = check(ResourceType.REDIRECTS, found)
    assert problems == []
    target = {"$ref": {"resource_type": "products", "source_id": "24-MB01"}}
    assert envelope["input"] == {"path": "/bag.html", "target": target}


def all_mapped(migration: Migration) -> Iterator[tuple[str, list[str]]]:
    source = open_source(migration)
    try:
        for resource_type in TYPES:
            mapping = packaged(resource_type)
            for record in source.read(resource_type, None):
                if isinstance(record, SourceRecord):
                    bindings = {"settings": migration.settings, "publications": migration.publications, "now": NOW}
                    value = mapping.evaluate(record.payload, bindings, record_id=record.source_id).value
                    _, problems = check(resource_type, value)
                    yield record.source_id, [f"{problem.path}: {problem.message}" for problem in problems]
    finally:
        source.close()


def test_every_record_of_the_demo_passes_shopifys_schema() -> None:
    found = dict(all_mapped(read_migration(migrations_folder() / "demo.yaml")))
    assert len(found) > 100
    assert {source_id: problems for source_id, problems in found.items() if problems} == {}


@pytest.mark.shared
def test_every_record_of_the_sample_shop_passes_shopifys_schema(tmp_path: Path) -> None:
    export = SAMPLE / "ConfigurableSampleData/fixtures/products.csv"
    if not export.is_file():
        pytest.skip("the sample shop, ../shared/data/magento2-sample-data, is absent")
    source = FilesSettings(
        platform="magento",
        root=str(SAMPLE.resolve()),
        magento_export=FileSpec(path=str(export.resolve()), format="magento_export"),
    )
    settings = {"media_base_url": "https://x.example/media/catalog/product", "status": "as_source"}
    found = list(all_mapped(Migration(slug="sample", folder=tmp_path, source=source, settings=settings)))
    assert len(found) > 2000
    assert [one for one in found if one[1]] == []

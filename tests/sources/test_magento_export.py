"""Magento's native product export: rows become records, and one bad row costs its own record alone."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import FileSpec
from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.files import FileSource

Make = Callable[..., FileSource]
COLLECTIONS, PRODUCTS, REDIRECTS = ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS
FIXTURES = "../shared/data/magento2-sample-data/app/code/Magento/ConfigurableSampleData/fixtures"
COLUMNS = [
    "sku", "store_view_code", "attribute_set_code", "product_type", "categories", "name", "description", "visibility",
    "price", "weight", "qty", "url_key", "base_image", "additional_images", "additional_attributes",
    "configurable_variations", "configurable_variation_labels", "associated_skus", "bundle_values", "custom_options",
]  # fmt: skip
HIDDEN = "Not Visible Individually"


def row(sku: str, kind: str = "simple", **cells: str) -> dict[str, str]:
    usual = {"attribute_set_code": "Top", "name": sku, "visibility": "Catalog, Search", "price": "10"}
    return {"sku": sku, "product_type": kind} | usual | cells


def variant(sku: str, **cells: str) -> dict[str, str]:
    return row(sku, visibility=HIDDEN, url_key=sku.lower(), description="<p>one</p>\n<p>two</p>", **cells)


def parent(sku: str, *sizes: str, **cells: str) -> dict[str, str]:
    named = "|".join(f"sku={sku}-{size},size={size}" for size in sizes)
    return row(sku, "configurable", configurable_variations=named, **cells)


def shirt(sku: str, **cells: str) -> list[dict[str, str]]:
    return [variant(f"{sku}-S"), variant(f"{sku}-M"), parent(sku, "S", "M", **cells)]


def export(*rows: dict[str, str], columns: list[str] = COLUMNS) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def given(source: FileSource, kind: ResourceType = PRODUCTS) -> tuple[dict[str, SourceRecord], list[InvalidRow]]:
    everything = list(source.read(kind, None))
    records = {item.source_id: item for item in everything if isinstance(item, SourceRecord)}
    invalid = [item for item in everything if isinstance(item, InvalidRow)]
    assert len(records) + len(invalid) == len(everything), "no id is given twice"
    return records, invalid


def rows_in(records: dict[str, SourceRecord], invalid: list[InvalidRow]) -> int:
    return sum(item.rows for item in records.values()) + sum(item.rows for item in invalid)


# --- records --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_configurable_product_and_its_simple_ones_are_one_record_wherever_they_stand(
    magento: Make, order: tuple[int, ...]
) -> None:
    rows = shirt("T1", configurable_variation_labels="size=Size")
    records, invalid = given(magento(export(*[rows[place] for place in order])))
    assert not invalid
    record = records["T1"]
    assert (list(records), record.rows) == (["T1"], 3)
    assert [one["sku"] for one in record.payload["variants"]] == ["T1-S", "T1-M"]
    assert [one["option_values"] for one in record.payload["variants"]] == [{"size": "S"}, {"size": "M"}]
    assert record.payload["options"] == [{"code": "size", "label": "Size", "values": ["S", "M"]}]


def test_parent_and_children_may_stand_in_different_files(magento: Make) -> None:
    small, medium, top = shirt("T1")
    records, _ = given(magento(export(small, row("X")), export(top), export(medium)))
    assert {name: record.rows for name, record in records.items()} == {"X": 1, "T1": 3}


def test_a_simple_product_has_no_options_and_keeps_its_columns(magento: Make) -> None:
    plain = row(
        "X", categories="Root/Men,Root", additional_attributes="material=Wool, soft,new=No", base_image="/x.jpg"
    )
    records, _ = given(magento(export(plain)))
    assert records["X"].payload == {
        "sku": "X", "product_type": "simple", "attribute_set_code": "Top", "name": "X", "price": "10",
        "visibility": "Catalog, Search", "categories": ["Root/Men", "Root"],
        "additional_attributes": {"material": "Wool, soft", "new": "No"},
        "images": [{"file": "/x.jpg", "label": "", "roles": ["base"]}], "options": [], "variants": [],
        "store_views": {},
    }  # fmt: skip
    assert records["X"].origin == "products.csv:2"


def test_bundles_and_groups_are_records_beside_the_products_they_name(magento: Make) -> None:
    records, invalid = given(
        magento(
            export(
                row("B", "bundle", bundle_values="name=Ball,type=select,sku=X|name=Strap,sku=Y"),
                row("G", "grouped", associated_skus="X=1.0,Y=2.0"),
                row("X", visibility=HIDDEN), row("Y"), row("V", "virtual"), row("D", "downloadable"),
                row("C", custom_options="name=Engraving,type=field,required=0"),
            )
        )
    )  # fmt: skip
    assert not invalid
    assert list(records) == ["B", "G", "X", "Y", "V", "D", "C"]
    assert [part["sku"] for part in records["B"].payload["bundle_values"]] == ["X", "Y"]
    assert records["G"].payload["associated_skus"] == [{"sku": "X", "qty": "1.0"}, {"sku": "Y", "qty": "2.0"}]
    assert records["C"].payload["custom_options"] == [{"name": "Engraving", "type": "field", "required": "0"}]


def test_continuation_rows_add_values_to_the_row_before_them(magento: Make) -> None:
    more = {
        "sku": "",
        "categories": "Root/B",
        "additional_images": "/y.jpg",
        "additional_attributes": "color=Red,fit=Slim",
    }
    first = row("X", categories="Root/A", base_image="/x.jpg", additional_attributes="color=Blue")
    records, invalid = given(magento(export(first, more, row("Y"))))
    assert not invalid
    payload = records["X"].payload
    assert records["X"].rows == 2
    assert payload["categories"] == ["Root/A", "Root/B"]
    assert [image["file"] for image in payload["images"]] == ["/x.jpg", "/y.jpg"]
    assert payload["additional_attributes"] == {"color": "Blue|Red", "fit": "Slim"}


def test_store_view_rows_keep_only_what_differs(magento: Make) -> None:
    french = {"sku": "T1", "store_view_code": "fr", "product_type": "configurable", "name": "Chemise"}
    small = {"sku": "T1-S", "store_view_code": "fr", "name": "Chemise S", "additional_attributes": "color=Rouge"}
    records, invalid = given(magento(export(*shirt("T1"), french, small)))
    assert not invalid
    assert records["T1"].rows == 5
    assert records["T1"].payload["store_views"] == {"fr": {"name": "Chemise"}}
    assert records["T1"].payload["variants"][0]["store_views"] == {
        "fr": {"name": "Chemise S", "additional_attributes": {"color": "Rouge"}}
    }
    assert "store_views" not in records["T1"].payload["variants"][1]


# --- bad rows -------------------------------------------------------------------------------------


def spoil(rows: list[dict[str, str]], sku: str, **cells: str) -> bytes:
    return export(*[one | cells if one["sku"] == sku else one for one in rows])


@pytest.mark.parametrize(
    ("sku", "cells", "code", "says"),
    [
        ("T1-M", {"price": "abc"}, "BAD_NUMBER", "price is 'abc'"),
        ("T1", {"weight": "heavy"}, "BAD_NUMBER", "weight"),
        ("T1-M", {"qty": "NaN"}, "BAD_NUMBER", "qty"),
        ("T1-M", {"attribute_set_code": ""}, "ATTRIBUTE_SET", "is empty"),
        ("T1-M", {"attribute_set_code": "Botom"}, "ATTRIBUTE_SET", "Botom"),
        ("T1-M", {"product_type": ""}, "NO_PRODUCT_TYPE", "empty"),
        ("T1-M", {"product_type": "simpel"}, "VARIANT_TYPE", "simpel"),
        ("T1-M", {"additional_attributes": "nonsense"}, "BAD_ATTRIBUTES", "nonsense"),
        ("T1", {"configurable_variations": "sku=T1-S,size=S|sku=T1-M,color=Red"}, "BAD_VARIATIONS", "other options"),
        ("T1", {"additional_attributes": "nonsense"}, "BAD_ATTRIBUTES", "nonsense"),
    ],
)
def test_one_bad_row_costs_its_own_record_alone(
    magento: Make, sku: str, cells: dict[str, str], code: str, says: str
) -> None:
    rows = [*shirt("T0"), *shirt("T1"), *shirt("T2"), row("X")]
    records, invalid = given(magento(spoil(rows, sku, **cells)))
    assert list(records) == ["T0", "T2", "X"]
    assert [(one.source_id, one.code, one.rows, one.rows_invalid) for one in invalid] == [("T1", code, 3, 1)]
    assert says in invalid[0].reason
    assert sku in invalid[0].reason
    assert invalid[0].hint
    assert invalid[0].raw
    assert rows_in(records, invalid) == 10


def physical(content: bytes, sku: str, change: Callable[[bytes], bytes]) -> bytes:
    """The export with the row of that SKU (several physical lines) changed."""
    start = content.index(f"\n{sku},".encode()) + 1
    following = [place for place in (content.find(f"\n{other}".encode(), start) for other in ("T", "X")) if place > 0]
    end = min(following, default=len(content) - 1) + 1
    return content[:start] + change(content[start:end]) + content[end:]


DAMAGES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("opening quote lost", lambda raw: raw.replace(b',"<p>', b",<p>", 1)),
    ("closing quote lost", lambda raw: raw.replace(b'</p>",', b"</p>,", 1)),
    ("quote inside", lambda raw: raw.replace(b"one", b'o"ne', 1)),
    ("separator lost", lambda raw: raw.replace(b",Top,", b",Top", 1)),
    ("separator too many", lambda raw: raw.replace(b",Top,", b",Top,,", 1)),
    ("bytes that are no text", lambda raw: raw.replace(b"two", b"tw\xff", 1)),
    ("NUL", lambda raw: raw.replace(b"two", b"tw\0", 1)),
]


@pytest.mark.parametrize(("damage", "change"), DAMAGES, ids=[name for name, _ in DAMAGES])
@pytest.mark.parametrize("sku", ["T1-S", "T1-M"])
def test_a_damaged_row_of_a_variant_costs_its_own_product_alone(
    magento: Make, sku: str, damage: str, change: Callable[[bytes], bytes]
) -> None:
    content = export(*shirt("T0"), *shirt("T1"), *shirt("T2"), row("X"))
    records, invalid = given(magento(physical(content, sku, change)))
    assert list(records) == ["T0", "T2", "X"]
    assert [(one.source_id, one.rows, one.rows_invalid) for one in invalid] == [("T1", 3, 1)]
    assert invalid[0].origin == f"products.csv:{9 if sku == 'T1-M' else 7}"


def test_a_variant_whose_sku_cannot_be_read_does_not_vanish_from_its_product(magento: Make) -> None:
    content = export(*shirt("T0"), *shirt("T1"), row("X")).replace(b"\nT1-S,", b"\nT1\xff-S,")
    source = magento(content)
    records, invalid = given(source)
    assert list(records) == ["T0", "X"]
    assert [(one.source_id, one.code, one.rows, one.rows_invalid) for one in invalid] == [
        ("", "NOT_UTF8", 1, 1), ("T1", "MISSING_VARIANT_ROW", 2, 0),
    ]  # fmt: skip
    assert "T1-S" in invalid[1].reason
    assert not source.conclusive(PRODUCTS)


def test_an_unreadable_parent_does_not_turn_its_variants_into_products(magento: Make) -> None:
    content = export(*shirt("T0"), *shirt("T1"), row("X"))
    for broken in (
        content.replace(b"\nT1,,Top,configurable", b'\nT1,,"Top,configurable'),
        content.replace(b"\nT1,,Top,configurable", b'\n"T1,,Top,configurable'),
        content.replace(b"\nT1,,Top,configurable,", b"\nT1,,Top"),
        content.replace(b'\nT1,,Top,configurable', b"\nT\xff1,,Top,configurable"),
        content.replace(b'sku=T1-S,size=S', b"sku=T1\xff-S,size=S"),
        content.replace(b'sku=T1-S,size=S', b"sku=T1-"),
    ):  # fmt: skip
        records, invalid = given(magento(broken))
        assert {"T0", "X"} <= records.keys() <= {"T0", "X", "T1"}
        assert invalid
        assert rows_in(records, invalid) == 7


def test_hidden_parts_of_a_bundle_are_read_beside_an_unreadable_row(magento: Make) -> None:
    content = export(
        row("B", "bundle", bundle_values="name=Part,sku=P"), row("P", visibility=HIDDEN), *shirt("T1")
    ).replace(b"\nT1,,Top,configurable", b'\n"T1,,Top,configurable')  # fmt: skip
    assert list(given(magento(content))[0]) == ["B", "P"]


def test_a_variant_of_two_products_belongs_to_the_first(magento: Make) -> None:
    second = row("T2", "configurable", configurable_variations="sku=T1-S,size=S")
    records, invalid = given(magento(export(*shirt("T1"), second)))
    assert list(records) == ["T1"]
    assert [(one.source_id, one.code, one.rows) for one in invalid] == [("T2", "SHARED_VARIANT", 1)]
    assert "T1-S" in invalid[0].reason
    assert "T1 already (products.csv:2)" in invalid[0].reason


def test_a_product_that_names_another_configurable_as_its_variant_is_refused(magento: Make) -> None:
    records, invalid = given(
        magento(export(*shirt("T1"), row("T2", "configurable", configurable_variations="sku=T1,size=S")))
    )
    assert list(records) == ["T1"]
    assert [(one.source_id, one.code) for one in invalid] == [("T2", "VARIANT_TYPE")]


def test_a_second_row_with_the_same_sku_contradicts_the_first(magento: Make) -> None:
    records, invalid = given(magento(export(*shirt("T1"), row("X"), variant("T1-S"))))
    assert list(records) == ["X"]
    assert [(one.source_id, one.code, one.rows, one.rows_invalid, one.origin) for one in invalid] == [
        ("T1", "DUPLICATE_ID", 4, 1, "products.csv:8")
    ]


def test_a_store_view_row_without_a_row_of_its_own_is_named(magento: Make) -> None:
    records, invalid = given(magento(export(row("X"), {"sku": "Y", "store_view_code": "fr", "name": "Why"})))
    assert list(records) == ["X"]
    assert [(one.source_id, one.code) for one in invalid] == [("Y", "NO_DEFAULT_ROW")]


def test_a_continuation_row_with_nothing_to_continue_is_named(magento: Make) -> None:
    records, invalid = given(magento(export({"sku": "", "categories": "Root/B"}, row("X"))))
    assert list(records) == ["X"]
    assert [(one.source_id, one.code) for one in invalid] == [("", "NO_ID")]


def test_known_attribute_sets_can_be_listed(magento: Make) -> None:
    rows = [row("X"), row("Y", attribute_set_code="Tpo"), row("Z", attribute_set_code="Gear")]
    records, invalid = given(magento(export(*rows), attribute_sets=["Top", "Gear"]))
    assert list(records) == ["X", "Z"]
    assert [(one.source_id, one.code) for one in invalid] == [("Y", "ATTRIBUTE_SET")]
    assert "known are Gear, Top" in invalid[0].reason


def test_a_file_without_attribute_sets_at_all_is_read(magento: Make) -> None:
    columns = ["sku", "product_type", "name"]
    content = export({"sku": "X", "product_type": "simple", "name": "Ex"}, columns=columns)
    assert list(given(magento(content))[0]) == ["X"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"sku,name\nX,Ex\n", "no column product_type"),
        (b"name,price\nEx,1\n", "no column sku, product_type"),
        (b"sku,product_type\n", "no rows"),
        (b"", "empty"),
        (b"sku,product_type,a,b,c,d\nX,simple,1,2,3,4\nY,simple,\"cut", "cut off"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused_as_a_whole(magento: Make, content: bytes, says: str) -> None:
    source = magento(content)
    for kind in (COLLECTIONS, PRODUCTS, REDIRECTS):
        with pytest.raises(ConfigurationError, match=says):
            list(source.read(kind, None))


# --- collections and redirects --------------------------------------------------------------------


def test_every_distinct_category_path_is_a_collection(magento: Make) -> None:
    source = magento(
        export(row("X", categories="Root/Men/Hats & Caps,Root"), row("Y", categories="Root/Men/Hats & Caps"))
    )
    records, _ = given(source, COLLECTIONS)
    assert [record.payload for record in records.values()] == [
        {"path": "Root/Men/Hats & Caps", "name": "Hats & Caps", "parent": "Root/Men", "level": 3,
         "url_path": "men/hats-caps"},
        {"path": "Root", "name": "Root", "parent": "", "level": 1, "url_path": ""},
    ]  # fmt: skip


def test_implied_categories_can_be_added(magento: Make) -> None:
    source = magento(export(row("X", categories="Root/Men/Hats,Root")), category_ancestors=True)
    assert list(given(source, COLLECTIONS)[0]) == ["Root/Men", "Root/Men/Hats", "Root"]


def test_every_old_address_leads_to_its_product_or_collection(magento: Make) -> None:
    source = magento(export(*shirt("T1", name="Tee & Co"), row("X", url_key="ex", categories="Root/Men,Root")))
    records, invalid = given(source, REDIRECTS)
    assert not invalid
    assert {path: record.payload["target"]["source_id"] for path, record in records.items()} == {
        "/t1-s.html": "T1", "/t1-m.html": "T1", "/tee-co.html": "T1", "/ex.html": "X", "/men.html": "Root/Men",
    }  # fmt: skip
    assert records["/t1-s.html"].payload["sku"] == "T1-S"
    assert records["/men.html"].payload["category"] == "Root/Men"


def test_addresses_of_hidden_products_can_be_left_out_and_the_suffix_chosen(magento: Make) -> None:
    source = magento(export(*shirt("T1")), hidden_addresses=False, address_suffix="")
    assert list(given(source, REDIRECTS)[0]) == ["/t1"]


def test_two_claims_to_one_address_name_both_and_the_first_stands(magento: Make) -> None:
    source = magento(export(row("X", url_key="same"), row("Y", url_key="same"), row("Z")))
    records, invalid = given(source, REDIRECTS)
    assert list(records) == ["/same.html", "/z.html"]
    assert records["/same.html"].payload["sku"] == "X"
    assert [(one.code, one.source_id) for one in invalid] == [("DUPLICATE_ADDRESS", "/same.html#Y")]
    assert "X (products.csv:2)" in invalid[0].reason
    assert "Y" in invalid[0].reason


def test_a_store_view_may_repeat_the_address_of_its_product(magento: Make) -> None:
    view = {"sku": "X", "store_view_code": "fr", "url_key": "ex"}
    other = {"sku": "X", "store_view_code": "de", "url_key": "ix"}
    records, invalid = given(magento(export(row("X", url_key="ex"), view, other)), REDIRECTS)
    assert (list(records), invalid) == (["/ex.html", "/ix.html"], [])


def test_a_bad_product_keeps_its_address(magento: Make) -> None:
    records, _ = given(magento(export(row("X", url_key="ex", price="abc"), row("Y"))), REDIRECTS)
    assert list(records) == ["/ex.html", "/y.html"]


# --- reading --------------------------------------------------------------------------------------


def test_the_scratch_database_is_deleted(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    source = FileSource(FilesSettings(magento_export=FileSpec(path="products.csv")), tmp_path, scratch)
    (tmp_path / "products.csv").write_bytes(b"sku,product_type\n")
    with pytest.raises(ConfigurationError):
        list(source.read(PRODUCTS, None))
    assert not list(scratch.iterdir())
    (tmp_path / "products.csv").write_bytes(export(row("X")))
    assert len(list(source.read(PRODUCTS, None))) == 1
    assert list(scratch.iterdir())
    source.close()
    assert not list(scratch.iterdir())


def test_an_export_may_be_named_as_the_file_of_products(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_bytes(export(*shirt("T1")))
    files = {PRODUCTS: FileSpec(path="products.csv", format="magento_export")}
    source = FileSource(FilesSettings(files=files), tmp_path)
    assert source.resource_types() == (COLLECTIONS, PRODUCTS, REDIRECTS)
    assert list(given(source)[0]) == ["T1"]
    source.close()


def test_a_plain_file_takes_the_place_of_derived_redirects(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_bytes(export(row("X")))
    (tmp_path / "redirects.csv").write_text("path,target\n/old,/new\n")
    settings = FilesSettings(
        magento_export=FileSpec(path="products.csv"), files={REDIRECTS: FileSpec(path="redirects.csv")}
    )
    source = FileSource(settings, tmp_path)
    assert [item.source_id for item in source.read(REDIRECTS, None)] == ["/old"]
    source.close()


@pytest.fixture
def sample() -> Iterator[FileSource]:
    folder = Path(__file__).parents[2] / FIXTURES
    if not folder.is_dir():
        pytest.skip(f"{FIXTURES} is not there")
    source = FileSource(FilesSettings(platform="magento", magento_export=FileSpec(path="products.csv")), folder)
    yield source
    source.close()


@pytest.mark.shared
def test_the_sample_shop_gives_its_known_numbers(sample: FileSource) -> None:
    products, invalid = given(sample)
    assert not invalid
    assert len(products) == 147
    assert sum(len(record.payload["variants"]) for record in products.values()) == 1847
    assert rows_in(products, invalid) == 1994
    assert Counter(record.rows for record in products.values()).total() == 147
    collections, invalid = given(sample, COLLECTIONS)
    assert (len(collections), invalid) == (21, [])
    redirects, invalid = given(sample, REDIRECTS)
    assert (len(redirects), invalid) == (1847 + 147 + 20, [])
    assert sample.check()[0].ok


@pytest.mark.shared
def test_damaging_any_row_of_the_sample_shop_costs_one_product(sample: FileSource, tmp_path: Path) -> None:
    content = (Path(__file__).parents[2] / FIXTURES / "products.csv").read_bytes()
    whole: dict[str, Any] = {sku: record.payload for sku, record in given(sample)[0].items()}
    quotes = [place for place, byte in enumerate(content) if byte == ord('"')]
    for quote in quotes[100 :: len(quotes) // 12]:
        (tmp_path / "products.csv").write_bytes(content[:quote] + content[quote + 1 :])
        source = FileSource(FilesSettings(magento_export=FileSpec(path="products.csv")), tmp_path)
        records, invalid = given(source)
        source.close()
        assert all(record.payload == whole[sku] for sku, record in records.items())
        assert len(records) == 146
        assert {one.source_id for one in invalid} == whole.keys() - records.keys()

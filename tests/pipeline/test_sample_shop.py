"""A real shop's catalogue lands, and lands again without a change (Magento's sample shop)."""

from collections.abc import Callable
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import Result

pytestmark = pytest.mark.shared
Shop = Any


def test_the_whole_catalogue_lands_and_every_row_is_accounted_for(sample: Shop) -> None:
    ran = sample.run()
    assert ran.run.result is Result.SUCCEEDED
    assert ran.counts("products extract") == {"rows_read": 1994, "rows_in_records": 1994, "read": 147, "new": 147}
    assert ran.counts("products load") == {"in_scope": 147, "created": 147}
    assert ran.counts("collections load") == {"in_scope": 21, "created": 21}
    assert ran.counts("redirects load") == {"in_scope": 2014, "created": 2014}
    assert ran.items["products load"].api_calls <= 147 * 1.05
    products = sample.objects("Product")
    assert len(products) == 147
    assert sum(len(product["variants"]) for product in products) == 1847
    assert len(sample.objects("Collection")) == 21
    assert len(sample.objects("UrlRedirect")) == 2014


def test_every_category_has_its_members_and_every_address_leads_to_its_product(sample: Shop) -> None:
    sample.run()
    by_id = {product["id"]: product for product in sample.objects("Product")}
    titles = {collection["id"]: collection["handle"] for collection in sample.objects("Collection")}
    hoodie = next(product for product in by_id.values() if product["title"] == "Chaz Kangeroo Hoodie")
    members = {titles[collection] for collection in hoodie["collections"]}
    assert members == {"men-tops-hoodies-sweatshirts", "collections-eco-friendly", "default-category"}
    assert [option["name"] for option in hoodie["options"]] == ["Size", "Color"]
    assert {variant["price"] for variant in hoodie["variants"]} == {"52.00"}
    assert len(hoodie["variants"]) == 15
    redirects = {redirect["path"]: redirect["target"] for redirect in sample.objects("UrlRedirect")}
    assert redirects["/chaz-kangeroo-hoodie-xs-black.html"] == "/products/chaz-kangeroo-hoodie"
    assert redirects["/chaz-kangeroo-hoodie.html"] == "/products/chaz-kangeroo-hoodie"
    assert redirects["/men/tops/jackets.html"] == "/collections/men-tops-jackets"


def test_a_second_run_writes_nothing_and_one_changed_price_sends_one_product(sample: Shop) -> None:
    sample.run()
    writes = sample.writes()
    again = sample.run()
    assert again.run.result is Result.UNCHANGED
    assert {item.result for item in again.items.values()} == {Result.UNCHANGED}
    assert sample.writes() == writes
    sample.replace('"Not Visible Individually",52,', '"Not Visible Individually",53.50,')
    changed = sample.run()
    assert changed.counts("products load") == {"in_scope": 147, "unchanged": 146, "updated": 1}
    assert sample.writes() == writes + 1


def _no_sku(text: str) -> str:
    return text.replace("\nMH01-S-Gray,,Top", "\n,,Top", 1)


def _bad_price(text: str) -> str:
    at = text.index("\nMH01-S-Gray,,Top")
    return text[:at] + text[at:].replace('"Not Visible Individually",52,', '"Not Visible Individually",abc,', 1)


def _attribute_set(text: str) -> str:
    return text.replace("\nMH01-S-Gray,,Top", "\nMH01-S-Gray,,Nonsense", 1)


def _quoting(text: str) -> str:
    return text.replace('\nMH01-S-Gray,,Top,simple,"Default', '\nMH01-S-Gray,,Top,simple,"Def"ault', 1)


def _bytes(text: str) -> str:
    return text.replace('base,"Chaz Kangeroo Hoodie-S-Gray"', 'base,"Chaz \udcff Hoodie-S-Gray"', 1)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_no_sku, "MISSING_VARIANT_ROW"), (_bad_price, "BAD_NUMBER"), (_attribute_set, "ATTRIBUTE_SET"),
        (_quoting, "BROKEN_QUOTING"), (_bytes, "NOT_UTF8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_first_run", [True, False], ids=["first run", "later run"])
def test_a_bad_row_sets_its_own_product_aside_and_nothing_else(
    sample: Shop, damage: Callable[[str], str], code: str, is_first_run: bool
) -> None:
    whole = sample.export.read_text(encoding="utf-8")
    if not is_first_run:
        sample.run()
    damaged = damage(whole)
    assert damaged != whole
    sample.export.write_bytes(damaged.encode(errors="surrogateescape"))
    ran = sample.run()
    assert ran.run.result is Result.COMPLETED_WITH_ERRORS
    extracted = ran.counts("products extract")
    assert extracted["errored"] == 1
    assert extracted["rows_read"] == extracted["rows_in_records"] + extracted.get("rows_invalid", 0) == 1994
    (incomplete,) = [record for record in sample.incomplete() if record["resource_type"] == "products"]
    assert (incomplete["source_id"], incomplete["code"]) == ("MH01", code)
    assert incomplete["hint"]
    assert "products.csv:" in incomplete["path"] + incomplete["message"], "a person is told the line"
    products = {product["title"]: product for product in sample.objects("Product")}
    assert len(products) == (146 if is_first_run else 147)
    if not is_first_run:
        assert len(products["Chaz Kangeroo Hoodie"]["variants"]) == 15
    sample.export.write_text(whole, encoding="utf-8")
    mended = sample.run()
    assert mended.run.result in (Result.SUCCEEDED, Result.UNCHANGED)
    assert sample.incomplete() == []
    assert len(sample.objects("Product")) == 147


def test_a_file_cut_off_at_a_line_end_deletes_nothing(sample: Shop) -> None:
    sample.run()
    lines = sample.export.read_text(encoding="utf-8").split("\nMH05-XS")[0] + "\n"
    sample.export.write_text(lines, encoding="utf-8")
    ran = sample.run()
    assert "deleted_at_source" not in ran.counts("products extract")
    assert any("missing from the source" in note for note in ran.items["products extract"].notes)
    assert ran.counts("products load") == {"in_scope": 147, "unchanged": 147}
    assert len(sample.objects("Product")) == 147


@pytest.mark.parametrize("kind", ["empty", "header only", "cut in a cell", "picture", "folder", "absent"])
def test_a_file_that_is_no_export_is_refused_in_a_sentence_and_nothing_stored_is_lost(sample: Shop, kind: str) -> None:
    sample.run()
    whole = sample.export.read_bytes()
    sample.export.unlink()
    if kind == "folder":
        sample.export.mkdir()
    elif kind != "absent":
        content = {
            "empty": b"", "header only": whole.split(b"\n")[0] + b"\n", "cut in a cell": whole[:200_000],
            "picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        }  # fmt: skip
        sample.export.write_bytes(content[kind])
    ran = sample.run()
    assert ran.run.result is Result.FAILED
    assert isinstance(ran.raised["products"], ConfigurationError)
    assert str(ran.raised["products"]).startswith("products.csv: ")
    if kind == "folder":
        sample.export.rmdir()
    sample.export.write_bytes(whole)
    assert sample.run().run.result is Result.UNCHANGED

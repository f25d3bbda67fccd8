"""The small languages in the cells of Magento's export."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftport_dagster.sources.magento_values import (
    CellError,
    associated,
    attributes,
    category_names,
    category_paths,
    check_numbers,
    images,
    option_rows,
    options,
    parent_path,
    slug,
    variations,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size=XS,color=Black", {"size": "XS", "color": "Black"}),
        ("material=Cotton, soft,color=Red", {"material": "Cotton, soft", "color": "Red"}),
        ("climate=All-weather|Cool,new=No", {"climate": "All-weather|Cool", "new": "No"}),
        ('note="said ""so"", and left",size=S', {"note": 'said "so", and left', "size": "S"}),
        ('climate="All, weather"|"Cool",size=S', {"climate": "All, weather|Cool", "size": "S"}),
        ("formula=a=b,size=S", {"formula": "a=b", "size": "S"}),
        ('inch=5" pipe,size=S', {"inch": '5" pipe', "size": "S"}),
        ("empty=,size=S,", {"empty": "", "size": "S"}),
        ("", {}),
    ],
)
def test_attributes_are_split_where_the_next_code_begins(text: str, expected: dict[str, str]) -> None:
    assert attributes(text) == expected


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
        st.text(st.characters(codec="utf-8"), max_size=8),
        max_size=5,
    )
)
def test_any_enclosed_values_survive(values: dict[str, str]) -> None:
    text = ",".join(f'{code}="{value.replace(chr(34), chr(34) * 2)}"' for code, value in values.items())
    assert attributes(text) == values


@pytest.mark.parametrize("text", ["no pair at all", "=x", "size=S,size=M"])
def test_attributes_without_a_code_or_twice_are_an_error(text: str) -> None:
    with pytest.raises(CellError) as error:
        attributes(text)
    assert error.value.code == "BAD_ATTRIBUTES"


def test_variations_keep_their_order_and_give_the_options() -> None:
    found = variations("sku=A-S,size=S,color=Red, warm|sku=A-M,size=M,color=Red, warm|sku=A-B,size=S,color=Blue|green")
    assert [sku for sku, _ in found] == ["A-S", "A-M", "A-B"]
    assert options(found, "size=Size,color=Colour") == [
        {"code": "size", "label": "Size", "values": ["S", "M"]},
        {"code": "color", "label": "Colour", "values": ["Red, warm", "Blue|green"]},
    ]
    assert options([("A", {"shoe_size": "42"})], "")[0]["label"] == "Shoe size"


def test_variations_may_name_the_sku_last() -> None:
    assert variations("size=S,sku=A|size=M,sku=B") == [("A", {"size": "S"}), ("B", {"size": "M"})]


@pytest.mark.parametrize(
    "text", ["size=S", "sku=A,size=S|sku=A,size=M", "sku=A,size=S|sku=B,color=Red", "A|B", "sku=,size=S"]
)
def test_variations_that_contradict_themselves_are_an_error(text: str) -> None:
    with pytest.raises(CellError) as error:
        variations(text)
    assert error.value.code == "BAD_VARIATIONS"


def test_category_paths_are_given_once_with_escapes_kept_apart() -> None:
    assert category_paths("Root/Men,Root,Root/Men") == ("Root/Men", "Root")
    assert category_paths("Root/Bags\\, Totes,Root/A\\/B") == ("Root/Bags, Totes", "Root/A\\/B")
    assert category_paths("Root/Bags, Totes,Root/B") == ("Root/Bags, Totes", "Root/B")
    assert category_paths("Root/A, Root/B") == ("Root/A", "Root/B")
    assert category_names("Root/A\\/B") == ["Root", "A/B"]
    assert (parent_path("Root/A\\/B"), parent_path("Root")) == ("Root", "")


def test_images_are_given_once_with_their_roles_base_first() -> None:
    cells = {
        "base_image": "/b.jpg", "small_image": "/s.jpg", "thumbnail_image": "/b.jpg", "swatch_image": "no_selection",
        "base_image_label": "Front", "additional_images": "/b.jpg,/x.jpg,/y.jpg",
        "additional_image_labels": "Front,Side,Back",
    }  # fmt: skip
    assert images(cells) == [
        {"file": "/b.jpg", "label": "Front", "roles": ["base", "thumbnail"]},
        {"file": "/s.jpg", "label": "", "roles": ["small"]},
        {"file": "/x.jpg", "label": "Side", "roles": []},
        {"file": "/y.jpg", "label": "Back", "roles": []},
    ]


def test_bundles_groups_and_custom_options_are_lists() -> None:
    assert option_rows("name=Ball,type=select,required=1,sku=B-1|name=Strap,type=radio,sku=S-1") == [
        {"name": "Ball", "type": "select", "required": "1", "sku": "B-1"},
        {"name": "Strap", "type": "radio", "sku": "S-1"},
    ]
    assert associated("G-1=2.0000,G-2=0,G-3") == [
        {"sku": "G-1", "qty": "2.0000"}, {"sku": "G-2", "qty": "0"}, {"sku": "G-3", "qty": ""},
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["52", "52.000000", ".5", "+1", " 7 ", "0"])
def test_numbers_as_magento_writes_them_pass(value: str) -> None:
    check_numbers({"price": value, "qty": f"-{value.strip('+ ')}"})


@pytest.mark.parametrize("value", ["abc", "1,234.50", "NaN", "inf", "-1", "12 EUR", "1e3", "٣"])
def test_what_is_no_number_is_an_error_that_names_the_column(value: str) -> None:
    with pytest.raises(CellError, match="price"):
        check_numbers({"price": value})


def test_addresses_are_made_as_magento_makes_them() -> None:
    assert slug("Chaz Kangeroo Hoodie-XS") == "chaz-kangeroo-hoodie-xs"
    assert slug("  Größe & Öl: Ærø  ") == "grosse-ol-aero"
    assert slug("日本") == ""

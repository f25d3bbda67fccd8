"""The functions of ours, at their edges."""

from typing import Any

import pytest

from graftport_dagster.errors import TransformError
from graftport_dagster.mappings.functions import (
    Context,
    attrs,
    decimal,
    handle,
    iso,
    media_url,
    money,
    ref,
    setting,
    split_list,
    truncate,
    unique,
    weight_unit,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (18.225, "18.23"), (2.675, "2.68"), ("1.005", "1.01"), (52, "52.00"), ("17.5000", "17.50"), (0.1 + 0.2, "0.30"),
        (-1.005, "-1.01"), (-0.001, "0.00"), (" 12 ", "12.00"), (".5", "0.50"), ("12.", "12.00"), (1e-7, "0.00"),
        (10**17, "100000000000000000.00"), ("+3", "3.00"),
    ],
)  # fmt: skip
def test_money_rounds_half_up_on_the_decimal_text(value: Any, text: str) -> None:
    assert money(value) == text


@pytest.mark.parametrize(
    "value", ["", "abc", "1,234.50", "1e3", True, [], {}, float("nan"), float("inf"), 10**18, "1.2.3"]
)
def test_what_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(TransformError) as caught:
        money(value)
    assert caught.value.code == "BAD_MONEY"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Chaz Kangeroo Hoodie", "chaz-kangeroo-hoodie"), ("Straße & Café", "strasse-cafe"), ("  --A__B--  ", "a-b"),
        ("Men's", "mens"), ("100% Cotton!", "100-cotton"), ("Ærø Ørsted Łódź", "aero-orsted-lodz"), ("ПОЛО", "поло"),
        ("日本", "日本"), ("x" * 300, "x" * 255), ("a" * 254 + " b", "a" * 254), (12, "12"), ("İstanbul", "istanbul"),
        ("ガラス", "ガラス"), ("हिन्दी की", "हिन्दी-की"), ("เสื้อ", "เสื้อ"), ("한국어", "한국어"),
        ("Sun™ ½ l", "suntm-1-2-l"), ("☀️ Sun ❤️", "sun"),
    ],
)  # fmt: skip
def test_handles_are_made_as_shopify_makes_them(text: Any, expected: str) -> None:
    assert handle(text) == expected


@pytest.mark.parametrize("text", ["", "!!!", "   ", "’"])
def test_a_handle_is_never_empty(text: str) -> None:
    with pytest.raises(TransformError) as caught:
        handle(text)
    assert caught.value.code == "BAD_HANDLE"


@pytest.mark.parametrize(
    ("date", "zone", "expected"),
    [
        ("2024-01-31 10:20:30", None, "2024-01-31T10:20:30Z"),
        ("2024-01-31 10:20:30", "Europe/Berlin", "2024-01-31T09:20:30Z"),
        ("2024-07-31T10:20:30", "Europe/Berlin", "2024-07-31T08:20:30Z"),
        ("2024-01-31", "America/New_York", "2024-01-31T05:00:00Z"),
        ("2024-01-31T10:20:30+02:00", "Europe/Berlin", "2024-01-31T08:20:30Z"),
        ("2024-01-31T10:20:30.999Z", None, "2024-01-31T10:20:30Z"),
        ("1/31/24, 10:20 AM", None, "2024-01-31T10:20:00Z"),
        ("1/31/24, 10:20\u202fPM", None, "2024-01-31T22:20:00Z"),
        ("1/31/2024", None, "2024-01-31T00:00:00Z"),
        ("9999-12-31 23:59:59", "America/New_York", "9999-12-31T23:59:59Z"),
        ("", None, None),
    ],
)
def test_dates_become_utc(date: str, zone: str | None, expected: str | None) -> None:
    assert iso(date, zone) == expected


@pytest.mark.parametrize(("date", "zone", "code"), [
    ("soon", None, "BAD_DATE"), ("2024-13-45", None, "BAD_DATE"), ("31.01.2024", None, "BAD_DATE"),
    (7, None, "BAD_DATE"),
    ("2024-01-31", "Mars/Olympus", "BAD_ZONE"), ("2024-01-31", "../etc/passwd", "BAD_ZONE"),
])  # fmt: skip
def test_what_is_no_date_or_zone_is_refused(date: Any, zone: str | None, code: str) -> None:
    with pytest.raises(TransformError) as caught:
        iso(date, zone)
    assert caught.value.code == code


def test_decimals_are_read_as_shops_write_them() -> None:
    assert [decimal(text) for text in ("100.0000", ".5", "+1", "", " 2 ", 3, 0.25)] == [100, 0.5, 1, None, 2, 3, 0.25]
    for wrong in ("1,5", "abc", True):
        with pytest.raises(TransformError):
            decimal(wrong)


def test_references_hold_text() -> None:
    assert ref("products", 12, "variant", 7) == {
        "$ref": {"resource_type": "products", "source_id": "12", "part": "variant", "part_id": "7"}
    }
    assert ref("products", None) is None


def test_attributes_come_by_code() -> None:
    assert attrs([{"attribute_code": "a", "value": 1}, {"key": "b", "value": [2]}, {"value": 3}, 4]) == {
        "a": 1,
        "b": [2],
    }
    assert attrs({"attribute_code": "a", "value": 1}) == {"a": 1}


def test_lists_stay_lists() -> None:
    assert split_list("only") == ["only"]
    assert split_list("a|b| |c", "|") == ["a", "b", "c"]
    assert split_list(["a, b", "c"]) == ["a", "b", "c"]
    assert unique("a") == ["a"]
    assert unique([1, True, "1", 1.0, {"a": 1}, {"a": 1}]) == [1, True, "1", 1.0, {"a": 1}]


def test_a_cut_is_a_warning() -> None:
    context = Context()
    assert truncate(context, "short", 10) == "short"
    assert context.warnings == []
    assert truncate(context, "a longer text", 9) == "a longer"
    assert context.warnings == [("TRUNCATED", "Cut to 9 characters.")]


def test_images_need_the_setting_and_are_encoded() -> None:
    context = Context({"media_base_url": "https://shop.example/media/catalog/product/"})
    assert media_url(context, "/m/h/a b#1.jpg") == "https://shop.example/media/catalog/product/m/h/a%20b%231.jpg"
    assert media_url(context, "no_selection") is None
    without = Context()
    assert media_url(without, "/a.jpg") is None
    assert media_url(without, "/b.jpg") is None
    assert [code for code, _ in without.warnings] == ["NO_MEDIA_BASE"]


def test_settings_are_found_by_dots() -> None:
    context = Context({"a": {"b": 0}, "x.y": 1, "empty": None})
    found = [setting(context, name, "default") for name in ("a.b", "x.y", "empty", "a.c", "none.at.all")]
    assert found == [0, 1, "default", "default", "default"]


def test_weight_units_are_shopifys_words() -> None:
    assert [weight_unit(Context(), unit) for unit in ("kgs", "LB.", "oz", "Grams")] == [
        "KILOGRAMS", "POUNDS", "OUNCES", "GRAMS",
    ]  # fmt: skip
    assert weight_unit(Context({"weight_unit": "kg"})) == "KILOGRAMS"
    assumed = Context()
    assert weight_unit(assumed) == "POUNDS"
    assert assumed.warnings[0][0] == "WEIGHT_UNIT_ASSUMED"
    with pytest.raises(TransformError):
        weight_unit(Context(), "stone")

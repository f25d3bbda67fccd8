"""A source whose shape changed is said before rows fail because of it."""

import json
from typing import Any

from graftport_dagster.pipeline.shape import Shape
from graftport_dagster.records import JsonObject, Phase, ResourceType
from tests.pipeline.conftest import Shop


def shape_of(*payloads: JsonObject) -> Shape:
    shape = Shape()
    for payload in payloads:
        shape.see(payload)
    return shape


def changes(old: list[JsonObject], new: list[JsonObject]) -> list[str]:
    before = json.loads(json.dumps(shape_of(*old).as_json()))
    return shape_of(*new).changes(before)


def test_nothing_is_said_of_the_same_shape_or_without_one_before() -> None:
    rows: list[JsonObject] = [{"sku": "A", "price": 1}, {"sku": "B", "price": 2}]
    assert changes(rows, list(reversed(rows))) == []
    assert shape_of(*rows).changes(None) == []
    assert changes([], rows) == changes(rows, []) == []


def test_fields_that_vanished_appeared_or_turned_are_named() -> None:
    told = changes(
        [{"sku": "A", "price": 10, "name": "x", "old": 1}], [{"sku": "A", "price": "10 EUR", "name": "", "new": 1}]
    )
    assert told == [
        "Fields that vanished since the last whole read: old.",
        "Fields that are empty now since the last whole read: name.",
        "Fields that are of another kind now since the last whole read: price (number, now text).",
        "Fields that are new since the last whole read: new.",
    ]


def test_fields_within_objects_and_lists_count_but_not_below_what_is_named() -> None:
    old: JsonObject = {"address": {"city": "W", "zip": "1"}, "lines": [{"sku": "A", "tax": 1}], "seo": {"title": "x"}}
    told = changes([old], [{"address": {"city": "W"}, "lines": [{"sku": "A"}]}])
    assert told == ["Fields that vanished since the last whole read: address.zip, lines[].tax, seo."]


def test_what_few_records_have_may_be_missing() -> None:
    rows: list[JsonObject] = [{"sku": str(number)} for number in range(99)]
    assert changes([*rows, {"sku": "x", "rare": 1}], rows) == []
    assert changes(rows, [*rows, {"sku": "x", "rare": 1}]) == []


def test_a_field_that_is_sometimes_null_is_no_other_kind() -> None:
    assert changes([{"a": 1}, {"a": None}], [{"a": None}, {"a": 2}]) == []


def test_many_records_are_looked_at_now_and_then() -> None:
    assert shape_of(*({"a": 1} for _ in range(5500))).as_json() == {"records": 700, "fields": {"a": {"number": 700}}}


def test_a_run_says_what_changed_and_takes_it_as_known_from_then_on(shop: Shop) -> None:
    kinds: dict[str, Any] = {"phases": (Phase.EXTRACT,), "resource_types": (ResourceType.PRODUCTS,)}
    assert shop.run(**kinds).items["products extract"].notes == ()
    text = shop.export.read_text()
    header, _, rest = text.partition("\n")
    assert ",description," in header
    shop.export.write_text(header.replace(",description,", ",texts,") + "\n" + rest)
    notes = shop.run(dry_run=True, **kinds).items["products extract"].notes
    assert any("vanished" in note and "description" in note for note in notes)
    assert shop.run(**kinds).items["products extract"].notes == notes
    assert shop.run(**kinds).items["products extract"].notes == ()

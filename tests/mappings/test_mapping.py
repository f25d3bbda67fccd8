"""One mapping: what is refused before the first record, what a record's error says, what is remarked."""

import pickle
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError, TransformError
from graftport_dagster.mappings import FUNCTIONS, UNDEFINED, Mapping, MappingFunction


def evaluate(text: str, payload: Any = None, **bindings: Any) -> Any:
    mapping = Mapping.compile(text, name="products.jsonata")
    return mapping.evaluate({} if payload is None else payload, bindings, record_id="MH01").value


def refusal(text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        Mapping.compile(text, name="products.jsonata")
    return caught.value


def failure(text: str, payload: Any = None) -> TransformError:
    with pytest.raises(TransformError) as caught:
        evaluate(text, payload)
    return caught.value


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ('{\n  "title": name,\n  "tags": $lowercas(tags)\n}', "NAME_UNKNOWN", "products.jsonata:3:11"),
        ('$eval("1 + 1")', "NAME_REFUSED", "products.jsonata:1:1"),
        ("(\n  $__evaluate_entry := 1\n)", "NAME_REFUSED", "products.jsonata:2:3"),
        ("$__anything", "NAME_REFUSED", "products.jsonata:1:1"),
        ('{"at": $now}', "NAME_REFUSED", "products.jsonata:1:8"),
        ('{\n  "title": name', "S0203", "products.jsonata:2:15"),
        ("[1, 2", "S0203", "products.jsonata:1:5"),
        ('"no end', "S0101", "products.jsonata:1:7"),
        ("/* no end", "S0106", "products.jsonata:1:9"),
        ("name ^^ 1", "S0202", "products.jsonata:1:7"),
        ("/(/", "S0302", "products.jsonata:1:3"),
        ('$match(name, /(?<=a+)b/)', "S0303", "products.jsonata"),
        ('function($x)<n<n>>{ $x }', "S0401", "products.jsonata"),
        ("", "S0207", "products.jsonata:1:1"),
        ("(" * 3000 + "1" + ")" * 3000, "D1011", "products.jsonata"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_mapping_is_refused_with_its_place(text: str, code: str, path: str) -> None:
    error = refusal(text)
    assert (error.code, error.path) == (code, path)


def test_an_unknown_name_comes_with_the_nearest_known_one() -> None:
    assert "Did you mean $lowercase?" in refusal("$lowercas(name)").message


def test_names_bound_anywhere_in_the_mapping_are_known() -> None:
    assert evaluate("($a := 1; $f := function($b) { $a + $b }; items@$i#$n.($f(1)))", {"items": [1]}) == 2
    assert evaluate("items@$i#$n.[$i, $n]", {"items": [7, 8]}) == [7, 0, 8, 1]


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ('{\n  "price": $money(price)\n}', "BAD_MONEY", "line 2, column 12"),
        ("1 +\n name", "T2002", "line 1, column 3"),
        ("$uppercase(1)", "T0410", "line 1, column 1"),
        ('$error("stop here")', "D3137", "line 1, column 1"),
        ("$number(name)", "D3030", "line 1, column 1"),
        ("$toMillis(name)", "D3110", "line 1, column 1"),
        ('1 < "2"', "T2009", "line 1, column 3"),
        ("[1.5..3]", "T2003", "line 1, column 5"),
        ("$map([1, 2], function($v) { $v + name })", "T2002", "line 1, column 32"),
        ("name.nothing()", "T1006", "line 1, column 6"),
        ("1 / 0 + 1", "D1001", "line 1, column 7"),
        ("-name", "D1002", "line 1, column 1"),
        ('name ~> $map("x")', "T0410", "line 1, column 9"),
        ("[1,\n -name]", "D1002", "line 2, column 2"),
        ('{name: 1, "abc": 2}', "D1009", "line 1, column 1"),
        ('{"a": {\n  "b": {items: 1}\n}}', "T1003", "line 2, column 8"),
        ('[1,\n items{a: 1}]', "T1003", "line 2, column 7"),
        ('items^(a)', "T2007", "line 1, column 6"),
    ],
)  # fmt: skip
def test_an_error_names_code_place_record_and_mapping(text: str, code: str, path: str) -> None:
    error = failure(text, {"name": "abc", "price": "about ten", "items": [{"a": 1}, {"a": "x"}]})
    assert (error.code, error.path) == (code, path)
    assert "Record MH01" in error.message
    assert "products.jsonata" in error.message


def test_endless_recursion_is_an_error_of_the_record() -> None:
    assert failure("($f := function($x) { 1 + $f($x) }; $f(1))").code == "D1011"


def test_a_function_in_the_result_is_an_error() -> None:
    assert failure('{"title": $uppercase}').code == "BAD_RESULT"


def test_nothing_crosses_from_one_record_to_the_next() -> None:
    mapping = Mapping.compile("[a ? $x := a, $x]", name="m")
    assert mapping.evaluate({"a": 5}, {}, record_id="1").value == [5, 5]
    assert mapping.evaluate({"a": None}, {}, record_id="2").value is not None
    assert mapping.evaluate({"a": None}, {}, record_id="2").value == []


def test_warnings_belong_to_the_record_and_come_once() -> None:
    mapping = Mapping.compile('($warn("A", "first"); $warn("A", "first"); name)', name="m")
    assert mapping.evaluate({"name": "x"}, {}, record_id="1").warnings == (("A", "first"),)
    assert mapping.evaluate({"name": "x"}, {}, record_id="2").warnings == (("A", "first"),)


def test_bindings_are_seen() -> None:
    found = evaluate(
        "[$settings.vendor, $publications, $platform, $now(), $millis()]",
        settings={"vendor": "Acme"}, publications=["Online Store"], platform="magento", now="2026-01-31T10:20:30+00:00",
    )  # fmt: skip
    assert found == ["Acme", "Online Store", "magento", "2026-01-31T10:20:30.000Z", 1769854830000]


def test_the_earliest_moment_to_come_is_when_the_result_may_differ() -> None:
    mapping = Mapping.compile("[days.$valid_until($)]", name="m")
    now = {"now": "2026-01-31T10:00:00+00:00"}
    days = ["2026-02-03", "2026-02-01T00:00:00+02:00", "2025-01-01", None]
    found = mapping.evaluate({"days": days}, now, record_id="1")
    assert found.value == ["2026-02-03T00:00:00Z", "2026-01-31T22:00:00Z", "2025-01-01T00:00:00Z"]
    assert found.valid_until == "2026-01-31T22:00:00Z"
    assert mapping.evaluate({"days": ["2025-01-01"]}, now, record_id="2").valid_until == ""


def test_now_stands_still_whatever_else_is_compiled() -> None:
    mapping = Mapping.compile("$now()", name="m")
    Mapping.compile("1", name="other")
    assert mapping.evaluate({}, {"now": "2026-01-31T10:20:30Z"}, record_id="1").value == "2026-01-31T10:20:30.000Z"


def test_null_is_kept_and_absent_is_left_out() -> None:
    assert evaluate('{"a": a, "b": b, "c": $exists(a), "d": [a]}', {"a": None}) == {"a": None, "c": True, "d": [None]}


def test_null_in_a_list_of_attributes_or_texts_is_as_absent_as_null_itself() -> None:
    payload = {"all": [{"key": "a", "value": None}, {"key": "b", "value": 1}], "names": ["x", None, "y"]}
    assert evaluate("$attrs(all)", payload) == {"b": 1}
    assert evaluate("$attrs(all[0])", payload) == {}
    assert evaluate("$split_list(names)", payload) == ["x", "y"]
    assert evaluate("[$unique(names), $type($unique(names)[1])]", payload) == ["x", None, "y", "null"]


def test_no_result_is_told_from_null() -> None:
    assert evaluate("nothing") is UNDEFINED
    assert evaluate("null") is None


def test_the_result_shares_nothing_with_the_payload() -> None:
    payload = {"options": {"a": [1]}}
    found = evaluate('{"options": options}', payload)
    found["options"]["a"].append(2)
    assert payload == {"options": {"a": [1]}}


def test_the_payload_is_never_changed() -> None:
    payload: dict[str, Any] = {"items": [], "o": {"a": None}}
    assert evaluate('{"a": items{sku: 1}, "n": $count(items), "t": o ~> |$|{"b": 1}|}', payload)["n"] == 0
    assert payload == {"items": [], "o": {"a": None}}


def test_a_mapping_pickles_as_its_text() -> None:
    mapping = Mapping.compile('{"a": name}', name="m")
    again = pickle.loads(pickle.dumps(mapping))
    assert again == mapping
    assert again.evaluate({"name": "x"}, {}, record_id="1").value == {"a": "x"}


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        ('{"input": {"tags": a.b}}', ["line 1, column 12: tags is a list"]),
        ('{"variants": $map(a, function($v) { $v })}', ["line 1, column 2: variants is a list"]),
        ('{"tags": [a.b]}', []),
        ('{"tags": a.b[]}', []),
        ('{"tags": $split_list(a)}', []),
        ('{"title": a.b}', []),
        ("$random()", ["line 1, column 1: $random gives something else"]),
    ],
)
def test_lint_remarks_on_what_will_surprise(text: str, remarks: list[str]) -> None:
    found = Mapping.compile(text, name="m").remarks
    assert len(found) == len(remarks)
    assert all(one.startswith(start) for one, start in zip(found, remarks, strict=True))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: str(function.name))
def test_every_example_of_a_function_gives_what_it_says(function: MappingFunction) -> None:
    found = evaluate(function.example)
    assert (None if found is UNDEFINED else found) == function.result


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: str(function.name))
def test_nothing_in_nothing_out(function: MappingFunction) -> None:
    always = {"split_list": [], "unique": [], "attrs": {}, "weight_unit": "POUNDS"}
    if function.name != "warn":
        assert evaluate(f"${function.name}(nothing)") == always.get(function.name, UNDEFINED)

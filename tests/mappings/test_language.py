"""The mapping language where it matters to a shop and jsonata-python's own evaluator differs from the reference.

The expectations are what jsonata-js 2.2.2 gives, except where a comment says otherwise.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonata.jsonata import Jsonata

from graftport_dagster.mappings.language import UNDEFINED, Expression, Failure
from graftport_dagster.mappings.language.values import number_text


def evaluate(text: str, data: Any = None, **names: Any) -> Any:
    return Expression(text).evaluate(data if data is not None else UNDEFINED, names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.5 % 2", 1.5),
        ("-5 % 3", -2),
        ("$string(1234567890123456)", "1234567890123456"),
        ("$string(0.1 + 0.2)", "0.3"),
        ("$string(1e21)", "1e+21"),
        ("$string(1e-7)", "1e-7"),
        ('$formatNumber(18.225, "0.00")', "18.22"),
        ('$formatNumber(2.675, "0.00")', "2.68"),
        ('$formatNumber(1234567.891, "#,##0.00")', "1,234,567.89"),
        ('$formatNumber(0.125, "0%")', "12%"),
        ('$lowercase("Straße")', "straße"),
        ('$string({"a": "é", "b": 1.0, "c": null})', '{"a":"é","b":1,"c":null}'),
        ('$replace("a-b", /-/, "\\\\n\\\\g<0>\\\\")', "a\\n\\g<0>\\b"),
        ('$replace("John Smith", /(\\w+)\\s(\\w+)/, "$2, $1 $$5 $9")', "Smith, John $5 "),
        ('$split("a1b2c", /(\\d)/)', ["a", "b", "c"]),
        ('$match("x12", /(?<y>\\d+)/).groups', ["12"]),
        ('$contains("x", /[^]/)', True),
        ('$contains("٣", /\\d/) or $contains("é", /\\w/)', False),
        ('$contains("a\\n", /a$/)', False),
        ("1 in [true]", False),
        ("$distinct([1, true, 1])", [1, True]),
        ("$round(2.5) & $round(1.005, 2)", "21"),
        ("[1, 2, 3][-1] ?: 42", 3),
        ("-5 ?: 99", -5),
        ('$map([1], function($x) { $x })[]', [1]),
        ('{"a": 1}.{"b": a}', {"b": 1}),
    ],
)  # fmt: skip
def test_results_are_the_references(text: str, expected: Any) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('$number(" 12 ")', "D3030"), ('$number("1_000")', "D3030"), ('$number("nan")', "D3030"),
        ('$number("")', "D3030"),
        ('$toMillis("2024-01-31 10:20:30")', "D3110"), ('$replace("abc", /x*/, "-")', "D1004"), ("1/0 + 1", "D1001"),
        ('$encodeUrl("\\uD800")', "D3140"), ("$power(10, 400)", "D3061"), ('$formatNumber(1, "0,")', "D3088"),
        ('$single([1, 2])', "D3138"), ("[1..20000000]", "D2014"), ('$sort([1, "a"])', "D3070"),
    ],
)  # fmt: skip
def test_errors_have_the_references_codes(text: str, code: str) -> None:
    with pytest.raises(Failure) as caught:
        evaluate(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ('{"a": 1 + "x"}', 9), ('{"title": $uppercase(1)}', 21), ('[1, $error("x")]', 11), ('$number("x")', 8),
        ('1 < "2"', 3), ("[1.5..3]", 6), ('{"a": $toMillis("x")}', 16), ("$map([1], function($v) { $v + \"x\" })", 29),
    ],
)  # fmt: skip
def test_positions_are_where_the_token_ends(text: str, position: int) -> None:
    with pytest.raises(Failure) as caught:
        evaluate(text)
    assert caught.value.position == position


def test_long_ids_of_the_data_stay_exact() -> None:
    # The reference has floating point only, and loses digits here.
    assert evaluate('"gid/" & id', {"id": 1234567890123456789}) == "gid/1234567890123456789"


def test_ties_keep_their_order_in_a_sort() -> None:
    images = [{"n": n, "q": q} for n, q in (("a", 1), ("b", 1), ("c", 0), ("d", 1))]
    assert evaluate("$sort(i, function($l, $r) { $l.q > $r.q }).n", {"i": images}) == ["c", "a", "b", "d"]
    assert evaluate("i^(q).n", {"i": images}) == ["c", "a", "b", "d"]
    assert evaluate("i^(>q, n).n", {"i": images}) == ["a", "b", "d", "c"]


def test_undefined_sorts_last_either_way() -> None:
    items = [{"n": 1}, {"n": 2, "q": 5}, {"n": 3, "q": 4}]
    assert evaluate("i^(q).n", {"i": items}) == [3, 2, 1]
    assert evaluate("i^(>q).n", {"i": items}) == [2, 3, 1]


def test_a_range_takes_whole_floats() -> None:
    assert evaluate("[1..n]", {"n": 3.0}) == [1, 2, 3]


def test_a_literal_object_over_an_empty_list_leaves_the_list_alone() -> None:
    assert evaluate('{"a": items{sku: 1}, "n": $count(items)}', {"items": []}) == {"a": {}, "n": 0}


def test_deep_recursion_of_two_thousand_calls_is_fine() -> None:
    assert evaluate("($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(2000))") == 2000


def test_tail_calls_need_no_stack() -> None:
    assert evaluate("($f := function($n, $s) { $n = 0 ? $s : $f($n - 1, $s + $n) }; $f(20000, 0))") == 200010000


def test_eval_is_part_of_the_language_though_refused_in_mappings() -> None:
    assert evaluate('items.$eval("price * 2")', {"items": [{"price": 1}, {"price": 2}]}) == [2, 4]


def test_the_engines_functions_do_not_print(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure):
        evaluate("$callable()", callable=3)
    assert capfd.readouterr().out == ""


def test_nested_data_is_walked_without_a_stack_overflow() -> None:
    deep: Any = {}
    for _ in range(2000):
        deep = {"a": deep}
    assert evaluate("$count(**)", deep) == 2001


@given(st.floats(min_value=-1e20, max_value=1e20) | st.integers(min_value=-(10**20), max_value=10**20))
def test_the_text_of_a_number_reads_back_to_fifteen_digits(value: float) -> None:
    again = float(number_text(value))
    assert again == value or abs(again - value) <= abs(value) * 1e-14


NAMES = st.sampled_from(["a", "b", "c"])
DATA = st.recursive(
    st.integers(-5, 5) | st.sampled_from(["x", "y", ""]) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
PATHS = st.lists(
    st.sampled_from(["a", "b", "c", "*", "a[0]", "b[-1]", "c[a=1]", "a[]", "{\"k\": a}", "(b)", "[a]", "[a, b]", "$"]),
    min_size=1, max_size=4,
).map(".".join)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, DATA, max_size=3), PATHS)
def test_paths_give_what_the_engines_own_evaluator_gives(data: dict[str, Any], path: str) -> None:
    theirs = Jsonata(path)
    theirs.set_output_convert_nulls(False)
    expected = theirs.evaluate(data, {})
    found = evaluate(path, data)
    assert (UNDEFINED if expected is None else expected) == found

"""JSON and JSONL: streamed, with every bad row named."""

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.sources.json_rows import JsonArrayRows, jsonl_rows
from graftport_dagster.sources.rows import BadRow, Row

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), json_values, max_size=4)


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, so that every element is cut somewhere."""

    def __init__(self, content: bytes, size: int) -> None:
        self._stream, self._size = io.BytesIO(content), size

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(min(size, self._size))


def array(content: bytes | str, *, size: int = 7, limit: int = 1 << 20) -> list[Row | BadRow]:
    data = content.encode() if isinstance(content, str) else content
    return list(JsonArrayRows(Trickle(data, size), Path("t.json"), limit))  # type: ignore[arg-type]  # reads alone


def lines(content: bytes, limit: int = 1 << 20) -> list[Row | BadRow]:
    return list(jsonl_rows(io.BytesIO(content), Path("t.jsonl"), limit))


@settings(deadline=None)
@given(st.lists(objects, min_size=1, max_size=6), st.sampled_from([None, 0, 2]), st.integers(1, 40), st.booleans())
def test_any_array_of_objects_is_read_whatever_its_layout(
    rows: list[dict[str, Any]], indent: int | None, size: int, wrapped: bool
) -> None:
    value: Any = {"total": 3, "meta": {"a": [1, "]"]}, "rows": rows, "next": None} if wrapped else rows
    assert [row.values for row in array(json.dumps(value, indent=indent), size=size)] == rows


@settings(deadline=None)
@given(st.lists(objects, min_size=1, max_size=6))
def test_any_object_is_read_from_its_line(rows: list[dict[str, Any]]) -> None:
    content = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    assert [row.values for row in lines(content)] == rows


BAD_ROWS = [
    (b'{"id": 2, }', "NOT_JSON"),
    (b"{'id': 2}", "NOT_JSON"),
    (b'{"id": NaN}', "NOT_A_NUMBER"),
    (b'{"id": -Infinity}', "NOT_A_NUMBER"),
    (b'{"id": "\xff"}', "NOT_UTF8"),
    (b'{"id": "\\ud83d"}', "LONE_SURROGATE"),
    (b"[2]", "NOT_AN_OBJECT"),
    (b'"2"', "NOT_AN_OBJECT"),
]


@pytest.mark.parametrize(("raw", "code"), BAD_ROWS)
def test_a_bad_line_costs_itself_alone(raw: bytes, code: str) -> None:
    good, bad, last = lines(b'{"id": 1}\n' + raw + b'\n{"id": 3}')
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.code) == (2, code)
    assert (good.values, last.values) == ({"id": 1}, {"id": 3})


@pytest.mark.parametrize(("raw", "code"), BAD_ROWS)
@pytest.mark.parametrize("size", [1, 13, 1000])
def test_a_bad_element_costs_itself_alone(raw: bytes, code: str, size: int) -> None:
    good, bad, last = array(b'[\n{"id": 1},\n' + raw + b',\n{"id": 3}\n]', size=size)
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.code) == (3, code)
    assert (good.values, last.values) == ({"id": 1}, {"id": 3})


@pytest.mark.parametrize("raw", [b'{"id": "2}', b'{"id": 2, "x": {"y": 1}', b'{"id": 2"}', b'{"id": [2}'])
def test_an_element_with_unmatched_quotes_or_brackets_costs_itself_alone(raw: bytes) -> None:
    content = b'[\n{"id": 1},\n' + raw + b',\n{"id": 3},\n{"id": "4"}\n]'
    given_rows = array(content, size=9)
    assert [row.values for row in given_rows if isinstance(row, Row)] == [{"id": 1}, {"id": 3}, {"id": "4"}]
    assert [(row.line, row.code) for row in given_rows if isinstance(row, BadRow)] == [(3, "NOT_JSON")]


def test_rows_larger_than_the_limit_are_set_aside() -> None:
    large = b'{"id": 2, "x": "' + b"y" * 3000 + b'"}'
    for given_rows in (
        lines(b'{"id": 1}\n' + large + b'\n{"id": 3}\n', 1000),
        array(b'[{"id": 1},' + large + b',{"id": 3}]', limit=1000),
    ):
        codes = [row.code if isinstance(row, BadRow) else row.values["id"] for row in given_rows]
        assert codes == [1, "RECORD_TOO_LARGE", 3]


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 200))
def test_an_array_that_ends_early_is_refused_as_cut_off(kept: int) -> None:
    content = json.dumps([{"id": number, "text": 'a]}"b'} for number in range(8)]).encode()
    with pytest.raises(ConfigurationError) as refused:
        array(content[: min(kept, len(content) - 1)])
    assert refused.value.code in {"FILE_TRUNCATED", "NO_ROWS"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("[]", "NO_ROWS"),
        ('{"rows": []}', "NO_ROWS"),
        ('{"a": 1}', "NO_ROWS"),
        ('{"a": [{"id": 1}], "b": [{"id": 2}]}', "NOT_JSON"),
        ('[{"id": 1}] and more', "NOT_JSON"),
        ("3", "NOT_JSON"),
    ],
)
def test_what_is_no_array_of_rows_is_refused(content: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        array(content)
    assert refused.value.code == code


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60) | st.text('[]{}",:\\ 1an', max_size=40).map(str.encode))
def test_hostile_bytes_end_in_rows_or_a_sentence(content: bytes) -> None:
    with suppress(ConfigurationError):
        array(b"[" + content)

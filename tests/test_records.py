"""What all parts say of a record in the same way: its JSON, read back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftport_dagster.records import canonical_json, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def alike(value: Any, read: Any) -> bool:
    """Equal, and of the same types: 1 is not 1.0."""
    return json.dumps(value, sort_keys=True) == json.dumps(read, sort_keys=True)


@given(VALUES)
def test_what_is_written_canonically_is_read_back_with_the_types_it_had(value: Any) -> None:
    written = json.dumps(value)
    for text in (written, written.encode()):
        assert alike(value, read_json(text))


@pytest.mark.parametrize("digits", range(17, 45))
def test_an_integer_is_read_exactly_wherever_it_stands(digits: int) -> None:
    number = int("9" * digits)
    for blanks in range(8):
        for sign in (1, -1):
            text = f"{' ' * blanks}[{sign * number}]"
            assert read_json(text) == read_json(text.encode()) == [sign * number]
            assert isinstance(read_json(text)[0], int)


def test_a_lone_surrogate_is_read() -> None:
    assert read_json(r'"\ud800"') == "\ud800"


def test_what_is_no_json_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_json("{")


def test_equal_values_have_equal_bytes() -> None:
    assert canonical_json({"b": 1, "a": [10**30]}) == canonical_json({"a": [10**30], "b": 1})

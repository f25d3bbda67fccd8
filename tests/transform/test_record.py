"""One record: how a refused payload is told, and that no result of any shape is more than an error of the record."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.errors import ConfigurationError, TransformError
from graftport_dagster.mappings import Mapping
from graftport_dagster.records import ResourceType, canonical_json
from graftport_dagster.shopify.payload import check
from graftport_dagster.transform.record import map_record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=15,
)


def test_all_problems_of_a_payload_are_in_one_error() -> None:
    mapping = Mapping.compile('{"input": {"title": 1, "status": "OPEN", "tags": [true]}}', name="products/1")
    mapped = map_record(mapping, ResourceType.PRODUCTS, {}, check, "MH01", {})
    error = mapped.error
    assert isinstance(error, TransformError)
    assert (error.path, error.code) == ("input.title", "WRONG_TYPE")
    assert "MH01" in error.message
    assert "input.status" in error.message
    assert "input.tags[0]" in error.message
    assert mapped.result == {"input": {"title": 1, "status": "OPEN", "tags": [True]}}


@settings(max_examples=300, deadline=None)
@given(JSON, st.sampled_from(list(ResourceType)))
def test_no_result_of_a_mapping_is_more_than_an_error_of_its_record(result: Any, resource_type: ResourceType) -> None:
    mapping = Mapping.compile("result", name="m")
    mapped = map_record(mapping, resource_type, {}, check, "1", {"result": result})
    assert [mapped.payload is not None, mapped.exclude_reason != "", mapped.error is not None].count(True) == 1
    if mapped.payload is not None:
        canonical_json(mapped.payload)


WORDS = st.lists(
    st.sampled_from(
        ["a", "$", "$$", ".", "[", "]", "{", "}", "(", ")", ":=", ":", ";", ",", "?", "?:", "??", "~>", "|", "^", "@$x",
         "#$i", "%", "*", "**", "+", "-", "/", "&", "=", "!=", "<", "and", "or", "in", "..", "1", "0.5", '"s"', "null",
         "true", "function($v){", "$map", "$sum(", "$x", "/a+/", "/*", "*/", "`b`", "λ($x)", "<s:n>", "\\", "'"]
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(WORDS, JSON)
def test_no_text_is_more_than_a_refusal_or_an_error_of_the_record(words: list[str], payload: Any) -> None:
    try:
        mapping = Mapping.compile(" ".join(words), name="m")
    except ConfigurationError:
        return
    mapped = map_record(mapping, ResourceType.PRODUCTS, {}, check, "1", payload)
    assert mapped.error is not None or mapped.payload is not None or mapped.exclude_reason

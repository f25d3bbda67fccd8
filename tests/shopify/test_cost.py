"""What calls cost, foreseen: every document of ours fits, and the dynamic part follows the payload."""

from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.shopify.cost import MAX_COST, requested_cost
from graftport_dagster.shopify.documents import PUBLISH_BATCH, document, document_names, publish_call

LARGEST: dict[str, Any] = {
    "variants": 250, "media": 250, "collections": 250, "metafields": 250, "first": 250, "locations": 250,
    "publications": 250, "input": {}, "ids": ["gid://shopify/Product/1"] * 50,
}  # fmt: skip


@pytest.mark.parametrize("name", document_names())
def test_a_document_with_the_largest_pages_stays_below_what_a_call_may_ask(name: str) -> None:
    assert 0 < requested_cost(document(name), LARGEST) < MAX_COST


def test_fifty_publications_stay_below_what_a_call_may_ask() -> None:
    text, variables = publish_call([("gid://shopify/Product/1", [])] * PUBLISH_BATCH)
    assert requested_cost(text, variables) == 500


def test_a_mutation_costs_ten() -> None:
    assert requested_cost(document("url_redirect_create"), {}) == 10


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ shop { id name } }", 1),
        ("{ shop { plan { shopifyPlus } } }", 2),
        ("{ products(first: 1) { nodes { id } } }", 3),
        ("{ products(first: 10) { nodes { id } } }", 6),
        ("{ products(first: 250) { nodes { id title } } }", 13),
        ("{ products(last: 250) { edges { node { id } } } }", 13),
        ("{ products(first: 10) { nodes { seo { title } } } }", 10),
        ("{ productsCount { count } }", 10),
        ("{ a: shop { id } b: shop { id } }", 2),
        ('{ node(id: "1") { id ... on Product { seo { title } } ... on Shop { name } } }', 2),
        ("query Q { shop { ...S } } fragment S on Shop { plan { shopifyPlus } }", 2),
        ("{ __typename shop { __typename } }", 1),
        ('{ nodes(ids: ["1", "2", "3"]) { id } }', 3),
    ],
)
def test_a_query_costs_what_recorded_answers_say(query: str, cost: int) -> None:
    assert requested_cost(query, {}) == cost


def test_pages_asked_for_by_variable_count() -> None:
    query = "query Q($n: Int!) { products(first: $n) { nodes { id } } }"
    assert [requested_cost(query, {"n": n}) for n in (1, 10, 250)] == [3, 6, 13]


def product_set(payload: dict[str, Any]) -> int:
    return requested_cost(document("product_set"), {"input": payload, "variants": 1, "media": 1})


def test_a_product_costs_more_with_its_variants_files_and_metafields() -> None:
    bare = product_set({})
    assert product_set({"variants": [{}] * 10}) == bare + 2
    assert product_set({"variants": [{"file": {"id": "1"}}] * 10}) == bare + 8
    assert product_set({"variants": [{"metafields": [{}]}] * 10}) == bare + 6
    assert product_set({"metafields": [{}] * 10}) == bare + 4
    assert product_set({"files": [{}] * 10}) == bare + 19
    assert product_set({"variants": [{}] * 4}) == bare


def test_a_product_of_2048_variants_with_ids_is_too_dear_for_one_call() -> None:
    assert product_set({"variants": [{"metafields": [{}]}] * 2048}) > MAX_COST


@pytest.mark.parametrize("payload", [None, {"variants": None}, {"variants": [], "files": None}])
def test_empty_payloads_cost_the_base(payload: Any) -> None:
    assert requested_cost(document("product_set"), {"input": payload, "variants": 1, "media": 1}) == product_set({})


@pytest.mark.parametrize("query", ["{ nonsense { id } }", "{ shop { nonsense { id } } }"])
def test_what_the_schema_does_not_know_is_said(query: str) -> None:
    with pytest.raises(KeyError, match="nonsense"):
        requested_cost(query, {})


def test_a_document_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(KeyError, match="product_set"):
        document("product_sett")


def test_every_document_is_one_named_operation() -> None:
    for name in document_names():
        text = document(name)
        assert Path(name).name.replace("_", "") in text.split("(")[0].lower().replace(" ", "")

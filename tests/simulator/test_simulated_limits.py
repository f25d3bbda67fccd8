"""Costs, the bucket, and the refusals when it is empty."""

import json
from typing import Any

import pytest
import requests

COSTS = [
    ("{ shop { id name } }", 1),
    ("{ products(first: 10) { nodes { id } } }", 2 + 4),
    ("{ products(first: 250) { nodes { id variants(first: 10) { edges { node { id } } } } } }", 2 + 11 * (1 + 2 + 4)),
    ("{ productsCount { count } }", 10),
    ('mutation { urlRedirectCreate(urlRedirect: {path: "/c", target: "/d"}) { urlRedirect { id } } }', 10),
]  # fmt: skip


@pytest.mark.parametrize(("document", "cost"), COSTS)
def test_a_request_costs_what_the_fitted_model_says(shop: Any, document: str, cost: int) -> None:
    assert shop.ask(document)["extensions"]["cost"]["requestedQueryCost"] == cost


@pytest.mark.parametrize("declared", ["Int", "Int!"])
def test_a_request_costs_by_the_page_size_in_its_variables(shop: Any, declared: str) -> None:
    query = f"query($n: {declared}) {{ products(first: $n) {{ nodes {{ id }} }} }}"
    asked = [shop.ask(query, {"n": size})["extensions"]["cost"]["requestedQueryCost"] for size in (1, 250, 1)]
    assert asked == [2 + 1, 2 + 11, 2 + 1]


def test_what_stands_in_a_fragment_costs_as_much(shop: Any) -> None:
    wanted = "{ shop { plan { displayName } } }"
    asked = 'mutation { productDelete(input: {id: "gid://shopify/Product/1"})'
    for document in (
        f"{asked} {wanted} }}",
        f"{asked} {{ ...P }} }} fragment P on ProductDeletePayload {wanted}",
    ):
        assert shop.ask(document)["extensions"]["cost"]["requestedQueryCost"] == 11
    inside = "{ products(first: 9) { ...P } } fragment P on ProductConnection { nodes { options { id } } }"
    assert shop.ask(inside)["extensions"]["cost"]["requestedQueryCost"] == 2 + 4 * 2


def test_a_product_costs_by_what_it_holds(shop: Any) -> None:
    query = "mutation($p: ProductSetInput!) { productSet(input: $p) { product { id } userErrors { code } } }"
    field = {"namespace": "custom", "key": "note", "type": "single_line_text_field", "value": "x"}
    given = {
        "title": "Bag", "files": [{"originalSource": "https://example.com/a.jpg"}], "metafields": [field],
        "productOptions": [{"name": "Size", "values": [{"name": f"s{i}"} for i in range(20)]}],
        "variants": [
            {"optionValues": [{"optionName": "Size", "name": f"s{i}"}], "metafields": [field]} for i in range(20)
        ],
    }  # fmt: skip
    # 10 + 20 x 0.2 + 20 x 0.4 + 0.4 + 1.9, floored
    assert shop.ask(query, {"p": given})["extensions"]["cost"]["requestedQueryCost"] == 24


def test_a_refused_mutation_is_charged_its_base(shop: Any) -> None:
    query = "mutation($p: ProductSetInput!) { productSet(input: $p) { product { id variants(first: 250) { nodes { id } } } userErrors { code } } }"  # noqa: E501
    cost = shop.ask(query, {"p": {"title": ""}})["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (10 + 2 + 11, 10)


def test_a_query_above_a_thousand_points_is_refused_whatever_the_plan(shop: Any) -> None:
    deep = (
        "{ products(first: 250) { nodes { variants(first: 250) { nodes { media(first: 250) { nodes { id } } } } } } }"
    )
    answer = shop.ask(deep)
    assert list(answer) == ["errors"]
    extensions = answer["errors"][0]["extensions"]
    assert (extensions["code"], extensions["maxCost"]) == ("MAX_COST_EXCEEDED", 1000)
    assert extensions["cost"] > 1000


def test_an_empty_bucket_answers_throttled_and_executes_nothing(open_shop: Any) -> None:
    shop = open_shop("--plan", "standard")
    query = "mutation { " + " ".join(
        f'r{i}: urlRedirectCreate(urlRedirect: {{path: "/p%d-{i}", target: "/t"}}) {{ userErrors {{ code }} }}'
        for i in range(90)
    ) + " }"  # fmt: skip
    answers = [shop.ask(query.replace("%d", str(n))) for n in range(3)]
    assert [it["extensions"]["cost"]["requestedQueryCost"] for it in answers] == [900] * 3
    status = answers[0]["extensions"]["cost"]["throttleStatus"]
    assert (status["maximumAvailable"], status["restoreRate"]) == (2000.0, 100.0)
    refused = answers[2]
    assert "data" not in refused
    assert refused["errors"] == [{
        "message": "Throttled",
        "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
    }]  # fmt: skip
    assert refused["extensions"]["cost"]["actualQueryCost"] is None
    assert refused["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] < 900
    assert len(shop.control("objects?type=UrlRedirect")) == 180
    other = shop.session.post(
        f"{shop.url}/admin/api/2026-10/graphql.json", data=json.dumps({"query": "{ shop { id } }"}),
        headers={"X-Shopify-Access-Token": "another"}, timeout=9,
    )  # fmt: skip
    assert "data" in other.json()


def test_tokens_of_one_app_draw_on_one_bucket(open_shop: Any) -> None:
    shop = open_shop("--plan", "standard")
    dear = "mutation { " + " ".join(
        f'r{i}: urlRedirectDelete(id: "gid://shopify/UrlRedirect/{i}") {{ deletedUrlRedirectId }}' for i in range(99)
    ) + " }"  # fmt: skip

    def left_for(client_id: str, query: str) -> int:
        given = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "x"}
        token = requests.post(f"{shop.url}/admin/oauth/access_token", data=given, timeout=9).json()["access_token"]
        answer = shop.session.post(
            f"{shop.url}/admin/api/2026-10/graphql.json", json={"query": query}, timeout=30,
            headers={"X-Shopify-Access-Token": token},
        ).json()  # fmt: skip
        return int(answer["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"])

    left_for("one", dear)
    cheap = "{ shop { id } }"
    assert left_for("one", cheap) < left_for("two", cheap) == 1999

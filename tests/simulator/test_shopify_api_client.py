"""The simulator asked by Shopify's own Python client, as scripts of others would: session, GraphQL, answers."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import shopify


@pytest.fixture
def graphql(shop: Any) -> Iterator[Any]:
    """`graphql(query, variables)` → the answer, through `shopify.GraphQL`."""
    session = shopify.Session("simulated.myshopify.com", "2026-10", "shpat_test")
    shopify.ShopifyResource.activate_session(session)
    address = urlsplit(shop.url)
    site = f"http://{address.netloc}/admin/api/2026-10"
    shopify.ShopifyResource.set_site(site)

    def ask(query: str, variables: dict[str, Any] | None = None) -> Any:
        return json.loads(shopify.GraphQL().execute(query=query, variables=variables))

    yield ask
    shopify.ShopifyResource.clear_session()


def test_it_reads_and_writes_through_the_client(graphql: Any, shop: Any) -> None:
    assert graphql("{ shop { id myshopifyDomain } }")["data"]["shop"]["id"].startswith("gid://shopify/Shop/")
    create = (
        "mutation($input: CustomerSetInput!) { customerSet(input: $input) "
        "{ customer { id email } userErrors { field message } } }"
    )
    made = graphql(create, {"input": {"email": "ada@example.com"}})["data"]["customerSet"]
    assert made["userErrors"] == []
    order = {
        "lineItems": [{"title": "Bag", "quantity": 1}],
        "customer": {"toAssociate": {"id": made["customer"]["id"]}},
    }
    mutation = (
        "mutation($order: OrderCreateOrderInput!) { orderCreate(order: $order) "
        "{ order { name customer { email } } userErrors { field message } } }"
    )
    answer = graphql(mutation, {"order": order})
    assert answer["data"]["orderCreate"]["order"]["customer"] == {"email": "ada@example.com"}
    assert answer["extensions"]["cost"]["throttleStatus"]["restoreRate"] > 0
    assert len(shop.control("objects?type=Order")) == 1


def test_refusals_reach_the_client_in_shopifys_form(graphql: Any) -> None:
    (error,) = graphql("{ shop { nonsense } }")["errors"]
    assert error["extensions"]["code"] == "undefinedField"
    query = "query($id: ID!) { customer(id: $id) { id } }"
    assert graphql(query, {"id": "gid://shopify/Customer/1"})["data"] == {"customer": None}

"""What a preflight asks, and what products are given besides productSet."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import requests


def test_a_preflight_is_answered(shop: Any) -> None:
    data = shop.data(
        "{ shop { id name myshopifyDomain currencyCode plan { publicDisplayName shopifyPlus } } "
        "currentAppInstallation { accessScopes { handle } } locations(first: 5) { nodes { id name isActive } } "
        "publications(first: 5) { nodes { id } } publicApiVersions { handle supported } }"
    )
    assert data["shop"]["currencyCode"] == "USD"
    assert {"handle": "write_products"} in data["currentAppInstallation"]["accessScopes"]
    assert [it["name"] for it in data["locations"]["nodes"]] == ["Shop location"]
    assert len(data["publications"]["nodes"]) == 2


def test_many_objects_are_published_in_one_document(shop: Any) -> None:
    publication = shop.data("{ publications(first: 1) { nodes { id } } }")["publications"]["nodes"][0]["id"]
    products = [shop.set_product({"title": f"p{i}"})["id"] for i in range(20)]
    fields = " ".join(
        f'm{i}: publishablePublish(id: "{gid}", input: [{{publicationId: "{publication}"}}]) '
        "{ publishable { availablePublicationsCount { count } } userErrors { message } }"
        for i, gid in enumerate([*products, "gid://shopify/Product/1"])
    )
    data = shop.data(f"mutation {{ {fields} }}")
    assert [data[f"m{i}"]["publishable"]["availablePublicationsCount"]["count"] for i in range(20)] == [1] * 20
    assert data["m20"]["userErrors"] == [{"message": "Resource does not exist"}]
    query = "query($id: ID!, $p: ID!) { product(id: $id) { publishedOnPublication(publicationId: $p) } }"
    assert shop.data(query, {"id": products[0], "p": publication})["product"]["publishedOnPublication"] is True
    given = {"id": products[0], "input": [{"publicationId": publication}]}
    assert shop.errors("publishableUnpublish", given, codes=False) == []
    assert shop.data(query, {"id": products[0], "p": publication})["product"]["publishedOnPublication"] is False


def test_a_date_in_another_zone_is_the_moment_that_it_says(shop: Any) -> None:
    gid = shop.set_product({"title": "Bag"})["id"]
    publication = shop.data("{ publications(first: 1) { nodes { id } } }")["publications"]["nodes"][0]["id"]
    in_an_hour = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    date = in_an_hour.astimezone(timezone(timedelta(hours=-11))).isoformat()
    given = {"id": gid, "input": [{"publicationId": publication, "publishDate": date}]}
    assert shop.errors("publishablePublish", given, codes=False) == []
    shown = shop.data(
        "query($id: ID!) { product(id: $id) { resourcePublicationsV2(first: 2, onlyPublished: false) "
        "{ nodes { isPublished publishDate } } } }",
        {"id": gid},
    )
    assert shown["product"]["resourcePublicationsV2"]["nodes"] == [
        {"isPublished": False, "publishDate": f"{in_an_hour:%Y-%m-%dT%H:%M:%SZ}"}
    ]


def test_metafields_are_set_atomically(shop: Any) -> None:
    gid = shop.set_product({"title": "Bag"})["id"]
    good = {"ownerId": gid, "namespace": "custom", "key": "one", "type": "number_integer", "value": "1"}
    errors = shop.errors("metafieldsSet", {"metafields": [good, {**good, "key": "two", "value": "x"}]})
    assert errors == [
        {"field": ["metafields", "1", "value"], "message": "Value must be an integer.", "code": "INVALID_VALUE"}
    ]  # fmt: skip
    query = "query($id: ID!) { product(id: $id) { metafields(first: 9) { nodes { key compareDigest jsonValue } } } }"
    assert shop.data(query, {"id": gid})["product"]["metafields"]["nodes"] == []
    assert shop.errors("metafieldsSet", {"metafields": [good]}) == []
    stored = shop.data(query, {"id": gid})["product"]["metafields"]["nodes"][0]
    assert (stored["key"], stored["jsonValue"]) == ("one", 1)
    stale = {**good, "value": "2", "compareDigest": None}
    assert shop.errors("metafieldsSet", {"metafields": [stale]})[0]["code"] == "STALE_OBJECT"
    assert shop.errors("metafieldsSet", {"metafields": [{**stale, "compareDigest": stored["compareDigest"]}]}) == []


def test_two_owners_in_one_list_cannot_share_a_unique_value(shop: Any) -> None:
    shop.define("PRODUCT")
    owners = [shop.set_product({"title": title})["id"] for title in ("Bag", "Mug")]
    given = [{"ownerId": it, "namespace": "graftport", "key": "source_id", "value": "1"} for it in owners]
    assert [(it["field"], it["code"]) for it in shop.errors("metafieldsSet", {"metafields": given})] == [
        (["metafields", "1", "value"], "TAKEN")
    ]
    assert [it["metafields"] for it in shop.control("objects?type=Product")] == [[], []]


def test_a_namespace_of_the_app_is_its_own(shop: Any) -> None:
    gid = shop.set_product({"title": "Bag"})["id"]
    given = {"ownerId": gid, "key": "note", "namespace": "$app:x", "type": "single_line_text_field", "value": "1"}
    selection = "metafields { namespace owner { __typename } } userErrors { message }"
    assert shop.mutate("metafieldsSet", {"metafields": [given]}, selection)["metafields"] == [
        {"namespace": "app--1000001--x", "owner": {"__typename": "Product"}}
    ]
    query = 'query($id: ID!) { product(id: $id) { metafield(namespace: "$app:x", key: "note") { value } } }'
    assert shop.data(query, {"id": gid})["product"]["metafield"] == {"value": "1"}


SET = """mutation($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id changes { name delta } } userErrors { field message code } } }"""


def stock(shop: Any, quantity: int, expected: int | None = None) -> dict[str, Any]:
    item = shop.data("{ productVariants(first: 1) { nodes { inventoryItem { id } } } }")
    place = {
        "inventoryItemId": item["productVariants"]["nodes"][0]["inventoryItem"]["id"],
        "locationId": shop.location(),
    }
    quantities = [{**place, "quantity": quantity, "changeFromQuantity": expected}]
    return {"name": "available", "reason": "correction", "quantities": quantities}


def test_quantities_are_set_once_for_a_key(shop: Any) -> None:
    shop.set_product({"title": "Bag"})
    given = {"input": stock(shop, 7), "key": "k1"}
    first = shop.data(SET, given)["inventorySetQuantities"]
    assert first["inventoryAdjustmentGroup"]["changes"] == [{"name": "available", "delta": 7}]
    assert shop.data(SET, given)["inventorySetQuantities"] == first
    other = shop.data(SET, {"input": stock(shop, 8), "key": "k1"})["inventorySetQuantities"]
    assert other["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"


def test_quantities_are_compared_before_they_are_set(shop: Any) -> None:
    shop.set_product({"title": "Bag"})
    payload = shop.data(SET, {"input": stock(shop, 7, expected=3), "key": "k1"})["inventorySetQuantities"]
    assert payload["userErrors"][0]["code"] == "CHANGE_FROM_QUANTITY_STALE"
    assert (
        shop.data(SET, {"input": stock(shop, 7, expected=0), "key": "k2"})["inventorySetQuantities"]["userErrors"] == []
    )


def test_quantities_need_a_key_and_the_figure_compared_with(shop: Any) -> None:
    shop.set_product({"title": "Bag"})
    bare = SET.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    answer = shop.ask(bare, {"input": stock(shop, 7)})
    assert answer["data"] == {"inventorySetQuantities": None}
    assert (
        answer["errors"][0]["message"]
        == "The @idempotent directive is required for this mutation but was not provided."
    )
    given = stock(shop, 7)
    del given["quantities"][0]["changeFromQuantity"]
    assert shop.code(SET, {"input": given, "key": "k"}) == "INVALID_FIELD_ARGUMENTS"


def test_quantities_are_compared_before_they_are_adjusted(shop: Any) -> None:
    shop.set_product({"title": "Bag"})
    adjust = (
        "mutation A($input: InventoryAdjustQuantitiesInput!, $key: String!) { inventoryAdjustQuantities(input: $input) "
        "@idempotent(key: $key) { inventoryAdjustmentGroup { changes { delta } } userErrors { field code } } }"
    )
    for expected, seen in ((3, [["input", "changes", "0", "changeFromQuantity"]]), (0, []), (None, [])):
        given = stock(shop, 0, expected=expected)
        change = {name: it for name, it in given.pop("quantities")[0].items() if name != "quantity"}
        asked = {"input": {**given, "changes": [{**change, "delta": 2}]}, "key": f"from {expected}"}
        errors = shop.data(adjust, asked)["inventoryAdjustQuantities"]["userErrors"]
        assert [it["field"] for it in errors] == seen
    assert list(shop.control("objects?type=ProductVariant")[0]["levels"].values()) == [4]


def test_an_item_is_stocked_at_no_other_thing_than_a_location(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})
    activate = (
        "mutation A($item: ID!, $at: ID!) { inventoryActivate(inventoryItemId: $item, locationId: $at) "
        '@idempotent(key: "k") { inventoryLevel { id } userErrors { message } } }'
    )
    asked = {"item": product["variants"]["nodes"][0]["inventoryItem"]["id"], "at": product["id"]}
    assert shop.code(activate, asked) == "RESOURCE_NOT_FOUND"


def test_a_product_is_found_by_the_sku_that_its_inventory_item_was_given(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})
    item = product["variants"]["nodes"][0]["inventoryItem"]["id"]
    assert shop.errors("inventoryItemUpdate", {"id": item, "input": {"sku": "B-1"}}, codes=False) == []
    found = shop.data('{ products(first: 2, query: "sku:b-1") { nodes { id } } }')["products"]["nodes"]
    assert found == [{"id": product["id"]}]


def test_nodes_of_all_types_are_found_by_id(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})
    variant = product["variants"]["nodes"][0]
    gids = [product["id"], variant["id"], variant["inventoryItem"]["id"], shop.location(), "gid://shopify/Product/1"]
    found = shop.data("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", {"ids": gids})["nodes"]
    assert [it and it["__typename"] for it in found] == ["Product", "ProductVariant", "InventoryItem", "Location", None]


def test_a_deleted_product_takes_its_variants_with_it(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})
    assert shop.errors("productDelete", {"input": {"id": product["id"]}}, codes=False) == []
    assert shop.control("objects?type=ProductVariant") == []
    assert shop.errors("productDelete", {"input": {"id": product["id"]}}, codes=False)[0]["field"] == ["id"]


def test_tags_are_added_and_removed_whatever_their_case(shop: Any) -> None:
    gid = shop.set_product({"title": "Bag", "tags": ["Blue", "big"]})["id"]
    assert shop.errors("tagsAdd", {"id": gid, "tags": ["blue", "new"]}, codes=False) == []
    assert shop.errors("tagsRemove", {"id": gid, "tags": ["BIG"]}, codes=False) == []
    assert shop.control("objects?type=Product")[0]["tags"] == ["Blue", "new"]


def test_only_scopes_that_were_granted_are_enough(open_shop: Any) -> None:
    shop = open_shop("--scopes", "write_products")
    shop.set_product({"title": "Bag"})
    assert len(shop.data("{ products(first: 1) { nodes { id } } }")["products"]["nodes"]) == 1
    answer = shop.ask('mutation { urlRedirectCreate(urlRedirect: {path: "/a", target: "/b"}) { userErrors { code } } }')
    error = answer["errors"][0]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["message"] == (
        "Access denied for urlRedirectCreate field. Required access: `write_online_store_navigation` access scope."
    )
    assert answer["data"] == {"urlRedirectCreate": None}


@pytest.mark.parametrize("name", ["orders", "customers", "urlRedirects", "locations", "pages"])
def test_a_list_asks_for_the_scope_of_what_is_in_it(open_shop: Any, name: str) -> None:
    shop = open_shop("--scopes", "write_products")
    answer = shop.ask(f"{{ {name}(first: 1) {{ nodes {{ id }} }} }}")
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_a_token_is_given_for_client_credentials_and_needed(shop: Any) -> None:
    address = f"{shop.url}/admin/oauth/access_token"
    given = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
    answer = requests.post(address, data=given, timeout=9).json()
    assert answer["expires_in"] == 86399
    assert requests.post(address, json=given, timeout=9).json()["access_token"] != answer["access_token"]
    assert requests.post(address, data={**given, "client_secret": ""}, timeout=9).status_code == 401
    for broken in (b"{", b"[]"):
        refused = requests.post(address, data=broken, headers={"content-type": "application/json"}, timeout=9)
        assert refused.status_code == 400
    graphql = f"{shop.url}/admin/api/2026-10/graphql.json"
    body = {"query": "{ shop { id } }"}
    refused = requests.post(graphql, json=body, timeout=9)
    assert (refused.status_code, list(refused.json())) == (401, ["errors"])
    headers = {"X-Shopify-Access-Token": answer["access_token"]}
    assert requests.post(graphql, json=body, headers=headers, timeout=9).status_code == 200
    shop.control("revoke", {"token": answer["access_token"]})
    assert requests.post(graphql, json=body, headers=headers, timeout=9).status_code == 401


def test_the_version_that_answers_is_named(shop: Any) -> None:
    assert shop.post("{ shop { id } }").headers["X-Shopify-API-Version"] == "2026-10"
    assert shop.post("{ shop { id } }", version="2024-01").headers["X-Shopify-API-Version"] == "2026-01"
    assert shop.post("{ shop { id } }", version="2027-01").status_code == 404

"""Bulk operations, files, stock and tags against the userErrors recorded on real shops."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

pytestmark = pytest.mark.shared

Provoked = list[dict[str, Any]]
PRODUCT_SET = "mutation P($input: ProductSetInput!) { productSet(input: $input) { product { id } } }"
RUN = """mutation B($mutation: String!, $path: String!, $client: String) {
  bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path, clientIdentifier: $client) {
    userErrors { field message code } } }"""
QUERY = """mutation B($query: String!) { bulkOperationRunQuery(query: $query) {
    bulkOperation { id } userErrors { field message code } } }"""


def _uploaded(shop: Any, text: str) -> str:
    given = {"resource": "BULK_MUTATION_VARIABLES", "filename": "v", "mimeType": "text/jsonl", "httpMethod": "POST"}
    selection = "stagedTargets { url parameters { name value } }"
    target = shop.mutate("stagedUploadsCreate", {"input": [given]}, selection)["stagedTargets"][0]
    fields = {it["name"]: it["value"] for it in target["parameters"]}
    assert requests.post(target["url"], data=fields, files={"file": ("v", text.encode())}, timeout=9).status_code == 201
    return str(fields["key"])


def bulk_mutation(shop: Any) -> Provoked:
    errors: Provoked = []
    nested = 'mutation { bulkOperationCancel(id: "gid://shopify/BulkOperation/1") { userErrors { field } } }'
    pages = (
        "mutation P($input: ProductSetInput!) { productSet(input: $input) { product { "
        "variants(first: 1) { nodes { id } } media(first: 1) { nodes { id } } } } }"
    )
    tagged = 'tagsAdd(id: "gid://shopify/Product/1", tags: []) { userErrors { field } }'
    two = f"mutation {{ a: {tagged} b: {tagged} }}"
    cases: list[dict[str, Any]] = [
        {"client": "short"}, {"client": "x" * 256}, {"mutation": "mutation { productSe"},
        {"mutation": "mutation { prod"},
        {"mutation": "{ shop { id } }"}, {"mutation": PRODUCT_SET.ljust(65_536)}, {"path": _uploaded(shop, " ")}, {},
        {"mutation": nested}, {"mutation": two}, {"mutation": pages},
    ]  # fmt: skip
    for case in cases:
        variables = {"mutation": PRODUCT_SET, "path": "tmp/nowhere", **case}
        errors += shop.data(RUN, variables)["bulkOperationRunMutation"]["userErrors"]
    return errors


def bulk_query(shop: Any) -> Provoked:
    def pages(*names: str) -> str:
        return " ".join(f"a{n}: {name} {{ edges {{ node {{ id }} }} }}" for n, name in enumerate(names))

    texts = [
        "{ shop { id } }", "{ shop", "{ products { nodes { id } } }", "{ orders { nodes { id } } }",
        '{ node(id: "gid://shopify/Product/1") { id } }',
        "{ collections { edges { node { id products { edges { node { id variants { edges { node { id metafields "
        "{ edges { node { id } } } } } } } } } } } } }",
        f"{{ {pages(*['products'] * 6)} }}",
        "{ collections { edges { node { products { edges { node { id } } } } } } }",
        PRODUCT_SET,
        "{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }",
        "{ products { edges { node { id } } } }".ljust(65_536),
    ]  # fmt: skip
    return [it for text in texts for it in shop.data(QUERY, {"query": text})["bulkOperationRunQuery"]["userErrors"]]


def bulk_cancel(shop: Any) -> Provoked:
    query = {"query": "{ products { edges { node { id } } } }"}
    gid = shop.data(QUERY, query)["bulkOperationRunQuery"]["bulkOperation"]["id"]
    cancel = "mutation($id: ID!) { bulkOperationCancel(id: $id) { userErrors { field message } } }"
    deadline = time.monotonic() + 30
    poll = "query($id: ID!) { bulkOperation(id: $id) { status } }"
    while shop.data(poll, {"id": gid})["bulkOperation"]["status"] != "COMPLETED":
        assert time.monotonic() < deadline, "the bulk operation does not end"
        time.sleep(0.02)
    ids = (gid, "gid://shopify/BulkOperation/1")
    return [it for one in ids for it in shop.data(cancel, {"id": one})["bulkOperationCancel"]["userErrors"]]


def file_update(shop: Any) -> Provoked:
    good = [{"originalSource": f"https://example.com/{name}.jpg"} for name in "ab"]
    files = shop.mutate("fileCreate", {"files": good}, "files { id }")["files"]
    errors: Provoked = []
    for place in (0, 1):
        changes = [{"id": it["id"], "alt": "x" * 513 if n == place else "x"} for n, it in enumerate(files)]
        errors += shop.errors("fileUpdate", {"files": changes})
    for ids in (
        ["MediaImage/999999999996"], ["Video/44071355089202"], ["Video/43679049449778"], ["MediaImage/999999999997"],
        ["MediaImage/900000000000003", "MediaImage/900000000000004"],
    ):  # fmt: skip
        errors += shop.errors("fileUpdate", {"files": [{"id": f"gid://shopify/{gid}", "alt": "x"} for gid in ids]})
    return errors


def inventory_adjust(shop: Any) -> Provoked:
    item = shop.set_product({"title": "Bag"})["variants"]["nodes"][0]["inventoryItem"]["id"]
    good = {"inventoryItemId": item, "locationId": shop.location(), "delta": 1, "changeFromQuantity": None}
    own, other = "gid://app/Ledger/1", "gid://app/Ledger/2"
    cases: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({}, [{**good, "inventoryItemId": "gid://shopify/InventoryItem/1"}]),
        ({}, [{**good, "locationId": "gid://shopify/Location/1"}]),
        ({"reason": "whim"}, [good]),
        ({"name": "on_hand"}, [good]),
        ({}, [{**good, "ledgerDocumentUri": own}]),
        ({"name": "damaged"}, [good]),
        ({"name": "damaged"}, [{**good, "ledgerDocumentUri": "gid://shopify/Order/1"}]),
        ({"name": "damaged"}, [{**good, "ledgerDocumentUri": own}, {**good, "ledgerDocumentUri": other}]),
    ]
    query = (
        "mutation($input: InventoryAdjustQuantitiesInput!, $key: String!) { inventoryAdjustQuantities(input: $input) "
        "@idempotent(key: $key) { userErrors { field message code } } }"
    )
    errors: Provoked = []
    for index, (change, changes) in enumerate(cases):
        value = {"name": "available", "reason": "correction", "changes": changes, **change}
        errors += shop.data(query, {"input": value, "key": f"k{index}"})["inventoryAdjustQuantities"]["userErrors"]
    return errors


def tags_remove(shop: Any) -> Provoked:
    gids = ("gid://shopify/Product/1", "gid://shopify/Customer/1")
    return [it for gid in gids for it in shop.errors("tagsRemove", {"id": gid, "tags": ["x"]}, codes=False)]


PROVOKE: dict[str, Callable[[Any], Provoked]] = {
    "bulkOperationRunMutation": bulk_mutation, "bulkOperationRunQuery": bulk_query, "bulkOperationCancel": bulk_cancel,
    "fileUpdate": file_update, "inventoryAdjustQuantities": inventory_adjust, "tagsRemove": tags_remove,
    "metafieldsDelete": lambda _: [],
}  # fmt: skip

EXCUSED = {
    "A bulk mutation operation for this app": "it names operations of the recorded shop; test_simulated_bulk asks",
    "A bulk query operation for this app": "likewise",
    "The input file size exceeds": "a file of 100 MB is uploaded by no test",
    "Specify either a source or revertToVersionId": "files have no versions here",
    "Updating the original source is not supported": "every file here is a picture",
    "Cannot update the preview image and image": "previews are not changed by themselves here",
    "The filename extension provided must match": "renaming files is not checked here",
    "Invalid image source url value provided": "previews are not changed by themselves here",
    "Non-ready files cannot be updated.": "the shop of these tests processes files at once",
    "The reference target does not exist": "files are attached by productSet here",
    "Updating the filename is only supported": "every file here is a picture",
    "Access to this namespace and key": "no namespace belongs to another app",
}


@pytest.mark.parametrize("mutation", sorted(PROVOKE))
def test_recorded_bulk_and_file_errors_are_answered_in_the_same_words(shop: Any, recorded: Any, mutation: str) -> None:
    assert recorded.missing(mutation, PROVOKE[mutation](shop), EXCUSED) == []

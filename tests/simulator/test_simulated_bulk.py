"""Bulk operations: many calls by one file, and one query over everything."""

import json
import time
from typing import Any

import pytest
import requests

PRODUCT_SET = (
    "mutation P($identifier: ProductSetIdentifiers, $input: ProductSetInput!) "
    "{ productSet(identifier: $identifier, input: $input) { product { id title } userErrors { field message code } } }"
)
RUN = """mutation B($mutation: String!, $path: String!, $client: String) {
  bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path, clientIdentifier: $client) {
    bulkOperation { id status type } userErrors { field message code } } }"""
QUERY = """mutation B($query: String!, $group: Boolean!) { bulkOperationRunQuery(query: $query, groupObjects: $group) {
    bulkOperation { id status } userErrors { field message code } } }"""
POLL = """query B($id: ID!) { bulkOperation(id: $id) {
    status type errorCode completedAt objectCount rootObjectCount fileSize url partialDataUrl } }"""


def uploaded(shop: Any, text: str) -> str:
    given = {"resource": "BULK_MUTATION_VARIABLES", "filename": "v", "mimeType": "text/jsonl", "httpMethod": "POST"}
    selection = "stagedTargets { url parameters { name value } }"
    target = shop.mutate("stagedUploadsCreate", {"input": [given]}, selection)["stagedTargets"][0]
    fields = {it["name"]: it["value"] for it in target["parameters"]}
    assert requests.post(target["url"], data=fields, files={"file": ("v", text.encode())}, timeout=9).status_code == 201
    return str(fields["key"])


def finished(shop: Any, gid: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        operation: dict[str, Any] = shop.data(POLL, {"id": gid})["bulkOperation"]
        if operation["status"] not in {"CREATED", "RUNNING", "CANCELING"}:
            return operation
        time.sleep(0.02)
    raise AssertionError("the bulk operation does not end")


def lines(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(it) for it in requests.get(operation["url"], timeout=9).text.splitlines()]


def started(shop: Any, text: str, **more: Any) -> str:
    payload = shop.data(RUN, {"mutation": PRODUCT_SET, "path": uploaded(shop, text), **more})[
        "bulkOperationRunMutation"
    ]
    assert payload["userErrors"] == []
    return str(payload["bulkOperation"]["id"])


def test_every_line_of_a_file_has_a_result_in_any_order(shop: Any) -> None:
    inputs = [{"input": {"title": f"p{i}" if i != 3 else ""}} for i in range(25)]
    text = "\n".join([*(json.dumps(it) for it in inputs), '{"input": {"colour": 1}}', "nonsense"])
    operation = finished(shop, started(shop, text, client="a-label-of-ours"))
    assert (operation["status"], operation["objectCount"], operation["errorCode"]) == ("COMPLETED", "27", None)
    results = lines(operation)
    numbers = [it["__lineNumber"] for it in results]
    assert sorted(numbers) == list(range(27))
    assert numbers != sorted(numbers)
    by_number = {it["__lineNumber"]: it for it in results}
    assert by_number[5]["data"]["productSet"]["product"]["title"] == "p5"
    assert by_number[3]["data"]["productSet"]["userErrors"][0]["code"] == "INVALID_PRODUCT"
    assert by_number[25]["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"
    assert by_number[26]["errors"]
    assert len(shop.control("objects?type=Product")) == 24


def test_a_killed_simulator_goes_on_with_a_bulk_operation_where_it_was(open_shop: Any) -> None:
    shop = open_shop("--plan", "unlimited")
    gid = started(shop, "\n".join(json.dumps({"input": {"title": f"p{i}"}}) for i in range(600)))
    while not int(shop.data(POLL, {"id": gid})["bulkOperation"]["objectCount"]) > 0:
        time.sleep(0.001)
    shop.kill()
    shop.start()
    operation = finished(shop, gid)
    assert operation["objectCount"] == "600"
    titles = [it["title"] for it in shop.control("objects?type=Product")]
    assert sorted(titles) == sorted(f"p{i}" for i in range(600))


def test_what_cannot_be_run_is_refused_in_the_recorded_words(shop: Any) -> None:
    def refused(**change: Any) -> tuple[Any, str, Any]:
        given = {"mutation": PRODUCT_SET, "path": "tmp/nowhere", **change}
        error = shop.data(RUN, given)["bulkOperationRunMutation"]["userErrors"][0]
        return error["field"], error["message"], error["code"]

    assert refused()[2] == "NO_SUCH_FILE"
    assert refused(path=uploaded(shop, " ")) == (None, "The input file is empty.", "INVALID_STAGED_UPLOAD_FILE")
    assert refused(client="short")[1] == "is too short (minimum is 10 characters)"
    assert refused(mutation="mutation { productSet")[1].startswith("Failed to parse the mutation - syntax error")
    assert refused(mutation="{ shop { id } }")[1] == (
        "Invalid operation type. Only `mutation` operations are supported."
    )
    nested = 'mutation { bulkOperationCancel(id: "gid://shopify/BulkOperation/1") { userErrors { field } } }'
    assert refused(mutation=nested) == (["mutation"], "You must use an allowed mutation name.", None)
    too_long = f"{PRODUCT_SET}{' ' * 65_536}"
    assert refused(mutation=too_long)[0] == ["query"]


def test_five_at_once_are_enough(open_shop: Any) -> None:
    shop = open_shop("--processing-seconds", "60", "--plan", "unlimited")
    ids = [started(shop, '{"input": {"title": "x"}}') for _ in range(5)]
    given = {"mutation": PRODUCT_SET, "path": uploaded(shop, "{}")}
    error = shop.data(RUN, given)["bulkOperationRunMutation"]["userErrors"][0]
    assert error["code"] == "OPERATION_IN_PROGRESS"
    assert all(gid in error["message"] for gid in ids)
    listed = shop.data('{ bulkOperations(first: 9, query: "operation_type:mutation status:created") { nodes { id } } }')
    assert [it["id"] for it in listed["bulkOperations"]["nodes"]] == ids[::-1]
    assert shop.data(CANCEL, {"id": ids[0]})["bulkOperationCancel"]["bulkOperation"]["status"] == "CANCELING"
    again = shop.data(CANCEL, {"id": ids[0]})["bulkOperationCancel"]["userErrors"][0]["message"]
    assert again == "A bulk operation cannot be canceled when it is canceled"
    assert finished(shop, ids[0])["status"] == "CANCELED"


CANCEL = "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"


def struck(shop: Any, fault: str, **more: Any) -> None:
    body = {"fault": fault, "operation": "productSet", "times": 1, **more}
    requests.post(f"{shop.url}/_simulator/faults", json=body, timeout=9).raise_for_status()


def many(count: int) -> str:
    return "\n".join(json.dumps({"input": {"title": f"p{i}"}}) for i in range(count))


def test_a_running_operation_is_canceled_in_a_while_and_leaves_what_it_did(open_shop: Any) -> None:
    shop = open_shop("--plan", "unlimited")
    struck(shop, "bulk_slow", milliseconds=20)
    gid = started(shop, many(500))
    while not int(shop.data(POLL, {"id": gid})["bulkOperation"]["objectCount"]) > 2:
        time.sleep(0.01)
    assert shop.data(CANCEL, {"id": gid})["bulkOperationCancel"]["bulkOperation"]["status"] == "CANCELING"
    operation = finished(shop, gid)
    assert (operation["status"], operation["url"]) == ("CANCELED", None)
    found = lines({"url": operation["partialDataUrl"]})
    assert 2 < len(found) == int(operation["objectCount"]) == len(shop.control("objects?type=Product")) < 500


def test_an_operation_fails_in_the_middle_with_or_without_what_it_did(shop: Any) -> None:
    for partial in (True, False):
        struck(shop, "bulk_failed", lines=7, error_code="TIMEOUT", partial=partial)
        operation = finished(shop, started(shop, many(30)))
        assert (operation["status"], operation["errorCode"], operation["url"]) == ("FAILED", "TIMEOUT", None)
        assert operation["objectCount"] == "7"
        assert (operation["partialDataUrl"] is not None) is partial
        if partial:
            assert len(lines({"url": operation["partialDataUrl"]})) == 7


def test_an_operation_loses_lines_or_its_whole_file(shop: Any) -> None:
    struck(shop, "bulk_lines_missing", lines=4)
    operation = finished(shop, started(shop, many(10)))
    assert (operation["status"], operation["objectCount"], len(lines(operation))) == ("COMPLETED", "10", 6)
    struck(shop, "bulk_expired")
    operation = finished(shop, started(shop, many(10)))
    assert (operation["status"], operation["url"], operation["partialDataUrl"]) == ("EXPIRED", None, None)
    assert len(shop.control("objects?type=Product")) == 20


def test_a_files_way_in_or_out_is_struck_by_rules_that_name_it(shop: Any) -> None:
    gid = started(shop, many(10))
    address = finished(shop, gid)["url"]
    for rule in (
        {"fault": "http_503", "operation": "resultFile"}, {"fault": "truncated_json", "operation": "resultFile"},
        {"fault": "hangup_midway", "operation": "resultFile"}, {"fault": "http_503", "operation": "*", "times": 0},
    ):  # fmt: skip
        requests.post(f"{shop.url}/_simulator/faults", json={"times": 1, **rule}, timeout=9).raise_for_status()
    assert requests.get(address, timeout=9).status_code == 503
    half = requests.get(address, timeout=9).content
    with pytest.raises(requests.RequestException):
        requests.get(address, timeout=9)
    whole = requests.get(address, timeout=9).content
    assert whole.startswith(half)
    assert len(half) == len(whole) // 2
    rule = {"fault": "http_500", "operation": "stagedUpload", "times": 1}
    requests.post(f"{shop.url}/_simulator/faults", json=rule, timeout=9).raise_for_status()
    with pytest.raises(AssertionError):
        uploaded(shop, "{}")
    assert uploaded(shop, "{}")


def test_an_upload_whose_connection_breaks_before_it_came_in_is_not_there(shop: Any) -> None:
    rule = {"fault": "hangup_before_commit", "operation": "stagedUpload", "times": 1}
    requests.post(f"{shop.url}/_simulator/faults", json=rule, timeout=9).raise_for_status()
    with pytest.raises(requests.ConnectionError):
        uploaded(shop, "{}")
    assert shop.control("objects?type=_Upload") == []


def test_a_fault_that_no_file_meets_is_refused(shop: Any) -> None:
    rule = {"fault": "throttled", "operation": "stagedUpload"}
    refused = requests.post(f"{shop.url}/_simulator/faults", json=rule, timeout=9)
    assert (refused.status_code, refused.json()["error"].partition(";")[0]) == (400, "no file meets 'throttled'")


def bulk_query(shop: Any, query: str, *, group: bool = False) -> Any:
    return shop.data(QUERY, {"query": query, "group": group})["bulkOperationRunQuery"]


def test_a_query_over_everything_names_the_parents(shop: Any) -> None:
    for i in range(300):
        shop.set_product({"title": f"p{i}"})
    query = "{ products { edges { node { id title variants { edges { node { id title } } } } } } }"
    operation = finished(shop, bulk_query(shop, query)["bulkOperation"]["id"])
    assert (operation["objectCount"], operation["rootObjectCount"]) == ("600", "300")
    rows = lines(operation)
    parents = {it["id"] for it in rows if "__parentId" not in it}
    assert {it["__parentId"] for it in rows if "__parentId" in it} == parents
    grouped = lines(finished(shop, bulk_query(shop, query, group=True)["bulkOperation"]["id"]))
    assert grouped[1]["__parentId"] == grouped[0]["id"]
    empty = finished(shop, bulk_query(shop, "{ collections { edges { node { id } } } }")["bulkOperation"]["id"])
    assert (empty["status"], empty["url"], empty["objectCount"]) == ("COMPLETED", None, "0")


def test_a_query_that_the_app_may_not_ask_fails_rather_than_find_nothing(open_shop: Any) -> None:
    shop = open_shop("--scopes", "read_products")
    operation = finished(shop, bulk_query(shop, "{ orders { edges { node { id } } } }")["bulkOperation"]["id"])
    assert (operation["status"], operation["errorCode"], operation["url"]) == ("FAILED", "ACCESS_DENIED", None)


def test_queries_of_the_wrong_shape_are_refused_in_the_recorded_words(shop: Any) -> None:
    def refused(query: str) -> str:
        error = bulk_query(shop, query)["userErrors"][0]
        assert (error["field"], error["code"]) == (["query"], "INVALID")
        return str(error["message"])

    assert refused("{ shop { id } }") == "Bulk queries must contain at least one connection."
    assert refused("{ products {") == "Invalid bulk query: syntax error, unexpected end of file"
    assert refused("{ products { nodes { id } } }") == (
        "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
        "'products { edges { node {'. Selecting via 'nodes' is not supported. Invalid connection fields: 'products'."
    )
    assert refused('{ node(id: "gid://shopify/Product/1") { id } }') == (
        "Bulk queries cannot contain a top level `node` field."
    )
    assert refused("{ products { edges { node { title variants { edges { node { id } } } } } } }").startswith(
        "The parent 'node' field for a nested connection must select the 'id' field"
    )
    assert refused('mutation { productDelete(input: {id: "gid://shopify/Product/1"}) { deletedProductId } }') == (
        "Invalid operation type. Only `query` operations are supported."
    )

"""The client and its documents against the simulator: another reading of the same schema and rules."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.errors import GraftportError, LoadRejectedError, UnknownOutcomeError
from graftport_dagster.shopify.client import Answer, Shop
from graftport_dagster.shopify.cost import requested_cost
from graftport_dagster.shopify.credentials import AccessToken
from graftport_dagster.shopify.documents import document, publish_call

ROOT = Path(__file__).parents[2]
OWNERS = ("PRODUCT", "PRODUCTVARIANT", "COLLECTION", "CUSTOMER", "ORDER", "LOCATION")
ID = {"namespace": "graftport", "key": "source_id"}


class Store:
    """A simulator of its own process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(folder / "state")]
        self._process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def control(self, path: str, content: Any) -> None:
        assert requests.post(f"{self.url}/_simulator/{path}", json=content, timeout=10).status_code == 200

    def asked(self) -> list[Any]:
        found: Any = requests.get(f"{self.url}/_simulator/requests?after=0", timeout=10).json()
        return list(found["requests"] if isinstance(found, dict) else found)

    def objects(self, kind: str) -> list[Any]:
        found: Any = requests.get(f"{self.url}/_simulator/objects?type={kind}", timeout=10).json()
        return list(found["objects"] if isinstance(found, dict) else found)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("simulator"), "--plan", "unlimited")
    yield store
    store.end()


@pytest.fixture
def store(running: Store) -> Store:
    running.control("reset", {})
    running.control("faults", {"faults": [], "replace": True})
    return running


@pytest.fixture
def shop(store: Store) -> Iterator[Shop]:
    shop = Shop(store.url, credentials=AccessToken("shpat_test"), timeout_seconds=5, patience_seconds=30)
    yield shop
    shop.close()


def asks(shop: Shop, name: str, variables: dict[str, Any]) -> Answer:
    """One call that must be taken, and cost what was foreseen."""
    answer = shop.call(document(name), variables, repeatable=False)
    answer.raise_for_user_errors()
    assert answer.cost_requested == requested_cost(document(name), variables), name
    return answer


def define_ids(shop: Shop) -> None:
    for owner in OWNERS:
        definition = {**ID, "name": "Graftport id", "ownerType": owner, "type": "id"}
        asks(shop, "metafield_definition_create", {"definition": definition})


def set_product(shop: Shop, number: int, sizes: int = 2) -> Answer:
    value = f"test:products:{number}"
    payload = {
        "title": f"Shirt {number}",
        "metafields": [{**ID, "type": "id", "value": value}],
        "productOptions": [{"name": "Size", "values": [{"name": str(size)} for size in range(sizes)]}],
        "variants": [
            {
                "optionValues": [{"optionName": "Size", "name": str(size)}],
                "price": "10.00",
                "sku": f"{number}-{size}",
                "metafields": [{**ID, "type": "id", "value": f"{value}:variant:{size}"}],
            }
            for size in range(sizes)
        ],
        "files": [{"originalSource": f"https://shop.example/{number}.jpg", "alt": "Shirt", "contentType": "IMAGE"}],
    }  # fmt: skip
    variables = {"identifier": {"customId": {**ID, "value": value}}, "input": payload, "variants": sizes, "media": 1}
    return shop.call(document("product_set"), variables, repeatable=True)


def test_every_document_of_ours_is_taken_and_costs_what_was_foreseen(shop: Shop) -> None:
    define_ids(shop)
    facts = asks(shop, "preflight", {"locations": 50, "publications": 50}).data
    assert all(facts[owner]["nodes"][0]["type"]["name"] == "id" for owner in OWNERS)
    product = set_product(shop, 1, sizes=3).data["product"]
    assert [node["sku"] for node in product["variants"]["nodes"]] == ["1-0", "1-1", "1-2"]
    assert len(product["media"]["nodes"]) == 1
    by_id = {"identifier": {"customId": {**ID, "value": "test:products:1"}}, "variants": 3, "media": 1}
    found = asks(shop, "product_by_identifier", by_id).data
    assert found["id"] == product["id"]
    assert found["metafield"]["value"] == "test:products:1"
    page = asks(shop, "product_variants", {"id": product["id"], "first": 2, "after": None}).data["variants"]
    assert page["pageInfo"]["hasNextPage"] is True
    sizes = {"variants": 3, "media": 1, "collections": 5, "metafields": 5}
    assert asks(shop, "product_read", {"id": product["id"], **sizes}).data["title"] == "Shirt 1"
    collection = {"title": "Sale", "metafields": [{**ID, "type": "id", "value": "test:collections:1"}]}
    made = asks(shop, "collection_create", {"collection": collection}).data["collection"]
    asks(shop, "collection_update", {"collection": {"id": made["id"], "title": "Big sale"}})
    identifier = {"customId": {**ID, "value": "test:collections:1"}}
    assert asks(shop, "collection_by_identifier", {"identifier": identifier}).data["title"] == "Big sale"
    online = [{"publicationId": facts["publications"]["nodes"][0]["id"]}]
    assert shop.publish([(product["id"], online), (made["id"], online)]) == [(), ()]
    asks(shop, "collection_delete", {"input": {"id": made["id"]}})
    redirect = {"urlRedirect": {"path": "/old", "target": "/new"}}
    gid = asks(shop, "url_redirect_create", redirect).data["urlRedirect"]["id"]
    asks(shop, "url_redirect_update", {"id": gid, "urlRedirect": {"target": "/newer"}})
    listed = asks(shop, "url_redirects", {"query": "path:'/old'", "first": 5, "after": None}).data["nodes"]
    assert [node["target"] for node in listed] == ["/newer"]
    asks(shop, "url_redirect_delete", {"id": gid})
    asks(shop, "product_delete", {"input": {"id": product["id"]}})
    assert asks(shop, "product_by_identifier", by_id).data == {}


def test_an_id_without_its_definition_stops_with_what_to_do(shop: Shop) -> None:
    with pytest.raises(GraftportError) as found:
        set_product(shop, 1)
    assert found.value.code == "DEFINITION_MISSING"


def test_a_wrong_payload_is_placed_like_shopify_places_it(shop: Shop) -> None:
    define_ids(shop)
    variables = {"input": {"title": "a", "variants": [{"optionValues": [], "prize": "1"}]}, "variants": 1, "media": 1}
    with pytest.raises(LoadRejectedError) as found:
        shop.call(document("product_set"), variables, repeatable=False)
    assert (found.value.code, found.value.path) == ("INVALID_VARIABLE", "input.variants[0].prize")


def test_a_wrong_gid_among_publications_does_not_refuse_the_others(shop: Shop) -> None:
    define_ids(shop)
    gid = set_product(shop, 1).data["product"]["id"]
    facts = asks(shop, "preflight", {"locations": 1, "publications": 1}).data
    online = [{"publicationId": facts["publications"]["nodes"][0]["id"]}]
    refused = shop.publish([(gid, online), ("gid://shopify/Product/999999", online), (gid, online)])
    assert [bool(errors) for errors in refused] == [False, True, False]


def test_fifty_publications_are_one_call_of_the_foreseen_cost(store: Store, shop: Shop) -> None:
    define_ids(shop)
    gid = set_product(shop, 1).data["product"]["id"]
    facts = asks(shop, "preflight", {"locations": 1, "publications": 1}).data
    online = [{"publicationId": facts["publications"]["nodes"][0]["id"]}]
    before = len(store.asked())
    shop.publish([(gid, online)] * 50)
    calls = store.asked()[before:]
    assert len(calls) == 1
    assert requested_cost(*publish_call([(gid, online)] * 50)) == 500


REPEATED = ["http_429", "throttled", "http_500", "http_502_after_commit", "reset_before_commit", "reset_after_commit",
            "hangup_midway", "truncated_json", "html_error_after_commit", "internal_error_after_commit", "empty_answer",
            "wrong_content_type"]  # fmt: skip


@pytest.mark.parametrize("fault", REPEATED)
def test_an_upsert_lands_once_through_any_fault(fault: str, store: Store, shop: Shop) -> None:
    define_ids(shop)
    store.control("faults", {"fault": fault, "operation": "productSet", "times": 2, "retry_after": 0.1})
    answer = set_product(shop, 1)
    assert answer.user_errors == ()
    assert len(store.objects("Product")) == 1


@pytest.mark.parametrize(
    "fault", [fault for fault in REPEATED if fault not in ("http_429", "throttled", "wrong_content_type")]
)
def test_a_create_that_cannot_be_repeated_is_sent_once_and_unknown(fault: str, store: Store, shop: Shop) -> None:
    store.control("faults", {"fault": fault, "operation": "urlRedirectCreate", "times": 1})
    with pytest.raises(UnknownOutcomeError):
        shop.call(document("url_redirect_create"), {"urlRedirect": {"path": "/a", "target": "/b"}}, repeatable=False)
    executed = fault not in ("http_500", "reset_before_commit")
    assert len(store.objects("UrlRedirect")) == executed


def test_every_upsert_lands_though_a_fifth_of_all_calls_fails(store: Store, shop: Shop) -> None:
    define_ids(shop)
    kinds = ("http_429", "http_503", "reset_after_commit", "hangup_before_commit")
    faults = [{"fault": fault, "operation": "productSet", "probability": 0.05, "retry_after": 0.1} for fault in kinds]
    store.control("faults", {"seed": 5, "faults": faults})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: set_product(shop, number), range(80)))
    assert all(answer.user_errors == () for answer in answers)
    assert len(store.objects("Product")) == 80


MakeStore = Callable[..., Store]


@pytest.fixture
def make_store(tmp_path: Path) -> Iterator[MakeStore]:
    made: list[Store] = []

    def make(*arguments: str) -> Store:
        made.append(Store(tmp_path, *arguments))
        return made[-1]

    yield make
    for store in made:
        store.end()


def test_a_drained_store_is_used_to_its_limit_and_hardly_refuses(make_store: MakeStore) -> None:
    store = make_store("--plan", "enterprise")
    shop = Shop(store.url, credentials=AccessToken("shpat_test"), concurrency=8)
    dear = "query Q { " + " ".join(f"a{n}: urlRedirects(first: 250) {{ nodes {{ id }} }}" for n in range(60)) + " }"
    assert requested_cost(dear, {}) == 780
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        # 60 × 780 points, of which 40,000 are there at the beginning and 2,000 come back each second.
        answers = list(pool.map(lambda _: shop.call(dear, {}, repeatable=True), range(60)))
    seconds = time.monotonic() - started
    shop.close()
    assert [answer.calls for answer in answers] == [1] * 60, Counter(str(it.get("outcome")) for it in store.asked())
    used = sum(answer.cost_actual for answer in answers)
    assert seconds < (used - 36_000) / 2000 + 8

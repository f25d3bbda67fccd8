"""The simulated Magento against a client of somebody else's, and its traps by themselves."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.simulator.magento.shop import Shop

Serving = Callable[..., AbstractContextManager[str]]
BEARER = {"Authorization": "Bearer at_simulated"}


@pytest.fixture
def client(magento_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Signed in as the admin. One in a process; it writes logs where it is, and knows no ports."""
    monkeypatch.chdir(tmp_path)
    from magento import Client

    made = Client("shop", "admin", "admin_simulated1", local=True, user_agent="test", login=False)
    made.BASE_URL = f"{magento_url}/rest/V1/"
    made.authenticate()
    return made


def ask(url: str, path: str, *, size: int = 0, page: int = 1, order: str = "", **more: Any) -> dict[str, Any]:
    requests.post(f"{url}/_simulator/accounts", json={"integration_as_bearer": True}, timeout=20).raise_for_status()
    query = {"searchCriteria[currentPage]": page, **more}
    if size:
        query["searchCriteria[pageSize]"] = size
    if order:
        query |= {"searchCriteria[sortOrders][0][field]": order, "searchCriteria[sortOrders][0][direction]": "ASC"}
    answer = requests.get(f"{url}/rest/V1/{path}", params=query, headers=BEARER, timeout=20)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(answer: dict[str, Any], key: str = "id") -> list[int]:
    return [item[key] for item in answer["items"]]


def test_somebody_elses_client_signs_in_and_finds_its_way(client: Any) -> None:
    product = client.products.by_sku("MG-001")
    assert (product.name, product.type_id) == ("Föhn Trekking Pack 1", "simple")
    # The client asks with a set, in whatever order that has.
    assert {one.sku for one in client.products.by_skulist(["MG-001", "MG-003"])} == {"MG-001", "MG-003"}
    order = client.orders.by_number("000000003")
    assert order.grand_total == 90.31
    assert client.invoices.by_order_number("000000003").grand_total == 90.31
    assert client.customers.by_id(2).email == "customer2@example.com"
    large = client.orders.add_criteria("grand_total", 100, "gteq").execute()
    assert {one.grand_total >= 100 for one in large} == {True}


def test_a_page_past_the_end_repeats_the_last_one_or_is_empty_by_version(
    magento_url: str, serving_magento: Serving
) -> None:
    last = ask(magento_url, "orders", size=6, page=4, order="entity_id")
    assert ids(last, "entity_id") == [19, 20]
    assert ids(ask(magento_url, "orders", size=6, page=9, order="entity_id"), "entity_id") == [19, 20]
    with serving_magento("--empty-past-the-end", "--most-per-page", "300") as newer:
        answer = ask(newer, "orders", size=6, page=9, order="entity_id")
        assert (answer["items"], answer["total_count"]) == ([], 20)
        refused = requests.get(
            f"{newer}/rest/V1/orders", params={"searchCriteria[pageSize]": 301}, headers=BEARER, timeout=20
        )
        assert refused.status_code == 400
        assert refused.json() == {"message": "Maximum SearchCriteria pageSize is %1", "parameters": [300]}


def test_a_page_too_far_is_told_as_it_was_asked_for(magento_url: str) -> None:
    assert ask(magento_url, "orders", size=6, page=9, order="entity_id")["search_criteria"]["current_page"] == 9


def test_things_are_asked_for_by_their_column_and_by_no_other(magento_url: str) -> None:
    def later(field: str) -> dict[str, Any]:
        start = "searchCriteria[filter_groups][0][filters][0]"
        return {f"{start}[field]": field, f"{start}[value]": "3", f"{start}[condition_type]": "gt"}

    # A page's number is shown as id, and is page_id in its table.
    assert ids(ask(magento_url, "cmsPage/search", order="page_id", **later("page_id"))) == [4, 5]
    for path, field in (("cmsPage/search", "entity_id"), ("orders", "id"), ("products", "colour")):
        for query in (later(field), {"searchCriteria[sortOrders][0][field]": field}):
            answer = requests.get(f"{magento_url}/rest/V1/{path}", params=query, headers=BEARER, timeout=20)
            assert answer.status_code == 500, (path, query)
            assert answer.json()["message"].startswith("Internal Error. Details are available in Magento log file.")


def test_pages_without_an_order_repeat_rows_and_leave_others_out(magento_url: str) -> None:
    seen = [number for page in range(1, 8) for number in ids(ask(magento_url, "products", size=6, page=page))]
    assert len(seen) == 42
    assert len(set(seen)) < 42


def test_filters_of_a_group_are_alternatives_and_groups_narrow(magento_url: str) -> None:
    def condition(group: int, place: int, field: str, value: str, kind: str) -> dict[str, Any]:
        start = f"searchCriteria[filter_groups][{group}][filters][{place}]"
        return {f"{start}[field]": field, f"{start}[value]": value, f"{start}[condition_type]": kind}

    either = condition(0, 0, "sku", "MG-001", "eq") | condition(0, 1, "sku", "MG-003", "eq")
    assert len(ask(magento_url, "products", **either)["items"]) == 2
    both = either | condition(1, 0, "type_id", "virtual", "eq")
    assert [one["sku"] for one in ask(magento_url, "products", **both)["items"]] == ["MG-003"]
    assert ask(magento_url, "products", **condition(0, 0, "name", "%hütte%", "like"))["total_count"] > 0
    late = ask(magento_url, "orders", **condition(0, 0, "updated_at", "2024-02-10 00:00:00", "gteq"))
    assert 0 < late["total_count"] < 20


def test_fields_leaves_only_what_is_named(magento_url: str) -> None:
    answer = ask(magento_url, "products", size=2, order="entity_id", fields="items[id,sku],total_count")
    assert answer == {"items": [{"id": 1, "sku": "MG-000-S-BLA"}, {"id": 2, "sku": "MG-000-S-MOS"}], "total_count": 42}


def test_refusals_are_worded_as_magentos(magento_url: str) -> None:
    def get(path: str, **given: Any) -> tuple[int, Any]:
        answer = requests.get(f"{magento_url}{path}", timeout=20, **given)
        return answer.status_code, answer.json()

    status, body = get("/rest/V1/products?searchCriteria")
    assert status == 401
    assert body["message"] == "The consumer isn't authorized to access %resources."
    assert body["parameters"] == {"resources": "Magento_Catalog::products"}
    # Integration tokens are no bearers since 2.4.4.
    assert get("/rest/V1/orders?searchCriteria", headers=BEARER)[0] == 401
    assert get("/rest/nowhere/V1/orders")[0] == 404
    assert get("/rest/V1/url-rewrites") == (404, {"message": "Request does not match any route."})
    token = requests.post(
        f"{magento_url}/rest/V1/integration/admin/token", json={"username": "admin", "password": "x"}, timeout=20
    )
    assert token.status_code == 401
    assert token.json()["message"].startswith("The account sign-in was incorrect")


def test_the_same_seed_is_the_same_shop_and_another_one_is_not() -> None:
    first = Shop.made(3, orders=5).lists
    assert first == Shop.made(3, orders=5).lists
    assert first != Shop.made(4, orders=5).lists


def test_a_shop_is_kept_in_a_folder_that_people_edit(serving_magento: Serving, tmp_path: Path) -> None:
    Shop.made(1).write(tmp_path)
    path = tmp_path / "customers.json"
    customers = json.loads(path.read_text())
    path.write_text(json.dumps(customers[:2]))
    with serving_magento("--state", str(tmp_path)) as url:
        assert ask(url, "customers/search")["total_count"] == 2


def test_made_orders_add_up(magento_url: str) -> None:
    orders = requests.get(f"{magento_url}/_simulator/objects?list=orders", timeout=20).json()
    for order in orders:
        amounts = ("subtotal", "shipping_amount", "tax_amount", "discount_amount", "discount_tax_compensation_amount")
        assert sum(Decimal(str(order[name])) for name in amounts) == Decimal(str(order["grand_total"]))
    states = {order["state"] for order in orders}
    assert states == {"new", "processing", "complete", "closed", "canceled"}
    assert {order["order_currency_code"] for order in orders} == {"EUR", "CHF"}


def test_the_command_line_serves_it(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("graftport")), "simulator", "--platform", "magento", "--port", "0"]
    process = subprocess.Popen([*command, "--seed", "2", "--json"], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    try:
        url = json.loads(_object(process.stdout))["url"]
        assert requests.get(f"{url}/_simulator/objects?list=pages", timeout=20).json()[0]["identifier"] == "no-route"
    finally:
        process.terminate()
        assert process.wait(20) in (0, 130, -15)
        process.stdout.close()


def _object(lines: Iterator[str]) -> str:
    """The first JSON object that is printed."""
    text = ""
    for line in lines:
        text += line
        if line.rstrip() == "}" or (line.startswith("{") and line.rstrip().endswith("}")):
            break
    return text

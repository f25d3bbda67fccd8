"""The simulated shop against the client that WooCommerce itself publishes."""

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
from woocommerce import API

Serving = Callable[..., AbstractContextManager[str]]
KEY = ("ck_simulated", "cs_simulated")


@pytest.fixture(scope="module")
def shop_url(serving_woocommerce: Serving) -> Iterator[str]:
    """A shop that takes OAuth 1.0a, as over plain HTTP; nobody edits it."""
    with serving_woocommerce() as url:
        yield url


@pytest.fixture
def api(shop_url: str) -> API:
    return API(url=shop_url, consumer_key=KEY[0], consumer_secret=KEY[1], timeout=20)


def every(api: API, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    page = 1
    while True:
        answer = api.get(path, params={"per_page": 100, "page": page, **query})
        yield from answer.json()
        if page >= int(answer.headers["X-WP-TotalPages"]):
            return
        page += 1


def test_the_official_client_is_let_in_by_its_signature(api: API) -> None:
    answer = api.get("products", params={"per_page": 3, "orderby": "id", "order": "asc"})
    assert answer.status_code == 200
    assert len(answer.json()) == 3
    assert answer.headers["X-WP-Total"] == "24"
    assert answer.headers["X-WP-TotalPages"] == "8"
    assert 'rel="next"' in answer.headers["Link"]


def test_a_wrong_key_and_a_wrong_secret_are_refused_in_woocommerces_words(shop_url: str) -> None:
    for key, secret, message in (
        ("ck_other", "cs_simulated", "Consumer key is invalid."),
        ("ck_simulated", "cs_other", "Invalid signature - provided signature does not match."),
    ):
        answer = API(url=shop_url, consumer_key=key, consumer_secret=secret, timeout=20).get("products")
        assert answer.status_code == 401
        assert answer.json() == {
            "code": "woocommerce_rest_authentication_error", "message": message, "data": {"status": 401}
        }  # fmt: skip


def test_over_plain_http_a_basic_header_is_not_even_looked_at(shop_url: str, woocommerce_url: str) -> None:
    refused = requests.get(f"{shop_url}/wp-json/wc/v3/products", auth=KEY, timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (401, "woocommerce_rest_cannot_view")
    assert requests.get(f"{woocommerce_url}/wp-json/wc/v3/products", auth=KEY, timeout=20).status_code == 200
    query = {"consumer_key": KEY[0], "consumer_secret": KEY[1]}
    assert requests.get(f"{woocommerce_url}/wp-json/wc/v3/products", params=query, timeout=20).status_code == 200


def test_pages_have_ten_by_default_and_at_most_a_hundred(api: API) -> None:
    assert len(api.get("products").json()) == 10
    refused = api.get("products", params={"per_page": 101})
    assert refused.status_code == 400
    assert refused.json()["code"] == "rest_invalid_param"
    assert "between 1 (inclusive) and 100" in refused.json()["data"]["params"]["per_page"]
    assert api.get("products", params={"orderby": "colour"}).status_code == 400


def test_a_page_behind_the_last_is_empty_in_woocommerce_and_an_error_in_wordpress(api: API, shop_url: str) -> None:
    assert api.get("products", params={"page": 99}).json() == []
    refused = requests.get(f"{shop_url}/wp-json/wp/v2/posts?page=99", timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (400, "rest_post_invalid_page_number")


def test_paging_by_offset_gives_everything_once(api: API) -> None:
    seen: list[int] = []
    while page := api.get(
        "orders", params={"per_page": 7, "offset": len(seen), "orderby": "id", "order": "asc"}
    ).json():
        seen += [it["id"] for it in page]
    assert len(seen) == len(set(seen)) == 20
    assert seen == sorted(seen)


def test_the_shop_is_cross_referenced(api: API) -> None:
    products = {it["id"]: it for it in every(api, "products")}
    categories = {it["id"] for it in every(api, "products/categories")}
    customers = {it["id"] for it in every(api, "customers")}
    assert {it["type"] for it in products.values()} == {"simple", "variable", "external", "grouped"}
    for product in products.values():
        assert {it["id"] for it in product["categories"]} <= categories
        variations = {it["id"] for it in every(api, f"products/{product['id']}/variations")}
        assert variations == set(product["variations"])
        assert set(product["grouped_products"]) <= products.keys()
    for order in every(api, "orders"):
        assert order["customer_id"] in customers | {0}
        assert {line["product_id"] for line in order["line_items"]} <= products.keys() | {0}


def test_every_sum_of_an_order_adds_up(api: API) -> None:
    for order in every(api, "orders"):
        lines = [*order["line_items"], *order["shipping_lines"], *order["fee_lines"]]
        net = sum(Decimal(it["total"]) for it in lines)
        tax = sum(Decimal(it["total_tax"]) for it in lines)
        assert Decimal(order["total"]) == net + tax
        assert Decimal(order["total_tax"]) == tax
        refunds = list(every(api, f"orders/{order['id']}/refunds"))
        assert [(it["id"], f"-{it['amount']}") for it in refunds] == [
            (it["id"], it["total"]) for it in order["refunds"]
        ]


def test_modified_after_is_in_the_shops_zone_unless_the_dates_are_gmt(api: API) -> None:
    product = api.get("products", params={"per_page": 1, "orderby": "modified", "order": "desc"}).json()[0]
    assert product["date_modified"] != product["date_modified_gmt"]
    gmt = {"modified_after": product["date_modified_gmt"]}
    local = {"modified_after": product["date_modified"]}
    assert api.get("products", params={**gmt, "dates_are_gmt": "true"}).json() == []
    assert api.get("products", params=local).json() == []
    assert [it["id"] for it in api.get("products", params=gmt).json()] == [product["id"]]
    # Customers have no such filters; they are passed over.
    for name in ("modified_after", "after"):
        assert len(api.get("customers", params={name: "2099-01-01T00:00:00", "per_page": 100}).json()) == 9


def test_a_product_is_asked_for_by_one_status_and_a_coupon_by_none(api: API, shop_url: str) -> None:
    assert api.get("products", params={"status": "publish"}).status_code == 200
    assert api.get("products", params={"status": "publish,draft"}).status_code == 400
    assert api.get("orders", params={"status": "completed,pending"}).status_code == 200
    made = requests.get(f"{shop_url}/_simulator/objects?list=coupons", timeout=20).json()
    assert "draft" in {it["status"] for it in made}
    # WordPress lists what is published where it is not asked for anything else.
    for asked in ({}, {"status": "draft"}):
        assert {it["status"] for it in every(api, "coupons", **asked)} == {"publish"}


def test_drafts_and_private_posts_need_an_application_password(shop_url: str) -> None:
    posts = f"{shop_url}/wp-json/wp/v2/posts"
    assert {it["status"] for it in requests.get(posts, timeout=20).json()} == {"publish"}
    assert requests.get(f"{posts}?status=draft", timeout=20).status_code == 400
    mara = ("mara", "abcd efgh ijkl mnop")
    seen = requests.get(f"{posts}?status=publish,draft,private&context=edit", auth=mara, timeout=20).json()
    assert {it["status"] for it in seen} == {"publish", "draft", "private"}
    assert all("raw" in it["title"] for it in seen)
    assert requests.get(posts, auth=("mara", "wrong"), timeout=20).json()["code"] == "incorrect_password"


def test_an_edit_moves_the_modified_date_and_a_removed_thing_is_gone(woocommerce_url: str) -> None:
    ask = f"{woocommerce_url}/wp-json/wc/v3"
    product = requests.get(f"{ask}/products", auth=KEY, timeout=20).json()[0]
    change = {"list": "products", "id": product["id"], "set": {"name": "Renamed"}}
    requests.post(f"{woocommerce_url}/_simulator/edit", json=change, timeout=20).raise_for_status()
    edited = requests.get(f"{ask}/products/{product['id']}", auth=KEY, timeout=20).json()
    assert edited["name"] == "Renamed"
    assert edited["date_modified_gmt"] > product["date_modified_gmt"]
    trash = {"list": "products", "id": product["id"], "set": {"status": "trash"}}
    requests.post(f"{woocommerce_url}/_simulator/edit", json=trash, timeout=20).raise_for_status()
    assert requests.get(f"{ask}/products", auth=KEY, timeout=20).headers["X-WP-Total"] == "23"
    assert len(requests.get(f"{ask}/products?status=trash", auth=KEY, timeout=20).json()) == 1
    gone = requests.get(f"{ask}/products/1", auth=KEY, timeout=20)
    assert (gone.status_code, gone.json()["code"]) == (404, "woocommerce_rest_product_invalid_id")
    unknown = requests.post(f"{woocommerce_url}/_simulator/edit", json={"list": "mugs"}, timeout=20)
    assert unknown.status_code == 400


@pytest.mark.parametrize(
    ("fault", "status", "begins"),
    [("http_429", 429, b"<!DOCTYPE"), ("http_503", 503, b"{"), ("firewall", 403, b"<!DOCTYPE"),
     ("html_error", 200, b"<!DOCTYPE"), ("truncated_json", 200, b"["), ("wrong_shape", 200, b'{"success"')],
)  # fmt: skip
def test_faults_strike_as_often_as_asked(woocommerce_url: str, fault: str, status: int, begins: bytes) -> None:
    rule = [{"fault": fault, "path": "/products", "times": 1}]
    requests.post(f"{woocommerce_url}/_simulator/faults", json=rule, timeout=20).raise_for_status()
    struck = requests.get(f"{woocommerce_url}/wp-json/wc/v3/products", auth=KEY, timeout=20)
    assert struck.status_code == status
    assert struck.content.startswith(begins)
    assert len(requests.get(f"{woocommerce_url}/wp-json/wc/v3/products", auth=KEY, timeout=20).json()) == 10
    logged = requests.get(f"{woocommerce_url}/_simulator/requests", timeout=20).json()["requests"]
    assert [it["fault"] for it in logged] == [fault, None]
    assert requests.post(f"{woocommerce_url}/_simulator/faults", json={"fault": "flood"}, timeout=20).status_code == 400


def test_a_state_folder_is_written_once_and_then_is_the_shop(tmp_path: Path, serving_woocommerce: Serving) -> None:
    with serving_woocommerce("--state", str(tmp_path), "--products", "3", "--behind-tls"):
        pass
    products = json.loads((tmp_path / "products.json").read_text())
    assert len(products) == 3
    (tmp_path / "products.json").write_text(json.dumps(products[:1]))
    with serving_woocommerce("--state", str(tmp_path), "--behind-tls") as url:
        assert len(requests.get(f"{url}/wp-json/wc/v3/products", auth=KEY, timeout=20).json()) == 1
    (tmp_path / "products.json").write_text("{}")
    command = [sys.executable, "-m", "graftport_dagster.simulator.woocommerce", "--port", "0", "--state", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "products.json is not a list" in refused.stderr) == (2, True)

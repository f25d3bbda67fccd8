"""What a shop remembers: across its death, of what it was asked, and what search knows when."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

CREATE = "mutation($p: ProductSetInput!) { productSet(input: $p) { product { id } userErrors { message } } }"


def test_nothing_acknowledged_is_lost_when_the_simulator_is_killed(open_shop: Any) -> None:
    shop = open_shop("--plan", "unlimited")
    first = shop.data("{ shop { id } }")["shop"]["id"]
    acknowledged: list[str] = []

    def write() -> None:
        while True:
            try:
                answer = shop.post(CREATE, {"p": {"title": "Bag"}}).json()
            except OSError:
                return
            acknowledged.append(answer["data"]["productSet"]["product"]["id"])

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 50:
        time.sleep(0.01)
    shop.kill()
    writer.join()
    shop.start()
    kept = {it["id"] for it in shop.control("objects?type=Product")}
    assert set(acknowledged) <= kept
    assert shop.data("{ shop { id } }")["shop"]["id"] == first
    assert shop.set_product({"title": "Bag"})["id"] not in kept


def test_a_new_state_file_is_a_new_shop_with_ids_of_its_own(open_shop: Any) -> None:
    one, two = open_shop(), open_shop("--shop-number", "12345")
    assert two.data("{ shop { id } }")["shop"]["id"] == "gid://shopify/Shop/12345"
    assert one.data("{ shop { id } }") != two.data("{ shop { id } }")
    assert one.location() != two.location()


def test_a_shop_that_is_being_served_is_served_by_no_second_simulator(open_shop: Any) -> None:
    shop = open_shop()
    command = [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(shop.state)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == (
        f"The simulator cannot be served: {shop.state} cannot be the shop: another simulator serves it\n"
    )
    shop.kill()
    shop.start()
    assert shop.location()


def test_a_file_that_is_no_shop_is_refused_with_a_sentence(tmp_path: Path) -> None:
    state = tmp_path / "notes.txt"
    state.write_text("Not a shop, and long enough to be looked at. " * 30)
    command = [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(state)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "file is not a database" in refused.stderr) == (2, True)
    assert "Traceback" not in refused.stderr


def test_search_knows_later_what_an_identifier_finds_at_once(open_shop: Any) -> None:
    shop = open_shop("--search-lag-seconds", "0.6", "--plan", "unlimited")
    found = "query($q: String) { products(first: 3, query: $q) { nodes { title } } }"

    def search(query: str) -> list[str]:
        return [it["title"] for it in shop.data(found, {"q": query})["products"]["nodes"]]

    product = shop.set_product({"title": "Bag", "tags": ["old"]})
    by_handle = '{ productByIdentifier(identifier: {handle: "bag"}) { id } }'
    assert shop.data(by_handle)["productByIdentifier"]["id"] == product["id"]
    assert search("handle:bag") == []
    time.sleep(0.7)
    assert search("handle:bag") == ["Bag"]
    shop.set_product({"tags": ["new"]}, {"id": product["id"]})
    assert (search("tag:old"), search("tag:new")) == (["Bag"], [])
    time.sleep(0.7)
    assert (search("tag:old"), search("tag:new")) == ([], ["Bag"])


def test_the_log_says_what_was_asked_and_what_became_of_it(shop: Any) -> None:
    shop.set_product({"title": "Bag"})
    shop.errors("productSet", {"input": {"title": ""}})
    shop.ask("{ nothing }")
    shop.fault(operation="shop", fault="http_500", times=1)
    shop.post("{ shop { id } }")
    log = shop.control("requests")
    assert [(it["operation"], it["writes"], it["wrote"], it["outcome"], it["fault"]) for it in log] == [
        ("productSet", True, True, "ok", None),
        ("productSet", True, False, "user errors", None),
        ("nothing", False, False, "invalid document", None),
        ("shop", False, False, "not executed", "http_500"),
    ]
    assert log[0]["variables"] == {"input": {"title": "Bag"}}
    assert log[0]["cost"] > 10
    assert [it["number"] for it in shop.control(f"requests?after={log[1]['number']}")] == [
        it["number"] for it in log[2:]
    ]


def test_a_merchant_edits_a_field_by_hand(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})
    edited = shop.control("edit", {"id": product["id"], "set": {"title": "Bag, by hand", "handle": "hand"}})
    assert (edited["title"], len(edited["variants"])) == ("Bag, by hand", 1)
    assert shop.data('{ productByIdentifier(identifier: {handle: "hand"}) { title } }')["productByIdentifier"] == {
        "title": "Bag, by hand"
    }
    shop.control("edit", {"id": product["id"], "delete": True})
    assert shop.control("objects?type=Product") == []


def test_a_product_deleted_by_hand_takes_its_variants_and_their_source_ids_with_it(shop: Any) -> None:
    shop.define("PRODUCTVARIANT")
    source_id = {"namespace": "graftport", "key": "source_id", "type": "id", "value": "1"}
    given = {
        "title": "Bag", "productOptions": [{"name": "Size", "values": [{"name": "S"}]}],
        "variants": [{"optionValues": [{"optionName": "Size", "name": "S"}], "metafields": [source_id]}],
    }  # fmt: skip
    shop.control("edit", {"id": shop.set_product(given)["id"], "delete": True})
    assert shop.control("objects?type=ProductVariant") == []
    assert shop.set_product(given)["id"]


def test_the_summary_counts(shop: Any) -> None:
    shop.set_product({"title": "Bag"})
    summary = shop.control("")
    assert summary["objects"] == {
        "Location": 1, "Publication": 2, "Market": 1, "MarketWebPresence": 1, "Product": 1, "ProductVariant": 1,
    }  # fmt: skip
    assert summary["shop"].startswith("gid://shopify/Shop/")

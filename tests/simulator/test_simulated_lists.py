"""Lists: their order, their pages while things come and go, and how much they say there is."""

import time
from typing import Any

import pytest

PAGE = (
    "query($first: Int, $last: Int, $after: String, $before: String, $by: ProductSortKeys, $reverse: Boolean) "
    "{ products(first: $first, last: $last, after: $after, before: $before, sortKey: $by, reverse: $reverse) "
    "{ nodes { title } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
)


def page(shop: Any, **asked: Any) -> tuple[list[str], dict[str, Any]]:
    shown = shop.data(PAGE, asked)["products"]
    return [it["title"] for it in shown["nodes"]], shown["pageInfo"]


@pytest.fixture
def three(shop: Any) -> Any:
    """A shop with the products c, A and b, in this order; c was updated last."""
    first, *_ = [shop.set_product({"title": title})["id"] for title in ("c", "A", "b")]
    # Shopify's times are whole seconds.
    time.sleep(1.1)
    shop.control("edit", {"id": first, "set": {"vendor": "by hand"}})
    return shop


@pytest.mark.parametrize(
    ("by", "order"),
    [(None, ["c", "A", "b"]), ("ID", ["c", "A", "b"]), ("TITLE", ["A", "b", "c"]), ("UPDATED_AT", ["A", "b", "c"])],
)
def test_a_list_is_sorted_as_asked_whole_and_page_by_page(three: Any, by: str | None, order: list[str]) -> None:
    assert page(three, first=9, by=by)[0] == order
    assert page(three, first=1, by=by, reverse=True)[0] == order[-1:]
    assert page(three, last=1, by=by)[0] == order[-1:]
    seen: list[str] = []
    after = None
    for _ in order:
        titles, info = page(three, first=1, by=by, after=after)
        seen += titles
        after = info["endCursor"]
    assert (seen, info["hasNextPage"]) == (order, False)
    assert page(three, last=2, by=by, before=after)[0] == order[:2]


def test_an_order_that_is_not_simulated_is_refused_rather_than_ignored(three: Any) -> None:
    assert three.code(PAGE, {"first": 1, "by": "INVENTORY_TOTAL"}) == "SIMULATOR_NOT_SUPPORTED"


def test_a_search_is_sorted_as_asked(three: Any) -> None:
    found = three.data(
        '{ products(first: 1, query: "status:active", sortKey: UPDATED_AT, reverse: true) { nodes { title } } }'
    )
    assert found["products"]["nodes"] == [{"title": "c"}]


@pytest.mark.parametrize("left", [("b", "c", "d"), ("a", "c", "d")])
def test_no_variant_is_passed_over_when_one_that_was_shown_is_deleted(shop: Any, left: tuple[str, ...]) -> None:
    def given(*names: str) -> dict[str, Any]:
        return {
            "title": "Bag", "productOptions": [{"name": "Size", "values": [{"name": name} for name in names]}],
            "variants": [{"optionValues": [{"optionName": "Size", "name": name}]} for name in names],
        }  # fmt: skip

    gid = shop.set_product(given("a", "b", "c", "d"))["id"]
    query = (
        "query($id: ID!, $after: String) { product(id: $id) { variants(first: 2, after: $after) "
        "{ nodes { title } pageInfo { endCursor } } } }"
    )
    first = shop.data(query, {"id": gid})["product"]["variants"]
    assert [it["title"] for it in first["nodes"]] == ["a", "b"]
    shop.set_product(given(*left), {"id": gid})
    rest = shop.data(query, {"id": gid, "after": first["pageInfo"]["endCursor"]})["product"]["variants"]
    assert [it["title"] for it in rest["nodes"]] == ["c", "d"]


def test_a_count_says_no_more_than_its_limit(three: Any) -> None:
    asked = '{ whole: productsCount(limit: null) %s low: productsCount(limit: 2) %s found: productsCount(limit: 1, query: "A") %s }'  # noqa: E501
    assert three.data(asked.replace("%s", "{ count precision }")) == {
        "whole": {"count": 3, "precision": "EXACT"}, "low": {"count": 2, "precision": "AT_LEAST"},
        "found": {"count": 1, "precision": "EXACT"},
    }  # fmt: skip


@pytest.mark.parametrize("name", ["files", "locations", "metafieldDefinitions"])
def test_a_search_that_is_not_simulated_is_refused_rather_than_answered_with_everything(shop: Any, name: str) -> None:
    owner = "ownerType: PRODUCT, " if name == "metafieldDefinitions" else ""
    assert shop.code(f'{{ {name}({owner}first: 1, query: "x") {{ nodes {{ id }} }} }}') == "SIMULATOR_NOT_SUPPORTED"


def test_a_search_in_the_media_of_a_product_is_refused_too(shop: Any) -> None:
    gid = shop.set_product({"title": "Bag"})["id"]
    query = 'query($id: ID!) { product(id: $id) { media(first: 1, query: "id:1") { nodes { id } } } }'
    assert shop.code(query, {"id": gid}) == "SIMULATOR_NOT_SUPPORTED"

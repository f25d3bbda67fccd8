"""Stock after go-live: compare-and-set, many records in one call, and no sale overwritten in silence."""

from collections.abc import Callable
from typing import Any

import pytest

from graftport_dagster.records import ResourceType

PRODUCTS = ResourceType.PRODUCTS
FEED = {"products": ("stock", "price")}
World = Any
Make = Callable[..., dict[str, Any]]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def stock_calls(world: World) -> list[dict[str, Any]]:
    return [call for call in world.writes() if call["operation"] == "inventorySetQuantities"]


def levels(world: World, handle: str = "p") -> list[int]:
    (product,) = [it for it in world.objects("Product") if it["handle"] == handle]
    return [sum(variant["levels"].values()) for variant in product["variants"]]


def sell(world: World, quantity: int, size: str = "S") -> None:
    """Somebody buys it in Shopify."""
    variant = next(it for it in world.objects("ProductVariant") if it["sku"] == f"p-{size}")
    left = {place: number - quantity for place, number in variant["levels"].items()}
    world.edit(variant["id"], levels=left)


def test_a_feed_of_stock_sends_quantities_alone_for_all_records_in_one_call(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n:02}": make_product(f"P {n:02}", quantity=5) for n in range(30)})
    world.load(PRODUCTS)
    before = len(world.writes())
    world.stage(PRODUCTS, {f"p{n:02}": make_product(f"P {n:02}", quantity=n) for n in range(30)})
    tally = world.load(PRODUCTS, field_filter=FEED)
    assert outcomes(tally) == {"updated": 29}
    (call,) = world.writes()[before:]
    assert call["operation"] == "inventorySetQuantities"
    assert len(call["variables"]["input"]["quantities"]) == 58
    assert {it["changeFromQuantity"] for it in call["variables"]["input"]["quantities"]} == {5}
    assert levels(world, "p-17") == [17, 17]
    assert outcomes(world.load(PRODUCTS)) == {}
    assert len(world.writes()) == before + 1


def test_more_quantities_than_a_call_takes_go_in_several(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n:03}": make_product(f"P {n:03}", quantity=5) for n in range(130)})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {f"p{n:03}": make_product(f"P {n:03}", quantity=6) for n in range(130)})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 130}
    assert sorted(len(it["variables"]["input"]["quantities"]) for it in stock_calls(world)) == [10, 250]


def test_a_sale_since_the_last_write_is_said_and_not_overwritten(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5), "q": make_product("Q", quantity=5)})
    world.load(PRODUCTS)
    sell(world, 2)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=9), "q": make_product("Q", quantity=9)})
    assert outcomes(world.load(PRODUCTS, field_filter=FEED)) == {"held": 1, "updated": 1}
    assert levels(world) == [3, 5]
    assert levels(world, "q") == [9, 9]
    (held,) = world.incomplete()
    assert held["code"] == "STOCK_DRIFT"
    assert "The stock of variant p-S is 3 in Shopify, not 5" in held["message"]
    assert outcomes(world.load(PRODUCTS, field_filter=FEED)) == {"held": 1}
    assert outcomes(world.load(PRODUCTS, only_dirty=False)) == {"updated": 2}
    assert levels(world) == [9, 9]
    assert world.incomplete() == []
    assert outcomes(world.load(PRODUCTS)) == {}


def test_a_sale_that_the_source_knows_is_right_already(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    for size in ("S", "M"):
        sell(world, 2, size)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=3)})
    assert outcomes(world.load(PRODUCTS, field_filter=FEED)) == {"updated": 1}
    assert levels(world) == [3, 3]
    assert world.incomplete() == []


def test_stock_that_the_source_did_not_change_stays_as_shopify_has_it(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    sell(world, 2)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5, price="12.00", tags=["new"])})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert outcomes(world.load(PRODUCTS, only_dirty=False)) == {"updated": 1}
    assert levels(world) == [3, 5]
    assert stock_calls(world) == []


@pytest.mark.parametrize("fault", ["hangup_after_commit", "hangup_before_commit", "truncated_json", "http_503"])
def test_a_lost_answer_to_a_stock_call_is_asked_for_again_and_counts_once(
    world: World, make_product: Make, fault: str
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=7)})
    world.fault(fault, "inventorySetQuantities")
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert levels(world) == [7, 7]
    assert outcomes(world.load(PRODUCTS)) == {}


def test_a_stock_call_that_was_executed_unheard_is_right_in_the_next_run(world: World, make_product: Make) -> None:
    world.patience_seconds = 0.2
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=7)})
    world.fault("hangup_after_commit", "inventorySetQuantities", times=20)
    assert outcomes(world.load(PRODUCTS)) == {"unknown": 1}
    world.calm()
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert levels(world) == [7, 7]
    assert world.incomplete() == []


def test_the_same_change_twice_a_day_is_written_twice(world: World, make_product: Make) -> None:
    for quantity in (5, 7, 5, 7):
        world.stage(PRODUCTS, {"p": make_product("P", quantity=quantity)})
        world.load(PRODUCTS)
        assert levels(world) == [quantity, quantity]


def test_a_variant_that_is_new_under_a_filter_is_loaded_whole(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    changed = make_product("P", quantity=6)
    changed["input"]["productOptions"][0]["values"].append({"name": "L"})
    large = {**changed["input"]["variants"][0], "optionValues": [{"optionName": "Size", "name": "L"}], "sku": "p-L"}
    changed["input"]["variants"].append({**large, "price": "33.00"})
    changed["input"]["title"] = "Renamed"
    world.stage(PRODUCTS, {"p": changed})
    assert outcomes(world.load(PRODUCTS, field_filter={"products": ("stock",)})) == {"updated": 1}
    (product,) = world.objects("Product")
    assert product["title"] == "P"
    assert [(it["sku"], it["price"]) for it in product["variants"]] == [
        ("p-S", "10.00"), ("p-M", "10.00"), ("p-L", "33.00"),
    ]  # fmt: skip
    assert levels(world) == [6, 6, 6]
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert world.objects("Product")[0]["title"] == "Renamed"


def test_one_record_that_shopify_refuses_keeps_no_other_back(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5), "q": make_product("Q", quantity=5)})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=2_000_000_000), "q": make_product("Q", quantity=8)})
    assert outcomes(world.load(PRODUCTS)) == {"errored": 1, "updated": 1}
    assert levels(world, "q") == [8, 8]
    (incomplete,) = world.incomplete()
    assert incomplete["code"] == "INVALID_QUANTITY_TOO_HIGH"


def test_a_feed_of_prices_does_not_wait_for_a_collection_that_it_does_not_send(
    world: World, make_product: Make, reference: Make
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", price="12.00", collections=[reference("collections", "c")])})
    assert outcomes(world.load(PRODUCTS, field_filter={"products": ("price",)})) == {"updated": 1}
    assert {variant["price"] for variant in world.objects("ProductVariant")} == {"12.00"}
    assert outcomes(world.load(PRODUCTS)) == {"held": 1}

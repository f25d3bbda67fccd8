"""What landed, held against the store that has it: every object, and every order to the cent."""

from typing import Any

import requests

from graftport_dagster.records import ResourceType
from graftport_dagster.reports.audit import audit

COLLECTIONS, ORDERS = ResourceType.COLLECTIONS, ResourceType.ORDERS
World = Any


def money(amount: str, currency: str = "USD") -> dict[str, str]:
    return {"amount": amount, "currencyCode": currency}


def order(number: int, price: str, total: str, refunded: str = "0.00") -> dict[str, Any]:
    return {
        "input": {
            "name": f"#{number}", "currency": "USD",
            "lineItems": [{"title": "Tent", "quantity": 2, "priceSet": {"shopMoney": money(price)}}],
        },
        "source_totals": {"total": money(total), "refunded": money(refunded)},
    }  # fmt: skip


def asked(world: World, *resource_types: ResourceType) -> dict[str, Any]:
    gid = requests.get(f"{world.url}/_simulator/", timeout=10).json()["shop"]
    shop = world.shop()
    try:
        return {row["resource_type"]: row for row in audit(world.store, shop, "shop", gid, resource_types)}
    finally:
        shop.close()


def test_everything_that_landed_is_found_and_its_money_adds_up(world: World) -> None:
    world.stage(ORDERS, {str(number): order(number, "0.10", "0.20") for number in range(260)})
    world.load(ORDERS)
    told = asked(world, ORDERS)["orders"]
    assert told == {
        "resource_type": "orders", "landed": 260, "there": 260, "gone": [], "ok": True,
        "compared": 260, "differing": [],
        "sums": {"USD": {"source_total": "52.00", "shopify_total": "52.00", "source_refunded": "0.00",
                         "shopify_refunded": "0.00"}},
    }  # fmt: skip


def test_a_cent_of_difference_is_told_with_its_order(world: World) -> None:
    world.stage(ORDERS, {"1": order(1, "9.99", "19.98"), "2": order(2, "9.99", "19.97", refunded="1.00")})
    world.load(ORDERS)
    told = asked(world, ORDERS)["orders"]
    assert not told["ok"]
    assert told["differing"] == [
        {"source_id": "2", "amount": "total", "source": "19.97", "shopify": "19.98", "currency": "USD"},
        {"source_id": "2", "amount": "refunded", "source": "1.00", "shopify": "0.0", "currency": "USD"},
    ]
    assert told["sums"]["USD"]["source_total"] == "39.95"


def test_what_somebody_deleted_in_shopify_is_named(world: World) -> None:
    world.stage(COLLECTIONS, {name: {"input": {"title": name, "handle": name}} for name in ("a", "b")})
    world.load(COLLECTIONS)
    gid = next(one["id"] for one in world.objects("Collection") if one["handle"] == "b")
    deletion = "mutation D($input: CollectionDeleteInput!) { collectionDelete(input: $input) { deletedCollectionId } }"
    world.graphql(deletion, input={"id": gid})
    told = asked(world, COLLECTIONS)["collections"]
    assert (told["landed"], told["there"], told["gone"], told["ok"]) == (2, 1, ["b"], False)


def test_what_never_landed_is_not_asked_for(world: World) -> None:
    world.stage(COLLECTIONS, {"a": {"input": {"title": "a"}}})
    assert asked(world, COLLECTIONS)["collections"]["landed"] == 0

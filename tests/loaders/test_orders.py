"""Orders: written once, their shipments and refunds each once, and nobody written to."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.mappings import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import Migration
from graftport_dagster.records import ResourceType
from graftport_dagster.shopify.payload import check
from graftport_dagster.source_settings import FilesSettings

CUSTOMERS, ORDERS, PRODUCTS = ResourceType.CUSTOMERS, ResourceType.ORDERS, ResourceType.PRODUCTS
World = Any
Make = Callable[..., dict[str, Any]]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def own(part: str, part_id: str, order_id: str = "1") -> dict[str, Any]:
    return {"$ref": {"resource_type": "orders", "source_id": order_id, "part": part, "part_id": part_id}}


def money(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}


def line(title: str, quantity: int = 2, **more: Any) -> dict[str, Any]:
    return {"title": title, "sku": title.lower(), "quantity": quantity, "priceSet": money("10.00"),
            "requiresShipping": True, **more}  # fmt: skip


def shipment(number: str, *lines: tuple[str, int], order_id: str = "1") -> dict[str, Any]:
    return {
        "trackingInfo": {"number": number, "company": "UPS"},
        "lineItems": [{"lineItemId": own("line_item", name, order_id), "quantity": quantity}
                      for name, quantity in lines],
    }  # fmt: skip


def refund(amount: str, line_id: str = "a", order_id: str = "1") -> dict[str, Any]:
    return {
        "note": "too small",
        "refundLineItems": [
            {"lineItemId": own("line_item", line_id, order_id), "quantity": 1, "restockType": "NO_RESTOCK"}
        ],
        "transactions": [{"amount": amount, "gateway": "manual", "kind": "REFUND",
                          "parentId": own("transaction", "t", order_id)}],
    }  # fmt: skip


def order(order_id: str = "1", **more: Any) -> dict[str, Any]:
    """An order of two lines, paid, one shipped, one piece refunded; `more` replaces fields of envelope or input."""
    envelope: dict[str, Any] = {
        "input": {
            "name": f"#{order_id}", "currency": "USD", "email": "ada@example.com", "tags": ["imported"], "note": "n",
            "processedAt": "2023-05-01T10:00:00Z", "lineItems": [line("A"), line("B")],
            "shippingLines": [{"title": "Flat", "priceSet": money("5.00")}],
            "transactions": [{"kind": "SALE", "status": "SUCCESS", "gateway": "manual", "amountSet": money("45.00")}],
        },
        "refunds": [refund("10.00", order_id=order_id)],
        "fulfillments": [shipment("1Z", ("a", 2), order_id=order_id)],
        "parts": {"line_item": ["a", "b"], "transaction": ["t"], "refund": ["r1"], "fulfillment": ["f1"]},
    }  # fmt: skip
    for name, value in more.items():
        if name in envelope or name == "options":
            envelope[name] = value
        else:
            envelope["input"][name] = value
    return envelope


def parts(**more: list[str]) -> dict[str, list[str]]:
    ids = {"line_item": ["a", "b"], "transaction": ["t"], "refund": ["r1"], "fulfillment": ["f1"]}
    return {**ids, **more}


def pieces(world: World) -> list[tuple[int, int, int]]:
    """Of each order: how many shipments, refunds and payments there are."""
    return [
        (len(item["fulfillments"]), len(item["refunds"]), len(item["transactions"])) for item in world.objects("Order")
    ]


def test_an_order_lands_with_its_shipment_and_refund_and_a_second_load_sends_nothing(world: World) -> None:
    world.stage(ORDERS, {str(n): order(str(n)) for n in range(1, 4)})
    assert outcomes(world.load(ORDERS)) == {"created": 3}
    assert pieces(world) == [(1, 1, 2)] * 3
    item = next(one for one in world.objects("Order") if one["name"] == "#1")
    assert {field["key"]: field["value"] for field in item["metafields"]} == {"source_id": "magento:orders:1"}
    assert item["sourceIdentifier"] == "magento:orders:1"
    assert item["fulfillments"][0]["trackingInfo"][0]["number"] == "1Z"
    assert item["refunds"][0]["note"] == "too small (magento:orders:1:refund:r1)"
    writes = len(world.writes())
    assert outcomes(world.load(ORDERS)) == {}
    assert len(world.writes()) == writes


def test_nobody_is_written_to_whatever_the_mapping_says(world: World) -> None:
    loud = order(options={"sendReceipt": True, "sendFulfillmentReceipt": True})
    loud["refunds"][0]["notify"] = True
    loud["fulfillments"][0]["notifyCustomer"] = True
    world.stage(ORDERS, {"1": loud})
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    sent = {call["operation"]: call["variables"] for call in world.writes()}
    options = sent["orderCreate"]["options"]
    assert options == {"inventoryBehaviour": "BYPASS", "sendReceipt": False, "sendFulfillmentReceipt": False}
    assert sent["refundCreate"]["input"]["notify"] is False
    assert sent["fulfillmentCreate"]["fulfillment"]["notifyCustomer"] is False


def test_an_order_waits_for_its_customer_and_its_products_and_never_for_itself(
    world: World, make_product: Make, reference: Make
) -> None:
    variant = {"$ref": {"resource_type": "products", "source_id": "p", "part": "variant", "part_id": "p-S"}}
    given = order(
        customer={"toAssociate": {"id": reference("customers", "c")}},
        lineItems=[line("A", sku="p-S", variantId=variant), line("B")],
    )
    world.stage(ORDERS, {"1": given})
    assert outcomes(world.load(ORDERS)) == {"held": 1}
    world.stage(CUSTOMERS, {"c": {"input": {"email": "c@example.com"}}})
    world.load(CUSTOMERS)
    assert outcomes(world.load(ORDERS)) == {"held": 1}
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    (item,) = world.objects("Order")
    assert item["customerId"] == world.objects("Customer")[0]["id"]
    assert item["lineItems"][0]["variantId"] in {one["id"] for one in world.objects("ProductVariant")}
    assert pieces(world) == [(1, 1, 2)]


def test_a_refund_that_comes_later_is_sent_alone(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    before = len(world.writes())
    more = order(refunds=[refund("10.00"), refund("5.00", "b")], parts=parts(refund=["r1", "r2"]))
    world.stage(ORDERS, {"1": more})
    assert outcomes(world.load(ORDERS)) == {"updated": 1}
    assert world.calls()[before:] == ["refundCreate"]
    assert pieces(world) == [(1, 2, 3)]
    assert outcomes(world.load(ORDERS, only_dirty=False)) == {"updated": 1}
    assert pieces(world) == [(1, 2, 3)]


def test_refunds_named_in_another_order_are_not_made_again(world: World) -> None:
    both = [refund("10.00"), refund("5.00", "b")]
    world.stage(ORDERS, {"1": order(refunds=both, parts=parts(refund=["r1", "r2"]))})
    world.load(ORDERS)
    world.stage(ORDERS, {"1": order(refunds=both[::-1], parts=parts(refund=["r2", "r1"]))})
    world.load(ORDERS)
    assert pieces(world) == [(1, 2, 3)]


def test_what_can_change_is_sent_and_nothing_else_of_the_order(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    before = len(world.writes())
    world.stage(ORDERS, {"1": order(tags=["imported", "vip"])})
    assert outcomes(world.load(ORDERS)) == {"updated": 1}
    (sent,) = world.writes()[before:]
    assert set(sent["variables"]["input"]) == {"id", "tags"}
    assert world.objects("Order")[0]["tags"] == ["imported", "vip"]


def test_what_cannot_change_is_skipped_with_its_name_and_accepted(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    before = len(world.writes())
    world.stage(ORDERS, {"1": order(lineItems=[line("A", 3), line("B")], currency="EUR")})
    assert outcomes(world.load(ORDERS)) == {"skipped": 1}
    story = world.story(ORDERS, "1")
    assert story["attempts"][-1]["reason"] == "immutable in Shopify: currency, lineItems"
    assert world.calls()[before:] == []
    assert outcomes(world.load(ORDERS)) == {}


def test_what_cannot_change_is_warned_of_where_the_rest_is_updated(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    changed = order(note="changed", lineItems=[line("A", 3), line("B")], refunds=[refund("9.00")])
    world.stage(ORDERS, {"1": changed})
    assert outcomes(world.load(ORDERS)) == {"updated": 1}
    assert world.warnings(ORDERS) == {"IMMUTABLE": 1}
    assert world.objects("Order")[0]["note"] == "changed"
    assert pieces(world) == [(1, 1, 2)]
    assert outcomes(world.load(ORDERS)) == {}


def test_a_filtered_load_of_tags_leaves_new_refunds_pending(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    before = len(world.writes())
    more = order(tags=["vip"], refunds=[refund("10.00"), refund("5.00", "b")], parts=parts(refund=["r1", "r2"]))
    world.stage(ORDERS, {"1": more})
    assert outcomes(world.load(ORDERS, field_filter={"orders": ("tags",)})) == {"updated": 1}
    assert world.calls()[before:] == ["orderUpdate"]
    assert outcomes(world.load(ORDERS)) == {"updated": 1}
    assert world.calls()[before + 1 :] == ["refundCreate"]


@pytest.mark.parametrize("fault", ["hangup_before_commit", "hangup_after_commit"])
@pytest.mark.parametrize("step", ["orderCreate", "fulfillmentCreate", "refundCreate"])
def test_an_answer_lost_at_any_step_ends_with_everything_once(world: World, step: str, fault: str) -> None:
    world.patience_seconds = 0.1
    world.stage(ORDERS, {"1": order()})
    world.fault(fault, step, times=None)
    assert outcomes(world.load(ORDERS)) == {"unknown": 1}
    world.calm()
    # A refund goes again under its key at once; the others are looked for, and missed only after a minute.
    waits = fault == "hangup_before_commit" and step != "refundCreate"
    assert outcomes(world.load(ORDERS)) == ({"unknown": 1} if waits else {"created": 1})
    world.clock.ahead = timedelta(seconds=61)
    assert outcomes(world.load(ORDERS)) == ({"created": 1} if waits else {})
    assert pieces(world) == [(1, 1, 2)]
    assert world.incomplete() == []
    assert outcomes(world.load(ORDERS)) == {}


@pytest.mark.parametrize("fault", ["hangup_before_commit", "hangup_after_commit"])
def test_a_refund_whose_key_has_expired_is_looked_for(world: World, fault: str) -> None:
    world.patience_seconds = 0.1
    world.stage(ORDERS, {"1": order()})
    world.fault(fault, "refundCreate", times=None)
    assert outcomes(world.load(ORDERS)) == {"unknown": 1}
    world.calm()
    world.clock.ahead = timedelta(hours=25)
    before = world.calls().count("refundCreate")
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    assert pieces(world) == [(1, 1, 2)]
    assert world.calls().count("refundCreate") - before == (fault == "hangup_before_commit")


def test_an_order_whose_answer_was_lost_takes_what_changed_meanwhile(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.fault("hangup_after_commit", "orderCreate")
    assert outcomes(world.load(ORDERS)) == {"unknown": 1}
    world.stage(ORDERS, {"1": order(note="changed")})
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    assert [item["note"] for item in world.objects("Order")] == ["changed"]
    assert pieces(world) == [(1, 1, 2)]


def test_a_shipment_that_cannot_be_told_from_another_is_a_person_s_to_decide(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.fault("hangup_before_commit", "fulfillmentCreate")
    assert outcomes(world.load(ORDERS)) == {"unknown": 1}
    # Somebody ships the same lines in Shopify, under a number of theirs.
    gid = world.objects("Order")[0]["id"]
    waiting = "nodes { id lineItems(first: 1) { nodes { id } } }"
    ask = f"query($id: ID!) {{ order(id: $id) {{ fulfillmentOrders(first: 1) {{ {waiting} }} }} }}"
    (there,) = world.graphql(ask, id=gid)["order"]["fulfillmentOrders"]["nodes"]
    ship = "mutation($f: FulfillmentInput!) { fulfillmentCreate(fulfillment: $f) { userErrors { message } } }"
    lines = [{"id": there["lineItems"]["nodes"][0]["id"], "quantity": 2}]
    group = {"fulfillmentOrderId": there["id"], "fulfillmentOrderLineItems": lines}
    world.graphql(ship, f={"lineItemsByFulfillmentOrder": [group], "trackingInfo": {"number": "theirs"}})
    world.clock.ahead = timedelta(seconds=61)
    assert outcomes(world.load(ORDERS)) == {"held": 1}
    (held,) = world.incomplete()
    assert (held["code"], held["reason"]) == ("UNCLEAR_STEP", "a person must decide")
    assert "refundCreate" not in world.calls()
    assert len(world.objects("Order")[0]["fulfillments"]) == 1


def test_a_token_that_dies_between_two_steps_leaves_the_rest_to_the_next_run(world: World) -> None:
    world.stage(ORDERS, {str(n): order(str(n)) for n in range(1, 4)})
    world.fault("token_revoked", "refundCreate")
    assert world.load(ORDERS).fatal is not None
    assert world.incomplete() == []
    world.restore()
    world.clock.ahead = timedelta(seconds=61)
    world.load(ORDERS)
    assert pieces(world) == [(1, 1, 2)] * 3
    assert world.calls().count("orderCreate") == 3
    assert outcomes(world.load(ORDERS)) == {}


def test_a_refund_that_shopify_refuses_is_named_and_mended_by_the_source(world: World) -> None:
    world.stage(ORDERS, {"1": order(refunds=[refund("100.00")])})
    assert outcomes(world.load(ORDERS)) == {"errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["path"].startswith("refunds[0]")
    assert "greater than net payment" in incomplete["message"]
    before = len(world.writes())
    world.stage(ORDERS, {"1": order()})
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    assert world.calls()[before:] == ["orderUpdate", "refundCreate"]
    assert pieces(world) == [(1, 1, 2)]


def test_more_than_is_left_to_ship_is_said_and_nothing_shipped(world: World) -> None:
    world.stage(ORDERS, {"1": order(fulfillments=[shipment("1Z", ("a", 5))])})
    assert outcomes(world.load(ORDERS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "NOT_LEFT_TO_SHIP"
    assert pieces(world)[0][0] == 0


def test_a_shipment_of_all_that_is_left_comes_after_refunds_and_named_shipments(world: World) -> None:
    rest = {"trackingInfo": {"number": "2Z"}}
    given = order(fulfillments=[rest, shipment("1Z", ("a", 1))], parts=parts(fulfillment=["rest", "f1"]))
    world.stage(ORDERS, {"1": given})
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    (item,) = world.objects("Order")
    assert [sum(one["quantity"] for one in sent["lineItems"]) for sent in item["fulfillments"]] == [1, 2]
    assert outcomes(world.load(ORDERS)) == {}


def test_an_order_of_more_lines_than_a_page_ships_and_refunds_its_last_one(world: World) -> None:
    ids = [f"l{n:03}" for n in range(260)]
    given = order(
        lineItems=[line(name, 1) for name in ids], fulfillments=[shipment("1Z", ("l259", 1))],
        refunds=[refund("10.00", "l259")], parts=parts(line_item=ids),
    )  # fmt: skip
    given["input"]["transactions"][0]["amountSet"] = money("2605.00")
    world.stage(ORDERS, {"1": given})
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    assert pieces(world) == [(1, 1, 2)]


def test_an_order_deleted_in_shopify_is_made_again_whole(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    gid = world.objects("Order")[0]["id"]
    world.graphql("mutation($id: ID!) { orderDelete(orderId: $id) { deletedId } }", id=gid)
    world.stage(ORDERS, {"1": order(note="changed")})
    assert outcomes(world.load(ORDERS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "GONE"
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    assert pieces(world) == [(1, 1, 2)]


def test_an_order_gone_from_the_source_is_closed_or_deleted(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    world.forget(ORDERS)
    world.options(on_source_delete="archive")
    assert outcomes(world.load(ORDERS)) == {"archived": 1}
    assert world.objects("Order")[0]["closed"] is True


def test_a_rehearsal_counts_the_calls_of_shipments_and_refunds(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    rehearsed = world.rehearse(ORDERS)
    assert outcomes(rehearsed) == {"created": 1}
    assert rehearsed.calls == 3
    assert rehearsed.cost >= 40
    (verdict,) = world.verdicts
    assert verdict["verdict"] == "create"
    world.load(ORDERS)
    world.stage(ORDERS, {"1": order(lineItems=[line("A", 3), line("B")])})
    world.rehearse(ORDERS)
    assert world.verdicts[-1]["verdict"] == "skip"
    assert world.verdicts[-1]["reason"] == "immutable in Shopify: lineItems"


def packaged(platform: str, row: dict[str, Any]) -> dict[str, Any]:
    """What the packaged mapping of a platform makes of an order."""
    migration = Migration(slug="m", folder=Path("/nowhere"), source=FilesSettings(platform=platform))
    mapping = Mapping.compile(text_of(migration, ORDERS).text, name="orders.jsonata")
    bindings = {"settings": {}, "publications": [], "platform": platform, "now": "2026-06-15T12:00:00+00:00"}
    envelope, problems = check(ORDERS, mapping.evaluate(row, bindings, record_id="1").value)
    assert problems == []
    return envelope


def in_both(shop: str, presentment: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": shop, "currencyCode": "USD"},
            "presentmentMoney": {"amount": presentment, "currencyCode": "EUR"}}  # fmt: skip


def test_a_refund_of_a_shopify_order_paid_in_another_currency_lands_to_the_cent(world: World) -> None:
    item = {
        "id": "gid://shopify/LineItem/5",
        "title": "Bag",
        "quantity": 2,
        "originalUnitPriceSet": in_both("11.00", "10.00"),
    }
    paid = {"id": "gid://shopify/OrderTransaction/7", "kind": "SALE", "status": "SUCCESS", "gateway": "manual",
            "amountSet": in_both("27.50", "25.00")}  # fmt: skip
    back = {"id": "gid://shopify/OrderTransaction/8", "kind": "REFUND", "status": "SUCCESS", "gateway": "manual",
            "amountSet": in_both("13.75", "12.50"), "parentTransaction": {"id": paid["id"]}}  # fmt: skip
    row = {
        "id": "gid://shopify/Order/1", "name": "#1", "currencyCode": "USD", "presentmentCurrencyCode": "EUR",
        "taxesIncluded": True, "totalPriceSet": in_both("27.50", "25.00"), "lineItems": [item],
        "transactions": [paid, back],
        "shippingLines": [{"title": "Post", "discountedPriceSet": in_both("5.50", "5.00")}],
        "refunds": [{
            "id": "gid://shopify/Refund/9", "transactions": [back], "totalRefundedSet": in_both("13.75", "12.50"),
            "refundLineItems": [{"lineItem": {"id": item["id"]}, "quantity": 1}],
            "refundShippingLines": [{"subtotalAmountSet": in_both("2.75", "2.50")}],
        }],
    }  # fmt: skip
    world.stage(ORDERS, {"1": packaged("shopify", row)})
    assert outcomes(world.load(ORDERS)) == {"created": 1}
    (landed,) = world.objects("Order")
    assert landed["refunds"][0]["totalRefundedSet"] == in_both("13.75", "12.5")
    assert landed["netPaymentSet"] == in_both("13.75", "12.5")

"""Fulfilment: what of an order is to be sent, and what was.

What lives here: fulfilment orders, opened with the order (one for what is shipped, one for what is
not), fulfillmentCreate with its bounds, and the fields of both.
"""

from typing import Any

from graftport_dagster.simulator import locations, order_totals
from graftport_dagster.simulator.answers import refuse
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, split_gid

_INVALID_QUANTITY = "Invalid fulfillment order line item quantity requested."


def open_orders(call: Call, order: Object) -> None:
    """Opens the fulfilment orders of a new order."""
    location = locations.first(call.state)["id"]
    for shipped in (True, False):
        lines = [it for it in order["lineItems"] if it["requiresShipping"] == shipped and not it["isGiftCard"]]
        if lines:
            now = call.state.now()
            order["fulfillmentOrders"].append({
                "id": call.state.new_id("FulfillmentOrder"), "status": "OPEN", "requestStatus": "UNSUBMITTED",
                "createdAt": now, "updatedAt": now, "fulfillAt": None, "fulfillBy": None, "locationId": location,
                "lineItems": [
                    {"id": call.state.new_id("FulfillmentOrderLineItem"), "lineItemId": it["id"],
                     "totalQuantity": it["quantity"], "remainingQuantity": it["quantity"]}
                    for it in lines
                ],
            })  # fmt: skip
    settle(order)


def settle(order: Object, closed_as: str = "CLOSED") -> None:
    """Writes what is left to be sent of each fulfilment order, and closes those of which nothing is."""
    lines = {it["id"]: it for it in order["lineItems"]}
    for waiting in order["fulfillmentOrders"]:
        for it in waiting["lineItems"]:
            line = lines[it["lineItemId"]]
            it["remainingQuantity"] = max(0, line["quantity"] - line["fulfilled"] - line["removed"])
        if waiting["status"] == "OPEN" and not any(it["remainingQuantity"] for it in waiting["lineItems"]):
            waiting["status"] = closed_as


def of_whole_order(call: Call, order: Object, given: Object) -> None:
    """Fulfils all lines of an order that is being created."""
    if call.take(given["locationId"], "Location") is None:
        raise refuse(["order", "fulfillment", "locationId"], "Location does not exist", "INVALID")
    tracking = {
        "company": given.get("trackingCompany"), "number": given.get("trackingNumber"),
        "numbers": given.get("trackingNumbers"),
    }  # fmt: skip
    wanted = {it["id"]: it["remainingQuantity"] for one in order["fulfillmentOrders"] for it in one["lineItems"]}
    made = _fulfil(call, order, wanted, tracking)
    made["locationId"] = given["locationId"]
    if given.get("shipmentStatus"):
        made["displayStatus"] = given["shipmentStatus"]
        made["deliveredAt"] = made["createdAt"] if given["shipmentStatus"] == "DELIVERED" else None


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["fulfillment"]
    order, wanted = _wanted(call, given["lineItemsByFulfillmentOrder"])
    fulfillment = _fulfil(call, order, wanted, given.get("trackingInfo") or {})
    order["updatedAt"] = call.state.now()
    call.state.put(order)
    if given.get("notifyCustomer"):
        call.mails.append("shipping notification")
    return {"fulfillment": _shown(order, fulfillment)}


def _wanted(call: Call, groups: list[Object]) -> tuple[Object, dict[str, int]]:
    """The one order meant, and how much of which of its waiting lines is to be sent."""
    _check_quantities(groups)
    orders: dict[str, Object] = {}
    wanted: dict[str, int] = {}
    for group in groups:
        order = _order_of(call, group["fulfillmentOrderId"], "FulfillmentOrder")
        if order is None:
            raise refuse(["fulfillment"], "Fulfillment order does not exist.")
        orders[order["id"]] = order
        waiting = next(it for it in order["fulfillmentOrders"] if it["id"] == group["fulfillmentOrderId"])
        if waiting["status"] != "OPEN":
            number, status = split_gid(waiting["id"])[1], waiting["status"].lower()
            raise refuse(["fulfillment"], f"Fulfillment order {number} has an unfulfillable status= {status}.")
        for gid, quantity in _quantities(waiting, group.get("fulfillmentOrderLineItems")):
            wanted[gid] = wanted.get(gid, 0) + quantity
    if len(orders) != 1:
        numbers = ", ".join(str(split_gid(gid)[1]) for gid in orders)
        message = "All fulfillment orders must belong to the same order."
        raise refuse(["fulfillment"], f"{message} Multiple orders with ids [{numbers}] were found.")
    order = next(iter(orders.values()))
    left = {it["id"]: it["remainingQuantity"] for one in order["fulfillmentOrders"] for it in one["lineItems"]}
    if any(quantity > left[gid] for gid, quantity in wanted.items()):
        raise refuse(["fulfillment"], _INVALID_QUANTITY)
    return order, wanted


def _check_quantities(groups: list[Object]) -> None:
    for index, group in enumerate(groups):
        for place, it in enumerate(group.get("fulfillmentOrderLineItems") or ()):
            if it["quantity"] < 1:
                group_at: list[str | int] = ["fulfillment", "lineItemsByFulfillmentOrder", index]
                path = [*group_at, "fulfillmentOrderLineItems", place, "quantity"]
                raise refuse(path, "Quantity must be greater than 0")


def _quantities(waiting: Object, given: list[Object] | None) -> list[tuple[str, int]]:
    left = {it["id"]: it["remainingQuantity"] for it in waiting["lineItems"]}
    if not given:
        return [(gid, quantity) for gid, quantity in left.items() if quantity]
    if any(it["id"] not in left for it in given):
        raise refuse(["fulfillment"], "Fulfillment order line item does not exist.")
    return [(it["id"], it["quantity"]) for it in given]


def _fulfil(call: Call, order: Object, wanted: dict[str, int], tracking: Object) -> Object:
    now = call.state.now()
    lines = {it["id"]: it for it in order["lineItems"]}
    sent = []
    for waiting in order["fulfillmentOrders"]:
        for it in waiting["lineItems"]:
            if quantity := wanted.get(it["id"], 0):
                lines[it["lineItemId"]]["fulfilled"] += quantity
                part = {"id": call.state.new_id("FulfillmentLineItem"), "lineItemId": it["lineItemId"]}
                sent.append({**part, "quantity": quantity, "fulfillmentOrderId": waiting["id"]})
    fulfillment = {
        "id": call.state.new_id("Fulfillment"), "name": f"{order['name']}-F{len(order['fulfillments']) + 1}",
        "status": "SUCCESS", "displayStatus": "FULFILLED", "createdAt": now, "updatedAt": now, "deliveredAt": None,
        "inTransitAt": None, "estimatedDeliveryAt": None, "trackingInfo": _tracking(tracking), "lineItems": sent,
        "locationId": order["fulfillmentOrders"][0]["locationId"] if order["fulfillmentOrders"] else None,
        "totalQuantity": sum(it["quantity"] for it in sent),
        "requiresShipping": any(lines[it["lineItemId"]]["requiresShipping"] for it in sent),
    }  # fmt: skip
    order["fulfillments"].append(fulfillment)
    settle(order)
    order_totals.settle(order)
    return fulfillment


def _tracking(given: Object) -> list[Object]:
    numbers = list(given.get("numbers") or ([given["number"]] if given.get("number") else []))
    urls = list(given.get("urls") or ([given["url"]] if given.get("url") else []))
    return [
        {"company": given.get("company"), "number": numbers[index] if index < len(numbers) else None,
         "url": urls[index] if index < len(urls) else None}
        for index in range(max(len(numbers), len(urls), 1 if given.get("company") else 0))
    ]  # fmt: skip


def _order_of(call: Call, gid: str, kind: str) -> Object | None:
    call.take(gid, kind)
    return call.state.find_one("order part", gid)


def _shown(order: Object, fulfillment: Object) -> Object:
    return {**fulfillment, "order": order}


def _fulfillment(call: Call, _: None, arguments: Arguments) -> Object | None:
    order = _order_of(call, arguments["id"], "Fulfillment")
    return (
        next((_shown(order, it) for it in order["fulfillments"] if it["id"] == arguments["id"]), None)
        if order
        else None
    )


def _fulfillment_order(call: Call, _: None, arguments: Arguments) -> Object | None:
    order = _order_of(call, arguments["id"], "FulfillmentOrder")
    if order is None:
        return None
    return next(_waiting(order, it) for it in order["fulfillmentOrders"] if it["id"] == arguments["id"])


def _waiting(order: Object, waiting: Object) -> Object:
    return {
        **waiting, "order": order, "orderId": order["id"], "orderName": order["name"],
        "orderProcessedAt": order["processedAt"],
    }  # fmt: skip


def _waiting_lines(_: Call, waiting: Object, arguments: Arguments) -> Object:
    lines = {it["id"]: it for it in waiting["order"]["lineItems"]}
    shown = [_waiting_line(it, lines[it["lineItemId"]]) for it in waiting["lineItems"]]
    return page_of(shown, arguments)


def _waiting_line(it: Object, line: Object) -> Object:
    return {
        **it, "lineItem": line, "productTitle": line["title"], "variantTitle": line["variantTitle"],
        "sku": line["sku"], "vendor": line["vendor"], "requiresShipping": line["requiresShipping"],
        "originalUnitPriceSet": line["originalUnitPriceSet"], "variantId": line["variantId"],
    }  # fmt: skip


def _sent_lines(_: Call, fulfillment: Object, arguments: Arguments) -> Object:
    lines = {it["id"]: it for it in fulfillment["order"]["lineItems"]}
    return page_of(
        [
            {"id": it["id"], "quantity": it["quantity"], "lineItem": lines[it["lineItemId"]],
             "originalTotalSet": lines[it["lineItemId"]]["originalTotalSet"],
             "discountedTotalSet": lines[it["lineItemId"]]["discountedTotalSet"]}
            for it in fulfillment["lineItems"]
        ],
        arguments,
    )  # fmt: skip


def _place(call: Call, waiting: Object, _: Arguments) -> Object:
    location = call.state.get(waiting["locationId"]) or {"name": "", "address": {}}
    address = location["address"]
    return {**address, "countryCode": address.get("countryCode", "US"), "name": location["name"], "location": location}


def _destination(_: Call, waiting: Object, __: Arguments) -> Object | None:
    address = waiting["order"]["shippingAddress"]
    gid = waiting["id"].replace("FulfillmentOrder", "FulfillmentOrderDestination")
    return {**address, "id": gid, "email": waiting["order"]["email"]} if address else None


def _among(orders: Any) -> Any:
    return [_waiting(orders, it) for it in orders["fulfillmentOrders"]]


def _of_fulfillment(_: Call, fulfillment: Object, arguments: Arguments) -> Object:
    used = {it["fulfillmentOrderId"] for it in fulfillment["lineItems"]}
    return page_of([it for it in _among(fulfillment["order"]) if it["id"] in used], arguments)


def _of_waiting(_: Call, waiting: Object, arguments: Arguments) -> Object:
    made = [
        _shown(waiting["order"], it)
        for it in waiting["order"]["fulfillments"]
        if any(one["fulfillmentOrderId"] == waiting["id"] for one in it["lineItems"])
    ]
    return page_of(made, arguments)


PART = Part(
    queries={"fulfillment": _fulfillment, "fulfillmentOrder": _fulfillment_order},
    mutations={"fulfillmentCreate": _create},
    fields={
        "Order.fulfillmentOrders": lambda _, it, arguments: page_of(_among(it), arguments),
        "Order.fulfillments": lambda _, it, arguments: [
            _shown(it, one) for one in it["fulfillments"][: arguments.get("first")]
        ],
        "Order.fulfillmentsCount": lambda _, it, __: {"count": len(it["fulfillments"]), "precision": "EXACT"},
        "Order.fulfillable": lambda _, it, __: any(one["status"] == "OPEN" for one in it["fulfillmentOrders"]),
        "FulfillmentOrder.lineItems": _waiting_lines,
        "FulfillmentOrder.assignedLocation": _place,
        "FulfillmentOrder.destination": _destination,
        "FulfillmentOrder.fulfillments": _of_waiting,
        "FulfillmentOrderLineItem.variant": lambda call, it, _: call.state.get(it["variantId"] or ""),
        "Fulfillment.fulfillmentLineItems": _sent_lines,
        "Fulfillment.fulfillmentOrders": _of_fulfillment,
        "Fulfillment.location": lambda call, it, _: call.state.get(it["locationId"] or ""),
        "Fulfillment.trackingInfo": lambda _, it, arguments: it["trackingInfo"][: arguments.get("first")],
    },
)

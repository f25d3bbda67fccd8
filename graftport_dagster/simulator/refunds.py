"""Refunds: pieces taken back, shipping returned, money given back, each no more than there is.

What lives here: refundCreate with its bounds, the refund of a cancelled order, and the fields.
What Shopify says to a location that there is not was not recorded.
"""

from collections.abc import Sequence
from decimal import Decimal

from graftport_dagster.simulator import fulfillments, locations, money, order_totals
from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.inventory import restock as put_back
from graftport_dagster.simulator.money import Currencies, Money
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object

_RESTOCKED = frozenset({"RETURN", "CANCEL", "LEGACY_RESTOCK"})


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    order = call.take(given["orderId"], "Order")
    if order is None:
        raise refuse(["orderId"], "Order does not exist")
    if errors := [*_errors(order, given), *_place_errors(call, given)]:
        raise Refused(errors)
    refund = _make(call, order, given)
    order["updatedAt"] = call.state.now()
    call.state.put(order)
    if given.get("notify"):
        call.mails.append("refund notification")
    return {"refund": _shown(order, refund), "order": order}


def _errors(order: Object, given: Object) -> list[Object]:
    errors = []
    lines = {it["id"]: it for it in order["lineItems"]}
    wanted: dict[str, int] = {}
    for index, it in enumerate(given.get("refundLineItems") or ()):
        line, at = lines.get(it["lineItemId"]), ["refundLineItems", str(index)]
        if line is None:
            errors.append(user_error([*at, "lineItemId"], "Line item does not exist"))
            continue
        wanted[line["id"]] = wanted.get(line["id"], 0) + it["quantity"]
        if it["quantity"] < 1:
            errors.append(user_error([*at, "quantity"], "Quantity must be greater than 0"))
        elif wanted[line["id"]] > line["refundableQuantity"]:
            errors.append(user_error([*at, "quantity"], "Quantity cannot refund more items than were purchased"))
    both = order_totals.currencies_of(order)
    if (given.get("currency") or both.shop) != both.presentment:
        message = "Currency must be the presentment currency of the order"
        errors.append(user_error(["currency"], message))
    if _shipping(order, given, both).presentment > _shipping_left(order).presentment:
        message = "Shipping amount cannot be greater than the amount left to refund"
        errors.append(user_error(["shipping", "amount"], message))
    return errors + _transaction_errors(order, given)


def _place_errors(call: Call, given: Object) -> list[Object]:
    return [
        user_error(["refundLineItems", str(index), "locationId"], "Location does not exist")
        for index, it in enumerate(given.get("refundLineItems") or ())
        if it.get("locationId") and call.take(it["locationId"], "Location") is None
    ]


def _transaction_errors(order: Object, given: Object) -> list[Object]:
    errors = []
    known = {it["id"]: it for it in order["transactions"]}
    for index, it in enumerate(given.get("transactions") or ()):
        at = ["transactions", str(index)]
        if it["orderId"] != order["id"]:
            errors.append(user_error([*at, "orderId"], "Order must be the refunded order"))
        if it["kind"] != "REFUND":
            errors.append(user_error(None, f"Kind {it['kind'].lower()} is not a valid transaction"))
        if it.get("parentId") is not None and it["parentId"] not in known:
            errors.append(user_error(["transactions"], "Transactions require a parent_id associated with the order"))
        if money.amount(it["amount"]) <= 0:
            errors.append(user_error([*at, "amount"], "Amount must be greater than 0"))
    asked = sum((money.amount(it["amount"]) for it in given.get("transactions") or ()), money.ZERO)
    left = money.given(order["netPaymentSet"]).presentment
    # Recorded: `allowOverRefunding` changes nothing of it.
    if asked > left:
        message = f"Refund amount ${asked:.2f} is greater than net payment received ${left:.2f}"
        errors.append(user_error(None, message))
    return errors


def _shipping_left(order: Object) -> Money:
    shipped = money.total(money.given(it["discountedPriceSet"]) for it in order["shippingLines"])
    return shipped - money.total(money.given(it["shippingSet"]) for it in order["refunds"])


def _shipping(order: Object, given: Object, both: Currencies) -> Money:
    shipping = given.get("shipping") or {}
    left = _shipping_left(order)
    if shipping.get("fullRefund"):
        return left
    if shipping.get("amount") is None:
        return money.NOTHING
    return _in_both(money.amount(shipping["amount"]), left, both)


def _in_both(presentment: Decimal, left: Money, both: Currencies) -> Money:
    """An amount given in the customer's currency, at the rate of what is left; all that is left in the end."""
    if both.shop == both.presentment or left.presentment == 0:
        return Money(presentment, presentment)
    return Money(money.rounded(presentment * left.shop / left.presentment, both.shop), presentment)


def _make(call: Call, order: Object, given: Object) -> Object:
    both, now = order_totals.currencies_of(order), call.state.now()
    items = [_take_back(call, order, it, both) for it in given.get("refundLineItems") or ()]
    shipping = _shipping(order, given, both)
    transactions, repaid = [], money.NOTHING
    for it in given.get("transactions") or ():
        amount = _in_both(money.amount(it["amount"]), money.given(order["netPaymentSet"]) - repaid, both)
        transactions.append(_transaction(call, order, it, amount.bag(both)))
        repaid += amount
    price = money.total(money.given(it["subtotalSet"]) for it in items)
    tax = money.total(money.given(it["totalTaxSet"]) for it in items)
    worth = price + shipping + (money.NOTHING if order["taxesIncluded"] else tax)
    # What was repaid beyond or below the worth of what came back; nothing where nothing was repaid.
    adjustment = repaid - worth if transactions else money.NOTHING
    refund: Object = {
        "id": call.state.new_id("Refund"), "note": given.get("note"), "createdAt": now, "updatedAt": now,
        "processedAt": given.get("processedAt") or now, "refundLineItems": items,
        "transactionIds": [it["id"] for it in transactions], "totalRefundedSet": repaid.bag(both),
        "itemsSet": price.bag(both), "itemsTaxSet": tax.bag(both), "shippingSet": shipping.bag(both),
        "shippingTaxSet": money.NOTHING.bag(both), "adjustmentSet": adjustment.bag(both),
        "discrepancyReason": given.get("discrepancyReason"),
    }  # fmt: skip
    order["transactions"] += transactions
    order["refunds"].append(refund)
    order["givenFinancialStatus"] = None if transactions else order["givenFinancialStatus"]
    fulfillments.settle(order)
    order_totals.settle(order)
    return refund


def _take_back(call: Call, order: Object, given: Object, both: Currencies) -> Object:
    line = next(it for it in order["lineItems"] if it["id"] == given["lineItemId"])
    quantity, kind = given["quantity"], given.get("restockType") or "NO_RESTOCK"
    price, tax = order_totals.share(line, quantity, both), order_totals.tax_share(line, quantity, both)
    line["refunded"] += quantity
    if kind != "RETURN":
        # What was not sent yet is not sent any more.
        line["removed"] += min(quantity, line["quantity"] - line["fulfilled"] - line["removed"])
    location = None
    if kind in _RESTOCKED:
        location = given.get("locationId") or locations.first(call.state)["id"]
        put_back(call, line["variantId"], location, quantity)
    return {
        "id": call.state.new_id("RefundLineItem"), "lineItemId": line["id"], "quantity": quantity, "restockType": kind,
        "restocked": kind in _RESTOCKED, "locationId": location, "priceSet": line["discountedUnitPriceSet"],
        "subtotalSet": price.bag(both), "totalTaxSet": tax.bag(both),
    }  # fmt: skip


def _transaction(call: Call, order: Object, given: Object, amount: money.Bag) -> Object:
    now = call.state.now()
    parent: Object = next((it for it in order["transactions"] if it["id"] == given.get("parentId")), given)
    gateway = parent["gateway"] or given["gateway"]
    return {
        "id": call.state.new_id("OrderTransaction"), "kind": given["kind"], "status": "SUCCESS",
        "gateway": gateway, "formattedGateway": gateway.replace("_", " ").title(),
        "amountSet": amount, "test": order["test"],
        "authorizationCode": None, "receiptJson": None, "processedAt": now, "createdAt": now, "orderId": order["id"],
        "parentId": given.get("parentId"), "giftCardId": None, "locationId": None, "manualPaymentGateway": False,
        "manuallyCapturable": False, "multiCapturable": False,
    }  # fmt: skip


def of_whole_order(call: Call, order: Object, *, restock: bool) -> None:
    """Refunds all that is left of an order that is being cancelled."""
    kind = "CANCEL" if restock else "NO_RESTOCK"
    parent: Sequence[Object] = [it for it in order["transactions"] if it["kind"] in ("SALE", "CAPTURE")]
    left = money.given(order["netPaymentSet"]).presentment
    given = {
        "refundLineItems": [
            {"lineItemId": it["id"], "quantity": it["refundableQuantity"], "restockType": kind}
            for it in order["lineItems"] if it["refundableQuantity"]
        ],
        "shipping": {"fullRefund": True},
        "transactions": [
            {"kind": "REFUND", "amount": str(left), "gateway": parent[0]["gateway"] or "manual",
             "parentId": parent[0]["id"], "orderId": order["id"]}
        ] if parent and left > 0 else [],
    }  # fmt: skip
    _make(call, order, given)


def _shown(order: Object, refund: Object) -> Object:
    return {**refund, "order": order}


def _refund(call: Call, _: None, arguments: Arguments) -> Object | None:
    call.take(arguments["id"], "Refund")
    order = call.state.find_one("order part", arguments["id"])
    if order is None:
        return None
    return next(_shown(order, it) for it in order["refunds"] if it["id"] == arguments["id"])


def _lines(_: Call, refund: Object, arguments: Arguments) -> Object:
    lines = {it["id"]: it for it in refund["order"]["lineItems"]}
    return page_of([{**it, "lineItem": lines[it["lineItemId"]]} for it in refund["refundLineItems"]], arguments)


def _shipping_lines(_: Call, refund: Object, arguments: Arguments) -> Object:
    shipping = refund["order"]["shippingLines"]
    if not shipping or money.given(refund["shippingSet"]).shop == 0:
        return page_of([], arguments)
    gid = refund["id"].replace("Refund", "RefundShippingLine")
    one = {"id": gid, "shippingLine": shipping[0], "subtotalAmountSet": refund["shippingSet"],
           "taxAmountSet": refund["shippingTaxSet"]}  # fmt: skip
    return page_of([one], arguments)


def _adjustments(_: Call, refund: Object, arguments: Arguments) -> Object:
    if money.given(refund["adjustmentSet"]).shop == 0:
        return page_of([], arguments)
    gid = refund["id"].replace("Refund", "OrderAdjustment")
    nothing = money.NOTHING.bag(order_totals.currencies_of(refund["order"]))
    reason = refund["discrepancyReason"] or "REFUND_DISCREPANCY"
    one = {"id": gid, "reason": reason, "amountSet": refund["adjustmentSet"], "taxAmountSet": nothing}
    return page_of([one], arguments)


def _transactions(_: Call, refund: Object, arguments: Arguments) -> Object:
    wanted = set(refund["transactionIds"])
    return page_of([it for it in refund["order"]["transactions"] if it["id"] in wanted], arguments)


PART = Part(
    queries={"refund": _refund},
    mutations={"refundCreate": _create},
    fields={
        "Order.refunds": lambda _, it, arguments: [_shown(it, one) for one in it["refunds"][: arguments.get("first")]],
        "Refund.refundLineItems": _lines,
        "Refund.refundShippingLines": _shipping_lines,
        "Refund.orderAdjustments": _adjustments,
        "Refund.transactions": _transactions,
        "Refund.totalRefunded": lambda _, it, __: it["totalRefundedSet"]["shopMoney"],
        "RefundLineItem.location": lambda call, it, _: call.state.get(it["locationId"] or ""),
    },
)

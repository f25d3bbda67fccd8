"""What an order adds up to, now and before refunds, in both currencies.

What lives here: `settle`, called after every change of an order, which writes all sums and states
under Shopify's own names. What a refund or a fulfilment changes is theirs.
"""

from decimal import Decimal

from graftport_dagster.simulator import money
from graftport_dagster.simulator.money import Currencies, Money
from graftport_dagster.simulator.order_lines import off
from graftport_dagster.simulator.state import Object

_PAID = frozenset({"SALE", "CAPTURE"})


def currencies_of(order: Object) -> Currencies:
    """The currencies an order is written in."""
    return Currencies(order["currencyCode"], order["presentmentCurrencyCode"])


def settle(order: Object) -> None:
    """Writes every sum and state that follows from the order's parts."""
    both = currencies_of(order)
    for line in order["lineItems"]:
        _settle_line(line, both)
    for line in order["shippingLines"]:
        price = money.given(line["originalPriceSet"]) - off(line)
        line["discountedPriceSet"] = line["currentDiscountedPriceSet"] = price.bag(both)
    _settle_price(order, both)
    _settle_payments(order, both)
    order["displayFinancialStatus"] = order["givenFinancialStatus"] or _financial_status(order)
    order["displayFulfillmentStatus"] = _fulfillment_status(order)


def _settle_line(line: Object, both: Currencies) -> None:
    total, taken = money.given(line["originalTotalSet"]), off(line)
    left = line["quantity"] - line["fulfilled"] - line["removed"]
    line["totalDiscountSet"] = taken.bag(both)
    line["discountedTotalSet"] = (total - taken).bag(both)
    line["discountedUnitPriceSet"] = share(line, 1, both).bag(both)
    line["discountedUnitPriceAfterAllDiscountsSet"] = line["discountedUnitPriceSet"]
    line["priceAfterAllDiscountsBeforeTaxesSet"] = line["discountedTotalSet"]
    line["currentQuantity"] = line["refundableQuantity"] = line["quantity"] - line["refunded"]
    line["unfulfilledQuantity"] = line["fulfillableQuantity"] = left
    line["nonFulfillableQuantity"] = line["removed"]
    line["unfulfilledDiscountedTotalSet"] = share(line, left, both).bag(both)
    line["unfulfilledOriginalTotalSet"] = money.given(line["originalUnitPriceSet"]).times(left, both).bag(both)
    line["restockable"] = line["canRestock"] = line["refundableQuantity"] > 0
    line["merchantEditable"] = left > 0
    done = line["fulfilled"] >= line["quantity"] > 0
    line["fulfillmentStatus"] = "fulfilled" if done else "partial" if line["fulfilled"] else "unfulfilled"


def share(line: Object, quantity: int, both: Currencies) -> Money:
    """What some pieces of a line cost after discounts; all that are left cost all that is left."""
    price = money.given(line["originalTotalSet"]) - off(line)
    return _part(price, quantity, line["refunded"], line["quantity"], both)


def tax_share(line: Object, quantity: int, both: Currencies) -> Money:
    """The tax on some pieces of a line."""
    taxes = money.total(money.given(it["priceSet"]) for it in line["taxLines"])
    return _part(taxes, quantity, line["refunded"], line["quantity"], both)


def _part(whole: Money, quantity: int, before: int, of: int, both: Currencies) -> Money:
    """Pieces `before` … `before + quantity` of a whole, so that all parts make the whole to the cent."""
    if of == 0:
        return money.NOTHING
    if before + quantity > of:
        before = of - quantity
    weight = Decimal(1) / of
    upto = whole if before + quantity == of else whole.times(weight * (before + quantity), both)
    return upto - whole.times(weight * before, both)


def _settle_price(order: Object, both: Currencies) -> None:
    lines, shipping = order["lineItems"], order["shippingLines"]
    subtotal = money.total(money.given(it["discountedTotalSet"]) for it in lines)
    shipped = money.total(money.given(it["discountedPriceSet"]) for it in shipping)
    taxes = [it for line in (*lines, *shipping) for it in line["taxLines"]]
    tax = money.total(money.given(it["priceSet"]) for it in taxes)
    total = subtotal + shipped + (money.NOTHING if order["taxesIncluded"] else tax)
    taken = money.total(off(it) for it in (*lines, *shipping))
    taken_back = money.total(_part(off(it), it["refunded"], 0, it["quantity"], both) for it in lines)
    back = {name: money.total(money.given(it[name]) for it in order["refunds"]) for name in
            ("itemsSet", "itemsTaxSet", "shippingSet", "shippingTaxSet", "adjustmentSet")}  # fmt: skip
    tax_back = back["itemsTaxSet"] + back["shippingTaxSet"]
    gone = back["itemsSet"] + back["shippingSet"] + back["adjustmentSet"]
    gone += money.NOTHING if order["taxesIncluded"] else tax_back
    sums = {
        "subtotalPriceSet": subtotal, "totalShippingPriceSet": money.total(
            money.given(it["originalPriceSet"]) for it in shipping),
        "totalTaxSet": tax, "totalDiscountsSet": taken, "totalPriceSet": total, "originalTotalPriceSet": total,
        "cartDiscountAmountSet": money.total(off(it) for it in lines), "currentTotalPriceSet": total - gone,
        "currentSubtotalPriceSet": subtotal - back["itemsSet"], "currentTotalTaxSet": tax - tax_back,
        "currentShippingPriceSet": shipped - back["shippingSet"], "currentTotalDiscountsSet": taken - taken_back,
        "currentCartDiscountAmountSet": money.total(off(it) for it in lines) - taken_back,
        "totalRefundedShippingSet": back["shippingSet"] + back["shippingTaxSet"],
        # In the merchant's favour; what was repaid beyond its worth is in the customer's.
        "refundDiscrepancySet": money.NOTHING - back["adjustmentSet"],
    }  # fmt: skip
    order.update({name: value.bag(both) for name, value in sums.items()})
    order["taxLines"] = order["currentTaxLines"] = _aggregated(taxes, both)
    order["subtotalLineItemsQuantity"] = sum(it["quantity"] for it in lines)
    order["currentSubtotalLineItemsQuantity"] = sum(it["currentQuantity"] for it in lines)
    order["requiresShipping"] = any(it["requiresShipping"] for it in lines)


def _aggregated(taxes: list[Object], both: Currencies) -> list[Object]:
    found: dict[tuple[str, float], Object] = {}
    for it in taxes:
        known = found.get((it["title"], it["rate"]))
        price = money.given(it["priceSet"]) + (money.given(known["priceSet"]) if known else money.NOTHING)
        found[it["title"], it["rate"]] = {**it, "priceSet": price.bag(both)}
    return list(found.values())


def paid(order: Object, *kinds: str) -> Money:
    """The sum of successful transactions of these kinds."""
    done = [it for it in order["transactions"] if it["kind"] in kinds and it["status"] == "SUCCESS"]
    return money.total(money.given(it["amountSet"]) for it in done)


def _settle_payments(order: Object, both: Currencies) -> None:
    received = paid(order, *_PAID) - paid(order, "CHANGE")
    refunded = paid(order, "REFUND")
    net = received - refunded
    current = money.given(order["currentTotalPriceSet"])
    capturable = paid(order, "AUTHORIZATION") - paid(order, "CAPTURE", "VOID")
    capturable = capturable if capturable.shop > 0 else money.NOTHING
    # What is authorized counts as transacted.
    outstanding = current - net - capturable if order["cancelledAt"] is None else money.NOTHING
    sums = {
        "totalReceivedSet": received, "totalRefundedSet": refunded, "netPaymentSet": net,
        "totalOutstandingSet": outstanding, "totalCapturableSet": capturable, "totalTipReceivedSet": money.NOTHING,
    }  # fmt: skip
    order.update({name: value.bag(both) for name, value in sums.items()})
    order["paymentGatewayNames"] = list(dict.fromkeys(it["gateway"] for it in order["transactions"] if it["gateway"]))
    order["fullyPaid"] = received.shop >= money.given(order["totalPriceSet"]).shop
    order["unpaid"] = received.shop <= 0
    order["capturable"] = capturable.shop > 0
    order["refundable"] = net.shop > 0 or any(it["refundableQuantity"] for it in order["lineItems"])
    order["canMarkAsPaid"] = order["cancelledAt"] is None and outstanding.shop > 0


def _financial_status(order: Object) -> str | None:
    received = money.given(order["totalReceivedSet"]).shop
    refunded = money.given(order["totalRefundedSet"]).shop
    if refunded > 0:
        return "REFUNDED" if refunded >= received else "PARTIALLY_REFUNDED"
    if received >= money.given(order["totalPriceSet"]).shop:
        return "PAID"
    if received > 0:
        return "PARTIALLY_PAID"
    if order["capturable"]:
        return "AUTHORIZED"
    if order["cancelledAt"] or paid(order, "VOID").shop > 0:
        return "VOIDED"
    # Recorded: of an order that nobody has paid anything for, nothing is said.
    return "PENDING" if order["transactions"] else None


def _fulfillment_status(order: Object) -> str:
    fulfilled = sum(it["fulfilled"] for it in order["lineItems"])
    if fulfilled == 0:
        given = order["givenFulfillmentStatus"]
        return "PARTIALLY_FULFILLED" if given == "PARTIAL" else given or "UNFULFILLED"
    left = sum(it["unfulfilledQuantity"] for it in order["lineItems"])
    return "PARTIALLY_FULFILLED" if left else "FULFILLED"

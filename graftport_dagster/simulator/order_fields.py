"""Fields of an order and its parts that are shown and not kept.

What lives here: connections, references to other objects, the plain amounts that Shopify keeps
beside each pair of currencies for older clients, and how amounts of all types are written.
"""

from collections.abc import Callable

from graftport_dagster.simulator import money
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.parts import Arguments, Call, Part, Resolver
from graftport_dagster.simulator.state import Object

# Amounts in the shop's currency, named as their pair without `Set`.
_PLAIN = {
    "Order": (
        "cartDiscountAmount", "netPayment", "subtotalPrice", "totalCapturable", "totalDiscounts", "totalPrice",
        "totalReceived", "totalRefunded", "totalTax",
    ),
    "LineItem": (
        "discountedTotal", "discountedUnitPrice", "originalTotal", "originalUnitPrice", "totalDiscount",
        "unfulfilledDiscountedTotal", "unfulfilledOriginalTotal",
    ),
    "OrderTransaction": ("amount",), "TaxLine": ("price",), "RefundLineItem": ("price", "subtotal", "totalTax"),
    "FulfillmentLineItem": ("originalTotal", "discountedTotal"),
}  # fmt: skip


def _plain(name: str) -> Resolver:
    return lambda _, it, __: it[name]["shopMoney"]["amount"]


def _money(name: str) -> Resolver:
    return lambda _, it, __: it[name]["shopMoney"]


def _reference(name: str) -> Resolver:
    return lambda call, it, _: call.state.get(it[name] or "")


def _pages(name: str) -> Resolver:
    return lambda _, it, arguments: page_of(it[name], arguments)


def _transactions(_: Call, order: Object, arguments: Arguments) -> list[Object]:
    found = list(order["transactions"])
    if arguments.get("capturable") is not None:
        found = [it for it in found if it["kind"] == "AUTHORIZATION"]
    return found[: arguments.get("first")]


def _order_of(call: Call, transaction: Object, _: Arguments) -> Object | None:
    return call.state.get(transaction["orderId"])


def _parent(call: Call, transaction: Object, _: Arguments) -> Object | None:
    order = call.state.get(transaction["orderId"]) or {"transactions": []}
    return next((it for it in order["transactions"] if it["id"] == transaction["parentId"]), None)


def _same_addresses(_: Call, order: Object, __: Arguments) -> bool:
    billing, shipping = ({**(order[it] or {}), "id": None} for it in ("billingAddress", "shippingAddress"))
    return bool(billing == shipping)


def _app(*_: object) -> Object:
    return {
        "id": "gid://shopify/OrderApp/1000001",
        "name": "Graftport",
        "icon": {"url": "https://example.com/icon.png"},
    }


_FIELDS: dict[str, Callable[..., object]] = {
    "Order.lineItems": _pages("lineItems"),
    "Order.shippingLines": _pages("shippingLines"),
    "Order.shippingLine": lambda _, it, __: next(iter(it["shippingLines"]), None),
    "Order.discountApplications": _pages("discountApplications"),
    "Order.discountCodes": lambda _, it, __: [it["discountCode"]] if it["discountCode"] else [],
    "Order.customer": _reference("customerId"),
    "Order.transactions": _transactions,
    "Order.transactionsCount": lambda _, it, __: {"count": len(it["transactions"]), "precision": "EXACT"},
    "Order.totalShippingPrice": _plain("totalShippingPriceSet"),
    "Order.totalTipReceived": _money("totalTipReceivedSet"),
    "Order.billingAddressMatchesShippingAddress": _same_addresses,
    "Order.displayAddress": lambda _, it, __: it["shippingAddress"] or it["billingAddress"],
    "Order.canNotifyCustomer": lambda _, it, __: it["email"] is not None,
    "Order.registeredSourceUrl": lambda _, it, __: it["sourceUrl"],
    "Order.statusPageUrl": lambda call, it, _: f"{call.base_url}/orders/{it['id'].rpartition('/')[2]}",
    "Order.nonFulfillableLineItems": lambda _, it, arguments: page_of(
        [one for one in it["lineItems"] if one["removed"]], arguments
    ),
    "Order.returnStatus": lambda *_: "NO_RETURN",
    "Order.riskLevel": lambda *_: "LOW",
    "Order.currentTotalWeight": lambda *_: "0",
    "Order.restockable": lambda _, it, __: any(one["restockable"] for one in it["lineItems"]),
    "Order.merchantEditable": lambda _, it, __: it["cancelledAt"] is None,
    "Order.app": _app,
    "LineItem.variant": _reference("variantId"),
    "LineItem.product": _reference("productId"),
    "LineItem.taxLines": lambda _, it, arguments: it["taxLines"][: arguments.get("first")],
    "ShippingLine.originalPrice": _money("originalPriceSet"),
    "ShippingLine.discountedPrice": _money("discountedPriceSet"),
    "ShippingLine.price": _plain("originalPriceSet"),
    "DiscountAllocation.allocatedAmount": _money("allocatedAmountSet"),
    "OrderTransaction.order": _order_of,
    "OrderTransaction.parentTransaction": _parent,
    "OrderTransaction.location": _reference("locationId"),
    "OrderTransaction.amountV2": _money("amountSet"),
    "MoneyV2.amount": lambda _, it, __: money.text(money.amount(it["amount"])),
}
_FIELDS |= {f"{kind}.{name}": _plain(f"{name}Set") for kind, names in _PLAIN.items() for name in names}

PART = Part(fields=_FIELDS)

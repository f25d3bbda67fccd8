"""What an order is made of when it is written: lines, shipping, discount, taxes, payments.

What lives here: these parts of an OrderCreateOrderInput as the order keeps them, with prices and
allocations to the cent. What they add up to, and what is left after refunds, is `order_totals.py`'s.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from graftport_dagster.simulator import money
from graftport_dagster.simulator.money import Currencies, Money
from graftport_dagster.simulator.parts import Call
from graftport_dagster.simulator.state import Object


def line_items(call: Call, given: Sequence[Object], currencies: Currencies) -> list[Object]:
    """The lines as kept, before discounts."""
    return [_line_item(call, it, currencies) for it in given]


def _line_item(call: Call, given: Object, currencies: Currencies) -> Object:
    variant = call.state.get(given.get("variantId") or "") or {}
    product = call.state.get(variant.get("productId") or given.get("productId") or "") or {}
    title = given.get("title") or product.get("title") or ""
    variant_title = given.get("variantTitle") or variant.get("title")
    variant_title = None if variant_title == "Default Title" else variant_title
    price = money.given(given.get("priceSet"))
    if given.get("priceSet") is None and variant:
        price = Money(money.amount(variant["price"]), money.amount(variant["price"]))
    return {
        "id": call.state.new_id("LineItem"), "title": title, "variantTitle": variant_title,
        "name": f"{title} - {variant_title}" if variant_title else title, "quantity": given["quantity"],
        "sku": given.get("sku") or variant.get("sku"), "vendor": given.get("vendor") or product.get("vendor"),
        "variantId": variant.get("id"), "productId": product.get("id"), "taxable": given.get("taxable", True),
        "requiresShipping": given.get("requiresShipping", False), "isGiftCard": given.get("giftCard", False),
        "customAttributes": [{"key": it["name"], "value": it["value"]} for it in given.get("properties") or ()],
        "weight": given.get("weight"), "taxLines": tax_lines(given.get("taxLines"), currencies),
        "originalUnitPriceSet": price.bag(currencies),
        "originalTotalSet": price.times(given["quantity"], currencies).bag(currencies),
        "discountAllocations": [], "fulfilled": 0, "refunded": 0, "removed": 0,
    }  # fmt: skip


def shipping_lines(call: Call, given: Sequence[Object] | None, currencies: Currencies) -> list[Object]:
    """Shipping as kept, before discounts."""
    return [
        {
            "id": call.state.new_id("ShippingLine"), "title": it["title"], "code": it.get("code"),
            "source": it.get("source"), "custom": True, "isRemoved": False, "discountAllocations": [],
            "originalPriceSet": money.given(it["priceSet"]).bag(currencies),
            "taxLines": tax_lines(it.get("taxLines"), currencies),
        }
        for it in given or ()
    ]  # fmt: skip


def tax_lines(given: Sequence[Object] | None, currencies: Currencies) -> list[Object]:
    """Tax lines as kept."""
    return [_tax_line(it, money.given(it.get("priceSet")), currencies) for it in given or ()]


def _tax_line(given: Object, price: Money, currencies: Currencies) -> Object:
    rate = float(given["rate"])
    return {
        "title": given["title"], "rate": rate, "ratePercentage": round(rate * 100, 6),
        "priceSet": price.bag(currencies), "channelLiable": given.get("channelLiable", False), "source": None,
    }  # fmt: skip


def discount(order: Object, given: Object | None, currencies: Currencies) -> None:
    """Writes an order's one discount code on its lines or its shipping."""
    if not given:
        return
    kind, content = next((kind, content) for kind, content in given.items() if content)
    applied: Object = {
        "__typename": "DiscountCodeApplication", "index": 0, "code": content["code"], "allocationMethod": "ACROSS",
        "targetSelection": "ALL", "targetType": "LINE_ITEM",
    }  # fmt: skip
    lines, originals = order["lineItems"], "originalTotalSet"
    weights = [money.given(it[originals]) for it in lines]
    if kind == "freeShippingDiscountCode":
        lines = order["shippingLines"]
        shares = [money.given(it["originalPriceSet"]) for it in lines]
        applied |= {"targetType": "SHIPPING_LINE", "value": _percentage(Decimal(100)), "allocationMethod": "EACH"}
    elif kind == "itemPercentageDiscountCode":
        percentage = min(Decimal(str(content.get("percentage") or 0)), Decimal(100))
        shares = [it.times(percentage / 100, currencies) for it in weights]
        applied |= {"value": _percentage(percentage)}
    else:
        off = money.given(content.get("amountSet"))
        shares = money.shared_out(off.capped(money.total(weights)), weights, currencies)
        applied |= {"value": {"__typename": "MoneyV2", **off.bag(currencies)["presentmentMoney"]}}
    order["discountApplications"] = [applied]
    order["discountCode"] = content["code"]
    for line, share in zip(lines, shares, strict=True):
        line["discountAllocations"] = [{"allocatedAmountSet": share.bag(currencies), "discountApplication": applied}]


def _percentage(value: Decimal) -> Object:
    return {"__typename": "PricingPercentageValue", "percentage": float(value)}


def off(line: Object) -> Money:
    """What is taken off a line or off shipping."""
    return money.total(money.given(it["allocatedAmountSet"]) for it in line["discountAllocations"])


def split_taxes(order: Object, given: Sequence[Object] | None, currencies: Currencies) -> None:
    """Splits tax lines of the whole order over its taxable lines, as Shopify does."""
    lines = [it for it in order["lineItems"] if it["taxable"]] or order["lineItems"]
    weights = [money.given(it["originalTotalSet"]) - off(it) for it in lines]
    for tax in given or ():
        shares = money.shared_out(money.given(tax.get("priceSet")), weights, currencies)
        for line, share in zip(lines, shares, strict=True):
            line["taxLines"].append(_tax_line(tax, share, currencies))


def transactions(call: Call, given: Sequence[Object] | None, order_id: str, currencies: Currencies) -> list[Object]:
    """Payments as kept."""
    now = call.state.now()
    return [
        {
            "id": call.state.new_id("OrderTransaction"), "kind": it.get("kind", "SALE"),
            "status": it.get("status", "SUCCESS"), "gateway": it.get("gateway"),
            "formattedGateway": (it.get("gateway") or "").replace("_", " ").title() or None,
            "amountSet": money.given(it["amountSet"]).bag(currencies), "test": it.get("test", False),
            "authorizationCode": it.get("authorizationCode"), "receiptJson": it.get("receiptJson"),
            "processedAt": it.get("processedAt") or now, "createdAt": now, "orderId": order_id, "parentId": None,
            "giftCardId": it.get("giftCardId"), "locationId": it.get("locationId"),
            "manualPaymentGateway": False, "manuallyCapturable": False, "multiCapturable": False,
        }
        for it in given or ()
    ]  # fmt: skip


def attributes(given: Any) -> list[Object]:
    """An order's additional details as kept."""
    return [{"key": it["key"], "value": it["value"]} for it in given or ()]

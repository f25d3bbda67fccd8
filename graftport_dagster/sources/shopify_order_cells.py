"""The cells of Shopify's own CSV export of orders, as its Admin API would give an order.

The first row of an order holds what is true of all of it, each row one line. What the file does not
say is told from its sums, so that the order comes to the same cent: whether prices include taxes,
what discounts took off the lines. Which product a line is comes from whoever has seen the export
of products (`shopify_export`); shipments have no tracking here and refunds no lines.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from graftport_dagster.mappings.places import country_code
from graftport_dagster.records import JsonObject
from graftport_dagster.sources.shopify_cells import CellError, Cells, bare, is_true, listed, number

REQUIRED_COLUMNS = ("name", "currency", "total", "lineitem quantity", "lineitem name", "lineitem price")
_RATE = re.compile(r"(.*?)\s*\(?(\d+(?:\.\d+)?)\s*%\)?")
_PAID = frozenset({"PAID", "PARTIALLY_PAID", "REFUNDED", "PARTIALLY_REFUNDED"})
_ZERO = Decimal(0)

# Sku and name of a line → the ids of product and variant, and their titles; None where it is in no export.
FindVariant = Callable[[str, str], "tuple[JsonObject, JsonObject] | None"]


def order(number_of: str, rows: Sequence[Cells], find: FindVariant, customer: str | None) -> JsonObject:
    """One order of all its rows. Raises CellError."""
    first = rows[0]
    if "currency" not in first or "name" not in first:
        raise CellError("Its first row has no name or no currency.")
    # What was taken out of an order by hand stands in it with no pieces.
    rows = [cells for cells in rows if number(cells, "lineitem quantity") != "0"]
    lines = [_line(cells, place, first["currency"], find) for place, cells in enumerate(rows, 1)]
    if not lines:
        raise CellError("No line of the order has any pieces.")
    status = first.get("financial status", "").strip().upper() or "PENDING"
    made = _moment(first, "created at")
    sums = _sums(first, lines)
    notes = first.get("note attributes", "")
    return {
        "id": f"gid://shopify/Order/{number_of}", "name": first["name"].strip(),
        "email": first.get("email", "").strip() or None, "phone": bare(first.get("phone", "")) or None,
        "note": first.get("notes") or None, "tags": listed(first.get("tags", "")), "test": False,
        "poNumber": None, "sourceName": first.get("source") or None, "currencyCode": first["currency"],
        "presentmentCurrencyCode": first["currency"], "taxesIncluded": sums.taxes_included, "createdAt": made,
        "processedAt": made, "closedAt": None,
        "cancelledAt": _moment(first, "cancelled at") or _moment(first, "canceled at"),
        "displayFinancialStatus": status, "discountCodes": listed(first.get("discount code", "")),
        "customer": {"id": customer} if customer else None,
        "totalPriceSet": _bag(_amount(first, "total"), first["currency"]),
        "customAttributes": [
            {"key": key.strip(), "value": value.strip()}
            for key, mark, value in (line.partition(":") for line in notes.splitlines()) if mark and value.strip()
        ],
        "billingAddress": _address(first, "billing"), "shippingAddress": _address(first, "shipping"),
        "taxLines": list(_taxes(first)), "lineItems": [*lines, *sums.made_up], "madeUp": bool(sums.made_up),
        "shippingLines": list(_shipping(first)), "transactions": list(_payments(first, status)),
        "refunds": list(_refunds(first)), "fulfillments": list(_shipments(first, rows, lines)), "metafields": [],
    }  # fmt: skip


class _Sums:
    """What the sums of an order say that no column does."""

    def __init__(self) -> None:
        self.taxes_included = False
        self.made_up: list[JsonObject] = []


def _sums(first: Cells, lines: Sequence[JsonObject]) -> _Sums:
    """Gives what discounts took off to the first line, and a line of its own to what the total has besides."""
    whole = sum((_money(it) * it["quantity"] for it in lines), _ZERO)
    # An export without the column is one whose lines were not made cheaper.
    subtotal = _amount(first, "subtotal") if first.get("subtotal") else whole
    shipping, taxes, total = (_amount(first, column) for column in ("shipping", "taxes", "total"))
    found = _Sums()
    found.taxes_included = taxes > 0 and total - subtotal - shipping < taxes
    over = total - subtotal - shipping - (_ZERO if found.taxes_included else taxes)
    off = whole - subtotal + max(-over, _ZERO)
    more = max(over, _ZERO) + max(-off, _ZERO)
    if off > 0:
        lines[0]["discountAllocations"] = [{"allocatedAmountSet": _bag(off, first["currency"])}]
    if more > 0:
        found.made_up.append({
            "id": f"gid://shopify/LineItem/{len(lines) + 1}", "title": "Tips, duties and other charges",
            "variantTitle": None, "sku": None, "vendor": None, "quantity": 1, "requiresShipping": False,
            "taxable": False, "product": None, "variant": None, "customAttributes": [], "taxLines": [],
            "originalUnitPriceSet": _bag(more, first["currency"]), "discountAllocations": [],
        })  # fmt: skip
    return found


def _line(cells: Cells, place: int, currency: str, find: FindVariant) -> JsonObject:
    name, sku = cells.get("lineitem name", "").strip(), bare(cells.get("lineitem sku", ""))
    count = number(cells, "lineitem quantity")
    if not count.isdecimal() or int(count) < 1:
        raise CellError(f"lineitem quantity is {count[:60]!r}, not a number of pieces.")
    known = find(sku, name)
    return {
        "id": f"gid://shopify/LineItem/{place}", "title": known[0]["title"] if known else name,
        "variantTitle": known[1]["title"] if known else None, "sku": sku or None, "vendor": cells.get("vendor") or None,
        "quantity": int(count), "requiresShipping": is_true(cells, "lineitem requires shipping", where_empty=True),
        "taxable": is_true(cells, "lineitem taxable", where_empty=True),
        "product": {"id": known[0]["id"]} if known else None, "variant": {"id": known[1]["id"]} if known else None,
        "customAttributes": [], "originalUnitPriceSet": _bag(_amount(cells, "lineitem price"), currency),
        "taxLines": [], "discountAllocations": [],
    }  # fmt: skip


def _taxes(first: Cells) -> Iterator[JsonObject]:
    """The named ones, and what of all taxes none names."""
    left = _amount(first, "taxes")
    for place in range(1, 6):
        name, value = first.get(f"tax {place} name", "").strip(), _amount(first, f"tax {place} value")
        if name and value:
            found = _RATE.fullmatch(name)
            rate = float(round(Decimal(found[2]) / 100, 6)) if found else 0
            yield {"title": found[1] if found and found[1] else name, "rate": rate, "channelLiable": None,
                   "priceSet": _bag(value, first["currency"])}  # fmt: skip
            left -= value
    if left > 0:
        yield {"title": "Tax", "rate": 0, "channelLiable": None, "priceSet": _bag(left, first["currency"])}


def _shipping(first: Cells) -> Iterator[JsonObject]:
    name, cost = first.get("shipping method", "").strip(), _amount(first, "shipping")
    if name or cost:
        bag = _bag(cost, first["currency"])
        yield {"title": name or "Shipping", "code": name or None, "source": None, "originalPriceSet": bag,
               "discountedPriceSet": bag, "taxLines": []}  # fmt: skip


def _payments(first: Cells, status: str) -> Iterator[JsonObject]:
    kind = "SALE" if status in _PAID else "AUTHORIZATION" if status == "AUTHORIZED" else ""
    amount = _amount(first, "total") - _amount(first, "outstanding balance")
    if kind and amount > 0:
        yield {
            "id": "gid://shopify/OrderTransaction/paid", "kind": kind, "status": "SUCCESS",
            "gateway": first.get("payment method", "").strip() or "manual", "authorizationCode": None, "test": False,
            "processedAt": _moment(first, "paid at") or _moment(first, "created at"), "parentTransaction": None,
            "amountSet": _bag(amount, first["currency"]),
        }  # fmt: skip


def _refunds(first: Cells) -> Iterator[JsonObject]:
    """One for all that was paid back; which lines came back is in no column."""
    back = _amount(first, "refunded amount")
    if back > 0:
        yield {
            "id": "gid://shopify/Refund/refunded", "note": None, "processedAt": None, "refundLineItems": [],
            "refundShippingLines": [], "totalRefundedSet": _bag(back, first["currency"]),
            "transactions": [{
                "id": "gid://shopify/OrderTransaction/refunded", "kind": "REFUND", "status": "SUCCESS",
                "gateway": first.get("payment method", "").strip() or "manual",
                "amountSet": _bag(back, first["currency"]),
                "parentTransaction": {"id": "gid://shopify/OrderTransaction/paid"},
            }],
        }  # fmt: skip


def _shipments(first: Cells, rows: Sequence[Cells], lines: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """One for all that was sent; without lines where that is the whole order."""
    whole = first.get("fulfillment status", "").strip().lower() == "fulfilled"
    sent = [
        {"quantity": line["quantity"], "lineItem": {"id": line["id"]}}
        for cells, line in zip(rows, lines, strict=True)
        if not whole and cells.get("lineitem fulfillment status", "").strip().lower() == "fulfilled"
    ]
    if sent or whole:
        yield {
            "id": "gid://shopify/Fulfillment/sent", "status": "SUCCESS", "createdAt": _moment(first, "fulfilled at"),
            "trackingInfo": [], "fulfillmentLineItems": sent,
        }  # fmt: skip


def _address(cells: Cells, side: str) -> JsonObject | None:
    def told(name: str) -> str | None:
        return bare(cells.get(f"{side} {name}", "")) or None

    if not any((told("name"), told("address1"), told("city"))):
        return None
    first_name, _, last_name = (told("name") or "").rpartition(" ")
    return {
        "firstName": first_name.strip() or None, "lastName": last_name or None, "company": told("company"),
        "address1": told("address1"), "address2": told("address2"), "city": told("city"), "zip": told("zip"),
        "countryCodeV2": country_code(told("country") or ""), "provinceCode": told("province"), "phone": told("phone"),
    }  # fmt: skip


def _moment(cells: Cells, column: str) -> str | None:
    value = cells.get(column, "").strip()
    if not value:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S %z").isoformat()
    except ValueError:
        raise CellError(f"{column} is {value[:60]!r}, not a time like 2026-01-31 10:00:00 +0100.") from None


def _amount(cells: Cells, column: str) -> Decimal:
    return Decimal(number(cells, column) or 0)


def _money(line: JsonObject) -> Decimal:
    return Decimal(line["originalUnitPriceSet"]["shopMoney"]["amount"])


def _bag(amount: Decimal, currency: str) -> JsonObject:
    money = {"amount": f"{amount:f}", "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": money}

"""Orders: written whole by orderCreate, hardly changed afterwards.

What lives here: orderCreate, orderUpdate, orderClose, orderCancel, orderDelete, how orders are found,
and their queries. Their parts are made in `order_lines.py` and added up in `order_totals.py`; fulfilments and
refunds have modules of their own; fields that are not kept are in `order_fields.py`. What Shopify says to an amount in
another currency than the order's was not recorded.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from graftport_dagster.simulator import (
    addresses,
    customers,
    fulfillments,
    metafields,
    money,
    order_lines,
    order_totals,
    refunds,
)
from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.inventory import claim
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.money import Currencies
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.products import tags
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

# A development store takes no more orders in a minute.
_MOST_A_MINUTE = 5
_LONGEST_STAFF_NOTE = 255
_COPIED = ("note", "phone", "poNumber", "sourceIdentifier", "sourceName", "sourceUrl", "closedAt")


def _create(call: Call, arguments: Arguments) -> Object:
    given, options = arguments["order"], arguments.get("options") or {}
    _check_rate(call)
    if errors := _errors(call, given):
        raise Refused(errors)
    order = _new(call, given)
    both = order_totals.currencies_of(order)
    _take_customer(call, order, given)
    _take_parts(call, order, given, both)
    order_totals.settle(order)
    problems = metafields.write(call, order, given.get("metafields") or [], replace=False)
    if problems:
        raise Refused([user_error(["order", "metafields", *path], text, "INVALID") for path, text, _ in problems])
    _claim(call, order, options.get("inventoryBehaviour", "BYPASS"))
    if given.get("fulfillment"):
        fulfillments.of_whole_order(call, order, given["fulfillment"])
    _note_mails(call, given, options)
    call.state.put(order)
    return {"order": order}


def _check_rate(call: Call) -> None:
    if call.settings.plan != "development":
        return
    latest = list(islice(call.state.all("Order", backwards=True), _MOST_A_MINUTE))
    if len(latest) == _MOST_A_MINUTE:
        age = datetime.fromisoformat(call.state.now()) - datetime.fromisoformat(latest[-1]["createdAt"])
        if age.total_seconds() < 60:
            raise refuse(None, "Too many attempts. Please try again later.")


def _errors(call: Call, given: Object) -> list[Object]:
    lines = given.get("lineItems") or []
    errors = []
    if not lines:
        errors.append(user_error(["order", "lineItems"], "Line items must have at least one line item", "INVALID"))
    for index, it in enumerate(lines):
        errors.extend(_line_errors(call, it, ["order", "lineItems", index]))
    for index, it in enumerate(given.get("shippingLines") or ()):
        errors.extend(_price_errors(it, ["order", "shippingLines", index]))
    of_lines = any(it.get("taxLines") for it in (*lines, *(given.get("shippingLines") or ())))
    if given.get("taxLines") and of_lines:
        message = "Tax lines can be specified on the order or on its lines, but not on both."
        errors.append(user_error(["order", "taxLines"], message, "INVALID"))
    if len([it for it in (given.get("discountCode") or {}).values() if it]) > 1:
        errors.append(user_error(["order", "discountCode"], "Only one discount code can be given.", "INVALID"))
    message = "Currency must be the one that the order is in"
    wrong = money.misnamed(given, _currencies(call, given), ["order"])
    errors.extend(user_error(path, message, "INVALID") for path in wrong)
    if given.get("customerId") is not None and given.get("customer") is not None:
        message = "Only one of customerId and customer can be given."
        errors.append(user_error(["order"], message, "REDUNDANT_CUSTOMER_FIELDS"))
    return errors


def _currencies(call: Call, given: Object) -> Currencies:
    shop = given.get("currency") or call.settings.currency
    return Currencies(shop, given.get("presentmentCurrency") or shop)


def _line_errors(call: Call, given: Object, path: list[str | int]) -> list[Object]:
    known = [name for name in ("variantId", "productId") if given.get(name) is not None]
    if not known and not (given.get("title") or "").strip():
        at = path[:2]
        return [
            user_error(["order"], "Order Line items is invalid", "INVALID"),
            user_error(at, "Line items Title can't be blank", "INVALID"),
            user_error(at, "Line items Name can't be blank", "INVALID"),
        ]
    kinds = {"variantId": ("ProductVariant", "Product variant"), "productId": ("Product", "Product")}
    errors = [
        user_error([*path, name], f"{kinds[name][1]} does not exist", "INVALID")
        for name in known if call.take(given[name], kinds[name][0]) is None
    ]  # fmt: skip
    if given["quantity"] < 1:
        errors.append(user_error([*path, "quantity"], "Quantity must be greater than 0", "INVALID"))
    errors.extend(_price_errors(given, path))
    if given.get("fulfillmentService") not in (None, "manual"):
        errors.append(
            user_error([*path, "fulfillmentService"], "Fulfillment service is invalid", "FULFILLMENT_SERVICE_INVALID")
        )
    return errors


def _price_errors(given: Object, path: list[str | int]) -> Iterable[Object]:
    if money.given(given.get("priceSet")).shop < 0:
        yield user_error([*path, "priceSet"], "Price must be greater than or equal to 0", "INVALID")


def _new(call: Call, given: Object) -> Object:
    now = call.state.now()
    gid = call.state.new_id("Order")
    number = 1000 + int(call.state.new_id("_OrderNumber").rpartition("/")[2]) % 1_000_000_000
    both = _currencies(call, given)
    name = given.get("name") or f"#{number}"
    return {
        "id": gid, "name": name, "number": number, "createdAt": now, "updatedAt": now,
        "processedAt": _not_later(given.get("processedAt") or now, now), "cancelledAt": None, "cancelReason": None,
        "cancellation": None, "email": given.get("email"), **{it: given.get(it) for it in _COPIED},
        "closed": given.get("closedAt") is not None, "confirmed": True, "confirmationNumber": None,
        "tags": tags(given.get("tags") or ()), "test": given.get("test", False),
        "taxesIncluded": given.get("taxesIncluded", False), "taxExempt": False, "currencyCode": both.shop,
        "presentmentCurrencyCode": both.presentment,
        "customAttributes": order_lines.attributes(given.get("customAttributes")),
        "customerAcceptsMarketing": given.get("buyerAcceptsMarketing") or False, "customerId": None,
        "billingAddress": _address(call, given.get("billingAddress")), "referrerUrl": given.get("referringSite"),
        "shippingAddress": _address(call, given.get("shippingAddress")), "discountApplications": [],
        "discountCode": None, "givenFinancialStatus": given.get("financialStatus"), "metafields": [],
        "givenFulfillmentStatus": given.get("fulfillmentStatus"), "fulfillments": [], "fulfillmentOrders": [],
        "refunds": [], "lineItems": [], "shippingLines": [], "transactions": [],
    }  # fmt: skip


def _not_later(text: str, now: str) -> str:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return text if moment <= datetime.fromisoformat(now) else now


def _address(call: Call, given: Object | None) -> Object | None:
    if not given:
        return None
    return {"id": f"{call.state.new_id('MailingAddress')}?model_name=Address", **addresses.kept(given)}


def _take_parts(call: Call, order: Object, given: Object, both: Currencies) -> None:
    order["lineItems"] = order_lines.line_items(call, given["lineItems"], both)
    order["shippingLines"] = order_lines.shipping_lines(call, given.get("shippingLines"), both)
    order_lines.discount(order, given.get("discountCode"), both)
    order_lines.split_taxes(order, given.get("taxLines"), both)
    order["transactions"] = order_lines.transactions(call, given.get("transactions"), order["id"], both)
    if given.get("fulfillmentStatus") in ("FULFILLED", "RESTOCKED") and not given.get("fulfillment"):
        name = "fulfilled" if given["fulfillmentStatus"] == "FULFILLED" else "removed"
        for line in order["lineItems"]:
            line[name] = line["quantity"]
    fulfillments.open_orders(call, order)


def _take_customer(call: Call, order: Object, given: Object) -> None:
    wanted = given.get("customer") or {}
    if wanted.get("toUpsert"):
        customer: Object | None = _upserted(call, wanted["toUpsert"])
    elif wanted.get("toAssociate", {}).get("id") is not None or given.get("customerId") is not None:
        gid = given.get("customerId") or wanted["toAssociate"]["id"]
        customer = call.take(gid, "Customer")
        if customer is None:
            path = ["customerId"] if given.get("customerId") else ["customer", "toAssociate", "id"]
            raise refuse(["order", *path], "Customer does not exist", "INVALID")
    else:
        customer = _of_email(call, wanted.get("toAssociate", {}).get("email") or given.get("email"))
    if customer is not None:
        order["customerId"] = customer["id"]
        order["email"] = order["email"] or customer["email"]


def _of_email(call: Call, email: str | None) -> Object | None:
    """Who has the address; somebody new where nobody has it: an order with an address alone makes a customer."""
    text = customers.email_of(email)
    if text is None:
        return None
    known = call.state.find_one("customer email", text)
    if known is not None:
        return known
    customer = customers.new(call)
    if customers.complaints(call, customer, {"email": text}):
        return None
    customers.fill(call, customer, {"email": text})
    call.state.put(customer)
    return customer


def _upserted(call: Call, given: Object) -> Object:
    customer = None
    if given.get("id") is not None:
        customer = call.take(given["id"], "Customer")
        if customer is None:
            raise refuse(["order", "customer", "toUpsert", "id"], "Customer does not exist", "INVALID")
    elif given.get("email"):
        customer = call.state.find_one("customer email", customers.email_of(given["email"]) or "")
    elif given.get("phone"):
        customer = call.state.find_one("customer phone", customers.phone_of(given["phone"]) or "")
    content = {name: value for name, value in given.items() if name not in ("id", "addresses") and value is not None}
    if given.get("addresses"):
        content["addresses"] = given["addresses"]
    customer = customer or customers.new(call)
    wrong = customers.complaints(call, customer, content)
    if wrong:
        path = ["order", "customer", "toUpsert"]
        raise Refused([user_error([*path, *at], text, "INVALID") for at, text, _ in wrong])
    customers.fill(call, customer, content)
    call.state.put(customer)
    return customer


def _claim(call: Call, order: Object, behaviour: str) -> None:
    if behaviour == "BYPASS":
        return
    for index, line in enumerate(order["lineItems"]):
        if line["variantId"] and not claim(call, line["variantId"], line["quantity"], behaviour):
            message = f"Unable to claim inventory for line item {index}: not enough of it is available."
            raise refuse(["order", "lineItems", index], message, "INVENTORY_CLAIM_FAILED")


def _note_mails(call: Call, given: Object, options: Object) -> None:
    """No mail is ever sent; that one was asked for stands in the log of requests."""
    asked = {
        "order receipt": options.get("sendReceipt"), "fulfillment receipt": options.get("sendFulfillmentReceipt"),
        "shipping notification": (given.get("fulfillment") or {}).get("notifyCustomer"),
    }  # fmt: skip
    call.mails.extend(name for name, wanted in asked.items() if wanted)


def taken(call: Call, gid: str, field: str, code: str | None = None) -> Object:
    """The order of an id, or the refusal that there is none."""
    order = call.take(gid, "Order")
    if order is None:
        raise refuse([field], "Order does not exist", code)
    return order


def _update(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    order = taken(call, given["id"], "id")
    if given.get("phone") and not customers.is_phone(given["phone"]):
        raise refuse(["phone"], "Phone is invalid")
    order.update({name: given[name] for name in ("note", "email", "phone", "poNumber") if name in given})
    if given.get("tags") is not None:
        order["tags"] = tags(given["tags"])
    if given.get("customAttributes") is not None:
        order["customAttributes"] = order_lines.attributes(given["customAttributes"])
    if given.get("shippingAddress") is not None:
        order["shippingAddress"] = _address(call, given["shippingAddress"])
    problems = metafields.write(call, order, given.get("metafields") or [], replace=False)
    if problems:
        raise Refused([user_error(["metafields", *path], text) for path, text, _ in problems])
    return _kept(call, order)


def _kept(call: Call, order: Object) -> Object:
    order["updatedAt"] = call.state.now()
    call.state.put(order)
    return {"order": order}


def _close(call: Call, arguments: Arguments) -> Object:
    order = taken(call, arguments["input"]["id"], "id")
    order["closed"], order["closedAt"] = True, order["closedAt"] or call.state.now()
    return _kept(call, order)


def _cancel(call: Call, arguments: Arguments) -> Object:
    order = taken(call, arguments["orderId"], "orderId", "NOT_FOUND")
    if order["cancelledAt"] is not None:
        raise refuse(["orderId"], "Cannot cancel an order that has already been canceled", "INVALID")
    if order["fulfillments"]:
        raise refuse(["orderId"], "Cannot cancel an order that has outstanding fulfillments", "INVALID")
    if arguments.get("refund") is not None and arguments.get("refundMethod") is not None:
        message = "Only one of the arguments `refund` or `refund_method` is allowed."
        raise refuse(["refund"], message, "INVALID")
    if len(arguments.get("staffNote") or "") > _LONGEST_STAFF_NOTE:
        message = f"Staff note is too long. Maximum length is {_LONGEST_STAFF_NOTE} characters."
        raise refuse(["staffNote"], message, "INVALID")
    method = arguments.get("refundMethod") or {}
    if arguments.get("refund") or method.get("originalPaymentMethodsRefund"):
        refunds.of_whole_order(call, order, restock=arguments["restock"])
    now = call.state.now()
    order.update(cancelledAt=now, cancelReason=arguments["reason"], closed=True, closedAt=order["closedAt"] or now,
                 cancellation={"staffNote": arguments.get("staffNote")}, givenFinancialStatus=None)  # fmt: skip
    for line in order["lineItems"]:
        line["removed"] = line["quantity"] - line["fulfilled"]
    fulfillments.settle(order, closed_as="CANCELLED")
    order_totals.settle(order)
    if arguments.get("notifyCustomer"):
        call.mails.append("cancellation notice")
    _kept(call, order)
    return {"job": {"id": call.state.new_id("Job"), "done": True}}


def _delete(call: Call, arguments: Arguments) -> Object:
    order = taken(call, arguments["orderId"], "orderId", "NOT_FOUND")
    call.state.delete(order)
    return {"deletedId": order["id"]}


def _keys(it: Object) -> Iterable[tuple[str, str]]:
    yield "order name", it["name"].lower()
    if it["sourceIdentifier"]:
        yield "order source", it["sourceIdentifier"].lower()
    if it["customerId"]:
        yield "orders of", it["customerId"]
    for name in ("fulfillmentOrders", "fulfillments", "refunds", "lineItems", "transactions"):
        for part in it[name]:
            yield "order part", part["id"]
    yield from metafields.keys_of(it)


def _values(it: Object, field: str) -> Iterable[Any] | None:
    if field.startswith("metafields."):
        name = field.removeprefix("metafields.")
        return [m["value"] for m in it["metafields"] if f"{m['namespace']}.{m['key']}" == name]
    status = "cancelled" if it["cancelledAt"] else "closed" if it["closed"] else "open"
    financial, fulfillment = (it["displayFinancialStatus"] or "").lower(), it["displayFulfillmentStatus"].lower()
    known: dict[str, Iterable[Any]] = {
        "id": [it["id"], it["id"].rpartition("/")[2]], "name": [it["name"], it["name"].lstrip("#")],
        "source_identifier": [it["sourceIdentifier"]], "source_name": [it["sourceName"]], "email": [it["email"]],
        "tag": it["tags"], "status": [status, "any", "not_closed" if status == "open" else status],
        "financial_status": [financial], "fulfillment_status": [fulfillment.replace("partially_fulfilled", "partial")],
        "customer_id": [(it["customerId"] or "").rpartition("/")[2]], "test": [str(it["test"]).lower()],
        "sku": [line["sku"] for line in it["lineItems"]], "po_number": [it["poNumber"]],
        "discount_code": [it["discountCode"]], "created_at": [it["createdAt"]], "updated_at": [it["updatedAt"]],
        "processed_at": [it["processedAt"]], "gateway": it["paymentGatewayNames"],
        "default": [" ".join(text for text in (it["name"], it["email"], it["note"]) if text)],
    }  # fmt: skip
    return known.get(field)


SEARCH = Searchable("Order", _values, {"source_identifier": "order source"})


PART = Part(
    queries={
        "order": lambda call, _, it: call.take(it["id"], "Order"),
        "orderByIdentifier": lambda call, _, it: metafields.by_identifier(call, "Order", it["identifier"]),
        "orders": list_of(SEARCH), "ordersCount": count_of(SEARCH),
    },
    mutations={
        "orderCreate": _create, "orderUpdate": _update, "orderClose": _close, "orderCancel": _cancel,
        "orderDelete": _delete,
    },
    fields={"OrderCancelPayload.orderCancelUserErrors": lambda _, it, __: it["userErrors"]},
    keys={"Order": _keys},
)  # fmt: skip

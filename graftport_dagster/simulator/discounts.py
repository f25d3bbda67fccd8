"""Discounts by code: off the price, buy some get some, free shipping.

What lives here: creating, changing, ending and deleting them, what may be said in their inputs
(`discount_inputs.py` looks at the values), and the fields that show it. Their codes, one or a
hundred thousand, are in `redeem_codes.py`.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from graftport_dagster.simulator import redeem_codes
from graftport_dagster.simulator.answers import Refused, TopLevelError, refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.discount_inputs import contradictions, merged, merged_items, problems_of
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

ARGUMENTS = {"Basic": "basicCodeDiscount", "Bxgy": "bxgyCodeDiscount", "FreeShipping": "freeShippingCodeDiscount"}
_PLAIN = ("title", "startsAt", "endsAt", "usageLimit", "usesPerOrderLimit", "recurringCycleLimit", "tags",
          "maximumShippingPrice", "minimumRequirement", "destination")  # fmt: skip
_SWITCHES = {"appliesOncePerCustomer": False, "appliesOnOneTimePurchase": True, "appliesOnSubscription": False}
_ITEMS = ("customerGets", "customerBuys")


def _create(kind: str) -> Callable[[Call, Arguments], Object]:
    argument = ARGUMENTS[kind]

    def create(call: Call, arguments: Arguments) -> Object:
        given, now = arguments[argument], call.state.now()
        discount: Object = {
            "id": call.state.new_id("DiscountCodeNode"), "kind": kind, "createdAt": now, "updatedAt": now, **_SWITCHES,
            **dict.fromkeys(_PLAIN), "combines": {}, "context": {"all": "ALL"}, "customerGets": {}, "customerBuys": {},
        }  # fmt: skip
        _write(call, discount, given, argument, is_new=True)
        redeem_codes.add(call, discount["id"], given["code"])
        return {"codeDiscountNode": discount}

    return create


def _update(kind: str) -> Callable[[Call, Arguments], Object]:
    argument = ARGUMENTS[kind]

    def update(call: Call, arguments: Arguments) -> Object:
        redeem_codes.settle(call)
        discount, given = call.take(arguments["id"], "DiscountCodeNode"), arguments[argument]
        if discount is None or discount["kind"] != kind:
            raise refuse(["id"], "Discount does not exist", extraInfo=None)
        codes = redeem_codes.codes_of(call, discount["id"])
        if given.get("code") is not None and len(codes) > 1:
            raise refuse(["id"], "Cannot update the code of a bulk discount.", extraInfo=None)
        _write(call, discount, given, argument, is_new=False)
        if given.get("code") is not None:
            redeem_codes.rename(call, codes[0], given["code"])
        return {"codeDiscountNode": discount}

    return update


def _write(call: Call, discount: Object, given: Object, argument: str, *, is_new: bool) -> None:
    for text in contradictions(given):
        raise TopLevelError("BAD_REQUEST", text)
    if errors := problems_of(call, discount, given, argument, is_new=is_new):
        raise Refused([user_error([argument, *path], text, code, extraInfo=None) for path, text, code in errors])
    if given.get("code") is not None and redeem_codes.is_taken(call, given["code"], discount["id"]):
        message = "Code must be unique. Please try a different code."
        raise refuse([argument, "code"], message, "TAKEN", extraInfo=None)
    destination = discount["destination"]
    discount.update({name: given[name] for name in _PLAIN if name in given})
    if countries := (given.get("destination") or {}).get("countries"):
        known = ((destination or {}).get("countries") or {}).get("add") or []
        chosen = merged(known, countries.get("add"), countries.get("remove"))
        discount["destination"] = {"countries": {**countries, "add": chosen}}
    discount.update({name: given[name] for name in _SWITCHES if given.get(name) is not None})
    if given.get("combinesWith") is not None:
        discount["combines"] = {**discount["combines"], **given["combinesWith"]}
    if (context := given.get("context") or given.get("customerSelection")) is not None:
        discount["context"] = _merged_context(discount["context"], context)
    for side in _ITEMS:
        if given.get(side) is not None:
            discount[side] = _merged_side(discount[side], given[side])
    discount["updatedAt"] = call.state.now()
    call.state.put(discount)


def _merged_context(before: Object, given: Object) -> Object:
    """Lists are changed by what is added and removed; another kind of context replaces the first."""
    kind = next(name for name in ("all", "customers", "customerSegments", "markets") if given.get(name))
    if kind == "all":
        return {"all": "ALL"}
    known = before.get(kind, [])
    return {kind: merged(known, given[kind].get("add"), given[kind].get("remove"))}


def _merged_side(before: Object, given: Object) -> Object:
    side = {**before, **{name: value for name, value in given.items() if name != "items" and value is not None}}
    if given.get("items"):
        side["items"] = merged_items(before.get("items") or {}, given["items"])
    return side


def _found(call: Call, gid: str) -> Object:
    discount = call.take(gid, "DiscountCodeNode")
    if discount is None:
        raise refuse(["id"], "Code discount does not exist.", "INVALID", extraInfo=None)
    return discount


def _delete(call: Call, arguments: Arguments) -> Object:
    discount = _found(call, arguments["id"])
    redeem_codes.settle(call)
    redeem_codes.drop(call, discount["id"])
    call.state.delete(discount)
    return {"deletedCodeDiscountId": discount["id"]}


def _deactivate(call: Call, arguments: Arguments) -> Object:
    """Ends it now, which is what the admin does."""
    discount, now = _found(call, arguments["id"]), call.state.now()
    if _status(call, discount) != "EXPIRED":
        discount.update(endsAt=now, startsAt=min(discount["startsAt"], now), updatedAt=now)
        call.state.put(discount)
    return {"codeDiscountNode": discount}


def _activate(call: Call, arguments: Arguments) -> Object:
    discount, now = _found(call, arguments["id"]), call.state.now()
    if (status := _status(call, discount)) != "ACTIVE":
        discount.update({"endsAt": None} if status == "EXPIRED" else {"startsAt": now})
        discount["updatedAt"] = now
        call.state.put(discount)
    return {"codeDiscountNode": discount}


def _status(call: Call, discount: Object, *_: Any) -> str:
    now = _moment(call.state.now())
    if discount["endsAt"] and _moment(discount["endsAt"]) <= now:
        return "EXPIRED"
    return "SCHEDULED" if _moment(discount["startsAt"]) > now else "ACTIVE"


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# --- what is shown --------------------------------------------------------------------


def _shown(call: Call, node: Object, _: Arguments) -> Object:
    """The discount inside its node; `node` is kept for the fields that need its codes."""
    kind = {"FreeShipping": "SHIPPING"}.get(node["kind"], "PRODUCT")
    inner = {name: value for name, value in node.items() if name not in {"id", "_keys", "context", "kind"}}
    tags = (node["combines"].get("productDiscountsWithTagsOnSameCartLine") or {}).get("add") or []
    return {
        **inner, "__typename": f"DiscountCode{node['kind']}", "node": node, "status": _status(call, node),
        "summary": node["title"], "shortSummary": node["title"], "discountClass": kind, "discountClasses": [kind],
        "asyncUsageCount": 0, "totalSales": None, "tags": node["tags"] or [],
        "context": _shown_context(call, node["context"]), "customerSelection": _shown_context(call, node["context"]),
        "combinesWith": {"orderDiscounts": False, "productDiscounts": False, "shippingDiscounts": False,
                         **node["combines"], "productDiscountsWithTagsOnSameCartLine": tags},
        "customerGets": _shown_side(call, node["customerGets"]),
        "customerBuys": _shown_side(call, node["customerBuys"]),
        "minimumRequirement": _shown_minimum(call, node["minimumRequirement"]),
        "maximumShippingPrice": _money(call, node["maximumShippingPrice"]),
        "destinationSelection": _shown_destination(node["destination"]),
    }  # fmt: skip


def _money(call: Call, amount: str | None) -> Object | None:
    return None if amount is None else {"amount": amount, "currencyCode": call.settings.currency}


def _present(call: Call, gids: Iterable[str]) -> list[Object]:
    return [it for gid in gids if (it := call.state.get(gid)) is not None]


def _shown_context(call: Call, context: Object) -> Object:
    if "customers" in context:
        return {"__typename": "DiscountCustomers", "customers": _present(call, context["customers"])}
    if "customerSegments" in context:
        return {"__typename": "DiscountCustomerSegments", "segments": _present(call, context["customerSegments"])}
    if "markets" in context:
        return {"__typename": "DiscountMarkets", "gids": context["markets"]}
    return {"__typename": "DiscountBuyerSelectionAll", "all": "ALL", "allCustomers": True}


def _shown_side(call: Call, side: Object) -> Object:
    items, value = side.get("items", {"all": True}), side.get("value") or {}
    shown = {"__typename": "AllDiscountItems", "allItems": True}
    if items.get("products") or items.get("variants"):
        shown = {"__typename": "DiscountProducts", **items}
    elif items.get("collections"):
        shown = {"__typename": "DiscountCollections", "gids": items["collections"]}
    return {
        "items": shown, "value": _shown_value(call, value), "isOneTimePurchase": True, "isSubscription": False,
        "appliesOnOneTimePurchase": side.get("appliesOnOneTimePurchase", True),
        "appliesOnSubscription": side.get("appliesOnSubscription", False),
    }  # fmt: skip


def _shown_value(call: Call, value: Object) -> Object:
    if value.get("percentage") is not None:
        return {"__typename": "DiscountPercentage", "percentage": value["percentage"]}
    if (given := value.get("discountAmount")) is not None:
        return {"__typename": "DiscountAmount", "amount": _money(call, given.get("amount")),
                "appliesOnEachItem": bool(given.get("appliesOnEachItem"))}  # fmt: skip
    if (given := value.get("discountOnQuantity")) is not None:
        effect = given.get("effect") or {}
        shown = {"discountAmount": {"amount": effect["amount"]}} if effect.get("amount") else effect
        return {"__typename": "DiscountOnQuantity", "quantity": {"quantity": given.get("quantity")},
                "effect": _shown_value(call, shown)}  # fmt: skip
    if value.get("quantity") is not None:
        return {"__typename": "DiscountQuantity", "quantity": value["quantity"]}
    return {"__typename": "DiscountPurchaseAmount", "amount": value.get("amount")}


def _shown_minimum(call: Call, given: Object | None) -> Object | None:
    quantity = ((given or {}).get("quantity") or {}).get("greaterThanOrEqualToQuantity")
    subtotal = ((given or {}).get("subtotal") or {}).get("greaterThanOrEqualToSubtotal")
    if quantity is not None:
        return {"__typename": "DiscountMinimumQuantity", "greaterThanOrEqualToQuantity": quantity}
    if subtotal is not None:
        return {"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": _money(call, subtotal)}
    return None


def _shown_destination(given: Object | None) -> Object:
    countries = (given or {}).get("countries")
    if countries is None:
        return {"__typename": "DiscountCountryAll", "allCountries": True}
    return {"__typename": "DiscountCountries", "countries": countries.get("add") or [],
            "includeRestOfWorld": bool(countries.get("includeRestOfWorld"))}  # fmt: skip


def _values(it: Object, field: str) -> Iterable[Any] | None:
    values = {
        "id": [it["id"].rpartition("/")[2], it["id"]], "title": [it["title"]], "default": [it["title"]],
        "created_at": [it["createdAt"]], "updated_at": [it["updatedAt"]], "tag": it["tags"] or (),
        "starts_at": [it["startsAt"]], "ends_at": [it["endsAt"]],
    }  # fmt: skip
    return values.get(field)


SEARCH = Searchable("DiscountCodeNode", _values, {})


def _by_code(call: Call, _: None, arguments: Arguments) -> Object | None:
    redeem_codes.settle(call)
    return redeem_codes.owner_of(call, arguments["code"])


def _listed(name: str) -> Callable[[Call, Any, Arguments], Object]:
    return lambda call, it, arguments: page_of(_present(call, it.get(name, ())), arguments)


PART = Part(
    queries={
        "codeDiscountNode": lambda call, _, it: call.take(it["id"], "DiscountCodeNode"),
        "codeDiscountNodes": list_of(SEARCH), "codeDiscountNodeByCode": _by_code,
        "discountCodesCount": count_of(SEARCH),
    },
    mutations={
        **{f"discountCode{kind}Create": _create(kind) for kind in ARGUMENTS},
        **{f"discountCode{kind}Update": _update(kind) for kind in ARGUMENTS},
        "discountCodeActivate": _activate, "discountCodeDeactivate": _deactivate, "discountCodeDelete": _delete,
    },
    fields={
        "DiscountCodeNode.codeDiscount": _shown,
        "DiscountProducts.products": _listed("products"),
        "DiscountProducts.productVariants": _listed("variants"),
        "DiscountCollections.collections": _listed("gids"),
        "DiscountMarkets.markets": _listed("gids"),
    },
)  # fmt: skip

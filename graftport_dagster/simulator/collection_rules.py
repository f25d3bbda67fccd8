"""Which products a collection's conditions take in.

What lives here: conditions in the form of 2026-07 and later; rules of the older form are turned
into them on the way in. Collections themselves are in `collections.py`.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from graftport_dagster.simulator.parts import Call
from graftport_dagster.simulator.state import Object

_TEXT: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "NOT_EQUALS": lambda value, wanted: value != wanted,
    "CONTAINS": lambda value, wanted: wanted in value,
    "DOES_NOT_CONTAIN": lambda value, wanted: wanted not in value,
    "NOT_CONTAINS": lambda value, wanted: wanted not in value,
    "STARTS_WITH": lambda value, wanted: value.startswith(wanted),
    "ENDS_WITH": lambda value, wanted: value.endswith(wanted),
    "IS": lambda value, wanted: value == wanted,
    "IS_NOT": lambda value, wanted: value != wanted,
}
_NUMBER: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "NOT_EQUALS": lambda value, wanted: value != wanted,
    "GREATER_THAN": lambda value, wanted: value > wanted,
    "LESS_THAN": lambda value, wanted: value < wanted,
}
_RULES = {
    "TITLE": "productTitle", "TYPE": "productType", "VENDOR": "productVendor", "TAG": "productTag",
    "VARIANT_TITLE": "variantTitle", "VARIANT_PRICE": "variantPrice",
    "VARIANT_COMPARE_AT_PRICE": "variantCompareAtPrice", "VARIANT_INVENTORY": "variantInventory",
    "VARIANT_WEIGHT": "variantWeight",
}  # fmt: skip
_GRAMS = {
    "KILOGRAMS": Decimal(1000),
    "GRAMS": Decimal(1),
    "POUNDS": Decimal("453.59237"),
    "OUNCES": Decimal("28.349523125"),
}


_VARIANT_KINDS = ("variantTitle", "variantPrice", "variantCompareAtPrice", "variantInventory", "variantWeight")


def is_numeric(column: str) -> bool:
    """True for rules of the older form whose condition is a number."""
    return _RULES.get(column) in {"variantPrice", "variantCompareAtPrice", "variantInventory", "variantWeight"}


def from_rule(rule: Object, currency: str) -> Object:
    """A rule of the older form as a condition."""
    kind, relation, text = _RULES.get(rule["column"], rule["column"]), rule["relation"], rule["condition"]
    if kind == "productTag":
        relation = {"EQUALS": "TAGGED_WITH", "NOT_EQUALS": "NOT_TAGGED_WITH"}.get(relation, relation)
    value: Any = {"values": [text], "matchType": "ANY"}
    if kind in {"variantPrice", "variantCompareAtPrice"}:
        value = {"value": {"amount": text, "currencyCode": currency}}
    elif kind == "variantInventory":
        value = {"value": int(Decimal(text or "0"))}
    elif kind == "variantWeight":
        value = {"value": {"value": float(text or 0), "unit": "KILOGRAMS"}}
    return {str(kind): {"relation": relation, **value}}


def takes_in(call: Call, source: Object, product: Object) -> bool:
    """True when a source's conditions hold for a product."""
    if not source["conditions"]:
        return False
    held = (_holds(call, condition, product) for condition in source["conditions"])
    return any(held) if source["matchType"] == "ANY" else all(held)


def _holds(call: Call, condition: Object, product: Object) -> bool:
    kind, rule = next((name, it) for name, it in condition.items() if name not in {"id", "rule"})
    if not isinstance(rule, dict):
        return False
    if kind == "productTag":
        return _tagged(rule, product)
    texts = {
        "productTitle": "title",
        "productType": "productType",
        "productVendor": "vendor",
        "productStatus": "status",
    }
    if kind in texts:
        return _text_holds(rule, [str(product[texts[kind]])])
    # Conditions over categories and metafields take in nothing here.
    return kind in _VARIANT_KINDS and _variants_hold(call, kind, rule, product)


def _tagged(rule: Object, product: Object) -> bool:
    has = {tag.lower() for tag in product["tags"]}
    wanted = [value.lower() for value in rule["values"]]
    if rule["relation"] == "NOT_TAGGED_WITH":
        return not has.intersection(wanted)
    if rule["relation"] != "TAGGED_WITH":
        return any(_text_holds({**rule, "values": wanted}, [tag]) for tag in has)
    return all(it in has for it in wanted) if rule["matchType"] == "ALL" else any(it in has for it in wanted)


def _text_holds(rule: Object, values: Iterable[str]) -> bool:
    compare = _TEXT.get(rule["relation"], _TEXT["EQUALS"])
    decide = all if rule.get("matchType") == "ALL" or rule["relation"].startswith(("NOT", "DOES_NOT")) else any
    return any(decide(compare(value.lower(), wanted.lower()) for wanted in rule["values"]) for value in values)


def _variants_hold(call: Call, kind: str, rule: Object, product: Object) -> bool:
    variants = [it for gid in product["variantIds"] if (it := call.state.get(gid))]
    if kind == "variantTitle":
        titles = [" / ".join(one["value"] for one in it["selectedOptions"]) for it in variants]
        return _text_holds(rule, titles)
    numbers = [_number_of(kind, it) for it in variants]
    if rule["relation"] in {"IS_SET", "IS_NOT_SET"}:
        return any((number is not None) == (rule["relation"] == "IS_SET") for number in numbers)
    compare = _NUMBER.get(rule["relation"])
    if compare is None or rule.get("value") is None:
        return False
    wanted = _wanted(kind, rule)
    return any(compare(number, wanted) for number in numbers if number is not None)


def _number_of(kind: str, variant: Object) -> Decimal | None:
    if kind == "variantInventory":
        return Decimal(sum(variant["levels"].values()))
    if kind == "variantWeight":
        return _grams(variant["inventoryItem"]["weight"])
    text = variant["price" if kind == "variantPrice" else "compareAtPrice"]
    return None if text is None else Decimal(text)


def _wanted(kind: str, rule: Object) -> Decimal:
    value = rule["value"]
    if kind == "variantWeight":
        return _grams(value)
    return Decimal(str(value["amount"] if isinstance(value, dict) else value))


def _grams(weight: Object) -> Decimal:
    return Decimal(str(weight["value"])) * _GRAMS.get(weight["unit"], Decimal(1))


def excluded(collection: Object) -> set[str]:
    """The products that a collection's sources leave out, whatever takes them in."""
    return {gid for source in collection["sources"] for gid in source.get("excluded", ())}


def products_of(call: Call, collection: Object) -> list[Object]:
    """The members of a collection: those chosen in the order they joined, then those its conditions take in."""
    chosen = {gid: found for gid in call.state.find("member", collection["id"]) if (found := call.state.get(gid))}
    automatic = [it for it in collection["sources"] if it["conditions"]]
    if automatic:
        for product in call.state.searchable("Product"):
            if product["id"] not in chosen and any(takes_in(call, source, product) for source in automatic):
                chosen[product["id"]] = product
    out = excluded(collection)
    return [product for gid, product in chosen.items() if gid not in out]


def collections_of(call: Call, product: Object) -> list[Object]:
    """The collections a product is a member of."""
    found = [it for gid in product["collections"] if (it := call.state.get(gid))]
    for gid in call.state.find("smart collections", "all"):
        collection = call.state.get(gid)
        if collection is None or gid in product["collections"] or product["id"] in excluded(collection):
            continue
        if any(takes_in(call, source, product) for source in collection["sources"]):
            found.append(collection)
    return found

"""What Shopify objects to in the input of a discount.

What lives here: every check of a value, in the order and words of recorded answers. Whether a
code is taken, and what is stored, is `discounts.py`'s.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from graftport_dagster.simulator.parts import Call
from graftport_dagster.simulator.state import Object, split_gid

Problem = tuple[list[str | int], str, str | None]
_MOST_QUANTITY = 100_000
_MOST_REQUIRED = {"quantity": 2**31 - 1, "subtotal": 10**18}


def problems_of(call: Call, before: Object, given: Object, argument: str, *, is_new: bool) -> list[Problem]:
    """What is wrong, as (path below the argument, message, code)."""
    is_bxgy = argument == "bxgyCodeDiscount"
    problems = [*_combining(given, argument)]
    if is_bxgy and _is_all(given, "customerGets"):
        problems.append((["customerGets"], "Items in 'customer get' cannot be set to all", "INVALID"))
    problems += [*_texts(given, is_new=is_new), *_minimum(given)]
    if is_bxgy and _is_all(given, "customerBuys"):
        problems.append((["customerBuys", "items"], "Items in 'customer buys' must be defined", "BLANK"))
    problems += _dates(before, given)
    if given.get("context") is not None and given.get("customerSelection") is not None:
        problems.append((["context"], "Only one of context or customerSelection can be provided.", "INVALID"))
    problems += _context(call, given)
    for side in ("customerBuys", "customerGets"):
        if given.get(side) is not None:
            known = before[side].get("items") or {}
            problems += _side(call, given[side], side, known, is_bxgy=is_bxgy)
    problems += _uses(given)
    return problems


def _is_all(given: Object, side: str) -> bool:
    return ((given.get(side) or {}).get("items") or {}).get("all") is True


def contradictions(given: Object) -> Iterator[str]:
    """What the input says and takes back at once, for which Shopify answers nothing at all (recorded)."""
    for name in ("context", "customerSelection"):
        yield from _of_people(given.get(name) or {})
    for side in ("customerBuys", "customerGets"):
        yield from _of_side(given.get(side) or {})
    if _overlap((given.get("destination") or {}).get("countries")):
        yield "A country code is present in `add` and `remove` field"
    if _overlap((given.get("combinesWith") or {}).get("productDiscountsWithTagsOnSameCartLine")):
        yield "The same tag is present in both `add` and `remove` fields of `productDiscountsWithTagsOnSameCartLine`."


def _of_people(people: Object) -> Iterator[str]:
    for kind, said in (("customers", "customers or customerSavedSearches"), ("customerSegments",) * 2):
        if people.get("all") is True and people.get(kind):
            yield f"A discount cannot have customerSelection set to all, when {said} is specified."
    if _overlap(people.get("customers")):
        yield "A customer id is present in `add` and `remove` fields"


def _of_side(side: Object) -> Iterator[str]:
    items, value = side.get("items") or {}, side.get("value") or {}
    products = items.get("products") or {}
    if _overlap(items.get("collections")):
        yield "The same Collection id is present in both 'add' and 'remove' fields"
    for kind, name in (("Product", "products"), ("ProductVariant", "productVariants")):
        if set(products.get(f"{name}ToAdd") or ()) & set(products.get(f"{name}ToRemove") or ()):
            yield f"The same {kind} id is present in both 'add' and 'remove' fields"
    if sum(value.get(name) is not None for name in ("percentage", "discountOnQuantity", "discountAmount")) > 1:
        yield "A discount can only have one of percentage, discountOnQuantity or discountAmount."


def _overlap(change: Object | None) -> bool:
    return bool(set((change or {}).get("add") or ()) & set((change or {}).get("remove") or ()))


def _combining(given: Object, argument: str) -> Iterator[Problem]:
    if argument == "freeShippingCodeDiscount" and (given.get("combinesWith") or {}).get("shippingDiscounts"):
        text = "The combinesWith settings are not valid for the discount class."
        yield ["combinesWith"], text, "INVALID_COMBINES_WITH_FOR_DISCOUNT_CLASS"


def _texts(given: Object, *, is_new: bool) -> Iterator[Problem]:
    for name, said in (("title", "Title"), ("code", "Code"), ("startsAt", "Starts at")):
        text = given.get(name)
        if name == "code" and text == "":
            yield ["code"], "Code is too short (minimum is 1 character)", "TOO_SHORT"
        elif (is_new or name in given) and not (text or "").strip():
            yield [name], f"{said} can't be blank", "BLANK"
    if "\n" in (given.get("code") or ""):
        yield ["code"], "Code cannot contain newline characters.", "INVALID"
    for name in ("title", "code"):
        if len(given.get(name) or "") > 255:
            yield [name], f"{name.capitalize()} is too long (maximum is 255 characters)", "TOO_LONG"


def _minimum(given: Object) -> Iterator[Problem]:
    minimum = given.get("minimumRequirement") or {}
    bounds = {
        name: (minimum.get(name) or {}).get(f"greaterThanOrEqualTo{name.capitalize()}") for name in _MOST_REQUIRED
    }
    for name, other in (("subtotal", "quantity"), ("quantity", "subtotal")):
        if (value := bounds[name]) is None:
            continue
        path: list[str | int] = ["minimumRequirement", name, f"greaterThanOrEqualTo{name.capitalize()}"]
        if bounds[other] is not None:
            yield path, f"Minimum {name} cannot be defined when minimum {other} is.", "CONFLICT"
        elif Decimal(value) >= _MOST_REQUIRED[name]:
            yield path, f"Minimum {name} must be less than {_MOST_REQUIRED[name]}", "LESS_THAN"


def _dates(before: Object, given: Object) -> Iterator[Problem]:
    starts, ends = given.get("startsAt", before["startsAt"]), given.get("endsAt", before["endsAt"])
    if starts and ends and _moment(ends) <= _moment(starts):
        yield ["endsAt"], "Ends at needs to be after starts_at", "INVALID"


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _context(call: Call, given: Object) -> Iterator[Problem]:
    for name in ("context", "customerSelection"):
        customers = (given.get(name) or {}).get("customers") or {}
        for gid in customers.get("add") or ():
            if call.take(gid, "Customer") is None:
                text = f"Customer with id: {split_gid(gid)[1]} is invalid"
                yield [name, "customers", "add"], text, "INVALID"


def merged(known: list[str], added: list[str] | None, removed: list[str] | None) -> list[str]:
    """A list after what was added and what was removed."""
    gone = set(removed or ())
    return [gid for gid in dict.fromkeys([*known, *(added or ())]) if gid not in gone]


def merged_items(known: Object, given: Object) -> Object:
    """The items of a discount after an input, which adds and removes; `all` replaces them."""
    if given.get("all"):
        return {"all": True}
    products, collections = given.get("products") or {}, given.get("collections") or {}
    return {
        "products": merged(known.get("products", []), products.get("productsToAdd"), products.get("productsToRemove")),
        "variants": merged(
            known.get("variants", []), products.get("productVariantsToAdd"), products.get("productVariantsToRemove")
        ),
        "collections": merged(known.get("collections", []), collections.get("add"), collections.get("remove")),
    }


def _side(call: Call, side: Object, name: str, known: Object, *, is_bxgy: bool) -> Iterator[Problem]:
    yield from _items(call, side.get("items") or {}, known, [name, "items"])
    value: Any = side.get("value") or {}
    on_quantity = value.get("discountOnQuantity")
    path: list[str | int] = [name, "value"]
    if on_quantity is not None and not is_bxgy:
        yield (
            [*path, "discountOnQuantity"],
            "discountOnQuantity field is only permitted with bxgy discounts.",
            "INVALID",
        )
    elif on_quantity is not None:
        yield from _quantity(on_quantity.get("quantity"), [*path, "discountOnQuantity", "quantity"], "consequent")
        effect = on_quantity.get("effect") or {}
        yield from _percentage(effect.get("percentage"), [*path, "discountOnQuantity", "effect", "percentage"])
    if name == "customerBuys":
        yield from _quantity(value.get("quantity"), [*path, "quantity"], "antecedent")
        return
    if is_bxgy:
        yield from _only_on_quantity(side, value, [name])
    yield from _percentage(value.get("percentage"), [*path, "percentage"])
    if Decimal((value.get("discountAmount") or {}).get("amount") or 0) < 0:
        yield [*path, "discountAmount", "amount"], "Value must be less than or equal to 0", "LESS_THAN_OR_EQUAL_TO"


def _only_on_quantity(side: Object, value: Object, path: list[str | int]) -> Iterator[Problem]:
    for name in ("percentage", "discountAmount"):
        if value.get(name) is not None:
            yield [*path, "value", name], "Only discountOnQuantity permitted with bxgy discounts.", "INVALID"
            yield [*path, "value", "discountOnQuantity", "quantity"], "Quantity cannot be blank.", "BLANK"
    for name in ("appliesOnSubscription", "appliesOnOneTimePurchase"):
        if side.get(name) is not None:
            yield [*path, name], "This field is not supported by bxgy discounts.", "INVALID"


def _percentage(value: float | None, path: list[str | int]) -> Iterator[Problem]:
    if value is not None and not 0 <= value <= 1:
        yield path, "Value must be between 0.0 and 1.0", "VALUE_OUTSIDE_RANGE"


def _quantity(value: str | None, path: list[str | int], said: str) -> Iterator[Problem]:
    if value is None:
        return
    ratio = f"Prerequisite to entitlement quantity ratio {said}"
    if int(value) <= 0:
        yield path, f"{ratio} must be greater than 0", "GREATER_THAN"
    elif int(value) >= _MOST_QUANTITY:
        yield path, f"{ratio} must be less than {_MOST_QUANTITY}", "LESS_THAN"


def _uses(given: Object) -> Iterator[Problem]:
    if (uses := given.get("usageLimit")) is not None and uses < 1:
        yield ["usageLimit"], "Usage limit must be greater than 0", "GREATER_THAN"
    limit = given.get("usesPerOrderLimit")
    if limit == 0:
        yield ["usesPerOrderLimit"], "Allocation limit cannot be zero", "VALUE_OUTSIDE_RANGE"
    elif limit is not None and limit < 0:
        yield ["usesPerOrderLimit"], "Allocation limit must be greater than 0", "GREATER_THAN"


def _items(call: Call, items: Object, known: Object, path: list[str | int]) -> Iterator[Problem]:
    products, collections = items.get("products") or {}, items.get("collections") or {}
    after = merged_items(known, items)
    if after.get("collections") and (after["products"] or after["variants"]):
        text = "Cannot entitle collections in combination with product variants or products"
        yield [*path, "collections", "add"], text, "CONFLICT"
        return
    chosen = (
        (products.get("productsToAdd"), "Product", "Product", ["products", "productsToAdd"]),
        (products.get("productVariantsToAdd"), "ProductVariant", "Product variant",
         ["products", "productVariantsToAdd"]),
        (collections.get("add"), "Collection", "Collection", ["collections", "add"]),
    )  # fmt: skip
    for gids, kind, said, place in chosen:
        for gid in gids or ():
            if split_gid(gid)[0] != kind or call.state.get(gid) is None:
                yield [*path, *place], f"{said} with id: {split_gid(gid)[1]} is invalid", "INVALID"

"""Stock: how many of an item lie at a location.

What lives here: setting and adjusting quantities, stocking an item somewhere, and inventory
items. The quantities are kept with the variants.
"""

from typing import Any

from graftport_dagster.simulator import locations, products, variants
from graftport_dagster.simulator.answers import Refused, TopLevelError, not_simulated, refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, split_gid

_REASONS = (  # noqa: SIM905 - words read better in a line
    "correction cycle_count_available damaged movement_canceled movement_created movement_received movement_updated "
    "other promotion quality_control received reservation_created reservation_deleted reservation_updated restock "
    "safety_stock shrinkage"
).split()
_MOST = 1_000_000_000
_NAMES = ("available", "on_hand")
_ADJUSTABLE = ("available", "damaged", "incoming", "quality_control", "reserved", "safety_stock")


def _variant(call: Call, item_id: str) -> Object | None:
    return call.state.find_one("inventory item", item_id)


def _set(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    if any("changeFromQuantity" not in it for it in given["quantities"]):
        message = "InventoryQuantityInput must include the following argument: changeFromQuantity."
        raise TopLevelError("INVALID_FIELD_ARGUMENTS", message)
    errors = _common_errors(given, "quantities")
    if given["name"] not in _NAMES:
        message = "The quantity name must be either 'available' or 'on_hand'."
        errors.append(user_error(["input", "name"], message, "INVALID_NAME"))
    for index, it in enumerate(given["quantities"]):
        errors.extend(_quantity_errors(call, it, ["input", "quantities", index]))
    if errors:
        raise Refused(errors)
    changes = [_put(call, it, given["name"], it["quantity"]) for it in given["quantities"]]
    return {"inventoryAdjustmentGroup": _group(call, given, changes)}


def _adjust(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    if any("changeFromQuantity" not in it for it in given["changes"]):
        message = "InventoryChangeInput must include the following argument: changeFromQuantity."
        raise TopLevelError("INVALID_FIELD_ARGUMENTS", message)
    errors = _common_errors(given, "changes") + _ledger_errors(given)
    for index, it in enumerate(given["changes"]):
        path: list[str | int] = ["input", "changes", index]
        errors.extend(_place_errors(call, it, path) or _stale(call, it, path))
    if errors:
        raise Refused(errors)
    if given["name"] != "available":
        raise not_simulated(f"adjusting '{given['name']}' quantities")
    changes = []
    for it in given["changes"]:
        variant = _variant(call, it["inventoryItemId"]) or {"levels": {}}
        had = variant["levels"].get(it["locationId"], 0)
        changes.append(_put(call, it, given["name"], had + it["delta"]))
    return {"inventoryAdjustmentGroup": _group(call, given, changes)}


def _ledger_errors(given: Object) -> list[Object]:
    """What Shopify says of the documents that quantities other than available must name."""
    name, documents = given["name"], [it.get("ledgerDocumentUri") for it in given["changes"]]
    errors = []
    if name not in _ADJUSTABLE:
        message = f"The specified quantity name is invalid. Valid values are: {', '.join(_ADJUSTABLE)}."
        errors.append(user_error(["input", "name"], message, "INVALID_QUANTITY_NAME"))
    for index, uri in enumerate(documents):
        at: list[str | int] = ["input", "changes", index, "ledgerDocumentUri"]
        if name == "available" and uri is not None:
            message = "A ledger document URI is not allowed when adjusting available."
            errors.append(user_error(at, message, "INVALID_AVAILABLE_DOCUMENT"))
        elif name in _ADJUSTABLE and name != "available" and uri is None:
            message = "A ledger document URI is required except when adjusting available."
            errors.append(user_error(at, message, "INVALID_QUANTITY_DOCUMENT"))
        elif (uri or "").startswith("gid://shopify/"):
            message = "Internal (gid://shopify/) ledger documents are not allowed to be adjusted via API."
            errors.append(user_error(at, message, "INTERNAL_LEDGER_DOCUMENT"))
    if len(set(documents)) > 1:
        message = (
            "All changes must have the same ledger document URI or, in the case of adjusting available, "
            "no ledger document URI."
        )
        errors.append(user_error(["input", "changes"], message, "MAX_ONE_LEDGER_DOCUMENT"))
    return errors


def _common_errors(given: Object, many: str) -> list[Object]:
    errors = []
    if given["reason"] not in _REASONS:
        message = f"The specified reason is invalid. Valid values are: {', '.join(_REASONS)}."
        errors.append(user_error(["input", "reason"], message, "INVALID_REASON"))
    pairs = [(it["inventoryItemId"], it["locationId"]) for it in given[many]]
    for index, pair in enumerate(pairs):
        # Adjustments of one place add up.
        if many == "quantities" and pairs.count(pair) > 1:
            message = "The combination of inventoryItemId and locationId must be unique."
            code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
            errors.append(user_error(["input", many, index, "locationId"], message, code))
    return errors


def _place_errors(call: Call, given: Object, path: list[str | int]) -> list[Object]:
    if _variant(call, given["inventoryItemId"]) is None:
        message = "The specified inventory item could not be found."
        return [user_error([*path, "inventoryItemId"], message, "INVALID_INVENTORY_ITEM")]
    if split_gid(given["locationId"])[0] != "Location" or call.state.get(given["locationId"]) is None:
        message = "The specified location could not be found."
        return [user_error([*path, "locationId"], message, "INVALID_LOCATION")]
    return []


def _quantity_errors(call: Call, given: Object, path: list[str | int]) -> list[Object]:
    at = [*path, "quantity"]
    if given["quantity"] > _MOST:
        return [user_error(at, "The quantity can't be higher than 1,000,000,000.", "INVALID_QUANTITY_TOO_HIGH")]
    if given["quantity"] < -_MOST:
        return [user_error(at, "The quantity can't be lower than -1,000,000,000.", "INVALID_QUANTITY_TOO_LOW")]
    return _place_errors(call, given, path) or _stale(call, given, path)


def _stale(call: Call, given: Object, path: list[str | int]) -> list[Object]:
    compared = given["changeFromQuantity"]
    had = (_variant(call, given["inventoryItemId"]) or {})["levels"].get(given["locationId"], 0)
    if compared is not None and compared != had:
        message = "The changeFromQuantity value does not match persisted value."
        return [user_error([*path, "changeFromQuantity"], message, "CHANGE_FROM_QUANTITY_STALE")]
    return []


def _put(call: Call, given: Object, name: str, quantity: int) -> Object:
    variant = _variant(call, given["inventoryItemId"])
    assert variant is not None  # noqa: S101 - checked with the errors
    before = variant["levels"].get(given["locationId"], 0)
    variant["levels"][given["locationId"]] = quantity
    call.state.put(variant)
    return {
        "name": name, "delta": quantity - before, "quantityAfterChange": quantity,
        "itemId": given["inventoryItemId"], "locationId": given["locationId"],
    }  # fmt: skip


def _group(call: Call, given: Object, changes: list[Object]) -> Object:
    return {
        "id": call.state.new_id("InventoryAdjustmentGroup"), "createdAt": call.state.now(), "reason": given["reason"],
        "referenceDocumentUri": given.get("referenceDocumentUri"), "changes": changes,
    }  # fmt: skip


def _activate(call: Call, arguments: Arguments) -> Object:
    variant = _variant(call, arguments["inventoryItemId"])
    location = call.take(arguments["locationId"], "Location")
    if variant is None:
        raise refuse(["inventoryItemId"], "The product couldn't be stocked because the product wasn't found.")
    if location is None:
        raise refuse(["locationId"], "The product couldn't be stocked because the location wasn't found.")
    available, on_hand = arguments.get("available"), arguments.get("onHand")
    active = location["id"] in variant["levels"]
    if errors := _activation_errors(location["name"], available, on_hand, active=active):
        raise Refused(errors)
    quantity = available if available is not None else on_hand
    if quantity is not None or not active:
        variant["levels"][location["id"]] = quantity or 0
        call.state.put(variant)
    return {"inventoryLevel": level(variant, location["id"])}


def _activation_errors(name: str, available: int | None, on_hand: int | None, *, active: bool) -> list[Object]:
    start = f"The product couldn't be stocked at {name} because"
    given = [("available", available), ("onHand", on_hand)]
    if available is not None and on_hand is not None:
        message = f"{start} not allowed to set available and on_hand quantities at the same time."
        return [user_error([field], message) for field, _ in given]
    already = "when the item is already active at the location."
    if active and available is not None:
        return [user_error(["available"], f"Not allowed to set available quantity {already}")]
    if active and on_hand is not None:
        return [user_error(["onHand"], f"Not allowed to set an on_hand quantity {already}")]
    message = f"{start} the quantity needs to be between -1 billion and 1 billion."
    return [user_error([field], message) for field, it in given if it is not None and abs(it) > _MOST]


def _item_update(call: Call, arguments: Arguments) -> Object:
    variant, given = _variant(call, arguments["id"]), arguments["input"]
    if variant is None:
        raise refuse(["id"], "The product couldn't be updated because it does not exist.")
    errors = []
    if given.get("cost") is not None and float(given["cost"]) < 0:
        errors.append(user_error(["input", "cost"], "Cost must be greater than or equal to 0"))
    weight = (given.get("measurement") or {}).get("weight")
    if weight and weight["value"] < 0:
        message = f"Measurement weight value {weight['value']:g} kg must be >= 0 kg"
        errors.append(user_error(["input", "measurement", "weight"], message))
    code = given.get("harmonizedSystemCode")
    if code and not (code.isdigit() and 6 <= len(code) <= 13):
        message = "Harmonized system code must be a number between six and thirteen digits"
        errors.append(user_error(["input", "harmonizedSystemCode"], message))
    if errors:
        raise Refused(errors)
    variants.fill_item(variant["inventoryItem"], given, call.state.now())
    if "sku" in given:
        variant["sku"] = variant["inventoryItem"]["sku"] = given["sku"]
    call.state.put(variant)
    product = call.state.get(variant["productId"])
    if product is not None:
        products.take_variants(product, products.variants_of(call, product))
        call.state.put(product)
    return {"inventoryItem": variant["inventoryItem"]}


def level(variant: Object, location_id: str) -> Object | None:
    """What lies of a variant at a location; None where it is not stocked."""
    if location_id not in variant["levels"]:
        return None
    item = variant["inventoryItem"]
    number = split_gid(location_id)[1]
    return {
        "id": f"gid://shopify/InventoryLevel/{number}?inventory_item_id={split_gid(item['id'])[1]}",
        "__typename": "InventoryLevel", "item": item, "locationId": location_id, "isActive": True,
        "quantity": variant["levels"][location_id], "createdAt": item["createdAt"], "updatedAt": item["updatedAt"],
        "canDeactivate": True,
    }  # fmt: skip


def _quantities(_: Call, it: Object, arguments: Arguments) -> list[Object]:
    return [
        {"id": f"{it['id'].replace('InventoryLevel', 'InventoryQuantity')}&name={name}", "name": name,
         "quantity": it["quantity"] if name in _NAMES else 0, "updatedAt": it["updatedAt"]}
        for name in arguments["names"]
    ]  # fmt: skip


def _levels(call: Call, item: Object, arguments: Arguments) -> Object:
    variant = _variant(call, item["id"])
    found = [level(variant, gid) for gid in variant["levels"]] if variant else []
    return page_of(found, arguments)


def _level_at(call: Call, item: Object, arguments: Arguments) -> Object | None:
    variant = _variant(call, item["id"])
    return level(variant, arguments["locationId"]) if variant else None


def _item(call: Call, _: None, arguments: Arguments) -> Object | None:
    call.take(arguments["id"], "InventoryItem")
    variant = _variant(call, arguments["id"])
    return variant["inventoryItem"] if variant else None


def _cost(call: Call, item: Object, _: Arguments) -> Object | None:
    return None if item["cost"] is None else {"amount": item["cost"], "currencyCode": call.settings.currency}


def _owner(call: Call, item: Object, _: Arguments) -> Any:
    return _variant(call, item["id"])


def claim(call: Call, variant_id: str, quantity: int, behaviour: str) -> bool:
    """Takes stock for an order where it is counted; False when there is not enough and no more may be sold."""
    variant = call.state.get(variant_id)
    if variant is None or not variant["inventoryItem"]["tracked"]:
        return True
    levels = variant["levels"] or {locations.first(call.state)["id"]: 0}
    place = max(levels, key=lambda it: levels[it])
    sold_out = levels[place] < quantity and variant["inventoryPolicy"] == "DENY"
    if sold_out and behaviour == "DECREMENT_OBEYING_POLICY":
        return False
    variant["levels"] = {**levels, place: levels[place] - quantity}
    call.state.put(variant)
    return True


def restock(call: Call, variant_id: str | None, location_id: str, quantity: int) -> None:
    """Puts pieces back where they are counted."""
    variant = call.state.get(variant_id or "")
    if variant is not None and variant["inventoryItem"]["tracked"]:
        variant["levels"][location_id] = variant["levels"].get(location_id, 0) + quantity
        call.state.put(variant)


PART = Part(
    queries={"inventoryItem": _item},
    mutations={
        "inventorySetQuantities": _set, "inventoryAdjustQuantities": _adjust, "inventoryActivate": _activate,
        "inventoryItemUpdate": _item_update,
    },
    fields={
        "InventoryItem.inventoryLevels": _levels,
        "InventoryItem.inventoryLevel": _level_at,
        "InventoryItem.unitCost": _cost,
        "InventoryItem.variant": _owner,
        "InventoryItem.variants": lambda call, it, arguments: page_of(
            [one for one in [_variant(call, it["id"])] if one], arguments or {"first": 1}
        ),
        "InventoryItem.measurement": lambda _, it, __: {
            "id": it["id"].replace("InventoryItem", "InventoryItemMeasurement"), "weight": it["weight"]
        },
        "InventoryItem.locationsCount": lambda call, it, _: {
            "count": len((_variant(call, it["id"]) or {"levels": {}})["levels"]), "precision": "EXACT"
        },
        "InventoryLevel.quantities": _quantities,
        "InventoryLevel.location": lambda call, it, _: call.state.get(it["locationId"]),
        "InventoryChange.item": lambda call, it, _: (_variant(call, it["itemId"]) or {}).get("inventoryItem"),
        "InventoryChange.location": lambda call, it, _: call.state.get(it["locationId"]),
    },
)  # fmt: skip

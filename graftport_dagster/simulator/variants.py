"""Variants: one combination of option values, with price, stock and inventory item.

What lives here: what productSet says of each variant, checked and written, and the fields of
variants. Options are `options.py`'s, quantities changed later `inventory.py`'s.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from graftport_dagster.simulator import locations, metafields
from graftport_dagster.simulator.answers import user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.files import image
from graftport_dagster.simulator.lists import list_of
from graftport_dagster.simulator.options import Combination
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

Path = list[str | int]
_LONGEST = 255
_MOST_MONEY = Decimal(10) ** 18
_PLAIN = ("barcode", "taxable", "taxCode", "inventoryPolicy", "requiresComponents", "showUnitPrice",
          "unitPriceMeasurement")  # fmt: skip
_ITEM = ("tracked", "requiresShipping", "countryCodeOfOrigin", "provinceCodeOfOrigin", "harmonizedSystemCode")


def money(value: Any) -> str:
    """An amount as Shopify shows it."""
    return f"{Decimal(str(value)):.2f}"


def new(call: Call, product_id: str) -> Object:
    """A variant with Shopify's defaults, not stored."""
    now = call.state.now()
    item = {
        "id": call.state.new_id("InventoryItem"), "tracked": False, "requiresShipping": True, "cost": None, "sku": None,
        "countryCodeOfOrigin": None, "provinceCodeOfOrigin": None, "harmonizedSystemCode": None,
        "weight": {"value": 0.0, "unit": "KILOGRAMS"}, "createdAt": now, "updatedAt": now,
    }  # fmt: skip
    variant: Object = {
        "id": call.state.new_id("ProductVariant"), "productId": product_id, "sku": None, "price": "0.00",
        "compareAtPrice": None, "barcode": None, "taxable": True, "taxCode": None, "inventoryPolicy": "DENY",
        "requiresComponents": False, "showUnitPrice": False, "unitPriceMeasurement": None, "mediaId": None,
        "inventoryItem": item, "levels": {}, "metafields": [], "createdAt": now, "updatedAt": now, "position": 1,
    }  # fmt: skip
    item["variantId"] = variant["id"]
    return variant


def fill(call: Call, variant: Object, given: Object, path: Path, *, is_new: bool) -> list[Object]:
    """Takes over what is given for a variant; answers the errors."""
    errors = _amount_errors(given, path)
    if len(given.get("sku") or "") > _LONGEST:
        errors.append(user_error([*path, "sku"], "SKU is too long (maximum is 255 characters)", "INVALID_VARIANT"))
    if errors:
        return errors
    variant.update({name: given[name] for name in _PLAIN if name in given})
    if "price" in given:
        variant["price"] = money(given["price"] or 0)
    if "compareAtPrice" in given:
        variant["compareAtPrice"] = None if given["compareAtPrice"] is None else money(given["compareAtPrice"])
    _fill_item(variant, given, call.state.now())
    errors = _quantities(call, variant, given, path, is_new=is_new)
    if given.get("metafields") is not None:
        problems = metafields.write(call, variant, given["metafields"], replace=True)
        errors.extend(user_error([*path, "metafields", *at], text, "INVALID_METAFIELD") for at, text, _ in problems)
    variant["updatedAt"] = call.state.now()
    return errors


def _amount_errors(given: Object, path: Path) -> list[Object]:
    item = given.get("inventoryItem") or {}
    amounts = (
        ([*path, "price"], "Price", given.get("price")),
        ([*path, "compareAtPrice"], "Compare at price", given.get("compareAtPrice")),
        ([*path, "inventoryItem", "cost"], "Cost per item", item.get("cost")),
    )
    errors = []
    for at, shown, amount in amounts:
        if amount is None:
            continue
        if Decimal(str(amount)) < 0:
            errors.append(user_error(at, f"{shown} must be greater than or equal to 0", "INVALID_VARIANT"))
        elif Decimal(str(amount)) >= _MOST_MONEY:
            errors.append(user_error(at, f"{shown} must be less than {_MOST_MONEY}", "INVALID_VARIANT"))
    return errors


def _fill_item(variant: Object, given: Object, now: str) -> None:
    item, wanted = variant["inventoryItem"], given.get("inventoryItem") or {}
    fill_item(item, wanted, now)
    sku = given.get("sku", wanted.get("sku"))
    if "sku" in given or "sku" in wanted:
        variant["sku"] = item["sku"] = sku


def fill_item(item: Object, wanted: Object, now: str) -> None:
    """Takes over what is given for an inventory item."""
    item.update({name: wanted[name] for name in _ITEM if name in wanted})
    if "cost" in wanted:
        item["cost"] = None if wanted["cost"] is None else money(wanted["cost"])
    weight = (wanted.get("measurement") or {}).get("weight")
    if weight:
        item["weight"] = weight
    item["updatedAt"] = now


def _quantities(call: Call, variant: Object, given: Object, path: Path, *, is_new: bool) -> list[Object]:
    errors = []
    quantities = given.get("inventoryQuantities")
    for index, it in enumerate(quantities or ()):
        at = [*path, "inventoryQuantities", index]
        location = call.state.get(it["locationId"])
        if location is None or "/Location/" not in location["id"]:
            message = "The specified location could not be found."
            errors.append(user_error([*at, "locationId"], message, "INVALID_INPUT"))
        elif it["name"] not in {"available", "on_hand"}:
            message = "The quantity name must be either 'available' or 'on_hand'."
            errors.append(user_error([*at, "name"], message, "INVALID_INPUT"))
        elif not is_new and it["locationId"] not in variant["levels"]:
            message = "Quantities can only be updated at locations where the variant is already stocked."
            errors.append(user_error([*at, "locationId"], message, "INVALID_INPUT"))
        else:
            variant["levels"][it["locationId"]] = it["quantity"]
    if is_new and not variant["levels"]:
        variant["levels"] = {locations.first(call.state)["id"]: 0}
    return errors


def selected(options: list[Object], values: Combination) -> list[Object]:
    """The options of a variant by name and value."""
    return [{"name": option["name"], "value": value} for option, value in zip(options, values, strict=True)]


def title(variant: Object) -> str:
    """A variant's name: its values."""
    return " / ".join(it["value"] for it in variant["selectedOptions"])


def _keys(variant: Object) -> Iterable[tuple[str, str]]:
    yield "inventory item", variant["inventoryItem"]["id"]
    if variant["sku"]:
        yield "variant sku", variant["sku"].lower()
    yield from metafields.keys_of(variant)


def _values(variant: Object, field: str) -> Iterable[Any] | None:
    if field in {"sku", "barcode"}:
        return [variant[field] or ""]
    if field in {"id", "product_id"}:
        gid = variant["id" if field == "id" else "productId"]
        return [gid, gid.rpartition("/")[2]]
    known = {"default": [title(variant), variant["sku"]], "title": [title(variant)],
             "updated_at": [variant["updatedAt"]], "created_at": [variant["createdAt"]]}  # fmt: skip
    return known.get(field)


SEARCH = Searchable("ProductVariant", _values, {"sku": "variant sku"})


def _display_name(call: Call, variant: Object, _: Arguments) -> str:
    product = call.state.get(variant["productId"]) or {}
    return f"{product.get('title')} - {title(variant)}"


def _media(call: Call, variant: Object, arguments: Arguments) -> Object:
    return page_of([file] if (file := call.state.get(variant["mediaId"] or "")) else [], arguments)


def _image(call: Call, variant: Object, arguments: Arguments) -> Object | None:

    file = call.state.get(variant["mediaId"] or "")
    return image(call, file, arguments) if file else None


PART = Part(
    queries={
        "productVariants": list_of(SEARCH),
        "productVariant": lambda call, _, it: call.take(it["id"], "ProductVariant"),
        "productVariantByIdentifier": lambda call, _, it: metafields.by_identifier(
            call, "ProductVariant", it["identifier"]
        ),
    },
    fields={
        "ProductVariant.title": lambda _, it, __: title(it),
        "ProductVariant.displayName": _display_name,
        "ProductVariant.product": lambda call, it, _: call.state.get(it["productId"]),
        "ProductVariant.inventoryQuantity": lambda _, it, __: sum(it["levels"].values()),
        "ProductVariant.sellableOnlineQuantity": lambda _, it, __: sum(it["levels"].values()),
        "ProductVariant.availableForSale": lambda _, it, __: (
            it["inventoryPolicy"] == "CONTINUE" or not it["inventoryItem"]["tracked"] or sum(it["levels"].values()) > 0
        ),
        "ProductVariant.media": _media,
        "ProductVariant.image": _image,
    },
    keys={"ProductVariant": _keys},
)

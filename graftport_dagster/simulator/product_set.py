"""productSet: a product written whole, created or brought to what the input says.

What lives here: finding the product meant, checking the input in the order Shopify complains,
and writing. Fields that are read are in `products.py`, options in `options.py`, variants in
`variants.py`. Whatever is refused leaves nothing: the caller undoes the transaction.
"""

from typing import Any

from graftport_dagster.simulator import files, metafields, options, products, variants
from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.handles import handle_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object

_LONGEST = 255
_MOST_QUANTITIES = 50_000
_PLAIN = ("descriptionHtml", "vendor", "productType", "category", "status", "templateSuffix", "requiresSellingPlan",
          "combinedListingRole", "giftCardTemplateSuffix")  # fmt: skip
_NO_VARIANTS = (
    ["input", "variants"], "Variants input is required when updating product options", "VARIANTS_INPUT_MISSING",
)  # fmt: skip
_NO_OPTIONS = (
    ["input", "productOptions"], "Product options input is required when updating variants",
    "PRODUCT_OPTIONS_INPUT_MISSING",
)  # fmt: skip
_LABELS = {"handle": "Handle", "vendor": "Vendor", "productType": "Product type"}


def _set(call: Call, arguments: Arguments) -> Object:
    given, identifier = arguments["input"], arguments.get("identifier")
    if arguments.get("synchronous", True):
        return {"product": set_product(call, given, identifier), "productSetOperation": None}
    operation: Object = {
        "id": call.state.new_id("ProductSetOperation"), "createdAt": call.state.now(), "productId": None, "errors": [],
    }  # fmt: skip
    try:
        with call.state.savepoint():
            operation["productId"] = set_product(call, given, identifier)["id"]
    except Refused as refusal:
        operation["errors"] = refusal.errors
    call.state.put(operation)
    return {"product": None, "productSetOperation": {**operation, "status": "CREATED"}}


def set_product(call: Call, given: Object, identifier: Object | None) -> Object:
    """The product as it is now; raises Refused with productSet's userErrors."""
    product = _meant(call, given, identifier)
    is_new = product is None
    if product is None:
        product = products.new(call)
    if errors := _scalar_errors(given, is_new=is_new):
        raise Refused(errors)
    _write_scalars(call, product, given, is_new=is_new)
    _write_metafields(call, product, given, identifier)
    _write_files(call, product, given)
    if is_new:
        # The variants of a new product need its options and nothing else of it.
        product["createdAt"] = product["updatedAt"]
    _write_variants(call, product, given, is_new=is_new)
    _write_collections(call, product, given)
    call.state.put(product)
    return product


def _meant(call: Call, given: Object, identifier: Object | None) -> Object | None:
    if identifier is None:
        if given.get("id") is None:
            return None
        product = call.state.get(given["id"]) if "/Product/" in given["id"] else None
        if product is None:
            raise refuse(["input", "id"], "Product does not exist", "PRODUCT_DOES_NOT_EXIST")
        return product
    if given.get("id") is not None:
        raise refuse(["input"], "The id field is not allowed if identifier is provided.", "ID_NOT_ALLOWED")
    if identifier.get("id") is not None:
        product = call.take(identifier["id"], "Product")
        if product is None:
            raise refuse(["input"], "Resource matching the identifier was not found.", "NOT_FOUND")
        return product
    if identifier.get("handle") is not None:
        _check_handle(given, identifier["handle"])
        return call.state.find_one("product handle", handle_of(identifier["handle"]))
    return metafields.by_custom_id(call, "Product", identifier["customId"])


def _check_handle(given: Object, handle: str) -> None:
    if given.get("handle") is None:
        message = "The input field corresponding to the identifier is required."
        raise refuse(["input"], message, "MISSING_FIELD_REQUIRED")
    if handle_of(given["handle"]) != handle_of(handle):
        message = "The identifier value does not match the value of the corresponding field in the input."
        raise refuse(["input"], message, "INPUT_MISMATCH")


def _scalar_errors(given: Object, *, is_new: bool) -> list[Object]:
    errors = []
    title = given.get("title")
    if (is_new or "title" in given) and not (title or "").strip():
        errors.append(user_error(["input", "title"], "can't be blank", "INVALID_PRODUCT"))
    elif len(title or "") > _LONGEST:
        message = f"is too long (maximum is {_LONGEST} characters)"
        errors.append(user_error(["input", "title"], message, "INVALID_PRODUCT"))
    for name, label in _LABELS.items():
        if len(given.get(name) or "") > _LONGEST:
            message = f"{label} is too long (maximum is {_LONGEST} characters)"
            errors.append(user_error(["input"], message, "INVALID_PRODUCT"))
            if name == "productType":
                errors.append(user_error(["input"], f"Custom {message[0].lower()}{message[1:]}", "INVALID_PRODUCT"))
    if any(len(tag) > _LONGEST for tag in given.get("tags") or ()):
        errors.append(user_error(["input", "tags"], "Product tags is invalid", "INVALID_PRODUCT"))
    return errors


def _write_scalars(call: Call, product: Object, given: Object, *, is_new: bool) -> None:
    product.update({name: given[name] for name in _PLAIN if given.get(name) is not None})
    for name in ("category", "templateSuffix"):
        if name in given:
            product[name] = given[name]
    if is_new:
        product["vendor"] = product["vendor"] or call.settings.shop_name
        product["isGiftCard"] = bool(given.get("giftCard"))
    elif given.get("giftCard") is not None and given["giftCard"] != product["isGiftCard"]:
        message = "The product gift_card attribute cannot be changed after creation."
        raise refuse(["input", "giftCard"], message, "GIFT_CARD_ATTRIBUTE_CANNOT_BE_CHANGED")
    if given.get("title") is not None:
        product["title"] = given["title"].strip()
    if given.get("tags") is not None:
        product["tags"] = products.tags(given["tags"])
    if given.get("seo") is not None:
        product["seo"] = {**product["seo"], **given["seo"]}
    products.rename(call, product, given, ["input", "handle"])
    product["updatedAt"] = call.state.now()


def _write_metafields(call: Call, product: Object, given: Object, identifier: Object | None) -> None:
    custom_id = (identifier or {}).get("customId")
    wanted = given.get("metafields")
    replace = wanted is not None
    if custom_id is not None:
        own = {**custom_id, "namespace": metafields.full_namespace(custom_id.get("namespace")), "type": "id"}
        # As recorded for customerSet: the identifier is written without being asked for.
        wanted = [own] if wanted is None else wanted
        if not any(_same(it, own) for it in wanted):
            message = "The input argument `metafields` (if present) must contain the `customId` value."
            raise refuse(["input", "metafields"], message, "METAFIELD_MISMATCH")
    problems = metafields.write(call, product, wanted or [], replace=replace)
    if problems:
        raise Refused([
            user_error(["input", "metafields", *at], text, "INVALID_METAFIELD") for at, text, _ in problems
        ])  # fmt: skip


def _same(given: Object, own: Object) -> bool:
    namespace = metafields.full_namespace(given.get("namespace"))
    return (namespace, given.get("key"), given.get("value")) == (own["namespace"], own["key"], own["value"])


def _write_files(call: Call, product: Object, given: Object) -> None:
    if given.get("files") is None:
        return
    media, errors, addresses = [], [], {}
    for index, it in enumerate(given["files"]):
        file, problem = files.write(call, it, blame="INVALID_INPUT")
        if file is None and problem is not None:
            errors.append(user_error(["input", "files", index, problem[0]], problem[1], "INVALID_INPUT"))
        elif file is not None:
            media.append(file["id"])
            addresses[it.get("originalSource") or file["id"]] = file["id"]
    if errors:
        raise Refused(errors)
    product["media"] = list(dict.fromkeys(media))
    product["_addresses"] = addresses


def _write_variants(call: Call, product: Object, given: Object, *, is_new: bool) -> None:
    addresses = product.pop("_addresses", {})
    wanted = given.get("variants")
    if wanted is None:
        if given.get("productOptions") is not None:
            raise refuse(*_NO_VARIANTS)
        if is_new:
            _write_default_variant(call, product)
        return
    if given.get("productOptions") is None:
        raise refuse(*_NO_OPTIONS)
    if sum(len(it.get("inventoryQuantities") or ()) for it in wanted) > _MOST_QUANTITIES:
        message = (
            f"Inventory quantity input exceeds the limit of {_MOST_QUANTITIES}. "
            "Consider using separate `inventorySetQuantities` mutations."
        )
        raise refuse(["input", "variants"], message, "INVENTORY_QUANTITIES_LIMIT_EXCEEDED")
    product["options"], errors = options.checked_options(call, given["productOptions"], product["options"])
    if errors:
        raise Refused(errors)
    # No product is without a variant, nor a variant without an option.
    if not wanted or not product["options"]:
        raise refuse(*(_NO_OPTIONS if wanted else _NO_VARIANTS))
    _replace_variants(call, product, wanted, addresses)


def _write_default_variant(call: Call, product: Object) -> None:
    product["options"] = options.default_options(call)
    variant = variants.new(call, product["id"])
    variants.fill(call, variant, {}, [], is_new=True)
    variant["selectedOptions"] = variants.selected(product["options"], ("Default Title",))
    call.state.put(variant)
    products.take_variants(product, [variant])


def _replace_variants(call: Call, product: Object, wanted: list[Object], addresses: dict[str, str]) -> None:
    existing = products.variants_of(call, product)
    by_id = {it["id"]: it for it in existing}
    by_values = {tuple(one["value"] for one in it["selectedOptions"]): it for it in existing}
    seen: set[options.Combination] = set()
    kept: list[tuple[int, Object]] = []
    errors: list[Object] = []
    used = {it["id"] for it in wanted if it.get("id")}
    for index, it in enumerate(wanted):
        path: list[str | int] = ["input", "variants", index]
        values, wrong = options.combination(product["options"], it["optionValues"], path)
        if wrong:
            errors.extend(wrong)
            continue
        if tuple(value.lower() for value in values) in seen:
            message = f"The variant '{' / '.join(values)}' already exists. Please change at least one option value."
            errors.append(user_error(path, message, "INVALID_VARIANT"))
            continue
        seen.add(tuple(value.lower() for value in values))
        known = by_id.get(it["id"]) if it.get("id") else by_values.get(values)
        if it.get("id") and known is None:
            message = "Product variant does not exist"
            errors.append(user_error([*path, "id"], message, "PRODUCT_VARIANT_DOES_NOT_EXIST"))
            continue
        if known is not None and not it.get("id") and known["id"] in used:
            known = None
        variant = known or variants.new(call, product["id"])
        errors.extend(variants.fill(call, variant, it, path, is_new=known is None))
        errors.extend(_variant_file(call, product, variant, it, path, addresses))
        variant["selectedOptions"] = variants.selected(product["options"], values)
        kept.append((it.get("position") or index + 1, variant))
    if errors:
        raise Refused(errors)
    ordered = [variant for _, variant in sorted(kept, key=lambda pair: pair[0])]
    staying = {it["id"] for it in ordered}
    for it in existing:
        if it["id"] not in staying:
            call.state.delete(it)
    _store_in_order(call, ordered)
    products.take_variants(product, ordered)


def _store_in_order(call: Call, ordered: list[Object]) -> None:
    for position, variant in enumerate(ordered, 1):
        variant["position"] = position
        call.state.put(variant)
        if any(len(call.state.find(space, value)) > 1 for space, value in variant["_keys"] if space[:6] == "unique"):
            message = (
                "Value is already assigned to another metafield. Choose a different value to ensure it remains unique."
            )
            path: list[str | int] = ["input", "variants", position - 1, "metafields", 0, "value"]
            raise refuse(path, message, "INVALID_METAFIELD")


def _variant_file(
    call: Call, product: Object, variant: Object, given: Object, path: list[Any], addresses: dict[str, str]
) -> list[Object]:
    if "file" not in given:
        return []
    if given["file"] is None:
        variant["mediaId"] = None
        return []
    wanted = given["file"].get("id") or addresses.get(given["file"].get("originalSource") or "", "")
    if wanted not in product["media"] or call.state.get(wanted) is None:
        message = "Any file specified for a variant must also be specified in the files of the product."
        return [user_error([*path, "file"], message, "INVALID_VARIANT")]
    variant["mediaId"] = wanted
    return []


def _write_collections(call: Call, product: Object, given: Object) -> None:
    if given.get("collections") is None:
        return
    path = ["input", "collections"]
    if errors := products.collection_errors(call, given["collections"], path, "INVALID_INPUT"):
        raise Refused(errors)
    product["collections"] = list(dict.fromkeys(given["collections"]))


def _operation(call: Call, _: None, arguments: Arguments) -> Object | None:
    return call.state.get(arguments["id"]) if "Operation/" in arguments["id"] else None


def _operation_status(call: Call, operation: Object, _: Arguments) -> str:
    if "status" in operation:
        return str(operation["status"])
    return "COMPLETE" if products.is_due(call, operation["createdAt"]) else "ACTIVE"


def _operation_product(call: Call, operation: Object, _: Arguments) -> Object | None:
    if _operation_status(call, operation, {}) != "COMPLETE" or not operation["productId"]:
        return None
    return call.state.get(operation["productId"])


def _operation_errors(call: Call, operation: Object, _: Arguments) -> list[Object]:
    return list(operation["errors"]) if _operation_status(call, operation, {}) == "COMPLETE" else []


PART = Part(
    queries={"productOperation": _operation},
    mutations={"productSet": _set},
    fields={
        "ProductSetOperation.status": _operation_status,
        "ProductSetOperation.product": _operation_product,
        "ProductSetOperation.userErrors": _operation_errors,
    },
)

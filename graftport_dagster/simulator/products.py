"""Products as they are kept and read, and the mutations besides productSet.

What lives here: the form of a product, its search, its fields, productUpdate and
productDelete, tags. productSet is in `product_set.py`, variants in `variants.py`.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from graftport_dagster.simulator import files, metafields, redirects
from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.collection_rules import collections_of
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.handles import free_handle, handle_of
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_LONGEST = 255


def new(call: Call) -> Object:
    """A product with Shopify's defaults, not stored."""
    now = call.state.now()
    return {
        "id": call.state.new_id("Product"), "title": "", "handle": "", "descriptionHtml": "", "vendor": "",
        "productType": "", "category": None, "status": "ACTIVE", "tags": [], "templateSuffix": None,
        "seo": {"title": None, "description": None}, "isGiftCard": False, "requiresSellingPlan": False,
        "combinedListingRole": None, "giftCardTemplateSuffix": None, "options": [], "variantIds": [], "skus": [],
        "media": [], "metafields": [], "collections": [], "publications": [], "createdAt": now, "updatedAt": now,
    }  # fmt: skip


def tags(given: Sequence[str]) -> list[str]:
    """Tags as Shopify keeps them: trimmed, each once whatever its case, by alphabet."""
    separate = [part.strip() for tag in given for part in tag.split(",")]
    return sorted({tag.lower(): tag for tag in reversed(separate) if tag}.values(), key=str.lower)


def rename(call: Call, product: Object, given: Object, path: Sequence[str]) -> None:
    """Gives a product its handle: the one given, or one made of the title of a new product."""
    wanted = given.get("handle")
    if wanted is None or not handle_of(wanted):
        if not product["handle"]:
            product["handle"] = free_handle(handle_of(product["title"]), lambda it: _is_taken(call, it, product["id"]))
        return
    handle = handle_of(wanted)
    if _is_taken(call, handle, product["id"]):
        message = f"Handle '{wanted}' already in use. Please provide a new handle."
        raise refuse(path, message, "HANDLE_NOT_UNIQUE")
    if product["handle"] and product["handle"] != handle and given.get("redirectNewHandle"):
        redirects.make(call, f"/products/{product['handle']}", f"/products/{handle}")
    product["handle"] = handle


def _is_taken(call: Call, handle: str, own: str) -> bool:
    return any(gid != own for gid in call.state.find("product handle", handle))


def is_smart(collection: Object) -> bool:
    """True when its members follow from conditions alone."""
    return bool(collection["sources"]) and all(it["conditions"] and not it["manual"] for it in collection["sources"])


def is_due(call: Call, since: str) -> bool:
    """True when something begun then is done by now."""
    age = datetime.fromisoformat(call.state.now()) - datetime.fromisoformat(since)
    return age.total_seconds() >= call.settings.processing_seconds


def collection_errors(call: Call, gids: Sequence[str], path: Sequence[str], code: str | None = None) -> list[Object]:
    """Why a product cannot be put into collections by hand."""
    errors = []
    for index, gid in enumerate(gids):
        collection = call.state.get(gid) if "/Collection/" in gid else None
        if collection is None:
            errors.append(user_error([*path, index], "Collection does not exist", code))
        elif is_smart(collection):
            errors.append(user_error([*path, index], "Can't manually add products to a smart collection", code))
    return errors


def variants_of(call: Call, product: Object) -> list[Object]:
    """A product's variants in their order."""
    return [found for gid in product["variantIds"] if (found := call.state.get(gid)) is not None]


def take_variants(product: Object, ordered: list[Object]) -> None:
    """Notes which variants a product has."""
    product["variantIds"] = [it["id"] for it in ordered]
    product["skus"] = sorted({it["sku"] for it in ordered if it["sku"]})


def _update(call: Call, arguments: Arguments) -> Object:
    given = arguments.get("product") or arguments.get("input")
    identifier = arguments.get("identifier") or {"id": (given or {}).get("id")}
    if given is None or (identifier.get("id") is None and len(identifier) == 1):
        raise refuse(["id"], "Product does not exist")
    product = metafields.by_identifier(call, "Product", identifier, "product handle")
    if product is None:
        raise refuse(["id"], "Product does not exist")
    errors = _update_errors(given)
    errors += collection_errors(call, given.get("collectionsToJoin") or (), ["collectionsToJoin"])
    if errors:
        raise Refused(errors)
    names = ("title", "descriptionHtml", "vendor", "productType", "category", "status", "templateSuffix",
             "requiresSellingPlan")  # fmt: skip
    product.update({name: given[name] for name in names if given.get(name) is not None})
    if given.get("tags") is not None:
        product["tags"] = tags(given["tags"])
    if given.get("seo") is not None:
        product["seo"] = {**product["seo"], **given["seo"]}
    rename(call, product, given, ["input", "handle"])
    problems = metafields.write(call, product, given.get("metafields") or [], replace=False)
    if problems:
        raise Refused([user_error(["metafields", *path], text) for path, text, _ in problems])
    left = set(given.get("collectionsToLeave") or ())
    joined = [*product["collections"], *(given.get("collectionsToJoin") or ())]
    product["collections"] = [gid for gid in dict.fromkeys(joined) if gid not in left]
    _add_media(call, product, arguments.get("media") or [])
    product["updatedAt"] = call.state.now()
    call.state.put(product)
    return {"product": product}


def _update_errors(given: Object) -> list[Object]:
    errors = []
    if "title" in given and not (given["title"] or "").strip():
        errors.append(user_error(["title"], "Title can't be blank"))
    for name, label in (
        ("title", "Title"),
        ("handle", "Handle"),
        ("vendor", "Vendor"),
        ("productType", "Product type"),
    ):
        if len(given.get(name) or "") > _LONGEST:
            errors.append(user_error([name], f"{label} is too long (maximum is {_LONGEST} characters)"))
            if name == "productType":
                message = f"Custom product type is too long (maximum is {_LONGEST} characters)"
                errors.append(user_error(["customProductType"], message))
    if any(len(tag) > _LONGEST for tag in given.get("tags") or ()):
        errors.append(user_error(["tags"], "Product tags is invalid"))
    return errors


def _add_media(call: Call, product: Object, given: list[Object]) -> None:
    errors = []
    for index, it in enumerate(given):
        file, problem = files.write(call, it)
        if file is None and problem is not None:
            errors.append(user_error(["media", index, problem[0]], problem[1]))
        elif file is not None:
            product["media"].append(file["id"])
    if errors:
        raise Refused(errors)


def _delete(call: Call, arguments: Arguments) -> Object:
    gid = arguments["input"]["id"]
    product = call.take(gid, "Product")
    if product is None:
        raise refuse(["id"], "Product does not exist")
    for variant in variants_of(call, product):
        call.state.delete(variant)
    call.state.delete(product)
    return {"deletedProductId": gid}


def _tags_add(call: Call, arguments: Arguments) -> Object:
    return _change_tags(call, arguments, lambda had, given: [*had, *given])


def _tags_remove(call: Call, arguments: Arguments) -> Object:
    def without(had: list[str], given: list[str]) -> list[str]:
        gone = {tag.lower() for tag in given}
        return [tag for tag in had if tag.lower() not in gone]

    return _change_tags(call, arguments, without)


def _change_tags(call: Call, arguments: Arguments, change: Any) -> Object:
    tagged = call.state.get(arguments["id"])
    if tagged is None or "tags" not in tagged:
        kind = arguments["id"].split("/")[3]
        raise refuse(["id"], f"{kind} does not exist")
    tagged["tags"] = tags(change(tagged["tags"], tags(arguments["tags"])))
    tagged["updatedAt"] = call.state.now()
    call.state.put(tagged)
    return {"node": tagged}


def _values(it: Object, field: str) -> Iterable[Any] | None:
    if field in {"id", "handle", "title", "vendor", "status"}:
        return [it[field], it["id"].rpartition("/")[2]] if field == "id" else [it[field]]
    if field.startswith("metafields."):
        name = field.removeprefix("metafields.")
        return [m["value"] for m in it["metafields"] if f"{m['namespace']}.{m['key']}" == name]
    known: dict[str, Iterable[Any]] = {
        "sku": it["skus"], "tag": it["tags"], "product_type": [it["productType"]], "created_at": [it["createdAt"]],
        "updated_at": [it["updatedAt"]], "collection_id": [gid.rpartition("/")[2] for gid in it["collections"]],
        "default": [" ".join((it["title"], it["vendor"], it["productType"], *it["tags"], *it["skus"]))],
        "gift_card": [str(it["isGiftCard"]).lower()],
    }  # fmt: skip
    return known.get(field)


SEARCH = Searchable("Product", _values, {"handle": "product handle", "sku": "product sku", "tag": "product tag"})


def _keys(it: Object) -> Iterable[tuple[str, str]]:
    yield "product handle", it["handle"]
    for tag in it["tags"]:
        yield "product tag", tag.lower()
    for sku in it["skus"]:
        yield "product sku", sku.lower()
    for gid in it["collections"]:
        yield "member", gid
    for gid in it["media"]:
        yield "media", gid
    yield from metafields.keys_of(it)


def _prices(name: str) -> Any:
    def prices(call: Call, product: Object, _: Arguments) -> Object | None:
        amounts = [Decimal(it[name]) for it in variants_of(call, product) if it[name] is not None]
        if not amounts:
            return None
        low, high = ({"amount": str(it), "currencyCode": call.settings.currency} for it in (min(amounts), max(amounts)))
        return {"minVariantPrice": low, "maxVariantPrice": high, "minVariantCompareAtPrice": low,
                "maxVariantCompareAtPrice": high}  # fmt: skip

    return prices


def _media(call: Call, product: Object, arguments: Arguments) -> Object:
    return page_of([found for gid in product["media"] if (found := call.state.get(gid))], arguments)


def _first_media(call: Call, product: Object, _: Arguments) -> Object | None:
    return call.state.get(product["media"][0]) if product["media"] else None


def _category(_: Call, product: Object, __: Arguments) -> Object | None:
    gid = product["category"]
    name = (gid or "").rpartition("/")[2]
    return {"id": gid, "name": name, "fullName": name, "level": 1, "isLeaf": True} if gid else None


def _options(_: Call, product: Object, arguments: Arguments) -> list[Object]:
    return list(product["options"][: arguments.get("first") or None])


def _inventory(call: Call, product: Object, _: Arguments) -> int:
    return sum(sum(it["levels"].values()) for it in variants_of(call, product))


def _text(_: Call, product: Object, __: Arguments) -> str:
    return re.sub(r"<[^>]*>", "", product["descriptionHtml"])


def _collections(call: Call, product: Object, arguments: Arguments) -> Object:
    return page_of(collections_of(call, product), arguments)


PART = Part(
    queries={
        "product": lambda call, _, it: call.take(it["id"], "Product"),
        "productByIdentifier": lambda call, _, it: metafields.by_identifier(
            call, "Product", it["identifier"], "product handle"
        ),
        "products": list_of(SEARCH), "productsCount": count_of(SEARCH),
    },
    mutations={"productUpdate": _update, "productDelete": _delete, "tagsAdd": _tags_add, "tagsRemove": _tags_remove},
    fields={
        "Product.variants": lambda call, it, arguments: page_of(variants_of(call, it), arguments),
        "Product.variantsCount": lambda _, it, __: {"count": len(it["variantIds"]), "precision": "EXACT"},
        "Product.totalVariants": lambda _, it, __: len(it["variantIds"]),
        "Product.totalInventory": _inventory,
        "Product.media": _media,
        "Product.mediaCount": lambda _, it, __: {"count": len(it["media"]), "precision": "EXACT"},
        "Product.featuredMedia": _first_media,
        "Product.options": _options,
        "Product.category": _category,
        "Product.description": _text,
        "Product.bodyHtml": lambda _, it, __: it["descriptionHtml"],
        "Product.priceRangeV2": _prices("price"),
        "Product.compareAtPriceRange": _prices("compareAtPrice"),
        "Product.hasOnlyDefaultVariant": lambda _, it, __: (
            [one["name"] for one in it["options"]] == ["Title"] and len(it["variantIds"]) == 1
        ),
        "Product.tracksInventory": lambda call, it, _: any(
            one["inventoryItem"]["tracked"] for one in variants_of(call, it)
        ),
        "Product.collections": _collections,
        "Product.inCollection": lambda call, it, arguments: any(
            one["id"] == arguments["id"] for one in collections_of(call, it)
        ),
        "Product.publishedAt": lambda _, it, __: min((one["publishDate"] for one in it["publications"]), default=None),
        "ProductOption.values": lambda _, it, __: [one["name"] for one in it["optionValues"]],
        "ProductOptionValue.hasVariants": lambda *_: True,
    },
    keys={"Product": _keys},
)  # fmt: skip

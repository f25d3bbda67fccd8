"""Collections: products chosen by hand, by conditions, or both.

What lives here: creating, changing and deleting them in both forms of input (sources since
2026-07; rules and products before), and their fields. What conditions take in is in
`collection_rules.py`. Chosen members are kept with the products, where productSet puts them.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from graftport_dagster.simulator import metafields, redirects
from graftport_dagster.simulator.answers import Refused, TopLevelError, not_simulated, refuse, user_error
from graftport_dagster.simulator.collection_rules import from_rule, is_numeric, products_of
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.handles import free_handle, handle_of
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_LONGEST = 255


def _create(call: Call, arguments: Arguments) -> Object:
    given = _one_of(arguments, "collectionCreate")
    if given.get("id") is not None:
        raise refuse(["id"], "id cannot be specified on collection creation")
    now = call.state.now()
    collection: Object = {
        "id": call.state.new_id("Collection"), "title": "", "handle": "", "descriptionHtml": "", "image": None,
        "sortOrder": "BEST_SELLING", "templateSuffix": None, "seo": {"title": None, "description": None},
        "sources": [], "metafields": [], "publications": [], "createdAt": now, "updatedAt": now,
    }  # fmt: skip
    _write(call, collection, given, is_new=True)
    _write_rules(call, collection, given)
    for target in given.get("sources") or ():
        _add_source(call, collection, target)
    if not collection["sources"]:
        collection["sources"] = [_source(call, "Products", [], None, manual=True)]
    call.state.put(collection)
    _choose(call, collection, given.get("products"), ["products"])
    return {"collection": collection}


def _update(call: Call, arguments: Arguments) -> Object:
    given = _one_of(arguments, "collectionUpdate")
    if given.get("id") is None:
        raise TopLevelError("BAD_REQUEST", "id must be specified on collectionUpdate")
    collection = call.take(given["id"], "Collection")
    if collection is None:
        raise refuse(None, "Collection does not exist")
    if given.get("ruleSet") is not None and all(it["manual"] for it in collection["sources"]):
        raise refuse(["id"], "Cannot update rule set of a custom collection")
    _write(call, collection, given, is_new=False)
    _write_rules(call, collection, given)
    _change_sources(call, collection, given)
    call.state.put(collection)
    _choose(call, collection, given.get("products"), ["products"])
    return {"collection": collection, "job": {"id": call.state.new_id("Job"), "done": False}}


def _delete(call: Call, arguments: Arguments) -> Object:
    collection = call.take(arguments["input"]["id"], "Collection")
    if collection is None:
        raise refuse(["id"], "Collection does not exist")
    for gid in call.state.find("member", collection["id"]):
        _leave(call, gid, collection["id"])
    call.state.delete(collection)
    return {"deletedCollectionId": collection["id"]}


def _one_of(arguments: Arguments, mutation: str) -> Object:
    given = [arguments[name] for name in ("collection", "input") if arguments.get(name) is not None]
    if len(given) != 1:
        message = f"{mutation} must include exactly one of the following arguments: collection, input."
        raise TopLevelError("INVALID_FIELD_ARGUMENTS", message)
    return dict(given[0])


def _write(call: Call, collection: Object, given: Object, *, is_new: bool) -> None:
    title = given.get("title")
    if (is_new or "title" in given) and not (title or "").strip():
        raise refuse(["title"], "Title can't be blank")
    if len(title or "") > _LONGEST:
        raise refuse(["title"], f"Title is too long (maximum is {_LONGEST} characters)")
    if len(given.get("handle") or "") > _LONGEST:
        raise refuse(["handle"], f"Handle is too long (maximum is {_LONGEST} characters)")
    names = ("title", "descriptionHtml", "sortOrder", "templateSuffix")
    if "image" in given:
        # Without an address it is the picture that is there, with another text.
        keeps = collection["image"] if given["image"] and not given["image"].get("src") else None
        collection["image"] = {**(keeps or {}), **given["image"]} if given["image"] else None
    collection.update({name: given[name] for name in names if name in given})
    if given.get("seo") is not None:
        collection["seo"] = {**collection["seo"], **given["seo"]}
    _rename(call, collection, given)
    problems = metafields.write(call, collection, given.get("metafields") or [], replace=False)
    if problems:
        raise Refused([user_error(["metafields", *path], text) for path, text, _ in problems])
    collection["updatedAt"] = call.state.now()


def _rename(call: Call, collection: Object, given: Object) -> None:
    def taken(handle: str) -> bool:
        return any(gid != collection["id"] for gid in call.state.find("collection handle", handle))

    wanted = handle_of(given.get("handle") or "")
    if not wanted:
        collection["handle"] = collection["handle"] or free_handle(handle_of(collection["title"]), taken)
        return
    if taken(wanted):
        raise refuse(["handle"], "Handle has already been taken")
    if collection["handle"] and collection["handle"] != wanted and given.get("redirectNewHandle"):
        redirects.make(call, f"/collections/{collection['handle']}", f"/collections/{wanted}")
    collection["handle"] = wanted


def _write_rules(call: Call, collection: Object, given: Object) -> None:
    if (rule_set := given.get("ruleSet")) is None:
        return
    if not rule_set.get("rules"):
        raise refuse(["ruleSet", "rules"], "Rules cannot be an empty set")
    for index, rule in enumerate(rule_set["rules"]):
        if is_numeric(rule["column"]) and not _is_number(rule["condition"]):
            raise refuse(["ruleSet", "rules", index, "condition"], "Condition must be a number")
    match = "ANY" if rule_set["appliedDisjunctively"] else "ALL"
    conditions = [{**from_rule(rule, call.settings.currency), "rule": rule} for rule in rule_set["rules"]]
    collection["sources"] = [_source(call, "Conditions", conditions, match, manual=False)]


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _source(call: Call, title: str, conditions: list[Object], match: str | None, *, manual: bool) -> Object:
    for condition in conditions:
        condition.setdefault("id", call.state.new_id("CollectionSourceInclusionCondition"))
    return {
        "id": call.state.new_id("CollectionConditionsSource"), "title": title, "description": None,
        "targetType": "PRODUCTS", "conditions": conditions, "matchType": match, "manual": manual, "excluded": [],
    }  # fmt: skip


def _add_source(call: Call, collection: Object, target: Object) -> None:
    given = target.get("source")
    if given is None:
        raise not_simulated(f"sources of the kind '{next(iter(target))}'")
    inclusion, exclusion = given.get("inclusion") or {}, given.get("exclusion") or {}
    if exclusion.get("conditions"):
        raise not_simulated("conditions that exclude")
    selections, conditions = inclusion.get("selections") or [], inclusion.get("conditions") or []
    manual = bool(selections) or not conditions
    source = _source(call, given["title"], list(conditions), inclusion.get("matchType"), manual=manual)
    source.update(description=given.get("description"), targetType=given.get("targetType") or "PRODUCTS")
    source["excluded"] = [it["productId"] for it in exclusion.get("selections") or ()]
    collection["sources"].append(source)
    _choose(call, collection, [it["productId"] for it in selections], ["sources"])


def _change_sources(call: Call, collection: Object, given: Object) -> None:
    gone = set(given.get("sourcesToDelete") or ())
    if any(it["id"] in gone and it["manual"] for it in collection["sources"]):
        for gid in call.state.find("member", collection["id"]):
            _leave(call, gid, collection["id"])
    collection["sources"] = [it for it in collection["sources"] if it["id"] not in gone]
    for target in given.get("sourcesToCreate") or ():
        _add_source(call, collection, target)
    for index, target in enumerate(given.get("sourcesToUpdate") or ()):
        change = target.get("condition") or {}
        source = next((it for it in collection["sources"] if it["id"] == change.get("id")), None)
        if source is None:
            raise refuse(["sourcesToUpdate", index, "condition", "id"], "Source does not exist")
        _change_source(call, collection, source, change, ["sourcesToUpdate", index, "condition", "inclusion"])


def _change_source(call: Call, collection: Object, source: Object, change: Object, path: list[str | int]) -> None:
    if change.get("exclusion"):
        raise not_simulated("changes of what a source excludes")
    source.update({name: change[name] for name in ("title", "description") if name in change})
    inclusion = change.get("inclusion") or {}
    gone = set(inclusion.get("conditionsToDelete") or ())
    updated = {it["id"]: it["condition"] for it in inclusion.get("conditionsToUpdate") or ()}
    kept = [{**it, **_updated(it, updated.get(it["id"]))} for it in source["conditions"] if it["id"] not in gone]
    added = [
        {**it, "id": call.state.new_id("CollectionSourceInclusionCondition")}
        for it in inclusion.get("conditionsToCreate") or ()
    ]
    source["conditions"] = [*kept, *added]
    source["matchType"] = inclusion.get("matchType") or source["matchType"]
    for it in inclusion.get("selectionsToRemove") or ():
        _leave(call, it["productId"], collection["id"])
    chosen = [it["productId"] for it in inclusion.get("selectionsToAdd") or ()]
    source["manual"] = source["manual"] or bool(chosen)
    _choose(call, collection, chosen, [*path, "selectionsToAdd"])


def _updated(condition: Object, change: Object | None) -> Object:
    return {name: {**condition.get(name, {}), **it} for name, it in (change or {}).items() if it is not None}


def _choose(call: Call, collection: Object, gids: list[str] | None, path: list[str | int]) -> None:
    errors = []
    for index, gid in enumerate(gids or ()):
        product = call.state.get(gid) if "/Product/" in gid else None
        if product is None:
            errors.append(user_error([*path, index], "Product does not exist"))
        elif collection["id"] not in product["collections"]:
            product["collections"].append(collection["id"])
            call.state.put(product)
    if errors:
        raise Refused(errors)


def _leave(call: Call, product_id: str, collection_id: str) -> None:
    product = call.state.get(product_id)
    if product is not None and collection_id in product["collections"]:
        product["collections"].remove(collection_id)
        call.state.put(product)


def _values(it: Object, field: str) -> Iterable[Any] | None:
    if field == "id":
        return [it["id"], it["id"].rpartition("/")[2]]
    if field in {"title", "handle"}:
        return [it[field]]
    if field == "collection_type":
        return ["custom" if all(one["manual"] for one in it["sources"]) else "smart"]
    return {"default": [it["title"]], "updated_at": [it["updatedAt"]]}.get(field)


SEARCH = Searchable("Collection", _values, {"handle": "collection handle"})


def _keys(it: Object) -> Iterable[tuple[str, str]]:
    yield "collection handle", it["handle"]
    if any(source["conditions"] for source in it["sources"]):
        yield "smart collections", "all"
    yield from metafields.keys_of(it)


def _rule_set(_: Call, collection: Object, __: Arguments) -> Object | None:
    source = next((it for it in collection["sources"] if any("rule" in one for one in it["conditions"])), None)
    if source is None:
        return None
    rules = [it["rule"] for it in source["conditions"] if "rule" in it]
    return {"appliedDisjunctively": source["matchType"] == "ANY", "rules": rules}


def _sources(_: Call, collection: Object, __: Arguments) -> list[Object]:
    return [
        {**it, "__typename": "CollectionConditionsSource", "inclusion": {**it, "collection": collection},
         "shareable": False, "collection": collection}
        for it in collection["sources"]
    ]  # fmt: skip


def _conditions(_: Call, inclusion: Object, __: Arguments) -> list[Object]:
    shown = []
    for it in inclusion["conditions"]:
        kind = next(name for name in it if name not in {"id", "rule"})
        name = f"CollectionSourceInclusionCondition{kind[0].upper()}{kind[1:]}"
        shown.append({"id": it["id"], "__typename": name, **it[kind]})
    return shown


def _selections(call: Call, inclusion: Object, arguments: Arguments) -> Object:
    chosen = call.state.find("member", inclusion["collection"]["id"]) if inclusion["manual"] else []
    return page_of([{"product": call.state.get(gid)} for gid in chosen], arguments)


def _image(_: Call, collection: Object, __: Arguments) -> Object | None:
    given = collection["image"]
    if not given or not given.get("src"):
        return None
    source = given["src"]
    return {"id": given.get("id"), "url": source, "src": source, "originalSrc": source, "altText": given.get("altText")}


PART = Part(
    queries={
        "collection": lambda call, _, it: call.take(it["id"], "Collection"),
        "collectionByIdentifier": lambda call, _, it: metafields.by_identifier(
            call, "Collection", it["identifier"], "collection handle"
        ),
        "collections": list_of(SEARCH), "collectionsCount": count_of(SEARCH),
    },
    mutations={"collectionCreate": _create, "collectionUpdate": _update, "collectionDelete": _delete},
    fields={
        "Collection.products": lambda call, it, arguments: page_of(products_of(call, it), arguments),
        "Collection.productsCount": lambda call, it, _: {"count": len(products_of(call, it)), "precision": "EXACT"},
        "Collection.hasProduct": lambda call, it, arguments: any(
            one["id"] == arguments["id"] for one in products_of(call, it)
        ),
        "Collection.description": lambda _, it, __: it["descriptionHtml"],
        "Collection.ruleSet": _rule_set,
        "Collection.sources": _sources,
        "Collection.image": _image,
        "CollectionConditionsSource.products": lambda call, it, arguments: page_of(
            products_of(call, it["collection"]), arguments
        ),
        "CollectionSourceInclusion.conditions": _conditions,
        "CollectionSourceInclusion.selections": _selections,
    },
    keys={"Collection": _keys},
)  # fmt: skip

"""Metafields: values that objects carry, unique where their type is `id`.

What lives here: writing them with an object or by `metafieldsSet`, the fields they are read by,
and custom ids. Definitions are in `metafield_definitions.py`, types of values in `metafield_values.py`.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from graftport_dagster.simulator.answers import Refused, TopLevelError, refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.metafield_values import TYPES, as_json, complaint
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, split_gid

OWNER_TYPES = {
    "Product": "PRODUCT", "ProductVariant": "PRODUCTVARIANT", "Collection": "COLLECTION", "Location": "LOCATION",
    "Customer": "CUSTOMER", "Order": "ORDER", "Shop": "SHOP", "Article": "ARTICLE", "Blog": "BLOG", "Page": "PAGE",
    "Market": "MARKET", "MediaImage": "MEDIA_IMAGE",
}  # fmt: skip
_APP = "app--1000001"
_MOST_AT_ONCE = 25
_RESERVED = ("shopify_standard", "protected", "shopify-l10n-fields")
Problem = tuple[list[str | int], str, str | None]


def full_namespace(namespace: str | None) -> str:
    """A namespace as stored: `$app` and an absent one are the app's own."""
    if namespace is None or namespace == "$app":
        return _APP
    return f"{_APP}--{namespace.removeprefix('$app:')}" if namespace.startswith("$app:") else namespace


def keys_of(owner: Object) -> Iterable[tuple[str, str]]:
    """How an owner is found by its unique metafields."""
    owner_type = OWNER_TYPES[split_gid(owner["id"])[0]]
    for it in owner.get("metafields", ()):
        if it.get("unique"):
            yield f"unique:{owner_type}:{it['namespace']}.{it['key']}", it["value"]


def definition_of(call: Call, owner_type: str, namespace: str, key: str) -> Object | None:
    """The definition of a metafield, if the shop has one."""
    return call.state.find_one("definition", f"{owner_type}:{namespace}.{key}")


def by_custom_id(call: Call, kind: str, custom_id: Object) -> Object | None:
    """The object of a type with a custom id; NOT_FOUND at top level without an `id` definition for it."""
    namespace, key = full_namespace(custom_id.get("namespace")), custom_id["key"]
    definition = definition_of(call, OWNER_TYPES[kind], namespace, key)
    if definition is None or definition["type"] != "id":
        raise TopLevelError("NOT_FOUND", "Metafield definition of type 'id' is required when using custom ids.")
    return call.state.find_one(f"unique:{OWNER_TYPES[kind]}:{namespace}.{key}", custom_id["value"])


def by_identifier(call: Call, kind: str, identifier: Object, space: str | None = None) -> Object | None:
    """The object of a type by `{id}`, `{handle}` (in a key space) or `{customId}`."""
    if identifier.get("id") is not None:
        return call.take(identifier["id"], kind)
    if identifier.get("customId") is not None:
        return by_custom_id(call, kind, identifier["customId"])
    return call.state.find_one(space, str(identifier["handle"]).lower()) if space else None


def write(call: Call, owner: Object, inputs: list[Object], *, replace: bool) -> list[Problem]:
    """Puts metafields on an owner, which the caller stores; the problems have paths below `metafields`.

    With `replace` what is not in the list goes.
    """
    problems: list[Problem] = []
    existing = {(it["namespace"], it["key"]): it for it in owner.get("metafields", ())}
    by_id = {it["id"]: it for it in existing.values()}
    kept: dict[tuple[str, str], Object] = {} if replace else dict(existing)
    for index, given in enumerate(inputs):
        before = by_id.get(given.get("id") or "")
        namespace = before["namespace"] if before else full_namespace(given.get("namespace"))
        key = before["key"] if before else given.get("key") or ""
        written, wrong = _written(call, owner, namespace, key, given, existing.get((namespace, key)))
        problems.extend(([index, *path], message, code) for path, message, code in wrong)
        if written is not None:
            kept[namespace, key] = written
    owner["metafields"] = list(kept.values())
    return problems


def _written(
    call: Call, owner: Object, namespace: str, key: str, given: Object, before: Object | None
) -> tuple[Object | None, list[Problem]]:
    owner_type = OWNER_TYPES[split_gid(owner["id"])[0]]
    if wrong := _name_problem(namespace, key):
        return None, [wrong]
    definition = definition_of(call, owner_type, namespace, key)
    type_name = given.get("type") or (definition or before or {}).get("type")
    if type_name is None:
        return None, [(["type"], "Type can't be blank", "BLANK")]
    if wrong := _type_problem(type_name, definition):
        return None, [wrong]
    value = given.get("value", before["value"] if before else None)
    validations = {it["name"]: it["value"] for it in (definition or {}).get("validations", ())}
    sentence = complaint(type_name, value or "", validations, call.state.get, call.settings.currency)
    if sentence:
        return None, [(["value"], sentence, "INVALID_VALUE")]
    unique = bool(definition and definition["unique"])
    if unique and _taken(call, owner, owner_type, namespace, key, value or ""):
        sentence = (
            "Value is already assigned to another metafield. Choose a different value to ensure it remains unique."
        )
        return None, [(["value"], sentence, "TAKEN")]
    now = call.state.now()
    changed = before is None or before["value"] != value
    return {
        "id": before["id"] if before else call.state.new_id("Metafield"),
        "__typename": "Metafield", "namespace": namespace, "key": key, "type": type_name, "value": value,
        "unique": unique, "ownerType": owner_type, "ownerId": owner["id"],
        "createdAt": before["createdAt"] if before else now,
        "updatedAt": now if changed or before is None else before["updatedAt"],
    }, []  # fmt: skip


def _taken(call: Call, owner: Object, owner_type: str, namespace: str, key: str, value: str) -> bool:
    return any(gid != owner["id"] for gid in call.state.find(f"unique:{owner_type}:{namespace}.{key}", value))


def _name_problem(namespace: str, key: str) -> Problem | None:
    for field, text, low, high in (("namespace", namespace, 3, 255), ("key", key, 2, 64)):
        shown = field.capitalize()
        if len(text) < low:
            return [field], f"{shown} is too short (minimum is {low} characters)", "TOO_SHORT"
        if len(text) > high:
            return [field], f"{shown} is too long (maximum is {high} characters)", "TOO_LONG"
        if not re.fullmatch(r"[\w-]+", text, re.ASCII):
            return [field], f"{shown} contains one or more invalid characters.", "INVALID"
    if namespace in _RESERVED:
        return ["namespace"], f"Namespace {namespace} is a reserved namespace", None
    return None


def _type_problem(type_name: str, definition: Object | None) -> Problem | None:
    if type_name not in TYPES:
        return ["type"], f"Type must be one of the following: {', '.join(TYPES)}.", "INVALID_TYPE"
    if definition is not None and definition["type"] != type_name:
        message = f"Type '{type_name}' must be consistent with the definition's type: '{definition['type']}'."
        return ["type"], message, "INVALID_TYPE"
    return None


def digest(metafield: Object) -> str:
    """What `compareDigest` must equal for a write to be let through."""
    return hashlib.sha256(f"{metafield['type']}\0{metafield['value']}".encode()).hexdigest()


def _set(call: Call, arguments: Arguments) -> Object:
    inputs = arguments["metafields"]
    if len(inputs) > _MOST_AT_ONCE:
        message = f"Exceeded the maximum metafields input limit of {_MOST_AT_ONCE}."
        raise refuse(["metafields"], message, "LESS_THAN_OR_EQUAL_TO")
    errors: list[Object] = []
    owners: dict[str, Object] = {}
    written: list[Object] = []
    for index, given in enumerate(inputs):
        owner = owners.get(given["ownerId"]) or call.state.get(given["ownerId"])
        if owner is None or split_gid(owner["id"])[0] not in OWNER_TYPES:
            errors.append(_set_error(index, ["ownerId"], "Owner does not exist.", "INVALID_VALUE"))
            continue
        owners[owner["id"]] = owner
        if wrong := _digest_problem(owner, given):
            errors.append(_set_error(index, [], *wrong))
            continue
        problems = write(call, owner, [given], replace=False)
        owner["updatedAt"] = call.state.now()
        # Stored at once: the next one of the list must find its value taken. A refusal undoes all of it.
        call.state.put(owner)
        errors.extend(_set_error(index, path[1:], message, code) for path, message, code in problems)
        name = (full_namespace(given.get("namespace")), given["key"])
        written.extend(it for it in owner["metafields"] if (it["namespace"], it["key"]) == name)
    if errors:
        raise Refused(errors)
    return {"metafields": written}


def _set_error(index: int, path: list[str | int], message: str, code: str | None) -> Object:
    return user_error(["metafields", index, *path], message, code, elementIndex=None)


def _digest_problem(owner: Object, given: Object) -> tuple[str, str] | None:
    if "compareDigest" not in given:
        return None
    name = (full_namespace(given.get("namespace")), given["key"])
    before = next((it for it in owner.get("metafields", ()) if (it["namespace"], it["key"]) == name), None)
    wanted = given["compareDigest"]
    if wanted is not None and not re.fullmatch(r"[0-9a-f]{64}", wanted):
        return "Invalid `compareDigest` value.", "INVALID_COMPARE_DIGEST"
    if (digest(before) if before else None) == wanted:
        return None
    message = "The resource has been updated since it was loaded. Try again with an updated `compareDigest` value."
    return message, "STALE_OBJECT"


def _delete(call: Call, arguments: Arguments) -> Object:
    deleted: list[Object | None] = []
    for given in arguments["metafields"]:
        owner = call.state.get(given["ownerId"])
        name = (full_namespace(given["namespace"]), given["key"])
        left = [it for it in (owner or {}).get("metafields", ()) if (it["namespace"], it["key"]) != name]
        if owner is None or len(left) == len(owner.get("metafields", ())):
            deleted.append(None)
            continue
        owner["metafields"] = left
        call.state.put(owner)
        deleted.append({"ownerId": owner["id"], "namespace": name[0], "key": name[1]})
    return {"deletedMetafields": deleted}


def _metafield(_: Call, owner: Object, arguments: Arguments) -> Object | None:
    namespace, key = arguments.get("namespace"), arguments["key"]
    if namespace is None and "." in key:
        namespace, _, key = key.partition(".")
    name = (full_namespace(namespace), key)
    return next((it for it in owner.get("metafields", ()) if (it["namespace"], it["key"]) == name), None)


def _metafields(_: Call, owner: Object, arguments: Arguments) -> Object:
    found = owner.get("metafields", ())
    if (namespace := arguments.get("namespace")) is not None:
        found = [it for it in found if it["namespace"] == full_namespace(namespace)]
    if (keys := arguments.get("keys")) is not None:
        found = [it for it in found if it["key"] in keys or f"{it['namespace']}.{it['key']}" in keys]
    return page_of(list(found), arguments)


def _owner(call: Call, metafield: Object, _: Arguments) -> Any:
    return call.state.get(metafield["ownerId"])


def _definition(call: Call, metafield: Object, _: Arguments) -> Object | None:
    return definition_of(call, metafield["ownerType"], metafield["namespace"], metafield["key"])


def _reference(call: Call, metafield: Object, _: Arguments) -> Object | None:
    return call.state.get(metafield["value"]) if metafield["type"].endswith("_reference") else None


PART = Part(
    mutations={"metafieldsSet": _set, "metafieldsDelete": _delete},
    fields={
        "*.metafield": _metafield,
        "*.metafields": _metafields,
        "Metafield.owner": _owner,
        "Metafield.definition": _definition,
        "Metafield.reference": _reference,
        "Metafield.compareDigest": lambda _, it, __: digest(it),
        "Metafield.jsonValue": lambda _, it, __: as_json(it["type"], it["value"]),
        "Metafield.sizeInBytes": lambda _, it, __: len(it["value"].encode()),
    },
)

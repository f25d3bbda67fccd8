"""Definitions of metafields.

What lives here: creating and listing them, with the refusals recorded. Values under a
definition are `metafields.py`'s.
"""

import re

from graftport_dagster.simulator.answers import Refused, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.metafield_values import TYPES
from graftport_dagster.simulator.metafields import definition_of, full_namespace
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object

_MOST_PER_OWNER = 256
_OWNER_WORDS = {"PRODUCTVARIANT": "ProductVariant", "MEDIA_IMAGE": "MediaImage"}


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["definition"]
    owner_type, namespace = given["ownerType"], full_namespace(given.get("namespace"))
    if errors := _name_errors(given, namespace):
        raise Refused(errors)
    if error := _use_error(call, given, owner_type, namespace):
        raise Refused([error])
    unique = given["type"] == "id" or _asked_unique(given) is True
    definition = {
        "id": call.state.new_id("MetafieldDefinition"),
        "name": given["name"], "namespace": namespace, "key": given["key"], "ownerType": owner_type,
        "type": given["type"], "description": given.get("description"), "unique": unique,
        "validations": given.get("validations") or [], "pinnedPosition": 1 if given.get("pin") else None,
        "validationStatus": "ALL_VALID", "useAsCollectionCondition": bool(given.get("useAsCollectionCondition")),
    }  # fmt: skip
    call.state.put(definition)
    return {"createdDefinition": definition}


def _error(field: list[str], message: str, code: str) -> Object:
    return user_error(["definition", *field], message, code, elementIndex=None, elementKey=None)


def _name_errors(given: Object, namespace: str) -> list[Object]:
    errors = []
    for field, text, low, high in (
        ("namespace", namespace, 3, 255), ("key", given["key"], 2, 64), ("name", given["name"], 1, 255),
    ):  # fmt: skip
        shown = field.capitalize()
        if len(text) < low:
            errors.append(_error([field], f"{shown} is too short (minimum is {low} characters)", "TOO_SHORT"))
        elif len(text) > high:
            errors.append(_error([field], f"{shown} is too long (maximum is {high} characters)", "TOO_LONG"))
        elif field != "name" and not re.fullmatch(r"[\w-]+", text, re.ASCII):
            errors.append(_error([field], f"{shown} contains one or more invalid characters.", "INVALID_CHARACTER"))
    if given["type"] not in TYPES:
        message = f"Type name {given['type']} is not a valid type. Valid types are: {', '.join(TYPES)}."
        errors.append(_error(["type"], message, "INCLUSION"))
    return errors


def _asked_unique(given: Object) -> bool | None:
    asked = ((given.get("capabilities") or {}).get("uniqueValues") or {}).get("enabled")
    return None if asked is None else bool(asked)


def _use_error(call: Call, given: Object, owner_type: str, namespace: str) -> Object | None:
    if given["type"] == "id" and _asked_unique(given) is False:
        message = "Capability unique_values is required for type id but is disabled"
        return _error([], message, "CAPABILITY_REQUIRED_BUT_DISABLED")
    if definition_of(call, owner_type, namespace, given["key"]) is not None:
        owner = _OWNER_WORDS.get(owner_type, owner_type.replace("_", " ").title().replace(" ", ""))
        message = f"Key is in use for {owner} metafields on the '{namespace}' namespace."
        return _error(["key"], message, "TAKEN")
    if len(call.state.find("definitions", owner_type)) >= _MOST_PER_OWNER:
        message = f"Stores can only have {_MOST_PER_OWNER} definitions for each store resource."
        return _error([], message, "RESOURCE_TYPE_LIMIT_EXCEEDED")
    return None


def _list(call: Call, _: None, arguments: Arguments) -> Object:
    found = [call.state.get(gid) or {} for gid in call.state.find("definitions", arguments["ownerType"])]
    for name in ("namespace", "key"):
        if (wanted := arguments.get(name)) is not None:
            text = full_namespace(wanted) if name == "namespace" else wanted
            found = [it for it in found if it[name] == text]
    return page_of(found, arguments)


def _one(call: Call, _: None, arguments: Arguments) -> Object | None:
    identifier = arguments.get("identifier")
    if identifier is None:
        return call.take(arguments["id"], "MetafieldDefinition") if arguments.get("id") else None
    namespace = full_namespace(identifier.get("namespace"))
    return definition_of(call, identifier["ownerType"], namespace, identifier["key"])


def _keys(it: Object) -> list[tuple[str, str]]:
    return [
        ("definition", f"{it['ownerType']}:{it['namespace']}.{it['key']}"),
        ("definitions", it["ownerType"]),
    ]


def _capabilities(_: Call, it: Object, __: Arguments) -> Object:
    off = {"enabled": False, "eligible": True}
    return {
        "uniqueValues": {"enabled": it["unique"], "eligible": True},
        "adminFilterable": {**off, "status": "NOT_FILTERABLE"}, "smartCollectionCondition": off,
        "analyticsQueryable": off, "cartToOrderCopyable": off,
    }  # fmt: skip


def _type(_: Call, it: Object, __: Arguments) -> Object:
    category = "ID" if it["type"] == "id" else "TEXT"
    return {"name": it["type"], "category": category, "supportedValidations": [], "valueType": "STRING"}


PART = Part(
    queries={"metafieldDefinitions": _list, "metafieldDefinition": _one},
    mutations={"metafieldDefinitionCreate": _create},
    fields={
        "MetafieldDefinition.capabilities": _capabilities,
        "MetafieldDefinition.type": _type,
        "MetafieldDefinition.access": lambda *_: {"admin": "PUBLIC_READ_WRITE", "storefront": "NONE"},
    },
    keys={"MetafieldDefinition": _keys},
)

"""References inside payloads: finding them, and putting Shopify's ids in their place.

A mapping writes `{"$ref": {"resource_type": "collections", "source_id": "12"}}`, with `part` and
`part_id` for a piece of a record, wherever Shopify wants an id; in a redirect's `target` it
stands for the address of the record. Which identities exist is asked of the record store by the
loader; here is only the walk over the payload.
"""

from collections.abc import Callable, Iterator
from typing import Any

from graftport_dagster.errors import TransformError
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType

_KEYS = frozenset({"resource_type", "source_id", "part", "part_id"})


def reference_of(value: object) -> RecordKey | None:
    """The record that `{"$ref": {…}}` names; None for anything else. Raises TransformError for a crooked one."""
    if not isinstance(value, dict) or "$ref" not in value:
        return None
    target = value["$ref"]
    if (
        len(value) != 1
        or not isinstance(target, dict)
        or not set(target) <= _KEYS
        or not all(isinstance(item, str) and item for item in target.values())
        or not {"resource_type", "source_id"} <= set(target)
    ):
        raise TransformError(
            "A reference is written {\"$ref\": {\"resource_type\": …, \"source_id\": …}}, with text values.",
            code="BAD_REFERENCE", hint="Use $ref(resource_type, source_id) in the mapping.",
        )  # fmt: skip
    return RecordKey(target["resource_type"], target["source_id"], target.get("part", ""), target.get("part_id", ""))


def references(payload: object) -> Iterator[RecordKey]:
    """Every reference in a payload, in document order, repeated ones repeated."""
    if isinstance(payload, dict):
        if (key := reference_of(payload)) is not None:
            yield key
            return
        for value in payload.values():
            if isinstance(value, dict | list):
                yield from references(value)
    elif isinstance(payload, list):
        for value in payload:
            if isinstance(value, dict | list):
                yield from references(value)


def resolve(payload: Any, put: Callable[[RecordKey], str]) -> Any:
    """A copy of the payload with every reference replaced by what `put` gives for it."""
    if isinstance(payload, dict):
        if (key := reference_of(payload)) is not None:
            return put(key)
        return {name: resolve(value, put) if isinstance(value, dict | list) else value
                for name, value in payload.items()}  # fmt: skip
    return [resolve(value, put) if isinstance(value, dict | list) else value for value in payload]


_ADDRESSES = {
    ResourceType.PRODUCTS: "/products/",
    ResourceType.COLLECTIONS: "/collections/",
    ResourceType.BLOGS: "/blogs/",
}


def address(identity: Identity) -> str:
    """The path of a landed record in the online store; its GID where it has no page of its own."""
    try:
        prefix = _ADDRESSES[ResourceType(identity.key.resource_type)]
    except (KeyError, ValueError):
        return identity.gid
    return prefix + identity.handle


def waits_for(payload: JsonObject, landed: Callable[[RecordKey], bool]) -> tuple[RecordKey, ...]:
    """The references of a payload that have not landed, each once."""
    return tuple(dict.fromkeys(key for key in references(payload) if not landed(key)))

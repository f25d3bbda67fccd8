"""References inside payloads: finding them, and putting Shopify's ids in their place.

A mapping writes `{"$ref": {"resource_type": "collections", "source_id": "12"}}`, with `part` and
`part_id` for a piece of a record, wherever Shopify wants an id; in a redirect's `target` it
stands for the address of the record. Which identities exist is asked of the record store by the
loader; here is only the walk over the payload.
"""

from collections.abc import Callable, Mapping
from operator import is_not
from typing import Any

from graftport_dagster.errors import MissingReferenceError, TransformError
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


def references(payload: JsonObject) -> tuple[RecordKey, ...]:
    """Every record that a payload refers to, each once. Raises TransformError for a crooked reference."""
    found: dict[RecordKey, None] = {}
    waiting: list[Any] = [payload]
    while waiting:
        value = waiting.pop()
        if type(value) is list:
            waiting.extend(item for item in value if type(item) is dict or type(item) is list)
        elif (key := reference_of(value)) is not None:
            found[key] = None
        else:
            waiting.extend(item for item in value.values() if type(item) is dict or type(item) is list)
    return tuple(found)


def resolve_own(value: Any, parts: Mapping[RecordKey, Identity]) -> Any:
    """The value with the GIDs of the record's own parts. Raises MissingReferenceError for a part that it has not."""

    def put(key: RecordKey) -> str:
        if key not in parts:
            raise MissingReferenceError(
                f"It refers to its own {key.part} {key.part_id}, which it does not have in Shopify.",
                code="NO_SUCH_PART", hint="Give parts in the order of the lists, and refer to them by those ids.",
            )  # fmt: skip
        return parts[key].gid

    return resolve(value, put) if isinstance(value, dict | list) else value


def resolve(payload: Any, put: Callable[[RecordKey], str | JsonObject]) -> Any:
    """The payload with every reference replaced by what `put` gives; parts without any are shared, not copied."""
    if type(payload) is list:
        copied = [resolve(item, put) if type(item) is dict or type(item) is list else item for item in payload]
        return copied if any(map(is_not, copied, payload)) else payload
    if (key := reference_of(payload)) is not None:
        return put(key)
    changed = {}
    for name, value in payload.items():
        if type(value) is dict or type(value) is list:
            copy = resolve(value, put)
            if copy is not value:
                changed[name] = copy
    return {**payload, **changed} if changed else payload


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
    # A page's handle is its whole address: it stands in no blog.
    return identity.handle if identity.handle.startswith("/") else prefix + identity.handle

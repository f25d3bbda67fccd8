"""Who says which products a collection has: the products or the collection, never both.

`productSet` takes a product's collections as a whole, so that members chosen by hand on the other side
would come and go with every load. Conditions (rules) are the collection's own and concern neither.
"""

from collections.abc import Mapping
from typing import Any

from graftport_dagster.errors import ConfigurationError, TransformError
from graftport_dagster.records import JsonObject, ResourceType

OWNERS = ("products", "collections")


def check_membership(resource_type: ResourceType, envelope: JsonObject, settings: Mapping[str, Any]) -> None:
    """Raises TransformError for a payload that says members which the setting `members` gives to the other side.

    ConfigurationError for a setting that is neither.
    """
    owner = settings.get("members", "products")
    if owner not in OWNERS:
        raise ConfigurationError(
            f"The setting members is {owner!r}.", code="MEMBERS_ELSEWHERE", path="settings.members",
            hint=f"It is one of: {', '.join(OWNERS)}.",
        )  # fmt: skip
    given = envelope.get("input", {})
    if resource_type is ResourceType.PRODUCTS and owner == "collections" and given.get("collections"):
        raise TransformError(
            "Collections say who is in them (the setting members), and this product names collections as well.",
            code="MEMBERS_ELSEWHERE", path="input.collections",
            hint="Leave collections out of the product in the mapping, or set members: products.",
        )  # fmt: skip
    is_chosen = resource_type is ResourceType.COLLECTIONS and any(map(_chosen, given.get("sources") or ()))
    if is_chosen and owner == "products":
        raise TransformError(
            "Products say which collections they are in (the setting members), and this collection names products.",
            code="MEMBERS_ELSEWHERE", path="input.sources",
            hint="Leave the selections out of the collection in the mapping, or set members: collections.",
        )  # fmt: skip


def _chosen(source: JsonObject) -> bool:
    return bool(((source.get("source") or {}).get("inclusion") or {}).get("selections"))

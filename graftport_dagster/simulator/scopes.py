"""Which access scopes the app has, and the refusal when one is missing.

What lives here: the scopes a migration could ask for and Shopify's ACCESS_DENIED. The texts of
what each field requires come with the schema.
"""

import re
from collections.abc import Mapping

from graftport_dagster.simulator.answers import TopLevelError
from graftport_dagster.simulator.parts import Call

_NAMES = (  # noqa: SIM905 - words read better in a line
    "products inventory locations publications files customers orders discounts gift_cards gift_card_transactions "
    "content online_store_pages online_store_navigation markets metaobjects metaobject_definitions translations "
    "merchant_managed_fulfillment_orders assigned_fulfillment_orders third_party_fulfillment_orders fulfillments"
).split()
ALL_SCOPES = (*(f"{verb}_{name}" for name in _NAMES for verb in ("read", "write")), "read_all_orders")
_SCOPE = re.compile(r"`((?:read|write)_\w+)`")


def granted(call: Call) -> tuple[str, ...]:
    """The scopes the app has."""
    return ALL_SCOPES if call.settings.scopes is None else call.settings.scopes


def check_access(call: Call, required_access: Mapping[str, str], name: str) -> None:
    """Raises ACCESS_DENIED when a root field asks for scopes of which the app has none."""
    if call.settings.scopes is None or (required := required_access.get(name)) is None:
        return
    asked = _SCOPE.findall(required)
    has = set(granted(call)) | {f"read_{scope.removeprefix('write_')}" for scope in granted(call)}
    if asked and not has.intersection(asked):
        message = f"Access denied for {name} field. Required access: {required}"
        documentation = "https://shopify.dev/api/usage/access-scopes"
        raise TopLevelError("ACCESS_DENIED", message, documentation=documentation, requiredAccess=required)

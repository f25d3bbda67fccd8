"""The shop itself, the app in it, and what a preflight asks.

What lives here: shop, currentAppInstallation, publicApiVersions, node and nodes, jobs and counts that all types
share. Locations are in `locations.py`, publications in `publications.py`.
"""

from typing import Any

from graftport_dagster.simulator import idempotency
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.scopes import granted
from graftport_dagster.simulator.state import Object, State, gid_of, split_gid

_PLAN_NAMES = {
    "standard": "Basic", "advanced": "Advanced", "plus": "Shopify Plus", "enterprise": "Shopify Plus",
    "development": "Development", "unlimited": "Development",
}  # fmt: skip
API_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")


def shop_id(state: State) -> str:
    """The shop's global id, for the life of the state file."""
    return gid_of("Shop", state.shop_number)


def domain(state: State) -> str:
    """The shop's permanent domain."""
    return f"simulated-{state.shop_number}.myshopify.com"


def the_shop(call: Call, *_: Any) -> Object:
    """The shop as fields show it."""
    state, settings = call.state, call.settings
    stored = state.get(shop_id(state)) or {}
    name = domain(state)
    return {
        "id": shop_id(state), "name": settings.shop_name, "myshopifyDomain": name, "currencyCode": settings.currency,
        "email": f"owner@{name}", "contactEmail": f"owner@{name}", "ianaTimezone": "Etc/UTC",
        "timezoneAbbreviation": "UTC", "timezoneOffset": "+0000", "timezoneOffsetMinutes": 0, "taxesIncluded": False,
        "taxShipping": False, "weightUnit": "KILOGRAMS", "unitSystem": "METRIC_SYSTEM", "url": f"https://{name}",
        "enabledPresentmentCurrencies": [settings.currency], "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": state.now(), "setupRequired": False, "checkoutApiSupported": False,
        "primaryDomain": {
            "id": gid_of("Domain", state.shop_number), "host": name, "url": f"https://{name}", "sslEnabled": True,
        },
        "plan": {
            "displayName": _PLAN_NAMES[settings.plan], "publicDisplayName": _PLAN_NAMES[settings.plan],
            "partnerDevelopment": settings.plan in {"development", "unlimited"},
            "shopifyPlus": settings.plan in {"plus", "enterprise"},
        },
        "resourceLimits": {
            "maxProductOptions": 3, "maxProductVariants": 2048, "locationLimit": 200, "redirectLimitReached": False,
            "skuResourceLimits": {"available": 2_000_000, "quantityAvailable": 2_000_000, "quantityLimit": 2_000_000,
                                  "quantityUsed": 0},
        },
        "metafields": stored.get("metafields", []),
    }  # fmt: skip


def _installation(call: Call, *_: Any) -> Object:
    return {
        "id": gid_of("AppInstallation", call.state.shop_number),
        "accessScopes": [{"handle": handle, "description": handle} for handle in granted(call)],
        "launchUrl": f"https://{domain(call.state)}/admin/apps/graftport",
        "app": app(call),
    }


def app(call: Call, *_: Any) -> Object:
    """The app that asks."""
    installation = {"id": gid_of("AppInstallation", call.state.shop_number)}
    return {
        "id": gid_of("App", 1_000_001), "title": "Graftport", "handle": "graftport", "developerName": "Graftport",
        "apiKey": "graftport", "embedded": False, "installation": installation,
    }  # fmt: skip


def _versions(*_: Any) -> list[Object]:
    return [{"handle": it, "displayName": it, "supported": True} for it in API_VERSIONS]


def _node(call: Call, _: None, arguments: Arguments) -> Object | None:
    return find_node(call, arguments["id"])


def find_node(call: Call, gid: str) -> Object | None:
    """Any object by id."""
    kind = split_gid(gid)[0]
    if kind == "Shop":
        return {**the_shop(call), "__typename": "Shop"} if gid == shop_id(call.state) else None
    if kind == "InventoryItem":
        variant = call.state.find_one("inventory item", gid)
        return variant["inventoryItem"] if variant else None
    return None if kind.startswith("_") else call.state.get(gid)


def _nodes(call: Call, _: None, arguments: Arguments) -> list[Object | None]:
    return [find_node(call, gid) for gid in arguments["ids"]]


def _job(_: Call, __: None, arguments: Arguments) -> Object:
    return {"id": arguments["id"], "done": True}


def _legacy_id(_: Call, source: Object, __: Arguments) -> str:
    return str(split_gid(source["id"])[1])


PART = Part(
    queries={
        "shop": the_shop, "currentAppInstallation": _installation, "publicApiVersions": _versions,
        "node": _node, "nodes": _nodes, "job": _job,
    },
    fields={
        "*.legacyResourceId": _legacy_id,
        "*.storefrontId": lambda _, it, __: it["id"],
        "*.defaultCursor": lambda _, it, __: str(split_gid(it["id"])[1]),
        "*.shop": the_shop,
        "*.app": app,
        "Job.query": lambda *_: {},
    },
    keys={"_IdempotencyKey": idempotency.keys},
)  # fmt: skip

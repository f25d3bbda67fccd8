"""What must be true of a Shopify store before anything is loaded into it, made true where that is ours to do.

Idempotent: asks one question per run and store; creates the `id` metafield definitions that are
missing. Scopes, locations, publications, the API version and the clock are only looked at.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from graftport_dagster.errors import ConfigurationError, CredentialsError, GraftportError
from graftport_dagster.loaders.plan import Caller
from graftport_dagster.loaders.products import ID_KEY, ID_NAMESPACE
from graftport_dagster.migration import Migration
from graftport_dagster.records import CheckResult, Identity, RecordKey, ResourceType
from graftport_dagster.shopify.documents import document

# Any of the scopes in a row will do (source: requiredAccess in the schema's own introspection data).
_SCOPES: Mapping[ResourceType, tuple[tuple[str, ...], ...]] = {
    ResourceType.COLLECTIONS: (("write_products",), ("write_publications",)),
    ResourceType.PRODUCTS: (("write_products",), ("write_publications",), ("write_inventory",), ("read_locations",)),
    ResourceType.CUSTOMERS: (("write_customers",),),
    ResourceType.ORDERS: (
        ("write_orders",),
        ("read_all_orders",),
        (
            "write_merchant_managed_fulfillment_orders",
            "write_assigned_fulfillment_orders",
            "write_third_party_fulfillment_orders",
        ),
    ),
    ResourceType.DISCOUNT_CODES: (("write_discounts",),),
    ResourceType.GIFT_CARDS: (("write_gift_cards",), ("write_gift_card_transactions",)),
    ResourceType.BLOGS: (("write_content", "write_online_store_pages"),),
    ResourceType.MARKETS: (("write_markets",), ("write_products",)),
    ResourceType.REDIRECTS: (("write_online_store_navigation",),),
}
# What a menu of the collections needs beside.
MENU_SCOPE = "write_online_store_navigation"
_OWNERS: Mapping[ResourceType, tuple[str, ...]] = {
    ResourceType.COLLECTIONS: ("COLLECTION",),
    ResourceType.CUSTOMERS: ("CUSTOMER",),
    ResourceType.ORDERS: ("ORDER",),
    ResourceType.PRODUCTS: ("PRODUCT", "PRODUCTVARIANT"),
}
_LOCATIONS = 200
_PUBLICATIONS = 50
# Shopify refuses orders and consents from the future; of two changes the later one is to win.
_CLOCK_LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The Shopify store that answered. `publications`, `locations`: name → GID, inactive locations left out.

    `clock_ahead_seconds`: how far this machine's clock is ahead of Shopify's, to a second or two.
    """

    gid: str
    domain: str
    name: str
    plan: str
    publications: Mapping[str, str] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict)
    clock_ahead_seconds: float = 0.0


def _now() -> datetime:
    return datetime.now(UTC)


def ask(caller: Caller, *, now: Callable[[], datetime] = _now) -> StoreFacts:
    """One question: who is it, what may we do, where is its stock, where does it sell, what time is it there."""
    variables = {"locations": _LOCATIONS, "publications": _PUBLICATIONS}
    answer = caller.call(document("preflight"), variables, repeatable=True)
    data = answer.data
    shop = data["shop"]
    return StoreFacts(
        gid=shop["id"],
        domain=shop["myshopifyDomain"],
        name=shop["name"],
        plan=shop["plan"]["publicDisplayName"],
        publications={node["name"]: node["id"] for node in data["publications"]["nodes"]},
        locations={node["name"]: node["id"] for node in data["locations"]["nodes"] if node["isActive"]},
        scopes=frozenset(node["handle"] for node in data["currentAppInstallation"]["accessScopes"]),
        definitions={
            owner: data[owner]["nodes"][0]["type"]["name"]
            for owner in ("PRODUCT", "PRODUCTVARIANT", "COLLECTION", "CUSTOMER", "ORDER", "LOCATION")
            if data[owner]["nodes"]
        },
        clock_ahead_seconds=_ahead(answer.date, now()),
    )


def _ahead(date: str, now: datetime) -> float:
    try:
        there = parsedate_to_datetime(date)
    except ValueError:
        # It says nothing of its time.
        return 0.0
    return (now - (there if there.tzinfo else there.replace(tzinfo=UTC))).total_seconds()


def wrong_clock(facts: StoreFacts) -> str:
    """The sentence that says how far this machine's clock is off; "" where it is right within a minute."""
    seconds = facts.clock_ahead_seconds
    if abs(seconds) <= _CLOCK_LIMIT_SECONDS:
        return ""
    return f"This machine's clock is {abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'} Shopify's."


def missing_scopes(facts: StoreFacts, resource_types: Iterable[ResourceType]) -> list[str]:
    """Scopes that the app lacks for these types, each once."""
    needed = dict.fromkeys(choice for resource_type in resource_types for choice in _SCOPES.get(resource_type, ()))
    return [choice[0] for choice in needed if not facts.scopes.intersection(choice)]


def prepare(caller: Caller, facts: StoreFacts, resource_types: Iterable[ResourceType]) -> None:
    """Refuses a store that lacks a scope, and creates the id definitions that are missing.

    Raises CredentialsError naming every missing scope, ConfigurationError for a definition of another type.
    """
    resource_types = tuple(resource_types)
    if missing := missing_scopes(facts, resource_types):
        raise CredentialsError(
            f"The app may not do this in {facts.domain}; it lacks: {', '.join(missing)}.", code="MISSING_SCOPE",
            hint="Grant these access scopes to the app, release the version and install it again.",
        )  # fmt: skip
    for owner in dict.fromkeys(owner for kind in resource_types for owner in _OWNERS.get(kind, ())):
        if owner not in facts.definitions:
            _define(caller, owner)
        elif facts.definitions[owner] != "id":
            raise ConfigurationError(
                f"The metafield definition {ID_NAMESPACE}.{ID_KEY} of {owner} has the type {facts.definitions[owner]}, "
                "not id.", code="DEFINITION_TYPE", hint="Delete that definition in Shopify, then run again.",
            )  # fmt: skip


def _define(caller: Caller, owner: str) -> None:
    definition = {
        "name": "Graftport source id", "namespace": ID_NAMESPACE, "key": ID_KEY, "type": "id", "ownerType": owner,
    }  # fmt: skip
    answer = caller.call(document("metafield_definition_create"), {"definition": definition}, repeatable=False)
    # Another run may have made it between our question and this call.
    if refused := [error for error in answer.user_errors if error.code != "TAKEN"]:
        raise ConfigurationError(
            f"Shopify refused the metafield definition for {owner}: {refused[0].message}", code="DEFINITION_REFUSED",
            hint="Create a definition of type id with namespace graftport and key source_id by hand.",
        )  # fmt: skip


def locations(migration: Migration, facts: StoreFacts) -> list[Identity]:
    """Which Shopify location each of the source's is: as the migration file says, `default` the first active one."""
    found = []
    for source_id, target in {"default": "", **migration.locations}.items():
        gid = target if target.startswith("gid://") else facts.locations.get(target, "")
        if not target and facts.locations:
            gid = next(iter(facts.locations.values()))
        if target and not gid:
            raise ConfigurationError(
                f"The store has no active location {target}.", code="UNKNOWN_LOCATION", path=f"locations.{source_id}",
                hint=f"There are: {', '.join(sorted(facts.locations)) or 'none'}.",
            )  # fmt: skip
        if gid:
            found.append(Identity(RecordKey("locations", source_id), gid))
    return found


def check(
    caller: Caller, migration: Migration, resource_types: Iterable[ResourceType], *, now: Callable[[], datetime] = _now
) -> list[CheckResult]:
    """What `graftport check` says of the Shopify store; changes nothing."""
    try:
        facts = ask(caller, now=now)
    except GraftportError as error:
        return [CheckResult("shopify", ok=False, detail=error.message, hint=error.hint)]
    results = [CheckResult("shopify", ok=True, detail=f"{facts.name} ({facts.domain}), {facts.plan}")]
    off = wrong_clock(facts)
    hint = "Set it by a time server, or times of orders and consents will be wrong." if off else ""
    results.append(CheckResult("clock", not off, off or "that of Shopify, within a minute", hint))
    missing = missing_scopes(facts, resource_types)
    if migration.menu is not None and MENU_SCOPE not in (*facts.scopes, *missing):
        missing.append(MENU_SCOPE)
    hint = f"Grant: {', '.join(missing)}." if missing else ""
    results.append(CheckResult("scopes", not missing, f"{len(facts.scopes)} granted", hint))
    try:
        known = locations(migration, facts)
        results.append(CheckResult("locations", ok=True, detail=f"{len(facts.locations)} active, {len(known)} in use"))
    except ConfigurationError as error:
        results.append(CheckResult("locations", ok=False, detail=error.message, hint=error.hint))
    unknown = [name for name in migration.publications if name not in facts.publications]
    hint = f"There are: {', '.join(sorted(facts.publications))}." if unknown else ""
    detail = f"unknown: {', '.join(unknown)}" if unknown else ", ".join(migration.publications) or "none"
    results.append(CheckResult("publications", not unknown, detail, hint))
    wrong = {owner: kind for owner, kind in facts.definitions.items() if kind != "id"}
    detail = f"of another type: {', '.join(wrong)}" if wrong else f"{len(facts.definitions)} there, others are made"
    results.append(CheckResult("id definitions", not wrong, detail, "Delete them in Shopify." if wrong else ""))
    return results

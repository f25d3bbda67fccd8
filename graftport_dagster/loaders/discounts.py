"""Discounts by code: one create or update each, and further codes of the same discount by the hundred.

Facts (API 2026-10): there is no upsert and no id of ours; a code is unique in the store whatever its case, and
`codeDiscountNodeByCode` finds by it. An update only adds to products, collections, customers and countries, so what
is to go is said too. The code of a discount with several codes cannot be changed. Further codes are
`redeem_codes.py`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from graftport_dagster.errors import LoadRejectedError
from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.groups import CONTENT
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Step
from graftport_dagster.loaders.redeem_codes import code_steps
from graftport_dagster.records import JsonObject, RecordKey, ResourceType
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

_KINDS = {"basicCodeDiscount": "basic", "bxgyCodeDiscount": "bxgy", "freeShippingCodeDiscount": "free_shipping"}
_TYPES = {
    "basicCodeDiscount": "DiscountCodeBasic", "bxgyCodeDiscount": "DiscountCodeBxgy",
    "freeShippingCodeDiscount": "DiscountCodeFreeShipping",
}  # fmt: skip
_WATCHED = ("title", "startsAt", "endsAt", "usageLimit", "appliesOncePerCustomer", "usesPerOrderLimit", "combinesWith",
            "maximumShippingPrice", "minimumRequirement")  # fmt: skip
_SIDES = {"customerGets": "gets", "customerBuys": "buys"}
_PAGE = 250


class DiscountLoader:
    """Loads discounts with their codes."""

    resource_type = ResourceType.DISCOUNT_CODES
    repeats_creation = False
    has_identifier = False
    publishes = False
    watched_document = "discounts_watched"
    unwatched_groups = frozenset({"codes"})
    # Every use of a code changes it.
    is_timed = False
    sends_changed_groups = False

    def prepare(self, plan: Plan, caller: Caller) -> Plan:
        """An update says which products, collections, customers and countries go, by what Shopify has now."""
        if not plan.gid or self.call(plan) is None:
            return plan
        kind, given = _discount(plan)
        there = _read(plan.gid, caller)
        if there is None:
            return plan
        if there["__typename"] != _TYPES[kind]:
            raise LoadRejectedError(
                "Shopify cannot make another kind of discount of one that is there.", code="KIND_CHANGED",
                path=f"input.{kind}", hint="Delete the discount in Shopify, then load again; or give it another code.",
            )  # fmt: skip
        wanted = _replacing(given, there)
        # The code of a discount with several codes cannot be changed: another one comes in its place.
        if len(there["codes"]["nodes"]) > 1 or _has_code(given.get("code"), plan.gid, there, caller):
            wanted.pop("code", None)
        return replace(plan, envelope={**plan.envelope, "input": {kind: wanted}})

    def call(self, plan: Plan) -> Call | None:
        """`discountCode…Update` when the GID is known, else `discountCode…Create`."""
        if not plan.envelope["input"] or not (plan.is_new or CONTENT in plan.changed):
            return None
        kind, given = _discount(plan)
        if plan.gid:
            return Call(document(f"discount_{_KINDS[kind]}_update"), {"id": plan.gid, "discount": given})
        return Call(document(f"discount_{_KINDS[kind]}_create"), {"discount": given})

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Its further codes, in batches."""
        return code_steps(plan)

    def withdraw(self, plan: Plan) -> Call | None:
        """Deleted, or ended now, which is what the admin calls deactivated."""
        name = "discount_delete" if plan.withdrawal == "delete" else "discount_deactivate"
        return Call(document(name), {"id": plan.gid})

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:  # noqa: ARG002 - the protocol's
        """The discount; its handle is its code."""
        node = answer["codeDiscountNode"]
        code = str(_discount(plan)[1].get("code") or plan.record.handle)
        return Landed(node["id"], code, snapshot=snapshot(self, plan, node))

    def watched(self, node: JsonObject) -> JsonObject:
        """What it takes off, when and for how much; not the lists of what and whom it is for."""
        discount = node["codeDiscount"] or {}
        kind = next((kind for kind, name in _TYPES.items() if name == discount.get("__typename")), "")
        fields = {name: discount[name] for name in _WATCHED if name in discount}
        fields |= {side: discount[side]["value"] for side in _SIDES if side in discount}
        return {f"{kind}/{name}": value for name, value in fields.items()}

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:  # noqa: ARG002 - the protocol's
        """None: Shopify keeps no id of ours on a discount."""
        return None

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The discount that has our code, where that was refused as taken."""
        code = _discount(plan)[1].get("code")
        if not code or (error.code != "TAKEN" and "unique" not in error.message):
            return None
        node = caller.call(document("discount_by_code"), {"code": code}, repeatable=True).data
        if not node:
            return None
        made = (node["codeDiscount"] or {}).get("createdAt")
        return Found(node["id"], code, created_at=datetime.fromisoformat(made) if made else None)

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:  # noqa: ARG002 - the protocol's
        """None: what it has parts of is not named in a refusal."""
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's words for a discount that was deleted."""
        return error.message in ("Discount does not exist", "Code discount does not exist.")

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """Its own fields; what is not read counts as the same."""
        there = _read(plan.gid, caller)
        if there is None or not plan.envelope["input"]:
            return there and {}
        kind, given = _discount(plan)
        readable = ("title", "startsAt", "endsAt", "usageLimit", "appliesOncePerCustomer")
        return {kind: {**given, **{name: there.get(name) for name in readable}}}

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """A discount always has something to send."""
        return ""


def _discount(plan: Plan) -> tuple[str, JsonObject]:
    """Its kind, and what it is."""
    payload = plan.envelope["input"] or plan.record.payload["input"]
    kind = next(iter(payload))
    return kind, payload[kind]


def _has_code(code: Any, gid: str, there: JsonObject, caller: Caller) -> bool:
    """Whether the code is one of the discount's, so that nothing is to be said of it."""
    if not code:
        return True
    if code.lower() in {node["code"].lower() for node in there["codes"]["nodes"]}:
        return True
    return bool(caller.call(document("discount_by_code"), {"code": code}, repeatable=True).data.get("id") == gid)


def _read(gid: str, caller: Caller) -> JsonObject | None:
    """What the discount is now, its lists whole: `{"customerGets": {"products": [ids], …}, …}`."""
    cursors: JsonObject = {}
    chosen: dict[str, dict[str, list[str]]] = {side: {} for side in _SIDES}
    while True:
        variables = {"id": gid, "first": _PAGE, **cursors}
        data = caller.call(document("discount_read"), variables, repeatable=True).data
        discount: JsonObject | None = data.get("codeDiscount")
        if not discount:
            return None
        more = False
        for side, short in _SIDES.items():
            for name, page in ((discount.get(side) or {}).get("items") or {}).items():
                known = chosen[side].setdefault(name, [])
                known += [node["id"] for node in page["nodes"]]
                place = f"{short}{_CURSORS[name]}"
                cursors[place] = page["pageInfo"]["endCursor"] or cursors.get(place)
                more = more or page["pageInfo"]["hasNextPage"]
        if not more:
            return {**discount, **chosen}


_CURSORS = {"products": "Products", "productVariants": "Variants", "collections": "Collections"}
_LISTS = {
    "products": ("products", "productsToAdd", "productsToRemove"),
    "productVariants": ("products", "productVariantsToAdd", "productVariantsToRemove"),
    "collections": ("collections", "add", "remove"),
}


def _replacing(given: JsonObject, there: JsonObject) -> JsonObject:
    """The input with what is to go beside what is to be there."""
    changed = dict(given)
    for side in _SIDES:
        items = (given.get(side) or {}).get("items")
        if items and not items.get("all"):
            changed[side] = {**given[side], "items": _replacing_items(items, there[side])}
    for name, kind in (("customers", "customers"), ("customerSegments", "segments")):
        wanted = (given.get("context") or {}).get(name)
        if wanted is not None:
            known = [it["id"] for it in (there.get("context") or {}).get(kind) or ()]
            changed["context"] = {name: {**wanted, "remove": _others(known, wanted.get("add"))}}
    countries = (given.get("destination") or {}).get("countries")
    if countries is not None:
        gone = _others((there.get("destinationSelection") or {}).get("countries") or (), countries.get("add"))
        changed["destination"] = {**given["destination"], "countries": {**countries, "remove": gone}}
    return changed


def _replacing_items(items: JsonObject, there: Mapping[str, Sequence[str]]) -> JsonObject:
    changed = {name: dict(value) for name, value in items.items() if isinstance(value, dict)}
    for name, (place, add, remove) in _LISTS.items():
        if gone := _others(there.get(name, ()), (items.get(place) or {}).get(add)):
            changed.setdefault(place, {})[remove] = gone
    return changed


def _others(known: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    keeps = set(wanted or ())
    return [it for it in known if it not in keeps]

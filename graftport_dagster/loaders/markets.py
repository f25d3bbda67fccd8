"""Markets: where a shop sells and in which currency, then the address, the catalogs and the prices there.

Facts (API 2026-10): there is no upsert and no id of ours; a market's name is unique in the store. A country is in one
active market only, and every store has a primary market from the start. An update names the countries that come and
those that go. Web presences, catalogs and prices are steps of their own, in `market_steps.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.groups import CONTENT
from graftport_dagster.loaders.market_leavings import clear, leaving_steps
from graftport_dagster.loaders.market_steps import PRESENCE, market_steps, parts_there, with_domains
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Step
from graftport_dagster.records import JsonObject, RecordKey, ResourceType
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

_PAGE = 250
_SWITCHES = ("localCurrencies", "roundingEnabled")
_ONLY_CREATED = ("regions", "catalogs", "webPresences", "discounts", "delivery")


class MarketLoader:
    """Loads markets with what belongs to them."""

    resource_type = ResourceType.MARKETS
    repeats_creation = False
    has_identifier = False
    publishes = False
    watched_document = "markets_watched"
    unwatched_groups = frozenset({"addresses", "price"})
    # Shopify does not say when a market changed.
    is_timed = False
    sends_changed_groups = False

    def prepare(self, plan: Plan, caller: Caller) -> Plan:
        """An update says which countries come and go; parts that were deleted in Shopify are made again."""
        plan = replace(plan, parts=with_domains(plan, caller))
        if not plan.gid:
            return plan
        variables = {"id": plan.gid, "first": _PAGE}
        there = caller.call(document("market_read"), variables, repeatable=True).data
        if not there:
            return plan
        parts = parts_there(plan, there, caller)
        payload = plan.envelope["input"]
        if (wanted := _countries(payload)) is not None:
            payload = {**payload, "conditions": _change(there, wanted)}
        return replace(plan, parts=parts, envelope={**plan.envelope, "input": payload})

    def call(self, plan: Plan) -> Call | None:
        """`marketUpdate` when the GID is known, else `marketCreate`."""
        payload = plan.envelope["input"]
        if not payload or not (plan.is_new or CONTENT in plan.changed):
            return None
        if not plan.gid:
            return Call(document("market_create"), {"input": payload})
        change = {name: value for name, value in payload.items() if name not in _ONLY_CREATED}
        conditions = change.pop("conditions", None)
        if conditions and conditions.keys() <= {"conditionsToAdd", "conditionsToDelete"}:
            change["conditions"] = conditions
        return Call(document("market_update"), {"id": plan.gid, "input": change}) if change else None

    def steps(self, plan: Plan) -> Sequence[Step]:
        """What leaves, then web presences, catalogs, price lists, fixed prices."""
        return (*leaving_steps(plan), *market_steps(plan))

    def withdraw(self, plan: Plan) -> Call | None:
        """Deleted, or made a draft with all that belongs to it."""
        if plan.withdrawal == "delete":
            return Call(document("market_delete"), {"id": plan.gid})
        return Call(document("market_update"), {"id": plan.gid, "input": {"status": "DRAFT"}})

    def clear(self, plan: Plan, caller: Caller) -> None:
        """Its catalogs, price lists and subfolders, whose names would be taken if it came back."""
        clear(plan, caller)

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:  # noqa: ARG002 - the protocol's
        """The market with its handle."""
        market = answer["market"]
        presences = tuple(part for key, part in plan.parts.items() if key.part == PRESENCE)
        return Landed(market["id"], market["handle"], presences, snapshot=snapshot(self, plan, market))

    def watched(self, node: JsonObject) -> JsonObject:
        """What it is called, whether it is open, where, and in which currency."""
        currency = node.get("currencySettings") or {}
        base = (currency.get("baseCurrency") or {}).get("currencyCode")
        settings = {**{name: currency.get(name) for name in _SWITCHES}, "baseCurrency": base}
        regions = [{"countryCode": code} for code in _known(node)]
        return {
            **{name: node[name] for name in ("name", "handle", "status") if name in node},
            **{f"currencySettings/{name}": value for name, value in settings.items()},
            "conditions": {"regionsCondition": {"regions": regions}}, "regions": regions,
        }  # fmt: skip

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:  # noqa: ARG002 - the protocol's
        """None: Shopify keeps no id of ours on a market."""
        return None

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The market that has our name or handle, where that was refused as taken."""
        field = error.field[-1:]
        if field not in (("name",), ("handle",)) or (error.code != "TAKEN" and "taken" not in error.message):
            return None
        wanted = str(plan.envelope["input"].get(field[0]) or "").lower()
        after = None
        while True:
            page = caller.call(document("markets"), {"first": _PAGE, "after": after}, repeatable=True).data
            for node in page["nodes"]:
                if node[field[0]].lower() == wanted:
                    return Found(node["id"], node["handle"])
            if not page["pageInfo"]["hasNextPage"]:
                return None
            after = page["pageInfo"]["endCursor"]

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:  # noqa: ARG002 - the protocol's
        """None: parts that are gone are noticed before an update."""
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's code for a market that was deleted."""
        return error.code == "MARKET_NOT_FOUND"

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """Its own fields; what is not read counts as the same."""
        variables = {"id": plan.gid, "first": _PAGE}
        there = caller.call(document("market_read"), variables, repeatable=True).data
        if not there:
            return None
        return {**plan.envelope["input"], **{name: there[name] for name in ("name", "handle", "status")}}

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """A market always has something to send."""
        return ""


def _countries(payload: JsonObject) -> list[JsonObject] | None:
    """The regions that a payload gives, in either place; None where it gives none."""
    given = (payload.get("conditions") or {}).get("regionsCondition") or {}
    regions: list[JsonObject] | None = given.get("regions", payload.get("regions"))
    return regions


def _known(there: JsonObject) -> list[str]:
    """The countries that a market has."""
    regions = ((there.get("conditions") or {}).get("regionsCondition") or {}).get("regions") or {"nodes": ()}
    return [node["code"] for node in regions["nodes"] if node.get("code")]


def _change(there: JsonObject, wanted: Sequence[Mapping[str, str]]) -> JsonObject:
    """The conditions of an update: what comes, and what goes."""
    known = _known(there)
    codes = {region["countryCode"] for region in wanted}
    added = [dict(region) for region in wanted if region["countryCode"] not in known]
    gone = [{"countryCode": code} for code in known if code not in codes]
    change = {"conditionsToAdd": added, "conditionsToDelete": gone}
    return {name: {"regionsCondition": {"regions": listed}} for name, listed in change.items() if listed}

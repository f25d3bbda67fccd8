"""Redirects: an old path leads to the live address of what was loaded.

Facts (API 2026-10): no id of ours and no identifier query exist; a path is unique in the store, so a
second create is refused, and the redirect is then found by its path. The words of that refusal are not
recorded anywhere, so any refusal of a creation is answered by looking.
"""

from collections.abc import Sequence

from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Step
from graftport_dagster.loaders.routes import normal
from graftport_dagster.records import JsonObject, RecordKey, ResourceType
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError


class RedirectLoader:
    """Loads redirects one by one."""

    resource_type = ResourceType.REDIRECTS
    repeats_creation = False
    has_identifier = False
    publishes = False
    watched_document = "redirects_watched"
    unwatched_groups: frozenset[str] = frozenset()
    is_timed = False
    sends_changed_groups = False

    def prepare(self, plan: Plan, caller: Caller) -> Plan:  # noqa: ARG002 - the protocol's
        """Nothing needs to be there first."""
        return plan

    def call(self, plan: Plan) -> Call:
        """`urlRedirectUpdate` when the GID is known, else `urlRedirectCreate`."""
        redirect = {name: plan.envelope["input"][name] for name in ("path", "target")}
        if plan.gid:
            return Call(document("url_redirect_update"), {"id": plan.gid, "urlRedirect": redirect})
        return Call(document("url_redirect_create"), {"urlRedirect": redirect})

    def steps(self, plan: Plan) -> Sequence[Step]:  # noqa: ARG002 - the protocol's
        """One call carries it whole."""
        return ()

    def withdraw(self, plan: Plan) -> Call | None:
        """Redirects can be deleted; Shopify has no archive for them."""
        return Call(document("url_redirect_delete"), {"id": plan.gid}) if plan.withdrawal == "delete" else None

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:  # noqa: ARG002 - the protocol's
        """The redirect; its handle is its path."""
        redirect = answer["urlRedirect"]
        # What was sent, to tell later whether it leads elsewhere; Shopify may write it in a way of its own.
        kept = snapshot(self, plan, redirect, target=plan.envelope["input"]["target"])
        return Landed(redirect["id"], redirect["path"], snapshot=kept)

    def watched(self, node: JsonObject) -> JsonObject:
        """Where it leads from and to."""
        return {name: node[name] for name in ("path", "target") if name in node}

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:  # noqa: ARG002 - the protocol's
        """None: Shopify keeps no id of ours on a redirect."""
        return None

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:  # noqa: ARG002
        """The redirect at our path, if there is one; one that leads where ours does is as good as ours."""
        redirect = plan.envelope["input"]
        node = self._at(str(redirect["path"]), caller)
        if node is None:
            return None
        if node["target"] != redirect["target"]:
            return Found(node["id"], node["path"])
        return Found(node["id"], node["path"], plan.identity, answer={"urlRedirect": node})

    def _at(self, path: str, caller: Caller) -> JsonObject | None:
        quoted = path.replace("\\", "\\\\").replace("'", "\\'")
        answer = caller.call(document("url_redirects"), {"query": f"path:'{quoted}'", "first": 10}, repeatable=True)
        nodes: list[JsonObject] = answer.data["nodes"]
        return next((node for node in nodes if node["path"] == path), None)

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:  # noqa: ARG002 - the protocol's
        """None: it has no parts."""
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's word for an update of a redirect that was deleted."""
        return error.code == "DOES_NOT_EXIST"

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """The redirect at our path."""
        node = self._at(str(plan.envelope["input"]["path"]), caller)
        return None if node is None else {"path": node["path"], "target": node["target"]}

    def nothing_to_send(self, plan: Plan) -> str:
        """A redirect to its own path would be a loop."""
        redirect = plan.envelope["input"]
        return "the address stays the same" if normal(redirect["path"]) == normal(redirect["target"]) else ""

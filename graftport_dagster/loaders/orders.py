"""Orders: `orderCreate` writes an order with its lines and payments; shipments and refunds follow, each once.

Facts (API 2026-10): `orderCreate` is no upsert, but takes the `id` metafield inside the create, and
`orderByIdentifier` finds by it at once. Afterwards Shopify changes tags, note, metafields, the shipping
address and ways to reach the customer, nothing else. Nobody is ever written to: receipts and
notifications are off, whatever the mapping says. What is shipped is said in `shipments.py`.
"""

from collections.abc import Iterator, Sequence

from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.groups import CONTENT, field_groups
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Repeats, Step
from graftport_dagster.loaders.products import custom_id, id_metafield
from graftport_dagster.loaders.references import resolve_own
from graftport_dagster.loaders.shipments import shipment_steps
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, json_hash
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

_PAGE = 250
_READABLE = ("tags", "note", "email", "phone", "poNumber")
_QUIET = {"sendReceipt": False, "sendFulfillmentReceipt": False}


class OrderLoader:
    """Loads orders with their payments, shipments and refunds."""

    resource_type = ResourceType.ORDERS
    repeats_creation = False
    has_identifier = True
    publishes = False
    watched_document = "orders_watched"
    unwatched_groups = frozenset({"metafields", "refunds", "fulfillments", CONTENT})
    # An order changes with every shipment and payment: its time of change says nothing.
    is_timed = False
    sends_changed_groups = True

    def prepare(self, plan: Plan, caller: Caller) -> Plan:  # noqa: ARG002 - the protocol's
        """Nothing needs to be there first."""
        return plan

    def call(self, plan: Plan) -> Call | None:
        """`orderCreate` with our id in it; `orderUpdate` with what changed and can change."""
        given = plan.envelope["input"]
        if plan.gid:
            groups = field_groups(self.resource_type).input
            changes = {name: value for name, value in given.items() if groups.get(name, CONTENT) in plan.changed}
            changes = {name: value for name, value in changes.items() if name in groups}
            return Call(document("order_update"), {"input": {"id": plan.gid, **changes}}) if changes else None
        order = {"sourceIdentifier": plan.identity, **given}
        order["metafields"] = [*given.get("metafields", ()), id_metafield(plan.identity)]
        if "fulfillment" in given:
            order["fulfillment"] = {**given["fulfillment"], "notifyCustomer": False}
        options = {"inventoryBehaviour": "BYPASS", **(plan.envelope.get("options") or {}), **_QUIET}
        return Call(document("order_create"), {"order": order, "options": options, **_sizes(given)})

    def steps(self, plan: Plan) -> Sequence[Step]:
        """What was shipped, then what was paid back, then the shipment of all that is left, if there is one."""
        named, rest = shipment_steps(plan)
        return (*named, *self._refunds(plan), *rest)

    def _refunds(self, plan: Plan) -> Iterator[Step]:
        given = plan.envelope.get("refunds") or ()
        staged = plan.record.payload.get("refunds") or ()
        ids = (plan.record.payload.get("parts") or {}).get("refund") or ()
        for index, (part_id, refund, before) in enumerate(zip(ids, given, staged, strict=False)):
            part = RecordKey(self.resource_type, plan.record.source_id, "refund", str(part_id))

            def variables(plan: Plan, _: Caller, refund: JsonObject = refund, part: RecordKey = part) -> JsonObject:
                return {"input": _refund(plan, refund, _mark(plan, part))}

            def find(plan: Plan, caller: Caller, part: RecordKey = part) -> str | None:
                order = caller.call(document("order_refunds"), {"id": plan.gid}, repeatable=True).data
                mark = _mark(plan, part)
                refunds = (order or {}).get("refunds") or ()
                return next((str(one["id"]) for one in refunds if mark in (one["note"] or "")), None)

            yield Step(
                key=f"refund:{part_id}", path=f"refunds[{index}]", digest=json_hash(before),
                document=document("refund_create"), variables=variables, repeats=Repeats.BY_KEY, part=part,
                made=lambda answer: str(answer["refund"]["id"]), find=find,
            )  # fmt: skip

    def withdraw(self, plan: Plan) -> Call | None:
        """An order is archived by closing it; a deleted one is gone from every report."""
        if plan.withdrawal == "delete":
            return Call(document("order_delete"), {"id": plan.gid})
        return Call(document("order_close"), {"input": {"id": plan.gid}})

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:
        """The order with the GIDs of its lines and payments; asks for more pages beyond 250 lines."""
        order = answer["order"]
        parts = () if plan.gid else tuple(self._parts(plan, order, caller))
        return Landed(order["id"], "", parts, snapshot=snapshot(self, plan, order, name=order["name"]))

    def watched(self, node: JsonObject) -> JsonObject:
        """What of it can change, and is not a list of its own."""
        return {name: node[name] for name in _READABLE if name in node}

    def _parts(self, plan: Plan, order: JsonObject, caller: Caller) -> Iterator[Identity]:
        """Lines and payments come back in the order in which they were sent; one that is not the same is left out."""
        given, ids = plan.record.payload["input"], plan.record.payload.get("parts") or {}
        lines = list(self._lines(order, len(given["lineItems"]), caller))
        if len(lines) == len(given["lineItems"]):
            for part_id, line, node in zip(ids.get("line_item") or (), given["lineItems"], lines, strict=False):
                if node["quantity"] == line["quantity"] and line.get("sku") in (None, node["sku"]):
                    yield self._identity(plan, "line_item", part_id, node)
        for part_id, node in zip(ids.get("transaction") or (), order["transactions"], strict=False):
            yield self._identity(plan, "transaction", part_id, node)

    def _identity(self, plan: Plan, part: str, part_id: str, node: JsonObject) -> Identity:
        return Identity(RecordKey(self.resource_type, plan.record.source_id, part, str(part_id)), node["id"])

    def _lines(self, order: JsonObject, wanted: int, caller: Caller) -> Iterator[JsonObject]:
        if wanted <= _PAGE:
            yield from order["lineItems"]["nodes"]
            return
        cursor = None
        while True:
            variables = {"id": order["id"], "first": _PAGE, "after": cursor}
            page = caller.call(document("order_lines"), variables, repeatable=True).data["lineItems"]
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            cursor = page["pageInfo"]["endCursor"]

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:
        """The order that carries our id, with its lines and payments."""
        variables = {"identifier": custom_id(plan.identity), **_sizes(plan.record.payload["input"])}
        order = caller.call(document("order_by_identifier"), variables, repeatable=True).data
        if not order:
            return None
        own = (order.get("metafield") or {}).get("value", "")
        return Found(order["id"], identity=own, parts=tuple(self._parts(plan, order, caller)))

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The order that has our id: an earlier call that was thought lost has made it meanwhile."""
        return self.look_up(plan, caller) if "metafields" in error.field else None

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:  # noqa: ARG002 - the protocol's
        """None: an order's parts cannot be taken away."""
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's words for an order that was deleted."""
        return error.message in {"Order does not exist", "Order not found"}

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """The order's own fields that can change; what is not read counts as the same."""
        order = caller.call(document("order_read"), {"id": plan.gid}, repeatable=True).data
        if not order:
            return None
        return {**plan.envelope["input"], **{name: order.get(name) for name in _READABLE}}

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """An order always has something to send."""
        return ""


def _sizes(given: JsonObject) -> JsonObject:
    """How many lines and payments to ask back."""
    return {
        "lines": max(1, min(len(given["lineItems"]), _PAGE)),
        "payments": max(1, min(len(given.get("transactions") or ()), _PAGE)),
    }


def _refund(plan: Plan, given: JsonObject, mark: str) -> JsonObject:
    """Shopify's input of a refund, with our key in its note, by which it is told from others."""
    refund: JsonObject = resolve_own(given, plan.parts)
    note = f"{refund['note']} {mark}" if refund.get("note") else mark
    sent = {**refund, "orderId": plan.gid, "note": note, "notify": False}
    if "transactions" in refund:
        sent["transactions"] = [{**one, "orderId": plan.gid} for one in refund["transactions"]]
    return sent


def _mark(plan: Plan, part: RecordKey) -> str:
    return f"({plan.identity}:{part.part}:{part.part_id})"

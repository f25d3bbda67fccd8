"""What of an order was shipped: each fulfilment once, over the fulfilment orders that Shopify opened for it.

`fulfillmentCreate` cannot be repeated and has no place for an id of ours: after a lost answer the
order's own fulfilments are compared by lines and tracking numbers. Nobody is told of a shipment.
"""

from collections.abc import Iterator, Mapping

from graftport_dagster.errors import RecordError, UnclearError
from graftport_dagster.loaders.plan import Caller, Plan, Repeats, Step, Unsent
from graftport_dagster.loaders.references import resolve_own
from graftport_dagster.records import JsonObject, RecordKey, ResourceType, json_hash
from graftport_dagster.shopify.documents import document

# So many fulfilments of an order are looked at.
_MOST = 40
_OPEN = frozenset({"OPEN", "IN_PROGRESS", "SCHEDULED"})


def shipment_steps(plan: Plan) -> tuple[list[Step], list[Step]]:
    """The steps of fulfilments that name their lines, and those of fulfilments of all that is left."""
    given = plan.envelope.get("fulfillments") or ()
    staged = plan.record.payload.get("fulfillments") or ()
    ids = (plan.record.payload.get("parts") or {}).get("fulfillment") or ()
    named: list[Step] = []
    rest: list[Step] = []
    for index, (part_id, shipment, before) in enumerate(zip(ids, given, staged, strict=False)):
        step = _step(plan, index, str(part_id), shipment, json_hash(before))
        (named if shipment.get("lineItems") else rest).append(step)
    return named, rest


def _step(plan: Plan, index: int, part_id: str, shipment: JsonObject, digest: str) -> Step:
    path = f"fulfillments[{index}]"
    return Step(
        key=f"fulfillment:{part_id}", path=path, digest=digest, document=document("fulfillment_create"),
        variables=lambda plan, caller: _variables(plan, caller, shipment, path), repeats=Repeats.NEVER,
        part=RecordKey(ResourceType.ORDERS, plan.record.source_id, "fulfillment", part_id),
        made=lambda answer: str(answer["fulfillment"]["id"]),
        find=lambda plan, caller: _find(plan, caller, shipment),
    )  # fmt: skip


def _variables(plan: Plan, caller: Caller, given: JsonObject, path: str) -> JsonObject | Unsent:
    shipment = resolve_own(given, plan.parts)
    order = caller.call(document("order_fulfillment_orders"), {"id": plan.gid}, repeatable=True).data or {}
    waiting = [one for one in (order.get("fulfillmentOrders") or {}).get("nodes", ()) if one["status"] in _OPEN]
    left = {
        one["id"]: [line for line in _all(one, "lineItems", "fulfillment_order_lines", caller)
                    if line["remainingQuantity"] > 0]
        for one in waiting
    }  # fmt: skip
    lines = _lines(shipment)
    if lines is None:
        groups = [{"fulfillmentOrderId": gid} for gid, some in left.items() if some]
        if order and not groups:
            return Unsent("NOTHING_TO_SHIP", "A shipment of all that is left found nothing left to ship.")
    else:
        groups = list(_taken(left, dict(lines), path))
    rest = {name: value for name, value in shipment.items() if name != "lineItems"}
    return {"fulfillment": {**rest, "lineItemsByFulfillmentOrder": groups, "notifyCustomer": False}}


def _lines(shipment: JsonObject) -> Mapping[str, int] | None:
    """GID of a line → how many of it; None for all that is left."""
    if not shipment.get("lineItems"):
        return None
    found: dict[str, int] = {}
    for line in shipment["lineItems"]:
        found[line["lineItemId"]] = found.get(line["lineItemId"], 0) + int(line["quantity"])
    return found


def _all(owner: JsonObject, name: str, file: str, caller: Caller) -> Iterator[JsonObject]:
    """Every line of a fulfilment or fulfilment order; asks for more pages beyond the first."""
    page = owner[name]
    while True:
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        variables = {"id": owner["id"], "after": page["pageInfo"]["endCursor"]}
        page = caller.call(document(file), variables, repeatable=True).data[name]


def _taken(left: Mapping[str, list[JsonObject]], wanted: dict[str, int], path: str) -> Iterator[JsonObject]:
    """Which lines of which fulfilment orders make the shipment up. Raises RecordError where too little is left."""
    for waiting, some in left.items():
        lines = []
        for line in some:
            gid = line["lineItem"]["id"]
            if quantity := min(wanted.get(gid, 0), line["remainingQuantity"]):
                wanted[gid] -= quantity
                lines.append({"id": line["id"], "quantity": quantity})
        if lines:
            yield {"fulfillmentOrderId": waiting, "fulfillmentOrderLineItems": lines}
    if short := {gid: quantity for gid, quantity in wanted.items() if quantity}:
        gid, quantity = next(iter(short.items()))
        raise RecordError(
            f"The shipment has {quantity} more of {gid} than the order has left to ship.", code="NOT_LEFT_TO_SHIP",
            path=path, hint="See what was shipped or refunded before, in the source and in Shopify.",
        )  # fmt: skip


def _find(plan: Plan, caller: Caller, given: JsonObject) -> str | None:
    """The one fulfilment of the order that is no other's and has our lines and tracking numbers."""
    shipment = resolve_own(given, plan.parts)
    lines, numbers = _lines(shipment), _numbers(shipment.get("trackingInfo") or {})
    order = caller.call(document("order_fulfillments"), {"id": plan.gid}, repeatable=True).data or {}
    known = {part.gid for key, part in plan.parts.items() if key.part == "fulfillment"}
    alike, near = [], []
    there: list[JsonObject] = order.get("fulfillments") or []
    for one in there:
        if one["id"] in known or one["status"] == "CANCELLED":
            continue
        same_lines = lines is None or lines == _lines_of(one, caller)
        same_numbers = numbers == {info["number"] for info in one["trackingInfo"] if info["number"]}
        if same_lines and same_numbers:
            alike.append(one)
        elif same_lines or (numbers and same_numbers):
            near.append(one)
    if len(alike) == 1:
        return str(alike[0]["id"])
    if alike or near or len(there) == _MOST:
        raise UnclearError(
            f"The answer to a shipment was lost, and {plan.gid} shows {(alike or near or there)[0]['id']}, which may "
            "be it.",
            hint="Look at the order's shipments in Shopify; cancel there what should not be, then retry.",
        )
    return None


def _lines_of(fulfillment: JsonObject, caller: Caller) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for line in _all(fulfillment, "fulfillmentLineItems", "fulfillment_lines", caller):
        found[line["lineItem"]["id"]] = found.get(line["lineItem"]["id"], 0) + line["quantity"]
    return found


def _numbers(tracking: JsonObject) -> set[str]:
    numbers = tracking.get("numbers") or ([tracking["number"]] if tracking.get("number") else [])
    return {number for number in numbers if number}

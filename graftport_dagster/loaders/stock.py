"""Stock of products that have landed: compare-and-set against what was written last, many records in a call.

Facts (API 2026-10): `inventorySetQuantities` takes up to 250 quantities and an `@idempotent` key, does
all of them or none, and refuses one whose `changeFromQuantity` is not what Shopify has. A create carries
its stock in `productSet`. What was written last is kept as this step's digest, in plain JSON, so that
what somebody sold in Shopify meanwhile is noticed, and never overwritten in silence.
"""

import json
from collections.abc import Mapping, Sequence

from graftport_dagster.errors import DriftError, GraftportError
from graftport_dagster.loaders.plan import Caller, Plan, Step, Together
from graftport_dagster.loaders.variants import VARIANT, options_of, variant_ids, wanted_options
from graftport_dagster.records import JsonObject, RecordKey, ResourceType
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError, rejection

# The part that a variant's stock is kept by.
ITEM = "inventory_item"
_MOST = 250
_STALE = "CHANGE_FROM_QUANTITY_STALE"
# Quantities of one name: variant's part id → location's GID → how many.
Quantities = dict[str, dict[str, int]]


def stock_steps(plan: Plan) -> Sequence[Step]:
    """One step per name of quantity (`available`, `on_hand`) that the record gives."""
    return tuple(_step(plan, name, quantities) for name, quantities in _wanted(plan).items())


def carries_stock(plan: Plan) -> bool:
    """Whether the product's own call carries its stock: until the record has landed once."""
    return plan.is_new or not plan.record.landed_groups


def is_all_that_changed(plan: Plan) -> bool:
    """Whether the product's own call has nothing to say, because only quantities of variants that are there differ."""
    if not plan.gid or carries_stock(plan) or plan.changed != {"stock"}:
        return False
    keys = (_key(plan, VARIANT, part_id) for part_id in variant_ids(plan.record.payload))
    return all(key in plan.parts for key in keys)


def _wanted(plan: Plan) -> dict[str, Quantities]:
    variants = plan.envelope["input"].get("variants", ())
    found: dict[str, Quantities] = {}
    for part_id, variant in zip(variant_ids(plan.record.payload), variants, strict=True) if variants else ():
        for it in variant.get("inventoryQuantities") or ():
            found.setdefault(it["name"], {}).setdefault(part_id, {})[str(it["locationId"])] = it["quantity"]
    return found


def _step(plan: Plan, name: str, quantities: Quantities) -> Step:
    together = Together(
        most=_MOST,
        weight=sum(len(places) for places in quantities.values()),
        items=lambda plan, caller: _items(plan, name, quantities, caller),
        variables=lambda items: {"input": {"name": name, "reason": "correction", "quantities": items}},
        refused=lambda plan, item, error, caller: _refused(plan, name, item, error, caller),
    )
    return Step(
        key=_step_key(name),
        path="input.variants",
        digest=json.dumps(quantities, sort_keys=True, separators=(",", ":")),
        document=document("inventory_set_quantities"),
        variables=lambda _plan, _caller: None,
        only_changed=True,
        is_carried=carries_stock(plan),
        together=together,
    )


def _items(plan: Plan, name: str, quantities: Quantities, caller: Caller) -> list[JsonObject]:
    """What differs from what was written last. A variant that is new has come with its product's own call.

    Of a call whose answer was lost it is not known what was written; all of it is compared then.
    """
    written, in_doubt = _written(plan, name), _step_key(name) in plan.open_steps
    changed = [
        (part_id, location, quantity)
        for part_id, places in quantities.items()
        for location, quantity in places.items()
        if part_id in written and (in_doubt or written[part_id].get(location) != quantity)
    ]
    items = _inventory_items(plan, {part_id for part_id, _, _ in changed}, caller)
    return [
        {"inventoryItemId": items[part_id], "locationId": location, "quantity": quantity,
         "changeFromQuantity": written[part_id].get(location)}
        for part_id, location, quantity in changed if part_id in items
    ]  # fmt: skip


def _written(plan: Plan, name: str) -> Quantities:
    key = _step_key(name)
    return _read(plan.done_steps.get(key) or plan.record.landed_groups.get(f"step:{key}"))


def _lost(plan: Plan, name: str, item: JsonObject) -> int | None:
    """The quantity that a call may have written whose answer was lost."""
    opened = plan.open_steps.get(_step_key(name))
    quantities = _read(opened.payload_hash) if opened is not None else {}
    return quantities.get(_variant(plan, item), {}).get(item["locationId"])


def _read(digest: str | None) -> Quantities:
    return json.loads(digest) if digest else {}


def _step_key(name: str) -> str:
    return f"stock:{name}"


def _inventory_items(plan: Plan, wanted: set[str], caller: Caller) -> Mapping[str, str]:
    """The inventory items of variants; asked of Shopify where they are not known."""
    keys = {part_id: _key(plan, ITEM, part_id) for part_id in wanted}
    known = {part_id: plan.parts[key].gid for part_id, key in keys.items() if key in plan.parts}
    if len(known) == len(wanted):
        return known
    payload = plan.record.payload
    options = [wanted_options(variant) for variant in payload["input"]["variants"]]
    names = dict(zip(options, variant_ids(payload), strict=True))
    cursor = None
    while True:
        variables = {"id": plan.gid, "first": _MOST, "after": cursor}
        page = caller.call(document("product_variants"), variables, repeatable=True).data["variants"]
        for node in page["nodes"]:
            if (part_id := names.get(options_of(node))) in wanted:
                known[str(part_id)] = node["inventoryItem"]["id"]
        if not page["pageInfo"]["hasNextPage"]:
            return known
        cursor = page["pageInfo"]["endCursor"]


def _refused(
    plan: Plan, name: str, item: JsonObject, error: UserError, caller: Caller
) -> JsonObject | GraftportError | None:
    """What becomes of a quantity that was refused: right already, to be sent otherwise, or the record's error."""
    if error.code != _STALE:
        refused = rejection([error])
        refused.hint = "If the variant was deleted in Shopify, a load with only_dirty: false makes it again."
        return refused
    there = _there(name, item, caller)
    if there == item["quantity"]:
        # Also what an earlier call wrote whose answer was lost.
        return None
    if plan.everything or there == _lost(plan, name, item):
        return {**item, "changeFromQuantity": there}
    return DriftError(
        f"The stock of variant {_variant(plan, item)} is {there} in Shopify, not {item['changeFromQuantity']} as it was"
        f" written last; somebody changed it there, and the source says {item['quantity']}.",
        code="STOCK_DRIFT", path="input.variants",
        hint="Load it with only_dirty: false to write the source's number all the same, or set the source right.",
    )  # fmt: skip


def _there(name: str, item: JsonObject, caller: Caller) -> int:
    variables = {"item": item["inventoryItemId"], "location": item["locationId"], "names": [name]}
    found = caller.call(document("inventory_level"), variables, repeatable=True).data
    level = (found or {}).get("inventoryLevel")
    return int(level["quantities"][0]["quantity"]) if level else 0


def _variant(plan: Plan, item: JsonObject) -> str:
    gid = item["inventoryItemId"]
    return next((key.part_id for key, it in plan.parts.items() if it.gid == gid and key.part == ITEM), gid)


def _key(plan: Plan, part: str, part_id: str) -> RecordKey:
    return RecordKey(ResourceType.PRODUCTS, plan.record.source_id, part, part_id)

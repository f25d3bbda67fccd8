"""What belongs to a market, each made once: web presences, catalogs, price lists; and the fixed prices in them.

Facts (API 2026-10): a web presence's subfolder is unique in the store, a price list's name too, and a catalog has one
price list at most; a catalog's title is not unique, so a catalog is looked for among those of its market. A domain
has its web presence from the start. Fixed prices are set per variant, the last one counts, up to 250 in a call.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graftport_dagster.loaders.plan import Caller, Plan, Repeats, Step
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, json_hash
from graftport_dagster.shopify.documents import document

BATCH = 250
_PAGE = 250
PRESENCE, CATALOG, PRICE_LIST = "web_presence", "catalog", "price_list"
LISTS = {PRESENCE: "webPresences", CATALOG: "catalogs", PRICE_LIST: "priceLists"}


def market_steps(plan: Plan) -> Sequence[Step]:
    """The steps after the market itself, in their order."""
    steps = [_presence(plan, key, given) for key, given in given_parts(plan, PRESENCE)]
    if steps:
        steps.append(_shown_at(plan))
    catalogs = given_parts(plan, CATALOG)
    steps += [_catalog(plan, key, given) for key, given in catalogs]
    lists = given_parts(plan, PRICE_LIST)
    steps += [_price_list(plan, key, given, catalogs[index][0]) for index, (key, given) in enumerate(lists)]
    if prices := plan.envelope.get("prices"):
        steps += _prices(plan, prices)
    return steps


def given_parts(plan: Plan, part: str) -> list[tuple[RecordKey, JsonObject]]:
    """The parts of one kind, each with its identity: by the id that the mapping gives, or by what names it."""
    given: Sequence[JsonObject] = plan.envelope.get(LISTS[part]) or ()
    ids = (plan.record.payload.get("parts") or {}).get(part) or [_name(it) for it in given]
    source_id = plan.record.source_id
    return [
        (RecordKey(ResourceType.MARKETS, source_id, part, part_id), it)
        for part_id, it in zip(ids, given, strict=True)
    ]  # fmt: skip


def _name(given: JsonObject) -> str:
    names = ("subfolderSuffix", "domainId", "title", "name")
    return next(str(given[name]) for name in names if given.get(name))


def _made(name: str) -> Any:
    return lambda answer: str(answer[name]["id"])


def _presence(plan: Plan, key: RecordKey, given: JsonObject) -> Step:
    is_there = key in plan.parts

    def variables(plan: Plan, _: Caller) -> JsonObject:
        if not is_there:
            return {"input": given}
        change = {name: value for name, value in given.items() if name != "domainId"}
        return {"id": plan.parts[key].gid, "input": change}

    return Step(
        key=f"{PRESENCE}:{key.part_id}", path=LISTS[PRESENCE], digest=json_hash(given),
        document=document("web_presence_update" if is_there else "web_presence_create"), variables=variables,
        repeats=Repeats.FREELY if is_there else Repeats.NEVER, part=key, made=_made("webPresence"),
        find=lambda _, caller: _presence_at(given, caller), changes=True,
    )  # fmt: skip


def _shown_at(plan: Plan) -> Step:
    """The web presences put to the market, which does no harm twice."""
    keys = [key for key, _ in given_parts(plan, PRESENCE)]
    return Step(
        key="web_presences", path=LISTS[PRESENCE], digest=json_hash([key.part_id for key in keys]),
        document=document("market_update"),
        variables=lambda plan, _: {
            "id": plan.gid, "input": {"webPresencesToAdd": [plan.parts[key].gid for key in keys]},
        },
    )  # fmt: skip


def _catalog(plan: Plan, key: RecordKey, given: JsonObject) -> Step:
    is_there = key in plan.parts

    def variables(plan: Plan, _: Caller) -> JsonObject:
        if is_there:
            return {"id": plan.parts[key].gid, "input": given}
        return {"input": {**given, "context": {"marketIds": [plan.gid]}}}

    return Step(
        key=f"{CATALOG}:{key.part_id}", path=LISTS[CATALOG], digest=json_hash(given),
        document=document("catalog_update" if is_there else "catalog_create"), variables=variables,
        repeats=Repeats.FREELY if is_there else Repeats.NEVER, part=key, made=_made("catalog"),
        find=lambda plan, caller: _catalog_of(plan, given, caller), changes=True,
    )  # fmt: skip


def _price_list(plan: Plan, key: RecordKey, given: JsonObject, catalog: RecordKey) -> Step:
    is_there = key in plan.parts

    def variables(plan: Plan, _: Caller) -> JsonObject:
        if is_there:
            return {"id": plan.parts[key].gid, "input": given}
        return {"input": {**given, "catalogId": plan.parts[catalog].gid}}

    def find(plan: Plan, caller: Caller) -> str | None:
        there = _market(plan.gid, caller)
        of_ours = (it["priceList"] for it in there["catalogs"]["nodes"] if it["id"] == plan.parts[catalog].gid)
        return next((str(it["id"]) for it in of_ours if it), None)

    return Step(
        key=f"{PRICE_LIST}:{key.part_id}", path=LISTS[PRICE_LIST], digest=json_hash(given),
        document=document("price_list_update" if is_there else "price_list_create"), variables=variables,
        repeats=Repeats.FREELY if is_there else Repeats.NEVER, part=key, made=_made("priceList"), find=find,
        changes=True,
    )  # fmt: skip


def _prices(plan: Plan, prices: Sequence[JsonObject]) -> Iterator[Step]:
    """Batches of fixed prices of the first price list; of two prices of one variant the last one counts."""
    last = {price["variantId"]: price for price in prices}
    ordered = list(last.values())
    key = first_price_list(plan)
    for number, start in enumerate(range(0, len(ordered), BATCH)):
        batch = ordered[start : start + BATCH]
        yield Step(
            key=f"prices:{number}", path=f"prices[{start}]", digest=json_hash(batch),
            document=document("price_list_prices_add"),
            variables=lambda plan, _, batch=batch: {  # type: ignore[misc]
                "id": plan.parts[key].gid, "prices": batch,
            },
        )  # fmt: skip


def first_price_list(plan: Plan) -> RecordKey:
    """The one that the fixed prices are for."""
    ids = (plan.record.payload.get("parts") or {}).get(PRICE_LIST)
    first = ids[0] if ids else _name(plan.record.payload["priceLists"][0])
    return RecordKey(ResourceType.MARKETS, plan.record.source_id, PRICE_LIST, first)


# --- what is there already --------------------------------------------------------------


def with_domains(plan: Plan, caller: Caller) -> Mapping[RecordKey, Identity]:
    """The plan's parts with the web presences of domains, which Shopify has had since before us."""
    parts = dict(plan.parts)
    for key, given in given_parts(plan, PRESENCE):
        if given.get("domainId") and key not in parts and (gid := _presence_at(given, caller)) is not None:
            parts[key] = Identity(key, gid)
    return parts


def parts_there(plan: Plan, there: JsonObject, caller: Caller) -> Mapping[RecordKey, Identity]:
    """The parts of a market that Shopify still has."""
    catalogs = {it["id"] for it in there["catalogs"]["nodes"]}
    lists = {it["priceList"]["id"] for it in there["catalogs"]["nodes"] if it["priceList"]}
    known = {CATALOG: catalogs, PRICE_LIST: lists}
    ours = [key for key, _ in given_parts(plan, PRESENCE)]
    if ours:
        known[PRESENCE] = {node["id"] for node in presences(caller)}
    return {key: part for key, part in plan.parts.items() if part.gid in known.get(key.part, {part.gid})}


def _market(gid: str, caller: Caller) -> JsonObject:
    return caller.call(document("market_read"), {"id": gid, "first": _PAGE}, repeatable=True).data


def _catalog_of(plan: Plan, given: JsonObject, caller: Caller) -> str | None:
    """The market's catalog of this title that is no other part of ours."""
    others = {part.gid for part in plan.parts.values()}
    nodes = _market(plan.gid, caller)["catalogs"]["nodes"]
    return next((str(it["id"]) for it in nodes if it["title"] == given["title"] and it["id"] not in others), None)


def _presence_at(given: JsonObject, caller: Caller) -> str | None:
    """The web presence at the same subfolder or domain."""
    suffix, domain = (given.get("subfolderSuffix") or "").lower(), given.get("domainId")
    for node in presences(caller):
        if suffix and (node["subfolderSuffix"] or "").lower() == suffix:
            return str(node["id"])
        if domain and (node["domain"] or {}).get("id") == domain and not node["subfolderSuffix"]:
            return str(node["id"])
    return None


def presences(caller: Caller) -> Iterator[JsonObject]:
    """All web presences of the store."""
    after = None
    while True:
        page = caller.call(document("web_presences"), {"first": _PAGE, "after": after}, repeatable=True).data
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]

"""What leaves a market: addresses, catalogs, price lists and fixed prices that its record does not give any more.

A list that is given is the whole list; one that is not given is left alone. Only what is ours goes: parts that we
made, and prices that we set. The web presence of a domain is the shop's own: it leaves the market and stays.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from graftport_dagster.loaders.market_steps import (
    BATCH,
    CATALOG,
    LISTS,
    PRESENCE,
    PRICE_LIST,
    first_price_list,
    given_parts,
    presences,
)
from graftport_dagster.loaders.plan import Caller, Plan, Step
from graftport_dagster.records import Identity, JsonObject, json_hash
from graftport_dagster.shopify.client import Answer
from graftport_dagster.shopify.documents import document

# Price lists go before the catalogs that they belong to.
_ORDER = (PRESENCE, PRICE_LIST, CATALOG)
_DOCUMENTS = {
    LISTS[PRESENCE]: "web_presence_delete", LISTS[PRICE_LIST]: "price_list_delete", LISTS[CATALOG]: "catalog_delete",
    "prices": "price_list_prices_delete",
}  # fmt: skip
_NOT_THERE = frozenset({
    "WEB_PRESENCE_NOT_FOUND", "CATALOG_NOT_FOUND", "PRICE_LIST_NOT_FOUND", "MARKET_NOT_FOUND", "VARIANT_NOT_FOUND",
    "PRICE_NOT_FIXED", "CUSTOMIZATIONS_NOT_FOUND",
})  # fmt: skip


def leaving_steps(plan: Plan) -> Iterator[Step]:
    """The steps that take away what the record had and has not any more."""
    for part in _ORDER:
        if LISTS[part] not in plan.envelope:
            continue
        keeps = {key for key, _ in given_parts(plan, part)}
        for key, known in plan.parts.items():
            if key.part == part and key not in keeps:
                yield _leaving(f"{part}:{key.part_id}:gone", LISTS[part], known.gid, partial(_drop, part=known), known)
    yield from _leaving_prices(plan)


def clear(plan: Plan, caller: Caller) -> None:
    """What a deleted market leaves behind, so that the same one can be made again."""
    for part in _ORDER:
        for key, known in plan.parts.items():
            if key.part == part:
                _drop(plan, caller, part=known)


def _leaving(
    key: str, path: str, digested: object, drop: Callable[[Plan, Caller], None], unmade: Identity | None = None
) -> Step:
    def variables(plan: Plan, caller: Caller) -> None:
        drop(plan, caller)

    return Step(
        key=key, path=path, digest=json_hash(digested), document=document(_DOCUMENTS[path]), variables=variables,
        unmakes=unmade.key if unmade else None,
    )  # fmt: skip


def _drop(plan: Plan, caller: Caller, *, part: Identity) -> None:
    """Deletes a part; what is gone already is no error."""
    if part.key.part == PRESENCE:
        _drop_presence(plan, caller, part.gid)
    else:
        name = _DOCUMENTS[LISTS[part.key.part]]
        _settled(caller.call(document(name), {"id": part.gid}, repeatable=True))


def _drop_presence(plan: Plan, caller: Caller, gid: str) -> None:
    node = next((node for node in presences(caller) if node["id"] == gid), None)
    if node is None:
        return
    others = [market["id"] for market in node["markets"]["nodes"] if market["id"] != plan.gid]
    if not others and node["subfolderSuffix"]:
        _settled(caller.call(document("web_presence_delete"), {"id": gid}, repeatable=True))
    elif not plan.withdrawal:
        change = {"webPresencesToDelete": [gid]}
        _settled(caller.call(document("market_update"), {"id": plan.gid, "input": change}, repeatable=True))


def _leaving_prices(plan: Plan) -> Iterator[Step]:
    """Fixed prices that we set and that are not given any more, of a price list that stays."""
    before = plan.before.get("prices") or ()
    if "prices" not in plan.envelope or not before or not plan.record.payload.get("priceLists"):
        return
    price_list = first_price_list(plan)
    keeps = {price["variantId"] for price in plan.envelope["prices"] or ()}
    gone = [one for one in dict.fromkeys(price["variantId"] for price in before) if one and one not in keeps]
    if price_list not in plan.parts or not gone:
        return

    def drop(plan: Plan, caller: Caller) -> None:
        for start in range(0, len(gone), BATCH):
            _drop_prices(plan.parts[price_list].gid, gone[start : start + BATCH], caller)

    yield _leaving("prices:gone", "prices", gone, drop)


def _drop_prices(price_list: str, variants: Sequence[str], caller: Caller) -> None:
    """One call does all or nothing: what is gone already is left out of the next one."""
    left = list(variants)
    while left:
        variables: JsonObject = {"id": price_list, "variants": left}
        answer = caller.call(document("price_list_prices_delete"), variables, repeatable=True)
        if not answer.user_errors:
            return
        _settled(answer)
        gone = {int(error.field[-1]) for error in answer.user_errors if error.field[-1:] and error.field[-1].isdigit()}
        if not gone:
            return
        left = [variant for index, variant in enumerate(left) if index not in gone]


def _settled(answer: Answer) -> None:
    """Raises LoadRejectedError for a refusal other than that it is not there."""
    if any(error.code not in _NOT_THERE for error in answer.user_errors):
        answer.raise_for_user_errors()

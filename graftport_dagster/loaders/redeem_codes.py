"""Further codes of a discount: added by up to 250, each once, with whatever is there already left alone.

What the record does not give any more goes again, if it was we who put it there. Facts (API 2026-10):
`discountRedeemCodeBulkAdd` answers at once and works later; which codes were refused is said by
`discountRedeemCodeBulkCreation` when it is done. A code belongs to one discount of the store; whose it is, is asked
for 250 codes in one call. The discount itself is `discounts.py`'s.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from graftport_dagster.errors import LoadRejectedError, RemoteTimeoutError
from graftport_dagster.loaders.plan import Caller, Plan, Step
from graftport_dagster.records import JsonObject, json_hash
from graftport_dagster.shopify.documents import code_owners_call, document

BATCH = 250
_PAUSE_SECONDS = (0.2, 0.5, 1.0, 2.0)
# An addition takes seconds; one that takes longer is looked at again by a later run.
_PATIENCE = 60


def code_steps(plan: Plan) -> Sequence[Step]:
    """One step per 250 further codes, each code once whatever its case; then those go that are not given any more."""
    own, before = _own(plan.record.payload), _own(plan.before)
    is_renamed = bool(before) and bool(plan.envelope["input"]) and own.lower() != before.lower()
    codes = {code.strip().lower(): code.strip() for code in reversed(plan.envelope.get("codes") or ())}
    if is_renamed:
        # A discount with several codes cannot rename its first one: the new one comes, the old one goes.
        codes[own.lower()] = own
    else:
        codes.pop(own.lower(), None)
    ordered = iter(reversed(codes.values()))
    steps: list[Step] = []
    while batch := list(islice(ordered, BATCH)):
        steps.append(_step(len(steps), batch))
    gone = _leaving(plan, {*codes, own.lower()}, [before] if is_renamed else [])
    return [*steps, gone] if gone else steps


def _own(payload: Mapping[str, Any]) -> str:
    """The code of the discount itself."""
    discount = next(iter((payload.get("input") or {}).values()), None) or {}
    return str(discount.get("code") or "").strip()


def _leaving(plan: Plan, keeps: set[str], renamed: Sequence[str]) -> Step | None:
    """The step that deletes codes that we put there and that the record does not give any more."""
    before = [code.strip() for code in plan.before.get("codes") or ()] if "codes" in plan.envelope else []
    gone = {code.lower() for code in (*before, *renamed) if code and code.lower() not in keeps}
    if not gone:
        return None

    def drop(plan: Plan, caller: Caller) -> None:
        ids = [gid for gid, code in _codes(plan.gid, caller) if code.lower() in gone]
        for start in range(0, len(ids), BATCH):
            variables = {"id": plan.gid, "ids": ids[start : start + BATCH]}
            answer = caller.call(document("discount_codes_delete"), variables, repeatable=True)
            answer.raise_for_user_errors()

    return Step(
        key="codes:gone", path="codes", digest=json_hash(sorted(gone)), document=document("discount_codes_delete"),
        variables=drop,
    )  # fmt: skip


def _codes(gid: str, caller: Caller) -> Iterator[tuple[str, str]]:
    """The discount's codes with their ids."""
    after = None
    while True:
        variables = {"id": gid, "first": BATCH, "after": after}
        data = caller.call(document("discount_codes"), variables, repeatable=True).data
        page = (data.get("codeDiscount") or {}).get("codes")
        if not page:
            return
        yield from ((node["id"], node["code"]) for node in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _step(number: int, codes: list[str]) -> Step:
    def add(plan: Plan, caller: Caller) -> JsonObject | None:
        missing = codes if _are_new(plan) else _missing(plan, codes, caller)
        if missing:
            _add(plan, missing, caller)
        return None

    return Step(
        key=f"codes:{number}", path=f"codes[{number * BATCH}]", digest=json_hash(codes),
        document=document("discount_codes_add"), variables=add,
    )  # fmt: skip


def _are_new(plan: Plan) -> bool:
    """Whether the discount was made by this very run, so that it has no codes but its first."""
    return plan.is_new and not plan.is_set and not plan.is_found and plan.open_step is None


def _add(plan: Plan, codes: Sequence[str], caller: Caller) -> None:
    """Adds them and waits until they are there; those that are refused must be the discount's own already."""
    variables = {"id": plan.gid, "codes": [{"code": code} for code in codes]}
    answer = caller.call(document("discount_codes_add"), variables, repeatable=True)
    answer.raise_for_user_errors()
    refused = _refused(answer.data["bulkCreation"]["id"], caller)
    if left := _missing(plan, [code for code, _ in refused], caller):
        words = dict(refused)[left[0]]
        raise LoadRejectedError(
            f"Shopify refused {len(left)} codes, the first {left[0]}: {words}", code="CODES_REFUSED", path="codes",
            hint="Take them out in the mapping; all others are there.",
        )  # fmt: skip


def _refused(creation: str, caller: Caller) -> list[tuple[str, str]]:
    """The codes that an addition could not add, each with Shopify's words, once it is done."""
    for turn in range(_PATIENCE):
        data = caller.call(document("discount_codes_creation"), {"id": creation, "first": BATCH}, repeatable=True).data
        if data.get("done"):
            nodes: Iterable[JsonObject] = data["codes"]["nodes"] if data["failedCount"] else ()
            return [(node["code"], node["errors"][0]["message"]) for node in nodes if node["errors"]]
        time.sleep(_PAUSE_SECONDS[min(turn, len(_PAUSE_SECONDS) - 1)])
    raise RemoteTimeoutError(
        "Shopify is still adding the codes.", code="CODES_PENDING", hint="The next run looks again.", path="codes"
    )


def _missing(plan: Plan, codes: Sequence[str], caller: Caller) -> list[str]:
    """Those that no discount has. Raises LoadRejectedError where another one has some."""
    if not codes:
        return []
    text, variables = code_owners_call(codes)
    data = caller.call(text, variables, repeatable=True).data
    answers = [data] if len(codes) == 1 else [data.get(f"c{index}") for index in range(len(codes))]
    owners = dict(zip(codes, ((answer or {}).get("id", "") for answer in answers), strict=True))
    if taken := [code for code, owner in owners.items() if owner not in ("", plan.gid)]:
        raise LoadRejectedError(
            f"{len(taken)} codes belong to other discounts, the first {taken[0]} to {owners[taken[0]]}.",
            code="CODES_TAKEN", path="codes", hint="A code is one discount's: take it out of one of them.",
        )  # fmt: skip
    return [code for code, owner in owners.items() if not owner]

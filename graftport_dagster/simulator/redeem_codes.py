"""The codes of discounts: each once in a shop, whatever its case; added by the hundred, later.

What lives here: codes, which discount each belongs to, and bulk additions, which Shopify works
off by and by: their codes are there when the addition is done. A code that is taken fails alone.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from graftport_dagster.simulator.answers import refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object


def is_taken(call: Call, code: str, own_discount: str) -> bool:
    """Whether another discount has the code."""
    owner = owner_of(call, code)
    return owner is not None and owner["id"] != own_discount


def owner_of(call: Call, code: str) -> Object | None:
    """The discount that a code belongs to."""
    found = call.state.find_one("discount code", code.lower())
    return None if found is None else call.state.get(found["discountId"])


def codes_of(call: Call, discount_id: str) -> list[str]:
    """Ids of a discount's codes, the first one in front."""
    return call.state.find("codes of", discount_id)


def add(call: Call, discount_id: str, code: str) -> Object:
    """A code that nobody has, put to a discount."""
    made = {"id": call.state.new_id("DiscountRedeemCode"), "code": code, "discountId": discount_id,
            "asyncUsageCount": 0}  # fmt: skip
    call.state.put(made)
    return made


def rename(call: Call, code_id: str, code: str) -> None:
    """Another text for a discount's only code."""
    if (known := call.state.get(code_id)) is not None:
        known["code"] = code
        call.state.put(known)


def drop(call: Call, discount_id: str) -> None:
    """Takes all codes of a discount away."""
    for gid in codes_of(call, discount_id):
        if (known := call.state.get(gid)) is not None:
            call.state.delete(known)


def _bulk_add(call: Call, arguments: Arguments) -> Object:
    if not arguments["codes"]:
        raise refuse(["codes"], "Codes can't be blank", "BLANK", extraInfo=None)
    discount = call.take(arguments["discountId"], "DiscountCodeNode")
    if discount is None:
        raise refuse(["discountId"], "Code discount does not exist.", "INVALID", extraInfo=None)
    creation = {
        "id": call.state.new_id("DiscountRedeemCodeBulkCreation"), "createdAt": call.state.now(), "done": False,
        "discountId": discount["id"], "given": [it["code"] for it in arguments["codes"]], "results": [],
        "codesCount": len(arguments["codes"]), "importedCount": 0, "failedCount": 0,
    }  # fmt: skip
    call.state.put(creation)
    return {"bulkCreation": dict(creation)}


def settle(call: Call) -> None:
    """Works off every bulk addition whose time has come."""
    for gid in call.state.find("bulk creations", "open"):
        creation = call.state.get(gid)
        if creation is not None and _is_due(call, creation):
            with call.state.transaction():
                _work_off(call, creation)


def _is_due(call: Call, creation: Object) -> bool:
    age = datetime.fromisoformat(call.state.now()) - datetime.fromisoformat(creation["createdAt"])
    return age.total_seconds() >= call.settings.processing_seconds


def _work_off(call: Call, creation: Object) -> None:
    if call.state.get(creation["discountId"]) is not None:
        creation["results"] = [_imported(call, creation["discountId"], code) for code in creation["given"]]
    imported = sum(1 for it in creation["results"] if not it["errors"])
    creation.update(done=True, importedCount=imported, failedCount=creation["codesCount"] - imported, given=[])
    call.state.put(creation)


def _imported(call: Call, discount_id: str, code: str) -> Object:
    if not code.strip():
        errors = [user_error(["code"], "Code can't be blank", "BLANK", extraInfo=None)]
    elif call.state.find_one("discount code", code.lower()) is not None:
        errors = [user_error(["code"], "Code must be unique. Please try a different code.", "TAKEN", extraInfo=None)]
    else:
        return {"code": code, "errors": [], "gid": add(call, discount_id, code)["id"]}
    return {"code": code, "errors": errors, "gid": None}


def _creation(call: Call, _: None, arguments: Arguments) -> Object | None:
    settle(call)
    return call.take(arguments["id"], "DiscountRedeemCodeBulkCreation")


def _bulk_delete(call: Call, arguments: Arguments) -> Object:
    settle(call)
    discount = call.take(arguments["discountId"], "DiscountCodeNode")
    if discount is None:
        raise refuse(["discountId"], "Code discount does not exist.", "INVALID", extraInfo=None)
    wanted = set(arguments.get("ids") or ())
    for gid in codes_of(call, discount["id"]):
        if gid in wanted and (known := call.state.get(gid)) is not None:
            call.state.delete(known)
    return {"job": {"id": call.state.new_id("Job"), "done": False}}


def _codes(call: Call, shown: Object, arguments: Arguments) -> Object:
    settle(call)
    gids = codes_of(call, shown["node"]["id"])
    if query := arguments.get("query"):
        text = query.rpartition(":")[2].strip("'\"").lower()
        gids = [gid for gid in gids if (it := call.state.get(gid)) and text in it["code"].lower()]
    page = page_of(gids, {**arguments, "query": None})
    page["nodes"] = [call.state.get(gid) for gid in page["nodes"]]
    page["edges"] = [{**edge, "node": call.state.get(edge["node"])} for edge in page["edges"]]
    return page


def _codes_count(call: Call, shown: Object, _: Arguments) -> Object:
    settle(call)
    return {"count": len(codes_of(call, shown["node"]["id"])), "precision": "EXACT"}


def _code_keys(it: Object) -> Iterable[tuple[str, str]]:
    return [("discount code", it["code"].lower()), ("codes of", it["discountId"])]


def _creation_keys(it: Object) -> Iterable[tuple[str, str]]:
    return [] if it["done"] else [("bulk creations", "open")]


def _of_result(call: Call, it: Object, _: Any) -> Object | None:
    return call.state.get(it["gid"]) if it["gid"] else None


_KINDS = ("DiscountCodeBasic", "DiscountCodeBxgy", "DiscountCodeFreeShipping")
PART = Part(
    queries={"discountRedeemCodeBulkCreation": _creation},
    mutations={"discountRedeemCodeBulkAdd": _bulk_add, "discountCodeRedeemCodeBulkDelete": _bulk_delete},
    fields={
        **{f"{kind}.codes": _codes for kind in _KINDS},
        **{f"{kind}.codesCount": _codes_count for kind in _KINDS},
        "DiscountRedeemCodeBulkCreation.codes": lambda _, it, arguments: page_of(it["results"], arguments),
        "DiscountRedeemCodeBulkCreation.discountCode": lambda call, it, _: call.state.get(it["discountId"]),
        "DiscountRedeemCodeBulkCreationCode.discountRedeemCode": _of_result,
    },
    keys={"DiscountRedeemCode": _code_keys, "DiscountRedeemCodeBulkCreation": _creation_keys},
)

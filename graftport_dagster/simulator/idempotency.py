"""`@idempotent(key:)`: the same key within a day gives the same answer, executed once.

What lives here: which mutations insist on it since 2026-04, and what is kept of a first answer.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import orjson

from graftport_dagster.simulator.answers import TopLevelError, refuse
from graftport_dagster.simulator.parts import Arguments, Call, Mutation
from graftport_dagster.simulator.state import Object

# shopify.dev/docs/api/usage/implementing-idempotency
REQUIRED = frozenset({
    "inventoryActivate", "inventoryAdjustQuantities", "inventoryMoveQuantities", "inventorySetOnHandQuantities",
    "inventorySetQuantities", "locationActivate", "locationDeactivate", "refundCreate",
})  # fmt: skip


def check_required(name: str, key: str | None) -> None:
    """Raises the recorded refusal when a mutation that needs a key comes without one."""
    if name in REQUIRED and key is None:
        message = "The @idempotent directive is required for this mutation but was not provided."
        raise TopLevelError("BAD_REQUEST", message)
    if key is not None and not key.strip():
        raise TopLevelError("BAD_REQUEST", "The idempotency key cannot be an empty string or whitespace only.")


def once(call: Call, name: str, key: str | None, arguments: Arguments, mutation: Mutation) -> Object:
    """Executes a mutation, or answers what it answered before under the same key."""
    if key is None or name not in REQUIRED:
        return mutation(call, arguments)
    print_of = _fingerprint(name, arguments)
    known = call.state.find_one("idempotency", key)
    if known is not None and _age(call, known) < timedelta(hours=24):
        if known["fingerprint"] != print_of:
            message = "The same idempotency key cannot be used with different operation parameters."
            raise refuse(None, message, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")
        return dict(known["payload"])
    if known is not None:
        call.state.delete(known)
    payload = mutation(call, arguments)
    call.state.put({
        "id": call.state.new_id("_IdempotencyKey"), "key": key, "fingerprint": print_of,
        "at": call.state.now(), "payload": payload,
    })  # fmt: skip
    return payload


def _age(call: Call, entry: Object) -> timedelta:
    return datetime.fromisoformat(call.state.now()) - datetime.fromisoformat(entry["at"])


def keys(entry: Object) -> list[tuple[str, str]]:
    """How a kept answer is found."""
    return [("idempotency", entry["key"])]


def _fingerprint(name: str, arguments: Any) -> str:
    return hashlib.sha256(orjson.dumps([name, arguments], option=orjson.OPT_SORT_KEYS)).hexdigest()

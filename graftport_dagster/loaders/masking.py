"""The code of a gift card, kept out of what is said: whoever reads it can spend the card.

What lives here: taking a plan's code out of an error, and out of what a dry run writes down. Ids of records are
`records.shown_id`'s. Codes of discounts are no secret.
"""

import re
from typing import Any

from graftport_dagster.errors import GraftportError
from graftport_dagster.loaders.plan import Plan
from graftport_dagster.records import JsonObject, masked_code


def masked_error(error: Exception, plan: Plan) -> Exception:
    """The same error, the record's code masked wherever Shopify's or our words quote it."""
    if not (code := _code(plan.record.payload)):
        return error
    if isinstance(error, GraftportError):
        error.message, error.hint = (_masked(text, code) for text in (error.message, error.hint))
        error.args = (error.message,)
    else:
        error.args = tuple(_masked(str(argument), code) for argument in error.args)
    return error


def masked_envelope(envelope: JsonObject) -> JsonObject:
    """A staged record as it may be written down."""
    code = _code(envelope)
    return {**envelope, "input": {**envelope["input"], "code": masked_code(code)}} if code else envelope


def masked_diff(diff: tuple[JsonObject, ...]) -> tuple[JsonObject, ...]:
    """A difference as it may be written down."""
    return tuple(
        {**change, "old": _hidden(change["old"]), "new": _hidden(change["new"])}
        if change["path"].rpartition(".")[2] == "code"
        else change
        for change in diff
    )


def _code(envelope: JsonObject) -> str:
    payload = envelope.get("input") or {}
    return str(payload.get("code") or "") if "initialAmount" in payload else ""


def _hidden(value: Any) -> Any:
    return masked_code(value) if isinstance(value, str) else value


def _masked(text: str, code: str) -> str:
    return re.sub(re.escape(code), masked_code(code), text, flags=re.IGNORECASE)

"""What an answer of Shopify's means when it is not a success: the one place that reads its wording.

Every answer ends as data, or as one of our errors with Shopify's own words and what to do. The
class says what may happen next: ThrottledError was not executed; RemoteFaultError and
RemoteTimeoutError may have been; ConfigurationError and LoadRejectedError are final. The texts
and codes are those of recorded answers, API versions 2025-01 to 2026-10. Sending again is done
in `client.py`, failing connections are told apart in `transport.py`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    GraftportError,
    LoadRejectedError,
    RemoteFaultError,
    RemoteTimeoutError,
    ThrottledError,
)
from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.problems import json_path
from graftport_dagster.shopify.throttle import Allowance
from graftport_dagster.shopify.transport import Reply

_LONGEST_QUOTE = 500


@dataclass(frozen=True, slots=True)
class UserError:
    """One of Shopify's userErrors. `field` starts at the argument or below it; `code` is often missing."""

    field: tuple[str, ...]
    code: str | None
    message: str


def read_json(reply: Reply, *, host: str) -> JsonObject:
    """The answer's JSON object. Raises what the HTTP status means, or RemoteFaultError for anything but JSON."""
    if reply.status != 200:
        raise _http_refusal(reply, host)
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        kind = (reply.headers.get("Content-Type") or "no content type").partition(";")[0]
        raise RemoteFaultError(f"{host} answered something that is not JSON ({kind}).", code="NOT_JSON")
    return answer


def read_data(answer: JsonObject) -> JsonObject:
    """`data` of a GraphQL answer. Raises what its top-level errors mean."""
    errors = answer.get("errors")
    data = answer.get("data")
    if errors:
        raise _top_level_error(errors, answer)
    if not isinstance(data, dict):
        raise RemoteFaultError("Shopify answered JSON without data and without errors.", code="NO_DATA")
    return data


def user_errors_in(payload: object) -> tuple[UserError, ...]:
    """The userErrors of one mutation's payload, whatever that mutation calls them."""
    if not isinstance(payload, dict):
        return ()
    found: list[UserError] = []
    for key, value in payload.items():
        if key.endswith("serErrors") and isinstance(value, list):
            found += [_user_error(item) for item in value if isinstance(item, dict)]
    return tuple(found)


def _user_error(item: JsonObject) -> UserError:
    field = item.get("field")
    places = tuple(str(part) for part in field) if isinstance(field, list) else ()
    return UserError(places, item.get("code"), str(item.get("message") or ""))


_TOO_SOON = (
    # Trial and development stores take five orders a minute: https://shopify.dev/docs/api/usage/limits
    (re.compile(r"too many attempts", re.IGNORECASE), "TOO_MANY_ATTEMPTS", 15.0),
    (re.compile(r"another operation already in progress", re.IGNORECASE), "OPERATION_IN_PROGRESS", 2.0),
)


def raise_if_too_soon(errors: Sequence[UserError]) -> None:
    """Raise ThrottledError where userErrors only say that now is not the time; nothing was executed then."""
    for error in errors:
        for pattern, code, seconds in _TOO_SOON:
            if pattern.search(error.message):
                raise ThrottledError(
                    f"Shopify asks to wait: {_quoted(error.message)}", code=code, retry_after=seconds,
                    hint="It is tried again by itself.",
                )  # fmt: skip


# Codes for messages that came without one; Shopify's own code wins.
_CODE_OF_MESSAGE = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"already (been taken|in use|exists|assigned)|must be unique|\bis taken", "TAKEN"),
        (r"can't be blank|cannot be empty|must be present", "BLANK"),
        (r"too long|is longer than", "TOO_LONG"),
        (r"too short", "TOO_SHORT"),
        (r"does not exist|not found|couldn't be found|could not be found|could not find", "NOT_FOUND"),
        (r"is invalid|is not valid|invalid", "INVALID"),
    )
)

_HINTS = {
    "TAKEN": "Another object of the store has this value: change it in the mapping, or use adopt_existing.",
    "HANDLE_NOT_UNIQUE": "Another object of the store has this handle: change it in the mapping, or adopt the object.",
    "INVALID_METAFIELD": "Where the value is a graftport id, an object of the store carries it already.",
    "BLANK": "Give the field a value in the mapping.",
    "TOO_LONG": "Shorten the value in the mapping.",
    "TOO_SHORT": "Give the field a longer value in the mapping.",
    "NOT_FOUND": "Something that the record points at is not in the store any more.",
    "INVALID_VARIANT": "Two variants have the same option values, or one lacks a value.",
    "DUPLICATE_REGION_MARKET": "A country is in one active market only: take it out of one of the two, or make the "
    "other one a draft in Shopify, or give this one its name and adopt it.",
    "UNSUPPORTED_COUNTRY_REGION": "Shopify sells nowhere in this country: take it out in the mapping.",
    "CANNOT_DELETE_PRIMARY_MARKET": "A store keeps its primary market; discard the record.",
    "CANNOT_DISABLE_PRIMARY_MARKET": "A store's primary market stays active: give it the status ACTIVE.",
    "ID_NOT_ALLOWED": "Leave id out of the payload; the identifier says which object is meant.",
}

# Names of arguments that userErrors start with; a staged record calls each of them `input`.
_ARGUMENTS = frozenset({
    "input", "collection", "order", "article", "urlRedirect", "basicCodeDiscount", "bxgyCodeDiscount",
    "freeShippingCodeDiscount",
})  # fmt: skip


def rejection(errors: Sequence[UserError]) -> LoadRejectedError:
    """The error that stands for these userErrors: first one's code and path, all messages.

    The path is the staged record's (`input.variants[1].price`), however Shopify's began.
    """
    first = errors[0]
    code = first.code or next((code for pattern, code in _CODE_OF_MESSAGE if pattern.search(first.message)), "INVALID")
    rest = [f"{json_path(error.field)}: {_quoted(error.message)}" for error in errors[1:4]]
    more = [f"and {len(errors) - 4} more"] if len(errors) > 4 else []
    words = "; ".join([_quoted(first.message), *rest, *more])
    field = first.field
    if field[:1] != ("identifier",):
        field = ("input", *(field[1:] if field and field[0] in _ARGUMENTS else field))
    return LoadRejectedError(
        f"Shopify refused it: {words}", code=code, path=json_path(field), hint=_HINTS.get(code, "")
    )


@dataclass(frozen=True, slots=True)
class _Meaning:
    error: type[GraftportError]
    hint: str = ""
    retry_after: float = 0.0


_CONTENT = "The mapping made something that Shopify's schema does not take."
_TOO_LARGE = "The record is too large for one call: give it fewer variants, files or metafields."

# Codes of errors beside `data`, with what was refused before anything was executed as LoadRejectedError.
_MEANINGS: Mapping[str, _Meaning] = {
    "THROTTLED": _Meaning(ThrottledError, "It is tried again by itself."),
    "VARIANT_THROTTLE_EXCEEDED": _Meaning(
        ThrottledError, "The store's daily limit of new variants is reached; the rest goes on when it lifts.", 3600.0
    ),
    "ACCESS_DENIED": _Meaning(CredentialsError, "Give the app this access scope and install it again."),
    "SHOP_INACTIVE": _Meaning(ConfigurationError, "The store is closed or has not paid; open it in Shopify."),
    "MAX_COST_EXCEEDED": _Meaning(LoadRejectedError, _TOO_LARGE),
    "MAX_INPUT_SIZE_EXCEEDED": _Meaning(LoadRejectedError, _TOO_LARGE),
    "INTERNAL_SERVER_ERROR": _Meaning(RemoteFaultError),
    "TIMEOUT": _Meaning(RemoteTimeoutError),
} | {
    code: _Meaning(LoadRejectedError, _CONTENT)
    for code in (
        "INVALID_VARIABLE", "undefinedField", "argumentNotAccepted", "missingRequiredArguments",
        "missingRequiredInputObjectAttribute", "argumentLiteralsIncompatible", "invalidOneOfInputObject",
        "variableNotUsed", "variableMismatch", "selectionMismatch", "undefinedDirective", "undefinedType",
        "PARSE_ERROR", "BAD_REQUEST", "INVALID_FIELD_ARGUMENTS", "INVALID", "NOT_FOUND", "RESOURCE_NOT_FOUND",
        "CURRENCY_CODE_INVALID", "INVALID_PRODUCT_TAXONOMY_NODE_ID",
    )
}  # fmt: skip

# Where one answer has several errors, the first of these decides.
_GRAVEST = (CredentialsError, ConfigurationError, RemoteFaultError, RemoteTimeoutError, ThrottledError)
_NO_DEFINITION = re.compile(r"metafield definition of type 'id' is required", re.IGNORECASE)


def _top_level_error(errors: object, answer: JsonObject) -> GraftportError:
    """The error that stands for a GraphQL answer's `errors`.

    A code nobody has recorded counts as RemoteFaultError: it does not prove that nothing was executed.
    """
    items = [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    if not items:
        return RemoteFaultError(f"Shopify answered errors of unknown form: {_quoted(errors)}", code="NO_DATA")
    found = [_one_error(item, answer) for item in items]
    for kind in _GRAVEST:
        for error in found:
            if isinstance(error, kind):
                return error
    return found[0]


def _one_error(item: JsonObject, answer: JsonObject) -> GraftportError:
    extensions = item.get("extensions") if isinstance(item.get("extensions"), dict) else {}
    code = str((extensions or {}).get("code") or "")
    message = str(item.get("message") or "no message")
    if _NO_DEFINITION.search(message):
        return ConfigurationError(
            f"Shopify refused it: {_quoted(message)}", code="DEFINITION_MISSING",
            hint="Check the migration again: that makes the definitions which identities are kept in.",
        )  # fmt: skip
    meaning = _MEANINGS.get(code)
    if meaning is None:
        return RemoteFaultError(f"Shopify answered: {_quoted(message)}", code=code or "UNKNOWN_ERROR")
    words = f"Shopify refused it: {_quoted(message)}"
    if issubclass(meaning.error, ThrottledError):
        seconds = meaning.retry_after or _seconds_missing(answer)
        return ThrottledError(
            f"Shopify asks to wait: {_quoted(message)}", code=code, hint=meaning.hint, retry_after=seconds
        )
    return meaning.error(words, code=code, hint=meaning.hint, path=_place(item, extensions or {}))


def _place(item: JsonObject, extensions: JsonObject) -> str:
    """Where in the variables, or in the document, Shopify saw the mistake."""
    problems = extensions.get("problems")
    variable = re.match(r"Variable \$(\w+)", str(item.get("message") or ""))
    if variable and isinstance(problems, list) and problems and isinstance(problems[0], dict):
        inner = problems[0].get("path")
        root = "input" if variable[1] in _ARGUMENTS else variable[1]
        return json_path([root, *inner]) if isinstance(inner, list) else root
    path = item.get("path")
    return json_path(path) if isinstance(path, list) else ""


def _seconds_missing(answer: JsonObject) -> float:
    cost = read_cost(answer)
    return max(0.0, (cost.requested - cost.allowance.available) / max(cost.allowance.rate, 1.0)) if cost else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer says of the store's points; `actual` is 0 for what was not executed."""

    requested: float
    actual: float
    allowance: Allowance


def read_cost(answer: JsonObject) -> Cost | None:
    """`extensions.cost` of an answer, or None where it is missing or no numbers."""
    try:
        cost = answer["extensions"]["cost"]
        status = cost["throttleStatus"]
        actual = cost.get("actualQueryCost")
        numbers = (
            float(cost["requestedQueryCost"]), 0.0 if actual is None else float(actual),
            float(status["maximumAvailable"]), float(status["restoreRate"]), float(status["currentlyAvailable"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None
    if not all(map(math.isfinite, numbers)):
        return None
    requested, used, size, rate, available = numbers
    return Cost(requested, used, Allowance(size, rate, available))


def wrong_version(reply: Reply, asked: str) -> ConfigurationError | None:
    """The error for an answer by another API version than was asked for (Shopify falls forward silently)."""
    served = reply.headers.get("X-Shopify-API-Version")
    if not served or served == asked:
        return None
    return ConfigurationError(
        f"API version {asked} was asked for, but {served} answered.", code="API_VERSION",
        hint="Shopify has retired the version asked for: set api_version to a supported one.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Status:
    error: type[GraftportError]
    code: str
    words: str
    hint: str


_STATUSES: Mapping[int, _Status] = {
    401: _Status(CredentialsError, "INVALID_TOKEN", "does not accept the access token",
                 "Install the app again, or renew its token, and set the secret anew."),
    402: _Status(ConfigurationError, "STORE_FROZEN", "is frozen for an unpaid bill",
                 "Pay the store's bill in Shopify."),
    403: _Status(CredentialsError, "FORBIDDEN", "forbids this app to ask it",
                 "Check the app's access scopes, and that it is still installed."),
    404: _Status(ConfigurationError, "NO_SUCH_STORE", "knows no store, or no such API version, under this address",
                 "Check the shop's address and api_version."),
    413: _Status(LoadRejectedError, "TOO_LARGE", "finds the call too large", _TOO_LARGE),
    423: _Status(ConfigurationError, "STORE_LOCKED", "is locked", "Ask Shopify's support to unlock the store."),
    430: _Status(ConfigurationError, "SECURITY_REJECTION", "took the call for an attack",
                 "Wait, lower concurrency, and ask Shopify's support if it stays so."),
}  # fmt: skip


def _http_refusal(reply: Reply, host: str) -> GraftportError:
    status = reply.status
    if status == 429:
        return ThrottledError(
            f"{host} answers 429: too many calls.", code="HTTP_429", retry_after=_retry_after(reply),
            hint="It is tried again by itself.",
        )  # fmt: skip
    if known := _STATUSES.get(status):
        return known.error(f"{host} {known.words} (HTTP {status}).", code=known.code, hint=known.hint)
    if status == 408:
        return RemoteTimeoutError(f"{host} answers 408: it waited in vain for the call.", code="HTTP_408")
    if 300 <= status < 500:
        return ConfigurationError(
            f"{host} answers HTTP {status} instead of what was asked.", code=f"HTTP_{status}",
            hint="Check that the shop's address is its <shop>.myshopify.com.",
        )  # fmt: skip
    return RemoteFaultError(f"{host} answers HTTP {status}.", code=f"HTTP_{status}", retry_after=_retry_after(reply))


def _retry_after(reply: Reply) -> float:
    """Seconds from a Retry-After header, as a number or a date; 0 where there is none."""
    text = (reply.headers.get("Retry-After") or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            # Against the answer's own date, so that no clock of ours has to agree with theirs.
            answered = parsedate_to_datetime(reply.headers.get("Date") or "")
            seconds = (parsedate_to_datetime(text) - answered).total_seconds()
        except (TypeError, ValueError):
            return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _quoted(words: Any) -> str:
    text = " ".join(str(words).split())
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"

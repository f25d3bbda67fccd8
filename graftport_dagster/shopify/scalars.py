"""Shopify's scalars, as a payload may hold them: what is taken, and in which form it is sent.

graphql-core takes any value for a custom scalar; Shopify does not. Each function here returns
the value as it is to be sent and notes a problem where none can be. Objects, lists and enums are
in `input_types.py`.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any

from graftport_dagster.records import ResourceType
from graftport_dagster.shopify.problems import Place, Problems

Check = Callable[[Any, Place, Problems], Any]
"""Takes a value, its place and the list of problems; gives the value as it is to be sent."""

_WRONG = "WRONG_TYPE"
_KINDS: Mapping[type, str] = {str: "Text", list: "A list", dict: "An object"}
_DECIMAL = re.compile(r"-?\d{1,25}(\.\d{1,25})?")
_DIGITS = re.compile(r"-?\d{1,40}")
_GID = re.compile(r"gid://[a-z0-9-]+/(\w+)/[\w%.:?=&-]+")
_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def kind_of(value: object) -> str:
    """What a JSON value is, in words that fit before "where … belongs"; never the value itself."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "A number"
    return _KINDS.get(type(value), f"A {type(value).__name__}")


def text(value: Any, place: Place, problems: Problems) -> Any:
    """Text."""
    if type(value) is not str:
        hint = "Write $string(…) around it." if isinstance(value, int | float) else ""
        if isinstance(value, dict) and "$ref" in value:
            hint = "A reference belongs only where Shopify wants an id."
        problems.add(place, _WRONG, f"{kind_of(value)} where text belongs.", hint)
    return value


def whole_number(value: Any, place: Place, problems: Problems) -> Any:
    """An integer of 32 bits; a number without fraction counts as one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        problems.add(place, _WRONG, f"{kind_of(value)} where a whole number belongs.", _number_hint(value))
    elif not -(2**31) <= value < 2**31:
        problems.add(place, "OUT_OF_RANGE", "A number beyond what Shopify counts to.")
    return value


def number(value: Any, place: Place, problems: Problems) -> Any:
    """A finite number."""
    if type(value) not in (int, float):
        problems.add(place, _WRONG, f"{kind_of(value)} where a number belongs.", _number_hint(value))
    elif not -1e300 < value < 1e300:
        problems.add(place, "OUT_OF_RANGE", "A number that is not finite.")
    return value


def truth(value: Any, place: Place, problems: Problems) -> Any:
    """True or false."""
    if type(value) is not bool:
        problems.add(place, _WRONG, f"{kind_of(value)} where true or false belongs.", "Compare it: value = …")
    return value


def decimal(value: Any, place: Place, problems: Problems) -> Any:
    """Money and other exact numbers, sent as text: `"10.50"`. A number becomes text, to six places."""
    if type(value) is str and _DECIMAL.fullmatch(value):
        return value
    if type(value) in (int, float) and -1e25 < value < 1e25:
        return str(value) if type(value) is int else f"{value:.6f}".rstrip("0").rstrip(".")
    what = "Text that is no number" if type(value) is str else kind_of(value)
    problems.add(place, "BAD_NUMBER", f"{what} where an amount belongs.", "Write $money(…) around it.")
    return value


def digits(value: Any, place: Place, problems: Problems) -> Any:
    """An integer of any size, sent as text."""
    if type(value) is int and -1e40 < value < 1e40:
        return str(value)
    if type(value) is not str or not _DIGITS.fullmatch(value):
        problems.add(place, "BAD_NUMBER", f"{kind_of(value)} where digits belong.")
    return value


def url(value: Any, place: Place, problems: Problems) -> Any:
    """An address that Shopify can fetch: http or https."""
    if type(value) is not str:
        return text(value, place, problems)
    if not _URL.fullmatch(value):
        problems.add(place, "BAD_URL", "Not an address that begins with http:// or https://, without spaces.",
                     "Put the shop's address in front, and encode spaces as %20.")  # fmt: skip
    return value


def moment(value: Any, place: Place, problems: Problems) -> Any:
    """A time with its zone, ISO 8601."""
    if type(value) is not str:
        return text(value, place, problems)
    try:
        if _MOMENT.fullmatch(value):
            datetime.fromisoformat(value)
            return value.replace(" ", "T", 1)
    except ValueError:
        pass
    problems.add(place, "BAD_DATE", "Not a time such as 2024-01-31T10:20:30Z.", "Write $iso(…, zone) around it.")
    return value


def day(value: Any, place: Place, problems: Problems) -> Any:
    """A date, `2024-01-31`."""
    if type(value) is not str:
        return text(value, place, problems)
    try:
        if len(value) == 10:
            date.fromisoformat(value)
            return value
    except ValueError:
        pass
    problems.add(place, "BAD_DATE", "Not a date such as 2024-01-31.", "Take the first ten characters of $iso(…).")
    return value


def color(value: Any, place: Place, problems: Problems) -> Any:
    """A colour, `#a1b2c3`."""
    if type(value) is not str or not _COLOR.fullmatch(value):
        problems.add(place, "BAD_COLOR", f"{kind_of(value)} where a colour such as #a1b2c3 belongs.")
    return value


def anything(value: Any, place: Place, problems: Problems) -> Any:  # noqa: ARG001 - every check looks alike
    """Any JSON."""
    return value


SCALARS: Mapping[str, Check] = {
    "String": text, "HTML": text, "FormattedString": text, "UtcOffset": text, "ARN": text, "StorefrontID": text,
    "Int": whole_number, "Float": number, "Boolean": truth, "Money": decimal, "Decimal": decimal,
    "UnsignedInt64": digits, "BigInt": digits, "URL": url, "DateTime": moment, "Date": day, "Color": color,
    "JSON": anything,
}  # fmt: skip


_BECOMES = {
    ("collections", ""): "Collection", ("products", ""): "Product", ("products", "variant"): "ProductVariant",
    ("customers", ""): "Customer", ("discount_codes", ""): "DiscountCodeNode", ("gift_cards", ""): "GiftCard",
    ("orders", ""): "Order", ("markets", ""): "Market", ("redirects", ""): "UrlRedirect",
    ("locations", ""): "Location",
}  # fmt: skip
_REFERABLE = frozenset({*ResourceType, "locations"})
_REFERENCE_KEYS = frozenset({"resource_type", "source_id", "part", "part_id"})
_HOW_TO_REFER = "Write $ref(resource_type, source_id)."


def gid(types: Collection[str]) -> Check:
    """A check for ids of these Shopify types (any, where empty): a GID, or a reference to what will have one."""

    def check(value: Any, place: Place, problems: Problems) -> Any:
        if type(value) is dict:
            return reference(value, place, problems, types)
        found = _GID.fullmatch(value) if type(value) is str else None
        if found is None:
            problems.add(place, "BAD_ID", f"{kind_of(value)} where an id such as gid://shopify/Product/1 belongs.",
                         _HOW_TO_REFER)  # fmt: skip
        elif types and found[1] not in types:
            problems.add(place, "BAD_ID", f"An id of {found[1]} where one of {' or '.join(sorted(types))} belongs.")
        return value

    return check


def reference(value: Any, place: Place, problems: Problems, types: Collection[str] = ()) -> Any:
    """`{"$ref": {"resource_type", "source_id"[, "part", "part_id"]}}`, kept as it is for the loader."""
    target = value.get("$ref")
    if len(value) != 1 or type(target) is not dict or not target.keys() <= _REFERENCE_KEYS:
        problems.add(place, "BAD_REFERENCE", "An object that is no reference where an id belongs.", _HOW_TO_REFER)
        return value
    kind = target.get("resource_type")
    if type(kind) is not str or kind not in _REFERABLE:
        problems.add(place, "BAD_REFERENCE", "A reference to no resource type there is.",
                     f"There are {', '.join(sorted(_REFERABLE))}.")  # fmt: skip
        return value
    pair = [key for key in ("part", "part_id") if key in target]
    if any(type(target.get(key)) is not str or not target[key] for key in ("source_id", *pair)) or len(pair) == 1:
        problems.add(place, "BAD_REFERENCE", "A reference whose source_id, or part and part_id, is not text.",
                     _HOW_TO_REFER)  # fmt: skip
        return value
    becomes = _BECOMES.get((target["resource_type"], target.get("part", "")))
    if types and becomes and becomes not in types:
        problems.add(
            place, "BAD_REFERENCE", f"A reference to a {becomes} where a {' or '.join(sorted(types))} belongs."
        )
    return value


def _number_hint(value: object) -> str:
    return "Write $number(…) around it." if isinstance(value, str) else ""

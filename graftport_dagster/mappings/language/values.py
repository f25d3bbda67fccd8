"""What JSONata's values are in Python, and the few questions every operator asks of them.

Undefined is None and null is `NULL`, so that a field that is absent and one that is null stay
apart; `inbound` and `outbound` translate at the border. An array of the data is a plain list; a
`Sequence` is what paths give, and collapses to its only value. Functions are values too; they
are in `calls.py`.
"""

import math
from decimal import Decimal
from typing import Any

from graftport_dagster.mappings.language.failure import Failure

_EXACT = 2**53


class Null:
    """The type of `NULL`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "null"

    def __bool__(self) -> bool:
        return False


NULL = Null()


class Sequence(list[Any]):
    """What a path selects: nothing when empty, its value when it has one, unless kept as an array."""

    keep_singleton = False
    tuple_stream = False
    outer_wrapper = False


class Constructed(list[Any]):
    """An array written as `[…]` at the end of a path: not flattened into what is around it."""


def number(value: float) -> float:
    """A whole float as the integer it is."""
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def is_number(value: Any) -> bool:
    """Whether it is a number (booleans are not). Raises Failure D1001 for Infinity, where it is used."""
    kind = type(value)
    if kind is float and not math.isfinite(value):
        raise Failure("D1001", value)
    return kind is int or kind is float


def truth(value: Any) -> bool:
    """JSONata's effective boolean value; undefined is false."""
    kind = type(value)
    if kind is bool:
        return bool(value)
    if isinstance(value, list):
        return truth(value[0]) if len(value) == 1 else any(truth(item) for item in value)
    if kind is str or kind is dict or kind is int or kind is float:
        return bool(value)
    return False


def equal(left: Any, right: Any) -> bool:
    """Deep equality in which true is not 1."""
    if isinstance(left, list):
        return (
            isinstance(right, list) and len(left) == len(right)
            and all(equal(one, other) for one, other in zip(left, right, strict=True))
        )  # fmt: skip
    if isinstance(left, dict):
        return (
            isinstance(right, dict) and left.keys() == right.keys()
            and all(equal(value, right[key]) for key, value in left.items())
        )  # fmt: skip
    return bool(left == right) and (type(left) is bool) == (type(right) is bool)


def number_text(value: float) -> str:
    """As JavaScript writes numbers, fractions to 15 significant digits."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Failure("D3001")
        value = float(f"{value:.15g}")
        if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
    elif abs(value) < 10**21:
        return str(value)
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    minus = "-" if sign else ""
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}" if point < len(text) else minus + text.ljust(point, "0")
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    return f"{minus}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def single(value: Any) -> Any:
    """A sequence's only value, undefined for an empty one; anything else is itself."""
    if type(value) is Sequence and not value.tuple_stream:
        if not value:
            return None
        if len(value) == 1 and not value.keep_singleton:
            return value[0]
    return value


def inbound(value: Any) -> Any:
    """JSON data as the evaluation knows it: None becomes NULL. What holds no None is not copied."""
    if value is None:
        return NULL
    if isinstance(value, dict):
        changed = {key: new for key, item in value.items() if (new := inbound(item)) is not item}
        return {**value, **changed} if changed else value
    if isinstance(value, list):
        items = [inbound(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def outbound(value: Any) -> Any:
    """A result as JSON data of its own, sharing nothing with the input. Raises Failure for a function in it."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or (kind is float and math.isfinite(value)):
        return value
    if kind is float:
        raise Failure("D1001", value)
    if kind is dict:
        return {key: outbound(item) for key, item in value.items()}
    if isinstance(value, list):
        return [outbound(item) for item in value]
    if value is NULL or value is None:
        return None
    raise Failure("BAD_RESULT", message="The result holds a function where a value belongs.")

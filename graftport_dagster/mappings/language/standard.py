"""JSONata's functions of numbers, arrays, objects, functions and dates.

Written here where jsonata-python differs from the reference (ties in `$sort`, half-even rounding
of `$formatNumber`, what `$number` and `$toMillis` take, null beside undefined); its own date and
integer pictures are used as they are. Text functions are in `text.py`.
"""

import functools
import math
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from jsonata.datetimeutils import DateTimeUtils
from jsonata.functions import Functions

from graftport_dagster.mappings.language.calls import Function, Native, invoke
from graftport_dagster.mappings.language.failure import Failure
from graftport_dagster.mappings.language.objects import deep_copy, joined
from graftport_dagster.mappings.language.paths import lookup
from graftport_dagster.mappings.language.pictures import format_number
from graftport_dagster.mappings.language.text import TEXT_FUNCTIONS
from graftport_dagster.mappings.language.values import NULL, Sequence, equal, is_number, truth

_DECIMAL_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
_OTHER_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+")
_ISO_TIME = re.compile(
    r"(\d{4})(?:-([01]\d))?(?:-([0-3]\d))?(?:T([0-2]\d):([0-5]\d):([0-5]\d))?(\.\d+)?(?:([+-])([0-2]\d):?([0-5]\d)|Z)?"
)


def _given(function: Callable[..., Any]) -> Callable[..., Any]:
    """Undefined gives undefined."""
    return lambda value, *rest: None if value is None else function(value, *rest)


def _count(values: list[Any] | None) -> int:
    return 0 if values is None else len(values)


def _average(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _to_number(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if is_number(value):
        return value
    if isinstance(value, str) and _OTHER_NUMBER.fullmatch(value):
        return int(value, 0)
    if isinstance(value, str) and (match := _DECIMAL_NUMBER.fullmatch(value)):
        found = float(value) if match.group(1) or match.group(2) else int(value)
        if math.isfinite(found):
            return found
    raise Failure("D3030", value)


def _round(value: float, precision: float | None = None) -> float:
    """Half to even on the decimal text."""
    return float(round(Decimal(repr(value)), int(precision or 0)))


def _sqrt(value: float) -> float:
    if value < 0:
        raise Failure("D3060", value)
    return math.sqrt(value)


def _power(value: float, exponent: float) -> float:
    try:
        result: float | complex = float(value) ** float(exponent)
    except (OverflowError, ZeroDivisionError):
        raise Failure("D3061", value, exponent) from None
    if isinstance(result, complex) or not math.isfinite(result):
        raise Failure("D3061", value, exponent)
    return result


def _format_base(value: float, radix: float | None) -> str:
    base = 10 if radix is None else int(radix)
    if not 2 <= base <= 36:
        raise Failure("D3100", base)
    return str(Functions.base_repr(int(_round(value)), base)).lower()


def _boolean(value: Any) -> bool:
    return truth(value)


def _call_with(function: Function, args: list[Any]) -> Any:
    return invoke(function, args[: max(1, min(function.arity, len(args)))])


def _map(values: list[Any], function: Function) -> Sequence:
    found = (_call_with(function, [value, index, values]) for index, value in enumerate(values))
    return Sequence(item for item in found if item is not None)


def _filter(values: list[Any], function: Function) -> Sequence:
    return Sequence(value for index, value in enumerate(values) if truth(_call_with(function, [value, index, values])))


def _single(values: list[Any], function: Function | None) -> Any:
    found = [
        value for index, value in enumerate(values)
        if function is None or truth(_call_with(function, [value, index, values]))
    ]  # fmt: skip
    if len(found) != 1:
        raise Failure("D3138" if found else "D3139")
    return found[0]


def _reduce(values: list[Any], function: Function, start: Any) -> Any:
    if function.arity < 2:
        raise Failure("D3050")
    if start is None and not values:
        return None
    result, first = (values[0], 1) if start is None else (start, 0)
    for index in range(first, len(values)):
        result = _call_with(function, [result, values[index], index, values])
    return result


def _zip(*arrays: Any) -> list[list[Any]]:
    return [] if any(array is None for array in arrays) else [list(items) for items in zip(*arrays, strict=False)]


def _keys(value: Any) -> Sequence:
    if isinstance(value, list):
        return Sequence(dict.fromkeys(key for item in value for key in _keys(item)))
    return Sequence(value) if isinstance(value, dict) else Sequence()


def _spread(value: Any) -> Any:
    if isinstance(value, list):
        found: Any = Sequence()
        for item in value:
            found = joined(found, _spread(item))
        return found
    return Sequence({key: item} for key, item in value.items()) if isinstance(value, dict) else value


def _merge(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: value for item in objects for key, value in item.items()}


def _reverse(values: list[Any]) -> list[Any]:
    return values if len(values) <= 1 else values[::-1]


def _each(value: dict[str, Any], function: Function) -> Sequence:
    found = (_call_with(function, [item, key, value]) for key, item in value.items())
    return Sequence(item for item in found if item is not None)


def _sift(value: dict[str, Any], function: Function) -> dict[str, Any] | None:
    return {key: item for key, item in value.items() if truth(_call_with(function, [item, key, value]))} or None


def _error(message: str | None) -> NoReturn:
    raise Failure("D3137", message="$error() function evaluated" if message is None else message)


def _assert(condition: Any, message: str | None) -> None:
    if not condition:
        raise Failure("D3141", message="$assert() statement failed" if message is None else message)


_TYPES = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", type(NULL): "null"}


def _type(value: Any) -> str:
    return "array" if isinstance(value, list) else "function" if isinstance(value, Function) else _TYPES[type(value)]


def _sort(values: list[Any], function: Function | None) -> list[Any]:
    if len(values) <= 1:
        return values
    if function is None:
        if not (all(is_number(value) for value in values) or all(isinstance(value, str) for value in values)):
            raise Failure("D3070")
        return sorted(values)

    swaps = function

    # Swapped only where the function says so: ties keep their order.
    @functools.total_ordering
    class _Placed:
        __slots__ = ("value",)

        def __init__(self, value: Any) -> None:
            self.value = value

        def __lt__(self, other: "_Placed") -> bool:
            swap = invoke(swaps, [other.value, self.value])
            return bool(swap) if not isinstance(swap, list | dict) else True

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

    return sorted(values, key=_Placed)


def _shuffle(values: list[Any]) -> list[Any]:
    return random.sample(values, len(values))


def _distinct(values: Any) -> Any:
    if not isinstance(values, list) or len(values) <= 1:
        return values
    found = Sequence() if type(values) is Sequence else []
    seen: set[Any] = set()
    for value in values:
        if isinstance(value, str | int | float):
            key = (type(value) is bool, value)
            if key in seen:
                continue
            seen.add(key)
        elif any(equal(value, other) for other in found):
            continue
        found.append(value)
    return found


def _to_millis(text: str, picture: str | None) -> int | None:
    if picture is not None:
        return _by_picture(text, picture)
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        raise Failure("D3110", text)
    year, month, day, hour, minute, second, fraction, sign, zone_hour, zone_minute = match.groups()
    try:
        moment = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        raise Failure("D3110", text) from None
    offset = (int(zone_hour) * 60 + int(zone_minute)) * (-60_000 if sign == "-" else 60_000) if sign else 0
    return int(moment.timestamp()) * 1000 + int(Decimal(fraction or 0) * 1000) - offset


def _by_picture(text: str, picture: str) -> int | None:
    try:
        return DateTimeUtils.parse_datetime(text, picture)  # type: ignore[no-any-return]
    except KeyError as error:
        raise Failure("D3132", error.args[0]) from None
    except ValueError:
        raise Failure("D3110", text) from None


def _from_millis(millis: float, picture: str | None, zone: str | None) -> str:
    return str(DateTimeUtils.format_datetime(int(millis), picture, zone))


def _format_integer(value: float, picture: str) -> str:
    return str(DateTimeUtils.format_integer(int(value // 1), picture))


def _parse_integer(text: str, picture: str) -> float | None:
    value = DateTimeUtils.parse_integer(text, picture)
    return float(value) if value is not None and abs(value) > 2**53 else value


def clock(millis: int) -> dict[str, Native]:
    """`$now` and `$millis`, standing still at that moment."""
    return {
        "now": Native("now", lambda picture, zone: _from_millis(millis, picture, zone), "<s?s?:s>", 2),
        "millis": Native("millis", lambda: millis, "<:n>", 0),
    }


_OTHER_FUNCTIONS: dict[str, tuple[Callable[..., Any], str, int]] = {
    "sum": (_given(sum), "<a<n>:n>", 1),
    "count": (_count, "<a:n>", 1),
    "max": (_given(lambda values: max(values) if values else None), "<a<n>:n>", 1),
    "min": (_given(lambda values: min(values) if values else None), "<a<n>:n>", 1),
    "average": (_given(_average), "<a<n>:n>", 1),
    "formatNumber": (format_number, "<n-so?:s>", 3),
    "formatBase": (_given(_format_base), "<n-n?:s>", 2),
    "formatInteger": (_given(_format_integer), "<n-s:s>", 2),
    "parseInteger": (_given(_parse_integer), "<s-s:n>", 2),
    "number": (_given(_to_number), "<(nsb)-:n>", 1),
    "floor": (_given(math.floor), "<n-:n>", 1),
    "ceil": (_given(math.ceil), "<n-:n>", 1),
    "round": (_given(_round), "<n-n?:n>", 2),
    "abs": (_given(abs), "<n-:n>", 1),
    "sqrt": (_given(_sqrt), "<n-:n>", 1),
    "power": (_given(_power), "<n-n:n>", 2),
    "random": (random.random, "<:n>", 0),
    "boolean": (_given(_boolean), "<x-:b>", 1),
    "not": (_given(lambda value: not truth(value)), "<x-:b>", 1),
    "map": (_given(_map), "<af>", 2),
    "zip": (_zip, "<a+>", 0),
    "filter": (_given(_filter), "<af>", 2),
    "single": (_given(_single), "<af?>", 2),
    "reduce": (_given(_reduce), "<afj?:j>", 3),
    "sift": (_given(_sift), "<o-f?:o>", 2),
    "keys": (_given(_keys), "<x-:a<s>>", 1),
    "lookup": (lookup, "<x-s:x>", 2),
    "append": (joined, "<xx:a>", 2),
    "exists": (lambda value: value is not None, "<x:b>", 1),
    "spread": (_given(_spread), "<x-:a<o>>", 1),
    "merge": (_given(_merge), "<a<o>:o>", 1),
    "reverse": (_given(_reverse), "<a:a>", 1),
    "each": (_given(_each), "<o-f:a>", 2),
    "error": (_error, "<s?:x>", 1),
    "assert": (_assert, "<bs?:x>", 2),
    "type": (_given(_type), "<x:s>", 1),
    "sort": (_given(_sort), "<af?:a>", 2),
    "shuffle": (_given(_shuffle), "<a:a>", 1),
    "distinct": (_given(_distinct), "<x:x>", 1),
    "toMillis": (_given(_to_millis), "<s-s?:n>", 2),
    "fromMillis": (_given(_from_millis), "<n-s?s?:s>", 3),
    "clone": (_given(deep_copy), "<(oa)-:o>", 1),
}

STANDARD: dict[str, Native] = {
    name: Native(name, call, signature, parameters)
    for name, (call, signature, parameters) in (TEXT_FUNCTIONS | _OTHER_FUNCTIONS).items()
}

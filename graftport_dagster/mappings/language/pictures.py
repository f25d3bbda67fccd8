"""`$formatNumber`: the picture checked by the rules of XPath (F&O 4.7.3), the number rounded half to even.

jsonata-python writes the digits; it checks other things than the reference does, in another order,
and rounds half up on binary fractions.
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from jsonata.functions import Functions

from graftport_dagster.mappings.language.failure import Failure

_DEFAULTS = {
    "decimal-separator": ".", "grouping-separator": ",", "exponent-separator": "e", "percent": "%", "per-mille": "‰",
    "zero-digit": "0", "digit": "#", "pattern-separator": ";",
}  # fmt: skip
_LARGEST_ROUNDED = 20


def format_number(value: float | None, picture: str, options: Mapping[str, object] | None) -> str | None:
    """The number by the picture; undefined from undefined. Raises Failure D3080 to D3093 for a wrong picture."""
    given = {key: item for key, item in (options or {}).items() if isinstance(item, str)}
    pictures = _checked(picture, tuple(sorted(given.items())))
    if value is None:
        return None
    signs = {**_DEFAULTS, **given}
    number = Decimal(repr(value))
    part = pictures[-1] if number < 0 else pictures[0]
    if signs["exponent-separator"] not in part and number.adjusted() < _LARGEST_ROUNDED:
        places = _places(part, signs)
        number = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return str(Functions.format_number(number, picture, given))


def _places(part: str, signs: Mapping[str, str]) -> int:
    fraction = part.partition(signs["decimal-separator"])[2]
    digits = sum(char in _digits(signs) or char == signs["digit"] for char in fraction)
    return digits + (2 if signs["percent"] in part else 3 if signs["per-mille"] in part else 0)


def _digits(signs: Mapping[str, str]) -> str:
    return "".join(chr(ord(signs["zero-digit"]) + value) for value in range(10))


@lru_cache(maxsize=256)
def _checked(picture: str, given: tuple[tuple[str, str], ...]) -> list[str]:
    signs = {**_DEFAULTS, **dict(given)}
    pictures = picture.split(signs["pattern-separator"])
    if len(pictures) > 2:
        raise Failure("D3080")
    for part in pictures:
        # Where several rules are broken the reference names the last one.
        for code in reversed(list(_broken(part, signs))):
            raise Failure(code)
    return pictures


def _broken(part: str, signs: Mapping[str, str]) -> Iterator[str]:
    digits, optional, point = _digits(signs), signs["digit"], signs["decimal-separator"]
    percent, per_mille = signs["percent"], signs["per-mille"]
    active, exponent = _active(part, signs)
    for sign, code in ((point, "D3081"), (percent, "D3082"), (per_mille, "D3083")):
        if part.count(sign) > 1:
            yield code
    if percent in part and per_mille in part:
        yield "D3084"
    if not any(char in digits or char == optional for char in active):
        yield "D3085"
    if any(char not in digits + optional + point + signs["grouping-separator"] for char in active):
        yield "D3086"
    yield from _broken_grouping(part, active.partition(point)[0], point, signs["grouping-separator"])
    yield from _broken_digits(active, digits, optional, point)
    if exponent and (percent in part or per_mille in part):
        yield "D3092"
    if exponent is not None and not (exponent and all(char in digits for char in exponent)):
        yield "D3093"


def _broken_digits(active: str, digits: str, optional: str, point: str) -> Iterator[str]:
    whole, _, fraction = active.partition(point)
    if optional in whole and any(char in digits for char in whole.partition(optional)[0]):
        yield "D3090"
    if optional in fraction and any(char in digits for char in fraction.rpartition(optional)[2]):
        yield "D3091"


def _broken_grouping(part: str, whole: str, point: str, grouping: str) -> Iterator[str]:
    if point in part:
        if grouping + point in part or point + grouping in part:
            yield "D3087"
    elif whole.endswith(grouping):
        yield "D3088"
    if grouping * 2 in part:
        yield "D3089"


def _active(part: str, signs: Mapping[str, str]) -> tuple[str, str | None]:
    """The picture without what merely surrounds the number: its mantissa, and its exponent if it has one."""
    signals = _digits(signs) + signs["digit"] + signs["decimal-separator"] + signs["grouping-separator"]
    places = [place for place, char in enumerate(part) if char in signals]
    inner = part[places[0] : places[-1] + 1] if places else part
    mantissa, separator, exponent = inner.partition(signs["exponent-separator"])
    return mantissa, exponent if separator else None

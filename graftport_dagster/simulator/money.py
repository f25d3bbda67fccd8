"""Money to the cent: sums, rounding and the bags in which Shopify shows it.

What lives here: decimal arithmetic with amounts as text. What is added up to what is `order_totals.py`'s.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

# Currencies without a smaller unit; the others here have cents.
_WHOLE = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "XAF", "XOF", "PYG", "UGX", "RWF", "VUV", "XPF", "DJF", "GNF"})
ZERO = Decimal(0)


def amount(given: Any) -> Decimal:
    """The number in a text, 0 where there is none."""
    return Decimal(str(given)) if given not in (None, "") else ZERO


def rounded(number: Decimal, currency: str = "USD") -> Decimal:
    """To the currency's smallest unit, half of it upwards."""
    unit = Decimal(1) if currency in _WHOLE else Decimal("0.01")
    return number.quantize(unit, ROUND_HALF_UP)


def text(number: Decimal) -> str:
    """A number as Shopify writes amounts: no superfluous zeros, at least one place."""
    shown = format(number.normalize(), "f")
    if shown in {"-0", "0"}:
        return "0.0"
    return shown if "." in shown else f"{shown}.0"


def total_of(amounts: Iterable[Any]) -> str:
    """The sum of amounts given as texts."""
    return text(sum((amount(it) for it in amounts), ZERO))

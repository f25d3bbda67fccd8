"""Money to the cent: sums, rounding and the bags in which Shopify shows it.

What lives here: an amount in the shop's and the customer's currency, and arithmetic on it. What is
added up to what is `order_totals.py`'s.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

# Currencies without a smaller unit; the others here have cents.
_WHOLE = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "XAF", "XOF", "PYG", "UGX", "RWF", "VUV", "XPF", "DJF", "GNF"})
ZERO = Decimal(0)
Bag = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Currencies:
    """The shop's currency and that in which the customer saw prices."""

    shop: str
    presentment: str


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in both currencies."""

    shop: Decimal = ZERO
    presentment: Decimal = ZERO

    def __add__(self, other: "Money") -> "Money":
        return Money(self.shop + other.shop, self.presentment + other.presentment)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.shop - other.shop, self.presentment - other.presentment)

    def times(self, factor: Decimal | int, currencies: Currencies) -> "Money":
        """The amount multiplied, and rounded to the smallest units."""
        return Money(
            rounded(self.shop * factor, currencies.shop), rounded(self.presentment * factor, currencies.presentment)
        )

    def capped(self, most: "Money") -> "Money":
        """The amount, at most another."""
        return Money(min(self.shop, most.shop), min(self.presentment, most.presentment))

    def bag(self, currencies: Currencies) -> Bag:
        """The amount as Shopify shows it."""
        return {
            "shopMoney": {"amount": text(self.shop), "currencyCode": currencies.shop},
            "presentmentMoney": {"amount": text(self.presentment), "currencyCode": currencies.presentment},
        }


NOTHING = Money()


def given(bag: Any) -> Money:
    """The amount in a MoneyBagInput or a bag; nothing where there is none."""
    if not bag:
        return NOTHING
    shop = amount(bag["shopMoney"]["amount"])
    presentment = bag.get("presentmentMoney")
    return Money(shop, amount(presentment["amount"]) if presentment else shop)


def misnamed(given: Any, currencies: Currencies, path: list[str | int]) -> Iterator[list[str | int]]:
    """Where money bags within an input name another currency than the order's of that side."""
    if isinstance(given, list):
        for index, it in enumerate(given):
            yield from misnamed(it, currencies, [*path, index])
    if not isinstance(given, dict):
        return
    for side, currency in (("shopMoney", currencies.shop), ("presentmentMoney", currencies.presentment)):
        if (given.get(side) or {}).get("currencyCode", currency) != currency:
            yield [*path, side, "currencyCode"]
    for name, it in given.items():
        yield from misnamed(it, currencies, [*path, name])


def total(amounts: Iterable[Money]) -> Money:
    """The sum."""
    return sum(amounts, NOTHING)


def shared_out(whole: Money, weights: Sequence[Money], currencies: Currencies) -> list[Money]:
    """An amount over parts by their weight, to the cent: the parts make the whole again."""
    shop = _shares(whole.shop, [it.shop for it in weights], currencies.shop)
    presentment = _shares(whole.presentment, [it.presentment for it in weights], currencies.presentment)
    return [Money(*pair) for pair in zip(shop, presentment, strict=True)]


def _shares(whole: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    if not weights:
        return []
    unit, all_weights = _unit(currency), sum(weights, ZERO)
    if all_weights == 0:
        return [whole, *[ZERO] * (len(weights) - 1)]
    exact = [whole * weight / all_weights for weight in weights]
    shares = [it.quantize(unit, ROUND_DOWN) for it in exact]
    # What rounding left goes to those who lost most by it.
    order = sorted(range(len(exact)), key=lambda index: shares[index] - exact[index])
    left = whole - sum(shares, ZERO)
    for index in order:
        step = min(left, unit)
        shares[index] += step
        left -= step
    shares[-1] += left
    return shares


def amount(value: Any) -> Decimal:
    """The number in a text."""
    return Decimal(str(value))


def _unit(currency: str) -> Decimal:
    return Decimal(1) if currency in _WHOLE else Decimal("0.01")


def rounded(number: Decimal, currency: str) -> Decimal:
    """To the currency's smallest unit, half of it upwards."""
    return number.quantize(_unit(currency), ROUND_HALF_UP)


def text(number: Decimal) -> str:
    """A number as Shopify writes amounts: no superfluous zeros, at least one place."""
    shown = format(number.normalize(), "f")
    if shown in {"-0", "0"}:
        return "0.0"
    return shown if "." in shown else f"{shown}.0"

"""What an order costs, as Magento reckons it: by line, each amount rounded, with and without tax.

What lives here: `Bill`, in one currency. Where prices hold the tax, a discount is of the price with
tax, and what it takes from the tax is told apart (`discount_tax_compensation_amount`).
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Thing = dict[str, Any]
_TAX = Decimal(20)


@dataclass(frozen=True, slots=True)
class Line:
    """So many of a product at its price; `owner`: the configurable product that it is a variant of."""

    product: Thing
    owner: Thing | None
    quantity: int
    price: Decimal
    percent: Decimal

    @property
    def is_virtual(self) -> bool:
        """Whether nothing is shipped."""
        return self.product["type_id"] in ("virtual", "downloadable")


@dataclass(frozen=True, slots=True)
class Bill:
    """`discount` in percent of the lines; `factor`: from the shop's currency into this bill's."""

    lines: list[Line]
    shipping: Decimal
    discount: Decimal
    includes_tax: bool
    factor: Decimal

    def line(self, place: int) -> Thing:
        """The amounts of one line."""
        return {name: float(amount) for name, amount in self._line(self.lines[place]).items()}

    def _line(self, line: Line) -> dict[str, Decimal]:
        rate = line.percent / 100
        price = _rounded(line.price * self.factor)
        if self.includes_tax:
            gross, net = price, _rounded(price / (1 + rate), "0.0001")
            whole = gross * line.quantity
            without = _rounded(whole / (1 + rate))
            off = _rounded(whole * self.discount / 100)
            tax = _rounded((whole - off) * rate / (1 + rate))
            compensation = whole - without - tax
        else:
            net, without = price, price * line.quantity
            off = _rounded(without * self.discount / 100)
            tax = _rounded((without - off) * rate)
            gross = _rounded(net * (1 + rate))
            whole = _rounded(without * (1 + rate))
            compensation = Decimal(0)
        return {
            "price": net, "price_incl_tax": gross, "row_total": without, "row_total_incl_tax": whole,
            "discount_amount": off, "tax_amount": tax, "discount_tax_compensation_amount": compensation,
        }  # fmt: skip

    def totals(self) -> Thing:
        """The amounts of the whole order."""
        lines = [self._line(line) for line in self.lines]
        sums = {name: sum((line[name] for line in lines), Decimal(0)) for name in lines[0]}
        given = _rounded(self.shipping * self.factor)
        rate = _TAX / 100
        shipping = _rounded(given / (1 + rate)) if self.includes_tax else given
        shipping_tax = given - shipping if self.includes_tax else _rounded(given * rate)
        taxes = sums["tax_amount"] + shipping_tax
        total = (
            sums["row_total"] + shipping + taxes - sums["discount_amount"] + sums["discount_tax_compensation_amount"]
        )
        amounts = {
            "subtotal": sums["row_total"], "subtotal_incl_tax": sums["row_total_incl_tax"], "shipping_amount": shipping,
            "shipping_tax_amount": shipping_tax, "shipping_incl_tax": shipping + shipping_tax, "tax_amount": taxes,
            "discount_amount": -sums["discount_amount"], "grand_total": total,
            "discount_tax_compensation_amount": sums["discount_tax_compensation_amount"],
        }  # fmt: skip
        return {name: float(amount) for name, amount in amounts.items()}


def _rounded(amount: Decimal, places: str = "0.01") -> Decimal:
    return amount.quantize(Decimal(places), ROUND_HALF_UP)

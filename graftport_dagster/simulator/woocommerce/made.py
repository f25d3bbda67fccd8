"""What all made things have: numbers, moments, links, text; drawn from one seed.

What lives here: `Maker`, handed through `catalogue`, `trade` and `content`, so that the same seed
gives the same shop.
"""

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

Thing = dict[str, Any]
_T = TypeVar("_T")
_CENT = Decimal("0.01")
# The shop's own clock is an hour ahead of UTC, so that local and GMT times differ.
_OFFSET = timedelta(hours=1)
# So many things of a made shop lie hours apart, and more of them closer together.
UNHURRIED = 500
_START = datetime(2023, 3, 1, 8, tzinfo=UTC)


class Maker:
    """Draws from a seed; gives each thing the next id, and moments that go forward.

    `crowd`: how many things there will be, so that also those of a large shop lie in the past.
    """

    def __init__(self, seed: int, url: str = "https://shop.example", *, crowd: int = 0) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable by intent
        self.url = url
        self._id = 10
        self._moment = _START
        self._haste = max(1, crowd // UNHURRIED)

    def next_id(self) -> int:
        """As WordPress counts: one row of ids for posts of all kinds, with gaps."""
        self._id += self.random.choice((1, 1, 1, 2))
        return self._id

    def pick(self, choices: Sequence[_T]) -> _T:
        """One of them."""
        return self.random.choice(choices)

    def chance(self, share: float) -> bool:
        """True in so many of one."""
        return self.random.random() < share

    def times(self, *names: str) -> Thing:
        """`date_created`, `date_created_gmt` and so on, some hours after the ones before."""
        self._moment += timedelta(minutes=self.random.randint(3, 600) / self._haste)
        return {key: value for name in names for key, value in moment(name, self._moment).items()}


def moment(name: str, at: datetime | None) -> Thing:
    """A time under its name in the shop's zone, and in GMT."""
    if at is None:
        return {name: None, f"{name}_gmt": None}
    return {name: _text(at + _OFFSET), f"{name}_gmt": _text(at)}


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def slug_of(text: str) -> str:
    """As WordPress makes addresses."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("é", "e").replace("ö", "o").replace("ü", "u")).strip("-")


def cents(amount: Decimal | str | float) -> Decimal:
    """Rounded to the cent, half up."""
    return Decimal(str(amount)).quantize(_CENT, ROUND_HALF_UP)


def meta(number: int, **pairs: Any) -> list[Thing]:
    """A list of `meta_data`."""
    return [{"id": number * 10 + place, "key": key, "value": value} for place, (key, value) in enumerate(pairs.items())]

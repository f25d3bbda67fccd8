"""What is wrong at one place of a payload, and how places are written.

Only the words for it; what is wrong is decided in `scalars.py`, `input_types.py` and
`payload.py`. Light on purpose: mapping workers import this, and no network code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Place = tuple["Place", str | int] | None
"""A place in a payload: the place it is in, and its key or index there; None is the payload itself."""

_ENOUGH = 50


@dataclass(frozen=True, slots=True)
class PayloadProblem:
    """One mistake: a JSON path (`input.variants[0].price`), a stable code, words, and what to do."""

    path: str
    code: str
    message: str
    hint: str = ""


class Problems:
    """Collects the mistakes of one payload; more than fifty are not told."""

    def __init__(self) -> None:
        self.found: list[PayloadProblem] = []

    def add(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Note a mistake."""
        if len(self.found) < _ENOUGH:
            self.found.append(PayloadProblem(_path(place), code, message, hint))


def json_path(parts: Sequence[object]) -> str:
    """`input.variants[1].price` from `["input", "variants", "1", "price"]`."""
    path = ""
    for part in parts:
        text = str(part)
        path += f"[{text}]" if text.isdigit() else f".{text}" if path else text
    return path


def _path(place: Place) -> str:
    parts: list[str | int] = []
    while place is not None:
        place, key = place
        parts.append(key)
    return json_path(parts[::-1])

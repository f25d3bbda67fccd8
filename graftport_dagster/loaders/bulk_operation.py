"""One file of main steps on its way through Shopify: what is known of it, and how much goes in one.

What is done with it, and when, is in `bulk.py`.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from graftport_dagster.loaders.plan import Carrier, Loader, Plan
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject

FIRST_LOOK = 0.3
_LONGEST_LOOK = 10.0
_FEWEST = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes in one operation, and how many are open at once (Shopify takes five of one app).

    `fewest`: so many records are worth one. `size`: bytes of its file; Shopify takes 100 MB.
    """

    fewest: int = _FEWEST
    lines: int = 2000
    size: int = 20_000_000
    at_once: int = 3


def limits_for(loader: Loader, migration: Migration, pending: int) -> Limits | None:
    """The limits where so many pending records of the type go by bulk; None where they are called."""
    threshold = migration.options.bulk_threshold
    if not threshold or pending < threshold or not isinstance(loader, Carrier):
        return None
    return Limits(fewest=min(threshold, _FEWEST))


class At(StrEnum):
    """How far an operation is."""

    UPLOAD = "upload"
    BEGIN = "begin"
    FIND = "find"
    LOOK = "look"
    FETCH = "fetch"
    READ = "read"
    OVER = "over"


@dataclass(eq=False)
class Operation:
    """One file of lines on its way. `plans`: by line, those without an answer yet; none of an earlier load's."""

    token: str
    at: At
    is_ours: bool
    sent_at: datetime
    plans: dict[int, Plan] = field(default_factory=dict)
    content: bytes = b""
    path: str = ""
    gid: str = ""
    url: str = ""
    # When it is asked for next, by the monotonic clock, and the pause after that.
    due: float = 0.0
    pause: float = FIRST_LOOK
    tries: int = 0
    in_flight: int = 0
    done: int = 0
    is_canceled: bool = False
    # Since when it could not be asked about.
    silent_since: float | None = None
    # Its results, while they are read.
    file: Path | None = None
    lines: Iterator[tuple[int, JsonObject]] | None = None

    def rest(self) -> None:
        """Waits a while, and the next time longer."""
        self.due = time.monotonic() + self.pause
        self.pause = min(_LONGEST_LOOK, self.pause * 1.5)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a question about an operation."""

    operation: Operation
    asked: At | None
    said: Any = None
    error: Exception | None = None
    calls: int = 0
    cost: float = 0.0


def so_many(operations: int) -> str:
    """Their number in words."""
    return f"{operations} bulk operation{'s' if operations != 1 else ''}"


@cache
def declared(text: str) -> frozenset[str]:
    """The names of a document's variables."""
    return frozenset(re.findall(r"\$(\w+):", text.partition("{")[0]))

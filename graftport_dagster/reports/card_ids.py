"""Ids of gift cards, in some shops the codes themselves: shown by their last four, and found by them again."""

import re
from collections.abc import Sequence
from typing import Any

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import JsonObject, ResourceType, shown_id
from graftport_dagster.store.record_store import RecordStore, Which

_CARDS = ResourceType.GIFT_CARDS
_MASKED = shown_id(_CARDS, "x" * 8)[:-4]


def without_card_id(row: JsonObject) -> JsonObject:
    """What is told of one record, its own id masked wherever it stands, and those of cards that it waits for."""
    source_id = str(row.get("source_id", ""))
    shown = shown_id(str(row.get("resource_type", "")), source_id)
    found: JsonObject = row if shown == source_id else _replaced(row, source_id, shown)
    if "waits_for" not in found:
        return found
    return found | {"waits_for": [without_card_id(key) for key in found["waits_for"]]}


def _replaced(value: Any, source_id: str, shown: str) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(child, source_id, shown) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(child, source_id, shown) for child in value]
    if not isinstance(value, str):
        return value
    return re.sub(re.escape(source_id), lambda _: shown, value, flags=re.IGNORECASE)


def whole_ids(store: RecordStore, migration: str, given: Sequence[str]) -> tuple[str, ...]:
    """The ids, with those of gift cards that are given as they are shown found among what is open.

    Raises ConfigurationError where two cards are shown alike.
    """
    if not any(one.startswith(_MASKED) for one in given):
        return tuple(given)
    rows = store.incomplete.open(migration, Which((_CARDS,)))
    found = []
    for one in given:
        alike = {row["source_id"] for row in rows if shown_id(_CARDS, row["source_id"]) == one}
        if len(alike) > 1:
            raise ConfigurationError(
                f"{len(alike)} open gift cards end like {one}.", code="AMBIGUOUS_ID", path="ids",
                hint="Give the whole id, as the source writes it.",
            )  # fmt: skip
        found.append(next(iter(alike), one))
    return tuple(found)

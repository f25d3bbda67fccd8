"""What a database's values become in a payload: JSON that says what was there, or a sentence why not.

Amounts stay exact (text, never a binary fraction), times stay as they are (ISO 8601; without a zone
where the column has none). What JSON cannot hold is refused, never guessed at.
"""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from graftport_dagster.records import JsonObject


class ValueRefusedError(ValueError):
    """A value that JSON cannot hold; `hint` says what the query may do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def json_row(columns: Sequence[str], values: Sequence[Any]) -> JsonObject:
    """One row by column. Raises ValueRefusedError naming the column."""
    row = {}
    for column, value in zip(columns, values, strict=True):
        kind = type(value)
        row[column] = value if kind is str or kind is int or value is None else _json(column, value)
    return row


def _json(column: str, value: Any) -> Any:
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _finite(column, value)
    for kind, written in _WRITTEN:
        if isinstance(value, kind):
            return written(value)
    if isinstance(value, Decimal):
        return format(_finite(column, value), "f")
    if isinstance(value, dict):
        return {str(key): _json(f"{column}.{key}", inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(f"{column}[{place}]", inner) for place, inner in enumerate(value)]
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueRefusedError(
            f"{column} holds bytes, which JSON has no place for.",
            "Leave the column out of the query, or make text of it there (hex, base64).",
        )
    raise ValueRefusedError(
        f"{column} holds a {type(value).__name__}, which JSON has no place for.", "Cast it to text in the query."
    )


def _finite(column: str, value: Any) -> Any:
    if not math.isfinite(value):
        raise ValueRefusedError(f"{column} is {value}, which is no number in JSON.", "Make it null in the query.")
    return value


def _duration(value: timedelta) -> str:
    return f"PT{value.total_seconds():f}".rstrip("0").rstrip(".") + "S"


_WRITTEN: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (datetime, datetime.isoformat), (date, date.isoformat), (time, time.isoformat), (timedelta, _duration), (UUID, str),
)  # fmt: skip


def moment(value: Any) -> datetime | None:
    """A point in time, UTC where none is said, from what a column of times may hold; None where that is no time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None


def mark_of(value: Any) -> JsonObject:
    """A value of the `updated_at_column` as a cursor keeps it."""
    if isinstance(value, datetime | date):
        return {"since": value.isoformat(), "kind": type(value).__name__}
    if isinstance(value, Decimal):
        return {"since": format(value, "f"), "kind": "Decimal"}
    return {"since": value, "kind": "plain"}


def since_mark(mark: JsonObject, overlap: timedelta) -> Any:
    """The value to read from: the kept one, earlier by the overlap, of the type that the database gave."""
    kept = mark["since"]
    match mark["kind"]:
        case "datetime":
            return datetime.fromisoformat(kept) - overlap
        case "date":
            return date.fromisoformat(kept) - overlap - timedelta(days=1)
        case "Decimal":
            return Decimal(kept) - Decimal(str(overlap.total_seconds()))
    return _earlier_text(kept, overlap) if isinstance(kept, str) else kept - overlap.total_seconds()


def _earlier_text(text: str, overlap: timedelta) -> str:
    """In the same form as before, because texts are compared by their letters."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return text
    if len(text) <= len("2026-01-01"):
        return (parsed - overlap - timedelta(days=1)).date().isoformat()
    written = (parsed - overlap).isoformat(text[10], "microseconds" if "." in text else "seconds")
    return written.replace("+00:00", "Z") if text.endswith("Z") else written

"""Which fields a source's records have and of what kind, and what became of them since the last whole read.

A column that vanished, or that is empty all at once, is said when the source is read, not when
rows fail because of it. Here is the shape and the comparison; it is kept by the record store and
told by `extract`.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from graftport_dagster.records import JsonObject

# The first records, and then one in so many: a column is there in all of a table's rows or in none.
_FIRST = 500
_THEN_EVERY = 25
_DEEPEST = 3
_MOST_FIELDS = 2000
# A field that fewer of the records had may be missing by chance.
_USUAL = 0.2
_NAMED = 12


class Shape:
    """Collects what records look like."""

    def __init__(self) -> None:
        self._seen = 0
        self._looked_at = 0
        self._fields: dict[str, Counter[str]] = {}

    def see(self, payload: JsonObject) -> None:
        """Looks at one record, or passes it over."""
        self._seen += 1
        if self._seen > _FIRST and self._seen % _THEN_EVERY:
            return
        self._looked_at += 1
        for path, kind in set(_fields(payload, "", 0)):
            if path in self._fields or len(self._fields) < _MOST_FIELDS:
                self._fields.setdefault(path, Counter())[kind] += 1

    def as_json(self) -> JsonObject:
        """Per field the number of records that have it, by kind; `records`: how many were looked at."""
        fields = {path: dict(sorted(kinds.items())) for path, kinds in sorted(self._fields.items())}
        return {"records": self._looked_at, "fields": fields}

    def changes(self, before: JsonObject | None) -> list[str]:
        """A sentence for each kind of change since; none where there is nothing to compare with."""
        if not before or not before.get("records") or not self._looked_at:
            return []
        old = {path: kinds for path, kinds in before["fields"].items() if not _is_rare(kinds, before["records"])}
        new = {path: dict(kinds) for path, kinds in self._fields.items()}
        told = [
            ("Fields that vanished", [path for path in old if path not in new]),
            ("Fields that are empty now", [path for path in old if path in new and _emptied(old[path], new[path])]),
            ("Fields that are of another kind now", list(_turned(old, new))),
            (
                "Fields that are new",
                [path for path in new if path not in before["fields"] and not _is_rare(new[path], self._looked_at)],
            ),
        ]
        return [f"{what} since the last whole read: {_listed(paths)}." for what, paths in told if paths]


def _fields(value: JsonObject, above: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, inner in value.items():
        path = f"{above}{name}"
        yield path, _kind(inner)
        if depth + 1 >= _DEEPEST:
            continue
        if isinstance(inner, dict):
            yield from _fields(inner, f"{path}.", depth + 1)
        elif isinstance(inner, list):
            for each in inner[:5]:
                if isinstance(each, dict):
                    yield from _fields(each, f"{path}[].", depth + 1)


def _kind(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "empty"
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"


def _is_rare(kinds: dict[str, int], records: int) -> bool:
    return sum(kinds.values()) < _USUAL * records


def _filled(kinds: dict[str, int]) -> set[str]:
    return {kind for kind in kinds if kind != "empty"}


def _emptied(old: dict[str, int], new: dict[str, int]) -> bool:
    filled = sum(count for kind, count in old.items() if kind != "empty")
    return filled >= sum(old.values()) / 2 and not _filled(new)


def _turned(old: dict[str, dict[str, int]], new: dict[str, dict[str, int]]) -> Iterator[str]:
    for path in old:
        was, now = _filled(old[path]), _filled(new.get(path, {}))
        if was and now and not was & now:
            yield f"{path} ({' or '.join(sorted(was))}, now {' or '.join(sorted(now))})"


def _listed(paths: list[str]) -> str:
    # What is within a field that is named need not be named as well.
    outer = [path for path in paths if not any(path.startswith((f"{other}.", f"{other}[].")) for other in paths)]
    more = f" and {len(outer) - _NAMED} more" if len(outer) > _NAMED else ""
    return ", ".join(outer[:_NAMED]) + more

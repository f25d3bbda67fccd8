"""What is open now: incomplete records and invalid rows of the source, as rows, as groups, as CSV.

A run's own error groups are part of its report (`account.py`); this is what all runs left behind.
A record that one bad row spoiled is told once, by that row, because the row names its line.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import JsonObject, Phase, ResourceType, shown_id
from graftport_dagster.reports.card_ids import without_card_id
from graftport_dagster.reports.wording import presentable, printable
from graftport_dagster.store.record_store import RecordStore, Which

ERROR_COLUMNS = (
    "resource_type", "phase", "source_id", "origin", "error_class", "code", "path", "message", "hint", "status",
    "first_seen", "last_seen", "next_attempt_at",
)  # fmt: skip
_SAMPLES = 3


def open_errors(
    store: RecordStore, migration: str, *, resource_type: ResourceType | None = None, phase: Phase | None = None,
    group: str = "", with_raw: bool = False,
) -> list[JsonObject]:  # fmt: skip
    """Open rows with the keys of ERROR_COLUMNS, in loading order, then by phase and id.

    `group`: `code`, `class:code` or `class:code:path`. `with_raw` adds `raw`, the row as the source has it, which
    may hold personal data.
    """
    invalid = [
        _invalid_row(row, with_raw=with_raw) for row in store.source_records.extract_errors(migration, resource_type)
    ]
    told = {(row["resource_type"], row["source_id"]) for row in invalid}
    which = Which((resource_type,) if resource_type else ())
    incomplete = [_incomplete_record(row, with_raw=with_raw) for row in store.incomplete.open(migration, which)]
    rows = invalid + [
        row for row in incomplete
        if row["phase"] != Phase.EXTRACT or (row["resource_type"], row["source_id"]) not in told
    ]  # fmt: skip
    types, phases = list(ResourceType), list(Phase)
    return sorted(
        (row for row in rows if phase in (None, row["phase"]) and _is_in(row, group)),
        key=lambda row: (
            types.index(row["resource_type"]),
            phases.index(row["phase"]),
            row["source_id"],
            row["origin"],
        ),
    )


def group_errors(rows: Iterable[JsonObject]) -> list[JsonObject]:
    """The rows by resource type, phase, class, code and path; the largest group first."""
    groups: dict[tuple[str, ...], JsonObject] = {}
    for row in rows:
        names = ("resource_type", "phase", "error_class", "code", "path")
        group = groups.setdefault(
            tuple(row[name] for name in names),
            {name: row[name] for name in names}
            | {"message": "", "hint": "", "count": 0, "sample_ids": [], "first_seen": None, "last_seen": None},
        )
        _add(group, row)
    return sorted(groups.values(), key=lambda group: -group["count"])


def write_errors_csv(rows: Iterable[JsonObject], path: Path, *, with_raw: bool = False) -> None:
    """One line per row, readable by the owner only; UTF-8 with a mark, so that spreadsheets read it right."""
    columns = (*ERROR_COLUMNS, "raw") if with_raw else ERROR_COLUMNS
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    # Spreadsheets run a cell that begins so as a formula (owasp.org/www-community/attacks/CSV_Injection).
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _add(group: JsonObject, row: JsonObject) -> None:
    group["count"] += 1
    sample = row["source_id"] or row["origin"]
    if len(group["sample_ids"]) < _SAMPLES and sample not in group["sample_ids"]:
        group["sample_ids"].append(sample)
    group["first_seen"] = min(filter(None, (group["first_seen"], row["first_seen"])), default=None)
    if not group["last_seen"] or (row["last_seen"] or "") >= group["last_seen"]:
        group["last_seen"] = row["last_seen"]
        place = f"{row['origin']}: " if row["origin"] else ""
        group["message"], group["hint"] = place + row["message"], row["hint"]


def _is_in(row: JsonObject, group: str) -> bool:
    names = (row["code"], f"{row['error_class']}:{row['code']}", f"{row['error_class']}:{row['code']}:{row['path']}")
    return not group or group in names


def _shown(row: JsonObject) -> str:
    return printable(shown_id(row["resource_type"], row["source_id"]))


def _said(row: JsonObject, message: str) -> str:
    """A message, which may name the record itself."""
    named = {"resource_type": row["resource_type"], "source_id": row["source_id"], "message": message}
    return presentable(without_card_id(named)["message"])


def _invalid_row(row: JsonObject, *, with_raw: bool) -> JsonObject:
    told = {
        "resource_type": str(row["resource_type"]), "phase": str(Phase.EXTRACT),
        "source_id": _shown(row), "origin": presentable(row["origin"]),
        "error_class": str(ErrorClass.DATA), "code": row["code"], "path": "",
        "message": _said(row, row["reason"]), "hint": presentable(row["hint"]), "status": "unresolved",
        "first_seen": _iso(row["first_seen"]), "last_seen": _iso(row["last_seen"]), "next_attempt_at": None,
    }  # fmt: skip
    return told | ({"raw": row["raw"]} if with_raw else {})


def _incomplete_record(row: JsonObject, *, with_raw: bool) -> JsonObject:
    told = {
        "resource_type": str(row["resource_type"]), "phase": str(row["phase"]),
        "source_id": _shown(row), "origin": presentable(row.get("origin", "")),
        "error_class": str(row["error_class"]), "code": row["code"], "path": row["path"],
        "message": _said(row, row["message"]), "hint": presentable(row["hint"]), "status": row["status"],
        "first_seen": _iso(row["opened_at"]), "last_seen": _iso(row["failed_at"]),
        "next_attempt_at": _iso(row["next_attempt_at"]),
    }  # fmt: skip
    return told | ({"raw": ""} if with_raw else {})


def _iso(when: Any) -> str | None:
    return None if when is None else when if isinstance(when, str) else when.isoformat()

"""Rows and records of the source that could not be used: kept until a later extract reads them well.

Records that were read are in `source_records.py`; how a failed record is tried again is in
`incomplete.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select, update

from graftport_dagster.errors import SourceRecordError
from graftport_dagster.records import InvalidRow, JsonObject, Outcome, Phase, ResourceType, Run, json_hash
from graftport_dagster.store import set_aside
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import put
from graftport_dagster.store.selection import Dataset, rows_of
from graftport_dagster.store.tables import extract_errors, source_records

_REFRESHED = (
    "reason",
    "hint",
    "raw",
    "rows",
    "rows_invalid",
    "run_seq",
    "run_id",
    "is_open",
    "last_seen",
    "resolved_at",
)


def keep(
    connection: Connection, dataset: Dataset, resource_type: ResourceType, run: Run, rows: Sequence[InvalidRow],
    now: datetime,
) -> int:  # fmt: skip
    """Writes them and their records' incomplete records; returns how many records this run had not counted before."""
    named = {row.source_id: row for row in reversed(rows) if row.source_id}
    counted = _named_before(connection, dataset, resource_type, run, list(named))
    put(connection, extract_errors, [_row(dataset, resource_type, run, row, now) for row in rows], update=_REFRESHED)
    if not dataset.dry_run_id:
        failures = [
            set_aside.Failure(
                source_id, Outcome.ERRORED,
                SourceRecordError(row.reason, code=row.code, hint=row.hint, path=row.origin),
            )
            for source_id, row in named.items()
        ]  # fmt: skip
        place = set_aside.Place(dataset.migration, resource_type, Phase.EXTRACT)
        set_aside.set_aside(connection, place, run, failures, now)
    return len(named.keys() - counted)


def _named_before(
    connection: Connection, dataset: Dataset, resource_type: ResourceType, run: Run, source_ids: list[str]
) -> set[str]:
    query = select(extract_errors.c.source_id).where(
        rows_of(extract_errors, dataset, resource_type),
        extract_errors.c.run_id == run.run_id,
        among(extract_errors.c.source_id, source_ids),
    )
    return set(connection.execute(query).scalars()) if source_ids else set()


def _row(dataset: Dataset, resource_type: ResourceType, run: Run, row: InvalidRow, now: datetime) -> dict[str, Any]:
    # Without an origin only the text itself tells two bad rows apart.
    place = row.origin or row.raw
    return {
        "migration": dataset.migration, "dry_run_id": dataset.dry_run_id, "resource_type": str(resource_type),
        "error_key": json_hash([place.encode("utf-8", "replace").decode(), row.code, row.source_id]),
        "source_id": row.source_id, "code": row.code, "origin": row.origin, "document": _document(row.origin),
        "reason": row.reason, "hint": row.hint, "raw": row.raw, "rows": row.rows, "rows_invalid": row.rows_invalid,
        "first_run_id": run.run_id, "run_id": run.run_id, "run_seq": run.seq, "is_open": True,
        "first_seen": now, "last_seen": now, "resolved_at": None,
    }  # fmt: skip


def _document(origin: str) -> str:
    """The file of `products.csv:12`; the origin itself where it does not end in a line."""
    document, _, line = origin.rpartition(":")
    return document if document and line.isdecimal() else origin


def resolve_seen(connection: Connection, dataset: Dataset, resource_type: ResourceType, run: Run, now: datetime) -> int:
    """Closes what this run met no more; see `SourceRecords.seen_clean`."""
    errors = extract_errors.c
    seen = (
        select(source_records.c.source_id)
        .where(
            rows_of(source_records, dataset, resource_type),
            source_records.c.source_id == errors.source_id,
            source_records.c.seen_seq == run.seq,
        )
        .exists()
    )
    met_no_more = and_(rows_of(extract_errors, dataset, resource_type), errors.is_open, errors.run_seq < run.seq)
    read_well = and_(errors.source_id != "", seen)
    if documents := _documents_read(connection, dataset, resource_type, run, met_no_more):
        read_well = or_(read_well, among(errors.document, documents))
    closed = connection.execute(
        update(extract_errors).where(met_no_more, read_well).values(is_open=False, resolved_at=now)
    ).rowcount
    if not dataset.dry_run_id:
        still_bad = select(errors.source_id).where(rows_of(extract_errors, dataset, resource_type), errors.is_open)
        place = set_aside.Place(dataset.migration, resource_type, Phase.EXTRACT)
        set_aside.resolve_all_but(connection, place, run, still_bad, now)
    return closed


def _documents_read(
    connection: Connection, dataset: Dataset, resource_type: ResourceType, run: Run, met_no_more: ColumnElement[bool]
) -> list[str]:
    """Files with earlier errors that this run has read to their end."""
    if run.options.limit is not None or run.options.source_ids:
        return []
    documents = connection.execute(select(extract_errors.c.document).where(met_no_more).distinct()).scalars().all()
    origin = source_records.c.origin
    return [
        document
        for document in documents
        if document
        and connection.execute(
            select(origin)
            .where(
                rows_of(source_records, dataset, resource_type),
                source_records.c.seen_seq == run.seq,
                or_(origin == document, func.substr(origin, 1, len(document) + 1) == f"{document}:"),
            )
            .limit(1)
        ).first()
    ]


def listed(
    connection: Connection, migration: str, resource_type: ResourceType | None, *, open_only: bool
) -> list[JsonObject]:
    """The real ones of a migration, oldest first."""
    errors = extract_errors.c
    query = select(extract_errors).where(errors.migration == migration, errors.dry_run_id == "")
    if resource_type is not None:
        query = query.where(errors.resource_type == str(resource_type))
    if open_only:
        query = query.where(errors.is_open)
    return [as_json(row._asdict()) for row in connection.execute(query.order_by(errors.first_seen, errors.error_key))]


def count_without_record(connection: Connection, migration: str) -> dict[str, int]:
    """See `SourceRecords.count_without_record`."""
    errors = extract_errors.c
    query = (
        select(errors.resource_type, func.count().label("number"))
        .where(errors.migration == migration, errors.dry_run_id == "", errors.is_open, errors.source_id == "")
        .group_by(errors.resource_type)
    )
    return {row.resource_type: row.number for row in connection.execute(query)}


def as_json(row: dict[str, Any]) -> JsonObject:
    """One row of the table for a person or a script, times in ISO 8601."""
    moments = {
        name: row[name].isoformat() if row[name] else None for name in ("first_seen", "last_seen", "resolved_at")
    }
    hidden = ("error_key", "dry_run_id", "document", "run_seq", *moments)
    return {name: value for name, value in row.items() if name not in hidden} | moments


def of_run(run_id: str, resource_type: ResourceType, error_class: str) -> Select[Any]:
    """What a run's extract of one type met, in the columns by which `error_groups.py` groups."""
    errors = extract_errors.c
    return select(
        literal(error_class).label("error_class"), errors.code, literal("").label("path"),
        case((errors.origin == "", errors.reason), else_=errors.origin + ": " + errors.reason).label("message"),
        errors.hint,
        func.coalesce(func.nullif(errors.source_id, ""), errors.origin).label("source_id"),
        errors.last_seen.label("at"), errors.error_key.label("position"),
    ).where(errors.run_id == run_id, errors.resource_type == str(resource_type))  # fmt: skip

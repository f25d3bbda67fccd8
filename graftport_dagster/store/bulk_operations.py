"""Bulk operations that are under way in a Shopify store, and which record each of their lines is.

On the disk before the operation is asked for, together with the intents of its records; gone once every line
is settled or left to be sent again. So a later run knows what may still be writing. Reading answers, and
what they mean, is in `loaders/`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, select, update

from graftport_dagster.records import ResourceType, Run
from graftport_dagster.store.database import put
from graftport_dagster.store.leases import Lease
from graftport_dagster.store.tables import bulk_lines, bulk_operations

_operations = bulk_operations.c
_lines = bulk_lines.c


@dataclass(frozen=True, slots=True)
class BulkLine:
    """The record that a line is; `payload_hash` only where the line carries the record's whole payload, else ""."""

    source_id: str
    payload_hash: str


@dataclass(frozen=True, slots=True)
class OpenBulk:
    """An operation that was asked for, or about to be. `gid`: "" while Shopify's answer is not known."""

    token: str
    gid: str
    run_id: str
    sent_at: datetime


def begin(connection: Connection, lease: Lease, run: Run, token: str, lines: Sequence[BulkLine], now: datetime) -> None:
    """Writes the operation and its lines, which are numbered from 0; once more where it is asked for again."""
    key = _key(lease, token)
    put(connection, bulk_operations, [key | {"gid": "", "run_id": run.run_id, "sent_at": now}])
    rows = [
        key | {"line": number, "source_id": line.source_id, "payload_hash": line.payload_hash}
        for number, line in enumerate(lines)
    ]
    put(connection, bulk_lines, rows)


def name(connection: Connection, lease: Lease, token: str, gid: str) -> None:
    """What Shopify calls it."""
    connection.execute(update(bulk_operations).where(_is_it(bulk_operations, lease, token)).values(gid=gid))


def end(connection: Connection, lease: Lease, token: str) -> None:
    """Forgets it with its lines."""
    for table in (bulk_lines, bulk_operations):
        connection.execute(delete(table).where(_is_it(table, lease, token)))


def still_open(connection: Connection, migration: str, store_gid: str, resource_type: ResourceType) -> list[OpenBulk]:
    """Those of a type, the oldest first."""
    query = (
        select(_operations.token, _operations.gid, _operations.run_id, _operations.sent_at)
        .where(
            _operations.migration == migration, _operations.store_gid == store_gid,
            _operations.resource_type == str(resource_type),
        )
        .order_by(_operations.sent_at, _operations.token)
    )  # fmt: skip
    return [OpenBulk(*row) for row in connection.execute(query)]


def lines_of(connection: Connection, lease: Lease, token: str, numbers: Collection[int]) -> dict[int, BulkLine]:
    """The records of these lines."""
    query = select(_lines.line, _lines.source_id, _lines.payload_hash).where(
        _is_it(bulk_lines, lease, token), _lines.line.in_(sorted(numbers))
    )
    return {row[0]: BulkLine(row[1], row[2]) for row in connection.execute(query)}


def _key(lease: Lease, token: str) -> dict[str, Any]:
    return {
        "migration": lease.migration, "store_gid": lease.store_gid, "resource_type": str(lease.resource_type),
        "token": token,
    }  # fmt: skip


def _is_it(table: Table, lease: Lease, token: str) -> ColumnElement[bool]:
    return and_(*(table.c[name] == value for name, value in _key(lease, token).items()))

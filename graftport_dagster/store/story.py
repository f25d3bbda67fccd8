"""Everything known of one record, gathered from all tables for a person who asks "where is it, and why".

Each part is written elsewhere; this module only reads.
"""

from typing import Any

from sqlalchemy import Connection, Table, and_, select

from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.store import extract_errors, incomplete, payloads
from graftport_dagster.store.selection import is_open
from graftport_dagster.store.tables import (
    attempts,
    identities,
    incomplete_records,
    landed_records,
    landed_snapshots,
    record_steps,
    runs,
    source_history,
    source_records,
    staged_records,
)
from graftport_dagster.store.tables import extract_errors as error_table

_KEY = ("migration", "resource_type", "source_id")


def tell(connection: Connection, migration: str, resource_type: ResourceType, source_id: str) -> JsonObject:
    """See `RecordStore.story`."""
    mine = dict(zip(_KEY, (migration, str(resource_type), source_id), strict=True))
    real = mine | {"dry_run_id": ""}
    tried = _attempts(connection, real)
    source = _source(connection, real)
    staged = _staged(connection, real)
    stores = _stores(connection, mine)
    errors = [extract_errors.as_json(row) for row in _rows(connection, error_table, real)]
    open_ones = incomplete.listed(
        connection, and_(*(incomplete_records.c[name] == value for name, value in mine.items()), is_open())
    )
    if not (source or staged or stores or tried or errors or open_ones):
        return {}
    return {
        **mine, "source": source, "staged": staged, "stores": stores, "attempts": tried, "incomplete": open_ones,
        "extract_errors": errors,
    }  # fmt: skip


def _source(connection: Connection, real: JsonObject) -> JsonObject | None:
    row = next(iter(_rows(connection, source_records, real)), None)
    if row is None:
        return None
    columns = source_history.c
    versions = connection.execute(
        select(columns.payload_hash, columns.deleted, columns.run_seq, columns.at, runs.c.run_id)
        .join(runs, runs.c.seq == columns.run_seq, isouter=True)
        .where(*(columns[name] == value for name, value in real.items()))
        .order_by(columns.run_seq)
    )
    return {
        "payload": payloads.find(connection, row["payload_hash"]), "payload_hash": row["payload_hash"],
        "origin": row["origin"], "rows": row["rows"], "updated_at": _iso(row["updated_at"]),
        "deleted": row["deleted_seq"] > 0,
        "versions": [
            {"payload_hash": one.payload_hash, "deleted": one.deleted, "run_id": one.run_id, "at": _iso(one.at)}
            for one in versions
        ],
    }  # fmt: skip


def _staged(connection: Connection, real: JsonObject) -> JsonObject | None:
    row = next(iter(_rows(connection, staged_records, real)), None)
    if row is None:
        return None
    shown = ("state", "payload_hash", "source_hash", "mapping_version", "settings_hash", "reason", "run_id")
    return {
        **{name: row[name] for name in shown},
        "payload": payloads.find(connection, row["payload_hash"]),
        "warnings": [{"code": code, "message": message} for code, message in row["warnings"]],
        "at": _iso(row["at"]),
    }


def _stores(connection: Connection, mine: JsonObject) -> list[JsonObject]:
    found: dict[str, JsonObject] = {}

    def on(store_gid: str) -> JsonObject:
        blank: JsonObject = {"store_gid": store_gid, "gid": "", "handle": "", "parts": [], "landed": None, "steps": []}
        return found.setdefault(store_gid, blank)

    for row in _rows(connection, identities, mine):
        place = on(row["store_gid"])
        if row["part"]:
            place["parts"].append({name: row[name] for name in ("part", "part_id", "gid", "handle")})
        else:
            place.update(gid=row["gid"], handle=row["handle"])
    for row in _rows(connection, landed_records, mine):
        shown = ("landed_hash", "payload_hash", "group_hashes", "withdrawn", "mapping_version", "run_id")
        on(row["store_gid"])["landed"] = {**{name: row[name] for name in shown}, "at": _iso(row["at"])}
    for row in _rows(connection, landed_snapshots, mine):
        on(row["store_gid"])["snapshot"] = row["body"]
    for row in _rows(connection, record_steps, mine):
        told = {name: row[name] for name in ("step", "state", "payload_hash", "remote_id", "run_id")}
        on(row["store_gid"])["steps"].append({**told, "sent_at": _iso(row["sent_at"])})
    return [found[store_gid] for store_gid in sorted(found)]


def _attempts(connection: Connection, real: JsonObject) -> list[JsonObject]:
    columns = attempts.c
    query = (
        select(attempts, runs.c.options)
        .join(runs, runs.c.run_id == columns.run_id, isouter=True)
        .where(*(columns[name] == value for name, value in real.items()))
        .order_by(columns.id)
    )
    hidden = ("id", "notable", "dry_run_id", "options", *_KEY)
    told = []
    for row in connection.execute(query):
        options = row.options or {}
        shown = {name: value for name, value in row._asdict().items() if name not in hidden}
        asked = {"actor": options.get("actor", ""), "asked_because": options.get("reason", ""), "options": options}
        told.append(shown | {"at": _iso(row.at)} | asked)
    return told


def _rows(connection: Connection, table: Table, key: JsonObject) -> list[dict[str, Any]]:
    query = select(table).where(*(table.c[name] == value for name, value in key.items()))
    return [row._asdict() for row in connection.execute(query.order_by(*table.primary_key))]


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None

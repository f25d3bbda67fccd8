"""What a load is about: staged records beside what of them landed on one store. Reading only.

How the outcome of a load is written is in `settlements.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, or_, select
from sqlalchemy.sql.selectable import FromClause

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import JsonObject, Outcome, Phase, RecordKey, ResourceType, read_json
from graftport_dagster.store import payloads
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import Database
from graftport_dagster.store.selection import OPEN_STATUSES, Dataset, Selection, is_open, rows_of, selected
from graftport_dagster.store.tables import (
    identities,
    incomplete_records,
    landed_records,
    landed_snapshots,
    record_steps,
    source_records,
    staged_records,
)
from graftport_dagster.store.tables import payloads as payload_table
from graftport_dagster.store.waits import released

_staged = staged_records.c
_landed = landed_records.c
_incomplete = incomplete_records.c
_REFUSED = tuple(
    str(error_class)
    for error_class in ErrorClass
    if not error_class.is_retried and error_class not in (ErrorClass.MISSING_REFERENCE, ErrorClass.UNKNOWN_OUTCOME)
)


@dataclass(frozen=True, slots=True)
class LoadInput:
    """A staged record beside what is known of it on the store.

    `gid`: "" if it never landed there. `landed_hash`: payload hash landed, "" if none or if only
    some groups landed. `refused_hash`: payload of the last attempt where that was refused for a
    reason that does not pass by itself; `discarded_hash`: payload that a person gave up.
    `is_superseded`: of a replay, that data read later has landed.
    `may_refer`: False where the payload holds no reference for certain.
    """

    source_id: str
    payload: JsonObject
    payload_hash: str
    group_hashes: Mapping[str, str]
    mapping_version: str
    gid: str
    handle: str
    landed_hash: str
    landed_groups: Mapping[str, str]
    refused_hash: str = ""
    source_deleted: bool = False
    discarded_hash: str = ""
    is_superseded: bool = False
    may_refer: bool = True


def scope(
    connection: Connection, dataset: Dataset, store_gid: str, resource_type: ResourceType, selection: Selection, *,
    with_deleted: bool,
) -> Mapping[str, int]:  # fmt: skip
    """See `Loads.scope`."""
    pending = _pending(dataset, store_gid, resource_type, with_deleted=with_deleted)
    query = (
        select(
            func.count(), func.count(case((pending, 1))), func.count(case((_landed.withdrawn.is_(False), 1)))
        )
        .select_from(_with_landed(staged_records, store_gid))
        .where(_in_scope(dataset, store_gid, resource_type, selection))
    )  # fmt: skip
    in_scope, pending_count, landed = connection.execute(query).one()
    return {"in_scope": in_scope, "pending": pending_count, "landed": landed}


def to_load(
    database: Database, dataset: Dataset, store_gid: str, resource_type: ResourceType, selection: Selection, *,
    only_pending: bool, with_deleted: bool, batch: int,
) -> Iterator[list[LoadInput]]:  # fmt: skip
    """See `Loads.to_load`."""
    query = _inputs(dataset, store_gid).where(_in_scope(dataset, store_gid, resource_type, selection))
    if only_pending:
        query = query.where(_pending(dataset, store_gid, resource_type, with_deleted=with_deleted))
    query = query.order_by(_staged.source_id).limit(batch)
    last = ""
    while True:
        rows = database.rows(query.where(_staged.source_id > last))
        if rows:
            last = rows[-1].source_id
            yield [_load_input(row, selection.source_seq) for row in rows]
        if len(rows) < batch:
            return


def _in_scope(
    dataset: Dataset, store_gid: str, resource_type: ResourceType, selection: Selection
) -> ColumnElement[bool]:
    # Asked only of records that are withdrawn, which are few, or have not landed.
    gone = (
        select(source_records.c.source_id)
        .where(_same_source(), source_records.c.deleted_seq > 0)
        .correlate(staged_records)
        .exists()
    )
    return and_(
        selected(staged_records, dataset, resource_type, selection),
        _staged.state == "staged",
        # What is gone from the source is nothing to load, unless some of it is, or may be, in the store.
        or_(_landed.withdrawn.is_(False), ~gone, and_(_landed.source_id.is_(None), _traced(store_gid))),
    )


def _traced(store_gid: str) -> ColumnElement[bool]:
    """Whether a call may have made an object of a record."""
    found = []
    for table in (identities, record_steps):
        query = select(table.c.source_id).where(
            table.c.migration == _staged.migration,
            table.c.store_gid == store_gid,
            table.c.resource_type == _staged.resource_type,
            table.c.source_id == _staged.source_id,
        )
        found.append(query.correlate(staged_records).exists())
    return or_(*found)


def _same_source() -> ColumnElement[bool]:
    return and_(
        source_records.c.migration == _staged.migration,
        source_records.c.dry_run_id == _staged.dry_run_id,
        source_records.c.resource_type == _staged.resource_type,
        source_records.c.source_id == _staged.source_id,
    )


def _with_landed(tables: FromClause, store_gid: str) -> FromClause:
    return tables.outerjoin(
        landed_records,
        and_(
            _landed.migration == _staged.migration,
            _landed.store_gid == store_gid,
            _landed.resource_type == _staged.resource_type,
            _landed.source_id == _staged.source_id,
        ),
    )


def _pending(
    dataset: Dataset, store_gid: str, resource_type: ResourceType, *, with_deleted: bool
) -> ColumnElement[bool]:
    stepping = select(record_steps.c.source_id).where(
        record_steps.c.migration == dataset.migration,
        record_steps.c.store_gid == store_gid,
        record_steps.c.resource_type == str(resource_type),
    )
    failed = select(_incomplete.source_id).where(
        _incomplete.migration == dataset.migration,
        _incomplete.resource_type == str(resource_type),
        _incomplete.phase == str(Phase.LOAD),
        _incomplete.store_gid == store_gid,
        is_open(),
    )
    gone = select(source_records.c.source_id).where(
        rows_of(source_records, dataset, resource_type), source_records.c.deleted_seq > 0
    )
    is_gone = _staged.source_id.in_(gone)
    changed = _landed.landed_hash != _staged.payload_hash
    conditions = [
        _landed.source_id.is_(None),
        # What is gone from the source and kept stays as it landed: a change that nobody sends is not to be done.
        changed if with_deleted else and_(changed, ~is_gone),
        _staged.source_id.in_(stepping),
        # It may have failed when everything was sent again, though it had landed before.
        _staged.source_id.in_(failed),
    ]
    if with_deleted:
        conditions.append(is_gone)
    return or_(*conditions)


def _inputs(dataset: Dataset, store_gid: str) -> Select[Any]:
    body = and_(payload_table.c.hash == _staged.payload_hash, payload_table.c.owner == dataset.dry_run_id)
    identity = and_(
        identities.c.migration == _staged.migration,
        identities.c.store_gid == store_gid,
        identities.c.resource_type == _staged.resource_type,
        identities.c.source_id == _staged.source_id,
        identities.c.part == "",
        identities.c.part_id == "",
    )
    failure = and_(
        _incomplete.migration == _staged.migration,
        _incomplete.resource_type == _staged.resource_type,
        _incomplete.source_id == _staged.source_id,
        _incomplete.phase == str(Phase.LOAD),
        _incomplete.store_gid == store_gid,
    )
    tables = (
        _with_landed(staged_records.join(payload_table, body), store_gid)
        .outerjoin(identities, identity)
        .outerjoin(incomplete_records, failure)
        .outerjoin(source_records, _same_source())
    )
    return select(
        _staged.source_id, payload_table.c.body, _staged.payload_hash, _staged.group_hashes, _staged.mapping_version,
        identities.c.gid, identities.c.handle, _landed.landed_hash, _landed.group_hashes.label("landed_groups"),
        _landed.run_seq,
        _incomplete.status, _incomplete.outcome, _incomplete.error_class, _incomplete.payload_hash.label("failed_hash"),
        source_records.c.deleted_seq,
    ).select_from(tables)  # fmt: skip


def _load_input(row: Row[Any], source_seq: int) -> LoadInput:
    refused = (
        row.status in OPEN_STATUSES and row.outcome == str(Outcome.ERRORED) and row.error_class in _REFUSED
    )  # fmt: skip
    return LoadInput(
        source_id=row.source_id, payload=read_json(row.body), payload_hash=row.payload_hash,
        group_hashes=row.group_hashes, mapping_version=row.mapping_version, gid=row.gid or "",
        handle=row.handle or "", landed_hash=row.landed_hash or "", landed_groups=row.landed_groups or {},
        refused_hash=row.failed_hash if refused else "", source_deleted=bool(row.deleted_seq),
        discarded_hash=row.failed_hash if row.status == "discarded" else "",
        is_superseded=bool(source_seq and row.run_seq and row.run_seq > source_seq), may_refer='"$ref"' in row.body,
    )  # fmt: skip


def staged_keys(connection: Connection, dataset: Dataset, keys: Iterable[RecordKey]) -> set[RecordKey]:
    """See `Loads.staged_keys`."""
    wanted: dict[str, dict[str, list[RecordKey]]] = {}
    for key in keys:
        wanted.setdefault(str(key.resource_type), {}).setdefault(key.source_id, []).append(key)
    found: set[RecordKey] = set()
    for resource_type, by_id in wanted.items():
        query = select(_staged.source_id).where(
            _staged.migration == dataset.migration,
            _staged.dry_run_id == dataset.dry_run_id,
            _staged.resource_type == resource_type,
            _staged.state == "staged",
            among(_staged.source_id, list(by_id)),
        )
        found.update(key for source_id in connection.execute(query).scalars() for key in by_id[source_id])
    return found


def landed_payload(
    connection: Connection, migration: str, store_gid: str, resource_type: ResourceType, source_id: str
) -> tuple[JsonObject | None, JsonObject | None]:
    """See `Loads.landed_payload`."""
    key = {"migration": migration, "store_gid": store_gid, "resource_type": str(resource_type), "source_id": source_id}
    payload_hash = connection.execute(select(_landed.payload_hash).filter_by(**key)).scalar_one_or_none()
    snapshot = connection.execute(select(landed_snapshots.c.body).filter_by(**key)).scalar_one_or_none()
    return payloads.find(connection, payload_hash or ""), snapshot


def snapshots(
    connection: Connection, migration: str, store_gid: str, resource_type: ResourceType, source_ids: list[str]
) -> dict[str, JsonObject]:
    """See `Loads.snapshots`."""
    columns = landed_snapshots.c
    query = select(columns.source_id, columns.body).where(
        columns.migration == migration, columns.store_gid == store_gid, columns.resource_type == str(resource_type),
        among(columns.source_id, source_ids),
    )  # fmt: skip
    return {row[0]: row[1] for row in connection.execute(query)}


def waiters(connection: Connection, migration: str, store_gid: str) -> dict[ResourceType, int]:
    """See `Loads.waiters`."""
    ready = released(migration, store_gid).subquery()
    query = select(ready.c.resource_type, func.count()).group_by(ready.c.resource_type)
    return {ResourceType(name): count for name, count in connection.execute(query)}

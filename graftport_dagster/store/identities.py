"""Which Shopify object each record or part became on each store.

The string kept in Shopify itself is `RecordKey.identity`; what landed in the object is in
`landing.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, select, tuple_

from graftport_dagster.records import Identity, RecordKey, ResourceType
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import put
from graftport_dagster.store.tables import identities

_CHUNK = 500
_columns = identities.c


def find(
    connection: Connection, migration: str, store_gid: str, keys: Iterable[RecordKey]
) -> dict[RecordKey, Identity]:
    """The identities of these keys, as far as there are any."""
    records: dict[str, list[str]] = {}
    parts: dict[str, list[RecordKey]] = {}
    for key in set(keys):
        if key.part:
            parts.setdefault(str(key.resource_type), []).append(key)
        else:
            records.setdefault(str(key.resource_type), []).append(key.source_id)
    found: dict[RecordKey, Identity] = {}
    for resource_type, ids in records.items():
        mine = and_(_on(migration, store_gid, resource_type), _columns.part == "", among(_columns.source_id, ids))
        found.update(_read(connection, mine))
    for resource_type, wanted in parts.items():
        for chunk in _chunks(wanted):
            triple = tuple_(_columns.source_id, _columns.part, _columns.part_id)
            names = [(key.source_id, key.part, key.part_id) for key in chunk]
            found.update(_read(connection, and_(_on(migration, store_gid, resource_type), triple.in_(names))))
    return found


def parts_of(
    connection: Connection, migration: str, store_gid: str, resource_type: ResourceType, source_ids: Sequence[str]
) -> dict[str, dict[RecordKey, Identity]]:
    """Source id → its parts, without the record itself; ids without parts are absent."""
    mine = and_(
        _on(migration, store_gid, str(resource_type)), among(_columns.source_id, source_ids), _columns.part != ""
    )
    found: dict[str, dict[RecordKey, Identity]] = {}
    for key, identity in _read(connection, mine).items():
        found.setdefault(key.source_id, {})[key] = identity
    return found


def keep(connection: Connection, migration: str, store_gid: str, found: Iterable[Identity], now: datetime) -> None:
    """Writes them, over what the keys were before."""
    rows = [
        _key_row(migration, store_gid, one.key) | {"gid": one.gid, "handle": one.handle, "at": now} for one in found
    ]
    put(connection, identities, rows)


def forget(connection: Connection, migration: str, store_gid: str, keys: Iterable[RecordKey]) -> None:
    """Removes them: their objects are gone from the store."""
    for key in keys:
        row = _key_row(migration, store_gid, key)
        connection.execute(delete(identities).where(*(identities.c[name] == value for name, value in row.items())))


def _on(migration: str, store_gid: str, resource_type: str) -> ColumnElement[bool]:
    return and_(
        _columns.migration == migration, _columns.store_gid == store_gid, _columns.resource_type == resource_type
    )


def _read(connection: Connection, condition: ColumnElement[bool]) -> dict[RecordKey, Identity]:
    query = select(
        _columns.resource_type, _columns.source_id, _columns.part, _columns.part_id, _columns.gid, _columns.handle
    ).where(condition)
    found = (Identity(RecordKey(*row[:4]), row[4], row[5]) for row in connection.execute(query))
    return {identity.key: identity for identity in found}


def _key_row(migration: str, store_gid: str, key: RecordKey) -> dict[str, Any]:
    return {
        "migration": migration, "store_gid": store_gid, "resource_type": str(key.resource_type),
        "source_id": key.source_id, "part": key.part, "part_id": key.part_id,
    }  # fmt: skip


def _chunks(keys: list[RecordKey]) -> Iterator[list[RecordKey]]:
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))

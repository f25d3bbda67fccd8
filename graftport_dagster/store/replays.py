"""The source's records as an earlier run had them, for a run that repeats it.

They are put together from the append-only history, by run number, as rows of the replay's own beside
the real ones, which stay as they are; payloads are shared. What is done with them is `pipeline/`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, or_, select

from graftport_dagster.records import ResourceType, Run
from graftport_dagster.store.database import Database, over_restarts
from graftport_dagster.store.tables import landed_records, payloads, source_history, source_records, staged_records

_history = source_history.c
_landed = landed_records.c


@dataclass(frozen=True, slots=True)
class Kept:
    """What is there of an earlier run's source data, of one type.

    `purged`: records whose payload is not kept any more. `superseded`: ids of those for which data read later
    has landed since, of those that pass `limit`.
    """

    records: int
    purged: int
    superseded: tuple[str, ...] = ()


@over_restarts
class Replays:
    """Source data as it was: looked at, taken for a replay, dropped with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, run: Run, resource_type: ResourceType, *, limit: int = 100) -> Kept:
        """What a replay of this run would find."""
        then = _as_of(run.migration, resource_type, run.seq).subquery()
        there = select(payloads.c.hash).where(payloads.c.hash == then.c.payload_hash, payloads.c.owner == "").exists()
        count = select(func.count()).select_from(then)
        newer = (
            select(then.c.source_id)
            .join(
                landed_records,
                and_(
                    _landed.migration == run.migration, _landed.resource_type == str(resource_type),
                    _landed.source_id == then.c.source_id, _landed.run_seq > run.seq,
                    or_(_landed.store_gid == run.store_gid, literal(run.store_gid) == ""),
                ),
            )
            .order_by(then.c.source_id)
            .limit(limit)
        )  # fmt: skip
        with self._database.read() as connection:
            return Kept(
                connection.execute(count).scalar_one(),
                connection.execute(count.where(~there)).scalar_one(),
                tuple(connection.execute(newer).scalars()),
            )

    def take(self, replay: Run, original: Run, resource_types: Sequence[ResourceType]) -> int:
        """Puts the records as the original run had them among the replay's own rows; says how many."""
        names = [
            "migration", "dry_run_id", "resource_type", "source_id", "payload_hash", "origin", "updated_at", "rows",
            "first_seq", "changed_seq", "seen_seq", "deleted_seq",
        ]  # fmt: skip
        taken = 0
        with self._database.write() as connection:
            connection.execute(delete(source_records).where(_own(source_records, replay)))
            for resource_type in resource_types:
                then = _as_of(replay.migration, resource_type, original.seq).subquery()
                now = source_records.c
                same = and_(
                    now.migration == replay.migration, now.dry_run_id == "",
                    now.resource_type == str(resource_type), now.source_id == then.c.source_id,
                )  # fmt: skip
                rows: Select[Any] = select(
                    literal(replay.migration), literal(replay.run_id), literal(str(resource_type)), then.c.source_id,
                    then.c.payload_hash, func.coalesce(now.origin, ""), now.updated_at, func.coalesce(now.rows, 1),
                    *(literal(original.seq) for _ in range(3)), literal(0),
                ).select_from(then.outerjoin(source_records, same))  # fmt: skip
                taken += connection.execute(insert(source_records).from_select(names, rows)).rowcount
        return taken

    def drop(self, replay: Run) -> None:
        """Removes the replay's own rows; what landed, and what was tried, stays."""
        with self._database.write() as connection:
            for table in (source_records, staged_records):
                connection.execute(delete(table).where(_own(table, replay)))


def _own(table: Any, replay: Run) -> ColumnElement[bool]:
    return and_(table.c.migration == replay.migration, table.c.dry_run_id == replay.run_id)


def _as_of(migration: str, resource_type: ResourceType, seq: int) -> Select[Any]:
    """(source_id, payload_hash) of the records that were there for the run of this number."""
    mine = (
        _history.migration == migration, _history.dry_run_id == "", _history.resource_type == str(resource_type),
        _history.run_seq <= seq,
    )  # fmt: skip
    last = select(_history.source_id, func.max(_history.run_seq).label("run_seq")).where(*mine)
    newest = last.group_by(_history.source_id).subquery()
    same = and_(newest.c.source_id == _history.source_id, newest.c.run_seq == _history.run_seq)
    return (
        select(_history.source_id, _history.payload_hash)
        .join(newest, same)
        .where(*mine, _history.deleted.is_(False))
    )  # fmt: skip

"""What is purged by age: the story of runs and records that nothing needs any more.

Never what is the present state (identities, what landed, what is staged, what was given up), never what an open
record or a run that is not made good needs. Personal data is purged in `forgetting.py`, files in `pipeline/purge.py`.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, literal, select, text, union_all

from graftport_dagster.records import Phase, Run
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import Database
from graftport_dagster.store.selection import is_open
from graftport_dagster.store.tables import (
    attempts,
    extract_errors,
    incomplete_records,
    landed_records,
    payloads,
    record_steps,
    record_warnings,
    run_items,
    runs,
    source_history,
    source_records,
    staged_records,
)

# Payloads are looked through in so many parts, by the first digit of their hashes, so that none is large.
_DIGITS = "0123456789abcdef"
_REFERENCES = (
    source_records.c.payload_hash, source_history.c.payload_hash, staged_records.c.payload_hash,
    staged_records.c.source_hash, landed_records.c.payload_hash, landed_records.c.landed_hash,
    record_steps.c.payload_hash, incomplete_records.c.source_hash, incomplete_records.c.payload_hash,
    attempts.c.source_hash, attempts.c.payload_hash,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Purged:
    """How many of each were removed, or would be, and which runs."""

    counts: dict[str, int] = field(default_factory=dict)
    run_ids: tuple[str, ...] = ()


class Purging:
    """Removes what is older than a moment and needed by nothing."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def by_age(self, migration: str, before: datetime, *, unresolved: Collection[Run], dry_run: bool) -> Purged:
        """`unresolved`: runs that nothing has made good; their data is kept. A dry run changes nothing."""
        with self._database.write() as connection:
            purged = self._by_age(connection, migration, before, unresolved)
            if dry_run:
                connection.rollback()
        return purged

    def _by_age(self, connection: Connection, migration: str, before: datetime, unresolved: Collection[Run]) -> Purged:
        needed = _needed_runs(connection, migration, unresolved)
        history = _outlived(migration, before, min((run.seq for run in unresolved), default=None))
        counts = {
            "attempts": _drop(connection, attempts.delete().where(_old_tries(attempts, migration, before, needed))),
            "warnings": _drop(
                connection, record_warnings.delete().where(_old_tries(record_warnings, migration, before, needed))
            ),
            "resolved_incomplete_records": _drop(connection, incomplete_records.delete().where(
                incomplete_records.c.migration == migration, incomplete_records.c.status == "resolved",
                incomplete_records.c.closed_at < before,
            )),
            "resolved_extract_errors": _drop(connection, extract_errors.delete().where(
                extract_errors.c.migration == migration, extract_errors.c.dry_run_id == "",
                ~extract_errors.c.is_open, extract_errors.c.resolved_at < before,
            )),
            "source_versions": _drop(connection, source_history.delete().where(history)),
        }  # fmt: skip
        gone = list(_old_runs(connection, migration, before, needed))
        counts["run_items"] = _drop(connection, run_items.delete().where(among(run_items.c.run_id, gone)))
        counts["runs"] = _drop(connection, runs.delete().where(among(runs.c.run_id, gone)))
        if any(counts.values()):
            counts["payloads"] = drop_unnamed_payloads(connection)
        return Purged({name: count for name, count in counts.items() if count}, tuple(gone))


def _drop(connection: Connection, statement: object) -> int:
    rows: int = connection.execute(statement).rowcount  # type: ignore[call-overload]
    return rows


def _needed_runs(connection: Connection, migration: str, unresolved: Collection[Run]) -> set[str]:
    """Runs that somebody may still want to look at or try again, with those that they repeat."""
    open_ones, errors = incomplete_records.c, extract_errors.c
    needed = {run.run_id for run in unresolved}
    still_open = and_(open_ones.migration == migration, is_open())
    bad_rows = and_(errors.migration == migration, errors.dry_run_id == "", errors.is_open)
    for column, condition in (
        (open_ones.run_id, still_open), (open_ones.claimed_by, still_open),
        (errors.run_id, bad_rows), (errors.first_run_id, bad_rows),
    ):  # fmt: skip
        needed |= set(connection.execute(select(column).where(condition).distinct()).scalars())
    before = {
        row.run_id: row.retry_of or row.replay_of
        for row in connection.execute(
            select(runs.c.run_id, runs.c.retry_of, runs.c.replay_of).where(runs.c.migration == migration)
        )
    }
    for run_id in list(needed):
        earlier = before.get(run_id, "")
        while earlier and earlier not in needed:
            needed.add(earlier)
            earlier = before.get(earlier, "")
    return needed - {""}


def _old_tries(table: object, migration: str, before: datetime, needed: Collection[str]) -> ColumnElement[bool]:
    columns = table.c  # type: ignore[attr-defined]
    of_open = (
        select(incomplete_records.c.source_id)
        .where(
            incomplete_records.c.migration == columns.migration,
            incomplete_records.c.resource_type == columns.resource_type,
            incomplete_records.c.source_id == columns.source_id, is_open(),
        )
        .correlate(table)  # type: ignore[arg-type]
        .exists()
    )  # fmt: skip
    return and_(
        columns.migration == migration, columns.dry_run_id == "", columns.at < before,
        ~among(columns.run_id, list(needed)), ~of_open,
    )  # fmt: skip


def _outlived(migration: str, before: datetime, oldest_needed: int | None) -> ColumnElement[bool]:
    """Versions of source records that a later one took the place of, long ago and before any run that is needed."""
    later = source_history.alias("later")
    conditions = [
        later.c.migration == source_history.c.migration, later.c.dry_run_id == source_history.c.dry_run_id,
        later.c.resource_type == source_history.c.resource_type, later.c.source_id == source_history.c.source_id,
        later.c.run_seq > source_history.c.run_seq, later.c.at < before,
    ]  # fmt: skip
    if oldest_needed is not None:
        conditions.append(later.c.run_seq <= oldest_needed)
    newer = select(literal(1)).select_from(later).where(*conditions).correlate(source_history).exists()
    return and_(source_history.c.migration == migration, source_history.c.dry_run_id == "", newer)


def _old_runs(connection: Connection, migration: str, before: datetime, needed: Collection[str]) -> Iterator[str]:
    """Those that ended long ago and are needed by nothing, but the newest of each type, phase and mapping version.

    The newest say how a migration stands; of dry runs, which mapping versions were tried.
    """
    items = run_items.c
    of_migration = (
        select(func.max(runs.c.seq))
        .select_from(run_items.join(runs, runs.c.run_id == items.run_id))
        .where(runs.c.migration == migration)
    )
    newest = of_migration.group_by(items.resource_type, items.phase)
    tried = of_migration.where(items.phase == str(Phase.TRANSFORM)).group_by(items.resource_type, items.mapping_version)
    kept = {seq for query in (newest, tried) for seq in connection.execute(query).scalars()}
    query = select(runs.c.run_id, runs.c.seq).where(runs.c.migration == migration, runs.c.ended_at < before)
    for row in connection.execute(query.order_by(runs.c.seq)).all():
        if row.run_id not in needed and row.seq not in kept:
            yield row.run_id


def drop_unnamed_payloads(connection: Connection) -> int:
    """Payload versions that nothing names any more, of whatever migration: they are shared by content."""
    if connection.dialect.name == "postgresql":
        # Who puts a payload in, or finds it there, names it in the same transaction; those are waited for.
        connection.execute(text("LOCK TABLE payloads IN SHARE ROW EXCLUSIVE MODE"))
    dropped = 0
    for digit in _DIGITS:
        following = digit + "\U0010ffff"

        def within(column: ColumnElement[str], first: str = digit, last: str = following) -> ColumnElement[bool]:
            return and_(column >= first, column < last)

        named = union_all(*(select(column).where(within(column)) for column in _REFERENCES))
        dropped += connection.execute(
            delete(payloads).where(within(payloads.c.hash), payloads.c.owner == "", payloads.c.hash.not_in(named))
        ).rowcount
    return dropped

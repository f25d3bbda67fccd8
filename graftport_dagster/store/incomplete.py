"""Incomplete records: what did not end well, listed, counted, claimed for a retry, given up.

There is one row per record, phase and store; how it comes to be and is closed is in `set_aside.py`.
What is sent again is decided in the loader, never here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import JsonObject, Outcome, Phase, ResourceType, Run
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import Database, over_restarts
from graftport_dagster.store.selection import in_group, is_open, taken_by
from graftport_dagster.store.set_aside import closing
from graftport_dagster.store.tables import attempts, incomplete_records, runs, waits
from graftport_dagster.store.waits import released

_SET_ASIDE = (str(Outcome.ERRORED), str(Outcome.HELD), str(Outcome.UNKNOWN))
_columns = incomplete_records.c


@dataclass(frozen=True, slots=True)
class Which:
    """Which of the open ones; all, unless narrowed. `except_ids`: all but the records with these ids."""

    resource_types: tuple[ResourceType, ...] = ()
    phases: tuple[Phase, ...] = ()
    error_group: str = ""
    source_ids: tuple[str, ...] = ()
    except_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wave:
    """Open records of one type by when they are tried: `due` now (the first since `since`), `waiting` until `until`.

    `left`: those that a person must look at. `lifts_at`: when the last known limit of rate lifts.
    """

    due: int
    since: datetime | None
    waiting: int
    until: datetime | None
    left: int
    lifts_at: datetime | None


@over_restarts
class IncompleteRecords:
    """The records that did not end well: listed, counted, claimed for a retry, discarded."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def open(self, migration: str, which: Which = Which(), *, limit: int | None = None) -> list[JsonObject]:
        """Open ones, oldest first, with the options (actor and reason among them) of the run that failed last."""
        with self._database.read() as connection:
            return listed(connection, _open(migration, which), limit)

    def counts(self, migration: str) -> list[JsonObject]:
        """`[{resource_type, phase, status, error_class, code, count, oldest}]` of open ones; `oldest` in ISO 8601."""
        group = (_columns.resource_type, _columns.phase, _columns.status, _columns.error_class, _columns.code)
        query = (
            select(*group, func.count().label("count"), func.min(_columns.opened_at).label("oldest"))
            .where(_columns.migration == migration, is_open())
            .group_by(*group)
            .order_by(*group)
        )
        with self._database.read() as connection:
            return [row._asdict() | {"oldest": row.oldest.isoformat()} for row in connection.execute(query)]

    def due(self, migration: str) -> dict[ResourceType, int]:
        """How many records of each type are to be tried now: by the schedule, or held and released since."""
        query = (
            select(_columns.resource_type, func.count())
            .where(_columns.migration == migration, self._is_due(migration))
            .group_by(_columns.resource_type)
        )
        with self._database.read() as connection:
            return {ResourceType(name): count for name, count in connection.execute(query)}

    def waves(self, migration: str) -> dict[ResourceType, Wave]:
        """What is to be tried now and what is still to wait, per type that has either."""
        due = case((self._is_due(migration), 1))
        since = func.coalesce(_columns.next_attempt_at, _columns.failed_at)
        waits_still = and_(_columns.status == "pending_retry", _columns.next_attempt_at > self._now())
        query = (
            select(
                _columns.resource_type, func.count(due), func.min(case((due == 1, since))),
                func.count(case((waits_still, 1))), func.min(case((waits_still, _columns.next_attempt_at))),
                func.count(case((and_(_columns.status == "unresolved", _columns.outcome != str(Outcome.HELD)), 1))),
                func.max(case((_columns.error_class == str(ErrorClass.RATE_LIMIT), _columns.next_attempt_at))),
            )
            .where(_columns.migration == migration, is_open())
            .group_by(_columns.resource_type)
        )  # fmt: skip
        with self._database.read() as connection:
            return {ResourceType(row[0]): Wave(*row[1:]) for row in connection.execute(query)}

    def count(self, migration: str, resource_type: ResourceType | None = None, *, without_held: bool = False) -> int:
        """How many are open."""
        query = select(func.count()).where(_columns.migration == migration, is_open())
        if resource_type is not None:
            query = query.where(_columns.resource_type == str(resource_type))
        if without_held:
            query = query.where(_columns.outcome != str(Outcome.HELD))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def count_not_kept(self, run: Run, resource_type: ResourceType, phase: Phase) -> int:
        """Records that failed or were held in this item of which no incomplete record was kept."""
        tried = attempts.c
        kept = (
            select(_columns.source_id)
            .where(
                _columns.migration == tried.migration, _columns.resource_type == tried.resource_type,
                _columns.phase == tried.phase, _columns.source_id == tried.source_id, is_open(),
            )
            .correlate(attempts)
            .exists()
        )  # fmt: skip
        query = select(func.count(tried.source_id.distinct())).where(
            tried.run_id == run.run_id, tried.resource_type == str(resource_type), tried.phase == str(phase),
            text("attempts.notable = 1"), tried.outcome.in_(_SET_ASIDE), ~kept,
        )  # fmt: skip
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def next_due(self, migration: str) -> datetime | None:
        """When the schedule wants something tried next; None where it wants nothing."""
        query = select(func.min(_columns.next_attempt_at)).where(
            _columns.migration == migration, _columns.status == "pending_retry"
        )
        with self._database.read() as connection:
            due: datetime | None = connection.execute(query).scalar_one()
        return due

    def claim(self, run: Run, which: Which = Which(), *, asked_at: datetime | None = None) -> int:
        """Makes open ones `in_progress` for this run and says how many; a second claim finds none.

        Of a run that retries what is due, only that. `asked_at`: when the run was asked for; what has failed after
        that has been tried meanwhile, and is not claimed. A claim ends with its record's next attempt, and with its
        run (by result, or by `unclaim`).
        """
        free = or_(_columns.status != "in_progress", _columns.claimed_by.not_in(_running()))
        condition = and_(_open(run.migration, which), free)
        if run.options.retry == "due":
            condition = and_(condition, self._is_due(run.migration))
        if asked_at is not None:
            condition = and_(condition, _columns.failed_at <= asked_at)
        with self._database.write() as connection:
            return connection.execute(
                update(incomplete_records).where(condition).values(status="in_progress", claimed_by=run.run_id)
            ).rowcount

    def claimed(self, run: Run, resource_type: ResourceType) -> set[str]:
        """Ids of the records that this run took on."""
        with self._database.read() as connection:
            return set(connection.execute(taken_by(run.migration, resource_type, run.run_id)).scalars())

    def unclaim(self, run: Run) -> int:
        """Gives back what this run claimed and did not reach."""
        waiting = case((_columns.next_attempt_at.is_not(None), "pending_retry"), else_="unresolved")
        with self._database.write() as connection:
            return connection.execute(
                update(incomplete_records)
                .where(
                    _columns.migration == run.migration,
                    _columns.status == "in_progress",
                    _columns.claimed_by == run.run_id,
                )
                .values(status=waiting, claimed_by="")
            ).rowcount

    def discard(self, migration: str, which: Which = Which(), *, by: str, reason: str) -> int:
        """Gives the open ones up, for the reason given; those in progress are left. Returns how many."""
        condition = and_(_open(migration, which), _columns.status != "in_progress")
        values = closing(self._now(), "", by, reason, "discarded")
        with self._database.write() as connection:
            given_up = connection.execute(update(incomplete_records).where(condition).values(values)).rowcount
            connection.execute(delete(waits).where(waits.c.migration == migration, ~_waits_for_something()))
        return given_up

    def _is_due(self, migration: str) -> ColumnElement[bool]:
        by_schedule = and_(_columns.status == "pending_retry", _columns.next_attempt_at <= self._now())
        held = and_(
            _columns.outcome == str(Outcome.HELD), _columns.phase == str(Phase.LOAD), _columns.status == "unresolved",
            tuple_(_columns.store_gid, _columns.resource_type, _columns.source_id).in_(released(migration)),
        )  # fmt: skip
        return or_(by_schedule, held)


def _open(migration: str, which: Which) -> ColumnElement[bool]:
    conditions = [_columns.migration == migration, is_open()]
    if which.resource_types:
        conditions.append(_columns.resource_type.in_([str(name) for name in which.resource_types]))
    if which.phases:
        conditions.append(_columns.phase.in_([str(name) for name in which.phases]))
    if which.error_group:
        conditions.append(in_group(which.error_group))
    if which.source_ids:
        conditions.append(among(_columns.source_id, which.source_ids))
    if which.except_ids:
        conditions.append(~among(_columns.source_id, which.except_ids))
    return and_(*conditions)


def _waits_for_something() -> ColumnElement[bool]:
    return (
        select(_columns.source_id)
        .where(
            _columns.migration == waits.c.migration, _columns.store_gid == waits.c.store_gid,
            _columns.resource_type == waits.c.resource_type, _columns.source_id == waits.c.source_id,
            _columns.phase == str(Phase.LOAD), is_open(),
        )
        .correlate(waits)
        .exists()
    )  # fmt: skip


def _running() -> Select[tuple[str]]:
    return select(runs.c.run_id).where(runs.c.ended_at.is_(None))


def listed(connection: Connection, condition: ColumnElement[bool], limit: int | None = None) -> list[JsonObject]:
    """Incomplete records as JSON, oldest first."""
    query = (
        select(incomplete_records, runs.c.options)
        .join(runs, runs.c.run_id == _columns.run_id, isouter=True)
        .where(condition)
        .order_by(_columns.opened_at, _columns.resource_type, _columns.source_id, _columns.phase)
        .limit(limit)
    )
    return [_as_json(row._asdict()) for row in connection.execute(query)]


def _as_json(row: dict[str, Any]) -> JsonObject:
    moments = ("next_attempt_at", "opened_at", "failed_at", "closed_at")
    shown = {name: value for name, value in row.items() if name not in (*moments, "run_seq", "waits_for")}
    shown |= {name: row[name].isoformat() if row[name] else None for name in moments}
    names = ("resource_type", "source_id", "part", "part_id")
    shown["waits_for"] = [dict(zip(names, key, strict=True)) for key in row["waits_for"]]
    return shown

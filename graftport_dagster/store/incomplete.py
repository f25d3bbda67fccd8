"""Incomplete records: what did not end well, with all that is needed to try again.

There is one row per record, phase and store: the state that its last failure left. The tries
themselves are in `attempts.py`; what is sent again is decided in the loader, never here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
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

from graftport_dagster.errors import ErrorClass, TransientError
from graftport_dagster.records import JsonObject, Outcome, Phase, RecordKey, ResourceType, Run
from graftport_dagster.store.attempts import Fault, describe
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import Database, put
from graftport_dagster.store.selection import OPEN_STATUSES, in_group, is_open, taken_by
from graftport_dagster.store.tables import attempts, incomplete_records, runs, waits
from graftport_dagster.store.waits import released

# After each failed try; then it is left for a person.
RETRY_MINUTES = (1, 10, 10, 30, 30, 30, 180, 180)
_UNKNOWN = str(ErrorClass.UNKNOWN_OUTCOME)
# An unknown outcome is verified before anything is sent, which harms nothing and should not wait for a person.
_SCHEDULED = frozenset(str(error_class) for error_class in ErrorClass if error_class.is_retried) | {_UNKNOWN}
_SET_ASIDE = (str(Outcome.ERRORED), str(Outcome.HELD), str(Outcome.UNKNOWN))
_columns = incomplete_records.c


@dataclass(frozen=True, slots=True)
class Place:
    """Which phase of which type failed; for a load, into which store."""

    migration: str
    resource_type: ResourceType
    phase: Phase
    store_gid: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that did not end well, and what was tried."""

    source_id: str
    outcome: Outcome
    error: Exception | None
    source_hash: str = ""
    payload_hash: str = ""
    settings_hash: str = ""
    mapping_version: str = ""
    waits_for: tuple[RecordKey, ...] = ()
    reason: str = ""


def set_aside(connection: Connection, place: Place, run: Run, failures: Sequence[Failure], now: datetime) -> None:
    """Opens an incomplete record for each failure, or refreshes the open one.

    A failure of another payload than the open one's supersedes it: its tries begin anew.
    """
    if not failures:
        return
    ids = [failure.source_id for failure in failures]
    found = connection.execute(select(incomplete_records).where(_at(place), among(_columns.source_id, ids))).all()
    given_up = {row.source_id: row.message for row in found if row.status == "discarded"}
    before = {row.source_id: row for row in found if row.status in OPEN_STATUSES}
    failures = [
        failure
        for failure in failures
        # A row of the source that a person gave up is not opened again by each reading of it.
        if place.phase is not Phase.EXTRACT or given_up.get(failure.source_id) != getattr(failure.error, "message", "")
    ]
    failures = _kept(connection, place, run, failures, before)
    ids = [failure.source_id for failure in failures]
    rows = [_row(place, run, failure, before.get(failure.source_id), now) for failure in failures]
    put(connection, incomplete_records, rows)
    if place.phase is Phase.LOAD:
        _forget_waits(connection, place, ids)
        put(connection, waits, [_wait(place, failure, key) for failure in failures for key in failure.waits_for])


def _kept(
    connection: Connection, place: Place, run: Run, failures: Sequence[Failure], before: Mapping[str, Row[Any]]
) -> list[Failure]:
    """Those that are kept: refreshed where they are open, opened as far as the migration wants them."""
    keeping = run.keeping
    if not (keeping.is_off or keeping.drops):
        return list(failures)
    room = 0
    if not keeping.is_off and keeping.limit is not None:
        count = select(func.count()).where(_columns.migration == place.migration, is_open())
        room = keeping.limit - connection.execute(count).scalar_one()
    kept = []
    for failure in failures:
        if failure.source_id not in before:
            room -= 1
        if failure.source_id in before or room >= 0:
            kept.append(failure)
    return kept


def _row(place: Place, run: Run, failure: Failure, before: Row[Any] | None, now: datetime) -> dict[str, Any]:
    fault = describe(failure.error, failure.outcome, failure.reason)
    same = before is not None and (before.payload_hash, before.source_hash) == (
        failure.payload_hash, failure.source_hash
    )  # fmt: skip
    tries = before.tries if before is not None and same else 0
    tries, due = _schedule(fault, failure.error, tries, now)
    return {
        "migration": place.migration, "resource_type": str(place.resource_type), "source_id": failure.source_id,
        "phase": str(place.phase), "store_gid": place.store_gid,
        "status": "pending_retry" if due else "unresolved", "outcome": str(failure.outcome),
        "error_class": fault.error_class, "code": fault.code, "path": fault.path, "message": fault.message,
        "hint": fault.hint, "reason": failure.reason,
        "source_hash": failure.source_hash, "payload_hash": failure.payload_hash,
        "settings_hash": failure.settings_hash, "mapping_version": failure.mapping_version, "run_id": run.run_id,
        "run_seq": run.seq, "tries": tries, "next_attempt_at": due,
        "waits_for": [[key.resource_type, key.source_id, key.part, key.part_id] for key in failure.waits_for],
        "opened_at": before.opened_at if before is not None and same else now, "failed_at": now,
        "claimed_by": "", "closed_at": None, "closed_run_id": "", "closed_by": "", "resolution": "",
    }  # fmt: skip


def _schedule(fault: Fault, error: Exception | None, tries: int, now: datetime) -> tuple[int, datetime | None]:
    """How many tries failed by now, and when the next is due; None leaves it for a person."""
    if fault.error_class not in _SCHEDULED:
        return tries + 1, None
    wait = timedelta(minutes=RETRY_MINUTES[tries]) if tries < len(RETRY_MINUTES) else None
    told = timedelta(seconds=min(error.retry_after, 7 * 86_400)) if isinstance(error, TransientError) else timedelta()
    if told > (wait or timedelta(minutes=RETRY_MINUTES[-1])):
        # Somebody said when it lifts (a daily limit): waiting for that uses up no try.
        return tries, now + told
    return tries + 1, now + wait if wait else None


def _wait(place: Place, failure: Failure, key: RecordKey) -> dict[str, Any]:
    return {
        "migration": place.migration, "store_gid": place.store_gid, "resource_type": str(place.resource_type),
        "source_id": failure.source_id, "for_type": str(key.resource_type), "for_id": key.source_id,
        "for_part": key.part, "for_part_id": key.part_id,
    }  # fmt: skip


def _forget_waits(connection: Connection, place: Place, source_ids: Sequence[str]) -> None:
    connection.execute(
        delete(waits).where(
            waits.c.migration == place.migration, waits.c.store_gid == place.store_gid,
            waits.c.resource_type == str(place.resource_type), among(waits.c.source_id, source_ids),
        )
    )  # fmt: skip


def resolve(
    connection: Connection, place: Place, run: Run, source_ids: Sequence[str], now: datetime, *,
    resolution: str = "succeeded", status: str = "resolved",
) -> None:  # fmt: skip
    """Closes the open incomplete records of these records at this place."""
    if not source_ids:
        return
    connection.execute(
        update(incomplete_records)
        .where(_at(place), among(_columns.source_id, source_ids), is_open())
        .values(_closing(now, run.run_id, run.options.actor, resolution, status))
    )
    if place.phase is Phase.LOAD:
        _forget_waits(connection, place, source_ids)


def supersede(
    connection: Connection, place: Place, run: Run, staged: Mapping[str, str], now: datetime
) -> None:  # fmt: skip
    """Closes what a load left open of another payload than is staged now (source id → its hash): it is stale."""
    stale = [
        row.source_id
        for row in connection.execute(
            select(_columns.source_id, _columns.payload_hash).where(
                _columns.migration == place.migration, _columns.resource_type == str(place.resource_type),
                _columns.phase == str(Phase.LOAD), is_open(), among(_columns.source_id, list(staged)),
            )
        )
        if staged[row.source_id] != row.payload_hash
    ]  # fmt: skip
    if stale:
        mine = and_(waits.c.migration == place.migration, waits.c.resource_type == str(place.resource_type))
        connection.execute(delete(waits).where(mine, among(waits.c.source_id, stale)))
        connection.execute(
            update(incomplete_records)
            .where(
                _columns.migration == place.migration, _columns.resource_type == str(place.resource_type),
                _columns.phase == str(Phase.LOAD), is_open(), among(_columns.source_id, stale),
                # What was sent and never answered must be cleared up, whatever is staged now.
                _columns.outcome != str(Outcome.UNKNOWN),
            )
            .values(_closing(now, run.run_id, run.options.actor, "superseded", "resolved"))
        )  # fmt: skip


def resolve_all_but(
    connection: Connection, place: Place, run: Run, still_bad: Select[tuple[str]], now: datetime
) -> None:
    """Closes the open incomplete records at this place whose ids the query does not give."""
    connection.execute(
        update(incomplete_records)
        .where(_at(place), is_open(), _columns.source_id.not_in(still_bad))
        .values(_closing(now, run.run_id, run.options.actor, "succeeded", "resolved"))
    )


def given_up(connection: Connection, place: Place, source_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Source id → (source hash, reason) of those that a person discarded at this place."""
    if not source_ids:
        return {}
    found = connection.execute(
        select(_columns.source_id, _columns.source_hash, _columns.resolution).where(
            _at(place), among(_columns.source_id, source_ids), _columns.status == "discarded"
        )
    )
    return {row[0]: (row[1], row[2]) for row in found}


def resolve_vanished(
    connection: Connection, migration: str, resource_type: ResourceType, run: Run, gone: Select[tuple[str]],
    now: datetime,
) -> None:  # fmt: skip
    """Closes the open incomplete records of what is gone from the source, but those whose object may be in a store."""
    mine = and_(_columns.migration == migration, _columns.resource_type == str(resource_type))
    closing = _closing(now, run.run_id, run.options.actor, "gone from the source", "resolved")
    connection.execute(
        update(incomplete_records)
        .where(mine, is_open(), _columns.outcome != str(Outcome.UNKNOWN), _columns.source_id.in_(gone))
        .values(closing)
    )
    connection.execute(
        delete(waits).where(
            waits.c.migration == migration, waits.c.resource_type == str(resource_type), waits.c.source_id.in_(gone)
        )
    )


def _closing(now: datetime, run_id: str, by: str, resolution: str, status: str) -> dict[str, Any]:
    return {
        "status": status, "closed_at": now, "closed_run_id": run_id, "closed_by": by, "resolution": resolution,
        "next_attempt_at": None, "claimed_by": "",
    }  # fmt: skip


def _at(place: Place) -> ColumnElement[bool]:
    return and_(
        _columns.migration == place.migration,
        _columns.resource_type == str(place.resource_type),
        _columns.phase == str(place.phase),
        _columns.store_gid == place.store_gid,
    )


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
        closing = _closing(self._now(), "", by, reason, "discarded")
        with self._database.write() as connection:
            given_up = connection.execute(update(incomplete_records).where(condition).values(closing)).rowcount
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

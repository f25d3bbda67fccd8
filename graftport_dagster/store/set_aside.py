"""Records set aside, and closed again: what the outcome of each means for its incomplete record.

Called within the transaction that writes the outcome. There is one row per record, phase and store:
the state that its last failure left. Who lists them, claims them and gives them up is in
`incomplete.py`; the tries themselves are in `attempts.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.sql.selectable import FromClause

from graftport_dagster.errors import ErrorClass, TransientError
from graftport_dagster.records import Outcome, Phase, RecordKey, ResourceType, Run
from graftport_dagster.store.attempts import Fault, describe
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import put
from graftport_dagster.store.selection import OPEN_STATUSES, is_open
from graftport_dagster.store.tables import incomplete_records, source_records, waits

# After each failed try; then it is left for a person.
RETRY_MINUTES = (1, 10, 10, 30, 30, 30, 180, 180)
_UNKNOWN = str(ErrorClass.UNKNOWN_OUTCOME)
# An unknown outcome is verified before anything is sent, which harms nothing and should not wait for a person.
_SCHEDULED = frozenset(str(error_class) for error_class in ErrorClass if error_class.is_retried) | {_UNKNOWN}
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

    A failure of another payload than the open one's supersedes it: its tries begin anew. Not so a replay's where the
    open one is of what is read now, unless it is not known what became of it.
    """
    overtaken = _overtaken(connection, place, run, [failure.source_id for failure in failures])
    failures = [one for one in failures if one.source_id not in overtaken or one.outcome is Outcome.UNKNOWN]
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
    """Closes the open incomplete records of these records at this place; a replay not those of what is read now."""
    overtaken = _overtaken(connection, place, run, source_ids)
    source_ids = [source_id for source_id in source_ids if source_id not in overtaken]
    if not source_ids:
        return
    connection.execute(
        update(incomplete_records)
        .where(_at(place), among(_columns.source_id, source_ids), is_open())
        .values(closing(now, run.run_id, run.options.actor, resolution, status))
    )
    if place.phase is Phase.LOAD:
        _forget_waits(connection, place, source_ids)


def _overtaken(connection: Connection, place: Place, run: Run, source_ids: Sequence[str]) -> set[str]:
    """Those of the records of a replay that are open for what the source has now, and the replay for what it had."""
    if not run.replay_of or not source_ids:
        return set()
    now, then = source_records.alias(), source_records.alias()
    query = (
        select(_columns.source_id)
        .join(now, _same_record(now))
        .join(then, _same_record(then))
        .where(
            _at(place), is_open(), among(_columns.source_id, source_ids),
            now.c.dry_run_id == "", now.c.payload_hash == _columns.source_hash,
            then.c.dry_run_id == run.run_id, then.c.payload_hash != _columns.source_hash,
        )
    )  # fmt: skip
    return set(connection.execute(query).scalars())


def _same_record(source: FromClause) -> ColumnElement[bool]:
    return and_(
        source.c.migration == _columns.migration,
        source.c.resource_type == _columns.resource_type,
        source.c.source_id == _columns.source_id,
    )


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
            .values(closing(now, run.run_id, run.options.actor, "superseded", "resolved"))
        )  # fmt: skip


def resolve_all_but(
    connection: Connection, place: Place, run: Run, still_bad: Select[tuple[str]], now: datetime
) -> None:
    """Closes the open incomplete records at this place whose ids the query does not give."""
    connection.execute(
        update(incomplete_records)
        .where(_at(place), is_open(), _columns.source_id.not_in(still_bad))
        .values(closing(now, run.run_id, run.options.actor, "succeeded", "resolved"))
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
    values = closing(now, run.run_id, run.options.actor, "gone from the source", "resolved")
    connection.execute(
        update(incomplete_records)
        .where(mine, is_open(), _columns.outcome != str(Outcome.UNKNOWN), _columns.source_id.in_(gone))
        .values(values)
    )
    connection.execute(
        delete(waits).where(
            waits.c.migration == migration, waits.c.resource_type == str(resource_type), waits.c.source_id.in_(gone)
        )
    )


def closing(now: datetime, run_id: str, by: str, resolution: str, status: str) -> dict[str, Any]:
    """The columns of an incomplete record that is open no more."""
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

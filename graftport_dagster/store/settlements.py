"""Intents before a call, outcomes after it: each batch in one transaction under the lease.

An intent is on the disk before its call is sent, and an outcome with everything it implies is
on the disk at once, so that a process may die between any two statements. Which steps a record
needs, and what an answer means, is in `loaders/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, select, tuple_

from graftport_dagster.records import Identity, JsonObject, Outcome, Phase, RecordKey, ResourceType, Run
from graftport_dagster.store import attempts, identities, set_aside
from graftport_dagster.store.columns import among
from graftport_dagster.store.database import put
from graftport_dagster.store.leases import Lease
from graftport_dagster.store.tables import landed_records, landed_snapshots, record_steps, staged_records

_steps = record_steps.c
_staged = staged_records.c
_SET_ASIDE = frozenset({Outcome.ERRORED, Outcome.HELD, Outcome.UNKNOWN})
_WITHDRAWN = frozenset({Outcome.ARCHIVED, Outcome.DELETED})
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Intent:
    """A call about to be sent for one step of a record."""

    source_id: str
    step: str
    payload_hash: str
    repeatable: bool


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step that was sent, or about to be, and has no outcome; `state` is `intent` or `unknown`."""

    source_id: str
    step: str
    payload_hash: str
    state: str
    repeatable: bool
    sent_at: datetime
    run_id: str
    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of one record in a load, committed in one transaction with everything it implies.

    `outcome` None: a step of it is done, the record goes on; that is no attempt of its own.
    `clean`: all steps of this payload are done; it and `landed_groups` are written as landed, the
    open incomplete record is resolved, the record's steps are cleared. Where `clean` is not given,
    only the groups named landed, and the payload counts as landed once all groups are those staged.
    `snapshot`: what Shopify answered, for drift. `steps_done`: finished now, with their remote ids;
    `steps_unknown`: their answer was lost; `steps_released`: provably not executed, so removed.
    `step_hashes`: the hash of what a step sends, where that is not the whole payload.
    `error`: a GraftportError for errored, held and unknown. `waits_for`: what a held record needs.
    `reason`: a short phrase that groups (why skipped, held, …).
    Archived and deleted records leave this store's scope until the source has them again.
    """

    source_id: str
    outcome: Outcome | None
    payload_hash: str = ""
    clean: bool = False
    landed_groups: Mapping[str, str] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()
    removed_identities: tuple[RecordKey, ...] = ()
    snapshot: JsonObject | None = None
    steps_done: Mapping[str, str] = field(default_factory=dict)
    steps_unknown: tuple[str, ...] = ()
    steps_released: tuple[str, ...] = ()
    step_hashes: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None
    waits_for: tuple[RecordKey, ...] = ()
    reason: str = ""
    warnings: tuple[tuple[str, str], ...] = ()
    mapping_version: str = ""
    calls: int = 0
    cost: float = 0.0


def intend(connection: Connection, lease: Lease, intents: Sequence[Intent], run: Run, now: datetime) -> None:
    """Writes the intents, over whatever state these steps had."""
    rows = [
        _key(lease, intent.source_id)
        | {
            "step": intent.step, "payload_hash": intent.payload_hash, "state": "intent",
            "repeatable": intent.repeatable, "remote_id": "", "run_id": run.run_id, "sent_at": now,
        }
        for intent in intents
    ]  # fmt: skip
    put(connection, record_steps, rows)


def open_steps(connection: Connection, migration: str, store_gid: str, resource_type: ResourceType) -> list[OpenStep]:
    """Those without an outcome, by record and step."""
    query = (
        select(
            _steps.source_id, _steps.step, _steps.payload_hash, _steps.state, _steps.repeatable, _steps.sent_at,
            _steps.run_id, _steps.remote_id,
        )
        .where(
            _steps.migration == migration, _steps.store_gid == store_gid,
            _steps.resource_type == str(resource_type), _steps.state.in_(("intent", "unknown")),
        )
        .order_by(_steps.source_id, _steps.step)
    )  # fmt: skip
    return [OpenStep(*row) for row in connection.execute(query)]


def done_steps(
    connection: Connection, migration: str, store_gid: str, resource_type: ResourceType, source_ids: Sequence[str]
) -> dict[str, dict[str, tuple[str, str]]]:
    """Source id → step → (payload hash, remote id)."""
    query = select(_steps.source_id, _steps.step, _steps.payload_hash, _steps.remote_id).where(
        _steps.migration == migration, _steps.store_gid == store_gid, _steps.resource_type == str(resource_type),
        _steps.state == "done", among(_steps.source_id, source_ids),
    )  # fmt: skip
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for source_id, step, payload_hash, remote_id in connection.execute(query):
        found.setdefault(source_id, {})[step] = (payload_hash, remote_id)
    return found


def record_attempts(
    connection: Connection, lease: Lease, run: Run, settled: Sequence[Settlement], now: datetime, *, dry_run_id: str
) -> None:
    """The attempts and warnings alone, which is all that a dry run leaves."""
    tried = [
        attempts.Attempt(
            one.source_id, one.outcome, attempts.describe(one.error, one.outcome, one.reason), reason=one.reason,
            payload_hash=one.payload_hash, mapping_version=one.mapping_version, calls=one.calls, cost=one.cost,
            warnings=one.warnings,
        )
        for one in settled
        if one.outcome is not None
    ]  # fmt: skip
    scene = attempts.Scene(run, lease.migration, lease.resource_type, Phase.LOAD, lease.store_gid, dry_run_id)
    attempts.append(connection, scene, tried, now)


def settle(connection: Connection, lease: Lease, run: Run, settled: Sequence[Settlement], now: datetime) -> None:
    """Writes everything that the outcomes imply; the caller's transaction has checked the lease."""
    found = [identity for one in settled for identity in one.identities]
    identities.keep(connection, lease.migration, lease.store_gid, found, now)
    gone = [key for one in settled for key in one.removed_identities]
    identities.forget(connection, lease.migration, lease.store_gid, gone)
    _settle_steps(connection, lease, run, settled, now)
    _settle_landed(connection, lease, run, settled, now)
    record_attempts(connection, lease, run, settled, now, dry_run_id="")
    _settle_incomplete(connection, lease, run, settled, now)


def _settle_steps(connection: Connection, lease: Lease, run: Run, settled: Sequence[Settlement], now: datetime) -> None:
    rows = {
        state: [
            _key(lease, one.source_id)
            | {
                "step": step, "payload_hash": one.step_hashes.get(step, one.payload_hash), "state": state,
                "repeatable": True,
                "remote_id": remote_id, "run_id": run.run_id, "sent_at": now,
            }
            for one in settled
            if not one.clean
            for step, remote_id in (one.steps_done if state == "done" else dict.fromkeys(one.steps_unknown, "")).items()
        ]
        for state in ("done", "unknown")
    }  # fmt: skip
    # When it was sent, and whether it may be again, the intent has said; an update of a later payload had none.
    put(connection, record_steps, rows["done"], update=("state", "remote_id", "payload_hash"))
    put(connection, record_steps, rows["unknown"], update=("state", "remote_id"))
    released = [(one.source_id, step) for one in settled for step in one.steps_released]
    for start in range(0, len(released), _CHUNK):
        pair = tuple_(_steps.source_id, _steps.step)
        mine = and_(_of_type(record_steps, lease), pair.in_(released[start : start + _CHUNK]))
        connection.execute(delete(record_steps).where(mine))
    if over := [one.source_id for one in settled if one.clean or one.outcome in _WITHDRAWN]:
        mine = and_(_of_type(record_steps, lease), among(_steps.source_id, over))
        connection.execute(delete(record_steps).where(mine))


def _settle_landed(
    connection: Connection, lease: Lease, run: Run, settled: Sequence[Settlement], now: datetime
) -> None:
    by = {"run_id": run.run_id, "run_seq": run.source_seq or run.seq, "at": now}
    whole = [
        _key(lease, one.source_id)
        | by
        | {
            "landed_hash": one.payload_hash, "payload_hash": one.payload_hash,
            "group_hashes": dict(one.landed_groups), "withdrawn": False, "mapping_version": one.mapping_version,
        }
        for one in settled
        if one.clean and one.outcome not in _WITHDRAWN
    ]  # fmt: skip
    put(connection, landed_records, whole)
    # Without its object nothing of a record has landed: it is pending, and new.
    if lost := [
        one.source_id for one in settled
        if one.outcome not in _WITHDRAWN and any(not key.part for key in one.removed_identities)
    ]:  # fmt: skip
        mine = and_(_of_type(landed_records, lease), among(landed_records.c.source_id, lost))
        connection.execute(delete(landed_records).where(mine))
    _settle_partial(connection, lease, run, by, [one for one in settled if one.landed_groups and not one.clean])
    taken = [
        _key(lease, one.source_id) | {"body": one.snapshot, "at": now} for one in settled if one.snapshot is not None
    ]
    put(connection, landed_snapshots, taken)
    _withdraw(connection, lease, by, settled)


def _settle_partial(
    connection: Connection, lease: Lease, run: Run, by: dict[str, Any], partial: Sequence[Settlement]
) -> None:
    if not partial:
        return
    ids = [one.source_id for one in partial]
    staged_groups = _groups(connection, staged_records, _staged_for(lease, run), ids)
    landed_groups = _groups(connection, landed_records, _of_type(landed_records, lease), ids)
    rows = []
    for one in partial:
        groups = {**landed_groups.get(one.source_id, {}), **one.landed_groups}
        wanted = staged_groups.get(one.source_id, {})
        whole = bool(wanted) and all(groups.get(name) == value for name, value in wanted.items())
        rows.append(
            _key(lease, one.source_id)
            | by
            | {
                "landed_hash": one.payload_hash if whole else "", "payload_hash": one.payload_hash if whole else "",
                "group_hashes": groups, "withdrawn": False, "mapping_version": one.mapping_version,
            }
        )  # fmt: skip
    complete = [row for row in rows if row["landed_hash"]]
    put(connection, landed_records, complete)
    # The payload that landed whole before stays named, for comparison.
    in_part = [row for row in rows if not row["landed_hash"]]
    put(connection, landed_records, in_part, update=("landed_hash", "group_hashes", "withdrawn", *by))


def _groups(
    connection: Connection, table: Table, condition: ColumnElement[bool], source_ids: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    query = select(table.c.source_id, table.c.group_hashes).where(condition, among(table.c.source_id, source_ids))
    return {row[0]: row[1] for row in connection.execute(query)}


def _withdraw(connection: Connection, lease: Lease, by: dict[str, Any], settled: Sequence[Settlement]) -> None:
    """Archived and deleted: out of scope on this store, and pending should the source bring them back."""
    rows = [
        _key(lease, one.source_id)
        | by
        | {
            "landed_hash": "", "payload_hash": one.payload_hash, "group_hashes": {}, "withdrawn": True,
            "mapping_version": one.mapping_version,
        }
        for one in settled
        if one.outcome in _WITHDRAWN
    ]  # fmt: skip
    put(connection, landed_records, rows)


def _settle_incomplete(
    connection: Connection, lease: Lease, run: Run, settled: Sequence[Settlement], now: datetime
) -> None:
    place = set_aside.Place(lease.migration, lease.resource_type, Phase.LOAD, lease.store_gid)
    bad = [(one, one.outcome) for one in settled if one.outcome is not None and one.outcome in _SET_ASIDE]
    origins = _origins(connection, lease, run, [one.source_id for one, _ in bad])
    failures = []
    for one, outcome in bad:
        source_hash, settings_hash, mapping_version = origins.get(one.source_id, ("", "", ""))
        failures.append(
            set_aside.Failure(
                one.source_id, outcome, one.error, source_hash, one.payload_hash, settings_hash,
                one.mapping_version or mapping_version, one.waits_for, one.reason,
            )
        )  # fmt: skip
    set_aside.set_aside(connection, place, run, failures, now)
    landed = [one.source_id for one in settled if one.outcome not in _SET_ASIDE and one.clean]
    set_aside.resolve(connection, place, run, landed, now)
    for over in (Outcome.SUPERSEDED, Outcome.ARCHIVED, Outcome.DELETED):
        ids = [one.source_id for one in settled if one.outcome is over and not one.clean]
        set_aside.resolve(connection, place, run, ids, now, resolution=str(over))
    # Asked for, and either not there or left as it is.
    left = [one.source_id for one in settled if one.outcome is Outcome.SKIPPED and one.steps_released]
    set_aside.resolve(connection, place, run, left, now, resolution="gone from the source")
    for reason in {one.reason for one in settled if one.outcome is Outcome.DISCARDED}:
        ids = [one.source_id for one in settled if one.outcome is Outcome.DISCARDED and one.reason == reason]
        set_aside.resolve(connection, place, run, ids, now, resolution=reason, status="discarded")


def _origins(connection: Connection, lease: Lease, run: Run, source_ids: list[str]) -> dict[str, tuple[str, str, str]]:
    """Source id → (source hash, settings hash, mapping version) of what is staged."""
    if not source_ids:
        return {}
    query = select(_staged.source_id, _staged.source_hash, _staged.settings_hash, _staged.mapping_version).where(
        _staged_for(lease, run), among(_staged.source_id, source_ids)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in connection.execute(query)}


def _key(lease: Lease, source_id: str) -> dict[str, Any]:
    return {
        "migration": lease.migration, "store_gid": lease.store_gid, "resource_type": str(lease.resource_type),
        "source_id": source_id,
    }  # fmt: skip


def _of_type(table: Table, lease: Lease) -> ColumnElement[bool]:
    return and_(
        table.c.migration == lease.migration,
        table.c.store_gid == lease.store_gid,
        table.c.resource_type == str(lease.resource_type),
    )


def _staged_for(lease: Lease, run: Run) -> ColumnElement[bool]:
    """What the run loads: what is staged, or of a replay its own rows."""
    return and_(
        _staged.migration == lease.migration,
        _staged.dry_run_id == (run.run_id if run.replay_of else ""),
        _staged.resource_type == str(lease.resource_type),
    )

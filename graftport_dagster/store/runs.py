"""Runs and their items: what was asked, how it ended, what it counted.

How failures are grouped is in `error_groups.py`; what Dagster knows of a run is Dagster's own.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, or_, select, update

from graftport_dagster.errors import ConfigurationError, ErrorClass
from graftport_dagster.records import ErrorGroup, JsonObject, Phase, ResourceType, Result, Run, RunItem, RunOptions
from graftport_dagster.store import error_groups, examples, payloads
from graftport_dagster.store.database import Database, over_restarts, put, serialise
from graftport_dagster.store.tables import (
    attempts,
    extract_errors,
    record_warnings,
    run_items,
    runs,
    source_history,
    source_records,
    staged_records,
)

_SHORTEST_PREFIX = 6
_LAST_CHARACTER = "\U0010ffff"
# Within the class the name `list` is its method.
_Runs = list[Run]
_Items = list[RunItem]
_Rows = list[JsonObject]
_Tried = list[tuple[Run, list[RunItem]]]
_OF_DRY_RUNS = (source_records, source_history, extract_errors, staged_records, attempts, record_warnings)


@over_restarts
class Runs:
    """Runs and run items. A run is final once ended."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def start(self, run: Run) -> Run:
        """Stores it as running; returns it with its `seq` (increasing) and started_at. Idempotent by run_id.

        Raises ConfigurationError where another run is under way that retries, or replays, the same one.
        """
        with self._database.write() as connection:
            known = _one(connection, run.run_id)
            if known is None:
                _must_be_alone(connection, run)
                put(connection, runs, [_row(run, run.started_at or self._now())], key=("run_id",), update=())
                known = _one(connection, run.run_id)
        return known or run

    def enter(self, run_id: str, store_gid: str) -> None:
        """Notes the Shopify store that the run works with."""
        with self._database.write() as connection:
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(store_gid=store_gid))

    def find(self, run_id: str) -> Run | None:
        """By full id or unique prefix of ≥ 6. Raises ConfigurationError naming the runs where several begin so."""
        with self._database.read() as connection:
            exact = _one(connection, run_id)
            if exact is not None or len(run_id) < _SHORTEST_PREFIX:
                return exact
            begins = and_(runs.c.run_id >= run_id, runs.c.run_id < run_id + _LAST_CHARACTER)
            found = connection.execute(select(runs).where(begins).order_by(runs.c.seq).limit(5)).all()
        if len(found) > 1:
            raise ConfigurationError(
                f"More than one run begins with {run_id}.", code="AMBIGUOUS_RUN",
                hint=f"Give more of it: {', '.join(row.run_id for row in found)}.",
            )  # fmt: skip
        return _run(found[0]) if found else None

    def ask_to_cancel(self, run_id: str, by: str) -> bool:
        """Notes that somebody wants the run stopped; False where it has ended, or was asked before."""
        with self._database.write() as connection:
            wanted = and_(runs.c.run_id == run_id, runs.c.ended_at.is_(None), runs.c.cancel_asked_at.is_(None))
            values = {"canceled_by": by, "cancel_asked_at": self._now()}
            return connection.execute(update(runs).where(wanted).values(values)).rowcount > 0

    def is_to_stop(self, run_id: str) -> bool:
        """Whether somebody asked for that."""
        query = select(runs.c.cancel_asked_at).where(runs.c.run_id == run_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none() is not None

    def tries_again(self, run_id: str) -> _Runs:
        """Retries and replays of this run, of those again, and so on; oldest first."""
        found: dict[str, Run] = {}
        ask = [run_id]
        with self._database.read() as connection:
            while ask:
                again = or_(runs.c.retry_of.in_(ask), runs.c.replay_of.in_(ask))
                new = [_run(row) for row in connection.execute(select(runs).where(again))]
                ask = [run.run_id for run in new if run.run_id not in found]
                found |= {run.run_id: run for run in new}
        return sorted(found.values(), key=lambda run: run.seq)

    def newest_items(self, migration: str, resource_type: ResourceType, *, limit: int = 10) -> _Tried:
        """(run, its items of this type) of the newest runs that did anything for the type, dry runs aside."""
        query = (
            select(runs)
            .where(
                runs.c.migration == migration, runs.c.ended_at.is_not(None),
                runs.c.run_id.in_(select(run_items.c.run_id).where(run_items.c.resource_type == str(resource_type))),
            )
            .order_by(runs.c.seq.desc())
        )  # fmt: skip
        found: _Tried = []
        with self._database.read() as connection:
            for row in connection.execute(query.limit(4 * limit)):
                run = _run(row)
                if not run.options.dry_run and len(found) < limit:
                    mine = select(run_items).where(
                        run_items.c.run_id == run.run_id, run_items.c.resource_type == str(resource_type)
                    )
                    found.append((run, [_item(item) for item in connection.execute(mine)]))
        return found

    def was_rehearsed(self, migration: str, resource_type: ResourceType, mapping_version: str) -> bool:
        """Whether a dry run has applied a version of this text, by the hash that ends its name, to its end."""
        ending = mapping_version.rpartition(" ")[2]
        query = (
            select(run_items.c.run_id, runs.c.options)
            .join(runs, runs.c.run_id == run_items.c.run_id)
            .where(
                runs.c.migration == migration, run_items.c.resource_type == str(resource_type),
                run_items.c.phase == str(Phase.TRANSFORM),
                run_items.c.mapping_version.endswith(ending, autoescape=True),
                run_items.c.result.not_in((str(Result.FAILED), str(Result.CANCELED), str(Result.RUNNING))),
            )
        )  # fmt: skip
        with self._database.read() as connection:
            return any((row.options or {}).get("dry_run") for row in connection.execute(query))

    def list(
        self, migration: str | None = None, *, failed: bool = False, going_on: bool = False,
        since: datetime | None = None, until: datetime | None = None, limit: int | None = None,
    ) -> _Runs:  # fmt: skip
        """Oldest first by started_at; with `limit` the newest so many. `failed`: where at least one item failed.

        `going_on`: those that have not ended.
        """
        query = select(runs).order_by(runs.c.started_at.desc(), runs.c.seq.desc()).limit(limit)
        if migration is not None:
            query = query.where(runs.c.migration == migration)
        if failed:
            fell = select(run_items.c.run_id).where(run_items.c.result == str(Result.FAILED))
            query = query.where(or_(runs.c.result == str(Result.FAILED), runs.c.run_id.in_(fell)))
        if going_on:
            query = query.where(runs.c.ended_at.is_(None))
        if since is not None:
            query = query.where(runs.c.started_at >= since)
        if until is not None:
            query = query.where(runs.c.started_at <= until)
        with self._database.read() as connection:
            return [_run(row) for row in reversed(connection.execute(query).all())]

    def start_item(self, item: RunItem) -> None:
        """Writes it, over an earlier one of the same run, type and phase; that one's start is kept."""
        row = _item_row(item, item.started_at or self._now(), item.ended_at)
        with self._database.write() as connection:
            put(connection, run_items, [row], update=[name for name in row if name != "started_at"])

    def finish_item(self, item: RunItem) -> None:
        """Writes all of it, with now as its end where it has none."""
        now = self._now()
        row = _item_row(item, item.started_at or now, item.ended_at or now)
        kept = () if item.started_at else ("started_at",)
        with self._database.write() as connection:
            put(connection, run_items, [row], update=[name for name in row if name not in kept])

    def items(self, run_id: str) -> _Items:
        """In the order in which types are loaded, and phases within a type."""
        with self._database.read() as connection:
            found = [_item(row) for row in connection.execute(select(run_items).where(run_items.c.run_id == run_id))]
        types, phases = list(ResourceType), list(Phase)
        return sorted(found, key=lambda item: (types.index(item.resource_type), phases.index(item.phase)))

    def finish(self, run_id: str, result: Result, first_error: str = "") -> Run:
        """Ends it. A run that has ended stays as it was. Raises ConfigurationError where there is no such run."""
        with self._database.write() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run_id, runs.c.ended_at.is_(None))
                .values(result=str(result), first_error=first_error, ended_at=self._now())
            )
            run = _one(connection, run_id)
        if run is None:
            raise ConfigurationError(f"There is no run {run_id}.", code="NO_RUN")
        return run

    def error_groups(self, run_id: str, resource_type: ResourceType, phase: Phase) -> tuple[ErrorGroup, ...]:
        """Failures of this item by (class, code, path), most frequent first, with three sample ids each.

        A record counts by its last attempt in the item; message and hint are the newest. For
        extract: the extract errors that the run met.
        """
        with self._database.read() as connection:
            return error_groups.failures(connection, run_id, resource_type, phase)

    def warnings(self, run_id: str, resource_type: ResourceType, phase: Phase) -> tuple[ErrorGroup, ...]:
        """Warnings of this item by code, most frequent first."""
        with self._database.read() as connection:
            return error_groups.warnings(connection, run_id, resource_type, phase)

    def skip_reasons(self, run_id: str, resource_type: ResourceType, phase: Phase) -> dict[str, int]:
        """Reason → count of excluded, skipped and held records, most frequent first."""
        with self._database.read() as connection:
            return error_groups.skip_reasons(connection, run_id, resource_type, phase)

    def examples(self, item: RunItem, *, failed: bool, limit: int) -> _Rows:
        """The last so many records that the item created, or that failed in it.

        `[{source_id, outcome, code, store_gid, gid}]`; `gid` is "" where the record is no object of the store.
        """
        with self._database.read() as connection:
            return examples.of_item(connection, item.run_id, item.resource_type, item.phase, failed=failed, limit=limit)

    def gid_of(self, migration: str, record: JsonObject) -> str:
        """The object that a record (`resource_type`, `source_id`, `store_gid`) is on that store; "" for none."""
        with self._database.read() as connection:
            return examples.gid_of(connection, migration, record)

    def drop_dry_run(self, run_id: str) -> None:
        """Removes the dry run's rows, payloads, attempts and warnings; its run, items and counts stay."""
        if not run_id:
            return
        with self._database.write() as connection:
            for table in _OF_DRY_RUNS:
                mine = table.c.dry_run_id == run_id
                if "migration" in table.primary_key.columns:
                    # The key begins with the migration; without it the whole table would be read.
                    mine = and_(mine, table.c.migration.in_(select(runs.c.migration).where(runs.c.run_id == run_id)))
                connection.execute(delete(table).where(mine))
            payloads.drop(connection, run_id)


def _one(connection: Connection, run_id: str) -> Run | None:
    row = connection.execute(select(runs).where(runs.c.run_id == run_id)).one_or_none()
    return None if row is None else _run(row)


def _must_be_alone(connection: Connection, run: Run) -> None:
    before = run.retry_of or run.replay_of
    if not before:
        return
    serialise(connection, f"again {before}")
    again = or_(runs.c.retry_of == before, runs.c.replay_of == before)
    types = set(run.options.resource_types)
    for row in connection.execute(select(runs).where(again, runs.c.ended_at.is_(None))):
        other = _run(row)
        if not types or not other.options.resource_types or types & set(other.options.resource_types):
            raise ConfigurationError(
                f"Run {other.run_id} tries {before} again already.", code="BEING_RETRIED",
                hint="Wait for its end, or cancel it.",
            )  # fmt: skip


def _row(run: Run, started_at: datetime) -> JsonObject:
    return {
        "run_id": run.run_id, "migration": run.migration, "store_gid": run.store_gid, "result": str(Result.RUNNING),
        "retry_of": run.retry_of, "replay_of": run.replay_of, "host": run.host, "pid": run.pid,
        "first_error": run.first_error, "options": run.options.as_dict(), "started_at": started_at, "ended_at": None,
        "credentials": run.credentials,
    }  # fmt: skip


def _run(row: Row[Any]) -> Run:
    return Run(
        run_id=row.run_id, migration=row.migration, options=_options(row.options), store_gid=row.store_gid,
        seq=row.seq, result=Result(row.result), first_error=row.first_error, retry_of=row.retry_of,
        replay_of=row.replay_of, host=row.host, pid=row.pid, started_at=row.started_at, ended_at=row.ended_at,
        credentials=row.credentials,
    )  # fmt: skip


def _options(stored: Mapping[str, Any]) -> RunOptions:
    """As they were asked; names that this version does not know are left out."""
    known = {name: value for name, value in stored.items() if name in RunOptions.__dataclass_fields__}
    if "phases" in known:
        known["phases"] = tuple(Phase(name) for name in known["phases"])
    if "resource_types" in known:
        known["resource_types"] = tuple(ResourceType(name) for name in known["resource_types"])
    for name in ("source_ids", "except_ids"):
        known[name] = tuple(known.get(name, ()))
    if "field_filter" in known:
        known["field_filter"] = {name: tuple(groups) for name, groups in known["field_filter"].items()}
    return RunOptions(**known)


def _item_row(item: RunItem, started_at: datetime, ended_at: datetime | None) -> JsonObject:
    return {
        "run_id": item.run_id, "resource_type": str(item.resource_type), "phase": str(item.phase),
        "result": str(item.result), "mapping_version": item.mapping_version,
        "error_class": str(item.error_class) if item.error_class else "", "child_run_id": item.child_run_id,
        "first_error": item.first_error, "first_skip_reason": item.first_skip_reason, "counts": dict(item.counts),
        "error_groups": [group.as_dict() for group in item.error_groups],
        "warnings": [group.as_dict() for group in item.warnings], "skip_reasons": dict(item.skip_reasons),
        "notes": list(item.notes), "api_cost": item.api_cost, "api_calls": item.api_calls,
        "started_at": started_at, "ended_at": ended_at,
    }  # fmt: skip


def _item(row: Row[Any]) -> RunItem:
    return RunItem(
        run_id=row.run_id, resource_type=ResourceType(row.resource_type), phase=Phase(row.phase),
        result=Result(row.result), counts=row.counts, mapping_version=row.mapping_version,
        first_error=row.first_error, first_skip_reason=row.first_skip_reason,
        error_groups=tuple(_group(group) for group in row.error_groups),
        warnings=tuple(_group(group) for group in row.warnings), skip_reasons=row.skip_reasons,
        api_cost=row.api_cost, api_calls=row.api_calls, notes=tuple(row.notes),
        error_class=ErrorClass(row.error_class) if row.error_class else None, child_run_id=row.child_run_id,
        started_at=row.started_at, ended_at=row.ended_at,
    )  # fmt: skip


def _group(stored: Mapping[str, Any]) -> ErrorGroup:
    moments = {
        name: datetime.fromisoformat(stored[name]) if stored[name] else None for name in ("first_seen", "last_seen")
    }
    return ErrorGroup(**{**stored, **moments, "sample_ids": tuple(stored["sample_ids"])})

"""What mappings made of the source's records, and which records need evaluating again.

Mapping texts are in `mapping_versions.py`; evaluating one over a record is in the package
`transform/`; what of it landed is in `landing.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from graftport_dagster.records import JsonObject, Outcome, Phase, ResourceType, Run, canonical_json, content_hash
from graftport_dagster.store import attempts, payloads, set_aside
from graftport_dagster.store.columns import among, dump_json
from graftport_dagster.store.database import Database, over_restarts, put
from graftport_dagster.store.mapping_versions import MappingVersion
from graftport_dagster.store.selection import Dataset, Selection, rows_of, selected
from graftport_dagster.store.tables import payloads as payload_table
from graftport_dagster.store.tables import source_records, staged_records

_source = source_records.c
_staged = staged_records.c


@dataclass(frozen=True, slots=True)
class TransformInput:
    """A source record to be mapped.

    `payload`: the source payload's JSON. `staged_hash`: payload hash staged now, "" if none or
    if the record is not in state `staged`.
    """

    source_id: str
    payload: bytes
    source_hash: str
    staged_hash: str


@dataclass(frozen=True, slots=True)
class TransformScope:
    """How many records a transform is about, and how many of them need no evaluation.

    `unchanged`: staged already from the same source payload by the same version and settings;
    `unchanged_excluded`: excluded already by the same, by reason in `excluded_reasons`.
    """

    in_scope: int
    unchanged: int
    unchanged_excluded: int
    excluded_reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StagedResult:
    """What the mapping made of one record. Exactly one of payload, exclude_reason, error is given.

    `error`: a GraftportError. `warnings`: (code, message) each. `valid_until`: when the record is to be
    evaluated again though nothing changed.
    """

    source_id: str
    source_hash: str
    payload: JsonObject | None = None
    group_hashes: Mapping[str, str] = field(default_factory=dict)
    exclude_reason: str = ""
    error: Exception | None = None
    warnings: tuple[tuple[str, str], ...] = ()
    valid_until: datetime | None = None


@over_restarts
class StagedRecords:
    """Payloads in Shopify's shape, made from source records, and what they were made by."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def scope(
        self, source: Dataset, staged: Dataset, resource_type: ResourceType, version: MappingVersion,
        settings_hash: str, selection: Selection,
    ) -> TransformScope:  # fmt: skip
        """Counts only. Records deleted at the source are out of scope."""
        same = _made_by(version, settings_hash, self._now())
        kept = and_(same, _staged.state == "staged")
        excluded = and_(same, _staged.state == "excluded")
        tables = source_records.outerjoin(staged_records, _same_record(staged))
        where = _in_scope(source, resource_type, selection)
        query = (
            select(
                func.count(), func.count(case((kept, 1))), func.count(case((excluded, 1)))
            ).select_from(tables).where(where)
        )  # fmt: skip
        reasons = (
            select(_staged.reason, func.count()).select_from(tables).where(where, excluded).group_by(_staged.reason)
        )
        with self._database.read() as connection:
            in_scope, unchanged, unchanged_excluded = connection.execute(query).one()
            by_reason = {row[0]: row[1] for row in connection.execute(reasons)} if unchanged_excluded else {}
        return TransformScope(in_scope, unchanged, unchanged_excluded, by_reason)

    def states(self, dataset: Dataset, resource_type: ResourceType) -> dict[str, int]:
        """How many records are `staged`, `excluded` and `errored` now."""
        query = (
            select(_staged.state, func.count())
            .where(rows_of(staged_records, dataset, resource_type))
            .group_by(_staged.state)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def expired(self, migration: str, resource_type: ResourceType) -> datetime | None:
        """The latest moment that has come and on which a record was to be evaluated again; None where none has."""
        query = (
            select(func.max(_staged.valid_until))
            .select_from(source_records.outerjoin(staged_records, _same_record(Dataset(migration))))
            .where(
                _in_scope(Dataset(migration), resource_type, Selection()), _staged.valid_until <= self._now()
            )
        )  # fmt: skip
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
        return found

    def to_transform(
        self, source: Dataset, staged: Dataset, resource_type: ResourceType, version: MappingVersion,
        settings_hash: str, selection: Selection, *, batch: int = 200,
    ) -> Iterator[list[TransformInput]]:  # fmt: skip
        """Only those that need evaluation, by source id; each is given once, also when staged while iterating."""
        done = and_(_made_by(version, settings_hash, self._now()), _staged.state.in_(("staged", "excluded")))
        staged_hash = case((_staged.state == "staged", _staged.payload_hash), else_="")
        query = (
            select(_source.source_id, payload_table.c.body, _source.payload_hash, staged_hash)
            .select_from(
                source_records.outerjoin(staged_records, _same_record(staged)).join(
                    payload_table,
                    and_(
                        payload_table.c.hash == _source.payload_hash, payload_table.c.owner == source.dry_run_id
                    ),
                )
            )
            .where(_in_scope(source, resource_type, selection), func.coalesce(done, False).is_(False))
            .order_by(_source.source_id)
            .limit(batch)
        )  # fmt: skip
        last = ""
        while True:
            rows = self._database.rows(query.where(_source.source_id > last))
            if rows:
                last = rows[-1][0]
                yield [TransformInput(row[0], row[1].encode(), row[2], row[3]) for row in rows]
            if len(rows) < batch:
                return

    def stage(
        self, staged: Dataset, resource_type: ResourceType, run: Run, version: MappingVersion, settings_hash: str,
        results: Sequence[StagedResult],
    ) -> dict[Outcome, int]:  # fmt: skip
        """One transaction: staged rows, payloads by hash, attempts, incomplete records opened or resolved.

        A payload equal to the one staged counts as unchanged. An errored record keeps its last
        staged payload for looking at, in state `errored` (out of the load's scope).
        """
        now = self._now()
        place = set_aside.Place(staged.migration, resource_type, Phase.TRANSFORM)
        with self._database.write() as connection:
            given_up = {} if staged.dry_run_id else set_aside.given_up(connection, place, _errored(results))
            made = [_Made.of(_left_out(result, given_up)) for result in results]
            ids = [result.source_id for result in results]
            before = _before(connection, staged, resource_type, ids)
            # What a dry run stages is told beside what is staged for real.
            known = _before(connection, Dataset(staged.migration), resource_type, ids) if staged.dry_run_id else before
            outcomes = [one.outcome(known.get(one.result.source_id)) for one in made]
            bodies = {one.payload_hash: one.body for one in made if one.payload_hash}
            payloads.keep(connection, staged.dry_run_id, bodies)
            by = {
                "migration": staged.migration, "dry_run_id": staged.rows_id, "resource_type": str(resource_type),
                "mapping_hash": version.content_hash, "mapping_version": version.name, "settings_hash": settings_hash,
                "run_id": run.run_id, "at": now,
            }  # fmt: skip
            put(connection, staged_records, [by | one.row(before.get(one.result.source_id)) for one in made])
            scene = attempts.Scene(
                run, staged.migration, resource_type, Phase.TRANSFORM, dry_run_id=staged.dry_run_id
            )  # fmt: skip
            tried = [one.attempt(outcome, version) for one, outcome in zip(made, outcomes, strict=True)]
            attempts.append(connection, scene, tried, now)
            if not staged.dry_run_id:
                _set_aside(connection, place, run, tried, made, settings_hash, now)
                if not staged.replay_id:
                    fresh = {one.result.source_id: one.payload_hash for one in made if one.result.error is None}
                    set_aside.supersede(connection, place, run, fresh, now)
        counts: dict[Outcome, int] = {}
        for outcome in outcomes:
            counts[outcome] = counts.get(outcome, 0) + 1
        return counts


@dataclass(frozen=True, slots=True)
class _Before:
    state: str
    payload_hash: str
    group_hashes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Made:
    """A result with its payload's hash and text."""

    result: StagedResult
    payload_hash: str
    body: str

    @classmethod
    def of(cls, result: StagedResult) -> "_Made":
        if result.payload is None or result.error is not None:
            return cls(result, "", "")
        return cls(result, content_hash(canonical_json(result.payload)), dump_json(result.payload))

    def outcome(self, before: _Before | None) -> Outcome:
        if self.result.error is not None:
            return Outcome.ERRORED
        if not self.payload_hash:
            return Outcome.EXCLUDED
        if before is None or not before.payload_hash:
            return Outcome.STAGED
        if before.payload_hash == self.payload_hash and before.state in ("staged", "errored"):
            return Outcome.UNCHANGED
        return Outcome.RESTAGED

    def row(self, before: _Before | None) -> dict[str, Any]:
        last = before or _Before("", "", {})
        state = "errored" if self.result.error is not None else "staged" if self.payload_hash else "excluded"
        return {
            "source_id": self.result.source_id, "source_hash": self.result.source_hash, "state": state,
            "payload_hash": self.payload_hash or last.payload_hash,
            "group_hashes": dict(self.result.group_hashes) if self.payload_hash else dict(last.group_hashes),
            "reason": self.result.exclude_reason, "warnings": [list(warning) for warning in self.result.warnings],
            "valid_until": self.result.valid_until,
        }  # fmt: skip

    def attempt(self, outcome: Outcome, version: MappingVersion) -> attempts.Attempt:
        result = self.result
        return attempts.Attempt(
            result.source_id, outcome, attempts.describe(result.error, outcome, result.exclude_reason),
            reason=result.exclude_reason, source_hash=result.source_hash, payload_hash=self.payload_hash,
            mapping_version=version.name, warnings=result.warnings,
        )  # fmt: skip


def _errored(results: Sequence[StagedResult]) -> list[str]:
    return [result.source_id for result in results if result.error is not None]


def _left_out(result: StagedResult, given_up: Mapping[str, tuple[str, str]]) -> StagedResult:
    """A record that still fails as it did when a person gave it up is left out, and no error any more."""
    source_hash, reason = given_up.get(result.source_id, ("", ""))
    if result.error is None or source_hash != result.source_hash:
        return result
    return replace(result, error=None, exclude_reason=f"given up: {reason}")


def _before(
    connection: Connection, dataset: Dataset, resource_type: ResourceType, source_ids: list[str]
) -> dict[str, _Before]:
    query = select(_staged.source_id, _staged.state, _staged.payload_hash, _staged.group_hashes).where(
        rows_of(staged_records, dataset, resource_type), among(_staged.source_id, source_ids)
    )
    return {row[0]: _Before(row[1], row[2], row[3]) for row in connection.execute(query).all()}


def _set_aside(
    connection: Connection, place: set_aside.Place, run: Run, tried: Sequence[attempts.Attempt],
    made: Sequence[_Made], settings_hash: str, now: datetime,
) -> None:  # fmt: skip
    failures = [
        set_aside.Failure(
            attempt.source_id, attempt.outcome, one.result.error, source_hash=attempt.source_hash,
            settings_hash=settings_hash, mapping_version=attempt.mapping_version,
        )
        for attempt, one in zip(tried, made, strict=True)
        if attempt.outcome is Outcome.ERRORED
    ]  # fmt: skip
    set_aside.set_aside(connection, place, run, failures, now)
    good = [attempt.source_id for attempt in tried if attempt.outcome is not Outcome.ERRORED]
    set_aside.resolve(connection, place, run, good, now)


def _same_record(staged: Dataset) -> ColumnElement[bool]:
    return and_(
        _staged.migration == _source.migration,
        _staged.dry_run_id == staged.rows_id,
        _staged.resource_type == _source.resource_type,
        _staged.source_id == _source.source_id,
    )


def _made_by(version: MappingVersion, settings_hash: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        _staged.source_hash == _source.payload_hash,
        _staged.mapping_hash == version.content_hash,
        _staged.settings_hash == settings_hash,
        or_(_staged.valid_until.is_(None), _staged.valid_until > now),
    )


def _in_scope(source: Dataset, resource_type: ResourceType, selection: Selection) -> ColumnElement[bool]:
    return selected(source_records, source, resource_type, selection, _source.deleted_seq == 0)

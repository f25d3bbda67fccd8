"""What went wrong in a run item, grouped by what is alike: failures, warnings, reasons for not landing.

The attempts that are grouped are written in `attempts.py`, the extract errors in
`extract_errors.py`.
"""

from typing import Any

from sqlalchemy import Connection, Select, case, func, literal, null, select, text

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import ErrorGroup, Phase, ResourceType
from graftport_dagster.store import extract_errors
from graftport_dagster.store.attempts import FAILED, PASSED_OVER
from graftport_dagster.store.tables import attempts, record_warnings

_SAMPLES = 3
_columns = attempts.c


def failures(connection: Connection, run_id: str, resource_type: ResourceType, phase: Phase) -> tuple[ErrorGroup, ...]:
    """By (class, code, path), most frequent first. A record counts by its last attempt in the item."""
    query = _last_attempts(run_id, resource_type, phase, FAILED).with_only_columns(
        _columns.error_class, _columns.code, _columns.path, _columns.message, _columns.hint, _columns.source_id,
        _columns.at, _columns.id.label("position"),
    )  # fmt: skip
    groups = _grouped(connection, query)
    if phase is Phase.EXTRACT:
        groups += _grouped(connection, extract_errors.of_run(run_id, resource_type, str(ErrorClass.DATA)))
    return tuple(sorted(groups, key=lambda group: -group.count))


def warnings(connection: Connection, run_id: str, resource_type: ResourceType, phase: Phase) -> tuple[ErrorGroup, ...]:
    """By code, most frequent first; class, path and hint are empty."""
    columns = record_warnings.c
    query = select(
        literal("").label("error_class"), columns.code, literal("").label("path"), columns.message,
        literal("").label("hint"), columns.source_id, columns.at, columns.id.label("position"),
    ).where(
        columns.run_id == run_id, columns.resource_type == str(resource_type), columns.phase == str(phase)
    )  # fmt: skip
    return tuple(sorted(_grouped(connection, query), key=lambda group: -group.count))


def skip_reasons(connection: Connection, run_id: str, resource_type: ResourceType, phase: Phase) -> dict[str, int]:
    """Reason → number of records whose last attempt was excluded, skipped or held; most frequent first."""
    reason = case((_columns.reason != "", _columns.reason), else_=_columns.code)
    query = (
        _last_attempts(run_id, resource_type, phase, PASSED_OVER)
        .with_only_columns(reason, func.count().label("records"))
        .group_by(reason)
        .order_by(text("records DESC"), reason)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _last_attempts(run_id: str, resource_type: ResourceType, phase: Phase, outcomes: frozenset[Any]) -> Select[Any]:
    later = attempts.alias("later")
    superseded = (
        select(null())
        .where(
            later.c.migration == _columns.migration,
            later.c.resource_type == _columns.resource_type,
            later.c.source_id == _columns.source_id,
            later.c.run_id == _columns.run_id,
            later.c.phase == _columns.phase,
            later.c.id > _columns.id,
        )
        .correlate(attempts)
        .exists()
    )
    return select(attempts).where(
        _columns.run_id == run_id, _columns.resource_type == str(resource_type), _columns.phase == str(phase),
        # Spelt out, so that the planner recognises the partial index.
        text("attempts.notable = 1"),
        _columns.outcome.in_([str(outcome) for outcome in sorted(outcomes)]), ~superseded,
    )  # fmt: skip


def _grouped(connection: Connection, query: Select[Any]) -> list[ErrorGroup]:
    """Groups rows of (error_class, code, path, message, hint, source_id, at, position), in two passes over them."""
    rows = query.cte("rows")
    key = (rows.c.error_class, rows.c.code, rows.c.path)
    totals = select(
        *key, func.count(rows.c.source_id.distinct()).label("count"), func.min(rows.c.at).label("first_seen"),
        func.max(rows.c.at).label("last_seen"),
    ).group_by(*key)  # fmt: skip
    newest = select(
        *key, rows.c.message, rows.c.hint, rows.c.source_id,
        func.row_number().over(partition_by=key, order_by=rows.c.position.desc()).label("age"),
    ).subquery()  # fmt: skip
    # A record may stand in a group twice (several bad rows): a few more than are shown.
    shown = select(newest).where(newest.c.age <= _SAMPLES * 4).order_by(newest.c.age)
    samples: dict[tuple[str, str, str], list[Any]] = {}
    for row in connection.execute(shown):
        samples.setdefault((row[0], row[1], row[2]), []).append(row)
    return [
        ErrorGroup(
            row.error_class, row.code, row.path, _of(samples, row)[0].message, _of(samples, row)[0].hint, row[3],
            tuple(dict.fromkeys(sample.source_id for sample in _of(samples, row)))[:_SAMPLES], row.first_seen,
            row.last_seen,
        )
        for row in connection.execute(totals)
    ]  # fmt: skip


def _of(samples: dict[tuple[str, str, str], list[Any]], row: Any) -> list[Any]:
    return samples[(row.error_class, row.code, row.path)]

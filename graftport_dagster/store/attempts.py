"""Attempts and warnings: what happened to one record in one phase of one run; only ever added to.

How alike ones are grouped for a report is in `error_groups.py`; the state that the last failure
leaves behind is in `incomplete.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from graftport_dagster.errors import ErrorClass, GraftportError
from graftport_dagster.records import Outcome, Phase, ResourceType, Run
from graftport_dagster.store.database import add
from graftport_dagster.store.tables import attempts, record_warnings

FAILED = frozenset({Outcome.ERRORED, Outcome.UNKNOWN})
PASSED_OVER = frozenset({Outcome.EXCLUDED, Outcome.SKIPPED, Outcome.HELD, Outcome.SUPERSEDED})
_REPORT = "Nobody foresaw this: please report it. The other records went on."
_NOT_TRIED = frozenset({Outcome.UNCHANGED, Outcome.NOT_REACHED, Outcome.REFUSED_BEFORE})
_CLASS_BY_OUTCOME = {Outcome.UNKNOWN: ErrorClass.UNKNOWN_OUTCOME, Outcome.HELD: ErrorClass.DATA}


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error says, in columns; all empty where there was none."""

    error_class: str = ""
    code: str = ""
    path: str = ""
    message: str = ""
    hint: str = ""


def describe(error: Exception | None, outcome: Outcome, reason: str = "") -> Fault:
    """The error in columns; a failure without one is described by its outcome and reason."""
    if isinstance(error, GraftportError):
        return Fault(str(error.error_class), error.code, error.path, error.message, error.hint)
    if error is not None:
        return Fault(str(ErrorClass.UNEXPECTED), type(error).__name__, "", str(error), _REPORT)
    if outcome in FAILED or outcome is Outcome.HELD:
        error_class = _CLASS_BY_OUTCOME.get(outcome, ErrorClass.UNEXPECTED)
        return Fault(str(error_class), str(outcome).upper(), "", reason)
    return Fault()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one record."""

    source_id: str
    outcome: Outcome
    fault: Fault = Fault()
    reason: str = ""
    source_hash: str = ""
    payload_hash: str = ""
    mapping_version: str = ""
    calls: int = 0
    cost: float = 0.0
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """Where attempts take place: in which phase of which run, for which type, into which store."""

    run: Run
    migration: str
    resource_type: ResourceType
    phase: Phase
    store_gid: str = ""
    dry_run_id: str = ""


def append(connection: Connection, scene: Scene, tried: Sequence[Attempt], now: datetime) -> None:
    """Adds the attempts of records that were tried (an unchanged one was not), and all warnings."""
    mine = {
        "migration": scene.migration, "dry_run_id": scene.dry_run_id, "run_id": scene.run.run_id,
        "resource_type": str(scene.resource_type), "phase": str(scene.phase), "at": now,
    }  # fmt: skip
    rows = [
        mine
        | {
            "source_id": attempt.source_id, "store_gid": scene.store_gid, "outcome": str(attempt.outcome),
            "error_class": attempt.fault.error_class, "code": attempt.fault.code, "path": attempt.fault.path,
            "message": attempt.fault.message, "hint": attempt.fault.hint, "reason": attempt.reason,
            "source_hash": attempt.source_hash, "payload_hash": attempt.payload_hash,
            "mapping_version": attempt.mapping_version, "calls": attempt.calls, "cost": attempt.cost,
            "notable": int(attempt.outcome in FAILED or attempt.outcome in PASSED_OVER),
        }
        for attempt in tried
        if attempt.outcome not in _NOT_TRIED
    ]  # fmt: skip
    add(connection, attempts, rows)
    warnings = [
        mine | {"source_id": attempt.source_id, "code": code, "message": message}
        for attempt in tried
        for code, message in attempt.warnings
    ]
    add(connection, record_warnings, warnings)

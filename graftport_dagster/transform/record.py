"""One record through a mapping: evaluated, judged, checked against Shopify's schema.

The same code for a worker's ten thousand records and for the preview of one. It never raises for
a bad record; limits of time and memory are the worker's, which is in `worker.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graftport_dagster.errors import GraftportError, TransformError
from graftport_dagster.mappings import UNDEFINED
from graftport_dagster.mappings import Mapping as CompiledMapping
from graftport_dagster.records import JsonObject, ResourceType

EXCLUDED = "excluded by the mapping"


class Problem(Protocol):
    """What is wrong at one place of a payload."""

    code: str
    path: str
    message: str
    hint: str


Check = Callable[[ResourceType, JsonObject], tuple[JsonObject, Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of one record: a payload, a reason to leave it out, or an error; `valid_until` as in `Evaluation`."""

    payload: JsonObject | None = None
    exclude_reason: str = ""
    error: GraftportError | None = None
    warnings: tuple[tuple[str, str], ...] = ()
    valid_until: str = ""
    result: Any = field(default=None, compare=False)


def map_record(
    mapping: CompiledMapping,
    resource_type: ResourceType,
    bindings: Mapping[str, Any],
    check: Check,
    source_id: str,
    payload: Any,
) -> Mapped:
    """Evaluates and checks one record. A mistake of the record or the mapping comes back as `error`."""
    try:
        evaluation = mapping.evaluate(payload, bindings, record_id=source_id)
    except TransformError as error:
        return Mapped(error=error)
    value, warnings = evaluation.value, evaluation.warnings
    if value is UNDEFINED or value is None:
        return Mapped(error=_no_result(mapping, source_id), warnings=warnings)
    if not isinstance(value, dict):
        return Mapped(error=_bad_result(mapping, source_id, value), warnings=warnings, result=value)
    if value.get("exclude") is True:
        reason = str(value.get("exclude_reason") or EXCLUDED)
        return Mapped(
            exclude_reason=reason, warnings=warnings, valid_until=evaluation.valid_until, result=value
        )  # fmt: skip
    if not isinstance(value.get("input"), dict):
        return Mapped(error=_no_input(mapping, source_id), warnings=warnings, result=value)
    normal, problems = check(resource_type, value)
    if problems:
        return Mapped(error=_invalid(problems, source_id), warnings=warnings, result=value)
    return Mapped(payload=normal, warnings=warnings, valid_until=evaluation.valid_until, result=value)


def _no_result(mapping: CompiledMapping, source_id: str) -> TransformError:
    return TransformError(
        f"{mapping.name} gives nothing for record {source_id}.", code="NO_RESULT",
        hint='Where a record is to be left out, say so: {"exclude": true, "exclude_reason": "…"}.',
    )  # fmt: skip


def _bad_result(mapping: CompiledMapping, source_id: str, value: object) -> TransformError:
    kind = "a list" if isinstance(value, list) else "text" if isinstance(value, str) else f"a {type(value).__name__}"
    return TransformError(
        f"{mapping.name} gives {kind} for record {source_id} where an object belongs.", code="BAD_RESULT",
        hint='Give {"input": { … }}.',
    )  # fmt: skip


def _no_input(mapping: CompiledMapping, source_id: str) -> TransformError:
    return TransformError(
        f"{mapping.name} gives an object without `input` for record {source_id}.", code="BAD_RESULT", path="input",
        hint='Give {"input": { … }}: Shopify\'s input object stands under `input`.',
    )  # fmt: skip


def _invalid(problems: Sequence[Problem], source_id: str) -> TransformError:
    first, *others = problems
    also = "".join(f" Also {problem.path}: {problem.message}" for problem in others[:9])
    more = f" And {len(others) - 9} more." if len(others) > 9 else ""
    return TransformError(
        f"Record {source_id}: {first.message}{also}{more}", code=first.code, path=first.path, hint=first.hint
    )

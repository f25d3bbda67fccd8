"""The asset checks: claims about one partition that a person sees green or red.

None of them blocks: bad rows must not keep good ones from landing. What fails a step is
`fail_on_row_errors`, decided in `steps.py`; the equations themselves are in `records.py`.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from graftport_dagster.defs.layout import ASSET_OF, Layout
from graftport_dagster.defs.telling import state_of
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.pipeline import has_row_errors
from graftport_dagster.records import Phase, RunItem, broken_equations, content_hash
from graftport_dagster.reports.wording import presentable
from graftport_dagster.store.record_store import RecordStore

_DESCRIPTIONS = {
    "rows_are_conserved": "Every record has exactly one outcome: the counts add up.",
    "rows_without_errors": "No row errored, is held, unknown or was not reached.",
    "references_resolved": "No record waits for another one that has not landed.",
    "source_was_read": "A run has read all that the source had of this type.",
    "mapping_is_current": "The mapping version in use is the one that the mapping file holds.",
}
_EVERY = ("rows_are_conserved", "rows_without_errors")
_OF_PHASE = {
    Phase.EXTRACT: (*_EVERY, "source_was_read"),
    Phase.TRANSFORM: (*_EVERY, "mapping_is_current"),
    Phase.LOAD: (*_EVERY, "references_resolved"),
}


def check_specs(layout: Layout, phase: Phase) -> list[dg.AssetCheckSpec]:
    """The checks of the asset that this phase materializes, each with a status per partition."""
    return [
        dg.AssetCheckSpec(
            name, asset=layout.asset(ASSET_OF[phase]), description=_DESCRIPTIONS[name], partitions_def=layout.partitions
        )
        for name in _OF_PHASE[phase]
    ]


def check_results(layout: Layout, item: RunItem, store: RecordStore) -> Iterator[dg.AssetCheckResult]:
    """What the checks say of one item; `mapping_is_current` reads the mapping file."""
    broken = broken_equations(item.phase, item.counts)
    held = item.counts.get("held", 0)
    found: dict[str, tuple[bool, dict[str, Any]]] = {
        "rows_are_conserved": (not broken, {"broken": "; ".join(broken)} if broken else {}),
        "rows_without_errors": (not has_row_errors([item]), _troubles(item)),
        "references_resolved": (not held, {"held": held}),
        "source_was_read": _source_was_read(layout, item, store) if item.phase is Phase.EXTRACT else (True, {}),
        "mapping_is_current": _mapping_is_current(layout, item) if item.phase is Phase.TRANSFORM else (True, {}),
    }
    for name in _OF_PHASE[item.phase]:
        passed, metadata = found[name]
        serious = name == "rows_are_conserved"
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=layout.asset(ASSET_OF[item.phase]),
            passed=passed,
            severity=dg.AssetCheckSeverity.ERROR if serious else dg.AssetCheckSeverity.WARN,
            metadata=metadata,
        )


def _source_was_read(layout: Layout, item: RunItem, store: RecordStore) -> tuple[bool, dict[str, Any]]:
    # A run of some records says nothing of the whole; an earlier one of all may have.
    known = store.fingerprints.of(layout.slug, item.resource_type)
    if not known:
        return False, {"because": "No run has read all that the source has of this type yet."}
    newest = max(known.values(), key=lambda one: one.read_at)
    return True, {
        "read_at": dg.MetadataValue.timestamp(newest.read_at),
        "state": state_of(newest.kind, newest.token, newest.etag),
    }


def _mapping_is_current(layout: Layout, item: RunItem) -> tuple[bool, dict[str, Any]]:
    try:
        found = text_of(layout.migration, item.resource_type)
    except ConfigurationError as error:
        return False, {"differs": str(error)}
    # The name of a version carries the beginning of its text's hash.
    current = not item.mapping_version or content_hash(found.text.encode())[:8] in item.mapping_version
    if current:
        return True, {"mapping_version": item.mapping_version} if item.mapping_version else {}
    return False, {"differs": f"{found.origin} differs from {item.mapping_version}, which was used."}


def _troubles(item: RunItem) -> dict[str, Any]:
    names = ("rows_invalid", "errored", "held", "unknown", "not_reached")
    # Zeros too, because Dagster plots them.
    metadata: dict[str, Any] = {name: item.counts[name] for name in names if name in item.counts}
    if item.first_error:
        metadata["first_error"] = presentable(item.first_error)
    return metadata

"""What one run did, as one JSON object: the contract of `graftport run --json`, which scripts build on.

Keys are added here, never renamed or taken away (`tests/test_reports.py` names them one by one).
The run and its items are read from the record store; the verdicts of a dry run, which leaves
nothing in it, from the files that the pipeline wrote beside it. How the object is told to
people is in `markdown.py`, `page.py` and `cli/`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import JsonObject, ResourceType, Run, RunItem, shown_id
from graftport_dagster.reports.reconciliation import reconciliation
from graftport_dagster.reports.wording import presentable
from graftport_dagster.store.record_store import RecordStore

# shopify.dev/docs/api/usage/limits: the Standard plan restores 100 points a second, every other plan more.
POINTS_PER_SECOND = 100
_DIFFS_SHOWN = 20
# The values in their diffs are people's names and addresses: only the paths are told.
_PERSONAL = frozenset({ResourceType.CUSTOMERS, ResourceType.ORDERS, ResourceType.GIFT_CARDS})


def report(store: RecordStore, run_id: str, *, reports_folder: Path | None = None) -> JsonObject:
    """The run of that id, or of that unique beginning of an id, with its items.

    `reports_folder` holds `<run id>/<resource_type>.jsonl` of dry runs; without it a dry run has no
    `verdicts`. Raises ConfigurationError for a run that is not there.
    """
    run = find_run(store, run_id)
    verdicts = list(_verdicts(reports_folder / run.run_id)) if reports_folder and run.options.dry_run else []
    return {
        "run_id": run.run_id,
        "migration": run.migration,
        "result": str(run.result),
        "dry_run": run.options.dry_run,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "seconds": _seconds(run),
        "first_error": presentable(run.first_error) or None,
        "store_gid": run.store_gid or None,
        "retry_of": run.retry_of or None,
        "replay_of": run.replay_of or None,
        "options": run.options.as_dict(),
        "items": [item_account(item) for item in store.runs.items(run.run_id)],
        "reconciliation": [] if run.options.dry_run else reconciliation(store, run.migration, run.store_gid),
        "verdicts": verdicts,
    }


def find_run(store: RecordStore, run_id: str) -> Run:
    """The run, or ConfigurationError that says where the ids are listed."""
    run = store.runs.find(run_id)
    if run is None:
        raise ConfigurationError(
            f"There is no run {presentable(run_id)}.", code="NO_RUN", hint="`graftport runs --all` lists them."
        )
    return run


def _seconds(timed: Run | RunItem) -> float | None:
    if timed.started_at is None or timed.ended_at is None:
        return None
    return round((timed.ended_at - timed.started_at).total_seconds(), 3)


def item_account(item: RunItem) -> JsonObject:
    """One item as it stands in the report."""
    told: JsonObject = _presentable(item.as_dict())
    return told | {"seconds": _seconds(item)}


def _presentable(value: Any) -> Any:
    if isinstance(value, str):
        return presentable(value)
    if isinstance(value, dict):
        return {presentable(key): _presentable(child) for key, child in value.items()}
    return [_presentable(child) for child in value] if isinstance(value, list) else value


def _verdicts(folder: Path) -> Iterator[JsonObject]:
    for resource_type in ResourceType:
        path = folder / f"{resource_type}.jsonl"
        if path.is_file():
            yield _verdict(resource_type, path)


def _verdict(resource_type: ResourceType, path: Path) -> JsonObject:
    """How many records a load would create, update, skip, hold or refuse, at what cost, with the first diffs."""
    verdicts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    cost = 0.0
    diffs: list[JsonObject] = []
    for line in _lines(path):
        verdicts[line["verdict"]] += 1
        cost += line.get("cost") or 0
        if line.get("reason"):
            reasons[presentable(line["reason"])] += 1
        if line.get("diff") and len(diffs) < _DIFFS_SHOWN:
            diffs.append(
                {
                    "source_id": presentable(shown_id(resource_type, line["source_id"])),
                    "fields": _fields(resource_type, line["diff"]),
                }
            )
    return {
        "resource_type": str(resource_type),
        "verdicts": dict(verdicts),
        "reasons": dict(reasons.most_common()),
        "diffs": diffs,
        "cost": round(cost, 1),
        "seconds": round(cost / POINTS_PER_SECOND, 1),
    }


def _lines(path: Path) -> Iterator[JsonObject]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            # A dry run that was killed leaves half a line at the end.
            if line.endswith("\n"):
                yield json.loads(line)


def _fields(resource_type: ResourceType, diff: list[JsonObject]) -> list[JsonObject]:
    if resource_type in _PERSONAL:
        return [{"path": change["path"]} for change in diff]
    return [_presentable({key: change.get(key) for key in ("path", "old", "new")}) for change in diff]

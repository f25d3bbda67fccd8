"""Where every record of a migration is now, per resource type, so that a person sees that nothing is missing.

Counts over the record store as it stands, whatever run put them there; what one run did is in `account.py`.
"""

from collections import Counter

from graftport_dagster.records import JsonObject, Phase, ResourceType
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection

RECONCILED = ("source", "staged", "excluded", "landed", "pending", "errors_open")
_RUNS_LOOKED_AT = 50


def reconciliation(store: RecordStore, migration: str, store_gid: str = "") -> list[JsonObject]:
    """One object per resource type that has anything, in loading order.

    `source`: live records of the source; `staged`: those with a payload for Shopify; `landed` and `pending`:
    how many of the staged are on the store (the last one met, unless given) and how many have something to
    send; `excluded`: left out by the mapping in the last transform of all records; `errors_open`: incomplete
    records, and invalid rows that name no record.
    """
    known = store.stores.known(migration)
    store_gid = store_gid or (known[-1].gid if known else "")
    errors: Counter[str] = Counter()
    for row in store.incomplete.counts(migration):
        errors[str(row["resource_type"])] += row["count"]
    for row in store.source_records.extract_errors(migration):
        errors[str(row["resource_type"])] += not row["source_id"]
    excluded = _excluded(store, migration)
    dataset = Dataset(migration)
    rows = []
    for resource_type in ResourceType:
        loaded = store.loads.scope(dataset, store_gid, resource_type, Selection())
        counts = {
            "source": store.source_records.count(dataset, resource_type),
            "staged": loaded["in_scope"],
            "excluded": excluded.get(resource_type, 0),
            "landed": loaded["landed"],
            "pending": loaded["pending"],
            "errors_open": errors[resource_type],
        }
        if any(counts.values()):
            rows.append({"resource_type": str(resource_type), **counts})
    return rows


def _excluded(store: RecordStore, migration: str) -> dict[ResourceType, int]:
    """By the newest transform of each type that looked at all of its records."""
    found: dict[ResourceType, int] = {}
    for run in reversed(store.runs.list(migration, limit=_RUNS_LOOKED_AT)):
        options = run.options
        if options.dry_run or options.limit is not None or options.source_ids or options.error_group:
            continue
        for item in store.runs.items(run.run_id):
            if item.phase is Phase.TRANSFORM and item.resource_type not in found and item.result.is_final:
                found[item.resource_type] = item.counts.get("excluded", 0)
    return found

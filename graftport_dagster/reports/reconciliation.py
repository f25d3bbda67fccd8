"""Where every record of a migration is now, per resource type, so that a person sees that nothing is missing.

Counts over the record store as it stands, whatever run put them there; what one run did is in `account.py`.
"""

from collections import Counter

from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection

RECONCILED = ("source", "staged", "excluded", "landed", "pending", "errors_open")


def reconciliation(store: RecordStore, migration: str, store_gid: str = "") -> list[JsonObject]:
    """One object per resource type that has anything, in loading order.

    `source`: live records of the source; `staged`: those with a payload for Shopify; `landed` and `pending`:
    how many of the staged are on the store (the last one met, unless given) and how many have something to
    send; `excluded`: left out by the mapping; `errors_open`: incomplete records, and invalid rows that name no
    record.
    """
    known = store.stores.known(migration)
    store_gid = store_gid or (known[-1].gid if known else "")
    errors: Counter[str] = Counter()
    for row in store.incomplete.counts(migration):
        errors[str(row["resource_type"])] += row["count"]
    errors.update(store.source_records.count_without_record(migration))
    dataset = Dataset(migration)
    rows = []
    for resource_type in ResourceType:
        loaded = store.loads.scope(dataset, store_gid, resource_type, Selection())
        counts = {
            "source": store.source_records.count(dataset, resource_type),
            "staged": loaded["in_scope"],
            "excluded": store.staged_records.states(dataset, resource_type).get("excluded", 0),
            "landed": loaded["landed"],
            "pending": loaded["pending"],
            "errors_open": errors[resource_type],
        }
        if any(counts.values()):
            rows.append({"resource_type": str(resource_type), **counts})
    return rows

"""One incomplete record whole, as it was when it failed, with everything that was tried.

What is open in all is in `open_errors.py`; where a record is now, in `record_story.py`.
"""

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.reports.wording import presentable, without_codes
from graftport_dagster.store.record_store import RecordStore


def incomplete_record(store: RecordStore, row: JsonObject) -> JsonObject:
    """A row of `store.incomplete.open` with `source_payload`, `payload` (sent, or to be sent) and its `attempts`.

    A payload that is not kept any more is None. Of a record that failed in extract, `raw` are the source's own rows.
    """
    resource_type = ResourceType(row["resource_type"])
    story = store.story(row["migration"], resource_type, row["source_id"])
    tried = [one for one in story.get("attempts", ()) if one["store_gid"] in ("", row["store_gid"])]
    raw = [one["raw"] for one in story.get("extract_errors", ()) if one["is_open"]]
    return row | {
        "message": presentable(row["message"]),
        "hint": presentable(row["hint"]),
        "source_payload": without_codes(resource_type, _payload(store, row["source_hash"])),
        "payload": without_codes(resource_type, _payload(store, row["payload_hash"])),
        "raw": raw if row["phase"] == "extract" else [],
        "attempts": [
            one | {"message": presentable(one["message"]), "hint": presentable(one["hint"])} for one in tried
        ],
    }  # fmt: skip


def _payload(store: RecordStore, payload_hash: str) -> JsonObject | None:
    try:
        return store.payload(payload_hash) if payload_hash else None
    except ConfigurationError:
        return None

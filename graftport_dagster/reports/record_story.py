"""One record's whole story, with the sentence that a person asked for: where it is, and why.

The facts are gathered by the record store; payloads are left out unless they are asked for,
because they hold people's names and addresses.
"""

from typing import Any

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, RecordKey, ResourceType, shown_id
from graftport_dagster.reports.admin_links import AdminLinks
from graftport_dagster.reports.card_ids import whole_ids, without_card_id
from graftport_dagster.reports.wording import number, presentable, printable, without_codes
from graftport_dagster.store.record_store import Dataset, RecordStore

_NOT_SENT = {
    "errored": "as it was before the mapping failed on it",
    "excluded": "as it was before the mapping left it out",
}
_PAYLOADS = ("payload", "snapshot", "raw", "options")
_IDS = ("source_id", "part_id", "handle")


def record_story(
    store: RecordStore, migration: Migration, resource_type: ResourceType, source_id: str, *, with_payload: bool = False
) -> JsonObject:
    """`RecordStore.story` with `where` and `why` (sentences, `why` or None) and, per store, `domain` and `link`.

    Each of `incomplete` has `waits_for` with `state`: landed, staged or missing. Raises ConfigurationError for a
    record that nothing is known of.
    """
    if resource_type is ResourceType.GIFT_CARDS:
        (source_id,) = whole_ids(store, migration.slug, [source_id])
    story = store.story(migration.slug, resource_type, source_id)
    if not story:
        count = store.source_records.count(Dataset(migration.slug), resource_type)
        named = printable(shown_id(resource_type, source_id))
        raise ConfigurationError(
            f"Nothing is known of {resource_type} {named} in {migration.slug}.", code="NO_RECORD",
            hint=f"{number(count)} {resource_type} have been read; ids are as the source writes them."
            if count else f"No {resource_type} have been read yet: run extract first.",
        )  # fmt: skip
    links = AdminLinks(store, migration)
    known = {one.gid: one for one in store.stores.known(migration.slug)}
    for place in story["stores"]:
        place["domain"] = known[place["store_gid"]].domain if place["store_gid"] in known else ""
        place["link"] = links.of(place["store_gid"], place["gid"])
    for row in story["incomplete"]:
        row["waits_for"] = _waits(store, migration.slug, row)
    told = {"where": _where(story), "why": _why(story)}
    kind = resource_type if with_payload else None
    shown: JsonObject = _shown(story, kind)
    shown["incomplete"] = [without_card_id(row) for row in shown["incomplete"]]
    return without_card_id(shown | told)


def _shown(value: Any, kind: ResourceType | None, name: str = "") -> Any:
    """The same with texts made presentable, ids printable, and payloads (of a kind) as they are or not at all."""
    if isinstance(value, dict):
        return {
            key: without_codes(str(kind), child) if key in _PAYLOADS else _shown(child, kind, key)
            for key, child in value.items()
            if kind is not None or key not in _PAYLOADS
        }
    if isinstance(value, list):
        return [_shown(child, kind, name) for child in value]
    if not isinstance(value, str):
        return value
    return printable(value) if name in _IDS else presentable(value)


def _waits(store: RecordStore, migration: str, row: JsonObject) -> list[JsonObject]:
    keys = [RecordKey(**key) for key in row["waits_for"]]
    landed = store.loads.identities(migration, row["store_gid"], keys)
    staged = store.loads.staged_keys(Dataset(migration), keys)
    return [
        {**told, "state": "landed" if key in landed else "staged" if key in staged else "missing"}
        for key, told in zip(keys, row["waits_for"], strict=True)
    ]


def _where(story: JsonObject) -> str:
    landed = [place for place in story["stores"] if place["gid"]]
    if landed:
        return "; ".join(_on_store(story, place) for place in landed) + "."
    staged = story["staged"]
    if staged and staged["state"] == "staged":
        return "Staged; not on the store yet."
    if staged and staged["state"] == "excluded":
        return "Left out by the mapping."
    if staged and staged["state"] == "errored":
        return "Read; the mapping failed on it."
    if story["source"] is None:
        return "Not read yet: its rows are invalid." if story["extract_errors"] else "Not read yet."
    return "Gone from the source." if story["source"]["deleted"] else "Read; not transformed yet."


def _on_store(story: JsonObject, place: JsonObject) -> str:
    landed, staged = place["landed"], story["staged"]
    name = f"On {place['domain'] or place['store_gid']} as {place['gid']}"
    if landed and landed["withdrawn"]:
        return f"{name}, archived or deleted there since it is gone from the source"
    if any(step["state"] != "done" for step in place["steps"]):
        return f"{name}, with a call whose outcome is not known yet"
    state = staged["state"] if staged else ""
    if state in _NOT_SENT:
        return f"{name}, {_NOT_SENT[state]}"
    if state == "staged" and not (landed and landed["landed_hash"] == staged["payload_hash"]):
        return f"{name}, with changes that have not been sent"
    return f"{name}, up to date"


def _why(story: JsonObject) -> str | None:
    for row in story["incomplete"]:
        keys = map(without_card_id, row["waits_for"])
        waits = [f"{key['resource_type']} {key['source_id']} ({key['state']})" for key in keys]
        waiting = f" Waits for {', '.join(waits)}." if waits else ""
        hint = f" {row['hint']}" if row["hint"] else ""
        place = f"{row['path']}: " if row["path"] else ""
        return presentable(f"{row['code']} in {row['phase']}: {place}{row['message']}{hint}{waiting}")
    for row in story["extract_errors"]:
        if row["is_open"]:
            return presentable(f"{row['code']} at {row['origin']}: {row['reason']} {row['hint']}".rstrip())
    staged = story["staged"]
    return presentable(staged["reason"]) if staged and staged["reason"] else None

"""Fields of ours that somebody edited in Shopify since our last write, noticed before they are overwritten.

What Shopify answered to that write is kept with the record (`landed_snapshots`). Before an update its
time of change is asked for, 250 records a call, and where that moved, the fields themselves. A loader
whose type is watched implements `Watching`. Only what the update is about to send is looked at;
whether it is then sent or held says `options.drift` in the migration file.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from graftport_dagster.errors import ConfigurationError, DriftError
from graftport_dagster.loaders.groups import CONTENT, field_groups
from graftport_dagster.loaders.plan import Caller, LoadContext, Loader, Plan
from graftport_dagster.loaders.planner import unsent
from graftport_dagster.records import JsonObject, Outcome, ResourceType
from graftport_dagster.shopify.documents import document
from graftport_dagster.store.record_store import Settlement

_MOST_IDS = 250
# With up to 100 variants each, so many stay below what one call may cost.
_MOST_READ = 50
_LONGEST_KEPT = 120
_MOST_NAMED = 8


@runtime_checkable
class Watching(Protocol):
    """What a loader says of its type where edits in Shopify are noticed."""

    @property
    def resource_type(self) -> ResourceType:
        """The type it loads."""

    @property
    def watched_document(self) -> str:
        """The file of the query that reads many objects by `ids`, with the fields that are watched."""

    @property
    def unwatched_groups(self) -> frozenset[str]:
        """Groups of fields that are not watched here: an update of nothing else needs no look."""

    @property
    def is_timed(self) -> bool:
        """Whether `updated_at.graphql` says when such an object changed; one that does not is read each time."""

    @property
    def sends_changed_groups(self) -> bool:
        """Whether an update sends only the groups that changed, so that it overwrites nothing else."""

    def watched(self, node: JsonObject) -> JsonObject:
        """The fields of one object, as the payload's `input` names them.

        Deeper ones as `variants/<GID>/price` in a list, as `basicCodeDiscount/endsAt` in an object.
        """


def snapshot(loader: Watching, plan: Plan, node: JsonObject, **more: Any) -> JsonObject:
    """What is kept of an answer: when the object changed, and each field of ours as Shopify has it now.

    Of a filtered update only what it sent is taken from the answer; the rest stays as it was kept before.
    """
    sent = plan.envelope["input"]
    changed_at = node.get("updatedAt")
    now = {name: _kept(value) for name, value in loader.watched(node).items() if _is_ours(name, sent)}
    if plan.groups is None:
        return {"updatedAt": changed_at, "fields": now, **more}
    # The time stays as well: what was not sent may have been edited before this write.
    before = plan.snapshot.get("fields", {})
    return {"updatedAt": plan.snapshot.get("updatedAt"), "fields": {**before, **now}, **more}


def look(
    loader: Loader, context: LoadContext, caller: Caller, plans: Sequence[Plan]
) -> tuple[list[Plan], list[Settlement]]:
    """The plans that may be sent, with a warning where they overwrite an edit; settlements of those that are held."""
    kept = list(plans)
    if not isinstance(loader, Watching):
        return kept, []
    watched = [plan for plan in plans if _overwrites(plan, loader.unwatched_groups)]
    if not watched:
        return kept, []
    edited = dict(_edited(loader, caller, watched, _lost(context, watched)))
    if not edited:
        return kept, []
    held = context.migration.options.drift == "hold"
    settlements = [_held(plan, edited[plan.gid]) for plan in plans if held and plan.gid in edited]
    if held:
        return [plan for plan in plans if plan.gid not in edited], settlements
    return [_warned(plan, edited[plan.gid]) if plan.gid in edited else plan for plan in plans], []


def _overwrites(plan: Plan, unwatched: frozenset[str]) -> bool:
    is_update = bool(plan.snapshot.get("fields")) and not plan.withdrawal and not plan.is_set
    return is_update and bool(plan.changed - unwatched)


def _lost(context: LoadContext, plans: Sequence[Plan]) -> dict[str, JsonObject]:
    """GID → what an update of ours wrote, or may have written, whose answer never came."""
    found = {}
    for plan in plans:
        if plan.open_step is not None and plan.open_step.payload_hash != plan.record.payload_hash:
            # One that was purged says nothing.
            with suppress(ConfigurationError):
                found[plan.gid] = context.store.payload(plan.open_step.payload_hash)["input"]
    return found


def _edited(
    loader: Watching, caller: Caller, plans: Sequence[Plan], lost: Mapping[str, JsonObject]
) -> Iterator[tuple[str, list[str]]]:
    by_gid = {plan.gid: plan for plan in plans}
    moved = _moved(by_gid, caller) if loader.is_timed else list(by_gid)
    for node in _nodes(loader.watched_document, moved, _MOST_READ, caller):
        plan = by_gid[node["id"]]
        unheard = lost.get(plan.gid, {})
        now = {name: value for name, value in loader.watched(node).items() if not _wrote(unheard, name, value)}
        if names := list(_differing(plan, _written(loader, plan), now)):
            yield node["id"], names


def _moved(by_gid: Mapping[str, Plan], caller: Caller) -> list[str]:
    """The objects that changed since our last write."""
    return [
        node["id"]
        for node in _nodes("updated_at", list(by_gid), _MOST_IDS, caller)
        if node.get("updatedAt") != by_gid[node["id"]].snapshot.get("updatedAt")
    ]


def _written(loader: Watching, plan: Plan) -> JsonObject:
    """The fields that the update is about to write."""
    given: JsonObject = plan.envelope["input"]
    if not loader.sends_changed_groups:
        return given
    groups = field_groups(loader.resource_type).input
    return {name: value for name, value in given.items() if groups.get(name, CONTENT) in plan.changed}


def _nodes(file: str, gids: Sequence[str], most: int, caller: Caller) -> Iterator[JsonObject]:
    """The objects that are still there."""
    left = iter(gids)
    while chunk := list(islice(left, most)):
        answer = caller.call(document(file), {"ids": chunk}, repeatable=True).data
        yield from (node for node in answer["nodes"] if node)


def _differing(plan: Plan, sent: JsonObject, now: Mapping[str, Any]) -> Iterator[str]:
    """The names of what differs from the snapshot and from what is to be sent, each once."""
    kept, told = plan.snapshot["fields"], set()
    for name, value in now.items():
        if name not in kept or kept[name] == _kept(value) or not _is_ours(name, sent):
            continue
        top, _, rest = name.partition("/")
        inside = sent[top][rest] if rest and isinstance(sent[top], dict) else sent[top]
        if (not rest or isinstance(sent[top], dict)) and _kept(inside) == _kept(value):
            continue
        label = f"{top}.{rest.rpartition('/')[2]}" if rest else top
        if label not in told:
            told.add(label)
            yield label


def _wrote(given: JsonObject, name: str, value: Any) -> bool:
    """Whether a payload has the value at that place; of a list, in any of its items."""
    top, _, rest = name.partition("/")
    inside = given.get(top)
    if not rest:
        return top in given and _kept(inside) == _kept(value)
    if isinstance(inside, dict):
        return rest in inside and _kept(inside[rest]) == _kept(value)
    inner = rest.rpartition("/")[2]
    return any(inner in item and _kept(item[inner]) == _kept(value) for item in inside or ())


def _is_ours(name: str, sent: JsonObject) -> bool:
    """Whether the payload gives the field; what it leaves to Shopify is not ours to watch."""
    top, _, rest = name.partition("/")
    if not rest or top not in sent:
        return top in sent
    if isinstance(sent[top], dict):
        return rest in sent[top]
    inner = rest.rpartition("/")[2]
    return any(inner in item for item in sent[top])


def _kept(value: Any) -> Any:
    """The value as it is kept: order in lists does not count, and of a long text its digest will do."""
    if isinstance(value, dict):
        return {name: _kept(item) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return sorted(str(_kept(item)) for item in value)
    if isinstance(value, str) and len(value) > _LONGEST_KEPT:
        return "#" + hashlib.blake2b(value.encode(), digest_size=12).hexdigest()
    return value


def _warned(plan: Plan, names: list[str]) -> Plan:
    said = f"Edited in Shopify since our last write, and overwritten: {_listed(names)}."
    return replace(plan, warnings=(*plan.warnings, ("DRIFTED", said)))


def _held(plan: Plan, names: list[str]) -> Settlement:
    error = DriftError(
        f"Edited in Shopify since our last write: {_listed(names)}.", code="DRIFTED", path=f"input.{names[0]}",
        hint="Carry the edit over into the source, or set options.drift: overwrite.",
    )  # fmt: skip
    return unsent(plan.record, Outcome.HELD, reason=error.held_for, error=error)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more

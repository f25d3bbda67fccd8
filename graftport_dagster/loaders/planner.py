"""Pending records become plans, or are settled at once: held, skipped, with nothing to send.

Reads the record store in batches; sends nothing and writes nothing. A dry run plans exactly as a
load does.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from graftport_dagster.errors import (
    ConfigurationError,
    GraftportError,
    MissingReferenceError,
    RecordError,
    UnclearError,
)
from graftport_dagster.loaders.groups import field_groups, immutable_fields, select
from graftport_dagster.loaders.membership import check_membership
from graftport_dagster.loaders.plan import GONE_FROM_SOURCE, MAIN_STEP, LoadContext, Loader, Plan
from graftport_dagster.loaders.references import address, references, resolve
from graftport_dagster.loaders.routes import Routes
from graftport_dagster.loaders.steps import course, immutable
from graftport_dagster.loaders.variants import unknown_variants
from graftport_dagster.records import Identity, JsonObject, Outcome, RecordKey, ResourceType, shown_id
from graftport_dagster.store.record_store import Dataset, LoadInput, OpenStep, Settlement

# What of them is sent depends on what landed before: what has left a list, whether a picture is another one.
_BY_PIECES = frozenset({ResourceType.COLLECTIONS, ResourceType.DISCOUNT_CODES, ResourceType.MARKETS})
_OF_COLLECTIONS = frozenset({ResourceType.COLLECTIONS, ResourceType.PRODUCTS})


class Planner:
    """Makes the plans of one load of one resource type."""

    def __init__(self, loader: Loader, context: LoadContext) -> None:
        self._loader = loader
        self._context = context
        self._options = context.run.options
        self._routes: Routes | None = None
        self._open_steps: dict[str, dict[str, OpenStep]] = {}
        for step in context.store.loads.open_steps(context.migration.slug, context.store_gid, loader.resource_type):
            self._open_steps.setdefault(step.source_id, {})[step.step] = step

    def plan(self, batch: Sequence[LoadInput]) -> tuple[list[Plan], list[Settlement], list[Outcome]]:
        """Plans for what is to be sent, settlements of what is not, outcomes of what nobody needs to try."""
        loads, slug = self._context.store.loads, self._context.migration.slug
        ids = [record.source_id for record in batch]
        parts = loads.parts(slug, self._context.store_gid, self._loader.resource_type, ids)
        steps = self._done_steps(batch)
        done = _set(batch, steps)
        referred = self._referred(batch, done, parts)
        identities = self._identities(referred)
        snapshots = self._snapshots(batch)
        plans: list[Plan] = []
        settlements: list[Settlement] = []
        untried: list[Outcome] = []
        for record in batch:
            if (outcome := self._untried(record, done)) is not None:
                untried.append(outcome)
                continue
            known = _Known(
                parts.get(record.source_id, {}), record.source_id in done, referred[record.source_id], identities,
                steps.get(record.source_id, {}), snapshots.get(record.source_id, {}),
            )  # fmt: skip
            made = self._guarded(record, known)
            if isinstance(made, Plan):
                plans.append(made)
            else:
                settlements.append(made)
        return plans, settlements, untried

    def _snapshots(self, batch: Sequence[LoadInput]) -> Mapping[str, Mapping[str, Any]]:
        """What Shopify answered last, of the records that are there."""
        there = [record.source_id for record in batch if record.gid and record.landed_groups]
        if not there:
            return {}
        return self._context.store.loads.snapshots(
            self._context.migration.slug, self._context.store_gid, self._loader.resource_type, there
        )

    def _done_steps(self, batch: Sequence[LoadInput]) -> Mapping[str, Mapping[str, str]]:
        """Source id → step → the hash of what it was done for."""
        found = self._context.store.loads.done_steps(
            self._context.migration.slug,
            self._context.store_gid,
            self._loader.resource_type,
            [record.source_id for record in batch],
        )
        return {source_id: {step: digest for step, (digest, _) in done.items()} for source_id, done in found.items()}

    def _untried(self, record: LoadInput, done: Set[str]) -> Outcome | None:
        if not self._options.resend_refused and record.refused_hash == record.payload_hash:
            return Outcome.REFUSED_BEFORE
        if record.discarded_hash == record.payload_hash:
            return Outcome.DISCARDED
        return Outcome.UNCHANGED if self._groups(record, done) == {} else None

    def _groups(self, record: LoadInput, done: Set[str]) -> Mapping[str, str] | None:
        """The groups that a filtered update sends: None for all, {} for nothing to send."""
        wanted = self._options.field_filter.get(self._loader.resource_type)
        if wanted is None or not _has_landed(record) or record.source_id in done:
            return None
        is_all = not self._options.only_dirty or MAIN_STEP in self._open_steps.get(record.source_id, {})
        return {
            group: digest
            for group, digest in record.group_hashes.items()
            if group in wanted and (is_all or digest != record.landed_groups.get(group))
        }

    def _referred(
        self, batch: Sequence[LoadInput], done: Set[str], parts: Mapping[str, Mapping[RecordKey, Identity]]
    ) -> dict[str, "tuple[RecordKey, ...] | RecordError"]:
        """What each record refers to in that which is to be sent of it."""
        referred: dict[str, tuple[RecordKey, ...] | RecordError] = {}
        for record in batch:
            try:
                given = self._selected(record, self._groups(record, done), parts.get(record.source_id, {}))
                found = references(given) if record.may_refer else ()
            except RecordError as error:
                referred[record.source_id] = error
            else:
                referred[record.source_id] = tuple(key for key in found if not self._is_own(record, key))
        return referred

    def _is_own(self, record: LoadInput, key: RecordKey) -> bool:
        """Whether it is a part of the record itself, which is there once the main step is done."""
        own = (str(self._loader.resource_type), record.source_id)
        return bool(key.part) and (str(key.resource_type), key.source_id) == own

    def _identities(
        self, referred: Mapping[str, "tuple[RecordKey, ...] | RecordError"]
    ) -> Mapping[RecordKey, Identity]:
        keys = {key for found in referred.values() if isinstance(found, tuple) for key in found}
        if not keys:
            return {}
        return self._context.store.loads.identities(self._context.migration.slug, self._context.store_gid, keys)

    def _guarded(self, record: LoadInput, known: "_Known") -> Plan | Settlement:
        try:
            if record.is_superseded:
                return unsent(record, Outcome.SUPERSEDED, reason="something newer has landed")
            if record.source_deleted:
                return self._withdrawn(record, known)
            if isinstance(known.referred, RecordError):
                return unsent(record, Outcome.ERRORED, error=known.referred)
            missing = tuple(key for key in known.referred if key not in known.identities)
            if missing:
                missing, identities = self._assume(missing, known.identities)
                known = replace(known, identities=identities)
            if missing:
                held = unsent(record, Outcome.HELD, reason="reference", error=self._waiting(missing))
                return replace(held, waits_for=missing)
            return self._one(record, known)
        except Exception as error:
            if isinstance(error, GraftportError) and not isinstance(error, RecordError):
                raise
            return unsent(record, Outcome.ERRORED, error=error)

    def _withdrawn(self, record: LoadInput, known: "_Known") -> Plan | Settlement:
        """A record that is gone from the source: never created or updated, withdrawn where the policy says so."""
        policy = self._context.migration.options.on_source_delete
        opened = self._open_steps.get(record.source_id, {}).get(MAIN_STEP)
        is_unclear = opened is not None and not record.gid and not self._options.dry_run
        if is_unclear and not self._loader.has_identifier:
            return unsent(record, Outcome.HELD, reason=UnclearError.held_for, error=_gone_unheard())
        if not is_unclear and (policy == "keep" or not record.gid):
            return unsent(record, Outcome.SKIPPED, reason=GONE_FROM_SOURCE)
        plan = Plan(
            record=record,
            envelope=record.payload,
            parts=known.parts,
            gid=record.gid,
            identity=self._identity(record),
            is_new=False,
            open_step=opened if is_unclear else None,
        )
        # What Shopify never deletes is at least put out of use.
        for withdrawal in dict.fromkeys((policy, "archive")) if policy != "keep" else ():
            withdrawn = replace(plan, withdrawal=withdrawal)
            if self._loader.withdraw(withdrawn) is not None:
                return withdrawn
        if is_unclear:
            return plan
        return unsent(record, Outcome.SKIPPED, reason=f"{self._loader.resource_type} cannot be archived")

    def _identity(self, record: LoadInput) -> str:
        return RecordKey(self._loader.resource_type, record.source_id).identity(self._context.migration.platform)

    def _assume(
        self, missing: tuple[RecordKey, ...], identities: Mapping[RecordKey, Identity]
    ) -> tuple[tuple[RecordKey, ...], Mapping[RecordKey, Identity]]:
        """In a dry run, what is staged counts as landed: the run it rehearses would have loaded it before."""
        if not self._options.dry_run:
            return missing, identities
        loads = self._context.store.loads
        real = Dataset(self._context.migration.slug)
        staged = loads.staged_keys(self._context.dataset, missing) | loads.staged_keys(real, missing)
        assumed = {key for key in missing if RecordKey(key.resource_type, key.source_id) in staged}
        stand_ins = {key: Identity(key, f"(the {key.resource_type} record {key.source_id})") for key in assumed}
        return tuple(key for key in missing if key not in assumed), {**identities, **stand_ins}

    def _one(self, record: LoadInput, known: "_Known") -> Plan | Settlement:
        opened = self._open_steps.get(record.source_id, {})
        has_landed = _has_landed(record)
        if has_landed and self._options.conflict_strategy == "skip" and not known.is_set and not opened:
            return unsent(record, Outcome.SKIPPED, reason="conflict strategy skip")
        if self._loader.resource_type in _OF_COLLECTIONS:
            check_membership(self._loader.resource_type, record.payload, self._context.migration.settings)
        groups = self._groups(record, {record.source_id} if known.is_set else set())
        envelope = self._selected(record, groups, known.parts)
        is_new = not has_landed or not record.gid
        in_doubt = MAIN_STEP in opened or known.done_steps.get(MAIN_STEP, record.payload_hash) != record.payload_hash
        if known.referred:
            envelope = resolve(envelope, lambda key: self._put(record, key, known))
        if self._loader.resource_type is ResourceType.REDIRECTS:
            envelope = self._straightened(envelope)
        plan = Plan(
            record=record,
            envelope=envelope,
            parts=known.parts,
            gid=record.gid,
            identity=self._identity(record),
            is_new=is_new,
            publications=self._publications(record, envelope, is_due=is_new or known.is_set or in_doubt),
            groups=groups,
            changed=self._changed(record, groups, in_doubt=in_doubt),
            everything=not self._options.only_dirty,
            in_doubt=in_doubt,
            open_step=opened.get(MAIN_STEP),
            is_set=known.is_set,
            open_steps=opened,
            done_steps=known.done_steps,
            snapshot=known.snapshot,
            before={} if is_new else self._before(record),
        )
        if reason := self._loader.nothing_to_send(plan):
            settled = unsent(record, Outcome.SKIPPED, reason=reason)
            return replace(settled, clean=True, landed_groups=record.group_hashes)
        if in_doubt or _republished(record):
            plan = replace(plan, unpublish=self._unpublish(plan))
        return plan if plan.is_new else self._accepted(plan)

    def _before(self, record: LoadInput) -> JsonObject:
        """The payload that landed last, its references resolved; those to what is gone are left as they are."""
        if self._loader.resource_type not in _BY_PIECES:
            return {}
        loads, slug = self._context.store.loads, self._context.migration.slug
        kind, store_gid = self._loader.resource_type, self._context.store_gid
        before, _ = loads.landed_payload(slug, store_gid, kind, record.source_id)
        known = self._identities({"": references(before or {})})
        resolved: JsonObject = resolve(before or {}, lambda key: known[key].gid if key in known else "")
        return resolved

    def _straightened(self, envelope: JsonObject) -> JsonObject:
        """A redirect that leads where it leads in the end."""
        self._routes = self._routes or Routes(self._context)
        redirect = envelope["input"]
        end = self._routes.end_of(redirect["path"], redirect["target"])
        return {**envelope, "input": {**redirect, "target": end}}

    def _selected(
        self, record: LoadInput, groups: Collection[str] | None, parts: Mapping[RecordKey, Identity]
    ) -> JsonObject:
        if groups is None:
            return record.payload
        kind = self._loader.resource_type
        new = unknown_variants(record.source_id, record.payload, parts) if kind is ResourceType.PRODUCTS else ()
        return select(kind, record.payload, groups, frozenset(new))

    def _changed(self, record: LoadInput, groups: Mapping[str, str] | None, *, in_doubt: bool) -> frozenset[str]:
        wanted = record.group_hashes if groups is None else groups
        if not record.landed_groups or in_doubt or not self._options.only_dirty:
            return frozenset(wanted)
        return frozenset(group for group, digest in wanted.items() if digest != record.landed_groups.get(group))

    def _accepted(self, plan: Plan) -> Plan | Settlement:
        """An update with what Shopify cannot change said of it; settled where there is nothing else in it."""
        after = course(self._loader, plan, Outcome.SKIPPED)
        if not (fields := [*self._immutable(plan), *immutable(after.steps, plan)]):
            return plan
        said = f"immutable in Shopify: {', '.join(fields)}"
        if not after.is_over or not (plan.is_set or self._loader.call(plan) is None):
            return replace(plan, warnings=(("IMMUTABLE", f"The source changed what is {said}."),))
        settled = unsent(plan.record, Outcome.SKIPPED, reason=said)
        return replace(settled, clean=plan.groups is None, landed_groups=after.landed_groups)

    def _immutable(self, plan: Plan) -> list[str]:
        """The fields that changed in the source and cannot change in Shopify."""
        kind, record = self._loader.resource_type, plan.record
        landed, now = record.landed_groups, plan.groups if plan.groups is not None else record.group_hashes
        fixed = field_groups(kind).immutable
        if not any(group in fixed and digest != landed.get(group, digest) for group, digest in now.items()):
            return []
        loads = self._context.store.loads
        before, _ = loads.landed_payload(self._context.migration.slug, self._context.store_gid, kind, record.source_id)
        return immutable_fields(kind, before, record.payload)

    def _put(self, record: LoadInput, key: RecordKey, known: "_Known") -> str | JsonObject:
        if self._is_own(record, key):
            target = {"resource_type": key.resource_type, "source_id": key.source_id, "part": key.part,
                      "part_id": key.part_id}  # fmt: skip
            return {"$ref": target}
        identity = known.identities[key]
        return address(identity) if self._loader.resource_type is ResourceType.REDIRECTS else identity.gid

    def _publications(self, record: LoadInput, envelope: JsonObject, *, is_due: bool) -> tuple[str, ...]:
        """The GIDs of the channels that the record is to be published in; none where an update leaves them."""
        if not self._loader.publishes:
            return ()
        names = envelope.get("publications") or []
        if not is_due and not _republished(record):
            return ()
        known = self._context.publications
        if unknown := [name for name in names if name not in known]:
            # The migration's mistake or the store's, and every record's: said once, and nothing is sent.
            raise ConfigurationError(
                f"The store has no publication {unknown[0]}.", code="UNKNOWN_PUBLICATION", path="publications",
                hint=f"There are: {', '.join(sorted(known)) or 'none'}.",
            )  # fmt: skip
        return tuple(known[name] for name in names)

    def _unpublish(self, plan: Plan) -> tuple[str, ...]:
        """The publications that a landed record is in, or may be by what was on its way, and does not name."""
        record = plan.record
        if plan.is_new or not self._loader.publishes:
            return ()
        loads, slug = self._context.store.loads, self._context.migration.slug
        before, _ = loads.landed_payload(slug, self._context.store_gid, self._loader.resource_type, record.source_id)
        if "publications" not in plan.envelope or before is None:
            return ()
        on_its_way = plan.open_step.payload_hash if plan.open_step else plan.done_steps.get(MAIN_STEP, "")
        sent = loads.payload(on_its_way) or {}
        named = {*(before.get("publications") or ()), *(sent.get("publications") or ())}
        gone = named - set(plan.envelope["publications"] or ())
        return tuple(self._context.publications[name] for name in sorted(gone) if name in self._context.publications)

    def _waiting(self, missing: tuple[RecordKey, ...]) -> MissingReferenceError:
        staged = self._context.store.loads.staged_keys(self._context.dataset, missing)
        names = ", ".join(map(_named, missing[:3]))
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        never = [key for key in missing if RecordKey(key.resource_type, key.source_id) not in staged]
        if never:
            return MissingReferenceError(
                f"It refers to {names}{more}; {_named(never[0])} is not staged.",
                code="REFERENCE_NOT_STAGED",
                hint=f"Extract and transform {never[0].resource_type}, or take the reference out in the mapping.",
            )
        return MissingReferenceError(
            f"It waits for {names}{more} to land.", code="REFERENCE_PENDING", hint="It is sent once they have."
        )


def _named(key: RecordKey) -> str:
    return f"{key.resource_type} {shown_id(key.resource_type, key.source_id)}"


def _set(batch: Sequence[LoadInput], done: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Records whose main step is done for the very payload that is staged now: only the rest is left."""
    return {
        record.source_id
        for record in batch
        if record.gid and done.get(record.source_id, {}).get(MAIN_STEP) == record.payload_hash
    }


def _republished(record: LoadInput) -> bool:
    """Whether the group that names its publications has changed since it landed."""
    before = record.landed_groups.get("status", record.landed_groups.get("content"))
    return before != record.group_hashes.get("status", record.group_hashes.get("content"))


def _has_landed(record: LoadInput) -> bool:
    return bool(record.landed_hash or record.landed_groups)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the record store knows around one record, read for its whole batch at once."""

    parts: Mapping[RecordKey, Identity]
    is_set: bool
    referred: tuple[RecordKey, ...] | RecordError
    identities: Mapping[RecordKey, Identity]
    done_steps: Mapping[str, str]
    snapshot: Mapping[str, Any]


def _gone_unheard() -> UnclearError:
    return UnclearError(
        "It was sent, no answer came, and since then it is gone from the source.",
        hint="Look for it in Shopify, delete it there if it is not wanted, and discard it here.",
    )


def unsent(record: LoadInput, outcome: Outcome, *, reason: str = "", error: Exception | None = None) -> Settlement:
    """The settlement of a record for which nothing was sent."""
    return Settlement(
        source_id=record.source_id,
        outcome=outcome,
        payload_hash=record.payload_hash,
        mapping_version=record.mapping_version,
        reason=reason,
        error=error,
    )

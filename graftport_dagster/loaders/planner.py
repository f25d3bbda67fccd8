"""Pending records become plans, or are settled at once: held, skipped, with nothing to send.

Reads the record store in batches; sends nothing and writes nothing. A dry run plans exactly as a
load does.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from graftport_dagster.errors import GraftportError, MissingReferenceError, RecordError
from graftport_dagster.loaders.groups import select
from graftport_dagster.loaders.plan import MAIN_STEP, LoadContext, Loader, Plan
from graftport_dagster.loaders.references import address, references, resolve
from graftport_dagster.records import Identity, Outcome, RecordKey, ResourceType
from graftport_dagster.store.record_store import Dataset, LoadInput, Settlement


class Planner:
    """Makes the plans of one load of one resource type."""

    def __init__(self, loader: Loader, context: LoadContext) -> None:
        self._loader = loader
        self._context = context
        self._options = context.run.options
        self._open_steps = {
            step.source_id: step
            for step in context.store.loads.open_steps(context.migration.slug, context.store_gid, loader.resource_type)
            if step.step == MAIN_STEP
        }

    def plan(self, batch: Sequence[LoadInput]) -> tuple[list[Plan], list[Settlement], list[Outcome]]:
        """Plans for what is to be sent, settlements of what is not, outcomes of what nobody needs to try."""
        loads, slug = self._context.store.loads, self._context.migration.slug
        ids = [record.source_id for record in batch]
        parts = loads.parts(slug, self._context.store_gid, self._loader.resource_type, ids)
        done = self._done(batch)
        referred = self._referred(batch)
        identities = self._identities(referred)
        plans: list[Plan] = []
        settlements: list[Settlement] = []
        untried: list[Outcome] = []
        for record in batch:
            if (outcome := self._untried(record, done)) is not None:
                untried.append(outcome)
                continue
            known = _Known(
                parts.get(record.source_id, {}), record.source_id in done, referred[record.source_id], identities
            )
            made = self._guarded(record, known)
            if isinstance(made, Plan):
                plans.append(made)
            else:
                settlements.append(made)
        return plans, settlements, untried

    def _done(self, batch: Sequence[LoadInput]) -> set[str]:
        """Records whose main step is done for the very payload that is staged now: only the rest is left."""
        found = self._context.store.loads.done_steps(
            self._context.migration.slug,
            self._context.store_gid,
            self._loader.resource_type,
            [record.source_id for record in batch],
        )
        hashes = {source_id: steps.get(MAIN_STEP, ("", ""))[0] for source_id, steps in found.items()}
        return {
            record.source_id for record in batch if record.gid and hashes.get(record.source_id) == record.payload_hash
        }

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
        return {
            group: digest
            for group, digest in record.group_hashes.items()
            if group in wanted and (digest != record.landed_groups.get(group) or not self._options.only_dirty)
        }

    def _referred(self, batch: Sequence[LoadInput]) -> dict[str, "tuple[RecordKey, ...] | RecordError"]:
        referred: dict[str, tuple[RecordKey, ...] | RecordError] = {}
        for record in batch:
            try:
                referred[record.source_id] = references(record.payload) if record.may_refer else ()
            except RecordError as error:
                referred[record.source_id] = error
        return referred

    def _identities(
        self, referred: Mapping[str, "tuple[RecordKey, ...] | RecordError"]
    ) -> Mapping[RecordKey, Identity]:
        keys = {key for found in referred.values() if isinstance(found, tuple) for key in found}
        if not keys:
            return {}
        return self._context.store.loads.identities(self._context.migration.slug, self._context.store_gid, keys)

    def _guarded(self, record: LoadInput, known: "_Known") -> Plan | Settlement:
        try:
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
        if policy == "keep" or not record.gid:
            return unsent(record, Outcome.SKIPPED, reason="deleted at the source")
        plan = Plan(
            record=record,
            envelope=record.payload,
            parts=known.parts,
            gid=record.gid,
            identity=self._identity(record),
            is_new=False,
            withdrawal=policy,
        )
        if self._loader.withdraw(plan) is None:
            return unsent(record, Outcome.SKIPPED, reason=f"{self._loader.resource_type} cannot be archived")
        return plan

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
        open_step = self._open_steps.get(record.source_id)
        has_landed = _has_landed(record)
        if has_landed and self._options.conflict_strategy == "skip" and not known.is_set and open_step is None:
            return unsent(record, Outcome.SKIPPED, reason="conflict strategy skip")
        groups = self._groups(record, {record.source_id} if known.is_set else set())
        envelope = record.payload if groups is None else select(self._loader.resource_type, record.payload, groups)
        plan = Plan(
            record=record,
            envelope=resolve(envelope, lambda key: self._put(known.identities[key])) if known.referred else envelope,
            parts=known.parts,
            gid=record.gid,
            identity=self._identity(record),
            is_new=not has_landed or not record.gid,
            sends_stock=not has_landed or record.landed_groups.get("stock") != record.group_hashes.get("stock"),
            groups=groups,
            open_step=open_step,
            is_set=known.is_set,
        )
        if reason := self._loader.nothing_to_send(plan):
            settled = unsent(record, Outcome.SKIPPED, reason=reason)
            return replace(settled, clean=True, landed_groups=record.group_hashes)
        return replace(plan, publications=self._publications(plan))

    def _put(self, identity: Identity) -> str:
        return address(identity) if self._loader.resource_type is ResourceType.REDIRECTS else identity.gid

    def _publications(self, plan: Plan) -> tuple[str, ...]:
        if not self._loader.publishes:
            return ()
        names = plan.envelope.get("publications") or []
        before = plan.record.landed_groups.get("status", plan.record.landed_groups.get("content"))
        now = plan.record.group_hashes.get("status", plan.record.group_hashes.get("content"))
        if not plan.is_new and not plan.is_set and before == now:
            return ()
        known = self._context.publications
        if unknown := [name for name in names if name not in known]:
            raise RecordError(
                f"The store has no publication {unknown[0]}.", code="UNKNOWN_PUBLICATION", path="publications",
                hint=f"There are: {', '.join(sorted(known)) or 'none'}.",
            )  # fmt: skip
        return tuple(known[name] for name in names)

    def _waiting(self, missing: tuple[RecordKey, ...]) -> MissingReferenceError:
        staged = self._context.store.loads.staged_keys(self._context.dataset, missing)
        names = ", ".join(f"{key.resource_type} {key.source_id}" for key in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        never = [key for key in missing if RecordKey(key.resource_type, key.source_id) not in staged]
        if never:
            return MissingReferenceError(
                f"It refers to {names}{more}; {never[0].resource_type} {never[0].source_id} is not staged.",
                code="REFERENCE_NOT_STAGED",
                hint=f"Extract and transform {never[0].resource_type}, or take the reference out in the mapping.",
            )
        return MissingReferenceError(
            f"It waits for {names}{more} to land.", code="REFERENCE_PENDING", hint="It is sent once they have."
        )


def _has_landed(record: LoadInput) -> bool:
    return bool(record.landed_hash or record.landed_groups)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the record store knows around one record, read for its whole batch at once."""

    parts: Mapping[RecordKey, Identity]
    is_set: bool
    referred: tuple[RecordKey, ...] | RecordError
    identities: Mapping[RecordKey, Identity]


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

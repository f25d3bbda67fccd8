"""A load without its writes: for each record what would be done, how it differs, and what it would cost.

Plans exactly as a load does. The verdicts go to the caller one by one; nothing is sent but, when
asked to look (`live`), questions.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graftport_dagster.errors import GraftportError, RecordError
from graftport_dagster.loaders.drift import look
from graftport_dagster.loaders.masking import masked_diff, masked_envelope
from graftport_dagster.loaders.plan import GONE_FROM_SOURCE, Caller, LoadContext, Loader, Plan
from graftport_dagster.loaders.planner import Planner, unsent
from graftport_dagster.loaders.steps import course
from graftport_dagster.records import JsonObject, Outcome
from graftport_dagster.shopify.cost import requested_cost
from graftport_dagster.store.record_store import Lease, LoadInput, Settlement

_MOST_DIFFERENCES = 100
# The base cost of a mutation. Publishing is sent for 50 records at once.
_BASE_COST = 10.0
_PUBLISH_CALLS = 1 / 50
# Of a record in a bulk operation: its part of beginning it and of looking at it until it ends. No points are asked.
_BULK_CALLS = 1 / 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a load would do with one record. `cost`: points asked of Shopify. `diff`: of an update, field by field."""

    source_id: str
    verdict: str
    reason: str = ""
    diff: tuple[JsonObject, ...] = ()
    cost: float = 0.0
    payload: JsonObject | None = None

    def as_dict(self) -> JsonObject:
        """One line of the dry run's file."""
        return {
            "source_id": self.source_id, "verdict": self.verdict, "reason": self.reason, "diff": list(self.diff),
            "cost": self.cost, "payload": self.payload,
        }  # fmt: skip


@dataclass
class Rehearsed:
    """What a rehearsal counted; outcomes are those that the load would have had."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    calls: float = 0.0
    cost: float = 0.0


class Rehearsal:
    """One dry load of one resource type. `look` reads the live object for the diff, when given.

    `by_bulk`: the load would send what it can by bulk operations.
    """

    def __init__(self, loader: Loader, context: LoadContext, look: Caller | None, *, by_bulk: bool = False) -> None:
        self._loader = loader
        self.context = context
        self._look = look
        self._by_bulk = by_bulk
        self._planner = Planner(loader, context)
        self._lease = Lease(
            context.migration.slug, context.store_gid, loader.resource_type, context.run.run_id, fencing=0
        )
        self.rehearsed = Rehearsed()

    def verdicts(self, batches: Iterator[list[LoadInput]]) -> Iterator[list[Verdict]]:
        """Verdicts per batch, of all records that a load would look at."""
        for batch in batches:
            plans, settlements, untried = self._planner.plan(batch)
            self.rehearsed.outcomes.update(untried)
            # In a dry run the store keeps these as the run's own attempts only, for its report.
            self.context.store.loads.settle(self._lease, self.context.run, settlements)
            if self._look is not None:
                plans, held = look(self._loader, self.context, self._look, plans)
                self.context.store.loads.settle(self._lease, self.context.run, held)
                settlements += held
            verdicts = [self._unsent(settlement) for settlement in settlements]
            verdicts += [self._guarded(plan) for plan in plans]
            yield verdicts

    def _unsent(self, settlement: Settlement) -> Verdict:
        outcome = settlement.outcome or Outcome.ERRORED
        self.rehearsed.outcomes[outcome] += 1
        verdict = {Outcome.HELD: "held", Outcome.SKIPPED: "skip"}.get(outcome, "invalid")
        return Verdict(settlement.source_id, verdict, settlement.reason or str(settlement.error or ""))

    def _guarded(self, plan: Plan) -> Verdict:
        """The verdict; where one cannot be made for this record, a load could not send it either."""
        try:
            return self._verdict(plan)
        except Exception as error:
            if isinstance(error, GraftportError) and not isinstance(error, RecordError):
                raise
            settlement = unsent(plan.record, Outcome.ERRORED, error=error)
            self.context.store.loads.settle(self._lease, self.context.run, [settlement])
            return self._unsent(settlement)

    def _verdict(self, plan: Plan) -> Verdict:
        if plan.withdrawal:
            return self._withdrawal(plan)
        outcome = Outcome.CREATED if plan.is_new else Outcome.UPDATED
        call = self._loader.call(plan)
        left = course(self._loader, plan, outcome).left
        # A call that many records share counts by this one's part of it.
        parts = {step.key: step.together.weight / step.together.most if step.together else 1.0 for step in left}
        shares = sum(parts.values())
        cost = float(sum(requested_cost(step.document, {}) * parts[step.key] for step in left))
        if call is not None and not self._by_bulk:
            cost += requested_cost(call.document, call.variables)
        cost += _BASE_COST if plan.publications else 0.0
        diff = self._diff(plan)
        self.rehearsed.outcomes[outcome] += 1
        self.rehearsed.cost += cost
        main = 0.0 if call is None else _BULK_CALLS if self._by_bulk else 1.0
        self.rehearsed.calls += main + shares + (_PUBLISH_CALLS if plan.publications else 0)
        verdict = "create" if plan.is_new else "update"
        said = " ".join(message for _, message in plan.warnings)
        return Verdict(plan.record.source_id, verdict, said, masked_diff(diff), cost, masked_envelope(plan.envelope))

    def _withdrawal(self, plan: Plan) -> Verdict:
        self.rehearsed.outcomes[Outcome.DELETED if plan.withdrawal == "delete" else Outcome.ARCHIVED] += 1
        self.rehearsed.calls += 1
        self.rehearsed.cost += _BASE_COST
        return Verdict(plan.record.source_id, plan.withdrawal, GONE_FROM_SOURCE, (), _BASE_COST)

    def _diff(self, plan: Plan) -> tuple[JsonObject, ...]:
        if plan.is_new:
            return ()
        if self._look is not None and (there := self._loader.read(plan, self._look)) is not None:
            return differences(there, plan.envelope["input"])
        before, _ = self.context.store.loads.landed_payload(
            self.context.migration.slug, self.context.store_gid, self._loader.resource_type, plan.record.source_id
        )
        return differences(before, plan.record.payload) if before is not None else ()


def differences(old: object, new: object, path: str = "") -> tuple[JsonObject, ...]:
    """Where `new` would change `old`: `{"path", "old", "new"}` each; what `new` does not name stays as it is."""
    return tuple(found for found, _ in zip(_walk(old, new, path), range(_MOST_DIFFERENCES), strict=False))


def _walk(old: object, new: object, path: str) -> Iterator[JsonObject]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in new.items():
            yield from _walk(old.get(name), value, f"{path}.{name}" if path else name)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _walk_lists(old, new, path)
    elif old != new:
        yield {"path": path, "old": old, "new": new}


def _walk_lists(old: Sequence[object], new: Sequence[object], path: str) -> Iterator[JsonObject]:
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else None
        after = new[index] if index < len(new) else None
        yield from _walk(before, after, f"{path}[{index}]")

"""Which further steps of a record are still to be done, and what is remembered of those that are.

A step that makes a part is done where that part has an identity; any other one where its digest is
the one that landed. Digests stand among the landed groups under `step:<key>`, which no group is
called. What a step sends is its loader's business (`plan.Step`); in which order, `loader.py`'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graftport_dagster.loaders.plan import Loader, Plan, Repeats, Step
from graftport_dagster.records import Identity, Outcome, json_hash
from graftport_dagster.shopify.documents import document

_LANDED = "step:"


@dataclass(frozen=True, slots=True)
class Course:
    """A record whose main step is done: what it counts as, the steps still to be done, and what was spent."""

    plan: Plan
    outcome: Outcome
    steps: tuple[Step, ...] = ()
    left: tuple[Step, ...] = ()
    calls: int = 0
    cost: float = 0.0

    @property
    def step(self) -> Step:
        """The one whose turn it is."""
        return self.left[0]

    @property
    def is_over(self) -> bool:
        """Whether nothing of the record is left to be done."""
        return not self.left and not self.plan.publications

    @property
    def is_intended(self) -> bool:
        """Whether it is written down that the step whose turn it is is about to be sent.

        Of an update also what may be sent again freely: the source may take it back before anybody heard of it.
        """
        return self.step.repeats is not Repeats.FREELY or not self.plan.is_new

    def spending(self, calls: int, cost: float) -> "Course":
        """The same, with more spent."""
        return replace(self, calls=self.calls + calls, cost=self.cost + cost)

    def past(self, made: Identity | None) -> "Course":
        """The course after its current step, with the part that this made."""
        parts = {key: part for key, part in self.plan.parts.items() if key != self.step.unmakes}
        plan = replace(self.plan, parts={**parts, made.key: made} if made else parts)
        return replace(self, plan=plan, left=self.left[1:])

    def verified(self) -> "Course":
        """The course where an earlier call of its current step is known not to have been executed."""
        opened = {key: step for key, step in self.plan.open_steps.items() if key != self.step.key}
        return replace(self, plan=replace(self.plan, open_steps=opened))

    @property
    def landed_groups(self) -> Mapping[str, str]:
        """What is remembered once the record is done: the hashes of its groups and of its further steps."""
        groups = self.plan.groups if self.plan.groups is not None else self.plan.record.group_hashes
        return {**groups, **{_LANDED + step.key: step.digest for step in self.steps}} if self.steps else groups


def course(loader: Loader, plan: Plan, outcome: Outcome, *, calls: int = 0, cost: float = 0.0) -> Course:
    """What follows the main step of a plan, which has its GID and its parts; `calls`, `cost`: spent on that."""
    steps = (*_unpublishing(plan), *loader.steps(plan))
    return Course(plan, outcome, steps, tuple(remaining(steps, plan)) if steps else (), calls, cost)


def _unpublishing(plan: Plan) -> tuple[Step, ...]:
    """The step that takes a record out of publications."""
    if not plan.unpublish:
        return ()
    variables = {"id": plan.gid, "input": [{"publicationId": gid} for gid in plan.unpublish]}
    digest = json_hash([plan.record.payload_hash, plan.unpublish])
    text = document("publishable_unpublish")
    return (Step("unpublish", "publications", digest, text, lambda _plan, _caller: variables),)


def remaining(steps: Iterable[Step], plan: Plan) -> list[Step]:
    """Those that are not done yet."""
    return [step for step in steps if not _is_done(step, plan)]


def _is_done(step: Step, plan: Plan) -> bool:
    if step.is_carried or (step.part is not None and step.part in plan.parts and not step.changes):
        return True
    if step.key in plan.open_steps:
        return False
    if step.key in plan.done_steps:
        return plan.done_steps[step.key] == step.digest
    sends_again = (plan.everything or plan.in_doubt) and not step.only_changed
    return not sends_again and plan.record.landed_groups.get(_LANDED + step.key) == step.digest


def gathered(courses: Sequence[Course], *, at_least: int) -> tuple[list[Course], list[Course]]:
    """Of steps that go together: the next call's (none if it would not have `at_least` items), and the others."""
    batch: list[Course] = []
    others: list[Course] = []
    weight, is_full = 0, False
    for one in courses:
        together = one.step.together
        assert together is not None  # noqa: S101 - for the type checker
        fits = not batch or (one.step.key == batch[0].step.key and weight + together.weight <= together.most)
        is_full = is_full or (not fits and one.step.key == batch[0].step.key)
        if fits and not is_full:
            batch.append(one)
            weight += together.weight
            is_full = weight >= together.most
        else:
            others.append(one)
    return (batch, others) if is_full or weight >= at_least else ([], list(courses))


def immutable(steps: Sequence[Step], plan: Plan) -> list[str]:
    """The keys of steps whose part was made, and has changed in the source since."""
    landed = plan.record.landed_groups
    return [
        step.key
        for step in steps
        if step.part in plan.parts and not step.changes and landed.get(_LANDED + step.key, step.digest) != step.digest
    ]

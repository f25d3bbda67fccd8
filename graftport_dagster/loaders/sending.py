"""One record's call, with whatever must be cleared up before or after it: the network only.

Runs in a few threads and never touches the record store; what came of it goes back to
`loader.py`, which settles it. What may be sent again within seconds is the client's business.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from graftport_dagster.errors import LoadRejectedError, UnknownOutcomeError
from graftport_dagster.loaders.plan import Caller, Found, Landed, LoadContext, Loader, Plan
from graftport_dagster.loaders.products import id_metafield
from graftport_dagster.records import JsonObject, Outcome
from graftport_dagster.shopify.client import Answer, Shop
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError, rejection

# The base cost of a mutation, by Shopify's rate-limit page.
_PUBLISH_COST = 10.0
# How long an answer may wait for others before it is on the disk; a call takes longer than that.
_A_MOMENT = 0.02


class GoneError(LoadRejectedError):
    """The object that the record became is not in Shopify any more."""

    default_code = "GONE"


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one plan: `landed`, `error`, or neither where it was verified and is still to be sent."""

    plan: Plan
    landed: Landed | None = None
    is_adopted: bool = False
    error: Exception | None = None
    calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing a batch: refusals by GID, or one failure for all."""

    plans: Sequence[tuple[Plan, Outcome]]
    refused: Mapping[str, LoadRejectedError]
    failure: Exception | None = None
    calls: int = 0
    cost: float = 0.0


class Sender:
    """Sends plans of one resource type; its methods run in any thread and never raise."""

    def __init__(self, loader: Loader, context: LoadContext, shop: Shop) -> None:
        self._loader = loader
        self._context = context
        self._shop = shop

    def must_verify(self, plan: Plan) -> bool:
        """Whether an earlier call may have made the object, and Shopify can be asked for it by our id."""
        step = plan.open_step
        return self._loader.has_identifier and step is not None and not step.repeatable and not plan.gid

    def verify(self, plan: Plan) -> Sent:
        """What became of an earlier call: landed, or the plan as it is to be sent now."""
        return self._counted(plan, self._verify)

    def send(self, plan: Plan) -> Sent:
        """One record's main step."""
        return self._counted(plan, self._send)

    def _counted(self, plan: Plan, work: Callable[[Plan, Caller], Sent]) -> Sent:
        spent = _Spent(self._shop)
        try:
            sent = work(plan, spent)
        except Exception as error:  # noqa: BLE001 - carried to the calling thread, which classifies it
            sent = Sent(plan, error=error)
        return replace(sent, calls=spent.calls, cost=spent.cost)

    def publish(self, plans: Sequence[tuple[Plan, Outcome]]) -> Published:
        """The publication of up to 50 records in one call."""
        items = [(plan.gid, [{"publicationId": gid} for gid in plan.publications]) for plan, _ in plans]
        try:
            answers = self._shop.publish(items)
        except Exception as error:  # noqa: BLE001 - carried to the calling thread, which classifies it
            return Published(plans, {}, error, calls=1)
        refused = {plan.gid: _unpublished(errors) for (plan, _), errors in zip(plans, answers, strict=True) if errors}
        return Published(plans, refused, None, calls=1, cost=_PUBLISH_COST * len(plans))

    def _send(self, plan: Plan, caller: Caller) -> Sent:
        if plan.withdrawal:
            return self._withdraw(plan, caller)
        answer = self._call(plan, caller)
        # What was deleted in Shopify below a record that stayed is made again; one answer may name only some of it.
        while gone := {key for error in answer.user_errors if (key := self._loader.gone_part(plan, error))}:
            if gone.isdisjoint(plan.parts):
                break
            plan = replace(plan, parts={key: part for key, part in plan.parts.items() if key not in gone})
            answer = self._call(plan, caller)
        if answer.user_errors:
            return self._refused(plan, answer.user_errors, caller)
        return Sent(plan, self._loader.landed(plan, answer.data, caller))

    def _verify(self, plan: Plan, caller: Caller) -> Sent:
        found = self._loader.look_up(plan, caller)
        if found is None:
            self._wait_out(plan)
            return Sent(replace(plan, open_step=None))
        if plan.open_step is not None and plan.open_step.payload_hash == plan.record.payload_hash:
            return Sent(plan, Landed(found.gid, found.handle))
        return Sent(replace(plan, gid=found.gid))

    def _withdraw(self, plan: Plan, caller: Caller) -> Sent:
        call = self._loader.withdraw(plan)
        errors = caller.call(call.document, call.variables, repeatable=True).user_errors if call else ()
        if errors and not any(self._loader.is_gone(error) for error in errors):
            return Sent(plan, error=rejection(errors))
        return Sent(plan, Landed(plan.gid))

    def _call(self, plan: Plan, caller: Caller) -> Answer:
        call = self._loader.call(plan)
        repeatable = bool(plan.gid) or self._loader.repeats_creation
        return caller.call(call.document, call.variables, repeatable=repeatable)

    def _wait_out(self, plan: Plan) -> None:
        """Only an answer asked for long after the last send counts: that call may still be running."""
        if plan.open_step is None:
            return
        decides_at = plan.open_step.sent_at + timedelta(
            seconds=self._context.migration.destination.verify_after_seconds
        )
        if self._context.now() < decides_at:
            raise UnknownOutcomeError(
                "An earlier call for this record may still be running in Shopify, and its object is not there yet.",
                code="TOO_EARLY",
                hint=f"A run after {decides_at:%H:%M:%S} UTC decides.",
            )

    def _refused(self, plan: Plan, errors: Sequence[UserError], caller: Caller) -> Sent:
        error = rejection(errors)
        if plan.gid and any(self._loader.is_gone(user_error) for user_error in errors):
            return Sent(plan, error=_gone())
        found = None if plan.gid else self._occupant(plan, errors, caller)
        if found is None:
            if not self._loader.has_identifier:
                # Refused perhaps for our own object, which search does not know yet.
                self._wait_out(plan)
            return Sent(plan, error=error)
        # Where Shopify keeps no id of ours, an open step is what tells our object from another's.
        is_ours = found.identity == plan.identity or (not self._loader.has_identifier and plan.open_step is not None)
        if not is_ours and (found.identity or self._context.migration.options.adopt_existing == "never"):
            return Sent(plan, error=_occupied(error, found))
        plan = replace(plan, gid=found.gid)
        if not is_ours and self._loader.has_identifier:
            # First of all it is made ours, so that no second record takes it over too.
            own = {"ownerId": found.gid, **id_metafield(plan.identity), "compareDigest": None}
            caller.call(document("metafields_set"), {"metafields": [own]}, repeatable=True).raise_for_user_errors()
        answer = self._call(plan, caller)
        if answer.user_errors:
            return Sent(plan, error=rejection(answer.user_errors))
        return Sent(plan, self._loader.landed(plan, answer.data, caller), is_adopted=not is_ours)

    def _occupant(self, plan: Plan, errors: Sequence[UserError], caller: Caller) -> Found | None:
        for error in errors:
            if (found := self._loader.occupant(plan, error, caller)) is not None:
                return found
        return None


def _unpublished(errors: Sequence[UserError]) -> LoadRejectedError:
    # The other field is the list of publications.
    if any(error.field[-1:] == ("id",) or error.code == "RESOURCE_NOT_FOUND" for error in errors):
        return _gone()
    error = rejection(errors)
    error.path = "publications"
    return error


def _gone() -> GoneError:
    return GoneError(
        "The object was deleted in Shopify.",
        hint="The next run creates it again; exclude the record in the mapping if it is to stay away.",
    )


def _occupied(error: LoadRejectedError, found: Found) -> LoadRejectedError:
    owner = f"carries the id {found.identity}" if found.identity else "is not from this migration"
    hint = (
        "Give one of them another handle, path or code."
        if found.identity
        else "Set options.adopt_existing: by_natural_key to take it over, or rename or delete it in Shopify."
    )
    return LoadRejectedError(
        f"{error.message} {found.gid} is there already and {owner}.", code="ALREADY_THERE", path=error.path, hint=hint
    )


class _Spent:
    """Passes calls on and counts what one attempt asks of the shop, look-ups included."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.calls = 0
        self.cost = 0.0

    def call(self, document: str, variables: JsonObject, *, repeatable: bool) -> Answer:
        self.calls += 1
        answer = self._shop.call(document, variables, repeatable=repeatable)
        self.calls += answer.calls - 1
        self.cost += answer.cost_actual
        return answer


class Threads:
    """A few daemon threads: a second signal must be able to end the process while they wait for an answer."""

    def __init__(self, number: int) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], Sent | Published] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Sent | Published] = queue.SimpleQueue()
        self._number = number
        self._started = 0
        self.in_flight = 0

    def submit(self, job: Callable[[], Sent | Published]) -> None:
        """Runs the job, which must not raise, in one of the threads."""
        if self._started < self._number:
            self._started += 1
            threading.Thread(target=self._work, daemon=True).start()
        self.in_flight += 1
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._answers.put(job())

    def answers(self, *, seconds: float) -> list[Sent | Published]:
        """What is answered by now, or the first within so many seconds; [] if none came.

        Answers that come within a moment of the first are taken with it, so that they settle together.
        """
        found: list[Sent | Published] = []
        try:
            found.append(self._answers.get(timeout=seconds))
            until = time.monotonic() + _A_MOMENT
            while len(found) < self.in_flight:
                found.append(self._answers.get(timeout=max(0.0, until - time.monotonic())))
        except queue.Empty:
            pass
        self.in_flight -= len(found)
        return found

    def close(self) -> None:
        """Lets the threads end once they are idle; does not wait for them."""
        for _ in range(self._started):
            self._jobs.put(None)

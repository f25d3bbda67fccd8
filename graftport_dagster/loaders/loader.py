"""The one algorithm by which every record lands, once.

For each pending record: resolve its references, and for one step after another commit the intent,
send, commit the answer. What may be sent again by itself, and how an answer that was lost is cleared
up, is decided for every resource type alike, here and in `sending.py`; a resource type only says what
its steps look like (`products.py`, `orders.py` …). The network is used by a few threads, the record
store by the calling thread alone. Retries within seconds are in `shopify/client.py`.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from graftport_dagster.errors import (
    ConfigurationError,
    GraftportError,
    TransientError,
    UnclearError,
    UnknownOutcomeError,
)
from graftport_dagster.loaders.answered import Answered, Carried, GoneError, Joined, Published, Sent, Stepped
from graftport_dagster.loaders.bulk import Bulk
from graftport_dagster.loaders.bulk_operation import Heard, Limits
from graftport_dagster.loaders.drift import look
from graftport_dagster.loaders.giving_up import GivingUp
from graftport_dagster.loaders.plan import (
    GONE_FROM_SOURCE,
    MAIN_STEP,
    PUBLISH_STEP,
    Landed,
    LoadContext,
    Loader,
    Plan,
    Repeats,
)
from graftport_dagster.loaders.planner import Planner
from graftport_dagster.loaders.sending import Sender, Spent
from graftport_dagster.loaders.steps import Course, course, gathered
from graftport_dagster.loaders.tally import Tally
from graftport_dagster.loaders.threads import Threads
from graftport_dagster.records import Identity, Outcome, RecordKey
from graftport_dagster.shopify.client import Shop
from graftport_dagster.store.record_store import Intent, Lease, LoadInput, Settlement

_PUBLISH_BATCH = 50
# More items than any one call takes.
_ALWAYS_FULL = 1_000_000
# A line of progress at most this often: a line in Dagster's log costs milliseconds.
_TELL_SECONDS = 5.0
# Calls handed to the threads at once, per thread.
_AHEAD = 4
LEASE_SECONDS = 60.0


class Loading:
    """One load of one resource type into one store; use once."""

    def __init__(
        self, loader: Loader, context: LoadContext, shop: Shop, lease: Lease, *, expected: int = 0,
        by_bulk: Limits | None = None,
    ) -> None:  # fmt: skip
        self._loader = loader
        self._context = context
        self._lease = lease
        self._loads = context.store.loads
        self._planner = Planner(loader, context)
        self._shop = shop
        self._sender = Sender(loader, context, shop)
        self._concurrency = context.migration.destination.concurrency
        self._threads: Threads[Answered | Heard] = Threads(self._concurrency)
        self._bulk = Bulk(loader, context, shop, lease, self._threads, self._sender, by_bulk)
        # Records whose last settled step is not their last one.
        self._under_way: list[Course] = []
        self._to_join: list[Course] = []
        self._to_publish: list[Course] = []
        self._giving_up = GivingUp(context.migration.options.abort_after)
        self._renewed_at = self._told_at = time.monotonic()
        self._expected = expected
        self.tally = Tally()

    def run(self) -> Tally:
        """Sends what is pending, until it is done, asked to stop, or stopped by an error (`tally.fatal`).

        Whatever stops it, the tally says what became of those before.
        """
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - carried in the tally, and raised when that is recorded
            self.tally.fatal = error
        finally:
            self._threads.close()
            self._bulk.close()
        self.tally.in_bulk, self.tally.operations = self._bulk.carried, self._bulk.operations
        return self.tally

    def _run(self) -> None:
        # What an earlier load has left to Shopify is known before anything is sent.
        self._bulk.recover()
        self._drain(down_to=0)
        for batch in self._loads.to_load(
            self._context.dataset, self._context.store_gid, self._loader.resource_type, self._context.selection,
            only_pending=self._context.run.options.only_dirty, with_deleted=self._context.withdraws,
        ):  # fmt: skip
            if not self._goes_on():
                break
            self._load(batch)
        self._bulk.flush()
        self._drain(down_to=0)
        if self.tally.fatal is None:
            # Also after a stop was asked for: what has landed is finished in a call or two.
            while self._to_join:
                self._join(at_least=1)
                self._drain(down_to=0)
            self._publish(at_least=1)
            self._drain(down_to=0)
        if self.tally.seen:
            self._tell()

    def _goes_on(self) -> bool:
        return self.tally.fatal is None and not self._context.should_stop()

    def _load(self, batch: Sequence[LoadInput]) -> None:
        self._renew()
        plans, settlements, untried = self._planner.plan(batch)
        self.tally.outcomes.update(untried)
        self._settle(settlements)
        if any(plan.snapshot for plan in plans):
            plans, held = self._looked_at(plans)
            self._settle(held)
        # Intents are committed only for calls about to leave: after a kill each must be cleared up.
        for chunk in _chunks(self._bulk.take(plans), _AHEAD * self._concurrency):
            if not self._goes_on():
                break
            self._send(chunk)
            self._drain(down_to=self._concurrency)
        if self._bulk.is_open:
            self._turn(seconds=0.0)
            self._drain(down_to=self._concurrency)

    def _looked_at(self, plans: list[Plan]) -> tuple[list[Plan], list[Settlement]]:
        """What may be sent of the plans, once the store was asked for edits since our last write."""
        spent = Spent(self._shop)
        try:
            return look(self._loader, self._context, spent, plans)
        except TransientError:
            if self._context.should_stop():
                return [], []
            raise
        finally:
            self.tally.calls += spent.calls
            self.tally.cost += spent.cost

    def _send(self, chunk: Sequence[Plan]) -> None:
        to_send = []
        finished: list[Settlement] = []
        for plan in chunk:
            if plan.is_set:
                settled = self._after(course(self._loader, plan, _outcome(plan)))
                finished += [settled] if settled.outcome is not None else []
            elif self._sender.must_verify(plan):
                # Its intent stays as it is until it is known what became of the earlier call.
                self._threads.submit(lambda plan=plan: self._sender.verify(plan))  # type: ignore[misc]
            else:
                to_send.append(plan)
        # An update's too: while one is on its way, what landed last does not say what Shopify has.
        if to_send:
            self._loads.intend(self._lease, [self._intent(plan) for plan in to_send], self._context.run)
        for plan in to_send:
            self._threads.submit(lambda plan=plan: self._sender.send(plan))  # type: ignore[misc]
        self._settle(finished)
        self._go_on()

    def _go_on(self) -> None:
        """Sends the next step of each record under way."""
        courses, self._under_way = self._under_way, []
        self._to_publish += [one for one in courses if not one.left]
        self._to_join += [one for one in courses if one.left and one.step.together is not None]
        waiting = [one for one in courses if one.left and one.step.together is None]
        if to_step := waiting if self._goes_on() else ():
            self._intend_steps(to_step)
            for one in to_step:
                self._threads.submit(lambda one=one: self._sender.step(one))  # type: ignore[misc]
        self._join(at_least=_ALWAYS_FULL)
        self._publish(at_least=_PUBLISH_BATCH)

    def _join(self, *, at_least: int) -> None:
        """Sends steps that many records do in one call: full calls, or whatever has so many items."""
        while self._to_join:
            batch, self._to_join = gathered(self._to_join, at_least=at_least)
            if not batch:
                break
            self._intend_steps(batch)
            self._threads.submit(lambda batch=batch: self._sender.together(batch))  # type: ignore[misc]

    def _intend_steps(self, courses: Sequence[Course]) -> None:
        intents = [
            Intent(one.plan.record.source_id, one.step.key, one.step.digest, one.step.repeats is not Repeats.NEVER)
            for one in courses
            if one.is_intended and one.step.key not in one.plan.open_steps
        ]
        if intents:
            self._loads.intend(self._lease, intents, self._context.run)

    def _intent(self, plan: Plan) -> Intent:
        return Intent(plan.record.source_id, MAIN_STEP, plan.record.payload_hash, self._loader.repeats_creation)

    def _drain(self, *, down_to: int) -> None:
        """Settles answers until at most so many calls are in flight; all that are there settle together.

        With 0 also until no bulk operation is open.
        """
        while self._threads.in_flight > down_to or (self._bulk.is_full if down_to else self._bulk.is_open):
            self._turn(seconds=self._bulk.pause)

    def _turn(self, *, seconds: float) -> None:
        """Settles what is answered by now, or the first answer within so many seconds, and sends what follows it."""
        self._bulk.turn(goes_on=self._goes_on())
        answers = self._threads.answers(seconds=seconds)
        # Asked here too, so that calls which wait for points give up soon after a stop.
        self._context.should_stop()
        self._renew()
        settlements: list[Settlement] = []
        verified: list[Plan] = []
        for answer in answers:
            self.tally.calls += answer.calls
            self.tally.cost += answer.cost
            if isinstance(answer, Heard):
                self._bulk.hear(answer)
            elif isinstance(answer, Sent) and answer.landed is None and answer.error is None:
                if answer.plan.record.source_deleted and not (answer.plan.gid and answer.plan.withdrawal):
                    settlements.append(self._left(answer))
                else:
                    verified.append(answer.plan)
            else:
                settlements.extend(self._settlements(answer))
        settlements.extend(self._sent(sent) for sent in self._bulk.untold())
        self._settle(settlements)
        self.tally.fatal = self.tally.fatal or self._bulk.fatal
        if self._goes_on():
            self._send([*verified, *self._bulk.given_back(_AHEAD * self._concurrency)])
        self._go_on()
        if time.monotonic() - self._told_at > _TELL_SECONDS:
            self._tell()

    def _tell(self) -> None:
        of_all = f" of {self._expected}" if self._expected else ""
        calls = f"{self.tally.calls} calls, {self.tally.cost:,.0f} points"
        beside = "".join(f"; {told}" for told in (self._bulk.told, self._shop.told) if told)
        kind = self._loader.resource_type
        self._context.progress(f"{kind}: {self.tally.seen}{of_all} records settled, {calls}{beside}")
        self._told_at = time.monotonic()

    def _renew(self) -> None:
        if time.monotonic() - self._renewed_at > LEASE_SECONDS / 3:
            self._loads.renew(self._lease, seconds=LEASE_SECONDS)
            self._renewed_at = time.monotonic()

    def _publish(self, *, at_least: int) -> None:
        while len(self._to_publish) >= at_least:
            batch = self._to_publish[:_PUBLISH_BATCH]
            del self._to_publish[:_PUBLISH_BATCH]
            self._threads.submit(lambda batch=batch: self._sender.publish(batch))  # type: ignore[misc]

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        if not settlements:
            return
        self._loads.settle(self._lease, self._context.run, settlements)
        for settlement in settlements:
            if settlement.outcome is not None:
                self.tally.outcomes[settlement.outcome] += 1
                stopped_by = self._giving_up.after(settlement.error)
                self.tally.fatal = self.tally.fatal or stopped_by

    def _settlements(self, answer: Answered) -> Iterator[Settlement]:
        if isinstance(answer, Published):
            yield from self._published(answer)
        elif isinstance(answer, Carried):
            self._bulk.settles(answer)
            yield from map(self._recovered if answer.is_recovered else self._sent, answer.results)
        elif isinstance(answer, Joined):
            yield from (self._stepped(one) for one in answer.results)
        elif isinstance(answer, Sent):
            yield self._sent(answer)
        elif answer.is_absent:
            self._under_way.append(answer.course.verified().spending(answer.calls, answer.cost))
        else:
            yield self._stepped(answer)

    def _settlement(self, plan: Plan, **said: Any) -> Settlement:
        """The record's settlement with what is said of it; errored until more is known."""
        record = plan.record
        return Settlement(
            source_id=record.source_id, payload_hash=record.payload_hash, mapping_version=record.mapping_version,
            warnings=plan.warnings, **{"outcome": Outcome.ERRORED, **said},
        )  # fmt: skip

    def _own(self, plan: Plan) -> RecordKey:
        return RecordKey(self._loader.resource_type, plan.record.source_id)

    def _sent(self, sent: Sent) -> Settlement:
        """What came of a main step."""
        plan = sent.plan
        if sent.landed is not None:
            return self._landed(sent, sent.landed)
        said = {"calls": sent.calls, "cost": sent.cost, "error": sent.error}
        if not self._is_about(sent.error):
            released = (MAIN_STEP,) if plan.open_step is None else ()
            return self._settlement(plan, **said | {"outcome": None, "error": None, "steps_released": released})
        if isinstance(sent.error, UnknownOutcomeError):
            return self._settlement(plan, **said | {"outcome": Outcome.UNKNOWN}, steps_unknown=(MAIN_STEP,))
        if isinstance(sent.error, GoneError):
            return self._gone(plan, **said)
        if plan.open_step is not None or not _is_foreseen(sent.error):
            # What an earlier call made may still be there, and search may find it yet.
            return self._settlement(plan, **said, steps_unknown=(MAIN_STEP,))
        return self._settlement(plan, **said, steps_released=(MAIN_STEP,))

    def _gone(self, plan: Plan, *steps: str, **said: Any) -> Settlement:
        """The settlement of a record whose object is gone: nothing of it is kept."""
        removed = (self._own(plan), *plan.parts)
        released = (MAIN_STEP, *plan.done_steps, *plan.open_steps, *steps)
        return self._settlement(plan, **said, steps_released=released, removed_identities=removed)

    def _landed(self, sent: Sent, landed: Landed) -> Settlement:
        plan, own = sent.plan, self._own(sent.plan)
        if plan.withdrawal:
            is_deleted = plan.withdrawal == "delete"
            outcome = Outcome.DELETED if is_deleted else Outcome.ARCHIVED
            removed = (own, *plan.parts) if is_deleted else ()
            return self._settlement(plan, outcome=outcome, removed_identities=removed, calls=sent.calls, cost=sent.cost)
        parts = {**plan.parts, **{part.key: part for part in landed.parts}} if landed.parts else plan.parts
        outcome = Outcome.ADOPTED if sent.is_adopted else _outcome(plan)
        plan = replace(plan, gid=landed.gid, parts=parts)
        return self._after(
            course(self._loader, plan, outcome, calls=sent.calls, cost=sent.cost),
            **self._made(plan, landed),
            # A step done says that the whole payload is there; of a filtered update only some groups are.
            steps_done={} if plan.groups is not None else {MAIN_STEP: landed.gid},
        )

    def _left(self, sent: Sent) -> Settlement:
        """What is gone from the source, and has no object or keeps it, as was just found out."""
        plan = sent.plan
        identities = (Identity(self._own(plan), plan.gid), *plan.parts.values()) if plan.gid else ()
        return self._settlement(
            plan, outcome=Outcome.SKIPPED, reason=GONE_FROM_SOURCE, identities=identities, steps_released=(MAIN_STEP,),
            calls=sent.calls, cost=sent.cost,
        )  # fmt: skip

    def _made(self, plan: Plan, landed: Landed) -> dict[str, Any]:
        """What is kept of a main step that is done."""
        identities = (Identity(self._own(plan), landed.gid, landed.handle), *landed.parts)
        return {"identities": identities, "removed_identities": landed.gone, "snapshot": landed.snapshot}

    def _recovered(self, sent: Sent) -> Settlement:
        """A main step that an earlier load's operation did: the record has its turn yet, and goes on behind it."""
        assert sent.landed is not None  # noqa: S101 - for the type checker
        said = self._made(sent.plan, sent.landed)
        return self._settlement(sent.plan, **said, outcome=None, steps_done={MAIN_STEP: sent.landed.gid})

    def _stepped(self, stepped: Stepped) -> Settlement:
        """What came of a further step."""
        one = stepped.course.spending(stepped.calls, stepped.cost)
        plan, step, error = one.plan, one.step, stepped.error
        said = {"calls": one.calls, "cost": one.cost, "error": error, "step_hashes": {step.key: step.digest}}
        if error is None:
            made = Identity(step.part, stepped.gid) if step.part is not None and stepped.gid else None
            identities = (made,) if made else ()
            done = {step.key: stepped.gid}
            gone = (step.unmakes,) if step.unmakes is not None else ()
            hashes = said["step_hashes"]
            return self._after(
                one.past(made), identities=identities, removed_identities=gone, steps_done=done, step_hashes=hashes
            )
        keeps, opened = (step.key,) if one.is_intended else (), step.key in plan.open_steps
        if not self._is_about(error):
            released = () if opened else keeps
            return self._settlement(plan, **said | {"outcome": None, "error": None}, steps_released=released)
        if isinstance(error, UnknownOutcomeError):
            return self._settlement(plan, **said, outcome=Outcome.UNKNOWN, steps_unknown=(step.key,))
        if isinstance(error, UnclearError):
            reason = error.held_for
            return self._settlement(plan, **said, outcome=Outcome.HELD, reason=reason, steps_unknown=keeps)
        if isinstance(error, GoneError):
            return self._gone(plan, step.key, **said)
        if opened or not _is_foreseen(error):
            return self._settlement(plan, **said, steps_unknown=keeps)
        return self._settlement(plan, **said, steps_released=keeps)

    def _is_about(self, error: Exception | None) -> bool:
        """Whether it is the record's: not where a stop cut its tries short, nor where the type cannot go on.

        A wrong token or version is no record's fault: the type stops, and no record is marked.
        """
        if isinstance(error, ConfigurationError):
            self.tally.fatal = self.tally.fatal or error
            return False
        return not (isinstance(error, TransientError) and self._context.should_stop())

    def _after(self, one: Course, **said: Any) -> Settlement:
        """The settlement of a step that is done: the record's own where it was the last one."""
        if one.is_over:
            return self._finished(one, **said)
        self._under_way.append(one)
        return self._settlement(one.plan, **said, outcome=None)

    def _finished(self, one: Course, **said: Any) -> Settlement:
        said |= {"outcome": one.outcome, "landed_groups": one.landed_groups, "calls": one.calls, "cost": one.cost}
        if one.plan.groups is None:
            return self._settlement(one.plan, **said | {"clean": True, "steps_done": {}})
        # Some groups have landed and the record stays pending in the others, with no step left half done.
        released = (MAIN_STEP, PUBLISH_STEP, *(step.key for step in one.steps))
        return self._settlement(one.plan, **said | {"steps_done": {}, "steps_released": released})

    def _published(self, published: Published) -> Iterator[Settlement]:
        for one in published.courses:
            said = {"calls": one.calls, "cost": one.cost}
            error: Exception | None = published.failure or published.refused.get(one.plan.gid)
            if error is None:
                yield self._finished(one)
            elif isinstance(error, GoneError):
                yield self._gone(one.plan, **said, error=error)
            elif self._is_about(error):
                is_lost = isinstance(error, UnknownOutcomeError)
                outcome = Outcome.UNKNOWN if is_lost else Outcome.ERRORED
                yield self._settlement(one.plan, **said, outcome=outcome, error=error)


def _is_foreseen(error: Exception | None) -> bool:
    """Whether it is one of ours, which say what was executed; another may have been met after the call."""
    return isinstance(error, GraftportError)


def _outcome(plan: Plan) -> Outcome:
    return Outcome.CREATED if plan.is_new else Outcome.UPDATED


def _chunks(plans: Sequence[Plan], size: int) -> Iterator[list[Plan]]:
    iterator = iter(plans)
    while chunk := list(islice(iterator, size)):
        yield chunk

"""One step of one record, with whatever must be cleared up before or after it: the network only.

Runs in a few threads and never touches the record store; what came of it goes back to
`loader.py`, which settles it. What may be sent again within seconds is the client's business.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from graftport_dagster.errors import LoadRejectedError, TransientError, UnknownOutcomeError
from graftport_dagster.loaders.answered import Carried, GoneError, Joined, Published, Sent, Stepped
from graftport_dagster.loaders.masking import masked_error
from graftport_dagster.loaders.plan import (
    Caller,
    Carrier,
    Clearing,
    Found,
    Landed,
    LoadContext,
    Loader,
    Plan,
    Repeats,
    Step,
    Together,
    Unsent,
)
from graftport_dagster.loaders.products import id_metafield
from graftport_dagster.loaders.steps import Course
from graftport_dagster.records import JsonObject, json_hash
from graftport_dagster.shopify.client import Answer, Shop, read_line
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError, rejection
from graftport_dagster.store.record_store import OpenStep

# The base cost of a mutation, by Shopify's rate-limit page.
_PUBLISH_COST = 10.0
# Shopify remembers an idempotency key for 24 hours; ours counts from before its call was sent.
_KEY_LIVES = timedelta(hours=23)
# By how much Shopify's clock and the record store's may disagree.
_CLOCKS_DIFFER = timedelta(minutes=2)


# A call that would be refused for longer than so many seconds is not sent.
_SOON = 60.0


class Sender:
    """Sends plans of one resource type; its methods run in any thread and never raise."""

    def __init__(self, loader: Loader, context: LoadContext, shop: Shop) -> None:
        self._loader = loader
        self._context = context
        self._shop = shop

    def must_verify(self, plan: Plan) -> bool:
        """Whether an earlier call may have made the object, and Shopify can be asked for it by our id.

        Where it may be called again that is simpler, but not for what is gone from the source.
        """
        step = plan.open_step
        if step is None or plan.gid or not self._loader.has_identifier:
            return False
        return not step.repeatable or plan.record.source_deleted

    def verify(self, plan: Plan) -> Sent:
        """What became of an earlier call: landed, or the plan as it is to be sent now."""
        return self._counted(plan, self._verify)

    def send(self, plan: Plan) -> Sent:
        """One record's main step."""
        return self._counted(plan, self._send)

    def _counted(self, plan: Plan, work: Callable[[Plan, Caller], Sent], *, finishes: bool = False) -> Sent:
        spent = Spent(self._shop, finishes=finishes)
        try:
            sent = work(plan, spent)
        except Exception as error:  # noqa: BLE001 - carried to the calling thread, which classifies it
            sent = Sent(plan, error=error)
        if sent.error is not None:
            masked_error(sent.error, plan)
        return replace(sent, calls=spent.calls, cost=spent.cost)

    def step(self, course: Course) -> Stepped:
        """The step whose turn it is; an earlier call of it is cleared up first."""
        spent = Spent(self._shop)
        try:
            stepped = self._step(course, spent)
        except Exception as error:  # noqa: BLE001 - carried to the calling thread, which classifies it
            stepped = Stepped(course, error=masked_error(error, course.plan))
        return replace(stepped, calls=spent.calls, cost=spent.cost)

    def _step(self, course: Course, caller: Caller) -> Stepped:
        plan, step = course.plan, course.step
        opened = plan.open_steps.get(step.key)
        if opened is not None and step.find is not None and self._must_find(step, opened):
            if (gid := step.find(plan, caller)) is not None:
                return Stepped(course, gid)
            self._wait_out(opened)
            return Stepped(course, is_absent=True)
        variables = step.variables(plan, caller)
        if variables is None:
            return Stepped(course)
        if isinstance(variables, Unsent):
            warnings = (*plan.warnings, (variables.code, variables.message))
            return Stepped(replace(course, plan=replace(plan, warnings=warnings)))
        if step.repeats is Repeats.BY_KEY:
            began = opened.run_id if opened is not None else self._context.run.run_id
            variables = {**variables, "key": json_hash([self._context.store_gid, plan.identity, step.key, began])}
        answer = caller.call(step.document, variables, repeatable=step.repeats is not Repeats.NEVER)
        if any(self._loader.is_gone(error) for error in answer.user_errors):
            raise _gone()
        if answer.user_errors:
            refused = rejection(answer.user_errors)
            refused.path = step.path + refused.path.removeprefix("input")
            raise refused
        return Stepped(course, step.made(answer.data))

    def together(self, courses: Sequence[Course]) -> Joined:
        """One step of many records, which go together; what is refused of one does not keep the others back."""
        spent = Spent(self._shop)
        try:
            results = Joining(courses, self._key_of).send(spent)
        except Exception as error:  # noqa: BLE001 - carried to the calling thread, which classifies it
            results = [Stepped(course, error=error) for course in courses]
        return Joined(results, spent.calls, spent.cost)

    def _key_of(self, content: object) -> str:
        """An `@idempotent` key: the same content may well come twice a day, but not twice in one run."""
        return json_hash([self._context.store_gid, self._context.run.run_id, content])

    def _must_find(self, step: Step, opened: OpenStep) -> bool:
        """Whether sending it once more could do it twice."""
        if step.repeats is Repeats.BY_KEY:
            return opened.payload_hash != step.digest or self._context.now() - opened.sent_at > _KEY_LIVES
        return step.repeats is Repeats.NEVER

    def publish(self, courses: Sequence[Course]) -> Published:
        """The publication of up to 50 records in one call."""
        plans = [course.plan for course in courses]
        items = [(plan.gid, [{"publicationId": gid} for gid in plan.publications]) for plan in plans]
        try:
            answers = self._shop.publish(items)
        except Exception as error:  # noqa: BLE001 - carried to the calling thread, which classifies it
            return Published(courses, {}, error, calls=1)
        refused = {plan.gid: _unpublished(errors) for plan, errors in zip(plans, answers, strict=True) if errors}
        return Published(courses, refused, None, calls=1, cost=_PUBLISH_COST * len(plans))

    def _send(self, plan: Plan, caller: Caller) -> Sent:
        if plan.withdrawal:
            return self._withdraw(plan, caller)
        plan = self._loader.prepare(plan, caller)
        answer = self._call(plan, caller)
        if answer is None:
            return Sent(plan, Landed(plan.gid, plan.record.handle))
        return self._answered(plan, answer, caller)

    def carried(
        self, token: str, lines: Sequence[tuple[Plan, JsonObject]], carrier: Carrier, *, recovers: bool
    ) -> Carried:
        """What a bulk operation's answers say, each as if its main step had been called.

        What is no answer yet (Shopify was too busy for the line) is called after all. `recovers`: the operation
        is an earlier load's: nothing is called for it, and what has not landed is left as it stands.
        """
        spent = Spent(self._shop, finishes=True)
        answers: list[tuple[Plan, Answer]] = []
        results: list[Sent] = []
        for plan, line in lines:
            try:
                answers.append((plan, read_line(line)))
            except TransientError as error:
                is_for_long = error.retry_after > _SOON
                results.append(Sent(plan, error=error) if recovers or is_for_long else self.send(plan))
            except Exception as error:  # noqa: BLE001 - carried to the calling thread, which classifies it
                results.append(Sent(plan, error=masked_error(error, plan)))
        if recovers:
            answers = [(plan, answer) for plan, answer in answers if not answer.user_errors]
        try:
            carrier.fill_in([(plan, answer.data) for plan, answer in answers if not answer.user_errors], spent)
        except Exception as error:  # noqa: BLE001 - likewise
            results += [Sent(plan, error=error) for plan, _ in answers]
        else:
            results += [self._concluded(plan, answer) for plan, answer in answers]
        calls = spent.calls + sum(sent.calls for sent in results)
        cost = spent.cost + sum(sent.cost for sent in results)
        kept = [sent for sent in results if sent.landed is not None] if recovers else results
        return Carried(token, kept, recovers, calls, cost)

    def _concluded(self, plan: Plan, answer: Answer) -> Sent:
        work: Callable[[Plan, Caller], Sent] = lambda plan, caller: self._answered(plan, answer, caller)  # noqa: E731
        return self._counted(plan, work, finishes=True)

    def _answered(self, plan: Plan, answer: Answer, caller: Caller) -> Sent:
        """What came of a main step that Shopify has answered."""
        # What was deleted in Shopify below a record that stayed is made again; one answer may name only some of it.
        while gone := {key for error in answer.user_errors if (key := self._loader.gone_part(plan, error))}:
            if gone.isdisjoint(plan.parts):
                break
            plan = replace(plan, parts={key: part for key, part in plan.parts.items() if key not in gone})
            answer = self._call(plan, caller) or answer
        if answer.user_errors:
            return self._refused(plan, answer.user_errors, caller)
        return Sent(plan, self._loader.landed(plan, answer.data, caller))

    def _verify(self, plan: Plan, caller: Caller) -> Sent:
        found = self._loader.look_up(plan, caller)
        if found is None:
            self._wait_out(plan.open_step)
            return Sent(replace(plan, open_step=None))
        if plan.record.source_deleted:
            return Sent(replace(_taken(plan, found), open_step=None))
        if plan.open_step is not None and plan.open_step.payload_hash == plan.record.payload_hash:
            return Sent(plan, Landed(found.gid, found.handle, found.parts))
        return Sent(_taken(plan, found))

    def _withdraw(self, plan: Plan, caller: Caller) -> Sent:
        call = self._loader.withdraw(plan)
        errors = caller.call(call.document, call.variables, repeatable=True).user_errors if call else ()
        if errors and not any(self._loader.is_gone(error) for error in errors):
            return Sent(plan, error=rejection(errors))
        if plan.withdrawal == "delete" and isinstance(self._loader, Clearing):
            self._loader.clear(plan, caller)
        return Sent(plan, Landed(plan.gid))

    def _call(self, plan: Plan, caller: Caller) -> Answer | None:
        call = self._loader.call(plan)
        if call is None:
            return None
        repeatable = bool(plan.gid) or self._loader.repeats_creation
        return caller.call(call.document, call.variables, repeatable=repeatable)

    def _wait_out(self, opened: OpenStep | None) -> None:
        """Only an answer asked for long after the last send counts: that call may still be running."""
        if opened is None:
            return
        decides_at = opened.sent_at + timedelta(seconds=self._context.migration.destination.verify_after_seconds)
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
            if not plan.gid and not self._loader.has_identifier:
                # Refused perhaps for our own object, which search does not know yet.
                self._wait_out(plan.open_step)
            return Sent(plan, error=error)
        is_ours = found.identity == plan.identity or self._is_made_by(plan.open_step, found)
        if not is_ours and (found.identity or self._context.migration.options.adopt_existing == "never"):
            return Sent(plan, error=_occupied(error, found))
        plan = self._loader.prepare(_taken(plan, found), caller)
        if found.answer is not None:
            return Sent(plan, self._loader.landed(plan, found.answer, caller), is_adopted=not is_ours)
        if not is_ours and self._loader.has_identifier:
            # First of all it is made ours, so that no second record takes it over too.
            own = {"ownerId": found.gid, **id_metafield(plan.identity), "compareDigest": None}
            caller.call(document("metafields_set"), {"metafields": [own]}, repeatable=True).raise_for_user_errors()
        answer = self._call(plan, caller)
        if answer is None:
            return Sent(plan, Landed(found.gid, found.handle, found.parts), is_adopted=not is_ours)
        if answer.user_errors:
            return Sent(plan, error=rejection(answer.user_errors))
        return Sent(plan, self._loader.landed(plan, answer.data, caller), is_adopted=not is_ours)

    def _is_made_by(self, opened: OpenStep | None, found: Found) -> bool:
        """Whether the object must be that of an earlier call of ours, where Shopify keeps no id of ours on it.

        What was there well before that call, or carries another record's id, is somebody else's.
        """
        if self._loader.has_identifier or opened is None or found.identity:
            return False
        return found.created_at is None or found.created_at > opened.sent_at - _CLOCKS_DIFFER

    def _occupant(self, plan: Plan, errors: Sequence[UserError], caller: Caller) -> Found | None:
        for error in errors:
            if (found := self._loader.occupant(plan, error, caller)) is not None:
                return found
        return None


def _taken(plan: Plan, found: Found) -> Plan:
    """The plan as an update of what was found."""
    parts = {**plan.parts, **{part.key: part for part in found.parts}} if found.parts else plan.parts
    return replace(plan, gid=found.gid, parts=parts, is_found=True)


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


class Joining:
    """The same step of many records in as few calls as they fit; each call does all or nothing."""

    def __init__(self, courses: Sequence[Course], key_of: Callable[[object], str]) -> None:
        self._courses = courses
        self._key_of = key_of
        self._errors: dict[int, Exception] = {}

    def send(self, caller: Caller) -> list[Stepped]:
        """What came of each."""
        waiting: list[tuple[int, JsonObject]] = []
        for index, course in enumerate(self._courses):
            try:
                waiting += [(index, item) for item in self._together(index).items(course.plan, caller)]
            except Exception as error:  # noqa: BLE001 - this record's
                self._errors[index] = error
        while waiting := [(index, item) for index, item in waiting if index not in self._errors]:
            most = self._together(waiting[0][0]).most
            waiting = self._call(waiting[:most], caller) + waiting[most:]
        return [Stepped(course, error=self._errors.get(index)) for index, course in enumerate(self._courses)]

    def _together(self, index: int) -> Together:
        together = self._courses[index].step.together
        assert together is not None  # noqa: S101 - for the type checker
        return together

    def _call(self, items: list[tuple[int, JsonObject]], caller: Caller) -> list[tuple[int, JsonObject]]:
        """Sends them; what is still to be sent, because others of the same call were refused."""
        sent = [item for _, item in items]
        step = self._courses[items[0][0]].step
        variables = {**self._together(items[0][0]).variables(sent), "key": self._key_of(sent)}
        answer = caller.call(step.document, variables, repeatable=True)
        refused = {self._place(error, len(items)): error for error in answer.user_errors}
        if -1 in refused:
            # It is not about one of them.
            self._errors.update((index, rejection(answer.user_errors)) for index, _ in items)
            return []
        if not refused:
            return []
        left = [it for place, it in enumerate(items) if place not in refused]
        for place, error in refused.items():
            index, item = items[place]
            instead = self._together(index).refused(self._courses[index].plan, item, error, caller)
            if isinstance(instead, Exception):
                self._errors[index] = instead
            elif instead is not None:
                left.append((index, instead))
        return left

    def _place(self, error: UserError, count: int) -> int:
        places = [int(step) for step in error.field if step.isdigit()]
        return places[0] if places and places[0] < count else -1


class Spent:
    """Passes calls on and counts what one attempt asks of the shop, look-ups included.

    `finishes`: they end what was begun, and are sent after a stop too.
    """

    def __init__(self, shop: Shop, *, finishes: bool = False) -> None:
        self._shop = shop
        self._finishes = finishes
        self.calls = 0
        self.cost = 0.0

    def call(self, document: str, variables: JsonObject, *, repeatable: bool) -> Answer:
        """The shop's answer."""
        self.calls += 1
        answer = self._shop.call(document, variables, repeatable=repeatable, finishes=self._finishes)
        self.calls += answer.calls - 1
        self.cost += answer.cost_actual
        return answer

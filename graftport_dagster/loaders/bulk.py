"""Main steps by bulk operations: another way for the calls of a load to go, and for their answers to come.

`loader.py` hands its plans over. Here they become files, each file an operation in Shopify, and each line's answer
goes back as if its record had been called (`sending.Sender.carried`). What Shopify does not take this way, and lines
without an answer, are given back and called. An operation stands in the record store with its lines before it is
asked for, and until all of them are settled or given back; one that an earlier load has left is waited for and read
before anything is sent. Only what can be repeated by identity goes this way (`plan.Carrier`). What is asked over the
network is in `shopify/bulk.py`.
"""

import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import orjson

from graftport_dagster.errors import ConfigurationError, GraftportError, LoadRejectedError, UnknownOutcomeError
from graftport_dagster.loaders.answered import Answered, Carried, Sent
from graftport_dagster.loaders.bulk_operation import FIRST_LOOK, At, Heard, Limits, Operation, declared, so_many
from graftport_dagster.loaders.plan import MAIN_STEP, Carrier, LoadContext, Loader, Plan
from graftport_dagster.loaders.planner import Planner
from graftport_dagster.loaders.sending import Sender, Spent
from graftport_dagster.loaders.threads import Threads
from graftport_dagster.records import JsonObject
from graftport_dagster.shopify import bulk
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.documents import document
from graftport_dagster.store.record_store import BulkLine, Dataset, Intent, Lease, Selection, Settlement

# Answers that are concluded together; what they need to be complete is asked for all of them at once.
_ANSWERS = 50
_AHEAD = 4
_SHORTEST_NAP, _LONGEST_NAP = 0.02, 1.0
_STARTS = 3
_FETCHES = 3
# How long a load that is to stop waits for its operations to end; a later one reads what was left.
_GRACE_SECONDS = 60.0
# How long Shopify may not answer what became of an operation; the records of one call wait two minutes.
_PATIENCE_SECONDS = 600.0
_BUSY = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
_FILE_LOST = frozenset({"NO_SUCH_FILE", "INTERNAL_FILE_SERVER_ERROR"})


class Bulk:
    """The bulk operations of one load, and those it found; used by the thread that writes the record store.

    `limits`: None where nothing of this load is to go this way. `carried`, `operations`: what did.
    """

    def __init__(
        self, loader: Loader, context: LoadContext, shop: Shop, lease: Lease, threads: "Threads[Answered | Heard]",
        sender: Sender, limits: Limits | None,
    ) -> None:  # fmt: skip
        self._loader = loader
        self._carrier = loader if isinstance(loader, Carrier) else None
        self._context = context
        self._shop = shop
        self._lease = lease
        self._loads = context.store.loads
        self._threads = threads
        self._sender = sender
        self._limits = limits
        self._gathered: list[tuple[Plan, bytes]] = []
        self._size = 0
        self._open: list[Operation] = []
        self._returned: deque[Plan] = deque()
        self._untold: list[Plan] = []
        self._planner: Planner | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._ends_at: float | None = None
        self.carried = 0
        self.operations = 0
        self.fatal: Exception | None = None

    # --- what the load asks ------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether anything is still to come of operations."""
        return bool(self._open or self._returned or self._untold)

    @property
    def is_full(self) -> bool:
        """Whether no more plans are to be made before an operation has ended."""
        return self._limits is not None and len(self._open) >= self._limits.at_once

    @property
    def pause(self) -> float:
        """Seconds to wait for answers before the next turn."""
        due = min((one.due for one in self._open if not one.in_flight), default=float("inf"))
        return min(_LONGEST_NAP, max(_SHORTEST_NAP, due - time.monotonic()))

    @property
    def told(self) -> str:
        """What is to be said of the operations under way; "" where there are none."""
        if not self._open:
            return ""
        done = sum(one.done for one in self._open)
        lines = sum(len(one.plans) for one in self._open if one.is_ours)
        which = "" if all(one.is_ours for one in self._open) else " of an earlier run"
        return f"{so_many(len(self._open))}{which} under way, {done}{f' of {lines}' if lines else ''} lines done"

    def recover(self) -> None:
        """Takes up what an earlier load of the type has left under way."""
        slug, kind = self._context.migration.slug, self._loader.resource_type
        for found in self._loads.open_bulks(slug, self._context.store_gid, kind):
            at = At.LOOK if found.gid else At.FIND
            self._open.append(Operation(found.token, at, is_ours=False, sent_at=found.sent_at, gid=found.gid))
        if self._open:
            self._say(f"{so_many(len(self._open))} of an earlier run to be read first")

    def take(self, plans: Sequence[Plan]) -> list[Plan]:
        """Gathers the plans that go by bulk; the others, which are to be called."""
        if self._limits is None:
            return list(plans)
        others: list[Plan] = []
        for plan in plans:
            if (line := self._line(plan)) is None:
                others.append(plan)
                continue
            if self._size + len(line) > self._limits.size:
                self._begin()
            self._gathered.append((plan, line))
            self._size += len(line)
            if len(self._gathered) >= self._limits.lines:
                self._begin()
        return others

    def flush(self) -> None:
        """No more plans come: what is gathered goes."""
        if self._limits is not None and len(self._gathered) >= self._limits.fewest:
            self._begin()
        self._returned.extend(plan for plan, _ in self._gathered)
        self._gathered = []

    def given_back(self, most: int) -> list[Plan]:
        """Plans that are to be called after all, as many as the threads have room for."""
        room = most - self._threads.in_flight
        return [self._returned.popleft() for _ in range(min(len(self._returned), max(0, room)))]

    def untold(self) -> list[Sent]:
        """Plans of which nothing more will be known in this load."""
        # One error for all: what kept the answers away happened once.
        error = UnknownOutcomeError(
            "Its bulk operation ended without an answer for it.", code="NO_RESULT",
            hint="It may have landed; the next run sends it again, by its identity.",
        )  # fmt: skip
        plans, self._untold = self._untold, []
        return [Sent(plan, error=error) for plan in plans]

    def turn(self, *, goes_on: bool) -> None:
        """Asks what is due. Where the load does not go on, operations are canceled, and what landed is read."""
        now = time.monotonic()
        if not goes_on:
            self._ends_at = self._ends_at or now + _GRACE_SECONDS
            self._gathered.clear()
            self._returned.clear()
        for one in list(self._open):
            if one.at is At.OVER:
                self._loads.end_bulk(self._lease, one.token)
                self._open.remove(one)
            elif one.at is At.READ:
                self._read(one, goes_on=goes_on)
            elif not one.in_flight and not goes_on:
                self._stop(one, now)
            elif not one.in_flight and now >= one.due:
                self._ask(one, one.at)

    def settles(self, carried: Carried) -> None:
        """Answers of an operation were concluded, and are settled before the next turn."""
        for one in self._open:
            one.in_flight -= one.token == carried.token

    def hear(self, heard: Heard) -> None:
        """Takes what came of a question."""
        one = heard.operation
        one.in_flight -= 1
        if one not in self._open or heard.asked is None:
            return
        if isinstance(heard.error, ConfigurationError):
            # No fault of any record, and nothing else will pass either; what runs is left to a later load.
            self.fatal = self.fatal or heard.error
            if one.at in (At.UPLOAD, At.BEGIN):
                self._forget(one)
            else:
                self._open.remove(one)
        elif heard.error is not None and not isinstance(heard.error, GraftportError):
            raise heard.error
        else:
            self._ears[heard.asked](self, one, heard.said, heard.error)

    def close(self) -> None:
        """Removes the files that were read."""
        if self._folder is not None:
            self._folder.cleanup()

    # --- files out -----------------------------------------------------------------

    def _line(self, plan: Plan) -> bytes | None:
        """The plan's line; None where it is to be called."""
        if self._carrier is None or plan.is_set or plan.withdrawal or self._sender.must_verify(plan):
            return None
        try:
            call = self._loader.call(plan)
            if call is None:
                return None
            names = declared(document(self._carrier.bulk_document))
            line = orjson.dumps({name: value for name, value in call.variables.items() if name in names})
        except Exception:  # noqa: BLE001 - the call meets the same, and says so
            return None
        most = self._limits.size if self._limits is not None else 0
        return line if len(line) <= most else None

    def _begin(self) -> None:
        """What is gathered becomes an operation."""
        if not self._gathered:
            return
        plans = {number: plan for number, (plan, _) in enumerate(self._gathered)}
        content = b"\n".join(line for _, line in self._gathered) + b"\n"
        self._gathered, self._size = [], 0
        token = uuid.uuid4().hex
        self._open.append(Operation(token, At.UPLOAD, is_ours=True, sent_at=self._now(), plans=plans, content=content))

    def _write(self, one: Operation) -> None:
        """The operation and its intents, just before it is asked for."""
        plans = [one.plans[number] for number in sorted(one.plans)]
        lines = [
            BulkLine(plan.record.source_id, "" if plan.groups is not None else plan.record.payload_hash)
            for plan in plans
        ]
        intents = [
            Intent(plan.record.source_id, MAIN_STEP, plan.record.payload_hash, self._loader.repeats_creation)
            for plan in plans
        ]
        one.sent_at = self._now()
        self._loads.begin_bulk(self._lease, self._context.run, one.token, lines, intents)

    def _now(self) -> datetime:
        return self._context.now()

    def _say(self, words: str) -> None:
        self._context.progress(f"{self._loader.resource_type}: {words}")

    # --- questions -------------------------------------------------------------------

    def _ask(self, one: Operation, what: At | None, work: Callable[[Spent], Any] | None = None) -> None:
        if what is At.BEGIN:
            self._write(one)
        job = work or self._work(one, what)

        def ask() -> Heard:
            spent = Spent(self._shop, finishes=what not in (At.UPLOAD, At.BEGIN))
            try:
                said, error = job(spent), None
            except Exception as met:  # noqa: BLE001 - carried to the calling thread
                said, error = None, met
            return Heard(one, what, said, error, spent.calls, spent.cost)

        one.in_flight += 1
        self._threads.submit(ask)

    def _work(self, one: Operation, what: At | None) -> Callable[[Spent], Any]:
        text = document(self._carrier.bulk_document) if self._carrier is not None else ""
        if what is At.UPLOAD:
            return lambda spent: bulk.put(spent, one.content, one.token)
        if what is At.BEGIN:
            return lambda spent: bulk.begin(spent, text, one.path, one.token)
        if what is At.FIND:
            return lambda spent: bulk.find(spent, one.token, one.sent_at)
        if what is At.LOOK:
            return lambda spent: bulk.look(spent, one.gid)
        # Made here, for two threads would make two.
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="graftport-")
        file = Path(self._folder.name) / f"{one.token}.jsonl"
        return lambda _spent: self._fetched(one.url, file)

    def _fetched(self, url: str, file: Path) -> Path:
        bulk.fetch(url, file, stop=lambda: self._ends_at is not None)
        return file

    def _stop(self, one: Operation, now: float) -> None:
        """The next thing to do about an operation of a load that is to stop."""
        if one.at in (At.UPLOAD, At.BEGIN):
            self._forget(one)
        elif now > (self._ends_at or now):
            self._open.remove(one)
        elif one.at is At.LOOK and not one.is_canceled:
            one.is_canceled, one.due, one.pause = True, now, FIRST_LOOK
            self._ask(one, None, lambda spent: bulk.cancel(spent, one.gid))
        elif now >= one.due:
            self._ask(one, one.at)

    def _forget(self, one: Operation) -> None:
        """It was never begun: nothing of it is kept."""
        released = [
            Settlement(plan.record.source_id, None, steps_released=(MAIN_STEP,))
            for plan in one.plans.values()
            if plan.open_step is None
        ]
        self._loads.settle(self._lease, self._context.run, released)
        self._loads.end_bulk(self._lease, one.token)
        self._open.remove(one)

    def _give_back(self, one: Operation, why: Exception | None) -> None:
        """It was never begun, and its records are called."""
        self._say(f"{len(one.plans)} records are called one by one, not by bulk: {why}")
        self._forget(one)
        self._returned.extend(one.plans.values())

    # --- what was heard ----------------------------------------------------------------

    def _uploaded(self, one: Operation, path: Any, error: Exception | None) -> None:
        if error is None:
            one.path, one.at = str(path), At.BEGIN
        else:
            self._give_back(one, error)

    def _begun(self, one: Operation, gid: Any, error: Exception | None) -> None:
        if error is None:
            self._is_known(one, str(gid))
        elif isinstance(error, UnknownOutcomeError):
            one.at, one.sent_at = At.FIND, self._now()
            one.rest()
        elif error.code in _BUSY and any(other.gid for other in self._open):  # type: ignore[attr-defined]
            # One of ours ends sooner or later; while others of the app keep Shopify busy, records are called.
            one.rest()
        elif error.code in _FILE_LOST and one.tries < _STARTS:  # type: ignore[attr-defined]
            one.tries, one.at = one.tries + 1, At.UPLOAD
            one.rest()
        else:
            if isinstance(error, LoadRejectedError) and error.code not in _BUSY:
                # It would say the same of the next one.
                self._limits = None
            self._give_back(one, error)

    def _is_known(self, one: Operation, gid: str) -> None:
        self._loads.name_bulk(self._lease, one.token, gid)
        one.gid, one.at, one.content, one.pause = gid, At.LOOK, b"", FIRST_LOOK
        self.operations += one.is_ours
        one.rest()

    def _found(self, one: Operation, gid: Any, error: Exception | None) -> None:
        wait = timedelta(seconds=self._context.migration.destination.verify_after_seconds)
        if gid:
            self._is_known(one, str(gid))
        elif error is not None:
            self._not_told(one, error)
        elif self._now() < one.sent_at + wait:
            # The list knows what is new a while later; the call may be running yet.
            one.rest()
        elif not one.is_ours:
            # It was never begun, and its records are pending.
            one.at = At.OVER
        elif one.tries < _STARTS:
            one.tries, one.at = one.tries + 1, At.BEGIN
        else:
            self._give_back(one, UnknownOutcomeError("Shopify does not list the operation that it was asked for."))

    def _not_told(self, one: Operation, error: Exception) -> None:
        """Shopify cannot be asked: it goes on meanwhile, but nobody waits for ever."""
        one.silent_since = one.silent_since or time.monotonic()
        one.rest()
        if time.monotonic() - one.silent_since > _PATIENCE_SECONDS:
            self.fatal = self.fatal or error
            self._open.remove(one)

    def _looked(self, one: Operation, seen: Any, error: Exception | None) -> None:
        if error is not None:
            self._not_told(one, error)
            return
        one.silent_since = None
        if seen is None:
            one.at = At.READ
        elif seen.is_over:
            one.done, one.url, one.due, one.tries = seen.done, seen.url, 0.0, 0
            one.at = At.FETCH if seen.url else At.READ
            error_code = f" ({seen.error_code})" if seen.error_code else ""
            self._say(f"a bulk operation ended, {seen.status}{error_code}, {seen.done} lines done")
        else:
            one.done = seen.done
            one.rest()

    def _has_file(self, one: Operation, file: Any, error: Exception | None) -> None:
        if error is None:
            one.at, one.file, one.lines = At.READ, file, bulk.results(file)
        elif getattr(error, "code", "") != bulk.RESULTS_GONE and one.tries < _FETCHES:
            one.tries += 1
            one.rest()
        else:
            # It has ended, so that whatever it has written can be sent again, by its identity.
            self._say(f"a bulk operation's answers are not to be had: {error}")
            one.at = At.READ

    _ears: ClassVar[dict[At, Callable[["Bulk", Operation, Any, Exception | None], None]]] = {
        At.UPLOAD: _uploaded, At.BEGIN: _begun, At.FIND: _found, At.LOOK: _looked, At.FETCH: _has_file,
    }  # fmt: skip

    # --- answers in -----------------------------------------------------------------------

    def _read(self, one: Operation, *, goes_on: bool) -> None:
        """Hands answers over to be concluded; once that is done for all, says what has none."""
        most = _AHEAD * self._context.migration.destination.concurrency
        while one.lines is not None and self._threads.in_flight < most:
            if not (chunk := list(islice(one.lines, _ANSWERS))):
                one.lines = None
            elif answers := self._answers(one, chunk):
                self._conclude(one, answers)
        if one.lines is None and not one.in_flight:
            # As Shopify was asked to write them, they can be sent again: by their identity.
            (self._returned if goes_on else self._untold).extend(one.plans.values())
            one.plans, one.at = {}, At.OVER
            if one.file is not None:
                one.file.unlink()

    def _answers(self, one: Operation, chunk: list[tuple[int, JsonObject]]) -> list[tuple[Plan, JsonObject]]:
        if not one.is_ours:
            return list(self._recovered(one, chunk))
        answers = [(one.plans.pop(number), answer) for number, answer in chunk if number in one.plans]
        self.carried += len(answers)
        return answers

    def _conclude(self, one: Operation, answers: list[tuple[Plan, JsonObject]]) -> None:
        carrier = self._carrier
        assert carrier is not None  # noqa: S101 - nothing else has operations

        one.in_flight += 1
        self._threads.submit(lambda: self._sender.carried(one.token, answers, carrier, recovers=not one.is_ours))

    def _recovered(self, one: Operation, chunk: list[tuple[int, JsonObject]]) -> Iterator[tuple[Plan, JsonObject]]:
        """Plans of an earlier load's lines whose records still say the same and have not gone on since."""
        lines = self._loads.bulk_lines(self._lease, one.token, [number for number, _ in chunk])
        told = {lines[number].source_id: (lines[number], answer) for number, answer in chunk if number in lines}
        if not told:
            return
        self._planner = self._planner or Planner(self._loader, self._context)
        for batch in self._loads.to_load(
            Dataset(self._context.migration.slug), self._context.store_gid, self._loader.resource_type,
            Selection(source_ids=tuple(told)), only_pending=True,
        ):  # fmt: skip
            same = [record for record in batch if told[record.source_id][0].payload_hash == record.payload_hash]
            for plan in self._planner.plan(same)[0]:
                if plan.groups is None and not plan.is_set and not plan.withdrawal:
                    yield plan, told[plan.record.source_id][1]

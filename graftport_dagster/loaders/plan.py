"""What the loading of any record is made of, and what a resource type must say of itself.

A record is a list of steps: the main one creates or updates its object (`Loader.call`), further
ones follow in the order of `Loader.steps`, publishing comes last. Nouns and one protocol; the
algorithm is in `loader.py`, the making of plans in `planner.py`, what of a record is still to be
done in `steps.py`, the sending in `sending.py`; each resource type's own module implements `Loader`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Migration
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, Run
from graftport_dagster.shopify.client import Answer
from graftport_dagster.shopify.refusals import UserError
from graftport_dagster.store.record_store import Dataset, LoadInput, OpenStep, RecordStore, Selection

MAIN_STEP = "set"
# Why nothing is sent, in a phrase that groups.
GONE_FROM_SOURCE = "deleted at the source"
PUBLISH_STEP = "publish"


class Caller(Protocol):
    """Sends one call to the store; `shopify.client.Shop`, or something that counts what it spends."""

    def call(self, document: str, variables: JsonObject, *, repeatable: bool) -> Answer:
        """The answer, userErrors included. Raises as `Shop.call` does."""


@dataclass(frozen=True, slots=True)
class Call:
    """One GraphQL call."""

    document: str
    variables: JsonObject


@dataclass(frozen=True, slots=True)
class Landed:
    """What Shopify answered: the object, its address, its parts, and parts that are no more."""

    gid: str
    handle: str = ""
    parts: tuple[Identity, ...] = ()
    gone: tuple[RecordKey, ...] = ()
    snapshot: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is there already. `identity`: the value of its graftport id, "" if it has none.

    `parts`: those of the record's parts that were found with it. `created_at`: when it was made, where Shopify says so.
    `answer`: what an update would answer, where the object is already as that would make it, so that none is sent.
    """

    gid: str
    handle: str = ""
    identity: str = ""
    parts: tuple[Identity, ...] = ()
    created_at: datetime | None = None
    answer: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One record ready to be sent, its references resolved.

    `envelope`: the staged record (the wanted groups of it); references to parts of the record itself
    are still in it, for they exist after the main step only: `references.resolve_own` puts their GIDs.
    `identity`: the string kept in Shopify. `groups`: what a filtered update sends, None for all.
    `changed`: the groups that differ from what landed; all of them for a new record, where `everything`
    is sent again, or `in_doubt`: another payload was on its way, so that what landed last does not say what
    Shopify has. `open_step`: an earlier call of the main step whose answer was never settled;
    `open_steps`: those of further steps, by key. `is_set`: the main step is done for this payload, and
    only what follows it is left. `done_steps`: key → digest of further steps done since the record was
    last clean. `warnings`: code and sentence of what is to be said of the record once it has landed.
    """

    record: LoadInput
    envelope: JsonObject
    parts: Mapping[RecordKey, Identity]
    gid: str
    identity: str
    is_new: bool
    publications: tuple[str, ...] = ()
    # The publications that it is to leave.
    unpublish: tuple[str, ...] = ()
    groups: Mapping[str, str] | None = None
    changed: frozenset[str] = frozenset()
    everything: bool = False
    in_doubt: bool = False
    open_step: OpenStep | None = None
    is_set: bool = False
    # Of a new record: its object was there before this run's call.
    is_found: bool = False
    open_steps: Mapping[str, OpenStep] = field(default_factory=dict)
    done_steps: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    # What Shopify answered to our last write, of an update; `drift.py` compares with it.
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    # `archive` or `delete`, for a record that is gone from the source.
    withdrawal: str = ""
    # What landed last, of an update of a type whose lists are sent piece by piece: what is not given any more goes.
    before: Mapping[str, Any] = field(default_factory=dict)


class Repeats(StrEnum):
    """What may be done about a further step whose answer was lost.

    `freely`: it is sent again (metafieldsSet, consent, tags). `by_key`: it is sent again with the same
    `@idempotent` key within 24 hours, later it is looked for first. `never`: it is always looked for first.
    """

    FREELY = "freely"
    BY_KEY = "by_key"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Unsent:
    """A step that is done without a call, for a reason that the record's warnings say."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Together:
    """How the same step of many records goes in one call, which does all or nothing.

    `weight`: how many items the record has at most; `most`: how many fit one call. `items(plan, caller)`: what of
    it is to be sent; `variables(items)`: what goes with the document, but for its `$key`. `refused(plan, item, error,
    caller)`: None where the item is right after all, an item to send in its place, or the record's error.
    """

    most: int
    weight: int
    items: Callable[["Plan", Caller], list[JsonObject]]
    variables: Callable[[list[JsonObject]], JsonObject]
    refused: Callable[["Plan", JsonObject, UserError, Caller], "JsonObject | GraftportError | None"]


@dataclass(frozen=True, slots=True)
class Step:
    """One further call of a record, after its main step.

    `key` names it within the record: `metafields`, `consent:email`, `refund:<part id>`. `path`: where it
    stands in the envelope, for messages. `digest`: the hash of what it sends (`records.json_hash` of the
    staged piece); while a step without a part has landed with the same digest it is not sent again.
    `document`: its GraphQL text. `variables(plan, caller)`: what goes with it, made in a sending thread
    when its turn comes, `plan.gid` and `plan.parts` being known; may ask Shopify; None or `Unsent` where
    there is nothing to send after all, which settles the step. A `by_key` document declares `$key: String!`, which
    is filled in for it.

    `part`: what it makes, an identity of its own; whatever must not happen twice names one. A part that
    exists is never made again: where its digest changed, the record says that it is immutable in Shopify,
    unless `changes`, which says that `variables` then gives an update. `made(answer)`: the GID of the part.
    `find(plan, caller)`: after a lost answer, the GID of the part in its parent's own list, None where it
    is certainly not there; raises `UnclearError` where neither can be said. `repeats` other than `freely`
    needs `part` and `find`. `only_changed`: sent only when its digest changed, also when everything else
    is sent again (`only_dirty: false`). `unmakes`: the part that it takes away. `is_carried`: the main step has carried
    it. `together`: it goes in one
    call with those of other records, and `variables` is not asked.
    """

    key: str
    path: str
    digest: str
    document: str
    variables: Callable[["Plan", Caller], JsonObject | Unsent | None]
    repeats: Repeats = Repeats.FREELY
    part: RecordKey | None = None
    made: Callable[[JsonObject], str] = lambda _answer: ""
    find: Callable[["Plan", Caller], str | None] | None = None
    changes: bool = False
    only_changed: bool = False
    unmakes: RecordKey | None = None
    is_carried: bool = False
    together: Together | None = None


class Loader(Protocol):
    """What is particular to one resource type."""

    @property
    def resource_type(self) -> ResourceType:
        """The type it loads."""

    @property
    def repeats_creation(self) -> bool:
        """Whether Shopify makes one object of two equal creating calls (upsert by our id)."""

    @property
    def has_identifier(self) -> bool:
        """Whether `look_up` asks by our id; without such a query, uniqueness in Shopify is the guard."""

    @property
    def publishes(self) -> bool:
        """Whether the object is published to sales channels by a call of its own."""

    def prepare(self, plan: Plan, caller: Caller) -> Plan:
        """The plan with what must be there before its main call, asked for or made just now (a blog for an article).

        Runs in a sending thread, so what many records share is guarded by a lock of the loader's. What it
        makes must be unique in Shopify by an explicit handle or name, for no intent is kept of it.
        """

    def call(self, plan: Plan) -> Call | None:
        """The main step: the call that creates the record (no `gid`) or updates it.

        None for an update that has nothing to say in this call: only further steps are left.
        """

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The further steps of the record in their order, whether done or not; publishing is not one of them."""

    def withdraw(self, plan: Plan) -> Call | None:
        """The call that archives or deletes the object (`plan.withdrawal`); None where the type knows no such thing."""

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:
        """What the answer to `call` says; may ask for further pages."""

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:
        """The object that carries our id, with its parts; None if there is none, or no such query."""

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The object at the natural key the record was refused for; None if that was not the reason."""

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:
        """The part whose object is not there any more, where an update was refused for that; else None."""

    def is_gone(self, error: UserError) -> bool:
        """Whether Shopify refused an update because the object is not there any more."""

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """The fields that Shopify has now, named and shaped as in `input`; None if the object is not there."""

    def nothing_to_send(self, plan: Plan) -> str:
        """Why the record is right without any call (`the address stays the same`); "" if it needs one."""


@runtime_checkable
class Clearing(Protocol):
    """What a loader says whose objects leave something behind when they are deleted."""

    def clear(self, plan: Plan, caller: Caller) -> None:
        """Takes away what a deleted object of ours leaves; what is gone already is no error."""


@runtime_checkable
class Carrier(Protocol):
    """What a loader says of its type where bulk operations may carry its main steps: what is repeated by identity."""

    @property
    def bulk_document(self) -> str:
        """The file of the document for lines: that of `call`, but with one list at most, asked for by `edges`.

        Of the variables of `call` a line has those that it declares.
        """

    def fill_in(self, answers: Sequence[tuple[Plan, JsonObject]], caller: Caller) -> None:
        """Puts into answers what that document could not ask for and `landed` reads; for all in a few calls."""


@dataclass(frozen=True)
class LoadContext:
    """Everything that a load works with. `store_gid`: the Shopify store. `publications`: name → GID."""

    migration: Migration
    store: RecordStore
    run: Run
    store_gid: str
    dataset: Dataset
    publications: Mapping[str, str]
    selection: Selection
    should_stop: Callable[[], bool]
    progress: Callable[[str], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def withdraws(self) -> bool:
        """Whether records that are gone from the source are to be looked at although they have not changed."""
        return self.migration.options.on_source_delete != "keep"

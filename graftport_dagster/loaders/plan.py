"""What the loading of any record is made of, and what a resource type must say of itself.

Nouns and one protocol. The algorithm is in `loader.py`, the making of plans in `planner.py`, the
sending in `sending.py`; each resource type's own module implements `Loader`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from graftport_dagster.migration import Migration
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, Run
from graftport_dagster.shopify.client import Answer
from graftport_dagster.shopify.refusals import UserError
from graftport_dagster.store.record_store import Dataset, LoadInput, OpenStep, RecordStore, Selection

MAIN_STEP = "set"
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
    """An object that is there already. `identity`: the value of its graftport id, "" if it has none."""

    gid: str
    handle: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """One record ready to be sent, its references resolved.

    `identity`: the string kept in Shopify. `groups`: what a filtered update sends, None for all.
    `open_step`: an earlier call of the main step whose answer was never settled. `is_set`: that step
    is done for this payload, and only what follows it is left.
    """

    record: LoadInput
    envelope: JsonObject
    parts: Mapping[RecordKey, Identity]
    gid: str
    identity: str
    is_new: bool
    sends_stock: bool = True
    publications: tuple[str, ...] = ()
    groups: Mapping[str, str] | None = None
    open_step: OpenStep | None = None
    is_set: bool = False
    # `archive` or `delete`, for a record that is gone from the source.
    withdrawal: str = ""


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

    def call(self, plan: Plan) -> Call:
        """The call that creates the record (no `gid`) or updates it."""

    def withdraw(self, plan: Plan) -> Call | None:
        """The call that archives or deletes the object (`plan.withdrawal`); None where the type knows no such thing."""

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:
        """What the answer to `call` says; may ask for further pages."""

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:
        """The object that carries our id; None if there is none, or no such query."""

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

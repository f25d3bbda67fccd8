"""The nouns: resource types, records, outcomes, counts, runs and what a run is asked to do.

Plain frozen data and the arithmetic that belongs to it (canonical JSON and its hash, the
equations of conservation). No input or output happens here, nothing reads the clock, and
nothing knows of Dagster, SQL or HTTP.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from graftport_dagster.errors import ErrorClass

JsonObject = dict[str, Any]


class ResourceType(StrEnum):
    """A kind of thing moved, and Dagster's partition key; in the order in which they are loaded."""

    COLLECTIONS = "collections"
    PRODUCTS = "products"
    CUSTOMERS = "customers"
    DISCOUNT_CODES = "discount_codes"
    GIFT_CARDS = "gift_cards"
    ORDERS = "orders"
    BLOGS = "blogs"
    MARKETS = "markets"
    REDIRECTS = "redirects"

    @property
    def requires(self) -> frozenset["ResourceType"]:
        """The types whose records this one's records may refer to."""
        return _REQUIRES.get(self, frozenset())


_REQUIRES = {
    ResourceType.PRODUCTS: frozenset({ResourceType.COLLECTIONS}),
    ResourceType.DISCOUNT_CODES: frozenset({ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.CUSTOMERS}),
    ResourceType.GIFT_CARDS: frozenset({ResourceType.CUSTOMERS}),
    ResourceType.ORDERS: frozenset(
        {ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.DISCOUNT_CODES, ResourceType.GIFT_CARDS}
    ),
    ResourceType.MARKETS: frozenset({ResourceType.PRODUCTS}),
    ResourceType.REDIRECTS: frozenset({ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.BLOGS}),
}


class Phase(StrEnum):
    """Extract reads the source, transform maps it, load writes Shopify."""

    EXTRACT = "extract"
    TRANSFORM = "transform"
    LOAD = "load"

    @property
    def operation(self) -> str:
        """The word that run lists use: `import` from the source, `export` to Shopify."""
        return {"extract": "import", "transform": "transform", "load": "export"}[self.value]


class Result(StrEnum):
    """How a run item, or a run, ended; `queued` and `running` until then."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELED = "canceled"
    UNCHANGED = "unchanged"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change it any more."""
        return self not in (Result.QUEUED, Result.RUNNING)


class Outcome(StrEnum):
    """What became of one record in one phase of one run."""

    # extract
    NEW = "new"
    CHANGED = "changed"
    # transform
    STAGED = "staged"
    RESTAGED = "restaged"
    EXCLUDED = "excluded"
    # load
    CREATED = "created"
    UPDATED = "updated"
    SKIPPED = "skipped"
    HELD = "held"
    UNKNOWN = "unknown"
    NOT_REACHED = "not_reached"
    ARCHIVED = "archived"
    DELETED = "deleted"
    ADOPTED = "adopted"
    DISCARDED = "discarded"
    REFUSED_BEFORE = "refused_before"
    SUPERSEDED = "superseded"
    # any
    UNCHANGED = "unchanged"
    ERRORED = "errored"


EXTRACT_COUNTS = ("rows_read", "rows_in_records", "rows_invalid", "read", "new", "changed", "unchanged", "errored")
TRANSFORM_COUNTS = ("in_scope", "staged", "restaged", "unchanged", "excluded", "errored", "not_reached")
LOAD_COUNTS = (
    "in_scope", "created", "updated", "unchanged", "skipped", "held", "errored", "unknown", "not_reached",
    "archived", "deleted", "adopted", "discarded", "refused_before", "superseded",
)  # fmt: skip

# left = sum of right; `errored` stands in extract's second equation because a record with one
# bad row is read, and set aside whole (a better rule than leaving it out of the sum).
EQUATIONS: Mapping[Phase, Sequence[tuple[str, tuple[str, ...]]]] = {
    Phase.EXTRACT: (
        ("rows_read", ("rows_in_records", "rows_invalid")),
        ("read", ("new", "changed", "unchanged", "errored")),
    ),
    Phase.TRANSFORM: (("in_scope", TRANSFORM_COUNTS[1:]),),
    Phase.LOAD: (("in_scope", LOAD_COUNTS[1:]),),
}


def broken_equations(phase: Phase, counts: Mapping[str, int]) -> list[str]:
    """The equations of this phase that do not hold, each as a sentence; empty when all do."""
    broken = []
    for left, right in EQUATIONS[phase]:
        total = sum(counts.get(name, 0) for name in right)
        if counts.get(left, 0) != total:
            parts = " + ".join(f"{name} {counts.get(name, 0)}" for name in right if counts.get(name, 0))
            broken.append(f"{phase}: {left} {counts.get(left, 0)} is not {parts or 0} = {total}")
    return broken


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces: equal values give equal bytes.

    Raises TypeError for what JSON cannot hold (NaN included as null; lone surrogates refused).
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        if "64-bit" not in _why(value):
            raise
        # orjson refuses integers beyond 64 bits; the standard library writes them exactly.
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# Integers from here on orjson may read as floats. Of so many digits every fourth character shows at least four in a
# row, which is seen in a fifth of the time that looking for all of them takes.
_IN_TEXT = (re.compile(r"[0-9]{4}"), re.compile(r"[0-9]{19}"))
_IN_BYTES = (re.compile(rb"[0-9]{4}"), re.compile(rb"[0-9]{19}"))


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text, integers exact at any size. Raises ValueError for what is none."""
    if _has_long_number(text):
        return json.loads(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Lone surrogates, which the standard library takes.
        return json.loads(text)


def _has_long_number(text: str | bytes) -> bool:
    if isinstance(text, str):
        return bool(_IN_TEXT[0].search(text[3::4]) and _IN_TEXT[1].search(text))
    return bool(_IN_BYTES[0].search(text[3::4]) and _IN_BYTES[1].search(text))


def _why(value: object) -> str:
    try:
        orjson.dumps(value)
    except TypeError as error:
        return str(error)
    return ""


def content_hash(canonical: bytes) -> str:
    """40 hexadecimal digits naming a payload by its canonical bytes (BLAKE2b, 160 bits)."""
    return hashlib.blake2b(canonical, digest_size=20).hexdigest()


def json_hash(value: object) -> str:
    """The content hash of a JSON value."""
    return content_hash(canonical_json(value))


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One thing as the source returned it.

    `source_id` is stable over runs. `rows`: how many rows of the source it was put together
    from. `origin` says where a person finds it (`products.csv:12`, a URL).
    """

    source_id: str
    payload: JsonObject
    updated_at: datetime | None = None
    rows: int = 1
    origin: str = ""


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row, or a whole record, that cannot be used; its raw text and the reason are kept.

    `source_id`: the *record* it spoils, where that can be told; all the record's rows are then
    counted here (`rows`), and the record is `errored` instead of read. "" where it cannot be
    told: such a row makes any conclusion about deletions impossible.
    `rows_invalid`: how many of `rows` are themselves bad (the others only share their record's
    fate and count as rows in records).
    """

    raw: str
    reason: str
    code: str
    origin: str = ""
    source_id: str = ""
    hint: str = ""
    rows: int = 1
    rows_invalid: int = 1


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Names a record, or a part of one (a variant, an image), within a migration."""

    resource_type: str
    source_id: str
    part: str = ""
    part_id: str = ""

    def identity(self, platform: str) -> str:
        """The string kept in Shopify: `platform:resource_type:source_id[:part:part_id]`."""
        own = f"{platform}:{self.resource_type}:{self.source_id}"
        return f"{own}:{self.part}:{self.part_id}" if self.part else own


def masked_code(code: str) -> str:
    """A gift card's code as Shopify itself shows it: its last four."""
    return f"••••{code[-4:]}"


def shown_id(resource_type: str, source_id: str) -> str:
    """A record's id as reports and logs show it: masked where it might be a gift card's code, which has 8 or more."""
    is_safe = resource_type != ResourceType.GIFT_CARDS or len(source_id) < 8
    return source_id if is_safe else masked_code(source_id)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which Shopify object a record or part became on one store. `handle`: its address there, if any."""

    key: RecordKey
    gid: str
    handle: str = ""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """The failures of a run item that are alike in class, code and path."""

    error_class: str
    code: str
    path: str
    message: str
    hint: str
    count: int
    sample_ids: tuple[str, ...]
    first_seen: datetime | None = None
    last_seen: datetime | None = None

    def as_dict(self) -> JsonObject:
        """With times in ISO 8601, for JSON."""
        return {
            "error_class": self.error_class, "code": self.code, "path": self.path, "message": self.message,
            "hint": self.hint, "count": self.count, "sample_ids": list(self.sample_ids),
            "first_seen": self.first_seen.isoformat() if self.first_seen else None,
            "last_seen": self.last_seen.isoformat() if self.last_seen else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that `graftport check` looked at, and what to do where it is not right."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What one run is asked to do; the defaults are those of a plain run.

    `field_filter`: groups of fields per resource type that an update may send (all when a type
    is not named). `source_ids` and `limit` narrow every phase; `error_group` is `code` or
    `class:code[:path]` of open incomplete records. `retry`: `open` takes nothing but open incomplete
    records, which the run claims when it begins; `due` of those only what the schedule wants now.
    `replay_of`: the run whose source data is taken instead of what is there now.
    """

    phases: tuple[Phase, ...] = tuple(Phase)
    resource_types: tuple[ResourceType, ...] = ()
    dry_run: bool = False
    live: bool = False
    limit: int | None = None
    source_ids: tuple[str, ...] = ()
    error_group: str = ""
    except_ids: tuple[str, ...] = ()
    retry: str = ""
    only_dirty: bool = True
    conflict_strategy: str = "overwrite"
    field_filter: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fail_on_row_errors: bool = True
    resend_refused: bool = True
    full_extract: bool = False
    confirm_store: bool = False
    mapping: str = "current"
    replay_of: str = ""
    overwrite_newer: bool = False
    actor: str = ""
    reason: str = ""

    def as_dict(self) -> JsonObject:
        """As JSON, for the record of the run."""
        return {
            name: (
                [str(item) for item in value] if isinstance(value, tuple)
                else {k: list(v) for k, v in value.items()} if isinstance(value, Mapping)
                else value
            )
            for name, value in ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunItem:
    """(run, resource type, phase): how it ended and what it counted.

    `child_run_id`: the Dagster run that did it, where that is not the run itself.
    """

    run_id: str
    resource_type: ResourceType
    phase: Phase
    result: Result = Result.RUNNING
    counts: Mapping[str, int] = field(default_factory=dict)
    mapping_version: str = ""
    first_error: str = ""
    first_skip_reason: str = ""
    error_groups: tuple[ErrorGroup, ...] = ()
    warnings: tuple[ErrorGroup, ...] = ()
    skip_reasons: Mapping[str, int] = field(default_factory=dict)
    api_cost: float = 0.0
    api_calls: int = 0
    notes: tuple[str, ...] = ()
    error_class: ErrorClass | None = None
    child_run_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def as_dict(self) -> JsonObject:
        """The object that `graftport run --json` prints for one item."""
        return {
            "run_id": self.run_id,
            "child_run_id": self.child_run_id or self.run_id,
            "resource_type": str(self.resource_type),
            "phase": str(self.phase),
            "operation": self.phase.operation,
            "result": str(self.result),
            "mapping_version": self.mapping_version or None,
            "counts": dict(self.counts),
            "first_error": self.first_error or None,
            "first_skip_reason": self.first_skip_reason or None,
            "error_class": str(self.error_class) if self.error_class else None,
            "error_groups": [group.as_dict() for group in self.error_groups],
            "warnings": [group.as_dict() for group in self.warnings],
            "skip_reasons": dict(self.skip_reasons),
            "api_cost": self.api_cost,
            "api_calls": self.api_calls,
            "notes": list(self.notes),
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
        }


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many incomplete records are kept, all migration's types together; `limit` None: any number.

    At the limit the type stops, or with `drops` goes on and forgets what comes more. `is_off`: none is kept.
    """

    limit: int | None = None
    drops: bool = False
    is_off: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what was asked, by whom, and how it ended. Final once ended.

    `source_seq`: of a replay, the number of the run whose source data it has.
    `credentials`: a mark that changes with the secrets that the run had, and tells nothing of them.
    """

    run_id: str
    migration: str
    options: RunOptions
    store_gid: str = ""
    seq: int = 0
    result: Result = Result.QUEUED
    first_error: str = ""
    retry_of: str = ""
    replay_of: str = ""
    host: str = ""
    pid: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    credentials: str = ""
    source_seq: int = 0
    keeping: Keeping = Keeping()


def run_result(items: Sequence[RunItem]) -> Result:
    """The result word of a run from its items' (a run without items did nothing: `unchanged`)."""
    results = {item.result for item in items}
    if not results or results == {Result.UNCHANGED}:
        return Result.UNCHANGED
    if Result.CANCELED in results:
        return Result.CANCELED
    if results == {Result.FAILED}:
        return Result.FAILED
    if results & {Result.FAILED, Result.COMPLETED_WITH_ERRORS}:
        return Result.COMPLETED_WITH_ERRORS
    return Result.SUCCEEDED

"""The tables of the record store, as SQLAlchemy Core knows them.

Migration and resource type lead every key that belongs to one. Tables that are looked up and
walked by their key are clustered by it on SQLite (`WITHOUT ROWID`); those whose rows are large
are not. How a database comes to have these tables is in `migrations/`; a test holds both equal.
"""

from datetime import datetime

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

from graftport_dagster.store.columns import JsonText, KeyText, Number, PlainText, UtcDateTime

metadata = MetaData()


def _key(*names: str) -> list[Column[str]]:
    return [Column(name, KeyText, primary_key=True) for name in names]


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, KeyText, nullable=False, server_default="") for name in names]


def _words(*names: str) -> list[Column[str]]:
    return [Column(name, PlainText, nullable=False, server_default="") for name in names]


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, Number, nullable=False, server_default="0") for name in names]


def _moments(*names: str, nullable: bool = False) -> "list[Column[datetime]]":
    return [Column(name, UtcDateTime, nullable=nullable) for name in names]


def _flag(name: str) -> "Column[bool]":
    return Column(name, Boolean, nullable=False)


def _serial(name: str) -> "Column[int]":
    return Column(name, Number, primary_key=True, autoincrement=True)


_DATASET_KEY = ("migration", "dry_run_id", "resource_type", "source_id")
_STORE_KEY = ("migration", "store_gid", "resource_type", "source_id")

# `owner`: "" or the id of the dry run that holds its own copy, so that dropping it needs no search for other users.
payloads = Table(
    "payloads", metadata,
    *_key("hash", "owner"), Column("body", Text, nullable=False),
    Index("ix_payloads_owner", "owner", sqlite_where=text("owner <> ''"), postgresql_where=text("owner <> ''")),
)  # fmt: skip

source_records = Table(
    "source_records", metadata,
    *_key(*_DATASET_KEY), *_texts("payload_hash"), *_words("origin"), *_moments("updated_at", nullable=True),
    *_numbers("rows", "first_seq", "changed_seq", "seen_seq", "deleted_seq"),
    sqlite_with_rowid=False,
)  # fmt: skip

# Append-only: the record had this payload (or was gone) from the run `run_seq` on.
source_history = Table(
    "source_history", metadata,
    *_key(*_DATASET_KEY), Column("run_seq", Number, primary_key=True, autoincrement=False),
    *_texts("payload_hash"), _flag("deleted"), *_moments("at"),
    sqlite_with_rowid=False,
)  # fmt: skip

extract_errors = Table(
    "extract_errors", metadata,
    *_key("migration", "dry_run_id", "resource_type", "error_key"),
    *_texts("source_id", "code"), *_words("origin", "document", "reason", "hint", "raw"),
    *_numbers("rows", "rows_invalid", "run_seq"), *_texts("first_run_id", "run_id"), _flag("is_open"),
    *_moments("first_seen", "last_seen"), *_moments("resolved_at", nullable=True),
    Index("ix_extract_errors_run", "run_id", "resource_type"),
    Index("ix_extract_errors_record", "migration", "resource_type", "source_id"),
)  # fmt: skip

source_cursors = Table(
    "source_cursors", metadata,
    *_key("migration", "resource_type"), Column("cursor", JsonText), *_texts("run_id"), *_moments("at"),
    Column("shape", JsonText),
)  # fmt: skip

# `field_groups`: those that the run which read was to land, "" for all.
source_fingerprints = Table(
    "source_fingerprints", metadata,
    *_key("migration", "resource_type", "field_groups"), *_texts("kind", "etag", "run_id"), *_words("token"),
    *_moments("since", "read_at"),
)  # fmt: skip

# The state is one of staged, excluded and errored.
staged_records = Table(
    "staged_records", metadata,
    *_key(*_DATASET_KEY), *_texts("state", "source_hash", "mapping_hash", "settings_hash", "payload_hash"),
    *_texts("mapping_version", "run_id"), *_words("reason"),
    Column("group_hashes", JsonText, nullable=False), Column("warnings", JsonText, nullable=False), *_moments("at"),
    *_moments("valid_until", nullable=True),
    sqlite_with_rowid=False,
)  # fmt: skip

# landed_hash: payload wholly on the store, "" when only some groups of it are; payload_hash: the last one that was.
# withdrawn: archived or deleted there, because it was deleted at the source.
landed_records = Table(
    "landed_records", metadata,
    *_key(*_STORE_KEY), *_texts("landed_hash", "payload_hash", "mapping_version", "run_id"),
    Column("group_hashes", JsonText, nullable=False), _flag("withdrawn"), *_numbers("run_seq"), *_moments("at"),
    sqlite_with_rowid=False,
)  # fmt: skip

landed_snapshots = Table(
    "landed_snapshots", metadata,
    *_key(*_STORE_KEY), Column("body", JsonText, nullable=False), *_moments("at"),
)  # fmt: skip

identities = Table(
    "identities", metadata,
    *_key(*_STORE_KEY, "part", "part_id"), *_texts("gid"), *_words("handle"), *_moments("at"),
    Index("ix_identities_gid", "migration", "store_gid", "gid"),
    sqlite_with_rowid=False,
)  # fmt: skip

# state: intent (sent or about to be) | unknown (the answer was lost) | done (for a payload not clean yet)
record_steps = Table(
    "record_steps", metadata,
    *_key(*_STORE_KEY, "step"), *_texts("payload_hash", "state"), _flag("repeatable"), *_words("remote_id"),
    *_texts("run_id"), *_moments("sent_at"),
    sqlite_with_rowid=False,
)  # fmt: skip

# Bulk operations whose results are not settled yet; `gid` is empty while Shopify's answer is not known.
bulk_operations = Table(
    "bulk_operations", metadata,
    *_key("migration", "store_gid", "resource_type", "token"), *_texts("gid", "run_id"), *_moments("sent_at"),
)  # fmt: skip

# `payload_hash`: empty where the line does not carry the record's whole payload.
bulk_lines = Table(
    "bulk_lines", metadata,
    *_key("migration", "store_gid", "resource_type", "token"),
    Column("line", Number, primary_key=True, autoincrement=False), *_texts("source_id", "payload_hash"),
    sqlite_with_rowid=False,
)  # fmt: skip

# Append-only. `notable`: 1 where the attempt belongs in an error group or among the reasons for not landing.
attempts = Table(
    "attempts", metadata,
    _serial("id"), *_texts("migration", "dry_run_id", "resource_type", "source_id", "phase", "store_gid", "run_id"),
    *_texts("outcome", "error_class", "code"), *_words("path", "message", "hint", "reason"),
    *_texts("source_hash", "payload_hash", "mapping_version"), *_numbers("notable", "calls"),
    Column("cost", Float, nullable=False, server_default="0"), *_moments("at"),
    Index("ix_attempts_record", "migration", "resource_type", "source_id"),
    Index("ix_attempts_notable", "run_id", "resource_type", "phase",
          sqlite_where=text("notable = 1"), postgresql_where=text("notable = 1")),
    Index("ix_attempts_dry_run", "dry_run_id",
          sqlite_where=text("dry_run_id <> ''"), postgresql_where=text("dry_run_id <> ''")),
    sqlite_autoincrement=True,
)  # fmt: skip

record_warnings = Table(
    "record_warnings", metadata,
    _serial("id"), *_texts("migration", "dry_run_id", "run_id", "resource_type", "phase", "source_id", "code"),
    *_words("message"), *_moments("at"),
    Index("ix_record_warnings_run", "run_id", "resource_type", "phase"),
    Index("ix_record_warnings_dry_run", "dry_run_id",
          sqlite_where=text("dry_run_id <> ''"), postgresql_where=text("dry_run_id <> ''")),
    sqlite_autoincrement=True,
)  # fmt: skip

# One row per record, phase and store: the state of its last failure. Earlier ones are among the attempts.
incomplete_records = Table(
    "incomplete_records", metadata,
    *_key("migration", "resource_type", "source_id", "phase", "store_gid"),
    *_texts("status", "outcome", "error_class", "code"), *_words("path", "message", "hint", "reason"),
    *_texts("source_hash", "payload_hash", "settings_hash", "mapping_version", "run_id"),
    Column("waits_for", JsonText, nullable=False),
    *_numbers("tries", "run_seq"), *_moments("next_attempt_at", nullable=True), *_moments("opened_at", "failed_at"),
    *_texts("claimed_by"), *_moments("closed_at", nullable=True), *_texts("closed_run_id"),
    *_words("closed_by", "resolution"),
    Index("ix_incomplete_due", "migration", "status", "next_attempt_at"),
)  # fmt: skip

# What a held record waits for, one row each.
waits = Table(
    "waits", metadata,
    *_key(*_STORE_KEY, "for_type", "for_id", "for_part", "for_part_id"),
    sqlite_with_rowid=False,
)  # fmt: skip

mapping_versions = Table(
    "mapping_versions", metadata,
    *_key("platform", "resource_type"), Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content_hash", KeyText, nullable=False), Column("text", Text, nullable=False), *_words("published_by"),
    *_moments("published_at"), UniqueConstraint("platform", "resource_type", "content_hash"),
)  # fmt: skip

pins = Table(
    "pins", metadata,
    *_key("migration", "resource_type"), *_texts("platform"), *_numbers("number"), _flag("held"),
    *_words("pinned_by", "reason"), *_moments("pinned_at"),
)  # fmt: skip

pin_history = Table(
    "pin_history", metadata,
    _serial("id"), *_texts("migration", "resource_type", "platform"), *_numbers("number"), *_texts("action"),
    *_words("by", "reason"), *_moments("at"),
    Index("ix_pin_history", "migration", "resource_type"),
    sqlite_autoincrement=True,
)  # fmt: skip

runs = Table(
    "runs", metadata,
    _serial("seq"), Column("run_id", KeyText, nullable=False, unique=True),
    *_texts("migration", "store_gid", "result", "retry_of", "replay_of", "host"), *_words("first_error"),
    *_numbers("pid"), Column("options", JsonText, nullable=False),
    *_moments("started_at"), *_moments("ended_at", nullable=True),
    *_texts("credentials"), *_words("canceled_by"), *_moments("cancel_asked_at", nullable=True),
    Index("ix_runs_started", "migration", "started_at"),
    sqlite_autoincrement=True,
)  # fmt: skip

run_items = Table(
    "run_items", metadata,
    *_key("run_id", "resource_type", "phase"), *_texts("result", "mapping_version", "error_class", "child_run_id"),
    *_words("first_error", "first_skip_reason"),
    *(Column(name, JsonText, nullable=False)
      for name in ("counts", "error_groups", "warnings", "skip_reasons", "notes")),
    Column("api_cost", Float, nullable=False), *_numbers("api_calls"),
    *_moments("started_at"), *_moments("ended_at", nullable=True),
)  # fmt: skip

# A row stays after its release, so that `fencing` only ever grows. `process`: which life of the pid holds it.
leases = Table(
    "leases", metadata,
    *_key("migration", "store_gid", "resource_type"), *_texts("run_id", "host", "process"),
    *_numbers("pid", "fencing"), *_moments("acquired_at", "expires_at"),
)  # fmt: skip

stores = Table(
    "stores", metadata,
    *_key("migration", "gid"), *_words("domain", "name"), _flag("confirmed"), *_moments("first_seen"),
)  # fmt: skip

pauses = Table(
    "pauses", metadata,
    *_key("migration"), *_words("by", "reason"), *_moments("since"),
)  # fmt: skip

# Schedules that stopped asking because their runs kept failing alike; a row stays when a person resumed it.
schedule_pauses = Table(
    "schedule_pauses", metadata,
    *_key("migration", "schedule"), *_texts("run_id"), *_words("reason", "resumed_by"), *_moments("since"),
    *_moments("resumed_at", nullable=True),
)  # fmt: skip

# One local file of one resource type: as it was when it was read, and what became of it (store/source_files.py).
source_files = Table(
    "source_files", metadata,
    *_key("migration", "resource_type", "path"), *_texts("stamp", "sha256", "run_id", "state"),
    *_words("name", "place"), *_numbers("run_seq"), *_moments("at"),
)  # fmt: skip

"""The first schema.

Column kinds and tables stand here as they were released, and not as `store/tables.py` has them today.
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    """Makes all tables."""
    _payloads_and_source()
    _staged_and_landed()
    _attempts()
    _incomplete()
    _mappings()
    _runs_and_stores()


def _keys(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, _KEY, primary_key=True) for name in names]


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, _KEY, nullable=False, server_default="") for name in names]


def _words(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, sa.Text(), nullable=False, server_default="") for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, _NUMBER, nullable=False, server_default="0") for name in names]


def _moments(*names: str) -> "list[sa.Column[datetime]]":
    return [sa.Column(name, _MOMENT, nullable=False) for name in names]


def _moments_or_none(*names: str) -> "list[sa.Column[datetime]]":
    return [sa.Column(name, _MOMENT) for name in names]


def _index(name: str, table: str, *columns: str, where: str = "") -> None:
    condition = sa.text(where) if where else None
    op.create_index(name, table, list(columns), sqlite_where=condition, postgresql_where=condition)


def _payloads_and_source() -> None:
    op.create_table(
        "payloads",
        *_keys("hash", "owner"),
        sa.Column("body", sa.Text(), nullable=False),
    )
    _index("ix_payloads_owner", "payloads", "owner", where="owner <> ''")
    op.create_table(
        "source_records",
        *_keys("migration", "dry_run_id", "resource_type", "source_id"),
        *_texts("payload_hash"),
        *_words("origin"),
        *_moments_or_none("updated_at"),
        *_numbers("rows", "first_seq", "changed_seq", "seen_seq", "deleted_seq"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "source_history",
        *_keys("migration", "dry_run_id", "resource_type", "source_id"),
        sa.Column("run_seq", _NUMBER, primary_key=True, autoincrement=False),
        *_texts("payload_hash"),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        *_moments("at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "extract_errors",
        *_keys("migration", "dry_run_id", "resource_type", "error_key"),
        *_texts("source_id", "code"),
        *_words("origin", "document", "reason", "hint", "raw"),
        *_numbers("rows", "rows_invalid", "run_seq"),
        *_texts("first_run_id", "run_id"),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        *_moments("first_seen", "last_seen"),
        *_moments_or_none("resolved_at"),
    )
    _index("ix_extract_errors_record", "extract_errors", "migration", "resource_type", "source_id")
    _index("ix_extract_errors_run", "extract_errors", "run_id", "resource_type")
    op.create_table(
        "source_cursors",
        *_keys("migration", "resource_type"),
        sa.Column("cursor", sa.Text()),
        *_texts("fingerprint", "run_id"),
        *_moments("at"),
    )


def _staged_and_landed() -> None:
    op.create_table(
        "staged_records",
        *_keys("migration", "dry_run_id", "resource_type", "source_id"),
        *_texts("state", "source_hash", "mapping_hash", "settings_hash", "payload_hash", "mapping_version", "run_id"),
        *_words("reason"),
        sa.Column("group_hashes", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        *_moments("at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "landed_records",
        *_keys("migration", "store_gid", "resource_type", "source_id"),
        *_texts("landed_hash", "payload_hash", "mapping_version", "run_id"),
        sa.Column("group_hashes", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        *_numbers("run_seq"),
        *_moments("at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "landed_snapshots",
        *_keys("migration", "store_gid", "resource_type", "source_id"),
        sa.Column("body", sa.Text(), nullable=False),
        *_moments("at"),
    )
    op.create_table(
        "identities",
        *_keys("migration", "store_gid", "resource_type", "source_id", "part", "part_id"),
        *_texts("gid"),
        *_words("handle"),
        *_moments("at"),
        sqlite_with_rowid=False,
    )
    _index("ix_identities_gid", "identities", "migration", "store_gid", "gid")
    op.create_table(
        "record_steps",
        *_keys("migration", "store_gid", "resource_type", "source_id", "step"),
        *_texts("payload_hash", "state"),
        sa.Column("repeatable", sa.Boolean(), nullable=False),
        *_words("remote_id"),
        *_texts("run_id"),
        *_moments("sent_at"),
        sqlite_with_rowid=False,
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        *_texts(
            "migration",
            "dry_run_id",
            "resource_type",
            "source_id",
            "phase",
            "store_gid",
            "run_id",
            "outcome",
            "error_class",
            "code",
        ),
        *_words("path", "message", "hint", "reason"),
        *_texts("source_hash", "payload_hash", "mapping_version"),
        *_numbers("notable", "calls"),
        sa.Column("cost", sa.Float(), nullable=False, server_default="0"),
        *_moments("at"),
        sqlite_autoincrement=True,
    )
    _index("ix_attempts_dry_run", "attempts", "dry_run_id", where="dry_run_id <> ''")
    _index("ix_attempts_notable", "attempts", "run_id", "resource_type", "phase", where="notable = 1")
    _index("ix_attempts_record", "attempts", "migration", "resource_type", "source_id")
    op.create_table(
        "record_warnings",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        *_texts("migration", "dry_run_id", "run_id", "resource_type", "phase", "source_id", "code"),
        *_words("message"),
        *_moments("at"),
        sqlite_autoincrement=True,
    )
    _index("ix_record_warnings_dry_run", "record_warnings", "dry_run_id", where="dry_run_id <> ''")
    _index("ix_record_warnings_run", "record_warnings", "run_id", "resource_type", "phase")


def _incomplete() -> None:
    op.create_table(
        "incomplete_records",
        *_keys("migration", "resource_type", "source_id", "phase", "store_gid"),
        *_texts("status", "outcome", "error_class", "code"),
        *_words("path", "message", "hint", "reason"),
        *_texts("source_hash", "payload_hash", "settings_hash", "mapping_version", "run_id"),
        sa.Column("waits_for", sa.Text(), nullable=False),
        *_numbers("tries", "run_seq"),
        *_moments_or_none("next_attempt_at"),
        *_moments("opened_at", "failed_at"),
        *_texts("claimed_by"),
        *_moments_or_none("closed_at"),
        *_texts("closed_run_id"),
        *_words("closed_by", "resolution"),
    )
    _index("ix_incomplete_due", "incomplete_records", "migration", "status", "next_attempt_at")
    op.create_table(
        "waits",
        *_keys("migration", "store_gid", "resource_type", "source_id", "for_type", "for_id", "for_part", "for_part_id"),
        sqlite_with_rowid=False,
    )


def _mappings() -> None:
    op.create_table(
        "mapping_versions",
        *_keys("platform", "resource_type"),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content_hash", _KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        *_words("published_by"),
        *_moments("published_at"),
        sa.UniqueConstraint("platform", "resource_type", "content_hash"),
    )
    op.create_table(
        "pins",
        *_keys("migration", "resource_type"),
        *_texts("platform"),
        *_numbers("number"),
        sa.Column("held", sa.Boolean(), nullable=False),
        *_words("pinned_by", "reason"),
        *_moments("pinned_at"),
    )
    op.create_table(
        "pin_history",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        *_texts("migration", "resource_type", "platform"),
        *_numbers("number"),
        *_texts("action"),
        *_words("by", "reason"),
        *_moments("at"),
        sqlite_autoincrement=True,
    )
    _index("ix_pin_history", "pin_history", "migration", "resource_type")


def _runs_and_stores() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("run_id", _KEY, nullable=False, unique=True),
        *_texts("migration", "store_gid", "result", "retry_of", "replay_of", "host"),
        *_words("first_error"),
        *_numbers("pid"),
        sa.Column("options", sa.Text(), nullable=False),
        *_moments("started_at"),
        *_moments_or_none("ended_at"),
        sqlite_autoincrement=True,
    )
    _index("ix_runs_started", "runs", "migration", "started_at")
    op.create_table(
        "run_items",
        *_keys("run_id", "resource_type", "phase"),
        *_texts("result", "mapping_version", "error_class", "child_run_id"),
        *_words("first_error", "first_skip_reason"),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("error_groups", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("skip_reasons", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("api_cost", sa.Float(), nullable=False),
        *_numbers("api_calls"),
        *_moments("started_at"),
        *_moments_or_none("ended_at"),
    )
    op.create_table(
        "leases",
        *_keys("migration", "store_gid", "resource_type"),
        *_texts("run_id", "host", "process"),
        *_numbers("pid", "fencing"),
        *_moments("acquired_at", "expires_at"),
    )
    op.create_table(
        "stores",
        *_keys("migration", "gid"),
        *_words("domain", "name"),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        *_moments("first_seen"),
    )
    op.create_table(
        "pauses",
        *_keys("migration"),
        *_words("by", "reason"),
        *_moments("since"),
    )

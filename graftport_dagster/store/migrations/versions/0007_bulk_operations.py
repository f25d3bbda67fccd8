"""Bulk operations under way in a Shopify store, and which record each of their lines is."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _names() -> list[sa.Column[str]]:
    return [sa.Column(name, _KEY, primary_key=True) for name in ("migration", "store_gid", "resource_type", "token")]


def upgrade() -> None:
    """Adds two tables."""
    op.create_table(
        "bulk_operations",
        *_names(),
        sa.Column("gid", _KEY, nullable=False, server_default=""),
        sa.Column("run_id", _KEY, nullable=False, server_default=""),
        sa.Column("sent_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "bulk_lines",
        *_names(),
        sa.Column("line", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("source_id", _KEY, nullable=False, server_default=""),
        sa.Column("payload_hash", _KEY, nullable=False, server_default=""),
        sqlite_with_rowid=False,
    )

"""Local files that a source was read from, and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    """Adds the table; of files read before nothing is known."""
    op.create_table(
        "source_files",
        sa.Column("migration", _KEY, primary_key=True),
        sa.Column("resource_type", _KEY, primary_key=True),
        sa.Column("path", _KEY, primary_key=True),
        sa.Column("stamp", _KEY, nullable=False, server_default=""),
        sa.Column("sha256", _KEY, nullable=False, server_default=""),
        sa.Column("run_id", _KEY, nullable=False, server_default=""),
        sa.Column("state", _KEY, nullable=False, server_default=""),
        sa.Column("name", sa.Text(), nullable=False, server_default=""),
        sa.Column("place", sa.Text(), nullable=False, server_default=""),
        sa.Column("run_seq", _NUMBER, nullable=False, server_default="0"),
        sa.Column("at", _MOMENT, nullable=False),
    )

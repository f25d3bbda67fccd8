"""What each source looked like when it was last read well, in the place of a column that was never filled."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    """Adds a table; nothing is known yet of sources read before, so that each is read once more."""
    op.create_table(
        "source_fingerprints",
        sa.Column("migration", _KEY, primary_key=True),
        sa.Column("resource_type", _KEY, primary_key=True),
        sa.Column("field_groups", _KEY, primary_key=True),
        sa.Column("kind", _KEY, nullable=False, server_default=""),
        sa.Column("etag", _KEY, nullable=False, server_default=""),
        sa.Column("run_id", _KEY, nullable=False, server_default=""),
        sa.Column("token", sa.Text(), nullable=False, server_default=""),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("read_at", _MOMENT, nullable=False),
    )
    op.drop_column("source_cursors", "fingerprint")

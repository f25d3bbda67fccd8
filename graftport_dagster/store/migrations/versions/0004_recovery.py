"""What a run had of credentials, who asked it to stop, and schedules that were paused because they kept failing."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    """Adds columns and a table; what is there stays."""
    op.add_column("runs", sa.Column("credentials", _KEY, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("canceled_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("cancel_asked_at", _MOMENT, nullable=True))
    op.create_table(
        "schedule_pauses",
        sa.Column("migration", _KEY, primary_key=True),
        sa.Column("schedule", _KEY, primary_key=True),
        sa.Column("run_id", _KEY, nullable=False, server_default=""),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("resumed_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("resumed_at", _MOMENT, nullable=True),
    )

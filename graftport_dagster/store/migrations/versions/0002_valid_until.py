"""When a staged record is to be evaluated again though nothing changed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    """Adds the moment to staged records; those that are there have none."""
    op.add_column("staged_records", sa.Column("valid_until", _MOMENT, nullable=True))

"""What a source's records looked like at the last whole read."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the shape beside the cursor; none is known of sources read before."""
    op.add_column("source_cursors", sa.Column("shape", sa.Text(), nullable=True))

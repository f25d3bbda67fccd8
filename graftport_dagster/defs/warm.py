"""What every step's process needs, imported once by the server that forks them.

Dagster imports much of this only when a run starts: half a second for each process.
"""

import alembic.command
import dagster
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite

import graftport_dagster.defs.factory

__all__ = ["alembic", "dagster", "graftport_dagster", "sqlalchemy"]

"""Brings a database to this version's tables, one process at a time, and refuses what is newer.

The steps are alembic's, in `migrations/versions/`; alembic is imported only where there is
something to upgrade, because most processes that open a store find it as it should be.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from graftport_dagster.errors import SchemaTooNewError, TransientError
from graftport_dagster.store.database import Database, set_wal, table_names

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
_MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADE_SECONDS = 120
_LOCK = "graftport:schema"


def upgrade(database: Database) -> None:
    """Does nothing where the tables are those of this version. Raises SchemaTooNewError for a later version's."""
    with database.read() as connection:
        if _is_current(connection):
            return
    with _alone(database):
        if database.is_sqlite:
            set_wal(database)
        with database.write() as connection:
            if not database.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(_LOCK))))
            if not _is_current(connection):
                _run_alembic(connection)


def _is_current(connection: Connection) -> bool:
    if "alembic_version" not in table_names(connection):
        return False
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if unknown := [revision for revision in found if revision not in REVISIONS]:
        raise SchemaTooNewError(
            f"The record store was written by a later version of Graftport (schema {unknown[0]}; "
            f"this version knows up to {REVISIONS[-1]}).",
            hint="Install that version or a later one, or point GRAFTPORT_STORE_URL at another store.",
        )
    return list(found) == [REVISIONS[-1]]


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """On SQLite a lock beside the file: SQLite's own, which every system has and which ends with its process.

    Postgres is locked in the transaction that upgrades it.
    """
    if not database.is_sqlite:
        yield
        return
    beside = database.path.with_name(database.path.name + ".upgrade")
    with closing(sqlite3.connect(beside, timeout=_UPGRADE_SECONDS, isolation_level=None)) as lock:
        beside.chmod(0o600)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise TransientError(
                f"Another process has been upgrading the record store for {_UPGRADE_SECONDS} seconds.",
                code="STORE_BUSY",
            ) from error
        yield

"""What a database's refusal means for us: the one place where its wording and codes are read.

`database.py` wraps every connection with it; everything above sees only errors of `errors.py`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from graftport_dagster.errors import (
    BrokenPromiseError,
    ConfigurationError,
    CredentialsError,
    GraftportError,
    OutOfSpaceError,
    StoreLostError,
    TransientError,
    UnreachableError,
)

_FULL_HINT = "Free some space and run again: nothing of the batch in hand was written, all before it is kept."
_BUSY_HINT = (
    "Another program has kept it locked for 30 seconds: let it end, then run again. What was done before is kept."
)
_LOST_HINT = "Run again once the database is back: what was not recorded is verified or done then."
_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SQLITE_PLACE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
_SQLITE_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_BUSY = {"40001", "40P01", "55P03", "57014"}
_POSTGRES_AWAY = {"57P01", "57P02", "57P03", "53300", "08000", "08001", "08003", "08004", "08006"}


@contextmanager
def translated() -> Iterator[None]:
    """Raises the error of ours that a database error stands for; other errors pass."""
    try:
        yield
    except DBAPIError as error:
        meant = _meaning(error)
        if meant is None:
            raise
        raise meant from error


def _meaning(error: DBAPIError) -> GraftportError | None:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_meaning(error.orig)
    return _postgres_meaning(error)


def _sqlite_meaning(error: sqlite3.Error) -> GraftportError | None:
    # The extended code's low byte is the primary code.
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    said = f"The record store's SQLite file: {error}."
    if code == sqlite3.SQLITE_FULL:
        return OutOfSpaceError(said, hint=_FULL_HINT)
    if code in _SQLITE_BUSY:
        return TransientError(said, code="STORE_BUSY", hint=_BUSY_HINT)
    if code == sqlite3.SQLITE_IOERR:
        return TransientError(said, code="STORE_IO", hint="Look at the disk, then run again.")
    if code in _SQLITE_PLACE:
        return ConfigurationError(said, code="STORE_PLACE", hint="Give a place that this user can write to.")
    if code in _SQLITE_DAMAGED:
        return BrokenPromiseError(said, code="STORE_DAMAGED", hint="Restore the file from a backup, with its -wal.")
    return None


def _postgres_meaning(error: DBAPIError) -> GraftportError | None:
    code = getattr(error.orig, "pgcode", None)
    said = f"The record store's Postgres: {_first_line(error)}"
    if code is None:
        return _connection_meaning(error, said)
    if code == "53100":
        return OutOfSpaceError(said, hint=_FULL_HINT)
    if code in _POSTGRES_BUSY:
        return TransientError(said, code="STORE_BUSY", hint=_BUSY_HINT)
    if code in _POSTGRES_AWAY or error.connection_invalidated:
        return StoreLostError(said, hint=_LOST_HINT)
    if code.startswith("28"):
        return CredentialsError(said, code="STORE_CREDENTIALS")
    if code == "42501":
        return ConfigurationError(said, code="STORE_PLACE", hint="Give the user CREATE on the database's schema.")
    return None


def _connection_meaning(error: DBAPIError, said: str) -> GraftportError | None:
    """psycopg2 gives no code where the connection never came about, or broke."""
    if error.connection_invalidated:
        return StoreLostError(said, hint=_LOST_HINT)
    words = str(error.orig)
    if "authentication failed" in words or "no password supplied" in words or "pg_hba.conf" in words:
        return CredentialsError(said, code="STORE_CREDENTIALS", hint="Look at the user and password of the URL.")
    if 'database "' in words and "does not exist" in words:
        return ConfigurationError(said, code="STORE_PLACE", hint="Create the database first.")
    if type(error.orig).__name__ == "OperationalError":
        return UnreachableError(said, code="STORE_UNREACHABLE", hint="Is the database up, and the URL right?")
    return None


def _first_line(error: DBAPIError) -> str:
    return next((line for line in str(error.orig).splitlines() if line.strip()), type(error.orig).__name__)

"""One source database: opened so that nothing can be written to it, its failures said in plain words.

What is asked of it, and what its rows mean, is in `sql.py`. The record store's own database is
opened in `store/`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    GraftportError,
    RemoteFaultError,
    UnreachableError,
)

_CREDENTIALS = (
    "password authentication", "access denied", "login failed", "no password supplied", "pg_hba.conf", "ora-01017",
    "authentication failed", "permission denied", "denied to user", "not authorized",
)  # fmt: skip
_ABSENT_DATABASE = re.compile(r"(unknown|cannot open) database|database \"?[^\"]*\"? does not exist", re.IGNORECASE)
_UNREACHABLE = (
    "could not connect", "connection refused", "could not translate host", "can't connect", "timeout expired",
    "timed out", "no route", "name or service not known", "connection to server", "unable to connect", "getaddrinfo",
)  # fmt: skip
_LOST = ("closed the connection", "connection already closed", "lost connection", "gone away", "terminating connection")
_DRIVERS = {"postgresql": "psycopg2-binary", "mysql": "pymysql", "mariadb": "pymysql", "mssql": "pyodbc",
            "oracle": "oracledb"}  # fmt: skip
# Every later transaction of a connection reads only, and times with a zone come in UTC, whatever the server's own.
_OF_MYSQL = ("SET SESSION TRANSACTION READ ONLY", "SET SESSION time_zone = '+00:00'")
_MYSQL = frozenset({"mysql", "mariadb"})
_NO_DATE = "0000-00-00"
_SAME_CONNECTION = frozenset({"postgresql", "sqlite"})


# The words of a query that a refusal repeats: SQLite's, then MySQL's.
_NAMED = re.compile(
    r"near \"([^\"]+)\"|no such column: (\S+)|no such function: (\S+)|Unknown column '([^']+)'|near '(.+)' at line \d"
)


class Database:
    """A database to read from. `address`: an SQLAlchemy URL, or the path of an SQLite file relative to `folder`.

    Raises ConfigurationError (DATABASE_ADDRESS, DRIVER_MISSING) that never repeats the address.
    """

    def __init__(self, address: str, folder: Path) -> None:
        self._url = _url(address, folder)
        self._engine = _engine(self._url)
        self.dialect = self._engine.dialect

    @property
    def name(self) -> str:
        """The host and database, without user or password."""
        where = f"{self._url.host}/" if self._url.host else ""
        return where + Path(self._url.database or "").name

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, Connection]]:
        """Two connections, for parents and for children, in one snapshot where the database can do that.

        They are the same one where the driver can have two results open at once. Nothing is ever committed.
        """
        self._find_file()
        with self._connected() as parents:
            if self.dialect.name in _SAME_CONNECTION:
                yield parents, parents
            else:
                with self._connected() as children:
                    yield parents, children

    def close(self) -> None:
        """Ends its connections."""
        self._engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            connection = self._engine.connect()
        except (SQLAlchemyError, OSError) as error:
            raise self._refusal(error) from error
        try:
            if self.dialect.name == "oracle":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            yield connection
        finally:
            if self.dialect.name in _MYSQL:
                # Rolling back would first fetch all that is left of a result that was given up.
                connection.invalidate()
            # Closing rolls back.
            connection.close()

    def _find_file(self) -> None:
        name = self._url.database
        if self.dialect.name != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
            return
        # SQLite would make an empty database of a name that is not there.
        if not Path(name).is_file():
            raise ConfigurationError(
                f"There is no database file {Path(name).name}.", code="FILE_ABSENT",
                hint=f"Put it at {name}, or correct the address.",
            )  # fmt: skip

    def _refusal(self, error: Exception) -> GraftportError:
        """Why there is no connection. A driver's words hold no password; the address is not repeated."""
        said = words_of(error)
        if any(word in said.lower() for word in _CREDENTIALS) or re.search(r"role \"[^\"]*\" does not exist", said):
            return CredentialsError(
                f"{self.name} does not let this user in: {said}", code="DATABASE_CREDENTIALS",
                hint="Check user and password in the address, and what the user may read.",
            )  # fmt: skip
        if _ABSENT_DATABASE.search(said):
            return ConfigurationError(said, code="DATABASE_ABSENT", hint="Check the database's name in the address.")
        return UnreachableError(
            f"{self.name} cannot be reached: {said}", code="DATABASE_UNREACHABLE",
            hint="Check the address, and whether a firewall is between.",
        )  # fmt: skip


def _url(address: str, folder: Path) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "The database's address is none that SQLAlchemy knows.", code="DATABASE_ADDRESS",
            hint="Write it like postgresql+psycopg2://user:password@host/database or sqlite:///shop.db; "
            "characters like @ and / in a password are written as %40 and %2F.",
        ) from None  # fmt: skip
    relative = url.drivername.startswith("sqlite") and url.database and url.database != ":memory:"
    if relative and not str(url.database).startswith("file:"):
        return url.set(database=str(folder / str(url.database)))
    return url


def _engine(url: URL) -> Engine:
    options: dict[str, Any] = {"poolclass": NullPool}
    if url.drivername.startswith("postgresql"):
        options["execution_options"] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    try:
        if url.drivername.endswith("+pymysql"):
            options["connect_args"] = {"conv": _without_zero_dates()}
        engine = create_engine(url, **options)
    except (NoSuchModuleError, ImportError) as error:
        kind = url.drivername.partition("+")[0]
        package = _DRIVERS.get(kind, "the package that adds it")
        raise ConfigurationError(
            f"There is no driver here for {url.drivername}: {error}.", code="DRIVER_MISSING",
            hint=f"Install {package} into the same environment, or name another driver in the address.",
        ) from error  # fmt: skip
    except (ArgumentError, ValueError, TypeError):
        raise ConfigurationError("The database's address is not right.", code="DATABASE_ADDRESS") from None
    event.listen(engine, "connect", _protect(engine.dialect.name))
    return engine


def _without_zero_dates() -> Any:
    """PyMySQL's converters, but for dates of zeros: those are no texts among times, they are nothing."""
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions

    def over(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda value: None if str(value).startswith(_NO_DATE) else convert(value)

    kinds = (FIELD_TYPE.DATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP)
    return {**conversions, **{kind: over(conversions[kind]) for kind in kinds}}


def _protect(dialect: str) -> Any:
    def protect(connection: Any, _record: object) -> None:
        if dialect == "sqlite":
            connection.execute("PRAGMA query_only = ON")
            # Bytes that are no text stay visible as such, so that only their own row is refused.
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        elif dialect in _MYSQL:
            cursor = connection.cursor()
            for statement in _OF_MYSQL:
                cursor.execute(statement)
            cursor.close()

    return protect


def words_of(error: BaseException) -> str:
    """What the driver said, in one line."""
    said = str(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error)
    return " ".join(said.split())[:300]


def query_refusal(error: Exception, name: str, query: str, sent: str) -> GraftportError:
    """What a failed query means: a mistake in it (with its place), a lacking right, or a database that went away."""
    said = words_of(error)
    if any(word in said.lower() for word in _CREDENTIALS):
        return CredentialsError(
            f"The database refuses the query: {said}", code="DATABASE_CREDENTIALS", path=f"source.queries.{name}",
            hint="Grant this user the reading of those tables.",
        )  # fmt: skip
    if any(word in said.lower() for word in (*_LOST, *_UNREACHABLE)):
        return RemoteFaultError(f"The database went away while it was read: {said}", code="ANSWER_LOST")
    place = _place(error, said, query, sent)
    return ConfigurationError(
        f"The database does not take the query{place}: {said}", code="QUERY", path=f"source.queries.{name}",
        hint="Try the query in the database's own client.",
    )  # fmt: skip


def _place(error: Exception, said: str, query: str, sent: str) -> str:
    """` (line 2, column 8)` of the query as it is written, or "" where the driver does not say."""
    cause = getattr(error, "orig", None)
    at = -1
    if reported := getattr(getattr(cause, "diag", None), "statement_position", None):
        # As the driver sent it: with the cursor's declaration before, and the parameters filled in.
        whole = getattr(getattr(cause, "cursor", None), "query", None) or sent
        whole = whole.decode("utf-8", "replace") if isinstance(whole, bytes) else whole
        at = int(reported) - 1 - max(0, whole.find(query[:20]))
    elif found := _NAMED.search(said):
        line = re.search(r"' at line (\d+)", said)
        # MySQL counts the lines, and repeats the query from there on.
        begins = sum(map(len, query.splitlines(keepends=True)[: int(line[1]) - 1])) if line else 0
        at = query.find(next(word for word in found.groups() if word), begins)
    if not 0 <= at < len(query):
        return ""
    before = query[:at]
    return f" (line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))})"

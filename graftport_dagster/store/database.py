"""One way to the database for SQLite and Postgres: connections, transactions, batched writes.

A write transaction takes SQLite's lock when it begins (BEGIN IMMEDIATE), so that two writers wait
for each other and neither fails half-way. A Postgres that restarts is waited for, and what it had
not begun to commit is done once more (`over_restarts`). What is in the tables is no business of this module;
making and upgrading them is in `schema.py`, the meaning of errors in `faults.py`.
"""

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, wraps
from inspect import isfunction, isgeneratorfunction
from operator import itemgetter
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    Select,
    Table,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy import Row as Found
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.types import TypeEngine

from graftport_dagster.errors import (
    ConfigurationError,
    OutOfSpaceError,
    StoreLostError,
    TransientError,
    UnreachableError,
)
from graftport_dagster.store.columns import DatabaseNow, UtcDateTime
from graftport_dagster.store.faults import translated
from graftport_dagster.store.growth import Growth

Row = Mapping[str, Any]
_Kept = TypeVar("_Kept")
_Told = TypeVar("_Told")
_Asked = ParamSpec("_Asked")
_BUSY_SECONDS = 30
# How long a database that was there is waited for: a restart, a fail-over to another machine.
AWAY_SECONDS = 120.0
_ASK_AGAIN_SECONDS = 0.5
# A database that ends the same transaction so often does not merely restart.
_MOST_RESTARTS = 5
_log = logging.getLogger(__name__)
# FULL: a commit is on the disk before the answer that rests on it is acted upon; power may fail at any time.
_PRAGMAS = (
    f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -8192",
    "PRAGMA wal_autocheckpoint = 8000",
)


def over_restarts(cls: type[_Kept]) -> type[_Kept]:
    """Each public method of the class, which must be one transaction, goes on over a restart of the database.

    It is done once more where the database went away before it was asked to commit; where that is not certain
    the error is raised, and the next run finds out.
    """
    for name, method in vars(cls).items():
        if isfunction(method) and not name.startswith("_") and not isgeneratorfunction(method):
            setattr(cls, name, _again(method))
    return cls


def _again(method: Callable[_Asked, _Told]) -> Callable[_Asked, _Told]:
    @wraps(method)
    def again(*args: _Asked.args, **kwargs: _Asked.kwargs) -> _Told:
        for _ in range(_MOST_RESTARTS):
            try:
                return method(*args, **kwargs)
            except StoreLostError as error:
                if not error.is_undone:
                    raise
        return method(*args, **kwargs)

    return again


class Database:
    """The engine behind a store's URL. Raises ConfigurationError for a URL that is none of the two kinds.

    `patience`: for how many seconds its first answer is waited for.
    """

    def __init__(self, url: str, *, patience: float = 0.0) -> None:
        self.url = _normalised(url)
        self._patience = patience
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url)
        self._growth = Growth()
        self._writing = self.engine.execution_options(graftport_writes=True, graftport_growth=self._growth)

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is a file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The file of a store on SQLite."""
        return Path(self.url.database or "")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose statements see one moment each (Postgres) or all the same one (SQLite)."""
        try:
            with translated(), self._connected(self.engine) as connection:
                yield connection
        except StoreLostError as error:
            error.is_undone = True
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end, rolled back by any exception."""
        commits = False
        try:
            with translated(), self._connected(self._writing) as connection, connection.begin():
                yield connection
                commits = True
        except StoreLostError as error:
            error.is_undone = not commits
            raise
        if not self.is_sqlite and (tables := self._growth.take_due()):
            # Statistics only: what was to be written is.
            with suppress(TransientError), translated(), self._connected(self.engine) as connection, connection.begin():
                connection.exec_driver_sql(f"ANALYZE {', '.join(tables)}")

    @_again
    def rows(self, query: Select[Any]) -> Sequence[Found[Any]]:
        """All rows of a query that is short enough to be read at once."""
        with self.read() as connection:
            return connection.execute(query).all()

    def _connected(self, engine: Engine) -> Connection:
        """A connection. A database that was there is waited for: nothing was asked of it yet, nothing is in doubt."""
        begun = time.monotonic()
        has_told = False
        while True:
            try:
                with translated():
                    connection = engine.connect()
            except (StoreLostError, UnreachableError) as error:
                if time.monotonic() - begun >= self._patience:
                    # Whoever ends what this stopped asks once more, and does not wait as long again.
                    self._patience = 0.0
                    raise
                if not has_told:
                    _log.warning("Waiting for the database, up to %d s. %s", self._patience, error.message)
                has_told = True
                time.sleep(_ASK_AGAIN_SECONDS)
            else:
                self._patience = AWAY_SECONDS
                return connection

    def close(self) -> None:
        """Gives back all connections."""
        self.engine.dispose()


def put(
    connection: Connection, table: Table, rows: Sequence[Row], *, update: Sequence[str] | None = None,
    key: Sequence[str] = (),
) -> None:  # fmt: skip
    """Inserts rows by `key` (the primary one by default); where the key is there, updates the columns of `update`.

    All other columns by default, none for (). Of rows with the same key the last wins. Rows must
    have the same columns. They are written in the order of their keys, so that two writers of
    the same rows cannot lock each other out.
    """
    if not rows:
        return
    names = tuple(key or (column.name for column in table.primary_key))
    identify = itemgetter(*names)
    by_key = {identify(row): row for row in rows}
    changed = tuple(name for name in rows[0] if name not in names) if update is None else tuple(update)
    statement = _writing(connection.dialect, table, tuple(rows[0]), names, changed)
    statement.run(connection, [by_key[name] for name in sorted(by_key)])


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts rows that have the same columns into a table that numbers them itself."""
    if rows:
        _writing(connection.dialect, table, tuple(rows[0]), None, ()).run(connection, rows)


@dataclass(frozen=True, slots=True)
class _Statement:
    """An insert compiled once, with what each value needs; SQLAlchemy compiles `ON CONFLICT` at each execution."""

    table: str
    sql: str
    names: tuple[str, ...]
    processors: tuple[Callable[[Any], Any] | None, ...]
    is_positional: bool

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        pick = itemgetter(*self.names)
        values = [
            tuple(
                [
                    value if process is None else process(value)
                    for process, value in zip(self.processors, pick(row), strict=True)
                ]
            )
            for row in rows
        ]
        if growth := connection.get_execution_options().get("graftport_growth"):
            growth.note(self.table, len(rows))
        if self.is_positional:
            connection.exec_driver_sql(self.sql, values)
        else:
            connection.exec_driver_sql(self.sql, [dict(zip(self.names, row, strict=True)) for row in values])


@lru_cache(maxsize=256)
def _writing(
    dialect: Dialect, table: Table, names: tuple[str, ...], key: tuple[str, ...] | None, changed: tuple[str, ...]
) -> _Statement:
    """`key`: what rows are known by; None where every row is new."""
    insert: Any = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    if key is not None and changed:
        insert = insert.on_conflict_do_update(
            index_elements=key, set_={name: insert.excluded[name] for name in changed}
        )
    elif key is not None:
        insert = insert.on_conflict_do_nothing(index_elements=key)
    compiled = insert.compile(dialect=dialect, column_keys=list(names))
    ordered = tuple(compiled.positiontup or names)
    processors = tuple(_processor(table.c[name].type, dialect) for name in ordered)
    return _Statement(table.name, str(compiled), ordered, processors, compiled.positional)


def _processor(type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    process = type_.dialect_impl(dialect).bind_processor(dialect)
    # Most rows of a batch have the same moment.
    return lru_cache(maxsize=16)(process) if process and isinstance(type_, UtcDateTime) else process


def serialise(connection: Connection, name: str) -> None:
    """Until this transaction ends, no other one that asks for the same name goes on. SQLite's writers always wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"graftport:{name}"))))


def database_now(connection: Connection) -> datetime:
    """The moment by the database's clock."""
    return connection.execute(select(DatabaseNow())).scalar_one()


def _normalised(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "The record store's URL cannot be read.", code="STORE_URL",
            hint="Write sqlite:///path/to/file.db or postgresql://user@host/database.",
        ) from error  # fmt: skip
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg2")
    if parsed.drivername == "postgresql+psycopg2":
        return parsed
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise ConfigurationError(
        f"The record store cannot be kept in {parsed.drivername}.", code="STORE_URL",
        hint="Write sqlite:///path/to/file.db or postgresql://user@host/database.",
    )  # fmt: skip


def _sqlite_engine(url: URL) -> Engine:
    _make_private(Path(url.database or ""))
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: object) -> None:  # noqa: ARG001
        # The driver would begin transactions on its own, too late and as readers; see _begin.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("graftport_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_private(path: Path) -> None:
    """The file (and so SQLite's -wal and -shm beside it) readable by its owner only; likewise a folder made here."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutOfSpaceError("There is no space for the record store's file.") from error
        raise ConfigurationError(
            f"The record store's file {path.name} cannot be made or written: {error.strerror}.", code="STORE_PLACE",
            hint="Give a place that this user can write to (GRAFTPORT_STORE_URL).",
        ) from error  # fmt: skip


def _postgres_engine(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            hide_parameters=True,
            executemany_mode="values_plus_batch",
            pool_pre_ping=True,
            connect_args={
                "application_name": "graftport",
                "options": f"-c timezone=utc -c lock_timeout={_BUSY_SECONDS}s",
                "connect_timeout": 30,
            },
        )
    except ImportError as error:
        raise ConfigurationError(
            "A record store on Postgres needs psycopg2.", code="STORE_DRIVER",
            hint="Install it: pip install 'graftport-dagster[postgres]'.",
        ) from error  # fmt: skip


def set_wal(database: Database) -> None:
    """Readers go on while one writes; the setting stays with the file."""
    with database.read() as connection:
        connection.rollback()
        raw = connection.connection.dbapi_connection
        if raw is not None:
            raw.cursor().execute("PRAGMA journal_mode = WAL")


def table_names(connection: Connection) -> set[str]:
    """The tables there are, without reflecting them."""
    listing = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if connection.dialect.name == "sqlite"
        else "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    )
    return set(connection.execute(text(listing)).scalars())

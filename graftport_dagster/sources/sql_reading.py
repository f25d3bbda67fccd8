"""Rows of a database into records: a query's text and errors, and the rows below each row put under its id.

Which queries there are, and since when they are read, is in `sql`; what a value becomes in
`sql_values`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnClause,
    Connection,
    CursorResult,
    Row,
    Select,
    bindparam,
    column,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import Executable
from sqlalchemy.sql.selectable import Subquery

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord, canonical_json, json_hash
from graftport_dagster.source_settings.sql import ChildRows, SqlRows
from graftport_dagster.sources.rows import RAW_LIMIT, text_id
from graftport_dagster.sources.sql_database import Database, query_refusal
from graftport_dagster.sources.sql_values import ValueRefusedError, json_row, mark_of, moment, since_mark

# Parents read, and their children asked for, at once: within what every database takes as a list of values.
_BATCH = 500
_BEGINNING = "1970-01-01 00:00:00"
_Below = Mapping[str, Mapping[str, Sequence["JsonObject | ValueRefusedError"]]]


class Latest:
    """The latest `updated_at_column` that a read saw, as a cursor; `mark`: the cursor that it began from."""

    def __init__(self, rows: SqlRows, mark: JsonObject | None) -> None:
        self._rows = rows
        self._value: Any = None
        self.mark = mark

    def see(self, value: Any) -> None:
        """Takes the value of one row into account."""
        if value is None or value == self._value:
            return
        try:
            if self._value is not None and value < self._value:
                return
            self._value = value
            seen = {**mark_of(value), "query": _fingerprint(self._rows)}
            # Behind the mark is what the overlap read again.
            if self.mark is None or since_mark(self.mark, timedelta()) < since_mark(seen, timedelta()):
                self.mark = seen
        except TypeError:
            raise ConfigurationError(
                f"{self._rows.updated_at_column} holds values of several kinds, which have no order.",
                code="UPDATED_AT_COLUMN", hint="Cast it in the query, or read without it.",
            ) from None  # fmt: skip


def usable_mark(since: JsonObject | None, rows: SqlRows) -> JsonObject | None:
    """The cursor, where it was taken from this very query; another query has to be read whole."""
    if since is None or not rows.updated_at_column or since.get("query") != _fingerprint(rows):
        return None
    return since


def _fingerprint(rows: SqlRows) -> str:
    return json_hash(rows.model_dump(mode="json"))[:16]


class Query:
    """One query of the settings, as it is sent. `name`: the resource type it is for."""

    def __init__(self, rows: SqlRows | ChildRows, database: Database, name: str) -> None:
        self._name = name
        self._changed = getattr(rows, "updated_at_column", "")
        if rows.table:
            quote = database.dialect.identifier_preparer.quote
            named = ".".join(quote(part) for part in rows.table.split("."))
            self.text = f"SELECT * FROM {named}"  # noqa: S608 - a name from the migration file, quoted
        else:
            self.text = rows.query.strip().rstrip(";").rstrip()
        self._names_since = ":since" in self.text

    def named(self) -> Subquery:
        """The query within another one."""
        # The line end closes a comment that the query may end with.
        return text(self.text + "\n").columns().subquery("graftport_rows")

    def statement(self, since: Any = None) -> Executable:
        """The query as it is written, or with the time put around it where it does not name `:since` itself."""
        if since is None or self._names_since:
            return text(self.text)
        changed: ColumnClause[Any] = column(self._changed)
        later = or_(changed >= bindparam("since"), changed.is_(None))
        return select(literal_column("*")).select_from(self.named()).where(later)

    def bound(self, since: Any = None) -> dict[str, Any]:
        """The parameters of that statement."""
        if since is None:
            return {"since": _BEGINNING} if self._names_since else {}
        return {"since": since}

    def streamed(self, connection: Connection, statement: Executable, since: Any = None) -> CursorResult[Any]:
        """The rows by a cursor on the server, where the driver has such."""
        asked = statement.execution_options(stream_results=True, max_row_buffer=_BATCH)
        return connection.execute(asked, self.bound(since))

    @contextmanager
    def explained(self, statement: Executable) -> Iterator[None]:
        """Raises what the database's refusal means, in place of it."""
        try:
            yield
        except SQLAlchemyError as error:
            sent = getattr(error, "statement", None) or str(statement)
            raise query_refusal(error, self._name, self.text, sent) from error


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over the rows of a type; those below them are asked for through `children`, a batch at a time."""

    resource_type: ResourceType
    rows: SqlRows
    children: Connection
    database: Database

    def records(self, connection: Connection, since: Any, latest: Latest) -> Iterator[SourceRecord | InvalidRow]:
        """Every record, in the order of the query; `latest` sees each row's time."""
        query = self._query(self.rows)
        statement = query.statement(since)
        with query.explained(statement):
            stream = query.streamed(connection, statement, since)
            columns = self._columns(stream)
            self._require(columns)
            changed = columns.index(self.rows.updated_at_column) if self.rows.updated_at_column else None
            while batch := list(islice(stream, _BATCH)):
                yield from self._batch(columns, batch)
                if changed is not None:
                    for row in batch:
                        latest.see(row[changed])

    def _query(self, rows: SqlRows | ChildRows) -> Query:
        return Query(rows, self.database, str(self.resource_type))

    def _columns(self, result: CursorResult[Any]) -> list[str]:
        columns = list(result.keys())
        if twice := [name for place, name in enumerate(columns) if name in columns[:place]]:
            raise ConfigurationError(
                f"The query gives two columns named {twice[0]}.", code="DUPLICATE_COLUMN",
                path=f"source.queries.{self.resource_type}", hint=f"Name one of them otherwise: … AS {twice[0]}_2.",
            )  # fmt: skip
        return columns

    def _require(self, columns: Sequence[str]) -> None:
        wanted = [self.rows.id_column, self.rows.updated_at_column]
        wanted += [child.key_column for child in self.rows.children.values()]
        for name in filter(None, wanted):
            self._place(name, columns)
        if taken := [name for name in self.rows.children if name in columns]:
            raise ConfigurationError(
                f"{taken[0]} is a column of the query and the name of rows below it.", code="DUPLICATE_COLUMN",
                path=f"source.queries.{self.resource_type}", hint="Give the rows below it another name.",
            )  # fmt: skip

    def _place(self, name: str, columns: Sequence[str]) -> int:
        if name in columns:
            return columns.index(name)
        raise ConfigurationError(
            f"The query gives no column {name}; it gives {', '.join(columns[:30])}.", code="COLUMN_ABSENT",
            path=f"source.queries.{self.resource_type}", hint="Name one of them, or select it.",
        )  # fmt: skip

    def _batch(self, columns: Sequence[str], batch: list[Row[Any]]) -> Iterator[SourceRecord | InvalidRow]:
        below: dict[str, dict[str, list[JsonObject | ValueRefusedError]]] = {}
        for name, child in self.rows.children.items():
            key = columns.index(child.key_column or self.rows.id_column)
            below[name] = self._below(child, [row[key] for row in batch if row[key] is not None])
        for row in batch:
            yield self._record(columns, row, below)

    def _record(self, columns: Sequence[str], row: Row[Any], below: _Below) -> SourceRecord | InvalidRow:
        row_id = _key(row[columns.index(self.rows.id_column)])
        origin = f"{self.rows.table or self.resource_type} {self.rows.id_column}={row_id}"
        found = {
            name: below[name].get(_key(row[columns.index(child.key_column or self.rows.id_column)]), ())
            for name, child in self.rows.children.items()
        }
        count = 1 + sum(len(rows) for rows in found.values())
        try:
            payload = json_row(columns, row)
            for name, rows in found.items():
                payload[name] = [_sound(name, each) for each in rows]
        except ValueRefusedError as error:
            reason, code, hint = str(error), "COLUMN_TYPE", error.hint
        else:
            if row_id and row_id.isprintable():
                changed = payload.get(self.rows.updated_at_column) if self.rows.updated_at_column else None
                return SourceRecord(row_id, payload, moment(changed), count, origin)
            reason, code = f"The row has no id: {self.rows.id_column} is {row_id[:60]!r}.", "NO_ID"
            hint = f"Fill {self.rows.id_column}, or leave such rows out of the query."
        raw = ", ".join(f"{name}={str(value)[:200]}" for name, value in zip(columns, row, strict=True))
        return InvalidRow(raw[:RAW_LIMIT], reason, code, origin, row_id if code != "NO_ID" else "", hint, count)

    def _below(self, child: ChildRows, keys: list[Any]) -> dict[str, list[JsonObject | ValueRefusedError]]:
        """The rows of these parents, by the parent's key, each list in one order."""
        query = self._query(child)
        among = column(child.parent_column).in_(bindparam("keys", expanding=True))
        statement: Select[Any] = select(literal_column("*")).select_from(query.named()).where(among)
        found: dict[str, list[tuple[Any, bytes, JsonObject | ValueRefusedError]]] = {}
        with query.explained(statement):
            given = self.children.execute(statement, {**query.bound(), "keys": keys})
            columns = self._columns(given)
            key = self._place(child.parent_column, columns)
            order = self._place(child.order_by, columns) if child.order_by else 0
            for row in given:
                found.setdefault(_key(row[key]), []).append((row[order], *_written(columns, row)))
        return {parent: [each for _, _, each in sorted(rows, key=_in_order)] for parent, rows in found.items()}


def _written(columns: Sequence[str], row: Row[Any]) -> "tuple[bytes, JsonObject | ValueRefusedError]":
    try:
        values = json_row(columns, row)
        return canonical_json(values), values
    except ValueRefusedError as error:
        return b"", error
    except TypeError:
        # Letters that are none: the record is refused where it is kept.
        return b"", ValueRefusedError("A text holds letters that are not valid.", "Correct it in the database.")


def _in_order(row: tuple[Any, bytes, object]) -> tuple[bool, Any, bytes]:
    value, tie, _ = row
    plain = str(value) if isinstance(value, dict | list | bytes | memoryview) else value
    return (value is not None, 0 if value is None else plain, tie)


def _sound(name: str, child: "JsonObject | ValueRefusedError") -> JsonObject:
    if isinstance(child, ValueRefusedError):
        raise ValueRefusedError(f"{name}: {child}", child.hint)
    return child


def _key(value: Any) -> str:
    """An id or key as text; what is no number (a UUID, an exact amount) by its letters."""
    if value is None or isinstance(value, int | float | str):
        return text_id(value)
    return str(value).strip()

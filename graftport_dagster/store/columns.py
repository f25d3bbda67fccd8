"""Column types and SQL expressions that mean the same on SQLite and on Postgres.

The tables that use them are in `tables.py`; connections and transactions are in `database.py`.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import BigInteger, ColumnElement, DateTime, Dialect, Integer, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from graftport_dagster.records import read_json

# Byte order on both: SQLite's default, and not whatever collation a Postgres cluster was made with.
KeyText = Text().with_variant(Text(collation="C"), "postgresql")
Number = BigInteger().with_variant(Integer, "sqlite")


def dump_json(value: object) -> str:
    """JSON in the order of the value's keys; whatever orjson refuses (long integers, lone surrogates) is escaped."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, separators=(",", ":"))


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware and in UTC on both sides; one without a time zone is taken as UTC."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text of fixed width on SQLite, which sorts as the moments do."""
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; the zone is dropped where the column cannot hold it."""
        if value is None:
            return None
        try:
            aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError:
            # Within a day of the calendar's ends, as broken sources have it.
            aware = value.replace(tzinfo=UTC)
        return aware.replace(tzinfo=None) if dialect.name == "sqlite" else aware

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Back to an aware moment."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    """Words for people, from anywhere: what no database takes (NUL, lone surrogates) is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Replaces NUL by its visible sign and what is not Unicode by `?`."""
        if value is None:
            return None
        clean = value.replace("\0", "\u2400")
        return clean if clean.isascii() else clean.encode("utf-8", "replace").decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """As stored."""
        return value


class JsonText(TypeDecorator[Any]):
    """A JSON value as text, so that both databases give back what was put in, key order included."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """The value's text."""
        return None if value is None else dump_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """The text's value."""
        return None if value is None else read_json(value)


class _Strings(TypeDecorator[Sequence[str]]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        return dump_json(list(value or ())) if dialect.name == "sqlite" else list(value or ())


class _Members(FunctionElement[str]):
    inherit_cache = True
    type = Text()


@compiles(_Members, "sqlite")
def _members_sqlite(element: _Members, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **kw)}))"  # noqa: S608 - one bound parameter


@compiles(_Members, "postgresql")
def _members_postgres(element: _Members, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT unnest(CAST({compiler.process(element.clauses, **kw)} AS text[])))"


def among(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """`column IN (values)` with one bound parameter, however many values there are."""
    return column.bool_op("IN")(_Members(bindparam(None, values, type_=_Strings(), unique=True)))


class DatabaseNow(FunctionElement[datetime]):
    """The database's clock, the one that all machines sharing a store agree on."""

    inherit_cache = True
    type = UtcDateTime()


@compiles(DatabaseNow, "sqlite")
def _now_sqlite(element: DatabaseNow, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ARG001
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(DatabaseNow, "postgresql")
def _now_postgres(element: DatabaseNow, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ARG001
    return "clock_timestamp()"

"""A source made of a database: a query or a table per resource type.

What is asked, incremental reads, freshness and what `check` says is here. How rows and the rows
below them become records is in `sql_reading`, how a database is opened so that nothing can be
written to it in `sql_database`.
"""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnClause, Connection, column, func, select

from graftport_dagster.errors import ConfigurationError, GraftportError
from graftport_dagster.records import CheckResult, InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.settings import resolve_secret
from graftport_dagster.source_settings.sql import SqlRows, SqlSettings
from graftport_dagster.sources.source import Freshness
from graftport_dagster.sources.sql_database import Database
from graftport_dagster.sources.sql_reading import Latest, Query, Reading, usable_mark
from graftport_dagster.sources.sql_values import moment, since_mark

_FIRST = 20


class SqlSource:
    """Reads the database that the migration names; `folder`: where an SQLite file's path begins."""

    def __init__(self, settings: SqlSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._opened: Database | None = None
        self._marks: dict[ResourceType, JsonObject] = {}

    def resource_types(self) -> tuple[ResourceType, ...]:
        """The types that have a query, in dependency order."""
        return tuple(kind for kind in ResourceType if kind in self._settings.queries)

    def read(self, resource_type: ResourceType, since: JsonObject | None) -> Iterator[SourceRecord | InvalidRow]:
        """Every record, or those whose `updated_at_column` is not before the cursor, less the overlap."""
        rows = self._rows(resource_type)
        mark = usable_mark(since, rows)
        latest = Latest(rows, mark)
        is_empty = True
        with self._database().reading() as (connection, children):
            reading = Reading(resource_type, rows, children, self._database())
            for record in reading.records(connection, self._since(mark), latest):
                is_empty = False
                yield record
        if is_empty and mark is None:
            raise ConfigurationError(
                f"The query for {resource_type} gives no rows.", code="NO_ROWS", path=f"source.queries.{resource_type}",
                hint="An empty answer is never taken for an empty shop; take the type out of resource_types.",
            )  # fmt: skip
        if latest.mark is not None:
            self._marks[resource_type] = latest.mark

    def conclusive(self, resource_type: ResourceType) -> bool:
        """True: a query that failed has raised."""
        del resource_type
        return True

    def cursor(self, resource_type: ResourceType) -> JsonObject | None:
        """The latest `updated_at_column` seen, with the query it belongs to; None where no such column is named."""
        return self._marks.get(resource_type)

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        """The latest `updated_at_column` and the number of rows; else a checksum of all rows, in any order."""
        del known
        rows = self._rows(resource_type)
        with self._database().reading() as (connection, _):
            query = Query(rows, self._database(), str(resource_type))
            if rows.updated_at_column:
                changed: ColumnClause[Any] = column(rows.updated_at_column)
                asked = select(func.max(changed), func.count()).select_from(query.named())
                with query.explained(asked):
                    latest, count = connection.execute(asked, query.bound()).one()
                return Freshness(f"{latest}:{count}", "max(updated_at)", moment(latest))
            queries = [query, *(Query(child, self._database(), str(resource_type)) for child in rows.children.values())]
            sums = [_sum(connection, each) for each in queries]
            return Freshness(hashlib.sha256(repr(sums).encode()).hexdigest(), "checksum")

    def check(self) -> list[CheckResult]:
        """One result for the connection where there is none, else one per query: whether its first rows can be used."""
        results = []
        try:
            for kind in self.resource_types():
                # A connection for each: what is left of one's rows is given up with it.
                with self._database().reading() as (connection, children):
                    results.append(self._checked(kind, connection, children))
        except GraftportError as error:
            return [CheckResult("source database", ok=False, detail=error.message, hint=error.hint)]
        return results

    def close(self) -> None:
        """Ends the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _database(self) -> Database:
        if self._opened is None:
            self._opened = Database(resolve_secret(self._settings.url, base=self._folder), self._folder)
        return self._opened

    def _rows(self, resource_type: ResourceType) -> SqlRows:
        if resource_type not in self._settings.queries:
            raise ConfigurationError(
                f"There is no query for {resource_type}.", code="NO_QUERY", hint="Write one under `source.queries`."
            )
        return self._settings.queries[resource_type]

    def _since(self, mark: JsonObject | None) -> Any:
        return None if mark is None else since_mark(mark, timedelta(minutes=self._settings.overlap_minutes))

    def _checked(self, kind: ResourceType, connection: Connection, children: Connection) -> CheckResult:
        rows = self._settings.queries[kind]
        name = f"source {kind}"
        reading = Reading(kind, rows, children, self._database())
        try:
            first = list(islice(reading.records(connection, None, Latest(rows, None)), _FIRST))
        except GraftportError as error:
            return CheckResult(name, ok=False, detail=error.message, hint=error.hint)
        if not first:
            return CheckResult(name, ok=False, detail="The query gives no rows.", hint="See that it is the right one.")
        if bad := [item for item in first if isinstance(item, InvalidRow)]:
            detail = f"{bad[0].reason} ({len(bad)} bad among the first {len(first)} records)"
            return CheckResult(name, ok=False, detail=detail, hint=bad[0].hint)
        later = f", later reads by {rows.updated_at_column}" if rows.updated_at_column else ""
        return CheckResult(name, ok=True, detail=f"readable, id in {rows.id_column}{later}")


def _sum(connection: Connection, query: Query) -> tuple[int, int]:
    """The number of rows, and a sum of their checksums that does not depend on their order."""
    count = total = 0
    statement = query.statement()
    with query.explained(statement):
        for row in query.streamed(connection, statement):
            count += 1
            total += int.from_bytes(
                hashlib.blake2b(repr(tuple(row)).encode("utf-8", "replace"), digest_size=16).digest()
            )
    return count, total % 2**128

"""`source: {type: sql}`: a database, with a query or a table per resource type.

How it is read is in `sources/sql.py`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from graftport_dagster.records import ResourceType
from graftport_dagster.settings import Secret, Settings
from graftport_dagster.source_settings.beside import WithFiles
from graftport_dagster.source_settings.source_model import Platform

# What may hold a semicolon without ending a statement: quoted text, quoted names, comments.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)
_READS = re.compile(r"(select|with|values|table)\b", re.IGNORECASE)


class _Rows(Settings):
    """Rows by a query, or all of a table or view."""

    query: str = ""
    table: str = ""

    @model_validator(mode="after")
    def _one_reading_statement(self) -> "_Rows":
        if bool(self.query) == bool(self.table):
            raise ValueError("give either query or table")
        bare = _QUOTED.sub(" ", self.query).strip().rstrip(";").strip()
        if self.query and (";" in bare or not _READS.match(bare.lstrip("( \n"))):
            raise ValueError("a query is one statement that reads: SELECT …, or WITH … SELECT …")
        return self


class ChildRows(_Rows):
    """Rows that belong into their parent's record, under a name of their own: the lines of an order.

    `parent_column` holds the parent's `key_column` (its id where none is named); `order_by` is the column by which
    the rows of one parent are ordered, the first one where none is named.
    """

    parent_column: str
    key_column: str = ""
    order_by: str = ""


class SqlRows(_Rows):
    """The rows of one resource type. `updated_at_column` makes later reads incremental.

    A query may say where the time goes with `:since`; else it is put around the query.
    """

    id_column: str = "id"
    updated_at_column: str = ""
    children: Mapping[str, ChildRows] = Field(default_factory=dict)


class SqlSettings(WithFiles):
    """Any database that SQLAlchemy can open. `url`: its address with user and password, as a secret.

    `overlap_minutes`: how far an incremental read goes back behind the last one, for transactions that commit late.
    """

    type: Literal["sql"]
    platform: Platform = "sql"
    url: Secret
    queries: Annotated[Mapping[ResourceType, SqlRows], Field(min_length=1)]
    overlap_minutes: Annotated[float, Field(ge=0)] = 15

    def named_types(self) -> tuple[ResourceType, ...]:
        """Those that have a query or a file."""
        return tuple(kind for kind in ResourceType if kind in self.queries or kind in self.files)

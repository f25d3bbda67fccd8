"""WooCommerce's own product CSV, read as it is, as products and collections.

Variations stand in rows of their own and name their product by id or SKU; they may come before
it. So every row is put into a SQLite file in a private temporary folder first, and read back
product by product: memory stays flat. A record is given only when all its rows are sound, because
Shopify replaces a product's variants whole. What cells mean is in `woocommerce_cells`.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord
from graftport_dagster.sources.rows import BadRow, Row, readable
from graftport_dagster.sources.woocommerce_cells import (
    PARENT,
    CellError,
    category,
    category_line,
    category_paths,
    is_measure,
    product,
    variation,
)  # fmt: skip

TYPES = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)
_TABLES = """
CREATE TABLE products (seq INTEGER PRIMARY KEY, id TEXT, sku TEXT, variable INTEGER, origin TEXT, body BLOB, raw TEXT);
CREATE TABLE variations (seq INTEGER PRIMARY KEY, parent TEXT, origin TEXT, body BLOB, raw TEXT);
CREATE TABLE bad (seq INTEGER PRIMARY KEY, id TEXT, parent TEXT, variation INTEGER, fault BLOB, origin TEXT, raw TEXT);
CREATE TABLE categories (path TEXT PRIMARY KEY, origin TEXT);
"""
_INDEXES = """
CREATE INDEX variations_by_parent ON variations (parent);
CREATE INDEX products_by_id ON products (id);
CREATE INDEX products_by_sku ON products (sku);
CREATE INDEX bad_by_parent ON bad (parent);
"""
_ORPHANS = """
SELECT parent, origin, body FROM variations WHERE NOT EXISTS (
    SELECT 1 FROM products WHERE 'id:' || id = parent OR (sku = parent AND sku <> '')
) ORDER BY seq
"""
_Cells = Mapping[str, str]


class WooCommerceExport:
    """The rows of an export. Add all of them, `finish`, then read the types as often as wanted, then `close`."""

    def __init__(self, scratch: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="graftport-", dir=scratch, ignore_cleanup_errors=True)
        self._rows = sqlite3.connect(Path(self._folder.name) / "rows.sqlite")
        self._rows.executescript(_TABLES)
        # Whether a damaged row may be a variation of a product that cannot be told.
        self.has_lost_rows = False

    def add(self, row: Row | BadRow, file: str) -> None:
        """Takes the next row of a file."""
        origin = f"{file}:{row.line}"
        if isinstance(row, BadRow):
            self._add_bad(row, origin)
            return
        # A measure's column says its unit even where the cell is empty: a variation may fill it.
        cells = {column: value or "" for column, value in row.values.items() if value or is_measure(column)}
        body, raw = orjson.dumps(cells), readable(row.raw)
        for path in category_paths(cells):
            line = category_line(path)
            for depth in range(1, len(line) + 1):
                above = " > ".join(line[:depth])
                self._rows.execute("INSERT OR IGNORE INTO categories VALUES (?, ?)", (above, origin))
        if cells.get("Type") == "variation" or cells.get("Type", "").startswith("variation,"):
            self._insert("variations", cells.get(PARENT, ""), origin, body, raw)
        elif cells.get("ID", "").strip():
            is_variable = "variable" in cells.get("Type", "")
            self._insert("products", cells["ID"].strip(), cells.get("SKU", ""), is_variable, origin, body, raw)
        else:
            fault = ("NO_ID", "The row has no ID.", "Export with the column ID.")
            self._insert("bad", "", "", 0, orjson.dumps(fault), origin, raw)

    def _add_bad(self, row: BadRow, origin: str) -> None:
        raw = readable(row.raw)
        is_variation = str(row.values.get("Type", "variation" if "variation" in raw else "")).startswith("variation")
        parent = str(row.values.get(PARENT, "")) if is_variation else ""
        fault = orjson.dumps((row.code, row.reason, row.hint))
        self.has_lost_rows |= is_variation and not parent
        self._insert("bad", "" if is_variation else row.row_id, parent, is_variation, fault, origin, raw)

    def _insert(self, table: str, *values: Any) -> None:
        self._rows.execute(f"INSERT INTO {table} VALUES (NULL{', ?' * len(values)})", values)  # noqa: S608 - our own names

    def finish(self) -> None:
        """Makes the rows findable."""
        self._rows.executescript(_INDEXES)
        self._rows.commit()

    @property
    def unreadable(self) -> bool:
        """Whether a damaged row may hide which products there are."""
        return self._rows.execute("SELECT 1 FROM bad WHERE id = '' LIMIT 1").fetchone() is not None

    def close(self) -> None:
        """Deletes the temporary folder."""
        self._rows.close()
        self._folder.cleanup()

    # --- records ------------------------------------------------------------------------------------

    def read(self, resource_type: ResourceType) -> Iterator[SourceRecord | InvalidRow]:
        """Every record of one of the two types."""
        if resource_type is ResourceType.COLLECTIONS:
            for path, origin in self._rows.execute("SELECT path, origin FROM categories ORDER BY rowid"):
                yield SourceRecord(path, category(path), origin=origin)
            return
        for row in self._rows.execute("SELECT id, sku, variable, origin, body, raw FROM products ORDER BY seq"):
            yield self._record(*row)
        for parent, origin, body in self._rows.execute(_ORPHANS):
            told = f"its Parent is {parent}, which no row is" if parent else "it names no Parent"
            number = orjson.loads(body).get("ID", "")
            yield InvalidRow(
                body.decode(), f"The variation {number} has no product: {told}.", "NO_PARENT", origin,
                hint="Export the product too.",
            )  # fmt: skip
        # Those of a product that is there were counted with it.
        for number, parent, fault, origin, raw in self._rows.execute(
            "SELECT id, parent, fault, origin, raw FROM bad ORDER BY seq"
        ):
            if not parent or not self._is_product(parent):
                code, reason, hint = orjson.loads(fault)
                yield InvalidRow(raw, reason, code, origin, number, hint)

    def _is_product(self, parent: str) -> bool:
        wanted = "SELECT 1 FROM products WHERE 'id:' || id = ? OR (sku = ? AND sku <> '')"
        return self._rows.execute(wanted, (parent, parent)).fetchone() is not None

    def _record(
        self, number: str, sku: str, variable: int, origin: str, body: bytes, raw: str
    ) -> SourceRecord | InvalidRow:
        parents = (f"id:{number}", sku or f"id:{number}")
        below = self._rows.execute(
            "SELECT origin, body, raw FROM variations WHERE parent IN (?, ?) ORDER BY seq", parents
        ).fetchall()
        bad = self._rows.execute(
            "SELECT fault, origin, raw FROM bad WHERE parent IN (?, ?) ORDER BY seq", parents
        ).fetchall()
        rows = 1 + len(below) + len(bad)
        if bad:
            (code, reason, hint), at, bad_raw = orjson.loads(bad[0][0]), bad[0][1], bad[0][2]
            return InvalidRow(bad_raw, reason, code, at, number, hint, rows=rows, rows_invalid=len(bad))
        if variable and self.has_lost_rows:
            reason = f"A damaged row may be a variation of {sku or number}."
            hint = "Correct the damaged rows; this product is then read whole."
            return InvalidRow(raw, reason, "OWNER_UNKNOWN", origin, number, hint, rows=rows, rows_invalid=0)
        at, at_raw = origin, raw
        try:
            variants = []
            for at, cells, at_raw in below:  # noqa: B007 - where the error is, should one come
                variants.append(variation(orjson.loads(cells)))
            at, at_raw = origin, raw
            variants.sort(key=lambda it: it["menu_order"])
            payload = product(orjson.loads(body), variants)
        except CellError as error:
            hint = "Write numbers as 12.50, and export again."
            return InvalidRow(at_raw, f"{error}", "BAD_NUMBER", at, number, hint, rows=rows)
        return SourceRecord(number, payload, rows=rows, origin=origin)

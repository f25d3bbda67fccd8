"""Shopify's own CSV exports of products, customers and orders, read as they are.

A product's rows share its handle, an order's its name; they are put into a SQLite file in a private
temporary folder first and read back record by record, so that memory stays flat and lines of
orders find the products and customers that the other files hold. A record is given only when all
its rows are sound. A damaged row without an id belongs to a neighbour, because Shopify writes a
record's rows one after the other: those before and after it are set aside as well.
What cells mean is in `shopify_cells` and `shopify_order_cells`.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.sources.rows import BadRow, Row, readable
from graftport_dagster.sources.shopify_cells import (
    CellError,
    Cells,
    bare,
    column_of,
    customer,
    customer_id,
    product,
)  # fmt: skip
from graftport_dagster.sources.shopify_order_cells import REQUIRED_COLUMNS as _OF_ORDERS
from graftport_dagster.sources.shopify_order_cells import order

TYPES = (ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.ORDERS)
REQUIRED_COLUMNS: Mapping[ResourceType, tuple[str, ...]] = {
    ResourceType.PRODUCTS: ("handle", "title"),
    ResourceType.CUSTOMERS: ("first name", "last name", "email"),
    ResourceType.ORDERS: _OF_ORDERS,
}
ID_COLUMNS: Mapping[ResourceType, tuple[str, ...]] = {
    ResourceType.PRODUCTS: ("handle",),
    ResourceType.CUSTOMERS: ("customer id", "email"),
    ResourceType.ORDERS: ("name",),
}
_TABLES = """
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY, kind TEXT, key TEXT, body BLOB, fault BLOB, origin TEXT, raw TEXT, head INTEGER
);
CREATE TABLE heads (name TEXT PRIMARY KEY, key TEXT);
CREATE TABLE doubted (kind TEXT, key TEXT, PRIMARY KEY (kind, key));
CREATE TABLE variants (sku TEXT, name TEXT, body BLOB);
CREATE TABLE people (email TEXT PRIMARY KEY, gid TEXT);
"""
_INDEXES = """
CREATE INDEX rows_by_key ON rows (kind, key, seq);
CREATE INDEX variants_by_sku ON variants (sku);
CREATE INDEX variants_by_name ON variants (name);
"""
_KEYS = "SELECT key FROM rows WHERE kind = ? AND key <> '' GROUP BY key ORDER BY MIN(seq)"
_ROWS = "SELECT body, fault, origin, raw, head FROM rows WHERE kind = ? AND key = ? ORDER BY seq"
_FOUND = tuple[bytes | None, bytes | None, str, str, int]


class ShopifyExport:
    """The rows of the exports. Add all of them, `finish`, then read the types as often as wanted, then `close`."""

    def __init__(self, scratch: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="graftport-", dir=scratch, ignore_cleanup_errors=True)
        self._rows = sqlite3.connect(Path(self._folder.name) / "rows.sqlite")
        self._rows.executescript(_TABLES)
        self._latest = ""
        self._doubts_next = False

    def begin_file(self) -> None:
        """What follows is of another file."""
        self._latest, self._doubts_next = "", False

    def add(self, kind: ResourceType, row: Row | BadRow, file: str) -> None:
        """Takes the next row of a file."""
        origin, raw = f"{file}:{row.line}", readable(row.raw)
        if isinstance(row, BadRow):
            key = self._named(kind, row)
            self._insert(kind, key, None, (row.code, row.reason, row.hint), origin, raw)
            if not key and kind is not ResourceType.CUSTOMERS:
                self._doubt(kind, self._latest)
                self._doubts_next = True
            return
        rename = column_of if kind is ResourceType.PRODUCTS else _lower
        named = {rename(column): value or "" for column, value in row.values.items()}
        # An empty price is kept: that a file has no column of prices is another thing than a product without one.
        cells = {column: value for column, value in named.items() if value.strip() or column == "variant price"}
        key, is_head, fault = self._key(kind, cells)
        if self._doubts_next and key and key != self._latest:
            self._doubt(kind, key)
            self._doubts_next = False
        self._latest = key or self._latest
        self._insert(kind, key, orjson.dumps(cells), fault, origin, raw, head=is_head)

    def _key(self, kind: ResourceType, cells: Cells) -> tuple[str, bool, tuple[str, str, str] | None]:
        """The record that a row belongs to, whether it begins it, and what is wrong with it."""
        if kind is ResourceType.PRODUCTS:
            key = cells.get("handle", "").strip()
            return key, "title" in cells, None if key else ("NO_ID", "The row has no handle.", "Fill it.")
        if kind is ResourceType.CUSTOMERS:
            key = customer_id(cells)
            hint = "Export customers with their ids, or fill the address."
            return key, True, None if key else ("NO_ID", "The customer has no id, no address and no number.", hint)
        name, number_of = cells.get("name", "").strip(), bare(cells.get("id", ""))
        if number_of or (name and "currency" in cells):
            key = number_of or name
            self._rows.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", (name, key))
            return key, True, None
        found = self._rows.execute("SELECT key FROM heads WHERE name = ?", (name,)).fetchone()
        if found is None:
            return "", False, ("NO_PARENT", f"No row begins the order {name or '(no name)'}.", "Export it whole.")
        return str(found[0]), False, None

    def _named(self, kind: ResourceType, row: BadRow) -> str:
        """The record that a damaged row names, where it can be trusted."""
        name = bare(row.row_id)
        if kind is not ResourceType.ORDERS:
            return name
        found = self._rows.execute("SELECT key FROM heads WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def _doubt(self, kind: ResourceType, key: str) -> None:
        if key:
            self._rows.execute("INSERT OR IGNORE INTO doubted VALUES (?, ?)", (kind, key))

    def _insert(
        self, kind: ResourceType, key: str, body: bytes | None, fault: tuple[str, str, str] | None, origin: str,
        raw: str, *, head: bool = False,
    ) -> None:  # fmt: skip
        told = orjson.dumps(fault) if fault else None
        self._rows.execute(
            "INSERT INTO rows VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", (kind, key, body, told, origin, raw, head)
        )

    def finish(self) -> None:
        """Makes the rows findable, and what orders look up."""
        self._rows.executescript(_INDEXES)
        for item in self.read(ResourceType.PRODUCTS):
            if isinstance(item, SourceRecord):
                self._keep_variants(item.payload)
        for item in self.read(ResourceType.CUSTOMERS):
            if isinstance(item, SourceRecord) and (email := item.payload["defaultEmailAddress"]):
                address = email["emailAddress"].lower()
                self._rows.execute("INSERT OR IGNORE INTO people VALUES (?, ?)", (address, item.payload["id"]))
        self._rows.commit()

    def _keep_variants(self, payload: JsonObject) -> None:
        whole = {"id": payload["id"], "title": payload["title"]}
        for it in payload["variants"]:
            alone = len(payload["variants"]) == 1
            name = payload["title"] if alone else f"{payload['title']} - {it['title']}"
            body = orjson.dumps((whole, {"id": it["id"], "title": it["title"]}))
            self._rows.execute("INSERT INTO variants VALUES (?, ?, ?)", (it["sku"] or "", name, body))

    def unreadable(self, kind: ResourceType) -> bool:
        """Whether a damaged row may hide which records there are."""
        asked = "SELECT 1 FROM rows WHERE kind = ? AND key = '' LIMIT 1"
        return self._rows.execute(asked, (kind,)).fetchone() is not None

    def close(self) -> None:
        """Deletes the temporary folder."""
        self._rows.close()
        self._folder.cleanup()

    # --- records ------------------------------------------------------------------------------------

    def read(self, kind: ResourceType) -> Iterator[SourceRecord | InvalidRow]:
        """Every record of one of the types."""
        for (key,) in self._rows.execute(_KEYS, (kind,)):
            yield from self._records(kind, key)
        for _, fault, origin, raw, _ in self._rows.execute(_ROWS, (kind, "")):
            code, reason, hint = orjson.loads(fault)
            yield InvalidRow(raw, reason, code, origin, hint=hint)

    def _records(self, kind: ResourceType, key: str) -> Iterator[SourceRecord | InvalidRow]:
        rows: list[_FOUND] = self._rows.execute(_ROWS, (kind, key)).fetchall()
        if kind is ResourceType.CUSTOMERS:
            # One row each: a second one of the same id is for the pipeline to refuse.
            for row in rows:
                yield self._record(kind, key, [row])
        else:
            yield self._record(kind, key, rows)

    def _record(self, kind: ResourceType, key: str, rows: list[_FOUND]) -> SourceRecord | InvalidRow:
        origin, raw = rows[0][2], rows[0][3]
        bad = [row for row in rows if row[1]]
        if bad:
            code, reason, hint = orjson.loads(bad[0][1] or b"")
            return InvalidRow(bad[0][3], reason, code, bad[0][2], key, hint, rows=len(rows), rows_invalid=len(bad))
        problem = self._contradiction(kind, key, rows)
        if problem:
            code, reason, hint = problem
            return InvalidRow(raw, reason, code, origin, key, hint, rows=len(rows), rows_invalid=0)
        try:
            payload = self._payload(kind, key, [orjson.loads(row[0] or b"") for row in rows])
        except CellError as error:
            return InvalidRow(raw, f"{error}", "BAD_CELL", origin, key, "Correct it, or export again.", rows=len(rows))
        return SourceRecord(key, payload, rows=len(rows), origin=origin)

    def _contradiction(self, kind: ResourceType, key: str, rows: list[_FOUND]) -> tuple[str, str, str] | None:
        asked = "SELECT 1 FROM doubted WHERE kind = ? AND key = ?"
        if self._rows.execute(asked, (kind, key)).fetchone():
            hint = "Correct the damaged row; this record is then read whole."
            return "OWNER_UNKNOWN", "A damaged row beside it may be one of its own.", hint
        if not rows[0][4]:
            return "NO_PARENT", "Its first row has no title.", "Export it whole, its rows one after the other."
        if kind is ResourceType.ORDERS and sum(row[4] for row in rows) > 1:
            return "DUPLICATE_ID", "The order is there twice.", "Leave one of the two out, or one of two files."
        return None

    def _payload(self, kind: ResourceType, key: str, rows: list[Cells]) -> JsonObject:
        making: Mapping[ResourceType, Callable[[], JsonObject]] = {
            ResourceType.PRODUCTS: lambda: product(key, rows),
            ResourceType.CUSTOMERS: lambda: customer(rows[0]),
            ResourceType.ORDERS: lambda: order(key, rows, self._find_variant, self._find_person(rows[0])),
        }
        return making[kind]()

    def _find_variant(self, sku: str, name: str) -> tuple[JsonObject, JsonObject] | None:
        """By sku where one variant has it, by name among several of one sku or where there is none."""
        by_sku = self._variants("sku = ?", sku) if sku else []
        found = by_sku if len(by_sku) == 1 else self._variants("sku = ? AND name = ?", sku, name)
        found = found or (self._variants("name = ?", name) if not sku else [])
        return (found[0][0], found[0][1]) if len(found) == 1 else None

    def _variants(self, where: str, *values: str) -> list[Any]:
        asked = f"SELECT body FROM variants WHERE {where} LIMIT 2"  # noqa: S608 - our own words
        return [orjson.loads(body) for (body,) in self._rows.execute(asked, values)]

    def _find_person(self, cells: Cells) -> str | None:
        email = cells.get("email", "").strip().lower()
        found = self._rows.execute("SELECT gid FROM people WHERE email = ?", (email,)).fetchone() if email else None
        return str(found[0]) if found else None


def _lower(name: str) -> str:
    return name.strip().lower()

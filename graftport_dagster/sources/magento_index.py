"""The rows of a Magento export in a scratch database, so that parents and children find each other.

Children may stand anywhere in any file, so every row is read once into a SQLite file in a
private temporary folder (deleted on close) and read back record by record: memory stays flat.
Here a row is classified, checked by itself, and given to the product that owns it; what a
record is made of, and what spoils one, is in `magento_export`.
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import orjson

from graftport_dagster.errors import OutOfSpaceError
from graftport_dagster.sources.magento_values import (
    CellError,
    associated,
    attributes,
    category_paths,
    check_numbers,
    option_rows,
    options,
    variations,
)  # fmt: skip
from graftport_dagster.sources.rows import BadRow, Row, readable

_TABLES = """
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY, origin TEXT, sku TEXT, view TEXT, kind TEXT, type TEXT,
    body BLOB, fault BLOB, raw TEXT, lead TEXT, record INTEGER
);
CREATE TABLE claims (child TEXT, parent TEXT, seq INTEGER, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE TABLE parts (sku TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE owners (child TEXT PRIMARY KEY, parent TEXT) WITHOUT ROWID;
CREATE TABLE categories (path TEXT PRIMARY KEY, seq INTEGER, origin TEXT);
CREATE TABLE addresses (path TEXT PRIMARY KEY, sku TEXT, origin TEXT) WITHOUT ROWID;
"""
_GIVE_TO_OWNERS = """
CREATE INDEX rows_by_sku ON rows (sku);
INSERT OR IGNORE INTO owners
    SELECT child, parent FROM claims
    WHERE child <> parent
      AND NOT EXISTS (SELECT 1 FROM rows WHERE sku = child AND kind = 'base'
                      AND type IN ('configurable', 'bundle', 'grouped', 'giftcard'))
    ORDER BY seq;
UPDATE rows SET lead = COALESCE((SELECT parent FROM owners WHERE child = sku), sku);
CREATE INDEX rows_by_lead ON rows (lead, sku, seq);
UPDATE rows SET record = (SELECT MIN(own.seq) FROM rows own WHERE own.sku = rows.lead);
CREATE INDEX rows_by_record ON rows (record, seq);
"""
_LOST_VARIANT = "SELECT 1 FROM claims WHERE NOT EXISTS (SELECT 1 FROM rows WHERE sku = child) LIMIT 1"
_ROW = "seq, origin, sku, lead, view, kind, type, body, fault, raw"
_BATCH = 500
_NAMED_SKU = re.compile(r"\bsku=([^,|\"\r\n]+)")
_OTHER_TYPE = re.compile(r"[,;|\t]\"?(?:simple|virtual|downloadable|bundle|grouped|giftcard)\"?[,;|\t]")
_PLAIN_TYPES = frozenset({"simple", "virtual", "downloadable", "bundle", "grouped", "giftcard"})
_UNREADABLE = "\0"


@dataclass(slots=True)
class IndexedRow:
    """One row as it was indexed. `lead`: the SKU of the record that it belongs to."""

    seq: int
    origin: str
    sku: str
    lead: str
    view: str
    kind: str  # base, more (a continuation), view (of a store view), bad (unreadable)
    type: str
    cells: dict[str, str]
    fault: tuple[str, str, str] | None = None  # code, reason, hint
    raw: str = ""


@dataclass(slots=True)
class RowRules:
    """What a row must fulfil besides being readable. `attribute_sets`: the known ones, none means any."""

    attribute_sets: frozenset[str] = frozenset()
    columns: set[str] = field(default_factory=set)

    def check(self, cells: dict[str, str], kind: str) -> None:
        """Raises CellError for the first cell that is not right."""
        check_numbers(cells)
        for column in ("categories", "url_key"):
            if not cells.get(column, "").isprintable():
                raise CellError("CONTROL_CHARACTERS", f"{column} has control characters in it.", "Remove them.")
        if text := cells.get("additional_attributes"):
            attributes(text)
        if kind != "base":
            return
        if not cells.get("product_type"):
            raise CellError("NO_PRODUCT_TYPE", "product_type is empty.", "Write simple, configurable, …")
        self._check_attribute_set(cells.get("attribute_set_code", ""))
        if text := cells.get("configurable_variations"):
            options(variations(text), cells.get("configurable_variation_labels", ""))
        for column in ("bundle_values", "custom_options"):
            if text := cells.get(column):
                option_rows(text)

    def _check_attribute_set(self, name: str) -> None:
        if not name and "attribute_set_code" in self.columns:
            raise CellError("ATTRIBUTE_SET", "attribute_set_code is empty.", "Give the product its attribute set.")
        if name and self.attribute_sets and name not in self.attribute_sets:
            known = ", ".join(sorted(self.attribute_sets))
            raise CellError(
                "ATTRIBUTE_SET", f"There is no attribute set {name[:60]}; known are {known}.",
                "Correct attribute_set_code, or add the set to `attribute_sets`.",
            )  # fmt: skip


class MagentoIndex:
    """Fill with `add`, then `finish`, then ask. Raises OutOfSpaceError where the temporary disk is full."""

    def __init__(self, rules: RowRules, scratch: Path | None = None) -> None:
        self._rules = rules
        self._folder = tempfile.TemporaryDirectory(prefix="graftport-", dir=scratch)
        # Closing may fall to another thread than reading did; two at once never touch it.
        self._db = sqlite3.connect(str(Path(self._folder.name) / "rows.sqlite"), check_same_thread=False)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -8000", "temp_store = FILE"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_TABLES)
        self._seq = 0
        self._last_sku = ""
        self._rows: list[tuple[object, ...]] = []
        self._claims: list[tuple[str, str, int]] = []
        self._parts: list[tuple[str]] = []
        self._paths: dict[str, tuple[int, str]] = {}
        self.unreadable = False  # some row may hide its SKU
        self.lost_rows: list[str] = []  # where rows stand that name no product
        self.parents_unknown = False  # some configurable product's variants cannot be told for sure

    # --- filling ------------------------------------------------------------------------------------

    def begin_file(self, columns: Iterable[str]) -> None:
        """A continuation row never reaches into another file."""
        self._last_sku = ""
        self._rules.columns = set(columns)

    def end_file(self, *, sound: bool) -> None:
        """`sound`: False where a row's structure was damaged, so that its SKU may be misread."""
        self.unreadable = self.unreadable or not sound

    def add(self, row: Row | BadRow, origin: str) -> None:
        """Indexes one row, good or bad."""
        self._seq += 1
        cells = {
            column: value if _is_clean(value) else _cleaned(value) for column, value in row.values.items() if value
        }
        if isinstance(row, BadRow) and cells.get("sku", "").strip() != row.row_id:
            cells.pop("sku", None)
        if isinstance(row, BadRow) and not cells:
            self._add_unreadable(row, origin)
        else:
            fault = (row.code, row.reason, row.hint) if isinstance(row, BadRow) else None
            self._add_cells(row, cells, origin, fault)
        if len(self._rows) >= _BATCH:
            self._write()

    def _add_cells(
        self, row: Row | BadRow, cells: dict[str, str], origin: str, fault: tuple[str, str, str] | None
    ) -> None:
        sku, view = cells.get("sku", "").strip(), cells.get("store_view_code", "").strip()
        kind = "view" if view else "base" if sku else "more"
        # A continuation has values alone; a row that says what kind of product it is has lost its sku.
        is_lost = isinstance(row, BadRow) or not self._last_sku or bool(cells.get("product_type"))
        if not sku.isprintable() or (not sku and is_lost):
            reason = "The sku has control characters." if sku else "The row has no sku."
            fault = fault or ("NO_ID", reason, "Give it its sku.")
            sku = ""
            self._last_sku, kind = f"{_UNREADABLE}{self._seq}", "bad"
            self.unreadable = True
            self.lost_rows.append(origin)
        self._last_sku = sku = sku or self._last_sku
        try:
            if fault is None:
                self._rules.check(cells, kind)
        except CellError as error:
            fault = error.code, error.reason, error.hint
        if kind in ("base", "bad"):
            self._note_claims(cells, sku)
            self._note_parts(cells)
            if fault and cells.get("product_type") not in _PLAIN_TYPES:
                self.parents_unknown = True
        if isinstance(row, BadRow):
            self.unreadable = True  # its categories and address are not to be believed
        elif kind != "view":
            for path in category_paths(cells.get("categories", "")):
                if path.isprintable():
                    self._paths.setdefault(path, (self._seq, origin))
        raw = readable(row.raw) if fault else ""
        self._keep(origin, sku, view, kind, cells, fault, raw)

    def _note_claims(self, cells: dict[str, str], sku: str) -> None:
        if cells.get("product_type") != "configurable":
            return
        text = cells.get("configurable_variations", "")
        try:
            children = [child for child, _ in variations(text)]
        except CellError:
            children = _NAMED_SKU.findall(text)
        self._claims += [(child.strip(), sku, self._seq) for child in children]

    def _note_parts(self, cells: dict[str, str]) -> None:
        """The products that a bundle or group is made of: hidden ones among them are not lost variants."""
        self._parts += [(sku.strip(),) for sku in _NAMED_SKU.findall(cells.get("bundle_values", ""))]
        self._parts += [(part["sku"],) for part in associated(cells.get("associated_skus", ""))]

    def _add_unreadable(self, row: BadRow, origin: str) -> None:
        """Keeps what its raw text still tells: its SKU, and its variants' where it is a configurable product."""
        text = row.raw.decode("utf-8", "replace")
        sku = row.row_id or f"{_UNREADABLE}{self._seq}"
        children = _NAMED_SKU.findall(text) if "configurable" in text else []
        self._claims += [(child.strip(), sku, self._seq) for child in children]
        self.unreadable = self.unreadable or not row.row_id
        if "configurable" in text or not _OTHER_TYPE.search(text):
            self.parents_unknown = True
        self._last_sku = sku
        self._keep(origin, sku, "", "bad", {}, (row.code, row.reason, row.hint), readable(row.raw))

    def _keep(
        self, origin: str, sku: str, view: str, kind: str, cells: dict[str, str],
        fault: tuple[str, str, str] | None, raw: str,
    ) -> None:  # fmt: skip
        kept = orjson.dumps(fault) if fault else None
        product_type = cells.get("product_type", "")
        self._rows.append((self._seq, origin, sku, view, kind, product_type, orjson.dumps(cells), kept, raw))

    def _write(self) -> None:
        try:
            self._db.executemany(
                "INSERT INTO rows (seq, origin, sku, view, kind, type, body, fault, raw) VALUES (?,?,?,?,?,?,?,?,?)",
                self._rows,
            )
            self._db.executemany("INSERT OR IGNORE INTO claims VALUES (?,?,?)", self._claims)
            self._db.executemany("INSERT OR IGNORE INTO parts VALUES (?)", self._parts)
            self._db.executemany(
                "INSERT OR IGNORE INTO categories VALUES (?,?,?)",
                [(path, seq, origin) for path, (seq, origin) in self._paths.items()],
            )
        except sqlite3.OperationalError as error:
            raise _out_of_space(error) from error
        self._rows, self._claims, self._parts, self._paths = [], [], [], {}

    def finish(self) -> None:
        """Gives every row to the record that owns it: a claimed simple product to the first parent that names it."""
        self._write()
        try:
            self._db.executescript(_GIVE_TO_OWNERS)
            if self._db.execute(_LOST_VARIANT).fetchone():
                self.parents_unknown = True
        except sqlite3.OperationalError as error:
            raise _out_of_space(error) from error

    # --- asking -------------------------------------------------------------------------------------

    def records(self) -> Iterator[list[IndexedRow]]:
        """The rows of each record in order, records by where their own first row stands."""
        found = self._db.execute(f"SELECT record, {_ROW} FROM rows ORDER BY record, seq")  # noqa: S608 - a constant
        for _, rows in groupby(found, key=itemgetter(0)):
            yield [_indexed(row[1:]) for row in rows]

    def rows(self) -> Iterator[IndexedRow]:
        """All rows in the order of the files."""
        for row in self._db.execute(f"SELECT {_ROW} FROM rows ORDER BY seq"):  # noqa: S608 - a constant
            yield _indexed(row)

    def find(self, sku: str) -> IndexedRow | None:
        """The first row of that SKU, whichever record it belongs to."""
        found = self._db.execute(f"SELECT {_ROW} FROM rows WHERE sku = ? ORDER BY seq LIMIT 1", (sku,))  # noqa: S608
        row = found.fetchone()
        return _indexed(row) if row else None

    def is_part(self, sku: str) -> bool:
        """Whether a bundle or group of the export is made of it."""
        return self._db.execute("SELECT 1 FROM parts WHERE sku = ?", (sku,)).fetchone() is not None

    def categories(self) -> Iterator[tuple[str, str]]:
        """(path, origin) of every distinct category path, in order of appearance."""
        yield from self._db.execute("SELECT path, origin FROM categories ORDER BY seq, rowid")

    def claim_address(self, path: str, sku: str, origin: str) -> tuple[str, str] | None:
        """None where the address was free and is now `sku`'s; else (sku, origin) of whose it is."""
        added = self._db.execute("INSERT OR IGNORE INTO addresses VALUES (?,?,?)", (path, sku, origin))
        if added.rowcount:
            return None
        first = self._db.execute("SELECT sku, origin FROM addresses WHERE path = ?", (path,)).fetchone()
        return str(first[0]), str(first[1])

    def forget_addresses(self) -> None:
        """So that redirects can be read again."""
        self._db.execute("DELETE FROM addresses")

    def close(self) -> None:
        """Deletes the scratch database."""
        self._db.close()
        self._folder.cleanup()


def is_unreadable(sku: str) -> bool:
    """Whether this stands for a row whose SKU cannot be read."""
    return sku.startswith(_UNREADABLE)


def _indexed(row: Sequence[object]) -> IndexedRow:
    seq, origin, sku, lead, view, kind, product_type, body, fault, raw = row
    return IndexedRow(
        seq, origin, sku, lead, view, kind, product_type,  # type: ignore[arg-type]  # SQLite's types are not known to mypy
        orjson.loads(body), tuple(orjson.loads(fault)) if fault else None, raw,  # type: ignore[arg-type]
    )  # fmt: skip


def _is_clean(value: str) -> bool:
    return value.isascii() or value.encode("utf-8", "ignore").decode() == value


def _cleaned(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _out_of_space(error: sqlite3.OperationalError) -> Exception:
    if "full" in str(error):
        return OutOfSpaceError("The temporary disk is full.", code="OUT_OF_SPACE", hint="Free space, or set TMPDIR.")
    return error

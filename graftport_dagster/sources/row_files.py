"""One door to the rows of any file: finds out what it is, opens it, and says which column is the id.

What each format's rows are, and what makes one bad, is in `csv_rows`, `json_rows` and
`excel_rows`; which files belong to which resource type is in `files`.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import orjson

from graftport_dagster.source_settings.files import FileSpec
from graftport_dagster.sources.csv_rows import CsvRows
from graftport_dagster.sources.excel_rows import OTHER_WORKBOOKS, excel_rows
from graftport_dagster.sources.file_bytes import (
    UnixLineEnds,
    as_utf8,
    encoding_of,
    open_bytes,
    refusal,
    refuse_foreign,
    sample_of,
    unpacked_name,
)  # fmt: skip
from graftport_dagster.sources.json_rows import JsonArrayRows, jsonl_rows
from graftport_dagster.sources.rows import BadRow, Row, text_id

ID_COLUMNS = (
    "source_id", "sku", "id", "entity_id", "handle", "code", "increment_id", "order_number", "number", "path",
    "email", "identifier", "slug",
)  # fmt: skip
_ENDINGS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".json": "json", ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel",
    ".ods": "excel",
}  # fmt: skip
_SAMPLE_ROWS = 200


@dataclass(slots=True)
class OpenRows:
    """The rows of one open file. `columns` is empty where rows name their own (JSON)."""

    path: Path
    columns: list[str]
    rows: Iterator[Row | BadRow]
    csv: CsvRows | None = None

    @property
    def is_sound(self) -> bool:
        """After reading: False where a row's structure was damaged, so that ids may be misread or rows be missing."""
        return self.csv is None or self.csv.is_sound


@contextmanager
def open_rows(path: Path, spec: FileSpec, limit: int, id_column: str = "") -> Iterator[OpenRows]:
    """Opens one file as its spec says or its name and content show; `limit`: bytes that one row may have.

    Raises ConfigurationError for a file that cannot be read as rows, here or while its rows are read.
    """
    sample = sample_of(path)
    kind = _format_of(path, spec, sample)
    with open_bytes(path) as stream:
        if kind == "excel":
            columns, rows = excel_rows(_seekable(stream), path, spec.sheet, limit)
            yield OpenRows(path, columns, rows)
            return
        encoding = encoding_of(path, sample, spec.encoding)
        text = as_utf8(stream, encoding)
        if kind == "csv":
            if b"\r" in sample and b"\n" not in sample:
                text = io.BufferedReader(UnixLineEnds(text))
            table = CsvRows(text, path, separator=_separator(path, spec, sample), limit=limit)
            if id_column:
                table.identify_by(_present(path, table.columns, id_column))
            yield OpenRows(path, table.columns, _LateRows(table), table)
        else:
            rows = iter(JsonArrayRows(text, path, limit)) if kind == "json" else jsonl_rows(text, path, limit)
            yield OpenRows(path, [], rows)


class _LateRows:
    """Begins to read when the first row is asked for, so that the id column can be named after the header is known."""

    def __init__(self, table: CsvRows) -> None:
        self._table = table
        self._rows: Iterator[Row | BadRow] | None = None

    def __iter__(self) -> "_LateRows":
        return self

    def __next__(self) -> Row | BadRow:
        if self._rows is None:
            self._rows = iter(self._table)
        return next(self._rows)


def _seekable(stream: IO[bytes]) -> IO[bytes]:
    return stream if stream.seekable() else io.BytesIO(stream.read())


def _format_of(path: Path, spec: FileSpec, sample: bytes) -> str:
    by_name = _ENDINGS.get(unpacked_name(path).suffix.lower(), "")
    kind = by_name if spec.format == "auto" else spec.format
    if kind == "excel":
        if path.suffix.lower() not in OTHER_WORKBOOKS and not sample.startswith(b"PK\x03\x04"):
            raise refusal(path, "This is not an Excel workbook (.xlsx).", "FILE_NOT_ROWS", "Save it again as .xlsx.")
        return kind
    refuse_foreign(path, sample)
    if kind in ("csv", "jsonl"):
        return kind
    return _json_kind(sample) or "csv" if not kind else _json_kind(sample) or "json"


def _json_kind(sample: bytes) -> str:
    """`json` or `jsonl` by content: several lines that are each a whole object are JSONL; "" where it is neither."""
    text = sample.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return ""
    lines = text.splitlines()
    try:
        return "jsonl" if isinstance(orjson.loads(lines[0]), dict) and (len(lines) > 1 or b"[" not in text) else "json"
    except orjson.JSONDecodeError:
        return "json"


def _separator(path: Path, spec: FileSpec, sample: bytes) -> str:
    if spec.separator:
        separator = {"tab": "\t", "\\t": "\t"}.get(spec.separator, spec.separator)
        if len(separator) != 1:
            raise refusal(path, "A separator is one character, or `tab`.", "SEPARATOR")
        return separator
    tabbed = unpacked_name(path).suffix.lower() in {".tsv", ".tab"} and b"\t" in sample.splitlines()[0]
    return "\t" if tabbed else ""


def _present(path: Path, columns: Sequence[str], id_column: str) -> str:
    if id_column not in columns:
        raise refusal(
            path, f"There is no column {id_column}; there are {', '.join(columns[:30])}.", "ID_COLUMN",
            "Name one of them with `id_column`.",
        )  # fmt: skip
    return id_column


def find_id_column(path: Path, spec: FileSpec, limit: int) -> str:
    """The column of ids: the declared one, else the first usual one that is filled and unique in the first 200 rows.

    Raises ConfigurationError (ID_COLUMN) naming the columns there are.
    """
    with open_rows(path, spec, limit) as opened:
        if spec.id_column and opened.columns:
            return _present(path, opened.columns, spec.id_column)
        candidates = [spec.id_column] if spec.id_column else list(ID_COLUMNS)
        if opened.csv is not None and (usual := [name for name in candidates if name in opened.columns]):
            opened.csv.identify_by(usual[0])
        rows = [row.values for row in islice(opened.rows, _SAMPLE_ROWS) if isinstance(row, Row)]
    if spec.id_column:
        return spec.id_column
    columns = opened.columns or list(dict.fromkeys(name for row in rows for name in row))
    present = [name for name in candidates if name in columns]
    for name in present:
        ids = [row_id for row in rows if (row_id := text_id(row.get(name)))]
        if len(ids) >= len(rows) * 0.9 and len(set(ids)) >= len(ids) * 0.9:
            return name
    if len(present) == 1:
        return present[0]
    raise refusal(
        path, f"No column is plainly the id; there are {', '.join(columns[:30]) or 'none'}.", "ID_COLUMN",
        "Name one of them with `id_column`.",
    )  # fmt: skip

"""Rows of one sheet of a workbook: .xlsx streamed through openpyxl, .xls and .ods through pandas.

Dates become ISO 8601 text, all else stays what the workbook holds (text, numbers, true and false).
openpyxl keeps the table of distinct texts of a workbook in memory; rows themselves stream. pandas
holds the sheet, which is small: an .xls has 65,536 rows at most.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any

import openpyxl
import orjson

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.sources.file_bytes import refusal
from graftport_dagster.sources.rows import BadRow, Row

OTHER_WORKBOOKS = frozenset({".xls", ".ods"})
_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})


def excel_rows(stream: IO[bytes], path: Path, sheet: str, limit: int) -> tuple[list[str], Iterator[Row | BadRow]]:
    """The column names of the sheet (the first one by default) and its rows, numbered as Excel does.

    Raises ConfigurationError for a file that is no workbook, an absent sheet, a header that cannot be used,
    and a sheet without rows (NO_ROWS).
    """
    if path.suffix.lower() in OTHER_WORKBOOKS:
        title, values = _through_pandas(stream, path, sheet)
        return _table(title, values, path, limit)
    try:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    except Exception as error:  # openpyxl passes on whatever its XML and zip readers raise
        raise refusal(
            path, f"Not readable as an Excel workbook ({error}).", "FILE_NOT_ROWS", "Save it again as .xlsx, whole."
        ) from error
    if not book.worksheets:
        raise refusal(path, "The workbook has no sheet of rows.", "NO_ROWS")
    if sheet and sheet not in book.sheetnames:
        raise refusal(path, f"There is no sheet {sheet}; there are {', '.join(book.sheetnames)}.", "SHEET")
    chosen = book[sheet] if sheet else book.worksheets[0]
    return _table(chosen.title, chosen.iter_rows(values_only=True), path, limit)


def _through_pandas(stream: IO[bytes], path: Path, sheet: str) -> tuple[str, Iterator[tuple[Any, ...]]]:
    # On demand: it costs half a second, and few sources hold such a file.
    import pandas

    try:
        frames = pandas.read_excel(
            stream, sheet_name=None, header=None, dtype=object, na_filter=False, engine="calamine"
        )  # fmt: skip
    except Exception as error:  # whatever the reader of that format raises
        raise refusal(
            path, f"Not readable as a workbook ({error}).", "FILE_NOT_ROWS", "Save it again as .xlsx, whole."
        ) from error
    if sheet and sheet not in frames:
        raise refusal(path, f"There is no sheet {sheet}; there are {', '.join(map(str, frames))}.", "SHEET")
    title = sheet or next(iter(frames), "")
    if title not in frames:
        raise refusal(path, "The workbook has no sheet of rows.", "NO_ROWS")
    rows = frames[title].itertuples(index=False)
    return title, (tuple(None if cell == "" else cell for cell in row) for row in rows)


def _table(
    title: str, values: Iterator[tuple[Any, ...]], path: Path, limit: int
) -> tuple[list[str], Iterator[Row | BadRow]]:
    cells = enumerate(_guarded(values, path), 1)
    columns: list[str] = []
    for _, row in cells:
        if any(value is not None for value in row):
            columns = _columns(path, row)
            break
    if not columns:
        raise refusal(path, f"The sheet {title} is empty.", "NO_ROWS", "Name the right one with `sheet`.")
    return columns, _rows(cells, columns, path, limit)


def _guarded(rows: Iterator[tuple[Any, ...]], path: Path) -> Iterator[tuple[Any, ...]]:
    """The rows; openpyxl's warnings on styles are of no concern, and broken packed data is a cut-off file."""
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield next(rows)
        except StopIteration:
            return
        except ConfigurationError:
            raise
        except Exception as error:
            raise refusal(
                path, f"The workbook is cut off or damaged ({type(error).__name__}).", "FILE_TRUNCATED",
                "Fetch or save it again, whole.",
            ) from error  # fmt: skip


def _columns(path: Path, values: Sequence[Any]) -> list[str]:
    names = ["" if value is None else str(value).strip() for value in values]
    while names and not names[-1]:
        names.pop()
    empty = [str(place) for place, name in enumerate(names, 1) if not name]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if empty or twice:
        what = (
            f"Column {', '.join(empty)} has no name." if empty else f"{', '.join(twice)} stands there more than once."
        )
        raise refusal(path, f"The header cannot be used: {what}", "HEADER", "Give every column a name of its own.")
    return names


def _rows(
    cells: Iterator[tuple[int, tuple[Any, ...]]], columns: list[str], path: Path, limit: int
) -> Iterator[Row | BadRow]:
    none = True
    for number, values in cells:
        if all(value is None or value == "" for value in values):
            continue
        none = False
        yield _row(number, values, columns, limit)
    if none:
        raise refusal(
            path, "The sheet has column names but no rows.", "NO_ROWS", "Export it again: an empty export is no shop."
        )


def _row(number: int, values: tuple[Any, ...], columns: list[str], limit: int) -> Row | BadRow:
    plain = [_plain(value) for value in values]
    cells = dict(zip(columns, plain[: len(columns)] + [None] * (len(columns) - len(plain)), strict=True))
    try:
        raw = orjson.dumps(plain)
    except TypeError:
        raw = repr(plain).encode("utf-8", "backslashreplace")
        return BadRow(number, raw, "LONE_SURROGATE", "A cell has half a character or a number beyond 64 bits.")
    if any(value not in (None, "") for value in plain[len(columns) :]):
        reason = f"The row has cells to the right of the {len(columns)} named columns."
        return BadRow(number, raw, "COLUMN_COUNT", reason, "Name the column, or clear the cells.")
    failed = [name for name, value in cells.items() if isinstance(value, str) and value in _ERRORS]
    if failed:
        reason = f"The formula in {', '.join(failed)} failed: {cells[failed[0]]}."
        return BadRow(number, raw, "CELL_ERROR", reason, "Correct the formula and save again.", values=cells)
    if len(raw) > limit:
        reason = f"The row is larger than {limit / 2**20:g} MB."
        return BadRow(number, raw, "RECORD_TOO_LARGE", reason, "Raise `max_record_mb`.")
    return Row(number, cells, raw)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value

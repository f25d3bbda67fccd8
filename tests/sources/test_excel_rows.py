"""Excel workbooks: values as they are, dates as text, what cannot be used named by its row."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from graftport_dagster.errors import ConfigurationError

Read = Callable[..., Any]


def workbook(path: Path, *sheets: Any) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    for place, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet{place + 1}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path.read_bytes()


def test_cells_keep_their_kind_and_dates_become_text(read_file: Read, tmp_path: Path) -> None:
    rows = [
        ["id", "name", "price", "active", "since", "day", "none"],
        [7, "Ünï", 12.5, True, datetime(2026, 3, 1, 10, 30), date(2026, 3, 1), None],  # noqa: DTZ001 - Excel has no zones
    ]
    records, invalid = read_file("t.xlsx", workbook(tmp_path / "t.xlsx", rows))
    assert not invalid
    assert records[0].source_id == "7"
    assert records[0].origin == "t.xlsx:2"
    assert records[0].payload == {
        "id": 7, "name": "Ünï", "price": 12.5, "active": True, "since": "2026-03-01T10:30:00",
        "day": "2026-03-01T00:00:00", "none": None,
    }  # fmt: skip


def test_bad_rows_are_named_and_blank_ones_passed_over(read_file: Read, tmp_path: Path) -> None:
    rows = [["id", "price"], ["A", 1], [None, None], [None, 2], ["C", "#REF!"], ["D", 3, "beyond"], ["E", 4]]
    records, invalid = read_file("t.xlsx", workbook(tmp_path / "t.xlsx", rows))
    assert [record.source_id for record in records] == ["A", "E"]
    assert [(row.code, row.origin) for row in invalid] == [
        ("NO_ID", "t.xlsx:4"), ("CELL_ERROR", "t.xlsx:5"), ("COLUMN_COUNT", "t.xlsx:6"),
    ]  # fmt: skip


def test_a_sheet_is_chosen_by_name(read_file: Read, tmp_path: Path) -> None:
    content = workbook(tmp_path / "t.xlsx", [["id"], ["A"]], [["id"], ["B"]])
    assert read_file("t.xlsx", content, sheet="Sheet2")[0][0].source_id == "B"
    with pytest.raises(ConfigurationError, match="There is no sheet Summer; there are Sheet1, Sheet2"):
        read_file("t.xlsx", content, sheet="Summer")


@pytest.mark.parametrize(
    "rows", [[["id", "name"]], [["id", "id"], ["A", "B"]], [["id", None, "name"], ["A", 1, 2]], []]
)
def test_sheets_without_rows_or_usable_header_are_refused(
    read_file: Read, tmp_path: Path, rows: list[list[Any]]
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_file("t.xlsx", workbook(tmp_path / "t.xlsx", rows), id_column="id")
    assert refused.value.code in {"NO_ROWS", "HEADER"}


def test_a_cut_off_workbook_is_refused(read_file: Read, tmp_path: Path) -> None:
    content = workbook(tmp_path / "t.xlsx", [["id"], *[[f"A{number}"] for number in range(500)]])
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(ConfigurationError):
            read_file("t.xlsx", content[: int(len(content) * share)])


def test_a_csv_named_xlsx_is_refused(read_file: Read) -> None:
    with pytest.raises(ConfigurationError, match="not an Excel workbook"):
        read_file("t.xlsx", "id,name\nA,B\n")

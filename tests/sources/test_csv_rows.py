"""CSV files: every row read as it is meant, every bad row named, and no row lost beside it."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.sources.csv_rows import CsvRows
from graftport_dagster.sources.file_bytes import as_utf8
from graftport_dagster.sources.rows import BadRow, Row

WIDE = ["sku", "name", "price", "text", "color", "size", "note"]


def rows_of(content: bytes, *, limit: int = 1 << 24, separator: str = "") -> list[Row | BadRow]:
    return list(CsvRows(as_utf8(io.BytesIO(content), "utf-8"), Path("t.csv"), separator=separator, limit=limit))


def written(rows: list[list[str]], **dialect: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode()


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
plain_cells = st.text('ab9 ,;"\n\r\t|<é', max_size=8)


@settings(deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda width: st.lists(st.lists(cells | plain_cells, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_table_survives_being_written_as_csv(
    table: list[list[str]], quoting: Any, line_end: str, separator: str
) -> None:
    if line_end == "\n":  # Python's writer leaves a carriage return unquoted then, which is no CSV
        table = [[cell.replace("\r", "") for cell in row] for row in table]
    columns = [f"column{place}" for place in range(len(table[0]))]
    table = [[f"id{number}", *row[1:]] for number, row in enumerate(table)]
    content = written([columns, *table], quoting=quoting, lineterminator=line_end, delimiter=separator)
    assert [list(row.values.values()) for row in rows_of(content, separator=separator)] == table


def wide_row(number: int) -> list[str]:
    text = ["plain", "two, parts", 'said "so"', "one line\nand another", "<p>a, b</p>\n<p>c</p>", ""][number % 6]
    return [f"SKU-{number}", f"Name {number}", "12.50", text, "red", "", f"note, {number}"]


def damage(raw: bytes, kind: str, place: int) -> bytes:
    """One row damaged behind its id, still ending with its own line end."""
    quotes = [at for at, byte in enumerate(raw) if byte == ord('"')]
    commas = [at for at, byte in enumerate(raw) if byte == ord(",")]
    behind = commas[0] + 1 + place % (len(raw) - commas[0] - 2)
    if kind == "a quote removed":
        at = quotes[place % len(quotes)]
        return raw[:at] + raw[at + 1 :]
    if kind == "a separator removed":
        at = commas[1 + place % (len(commas) - 1)]
        return raw[:at] + raw[at + 1 :]
    if kind == "cut off":
        return raw[:behind] + b"\n"
    added = {"a quote added": b'"', "a separator added": b",", "a line end added": b"\n", "a bad byte": b"\xff"}[kind]
    return raw[:behind] + added + raw[behind:]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 23),
            st.sampled_from(
                [
                    "a quote removed", "a quote added", "a separator removed", "a separator added",
                    "a line end added", "a bad byte", "cut off",
                ]
            ),
            st.integers(0, 500),
        ),
        min_size=1, max_size=4, unique_by=lambda fault: fault[0],
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)  # fmt: skip
def test_damaged_rows_cost_themselves_alone(faults: list[tuple[int, str, int]], quoting: Any) -> None:
    rows = [wide_row(number) for number in range(24)]
    raw = [written([row], quoting=quoting, lineterminator="\n") for row in rows]
    for number, kind, place in faults:
        raw[number] = damage(raw[number], kind, place)
    given_rows = rows_of(written([WIDE], lineterminator="\n") + b"".join(raw))
    sound = {row.values["sku"]: list(row.values.values()) for row in given_rows if isinstance(row, Row)}
    bad = {row.row_id for row in given_rows if isinstance(row, BadRow)}
    # Two damaged rows side by side may be one piece: what is kept of it shows both.
    kept = b"".join(row.raw for row in given_rows if isinstance(row, BadRow)).decode(errors="replace")
    bad |= {row[0] for row in rows if row[0] in kept}
    damaged = {f"SKU-{number}" for number, _, _ in faults}
    for row in rows:
        if row[0] not in damaged:
            assert sound[row[0]] == row
    assert sound.keys() <= {row[0] for row in rows}
    assert damaged <= sound.keys() | bad or "" in bad, "a damaged row is readable still, or named, or its id is damaged"


@pytest.mark.parametrize("place", range(30))
def test_a_quote_that_is_never_closed_leaves_all_later_rows_readable(place: int) -> None:
    lines = [f"SKU-{number},Name,12.50,plain,red,M,note".encode() for number in range(30)]
    lines[place] = lines[place].replace(b"plain", b'"plain')
    given_rows = rows_of(",".join(WIDE).encode() + b"\n" + b"\n".join(lines) + b"\n")
    assert [row.row_id for row in given_rows if isinstance(row, BadRow)] == [f"SKU-{place}"]
    assert len(given_rows) == 30


@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_quote_that_is_never_closed_leaves_later_rows_of_a_narrow_table_readable(width: int) -> None:
    lines = [",".join([f"A-{number}", *["x"] * (width - 1)]) for number in range(10)]
    lines[4] = lines[4].replace(",x", ',"x', 1)
    header = ",".join(f"column{place}" for place in range(width))
    given_rows = rows_of("\n".join([header, *lines, ""]).encode())
    assert [(row.code, row.row_id, row.line) for row in given_rows if isinstance(row, BadRow)] == [
        ("BROKEN_QUOTING", "A-4", 6)
    ]
    assert len(given_rows) == 10


def test_prose_behind_a_damaged_row_does_not_become_a_row_of_its_own() -> None:
    content = 'sku,name,text\nA-1,x,"said "so" once\nwarm, soft, and dry\nto the end",\nA-2,x,y\n'
    sound = [row.values["sku"] for row in rows_of(content.encode()) if isinstance(row, Row)]
    assert sound == ["A-2"]


def test_a_bad_row_names_the_line_it_begins_at() -> None:
    content = 'sku,text\nA,"one\ntwo\nthree"\nB,too,many\nC,x\n'
    bad = [row for row in rows_of(content.encode()) if isinstance(row, BadRow)]
    assert [(row.line, row.code, row.reason) for row in bad] == [
        (5, "COLUMN_COUNT", "The row has 3 columns, the header 2.")
    ]


def test_bytes_that_are_not_utf8_spoil_their_row_alone() -> None:
    content = b"sku,text\nA,caf\xe9\nB,caf\xc3\xa9\n"
    bad, good = rows_of(content)
    assert isinstance(bad, BadRow)
    assert (bad.code, bad.row_id, bad.line) == ("NOT_UTF8", "A", 2)
    assert good.values == {"sku": "B", "text": "café"}


def test_an_id_that_is_not_utf8_is_not_trusted() -> None:
    bad = rows_of(b"sku,text\nA\xe9,x\nB,y\n")[0]
    assert isinstance(bad, BadRow)
    assert bad.row_id == ""


def test_nul_bytes_spoil_their_row_alone() -> None:
    bad, good = rows_of(b"sku,text\nA,x\0y\nB,y\n")
    assert isinstance(bad, BadRow)
    assert (bad.code, bad.row_id) == ("NUL_BYTE", "A")
    assert good.values["sku"] == "B"


def test_a_row_larger_than_the_limit_is_set_aside() -> None:
    content = b"sku,text\nA,x\nB," + b"y" * 5000 + b"\nC,z\n"
    codes = [
        (row.code, row.row_id) if isinstance(row, BadRow) else row.values["sku"] for row in rows_of(content, limit=1000)
    ]
    assert codes == ["A", ("RECORD_TOO_LARGE", "B"), "C"]


def test_an_unclosed_quote_does_not_take_in_more_than_the_limit() -> None:
    content = b'sku,text\nA,"x\n' + b"".join(b"B-%d,y\n" % number for number in range(5000))
    given_rows = rows_of(content, limit=1000)
    assert len(given_rows) == 5001
    assert [row.row_id for row in given_rows if isinstance(row, BadRow)] == ["A"]


def test_a_quote_missing_around_the_id_does_not_make_a_new_id() -> None:
    bad, good = rows_of(b'"sku","text"\nA-1","x"\n"A-2","y"\n')
    assert isinstance(bad, BadRow)
    assert bad.code == "BROKEN_QUOTING"
    assert good.values["sku"] == "A-2"


def test_a_quote_inside_an_unquoted_cell_is_a_character() -> None:
    assert rows_of(b'sku,text\nA,5" pipe\n')[0].values["text"] == '5" pipe'


def test_blank_lines_and_rows_of_empty_cells_are_no_rows() -> None:
    assert [row.values["sku"] for row in rows_of(b"sku,text\n\nA,x\n,\n\r\nB,y\n\n")] == ["A", "B"]


def test_a_file_that_ends_inside_a_quoted_cell_is_refused_as_cut_off() -> None:
    with pytest.raises(ConfigurationError, match="cut off") as refused:
        rows_of(b'sku,text,a,b,c,d\nA,x,1,2,3,4\nB,"beginning of a te')
    assert refused.value.code == "FILE_TRUNCATED"
    assert refused.value.path == "t.csv"


def test_a_short_last_row_without_line_end_says_that_the_file_may_be_cut_off() -> None:
    bad = rows_of(b"sku,text\nA,x\nB")[-1]
    assert isinstance(bad, BadRow)
    assert "may be cut off" in bad.reason


def test_a_damaged_structure_is_remembered_because_ids_may_be_misread() -> None:
    table = CsvRows(io.BytesIO(b"sku,text\nA,x\nB,C,y\nD,z\n"), Path("t.csv"), separator="", limit=1000)
    assert table.is_sound
    list(table)
    assert not table.is_sound


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"sku,text\n", "NO_ROWS", "no rows"),
        (b"\n\n", "FILE_EMPTY", "no text"),
        (b"sku,,text\nA,x,y\n", "HEADER", "Column 2"),
        (b"sku,text,text\nA,x,y\n", "HEADER", "text more than once"),
    ],
)
def test_a_file_without_usable_header_or_rows_is_refused(content: bytes, code: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        rows_of(content)
    assert refused.value.code == code


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(separator: str) -> None:
    content = separator.join(["sku", '"a,b;c"', "text"]) + "\n" + separator.join(["A", "x", "y"]) + "\n"
    assert list(rows_of(content.encode())[0].values) == ["sku", "a,b;c", "text"]


def test_reading_does_not_run_ahead_of_the_asker(read_file: Callable[..., Any]) -> None:
    stream = io.BytesIO(b"sku,text\n" + b"".join(b"A%d,x\n" % number for number in range(100_000)))
    rows = iter(CsvRows(stream, Path("t.csv"), separator="", limit=1000))
    next(rows)
    assert stream.tell() < 200

"""Plain files as a source: what is found out, what is refused and with which sentence, freshness, check."""

import gzip
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
import xlwt

from graftport_dagster.errors import ConfigurationError, TransientError
from graftport_dagster.migration import FileSpec
from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.files import FileSource

CUSTOMERS = ResourceType.CUSTOMERS
Read = Callable[..., Any]


def source_of(folder: Path, *specs: FileSpec, **settings: Any) -> FileSource:
    return FileSource(FilesSettings(files={CUSTOMERS: list(specs)}, **settings), folder)


def write_xls(path: Path, table: pandas.DataFrame) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Customers")
    for column, name in enumerate(table.columns):
        sheet.write(0, column, name)
        for row, value in enumerate(table[name], 1):
            sheet.write(row, column, value)
    book.save(str(path))


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def _named(value: object) -> str | None:
    """Contents make poor names, and packed ones differ with the time of day."""
    return None if isinstance(value, str) and len(value) < 30 else "content"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "email,name\na@b.example,Zoë\n"),
        ("t.csv", "\ufeffemail,name\r\na@b.example,Zoë\r\n"),
        ("t.csv", "email;name\na@b.example;Zoë"),
        ("t.txt", "email\tname\na@b.example\tZoë\n"),
        ("t.tsv", "email\tname\na@b.example\tZoë\n"),
        ("t.csv", "email|name\na@b.example|Zoë\n"),
        ("t.csv", "email,name\ra@b.example,Zoë\r"),
        ("t.csv", '"email","name"\n"a@b.example","Zoë"\n'),
        ("t.csv", "email,name\na@b.example,Zoë\n".encode("utf-16")),
        ("t.csv", "email,name\na@b.example,Zoë\n".encode("utf-32")),
        ("t.json", '[{"email": "a@b.example", "name": "Zoë"}]'),
        ("t.json", '{"count": 1, "customers": [{"email": "a@b.example", "name": "Zoë"}]}'),
        ("t.json", '{"email": "a@b.example", "name": "Zoë"}\n{"email": "c@d.example", "name": "Al"}\n'),
        ("t.jsonl", '{"email": "a@b.example", "name": "Zoë"}\n'),
        ("t.ndjson", '\ufeff{"email": "a@b.example", "name": "Zoë"}\n'),
        ("data", "email,name\na@b.example,Zoë\n"),
        ("data", '[{"email": "a@b.example", "name": "Zoë"}]'),
        ("t.csv.gz", gzip.compress("email,name\na@b.example,Zoë\n".encode())),
        ("t.csv.zip", zipped("inner.csv", "email,name\na@b.example,Zoë\n".encode())),
        ("t.jsonl.gz", gzip.compress('{"email": "a@b.example", "name": "Zoë"}\n'.encode())),
    ],
    ids=_named,
)
def test_format_separator_encoding_and_id_are_found_out(read_file: Read, name: str, content: bytes | str) -> None:
    records, invalid = read_file(name, content)
    assert not invalid
    assert (records[0].source_id, records[0].payload) == ("a@b.example", {"email": "a@b.example", "name": "Zoë"})


def test_a_declared_encoding_is_believed_and_what_it_cannot_hold_is_one_bad_row(read_file: Read) -> None:
    content = "email,name\na@b.example,Zoë\n".encode("cp1252") + b"c@d.example,\x81\n"
    records, invalid = read_file("t.csv", content, encoding="cp1252")
    assert [record.payload["name"] for record in records] == ["Zoë"]
    assert [(row.code, row.source_id, row.origin) for row in invalid] == [("NOT_UTF8", "c@d.example", "t.csv:3")]


@pytest.mark.parametrize("columns", ["sku,email", "handle,email", "entity_id,name", "name,code", "name,email"])
def test_the_usual_id_columns_are_found(read_file: Read, columns: str) -> None:
    records, _ = read_file("t.csv", f"{columns}\nA,B\nC,D\n")
    assert len(records) == 2


def test_an_id_column_that_repeats_is_passed_over_for_one_that_does_not(read_file: Read) -> None:
    rows = "".join(f"same,c{number}@d.example\n" for number in range(20))
    assert read_file("t.csv", f"code,email\n{rows}")[0][0].source_id == "c0@d.example"


def test_without_a_column_of_ids_the_columns_are_named(read_file: Read) -> None:
    with pytest.raises(ConfigurationError, match=r"No column is plainly the id; there are first, last") as refused:
        read_file("t.csv", "first,last\nA,B\n")
    assert refused.value.code == "ID_COLUMN"


def test_a_declared_id_column_must_be_there(read_file: Read) -> None:
    with pytest.raises(ConfigurationError, match="There is no column mail; there are email, name"):
        read_file("t.csv", "email,name\nA,B\n", id_column="mail")


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_row_without_an_id_is_named_and_the_others_go_on(read_file: Read, name: str) -> None:
    rows = {
        "t.csv": "email,name\na@b.example,A\n ,B\nc@d.example,C\n",
        "t.jsonl": '{"email": "a@b.example"}\n{"email": null}\n{"email": "c@d.example"}\n',
    }
    records, invalid = read_file(name, rows[name], id_column="email")
    assert [record.source_id for record in records] == ["a@b.example", "c@d.example"]
    assert [(row.code, row.source_id) for row in invalid] == [("NO_ID", "")]


def test_numbers_are_ids_and_the_payload_stays_as_it_was(read_file: Read) -> None:
    records, invalid = read_file(
        "t.jsonl", '{"id": 7}\n{"id": 8.0}\n{"id": 8.5}\n{"id": true}\n{"id": {"a": 1}}\n', id_column="id"
    )
    assert [(record.source_id, record.payload) for record in records] == [("7", {"id": 7}), ("8", {"id": 8.0})]
    assert [row.code for row in invalid] == ["NO_ID"] * 3


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 200


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("t.csv", b"", "FILE_EMPTY"),
        ("t.csv", b"email,name\n", "NO_ROWS"),
        ("t.jsonl", b"\n\n", "NO_ROWS"),
        ("t.json", b"[]", "NO_ROWS"),
        ("t.csv", PNG, "FILE_NOT_ROWS"),
        ("t.csv", zipped("[Content_Types].xml", b"x"), "FILE_NOT_ROWS"),
        ("t.csv", b"<!DOCTYPE html><html><body>Please log in</body></html>", "FILE_NOT_ROWS"),
        ("t.csv", bytes(range(9)) * 50, "FILE_NOT_ROWS"),
        ("t.csv.gz", gzip.compress(os.urandom(2000) + b"email,name\n")[:-500], "FILE_TRUNCATED"),
        ("t.csv.gz", b"no gzip at all", "FILE_TRUNCATED"),
        ("t.csv.zip", zipped("a.csv", b"email\nA\n")[:-20], "FILE_TRUNCATED"),
        ("t.json", b'[{"email": "a"}, {"email": ', "FILE_TRUNCATED"),
        ("t.csv", b'email,a,b,c,d,e\nA,1,2,3,4,5\nB,"1', "FILE_TRUNCATED"),
        ("t.csv", b"email,email\nA,B\n", "HEADER"),
    ],
    ids=_named,
)
def test_a_file_that_cannot_be_read_is_refused_with_its_name_and_a_code(
    read_file: Read, name: str, content: bytes, code: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_file(name, content, id_column="email")
    assert refused.value.code == code
    assert refused.value.path == name
    assert "Traceback" not in str(refused.value)


def test_an_absent_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for path, code in [("absent.csv", "FILE_ABSENT"), ("folder.csv", "FILE_IS_FOLDER"), ("*.jsonl", "FILE_ABSENT")]:
        with pytest.raises(ConfigurationError) as refused:
            list(source_of(tmp_path, FileSpec(path=path)).read(CUSTOMERS, None))
        assert refused.value.code == code


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("email\nA\n")
    (tmp_path / "t.csv").chmod(0)
    with pytest.raises(ConfigurationError) as refused:
        list(source_of(tmp_path, FileSpec(path="t.csv")).read(CUSTOMERS, None))
    assert refused.value.code == "FILE_UNREADABLE"


def test_several_files_are_one_type_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in "cab":
        (tmp_path / f"part-{name}.csv").write_text(f"email,name\n{name}@b.example,x\n")
    (tmp_path / "extra.jsonl").write_text('{"email": "z@b.example"}\n')
    source = source_of(tmp_path, FileSpec(path="part-*.csv"), FileSpec(path="extra.jsonl"))
    given = [(item.source_id, item.origin) for item in source.read(CUSTOMERS, None)]
    assert given == [
        ("a@b.example", "part-a.csv:2"), ("b@b.example", "part-b.csv:2"), ("c@b.example", "part-c.csv:2"),
        ("z@b.example", "extra.jsonl:1"),
    ]  # fmt: skip


def test_files_with_different_id_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("email,name\nA,x\n")
    (tmp_path / "b.csv").write_text("code,name\nA,x\n")
    with pytest.raises(ConfigurationError, match="code, email"):
        list(source_of(tmp_path, FileSpec(path="*.csv")).read(CUSTOMERS, None))


def test_the_raw_text_of_a_bad_row_is_kept_within_bounds(read_file: Read) -> None:
    _, invalid = read_file("t.jsonl", b'{"email": "A"}\n{"x": "' + b"y" * 200_000 + b"\n", id_column="email")
    assert len(invalid[0].raw) == 65_536


def test_a_record_larger_than_the_setting_is_set_aside(read_file: Read) -> None:
    _, invalid = read_file("t.jsonl", b'{"email": "' + b"y" * 200_000 + b'"}\n', id_column="email", max_record_mb=0.1)
    assert [row.code for row in invalid] == ["RECORD_TOO_LARGE"]


def test_a_file_that_changes_while_it_is_read_is_no_clean_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("email,name\n" + "".join(f"{number}@b.example,x\n" for number in range(10)))
    reading = source_of(tmp_path, FileSpec(path="t.csv")).read(CUSTOMERS, None)
    next(reading)
    path.write_text("email,name\nother@b.example,x\n")
    with pytest.raises(TransientError, match="changed while they were read"):
        list(reading)


def test_a_damaged_row_makes_deletions_inconclusive(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("email,name\na@b.example,x\n")
    source = source_of(tmp_path, FileSpec(path="t.csv"))
    list(source.read(CUSTOMERS, None))
    assert source.conclusive(CUSTOMERS)
    path.write_text("email,name\na@b.example,x,y\nb@b.example,x\n")
    list(source.read(CUSTOMERS, None))
    assert not source.conclusive(CUSTOMERS)


@pytest.mark.parametrize("name", ["t.xls", "t.ods"])
def test_workbooks_of_other_programs_are_read_like_excels(tmp_path: Path, name: str) -> None:
    table = pandas.DataFrame([["a@b.example", 7, "Zoë"], ["c@d.example", 8, None]], columns=["email", "points", "name"])
    if name.endswith(".xls"):
        write_xls(tmp_path / name, table)
    else:
        table.to_excel(tmp_path / name, index=False, engine="odf")  # type: ignore[arg-type]
    source = FileSource(FilesSettings(files={CUSTOMERS: FileSpec(path=name)}), tmp_path)
    records = list(source.read(CUSTOMERS, None))
    assert [record.source_id for record in records] == ["a@b.example", "c@d.example"]
    assert isinstance(records[0], SourceRecord)
    assert records[0].payload == {"email": "a@b.example", "points": 7, "name": "Zoë"}


@pytest.mark.parametrize("name", ["t.xls", "t.ods"])
def test_something_else_named_as_a_workbook_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"email,name\na@b.example,Zoe\n")
    source = FileSource(FilesSettings(files={CUSTOMERS: FileSpec(path=name)}), tmp_path)
    with pytest.raises(ConfigurationError, match="workbook"):
        list(source.read(CUSTOMERS, None))


def test_check_says_of_every_file_whether_it_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("email,name\na@b.example,x\n")
    (tmp_path / "bad.csv").write_text("email,name\na@b.example\n")
    specs = [FileSpec(path=name) for name in ("good.csv", "bad.csv", "absent.csv")]
    results = source_of(tmp_path, *specs).check()
    assert [(result.name, result.ok) for result in results] == [
        ("source customers: good.csv", True), ("source customers: bad.csv", False),
        ("source customers: absent.csv", False),
    ]  # fmt: skip
    assert "line 2" in results[1].detail
    assert all(result.hint for result in results if not result.ok)


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    spec = FileSpec(path="t.csv")
    contradictions = [
        FilesSettings(),
        FilesSettings(magento_export=spec, files={ResourceType.PRODUCTS: spec}),
        FilesSettings(files={CUSTOMERS: FileSpec(path="t.csv", format="magento_export")}),
    ]
    for settings in contradictions:
        with pytest.raises(ConfigurationError):
            FileSource(settings, tmp_path)


def test_memory_stays_flat_while_rows_are_read(tmp_path: Path) -> None:
    import tracemalloc

    def peak(rows: int, name: str, line: Callable[[int], str], head: str = "", tail: str = "") -> int:
        (tmp_path / name).write_text(head + "".join(line(number) for number in range(rows)) + tail)
        reading: Iterator[SourceRecord | InvalidRow] = source_of(tmp_path, FileSpec(path=name, id_column="email")).read(
            CUSTOMERS, None
        )
        tracemalloc.start()
        assert sum(1 for _ in reading) == rows + bool(tail)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    kinds: list[tuple[str, Callable[[int], str], str, str]] = [
        ("t.csv", lambda number: f"{number}@b.example,{'x' * 400}\n", "email,name\n", ""),
        ("t.jsonl", lambda number: f'{{"email": "{number}", "x": "{"x" * 400}"}}\n', "", ""),
        ("t.json", lambda number: f'{{"email": "{number}", "x": "{"x" * 400}"}},\n', "[", '{"email": "last"}]'),
    ]
    for name, line, head, tail in kinds:
        assert peak(20_000, name, line, head, tail) <= 1.2 * peak(2_000, name, line, head, tail)

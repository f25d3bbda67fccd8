"""What reading a file gives: rows, and rows that cannot be used.

Only the two nouns and the words that all readers share; the readers are `csv_rows`,
`json_rows`, `excel_rows`, and `row_files` opens the right one.
"""

from dataclasses import dataclass, field

from graftport_dagster.records import InvalidRow, JsonObject

RAW_LIMIT = 65_536


@dataclass(slots=True)
class Row:
    """One row: its cells by column, and the physical line (or sheet row) where it begins."""

    line: int
    values: JsonObject
    raw: bytes = b""


@dataclass(slots=True)
class BadRow:
    """A row that cannot be used. `row_id`: its id, only where it can be trusted; `values`: cells, where they parsed."""

    line: int
    raw: bytes
    code: str
    reason: str
    hint: str = ""
    row_id: str = ""
    values: JsonObject = field(default_factory=dict)

    def as_invalid(self, file: str) -> InvalidRow:
        """As the pipeline takes it; the raw text is bounded to 64 KB."""
        return InvalidRow(
            raw=readable(self.raw), reason=self.reason, code=self.code, origin=f"{file}:{self.line}",
            source_id=self.row_id, hint=self.hint,
        )  # fmt: skip


def readable(raw: bytes) -> str:
    r"""At most 64 KB of text; bytes that are not UTF-8 are shown as \xNN, and NUL as \0."""
    return raw[:RAW_LIMIT].decode("utf-8", "backslashreplace").replace("\0", "\\0")


def text_id(value: object) -> str:
    """The id that a cell holds, "" where it holds none: text without the spaces around it, whole numbers as digits."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return ""

"""Rows of a CSV file, one at a time, where one damaged row costs that row alone.

Cells are parsed by the csv module in strict mode. What it has no notion of is here: the
physical line a row begins at, bytes that are not UTF-8, and above all a quote that is never
closed, which to a CSV parser turns the rest of the file into one cell.

Why recovery works as it does: after a damaged row, reading starts again at its second
physical line. A line is taken as a row only when it parses by the letter of RFC 4180 with
exactly the header's columns and an id. In a table of six columns or more that cannot happen
to a line of prose; in a narrower one it can, so there a recovered line without a quote waits
until two more fit as well (or a quoted one does, or one whose id looks like those before:
`A-9` for `MH-01`), and is otherwise part of the damage.
Until then a line belongs to the damaged row, unless it begins like a row of its own.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.sources.file_bytes import Lines, refusal
from graftport_dagster.sources.rows import BadRow, Row

_WIDE = 6
_SURE = 3
_SHAPES = 64
_SEPARATORS = (",", ";", "\t", "|")
_QUOTING_HINT = 'Write a quote inside a quoted cell twice ("") and close every quote, then export again.'


class _TooLongError(Exception):
    pass


@dataclass(slots=True)
class _Piece:
    """What one parse took: where it began, its bytes, its cells or why there are none."""

    line: int
    raw: bytes
    first: int  # length of the first physical line
    cells: list[str]
    error: str = ""  # end (of file inside quotes), quote, newline, overlong

    @property
    def many_lines(self) -> bool:
        return self.first < len(self.raw)


class CsvRows:
    """Iterates once over the rows of one CSV stream; `columns` is known after construction.

    Raises ConfigurationError for a header that cannot be used, no rows at all (NO_ROWS), or an end of
    file inside a quoted cell (FILE_TRUNCATED). `is_sound` turns False at the first row whose structure is
    damaged: its id may be misread, and at the end of the file rows may be missing behind it.
    """

    def __init__(self, stream: IO[bytes], path: Path, *, separator: str, limit: int) -> None:
        # The csv module's own limit of 128 KB a cell is one for the whole process; ours is `limit`.
        csv.field_size_limit(2**31 - 1)
        self._path = path
        self._limit = limit
        self._lines = Lines(stream, limit)
        self._feed = _Feed(self._lines, limit)
        self.is_sound = True
        header = self._parse_header(separator)
        self.columns = _checked_columns(path, [name.strip() for name in header])
        self.id_column = self.columns[0]
        self._is_narrow = len(self.columns) < _WIDE
        self._spaced_ids = False
        self._shapes: set[str] = set()

    def _parse_header(self, separator: str) -> list[str]:
        first = b""
        while not first.strip():
            first = self._lines.next()
            if not first:
                raise refusal(self._path, "The file has no text in it.", "FILE_EMPTY", "Export it again.")
        if self._lines.overlong:
            raise refusal(self._path, "Its first line is too long for a row of column names.", "FILE_NOT_ROWS")
        self._lines.back(first, self._lines.number - 1)
        self.separator = separator or _separator_of(first.decode("utf-8", "replace"))
        self._reader = csv.reader(self._feed, strict=True, delimiter=self.separator)
        piece = self._parse()
        if piece is None or piece.error:
            raise refusal(self._path, "Its first line is not a row of column names.", "FILE_NOT_ROWS", _QUOTING_HINT)
        return piece.cells

    def identify_by(self, column: str) -> None:
        """Names the column of ids, which tells rows from prose when a damaged row is got over."""
        self.id_column = column

    def __iter__(self) -> Iterator[Row | BadRow]:
        rows = self._rows()
        first = next(rows, None)
        if first is None:
            raise refusal(
                self._path, "The file has column names but no rows.", "NO_ROWS",
                "Export it again: an empty export would say that the whole shop is gone.",
            )  # fmt: skip
        return chain((first,), rows)

    def _rows(self) -> Iterator[Row | BadRow]:
        self._prepare()
        width = len(self.columns)
        while (piece := self._parse()) is not None:
            if not piece.error and len(piece.cells) == width and not (piece.many_lines and self._has_swallowed(piece)):
                row = self._row(piece)
                if row is not None:
                    yield row
            elif piece.cells or piece.error:
                yield from self._recover(piece)

    def _prepare(self) -> None:
        sep = re.escape(self.separator)
        cell = rf'(?:"[^"]*(?:""[^"]*)*"|[^"\r\n{sep}]*)'
        before = f"(?:{cell}{sep})" + f"{{{self.columns.index(self.id_column)}}}"
        width = len(self.columns)
        self._strict = re.compile(f"{cell}(?:{sep}{cell}){{{width - 1}}}(?:\r?\n|\r)?")
        self._id_cell = re.compile(f"{before}({cell})(?={sep}|[\r\n]|$)")
        self._id_at = self.columns.index(self.id_column)

    def _parse(self) -> _Piece | None:
        feed = self._feed
        feed.begin()
        error = ""
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except _TooLongError:
            cells, error = [], "quote"
        except csv.Error as problem:
            cells, error = [], _kind_of(str(problem))
        line = self._lines.number - feed.count + 1
        if feed.overlong:
            error = "overlong"
        return _Piece(line, bytes(feed.raw), feed.first, cells, error)

    def _row(self, piece: _Piece) -> Row | BadRow | None:
        values = dict(zip(self.columns, piece.cells, strict=True))
        row_id = values[self.id_column].strip()
        if '"' in row_id and not self._id_in(piece.raw.decode("utf-8", "surrogateescape")):
            return self._bad(piece, "BROKEN_QUOTING", f"A quote is missing around {self.id_column}.", _QUOTING_HINT, "")
        trusted = row_id if row_id.isprintable() else ""
        if b"\0" in piece.raw:
            return self._bad(piece, "NUL_BYTE", "The row has NUL bytes in it.", "Export it again.", trusted, values)
        if not piece.raw.isascii() and not _is_utf8(piece.raw):
            return self._bad(
                piece, "NOT_UTF8", "The row has bytes that are not text in the file's encoding.",
                "Save the file as UTF-8, or declare its encoding (`encoding: cp1252`).", trusted, values,
            )  # fmt: skip
        if not row_id and not any(piece.cells):
            return None
        if " " in row_id:
            self._spaced_ids = True
        if len(self._shapes) < _SHAPES:
            self._shapes.add(_shape_of(row_id))
        return Row(piece.line, values, piece.raw)

    def _bad(
        self, piece: _Piece, code: str, reason: str, hint: str, row_id: str, values: dict[str, str] | None = None
    ) -> BadRow:
        return BadRow(piece.line, piece.raw, code, reason, hint, row_id, values or {})

    # --- getting over a damaged row ---------------------------------------------------------------

    def _has_swallowed(self, piece: _Piece) -> bool:
        """Whether a row of several lines is several rows with a quote missing in one of them.

        It is when a quote stands in an unquoted cell, when its id has a line end, or when, in a table wide
        enough to tell, one of its lines is a whole row.
        """
        text = piece.raw.decode("utf-8", "surrogateescape")
        if "\n" in piece.cells[self._id_at].strip() or not self._strict.fullmatch(text):
            return True
        if self._is_narrow:
            return False
        separators = len(self.columns) - 1
        lines = piece.raw[piece.first :].splitlines()
        sep = self.separator.encode()
        return any(line.count(sep) >= separators and self._is_plausible(line) for line in lines)

    def _is_plausible(self, raw: bytes) -> bool:
        text = raw.decode("utf-8", "surrogateescape")
        return bool(self._strict.fullmatch(text)) and self._seems_id(self._id_in(text))

    def _id_in(self, text: str) -> str:
        found = self._id_cell.match(text)
        if not found:
            return ""
        cell = found[1]
        return cell[1:-1].replace('""', '"').strip() if cell.startswith('"') else cell.strip()

    def _seems_id(self, value: str) -> bool:
        if not value or len(value) > 255 or not value.isprintable() or not _is_clean(value) or set(value) & set('"<>'):
            return False
        return self._spaced_ids or " " not in value

    def _recover(self, piece: _Piece) -> Iterator[Row | BadRow]:
        self.is_sound = False
        ran_to_the_end = piece.error == "end"
        damaged = self._damaged(piece, in_doubt=False)
        held: list[Row | BadRow] = []
        texts: list[bytes] = []
        while (piece_ := self._parse()) is not None:
            ran_to_the_end = ran_to_the_end or piece_.error == "end"
            if not piece_.error and not piece_.cells:
                continue
            row = self._recovered(piece_)
            if row is not None:
                held.append(row)
                texts.append(piece_.raw)
                if self._is_surely_row(piece_) or len(held) == _SURE:
                    yield damaged
                    yield from held
                    return
                continue
            damaged.raw += b"".join(texts)
            held, texts = [], []
            follower = self._damaged(piece_, in_doubt=True)
            if self._begins_like_a_row(follower.raw):
                yield damaged
                damaged = follower
            else:
                damaged.raw += follower.raw
        if ran_to_the_end and not self._feed.last_ends_line:
            raise refusal(
                self._path, f"The file ends inside a quoted cell (line {damaged.line}): it is cut off.",
                "FILE_TRUNCATED", "Fetch or export it again, whole.",
            )  # fmt: skip
        yield damaged
        yield from held

    def _recovered(self, piece: _Piece) -> Row | BadRow | None:
        if piece.error or len(piece.cells) != len(self.columns) or not self._is_plausible(piece.raw):
            return None
        return None if piece.many_lines and self._has_swallowed(piece) else self._row(piece)

    def _is_surely_row(self, piece: _Piece) -> bool:
        """Whether a line that parses as a row is no prose: many columns, a quoted cell, or an id of a known shape."""
        if not self._is_narrow or b'"' in piece.raw:
            return True
        return self._has_known_shape(piece.cells[self._id_at])

    def _has_known_shape(self, row_id: str) -> bool:
        shape = _shape_of(row_id.strip())
        return shape in self._shapes and "9" in shape and len(shape) > 1

    def _damaged(self, piece: _Piece, *, in_doubt: bool) -> BadRow:
        """The bad row of a damaged piece: its first line; the lines behind it are given back to be read again."""
        if piece.many_lines:
            self._lines.back(piece.raw[piece.first :], piece.line)
        first = piece.raw[: piece.first]
        row_id = self._id_in(first.decode("utf-8", "surrogateescape"))
        count = len(piece.cells)
        counted = not piece.error and not piece.many_lines
        if not self._seems_id(row_id) or (counted and self._id_at) or (in_doubt and self._is_narrow):
            row_id = ""
        code, reason, hint = "BROKEN_QUOTING", "A quote is missing or stands where none may be.", _QUOTING_HINT
        if piece.error == "overlong":
            code, reason = "RECORD_TOO_LARGE", f"The row is larger than {self._limit / 2**20:g} MB."
            hint = "Raise `max_record_mb`, or look for what made it so large."
        elif piece.error == "newline":
            code, reason, hint = "STRAY_LINE_END", "A carriage return stands inside an unquoted cell.", _QUOTING_HINT
        elif counted:
            code, reason = "COLUMN_COUNT", f"The row has {count} columns, the header {len(self.columns)}."
            hint = "Look for a separator or line end that should stand in quotes, or a missing one."
            if not first.endswith((b"\n", b"\r")) and count < len(self.columns):
                reason += " The file ends here without a line end: it may be cut off."
        return BadRow(piece.line, first, code, reason, hint, row_id)

    def _begins_like_a_row(self, first: bytes) -> bool:
        text = first.decode("utf-8", "surrogateescape")
        if self._seems_id(self._id_in(text)):
            return True
        return not self._id_at and self._has_known_shape(text.split(self.separator)[0].strip(' "'))


class _Feed:
    """Hands lines to the csv module and remembers what it took for the present row."""

    def __init__(self, lines: Lines, limit: int) -> None:
        self._lines = lines
        self._limit = limit
        self.last_ends_line = True
        self.begin()

    def begin(self) -> None:
        self.raw = b""
        self._rest: bytearray | None = None
        self.first = 0
        self.count = 0
        self.overlong = False

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._lines.next()
        if not line:
            raise StopIteration
        self.count += 1
        if self.count == 1:
            self.raw = line
            self.first = len(line)
        else:
            if self._rest is None:
                self._rest = bytearray(self.raw)
            self._rest += line
            self.raw = self._rest  # type: ignore[assignment]  # copied to bytes when the row is whole
        self.last_ends_line = line[-1:] in b"\r\n"
        self.overlong = self.overlong or self._lines.overlong
        if self.overlong or len(self.raw) > self._limit:
            raise _TooLongError
        return line.decode("utf-8", "surrogateescape")


def _kind_of(message: str) -> str:
    if "end of data" in message:
        return "end"
    return "newline" if "new-line" in message else "quote"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_clean(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shape_of(row_id: str) -> str:
    """`MH01-XS` as `A9-A`."""
    return re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "9", row_id))


def _separator_of(header: str) -> str:
    """The separator that stands most often outside quotes in the header line."""
    outside = re.sub(r'"[^"]*"', "", header)
    best = max(_SEPARATORS, key=outside.count)
    return best if best in outside else ","


def _checked_columns(path: Path, columns: list[str]) -> list[str]:
    empty = [str(place) for place, name in enumerate(columns, 1) if not name]
    if empty:
        raise _header_refusal(path, f"Column {', '.join(empty)} of the header has no name.")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise _header_refusal(path, f"The header names {', '.join(twice)} more than once.")
    odd = [name for name in columns if not name.isprintable() or not _is_clean(name)]
    if odd:
        raise refusal(path, "Its first line is not a row of column names.", "FILE_NOT_ROWS")
    return columns


def _header_refusal(path: Path, message: str) -> ConfigurationError:
    return refusal(path, message, "HEADER", "Give every column a name of its own.")

"""Rows of JSON files: one object a line (JSONL), or one array of objects, both read as a stream.

In an array the end of each element is found by its brackets before it is parsed, so that an
element that is not JSON costs itself alone; where its brackets or quotes are what is broken,
reading goes on at the next object that parses. Nothing here knows of ids or columns.
"""

import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO

import orjson

from graftport_dagster.sources.file_bytes import Lines, refusal
from graftport_dagster.sources.rows import BadRow, Row

_BLOCK = 1 << 18
_TRIES = 1000
_JSON_HINT = "Export the row again as JSON (UTF-8, double quotes, no trailing commas, no NaN)."
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
# Everything up to the next bracket, which is group 1; a quote there opens a string without an end.
_TOKEN = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]"]?)', re.DOTALL)
_NEXT_OBJECT = re.compile(rb"\}\s*,\s*(?=\{)")
_END = re.compile(rb"\}\s*(\])[\s\}]*\Z")
_SCALAR_END = re.compile(rb"[,\]}\s]")
_SPACE = re.compile(rb"[ \t\r\n]*")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def jsonl_rows(stream: IO[bytes], path: Path, limit: int) -> Iterator[Row | BadRow]:
    """One object a line; blank lines are no rows. Raises ConfigurationError (NO_ROWS) where there is none."""
    rows = _jsonl(stream, limit)
    first = next(rows, None)
    if first is None:
        raise refusal(path, "The file has no rows.", "NO_ROWS", "Export it again: an empty export is no shop.")
    return chain((first,), rows)


def _jsonl(stream: IO[bytes], limit: int) -> Iterator[Row | BadRow]:
    lines = Lines(stream, limit)
    loads = orjson.loads
    while line := lines.next():
        if lines.overlong:
            yield _too_large(lines.number, line, limit)
            continue
        try:
            value = loads(line)
        except orjson.JSONDecodeError:
            if line.strip():
                yield not_json(lines.number, line)
            continue
        if type(value) is dict:
            yield Row(lines.number, value, line)
        else:
            yield _not_an_object(lines.number, line)


def not_json(line: int, raw: bytes) -> BadRow:
    """The bad row of text that orjson refuses, with the most telling of its reasons."""
    try:
        json.loads(raw, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return BadRow(line, raw, "NOT_UTF8", "The row has bytes that are not UTF-8.", "Save the file as UTF-8.")
    except _ConstantError as error:
        return BadRow(line, raw, "NOT_A_NUMBER", f"{error} is not a JSON number.", _JSON_HINT)
    except json.JSONDecodeError as error:
        return BadRow(line, raw, "NOT_JSON", f"Not JSON: {error.msg} at character {error.pos + 1}.", _JSON_HINT)
    except RecursionError:
        return BadRow(line, raw, "NOT_JSON", "Nested too deeply.", "Export the row flatter.")
    if _SURROGATE.search(raw):
        reason = "The row has half a character (a lone surrogate, \\uD800–\\uDFFF)."
        return BadRow(line, raw, "LONE_SURROGATE", reason, "Export the row again; emoji are two such halves together.")
    return BadRow(line, raw, "NOT_JSON", "Not JSON by the letter of RFC 8259.", _JSON_HINT)


class _ConstantError(ValueError):
    pass


def _refuse_constant(name: str) -> object:
    raise _ConstantError(name)


def _not_an_object(line: int, raw: bytes) -> BadRow:
    return BadRow(line, raw, "NOT_AN_OBJECT", "The row is JSON, but not an object of columns.", "Export rows as {…}.")


def _too_large(line: int, raw: bytes, limit: int) -> BadRow:
    reason = f"The row is larger than {limit / 2**20:g} MB."
    return BadRow(line, raw, "RECORD_TOO_LARGE", reason, "Raise `max_record_mb`, or look for what made it so large.")


class JsonArrayRows:
    """Iterates once over an array of objects: the whole file, or the one array in its top object.

    Raises ConfigurationError: NOT_JSON, NO_ROWS, FILE_TRUNCATED where the array does not end.
    """

    def __init__(self, stream: IO[bytes], path: Path, limit: int) -> None:
        self._stream = stream
        self._path = path
        self._limit = limit
        self._data = b""
        self._at = 0
        self._line = 1
        self._whole = False

    def __iter__(self) -> Iterator[Row | BadRow]:
        wrapped = self._enter_array()
        if self._peek() == b"]":
            raise refusal(
                self._path, "The array has no rows.", "NO_ROWS", "Export it again: an empty export is no shop."
            )
        while True:
            yield self._element()
            end = self._peek()
            if end not in (b",", b"]"):
                raise self._truncated() if not end else self._odd("between two rows")
            self._move(self._at + 1)
            if end == b"]":
                break
        self._leave(wrapped=wrapped)

    def _enter_array(self) -> bool:
        if self._peek() == b"[":
            self._move(self._at + 1)
            return False
        if self._peek() != b"{":
            raise self._odd("at its beginning")
        self._move(self._at + 1)
        while True:
            self._key()
            if self._peek() == b"[":
                self._move(self._at + 1)
                return True
            self._skip_value()
            if self._peek() != b",":
                raise refusal(self._path, "The object in the file has no array of rows.", "NO_ROWS", _JSON_HINT)
            self._move(self._at + 1)

    def _key(self) -> None:
        if self._peek() != b'"':
            raise self._odd("where a name should be")
        self._skip_value()
        if self._peek() != b":":
            raise self._odd("behind a name")
        self._move(self._at + 1)

    def _skip_value(self) -> None:
        end = self._end_of_value()
        if end < 0:
            raise self._truncated()
        self._move(end)

    def _leave(self, *, wrapped: bool) -> None:
        while wrapped and (mark := self._peek()) != b"}":
            if mark != b",":
                raise self._truncated() if not mark else self._odd("behind the rows")
            self._move(self._at + 1)
            self._key()
            if self._peek() == b"[":
                raise refusal(
                    self._path, f"The object holds a second array (line {self._line}).", "NOT_JSON",
                    "Give a file with one array of rows.",
                )  # fmt: skip
            self._skip_value()
        self._move(self._at + wrapped)
        if self._peek():
            raise self._odd("behind the end")

    def _element(self) -> Row | BadRow:
        if not self._peek():
            raise self._truncated()
        line = self._line
        end = self._end_of_value()
        if end < 0:
            return self._resume(line)
        raw = self._data[self._at : end]
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError:
            bad = not_json(line, raw)
            if bad.code == "NOT_JSON" and not self._is_followed(len(raw)):
                return self._resume(line)
            self._move(self._at + len(raw))
            return bad
        self._move(end)
        if len(raw) > self._limit:
            return _too_large(line, raw, self._limit)
        return Row(line, value, raw) if type(value) is dict else _not_an_object(line, raw)

    def _is_followed(self, size: int) -> bool:
        """Whether a comma or the array's end stands behind an element of that size, so that its brackets are right."""
        while True:
            found = _SPACE.match(self._data, self._at + size)
            place = found.end() if found else len(self._data)
            if place < len(self._data) or not self._more():
                return self._data[place : place + 1] in (b",", b"]")

    def _resume(self, line: int) -> BadRow:
        """The bad row of an element whose brackets or quotes do not match; moves to the next object that parses."""
        while len(self._data) - self._at <= self._limit and self._more():
            pass
        start = self._at
        for found in islice(_NEXT_OBJECT.finditer(self._data, start), _TRIES):
            end, _ = self._scan(found.end())
            if end >= 0 and _parses(self._data[found.end() : end]):
                raw = self._data[start : found.start() + 1]
                self._move(self._data.index(b",", found.start()))
                return not_json(line, raw)
        closing = _END.search(self._data, start) if self._whole else None
        if closing is None:
            raise self._truncated()
        raw = self._data[start : closing.start(1)]
        self._move(closing.start(1))
        return not_json(line, raw)

    def _end_of_value(self) -> int:
        """Where the value at the present place ends in `_data`; -1 where brackets or quotes do not match."""
        self._peek()
        if self._data[self._at : self._at + 1] not in (b"{", b"[", b'"'):
            return self._end_of_scalar()
        while True:
            end, open_ended = self._scan(self._at)
            if end >= 0 or not open_ended:
                return end
            if self._whole or len(self._data) - self._at > self._limit + _BLOCK or not self._more():
                return -1

    def _scan(self, place: int) -> tuple[int, bool]:
        """(end, False) of the bracketed or quoted value at that place, or (-1, whether more data may help)."""
        if self._data[place : place + 1] == b'"':
            found = _STRING.match(self._data, place)
            return (found.end(), False) if found else (-1, True)
        depth = 0
        while True:
            token = _TOKEN.match(self._data, place)
            mark = token[1] if token else b""
            if not token or mark in (b"", b'"'):
                return -1, True  # the data, or a string in it, has not been read to its end
            place = token.end()
            depth += 1 if mark in (b"{", b"[") else -1
            if depth <= 0:
                return (place, False) if depth == 0 else (-1, False)

    def _end_of_scalar(self) -> int:
        while not (found := _SCALAR_END.search(self._data, self._at)) and self._more():
            pass
        return found.start() if found else len(self._data)

    def _peek(self) -> bytes:
        """The next byte that is no space, b"" at the end; moves there."""
        while True:
            found = _SPACE.match(self._data, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._data) or not self._more():
                return self._data[self._at : self._at + 1]

    def _move(self, place: int) -> None:
        self._line += self._data.count(b"\n", self._at, place)
        self._at = place

    def _more(self) -> bool:
        """Reads on, dropping what was passed; whether there was anything.

        Twice as much as is kept, so that one large element is not scanned over and over.
        """
        block = b"" if self._whole else self._stream.read(max(_BLOCK, len(self._data) - self._at))
        if not block:
            self._whole = True
            return False
        self._data = self._data[self._at :] + block
        self._at = 0
        return True

    def _truncated(self) -> Exception:
        return refusal(
            self._path, f"The JSON array does not end: the file is cut off near line {self._line}.", "FILE_TRUNCATED",
            "Fetch or export it again, whole.",
        )  # fmt: skip

    def _odd(self, where: str) -> Exception:
        if not self._peek():
            return self._truncated()
        return refusal(
            self._path, f"Not a JSON array of rows: something unexpected {where} (line {self._line}).", "NOT_JSON",
            _JSON_HINT,
        )  # fmt: skip


def _parses(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True

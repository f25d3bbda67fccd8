"""The bytes of one source file: opened, unpacked, made UTF-8, cut into numbered lines.

Whole-file refusals that need no knowledge of rows are made here (absent, a folder, empty,
unreadable, packed data that ends early, pictures and other binary files). What rows are is in
`csv_rows`, `json_rows` and `excel_rows`.
"""

import codecs
import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO

from graftport_dagster.errors import ConfigurationError

_SAMPLE = 65_536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_FOREIGN = (
    (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"), (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"), (b"SQLite format 3", "a database"),
    (b"PK\x03\x04", "an Excel workbook or another zip archive"), (b"\x7fELF", "a program"), (b"RIFF", "a media file"),
)  # fmt: skip
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_UTF8_NAMES = frozenset({"", "utf-8", "utf8", "utf-8-sig", "utf_8", "ascii", "us-ascii"})


def refusal(path: Path, message: str, code: str, hint: str = "") -> ConfigurationError:
    """The error that refuses a whole file."""
    return ConfigurationError(message, code=code, path=path.name, hint=hint)


def check_file(path: Path) -> None:
    """Raises ConfigurationError where the file is absent, a folder, unreadable or has no bytes."""
    try:
        with path.open("rb") as stream:
            first = stream.read(1)
    except FileNotFoundError:
        raise refusal(
            path, "There is no such file.", "FILE_ABSENT", f"Put it at {path}, or correct the path."
        ) from None
    except IsADirectoryError:
        raise refusal(path, "This is a folder, not a file.", "FILE_IS_FOLDER", "Name the file in it.") from None
    except PermissionError:
        raise refusal(path, "This user may not read the file.", "FILE_UNREADABLE", "Allow reading it.") from None
    except OSError as error:
        raise refusal(path, f"The file cannot be read: {error.strerror}.", "FILE_UNREADABLE") from error
    if not first:
        raise refusal(
            path, "The file is empty (0 bytes).", "FILE_EMPTY", "Export it again: an empty export is no shop."
        )


def unpacked_name(path: Path) -> Path:
    """The file's name without `.gz` or `.zip`."""
    return path.with_suffix("") if path.suffix.lower() in {".gz", ".zip"} else path


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where it is `.gz` or a `.zip` of one file.

    Packed data that ends early or is damaged raises ConfigurationError (FILE_TRUNCATED), whenever it is met;
    so does text that the encoding cannot be (ENCODING).
    """
    check_file(path)
    kind = path.suffix.lower()
    try:
        if kind == ".gz":
            with gzip.open(path, "rb") as stream:
                yield io.BufferedReader(stream)
        elif kind == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as member:
                yield member
        else:
            with path.open("rb") as stream:
                yield stream
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise refusal(
            path, f"The packed file is cut off or damaged ({error}).", "FILE_TRUNCATED", "Fetch it again, whole."
        ) from error
    except UnicodeError as error:
        raise refusal(path, f"The text is not in its encoding: {error}.", "ENCODING", "Declare `encoding`.") from error


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith(("__MACOSX/", "."))]
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:5]) or "none"
        raise refusal(path, f"The archive must hold one file; it holds {names}.", "FILE_NOT_ROWS")
    if members[0].compress_type not in _PACKINGS:
        raise refusal(path, "The archive is packed in an unusual way.", "FILE_UNREADABLE", "Unpack it first.")
    if members[0].flag_bits & 0x1:
        raise refusal(path, "The archive is locked with a password.", "FILE_UNREADABLE", "Unpack it first.")
    return members[0]


def sample_of(path: Path) -> bytes:
    """The first 64 KB, unpacked. Raises ConfigurationError for what is no text at all."""
    with open_bytes(path) as stream:
        sample = stream.read(_SAMPLE)
    if not sample:
        raise refusal(path, "The file is empty.", "FILE_EMPTY", "Export it again: an empty export is no shop.")
    return sample


def refuse_foreign(path: Path, sample: bytes) -> None:
    """Raises ConfigurationError (FILE_NOT_ROWS) where the content is a picture, a workbook or a web page."""
    head = sample.lstrip()[:200].lower()
    what = next((name for magic, name in _FOREIGN if sample.startswith(magic)), "")
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        what = "a web page or XML"
    if not what and not any(sample.startswith(bom) for bom, _ in _BOMS):
        controls = sum(sample.count(bytes([code])) for code in range(9))
        what = "binary data" if controls > len(sample) * 0.02 + 8 else ""
    if what:
        raise refusal(
            path, f"The file holds {what}, not rows of text.", "FILE_NOT_ROWS",
            "Export it as CSV or JSON, or give a workbook the ending .xlsx.",
        )  # fmt: skip


def encoding_of(path: Path, sample: bytes, declared: str) -> str:
    """The encoding: declared, told by a byte order mark, or UTF-8. Raises ConfigurationError for an unknown name."""
    if declared:
        try:
            return "utf-8" if declared.lower() in _UTF8_NAMES else codecs.lookup(declared).name
        except LookupError:
            raise refusal(path, f"There is no encoding {declared}.", "ENCODING", "Try cp1252 or utf-8.") from None
    return next((name for bom, name in _BOMS if sample.startswith(bom)), "utf-8")


def as_utf8(stream: IO[bytes], encoding: str) -> IO[bytes]:
    """The same text as UTF-8 bytes without a byte order mark.

    What the encoding cannot read becomes bytes that are not UTF-8 either, so that only its own row is refused.
    """
    if encoding != "utf-8":
        return io.BufferedReader(_Transcoded(stream, encoding), _SAMPLE)
    buffered = stream if hasattr(stream, "peek") else io.BufferedReader(stream)  # type: ignore[type-var]
    if buffered.peek(3)[:3] == codecs.BOM_UTF8:
        buffered.read(3)
    return buffered


def _mark_bad(error: UnicodeError) -> tuple[str, int]:
    """Half a character for what cannot be decoded: as UTF-8 it is invalid, so that its row, and only it, is refused."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


_MARK_BAD = "graftport.mark_bad"
codecs.register_error(_MARK_BAD, _mark_bad)


class _Transcoded(io.RawIOBase):
    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_MARK_BAD)
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than Buffer
        while not self._ready:
            block = self._stream.read(_SAMPLE)
            self._ready = self._decoder.decode(block, final=not block).encode("utf-8", "surrogatepass")
            if not block:
                break
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


class UnixLineEnds(io.RawIOBase):
    """The same bytes with every carriage return as a line feed, for files of the old Macintosh kind."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than Buffer
        """Fills the buffer from the stream."""
        data = self._stream.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(data)] = data
        return len(data)


class Lines:
    """Physical lines with their numbers, and a way back.

    A line longer than `limit` bytes is given cut off there, and `overlong` is set.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._again = io.BytesIO()
        self._limit = limit
        self.number = 0
        self.overlong = False

    def next(self) -> bytes:
        """The next line with its end; b"" when there is none."""
        line = self._again.readline(self._limit)
        if not line:
            if self._again.tell():
                self._again = io.BytesIO()
            line = self._stream.readline(self._limit)
        if line:
            self.number += 1
            self.overlong = len(line) == self._limit and line[-1:] != b"\n"
            if self.overlong:
                self._skip_rest()
                line += b"\n"
        return line

    def _skip_rest(self) -> None:
        while (rest := self._again.readline(_SAMPLE) or self._stream.readline(_SAMPLE)) and rest[-1:] != b"\n":
            pass

    def back(self, data: bytes, number: int) -> None:
        """Gives `data`, the last whole lines that `next` gave, once more; `number`: that of the line before them."""
        if self._again.tell() >= len(data):
            self._again.seek(-len(data), io.SEEK_CUR)
        else:
            self._again = io.BytesIO(data + self._again.read())
        self.number = number


def modified_at(path: Path) -> datetime:
    """The file's modified time, in UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def sha256_of(path: Path) -> str:
    """The checksum of the content; read again only when the file's times, size or place on disk changed."""
    check_file(path)
    status = path.stat()
    return _sha256(str(path), status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=256)
def _sha256(path: str, *_identity: int) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

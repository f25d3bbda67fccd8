"""What a file server's answers mean: refusals, names, tags, packed content, web pages in a file's place.

Asking, and asking again, is in `web_files`.
"""

import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import requests

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    FileTooLargeError,
    GraftportError,
    RemoteFaultError,
    RemoteTimeoutError,
    ThrottledError,
    UnreachableError,
)
from graftport_dagster.sources.source import Freshness

_PIECE = 1 << 18
_KNOWN = re.compile(r"\.(csv|tsv|tab|txt|jsonl|ndjson|json|xlsx|xlsm|xls|ods)(\.gz|\.zip)?$", re.IGNORECASE)
_FILENAME = re.compile(r"filename\*?=(?:UTF-8''|\")?([^\";]+)", re.IGNORECASE)
_UNPACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def shown(address: str) -> str:
    """Host and path: what stands behind them may be a token."""
    parts = urlsplit(address)
    return f"{parts.hostname}{parts.path}"


def raise_for(response: requests.Response, address: str) -> None:
    """Raises what an answer without a file means."""
    status = response.status_code
    if status in (200, 206):
        return
    raise _refusal(status, f"{shown(address)} answered {status} {response.reason or ''}".rstrip() + ".", response)


def _refusal(status: int, told: str, response: requests.Response) -> GraftportError:
    later = _retry_after(response)
    if status == 429:
        return ThrottledError(told, code="SOURCE_THROTTLED", retry_after=later)
    if status == 408 or status >= 500:
        return RemoteFaultError(told, code="SOURCE_FAULT", retry_after=later, hint="Look at the server's own log.")
    if status == 401:
        hint = "Give user and password, or token, of the file."
        return CredentialsError(told, code="SOURCE_UNAUTHORIZED", hint=hint)
    if status == 403:
        hint = "The credentials may not read it, or a signed address has run out."
        return CredentialsError(told, code="SOURCE_FORBIDDEN", hint=hint)
    if status in (404, 410):
        return ConfigurationError(told, code="FILE_ABSENT", hint="Put the file there, or correct the path.")
    return ConfigurationError(told, code="SOURCE_REFUSED", hint="Try the address in a browser.")


def _retry_after(response: requests.Response) -> float:
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def broken(error: Exception, address: str) -> GraftportError:
    """What it means that no whole answer came."""
    words = _words(error)
    said = repr(error)
    if isinstance(error, requests.exceptions.SSLError) or "SSLError" in said:
        return UnreachableError(f"No encrypted connection to {shown(address)}: {words}.", code="TLS_FAILED")
    if isinstance(error, requests.exceptions.Timeout | TimeoutError) or "timed out" in words:
        return RemoteTimeoutError(f"{shown(address)} did not answer in time.")
    if "NameResolution" in said:
        return UnreachableError(
            f"The name {urlsplit(address).hostname} does not resolve.", code="NAME_NOT_RESOLVED",
            hint="Check the address and this machine's DNS.",
        )  # fmt: skip
    if "NewConnection" in said:
        return UnreachableError(f"{shown(address)} refused the connection: {words}.", code="CONNECTION_REFUSED")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return ConfigurationError(f"{shown(address)} is no address of a file.", code="FILE_ADDRESS")
    return RemoteFaultError(f"The connection to {shown(address)} broke before the file was whole.", code="ANSWER_LOST")


def _words(error: BaseException) -> str:
    """The innermost cause in the operating system's own words."""
    inner: BaseException = error
    while following := inner.__cause__ or inner.__context__:
        inner = following
    return str(getattr(inner, "strerror", None) or inner)[:200]


def part_sent(response: requests.Response) -> tuple[int, int | None]:
    """Where the part that was sent begins, -1 where it is not said; how long the whole is, None likewise."""
    found = re.match(r"bytes (\d+)-\d+/(\d+)?", response.headers.get("content-range", ""))
    if found is None:
        return -1, None
    return int(found[1]), int(found[2]) if found[2] else None


def token_of(headers: Mapping[str, str]) -> Freshness | None:
    """The tag, else the time; None where the server tells neither.

    A server marks a tag as weak, or adds how it packed the answer, for one and the same file.
    """
    changed = None
    with suppress(TypeError, ValueError):
        changed = parsedate_to_datetime(headers.get("last-modified", "")).replace(tzinfo=UTC)
    written = headers.get("etag", "")
    if etag := written.removeprefix("W/").strip('"').removesuffix("-gzip").removesuffix(";gzip"):
        return Freshness(etag, "etag", changed, written)
    return Freshness(changed.isoformat(), "last-modified", changed) if changed else None


def decoded(path: Path, encoding: str, limit: int, name: str) -> Path:
    """The file without the packing of its transport, in which some servers send even what was not asked for so."""
    packings = [word for part in encoding.lower().split(",") if (word := part.strip()) not in ("", "identity")]
    for packing in reversed(packings):
        if packing not in _UNPACKED:
            raise ConfigurationError(
                f"{name} comes packed as {packing}.", code="CONTENT_ENCODING",
                hint="Let the server send it as it is, or as .gz.",
            )  # fmt: skip
        path = _unpacked(path, _UNPACKED[packing], limit, name)
    return path


def _unpacked(path: Path, window: int, limit: int, name: str) -> Path:
    target = path.with_suffix(".plain")
    size = 0
    unpacker = zlib.decompressobj(window)
    try:
        with path.open("rb") as packed, target.open("wb") as plain:
            while piece := packed.read(_PIECE):
                # A few packed bytes may become more than a disk holds: never more than a piece at once.
                while piece:
                    if unpacker.eof:
                        # Packed in portions, one behind the other.
                        unpacker = zlib.decompressobj(window)
                    data = unpacker.decompress(piece, _PIECE)
                    piece = unpacker.unconsumed_tail or unpacker.unused_data
                    size += plain.write(data)
                    if size > limit:
                        raise FileTooLargeError(
                            f"{name} is larger than {limit / 2**20:g} MB once unpacked.",
                            hint="Raise source.max_download_mb, or split the file.",
                        )  # fmt: skip
            size += plain.write(unpacker.flush())
    except zlib.error as error:
        raise RemoteFaultError(f"The packed answer of {name} is damaged: {error}.", code="FILE_TRUNCATED") from error
    if not unpacker.eof:
        raise RemoteFaultError(f"The packed answer of {name} ends early.", code="FILE_TRUNCATED")
    path.unlink()
    return target.replace(path)


def is_web_page(path: Path) -> bool:
    """Whether a page of HTML stands where a file should, whatever its content type says."""
    with path.open("rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def settled_name(path: Path, name: str, headers: Mapping[str, str]) -> str:
    """A name whose ending says what the file is: the address's, else the server's, and true to the content."""
    if not _KNOWN.search(name) and (given := _FILENAME.search(headers.get("content-disposition", ""))):
        name = PurePosixPath(given[1].replace("\\", "/")).name if _KNOWN.search(given[1]) else name
    name = re.sub(r"[^\w.@ -]", "_", name).strip(". ")[:100] or "file"
    with path.open("rb") as file:
        head = file.read(4096)
    is_packed = head.startswith(b"\x1f\x8b")
    if name.lower().endswith(".gz"):
        return name if is_packed else name[:-3]
    if is_packed:
        return f"{name}.gz"
    if head.startswith(b"PK\x03\x04") and not _KNOWN.search(name):
        return f"{name}.xlsx" if b"[Content_Types].xml" in head or b"xl/" in head else f"{name}.zip"
    return name


__all__ = ["broken", "decoded", "is_web_page", "part_sent", "raise_for", "settled_name", "shown", "token_of"]

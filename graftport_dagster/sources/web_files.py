"""Files behind http(s) addresses, fetched whole into a private folder that goes with the source.

What is here: asking, resuming, following redirects without giving credentials to strangers, limits,
and how one knows that a file changed without fetching it. What the rows of a fetched file are is
the business of `row_files`, as for any other file. A message names host and path, never the query
behind the `?`, which may hold a token.
"""

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3

from graftport_dagster.errors import (
    ConfigurationError,
    FileTooLargeError,
    OutOfSpaceError,
    RemoteFaultError,
    RemoteTimeoutError,
    StoppedError,
    TransientError,
)
from graftport_dagster.settings import resolve_secret
from graftport_dagster.source_settings.files import FileSpec, is_web_path
from graftport_dagster.source_settings.rest import LOOPBACK
from graftport_dagster.sources.file_bytes import sha256_of
from graftport_dagster.sources.rest_reader import Clock
from graftport_dagster.sources.source import Freshness
from graftport_dagster.sources.web_answers import (
    broken,
    decoded,
    is_web_page,
    part_sent,
    raise_for,
    settled_name,
    shown,
    token_of,
)

_PIECE = 1 << 18
_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 60.0
# A download that gives less than so much in so long is given up.
_SPAN_SECONDS = 60.0
_LEAST_IN_SPAN = 1024
_ATTEMPTS = 5
_REDIRECTS = 8
_LONGEST_RETRY_AFTER = 120.0
# Asked for as it is: only so do its length, its tag and the place to resume at mean the file itself.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "Graftport"}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A file that was fetched, and what the server called this state of it."""

    path: Path
    etag: str
    modified: str

    def conditions(self) -> dict[str, str]:
        """The headers that ask for it only where it changed."""
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.modified} if self.modified else {}


@dataclass(slots=True)
class _Part:
    """What has come so far, and what the server called the state that it is of."""

    path: Path
    state: str = ""

    @property
    def size(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def conditions(self) -> dict[str, str]:
        """The headers that ask for the rest of that very state; none where only the whole will do."""
        return {"Range": f"bytes={self.size}-", "If-Range": self.state} if self.size and self.state else {}

    def note(self, response: requests.Response) -> None:
        """A weak tag does not promise the same bytes."""
        etag = response.headers.get("etag", "")
        self.state = etag if etag and not etag.startswith("W/") else response.headers.get("last-modified", "")


class WebFiles:
    """The files of one source that are fetched; `limit`: bytes that one may have, before and after unpacking.

    `patience_seconds`: for how long a server's answer is waited for, and asked for once only; 0: as long as usual.
    """

    def __init__(
        self, limit: int, *, base: Path, stop: Callable[[], bool] = lambda: False, clock: Clock | None = None,
        scratch: Path | None = None, patience_seconds: float = 0.0,
    ) -> None:  # fmt: skip
        self._limit = limit
        self._attempts = 1 if patience_seconds else _ATTEMPTS
        seconds = patience_seconds or _ANSWER_SECONDS
        self._timeout = (min(_CONNECT_SECONDS, seconds), seconds)
        self._base = base
        self._stop = stop
        self._clock = clock or Clock()
        self._scratch = scratch
        self._folder: Path | None = None
        self._fetched: dict[str, _Fetched] = {}
        self._session = requests.Session()
        # Neither proxies nor .netrc of this machine: what is sent is what the migration says.
        self._session.trust_env = False

    def file(self, spec: FileSpec) -> Path:
        """The file as it is now; fetched again only where the server says that it changed.

        Raises ConfigurationError for what is refused or is no file, FileTooLargeError, TransientError for what
        outlived five attempts.
        """
        address = self._address(spec)
        before = self._fetched.get(address)
        fetched = self._patiently(lambda part: self._fetch(spec, address, before, part))
        self._fetched[address] = fetched
        return fetched.path

    def freshness(self, spec: FileSpec, known: str = "") -> Freshness:
        """The server's own tag (weak or strong alike), else its time; else the checksum of the file, fetched whole.

        Asked on the condition that it is not the `known` tag. A time is never asked with: many servers call a file
        unmodified that was put back from before it.
        """
        address = self._address(spec)
        condition = {"If-None-Match": known} if known else {}

        def ask(part: _Part) -> Freshness | None:
            del part
            # Some servers answer HEAD with nothing, or not at all: then the head of a GET says it.
            for method in ("HEAD", "GET"):
                with self._asked(method, spec, address, condition) as response:
                    if response.status_code == 304 and known:
                        told = response.headers.copy()
                        told["etag"] = known
                        return token_of(told)
                    if response.status_code >= 300 and method == "HEAD":
                        continue
                    raise_for(response, address)
                    if token := token_of(response.headers):
                        return token
            return None

        if token := self._patiently(ask):
            return token
        path = self.file(spec)
        return Freshness(sha256_of(path), "sha256")

    def close(self) -> None:
        """Deletes what was fetched."""
        self._session.close()
        self._fetched.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    # --- one file -----------------------------------------------------------------------------------

    def _address(self, spec: FileSpec) -> str:
        address = resolve_secret(spec.path, base=self._base)
        if not is_web_path(address):
            raise ConfigurationError(
                f"{spec.path} holds no address of the web.", code="FILE_ADDRESS", hint="It begins with https://."
            )
        return address

    def _patiently(self, once: Callable[[_Part], _T]) -> _T:
        with tempfile.TemporaryDirectory(dir=self._private_folder()) as folder:
            part = _Part(Path(folder) / "part")
            attempt = 1
            while True:
                try:
                    return once(part)
                except TransientError as error:
                    is_last = attempt >= self._attempts or error.retry_after > _LONGEST_RETRY_AFTER
                    if is_last or isinstance(error, (OutOfSpaceError, StoppedError)):
                        raise
                    self._pause(error.retry_after or min(30.0, 0.5 * 2**attempt) + self._clock.spread(0.5), error)
                attempt += 1

    def _fetch(self, spec: FileSpec, address: str, before: _Fetched | None, part: _Part) -> _Fetched:
        headers = part.conditions() or (before.conditions() if before else {})
        with self._asked("GET", spec, address, headers) as response:
            if response.status_code == 304 and before is not None:
                return before
            goes_on = response.status_code == 206
            if response.status_code == 416 or (goes_on and part_sent(response)[0] != part.size):
                # What was to be resumed is no longer there so: from the start.
                part.path.unlink(missing_ok=True)
                raise RemoteFaultError(f"{shown(address)} changed while it was fetched.", code="FILE_CHANGED")
            raise_for(response, address)
            self._save(response, address, part, goes_on=goes_on)
            etag, modified = response.headers.get("etag", ""), response.headers.get("last-modified", "")
            return _Fetched(self._settled(response, address, part.path), etag, modified)

    def _save(self, response: requests.Response, address: str, part: _Part, *, goes_on: bool) -> None:
        """Appends where the server goes on from where it broke off, else from the start; whole, or an error."""
        size = part.size if goes_on else 0
        length = response.headers.get("content-length", "")
        # A server may give less of the rest than it was asked for.
        expected = part_sent(response)[1] or (size + int(length) if length.isdecimal() else None)
        self._within_limit(expected or 0, address)
        part.note(response)
        try:
            with part.path.open("ab" if goes_on else "wb") as file:
                for piece in self._pieces(response, address):
                    size += len(piece)
                    self._within_limit(size, address)
                    file.write(piece)
        except OSError as error:
            if error.errno == 28:
                raise OutOfSpaceError("The temporary disk is full.", hint="Free space, or set TMPDIR.") from error
            raise broken(error, address) from error
        except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
            raise broken(error, address) from error
        if expected is not None and size != expected:
            raise RemoteFaultError(
                f"{shown(address)} ended after {size} of {expected} bytes.", code="FILE_TRUNCATED",
                hint="See whether the server, or what stands before it, cuts answers off.",
            )  # fmt: skip

    def _pieces(self, response: requests.Response, address: str) -> Iterator[bytes]:
        """What comes, as it comes: to wait for a whole piece would let a file trickle for hours, deaf to a stop."""
        since, came = self._clock.now(), 0
        while piece := response.raw.read1(_PIECE, decode_content=False):
            yield piece
            self._raise_if_stopped()
            came += len(piece)
            if self._clock.now() - since > _SPAN_SECONDS:
                if came < _LEAST_IN_SPAN:
                    raise RemoteTimeoutError(
                        f"Of {shown(address)} less than {_LEAST_IN_SPAN >> 10} KB came in {_SPAN_SECONDS:g} seconds.",
                        hint="See what slows the server or the way to it down, or fetch the file by hand.",
                    )  # fmt: skip
                since, came = self._clock.now(), 0

    def _settled(self, response: requests.Response, address: str, part: Path) -> Path:
        """The whole file under the name that says its format."""
        path = decoded(part, response.headers.get("content-encoding", ""), self._limit, shown(address))
        if is_web_page(path):
            raise ConfigurationError(
                f"{shown(address)} is a web page, perhaps one to log in at, not a file of rows.", code="FILE_NOT_ROWS",
                hint="Give the address of the file itself, with user and password or token where it needs them.",
            )  # fmt: skip
        name = settled_name(path, PurePosixPath(unquote(urlsplit(address).path)).name, response.headers)
        # A folder of its own, because two addresses may end in one name.
        folder = self._private_folder() / hashlib.sha256(address.encode()).hexdigest()[:16]
        folder.mkdir(exist_ok=True)
        return path.replace(folder / name)

    def _private_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="graftport-", dir=self._scratch))
        return self._folder

    def _within_limit(self, size: int, address: str) -> None:
        if size > self._limit:
            raise FileTooLargeError(
                f"{shown(address)} is larger than {self._limit / 2**20:g} MB.",
                hint="Raise source.max_download_mb, or split the file.",
            )  # fmt: skip

    # --- one question -------------------------------------------------------------------------------

    @contextmanager
    def _asked(
        self, method: str, spec: FileSpec, address: str, headers: Mapping[str, str]
    ) -> Iterator[requests.Response]:
        """The answer at the end of the redirects; credentials go to the address's own host and nowhere else."""
        at = address
        for _ in range(_REDIRECTS):
            self._raise_if_stopped()
            allowed = self._credentials(spec) if urlsplit(at)[:2] == urlsplit(address)[:2] else {}
            if allowed and urlsplit(at).scheme == "http" and urlsplit(at).hostname not in LOOPBACK:
                raise ConfigurationError(
                    f"{shown(at)} is no encrypted address, and credentials are never sent to one.",
                    code="FILE_ADDRESS", hint="Write https://.",
                )  # fmt: skip
            try:
                response = self._session.request(
                    method, at, headers={**_HEADERS, **headers, **allowed}, stream=True, timeout=self._timeout,
                    allow_redirects=False,
                )  # fmt: skip
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
                raise broken(error, at) from error
            with response:
                target = response.headers.get("location", "")
                if response.status_code not in (301, 302, 303, 307, 308) or not target:
                    yield response
                    return
            onward = urljoin(at, target)
            if urlsplit(at).scheme == "https" and urlsplit(onward).scheme != "https":
                raise ConfigurationError(
                    f"{shown(at)} sends on to {shown(onward)}, which is not encrypted.", code="FILE_ADDRESS",
                    hint="Give the address that answers by itself.",
                )  # fmt: skip
            at = onward
        raise ConfigurationError(
            f"{shown(address)} sends on without end.", code="FILE_ADDRESS", hint="Try the address in a browser."
        )

    def _credentials(self, spec: FileSpec) -> dict[str, str]:
        if spec.token is not None:
            return {"Authorization": f"Bearer {resolve_secret(spec.token, base=self._base)}"}
        if spec.user is not None and spec.password is not None:
            pair = [resolve_secret(part, base=self._base) for part in (spec.user, spec.password)]
            return {"Authorization": "Basic " + base64.b64encode(":".join(pair).encode()).decode()}
        return {}

    def _raise_if_stopped(self, waiting_for: TransientError | None = None) -> None:
        if self._stop():
            raise StoppedError(waiting_for)

    def _pause(self, seconds: float, waiting_for: TransientError) -> None:
        until = self._clock.now() + seconds
        while (left := until - self._clock.now()) > 0:
            self._raise_if_stopped(waiting_for)
            self._clock.sleep(min(left, 0.2))

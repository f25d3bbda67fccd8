"""A shop's REST API, read with patience: one GET, its JSON, or an error that says what to do.

Only questions are asked, so that whatever fails may be asked again: rate limits, faults, broken
and cut answers a few times with growing pauses; what somebody must change not once. What the
JSON means, how pages follow each other and how the shop words its refusals is the platform's own
module; nothing here names a secret, also not where the shop repeats one.
"""

import random
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    GraftportError,
    RemoteFaultError,
    RemoteTimeoutError,
    StoppedError,
    ThrottledError,
    TransientError,
    UnreachableError,
)
from graftport_dagster.records import CheckResult
from graftport_dagster.source_settings.rest import RestModel

_CONNECT_SECONDS = 10.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# A shop that asks for more patience than this is asked again by a later run.
_LONGEST_RETRY_AFTER = 120.0
_LARGEST_ANSWER = 64 * 1024 * 1024
_PIECE = 1 << 18
_NAP = 0.2
_MARK = b"\xef\xbb\xbf"
_PHP = re.compile(rb"<b>((?:Fatal error|Parse error|Warning|Notice|Deprecated)[^<]{0,40})</b>")
_SLOW = "Ask for smaller pages (source.page_size), or wait longer (source.timeout_seconds)."
Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its JSON, and its headers by lower-case name."""

    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one question is repeated, and how fast questions may follow each other (0: as they come)."""

    timeout_seconds: float = 60.0
    attempts: int = 6
    requests_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, sleep and chance, for tests to hold."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    # Seconds between 0 and the one given.
    spread: Callable[[float], float] = field(default=lambda most: random.uniform(0, most))  # noqa: S311 - no secret


def plain_words(body: Any) -> str:
    """A refusal in the words of an API that answers `{"message": …}`."""
    return str(body.get("message") or "") if isinstance(body, dict) else ""


def encryption(settings: RestModel) -> list[CheckResult]:
    """A warning where the shop is asked without encryption, over a network; else nothing."""
    told = settings.unencrypted()
    hint = "Give source.url with https://."
    return [CheckResult("source: encryption", ok=True, detail=told, hint=hint)] if told else []


class RestReader:
    """Asks one shop. `shop`: what it is called in messages, `Magento`; `words`: its refusal's text from its JSON."""

    def __init__(
        self, shop: str, url: str, *, auth: AuthBase | None = None, patience: Patience = Patience(),
        words: Callable[[Any], str] = plain_words, secrets: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None, stop: Callable[[], bool] = lambda: False,
        clock: Clock = Clock(),
    ) -> None:  # fmt: skip
        self.host = urlsplit(url).hostname or url
        self._shop = shop
        self._url = url.rstrip("/")
        self._patience = patience
        self._words = words
        self._secrets = tuple(secret for secret in secrets if len(secret) > 3)
        self._stop = stop
        self._clock = clock
        self._free_at = 0.0
        self._session = requests.Session()
        # Neither proxies nor .netrc of this machine: a shop's own credentials are the only ones that it is sent.
        self._session.trust_env = False
        self._session.auth = auth
        self._session.headers.update({"Accept": "application/json", "User-Agent": "Graftport", **(headers or {})})

    def get(self, path: str, params: Params | None = None) -> Answer:
        """The answer to one question, `path` below the shop's address.

        Raises CredentialsError for 401 and 403, ConfigurationError for 404 and other refusals, TransientError
        for what outlived the patience; StoppedError as soon as `stop()` says so.
        """
        return self.ask("GET", path, params)

    def ask(self, method: str, path: str, params: Params | None = None, body: Any = None) -> Answer:
        """As `get`; a question that an API wants posted, such as for a token."""
        attempt = 1
        while True:
            self._wait_for_turn()
            try:
                return self._once(method, path, params, body)
            except TransientError as error:
                if attempt >= self._patience.attempts or error.retry_after > _LONGEST_RETRY_AFTER:
                    raise
                self._pause(error.retry_after or self._backoff(attempt), error)
            attempt += 1

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    # --- one attempt --------------------------------------------------------------------------------

    def _once(self, method: str, path: str, params: Params | None, body: Any) -> Answer:
        timeout = (min(_CONNECT_SECONDS, self._patience.timeout_seconds), self._patience.timeout_seconds)
        try:
            # Not followed: the answer to a signed question, or a token, belongs to nobody else.
            response = self._session.request(
                method, f"{self._url}{path}", params=params, json=body, timeout=timeout, stream=True,
                allow_redirects=False,
            )  # fmt: skip
            with response:
                content = self._whole(response)
        except (requests.exceptions.RequestException, HTTPError) as error:
            raise self._broken(error) from error
        return self._read(response, content, path)

    def _whole(self, response: requests.Response) -> bytes:
        deadline = self._clock.now() + self._patience.timeout_seconds
        pieces, size = [], 0
        # What has come, however little: to wait for a whole piece would let an answer trickle for hours.
        while piece := response.raw.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if self._clock.now() > deadline:
                seconds = self._patience.timeout_seconds
                raise RemoteTimeoutError(
                    f"{self.host} did not finish its answer within {seconds:g} seconds.", hint=_SLOW
                )
            if size > _LARGEST_ANSWER:
                raise ConfigurationError(
                    f"An answer of {self.host} is larger than {_LARGEST_ANSWER >> 20} MB.", code="ANSWER_TOO_LARGE",
                    hint="Ask for smaller pages: source.page_size.",
                )  # fmt: skip
        return b"".join(pieces)

    def _read(self, response: requests.Response, content: bytes, path: str) -> Answer:
        try:
            # A plugin's file that was saved with a mark puts it before every answer of the shop.
            body = orjson.loads(content.removeprefix(_MARK))
        except orjson.JSONDecodeError:
            body = None
        if response.status_code >= 300:
            raise self._refusal(response, body, path)
        if body is None and content.strip() != b"null":
            raise self._nonsense(content, path)
        return Answer(body, {name.lower(): value for name, value in response.headers.items()})

    def _nonsense(self, content: bytes, path: str) -> RemoteFaultError:
        if found := _PHP.search(content[:4096]):
            said = found[1].decode(errors="replace")
            return RemoteFaultError(
                f"{self._shop} answered {path} with a message of PHP ({said}) before its JSON.",
                code="UNEXPECTED_ANSWER",
                hint="Have PHP write its messages into a log: display_errors off, in WordPress WP_DEBUG_DISPLAY.",
            )  # fmt: skip
        kind = "a web page" if content.lstrip()[:1] == b"<" else "no JSON, or half of it"
        return RemoteFaultError(
            f"{self._shop} answered {path} with {kind}.", code="UNEXPECTED_ANSWER",
            hint=f"See whether {self.host} is the shop itself, and what stands before it: a login, a cache.",
        )  # fmt: skip

    def _refusal(self, response: requests.Response, body: Any, path: str) -> GraftportError:
        status = response.status_code
        said = self._masked(self._words(body))[:300].strip() or f"HTTP {status}"
        told = f"{self._shop} answered {path} with {status}: {said}"
        told += "" if told.endswith((".", "!", "?")) else "."
        if status == 429:
            return ThrottledError(
                told, code="SOURCE_THROTTLED", hint="Give source.requests_per_second, or a lower one, such as 2.",
                retry_after=self._retry_after(response),
            )  # fmt: skip
        if status == 408 or status >= 500:
            hint = "The shop is in maintenance or has too much to do: run again when it is open, or at a quiet hour."
            hint = hint if status == 503 else "Look at the shop's own log."
            return RemoteFaultError(told, code="SOURCE_FAULT", hint=hint, retry_after=self._retry_after(response))
        if status == 401:
            return CredentialsError(told, code="SOURCE_UNAUTHORIZED", hint="Check the credentials under source.")
        if status == 403:
            return CredentialsError(told, code="SOURCE_FORBIDDEN", hint="Give these credentials the right to read it.")
        if status < 400:
            moved = urlsplit(response.headers.get("location", ""))
            target = moved.hostname or "another address"
            if moved.hostname == self.host.partition(":")[0]:
                # From http to https, or to a login.
                target = f"{moved.scheme}://{moved.netloc.rpartition('@')[2]}{moved.path}"
            return ConfigurationError(
                f"{self.host} sends the question on to {target}.", code="SOURCE_MOVED",
                hint="Give the address that answers by itself, with https:// and www. as it has them.",
            )  # fmt: skip
        code = "SOURCE_NOT_FOUND" if status in (404, 410) else "SOURCE_REFUSED"
        return ConfigurationError(told, code=code, hint="Check source.url, and that the API is turned on.")

    def _broken(self, error: requests.exceptions.RequestException | HTTPError) -> TransientError:
        words = _words(error)
        if isinstance(error, requests.exceptions.SSLError):
            return UnreachableError(
                f"No encrypted connection to {self.host}: {words}.", code="TLS_FAILED",
                hint="Check this machine's clock and its certificate authorities.",
            )  # fmt: skip
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return UnreachableError(
                f"{self.host} could not be connected to in time.", code="CONNECT_TIMEOUT",
                hint="Check source.url, and whether a firewall is between.",
            )  # fmt: skip
        if isinstance(error, requests.exceptions.Timeout) or "timed out" in words:
            return RemoteTimeoutError(
                f"{self.host} did not answer within {self._patience.timeout_seconds:g} seconds.", hint=_SLOW
            )
        if isinstance(error, requests.exceptions.ConnectionError) and "NameResolution" in repr(error):
            return UnreachableError(
                f"The name {self.host} does not resolve.", code="NAME_NOT_RESOLVED",
                hint="Check source.url and this machine's DNS.",
            )  # fmt: skip
        if isinstance(error, requests.exceptions.ConnectionError) and "NewConnection" in repr(error):
            return UnreachableError(
                f"{self.host} refused the connection: {words}.", code="CONNECTION_REFUSED",
                hint="Check source.url, and whether a firewall is between.",
            )  # fmt: skip
        return RemoteFaultError(
            f"The connection to {self.host} broke before the answer was whole.", code="ANSWER_LOST",
            hint="Run again; where it stays so, ask for smaller pages (source.page_size), and see the shop's log.",
        )  # fmt: skip

    # --- pace ---------------------------------------------------------------------------------------

    def _retry_after(self, response: requests.Response) -> float:
        text = response.headers.get("retry-after", "").strip()
        if text.isdecimal():
            return float(text)
        try:
            left = parsedate_to_datetime(text) - datetime.now(UTC)
        except (TypeError, ValueError):
            return 0.0
        return max(0.0, float(left.total_seconds()))

    def _backoff(self, attempt: int) -> float:
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1))
        return longest / 2 + self._clock.spread(longest / 2)

    def _wait_for_turn(self) -> None:
        self._pause(self._free_at - self._clock.now())
        if self._patience.requests_per_second:
            self._free_at = self._clock.now() + 1 / self._patience.requests_per_second

    def _pause(self, seconds: float, waiting_for: TransientError | None = None) -> None:
        until = self._clock.now() + seconds
        while True:
            if self._stop():
                raise StoppedError(waiting_for)
            left = until - self._clock.now()
            if left <= 0:
                return
            self._clock.sleep(min(left, _NAP))

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return " ".join(text.split())


def _words(error: BaseException) -> str:
    """The innermost cause in the operating system's or OpenSSL's own words."""
    inner: BaseException = error
    while following := inner.__cause__ or inner.__context__:
        inner = following
    if isinstance(inner, ssl.SSLError):
        return str(inner.verify_message if isinstance(inner, ssl.SSLCertVerificationError) else inner.reason)[:200]
    return str(getattr(inner, "strerror", None) or inner)[:200]

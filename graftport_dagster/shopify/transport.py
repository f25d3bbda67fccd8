"""One host over HTTP: sends a body, brings back the whole answer, and tells *not sent* from *lost*.

That difference decides what may be sent again (`client.py`), so it is taken where it is known:
whatever fails while the connection is being made was provably not sent; whatever fails later may
have been executed. What a complete answer means is read in `refusals.py`.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.parse import urlsplit

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, SSLError, TimeoutError

from graftport_dagster.errors import ConfigurationError, RemoteFaultError, RemoteTimeoutError, UnreachableError

_LARGEST_ANSWER = 64 * 1024 * 1024
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _NotSentError(Exception):
    """Carries, past urllib3's own handling, what went wrong before anything was sent."""


class _Plain(HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except Exception as error:
            raise _NotSentError from error


class _Secure(HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except Exception as error:
            raise _NotSentError from error


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def origin_of(url: str) -> str:
    """`https://shop.myshopify.com` from a store's address in any usual form.

    Raises ConfigurationError for what is no address of a store, or would send a token to Shopify unencrypted.
    """
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in ("http", "https") or not host or host == "admin.shopify.com":
        raise ConfigurationError(
            f"{host or 'The shop'} is not the address of a store.", code="SHOP_ADDRESS",
            hint="Write it as <shop>.myshopify.com.",
        )  # fmt: skip
    if scheme == "http" and host.endswith(".myshopify.com"):
        raise ConfigurationError(f"{host} must be asked over https.", code="SHOP_ADDRESS", hint="Leave http:// away.")
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


class Endpoint:
    """One host, asked by up to `connections` threads at once; environment proxies are not used."""

    def __init__(
        self, origin: str, *, connections: int, timeout_seconds: float, connect_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        parts = urlsplit(origin)
        self.host = parts.hostname or ""
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._pool: HTTPConnectionPool
        timeout = Timeout(connect=min(connect_seconds, timeout_seconds), read=timeout_seconds)
        if parts.scheme == "http":
            self._pool = _PlainPool(self.host, parts.port, timeout=timeout, maxsize=connections, block=True)
        else:
            # The system's authorities, or certifi's where Python knows of none.
            known = ssl.get_default_verify_paths().cafile
            self._pool = _SecurePool(
                self.host, parts.port, timeout=timeout, maxsize=connections, block=True,
                ca_certs=None if known else certifi.where(),
            )  # fmt: skip

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send once and read the whole answer.

        Raises UnreachableError when nothing was sent; RemoteTimeoutError or RemoteFaultError when it
        was, or may have been, and no whole answer came.
        """
        try:
            response = self._pool.urlopen(
                "POST", path, body, headers, retries=False, redirect=False, assert_same_host=False,
                preload_content=False,
            )  # fmt: skip
        except _NotSentError as error:
            raise self._unreachable(error.__cause__) from error.__cause__
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise self._lost(error) from error
        try:
            return Reply(response.status, response.headers, self._whole(response))
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise self._lost(error) from error
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def _whole(self, response: BaseHTTPResponse) -> bytes:
        pieces: list[bytes] = []
        size = 0
        deadline = self._clock() + self._timeout_seconds
        while piece := response.read1(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if self._clock() > deadline:
                raise RemoteTimeoutError(f"{self.host} did not finish its answer in time.", code="TIMEOUT")
            if size > _LARGEST_ANSWER:
                raise RemoteFaultError(f"The answer of {self.host} has no end.", code="ANSWER_TOO_LARGE")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _unreachable(self, error: BaseException | None) -> UnreachableError:
        if isinstance(error, NameResolutionError):
            return UnreachableError(
                f"The name {self.host} does not resolve.", code="NAME_NOT_RESOLVED",
                hint="Check the shop's address and this machine's DNS.",
            )  # fmt: skip
        if isinstance(error, (SSLError, ssl.SSLError)):
            return UnreachableError(
                f"No encrypted connection to {self.host}: {_words(error)}.", code="TLS_FAILED",
                hint="Check this machine's clock and its certificate authorities.",
            )  # fmt: skip
        if isinstance(error, (ConnectTimeoutError, TimeoutError, OSError)) and "timed out" in str(error):
            return UnreachableError(f"{self.host} could not be connected to in time.", code="CONNECT_TIMEOUT")
        return UnreachableError(
            f"{self.host} refused the connection: {_words(error)}.", code="CONNECTION_REFUSED",
            hint="Check the shop's address, and whether a firewall is between.",
        )  # fmt: skip

    def _lost(self, error: BaseException) -> RemoteTimeoutError | RemoteFaultError:
        if isinstance(error, TimeoutError):
            return RemoteTimeoutError(f"{self.host} did not answer within {self._timeout_seconds:g} seconds.")
        return RemoteFaultError(f"The connection to {self.host} broke before the answer was whole.", code="ANSWER_LOST")


def _words(error: BaseException | None) -> str:
    """The innermost cause in the operating system's or OpenSSL's own words, without urllib3's wrapping."""
    while error is not None and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__
    reason = getattr(error, "strerror", None) or getattr(error, "verify_message", None) or str(error)
    return str(reason)[:200]

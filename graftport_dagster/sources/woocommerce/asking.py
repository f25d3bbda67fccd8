"""Questions to a WooCommerce shop: how they are signed, and what its refusals mean.

Over https the key is a Basic header, or stands in the query where a host strips that header; over
http WooCommerce takes nothing but an OAuth 1.0a signature. WordPress's own API is asked with the
application password, or as anybody. Repeating and waiting is `rest_reader.py`'s.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests
from requests.auth import AuthBase

from graftport_dagster.errors import ConfigurationError, CredentialsError, GraftportError, RemoteFaultError
from graftport_dagster.settings import resolve_secret
from graftport_dagster.source_settings.woocommerce import WooCommerceSettings
from graftport_dagster.sources.rest_reader import Answer, Clock, Patience, RestReader

REAL_TIME = Clock()
WC = "/wp-json/wc/v3/"
WP = "/wp-json/wp/v2/"
_PERMALINKS = (
    "In WordPress under Settings, Permalinks choose anything but Plain; the REST API has no address without that. "
    "If it is, check source.url."
)
_FIREWALL = "Let this machine's address through in the firewall or security plugin, or allow /wp-json/ there."
_READ_KEY = "WooCommerce, Settings, Advanced, REST API: make a key with permission Read, of an administrator."


@dataclass(frozen=True, slots=True)
class SignIn(AuthBase):  # type: ignore[misc, unused-ignore]
    """Adds to each question what its API wants to see."""

    way: str
    key: str
    secret: str
    user: str = ""
    password: str = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests once the address is whole."""
        url = request.url or ""
        if WC not in url:
            if self.user:
                request.headers["Authorization"] = _basic(self.user, self.password)
        elif self.way == "header":
            request.headers["Authorization"] = _basic(self.key, self.secret)
        elif self.way == "query":
            request.url = _with(url, {"consumer_key": self.key, "consumer_secret": self.secret})
        else:
            request.url = signed(url, self.key, self.secret, nonce=secrets.token_hex(16), at=int(time.time()))
        return request


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _with(url: str, more: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}"


def signed(url: str, key: str, secret: str, *, nonce: str, at: int) -> str:
    """The address with an OAuth 1.0a signature as WooCommerce checks it (one leg, HMAC-SHA256)."""
    address = urlsplit(url)._replace(query="").geturl()
    proof = {
        "oauth_consumer_key": key, "oauth_nonce": nonce, "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(at),
    }  # fmt: skip
    given = [*parse_qsl(urlsplit(url).query, keep_blank_values=True), *proof.items()]
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in given)
    text = quote("&".join(f"{name}={value}" for name, value in pairs), safe="")
    whole = f"GET&{quote(address, safe='')}&{text}"
    digest = hmac.new(f"{secret}&".encode(), whole.encode(), hashlib.sha256).digest()
    return _with(url, {**proof, "oauth_signature": base64.b64encode(digest).decode()})


class Asking:
    """One shop, asked. Open until `close()`."""

    def __init__(
        self, settings: WooCommerceSettings, folder: Path, *, stop: Callable[[], bool] = lambda: False,
        clock: Clock = REAL_TIME,
    ) -> None:  # fmt: skip
        """`folder`: where secrets in files are looked for. Raises ConfigurationError where one is absent."""
        self.url = settings.url
        self.is_author = settings.application_user is not None
        named = (
            settings.consumer_key, settings.consumer_secret, settings.application_user, settings.application_password
        )  # fmt: skip
        key, secret, user, password = (resolve_secret(name, base=folder) if name else "" for name in named)
        plain = settings.url.startswith("http://")
        way = settings.sign_in if settings.sign_in != "auto" else "oauth" if plain else "header"
        self._was_json = True
        self._reader = RestReader(
            "WooCommerce", settings.url, auth=SignIn(way, key, secret, user, password), words=self._words,
            secrets=(key, secret, password), stop=stop, clock=clock,
            patience=Patience(settings.timeout_seconds, settings.attempts, settings.requests_per_second),
        )  # fmt: skip

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """The answer below the shop's address (`WC`, `WP`). Raises as `RestReader.get`, with WordPress's remedies."""
        try:
            return self._reader.get(path, params)
        except ConfigurationError as error:
            self._remedy(error)
            raise

    def get_list(self, path: str, params: Mapping[str, str | int]) -> tuple[list[dict[str, Any]], Answer]:
        """A list of things that each have a numeric id. Raises RemoteFaultError for anything else."""
        answer = self.get(path, params)
        things = answer.json
        if not isinstance(things, list) or not all(isinstance(it, dict) and type(it.get("id")) is int for it in things):
            raise unexpected(path, "something else than a list of things with ids")
        return things, answer

    def close(self) -> None:
        """Closes the connections."""
        self._reader.close()

    def _words(self, body: Any) -> str:
        self._was_json = isinstance(body, dict)
        return f"{body.get('message', '')} ({body.get('code', '')})" if isinstance(body, dict) else ""

    def _remedy(self, error: GraftportError) -> None:
        if isinstance(error, CredentialsError) and not self._was_json:
            error.hint = _FIREWALL
            error.message += " It answered with a web page, as a firewall or a security plugin does."
        elif isinstance(error, CredentialsError):
            error.hint = _READ_KEY if "/wc/" in error.message else "Check application_user and application_password."
        elif error.code == "SOURCE_NOT_FOUND" and not self._was_json:
            error.hint = _PERMALINKS
        elif error.code == "SOURCE_NOT_FOUND" and "rest_no_route" in error.message:
            error.hint = "Is WooCommerce active, and 3.5 or later?"


def unexpected(path: str, what: str) -> RemoteFaultError:
    """The error for an answer that is not what the API has."""
    return RemoteFaultError(
        f"WooCommerce answered {path} with {what}.", code="UNEXPECTED_ANSWER",
        hint="See what stands before the shop: a cache that does not look at the query, a plugin that changes the API.",
    )  # fmt: skip

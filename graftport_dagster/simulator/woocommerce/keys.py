"""Who may ask: consumer keys as WooCommerce takes them, application passwords as WordPress does.

Over TLS (or behind a proxy that ends it) a key goes as Basic authentication or in the query; over
plain HTTP only an OAuth 1.0a signature counts, and a Basic header is not even looked at, as in
WooCommerce's own `WC_REST_Authentication`.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.requests import Request

_OLDEST = 15 * 60


class RefusedError(Exception):
    """The answer is an error of WordPress: status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass
class Keys:
    """The keys of a shop, each with what it may: `read`, `write` or `read_write`."""

    keys: dict[str, tuple[str, str]] = field(default_factory=lambda: {"ck_simulated": ("cs_simulated", "read")})
    passwords: dict[str, str] = field(default_factory=lambda: {"mara": "abcd efgh ijkl mnop"})
    behind_tls: bool = False
    _nonces: set[str] = field(default_factory=set)

    def must_read(self, request: Request) -> None:
        """Raises RefusedError unless the request has a key that may read."""
        key = self._key_of(request)
        if key is None:
            raise RefusedError(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        if self.keys[key][1] == "write":
            raise _wrong("The API key provided does not have read permissions.")

    def is_author(self, request: Request) -> bool:
        """Whether an application password came along; a wrong one raises RefusedError."""
        user, password = _basic(request)
        if not user or user.startswith("ck_"):
            return False
        if user not in self.passwords:
            raise RefusedError(401, "invalid_username", "Unknown username. Check again or try your email address.")
        if password.replace(" ", "") != self.passwords[user].replace(" ", ""):
            message = "The provided password is an invalid application password."
            raise RefusedError(401, "incorrect_password", message)
        return True

    def _key_of(self, request: Request) -> str | None:
        query = request.query_params
        if not (self.behind_tls or request.url.scheme == "https"):
            return self._signed(request) if "oauth_signature" in _oauth(request) else None
        key, secret = query.get("consumer_key", ""), query.get("consumer_secret", "")
        if not (key and secret):
            key, secret = _basic(request)
        if not (key and secret):
            return None
        if key not in self.keys:
            raise _wrong("Consumer key is invalid.")
        if not hmac.compare_digest(self.keys[key][0], secret):
            raise _wrong("Consumer secret is invalid.")
        return key

    def _signed(self, request: Request) -> str:
        given = _oauth(request)
        for name in (
            "oauth_consumer_key",
            "oauth_timestamp",
            "oauth_nonce",
            "oauth_signature",
            "oauth_signature_method",
        ):
            if name not in given:
                raise _wrong(f"Missing OAuth parameter {name}")
        key = given["oauth_consumer_key"]
        if key not in self.keys:
            raise _wrong("Consumer key is invalid.")
        method = given["oauth_signature_method"]
        if method not in ("HMAC-SHA1", "HMAC-SHA256"):
            raise _wrong("Invalid signature - signature method is invalid.")
        parameters = {**dict(request.query_params), **given}
        signature = parameters.pop("oauth_signature")
        address = str(request.url.replace(query=""))
        if not hmac.compare_digest(signature, _signature(address, parameters, self.keys[key][0], method)):
            raise _wrong("Invalid signature - provided signature does not match.")
        if abs(time.time() - float(given["oauth_timestamp"])) > _OLDEST:
            raise _wrong("Invalid timestamp.")
        if given["oauth_nonce"] in self._nonces:
            raise _wrong("Invalid nonce - nonce has already been used.")
        self._nonces.add(given["oauth_nonce"])
        return key


def _wrong(message: str) -> RefusedError:
    return RefusedError(401, "woocommerce_rest_authentication_error", message)


def _basic(request: Request) -> tuple[str, str]:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _oauth(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query_params.items() if name.startswith("oauth_")}


def _signature(address: str, parameters: Mapping[str, str], secret: str, method: str) -> str:
    """Over the parameters encoded twice and sorted, with the secret and an ampersand as the key."""
    pairs = sorted((_twice(name), _twice(value)) for name, value in parameters.items())
    text = "&".join(("GET", quote(address, safe=""), "%26".join(f"{name}%3D{value}" for name, value in pairs)))
    digest = hashlib.sha1 if method == "HMAC-SHA1" else hashlib.sha256
    return base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), digest).digest()).decode()


def _twice(value: str) -> str:
    # rawurlencode of PHP, and its percent signs again.
    return quote(value, safe="").replace("%", "%25")

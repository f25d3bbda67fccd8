"""How a question to Magento proves who asks: signed by an integration (OAuth 1.0a), or with a token.

Integration tokens are meant for signing; as plain bearers Magento takes them only where
`oauth/consumer/enable_integration_as_bearer` is on (off since 2.4.4). Whole pages, such as an
admin's token and its four hours, are `client.py`'s.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlsplit

from requests import PreparedRequest
from requests.auth import AuthBase


@dataclass(frozen=True, slots=True)
class Integration:
    """The four secrets that Magento shows once when an integration is activated."""

    consumer_key: str
    consumer_secret: str = field(repr=False)
    access_token: str = field(repr=False)
    access_token_secret: str = field(repr=False)


class Signature(AuthBase):
    """Signs each request with HMAC-SHA256 over its method, address and parameters (RFC 5849)."""

    def __init__(
        self, integration: Integration, *, clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:  # fmt: skip
        self._integration = integration
        self._clock = clock
        self._nonce = nonce

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """With its Authorization header."""
        given = {
            "oauth_consumer_key": self._integration.consumer_key, "oauth_nonce": self._nonce(),
            "oauth_signature_method": "HMAC-SHA256", "oauth_timestamp": str(int(self._clock())),
            "oauth_token": self._integration.access_token, "oauth_version": "1.0",
        }  # fmt: skip
        given["oauth_signature"] = self._signature(str(request.method), str(request.url), given)
        pairs = ", ".join(f'{name}="{_quoted(value)}"' for name, value in given.items())
        request.headers["Authorization"] = f"OAuth {pairs}"
        return request

    def _signature(self, method: str, url: str, given: dict[str, str]) -> str:
        parts = urlsplit(url)
        asked = [*parse_qsl(parts.query, keep_blank_values=True), *given.items()]
        pairs = sorted((_quoted(name), _quoted(value)) for name, value in asked)
        joined = "&".join(f"{name}={value}" for name, value in pairs)
        address = f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"
        text = "&".join([method.upper(), _quoted(address), _quoted(joined)])
        key = f"{_quoted(self._integration.consumer_secret)}&{_quoted(self._integration.access_token_secret)}"
        return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


class Bearer(AuthBase):
    """Sends a token; an admin's is put in once it is known."""

    def __init__(self, token: str = "") -> None:
        self.token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """With its Authorization header, where there is a token."""
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")

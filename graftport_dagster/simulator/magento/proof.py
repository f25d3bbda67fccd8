"""Who may ask: an integration's signature (OAuth 1.0a, HMAC-SHA256), its token as a bearer, an admin's token.

What lives here: checking a request against the accounts there are, in Magento's own words. What a
role may read is a list of resources (`Magento_Sales::sales`); `*` is all.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

_HASHES = {"HMAC-SHA256": hashlib.sha256, "HMAC-SHA1": hashlib.sha1}


class NotAuthorizedError(Exception):
    """The request proves nothing, or too little."""

    def __init__(self, message: str, parameters: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.parameters = parameters


@dataclass(slots=True)
class Accounts:
    """The integration and the admin of one shop. `resources`: what both may read."""

    consumer_key: str = "ck_simulated"
    consumer_secret: str = "cs_simulated"  # noqa: S105 - a simulated one
    access_token: str = "at_simulated"  # noqa: S105 - likewise
    access_token_secret: str = "ats_simulated"  # noqa: S105 - likewise
    admin_user: str = "admin"
    admin_password: str = "admin_simulated1"  # noqa: S105 - likewise
    # Since 2.4.4 off until somebody turns it on.
    integration_as_bearer: bool = False
    resources: set[str] = field(default_factory=lambda: {"*"})
    admin_tokens: set[str] = field(default_factory=set)
    _nonces: set[str] = field(default_factory=set)

    def reset(self) -> None:
        """Everything may be read again, and no admin is signed in."""
        self.resources = {"*"}
        self.integration_as_bearer = False
        self.admin_tokens.clear()

    def admin_token(self, user: object, password: object) -> str:
        """A new token for an admin. Raises NotAuthorizedError."""
        if (user, password) != (self.admin_user, self.admin_password):
            raise NotAuthorizedError(
                "The account sign-in was incorrect or your account is disabled temporarily. "
                "Please wait and try again later."
            )
        token = secrets.token_hex(16)
        self.admin_tokens.add(token)
        return token

    def must_read(self, resource: str, *, method: str, url: str, query: list[tuple[str, str]], header: str) -> None:
        """Raises NotAuthorizedError unless this request may read that. `url`: without its query."""
        kind, _, rest = header.partition(" ")
        if kind.lower() == "bearer":
            known = rest in self.admin_tokens or (self.integration_as_bearer and rest == self.access_token)
        elif kind.lower() == "oauth":
            self._check_signature(method, url, query, _pairs(rest))
            known = True
        else:
            known = False
        if not known or not ({"*", resource} & self.resources):
            raise NotAuthorizedError("The consumer isn't authorized to access %resources.", {"resources": resource})

    def _check_signature(self, method: str, url: str, query: list[tuple[str, str]], given: Mapping[str, str]) -> None:
        if given.get("oauth_consumer_key") != self.consumer_key:
            raise NotAuthorizedError("A consumer having the specified key does not exist")
        if given.get("oauth_token") != self.access_token:
            raise NotAuthorizedError("The token is not valid: %1", [given.get("oauth_token", "")])
        hash_of = _HASHES.get(given.get("oauth_signature_method", ""))
        if hash_of is None:
            raise NotAuthorizedError("Signature method %1 is not supported", [given.get("oauth_signature_method", "")])
        nonce = given.get("oauth_nonce", "") + given.get("oauth_timestamp", "")
        if nonce in self._nonces:
            raise NotAuthorizedError(
                "The nonce is already being used by the consumer with key %1.", [self.consumer_key]
            )
        self._nonces.add(nonce)
        signed = [*query, *((name, value) for name, value in given.items() if name not in ("oauth_signature", "realm"))]
        pairs = sorted((_quoted(name), _quoted(value)) for name, value in signed)
        base = "&".join([method.upper(), _quoted(url), _quoted("&".join(f"{name}={value}" for name, value in pairs))])
        key = f"{_quoted(self.consumer_secret)}&{_quoted(self.access_token_secret)}"
        wanted = base64.b64encode(hmac.new(key.encode(), base.encode(), hash_of).digest()).decode()
        if not hmac.compare_digest(wanted, given.get("oauth_signature", "")):
            raise NotAuthorizedError("The signature is invalid. Verify and try again.")


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")


def _pairs(header: str) -> dict[str, str]:
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', header)}

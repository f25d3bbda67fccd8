"""How this app proves itself to a store: a given access token, or client credentials renewed in time.

Client credentials are those of an app of the store's own organisation (Dev Dashboard); their
tokens live 24 h: https://shopify.dev/docs/apps/build/authentication-authorization. Where secrets
come from is `migration.resolve_secret`; nothing here is ever shown.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

from graftport_dagster.errors import CredentialsError, RemoteFaultError, RemoteTimeoutError, UnreachableError
from graftport_dagster.shopify.refusals import read_json
from graftport_dagster.shopify.transport import Endpoint, Reply

_RENEW_AHEAD_SECONDS = 600.0
_USUAL_LIFETIME_SECONDS = 86399.0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that somebody gave us, good until it is revoked."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """An app's id and secret, which Shopify changes for tokens."""

    client_id: str
    client_secret: str = field(repr=False)


Credentials = AccessToken | ClientCredentials


class Tokens:
    """The token to send now; shared by threads, fetched by the first that needs it."""

    def __init__(self, credentials: Credentials, endpoint: Endpoint, clock: Callable[[], float]) -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = float("inf")
        if isinstance(credentials, AccessToken):
            self._token = _sendable(credentials.value)

    def current(self) -> str:
        """A token that should be accepted.

        Raises CredentialsError where Shopify refuses the client, UnreachableError where none could be fetched.
        """
        with self._lock:
            if not self._token or self._clock() >= self._renew_at:
                self._fetch()
            return self._token

    def renew(self, refused: str) -> bool:
        """Replace a token that was answered 401; False where there is nothing to replace it by."""
        if isinstance(self._credentials, AccessToken):
            return False
        with self._lock:
            # Another thread may have replaced it already.
            if self._token == refused:
                self._fetch()
            return True

    def _fetch(self) -> None:
        credentials = self._credentials
        if isinstance(credentials, AccessToken):
            return
        form = {
            "grant_type": "client_credentials", "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            reply = self._endpoint.post("/admin/oauth/access_token", urlencode(form).encode(), headers)
            answer = self._read(reply)
        except (RemoteFaultError, RemoteTimeoutError) as error:
            # The record's own call has not been sent yet, and asking for a token again is harmless.
            raise UnreachableError(f"No access token: {error.message}", code="NO_TOKEN") from error
        self._token = _sendable(str(answer["access_token"]))
        seconds = answer.get("expires_in")
        lifetime = float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else _USUAL_LIFETIME_SECONDS
        self._renew_at = self._clock() + max(lifetime - _RENEW_AHEAD_SECONDS, lifetime / 2)

    def _read(self, reply: Reply) -> dict[str, object]:
        if reply.status in (400, 401, 403):
            raise CredentialsError(
                f"{self._endpoint.host} refuses the client credentials: {_reason(reply)}", code="CLIENT_REFUSED",
                hint="Check client_id and client_secret, and that the app is installed in a store of its organisation.",
            )  # fmt: skip
        answer = read_json(reply, host=self._endpoint.host)
        if not isinstance(answer.get("access_token"), str):
            raise RemoteFaultError(f"{self._endpoint.host} answered without an access token.", code="NO_TOKEN")
        return answer


def _reason(reply: Reply) -> str:
    """OAuth's own error code, such as `invalid_client`; the rest of the body could quote what was sent."""
    try:
        code = orjson.loads(reply.body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"HTTP {reply.status}."
    return f"{str(code)[:60]} (HTTP {reply.status})."


def _sendable(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CredentialsError(
            "The access token is empty or has characters that no token has.", code="INVALID_TOKEN",
            hint="Set the secret anew, without spaces or line ends.",
        )  # fmt: skip
    return token

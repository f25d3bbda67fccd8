"""The simulator as an HTTP application: Shopify's paths, uploads, and the control paths.

What lives here: tokens, versions, bodies, and what faults do to an answer. Questions are
answered in `execution.py`; `/_simulator/` is in `control.py`, running all this in `hosting.py`.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graftport_dagster.simulator import control, uploads
from graftport_dagster.simulator.documents import is_mutation
from graftport_dagster.simulator.execution import Engine, Question, internal_error
from graftport_dagster.simulator.faults import FAULTS, RESULT_FILE, UPLOAD, Faults, Rule
from graftport_dagster.simulator.parts import Settings
from graftport_dagster.simulator.scopes import ALL_SCOPES
from graftport_dagster.simulator.shop import API_VERSIONS
from graftport_dagster.simulator.state import State
from graftport_dagster.simulator.transports import cut

_INVALID_TOKEN = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
_HTML = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"
_TOKEN_SECONDS = 86_399
_GIVEN = "shpat_simulated_"

# shopify.dev/docs/api/usage/limits: beyond 50,000 variants a store takes some thousands a day.
_VARIANT_LIMIT = {
    "message": "Daily variant creation limit reached. Please try again later.",
    "extensions": {"code": "VARIANT_THROTTLE_EXCEEDED"},
}


class Server:
    """One shop at one address."""

    def __init__(self, state: State, engine: Engine, faults: Faults, settings: Settings, latency_ms: float) -> None:
        self.state = state
        self.engine = engine
        self.faults = faults
        self.settings = settings
        self.latency_ms = latency_ms
        self.revoked: set[str] = set()
        self.started = time.monotonic()
        self.last_asked = time.monotonic()
        self._late: set[asyncio.Task[None]] = set()
        self.stop: Callable[[], None] = lambda: None

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/admin/api/{version}/graphql.json", _Endpoint(self.graphql), methods=None),
            Route("/admin/oauth/access_token", self._token, methods=["POST"]),
            Route(f"{uploads.PREFIX}{{key:path}}", _Endpoint(self._file), methods=["PUT", "POST", "GET"]),
            *control.routes(self),
        ]
        return Starlette(routes=routes)

    async def graphql(self, request: Request) -> Response | None:
        """Answers one request; None when the connection was cut instead."""
        self.last_asked = time.monotonic()
        refusal = self._refused(request)
        if refusal is not None:
            return refusal
        try:
            body = _body(await request.body())
        except ClientDisconnect:
            # Whoever asked was killed in the middle of it: nothing was asked, and nobody waits for an answer.
            return None
        if body is None:
            return _json({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        question = self.engine.read(body, _app_of(request.headers["x-shopify-access-token"]))
        writes = question.operation is not None and is_mutation(question.operation)
        names = [*question.root_fields, question.operation_name or (_name_of(question) or "")]
        rule = self.faults.draw(names, writes=writes)
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        if rule is None:
            return self._respond(self._answered(question, request, None), request)
        return await self._faulty(rule, question, request)

    def _refused(self, request: Request) -> Response | None:
        version = request.path_params["version"]
        if request.method != "POST" or not _is_served(version):
            return _json({"errors": "Not Found"}, 404)
        token = request.headers.get("x-shopify-access-token")
        return _json(_INVALID_TOKEN, 401) if not token or token in self.revoked else None

    def _answered(self, question: Question, request: Request, rule: Rule | None) -> dict[str, Any]:
        answer = self.engine.answer(question, str(request.base_url).rstrip("/"))
        self._log(question, rule)
        return answer

    def _log(self, question: Question, rule: Rule | None) -> None:
        operation = question.operation
        self.state.log({
            "at": self.state.now(), "operation": ",".join(question.root_fields),
            "operation_name": _name_of(question), "variables": question.variables,
            "query": None if question.root_fields else question.text,
            "writes": operation is not None and is_mutation(operation), "wrote": question.wrote,
            "cost": question.cost, "charged": question.charged, "outcome": question.outcome or "not executed",
            "fault": rule.fault if rule else None, "failures": question.failures, "mails_asked": question.mails,
        })  # fmt: skip

    async def _faulty(self, rule: Rule, question: Question, request: Request) -> Response | None:
        if rule.fault == "slow":
            await asyncio.sleep(rule.milliseconds / 1000)
            return self._respond(self._answered(question, request, rule), request)
        if rule.fault == "commit_after_hangup":
            late = asyncio.create_task(self._later(rule, question, request))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            cut(request.scope)
            return None
        answer: dict[str, Any] = {}
        if FAULTS[rule.fault]:
            answer = self._answered(question, request, rule)
        elif rule.fault in {"throttled", "too_many_attempts"}:
            refusal = self.engine.throttled if rule.fault == "throttled" else self.engine.too_many_attempts
            answer = refusal(question)
            self._log(question, rule)
        else:
            self._log(question, rule)
        return self._spoilt(rule, answer, request)

    async def _later(self, rule: Rule, question: Question, request: Request) -> None:
        await asyncio.sleep(rule.seconds)
        self._answered(question, request, rule)

    def _spoilt(self, rule: Rule, answer: dict[str, Any], request: Request) -> Response | None:
        name = rule.fault.removesuffix("_after_commit")
        whole = orjson.dumps(answer)
        if rule.fault.startswith(("reset", "hangup")):
            midway = whole if rule.fault == "hangup_midway" else None
            cut(request.scope, hard=rule.fault.startswith("reset"), after=midway)
            return None
        if name == "token_revoked":
            self.revoked.add(request.headers["x-shopify-access-token"])
            return _json(_INVALID_TOKEN, 401)
        if name == "http_429":
            headers = {} if rule.retry_after is None else {"Retry-After": f"{rule.retry_after:.1f}"}
            return _json({"errors": "Exceeded 2 calls per second for api client. Reduce request rates."}, 429, headers)
        if name.startswith("http_5"):
            return _json({"errors": "Internal Server Error"}, int(name[-3:]))
        if name == "html_error":
            return Response(_HTML, 502, media_type="text/html")
        if name == "variant_limit":
            return self._respond({"errors": [_VARIANT_LIMIT]}, request)
        if name == "internal_error":
            return self._respond({"errors": [internal_error()]}, request)
        if name == "wrong_content_type":
            return Response(_HTML, 200, media_type="text/html")
        if name in {"truncated_json", "empty_answer"}:
            shown = whole[: len(whole) // 2] if name == "truncated_json" else b""
            return Response(shown, 200, media_type="application/json")
        return self._respond(answer, request)

    def _respond(self, answer: dict[str, Any], request: Request) -> Response:
        asked = request.path_params["version"]
        served = asked if asked == "unstable" or asked in API_VERSIONS else API_VERSIONS[0]
        headers = {"X-Shopify-API-Version": served, "X-Request-Id": f"simulated-{time.monotonic_ns()}"}
        return _json(answer, 200, headers)

    async def _token(self, request: Request) -> Response:
        self.last_asked = time.monotonic()
        raw = await request.body()
        given: Any = {name: values[0] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}
        if "json" in request.headers.get("content-type", ""):
            given = _parsed(raw)
        if not isinstance(given, dict):
            return _json({"error": "invalid_request", "error_description": "the body is no JSON object"}, 400)
        if given.get("grant_type") != "client_credentials":
            return _json({"error": "unsupported_grant_type", "error_description": "grant type is not supported"}, 400)
        if not given.get("client_id") or not given.get("client_secret"):
            return _json({"error": "invalid_client", "error_description": "client authentication failed"}, 401)
        scope = ",".join(self.settings.scopes or ALL_SCOPES)
        app = hashlib.sha256(str(given["client_id"]).encode()).hexdigest()[:12]
        token = f"{_GIVEN}{app}_{secrets.token_hex(8)}"
        return _json({"access_token": token, "scope": scope, "expires_in": _TOKEN_SECONDS}, 200)

    async def _file(self, request: Request) -> Response | None:
        """A file on its way in or out; None when the connection was cut instead."""
        self.last_asked = time.monotonic()
        reads = request.method == "GET"
        rule = self.faults.draw([RESULT_FILE if reads else UPLOAD], writes=not reads, of_file=True)
        if rule is None:
            return await self._upload(request)
        if rule.fault.startswith("http_5"):
            return Response("<Error><Code>InternalError</Code></Error>", int(rule.fault[-3:]))
        whole = bytes((await self._upload(request)).body) if FAULTS[rule.fault] else None
        if whole is not None and rule.fault == "truncated_json":
            return Response(whole[: len(whole) // 2])
        cut(request.scope, after=whole)
        return None

    async def _upload(self, request: Request) -> Response:
        key = request.path_params["key"]
        if request.method == "GET":
            stored = self.state.find_one("upload", key)
            return Response(stored["text"] if stored else "Not Found", 200 if stored else 404)
        if request.method == "PUT":
            uploads.store(self.state, key, await request.body())
            return Response(status_code=200)
        return await self._posted_upload(request)

    async def _posted_upload(self, request: Request) -> Response:
        parts = uploads.form_parts(request.headers.get("content-type", ""), await request.body())
        names = list(parts)
        if "key" not in parts or not names or names[-1] != "file":
            return Response("<Error><Code>InvalidArgument</Code></Error>", 400, media_type="application/xml")
        key = parts["key"].decode("utf-8", "replace")
        uploads.store(self.state, key, parts["file"])
        return Response(f"<PostResponse><Key>{key}</Key></PostResponse>", 201, media_type="application/xml")


class _Endpoint:
    """A path as a bare ASGI application, because some answers are a cut connection."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response | None]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        if response is not None:
            await response(scope, receive, send)
            return
        # The connection is gone; returning before uvicorn knows would make it answer 500.
        while (await receive())["type"] != "http.disconnect":
            continue


def _app_of(token: str) -> str:
    """Who pays for what is asked with a token: those given for one client id are one app's."""
    return token.rpartition("_")[0] if token.startswith(_GIVEN) else token


def _name_of(question: Question) -> str | None:
    return question.operation.name.value if question.operation and question.operation.name else None


def _is_served(version: str) -> bool:
    return version == "unstable" or (
        re.fullmatch(r"20\d\d-(01|04|07|10)", version) is not None and version <= API_VERSIONS[-1]
    )


def _body(raw: bytes) -> dict[str, Any] | None:
    body = _parsed(raw)
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return None
    fits = isinstance(body.get("variables"), dict | None) and isinstance(body.get("operationName"), str | None)
    return body if fits else None


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _json(content: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")

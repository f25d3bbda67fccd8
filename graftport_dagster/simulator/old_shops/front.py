"""The front of a simulated shop: each request noted, delayed, spoilt on request; control from outside.

What lives here: what is the same for every platform. What it answers, and in which words it refuses, is
its own `server.py`'s.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graftport_dagster.simulator.old_shops.faults import Faults, Rule, UnknownFaultError
from graftport_dagster.simulator.transports import cut

Thing = dict[str, Any]
Answer = Callable[[Request, bytes], Response]
_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class UnknownThingError(ValueError):
    """An edit of something that is not there; the message says what."""


class EditedShop(Protocol):
    """A shop that shows its lists, and what a merchant does to one."""

    def objects(self, name: str) -> Any:
        """A list by its name, as it is."""

    def edit(self, change: Thing) -> Thing:
        """A change by hand. Raises UnknownThingError."""


S = TypeVar("S", bound=EditedShop)


class Front(Generic[S]):
    """One shop at one address. `opened` gives the shop, and gives it anew when it is reset.

    `broken`: the platform's own words for a status of 5xx; `maintenance`: the title of its page for that.
    """

    def __init__(
        self, opened: Callable[[], S], *, broken: Callable[[int], Response], maintenance: str, latency_ms: float = 0
    ) -> None:
        self._opened = opened
        self._broken = broken
        self._maintenance = maintenance
        self._latency = latency_ms / 1000
        self._last: dict[str, Response] = {}
        self.shop = opened()
        self.faults = Faults()
        self.log: list[Thing] = []

    def routes(self) -> list[Route]:
        """Control from outside the shop's own paths."""
        return [
            Route("/_simulator/requests", self._requests), Route("/_simulator/objects", self._objects),
            Route("/_simulator/edit", self._edit, methods=["POST"]),
            Route("/_simulator/faults", self._faults, methods=["POST"]),
            Route("/_simulator/reset", self._reset, methods=["POST"]),
        ]  # fmt: skip

    def endpoint(self, answer: Answer) -> "Endpoint":
        """The application of one of the shop's paths."""
        return Endpoint(self, answer)

    async def respond(self, request: Request, answer: Answer) -> Response | None:
        """Answers a request; None where the connection was cut instead."""
        if self._latency:
            await asyncio.sleep(self._latency)
        path = request.url.path
        rule = self.faults.draw(path)
        self.log.append({
            "method": request.method, "path": path,
            "query": {name: value for name, value in request.query_params.items() if not _is_secret(name)},
            "fault": rule.fault if rule else None,
        })  # fmt: skip
        if rule is None:
            response = self._last[path] = answer(request, await request.body())
            return response
        return await self._spoilt(rule, request, answer)

    async def _spoilt(self, rule: Rule, request: Request, answer: Answer) -> Response | None:
        if rule.fault == "hangup":
            cut(request.scope, hard=False, after=None)
            return None
        if rule.fault == "slow":
            await asyncio.sleep(rule.milliseconds / 1000)
            return answer(request, await request.body())
        if rule.fault == "same_page" and request.url.path in self._last:
            return self._last[request.url.path]
        return self._instead(rule) or _damaged(rule, answer(request, await request.body()))

    def _instead(self, rule: Rule) -> Response | None:
        """What a host, a cache or a firewall answers in the shop's place."""
        if rule.fault == "http_429":
            headers = {} if rule.retry_after is None else {"Retry-After": rule.retry_after}
            return html_answer(429, "Too Many Requests", headers)
        if rule.fault.startswith("http_5"):
            return self._broken(int(rule.fault[-3:]))
        if rule.fault == "html_error":
            return html_answer(200, self._maintenance)
        if rule.fault == "firewall":
            return html_answer(403, "Attention Required! | A firewall has blocked this request")
        return None

    # --- control --------------------------------------------------------------------------------------

    async def _requests(self, request: Request) -> Response:
        after = int(request.query_params.get("after", 0))
        return json_answer({"requests": self.log[after:], "count": len(self.log)})

    async def _objects(self, request: Request) -> Response:
        return json_answer(self.shop.objects(request.query_params.get("list", "")))

    async def _edit(self, request: Request) -> Response:
        try:
            return json_answer(self.shop.edit(orjson.loads(await request.body())))
        except (UnknownThingError, orjson.JSONDecodeError) as error:
            return json_answer({"error": str(error)}, 400)

    async def _reset(self, request: Request) -> Response:
        del request
        self.reset()
        return json_answer({})

    def reset(self) -> None:
        """The shop as it was made, with nothing noted and nothing going wrong."""
        self.shop = self._opened()
        self.faults.load([])
        self.log.clear()
        self._last.clear()

    async def _faults(self, request: Request) -> Response:
        try:
            self.faults.load(orjson.loads(await request.body()))
        except (UnknownFaultError, orjson.JSONDecodeError) as error:
            return json_answer({"error": str(error)}, 400)
        return json_answer({"rules": len(self.faults.rules)})


class Endpoint:
    """A path as a bare ASGI application, because some answers are a cut connection."""

    def __init__(self, front: Front[Any], answer: Answer) -> None:
        self._front = front
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of the path."""
        response = await self._front.respond(Request(scope, receive), self._answer)
        if response is not None:
            await response(scope, receive, send)
            return
        # The connection is gone; returning before uvicorn knows would make it answer 500.
        while (await receive())["type"] != "http.disconnect":
            continue


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON; ids may be keys of it."""
    body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, media_type="application/json; charset=UTF-8")


def html_answer(status: int, title: str, headers: dict[str, str] | None = None) -> Response:
    """A page for people where an API should have answered."""
    return Response(_HTML.format(title), status, headers, media_type="text/html")


def _damaged(rule: Rule, whole: Response) -> Response:
    """The shop's answer, damaged on its way."""
    body = bytes(whole.body)
    if rule.fault == "wrong_shape":
        body = b'{"success": true}'
    elif rule.fault == "truncated_json":
        body = body[: len(body) // 2]
    elif rule.fault == "empty_answer":
        body = b""
    headers = {name: value for name, value in whole.headers.items() if name != "content-length"}
    return Response(body, whole.status_code, headers)


def _is_secret(name: str) -> bool:
    return name.startswith("oauth_") or name in ("consumer_key", "consumer_secret")

"""The shop as an HTTP application: the paths of WooCommerce and WordPress, refusals, faults, control.

What lives here: routes, headers and bodies. The lists are `shop.py`'s, parameters `questions.py`'s,
keys `keys.py`'s; running it is in `hosting.py`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graftport_dagster.simulator.transports import cut
from graftport_dagster.simulator.woocommerce.faults import Faults, Rule, UnknownFaultError
from graftport_dagster.simulator.woocommerce.keys import Keys, RefusedError
from graftport_dagster.simulator.woocommerce.made import Thing
from graftport_dagster.simulator.woocommerce.questions import InvalidParametersError, PageTooHighError, ask
from graftport_dagster.simulator.woocommerce.shop import Shop, UnknownThingError

_HTML = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_WC = {
    "products": "products", "products/categories": "categories", "products/tags": "tags", "orders": "orders",
    "products/attributes": "attributes", "customers": "customers", "coupons": "coupons", "taxes": "taxes",
}  # fmt: skip
_WC_NESTED = {
    "products/{parent}/variations": "variations", "products/attributes/{parent}/terms": "terms",
    "orders/{parent}/refunds": "refunds", "orders/{parent}/notes": "notes",
}  # fmt: skip
_WP = {
    "posts": "posts", "pages": "pages", "categories": "post_categories", "tags": "post_tags", "users": "users",
    "media": "media",
}  # fmt: skip
_PARENTS = {"variations": "products", "terms": "attributes", "refunds": "orders", "notes": "orders"}
_INVALID = {
    "products": ("woocommerce_rest_product_invalid_id", "Invalid ID."),
    "orders": ("woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
    "coupons": ("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID."),
    "customers": ("woocommerce_rest_invalid_id", "Invalid resource ID."),
    "posts": ("rest_post_invalid_id", "Invalid post ID."), "pages": ("rest_post_invalid_id", "Invalid post ID."),
}  # fmt: skip
_NO_ROUTE = ("rest_no_route", "No route was found matching the URL and request method.")


class Server:
    """One shop at one address. `opened` gives the shop, and gives it anew when it is reset."""

    def __init__(
        self, opened: Callable[[], Shop], keys: Keys, *, latency_ms: float = 0, plain_permalinks: bool = False,
        all_variations: bool = True,
    ) -> None:  # fmt: skip
        self._opened = opened
        self.shop = opened()
        self.keys = keys
        self.faults = Faults()
        self.log: list[Thing] = []
        self._latency = latency_ms / 1000
        self._plain_permalinks = plain_permalinks
        self._all_variations = all_variations
        self._last: dict[str, Response] = {}

    def application(self) -> Starlette:
        """The ASGI application."""
        wc, wp = "/wp-json/wc/v3", "/wp-json/wp/v2"
        routes = [
            *self._routes(wc, {"system_status": self._system_status, "settings/{group}": self._settings}),
            *self._routes(wc, {path: self._nested(name) for path, name in _WC_NESTED.items()}),
            *self._routes(wc, {path: self._listed(name) for path, name in _WC.items()}),
            *self._routes(wc, {f"{path}/{{id:int}}": self._single(name) for path, name in _WC.items()}),
            *self._routes(wp, {path: self._listed(name) for path, name in _WP.items()}),
            *self._routes(wp, {f"{path}/{{id:int}}": self._single(name) for path, name in _WP.items()}),
            Route("/_simulator/requests", self._requests), Route("/_simulator/edit", self._edit, methods=["POST"]),
            Route("/_simulator/faults", self._faults, methods=["POST"]),
            Route("/_simulator/objects", self._objects), Route("/_simulator/reset", self._reset, methods=["POST"]),
            Route("/{path:path}", _Endpoint(self, self._nowhere), methods=None),
        ]  # fmt: skip
        if self._all_variations:
            routes[:0] = self._routes(wc, {"variations": self._listed("variations")})
        return Starlette(routes=routes)

    def _routes(self, prefix: str, answers: Mapping[str, "Answer"]) -> list[Route]:
        return [Route(f"{prefix}/{path}", _Endpoint(self, answer), methods=None) for path, answer in answers.items()]

    # --- one request ----------------------------------------------------------------------------------

    async def respond(self, request: Request, answer: "Answer") -> Response | None:
        """Answers a request; None where the connection was cut instead."""
        if self._latency:
            await asyncio.sleep(self._latency)
        rule = self.faults.draw(request.url.path)
        self.log.append({
            "method": request.method, "path": request.url.path,
            "query": {name: value for name, value in request.query_params.items() if not _is_secret(name)},
            "fault": rule.fault if rule else None,
        })  # fmt: skip
        if rule is None:
            response = self._answered(request, answer)
            self._last[request.url.path] = response
            return response
        return await self._spoilt(rule, request, answer)

    def _answered(self, request: Request, answer: "Answer") -> Response:
        if self._plain_permalinks:
            return _html(404, "Page not found")
        try:
            if request.method not in ("GET", "HEAD"):
                return _error(404, *_NO_ROUTE)
            if "/wc/v3/" in request.url.path:
                self.keys.must_read(request)
            return answer(request)
        except RefusedError as refused:
            return _error(refused.status, refused.code, str(refused))
        except InvalidParametersError as wrong:
            details = {
                name: {"code": "rest_out_of_bounds", "message": it, "data": None} for name, it in wrong.wrong.items()
            }
            return _error(400, "rest_invalid_param", str(wrong), params=wrong.wrong, details=details)
        except PageTooHighError:
            message = "The page number requested is larger than the number of pages available."
            return _error(400, "rest_post_invalid_page_number", message)

    async def _spoilt(self, rule: Rule, request: Request, answer: "Answer") -> Response | None:
        if rule.fault == "hangup":
            cut(request.scope, hard=False, after=None)
            return None
        if rule.fault == "slow":
            await asyncio.sleep(rule.milliseconds / 1000)
            return self._answered(request, answer)
        if rule.fault == "same_page" and request.url.path in self._last:
            return self._last[request.url.path]
        return _instead(rule) or _broken(rule, self._answered(request, answer))

    # --- lists and things -----------------------------------------------------------------------------

    def _listed(self, name: str) -> "Answer":
        def answer(request: Request) -> Response:
            nested = self.shop.nested.get(name)
            things = self.shop.lists[name] if nested is None else [it for lists in nested.values() for it in lists]
            return self._page(name, things, request)

        return answer

    def _nested(self, name: str) -> "Answer":
        def answer(request: Request) -> Response:
            parent = int(request.path_params["parent"])
            if self.shop.find(_PARENTS[name], parent) is None:
                code, message = _INVALID.get(
                    _PARENTS[name], ("woocommerce_rest_taxonomy_invalid", "Resource does not exist.")
                )
                return _error(404, code, message)
            return self._page(name, self.shop.below(name, parent), request)

        return answer

    def _single(self, name: str) -> "Answer":
        def answer(request: Request) -> Response:
            found = self.shop.find(name, int(request.path_params["id"]))
            if found is None:
                return _error(404, *_INVALID.get(name, ("woocommerce_rest_term_invalid", "Resource does not exist.")))
            may_see_all = name not in ("posts", "pages") or self.keys.is_author(request)
            if not may_see_all and found["status"] != "publish":
                return _error(401, "rest_forbidden", "Sorry, you are not allowed to do that.")
            return _json(self._shown(name, found, request, may_see_all=may_see_all), 200)

        return answer

    def _page(self, name: str, things: list[Thing], request: Request) -> Response:
        query = {**request.query_params}
        is_author = "/wp/v2/" in request.url.path and self.keys.is_author(request)
        if query.get("context") == "edit" and not is_author and "/wp/v2/" in request.url.path:
            return _error(401, "rest_forbidden_context", "Sorry, you are not allowed to edit posts in this post type.")
        page = ask(name, things, query, may_see_all=is_author)
        shown = [self._shown(name, it, request, may_see_all=is_author) for it in page.things]
        headers = {"X-WP-Total": str(page.total), "X-WP-TotalPages": str(page.pages)}
        links = []
        if page.number > 1:
            links.append(f'<{request.url.include_query_params(page=page.number - 1)}>; rel="prev"')
        if page.number < page.pages:
            links.append(f'<{request.url.include_query_params(page=page.number + 1)}>; rel="next"')
        if links:
            headers["Link"] = ", ".join(links)
        return _json(shown, 200, headers)

    def _shown(self, name: str, thing: Thing, request: Request, *, may_see_all: bool) -> Thing:
        if name not in ("posts", "pages"):
            return thing
        shown = dict(thing)
        if not (may_see_all and request.query_params.get("context") == "edit"):
            for field in ("title", "content", "excerpt"):
                if field in shown:
                    shown[field] = {key: value for key, value in shown[field].items() if key != "raw"}
        if "_embed" in request.query_params:
            shown["_embedded"] = self._embedded(thing)
        return shown

    def _embedded(self, thing: Thing) -> Thing:
        found: Thing = {"author": [it for it in self.shop.lists["users"] if it["id"] == thing["author"]]}
        if picture := self.shop.find("media", thing["featured_media"]):
            found["wp:featuredmedia"] = [picture]
        if "categories" in thing:
            found["wp:term"] = [
                [it for it in self.shop.lists[name] if it["id"] in thing[of]]
                for name, of in (("post_categories", "categories"), ("post_tags", "tags"))
            ]
        return found

    def _settings(self, request: Request) -> Response:
        found = self.shop.settings.get(request.path_params["group"])
        if found is None:
            return _error(404, "rest_setting_setting_group_invalid", "Invalid setting group.")
        return _json(found, 200)

    def _system_status(self, request: Request) -> Response:
        del request
        return _json(self.shop.system_status, 200)

    def _nowhere(self, request: Request) -> Response:
        if request.url.path.startswith("/wp-json"):
            return _error(404, *_NO_ROUTE)
        return _html(404, "Page not found")

    # --- control --------------------------------------------------------------------------------------

    async def _requests(self, request: Request) -> Response:
        after = int(request.query_params.get("after", 0))
        return _json({"requests": self.log[after:], "count": len(self.log)}, 200)

    async def _objects(self, request: Request) -> Response:
        name = request.query_params.get("list", "")
        return _json(self.shop.lists.get(name, self.shop.nested.get(name)), 200)

    async def _edit(self, request: Request) -> Response:
        try:
            return _json(self.shop.edit(orjson.loads(await request.body())), 200)
        except (UnknownThingError, orjson.JSONDecodeError) as error:
            return _json({"error": str(error)}, 400)

    async def _reset(self, request: Request) -> Response:
        del request
        self.shop = self._opened()
        self.faults.load([])
        self.log.clear()
        self._last.clear()
        return _json({}, 200)

    async def _faults(self, request: Request) -> Response:
        try:
            self.faults.load(orjson.loads(await request.body()))
        except (UnknownFaultError, orjson.JSONDecodeError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"rules": len(self.faults.rules)}, 200)


Answer = Callable[[Request], Response]


class _Endpoint:
    """A path as a bare ASGI application, because some answers are a cut connection."""

    def __init__(self, server: Server, answer: Answer) -> None:
        self._server = server
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._server.respond(Request(scope, receive), self._answer)
        if response is not None:
            await response(scope, receive, send)
            return
        # The connection is gone; returning before uvicorn knows would make it answer 500.
        while (await receive())["type"] != "http.disconnect":
            continue


def _instead(rule: Rule) -> Response | None:
    """What a host, a cache or a firewall answers in the shop's place."""
    if rule.fault == "http_429":
        headers = {} if rule.retry_after is None else {"Retry-After": rule.retry_after}
        return _html(429, "Too Many Requests", headers)
    if rule.fault.startswith("http_5"):
        message = "There has been a critical error on this website."
        return _error(int(rule.fault[-3:]), "internal_server_error", message)
    if rule.fault == "html_error":
        return _html(200, "Briefly unavailable for scheduled maintenance. Check back in a minute.")
    if rule.fault == "firewall":
        return _html(403, "Attention Required! | A firewall has blocked this request")
    return None


def _broken(rule: Rule, whole: Response) -> Response:
    """The shop's answer, damaged on its way."""
    body = bytes(whole.body)
    if rule.fault == "wrong_shape":
        body = orjson.dumps({"success": True})
    elif rule.fault == "truncated_json":
        body = body[: len(body) // 2]
    elif rule.fault == "empty_answer":
        body = b""
    headers = {name: value for name, value in whole.headers.items() if name != "content-length"}
    return Response(body, whole.status_code, headers)


def _is_secret(name: str) -> bool:
    return name.startswith("oauth_") or name in ("consumer_key", "consumer_secret")


def _json(content: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS), status, headers,
        media_type="application/json; charset=UTF-8",
    )  # fmt: skip


def _html(status: int, title: str, headers: dict[str, str] | None = None) -> Response:
    return Response(_HTML.format(title=title), status, headers, media_type="text/html")


def _error(status: int, code: str, message: str, **more: Any) -> Response:
    return _json({"code": code, "message": message, "data": {"status": status, **more}}, status)

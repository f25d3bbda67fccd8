"""The shop as an HTTP application: the paths of WooCommerce and WordPress, refusals, faults, control.

What lives here: routes, headers and bodies. The lists are `shop.py`'s, parameters `questions.py`'s,
keys `keys.py`'s; faults and control `old_shops`'; running it is in `hosting.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graftport_dagster.simulator.old_shops.faults import Faults
from graftport_dagster.simulator.old_shops.front import Endpoint, Front, html_answer, json_answer
from graftport_dagster.simulator.woocommerce.keys import Keys, RefusedError
from graftport_dagster.simulator.woocommerce.made import Thing
from graftport_dagster.simulator.woocommerce.questions import InvalidParametersError, PageTooHighError, ask
from graftport_dagster.simulator.woocommerce.shop import Shop

_CRITICAL = "There has been a critical error on this website."
_CLOSED = "Briefly unavailable for scheduled maintenance. Check back in a minute."
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
        all_variations: bool = True, all_refunds: bool = True,
    ) -> None:  # fmt: skip
        self._front = Front(
            opened, broken=lambda status: _error(status, "internal_server_error", _CRITICAL), maintenance=_CLOSED,
            latency_ms=latency_ms,
        )  # fmt: skip
        self.keys = keys
        self._plain_permalinks = plain_permalinks
        self._all_variations = all_variations
        self._all_refunds = all_refunds

    @property
    def shop(self) -> Shop:
        """The shop as it is now."""
        return self._front.shop

    @property
    def faults(self) -> Faults:
        """What goes wrong."""
        return self._front.faults

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
            *self._front.routes(), Route("/{path:path}", self._endpoint(self._nowhere), methods=None),
        ]  # fmt: skip
        if self._all_variations:
            routes[:0] = self._routes(wc, {"variations": self._listed("variations")})
        if self._all_refunds:
            routes[:0] = self._routes(wc, {"refunds": self._listed("refunds")})
        return Starlette(routes=routes)

    def _routes(self, prefix: str, answers: Mapping[str, "Answer"]) -> list[Route]:
        return [Route(f"{prefix}/{path}", self._endpoint(answer), methods=None) for path, answer in answers.items()]

    # --- one request ----------------------------------------------------------------------------------

    def _endpoint(self, answer: "Answer") -> Endpoint:
        return self._front.endpoint(lambda request, _: self._answered(request, answer))

    def _answered(self, request: Request, answer: "Answer") -> Response:
        if self._plain_permalinks:
            return html_answer(404, "Page not found")
        try:
            if request.method not in ("GET", "HEAD"):
                return _error(404, *_NO_ROUTE)
            if "/wc/v3/" in request.url.path:
                self.keys.must_read(request)
            return answer(request)
        except RefusedError as refused:
            return _error(refused.status, refused.code, str(refused))
        except InvalidParametersError as wrong:
            return _error(400, "rest_invalid_param", str(wrong), params=wrong.wrong, details=wrong.details)
        except PageTooHighError:
            message = "The page number requested is larger than the number of pages available."
            return _error(400, "rest_post_invalid_page_number", message)

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
            return json_answer(self._shown(name, found, request, may_see_all=may_see_all), 200)

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
        return json_answer(shown, 200, headers)

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
        return json_answer(found, 200)

    def _system_status(self, request: Request) -> Response:
        del request
        return json_answer(self.shop.system_status, 200)

    def _nowhere(self, request: Request) -> Response:
        if request.url.path.startswith("/wp-json"):
            return _error(404, *_NO_ROUTE)
        return html_answer(404, "Page not found")


Answer = Callable[[Request], Response]


def _error(status: int, code: str, message: str, **more: Any) -> Response:
    return json_answer({"code": code, "message": message, "data": {"status": status, **more}}, status)

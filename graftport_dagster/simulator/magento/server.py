"""The shop as an HTTP application: Magento's paths, its refusals, faults, and control from outside.

What lives here: routes, headers and bodies. The lists are `shop.py`'s, searchCriteria
`questions.py`'s, signatures `proof.py`'s; running it is in `hosting.py`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graftport_dagster.simulator.magento import house
from graftport_dagster.simulator.magento.proof import Accounts, NotAuthorizedError
from graftport_dagster.simulator.magento.questions import Traps, WrongQuestionError, answer, projected
from graftport_dagster.simulator.magento.shop import KEYS, Shop, UnknownThingError
from graftport_dagster.simulator.transports import cut
from graftport_dagster.simulator.woocommerce.faults import Faults, Rule, UnknownFaultError

Thing = dict[str, Any]
# Path → list, and the resource of the access control list that it wants.
LISTS = {
    "products": ("products", "Magento_Catalog::products"),
    "products/attributes": ("attributes", "Magento_Catalog::attributes_attributes"),
    "categories/list": ("categories", "Magento_Catalog::categories"),
    "eav/attribute-sets/list": ("sets", "Magento_Catalog::sets"),
    "customers/search": ("customers", "Magento_Customer::manage"),
    "customerGroups/search": ("groups", "Magento_Customer::group"),
    "taxClasses/search": ("tax_classes", "Magento_Tax::manage_tax"),
    "orders": ("orders", "Magento_Sales::actions_view"),
    "invoices": ("invoices", "Magento_Sales::sales_invoice"),
    "creditmemos": ("creditmemos", "Magento_Sales::sales_creditmemo"),
    "shipments": ("shipments", "Magento_Sales::shipment"),
    "transactions": ("transactions", "Magento_Sales::transactions_fetch"),
    "salesRules/search": ("rules", "Magento_SalesRule::quote"),
    "coupons/search": ("coupons", "Magento_SalesRule::quote"),
    "cmsPage/search": ("pages", "Magento_Cms::page"),
    "inventory/sources": ("sources", "Magento_InventoryApi::source"),
    "inventory/source-items": ("source_items", "Magento_InventoryApi::source"),
    "giftcardaccounts/search": ("gift_cards", "Magento_GiftCardAccount::customer_giftcardaccount"),
}
_INVENTORY = ("sources", "source_items")
_STORES = "Magento_Backend::store"
_HTML = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


class NotThereError(Exception):
    """404, in Magento's words."""


class Server:
    """One shop at one address. `opened` gives the shop, and gives it anew when it is reset."""

    def __init__(
        self, opened: Callable[[], Shop], accounts: Accounts, *, traps: Traps, latency_ms: float = 0,
        has_inventory: bool = True, is_commerce: bool = False,
    ) -> None:  # fmt: skip
        self._opened = opened
        self.shop = opened()
        self.accounts = accounts
        self.traps = traps
        self.faults = Faults()
        self.log: list[Thing] = []
        self._latency = latency_ms / 1000
        self._has_inventory = has_inventory
        self._is_commerce = is_commerce
        self._last: dict[str, Response] = {}

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[
            Route("/_simulator/requests", self._requests), Route("/_simulator/objects", self._objects),
            Route("/_simulator/edit", self._edit, methods=["POST"]),
            Route("/_simulator/faults", self._faults, methods=["POST"]),
            Route("/_simulator/reset", self._reset, methods=["POST"]),
            Route("/_simulator/accounts", self._accounts, methods=["POST"]),
            Route("/{path:path}", _Endpoint(self), methods=None),
        ])  # fmt: skip

    # --- one request ----------------------------------------------------------------------------------

    async def respond(self, request: Request) -> Response | None:
        """Answers a request; None where the connection was cut instead."""
        if self._latency:
            await asyncio.sleep(self._latency)
        rule = self.faults.draw(request.url.path)
        self.log.append({
            "method": request.method, "path": request.url.path, "query": dict(request.query_params),
            "fault": rule.fault if rule else None,
        })  # fmt: skip
        if rule is None:
            response = self._answered(request, await request.body())
            self._last[request.url.path] = response
            return response
        if rule.fault == "hangup":
            cut(request.scope, hard=False, after=None)
            return None
        if rule.fault == "slow":
            await asyncio.sleep(rule.milliseconds / 1000)
        elif rule.fault == "same_page" and request.url.path in self._last:
            return self._last[request.url.path]
        return _instead(rule) or _broken(rule, self._answered(request, await request.body()))

    def _answered(self, request: Request, body: bytes) -> Response:
        try:
            return _json(projected(self._told(request, body), request.query_params.get("fields", "")))
        except NotAuthorizedError as refused:
            return _error(401, refused.message, refused.parameters)
        except WrongQuestionError as wrong:
            return _error(wrong.status, wrong.message, wrong.parameters)
        except NotThereError as missing:
            return _error(404, str(missing))

    def _told(self, request: Request, body: bytes) -> Any:
        store, path = _apart(request.url.path)
        if store is None:
            raise NotThereError("Request does not match any route.")
        if store not in {"", "all", *(view["code"] for view in house.VIEWS)}:
            raise NotThereError("The store that was requested wasn't found. Verify the store and try again.")
        if path == "integration/admin/token" and request.method == "POST":
            given = orjson.loads(body)
            return self.accounts.admin_token(given.get("username"), given.get("password"))
        if request.method != "GET":
            raise NotThereError("Request does not match any route.")
        return self._listed(request, path) or self._single(request, path, store)

    def _listed(self, request: Request, path: str) -> Thing | None:
        name, resource = LISTS.get(path, ("", ""))
        if not name or (name in _INVENTORY and not self._has_inventory):
            return None
        if name == "gift_cards" and not self._is_commerce:
            return None
        self._must_read(request, resource)
        if not any(one.startswith("searchCriteria") for one in request.query_params):
            raise WrongQuestionError('"%fieldName" is required. Enter and try again.', {"fieldName": "searchCriteria"})
        return answer(self.shop.lists[name], request.query_params, self.traps, key=KEYS[name])

    def _single(self, request: Request, path: str, store: str) -> Any:
        head, _, rest = path.partition("/")
        resource = {
            "store": _STORES, "directory": _STORES, "modules": _STORES, "categories": "Magento_Catalog::categories",
            "configurable-products": "Magento_Catalog::products", "products": "Magento_Catalog::products",
            "stockItems": "Magento_CatalogInventory::cataloginventory", "orders": "Magento_Sales::actions_view",
            "customers": "Magento_Customer::manage",
        }.get(head)  # fmt: skip
        if resource is None:
            raise NotThereError("Request does not match any route.")
        if head != "directory":
            self._must_read(request, resource)
        found = self._fixed(path, store) if head in ("store", "directory", "modules") else self._thing(head, rest)
        if found is None:
            raise NotThereError("Request does not match any route.")
        return found

    def _fixed(self, path: str, store: str) -> Any:
        view = next((one for one in house.VIEWS if one["code"] == store), house.VIEWS[0])
        site = next(one for one in house.WEBSITES if one["id"] == view["website_id"])
        tables = {
            "store/websites": [{"id": 0, "code": "admin", "name": "Admin", "default_group_id": 0}, *house.WEBSITES],
            "store/storeGroups": house.GROUPS,
            "store/storeViews": [{"id": 0, "code": "admin", "name": "Admin", "website_id": 0, "store_group_id": 0,
                                  "is_active": 1}, *house.VIEWS],
            "store/storeConfigs": house.configs(),
            "directory/countries": house.countries(house.COUNTRIES[site["code"]]),
            "modules": ["Magento_Store", "Magento_Catalog", *(["Magento_InventoryApi"] if self._has_inventory else []),
                        *(["Magento_GiftCardAccount"] if self._is_commerce else [])],
        }  # fmt: skip
        return tables.get(path)

    def _thing(self, head: str, rest: str) -> Any:
        if head == "categories" and not rest:
            return self._tree(self.shop.find("categories", 2))
        if head == "configurable-products" and rest.endswith("/children"):
            parent = self.shop.find("products", rest.removesuffix("/children"), by="sku") or {}
            ids = parent.get("extension_attributes", {}).get("configurable_product_links", [])
            return [self.shop.find("products", one) for one in ids]
        name, by = {"products": ("products", "sku"), "stockItems": ("products", "sku"), "orders": ("orders", ""),
                    "customers": ("customers", ""), "categories": ("categories", "")}.get(head, ("", ""))  # fmt: skip
        found = self.shop.find(name, rest, by=by) if name and rest else None
        if found is None:
            kind = "product" if by else "entity"
            raise NotThereError(f"The {kind} that was requested doesn't exist. Verify the {kind} and try again.")
        return self._stock_item(found) if head == "stockItems" else found

    def _stock_item(self, product: Thing) -> Thing:
        here = [one["quantity"] for one in self.shop.lists["source_items"] if one["sku"] == product["sku"]]
        return {
            "item_id": product["id"], "product_id": product["id"], "qty": sum(here), "is_in_stock": sum(here) > 0,
            "manage_stock": bool(here), "use_config_manage_stock": bool(here), "backorders": 0,
            "use_config_backorders": True,
        }  # fmt: skip

    def _tree(self, category: Thing | None) -> Thing | None:
        if category is None:
            return None
        below = [one for one in self.shop.lists["categories"] if one["parent_id"] == category["id"]]
        kept = {name: category[name] for name in ("id", "parent_id", "name", "is_active", "position", "level")}
        return {**kept, "product_count": 0, "children_data": [self._tree(one) for one in below]}

    def _must_read(self, request: Request, resource: str) -> None:
        self.accounts.must_read(
            resource, method=request.method, url=str(request.url).partition("?")[0],
            query=request.query_params.multi_items(), header=request.headers.get("authorization", ""),
        )  # fmt: skip

    # --- control --------------------------------------------------------------------------------------

    async def _requests(self, request: Request) -> Response:
        after = int(request.query_params.get("after", 0))
        return _json({"requests": self.log[after:], "count": len(self.log)})

    async def _objects(self, request: Request) -> Response:
        return _json(self.shop.lists.get(request.query_params.get("list", ""), []))

    async def _edit(self, request: Request) -> Response:
        try:
            return _json(self.shop.edit(orjson.loads(await request.body())))
        except (UnknownThingError, orjson.JSONDecodeError) as error:
            return _json({"error": str(error)}, 400)

    async def _accounts(self, request: Request) -> Response:
        given = orjson.loads(await request.body())
        if "resources" in given:
            self.accounts.resources = set(given["resources"])
        if "integration_as_bearer" in given:
            self.accounts.integration_as_bearer = bool(given["integration_as_bearer"])
        if given.get("revoke_admin_tokens"):
            self.accounts.admin_tokens.clear()
        return _json({})

    async def _reset(self, request: Request) -> Response:
        del request
        self.shop = self._opened()
        self.accounts.reset()
        self.faults.load([])
        self.log.clear()
        self._last.clear()
        return _json({})

    async def _faults(self, request: Request) -> Response:
        try:
            self.faults.load(orjson.loads(await request.body()))
        except (UnknownFaultError, orjson.JSONDecodeError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"rules": len(self.faults.rules)})


class _Endpoint:
    """Every path of Magento as a bare ASGI application, because some answers are a cut connection."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._server.respond(Request(scope, receive))
        if response is not None:
            await response(scope, receive, send)
            return
        # The connection is gone; returning before uvicorn knows would make it answer 500.
        while (await receive())["type"] != "http.disconnect":
            continue


def _apart(path: str) -> tuple[str | None, str]:
    """`/rest/de/V1/products` as the store's code and the rest; no code means the default store."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["rest", "V1"]:
        return "", "/".join(parts[2:])
    if len(parts) > 2 and parts[0] == "rest" and parts[2] == "V1":
        return parts[1], "/".join(parts[3:])
    return None, ""


def _instead(rule: Rule) -> Response | None:
    """What a host, a cache or a firewall answers in the shop's place."""
    if rule.fault == "http_429":
        headers = {} if rule.retry_after is None else {"Retry-After": rule.retry_after}
        return _html(429, "Too Many Requests", headers)
    if rule.fault.startswith("http_5"):
        return _error(
            int(rule.fault[-3:]), "Internal Error. Details are available in Magento log file. Report ID: webapi-65"
        )
    if rule.fault == "html_error":
        return _html(200, "Service Temporarily Unavailable")
    if rule.fault == "firewall":
        return _html(403, "Attention Required! | A firewall has blocked this request")
    return None


def _broken(rule: Rule, whole: Response) -> Response:
    """The shop's answer, damaged on its way."""
    body = bytes(whole.body)
    if rule.fault == "wrong_shape":
        body = b'{"success": true}'
    elif rule.fault == "truncated_json":
        body = body[: len(body) // 2]
    elif rule.fault == "empty_answer":
        body = b""
    return Response(body, whole.status_code, media_type="application/json; charset=utf-8")


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json; charset=utf-8")


def _error(status: int, message: str, parameters: object = None) -> Response:
    return _json({"message": message, **({"parameters": parameters} if parameters else {})}, status)


def _html(status: int, title: str, headers: dict[str, str] | None = None) -> Response:
    return Response(_HTML.format(title), status, headers, media_type="text/html")

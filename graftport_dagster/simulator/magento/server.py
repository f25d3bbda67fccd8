"""The shop as an HTTP application: Magento's paths, its refusals, faults, and control from outside.

What lives here: routes and bodies. The lists are `shop.py`'s, searchCriteria
`questions.py`'s, signatures `proof.py`'s; faults and control `old_shops`'; running it is in `hosting.py`.
"""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graftport_dagster.simulator.magento import house
from graftport_dagster.simulator.magento.proof import Accounts, NotAuthorizedError
from graftport_dagster.simulator.magento.questions import Traps, WrongQuestionError, answer, projected
from graftport_dagster.simulator.magento.shop import COLUMNS, Shop
from graftport_dagster.simulator.old_shops.faults import Faults
from graftport_dagster.simulator.old_shops.front import Front, Thing, json_answer

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
_REPORT = "Internal Error. Details are available in Magento log file. Report ID: webapi-65"


class NotThereError(Exception):
    """404, in Magento's words."""


class Server:
    """One shop at one address. `opened` gives the shop, and gives it anew when it is reset."""

    def __init__(
        self, opened: Callable[[], Shop], accounts: Accounts, *, traps: Traps, latency_ms: float = 0,
        has_inventory: bool = True, is_commerce: bool = False,
    ) -> None:  # fmt: skip
        self._front = Front(
            opened, broken=lambda status: _error(status, _REPORT), maintenance="Service Temporarily Unavailable",
            latency_ms=latency_ms,
        )  # fmt: skip
        self.accounts = accounts
        self.traps = traps
        self._has_inventory = has_inventory
        self._is_commerce = is_commerce

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
        return Starlette(routes=[
            Route("/_simulator/reset", self._reset, methods=["POST"]),
            Route("/_simulator/accounts", self._accounts, methods=["POST"]),
            *self._front.routes(),
            Route("/{path:path}", self._front.endpoint(self._answered), methods=None),
        ])  # fmt: skip

    # --- one request ----------------------------------------------------------------------------------

    def _answered(self, request: Request, body: bytes) -> Response:
        try:
            return json_answer(projected(self._told(request, body), request.query_params.get("fields", "")))
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
        return answer(self.shop.lists[name], request.query_params, self.traps, COLUMNS.get(name, {}))

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

    async def _accounts(self, request: Request) -> Response:
        given = orjson.loads(await request.body())
        if "resources" in given:
            self.accounts.resources = set(given["resources"])
        if "integration_as_bearer" in given:
            self.accounts.integration_as_bearer = bool(given["integration_as_bearer"])
        if given.get("revoke_admin_tokens"):
            self.accounts.admin_tokens.clear()
        return json_answer({})

    async def _reset(self, request: Request) -> Response:
        del request
        self._front.reset()
        self.accounts.reset()
        return json_answer({})


def _apart(path: str) -> tuple[str | None, str]:
    """`/rest/de/V1/products` as the store's code and the rest; no code means the default store."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["rest", "V1"]:
        return "", "/".join(parts[2:])
    if len(parts) > 2 and parts[0] == "rest" and parts[2] == "V1":
        return parts[1], "/".join(parts[3:])
    return None, ""


def _error(status: int, message: str, parameters: object = None) -> Response:
    return json_answer({"message": message, **({"parameters": parameters} if parameters else {})}, status)

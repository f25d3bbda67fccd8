"""Magento's REST API as lists without gaps and doubles, its refusals in its own words.

Facts it rests on: pages are asked by id (`entity_id gt` the last one, in that order), because a
numbered page past the end repeats the last one in older versions (magento2 #3787), unordered pages
repeat rows (#25001), and numbered ones skip rows when something is deleted meanwhile. A message has
its values apart (`%1`, `%name`); a missing permission is answered 401, as is a wrong token.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graftport_dagster.errors import CredentialsError, RemoteFaultError
from graftport_dagster.records import JsonObject
from graftport_dagster.settings import resolve_secret
from graftport_dagster.source_settings.magento import MagentoSettings
from graftport_dagster.sources.magento.signing import Bearer, Integration, Signature
from graftport_dagster.sources.rest_reader import Patience, RestReader

# So many characters of values in one question: servers refuse longer addresses.
_LONGEST_LIST = 1500
_MANY = 100
_STOCK = "inventory/source-items"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition of searchCriteria; all of a question's conditions must hold."""

    field: str
    value: str
    condition: str = "eq"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the API: its path, what its ids are called in a filter and in an item."""

    path: str
    filter_field: str = "entity_id"
    item_key: str = "entity_id"


PRODUCTS = Listing("products", item_key="id")
ATTRIBUTES = Listing("products/attributes", "attribute_id", "attribute_id")
ATTRIBUTE_SETS = Listing("eav/attribute-sets/list", "attribute_set_id", "attribute_set_id")
CATEGORIES = Listing("categories/list", item_key="id")
CUSTOMERS = Listing("customers/search", item_key="id")
CUSTOMER_GROUPS = Listing("customerGroups/search", "id", "id")
TAX_CLASSES = Listing("taxClasses/search", "class_id", "class_id")
ORDERS = Listing("orders")
INVOICES = Listing("invoices")
CREDITMEMOS = Listing("creditmemos")
SHIPMENTS = Listing("shipments")
RULES = Listing("salesRules/search", "rule_id", "rule_id")
COUPONS = Listing("coupons/search", "coupon_id", "coupon_id")
PAGES = Listing("cmsPage/search", "page_id", "id")


def magento_words(body: Any) -> str:
    """A refusal with its values put in: `{"message": "… %1", "parameters": […]}`."""
    if not isinstance(body, dict):
        return ""
    text, given = str(body.get("message") or ""), body.get("parameters")
    values = dict(enumerate(given, 1)) if isinstance(given, list) else given if isinstance(given, dict) else {}
    for name in sorted(values, key=lambda each: -len(str(each))):
        text = text.replace(f"%{name}", str(values[name]))
    return text


class MagentoClient:
    """Asks one shop; `store`: the store view whose texts are wanted, `all` for the default ones."""

    def __init__(self, settings: MagentoSettings, folder: Path, *, stop: Callable[[], bool] = lambda: False) -> None:
        self._settings = settings
        self._bearer: Bearer | None = None
        secrets = {
            name: resolve_secret(value, base=folder)
            for name in ("consumer_key", "consumer_secret", "access_token", "access_token_secret", "admin_user",
                         "admin_password")
            if (value := getattr(settings, name))
        }  # fmt: skip
        self._admin = (secrets.get("admin_user", ""), secrets.get("admin_password", ""))
        auth: Bearer | Signature
        if "consumer_key" in secrets:
            auth = Signature(Integration(
                secrets["consumer_key"], secrets["consumer_secret"], secrets["access_token"],
                secrets["access_token_secret"],
            ))  # fmt: skip
        else:
            auth = self._bearer = Bearer(secrets.get("access_token", ""))
        self._reader = RestReader(
            "Magento", settings.url, auth=auth, words=magento_words, stop=stop,
            secrets=tuple(value for name, value in secrets.items() if name != "admin_user"),
            patience=Patience(settings.timeout_seconds, settings.attempts, settings.requests_per_second),
        )  # fmt: skip

    def close(self) -> None:
        """Closes the connections."""
        self._reader.close()

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, store: str = "") -> Any:
        """The JSON of one path. Raises CredentialsError that names the permission, ConfigurationError for 404."""
        whole = f"/rest/{store or self._settings.store_view}/V1/{path}"
        if self._admin[0] and self._bearer is not None and not self._bearer.token:
            self._sign_in()
        try:
            return self._reader.get(whole, params).json
        except CredentialsError as error:
            if self._bearer is None or not self._admin[0] or error.code != "SOURCE_UNAUTHORIZED":
                raise _permission(error) from error
        # An admin's token lives four hours.
        self._sign_in()
        try:
            return self._reader.get(whole, params).json
        except CredentialsError as error:
            raise _permission(error) from error

    def _sign_in(self) -> None:
        if self._bearer is None:
            return
        self._bearer.token = ""
        user, password = self._admin
        token = self._reader.ask(
            "POST", "/rest/V1/integration/admin/token", body={"username": user, "password": password}
        ).json
        if not isinstance(token, str):
            raise _unexpected("integration/admin/token", "no token")
        self._bearer.token = token

    # --- lists ----------------------------------------------------------------------------------------

    def pages(
        self, listing: Listing, filters: Sequence[Filter] = (), *, fields: str = "", store: str = ""
    ) -> Iterator[list[JsonObject]]:
        """The whole list in pages, in the order of ids. Raises RemoteFaultError for a page that cannot be right."""
        last = -1
        while True:
            after = [Filter(listing.filter_field, str(last), "gt")] if last >= 0 else []
            params = _criteria([*filters, *after], self._settings.page_size, listing.filter_field)
            if fields:
                params["fields"] = f"items[{fields}],total_count"
            items, total = self._page(listing.path, params, store)
            ids = [_id_of(item, listing) for item in items]
            if ids != sorted(set(ids)) or (ids and ids[0] <= last):
                raise RemoteFaultError(
                    f"Magento gave records of {listing.path} twice, or not in the order that was asked for.",
                    code="PAGE_REPEATED", hint="Look for a cache, or a module that changes the answers of the API.",
                )  # fmt: skip
            yield items
            if len(items) >= total:
                return
            if not items:
                raise _unexpected(listing.path, f"an empty page, though {total} records are left")
            last = ids[-1]

    def items(
        self, listing: Listing, filters: Sequence[Filter] = (), *, fields: str = "", store: str = ""
    ) -> Iterator[JsonObject]:
        """The whole list, record by record."""
        for page in self.pages(listing, filters, fields=fields, store=store):
            yield from page

    def having(
        self, listing: Listing, field: str, values: Iterable[object], *, fields: str = ""
    ) -> Iterator[JsonObject]:
        """The records whose field is one of the values, asked in portions."""
        for portion in _portions(sorted({str(value) for value in values})):
            yield from self.items(listing, [Filter(field, portion, "in")], fields=fields)

    def stock(self, skus: Iterable[str]) -> Iterator[JsonObject]:
        """Stock by source (MSI) of these SKUs; 404 where the shop has no such module."""
        plain = sorted({sku for sku in skus if "," not in sku})
        asked = [Filter("sku", portion, "in") for portion in _portions(plain)]
        asked += [Filter("sku", sku) for sku in sorted(set(skus) - set(plain))]
        for one in asked:
            yield from self._stock_of(one)

    def _stock_of(self, one: Filter) -> list[JsonObject]:
        """Items have no id to go on from: where some came or went between two pages, they are asked for once more."""
        params = _criteria([one], self._settings.page_size, "source_item_id")
        for _ in range(_TRIES):
            found, known = self._page(_STOCK, params, "")
            number, total = 1, known
            while len(found) < known == total:
                number += 1
                items, total = self._page(_STOCK, {**params, _page(): number}, "")
                if not items and total == known:
                    raise _unexpected(_STOCK, f"an empty page, though {total - len(found)} records are left")
                found += items
            if total == known:
                return found
        raise _unexpected(_STOCK, "a list that is another one each time")

    def latest(self, listing: Listing, field: str) -> tuple[JsonObject | None, int]:
        """The record with the greatest value of that field, and how many there are."""
        params = _criteria([], 1, field, direction="DESC")
        items, total = self._page(listing.path, params, "")
        return (items[0] if items else None), total

    def _page(self, path: str, params: Mapping[str, str | int], store: str) -> tuple[list[JsonObject], int]:
        body = self.get(path, params, store=store)
        if not isinstance(body, dict) or type(body.get("total_count")) is not int:
            raise _unexpected(path, "no list of records")
        items, total = body.get("items"), body["total_count"]
        # Some lists answer null where they are empty.
        items = [] if items is None and total == 0 else items
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise _unexpected(path, "no list of records")
        return items, total


def _criteria(filters: Sequence[Filter], size: int, order: str, *, direction: str = "ASC") -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for place, one in enumerate(filters):
        start = f"searchCriteria[filter_groups][{place}][filters][0]"
        found |= {f"{start}[field]": one.field, f"{start}[value]": one.value, f"{start}[condition_type]": one.condition}
    return found | {
        "searchCriteria[sortOrders][0][field]": order, "searchCriteria[sortOrders][0][direction]": direction,
        "searchCriteria[pageSize]": size, _page(): 1,
    }  # fmt: skip


def _page() -> str:
    return "searchCriteria[currentPage]"


def _id_of(item: JsonObject, listing: Listing) -> int:
    found = str(item.get(listing.item_key, ""))
    if not found.isdecimal():
        raise _unexpected(listing.path, f"a record without {listing.item_key}")
    return int(found)


def _portions(values: Sequence[str]) -> Iterator[str]:
    portion: list[str] = []
    for value in values:
        if portion and (len(portion) >= _MANY or sum(map(len, portion)) + len(portion) + len(value) > _LONGEST_LIST):
            yield ",".join(portion)
            portion = []
        portion.append(value)
    if portion:
        yield ",".join(portion)


def _unexpected(path: str, what: str) -> RemoteFaultError:
    return RemoteFaultError(
        f"Magento answered {path} with {what}.", code="UNEXPECTED_ANSWER",
        hint="Look at the answer in a browser's tools, and for a module that changes the API.",
    )  # fmt: skip


def _permission(error: CredentialsError) -> CredentialsError:
    """A missing permission named as such; Magento answers it 401, like a wrong token."""
    _, found, resource = error.message.partition("isn't authorized to access ")
    if not found:
        return error
    return CredentialsError(
        error.message, code="SOURCE_FORBIDDEN",
        hint=f"Give the integration the resource {resource.strip(' .')} (System, Integrations, API), and activate it "
        "again. Where everything is refused so, the token is wrong, or bearer tokens are off and the four secrets "
        "are needed.",
    )  # fmt: skip

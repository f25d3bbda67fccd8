"""Records whole: products with their variations, orders with their refunds, and what has no list of its own.

What lives here: what belongs to one record and under which id. Which of them are read, and from
when on, is in `source.py`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from graftport_dagster.errors import ConfigurationError, CredentialsError
from graftport_dagster.records import InvalidRow, JsonObject, SourceRecord
from graftport_dagster.source_settings.woocommerce import WooCommerceSettings
from graftport_dagster.sources.woocommerce.asking import WC, WP, Asking, unexpected
from graftport_dagster.sources.woocommerce.pages import Params, every

_MARKET = "selling_locations"


class Whole:
    """Puts records together."""

    def __init__(self, asking: Asking, settings: WooCommerceSettings) -> None:
        self._asking = asking
        self._settings = settings
        self._units: JsonObject | None = None
        self._trash: set[int] | None = None
        self._lists_variations = True
        self._lists_refunds = True

    def begin(self) -> None:
        """Forgets what was asked once for the records of a reading."""
        self._units = self._trash = None

    def products(self, products: Iterator[JsonObject]) -> Iterator[SourceRecord | InvalidRow]:
        """Each with its variations under `variants`, in their order in the shop."""
        while some := list(islice(products, self._settings.page_size)):
            together = self._variations_of(some)
            for product in some:
                if not _is_variable(product):
                    yield self._record(product, "products", {"variants": []} | self._measured())
                elif together is None:
                    path = f"{WC}products/{product['id']}/variations"
                    yield self._product(product, list(every(self._asking, path, {}, self._settings.page_size)))
                else:
                    yield self._product(product, together[product["id"]])

    def _variations_of(self, products: list[JsonObject]) -> dict[int, list[JsonObject]] | None:
        """Those of several products at once, by product; None where WooCommerce, before 10.3, has no such list."""
        if not self._lists_variations:
            return None
        wanted = [number for product in products for number in product.get("variations") or ()]
        found: dict[int, list[JsonObject]] = {product["id"]: [] for product in products}
        try:
            for variation in self.including("variations", wanted, {}):
                found.setdefault(variation["parent_id"], []).append(variation)
        except ConfigurationError as error:
            if error.code != "SOURCE_NOT_FOUND":
                raise
            self._lists_variations = False
            return None
        return found

    def including(self, name: str, wanted: list[int], params: Params) -> Iterator[JsonObject]:
        """Those of a list that have these ids, as far as they are there."""
        size = self._settings.page_size
        for start in range(0, len(wanted), size):
            some = ",".join(map(str, wanted[start : start + size]))
            yield from every(self._asking, f"{WC}{name}", {**params, "include": some}, size)

    def _product(self, product: JsonObject, found: list[JsonObject]) -> SourceRecord | InvalidRow:
        absent = set(product.get("variations") or ()) - {it["id"] for it in found}
        if absent:
            return self._lacking(product, "products", "variations", absent, len(found) + 1, code="VARIATIONS_MISSING")
        found.sort(key=lambda it: (it.get("menu_order") or 0, it["id"]))
        return self._record(product, "products", {"variants": found} | self._measured(), rows=len(found) + 1)

    def _lacking(
        self, thing: JsonObject, path: str, parts: str, absent: set[int], rows: int, *, code: str
    ) -> InvalidRow:
        return InvalidRow(
            raw="", code=code, source_id=str(thing["id"]), rows=rows, origin=self._origin(path, thing["id"]),
            reason=f"It names {len(absent)} {parts} that the shop does not give: {_some(absent)}.",
            hint="Save it in WooCommerce once, and read again.",
        )  # fmt: skip

    def _measured(self) -> JsonObject:
        """The units of weights and sizes, which WooCommerce keeps in its settings; asked once."""
        if self._units is None:
            try:
                found = self._setting("products")
            except CredentialsError:
                # A key that may read products need not be one that may read settings.
                found = {}
            units = {"weight_unit": "woocommerce_weight_unit", "dimension_unit": "woocommerce_dimension_unit"}
            self._units = {name: found[key] for name, key in units.items() if found.get(key)}
        return self._units

    def orders(self, orders: Iterator[JsonObject]) -> Iterator[SourceRecord | InvalidRow]:
        """Each with its refunds whole, and its notes where the settings want them."""
        while some := list(islice(orders, self._settings.page_size)):
            together = self._refunds_of(some)
            for order in some:
                wanted = sorted(it["id"] for it in order.get("refunds") or ())
                found = [together[number] for number in wanted if number in together]
                if len(found) < len(wanted):
                    found = list(every(self._asking, f"{WC}orders/{order['id']}/refunds", {}, self._settings.page_size))
                if absent := set(wanted) - {it["id"] for it in found}:
                    yield self._lacking(order, "orders", "refunds", absent, len(found) + 1, code="REFUNDS_MISSING")
                else:
                    yield self._order(order, [_of_its_order(it) for it in found]) or self._deleted(order)

    def _refunds_of(self, orders: list[JsonObject]) -> dict[int, JsonObject]:
        """Those of several orders at once, by their own ids; none where WooCommerce, before 9.0, has no such list."""
        wanted = [it["id"] for order in orders for it in order.get("refunds") or ()]
        if not self._lists_refunds or not wanted:
            return {}
        try:
            # The list cannot be asked by orders: WooCommerce passes over `parent` there.
            return {it["id"]: it for it in self.including("refunds", wanted, {})}
        except ConfigurationError as error:
            if error.code != "SOURCE_NOT_FOUND":
                raise
            self._lists_refunds = False
            return {}

    def _order(self, order: JsonObject, refunds: list[JsonObject]) -> SourceRecord | None:
        trash = self._in_trash()
        more: JsonObject = {
            "trashed_products": [it["product_id"] for it in order["line_items"] if it.get("product_id") in trash]
        }
        if refunds:
            more["refunds"] = refunds
        if self._settings.order_notes:
            try:
                # Notes have no orders and no pages in WooCommerce.
                more["notes"], _ = self._asking.get_list(f"{WC}orders/{order['id']}/notes", {})
            except ConfigurationError as error:
                if "order_invalid_id" not in error.message:
                    raise
                return None
        return self._record(order, "orders", more, rows=1 + len(refunds))

    def _deleted(self, order: JsonObject) -> InvalidRow:
        return InvalidRow(
            raw="", code="RECORD_CHANGED", source_id=str(order["id"]), origin=self._origin("orders", order["id"]),
            reason="It was deleted while the shop was read.", hint="Run again.",
        )  # fmt: skip

    def _in_trash(self) -> set[int]:
        """Products that orders still name, and that are not read; asked once."""
        if self._trash is None:
            params = {"status": "trash", "_fields": "id"}
            found = every(self._asking, f"{WC}products", params, self._settings.page_size)
            self._trash = {it["id"] for it in found}
        return self._trash

    def coupon(self, coupon: JsonObject) -> SourceRecord:
        """With the products of the variations it names, and the accounts of the addresses it is for."""
        wanted = list(coupon.get("product_ids") or ())
        more: JsonObject = {"variation_parents": [], "missing_products": [], "restricted_customers": []}
        for number in set(wanted) - self._products_among(wanted):
            try:
                found = self._asking.get(f"{WC}products/{number}").json
            except ConfigurationError as error:
                if error.code != "SOURCE_NOT_FOUND":
                    raise
                found = {}
            if found.get("parent_id"):
                more["variation_parents"].append({"id": number, "parent_id": found["parent_id"]})
            else:
                more["missing_products"].append(number)
        for email in coupon.get("email_restrictions") or ():
            if "*" not in email:
                found, _ = self._asking.get_list(f"{WC}customers", {"email": email, "role": "all"})
                more["restricted_customers"] += [{"id": it["id"], "email": email} for it in found]
        return self._record(coupon, "coupons", more)

    def _products_among(self, wanted: list[int]) -> set[int]:
        return {it["id"] for it in self.including("products", wanted, {"_fields": "id"})}

    def categories(self) -> Iterator[SourceRecord]:
        """Each with the names above it, and the address that it had."""
        found = list(every(self._asking, f"{WC}products/categories", {}, self._settings.page_size))
        by_id = {it["id"]: it for it in found}
        for category in found:
            line = _line(category, by_id)
            slugs = "/".join(it["slug"] for it in line)
            url_path = f"/{self._settings.category_base.strip('/')}/{slugs}/"
            # How many products are in it changes daily, and is no part of it.
            payload = {name: value for name, value in category.items() if name not in ("count", "_links")}
            payload |= {"path": [it["name"] for it in line], "url_path": url_path}
            yield SourceRecord(str(category["id"]), payload, origin=self._origin("products/categories", category["id"]))

    def plain(self, thing: JsonObject, path: str) -> SourceRecord:
        """A record of one row, as it is."""
        return self._record(thing, path, {})

    def article(self, entry: JsonObject, path: str) -> SourceRecord:
        """A post or page with its author, picture and terms."""
        embedded = entry.get("_embedded") or {}
        author, *_ = embedded.get("author") or [{}]
        picture, *_ = embedded.get("wp:featuredmedia") or [{}]
        terms = [term for group in embedded.get("wp:term") or () for term in group if isinstance(term, dict)]
        payload = {name: value for name, value in entry.items() if name not in ("_embedded", "_links")}
        payload |= {
            "author_name": author.get("name"),
            "image": {"src": picture["source_url"], "alt": picture.get("alt_text", "")}
            if picture.get("source_url") else None,
            "category_names": [it["name"] for it in terms if it.get("taxonomy") == "category"],
            "tag_names": [it["name"] for it in terms if it.get("taxonomy") == "post_tag"],
        }  # fmt: skip
        return SourceRecord(
            str(entry["id"]),
            payload,
            _moment(entry.get("modified_gmt")),
            origin=f"{self._asking.url}{WP}{path}/{entry['id']}",
        )

    def market(self) -> SourceRecord:
        """Where the shop sells, in which currency; the one record of its settings."""
        groups = {name: self._setting(name) for name in ("general", "products", "tax")}
        general = groups["general"]
        country, _, state = str(general.get("woocommerce_default_country", "")).partition(":")
        payload: JsonObject = {
            "country": country, "state": state, "currency": general.get("woocommerce_currency"),
            "allowed_countries": general.get("woocommerce_allowed_countries"),
            "specific_countries": general.get("woocommerce_specific_allowed_countries") or [],
            "except_countries": general.get("woocommerce_all_except_countries") or [],
            "prices_include_tax": groups["tax"].get("woocommerce_prices_include_tax") == "yes",
            "weight_unit": groups["products"].get("woocommerce_weight_unit"),
        }  # fmt: skip
        return SourceRecord(_MARKET, payload, origin=f"{self._asking.url}{WC}settings/general")

    def _setting(self, group: str) -> JsonObject:
        path = f"{WC}settings/{group}"
        found = self._asking.get(path).json
        if not isinstance(found, list) or not all(isinstance(it, dict) and "id" in it for it in found):
            raise unexpected(path, "something else than a list of settings")
        return {it["id"]: it.get("value") for it in found}

    def redirects(self) -> Iterator[SourceRecord]:
        """The address that each category, product, post and page had."""
        for category in self.categories():
            yield self._redirect(category.payload["url_path"], "collections", category.source_id)
        size = self._settings.page_size
        lists: tuple[tuple[str, str, str, Params], ...] = (
            (f"{WC}products", "products", "permalink", {"status": "publish"}),
            (f"{WP}posts", "blogs", "link", {}), (f"{WP}pages", "blogs", "link", {}),
        )  # fmt: skip
        for path, target, name, params in lists:
            for thing in every(self._asking, path, {**params, "_fields": f"id,{name}"}, size):
                address = urlsplit(str(thing.get(name) or ""))
                # Without a path it is the shop's front page, which needs no redirect.
                if address.path.strip("/") and not address.query:
                    yield self._redirect(address.path, target, str(thing["id"]))

    def _redirect(self, path: str, target: str, source_id: str) -> SourceRecord:
        payload = {"path": path, "target": {"resource_type": target, "source_id": source_id}}
        return SourceRecord(path, payload, origin=f"{self._asking.url}{path}")

    def _record(self, thing: JsonObject, path: str, more: JsonObject, *, rows: int = 1) -> SourceRecord:
        # Links are the API's own, and the price as HTML changes with the theme.
        payload = {name: value for name, value in thing.items() if name not in ("_links", "price_html", "related_ids")}
        changed = _moment(thing.get("date_modified_gmt"))
        return SourceRecord(str(thing["id"]), payload | more, changed, rows, self._origin(path, thing["id"]))

    def _origin(self, path: str, number: int) -> str:
        return f"{self._asking.url}{WC}{path}/{number}"


def _of_its_order(refund: JsonObject) -> JsonObject:
    """As the order's own list gives it: the same record, whichever way it was read."""
    return {name: value for name, value in refund.items() if name != "parent_id"}


def _is_variable(product: JsonObject) -> bool:
    return product.get("type") == "variable" or bool(product.get("variations"))


def _line(category: JsonObject, by_id: dict[int, JsonObject]) -> list[JsonObject]:
    """From the root down to the category; a circle ends where it closes."""
    line: list[JsonObject] = []
    current: JsonObject | None = category
    while current is not None and current not in line:
        line.insert(0, current)
        current = by_id.get(current.get("parent") or 0)
    return line


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def _some(numbers: set[int]) -> str:
    shown = sorted(numbers)[:5]
    return ", ".join(map(str, shown)) + (" …" if len(numbers) > len(shown) else "")

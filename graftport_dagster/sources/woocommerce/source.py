"""A WooCommerce shop as the pipeline sees it: types, reading from a cursor on, freshness, check.

Products, orders and coupons are read from the moment of the last reading on; customers, categories
and the rest always whole, because WooCommerce cannot say when they changed. What was removed is
seen only by a whole reading. How lists are read is in `pages.py`, what a record is in `whole.py`.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import orjson

from graftport_dagster.errors import ConfigurationError, GraftportError
from graftport_dagster.records import CheckResult, InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.source_settings.woocommerce import WooCommerceSettings
from graftport_dagster.sources.rest_reader import Clock, encryption
from graftport_dagster.sources.source import Freshness
from graftport_dagster.sources.woocommerce.asking import REAL_TIME, WC, WP, Asking
from graftport_dagster.sources.woocommerce.pages import Params, Reading, every, total_of
from graftport_dagster.sources.woocommerce.whole import Whole

TYPES = (
    ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.DISCOUNT_CODES,
    ResourceType.ORDERS, ResourceType.BLOGS, ResourceType.MARKETS, ResourceType.REDIRECTS,
)  # fmt: skip
_INCREMENTAL = frozenset({ResourceType.PRODUCTS, ResourceType.DISCOUNT_CODES, ResourceType.ORDERS, ResourceType.BLOGS})
_LISTS = {
    ResourceType.PRODUCTS: "products", ResourceType.DISCOUNT_CODES: "coupons", ResourceType.ORDERS: "orders",
    ResourceType.CUSTOMERS: "customers",
}  # fmt: skip
_POSTS = ("posts", "pages")
_EVERY_STATUS = "publish,future,draft,pending,private"
_Items = Iterator[SourceRecord | InvalidRow]


class WooCommerceSource:
    """Reads one shop. Nothing is asked before it is read."""

    def __init__(
        self, settings: WooCommerceSettings, folder: Path, *, stop: Callable[[], bool] = lambda: False,
        clock: Clock = REAL_TIME,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._asking = Asking(settings, folder, stop=stop, clock=clock)
        self._whole = Whole(self._asking, settings)
        self._cursors: dict[ResourceType, JsonObject] = {}

    def resource_types(self) -> tuple[ResourceType, ...]:
        """All that WooCommerce has."""
        return tuple(kind for kind in ResourceType if kind in TYPES)

    def read(self, resource_type: ResourceType, since: JsonObject | None) -> _Items:
        """Every record, or those changed since the cursor. Raises ConfigurationError, TransientError."""
        self._cursors.pop(resource_type, None)
        if resource_type in _INCREMENTAL:
            return self._read_since(resource_type, since)
        if resource_type is ResourceType.COLLECTIONS:
            return self._whole.categories()
        if resource_type is ResourceType.CUSTOMERS:
            params = {"role": self._settings.customer_role}
            return (self._whole.plain(it, "customers") for it in self._every("customers", params))
        if resource_type is ResourceType.MARKETS:
            return iter([self._whole.market()])
        if resource_type is ResourceType.REDIRECTS:
            return self._whole.redirects()
        raise ConfigurationError(
            f"WooCommerce has no {resource_type} that can be read over its API.", code="NO_FILES",
            hint=f"Export them with the plugin that keeps them, and name the file under source.files.{resource_type}.",
        )  # fmt: skip

    def conclusive(self, resource_type: ResourceType) -> bool:
        """After `read`: a list read to its end says what is gone."""
        del resource_type
        return True

    def cursor(self, resource_type: ResourceType) -> JsonObject | None:
        """After `read`: the moment, by the shop's clock, when that reading began."""
        return self._cursors.get(resource_type)

    def close(self) -> None:
        """Closes the connections."""
        self._asking.close()

    # --- reading ------------------------------------------------------------------------------------

    def _every(self, path: str, params: Params, reading: Reading | None = None) -> Iterator[JsonObject]:
        return every(self._asking, f"{WC}{path}", params, self._settings.page_size, reading)

    def _read_since(self, resource_type: ResourceType, since: JsonObject | None) -> _Items:
        reading = Reading()
        self._whole.begin()
        after = self._after(since)
        if resource_type is ResourceType.BLOGS:
            yield from self._articles(after, reading)
        elif resource_type is ResourceType.PRODUCTS:
            yield from self._whole.products(self._products(after, reading))
        elif resource_type is ResourceType.ORDERS:
            yield from self._whole.orders(self._every("orders", self._changed(after), reading))
        else:
            yield from map(self._whole.coupon, self._every("coupons", self._changed(after), reading))
        if reading.began is not None:
            self._cursors[resource_type] = {"modified_after": reading.began.isoformat()}

    def _after(self, since: JsonObject | None) -> datetime | None:
        if not since or "modified_after" not in since:
            return None
        return datetime.fromisoformat(since["modified_after"]) - timedelta(minutes=self._settings.overlap_minutes)

    def _changed(self, after: datetime | None) -> Params:
        if after is None:
            return {}
        return {"modified_after": after.strftime("%Y-%m-%dT%H:%M:%S"), "dates_are_gmt": "true"}

    def _products(self, after: datetime | None, reading: Reading) -> Iterator[JsonObject]:
        """Those that changed, and those of which a variation changed, which leaves its product's date alone."""
        if after is None:
            yield from self._every("products", {}, reading)
            return
        given = set()
        for product in self._every("products", self._changed(after), reading):
            given.add(product["id"])
            yield product
        yield from self._whole.including("products", sorted(self._parents_of_changed(after) - given), {})

    def _parents_of_changed(self, after: datetime) -> set[int]:
        try:
            # Since WooCommerce 10.3.
            return {it["parent_id"] for it in self._every("variations", self._changed(after))}
        except ConfigurationError as error:
            if error.code != "SOURCE_NOT_FOUND":
                raise
        return {it["id"] for it in self._every("products", {"type": "variable", "_fields": "id"})}

    def _articles(self, after: datetime | None, reading: Reading) -> _Items:
        params: dict[str, str | int] = {"_embed": "author,wp:featuredmedia,wp:term"}
        if self._asking.is_author:
            params |= {"status": _EVERY_STATUS, "context": "edit"}
        if after is not None:
            params["modified_after"] = after.strftime("%Y-%m-%dT%H:%M:%SZ")
        for name in _POSTS:
            for entry in every(self._asking, f"{WP}{name}", params, self._settings.page_size, reading):
                yield self._whole.article(entry, name)

    # --- freshness ----------------------------------------------------------------------------------

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        """How many there are and when the last one changed; a checksum where WooCommerce cannot say that."""
        del known
        if resource_type in (ResourceType.COLLECTIONS, ResourceType.MARKETS):
            records = chain(self.read(resource_type, None))
            payloads = [it.payload for it in records if isinstance(it, SourceRecord)]
            return Freshness(hashlib.sha256(orjson.dumps(payloads)).hexdigest(), "checksum")
        if resource_type is ResourceType.REDIRECTS:
            paths = (f"{WC}products", f"{WP}posts", f"{WP}pages")
            categories = self.freshness(ResourceType.COLLECTIONS).token
            found = [categories, *(self._latest(path)[0] for path in paths)]
            return Freshness("/".join(found), "checksum, total and max(modified)")
        if resource_type is ResourceType.BLOGS:
            status = _EVERY_STATUS if self._asking.is_author else "publish"
            found = [self._latest(f"{WP}{name}", status)[0] for name in _POSTS]
            return Freshness("/".join(found), "total and max(modified)")
        token, changed = self._latest(f"{WC}{_LISTS[resource_type]}")
        if resource_type is ResourceType.PRODUCTS and self._has_all_variations():
            token += "/" + self._latest(f"{WC}variations")[0]
        kind = "total and newest" if resource_type is ResourceType.CUSTOMERS else "total and max(modified)"
        return Freshness(token, kind, changed)

    def _latest(self, path: str, status: str = "") -> tuple[str, datetime | None]:
        customers = path.endswith("customers")
        params: dict[str, str | int] = {
            "per_page": 1, "order": "desc", "orderby": "id" if customers else "modified",
            "_fields": "id,date_modified_gmt,modified_gmt",
        }  # fmt: skip
        if customers:
            params["role"] = self._settings.customer_role
        if status:
            params["status"] = status
        things, answer = self._asking.get_list(path, params)
        total = total_of(path, answer)
        first = things[0] if things else {}
        changed = str(first.get("date_modified_gmt") or first.get("modified_gmt") or "")
        moment = datetime.fromisoformat(f"{changed}+00:00") if changed else None
        return f"{total}:{first.get('id', '')}:{changed}", moment

    def _has_all_variations(self) -> bool:
        try:
            self._latest(f"{WC}variations")
        except ConfigurationError as error:
            if error.code != "SOURCE_NOT_FOUND":
                raise
            return False
        return True

    # --- check --------------------------------------------------------------------------------------

    def check(self) -> list[CheckResult]:
        """The address and the key, then each list that a run reads, with one question each."""
        first = self._look("source: address and key", f"{WC}products")
        results = [*encryption(self._settings), first]
        if first.ok:
            results += [self._version()]
            results += [self._look(f"source {kind}", f"{WC}{path}") for kind, path in _LISTS.items()]
            results += [
                self._look(f"source blogs: {name}", f"{WP}{name}", drafts=self._asking.is_author) for name in _POSTS
            ]
        return results

    def _look(self, name: str, path: str, *, drafts: bool = False) -> CheckResult:
        params: dict[str, str | int] = {"per_page": 1, "_fields": "id"}
        if drafts:
            params["status"] = _EVERY_STATUS
        try:
            _, answer = self._asking.get_list(path, params)
            return CheckResult(name, ok=True, detail=f"{self._settings.url}: {total_of(path, answer)} there")
        except GraftportError as error:
            return CheckResult(name, ok=False, detail=error.message, hint=error.hint)

    def _version(self) -> CheckResult:
        name = "source: version"
        try:
            status = self._asking.get(f"{WC}system_status").json
        except GraftportError as error:
            return CheckResult(name, ok=True, detail=f"not told: {error.message}", hint=error.hint)
        environment = status.get("environment", {}) if isinstance(status, dict) else {}
        version, wordpress = str(environment.get("version", "")), environment.get("wp_version", "?")
        major = version.split(".")[0]
        if not major.isdecimal() or int(major) >= 6:
            return CheckResult(name, ok=True, detail=f"WooCommerce {version or '?'}, WordPress {wordpress}")
        return CheckResult(
            name, ok=False, detail=f"WooCommerce {version} cannot say what changed since a moment",
            hint="Update it to 6.0 or later, or run with --full-extract.",
        )  # fmt: skip

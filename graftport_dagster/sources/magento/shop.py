"""The source `type: magento`: which types there are, what changed since when, what stands in the way.

How records are put together is in `catalogue`, `trade` and `house`. Magento writes times in UTC and
without a zone; an incremental read goes back behind the last one by `overlap_minutes`. That
something is gone can only be seen by a full read. What has no time of its change (discounts,
markets, gift cards, addresses; the stock of products) is always read whole, or not seen at all.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from graftport_dagster.errors import ConfigurationError, GraftportError
from graftport_dagster.records import CheckResult, InvalidRow, JsonObject, ResourceType, SourceRecord, json_hash
from graftport_dagster.source_settings.magento import MagentoSettings
from graftport_dagster.sources.magento import house
from graftport_dagster.sources.magento.catalogue import Catalogue
from graftport_dagster.sources.magento.client import (
    CATEGORIES,
    CUSTOMERS,
    ORDERS,
    PAGES,
    PRODUCTS,
    RULES,
    Filter,
    Listing,
    MagentoClient,
)
from graftport_dagster.sources.magento.trade import Trade
from graftport_dagster.sources.rest_reader import encryption
from graftport_dagster.sources.source import Freshness

_FORM = "%Y-%m-%d %H:%M:%S"
# The lists whose records tell when they changed, and in which field.
_CHANGING: dict[ResourceType, tuple[Listing, str]] = {
    ResourceType.COLLECTIONS: (CATEGORIES, "updated_at"), ResourceType.PRODUCTS: (PRODUCTS, "updated_at"),
    ResourceType.CUSTOMERS: (CUSTOMERS, "updated_at"), ResourceType.ORDERS: (ORDERS, "updated_at"),
    ResourceType.BLOGS: (PAGES, "update_time"),
}  # fmt: skip
# A category's name is in the records of those below it, so that these are always read whole.
_NEVER_EMPTY = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)
_INCREMENTAL = _CHANGING.keys() - {ResourceType.COLLECTIONS}


class MagentoSource:
    """Reads one Magento shop. Secrets are resolved now; nothing is asked before something is read."""

    def __init__(
        self, settings: MagentoSettings, folder: Path, *, stop: Callable[[], bool] = lambda: False
    ) -> None:  # fmt: skip
        self._settings = settings
        self._client = MagentoClient(settings, folder, stop=stop)
        self._catalogue = Catalogue(self._client, settings)
        self._trade = Trade(self._client, settings.gift_cards_path)
        self._cursors: dict[ResourceType, JsonObject] = {}

    def resource_types(self) -> tuple[ResourceType, ...]:
        """All but gift cards, which only some shops list."""
        return self._settings.named_types()

    def read(self, resource_type: ResourceType, since: JsonObject | None) -> Iterator[SourceRecord | InvalidRow]:
        """Every record, or those changed since the cursor less the overlap."""
        self._cursors.pop(resource_type, None)
        # Asked before: what changes while it is read may lie behind the page that is read then.
        newest = self._newest(resource_type)[0] if resource_type in _INCREMENTAL else ""
        any_record = False
        for item in self._records(resource_type, self._since(resource_type, since)):
            any_record = True
            yield item
        if since is None and not any_record and resource_type in _NEVER_EMPTY:
            raise ConfigurationError(
                f"The shop has no {resource_type} at all.", code="NO_ROWS",
                hint="See that source.url is the right shop; if it is, leave the type out of resource_types.",
            )  # fmt: skip
        if latest := max(newest, str((since or {}).get("updated_at", ""))):
            self._cursors[resource_type] = {"updated_at": latest}

    def _newest(self, resource_type: ResourceType) -> tuple[str, int]:
        """The latest change of a type that tells it, and how many there are."""
        listing, name = _CHANGING[resource_type]
        newest, total = self._client.latest(listing, name)
        return str((newest or {}).get(name) or ""), total

    def _records(self, resource_type: ResourceType, filters: list[Filter]) -> Iterator[SourceRecord | InvalidRow]:
        match resource_type:
            case ResourceType.COLLECTIONS:
                yield from self._catalogue.categories()
            case ResourceType.PRODUCTS:
                yield from self._catalogue.products(filters)
            case ResourceType.CUSTOMERS:
                yield from self._trade.customers(filters)
            case ResourceType.DISCOUNT_CODES:
                yield from self._trade.discounts()
            case ResourceType.GIFT_CARDS:
                yield from self._trade.gift_cards()
            case ResourceType.ORDERS:
                yield from self._trade.orders(filters)
            case ResourceType.BLOGS:
                yield from house.pages(self._client, filters)
            case ResourceType.MARKETS:
                yield from house.websites(self._client)
            case ResourceType.REDIRECTS:
                yield from self._catalogue.redirects()

    def _since(self, resource_type: ResourceType, cursor: JsonObject | None) -> list[Filter]:
        latest = _moment(str((cursor or {}).get("updated_at", "")))
        if latest is None or resource_type not in _INCREMENTAL:
            return []
        start = latest - timedelta(minutes=self._settings.overlap_minutes)
        return [Filter(_CHANGING[resource_type][1], start.strftime(_FORM), "gteq")]

    def conclusive(self, resource_type: ResourceType) -> bool:
        """True over REST: a page that cannot be read whole is an error, so that nothing hides."""
        del resource_type
        return True

    def cursor(self, resource_type: ResourceType) -> JsonObject | None:
        """The latest change that there was when the reading began, by the shop's own clock."""
        return self._cursors.get(resource_type)

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        """The latest change and how many there are, where records tell; else a checksum of them all."""
        del known
        if resource_type in _CHANGING:
            text, total = self._newest(resource_type)
            return Freshness(f"{text} {total}", f"max({_CHANGING[resource_type][1]})+count", _moment(text))
        if resource_type is ResourceType.REDIRECTS:
            tokens = [self.freshness(kind).token for kind in (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)]
            return Freshness(" ".join(tokens), "max(updated_at)+count")
        hashes = [
            json_hash(item.payload) for item in self._records(resource_type, []) if isinstance(item, SourceRecord)
        ]
        return Freshness(json_hash(hashes), "checksum")

    def check(self) -> list[CheckResult]:
        """Whether the shop answers, knows the store view, and lets each type be read; one small question each."""
        view = self._checked("source store view", self._store_view)
        results = [*encryption(self._settings), view]
        if not view.ok and "SOURCE_FORBIDDEN" not in view.detail:
            return results
        asked = [kind for kind in self.resource_types() if kind not in self._settings.files]
        return results + [self._checked(f"source {kind}", self._look(kind)) for kind in asked]

    def _checked(self, name: str, look: Callable[[], str]) -> CheckResult:
        try:
            return CheckResult(name, ok=True, detail=look())
        except GraftportError as error:
            return CheckResult(name, ok=False, detail=f"{error.message} ({error.code})", hint=error.hint)

    def _store_view(self) -> str:
        views = self._client.get("store/storeViews", store="all")
        codes = ["all", *(str(view.get("code")) for view in views)] if isinstance(views, list) else ["all"]
        for code in (self._settings.store_view, *self._settings.redirect_store_views):
            if code not in codes:
                raise ConfigurationError(
                    f"The shop has no store view {code}.", code="NO_STORE_VIEW", hint=f"There are {', '.join(codes)}."
                )
        return f"{self._settings.store_view}, of {', '.join(codes)}"

    def _look(self, kind: ResourceType) -> Callable[[], str]:
        def look() -> str:
            if kind is ResourceType.MARKETS:
                return f"{sum(1 for _ in house.websites(self._client))} websites"
            if kind is ResourceType.GIFT_CARDS:
                return f"{sum(1 for _ in self._trade.gift_cards())} readable"
            listing = RULES if kind is ResourceType.DISCOUNT_CODES else _CHANGING.get(kind, (PRODUCTS, ""))[0]
            _, total = self._client.latest(listing, listing.filter_field)
            if not total and kind in _NEVER_EMPTY:
                raise ConfigurationError(
                    f"The shop has no {kind}.",
                    code="NO_ROWS",
                    hint="See that it is the right shop, or leave the type out.",
                )
            return f"{total} readable"

        return look

    def close(self) -> None:
        """Closes the connections; the source can be read again."""
        self._client.close()


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None

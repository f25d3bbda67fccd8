"""A Shopify shop as a source: every type, whole or since a moment, with what belongs to each record.

Nothing is written but the files that Shopify itself makes of bulk queries. Passwords and codes of
gift cards cannot be read from any shop; mappings say so.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from graftport_dagster.errors import GraftportError
from graftport_dagster.records import (
    CheckResult,
    InvalidRow,
    JsonObject,
    ResourceType,
    SourceRecord,
    canonical_json,
    content_hash,
)
from graftport_dagster.settings import resolve_secret
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.credentials import AccessToken, ClientCredentials, Credentials
from graftport_dagster.source_settings.shopify import ShopifySettings
from graftport_dagster.sources.rest_reader import Clock
from graftport_dagster.sources.rows import RAW_LIMIT
from graftport_dagster.sources.shopify.bulk import BulkReader, BulkRefusedError
from graftport_dagster.sources.shopify.catalogue import DISCOUNTS, ENDLESS, LONGEST, WANTED, Wanted
from graftport_dagster.sources.shopify.pages import PageReader, incomplete
from graftport_dagster.sources.source import Freshness

_SHOP = "query Source { shop { id name myshopifyDomain } currentAppInstallation { accessScopes { handle } } }"
_NEWEST = "query Newest {{ {name}(first: 1, sortKey: UPDATED_AT, reverse: true) {{ nodes {{ id {time} }} }} }}"
_DISCOUNT_TIME = " ".join(f"... on {kind} {{ updatedAt }}" for kind in DISCOUNTS)
_AT_ONCE = 5
_SCOPES = {
    ResourceType.COLLECTIONS: "read_products", ResourceType.PRODUCTS: "read_products",
    ResourceType.CUSTOMERS: "read_customers", ResourceType.DISCOUNT_CODES: "read_discounts",
    ResourceType.GIFT_CARDS: "read_gift_cards", ResourceType.ORDERS: "read_orders",
    ResourceType.BLOGS: "read_content", ResourceType.MARKETS: "read_markets",
    ResourceType.REDIRECTS: "read_online_store_navigation",
}  # fmt: skip


class ShopifySource:
    """Reads the shop that the migration names; `folder`: where secrets in files are looked for."""

    def __init__(
        self, settings: ShopifySettings, folder: Path, *, stop: Callable[[], bool] = lambda: False,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._folder = folder
        self._stop = stop
        self._clock = clock or Clock()
        self._opened: Shop | None = None
        self._latest: dict[ResourceType, str] = {}

    def resource_types(self) -> tuple[ResourceType, ...]:
        """All of them."""
        return tuple(ResourceType)

    def read(self, resource_type: ResourceType, since: JsonObject | None) -> Iterator[SourceRecord | InvalidRow]:
        """Every record, or those that changed since the cursor, less the overlap, where Shopify can be asked so.

        None is an answer too: Shopify counts what it gives, and refuses a token that may not see it.
        """
        self._latest.pop(resource_type, None)
        before = str(since["since"]) if since else ""
        # Asked before: an object may change after it was read, and one that is read later after that.
        newest = [_updated(node) for wanted in WANTED[resource_type] for node in self._newest(resource_type, wanted)]
        for wanted in WANTED[resource_type]:
            for node in self._completed(wanted, self._nodes(wanted, self._search(wanted, before))):
                yield self._record(wanted, node)
        if latest := max([before, *newest]):
            self._latest[resource_type] = latest

    def conclusive(self, resource_type: ResourceType) -> bool:
        """Whether the token sees everything: without `read_all_orders` an order is out of sight after 60 days."""
        if resource_type is not ResourceType.ORDERS:
            return True
        return "read_all_orders" in _scopes(self._shop().call(_SHOP, {}, repeatable=True).data)

    def cursor(self, resource_type: ResourceType) -> JsonObject | None:
        """The latest `updatedAt` when the reading began; None for markets and redirects, which have no such time."""
        latest = self._latest.get(resource_type)
        return {"since": latest} if latest else None

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        """The latest `updatedAt` of the type with its id; a checksum of everything where there is none."""
        del known
        found = []
        for wanted in WANTED[resource_type]:
            if not wanted.is_searched:
                nodes = sorted(canonical_json(node) for node in self._nodes(wanted, ""))
                found.append(content_hash(b"\n".join(nodes)))
                continue
            found += [f"{_updated(node)} {node['id']}" for node in self._newest(resource_type, wanted)]
        kind = "max(updatedAt)" if WANTED[resource_type][0].is_searched else "checksum"
        return Freshness(" ".join(found), kind, _moment(found[0].partition(" ")[0]) if found else None)

    def check(self) -> list[CheckResult]:
        """Whether the shop answers, and may be read."""
        try:
            data = self._shop().call(_SHOP, {}, repeatable=True).data
        except GraftportError as error:
            return [CheckResult("source shop", ok=False, detail=error.message, hint=error.hint)]
        scopes = _scopes(data)
        shop = data["shop"]
        results = [CheckResult("source shop", ok=True, detail=f"{shop['name']} ({shop['myshopifyDomain']})")]
        missing: dict[str, list[str]] = {}
        for kind, scope in _SCOPES.items():
            if not {scope, scope.replace("read_", "write_", 1)} & scopes:
                missing.setdefault(scope, []).append(str(kind))
        for scope, kinds in missing.items():
            results.append(
                CheckResult(
                    f"source {', '.join(kinds)}", ok=False, detail=f"The token lacks the scope {scope}.",
                    hint="Grant it to the app, or take the type out of resource_types.",
                )
            )  # fmt: skip
        if "read_orders" in scopes and "read_all_orders" not in scopes:
            results.append(
                CheckResult("source orders", ok=True, detail="Only the last 60 days: the token lacks read_all_orders.")
            )  # fmt: skip
        return results

    def close(self) -> None:
        """Closes the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    # --- reading ------------------------------------------------------------------------------------

    def _newest(self, resource_type: ResourceType, wanted: Wanted) -> list[JsonObject]:
        """The object that was updated last; none where there are none, or Shopify gives no such time."""
        if not wanted.is_searched:
            return []
        in_it = f"codeDiscount {{ {_DISCOUNT_TIME} }}"
        time = in_it if resource_type is ResourceType.DISCOUNT_CODES else "updatedAt"
        page = self._shop().call(_NEWEST.format(name=wanted.root.name, time=time), {}, repeatable=True).data
        found: list[JsonObject] = page["nodes"]
        return found

    def _nodes(self, wanted: Wanted, search: str) -> Iterator[JsonObject]:
        if wanted.in_bulk and self._settings.bulk_queries:
            # Refused before the first record is given, or not at all.
            reader = BulkReader(self._shop(), stop=self._stop, clock=self._clock)
            try:
                stream = reader.read(wanted.root, search)
                first = list(islice(stream, 1))
            except BulkRefusedError:
                pass
            else:
                yield from first
                yield from stream
                return
        yield from PageReader(self._shop()).read(wanted.root, search)

    def _completed(self, wanted: Wanted, nodes: Iterator[JsonObject]) -> Iterator[JsonObject]:
        """With what has to be asked for by ids, a few objects at a time."""
        if not wanted.by_ids:
            yield from nodes
            return
        pages = PageReader(self._shop())
        while batch := list(islice(nodes, _AT_ONCE)):
            ids = [node["id"] for node in batch if node.get("refunds") or node.get("fulfillments")]
            more = pages.by_ids(wanted.by_ids, ids) if ids else {}
            for node in batch:
                if node["id"] in ids and node["id"] not in more:
                    node["__incomplete"] = "it was deleted while the shop was read"
                if full := next((name for name in ENDLESS if len(node.get(name) or ()) >= LONGEST), ""):
                    node["__incomplete"] = f"it may have more than {LONGEST} {full}"
                yield {**node, **more.get(node["id"], {})}

    def _record(self, wanted: Wanted, node: JsonObject) -> SourceRecord | InvalidRow:
        number = str(node["id"]).rpartition("/")[2].partition("?")[0]
        source_id = wanted.id_prefix + number
        origin = f"{self._settings.shop} {node['id']}"
        if why := incomplete(node):
            return InvalidRow(
                raw=canonical_json(node).decode()[:RAW_LIMIT], reason=f"Not read whole: {why}.", code="RECORD_CHANGED",
                origin=origin, source_id=source_id,
                hint="Run again; take over by hand what has too long a list for one question.",
            )  # fmt: skip
        return SourceRecord(source_id, node, _moment(_updated(node)), _count(node), origin)

    def _search(self, wanted: Wanted, since: str) -> str:
        moment = _moment(since)
        if moment is None or not wanted.is_searched:
            return ""
        earlier = moment - timedelta(minutes=self._settings.overlap_minutes)
        # Unquoted times are misread silently.
        return f"updated_at:>='{earlier.strftime('%Y-%m-%dT%H:%M:%SZ')}'"

    def _shop(self) -> Shop:
        if self._opened is None:
            settings = self._settings
            self._opened = Shop(
                settings.shop, credentials=self._credentials(), api_version=settings.api_version, concurrency=1,
                timeout_seconds=settings.timeout_seconds, stop=self._stop,
            )  # fmt: skip
        return self._opened

    def _credentials(self) -> Credentials:
        settings = self._settings
        if settings.access_token is not None:
            return AccessToken(resolve_secret(settings.access_token, base=self._folder))
        return ClientCredentials(
            resolve_secret(settings.client_id or "", base=self._folder),
            resolve_secret(settings.client_secret or "", base=self._folder),
        )


def _scopes(data: JsonObject) -> set[str]:
    return {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}


def _updated(node: JsonObject) -> str:
    return str(node.get("updatedAt") or (node.get("codeDiscount") or {}).get("updatedAt") or "")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _count(node: JsonObject) -> int:
    """The object and those of its own lists that are objects with an id of their own."""
    lists = (value for value in node.values() if isinstance(value, list))
    return 1 + sum(1 for values in lists for each in values if isinstance(each, dict) and "id" in each)

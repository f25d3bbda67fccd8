"""Pages of Shopify's admin for objects that records became, and the first records of a run with theirs."""

import shlex
from collections.abc import Sequence

from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, ResourceType, RunItem, shown_id
from graftport_dagster.reports.wording import presentable, words
from graftport_dagster.store.record_store import RecordStore

# help.shopify.com and the admin's own address bar; what is not here has no page of its own.
_ADMIN_PAGES = {
    "Collection": "collections", "Product": "products", "Customer": "customers", "Order": "orders",
    "DiscountCodeNode": "discounts", "GiftCard": "gift_cards", "Article": "content/articles", "Market": "markets",
}  # fmt: skip
_SHOPIFY = ".myshopify.com"
_SHOWN = 5
# Whether records failed, and the counts that say that there are such.
_COUNTED = {False: ("created", "adopted"), True: ("errored", "unknown")}


def admin_link(domain: str, gid: str) -> str | None:
    """The page of an object in Shopify's admin; None for a store that is no Shopify store, or a kind without a page."""
    kind, _, object_id = gid.removeprefix("gid://shopify/").partition("/")
    if not domain.endswith(_SHOPIFY) or kind not in _ADMIN_PAGES:
        return None
    return f"https://admin.shopify.com/store/{domain.removesuffix(_SHOPIFY)}/{_ADMIN_PAGES[kind]}/{object_id}"


class AdminLinks:
    """Links into the stores of one migration."""

    def __init__(self, store: RecordStore, migration: Migration) -> None:
        self._migration = migration
        self._store = store
        # A simulated store names itself like a real one, but has no admin.
        is_real = _SHOPIFY in migration.destination.shop
        self._domains = {one.gid: one.domain for one in store.stores.known(migration.slug)} if is_real else {}

    def of(self, store_gid: str, gid: str) -> str | None:
        """The page of that object."""
        return admin_link(self._domains.get(store_gid, ""), gid)

    def examples(self, item: RunItem) -> list[str]:
        """Some records that the item created and some that it could not land, as lines of Markdown.

        Each with its page in the admin where it has one, else with the command that tells its story. None names a
        mail address or a code.
        """
        is_of = {failed: any(item.counts.get(name) for name in names) for failed, names in _COUNTED.items()}
        return [
            self._line(row, item.resource_type)
            for failed, are_some in is_of.items() if are_some
            for row in self._store.runs.examples(item, failed=failed, limit=_SHOWN)
        ]  # fmt: skip

    def open_ones(self, rows: Sequence[JsonObject]) -> list[str]:
        """Lines of Markdown for open incomplete records, as `store.incomplete.open` lists them."""
        slug = self._migration.slug
        return [
            self._line({**row, "gid": self._store.runs.gid_of(slug, row)}, ResourceType(row["resource_type"]))
            for row in rows
        ]

    def _line(self, row: JsonObject, kind: ResourceType) -> str:
        shown = presentable(shown_id(kind, row["source_id"]))
        link = self.of(row["store_gid"], row["gid"]) if row["gid"] else None
        name = f"[{_plain(shown)}]({link})" if link else f"`{_plain(shown)}`"
        code = f" {row['code']}" if row["code"] else ""
        line = f"{kind} {name}: {words(row['outcome'])}{code}"
        # An id that had to be masked cannot be looked up by what is shown.
        if _plain(shown) != row["source_id"]:
            return line
        return f"{line} · `graftport record {self._migration.slug} {kind} {shlex.quote(shown)}`"


def _plain(text: str) -> str:
    """Without what Markdown would take for its own."""
    return text.translate(str.maketrans("`|<>\n[]", "     ()"))

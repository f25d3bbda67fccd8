"""The shop that is served: lists by name, made from a seed or read from JSON files, edited by hand.

What lives here: reading and making a shop, and what a merchant does to one (which moves its
`updated_at`, as Magento does). What a question may ask is `questions.py`'s.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson

from graftport_dagster.simulator.magento import house
from graftport_dagster.simulator.magento.catalogue import Catalogue, text_of
from graftport_dagster.simulator.magento.trade import Trade
from graftport_dagster.simulator.old_shops.front import Thing, UnknownThingError

# What identifies a thing of each list.
KEYS = {
    "products": "id", "categories": "id", "attributes": "attribute_id", "customers": "id", "orders": "entity_id",
    "invoices": "entity_id", "creditmemos": "entity_id", "shipments": "entity_id", "transactions": "transaction_id",
    "rules": "rule_id", "coupons": "coupon_id", "pages": "id", "groups": "id", "tax_classes": "class_id",
    "sets": "attribute_set_id", "sources": "source_code", "source_items": "sku", "gift_cards": "giftcardaccount_id",
}  # fmt: skip

# What is filtered and sorted by another name than it is shown by.
COLUMNS = {
    "products": {"entity_id": "id"}, "categories": {"entity_id": "id"}, "customers": {"entity_id": "id"},
    "pages": {"page_id": "id"}, "source_items": {"source_item_id": "sku"},
}  # fmt: skip


class Shop:
    """Everything a shop has. Not shared between threads."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.lists: dict[str, list[Thing]] = {name: [] for name in KEYS}
        self.lists |= {
            "attributes": house.attributes(), "groups": house.CUSTOMER_GROUPS, "tax_classes": house.TAX_CLASSES,
            "sets": house.SETS, "sources": house.SOURCES,
        }  # fmt: skip
        self._now = now
        # Things by list and field, until the shop is edited.
        self._found: dict[tuple[str, str], dict[str, Thing]] = {}

    @classmethod
    def made(cls, seed: int, *, products: int = 24, customers: int = 9, orders: int = 20) -> "Shop":
        """The shop of a seed: the same one every time."""
        shop = cls()
        catalogue = Catalogue(seed, shop.lists["attributes"])
        catalogue.make(products)
        trade = Trade(seed, catalogue)
        trade.make(customers=customers, orders=orders if products else 0)
        shop.lists |= {
            "products": catalogue.products, "categories": catalogue.categories, "source_items": catalogue.source_items,
            "customers": trade.customers, "orders": trade.orders, "invoices": trade.invoices, "rules": trade.rules,
            "creditmemos": trade.creditmemos, "shipments": trade.shipments, "transactions": trade.transactions,
            "coupons": trade.coupons, "pages": [dict(page) for page in house.PAGES], "gift_cards": trade.gift_cards,
        }  # fmt: skip
        return shop

    @classmethod
    def read(cls, folder: Path) -> "Shop":
        """The shop in a folder: `products.json`, `orders.json` …, lists as the REST API gives their items.

        Raises ValueError for a file that is no list.
        """
        shop = cls()
        for name in KEYS:
            path = folder / f"{name}.json"
            if path.exists():
                content = orjson.loads(path.read_bytes())
                if not isinstance(content, list):
                    raise ValueError(f"{path.name} is not a list")
                shop.lists[name] = content
        return shop

    def write(self, folder: Path) -> None:
        """As files that `read` reads, for a person to edit."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, things in self.lists.items():
            (folder / f"{name}.json").write_bytes(orjson.dumps(things, option=orjson.OPT_INDENT_2))

    def find(self, name: str, key: object, *, by: str = "") -> Thing | None:
        """A thing by its key, or by another field."""
        field = by or KEYS[name]
        known = self._found.get((name, field))
        if known is None:
            # The first of each key, as a search from the front would find it.
            known = {str(one.get(field)): one for one in reversed(self.lists[name])}
            self._found[name, field] = known
        return known.get(str(key))

    def objects(self, name: str) -> list[Thing]:
        """A list by its name; none is there under another."""
        return self.lists.get(name, [])

    def edit(self, change: Thing) -> Thing:
        """`{"list", "id", "set": {…} | "delete": true | "create": {…} | "replace": […], "silently": true}`.

        `silently` leaves `updated_at` as it is. Raises UnknownThingError.
        """
        name = change.get("list", "")
        if name not in self.lists:
            raise UnknownThingError(f"there is no list {name!r}; there are {', '.join(self.lists)}")
        self._found.clear()
        if "replace" in change:
            self.lists[name] = list(change["replace"])
            return {"count": len(self.lists[name])}
        things = self.lists[name]
        if "create" in change:
            made: Thing = dict(change["create"])
            things.append(made)
            return made
        found = self.find(name, change.get("id"))
        if found is None:
            raise UnknownThingError(f"no {name} has the id {change.get('id')}")
        if change.get("delete"):
            things.remove(found)
            self._found.clear()
            return found
        found |= change.get("set", {})
        self._found.clear()
        if "updated_at" in found and not change.get("silently") and "updated_at" not in change.get("set", {}):
            found["updated_at"] = text_of(self._now())
        return found

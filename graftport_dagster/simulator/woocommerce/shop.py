"""The shop that is served: lists of things by collection, made from a seed or read from JSON files.

What lives here: reading and making a shop, finding a thing, and what a merchant does to one by hand
(which moves its modified date, as WordPress does). What a question may ask is `questions.py`'s.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from graftport_dagster.simulator.old_shops.front import UnknownThingError
from graftport_dagster.simulator.woocommerce.catalogue import Catalogue
from graftport_dagster.simulator.woocommerce.content import Content, settings, system_status
from graftport_dagster.simulator.woocommerce.made import Maker, Thing, moment
from graftport_dagster.simulator.woocommerce.trade import Trade

LISTS = (
    "products", "categories", "tags", "attributes", "customers", "coupons", "orders", "taxes",
    "posts", "pages", "post_categories", "post_tags", "users", "media",
)  # fmt: skip
# Lists that belong to a thing of another list, by its id.
NESTED = {"variations": "products", "terms": "attributes", "refunds": "orders", "notes": "orders"}
_CONTENT = ("posts", "pages")


class Shop:
    """Everything a shop has. Not shared between threads."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.lists: dict[str, list[Thing]] = {name: [] for name in LISTS}
        self.nested: dict[str, dict[int, list[Thing]]] = {name: {} for name in NESTED}
        self.settings = settings()
        self.system_status: Thing = system_status("https://shop.example")
        self._now = now
        # Things by list and id, until the shop is edited.
        self._found: dict[str, dict[int, Thing]] = {}

    @classmethod
    def made(cls, seed: int, *, products: int = 24, customers: int = 9, orders: int = 20) -> "Shop":
        """The shop of a seed: the same one every time."""
        maker = Maker(seed, crowd=products + customers + orders)
        catalogue, content = Catalogue(maker), Content(maker)
        trade = Trade(maker, catalogue)
        catalogue.make(products)
        trade.make(customers=customers, orders=orders)
        content.make()
        shop = cls()
        shop.lists |= {
            "products": catalogue.products, "categories": catalogue.categories, "tags": catalogue.tags,
            "attributes": catalogue.attributes, "customers": trade.customers, "coupons": trade.coupons,
            "orders": trade.orders, "taxes": trade.taxes, "posts": content.posts, "pages": content.pages,
            "post_categories": content.categories, "post_tags": content.tags, "users": content.users,
            "media": content.media,
        }  # fmt: skip
        shop.nested |= {
            "variations": catalogue.variations, "terms": catalogue.terms, "refunds": trade.refunds,
            "notes": trade.notes,
        }  # fmt: skip
        return shop

    @classmethod
    def read(cls, folder: Path) -> "Shop":
        """The shop in a folder: `products.json`, `variations.json` (lists by parent's id) …; else empty.

        Raises ValueError for a file that is no such list.
        """
        shop = cls()
        for name in LISTS:
            shop.lists[name] = _read(folder / f"{name}.json", [])
        for name in NESTED:
            by_parent = _read(folder / f"{name}.json", {})
            shop.nested[name] = {int(parent): things for parent, things in by_parent.items()}
        shop.settings = _read(folder / "settings.json", shop.settings)
        shop.system_status = _read(folder / "system_status.json", shop.system_status)
        return shop

    def write(self, folder: Path) -> None:
        """As files that `read` reads, for a person to edit."""
        folder.mkdir(parents=True, exist_ok=True)
        nested = {name: {str(parent): it for parent, it in lists.items()} for name, lists in self.nested.items()}
        whole = {**self.lists, **nested, "settings": self.settings, "system_status": self.system_status}
        for name, content in whole.items():
            (folder / f"{name}.json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))

    def find(self, name: str, number: int) -> Thing | None:
        """A thing by its id; among products a variation as well, as in WooCommerce."""
        known = self._found.get(name)
        if known is None:
            variations = self.nested["variations"].values() if name == "products" else ()
            below = [it for lists in variations for it in lists]
            # The first of each id, as a search from the front would find it.
            known = {it["id"]: it for it in reversed([*self.lists[name], *below])}
            self._found[name] = known
        return known.get(number)

    def below(self, name: str, parent: int) -> list[Thing]:
        """The list that belongs to a parent."""
        return self.nested[name].get(parent, [])

    def objects(self, name: str) -> Any:
        """A list by its name, or the lists of all parents by their ids."""
        return self.lists.get(name, self.nested.get(name))

    # --- what a merchant does by hand -----------------------------------------------------------------

    def edit(self, change: Thing) -> Thing:
        """`{"list", "id", "parent", "set": {…} | "delete": true | "create": {…} | "replace": […], "silently": true}`.

        `silently` leaves the modified date as it is. Raises UnknownThingError.
        """
        things = self._list_of(change)
        self._found.clear()
        if "replace" in change:
            things[:] = change["replace"]
            return {}
        if "create" in change:
            made: Thing = {**change["create"]}
            made.setdefault("id", 1 + max((it["id"] for it in things), default=900))
            things.append(made)
            return made
        found = next((it for it in things if it["id"] == change.get("id")), None)
        if found is None:
            raise UnknownThingError(f"no {change.get('list')} has the id {change.get('id')}")
        if change.get("delete"):
            things.remove(found)
            return found
        found |= change.get("set", {})
        if not change.get("silently"):
            found |= moment("modified" if change["list"] in _CONTENT else "date_modified", self._now())
        return found

    def _list_of(self, change: Thing) -> list[Thing]:
        name = change.get("list")
        if name in NESTED:
            return self.nested[name].setdefault(int(change.get("parent", 0)), [])
        if name not in self.lists:
            raise UnknownThingError(f"there is no list {name!r}; there are {', '.join([*LISTS, *NESTED])}")
        return self.lists[name]


def _read(path: Path, otherwise: Any) -> Any:
    if not path.exists():
        return otherwise
    content = orjson.loads(path.read_bytes())
    if type(content) is not type(otherwise):
        raise ValueError(f"{path.name} is not {'a list' if isinstance(otherwise, list) else 'an object'}")
    return content

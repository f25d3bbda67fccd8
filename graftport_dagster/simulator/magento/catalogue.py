"""The goods of a made shop: categories, products of every type with their children, stock per source.

What lives here: `Catalogue`, drawn from one seed. Money is numbers, as the REST API gives it; texts
hold what real ones do: quotes, commas, umlauts, directives, HTML.
"""

import random
import re
from datetime import datetime, timedelta
from typing import Any

Thing = dict[str, Any]
_WORDS = ("Ridge", "Föhn", "Cirque", "Tarn", "Karst", "Couloir", "Moraine", "Höhenweg", "Gletscher", "Larch")
_THINGS = (
    "Jacket",
    "Trekking Pack",
    'Mug "Hütte"',
    "Sleeping Bag",
    "Repair Kit, waxed",
    "Cap & Scarf",
    "Tent",
    "Gloves",
)
_TYPES = ("configurable", "simple", "configurable", "virtual", "simple", "downloadable", "bundle", "grouped")
# So many products lie hours apart, and more of them closer together.
_UNHURRIED = 500
_START = datetime(2023, 1, 1, 8)  # noqa: DTZ001 - Magento writes UTC without a zone
_PATHS = ("Default Category", "Default Category/Men", "Default Category/Men/Jackets", "Default Category/Women",
          "Default Category/Women/Jackets", "Default Category/Gear", "Default Category/Gear/Tents & Bags")  # fmt: skip


class Catalogue:
    """Categories and products."""

    def __init__(self, seed: int, attributes: list[Thing]) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable by intent
        self.categories: list[Thing] = []
        self.products: list[Thing] = []
        self.source_items: list[Thing] = []
        self._attributes = {one["attribute_code"]: one for one in attributes}
        self._moment = _START
        self._haste = 1
        self._make_categories()

    def make(self, count: int) -> None:
        """So many products that a customer sees; children come in addition."""
        # Also those of a large shop lie in the past.
        self._haste = max(1, count // _UNHURRIED)
        for number in range(count):
            kind = _TYPES[number % len(_TYPES)]
            getattr(self, f"_{kind}")(number)

    def option(self, code: str, place: int) -> Thing:
        """One of an attribute's options, by its place."""
        options = [one for one in self._attributes[code]["options"] if one["value"]]
        return options[place % len(options)]  # type: ignore[no-any-return]

    # --- categories -----------------------------------------------------------------------------------

    def _make_categories(self) -> None:
        ids = {"": 1}
        for number, path in enumerate(_PATHS, 2):
            above, _, name = path.rpartition("/")
            ids[path] = number
            keys = [slug(part) for part in path.split("/")[1:]]
            pairs: Thing = {"is_anchor": "1", "display_mode": "PRODUCTS", "children_count": "0"}
            if keys:
                pairs |= {"url_key": keys[-1], "url_path": "/".join(keys), "description": f"<p>All {name}.</p>",
                          "meta_title": f"{name} | Shop"}  # fmt: skip
            self.categories.append({
                "id": number, "parent_id": ids[above], "name": name, "is_active": True, "position": number,
                "level": path.count("/") + 1, "children": "", "created_at": "2022-12-01 00:00:00",
                "updated_at": "2023-01-01 00:00:00", "include_in_menu": True,
                "path": "/".join(["1", *(str(ids["/".join(path.split("/")[:at])]) for at in range(1,
                path.count("/") + 2))]),
                "custom_attributes": pairs_of(pairs),
            })  # fmt: skip

    # --- products -------------------------------------------------------------------------------------

    def _simple(self, number: int) -> Thing:
        return self._product(number, "simple", stock=True)

    def _virtual(self, number: int) -> Thing:
        return self._product(number, "virtual")

    def _downloadable(self, number: int) -> Thing:
        made = self._product(number, "downloadable")
        link = {"id": made["id"], "title": "File", "price": 0, "number_of_downloads": 5, "link_type": "url"}
        made["extension_attributes"]["downloadable_product_links"] = [link]
        return made

    def _configurable(self, number: int) -> None:
        two_options = number % 4 == 0
        children = []
        for size in range(2 + number % 2):
            for colour in range(2 if two_options else 1):
                chosen = {"size": self.option("size", size + 1)["value"]}
                if two_options:
                    chosen["color"] = self.option("color", colour + number)["value"]
                names = [self._label(code, value) for code, value in chosen.items()]
                sku = f"{sku_of(number)}-{'-'.join(slug(name).upper()[:3] for name in names)}"
                children.append(self._product(
                    number, "simple", sku=sku, suffix=f"-{'-'.join(names)}", visibility=1, stock=True, more=chosen,
                ))  # fmt: skip
        parent = self._product(number, "configurable", price=0)
        codes = ["size", "color"] if two_options else ["size"]
        parent["extension_attributes"] |= {
            "configurable_product_options": [
                self._option_of(parent, code, children, at) for at, code in enumerate(codes)
            ],
            "configurable_product_links": [child["id"] for child in children],
        }

    def _option_of(self, parent: Thing, code: str, children: list[Thing], position: int) -> Thing:
        attribute = self._attributes[code]
        values = dict.fromkeys(attribute_of(child, code) for child in children)
        return {
            "id": parent["id"] * 10 + position, "attribute_id": str(attribute["attribute_id"]),
            "label": attribute["default_frontend_label"], "position": position, "product_id": parent["id"],
            "values": [{"value_index": int(value)} for value in values],
        }  # fmt: skip

    def _bundle(self, number: int) -> None:
        parts = [one for one in self.products if one["type_id"] == "simple" and one["visibility"] == 4][:2]
        made = self._product(number, "bundle", price=0)
        made["extension_attributes"]["bundle_product_options"] = [
            {
                "option_id": place, "title": f"Part {place}", "required": True, "type": "select", "position": place,
                "sku": made["sku"], "product_links": [{"id": str(place), "sku": part["sku"], "qty": 1,
                "is_default": True}],
            }
            for place, part in enumerate(parts, 1)
        ]  # fmt: skip

    def _grouped(self, number: int) -> None:
        parts = [one for one in self.products if one["type_id"] == "simple" and one["visibility"] == 4][:3]
        made = self._product(number, "grouped", price=None)
        made["product_links"] = [
            {"sku": made["sku"], "link_type": "associated", "linked_product_sku": part["sku"],
             "linked_product_type": "simple", "position": place, "extension_attributes": {"qty": 1}}
            for place, part in enumerate(parts)
        ]  # fmt: skip

    def _product(
        self, number: int, kind: str, *, sku: str = "", suffix: str = "", visibility: int = 4, stock: bool = False,
        price: float | None = -1, more: Thing | None = None,
    ) -> Thing:  # fmt: skip
        name = f"{_WORDS[number % len(_WORDS)]} {_THINGS[number % len(_THINGS)]} {number}{suffix}"
        made_at = self._next_moment()
        pairs: Thing = {
            "description": f"<p>{name}: warm &amp; dry.</p>", "url_key": slug(name), "tax_class_id": "2",
            "manufacturer": self.option("manufacturer", number)["value"], "season": self.option("season",
            number)["value"],
            "material": ",".join(sorted({self.option("material", at)["value"] for at in (number, number + 1)})),
            "eco": str(number % 2), "options_container": "container2", "required_options": "0", "has_options": "0",
            "image": f"/{slug(name)[0]}/{slug(name)}.jpg", **(more or {}),
        }  # fmt: skip
        if number % 5 == 1:
            pairs |= {
                "special_price": "19.9000",
                "special_from_date": "2024-01-01 00:00:00",
                "care": "Cold.\nNo softener.",
            }
        thing: Thing = {
            "id": len(self.products) + 1, "sku": sku or sku_of(number), "name": name,
            "attribute_set_id": 9 if kind == "configurable" or more else 10, "status": 2 if number % 11 == 10 else 1,
            "visibility": visibility, "type_id": kind, "created_at": text_of(made_at), "updated_at": text_of(made_at),
            "weight": round(0.2 + number % 7 * 0.35, 2), "extension_attributes": self._extras(number),
            "product_links": [], "options": [], "media_gallery_entries": self._pictures(pairs["image"], name),
            "tier_prices": [], "custom_attributes": pairs_of(pairs),
        }  # fmt: skip
        if price is not None:
            thing["price"] = round(19.9 + number * 7.5, 2) if price < 0 else price
        if kind in ("virtual", "downloadable", "grouped"):
            del thing["weight"]
        self.products.append(thing)
        if stock:
            self._stock(thing["sku"], number)
        return thing

    def _extras(self, number: int) -> Thing:
        ids = [3 + number % 6, *([2] if number % 3 == 0 else [])]
        return {
            "website_ids": [1, 2],
            "category_links": [{"position": place, "category_id": str(one)} for place, one in enumerate(ids)],
        }

    def _pictures(self, file: str, name: str) -> list[Thing]:
        number = len(self.products) * 2
        return [
            {"id": number + 1, "media_type": "image", "label": name, "position": 1, "disabled": False,
             "types": ["image", "small_image", "thumbnail"], "file": file},
            {"id": number + 2, "media_type": "image", "label": None, "position": 2, "disabled": number % 8 == 0,
             "types": [], "file": file.replace(".jpg", "_back side.jpg")},
        ]  # fmt: skip

    def _stock(self, sku: str, number: int) -> None:
        for place, source in enumerate(("default", "alps")):
            if place == 0 or number % 3 == 0:
                quantity = (number * 7 + place * 3) % 23
                self.source_items.append(
                    {"sku": sku, "source_code": source, "quantity": quantity, "status": int(quantity > 0)}
                )

    def _label(self, code: str, value: str) -> str:
        return next(str(one["label"]) for one in self._attributes[code]["options"] if one["value"] == value)

    def _next_moment(self) -> datetime:
        self._moment += timedelta(seconds=self.random.randint(3, 600) * 60 // self._haste)
        return self._moment


def sku_of(number: int) -> str:
    """The SKU of the n-th product that a customer sees."""
    return f"MG-{number:03}"


def slug(text: str) -> str:
    """As Magento makes addresses."""
    folded = text.lower().replace("ö", "o").replace("ü", "u").replace("è", "e").replace("é", "e")
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-")


def pairs_of(values: Thing) -> list[Thing]:
    """As `custom_attributes`."""
    return [{"attribute_code": code, "value": value} for code, value in values.items()]


def attribute_of(product: Thing, code: str) -> str:
    """A custom attribute's value."""
    return next(str(one["value"]) for one in product["custom_attributes"] if one["attribute_code"] == code)


def text_of(moment: datetime) -> str:
    """As Magento writes times: UTC, no zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")

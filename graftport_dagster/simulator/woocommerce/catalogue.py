"""The made shop's goods: categories, tags, attributes, products of every kind, variations.

What lives here: everything under `wc/v3/products`. Who buys them is in `trade.py`.
"""

from datetime import UTC, datetime
from typing import Any

from graftport_dagster.simulator.woocommerce.made import Maker, Thing, meta, moment, slug_of

_TREE = (
    ("Clothing", ("Hoodies", "T-Shirts", "Accessories")),
    ("Music", ("Albums",)),
    ("Décor", ()),
    ("Outdoor", ("Tents", "Bags & Packs")),
)
_TAGS = ("summer", "sale", "organic", "handmade", "new", "Größe XL", "limited")
_ATTRIBUTES = {
    "Color": ("Red", "Blue", "Green", "Café"),
    "Size": ("Small", "Medium", "Large"),
    "Material": ("Cotton", "Wool", "Linen"),
}
_WORDS = ("Alpine", "Brook", "Cedar", "Dune", "Ember", "Fjord", "Grove", "Harbor", "Iris", "Juniper", "Köln", "Lumen")
_NOUNS = ("Hoodie", "Tee", "Beanie", "Lamp", "Tent", "Backpack", "Mug", "Poster", "Belt", "Cap", "Scarf", "Album")
_BRANDS = ("Northwind", "Hügel & Söhne", "")


class Catalogue:
    """Made from a maker; its lists are in the form that the API answers with."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self.categories: list[Thing] = []
        self.tags: list[Thing] = []
        self.attributes: list[Thing] = []
        self.terms: dict[int, list[Thing]] = {}
        self.products: list[Thing] = []
        self.variations: dict[int, list[Thing]] = {}
        self._brands: list[Thing] = []

    def make(self, count: int) -> None:
        """So many products, and what they belong to."""
        self._make_terms()
        kinds = ("simple", "variable", "simple", "variable", "simple", "external", "virtual", "downloadable", "grouped")
        for place in range(count):
            self._make_product(place, kinds[place % len(kinds)])

    # --- terms --------------------------------------------------------------------------------------

    def _make_terms(self) -> None:
        self._category("Uncategorized", 0, None)
        for name, below in _TREE:
            parent = self._category(name, 0, self._image(name))
            for child in below:
                self._category(child, parent["id"], self._image(child) if self._maker.chance(0.5) else None)
        # Two of the same name under different parents are two categories, their slugs told apart.
        self._category("Accessories", self.categories[-1]["parent"], None, slug="accessories-outdoor")
        self.tags = [self._term(name) for name in _TAGS]
        self._brands = [self._term(name) for name in _BRANDS if name]
        for name, values in _ATTRIBUTES.items():
            number = self._maker.next_id()
            self.attributes.append({
                "id": number, "name": name, "slug": f"pa_{slug_of(name)}", "type": "select",
                "order_by": "menu_order", "has_archives": False,
            })  # fmt: skip
            self.terms[number] = [self._term(value) | {"menu_order": place} for place, value in enumerate(values)]

    def _term(self, name: str) -> Thing:
        return {"id": self._maker.next_id(), "name": name, "slug": slug_of(name), "description": "", "count": 0}

    def _category(self, name: str, parent: int, image: Thing | None, slug: str = "") -> Thing:
        made = self._term(name) | {
            "slug": slug or slug_of(name), "parent": parent, "display": "default", "image": image, "menu_order": 0,
            "description": f"<p>Everything in {name}.</p>" if self._maker.chance(0.6) else "",
        }  # fmt: skip
        self.categories.append(made)
        return made

    def _image(self, name: str) -> Thing:
        number = self._maker.next_id()
        made = self._maker.times("date_created", "date_modified")
        file = f"{slug_of(name)}-{number}.jpg"
        src = f"{self._maker.url}/wp-content/uploads/2023/03/{file}"
        return {"id": number, **made, "src": src, "name": file, "alt": f"{name} from the front" if number % 3 else ""}

    # --- products -----------------------------------------------------------------------------------

    def _make_product(self, place: int, kind: str) -> None:
        maker = self._maker
        name = f"{_WORDS[place % len(_WORDS)]} {_NOUNS[(place * 5) % len(_NOUNS)]}"
        name += f" {place // len(_WORDS) + 1}" if place >= len(_WORDS) else ""
        number = maker.next_id()
        made = self._plain(number, name, f"WOO-{place + 1:04}") | {
            "type": {"virtual": "simple", "downloadable": "simple"}.get(kind, kind),
            "virtual": kind in ("virtual", "downloadable"), "downloadable": kind == "downloadable",
        }  # fmt: skip
        made |= self._where(name)
        if place % 11 == 7:
            made["status"] = maker.pick(("draft", "private", "pending"))
        if place % 13 == 5:
            made["catalog_visibility"] = "hidden"
        getattr(self, f"_as_{kind}")(made)
        self.products.append(made)

    def _plain(self, number: int, name: str, sku: str) -> Thing:
        maker = self._maker
        slug = slug_of(name)
        regular = f"{maker.random.randint(500, 9900) / 100:.2f}"
        times = maker.times("date_created", "date_modified")
        weight = maker.pick(("0.5", "1.25", "2", ""))
        return {
            "id": number, "name": name, "slug": slug, "permalink": f"{maker.url}/product/{slug}/", **times,
            "type": "simple", "status": "publish", "featured": maker.chance(0.2), "catalog_visibility": "visible",
            "description": f"<p>The <strong>{name}</strong> &ndash; made to last.</p>\n<p>Café quality.</p>",
            "short_description": f"<p>{name}, in short.</p>", "sku": sku, "global_unique_id": "",
            "price": regular, "regular_price": regular, "sale_price": "",
            **moment("date_on_sale_from", None), **moment("date_on_sale_to", None), "on_sale": False,
            "purchasable": True, "total_sales": maker.random.randint(0, 90), "virtual": False, "downloadable": False,
            "downloads": [], "download_limit": -1, "download_expiry": -1, "external_url": "", "button_text": "",
            "tax_status": "taxable", "tax_class": "", "manage_stock": False, "stock_quantity": None,
            "backorders": "no", "backorders_allowed": False, "backordered": False, "low_stock_amount": None,
            "sold_individually": False, "weight": weight,
            "dimensions": {"length": "10", "width": "20", "height": ""}, "shipping_required": True,
            "shipping_taxable": True, "shipping_class": "", "shipping_class_id": 0, "reviews_allowed": True,
            "average_rating": "4.50", "rating_count": 2, "upsell_ids": [], "cross_sell_ids": [], "parent_id": 0,
            "purchase_note": "", "categories": [], "brands": [], "tags": [], "images": [], "attributes": [],
            "default_attributes": [], "variations": [], "grouped_products": [], "menu_order": 0,
            "price_html": f'<span class="amount">{regular}</span>', "related_ids": [], "meta_data": [],
            "stock_status": "instock", "has_options": False, "post_password": "",
        }  # fmt: skip

    def _where(self, name: str) -> Thing:
        maker = self._maker
        categories = maker.random.sample(self.categories[1:], maker.random.randint(1, 2))
        tags = maker.random.sample(self.tags, maker.random.randint(0, 3))
        brand = maker.pick([*self._brands, None])
        images = [self._image(name) for _ in range(maker.random.randint(0, 3))]
        number = images[0]["id"] if images else maker.next_id()
        for term in [*categories, *tags]:
            term["count"] += 1
        extra: Thing = {"_care": "Wash cold", "_edit_lock": "1712000000:1", "total_points": "15"}
        if maker.chance(0.5):
            extra |= {"_yoast_wpseo_title": f"{name} %%sep%% %%sitename%%", "_yoast_wpseo_metadesc": f"Buy the {name}."}
        elif maker.chance(0.5):
            extra |= {"rank_math_title": f"{name} here", "rank_math_description": f"The {name}, ranked."}
        return {
            "categories": [_named(term) for term in categories], "tags": [_named(term) for term in tags],
            "brands": [_named(brand)] if brand else [], "images": images, "meta_data": meta(number, **extra),
        }  # fmt: skip

    def _as_simple(self, made: Thing) -> None:
        maker = self._maker
        made |= {"manage_stock": True, "stock_quantity": maker.random.randint(-2, 40)}
        made["global_unique_id"] = f"40123456{made['id']:05}"
        if maker.chance(0.3):
            made |= {"backorders": "notify", "backorders_allowed": True}
        if made["stock_quantity"] <= 0 and made["backorders"] == "no":
            made["stock_status"] = "outofstock"
        if maker.chance(0.5):
            self._reduce(made)
        made["attributes"] = [_local("Fit", ["Regular"], place=0), self._global("Material", place=1, variation=False)]

    def _reduce(self, made: Thing) -> None:
        """On sale: now without dates, in a year that is past, or in one that is to come."""
        kind = self._maker.pick(("now", "past", "coming"))
        made["sale_price"] = f"{float(made['regular_price']) * 0.8:.2f}"
        if kind == "now":
            made |= {"on_sale": True, "price": made["sale_price"]}
        else:
            year = 2022 if kind == "past" else 2099
            made |= moment("date_on_sale_from", datetime(year, 1, 1, tzinfo=UTC))
            made |= moment("date_on_sale_to", datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC))

    def _as_virtual(self, made: Thing) -> None:
        made |= {"shipping_required": False, "weight": "", "tax_status": "none"}

    def _as_downloadable(self, made: Thing) -> None:
        self._as_virtual(made)
        file = f"{self._maker.url}/wp-content/uploads/woocommerce_uploads/{made['slug']}.zip"
        made |= {
            "downloads": [{"id": f"d{made['id']}", "name": "The files", "file": file}],
            "download_limit": 3, "download_expiry": 30,
        }  # fmt: skip

    def _as_external(self, made: Thing) -> None:
        made |= {"external_url": "https://partner.example/buy?id=7", "button_text": "Buy there", "purchasable": False}

    def _as_grouped(self, made: Thing) -> None:
        simple = [it["id"] for it in self.products if it["type"] == "simple"]
        made |= {"grouped_products": simple[-3:], "price": "", "regular_price": "", "purchasable": False}

    def _as_variable(self, made: Thing) -> None:
        maker = self._maker
        names = maker.pick((("Color", "Size"), ("Size",), ("Color",)))
        own = maker.chance(0.3)
        attributes = [self._global(name, place, variation=True) for place, name in enumerate(names)]
        if own:
            attributes.append(_local("Logo", ["Yes", "No"], place=len(attributes), variation=True))
        attributes.append(self._global("Material", place=len(attributes), variation=False))
        made |= {"attributes": attributes, "has_options": True, "regular_price": ""}
        used = [attribute for attribute in attributes if attribute["variation"]]
        combinations: list[dict[str, str]] = [{}]
        for attribute in used:
            combinations = [{**it, attribute["name"]: value} for it in combinations for value in attribute["options"]]
        combinations = combinations[: maker.random.randint(2, 8)]
        if maker.chance(0.3):
            # The last one stands for any value of the last attribute.
            combinations[-1] = {**combinations[-1], used[-1]["name"]: ""}
        self.variations[made["id"]] = [
            self._variation(made, used, chosen, place) for place, chosen in enumerate(combinations)
        ]
        made["variations"] = [it["id"] for it in self.variations[made["id"]]]
        prices = [float(it["price"]) for it in self.variations[made["id"]] if it["price"]]
        made["price"] = f"{min(prices, default=0):.2f}"
        if maker.chance(0.3):
            made |= {"manage_stock": True, "stock_quantity": 12}
            for variation in self.variations[made["id"]]:
                variation |= {"manage_stock": "parent", "stock_quantity": 12}

    def _variation(self, parent: Thing, used: list[Thing], chosen: dict[str, str], place: int) -> Thing:
        maker = self._maker
        number = maker.next_id()
        made = self._plain(number, parent["name"], f"{parent['sku']}-{place + 1}")
        for name in ("categories", "tags", "brands", "images", "variations", "grouped_products", "default_attributes",
                     "featured", "catalog_visibility", "short_description", "slug", "price_html", "related_ids",
                     "upsell_ids", "cross_sell_ids", "has_options", "post_password", "reviews_allowed",
                     "average_rating",
                     "rating_count", "total_sales", "sold_individually", "external_url", "button_text"):  # fmt: skip
            made.pop(name)
        made |= {
            "type": "variation", "parent_id": parent["id"], "description": "", "meta_data": [],
            "image": self._image(parent["name"]) if maker.chance(0.4) else None, "menu_order": place,
            "manage_stock": True, "stock_quantity": maker.random.randint(0, 20), "weight": maker.pick(("", "0.7")),
            "attributes": [
                {"id": it["id"], "name": it["name"], "slug": it["slug"], "option": chosen[it["name"]]}
                for it in used if chosen[it["name"]]
            ],
        }  # fmt: skip
        made["name"] = ", ".join(value for value in chosen.values() if value)
        made["permalink"] = f"{parent['permalink']}?attribute_size={number}"
        if maker.chance(0.3):
            self._reduce(made)
        return made

    def _global(self, name: str, place: int, *, variation: bool) -> Thing:
        found = next(it for it in self.attributes if it["name"] == name)
        options = [term["name"] for term in self.terms[found["id"]]]
        return {
            "id": found["id"], "name": name, "slug": found["slug"], "position": place, "visible": True,
            "variation": variation, "options": options if variation else options[:1],
        }  # fmt: skip


def _local(name: str, options: list[str], place: int, *, variation: bool = False) -> Thing:
    return {
        "id": 0, "name": name, "slug": name, "position": place, "visible": True, "variation": variation,
        "options": options,
    }  # fmt: skip


def _named(term: dict[str, Any]) -> Thing:
    return {"id": term["id"], "name": term["name"], "slug": term["slug"]}

"""The made shop's WordPress side: users, posts, pages, their categories and tags; and its settings.

What lives here: everything under `wp/v2`, `wc/v3/settings` and `wc/v3/system_status`.
"""

from typing import Any

from graftport_dagster.simulator.woocommerce.made import Maker, Thing, slug_of

_POSTS = (
    ("Hello from the workshop", "publish"), ("Five ways to wear wool", "publish"), ("Café opening", "publish"),
    ("An unfinished thought", "draft"), ("For members", "private"),
)  # fmt: skip
_PAGES = (
    ("About us", "publish", 0),
    ("Team", "publish", 1),
    ("Returns & refunds", "publish", 0),
    ("Old terms", "draft", 0),
)


class Content:
    """Made from a maker."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self.users = [
            {"id": 1, "name": "Mara Ink", "url": "", "description": "", "link": f"{maker.url}/author/mara/",
             "slug": "mara",
             "avatar_urls": {}, "meta": []},
        ]  # fmt: skip
        self.categories: list[Thing] = []
        self.tags: list[Thing] = []
        self.media: list[Thing] = []
        self.posts: list[Thing] = []
        self.pages: list[Thing] = []

    def make(self) -> None:
        """The posts and pages of a small shop."""
        self.categories = [self._term(name, "category") for name in ("Uncategorized", "News", "Care")]
        self.tags = [self._term(name, "post_tag") for name in ("wool", "events")]
        for place, (title, status) in enumerate(_POSTS):
            post = self._entry("post", title, status, f"{self._maker.url}/2023/03/{slug_of(title)}/")
            categories = [self.categories[place % 3]["id"]] if place else [it["id"] for it in self.categories[1:]]
            post |= {"sticky": False, "format": "standard", "categories": categories}
            post["tags"] = [it["id"] for it in self.tags[: place % 3]]
            if place % 2 == 0:
                post["featured_media"] = self._picture(title)["id"]
            self.posts.append(post)
        for title, status, parent in _PAGES:
            above = self.pages[0] if parent else None
            link = f"{self._maker.url}/{above['slug'] + '/' if above else ''}{slug_of(title)}/"
            page = self._entry("page", title, status, link)
            self.pages.append(page | {"parent": above["id"] if above else 0, "menu_order": 0})

    def _term(self, name: str, taxonomy: str) -> Thing:
        slug = slug_of(name)
        return {
            "id": self._maker.next_id(), "count": 1, "description": "", "link": f"{self._maker.url}/category/{slug}/",
            "name": name, "slug": slug, "taxonomy": taxonomy, "parent": 0, "meta": [],
        }  # fmt: skip

    def _picture(self, title: str) -> Thing:
        number = self._maker.next_id()
        made = {
            "id": number, "slug": slug_of(title), "type": "attachment", "alt_text": title, "media_type": "image",
            "mime_type": "image/jpeg", "source_url": f"{self._maker.url}/wp-content/uploads/2023/03/post-{number}.jpg",
        }  # fmt: skip
        self.media.append(made)
        return made

    def _entry(self, kind: str, title: str, status: str, link: str) -> Thing:
        times = self._maker.times("date", "modified")
        number = self._maker.next_id()
        body = f"<p>{title}: what we did, and <em>why</em>.</p>\n"
        return {
            "id": number, **times, "guid": {"rendered": f"{self._maker.url}/?p={number}"}, "slug": slug_of(title),
            "status": status, "type": kind, "link": link, "title": {"rendered": title.replace("&", "&amp;"),
            "raw": title},
            "content": {"rendered": body, "raw": f"<!-- wp:paragraph -->{body}", "protected": False},
            "excerpt": {"rendered": f"<p>{title} in short.</p>\n", "raw": f"{title} in short.", "protected": False},
            "author": 1, "featured_media": 0, "comment_status": "open", "ping_status": "open", "template": "",
            "meta": [],
        }  # fmt: skip


def settings() -> dict[str, list[Thing]]:
    """Groups of settings as `wc/v3/settings/<group>` answers."""
    values: dict[str, dict[str, Any]] = {
        "general": {
            "woocommerce_store_address": "Torstraße 1", "woocommerce_store_address_2": "",
            "woocommerce_store_city": "Berlin",
            "woocommerce_default_country": "DE:DE-BE", "woocommerce_store_postcode": "10115",
            "woocommerce_allowed_countries": "specific", "woocommerce_all_except_countries": [],
            "woocommerce_specific_allowed_countries": ["DE", "AT", "FR", "US"], "woocommerce_ship_to_countries": "",
            "woocommerce_specific_ship_to_countries": [], "woocommerce_calc_taxes": "yes",
            "woocommerce_enable_coupons": "yes", "woocommerce_currency": "EUR",
            "woocommerce_currency_pos": "right_space",
            "woocommerce_price_thousand_sep": ".", "woocommerce_price_decimal_sep": ",",
            "woocommerce_price_num_decimals": "2",
        },
        "products": {"woocommerce_weight_unit": "kg", "woocommerce_dimension_unit": "cm"},
        "tax": {"woocommerce_prices_include_tax": "no", "woocommerce_tax_based_on": "shipping"},
    }  # fmt: skip
    return {
        group: [
            {"id": name, "label": name, "description": "", "type": "text", "default": "", "tip": "", "value": value,
             "group_id": group}
            for name, value in found.items()
        ]
        for group, found in values.items()
    }  # fmt: skip


def system_status(url: str) -> Thing:
    """What `wc/v3/system_status` says, in short."""
    return {
        "environment": {
            "home_url": url, "site_url": url, "version": "10.4.0", "wp_version": "6.9", "wp_multisite": False,
            "php_version": "8.3.0", "language": "de_DE", "external_object_cache": False,
        },
        "active_plugins": [{"plugin": "woocommerce/woocommerce.php", "name": "WooCommerce", "version": "10.4.0"}],
        "settings": {"currency": "EUR", "currency_symbol": "€", "number_of_decimals": 2, "HPOS_enabled": True},
        "security": {"secure_connection": True, "hide_errors": True},
    }  # fmt: skip

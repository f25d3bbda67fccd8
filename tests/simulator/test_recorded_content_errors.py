"""Blogs, articles, pages, markets and prices against the userErrors recorded on real shops."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.shared

Provoked = list[dict[str, Any]]
LONG = "x" * 256
AHEAD = {"isPublished": True, "publishDate": "2099-01-01T00:00:00Z"}
ANN = {"name": "Ann"}
USER = "gid://shopify/StaffMember/1"


def blog(shop: Any, handle: str = "news") -> str:
    made = shop.mutate("blogCreate", {"blog": {"title": "News", "handle": handle}}, "blog { id }")
    return str(made["blog"]["id"])


def blog_create(shop: Any) -> Provoked:
    inputs = [{"title": ""}, {"title": LONG}, {"title": "a", "handle": LONG}]
    return [it for given in inputs for it in shop.errors("blogCreate", {"blog": given})]


def blog_update(shop: Any) -> Provoked:
    gid = blog(shop)
    inputs = [{"title": LONG}, {"handle": LONG}]
    return [it for given in inputs for it in shop.errors("blogUpdate", {"id": gid, "blog": given})]


ARTICLE: list[dict[str, Any]] = [
    AHEAD, {"body": "x" * 1024**2 + "x"}, {"handle": "taken"}, {"title": LONG}, {"handle": "x" * 266},
]  # fmt: skip


def article_create(shop: Any) -> Provoked:
    gid = blog(shop)
    base = {"title": "Hello", "author": ANN, "blogId": gid}
    shop.mutate("articleCreate", {"article": {**base, "handle": "taken"}}, "article { id }")
    changes = [*ARTICLE, {"author": {}}, {"title": ""}, {"blogId": "gid://shopify/Blog/1"}]
    errors = [it for change in changes for it in shop.errors("articleCreate", {"article": {**base, **change}})]
    errors += shop.errors("articleCreate", {"article": base, "blog": {"title": "Other"}})
    return errors + list(shop.errors("articleCreate", {"article": {"title": "Hello", "author": ANN}}))


def article_update(shop: Any) -> Provoked:
    base = {"title": "Hello", "author": ANN, "blogId": blog(shop)}
    shop.mutate("articleCreate", {"article": {**base, "handle": "taken"}}, "article { id }")
    made = shop.mutate("articleCreate", {"article": {**base, "handle": "mine"}}, "article { id }")
    changes = [
        *ARTICLE, {"author": {"name": "Ann", "userId": USER}}, {"author": {"userId": USER}},
        {"image": {"altText": "x"}}, {"blogId": "gid://shopify/Blog/1"},
    ]  # fmt: skip
    gid = made["article"]["id"]
    # In 2026-10 the author stands in every update.
    return [
        it for change in changes
        for it in shop.errors("articleUpdate", {"id": gid, "article": {"author": ANN, **change}})
    ]  # fmt: skip


PAGE: list[dict[str, Any]] = [
    AHEAD, {"handle": "taken"}, {"body": "x" * (512 * 1024 + 1)}, {"title": LONG}, {"handle": LONG},
]  # fmt: skip


def page_create(shop: Any) -> Provoked:
    shop.mutate("pageCreate", {"page": {"title": "About", "handle": "taken"}}, "page { id }")
    changes = [*PAGE, {"title": ""}]
    return [it for change in changes for it in shop.errors("pageCreate", {"page": {"title": "About", **change}})]


def page_update(shop: Any) -> Provoked:
    shop.mutate("pageCreate", {"page": {"title": "About", "handle": "taken"}}, "page { id }")
    gid = shop.mutate("pageCreate", {"page": {"title": "About"}}, "page { id }")["page"]["id"]
    return [it for change in PAGE for it in shop.errors("pageUpdate", {"id": gid, "page": change})]


# --- markets


NO_MARKET = "gid://shopify/Market/999999999"


def market(shop: Any, name: str, **more: Any) -> str:
    return str(shop.mutate("marketCreate", {"input": {"name": name, **more}}, "market { id }")["market"]["id"])


def market_create(shop: Any) -> Provoked:
    market(shop, "Germany")
    regions = [{"regions": [{"countryCode": code}]} for code in ("CU", "KP")]
    inputs: list[dict[str, Any]] = [
        {"name": ""}, {"name": "germany"}, {"name": "x"}, *({"name": "Else", **it} for it in regions),
        {"name": "Else", "currencySettings": {"baseCurrency": "EUR", "baseCurrencyManualRate": "0"}},
        {"name": "Else", "status": "DRAFT", "enabled": True},
    ]  # fmt: skip
    return [it for given in inputs for it in shop.errors("marketCreate", {"input": given})]


def market_update(shop: Any) -> Provoked:
    gid = market(shop, "Germany")
    inputs = [{"catalogsToAdd": ["gid://shopify/MarketCatalog/9999999999"]},
              {"webPresencesToAdd": ["gid://shopify/MarketWebPresence/9999999999"]}]  # fmt: skip
    errors = [it for given in inputs for it in shop.errors("marketUpdate", {"id": gid, "input": given})]
    return errors + list(shop.errors("marketUpdate", {"id": NO_MARKET, "input": {"name": "xx"}}))


def market_delete(shop: Any) -> Provoked:
    return list(shop.errors("marketDelete", {"id": NO_MARKET}))


def web_presence_create(shop: Any) -> Provoked:
    good = {"defaultLocale": "en", "subfolderSuffix": "taken"}
    shop.mutate("webPresenceCreate", {"input": good}, "webPresence { id }")
    changes: list[dict[str, Any]] = [
        {"domainId": "gid://shopify/Domain/1", "subfolderSuffix": None}, {"alternateLocales": ["en"]},
        {"defaultLocale": "fr", "alternateLocales": ["en", "en", "fr"]},
        {"defaultLocale": "de", "alternateLocales": ["en", "en"]}, {"alternateLocales": ["zz", "yy"]},
        {"defaultLocale": "zz"}, {"defaultLocale": "english"}, {"subfolderSuffix": None}, {"subfolderSuffix": "x"},
        {"subfolderSuffix": "x1"}, {"subfolderSuffix": "TAKEN"},
    ]  # fmt: skip
    return [
        it for change in changes
        for it in shop.errors("webPresenceCreate", {"input": {**good, "subfolderSuffix": "free", **change}})
    ]  # fmt: skip


def web_presence_update(shop: Any) -> Provoked:
    gids = [
        shop.mutate("webPresenceCreate", {"input": {"defaultLocale": "en", "subfolderSuffix": suffix}},
                    "webPresence { id }")["webPresence"]["id"]
        for suffix in ("taken", "mine")
    ]  # fmt: skip
    changes: list[dict[str, Any]] = [
        {"defaultLocale": "fr", "alternateLocales": ["fr"]}, {"alternateLocales": ["en", "en"], "defaultLocale": "de"},
        {"subfolderSuffix": "x1"}, {"subfolderSuffix": "taken"},
    ]  # fmt: skip
    errors = [it for change in changes for it in shop.errors("webPresenceUpdate", {"id": gids[1], "input": change})]
    missing = {"id": "gid://shopify/MarketWebPresence/1", "input": {"defaultLocale": "en"}}
    return errors + list(shop.errors("webPresenceUpdate", missing))


def web_presence_delete(shop: Any) -> Provoked:
    primary = shop.data("{ webPresences(first: 1) { nodes { id } } }")["webPresences"]["nodes"][0]["id"]
    gids = (primary, "gid://shopify/MarketWebPresence/1")
    return [it for gid in gids for it in shop.errors("webPresenceDelete", {"id": gid})]


def catalog(shop: Any, market_gid: str, **more: Any) -> str:
    given = {"title": "DE", "status": "ACTIVE", "context": {"marketIds": [market_gid]}, **more}
    return str(shop.mutate("catalogCreate", {"input": given}, "catalog { id }")["catalog"]["id"])


def price_list(shop: Any, name: str, **more: Any) -> str:
    given = {"name": name, "currency": "EUR", **more}
    given["parent"] = {"adjustment": {"type": "PERCENTAGE_INCREASE", "value": 0}}
    return str(shop.mutate("priceListCreate", {"input": given}, "priceList { id }")["priceList"]["id"])


def catalog_create(shop: Any) -> Provoked:
    gid = market(shop, "Germany")
    taken = price_list(shop, "DE", catalogId=catalog(shop, gid))
    good = {"title": "DE", "status": "ACTIVE", "context": {"marketIds": [gid]}}
    changes: list[dict[str, Any]] = [
        {"title": ""}, {"context": {"marketIds": [NO_MARKET]}}, {"context": {}},
        {"priceListId": "gid://shopify/PriceList/1"}, {"priceListId": taken},
    ]  # fmt: skip
    return [it for change in changes for it in shop.errors("catalogCreate", {"input": {**good, **change}})]


def catalog_update(shop: Any) -> Provoked:
    gid = catalog(shop, market(shop, "Germany"))
    errors = shop.errors("catalogUpdate", {"id": "gid://shopify/MarketCatalog/1", "input": {"title": "x"}})
    missing = {"publicationId": "gid://shopify/Publication/1"}
    return list(errors) + list(shop.errors("catalogUpdate", {"id": gid, "input": missing}))


def catalog_delete(shop: Any) -> Provoked:
    return list(shop.errors("catalogDelete", {"id": "gid://shopify/MarketCatalog/1"}))


def _adjusted(value: float) -> dict[str, Any]:
    return {"parent": {"adjustment": {"type": "PERCENTAGE_INCREASE", "value": value}}}


def price_list_create(shop: Any) -> Provoked:
    taken = catalog(shop, market(shop, "Germany"))
    price_list(shop, "DE", catalogId=taken)
    changes: list[dict[str, Any]] = [
        {"name": ""}, {"catalogId": "gid://shopify/MarketCatalog/1"}, {"catalogId": taken}, _adjusted(-1),
        {"name": "DE"}, {"name": LONG},
    ]  # fmt: skip
    good = {"name": "AT", "currency": "EUR", **_adjusted(0)}
    return [it for change in changes for it in shop.errors("priceListCreate", {"input": {**good, **change}})]


def price_list_update(shop: Any) -> Provoked:
    taken = catalog(shop, market(shop, "Germany"))
    price_list(shop, "DE", catalogId=taken)
    gid = price_list(shop, "AT")
    changes: list[dict[str, Any]] = [
        {"catalogId": "gid://shopify/MarketCatalog/1"}, {"catalogId": taken}, _adjusted(2000), {"name": "DE"},
        {"name": LONG},
    ]  # fmt: skip
    errors = [it for change in changes for it in shop.errors("priceListUpdate", {"id": gid, "input": change})]
    return errors + list(shop.errors("priceListUpdate", {"id": "gid://shopify/PriceList/1", "input": {}}))


def price_list_delete(shop: Any) -> Provoked:
    return list(shop.errors("priceListDelete", {"id": "gid://shopify/PriceList/1"}))


def _priced(variant: str, price: str = "EUR", compare_at: str = "EUR") -> dict[str, Any]:
    money = {
        name: {"amount": "1", "currencyCode": it} for name, it in (("price", price), ("compareAtPrice", compare_at))
    }
    return {"variantId": variant, **money}


def fixed_prices_add(shop: Any) -> Provoked:
    gid = price_list(shop, "DE")
    variant = shop.set_product({"title": "Bag"})["variants"]["nodes"][0]["id"]
    wrong = [_priced(variant, "USD", "USD"), _priced(variant, "USD", "USD")]
    errors = shop.errors("priceListFixedPricesAdd", {"priceListId": gid, "prices": wrong})
    missing = [_priced("gid://shopify/ProductVariant/1")]
    errors += shop.errors("priceListFixedPricesAdd", {"priceListId": gid, "prices": missing})
    nowhere = {"priceListId": "gid://shopify/PriceList/1", "prices": missing}
    return list(errors) + list(shop.errors("priceListFixedPricesAdd", nowhere))


def fixed_prices_delete(shop: Any) -> Provoked:
    gid = price_list(shop, "DE")
    variant = shop.set_product({"title": "Bag"})["variants"]["nodes"][0]["id"]
    cases = [(gid, variant), (gid, "gid://shopify/ProductVariant/1"), ("gid://shopify/PriceList/1", variant)]
    return [
        it for at, one in cases
        for it in shop.errors("priceListFixedPricesDelete", {"priceListId": at, "variantIds": [one]})
    ]  # fmt: skip


PROVOKE: dict[str, Callable[[Any], Provoked]] = {
    "blogCreate": blog_create, "blogUpdate": blog_update, "articleCreate": article_create,
    "articleUpdate": article_update, "pageCreate": page_create, "pageUpdate": page_update,
    "marketCreate": market_create, "marketUpdate": market_update, "marketDelete": market_delete,
    "webPresenceCreate": web_presence_create, "webPresenceUpdate": web_presence_update,
    "webPresenceDelete": web_presence_delete, "catalogCreate": catalog_create, "catalogUpdate": catalog_update,
    "catalogDelete": catalog_delete, "priceListCreate": price_list_create, "priceListUpdate": price_list_update,
    "priceListDelete": price_list_delete, "priceListFixedPricesAdd": fixed_prices_add,
    "priceListFixedPricesDelete": fixed_prices_delete,
}  # fmt: skip
EXCUSED = {
    "Inclusive pricing cannot be added": "markets have no conditions but regions",
}


@pytest.mark.parametrize("mutation", sorted(PROVOKE))
def test_recorded_errors_of_content_and_markets_are_answered_in_the_same_words(
    shop: Any, recorded: Any, mutation: str
) -> None:
    assert recorded.missing(mutation, PROVOKE[mutation](shop), EXCUSED) == []

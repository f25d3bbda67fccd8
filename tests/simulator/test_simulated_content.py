"""Blogs, articles, pages, menus, markets and their prices, as the simulated shop keeps them."""

from typing import Any

ANN = {"name": "Ann"}


def blog(shop: Any, handle: str = "news") -> str:
    made = shop.mutate("blogCreate", {"blog": {"title": "News", "handle": handle}}, "blog { id }")
    return str(made["blog"]["id"])


def article(shop: Any, blog_id: str, **more: Any) -> Any:
    given = {"title": "Hello", "author": ANN, "blogId": blog_id, **more}
    fields = "id handle isPublished publishedAt author { name } blog { handle } tags"
    payload = shop.mutate("articleCreate", {"article": given}, f"article {{ {fields} }} userErrors {{ message }}")
    assert payload["userErrors"] == []
    return payload["article"]


def test_two_blogs_may_have_an_article_of_one_handle_each(shop: Any) -> None:
    made = [article(shop, blog(shop, handle), handle="hello") for handle in ("news", "tips")]
    assert [(it["blog"]["handle"], it["handle"]) for it in made] == [("news", "hello"), ("tips", "hello")]
    found = shop.data("""{ articles(first: 5, query: "handle:'hello'") { nodes { id } } }""")["articles"]["nodes"]
    assert [it["id"] for it in found] == [it["id"] for it in made]


def test_an_article_is_visible_at_once_from_its_date_or_not_at_all(shop: Any) -> None:
    home = blog(shop)
    now, old, ahead, hidden = (
        article(shop, home, **more)
        for more in (
            {}, {"publishDate": "2020-01-01T00:00:00Z"}, {"publishDate": "2099-01-01T00:00:00Z"},
            {"isPublished": False},
        )
    )  # fmt: skip
    assert [it["isPublished"] for it in (now, old, ahead, hidden)] == [True, True, False, False]
    assert (old["publishedAt"], ahead["publishedAt"]) == ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
    assert hidden["publishedAt"] is None


def test_a_blog_that_goes_takes_its_articles_along(shop: Any) -> None:
    home = blog(shop)
    article(shop, home)
    assert shop.errors("blogDelete", {"id": home}) == []
    assert shop.data("{ articles(first: 5) { nodes { id } } }")["articles"]["nodes"] == []


def test_an_article_moves_into_a_blog_that_is_made_with_the_update(shop: Any) -> None:
    gid = article(shop, blog(shop))["id"]
    document = (
        "mutation($id: ID!, $article: ArticleUpdateInput!, $blog: ArticleBlogInput) { articleUpdate(id: $id, "
        "article: $article, blog: $blog) { article { blog { title } } userErrors { message } } }"
    )
    payload = shop.data(document, {"id": gid, "article": {}, "blog": {"title": "Tips"}})["articleUpdate"]
    assert payload == {"article": {"blog": {"title": "Tips"}}, "userErrors": []}


def test_a_blog_that_moves_leaves_redirects_of_its_articles_where_they_are_asked_for(shop: Any) -> None:
    home = blog(shop)
    article(shop, home, handle="hello")
    change = {"handle": "tips", "redirectArticles": True, "redirectNewHandle": True}
    assert shop.errors("blogUpdate", {"id": home, "blog": change}) == []
    nodes = shop.data("{ urlRedirects(first: 5) { nodes { path target } } }")["urlRedirects"]["nodes"]
    assert nodes == [
        {"path": "/blogs/news", "target": "/blogs/tips"}, {"path": "/blogs/news/hello", "target": "/blogs/tips/hello"},
    ]  # fmt: skip


def test_a_page_that_moves_leaves_a_redirect_where_it_is_asked_for(shop: Any) -> None:
    page = shop.mutate("pageCreate", {"page": {"title": "About", "handle": "about"}}, "page { id }")["page"]
    change = {"id": page["id"], "page": {"handle": "about-us", "redirectNewHandle": True}}
    assert shop.errors("pageUpdate", change) == []
    nodes = shop.data("{ urlRedirects(first: 5) { nodes { path target } } }")["urlRedirects"]["nodes"]
    assert nodes == [{"path": "/pages/about", "target": "/pages/about-us"}]


def test_a_menu_lists_its_items_in_order(shop: Any) -> None:
    page = shop.mutate("pageCreate", {"page": {"title": "About"}}, "page { id }")["page"]["id"]
    items = [{"title": "About", "type": "PAGE", "resourceId": page}, {"title": "Home", "type": "FRONTPAGE"}]
    given = {"title": "Main", "handle": "main", "items": items}
    assert shop.errors("menuCreate", given) == []
    menus = shop.data("{ menus(first: 5) { nodes { handle items { title resourceId } } } }")["menus"]["nodes"]
    assert menus[0]["items"] == [{"title": "About", "resourceId": page}, {"title": "Home", "resourceId": None}]


def regions(*codes: str) -> dict[str, Any]:
    return {"conditions": {"regionsCondition": {"regions": [{"countryCode": code} for code in codes]}}}


def test_a_shop_has_a_primary_market_that_stays(shop: Any) -> None:
    market = shop.data("{ markets(first: 5) { nodes { id name primary } } }")["markets"]["nodes"][0]
    assert (market["name"], market["primary"]) == ("United States", True)
    assert shop.errors("marketDelete", {"id": market["id"]})[0]["code"] == "CANNOT_DELETE_PRIMARY_MARKET"


def test_a_country_is_in_one_active_market_only(shop: Any) -> None:
    active = {"status": "ACTIVE"}
    assert shop.errors("marketCreate", {"input": {"name": "Germany", **active, **regions("DE")}}) == []
    error = shop.errors("marketCreate", {"input": {"name": "Europe", **active, **regions("FR", "DE")}})[0]
    assert error["code"] == "DUPLICATE_REGION_MARKET"
    assert error["field"] == ["input", "conditions", "regionsCondition", "regions", "1", "countryCode"]
    draft = {"input": {"name": "Europe", "status": "DRAFT", **regions("FR", "DE")}}
    made = shop.mutate("marketCreate", draft, "market { id }")["market"]["id"]
    for change in (active, {"enabled": True}):
        error = shop.errors("marketUpdate", {"id": made, "input": change})[0]
        assert (error["code"], error["field"]) == ("DUPLICATE_REGION_MARKET", ["input", "status"])


def test_a_market_of_which_nothing_is_said_is_not_open_yet(shop: Any) -> None:
    for more, status in (({}, "DRAFT"), ({"enabled": True}, "ACTIVE"), ({"status": "ACTIVE"}, "ACTIVE")):
        given = {"input": {"name": f"Market {more}", **more}}
        assert shop.mutate("marketCreate", given, "market { status }")["market"]["status"] == status
    both = {"name": "Both", "status": "ACTIVE", "enabled": False}
    error = shop.errors("marketCreate", {"input": both})[0]
    assert error["code"] == "INVALID_STATUS_AND_ENABLED_COMBINATION"


def test_what_a_market_keeps_nowhere_is_not_taken(shop: Any) -> None:
    create = "mutation($input: MarketCreateInput!) { marketCreate(input: $input) { market { id } } }"
    stores = {"companyLocationsCondition": {"applicationLevel": "ALL"}}
    for more in ({"discounts": ["gid://shopify/DiscountNode/1"]}, {"conditions": stores}):
        assert shop.code(create, {"input": {"name": "Europe", **more}}) == "SIMULATOR_NOT_SUPPORTED"


def test_a_price_list_is_taken_off_its_catalog(shop: Any) -> None:
    market = shop.mutate("marketCreate", {"input": {"name": "Germany"}}, "market { id }")["market"]["id"]
    catalog = {"title": "DE", "status": "ACTIVE", "context": {"marketIds": [market]}}
    catalog_id = shop.mutate("catalogCreate", {"input": catalog}, "catalog { id }")["catalog"]["id"]
    parent = {"adjustment": {"type": "PERCENTAGE_INCREASE", "value": 5}}
    price_list = {"name": "DE", "currency": "EUR", "catalogId": catalog_id, "parent": parent}
    gid = shop.mutate("priceListCreate", {"input": price_list}, "priceList { id }")["priceList"]["id"]
    change = {"id": gid, "input": {"catalogId": None}}
    shown = shop.mutate("priceListUpdate", change, "priceList { catalog { id } }")["priceList"]
    assert shown == {"catalog": None}


def test_the_last_fixed_price_of_a_variant_counts(shop: Any) -> None:
    market = shop.mutate("marketCreate", {"input": {"name": "Germany", **regions("DE")}}, "market { id }")["market"]
    catalog = {"title": "DE", "status": "ACTIVE", "context": {"marketIds": [market["id"]]}}
    catalog_id = shop.mutate("catalogCreate", {"input": catalog}, "catalog { id }")["catalog"]["id"]
    parent = {"adjustment": {"type": "PERCENTAGE_INCREASE", "value": 5}}
    price_list = {"name": "DE", "currency": "EUR", "catalogId": catalog_id, "parent": parent}
    gid = shop.mutate("priceListCreate", {"input": price_list}, "priceList { id }")["priceList"]["id"]
    variant = shop.set_product({"title": "Bag"})["variants"]["nodes"][0]["id"]
    for amount in ("10.00", "12.00"):
        price = {"variantId": variant, "price": {"amount": amount, "currencyCode": "EUR"}}
        assert shop.errors("priceListFixedPricesAdd", {"priceListId": gid, "prices": [price]}) == []
    query = """query($id: ID!) { market(id: $id) { catalogs(first: 5) { nodes { priceList {
        fixedPricesCount prices(first: 5, originType: FIXED) { nodes { variant { id } price { amount } } } } } } } }"""
    shown = shop.data(query, {"id": market["id"]})["market"]["catalogs"]["nodes"][0]["priceList"]
    assert shown["fixedPricesCount"] == 1
    assert shown["prices"]["nodes"] == [{"variant": {"id": variant}, "price": {"amount": "12.0"}}]

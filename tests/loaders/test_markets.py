"""Markets land with their countries, addresses, catalogs and prices, each piece once."""

from typing import Any

import pytest

from graftport_dagster.records import ResourceType

MARKETS = ResourceType.MARKETS
World = Any


def outcomes(tally: Any) -> dict[str, int]:
    assert tally.fatal is None
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def market(
    name: str = "Germany", *countries: str, prices: Any = None, percent: float = 0, **more: Any
) -> dict[str, Any]:
    handle = name.lower()
    regions = [{"countryCode": country} for country in countries or ("DE",)]
    envelope: dict[str, Any] = {
        "input": {
            "name": name, "handle": handle, "status": "ACTIVE",
            "conditions": {"regionsCondition": {"regions": regions}},
            "currencySettings": {"baseCurrency": "EUR", "localCurrencies": False}, **more,
        },
        "webPresences": [{"defaultLocale": "de", "alternateLocales": ["en"], "subfolderSuffix": handle[:2]}],
        "catalogs": [{"title": name, "status": "ACTIVE"}],
        "priceLists": [{
            "name": name, "currency": "EUR",
            "parent": {"adjustment": {"type": "PERCENTAGE_INCREASE", "value": percent}},
        }],
    }  # fmt: skip
    return envelope if prices is None else {**envelope, "prices": prices}


def price(of: Any, amount: str) -> dict[str, Any]:
    return {"variantId": of, "price": {"amount": amount, "currencyCode": "EUR"}}


def own(world: World, kind: str) -> list[Any]:
    """Without what every shop has from the start."""
    kept = [it for it in world.objects(kind) if not it.get("primary") and not it.get("domainId")]
    return sorted(kept, key=lambda it: str(it["id"]))


def variant(index: int, size: str) -> dict[str, Any]:
    part = {"part": "variant", "part_id": f"{index}-{size}"}
    return {"$ref": {"resource_type": "products", "source_id": str(index), **part}}


def bags(world: World, make_product: Any, number: int = 1) -> list[Any]:
    """References to two variants of each of so many products."""
    stages = {}
    for index in range(number):
        envelope = make_product(f"Bag {index}")
        stages[str(index)] = {**envelope, "parts": {"variant": [f"{index}-S", f"{index}-M"]}}
    world.stage(ResourceType.PRODUCTS, stages)
    world.load(ResourceType.PRODUCTS)
    return [variant(index, size) for index in range(number) for size in ("S", "M")]


def test_a_market_lands_whole_and_a_second_load_sends_nothing(world: World, make_product: Any) -> None:
    variants = bags(world, make_product)
    world.stage(MARKETS, {"1": market(prices=[price(one, "10.00") for one in variants])})
    assert outcomes(world.load(MARKETS)) == {"created": 1}
    (one,) = own(world, "Market")
    (presence,) = own(world, "MarketWebPresence")
    (catalog,) = world.objects("MarketCatalog")
    (price_list,) = world.objects("PriceList")
    assert [region["code"] for region in one["regions"]] == ["DE"]
    assert (one["webPresences"], one["catalogs"]) == ([presence["id"]], [catalog["id"]])
    assert (price_list["catalogId"], price_list["currency"]) == (catalog["id"], "EUR")
    assert [it["price"]["amount"] for it in world.objects("_FixedPrice")] == ["10.00", "10.00"]
    writes = len(world.writes())
    assert outcomes(world.load(MARKETS)) == {}
    assert len(world.writes()) == writes


def test_many_prices_go_in_batches_and_the_last_of_a_variant_counts(world: World, make_product: Any) -> None:
    (first, *_) = bags(world, make_product)
    prices = [price(first, f"{number}.00") for number in range(1, 400)]
    world.stage(MARKETS, {"1": market(prices=prices)})
    world.load(MARKETS)
    assert [it["price"]["amount"] for it in world.objects("_FixedPrice")] == ["399.00"]
    assert world.calls().count("priceListFixedPricesAdd") == 1


def test_new_prices_are_sent_without_the_market(world: World, make_product: Any) -> None:
    variants = bags(world, make_product)
    world.stage(MARKETS, {"1": market(prices=[price(variants[0], "10.00")])})
    world.load(MARKETS)
    before = len(world.writes())
    world.stage(MARKETS, {"1": market(prices=[price(variants[0], "12.00")])})
    assert outcomes(world.load(MARKETS)) == {"updated": 1}
    assert [it["operation"] for it in world.writes()[before:]] == ["priceListFixedPricesAdd"]
    assert [it["price"]["amount"] for it in world.objects("_FixedPrice")] == ["12.00"]


def test_countries_come_and_go_and_pieces_change_in_place(world: World) -> None:
    world.stage(MARKETS, {"1": market("Germany", "DE", "AT")})
    world.load(MARKETS)
    changed = market("Germany", "AT", "CH", percent=5)
    changed["webPresences"][0]["alternateLocales"] = ["fr"]
    world.stage(MARKETS, {"1": changed})
    assert outcomes(world.load(MARKETS)) == {"updated": 1}
    (one,) = own(world, "Market")
    (presence,) = own(world, "MarketWebPresence")
    (price_list,) = world.objects("PriceList")
    assert [region["code"] for region in one["regions"]] == ["AT", "CH"]
    assert presence["alternateLocales"] == ["fr"]
    assert price_list["parent"]["adjustment"]["value"] == 5


def test_a_market_waits_for_the_variants_it_prices(world: World, make_product: Any) -> None:
    missing = variant(0, "S")
    world.stage(MARKETS, {"1": market(prices=[price(missing, "10.00")]), "2": market("France", "FR")})
    assert outcomes(world.load(MARKETS)) == {"created": 1, "held": 1}
    bags(world, make_product)
    assert outcomes(world.load(MARKETS)) == {"created": 1}


@pytest.mark.parametrize(
    "operation", ["marketCreate", "webPresenceCreate", "catalogCreate", "priceListCreate", "priceListFixedPricesAdd"]
)
def test_a_lost_answer_makes_no_piece_twice(world: World, make_product: Any, operation: str) -> None:
    variants = bags(world, make_product)
    world.fault("hangup_after_commit", operation)
    world.stage(MARKETS, {"1": market(prices=[price(variants[0], "10.00")])})
    world.load(MARKETS)
    world.load(MARKETS)
    made = [len(own(world, kind)) for kind in ("Market", "MarketWebPresence", "MarketCatalog", "PriceList")]
    assert made == [1, 1, 1, 1]
    assert world.incomplete() == []
    assert outcomes(world.load(MARKETS)) == {}


def test_a_load_that_ended_between_two_pieces_goes_on_with_the_next(world: World) -> None:
    stopped: list[bool] = []
    world.stage(MARKETS, {"1": market()})

    def stop() -> bool:
        stopped.append(bool(world.objects("MarketCatalog")))
        return stopped[-1]

    world.load(MARKETS, should_stop=stop)
    assert world.objects("PriceList") == []
    world.load(MARKETS)
    assert len(world.objects("PriceList")) == 1
    assert world.calls().count("marketCreate") == world.calls().count("catalogCreate") == 1


def test_a_country_of_another_market_is_told_in_words_a_person_understands(world: World) -> None:
    world.stage(MARKETS, {"1": market("America", "CA", "US"), "2": market()})
    assert outcomes(world.load(MARKETS)) == {"created": 1, "errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["code"] == "DUPLICATE_REGION_MARKET"
    assert "United States" in incomplete["message"]
    assert "one active market" in incomplete["hint"]


def test_the_primary_market_may_be_adopted_by_its_name_but_not_deleted(world: World) -> None:
    mine = {"input": {"name": "United States", "handle": "usa"}}
    world.stage(MARKETS, {"1": mine})
    assert outcomes(world.load(MARKETS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "ALREADY_THERE"
    world.options(adopt_existing="by_natural_key")
    assert outcomes(world.load(MARKETS)) == {"adopted": 1}
    assert [it["handle"] for it in world.objects("Market")] == ["usa"]
    world.options(on_source_delete="delete")
    world.forget(MARKETS)
    assert outcomes(world.load(MARKETS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "CANNOT_DELETE_PRIMARY_MARKET"


def test_a_subfolder_of_another_market_is_refused_and_the_rest_is_there(world: World) -> None:
    query = "mutation($i: WebPresenceCreateInput!) { webPresenceCreate(input: $i) { webPresence { id } } }"
    world.graphql(query, i={"defaultLocale": "de", "subfolderSuffix": "ge"})
    world.stage(MARKETS, {"1": market()})
    assert outcomes(world.load(MARKETS)) == {"errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["code"] == "TAKEN"
    assert incomplete["path"].startswith("webPresences")
    assert len(own(world, "Market")) == 1


def test_the_web_presence_of_the_shops_own_domain_is_used(world: World) -> None:
    domain = next(it["domainId"] for it in world.objects("MarketWebPresence"))
    envelope = market()
    envelope["webPresences"] = [{"defaultLocale": "en", "alternateLocales": ["de"], "domainId": domain}]
    world.stage(MARKETS, {"1": envelope})
    assert outcomes(world.load(MARKETS)) == {"created": 1}
    (presence,) = world.objects("MarketWebPresence")
    assert own(world, "Market")[0]["webPresences"] == [presence["id"]]
    assert presence["alternateLocales"] == ["de"]


@pytest.mark.parametrize(("policy", "outcome"), [("archive", "archived"), ("delete", "deleted")])
def test_a_market_gone_from_the_source_is_a_draft_or_goes(world: World, policy: str, outcome: str) -> None:
    world.stage(MARKETS, {"1": market()})
    world.load(MARKETS)
    world.options(on_source_delete=policy)
    world.forget(MARKETS)
    assert outcomes(world.load(MARKETS)) == {outcome: 1}
    assert [it["status"] for it in own(world, "Market")] == ([] if policy == "delete" else ["DRAFT"])


def test_a_price_list_deleted_in_shopify_is_made_again_with_the_next_change(world: World) -> None:
    world.stage(MARKETS, {"1": market()})
    world.load(MARKETS)
    gid = world.objects("PriceList")[0]["id"]
    world.graphql("mutation($id: ID!) { priceListDelete(id: $id) { deletedId } }", id=gid)
    world.stage(MARKETS, {"1": market(percent=7)})
    assert outcomes(world.load(MARKETS)) == {"updated": 1}
    (price_list,) = world.objects("PriceList")
    assert price_list["parent"]["adjustment"]["value"] == 7


def test_a_dry_run_counts_every_piece(world: World) -> None:
    world.stage(MARKETS, {"1": market()})
    rehearsed = world.rehearse(MARKETS)
    assert rehearsed.outcomes["created"] == 1
    assert rehearsed.calls == 5
    assert own(world, "Market") == []


def test_what_leaves_the_source_leaves_the_market(world: World, make_product: Any) -> None:
    first, second, third, _ = bags(world, make_product, 2)
    envelope = market(prices=[price(one, "10.00") for one in (first, second)])
    envelope["webPresences"] += [{"defaultLocale": "fr", "subfolderSuffix": "fr"}]
    envelope["catalogs"] += [{"title": "Second", "status": "ACTIVE"}]
    envelope["priceLists"] += [{**envelope["priceLists"][0], "name": "Second"}]
    world.stage(MARKETS, {"1": envelope})
    assert outcomes(world.load(MARKETS)) == {"created": 1}
    world.stage(MARKETS, {"1": market(prices=[price(one, "10.00") for one in (second, third)])})
    assert outcomes(world.load(MARKETS)) == {"updated": 1}
    (presence,) = own(world, "MarketWebPresence")
    (catalog,) = world.objects("MarketCatalog")
    (price_list,) = world.objects("PriceList")
    assert (presence["subfolderSuffix"], catalog["title"], price_list["name"]) == ("ge", "Germany", "Germany")
    parts = {(one["part"], one["part_id"]): one["gid"] for one in world.story(MARKETS, "1")["stores"][0]["parts"]}
    assert set(parts) == {("web_presence", "ge"), ("catalog", "Germany"), ("price_list", "Germany")}
    sizes = {one["id"]: one["sku"] for one in (v for p in world.objects("Product") for v in p["variants"])}
    assert sorted(sizes[one["variantId"]] for one in world.objects("_FixedPrice")) == ["bag-0-M", "bag-1-S"]
    writes = len(world.writes())
    assert outcomes(world.load(MARKETS)) == {}
    assert len(world.writes()) == writes


def test_a_list_that_is_not_given_any_more_is_left_alone(world: World, make_product: Any) -> None:
    variants = bags(world, make_product)
    world.stage(MARKETS, {"1": market(prices=[price(one, "10.00") for one in variants])})
    world.load(MARKETS)
    world.stage(MARKETS, {"1": {"input": market()["input"]}})
    assert outcomes(world.load(MARKETS)) == {"updated": 1}
    kinds = ("MarketWebPresence", "MarketCatalog", "PriceList", "_FixedPrice")
    assert [len(own(world, kind)) for kind in kinds] == [1, 1, 1, 2]


def test_a_price_that_a_merchant_set_or_took_away_is_no_obstacle(world: World, make_product: Any) -> None:
    first, second, _, fourth = bags(world, make_product, 2)
    world.stage(MARKETS, {"1": market(prices=[price(one, "10.00") for one in (first, second)])})
    world.load(MARKETS)
    gid = world.objects("PriceList")[0]["id"]
    variants = {v["sku"]: v["id"] for p in world.objects("Product") for v in p["variants"]}
    world.graphql(
        "mutation($id: ID!, $v: [ID!]!, $p: [PriceListPriceInput!]!) { "
        "priceListFixedPricesDelete(priceListId: $id, variantIds: $v) { deletedFixedPriceVariantIds } "
        "priceListFixedPricesAdd(priceListId: $id, prices: $p) { prices { originType } } }",
        id=gid, v=[variants["bag-0-S"]],
        p=[{"variantId": variants["bag-1-M"], "price": {"amount": "7.00", "currencyCode": "EUR"}}],
    )  # fmt: skip
    world.stage(MARKETS, {"1": market(prices=[])})
    assert outcomes(world.load(MARKETS)) == {"updated": 1}
    assert [one["variantId"] for one in world.objects("_FixedPrice")] == [variants["bag-1-M"]]
    assert fourth


def test_a_deleted_market_takes_what_it_had_along_and_may_come_back(world: World) -> None:
    world.stage(MARKETS, {"1": market(), "2": market("France", "FR")})
    world.load(MARKETS)
    world.options(on_source_delete="delete")
    world.forget(MARKETS)
    assert outcomes(world.load(MARKETS)) == {"deleted": 2}
    kinds = ("Market", "MarketWebPresence", "MarketCatalog", "PriceList")
    assert [len(own(world, kind)) for kind in kinds] == [0, 0, 0, 0]
    world.stage(MARKETS, {"1": market(), "2": market("France", "FR")})
    assert outcomes(world.load(MARKETS)) == {"created": 2}
    assert [len(own(world, kind)) for kind in kinds] == [2, 2, 2, 2]


def test_a_deleted_market_leaves_the_address_of_the_shops_own_domain(world: World) -> None:
    domain = next(it["domainId"] for it in world.objects("MarketWebPresence"))
    envelope = market()
    envelope["webPresences"] = [{"defaultLocale": "en", "domainId": domain}]
    world.stage(MARKETS, {"1": envelope})
    world.load(MARKETS)
    world.options(on_source_delete="delete")
    world.forget(MARKETS)
    assert outcomes(world.load(MARKETS)) == {"deleted": 1}
    assert [it["domainId"] for it in world.objects("MarketWebPresence")] == [domain]

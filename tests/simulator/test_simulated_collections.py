"""Collections in both forms of input, and who is a member."""

from typing import Any

import pytest

from graftport_dagster.simulator.handles import handle_of

MEMBERS = (
    "collection { id handle sources { id title } products(first: 9) { nodes { title } } } userErrors { field message }"
)


def members(payload: Any) -> list[str]:
    assert payload["userErrors"] == []
    return [it["title"] for it in payload["collection"]["products"]["nodes"]]


def chosen(*ids: str) -> dict[str, Any]:
    return {"source": {"title": "Chosen", "inclusion": {"selections": [{"productId": it} for it in ids]}}}


def test_products_chosen_by_hand_are_members_in_both_forms(shop: Any) -> None:
    one, two = (shop.set_product({"title": it})["id"] for it in ("one", "two"))
    new = {"title": "New", "sources": [chosen(two, one)]}
    old = {"title": "Old", "products": [one]}
    assert members(shop.mutate("collectionCreate", {"collection": new}, MEMBERS)) == ["two", "one"]
    assert members(shop.mutate("collectionCreate", {"input": old}, MEMBERS)) == ["one"]


def test_conditions_take_in_what_fits_them(shop: Any) -> None:
    def product(title: str, price: str, tags: list[str]) -> None:
        options = {"productOptions": [{"name": "Size", "values": [{"name": "S"}]}]}
        variant = {"optionValues": [{"optionName": "Size", "name": "S"}], "price": price}
        shop.set_product({"title": title, "tags": tags, **options, "variants": [variant]})

    product("cheap bag", "10", ["bags"])
    product("dear bag", "90", ["bags"])
    product("cheap hat", "10", ["hats"])
    conditions = [
        {"productTag": {"matchType": "ANY", "relation": "TAGGED_WITH", "values": ["Bags"]}},
        {"variantPrice": {"relation": "LESS_THAN", "value": {"amount": "50.00", "currencyCode": "USD"}}},
    ]
    source = {"title": "rules", "inclusion": {"matchType": "ALL", "conditions": conditions}}
    new = {"title": "New", "sources": [{"source": source}]}
    assert members(shop.mutate("collectionCreate", {"collection": new}, MEMBERS)) == ["cheap bag"]
    rules = [{"column": "TAG", "relation": "EQUALS", "condition": "hats"}]
    old = {"title": "Old", "ruleSet": {"appliedDisjunctively": False, "rules": rules}}
    payload = shop.mutate("collectionCreate", {"input": old}, MEMBERS)
    assert members(payload) == ["cheap hat"]
    rule_set = "ruleSet { appliedDisjunctively rules { column relation condition } }"
    query = f"query($id: ID!) {{ collection(id: $id) {{ {rule_set} }} }}"
    assert shop.data(query, {"id": payload["collection"]["id"]})["collection"]["ruleSet"] == {
        "appliedDisjunctively": False, "rules": rules,
    }  # fmt: skip


def test_sources_are_added_to_and_taken_from(shop: Any) -> None:
    one, two = (shop.set_product({"title": it})["id"] for it in ("one", "two"))
    made = shop.mutate("collectionCreate", {"collection": {"title": "C", "sources": [chosen(one)]}}, MEMBERS)
    gid, source = made["collection"]["id"], made["collection"]["sources"][0]["id"]
    change = {"selectionsToAdd": [{"productId": two}], "selectionsToRemove": [{"productId": one}]}
    update = {"id": gid, "sourcesToUpdate": [{"condition": {"id": source, "inclusion": change}}]}
    assert members(shop.mutate("collectionUpdate", {"collection": update}, MEMBERS)) == ["two"]
    update = {"id": gid, "sourcesToDelete": [source]}
    assert members(shop.mutate("collectionUpdate", {"collection": update}, MEMBERS)) == []


def test_a_product_joins_no_collection_that_is_not_there_or_chooses_by_itself(shop: Any) -> None:
    gid = shop.set_product({"title": "Bag"})["id"]
    rules = [{"column": "TAG", "relation": "EQUALS", "condition": "x"}]
    smart = {"title": "Smart", "ruleSet": {"appliedDisjunctively": False, "rules": rules}}
    made = shop.mutate("collectionCreate", {"input": smart}, "collection { id }")["collection"]["id"]
    for wrong in ("gid://shopify/Collection/1", gid, made):
        given = {"product": {"id": gid, "collectionsToJoin": [wrong]}}
        errors = shop.errors("productUpdate", given, codes=False)
        assert [it["field"] for it in errors] == [["collectionsToJoin", "0"]]
    assert shop.control("objects?type=Product")[0]["collections"] == []


def test_what_a_source_leaves_out_comes_back_when_it_is_replaced(shop: Any) -> None:
    one, _ = (shop.set_product({"title": it, "tags": ["x"]})["id"] for it in ("one", "two"))
    tagged = {"productTag": {"matchType": "ANY", "relation": "TAGGED_WITH", "values": ["x"]}}
    source = {"title": "x", "inclusion": {"matchType": "ALL", "conditions": [tagged]}}
    without = {"source": {**source, "exclusion": {"selections": [{"productId": one}]}}}
    made = shop.mutate("collectionCreate", {"collection": {"title": "C", "sources": [without]}}, MEMBERS)
    assert members(made) == ["two"]
    replaced = {
        "id": made["collection"]["id"], "sourcesToDelete": [made["collection"]["sources"][0]["id"]],
        "sourcesToCreate": [{"source": source}],
    }  # fmt: skip
    assert members(shop.mutate("collectionUpdate", {"collection": replaced}, MEMBERS)) == ["one", "two"]


def test_what_a_collection_would_take_in_by_means_not_simulated_is_said(shop: Any) -> None:
    create = "mutation C($c: CollectionCreateInput!) { collectionCreate(collection: $c) { userErrors { message } } }"
    tagged = {"productTag": {"matchType": "ANY", "relation": "TAGGED_WITH", "values": ["x"]}}
    for source in (
        {"subCollections": {"title": "S", "collectionIds": []}},
        {"source": {"title": "x", "exclusion": {"conditions": [tagged]}}},
    ):
        given = {"title": "C", "sources": [source]}
        assert shop.code(create, {"c": given}) == "SIMULATOR_NOT_SUPPORTED"


def test_collections_named_by_a_product_are_its_collections(shop: Any) -> None:
    gids = [
        shop.mutate("collectionCreate", {"collection": {"title": it}}, "collection { id }")["collection"]["id"]
        for it in ("A", "B")
    ]
    product = shop.set_product({"title": "Bag", "collections": gids})
    shop.set_product({"collections": gids[1:]}, {"id": product["id"]})
    counts = shop.data("{ collections(first: 9) { nodes { title productsCount { count } } } }")["collections"]["nodes"]
    assert [(it["title"], it["productsCount"]["count"]) for it in counts] == [("A", 0), ("B", 1)]


def test_a_smart_collection_cannot_be_named_by_a_product(shop: Any) -> None:
    rules = {"appliedDisjunctively": False, "rules": [{"column": "TAG", "relation": "EQUALS", "condition": "x"}]}
    made = shop.mutate("collectionCreate", {"input": {"title": "Smart", "ruleSet": rules}}, "collection { id }")
    errors = shop.errors("productSet", {"input": {"title": "Bag", "collections": [made["collection"]["id"]]}})
    assert errors[0]["message"] == "Can't manually add products to a smart collection"


def test_a_collection_is_found_by_handle_and_by_custom_id(shop: Any) -> None:
    shop.define("COLLECTION")
    field = {"namespace": "graftport", "key": "source_id", "type": "id", "value": "cat:4"}
    given = {"title": "Bags", "metafields": [field]}
    made = shop.mutate("collectionCreate", {"collection": given}, "collection { id }")["collection"]
    query = "query($i: CollectionIdentifierInput!) { collectionByIdentifier(identifier: $i) { id } }"
    custom = {"customId": {"namespace": "graftport", "key": "source_id", "value": "cat:4"}}
    for identifier in ({"handle": "bags"}, custom, {"id": made["id"]}):
        assert shop.data(query, {"i": identifier})["collectionByIdentifier"] == made
    errors = shop.errors("collectionCreate", {"collection": given}, codes=False)
    assert errors[0]["field"] == ["metafields", "0", "value"]
    assert len(shop.control("objects?type=Collection")) == 1


def test_a_taken_handle_is_refused_and_an_omitted_one_gets_a_number(shop: Any) -> None:
    handles = [
        shop.mutate("collectionCreate", {"collection": {"title": "Bags"}}, "collection { handle }")["collection"][
            "handle"
        ]
        for _ in range(2)
    ]
    assert handles == ["bags", "bags-1"]
    errors = shop.errors("collectionCreate", {"collection": {"title": "x", "handle": "bags"}}, codes=False)
    assert errors == [{"field": ["handle"], "message": "Handle has already been taken"}]


def test_a_deleted_collection_is_no_product_s_any_more(shop: Any) -> None:
    made = shop.mutate("collectionCreate", {"collection": {"title": "A"}}, "collection { id }")["collection"]
    product = shop.set_product({"title": "Bag", "collections": [made["id"]]})
    shop.mutate("collectionDelete", {"input": made}, "deletedCollectionId")
    query = "query($id: ID!) { product(id: $id) { collections(first: 2) { nodes { id } } } }"
    assert shop.data(query, {"id": product["id"]})["product"]["collections"]["nodes"] == []


def test_a_collection_cannot_be_given_in_both_forms_or_neither(shop: Any) -> None:
    query = (
        "mutation($a: CollectionCreateInput, $b: CollectionInput) "
        "{ collectionCreate(collection: $a, input: $b) { userErrors { message } } }"
    )
    assert shop.code(query, {}) == "INVALID_FIELD_ARGUMENTS"
    assert shop.code(query, {"a": {"title": "x"}, "b": {"title": "x"}}) == "INVALID_FIELD_ARGUMENTS"


def test_every_kind_of_condition_is_taken_and_shown(shop: Any) -> None:
    shop.set_product({"title": "Bag", "vendor": "Luma", "productType": "Bags"})
    money = {"amount": "0.00", "currencyCode": "USD"}
    conditions: list[tuple[dict[str, Any], bool]] = [
        ({"productTitle": {"matchType": "ANY", "relation": "CONTAINS", "values": ["ag"]}}, True),
        ({"productVendor": {"matchType": "ANY", "relation": "NOT_EQUALS", "values": ["Luma"]}}, False),
        ({"productType": {"matchType": "ANY", "relation": "EQUALS", "values": ["bags"]}}, True),
        ({"variantPrice": {"relation": "EQUALS", "value": money}}, True),
        ({"variantCompareAtPrice": {"relation": "IS_NOT_SET"}}, True),
        ({"variantCompareAtPrice": {"relation": "EQUALS"}}, False),
        ({"variantInventory": {"relation": "GREATER_THAN", "value": 0}}, False),
        ({"variantWeight": {"relation": "LESS_THAN", "value": {"value": 1, "unit": "GRAMS"}}}, True),
        ({"variantTitle": {"matchType": "ANY", "relation": "STARTS_WITH", "values": ["default"]}}, True),
    ]
    for condition, fits in conditions:
        source = {"title": "s", "inclusion": {"matchType": "ALL", "conditions": [condition]}}
        shown = "sources { ... on CollectionConditionsSource { inclusion { conditions { __typename id } } } }"
        selection = f"collection {{ {shown} products(first: 2) {{ nodes {{ title }} }} }} userErrors {{ message }}"
        payload = shop.mutate(
            "collectionCreate", {"collection": {"title": "C", "sources": [{"source": source}]}}, selection
        )
        kind = next(iter(condition))
        name = f"CollectionSourceInclusionCondition{kind[0].upper()}{kind[1:]}"
        assert members(payload) == (["Bag"] if fits else []), condition
        assert payload["collection"]["sources"][0]["inclusion"]["conditions"][0]["__typename"] == name


def test_a_rule_over_numbers_needs_one(shop: Any) -> None:
    rule = {"column": "VARIANT_PRICE", "relation": "LESS_THAN", "condition": "a lot"}
    given = {"title": "C", "ruleSet": {"appliedDisjunctively": False, "rules": [rule]}}
    errors = shop.errors("collectionCreate", {"input": given}, codes=False)
    assert [it["field"] for it in errors] == [["ruleSet", "rules", "0", "condition"]]


@pytest.mark.parametrize("pair", [("ガラス", "カラス"), ("की", "का"), ("ป่า", "ปา")])
def test_titles_that_differ_by_marks_of_their_script_have_handles_that_differ(pair: tuple[str, str]) -> None:
    assert handle_of(pair[0]) != handle_of(pair[1])


@pytest.mark.parametrize(("title", "handle"), [("Crème Brûlée", "creme-brulee"), ("I ❤️ NY", "i-ny"), ("_a__b_", "a-b")])
def test_a_handle_has_no_accents_and_no_signs(title: str, handle: str) -> None:
    assert handle_of(title) == handle

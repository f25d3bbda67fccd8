"""productSet: creation, upsert, replacement of lists, and refusals that leave nothing."""

from typing import Any

import pytest

TAKEN = "Value is already assigned to another metafield. Choose a different value to ensure it remains unique."


def variants(*names: str, **more: Any) -> dict[str, Any]:
    return {
        "productOptions": [{"name": "Size", "position": 1, "values": [{"name": name} for name in names]}],
        "variants": [
            {"optionValues": [{"optionName": "Size", "name": name}], "sku": f"s-{name}", **more} for name in names
        ],
    }


def source_id(value: str) -> dict[str, Any]:
    return {"namespace": "graftport", "key": "source_id", "type": "id", "value": value}


def custom_id(value: str) -> dict[str, Any]:
    return {"customId": {"namespace": "graftport", "key": "source_id", "value": value}}


def test_a_product_without_options_has_the_one_that_says_nothing(shop: Any) -> None:
    product = shop.set_product({"title": "Ünïque Bag & Co."})
    assert product["handle"] == "unique-bag-co"
    assert [(it["name"], it["optionValues"][0]["name"]) for it in product["options"]] == [("Title", "Default Title")]
    assert [it["title"] for it in product["variants"]["nodes"]] == ["Default Title"]


def test_a_second_product_of_the_same_title_gets_a_handle_of_its_own(shop: Any) -> None:
    assert [shop.set_product({"title": "Bag"})["handle"] for _ in range(3)] == ["bag", "bag-1", "bag-2"]


def test_a_custom_id_finds_the_product_again(shop: Any) -> None:
    shop.define("PRODUCT")
    first = shop.set_product({"title": "Bag", "metafields": [source_id("1")]}, custom_id("1"))
    second = shop.set_product({"title": "Bag, blue", "metafields": [source_id("1")]}, custom_id("1"))
    assert (first["id"], first["handle"]) == (second["id"], second["handle"])
    assert second["title"] == "Bag, blue"
    found = shop.data(
        "query($i: ProductIdentifierInput!) { productByIdentifier(identifier: $i) { id } }", {"i": custom_id("1")}
    )
    assert found["productByIdentifier"]["id"] == first["id"]


def test_a_custom_id_is_written_without_being_asked_for(shop: Any) -> None:
    shop.define("PRODUCT")
    product = shop.set_product({"title": "Bag"}, custom_id("1"))
    assert [it["value"] for it in product["metafields"]["nodes"]] == ["1"]


@pytest.mark.parametrize("value", ["", "one\ntwo"])
def test_a_custom_id_that_cannot_be_kept_makes_no_product(shop: Any, value: str) -> None:
    shop.define("PRODUCT")
    errors = shop.errors("productSet", {"input": {"title": "Bag"}, "identifier": custom_id(value)})
    assert [it["code"] for it in errors] == ["INVALID_METAFIELD"]
    assert shop.control("objects?type=Product") == []


def test_a_custom_id_without_a_definition_is_not_found_at_top_level(shop: Any) -> None:
    query = (
        "mutation($i: ProductSetIdentifiers, $p: ProductSetInput!) "
        "{ productSet(identifier: $i, input: $p) { product { id } } }"
    )
    answer = shop.ask(query, {"i": custom_id("1"), "p": {"title": "Bag"}})
    error = answer["errors"][0]
    assert error["message"] == "Metafield definition of type 'id' is required when using custom ids."
    assert (error["extensions"]["code"], error["path"], answer["data"]) == (
        "NOT_FOUND", ["productSet"], {"productSet": None},
    )  # fmt: skip


def test_metafields_without_the_custom_id_are_a_mismatch(shop: Any) -> None:
    shop.define("PRODUCT")
    given = {"title": "Bag", "metafields": [source_id("2")]}
    errors = shop.errors("productSet", {"input": given, "identifier": custom_id("1")})
    assert [it["code"] for it in errors] == ["METAFIELD_MISMATCH"]


def test_a_taken_source_id_is_refused_and_leaves_nothing(shop: Any) -> None:
    shop.define("PRODUCT")
    shop.set_product({"title": "Bag", "metafields": [source_id("1")]})
    before = shop.control("objects?type=Product")
    errors = shop.errors("productSet", {"input": {"title": "Other", "metafields": [source_id("1")]}})
    assert errors == [
        {"field": ["input", "metafields", "0", "value"], "message": TAKEN, "code": "INVALID_METAFIELD"}
    ]  # fmt: skip
    assert shop.control("objects?type=Product") == before


def test_a_taken_source_id_of_a_variant_is_refused_and_leaves_nothing(shop: Any) -> None:
    shop.define("PRODUCTVARIANT")
    shop.set_product({"title": "Bag", **variants("S", metafields=[source_id("v1")])})
    given = {"title": "Other", **variants("S", "M", metafields=[source_id("v1")])}
    errors = shop.errors("productSet", {"input": given})
    assert errors[0]["field"] == ["input", "variants", "0", "metafields", "0", "value"]
    assert errors[0]["code"] == "INVALID_METAFIELD"
    assert len(shop.control("objects?type=Product")) == 1
    assert len(shop.control("objects?type=ProductVariant")) == 1


def test_two_variants_of_one_request_cannot_share_a_source_id(shop: Any) -> None:
    shop.define("PRODUCTVARIANT")
    errors = shop.errors("productSet", {"input": {"title": "Bag", **variants("S", "M", metafields=[source_id("v")])}})
    assert [it["code"] for it in errors] == ["INVALID_METAFIELD"]
    assert shop.control("objects?type=ProductVariant") == []


def test_variants_not_listed_are_removed_and_the_others_keep_their_ids(shop: Any) -> None:
    first = shop.set_product({"title": "Bag", **variants("S", "M", "L")})
    second = shop.set_product({"title": "Bag", **variants("L", "M")}, {"id": first["id"]})
    ids = {it["title"]: it["id"] for it in first["variants"]["nodes"]}
    assert [(it["title"], it["id"]) for it in second["variants"]["nodes"]] == [("L", ids["L"]), ("M", ids["M"])]


def test_a_variant_is_known_by_its_id_when_its_values_change(shop: Any) -> None:
    first = shop.set_product({"title": "Bag", **variants("S", "M")})
    small = first["variants"]["nodes"][0]
    given = variants("XS", "M")
    given["variants"][0]["id"] = small["id"]
    second = shop.set_product({"title": "Bag", **given}, {"id": first["id"]})
    assert [(it["id"] == small["id"], it["title"]) for it in second["variants"]["nodes"]] == [
        (True, "XS"),
        (False, "M"),
    ]


def test_omitted_fields_are_left_alone_and_empty_lists_clear(shop: Any) -> None:
    collection = shop.mutate("collectionCreate", {"collection": {"title": "Sale"}}, "collection { id }")["collection"]
    image = {"originalSource": "https://example.com/a.jpg"}
    given = {"title": "Bag", "tags": ["b", "a"], "vendor": "Luma", "collections": [collection["id"]], "files": [image]}
    first = shop.set_product({**given, **variants("S")})
    second = shop.set_product({"title": "Bag 2"}, {"id": first["id"]})
    assert {**second, "title": "Bag"} == first
    third = shop.set_product({"tags": [], "collections": [], "files": []}, {"id": first["id"]})
    assert (third["tags"], third["collections"]["nodes"], third["media"]["nodes"]) == ([], [], [])


def test_metafields_are_replaced_whole(shop: Any) -> None:
    def text(key: str) -> dict[str, str]:
        return {"namespace": "custom", "key": key, "type": "single_line_text_field", "value": key}

    first = shop.set_product({"title": "Bag", "metafields": [text("one"), text("two")]})
    second = shop.set_product({"metafields": [text("two"), text("three")]}, {"id": first["id"]})
    kept = {it["key"]: it["id"] for it in first["metafields"]["nodes"]}
    assert [it["key"] for it in second["metafields"]["nodes"]] == ["two", "three"]
    assert second["metafields"]["nodes"][0]["id"] == kept["two"]


def test_a_duplicate_combination_is_refused_and_leaves_no_product(shop: Any) -> None:
    given = {"title": "Bag", **variants("S", "M")}
    given["variants"].append(dict(given["variants"][1]))
    errors = shop.errors("productSet", {"input": given})
    assert errors == [{
        "field": ["input", "variants", "2"], "code": "INVALID_VARIANT",
        "message": "The variant 'M' already exists. Please change at least one option value.",
    }]  # fmt: skip
    assert shop.control("objects?type=Product") == []


def test_options_and_variants_need_each_other(shop: Any) -> None:
    both = variants("S")
    errors = shop.errors("productSet", {"input": {"title": "Bag", "productOptions": both["productOptions"]}})
    assert [(it["field"], it["code"]) for it in errors] == [(["input", "variants"], "VARIANTS_INPUT_MISSING")]
    errors = shop.errors("productSet", {"input": {"title": "Bag", "variants": both["variants"]}})
    assert [it["code"] for it in errors] == ["PRODUCT_OPTIONS_INPUT_MISSING"]


@pytest.mark.parametrize(
    ("options", "given", "code"),
    [
        ([], [], "VARIANTS_INPUT_MISSING"), (None, [], "PRODUCT_OPTIONS_INPUT_MISSING"),
        ([], [{"optionValues": []}], "PRODUCT_OPTIONS_INPUT_MISSING"),
    ],
)  # fmt: skip
def test_a_product_is_never_left_without_options_or_variants(shop: Any, options: Any, given: Any, code: str) -> None:
    asked = {"title": "Bag", "productOptions": options, "variants": given}
    assert [it["code"] for it in shop.errors("productSet", {"input": asked})] == [code]
    assert shop.control("objects?type=Product") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"productOptions": [{"name": f"o{i}", "values": [{"name": "x"}]} for i in range(4)]}, "OPTIONS_OVER_LIMIT"),
        ({"productOptions": [{"name": "Size", "values": []}]}, "OPTION_VALUES_MISSING"),
        ({"productOptions": [{"name": "Size", "values": [{"name": "S"}, {"name": "s"}]}]}, "DUPLICATED_OPTION_VALUE"),
        (
            {"productOptions": [{"name": n, "values": [{"name": "S"}]} for n in ("Size", "size")]},
            "DUPLICATED_OPTION_NAME",
        ),
        ({"variants": [{"optionValues": [{"optionName": "Colour", "name": "S"}]}]}, "OPTION_DOES_NOT_EXIST"),
        ({"variants": [{"optionValues": [{"optionName": "Size", "name": "XXL"}]}]}, "OPTION_VALUE_DOES_NOT_EXIST"),
        ({"variants": [{"optionValues": []}]}, "INVALID_VARIANT"),
        ({"variants": [{"optionValues": [{"optionName": "Size", "name": "S"}], "price": "-1"}]}, "INVALID_VARIANT"),
        (
            {
                "variants": [
                    {"optionValues": [{"optionName": "Size", "name": "S"}], "id": "gid://shopify/ProductVariant/1"}
                ]
            },
            "PRODUCT_VARIANT_DOES_NOT_EXIST",
        ),
        ({"title": " "}, "INVALID_PRODUCT"),
        ({"tags": ["x" * 256]}, "INVALID_PRODUCT"),
        ({"collections": ["gid://shopify/Collection/1"]}, "INVALID_INPUT"),
        ({"files": [{"originalSource": "no address"}]}, "INVALID_INPUT"),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(shop: Any, change: dict[str, Any], code: str) -> None:
    errors = shop.errors("productSet", {"input": {"title": "Bag", **variants("S"), **change}})
    assert code in [it["code"] for it in errors]
    assert shop.control("objects?type=Product") == []


def test_a_given_handle_that_is_taken_is_refused(shop: Any) -> None:
    shop.set_product({"title": "Bag"})
    errors = shop.errors("productSet", {"input": {"title": "Other", "handle": " Bag "}})
    assert errors == [{
        "field": ["input", "handle"], "code": "HANDLE_NOT_UNIQUE",
        "message": "Handle ' Bag ' already in use. Please provide a new handle.",
    }]  # fmt: skip


def test_identifiers_that_contradict_the_input_are_refused(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})

    def code(given: dict[str, Any], identifier: dict[str, Any]) -> str:
        return str(shop.errors("productSet", {"input": given, "identifier": identifier})[0]["code"])

    assert code({"title": "x", "handle": "other"}, {"handle": "bag"}) == "INPUT_MISMATCH"
    assert code({"title": "x"}, {"handle": "bag"}) == "MISSING_FIELD_REQUIRED"
    assert code({"title": "x", "id": product["id"]}, {"id": product["id"]}) == "ID_NOT_ALLOWED"
    assert code({"title": "x"}, {"id": "gid://shopify/Product/1"}) == "NOT_FOUND"


def test_a_new_handle_makes_a_redirect_only_when_asked(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})
    shop.set_product({"handle": "bag-2"}, {"id": product["id"]})
    assert shop.control("objects?type=UrlRedirect") == []
    shop.set_product({"handle": "bag-3", "redirectNewHandle": True}, {"id": product["id"]})
    redirects = shop.control("objects?type=UrlRedirect")
    assert [(it["path"], it["target"]) for it in redirects] == [("/products/bag-2", "/products/bag-3")]


def test_quantities_lie_at_locations_and_change_only_where_a_variant_is_stocked(shop: Any) -> None:
    here = shop.location()
    there = shop.mutate(
        "locationAdd", {"input": {"name": "Second", "address": {"countryCode": "DE"}}}, "location { id }"
    )["location"]["id"]

    def stock(location: str, quantity: int) -> dict[str, Any]:
        quantities = [{"locationId": location, "name": "available", "quantity": quantity}]
        return {"title": "Bag", **variants("S", inventoryQuantities=quantities)}

    product = shop.set_product(stock(here, 7))
    assert product["variants"]["nodes"][0]["inventoryQuantity"] == 7
    assert shop.set_product(stock(here, 9), {"id": product["id"]})["variants"]["nodes"][0]["inventoryQuantity"] == 9
    errors = shop.errors("productSet", {"input": stock(there, 1), "identifier": {"id": product["id"]}})
    assert errors[0]["field"] == ["input", "variants", "0", "inventoryQuantities", "0", "locationId"]


def test_a_file_sent_again_is_new_unless_it_replaces_or_is_named_by_id(shop: Any) -> None:
    image = {"originalSource": "https://example.com/a.jpg", "filename": "a.jpg", "contentType": "IMAGE"}

    def media(given: dict[str, Any], identifier: dict[str, Any] | None = None) -> str:
        return str(shop.set_product({"title": "Bag", "files": [given]}, identifier)["media"]["nodes"][0]["id"])

    product = shop.set_product({"title": "Bag", "files": [image]})
    first, same = product["media"]["nodes"][0]["id"], {"id": product["id"]}
    assert media({**image, "duplicateResolutionMode": "REPLACE"}, same) == first
    assert media({"id": first}, same) == first
    assert media(image, same) != first
    assert len(shop.control("objects?type=MediaImage")) == 2


def test_a_picture_of_a_variant_must_be_among_the_product_s(shop: Any) -> None:
    image = {"originalSource": "https://example.com/a.jpg"}
    given = {"title": "Bag", **variants("S", file=image)}
    assert shop.errors("productSet", {"input": given})[0]["code"] == "INVALID_VARIANT"
    product = shop.set_product({**given, "files": [image]})
    assert product["variants"]["nodes"][0]["media"]["nodes"] == [{"id": product["media"]["nodes"][0]["id"]}]


def test_a_picture_that_cannot_be_fetched_ends_as_failed(shop: Any) -> None:
    product = shop.set_product({"title": "Bag", "files": [{"originalSource": "https://nowhere.invalid/a.jpg"}]})
    assert product["media"]["nodes"][0]["status"] == "FAILED"


def test_more_variants_than_a_product_may_have_are_refused_at_top_level(shop: Any) -> None:
    names = [f"n{i}" for i in range(2049)]
    given = {"title": "Bag", **variants(*names)}
    given["productOptions"][0]["values"] = given["productOptions"][0]["values"][:100]
    answer = shop.ask("mutation($p: ProductSetInput!) { productSet(input: $p) { product { id } } }", {"p": given})
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"
    assert answer["errors"][0]["message"].startswith("The input array size of 2049 is greater")


def test_an_asynchronous_product_is_there_when_its_operation_is_complete(shop: Any) -> None:
    query = "query($id: ID!) { productOperation(id: $id) { status product { title } ... on ProductSetOperation { userErrors { code } } } }"  # noqa: E501
    selection = "product { id } productSetOperation { id status } userErrors { code }"
    payload = shop.mutate("productSet", {"input": {"title": "Bag"}, "synchronous": False}, selection)
    assert (payload["product"], payload["productSetOperation"]["status"]) == (None, "CREATED")
    done = shop.data(query, {"id": payload["productSetOperation"]["id"]})["productOperation"]
    assert done == {"status": "COMPLETE", "product": {"title": "Bag"}, "userErrors": []}
    failed = shop.mutate("productSet", {"input": {"title": ""}, "synchronous": False}, selection)
    operation = shop.data(query, {"id": failed["productSetOperation"]["id"]})["productOperation"]
    assert operation == {"status": "COMPLETE", "product": None, "userErrors": [{"code": "INVALID_PRODUCT"}]}

"""Staged records that Shopify takes, and those it does not: where the mistake is, and what to do."""

import copy
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from graphql import GraphQLSchema, build_client_schema, coerce_input_value
from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.records import ResourceType
from graftport_dagster.shopify.payload import PayloadProblem, check
from graftport_dagster.shopify.schema import named, types

SHARED = Path(__file__).parents[2] / "../shared/shopify/documents"
PRODUCTS = ResourceType.PRODUCTS


def ref(resource_type: str, source_id: str = "1", **part: str) -> dict[str, Any]:
    return {"$ref": {"resource_type": resource_type, "source_id": source_id, **part}}


def product(**changes: Any) -> dict[str, Any]:
    """A product with two sizes; a change of None takes the field away."""
    payload = {
        "title": "Shirt", "status": "ACTIVE", "tags": ["cotton"], "collections": [ref("collections", "12")],
        "productOptions": [{"name": "Size", "values": [{"name": "S"}, {"name": "M"}]}],
        "files": [{"originalSource": "https://shop.example/shirt.jpg", "alt": "Shirt", "contentType": "IMAGE"}],
        "variants": [variant("S"), variant("M")],
    } | changes  # fmt: skip
    return {"input": {name: value for name, value in payload.items() if value is not None}}


def variant(size: str = "S", **changes: Any) -> dict[str, Any]:
    return {
        "optionValues": [{"optionName": "Size", "name": size}], "price": "10.00", "sku": f"shirt-{size}",
        "inventoryQuantities": [{"locationId": ref("locations", "default"), "name": "available", "quantity": 3}],
    } | changes  # fmt: skip


def order(**changes: Any) -> dict[str, Any]:
    line = {"title": "Shirt", "quantity": 1, "variantId": ref("products", "1", part="variant", part_id="S")}
    return {"input": {"lineItems": [line], "currency": "EUR"} | changes}


def problems(resource_type: ResourceType, envelope: Any) -> list[PayloadProblem]:
    before = copy.deepcopy(envelope)
    found = check(resource_type, envelope)[1]
    assert envelope == before, "the payload given was changed"
    return found


def the_problem(resource_type: ResourceType, envelope: Any) -> PayloadProblem:
    found = problems(resource_type, envelope)
    assert len(found) == 1, found
    return found[0]


# --- what is taken


GOOD: dict[str, tuple[ResourceType, dict[str, Any]]] = {
    "a product": (PRODUCTS, product() | {"publications": ["Online Store"]}),
    "a product without variants": (PRODUCTS, product(productOptions=None, variants=None)),
    "nothing but stock": (PRODUCTS, {"input": {"variants": [variant()]}}),
    "a collection": (ResourceType.COLLECTIONS, {"input": {"title": "Sale", "sortOrder": "MANUAL"}}),
    "a customer": (ResourceType.CUSTOMERS, {
        "input": {"email": "a@example.com", "addresses": [{"address1": "Road 1", "countryCode": "DE"}]},
        "emailMarketingConsent": {"marketingState": "SUBSCRIBED", "consentUpdatedAt": "2024-01-31T10:20:30Z"},
        "metafields": [{"namespace": "custom", "key": "points", "type": "number_integer", "value": "3"}],
    }),
    "a basic discount": (ResourceType.DISCOUNT_CODES, {"input": {"basicCodeDiscount": {
        "title": "Ten", "code": "TEN", "startsAt": "2024-01-01T00:00:00Z",
        "customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}},
    }}}),
    "a gift card": (ResourceType.GIFT_CARDS, {
        "input": {"code": "abcd1234", "initialAmount": {"amount": 50, "currencyCode": "EUR"},
                  "customerId": ref("customers")},
        "debit": {"debitAmount": {"amount": "20.00", "currencyCode": "EUR"}},
    }),
    "an order": (ResourceType.ORDERS, order() | {
        "options": {"inventoryBehaviour": "BYPASS"},
        "refunds": [{"note": "late", "refundLineItems": [
            {"lineItemId": ref("orders", "1", part="line_item", part_id="7"), "quantity": 1}],
            "transactions": [{"amount": "5.00", "gateway": "manual", "kind": "REFUND",
                              "parentId": ref("orders", "1", part="transaction", part_id="3")}]}],
        "fulfillments": [{"trackingInfo": {"number": "1Z"}, "lineItems": [
            {"lineItemId": ref("orders", "1", part="line_item", part_id="7"), "quantity": 1}]}],
        "parts": {"line_item": ["7"], "refund": ["r1"], "fulfillment": ["f1"]},
    }),
    "an article": (ResourceType.BLOGS, {
        "input": {"title": "News", "handle": "news", "author": {"name": "Ann"},
                  "body": "<p>x</p>", "tags": ["a"]},
        "blog": {"title": "Blog", "handle": "blog"},
    }),
    "an article in a blog that is known": (ResourceType.BLOGS, {
        "input": {"title": "News", "handle": "news", "author": {"name": "Ann"}, "blogId": "gid://shopify/Blog/1"},
        "content_type": "article",
    }),
    "a page": (ResourceType.BLOGS, {
        "input": {"title": "About", "handle": "about", "body": "<p>x</p>", "isPublished": True},
        "content_type": "page",
    }),
    "a discount with many codes": (ResourceType.DISCOUNT_CODES, {
        "input": {"freeShippingCodeDiscount": {"title": "Free", "code": "A0", "startsAt": "2024-01-01T00:00:00Z"}},
        "codes": [f"A{number}" for number in range(1, 1000)],
    }),
    "a market with prices": (ResourceType.MARKETS, {
        "input": {"name": "Germany", "handle": "de"},
        "webPresences": [{"defaultLocale": "de", "subfolderSuffix": "de"}],
        "catalogs": [{"title": "DE", "status": "ACTIVE"}],
        "priceLists": [{"name": "DE", "currency": "EUR",
                        "parent": {"adjustment": {"type": "PERCENTAGE_INCREASE", "value": 0}}}],
        "prices": [{"variantId": ref("products", "1", part="variant", part_id=str(number)),
                    "price": {"amount": "10.00", "currencyCode": "EUR"}} for number in range(300)],
        "parts": {"web_presence": ["de"], "catalog": ["1"], "price_list": ["1"]},
    }),
    "a market": (ResourceType.MARKETS, {"input": {"name": "Germany", "conditions": {
        "regionsCondition": {"regions": [{"countryCode": "DE"}]}}}}),
    "a redirect": (ResourceType.REDIRECTS, {"input": {"path": "/old.html", "target": ref("products")}}),
    "a redirect to an address": (ResourceType.REDIRECTS, {"input": {"path": "/old", "target": "https://x.example/"}}),
}  # fmt: skip


@pytest.mark.parametrize(("resource_type", "envelope"), GOOD.values(), ids=GOOD.keys())
def test_what_shopify_takes_has_no_problem(resource_type: ResourceType, envelope: Any) -> None:
    assert problems(resource_type, envelope) == []


def test_what_is_right_comes_back_as_it_was() -> None:
    envelope = product()
    assert check(PRODUCTS, envelope)[0] == envelope


def test_our_own_names_may_stand_beside_input() -> None:
    ours = {"exclude": False, "exclude_reason": "", "source_url_path": "/shirt.html", "publications": []}
    assert problems(PRODUCTS, product() | ours | {"parts": {"variant": ["1", "2"], "image": ["a"]}}) == []


SAMPLES = [
    ("products/productSet_customId", "input", PRODUCTS), ("products/productSet_handle_async", "input", PRODUCTS),
    ("collections/collectionCreate_manual", "collection", ResourceType.COLLECTIONS),
    ("collections/collectionCreate_smart_sources", "collection", ResourceType.COLLECTIONS),
    ("customers/customerSet_email", "input", ResourceType.CUSTOMERS),
    ("customers/customerSet_customId", "input", ResourceType.CUSTOMERS),
    ("orders/orderCreate", "order", ResourceType.ORDERS),
    ("giftcards/giftCardCreate", "input", ResourceType.GIFT_CARDS),
    ("content/articleCreate", "article", ResourceType.BLOGS),
    ("markets/marketCreate", "input", ResourceType.MARKETS),
    ("redirects/urlRedirectCreate", "r", ResourceType.REDIRECTS),
]  # fmt: skip


def sample(name: str, argument: str) -> Any:
    path = SHARED / f"{name}.vars.json"
    if not path.exists():
        pytest.skip(f"the sample {name} is not beside the project")
    return json.loads(path.read_text(encoding="utf-8"))[argument]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "argument", "resource_type"), SAMPLES)
def test_the_samples_are_taken(name: str, argument: str, resource_type: ResourceType) -> None:
    beside = {"blog": {"title": "News", "handle": "news"}} if resource_type is ResourceType.BLOGS else {}
    assert problems(resource_type, {"input": sample(name, argument), **beside}) == []


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["Basic", "Bxgy", "FreeShipping"])
def test_the_sample_discounts_are_taken(kind: str) -> None:
    key = f"{kind[0].lower()}{kind[1:]}CodeDiscount"
    payload = sample(f"discounts/discountCode{kind}Create", "d")
    assert problems(ResourceType.DISCOUNT_CODES, {"input": {key: payload}}) == []


@pytest.mark.shared
@pytest.mark.parametrize(("name", "argument", "resource_type"), [
    ("productSet_unknown_field", "input", PRODUCTS),
    ("customerSet_metafields", "input", ResourceType.CUSTOMERS),
    ("orderCreate_tax_line_without_rate", "order", ResourceType.ORDERS),
])  # fmt: skip
def test_the_samples_that_must_be_refused_are(name: str, argument: str, resource_type: ResourceType) -> None:
    assert problems(resource_type, {"input": sample(f"negative/{name}", argument)})


# --- what is put right


def normal(resource_type: ResourceType, envelope: Any) -> Any:
    result, found = check(resource_type, envelope)
    assert found == []
    return result


def test_a_single_value_becomes_a_list_where_shopify_wants_one() -> None:
    envelope = product(tags="cotton", variants=variant("S"), productOptions={"name": "Size", "values": {"name": "S"}})
    result = normal(PRODUCTS, envelope | {"publications": "Online Store", "parts": {"variant": "S"}})
    assert result["input"]["tags"] == ["cotton"]
    assert result["input"]["variants"][0]["sku"] == "shirt-S"
    assert result["input"]["productOptions"][0]["values"] == [{"name": "S"}]
    assert result["publications"] == ["Online Store"]
    assert result["parts"] == {"variant": ["S"]}


@pytest.mark.parametrize(
    ("given", "sent"),
    [(10, "10"), (10.5, "10.5"), ("10.50", "10.50"), (19.999999999999996, "20"), (0.1 + 0.2, "0.3"), (0, "0"),
     (1e6, "1000000")],
)  # fmt: skip
def test_amounts_are_sent_as_text(given: Any, sent: str) -> None:
    assert normal(PRODUCTS, product(variants=[variant(price=given)]))["input"]["variants"][0]["price"] == sent


def test_whole_numbers_may_come_as_decimals() -> None:
    stock = [{"locationId": ref("locations"), "name": "available", "quantity": 3.0}]
    result = normal(PRODUCTS, product(variants=[variant(inventoryQuantities=stock)]))
    quantity = result["input"]["variants"][0]["inventoryQuantities"][0]["quantity"]
    assert (quantity, type(quantity)) == (3, int)


def test_null_stays_because_it_clears_the_field() -> None:
    envelope = product() | {"publications": None}
    envelope["input"]["vendor"] = None
    assert normal(PRODUCTS, envelope)["input"]["vendor"] is None


# --- what is refused


def with_input(**changes: Any) -> dict[str, Any]:
    envelope = product()
    envelope["input"] |= changes
    return envelope


def a_variant(**changes: Any) -> dict[str, Any]:
    return product(variants=[variant("S"), variant("M", **changes)])


V1 = "input.variants[1]"
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown field": (with_input(titel="x"), "input.titel", "UNKNOWN_FIELD"),
    "an unknown field of a variant": (a_variant(prize="1"), f"{V1}.prize", "UNKNOWN_FIELD"),
    "an unknown sibling": (product() | {"publication": ["x"]}, "publication", "UNKNOWN_FIELD"),
    "a number as text": (with_input(title=5), "input.title", "WRONG_TYPE"),
    "text as a number": (a_variant(position="1"), f"{V1}.position", "WRONG_TYPE"),
    "text as true": (a_variant(taxable="true"), f"{V1}.taxable", "WRONG_TYPE"),
    "true as a number": (a_variant(position=True), f"{V1}.position", "WRONG_TYPE"),
    "true as an amount": (a_variant(price=True), f"{V1}.price", "BAD_NUMBER"),
    "a fraction as a whole number": (a_variant(position=1.5), f"{V1}.position", "WRONG_TYPE"),
    "a number too large": (a_variant(position=2**31), f"{V1}.position", "OUT_OF_RANGE"),
    "an object as text": (with_input(title={"a": 1}), "input.title", "WRONG_TYPE"),
    "a list as text": (with_input(title=["a"]), "input.title", "WRONG_TYPE"),
    "text as an object": (with_input(seo="x"), "input.seo", "WRONG_TYPE"),
    "a reference as text": (with_input(title=ref("products")), "input.title", "WRONG_TYPE"),
    "an amount with a comma": (a_variant(price="1,299.00"), f"{V1}.price", "BAD_NUMBER"),
    "an empty amount": (a_variant(price=""), f"{V1}.price", "BAD_NUMBER"),
    "an amount that is none": (a_variant(price=float("nan")), f"{V1}.price", "BAD_NUMBER"),
    "an endless amount": (a_variant(price=10**5000), f"{V1}.price", "BAD_NUMBER"),
    "a negative price": (a_variant(price="-1"), f"{V1}.price", "OUT_OF_RANGE"),
    "an unknown status": (with_input(status="ENABLED"), "input.status", "UNKNOWN_VALUE"),
    "a status that is no text": (with_input(status=1), "input.status", "WRONG_TYPE"),
    "an id that is none": (with_input(collections=["12"]), "input.collections[0]", "BAD_ID"),
    "an id of another type": (
        with_input(collections=["gid://shopify/Product/1"]), "input.collections[0]", "BAD_ID"),
    "a reference to another type": (
        with_input(collections=[ref("products")]), "input.collections[0]", "BAD_REFERENCE"),
    "a reference to nothing": (with_input(collections=[ref("boxes")]), "input.collections[0]", "BAD_REFERENCE"),
    "a reference whose type is a list": (
        with_input(collections=[{"$ref": {"resource_type": ["collections"], "source_id": "1"}}]),
        "input.collections[0]", "BAD_REFERENCE"),
    "a reference with a number": (
        with_input(collections=[{"$ref": {"resource_type": "collections", "source_id": 1}}]),
        "input.collections[0]", "BAD_REFERENCE"),
    "half a part": (with_input(collections=[ref("collections", part="x")]), "input.collections[0]", "BAD_REFERENCE"),
    "a reference with more in it": (
        with_input(collections=[ref("collections") | {"x": 1}]), "input.collections[0]", "BAD_REFERENCE"),
    "null in a list": (with_input(tags=["a", None]), "input.tags[1]", "WRONG_TYPE"),
    "a variant without options": (
        product(variants=[variant("S"), {"sku": "x"}]), f"{V1}.optionValues", "REQUIRED"),
    "required and null": (a_variant(optionValues=None), f"{V1}.optionValues", "REQUIRED"),
    "a title too long": (with_input(title="x" * 256), "input.title", "TOO_LONG"),
    "a blank title": (with_input(title=" "), "input.title", "BLANK"),
    "a tag too long": (with_input(tags=["ok", "x" * 256]), "input.tags[1]", "TOO_LONG"),
    "too many tags": (with_input(tags=["x"] * 251), "input.tags", "TOO_MANY"),
    "too many variants": (with_input(variants=[variant()] * 2049), "input.variants", "TOO_MANY"),
    "four options": (
        with_input(productOptions=[{"name": str(n)} for n in range(4)]), "input.productOptions", "TOO_MANY"),
    "an image without an address": (
        with_input(files=[{"originalSource": "/media/shirt.jpg"}]), "input.files[0].originalSource", "BAD_URL"),
    "an image with a space": (
        with_input(files=[{"originalSource": "https://x.y/a b.jpg"}]), "input.files[0].originalSource", "BAD_URL"),
    "an id of its own": (with_input(id="gid://shopify/Product/1"), "input.id", "NOT_ALLOWED"),
    "publications that are no names": (product() | {"publications": [1]}, "publications[0]", "WRONG_TYPE"),
    "exclude as text": (product() | {"exclude": "no"}, "exclude", "WRONG_TYPE"),
    "the same options twice": (
        product(variants=[variant("S"), variant("S")]), f"{V1}.optionValues", "DUPLICATE_VARIANT"),
    "a missing option": (
        product(variants=[variant("S"), variant("M", optionValues=[])]), f"{V1}.optionValues", "OPTION_MISSING"),
    "an unnamed option value": (a_variant(optionValues=[{"name": "M"}]), f"{V1}.optionValues[0]", "REQUIRED"),
    "an option twice in one variant": (
        a_variant(optionValues=[{"optionName": "Size", "name": "M"}, {"optionName": "Size", "name": "L"}]),
        f"{V1}.optionValues[1]", "DUPLICATE_OPTION"),
    "options without variants": (product(variants=None), "input.variants", "REQUIRED"),
    "one option twice": (
        with_input(productOptions=[{"name": "Size"}, {"name": "Size"}]), "input.productOptions[1].name",
        "DUPLICATE_OPTION"),
    "one value twice": (
        with_input(productOptions=[{"name": "Size", "values": [{"name": "S"}, {"name": "S"}]}]),
        "input.productOptions[0].values[1].name", "DUPLICATE_VALUE"),
    "too few part ids": (product() | {"parts": {"variant": ["1"]}}, "parts.variant", "PARTS_DO_NOT_MATCH"),
    "a part id twice": (product() | {"parts": {"variant": ["1", "1"]}}, "parts.variant", "DUPLICATE_PART"),
    "parts that are none": (product() | {"parts": ["1"]}, "parts", "WRONG_TYPE"),
    "text that is no Unicode": (with_input(title="\ud800"), "input", "NOT_JSON"),
    "no input": ({"publications": []}, "input", "REQUIRED"),
    "input that is no object": ({"input": []}, "input", "WRONG_TYPE"),
    "a key that is no text": ({"input": {1: 2}}, "input[1]", "UNKNOWN_FIELD"),
}  # fmt: skip


@pytest.mark.parametrize(("envelope", "path", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_found_where_it_is(envelope: Any, path: str, code: str) -> None:
    found = the_problem(PRODUCTS, envelope)
    assert (found.path, found.code) == (path, code)
    assert found.message


def test_an_option_of_another_name_is_said_with_the_nearest() -> None:
    found = problems(PRODUCTS, a_variant(optionValues=[{"optionName": "Sise", "name": "M"}]))
    assert {(problem.code, problem.hint) for problem in found} == {
        ("OPTION_MISSING", "Every variant needs one."),
        ("UNKNOWN_OPTION", "Did you mean Size?"),
    }


@pytest.mark.parametrize(
    ("envelope", "hint"),
    [(with_input(titel="x"), "Did you mean title?"), (with_input(status="ACTIV"), "Did you mean ACTIVE?"),
     (with_input(status="on"), "There are ACTIVE, ARCHIVED, DRAFT, UNLISTED."),
     (product() | {"publication": []}, "Did you mean publications?")],
)  # fmt: skip
def test_the_nearest_name_is_proposed(envelope: Any, hint: str) -> None:
    assert the_problem(PRODUCTS, envelope).hint == hint


def test_all_mistakes_are_told_at_once() -> None:
    envelope = with_input(titel="x", status="on", tags=[1])
    assert {problem.path for problem in problems(PRODUCTS, envelope)} == {
        "input.titel",
        "input.status",
        "input.tags[0]",
    }


def test_endless_mistakes_are_told_up_to_fifty() -> None:
    assert len(problems(PRODUCTS, with_input(tags=[1] * 200))) == 50


def test_variants_that_go_by_shopifys_ids_are_left_to_shopify() -> None:
    by_id = [{"optionId": "gid://shopify/ProductOption/1", "name": "S"}]
    assert problems(PRODUCTS, product(variants=[variant("S"), variant(optionValues=by_id)])) == []


def test_a_message_never_shows_a_customers_data() -> None:
    envelope = {"input": {"email": ["ann@example.com"], "firstName": {"Ann": 1}, "note": "Ann " * 2000, "phone": 4930}}
    for problem in problems(ResourceType.CUSTOMERS, envelope):
        assert "Ann" not in problem.message + problem.hint
        assert "ann@" not in problem.message
        assert "4930" not in problem.message


OTHERS: dict[str, tuple[ResourceType, dict[str, Any], str, str]] = {
    "a customer with metafields inside": (
        ResourceType.CUSTOMERS, {"input": {"metafields": []}}, "input.metafields", "UNKNOWN_FIELD"),
    "a consent without a state": (
        ResourceType.CUSTOMERS, {"input": {}, "emailMarketingConsent": {}},
        "emailMarketingConsent.marketingState", "REQUIRED"),
    "a consent without a zone": (
        ResourceType.CUSTOMERS,
        {"input": {}, "smsMarketingConsent": {"marketingState": "SUBSCRIBED",
                                              "consentUpdatedAt": "2024-01-31 10:20:30"}},
        "smsMarketingConsent.consentUpdatedAt", "BAD_DATE"),
    "a country that is none": (
        ResourceType.CUSTOMERS, {"input": {"addresses": [{"countryCode": "Germany"}]}},
        "input.addresses[0].countryCode", "UNKNOWN_VALUE"),
    "a discount of no kind": (ResourceType.DISCOUNT_CODES, {"input": {}}, "input", "ONE_OF"),
    "a discount without a code": (
        ResourceType.DISCOUNT_CODES, {"input": {"basicCodeDiscount": {"startsAt": "2024-01-01T00:00:00Z"}}},
        "input.basicCodeDiscount.code", "REQUIRED"),
    "ten percent as ten": (
        ResourceType.DISCOUNT_CODES,
        {"input": {"basicCodeDiscount": {"code": "A", "startsAt": "2024-01-01T00:00:00Z",
                                         "customerGets": {"value": {"percentage": 10}}}}},
        "input.basicCodeDiscount.customerGets.value.percentage", "OUT_OF_RANGE"),
    "a gift card without a code": (
        ResourceType.GIFT_CARDS, {"input": {"initialAmount": {"amount": "1", "currencyCode": "EUR"}}},
        "input.code", "REQUIRED"),
    "a gift card with a short code": (
        ResourceType.GIFT_CARDS, {"input": {"code": "abc", "initialAmount": {"amount": "1", "currencyCode": "EUR"}}},
        "input.code", "BAD_CODE"),
    "a gift card that expires at a time": (
        ResourceType.GIFT_CARDS,
        {"input": {"code": "abcd1234", "initialAmount": {"amount": "1", "currencyCode": "EUR"},
                   "expiresOn": "2024-02-31"}}, "input.expiresOn", "BAD_DATE"),
    "an order without lines": (ResourceType.ORDERS, {"input": {}}, "input.lineItems", "REQUIRED"),
    "a refund without an id": (
        ResourceType.ORDERS, order() | {"refunds": [{"note": "late"}]}, "parts.refund", "REQUIRED"),
    "more ids than refunds": (
        ResourceType.ORDERS, order() | {"refunds": [{"note": "late"}], "parts": {"refund": ["1", "2"]}},
        "parts.refund", "PARTS_DO_NOT_MATCH"),
    "lines of a fulfillment order": (
        ResourceType.ORDERS,
        order() | {"fulfillments": [{"lineItemsByFulfillmentOrder": []}], "parts": {"fulfillment": ["1"]}},
        "fulfillments[0].lineItemsByFulfillmentOrder", "UNKNOWN_FIELD"),
    "taxes twice": (
        ResourceType.ORDERS,
        {"input": {"taxLines": [{"title": "VAT", "rate": "0.19"}],
                   "lineItems": [{"title": "a", "quantity": 1, "taxLines": [{"title": "VAT", "rate": 0.19}]}]}},
        "input.taxLines", "TAX_LINES_TWICE"),
    "two ways to name a customer": (
        ResourceType.ORDERS, order(customer={"toAssociate": {"id": ref("customers")}, "toUpsert": {}}),
        "input.customer", "ONE_OF"),
    "an article without a handle": (
        ResourceType.BLOGS, {"input": {"title": "a", "author": {"name": "b"}}, "blog": {"title": "b", "handle": "b"}},
        "input.handle", "REQUIRED"),
    "an article without a blog": (
        ResourceType.BLOGS, {"input": {"title": "a", "handle": "a", "author": {"name": "b"}}}, "blog.handle",
        "REQUIRED"),
    "a page with an author": (
        ResourceType.BLOGS, {"input": {"title": "a", "handle": "a", "author": {"name": "b"}}, "content_type": "page"},
        "input.author", "UNKNOWN_FIELD"),
    "content of another kind": (
        ResourceType.BLOGS, {"input": {"title": "a", "handle": "a", "author": {"name": "b"}}, "content_type": "post",
                             "blog": {"title": "b", "handle": "b"}}, "content_type", "UNKNOWN_VALUE"),
    "a blank further code": (
        ResourceType.DISCOUNT_CODES,
        {"input": {"basicCodeDiscount": {"code": "a", "startsAt": "2024-01-01T00:00:00Z"}}, "codes": ["b", " "]},
        "codes[1]", "BLANK"),
    "a price list without a catalog": (
        ResourceType.MARKETS, {"input": {"name": "DE"}, "priceLists": [
            {"name": "DE", "currency": "EUR", "parent": {"adjustment": {"type": "PERCENTAGE_INCREASE", "value": 0}}}]},
        "priceLists", "NO_CATALOG"),
    "prices without a price list": (
        ResourceType.MARKETS, {"input": {"name": "DE"}, "prices": [
            {"variantId": "gid://shopify/ProductVariant/1", "price": {"amount": "1", "currencyCode": "EUR"}}]},
        "prices", "NO_PRICE_LIST"),
    "a web presence nowhere": (
        ResourceType.MARKETS, {"input": {"name": "DE"}, "webPresences": [{"defaultLocale": "de"}]},
        "webPresences[0].subfolderSuffix", "REQUIRED"),
    "an article without an author": (
        ResourceType.BLOGS, {"input": {"title": "a", "handle": "a"}}, "input.author", "REQUIRED"),
    "a redirect without a target": (ResourceType.REDIRECTS, {"input": {"path": "/a"}}, "input.target", "REQUIRED"),
    "a redirect from an address": (
        ResourceType.REDIRECTS, {"input": {"path": "https://x.example/a", "target": "/b"}}, "input.path", "BAD_PATH"),
    "a redirect to a word": (
        ResourceType.REDIRECTS, {"input": {"path": "/a", "target": "home"}}, "input.target", "BAD_URL"),
}  # fmt: skip


@pytest.mark.parametrize(("resource_type", "envelope", "path", "code"), OTHERS.values(), ids=OTHERS.keys())
def test_mistakes_of_other_types_are_found_too(
    resource_type: ResourceType, envelope: Any, path: str, code: str
) -> None:
    found = the_problem(resource_type, envelope)
    assert (found.path, found.code) == (path, code)


# --- against graphql-core, as an independent judge


INPUTS = {
    ResourceType.PRODUCTS: "ProductSetInput", ResourceType.COLLECTIONS: "CollectionCreateInput",
    ResourceType.CUSTOMERS: "CustomerSetInput", ResourceType.ORDERS: "OrderCreateOrderInput",
    ResourceType.GIFT_CARDS: "GiftCardCreateInput", ResourceType.BLOGS: "ArticleCreateInput",
    ResourceType.MARKETS: "MarketCreateInput",
}  # fmt: skip
LEAVES: dict[str, Any] = {
    "Int": 3, "Float": 1.5, "Boolean": True, "Money": "1.00", "Decimal": "1.0", "URL": "https://x.example/a",
    "DateTime": "2024-01-31T10:20:30Z", "Date": "2024-01-31", "Color": "#a1b2c3", "JSON": {"a": 1},
    "UnsignedInt64": "1",
}  # fmt: skip


@cache
def judge() -> GraphQLSchema:
    roots = {"queryType": {"name": "QueryRoot"}, "mutationType": {"name": "Mutation"}, "subscriptionType": None}
    whole: Any = {"__schema": roots | {"types": list(types().values()), "directives": []}}
    return build_client_schema(whole, assume_valid=True)


def grow(name: str, dice: Random, depth: int, field: str = "") -> Any:
    """A value that Shopify's schema takes for this type."""
    described = types()[name]
    if described["kind"] == "ENUM":
        return dice.choice(described["enumValues"])["name"]
    if described["kind"] == "SCALAR":
        return "https://x.example/a" if field in ("originalSource", "src", "url") else LEAVES.get(name, "abc")
    fields = described["inputFields"]
    if described.get("isOneOf"):
        fields = [dice.choice(fields)]
    return {
        item["name"]: grow_field(item, dice, depth)
        for item in fields
        if described.get("isOneOf") or item["type"]["kind"] == "NON_NULL" or (depth > 0 and dice.random() < 0.3)
    }


def grow_field(item: Any, dice: Random, depth: int) -> Any:
    reference = item["type"]["ofType"] if item["type"]["kind"] == "NON_NULL" else item["type"]
    if named(reference) == "ID":
        value: Any = f"gid://shopify/{(item.get('gidTypes') or ['Thing'])[0]}/1"
    else:
        value = grow(named(reference), dice, depth - 1, item["name"])
    return [value] if reference["kind"] == "LIST" else value


def spoil(value: Any, dice: Random) -> Any:
    """The same with one thing changed somewhere."""
    if isinstance(value, dict) and value and dice.random() < 0.8:
        key = dice.choice(sorted(value))
        if dice.random() < 0.2:
            return {name: item for name, item in value.items() if name != key}
        if dice.random() < 0.2:
            return value | {f"{key}x": 1}
        return value | {key: spoil(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.8:
        return [spoil(value[0], dice), *value[1:]]
    return dice.choice([None, 1, -1.5, True, "x", "", [], {}, [None], 2**40, {"a": {"b": 1}}, ["x", 1], float("inf")])


OURS_ALONE = {"REQUIRED", "BLANK", "BAD_CODE", "NOT_ALLOWED", "OUT_OF_RANGE", "OPTION_MISSING", "TAX_LINES_TWICE",
              "DUPLICATE_VARIANT"}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 10**9), resource_type=st.sampled_from(sorted(INPUTS)))
def test_what_the_schema_takes_is_taken(seed: int, resource_type: ResourceType) -> None:
    payload = grow(INPUTS[resource_type], Random(seed), 4)
    found = [problem for problem in problems(resource_type, {"input": payload}) if problem.code not in OURS_ALONE]
    assert found == []


@settings(max_examples=1500, deadline=None)
@given(seed=st.integers(0, 10**9), resource_type=st.sampled_from(sorted(INPUTS)))
def test_what_is_taken_the_schema_takes(seed: int, resource_type: ResourceType) -> None:
    dice = Random(seed)
    payload = grow(INPUTS[resource_type], dice, 4)
    for _ in range(dice.randint(1, 3)):
        payload = spoil(payload, dice)
    result, found = check(resource_type, {"input": payload})
    if not found:
        mistakes: list[str] = []
        coerce_input_value(
            result["input"], judge().type_map[INPUTS[resource_type]],  # type: ignore[arg-type]
            lambda path, _, error: mistakes.append(f"{path}: {error.message}"),
        )  # fmt: skip
        assert mistakes == []
        orjson.dumps(result)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=800, deadline=None)
@given(envelope=st.dictionaries(st.sampled_from(["input", "parts", "publications", "refunds", "codes"]), json_values),
       resource_type=st.sampled_from(list(ResourceType)))  # fmt: skip
def test_no_payload_whatever_crashes_the_check(envelope: dict[str, Any], resource_type: ResourceType) -> None:
    check(resource_type, envelope)


def test_the_check_loads_neither_graphql_nor_network_code() -> None:
    code = (
        "import sys; from graftport_dagster.shopify.payload import check; from graftport_dagster.records import *; "
        "check(ResourceType.PRODUCTS, {'input': {'title': 'a'}}); "
        "sys.exit(any(name in sys.modules for name in ('graphql', 'urllib3', 'requests')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0


def test_a_metafield_of_a_reference_type_may_name_another_record() -> None:
    def envelope(value: Any) -> dict[str, Any]:
        field = {"namespace": "custom", "key": "of", "type": "collection_reference", "value": value}
        return {"input": {"title": "Bag", "metafields": [field]}}

    good = {"$ref": {"resource_type": "collections", "source_id": "7"}}
    assert check(ResourceType.PRODUCTS, envelope(good)) == (envelope(good), [])
    assert [it.path for it in check(ResourceType.PRODUCTS, envelope({"id": "7"}))[1]] == ["input.metafields[0].value"]
    assert [it.path for it in check(ResourceType.PRODUCTS, envelope(7))[1]] == ["input.metafields[0].value"]

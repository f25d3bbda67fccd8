"""What Shopify answers instead of data, against the errors recorded on real shops: same code, words and shape."""

import json
from typing import Any

import pytest

from tests.simulator.top_level import Question, question

pytestmark = pytest.mark.shared

Json = dict[str, Any]
LEVEL = "mutation($i: InventorySetQuantitiesInput!) { inventorySetQuantities(input: $i)%s { userErrors { message } } }"
QUANTITY = {"inventoryItemId": "gid://shopify/InventoryItem/1", "locationId": "gid://shopify/Location/1", "quantity": 1}
SET = {"name": "available", "reason": "correction", "quantities": [QUANTITY]}
CONSENT = (
    "mutation($i: CustomerEmailMarketingConsentUpdateInput!) "
    "{ customerEmailMarketingConsentUpdate(input: $i) { userErrors { message } } }"
)
CUSTOMER = "mutation($i: CustomerInput!) { customerCreate(input: $i) { userErrors { message } } }"
CUSTOM = (
    'mutation { customerSet(identifier: {customId: {namespace: "none", key: "here", value: "1"}}, '
    'input: {firstName: "A"}) { userErrors { message } } }'
)
SIZE = "mutation($m: [MetafieldIdentifierInput!]!) { metafieldsDelete(metafields: $m) { userErrors { message } } }"
ONE = {"ownerId": "gid://shopify/Product/1", "namespace": "custom", "key": "a"}
BASIC = (
    "mutation($d: DiscountCodeBasicInput!) "
    "{ discountCodeBasicCreate(basicCodeDiscount: $d) { userErrors { message } } }"
)
SELECTIONS = (
    "Field must have selections (field 'shop' returns Shop but has no selections. Did you mean 'shop { ... }'?)"
)
IMPORT = 'mutation { urlRedirectImportCreate(url: "%s") { userErrors { message } } }'


def consent(state: str) -> Question:
    given = {"customerId": "gid://shopify/Customer/1", "emailMarketingConsent": {"marketingState": state}}
    return Question(CONSENT, {"i": given})


def discount(**more: Any) -> Question:
    gets = {"value": {"percentage": 0.1}, "items": {"all": True}}
    given = {"title": "A", "code": "A", "startsAt": "2024-01-01T00:00:00Z", "context": {"all": "ALL"},
             "customerGets": gets, **more}  # fmt: skip
    return Question(BASIC, {"d": given})


def both(kind: str) -> Json:
    return {"add": [f"gid://shopify/{kind}/1"], "remove": [f"gid://shopify/{kind}/1"]}


def card(**recipient: str) -> Question:
    given = {"initialAmount": {"amount": "5.00", "currencyCode": "USD"},
             "recipientAttributes": {"id": "gid://shopify/Customer/1", **recipient}}  # fmt: skip
    text = "mutation($i: GiftCardCreateInput!) { giftCardCreate(input: $i) { userErrors { message } } }"
    return Question(text, {"i": given})


# What the words do not tell is asked so.
ASKED: dict[str, Question] = {
    "The @idempotent directive is required for this mutation but was not provided.": Question(LEVEL % "", {"i": SET}),
    "InventoryQuantityInput must include the following argument: changeFromQuantity.": Question(
        LEVEL % ' @idempotent(key: "k")', {"i": SET}
    ),
    "Directive 'idempotent' is missing required arguments: key": Question(LEVEL % " @idempotent", {"i": SET}),
    "you must provide one of first or last": Question("{ products { nodes { id } } }"),
    "providing both first and last is not supported": Question("{ products(first: 1, last: 1) { nodes { id } } }"),
    "Malformed cursor": Question('{ products(first: 1, after: "nowhere") { nodes { id } } }'),
    "id must be specified on collectionUpdate": Question(
        'mutation { collectionUpdate(collection: {title: "A"}) { userErrors { message } } }'
    ),
    "Cannot specify NOT_SUBSCRIBED as a marketing state input": consent("NOT_SUBSCRIBED"),
    "Cannot specify INVALID as a marketing state input": consent("INVALID"),
    "Cannot specify REDACTED as a marketing state input": Question(
        CUSTOMER, {"i": {"email": "a@example.com", "emailMarketingConsent": {"marketingState": "REDACTED"}}}
    ),
    "Metafield definition of type 'id' is required when using custom ids.": Question(CUSTOM),
    "The input array size of 251 is greater than the maximum allowed of 250.": Question(SIZE, {"m": [ONE] * 251}),
    "syntax error, unexpected end of file at [3, 5]": Question("query {\n  shop {\n    "),
    "Invalid url '', missing scheme": Question(IMPORT % ""),
    "Invalid url 'not-a-url', missing scheme": Question(IMPORT % "not-a-url"),
    "OneOf Input Object 'LocationIdentifierInput' must specify exactly one key.": Question(
        "{ locationByIdentifier(identifier: {}) { id } }"
    ),
    SELECTIONS: Question("{ shop }"),
    "No such type ShippingPackage, so it can't be a fragment condition": Question(
        '{ node(id: "gid://shopify/Product/1") { id ... on ShippingPackage { id } } }'
    ),
    "A discount can only have one of percentage, discountOnQuantity or discountAmount.": discount(
        customerGets={"value": {"percentage": 0.1, "discountAmount": {"amount": "1.00"}}, "items": {"all": True}}
    ),
    "A customer id is present in `add` and `remove` fields": discount(context={"customers": both("Customer")}),
    "The same Collection id is present in both 'add' and 'remove' fields": discount(
        customerGets={"value": {"percentage": 0.1}, "items": {"collections": both("Collection")}}
    ),
    "The same ProductVariant id is present in both 'add' and 'remove' fields": discount(customerGets={
        "value": {"percentage": 0.1},
        "items": {"products": {f"productVariantsTo{name.title()}": it for name, it in both("ProductVariant").items()}},
    }),
    "A country code is present in `add` and `remove` field": Question(
        BASIC.replace("Basic", "FreeShipping").replace("basic", "freeShipping"),
        {"d": {"title": "A", "code": "A", "startsAt": "2024-01-01T00:00:00Z", "context": {"all": "ALL"},
               "destination": {"countries": {"add": ["DE"], "remove": ["DE"]}}}},
    ),
    "The same tag is present in both `add` and `remove` fields of `productDiscountsWithTagsOnSameCartLine`.": discount(
        combinesWith={"productDiscountsWithTagsOnSameCartLine": {"add": ["a"], "remove": ["a"]}}
    ),
    "A discount cannot have customerSelection set to all, when customers or customerSavedSearches is specified.":
        discount(context=None, customerSelection={"all": True, "customers": {"add": ["gid://shopify/Customer/1"]}}),
    "A discount cannot have customerSelection set to all, when customerSegments is specified.":
        discount(context=None, customerSelection={
            "all": True, "customerSegments": {"add": ["gid://shopify/Segment/1"]}}),
    "preferredName is too long (maximum is 255)": card(preferredName="x" * 256),
    "message is too long (maximum is 200)": card(message="x" * 201),
}  # fmt: skip


def asked(shop: Any, it: Question) -> Json:
    answer: Json = shop.post(it.document, it.variables).json()
    return answer


def alike(words: str) -> str:
    """What is compared: recorded words end after 400 characters, and of choices each version has its own."""
    return words[:400].partition(" to be one of: ")[0]


def found_in(answer: Json, recorded: Json) -> Json | None:
    return next(
        (
            error for error in answer.get("errors", ())
            if error.get("extensions", {}).get("code") == recorded["code"]
            and alike(error["message"]) == alike(recorded["message"])
        ),
        None,
    )  # fmt: skip


# Why the rest is not provoked: how its words begin, or the field that it is an answer to.
ANOTHER = "about a mutation or a question that this project does not use"
EXCUSED: dict[str, str] = {
    "Access denied": "the scope of a field that this project does not ask for, or of what a real app may not do; "
    "test_simulated_validation.py shows the words for a scope that is not granted",
    "access denied": ANOTHER,
    "Internal error. Looks like": "a failure of Shopify's with a number of its own: a fault, on request",
    "Something went wrong": ANOTHER,
    "Customers must be different.": ANOTHER,
    "CurrencyCode ": ANOTHER,
    "Invalid timestamp for query filter": "the simulator finds nothing for a time that is none",
    "The URL scheme must be": ANOTHER,
    "productCreate must include": ANOTHER,
    "originalSource is too": ANOTHER,
    "pubSub": ANOTHER,
    "OptionReorderInput": ANOTHER,
    "OptionValueReorderInput": ANOTHER,
    "MetaobjectBulkDelete": ANOTHER,
    "InventorySetQuantityInput": ANOTHER,
    "InventoryChangeInput": ANOTHER,
    "key can't be blank": ANOTHER,
    "limit must be within": ANOTHER,
    "Invalid product_taxonomy_node_id": ANOTHER,
    "Segment does not exist": ANOTHER,
    "Theme does not exist": ANOTHER,
    "Unidentified customer": ANOTHER,
    '["The api_client is not': ANOTHER,
    "Invalid id: gid://shopify/FlowTrigger": ANOTHER,
    "invalid id": ANOTHER,
    "Invalid ARN": ANOTHER,
    "OneOf Input Object 'MobilePlatform": ANOTHER,
    "Directive @idempotent is not defined": "an older version of the API",
}


@pytest.fixture(scope="module")
def recorded_errors(shared: Any) -> list[Json]:
    found: list[Json] = json.loads((shared / "top_level_errors.json").read_text())
    return found


def test_each_recorded_error_is_answered_in_the_same_words_and_shape(shop: Any, recorded_errors: list[Json]) -> None:
    provoked = 0
    wrong: list[Any] = []
    for recorded in recorded_errors:
        it = ASKED.get(recorded["message"]) or question(recorded["message"])
        if isinstance(it, str):
            continue
        answer = asked(shop, it)
        if (error := found_in(answer, recorded)) is None:
            wrong.append((recorded["code"], recorded["message"], answer))
            continue
        provoked += 1
        shape = (sorted(error["extensions"]), "path" in error, "data" not in answer)
        wanted = (sorted(recorded["extension_keys"]), recorded["has_path"], recorded["data"] == "absent")
        if shape != wanted:
            wrong.append((recorded["message"], shape, wanted))
    assert wrong == []
    assert provoked >= 150


def test_what_is_not_provoked_is_excused_with_its_reason(recorded_errors: list[Json]) -> None:
    reasons = {
        recorded["message"]: question(recorded["message"])
        for recorded in recorded_errors if recorded["message"] not in ASKED
    }  # fmt: skip
    left = [words for words, why in reasons.items() if isinstance(why, str) and why.startswith("its words")]
    assert [words for words in left if not words.startswith(tuple(EXCUSED))] == []
    assert [start for start in EXCUSED if not any(words.startswith(start) for words in left)] == []


def test_every_question_that_is_written_here_was_recorded(recorded_errors: list[Json]) -> None:
    assert set(ASKED) <= {recorded["message"] for recorded in recorded_errors}

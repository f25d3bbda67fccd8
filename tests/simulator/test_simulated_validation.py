"""Documents and variables refused in Shopify's words."""

from typing import Any

import pytest

PRODUCT = "gid://shopify/Product/1"
LOCATION = "gid://shopify/Location/1"

DOCUMENTS = [
    ("{ shop { colour } }", "undefinedField", "Field 'colour' doesn't exist on type 'Shop'"),
    ("{ nothing }", "undefinedField", "Field 'nothing' doesn't exist on type 'QueryRoot'"),
    ("{ shop(id: 1) { id } }", "argumentNotAccepted", "Field 'shop' doesn't accept argument 'id'"),
    (
        'mutation { urlRedirectCreate(urlRedirect: {path: "/a", where: "/b"}) { userErrors { code } } }',
        "argumentNotAccepted",
        "InputObject 'UrlRedirectInput' doesn't accept argument 'where'",
    ),
    ("{ product { id } }", "missingRequiredArguments", "Field 'product' is missing required arguments: id"),
    (
        'mutation { collectionCreate(collection: {handle: "x"}) { collection { id } } }',
        "missingRequiredInputObjectAttribute",
        "Argument 'title' on InputObject 'CollectionCreateInput' is required. Expected type String!",
    ),
    ('{ product(id: "") { id } }', "argumentLiteralsIncompatible", "Invalid global id ''"),
    (
        "mutation { productDelete(input: {id: null}) { deletedProductId } }",
        "argumentLiteralsIncompatible",
        "Argument 'id' on InputObject 'ProductDeleteInput' has an invalid value (null). Expected type 'ID!'.",
    ),
    (
        "mutation { productSet(input: {status: BANANA}) { product { id } } }",
        "argumentLiteralsIncompatible",
        "Argument 'status' on InputObject 'ProductSetInput' has an invalid value (BANANA). "
        "Expected type 'ProductStatus'.",
    ),
    (
        'mutation { urlRedirectImportCreate(url: "not-a-url") { userErrors { code } } }',
        "argumentLiteralsIncompatible",
        "Invalid url 'not-a-url', missing scheme",
    ),
    (
        f'{{ locationByIdentifier(identifier: {{id: "{PRODUCT}", customId: null}}) {{ id }} }}',
        "invalidOneOfInputObject",
        "OneOf Input Object 'LocationIdentifierInput' must specify exactly one key.",
    ),
    ("query Q($a: ID!) { shop { id } }", "variableNotUsed", "Variable $a is declared by Q but not used"),
    (
        "{ shop }",
        "selectionMismatch",
        "Field must have selections (field 'shop' returns Shop but has no selections. Did you mean 'shop { ... }'?)",
    ),
    ("{ shop @nothing { id } }", "undefinedDirective", "Directive @nothing is not defined"),
    (
        "{ shop { ... on Elephant { id } } }",
        "undefinedType",
        "No such type Elephant, so it can't be a fragment condition",
    ),
    ("{ ...Nowhere }", "useAndDefineFragment", "Unknown fragment 'Nowhere'."),
    (
        "{ ...A } fragment A on QueryRoot { ...B } fragment B on QueryRoot { ...A }",
        "infiniteLoop",
        "Cannot spread fragment 'A' within itself via 'B'.",
    ),
    ("{ shop { id }\n", "PARSE_ERROR", "syntax error, unexpected end of file at [2, 1]"),
    (
        'mutation { inventoryActivate(inventoryItemId: "gid://shopify/InventoryItem/1", '
        'locationId: "gid://shopify/Location/1") @idempotent { userErrors { field } } }',
        "missingRequiredArguments",
        "Directive 'idempotent' is missing required arguments: key",
    ),
]


@pytest.mark.parametrize(("document", "code", "message"), DOCUMENTS)
def test_a_wrong_document_is_refused_in_shopify_s_words(shop: Any, document: str, code: str, message: str) -> None:
    answer = shop.ask(document)
    assert "data" not in answer
    assert (answer["errors"][0]["message"], answer["errors"][0]["extensions"]["code"]) == (message, code)


def test_an_error_of_a_document_has_the_path_of_graphql_ruby(shop: Any) -> None:
    error = shop.ask(
        "mutation M($i: CollectionCreateInput) { collectionCreate(collection: $i) { userErrors { code } } }"
    )
    assert error["errors"][0]["path"] == ["mutation M", "collectionCreate", "userErrors", "code"]


VARIABLES: list[tuple[str, Any, str]] = [
    ("ID!", None, ""),
    ("ID!", "12", ""),
    ("ProductSetInput!", {"title": "x", "bodyHtml": "y"}, "bodyHtml (Field is not defined on ProductSetInput)"),
    ("[PublicationInput!]!", [{"publicationId": ""}], "0.publicationId (Invalid global id '')"),
    ("[MetafieldsSetInput!]!", [{"ownerId": PRODUCT, "value": "x"}], "0.key (Expected value to not be null)"),
    (
        "ProductSetInput!",
        {"status": "ENABLED"},
        'status (Expected "ENABLED" to be one of: ACTIVE, ARCHIVED, DRAFT, UNLISTED)',
    ),
    (
        "InventorySetQuantitiesInput!",
        {"name": "available", "reason": "other", "quantities": [
            {"inventoryItemId": "gid://shopify/InventoryItem/1", "locationId": LOCATION, "quantity": 1.5},
        ]},
        "quantities.0.quantity (Could not coerce value 1.5 to Int)",
    ),
    (
        "ProductSetInput!",
        {"variants": [{"optionValues": [], "price": "a lot"}]},
        "variants.0.price (invalid decimal 'a lot')",
    ),
]  # fmt: skip
USES = {
    "ID!": "product(id: $v) { id }",
    "ProductSetInput!": "productSet(input: $v) { product { id } }",
    "[PublicationInput!]!": f'publishablePublish(id: "{PRODUCT}", input: $v) {{ publishable {{ publicationCount }} }}',
    "[MetafieldsSetInput!]!": "metafieldsSet(metafields: $v) { metafields { id } }",
    "InventorySetQuantitiesInput!": "inventorySetQuantities(input: $v) { userErrors { code } }",
}


@pytest.mark.parametrize(("declared", "value", "reason"), VARIABLES)
def test_a_wrong_variable_is_refused_in_shopify_s_words(shop: Any, declared: str, value: Any, reason: str) -> None:
    kind = "query" if declared == "ID!" else "mutation"
    answer = shop.ask(f"{kind}($v: {declared}) {{ {USES[declared]} }}", {"v": value})
    error = answer["errors"][0]
    about = f" for {reason}" if reason else ""
    assert "data" not in answer
    assert error["message"] == f"Variable $v of type {declared} was provided invalid value{about}"
    assert error["extensions"]["code"] == "INVALID_VARIABLE"
    assert error["extensions"]["value"] == value
    assert error["extensions"]["problems"][0]["explanation"]


def test_pages_say_how_many_they_want(shop: Any) -> None:
    def error(arguments: str) -> tuple[str, Any]:
        answer = shop.ask(f"{{ products({arguments}) {{ nodes {{ id }} }} }}")
        return answer["errors"][0]["message"], answer["data"]

    assert error("reverse: true") == ("you must provide one of first or last", None)
    assert error("first: 1, last: 1") == ("providing both first and last is not supported", None)
    assert error('first: 1, after: "nowhere"') == ("Malformed cursor", None)
    assert error("first: 251")[0].startswith("first cannot exceed 250")
    assert shop.code('{ products(first: 1, query: "created_at:>yesterday") { nodes { id } } }') == "BAD_REQUEST"


def test_an_id_of_another_type_is_not_found(shop: Any) -> None:
    answer = shop.ask('{ product(id: "gid://shopify/Collection/1") { id } }')
    assert answer["data"] == {"product": None}
    assert answer["errors"][0]["message"] == "Invalid id: gid://shopify/Collection/1"
    assert answer["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"


def test_what_the_simulator_does_not_execute_is_said_at_top_level(shop: Any) -> None:
    given = "topic: BULK_OPERATIONS_FINISH, webhookSubscription: {}"
    answer = shop.ask(f"mutation {{ webhookSubscriptionCreate({given}) {{ userErrors {{ field }} }} }}")
    assert answer["errors"][0]["extensions"]["code"] == "SIMULATOR_NOT_SUPPORTED"
    assert "webhookSubscriptionCreate" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"query": 1}', b'{"query": "{shop{id}}", "variables": 3}',
        b'{"query": "{shop{id}}", "operationName": ["Q"]}', b"\xff",
    ],
)  # fmt: skip
def test_a_body_that_is_no_question_is_a_bad_request(shop: Any, body: bytes) -> None:
    answer = shop.session.post(f"{shop.url}/admin/api/2026-10/graphql.json", data=body, timeout=9)
    assert answer.status_code == 400


def test_pages_lead_through_everything_once(shop: Any) -> None:
    titles = [f"p{i}" for i in range(7)]
    for it in titles:
        shop.set_product({"title": it})
    for query in ("", "vendor:'Simulated Shop'"):
        seen: list[str] = []
        after = None
        while True:
            page = shop.data(
                "query($a: String, $q: String) { products(first: 3, after: $a, query: $q) "
                "{ nodes { title } pageInfo { hasNextPage endCursor } } }",
                {"a": after, "q": query},
            )["products"]
            seen.extend(it["title"] for it in page["nodes"])
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == titles
    last = shop.data("{ products(last: 2, reverse: true) { edges { node { title } } pageInfo { hasPreviousPage } } }")
    assert [it["node"]["title"] for it in last["products"]["edges"]] == ["p1", "p0"]
    assert last["products"]["pageInfo"]["hasPreviousPage"] is True


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("handle:one", ["one"]), ("tag:x", ["one", "two"]), ("tag:x AND NOT title:one", ["two"]),
        ("tag:x -title:one", ["two"]),
        ("handle:one OR handle:three", ["one", "three"]), ("(tag:x OR tag:y) status:ACTIVE", ["one", "two", "three"]),
        ("vendor:'Simulated Shop' title:t*", ["two", "three"]),
        ("updated_at:>'2000-01-01T00:00:00Z'", ["one", "two", "three"]),
        ("-one", ["two", "three"]), ("-'one'", ["two", "three"]), ("tag:x -(title:one OR title:three)", ["two"]),
        ("NOT colour:red", ["one", "two", "three"]), ("-colour:red tag:y", ["three"]),
        ("updated_at:>=2000-01-01T00:00:00Z", []), ("title:t* updated_at:>2000-01-01", ["two", "three"]),
        ("updated_at:<'2000-01-01'", []), ("three", ["three"]), ("metafields.custom.aa:1", ["two"]), ("sku:none", []),
    ],
)  # fmt: skip
def test_search_understands(shop: Any, query: str, found: list[str]) -> None:
    field = {"namespace": "custom", "key": "aa", "type": "number_integer", "value": "1"}
    shop.set_product({"title": "one", "tags": ["x"]})
    shop.set_product({"title": "two", "tags": ["x"], "metafields": [field]})
    shop.set_product({"title": "three", "tags": ["Y"]})
    nodes = shop.data("query($q: String) { products(first: 9, query: $q) { nodes { title } } }", {"q": query})
    assert [it["title"] for it in nodes["products"]["nodes"]] == found

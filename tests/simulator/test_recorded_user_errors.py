"""The simulator against userErrors recorded on real shops: same field, message and code.

Each `test_recorded_*.py` has a table of mutations with what provokes their errors. What cannot be
provoked is listed with its reason;
a record that is neither provoked nor listed fails, and so does a mutation that was recorded, is executed
and stands in no table.
"""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphql import FieldNode, OperationDefinitionNode, OperationType, parse

from graftport_dagster.shopify.trim_schema import SCHEMA_FILE
from graftport_dagster.simulator.registry import PARTS

pytestmark = pytest.mark.shared

DOCUMENTS = SCHEMA_FILE.parent / "documents"
Provoked = list[dict[str, Any]]
LONG = "x" * 256
NOWHERE = "gid://shopify/Product/999999999"


def _options(*names: str) -> list[dict[str, Any]]:
    values = {"Size": ("S", "M"), "Color": ("Red", "White", "Blue")}
    return [{"name": it, "values": [{"name": value} for value in values.get(it, ("x",))]} for it in names]


def _variant(size: str, color: str, **more: Any) -> dict[str, Any]:
    values = [{"optionName": "Size", "name": size}, {"optionName": "Color", "name": color}]
    return {"optionValues": values, **more}


def product_set(shop: Any) -> Provoked:
    def given(value: dict[str, Any], **more: Any) -> Provoked:
        errors: Provoked = shop.errors("productSet", {"input": {"title": "Bag", **value}, **more})
        return errors

    gid = shop.set_product({"title": "Bag", "handle": "product-set-handle-20260719114535"})["id"]
    pairs = [("S", "Red"), ("S", "White"), ("M", "White"), ("M", "Red"), ("S", "Red"), ("M", "White")]
    costs = [{"inventoryItem": {"cost": cost}} for cost in ("-1", "1000000000000000000")]
    both = {"productOptions": _options("Size", "Color")}
    return [
        *given({"id": gid}, identifier={"id": gid}),
        *given({"productOptions": _options("a / b"), "variants": []}),
        *given({**both, "variants": [_variant("S", "Red", **costs[0]), _variant("S", "White", **costs[1])]}),
        *given({"handle": "  PRODUCT-SET-HANDLE-20260719114535  "}),
        *given({**both, "variants": [_variant(*pair) for pair in pairs]}),
        *given({"title": LONG}),
        *given({"handle": LONG, "vendor": LONG, "productType": LONG}),
        *given(both),
        *given({"id": NOWHERE}),
    ]


def product_update(shop: Any) -> Provoked:
    gid = shop.set_product({"title": "Bag"})["id"]
    handles = [
        "  PRODUCT-HANDLE-LIFECYCLE-20260719114534  ",
        "hermes-product-conformance-1784472826284",
        "hermes-product-conformance-1776550632328",
    ]
    errors: Provoked = []
    for handle in handles:
        shop.set_product({"title": "Other", "handle": handle})
        errors += shop.errors("productUpdate", {"product": {"id": gid, "handle": handle}}, codes=False)
    for change in (
        {"title": ""}, {"title": LONG}, {"handle": LONG}, {"vendor": LONG}, {"productType": LONG}, {"tags": [LONG]},
    ):  # fmt: skip
        errors += shop.errors("productUpdate", {"product": {"id": gid, **change}}, codes=False)
    errors += shop.errors("productUpdate", {"product": {"id": NOWHERE}}, codes=False)
    media = [{"mediaContentType": "IMAGE", "originalSource": "nowhere"}]
    errors += shop.errors("productUpdate", {"product": {"id": gid}, "media": media}, codes=False)
    return errors


def product_delete(shop: Any) -> Provoked:
    errors: Provoked = shop.errors("productDelete", {"input": {"id": NOWHERE}}, codes=False)
    return errors


def collection_create(shop: Any) -> Provoked:
    empty = {"appliedDisjunctively": False, "rules": []}
    inputs: list[dict[str, Any]] = [
        {"title": LONG}, {"title": ""}, {"title": "a", "products": [NOWHERE]}, {"title": "a", "ruleSet": empty},
        {"title": "a", "id": "gid://shopify/Collection/1"},
    ]  # fmt: skip
    return [it for given in inputs for it in shop.errors("collectionCreate", {"input": given}, codes=False)]


def collection_update(shop: Any) -> Provoked:
    rule = {"column": "TAG", "relation": "EQUALS", "condition": "x"}
    rules = {"appliedDisjunctively": False, "rules": [rule]}
    custom, smart = (
        shop.mutate("collectionCreate", {"input": {"title": "C", **more}}, "collection { id }")["collection"]["id"]
        for more in ({}, {"ruleSet": rules})
    )
    inputs = [
        {"id": "gid://shopify/Collection/1"}, {"id": custom, "ruleSet": rules},
        {"id": smart, "ruleSet": {**rules, "rules": []}},
    ]  # fmt: skip
    return [it for given in inputs for it in shop.errors("collectionUpdate", {"input": given}, codes=False)]


def collection_delete(shop: Any) -> Provoked:
    errors: Provoked = shop.errors("collectionDelete", {"input": {"id": "gid://shopify/Collection/1"}}, codes=False)
    return errors


def metafield_definition_create(shop: Any) -> Provoked:
    base = {"name": "n", "namespace": "custom", "key": "kk", "ownerType": "PRODUCT", "type": "single_line_text_field"}
    changes: list[dict[str, Any]] = [
        {"type": "id", "capabilities": {"uniqueValues": {"enabled": False}}}, {"type": "totally_made_up_type"},
        {"namespace": "a b c"}, {"key": "a b c"}, {}, {}, {"namespace": "partial_ms4ux8hj"},
        {"namespace": "partial_ms4ux8hj"}, {"name": LONG}, {"namespace": "ab"}, {"key": "a"},
        *({"key": f"key_{i}"} for i in range(255)),
    ]  # fmt: skip
    return [
        it for change in changes for it in shop.errors("metafieldDefinitionCreate", {"definition": {**base, **change}})
    ]


VALUES = [
    ("number_integer", "x"), ("boolean", "x"), ("color", "x"), ("date_time", "x"), ("json", "{nope"),
    ("number_decimal", "99999999999999"), ("money", "x"), ("url", "x"), ("dimension", "x"),
    ("weight", '{"value": 1, "unit": "stones"}'), ("rating", '{"value": "9", "scale_min": "1.0", "scale_max": "5.0"}'),
    ("date", "x"), ("link", "x"), ("single_line_text_field", ""), ("single_line_text_field", "a\nb"),
    ("list.number_integer", json.dumps([1] * 129)), ("product_reference", "gid://shopify/Product/not-a-product"),
    ("product_reference", "gid://shopify/Product/999999998"),
    ("list.product_reference", '["gid://shopify/Product/999999997"]'), ("money", '{"amount": "1"}'),
    ("money", '{"amount": "x", "currency_code": "USD"}'),
    ("money", '{"amount": "2000000000000000000", "currency_code": "USD"}'),
    ("money", '{"amount": "1", "currency_code": "ZZZ"}'), ("url", "ftp://x"),
]  # fmt: skip
DEFINED = [
    ("number_integer", {"min": "2"}, "1"), ("number_integer", {"max": "5"}, "6"),
    ("single_line_text_field", {"regex": "^a$"}, "b"), ("single_line_text_field", {"choices": '["red", "blue"]'}, "x"),
    ("rating", {"scale_min": "1.0", "scale_max": "5.0"}, '{"value": "1", "scale_min": "0", "scale_max": "9"}'),
    ("date", {"max": "2026-12-31"}, "2027-01-01"), ("date_time", {"max": "2026-12-31T23:59:59"}, "2027-01-01T00:00:00"),
    ("single_line_text_field", {"max": "5"}, "123456"),
]  # fmt: skip


def metafields_set(shop: Any) -> Provoked:
    gid = shop.set_product({"title": "Bag"})["id"]

    def given(*metafields: dict[str, Any], good: int = 0) -> Provoked:
        base = {"ownerId": gid, "namespace": "custom", "key": "kk", "type": "single_line_text_field", "value": "x"}
        fillers = [{**base, "key": f"filler_{i}"} for i in range(good)]
        inputs = [*fillers, *({**base, **it} for it in metafields)]
        inputs = [{name: value for name, value in it.items() if value is not ...} for it in inputs]
        errors: Provoked = shop.errors("metafieldsSet", {"metafields": inputs})
        return errors

    errors = given({"type": ...})
    for type_name, value in VALUES:
        errors += given({"type": type_name, "value": value})
    for index, (type_name, validations, value) in enumerate(DEFINED):
        listed = [{"name": name, "value": it} for name, it in validations.items()]
        definition = {
            "name": "n",
            "namespace": "bounds",
            "key": f"kk{index}",
            "ownerType": "PRODUCT",
            "type": type_name,
        }
        assert shop.errors("metafieldDefinitionCreate", {"definition": {**definition, "validations": listed}}) == []
        # Recorded together, all but the last in one call; only the place in the path tells.
        place = index if index < len(DEFINED) - 1 else 0
        change = {"namespace": "bounds", "key": f"kk{index}", "type": type_name, "value": value}
        errors += given(change, good=place)
    errors += given({"ownerId": NOWHERE}) + given({"ownerId": NOWHERE}, good=1)
    errors += given({}, good=25)
    for namespace in ("shopify_standard", "protected", "shopify-l10n-fields", LONG, "ab"):
        errors += given({"namespace": namespace})
    errors += given({"key": "a" * 65}) + given({"key": "a"})
    errors += given({"compareDigest": "nonsense"})
    digest = "0" * 64
    return (
        errors
        + given({"key": "other", "compareDigest": digest})
        + given({"key": "other", "compareDigest": digest}, good=3)
    )


def _publishing(name: str) -> Callable[[Any], Provoked]:
    def provoke(shop: Any) -> Provoked:
        publication = shop.data("{ publications(first: 1) { nodes { id } } }")["publications"]["nodes"][0]["id"]
        gid = shop.set_product({"title": "Bag"})["id"]
        inputs: list[list[dict[str, Any]]] = [
            [{"publicationId": publication}] * 2,
            [{"publicationId": publication, "publishDate": "1969-01-01T00:00:00Z"}],
            [{}],
            [{"publicationId": "gid://shopify/Publication/1"}],
        ]
        errors = [it for given in inputs for it in shop.errors(name, {"id": gid, "input": given}, codes=False)]
        missing: Provoked = shop.errors(name, {"id": NOWHERE, "input": inputs[0]}, codes=False)
        return errors + missing

    return provoke


def staged_uploads_create(shop: Any) -> Provoked:
    def given(resource: str, mime_type: str, filename: str) -> Provoked:
        upload = {"resource": resource, "filename": filename, "mimeType": mime_type}
        errors: Provoked = shop.errors("stagedUploadsCreate", {"input": [upload]}, codes=False)
        return errors

    return [
        *given("VIDEO", "video/mp4", "a.mp4"),
        *given("MODEL_3D", "model/gltf-binary", "a.glb"),
        *given("IMAGE", "application/x-msdownload", "har-704-image.exe"),
    ]


def file_create(shop: Any) -> Provoked:
    good = {"originalSource": "https://example.com/a.jpg"}
    changes: list[dict[str, Any]] = [
        {"alt": "x" * 513}, {"originalSource": "nowhere"}, {"filename": "a.png"},
        {"duplicateResolutionMode": "REPLACE"},
    ]  # fmt: skip
    return [it for change in changes for it in shop.errors("fileCreate", {"files": [{**good, **change}]})]


def file_delete(shop: Any) -> Provoked:
    gids = [f"gid://shopify/MediaImage/90000000000000{i}" for i in (1, 2)]
    errors: Provoked = shop.errors("fileDelete", {"fileIds": gids})
    return errors


def location_add(shop: Any) -> Provoked:
    def given(name: str, **address: str) -> Provoked:
        value = {"name": name, "address": {"countryCode": "US", **address}}
        errors: Provoked = shop.errors("locationAdd", {"input": value})
        return errors

    errors = given("") + given("Here") + given("Here") + given("x" * 101)
    errors += given("There", address1=LONG) + given("There", zip=LONG)
    for index in range(200):
        errors += given(f"Place {index}")
    return errors


def location_edit(shop: Any) -> Provoked:
    here = shop.location()
    created = {"input": {"name": "There", "fulfillsOnlineOrders": False, "address": {"countryCode": "US"}}}
    shop.mutate("locationAdd", created, "location { id }")
    changes: list[dict[str, Any]] = [
        {"fulfillsOnlineOrders": False}, {"name": "There"}, {"name": "x" * 101}, {"address": {"city": LONG}},
        {"address": {"zip": LONG}},
    ]  # fmt: skip
    errors = [it for change in changes for it in shop.errors("locationEdit", {"id": here, "input": change})]
    missing: Provoked = shop.errors("locationEdit", {"id": "gid://shopify/Location/1", "input": {"name": "x"}})
    return errors + missing


def inventory_item_update(shop: Any) -> Provoked:
    item = shop.set_product({"title": "Bag"})["variants"]["nodes"][0]["inventoryItem"]["id"]
    changes: list[dict[str, Any]] = [
        {"cost": "-1"}, {"measurement": {"weight": {"value": -1, "unit": "KILOGRAMS"}}}, {"harmonizedSystemCode": "12"},
    ]  # fmt: skip
    errors = [
        it
        for change in changes
        for it in shop.errors("inventoryItemUpdate", {"id": item, "input": change}, codes=False)
    ]
    missing = {"id": "gid://shopify/InventoryItem/1", "input": {}}
    return errors + list(shop.errors("inventoryItemUpdate", missing, codes=False))


def _item(shop: Any) -> tuple[str, str]:
    variant = shop.set_product({"title": "Bag"})["variants"]["nodes"][0]
    return variant["inventoryItem"]["id"], shop.location()


def inventory_set_quantities(shop: Any) -> Provoked:
    item, here = _item(shop)
    query = (
        "mutation($input: InventorySetQuantitiesInput!, $key: String!) { inventorySetQuantities(input: $input) "
        "@idempotent(key: $key) { userErrors { field message code } } }"
    )
    good = {"inventoryItemId": item, "locationId": here, "quantity": 1, "changeFromQuantity": None}
    changes: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({}, [{**good, "inventoryItemId": "gid://shopify/InventoryItem/1"}]),
        ({}, [{**good, "locationId": "gid://shopify/Location/1"}]),
        ({"name": "reserved"}, [good]),
        ({}, [{**good, "quantity": 1_000_000_001}]),
        ({}, [{**good, "quantity": -1_000_000_001}]),
        ({"reason": "whim"}, [good]),
        ({}, [good, good]),
    ]
    errors: Provoked = []
    for index, (change, quantities) in enumerate(changes):
        value = {"name": "available", "reason": "correction", "quantities": quantities, **change}
        payload = shop.data(query, {"input": value, "key": f"k{index}"})["inventorySetQuantities"]
        errors += payload["userErrors"]
    return errors


def inventory_activate(shop: Any) -> Provoked:
    item, here = _item(shop)
    created = {"input": {"name": "My Custom Location", "address": {"countryCode": "US"}}}
    there = shop.mutate("locationAdd", created, "location { id }")["location"]["id"]
    query = (
        "mutation($item: ID!, $at: ID!, $a: Int, $o: Int, $key: String!) { inventoryActivate(inventoryItemId: $item, "
        "locationId: $at, available: $a, onHand: $o) @idempotent(key: $key) { userErrors { field message } } }"
    )
    calls: list[dict[str, Any]] = [
        {"at": there, "a": 1, "o": 1}, {"at": here, "o": 1}, {"at": here, "a": 1}, {"at": there, "o": 1_000_000_001},
        {"at": "gid://shopify/Location/1"},
    ]  # fmt: skip
    errors: Provoked = []
    for index, call in enumerate(calls):
        payload = shop.data(query, {"item": item, "key": f"k{index}", **call})["inventoryActivate"]
        errors += payload["userErrors"]
    return errors


def tags_add(shop: Any) -> Provoked:
    gids = (NOWHERE, "gid://shopify/Customer/1")
    return [it for gid in gids for it in shop.errors("tagsAdd", {"id": gid, "tags": ["x"]}, codes=False)]


PROVOKE: dict[str, Callable[[Any], Provoked]] = {
    "productSet": product_set, "productUpdate": product_update, "productDelete": product_delete,
    "collectionCreate": collection_create, "collectionUpdate": collection_update,
    "collectionDelete": collection_delete, "metafieldDefinitionCreate": metafield_definition_create,
    "metafieldsSet": metafields_set, "publishablePublish": _publishing("publishablePublish"),
    "publishableUnpublish": _publishing("publishableUnpublish"), "stagedUploadsCreate": staged_uploads_create,
    "fileCreate": file_create, "fileDelete": file_delete, "locationAdd": location_add, "locationEdit": location_edit,
    "inventoryItemUpdate": inventory_item_update, "inventorySetQuantities": inventory_set_quantities,
    "inventoryActivate": inventory_activate, "tagsAdd": tags_add,
}  # fmt: skip

# Beginnings of recorded messages, or of "field: message", that cannot be provoked, and why.
EXCUSED = {
    "Another operation already in progress": "deleting is done at once",
    "Setting this access control": "access controls are accepted as they are",
    "Access to this namespace and key": "no namespace belongs to another app",
    "Value must belong to the specified metaobject definition": "metaobjects are not executed",
    "Duplicate resolution mode 'REPLACE' is not supported for 'MISSING'": "every file has a type",
    "Type must be one of the following": "the record has a longer list of types than 2026-04 names elsewhere",
    "Country of origin is invalid": "refused before as a variable of the enum CountryCode",
    "Country code of origin is invalid": "refused before as a variable of the enum CountryCode",
    "The quantity can't be negative": "recorded for a name that 2026-10 does not take here",
    "The product couldn't be stocked at HAR-571": "an item goes with its product",
}


@pytest.mark.parametrize("mutation", sorted(PROVOKE))
def test_recorded_user_errors_are_answered_in_the_same_words(shop: Any, recorded: Any, mutation: str) -> None:
    assert recorded.missing(mutation, PROVOKE[mutation](shop), EXCUSED) == []


def test_every_recorded_mutation_that_is_executed_has_its_errors_provoked(recorded: Any) -> None:
    executed = {name for part in PARTS for name in part.mutations}
    provoked = {name for path in Path(__file__).parent.glob("test_recorded_*.py") for name in _table_of(path)}
    assert executed & recorded.mutations == provoked & recorded.mutations


def _table_of(path: Path) -> dict[str, Any]:
    specification = importlib.util.spec_from_file_location(f"table_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    table: dict[str, Any] = module.PROVOKE
    return table


# Mutations of ours whose userErrors nobody recorded: the simulator answers in the schema's codes.
NOT_RECORDED = {
    "articleDelete", "blogDelete", "discountCodeDeactivate", "discountCodeRedeemCodeBulkDelete", "fulfillmentCreate",
    "giftCardCreate", "giftCardDeactivate", "giftCardUpdate", "menuCreate", "menuUpdate", "orderClose", "pageDelete",
    "refundCreate", "urlRedirectCreate", "urlRedirectDelete", "urlRedirectImportCreate", "urlRedirectImportSubmit",
    "urlRedirectUpdate",
}  # fmt: skip


def test_of_every_mutation_that_we_send_the_recorded_errors_are_looked_at(recorded: Any) -> None:
    sent = {name for path in DOCUMENTS.glob("*.graphql") for name in mutations_in(path.read_text(encoding="utf-8"))}
    sent |= {"publishablePublish"}
    assert len(sent) > 60
    assert sent - recorded.mutations == NOT_RECORDED & sent
    provoked = {name for path in Path(__file__).parent.glob("test_recorded_*.py") for name in _table_of(path)}
    assert sent & recorded.mutations <= provoked
    assert sent >= NOT_RECORDED


def mutations_in(text: str) -> list[str]:
    return [
        field.name.value
        for one in parse(text).definitions
        if isinstance(one, OperationDefinitionNode) and one.operation is OperationType.MUTATION
        for field in one.selection_set.selections
        if isinstance(field, FieldNode)
    ]

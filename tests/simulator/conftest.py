"""The simulator as a process of its own, asked over a real socket."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

SHARED = Path(__file__).parents[2] / "../shared"


class Shop:
    """A running simulator and the questions tests ask it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.state = folder / "state.sqlite"
        self._arguments = arguments
        self.session = requests.Session()
        self.session.headers["X-Shopify-Access-Token"] = "shpat_test"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(self.state)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        self.process = subprocess.Popen(
            [*command, *self._arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the simulator did not start"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.session.close()

    def post(self, query: str, variables: dict[str, Any] | None = None, version: str = "2026-10") -> requests.Response:
        body = {"query": query, "variables": variables or {}}
        return self.session.post(f"{self.url}/admin/api/{version}/graphql.json", json=body, timeout=30)

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer, errors and all."""
        response = self.post(query, variables)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def data(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        answer = self.ask(query, variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def code(self, query: str, variables: dict[str, Any] | None = None) -> str:
        """The code of the first top-level error."""
        return str(self.ask(query, variables)["errors"][0]["extensions"]["code"])

    def mutate(self, name: str, variables: dict[str, Any], selection: str) -> Any:
        """A payload of a mutation whose arguments are given by name; types come from TYPES."""
        declared = ", ".join(f"${it}: {TYPES[name][it]}" for it in variables)
        passed = ", ".join(f"{it}: ${it}" for it in variables)
        return self.data(f"mutation M({declared}) {{ {name}({passed}) {{ {selection} }} }}", variables)[name]

    def errors(self, name: str, variables: dict[str, Any], *, codes: bool = True) -> list[dict[str, Any]]:
        fields = "field message code" if codes else "field message"
        found: list[dict[str, Any]] = self.mutate(name, variables, f"userErrors {{ {fields} }}")["userErrors"]
        return found

    def set_product(self, given: dict[str, Any], identifier: dict[str, Any] | None = None) -> Any:
        variables = {"input": given} if identifier is None else {"input": given, "identifier": identifier}
        payload = self.mutate("productSet", variables, f"product {{ {PRODUCT} }} userErrors {{ field message code }}")
        assert payload["userErrors"] == [], payload
        return payload["product"]

    def define(self, owner_type: str, type_name: str = "id", key: str = "source_id") -> None:
        definition = {"name": key, "namespace": "graftport", "key": key, "ownerType": owner_type, "type": type_name}
        assert self.errors("metafieldDefinitionCreate", {"definition": definition}) == []

    def control(self, path: str, body: Any = None) -> Any:
        address = f"{self.url}/_simulator/{path}"
        answer = requests.get(address, timeout=30) if body is None else requests.post(address, json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, **rule: Any) -> None:
        self.control("faults", rule)

    def location(self) -> str:
        return str(self.data("{ locations(first: 1) { nodes { id } } }")["locations"]["nodes"][0]["id"])


PRODUCT = (
    "id title handle status tags vendor options { id name position optionValues { id name } } "
    "variants(first: 100) { nodes { id sku title price position inventoryQuantity inventoryItem { id } "
    "selectedOptions { name value } metafields(first: 9) { nodes { key value } } media(first: 2) { nodes { id } } } } "
    "metafields(first: 9) { nodes { id namespace key type value } } collections(first: 9) { nodes { id } } "
    "media(first: 9) { nodes { id status alt } }"
)

TYPES: dict[str, dict[str, str]] = {
    "productSet": {"input": "ProductSetInput!", "identifier": "ProductSetIdentifiers", "synchronous": "Boolean"},
    "productUpdate": {"product": "ProductUpdateInput", "media": "[CreateMediaInput!]"},
    "productDelete": {"input": "ProductDeleteInput!"},
    "collectionCreate": {"collection": "CollectionCreateInput", "input": "CollectionInput"},
    "collectionUpdate": {"collection": "CollectionUpdateInput", "input": "CollectionInput"},
    "collectionDelete": {"input": "CollectionDeleteInput!"},
    "urlRedirectCreate": {"urlRedirect": "UrlRedirectInput!"},
    "urlRedirectUpdate": {"id": "ID!", "urlRedirect": "UrlRedirectInput!"},
    "urlRedirectDelete": {"id": "ID!"},
    "urlRedirectImportCreate": {"url": "URL!"},
    "urlRedirectImportSubmit": {"id": "ID!"},
    "stagedUploadsCreate": {"input": "[StagedUploadInput!]!"},
    "metafieldDefinitionCreate": {"definition": "MetafieldDefinitionInput!"},
    "metafieldsSet": {"metafields": "[MetafieldsSetInput!]!"},
    "metafieldsDelete": {"metafields": "[MetafieldIdentifierInput!]!"},
    "publishablePublish": {"id": "ID!", "input": "[PublicationInput!]!"},
    "publishableUnpublish": {"id": "ID!", "input": "[PublicationInput!]!"},
    "locationAdd": {"input": "LocationAddInput!"},
    "locationEdit": {"id": "ID!", "input": "LocationEditInput!"},
    "fileCreate": {"files": "[FileCreateInput!]!"},
    "fileUpdate": {"files": "[FileUpdateInput!]!"},
    "fileDelete": {"fileIds": "[ID!]!"},
    "inventoryItemUpdate": {"id": "ID!", "input": "InventoryItemInput!"},
    "customerSet": {"input": "CustomerSetInput!", "identifier": "CustomerSetIdentifiers"},
    "customerCreate": {"input": "CustomerInput!"},
    "customerUpdate": {"input": "CustomerInput!"},
    "customerDelete": {"input": "CustomerDeleteInput!"},
    "customerAddressCreate": {"customerId": "ID!", "address": "MailingAddressInput!", "setAsDefault": "Boolean"},
    "customerAddressUpdate": {
        "customerId": "ID!",
        "addressId": "ID!",
        "address": "MailingAddressInput!",
        "setAsDefault": "Boolean",
    },
    "customerAddressDelete": {"customerId": "ID!", "addressId": "ID!"},
    "customerEmailMarketingConsentUpdate": {"input": "CustomerEmailMarketingConsentUpdateInput!"},
    "customerSmsMarketingConsentUpdate": {"input": "CustomerSmsMarketingConsentUpdateInput!"},
    **{
        f"discountCode{kind}Create": {argument: f"DiscountCode{kind}Input!"}
        for kind, argument in (
            ("Basic", "basicCodeDiscount"),
            ("Bxgy", "bxgyCodeDiscount"),
            ("FreeShipping", "freeShippingCodeDiscount"),
        )
    },
    **{
        f"discountCode{kind}Update": {"id": "ID!", argument: f"DiscountCode{kind}Input!"}
        for kind, argument in (
            ("Basic", "basicCodeDiscount"),
            ("Bxgy", "bxgyCodeDiscount"),
            ("FreeShipping", "freeShippingCodeDiscount"),
        )
    },
    **{f"discountCode{verb}": {"id": "ID!"} for verb in ("Activate", "Deactivate", "Delete")},
    "discountRedeemCodeBulkAdd": {"discountId": "ID!", "codes": "[DiscountRedeemCodeInput!]!"},
    "giftCardCreate": {"input": "GiftCardCreateInput!"},
    "giftCardUpdate": {"id": "ID!", "input": "GiftCardUpdateInput!"},
    "giftCardDebit": {"id": "ID!", "debitInput": "GiftCardDebitInput!"},
    "giftCardCredit": {"id": "ID!", "creditInput": "GiftCardCreditInput!"},
    "giftCardDeactivate": {"id": "ID!"},
    "blogCreate": {"blog": "BlogCreateInput!"},
    "blogUpdate": {"id": "ID!", "blog": "BlogUpdateInput!"},
    "blogDelete": {"id": "ID!"},
    "articleCreate": {"article": "ArticleCreateInput!", "blog": "ArticleBlogInput"},
    "articleUpdate": {"id": "ID!", "article": "ArticleUpdateInput!", "blog": "ArticleBlogInput"},
    "articleDelete": {"id": "ID!"},
    "pageCreate": {"page": "PageCreateInput!"},
    "pageUpdate": {"id": "ID!", "page": "PageUpdateInput!"},
    "pageDelete": {"id": "ID!"},
    "menuCreate": {"title": "String!", "handle": "String!", "items": "[MenuItemCreateInput!]!"},
    "marketCreate": {"input": "MarketCreateInput!"},
    "marketUpdate": {"id": "ID!", "input": "MarketUpdateInput!"},
    "marketDelete": {"id": "ID!"},
    "webPresenceCreate": {"input": "WebPresenceCreateInput!"},
    "webPresenceUpdate": {"id": "ID!", "input": "WebPresenceUpdateInput!"},
    "webPresenceDelete": {"id": "ID!"},
    "catalogCreate": {"input": "CatalogCreateInput!"},
    "catalogUpdate": {"id": "ID!", "input": "CatalogUpdateInput!"},
    "catalogDelete": {"id": "ID!"},
    "priceListCreate": {"input": "PriceListCreateInput!"},
    "priceListUpdate": {"id": "ID!", "input": "PriceListUpdateInput!"},
    "priceListDelete": {"id": "ID!"},
    "priceListFixedPricesAdd": {"priceListId": "ID!", "prices": "[PriceListPriceInput!]!"},
    "priceListFixedPricesDelete": {"priceListId": "ID!", "variantIds": "[ID!]!"},
    "orderCreate": {"order": "OrderCreateOrderInput!", "options": "OrderCreateOptionsInput"},
    "orderUpdate": {"input": "OrderInput!"},
    "orderClose": {"input": "OrderCloseInput!"},
    "orderCancel": {
        "orderId": "ID!",
        "reason": "OrderCancelReason!",
        "restock": "Boolean!",
        "refund": "Boolean",
        "refundMethod": "OrderCancelRefundMethodInput",
        "staffNote": "String",
        "notifyCustomer": "Boolean",
    },
    "orderDelete": {"orderId": "ID!"},
    "fulfillmentCreate": {"fulfillment": "FulfillmentInput!"},
    "tagsAdd": {"id": "ID!", "tags": "[String!]!"},
    "tagsRemove": {"id": "ID!", "tags": "[String!]!"},
}


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("simulator"), "--plan", "unlimited")
    yield shop
    shop.kill()


@pytest.fixture
def shop(_running: Shop) -> Shop:
    """A shop with nothing in it, on the plan without limits."""
    _running.control("reset", {})
    return _running


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Opens shops with command-line arguments of their own."""
    opened: list[Shop] = []

    def _open(*arguments: str) -> Shop:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(Shop(folder, *arguments))
        return opened[-1]

    yield _open
    for it in opened:
        it.kill()


@pytest.fixture(scope="session")
def shared() -> Path:
    """What stands beside the project: Shopify's sample documents and recorded errors."""
    if not (SHARED / "shopify").is_dir():
        pytest.skip("shared/shopify is absent")
    return SHARED / "shopify"


class Recorded:
    """userErrors as real shops answered them."""

    def __init__(self, path: Path) -> None:
        self._errors: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
        self.mutations = set(self._errors)

    def missing(
        self, mutation: str, provoked: list[dict[str, Any]], excused: dict[str, str]
    ) -> list[tuple[Any, str, str]]:
        """What was recorded of a mutation and neither provoked nor excused: code, field, message."""
        known = {(json.dumps(it["field"]), it["message"]) for it in provoked}
        coded = {(json.dumps(it["field"]), it["message"], it.get("code")) for it in provoked}
        missing = []
        for it in self._errors[mutation]:
            key = (json.dumps(it["field"]), it["message"])
            shown = f"{'.'.join(it['field'] or ())}: {it['message']}"
            if shown.startswith(tuple(excused)) or it["message"].startswith(tuple(excused)):
                continue
            if key not in known or (it["code_was_selected"] and (*key, it["code"]) not in coded):
                missing.append((it["code"], *key))
        return missing


@pytest.fixture(scope="session")
def recorded(shared: Path) -> Recorded:
    """The recorded userErrors beside the project."""
    return Recorded(shared / "user_errors.json")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())

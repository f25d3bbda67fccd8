"""Customers against the userErrors recorded on real shops: same field, message and code."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.shared

Provoked = list[dict[str, Any]]
LONG = "x" * 256
NOBODY = "gid://shopify/Customer/1"
ADDRESS = {"address1": "1 High Street", "city": "Albany", "countryCode": "US", "provinceCode": "NY", "zip": "12201"}
NOWHERE = {**ADDRESS, "provinceCode": "ZZ"}
SUBSCRIBED = {"marketingState": "SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN"}


def _customer(shop: Any, **given: Any) -> str:
    payload = shop.mutate("customerCreate", {"input": {"firstName": "Ada", **given}}, "customer { id }")
    return str(payload["customer"]["id"])


def _each(shop: Any, mutation: str, inputs: list[dict[str, Any]], *, codes: bool = False) -> Provoked:
    return [it for given in inputs for it in shop.errors(mutation, {"input": given}, codes=codes)]


# What customerCreate and customerUpdate refuse alike.
WRONG: list[dict[str, Any]] = [
    {"email": "taken@example.com"}, {"email": "nonsense"}, {"email": f"{LONG}@example.com"}, {"phone": "nonsense"},
    {"phone": "+12485551234"}, {"phone": "1" * 256}, {"locale": "nonsense!"}, {"tags": [LONG]}, {"firstName": LONG},
    {"lastName": LONG}, {"note": "x" * 5001},
]  # fmt: skip


def customer_create(shop: Any) -> Provoked:
    _customer(shop, email="taken@example.com", phone="+12485551234")
    inputs: list[dict[str, Any]] = [
        *WRONG, {"firstName": "a", "addresses": [{"country": "Nowhere"}]},
        {"firstName": "a", "addresses": [{"address1": LONG}]}, {"firstName": "a", "addresses": [{}]},
        {"id": NOBODY, "firstName": "a"}, {}, {"firstName": "a", "addresses": [{"id": "gid://shopify/MailingAddress/1"}]},
        {"firstName": "a", "metafields": [{"id": "gid://shopify/Metafield/1", "value": "x"}]},
        {"firstName": "a", "emailMarketingConsent": SUBSCRIBED}, {"firstName": "a", "smsMarketingConsent": SUBSCRIBED},
        {"firstName": "a", "whatsAppMarketingConsent": {"state": "SUBSCRIBED"}},
        {"firstName": "a", "tags": [", ".join(f"tag {index}" for index in range(251))]},
    ]  # fmt: skip
    return _each(shop, "customerCreate", inputs)


def customer_update(shop: Any) -> Provoked:
    _customer(shop, email="taken@example.com", phone="+12485551234")
    gid = _customer(shop)
    inputs: list[dict[str, Any]] = [
        *WRONG, {"addresses": [NOWHERE]}, {"emailMarketingConsent": SUBSCRIBED}, {"smsMarketingConsent": SUBSCRIBED},
        {"whatsAppMarketingConsent": {"state": "SUBSCRIBED"}}, {"id": NOBODY}, {"firstName": None},
        {"metafields": [{"namespace": "custom", "key": "kk", "type": "nonsense", "value": "x"}]},
        {"addresses": [{"id": "gid://shopify/MailingAddress/1"}]},
    ]  # fmt: skip
    return _each(shop, "customerUpdate", [{"id": gid, **given} for given in inputs])


def customer_set(shop: Any) -> Provoked:
    _customer(shop, email="taken@example.com", phone="+12485551234")
    inputs: list[dict[str, Any]] = [
        {"email": "taken@example.com"}, {"email": "nonsense"}, {"email": f"{LONG}@example.com"}, {"phone": "nonsense"},
        {"note": "x" * 5001}, {}, {"phone": "+12485551234"}, {"firstName": "a", "taxExempt": None},
        {"firstName": "a", "addresses": [NOWHERE]},
    ]  # fmt: skip
    identified: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"id": NOBODY}, {"id": NOBODY}), ({"id": NOBODY}, {"firstName": "a"}), ({"email": "a@example.com"}, {}),
        ({"email": "a@example.com"}, {"email": "b@example.com"}),
    ]  # fmt: skip
    errors = _each(shop, "customerSet", inputs, codes=True)
    for identifier, given in identified:
        errors += shop.errors("customerSet", {"identifier": identifier, "input": given})
    return errors


def customer_delete(shop: Any) -> Provoked:
    order = {"lineItems": [{"title": "Bag", "quantity": 1}], "customer": {"toAssociate": {"id": _customer(shop)}}}
    payload = shop.mutate("orderCreate", {"order": order}, "order { customer { id } }")
    return _each(shop, "customerDelete", [{"id": NOBODY}, {"id": payload["order"]["customer"]["id"]}])


def customer_address_create(shop: Any) -> Provoked:
    gid = _customer(shop)
    changes: list[dict[str, Any]] = [
        {"country": "Nowhere", "countryCode": None}, {"provinceCode": "ZZ"}, {"address1": LONG}, {"city": "<b>x</b>"},
        {"city": "https://example.com"}, {"zip": "https://example.com"}, {"phone": "<b>1</b>"},
        {"address1": "\U0001f600"}, {}, {},
    ]  # fmt: skip
    errors: Provoked = []
    for owner, change in [*((gid, change) for change in changes), (NOBODY, {})]:
        variables = {"customerId": owner, "address": {**ADDRESS, **change}}
        errors += shop.errors("customerAddressCreate", variables, codes=False)
    return errors


def _address(shop: Any) -> tuple[str, str]:
    gid = _customer(shop)
    variables = {"customerId": gid, "address": ADDRESS}
    return gid, shop.mutate("customerAddressCreate", variables, "address { id }")["address"]["id"]


def customer_address_update(shop: Any) -> Provoked:
    gid, address = _address(shop)
    missing = "gid://shopify/MailingAddress/1?model_name=CustomerAddress"
    cases = [(gid, address, NOWHERE), (gid, missing, {}), (gid, address, {"id": missing}), (NOBODY, address, {})]
    errors: Provoked = []
    for owner, at, change in cases:
        variables = {"customerId": owner, "addressId": at, "address": change}
        errors += shop.errors("customerAddressUpdate", variables, codes=False)
    return errors


def customer_address_delete(shop: Any) -> Provoked:
    gid, address = _address(shop)
    missing = "gid://shopify/MailingAddress/1?model_name=CustomerAddress"
    return [
        it for owner, at in ((gid, missing), (NOBODY, address))
        for it in shop.errors("customerAddressDelete", {"customerId": owner, "addressId": at}, codes=False)
    ]  # fmt: skip


def _consents(kind: str) -> Callable[[Any], Provoked]:
    def provoke(shop: Any) -> Provoked:
        whole, bare = _customer(shop, email="a@example.com", phone="+12485551234"), _customer(shop)
        cases = [
            (NOBODY, SUBSCRIBED), (bare, SUBSCRIBED),
            (whole, {**SUBSCRIBED, "consentUpdatedAt": "2999-01-01T00:00:00Z"}),
            (whole, {"marketingState": "PENDING", "marketingOptInLevel": "SINGLE_OPT_IN"}),
            (whole, {"marketingState": "SUBSCRIBED"}),
        ]  # fmt: skip
        inputs = [{"customerId": gid, f"{kind}MarketingConsent": given} for gid, given in cases]
        return _each(shop, f"customer{kind.capitalize()}MarketingConsentUpdate", inputs, codes=True)

    return provoke


PROVOKE: dict[str, Callable[[Any], Provoked]] = {
    "customerCreate": customer_create, "customerUpdate": customer_update, "customerSet": customer_set,
    "customerDelete": customer_delete, "customerAddressCreate": customer_address_create,
    "customerAddressUpdate": customer_address_update, "customerAddressDelete": customer_address_delete,
    "customerEmailMarketingConsentUpdate": _consents("email"), "customerSmsMarketingConsentUpdate": _consents("sms"),
}  # fmt: skip

# What cannot be provoked, as the beginning of field and message, and why.
STOREFRONT = "recorded for the Storefront API's mutation of the same name"
EXCUSED = {
    "input.password: Password can't be blank": STOREFRONT,
    "input.firstName: First name cannot contain HTML tags": STOREFRONT,
    "customer.email: CustomerUpdate access denied": STOREFRONT,
    "metafields.0.type: Type must be one of the following": "its list of types is of 2025-01",
    "id: Customer can't be deleted because they are the recipient": "gift cards are not scheduled",
}
# These two customerCreate shares with customerSet by their words, so they are excused there alone.
OF_THE_STOREFRONT = {"input.email: Email is invalid": STOREFRONT, "input.email: Email has already": STOREFRONT}


@pytest.mark.parametrize("mutation", sorted(PROVOKE))
def test_recorded_customer_errors_are_answered_in_the_same_words(shop: Any, recorded: Any, mutation: str) -> None:
    excused = EXCUSED | (OF_THE_STOREFRONT if mutation == "customerCreate" else {})
    assert recorded.missing(mutation, PROVOKE[mutation](shop), excused) == []

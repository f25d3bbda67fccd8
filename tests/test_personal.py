"""What is personal is masked whatever the shop calls it, and shape, lengths and kinds of characters stay."""

import json
import string
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.personal import ABOUT_PERSONS, mask_id, mask_payload, mask_text, personal_texts
from graftport_dagster.records import ResourceType

CUSTOMERS, ORDERS, CARDS = ResourceType.CUSTOMERS, ResourceType.ORDERS, ResourceType.GIFT_CARDS
DISCOUNTS, PRODUCTS = ResourceType.DISCOUNT_CODES, ResourceType.PRODUCTS
LETTERS = string.ascii_lowercase + "äöüßéèñçøåłšж"
# With endings that no word of a payload's own has.
names = st.text(LETTERS, min_size=6, max_size=14).map(lambda name: f"{name}wicz".title())
words = st.text(string.ascii_lowercase, min_size=5, max_size=10)
mails = st.builds("{}.{}@{}.example".format, words, words, words)
digits = st.text(string.digits, min_size=9, max_size=11)
phones = st.one_of(digits.map("+43 {}".format), digits.map(lambda d: f"0{d[:3]}/{d[3:6]}-{d[6:]}"), digits)
codes = st.text(string.ascii_uppercase + string.digits, min_size=8, max_size=16).map("{}Q9".format)
salts = st.binary(min_size=16, max_size=32)


@st.composite
def persons(draw: st.DrawFn) -> dict[str, str]:
    return {
        "first": draw(names), "last": draw(names), "mail": draw(mails), "phone": draw(phones), "code": draw(codes),
        "street": f"{draw(names)}gasse {draw(st.integers(1, 99))}", "city": draw(names),
        "zip": draw(st.text(string.digits, min_size=4, max_size=6)),
    }  # fmt: skip


def payloads(p: dict[str, str]) -> Iterator[tuple[ResourceType, dict[str, Any]]]:
    """The same person as Magento, WooCommerce, Shopify and files of any make have it."""
    yield CUSTOMERS, {
        "id": 12, "email": p["mail"], "firstname": p["first"], "lastname": p["last"], "taxvat": p["code"],
        "addresses": [{"street": [p["street"]], "city": p["city"], "postcode": p["zip"], "telephone": p["phone"],
                       "region": {"region": p["city"]}, "country_id": "AT", "company": p["last"]}],
        "custom_attributes": [{"attribute_code": "handy", "value": p["phone"]}],
        "created_at": "2024-01-02 10:11:12", "is_subscribed": False,
    }  # fmt: skip
    yield ORDERS, {
        "id": 7, "number": "100", "status": "processing", "currency": "EUR", "total": "19.99",
        "billing": {"first_name": p["first"], "last_name": p["last"], "address_1": p["street"], "city": p["city"],
                    "postcode": p["zip"], "email": p["mail"], "phone": p["phone"]},
        "customer_ip_address": "192.168.17.201", "customer_note": f"Ask {p['first']} {p['last']}, {p['phone']}",
        "meta_data": [{"id": 1, "key": "_billing_email", "value": p["mail"]}, {"key": p["mail"], "value": "yes"}],
        "line_items": [{"sku": "A-1", "quantity": 2, "price": 9.99}], "coupon_lines": [{"code": p["code"]}],
    }  # fmt: skip
    yield ORDERS, {
        "id": "gid://shopify/Order/1", "email": p["mail"], "name": "#1001", "displayFinancialStatus": "PAID",
        "shippingAddress": {"name": f"{p['first']} {p['last']}", "address1": p["street"], "zip": p["zip"],
                            "countryCodeV2": "AT", "phone": p["phone"]},
        "note": p["street"], "customer": {"id": "gid://shopify/Customer/5", "displayName": p["last"]},
        p["mail"]: {"seen": True},
    }  # fmt: skip
    yield CUSTOMERS, {
        "Kundennummer": "K-1", "Vorname": p["first"], "Nachname": p["last"], "E-Mail-Adresse": p["mail"],
        "Straße": p["street"], "PLZ": p["zip"], "Ort": p["city"], "Telefon (privat)": p["phone"], "Spalte 9": p["last"],
    }  # fmt: skip
    yield CARDS, {"id": p["code"], "code": p["code"], "balance": "50.00", "currency": "EUR", "to": p["mail"]}
    yield DISCOUNTS, {"id": 3, "code": p["code"], "title": p["code"], "value": "10.0", "once_per_customer": True}
    yield PRODUCTS, {"sku": "A-1", "name": "Tent", "description": f"Ask {p['mail']} or {p['phone']}!", "price": "9.99"}


def kinds(text: str) -> str:
    return "".join(unicodedata.category(character) for character in text)


def assert_same_shape(before: Any, after: Any) -> None:
    assert type(before) is type(after)
    if isinstance(before, dict):
        assert [len(key) for key in before] == [len(key) for key in after]
        for one, other in zip(before.values(), after.values(), strict=True):
            assert_same_shape(one, other)
    elif isinstance(before, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert_same_shape(one, other)
    elif isinstance(before, str):
        assert kinds(before) == kinds(after)
    elif not isinstance(before, bool):
        assert len(str(before)) == len(str(after))


def words_in(value: Any) -> Iterator[str]:
    """All values, and the keys that name no field: those with a mail address."""
    if isinstance(value, dict):
        yield from (key for key in value if "@" in key)
        for each in value.values():
            yield from words_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from words_in(each)
    else:
        yield str(value)


@settings(max_examples=40)
@given(persons(), salts)
def test_no_mail_phone_name_street_or_code_is_left_and_the_shape_is(person: dict[str, str], salt: bytes) -> None:
    for kind, payload in payloads(person):
        masked = mask_payload(payload, kind, salt)
        assert_same_shape(payload, masked)
        text = "\n".join(words_in(masked)).casefold()
        told = ("mail", "phone") if kind is PRODUCTS else ("mail", "phone", "first", "last", "street", "code")
        assert [person[name] for name in told if person[name].casefold() in text] == []


@settings(max_examples=40)
@given(persons(), salts, salts)
def test_equal_values_are_masked_alike_within_a_sample_and_not_in_another(
    person: dict[str, str], salt: bytes, other: bytes
) -> None:
    magento, woo, *_ = [mask_payload(payload, kind, salt) for kind, payload in payloads(person)]
    assert magento["email"] == woo["billing"]["email"] == woo["meta_data"][0]["value"]
    assert magento["lastname"] == woo["billing"]["last_name"]
    assert woo["customer_note"].split(", ")[0].endswith(f"{magento['firstname']} {magento['lastname']}")
    assert magento["addresses"][0]["telephone"] == magento["custom_attributes"][0]["value"]
    if salt != other:
        assert mask_text(person["mail"] + person["phone"], salt) != mask_text(person["mail"] + person["phone"], other)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=12,
), st.sampled_from(list(ResourceType)), salts)  # fmt: skip
def test_whatever_json_is_there_keeps_its_shape(payload: Any, kind: ResourceType, salt: bytes) -> None:
    masked = mask_payload(payload, kind, salt)
    assert type(masked) is type(payload)
    assert mask_payload(payload, kind, salt) == masked
    json.dumps(masked, allow_nan=False)
    if isinstance(payload, str):
        assert len(masked) == len(payload)


def test_what_is_nobodys_stays_as_it_is() -> None:
    order = {
        "id": 7, "status": "processing", "currency": "EUR", "total": "19.99", "created_at": "2024-01-02T10:11:12+01:00",
        "line_items": [{"sku": "A-1", "quantity": 2, "price": 9.99}], "is_guest": True, "weight": None,
    }  # fmt: skip
    assert mask_payload(order, ORDERS, b"salt" * 4) == order
    product = {
        "sku": "A-1",
        "name": "Tent 2",
        "description": "Sleeps 4, 2024 model",
        "price": 129,
        "size": "100 x 200 cm",
    }
    assert mask_payload(product, PRODUCTS, b"salt" * 4) == product


def test_numbers_that_are_phones_or_birthdays_are_masked() -> None:
    masked = mask_payload({"phone": 436641234567, "dob": "1980-05-06", "points": 12}, CUSTOMERS, b"salt" * 4)
    assert (masked["phone"] != 436641234567, len(str(masked["phone"])), masked["points"]) == (True, 12, 12)
    assert masked["dob"] != "1980-05-06"


@pytest.mark.parametrize("kind", sorted(ABOUT_PERSONS))
def test_ids_that_are_mail_addresses_or_codes_are_masked(kind: ResourceType) -> None:
    assert mask_id("anna@example.at", kind, b"salt" * 4) != "anna@example.at"
    assert mask_id("1042", kind, b"salt" * 4) == "1042"
    # An order's number is no secret; a customer's id may be a name.
    is_masked = kind is not ORDERS
    assert (mask_id("SUMMERCARD9", kind, b"salt" * 4) == "SUMMERCARD9") is not is_masked


def test_a_person_is_known_elsewhere_by_mail_phone_street_and_full_name() -> None:
    person = {"first": "Anna", "last": "Gruber", "mail": "a.gruber@x.example", "phone": "+43 664 1234567",
              "code": "ABCD1234EFGH", "street": "Hauptgasse 12", "city": "Wien", "zip": "1010"}  # fmt: skip
    _, (kind, order), *_ = payloads(person)
    found = personal_texts(order, kind)
    assert {"a.gruber@x.example", "+43 664 1234567", "Hauptgasse 12", "Anna Gruber"} <= found
    assert "processing" not in found

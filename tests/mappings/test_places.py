"""Countries, provinces and telephone numbers, as people and shops write them."""

import pytest

from graftport_dagster.mappings import places
from graftport_dagster.mappings.functions import Context, country_code, phone, province_code
from graftport_dagster.mappings.mapping import Mapping
from graftport_dagster.shopify.schema import types


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+49 8321 5550101", None, "+4983215550101"), ("08321 / 555 01 01", "DE", "+4983215550101"),
        ("0043 1 234567", "DE", "+431234567"), ("+43 (0)1 2345678", "AT", "+4312345678"),
        ("(555) 010-1234", "US", "+15550101234"), ("1-555-010-1234", "US", "+15550101234"),
        ("0473 555104", "IT", "+390473555104"), ("8 912 345-67-89", "RU", "+79123456789"),
        ("06 1 234 5678", "HU", "+3612345678"), ("555 1234 ext. 12", "DE", "+495551234"),
        ("77 55 51 05", "NO", "+4777555105"),
    ],
)  # fmt: skip
def test_a_number_becomes_e_164(text: str, country: str | None, number: str) -> None:
    assert places.phone(text, country) == number


@pytest.mark.parametrize(
    ("text", "country"),
    [("n/a", "US"), ("12", "DE"), ("555-1234", "US"), ("0171 555", None), ("0171 5550101", "XX"), ("+0123456789", None),
     ("1" * 16, "DE"), ("call me 0171 5550101", "DE")],
)  # fmt: skip
def test_what_is_no_number_is_left_out_with_a_warning(text: str, country: str | None) -> None:
    context = Context()
    assert phone(context, text, country) is None
    assert [code for code, _ in context.warnings] == ["BAD_PHONE"]


def test_countries_are_those_that_shopify_has() -> None:
    known = {value["name"] for value in types()["CountryCode"]["enumValues"]} - {"ZZ"}
    assert {places.country_code(code) for code in known} == known
    assert all(places.country_code(code.lower()) == code for code in known)


@pytest.mark.parametrize(
    ("text", "code"),
    [("Deutschland", "DE"), ("uk", "GB"), ("U.S.A.", "US"), ("Schweiz", "CH"), ("cote d'ivoire", "CI"), ("Norge", "NO"),
     (" at ", "AT")],
)  # fmt: skip
def test_a_country_is_known_by_its_names(text: str, code: str) -> None:
    assert places.country_code(text) == code


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [("US", "California", "CA"), ("US", "US-CA", "CA"), ("US", "ca", "CA"), ("IT", "Bolzano/Bozen", "BZ"),
     ("CA", "Québec", "QC"), ("JP", "東京都", "JP-13"), ("JP", "JP13", "JP-13"), ("MX", "AGU", "AGS"),
     ("BR", "Sao Paulo", "SP")],
)  # fmt: skip
def test_a_province_is_known_by_code_and_name(country: str, text: str, code: str) -> None:
    assert places.province_code(country, text) == code


def test_countries_without_provinces_in_shopify_get_none_and_no_warning() -> None:
    context = Context()
    assert province_code(context, "DE", "BAY", "Bayern") is None
    assert province_code(context, "US", "", None) is None
    assert context.warnings == []


def test_the_first_code_or_name_that_is_a_province_counts_and_none_is_a_warning() -> None:
    context = Context()
    assert province_code(context, "ES", "??", "Barcelona") == "B"
    assert province_code(context, "US", "??", "Atlantis") is None
    assert country_code(context, "Atlantis") is None
    assert [code for code, _ in context.warnings] == ["UNKNOWN_PROVINCE", "UNKNOWN_COUNTRY"]


def test_mappings_call_them_with_absent_fields() -> None:
    text = '{"a": $phone(x), "b": $country_code(x), "c": $province_code("US", x, y), "d": $phone("0699 123456", "AT")}'
    found = Mapping.compile(text, name="places").evaluate({}, {"now": "2026-01-01T00:00:00Z"}, record_id="1")
    assert found.value == {"d": "+43699123456"}

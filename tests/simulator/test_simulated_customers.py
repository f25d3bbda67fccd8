"""Customers of the simulated shop: identity, uniqueness, addresses, consent, search."""

from collections.abc import Callable
from typing import Any

CUSTOMER = (
    "id displayName firstName email phone locale note tags taxExempt defaultAddress { id city } "
    "addressesV2(first: 9) { nodes { id city country countryCodeV2 province formatted(withName: true) } } "
    "defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt } "
    "smsMarketingConsent { marketingState consentUpdatedAt } "
    "metafields(first: 9) { nodes { namespace key type value } }"
)
HOME = {"address1": "1 High Street", "city": "Albany", "countryCode": "US", "provinceCode": "NY", "zip": "12201"}
WORK = {"address1": "5 Quay", "city": "Lyon", "countryCode": "FR", "zip": "69001", "firstName": "Ada", "lastName": "L"}


def _custom(value: str) -> dict[str, Any]:
    return {"customId": {"namespace": "graftport", "key": "source_id", "value": value}}


def _set(shop: Any, given: dict[str, Any], identifier: dict[str, Any] | None = None) -> Any:
    variables = {"input": given} if identifier is None else {"identifier": identifier, "input": given}
    payload = shop.mutate("customerSet", variables, f"customer {{ {CUSTOMER} }} userErrors {{ field message code }}")
    assert payload["userErrors"] == [], payload
    return payload["customer"]


def _by(shop: Any, identifier: dict[str, Any]) -> Any:
    query = f"query($it: CustomerIdentifierInput!) {{ customerByIdentifier(identifier: $it) {{ {CUSTOMER} }} }}"
    return shop.data(query, {"it": identifier})["customerByIdentifier"]


def test_a_custom_id_makes_the_customer_with_its_metafield_and_finds_it_again(shop: Any) -> None:
    shop.define("CUSTOMER")
    made = _set(shop, {"firstName": "Ada", "email": "Ada@Example.com"}, _custom("magento:1"))
    again = _set(shop, {"lastName": "Lovelace"}, _custom("magento:1"))
    assert again["id"] == made["id"]
    assert again["firstName"] == "Ada"
    assert again["displayName"] == "Ada Lovelace"
    assert again["email"] == "ada@example.com"
    wanted = {"namespace": "graftport", "key": "source_id", "type": "id", "value": "magento:1"}
    assert again["metafields"]["nodes"] == [wanted]
    assert len(shop.control("objects?type=Customer")) == 1


def test_a_custom_id_without_its_definition_is_refused_at_the_top(shop: Any) -> None:
    query = (
        "mutation($it: CustomerSetIdentifiers, $input: CustomerSetInput!) "
        "{ customerSet(identifier: $it, input: $input) { customer { id } } }"
    )
    assert shop.code(query, {"it": _custom("magento:1"), "input": {"firstName": "Ada"}}) == "NOT_FOUND"


def test_two_customers_cannot_share_a_custom_id(shop: Any) -> None:
    shop.define("CUSTOMER")
    _set(shop, {"firstName": "Ada"}, _custom("magento:1"))
    metafield = {"namespace": "graftport", "key": "source_id", "type": "id", "value": "magento:1"}
    refused = shop.errors("customerCreate", {"input": {"firstName": "B", "metafields": [metafield]}}, codes=False)
    assert refused[0]["field"] == ["metafields", "0", "value"]
    assert refused[0]["message"].startswith("Value is already assigned to another metafield.")
    assert len(shop.control("objects?type=Customer")) == 1


def test_mail_and_phone_upsert_and_identify(shop: Any) -> None:
    made = _set(shop, {"email": "ada@example.com", "phone": "+1 (248) 555-1234"}, {"email": "ada@example.com"})
    assert made["phone"] == "+12485551234"
    again = _set(shop, {"phone": "+12485551234", "firstName": "Ada"}, {"phone": "+12485551234"})
    assert again["id"] == made["id"]
    for identifier in ({"id": made["id"]}, {"emailAddress": "ADA@example.com"}, {"phoneNumber": "+12485551234"}):
        assert _by(shop, identifier)["id"] == made["id"]
    assert _by(shop, {"emailAddress": "nobody@example.com"}) is None


def test_a_refused_customer_leaves_nothing_and_changes_nothing(shop: Any) -> None:
    made = _set(shop, {"firstName": "Ada", "email": "ada@example.com"})
    variables = {"identifier": {"id": made["id"]}, "input": {"firstName": "Bob", "phone": "nonsense"}}
    assert shop.errors("customerSet", variables)[0]["code"] == "INVALID"
    assert _by(shop, {"id": made["id"]})["firstName"] == "Ada"


def test_addresses_are_replaced_and_keep_their_ids(shop: Any) -> None:
    made = _set(shop, {"firstName": "Ada", "addresses": [HOME, WORK]})
    home, work = made["addressesV2"]["nodes"]
    assert (home["country"], home["province"]) == ("United States", "New York")
    assert work["formatted"] == ["Ada L", "5 Quay", "Lyon 69001", "France"]
    assert made["defaultAddress"]["id"] == home["id"]
    again = _set(shop, {"addresses": [WORK]}, {"id": made["id"]})
    assert [it["id"] for it in again["addressesV2"]["nodes"]] == [work["id"]]
    assert again["defaultAddress"]["id"] == work["id"]
    assert _set(shop, {"note": "n"}, {"id": made["id"]})["defaultAddress"]["id"] == work["id"]
    assert _set(shop, {"addresses": []}, {"id": made["id"]})["defaultAddress"] is None


def test_an_address_that_is_not_there_is_no_new_one(shop: Any) -> None:
    gone = {**HOME, "id": "gid://shopify/MailingAddress/1?model_name=CustomerAddress"}
    made = _set(shop, {"firstName": "Ada", "addresses": [HOME]})
    change = {"identifier": {"id": made["id"]}, "input": {"addresses": [gone]}}
    refused = shop.errors("customerSet", change, codes=False)
    assert refused == [{"field": ["input", "addresses", "0", "id"], "message": "Customer address does not exist"}]
    refused = shop.errors("customerSet", {"input": {"firstName": "Bob", "addresses": [gone]}}, codes=False)
    assert refused[0]["message"] == "Cannot specify address ID on creation"
    assert len(shop.control("objects?type=Customer")) == 1


def test_the_address_with_an_id_is_the_one_that_changes(shop: Any) -> None:
    made = _set(shop, {"firstName": "Ada", "addresses": [HOME, WORK]})
    home, work = (it["id"] for it in made["addressesV2"]["nodes"])
    again = _set(shop, {"addresses": [{**HOME, "id": work}, {**WORK, "id": home}]}, {"id": made["id"]})
    assert [(it["id"], it["city"]) for it in again["addressesV2"]["nodes"]] == [(work, "Albany"), (home, "Lyon")]


def test_one_address_is_added_changed_made_default_and_deleted(shop: Any) -> None:
    gid = _set(shop, {"firstName": "Ada", "addresses": [HOME]})["id"]
    variables = {"customerId": gid, "address": WORK, "setAsDefault": True}
    work = shop.mutate("customerAddressCreate", variables, "address { id }")["address"]["id"]
    assert _by(shop, {"id": gid})["defaultAddress"]["id"] == work
    change = {"customerId": gid, "addressId": work, "address": {"city": "Paris"}}
    assert shop.mutate("customerAddressUpdate", change, "address { city zip }")["address"] == {
        "city": "Paris",
        "zip": "69001",
    }
    shop.mutate("customerAddressDelete", {"customerId": gid, "addressId": work}, "deletedAddressId")
    assert _by(shop, {"id": gid})["defaultAddress"]["city"] == "Albany"


def test_consent_is_kept_with_its_time(shop: Any) -> None:
    gid = _set(shop, {"email": "ada@example.com", "phone": "+12485551234"})["id"]
    assert _by(shop, {"id": gid})["defaultEmailAddress"]["marketingState"] == "NOT_SUBSCRIBED"
    given = {
        "marketingState": "SUBSCRIBED", "marketingOptInLevel": "CONFIRMED_OPT_IN",
        "consentUpdatedAt": "2024-01-01T00:00:00Z",
    }  # fmt: skip
    for kind in ("email", "sms"):
        value = {"customerId": gid, f"{kind}MarketingConsent": given}
        assert shop.errors(f"customer{kind.capitalize()}MarketingConsentUpdate", {"input": value}) == []
    customer = _by(shop, {"id": gid})
    assert customer["defaultEmailAddress"] == {
        "emailAddress": "ada@example.com", "marketingState": "SUBSCRIBED",
        "marketingOptInLevel": "CONFIRMED_OPT_IN", "marketingUpdatedAt": "2024-01-01T00:00:00Z",
    }  # fmt: skip
    assert customer["smsMarketingConsent"] == {
        "marketingState": "SUBSCRIBED", "consentUpdatedAt": "2024-01-01T00:00:00Z",
    }  # fmt: skip


def test_consent_names_a_location_that_there_is(shop: Any) -> None:
    gid = _set(shop, {"email": "ada@example.com"})["id"]
    given = {"marketingState": "SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN"}
    nowhere = {**given, "sourceLocationId": "gid://shopify/Location/999"}
    value = {"customerId": gid, "emailMarketingConsent": nowhere}
    errors = shop.errors("customerEmailMarketingConsentUpdate", {"input": value})
    assert [it["field"] for it in errors] == [["input", "emailMarketingConsent", "sourceLocationId"]]
    created = {"email": "bob@example.com", "emailMarketingConsent": nowhere}
    errors = shop.errors("customerCreate", {"input": created}, codes=False)
    assert [it["field"] for it in errors] == [["emailMarketingConsent", "sourceLocationId"]]
    value["emailMarketingConsent"] = {**given, "sourceLocationId": shop.location()}
    assert shop.errors("customerEmailMarketingConsentUpdate", {"input": value}) == []


def test_consent_to_whatsapp_is_kept_nowhere_and_not_taken(shop: Any) -> None:
    consent = {"state": "SUBSCRIBED", "optInLevel": "SINGLE_OPT_IN"}
    query = "mutation($input: CustomerInput!) { customerCreate(input: $input) { customer { id } } }"
    given = {"phone": "+12485551234", "whatsAppMarketingConsent": consent}
    assert shop.code(query, {"input": given}) == "SIMULATOR_NOT_SUPPORTED"
    assert shop.control("objects?type=Customer") == []


def test_a_state_that_is_shopifys_own_is_refused_at_the_top(shop: Any) -> None:
    query = (
        "mutation($input: CustomerEmailMarketingConsentUpdateInput!) "
        "{ customerEmailMarketingConsentUpdate(input: $input) { customer { id } } }"
    )
    gid = _set(shop, {"email": "ada@example.com"})["id"]
    value = {"customerId": gid, "emailMarketingConsent": {"marketingState": "NOT_SUBSCRIBED"}}
    assert shop.code(query, {"input": value}) == "INVALID"


def test_customers_are_searched_and_listed(shop: Any) -> None:
    for name in ("Ada", "Bob"):
        _set(shop, {"firstName": name, "email": f"{name}@example.com", "tags": [f"t-{name}"]})
    query = "query($q: String) { customers(first: 9, query: $q) { nodes { firstName } } }"
    for text, found in (("email:ada@example.com", ["Ada"]), ("tag:t-bob", ["Bob"]), ("", ["Ada", "Bob"])):
        nodes = shop.data(query, {"q": text})["customers"]["nodes"]
        assert [it["firstName"] for it in nodes] == found


def test_search_learns_of_a_customer_later_than_identifiers(open_shop: Callable[..., Any]) -> None:
    shop = open_shop("--search-lag-seconds", "60")
    _set(shop, {"firstName": "Ada", "email": "ada@example.com"})
    query = '{ customers(first: 9, query: "email:ada@example.com") { nodes { id } } }'
    assert shop.data(query)["customers"]["nodes"] == []
    assert _by(shop, {"emailAddress": "ada@example.com"}) is not None


def test_a_customer_is_deleted(shop: Any) -> None:
    gid = _set(shop, {"email": "ada@example.com"})["id"]
    payload = shop.mutate("customerDelete", {"input": {"id": gid}}, "deletedCustomerId shop { id }")
    assert payload["deletedCustomerId"] == gid
    assert _by(shop, {"emailAddress": "ada@example.com"}) is None

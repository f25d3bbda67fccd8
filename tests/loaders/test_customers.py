"""Customers: who they are in one call, then metafields and consent, each once and none against their will."""

from typing import Any

import pytest

from graftport_dagster.records import ResourceType

CUSTOMERS = ResourceType.CUSTOMERS
World = Any
STEPS = [
    "customerSet", "metafieldsSet", "customerEmailMarketingConsentUpdate", "customerSmsMarketingConsentUpdate",
]  # fmt: skip


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def consent(state: str, at: str | None = "2024-01-01T00:00:00Z") -> dict[str, Any]:
    given = {"marketingState": state, "marketingOptInLevel": "SINGLE_OPT_IN", "consentUpdatedAt": at}
    return {name: value for name, value in given.items() if value is not None}


def customer(number: int = 1, **more: Any) -> dict[str, Any]:
    """A customer with two addresses, metafields and both consents; `more` replaces envelope fields or input's."""
    envelope: dict[str, Any] = {
        "input": {
            "email": f"ada{number}@example.com", "phone": f"+4930123456{number:02}", "firstName": "Ada",
            "tags": ["imported"], "taxExempt": False, "note": "n",
            "addresses": [
                {"address1": "1 High Street", "city": "Albany", "countryCode": "US", "provinceCode": "NY",
                 "zip": "12201"},
                {"address1": "5 Quay", "city": "Lyon", "countryCode": "FR", "zip": "69001"},
            ],
        },
        "parts": {"address": ["a1", "a2"]},
        "metafields": [{"namespace": "custom", "key": "tier", "type": "single_line_text_field", "value": "gold"}],
        "emailMarketingConsent": consent("SUBSCRIBED"),
        "smsMarketingConsent": consent("SUBSCRIBED"),
    }  # fmt: skip
    for name, value in more.items():
        if name in envelope:
            envelope[name] = value
        else:
            envelope["input"][name] = value
    return envelope


def states(world: World) -> list[tuple[str, str]]:
    return [
        (item["emailMarketingConsent"]["marketingState"], item["smsMarketingConsent"]["marketingState"])
        for item in world.objects("Customer")
    ]


def says(world: World, state: str, at: str | None = None) -> None:
    """A customer, or the merchant, says something in Shopify."""
    mutation = (
        "mutation($input: CustomerEmailMarketingConsentUpdateInput!) "
        "{ customerEmailMarketingConsentUpdate(input: $input) { userErrors { message } } }"
    )
    gid = world.objects("Customer")[0]["id"]
    world.graphql(mutation, input={"customerId": gid, "emailMarketingConsent": consent(state, at)})


def test_a_customer_lands_whole_in_four_calls_and_a_second_load_sends_nothing(world: World) -> None:
    world.stage(CUSTOMERS, {f"c{n}": customer(n) for n in range(3)})
    assert outcomes(world.load(CUSTOMERS)) == {"created": 3}
    assert sorted(set(world.calls()) & set(STEPS)) == sorted(STEPS)
    assert len([name for name in world.calls() if name in STEPS]) == 12
    assert states(world) == [("SUBSCRIBED", "SUBSCRIBED")] * 3
    item = next(one for one in world.objects("Customer") if one["email"] == "ada0@example.com")
    assert {field["key"]: field["value"] for field in item["metafields"]} == {
        "source_id": "magento:customers:c0", "tier": "gold",
    }  # fmt: skip
    assert [address["city"] for address in item["addresses"]] == ["Albany", "Lyon"]
    writes = len(world.writes())
    assert outcomes(world.load(CUSTOMERS)) == {}
    assert len(world.writes()) == writes


def test_an_update_sends_what_changed_and_no_consent_again(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer()})
    world.load(CUSTOMERS)
    before = len(world.writes())
    world.stage(CUSTOMERS, {"c": customer(tags=["imported", "vip"])})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert world.calls()[before:] == ["customerSet"]
    assert world.objects("Customer")[0]["tags"] == ["imported", "vip"]
    changed = [{"namespace": "custom", "key": "tier", "type": "single_line_text_field", "value": "silver"}]
    world.stage(CUSTOMERS, {"c": customer(tags=["imported", "vip"], metafields=changed)})
    world.load(CUSTOMERS)
    assert world.calls()[before + 1 :] == ["metafieldsSet"]
    assert outcomes(world.load(CUSTOMERS, only_dirty=False)) == {"updated": 1}
    assert world.calls()[before + 2 :] == ["customerSet", "metafieldsSet"]


def test_addresses_keep_their_objects_when_one_of_them_changes(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer()})
    world.load(CUSTOMERS)
    ids = [address["id"] for address in world.objects("Customer")[0]["addresses"]]
    changed = customer()
    changed["input"]["addresses"][1]["address1"] = "6 Quay"
    world.stage(CUSTOMERS, {"c": changed})
    world.load(CUSTOMERS)
    item = world.objects("Customer")[0]
    assert [address["id"] for address in item["addresses"]] == ids
    assert item["addresses"][1]["address1"] == "6 Quay"


def test_consent_that_changed_in_the_source_is_sent_alone(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer()})
    world.load(CUSTOMERS)
    before = len(world.writes())
    said = consent("UNSUBSCRIBED", "2025-01-01T00:00:00Z")
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=said)})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert world.calls()[before:] == ["customerEmailMarketingConsentUpdate"]
    assert states(world) == [("UNSUBSCRIBED", "SUBSCRIBED")]


@pytest.mark.parametrize("at", ["2024-06-01T00:00:00Z", None])
def test_nobody_is_subscribed_again_who_unsubscribed_later_in_shopify(world: World, at: str | None) -> None:
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=consent("UNSUBSCRIBED"))})
    world.load(CUSTOMERS)
    says(world, "UNSUBSCRIBED", "2024-09-01T00:00:00Z")
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=consent("SUBSCRIBED", at))})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert states(world) == [("UNSUBSCRIBED", "SUBSCRIBED")]
    assert world.warnings(CUSTOMERS) == {"CONSENT_KEPT": 1}
    assert outcomes(world.load(CUSTOMERS, only_dirty=False)) == {"updated": 1}
    assert states(world) == [("UNSUBSCRIBED", "SUBSCRIBED")]


def test_somebody_who_subscribed_later_in_the_source_is_subscribed(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=consent("UNSUBSCRIBED"))})
    world.load(CUSTOMERS)
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=consent("SUBSCRIBED", "2024-09-01T00:00:00Z"))})
    world.load(CUSTOMERS)
    assert states(world) == [("SUBSCRIBED", "SUBSCRIBED")]


def test_a_load_of_everything_keeps_what_customers_said_in_shopify(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer()})
    world.load(CUSTOMERS)
    says(world, "UNSUBSCRIBED")
    assert outcomes(world.load(CUSTOMERS, only_dirty=False)) == {"updated": 1}
    assert states(world) == [("UNSUBSCRIBED", "SUBSCRIBED")]


def test_a_source_without_subscription_takes_a_subscription_back_and_makes_none(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=consent("NOT_SUBSCRIBED"))})
    assert outcomes(world.load(CUSTOMERS)) == {"created": 1}
    assert "customerEmailMarketingConsentUpdate" not in world.calls()
    says(world, "SUBSCRIBED", "2024-02-01T00:00:00Z")
    later = consent("NOT_SUBSCRIBED", "2024-03-01T00:00:00Z")
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=later)})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert states(world)[0][0] == "UNSUBSCRIBED"


@pytest.mark.parametrize("fault", ["hangup_before_commit", "hangup_after_commit"])
@pytest.mark.parametrize("step", STEPS)
def test_an_answer_lost_at_any_step_ends_with_the_customer_whole_and_once(world: World, step: str, fault: str) -> None:
    world.patience_seconds = 0.1
    world.stage(CUSTOMERS, {"c": customer()})
    world.fault(fault, step, times=None)
    assert outcomes(world.load(CUSTOMERS)) == {"unknown": 1}
    world.calm()
    before = len(world.writes())
    assert outcomes(world.load(CUSTOMERS)) == {"created": 1}
    # A consent that Shopify shows already is not sent again; the others name what they write.
    is_there = fault == "hangup_after_commit" and "Consent" in step
    left = STEPS[STEPS.index(step) + is_there :]
    assert [name for name in world.calls()[before:] if name in STEPS] == left
    assert len(world.objects("Customer")) == 1
    assert states(world) == [("SUBSCRIBED", "SUBSCRIBED")]
    assert world.incomplete() == []
    assert outcomes(world.load(CUSTOMERS)) == {}


def test_a_token_that_dies_between_two_steps_stops_the_type_and_the_next_run_goes_on_there(world: World) -> None:
    world.stage(CUSTOMERS, {f"c{n}": customer(n) for n in range(3)})
    world.fault("token_revoked", "customerEmailMarketingConsentUpdate")
    assert world.load(CUSTOMERS).fatal is not None
    assert world.incomplete() == []
    world.restore()
    world.load(CUSTOMERS)
    assert states(world) == [("SUBSCRIBED", "SUBSCRIBED")] * 3
    calls = world.calls()
    assert calls.count("customerSet") == 3
    assert outcomes(world.load(CUSTOMERS)) == {}


def test_what_shopify_refuses_in_a_further_step_is_named_with_its_place(world: World) -> None:
    wrong = [{"namespace": "custom", "key": "count", "type": "number_integer", "value": "many"}]
    world.stage(CUSTOMERS, {"good": customer(1), "bad": customer(2, metafields=wrong)})
    assert outcomes(world.load(CUSTOMERS)) == {"created": 1, "errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["path"].startswith("metafields")
    assert "integer" in incomplete["message"]
    world.stage(CUSTOMERS, {"bad": customer(2)})
    assert outcomes(world.load(CUSTOMERS)) == {"created": 1}
    assert world.incomplete() == []


def test_a_customer_with_our_mail_address_is_named_or_taken_over(world: World) -> None:
    mutation = (
        "mutation($input: CustomerSetInput!) { customerSet(input: $input) { customer { id } userErrors { message } } }"
    )
    theirs = world.graphql(mutation, input={"email": "ada1@example.com", "lastName": "Theirs"})["customerSet"]
    world.stage(CUSTOMERS, {"c": customer()})
    assert outcomes(world.load(CUSTOMERS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "ALREADY_THERE"
    assert theirs["customer"]["id"] in world.incomplete()[0]["message"]
    world.options(adopt_existing="by_natural_key")
    assert outcomes(world.load(CUSTOMERS)) == {"adopted": 1}
    (item,) = world.objects("Customer")
    assert (item["id"], item["lastName"], item["firstName"]) == (theirs["customer"]["id"], "Theirs", "Ada")
    second = customer(2, email="ada1@example.com")
    world.stage(CUSTOMERS, {"c": customer(), "d": second})
    assert outcomes(world.load(CUSTOMERS)) == {"errored": 1}
    assert "magento:customers:c" in world.incomplete()[0]["message"]


def test_somebody_taken_over_keeps_a_later_unsubscription(world: World) -> None:
    mutation = "mutation($input: CustomerSetInput!) { customerSet(input: $input) { customer { id } } }"
    world.graphql(mutation, input={"email": "ada1@example.com"})
    says(world, "UNSUBSCRIBED", "2024-09-01T00:00:00Z")
    world.options(adopt_existing="by_natural_key")
    world.stage(CUSTOMERS, {"c": customer()})
    assert outcomes(world.load(CUSTOMERS)) == {"adopted": 1}
    assert states(world)[0][0] == "UNSUBSCRIBED"


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_customer_deleted_between_two_steps_is_made_again_by_the_next_run(world: World, step: str) -> None:
    world.patience_seconds = 0.1
    world.stage(CUSTOMERS, {"c": customer()})
    world.fault("internal_error", step, times=None)
    assert outcomes(world.load(CUSTOMERS)) == {"unknown": 1}
    world.calm()
    delete = "mutation($input: CustomerDeleteInput!) { customerDelete(input: $input) { deletedCustomerId } }"
    world.graphql(delete, input={"id": world.objects("Customer")[0]["id"]})
    assert outcomes(world.load(CUSTOMERS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "GONE"
    assert outcomes(world.load(CUSTOMERS)) == {"created": 1}
    assert states(world) == [("SUBSCRIBED", "SUBSCRIBED")]


def test_a_filtered_load_of_consent_leaves_the_rest_pending(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer()})
    world.load(CUSTOMERS)
    before = len(world.writes())
    said = consent("UNSUBSCRIBED", "2025-01-01T00:00:00Z")
    world.stage(CUSTOMERS, {"c": customer(emailMarketingConsent=said, note="new")})
    assert outcomes(world.load(CUSTOMERS, field_filter={"customers": ("marketing",)})) == {"updated": 1}
    assert world.calls()[before:] == ["customerEmailMarketingConsentUpdate"]
    assert outcomes(world.load(CUSTOMERS, field_filter={"customers": ("marketing",)})) == {"unchanged": 1}
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert world.calls()[before + 1 :] == ["customerSet"]
    assert outcomes(world.load(CUSTOMERS)) == {}


def test_a_customer_gone_from_the_source_is_deleted_where_the_policy_says_so(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer()})
    world.load(CUSTOMERS)
    world.forget(CUSTOMERS)
    world.options(on_source_delete="archive")
    assert outcomes(world.load(CUSTOMERS)) == {"skipped": 1}
    world.options(on_source_delete="delete")
    assert outcomes(world.load(CUSTOMERS)) == {"deleted": 1}
    assert world.objects("Customer") == []


def test_more_metafields_than_one_call_takes_go_in_several(world: World) -> None:
    many = [
        {"namespace": "custom", "key": f"k{n:02}", "type": "single_line_text_field", "value": str(n)}
        for n in range(60)
    ]  # fmt: skip
    world.stage(CUSTOMERS, {"c": customer(metafields=many)})
    assert outcomes(world.load(CUSTOMERS)) == {"created": 1}
    assert world.calls().count("metafieldsSet") == 3
    assert len(world.objects("Customer")[0]["metafields"]) == 61


def test_a_rehearsal_counts_every_step_of_a_customer(world: World) -> None:
    world.stage(CUSTOMERS, {"c": customer()})
    rehearsed = world.rehearse(CUSTOMERS)
    assert outcomes(rehearsed) == {"created": 1}
    assert rehearsed.calls == len(STEPS)
    assert rehearsed.cost >= 40
    assert world.calls() == []

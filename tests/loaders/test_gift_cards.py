"""Gift cards: each lands once, what was spent is debited once, and no code is told to anybody."""

import json
from typing import Any

import pytest

from graftport_dagster.errors import LoadRejectedError
from graftport_dagster.loaders.masking import masked_error
from graftport_dagster.loaders.plan import Plan
from graftport_dagster.records import ResourceType, shown_id
from graftport_dagster.reports.wording import without_codes
from graftport_dagster.store.record_store import LoadInput

CARDS = ResourceType.GIFT_CARDS
World = Any


def outcomes(tally: Any) -> dict[str, int]:
    assert tally.fatal is None
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "USD"}


def card(code: str = "abcd1234wxyz", *, spent: str = "", off: bool = False, **more: Any) -> dict[str, Any]:
    envelope: dict[str, Any] = {"input": {"code": code, "initialAmount": money("50.00"), "note": "n", **more}}
    if spent:
        envelope["debit"] = {"debitAmount": money(spent), "note": "spent before"}
    if off:
        envelope["deactivate"] = True
    return envelope


def balances(world: World) -> dict[str, str]:
    return {one["code"]: one["balance"]["amount"] for one in world.objects("GiftCard")}


def test_a_card_lands_with_what_is_left_on_it_and_a_second_load_sends_nothing(world: World) -> None:
    world.stage(CARDS, {"1": card(spent="20.00"), "2": card("efgh5678", off=True, spent="5.00"), "3": card("ijkl9012")})
    assert outcomes(world.load(CARDS)) == {"created": 3}
    assert balances(world) == {"abcd1234wxyz": "30.00", "efgh5678": "45.00", "ijkl9012": "50.00"}
    assert [one["code"] for one in world.objects("GiftCard") if one["deactivatedAt"]] == ["efgh5678"]
    writes = len(world.writes())
    assert outcomes(world.load(CARDS)) == {}
    assert len(world.writes()) == writes


def test_what_may_change_is_updated_and_the_debit_is_not_sent_again(world: World) -> None:
    world.stage(CARDS, {"1": card(spent="20.00")})
    world.load(CARDS)
    world.stage(CARDS, {"1": card(spent="20.00", note="new", expiresOn="2099-01-01")})
    assert outcomes(world.load(CARDS)) == {"updated": 1}
    (one,) = world.objects("GiftCard")
    assert (one["note"], one["expiresOn"], one["balance"]["amount"]) == ("new", "2099-01-01", "30.00")


def test_code_value_and_debit_do_not_change_and_the_record_says_so(world: World) -> None:
    world.stage(CARDS, {"1": card(spent="20.00")})
    world.load(CARDS)
    writes = len(world.writes())
    world.stage(CARDS, {"1": card("other1234567", spent="30.00")})
    assert outcomes(world.load(CARDS)) == {"skipped": 1}
    assert len(world.writes()) == writes
    (reason,) = [one["reason"] for one in world.story(CARDS, "1")["attempts"] if one["outcome"] == "skipped"]
    assert "code" in reason
    assert "debit" in reason
    assert "other1234567" not in reason
    assert outcomes(world.load(CARDS)) == {}


def test_a_card_waits_for_its_customer(world: World, reference: Any) -> None:
    world.stage(CARDS, {"1": card(customerId=reference("customers", "c1"))})
    assert outcomes(world.load(CARDS)) == {"held": 1}
    world.stage(ResourceType.CUSTOMERS, {"c1": {"input": {"email": "ada@example.com", "firstName": "Ada"}}})
    world.load(ResourceType.CUSTOMERS)
    assert outcomes(world.load(CARDS)) == {"created": 1}
    assert world.objects("GiftCard")[0]["customerId"] == world.objects("Customer")[0]["id"]


@pytest.mark.parametrize("fault", ["hangup_after_commit", "http_500_after_commit", "truncated_json"])
def test_a_lost_answer_to_the_create_makes_no_second_card(world: World, fault: str) -> None:
    world.fault(fault, "giftCardCreate")
    world.stage(CARDS, {"1": card(spent="20.00")})
    assert outcomes(world.load(CARDS)) == {"unknown": 1}
    assert outcomes(world.load(CARDS)) == {"created": 1}
    assert balances(world) == {"abcd1234wxyz": "30.00"}


@pytest.mark.parametrize("fault", ["hangup_after_commit", "http_502_after_commit"])
def test_a_debit_whose_answer_was_lost_is_booked_once(world: World, fault: str) -> None:
    world.fault(fault, "giftCardDebit")
    world.stage(CARDS, {"1": card(spent="20.00")})
    assert outcomes(world.load(CARDS)) == {"unknown": 1}
    assert outcomes(world.load(CARDS)) == {"created": 1}
    assert balances(world) == {"abcd1234wxyz": "30.00"}
    assert len(world.objects("GiftCard")[0]["transactions"]) == 1


def test_a_debit_that_never_arrived_is_sent_when_that_is_certain(world: World) -> None:
    world.fault("hangup_before_commit", "giftCardDebit")
    world.stage(CARDS, {"1": card(spent="20.00")})
    assert outcomes(world.load(CARDS)) == {"unknown": 1}
    assert outcomes(world.load(CARDS)) == {"unknown": 1}
    world.clock.ahead += world.a_while
    assert outcomes(world.load(CARDS)) == {"created": 1}
    assert balances(world) == {"abcd1234wxyz": "30.00"}


def test_a_debit_of_the_same_amount_by_another_is_left_to_a_person(world: World) -> None:
    world.fault("hangup_before_commit", "giftCardDebit")
    world.stage(CARDS, {"1": card(spent="20.00")})
    world.load(CARDS)
    gid = world.objects("GiftCard")[0]["id"]
    query = (
        "mutation($id: ID!, $d: GiftCardDebitInput!) "
        "{ giftCardDebit(id: $id, debitInput: $d) { userErrors { message } } }"
    )
    world.graphql(query, id=gid, d={"debitAmount": money("20.00")})
    world.clock.ahead += world.a_while
    assert outcomes(world.load(CARDS)) == {"held": 1}
    assert balances(world) == {"abcd1234wxyz": "30.00"}


def test_a_load_that_ended_between_card_and_debit_goes_on_with_the_debit(world: World) -> None:
    stopped: list[bool] = []
    world.stage(CARDS, {"1": card(spent="20.00", off=True)})

    def stop() -> bool:
        stopped.append(bool(world.objects("GiftCard")))
        return stopped[-1]

    world.load(CARDS, should_stop=stop)
    assert balances(world) == {"abcd1234wxyz": "50.00"}
    world.load(CARDS)
    assert balances(world) == {"abcd1234wxyz": "30.00"}
    assert world.objects("GiftCard")[0]["deactivatedAt"] is not None
    assert world.calls().count("giftCardCreate") == 1


def test_a_card_that_is_there_already_keeps_what_is_on_it(world: World) -> None:
    query = "mutation($i: GiftCardCreateInput!) { giftCardCreate(input: $i) { giftCard { id } } }"
    world.graphql(query, i={"code": "ABCD1234wxyz", "initialAmount": money("50.00")})
    world.stage(CARDS, {"1": card(spent="20.00")})
    assert outcomes(world.load(CARDS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "ALREADY_THERE"
    world.options(adopt_existing="by_natural_key")
    assert outcomes(world.load(CARDS)) == {"adopted": 1}
    assert balances(world) == {"abcd1234wxyz": "50.00"}
    world.stage(CARDS, {"1": card(spent="20.00", note="later")})
    assert outcomes(world.load(CARDS)) == {"updated": 1}
    assert balances(world) == {"abcd1234wxyz": "50.00"}


def test_shopifys_refusal_sets_one_card_aside(world: World) -> None:
    world.stage(CARDS, {"1": card(spent="60.00"), "2": card("efgh5678")})
    assert outcomes(world.load(CARDS)) == {"created": 1, "errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["code"] == "INSUFFICIENT_FUNDS"
    assert incomplete["path"].startswith("debit")


@pytest.mark.parametrize("policy", ["archive", "delete"])
def test_a_card_gone_from_the_source_is_deactivated(world: World, policy: str) -> None:
    world.stage(CARDS, {"1": card()})
    world.load(CARDS)
    world.options(on_source_delete=policy)
    world.forget(CARDS)
    assert outcomes(world.load(CARDS)) == {"archived": 1}
    assert world.objects("GiftCard")[0]["deactivatedAt"] is not None
    assert outcomes(world.load(CARDS)) == {}


def test_no_code_is_in_any_error_story_or_dry_run(world: World) -> None:
    codes = {"1": "verysecret12", "2": "secretcode34", "3": "anothersecret5"}
    query = "mutation($i: GiftCardCreateInput!) { giftCardCreate(input: $i) { giftCard { id } } }"
    world.graphql(query, i={"code": codes["1"], "initialAmount": money("50.00")})
    world.fault("hangup_after_commit", "giftCardCreate", after=1)
    spent = {"3": "99.00"}
    world.stage(CARDS, {number: card(code, spent=spent.get(number, "")) for number, code in codes.items()})
    world.rehearse(CARDS)
    tally = world.load(CARDS)
    stories = [world.story(CARDS, number)["attempts"] for number in codes]
    said = json.dumps([world.incomplete(), stories, world.verdicts, str(tally)], default=str).lower()
    assert "et12" in said
    assert [code for code in codes.values() if code in said] == []


def test_shopifys_own_words_are_freed_of_the_code_they_quote(world: World) -> None:
    error = LoadRejectedError("Shopify refused it: ABCD1234wxyz is odd", hint="Look at abcd1234WXYZ.")
    record = LoadInput("1", card("abcd1234wxyz"), "h", {}, "v", "", "", "", {})
    plan = Plan(record, record.payload, {}, "", "magento:gift_cards:1", is_new=True)
    assert str(masked_error(error, plan)) == "Shopify refused it: ••••wxyz is odd Look at ••••wxyz."


def test_an_id_that_might_be_a_code_is_masked_in_reports() -> None:
    assert shown_id("gift_cards", "ABCD1234WXYZ") == "••••WXYZ"
    assert shown_id("gift_cards", "1234") == "1234"
    assert shown_id("products", "ABCD1234WXYZ") == "ABCD1234WXYZ"


def test_a_payload_is_shown_without_the_code() -> None:
    shown = without_codes("gift_cards", card("abcd1234wxyz"))
    assert shown["input"]["code"] == "••••wxyz"
    assert shown["input"]["initialAmount"] == money("50.00")

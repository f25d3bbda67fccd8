"""Discounts by code and gift cards, as the simulated shop keeps them."""

import time
from collections.abc import Callable
from typing import Any

START = "2024-01-01T00:00:00Z"
MONEY = {"amount": "50.00", "currencyCode": "USD"}


def discount(shop: Any, code: str, **more: Any) -> str:
    value = {"title": code, "code": code, "startsAt": START, "context": {"all": "ALL"},
             "customerGets": {"value": {"percentage": 0.2}, "items": {"all": True}}, **more}  # fmt: skip
    selection = "codeDiscountNode { id } userErrors { message }"
    payload = shop.mutate("discountCodeBasicCreate", {"basicCodeDiscount": value}, selection)
    assert payload["userErrors"] == []
    return str(payload["codeDiscountNode"]["id"])


SHOWN = (
    "codeDiscount { ... on DiscountCodeBasic { title status endsAt codesCount { count } "
    "codes(first: 9) { nodes { code } } "
    "customerGets { items { ... on DiscountProducts { products(first: 9) { nodes { id } } } } "
    "value { ... on DiscountPercentage { percentage } } } } }"
)


def shown(shop: Any, gid: str) -> Any:
    query = f"query($id: ID!) {{ codeDiscountNode(id: $id) {{ {SHOWN} }} }}"
    return shop.data(query, {"id": gid})["codeDiscountNode"]["codeDiscount"]


def by_code(shop: Any, code: str) -> Any:
    return shop.data("query($c: String!) { codeDiscountNodeByCode(code: $c) { id } }", {"c": code})[
        "codeDiscountNodeByCode"
    ]


def add(shop: Any, gid: str, *codes: str) -> Any:
    given = {"discountId": gid, "codes": [{"code": code} for code in codes]}
    return shop.mutate("discountRedeemCodeBulkAdd", given, "bulkCreation { id done }")["bulkCreation"]


CREATION = (
    "query($id: ID!) { discountRedeemCodeBulkCreation(id: $id) { done importedCount failedCount "
    "codes(first: 250) { nodes { code errors { code message } } } } }"
)


def test_a_discount_is_found_by_its_code_whatever_its_case(shop: Any) -> None:
    gid = discount(shop, "Summer")
    assert by_code(shop, "SUMMER")["id"] == gid
    assert by_code(shop, "winter") is None


def test_codes_added_together_come_later_and_one_that_is_taken_fails_alone(open_shop: Callable[..., Any]) -> None:
    shop = open_shop("--plan", "unlimited", "--processing-seconds", "1")
    gid = discount(shop, "A")
    discount(shop, "TAKEN")
    creation = add(shop, gid, "B", "taken", "C")
    assert creation["done"] is False
    assert by_code(shop, "B") is None
    for _ in range(60):
        result = shop.data(CREATION, {"id": creation["id"]})["discountRedeemCodeBulkCreation"]
        if result["done"]:
            break
        time.sleep(0.1)
    assert (result["importedCount"], result["failedCount"]) == (2, 1)
    assert [it["code"] for it in result["codes"]["nodes"] if it["errors"]] == ["taken"]
    assert [it["code"] for it in shown(shop, gid)["codes"]["nodes"]] == ["A", "B", "C"]


def test_what_an_update_adds_joins_what_is_there_until_it_is_removed(shop: Any) -> None:
    bags = [shop.set_product({"title": title})["id"] for title in ("A", "B")]

    def items(**change: Any) -> dict[str, Any]:
        return {"customerGets": {"items": {"products": change}, "value": {"percentage": 0.5}}}

    gid = discount(shop, "BAGS", **items(productsToAdd=bags[:1]))
    for change in (items(productsToAdd=bags[1:]), items(productsToRemove=bags[:1])):
        assert shop.errors("discountCodeBasicUpdate", {"id": gid, "basicCodeDiscount": change}) == []
    gets = shown(shop, gid)["customerGets"]
    assert [it["id"] for it in gets["items"]["products"]["nodes"]] == bags[1:]
    assert gets["value"]["percentage"] == 0.5


def said(shop: Any, kind: str, given: dict[str, Any]) -> list[tuple[str, str, str]]:
    argument = {"Basic": "basicCodeDiscount", "Bxgy": "bxgyCodeDiscount", "FreeShipping": "freeShippingCodeDiscount"}
    base = {"title": "T", "code": "T", "startsAt": START, "context": {"all": "ALL"}, **given}
    errors = shop.errors(f"discountCode{kind}Create", {argument[kind]: base})
    return [(".".join(it["field"][1:]), it["message"], it["code"]) for it in errors]


def test_a_discount_says_what_it_takes_off_in_the_one_way_its_kind_knows(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})["id"]
    items = {"products": {"productsToAdd": [product]}}
    buys = {"items": items, "value": {"quantity": "1"}}
    on_quantity = {"discountOnQuantity": {"quantity": "1", "effect": {"percentage": 1}}}
    blank = ("customerGets.value.discountOnQuantity.quantity", "Quantity cannot be blank.", "BLANK")
    for name, value in (("percentage", 0.5), ("discountAmount", {"amount": "5"})):
        gets = {"items": items, "value": {name: value}}
        wrong = (f"customerGets.value.{name}", "Only discountOnQuantity permitted with bxgy discounts.", "INVALID")
        assert said(shop, "Bxgy", {"customerBuys": buys, "customerGets": gets}) == [wrong, blank]
    gets = {"items": items, "value": on_quantity, "appliesOnSubscription": True}
    assert said(shop, "Bxgy", {"customerBuys": buys, "customerGets": gets}) == [
        ("customerGets.appliesOnSubscription", "This field is not supported by bxgy discounts.", "INVALID")
    ]
    taken = {"items": {"all": True}, "value": {"discountAmount": {"amount": "-5"}}}
    assert [it[2] for it in said(shop, "Basic", {"customerGets": taken})] == ["LESS_THAN_OR_EQUAL_TO"]
    combined = said(shop, "FreeShipping", {"destination": {"all": True}, "combinesWith": {"shippingDiscounts": True}})
    assert [it[2] for it in combined] == ["INVALID_COMBINES_WITH_FOR_DISCOUNT_CLASS"]
    assert shop.control("objects?type=DiscountCodeNode") == []


def test_a_discount_requires_one_minimum_at_most_and_is_used_at_least_once(shop: Any) -> None:
    gets = {"value": {"percentage": 0.2}, "items": {"all": True}}
    both = {
        "quantity": {"greaterThanOrEqualToQuantity": "2"}, "subtotal": {"greaterThanOrEqualToSubtotal": "10.00"},
    }  # fmt: skip
    assert said(shop, "Basic", {"customerGets": gets, "minimumRequirement": both}) == [
        ("minimumRequirement.subtotal.greaterThanOrEqualToSubtotal",
         "Minimum subtotal cannot be defined when minimum quantity is.", "CONFLICT"),
        ("minimumRequirement.quantity.greaterThanOrEqualToQuantity",
         "Minimum quantity cannot be defined when minimum subtotal is.", "CONFLICT"),
    ]  # fmt: skip
    assert said(shop, "Basic", {"customerGets": gets, "usageLimit": 0}) == [
        ("usageLimit", "Usage limit must be greater than 0", "GREATER_THAN")
    ]


def test_blank_texts_of_a_discount_are_refused_in_shopifys_words(shop: Any) -> None:
    gets = {"value": {"percentage": 0.2}, "items": {"all": True}}
    cases: list[tuple[dict[str, Any], tuple[str, str, str]]] = [
        ({"title": ""}, ("title", "Title can't be blank", "BLANK")),
        ({"code": None}, ("code", "Code can't be blank", "BLANK")),
        ({"code": ""}, ("code", "Code is too short (minimum is 1 character)", "TOO_SHORT")),
        ({"code": "a\nb"}, ("code", "Code cannot contain newline characters.", "INVALID")),
        ({"startsAt": None}, ("startsAt", "Starts at can't be blank", "BLANK")),
    ]
    for given, problem in cases:
        assert said(shop, "Basic", {"customerGets": gets, **given}) == [problem]


def test_a_deactivated_discount_has_expired_and_can_be_activated_again(shop: Any) -> None:
    gid = discount(shop, "TEN")
    assert shown(shop, gid)["status"] == "ACTIVE"
    assert shop.errors("discountCodeDeactivate", {"id": gid}) == []
    assert shown(shop, gid)["status"] == "EXPIRED"
    assert shop.errors("discountCodeActivate", {"id": gid}) == []
    assert shown(shop, gid)["status"] == "ACTIVE"


def test_the_code_of_a_deleted_discount_is_free_again(shop: Any) -> None:
    gid = discount(shop, "TEN")
    assert shop.errors("discountCodeDelete", {"id": gid}) == []
    assert discount(shop, "ten") != gid


def card(shop: Any, code: str) -> str:
    given = {"input": {"code": code, "initialAmount": MONEY}}
    payload = shop.mutate("giftCardCreate", given, "giftCard { id lastCharacters } giftCardCode")
    assert payload["giftCardCode"] == code.lower()
    return str(payload["giftCard"]["id"])


def test_a_gift_card_is_found_by_its_code_but_shows_its_last_four(shop: Any) -> None:
    gid = card(shop, "ABCD1234efgh")
    query = "query($q: String) { giftCards(first: 5, query: $q) { nodes { id lastCharacters maskedCode } } }"
    nodes = shop.data(query, {"q": "abcd1234EFGH"})["giftCards"]["nodes"]
    assert [(it["id"], it["lastCharacters"]) for it in nodes] == [(gid, "efgh")]
    assert "1234" not in nodes[0]["maskedCode"]
    again = shop.errors("giftCardCreate", {"input": {"code": "abcd1234EFGH", "initialAmount": MONEY}})
    assert again == [{"field": ["input", "code"], "message": "Code has already been taken", "code": None}]


def test_debits_and_credits_change_the_balance_and_are_listed(shop: Any) -> None:
    gid = card(shop, "abcd1234")
    for verb, amount in (("debit", "20.00"), ("credit", "5.00")):
        given = {f"{verb}Amount": {"amount": amount, "currencyCode": "USD"}, "note": verb}
        assert shop.errors(f"giftCard{verb.capitalize()}", {"id": gid, f"{verb}Input": given}) == []
    fields = "balance { amount } transactions(first: 5) { nodes { note amount { amount } } }"
    it = shop.data(f"query($id: ID!) {{ giftCard(id: $id) {{ {fields} }} }}", {"id": gid})["giftCard"]
    assert it["balance"]["amount"] == "35.0"
    amounts = [(one["note"], one["amount"]["amount"]) for one in it["transactions"]["nodes"]]
    assert amounts == [("debit", "-20.0"), ("credit", "5.0")]
    much = {"debitAmount": {"amount": "99", "currencyCode": "USD"}}
    assert shop.errors("giftCardDebit", {"id": gid, "debitInput": much})[0]["code"] == "INSUFFICIENT_FUNDS"


def test_what_a_gift_card_cannot_be_is_refused_in_shopifys_words(shop: Any) -> None:
    owner = shop.mutate("customerCreate", {"input": {"email": "ada@example.com"}}, "customer { id }")["customer"]["id"]
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"initialAmount": {"amount": "0", "currencyCode": "USD"}}, "initialValue", "must be greater than 0"),
        ({"code": "short"}, "code", "Code must be at least 8 characters long"),
        ({"code": "x" * 21}, "code", "Code must be at most 20 characters long"),
        ({"recipientAttributes": {"id": "gid://shopify/Customer/1"}}, "recipientAttributes.id",
         "Recipient could not be found"),
        ({"recipientAttributes": {"id": owner, "message": " "}}, "recipientAttributes.message",
         "Message can't be blank"),
        ({"recipientAttributes": {"id": owner, "preferredName": "<b>Ada</b>"}}, "recipientAttributes.preferredName",
         "Preferred name cannot contain HTML tags"),
    ]  # fmt: skip
    for given, field, message in cases:
        errors = shop.errors("giftCardCreate", {"input": {"code": "abcd1234", "initialAmount": MONEY, **given}})
        assert [(".".join(it["field"][1:]), it["message"]) for it in errors] == [(field, message)]


def test_a_deactivated_card_does_not_change_and_an_update_changes_something(shop: Any) -> None:
    gid = card(shop, "abcd1234")
    nothing = shop.errors("giftCardUpdate", {"id": gid, "input": {}}, codes=False)
    assert nothing == [{"field": ["input"], "message": "At least one argument is required in the input."}]
    shop.errors("giftCardDeactivate", {"id": gid})
    for change, field in (({"note": "n", "expiresOn": "2099-12-31"}, ["input", "expiresOn"]), ({"note": "n"}, ["id"])):
        refused = shop.errors("giftCardUpdate", {"id": gid, "input": change}, codes=False)
        assert refused == [{"field": field, "message": "The gift card is deactivated."}]


def test_a_new_card_is_searched_only_when_search_knows_it(open_shop: Callable[..., Any]) -> None:
    shop = open_shop("--plan", "unlimited", "--search-lag-seconds", "60")
    card(shop, "abcd1234")
    assert shop.data('{ giftCards(first: 5, query: "abcd1234") { nodes { id } } }')["giftCards"]["nodes"] == []
    assert len(shop.data("{ giftCards(first: 5) { nodes { id } } }")["giftCards"]["nodes"]) == 1

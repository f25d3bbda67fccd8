"""Discounts and gift cards against the userErrors recorded on real shops: same field, message and code."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.shared

Provoked = list[dict[str, Any]]
START, EARLIER = "2024-01-01T00:00:00Z", "2023-01-01T00:00:00Z"
ALL = {"all": True}
NOWHERE = "999999999999"


def basic(code: str = "TEN", **more: Any) -> dict[str, Any]:
    gets = {"value": {"percentage": 0.1}, "items": ALL}
    return {"title": "Ten", "code": code, "startsAt": START, "customerGets": gets, "context": {"all": "ALL"}, **more}


def bxgy(code: str = "B3G1", **more: Any) -> dict[str, Any]:
    return {
        "title": "B3G1", "code": code, "startsAt": START, "context": {"all": "ALL"},
        "customerBuys": {"value": {"quantity": "3"}},
        "customerGets": {"value": {"discountOnQuantity": {"quantity": "1", "effect": {"percentage": 1}}}}, **more,
    }  # fmt: skip


def free(code: str = "FREE", **more: Any) -> dict[str, Any]:
    return {"title": "Free", "code": code, "startsAt": START, "destination": ALL, "context": {"all": "ALL"}, **more}


BOTH = {"context": {"all": "ALL"}, "customerSelection": {"all": True}}
ON_QUANTITY = {"items": ALL, "value": {"discountOnQuantity": {"quantity": "1", "effect": {"percentage": 1}}}}
KINDS = {
    "Basic": ("basicCodeDiscount", basic), "Bxgy": ("bxgyCodeDiscount", bxgy),
    "FreeShipping": ("freeShippingCodeDiscount", free),
}  # fmt: skip


def made(shop: Any, kind: str, code: str) -> str:
    argument, value = KINDS[kind]
    payload = shop.mutate(f"discountCode{kind}Create", {argument: value(code)}, "codeDiscountNode { id }")
    return str(payload["codeDiscountNode"]["id"])


def _ratios(gets: bool) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = []
    for quantity in ("0", "100000"):
        value = {"discountOnQuantity": {"quantity": quantity, "effect": {"percentage": 1}}}
        changes.append(
            {"customerGets": {"value": value}} if gets else {"customerBuys": {"value": {"quantity": quantity}}}
        )
    return changes


def creating(kind: str, *changes: dict[str, Any]) -> Callable[[Any], Provoked]:
    argument, value = KINDS[kind]

    def provoke(shop: Any) -> Provoked:
        return [
            it for change in changes for it in shop.errors(f"discountCode{kind}Create", {argument: value(**change)})
        ]

    return provoke


def updating(kind: str, *changes: dict[str, Any]) -> Callable[[Any], Provoked]:
    argument, _ = KINDS[kind]

    def provoke(shop: Any) -> Provoked:
        gid = made(shop, kind, "MINE")
        return [
            it for change in changes for it in shop.errors(f"discountCode{kind}Update", {"id": gid, argument: change})
        ]

    return provoke


RATIOS = [*_ratios(gets=True), *_ratios(gets=False), {"usesPerOrderLimit": 0}, {"usesPerOrderLimit": -1}]


def basic_update(shop: Any) -> Provoked:
    made(shop, "Basic", "OTHER")
    many = made(shop, "Basic", "MANY")
    product = shop.set_product({"title": "Bag"})["id"]
    collection = shop.mutate("collectionCreate", {"input": {"title": "C"}}, "collection { id }")["collection"]["id"]
    shop.mutate("discountRedeemCodeBulkAdd", {"discountId": many, "codes": [{"code": "MANY2"}]}, "bulkCreation { id }")
    chosen: list[dict[str, Any]] = [
        {"collections": {"add": [collection]}, "products": {"productsToAdd": [product]}},
        {"products": {"productsToAdd": ["gid://shopify/Product/0"]}},
        {"products": {"productsToAdd": [f"gid://shopify/Product/{NOWHERE}"]}},
        {"products": {"productVariantsToAdd": [f"gid://shopify/ProductVariant/{NOWHERE}"]}},
        {"collections": {"add": [f"gid://shopify/Collection/{NOWHERE}"]}},
    ]  # fmt: skip
    changes: list[dict[str, Any]] = [{"customerGets": {"items": items}} for items in chosen]
    changes += [{"customerGets": ON_QUANTITY}, BOTH, {"code": "other"}]
    errors = updating("Basic", *changes)(shop)
    errors += shop.errors("discountCodeBasicUpdate", {"id": many, "basicCodeDiscount": {"code": "MANY"}})
    missing = {"id": f"gid://shopify/DiscountCodeNode/{NOWHERE}", "basicCodeDiscount": {"title": "x"}}
    return errors + list(shop.errors("discountCodeBasicUpdate", missing))


def discount_delete(shop: Any) -> Provoked:
    errors: Provoked = shop.errors("discountCodeDelete", {"id": f"gid://shopify/DiscountCodeNode/{NOWHERE}"})
    return errors


def bulk_add(shop: Any) -> Provoked:
    missing = f"gid://shopify/DiscountCodeNode/{NOWHERE}"
    gid = made(shop, "Basic", "TEN")
    errors: Provoked = shop.errors("discountRedeemCodeBulkAdd", {"discountId": gid, "codes": []})
    codes = [{"code": "A"}]
    return errors + list(shop.errors("discountRedeemCodeBulkAdd", {"discountId": missing, "codes": codes}))


def card(shop: Any, code: str, **more: Any) -> str:
    value = {"code": code, "initialAmount": {"amount": "10", "currencyCode": "USD"}, **more}
    return str(shop.mutate("giftCardCreate", {"input": value}, "giftCard { id }")["giftCard"]["id"])


def _booking(verb: str) -> Callable[[Any], Provoked]:
    def provoke(shop: Any) -> Provoked:
        good, old, off = (
            card(shop, "goodcard1"), card(shop, "expired12", expiresOn="2020-01-01"), card(shop, "disabled1"),
        )  # fmt: skip
        shop.mutate("giftCardDeactivate", {"id": off}, "giftCard { id }")
        amount = {f"{verb}Amount": {"amount": "1", "currencyCode": "USD"}}
        other = {f"{verb}Amount": {"amount": "1", "currencyCode": "EUR"}}
        calls = [(old, amount), (off, amount), (good, {**amount, "processedAt": "2099-01-01T00:00:00Z"}),
                 (good, {**amount, "processedAt": "1900-01-01T00:00:00Z"}), (good, other)]  # fmt: skip
        name = f"giftCard{verb.capitalize()}"
        return [it for gid, value in calls for it in shop.errors(name, {"id": gid, f"{verb}Input": value})]

    return provoke


PROVOKE: dict[str, Callable[[Any], Provoked]] = {
    "discountCodeBasicCreate": creating("Basic", {"customerGets": ON_QUANTITY}, {"endsAt": EARLIER}),
    "discountCodeBasicUpdate": basic_update,
    "discountCodeBxgyCreate": creating("Bxgy", *RATIOS, {"endsAt": EARLIER}),
    "discountCodeBxgyUpdate": updating("Bxgy", *RATIOS, BOTH),
    "discountCodeFreeShippingCreate": creating("FreeShipping", {"endsAt": EARLIER}),
    "discountCodeFreeShippingUpdate": updating("FreeShipping", BOTH),
    "discountCodeDelete": discount_delete, "discountRedeemCodeBulkAdd": bulk_add,
    "giftCardCredit": _booking("credit"), "giftCardDebit": _booking("debit"),
}  # fmt: skip
EXCUSED = {"Allocation limit must be less than or equal to": "refused before as a variable of the type Int"}


@pytest.mark.parametrize("mutation", sorted(PROVOKE))
def test_recorded_errors_of_discounts_are_answered_in_the_same_words(shop: Any, recorded: Any, mutation: str) -> None:
    assert recorded.missing(mutation, PROVOKE[mutation](shop), EXCUSED) == []


def test_buying_any_product_or_getting_any_is_refused_in_recorded_words(shop: Any) -> None:
    value = bxgy()
    value["customerBuys"]["items"] = value["customerGets"]["items"] = ALL
    errors = shop.errors("discountCodeBxgyCreate", {"bxgyCodeDiscount": {**value, "title": ""}})
    assert [(it["field"][1:], it["message"], it["code"]) for it in errors] == [
        (["customerGets"], "Items in 'customer get' cannot be set to all", "INVALID"),
        (["title"], "Title can't be blank", "BLANK"),
        (["customerBuys", "items"], "Items in 'customer buys' must be defined", "BLANK"),
    ]

"""The packaged Magento mappings for what a shop is besides its catalogue, over the demo's rows and over hard cases."""

import json
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.mappings.mapping import Mapping
from graftport_dagster.mappings.registry import text_of
from graftport_dagster.migration import Migration, read_migration
from graftport_dagster.records import JsonObject, ResourceType, SourceRecord
from graftport_dagster.shopify.payload import check
from graftport_dagster.simulator.magento.shop import Shop
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.opening import open_source

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "demo.yaml"
NOW = "2026-06-01T12:00:00Z"
TYPES = tuple(ResourceType)
SETTINGS = {"currency": "EUR", "customer_ids": "email", "time_zone": "Europe/Berlin"}


def packaged(resource_type: ResourceType) -> Mapping:
    migration = Migration(slug="m", folder=Path("/nowhere"), source=FilesSettings(platform="magento"))
    return Mapping.compile(text_of(migration, resource_type).text, name=f"{resource_type}.jsonata")


MAPPINGS = {resource_type: packaged(resource_type) for resource_type in TYPES}


def mapped(resource_type: ResourceType, row: JsonObject, **settings: Any) -> tuple[JsonObject, list[str]]:
    """The checked envelope and the codes of the warnings; an excluded record as it is."""
    bindings = {"settings": settings, "publications": ["Online Store"], "platform": "magento", "now": NOW}
    found = MAPPINGS[resource_type].evaluate(row, bindings, record_id="1")
    codes = [code for code, _ in found.warnings]
    if found.value.get("exclude"):
        return found.value, codes
    envelope, problems = check(resource_type, found.value)
    assert problems == []
    return envelope, codes


def demo(resource_type: ResourceType) -> dict[str, JsonObject]:
    source = open_source(read_migration(DEMO))
    given = list(source.read(resource_type, None))
    source.close()
    assert all(isinstance(record, SourceRecord) for record in given)
    return {record.source_id: record.payload for record in given if isinstance(record, SourceRecord)}


@pytest.mark.parametrize("resource_type", TYPES)
def test_packaged_mappings_have_nothing_to_remark_on(resource_type: ResourceType) -> None:
    assert MAPPINGS[resource_type].remarks == ()


@pytest.mark.parametrize("resource_type", TYPES)
def test_every_row_of_the_demo_is_mapped_or_left_out_with_a_reason(resource_type: ResourceType) -> None:
    rows = demo(resource_type)
    assert rows
    for row in rows.values():
        envelope, _ = mapped(resource_type, row, **SETTINGS)
        assert not envelope.get("exclude") or envelope["exclude_reason"]


def order_total(envelope: JsonObject) -> int:
    """In cents, as Shopify reckons it."""

    def cents(bag: Any) -> int:
        return round(float(bag.get("presentmentMoney", bag["shopMoney"])["amount"]) * 100)

    given = envelope["input"]
    lines = sum(cents(line["priceSet"]) * int(line["quantity"]) for line in given["lineItems"])
    shipping = sum(cents(line["priceSet"]) for line in given.get("shippingLines", ()))
    code: Any = given.get("discountCode", {}).get("itemFixedDiscountCode")
    discount = cents(code["amountSet"]) if code else 0
    taxed = [*given["lineItems"], *given.get("shippingLines", ())]
    taxes = sum(cents(tax["priceSet"]) for line in taxed for tax in line.get("taxLines") or ())
    return lines + shipping - discount + (0 if given["taxesIncluded"] else taxes)


def test_the_demos_orders_cost_what_they_cost() -> None:
    for row in demo(ResourceType.ORDERS).values():
        envelope, codes = mapped(ResourceType.ORDERS, row, **SETTINGS)
        assert codes == []
        assert order_total(envelope) == round(float(row["grand_total"]) * 100)
        paid = sum(float(one["amountSet"]["shopMoney"]["amount"]) for one in envelope["input"]["transactions"])
        assert paid == float(row["total_paid"])


def test_a_refunded_order_names_its_own_lines_and_its_payment() -> None:
    envelope, _ = mapped(ResourceType.ORDERS, demo(ResourceType.ORDERS)["000000104"], **SETTINGS)
    (refund,) = envelope["refunds"]
    own = {"resource_type": "orders", "source_id": "000000104"}
    assert refund["refundLineItems"][0]["lineItemId"] == {"$ref": {**own, "part": "line_item", "part_id": "5"}}
    assert refund["transactions"][0]["parentId"] == {"$ref": {**own, "part": "transaction", "part_id": "payment"}}
    assert envelope["parts"] == {
        "line_item": ["5"], "transaction": ["payment"], "refund": ["000000104"], "fulfillment": ["000000104"],
    }  # fmt: skip
    assert envelope["fulfillments"][0]["trackingInfo"] == {"company": "Parcel", "numbers": ["NH000000104X"]}
    assert envelope["options"] == {
        "inventoryBehaviour": "BYPASS", "sendReceipt": False, "sendFulfillmentReceipt": False,
    }  # fmt: skip


def order(**fields: Any) -> JsonObject:
    """An order as the REST API gives it: net prices, tax beside them, two currencies."""
    line = {
        "item_id": 7, "sku": "A-S", "name": "A", "product_type": "configurable", "product_sku": "A", "qty_ordered": 2,
        "price": 10, "base_price": 12, "price_incl_tax": 11.9, "base_price_incl_tax": 14.28, "row_total": 20,
        "tax_amount": 3.8, "base_tax_amount": 4.56, "tax_percent": 19,
    }  # fmt: skip
    child = {"item_id": 8, "parent_item_id": 7, "sku": "A-S", "qty_ordered": 2, "price": 0}
    address = {
        "firstname": "Ann",
        "lastname": "Lee",
        "street": ["Main St 1", "Floor 2"],
        "city": "Austin",
        "country_id": "US",
        "region_code": "TX",
        "region": "Texas",
        "postcode": "73301",
        "telephone": "5125550101",
    }
    whole = {
        "entity_id": 9, "increment_id": "000000009", "state": "complete", "status": "complete",
        "created_at": "2024-01-31 10:20:30", "updated_at": "2024-02-01 00:00:00", "customer_id": 3,
        "customer_is_guest": 0, "customer_email": "ann@example.com", "base_currency_code": "EUR",
        "order_currency_code": "CHF", "items": [line, child], "billing_address": address,
        "shipping_amount": 5, "base_shipping_amount": 6, "shipping_tax_amount": 0.95, "base_shipping_tax_amount": 1.14,
        "shipping_description": "Flat Rate", "tax_amount": 4.75, "discount_amount": -2, "base_discount_amount": -2.4,
        "coupon_code": "SAVE2", "grand_total": 27.75, "total_paid": 27.75, "base_total_paid": 33.3,
        "base_to_order_rate": 0.8333, "base_grand_total": 33.3,
        "payment": {"method": "checkmo"}, "extension_attributes": {"shipping_assignments": [{"shipping": {
            "address": address, "method": "flatrate_flatrate"}}]},
    }  # fmt: skip
    return whole | fields


def test_an_order_in_another_currency_has_both_and_reconciles_to_the_cent() -> None:
    envelope, codes = mapped(ResourceType.ORDERS, order())
    assert codes == []
    assert order_total(envelope) == 2775
    given = envelope["input"]
    assert (given["currency"], given["presentmentCurrency"], given["taxesIncluded"]) == ("EUR", "CHF", False)
    (line,) = given["lineItems"]
    assert line["priceSet"] == {
        "shopMoney": {"amount": "12.00", "currencyCode": "EUR"},
        "presentmentMoney": {"amount": "10.00", "currencyCode": "CHF"},
    }
    assert line["variantId"]["$ref"] == {
        "resource_type": "products", "source_id": "A", "part": "variant", "part_id": "A-S",
    }  # fmt: skip
    assert given["customer"] == {"toAssociate": {"id": {"$ref": {"resource_type": "customers", "source_id": "3"}}}}
    assert given["processedAt"] == "2024-01-31T10:20:30Z"
    assert given["shippingAddress"] == {
        "firstName": "Ann", "lastName": "Lee", "address1": "Main St 1", "address2": "Floor 2", "city": "Austin",
        "zip": "73301", "countryCode": "US", "provinceCode": "TX", "phone": "+15125550101",
    }  # fmt: skip


def test_a_shop_with_prices_that_hold_the_tax_is_found_out() -> None:
    line = {
        "item_id": 1,
        "sku": "B",
        "product_sku": "B",
        "name": "B",
        "qty_ordered": 3,
        "price": 8.3950,
        "price_incl_tax": 9.99,
        "row_total": 25.18,
        "row_total_incl_tax": 29.97,
        "tax_amount": 4.79,
        "tax_percent": 19,
    }
    row = order(
        items=[line], order_currency_code="EUR", shipping_amount=4.2, shipping_incl_tax=5, shipping_tax_amount=0.8,
        tax_amount=5.59, discount_amount=0, coupon_code=None, grand_total=34.97, total_paid=34.97,
    )  # fmt: skip
    envelope, codes = mapped(ResourceType.ORDERS, row)
    assert codes == []
    assert envelope["input"]["taxesIncluded"] is True
    assert order_total(envelope) == 3497


def test_a_discount_of_prices_that_hold_the_tax_tells_so_where_no_price_does() -> None:
    """45.00 holds 7.50 of tax, and 37.50 is as whole a price as any."""
    row = next(
        it for it in Shop.made(1, products=60, customers=60, orders=399).lists["orders"] if it["entity_id"] == 399
    )
    assert [it["price"] for it in row["items"] if it["tax_percent"]] == [37.5]
    envelope, warned = mapped(ResourceType.ORDERS, row)
    assert envelope["input"]["taxesIncluded"] is True
    assert order_total(envelope) == round(row["grand_total"] * 100)
    assert "TOTAL_DIFFERS" not in warned


def test_an_order_that_does_not_add_up_says_by_how_much() -> None:
    bindings = {"settings": {}, "publications": [], "platform": "magento", "now": NOW}
    found = MAPPINGS[ResourceType.ORDERS].evaluate(order(grand_total=27.76), bindings, record_id="9")
    assert [(code, "difference is 0.01" in text) for code, text in found.warnings] == [("TOTAL_DIFFERS", True)]


@pytest.mark.parametrize(("quantity", "total", "said"), [(1, 5.13, []), (2, 10.25, ["-0.01."])])
def test_half_a_cent_of_a_price_is_reckoned_as_it_is_sent(quantity: int, total: float, said: list[str]) -> None:
    line = {"item_id": 1, "sku": "B", "product_sku": "B", "name": "B", "qty_ordered": quantity, "price": 5.125}
    row = order(
        items=[line], order_currency_code="EUR", shipping_description=None, shipping_amount=0, tax_amount=0,
        shipping_tax_amount=0, discount_amount=0, coupon_code=None, grand_total=total, total_paid=total,
    )  # fmt: skip
    bindings = {"settings": {"taxes_included": False}, "publications": [], "platform": "magento", "now": NOW}
    found = MAPPINGS[ResourceType.ORDERS].evaluate(row, bindings, record_id="9")
    assert [text.partition("difference is ")[2] for _, text in found.warnings] == said


def test_a_line_whose_product_is_gone_is_a_custom_line() -> None:
    row = order()
    del row["items"][0]["product_sku"]
    envelope, codes = mapped(ResourceType.ORDERS, row)
    assert codes == ["PRODUCT_GONE"]
    assert "variantId" not in envelope["input"]["lineItems"][0]
    assert envelope["input"]["lineItems"][0]["title"] == "A"


@pytest.mark.parametrize(
    ("told", "card", "credit"),
    [({"base_gift_cards_amount": 18, "base_customer_balance_amount": 6}, "18.00", "6.00"), ({}, "18.75", "6.25")],
)
def test_gift_cards_and_store_credit_are_payments_in_both_currencies(told: JsonObject, card: str, credit: str) -> None:
    row = order(grand_total=7.75, total_paid=7.75, base_to_order_rate="0.8000")
    row["extension_attributes"] |= {"gift_cards_amount": 15, "customer_balance_amount": 5, **told}
    envelope, codes = mapped(ResourceType.ORDERS, row)
    assert codes == []
    paid = {one["gateway"]: one["amountSet"] for one in envelope["input"]["transactions"]}
    assert paid["checkmo"]["shopMoney"] == {"amount": "33.30", "currencyCode": "EUR"}
    assert paid["gift_card"] == {
        "shopMoney": {"amount": card, "currencyCode": "EUR"},
        "presentmentMoney": {"amount": "15.00", "currencyCode": "CHF"},
    }
    assert paid["store_credit"] == {
        "shopMoney": {"amount": credit, "currencyCode": "EUR"},
        "presentmentMoney": {"amount": "5.00", "currencyCode": "CHF"},
    }


def test_an_order_without_a_rate_is_kept_in_the_currency_that_was_paid_and_says_so() -> None:
    envelope, codes = mapped(ResourceType.ORDERS, order(base_to_order_rate=None, base_grand_total=None))
    assert codes == ["RATE_UNKNOWN"]
    given = envelope["input"]
    assert (given["currency"], given["presentmentCurrency"]) == ("CHF", "CHF")
    assert given["lineItems"][0]["priceSet"] == {"shopMoney": {"amount": "10.00", "currencyCode": "CHF"}}


def test_credit_memos_refund_the_invoice_they_belong_to() -> None:
    invoices = [
        {
            "entity_id": number,
            "increment_id": f"I{number}",
            "state": 2,
            "grand_total": 10,
            "base_grand_total": 12,
            "created_at": "2024-01-31 11:00:00",
        }
        for number in (1, 2)
    ]
    memo = {"increment_id": "C1", "invoice_id": 2, "created_at": "2024-03-01 08:00:00", "grand_total": 10,
            "shipping_amount": 0, "adjustment_positive": 1, "adjustment_negative": 0, "comments": [],
            "items": [{"order_item_id": 7, "qty": 1}, {"order_item_id": 8, "qty": 1}]}  # fmt: skip
    row = order(invoices=invoices, creditmemos=[memo], grand_total=20, total_paid=20, items=order()["items"])
    bindings = {"settings": {}, "publications": [], "platform": "magento", "now": NOW}
    envelope, problems = check(
        ResourceType.ORDERS, MAPPINGS[ResourceType.ORDERS].evaluate(row, bindings, record_id="9").value
    )
    assert problems == []
    (refund,) = envelope["refunds"]
    assert envelope["parts"]["transaction"] == ["invoice-I1", "invoice-I2"]
    assert refund["transactions"][0]["parentId"]["$ref"]["part_id"] == "invoice-I2"
    assert [line["quantity"] for line in refund["refundLineItems"]] == [1]
    assert refund["discrepancyReason"] == "OTHER"
    assert refund["processedAt"] == "2024-03-01T08:00:00Z"


def test_a_customer_of_the_rest_api_keeps_addresses_consent_group_and_notes() -> None:
    row = {
        "id": 3, "group_id": 2, "group_code": "Wholesale", "email": "ann@example.com", "firstname": "Ann",
        "middlename": "B.", "lastname": "Lee", "created_at": "2020-01-01 00:00:00", "dob": "1990-02-03",
        "taxvat": "ATU1", "custom_attributes": [{"attribute_code": "note", "value": "Rings twice"}],
        "extension_attributes": {"is_subscribed": True},
        "addresses": [
            {"id": 1, "firstname": "Ann", "lastname": "Lee", "street": ["A 1"], "city": "Wien", "country_id": "AT",
             "postcode": "1010", "telephone": "01 234567", "region": {"region_code": "WI", "region": "Wien"}},
            {"id": 2, "firstname": "Ann", "lastname": "Lee", "street": ["B 2"], "city": "Milano", "country_id": "IT",
             "postcode": "20121", "telephone": "x", "region": {"region_code": "MI", "region": "Milano"},
             "default_shipping": True},
        ],
    }  # fmt: skip
    envelope, codes = mapped(ResourceType.CUSTOMERS, row, tax_exempt_groups=["Wholesale"])
    given = envelope["input"]
    assert codes == ["BAD_PHONE"]
    assert envelope["parts"] == {"address": ["2", "1"]}
    assert [(one["countryCode"], one.get("provinceCode"), one.get("phone")) for one in given["addresses"]] == [
        ("IT", "MI", None),
        ("AT", None, "+431234567"),
    ]
    assert (given["firstName"], given["tags"], given["taxExempt"]) == ("Ann B.", ["Wholesale"], True)
    assert given["note"] == "Rings twice"
    assert envelope["emailMarketingConsent"] == {
        "marketingState": "SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN",
        "consentUpdatedAt": "2020-01-01T00:00:00Z",
    }  # fmt: skip
    row["extension_attributes"] = {"is_subscribed": False}
    unsubscribed, _ = mapped(ResourceType.CUSTOMERS, row)
    assert unsubscribed["emailMarketingConsent"]["marketingState"] == "UNSUBSCRIBED"
    left, _ = mapped(ResourceType.CUSTOMERS, row, send_unsubscribed=False)
    assert "emailMarketingConsent" not in left


def rule(**fields: Any) -> JsonObject:
    whole = {
        "rule_id": 1,
        "name": "Sale",
        "is_active": True,
        "coupon_type": "SPECIFIC_COUPON",
        "simple_action": "by_percent",
        "discount_amount": 10,
        "uses_per_coupon": 0,
        "uses_per_customer": 0,
        "times_used": 0,
        "simple_free_shipping": "0",
        "customer_groups": ["NOT LOGGED IN", "General"],
        "coupons": [{"code": "SALE"}],
    }
    return whole | fields


def discount(**fields: Any) -> tuple[JsonObject, list[str]]:
    return mapped(ResourceType.DISCOUNT_CODES, rule(**fields), time_zone="Europe/Berlin")


def test_rules_become_the_kinds_of_discounts_that_shopify_has() -> None:
    percent, _ = discount()
    each, _ = discount(simple_action="by_fixed", discount_amount=5)
    cart, _ = discount(simple_action="cart_fixed", discount_amount=5)
    free, _ = discount(simple_free_shipping="2", discount_amount=0)
    values = [one["input"]["basicCodeDiscount"]["customerGets"]["value"] for one in (percent, each, cart)]
    assert values == [
        {"percentage": 0.1},
        {"discountAmount": {"amount": "5.00", "appliesOnEachItem": True}},
        {"discountAmount": {"amount": "5.00", "appliesOnEachItem": False}},
    ]
    assert free["input"]["freeShippingCodeDiscount"]["combinesWith"]["shippingDiscounts"] is False


def test_buy_x_get_y_names_its_products_or_is_left_out() -> None:
    condition = {"conditions": [{"attribute_name": "sku", "operator": "()", "value": "A, B"}]}
    given, _ = discount(
        simple_action="buy_x_get_y", discount_amount=1, discount_step=2, action_condition=condition
    )  # fmt: skip
    bxgy = given["input"]["bxgyCodeDiscount"]
    assert bxgy["customerBuys"]["value"] == {"quantity": "2"}
    assert len(bxgy["customerGets"]["items"]["products"]["productsToAdd"]) == 2
    left, _ = discount(simple_action="buy_x_get_y", discount_amount=1)
    assert left["exclude_reason"].startswith("Buy X get Y of any product")


def test_minimums_limits_dates_and_many_codes_are_kept() -> None:
    conditions = {"conditions": [
        {"attribute_name": "base_subtotal", "operator": ">=", "value": "60"},
        {"conditions": [{"attribute_name": "category_ids", "operator": "==", "value": "4"}]},
        {"attribute_name": "weight", "operator": "<", "value": "9"},
    ]}  # fmt: skip
    envelope, codes = discount(
        condition=conditions, from_date="2026-01-01", to_date="2026-01-31", uses_per_coupon=10, times_used=4,
        uses_per_customer=1, coupons=[{"code": "A"}, {"code": "B"}, {"code": "C"}, {"code": "D", "usage_limit": 10,
        "times_used": 10}], stop_rules_processing=True,
    )  # fmt: skip
    given = envelope["input"]["basicCodeDiscount"]
    assert codes == ["CONDITIONS_LEFT"]
    assert (given["code"], envelope["codes"]) == ("A", ["B", "C"])
    assert (given["startsAt"], given["endsAt"]) == ("2025-12-31T23:00:00Z", "2026-01-31T22:59:59Z")
    assert given["minimumRequirement"] == {"subtotal": {"greaterThanOrEqualToSubtotal": "60.00"}}
    assert given["customerGets"]["items"]["collections"] == {
        "add": [{"$ref": {"resource_type": "collections", "source_id": "4"}}]
    }
    assert (given["usageLimit"], given["appliesOncePerCustomer"]) == (10, True)
    assert set(given["combinesWith"].values()) == {False}


def test_cells_of_a_table_that_hold_nothing_limit_nothing() -> None:
    for nothing in (None, ""):
        cells = dict.fromkeys(("times_used", "uses_per_coupon", "uses_per_customer", "to_date"), nothing)
        envelope, codes = discount(**cells)
        assert "usageLimit" not in envelope["input"]["basicCodeDiscount"]
        assert codes == []
    limited, _ = discount(uses_per_coupon="10", times_used=None)
    assert limited["input"]["basicCodeDiscount"]["usageLimit"] == 10


def test_a_last_day_at_the_end_of_time_is_no_end() -> None:
    envelope, _ = discount(to_date="9999-12-31", from_date="2026-01-01")
    assert "endsAt" not in envelope["input"]["basicCodeDiscount"]


def test_a_discount_for_one_group_never_becomes_everyones() -> None:
    left, _ = discount(customer_groups=["Wholesale"])
    assert "customer_segments" in left["exclude_reason"]
    segment = "gid://shopify/Segment/1"
    kept, _ = mapped(
        ResourceType.DISCOUNT_CODES, rule(customer_groups=["Wholesale"]), customer_segments={"Wholesale": segment}
    )
    selection = kept["input"]["basicCodeDiscount"]["customerSelection"]
    assert selection == {"customerSegments": {"add": [segment]}}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"coupon_type": "NO_COUPON"}, "without a code"), ({"is_active": False}, "Not active"),
        ({"coupons": []}, "no coupon yet"),
        ({"coupons": [{"code": "A", "usage_limit": 1, "times_used": 1}]}, "Used up"), ({"uses_per_coupon": 5,
        "times_used": 5}, "Used up"),
    ],
)  # fmt: skip
def test_what_shopify_could_not_honour_is_left_out_with_a_reason(fields: JsonObject, reason: str) -> None:
    assert reason in discount(**fields)[0]["exclude_reason"]


def test_what_was_spent_of_a_gift_card_is_debited() -> None:
    row = {
        "giftcardaccount_id": 1,
        "code": "ABCD-EFGH-1234",
        "status": 0,
        "balance": "17.50",
        "initial_amount": "50",
        "date_expires": "2028-12-31",
        "base_currency_code": "EUR",
        "customer_id": 3,
        "recipient_name": "Ann",
    }
    envelope, codes = mapped(ResourceType.GIFT_CARDS, row)
    assert codes == []
    assert envelope["input"]["code"] == "ABCDEFGH1234"
    assert envelope["input"]["initialAmount"] == {"amount": "50.00", "currencyCode": "EUR"}
    assert envelope["debit"]["debitAmount"]["amount"] == "32.50"
    assert envelope["deactivate"] is True
    assert mapped(ResourceType.GIFT_CARDS, row | {"base_currency_code": None})[1] == ["CURRENCY_ASSUMED"]


def test_a_page_is_a_page_and_magentos_own_are_left_out() -> None:
    page = {"id": 5, "identifier": "about-us", "title": "About us", "content_heading": "Us", "active": True,
            "content": '<p><img src="{{media url="wysiwyg/a.jpg"}}"></p>', "meta_title": "About"}  # fmt: skip
    envelope, _ = mapped(
        ResourceType.BLOGS, page, media_base_url="https://shop.example/media/catalog/product",
        image_addresses={"https://shop.example/media/": "https://cdn.example/"},
    )  # fmt: skip
    assert envelope["content_type"] == "page"
    assert envelope["input"]["body"] == '<h1>Us</h1>\n<p><img src="https://cdn.example/wysiwyg/a.jpg"></p>'
    assert mapped(ResourceType.BLOGS, page | {"identifier": "home"})[0]["exclude"] is True


def test_a_website_is_a_market_with_its_countries_currency_and_languages() -> None:
    site = {"id": 2, "code": "ch", "name": "Switzerland", "countries": ["CH", "LI"], "is_default": False,
            "store_views": [{"code": "ch_de", "config": {"locale": "de_CH", "base_currency_code": "CHF"}},
                            {"code": "ch_fr", "config": {"locale": "fr_CH", "base_currency_code": "CHF"}}]}  # fmt: skip
    envelope, _ = mapped(ResourceType.MARKETS, site)
    given = envelope["input"]
    assert [one["countryCode"] for one in given["conditions"]["regionsCondition"]["regions"]] == ["CH", "LI"]
    assert given["currencySettings"]["baseCurrency"] == "CHF"
    assert envelope["webPresences"] == [
        {"defaultLocale": "de", "alternateLocales": ["fr"], "subfolderSuffix": "ch"}
    ]  # fmt: skip
    assert "webPresences" not in mapped(ResourceType.MARKETS, site | {"is_default": True})[0]
    assert mapped(ResourceType.MARKETS, site | {"countries": []})[0]["exclude"] is True


def test_payloads_are_json(tmp_path: Path) -> None:
    for resource_type in TYPES:
        for row in demo(resource_type).values():
            envelope, _ = mapped(resource_type, row, **SETTINGS)
            assert json.loads(json.dumps(envelope)) == envelope


def test_an_order_that_nobody_has_paid_is_pending_and_a_free_one_is_paid() -> None:
    row = next(iter(demo(ResourceType.ORDERS).values()))
    unpaid = {**row, "state": "new", "total_paid": None, "payment": {"method": "banktransfer"}, "creditmemos": []}
    assert mapped(ResourceType.ORDERS, unpaid, **SETTINGS)[0]["input"]["financialStatus"] == "PENDING"
    free = {**unpaid, "grand_total": "0.0000"}
    assert mapped(ResourceType.ORDERS, free, **SETTINGS)[0]["input"]["financialStatus"] == "PAID"

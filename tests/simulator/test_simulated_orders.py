"""Orders of the simulated shop: written whole, added up to the cent, found, and hardly changed."""

from collections.abc import Callable
from typing import Any

ORDER = (
    "id name email note tags closed cancelledAt processedAt createdAt sourceIdentifier displayFinancialStatus "
    "displayFulfillmentStatus customer { id email } discountCodes paymentGatewayNames "
    "subtotalPriceSet { shopMoney { amount } } totalShippingPriceSet { shopMoney { amount } } "
    "totalTaxSet { shopMoney { amount } } totalDiscountsSet { shopMoney { amount } } "
    "totalPriceSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } } "
    "totalOutstandingSet { shopMoney { amount } } netPaymentSet { shopMoney { amount } } "
    "taxLines { title rate priceSet { shopMoney { amount } } } shippingAddress { city country } "
    "lineItems(first: 9) { nodes { id name sku quantity variant { id } discountedTotalSet { shopMoney { amount } } "
    "taxLines { priceSet { shopMoney { amount } } } } } transactions(first: 9) { id kind status gateway } "
    "metafields(first: 9) { nodes { key value } }"
)


def usd(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}


def line(title: str = "Bag", quantity: int = 1, price: str = "10.00", **more: Any) -> dict[str, Any]:
    return {"title": title, "quantity": quantity, "priceSet": usd(price), "requiresShipping": True, **more}


def tax(amount: str, rate: str = "0.1") -> dict[str, Any]:
    return {"title": "VAT", "rate": rate, "priceSet": usd(amount)}


def sale(amount: str, **more: Any) -> dict[str, Any]:
    return {"kind": "SALE", "status": "SUCCESS", "gateway": "checkmo", "amountSet": usd(amount), **more}


def create(shop: Any, options: dict[str, Any] | None = None, **given: Any) -> Any:
    variables: dict[str, Any] = {"order": {"lineItems": [line()], **given}}
    if options is not None:
        variables["options"] = options
    payload = shop.mutate("orderCreate", variables, f"order {{ {ORDER} }} userErrors {{ field message code }}")
    assert payload["userErrors"] == [], payload
    return payload["order"]


def amounts(order: Any, *names: str) -> list[str]:
    return [order[f"{name}Set"]["shopMoney"]["amount"] for name in names]


def test_an_order_is_added_up_to_the_cent(shop: Any) -> None:
    order = create(
        shop,
        lineItems=[line(quantity=3, price="9.99", taxLines=[tax("3.00")]), line("Cap", price="0.02")],
        shippingLines=[{"title": "Flat", "priceSet": usd("5.00"), "taxLines": [tax("0.50")]}],
        discountCode={"itemFixedDiscountCode": {"code": "H20", "amountSet": usd("10.00")}},
        transactions=[sale("28.49")],
    )
    names = ("subtotalPrice", "totalShippingPrice", "totalTax", "totalDiscounts", "totalPrice", "totalOutstanding")
    assert amounts(order, *names) == ["19.99", "5.0", "3.5", "10.0", "28.49", "0.0"]
    assert order["displayFinancialStatus"] == "PAID"
    assert [it["discountedTotalSet"]["shopMoney"]["amount"] for it in order["lineItems"]["nodes"]] == ["19.98", "0.01"]
    assert order["discountCodes"] == ["H20"]


def test_a_discount_is_shared_out_without_losing_a_cent(shop: Any) -> None:
    lines = [line(f"Item {index}", price="3.33") for index in range(3)]
    code = {"itemFixedDiscountCode": {"code": "X", "amountSet": usd("0.10")}}
    order = create(shop, lineItems=lines, discountCode=code)
    assert amounts(order, "subtotalPrice", "totalDiscounts") == ["9.89", "0.1"]
    part = create(shop, lineItems=lines, discountCode={"itemPercentageDiscountCode": {"code": "X", "percentage": 50.0}})
    assert amounts(part, "subtotalPrice", "totalDiscounts") == ["4.98", "5.01"]
    free = create(
        shop, shippingLines=[{"title": "Flat", "priceSet": usd("5.00")}],
        discountCode={"freeShippingDiscountCode": {"code": "X"}},
    )  # fmt: skip
    assert amounts(free, "totalShippingPrice", "totalDiscounts", "totalPrice") == ["5.0", "5.0", "10.0"]


def test_taxes_of_the_whole_order_are_split_over_its_taxable_lines(shop: Any) -> None:
    lines = [line(price="10.00"), line("Cap", price="20.00"), line("Voucher", price="5.00", taxable=False)]
    order = create(shop, lineItems=lines, taxLines=[tax("3.00")])
    shown = [[one["priceSet"]["shopMoney"]["amount"] for one in it["taxLines"]] for it in order["lineItems"]["nodes"]]
    assert shown == [["1.0"], ["2.0"], []]
    assert order["taxLines"] == [{"title": "VAT", "rate": 0.1, "priceSet": {"shopMoney": {"amount": "3.0"}}}]
    assert amounts(order, "totalPrice") == ["38.0"]
    assert amounts(create(shop, taxLines=[tax("1.00")], taxesIncluded=True), "totalPrice") == ["10.0"]


def test_both_currencies_are_kept(shop: Any) -> None:
    price = {**usd("10.00"), "presentmentMoney": {"amount": "9.00", "currencyCode": "EUR"}}
    order = create(shop, lineItems=[{**line(quantity=2), "priceSet": price}], presentmentCurrency="EUR")
    assert order["totalPriceSet"] == {
        "shopMoney": {"amount": "20.0", "currencyCode": "USD"},
        "presentmentMoney": {"amount": "18.0", "currencyCode": "EUR"},
    }


def test_an_amount_in_another_currency_than_the_order_s_is_refused(shop: Any) -> None:
    francs = {"amount": "9.00", "currencyCode": "CHF"}
    given = {
        "presentmentCurrency": "EUR",
        "lineItems": [{**line(), "priceSet": {**usd("10.00"), "presentmentMoney": francs}}],
        "transactions": [{**sale("9.00"), "amountSet": {"shopMoney": francs}}],
    }  # fmt: skip
    payload = shop.mutate("orderCreate", {"order": given}, "order { id } userErrors { field code }")
    assert [it["field"] for it in payload["userErrors"]] == [
        ["order", "lineItems", "0", "priceSet", "presentmentMoney", "currencyCode"],
        ["order", "transactions", "0", "amountSet", "shopMoney", "currencyCode"],
    ]
    own = {"shopMoney": francs}
    order = create(shop, currency="CHF", lineItems=[{**line(), "priceSet": own}])
    assert order["totalPriceSet"]["shopMoney"] == {"amount": "9.0", "currencyCode": "CHF"}


def test_what_was_paid_says_how_far_an_order_is_paid(shop: Any) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None), ({"transactions": [sale("4.00")]}, "PARTIALLY_PAID"),
        ({"financialStatus": "PENDING"}, "PENDING"),
        ({"transactions": [sale("10.00", kind="AUTHORIZATION")]}, "AUTHORIZED"),
        ({"transactions": [sale("10.00", status="FAILURE")]}, "PENDING"),
        ({"transactions": [sale("10.00"), sale("4.00", kind="REFUND")]}, "PARTIALLY_REFUNDED"),
        ({"financialStatus": "VOIDED"}, "VOIDED"),
    ]  # fmt: skip
    for given, status in cases:
        assert create(shop, **given)["displayFinancialStatus"] == status, given


def test_the_id_metafield_makes_an_order_unique_and_found_at_once(shop: Any) -> None:
    shop.define("ORDER")
    metafields = [{"namespace": "graftport", "key": "source_id", "type": "id", "value": "magento:1"}]
    made = create(shop, metafields=metafields, name="#000000001", sourceIdentifier="magento:1")
    second = {"lineItems": [line()], "metafields": metafields}
    refused = shop.errors("orderCreate", {"order": second})
    assert refused[0]["field"] == ["order", "metafields", "0", "value"]
    assert len(shop.control("objects?type=Order")) == 1
    query = "query($it: OrderIdentifierInput!) { orderByIdentifier(identifier: $it) { id } }"
    custom = {"customId": {"namespace": "graftport", "key": "source_id", "value": "magento:1"}}
    for identifier in (custom, {"id": made["id"]}):
        assert shop.data(query, {"it": identifier})["orderByIdentifier"] == {"id": made["id"]}
    search = "query($q: String!) { orders(first: 9, query: $q) { nodes { id } } }"
    for text in ("name:'#000000001'", "name:000000001", "source_identifier:'magento:1'"):
        assert shop.data(search, {"q": text})["orders"]["nodes"] == [{"id": made["id"]}]


def test_search_learns_of_an_order_later(open_shop: Callable[..., Any]) -> None:
    shop = open_shop("--search-lag-seconds", "60")
    create(shop, sourceIdentifier="magento:1")
    query = "{ orders(first: 9, query: \"source_identifier:'magento:1'\") { nodes { id } } }"
    assert shop.data(query)["orders"]["nodes"] == []


def test_a_customer_is_associated_or_made(shop: Any) -> None:
    customer = {"toUpsert": {"email": "ada@example.com", "firstName": "Ada"}}
    made = create(shop, customer=customer)
    assert made["email"] == made["customer"]["email"] == "ada@example.com"
    gid = made["customer"]["id"]
    assert create(shop, customer={"toAssociate": {"id": gid}})["customer"]["id"] == gid
    shown = shop.data(
        "query($id: ID!) { customer(id: $id) { numberOfOrders amountSpent { amount } canDelete } }", {"id": gid}
    )["customer"]
    assert shown == {"numberOfOrders": "2", "amountSpent": {"amount": "0.0"}, "canDelete": False}
    assert "associated orders" in shop.errors("customerDelete", {"input": {"id": gid}}, codes=False)[0]["message"]
    missing = {"lineItems": [line()], "customer": {"toAssociate": {"id": "gid://shopify/Customer/1"}}}
    assert shop.errors("orderCreate", {"order": missing})[0]["field"] == ["order", "customer", "toAssociate", "id"]


def test_what_is_authorized_is_not_outstanding(shop: Any) -> None:
    assert amounts(create(shop, transactions=[sale("10.00", kind="AUTHORIZATION")]), "totalOutstanding") == ["0.0"]


def test_an_order_with_a_mail_address_alone_is_its_customers_who_is_made_where_there_is_none(shop: Any) -> None:
    guest = create(shop, email="Guest@example.com")
    assert guest["customer"]["email"] == "guest@example.com"
    assert create(shop, email="guest@example.com")["customer"] == guest["customer"]
    assert create(shop)["customer"] is None


def test_nobody_is_made_of_an_id_that_is_not_there(shop: Any) -> None:
    customer = {"toUpsert": {"id": "gid://shopify/Customer/1", "firstName": "Ada"}}
    refused = shop.errors("orderCreate", {"order": {"lineItems": [line()], "customer": customer}})
    assert refused[0]["field"] == ["order", "customer", "toUpsert", "id"]
    assert shop.control("objects?type=Customer") == []


def test_a_line_takes_what_its_variant_has(shop: Any) -> None:
    product = shop.set_product({"title": "Bag"})
    variant = product["variants"]["nodes"][0]["id"]
    order = create(shop, lineItems=[{"variantId": variant, "quantity": 1, "priceSet": usd("10.00")}])
    assert order["lineItems"]["nodes"][0]["name"] == "Bag"
    assert order["lineItems"]["nodes"][0]["variant"]["id"] == variant


def test_stock_is_claimed_as_asked(shop: Any) -> None:
    here = shop.location()
    values = [{"optionName": "Title", "name": "Default Title"}]
    variant = {
        "optionValues": values, "inventoryItem": {"tracked": True}, "inventoryPolicy": "DENY",
        "inventoryQuantities": [{"locationId": here, "name": "available", "quantity": 2}],
    }  # fmt: skip
    options = [{"name": "Title", "values": [{"name": "Default Title"}]}]
    product = shop.set_product({"title": "Bag", "productOptions": options, "variants": [variant]})
    gid = product["variants"]["nodes"][0]["id"]

    def left() -> int:
        query = "query($id: ID!) { productVariant(id: $id) { inventoryQuantity } }"
        return int(shop.data(query, {"id": gid})["productVariant"]["inventoryQuantity"])

    lines = [line(variantId=gid, quantity=2)]
    create(shop, lineItems=lines)
    assert left() == 2
    create(shop, {"inventoryBehaviour": "DECREMENT_OBEYING_POLICY"}, lineItems=lines)
    assert left() == 0
    variables = {"order": {"lineItems": lines}, "options": {"inventoryBehaviour": "DECREMENT_OBEYING_POLICY"}}
    assert shop.errors("orderCreate", variables)[0]["code"] == "INVENTORY_CLAIM_FAILED"
    create(shop, {"inventoryBehaviour": "DECREMENT_IGNORING_POLICY"}, lineItems=lines)
    assert left() == -2


def test_what_an_order_cannot_be_is_refused(shop: Any) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"lineItems": []}, "INVALID"),
        ({"lineItems": [line(taxLines=[tax("1.00")])], "taxLines": [tax("1.00")]}, "INVALID"),
        ({"customerId": "gid://shopify/Customer/1", "customer": {"toUpsert": {"email": "a@example.com"}}},
         "REDUNDANT_CUSTOMER_FIELDS"),
        ({"lineItems": [line(quantity=0)]}, "INVALID"),
        ({"lineItems": [line(variantId="gid://shopify/ProductVariant/1")]}, "INVALID"),
        ({"lineItems": [{"productId": "gid://shopify/Product/1", "quantity": 1}]}, "INVALID"),
        ({"shippingLines": [{"title": "Flat", "priceSet": usd("-1.00")}]}, "INVALID"),
        ({"lineItems": [line(fulfillmentService="elsewhere")]}, "FULFILLMENT_SERVICE_INVALID"),
    ]  # fmt: skip
    for given, code in cases:
        assert code in {it["code"] for it in shop.errors("orderCreate", {"order": {"lineItems": [line()], **given}})}
    assert shop.control("objects?type=Order") == []


def test_a_time_in_the_future_becomes_now(shop: Any) -> None:
    order = create(shop, processedAt="2999-01-01T00:00:00Z")
    assert order["processedAt"] == order["createdAt"]
    assert create(shop, processedAt="2019-01-01T00:00:00Z")["processedAt"] == "2019-01-01T00:00:00Z"


def test_a_receipt_is_never_sent_and_noted_when_asked_for(shop: Any) -> None:
    create(shop)
    create(shop, {"sendReceipt": True, "sendFulfillmentReceipt": False})
    asked = [it["mails_asked"] for it in shop.control("requests") if it["operation"] == "orderCreate"]
    assert asked == [[], ["order receipt"]]


def test_little_of_an_order_can_be_changed(shop: Any) -> None:
    gid = create(shop, tags=["b", "a"], note="n")["id"]
    metafield = {"namespace": "custom", "key": "kk", "type": "single_line_text_field", "value": "x"}
    change = {"id": gid, "tags": ["c"], "note": "m", "metafields": [metafield]}
    order = shop.mutate("orderUpdate", {"input": change}, f"order {{ {ORDER} }}")["order"]
    assert (order["tags"], order["note"]) == (["c"], "m")
    assert order["metafields"]["nodes"] == [{"key": "kk", "value": "x"}]
    closed = shop.mutate("orderClose", {"input": {"id": gid}}, "order { closed closedAt }")["order"]
    assert closed["closed"]
    assert shop.mutate("orderDelete", {"orderId": gid}, "deletedId")["deletedId"] == gid
    assert shop.control("objects?type=Order") == []


def test_an_order_takes_no_telephone_number_that_is_none(shop: Any) -> None:
    gid = create(shop)["id"]
    errors = shop.errors("orderUpdate", {"input": {"id": gid, "phone": "call me"}}, codes=False)
    assert errors == [{"field": ["phone"], "message": "Phone is invalid"}]
    assert shop.errors("orderUpdate", {"input": {"id": gid, "phone": "+12485551234"}}, codes=False) == []


def test_cancelling_pays_back_and_restocks(shop: Any) -> None:
    order = create(shop, transactions=[sale("10.00")])
    variables = {"orderId": order["id"], "reason": "CUSTOMER", "restock": True, "refund": True}
    assert shop.mutate("orderCancel", variables, "job { done } orderCancelUserErrors { code }") == {
        "job": {"done": True},
        "orderCancelUserErrors": [],
    }
    shown = shop.data(f"query($id: ID!) {{ order(id: $id) {{ {ORDER} }} }}", {"id": order["id"]})["order"]
    assert shown["displayFinancialStatus"] == "REFUNDED"
    assert shown["cancelledAt"] is not None
    assert amounts(shown, "netPayment", "totalOutstanding") == ["0.0", "0.0"]


def test_a_development_store_takes_five_orders_a_minute(open_shop: Callable[..., Any]) -> None:
    shop = open_shop("--plan", "development")
    for _ in range(5):
        create(shop)
    refused = shop.errors("orderCreate", {"order": {"lineItems": [line()]}})
    assert refused == [{"field": None, "message": "Too many attempts. Please try again later.", "code": None}]
    assert len(shop.control("objects?type=Order")) == 5

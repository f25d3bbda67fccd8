"""Fulfilments and refunds of the simulated shop: bounded, counted, and the latter done once per key."""

from typing import Any

REFUND = (
    "mutation R($input: RefundInput!, $key: String!) { refundCreate(input: $input) @idempotent(key: $key) { "
    "refund { id note totalRefundedSet { shopMoney { amount } } "
    "refundLineItems(first: 9) { nodes { quantity restockType lineItem { id } subtotalSet { shopMoney { amount } } } } "
    "transactions(first: 9) { nodes { id kind gateway parentTransaction { id } } } "
    "orderAdjustments(first: 9) { nodes { amountSet { shopMoney { amount } } } } } "
    "order { displayFinancialStatus totalRefundedSet { shopMoney { amount } } "
    "currentTotalPriceSet { shopMoney { amount } } netPaymentSet { shopMoney { amount } } } "
    "userErrors { field message } } }"
)
ORDER = (
    "id displayFulfillmentStatus displayFinancialStatus lineItems(first: 9) { nodes { id unfulfilledQuantity "
    "refundableQuantity } } transactions(first: 9) { id kind } refunds { id note } "
    "fulfillments { id name status trackingInfo { company number url } "
    "fulfillmentLineItems(first: 9) { nodes { quantity lineItem { id } } } } "
    "fulfillmentOrders(first: 9) { nodes { id status lineItems(first: 9) { nodes { id remainingQuantity totalQuantity "
    "lineItem { id } } } } }"
)


def usd(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}


def create(shop: Any, **given: Any) -> Any:
    """Two bags of 10.00 that are shipped and one voucher of 5.00 that is not, all paid."""
    lines = [
        {"title": "Bag", "quantity": 2, "priceSet": usd("10.00"), "requiresShipping": True},
        {"title": "Voucher", "quantity": 1, "priceSet": usd("5.00")},
    ]
    sale = {"kind": "SALE", "status": "SUCCESS", "gateway": "checkmo", "amountSet": usd("25.00")}
    order = {"lineItems": lines, "transactions": [sale], **given}
    payload = shop.mutate("orderCreate", {"order": order}, f"order {{ {ORDER} }} userErrors {{ message }}")
    assert payload["userErrors"] == []
    return payload["order"]


def read(shop: Any, gid: str) -> Any:
    return shop.data(f"query($id: ID!) {{ order(id: $id) {{ {ORDER} }} }}", {"id": gid})["order"]


def fulfil(shop: Any, waiting: dict[str, Any], quantity: int | None = None, **more: Any) -> Any:
    part: dict[str, Any] = {"fulfillmentOrderId": waiting["id"]}
    if quantity is not None:
        line = waiting["lineItems"]["nodes"][0]["id"]
        part["fulfillmentOrderLineItems"] = [{"id": line, "quantity": quantity}]
    given = {"fulfillment": {"lineItemsByFulfillmentOrder": [part], **more}}
    return shop.mutate("fulfillmentCreate", given, "fulfillment { id name } userErrors { field message }")


def refund(shop: Any, order: Any, key: str, **given: Any) -> Any:
    return shop.data(REFUND, {"input": {"orderId": order["id"], **given}, "key": key})["refundCreate"]


def repaid(order: Any, amount: str) -> dict[str, Any]:
    parent = order["transactions"][0]["id"]
    return {"orderId": order["id"], "kind": "REFUND", "gateway": "checkmo", "amount": amount, "parentId": parent}


def test_an_order_waits_to_be_fulfilled_by_what_is_shipped_and_what_is_not(shop: Any) -> None:
    waiting = create(shop)["fulfillmentOrders"]["nodes"]
    shown = [[it["remainingQuantity"] for it in one["lineItems"]["nodes"]] for one in waiting]
    assert shown == [[2], [1]]
    assert {it["status"] for it in waiting} == {"OPEN"}


def test_a_part_is_sent_with_tracking_and_the_rest_later(shop: Any) -> None:
    order = create(shop)
    shipped, other = order["fulfillmentOrders"]["nodes"]
    tracking = {"company": "UPS", "number": "1Z", "url": "https://example.com/1Z"}
    assert fulfil(shop, shipped, 1, trackingInfo=tracking)["userErrors"] == []
    part = read(shop, order["id"])
    assert part["displayFulfillmentStatus"] == "PARTIALLY_FULFILLED"
    assert part["fulfillments"][0]["trackingInfo"] == [tracking]
    assert part["lineItems"]["nodes"][0]["unfulfilledQuantity"] == 1
    for waiting in (shipped, other):
        assert fulfil(shop, waiting)["userErrors"] == []
    whole = read(shop, order["id"])
    assert whole["displayFulfillmentStatus"] == "FULFILLED"
    assert [it["status"] for it in whole["fulfillmentOrders"]["nodes"]] == ["CLOSED", "CLOSED"]
    assert len(whole["fulfillments"]) == 3


def test_no_more_is_sent_than_is_left(shop: Any) -> None:
    order = create(shop)
    shipped = order["fulfillmentOrders"]["nodes"][0]
    invalid = [{"field": ["fulfillment"], "message": "Invalid fulfillment order line item quantity requested."}]
    assert fulfil(shop, shipped, 3)["userErrors"] == invalid
    place = ["fulfillment", "lineItemsByFulfillmentOrder", "0", "fulfillmentOrderLineItems", "0", "quantity"]
    assert fulfil(shop, shipped, 0)["userErrors"] == [{"field": place, "message": "Quantity must be greater than 0"}]
    fulfil(shop, shipped)
    closed = fulfil(shop, shipped)["userErrors"][0]["message"]
    assert closed.endswith("has an unfulfillable status= closed.")
    nowhere = {"id": "gid://shopify/FulfillmentOrder/1", "lineItems": {"nodes": []}}
    assert fulfil(shop, nowhere)["userErrors"][0]["message"] == "Fulfillment order does not exist."
    assert len(read(shop, order["id"])["fulfillments"]) == 1


def test_an_order_may_arrive_sent_already(shop: Any) -> None:
    sent = {
        "locationId": shop.location(),
        "trackingNumber": "1Z",
        "trackingCompany": "UPS",
        "shipmentStatus": "DELIVERED",
    }
    order = create(shop, fulfillment={**sent, "shipmentStatus": "DELIVERED"})
    assert order["displayFulfillmentStatus"] == "FULFILLED"
    assert order["fulfillments"][0]["trackingInfo"] == [{"company": "UPS", "number": "1Z", "url": None}]
    without = create(shop, fulfillmentStatus="FULFILLED")
    assert without["displayFulfillmentStatus"] == "FULFILLED"
    assert without["fulfillments"] == []
    assert {it["status"] for it in without["fulfillmentOrders"]["nodes"]} == {"CLOSED"}


def test_a_fulfillment_is_read_by_its_id(shop: Any) -> None:
    order = create(shop)
    made = fulfil(shop, order["fulfillmentOrders"]["nodes"][0])["fulfillment"]
    query = "query($id: ID!) { fulfillment(id: $id) { name totalQuantity order { id } } }"
    shown = shop.data(query, {"id": made["id"]})["fulfillment"]
    assert shown == {"name": made["name"], "totalQuantity": 2, "order": {"id": order["id"]}}
    assert shop.data(query, {"id": "gid://shopify/Fulfillment/1"})["fulfillment"] is None


def test_a_refund_takes_back_pieces_and_pays_back_money(shop: Any) -> None:
    order = create(shop)
    line = order["lineItems"]["nodes"][0]["id"]
    payload = refund(
        shop, order, "k1", note="broken", refundLineItems=[{"lineItemId": line, "quantity": 1}],
        transactions=[repaid(order, "10.00")],
    )  # fmt: skip
    assert payload["userErrors"] == []
    made = payload["refund"]
    assert made["note"] == "broken"
    assert made["refundLineItems"]["nodes"][0]["subtotalSet"]["shopMoney"]["amount"] == "10.0"
    assert made["transactions"]["nodes"][0]["parentTransaction"]["id"] == order["transactions"][0]["id"]
    assert made["orderAdjustments"]["nodes"] == []
    assert payload["order"]["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert payload["order"]["currentTotalPriceSet"]["shopMoney"]["amount"] == "15.0"
    assert read(shop, order["id"])["lineItems"]["nodes"][0] == {
        "id": line, "unfulfilledQuantity": 1, "refundableQuantity": 1,
    }  # fmt: skip
    query = "query($id: ID!) { refund(id: $id) { note order { id } } }"
    assert shop.data(query, {"id": made["id"]})["refund"] == {"note": "broken", "order": {"id": order["id"]}}


def test_money_alone_is_an_adjustment(shop: Any) -> None:
    order = create(shop)
    payload = refund(shop, order, "k1", transactions=[repaid(order, "3.00")])
    assert payload["refund"]["orderAdjustments"]["nodes"] == [{"amountSet": usd("3.0") | {
        "shopMoney": {"amount": "3.0"}}}]  # fmt: skip
    rest = refund(shop, order, "k2", transactions=[repaid(order, "22.00")])
    assert rest["order"]["displayFinancialStatus"] == "REFUNDED"
    assert rest["order"]["netPaymentSet"]["shopMoney"]["amount"] == "0.0"


def test_no_more_is_refunded_than_there_is(shop: Any) -> None:
    order = create(shop)
    line = order["lineItems"]["nodes"][0]["id"]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"refundLineItems": [{"lineItemId": line, "quantity": 3}]},
         "Quantity cannot refund more items than were purchased"),
        ({"refundLineItems": [{"lineItemId": "gid://shopify/LineItem/1", "quantity": 1}]}, "Line item does not exist"),
        ({"transactions": [repaid(order, "25.01")]},
         "Refund amount $25.01 is greater than net payment received $25.00"),
        ({"transactions": [{**repaid(order, "1.00"), "parentId": "gid://shopify/OrderTransaction/1"}]},
         "Transactions require a parent_id associated with the order"),
        ({"transactions": [{**repaid(order, "1.00"), "kind": "AUTHORIZATION"}]},
         "Kind authorization is not a valid transaction"),
        ({"transactions": [repaid(order, "25.01")], "allowOverRefunding": True},
         "Refund amount $25.01 is greater than net payment received $25.00"),
        ({"shipping": {"amount": "1.00"}}, "Shipping amount cannot be greater than the amount left to refund"),
    ]  # fmt: skip
    for index, (given, message) in enumerate(cases):
        payload = refund(shop, order, f"k{index}", **given)
        assert payload["refund"] is None
        assert [it["message"] for it in payload["userErrors"]] == [message]


def test_money_goes_back_the_way_it_came_whatever_gateway_is_named(shop: Any) -> None:
    order = create(shop)
    payload = refund(shop, order, "k1", transactions=[{**repaid(order, "3.00"), "gateway": "elsewhere"}])
    assert payload["refund"]["transactions"]["nodes"][0]["gateway"] == "checkmo"


def in_francs(dollars: str, francs: str) -> dict[str, Any]:
    return {**usd(dollars), "presentmentMoney": {"amount": francs, "currencyCode": "CHF"}}


def create_in_francs(shop: Any) -> Any:
    """100.00 dollars of goods for 95.00 francs, sent for 4.90 dollars, which are 4.66 francs; all paid."""
    line = {"title": "Bag", "quantity": 1, "priceSet": in_francs("100.00", "95.00"), "requiresShipping": True}
    return create(
        shop, lineItems=[line], presentmentCurrency="CHF",
        shippingLines=[{"title": "Flat", "priceSet": in_francs("4.90", "4.66")}],
        transactions=[{"kind": "SALE", "gateway": "checkmo", "amountSet": in_francs("104.90", "99.66")}],
    )  # fmt: skip


def test_a_refund_of_an_order_in_another_currency_names_that(shop: Any) -> None:
    order = create_in_francs(shop)
    for index, given in enumerate(({}, {"currency": "USD"})):
        errors = refund(shop, order, f"k{index}", transactions=[repaid(order, "1.00")], **given)["userErrors"]
        assert [it["field"] for it in errors] == [["currency"]]
    paid = refund(shop, order, "k2", transactions=[repaid(order, "1.00")], currency="CHF")
    assert paid["userErrors"] == []


def test_pieces_are_put_back_where_there_is_a_location_only(shop: Any) -> None:
    order = create(shop)
    line = {"lineItemId": order["lineItems"]["nodes"][0]["id"], "quantity": 1, "restockType": "RETURN"}
    nowhere = {**line, "locationId": "gid://shopify/Location/999"}
    payload = refund(shop, order, "k1", refundLineItems=[nowhere])
    assert [it["field"] for it in payload["userErrors"]] == [["refundLineItems", "0", "locationId"]]
    there = {**line, "locationId": shop.location()}
    assert refund(shop, order, "k2", refundLineItems=[there])["userErrors"] == []


def test_all_that_was_paid_in_another_currency_goes_back_to_the_cent(shop: Any) -> None:
    order = create_in_francs(shop)
    parts: list[dict[str, Any]] = [
        {"shipping": {"amount": "4.66"}, "transactions": [repaid(order, "33.22")]},
        {"transactions": [repaid(order, "33.22"), repaid(order, "33.22")]},
    ]
    for index, part in enumerate(parts):
        payload = refund(shop, order, f"k{index}", currency="CHF", **part)
        assert payload["userErrors"] == []
    assert payload["order"]["netPaymentSet"]["shopMoney"]["amount"] == "0.0"
    assert payload["order"]["displayFinancialStatus"] == "REFUNDED"


def test_what_was_repaid_beyond_its_worth_is_a_discrepancy_in_the_customers_favour(shop: Any) -> None:
    order = create(shop)
    refund(shop, order, "k1", transactions=[repaid(order, "3.00")])
    query = "query($id: ID!) { order(id: $id) { refundDiscrepancySet { shopMoney { amount } } } }"
    shown = shop.data(query, {"id": order["id"]})["order"]
    assert shown["refundDiscrepancySet"]["shopMoney"]["amount"] == "-3.0"


def test_a_discount_goes_back_with_the_pieces_it_was_given_on(shop: Any) -> None:
    code = {"itemFixedDiscountCode": {"code": "X", "amountSet": usd("5.00")}}
    order = create(shop, discountCode=code, transactions=[])
    line = order["lineItems"]["nodes"][0]["id"]
    refund(shop, order, "k1", refundLineItems=[{"lineItemId": line, "quantity": 1}])
    query = "query($id: ID!) { order(id: $id) { currentTotalDiscountsSet { shopMoney { amount } } } }"
    shown = shop.data(query, {"id": order["id"]})["order"]
    assert shown["currentTotalDiscountsSet"]["shopMoney"]["amount"] == "3.0"


def test_a_refund_needs_a_key_and_is_made_once_under_it(shop: Any) -> None:
    order = create(shop)
    bare = "mutation($input: RefundInput!) { refundCreate(input: $input) { refund { id } } }"
    assert shop.code(bare, {"input": {"orderId": order["id"]}}) == "BAD_REQUEST"
    first, again = (refund(shop, order, "k1", transactions=[repaid(order, "3.00")]) for _ in range(2))
    assert again["refund"]["id"] == first["refund"]["id"]
    other = refund(shop, order, "k1", transactions=[repaid(order, "4.00")])
    assert other["refund"] is None
    assert "same idempotency key" in other["userErrors"][0]["message"]
    assert len(read(shop, order["id"])["refunds"]) == 1


def test_what_comes_back_lies_in_stock_again(shop: Any) -> None:
    values = [{"optionName": "Title", "name": "Default Title"}]
    variant = {
        "optionValues": values, "inventoryItem": {"tracked": True},
        "inventoryQuantities": [{"locationId": shop.location(), "name": "available", "quantity": 2}],
    }  # fmt: skip
    options = [{"name": "Title", "values": [{"name": "Default Title"}]}]
    product = shop.set_product({"title": "Bag", "productOptions": options, "variants": [variant]})
    gid = product["variants"]["nodes"][0]["id"]
    order = create(
        shop, lineItems=[{"variantId": gid, "quantity": 2, "priceSet": usd("12.50"), "requiresShipping": True}]
    )
    line = order["lineItems"]["nodes"][0]["id"]
    for index, kind in enumerate(("NO_RESTOCK", "RETURN")):
        item = {"lineItemId": line, "quantity": 1, "restockType": kind, "locationId": shop.location()}
        assert refund(shop, order, f"k{index}", refundLineItems=[item])["userErrors"] == []
    query = "query($id: ID!) { productVariant(id: $id) { inventoryQuantity } }"
    assert shop.data(query, {"id": gid})["productVariant"]["inventoryQuantity"] == 3

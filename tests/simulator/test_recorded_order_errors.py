"""Orders against the userErrors recorded on real shops: same field, message and code."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.shared

Provoked = list[dict[str, Any]]
NOWHERE = "gid://shopify/Order/1"


def _order(shop: Any, **given: Any) -> dict[str, Any]:
    order = {"lineItems": [{"title": "Bag", "quantity": 1, "requiresShipping": True}], **given}
    payload = shop.mutate("orderCreate", {"order": order}, "order { id } userErrors { message }")
    assert payload["userErrors"] == []
    made: dict[str, Any] = payload["order"]
    return made


def order_create(shop: Any) -> Provoked:
    errors: Provoked = shop.errors("orderCreate", {"order": {"lineItems": [{"quantity": 1}]}})
    return errors


def order_update(shop: Any) -> Provoked:
    errors: Provoked = shop.errors("orderUpdate", {"input": {"id": NOWHERE}}, codes=False)
    return errors


def order_delete(shop: Any) -> Provoked:
    errors: Provoked = shop.errors("orderDelete", {"orderId": NOWHERE})
    return errors


def order_cancel(shop: Any) -> Provoked:
    fulfillment = {"locationId": shop.location()}
    sent, open_order, done = _order(shop, fulfillment=fulfillment), _order(shop), _order(shop)
    calls: list[dict[str, Any]] = [
        {"orderId": sent["id"]}, {"orderId": done["id"]}, {"orderId": done["id"]},
        {"orderId": open_order["id"], "staffNote": "x" * 256},
        {"orderId": open_order["id"], "refund": True, "refundMethod": {"originalPaymentMethodsRefund": True}},
    ]  # fmt: skip
    errors: Provoked = []
    for call in calls:
        selection = "orderCancelUserErrors { field message code } userErrors { field message }"
        payload = shop.mutate("orderCancel", {**call, "reason": "OTHER", "restock": False}, selection)
        errors += payload["orderCancelUserErrors"] + payload["userErrors"]
    return errors


PROVOKE: dict[str, Callable[[Any], Provoked]] = {
    "orderCreate": order_create, "orderUpdate": order_update, "orderDelete": order_delete, "orderCancel": order_cancel,
}  # fmt: skip

EXCUSED = {
    "Cannot cancel an order that has returns": "returns are not executed",
    "Cancellation is already in progress": "cancelling is done at once",
}


@pytest.mark.parametrize("mutation", sorted(PROVOKE))
def test_recorded_order_errors_are_answered_in_the_same_words(shop: Any, recorded: Any, mutation: str) -> None:
    assert recorded.missing(mutation, PROVOKE[mutation](shop), EXCUSED) == []

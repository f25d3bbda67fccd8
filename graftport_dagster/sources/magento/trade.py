"""Customers, orders with all that followed them, discounts with their codes, gift cards.

Beside what the API gives: a customer's and a rule's groups by name, an order's invoices, credit
memos, shipments and transactions, the SKU of the product that an order's line is of
(`product_sku`, absent where that product is gone), and a rule's coupons.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import JsonObject, SourceRecord
from graftport_dagster.sources.magento.client import (
    COUPONS,
    CREDITMEMOS,
    CUSTOMER_GROUPS,
    CUSTOMERS,
    INVOICES,
    ORDERS,
    PRODUCTS,
    RULES,
    SHIPMENTS,
    Filter,
    Listing,
    MagentoClient,
)

_TRANSACTIONS = Listing("transactions", "transaction_id", "transaction_id")
_FOLLOWING = (
    ("invoices", INVOICES),
    ("creditmemos", CREDITMEMOS),
    ("shipments", SHIPMENTS),
    ("transactions", _TRANSACTIONS),
)


@dataclass(slots=True)
class Trade:
    """Who bought what in one shop. `gift_cards_path`: where the shop lists its gift cards, if anywhere."""

    client: MagentoClient
    gift_cards_path: str = ""
    _skus: dict[int, str] = field(default_factory=dict)
    _groups: dict[str, str] = field(default_factory=dict)

    def customers(self, filters: Sequence[Filter]) -> Iterator[SourceRecord]:
        """Every customer, or those that changed."""
        for customer in self.client.items(CUSTOMERS, filters):
            customer["group_code"] = self._group(customer.get("group_id"))
            yield SourceRecord(str(customer["id"]), customer, origin=f"customers/{customer['id']}")

    def orders(self, filters: Sequence[Filter]) -> Iterator[SourceRecord]:
        """Every order, or those that changed, under the number that the customer knows."""
        for page in self.client.pages(ORDERS, filters):
            ids = [order["entity_id"] for order in page]
            self._learn_skus(page)
            following = {name: self._by_order(listing, ids) for name, listing in _FOLLOWING}
            for order in page:
                papers = {name: found[str(order["entity_id"])] for name, found in following.items()}
                for item in order.get("items") or ():
                    if sku := self._skus.get(int(item.get("product_id") or 0)):
                        item["product_sku"] = sku
                yield SourceRecord(
                    str(order["increment_id"]), order | papers, rows=1 + sum(map(len, papers.values())),
                    origin=f"orders/{order['entity_id']}",
                )  # fmt: skip

    def _by_order(self, listing: Listing, order_ids: list[int]) -> dict[str, list[JsonObject]]:
        found: dict[str, list[JsonObject]] = defaultdict(list)
        for paper in self.client.having(listing, "order_id", order_ids):
            found[str(paper.get("order_id"))].append(paper)
        return found

    def _learn_skus(self, orders: list[JsonObject]) -> None:
        """The present SKUs of ordered products; of those that are gone nothing comes, and is asked again next time."""
        ids = {int(item.get("product_id") or 0) for order in orders for item in order.get("items") or ()}
        for product in self.client.having(PRODUCTS, "entity_id", ids - self._skus.keys() - {0}, fields="id,sku"):
            self._skus[product["id"]] = str(product["sku"])

    def discounts(self) -> Iterator[SourceRecord]:
        """Every cart price rule with its coupons; also those without one, for the mapping to say so."""
        for page in self.client.pages(RULES):
            coupons: dict[str, list[JsonObject]] = defaultdict(list)
            for coupon in self.client.having(COUPONS, "rule_id", [rule["rule_id"] for rule in page]):
                coupons[str(coupon.get("rule_id"))].append(coupon)
            for rule in page:
                rule["coupons"] = coupons[str(rule["rule_id"])]
                rule["customer_groups"] = [self._group(one) for one in rule.get("customer_group_ids") or ()]
                rows = 1 + len(rule["coupons"])
                yield SourceRecord(str(rule["rule_id"]), rule, rows=rows, origin=f"salesRules/{rule['rule_id']}")

    def gift_cards(self) -> Iterator[SourceRecord]:
        """Every gift card account. Raises ConfigurationError where the shop has no list of them."""
        listing = Listing(self.gift_cards_path, "giftcardaccount_id", "giftcardaccount_id")
        if not self.gift_cards_path:
            raise no_gift_cards()
        try:
            for card in self.client.items(listing):
                yield SourceRecord(
                    str(card["giftcardaccount_id"]), card, origin=f"gift card {card['giftcardaccount_id']}"
                )
        except ConfigurationError as error:
            raise (no_gift_cards() if error.code == "SOURCE_NOT_FOUND" else error) from error

    def _group(self, number: object) -> str:
        if not self._groups:
            self._groups = {str(one["id"]): str(one.get("code")) for one in self.client.items(CUSTOMER_GROUPS)}
        return self._groups.get(str(number), str(number))


def no_gift_cards() -> ConfigurationError:
    """Magento Open Source has none; Adobe Commerce and modules list them at addresses of their own."""
    return ConfigurationError(
        "This shop lists no gift cards: Magento Open Source has none.", code="NO_GIFT_CARDS",
        hint="With Adobe Commerce or a module, name the list as source.gift_cards_path, or export it as a file.",
    )  # fmt: skip

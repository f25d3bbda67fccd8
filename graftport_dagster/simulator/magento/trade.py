"""Who buys what in a made shop: customers, orders with all that follows them, cart price rules and coupons.

What lives here: `Trade`, drawn from one seed over a catalogue. Orders of the main website have prices
with tax in euros; every fourth is paid in francs; every fifth comes from a shop with net prices in mind.
Totals are reckoned as Magento does: by line, rounded, in each currency apart.
"""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from graftport_dagster.simulator.magento.bills import Bill, Line
from graftport_dagster.simulator.magento.catalogue import Catalogue, text_of

Thing = dict[str, Any]
_FIRST = ("Lena", "Aurélie", "Tom", "Mattia", "Ingrid", "José", "Zoë", "Jonas")
_LAST = ("Hofer", "Favre", "O'Connor", "Ricci", "Øverland", "Núñez", "Brenner")
_TOWNS = (
    ("AT", "Wien", "1010", "WI", "Wien", "01 2345678"), ("DE", "Kempten", "87435", "BAY", "Bayern", "0831 5550102"),
    ("IT", "Merano", "39012", "BZ", "Bolzano", "0473 555104"), ("US", "Austin", "73301", "TX", "Texas",
    "(512) 555-0101"),
)  # fmt: skip
_FATES = ("complete", "complete", "processing", "refunded", "canceled", "partly_refunded", "pending", "shipped_twice")
# So many customers and orders lie hours apart, and more of them closer together.
_UNHURRIED = 500
_START = datetime(2024, 2, 1, 9)  # noqa: DTZ001 - Magento writes UTC without a zone
_FRANC = Decimal("0.95")


class Trade:
    """Customers, orders and what belongs to them, rules and coupons."""

    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        self.random = random.Random(seed + 1)  # noqa: S311 - repeatable by intent
        self.customers: list[Thing] = []
        self.orders: list[Thing] = []
        self.invoices: list[Thing] = []
        self.creditmemos: list[Thing] = []
        self.shipments: list[Thing] = []
        self.transactions: list[Thing] = []
        self.rules: list[Thing] = []
        self.coupons: list[Thing] = []
        self.gift_cards: list[Thing] = []
        self._catalogue = catalogue
        self._moment = _START
        self._haste = 1
        self._item_id = 0

    def make(self, *, customers: int, orders: int) -> None:
        """So many of each; rules are always the same few."""
        # Also those of a large shop lie in the past.
        self._haste = max(1, (customers + orders) // _UNHURRIED)
        for number in range(1, customers + 1):
            self._customer(number)
        for number in range(1, orders + 1):
            self._order(number)
        self._rules()
        self._gift_cards()

    # --- customers ------------------------------------------------------------------------------------

    def _customer(self, number: int) -> None:
        first, last = _FIRST[number % len(_FIRST)], _LAST[number % len(_LAST)]
        since = text_of(self._next_moment())
        addresses = [self._address(number, place, first, last) for place in range(number % 4)]
        self.customers.append({
            "id": number, "group_id": 2 if number % 5 == 0 else 1, "created_at": since, "updated_at": since,
            "created_in": "English", "dob": "1988-04-12" if number % 3 == 0 else None,
            "email": f"customer{number}@example.com",
            "firstname": first, "lastname": last, "gender": 0, "store_id": 1, "website_id": 1, "addresses": addresses,
            "taxvat": "ATU12345678" if number % 5 == 0 else None, "disable_auto_group_change": 0,
            "extension_attributes": {"is_subscribed": number % 2 == 0},
            "custom_attributes": [{"attribute_code": "note", "value": "Rings twice."}] if number % 6 == 0 else [],
        })  # fmt: skip

    def _address(self, number: int, place: int, first: str, last: str) -> Thing:
        country, city, postcode, code, region, telephone = _TOWNS[(number + place) % len(_TOWNS)]
        return {
            "id": number * 10 + place, "customer_id": number, "region_id": 1, "country_id": country, "city": city,
            "region": {"region_code": code, "region": region, "region_id": 1}, "postcode": postcode,
            "street": [f"Am Sägewerk {number}", *(["Hinterhaus"] if place else [])], "telephone": telephone,
            "company": "Fjellsport AS" if place == 1 else None, "firstname": first, "lastname": last,
            **({"default_shipping": True, "default_billing": True} if place == 0 else {}),
        }  # fmt: skip

    # --- orders ---------------------------------------------------------------------------------------

    def _order(self, number: int) -> None:
        fate = _FATES[number % len(_FATES)]
        customer = None if number % 6 == 0 or not self.customers else self.customers[number % len(self.customers)]
        lines = self._lines(number)
        discount = Decimal(10 if number % 3 == 0 and fate != "partly_refunded" else 0)
        shipping = Decimal(0) if all(line.is_virtual for line in lines) else Decimal("4.90")
        includes = number % 5 != 0
        factor = _FRANC if number % 4 == 0 else Decimal(1)
        bill = Bill(lines, shipping, discount, includes_tax=includes, factor=factor)
        base = Bill(lines, shipping, discount, includes_tax=includes, factor=Decimal(1))
        at = self._next_moment()
        order = (
            self._head(number, fate, customer, at) | bill.totals() | {f"base_{k}": v for k, v in base.totals().items()}
        )
        order |= {
            "order_currency_code": "CHF" if factor != 1 else "EUR", "base_currency_code": "EUR",
            "items": self._items(lines, bill, base, order), "coupon_code": "SAVE10" if discount else None,
            "discount_description": "Save" if discount else None,
        }  # fmt: skip
        self.orders.append({name: value for name, value in order.items() if value is not None})
        self._follow(self.orders[-1], fate, at)

    @cached_property
    def _sellable(self) -> list[Thing]:
        return [one for one in self._catalogue.products if one["type_id"] in ("simple", "virtual", "downloadable")]

    @cached_property
    def _owners(self) -> dict[int, Thing]:
        return {
            child: one for one in self._catalogue.products
            for child in one["extension_attributes"].get("configurable_product_links", ())
        }  # fmt: skip

    def _lines(self, number: int) -> list[Line]:
        sellable, owners = self._sellable, self._owners
        lines = []
        for place in range(1 + number % 3):
            product = sellable[(number * 5 + place * 3) % len(sellable)]
            quantity = 1 + (number + place) % 3
            percent = Decimal(0) if number % 10 == 9 else Decimal(20)
            lines.append(Line(product, owners.get(product["id"]), quantity, Decimal(str(product["price"])), percent))
        if number % 7 == 0:
            gone = {"id": 99_000 + number, "sku": f"GONE-{number}", "name": "Discontinued Stove", "type_id": "simple"}
            lines.append(Line(gone, None, 1, Decimal("45.00"), Decimal(20)))
        return lines

    def _head(self, number: int, fate: str, customer: Thing | None, at: datetime) -> Thing:
        state = {"complete": "complete", "shipped_twice": "complete", "processing": "processing", "refunded": "closed",
                 "canceled": "canceled", "partly_refunded": "complete", "pending": "new"}[fate]  # fmt: skip
        country, city, postcode, code, region, telephone = _TOWNS[number % len(_TOWNS)]
        email = customer["email"] if customer else f"guest{number}@example.com"
        first, last = (customer["firstname"], customer["lastname"]) if customer else ("Guest", "Buyer")
        address = {
            "address_type": "billing", "firstname": first, "lastname": last, "street": ["Storgata 3"], "city": city,
            "postcode": postcode, "country_id": country, "region_code": code, "region": region, "telephone": telephone,
            "email": email, "entity_id": number * 2,
        }  # fmt: skip
        shipping = {"address": {**address, "address_type": "shipping"}, "method": "flatrate_flatrate"}
        return {
            "entity_id": number, "increment_id": f"{number:09}", "state": state,
            "status": state if state != "new" else "pending",
            "created_at": text_of(at), "updated_at": text_of(at + timedelta(days=2)), "store_id": 1,
            "store_name": "Main Website\nMain Store\nEnglish", "customer_email": email, "customer_firstname": first,
            "customer_lastname": last, "customer_is_guest": int(customer is None),
            "customer_id": customer["id"] if customer else None,
            "customer_note": "Leave it at the door." if number % 8 == 1 else None,
            "billing_address": address, "shipping_description": "Flat Rate - Fixed",
            "payment": {"method": "checkmo", "additional_information": ["Check / Money order"], "entity_id": number},
            "status_histories": [{"comment": "Packed by Ida", "created_at": text_of(at),
            "status": state}] if number % 4 == 1 else [],
            "extension_attributes": {"shipping_assignments": [{"shipping": shipping, "items": []}],
            "payment_additional_info": []},
        }  # fmt: skip

    def _items(self, lines: list[Line], bill: Bill, base: Bill, order: Thing) -> list[Thing]:
        items = []
        for place, line in enumerate(lines):
            self._item_id += 1
            owner = line.owner
            own = bill.line(place) | {f"base_{name}": value for name, value in base.line(place).items()}
            items.append({
                "item_id": self._item_id, "order_id": order["entity_id"], "sku": line.product["sku"],
                "name": line.product["name"] if owner is None else owner["name"], "qty_ordered": line.quantity,
                "product_id": (owner or line.product)["id"], "product_type": (owner or line.product)["type_id"],
                "is_virtual": int(line.is_virtual), "tax_percent": float(line.percent), "store_id": 1, **own,
            })  # fmt: skip
            if owner is not None:
                parent = self._item_id
                self._item_id += 1
                items.append({
                    "item_id": self._item_id, "parent_item_id": parent, "order_id": order["entity_id"],
                    "sku": line.product["sku"], "name": line.product["name"], "product_id": line.product["id"],
                    "product_type": "simple", "qty_ordered": line.quantity, "price": 0, "base_price": 0, "row_total": 0,
                    "tax_amount": 0, "tax_percent": 0, "is_virtual": 0, "store_id": 1,
                })  # fmt: skip
        return items

    # --- what follows an order ------------------------------------------------------------------------

    def _follow(self, order: Thing, fate: str, at: datetime) -> None:
        if fate in ("canceled", "pending"):
            return
        order |= {"total_paid": order["grand_total"], "base_total_paid": order["base_grand_total"]}
        top = [item for item in order["items"] if "parent_item_id" not in item]
        invoice = self._paper(self.invoices, order, top, at + timedelta(hours=1)) | {
            "state": 2, "grand_total": order["grand_total"], "base_grand_total": order["base_grand_total"],
        }  # fmt: skip
        self.invoices[-1] = invoice
        self.transactions.append({
            "transaction_id": len(self.transactions) + 1, "order_id": order["entity_id"],
            "txn_id": f"TX{order['entity_id']}",
            "txn_type": "capture", "is_closed": 1, "created_at": invoice["created_at"],
            "payment_id": order["entity_id"],
        })  # fmt: skip
        shipped = [item for item in top if not item["is_virtual"]]
        if fate == "shipped_twice" and len(shipped) > 1:
            self._shipment(order, shipped[:1], at + timedelta(days=1))
            self._shipment(order, shipped[1:], at + timedelta(days=2))
        elif fate != "processing" and shipped:
            self._shipment(order, shipped, at + timedelta(days=1))
        if fate == "refunded":
            self._memo(order, invoice, top, Decimal(str(order["grand_total"])), at, shipping=order["shipping_amount"])
        elif fate == "partly_refunded":
            one = [{**top[0], "qty_ordered": 1}]
            self._memo(order, invoice, one, Decimal(str(top[0]["price_incl_tax"])), at)

    def _shipment(self, order: Thing, items: list[Thing], at: datetime) -> None:
        paper = self._paper(self.shipments, order, items, at)
        number = paper["entity_id"]
        paper["tracks"] = [{"entity_id": number, "order_id": order["entity_id"], "carrier_code": "custom",
        "title": "Parcel",
                            "track_number": f"MG{number:06}X", "created_at": paper["created_at"]}]  # fmt: skip

    def _memo(
        self, order: Thing, invoice: Thing, items: list[Thing], total: Decimal, at: datetime, shipping: float = 0
    ) -> None:
        paper = self._paper(self.creditmemos, order, items, at + timedelta(days=9))
        paper |= {
            "invoice_id": invoice["entity_id"], "state": 2, "grand_total": float(total), "adjustment_positive": 0,
            "adjustment_negative": 0, "shipping_amount": shipping,
            "shipping_incl_tax": order["shipping_incl_tax"] if shipping else 0,
            "comments": [{"comment": "Returned: “too warm”.", "created_at": paper["created_at"]}],
        }  # fmt: skip
        order |= {"total_refunded": float(total), "updated_at": paper["created_at"]}

    def _paper(self, papers: list[Thing], order: Thing, items: list[Thing], at: datetime) -> Thing:
        number = len(papers) + 1
        paper: Thing = {
            "entity_id": number, "increment_id": f"{number:09}", "order_id": order["entity_id"],
            "created_at": text_of(at),
            "updated_at": text_of(at), "store_id": 1, "order_currency_code": order["order_currency_code"],
            "items": [{"entity_id": number * 100 + place, "order_item_id": item["item_id"], "sku": item["sku"],
                       "qty": item["qty_ordered"]} for place, item in enumerate(items)],
        }  # fmt: skip
        papers.append(paper)
        return paper

    # --- rules and cards ------------------------------------------------------------------------------

    def _rules(self) -> None:
        sku = next((one["sku"] for one in self._catalogue.products if one["visibility"] == 4), "MG-000")
        self._rule("Ten percent", "by_percent", 10, codes=["SAVE10"], uses_per_customer=1)
        self._rule(
            "Five off", "cart_fixed", 5, codes=[f"FAIR-{n:03}" for n in range(1, 41)], subtotal=60, uses_per_coupon=1
        )
        self._rule("Free delivery", "by_percent", 0, codes=["FREESHIP"], free=True, to_date="2027-01-31")
        self._rule("Three for two", "buy_x_get_y", 1, codes=["THREE"], sku=sku, step=2)
        self._rule("Trade", "by_percent", 25, codes=["TRADE25"], groups=[2])
        self._rule("Autumn", "by_fixed", 2, codes=[], kind="NO_COUPON")
        self._rule("Old", "by_percent", 15, codes=["OLD15"], active=False)

    def _rule(
        self, name: str, action: str, amount: float, *, codes: list[str], groups: list[int] | None = None,
        free: bool = False,
        subtotal: int = 0, sku: str = "", step: int = 0, kind: str = "SPECIFIC_COUPON", active: bool = True,
        **more: Any,
    ) -> None:  # fmt: skip
        number = len(self.rules) + 1
        condition = [{"condition_type": "Magento\\SalesRule\\Model\\Rule\\Condition\\Address", "operator": ">=",
                      "attribute_name": "base_subtotal", "value": str(subtotal)}]  # fmt: skip
        wanted = [{"condition_type": "Magento\\SalesRule\\Model\\Rule\\Condition\\Product", "operator": "==",
                   "attribute_name": "sku", "value": sku}]  # fmt: skip
        self.rules.append({
            "rule_id": number, "name": name, "description": f"{name}.", "website_ids": [1], "from_date": "2024-01-01",
            "customer_group_ids": groups if groups is not None else [0, 1, 2, 3], "uses_per_customer": 0,
            "is_active": active,
            "condition": {"condition_type": "Combine", "aggregator_type": "all", "value": "1",
                          "conditions": condition if subtotal else []},
            "action_condition": {"condition_type": "Combine", "aggregator_type": "all", "value": "1",
                                 "conditions": wanted if sku else []},
            "stop_rules_processing": number % 2 == 0, "sort_order": number, "simple_action": action,
            "discount_amount": amount,
            "discount_step": step, "apply_to_shipping": False, "times_used": number, "coupon_type": kind,
            "use_auto_generation": len(codes) > 1, "uses_per_coupon": 0, "simple_free_shipping": "2" if free else "0",
            **more,
        })  # fmt: skip
        for code in codes:
            self.coupons.append({
                "coupon_id": len(self.coupons) + 1, "rule_id": number, "code": code, "times_used": 0,
                "is_primary": len(codes) == 1,
                "usage_limit": more.get("uses_per_coupon", 0), "type": int(len(codes) > 1),
            })  # fmt: skip

    def _gift_cards(self) -> None:
        for number, (balance, status) in enumerate(((50, 1), (17.5, 1), (0, 0)), 1):
            self.gift_cards.append({
                "giftcardaccount_id": number, "code": f"00MAGE{number:06}", "status": status, "balance": balance,
                "date_created": "2024-03-01", "date_expires": "2028-12-31", "website_id": 1,
            })  # fmt: skip

    def _next_moment(self) -> datetime:
        self._moment += timedelta(seconds=self.random.randint(3, 600) * 60 // self._haste)
        return self._moment

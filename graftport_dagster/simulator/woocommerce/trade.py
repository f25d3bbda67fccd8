"""The made shop's customers, coupons, tax rates, orders, refunds and notes; every sum adds up.

What lives here: who bought what, and in what form WooCommerce tells it. Prices are net, taxes are
rounded per line, an order's totals are the sums of its lines.
"""

from decimal import Decimal
from functools import cached_property
from typing import Any

from graftport_dagster.simulator.woocommerce.catalogue import Catalogue
from graftport_dagster.simulator.woocommerce.made import Maker, Thing, cents, meta

_PEOPLE = (
    ("Ada", "Byron", "GB", "", "London", "SW1A 1AA", "020 7946 0958"), ("Jörg", "Müller", "DE", "DE-BE", "Berlin",
    "10115", "+49 30 901820"),
    ("Grace", "Hopper", "US", "NY", "New York", "10001", "(212) 555-0143"), ("María", "Niño", "ES", "M", "Madrid",
    "28001", "912 345 678"),
    ("Łucja", "Żak", "PL", "", "Kraków", "30-001", ""), ("Jean-Luc", "O'Neil", "CA", "QC", "Montréal", "H2X 1Y4",
    "514-555-0199"),
    ("Anna", "Rossi", "IT", "MI", "Milano", "20121", "n/a"),
)  # fmt: skip
_STATUSES = (
    "completed",
    "processing",
    "completed",
    "on-hand",
    "pending",
    "cancelled",
    "failed",
    "completed",
    "refunded",
    "on-hold",
)
_RATE = Decimal("0.19")


class Trade:
    """Made from a maker and a catalogue."""

    def __init__(self, maker: Maker, catalogue: Catalogue) -> None:
        self._maker = maker
        self._catalogue = catalogue
        self.customers: list[Thing] = []
        self.coupons: list[Thing] = []
        self.orders: list[Thing] = []
        self.refunds: dict[int, list[Thing]] = {}
        self.notes: dict[int, list[Thing]] = {}
        self.taxes = [
            {"id": 1, "country": "", "state": "", "postcode": "", "city": "", "rate": "19.0000", "name": "VAT",
             "priority": 1, "compound": False, "shipping": True, "order": 0, "class": "standard", "postcodes": [],
             "cities": []},
        ]  # fmt: skip

    def make(self, *, customers: int, orders: int) -> None:
        """So many customers and orders, and one coupon of each kind."""
        for place in range(customers):
            self._make_customer(place)
        self._make_coupons()
        for place in range(orders):
            self._make_order(place, _STATUSES[place % len(_STATUSES)])

    # --- customers ----------------------------------------------------------------------------------

    def _make_customer(self, place: int) -> None:
        maker = self._maker
        first, last, country, state, city, postcode, phone = _PEOPLE[place % len(_PEOPLE)]
        number = place + 2
        email = f"customer{number}@example.com"
        address = {
            "first_name": first, "last_name": last, "company": "Acme GmbH" if maker.chance(0.2) else "",
            "address_1": f"{number} High Street", "address_2": "Flat 2" if maker.chance(0.2) else "", "city": city,
            "postcode": postcode, "country": country, "state": state,
        }  # fmt: skip
        billing = {**address, "email": email, "phone": phone}
        shipping = {**address, "phone": ""} if maker.chance(0.7) else {**dict.fromkeys(address, ""), "phone": ""}
        if maker.chance(0.3):
            shipping = {**address, "address_1": "1 Depot Road", "phone": ""}
        extra: Thing = {"last_update": "1712000000"}
        if maker.chance(0.5):
            extra["mailchimp_woocommerce_is_subscribed"] = maker.pick(("1", "0"))
        self.customers.append({
            "id": number, **maker.times("date_created", "date_modified"), "email": email,
            "first_name": first if place % 5 else "", "last_name": last, "role": "customer",
            "username": f"user{number}",
            "billing": billing, "shipping": shipping, "is_paying_customer": maker.chance(0.5),
            "avatar_url": f"https://secure.gravatar.com/avatar/{number}?s=96", "meta_data": meta(number, **extra),
        })  # fmt: skip

    # --- coupons ------------------------------------------------------------------------------------

    def _make_coupons(self) -> None:
        products = [self._catalogue.products[0]["id"]]
        # A coupon may name a variation as well as a product.
        products += [it["id"] for variations in [*self._catalogue.variations.values()][:1] for it in variations[:1]]
        category = [self._catalogue.categories[1]["id"]]
        someone = [it["email"] for it in self.customers[:1]]
        self._coupon("welcome10", "percent", "10.00", usage_limit_per_user=1)
        self._coupon("fiver", "fixed_cart", "5.00", minimum_amount="25.00", usage_limit=100)
        self._coupon("twoeach", "fixed_product", "2.00", product_ids=products)
        self._coupon("freeship", "fixed_cart", "0.00", free_shipping=True, date_expires="2099-12-31T00:00:00",
                     date_expires_gmt="2099-12-30T23:00:00")  # fmt: skip
        self._coupon("clothes", "percent", "15.00", product_categories=category, exclude_sale_items=True)
        self._coupon("friend", "percent", "20.00", email_restrictions=someone, maximum_amount="500.00")
        self._coupon("unfinished", "percent", "50.00", status="draft")

    def _coupon(self, code: str, kind: str, amount: str, **more: Any) -> None:
        made = {
            "id": self._maker.next_id(), "code": code, "amount": amount, "status": "publish",
            **self._maker.times("date_created", "date_modified"), "discount_type": kind, "description": "",
            "date_expires": None, "date_expires_gmt": None, "usage_count": 0, "individual_use": False,
            "product_ids": [], "excluded_product_ids": [], "usage_limit": None, "usage_limit_per_user": None,
            "limit_usage_to_x_items": None, "free_shipping": False, "product_categories": [],
            "excluded_product_categories": [], "exclude_sale_items": False, "minimum_amount": "0.00",
            "maximum_amount": "0.00", "email_restrictions": [], "used_by": [], "meta_data": [],
        }  # fmt: skip
        self.coupons.append(made | more)

    # --- orders -------------------------------------------------------------------------------------

    def _make_order(self, place: int, status: str) -> None:
        maker = self._maker
        buyer = maker.pick(self.customers) if maker.chance(0.7) and self.customers else None
        status = {"on-hand": "on-hold"}.get(status, status)
        lines = [self._line(*self._ware()) for _ in range(maker.random.randint(1, 3))]
        coupon = self.coupons[0] if place % 4 == 0 else None
        if coupon:
            for line in lines:
                _reprice(line, cents(Decimal(line["subtotal"]) * Decimal("0.9")))
        if place % 9 == 3:
            lines.append(_gone(self._line({"id": 0, "name": "Discontinued mug", "sku": "", "price": "4.00"}, None)))
        shipping = [self._shipping_line()] if place % 5 else []
        fees = [self._fee_line(place)] if place % 6 == 2 else []
        made = self._frame(place, status, buyer)
        made |= {"line_items": lines, "shipping_lines": shipping, "fee_lines": fees}
        made["coupon_lines"] = [self._coupon_line(coupon, lines)] if coupon else []
        self._sum_up(made)
        self.orders.append(made)
        self._after(made, place)

    @cached_property
    def _sold(self) -> list[Thing]:
        return [it for it in self._catalogue.products if it["type"] in ("simple", "variable")]

    def _ware(self) -> tuple[Thing, Thing | None]:
        sold = self._sold
        product = self._maker.pick(sold)
        choices = self._catalogue.variations.get(product["id"])
        return product, self._maker.pick(choices) if choices else None

    def _line(self, product: Thing, variation: Thing | None) -> Thing:
        maker = self._maker
        quantity = maker.pick((1, 1, 2, 3))
        ware = variation or product
        subtotal = cents(Decimal(ware["price"] or "9.99") * quantity)
        number = maker.next_id()
        line = {
            "id": number, "name": product["name"] + (f" - {variation['name']}" if variation else ""),
            "product_id": product["id"], "variation_id": variation["id"] if variation else 0, "quantity": quantity,
            "tax_class": "", "subtotal": f"{subtotal}", "subtotal_tax": f"{cents(subtotal * _RATE)}",
            "meta_data": [
                {"id": number * 10 + place, "key": it["slug"], "value": it["option"], "display_key": it["name"],
                 "display_value": it["option"]}
                for place, it in enumerate(variation["attributes"] if variation else ())
            ],
            "sku": ware["sku"], "image": {"id": "", "src": ""}, "parent_name": product["name"] if variation else None,
        }  # fmt: skip
        _reprice(line, subtotal)
        return line

    def _shipping_line(self) -> Thing:
        total = self._maker.pick((Decimal("4.90"), Decimal("9.95"), Decimal("0.00")))
        return {
            "id": self._maker.next_id(), "method_title": "Flat rate" if total else "Free shipping",
            "method_id": "flat_rate" if total else "free_shipping", "instance_id": "1", "tax_status": "taxable",
            **_taxed(total), "meta_data": [],
        }  # fmt: skip

    def _fee_line(self, place: int) -> Thing:
        total = Decimal("2.50") if place % 12 == 2 else Decimal("-1.00")
        return {
            "id": self._maker.next_id(), "name": "Gift wrapping" if total > 0 else "Loyalty rebate", "tax_class": "",
            "tax_status": "taxable", "amount": f"{total}", **_taxed(total), "meta_data": [],
        }  # fmt: skip

    def _coupon_line(self, coupon: Thing, lines: list[Thing]) -> Thing:
        off = sum((Decimal(it["subtotal"]) - Decimal(it["total"]) for it in lines), Decimal(0))
        tax = sum((Decimal(it["subtotal_tax"]) - Decimal(it["total_tax"]) for it in lines), Decimal(0))
        return {
            "id": self._maker.next_id(), "code": coupon["code"], "discount": f"{off}", "discount_tax": f"{tax}",
            "meta_data": [], "discount_type": coupon["discount_type"], "nominal_amount": 10, "free_shipping": False,
        }  # fmt: skip

    def _frame(self, place: int, status: str, buyer: Thing | None) -> Thing:
        maker = self._maker
        number = maker.next_id()
        person = buyer or maker.pick(self.customers or [_nobody()])
        times = maker.times("date_created", "date_modified")
        paid = status in ("completed", "processing", "refunded")
        when = times["date_modified"], times["date_modified_gmt"]
        guest = {} if buyer else {"email": f"guest{number}@example.com"}
        return {
            "id": number, "parent_id": 0, "status": status, "currency": "EUR", "version": "10.4.0",
            "prices_include_tax": False, **times, "customer_id": buyer["id"] if buyer else 0,
            "order_key": f"wc_order_{number}", "billing": {**person["billing"], **guest},
            "shipping": person["shipping"],
            "payment_method": "stripe" if paid else "bacs", "transaction_id": f"ch_{number}" if paid else "",
            "payment_method_title": "Credit card" if paid else "Bank transfer", "customer_ip_address": "203.0.113.7",
            "customer_user_agent": "Mozilla/5.0", "created_via": "checkout",
            "customer_note": "Please ring twice." if place % 5 == 1 else "",
            "date_completed": when[0] if status == "completed" else None, "date_paid": when[0] if paid else None,
            "date_completed_gmt": when[1] if status == "completed" else None,
            "date_paid_gmt": when[1] if paid else None,
            "cart_hash": "", "number": str(number), "meta_data": meta(number, _gift="yes") if place % 7 == 1 else [],
            "refunds": [], "payment_url": "", "is_editable": False, "needs_payment": False, "needs_processing": False,
            "currency_symbol": "€",
        }  # fmt: skip

    def _sum_up(self, made: Thing) -> None:
        goods = [*made["line_items"], *made["fee_lines"]]
        cart_tax, ship_tax = _sum(goods, "total_tax"), _sum(made["shipping_lines"], "total_tax")
        off = _sum(made["coupon_lines"], "discount")
        shipping = _sum(made["shipping_lines"], "total")
        made |= {
            "discount_total": f"{off}", "discount_tax": f"{_sum(made['coupon_lines'], 'discount_tax')}",
            "shipping_total": f"{shipping}", "shipping_tax": f"{ship_tax}", "cart_tax": f"{cart_tax}",
            "total_tax": f"{cart_tax + ship_tax}",
            "total": f"{_sum(goods, 'total') + shipping + cart_tax + ship_tax}",
            "tax_lines": [{
                "id": self._maker.next_id(), "rate_code": "VAT-1", "rate_id": 1, "label": "VAT", "compound": False,
                "tax_total": f"{cart_tax}", "shipping_tax_total": f"{ship_tax}", "rate_percent": 19, "meta_data": [],
            }],
        }  # fmt: skip

    def _after(self, order: Thing, place: int) -> None:
        if order["status"] == "completed" and place % 3 == 0:
            order["meta_data"] += meta(order["id"] + 1, _wc_shipment_tracking_items=[{
                "tracking_provider": "DHL", "custom_tracking_provider": "", "tracking_number": f"JJD{order['id']}",
                "custom_tracking_link": "", "date_shipped": "1712000000", "tracking_id": f"t{order['id']}",
            }])  # fmt: skip
        self.notes[order["id"]] = [{
            "id": self._maker.next_id(), "author": "system", **self._maker.times("date_created"),
            "note": f"Order status changed to {order['status']}.", "customer_note": False,
        }]  # fmt: skip
        if order["status"] == "refunded":
            self._refund(order, order["line_items"], whole=True)
        elif order["status"] == "completed" and place % 5 == 2:
            self._refund(order, order["line_items"][:1], whole=False)

    def _refund(self, order: Thing, lines: list[Thing], *, whole: bool) -> None:
        number = self._maker.next_id()
        back = [self._returned(it, it["quantity"] if whole else 1) for it in lines]
        shipping = [
            {**it, "id": self._maker.next_id(), "total": _minus(it["total"]), "total_tax": _minus(it["total_tax"]),
             "meta_data": meta(number, _refunded_item_id=str(it["id"]))}
            for it in order["shipping_lines"]
        ] if whole else []  # fmt: skip
        everything = [*back, *shipping]
        amount = -(_sum(everything, "total") + _sum(everything, "total_tax"))
        # A fee below nothing may leave less to pay back than a line cost.
        amount = Decimal(order["total"]) if whole else min(amount, Decimal(order["total"]))
        reason = "Returned" if whole else ""
        self.refunds.setdefault(order["id"], []).append({
            "id": number, "parent_id": order["id"], **self._maker.times("date_created"), "amount": f"{amount}",
            "reason": reason, "refunded_by": 1, "refunded_payment": True, "meta_data": [], "line_items": back,
            "shipping_lines": shipping, "tax_lines": [], "fee_lines": [],
        })  # fmt: skip
        order["refunds"].append({"id": number, "reason": reason, "total": f"-{amount}"})

    def _returned(self, line: Thing, quantity: int) -> Thing:
        share = Decimal(quantity) / line["quantity"]
        total, tax = (cents(Decimal(line[name]) * share) for name in ("total", "total_tax"))
        number = self._maker.next_id()
        return {
            **line, "id": number, "quantity": -quantity, "subtotal": f"-{total}", "total": f"-{total}",
            "total_tax": f"-{tax}", "taxes": [{"id": 1, "total": f"-{tax}", "subtotal": f"-{tax}"}],
            "meta_data": meta(number, _refunded_item_id=str(line["id"])),
        }  # fmt: skip


def _taxed(total: Decimal) -> Thing:
    tax = cents(total * _RATE)
    return {
        "total": f"{cents(total)}", "total_tax": f"{tax}", "taxes": [{"id": 1, "total": f"{tax}", "subtotal": ""}],
    }  # fmt: skip


def _reprice(line: Thing, total: Decimal) -> None:
    tax = cents(total * _RATE)
    line |= {
        "total": f"{total}", "total_tax": f"{tax}", "price": float(total / line["quantity"]),
        "taxes": [{"id": 1, "total": f"{tax}", "subtotal": line["subtotal_tax"]}],
    }  # fmt: skip


def _gone(line: Thing) -> Thing:
    """A line whose product was deleted since."""
    return line | {"product_id": 0, "variation_id": 0, "sku": None}


def _sum(lines: list[Thing], name: str) -> Decimal:
    return sum((Decimal(it[name]) for it in lines), Decimal("0.00"))


def _minus(amount: str) -> str:
    return f"{-Decimal(amount)}" if Decimal(amount) else amount


def _nobody() -> Thing:
    blank = dict.fromkeys(
        (
            "first_name",
            "last_name",
            "company",
            "address_1",
            "address_2",
            "city",
            "postcode",
            "country",
            "state",
            "phone",
        ),
        "",
    )
    return {"billing": {**blank, "email": ""}, "shipping": blank}

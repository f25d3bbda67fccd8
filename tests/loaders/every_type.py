"""One sample record of each resource type, and what every situation looks like for it.

`test_every_type.py` walks these through every situation. What a type does not know stands in `MEANINGLESS`, with the
reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graftport_dagster.records import ResourceType

Payload = dict[str, Any]
PRODUCTS, COLLECTIONS, CUSTOMERS = ResourceType.PRODUCTS, ResourceType.COLLECTIONS, ResourceType.CUSTOMERS
DISCOUNTS, CARDS, ORDERS = ResourceType.DISCOUNT_CODES, ResourceType.GIFT_CARDS, ResourceType.ORDERS
BLOGS, MARKETS, REDIRECTS = ResourceType.BLOGS, ResourceType.MARKETS, ResourceType.REDIRECTS


def ref(resource_type: ResourceType, source_id: str, **part: str) -> Payload:
    """What a mapping writes where Shopify wants an id."""
    return {"$ref": {"resource_type": str(resource_type), "source_id": source_id, **part}}


@dataclass(frozen=True)
class Withdrawal:
    """What becomes of a record that is gone from the source: its outcome, and what is then seen of its object."""

    outcome: str
    left: Any = None


@dataclass(frozen=True)
class Sample:
    """One record of a type. `kind`: its objects in the simulated store; `shown`: the field that tells its versions.

    `first`, `second`: its payload before and after a change in the source, with what `shown` is then. `refused`: a
    payload that Shopify refuses, and its code. `waiting`: one that refers to `parent`. `fixed`: one in which what
    Shopify cannot change has changed, and the name of that. `edit`: what a merchant changes by hand, and the path
    under which it is told. `group`: a group of fields with its own field, whose change alone is sent. `taken`: the
    mutation by which somebody else has the same natural key already.
    """

    kind: str
    shown: str
    first: tuple[Payload, Any]
    second: tuple[Payload, Any]
    refused: tuple[Payload, str]
    waiting: Payload
    parent: tuple[ResourceType, Payload]
    withdrawals: Mapping[str, Withdrawal]
    edit: tuple[Payload, str] = ({}, "")
    fixed: tuple[Payload, str] = field(default=({}, ""))
    group: tuple[str, str] = ("", "")
    taken: tuple[str, Payload] = ("", {})
    settings: Payload = field(default_factory=dict)


def product(title: str = "First", **more: Any) -> Payload:
    return {"input": {"title": title, "handle": "bag", "status": "ACTIVE", "tags": ["a"], **more}}


def collection(title: str = "First", **more: Any) -> Payload:
    return {"input": {"title": title, "handle": "bags", **more}, "publications": []}


def customer(name: str = "First", *, metafields: Any = None, **more: Any) -> Payload:
    envelope: Payload = {"input": {"email": "ada@example.com", "firstName": name, "tags": ["a"], **more}}
    return envelope if metafields is None else {**envelope, "metafields": metafields}


def discount(title: str = "First", *, items: Any = None, codes: Any = ("TEN-B",), **more: Any) -> Payload:
    return {"input": {"basicCodeDiscount": {
        "title": title, "code": "TEN", "startsAt": "2024-01-01T00:00:00Z", "endsAt": None, "context": {"all": "ALL"},
        "customerGets": {"value": {"percentage": 0.1}, "items": items or {"all": True}}, "usageLimit": 100, **more,
    }}, "codes": list(codes)}  # fmt: skip


def card(note: str = "First", *, amount: str = "50.00", off: bool = False, **more: Any) -> Payload:
    value = {"amount": amount, "currencyCode": "USD"}
    envelope: Payload = {"input": {"code": "abcd1234wxyz", "initialAmount": value, "note": note, **more}}
    return {**envelope, "deactivate": True} if off else envelope


def order(note: str = "First", *, price: str = "10.00", **more: Any) -> Payload:
    money = {"shopMoney": {"amount": price, "currencyCode": "USD"}}
    return {
        "input": {
            "name": "#1", "currency": "USD", "note": note, "tags": ["a"], "email": "ada@example.com",
            "lineItems": [{"title": "Bag", "sku": "bag", "quantity": 1, "priceSet": money}], **more,
        },
        "parts": {"line_item": ["a"]},
    }  # fmt: skip


def article(title: str = "First", **more: Any) -> Payload:
    given = {"title": title, "handle": "hello", "author": {"name": "Ann"}, "body": "<p>x</p>", "tags": ["a"], **more}
    return {"input": given, "blog": {"title": "News", "handle": "news"}}


def market(
    name: str = "First", *, percent: int = 0, prices: Any = None, regions: tuple[str, ...] = ("DE",), **more: Any
) -> Payload:
    adjustment = {"type": "PERCENTAGE_INCREASE", "value": percent}
    envelope: Payload = {
        "input": {
            "name": name, "handle": "germany", "status": "ACTIVE",
            "conditions": {"regionsCondition": {"regions": [{"countryCode": code} for code in regions]}}, **more,
        },
        "catalogs": [{"title": "Germany", "status": "ACTIVE"}],
        "priceLists": [{"name": "Germany", "currency": "EUR", "parent": {"adjustment": adjustment}}],
        "parts": {"catalog": ["c"], "price_list": ["l"]},
    }  # fmt: skip
    return envelope if prices is None else {**envelope, "prices": prices}


def redirect(target: Any = "/first", **more: Any) -> Payload:
    return {"input": {"path": "/old", "target": target, **more}}


def _refers(resource_type: ResourceType, kind: str) -> list[Payload]:
    return [{"namespace": "custom", "key": "of", "type": f"{kind}_reference", "value": ref(resource_type, "parent")}]


_PRODUCT = (PRODUCTS, product(handle="parent"))
_PARENT_VARIANT = {**product(handle="parent"), "parts": {"variant": ["v"]}}
_PARENT_VARIANT["input"] |= {
    "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
    "variants": [{"optionValues": [{"optionName": "Title", "name": "Default Title"}], "sku": "v"}],
}
_GONE, _STAYS = Withdrawal("deleted"), Withdrawal("skipped", "First")

SAMPLES: Mapping[ResourceType, Sample] = {
    PRODUCTS: Sample(
        kind="Product", shown="title", first=(product(), "First"), second=(product("Second", tags=["b"]), "Second"),
        refused=(product("x" * 256), "INVALID_PRODUCT"),
        waiting=product(collections=[ref(COLLECTIONS, "parent")]), parent=(COLLECTIONS, collection(handle="parent")),
        withdrawals={"archive": Withdrawal("archived", "First"), "delete": _GONE},
        edit=({"title": "By hand"}, "input.title"), group=("tags", "tags"),
        taken=("mutation($it: ProductSetInput!) { productSet(input: $it) { product { id } } }",
               {"title": "Theirs", "handle": "bag"}),
    ),
    COLLECTIONS: Sample(
        kind="Collection", shown="title", first=(collection(), "First"),
        second=(collection("Second", image={"src": "https://example.com/b.jpg"}), "Second"),
        refused=(collection("x" * 256), ""),
        waiting=collection(sources=[{"source": {"title": "Chosen", "inclusion": {"selections": [
            {"productId": ref(PRODUCTS, "parent")}]}}}]),
        parent=_PRODUCT, settings={"members": "collections"},
        withdrawals={"archive": _STAYS, "delete": _GONE},
        edit=({"title": "By hand"}, "input.title"), group=("image", "image"),
        taken=("mutation($it: CollectionCreateInput!) { collectionCreate(collection: $it) { collection { id } } }",
               {"title": "Theirs", "handle": "bags"}),
    ),
    CUSTOMERS: Sample(
        kind="Customer", shown="firstName", first=(customer(), "First"),
        second=(customer("Second", tags=["b"]), "Second"), refused=(customer(email="nobody"), "INVALID"),
        waiting=customer(metafields=_refers(PRODUCTS, "product")), parent=_PRODUCT,
        withdrawals={"archive": _STAYS, "delete": _GONE},
        edit=({"firstName": "By hand"}, "input.firstName"), group=("tags", "tags"),
        taken=("mutation($it: CustomerInput!) { customerCreate(input: $it) { customer { id } } }",
               {"email": "ada@example.com", "firstName": "Theirs"}),
    ),
    DISCOUNTS: Sample(
        kind="DiscountCodeNode", shown="title", first=(discount(), "First"),
        second=(discount("Second", codes=("TEN-B", "TEN-C")), "Second"),
        refused=(discount(customerGets={"value": {"percentage": 7}, "items": {"all": True}}), "VALUE_OUTSIDE_RANGE"),
        waiting=discount(items={"products": {"productsToAdd": [ref(PRODUCTS, "parent")]}}), parent=_PRODUCT,
        withdrawals={"archive": Withdrawal("archived", "First"), "delete": _GONE},
        edit=({"usageLimit": 7}, "input.basicCodeDiscount.usageLimit"), group=("codes", "codes"),
        taken=("mutation($it: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $it) "
               "{ codeDiscountNode { id } } }", discount("Theirs")["input"]["basicCodeDiscount"]),
    ),
    CARDS: Sample(
        kind="GiftCard", shown="note", first=(card(), "First"), second=(card("Second", off=True), "Second"),
        refused=(card(code="short"), "TOO_SHORT"),
        waiting=card(customerId=ref(CUSTOMERS, "parent")), parent=(CUSTOMERS, customer(email="bob@example.com")),
        withdrawals={"archive": Withdrawal("archived", "First"), "delete": Withdrawal("archived", "First")},
        edit=({"expiresOn": "2098-01-01"}, "input.expiresOn"), fixed=(card(amount="70.00"), "initialAmount"),
        group=("status", "deactivatedAt"),
        taken=("mutation($it: GiftCardCreateInput!) { giftCardCreate(input: $it) { giftCard { id } } }",
               {**card()["input"], "note": "Theirs"}),
    ),
    ORDERS: Sample(
        kind="Order", shown="note", first=(order(), "First"), second=(order("Second", tags=["b"]), "Second"),
        refused=(order(lineItems=[]), "INVALID"),
        waiting=order(customer={"toAssociate": {"id": ref(CUSTOMERS, "parent")}}),
        parent=(CUSTOMERS, customer(email="bob@example.com")),
        withdrawals={"archive": Withdrawal("archived", "First"), "delete": _GONE},
        edit=({"note": "By hand"}, "input.note"), fixed=(order(price="12.00"), "lineItems"), group=("tags", "tags"),
    ),
    BLOGS: Sample(
        kind="Article", shown="title", first=(article(), "First"), second=(article("Second", tags=["b"]), "Second"),
        refused=(article("x" * 256), "TOO_LONG"),
        waiting=article(metafields=_refers(PRODUCTS, "product")), parent=_PRODUCT,
        withdrawals={"archive": Withdrawal("archived", "First"), "delete": _GONE},
        edit=({"body": "<p>By hand</p>"}, "input.body"), group=("tags", "tags"),
        taken=("mutation($it: ArticleCreateInput!) { articleCreate(article: $it) { article { id } } }",
               {"title": "Theirs", "handle": "hello", "author": {"name": "Bob"}}),
    ),
    MARKETS: Sample(
        kind="Market", shown="name", first=(market(), "First"), second=(market("Second", percent=5), "Second"),
        refused=(market(regions=("KP",)), "UNSUPPORTED_COUNTRY_REGION"),
        waiting=market(prices=[{"variantId": ref(PRODUCTS, "parent", part="variant", part_id="v"),
                                "price": {"amount": "9.00", "currencyCode": "EUR"}}]),
        parent=(PRODUCTS, _PARENT_VARIANT),
        withdrawals={"archive": Withdrawal("archived", "First"), "delete": _GONE},
        edit=({"name": "By hand"}, "input.name"), group=("price", ""),
        taken=("mutation($it: MarketCreateInput!) { marketCreate(input: $it) { market { id } } }",
               {"name": "First", "handle": "theirs"}),
    ),
    REDIRECTS: Sample(
        kind="UrlRedirect", shown="target", first=(redirect(), "/first"), second=(redirect("/second"), "/second"),
        refused=(redirect(path="/" + "x" * 1024), "CREATE_FAILED"),
        waiting=redirect(ref(PRODUCTS, "parent")), parent=_PRODUCT,
        withdrawals={"archive": Withdrawal("skipped", "/first"), "delete": _GONE},
        edit=({"target": "/by-hand"}, "input.target"),
        taken=("mutation($it: UrlRedirectInput!) { urlRedirectCreate(urlRedirect: $it) { urlRedirect { id } } }",
               {"path": "/old", "target": "/theirs"}),
    ),
}  # fmt: skip

SITUATIONS = (
    "created", "updated", "unchanged", "skipped by strategy", "skipped as immutable", "held and released",
    "refused by Shopify", "kept", "archived", "deleted", "braked", "drifted", "filtered", "adopted",
)  # fmt: skip

_ALL_CHANGES = "Shopify changes every field of it later, so nothing of it is immutable."
MEANINGLESS: Mapping[tuple[ResourceType, str], str] = {
    **{(one, "skipped as immutable"): _ALL_CHANGES for one in (PRODUCTS, COLLECTIONS, CUSTOMERS, DISCOUNTS, BLOGS,
                                                                MARKETS, REDIRECTS)},
    (ORDERS, "adopted"): "An order has no natural key: its number is not unique in Shopify, and adopting by it "
                         "could take over somebody else's order.",
    (REDIRECTS, "filtered"): "A redirect is a path and a target: it has no groups of fields.",
}  # fmt: skip

"""A Shopify shop with something of every type in it, made through the Admin API of a simulator."""

from typing import Any

import requests

ADDRESS = {
    "firstName": "Ada", "lastName": "L", "address1": "Ring 1", "city": "Wien", "zip": "1010", "countryCode": "AT",
}  # fmt: skip


def money(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}


class FilledShop:
    """Makes objects in a simulated shop, and tells what is in it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, document: str, **variables: Any) -> Any:
        """The payload of the document's one field, which must hold no errors."""
        answer = requests.post(
            f"{self.url}/admin/api/2026-10/graphql.json", json={"query": document, "variables": variables},
            headers={"X-Shopify-Access-Token": "x"}, timeout=30,
        ).json()  # fmt: skip
        assert "errors" not in answer, answer["errors"]
        (payload,) = answer["data"].values()
        assert not payload.get("userErrors"), payload["userErrors"]
        return payload

    def make(self, name: str, argument: str, kind: str, gives: str, it: Any, **more: Any) -> Any:
        """One mutation with one input, `it`, and what it is wanted to give; `more`: arguments that are ids."""
        head = "".join(f", ${key}: ID!" for key in more)
        arguments = "".join(f", {key}: ${key}" for key in more)
        called = f"{name}({argument}: $it{arguments})"
        document = f"mutation($it: {kind}{head}) {{ {called} {{ {gives} userErrors {{ message }} }} }}"
        return self.ask(document, it=it, **more)

    def objects(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/_simulator/objects?type={kind}", timeout=30).json()
        return found

    def fill(self) -> None:
        """A smart and a manual collection, two products, customers, discounts, a card, an order, articles, a market."""
        self._collections()
        self._products()
        self._customers()
        self._discounts()
        self._order()
        self._content()
        self._market()

    def _collections(self) -> None:
        manual = {"title": "Summer", "handle": "summer", "descriptionHtml": "<p>Sun</p>"}
        found = self.make("collectionCreate", "collection", "CollectionCreateInput!", "collection { id }", manual)
        self.summer = found["collection"]["id"]
        conditions = [
            {"productTag": {"matchType": "ANY", "relation": "TAGGED_WITH", "values": ["warm"]}},
            {"variantPrice": {"relation": "GREATER_THAN", "value": {"amount": "10", "currencyCode": "USD"}}},
        ]
        source = {"title": "Rules", "inclusion": {"matchType": "ALL", "conditions": conditions}}
        smart = {"title": "Warm", "handle": "warm", "sources": [{"source": source}]}
        self.make("collectionCreate", "collection", "CollectionCreateInput!", "collection { id }", smart)

    def _products(self) -> None:
        location = self.ask("{ locations(first: 1) { nodes { id } } }")["nodes"][0]["id"]
        picture = {"originalSource": "https://pictures.example/jacket.jpg", "alt": "Front", "contentType": "IMAGE"}
        jacket = {
            "title": "Jacket", "handle": "jacket", "vendor": "North", "tags": ["warm", "new"], "status": "ACTIVE",
            "collections": [self.summer], "seo": {"title": "A jacket", "description": "Warm"}, "files": [picture],
            "productOptions": [
                {"name": "Size", "values": [{"name": "S"}, {"name": "M"}]},
                {"name": "Color", "values": [{"name": "Red"}]},
            ],
            "metafields": [{"namespace": "custom", "key": "care", "type": "single_line_text_field", "value": "Cold"}],
            "variants": [
                {
                    "sku": f"J-{size}", "price": "49.90", "compareAtPrice": "59.90", "barcode": f"40{place}",
                    "optionValues": [{"optionName": "Size", "name": size}, {"optionName": "Color", "name": "Red"}],
                    "inventoryItem": {"tracked": True, "cost": "12.50"},
                    "inventoryQuantities": [{"locationId": location, "name": "available", "quantity": 7 + place}],
                    "metafields": [
                        {"namespace": "custom", "key": "fit", "type": "number_integer", "value": str(place)}
                    ],
                }
                for place, size in enumerate(["S", "M"])
            ],
        }  # fmt: skip
        mug = {
            "title": "Mug", "handle": "mug", "status": "DRAFT",
            "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
            "variants": [{"price": "5.00", "optionValues": [{"optionName": "Title", "name": "Default Title"}]}],
        }  # fmt: skip
        gives = "product { id variants(first: 5) { nodes { id } } }"
        self.product = self.make("productSet", "input", "ProductSetInput!", gives, jacket)["product"]
        self.make("productSet", "input", "ProductSetInput!", gives, mug)
        publication = self.ask("{ publications(first: 1) { nodes { id } } }")["nodes"][0]["id"]
        where = [{"publicationId": publication}]
        self.make("publishablePublish", "input", "[PublicationInput!]!", "", where, id=self.product["id"])

    def _customers(self) -> None:
        ada = {
            "email": "ada@example.com", "firstName": "Ada", "lastName": "L", "tags": ["vip"], "note": "Fridays",
            "addresses": [ADDRESS, {**ADDRESS, "address1": "Gasse 2"}],
        }  # fmt: skip
        made = self.make("customerSet", "input", "CustomerSetInput!", "customer { id }", ada)
        self.customer = made["customer"]["id"]
        bob = {"email": "bob@example.com", "firstName": "Bob"}
        self.make("customerSet", "input", "CustomerSetInput!", "customer { id }", bob)
        state = {"marketingState": "SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN"}
        self.make(
            "customerEmailMarketingConsentUpdate", "input", "CustomerEmailMarketingConsentUpdateInput!", "",
            {"customerId": self.customer, "emailMarketingConsent": state},
        )  # fmt: skip
        field = {"namespace": "custom", "key": "size", "type": "single_line_text_field", "value": "M"}
        self.make("metafieldsSet", "metafields", "[MetafieldsSetInput!]!", "", [{"ownerId": self.customer, **field}])

    def _discounts(self) -> None:
        common = {
            "startsAt": "2026-01-01T00:00:00Z", "customerSelection": {"all": True}, "appliesOncePerCustomer": True,
            "combinesWith": {"orderDiscounts": True, "productDiscounts": False, "shippingDiscounts": False},
        }  # fmt: skip
        items = {"products": {"productsToAdd": [self.product["id"]]}}
        ten = {
            **common, "title": "Ten off", "code": "TEN", "customerGets": {"value": {"percentage": 0.1}, "items": items},
            "minimumRequirement": {"subtotal": {"greaterThanOrEqualToSubtotal": "20"}},
        }  # fmt: skip
        made = self.make(
            "discountCodeBasicCreate", "basicCodeDiscount", "DiscountCodeBasicInput!", "codeDiscountNode { id }", ten
        )
        self.make(
            "discountRedeemCodeBulkAdd", "codes", "[DiscountRedeemCodeInput!]!", "bulkCreation { id }",
            [{"code": f"TEN-{number}"} for number in range(120)], discountId=made["codeDiscountNode"]["id"],
        )  # fmt: skip
        free = {"discountOnQuantity": {"quantity": "1", "effect": {"percentage": 1.0}}}
        three = {
            **common, "title": "Three for two", "code": "THREE", "customerGets": {"items": items, "value": free},
            "customerBuys": {"items": items, "value": {"quantity": "2"}},
        }  # fmt: skip
        self.make("discountCodeBxgyCreate", "bxgyCodeDiscount", "DiscountCodeBxgyInput!", "", three)
        shipping = {**common, "title": "Free", "code": "FREE", "destination": {"countries": {"add": ["AT", "DE"]}}}
        kind = "DiscountCodeFreeShippingInput!"
        self.make("discountCodeFreeShippingCreate", "freeShippingCodeDiscount", kind, "", shipping)
        card = {"initialAmount": {"amount": "50.00", "currencyCode": "USD"}, "code": "GIFT1234ABCD", "note": "Thanks"}
        self.make("giftCardCreate", "input", "GiftCardCreateInput!", "", card)

    def _order(self) -> None:
        order = {
            "name": "#1001", "processedAt": "2026-02-01T10:00:00Z", "email": "ada@example.com", "tags": ["old"],
            "customer": {"toAssociate": {"id": self.customer}}, "currency": "USD",
            "lineItems": [
                {
                    "variantId": self.product["variants"]["nodes"][0]["id"], "quantity": 2, "priceSet": money("49.90"),
                    "taxLines": [{"title": "VAT", "rate": "0.2", "priceSet": money("19.96")}],
                },
                {"title": "Engraving", "quantity": 1, "priceSet": money("5.00"), "requiresShipping": False},
            ],
            "shippingLines": [{"title": "Post", "code": "post", "priceSet": money("4.90")}],
            "transactions": [
                {"kind": "SALE", "status": "SUCCESS", "gateway": "card", "amountSet": money("129.66")}
            ],
            "billingAddress": ADDRESS, "shippingAddress": ADDRESS,
            "customAttributes": [{"key": "gift", "value": "yes"}],
        }  # fmt: skip
        gives = (
            "order { id lineItems(first: 5) { nodes { id } } transactions(first: 5) { id }"
            " fulfillmentOrders(first: 5) { nodes { id } } }"
        )
        made = self.make("orderCreate", "order", "OrderCreateOrderInput!", gives, order)["order"]
        sent = {
            "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": made["fulfillmentOrders"]["nodes"][0]["id"]}],
            "trackingInfo": {"company": "Post", "numbers": ["RR1"]},
        }
        self.make("fulfillmentCreate", "fulfillment", "FulfillmentInput!", "fulfillment { id }", sent)
        line = made["lineItems"]["nodes"][0]["id"]
        paid = {"orderId": made["id"], "kind": "REFUND", "gateway": "card", "amount": "59.88"}
        refund = {
            "orderId": made["id"], "note": "One back",
            "refundLineItems": [{"lineItemId": line, "quantity": 1, "restockType": "NO_RESTOCK"}],
            "transactions": [{**paid, "parentId": made["transactions"][0]["id"]}],
        }  # fmt: skip
        self.ask(
            "mutation($it: RefundInput!) { refundCreate(input: $it) @idempotent(key: \"one\")"
            " { refund { id } userErrors { message } } }", it=refund,
        )  # fmt: skip

    def _content(self) -> None:
        news = {"title": "News", "handle": "news"}
        blog = self.make("blogCreate", "blog", "BlogCreateInput!", "blog { id }", news)["blog"]
        article = {
            "blogId": blog["id"], "title": "Hello", "handle": "hello", "body": "<p>Hi</p>", "tags": ["first"],
            "author": {"name": "Ada"}, "isPublished": True,
        }  # fmt: skip
        self.make("articleCreate", "article", "ArticleCreateInput!", "", article)
        page = {"title": "About", "handle": "about", "body": "<p>Us</p>", "isPublished": True}
        self.make("pageCreate", "page", "PageCreateInput!", "", page)
        redirect = {"path": "/old", "target": "/products/jacket"}
        self.make("urlRedirectCreate", "urlRedirect", "UrlRedirectInput!", "", redirect)

    def _market(self) -> None:
        regions = {"regionsCondition": {"regions": [{"countryCode": "AT"}]}}
        austria = {"name": "Austria", "status": "ACTIVE", "conditions": regions}
        market = self.make("marketCreate", "input", "MarketCreateInput!", "market { id }", austria)["market"]
        catalog = {"title": "Austria", "status": "ACTIVE", "context": {"marketIds": [market["id"]]}}
        made = self.make("catalogCreate", "input", "CatalogCreateInput!", "catalog { id }", catalog)["catalog"]
        prices = {
            "name": "Austria", "currency": "EUR", "catalogId": made["id"],
            "parent": {"adjustment": {"type": "PERCENTAGE_DECREASE", "value": 5}},
        }  # fmt: skip
        listed = self.make("priceListCreate", "input", "PriceListCreateInput!", "priceList { id }", prices)
        fixed = [
            {"variantId": variant["id"], "price": {"amount": "45.00", "currencyCode": "EUR"}}
            for variant in self.product["variants"]["nodes"]
        ]
        kind = "[PriceListPriceInput!]!"
        self.make("priceListFixedPricesAdd", "prices", kind, "", fixed, priceListId=listed["priceList"]["id"])

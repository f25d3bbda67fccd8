"""What is asked of a Shopify shop for each resource type.

Only what a new shop can take, or a mapping may want to see. Which documents that makes is in
`asking`; how the answers are read in `bulk` and `pages`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graftport_dagster.records import ResourceType
from graftport_dagster.sources.shopify.asking import Connection


@dataclass(frozen=True, slots=True)
class Wanted:
    """One root of the Admin API. `id_prefix`: in front of the number, where two roots give one type.

    `is_searched`: whether it can be asked for what changed since. `by_ids`: what has lists within lists, which bulk
    queries refuse: asked for the ids of those that have any.
    """

    root: Connection
    id_prefix: str = ""
    is_searched: bool = True
    in_bulk: bool = True
    by_ids: str = ""


_MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
_ADDRESS = "firstName lastName company address1 address2 city zip countryCodeV2 provinceCode phone"
_TAXES = f"taxLines {{ title rate channelLiable priceSet {_MONEY} }}"
_METAFIELDS = Connection("metafields", ("Metafield",), "namespace key type value", first=25)
_PUBLICATIONS = Connection(
    "resourcePublicationsV2", ("ResourcePublicationV2",), "isPublished publication { id name }", has_id=False, first=10
)


def _below(connection: Connection, part: int) -> Connection:
    return Connection(
        connection.name, connection.types, connection.fields, part=part, first=connection.first,
        has_id=connection.has_id,
    )  # fmt: skip


def _condition(kind: str, value: str) -> str:
    """One kind of condition; fields that are of other types elsewhere go by names of their own."""
    key = kind[0].lower() + kind[1:]
    given = f"{key}Value: value {value}" if value else "matchType values"
    return f"... on CollectionSourceInclusionCondition{kind} {{ {key}Relation: relation {given} }}"


_CONDITIONS = " ".join(
    [_condition(kind, "") for kind in ("ProductTag", "ProductTitle", "ProductType", "ProductVendor", "VariantTitle")]
    + [_condition(kind, "{ amount currencyCode }") for kind in ("VariantPrice", "VariantCompareAtPrice")]
    + ["... on CollectionSourceInclusionConditionVariantInventory"
       " { variantInventoryRelation: relation variantInventoryValue: value }",
       _condition("VariantWeight", "{ value unit }")]
)  # fmt: skip
_COLLECTIONS = Connection(
    "collections", ("Collection",),
    "handle title descriptionHtml sortOrder templateSuffix updatedAt seo { title description } image { url altText }"
    " ruleSet { appliedDisjunctively rules { column relation condition } }"
    " sources { __typename id title ... on CollectionConditionsSource {"
    f" inclusion {{ matchType conditions {{ __typename id {_CONDITIONS} }} }}"
    " exclusion { matchType conditions { __typename id } } } }",
    (_METAFIELDS, _PUBLICATIONS),
)  # fmt: skip

_PRODUCTS = Connection(
    "products", ("Product",),
    "handle title descriptionHtml vendor productType status tags templateSuffix isGiftCard createdAt updatedAt"
    " seo { title description } category { id } options { id name position optionValues { id name } }",
    (
        Connection(
            "variants", ("ProductVariant",),
            "title sku barcode price compareAtPrice position taxable taxCode inventoryPolicy"
            " selectedOptions { name value } image { url altText }"
            " inventoryItem { id tracked requiresShipping countryCodeOfOrigin provinceCodeOfOrigin harmonizedSystemCode"
            " unitCost { amount currencyCode } measurement { weight { value unit } } }",
            (
                _below(_METAFIELDS, 2),
                Connection(
                    "inventoryLevels", ("InventoryLevel",),
                    'location { id name } quantities(names: ["available"]) { name quantity }',
                    within="inventoryItem", part=2, first=10,
                ),
            ),
            first=50,
        ),
        Connection(
            "media", ("MediaImage", "Video", "ExternalVideo", "Model3d"),
            "alt mediaContentType ... on MediaImage { image { url } originalSource { url } }"
            " ... on ExternalVideo { originUrl }",
            first=25,
        ),
        _METAFIELDS,
        Connection("collections", ("Collection",),
            "handle ruleSet { rules { column } } sources { __typename id ... on CollectionConditionsSource {"
            " inclusion { conditions { id } } } }",
            first=25,
        ),
        _below(_PUBLICATIONS, 2),
    ),
)  # fmt: skip

_CUSTOMERS = Connection(
    "customers", ("Customer",),
    "firstName lastName locale note tags taxExempt taxExemptions state createdAt updatedAt"
    " defaultAddress { id }"
    " defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }"
    " defaultPhoneNumber { phoneNumber marketingState marketingOptInLevel marketingUpdatedAt }",
    (Connection("addressesV2", ("MailingAddress",), _ADDRESS, first=25), _METAFIELDS),
)  # fmt: skip

_DISCOUNT_ITEMS = (
    "items { __typename ... on AllDiscountItems { allItems }"
    " ... on DiscountProducts { products(first: 250) { pageInfo { hasNextPage } nodes { id } }"
    " productVariants(first: 250) { pageInfo { hasNextPage } nodes { id product { id } } } }"
    " ... on DiscountCollections { collections(first: 250) { pageInfo { hasNextPage } nodes { id } } } }"
)
_DISCOUNT_COMMON = (
    "title status startsAt endsAt usageLimit appliesOncePerCustomer asyncUsageCount tags updatedAt"
    " combinesWith { orderDiscounts productDiscounts shippingDiscounts }"
    " context { __typename ... on DiscountCustomers { customers { id } }"
    " ... on DiscountCustomerSegments { segments { id name } } }"
)
_MINIMUM = (
    "minimumRequirement { __typename ... on DiscountMinimumQuantity { greaterThanOrEqualToQuantity }"
    " ... on DiscountMinimumSubtotal { greaterThanOrEqualToSubtotal { amount } } }"
)
_AMOUNT = (
    "... on DiscountPercentage { percentage }"
    " ... on DiscountAmount { amount { amount currencyCode } appliesOnEachItem }"
)
DISCOUNTS = ("DiscountCodeBasic", "DiscountCodeBxgy", "DiscountCodeFreeShipping")
_DISCOUNTS = Connection(
    "codeDiscountNodes", ("DiscountCodeNode",),
    f"codeDiscount {{ __typename"
    f" ... on DiscountCodeBasic {{ {_DISCOUNT_COMMON} {_MINIMUM} customerGets {{ value {{ __typename {_AMOUNT} }}"
    f" {_DISCOUNT_ITEMS} }} }}"
    f" ... on DiscountCodeBxgy {{ {_DISCOUNT_COMMON} usesPerOrderLimit"
    f" customerBuys {{ value {{ __typename ... on DiscountQuantity {{ quantity }}"
    f" ... on DiscountPurchaseAmount {{ amount }} }} {_DISCOUNT_ITEMS} }}"
    f" customerGets {{ value {{ __typename ... on DiscountOnQuantity {{ quantity {{ quantity }}"
    f" effect {{ __typename {_AMOUNT} }} }} }} {_DISCOUNT_ITEMS} }} }}"
    f" ... on DiscountCodeFreeShipping {{ {_DISCOUNT_COMMON} {_MINIMUM} maximumShippingPrice {{ amount }}"
    f" destinationSelection {{ __typename ... on DiscountCountries {{ countries includeRestOfWorld }} }} }} }}",
    (Connection("codes", ("DiscountRedeemCode",), "code", within="codeDiscount", on=DISCOUNTS, first=50),),
)  # fmt: skip

_GIFT_CARDS = Connection(
    "giftCards", ("GiftCard",),
    "lastCharacters maskedCode enabled deactivatedAt expiresOn note createdAt updatedAt"
    " initialValue { amount currencyCode } balance { amount currencyCode } customer { id }",
)  # fmt: skip

# Lists of an order that Shopify gives without saying whether they go on.
ENDLESS, LONGEST = ("refunds", "fulfillments", "transactions"), 100
_ORDERS = Connection(
    "orders", ("Order",),
    "name email phone note tags test poNumber sourceName sourceIdentifier currencyCode presentmentCurrencyCode"
    " taxesIncluded createdAt processedAt updatedAt closedAt cancelledAt cancelReason displayFinancialStatus"
    " displayFulfillmentStatus discountCodes customer { id } customAttributes { key value }"
    f" billingAddress {{ {_ADDRESS} }} shippingAddress {{ {_ADDRESS} }} {_TAXES}"
    f" totalDiscountsSet {_MONEY} totalPriceSet {_MONEY}"
    f" refunds(first: {LONGEST}) {{ id }} fulfillments(first: {LONGEST}) {{ id }}"
    f" transactions(first: {LONGEST}) {{ id kind status gateway authorizationCode processedAt test amountSet {_MONEY}"
    " parentTransaction { id } }",
    (
        Connection(
            "lineItems", ("LineItem",),
            "title variantTitle sku vendor quantity requiresShipping taxable isGiftCard product { id } variant { id }"
            f" customAttributes {{ key value }} originalUnitPriceSet {_MONEY} {_TAXES}"
            f" discountAllocations {{ allocatedAmountSet {_MONEY} }}",
            first=25,
        ),
        Connection(
            "shippingLines", ("ShippingLine",),
            f"title code source originalPriceSet {_MONEY} discountedPriceSet {_MONEY} {_TAXES}", first=5,
        ),
        _METAFIELDS,
    ),
)  # fmt: skip
_ORDERS_BY_IDS = (
    "query Parts($ids: [ID!]!) { shop { id } nodes(ids: $ids) { ... on Order { id"
    f" refunds(first: {LONGEST}) {{ id note createdAt processedAt"
    f" totalRefundedSet {_MONEY}"
    " refundLineItems(first: 50) { pageInfo { hasNextPage } nodes { quantity restockType lineItem { id } } }"
    f" refundShippingLines(first: 10) {{ pageInfo {{ hasNextPage }} nodes {{ subtotalAmountSet {_MONEY} }} }}"
    f" transactions(first: 10) {{ pageInfo {{ hasNextPage }} nodes {{ id kind gateway status amountSet {_MONEY}"
    " parentTransaction { id } } } }"
    f" fulfillments(first: {LONGEST}) {{ id status createdAt trackingInfo(first: 10) {{ company number url }}"
    " fulfillmentLineItems(first: 50) { pageInfo { hasNextPage } nodes { quantity lineItem { id } } } } } } }"
)

_ARTICLES = Connection(
    "articles", ("Article",),
    "title handle body summary tags templateSuffix isPublished publishedAt createdAt updatedAt author { name }"
    " image { url altText } blog { id title handle commentPolicy templateSuffix }",
    (_METAFIELDS,),
)  # fmt: skip
_PAGES = Connection(
    "pages", ("Page",), "title handle body templateSuffix isPublished publishedAt createdAt updatedAt", (_METAFIELDS,)
)

_MARKETS = Connection(
    "markets", ("Market",),
    "name handle status currencySettings { localCurrencies baseCurrency { currencyCode } }"
    " conditions { regionsCondition { regions(first: 250) { pageInfo { hasNextPage }"
    " nodes { ... on MarketRegionCountry { code } } } } }",
    (
        Connection(
            "webPresences", ("MarketWebPresence",),
            "subfolderSuffix defaultLocale { locale } alternateLocales { locale } domain { id host }", first=10,
        ),
        Connection(
            "catalogs", ("MarketCatalog",),
            "title status priceList { id name currency parent { adjustment { type value } } }",
            (
                Connection(
                    "prices", ("PriceListPrice",),
                    "price { amount currencyCode } compareAtPrice { amount currencyCode }"
                    " variant { id product { id } }",
                    arguments="originType: FIXED", within="priceList", has_id=False, first=25,
                ),
            ),
            first=5,
        ),
    ),
    arguments="-",
)  # fmt: skip

_REDIRECTS = Connection("urlRedirects", ("UrlRedirect",), "path target")

WANTED: Mapping[ResourceType, tuple[Wanted, ...]] = {
    ResourceType.COLLECTIONS: (Wanted(_COLLECTIONS),),
    ResourceType.PRODUCTS: (Wanted(_PRODUCTS),),
    ResourceType.CUSTOMERS: (Wanted(_CUSTOMERS),),
    # A discount has no id within its node, so that bulk queries refuse its codes; markets likewise.
    ResourceType.DISCOUNT_CODES: (Wanted(_DISCOUNTS, in_bulk=False),),
    ResourceType.GIFT_CARDS: (Wanted(_GIFT_CARDS),),
    ResourceType.ORDERS: (Wanted(_ORDERS, by_ids=_ORDERS_BY_IDS),),
    ResourceType.BLOGS: (Wanted(_ARTICLES), Wanted(_PAGES, id_prefix="page-")),
    ResourceType.MARKETS: (Wanted(_MARKETS, is_searched=False, in_bulk=False),),
    ResourceType.REDIRECTS: (Wanted(_REDIRECTS, is_searched=False),),
}

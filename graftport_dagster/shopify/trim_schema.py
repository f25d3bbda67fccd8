"""Shopify's published Admin schema, reduced to what this project uses.

`python -m graftport_dagster.shopify.trim_schema WHOLE.json.gz` writes `admin_2026-10.json.gz`
beside this module, the same on every machine. The whole file is Shopify's, under
the ISC licence in `admin-schema-LICENSE.txt` (`npm pack @shopify/dev-mcp@1.16.0`, in it
`package/dist/data/admin_2026-10.json.gz`).

Of Shopify's roots stay MUTATIONS and QUERIES; every input type they take stays whole; of the
output types stay OUTPUTS, what lists, pages and answers them, and of their fields those that
lead nowhere else. Descriptions go. Checking payloads against the result is done in
`payload.py`, answering from it in the simulator.
"""

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

SCHEMA_FILE = Path(__file__).with_name("admin_2026-10.json.gz")

_Json = dict[str, Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MUTATIONS = _words("""
    productSet productCreate productUpdate productDelete productCreateMedia
    productVariantsBulkCreate productVariantsBulkUpdate productVariantsBulkDelete
    fileCreate fileUpdate fileDelete stagedUploadsCreate publishablePublish publishableUnpublish tagsAdd tagsRemove
    collectionCreate collectionUpdate collectionDelete
    customerSet customerCreate customerUpdate customerDelete
    customerAddressCreate customerAddressUpdate customerAddressDelete
    customerEmailMarketingConsentUpdate customerSmsMarketingConsentUpdate
    orderCreate orderUpdate orderDelete orderCancel orderClose refundCreate fulfillmentCreate
    discountCodeBasicCreate discountCodeBxgyCreate discountCodeFreeShippingCreate discountAutomaticBasicCreate
    discountCodeBasicUpdate discountCodeBxgyUpdate discountCodeFreeShippingUpdate
    discountCodeActivate discountCodeDeactivate discountCodeDelete discountRedeemCodeBulkAdd
    giftCardCreate giftCardUpdate giftCardCredit giftCardDebit giftCardDeactivate
    blogCreate blogUpdate blogDelete articleCreate articleUpdate articleDelete
    pageCreate pageUpdate pageDelete menuCreate
    urlRedirectCreate urlRedirectUpdate urlRedirectDelete urlRedirectImportCreate urlRedirectImportSubmit
    metafieldsSet metafieldsDelete metafieldDefinitionCreate
    metaobjectDefinitionCreate metaobjectUpsert metaobjectCreate
    inventorySetQuantities inventoryAdjustQuantities inventoryActivate inventoryItemUpdate
    locationAdd locationEdit locationActivate locationDeactivate
    discountCodeRedeemCodeBulkDelete menuUpdate menuDelete
    marketCreate marketUpdate marketDelete webPresenceCreate webPresenceUpdate webPresenceDelete
    catalogCreate catalogUpdate catalogDelete priceListCreate priceListUpdate priceListDelete
    priceListFixedPricesAdd priceListFixedPricesDelete
    translationsRegister bulkOperationRunMutation bulkOperationRunQuery bulkOperationCancel webhookSubscriptionCreate
""")  # fmt: skip

QUERIES = _words("""
    shop currentAppInstallation publicApiVersions location locations locationByIdentifier publications
    product products productsCount productByIdentifier productOperation
    productVariant productVariants productVariantByIdentifier
    collection collections collectionsCount collectionByIdentifier
    customer customers customersCount customerByIdentifier order orders ordersCount orderByIdentifier
    codeDiscountNode codeDiscountNodes codeDiscountNodeByCode discountRedeemCodeBulkCreation
    discountCodesCount giftCard giftCards giftCardsCount blog blogs blogsCount article articles page pages pagesCount
    menu menus
    market markets catalog catalogs priceList priceLists webPresences
    urlRedirect urlRedirects urlRedirectsCount urlRedirectImport
    metafieldDefinition metafieldDefinitions metaobject metaobjectByHandle metaobjectDefinitionByType
    inventoryItem inventoryItems inventoryLevel fulfillmentOrder fulfillment refund
    bulkOperation bulkOperations currentBulkOperation files job node nodes
""")  # fmt: skip

OUTPUTS = _words("""
    Shop ShopPlan ShopAddress ShopResourceLimits ShopFeatures Domain CurrencyFormats AppInstallation AccessScope App
    ApiVersion Node LegacyInteroperability Navigable OnlineStorePreviewable HasMetafields HasMetafieldDefinitions
    HasPublishedTranslations Translation Count Job PageInfo UserError DisplayableError
    Publishable Publication ResourcePublication ResourcePublicationV2
    Product ProductVariant ProductOption ProductOptionValue ProductOptionValueSwatch SelectedOption LinkedMetafield SEO
    ProductCompareAtPriceRange ProductPriceRangeV2 TaxonomyCategory UnitPriceMeasurement
    ProductOperation ProductSetOperation ProductDeleteOperation
    Media MediaImage MediaImageOriginalSource MediaPreviewImage MediaError MediaWarning Video ExternalVideo
    Model3d GenericFile File FileError Image StagedMediaUploadTarget StagedUploadParameter
    Collection CollectionRuleSet CollectionRule CollectionRuleConditionObject CollectionRuleTextCondition
    CollectionSource CollectionConditionsSource CollectionSubCollectionsSource CollectionSourceInclusion
    CollectionSourceExclusion CollectionInclusionProductSelection CollectionExclusionProductSelection
    CollectionSourceInclusionCondition CollectionSourceInclusionConditionProductCategory
    CollectionSourceInclusionConditionProductCategoryValue CollectionSourceInclusionConditionProductStatus
    CollectionSourceInclusionConditionProductTag CollectionSourceInclusionConditionProductTitle
    CollectionSourceInclusionConditionProductType CollectionSourceInclusionConditionProductVendor
    CollectionSourceInclusionConditionVariantCompareAtPrice CollectionSourceInclusionConditionVariantInventory
    CollectionSourceInclusionConditionVariantPrice CollectionSourceInclusionConditionVariantTitle
    CollectionSourceInclusionConditionVariantWeight CollectionSourceInclusionConditionUnknown
    CollectionSourceExclusionCondition CollectionSourceExclusionConditionProductTag
    CollectionSourceExclusionConditionProductType CollectionSourceExclusionConditionProductVendor
    CollectionSourceExclusionConditionUnknown
    Customer CustomerEmailAddress CustomerPhoneNumber CustomerEmailMarketingConsentState
    CustomerSmsMarketingConsentState CustomerSmsMarketingConsent CustomerStatistics MailingAddress
    Order OrderApp OrderCancellation LineItem LineItemGroup Attribute TaxLine MoneyBag MoneyV2 ShippingLine
    DiscountApplication DiscountCodeApplication ManualDiscountApplication AutomaticDiscountApplication
    ScriptDiscountApplication DiscountAllocation PricingValue PricingPercentageValue
    OrderTransaction TransactionFee Refund RefundLineItem RefundShippingLine OrderAdjustment
    Fulfillment FulfillmentLineItem FulfillmentTrackingInfo FulfillmentOrder FulfillmentOrderLineItem
    FulfillmentOrderAssignedLocation FulfillmentOrderDestination
    DiscountCodeNode DiscountAutomaticNode DiscountCode DiscountAutomatic DiscountCodeBasic DiscountCodeBxgy
    DiscountCodeFreeShipping DiscountAutomaticBasic DiscountRedeemCode DiscountRedeemCodeBulkCreation
    DiscountRedeemCodeBulkCreationCode DiscountCombinesWith DiscountContext DiscountBuyerSelectionAll
    DiscountBuyerSelection DiscountCustomers DiscountCustomerSegments DiscountMarkets Segment
    DiscountCustomerSelection DiscountCustomerAll DiscountCustomerGets DiscountCustomerGetsValue
    DiscountCustomerBuys DiscountCustomerBuysValue DiscountAmount DiscountPercentage DiscountOnQuantity
    DiscountEffect DiscountItems AllDiscountItems DiscountProducts DiscountCollections DiscountQuantity
    DiscountPurchaseAmount DiscountMinimumRequirement DiscountMinimumQuantity DiscountMinimumSubtotal
    DiscountShippingDestinationSelection DiscountCountryAll DiscountCountries
    GiftCard GiftCardRecipient GiftCardTransaction GiftCardCreditTransaction GiftCardDebitTransaction
    Blog Article ArticleAuthor Page Menu MenuItem UrlRedirect UrlRedirectImport UrlRedirectImportPreview
    Metafield MetafieldDefinition MetafieldDefinitionType MetafieldDefinitionValidation MetafieldCapabilities
    MetafieldCapabilityUniqueValues MetafieldCapabilityAdminFilterable MetafieldCapabilitySmartCollectionCondition
    MetafieldAccess MetafieldIdentifier MetafieldReference
    Metaobject MetaobjectField MetaobjectDefinition MetaobjectFieldDefinition
    InventoryItem InventoryItemMeasurement Weight InventoryLevel InventoryQuantity InventoryAdjustmentGroup
    InventoryChange Location LocationAddress
    Market MarketConditions MarketCurrencySettings CurrencySetting MarketRegion MarketRegionCountry RegionsCondition
    MarketWebPresence MarketWebPresenceRootUrl LocationsCondition Catalog MarketCatalog
    PriceList PriceListParent PriceListAdjustment PriceListAdjustmentSettings
    PriceListPrice ShopLocale
    BulkOperation WebhookSubscription
""")  # fmt: skip

# What graphql-core's build_client_schema reads, and what Shopify adds for payload and scope checks.
_TYPE_KEYS = ("kind", "name", "isOneOf", "fields", "inputFields", "interfaces", "enumValues", "possibleTypes",
              "requiredAccess")  # fmt: skip
_FIELD_KEYS = ("name", "args", "type", "isDeprecated", "deprecationReason", "requiredAccess")
_INPUT_KEYS = ("name", "type", "defaultValue", "isDeprecated", "deprecationReason", "gidTypes")
_ENUM_KEYS = ("name", "isDeprecated", "deprecationReason")
_DIRECTIVE_KEYS = ("name", "locations", "args")
_BUILT_IN = ("__", "String", "Int", "Float", "Boolean", "ID")


def trim(whole: _Json) -> _Json:
    """The reduced introspection answer, `{"data": {"__schema": …}}`, types in Shopify's order.

    Raises KeyError for a root or output type that Shopify's file does not have.
    """
    schema = whole["data"]["__schema"]
    types = {item["name"]: item for item in schema["types"]}
    roots = {schema["queryType"]["name"]: QUERIES, schema["mutationType"]["name"]: MUTATIONS}
    for root, names in roots.items():
        _refuse_unknown(names, (field["name"] for field in types[root]["fields"]))
    _refuse_unknown(OUTPUTS, types)
    allowed = _allowed(types, roots)
    kept = _reached(types, roots, allowed)
    trimmed = {
        "queryType": schema["queryType"],
        "mutationType": schema["mutationType"],
        "subscriptionType": None,
        "types": [_type(item, kept, roots.get(item["name"])) for item in schema["types"] if item["name"] in kept],
        "directives": [_directive(item) for item in schema["directives"]],
    }
    return {"data": {"__schema": trimmed}}


def _refuse_unknown(wanted: Iterable[str], known: Iterable[str]) -> None:
    if unknown := set(wanted) - set(known):
        raise KeyError(f"not in Shopify's schema: {', '.join(sorted(unknown))}")


def _named(reference: _Json) -> str:
    while reference["ofType"]:
        reference = reference["ofType"]
    return str(reference["name"])


def _allowed(types: _Json, roots: dict[str, frozenset[str]]) -> set[str]:
    """Names of every type that may stay: outputs listed, their pages, answers of kept mutations, all leaves."""
    allowed = {name for name, item in types.items() if item["kind"] in ("SCALAR", "ENUM", "INPUT_OBJECT")}
    allowed |= OUTPUTS | set(roots)
    for root, names in roots.items():
        payloads = {_named(field["type"]) for field in types[root]["fields"] if field["name"] in names}
        allowed |= {name for name in payloads if name.endswith("Payload")}
    allowed |= {name for name in types if name.endswith("Error") and _is_user_error(types[name])}
    for name, item in types.items():
        if name.endswith(("Connection", "Edge")) and item["kind"] == "OBJECT":
            node = next((field for field in item["fields"] if field["name"] in ("nodes", "node")), None)
            if node and _named(node["type"]) in OUTPUTS:
                allowed.add(name)
    return allowed


def _is_user_error(item: _Json) -> bool:
    return item["kind"] == "OBJECT" and {"field", "message"} <= {field["name"] for field in item["fields"]}


def _reached(types: _Json, roots: dict[str, frozenset[str]], allowed: set[str]) -> set[str]:
    """What can be asked for or sent from the roots without leaving `allowed`."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in reached or name not in allowed:
            continue
        reached.add(name)
        waiting.extend(_leads_to(types[name], allowed, roots.get(name)))
    return reached


def _leads_to(item: _Json, allowed: set[str], only: frozenset[str] | None) -> Iterator[str]:
    for field in item["fields"] or ():
        if (only is None or field["name"] in only) and _named(field["type"]) in allowed:
            yield _named(field["type"])
            yield from (_named(argument["type"]) for argument in field["args"])
    yield from (_named(field["type"]) for field in item["inputFields"] or ())
    yield from (other["name"] for other in item["interfaces"] or ())
    # Only listed ones: every user error there is implements DisplayableError.
    yield from (other["name"] for other in item["possibleTypes"] or () if other["name"] in OUTPUTS)


def _type(item: _Json, kept: set[str], only: frozenset[str] | None) -> _Json:
    trimmed = {key: item[key] for key in _TYPE_KEYS if item[key] is not None}
    if item["fields"] is not None:
        trimmed["fields"] = [
            _pick(field, _FIELD_KEYS) | {"args": [_pick(argument, _INPUT_KEYS) for argument in field["args"]]}
            for field in item["fields"]
            if (only is None or field["name"] in only) and _named(field["type"]) in kept
        ]
    if item["inputFields"] is not None:
        trimmed["inputFields"] = [_pick(field, _INPUT_KEYS) for field in item["inputFields"]]
    if item["enumValues"] is not None:
        trimmed["enumValues"] = [_pick(value, _ENUM_KEYS) for value in item["enumValues"]]
    for key in ("interfaces", "possibleTypes"):
        if item[key] is not None:
            trimmed[key] = [other for other in item[key] if other["name"] in kept]
    return trimmed


def _directive(item: _Json) -> _Json:
    return _pick(item, _DIRECTIVE_KEYS) | {"args": [_pick(argument, _INPUT_KEYS) for argument in item["args"]]}


def _pick(item: _Json, keys: tuple[str, ...]) -> _Json:
    return {key: item[key] for key in keys if item.get(key) is not None}


def packed(trimmed: _Json) -> bytes:
    """The schema as it is shipped: compact JSON, gzip without time or name."""
    text = json.dumps(trimmed, separators=(",", ":"), ensure_ascii=False).encode()
    return gzip.compress(text, compresslevel=9, mtime=0)


def main(arguments: list[str]) -> int:
    """Trim the file named by the one argument; 0 when the schema was written, 2 for wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m graftport_dagster.shopify.trim_schema WHOLE.json.gz\n")
        return 2
    whole = json.loads(gzip.decompress(Path(arguments[0]).read_bytes()))
    SCHEMA_FILE.write_bytes(packed(trim(whole)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

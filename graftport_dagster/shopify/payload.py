"""Whether Shopify will take a staged record, asked before it is staged.

A staged record is an envelope: `input`, Shopify's own input object, and beside it what Shopify
takes through other calls, in Shopify's names. Types and required fields come from the shipped
schema through `input_types.py`; here is which type belongs to which resource type, what may
stand beside it, and the limits Shopify enforces but does not write into its schema (each
recorded from real answers). Whether a record is staged is decided in `transform/`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from graftport_dagster.records import JsonObject, ResourceType, canonical_json
from graftport_dagster.shopify.input_types import InputTypes, ObjectCheck, list_of
from graftport_dagster.shopify.problems import PayloadProblem, Place, Problems
from graftport_dagster.shopify.scalars import Check, gid, kind_of, number, reference, text, truth, url
from graftport_dagster.shopify.variants import check_variants

__all__ = ["PayloadProblem", "check"]


def check(resource_type: ResourceType, envelope: JsonObject) -> tuple[JsonObject, list[PayloadProblem]]:
    """The envelope as it is to be staged, and all that is wrong with it (nothing: Shopify's schema takes it).

    Single values stand in lists where Shopify wants lists, amounts are text. References
    (`{"$ref": …}`) stay, wherever an id belongs. The envelope given is not changed.
    """
    problems = Problems()
    result = _envelopes()[resource_type](envelope, None, problems)
    if not problems.found:
        _whole_envelope(resource_type, result, problems)
    return result, problems.found


def _whole_envelope(resource_type: ResourceType, envelope: JsonObject, problems: Problems) -> None:
    """What can only be seen of the envelope as a whole; its parts are right by now."""
    payload = envelope["input"]
    for name in _NEEDED.get(resource_type, ()):
        if payload.get(name) in (None, "", []):
            place: Place = ((None, "input"), name)
            problems.add(place, "REQUIRED", f"{name} is missing.", "Give it in the mapping.")
    if resource_type is ResourceType.PRODUCTS:
        check_variants(payload, problems)
    elif resource_type is ResourceType.DISCOUNT_CODES:
        _check_discount(payload, problems)
    elif resource_type is ResourceType.ORDERS:
        _check_order(payload, problems)
    elif resource_type is ResourceType.BLOGS:
        _check_article(envelope, problems)
    elif resource_type is ResourceType.MARKETS:
        _check_market(envelope, problems)
    _check_parts(envelope, problems)
    try:
        canonical_json(envelope)
    except (TypeError, ValueError) as error:
        problems.add(
            (None, "input"), "NOT_JSON", f"Cannot be written as JSON: {error}.", "Texts must be valid Unicode."
        )


# Without these Shopify refuses the create, or a lost answer could not be followed up.
_NEEDED: Mapping[ResourceType, Sequence[str]] = {
    ResourceType.GIFT_CARDS: ("code", "initialAmount"),
    ResourceType.ORDERS: ("lineItems",),
    ResourceType.BLOGS: ("handle",),
    ResourceType.REDIRECTS: ("path", "target"),
}


def _check_discount(payload: JsonObject, problems: Problems) -> None:
    for kind, discount in payload.items():
        for name in ("code", "startsAt"):
            if not discount.get(name):
                place: Place = (((None, "input"), kind), name)
                problems.add(place, "REQUIRED", f"{name} is missing.", "Give it in the mapping.")


def _check_order(payload: JsonObject, problems: Problems) -> None:
    if payload.get("taxLines") and any(line.get("taxLines") for line in payload.get("lineItems") or ()):
        problems.add(((None, "input"), "taxLines"), "TAX_LINES_TWICE", "Tax lines on the order and on its lines.",
                     "Give them on one of the two.")  # fmt: skip


def _check_article(envelope: JsonObject, problems: Problems) -> None:
    """An article stands in a blog, which is known by its handle; a page stands alone."""
    if envelope.get("content_type") == "page" or envelope["input"].get("blogId"):
        return
    if not (envelope.get("blog") or {}).get("handle"):
        problems.add(((None, "blog"), "handle"), "REQUIRED", "An article needs the handle of its blog.",
                     'Give blog: {"title": …, "handle": …}, or content_type: "page".')  # fmt: skip


def _check_market(envelope: JsonObject, problems: Problems) -> None:
    """Price lists stand in catalogs, the i-th in the i-th; fixed prices in the first price list."""
    lists, catalogs = envelope.get("priceLists") or (), envelope.get("catalogs") or ()
    if len(lists) > len(catalogs):
        problems.add((None, "priceLists"), "NO_CATALOG", f"{len(lists)} price lists for {len(catalogs)} catalogs.",
                     "Give one catalog for each price list, in the same order.")  # fmt: skip
    if envelope.get("prices") and not lists:
        problems.add((None, "prices"), "NO_PRICE_LIST", "Fixed prices without a price list.", "Give priceLists.")
    for index, presence in enumerate(envelope.get("webPresences") or ()):
        if not presence.get("subfolderSuffix") and not presence.get("domainId"):
            problems.add((((None, "webPresences"), index), "subfolderSuffix"), "REQUIRED",
                         "A web presence needs subfolderSuffix or domainId.", "Give one of them.")  # fmt: skip


def _check_parts(envelope: JsonObject, problems: Problems) -> None:
    """Ids of parts: one for each, none twice."""
    given = envelope["input"]
    lists = {
        "variant": given.get("variants"), "image": given.get("files"), "address": given.get("addresses"),
        "line_item": given.get("lineItems"), "transaction": given.get("transactions"),
        "refund": envelope.get("refunds"), "fulfillment": envelope.get("fulfillments"),
        "web_presence": envelope.get("webPresences"), "catalog": envelope.get("catalogs"),
        "price_list": envelope.get("priceLists"),
    }  # fmt: skip
    for part in ("refund", "fulfillment"):
        if lists[part] and not (envelope.get("parts") or {}).get(part):
            problems.add(((None, "parts"), part), "REQUIRED", f"parts.{part} is missing.",
                         f"Give the source's id of each {part}, so that none is made twice.")  # fmt: skip
    for part, ids in (envelope.get("parts") or {}).items():
        place: Place = ((None, "parts"), part)
        if len(set(ids)) != len(ids):
            problems.add(place, "DUPLICATE_PART", f"Two {part} parts have the same id.")
        parts = lists.get(part)
        if parts is not None and len(parts) != len(ids):
            problems.add(place, "PARTS_DO_NOT_MATCH", f"{len(ids)} ids for {len(parts)} of {part}.",
                         "Give one id for each, in the same order.")  # fmt: skip


def _longest(most: int, *, blank: bool = True) -> Check:
    def rule(value: Any, place: Place, problems: Problems) -> Any:
        if type(value) is str:
            if len(value) > most:
                problems.add(place, "TOO_LONG", f"{len(value)} characters, where Shopify takes {most}.",
                             f"Write $truncate(…, {most}) around it.")  # fmt: skip
            elif not blank and not value.strip():
                problems.add(place, "BLANK", "Empty, and Shopify wants it filled.", "Leave it out, or give it a value.")
        return value

    return rule


def _between(least: float, most: float, words: str) -> Check:
    def rule(value: Any, place: Place, problems: Problems) -> Any:
        try:
            amount = float(value)
        except (TypeError, ValueError, OverflowError):
            return value
        if not least <= amount <= most:
            problems.add(place, "OUT_OF_RANGE", f"Must be {words}.")
        return value

    return rule


def _each(rule: Check) -> Check:
    def rules(value: Any, place: Place, problems: Problems) -> Any:
        if type(value) is list:
            for index, item in enumerate(value):
                rule(item, (place, index), problems)
        return value

    return rules


def _refused(why: str) -> Check:
    def rule(value: Any, place: Place, problems: Problems) -> Any:
        problems.add(place, "NOT_ALLOWED", why, "Leave it out of the mapping.")
        return value

    return rule


def _path_of_shop(value: Any, place: Place, problems: Problems) -> Any:
    if type(value) is str and not value.startswith("/"):
        problems.add(place, "BAD_PATH", "A path begins with /.")
    return value


def _target(value: Any, place: Place, problems: Problems) -> Any:
    """A path, an address, or a reference that stands for the address of what it refers to."""
    if type(value) is dict:
        return reference(value, place, problems)
    if type(value) is str and not value.startswith("/"):
        return url(value, place, problems)
    return text(value, place, problems)


def _text_or_reference(value: Any, place: Place, problems: Problems) -> Any:
    """The text of a metafield, or what one of a reference type points at."""
    return reference(value, place, problems) if type(value) is dict else text(value, place, problems)


def _code_of_gift_card(value: Any, place: Place, problems: Problems) -> Any:
    if type(value) is str and not (8 <= len(value) <= 20 and value.isascii() and value.isalnum()):
        problems.add(place, "BAD_CODE", "A gift card's code has 8 to 20 letters and digits.")
    return value


def _further_code(value: Any, place: Place, problems: Problems) -> Any:
    return _NAME(text(value, place, problems), place, problems)


def _kind_of_content(value: Any, place: Place, problems: Problems) -> Any:
    if value not in ("article", "page"):
        problems.add(place, "UNKNOWN_VALUE", "A content type is article or page.")
    return value


def _name_of_publication(value: Any, place: Place, problems: Problems) -> Any:
    return _NAME(text(value, place, problems), place, problems)


_NAME = _longest(255, blank=False)
_LINE = _longest(255)
_PRICE = _between(0, 1e18, "0 or more, and below 10^18")
_IDENTIFIED = _refused("The record's identity says which object is meant.")

_RULES: Mapping[tuple[str, str], Check] = {
    ("ProductSetInput", "id"): _IDENTIFIED,
    ("ProductSetInput", "title"): _NAME,
    ("ProductSetInput", "handle"): _LINE,
    ("ProductSetInput", "vendor"): _LINE,
    ("ProductSetInput", "productType"): _LINE,
    ("ProductSetInput", "tags"): _each(_LINE),
    ("ProductVariantSetInput", "price"): _PRICE,
    ("ProductVariantSetInput", "compareAtPrice"): _PRICE,
    ("InventoryItemInput", "cost"): _PRICE,
    ("ProductSetInventoryInput", "quantity"): _between(-1e9, 1e9, "between -1,000,000,000 and 1,000,000,000"),
    ("OptionSetInput", "name"): _NAME,
    ("OptionValueSetInput", "name"): _NAME,
    ("VariantOptionValueInput", "name"): _NAME,
    ("FileSetInput", "originalSource"): url,
    ("FileSetInput", "alt"): _longest(512),
    ("MetafieldInput", "key"): _longest(64),
    ("MetafieldInput", "namespace"): _LINE,
    ("CollectionCreateInput", "title"): _NAME,
    ("CollectionCreateInput", "handle"): _LINE,
    ("ImageInput", "src"): url,
    ("ArticleImageInput", "url"): url,
    ("CustomerSetInput", "id"): _IDENTIFIED,
    ("CustomerSetInput", "email"): _LINE,
    ("CustomerSetInput", "phone"): _LINE,
    ("CustomerSetInput", "firstName"): _LINE,
    ("CustomerSetInput", "lastName"): _LINE,
    ("CustomerSetInput", "note"): _longest(5000),
    ("CustomerSetInput", "tags"): _each(_LINE),
    ("MailingAddressInput", "address1"): _LINE,
    ("OrderCreateOrderInput", "tags"): _each(_LINE),
    ("DiscountCodeBasicInput", "code"): _LINE,
    ("DiscountCodeBxgyInput", "code"): _LINE,
    ("DiscountCodeFreeShippingInput", "code"): _LINE,
    ("DiscountEffectInput", "percentage"): _between(0, 1, "between 0 and 1 (0.25 is 25 %)"),
    ("DiscountCustomerGetsValueInput", "percentage"): _between(0, 1, "between 0 and 1 (0.25 is 25 %)"),
    ("GiftCardCreateInput", "code"): _code_of_gift_card,
    ("ArticleCreateInput", "title"): _NAME,
    ("ArticleCreateInput", "handle"): _longest(265),
    ("PageCreateInput", "title"): _NAME,
    ("PageCreateInput", "handle"): _LINE,
    ("BlogCreateInput", "title"): _NAME,
    ("BlogCreateInput", "handle"): _LINE,
    ("MarketCreateInput", "name"): _NAME,
    ("PriceListCreateInput", "name"): _NAME,
    ("CatalogCreateInput", "title"): _NAME,
    ("UrlRedirectInput", "path"): _path_of_shop,
}

_LENGTHS: Mapping[tuple[str, str], int] = {
    ("ProductSetInput", "variants"): 2048,
    ("ProductSetInput", "productOptions"): 3,
    ("OptionSetInput", "values"): 100,
    ("OrderCreateOrderInput", "lineItems"): 499,
}

_REPLACED: Mapping[tuple[str, str], Check] = {
    ("UrlRedirectInput", "target"): _target,
    ("MetafieldInput", "value"): _text_or_reference,
}


def _parts(value: Any, place: Place, problems: Problems) -> Any:
    if type(value) is not dict:
        problems.add(place, "WRONG_TYPE", f"{kind_of(value)} where parts and their ids belong.",
                     'Write {"variant": [ids in the order of the variants]}.')  # fmt: skip
        return value
    ids = list_of(text, 2048)
    return {part: ids(of_part, (place, part), problems) for part, of_part in value.items()}


def _refund(made: InputTypes) -> ObjectCheck:
    """Shopify's input; which order it is of is the loader's to say, for its transactions too."""
    whole = made.without("RefundInput", "orderId")
    transactions = list_of(made.without("OrderTransactionInput", "orderId"), 250)
    return ObjectCheck("RefundInput", {**whole.fields, "transactions": (transactions, True)}, whole.required,
                       is_one_of=False)  # fmt: skip


def _fulfillment(made: InputTypes) -> ObjectCheck:
    """Shopify's input, with lines of the order where Shopify wants lines of its fulfillment orders."""
    whole = made.without("FulfillmentInput", "lineItemsByFulfillmentOrder")
    line = ObjectCheck("A fulfillment's line", {
        "lineItemId": (gid(frozenset({"LineItem"})), False), "quantity": (made.named("Int"), False),
    }, {"lineItemId", "quantity"}, is_one_of=False)  # fmt: skip
    fields = {name: field for name, field in whole.fields.items() if name != "lineItemsByFulfillmentOrder"}
    fields["lineItems"] = (list_of(line, 499), True)
    return ObjectCheck("FulfillmentInput", fields, whole.required, is_one_of=False)


def _discount(made: InputTypes) -> ObjectCheck:
    """One of the inputs of Shopify's kinds of code discounts, under its argument's name."""
    kinds = {
        "basicCodeDiscount": "DiscountCodeBasicInput", "bxgyCodeDiscount": "DiscountCodeBxgyInput",
        "freeShippingCodeDiscount": "DiscountCodeFreeShippingInput",
    }  # fmt: skip
    fields = {name: (made.named(type_name), False) for name, type_name in kinds.items()}
    return ObjectCheck("A discount code's input", fields, set(), is_one_of=True)


@cache
def _envelopes() -> Mapping[ResourceType, ObjectCheck]:
    """The check of each resource type's envelope; made once, on first use."""
    made = InputTypes(rules=_RULES, lengths=_LENGTHS, replaced=_REPLACED)

    def many(name: str, *missing: str) -> Check:
        return list_of(made.without(name, *missing), 250)

    published: dict[str, Check] = {"publications": list_of(_name_of_publication, 250)}
    metafields = list_of(made.named("MetafieldInput"), 250)
    contents: Mapping[ResourceType, tuple[Check, dict[str, Check]]] = {
        ResourceType.COLLECTIONS: (made.named("CollectionCreateInput"), {
            **published,
            "hierarchy": ObjectCheck("Where a collection stands among others", {
                "parent": (text, True), "position": (number, True), "in_menu": (truth, True),
            }, set(), is_one_of=False),
        }),
        ResourceType.PRODUCTS: (made.named("ProductSetInput"), published),
        ResourceType.CUSTOMERS: (made.named("CustomerSetInput"), {
            "emailMarketingConsent": made.named("CustomerEmailMarketingConsentInput"),
            "smsMarketingConsent": made.named("CustomerSmsMarketingConsentInput"),
            "metafields": metafields,
        }),
        ResourceType.DISCOUNT_CODES: (_discount(made), {"codes": list_of(_further_code, 100_000)}),
        ResourceType.GIFT_CARDS: (made.named("GiftCardCreateInput"), {
            "debit": made.named("GiftCardDebitInput"), "deactivate": truth,
        }),
        ResourceType.ORDERS: (made.named("OrderCreateOrderInput"), {
            "options": made.named("OrderCreateOptionsInput"),
            "refunds": list_of(_refund(made), 250),
            "fulfillments": list_of(_fulfillment(made), 250),
            "source_totals": ObjectCheck("What an order cost in the source", {
                "total": (made.named("MoneyInput"), False), "refunded": (made.named("MoneyInput"), True),
            }, {"total"}, is_one_of=False),
        }),
        ResourceType.BLOGS: (made.named("ArticleCreateInput"), {
            "blog": made.named("BlogCreateInput"), "content_type": _kind_of_content,
        }),
        ResourceType.MARKETS: (made.named("MarketCreateInput"), {
            "webPresences": many("WebPresenceCreateInput"),
            "catalogs": many("CatalogCreateInput", "context"),
            "priceLists": many("PriceListCreateInput"),
            "prices": list_of(made.named("PriceListPriceInput"), 250_000),
        }),
        ResourceType.REDIRECTS: (made.named("UrlRedirectInput"), {}),
    }  # fmt: skip
    page = made.named("PageCreateInput")
    return {
        kind: _Envelope(kind, payload, beside, page if kind is ResourceType.BLOGS else None)
        for kind, (payload, beside) in contents.items()
    }


class _Envelope(ObjectCheck):
    """The whole of a staged record. `page`: what `input` is where the content type says page."""

    __slots__ = ("_page",)

    def __init__(
        self, resource_type: ResourceType, payload: Check, beside: Mapping[str, Check], page: Check | None
    ) -> None:
        self._page = page
        everywhere: dict[str, Check] = {
            "parts": _parts, "exclude": truth, "exclude_reason": text, "source_url_path": text,
        }  # fmt: skip
        fields = {name: (check, True) for name, check in {**beside, **everywhere}.items()}
        super().__init__(
            f"A staged record of {resource_type}", {"input": (payload, False)} | fields, {"input"}, is_one_of=False
        )

    def __call__(self, value: Any, place: Place, problems: Problems) -> Any:
        """The envelope put right, each type of content by its own input."""
        if self._page is not None and type(value) is dict and value.get("content_type") == "page":
            fields = {**self.fields, "input": (self._page, False)}
            return ObjectCheck(self.name, fields, self.required, is_one_of=False)(value, place, problems)
        return super().__call__(value, place, problems)

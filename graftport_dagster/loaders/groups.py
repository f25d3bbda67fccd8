"""Which group of fields each part of a payload belongs to, and the hash of each group.

Landed hashes are kept per group, so that a filtered load (`field_filter: {products: [price]}`)
sends only what it names, and what it leaves stays pending. Every field belongs to exactly one
group; what nobody claims is `content`. Here nothing is sent and nothing is stored.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from graftport_dagster.records import JsonObject, ResourceType, json_hash

CONTENT = "content"
# Carried by the envelope for our own use; no field of Shopify's.
_OURS = frozenset({"parts", "exclude", "exclude_reason", "source_url_path", "source_totals", "hierarchy"})


@dataclass(frozen=True)
class FieldGroups:
    """One resource type's groups: input fields, fields of each variant, siblings of `input`; the rest is content.

    `immutable`: groups that Shopify does not change once the object is there.
    """

    input: Mapping[str, str] = field(default_factory=dict)
    variant: Mapping[str, str] = field(default_factory=dict)
    siblings: Mapping[str, str] = field(default_factory=dict)
    immutable: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """The groups that a `field_filter` may name for this type."""
        return frozenset({CONTENT, *self.input.values(), *self.variant.values(), *self.siblings.values()})


FIELD_GROUPS: Mapping[ResourceType, FieldGroups] = {
    ResourceType.PRODUCTS: FieldGroups(
        input={
            "title": "title", "files": "images", "seo": "seo", "tags": "tags", "status": "status",
            "metafields": "metafields",
        },
        variant={
            "price": "price", "compareAtPrice": "price", "unitPriceMeasurement": "price",
            "inventoryQuantities": "stock", "file": "images", "metafields": "metafields",
        },
        siblings={"publications": "status"},
    ),
    ResourceType.COLLECTIONS: FieldGroups(
        input={"image": "image", "sources": "members", "products": "members", "ruleSet": "members"},
    ),
    ResourceType.CUSTOMERS: FieldGroups(
        input={"email": "contact", "phone": "contact", "firstName": "contact", "lastName": "contact",
               "addresses": "addresses", "tags": "tags"},
        siblings={"emailMarketingConsent": "marketing", "smsMarketingConsent": "marketing", "metafields": "metafields"},
    ),
    ResourceType.DISCOUNT_CODES: FieldGroups(siblings={"codes": "codes"}),
    ResourceType.GIFT_CARDS: FieldGroups(
        input={"code": "value", "initialAmount": "value", "initialValue": "value"},
        siblings={"debit": "balance", "deactivate": "status"},
        immutable=frozenset({"value"}),
    ),
    ResourceType.BLOGS: FieldGroups(
        input={"title": "title", "image": "image", "tags": "tags", "metafields": "metafields",
               "isPublished": "status", "publishDate": "status"},
    ),
    ResourceType.MARKETS: FieldGroups(
        siblings={"webPresences": "addresses", "catalogs": "price", "priceLists": "price", "prices": "price"},
    ),
    ResourceType.ORDERS: FieldGroups(
        input={
            "tags": "tags", "note": "note", "metafields": "metafields", "email": "contact", "phone": "contact",
            "shippingAddress": "contact", "poNumber": "contact", "customAttributes": "contact",
        },
        siblings={"refunds": "refunds", "fulfillments": "fulfillments"},
        immutable=frozenset({CONTENT}),
    ),
}  # fmt: skip


def field_groups(resource_type: ResourceType) -> FieldGroups:
    """The groups of a type; a type without any of its own has `content` alone."""
    return FIELD_GROUPS.get(resource_type, FieldGroups())


def group_hashes(resource_type: ResourceType, envelope: JsonObject) -> dict[str, str]:
    """The hash of each group that the payload has fields in; equal payloads give equal hashes."""
    groups = field_groups(resource_type)
    found: dict[str, dict[str, Any]] = {}
    for name, value in envelope.get("input", {}).items():
        if name == "variants" and isinstance(value, list):
            _split_variants(groups, value, found)
        else:
            found.setdefault(groups.input.get(name, CONTENT), {})[name] = value
    for name, value in envelope.items():
        if name != "input" and name not in _OURS:
            found.setdefault(groups.siblings.get(name, CONTENT), {})[f".{name}"] = value
    return {group: json_hash(fields) for group, fields in found.items()}


def _split_variants(groups: FieldGroups, variants: list[JsonObject], found: dict[str, dict[str, Any]]) -> None:
    for index, variant in enumerate(variants):
        for name, value in variant.items():
            group = groups.variant.get(name, CONTENT)
            found.setdefault(group, {}).setdefault(f"variants.{name}", {})[str(index)] = value


def immutable_fields(resource_type: ResourceType, before: JsonObject | None, now: JsonObject) -> list[str]:
    """The fields of immutable groups in which two envelopes differ, in the order of their names."""
    groups = field_groups(resource_type)
    old, new = (_flat(groups, envelope or {}) for envelope in (before, now))
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _flat(groups: FieldGroups, envelope: JsonObject) -> JsonObject:
    """The immutable fields of an envelope, those of `input` and its siblings side by side."""
    inside = {
        name: value
        for name, value in envelope.get("input", {}).items()
        if groups.input.get(name, CONTENT) in groups.immutable
    }
    beside = {
        name: value
        for name, value in envelope.items()
        if name != "input" and name not in _OURS and groups.siblings.get(name, CONTENT) in groups.immutable
    }
    return {**inside, **beside}


def select(
    resource_type: ResourceType, envelope: JsonObject, wanted: Collection[str], whole: Collection[int] = ()
) -> JsonObject:
    """The envelope with the wanted groups only, and the variants at these places whole: they are new.

    Variants keep what names them (`optionValues`, and `id` when known), and bring the options along, because
    Shopify takes both lists as a whole and together; without a wanted field they are left out, and so left alone.
    """
    groups = field_groups(resource_type)
    chosen: JsonObject = {}
    for name, value in envelope.get("input", {}).items():
        if name == "variants" and isinstance(value, list):
            variants = [
                variant if index in whole else _select_variant(groups, variant, wanted)
                for index, variant in enumerate(value)
            ]
            if CONTENT in wanted or any(set(variant) - {"optionValues", "id"} for variant in variants):
                chosen["variants"] = variants
                if "productOptions" in envelope["input"]:
                    chosen["productOptions"] = envelope["input"]["productOptions"]
        elif groups.input.get(name, CONTENT) in wanted:
            chosen[name] = value
    siblings = {
        name: value
        for name, value in envelope.items()
        if name != "input" and (name in _OURS or groups.siblings.get(name, CONTENT) in wanted)
    }
    return {"input": chosen, **siblings}


def _select_variant(groups: FieldGroups, variant: JsonObject, wanted: Collection[str]) -> JsonObject:
    return {
        name: value
        for name, value in variant.items()
        if name in {"optionValues", "id"} or groups.variant.get(name, CONTENT) in wanted
    }

"""How a product's variants are named: by the mapping's part ids, by SKU, or by their options."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from graftport_dagster.records import JsonObject, RecordKey, ResourceType

VARIANT = "variant"
Options = tuple[tuple[str, str], ...]


def variant_ids(envelope: Mapping[str, Any]) -> list[str]:
    """The part id of each variant: what the mapping gave in `parts.variant`, else the SKU, else its options.

    A SKU that several variants share (Shopify allows it) does not name one: those go by their options.
    """
    variants = envelope["input"].get("variants", ())
    given = (envelope.get("parts") or {}).get("variant")
    if given and len(given) == len(variants):
        return [str(part_id) for part_id in given]
    skus = [str(variant.get("sku") or "") for variant in variants]
    of_each = Counter(skus)
    return [
        sku if sku and of_each[sku] == 1 else "/".join(value for _, value in wanted_options(variant))
        for sku, variant in zip(skus, variants, strict=True)
    ]


def wanted_options(variant: JsonObject) -> Options:
    """The option values that make a variant of an input that variant."""
    return tuple(sorted((value["optionName"], value["name"]) for value in variant["optionValues"]))


def options_of(node: JsonObject) -> Options:
    """The same of a variant as Shopify shows it."""
    return tuple(sorted((option["name"], option["value"]) for option in node["selectedOptions"]))


def unknown_variants(source_id: str, envelope: JsonObject, parts: Mapping[RecordKey, Any]) -> Iterator[int]:
    """The places of variants that have not landed yet."""
    for index, part_id in enumerate(variant_ids(envelope)):
        if RecordKey(ResourceType.PRODUCTS, source_id, VARIANT, part_id) not in parts:
            yield index

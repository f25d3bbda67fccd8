"""Shopify's sample documents: the valid ones pass, the others are refused with Shopify's codes."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.shared

EXECUTED = (
    "collections", "content", "customers", "discounts", "giftcards", "inventory", "locations", "markets", "orders",
    "redirects", "shop",
)  # fmt: skip
REFUSED = {
    "article_update_missing_required": "INVALID_VARIABLE",
    "customerSet_metafields": "INVALID_VARIABLE",
    "inventorySet_compareQuantity_2025": "INVALID_VARIABLE",
    "missing_subselection": "selectionMismatch",
    "orderCreate_tax_line_without_rate": "INVALID_VARIABLE",
    "priceRule_removed_2026_10": "undefinedField",
    "productByIdentifier_two_keys": "INVALID_VARIABLE",
    "productSet_unknown_field": "INVALID_VARIABLE",
    "unused_variable": "variableNotUsed",
    "usererror_code_on_plain_usererror": "undefinedField",
}


def asked(shop: Any, path: Path) -> dict[str, Any]:
    variables = json.loads(path.with_suffix(".vars.json").read_text())
    answer: dict[str, Any] = shop.ask(path.read_text(), variables)
    return answer


def test_every_valid_document_is_valid_here(shop: Any, shared: Path) -> None:
    paths = [it for it in sorted((shared / "documents").glob("*/*.graphql")) if it.parent.name != "negative"]
    assert len(paths) > 60
    for path in paths:
        answer = asked(shop, path)
        codes = {it["extensions"]["code"] for it in answer.get("errors", ())}
        assert codes <= {"SIMULATOR_NOT_SUPPORTED", "NOT_FOUND"}, (path.name, answer)
        if path.parent.name in EXECUTED:
            assert "SIMULATOR_NOT_SUPPORTED" not in codes, (path.name, answer)


def test_every_invalid_document_is_refused_with_its_code(shop: Any, shared: Path) -> None:
    paths = sorted((shared / "documents" / "negative").glob("*.graphql"))
    assert {it.stem for it in paths} == set(REFUSED)
    for path in paths:
        answer = asked(shop, path)
        assert "data" not in answer, path.name
        assert answer["errors"][0]["extensions"]["code"] == REFUSED[path.stem], (path.name, answer)

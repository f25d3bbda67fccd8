"""Magento 2's native product export, read as it is, as products, collections and redirects.

One configurable product and the simple ones it names become one record under the parent's SKU;
every other product is a record of its own. Collections are the category paths that rows name,
redirects the addresses that products and categories had.

A record is given only when all its rows are sound: one bad row, a variant without a row, a
variant that another product has already, and the record is one `InvalidRow` for all its rows,
because Shopify replaces a product's variants whole. Rows stay counted either way.
Cells are parsed in `magento_values`; rows are given to their records in `magento_index`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.sources.magento_index import IndexedRow, MagentoIndex, is_unreadable
from graftport_dagster.sources.magento_values import (
    IMAGE_COLUMNS,
    CellError,
    associated,
    attributes,
    category_names,
    category_paths,
    images,
    option_rows,
    options,
    parent_path,
    slug,
    variations,
)  # fmt: skip

REQUIRED_COLUMNS = ("sku", "product_type")
TYPES = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS)
_HIDDEN = "Not Visible Individually"
_VARIANT_TYPES = frozenset({"simple", "virtual", "downloadable"})
_VARIANT_HINT = "Only simple, virtual and downloadable products can be variants."
_LISTS_OF_LISTS = frozenset({"configurable_variations", "bundle_values", "custom_options"})
_PARSED = IMAGE_COLUMNS | {
    "store_view_code", "categories", "additional_attributes", "configurable_variations",
    "configurable_variation_labels", "configurable_variation_prices", "bundle_values", "associated_skus",
    "custom_options",
}  # fmt: skip
_LISTS: dict[str, Callable[[str], list[dict[str, str]]]] = {
    "bundle_values": option_rows, "custom_options": option_rows, "associated_skus": associated,
}  # fmt: skip


@dataclass(slots=True)
class _Product:
    """The rows of one SKU within a record."""

    base: IndexedRow
    more: list[IndexedRow] = field(default_factory=list)
    views: list[IndexedRow] = field(default_factory=list)


class MagentoExport:
    """The three types of one indexed export."""

    def __init__(
        self, index: MagentoIndex, *, address_suffix: str, hidden_addresses: bool, category_ancestors: bool
    ) -> None:
        self._index = index
        self._suffix = address_suffix
        self._hidden_addresses = hidden_addresses
        self._ancestors = category_ancestors

    def read(self, resource_type: ResourceType) -> Iterator[SourceRecord | InvalidRow]:
        """Every record of one of the three types."""
        reading = {
            ResourceType.COLLECTIONS: self._collections, ResourceType.PRODUCTS: self._products,
            ResourceType.REDIRECTS: self._redirects,
        }  # fmt: skip
        return reading[resource_type]()

    # --- products -----------------------------------------------------------------------------------

    def _products(self) -> Iterator[SourceRecord | InvalidRow]:
        for rows in self._index.records():
            yield self._record(rows)

    def _record(self, rows: list[IndexedRow]) -> SourceRecord | InvalidRow:
        lead = rows[0].lead
        products = _by_sku(rows)
        faulty = [row for row in rows if row.fault]
        if faulty:
            return _spoiled(rows, faulty)
        orphan = self._ownerless(rows[0])
        if orphan:
            return _invalid(rows, rows[0], *orphan, rows_invalid=0)
        try:
            payload = _payload(products[lead])
            if payload["product_type"] == "configurable":
                found = variations(_merged(products[lead]).get("configurable_variations", ""))
                absent = self._absent_variant(lead, found, products)
                if absent:
                    return _invalid(rows, products[lead].base, *absent, rows_invalid=0)
                payload["variants"] = [_variant(products[sku], values) for sku, values in found]
        except CellError as error:
            return _invalid(rows, products[lead].base, error.code, error.reason, error.hint)
        return SourceRecord(lead, payload, rows=len(rows), origin=products[lead].base.origin)

    def _ownerless(self, row: IndexedRow) -> tuple[str, str, str] | None:
        """Why a hidden simple product may be a variant of an unreadable row, and so is no product of its own."""
        if not self._index.parents_unknown or row.lead != row.sku or row.type not in _VARIANT_TYPES:
            return None
        if row.cells.get("visibility") != _HIDDEN or self._index.is_part(row.sku):
            return None
        return (
            "OWNER_UNKNOWN", f"{row.sku} is not visible by itself, and its product may be one of the bad rows.",
            "Correct the other bad rows; this one is then read with its product.",
        )  # fmt: skip

    def _absent_variant(
        self, lead: str, found: list[tuple[str, dict[str, str]]], products: dict[str, _Product]
    ) -> tuple[str, str, str] | None:
        absent = [sku for sku, _ in found if sku not in products or sku == lead]
        if not absent:
            return None
        sku = absent[0]
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        row = self._index.find(sku)
        if row is None or row.kind == "bad":
            reason = f"{lead} has the variant {sku}{more}, but no readable row of the file is {sku}."
            lost = self._index.lost_rows
            where = f" Rows without a sku: {', '.join(lost[:3])}{' …' if len(lost) > 3 else ''}." if lost else ""
            return "MISSING_VARIANT_ROW", reason + where, "Export it too, or correct its row."
        if row.lead == row.sku:
            reason = f"{lead} has the variant {sku}{more}, which is a {row.type} product."
            return "VARIANT_TYPE", reason, _VARIANT_HINT
        reason = f"{lead} has the variant {sku}{more}, which belongs to {row.lead} already ({row.origin})."
        return "SHARED_VARIANT", reason, "Let one product alone have it; in Shopify a variant has one product."

    # --- collections --------------------------------------------------------------------------------

    def _collections(self) -> Iterator[SourceRecord | InvalidRow]:
        implied: set[str] = set()
        written = {path for path, _ in self._index.categories()} if self._ancestors else set()
        for path, origin in self._index.categories():
            for above in _ancestors(path) if self._ancestors else []:
                if above not in implied and above not in written:
                    implied.add(above)
                    yield SourceRecord(above, _category(above), origin=origin)
            yield SourceRecord(path, _category(path), origin=origin)

    # --- redirects ----------------------------------------------------------------------------------

    def _redirects(self) -> Iterator[SourceRecord | InvalidRow]:
        self._index.forget_addresses()
        for row in self._index.rows():
            address = self._address(row)
            if address and (redirect := self._redirect(row, address)):
                yield redirect
        for category, origin in self._index.categories():
            names = [slug(name) for name in category_names(category)[1:]]
            if names and all(names):
                path = f"/{'/'.join(names)}{self._suffix}"
                payload = {
                    "path": path, "target": {"resource_type": "collections", "source_id": category},
                    "category": category,
                }  # fmt: skip
                yield self._claim(path, category, payload, origin) or SourceRecord(path, payload, origin=origin)

    def _address(self, row: IndexedRow) -> str:
        visibility = row.cells.get("visibility", "")
        if row.kind not in ("base", "view") or (visibility == _HIDDEN and not self._hidden_addresses):
            return ""
        key = row.cells.get("url_key", "").strip()
        if not key and row.kind == "base" and row.lead == row.sku:
            key = slug(row.cells.get("name", ""))
        return f"/{key.strip('/')}{self._suffix}" if key and key.isprintable() else ""

    def _redirect(self, row: IndexedRow, path: str) -> SourceRecord | InvalidRow | None:
        payload = {
            "path": path, "target": {"resource_type": "products", "source_id": row.lead}, "sku": row.sku,
            "visibility": row.cells.get("visibility", ""),
        }  # fmt: skip
        first = self._index.claim_address(path, row.sku, row.origin)
        if first:
            return None if first[0] == row.sku else _duplicate(path, row.sku, first, payload, row.origin)
        if is_unreadable(row.lead) or self._ownerless(row):
            reason = f"The product that {row.sku} belongs to is an unreadable row."
            return InvalidRow(
                _json(payload), reason, "OWNER_UNKNOWN", row.origin, path, "Correct the unreadable row.", rows_invalid=0
            )
        return SourceRecord(path, payload, origin=row.origin)

    def _claim(self, path: str, category: str, payload: JsonObject, origin: str) -> InvalidRow | None:
        first = self._index.claim_address(path, category, origin)
        return _duplicate(path, category, first, payload, origin) if first else None


def _by_sku(rows: list[IndexedRow]) -> dict[str, _Product]:
    """The record's products; notes on rows what only their neighbours can tell (`fault`)."""
    products: dict[str, _Product] = {}
    for row in rows:
        known = products.get(row.sku)
        if row.kind in ("base", "bad"):
            if known is None:
                products[row.sku] = _Product(row)
            elif row.kind == "base":
                place = known.base.origin
                row.fault = row.fault or (
                    "DUPLICATE_ID",
                    f"{row.sku} has a row already ({place}).",
                    "Remove one of them.",
                )
    for row in rows:
        known = products.get(row.sku)
        if row.kind in ("view", "more"):
            if known is None:
                hint = "Export the default values too (a row with an empty store_view_code)."
                row.fault = row.fault or ("NO_DEFAULT_ROW", f"{row.sku} has no row of its own, only this one.", hint)
            else:
                (known.views if row.kind == "view" else known.more).append(row)
    _check_variants(products.get(rows[0].lead), products)
    return products


def _check_variants(lead: _Product | None, products: dict[str, _Product]) -> None:
    """A variant is a simple product with its parent's attribute set, where the attributes of its options are."""
    expected = lead.base.cells.get("attribute_set_code") if lead else None
    for product in products.values():
        if product is not lead and product.base.type not in _VARIANT_TYPES:
            what = f"is of type {product.base.type[:60]!r}"
            product.base.fault = product.base.fault or ("VARIANT_TYPE", f"The variant {what}.", _VARIANT_HINT)
        name = product.base.cells.get("attribute_set_code")
        if expected and name and name != expected:
            product.base.fault = product.base.fault or (
                "ATTRIBUTE_SET", f"{product.base.sku} has the attribute set {name[:60]}, its product {expected[:60]}.",
                "Give both the same attribute_set_code.",
            )  # fmt: skip


def _merged(product: _Product) -> dict[str, str]:
    """The row with the values that its continuation rows add."""
    if not product.more:
        return product.base.cells
    cells = dict(product.base.cells)
    for row in product.more:
        for column, value in row.cells.items():
            separator = "|" if column in _LISTS_OF_LISTS else ","
            present = cells.get(column, "")
            if column == "additional_attributes" and present:
                cells[column] = _merged_attributes(present, value)
            elif value not in present.split(separator):
                cells[column] = f"{present}{separator}{value}" if present else value
    return cells


def _merged_attributes(present: str, added: str) -> str:
    values = attributes(present)
    for code, value in attributes(added).items():
        if value not in values.get(code, "").split("|"):
            values[code] = f"{values[code]}|{value}" if values.get(code) else value
    return ",".join(f'{code}="{value.replace(chr(34), chr(34) * 2)}"' for code, value in values.items())


def _plain(product: _Product) -> tuple[JsonObject, dict[str, str]]:
    """What products and variants have in common, and the merged cells."""
    cells = _merged(product)
    payload: JsonObject = {column: value for column, value in cells.items() if column not in _PARSED}
    payload["additional_attributes"] = attributes(cells.get("additional_attributes", ""))
    payload["images"] = images(cells)
    return payload, cells


def _payload(product: _Product) -> JsonObject:
    payload, cells = _plain(product)
    found = variations(cells.get("configurable_variations", ""))
    payload["categories"] = list(category_paths(cells.get("categories", "")))
    payload["options"] = options(found, cells.get("configurable_variation_labels", ""))
    payload["variants"] = []
    payload["store_views"] = _store_views(product)
    for column, parse in _LISTS.items():
        if cells.get(column):
            payload[column] = parse(cells[column])
    return payload


def _variant(product: _Product, option_values: dict[str, str]) -> JsonObject:
    payload, _ = _plain(product)
    payload["option_values"] = option_values
    if product.views:
        payload["store_views"] = _store_views(product)
    return payload


def _store_views(product: _Product) -> dict[str, JsonObject]:
    views: dict[str, JsonObject] = {}
    for row in product.views:
        changed = views.setdefault(row.view, {})
        for column, value in row.cells.items():
            if column in ("sku", "store_view_code") or value == product.base.cells.get(column):
                continue
            parsed: Any = attributes(value) if column == "additional_attributes" else value
            changed[column] = list(category_paths(value)) if column == "categories" else parsed
    return views


def _spoiled(rows: list[IndexedRow], faulty: list[IndexedRow]) -> InvalidRow:
    code, reason, hint = faulty[0].fault or ("", "", "")
    is_named = is_unreadable(faulty[0].sku) or reason.startswith(faulty[0].sku)
    sku = "" if is_named else f"{faulty[0].sku}: "
    places = ", ".join(row.origin for row in faulty[1:6])
    more = f" Also bad: {places}{' …' if len(faulty) > 6 else ''}." if places else ""
    return _invalid(rows, faulty[0], code, f"{sku}{reason}{more}", hint, rows_invalid=len(faulty))


def _invalid(
    rows: list[IndexedRow], at: IndexedRow, code: str, reason: str, hint: str, *, rows_invalid: int = 1
) -> InvalidRow:
    lead = "" if is_unreadable(at.lead) else at.lead
    raw = at.raw or _json(at.cells)
    return InvalidRow(raw, reason, code, at.origin, lead, hint, rows=len(rows), rows_invalid=rows_invalid)


def _duplicate(path: str, claimant: str, first: tuple[str, str], payload: JsonObject, origin: str) -> InvalidRow:
    """The second claim has an id of its own (`path#claimant`): the first one's redirect is sound."""
    reason = f"{path} is the address of {first[0]} ({first[1]}) and of {claimant}."
    return InvalidRow(
        _json(payload), reason, "DUPLICATE_ADDRESS", origin, f"{path}#{claimant}", "Give one of them another url_key."
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()[:65_536]


def _category(path: str) -> JsonObject:
    names = category_names(path)
    return {
        "path": path, "name": names[-1], "parent": parent_path(path), "level": len(names),
        "url_path": "/".join(slug(name) for name in names[1:]),
    }  # fmt: skip


def _ancestors(path: str) -> list[str]:
    above: list[str] = []
    while path := parent_path(path):
        above.insert(0, path)
    return above

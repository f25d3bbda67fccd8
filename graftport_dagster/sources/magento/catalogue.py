"""Products with what belongs to them, categories, and the addresses that both had.

A configurable product's record holds the whole children (`children`), because Magento keeps them
as products of their own; every product has the labels of its options (`labels`), its attribute
set and tax class by name, and its stock by source (`source_items`; without MSI `stock_item`).
All else is as the API gives it. Which product changed since when is told here as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any
from urllib.parse import quote

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import InvalidRow, JsonObject, SourceRecord
from graftport_dagster.source_settings.magento import MagentoSettings
from graftport_dagster.sources.magento.client import (
    ATTRIBUTE_SETS,
    ATTRIBUTES,
    CATEGORIES,
    PRODUCTS,
    TAX_CLASSES,
    Filter,
    MagentoClient,
)

_NOT_VISIBLE = 1
_CHOSEN = ("select", "multiselect", "boolean", "swatch_visual", "swatch_text")
_LINKS = "extension_attributes[configurable_product_links]"


@dataclass(slots=True)
class Catalogue:
    """The catalogue of one shop. What is the same for all products is asked once."""

    client: MagentoClient
    settings: MagentoSettings
    _has_sources: bool = True
    _labels: dict[str, dict[str, str]] = field(default_factory=dict)
    _names: dict[str, dict[str, str]] = field(default_factory=dict)

    # --- products -------------------------------------------------------------------------------------

    def products(self, filters: Sequence[Filter]) -> Iterator[SourceRecord | InvalidRow]:
        """Every product that is none of another's children; with filters, those of which anything changed."""
        owners = self._owners()
        parents: set[int] = set()
        given: set[int] = set()
        for page in self.client.pages(PRODUCTS, filters):
            parents.update(owners[item["id"]] for item in page if item["id"] in owners)
            own = [item for item in page if item["id"] not in owners]
            given.update(item["id"] for item in own if item.get("type_id") == "configurable")
            yield from self._records(own, owners)
        # Of these only a child changed.
        rest = self.client.having(PRODUCTS, "entity_id", parents - given if filters else ())
        while some := list(islice(rest, self.settings.page_size)):
            yield from self._records(some, owners)

    def _owners(self) -> dict[int, int]:
        """Child's id → its configurable product's; the one with the lowest id where several claim it."""
        found: dict[int, int] = {}
        only = [Filter("type_id", "configurable")]
        for parent in self.client.items(PRODUCTS, only, fields=f"id,sku,{_LINKS}"):
            for child in _links(parent):
                found.setdefault(child, parent["id"])
        return found

    def _records(self, products: list[JsonObject], owners: dict[int, int]) -> Iterator[SourceRecord | InvalidRow]:
        wanted = [child for product in products for child in _links(product)]
        children = {one["id"]: one for one in self.client.having(PRODUCTS, "entity_id", wanted)}
        self._complete([*products, *children.values()])
        for product in products:
            links = _links(product)
            lost = [link for link in links if link not in children]
            shared = [link for link in links if owners.get(link, product["id"]) != product["id"]]
            own = [product, *(children[link] for link in links if link in children)]
            unstocked = [str(one["sku"]) for one in own if not self._has_sources and "stock_item" not in one]
            if lost or shared or unstocked:
                yield _unusable(product, lost, shared, unstocked, len(links))
                continue
            if product.get("type_id") == "configurable":
                product["children"] = [children[link] for link in links]
            yield SourceRecord(
                str(product["sku"]), product, rows=1 + len(links), origin=f"products/{quote(str(product['sku']))}"
            )

    def _complete(self, products: list[JsonObject]) -> None:
        stock = self._stock([str(product["sku"]) for product in products])
        for product in products:
            product["labels"] = self._labels_of(product)
            product["attribute_set"] = self._sets.get(str(product.get("attribute_set_id")), "")
            tax_class = str(attributes_of(product).get("tax_class_id", ""))
            product["tax_class"] = "None" if tax_class == "0" else self._tax_classes.get(tax_class, "")
            product |= stock.get(str(product["sku"]), {})

    def _stock(self, skus: list[str]) -> dict[str, JsonObject]:
        """By SKU what is added to a product: its stock by source, or, without MSI, its stock item."""
        if self._has_sources:
            try:
                found: dict[str, JsonObject] = {}
                for item in self.client.stock(skus):
                    found.setdefault(str(item.get("sku")), {"source_items": []})["source_items"].append(item)
            except ConfigurationError as error:
                if error.code != "SOURCE_NOT_FOUND":
                    raise
                self._has_sources = False
            else:
                for one in found.values():
                    one["source_items"].sort(key=lambda item: str(item.get("source_code")))
                return found
        return {sku: self._stock_item(sku) for sku in skus}

    def _stock_item(self, sku: str) -> JsonObject:
        """Nothing where Magento does not know the SKU any more, or what stands before it does not let it through."""
        try:
            return {"stock_item": self.client.get(f"stockItems/{quote(sku, safe='')}")}
        except ConfigurationError as error:
            if error.code != "SOURCE_NOT_FOUND":
                raise
            return {}

    def _labels_of(self, product: JsonObject) -> JsonObject:
        labels: dict[str, str] = {}
        chosen = self._options
        for code, value in attributes_of(product).items():
            options = chosen.get(code)
            if options is not None:
                values = value if isinstance(value, list) else str(value).split(",")
                labels[code] = "|".join(options[each] for each in map(str, values) if each in options)
        for option in _extras(product).get("configurable_product_options") or ():
            attribute_code = self._codes.get(str(option.get("attribute_id")))
            if attribute_code:
                option["attribute_code"] = attribute_code
        return {code: text for code, text in labels.items() if text}

    @property
    def _options(self) -> dict[str, dict[str, str]]:
        """Attribute code → value → label, of attributes whose values are chosen from a list."""
        if "attributes" not in self._names:
            self._names["attributes"] = {}
            for attribute in self.client.items(ATTRIBUTES):
                code = str(attribute.get("attribute_code"))
                self._names["attributes"][str(attribute.get("attribute_id"))] = code
                if attribute.get("frontend_input") in _CHOSEN:
                    self._labels[code] = _option_labels(attribute)
        return self._labels

    @property
    def _codes(self) -> dict[str, str]:
        return self._names.get("attributes", {})

    @property
    def _sets(self) -> dict[str, str]:
        if "sets" not in self._names:
            self._names["sets"] = {
                str(one["attribute_set_id"]): str(one.get("attribute_set_name"))
                for one in self.client.items(ATTRIBUTE_SETS)
            }
        return self._names["sets"]

    @property
    def _tax_classes(self) -> dict[str, str]:
        if "taxes" not in self._names:
            self._names["taxes"] = {
                str(one["class_id"]): str(one.get("class_name")) for one in self.client.items(TAX_CLASSES)
            }
        return self._names["taxes"]

    # --- categories -----------------------------------------------------------------------------------

    def categories(self) -> Iterator[SourceRecord]:
        """Every category below the root of all roots, with the names above its own (`path_names`)."""
        names = {str(one["id"]): str(one.get("name")) for one in self.client.items(CATEGORIES, fields="id,name")}
        for category in self.client.items(CATEGORIES):
            ids = str(category.get("path", "")).split("/")[1:]
            if ids:
                category["path_names"] = [names.get(each, each) for each in ids]
                yield SourceRecord(str(category["id"]), category, origin=f"categories/{category['id']}")

    # --- addresses ------------------------------------------------------------------------------------

    def redirects(self) -> Iterator[SourceRecord | InvalidRow]:
        """The old address of every category and product, in each store view that is named; each address once."""
        seen: dict[str, str] = {}
        owners = self._owners()
        parents = self.client.having(PRODUCTS, "entity_id", set(owners.values()), fields="id,sku")
        skus = {one["id"]: str(one["sku"]) for one in parents}
        for view in ("", *self.settings.redirect_store_views):
            addresses = chain(self._category_addresses(view), self._product_addresses(view, owners, skus))
            for path, kind, source_id in addresses:
                target = f"{kind} {source_id}"
                first = seen.get(path)
                if first is None:
                    seen[path] = target
                    yield _redirect(path, kind, source_id)
                elif first != target:
                    yield _doubled(path, target, first)

    def _category_addresses(self, view: str) -> Iterator[tuple[str, str, str]]:
        for category in self.client.items(CATEGORIES, fields="id,level,custom_attributes", store=view):
            path = attributes_of(category).get("url_path")
            if path:
                yield f"/{path}{self.settings.address_suffix}", "collections", str(category["id"])

    def _product_addresses(
        self, view: str, owners: dict[int, int], skus: dict[int, str]
    ) -> Iterator[tuple[str, str, str]]:
        for product in self.client.items(PRODUCTS, fields="id,sku,visibility,custom_attributes", store=view):
            key = attributes_of(product).get("url_key")
            is_hidden = product.get("visibility") == _NOT_VISIBLE
            if key and (self.settings.hidden_addresses or not is_hidden):
                owner = skus.get(owners.get(product["id"], 0), str(product["sku"]))
                yield f"/{key}{self.settings.address_suffix}", "products", owner


def _redirect(path: str, kind: str, source_id: str) -> SourceRecord:
    target = {"resource_type": kind, "source_id": source_id}
    return SourceRecord(path, {"path": path, "target": target}, origin=path)


def _doubled(path: str, target: str, first: str) -> InvalidRow:
    # Without an id: the record of that address is the first one's, and sound.
    return InvalidRow(
        raw=f"{path} {target}", reason=f"{path} is the address of {first} and of {target}; the first stands.",
        code="DUPLICATE_ADDRESS", origin=path, source_id=f"{path} ({target})", hint="Give one another url_key.",
    )  # fmt: skip


def _option_labels(attribute: JsonObject) -> dict[str, str]:
    if attribute["frontend_input"] == "boolean":
        return {"1": "Yes", "0": "No"}
    options = attribute.get("options") or ()
    return {str(one["value"]): str(one["label"]) for one in options if one.get("value") not in (None, "")}


def attributes_of(thing: JsonObject) -> dict[str, Any]:
    """`custom_attributes` by code."""
    return {str(one.get("attribute_code")): one.get("value") for one in thing.get("custom_attributes") or ()}


def _extras(product: JsonObject) -> JsonObject:
    """What modules add; PHP writes a list where there is nothing."""
    return product.get("extension_attributes") or {}


def _links(product: JsonObject) -> list[int]:
    return sorted(int(link) for link in _extras(product).get("configurable_product_links") or ())


def _unusable(
    product: JsonObject, lost: list[int], shared: list[int], unstocked: list[str], children: int
) -> InvalidRow:
    sku = str(product["sku"])
    if lost:
        reason, code = f"Its variant with the id {lost[0]} is not given by the API.", "MISSING_VARIANT_ROW"
        hint = "Save the product again."
    elif shared:
        reason, code = f"Its variant with the id {shared[0]} belongs to another product too.", "SHARED_VARIANT"
        hint = "Let one have it."
    else:
        reason, code = f"The API does not give the stock of {unstocked[0]}.", "STOCK_NOT_GIVEN"
        hint = "Run again; a SKU with a slash in it needs AllowEncodedSlashes in the web server."
    return InvalidRow(
        raw=f'{{"sku": "{sku}"}}', reason=reason, code=code, origin=f"products/{quote(sku)}", source_id=sku, hint=hint,
        rows=1 + children, rows_invalid=1,
    )  # fmt: skip

"""The cells of WooCommerce's own product CSV, as the things that its REST API would give.

One row becomes one product or variation in the API's shape and words, so that one mapping serves
both. What a row cannot say (an address, an image's text) is left out. Rows, parents and files are
in `woocommerce_export`.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from graftport_dagster.records import JsonObject

REQUIRED_COLUMNS = ("ID", "Type", "SKU", "Name")
PARENT = "Parent"
_FLAGS = ("virtual", "downloadable")
_PRICES = ("Regular price", "Sale price")
_ATTRIBUTE = re.compile(r"Attribute (\d+) name")
_DOWNLOAD = re.compile(r"Download (\d+) URL")
_MEASURE = re.compile(r"(Weight|Length|Width|Height) \((\w+)\)")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_COMMA = re.compile(r"(?<!\\),")
_STATUS = {"1": "publish", "0": "private", "-1": "draft"}
_STOCK_STATUS = {"1": "instock", "0": "outofstock", "backorder": "onbackorder"}
_BACKORDERS = {"1": "yes", "0": "no", "": "no"}


class CellError(ValueError):
    """A cell that is not what its column holds."""

    def __init__(self, column: str, value: str) -> None:
        super().__init__(f"{column} is {value[:60]!r}, not a number.")


def number(cells: Mapping[str, str], column: str) -> str:
    """The number in a cell, with a point; the shop writes it with its own decimal sign. Raises CellError."""
    value = cells.get(column, "").strip()
    if value and not _NUMBER.fullmatch(value):
        raise CellError(column, value)
    return value.replace(",", ".")


def is_measure(column: str) -> bool:
    """Whether the column holds a weight or a size, `Weight (kg)`."""
    return _MEASURE.fullmatch(column) is not None


def listed(text: str) -> list[str]:
    r"""The values of a list cell; `\,` is a comma within one."""
    parts = (part.replace("\\,", ",").strip() for part in _COMMA.split(text))
    return [part for part in parts if part]


def slug(text: str) -> str:
    """The address that WordPress makes of a name."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def category_line(path: str) -> list[str]:
    """The names along `Clothing > Hoodies`."""
    return [name.strip() for name in path.split(">") if name.strip()]


def category_paths(cells: Mapping[str, str]) -> list[str]:
    """The categories of a row, each as its path."""
    return list(dict.fromkeys(" > ".join(category_line(it)) for it in listed(cells.get("Categories", ""))))


def thing(cells: Mapping[str, str]) -> JsonObject:
    """What products and variations have in common. Raises CellError."""
    words = listed(cells.get("Type", ""))
    stock = cells.get("Stock", "").strip()
    made: JsonObject = {
        "id": int(cells["ID"]) if cells["ID"].isdecimal() else cells["ID"],
        "type": next((word for word in words if word not in _FLAGS), "simple"),
        "virtual": "virtual" in words, "downloadable": "downloadable" in words,
        "name": cells.get("Name", ""), "sku": cells.get("SKU", ""),
        "global_unique_id": cells.get("GTIN, UPC, EAN, or ISBN", ""),
        "status": _STATUS.get(cells.get("Published", "1").strip(), "draft"),
        "description": _html(cells.get("Description", "")), "price": "",
        "regular_price": number(cells, "Regular price"), "sale_price": number(cells, "Sale price"),
        "date_on_sale_from": cells.get("Date sale price starts") or None,
        "date_on_sale_to": cells.get("Date sale price ends") or None,
        "tax_status": cells.get("Tax status") or "taxable", "tax_class": cells.get("Tax class", ""),
        "manage_stock": "parent" if stock == "parent" else bool(stock),
        "stock_quantity": float(number(cells, "Stock")) if stock and stock != "parent" else None,
        "stock_status": _STOCK_STATUS.get(cells.get("In stock?", "1").strip(), "instock"),
        "backorders": _BACKORDERS.get(cells.get("Backorders allowed?", "").strip(), "notify"),
        "menu_order": int(float(number(cells, "Position") or 0)),
        "downloads": list(_downloads(cells)),
        "meta_data": [
            {"key": column.removeprefix("Meta: "), "value": value}
            for column, value in cells.items() if column.startswith("Meta: ") and value
        ],
    }  # fmt: skip
    return made | _measured(cells)


def product(cells: Mapping[str, str], variants: list[JsonObject]) -> JsonObject:
    """A product with its variations, as the API with its variations put together. Raises CellError."""
    chosen = {it["name"] for variant in variants for it in variant["attributes"]}
    attributes = [{**it, "variation": it["name"] in chosen} for it in _attributes(cells)]
    return thing(cells) | {
        "slug": slug(cells.get("Name", "")), "featured": cells.get("Is featured?", "") == "1",
        "catalog_visibility": cells.get("Visibility in catalog") or "visible",
        "short_description": _html(cells.get("Short description", "")),
        "categories": [
            {"id": path, "name": category_line(path)[-1], "slug": slug(category_line(path)[-1])}
            for path in category_paths(cells)
        ],
        "tags": [{"name": name} for name in listed(cells.get("Tags", ""))],
        "brands": [{"name": category_line(name)[-1]} for name in listed(cells.get("Brands", ""))],
        "images": [{"src": address, "alt": ""} for address in listed(cells.get("Images", ""))],
        "attributes": attributes, "grouped_products": listed(cells.get("Grouped products", "")),
        "external_url": cells.get("External URL", ""), "button_text": cells.get("Button text", ""),
        "variants": variants,
    }  # fmt: skip


def variation(cells: Mapping[str, str]) -> JsonObject:
    """A variation; a value that is not given stands for any. Raises CellError."""
    pictures = listed(cells.get("Images", ""))
    return thing(cells) | {
        "attributes": [
            {"name": it["name"], "slug": it["slug"], "option": it["options"][0]}
            for it in _attributes(cells) if it["options"]
        ],
        "image": {"src": pictures[0], "alt": ""} if pictures else None,
    }  # fmt: skip


def category(path: str) -> JsonObject:
    """A category path as a category; its address in the shop is not in the file."""
    line = category_line(path)
    return {
        "id": path, "name": line[-1], "slug": "-".join(map(slug, line)), "path": line, "image": None,
        "parent": " > ".join(line[:-1]),
    }  # fmt: skip


def _attributes(cells: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for column, name in cells.items():
        if name and (found := _ATTRIBUTE.fullmatch(column)):
            is_global = cells.get(f"Attribute {found[1]} global", "") == "1"
            yield {
                "name": name, "slug": f"pa_{slug(name)}" if is_global else name,
                "options": listed(cells.get(f"Attribute {found[1]} value(s)", "")),
            }  # fmt: skip


def _downloads(cells: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for column, address in cells.items():
        if address and (found := _DOWNLOAD.fullmatch(column)):
            yield {"name": cells.get(f"Download {found[1]} name", ""), "file": address}


def _measured(cells: Mapping[str, str]) -> JsonObject:
    """Weight and size; their units stand in the names of the columns."""
    made: JsonObject = {"weight": "", "dimensions": {}}
    for column in cells:
        if not (found := _MEASURE.fullmatch(column)):
            continue
        if found[1] == "Weight":
            made |= {"weight": number(cells, column), "weight_unit": found[2]}
        else:
            made["dimensions"][found[1].lower()] = number(cells, column)
            made["dimension_unit"] = found[2]
    return made


def _html(text: str) -> str:
    r"""The text with its line ends, which the export writes as `\n`, in paragraphs as WordPress shows them."""
    whole = text.replace("\\n", "\n").strip()
    if not whole or "<p" in whole:
        return whole
    pieces = (piece.strip() for piece in re.split(r"\n\s*\n", whole))
    return "\n".join(piece if piece.startswith("<") else f"<p>{piece}</p>" for piece in pieces if piece)

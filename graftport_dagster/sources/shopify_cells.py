"""The cells of Shopify's own CSV exports of products and customers, as its Admin API would give them.

Rows that belong together become one thing in the shape and words of `sources/shopify/catalogue`, so
that one mapping serves both. Ids that a file has not are made of what is unique in the shop: a
product's handle, a variant's option values. Orders are in `shopify_order_cells`; rows and files
in `shopify_export`. Columns go by their lower-case names; those of the newer product export by
the older ones.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from urllib.parse import quote

from graftport_dagster.records import JsonObject

Cells = Mapping[str, str]

_NEWER = {
    "url handle": "handle", "description": "body (html)", "published on online store": "published",
    "sku": "variant sku", "barcode": "variant barcode", "price": "variant price",
    "compare-at price": "variant compare at price", "charge tax": "variant taxable", "tax code": "variant tax code",
    "inventory tracker": "variant inventory tracker", "inventory quantity": "variant inventory qty",
    "continue selling when out of stock": "variant inventory policy", "weight value (grams)": "variant grams",
    "weight unit for display": "variant weight unit", "requires shipping": "variant requires shipping",
    "product image url": "image src", "variant image url": "variant image", "standard product type": "product category",
    "custom product type": "type",
}  # fmt: skip
_METAFIELD = re.compile(r"\((product|variant|customer)\.metafields\.([^.()]+)\.([^()]+)\)$")
_GOOGLE = {
    "google product category": "google_product_category", "gender": "gender", "age group": "age_group", "mpn": "mpn",
    "manufacturer part number (mpn)": "mpn", "adwords grouping": "adwords_grouping",
    "ad group name": "adwords_grouping", "adwords labels": "adwords_labels", "ads labels": "adwords_labels",
    "condition": "condition", "custom product": "custom_product",
    **{f"custom label {number}": f"custom_label_{number}" for number in range(5)},
}  # fmt: skip
_MARKET_PRICE = re.compile(r"(?:compare at )?price / .+")
# Grams that one of the unit weighs.
_UNITS = {
    "kg": ("KILOGRAMS", Decimal(1000)), "g": ("GRAMS", Decimal(1)), "lb": ("POUNDS", Decimal("453.59237")),
    "oz": ("OUNCES", Decimal("28.349523125")),
}  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_POLICIES = {"continue": "CONTINUE", "true": "CONTINUE", "yes": "CONTINUE"}
DEFAULT_OPTION, DEFAULT_VALUE = "Title", "Default Title"


class CellError(ValueError):
    """A cell that is not what its column holds, or rows that contradict each other."""


def column_of(name: str) -> str:
    """The name that a product's column goes by here."""
    plain = name.strip().lower()
    return _NEWER.get(plain, plain)


def number(cells: Cells, column: str) -> str:
    """The number in a cell, "" where there is none. Raises CellError."""
    value = bare(cells.get(column, ""))
    if value and not _NUMBER.fullmatch(value):
        raise CellError(f"{column} is {value[:60]!r}, not a number.")
    return value


def bare(value: str) -> str:
    """Without the ' that Shopify puts before digits, so that spreadsheets leave them alone."""
    value = value.strip()
    return value[1:] if value[:1] == "'" and (value[1:2].isdigit() or value[1:2] == "+") else value


def is_true(cells: Cells, column: str, *, where_empty: bool = False) -> bool:
    """What a cell of yes or no says."""
    value = cells.get(column, "").strip().lower()
    return value in {"true", "yes", "1"} if value else where_empty


def product(handle: str, rows: Sequence[Cells]) -> JsonObject:
    """One product of all its rows, variants and pictures among them. Raises CellError."""
    first = rows[0]
    names = [name for place in (1, 2, 3) if (name := first.get(f"option{place} name", "").strip())]
    variants = [_variant(cells, names, place) for place, cells in enumerate(_of_variants(rows), 1)]
    seen: set[str] = set()
    for it in variants:
        if it["id"] in seen:
            raise CellError(f"The variant {it['title']!r} is there twice.")
        seen.add(it["id"])
    for it in variants:
        it["id"] = f"gid://shopify/ProductVariant/{it['id']}"
    category = first.get("product category", "").strip()
    published = is_true(first, "published", where_empty=True)
    return {
        "id": f"gid://shopify/Product/{handle}", "handle": handle, "title": first.get("title", "").strip(),
        "descriptionHtml": first.get("body (html)", ""), "vendor": first.get("vendor", ""),
        "productType": first.get("type", ""), "status": (first.get("status", "").strip() or "active").upper(),
        "tags": listed(first.get("tags", "")), "templateSuffix": None, "isGiftCard": is_true(first, "gift card"),
        "seo": {"title": first.get("seo title") or None, "description": first.get("seo description") or None},
        "category": {"id": None, "fullName": category} if category else None,
        "options": _options(names, variants), "variants": variants, "media": list(_pictures(rows)),
        "metafields": [*_metafields(first, "product"), *_of_google(first)], "collections": [],
        "resourcePublicationsV2": [{"isPublished": True, "publication": {"name": "Online Store"}}] if published else [],
        "marketPrices": sorted({name for cells in rows for name in cells if _MARKET_PRICE.fullmatch(name)}),
    }  # fmt: skip


def _of_variants(rows: Sequence[Cells]) -> Iterator[Cells]:
    """The rows that hold a variant; the others hold one more picture."""
    for place, cells in enumerate(rows):
        if place == 0 or cells.get("option1 value") or cells.get("variant price"):
            yield cells


def _variant(cells: Cells, names: Sequence[str], position: int) -> JsonObject:
    values = [cells.get(f"option{place} value", "").strip() for place in range(1, len(names) + 1)]
    chosen = dict(zip(names, values, strict=True)) or {DEFAULT_OPTION: DEFAULT_VALUE}
    for name, value in chosen.items():
        if not value:
            raise CellError(f"A variant has no value for {name}.")
    title = " / ".join(chosen.values())
    return {
        "id": quote(title, safe=""), "title": title, "sku": bare(cells.get("variant sku", "")) or None,
        "barcode": bare(cells.get("variant barcode", "")) or None,
        **({"price": number(cells, "variant price") or None} if "variant price" in cells else {}),
        "compareAtPrice": number(cells, "variant compare at price") or None, "position": position,
        "taxable": is_true(cells, "variant taxable", where_empty=True),
        "taxCode": cells.get("variant tax code") or None,
        "inventoryPolicy": _POLICIES.get(cells.get("variant inventory policy", "").strip().lower(), "DENY"),
        "selectedOptions": [{"name": name, "value": value} for name, value in chosen.items()],
        "image": {"url": cells["variant image"], "altText": None} if cells.get("variant image") else None,
        "inventoryItem": _stocked(cells), "metafields": list(_metafields(cells, "variant")),
    }  # fmt: skip


def _stocked(cells: Cells) -> JsonObject:
    """A file of a shop with several locations holds no quantities."""
    grams, held = number(cells, "variant grams"), number(cells, "variant inventory qty")
    unit, weighs = _UNITS.get(cells.get("variant weight unit", "").strip().lower(), _UNITS["g"])
    cost = number(cells, "cost per item")
    level = {
        "location": {"id": "gid://shopify/Location/default", "name": "default"},
        "quantities": [{"name": "available", "quantity": int(Decimal(held or 0))}],
    }
    return {
        "tracked": bool(cells.get("variant inventory tracker", "").strip()),
        "requiresShipping": is_true(cells, "variant requires shipping", where_empty=True),
        "countryCodeOfOrigin": None, "harmonizedSystemCode": None,
        "unitCost": {"amount": cost} if cost else None,
        "measurement": {"weight": {"value": float(round(Decimal(grams or 0) / weighs, 4)), "unit": unit}},
        "inventoryLevels": [level] if held else [],
    }  # fmt: skip


def _options(names: Sequence[str], variants: Sequence[JsonObject]) -> list[JsonObject]:
    return [
        {
            "name": name, "position": place,
            "optionValues": [
                {"name": value}
                for value in dict.fromkeys(it["selectedOptions"][place - 1]["value"] for it in variants)
            ],
        }
        for place, name in enumerate(names or (DEFAULT_OPTION,), 1)
    ]  # fmt: skip


def _pictures(rows: Sequence[Cells]) -> Iterator[JsonObject]:
    found = [cells for cells in rows if cells.get("image src", "").strip()]
    found.sort(key=lambda cells: int(Decimal(number(cells, "image position") or len(found))))
    seen: set[str] = set()
    for cells in found:
        address = cells["image src"].strip()
        if address not in seen:
            seen.add(address)
            alt = cells.get("image alt text", "").strip()
            yield {"__typename": "MediaImage", "image": {"url": address}, "alt": alt or None}


def _metafields(cells: Cells, owner: str) -> Iterator[JsonObject]:
    """Of the columns `Fabric (product.metafields.custom.fabric)`; which type a field is of stands in no file."""
    for column, value in cells.items():
        if value and (found := _METAFIELD.search(column)) and found[1] == owner:
            kind = "multi_line_text_field" if "\n" in value else "single_line_text_field"
            # Those of Shopify's own taxonomy point at entries of the old shop.
            kind = "list.metaobject_reference" if found[2] == "shopify" else kind
            yield {"namespace": found[2], "key": found[3], "type": kind, "value": value}


def _of_google(cells: Cells) -> Iterator[JsonObject]:
    for column, value in cells.items():
        key = _GOOGLE.get(column.removeprefix("google shopping / "), "") if "google shopping / " in column else ""
        if key and value:
            kind = "boolean" if key == "custom_product" else "single_line_text_field"
            told = value.lower() if kind == "boolean" else value
            yield {"namespace": "mm-google-shopping", "key": key, "type": kind, "value": told}


def listed(text: str) -> list[str]:
    """The values of a list cell."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


# --- customers --------------------------------------------------------------------------------------


def customer_id(cells: Cells) -> str:
    """Shopify's own number; older exports have none, there it is the address or the telephone number."""
    return bare(cells.get("customer id", "")) or cells.get("email", "").strip().lower() or bare(cells.get("phone", ""))


def customer(cells: Cells) -> JsonObject:
    """A customer with the default address; other addresses are in no file."""
    number_of = customer_id(cells)
    home = _address(cells)
    email, phone = cells.get("email", "").strip(), bare(cells.get("phone", ""))
    by_mail = "accepts email marketing" if "accepts email marketing" in cells else "accepts marketing"
    return {
        "id": f"gid://shopify/Customer/{quote(number_of, safe='@+')}", "firstName": cells.get("first name") or None,
        "lastName": cells.get("last name") or None, "locale": None, "note": cells.get("note") or None,
        "tags": listed(cells.get("tags", "")), "taxExempt": is_true(cells, "tax exempt"), "taxExemptions": [],
        "defaultEmailAddress": _channel("emailAddress", email, is_in=is_true(cells, by_mail)) if email else None,
        "defaultPhoneNumber":
            _channel("phoneNumber", phone, is_in=is_true(cells, "accepts sms marketing")) if phone else None,
        "defaultAddress": {"id": home["id"]} if home else None, "addressesV2": [home] if home else [],
        "metafields": list(_metafields(cells, "customer")),
    }  # fmt: skip


def _channel(name: str, value: str, *, is_in: bool) -> JsonObject:
    """Whether it was confirmed by mail is not in the file: the lesser of the two, as Shopify's own import takes it."""
    state, level = ("SUBSCRIBED", "SINGLE_OPT_IN") if is_in else ("NOT_SUBSCRIBED", None)
    return {name: value, "marketingState": state, "marketingOptInLevel": level, "marketingUpdatedAt": None}


def _address(cells: Cells) -> JsonObject | None:
    def told(name: str) -> str | None:
        return bare(cells.get(f"default address {name}", cells.get(name, ""))) or None

    country = told("country code")
    if not any((told("address1"), told("city"), told("zip"), country)):
        return None
    return {
        "id": "gid://shopify/MailingAddress/default", "firstName": cells.get("first name") or None,
        "lastName": cells.get("last name") or None, "company": told("company"), "address1": told("address1"),
        "address2": told("address2"), "city": told("city"), "zip": told("zip"), "countryCodeV2": country,
        "provinceCode": told("province code"), "phone": bare(cells.get("default address phone", "")) or None,
    }  # fmt: skip

"""What a shop has besides goods and trade: websites and their views, groups, tax classes, countries, attributes, pages.

What lives here: tables, the same for every seed, in the form that the REST API answers with.
"""

from typing import Any

Thing = dict[str, Any]
URL = "https://shop.example/"
_COLOURS = ("Black", "Moss", "Slate", "Crème, light", "Red")
_SIZES = ("XS", "S", "M", "L", "XL")
_MATERIALS = ("Wool", "Cotton", "Down", "Leather")
_MAKERS = ("Nordhang", "Fjellsport", "O'Brien & Sons")
_SEASONS = ("Spring", "Summer", "Autumn", "Winter")

WEBSITES: list[Thing] = [
    {"id": 1, "code": "base", "name": "Main Website", "default_group_id": 1},
    {"id": 2, "code": "ch", "name": "Switzerland", "default_group_id": 2},
]
GROUPS: list[Thing] = [
    {"id": 1, "website_id": 1, "root_category_id": 2, "default_store_id": 1, "name": "Main Store", "code": "main"},
    {"id": 2, "website_id": 2, "root_category_id": 2, "default_store_id": 3, "name": "Swiss Store", "code": "swiss"},
]
VIEWS: list[Thing] = [
    {"id": 1, "code": "default", "name": "English", "website_id": 1, "store_group_id": 1, "is_active": 1},
    {"id": 2, "code": "de", "name": "Deutsch", "website_id": 1, "store_group_id": 1, "is_active": 1},
    {"id": 3, "code": "ch_de", "name": "Schweiz", "website_id": 2, "store_group_id": 2, "is_active": 1},
    {"id": 4, "code": "ch_fr", "name": "Suisse", "website_id": 2, "store_group_id": 2, "is_active": 1},
]
_LOCALES = {"default": "en_US", "de": "de_DE", "ch_de": "de_CH", "ch_fr": "fr_CH"}
COUNTRIES = {"base": ("AT", "DE", "IT", "US"), "ch": ("CH", "LI")}
CUSTOMER_GROUPS: list[Thing] = [
    {"id": 0, "code": "NOT LOGGED IN", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
    {"id": 1, "code": "General", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
    {"id": 2, "code": "Wholesale", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
    {"id": 3, "code": "Retailer", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
]
TAX_CLASSES: list[Thing] = [
    {"class_id": 2, "class_name": "Taxable Goods", "class_type": "PRODUCT"},
    {"class_id": 3, "class_name": "Retail Customer", "class_type": "CUSTOMER"},
]
SETS: list[Thing] = [
    {"attribute_set_id": 4, "attribute_set_name": "Default", "sort_order": 1, "entity_type_id": 4},
    {"attribute_set_id": 9, "attribute_set_name": "Top", "sort_order": 2, "entity_type_id": 4},
    {"attribute_set_id": 10, "attribute_set_name": "Gear", "sort_order": 3, "entity_type_id": 4},
]
SOURCES: list[Thing] = [
    {"source_code": "default", "name": "Default Source", "enabled": True, "country_id": "AT", "postcode": "1010"},
    {"source_code": "alps", "name": "Warehouse Alps", "enabled": True, "country_id": "CH", "postcode": "6490"},
]
PAGES: list[Thing] = [
    {
        "id": number, "identifier": identifier, "title": title, "page_layout": "1column", "meta_title": title,
        "meta_description": f"{title}.", "content_heading": heading, "content": content, "sort_order": "0",
        "creation_time": "2023-01-02 03:04:05", "update_time": f"2024-0{number}-01 10:00:00", "active": active,
    }
    for number, identifier, title, heading, content, active in (
        (1, "no-route", "404 Not Found", "", "<p>Lost.</p>", True),
        (2, "home", "Home page", "", "<p>{{widget type=\"x\"}}</p>", True),
        (3, "about-us", "About us", "Who we are", '<p><img src="{{media url="wysiwyg/team.jpg"}}"/></p>', True),
        (4, "info/delivery", "Delivery", "", '<p>See {{store url="about-us"}}. <script>x()</script></p>', True),
        (5, "old-terms", "Terms of 2019", "", "<p>Old.</p>", False),
    )
]  # fmt: skip


def configs() -> list[Thing]:
    """One configuration per store view."""
    return [
        {
            "id": view["id"], "code": view["code"], "website_id": view["website_id"], "locale": _LOCALES[view["code"]],
            "base_currency_code": "EUR" if view["website_id"] == 1 else "CHF",
            "default_display_currency_code": "EUR" if view["website_id"] == 1 else "CHF",
            "timezone": "Europe/Vienna", "weight_unit": "kgs", "base_url": URL, "base_link_url": URL,
            "base_media_url": f"{URL}media/", "secure_base_url": URL, "secure_base_media_url": f"{URL}media/",
        }
        for view in VIEWS
    ]  # fmt: skip


def countries(codes: tuple[str, ...]) -> list[Thing]:
    """As `directory/countries` gives the ones that a store sells to."""
    return [{"id": code, "two_letter_abbreviation": code, "full_name_english": code} for code in codes]


def attributes() -> list[Thing]:
    """Product attributes with their options, whose values are numbers as text."""
    tables: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("name", "text", "Product Name", ()), ("description", "textarea", "Description", ()),
        ("color", "select", "Color", _COLOURS), ("size", "select", "Size", _SIZES),
        ("material", "multiselect", "Material", _MATERIALS), ("manufacturer", "select", "Manufacturer", _MAKERS),
        ("season", "select", "Season", _SEASONS), ("care", "textarea", "Care", ()), ("eco", "boolean", "Eco", ("Yes",
        "No")),
        ("gtin", "text", "GTIN", ()), ("fill_power", "text", "Fill power", ()),
    ]  # fmt: skip
    found, option = [], 48
    for place, (code, kind, label, labels) in enumerate(tables):
        options = [] if not labels else [{"label": " ", "value": ""}]
        for text in labels:
            option += 1
            value = str(int(text == "Yes")) if kind == "boolean" else str(option)
            options.append({"label": text, "value": value})
        found.append({
            "attribute_id": 73 + place, "attribute_code": code, "frontend_input": kind, "default_frontend_label": label,
            "is_user_defined": place > 1, "options": options, "entity_type_id": "4", "scope": "global",
        })  # fmt: skip
    return found

"""The functions every mapping has besides JSONata's own: money, handles, dates, HTML, references.

`FUNCTIONS` is the table that the documentation prints and the tests run, example by example.
Undefined (an absent field) and null both arrive as None, and None returned is undefined: a
function given nothing gives nothing. A value that cannot be used raises TransformError, so that
the record is set aside with the mapping's line and column. The HTML ones are in `html.py`, how a
mapping calls all this is in `language/`.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from graftport_dagster.errors import TransformError
from graftport_dagster.mappings import places
from graftport_dagster.mappings.html import clean_html, plain_text, with_image_addresses

_PLAIN_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
# NFKD takes accents of Latin, Greek and Cyrillic letters apart into these; marks of other scripts are part of a word.
_ACCENTS = re.compile("[\u0300-\u036f]")
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f]")
_HANDLE_LENGTH = 255
# Letters that Unicode does not take apart into a plain letter and an accent.
_FOLDED = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i",
        "'": "", "’": "",
    }
)  # fmt: skip
_WEIGHT_UNITS = {
    "KILOGRAMS": ("kg", "kgs", "kilogram", "kilograms"),
    "GRAMS": ("g", "gram", "grams"),
    "POUNDS": ("lb", "lbs", "pound", "pounds"),
    "OUNCES": ("oz", "ounce", "ounces"),
}
_UNIT_OF = {word: unit for unit, words in _WEIGHT_UNITS.items() for word in words}
# Magento's export writes dates as its admin shows them: en_US by default.
_DATE_FORMS = (
    "%m/%d/%y, %I:%M %p",
    "%m/%d/%y",
    "%m/%d/%Y",
    "%m/%d/%Y, %I:%M %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%y %H:%M",
)


@dataclass(slots=True)
class Context:
    """What the functions of one evaluation see and leave behind: the settings, and warnings once each.

    `now`: the evaluation's moment, ISO 8601. `valid_until`: the first moment after it at which the result may
    differ though nothing changed, "" if there is none.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    now: str = ""
    valid_until: str = ""
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def warn(self, code: str, message: str) -> None:
        """Notes it on the record, unless it stands there already."""
        if (code, message) not in self.warnings:
            self.warnings.append((code, message))


@dataclass(frozen=True, slots=True)
class MappingFunction:
    """A function as mappings call it. `in_context`: its first argument is the evaluation's `Context`."""

    name: str
    call: Callable[..., Any]
    takes: str
    gives: str
    example: str
    result: Any
    in_context: bool = False


def money(value: Any) -> str | None:
    """Two decimals, half up on the decimal text: a binary fraction never rounds a price."""
    if value is None:
        return None
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if isinstance(value, bool) or not (_PLAIN_DECIMAL.fullmatch(text) or isinstance(value, float)):
        raise TransformError(
            f"{_shown(value)} is not an amount of money.", code="BAD_MONEY",
            hint="Give digits with a point: 1234.5.",
        )  # fmt: skip
    amount = Decimal(text)
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 18:
        raise TransformError(f"{_shown(value)} is not an amount of money.", code="BAD_MONEY")
    rounded = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return str(abs(rounded) if rounded == 0 else rounded)


def decimal(value: Any) -> float | None:
    """A number from text as shops write it; nothing from an empty text."""
    text = str(value).strip() if value is not None else ""
    if not text:
        return None
    if isinstance(value, bool) or not (_PLAIN_DECIMAL.fullmatch(text) or isinstance(value, float)):
        raise TransformError(
            f"{_shown(value)} is not a number.", code="BAD_NUMBER", hint="Give digits with a point: 1234.5."
        )
    number = float(text)
    return int(number) if number.is_integer() else number


def handle(text: Any) -> str | None:
    """As Shopify makes handles: lower case, accents folded, apostrophes dropped, all else to hyphens."""
    if text is None:
        return None
    folded = unicodedata.normalize("NFKD", _VARIATION_SELECTORS.sub("", str(text))).lower().translate(_FOLDED)
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", folded))
    words = "".join(c if c.isalnum() or unicodedata.category(c) in {"Mn", "Mc"} else " " for c in plain).split()
    result = "-".join(words)[:_HANDLE_LENGTH].rstrip("-")
    if not result:
        raise TransformError(
            f"{_shown(text)} has no letter or digit to make a handle of.", code="BAD_HANDLE",
            hint="Give another field, such as the SKU, where this one is empty.",
        )  # fmt: skip
    return result


def iso(date: Any, zone: Any = None) -> str | None:
    """UTC in ISO 8601 from the forms Magento and WooCommerce write; dates without a zone are in `zone`."""
    if date is None or date == "":
        return None
    moment = _parsed(str(date).strip())
    if moment is None:
        raise TransformError(
            f"{_shown(date)} is not a date.",
            code="BAD_DATE",
            hint="Known: 2024-01-31 10:20:30, ISO 8601, 1/31/24, 10:20 AM.",
        )
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_zone(zone))
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        # 9999-12-31 says "never"; in UTC some zones have it a year too late.
        moment = moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        # Newer releases of Magento's date library put a narrow space before AM and PM.
        text = text.replace("\u202f", " ")
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the caller's to say
        except ValueError:
            continue
    return None


def _zone(name: Any) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TransformError(
            f"{_shown(name)} is not a time zone.", code="BAD_ZONE", hint="Such as Europe/Berlin."
        ) from None


def ref(resource_type: Any, source_id: Any, part: Any = None, part_id: Any = None) -> dict[str, Any] | None:
    """Where a GID belongs: the object that another record, or a part of it, became."""
    if resource_type is None or source_id is None:
        return None
    target = {"resource_type": str(resource_type), "source_id": str(source_id)}
    if part is not None and part_id is not None:
        target |= {"part": str(part), "part_id": str(part_id)}
    return {"$ref": target}


def attrs(pairs: Any) -> dict[str, Any]:
    """Magento's `custom_attributes`, or WooCommerce's `meta_data`, as one object by name."""
    found: dict[str, Any] = {}
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        if isinstance(pair, dict):
            name = pair.get("attribute_code", pair.get("key", pair.get("name")))
            if isinstance(name, str) and pair.get("value") is not None:
                found[name] = pair["value"]
    return found


def split_list(text: Any, separator: Any = None) -> list[Any]:
    """The trimmed parts that are not empty; always a list, of nothing from nothing."""
    if text is None:
        return []
    texts = text if isinstance(text, list) else [text]
    parts = (part.strip() for item in texts if item is not None for part in str(item).split(str(separator or ",")))
    return [part for part in parts if part]


def unique(values: Any) -> list[Any]:
    """Each value once, in the order of first appearance; always a list."""
    if values is None:
        return []
    found: list[Any] = []
    seen: set[tuple[type, Any]] = set()
    for value in values if isinstance(values, list) else [values]:
        key = (type(value), value) if isinstance(value, str | int | float) else (str, repr(value))
        if key not in seen:
            seen.add(key)
            found.append(value)
    return found


def truncate(context: Context, text: Any, length: Any) -> str | None:
    """At most so many characters; a cut is a warning."""
    if text is None:
        return None
    if type(length) is not int or length < 1:
        raise TransformError(
            "$truncate needs a length in characters.", code="T0410", hint="Such as $truncate(name, 255)."
        )
    whole, limit = str(text), length
    if len(whole) <= limit:
        return whole
    context.warn("TRUNCATED", f"Cut to {limit} characters.")
    return whole[:limit].rstrip()


def media_url(context: Context, path: Any) -> str | None:
    """The address of an image; nothing, and one warning, where the setting `media_base_url` is absent."""
    if path in (None, "", "no_selection"):
        return None
    text = str(path)
    if text.startswith(("http://", "https://")):
        return text.replace(" ", "%20")
    base = context.settings.get("media_base_url")
    if not base:
        context.warn("NO_MEDIA_BASE", "Images are left out: the setting media_base_url is not given.")
        return None
    return f"{str(base).rstrip('/')}/{quote(text.lstrip('/'))}"


def setting(context: Context, name: Any, default: Any = None) -> Any:
    """One of the migration's settings, dots leading inwards; the default where it is absent."""
    value: Any = context.settings.get(str(name))
    if value is None:
        value = context.settings
        for key in str(name).split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
    return default if value is None else value


def weight_unit(context: Context, unit: Any = None) -> str:
    """Shopify's word for a unit; the setting `weight_unit` where none is given, else pounds and a warning."""
    text = unit if unit is not None else context.settings.get("weight_unit")
    if text is None:
        context.warn("WEIGHT_UNIT_ASSUMED", "Weights are taken as pounds: the setting weight_unit is not given.")
        return "POUNDS"
    found = _UNIT_OF.get(str(text).strip().lower().rstrip("."))
    if found is None:
        raise TransformError(
            f"{_shown(text)} is not a unit of weight.", code="BAD_WEIGHT_UNIT", hint="kg, g, lb or oz."
        )
    return found


def country_code(context: Context, text: Any) -> str | None:
    """ISO's two letters from a code or a name; nothing, and a warning, where it is no country."""
    if text is None or not str(text).strip():
        return None
    found = places.country_code(str(text))
    if found is None:
        context.warn("UNKNOWN_COUNTRY", f"{_shown(text)} is no country that Shopify knows: left out.")
    return found


def province_code(context: Context, country: Any, text: Any, other: Any = None) -> str | None:
    """Shopify's code from a code or name, or else another; nothing in countries without provinces."""
    given = [str(text) for text in (text, other) if text is not None and str(text).strip()]
    if country is None or not given or not places.has_provinces(str(country)):
        return None
    found = next((code for code in (places.province_code(str(country), text) for text in given) if code), None)
    if found is None:
        context.warn("UNKNOWN_PROVINCE", f"{_shown(given[-1])} is no province of {country}: left out.")
    return found


def phone(context: Context, text: Any, country: Any = None) -> str | None:
    """E.164 from how people write numbers; nothing, and a warning, where it is none."""
    if text is None or not str(text).strip():
        return None
    found = places.phone(str(text), None if country is None else str(country))
    if found is None:
        # Not which one: a customer's number has no place in a report.
        context.warn("BAD_PHONE", "What is given as a telephone number is none: left out.")
    return found


def _html_images(context: Context, html: Any) -> str | None:
    if html is None:
        return None
    moved = context.settings.get("image_addresses") or {}
    shop = context.settings.get("shop_url") or ""
    if not shop and (media := context.settings.get("media_base_url")):
        shop = "{0.scheme}://{0.netloc}".format(urlsplit(str(media)))
    return with_image_addresses(str(html), {str(old): str(new) for old, new in moved.items()}, str(shop))


def valid_until(context: Context, moment: Any, zone: Any = None) -> str | None:
    """The moment as `iso` gives it; when it has come, the record is evaluated again though nothing changed."""
    told = iso(moment, zone)
    if told is not None:
        now = datetime.fromisoformat(context.now) if context.now else datetime.now(UTC)
        # Texts of one form and zone, so that the earlier one is the lesser.
        if datetime.fromisoformat(told) > now and not "" < context.valid_until <= told:
            context.valid_until = told
    return told


def _html(context: Context, html: Any) -> str | None:
    return None if html is None else clean_html(str(html), context.settings.get("media_base_url"), context.warn)


def _html_text(html: Any) -> str | None:
    return None if html is None else plain_text(str(html))


def _warn(context: Context, code: Any, message: Any) -> None:
    context.warn(str(code), str(message))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


FUNCTIONS: tuple[MappingFunction, ...] = (
    MappingFunction("money", money, "number or text", "an amount with two decimals, rounded half up; BAD_MONEY else",
                    '$money(2.675)', "2.68"),
    MappingFunction("decimal", decimal, "text", "a number from text as shops write it: 100.0000, .5; BAD_NUMBER else",
                    '$decimal("100.0000")', 100),
    MappingFunction("handle", handle, "text", "a Shopify handle, at most 255 characters; BAD_HANDLE where none is left",
                    '$handle("Crème & Straße")', "creme-strasse"),
    MappingFunction("html", _html, "html", "without scripts, handlers and Magento directives; each kind a warning",
                    '$html("<p onclick=\'x()\'>Soft</p><script>y()</script>")', "<p>Soft</p>", in_context=True),
    MappingFunction("html_text", _html_text, "html", "its text, tags gone and entities read",
                    '$html_text("<p>Warm &amp; soft</p><p>Wash cold</p>")', "Warm & soft\nWash cold"),
    MappingFunction("html_images", _html_images, "html", "with pictures' addresses made whole and moved by settings",
                    '$html_images("<img src=\'https://shop.example/media/a.jpg\'>")',
                    "<img src='https://shop.example/media/a.jpg'>", in_context=True),
    MappingFunction("iso", iso, "date[, zone]", "the moment in UTC, ISO 8601; BAD_DATE else",
                    '$iso("2024-01-31 10:20:30", "Europe/Berlin")', "2024-01-31T09:20:30Z"),
    MappingFunction("ref", ref, "resource_type, source_id[, part, part_id]", "a reference to what that record became",
                    '$ref("collections", "12")', {"$ref": {"resource_type": "collections", "source_id": "12"}}),
    MappingFunction("attrs", attrs, "list of {attribute_code, value}", "one object by attribute code",
                    '$attrs([{"attribute_code": "color", "value": "49"}])', {"color": "49"}),
    MappingFunction("split_list", split_list, "text[, separator]", "the trimmed parts, always a list",
                    '$split_list("S, M,,", ",")', ["S", "M"]),
    MappingFunction("unique", unique, "list", "each value once, in order, always a list",
                    '$unique(["b", "a", "b"])', ["b", "a"]),
    MappingFunction("truncate", truncate, "text, length", "at most that many characters; a cut is a warning",
                    '$truncate("Hooded jacket", 6)', "Hooded", in_context=True),
    MappingFunction("media_url", media_url, "path", "its address below the setting media_base_url; without it nothing",
                    '$media_url("https://shop.example/a b.jpg")', "https://shop.example/a%20b.jpg", in_context=True),
    MappingFunction("setting", setting, "name, default", "one of the migration's settings",
                    '$setting("vendor", "House brand")', "House brand", in_context=True),
    MappingFunction("country_code", country_code, "code or name", "two capitals; nothing and a warning where unknown",
                    '$country_code("Österreich")', "AT", in_context=True),
    MappingFunction("province_code", province_code, "country, text[, other]", "Shopify's code, from a code or name",
                    '$province_code("MX", "Nuevo León")', "NL", in_context=True),
    MappingFunction("phone", phone, "text[, country]", "E.164; nothing and a warning where it is no number",
                    '$phone("(01) 876 54-32", "AT")', "+4318765432", in_context=True),
    MappingFunction("weight_unit", weight_unit, "[unit]", "Shopify's word for it, or for the setting weight_unit",
                    '$weight_unit("kgs")', "KILOGRAMS", in_context=True),
    MappingFunction("valid_until", valid_until, "date[, zone]", "the moment as $iso gives it; when it has come, the "
                    "record is evaluated again", '$valid_until("2024-01-31 10:20:30", "Europe/Berlin")',
                    "2024-01-31T09:20:30Z", in_context=True),
    MappingFunction("warn", _warn, "code, message", "nothing; the record carries the warning",
                    '$warn("NO_PRICE", "Sold at 0.00.")', None, in_context=True),
)  # fmt: skip

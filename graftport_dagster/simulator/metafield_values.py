"""Whether a text is a value of a metafield type, in the words Shopify refuses it with.

What lives here: types and their values. Which metafields an object has, and who may have
which, is in `metafields.py`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

_MEASUREMENTS = (  # noqa: SIM905 - words read better in a line
    "antenna_gain area battery_charge_capacity battery_energy_capacity capacitance concentration "
    "data_storage_capacity data_transfer_rate dimension display_density distance duration electric_current "
    "electrical_resistance energy frequency illuminance inductance luminous_flux mass_flow_rate power pressure "
    "resolution rotational_speed sound_level speed temperature thermal_power voltage volume volumetric_flow_rate weight"
).split()
_REFERENCES = {
    "product_reference": ("Product",), "variant_reference": ("ProductVariant",),
    "collection_reference": ("Collection",),
    "file_reference": ("MediaImage", "GenericFile", "Video"), "customer_reference": ("Customer",),
    "page_reference": ("Page",), "article_reference": ("Article",), "order_reference": ("Order",),
    "company_reference": ("Company",), "metaobject_reference": ("Metaobject",), "mixed_reference": ("Metaobject",),
    "product_taxonomy_value_reference": ("TaxonomyValue",),
}  # fmt: skip
# In the order in which Shopify lists them when it refuses another.
TYPES: tuple[str, ...] = tuple((  # noqa: SIM905 - words read better in a line
    "antenna_gain area battery_charge_capacity battery_energy_capacity boolean capacitance color concentration "
    "data_storage_capacity data_transfer_rate date_time date dimension display_density distance duration "
    "electric_current electrical_resistance energy frequency id illuminance inductance json jurisdiction language "
    "link list.antenna_gain list.area list.battery_charge_capacity list.battery_energy_capacity list.capacitance "
    "list.color list.concentration list.data_storage_capacity list.data_transfer_rate list.date_time list.date "
    "list.dimension list.display_density list.distance list.duration list.electric_current "
    "list.electrical_resistance list.energy list.frequency list.illuminance list.inductance list.jurisdiction "
    "list.link list.luminous_flux list.mass_flow_rate list.number_decimal list.number_integer list.power "
    "list.pressure list.rating list.resolution list.rotational_speed list.single_line_text_field list.sound_level "
    "list.speed list.temperature list.thermal_power list.url list.voltage list.volume list.volumetric_flow_rate "
    "list.weight luminous_flux mass_flow_rate money multi_line_text_field number_decimal number_integer power "
    "pressure rating resolution rich_text_field rotational_speed single_line_text_field sound_level speed "
    "temperature thermal_power url voltage volume volumetric_flow_rate weight company_reference "
    "list.company_reference customer_reference list.customer_reference product_reference list.product_reference "
    "collection_reference list.collection_reference variant_reference list.variant_reference file_reference "
    "list.file_reference product_taxonomy_value_reference list.product_taxonomy_value_reference "
    "product_taxonomy_disclosure_reference metaobject_reference list.metaobject_reference mixed_reference "
    "list.mixed_reference disclosure_reference list.disclosure_reference page_reference list.page_reference "
    "article_reference list.article_reference order_reference list.order_reference"
).split())  # fmt: skip

_UNITS = frozenset((  # noqa: SIM905 - words read better in a line
    "mm cm m in ft yd ml cl l m3 us_fl_oz us_pt us_qt us_gal imp_fl_oz imp_pt imp_qt imp_gal kg g oz lb "
    "millimeters centimeters meters inches feet yards milliliters centiliters liters cubic_meters "
    "us_fluid_ounces us_pints us_quarts us_gallons imperial_fluid_ounces imperial_pints imperial_quarts "
    "imperial_gallons kilograms grams ounces pounds celsius fahrenheit kelvin seconds minutes hours days weeks"
).split())  # fmt: skip
_SCHEMES = ("http", "https", "mailto", "sms", "tel")
_MOST_IN_LIST = 128
_MOST_MONEY = 10**18

Lookup = Callable[[str], Any]


def complaint(type_name: str, value: str, validations: Mapping[str, str], lookup: Lookup, currency: str) -> str | None:
    """Why a value is not one of its type, as a sentence; None when it is. `lookup` finds objects by id."""
    if value == "":
        return "Value can't be blank."
    if type_name.startswith("list."):
        return _list_complaint(type_name.removeprefix("list."), value, validations, lookup, currency)
    return _one_complaint(type_name, value, lookup, currency) or _validation_complaint(type_name, value, validations)


def _list_complaint(
    type_name: str, value: str, validations: Mapping[str, str], lookup: Lookup, currency: str
) -> str | None:
    try:
        items = orjson.loads(value)
    except orjson.JSONDecodeError:
        return "Value is invalid JSON: unexpected token."
    if not isinstance(items, list):
        return "Value must be a JSON array."
    if len(items) > _MOST_IN_LIST:
        return f"Value has more than {_MOST_IN_LIST} elements."
    for item in items:
        text = item if isinstance(item, str) else orjson.dumps(item).decode()
        if wrong := complaint(type_name, text, validations, lookup, currency):
            return wrong
    return None


def _one_complaint(type_name: str, value: str, lookup: Lookup, currency: str) -> str | None:
    if type_name in _REFERENCES:
        kind = value.removeprefix("gid://shopify/").partition("/")[0]
        known = kind in _REFERENCES[type_name] and lookup(value) is not None
        return None if known else f"Value references non-existent resource {value}."
    if type_name in _MEASUREMENTS:
        return _measurement(value)
    if type_name == "money":
        return _money(value, currency)
    check = _CHECKS.get(type_name)
    return check(value) if check else None


def _measurement(value: str) -> str | None:
    content = _json_object(value)
    if content is None or not isinstance(content.get("value"), int | float) or content["value"] < 0:
        return "Value must be a non-negative number."
    return None if str(content.get("unit", "")).lower() in _UNITS else "Value must be a supported unit."


def _money(value: str, currency: str) -> str | None:
    content = _json_object(value)
    if content is None:
        return (
            "Value must be a stringified JSON object with amount (numeric) and currency_code "
            "(string matching the shop's currency) fields."
        )
    if not content.get("currency_code"):
        return "Value must have a currency code."
    amount = _number(str(content.get("amount")))
    if amount is None:
        return "Value must have a numeric amount."
    if abs(amount) >= _MOST_MONEY:
        return f"Value must be within +/-{_MOST_MONEY}."
    return (
        None
        if content["currency_code"] == currency
        else f"Value contains an invalid currency, {content['currency_code']}."
    )


def _integer(value: str) -> str | None:
    return None if re.fullmatch(r"-?\d{1,16}", value) else "Value must be an integer."


def _decimal(value: str) -> str | None:
    number = _number(value)
    if number is None:
        return "Value must be a decimal."
    return "Value can't exceed 9999999999999." if abs(number) > Decimal(9999999999999) else None


def _boolean(value: str) -> str | None:
    return None if value in {"true", "false"} else "Value must be true or false."


def _color(value: str) -> str | None:
    return None if re.fullmatch(r"#[0-9a-fA-F]{6}", value) else "Value must be a hex color code."


def _date_time(value: str) -> str | None:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "Value must be in “YYYY-MM-DDTHH:MM:SS” format. For example: 2022-06-01T15:30:00"
    return None


def _date(value: str) -> str | None:
    try:
        date.fromisoformat(value)
    except ValueError:
        return "Value must be in YYYY-MM-DD format."
    return None


def _json(value: str) -> str | None:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError as error:
        if broken := re.match(r"\{\s*([^\s\"}:,]+)", value):
            column = broken.start(1) + 1
            return f"Value is invalid JSON: expected object key, got '{broken[1]}' at line 1 column {column}."
        return f"Value is invalid JSON: {error.msg} at line {error.lineno} column {error.colno}."
    return None


def _url(value: str) -> str | None:
    scheme = value.partition(":")[0] if ":" in value else ""
    if not scheme:
        shown = ", ".join(f'"{it}"' for it in _SCHEMES)
        return (
            f"Value cannot have an empty scheme (protocol), must include one of the following URL schemes: [{shown}].'"
        )
    return None if scheme in _SCHEMES else f"Value must be one of the following URL schemes: {', '.join(_SCHEMES)}."


def _single_line(value: str) -> str | None:
    return "Value must be a single line text string." if "\n" in value else None


def _link(value: str) -> str | None:
    content = _json_object(value)
    return None if content and content.get("url") else "Value must be a valid link."


def _rating(value: str) -> str | None:
    content = _json_object(value) or {}
    number, low, high = (_number(str(content.get(name))) for name in ("value", "scale_min", "scale_max"))
    if number is None or low is None or high is None:
        return "Value must be a stringified JSON object with value, scale_min and scale_max fields."
    if number > high:
        return f"Value has a maximum of {content['scale_max']}."
    return f"Value has a minimum of {content['scale_min']}." if number < low else None


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "number_integer": _integer, "number_decimal": _decimal, "boolean": _boolean, "color": _color,
    "date_time": _date_time, "date": _date, "json": _json, "rich_text_field": _json, "url": _url,
    "single_line_text_field": _single_line, "id": _single_line, "link": _link, "rating": _rating,
}  # fmt: skip


def _validation_complaint(type_name: str, value: str, validations: Mapping[str, str]) -> str | None:
    if (pattern := validations.get("regex")) and not re.search(pattern, value):
        return "Value is not the correct format."
    if (choices := validations.get("choices")) and value not in orjson.loads(choices):
        shown = ", ".join(f'"{choice}"' for choice in orjson.loads(choices))
        return f"Value does not exist in provided choices: [{shown}]."
    if type_name in {"single_line_text_field", "multi_line_text_field", "id"}:
        return _bounds(len(value), validations, " length")
    if type_name in {"number_integer", "number_decimal"}:
        return _bounds(_number(value) or Decimal(0), validations, "")
    if type_name in {"date", "date_time"}:
        return _time_bounds(type_name, value, validations)
    return _scale(value, validations) if type_name == "rating" else None


def _time_bounds(type_name: str, value: str, validations: Mapping[str, str]) -> str | None:
    for name, beyond in (("min", int.__lt__), ("max", int.__gt__)):
        if (edge := validations.get(name)) and beyond(_seconds(value), _seconds(edge)):
            shown = edge if type_name == "date" else f"{_moment(edge):%Y-%m-%d %H:%M:%S} +0000"
            return f"Value has a {name}imum of {shown}."
    return None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(text: str) -> int:
    return int(_moment(text).timestamp())


def _scale(value: str, validations: Mapping[str, str]) -> str | None:
    content = _json_object(value) or {}
    for name in ("scale_min", "scale_max"):
        if (edge := validations.get(name)) and _number(str(content.get(name))) != _number(edge):
            return "Value min and max on the rating value must be the same as the min and max on the definition."
    return None


def _bounds(size: int | Decimal, validations: Mapping[str, str], what: str) -> str | None:
    if (low := validations.get("min")) and size < Decimal(low):
        return f"Value has a minimum{what} of {low}."
    if (high := validations.get("max")) and size > Decimal(high):
        return f"Value has a maximum{what} of {high}."
    return None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _json_object(value: str) -> dict[str, Any] | None:
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def as_json(type_name: str, value: str) -> Any:
    """The value as `jsonValue` shows it."""
    text = ("single_line_text_field", "multi_line_text_field", "id", "url", "color", "date", "date_time", "language")
    if type_name in text or type_name in _REFERENCES:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value

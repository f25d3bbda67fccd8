"""Countries, provinces and telephone numbers as Shopify wants them, from what shops write.

The table is `places.txt`, Shopify's own. What cannot be told becomes nothing: an address or a
customer is worth more than its province, so the caller warns instead of refusing.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("places.txt")
_NO_LETTER = re.compile(r"[\W_]+")
_EXTENSION = re.compile(r"(?:\b(?:ext|extension|x|dw|app)\.?|#)\s*\d{1,6}\s*$", re.IGNORECASE)
_OPTIONAL_ZERO = re.compile(r"\(0\)")
_LONGEST, _SHORTEST = 15, 7
# What people write for countries besides their names.
_ALSO = {"uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "gbr": "GB",
         "usa": "US", "deu": "DE", "aut": "AT", "che": "CH", "fra": "FR", "ita": "IT", "esp": "ES", "nld": "NL",
         "holland": "NL", "can": "CA", "aus": "AU", "u s a": "US"}  # fmt: skip
# Most of the world begins national numbers with a 0 that is left out from abroad. Here it is another, or stays.
_TRUNK = {"RU": "8", "KZ": "8", "BY": "8", "HU": "06", "LT": "8", "MX": "01", "IT": "", "SM": "", "VA": "", "CI": "",
          "CG": "", "GA": "", "ES": "", "PT": "", "NO": "", "DK": "", "PL": "", "CZ": "", "GR": ""}  # fmt: skip
_NORTH_AMERICA = "1"
_NANP_LENGTH = 10


@dataclass(slots=True)
class Country:
    """One country: its calling code, and its provinces' codes by folded name and by code."""

    code: str
    calling_code: str
    provinces: dict[str, str] = field(default_factory=dict)


def country_code(text: str) -> str | None:
    """Two capitals from a code or a name in one of the usual languages."""
    word = _folded(text)
    by_name, countries = _names(), _countries()
    return text.strip().upper() if text.strip().upper() in countries else _ALSO.get(word) or by_name.get(word)


def province_code(country: str, text: str) -> str | None:
    """Shopify's code of a province, from a code (with or without its country's) or a name, in either language."""
    found = _countries().get(country.upper())
    if found is None:
        return None
    spellings = [text, text.upper().removeprefix(f"{country.upper()}-"), *text.split("/")]
    return next((code for code in (found.provinces.get(_folded(each)) for each in spellings) if code), None)


def has_provinces(country: str) -> bool:
    """Whether addresses of that country have provinces in Shopify."""
    found = _countries().get(country.upper())
    return bool(found and found.provinces)


def phone(text: str, country: str | None) -> str | None:
    """E.164, `+4318765432`, from a national or international number; nothing where it is none."""
    plain = _OPTIONAL_ZERO.sub("", _EXTENSION.sub("", unicodedata.normalize("NFKC", text))).strip()
    digits = re.sub(r"\D", "", plain)
    if not digits or re.search(r"[A-Za-z]", plain):
        return None
    if plain.startswith("+"):
        number = digits
    elif digits.startswith("00"):
        number = digits[2:]
    else:
        number = _international(digits, _countries().get((country or "").upper()))
    return f"+{number}" if _SHORTEST <= len(number) <= _LONGEST and number[0] != "0" else None


def _international(digits: str, country: Country | None) -> str:
    """Nothing where the country is not known: another's number would be worse than none."""
    if country is None or not country.calling_code:
        return ""
    if country.calling_code == _NORTH_AMERICA:
        national = digits.removeprefix("1") if len(digits) == _NANP_LENGTH + 1 else digits
        return "1" + national if len(national) == _NANP_LENGTH else ""
    trunk = _TRUNK.get(country.code, "0")
    begins_with_it = trunk and digits.startswith(trunk)
    return country.calling_code + (digits[len(trunk) :] if begins_with_it else digits)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", str(text).casefold())
    return _NO_LETTER.sub(" ", "".join(c for c in plain if not unicodedata.combining(c))).strip()


@cache
def _names() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _lines():
        if not line.startswith("\t"):
            code, _, names = line.split("\t")
            for name in names.split("|"):
                found.setdefault(_folded(name), code)
    return found


@cache
def _countries() -> dict[str, Country]:
    found: dict[str, Country] = {}
    latest = Country("", "")
    for line in _lines():
        parts = line.split("\t")
        if parts[0]:
            latest = found[parts[0]] = Country(parts[0], parts[1])
            continue
        code, names, others = parts[1], parts[2], parts[3] if len(parts) > 3 else ""
        for name in [code, code.replace("-", ""), *names.split("|"), *others.split("|")]:
            if name:
                latest.provinces.setdefault(_folded(name), code)
    return found


def _lines() -> list[str]:
    text = _TABLE.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]

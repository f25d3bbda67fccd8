"""What in a source's payload is personal, by the names of fields and by the look of values; and how it is masked.

Made for shops nobody has seen: of records about persons everything is masked but what is plainly none of theirs
(ids, amounts, dates, states of an order), of all others what a name or a look gives away. In doubt it is masked.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from graftport_dagster.records import ResourceType

# Records that are about a person, or hold what only one person may know.
ABOUT_PERSONS = frozenset(
    {ResourceType.CUSTOMERS, ResourceType.ORDERS, ResourceType.GIFT_CARDS, ResourceType.DISCOUNT_CODES}
)
EMAIL = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)*")
# What says nothing of a person: a number, perhaps with some letters before it, or an id of Shopify's.
_PLAIN_ID = re.compile(r"[A-Za-z]{0,4}[-_#]?\d{1,12}|gid://[\w/]+")
_PHONE = re.compile(r"(?<![\w.,-])(?:\+|00)?\(?\d[\d \t()/.-]{5,}\d(?![\w.,]?\d)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_WORD = re.compile(r"[^\W_]+")
_NAME_PART = re.compile(r"[A-ZÄÖÜ]?[a-zà-ÿß]+|[A-ZÄÖÜ]+(?![a-z])|\d+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSONAL = _words(
    """
    account addr address addresses age alias author authors bic billing birth birthdate birthday buyer card cell
    city company contact coordinates county customer dob domain email emails facebook fax first firma forename
    geburtstag gender giftcard handy hausnummer iban instagram ip kunde last lat latitude lng login lon
    longitude mail mobile mobil nachname nickname note ort passport password phone phones pin plz postal
    postcode prefix province recipient region salutation secret sender shipping sex skype ssn strasse straße
    street street1 street2 suburb suffix surname tax taxvat tel telefon telephone token town twitter user
    username vat vorname voucher whatsapp zip zipcode name names
    """
)
# Of a thing: its name, its tax class, its shipping weight are nobody's.
_OF_THINGS = _words(
    """
    account card company domain first last name names note prefix region shipping suffix tax user age alias
    gender sex cell billing customer town contact
    """
)
_SAFE = _words(
    """
    active amount at available balance base cancelled class closed code cost count country created currency date
    discount discounts enabled expires fee financial flag format from fulfillment generator grand group handle
    id ids increment index initial kind language level limit line locale method minimum modified number orders
    page parent paid percent position price processed published qty quantity rate refunded row rule sale score
    sequence shipped size sku sort source starts state states status store subtotal sum taxable timezone title
    to total type types updated usage used value version website weight
    """
)
# Of gift cards and discounts the code itself is what must not be seen; elsewhere it is a currency's or a country's.
_SECRET_CODES = frozenset({ResourceType.GIFT_CARDS, ResourceType.DISCOUNT_CODES})
_IDS = frozenset({"id", "ids", "sku", "handle", "increment"})
_NAMING = ("key", "attribute_code", "field", "name", "label")
_FIELD_NAME = re.compile(r"[a-z0-9_.-]+", re.IGNORECASE)
_LEAST_DIGITS = 7


def mask_text(text: str, salt: bytes) -> str:
    """Every letter another letter of its case and alphabet, every digit another digit; all else stays.

    Word by word, so that equal words become equal words, alone and within a longer text. `salt`: other words for
    each sample; who does not know it cannot go back.
    """
    return _WORD.sub(lambda found: _mask_word(found[0], salt), text)


def _mask_word(word: str, salt: bytes) -> str:
    out, block = [], b""
    for place, character in enumerate(word):
        if place % 32 == 0:
            known = word.casefold().encode("utf-8", "surrogatepass")
            block = blake2b(known, key=salt, person=b"%d" % (place // 32)).digest()
        out.append(_other(character, block[2 * (place % 32)] * 256 + block[2 * (place % 32) + 1]))
    return "".join(out)


def _other(character: str, number: int) -> str:
    pool = _alike(ord(character) >> 7 if ord(character) > 127 else -1, _kind(character))
    others = len(pool) - (character in pool)
    if others < 1:
        return "X" if character.isupper() else "x" if character.isalpha() else "0"
    index = number % others
    return pool[index] if pool[index] != character else pool[-1]


def _kind(character: str) -> str:
    return unicodedata.category(character)


@lru_cache(maxsize=512)
def _alike(block: int, kind: str) -> str:
    span = range(128) if block < 0 else range(block << 7, (block + 1) << 7)
    return "".join(
        character for character in map(chr, span) if _kind(character) == kind and len(character.casefold()) == 1
    )


def mask_payload(payload: Any, resource_type: ResourceType, salt: bytes) -> Any:
    """The same JSON with all that may be personal masked; shape, lengths and kinds of characters are kept."""
    return _walk(payload, (), _Rule(resource_type), lambda text: mask_text(text, salt))


def mask_words(text: str, salt: bytes) -> str:
    """A text in which only mail addresses and phone numbers are masked."""
    return _within(text, (), lambda found: mask_text(found, salt))


def mask_id(source_id: str, resource_type: ResourceType, salt: bytes) -> str:
    """An id, which may be a mail address or a phone number, of customers a name, of cards and discounts the code."""
    if resource_type in _SECRET_CODES:
        is_plain = source_id.isdigit() and len(source_id) <= _LEAST_DIGITS
    else:
        is_plain = resource_type is not ResourceType.CUSTOMERS or _PLAIN_ID.fullmatch(source_id) is not None
    return mask_words(source_id, salt) if is_plain else mask_text(source_id, salt)


def personal_texts(payload: Any, resource_type: ResourceType) -> set[str]:
    """Texts by which the person could be found elsewhere: addresses of mail, phone numbers, streets, full names."""
    found: set[str] = set()

    def note(text: str) -> str:
        found.add(text.strip())
        return text

    _walk(payload, (), _Rule(resource_type, only_named=True), note)
    found |= set(_full_names(payload))
    return {text for text in found if _is_telling(text)}


def _is_telling(text: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    is_moment = _MOMENT.fullmatch(text) is not None
    return len(text) >= 6 and not is_moment and ("@" in text or digits >= 6 or (" " in text and len(text) >= 8))


def _full_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        by_name = {"".join(_parts(key)): text for key, text in value.items() if isinstance(text, str)}
        first, last = by_name.get("firstname"), by_name.get("lastname")
        if first and last:
            yield f"{first} {last}"
        for each in value.values():
            yield from _full_names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _full_names(each)


class _Rule:
    """Which leaf is masked: `whole` where all of it is, else only what looks personal within it."""

    def __init__(self, resource_type: ResourceType, *, only_named: bool = False) -> None:
        self._about_persons = resource_type in ABOUT_PERSONS and not only_named
        self._titles_are_codes = resource_type is ResourceType.DISCOUNT_CODES and not only_named
        self._ids_may_be_codes = resource_type is ResourceType.GIFT_CARDS

    def whole(self, path: tuple[str, ...], text: str) -> bool:
        parts = _parts(path[-1]) if path else ()
        if self._about_persons and {"code", "codes"} & set(parts):
            return len(text) > 3 and not {"currency", "country"} & set(parts)
        if self._titles_are_codes and path[-1:] == ("title",):
            return True
        if self._ids_may_be_codes and set(parts) & _IDS:
            return len(text) >= 8
        if not self._about_persons:
            return any(set(_parts(name)) & (_PERSONAL - _OF_THINGS) for name in path) or _is_name_of_person(parts)
        named = set(parts)
        if named & _PERSONAL and not (named & _IDS and len(parts) > 1):
            return True
        return not (named & _SAFE and _is_plain(text))

    def number(self, path: tuple[str, ...], digits: int) -> bool:
        parts = set(_parts(path[-1])) if path else set()
        if parts & (_PERSONAL - _OF_THINGS):
            return True
        return self._about_persons and digits >= _LEAST_DIGITS and not parts & (_SAFE | _IDS)


def _is_name_of_person(parts: tuple[str, ...]) -> bool:
    return "".join(parts) in {"firstname", "lastname", "fullname", "customername", "contactname"}


def _is_plain(text: str) -> bool:
    """An id, a word of a state, an amount, a moment: nothing that a person would be known by."""
    return _MOMENT.fullmatch(text) is not None or (len(text) <= 64 and " " not in text.strip() and "@" not in text)


@lru_cache(maxsize=4096)
def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in _NAME_PART.findall(name))


def _walk(value: Any, path: tuple[str, ...], rule: _Rule, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        by, named = _named_by_itself(value)
        return {
            _key(key, change): each
            if key == by and _is_field_name(by, named)
            else _walk(each, (*path, named if by and key == "value" else key), rule, change)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_walk(each, path, rule, change) for each in value]
    if isinstance(value, str):
        return change(value) if rule.whole(path, value) else _within(value, path, change)
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
        return _as_number(change(text), value) if rule.number(path, sum(map(str.isdigit, text))) else value
    return value


def _key(key: str, change: Callable[[str], str]) -> str:
    return EMAIL.sub(lambda found: change(found[0]), key)


def _named_by_itself(value: dict[str, Any]) -> tuple[str, str]:
    """Lists of `{"key": "_billing_email", "value": …}` name their fields in values: by which key, and so."""
    names = (name for name in _NAMING if isinstance(value.get(name), str) and "value" in value)
    return next(((name, value[name]) for name in names), ("", ""))


def _is_field_name(by: str, named: str) -> bool:
    return by in ("key", "attribute_code", "field") and _FIELD_NAME.fullmatch(named) is not None


def _within(text: str, path: tuple[str, ...], change: Callable[[str], str]) -> str:
    text = EMAIL.sub(lambda found: change(found[0]), text)
    if _MOMENT.fullmatch(text) or (path and set(_parts(path[-1])) & (_IDS | {"price", "amount", "total"})):
        return text
    return _PHONE.sub(lambda found: change(found[0]) if _has_digits(found[0]) else found[0], text)


def _has_digits(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= _LEAST_DIGITS and _MOMENT.match(text) is None


def _as_number(text: str, value: float) -> float:
    """Of the same kind and length: a number begins with no zero."""
    if isinstance(value, int):
        return int(re.sub(r"^(-?)0", r"\g<1>7" if not str(value).lstrip("-").startswith("7") else r"\g<1>3", text))
    try:
        return float(text)
    except ValueError:
        return 0.0

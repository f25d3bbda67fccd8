"""Handles: the names of products, collections and the like in addresses.

What lives here: making one from a title, and finding one that is free.
"""

import re
import unicodedata
from collections.abc import Callable


def handle_of(text: str) -> str:
    """A text as a handle: lower-case letters without accents, digits and single hyphens."""
    taken_apart = re.sub("[\ufe00-\ufe0f]", "", unicodedata.normalize("NFKD", text))
    # Accents go; marks of other scripts (the voicing of kana, vowels of Hindi and Thai) make other words.
    plain = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", taken_apart)).lower()
    kept = (letter if letter.isalnum() or unicodedata.category(letter) in ("Mn", "Mc") else "-" for letter in plain)
    return re.sub("-+", "-", "".join(kept)).strip("-")


def free_handle(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """The handle, or the first of it with -1, -2, … that nobody has."""
    wanted = wanted or "untitled"
    if not is_taken(wanted):
        return wanted
    step, number = 1, 1
    # Doubling keeps a thousand products of one title from asking a thousand times each.
    while is_taken(f"{wanted}-{number}"):
        number += step
        step = min(step * 2, 1024)
    while number > 1 and step > 1 and not is_taken(f"{wanted}-{number - 1}"):
        number -= 1
    return f"{wanted}-{number}"

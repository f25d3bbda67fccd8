"""Handles: the names of products, collections and the like in addresses.

What lives here: making one from a title, and finding one that is free.
"""

import re
import unicodedata
from collections.abc import Callable


def handle_of(text: str) -> str:
    """A text as a handle: plain lower-case letters, digits and single hyphens."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()
    return re.sub(r"[^\w]+|_", "-", plain).strip("-")


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

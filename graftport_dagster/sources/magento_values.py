r"""The small languages inside the cells of Magento's product export, each parsed into plain data.

`code=value` lists, configurable variations, category paths, image columns, bundle and grouped
lists, and addresses. Functions of text only: rows, records and files are in `magento_export`.
Cells are as Magento's own export writes them (Magento\CatalogImportExport\Model\Export\Product):
lists separated by `,`, lists of lists by `|`, and quotes around values where fields are enclosed.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_PAIR_START = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9_]*)=")
_ENCLOSED = re.compile(r'"((?:[^"]|"")*)"')
_ENCLOSED_LIST = re.compile(r'\s*"(?:[^"]|"")*"(?:\|"(?:[^"]|"")*")*(?=\s*(?:,|$))')
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_SEPARATOR = re.compile(r"(?<!\\),")
_SLASH = re.compile(r"(?<!\\)/")
_ESCAPED = re.compile(r"\\([,/\\])")
_ROLES = ("base", "small", "thumbnail", "swatch")
_LETTERS = str.maketrans({
    "ß": "ss", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "œ": "oe", "Œ": "oe", "ł": "l", "Ł": "l", "đ": "d",
    "Đ": "d", "þ": "th", "Þ": "th", "ð": "d", "Ð": "d", "ı": "i",
})  # fmt: skip

NUMERIC_COLUMNS = ("price", "special_price", "cost", "weight", "qty")
IMAGE_COLUMNS = frozenset(
    {"additional_images", "additional_image_labels"}
    | {f"{role}_image" for role in _ROLES} | {f"{role}_image_label" for role in _ROLES}
)  # fmt: skip


class CellError(ValueError):
    """A cell that breaks its own language: code, reason and remedy."""

    def __init__(self, code: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.hint = hint


def check_numbers(cells: Mapping[str, str]) -> None:
    """Raises CellError (BAD_NUMBER) where price, special_price, cost, weight or qty is no number, or negative."""
    for column in NUMERIC_COLUMNS:
        value = cells.get(column)
        if value is None:
            continue
        if not _NUMBER.fullmatch(value.strip()):
            raise CellError("BAD_NUMBER", f"{column} is {value[:60]!r}, not a number.", f"Write {column} like 12.50.")
        if column != "qty" and value.strip().startswith("-"):
            raise CellError("BAD_NUMBER", f"{column} is negative ({value[:60]}).", f"Write {column} like 12.50.")


@lru_cache(maxsize=1024)
def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    at = 0
    while at < len(text):
        start = _PAIR_START.match(text, at)
        if not start:
            raise CellError(
                "BAD_ATTRIBUTES", f"{text[at : at + 60]!r} is not code=value.", "Write code=value,code=value."
            )
        at = start.end()
        enclosed = _ENCLOSED_LIST.match(text, at)
        if enclosed:
            value = "|".join(part.replace('""', '"') for part in _ENCLOSED.findall(enclosed[0]))
            at = enclosed.end()
        else:
            following = _PAIR_START.search(text, at)
            end = following.start() if following else len(text)
            value, at = text[at:end], end
        pairs.append((start[1], value))
    return tuple(pairs)


def attributes(text: str) -> dict[str, str]:
    """`code=value,code=value` as a dictionary; a value may have commas, and quotes around it.

    A multi-select stays one text with `|`. Raises CellError (BAD_ATTRIBUTES) where a code is missing or twice.
    """
    pairs = _pairs(text.strip().rstrip(","))
    values = dict(pairs)
    if len(values) != len(pairs):
        codes = [code for code, _ in pairs]
        twice = next(code for code in codes if codes.count(code) > 1)
        raise CellError("BAD_ATTRIBUTES", f"{twice} is given twice in {text[:60]!r}.", "Give each attribute once.")
    return values


def variations(text: str) -> list[tuple[str, dict[str, str]]]:
    """`sku=A,size=S|sku=B,size=M` as (sku, option values) in order.

    Raises CellError (BAD_VARIATIONS): no SKU, one twice, or options that differ from the first one's.
    """
    pieces = re.split(r"\|(?=\s*sku=)", text) if text.lstrip().startswith("sku=") else text.split("|")
    found: list[tuple[str, dict[str, str]]] = []
    seen: set[str] = set()
    for piece in pieces:
        if not piece.strip():
            continue
        try:
            values = attributes(piece)
        except CellError as error:
            raise _bad_variations(error.reason) from None
        sku = values.pop("sku", "").strip()
        if not sku:
            raise _bad_variations(f"{piece[:60]!r} names no sku.")
        if sku in seen:
            raise _bad_variations(f"{sku} is named twice.")
        if found and values.keys() != found[0][1].keys():
            raise _bad_variations(f"{sku} has other options ({', '.join(values)}) than {found[0][0]}.")
        seen.add(sku)
        found.append((sku, values))
    return found


def _bad_variations(reason: str) -> CellError:
    return CellError("BAD_VARIATIONS", f"configurable_variations: {reason}", "Write sku=A,size=S|sku=B,size=M.")


def options(found: list[tuple[str, dict[str, str]]], labels: str) -> list[dict[str, Any]]:
    """The options of a configurable product with their values, both in order of first appearance.

    `labels`: `size=Size,color=Colour`; a code without one is written as words.
    """
    named = attributes(labels) if labels else {}
    codes = list(found[0][1]) if found else []
    return [
        {
            "code": code, "label": named.get(code) or code.replace("_", " ").capitalize(),
            "values": list(dict.fromkeys(values[code] for _, values in found)),
        }
        for code in codes
    ]  # fmt: skip


@lru_cache(maxsize=4096)
def category_paths(text: str) -> tuple[str, ...]:
    r"""The category paths of a cell, each once, in order; in names `\,` is a comma, `\/` a slash (and stays so).

    A piece that begins with a space and not with the first path's root continues the name before it
    (`Root/Bags, Totes`): Magento's export does not escape commas.
    """
    paths: list[str] = []
    root = ""
    for piece in _SEPARATOR.split(text):
        plain = piece.strip()
        if not plain:
            continue
        if paths and piece[0] == " " and _SLASH.split(plain)[0] != root:
            paths[-1] += "," + piece.rstrip()
            continue
        root = root or _SLASH.split(plain)[0]
        paths.append(plain)
    return tuple(dict.fromkeys(path.replace("\\,", ",").strip("/") for path in paths if path.strip("/")))


def category_names(path: str) -> list[str]:
    """The names along a category path, unescaped."""
    return [_ESCAPED.sub(r"\1", name).strip() for name in _SLASH.split(path)]


def parent_path(path: str) -> str:
    """The path above, "" for a root."""
    slashes = list(_SLASH.finditer(path))
    return path[: slashes[-1].start()] if slashes else ""


def images(cells: Mapping[str, str]) -> list[dict[str, Any]]:
    """The pictures of a row: base first, then small, thumbnail and swatch, then the additional ones; each file once."""
    found: dict[str, dict[str, Any]] = {}
    for role in _ROLES:
        file = cells.get(f"{role}_image", "").strip()
        if file and file != "no_selection":
            image = found.setdefault(file, {"file": file, "label": "", "roles": []})
            image["label"] = image["label"] or cells.get(f"{role}_image_label", "")
            image["roles"].append(role)
    files = [file.strip() for file in cells.get("additional_images", "").split(",")]
    labels = _SEPARATOR.split(cells.get("additional_image_labels", ""))
    for place, file in enumerate(files):
        if file and file != "no_selection":
            label = labels[place].strip() if len(labels) == len(files) else ""
            image = found.setdefault(file, {"file": file, "label": "", "roles": []})
            image["label"] = image["label"] or label
    return list(found.values())


def option_rows(text: str) -> list[dict[str, str]]:
    """`name=A,type=select,price=1|name=B,…` (custom_options, bundle_values) as one dictionary each."""
    return [dict(_pairs(piece.strip())) for piece in re.split(r"\|(?=\s*name=)", text) if piece.strip()]


def associated(text: str) -> list[dict[str, str]]:
    """`SKU=2.0,OTHER=1` (associated_skus of a grouped product) as [{"sku", "qty"}]."""
    pairs = [piece.rpartition("=") if "=" in piece else (piece, "", "") for piece in text.split(",") if piece.strip()]
    return [{"sku": sku.strip(), "qty": qty.strip()} for sku, _, qty in pairs]


@lru_cache(maxsize=4096)
def slug(text: str) -> str:
    """The address that Magento makes of a name: ASCII lower case, everything else `-`. "" where no letter is left."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")

"""Whether a product's options and variants fit together, as `productSet` will want them.

Every variant has one value for every option, and no two the same; Shopify refuses the whole
product otherwise, naming only the first. Types and limits are checked before (`payload.py`).
"""

import difflib
from collections.abc import Collection

from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.problems import Place, Problems

_INPUT: Place = (None, "input")


def check_variants(payload: JsonObject, problems: Problems) -> None:
    """Note every variant that lacks an option, has one too many, or is another's double."""
    options = payload.get("productOptions") or []
    variants = payload.get("variants")
    if options and not variants:
        problems.add((_INPUT, "variants"), "REQUIRED", "Options without variants.",
                     "Shopify takes options only together with the variants that have them.")  # fmt: skip
        return
    names = _option_names(options, problems)
    doubles: dict[frozenset[tuple[str, str]], int] = {}
    for index, variant in enumerate(variants or ()):
        place: Place = (((_INPUT, "variants"), index), "optionValues")
        chosen = _chosen(variant["optionValues"], place, problems)
        if chosen is None:
            # It goes by Shopify's own ids, whose names are not known here.
            names = None
            continue
        names = chosen.keys() if names is None and not options and not index else names
        if names is not None:
            _check_names(chosen.keys(), names, place, problems)
        first = doubles.setdefault(frozenset(chosen.items()), index)
        if first != index:
            problems.add(place, "DUPLICATE_VARIANT", f"The same option values as variants[{first}].",
                         "Give them different values, or merge them.")  # fmt: skip


def _option_names(options: list[JsonObject], problems: Problems) -> Collection[str] | None:
    """The names of the options; None where there are none, or one goes by id or metafield."""
    names: list[str] = []
    for index, option in enumerate(options):
        place: Place = ((_INPUT, "productOptions"), index)
        name = option.get("name")
        if name is None:
            return None
        if " / " in name:
            problems.add((place, "name"), "BAD_NAME", "Shopify takes no option whose name has ' / ' in it.")
        if name in names:
            problems.add((place, "name"), "DUPLICATE_OPTION", f"Another option is named {name} too.")
        names.append(name)
        values = [value.get("name") for value in option.get("values") or ()]
        for at, value in enumerate(values):
            if value is not None and value in values[:at]:
                problems.add(
                    (((place, "values"), at), "name"), "DUPLICATE_VALUE", "A value that the option has already."
                )
    return names or None


def _chosen(values: list[JsonObject], place: Place, problems: Problems) -> dict[str, str] | None:
    """Option name → value of one variant; None where it goes by ids."""
    chosen: dict[str, str] = {}
    for index, value in enumerate(values):
        name, choice = value.get("optionName"), value.get("name")
        if value.get("optionId") or value.get("id") or value.get("linkedMetafieldValue"):
            return None
        if name is None or choice is None:
            problems.add((place, index), "REQUIRED", "An option value needs optionName and name.")
            return None
        if name in chosen:
            problems.add((place, index), "DUPLICATE_OPTION", f"A second value for {name}.")
        chosen[name] = choice
    return chosen


def _check_names(chosen: Collection[str], names: Collection[str], place: Place, problems: Problems) -> None:
    for name in names:
        if name not in chosen:
            problems.add(place, "OPTION_MISSING", f"No value for the option {name}.", "Every variant needs one.")
    for name in chosen:
        if name not in names:
            near = difflib.get_close_matches(name, list(names), n=1)
            problems.add(place, "UNKNOWN_OPTION", f"{name} is not an option of this product.",
                         f"Did you mean {near[0]}?" if near else "")  # fmt: skip

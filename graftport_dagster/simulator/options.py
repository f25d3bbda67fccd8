"""A product's options and which variant stands for which combination of their values.

What lives here: `productOptions` and `optionValues` of productSet, checked and matched with
what the product already has. The other fields of a variant are `variants.py`'s.
"""

from graftport_dagster.simulator.answers import user_error
from graftport_dagster.simulator.parts import Call
from graftport_dagster.simulator.state import Object

_MOST_OPTIONS = 3
_MOST_VALUES = 2048
_LONGEST = 255
_SEPARATOR = " / "
Combination = tuple[str, ...]


def default_options(call: Call) -> list[Object]:
    """The options of a product without any, as Shopify has it: one that says nothing."""
    return [_option(call, {"name": "Title", "values": [{"name": "Default Title"}]}, 1, None)]


def checked_options(call: Call, given: list[Object], existing: list[Object]) -> tuple[list[Object], list[Object]]:
    """The options as they will be, those that stay with their ids; and the errors."""
    errors = _errors(given, existing)
    if errors:
        return [], errors
    by_id = {it["id"]: it for it in existing}
    by_name = {it["name"].lower(): it for it in existing}
    ordered = sorted(enumerate(given), key=lambda pair: (pair[1].get("position") or pair[0] + 1, pair[0]))
    options = []
    for position, (_, it) in enumerate(ordered, 1):
        before = by_id.get(it.get("id") or "") or by_name.get((it.get("name") or "").lower())
        options.append(_option(call, it, position, before))
    return options, []


def _option(call: Call, given: Object, position: int, before: Object | None) -> Object:
    values = {it["name"].lower(): it for it in (before or {}).get("optionValues", ())}
    names = [it["name"] for it in given.get("values") or [{"name": it["name"]} for it in values.values()]]
    return {
        "id": before["id"] if before else call.state.new_id("ProductOption"),
        "name": given.get("name") or (before or {})["name"],
        "position": position,
        "optionValues": [
            {"id": (values.get(name.lower()) or {}).get("id") or call.state.new_id("ProductOptionValue"), "name": name}
            for name in names
        ],
    }


def _errors(given: list[Object], existing: list[Object]) -> list[Object]:
    root: list[str | int] = ["input", "productOptions"]
    if len(given) > _MOST_OPTIONS:
        return [user_error(root, f"Options over limit: at most {_MOST_OPTIONS} are allowed", "OPTIONS_OVER_LIMIT")]
    errors, names = [], set()
    known = {it["id"] for it in existing}
    for index, it in enumerate(given):
        path = [*root, index]
        name = it.get("name") or ""
        if it.get("id") and it["id"] not in known:
            errors.append(user_error(path, "Option does not exist", "OPTION_DOES_NOT_EXIST"))
            continue
        if wrong := _name_error(name, has_id=bool(it.get("id"))):
            errors.append(user_error([*path, "name"], wrong, "INVALID_INPUT"))
        if name.lower() in names:
            errors.append(user_error(path, f"Duplicated option name '{name}'.", "DUPLICATED_OPTION_NAME"))
        names.add(name.lower())
        errors.extend(_value_errors(path, it))
    return errors


def _name_error(name: str, *, has_id: bool) -> str | None:
    if _SEPARATOR in name:
        return f"The name contains unsupported sequence '{_SEPARATOR}'"
    if not name.strip() and not has_id:
        return "Name can't be blank"
    return f"Name is too long (maximum is {_LONGEST} characters)" if len(name) > _LONGEST else None


def _value_errors(path: list[str | int], option: Object) -> list[Object]:
    values = [it.get("name") or "" for it in option.get("values") or ()]
    if not values and not option.get("id"):
        message = "Each option must have at least one option value specified."
        return [user_error([*path, "values"], message, "OPTION_VALUES_MISSING")]
    if len(values) > _MOST_VALUES:
        return [user_error([*path, "values"], "Option values over limit", "OPTION_VALUES_OVER_LIMIT")]
    errors, seen = [], set()
    for index, name in enumerate(values):
        if name.lower() in seen:
            message = f"Duplicated option value '{name}'."
            errors.append(user_error([*path, "values", index], message, "DUPLICATED_OPTION_VALUE"))
        seen.add(name.lower())
        if _SEPARATOR in name:
            message = f"The name contains unsupported sequence '{_SEPARATOR}'"
            errors.append(user_error([*path, "values", index, "name"], message, "INVALID_INPUT"))
        if not name.strip() or len(name) > _LONGEST:
            message = (
                "Name can't be blank" if not name.strip() else f"Name is too long (maximum is {_LONGEST} characters)"
            )
            errors.append(user_error([*path, "values", index, "name"], message, "INVALID_INPUT"))
    return errors


def combination(options: list[Object], given: list[Object], path: list[str | int]) -> tuple[Combination, list[Object]]:
    """The values of a variant in the order of the options, and the errors in what was given."""
    chosen: dict[str, str] = {}
    for index, it in enumerate(given):
        option = _chosen_option(options, it)
        if option is None:
            return (), [user_error([*path, "optionValues", index], "Option does not exist", "OPTION_DOES_NOT_EXIST")]
        value = _chosen_value(option, it)
        if value is None:
            message = "Option value does not exist"
            return (), [user_error([*path, "optionValues", index], message, "OPTION_VALUE_DOES_NOT_EXIST")]
        if option["id"] in chosen:
            message = f"Duplicated option name '{option['name']}'"
            return (), [user_error([*path, "optionValues"], message, "INVALID_INPUT")]
        chosen[option["id"]] = value
    missing = [it["name"] for it in options if it["id"] not in chosen]
    if missing:
        message = f"You need to add option values for {', '.join(missing)}"
        return (), [user_error([*path, "optionValues"], message, "INVALID_VARIANT")]
    return tuple(chosen[it["id"]] for it in options), []


def _chosen_option(options: list[Object], given: Object) -> Object | None:
    if given.get("optionId"):
        return next((it for it in options if it["id"] == given["optionId"]), None)
    if given.get("optionName"):
        return next((it for it in options if it["name"].lower() == given["optionName"].lower()), None)
    return next((it for it in options if _chosen_value(it, given) is not None), None)


def _chosen_value(option: Object, given: Object) -> str | None:
    for it in option["optionValues"]:
        if it["id"] == given.get("id") or it["name"].lower() == (given.get("name") or "").lower():
            return str(it["name"])
    return None

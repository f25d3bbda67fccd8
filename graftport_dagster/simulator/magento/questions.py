"""What a list is asked for: searchCriteria's filters, order and pages, `fields`, and Magento's traps.

What lives here: reading the parameters and answering from a list in memory. Facts: filters of one
group are alternatives, groups narrow; pages count from 1; without pageSize everything comes; a page
past the end repeats the last one in older versions; without an order rows come as the database likes.
"""

import operator
import random
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from operator import itemgetter
from typing import Any

Thing = dict[str, Any]
Columns = Mapping[str, str]
_FILTER = re.compile(
    r"searchCriteria\[(?:filter_groups|filterGroups)\]\[(\d+)\]\[filters\]\[(\d+)\]"
    r"\[(field|value|condition_type|conditionType)\]"
)
_ABSENT = object()
_REPORT = "Internal Error. Details are available in Magento log file. Report ID: webapi-1"
_ORDER = re.compile(r"searchCriteria\[(?:sortOrders|sort_orders)\]\[(\d+)\]\[(field|direction)\]")


class WrongQuestionError(ValueError):
    """A question that Magento refuses; `status` and `parameters` as it answers them."""

    def __init__(self, message: str, parameters: object = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.parameters = parameters
        self.status = status


@dataclass(slots=True)
class Traps:
    """How this Magento behaves where versions and settings differ. `most_per_page` 0: input limits are off."""

    repeats_last_page: bool = True
    shuffles_unsorted: bool = True
    most_per_page: int = 0
    # What an unsorted list was shuffled with last.
    turns: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - repeatable by intent


def answer(things: list[Thing], query: Mapping[str, str], traps: Traps, columns: Columns) -> Thing:
    """`{items, search_criteria, total_count}`. `columns`: what is asked for by another name than it is shown by."""
    chosen = things
    for group in _groups(query):
        _must_be_there(things, [asked.get("field", "") for asked in group], columns)
        chosen = _kept(chosen, group, columns)
    chosen = _ordered(things, chosen, query, traps, columns)
    size = _whole(query, "pageSize", "page_size", otherwise=0)
    page = max(1, _whole(query, "currentPage", "current_page", otherwise=1))
    if traps.most_per_page and size > traps.most_per_page:
        raise WrongQuestionError("Maximum SearchCriteria pageSize is %1", [traps.most_per_page])
    items = chosen
    if size > 0:
        last = max(1, -(-len(chosen) // size))
        shown = min(page, last) if traps.repeats_last_page else page
        items = chosen[(shown - 1) * size : shown * size]
    criteria: Thing = {"filter_groups": _told(query)}
    if size > 0:
        criteria |= {"page_size": size, "current_page": page}
    return {"items": items, "search_criteria": criteria, "total_count": len(chosen)}


def projected(value: Any, fields: str) -> Any:
    """What `fields=items[id,sku],total_count` leaves of an answer."""
    return _project(value, _parsed(fields)[0]) if fields else value


def _parsed(text: str) -> tuple[Thing, str]:
    found: Thing = {}
    while text and text[0] != "]":
        name = re.split(r"[,\[\]]", text, maxsplit=1)[0]
        text = text[len(name) :]
        below: Thing = {}
        if text.startswith("["):
            below, text = _parsed(text[1:])
            text = text.removeprefix("]")
        found[name.strip()] = below
        text = text.removeprefix(",")
    return found, text


def _project(value: Any, names: Thing) -> Any:
    if not names:
        return value
    if isinstance(value, list):
        return [_project(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _project(value[name], below) for name, below in names.items() if name in value}


def _whole(query: Mapping[str, str], *names: str, otherwise: int) -> int:
    for name in names:
        text = query.get(f"searchCriteria[{name}]")
        if text:
            if not re.fullmatch(r"-?\d+", text):
                raise WrongQuestionError(
                    'Error occurred during "%fieldName" processing. %details',
                    {
                        "fieldName": name,
                        "details": f'The "{text}" value\'s type is invalid. The "int" type was expected.',
                    },
                )
            return int(text)
    return otherwise


def _groups(query: Mapping[str, str]) -> list[list[Thing]]:
    groups: dict[str, dict[str, Thing]] = {}
    for name, value in query.items():
        if found := _FILTER.fullmatch(name):
            group, place, part = found.groups()
            part = "condition_type" if part.startswith("condition") else part
            groups.setdefault(group, {}).setdefault(place, {})[part] = value
    return [list(filters.values()) for filters in groups.values()]


def _told(query: Mapping[str, str]) -> list[Thing]:
    return [{"filters": [{"condition_type": "eq", **each} for each in group]} for group in _groups(query)]


def _value_of(thing: Thing, name: str, columns: Columns, otherwise: Any = None) -> Any:
    """A field by its column, or a custom attribute."""
    name = columns.get(name, name)
    if name in thing:
        return thing[name]
    attributes = thing.get("custom_attributes") or ()
    return next((one["value"] for one in attributes if one["attribute_code"] == name), otherwise)


def _must_be_there(things: list[Thing], names: Iterable[str], columns: Columns) -> None:
    """A column that no table has is no empty answer but a query that fails."""
    for name in names:
        if things and all(_value_of(thing, name, columns, _ABSENT) is _ABSENT for thing in things):
            raise WrongQuestionError(_REPORT, [], 500)


def _kept(things: list[Thing], group: list[Thing], columns: Columns) -> list[Thing]:
    """Those that one of the group's filters takes."""
    asked = group[0]
    field_name = columns.get(asked.get("field", ""), asked.get("field", ""))
    kind, wanted = asked.get("condition_type", "eq"), str(asked.get("value", ""))
    # What readers ask page after page: the things after an id, and those of some ids.
    with suppress(KeyError, TypeError):
        if len(group) == 1 and kind == "gt" and wanted.isdecimal():
            least = int(wanted)
            return [thing for thing in things if thing[field_name] > least]
        if len(group) == 1 and kind == "in" and None not in (found := [thing[field_name] for thing in things]):
            listed = frozenset(wanted.split(","))
            return [thing for thing, value in zip(things, found, strict=True) if str(value) in listed]
    conditions = [_condition(each, columns) for each in group]
    return [thing for thing in things if any(holds(thing) for holds in conditions)]


def _condition(asked: Thing, columns: Columns) -> Callable[[Thing], bool]:
    """One filter, read once for a whole list."""
    field_name, wanted, kind = asked.get("field", ""), str(asked.get("value", "")), asked.get("condition_type", "eq")
    if kind in ("null", "notnull"):
        return lambda thing: (_value_of(thing, field_name, columns) is None) == (kind == "null")
    matches = _test(kind, wanted)

    def holds(thing: Thing) -> bool:
        value = _value_of(thing, field_name, columns)
        return value is not None and matches(value)

    return holds


def _test(kind: str, wanted: str) -> Callable[[Any], bool]:
    """Whether a value that is there is as wanted."""
    if kind in ("in", "nin"):
        listed = frozenset(wanted.split(","))
        return lambda value: (str(value) in listed) == (kind == "in")
    if kind == "like":
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("%")), re.IGNORECASE)
        return lambda value: pattern.fullmatch(str(value)) is not None
    compare = _COMPARED.get(kind)
    if compare is None:
        raise WrongQuestionError(_REPORT, [], 500)
    right = _comparable(wanted)

    def compared(value: Any) -> bool:
        left = _comparable(value)
        return bool(compare(left, right) if type(left) is type(right) else compare(str(value), wanted))

    return compared


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "neq": operator.ne, "gt": operator.gt, "gteq": operator.ge, "lt": operator.lt,
    "lteq": operator.le, "from": operator.ge, "to": operator.le,
}  # fmt: skip


def _comparable(value: Any) -> Any:
    if isinstance(value, bool):
        return Decimal(int(value))
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return str(value)


def _ordered(
    everything: list[Thing], things: list[Thing], query: Mapping[str, str], traps: Traps, columns: Columns
) -> list[Thing]:
    orders: dict[str, Thing] = {}
    for name, value in query.items():
        if found := _ORDER.fullmatch(name):
            orders.setdefault(found[1], {})[found[2]] = value
    if not orders:
        things = list(things)
        if traps.shuffles_unsorted:
            traps.turns.shuffle(things)
        return things
    for order in reversed(list(orders.values())):
        name, down = order.get("field", ""), order.get("direction", "DESC").upper() == "DESC"
        _must_be_there(everything, [name], columns)
        plain = columns.get(name, name)
        if things and type(things[0].get(plain)) is int:
            with suppress(KeyError, TypeError):
                things = sorted(things, key=itemgetter(plain), reverse=down)
                continue
        things = sorted(things, key=lambda thing: _sortable(_value_of(thing, name, columns)), reverse=down)
    return things


def _sortable(value: Any) -> tuple[int, Any]:
    comparable = _comparable("" if value is None else value)
    return (isinstance(comparable, str), comparable)

"""What may be asked of a list, and the page that answers it, as WordPress's REST API does.

What lives here: the parameters of each route with their limits and defaults, filters, orders and
pages, and the refusals in WordPress's words. Nothing of HTTP but the query.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graftport_dagster.simulator.woocommerce.made import Thing

_MOST = 100
_POST_ORDERS = ("date", "id", "include", "title", "slug", "modified")
_TERM_ORDERS = ("id", "include", "name", "slug", "term_group", "description", "count")
# These are answered whole, without pages.
_WHOLE = ("notes", "attributes")
_CLOCK = timedelta(hours=1)


class InvalidParametersError(ValueError):
    """`rest_invalid_param`: what is wrong, by parameter."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__(f"Invalid parameter(s): {', '.join(wrong)}")
        self.wrong = dict(wrong)
        self.details = {
            name: {"code": "rest_out_of_bounds", "message": message, "data": None} for name, message in wrong.items()
        }


class PageTooHighError(ValueError):
    """WordPress (not WooCommerce) refuses a page behind the last one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one list may be asked: its orders, its default order, its filters of status and dates.

    `shown`: the statuses of a list that cannot be asked for one.
    """

    orders: tuple[str, ...]
    order: str
    ascending: bool = False
    statuses: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ("trash", "auto-draft")
    shown: tuple[str, ...] = ()
    takes_one_status: bool = False
    has_dates: bool = False
    dated: str = "date_created"
    changed: str = "date_modified"
    equal: tuple[str, ...] = ()
    is_wordpress: bool = False


_PRODUCT_ORDERS = (*_POST_ORDERS, "price", "popularity", "rating", "menu_order")
_POST_STATUSES = ("publish", "future", "draft", "pending", "private")
KINDS: Mapping[str, Kind] = {
    "products": Kind(_PRODUCT_ORDERS, "date", statuses=("any", *_POST_STATUSES, "trash"), takes_one_status=True,
                     has_dates=True, equal=("type", "sku", "slug", "stock_status")),
    "variations": Kind(_PRODUCT_ORDERS, "date", statuses=("any", *_POST_STATUSES, "trash"), takes_one_status=True,
                       has_dates=True, equal=("sku", "stock_status")),
    "categories": Kind(_TERM_ORDERS, "name", ascending=True, equal=("parent", "slug")),
    "tags": Kind(_TERM_ORDERS, "name", ascending=True, equal=("slug",)),
    "attributes": Kind(("id",), "id", ascending=True),
    "terms": Kind((*_TERM_ORDERS, "menu_order"), "name", ascending=True, equal=("slug",)),
    "customers": Kind(("id", "include", "name", "registered_date"), "name", ascending=True, equal=("email", "role")),
    "coupons": Kind(_POST_ORDERS, "date", shown=("publish", "private"), has_dates=True, equal=("code",)),
    "orders": Kind(_POST_ORDERS, "date", has_dates=True, statuses=(
        "any", "trash", "auto-draft", "pending", "processing", "on-hold", "completed", "cancelled", "refunded",
        "failed",
        "checkout-draft"), equal=("parent", "customer")),
    "refunds": Kind(_POST_ORDERS, "date", has_dates=True, changed="date_created"),
    "notes": Kind(("id",), "id"),
    "taxes": Kind(("id", "order", "priority"), "order", ascending=True, equal=("class",)),
    "posts": Kind((*_POST_ORDERS, "author", "parent"), "date", statuses=(*_POST_STATUSES, "any", "trash"),
                  has_dates=True, dated="date", changed="modified", is_wordpress=True),
    "pages": Kind((*_POST_ORDERS, "author", "parent", "menu_order"), "date", statuses=(*_POST_STATUSES, "any", "trash"),
                  has_dates=True, dated="date", changed="modified", equal=("parent",), is_wordpress=True),
    "post_categories": Kind(_TERM_ORDERS, "name", ascending=True, equal=("parent", "slug"), is_wordpress=True),
    "post_tags": Kind(_TERM_ORDERS, "name", ascending=True, equal=("slug",), is_wordpress=True),
    "users": Kind(("id", "include", "name", "registered_date", "slug"), "name", ascending=True, is_wordpress=True),
    "media": Kind(_POST_ORDERS, "date", dated="date", changed="modified", is_wordpress=True),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """The things of one page, and how many there are in all."""

    things: list[Thing]
    number: int
    total: int
    pages: int


def ask(name: str, things: Sequence[Thing], query: Mapping[str, str], *, may_see_all: bool = True) -> Page:
    """A page of the list. Raises InvalidParametersError, PageTooHighError."""
    kind = KINDS[name]
    size, number, offset = _place(kind, query) if name not in _WHOLE else (len(things) + 1, 1, None)
    filters = list(_filters(name, kind, query, may_see_all=may_see_all))
    found = [it for it in things if all(keeps(it) for keeps in filters)]
    found.sort(key=_by(query.get("orderby", kind.order), kind), reverse=not _is_ascending(kind, query))
    pages = -(-len(found) // size)
    if kind.is_wordpress and number > max(pages, 1) and offset is None:
        raise PageTooHighError
    start = (number - 1) * size if offset is None else offset
    return Page([_chosen(it, query) for it in found[start : start + size]], number, len(found), pages)


def _place(kind: Kind, query: Mapping[str, str]) -> tuple[int, int, int | None]:
    wrong: dict[str, str] = {}
    size = _number(query, "per_page", 10, wrong)
    if not 1 <= size <= _MOST:
        wrong["per_page"] = f"per_page must be between 1 (inclusive) and {_MOST} (inclusive)"
    number = _number(query, "page", 1, wrong)
    if number < 1:
        wrong["page"] = "page must be greater than or equal to 1"
    offset = _number(query, "offset", 0, wrong) if "offset" in query else None
    if query.get("orderby", kind.order) not in kind.orders:
        wrong["orderby"] = f"orderby is not one of {', '.join(kind.orders)}."
    if query.get("order", "asc") not in ("asc", "desc"):
        wrong["order"] = "order is not one of asc, desc."
    for name in ("modified_after", "modified_before", "after", "before"):
        if name in query and _moment(query[name]) is None:
            wrong[name] = "Invalid date."
    if wrong:
        raise InvalidParametersError(wrong)
    return size, number, offset


def _number(query: Mapping[str, str], name: str, otherwise: int, wrong: dict[str, str]) -> int:
    try:
        return int(query.get(name, otherwise))
    except ValueError:
        wrong[name] = f"{name} is not of type integer."
        return otherwise


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "")).replace(tzinfo=None)
    except ValueError:
        return None


def _filters(
    name: str, kind: Kind, query: Mapping[str, str], *, may_see_all: bool
) -> Iterable[Callable[[Thing], bool]]:
    if kind.statuses:
        yield _with_status(kind, query, may_see_all=may_see_all)
    if kind.shown:
        yield lambda it: it["status"] in kind.shown
    for field in kind.equal:
        if field in query:
            yield _equal({"customer": "customer_id", "parent": _parent(name)}.get(field, field), query[field])
    if name == "customers" and "role" not in query:
        yield lambda it: it["role"] == "customer"
    if "include" in query:
        wanted = {int(it) for it in query["include"].split(",") if it}
        yield lambda it: it["id"] in wanted
    if "exclude" in query:
        unwanted = {int(it) for it in query["exclude"].split(",") if it}
        yield lambda it: it["id"] not in unwanted
    yield from _dates(kind, query)


def _parent(name: str) -> str:
    return "parent" if name in ("categories", "pages", "post_categories") else "parent_id"


def _equal(field: str, value: str) -> Callable[[Thing], bool]:
    values = frozenset(value.split(","))
    return lambda it: value == "all" or str(it.get(field)) in values


def _with_status(kind: Kind, query: Mapping[str, str], *, may_see_all: bool) -> Callable[[Thing], bool]:
    default = "publish" if kind.is_wordpress else "any"
    text = query.get("status", default)
    asked = [text] if kind.takes_one_status else text.split(",")
    if any(status not in kind.statuses for status in asked):
        raise InvalidParametersError({"status": f"status[0] is not one of {', '.join(kind.statuses)}."})
    if kind.is_wordpress and not may_see_all and asked != ["publish"]:
        raise InvalidParametersError({"status": "Status is forbidden."})
    if "any" in asked:
        return lambda it: it["status"] not in kind.hidden
    return lambda it: it["status"] in asked


def _dates(kind: Kind, query: Mapping[str, str]) -> Iterable[Callable[[Thing], bool]]:
    # Customers and terms have no such filters, and one that is not known is passed over.
    pairs = [("after", "before", kind.dated), ("modified_after", "modified_before", kind.changed)]
    pairs = pairs if kind.has_dates else []
    dates_are_gmt = query.get("dates_are_gmt", "false") in ("true", "1") and not kind.is_wordpress
    for after, before, field in pairs:
        if after in query:
            yield _later(field, _local(query[after], in_gmt=dates_are_gmt or query[after].endswith("Z")))
        if before in query:
            yield _earlier(field, _local(query[before], in_gmt=dates_are_gmt or query[before].endswith("Z")))


def _local(text: str, *, in_gmt: bool) -> str:
    found = _moment(text)
    assert found is not None  # noqa: S101 - checked before
    return (found + _CLOCK if in_gmt else found).strftime("%Y-%m-%dT%H:%M:%S")


def _later(field: str, than: str) -> Callable[[Thing], bool]:
    return lambda it: str(it.get(field) or "") > than


def _earlier(field: str, than: str) -> Callable[[Thing], bool]:
    return lambda it: str(it.get(field) or "") < than


def _is_ascending(kind: Kind, query: Mapping[str, str]) -> bool:
    return query.get("order", "asc" if kind.ascending else "desc") == "asc"


def _by(order: str, kind: Kind) -> Callable[[Thing], Any]:
    field = {
        "date": kind.dated, "registered_date": "date_created", "modified": kind.changed, "popularity": "total_sales",
        "include": "id", "title": "name",
    }.get(order, order)  # fmt: skip

    def key(thing: Thing) -> Any:
        value = thing.get(field)
        if value is None or isinstance(value, dict):
            value = ""
        return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))

    return key


def _chosen(thing: Thing, query: Mapping[str, str]) -> Thing:
    if "_fields" not in query:
        return thing
    wanted = {name.strip().partition(".")[0] for name in query["_fields"].split(",")}
    return {name: value for name, value in thing.items() if name in wanted}

"""Pages of things, as Shopify cuts them.

What lives here: `first`, `last`, `after`, `before`, `sortKey`, `reverse`, cursors and their refusals,
over a list at hand or over all objects of a type. Filtering by a `query` is `search.py`'s.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any

import orjson

from graftport_dagster.simulator.answers import TopLevelError, not_simulated
from graftport_dagster.simulator.state import Object, State, split_gid

_MOST = 250
_ALL = 2**40
_BY_ID = frozenset({None, "ID", "RELEVANCE"})
_SORTED = {
    "UPDATED_AT": "updatedAt", "CREATED_AT": "createdAt", "PROCESSED_AT": "processedAt", "TITLE": "title",
    "NAME": "name",
}  # fmt: skip
# Bulk queries ask for everything without saying how much.
_whole: ContextVar[bool] = ContextVar("whole", default=False)
Arguments = dict[str, Any]
# What a list is sorted by, as text, and a number; a cursor is that of one object.
Rank = tuple[str, int]


@contextmanager
def whole_pages() -> Iterator[None]:
    """Within it a connection that does not say how much it wants gives everything."""
    token = _whole.set(True)
    try:
        yield
    finally:
        _whole.reset(token)


def page_of(items: Sequence[Any], arguments: Arguments) -> Object:
    """A connection over a list at hand; a cursor is an object in it, or the place where that was."""
    _refuse_search(arguments)
    size, backwards = _size(arguments)
    places = list(range(len(items)))
    reverse = bool(arguments.get("reverse"))
    if reverse:
        places.reverse()
    if (cursor := arguments.get("after")) is not None:
        places = _beside(items, places, cursor, above=not reverse)
    if (cursor := arguments.get("before")) is not None:
        places = _beside(items, places, cursor, above=reverse)
    chosen = places[-size:] if backwards and size else places[:size] if not backwards else []
    more_before, more_after = _more(places, chosen, arguments)
    return _connection([((_id_of(items[place]), place), items[place]) for place in chosen], more_before, more_after)


def _beside(items: Sequence[Any], places: list[int], cursor: str, *, above: bool) -> list[int]:
    """The places above that of a cursor, or below it, without its own."""
    gid, place = _rank_at(cursor)
    found = next((it for it in range(len(items)) if gid and _id_of(items[it]) == gid), None)
    edge = place if found is None else found
    # Where it is gone by now, what came behind it has its place.
    gone = bool(gid) and found is None
    return [it for it in places if (it > edge or (gone and it == edge) if above else it < edge)]


def _id_of(item: Any) -> str:
    found = item.get("id") if isinstance(item, dict) else item
    return found if isinstance(found, str) else ""


def _more(places: list[int], chosen: list[int], arguments: Arguments) -> tuple[bool, bool]:
    if not chosen:
        return False, bool(places)
    started = arguments.get("after") is not None
    return places[0] != chosen[0] or started, places[-1] != chosen[-1] or arguments.get("before") is not None


def page_of_all(
    state: State, kind: str, arguments: Arguments, matches: Callable[[Object], bool] = lambda _: True
) -> Object:
    """A connection over all objects of a type as they are now; by id it reads no more than it shows."""
    _refuse_search(arguments)
    if arguments.get("sortKey") not in _BY_ID:
        return page_of_found((it for it in state.all(kind) if matches(it)), arguments)
    size, from_end = _size(arguments)
    backwards = bool(arguments.get("reverse")) != from_end
    cursor = arguments.get("before") if from_end else arguments.get("after")
    edge = 0 if cursor is None else _rank_at(cursor)[1]
    wanted = (it for it in state.all(kind, after=edge, backwards=backwards) if matches(it))
    chosen = list(islice(wanted, size + 1))
    more, chosen = len(chosen) > size, chosen[:size]
    if from_end:
        chosen.reverse()
    behind = cursor is not None
    pairs = [(_rank(it, None), it) for it in chosen]
    return _connection(pairs, *((more, behind) if from_end else (behind, more)))


def page_of_found(objects: Iterable[Object], arguments: Arguments) -> Object:
    """A connection over search results; cursors stay right when others appear."""
    size, from_end = _size(arguments)
    reverse = bool(arguments.get("reverse"))
    ranked = [(_rank(it, arguments.get("sortKey")), it) for it in objects]
    ranked.sort(key=lambda pair: pair[0], reverse=reverse)
    start, stop = 0, len(ranked)
    if (cursor := arguments.get("after")) is not None:
        start = _passed(ranked, _rank_at(cursor), reverse=reverse, inclusive=True)
    if (cursor := arguments.get("before")) is not None:
        stop = _passed(ranked, _rank_at(cursor), reverse=reverse, inclusive=False)
    if from_end:
        start = max(start, stop - size)
    else:
        stop = min(stop, start + size)
    return _connection(ranked[start:stop], start > 0, stop < len(ranked))


def _rank(it: Object, sort_key: str | None) -> Rank:
    """Where an object stands in a sorted list: by what it is sorted by, then by its id."""
    number = split_gid(it["id"])[1]
    if sort_key in _BY_ID:
        return "", number
    field = _SORTED.get(sort_key or "", "")
    if field not in it:
        raise not_simulated(f"sorting by {sort_key}")
    return str(it[field] or "").lower(), number


def _passed(ranked: Sequence[tuple[Rank, Any]], edge: Rank, *, reverse: bool, inclusive: bool) -> int:
    def is_before(rank: Rank) -> bool:
        return (rank == edge and inclusive) or (rank > edge if reverse else rank < edge)

    return sum(1 for rank, _ in ranked if is_before(rank))


def _connection(pairs: Sequence[tuple[Rank, Any]], more_before: bool, more_after: bool) -> Object:  # noqa: FBT001
    cursors = [_cursor(rank) for rank, _ in pairs]
    nodes = [node for _, node in pairs]
    return {
        "nodes": nodes,
        "edges": [{"cursor": cursor, "node": node} for cursor, node in zip(cursors, nodes, strict=True)],
        "pageInfo": {
            "hasNextPage": more_after,
            "hasPreviousPage": more_before,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def _refuse_search(arguments: Arguments) -> None:
    """A list that nobody narrowed must not look as if it were what the search found."""
    if arguments.get("query"):
        raise not_simulated("a search in this list")


def _size(arguments: Arguments) -> tuple[int, bool]:
    first, last = arguments.get("first"), arguments.get("last")
    if first is None and last is None:
        if _whole.get():
            return _ALL, False
        raise TopLevelError("BAD_REQUEST", "you must provide one of first or last")
    if first is not None and last is not None:
        raise TopLevelError("BAD_REQUEST", "providing both first and last is not supported")
    name, size = ("first", first) if first is not None else ("last", last)
    assert size is not None  # noqa: S101 - one of the two is there
    if size > _MOST:
        raise TopLevelError("BAD_REQUEST", f"{name} cannot exceed {_MOST}")
    if size < 0:
        raise TopLevelError("BAD_REQUEST", f"{name} cannot be negative")
    return size, name == "last"


def _cursor(rank: Rank) -> str:
    return base64.b64encode(orjson.dumps(rank)).decode()


def _rank_at(cursor: str) -> Rank:
    try:
        text, number = orjson.loads(base64.b64decode(cursor, validate=True))
        return str(text), int(number)
    except (binascii.Error, ValueError, TypeError):
        raise TopLevelError("BAD_REQUEST", "Malformed cursor") from None

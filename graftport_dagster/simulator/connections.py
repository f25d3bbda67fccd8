"""Pages of things, as Shopify cuts them.

What lives here: `first`, `last`, `after`, `before`, `reverse`, cursors and their refusals, over
a list at hand or over all objects of a type. Filtering by a `query` is `search.py`'s.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any

import orjson

from graftport_dagster.simulator.answers import TopLevelError
from graftport_dagster.simulator.state import Object, State, split_gid

_MOST = 250
_ALL = 2**40
# Bulk queries ask for everything without saying how much.
_whole: ContextVar[bool] = ContextVar("whole", default=False)
Arguments = dict[str, Any]


@contextmanager
def whole_pages() -> Iterator[None]:
    """Within it a connection that does not say how much it wants gives everything."""
    token = _whole.set(True)
    try:
        yield
    finally:
        _whole.reset(token)


def page_of(items: Sequence[Any], arguments: Arguments) -> Object:
    """A connection over a list at hand; a cursor is a place in it."""
    size, backwards = _size(arguments)
    places = list(range(len(items)))
    if arguments.get("reverse"):
        places.reverse()
    if (cursor := arguments.get("after")) is not None:
        places = places[_after(places, _place(cursor)) :]
    if (cursor := arguments.get("before")) is not None:
        places = places[: _before(places, _place(cursor))]
    chosen = places[-size:] if backwards and size else places[:size] if not backwards else []
    more_before, more_after = _more(places, chosen, arguments)
    return _connection([(str(place), items[place]) for place in chosen], more_before, more_after)


def _more(places: list[int], chosen: list[int], arguments: Arguments) -> tuple[bool, bool]:
    if not chosen:
        return False, bool(places)
    started = arguments.get("after") is not None
    return places[0] != chosen[0] or started, places[-1] != chosen[-1] or arguments.get("before") is not None


def _after(places: list[int], place: int) -> int:
    return places.index(place) + 1 if place in places else len(places)


def _before(places: list[int], place: int) -> int:
    return places.index(place) if place in places else 0


def page_of_all(
    state: State, kind: str, arguments: Arguments, matches: Callable[[Object], bool] | None = None
) -> Object:
    """A connection over all objects of a type by id, as they are now; reads no more than it shows."""
    size, from_end = _size(arguments)
    backwards = bool(arguments.get("reverse")) != from_end
    cursor = arguments.get("before") if from_end else arguments.get("after")
    edge = 0 if cursor is None else _place(cursor)
    found: Iterator[Object] = state.all(kind, after=edge, backwards=backwards)
    wanted: Iterable[Object] = found if matches is None else (it for it in found if matches(it))
    chosen = list(islice(wanted, size + 1))
    more, chosen = len(chosen) > size, chosen[:size]
    if from_end:
        chosen.reverse()
    behind = cursor is not None
    pairs = [(str(split_gid(it["id"])[1]), it) for it in chosen]
    return _connection(pairs, *((more, behind) if from_end else (behind, more)))


def page_of_found(objects: Iterable[Object], arguments: Arguments) -> Object:
    """A connection over search results, by id; cursors stay right when others appear."""
    size, from_end = _size(arguments)
    ordered = sorted(objects, key=lambda it: split_gid(it["id"])[1], reverse=bool(arguments.get("reverse")))
    numbers = [split_gid(it["id"])[1] for it in ordered]
    start, stop = 0, len(ordered)
    if (cursor := arguments.get("after")) is not None:
        start = _passed(numbers, _place(cursor), reverse=bool(arguments.get("reverse")), inclusive=True)
    if (cursor := arguments.get("before")) is not None:
        stop = _passed(numbers, _place(cursor), reverse=bool(arguments.get("reverse")), inclusive=False)
    if from_end:
        start = max(start, stop - size)
    else:
        stop = min(stop, start + size)
    pairs = [(str(number), it) for number, it in zip(numbers[start:stop], ordered[start:stop], strict=True)]
    return _connection(pairs, start > 0, stop < len(ordered))


def _passed(numbers: list[int], place: int, *, reverse: bool, inclusive: bool) -> int:
    def is_before(number: int) -> bool:
        return (number == place and inclusive) or (number > place if reverse else number < place)

    return sum(1 for number in numbers if is_before(number))


def _connection(pairs: Sequence[tuple[str, Any]], more_before: bool, more_after: bool) -> Object:  # noqa: FBT001
    cursors = [_cursor(place) for place, _ in pairs]
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


def _cursor(place: str) -> str:
    return base64.b64encode(orjson.dumps({"place": place})).decode()


def _place(cursor: str) -> int:
    try:
        return int(orjson.loads(base64.b64decode(cursor, validate=True))["place"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise TopLevelError("BAD_REQUEST", "Malformed cursor") from None

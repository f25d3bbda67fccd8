"""`^(…)`: order by one or more terms, undefined last, equal ones as they came.

`$sort` with a function of the mapping's own is in `standard.py`.
"""

from collections.abc import Callable
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from graftport_dagster.mappings.language.calls import Frame
from graftport_dagster.mappings.language.failure import Failure
from graftport_dagster.mappings.language.values import Sequence, is_number

if TYPE_CHECKING:
    from graftport_dagster.mappings.language.nodes import Compiler

Keyed = tuple[Any, list[Any]]


def sorter(compiler: "Compiler", step: Any) -> Callable[[Any, Frame], Sequence]:
    """A function that orders a sequence, or a stream of tuples, by the terms of one step."""
    terms = [compiler.node(term.expression) for term in step.terms]
    directions = [-1 if term.descending else 1 for term in step.terms]
    position = step.position

    def compare(left: Keyed, right: Keyed) -> int:
        for direction, one, other in zip(directions, left[1], right[1], strict=True):
            if (one is None) != (other is None):
                return 1 if one is None else -1
            if one != other:
                return direction * (-1 if one < other else 1)
        return 0

    def run(items: Any, frame: Frame) -> Sequence:
        tuples = type(items) is Sequence and items.tuple_stream
        keyed: list[Keyed] = []
        for item in items:
            context, inner = (item["@"], frame.child(item)) if tuples else (item, frame)
            keyed.append((item, [term(context, inner) for term in terms]))
        if len(keyed) > 1:
            for index in range(len(terms)):
                _check([keys[index] for _, keys in keyed], position)
        result = Sequence(item for item, _ in sorted(keyed, key=cmp_to_key(compare)))
        result.tuple_stream = tuples
        return result

    return run


def _check(keys: list[Any], position: int) -> None:
    defined = [key for key in keys if key is not None]
    for key in defined:
        if not (is_number(key) or type(key) is str):
            raise Failure("T2008", position=position, word="^")
    if len({type(key) is str for key in defined}) > 1:
        raise Failure("T2007", *defined[:2], position=position, word="^")

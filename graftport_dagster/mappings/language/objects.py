"""Objects: built, grouped, changed and copied.

`{…}` as a constructor and as grouping, and the transform operator `|…|…|`. Paths to what is in
objects are in `paths.py`.
"""

from typing import TYPE_CHECKING, Any

from graftport_dagster.mappings.language.calls import Frame, Function, Native, invoke
from graftport_dagster.mappings.language.failure import Failure
from graftport_dagster.mappings.language.values import NULL, Sequence

if TYPE_CHECKING:
    from graftport_dagster.mappings.language.nodes import Compiler, Node


def grouped(compiler: "Compiler", expr: Any) -> "Node":
    """`{…}`: an object, built from each item of the context and grouped by its keys."""
    pairs = [(compiler.node(key), compiler.node(value)) for key, value in expr.lhs_object]
    literal = [str(key.value) for key, _ in expr.lhs_object if key.type == "string" and not key.predicate]
    group = _by_key(pairs, expr.position)
    if len(literal) != len(pairs) or len(set(literal)) != len(pairs):
        return group
    fields = [(key, value) for key, (_, value) in zip(literal, pairs, strict=True)]

    def build(context: Any, frame: Frame) -> Any:
        if isinstance(context, list):
            return group(context, frame)
        result = {}
        for key, value_of in fields:
            value = value_of(context, frame)
            if value is not None:
                result[key] = value
        return result

    return build


def _by_key(pairs: list[tuple["Node", "Node"]], position: int) -> "Node":
    def group(context: Any, frame: Frame) -> dict[str, Any]:
        tuples = type(context) is Sequence and context.tuple_stream
        items: list[Any] = context if isinstance(context, list) else [context]
        # Of nothing an object is made once, so that a literal one comes out.
        nothing: list[Any] = [] if tuples else [None]
        groups: dict[str, tuple[int, Any]] = {}
        for item in items or nothing:
            inner = frame.child(item) if tuples else frame
            for index, (key_of, _) in enumerate(pairs):
                key = key_of(item["@"] if tuples else item, inner)
                if key is None:
                    continue
                if type(key) is not str:
                    raise Failure("T1003", key, position=position, word="{")
                if key not in groups:
                    groups[key] = (index, item)
                elif groups[key][0] != index:
                    raise Failure("D1009", key, position=position, word="{")
                else:
                    groups[key] = (index, joined(groups[key][1], item))
        result = {}
        for key, (index, data) in groups.items():
            value = pairs[index][1](*_reduced(data, frame)) if tuples else pairs[index][1](data, frame)
            if value is not None:
                result[key] = value
        return result

    return group


def _reduced(data: Any, frame: Frame) -> tuple[Any, Frame]:
    """The tuples of one group as one: each name holds all its values."""
    tuples = data if isinstance(data, list) else [data]
    merged = dict(tuples[0])
    for item in tuples[1:]:
        for key, value in item.items():
            merged[key] = joined(merged.get(key), value)
    context = merged.pop("@", None)
    return context, frame.child(merged)


def joined(left: Any, right: Any) -> Any:
    """`$append`: both as one plain array, which does not collapse; undefined adds nothing."""
    if left is None:
        return right
    if right is None:
        return left
    first = left if isinstance(left, list) else (left,)
    second = right if isinstance(right, list) else (right,)
    return [*first, *second]


def transformer(compiler: "Compiler", expr: Any) -> "Node":
    """`|pattern|update, delete|`: a function that gives a changed copy."""
    pattern, update = compiler.node(expr.pattern), compiler.node(expr.update)
    delete = compiler.node(expr.delete) if expr.delete is not None else None
    position = expr.position

    def change(match: dict[str, Any], frame: Frame) -> None:
        fields = update(match, frame)
        if fields is not None:
            match.update(_fields(fields, expr.update.position))
        if delete is not None:
            for key in _names(delete(match, frame), expr.delete.position):
                match.pop(key, None)

    def transform(_context: Any, frame: Frame) -> Function:
        def changed(value: Any) -> Any:
            if value is None:
                return None
            clone = frame.lookup("clone")
            if not isinstance(clone, Function):
                raise Failure("T2013", position=position, word="|")
            copy = invoke(clone, [value])
            matches = pattern(copy, frame)
            for match in _objects(matches):
                change(match, frame)
            return copy

        return Native("transform", changed, "<(oa):o>", 1)

    return transform


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def _fields(value: Any, position: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Failure("T2011", value, position=position)
    return value


def _names(value: Any, position: int) -> list[str]:
    names = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) for name in names):
        raise Failure("T2012", value, position=position)
    return names


def deep_copy(value: Any) -> Any:
    """Objects and arrays copied, the rest shared; functions vanish, as in JSON."""
    if isinstance(value, dict):
        return {key: deep_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [deep_copy(item) for item in value]
    return NULL if isinstance(value, Function) else value

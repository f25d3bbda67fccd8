"""Paths and what hangs on them: steps, filters, wildcards, parents, bound positions.

The part of JSONata where values become sequences and sequences become values. A path that only
names fields, by far the most common, has a way of its own. Order is in `order.py`, building and
grouping objects in `objects.py`, the other nodes are in `nodes.py`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graftport_dagster.mappings.language import objects
from graftport_dagster.mappings.language.calls import Frame
from graftport_dagster.mappings.language.order import sorter
from graftport_dagster.mappings.language.values import Constructed, Sequence, is_number, single, truth

if TYPE_CHECKING:
    from graftport_dagster.mappings.language.nodes import Compiler, Node

Items = list[Any]
Stage = Callable[[Any, Frame], Any]
Step = Callable[[Items, Frame], Items]


def lookup(value: Any, key: str) -> Any:
    """A field of an object; of each object of an array, flattened."""
    if type(value) is dict:
        return value.get(key)
    if not isinstance(value, list):
        return None
    found = Sequence()
    for item in value:
        inner = lookup(item, key)
        if isinstance(inner, list):
            found.extend(inner)
        elif inner is not None:
            found.append(inner)
    return found


def name(key: str) -> "Node":
    """A step that is a field's name."""
    key = str(key)
    return lambda context, _frame: single(lookup(context, key))


def wildcard(context: Any, _frame: Frame) -> Any:
    """`*`: every value of an object."""
    if type(context) is Sequence and context.outer_wrapper and context:
        context = context[0]
    found: list[Any] = Sequence()
    for value in context.values() if isinstance(context, dict) else context if isinstance(context, list) else ():
        if isinstance(value, list):
            # Joined with an array it is one, and collapses no more.
            found = list(found)
            _flatten(value, found)
        else:
            found.append(value)
    return single(found)


def _flatten(value: Any, into: list[Any]) -> None:
    for item in value:
        if isinstance(item, list):
            _flatten(item, into)
        else:
            into.append(item)


def descendants(context: Any, _frame: Frame) -> Any:
    """`**`: the value and everything in it."""
    if context is None:
        return None
    found = Sequence()
    _descend(context, found)
    return single(found)


def _descend(value: Any, into: list[Any]) -> None:
    if not isinstance(value, list):
        into.append(value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _descend(item, into)


def path(compiler: "Compiler", expr: Any) -> "Node":
    """A path; one that only names fields is done without sequences as long as it meets objects."""
    steps = expr.steps
    if (
        expr.group is None
        and not expr.keep_singleton_array
        and not expr.keep_array
        and all(_only_names(step) for step in steps)
    ):
        return _named_path([str(step.value) for step in steps])
    if any(step.tuple for step in steps):
        return _tuple_path(compiler, expr)
    first_is_array = bool(steps[0].consarray)
    first = compiler.node(steps[0]) if first_is_array else None
    rest = steps[1:] if first_is_array else steps
    runners = [_step(compiler, step, last=step is rest[-1]) for step in rest]
    is_variable = steps[0].type == "variable"
    group = objects.grouped(compiler, expr.group) if expr.group is not None else None
    keep = bool(expr.keep_singleton_array or expr.keep_array)

    def walk(context: Any, frame: Frame) -> Any:
        items: Any = context if isinstance(context, list) and not is_variable else Sequence((context,))
        if first is not None:
            items = first(items, frame)
            if not items:
                return _ended(items, group, frame, keep=keep)
        for run in runners:
            items = run(items, frame)
            if not items:
                break
        return _ended(items, group, frame, keep=keep)

    return walk


def _ended(items: Any, group: "Node | None", frame: Frame, *, keep: bool) -> Any:
    if keep:
        if type(items) is Constructed:
            items = Sequence((items,))
        if type(items) is Sequence:
            items.keep_singleton = True
    if group is not None:
        return group(items, frame)
    return single(items)


def _only_names(step: Any) -> bool:
    return step.type == "name" and not (step.stages or step.tuple or step.predicate or step.group or step.keep_array)


def _named_path(keys: list[str]) -> "Node":
    last = len(keys) - 1
    runners = [_named_step(key, last=index == last) for index, key in enumerate(keys)]

    def walk(context: Any, frame: Frame) -> Any:
        value = context
        for index, key in enumerate(keys):
            if type(value) is dict:
                value = value.get(key)
                if value is None:
                    return None
            elif isinstance(value, list):
                # From here on there are many.
                for run in runners[index:]:
                    value = run(value, frame)
                    if not value:
                        break
                return single(value)
            else:
                return None
        return value if type(value) is not Sequence else single(value)

    return walk


def _named_step(key: str, *, last: bool) -> Step:
    def run(items: Items, _frame: Frame) -> Items:
        found = []
        for item in items:
            value = item.get(key) if type(item) is dict else single(lookup(item, key))
            if value is not None:
                found.append(value)
        return _flattened(found, last=last)

    return run


def _flattened(found: list[Any], *, last: bool) -> Items:
    if last and len(found) == 1 and isinstance(found[0], list) and type(found[0]) is not Sequence:
        return found[0]
    result = Sequence()
    for value in found:
        if isinstance(value, list) and type(value) is not Constructed:
            result.extend(value)
        else:
            result.append(value)
    return result


def _step(compiler: "Compiler", step: Any, *, last: bool) -> Step:
    if step.type == "sort":
        order, stages = sorter(compiler, step), _stages(compiler, step)
        return lambda items, frame: stages(order(items, frame), frame)
    if _only_names(step):
        return _named_step(str(step.value), last=last)
    node = compiler.node(step)
    filters = [filtered(compiler, stage.expr) for stage in step.stages or ()]

    def run(items: Items, frame: Frame) -> Items:
        found = []
        for item in items:
            value = node(item, frame)
            for narrow in filters:
                value = narrow(value, frame)
            if value is not None:
                found.append(value)
        return _flattened(found, last=last)

    return run


def _stages(compiler: "Compiler", step: Any) -> Stage:
    """Filters and index bindings after a sort, or within a stream of tuples."""
    stages = [
        filtered(compiler, stage.expr) if stage.type == "filter" else _numbered(str(stage.value))
        for stage in step.stages or ()
    ]

    def run(items: Any, frame: Frame) -> Any:
        for stage in stages:
            items = stage(items, frame)
        return items

    return run


def _numbered(label: str) -> Stage:
    def run(tuples: Any, _frame: Frame) -> Any:
        for index, item in enumerate(tuples):
            item[label] = index
        return tuples

    return run


def filtered(compiler: "Compiler", predicate: Any) -> Stage:
    """`[…]`: by position when the predicate is a number or numbers, else by truth."""
    if predicate.type == "number" and predicate.predicate is None:
        return _at(int(predicate.value // 1))
    test = compiler.node(predicate)

    def run(value: Any, frame: Frame) -> Any:
        result = Sequence()
        if value is None:
            return result
        items = value if isinstance(value, list) else (value,)
        tuples = result.tuple_stream = type(value) is Sequence and value.tuple_stream
        size = len(items)
        for index, item in enumerate(items):
            found = test(item["@"], frame.child(item)) if tuples else test(item, frame)
            if found is True or (found is not False and _selects(found, index, size)):
                result.append(item)
        return result

    return run


def _selects(found: Any, index: int, size: int) -> bool:
    wanted = found if isinstance(found, list) else (found,)
    if wanted and all(is_number(item) for item in wanted):
        return any((int(item // 1) + size if item < 0 else int(item // 1)) == index for item in wanted)
    return truth(found)


def _at(index: int) -> Stage:
    def run(value: Any, _frame: Frame) -> Any:
        items = value if isinstance(value, list) else () if value is None else (value,)
        place = index + len(items) if index < 0 else index
        result = Sequence()
        if 0 <= place < len(items):
            item = items[place]
            if isinstance(item, list):
                return item
            result.append(item)
        result.tuple_stream = type(value) is Sequence and value.tuple_stream
        return result

    return run


def _tuple_path(compiler: "Compiler", expr: Any) -> "Node":
    """A path that binds a focus (@), an index (#) or a parent (%) on the way."""
    steps = []
    streaming = False
    for index, step in enumerate(expr.steps):
        streaming = streaming or bool(step.tuple)
        run = None if streaming else _step(compiler, step, last=index == len(expr.steps) - 1)
        steps.append((_tuple_step(compiler, step) if streaming else None, run, step.focus is None))
    is_variable = expr.steps[0].type == "variable"
    group = objects.grouped(compiler, expr.group) if expr.group is not None else None
    keep, carries = bool(expr.keep_singleton_array or expr.keep_array), bool(expr.tuple)

    def walk(context: Any, frame: Frame) -> Any:
        items: Any = context if isinstance(context, list) and not is_variable else Sequence((context,))
        tuples: Any = None
        for tuple_step, step, moves in steps:
            if tuple_step is not None:
                found = tuples = tuple_step(items, tuples, frame)
            elif step is not None:
                found = step(items, frame)
                if not found:
                    return _ended(found, group, frame, keep=keep)
            if moves:
                items = found
        if carries or group is not None:
            return _ended(tuples, group, frame, keep=keep)
        return _ended(Sequence(item["@"] for item in tuples), None, frame, keep=keep)

    return walk


def _tuple_step(compiler: "Compiler", step: Any) -> Callable[[Any, Any, Frame], Any]:
    stages = _stages(compiler, step)
    if step.type == "sort":
        return _tuple_sort(compiler, step, stages)
    node = compiler.node(step)
    bind = _binder(step)

    def run(items: Any, tuples: Any, frame: Frame) -> Any:
        result = Sequence()
        result.tuple_stream = True
        for binding in [{"@": item} for item in items] if tuples is None else tuples:
            value = node(binding["@"], frame.child(binding))
            if value is None:
                continue
            carried = type(value) is Sequence and value.tuple_stream
            for index, item in enumerate(value if isinstance(value, list) else (value,)):
                made = dict(binding)
                if carried:
                    made.update(item)
                else:
                    bind(made, item, index, binding["@"])
                result.append(made)
        return stages(result, frame)

    return run


def _binder(step: Any) -> Callable[[dict[str, Any], Any, int, Any], None]:
    focus, index_name, ancestor = step.focus, step.index, step.ancestor

    def bind(made: dict[str, Any], item: Any, index: int, parent: Any) -> None:
        if focus is not None:
            made[focus] = item
            made["@"] = parent
        else:
            made["@"] = item
        if index_name is not None:
            made[index_name] = index
        if ancestor is not None:
            made[ancestor.label] = parent

    return bind


def _tuple_sort(compiler: "Compiler", step: Any, stages: Stage) -> Callable[[Any, Any, Frame], Any]:
    order, label = sorter(compiler, step), step.index

    def run(items: Any, tuples: Any, frame: Frame) -> Any:
        if tuples is not None:
            result = order(tuples, frame)
        else:
            result = Sequence({"@": item, label: index} for index, item in enumerate(order(items, frame)))
        result.tuple_stream = True
        return stages(result, frame)

    return run

"""The parsed expression as nested Python functions: literals, operators, constructors, calls.

jsonata-python parses; what it would look up again and again while it walks the tree (node types,
callbacks, names, positions) is decided here once, at compile time. Every node is a function of
(context value, frame). Paths, filters, grouping and sorting are in `paths.py`.
"""

import math
from collections.abc import Callable
from typing import Any

from graftport_dagster.mappings.language import objects, paths
from graftport_dagster.mappings.language.calls import Chain, Frame, Function, Lambda, Partial, Signature, Tail, invoke
from graftport_dagster.mappings.language.failure import Failure, located
from graftport_dagster.mappings.language.text import text_of
from graftport_dagster.mappings.language.values import (
    NULL,
    Constructed,
    Sequence,
    equal,
    is_number,
    number,
    single,
    truth,
)

Node = Callable[[Any, Frame], Any]

_LARGEST_RANGE = 10_000_000


class Compiler:
    """Turns a syntax tree into a function. `bound`: names that the expression itself binds somewhere."""

    def __init__(self, bound: frozenset[str]) -> None:
        self.bound = bound
        self._kinds: dict[str, Callable[[Any], Node]] = {
            "path": lambda expr: paths.path(self, expr),
            "name": lambda expr: paths.name(expr.value),
            "wildcard": lambda _: paths.wildcard,
            "descendant": lambda _: paths.descendants,
            "parent": self._parent,
            "string": self._literal,
            "number": self._literal,
            "value": self._literal,
            "regex": self._literal,
            "binary": self._binary,
            "unary": self._unary,
            "condition": self._condition,
            "block": self._block,
            "bind": self._bind,
            "variable": self._variable,
            "lambda": self._lambda,
            "function": self._call,
            "partial": self._partial,
            "apply": self._apply,
            "transform": self._transform,
        }

    def node(self, expr: Any) -> Node:
        """The function of one node, with its predicates and grouping."""
        kind = self._kinds.get(expr.type)
        if kind is None:
            raise Failure("S0201", expr.value, position=expr.position, word=str(expr.value))
        base = kind(expr)
        if not _goes_on(expr):
            return base
        filters = [paths.filtered(self, stage.expr) for stage in expr.predicate or ()]
        group = objects.grouped(self, expr.group) if expr.group is not None and expr.type != "path" else None
        keep = bool(expr.keep_array)

        def finished(context: Any, frame: Frame) -> Any:
            result = base(context, frame)
            for narrow in filters:
                result = narrow(result, frame)
            if group is not None:
                result = group(result, frame)
            if keep and type(result) is Sequence:
                result.keep_singleton = True
            return single(result)

        return finished

    def _literal(self, expr: Any) -> Node:
        value = NULL if expr.value is None else expr.value
        if isinstance(value, str) and not value.isascii():
            # Two escaped halves are one character.
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return lambda _context, _frame: value

    def _parent(self, expr: Any) -> Node:
        slot = expr.slot
        return lambda _context, frame: frame.lookup(slot.label)

    def _variable(self, expr: Any) -> Node:
        name = str(expr.value)
        if name == "":
            return _context_value
        if name not in self.bound:
            return lambda _context, frame: frame.root.get(name)
        return lambda _context, frame: frame.lookup(name)

    def _bind(self, expr: Any) -> Node:
        name, value_of = str(expr.lhs.value), self.node(expr.rhs)

        def bind(context: Any, frame: Frame) -> Any:
            value = frame.names[name] = value_of(context, frame)
            return value

        return bind

    def _block(self, expr: Any) -> Node:
        *first, last = [self.node(item) for item in expr.expressions] or [lambda _context, _frame: None]

        def block(context: Any, frame: Frame) -> Any:
            inner = frame.child()
            for item in first:
                item(context, inner)
            return last(context, inner)

        return block

    def _condition(self, expr: Any) -> Node:
        test, then = self.node(expr.condition), self.node(expr.then)
        otherwise = self.node(expr._else) if expr._else is not None else None

        def condition(context: Any, frame: Frame) -> Any:
            if truth(test(context, frame)):
                return then(context, frame)
            return otherwise(context, frame) if otherwise is not None else None

        return condition

    def _unary(self, expr: Any) -> Node:
        if expr.value == "[":
            return self._array(expr)
        if expr.value == "{":
            return objects.grouped(self, expr)
        operand, position = self.node(expr.expression), expr.position

        def negative(context: Any, frame: Frame) -> Any:
            value = operand(context, frame)
            if value is None:
                return None
            if not is_number(value):
                raise Failure("D1002", value, position=position, word="-")
            return -value

        return negative

    def _array(self, expr: Any) -> Node:
        items = [(self.node(item), item.type == "unary" and item.value == "[") for item in expr.expressions]
        kind = Constructed if expr.consarray else list

        def array(context: Any, frame: Frame) -> Any:
            result: list[Any] = kind()
            for item, is_array in items:
                value = item(context, frame)
                if value is None:
                    continue
                if isinstance(value, list) and not is_array:
                    result.extend(value)
                else:
                    result.append(value)
            return result

        return array

    def _binary(self, expr: Any) -> Node:
        left, right, operator, position = self.node(expr.lhs), self.node(expr.rhs), str(expr.value), expr.position
        if operator == "and":
            return lambda context, frame: truth(left(context, frame)) and truth(right(context, frame))
        if operator == "or":
            return lambda context, frame: truth(left(context, frame)) or truth(right(context, frame))
        if operator == "&":
            return lambda context, frame: _concatenated(left(context, frame), right(context, frame), position)
        operation = _OPERATIONS.get(operator)
        if operation is None:
            raise Failure("S0204", operator, position=position, word=operator)

        def binary(context: Any, frame: Frame) -> Any:
            try:
                return operation(left(context, frame), right(context, frame), operator)
            except Failure as error:
                raise located(error, position, operator) from None

        return binary

    def _lambda(self, expr: Any) -> Node:
        if expr.thunk:
            return self._tail_call(expr.body)
        names = [str(argument.value) for argument in expr.arguments]
        body = self.node(expr.body)
        signature = Signature(expr.signature, "lambda") if expr.signature is not None else None
        return lambda context, frame: Lambda(names, body, signature, context, frame)

    def _callee(self, expr: Any) -> Callable[[Any, Frame], Function]:
        procedure = self.node(expr.procedure)
        position, token = expr.position, _name_of(expr.procedure)
        is_path = expr.procedure.type == "path"

        def callee(context: Any, frame: Frame) -> Function:
            function = procedure(context, frame)
            if isinstance(function, Function):
                return function
            # Helps whoever forgot the leading $.
            if function is None and is_path and frame.lookup(token) is not None:
                raise Failure("T1005", token, position=position, word=token)
            raise Failure("T1006", position=position, word=token)

        return callee

    def _call(self, expr: Any) -> Node:
        callee, position, token = self._callee(expr), expr.position, _name_of(expr.procedure)
        arguments = [self.node(argument) for argument in expr.arguments]
        finish = _as_it_is if _goes_on(expr) else single

        def call(context: Any, frame: Frame) -> Any:
            function = callee(context, frame)
            args = [argument(context, frame) for argument in arguments]
            try:
                result = function.apply(args, context)
            except (RecursionError, MemoryError):
                raise
            except Exception as error:
                raise located(error, position, token) from error
            while type(result) is Tail:
                result = result.step()
            return finish(result)

        return call

    def _tail_call(self, expr: Any) -> Node:
        callee, position, token = self._callee(expr), expr.position, _name_of(expr.procedure)
        arguments = [self.node(argument) for argument in expr.arguments]

        def tail_call(context: Any, frame: Frame) -> Tail:
            function = callee(context, frame)
            return Tail(function, [argument(context, frame) for argument in arguments], context, position, token)

        return tail_call

    def _partial(self, expr: Any) -> Node:
        procedure, position, token = self.node(expr.procedure), expr.position, _name_of(expr.procedure)
        is_path = expr.procedure.type == "path"
        arguments = [
            None if argument.type == "operator" and argument.value == "?" else self.node(argument)
            for argument in expr.arguments
        ]

        def partial(context: Any, frame: Frame) -> Function:
            given = [Partial.HOLE if item is None else item(context, frame) for item in arguments]
            function = procedure(context, frame)
            if isinstance(function, Function):
                return Partial(function, given)
            code = "T1007" if is_path and frame.lookup(token) is not None else "T1008"
            raise Failure(code, token, position=position, word=token)

        return partial

    def _apply(self, expr: Any) -> Node:
        value_of, position = self.node(expr.lhs), expr.position
        finish = _as_it_is if _goes_on(expr) else single
        if expr.rhs.type == "function":
            return self._call_with_first(expr.rhs, value_of, finish)
        function_of = self.node(expr.rhs)

        def apply(context: Any, frame: Frame) -> Any:
            value, function = value_of(context, frame), function_of(context, frame)
            if not isinstance(function, Function):
                raise Failure("T2006", function, position=position, word="~>")
            if isinstance(value, Function):
                return Chain(value, function)
            try:
                return finish(invoke(function, [value], context))
            except Failure as error:
                raise located(error, position, "~>") from None

        return apply

    def _call_with_first(self, expr: Any, first: Node, finish: Callable[[Any], Any]) -> Node:
        callee, position, token = self._callee(expr), expr.position, _name_of(expr.procedure)
        arguments = [first, *(self.node(argument) for argument in expr.arguments)]
        rest = [paths.filtered(self, stage.expr) for stage in expr.predicate or ()]

        def call(context: Any, frame: Frame) -> Any:
            args = [argument(context, frame) for argument in arguments]
            function = callee(context, frame)
            try:
                result = invoke(function, args, context)
            except (RecursionError, MemoryError):
                raise
            except Exception as error:
                raise located(error, position, token) from error
            for narrow in rest:
                result = narrow(result, frame)
            return finish(result)

        return call

    def _transform(self, expr: Any) -> Node:
        return objects.transformer(self, expr)


def _goes_on(expr: Any) -> bool:
    """Whether something follows that takes the node's sequence as it is, before it collapses."""
    return bool(expr.predicate or expr.keep_array or (expr.group is not None and expr.type != "path"))


def _as_it_is(value: Any) -> Any:
    return value


def _context_value(context: Any, _frame: Frame) -> Any:
    return context[0] if type(context) is Sequence and context.outer_wrapper else context


def _name_of(procedure: Any) -> str:
    if procedure.type == "path":
        return str(procedure.steps[0].value)
    return str(procedure.value)


def _concatenated(left: Any, right: Any, position: int) -> str:
    try:
        return (text_of(left) or "") + (text_of(right) or "")
    except Failure as error:
        raise located(error, position, "&") from None


def _arithmetic(left: Any, right: Any, operator: str) -> Any:
    if left is not None and not is_number(left):
        raise Failure("T2001", operator)
    if right is not None and not is_number(right):
        raise Failure("T2002", operator)
    if left is None or right is None:
        return None
    try:
        result = _calculated(left, right, operator)
        # Beyond 2^53 the reference has floating point only.
        return number(float(result)) if type(result) is float or abs(result) > 2**53 else result
    except (OverflowError, ZeroDivisionError):
        # An error where it is used, as in the reference.
        return math.inf if left > 0 else -math.inf


def _calculated(left: float, right: float, operator: str) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if operator == "/":
        return left / right
    if right == 0:
        raise ZeroDivisionError
    return math.fmod(left, right)


def _compared(left: Any, right: Any, operator: str) -> bool | None:
    for value in (left, right):
        if value is not None and not (is_number(value) or type(value) is str):
            raise Failure("T2010", operator)
    if left is None or right is None:
        return None
    if (type(left) is str) != (type(right) is str):
        raise Failure("T2009", left, right, operator)
    if operator == "<":
        return bool(left < right)
    if operator == "<=":
        return bool(left <= right)
    return bool(left > right) if operator == ">" else bool(left >= right)


def _is_equal(left: Any, right: Any, _operator: str) -> bool:
    return left is not None and right is not None and equal(left, right)


def _is_different(left: Any, right: Any, _operator: str) -> bool:
    return left is not None and right is not None and not equal(left, right)


def _included(left: Any, right: Any, _operator: str) -> bool:
    if left is None or right is None:
        return False
    items = right if isinstance(right, list) else [right]
    if isinstance(left, dict | list):
        return any(item is left for item in items)
    return any(equal(left, item) for item in items)


def _range(left: Any, right: Any, _operator: str) -> Sequence | None:
    if left is not None and not _is_whole(left):
        raise Failure("T2003")
    if right is not None and not _is_whole(right):
        raise Failure("T2004")
    if left is None or right is None or left > right:
        return None
    size = int(right) - int(left) + 1
    if size > _LARGEST_RANGE:
        raise Failure("D2014", size)
    return Sequence(range(int(left), int(right) + 1))


def _is_whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


_OPERATIONS: dict[str, Callable[[Any, Any, str], Any]] = {
    "+": _arithmetic, "-": _arithmetic, "*": _arithmetic, "/": _arithmetic, "%": _arithmetic,
    "<": _compared, "<=": _compared, ">": _compared, ">=": _compared,
    "=": _is_equal, "!=": _is_different, "in": _included, "..": _range,
}  # fmt: skip

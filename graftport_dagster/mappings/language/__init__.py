"""The mapping language: JSONata, parsed by jsonata-python, evaluated by functions built from its tree.

One door: `Expression`. It shares no state between evaluations and needs no thread-local object,
which the engine's own evaluator does; it gives the place in the text for every error. What a
*mapping* is allowed, and the functions of ours it may call, are decided in `mappings/mapping.py`;
limits of time and memory are the business of the worker processes in `transform/`.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from jsonata.jexception import JException
from jsonata.parser import Parser

from graftport_dagster.mappings.language.calls import Frame, Function
from graftport_dagster.mappings.language.failure import Failure, located
from graftport_dagster.mappings.language.nodes import Compiler
from graftport_dagster.mappings.language.standard import STANDARD, clock
from graftport_dagster.mappings.language.text import compile_regex
from graftport_dagster.mappings.language.values import Sequence, inbound, outbound, single

__all__ = ["STANDARD", "UNDEFINED", "Expression", "Failure", "Function", "Symbol", "place", "walk"]

Symbol = Any  # a node of the parser's tree; the package has no types
UNDEFINED: Any = type("Undefined", (), {"__repr__": lambda _: "undefined", "__slots__": ()})()

_CHILDREN = (
    "expression", "steps", "procedure", "arguments", "body", "predicate", "stages", "expr", "group", "lhs", "rhs",
    "lhs_object", "terms", "condition", "then", "_else", "expressions", "pattern", "update", "delete",
)  # fmt: skip


class _Parser(Parser):  # type: ignore[misc]
    """The engine's parser, which processes the left side of `?:` and `??` twice and so changes it.

    It gives a minus before a value and an object no place either.
    """

    def __init__(self) -> None:
        super().__init__()
        self._done: dict[int, tuple[Symbol, Symbol]] = {}
        self._passed = 0

    def advance(self, id: str | None = None, infix: bool = False) -> Symbol:  # noqa: FBT001, FBT002 - the engine's
        """The next token; the place of the one before is kept."""
        self._passed = self.node.position if self.node is not None else 0
        node = super().advance(id, infix)
        if isinstance(node, Parser.InfixAndPrefix):
            node.prefix.position = node.position
        return node

    def object_parser(self, left: Symbol) -> Symbol:
        """What stands after a `{`."""
        position = self._passed
        found = super().object_parser(left)
        found.position = position
        return found

    def process_ast(self, expr: Symbol) -> Symbol:
        """One node, once."""
        if id(expr) not in self._done:
            self._done[id(expr)] = (expr, super().process_ast(expr))
        return self._done[id(expr)][1]


class _Eval(Function):
    """`$eval`: part of the language, refused in mappings."""

    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def apply(self, args: list[Any], context: Any) -> Any:
        """Evaluates the text with the names of the whole expression."""
        text, focus = [*args, None, None][:2]
        if text is None:
            return None
        try:
            tree = _parsed(text)
        except Failure as error:
            raise Failure("D3120", error.message) from None
        try:
            node = Compiler(_bound_names(tree) | frozenset(self.frame.names)).node(tree)
            return single(node(context if focus is None else focus, self.frame))
        except Failure as error:
            raise Failure("D3121", error.message) from None


class Expression:
    """A JSONata text, parsed and built once. Raises Failure with code and position where it cannot be."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = _parsed(text)
        self.bound = _bound_names(self.tree)
        try:
            self._node = Compiler(self.bound).node(self.tree)
        except RecursionError:
            raise Failure("D1011") from None

    def evaluate(self, data: Any, names: Mapping[str, Any], *, millis: int | None = None) -> Any:
        """The result as JSON data that shares nothing with the input; UNDEFINED where there is none.

        `names`: values and functions by name, without the $. `millis`: what $now() and $millis() say.
        """
        now = int(time.time() * 1000) if millis is None else millis
        root = {**STANDARD, **clock(now), **names}
        value = data if data is UNDEFINED else inbound(data)
        context = None if value is UNDEFINED else value
        if isinstance(context, list):
            context = Sequence((context,))
            context.outer_wrapper = True
        root["$"] = None if value is UNDEFINED else value
        frame = Frame(None, root)
        root["eval"] = _Eval(frame)
        try:
            result = self._node(context, frame)
            return UNDEFINED if result is None else outbound(result)
        except RecursionError:
            raise Failure("D1011") from None
        except MemoryError:
            raise Failure("OUT_OF_MEMORY", "The evaluation needs more memory than a worker may have.") from None


def _parsed(text: str) -> Symbol:
    try:
        return _Parser().parse(text, compile_regex)
    except Failure:
        raise
    except JException as error:
        # The tokenizer gives a wrong escape in a text the code of an empty regular expression.
        code = "S0103" if error.error == "S0301" and error.current is not None else str(error.error)
        raise Failure(
            code, error.current, error.expected, position=error.location, word=str(error.current or "")
        ) from None
    except RecursionError:
        raise Failure("D1011") from None
    except IndexError:
        raise Failure("S0106", position=len(text)) from None
    except KeyError as error:
        raise Failure("S0204", error.args[0], word=str(error.args[0])) from None
    except Exception as error:
        raise located(error, -1, "") from error


def walk(tree: Symbol) -> Iterator[Symbol]:
    """Every node of the tree, parents before children."""
    seen: set[int] = set()
    open_nodes: list[Any] = [tree]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list | tuple):
            open_nodes.extend(reversed(node))
        elif isinstance(node, Parser.Symbol) and id(node) not in seen:
            seen.add(id(node))
            yield node
            open_nodes.extend(child for name in reversed(_CHILDREN) if (child := getattr(node, name)) is not None)


def _bound_names(tree: Symbol) -> frozenset[str]:
    names: set[str] = set()
    for node in walk(tree):
        if node.type == "bind":
            names.add(str(node.lhs.value))
        elif node.type == "lambda":
            names.update(str(argument.value) for argument in node.arguments)
        elif node.type == "index":
            names.add(str(node.value))
        names.update(str(name) for name in (node.focus, node.index) if isinstance(name, str))
    return frozenset(names)


def place(text: str, position: int, word: str = "") -> tuple[int, int] | None:
    """Line and column, both from 1, where the token that ends at the position begins; None where it is unknown."""
    if position < 0:
        return None
    before = text[: min(position, len(text))]
    # The position of a call is that of its bracket.
    forms = (f"${word}(", f"{word}(", f"${word}", f'"{word}"', f"'{word}'", word)
    written = (form for form in forms if word and before.endswith(form))
    before = before[: max(0, len(before) - len(next(written, "x")))]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

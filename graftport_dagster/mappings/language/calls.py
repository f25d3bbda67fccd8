"""Functions as values, the names they see, and how a call is made.

Arguments are checked by signature, tail calls are followed without a stack, and a call is where
errors get their place. The standard functions are in `standard.py` and `text.py`, ours in
`mappings/functions.py`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from jsonata.signature import Signature as ParsedSignature

from graftport_dagster.mappings.language.failure import Failure, located
from graftport_dagster.mappings.language.values import NULL, Constructed, Null, Sequence, number


class Frame:
    """The names of a block or a call. `root` holds what the whole evaluation knows."""

    __slots__ = ("names", "parent", "root")

    def __init__(self, parent: "Frame | None", root: dict[str, Any], names: dict[str, Any] | None = None) -> None:
        self.parent = parent
        self.root = root
        self.names = {} if names is None else names

    def child(self, names: dict[str, Any] | None = None) -> "Frame":
        """A frame inside this one."""
        return Frame(self, self.root, names)

    def lookup(self, name: str) -> Any:
        """The nearest value of the name, or undefined."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.parent
        return self.root.get(name)


class Function:
    """Anything that can be called. `arity`: how many arguments a higher-order function gives it."""

    __slots__ = ()
    arity = 1
    signature: "Signature | None" = None

    def apply(self, args: list[Any], context: Any) -> Any:
        """One call; may return a `Tail`, which `invoke` finishes. Every kind of function has its own."""


class Tail:
    """A call in tail position, made by whoever asked for the result, so that recursion needs no stack."""

    __slots__ = ("args", "context", "function", "position", "token")

    def __init__(self, function: Function, args: list[Any], context: Any, position: int, token: str) -> None:
        self.function = function
        self.args = args
        self.context = context
        self.position = position
        self.token = token

    def step(self) -> Any:
        """Makes the call."""
        try:
            return self.function.apply(self.args, self.context)
        except (RecursionError, MemoryError):
            raise
        except Exception as error:
            raise located(error, self.position, self.token) from error


def invoke(function: Function, args: list[Any], context: Any = None) -> Any:
    """The result of a call, tail calls followed to their end."""
    result = function.apply(args, context)
    while type(result) is Tail:
        result = result.step()
    return result


class Native(Function):
    """A function written in Python: missing arguments are undefined, whole floats come back as integers."""

    __slots__ = ("arity", "implementation", "name", "needed", "signature")

    def __init__(self, name: str, implementation: Callable[..., Any], signature: str, parameters: int) -> None:
        self.name = name
        self.implementation = implementation
        self.signature = Signature(ParsedSignature(signature, name), name)
        self.needed = parameters
        self.arity = max(1, self.signature.required)

    def apply(self, args: list[Any], context: Any) -> Any:
        """Completes the arguments by the signature, then calls."""
        args = self.signature.arguments(args, context) if self.signature is not None else args
        missing = self.needed - len(args)
        result = self.implementation(*args, *(None,) * missing) if missing > 0 else self.implementation(*args)
        return number(result) if type(result) is float else result


class Lambda(Function):
    """A function written in JSONata, with the context and names it was written in."""

    __slots__ = ("arity", "body", "context", "frame", "names", "signature")

    def __init__(
        self,
        names: list[str],
        body: Callable[[Any, Frame], Any],
        signature: "Signature | None",
        context: Any,
        frame: Frame,
    ) -> None:
        self.names = names
        self.body = body
        self.signature = signature
        self.context = context
        self.frame = frame
        self.arity = len(names)

    def apply(self, args: list[Any], context: Any) -> Any:
        """Evaluates the body with the arguments by name."""
        if self.signature is not None:
            args = self.signature.arguments(args, context)
        return self.body(self.context, self.frame.child(dict(zip(self.names, args, strict=False))))


class Partial(Function):
    """A function with some arguments given; `HOLE` marks the others."""

    __slots__ = ("arity", "function", "given")
    HOLE = object()

    def __init__(self, function: Function, given: list[Any]) -> None:
        self.function = function
        self.given = given
        self.arity = sum(arg is Partial.HOLE for arg in given)

    def apply(self, args: list[Any], context: Any) -> Any:
        """Fills the holes."""
        rest = iter(args)
        return self.function.apply([next(rest, None) if arg is Partial.HOLE else arg for arg in self.given], context)


class Chain(Function):
    """`f ~> g`: the second of the first's result."""

    __slots__ = ("first", "second")

    def __init__(self, first: Function, second: Function) -> None:
        self.first = first
        self.second = second

    def apply(self, args: list[Any], context: Any) -> Any:
        """The first, then the second."""
        return self.second.apply([invoke(self.first, args[:1], context)], context)


class Callback(Function):
    """A Python function of the evaluation itself, such as the next match of a regular expression."""

    __slots__ = ("arity", "call")

    def __init__(self, call: Callable[..., Any], arity: int = 1) -> None:
        self.call = call
        self.arity = arity

    def apply(self, args: list[Any], context: Any) -> Any:  # noqa: ARG002 - the protocol's
        """Calls it as it is."""
        return self.call(*args)


class Regex(Function):
    """A regular expression; called, it gives the first match and a function for the next."""

    __slots__ = ("pattern",)

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """All matches. Raises Failure D1004 where the second or a later one is empty, as the reference does."""
        for number_of_match, match in enumerate(self.pattern.finditer(text)):
            if number_of_match and match.end() == match.start():
                if match.start() >= len(text):
                    return
                raise Failure("D1004")
            yield match

    def apply(self, args: list[Any], context: Any) -> Any:  # noqa: ARG002 - the protocol's
        """The first match in a text."""
        return self._next(self.matches(args[0])) if args and isinstance(args[0], str) else None

    def _next(self, matches: Iterator[re.Match[str]]) -> dict[str, Any] | None:
        match = next(matches, None)
        if match is None:
            return None
        groups = [NULL if group is None else group for group in match.groups()]
        return {
            "match": match.group(), "start": match.start(), "end": match.end(), "groups": groups,
            "next": Callback(lambda: self._next(matches), 0),
        }  # fmt: skip


_SYMBOLS = {
    str: "s", int: "n", float: "n", bool: "b", list: "a", Sequence: "a", Constructed: "a", dict: "o", type(None): "m",
    Null: "l",
}  # fmt: skip


def symbol(value: Any) -> str:
    """The letter that signatures know a value's type by."""
    found = _SYMBOLS.get(type(value))
    if found is not None:
        return found
    return "f" if isinstance(value, Function) else "m"


class Signature:
    """Checks and completes arguments; what to do is worked out once per combination of types."""

    __slots__ = ("_name", "_params", "_plans", "_regex", "required")

    def __init__(self, parsed: ParsedSignature, name: str) -> None:
        self._name = name
        self._params = parsed._params
        self._regex = parsed._regex
        self._plans: dict[str, list[tuple[str, int, Any]] | None] = {}
        self.required = sum("?" not in param.regex for param in self._params)

    def arguments(self, args: list[Any], context: Any) -> list[Any]:
        """The arguments as the function takes them. Raises Failure T0410, T0411 or T0412."""
        kinds = "".join([_SYMBOLS.get(type(arg)) or symbol(arg) for arg in args])
        plan = self._plans[kinds] if kinds in self._plans else self._plan(kinds)
        if plan is None:
            return args
        return [self._argument(step, args, context) for step in plan]

    def _argument(self, step: tuple[str, int, Any], args: list[Any], context: Any) -> Any:
        kind, index, detail = step
        if kind == "context":
            if not re.fullmatch(detail, symbol(context)):
                raise Failure("T0411", index + 1, self._name)
            return context
        value = args[index] if index < len(args) else None
        if kind == "array":
            kinds = {symbol(item) for item in value or ()}
            if kinds and kinds != {detail}:
                raise Failure("T0412", index + 1, self._name, detail)
        return [value] if kind == "wrap" else value

    def _plan(self, kinds: str) -> list[tuple[str, int, Any]] | None:
        match = self._regex.fullmatch(kinds) if self._regex is not None else None
        if match is None:
            self._refuse(kinds)
        steps: list[tuple[str, int, Any]] = []
        index = 0
        for param, taken in zip(self._params, match.groups(), strict=True):
            if not taken and param.context:
                steps.append(("context", index, param.regex))
                continue
            for kind in taken or "m":
                steps.append(self._step(param, kind, taken, index))
                index += 1
        plan = None if all(kind == "as is" for kind, _, _ in steps) and len(steps) == len(kinds) else steps
        self._plans[kinds] = plan
        return plan

    def _step(self, param: Any, kind: str, taken: str, index: int) -> tuple[str, int, Any]:
        if param.type != "a" or kind == "m":
            return ("as is", index, None)
        if param.subtype is not None and kind != "a" and taken != param.subtype:
            raise Failure("T0412", index + 1, self._name, param.subtype)
        if kind != "a":
            return ("wrap", index, None)
        return ("array", index, param.subtype[0]) if param.subtype is not None else ("as is", index, None)

    def _refuse(self, kinds: str) -> NoReturn:
        pattern, good = "", 0
        for param in self._params:
            pattern += param.regex
            match = re.match(pattern, kinds)
            if match is None:
                break
            good = match.end()
        raise Failure("T0410", good + 1, self._name)

"""What JSONata's values are in Python, and the few questions every operator asks of them.

Undefined is None and null is `NULL`, so that a field that is absent and one that is null stay
apart; `inbound` and `outbound` translate at the border. An array of the data is a plain list; a
`Sequence` is what paths give, and collapses to its only value. Functions stand here because they
are values; the standard ones are in `standard.py` and `text.py`, how a call is made in `nodes.py`.
"""

import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NoReturn

from jsonata.jexception import JException
from jsonata.signature import Signature as ParsedSignature

_EXACT = 2**53


class _Null:
    __slots__ = ()

    def __repr__(self) -> str:
        return "null"

    def __bool__(self) -> bool:
        return False


NULL = _Null()


class Failure(Exception):  # noqa: N818 - not an error of the program, but what JSONata calls one
    """An expression that cannot be compiled or evaluated: JSONata's code, and where in the text.

    `position` is the offset after the token, as the reference implementation counts; -1 unknown.
    """

    def __init__(
        self, code: str, *values: object, position: int = -1, token: str = "", message: str = "", hint: str = ""
    ) -> None:
        self.code = code
        self.message = message or _message(code, values)
        self.position = position
        self.token = token
        self.hint = hint
        super().__init__(self.message)


def _message(code: str, values: tuple[object, ...]) -> str:
    template = JException.error_codes.get(code)
    if template is None:
        return " ".join(str(value) for value in values) or code
    given = iter(values)
    # The engine's texts say Object where the reference says function.
    return re.sub(r"\{\{+\w+\}\}+", lambda _: shown(next(given, "?")), template).replace("Object", "function")


def shown(value: object) -> str:
    """A value in a message: short, never a whole payload."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Sequence(list[Any]):
    """What a path selects: nothing when empty, its value when it has one, unless kept as an array."""

    keep_singleton = False
    tuple_stream = False
    outer_wrapper = False


class Constructed(list[Any]):
    """An array written as `[…]` at the end of a path: not flattened into what is around it."""


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
        """One call; may return a `Tail`, which `invoke` finishes."""
        raise Failure("T1006")


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
        args = self.signature.arguments(args, context) if self.signature is not None else args
        missing = self.needed - len(args)
        result = self.implementation(*args, *(None,) * missing) if missing > 0 else self.implementation(*args)
        return number(result) if type(result) is float else result


class Lambda(Function):
    """A function written in JSONata, with the context and names it was written in."""

    __slots__ = ("arity", "body", "context", "frame", "names", "signature")

    def __init__(
        self, names: list[str], body: Callable[[Any, Frame], Any], signature: "Signature | None", context: Any, frame: Frame
    ) -> None:
        self.names = names
        self.body = body
        self.signature = signature
        self.context = context
        self.frame = frame
        self.arity = len(names)

    def apply(self, args: list[Any], context: Any) -> Any:
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
        rest = iter(args)
        return self.function.apply([next(rest, None) if arg is Partial.HOLE else arg for arg in self.given], context)


class Chain(Function):
    """`f ~> g`: the second of the first's result."""

    __slots__ = ("first", "second")

    def __init__(self, first: Function, second: Function) -> None:
        self.first = first
        self.second = second

    def apply(self, args: list[Any], context: Any) -> Any:
        return self.second.apply([invoke(self.first, args[:1], context)], context)


class Callback(Function):
    """A Python function of the evaluation itself, such as the next match of a regular expression."""

    __slots__ = ("arity", "call")

    def __init__(self, call: Callable[..., Any], arity: int = 1) -> None:
        self.call = call
        self.arity = arity

    def apply(self, args: list[Any], context: Any) -> Any:  # noqa: ARG002 - the protocol's
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
    _Null: "l",
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
        self._params = parsed._params  # noqa: SLF001 - the engine has no other way to it
        self._regex = parsed._regex  # noqa: SLF001
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
            kinds = {symbol(item) for item in value}
            if kinds and kinds != {detail}:
                raise Failure("T0412", index + 1, self._name, detail)
        return [value] if kind == "wrap" else value

    def _plan(self, kinds: str) -> list[tuple[str, int, Any]] | None:
        match = self._regex.fullmatch(kinds)
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


def number(value: float) -> float:
    """A whole float as the integer it is."""
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def is_number(value: Any) -> bool:
    """Whether it is a number (booleans are not). Raises Failure D1001 for Infinity, where it is used."""
    kind = type(value)
    if kind is float and not math.isfinite(value):
        raise Failure("D1001", value)
    return kind is int or kind is float


def truth(value: Any) -> bool:
    """JSONata's effective boolean value; undefined is false."""
    kind = type(value)
    if kind is bool:
        return bool(value)
    if isinstance(value, list):
        return truth(value[0]) if len(value) == 1 else any(truth(item) for item in value)
    if kind is str or kind is dict or kind is int or kind is float:
        return bool(value)
    return False


def equal(left: Any, right: Any) -> bool:
    """Deep equality in which true is not 1."""
    if isinstance(left, list):
        return (
            isinstance(right, list) and len(left) == len(right)
            and all(equal(one, other) for one, other in zip(left, right, strict=True))
        )  # fmt: skip
    if isinstance(left, dict):
        return (
            isinstance(right, dict) and left.keys() == right.keys()
            and all(equal(value, right[key]) for key, value in left.items())
        )  # fmt: skip
    return bool(left == right) and (type(left) is bool) == (type(right) is bool)


def number_text(value: float) -> str:
    """As JavaScript writes numbers, fractions to 15 significant digits."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Failure("D3001")
        value = float(f"{value:.15g}")
        if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
    elif abs(value) < 10**21:
        return str(value)
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    minus = "-" if sign else ""
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}" if point < len(text) else minus + text.ljust(point, "0")
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    return f"{minus}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def single(value: Any) -> Any:
    """A sequence's only value, undefined for an empty one; anything else is itself."""
    if type(value) is Sequence and not value.tuple_stream:
        if not value:
            return None
        if len(value) == 1 and not value.keep_singleton:
            return value[0]
    return value


def located(error: Exception, position: int, token: str) -> Failure:
    """The error with its place in the text, if it has none yet, and with JSONata's code for Python's own errors."""
    if isinstance(error, Failure):
        if error.position < 0:
            error.position, error.token = position, error.token or token
        return error
    if isinstance(error, JException):
        code = str(error.error) if error.error in JException.error_codes else _by_message(str(error.error))
        return Failure(code or "UNEXPECTED", error.current, error.expected, error.extra, position=position, token=token)
    if known := _by_message(str(error)):
        return Failure(known, position=position, token=token, message=str(error))
    code, message, hint = getattr(error, "code", ""), getattr(error, "message", ""), getattr(error, "hint", "")
    if code and message:
        return Failure(code, position=position, token=token, message=message, hint=hint)
    if isinstance(error, TypeError) and "argument" in str(error):
        return Failure("T0410", "?", token, position=position, token=token)
    return Failure("UNEXPECTED", f"{type(error).__name__}: {error}", position=position, token=token)


# The engine raises some of its errors by message instead of by code.
_BY_MESSAGE = {
    "starting with": "D3130", "must be from the same decimal group": "D3131", "Unknown component specifier": "D3132",
    "modifier can only be applied": "D3133", "more than four digits": "D3134", "No matching closing bracket": "D3135",
    "is missing specifiers": "D3136", "Type parameters can only": "S0401", "Choice groups containing": "S0402",
    "both integer and fractional": "D3085", "invalid grouping in picture": "D3088",
}  # fmt: skip


def _by_message(text: str) -> str:
    return next((code for part, code in _BY_MESSAGE.items() if part in text), "")


def inbound(value: Any) -> Any:
    """JSON data as the evaluation knows it: None becomes NULL. What holds no None is not copied."""
    if value is None:
        return NULL
    if isinstance(value, dict):
        changed = {key: new for key, item in value.items() if (new := inbound(item)) is not item}
        return {**value, **changed} if changed else value
    if isinstance(value, list):
        items = [inbound(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def outbound(value: Any) -> Any:
    """A result as JSON data of its own, sharing nothing with the input. Raises Failure for a function in it."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or (kind is float and math.isfinite(value)):
        return value
    if kind is float:
        raise Failure("D1001", value)
    if kind is dict:
        return {key: outbound(item) for key, item in value.items()}
    if isinstance(value, list):
        return [outbound(item) for item in value]
    if value is NULL or value is None:
        return None
    if isinstance(value, Function):
        raise Failure("BAD_RESULT", "The result holds a function where a value belongs.")
    return value

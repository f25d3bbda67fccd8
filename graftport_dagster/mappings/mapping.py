"""One mapping: a JSONata text checked and compiled once, then evaluated over record after record.

What a mapping may say is decided here: the names it may use, what is refused before the first
record and what is only remarked on. The language itself is in `language/`, our functions are in
`functions.py`, which text is used now in `registry.py`. Time and memory are not limited here:
`transform/` evaluates in worker processes that are.
"""

import difflib
import functools
import inspect
from collections.abc import Iterator
from collections.abc import Mapping as Names
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from graftport_dagster.errors import ConfigurationError, TransformError
from graftport_dagster.mappings.functions import FUNCTIONS, Context, MappingFunction
from graftport_dagster.mappings.language import STANDARD, Expression, Failure, Function, Symbol, place, walk
from graftport_dagster.mappings.language.values import NULL, inbound

BINDINGS = ("settings", "publications", "platform", "now")
_KNOWN = frozenset({*STANDARD, "now", "millis", *BINDINGS, *(function.name for function in FUNCTIONS)}) - {"eval"}
_CHANGING = {"random", "shuffle"}
# Lists of Shopify's inputs and of the envelope. JSONata gives a single value where a path finds one.
LIST_FIELDS = frozenset(
    {
        "addresses", "collections", "customAttributes", "discountCodes", "files", "fulfillments", "inventoryQuantities",
        "lineItems", "metafields", "optionValues", "productOptions", "publications", "refunds", "regions",
        "shippingLines", "tags", "taxLines", "transactions", "values", "variants",
    }
)  # fmt: skip
_GIVES_A_SEQUENCE = frozenset({"map", "filter", "sort", "distinct", "append", "spread", "keys", "each", "match"})

_MEND = "Mend the record at the source, or the mapping at this place, then retry."


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the mapping made of a record: its value, `UNDEFINED` where there is none, and warnings (code, message).

    `valid_until`: when it may differ though nothing changed, ISO 8601 in UTC; "" for never.
    """

    value: Any
    warnings: tuple[tuple[str, str], ...] = ()
    valid_until: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A compiled mapping. Pickles as its text. `remarks`: what lint says, as sentences with line and column."""

    text: str
    name: str
    remarks: tuple[str, ...] = ()
    _expression: Expression | None = field(default=None, repr=False, compare=False)

    @classmethod
    def compile(cls, text: str, *, name: str) -> Self:
        """Raises ConfigurationError with JSONata's code and `name:line:column` for what is not a mapping."""
        try:
            expression = Expression(text)
        except Failure as failure:
            raise _refused(failure.message, failure.code, text, name, failure.position, failure.word) from None
        _check_names(expression, name)
        remarks = tuple(_remarks(expression))
        return cls(text, name, remarks, expression)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(Mapping.compile, name=self.name), (self.text,)

    def evaluate(self, payload: Any, bindings: Names[str, Any], *, record_id: str) -> Evaluation:
        """The result for one record. `bindings`: settings, publications, platform and now (ISO 8601), all optional.

        Raises TransformError with JSONata's or our code, the place in the mapping and the record's id.
        """
        assert self._expression is not None  # noqa: S101 - compile() is the only way to one
        names = {"settings": {}, "publications": [], "platform": "", **bindings}
        now = names.pop("now", None)
        context = Context(settings=bindings.get("settings") or {}, now="" if now is None else str(now))
        names |= _ours(context)
        try:
            value = self._expression.evaluate(payload, names, millis=None if now is None else _millis(str(now)))
        except Failure as failure:
            raise self._error(failure, record_id) from None
        return Evaluation(value, tuple(context.warnings), context.valid_until)

    def _error(self, failure: Failure, record_id: str) -> TransformError:
        found = place(self.text, failure.position, failure.word)
        word = f" at {failure.word}" if failure.word else ""
        end = "" if failure.message.endswith((".", "!", "?")) else "."
        return TransformError(
            f"{failure.message}{end} Record {record_id}{word} in {self.name}.",
            code=failure.code, hint=failure.hint or _MEND, path=f"line {found[0]}, column {found[1]}" if found else "",
        )  # fmt: skip


class _Ours(Function):
    """One of our functions as the language calls it: null is undefined, an argument not given too."""

    __slots__ = ("arity", "context", "function", "most", "required")

    def __init__(self, function: MappingFunction, context: Context | None) -> None:
        self.function = function
        self.context = context
        self.arity = 1
        self.required, self.most = _PARAMETERS[function.name]

    def apply(self, args: list[Any], context: Any) -> Any:  # noqa: ARG002 - the protocol's
        """Calls it with as many arguments as it takes."""
        if len(args) > self.most:
            raise Failure("T0410", self.most + 1, self.function.name)
        given = [_plain(arg) for arg in args] + [None] * (self.required - len(args))
        result = self.function.call(*given) if self.context is None else self.function.call(self.context, *given)
        return None if result is None else inbound(result)


def _plain(value: Any) -> Any:
    """As our functions know it: null is None, deep down too."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return None if value is NULL else value


def _parameters(function: MappingFunction) -> tuple[int, int]:
    """How many arguments a mapping must and may give."""
    own = list(inspect.signature(function.call).parameters.values())[int(function.in_context) :]
    return sum(parameter.default is parameter.empty for parameter in own), len(own)


_PARAMETERS = {function.name: _parameters(function) for function in FUNCTIONS}
_WITHOUT_CONTEXT = {function.name: _Ours(function, None) for function in FUNCTIONS if not function.in_context}


def _ours(context: Context) -> dict[str, Function]:
    return {**_WITHOUT_CONTEXT, **{one.name: _Ours(one, context) for one in FUNCTIONS if one.in_context}}


def _millis(now: str) -> int:
    return int(datetime.fromisoformat(now).timestamp() * 1000)


def _refused(
    message: str, code: str, text: str, name: str, position: int, token: str, hint: str = ""
) -> ConfigurationError:
    found = place(text, position, token)
    where = f"{name}:{found[0]}:{found[1]}" if found else name
    message = message if message.endswith((".", "?", "!")) else f"{message}."
    return ConfigurationError(
        message, code=code, path=where, hint=hint or "Nothing was changed: correct the text and run again."
    )


def _check_names(expression: Expression, name: str) -> None:
    known = _KNOWN | expression.bound | {"", "$"}
    called = {id(node.procedure) for node in walk(expression.tree) if node.type in {"function", "partial"}}
    for node in walk(expression.tree):
        if node.type == "variable" and (word := str(node.value)) not in known:
            raise _refused(*_unknown(word, known), expression.text, name, node.position, word)
        if node.type == "variable" and node.value == "now" and "now" not in expression.bound and id(node) not in called:
            raise _refused(
                "$now is a function.", "NAME_REFUSED", expression.text, name, node.position, "now", hint="Write $now()."
            )
        if node.type == "bind" and str(node.lhs.value).startswith("__"):
            raise _refused(
                *_unknown(str(node.lhs.value), known), expression.text, name, node.lhs.position, str(node.lhs.value)
            )  # fmt: skip


def _unknown(word: str, known: frozenset[str] | set[str]) -> tuple[str, str]:
    if word == "eval":
        return "$eval is refused: it would let data become code.", "NAME_REFUSED"
    if word.startswith("__"):
        return f"${word}: names beginning with __ are the engine's own.", "NAME_REFUSED"
    near = difflib.get_close_matches(word, known, n=1)
    return f"${word} is not known." + (f" Did you mean ${near[0]}?" if near else ""), "NAME_UNKNOWN"


def _remarks(expression: Expression) -> Iterator[str]:
    """What works but will surprise: single values where Shopify takes a list, results that differ every time."""
    for node in walk(expression.tree):
        if node.type == "unary" and node.value == "{":
            for key, value in node.lhs_object:
                if key.type == "string" and key.value in LIST_FIELDS and _may_unwrap(value):
                    found = place(expression.text, key.position, str(key.value)) or (1, 1)
                    yield (
                        f"line {found[0]}, column {found[1]}: {key.value} is a list: write [ … ], or a single value"
                        " will stand there without one."
                    )
        if node.type == "variable" and node.value in _CHANGING and node.value not in expression.bound:
            found = place(expression.text, node.position, str(node.value)) or (1, 1)
            yield f"line {found[0]}, column {found[1]}: ${node.value} gives something else at every run."


def _may_unwrap(value: Symbol) -> bool:
    if value.keep_array or value.keep_singleton_array:
        return False
    if value.type == "path":
        return not (value.steps[0].type == "variable" and len(value.steps) == 1)
    return value.type == "function" and str(value.procedure.value) in _GIVES_A_SEQUENCE

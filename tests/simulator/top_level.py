"""Questions that provoke the errors which Shopify gives instead of an answer, made from its own words.

Of a recorded error only the words are known, not the question; they name the type, field, argument or variable, so a
question with that very mistake can be made from the schema. `question(words)` is it, or why there is none.
"""

import gzip
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from graftport_dagster.shopify.trim_schema import SCHEMA_FILE

NOT_SHIPPED = "about what the shipped schema does not have"
ACCEPTED_NOW = "API 2026-10 accepts it"
Json = dict[str, Any]
_SCALARS = {
    "ID": "gid://shopify/Product/1", "Int": 1, "Float": 1.0, "Boolean": True, "UnsignedInt64": "1", "Decimal": "1.00",
    "Money": "1.00", "DateTime": "2024-01-01T00:00:00Z", "Date": "2024-01-01", "URL": "https://example.com/",
    "JSON": {}, "Color": "#ffffff",
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A document with its variables."""

    document: str
    variables: Json = field(default_factory=dict)


@cache
def schema() -> GraphQLSchema:
    return build_client_schema(json.loads(gzip.decompress(SCHEMA_FILE.read_bytes()))["data"])


def question(message: str) -> Question | str:
    """The question that this error answers, or why there is none."""
    for pattern, make in _MAKERS:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return make(*found.groups())
    return "its words do not say what was asked"


# --- values -----------------------------------------------------------------------------------------


def filled(kind: Any) -> Any:
    """A value of an input type that is right in form: what it requires, and nothing else."""
    if isinstance(kind, GraphQLNonNull):
        return filled(kind.of_type)
    if isinstance(kind, GraphQLList):
        return [filled(kind.of_type)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return {name: filled(it.type) for name, it in kind.fields.items() if is_required_input_field(it)}
    return _SCALARS.get(kind.name, "x")


def _put(value: Any, kind: Any, path: list[str], content: Any) -> Any:
    """The value with something at a path, and what the way there requires."""
    kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if not path:
        return content
    name, *rest = path
    if isinstance(kind, GraphQLList):
        items = value or [None]
        return [_put(items[0] or filled(kind.of_type), kind.of_type, rest, content)]
    inner = kind.fields[name].type if name in kind.fields else None
    if inner is None:
        return {**(value or {}), name: content}
    if not rest:
        return {**(value or {}), name: content}
    return {**(value or {}), name: _put((value or {}).get(name) or filled(inner), inner, rest, content)}


def _literal(value: Any, kind: Any) -> str:
    kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(kind, GraphQLList):
        return f"[{', '.join(_literal(it, kind.of_type) for it in value)}]"
    if isinstance(kind, GraphQLEnumType):
        return str(value)
    if isinstance(kind, GraphQLInputObjectType):
        inner = (f"{k}: {_literal(v, kind.fields[k].type if k in kind.fields else None)}" for k, v in value.items())
        return "{" + ", ".join(inner) + "}"
    return json.dumps(value)


class _Raw(str):
    """A literal as it is written."""


# --- ways to a field or a type ---------------------------------------------------------------------


def _roots() -> Iterator[tuple[str, GraphQLObjectType]]:
    assert schema().query_type is not None
    assert schema().mutation_type is not None
    yield "query", schema().query_type  # type: ignore[misc]
    yield "mutation", schema().mutation_type  # type: ignore[misc]


def _root_field(name: str) -> tuple[str, GraphQLField] | None:
    return next(((verb, root.fields[name]) for verb, root in _roots() if name in root.fields), None)


def _asked(
    verb: str, name: str, it: GraphQLField, literals: dict[str, str], *, left_out: tuple[str, ...] = ()
) -> Question:
    """One root field: the arguments given as literals, whatever else it requires as variables."""
    needed = {
        key: argument.type for key, argument in it.args.items()
        if is_required_argument(argument) and key not in literals and key not in left_out
    }  # fmt: skip
    declared = ", ".join(f"${key}: {kind}" for key, kind in needed.items())
    given = ", ".join([*(f"{key}: {text}" for key, text in literals.items()), *(f"{key}: ${key}" for key in needed)])
    inner = "" if is_leaf_type(get_named_type(it.type)) else " { __typename }"
    document = f"{verb} Q{f'({declared})' if declared else ''} {{ {name}{f'({given})' if given else ''}{inner} }}"
    return Question(document, {key: filled(kind) for key, kind in needed.items()})


def _ways_to_input(wanted: str) -> Iterator[tuple[str, str, GraphQLField, str, list[str]]]:
    """Root fields with an argument that holds an input of this name, and the path to it, shortest first."""
    for verb, root in _roots():
        for name, it in root.fields.items():
            for argument, given in it.args.items():
                path = _path_to(given.type, wanted)
                if path is not None:
                    yield verb, name, it, argument, path


def _path_to(kind: Any, wanted: str) -> list[str] | None:
    waiting: deque[tuple[Any, list[str]]] = deque([(kind, [])])
    seen: set[str] = set()
    while waiting:
        kind, path = waiting.popleft()
        while isinstance(kind, GraphQLNonNull | GraphQLList):
            path = [*path, "0"] if isinstance(kind, GraphQLList) else path
            kind = kind.of_type
        if kind.name == wanted:
            return path
        if isinstance(kind, GraphQLInputObjectType) and kind.name not in seen and len(path) < 5:
            seen.add(kind.name)
            waiting.extend((it.type, [*path, name]) for name, it in kind.fields.items())
    return None


def _with_literal(wanted: str, content: Callable[[GraphQLInputObjectType], Json]) -> Question | str:
    kind = schema().type_map.get(wanted)
    if not isinstance(kind, GraphQLInputObjectType):
        return NOT_SHIPPED
    ways = sorted(_ways_to_input(wanted), key=lambda way: len(way[4]))
    if not ways:
        return NOT_SHIPPED
    verb, name, it, argument, path = ways[0]
    whole = _put(filled(it.args[argument].type), it.args[argument].type, path, content(kind))
    return _asked(verb, name, it, {argument: _literal(whole, it.args[argument].type)})


# --- one maker for each kind of words ---------------------------------------------------------------


def _variable(name: str, text: str, problems: str | None) -> Question | str:
    base = text.strip("[]!")
    kind = schema().type_map.get(base)
    if kind is None:
        return NOT_SHIPPED
    value: Any = None
    if problems:
        whole: Any = _type(text)
        value = filled(whole)
        for path, said in re.findall(r"(?:\A|, )([\w.]+) \((.*?)(?:\)(?=, [\w.]+ \()|\)?\Z)", problems):
            wrong = _wrong(whole, path.split("."), said)
            if wrong is None:
                return ACCEPTED_NOW if said.startswith("Field is not defined") else "its words do not say what was sent"
            value = _put(value, whole, path.split("."), None if wrong is _NULL else wrong)
    for verb, root in _roots():
        for field_name, it in root.fields.items():
            for argument, given in it.args.items():
                if str(given.type).rstrip("!") == text.rstrip("!") and (
                    text.endswith("!") or "!" not in str(given.type)[-1]
                ):
                    made = _asked(verb, field_name, it, {argument: f"${name}"})
                    head = f"{verb} Q(${name}: {text}"
                    rest = made.document.removeprefix(f"{verb} Q")
                    rest = f", {rest[1:]}" if rest.startswith("(") else f"){rest}"
                    variables = {**made.variables, **({} if value is None else {name: value})}
                    return Question(head + rest, variables)
    return NOT_SHIPPED


_NULL = object()
_REFUSALS = (
    r"Expected (\".*?\") to be one of: .*", r"Could not coerce value (.*) to \w+", r"\w+ invalid value '(.*)'",
    r"\w+ '(.*)' is out of range", r"Invalid global id '(.*)'", r"Invalid url '(.*)', .*",
)  # fmt: skip


def _wrong(whole: Any, path: list[str], said: str) -> Any:
    """The value that is refused in these words; None where it would be taken now."""
    if said.startswith("Field is not defined"):
        return None if _has(whole, path) else 1
    if said == "Expected value to not be null":
        return _NULL
    for pattern in _REFUSALS:
        if found := re.fullmatch(pattern, said, re.DOTALL):
            text = found[1]
            return json.loads(text) if pattern.startswith(("Expected", "Could")) else text
    return None


def _has(kind: Any, path: list[str]) -> bool:
    for name in path:
        kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if isinstance(kind, GraphQLList):
            kind = kind.of_type
        elif isinstance(kind, GraphQLInputObjectType) and name in kind.fields:
            kind = kind.fields[name].type
        else:
            return False
    return True


def _type(text: str) -> Any:
    if text.endswith("!"):
        return GraphQLNonNull(_type(text[:-1]))
    if text.startswith("["):
        return GraphQLList(_type(text[1:-1]))
    return schema().type_map[text]


def _missing_arguments(name: str, arguments: str) -> Question | str:
    found, left_out = _root_field(name), tuple(arguments.split(", "))
    if found is None:
        return NOT_SHIPPED
    needed = {key for key, it in found[1].args.items() if is_required_argument(it)}
    return _asked(found[0], name, found[1], {}, left_out=left_out) if set(left_out) <= needed else ACCEPTED_NOW


def _missing_attribute(argument: str, kind: str, _: str) -> Question | str:
    def content(it: GraphQLInputObjectType) -> Json:
        return {name: value for name, value in filled(it).items() if name != argument}

    made = schema().type_map.get(kind)
    if isinstance(made, GraphQLInputObjectType) and not is_required_input_field(made.fields[argument]):
        return ACCEPTED_NOW
    return _with_literal(kind, content)


def _unknown_attribute(kind: str, argument: str) -> Question | str:
    made = schema().type_map.get(kind)
    if isinstance(made, GraphQLInputObjectType) and argument in made.fields:
        return ACCEPTED_NOW
    return _with_literal(kind, lambda it: {**filled(it), argument: 1})


def _unknown_argument(name: str, argument: str) -> Question | str:
    if (found := _root_field(name)) is None:
        return NOT_SHIPPED
    return ACCEPTED_NOW if argument in found[1].args else _asked(found[0], name, found[1], {argument: "1"})


def _wrong_argument(argument: str, name: str, value: str, kind: str) -> Question | str:
    found = _root_field(name)
    if found is None or argument not in found[1].args:
        return NOT_SHIPPED
    if str(found[1].args[argument].type) != kind:
        return ACCEPTED_NOW
    return _asked(found[0], name, found[1], {argument: value})


def _wrong_attribute(argument: str, name: str, value: str, kind: str) -> Question | str:
    made = schema().type_map.get(name)
    if isinstance(made, GraphQLInputObjectType) and str(getattr(made.fields.get(argument), "type", "")) != kind:
        return ACCEPTED_NOW
    return _with_literal(name, lambda it: {**filled(it), argument: _Raw(value)})


def _unknown_field(name: str, kind: str) -> Question | str:
    it = schema().type_map.get(kind)
    if not isinstance(it, GraphQLObjectType):
        return NOT_SHIPPED
    if name in it.fields:
        return ACCEPTED_NOW
    for verb, root in _roots():
        if root.name == kind:
            return Question(f"{verb} {{ {name} }}")
        for root_name, made in root.fields.items():
            if (way := _way(made, kind)) is not None:
                asked = _asked(verb, root_name, made, {})
                inner = " { ".join([*way, name]) + " }" * len(way)
                return Question(asked.document.replace("{ __typename }", f"{{ {inner} }}"), asked.variables)
    return NOT_SHIPPED


def _way(made: GraphQLField, wanted: str) -> list[str] | None:
    """Fields without required arguments that lead from an answer to a type."""
    waiting: deque[tuple[Any, list[str]]] = deque([(get_named_type(made.type), [])])
    seen: set[str] = set()
    while waiting:
        kind, path = waiting.popleft()
        if kind.name == wanted:
            return path
        if isinstance(kind, GraphQLObjectType) and kind.name not in seen and len(path) < 3:
            seen.add(kind.name)
            for name, it in kind.fields.items():
                if not any(is_required_argument(argument) for argument in it.args.values()):
                    waiting.append((get_named_type(it.type), [*path, name]))
    return None


_MAKERS: list[tuple[str, Callable[..., Question | str]]] = [
    (r"Variable \$(\w+) of type (\S+) was provided invalid value(?: for (.*))?", _variable),
    (r"Field '(\w+)' is missing required arguments: (.*)", _missing_arguments),
    (r"Argument '(\w+)' on InputObject '(\w+)' is required. Expected type (.*)", _missing_attribute),
    (r"InputObject '(\w+)' doesn't accept argument '(\w+)'", _unknown_attribute),
    (r"Field '(\w+)' doesn't accept argument '(\w+)'", _unknown_argument),
    (r"Argument '(\w+)' on Field '(\w+)' has an invalid value \((.*)\). Expected type '(.*)'.", _wrong_argument),
    (r"Argument '(\w+)' on InputObject '(\w+)' has an invalid value \((.*)\). Expected type '(.*)'.", _wrong_attribute),
    (r"Field '(\w+)' doesn't exist on type '(\w+)'", _unknown_field),
    (r"Invalid global id '(.*)'", lambda text: Question(f"{{ node(id: {json.dumps(text)}) {{ id }} }}")),
    (r"Variable \$(\w+) is declared by (\w+) but not used",
     lambda variable, name: Question(f"query {name}(${variable}: String) {{ shop {{ id }} }}")),
]  # fmt: skip

"""Variables of a request against their declared types, refused in Shopify's words.

What lives here: values as JSON brings them. Literals inside a document are `validation.py`'s,
which takes the scalar checks from here. Shopify answers all problems of one variable at once
(code INVALID_VARIABLE, problems with path and explanation); recorded in 122 answers.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    print_ast,
    type_from_ast,
    value_from_ast,
)

from graftport_dagster.simulator.answers import TopLevelError

Problem = dict[str, Any]
_GID = re.compile(r"gid://[\w-]+/\w+/[^/\s]+\Z")
_INT32 = 2**31


class InvalidValueError(ValueError):
    """A value that a scalar does not take; the message is Shopify's explanation."""


def _id(value: Any) -> Any:
    if not isinstance(value, str) or not _GID.match(value):
        raise InvalidValueError(f"Invalid global id '{value}'")
    return value


def _int(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT32 <= value < _INT32:
        raise InvalidValueError(f"Could not coerce value {orjson.dumps(value).decode()} to Int")
    return value


def _float(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValueError(f"Could not coerce value {orjson.dumps(value).decode()} to Float")
    return float(value)


def _string(value: Any) -> Any:
    if not isinstance(value, str):
        raise InvalidValueError(f"Could not coerce value {orjson.dumps(value).decode()} to String")
    return value


def _boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise InvalidValueError(f"Could not coerce value {orjson.dumps(value).decode()} to Boolean")
    return value


def _decimal(value: Any) -> Any:
    try:
        number = Decimal("NaN" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InvalidValueError(f"invalid decimal '{value}'")
    return str(value)


def _url(value: Any) -> Any:
    text = value if isinstance(value, str) else str(value)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidValueError(f"Invalid url '{text}'") from None
    if not parts.scheme:
        raise InvalidValueError(f"Invalid url '{text}', missing scheme")
    if not parts.netloc:
        raise InvalidValueError(f"Invalid url '{text}', missing host")
    return text


def _date(value: Any) -> Any:
    _moment(value)
    return value


def _date_time(value: Any) -> Any:
    try:
        moment = _moment(value).astimezone(UTC)
    except OverflowError:
        raise InvalidValueError(f"invalid date time '{value}'") from None
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z"


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidValueError(f"invalid date time '{value}'") from None
    # Without a zone it is the shop's.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unsigned(value: Any) -> Any:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", text):
        raise InvalidValueError(f"UnsignedInt64 invalid value '{text}'")
    if not 0 <= int(text) < 2**64:
        raise InvalidValueError(f"UnsignedInt64 '{text}' is out of range")
    return text


def _anything(value: Any) -> Any:
    return value


SCALARS: dict[str, Callable[[Any], Any]] = {
    "ID": _id, "Int": _int, "Float": _float, "String": _string, "Boolean": _boolean,
    "Decimal": _decimal, "Money": _decimal, "URL": _url, "DateTime": _date_time, "Date": _date,
    "UnsignedInt64": _unsigned,
}  # fmt: skip


def coerce_scalar(name: str, value: Any) -> Any:
    """The value as resolvers see it, times as Shopify writes them; raises InvalidValueError.

    JSON, HTML and the like take anything.
    """
    return SCALARS.get(name, _anything)(value)


def coerce_variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode, given: dict[str, Any]
) -> dict[str, Any]:
    """Values of the declared variables with defaults filled in; raises TopLevelError for the first wrong one."""
    values: dict[str, Any] = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        declared: Any = type_from_ast(schema, definition.type)
        if name not in given:
            if definition.default_value is not None:
                values[name] = value_from_ast(definition.default_value, declared)
                continue
            if not isinstance(declared, GraphQLNonNull):
                continue
        problems: list[Problem] = []
        values[name] = _coerce(declared, given.get(name), [], problems)
        if problems:
            raise _invalid_variable(name, print_ast(definition.type), given.get(name), problems)
    return values


def _invalid_variable(name: str, declared: str, value: Any, problems: list[Problem]) -> TopLevelError:
    reasons = [f"{'.'.join(map(str, p['path']))} ({p['explanation']})" for p in problems if p["path"]]
    about = f" for {', '.join(reasons)}" if reasons else ""
    message = f"Variable ${name} of type {declared} was provided invalid value{about}"
    return TopLevelError("INVALID_VARIABLE", message, value=value, problems=problems)


def _coerce(declared: GraphQLInputType, value: Any, path: list[str | int], problems: list[Problem]) -> Any:
    if isinstance(declared, GraphQLNonNull):
        if value is None:
            problems.append({"path": list(path), "explanation": "Expected value to not be null"})
            return None
        return _coerce(declared.of_type, value, path, problems)
    if value is None:
        return None
    if isinstance(declared, GraphQLList):
        items = value if isinstance(value, list) else [value]
        return [_coerce(declared.of_type, item, [*path, index], problems) for index, item in enumerate(items)]
    if isinstance(declared, GraphQLInputObjectType):
        return _coerce_object(declared, value, path, problems)
    return _coerce_leaf(declared, value, path, problems)


def _coerce_leaf(declared: Any, value: Any, path: list[str | int], problems: list[Problem]) -> Any:
    if isinstance(declared, GraphQLEnumType):
        if isinstance(value, str) and value in declared.values:
            return value
        choices = ", ".join(declared.values)
        explanation = f"Expected {orjson.dumps(value).decode()} to be one of: {choices}"
        problems.append({"path": list(path), "explanation": explanation})
        return None
    try:
        return coerce_scalar(declared.name, value)
    except InvalidValueError as error:
        problem: Problem = {"path": list(path), "explanation": str(error)}
        if not str(error).startswith("Could not coerce"):
            problem["message"] = str(error)
        problems.append(problem)
        return None


def _coerce_object(
    declared: GraphQLInputObjectType, value: Any, path: list[str | int], problems: list[Problem]
) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        explanation = f"Expected {orjson.dumps(value).decode()} to be a key-value object."
        problems.append({"path": list(path), "explanation": explanation})
        return None
    for name in (name for name in value if name not in declared.fields):
        explanation = f"Field is not defined on {declared.name}"
        problems.append({"path": [*path, name], "explanation": explanation})
    if declared.is_one_of:
        _check_one_of(declared.name, value, path, problems)
    coerced: dict[str, Any] = {}
    for name, field in declared.fields.items():
        if name in value:
            coerced[name] = _coerce(field.type, value[name], [*path, name], problems)
        elif field.default_value is not Undefined:
            coerced[name] = field.default_value
        elif isinstance(field.type, GraphQLNonNull):
            problems.append({"path": [*path, name], "explanation": "Expected value to not be null"})
    return coerced


def _check_one_of(name: str, value: dict[str, Any], path: list[str | int], problems: list[Problem]) -> None:
    if len(value) != 1:
        explanation = f"'{name}' requires exactly one argument, but {len(value)} were provided."
        problems.append({"path": list(path), "explanation": explanation})
        return
    for key, inner in value.items():
        if inner is None:
            explanation = f"'{name}' requires exactly one argument, but '{key}' was `null`."
            problems.append({"path": [*path, key], "explanation": explanation})

"""Shopify's input types, each compiled once into a plain function that checks and puts right.

Required fields, unknown names, enums, `oneOf`, lists and their lengths come from the shipped
schema; lengths of texts and other limits that the schema does not say are given by `payload.py`.
A single value where a list belongs becomes a list, because JSONata unwraps lists of one.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.problems import Place, Problems
from graftport_dagster.shopify.scalars import SCALARS, Check, gid, kind_of
from graftport_dagster.shopify.schema import named, types

# https://shopify.dev/docs/api/usage/limits: arrays, where nothing else is said.
_USUAL_LENGTH = 250


class InputTypes:
    """Checks for input types, made when first asked for.

    `rules`: (type, field) → a further check of that field's value. `lengths`: (type, field) → the
    most items of a list. `replaced`: (type, field) → a check instead of the schema's.
    """

    def __init__(
        self,
        *,
        rules: Mapping[tuple[str, str], Check],
        lengths: Mapping[tuple[str, str], int],
        replaced: Mapping[tuple[str, str], Check],
    ) -> None:
        self._rules = rules
        self._lengths = lengths
        self._replaced = replaced
        self._made: dict[str, Check] = {}
        self._objects: dict[str, ObjectCheck] = {}

    def named(self, name: str) -> Check:
        """The check of one type, by its name in Shopify's schema."""
        if name not in self._made:
            self._make(name)
        return self._made[name]

    def without(self, name: str, *fields: str) -> "ObjectCheck":
        """The same check, but these required fields may be missing (the loader knows them, not the mapping)."""
        self.named(name)
        whole = self._objects[name]
        return ObjectCheck(name, whole.fields, whole.required - set(fields), is_one_of=whole.is_one_of)

    def _make(self, name: str) -> None:
        described = types()[name]
        if described["kind"] == "ENUM":
            self._made[name] = _enum(name, [value["name"] for value in described["enumValues"]])
        elif described["kind"] == "SCALAR":
            self._made[name] = gid(()) if name == "ID" else SCALARS[name]
        else:
            required = {item["name"] for item in described["inputFields"] if _is_required(item)}
            made = ObjectCheck(name, {}, required, is_one_of=bool(described.get("isOneOf")))
            # Known before its fields are made: a type may hold itself.
            self._made[name] = self._objects[name] = made
            for item in described["inputFields"]:
                made.fields[item["name"]] = (self._field(name, item), item["type"]["kind"] != "NON_NULL")

    def _field(self, owner: str, item: JsonObject) -> Check:
        key = (owner, item["name"])
        if key in self._replaced:
            return self._replaced[key]
        allowed = item.get("gidTypes")
        inner = gid(_gid_types(allowed)) if allowed else self.named(named(item["type"]))
        reference = item["type"]["ofType"] if item["type"]["kind"] == "NON_NULL" else item["type"]
        if reference["kind"] == "LIST":
            inner = list_of(inner, self._lengths.get(key, _USUAL_LENGTH))
        rule = self._rules.get(key)
        return _both(inner, rule) if rule else inner


class ObjectCheck:
    """Checks an object field by field; the object itself is left as it was, a corrected copy is given."""

    __slots__ = ("fields", "is_one_of", "name", "required")

    def __init__(
        self, name: str, fields: dict[str, tuple[Check, bool]], required: set[str], *, is_one_of: bool
    ) -> None:
        self.name = name
        self.fields = fields
        self.required = required
        self.is_one_of = is_one_of

    def __call__(self, value: Any, place: Place, problems: Problems) -> Any:
        """The object with its fields put right."""
        if type(value) is not dict:
            problems.add(place, "WRONG_TYPE", f"{kind_of(value)} where an object ({self.name}) belongs.")
            return value
        if not self.required <= value.keys():
            for key in sorted(self.required - value.keys()):
                problems.add((place, key), "REQUIRED", f"{self.name} needs {key}.", "Give it in the mapping.")
        if self.is_one_of and (len(value) != 1 or None in value.values()):
            problems.add(place, "ONE_OF", f"{self.name} takes exactly one of {', '.join(self.fields)}.")
        return self._put_right(value, place, problems)

    def _put_right(self, value: JsonObject, place: Place, problems: Problems) -> JsonObject:
        fields = self.fields
        result = value
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                _unknown(key, fields, (place, key), problems, f"{self.name} has no field {key}.")
            elif item is not None:
                put_right = field[0](item, (place, key), problems)
                if put_right is not item:
                    result = dict(value) if result is value else result
                    result[key] = put_right
            elif not field[1]:
                problems.add((place, key), "REQUIRED", f"null, but {self.name} needs {key}.")
        return result


def list_of(inner: Check, most: int) -> Check:
    """A check for lists of these, of at most so many; a single value becomes a list of one."""

    def check(value: Any, place: Place, problems: Problems) -> Any:
        if type(value) is not list:
            return [inner(value, place, problems)]
        if len(value) > most:
            problems.add(place, "TOO_MANY", f"{len(value)} items, where Shopify takes {most}.")
            return value
        result = value
        for index, item in enumerate(value):
            if item is None:
                problems.add((place, index), "WRONG_TYPE", "null inside a list.", "Leave it out of the list.")
                continue
            put_right = inner(item, (place, index), problems)
            if put_right is not item:
                if result is value:
                    result = list(value)
                result[index] = put_right
        return result

    return check


def _unknown(key: str, known: Mapping[str, Any], place: Place, problems: Problems, message: str) -> None:
    near = difflib.get_close_matches(str(key), known, n=1)
    problems.add(place, "UNKNOWN_FIELD", message, f"Did you mean {near[0]}?" if near else "")


def _enum(name: str, values: list[str]) -> Check:
    known = frozenset(values)

    def check(value: Any, place: Place, problems: Problems) -> Any:
        if type(value) is not str:
            problems.add(place, "WRONG_TYPE", f"{kind_of(value)} where one of {name} belongs.")
        elif value not in known:
            near = difflib.get_close_matches(value.upper(), values, n=1)
            hint = f"Did you mean {near[0]}?" if near else ""
            if not near and len(values) <= 12:
                hint = f"There are {', '.join(values)}."
            problems.add(place, "UNKNOWN_VALUE", f"{value[:40]} is none of {name}.", hint)
        return value

    return check


def _both(first: Check, second: Check) -> Check:
    def check(value: Any, place: Place, problems: Problems) -> Any:
        known = len(problems.found)
        put_right = first(value, place, problems)
        # What is of the wrong kind is not measured too.
        return put_right if len(problems.found) > known else second(put_right, place, problems)

    return check


def _is_required(item: JsonObject) -> bool:
    return item["type"]["kind"] == "NON_NULL" and item.get("defaultValue") is None


def _gid_types(names: list[str]) -> frozenset[str]:
    """The types an id may have; empty, for any, where Shopify names an interface or a type by an old name."""
    return frozenset(names) if all(types().get(name, {}).get("kind") == "OBJECT" for name in names) else frozenset()

"""What a document asks of Shopify's allowance, foreseen before it is sent.

Shopify books this *requested* cost when a call begins and gives back what was not used. The
weights were fitted to 7,067 recorded answers (exact for 98 %); where they are not known, they
err upwards. Waiting until the cost fits is done in `throttle.py`; `client.py` corrects the
estimate by what Shopify answers.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.schema import MUTATION_ROOT, QUERY_ROOT, named, types

if TYPE_CHECKING:
    from graphql import FieldNode, FragmentDefinitionNode, SelectionSetNode

MAX_COST = 1000
"""No single call may ask for more, whatever the plan."""

_Variables = Mapping[str, Any]
_Cost = Callable[[_Variables], float]

_MUTATION_BASE = 10.0
_OTHER_BASES = {"refundCreate": 20.0, "fileCreate": 20.0, "orderCapture": 20.0}
_FREE = frozenset({
    "MoneyBag", "MoneyV2", "MailingAddress", "LocationAddress", "ShopAddress",
    "CustomerEmailMarketingConsentState", "CustomerSmsMarketingConsentState",
})  # fmt: skip
_COUNT_ROOT = 10.0

# Weights of productSet and the bulk variant mutations: developer changelog of Shopify, "dynamic cost".
_VARIANT, _VARIANT_FILE, _VARIANT_METAFIELD = 0.2, 0.6, 0.4
_PRODUCT_METAFIELD, _PRODUCT_FILE = 0.4, 1.9


def requested_cost(document: str, variables: _Variables) -> int:
    """The points that Shopify will book for this document with these variables.

    Raises graphql.GraphQLSyntaxError or KeyError for a document that the shipped schema does not know.
    """
    return math.floor(_compiled(document)(variables) + 1e-9)


@lru_cache(maxsize=256)
def _compiled(document: str) -> _Cost:
    from graphql import FragmentDefinitionNode, OperationDefinitionNode, OperationType, parse

    definitions = parse(document, no_location=True).definitions
    fragments = {item.name.value: item for item in definitions if isinstance(item, FragmentDefinitionNode)}
    operation = next(item for item in definitions if isinstance(item, OperationDefinitionNode))
    reader = _Reader(fragments)
    if operation.operation is OperationType.MUTATION:
        return _sum(reader.mutation(field) for field in reader.fields(operation.selection_set, MUTATION_ROOT))
    return reader.selection(operation.selection_set, QUERY_ROOT, is_root=True)


class _Reader:
    """Turns the selections of one document into functions of its variables."""

    def __init__(self, fragments: Mapping[str, "FragmentDefinitionNode"]) -> None:
        self._fragments = fragments

    def fields(self, selection: "SelectionSetNode | None", type_name: str) -> Iterator["FieldNode"]:
        """The fields asked of exactly this type, fragments on it opened."""
        for owner, field in self._all_fields(selection, type_name):
            if owner == type_name:
                yield field

    def mutation(self, field: "FieldNode") -> _Cost:
        name = field.name.value
        base = _OTHER_BASES.get(name, _MUTATION_BASE)
        payload = named(_field(MUTATION_ROOT, name)["type"])
        inner = [
            self.selection(part.selection_set, named(_field(payload, part.name.value)["type"]))
            for part in self.fields(field.selection_set, payload)
            # Refusals are free, and so are the fields of the payload themselves.
            if part.selection_set and not part.name.value.endswith(("userErrors", "UserErrors"))
        ]
        arguments = _arguments(field)
        extra = _DYNAMIC.get(name)
        if extra is None:
            return _sum([_Constant(base), *inner])
        return _sum([lambda variables: math.floor(base + extra(arguments(variables)) + 1e-9), *inner])

    def selection(self, selection: "SelectionSetNode | None", type_name: str, *, is_root: bool = False) -> _Cost:
        """The cost of what is asked below a type; of several possible types the dearest counts."""
        own: list[_Cost] = []
        others: dict[str, list[_Cost]] = {}
        for owner, field in self._all_fields(selection, type_name):
            costs = own if owner == type_name else others.setdefault(owner, [])
            costs.append(self._field_cost(field, owner, is_root=is_root))
        total = _sum(own)
        members = [_sum(costs) for costs in others.values()]
        if not members:
            return total
        return lambda variables: total(variables) + max(member(variables) for member in members)

    def _all_fields(self, selection: "SelectionSetNode | None", owner: str) -> Iterator[tuple[str, "FieldNode"]]:
        from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode

        for part in selection.selections if selection else ():
            if isinstance(part, FieldNode):
                yield owner, part
            elif isinstance(part, FragmentSpreadNode):
                fragment = self._fragments[part.name.value]
                yield from self._all_fields(fragment.selection_set, fragment.type_condition.name.value)
            elif isinstance(part, InlineFragmentNode):
                condition = getattr(part, "type_condition", None)
                yield from self._all_fields(part.selection_set, condition.name.value if condition else owner)

    def _field_cost(self, field: "FieldNode", owner: str, *, is_root: bool) -> _Cost:
        name = field.name.value
        if name.startswith("__"):
            return _Constant(0)
        type_name = named(_field(owner, name)["type"])
        if types()[type_name]["kind"] in ("SCALAR", "ENUM"):
            return _Constant(0)
        if is_root and type_name == "Count":
            return _Constant(_COUNT_ROOT)
        if type_name.endswith("Connection"):
            return self._connection_cost(field, type_name)
        inner = self.selection(field.selection_set, type_name)
        own = 0 if type_name in _FREE else 1
        if is_root and name == "nodes":
            arguments = _arguments(field)
            return lambda variables: len(arguments(variables).get("ids") or ()) * (own + inner(variables))
        return _plus(own, inner)

    def _connection_cost(self, field: "FieldNode", type_name: str) -> _Cost:
        node: _Cost = _Constant(1)
        for part in self.fields(field.selection_set, type_name):
            part_type = named(_field(type_name, part.name.value)["type"])
            if part.name.value == "nodes":
                node = _plus(1, self.selection(part.selection_set, part_type))
            elif part.name.value == "edges":
                for inner in self.fields(part.selection_set, part_type):
                    if inner.name.value == "node":
                        inner_type = named(_field(part_type, "node")["type"])
                        node = _plus(1, self.selection(inner.selection_set, inner_type))
        arguments = _arguments(field)

        def cost(variables: _Variables) -> float:
            asked = arguments(variables)
            return 2 + _pages(asked.get("first") or asked.get("last") or 250) * node(variables)

        return cost


@lru_cache(maxsize=512)
def _pages(first: int) -> int:
    return max(1, math.floor(2 * math.log(max(1, first))))


def _field(type_name: str, name: str) -> JsonObject:
    for field in types()[type_name]["fields"] or ():
        if field["name"] == name:
            return dict(field)
    raise KeyError(f"{type_name}.{name} is not in the shipped schema")


def _arguments(field: "FieldNode") -> Callable[[_Variables], JsonObject]:
    """A function that gives the field's arguments, its variables filled in."""
    from graphql import VariableNode, value_from_ast_untyped

    literal: JsonObject = {}
    named_by_variable: dict[str, str] = {}
    for argument in field.arguments:
        if isinstance(argument.value, VariableNode):
            named_by_variable[argument.name.value] = argument.value.name.value
        else:
            literal[argument.name.value] = value_from_ast_untyped(argument.value)
    return lambda variables: literal | {name: variables.get(key) for name, key in named_by_variable.items()}


@dataclass(frozen=True, slots=True)
class _Constant:
    """A cost that no variable changes; sums of them are added up once."""

    value: float

    def __call__(self, variables: _Variables) -> float:
        del variables
        return self.value


def _plus(value: float, cost: _Cost) -> _Cost:
    return _sum([_Constant(value), cost])


def _sum(costs: Iterable[_Cost]) -> _Cost:
    fixed, parts = 0.0, []
    for cost in costs:
        if isinstance(cost, _Constant):
            fixed += cost.value
        else:
            parts.append(cost)
    if not parts:
        return _Constant(fixed)
    return lambda variables: fixed + sum([part(variables) for part in parts])


def _of_product_set(arguments: JsonObject) -> float:
    product = arguments.get("input") or {}
    own = _PRODUCT_METAFIELD * _length(product, "metafields") + _PRODUCT_FILE * _length(product, "files")
    return own + _of_variants(product)


def _of_variants(arguments: JsonObject) -> float:
    total = 0.0
    for variant in arguments.get("variants") or ():
        total += _VARIANT + _VARIANT_METAFIELD * _length(variant, "metafields")
        if variant.get("file") or variant.get("mediaSrc") or variant.get("mediaId"):
            total += _VARIANT_FILE
    return total


def _length(value: JsonObject, key: str) -> int:
    return len(value.get(key) or ())


_DYNAMIC: Mapping[str, Callable[[JsonObject], float]] = {
    "productSet": _of_product_set,
    "productVariantsBulkCreate": _of_variants,
    "productVariantsBulkUpdate": _of_variants,
}

"""What a request costs in points, before and after it is executed.

What lives here: the model fitted to 7,067 recorded answers of 2026-04 and 2026-07 (exact on
98.1 %): a scalar 0, an object 1, a connection 2 + max(1, floor(2 ln n)) x the cost of a node, a
mutation 10, Count at the root 10. The bucket that pays is in `throttle.py`.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)

from graftport_dagster.simulator.documents import Document, is_mutation

SINGLE_QUERY_LIMIT = 1000
MUTATION_BASE = 10.0
_BASES = {
    "refundCreate": 20.0, "orderCapture": 20.0, "fileCreate": 20.0, "storeCreditAccountCredit": 15.0,
    "storeCreditAccountDebit": 15.0, "fulfillmentTrackingInfoUpdate": 50.0,
}  # fmt: skip
_FREE = frozenset({
    "MoneyBag", "MoneyV2", "MailingAddress", "LocationAddress", "ShopAddress", "PageInfo",
    "CustomerEmailMarketingConsentState", "CustomerSmsMarketingConsentState",
})  # fmt: skip
# Shopify's published weights for productSet (changelog; not measured with files).
_PER_VARIANT, _PER_VARIANT_FILE, _PER_METAFIELD, _PER_FILE = 0.2, 0.6, 0.4, 1.9


class Costing:
    """Costs of operations of one schema; an operation's shape is weighed once per page sizes asked."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema

    def requested(self, document: Document, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        """Points that must be in the bucket when the request begins."""
        name = operation.name.value if operation.name else ""
        key = (name, *(_pages(variables.get(it) or 0) for it in _integers(operation)))
        cost = document.costs.get(key)
        if cost is None:
            cost = document.costs[key] = self._weigh(document, operation, variables)
        if is_mutation(operation):
            cost += math.floor(sum(_dynamic(field, variables) for field in document.root_fields(operation)))
        return cost

    def _weigh(self, document: Document, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            return 0
        if not is_mutation(operation):
            return math.floor(self._selections(document, operation.selection_set, root, variables, at_root=True))
        total = 0.0
        for field in document.root_fields(operation):
            payload = get_named_type(root.fields[field.name.value].type)
            total += _BASES.get(field.name.value, MUTATION_BASE)
            total += self._payload(document, field, payload, variables)
        return math.floor(total)

    def _payload(self, document: Document, field: FieldNode, payload: Any, variables: Mapping[str, Any]) -> float:
        total = 0.0
        for selection in document.fields(field.selection_set):
            if selection.selection_set and selection.name.value in payload.fields:
                inner = get_named_type(payload.fields[selection.name.value].type)
                if selection.name.value != "userErrors" and is_composite_type(inner):
                    total += self._selections(document, selection.selection_set, inner, variables)
        return total

    def _selections(
        self,
        document: Document,
        selections: SelectionSetNode,
        parent: Any,
        variables: Mapping[str, Any],
        *,
        at_root: bool = False,
    ) -> float:
        shared, by_type = 0.0, [0.0]
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                shared += self._field(document, selection, parent, variables, at_root=at_root)
                continue
            if isinstance(selection, FragmentSpreadNode):
                fragment: Any = document.fragments[selection.name.value]
            else:
                fragment = selection
            condition = fragment.type_condition
            inner = self._schema.get_type(condition.name.value) if condition else parent
            cost = self._selections(document, fragment.selection_set, inner, variables, at_root=at_root)
            if inner is parent or isinstance(parent, GraphQLObjectType):
                shared += cost
            else:
                by_type.append(cost)
        return shared + max(by_type)

    def _field(
        self, document: Document, field: FieldNode, parent: Any, variables: Mapping[str, Any], *, at_root: bool
    ) -> float:
        definition = getattr(parent, "fields", {}).get(field.name.value)
        if definition is None or field.selection_set is None:
            return 0.0
        returned = get_named_type(definition.type)
        if is_leaf_type(returned):
            return 0.0
        name = returned.name
        if name == "Count":
            return 10.0 if at_root else 1.0
        if name.endswith("Connection"):
            return 2 + _pages(_page_size(field, variables)) * self._node(document, field, returned, variables)
        inner = self._selections(document, field.selection_set, returned, variables)
        return inner if name in _FREE else 1 + inner

    def _node(self, document: Document, field: FieldNode, connection: Any, variables: Mapping[str, Any]) -> float:
        cost = 1.0
        for selection in document.fields(field.selection_set):
            if selection.selection_set is None:
                continue
            returned = get_named_type(connection.fields[selection.name.value].type)
            if selection.name.value == "nodes":
                cost = max(cost, 1 + self._selections(document, selection.selection_set, returned, variables))
            elif selection.name.value == "edges":
                cost = max(cost, 1 + self._edge(document, selection, returned, variables))
        return cost

    def _edge(self, document: Document, edges: FieldNode, edge: Any, variables: Mapping[str, Any]) -> float:
        total = 0.0
        for selection in document.fields(edges.selection_set):
            if selection.name.value == "node" and selection.selection_set:
                returned = get_named_type(edge.fields["node"].type)
                total += self._selections(document, selection.selection_set, returned, variables)
        return total


def _integers(operation: OperationDefinitionNode) -> Iterator[str]:
    """The variables that can be the size of a page."""
    for definition in operation.variable_definitions or ():
        declared = definition.type.type if isinstance(definition.type, NonNullTypeNode) else definition.type
        if isinstance(declared, NamedTypeNode) and declared.name.value == "Int":
            yield definition.variable.name.value


def _pages(size: int) -> int:
    return max(1, math.floor(2 * math.log(size))) if size > 0 else 1


def _page_size(field: FieldNode, variables: Mapping[str, Any]) -> int:
    for argument in field.arguments or ():
        if argument.name.value in {"first", "last"}:
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
            if isinstance(argument.value, VariableNode):
                return int(variables.get(argument.value.name.value) or 0)
    return 0


def _dynamic(field: FieldNode, variables: Mapping[str, Any]) -> float:
    if field.name.value != "productSet":
        return 0.0
    for argument in field.arguments or ():
        if argument.name.value == "input" and isinstance(argument.value, VariableNode):
            return _product_set(variables.get(argument.value.name.value) or {})
    return 0.0


def _product_set(product: Mapping[str, Any]) -> float:
    variants = product.get("variants") or ()
    cost = _PER_VARIANT * len(variants)
    cost += _PER_VARIANT_FILE * sum(1 for variant in variants if variant.get("file"))
    cost += _PER_METAFIELD * sum(len(variant.get("metafields") or ()) for variant in variants)
    cost += _PER_METAFIELD * len(product.get("metafields") or ())
    return cost + _PER_FILE * len(product.get("files") or ())

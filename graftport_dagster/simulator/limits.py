"""How long a list in the input may be, before anything is executed.

What lives here: Shopify's array limits (250; 2,048 variants) and their top-level refusal. What
a mutation counts by itself and answers with userErrors is the parts'.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import FieldNode, VariableNode

from graftport_dagster.simulator.answers import TopLevelError

_DEFAULT = 250
_LIMITS = {
    ("productSet", "variants"): 2048, ("productVariantsBulkCreate", "variants"): 2048,
    ("productVariantsBulkUpdate", "variants"): 2048, ("productVariantsBulkDelete", "variantsIds"): 2048,
    ("orderCreate", "lineItems"): 499,
}  # fmt: skip


def check_sizes(root_fields: Sequence[FieldNode], variables: Mapping[str, Any]) -> None:
    """Raises MAX_INPUT_SIZE_EXCEEDED for the first list in the variables that is too long for its field."""
    for node in root_fields:
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                value = variables.get(argument.value.name.value)
                _check(node.name.value, argument.name.value, value, [node.name.value, argument.name.value])


def _check(mutation: str, name: str, value: Any, path: list[str | int]) -> None:
    if isinstance(value, list):
        most = _LIMITS.get((mutation, name), _DEFAULT)
        if len(value) > most:
            message = f"The input array size of {len(value)} is greater than the maximum allowed of {most}."
            error = TopLevelError("MAX_INPUT_SIZE_EXCEEDED", message)
            error.path = path
            raise error
        if value and isinstance(value[0], dict | list):
            for index, item in enumerate(value):
                _check(mutation, name, item, [*path, index])
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                _check(mutation, key, inner, [*path, key])

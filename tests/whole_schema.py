"""What was sent to a simulated store, held against Shopify's whole schema, where that lies beside the project.

The project ships a trimmed schema and the simulator answers from it: here a third judge, graphql-core with the
file that Shopify publishes, looks at the documents and the variables of every call of ours.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import requests
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from graftport_dagster.shopify.documents import code_owners_call, document, document_names, publish_call

SHARED = Path(__file__).parents[1] / "../shared/shopify"


def file_of(version: str) -> Path:
    """Where Shopify's whole schema of a version lies, if it does."""
    return SHARED / f"admin_{version}.json.gz"


@cache
def whole_schema(version: str = "2026-10") -> GraphQLSchema:
    """Shopify's whole schema."""
    return build_client_schema(json.loads(gzip.decompress(file_of(version).read_bytes()))["data"], assume_valid=True)


def mistakes(document: DocumentNode, variables: Mapping[str, Any], version: str = "2026-10") -> list[str]:
    """What is wrong with a document or its variables."""
    schema = whole_schema(version)
    if found := validate(schema, document):
        return [error.message for error in found]
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    values = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
    return [error.message for error in values] if isinstance(values, list) else []


def mistakes_in_calls(url: str) -> tuple[int, list[str]]:
    """Of all that a simulated store was asked by us: how many calls, and what is wrong with them."""
    asked = requests.get(f"{url}/_simulator/requests?after=0", timeout=60).json()
    calls = asked["requests"] if isinstance(asked, dict) else asked
    seen, found = 0, []
    for call in calls:
        variables = call["variables"] or {}
        if (document := _document(call["operation_name"], variables)) is not None:
            seen += 1
            found += [f"{call['operation_name']}: {mistake}" for mistake in mistakes(document, variables)]
    return seen, found


def _document(name: str | None, variables: Mapping[str, Any]) -> DocumentNode | None:
    """The document of ours that the operation is; None for what a merchant of a test asked."""
    if name == "PublishablePublish":
        return _published(sum(1 for key in variables if key.startswith("id")))
    if name == "CodeOwners":
        return _owners(len(variables))
    return _documents().get(name or "")


@cache
def _published(count: int) -> DocumentNode:
    return parse(publish_call([("", [])] * count)[0])


@cache
def _owners(count: int) -> DocumentNode:
    return parse(code_owners_call([""] * count)[0])


@cache
def _documents() -> Mapping[str, DocumentNode]:
    return dict(_named())


def _named() -> Iterator[tuple[str, DocumentNode]]:
    for name in document_names():
        parsed = parse(document(name))
        for definition in parsed.definitions:
            if isinstance(definition, OperationDefinitionNode) and definition.name is not None:
                yield definition.name.value, parsed

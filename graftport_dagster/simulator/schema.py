"""Shopify's Admin schema, read as data.

What lives here: loading the trimmed introspection file and what graphql-core leaves out of it
(access texts). Checking a document against it is in `validation.py`, a variable in `coercion.py`.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLSchema, build_client_schema

SCHEMA_FILE = Path(__file__).parent.parent / "shopify" / "admin_2026-10.json.gz"


@dataclass(frozen=True, slots=True)
class AdminSchema:
    """The types, and beside each root field the access that Shopify asks for it, in its words."""

    graphql: GraphQLSchema
    required_access: dict[str, str]


def load_schema(path: Path = SCHEMA_FILE) -> AdminSchema:
    """The schema in an introspection file, plain or gzipped; raises OSError when it is not there."""
    raw = path.read_bytes()
    content: dict[str, Any] = orjson.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    introspection = content["data"]
    # Shopify's file is Shopify's own affair: whether it is a valid schema is not asked again.
    schema = build_client_schema(introspection, assume_valid=True)
    return AdminSchema(schema, _required_access(introspection["__schema"]))


def _required_access(introspection: dict[str, Any]) -> dict[str, str]:
    types = {kind["name"]: kind for kind in introspection["types"]}
    found = {}
    for root in ("QueryRoot", "Mutation"):
        for field in types[root]["fields"]:
            returned = types[_named(field["type"])]
            if returned["name"].endswith("Connection"):
                returned = types[next(_named(it["type"]) for it in returned["fields"] if it["name"] == "nodes")]
            text = field.get("requiredAccess") or returned.get("requiredAccess")
            if text:
                found[field["name"]] = text
    return found


def _named(reference: dict[str, Any]) -> str:
    while reference.get("ofType"):
        reference = reference["ofType"]
    return str(reference["name"])

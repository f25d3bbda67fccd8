"""The shipped Admin schema as plain data, read once per process when first needed.

Only reading is here. How the file is made is in `trim_schema.py`; what a type takes is decided
in `payload.py`, what a question costs in `cost.py`.
"""

import gzip
from collections.abc import Mapping
from functools import cache

import orjson

from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.trim_schema import SCHEMA_FILE

QUERY_ROOT = "QueryRoot"
MUTATION_ROOT = "Mutation"


@cache
def types() -> Mapping[str, JsonObject]:
    """Every type by name, as introspection describes it (`fields`, `inputFields`, `enumValues`, …)."""
    whole = orjson.loads(gzip.decompress(SCHEMA_FILE.read_bytes()))
    return {item["name"]: item for item in whole["data"]["__schema"]["types"]}


def named(reference: JsonObject) -> str:
    """The name inside a type reference, lists and non-null taken off: `[ID!]!` is `ID`."""
    while reference["ofType"]:
        reference = reference["ofType"]
    return str(reference["name"])

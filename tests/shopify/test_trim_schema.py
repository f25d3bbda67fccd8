"""The shipped schema: a valid subset of Shopify's whole one, made by the script, enough for all documents."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLSchema, build_client_schema, parse, validate, validate_schema

from graftport_dagster.shopify.documents import document, document_names
from graftport_dagster.shopify.trim_schema import MUTATIONS, QUERIES, SCHEMA_FILE, main, packed, trim

SHARED = Path(__file__).parents[2] / "../shared/shopify"


def read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def whole(version: str) -> Any:
    path = SHARED / f"admin_{version}.json.gz"
    if not path.exists():
        pytest.skip(f"Shopify's whole schema {path.name} is not beside the project")
    return read(path)


@pytest.fixture(scope="module")
def trimmed() -> GraphQLSchema:
    return build_client_schema(read(SCHEMA_FILE)["data"])


def by_name(items: Any) -> dict[str, Any]:
    return {item["name"]: item for item in items or ()}


def mistakes(schema: GraphQLSchema, document: DocumentNode) -> list[str]:
    return [error.message for error in validate(schema, document)]


def test_the_shipped_schema_is_valid(trimmed: GraphQLSchema) -> None:
    assert validate_schema(trimmed) == []


def test_the_shipped_schema_has_every_root_it_names(trimmed: GraphQLSchema) -> None:
    assert trimmed.query_type is not None
    assert trimmed.mutation_type is not None
    assert set(trimmed.query_type.fields) == QUERIES
    assert set(trimmed.mutation_type.fields) == MUTATIONS


def test_the_shipped_schema_is_small() -> None:
    assert SCHEMA_FILE.stat().st_size < 250_000


def test_shopifys_licence_travels_with_the_schema() -> None:
    licence = (SCHEMA_FILE.parent / "admin-schema-LICENSE.txt").read_text(encoding="utf-8")
    assert "ISC License" in licence
    assert "Copyright 2025-present, Shopify Inc." in licence


@pytest.mark.shared
def test_the_script_makes_the_shipped_schema_again() -> None:
    made = packed(trim(whole("2026-10")))
    # Compared unpacked: zlib's implementations differ in how they compress, not in what.
    assert gzip.decompress(made) == gzip.decompress(SCHEMA_FILE.read_bytes())
    assert made[4:8] == b"\0\0\0\0", "the time in the gzip header"


@pytest.mark.shared
def test_every_part_of_the_shipped_schema_is_shopifys() -> None:
    theirs = by_name(whole("2026-10")["data"]["__schema"]["types"])
    for ours in read(SCHEMA_FILE)["data"]["__schema"]["types"]:
        original = theirs[ours["name"]]
        assert ours["kind"] == original["kind"]
        for key in ("fields", "inputFields", "enumValues"):
            originals = by_name(original[key])
            for name, item in by_name(ours.get(key)).items():
                assert {k: v for k, v in item.items() if k != "args"}.items() <= originals[name].items(), name
        for key in ("interfaces", "possibleTypes"):
            assert set(by_name(ours.get(key))) <= set(by_name(original[key]))


@pytest.mark.shared
def test_inputs_enums_and_arguments_are_whole() -> None:
    theirs = by_name(whole("2026-10")["data"]["__schema"]["types"])
    for ours in read(SCHEMA_FILE)["data"]["__schema"]["types"]:
        original = theirs[ours["name"]]
        assert set(by_name(ours.get("inputFields"))) == set(by_name(original["inputFields"]))
        assert set(by_name(ours.get("enumValues"))) == set(by_name(original["enumValues"]))
        assert bool(ours.get("isOneOf")) == bool(original["isOneOf"])
        for name, field in by_name(ours.get("fields")).items():
            assert set(by_name(field["args"])) == set(by_name(by_name(original["fields"])[name]["args"]))


@pytest.mark.shared
def test_the_sample_documents_validate_against_the_shipped_schema(trimmed: GraphQLSchema) -> None:
    if not SHARED.exists():
        pytest.skip("the sample documents are not beside the project")
    documents = [path for path in (SHARED / "documents").rglob("*.graphql") if path.parent.name != "negative"]
    assert len(documents) == 66
    refused = {path.name: mistakes(trimmed, parse(path.read_text(encoding="utf-8"))) for path in documents}
    assert {name: found for name, found in refused.items() if found} == {}


@pytest.mark.parametrize("name", document_names())
def test_a_document_of_ours_validates_against_the_shipped_schema(name: str, trimmed: GraphQLSchema) -> None:
    assert mistakes(trimmed, parse(document(name))) == []


@pytest.mark.shared
@pytest.mark.parametrize("version", ["2026-10", "2026-07"])
def test_our_documents_validate_against_shopifys_whole_schema(version: str) -> None:
    schema = build_client_schema(whole(version)["data"], assume_valid=True)
    refused = {name: mistakes(schema, parse(document(name))) for name in document_names()}
    assert {name: found for name, found in refused.items() if found} == {}


def test_the_script_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_an_output_that_shopify_does_not_have_is_named() -> None:
    schema = {"data": {"__schema": {
        "queryType": {"name": "Q"}, "mutationType": {"name": "M"},
        "types": [{"name": "Q", "fields": []}, {"name": "M", "fields": []}],
    }}}  # fmt: skip
    with pytest.raises(KeyError, match="productByIdentifier"):
        trim(schema)

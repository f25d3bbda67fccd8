"""Our GraphQL documents: one operation per file in `documents/`, one fragment per file below it, read once.

Which document a record needs, and with which variables, is decided in `loaders/`; sending is
done in `client.py`. Many publications, or questions, in one call are put together here, because Shopify
takes any number of fields in one document as long as their cost fits.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from graftport_dagster.records import JsonObject

PUBLISH_BATCH = 50
"""Publications joined in one call: 50 × 10 points stay well below the 1,000 a call may ask for."""

_FOLDER = Path(__file__).with_name("documents")


_SPREAD = re.compile(r"\.\.\.([A-Z]\w*)")
_DEFINED = re.compile(r"^fragment (\w+)", re.MULTILINE)
_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


@cache
def document(name: str) -> str:
    """The text of `documents/<name>.graphql`, and of the fragments that it, or one of them, names and it does not hold.

    Raises KeyError naming the documents there are.
    """
    path = _FOLDER / f"{name}.graphql"
    if not path.is_file():
        raise KeyError(f"no document {name}; there are {', '.join(document_names())}")
    text = path.read_text(encoding="utf-8")
    while absent := sorted({*_SPREAD.findall(text)} - {*_DEFINED.findall(text)}):
        fragment = _FOLDER / "fragments" / f"{_HUMP.sub('_', absent[0]).lower()}.graphql"
        text += "\n" + fragment.read_text(encoding="utf-8")
    return text


def document_names() -> list[str]:
    """The names that `document` takes."""
    return sorted(path.stem for path in _FOLDER.glob("*.graphql"))


def publish_call(items: Sequence[tuple[str, Sequence[Mapping[str, str]]]]) -> tuple[str, JsonObject]:
    """One document and its variables, publishing each (GID, `[{"publicationId": …}]`) as `p0`, `p1` and so on."""
    variables: JsonObject = {}
    for index, (gid, publications) in enumerate(items):
        variables[f"id{index}"] = gid
        variables[f"input{index}"] = list(publications)
    return _publish_document(len(items)), variables


def code_owners_call(codes: Sequence[str]) -> tuple[str, JsonObject]:
    """One document and its variables, asking whose each of up to 250 discount codes is, as `c0`, `c1` and so on."""
    return _owners_document(len(codes)), {f"c{index}": code for index, code in enumerate(codes)}


@cache
def _owners_document(count: int) -> str:
    declared = ", ".join(f"$c{index}: String!" for index in range(count))
    fields = "\n".join(f"  c{index}: codeDiscountNodeByCode(code: $c{index}) {{ id }}" for index in range(count))
    return f"query CodeOwners({declared}) {{\n{fields}\n}}\n"


@cache
def _publish_document(count: int) -> str:
    declared = ", ".join(f"$id{index}: ID!, $input{index}: [PublicationInput!]!" for index in range(count))
    fields = "\n".join(
        f"  p{index}: publishablePublish(id: $id{index}, input: $input{index}) {{ userErrors {{ field message }} }}"
        for index in range(count)
    )
    return f"mutation PublishablePublish({declared}) {{\n{fields}\n}}\n"

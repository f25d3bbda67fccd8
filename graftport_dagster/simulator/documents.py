"""A document read once: parsed, validated, and ready to be executed many times.

What lives here: the cache by document text, because clients send the same few texts for ever
and checking one takes milliseconds. The checks are `validation.py`'s, the cost `cost.py`'s.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
)

from graftport_dagster.simulator.validation import validate_document


@dataclass(slots=True)
class Document:
    """One text: either its errors, ready to be sent, or what it asks."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    operations: dict[str, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    syntax: DocumentNode | None = None
    # What its operations cost, as weighed by `cost.py`.
    costs: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def operation(self, name: str | None) -> OperationDefinitionNode | dict[str, Any]:
        """The operation to execute, or the error to send when the name does not choose one."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        chosen = self.operations.get(name or "")
        if chosen is not None:
            return chosen
        message = f'No operation named "{name}"' if name else "An operation name is required"
        return {"message": message}

    def root_fields(self, operation: OperationDefinitionNode) -> list[FieldNode]:
        """The fields at the root, those in fragments too."""
        return self.fields(operation.selection_set)

    def fields(self, selections: SelectionSetNode | None) -> list[FieldNode]:
        """The fields of a selection, those in fragments too."""
        found: list[FieldNode] = []
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                found.append(selection)
            elif isinstance(selection, InlineFragmentNode):
                found.extend(self.fields(selection.selection_set))
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value in self.fragments:
                found.extend(self.fields(self.fragments[selection.name.value].selection_set))
        return found


class DocumentCache:
    """Documents by their text, the least used forgotten."""

    def __init__(self, schema: GraphQLSchema, size: int = 500) -> None:
        self._schema = schema
        self._size = size
        self._known: OrderedDict[str, Document] = OrderedDict()

    @property
    def schema(self) -> GraphQLSchema:
        """The schema that documents are checked against."""
        return self._schema

    def read(self, text: str) -> Document:
        """The document of a text."""
        document = self._known.get(text)
        if document is None:
            document = self._known[text] = _read(self._schema, text)
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(text)
        return document


def is_mutation(operation: OperationDefinitionNode) -> bool:
    """True for what may write."""
    return operation.operation is OperationType.MUTATION


def directive(node: FieldNode, name: str) -> DirectiveNode | None:
    """A directive on a field, if it is there."""
    return next((it for it in node.directives or () if it.name.value == name), None)


def _read(schema: GraphQLSchema, text: str) -> Document:
    try:
        syntax = parse(text)
    except GraphQLSyntaxError as error:
        return Document(errors=[_parse_error(error, text)])
    except RecursionError:
        return Document(errors=[{"message": "Query is too deeply nested", "extensions": {"code": "PARSE_ERROR"}}])
    document = Document(errors=validate_document(schema, syntax), syntax=syntax)
    for definition in syntax.definitions:
        if isinstance(definition, OperationDefinitionNode):
            document.operations[definition.name.value if definition.name else ""] = definition
        # Those of a document that is refused may lead back to themselves.
        elif isinstance(definition, FragmentDefinitionNode) and not document.errors:
            document.fragments[definition.name.value] = definition
    return document


def _parse_error(error: GraphQLError, text: str) -> dict[str, Any]:
    place = error.locations[0] if error.locations else None
    at = f" at [{place.line}, {place.column}]" if place else ""
    description = error.message.removeprefix("Syntax Error: ")
    if "<EOF>" in description or not text.strip():
        description = "unexpected end of file"
    answer: dict[str, Any] = {
        "message": f"syntax error, {description.rstrip('.')}{at}",
        "extensions": {"code": "PARSE_ERROR"},
    }
    if place:
        answer["locations"] = [{"line": place.line, "column": place.column}]
    return answer

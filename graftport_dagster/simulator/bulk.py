"""Bulk operations: many calls by one file, or one query over everything.

What lives here: starting, watching and cancelling them, and what Shopify refuses to start
(recorded in 2026-04). Doing the work is in `bulk_work.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    GraphQLList,
    GraphQLNonNull,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
)

from graftport_dagster.simulator import uploads
from graftport_dagster.simulator.answers import refuse
from graftport_dagster.simulator.connections import page_of_found
from graftport_dagster.simulator.documents import Document
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable, search
from graftport_dagster.simulator.state import Object

OPEN = ("CREATED", "RUNNING", "CANCELING")
_MOST_AT_ONCE = 5
_MOST_BYTES = 65_535
_MOST_FILE_BYTES = 100 * 1024 * 1024
_MOST_CONNECTIONS = 5
_DEEPEST = 2
_NO_FILE = (
    "The JSONL file could not be found. Try uploading the file again, and check that you've entered the URL "
    "correctly for the stagedUploadPath mutation argument."
)


@dataclass(frozen=True, slots=True)
class _Connection:
    name: str
    depth: int
    by_edges: bool
    within_list: bool
    parent_has_id: bool


def _run_mutation(call: Call, arguments: Arguments) -> Object:
    text = arguments["mutation"]
    _check_client_identifier(arguments.get("clientIdentifier"))
    _check_mutation(call, text)
    content = uploads.stored(call.state, arguments["stagedUploadPath"])
    if content is None:
        raise refuse(None, _NO_FILE, "NO_SUCH_FILE")
    if not content.strip():
        raise refuse(None, "The input file is empty.", "INVALID_STAGED_UPLOAD_FILE")
    if len(content.encode()) > _MOST_FILE_BYTES:
        message = "The input file size exceeds the maximum allowed size of 100 MB."
        raise refuse(None, message, "INVALID_STAGED_UPLOAD_FILE")
    operation = _started(call, "MUTATION", text)
    operation.update(upload=arguments["stagedUploadPath"], clientIdentifier=arguments.get("clientIdentifier"))
    call.state.put(operation)
    return {"bulkOperation": operation}


def _check_client_identifier(given: str | None) -> None:
    if given is not None and len(given) < 10:
        raise refuse(["clientIdentifier"], "is too short (minimum is 10 characters)", "INVALID_MUTATION")
    if given is not None and len(given) > 255:
        raise refuse(["clientIdentifier"], "is too long (maximum is 255 characters)", "INVALID_MUTATION")


def _check_mutation(call: Call, text: str) -> None:
    size = len(text.encode())
    if size > _MOST_BYTES:
        message = f"is too large ({size} bytes; maximum is {_MOST_BYTES} bytes)"
        raise refuse(["query"], message, "INVALID_MUTATION")
    document = call.documents.read(text)
    if document.errors:
        message = f"Failed to parse the mutation - {document.errors[0]['message']}"
        raise refuse(None, message, "INVALID_MUTATION")
    operation = next(iter(document.operations.values()))
    if operation.operation is not OperationType.MUTATION:
        message = "Invalid operation type. Only `mutation` operations are supported."
        raise refuse(None, message, "INVALID_MUTATION")
    fields = document.root_fields(operation)
    if len(fields) != 1 or len(document.operations) != 1:
        raise refuse(["mutation"], "You must specify a single top level mutation.")
    if fields[0].name.value.startswith("bulkOperation"):
        raise refuse(["mutation"], "You must use an allowed mutation name.")
    if len(_connections(call, document, operation)) > 1:
        raise refuse(["mutation"], "Bulk mutations cannot contain more than 1 connection.")


def _run_query(call: Call, arguments: Arguments) -> Object:
    text = arguments["query"]
    if wrong := _query_problem(call, text):
        raise refuse(["query"], wrong, "INVALID")
    operation = _started(call, "QUERY", text)
    operation["groupObjects"] = bool(arguments.get("groupObjects"))
    call.state.put(operation)
    return {"bulkOperation": operation}


def _query_problem(call: Call, text: str) -> str | None:
    size = len(text.encode())
    if size > _MOST_BYTES:
        return f"Query is too large ({size} bytes; maximum is {_MOST_BYTES} bytes)"
    document = call.documents.read(text)
    if document.errors:
        return f"Invalid bulk query: {document.errors[0]['message'].partition(' at [')[0]}"
    operation = next(iter(document.operations.values()))
    if operation.operation is not OperationType.QUERY:
        return "Invalid operation type. Only `query` operations are supported."
    roots = [it.name.value for it in document.root_fields(operation)]
    if banned := next((it for it in roots if it in {"node", "nodes"}), None):
        return f"Bulk queries cannot contain a top level `{banned}` field."
    return _connections_problem(_connections(call, document, operation))


def _connections_problem(found: list[_Connection]) -> str | None:
    if not found:
        return "Bulk queries must contain at least one connection."
    if len(found) > _MOST_CONNECTIONS:
        return f"Bulk queries cannot contain more than {_MOST_CONNECTIONS} connections."
    if any(it.depth > _DEEPEST for it in found):
        return f"Bulk queries cannot contain connections with a nesting depth greater than {_DEEPEST}."
    if names := [it.name for it in found if not it.by_edges]:
        shown = ", ".join(f"'{it}'" for it in names)
        return (
            "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
            f"'{names[0]} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. "
            f"Invalid connection fields: {shown}."
        )
    if any(it.within_list for it in found):
        return "Queries that contain a connection field within a list field are not currently supported."
    if names := [it.name for it in found if not it.parent_has_id]:
        return (
            "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be "
            f"of 'ID' return type. Connection fields without 'id': {', '.join(names)}."
        )
    return None


def _connections(call: Call, document: Document, operation: OperationDefinitionNode) -> list[_Connection]:
    root = call.documents.schema.get_root_type(operation.operation)
    return list(_walk(call, document, operation.selection_set, root, depth=0, within_list=False))


def _walk(
    call: Call, document: Document, selections: Any, parent: Any, *, depth: int, within_list: bool
) -> Iterator[_Connection]:
    fields = list(_selected(call, document, selections, parent))
    has_id = any(it.name.value == "id" and it.alias is None for it, _ in fields)
    for field, owner in fields:
        definition = getattr(owner, "fields", {}).get(field.name.value)
        if definition is None or field.selection_set is None:
            continue
        returned = get_named_type(definition.type)
        if not returned.name.endswith("Connection"):
            bare = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
            listed = within_list or (isinstance(bare, GraphQLList) and field.name.value != "edges")
            yield from _walk(call, document, field.selection_set, returned, depth=depth, within_list=listed)
            continue
        inner = {it.name.value for it, _ in _selected(call, document, field.selection_set, returned)}
        yield _Connection(field.name.value, depth, "nodes" not in inner, within_list, has_id or depth == 0)
        yield from _walk(call, document, field.selection_set, returned, depth=depth + 1, within_list=within_list)


def _selected(call: Call, document: Document, selections: Any, parent: Any) -> Iterator[tuple[FieldNode, Any]]:
    for it in selections.selections:
        if isinstance(it, FieldNode):
            yield it, parent
            continue
        fragment = document.fragments[it.name.value] if hasattr(it, "name") else it
        condition = fragment.type_condition
        inner = call.documents.schema.get_type(condition.name.value) if condition else parent
        yield from _selected(call, document, fragment.selection_set, inner)


def _started(call: Call, kind: str, text: str) -> Object:
    running = [gid for status in OPEN for gid in call.state.find("bulk", f"{kind}:{status}")]
    if len(running) >= _MOST_AT_ONCE:
        ids = ", ".join(sorted(running))
        message = f"A bulk {kind.lower()} operation for this app and shop is already in progress: {ids}."
        raise refuse(None, message, "OPERATION_IN_PROGRESS")
    return {
        "id": call.state.new_id("BulkOperation"), "type": kind, "status": "CREATED", "query": text, "errorCode": None,
        "createdAt": call.state.now(), "completedAt": None, "objectCount": "0", "rootObjectCount": "0",
        "fileSize": None, "url": None, "partialDataUrl": None, "baseUrl": call.base_url, "done": 0,
    }  # fmt: skip


def _cancel(call: Call, arguments: Arguments) -> Object:
    operation = call.take(arguments["id"], "BulkOperation")
    if operation is None:
        raise refuse(["id"], "Bulk operation does not exist")
    if operation["status"] not in ("CREATED", "RUNNING"):
        message = f"A bulk operation cannot be canceled when it is {operation['status'].lower()}"
        raise refuse(None, message)
    if operation["status"] == "CREATED":
        # Nothing was done yet, so there is nothing to wait for; the answer says the same.
        operation.update(status="CANCELED", completedAt=call.state.now())
    else:
        operation.update(status="CANCELING")
    call.state.put(operation)
    return {"bulkOperation": {**operation, "status": "CANCELING"}}


def _values(it: Object, field: str) -> Iterable[Any] | None:
    known = {"operation_type": it["type"], "status": it["status"], "created_at": it["createdAt"],
             "id": it["id"].rpartition("/")[2], "default": it["query"]}  # fmt: skip
    return [known[field]] if field in known else None


_SEARCH = Searchable("BulkOperation", _values, {})


def _list(call: Call, _: None, arguments: Arguments) -> Object:
    # "Defaults to sorting by created_at, with newest operations first."
    backwards = {**arguments, "reverse": not arguments.get("reverse")}
    return page_of_found(search(call.state, _SEARCH, arguments.get("query")), backwards)


def _current(call: Call, _: None, arguments: Arguments) -> Object | None:
    found = [it for it in call.state.all("BulkOperation") if it["type"] == arguments.get("type", "QUERY")]
    return found[-1] if found else None


PART = Part(
    queries={
        "bulkOperation": lambda call, _, it: call.take(it["id"], "BulkOperation"),
        "bulkOperations": _list,
        "currentBulkOperation": _current,
    },
    mutations={
        "bulkOperationRunMutation": _run_mutation,
        "bulkOperationRunQuery": _run_query,
        "bulkOperationCancel": _cancel,
    },
    keys={
        "BulkOperation": lambda it: [("bulk", f"{it['type']}:{it['status']}")],
        "_BulkLine": lambda it: [("bulk line", it["operationId"])],
    },
)

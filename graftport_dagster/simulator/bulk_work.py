"""The work of bulk operations, a few lines at a time beside the answering of requests.

What lives here: executing lines and queries and writing result files. Each line is executed and
noted in one transaction: a killed simulator goes on where it was. Starting is in `bulk.py`.
"""

import traceback
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from graftport_dagster.simulator import uploads
from graftport_dagster.simulator.bulk import OPEN
from graftport_dagster.simulator.connections import whole_pages
from graftport_dagster.simulator.execution import Engine
from graftport_dagster.simulator.parts import Settings
from graftport_dagster.simulator.state import Object, State

_LINES_AT_ONCE = 20


class BulkWorker:
    """Works off a shop's open bulk operations."""

    def __init__(self, state: State, engine: Engine, settings: Settings) -> None:
        self._state = state
        self._engine = engine
        self._settings = settings
        self._lines: tuple[str, list[str]] | None = None

    def step(self) -> bool:
        """Does a little; False when there is nothing to do."""
        operation = self._next()
        if operation is None:
            return False
        try:
            if operation["type"] == "QUERY":
                self._query(operation)
            else:
                self._mutate(operation)
        except Exception:  # noqa: BLE001 - as Shopify: the operation fails, the shop goes on
            self._fail(operation)
            traceback.print_exc()
        return True

    def _fail(self, operation: Object) -> None:
        operation.update(status="FAILED", errorCode="INTERNAL_SERVER_ERROR", completedAt=self._state.now())
        with self._state.transaction():
            self._state.put(operation)

    def _next(self) -> Object | None:
        for status in reversed(OPEN):
            for kind in ("MUTATION", "QUERY"):
                for gid in self._state.find("bulk", f"{kind}:{status}"):
                    operation = self._state.get(gid)
                    if operation is not None and self._is_due(operation):
                        return operation
        return None

    def _is_due(self, operation: Object) -> bool:
        age = datetime.fromisoformat(self._state.now()) - datetime.fromisoformat(operation["createdAt"])
        return age.total_seconds() >= self._settings.processing_seconds

    def _mutate(self, operation: Object) -> None:
        lines = self._input(operation)
        operation["status"] = "RUNNING"
        until = min(operation["done"] + _LINES_AT_ONCE, len(lines))
        while operation["done"] < until:
            number = _scattered(operation["done"], len(lines))
            with self._state.transaction():
                result = self._line(operation, lines[number], number)
                body = {"id": self._state.new_id("_BulkLine"), "operationId": operation["id"], "text": result}
                self._state.put(body)
                operation["done"] += 1
                operation["objectCount"] = operation["rootObjectCount"] = str(operation["done"])
                self._state.put(operation)
        if operation["done"] >= len(lines):
            self._finish_mutation(operation)

    def _input(self, operation: Object) -> list[str]:
        if self._lines is None or self._lines[0] != operation["id"]:
            text = uploads.stored(self._state, operation["upload"]) or ""
            self._lines = operation["id"], [it for it in text.split("\n") if it.strip()]
        return self._lines[1]

    def _line(self, operation: Object, line: str, number: int) -> str:
        try:
            variables = orjson.loads(line)
        except orjson.JSONDecodeError:
            variables = None
        if isinstance(variables, dict):
            answer = self._engine.line(operation["query"], variables, operation["baseUrl"])
        else:
            answer = {"errors": [{"message": "The line is not a JSON object of variables."}]}
        return orjson.dumps({**answer, "__lineNumber": number}).decode()

    def _finish_mutation(self, operation: Object) -> None:
        bodies = [self._state.get(gid) for gid in self._state.find("bulk line", operation["id"])]
        results = [it for it in bodies if it is not None]
        with self._state.transaction():
            self._finish(operation, [it["text"] for it in results])
            for it in results:
                self._state.delete(it)

    def _query(self, operation: Object) -> None:
        with whole_pages():
            answer = self._engine.line(operation["query"], {}, operation["baseUrl"])
        with self._state.transaction():
            if answer.get("data") is None:
                self._fail(operation)
                return
            rows = list(_rows(answer["data"]))
            if not operation["groupObjects"]:
                # Ungrouped results promise no more than that a parent comes before its children.
                rows.sort(key=lambda row: row[1])
            operation["objectCount"] = str(len(rows))
            operation["rootObjectCount"] = str(sum(1 for _, depth in rows if depth == 0))
            self._finish(operation, [orjson.dumps(row).decode() for row, _ in rows])

    def _finish(self, operation: Object, lines: list[str]) -> None:
        operation.update(status="COMPLETED", completedAt=self._state.now())
        if lines:
            content = ("\n".join(lines) + "\n").encode()
            key = f"bulk/{operation['id'].rpartition('/')[2]}.jsonl"
            uploads.store(self._state, key, content)
            operation.update(url=f"{operation['baseUrl']}{uploads.PREFIX}{key}", fileSize=str(len(content)))
        self._state.put(operation)


def _scattered(done: int, count: int) -> int:
    """Which line comes next: Shopify does not keep their order, so neither is it kept here."""
    odd = count // 2
    return 2 * done + 1 if done < odd else 2 * (done - odd)


def _rows(data: Object) -> Iterator[tuple[Object, int]]:
    for value in data.values():
        if _is_connection(value):
            for edge in value["edges"]:
                yield from _node_rows(edge["node"], None, 0)
        elif isinstance(value, dict):
            yield from _rows(value)


def _node_rows(node: Object, parent: str | None, depth: int) -> Iterator[tuple[Object, int]]:
    row = _without_connections(node)
    if parent is not None:
        row["__parentId"] = parent
    yield row, depth
    for owner, value in _connections_in(node):
        for edge in value["edges"]:
            yield from _node_rows(edge["node"], owner, depth + 1)


def _without_connections(node: Object) -> Object:
    return {
        name: _without_connections(value) if isinstance(value, dict) else value
        for name, value in node.items() if not _is_connection(value)
    }  # fmt: skip


def _connections_in(node: Object) -> Iterator[tuple[Any, Object]]:
    """Those of the object, and of the objects in it, each with the id of the one that has it."""
    for value in node.values():
        if _is_connection(value):
            yield node.get("id"), value
        elif isinstance(value, dict):
            yield from _connections_in(value)


def _is_connection(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("edges"), list)

"""The work of bulk operations, a few lines at a time beside the answering of requests.

What lives here: executing lines and queries and writing result files. Each line is executed and
noted in one transaction: a killed simulator goes on where it was. Starting is in `bulk.py`.
"""

import time
import traceback
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from graftport_dagster.simulator import uploads
from graftport_dagster.simulator.bulk import OPEN
from graftport_dagster.simulator.connections import whole_pages
from graftport_dagster.simulator.execution import Engine
from graftport_dagster.simulator.faults import Faults
from graftport_dagster.simulator.parts import Settings
from graftport_dagster.simulator.state import Object, State

_LINES_AT_ONCE = 20


class BulkWorker:
    """Works off a shop's open bulk operations."""

    def __init__(self, state: State, engine: Engine, settings: Settings, faults: Faults) -> None:
        self._state = state
        self._engine = engine
        self._settings = settings
        self._faults = faults
        # Of slow operations: when their next line is due.
        self._due: dict[str, float] = {}
        self._lines: tuple[str, list[str]] | None = None

    def step(self) -> bool:
        """Does a little; False when there is nothing to do."""
        operation = self._next()
        if operation is None:
            return False
        try:
            if operation["status"] == "CANCELING":
                self._end_early(operation, status="CANCELED")
            elif operation["type"] == "QUERY":
                self._query(operation)
            else:
                self._mutate(operation)
        except Exception:  # noqa: BLE001 - as Shopify: the operation fails, the shop goes on
            self._fail(operation)
            traceback.print_exc()
        return True

    def _fail(self, operation: Object, error_code: str = "INTERNAL_SERVER_ERROR", *, partial: bool = True) -> None:
        self._end_early(operation, status="FAILED", errorCode=error_code, partial=partial)

    def _end_early(self, operation: Object, *, partial: bool = True, **said: Any) -> None:
        """The end of an operation that did not do everything; what it has done is in `partialDataUrl`."""
        operation.update(completedAt=self._state.now(), **said)
        with self._state.transaction():
            results = self._taken_results(operation)
            if results and partial:
                operation["partialDataUrl"], _ = self._file_of(operation, results)
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
        if time.monotonic() < self._due.get(operation["id"], 0.0) and operation["status"] != "CANCELING":
            return False
        age = datetime.fromisoformat(self._state.now()) - datetime.fromisoformat(operation["createdAt"])
        return age.total_seconds() >= self._settings.processing_seconds

    def _mutate(self, operation: Object) -> None:
        lines = self._input(operation)
        if operation["status"] == "CREATED":
            operation.update(status="RUNNING", fault=self._struck(operation))
        fault = operation.get("fault") or {}
        kind = fault.get("fault")
        most = min(len(lines), fault["lines"]) if kind == "bulk_failed" else len(lines)
        until = min(operation["done"] + (1 if kind == "bulk_slow" else _LINES_AT_ONCE), most)
        self._work_off(operation, lines, until)
        if kind == "bulk_slow":
            self._due[operation["id"]] = time.monotonic() + fault["milliseconds"] / 1000
        if operation["done"] < most:
            return
        if kind == "bulk_failed":
            self._fail(operation, fault["error_code"], partial=fault["partial"])
        else:
            self._finish_mutation(operation, kind, fault.get("lines", 0))

    def _struck(self, operation: Object) -> Object | None:
        """The fault that strikes the operation, if one does."""
        syntax = self._engine.read({"query": operation["query"]}, "")
        rule = self._faults.draw(syntax.root_fields, writes=True, in_bulk=True)
        if rule is None:
            return None
        named = ("fault", "lines", "milliseconds", "error_code", "partial")
        return {name: getattr(rule, name) for name in named}

    def _work_off(self, operation: Object, lines: list[str], until: int) -> None:
        while operation["done"] < until:
            number = _scattered(operation["done"], len(lines))
            with self._state.transaction():
                result = self._line(operation, lines[number], number)
                body = {"id": self._state.new_id("_BulkLine"), "operationId": operation["id"], "text": result}
                self._state.put(body)
                operation["done"] += 1
                operation["objectCount"] = operation["rootObjectCount"] = str(operation["done"])
                self._state.put(operation)

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

    def _finish_mutation(self, operation: Object, kind: str | None, missing: int) -> None:
        with self._state.transaction():
            results = self._taken_results(operation)
            if kind == "bulk_lines_missing":
                results = results[missing:]
            if kind == "bulk_expired":
                # Nobody fetched the file within a week.
                operation.update(status="EXPIRED", completedAt=self._state.now())
                self._state.put(operation)
                return
            self._finish(operation, results)

    def _taken_results(self, operation: Object) -> list[str]:
        """The results of the lines that were done, which are then forgotten here."""
        bodies = [self._state.get(gid) for gid in self._state.find("bulk line", operation["id"])]
        results = [it for it in bodies if it is not None]
        for it in results:
            self._state.delete(it)
        return [it["text"] for it in results]

    def _query(self, operation: Object) -> None:
        with whole_pages():
            answer = self._engine.line(operation["query"], {}, operation["baseUrl"])
        with self._state.transaction():
            if errors := answer.get("errors"):
                denied = errors[0].get("extensions", {}).get("code") == "ACCESS_DENIED"
                self._fail(operation, "ACCESS_DENIED" if denied else "INTERNAL_SERVER_ERROR")
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
            operation["url"], operation["fileSize"] = self._file_of(operation, lines)
        self._state.put(operation)

    def _file_of(self, operation: Object, lines: list[str]) -> tuple[str, str]:
        """Writes a result file: its address and its size."""
        content = ("\n".join(lines) + "\n").encode()
        key = f"bulk/{operation['id'].rpartition('/')[2]}.jsonl"
        uploads.store(self._state, key, content)
        return f"{operation['baseUrl']}{uploads.PREFIX}{key}", str(len(content))


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

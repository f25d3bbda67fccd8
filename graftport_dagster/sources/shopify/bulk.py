"""Whole types by bulk queries: Shopify writes a file of lines, which are put together here as a stream.

A line is one object; those below another one follow it and name it (`__parentId`). What does not
fit into one bulk query comes in further files: those are kept on disk by the root's id until its
turn comes. A bulk query that Shopify refuses, or gives up, raises BulkRefusedError, and the type
is read in pages instead.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson

from graftport_dagster.errors import GraftportError, RemoteFaultError, StoppedError, UnknownOutcomeError
from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.client import Shop
from graftport_dagster.source_settings.files import FileSpec
from graftport_dagster.sources.rest_reader import Clock
from graftport_dagster.sources.shopify.asking import Connection, bulk_document, walk
from graftport_dagster.sources.web_files import WebFiles

_RUN = """mutation RunBulkQuery($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: true) { bulkOperation { id status } userErrors { field message } }
}"""
_LOOK = """query BulkOperation($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount url }
}"""
_CANCEL = """mutation CancelBulkQuery($id: ID!) {
  bulkOperationCancel(id: $id) { bulkOperation { id status } userErrors { field message } }
}"""
_FIRST_LOOK, _LONGEST_LOOK = 0.2, 10.0
_LARGEST_FILE = 1 << 40


class BulkRefusedError(Exception):
    """Shopify does not take the query, or gave it up; the message is its own."""


class BulkReader:
    """Runs bulk queries on one shop. `stop` is asked while waiting."""

    def __init__(self, shop: Shop, *, stop: Callable[[], bool], clock: Clock, scratch: Path | None = None) -> None:
        self._shop = shop
        self._stop = stop
        self._clock = clock
        self._scratch = scratch

    def read(self, root: Connection, search: str) -> Iterator[JsonObject]:
        """Every root object with what is below it, in the order that Shopify wrote them.

        An object that the files do not agree on changed in between: it says `__incomplete`.
        """
        with ExitStack() as held:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(dir=self._scratch, prefix="graftport-")))
            web = WebFiles(_LARGEST_FILE, base=folder, stop=self._stop, scratch=folder)
            held.callback(web.close)
            running: list[str] = []
            try:
                # One by one: what has begun is canceled where the next is refused.
                running.extend(self._start(bulk_document(root, part, search)) for part in sorted(root.parts))
                files = [self._finished(operation, web) for operation in running]
            except BaseException:
                for operation in running:
                    self._cancel(operation)
                raise
            aside = _Aside(folder / "aside.db")
            held.callback(aside.close)
            for place, file in enumerate(files[1:]):
                aside.keep(place, _trees(file, root))
            for tree in _trees(files[0], root):
                yield aside.completed(tree, len(files) - 1, root)

    def _start(self, document: str) -> str:
        # Sent twice it is run twice, which costs time and no harm.
        try:
            answer = self._shop.call(_RUN, {"query": document}, repeatable=True)
        except UnknownOutcomeError as error:
            # Nothing of a shop is changed by being read: what became of the first one does not matter.
            cause = error.__cause__
            raise RemoteFaultError(
                cause.message if isinstance(cause, GraftportError) else error.message, code=error.code,
                hint="See whether source.shop is the shop itself; it is read again by the next run.",
            ) from error  # fmt: skip
        if answer.user_errors:
            raise BulkRefusedError(answer.user_errors[0].message)
        return str(answer.data["bulkOperation"]["id"])

    def _finished(self, operation: str, web: WebFiles) -> Path | None:
        """The file once it is written; None where there is nothing to write."""
        pause = _FIRST_LOOK
        while True:
            seen = self._shop.call(_LOOK, {"id": operation}, repeatable=True).data
            if seen.get("status") == "COMPLETED":
                break
            if seen.get("status") not in ("CREATED", "RUNNING"):
                told = f"{seen.get('status') or 'gone'} {seen.get('errorCode') or ''}".strip()
                raise BulkRefusedError(f"Shopify ended the bulk query: {told}.")
            self._pause(pause)
            pause = min(_LONGEST_LOOK, pause * 1.5)
        if not seen.get("url"):
            return None
        path = web.file(FileSpec(path=str(seen["url"]), format="jsonl"))
        lines = _count_lines(path)
        if lines != int(seen["objectCount"]):
            raise RemoteFaultError(
                f"A bulk query's file has {lines} lines, and Shopify counted {seen['objectCount']}.",
                code="FILE_TRUNCATED", hint="Run again.",
            )  # fmt: skip
        return path

    def _cancel(self, operation: str) -> None:
        # The error that led here is the one to tell.
        with suppress(GraftportError):
            self._shop.call(_CANCEL, {"id": operation}, repeatable=True)

    def _pause(self, seconds: float) -> None:
        until = self._clock.now() + seconds
        while (left := until - self._clock.now()) > 0:
            if self._stop():
                raise StoppedError
            self._clock.sleep(min(left, 0.2))


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _trees(path: Path | None, root: Connection) -> Iterator[JsonObject]:
    """Root objects with their lists, from lines in which an object's own follow it."""
    if path is None:
        return
    places = {kind: (parent, connection) for parent, connection in walk(root) for kind in connection.types}
    tree: JsonObject | None = None
    known: dict[str, JsonObject] = {}
    with path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            node = orjson.loads(line)
            above = node.pop("__parentId", None)
            _, connection = _place_of(node, places)
            if above is None:
                if tree is not None:
                    yield tree
                tree, known = node, {}
            else:
                _hang(node, connection, known.get(above))
            _learn(node, connection, known)
    if tree is not None:
        yield tree


_Places = dict[str, tuple[Connection | None, Connection]]


def _place_of(node: JsonObject, places: _Places) -> tuple[Connection | None, Connection]:
    kind = str(node.get("__typename"))
    if kind not in places:
        raise RemoteFaultError(f"A bulk query gave a {kind}, which was not asked for.", code="UNEXPECTED_ANSWER")
    return places[kind]


def _learn(node: JsonObject, connection: Connection, known: dict[str, JsonObject]) -> None:
    """Makes it findable for what hangs from it; lists that hold nothing are lists all the same."""
    known[str(node.get("id"))] = node
    for child in connection.children:
        holder = node
        if child.within:
            holder = node.setdefault(child.within, {})
            # Shopify may name the object, or the node it is in.
            known[str(holder.get("id"))] = node
        holder.pop(child.name, None)


def _hang(node: JsonObject, connection: Connection, parent: JsonObject | None) -> None:
    if parent is None:
        raise RemoteFaultError(
            "A bulk query's lines are not in the order that was asked for.", code="UNEXPECTED_ANSWER",
            hint="Set source.bulk_queries to false.",
        )  # fmt: skip
    holder = parent.setdefault(connection.within, {}) if connection.within else parent
    holder.setdefault(connection.name, []).append(node)


class _Aside:
    """Trees of further files, on disk by root id."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE tree (part INTEGER, id TEXT, body BLOB, PRIMARY KEY (part, id))")

    def keep(self, part: int, trees: Iterator[JsonObject]) -> None:
        rows = ((part, tree["id"], orjson.dumps(tree)) for tree in trees)
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO tree VALUES (?, ?, ?)", rows)

    def completed(self, tree: JsonObject, parts: int, root: Connection) -> JsonObject:
        """The tree with what the other files say of it; with `__incomplete` where one says nothing of it."""
        for part in range(parts):
            found = self._database.execute("SELECT body FROM tree WHERE part = ? AND id = ?", (part, tree["id"]))
            row = found.fetchone()
            if row is None or not _merge(tree, orjson.loads(row[0]), root):
                tree["__incomplete"] = "it changed while the shop was read"
        return _filled(tree, root)

    def close(self) -> None:
        self._database.close()


def _merge(into: JsonObject, other: JsonObject, connection: Connection) -> bool:
    """Whether both name the same objects where both have lists of them."""
    same = True
    for child in connection.children:
        ours, theirs = _list_of(into, child), _list_of(other, child)
        if child.part != 1:
            if theirs:
                holder = into.setdefault(child.within, {}) if child.within else into
                holder[child.name] = theirs
        elif len(child.parts) > 1:
            by_id = {node["id"]: node for node in theirs}
            same = same and by_id.keys() == {node["id"] for node in ours}
            for node in ours:
                same = node["id"] in by_id and _merge(node, by_id[node["id"]], child) and same
    return same


def _list_of(node: JsonObject, child: Connection) -> list[JsonObject]:
    holder: Any = node.get(child.within) or {} if child.within else node
    found: list[JsonObject] = holder.get(child.name) or []
    return found


def _filled(node: JsonObject, connection: Connection) -> JsonObject:
    """An empty list where nothing came: Shopify writes no line for what holds nothing."""
    for child in connection.children:
        holder = node.setdefault(child.within, {}) if child.within else node
        for inner in holder.setdefault(child.name, []):
            _filled(inner, child)
    return node

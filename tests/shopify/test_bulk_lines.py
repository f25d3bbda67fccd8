"""What the lines of a bulk operation's results say, read as answers of calls."""

import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from graftport_dagster.errors import (
    CredentialsError,
    GraftportError,
    LoadRejectedError,
    RemoteFaultError,
    ThrottledError,
    UnreachableError,
)
from graftport_dagster.shopify import bulk
from graftport_dagster.shopify.client import read_line
from graftport_dagster.shopify.documents import document


def error(code: str, message: str = "m") -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}], "data": None}


def test_a_line_is_read_as_the_answer_of_its_call() -> None:
    edges = {"edges": [{"node": {"id": "v", "media": {"edges": []}}}]}
    answer = read_line({"data": {"productSet": {"product": {"variants": edges}, "userErrors": []}}, "__lineNumber": 3})
    assert answer.data["product"] == {"variants": {"nodes": [{"id": "v", "media": {"nodes": []}}]}}
    assert (answer.user_errors, answer.calls, answer.cost_actual) == ((), 0, 0.0)


def test_a_refused_line_has_the_errors_of_its_call() -> None:
    said = {"field": ["input", "title"], "message": "is too long", "code": "INVALID"}
    answer = read_line({"data": {"productSet": {"product": None, "userErrors": [said]}}})
    assert [(one.field, one.code, one.message) for one in answer.user_errors] == [
        (("input", "title"), "INVALID", "is too long")
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (error("INVALID_VARIABLE"), LoadRejectedError),
        (error("ACCESS_DENIED"), CredentialsError),
        (error("THROTTLED"), ThrottledError),
        (error("VARIANT_THROTTLE_EXCEEDED"), ThrottledError),
        (error("INTERNAL_SERVER_ERROR"), RemoteFaultError),
        ({"data": {"productSet": None}}, RemoteFaultError),
        ({"errors": [{"message": "no code at all"}]}, RemoteFaultError),
        ({"__lineNumber": 1}, RemoteFaultError),
    ],
)
def test_a_line_without_an_answer_means_what_it_means_of_a_call(
    line: dict[str, Any], kind: type[GraftportError]
) -> None:
    with pytest.raises(kind):
        read_line(line)


def test_what_cannot_be_read_of_a_file_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_bytes(b'{"data": 1, "__lineNumber": 1}\n\n{"data": 2}\n[]\n7\n{"__lineNumber": "0"}\n{"__lineNum')
    assert list(bulk.results(file)) == [(1, {"data": 1, "__lineNumber": 1}), (0, {"__lineNumber": "0"})]


def test_a_file_that_is_not_there_any_more_is_told_apart(simulator_url: str, tmp_path: Path) -> None:
    with pytest.raises(RemoteFaultError) as met:
        bulk.fetch(f"{simulator_url}/_uploads/bulk/none.jsonl", tmp_path / "results", stop=lambda: False)
    assert met.value.code == bulk.RESULTS_GONE


class Trickle(BaseHTTPRequestHandler):
    """Gives 3,000 bytes one by one."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3000")
        self.end_headers()
        with suppress(ConnectionError):
            for _ in range(3000):
                time.sleep(0.0002)
                self.wfile.write(b"x")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def trickling() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/results.jsonl"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("step", "is_to_stop", "comes"), [(0.0, False, True), (0.0, True, True), (10.0, False, False), (0.03, True, False)]
)
def test_results_that_trickle_are_given_up(
    trickling: str, tmp_path: Path, step: float, is_to_stop: bool, comes: bool
) -> None:
    moments = itertools.count(0.0, step)
    into = tmp_path / "results"

    def fetch() -> None:
        bulk.fetch(
            trickling, into, stop=lambda: is_to_stop, sleep=lambda _: None, now=lambda: float(next(moments))
        )  # fmt: skip

    if comes:
        fetch()
        assert into.stat().st_size == 3000
        return
    with pytest.raises(UnreachableError) as met:
        fetch()
    assert met.value.code == "RESULTS_UNREADABLE"


def _fields(name: str) -> set[str]:
    """The paths of all that a document asks for, fragments opened."""
    operation, *rest = parse(document(name)).definitions
    assert isinstance(operation, OperationDefinitionNode)
    fragments = {one.name.value: one.selection_set for one in rest if isinstance(one, FragmentDefinitionNode)}
    return set(_paths(operation.selection_set, fragments))


def _paths(asked: SelectionSetNode, fragments: dict[str, SelectionSetNode], path: str = "") -> Iterator[str]:
    for one in asked.selections:
        if isinstance(one, FragmentSpreadNode):
            yield from _paths(fragments[one.name.value], fragments, path)
            continue
        assert isinstance(one, FieldNode)
        here = f"{path}/{one.name.value}"
        yield from _paths(one.selection_set, fragments, here) if one.selection_set else [here]


def _variables(name: str) -> set[str]:
    operation = parse(document(name)).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return {one.variable.name.value for one in operation.variable_definitions}


@pytest.mark.parametrize(
    ("called", "in_bulk", "elsewhere"),
    [
        ("product_set", "product_set_in_bulk", "/productSet/product/media/"),
        ("customer_set", "customer_set_in_bulk", "-"),
    ],
)
def test_a_line_asks_for_what_its_call_asks_for_with_one_list(called: str, in_bulk: str, elsewhere: str) -> None:
    asked = {name for name in _fields(called) if not name.startswith(elsewhere)}
    lines = {name.replace("/edges/node/", "/nodes/") for name in _fields(in_bulk)}
    assert lines == asked
    assert document(in_bulk).count("(first:") == 1
    assert _variables(in_bulk) == _variables(called) - {"media"}
    # By its name an operation is found whose begin was never answered.
    assert re.match(r"mutation \w+\(", document(in_bulk))

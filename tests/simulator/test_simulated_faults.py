"""What goes wrong on request, and what of it was executed all the same."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

MUTATION = (
    "mutation R($r: UrlRedirectInput!) "
    "{ urlRedirectCreate(urlRedirect: $r) { urlRedirect { id } userErrors { message } } }"
)


def create(shop: Any, path: str = "/a") -> requests.Response:
    answer: requests.Response = shop.post(MUTATION, {"r": {"path": path, "target": "/b"}})
    return answer


def paths(shop: Any) -> list[str]:
    return [it["path"] for it in shop.control("objects?type=UrlRedirect")]


def status(answer: requests.Response) -> int:
    return answer.status_code


def code(answer: requests.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


ANSWERS: list[tuple[str, Callable[[requests.Response], Any], Any, bool]] = [
    ("http_429", status, 429, False),
    ("http_500", status, 500, False),
    ("http_502", status, 502, False),
    ("http_503", status, 503, False),
    ("http_503_after_commit", status, 503, True),
    ("html_error", lambda it: it.headers["content-type"], "text/html; charset=utf-8", False),
    ("throttled", code, "THROTTLED", False),
    ("internal_error", code, "INTERNAL_SERVER_ERROR", False),
    ("internal_error_after_commit", code, "INTERNAL_SERVER_ERROR", True),
    ("wrong_content_type", lambda it: (it.status_code, it.headers["content-type"][:9]), (200, "text/html"), True),
    ("empty_answer", lambda it: it.text, "", True),
    (
        "too_many_attempts",
        lambda it: it.json()["data"]["urlRedirectCreate"]["userErrors"][0]["message"],
        "Too many attempts. Please try again later.",
        False,
    ),
]


@pytest.mark.parametrize(("fault", "look", "seen", "executed"), ANSWERS)
def test_a_fault_spoils_one_answer(shop: Any, fault: str, look: Any, seen: Any, *, executed: bool) -> None:
    shop.fault(operation="urlRedirectCreate", fault=fault, times=1)
    assert look(create(shop)) == seen
    assert paths(shop) == (["/a"] if executed else [])
    assert create(shop, "/c").json()["data"]["urlRedirectCreate"]["userErrors"] == []


def test_json_is_cut_in_the_middle(shop: Any) -> None:
    shop.fault(operation="R", fault="truncated_json", times=1)
    with pytest.raises(json.JSONDecodeError):
        json.loads(create(shop).text)
    assert paths(shop) == ["/a"]


@pytest.mark.parametrize("fault", ["reset", "hangup"])
@pytest.mark.parametrize("executed", [True, False])
def test_a_connection_is_cut_before_or_after_the_commit(shop: Any, fault: str, executed: bool) -> None:
    shop.fault(operation="urlRedirectCreate", fault=f"{fault}_{'after' if executed else 'before'}_commit", times=1)
    with pytest.raises(requests.ConnectionError):
        create(shop)
    assert paths(shop) == (["/a"] if executed else [])


def test_a_connection_is_cut_midway(shop: Any) -> None:
    shop.fault(fault="hangup_midway", times=1)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        create(shop)
    assert paths(shop) == ["/a"]


def test_a_commit_comes_seconds_after_the_connection_is_gone(shop: Any) -> None:
    shop.fault(operation="urlRedirectCreate", fault="commit_after_hangup", seconds=0.5, times=1)
    with pytest.raises(requests.ConnectionError):
        create(shop)
    assert paths(shop) == []
    deadline = time.monotonic() + 5
    while not paths(shop) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert paths(shop) == ["/a"]


def test_an_answer_is_slow(shop: Any) -> None:
    shop.fault(fault="slow", milliseconds=300, times=1)
    began = time.monotonic()
    assert create(shop).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_a_revoked_token_stays_revoked(shop: Any) -> None:
    shop.fault(operation="urlRedirectCreate", fault="token_revoked", times=1)
    assert [create(shop).status_code for _ in range(2)] == [401, 401]


def test_retry_after_is_said_with_429(shop: Any) -> None:
    shop.fault(fault="http_429", times=1, retry_after=3)
    assert create(shop).headers["Retry-After"] == "3.0"


def test_a_rule_lets_the_first_pass_and_stops_after_its_times(shop: Any) -> None:
    shop.fault(operation="urlRedirectCreate", fault="http_500", after=1, times=2)
    assert [create(shop, f"/{i}").status_code for i in range(4)] == [200, 500, 500, 200]


def test_the_same_seed_gives_the_same_faults(shop: Any) -> None:
    def drawn() -> list[int]:
        rule = {"fault": "http_500", "probability": 0.5, "operation": "shop"}
        shop.control("faults", {"seed": 7, "replace": True, "faults": [rule]})
        return [shop.post("{ shop { id } }").status_code for _ in range(12)]

    first = drawn()
    assert first == drawn()
    assert set(first) == {200, 500}


def test_other_operations_are_left_alone(shop: Any) -> None:
    shop.fault(operation="productSet", fault="http_500")
    assert create(shop).status_code == 200


def test_a_rule_that_cannot_be_followed_is_refused(shop: Any) -> None:
    for rule in ({"fault": "earthquake"}, {"fault": "slow", "colour": "red"}, [3], {"sead": 1}):
        answer = requests.post(f"{shop.url}/_simulator/faults", json=rule, timeout=9)
        assert answer.status_code == 400
        assert answer.json()["error"]


def test_faults_come_from_a_file(open_shop: Any, tmp_path: Any) -> None:
    rules = tmp_path / "faults.json"
    rules.write_text(json.dumps({"seed": 1, "faults": [{"fault": "http_503", "operation": "shop", "times": 1}]}))
    shop = open_shop("--faults", str(rules))
    assert [shop.post("{ shop { id } }").status_code for _ in range(2)] == [503, 200]


def test_a_caller_killed_in_the_middle_of_its_question_leaves_no_trace(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(tmp_path / "shop.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        port = int(url.rpartition(":")[2])
        head = "POST /admin/api/2026-10/graphql.json HTTP/1.1\r\nHost: shop\r\nX-Shopify-Access-Token: t\r\n"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f'{head}Content-Length: 999\r\n\r\n{{"query": "'.encode())
        assert requests.get(f"{url}/_simulator/", timeout=30).json()["requests"] == 0
        requests.post(f"{url}/_simulator/stop", timeout=30)
        assert "Traceback" not in process.stderr.read()

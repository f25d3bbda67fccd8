"""How a shop's REST API is asked: what is repeated, what is not, and in which words it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any

import pytest

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    GraftportError,
    RemoteFaultError,
    RemoteTimeoutError,
    UnreachableError,
)
from graftport_dagster.sources.rest_reader import Clock, Patience, RestReader


@dataclass
class Shop:
    """A shop that gives these answers one after the other, the last one for ever."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def says(self, status: int, body: Any = None, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, content))


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            status, headers, content = made.answers[min(len(made.asked), len(made.answers)) - 1]
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.pauses.append(seconds)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep, spread=lambda most: most)


def reader(shop: Shop, time: Time, **given: Any) -> RestReader:
    patience = Patience(attempts=given.pop("attempts", 3), timeout_seconds=given.pop("timeout_seconds", 5), **given)
    return RestReader("Magento", shop.url, patience=patience, clock=time.clock(), secrets=("tok-1234",))


def test_an_answer_is_its_json_and_its_headers(shop: Shop) -> None:
    shop.says(200, {"items": [1]}, X_WP_Total="7")
    answer = reader(shop, Time()).get("/orders", {"page": 2, "name": "a b"})
    assert (answer.json, answer.headers["x-wp-total"]) == ({"items": [1]}, "7")
    assert shop.asked == ["/orders?page=2&name=a+b"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_what_may_pass_by_itself_is_asked_again(shop: Shop, status: int) -> None:
    shop.says(status, {"message": "busy"})
    shop.says(status, b"<html>busy</html>")
    shop.says(200, [])
    assert reader(shop, Time()).get("/orders").json == []
    assert len(shop.asked) == 3


def test_the_pauses_grow_and_end(shop: Shop) -> None:
    shop.says(500, {})
    time = Time()
    with pytest.raises(RemoteFaultError):
        reader(shop, time, attempts=9).get("/orders")
    assert time.seconds == pytest.approx(0.5 + 1 + 2 + 4 + 8 + 16 + 30 + 30)
    assert len(shop.asked) == 9


def test_a_shop_that_says_how_long_to_wait_is_given_that(shop: Shop) -> None:
    shop.says(429, {"message": "slow down"}, Retry_After="17")
    shop.says(200, {})
    time = Time()
    reader(shop, time).get("/orders")
    assert time.seconds == pytest.approx(17)


def test_a_shop_that_wants_an_hour_is_left_to_a_later_run(shop: Shop) -> None:
    shop.says(503, {"message": "maintenance"}, Retry_After="3600")
    time = Time()
    with pytest.raises(RemoteFaultError) as refused:
        reader(shop, time).get("/orders")
    assert (refused.value.retry_after, time.seconds, len(shop.asked)) == (3600, 0, 1)
    assert "maintenance" in refused.value.hint


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, CredentialsError, "SOURCE_UNAUTHORIZED"),
        (403, CredentialsError, "SOURCE_FORBIDDEN"),
        (404, ConfigurationError, "SOURCE_NOT_FOUND"),
        (400, ConfigurationError, "SOURCE_REFUSED"),
    ],
)
def test_what_somebody_must_change_is_asked_once_and_told_apart(
    shop: Shop, status: int, kind: type[GraftportError], code: str
) -> None:
    shop.says(status, {"message": "No such token tok-1234 here"})
    with pytest.raises(kind) as refused:
        reader(shop, Time()).get("/orders")
    assert refused.value.code == code
    assert len(shop.asked) == 1
    assert str(status) in refused.value.message
    assert "No such token … here" in refused.value.message
    assert "tok-1234" not in str(refused.value)


@pytest.mark.parametrize("body", [b'{"items": [', b"<html>nginx</html>", b""])
def test_what_is_no_json_is_an_error_and_never_an_empty_page(shop: Shop, body: bytes) -> None:
    shop.says(200, body)
    with pytest.raises(RemoteFaultError) as refused:
        reader(shop, Time()).get("/orders")
    assert refused.value.code == "UNEXPECTED_ANSWER"
    assert len(shop.asked) == 3


def test_an_answer_cut_off_is_asked_again(shop: Shop) -> None:
    shop.says(200, b'{"items": []}', Content_Length="500")
    shop.says(200, {"items": []})
    assert reader(shop, Time()).get("/orders").json == {"items": []}


def test_a_shop_that_lives_elsewhere_is_named_and_not_followed(shop: Shop) -> None:
    shop.says(301, {}, Location="https://www.shop.example/orders")
    with pytest.raises(ConfigurationError, match=r"sends the question on to www\.shop\.example"):
        reader(shop, Time()).get("/orders")
    assert len(shop.asked) == 1


def test_a_shop_that_is_not_there_is_told_as_that() -> None:
    with pytest.raises(UnreachableError) as refused:
        reader(Shop(url="http://127.0.0.1:9"), Time()).get("/orders")
    assert refused.value.code == "CONNECTION_REFUSED"
    with pytest.raises(UnreachableError) as refused:
        reader(Shop(url="http://no-such-shop.invalid"), Time()).get("/orders")
    assert refused.value.code == "NAME_NOT_RESOLVED"


def test_a_shop_that_does_not_answer_is_given_up_after_its_time() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        silent = Shop(url=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(RemoteTimeoutError, match=r"within 0\.2 seconds"):
            reader(silent, Time(), attempts=2, timeout_seconds=0.2).get("/orders")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_answer_that_trickles_is_given_up_after_its_time_and_asked_for_again(is_chunked: bool) -> None:
    asked, ended = [], []

    class Trickle(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header(*(("Transfer-Encoding", "chunked") if is_chunked else ("Content-Length", "100000")))
            self.end_headers()
            self.wfile.write(b"186a0\r\n" if is_chunked else b"")
            for _ in range(100):
                self.wfile.write(b" ")
                sleep(0.05)
            ended.append(self.path)

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Trickle) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        patience = Patience(attempts=2, timeout_seconds=0.3)
        asking = RestReader("Magento", f"http://127.0.0.1:{server.server_port}", patience=patience)
        with pytest.raises(RemoteTimeoutError, match=r"did not finish its answer within 0\.3 seconds") as refused:
            asking.get("/orders")
        server.shutdown()
    assert "source.page_size" in refused.value.hint
    assert (len(asked), ended) == (2, [])


def test_questions_keep_the_pace_that_was_set(shop: Shop) -> None:
    shop.says(200, {})
    time = Time()
    asking = reader(shop, time, requests_per_second=4)
    for _ in range(9):
        asking.get("/orders")
    assert time.seconds == pytest.approx(2)


def test_a_stop_ends_the_waiting_at_once(shop: Shop) -> None:
    shop.says(429, {}, Retry_After="60")
    time = Time()
    asks: list[Callable[[], bool]] = [lambda: time.seconds > 1]
    asking = RestReader("Magento", shop.url, clock=time.clock(), stop=asks[0])
    with pytest.raises(UnreachableError) as refused:
        asking.get("/orders")
    assert refused.value.code == "STOPPED"
    assert time.seconds < 2


def test_a_mark_before_the_json_is_passed_over(shop: Shop) -> None:
    shop.says(200, b'\xef\xbb\xbf[{"id": 1}]')
    assert reader(shop, Time()).get("/x").json == [{"id": 1}]


def test_messages_of_php_before_the_json_are_told_with_what_turns_them_off(shop: Shop) -> None:
    shop.says(200, b"<br />\n<b>Deprecated</b>: Function foo() in <b>/var/www/x.php</b><br />[]")
    with pytest.raises(RemoteFaultError, match=r"message of PHP \(Deprecated\)") as refused:
        reader(shop, Time(), attempts=1).get("/x")
    assert "WP_DEBUG_DISPLAY" in refused.value.hint


def test_a_message_of_php_in_another_encoding_is_told_all_the_same(shop: Shop) -> None:
    shop.says(200, b"<b>Warning: Fu\xdfnote</b>[]")
    with pytest.raises(RemoteFaultError, match="message of PHP"):
        reader(shop, Time(), attempts=1).get("/x")


def test_a_login_that_the_question_is_sent_to_is_named(shop: Shop) -> None:
    shop.says(302, b"", Location=f"{shop.url}/wp-login.php?redirect_to=x")
    with pytest.raises(ConfigurationError, match=r"sends the question on to http://127\.0\.0\.1:\d+/wp-login\.php\."):
        reader(shop, Time()).get("/x")

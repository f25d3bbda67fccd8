"""A real HTTP server that answers as a test tells it, well or badly, and a clock turned by hand."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.credentials import AccessToken, Credentials

API_VERSION = "2026-10"
TOKEN = "shpat_0123456789abcdef"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 1000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.naps.append(seconds)

    @property
    def slept(self) -> float:
        return round(sum(self.naps), 6)


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[socket.socket, Request], None]


@dataclass
class Script:
    """A listening server; each request takes the next behaviour, the last one for ever."""

    behaviours: list[Behaviour] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def plays(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    def stop(self) -> None:
        """From now on connections are refused."""
        self.over.set()
        self.closed.wait(5)

    def next(self, request: Request) -> Behaviour:
        with self.lock:
            self.requests.append(request)
            return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


def http(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def raw(content: bytes, *, close: bool = False) -> Behaviour:
    def behave(connection: socket.socket, request: Request) -> None:
        connection.sendall(content)
        if close:
            connection.close()

    return behave


def status(code: int, text: str = "", **headers: str) -> Behaviour:
    return raw(http(code, text.encode(), {name.replace("_", "-"): value for name, value in headers.items()}))


def answers(
    value: Any, *, requested: float = 10, actual: float | None = 10, available: float = 1990, version: str = API_VERSION
) -> Behaviour:
    """A good HTTP answer; `value` is the whole JSON, cost is added where it has none."""
    cost = {
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0},
    }
    content = json.dumps({"extensions": {"cost": cost}} | value).encode()
    return raw(http(200, content, {"Content-Type": "application/json", "X-Shopify-API-Version": version}))


def data(value: Any) -> Behaviour:
    return answers({"data": value})


def failure(code: str | None, message: str = "no", value: Any = None, **extensions: Any) -> Behaviour:
    extra = ({"code": code} if code else {}) | extensions
    return answers({"data": value, "errors": [{"message": message, "extensions": extra}]}, actual=None)


def reset(connection: socket.socket, request: Request) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up(connection: socket.socket, request: Request) -> None:
    connection.close()


def silence(seconds: float) -> Behaviour:
    def behave(connection: socket.socket, request: Request) -> None:
        time.sleep(seconds)
        connection.close()

    return behave


@pytest.fixture
def script() -> Iterator[Script]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    playing = Script(port=listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not playing.over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            playing.connections += 1
            thread = threading.Thread(target=_serve, args=(connection, playing, playing.over), daemon=True)
            threads.append(thread)
            thread.start()
        listener.close()
        playing.closed.set()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield playing
    playing.over.set()
    acceptor.join()
    for thread in threads:
        thread.join(timeout=3)


def _serve(connection: socket.socket, script: Script, over: threading.Event) -> None:
    connection.settimeout(0.05)
    buffer = b""
    with connection:
        while not over.is_set() and connection.fileno() >= 0:
            try:
                piece = connection.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                return
            if not piece:
                return
            buffer += piece
            head, separator, body = buffer.partition(b"\r\n\r\n")
            if not separator:
                continue
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if len(body) < int(headers.get("content-length", "0")):
                continue
            buffer = b""
            request = Request(first.split(" ")[1], headers, body)
            try:
                script.next(request)(connection, request)
            except OSError:
                return


@pytest.fixture
def clock() -> Clock:
    return Clock()


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop(script: Script, clock: Clock) -> Iterator[MakeShop]:
    made: list[Shop] = []

    def make(url: str = "", credentials: Credentials | None = None, **settings: Any) -> Shop:
        given: dict[str, Any] = {
            "timeout_seconds": 2.0, "clock": clock, "sleep": clock.sleep, "random": lambda: 0.5,
        } | settings  # fmt: skip
        shop = Shop(url or script.url, credentials=credentials or AccessToken(TOKEN), **given)
        made.append(shop)
        return shop

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop()

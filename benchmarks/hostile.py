"""Hostile inputs: damaged files, payloads, answers and mappings, by the thousand; what each of them came to.

    python -m benchmarks.hostile [--cases 12000] [--seed 1]

Each begins as something right (the demo's files, payloads that its mappings make, the packaged mappings, true
answers of Shopify) and is then damaged at seeded places. It must end as a result or as one of our own errors,
within seconds: whatever else is raised is a crash, whatever takes longer a hang, and each is printed with its
number, which repeats it. Bar: 10,000 without a crash or a hang.
"""

import argparse
import copy
import json
import random
import signal
import socket
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graftport_dagster.errors import GraftportError
from graftport_dagster.mappings.mapping import Mapping
from graftport_dagster.records import InvalidRow, ResourceType, canonical_json
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.credentials import AccessToken
from graftport_dagster.shopify.payload import check
from graftport_dagster.source_settings.files import FileSpec, FilesSettings
from graftport_dagster.sources.files import FileSource

HANG_SECONDS = 20
ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "demo"
PIECES = (
    b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"{", b"}", b"[", b"]", b"\\", b"|", b"=", b":", b"(", b")", b"$", b"~>",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"1e999", b"-1", b"null", b"\\ud800", b'"' * 50, b"{" * 300,
    b"[" * 300, b"(" * 300, b"function($x){", b"/(a+)+$/", b"\x07", b"^", b"**", b"%", b"..",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, "", " ", "x" * 70_000, -1, 0, 1.5, 10**30, float("1e300"), [], {}, [[]], [None], {"$ref": {}},
    {"$ref": {"resource_type": "products", "source_id": "1"}}, "gid://shopify/Product/x", "\ud800", "\x00", "NaN",
)  # fmt: skip


class HangError(BaseException):
    """It took too long."""


def main() -> None:
    """Prints a line per kind of input, and every crash and hang."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    kinds: dict[str, tuple[float, Callable[[random.Random], str]]] = {
        "files": (0.25, _file), "payloads": (0.35, _payload), "mappings": (0.3, _mapping), "answers": (0.1, _answer),
    }  # fmt: skip
    signal.signal(signal.SIGALRM, _hung)
    total, bad = 0, 0
    for kind, (share, run) in kinds.items():
        ends: Counter[str] = Counter()
        begun = time.perf_counter()
        for number in range(round(asked.cases * share)):
            ends[_guarded(run, kind, asked.seed * 1_000_000 + number)] += 1
        total, bad = total + ends.total(), bad + ends["CRASH"] + ends["HANG"]
        told = ", ".join(f"{end} {count:,}" for end, count in ends.most_common())
        print(f"{kind:<10}{ends.total():>8,}  {told}  ({time.perf_counter() - begun:.0f} s)", flush=True)
    print(f"{total:,} hostile inputs, {bad} crashes or hangs (bar: 0 of 10,000)")


def _guarded(run: Callable[[random.Random], str], kind: str, number: int) -> str:
    signal.alarm(HANG_SECONDS)
    try:
        return run(random.Random(number))
    except GraftportError as error:
        str(error).encode("utf-8", "surrogatepass")
        return "refused"
    except HangError:
        print(f"HANG   {kind} {number}", flush=True)
        return "HANG"
    except Exception:  # noqa: BLE001 - whatever it is, it is told and counted
        print(f"CRASH  {kind} {number}\n{traceback.format_exc(limit=-4)}", flush=True)
        return "CRASH"
    finally:
        signal.alarm(0)


def _hung(*_: object) -> None:
    raise HangError


def _damaged(content: bytes, chance: random.Random, most: int = 5) -> bytes:
    for _ in range(chance.randint(1, most)):
        at, piece = chance.randint(0, len(content)), chance.choice(PIECES)
        content = content[:at] + piece + content[at + chance.choice((0, 0, 1, 3, 40)) :]
    return content if chance.random() < 0.9 else content[: chance.randint(0, len(content))]


def _file(chance: random.Random) -> str:
    path = chance.choice(sorted([*DEMO.glob("*.csv"), *DEMO.glob("*.jsonl")]))
    content = path.read_bytes()[: chance.choice((3_000, 12_000))]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / path.name).write_bytes(_damaged(content, chance))
        spec = FileSpec(path=path.name)
        chosen = FilesSettings(type="files", platform="magento", magento_export=spec)
        if path.name != "products.csv":
            chosen = FilesSettings(type="files", platform="magento", files={ResourceType(path.stem): spec})
        source = FileSource(chosen, Path(folder))
        ends: Counter[str] = Counter()
        for resource_type in source.resource_types():
            for item in source.read(resource_type, None):
                ends["bad row" if isinstance(item, InvalidRow) else "read"] += 1
                if not isinstance(item, InvalidRow):
                    canonical_json(item.payload)
        source.close()
    return "bad rows named" if ends["bad row"] else "read"


def _documents() -> Iterator[tuple[ResourceType, dict[str, Any]]]:
    """Payloads that the packaged mappings make of the demo's own rows."""
    chosen = FilesSettings(
        type="files", platform="magento", magento_export=FileSpec(path="products.csv"),
        files={ResourceType(path.stem): FileSpec(path=path.name, id_column=ids) for path, ids in _beside()},
    )  # fmt: skip
    source = FileSource(chosen, DEMO)
    bindings = {"settings": {}, "publications": ["Online Store"], "platform": "magento", "now": "2026-11-29T00:00:00Z"}
    for resource_type in source.resource_types():
        mapping = Mapping.compile(_text(resource_type), name=str(resource_type))
        for item in source.read(resource_type, None):
            if not isinstance(item, InvalidRow):
                value = mapping.evaluate(item.payload, bindings, record_id=item.source_id).value
                if isinstance(value, dict) and "input" in value:
                    yield resource_type, value


def _beside() -> Iterator[tuple[Path, str]]:
    ids = {"customers": "email", "discount_codes": "code", "gift_cards": "code", "orders": "increment_id",
           "blogs": "post_id", "markets": "code"}  # fmt: skip
    for name, column in ids.items():
        yield next(DEMO.glob(f"{name}.*")), column


def _text(resource_type: ResourceType) -> str:
    return (ROOT / "graftport_dagster" / "mappings" / "magento" / f"{resource_type}.jsonata").read_text()


_PAYLOADS: list[tuple[ResourceType, dict[str, Any]]] = []


def _payload(chance: random.Random) -> str:
    if not _PAYLOADS:
        _PAYLOADS.extend(_documents())
    resource_type, payload = chance.choice(_PAYLOADS)
    payload = copy.deepcopy(payload)
    for _ in range(chance.randint(1, 4)):
        _twist(payload, chance)
    result, problems = check(chance.choice((resource_type, resource_type, chance.choice(list(ResourceType)))), payload)
    if problems:
        assert all(problem.code and problem.message for problem in problems)
        return "problems named"
    canonical_json(result)
    return "taken"


def _twist(value: Any, chance: random.Random) -> None:
    """Puts something else somewhere into it."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(value[key], dict | list) and chance.random() < 0.75:
            value = value[key]
            continue
        new = copy.deepcopy(chance.choice(VALUES))
        if isinstance(value, dict) and chance.random() < 0.2:
            value[chance.choice(("title", "", "x" * 300, "id", "\ud800"))] = new
        else:
            value[key] = new
        return


def _mapping(chance: random.Random) -> str:
    resource_type = chance.choice(list(ResourceType))
    whole = _text(resource_type)
    start = chance.randint(0, len(whole) - 1) if chance.random() < 0.3 else 0
    text = _damaged(whole[start:].encode(), chance, 3).decode("utf-8", "replace")
    mapping = Mapping.compile(text, name="hostile")
    bindings = {"settings": {}, "publications": [], "platform": "magento", "now": "2026-11-29T00:00:00Z"}
    row = {"sku": "a", "name": "b", "items": [{"price": "1.00"}], "increment_id": "1", "variants": [], "path": "/x"}
    mapping.evaluate(chance.choice(({}, row, [row], "x", None)), bindings, record_id="1")
    return "evaluated"


def _twisted(chance: random.Random) -> bytes:
    """JSON of another shape."""
    answer = json.loads(_TRUE_ANSWER)
    for _ in range(chance.randint(1, 3)):
        _twist(answer, chance)
    return json.dumps(answer).encode()


_TRUE_ANSWER = json.dumps({
    "data": {"urlRedirectCreate": {"urlRedirect": {"id": "gid://shopify/UrlRedirect/1", "path": "/a", "target": "/b"},
                                   "userErrors": [{"field": ["path"], "message": "no", "code": None}]}},
    "extensions": {"cost": {"requestedQueryCost": 10, "actualQueryCost": 10, "throttleStatus": {
        "maximumAvailable": 2000.0, "currentlyAvailable": 1990, "restoreRate": 100.0}}},
}).encode()  # fmt: skip
_MUTATION = """mutation ($r: UrlRedirectInput!) { urlRedirectCreate(urlRedirect: $r)
  { urlRedirect { id path target } userErrors { field message code } } }"""


def _answer(chance: random.Random) -> str:
    status = chance.choice((200, 200, 200, 200, 201, 204, 301, 400, 402, 403, 404, 423, 429, 430, 500, 503, 999))
    body = _damaged(_TRUE_ANSWER, chance, 2) if chance.random() < 0.7 else _twisted(chance)
    length = len(body) + chance.choice((0, 0, 0, 0, 7, -3))
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    version = "X-Shopify-API-Version: 2026-10\r\n"
    head += chance.choice((version, version, version, "Retry-After: 0\r\n", "Retry-After: soon\r\n",
                           "X-Shopify-API-Version: 1999-01\r\n"))  # fmt: skip
    whole = head.encode() + b"Connection: close\r\n\r\n" + body
    with _server(_damaged(whole, chance, 2) if chance.random() < 0.2 else whole) as url:
        shop = Shop(
            url, credentials=AccessToken("t"), api_version="2026-10", concurrency=1, timeout_seconds=0.5,
            patience_seconds=0.05, sleep=lambda _: None,
        )  # fmt: skip
        try:
            answer = shop.call(_MUTATION, {"r": {"path": "/a", "target": "/b"}}, repeatable=chance.random() < 0.5)
        finally:
            shop.close()
    return "refused by Shopify" if answer.user_errors else "answered"


@contextmanager
def _server(whole: bytes) -> Iterator[str]:
    """Answers every connection with these bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.settimeout(1)
                    asked = b""
                    while b"urlRedirectCreate" not in asked:
                        asked += connection.recv(65_536)
                    connection.sendall(whole)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


if __name__ == "__main__":
    main()

"""The simulator running: state, engine and application put together and served.

What lives here: `serve`, which runs until it is stopped, and how it ends by itself. Starting it
as a process of its own is `embedded.py`'s, the command line `__main__.py`'s.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import orjson

from graftport_dagster.simulator.bulk_work import BulkWorker
from graftport_dagster.simulator.execution import Engine
from graftport_dagster.simulator.faults import Faults
from graftport_dagster.simulator.listening import Stop, listen
from graftport_dagster.simulator.parts import Settings
from graftport_dagster.simulator.registry import PARTS, open_state
from graftport_dagster.simulator.schema import load_schema
from graftport_dagster.simulator.server import Server
from graftport_dagster.simulator.throttle import Throttle

_BULK_PAUSE = 0.05


def serve(
    host: str,
    port: int,
    state: Path,
    *,
    plan: str = "standard",
    faults: Path | None = None,
    latency_ms: float = 0.0,
    search_lag_seconds: float = 0.0,
    processing_seconds: float = 0.0,
    scopes: tuple[str, ...] | None = None,
    currency: str = "USD",
    shop_number: int | None = None,
    idle_seconds: float | None = None,
    listening: Callable[[int], None] | None = None,
) -> None:
    """Serves a shop until SIGINT or SIGTERM, or until nobody has asked for `idle_seconds`.

    Port 0 takes a free one; `listening` is told the port once questions are answered. Raises
    OSError when the port is taken, ValueError for a faults file that cannot be followed.
    """
    settings = Settings(plan=plan, currency=currency, scopes=scopes, processing_seconds=processing_seconds)
    rules = Faults()
    if faults is not None:
        rules.load(orjson.loads(faults.read_bytes()))
    shop = open_state(state, search_lag_seconds=search_lag_seconds, shop_number=shop_number)
    engine = Engine(load_schema(), shop, PARTS, settings, Throttle(plan))
    server = Server(shop, engine, rules, settings, latency_ms)
    worker = BulkWorker(shop, engine, settings, rules)

    def beside(stop: Stop) -> Iterator[Coroutine[Any, Any, None]]:
        server.stop = stop
        yield _work(worker)
        if idle_seconds is not None:
            yield _end_when_idle(server, idle_seconds)

    try:
        listen(server.application(), host, port, listening=listening, backlog=512, keep_alive_seconds=75, beside=beside)
    finally:
        shop.close()


async def _work(worker: BulkWorker) -> None:
    while True:
        await asyncio.sleep(0 if worker.step() else _BULK_PAUSE)


async def _end_when_idle(server: Server, idle_seconds: float) -> None:
    while time.monotonic() - server.last_asked < idle_seconds:
        await asyncio.sleep(min(5.0, idle_seconds / 4))
    server.stop()

"""The simulated WooCommerce running: a shop put together and served until it is stopped.

What lives here: `serve`; the command line is `__main__.py`'s.
"""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from graftport_dagster.simulator.transports import CuttableProtocol
from graftport_dagster.simulator.woocommerce.keys import Keys
from graftport_dagster.simulator.woocommerce.server import Server
from graftport_dagster.simulator.woocommerce.shop import Shop


def serve(
    host: str,
    port: int,
    *,
    state: Path | None = None,
    seed: int = 1,
    products: int = 24,
    customers: int = 9,
    orders: int = 20,
    keys: Keys | None = None,
    faults: Path | None = None,
    latency_ms: float = 0.0,
    plain_permalinks: bool = False,
    all_variations: bool = True,
    listening: Callable[[int], None] | None = None,
) -> None:
    """Serves a shop until SIGINT or SIGTERM.

    `state`: a folder of JSON files; one that is not there yet is made from the seed and written. Port 0 takes a
    free one; `listening` is told the port. Raises OSError when the port is taken, ValueError for a file that
    cannot be read.
    """

    def opened() -> Shop:
        if state is not None and any(state.glob("*.json")):
            return Shop.read(state)
        made = Shop.made(seed, products=products, customers=customers, orders=orders)
        if state is not None:
            made.write(state)
        return made

    server = Server(
        opened, keys or Keys(), latency_ms=latency_ms, plain_permalinks=plain_permalinks, all_variations=all_variations
    )
    if faults is not None:
        server.faults.load(orjson.loads(faults.read_bytes()))
    listener = socket.create_server((host, port), backlog=128)
    config = uvicorn.Config(
        server.application(), http=CuttableProtocol, log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(uvicorn.Server(config), listener, listening))
    finally:
        listener.close()


async def _run(web: uvicorn.Server, listener: socket.socket, listening: Callable[[int], None] | None) -> None:
    tasks: list[asyncio.Task[Any]] = []
    if listening is not None:
        tasks.append(asyncio.create_task(_tell(web, listener, listening)))
    try:
        await web.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()


async def _tell(web: uvicorn.Server, listener: socket.socket, listening: Callable[[int], None]) -> None:
    while not web.started:
        await asyncio.sleep(0.01)
    listening(listener.getsockname()[1])

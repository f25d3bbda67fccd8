"""The simulated Magento running: a shop put together and served until it is stopped.

What lives here: `serve`; the command line is `__main__.py`'s.
"""

import socket
from collections.abc import Callable
from pathlib import Path

import orjson
import uvicorn

from graftport_dagster.simulator.magento.proof import Accounts
from graftport_dagster.simulator.magento.questions import Traps
from graftport_dagster.simulator.magento.server import Server
from graftport_dagster.simulator.magento.shop import Shop
from graftport_dagster.simulator.transports import CuttableProtocol


def serve(
    host: str,
    port: int,
    *,
    state: Path | None = None,
    seed: int = 1,
    products: int = 24,
    customers: int = 9,
    orders: int = 20,
    faults: Path | None = None,
    latency_ms: float = 0.0,
    traps: Traps | None = None,
    accounts: Accounts | None = None,
    has_inventory: bool = True,
    is_commerce: bool = False,
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
        opened, accounts or Accounts(), traps=traps or Traps(), latency_ms=latency_ms, has_inventory=has_inventory,
        is_commerce=is_commerce,
    )  # fmt: skip
    if faults is not None:
        server.faults.load(orjson.loads(faults.read_bytes()))
    listener = socket.create_server((host, port), backlog=128)
    config = uvicorn.Config(
        server.application(), http=CuttableProtocol, log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    try:
        if listening is not None:
            # Whoever connects before the loop turns waits in the listener's queue.
            listening(listener.getsockname()[1])
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()

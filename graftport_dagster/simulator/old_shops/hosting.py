"""A simulated shop put together and served: read from its folder or made from a seed, with its faults.

What lives here: what is the same for every platform, also of its command line.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypedDict, TypeVar

import orjson
from starlette.applications import Starlette

from graftport_dagster.simulator.listening import exit_status, listen
from graftport_dagster.simulator.old_shops.faults import Faults


class Hosted(TypedDict, total=False):
    """What every simulated shop can be told.

    `state`: a folder of JSON files; one that is not there yet is made from the seed and written.
    `listening` is told the port.
    """

    state: Path | None
    seed: int
    products: int
    customers: int
    orders: int
    faults: Path | None
    latency_ms: float
    listening: Callable[[int], None] | None


class Kept(Protocol):
    """A shop that can be made, and kept in a folder."""

    @classmethod
    def made(cls, seed: int, *, products: int, customers: int, orders: int) -> Self:
        """The shop of a seed."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The shop in a folder. Raises ValueError for a file that is none of it."""

    def write(self, folder: Path) -> None:
        """As files that `read` reads."""


class Served(Protocol):
    """A platform's server over one shop."""

    @property
    def faults(self) -> Faults:
        """What goes wrong."""

    def application(self) -> Starlette:
        """The ASGI application."""


S = TypeVar("S", bound=Kept)


def host_shop(
    host: str, port: int, shop: type[S], server: Callable[[Callable[[], S], float], Served], asked: Hosted
) -> None:
    """Serves a shop until SIGINT or SIGTERM; `server`: of how it is opened, and its latency in ms.

    Raises OSError when the port is taken, ValueError for a file that cannot be read.
    """
    state = asked.get("state")

    def opened() -> S:
        if state is not None and any(state.glob("*.json")):
            return shop.read(state)
        sizes = {"products": asked.get("products", 24), "customers": asked.get("customers", 9)}
        made = shop.made(asked.get("seed", 1), **sizes, orders=asked.get("orders", 20))
        if state is not None:
            made.write(state)
        return made

    made = server(opened, asked.get("latency_ms", 0.0))
    if (faults := asked.get("faults")) is not None:
        made.faults.load(orjson.loads(faults.read_bytes()))
    listen(made.application(), host, port, listening=asked.get("listening"))


def shop_command(
    arguments: list[str] | None,
    description: str,
    more: Callable[[argparse.ArgumentParser], None],
    serve: Callable[..., None],
    own: Callable[[argparse.Namespace], Mapping[str, Any]],
) -> int:
    """The command line of a platform: `more` adds its options, `own` makes of them what its `serve` takes."""
    parser = argparse.ArgumentParser("graftport simulator", description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--state", type=Path, help="folder of JSON files that is the shop; a new one is made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--products", type=int, default=24)
    parser.add_argument("--customers", type=int, default=9)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--faults", type=Path, help="JSON file of what is to go wrong")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    more(parser)
    given = parser.parse_args(arguments)
    asked = Hosted(
        state=given.state, seed=given.seed, products=given.products, customers=given.customers, orders=given.orders,
        faults=given.faults, latency_ms=given.latency_ms,
        listening=lambda port: print(f"http://{given.host}:{port}", flush=True),  # noqa: T201 - the answer
    )  # fmt: skip
    return exit_status(lambda: serve(given.host, given.port, **own(given), **asked))

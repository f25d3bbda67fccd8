"""`python -m graftport_dagster.simulator`: the simulator from the command line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from graftport_dagster.simulator.hosting import serve
from graftport_dagster.simulator.listening import exit_status
from graftport_dagster.simulator.throttle import PLANS


def _print(address: str) -> None:
    print(address, flush=True)  # noqa: T201 - the answer


def main(arguments: list[str] | None = None, *, announce: Callable[[str], None] = _print) -> int:
    """Serves until it is stopped; exit status 2 for what cannot be served."""
    parser = argparse.ArgumentParser("graftport simulator", description="A Shopify Admin API to rehearse against.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--state", type=Path, required=True, help="file that keeps the shop; a new file is a new shop")
    parser.add_argument("--plan", choices=PLANS, default="standard")
    parser.add_argument("--faults", type=Path, help="JSON file of what is to go wrong")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--search-lag-seconds", type=float, default=0.0)
    parser.add_argument("--processing-seconds", type=float, default=0.0, help="until files, jobs, operations are done")
    parser.add_argument("--scopes", help="comma-separated; default: all")
    parser.add_argument("--currency", default="USD")
    parser.add_argument("--shop-number", type=int, help="the shop's id, for a new state file")
    parser.add_argument("--idle-seconds", type=float, help="end when nobody has asked for so long")
    given = parser.parse_args(arguments)
    return exit_status(
        lambda: serve(
            given.host, given.port, given.state, plan=given.plan, faults=given.faults, latency_ms=given.latency_ms,
            search_lag_seconds=given.search_lag_seconds, processing_seconds=given.processing_seconds,
            scopes=tuple(given.scopes.split(",")) if given.scopes else None, currency=given.currency,
            shop_number=given.shop_number, idle_seconds=given.idle_seconds,
            listening=lambda port: announce(f"http://{given.host}:{port}"),
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

"""`python -m graftport_dagster.simulator.magento`: the simulated shop from the command line."""

import argparse
import sys
from pathlib import Path

from graftport_dagster.simulator.magento.hosting import serve
from graftport_dagster.simulator.magento.questions import Traps


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is stopped; exit status 2 for what cannot be served."""
    parser = argparse.ArgumentParser("graftport simulator", description="A Magento 2 shop to rehearse against.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--state", type=Path, help="folder of JSON files that is the shop; a new one is made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--products", type=int, default=24)
    parser.add_argument("--customers", type=int, default=9)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--faults", type=Path, help="JSON file of what is to go wrong")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--no-inventory", action="store_true", help="without MSI, as before 2.3")
    parser.add_argument("--commerce", action="store_true", help="with gift cards, as Adobe Commerce")
    parser.add_argument("--empty-past-the-end", action="store_true", help="as newer ones answer a page too far")
    parser.add_argument("--most-per-page", type=int, default=0, help="as with input limits on; 0 is no limit")
    given = parser.parse_args(arguments)
    traps = Traps(repeats_last_page=not given.empty_past_the_end, most_per_page=given.most_per_page)
    try:
        serve(
            given.host, given.port, state=given.state, seed=given.seed, products=given.products,
            customers=given.customers, orders=given.orders, faults=given.faults, latency_ms=given.latency_ms,
            traps=traps, has_inventory=not given.no_inventory, is_commerce=given.commerce,
            listening=lambda port: print(f"http://{given.host}:{port}", flush=True),  # noqa: T201 - the answer
        )  # fmt: skip
    except (OSError, ValueError) as error:
        print(f"The simulator cannot be served: {error}", file=sys.stderr)  # noqa: T201 - the answer
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m graftport_dagster.simulator.woocommerce`: the simulated shop from the command line."""

import argparse
import sys
from pathlib import Path

from graftport_dagster.simulator.woocommerce.hosting import serve
from graftport_dagster.simulator.woocommerce.keys import Keys


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is stopped; exit status 2 for what cannot be served."""
    parser = argparse.ArgumentParser("graftport simulator", description="A WooCommerce shop to rehearse against.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--state", type=Path, help="folder of JSON files that is the shop; a new one is made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--products", type=int, default=24)
    parser.add_argument("--customers", type=int, default=9)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--faults", type=Path, help="JSON file of what is to go wrong")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--behind-tls", action="store_true", help="keys are taken as over https")
    parser.add_argument("--permission", choices=("read", "write", "read_write"), default="read", help="of the key")
    parser.add_argument("--plain-permalinks", action="store_true", help="no REST API under /wp-json")
    parser.add_argument("--before-10-3", action="store_true", help="without wc/v3/variations, as older ones")
    given = parser.parse_args(arguments)
    keys = Keys({"ck_simulated": ("cs_simulated", given.permission)}, behind_tls=given.behind_tls)
    try:
        serve(
            given.host, given.port, state=given.state, seed=given.seed, products=given.products,
            customers=given.customers, orders=given.orders, keys=keys, faults=given.faults,
            latency_ms=given.latency_ms, plain_permalinks=given.plain_permalinks,
            all_variations=not given.before_10_3,
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

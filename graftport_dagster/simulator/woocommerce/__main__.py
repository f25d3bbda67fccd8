"""`python -m graftport_dagster.simulator.woocommerce`: the simulated shop from the command line."""

import argparse
import sys
from typing import Any

from graftport_dagster.simulator.old_shops.hosting import shop_command
from graftport_dagster.simulator.woocommerce.hosting import serve
from graftport_dagster.simulator.woocommerce.keys import Keys


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is stopped; exit status 2 for what cannot be served."""
    return shop_command(arguments, "A WooCommerce shop to rehearse against.", _options, serve, _own)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--behind-tls", action="store_true", help="keys are taken as over https")
    parser.add_argument("--permission", choices=("read", "write", "read_write"), default="read", help="of the key")
    parser.add_argument("--plain-permalinks", action="store_true", help="no REST API under /wp-json")
    parser.add_argument("--before-10-3", action="store_true", help="without wc/v3/variations, as older ones")
    parser.add_argument("--before-9-0", action="store_true", help="nor with wc/v3/refunds")


def _own(given: argparse.Namespace) -> dict[str, Any]:
    keys = Keys({"ck_simulated": ("cs_simulated", given.permission)}, behind_tls=given.behind_tls)
    return {
        "keys": keys, "plain_permalinks": given.plain_permalinks, "all_refunds": not given.before_9_0,
        "all_variations": not (given.before_10_3 or given.before_9_0),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

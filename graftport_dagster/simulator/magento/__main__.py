"""`python -m graftport_dagster.simulator.magento`: the simulated shop from the command line."""

import argparse
import sys
from typing import Any

from graftport_dagster.simulator.magento.hosting import serve
from graftport_dagster.simulator.magento.questions import Traps
from graftport_dagster.simulator.old_shops.hosting import shop_command


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is stopped; exit status 2 for what cannot be served."""
    return shop_command(arguments, "A Magento 2 shop to rehearse against.", _options, serve, _own)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-inventory", action="store_true", help="without MSI, as before 2.3")
    parser.add_argument("--commerce", action="store_true", help="with gift cards, as Adobe Commerce")
    parser.add_argument("--empty-past-the-end", action="store_true", help="as newer ones answer a page too far")
    parser.add_argument("--most-per-page", type=int, default=0, help="as with input limits on; 0 is no limit")


def _own(given: argparse.Namespace) -> dict[str, Any]:
    traps = Traps(repeats_last_page=not given.empty_past_the_end, most_per_page=given.most_per_page)
    return {"traps": traps, "has_inventory": not given.no_inventory, "is_commerce": given.commerce}


if __name__ == "__main__":
    sys.exit(main())

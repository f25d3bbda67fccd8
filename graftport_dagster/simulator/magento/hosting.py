"""The simulated Magento running: a shop put together and served until it is stopped.

What lives here: `serve`; the command line is `__main__.py`'s, what all platforms share `old_shops`'.
"""

from typing import Unpack

from graftport_dagster.simulator.magento.proof import Accounts
from graftport_dagster.simulator.magento.questions import Traps
from graftport_dagster.simulator.magento.server import Server
from graftport_dagster.simulator.magento.shop import Shop
from graftport_dagster.simulator.old_shops.hosting import Hosted, host_shop


def serve(
    host: str, port: int, *, traps: Traps | None = None, accounts: Accounts | None = None, has_inventory: bool = True,
    is_commerce: bool = False, **shop: Unpack[Hosted],
) -> None:  # fmt: skip
    """Serves a shop until SIGINT or SIGTERM. Port 0 takes a free one.

    Raises OSError when the port is taken, ValueError for a file that cannot be read.
    """
    host_shop(
        host, port, Shop,
        lambda opened, latency_ms: Server(
            opened, accounts or Accounts(), traps=traps or Traps(), latency_ms=latency_ms,
            has_inventory=has_inventory, is_commerce=is_commerce,
        ),
        shop,
    )  # fmt: skip

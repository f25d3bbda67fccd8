"""The simulated WooCommerce running: a shop put together and served until it is stopped.

What lives here: `serve`; the command line is `__main__.py`'s, what all platforms share `old_shops`'.
"""

from typing import Unpack

from graftport_dagster.simulator.old_shops.hosting import Hosted, host_shop
from graftport_dagster.simulator.woocommerce.keys import Keys
from graftport_dagster.simulator.woocommerce.server import Server
from graftport_dagster.simulator.woocommerce.shop import Shop


def serve(
    host: str, port: int, *, keys: Keys | None = None, plain_permalinks: bool = False, all_variations: bool = True,
    all_refunds: bool = True, **shop: Unpack[Hosted],
) -> None:  # fmt: skip
    """Serves a shop until SIGINT or SIGTERM. Port 0 takes a free one.

    Raises OSError when the port is taken, ValueError for a file that cannot be read.
    """
    host_shop(
        host, port, Shop,
        lambda opened, latency_ms: Server(
            opened, keys or Keys(), latency_ms=latency_ms, plain_permalinks=plain_permalinks,
            all_variations=all_variations, all_refunds=all_refunds,
        ),
        shop,
    )  # fmt: skip

"""A simulated WooCommerce shop: the REST API (wc/v3) and the part of WordPress (wp/v2) that a migration reads.

A server of its own, with a shop made from a seed or read from a folder of JSON. `hosting` runs it,
`server` answers, `questions` knows the parameters, `keys` who may ask; what is in a made shop is in
`catalogue`, `trade` and `content`. It shares no code with our source for WooCommerce.
"""

from graftport_dagster.simulator.woocommerce.hosting import serve

__all__ = ["serve"]

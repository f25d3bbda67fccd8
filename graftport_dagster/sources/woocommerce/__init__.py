"""A WooCommerce shop as a source: REST v3 for the shop, WordPress's own API for posts and pages.

`source` is the door; `asking` signs questions and words refusals, `pages` reads whole lists,
`whole` puts together what the API spreads over several.
"""

from graftport_dagster.sources.woocommerce.source import WooCommerceSource

__all__ = ["WooCommerceSource"]

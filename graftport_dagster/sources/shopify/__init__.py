"""Another Shopify shop as a source: what is asked of it in `catalogue`, as documents in `asking`.

Whole types come as files that Shopify writes (`bulk`), else in pages (`pages`); `source` is the door.
"""

from graftport_dagster.sources.shopify.source import ShopifySource

__all__ = ["ShopifySource"]

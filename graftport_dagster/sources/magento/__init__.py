"""A Magento 2 shop over its REST API, as a source: `MagentoSource`.

`shop` keeps the protocol, `catalogue`, `trade` and `house` put the records of each type together,
`client` asks and pages, `signing` proves who asks.
"""

from graftport_dagster.sources.magento.shop import MagentoSource

__all__ = ["MagentoSource"]

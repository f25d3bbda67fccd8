"""A simulated Magento 2 shop: the REST API (V1) that a migration reads.

A server of its own, with a shop made from a seed or read from a folder of JSON. `hosting` runs it,
`server` answers, `questions` knows searchCriteria and its traps, `proof` who may ask; what is in a
made shop is in `catalogue`, `trade` and `house`. It shares no code with our source for Magento.
"""

from graftport_dagster.simulator.magento.hosting import serve

__all__ = ["serve"]

"""Transform: mappings run over records, many at a time, within limits of time and memory.

`TransformPool` evaluates in worker processes and gives one result for every record, whatever a
record does to its worker; `preview` shows what records become. The mapping language and the
choice of the version are in `mappings/`, what a payload must be in `shopify/payload.py`, staging
in the record store.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graftport_dagster.transform.pool import TransformPool
    from graftport_dagster.transform.trial import preview

__all__ = ["TransformPool", "preview"]


def __getattr__(name: str) -> Any:
    # On demand: a worker imports this package too, and has no use for the record store.
    if name == "TransformPool":
        from graftport_dagster.transform.pool import TransformPool

        return TransformPool
    if name == "preview":
        from graftport_dagster.transform.trial import preview

        return preview
    raise AttributeError(name)

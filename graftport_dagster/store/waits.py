"""What held records wait for, and which of them wait no more.

The rows are written beside the incomplete record of a held one (`incomplete.py`); what a record
refers to is found in `loaders/references.py`.
"""

from typing import Any

from sqlalchemy import Select, and_, func, select

from graftport_dagster.store.tables import identities, waits


def released(migration: str, store_gid: str | None = None) -> Select[Any]:
    """(store_gid, resource_type, source_id) of held records whose references have all landed since."""
    landed = and_(
        identities.c.migration == waits.c.migration,
        identities.c.store_gid == waits.c.store_gid,
        identities.c.resource_type == waits.c.for_type,
        identities.c.source_id == waits.c.for_id,
        identities.c.part == waits.c.for_part,
        identities.c.part_id == waits.c.for_part_id,
    )
    query = (
        select(waits.c.store_gid, waits.c.resource_type, waits.c.source_id)
        .select_from(waits.outerjoin(identities, landed))
        .where(waits.c.migration == migration)
        .group_by(waits.c.store_gid, waits.c.resource_type, waits.c.source_id)
        .having(func.count() == func.count(identities.c.gid))
    )
    return query if store_gid is None else query.where(waits.c.store_gid == store_gid)

"""Some records of a run item, with the objects that they are on the store: what one looks at first."""

from sqlalchemy import Connection, and_, func, select, text

from graftport_dagster.records import JsonObject, Outcome, Phase, ResourceType
from graftport_dagster.store.attempts import FAILED
from graftport_dagster.store.tables import attempts, identities

_columns = attempts.c
_LANDED = (Outcome.CREATED, Outcome.ADOPTED)


def of_item(
    connection: Connection, run_id: str, resource_type: ResourceType, phase: Phase, *, failed: bool, limit: int
) -> list[JsonObject]:
    """The last so many of those that were created, or of those that failed."""
    its = identities.c
    same = and_(
        its.migration == _columns.migration, its.store_gid == _columns.store_gid,
        its.resource_type == _columns.resource_type, its.source_id == _columns.source_id, its.part == "",
    )  # fmt: skip
    columns = (_columns.source_id, _columns.outcome, _columns.code, _columns.store_gid)
    query = (
        select(*columns, func.coalesce(its.gid, "").label("gid"))
        .select_from(attempts.outerjoin(identities, same))
        .where(
            _columns.run_id == run_id, _columns.resource_type == str(resource_type), _columns.phase == str(phase),
            _columns.outcome.in_([str(outcome) for outcome in (FAILED if failed else _LANDED)]),
        )
        # Backwards, because a run that has just ended is at the end of a table without an index for this.
        .order_by(_columns.id.desc())
        .limit(limit)
    )  # fmt: skip
    if failed:
        # Spelt out, so that the planner recognises the partial index.
        query = query.where(text("attempts.notable = 1"))
    return [dict(row._mapping) for row in connection.execute(query)]


def gid_of(connection: Connection, migration: str, record: JsonObject) -> str:
    """The object that the record is on its store, "" for none."""
    its = identities.c
    query = select(its.gid).where(
        its.migration == migration, its.store_gid == record["store_gid"],
        its.resource_type == record["resource_type"], its.source_id == record["source_id"], its.part == "",
    )  # fmt: skip
    return connection.execute(query).scalar_one_or_none() or ""

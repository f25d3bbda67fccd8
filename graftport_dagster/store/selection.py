"""Whose rows, and which of them: the one SQL fragment by which every phase narrows itself.

What is done with the selected rows is in `staged_records.py` and `landing.py`.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select

from graftport_dagster.records import ResourceType
from graftport_dagster.store.columns import among
from graftport_dagster.store.tables import incomplete_records

OPEN_STATUSES = ("unresolved", "pending_retry", "in_progress")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Whose rows: a migration's real ones, or those of one dry run, or of one replay.

    A dry run's rows have payloads and attempts of their own, which go with them; a replay's share the real ones.
    """

    migration: str
    dry_run_id: str = ""
    replay_id: str = ""

    @property
    def rows_id(self) -> str:
        """What its rows carry in the column `dry_run_id`."""
        return self.dry_run_id or self.replay_id


@dataclass(frozen=True, slots=True)
class Selection:
    """Narrows a phase to some records: by id, by open incomplete records (`error_group`), by number.

    `error_group` is `code` (or a class alone), `class:code` or `class:code:path`. With `run_id`,
    records count whose incomplete record that run itself resolved: what its transform has mended,
    its load must still find. `limit`: the first so many by source id, of all the type's records.
    `is_retry`: those alone whose incomplete record the run has claimed. `source_seq`: of a replay, the number of the
    run whose source data it has: what landed of data read later is newer, and not overwritten; 0 for no such rule.
    """

    source_ids: tuple[str, ...] = ()
    error_group: str = ""
    limit: int | None = None
    run_id: str = ""
    is_retry: bool = False
    source_seq: int = 0

    @property
    def is_narrow(self) -> bool:
        """Whether it may leave some of a type's records out."""
        return bool(self.source_ids or self.error_group or self.is_retry) or self.limit is not None


def rows_of(table: Table, dataset: Dataset, resource_type: ResourceType) -> ColumnElement[bool]:
    """The dataset's rows of one type."""
    return and_(
        table.c.migration == dataset.migration,
        table.c.dry_run_id == dataset.rows_id,
        table.c.resource_type == str(resource_type),
    )


def selected(
    table: Table, dataset: Dataset, resource_type: ResourceType, selection: Selection, *within: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The dataset's rows that pass the selection; `within` says what `limit` counts among."""
    mine = and_(rows_of(table, dataset, resource_type), *within)
    conditions = [mine]
    if selection.source_ids:
        conditions.append(among(table.c.source_id, selection.source_ids))
    if selection.error_group:
        conditions.append(_in_error_group(table, dataset.migration, resource_type, selection))
    if selection.is_retry:
        taken = taken_by(dataset.migration, resource_type, selection.run_id)
        conditions.append(table.c.source_id.in_(taken))
    if selection.limit is not None:
        first = select(table.c.source_id).where(mine).order_by(table.c.source_id).limit(selection.limit).subquery()
        conditions.append(table.c.source_id <= select(func.max(first.c.source_id)).scalar_subquery())
    return and_(*conditions)


def in_group(error_group: str) -> ColumnElement[bool]:
    """Incomplete records whose failure is of this group."""
    columns = incomplete_records.c
    error_class, _, rest = error_group.partition(":")
    code, _, path = rest.partition(":")
    if not rest:
        return or_(columns.code == error_group, columns.error_class == error_group)
    conditions = [columns.error_class == error_class, columns.code == code]
    return and_(*conditions, *([columns.path == path] if path else []))


def taken_by(migration: str, resource_type: ResourceType, run_id: str) -> Select[tuple[str]]:
    """Ids of records that a run took on: claimed now, closed by it, or failed in it again."""
    columns = incomplete_records.c
    return select(columns.source_id).where(
        columns.migration == migration,
        columns.resource_type == str(resource_type),
        or_(
            and_(columns.status == "in_progress", columns.claimed_by == run_id),
            columns.closed_run_id == run_id,
            columns.run_id == run_id,
        ),
    )


def is_open() -> ColumnElement[bool]:
    """Incomplete records that still want something."""
    return incomplete_records.c.status.in_(OPEN_STATUSES)


def _in_error_group(
    table: Table, migration: str, resource_type: ResourceType, selection: Selection
) -> ColumnElement[bool]:
    columns = incomplete_records.c
    wanted = is_open()
    if selection.run_id:
        wanted = or_(wanted, columns.closed_run_id == selection.run_id)
    members = select(columns.source_id).where(
        columns.migration == migration,
        columns.resource_type == str(resource_type),
        wanted,
        in_group(selection.error_group),
    )
    return table.c.source_id.in_(members)

"""What sensors and schedules have in common when they ask for a run that no person asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from graftport_dagster.defs.layout import MIGRATION_TAG, Layout
from graftport_dagster.records import RunOptions
from graftport_dagster.store.place import open_store

GOING_ON = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


def without_person(options: RunOptions) -> RunOptions:
    """The options of a run that nobody watches: bad rows do not fail it, and refused ones are not sent again."""
    return replace(options, fail_on_row_errors=False, resend_refused=False)


def asked_at(instance: dg.DagsterInstance, run_id: str) -> datetime | None:
    """When Dagster was asked for this run, which may have waited in the queue since; a second late at the most."""
    record = instance.get_run_record_by_id(run_id)
    # Databases give it in whole seconds.
    return None if record is None else record.create_timestamp.replace(tzinfo=UTC) + timedelta(seconds=1)


def paused(layout: Layout) -> str:
    """The sentence that says since when, by whom and why the migration is paused; "" where it is not."""
    with open_store() as store:
        pause = store.stores.paused(layout.slug)
    if not pause:
        return ""
    because = f": {pause['reason']}" if pause.get("reason") else ""
    return f"{layout.slug} has been paused since {pause['since']} by {pause['by'] or 'somebody'}{because}."


def why_not(instance: dg.DagsterInstance, layout: Layout) -> str:
    """What stands against asking for a run; "" where nothing does."""
    return paused(layout) or going_on(instance, layout)


def going_on(instance: dg.DagsterInstance, layout: Layout, **tags: str) -> str:
    """The sentence that names a run of the migration, with these tags besides, that has not ended; "" for none."""
    tagged = {MIGRATION_TAG: layout.slug, **tags}
    found = instance.get_runs(dg.RunsFilter(tags=tagged, statuses=GOING_ON), limit=1)
    return f"Run {found[0].run_id} of {layout.slug} has not ended yet." if found else ""

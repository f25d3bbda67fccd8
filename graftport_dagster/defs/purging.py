"""Purging in Dagster: `<slug>_purge`, its schedule, and Dagster's own runs, which only Dagster may delete.

What of the record store is old and needed by nothing is decided in `store/purging.py`.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from graftport_dagster.defs.canceling import instance_here
from graftport_dagster.defs.layout import ASSET_OF, MIGRATION_TAG, PARENT_TAG, Layout
from graftport_dagster.migration import Migration
from graftport_dagster.pipeline import open_store, purge_old
from graftport_dagster.records import JsonObject
from graftport_dagster.store.record_store import RecordStore

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_NIGHT = "30 3 * * *"
_PAGE = 200


class PurgeConfig(dg.Config):
    """What `<slug>_purge` is asked for; 0 days: as the migration file says."""

    older_than_days: int = 0
    dry_run: bool = False


def build_purge_job(layout: Layout) -> dg.JobDefinition:
    """`<slug>_purge`: what is older than `retention.keep_days`, and Dagster's runs of that age."""

    @dg.op(name=f"{layout.job('purge')}_now", out=dg.Out(dg.Nothing))
    def purge_now(context: dg.OpExecutionContext, config: PurgeConfig) -> Iterator[dg.Output[None]]:
        with open_store() as store:
            before = _before(layout.migration, config.older_than_days)
            told = purge_with_dagster(store, layout.migration, context.instance, before=before, dry_run=config.dry_run)
        removed = told["removed"]
        sentence = ", ".join(f"{name} {count}" for name, count in removed.items()) or "nothing"
        context.log.info(f"{'Would remove' if config.dry_run else 'Removed'}: {sentence}")
        metadata: dict[str, int | str] = {**removed, "before": told["before"]}
        yield dg.Output(None, metadata=metadata)

    @dg.graph(name=layout.job("purge"))
    def purge() -> None:
        purge_now()

    return purge.to_job(
        name=layout.job("purge"), executor_def=dg.in_process_executor, tags=layout.tags,
        description="Removes what is older than retention.keep_days and needed by nothing; says what.",
    )  # fmt: skip


def build_purge_schedule(layout: Layout) -> dg.ScheduleDefinition:
    """`<slug>_purge_daily`: off until somebody turns it on."""
    return dg.ScheduleDefinition(
        name=layout.job("purge_daily"), job_name=layout.job("purge"), cron_schedule=_AT_NIGHT,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Once a night: what is older than retention.keep_days and needed by nothing.",
    )  # fmt: skip


def purge_here(store: RecordStore, migration: Migration, *, days: int | None, dry_run: bool) -> JsonObject:
    """For the command line: with the Dagster of this folder, where there is one."""
    with instance_here() as instance:
        return purge_with_dagster(store, migration, instance, before=_before(migration, days), dry_run=dry_run)


def _before(migration: Migration, days: int | None) -> datetime:
    return datetime.now(UTC) - timedelta(days=days or migration.retention.keep_days)


def purge_with_dagster(
    store: RecordStore, migration: Migration, instance: dg.DagsterInstance | None, *, before: datetime, dry_run: bool
) -> JsonObject:
    """The record store's part, then Dagster's runs of that age; one list of what was removed."""
    told = purge_old(store, migration, before=before, dry_run=dry_run)
    if instance is not None:
        kept = {run.run_id for run in store.runs.list(migration.slug)} - set(told["runs"])
        gone = _purge_runs(instance, Layout(migration), before, kept, dry_run=dry_run)
        told["dagster_runs"] = gone
        if gone:
            told["removed"]["dagster_runs"] = len(gone)
    return told


def _purge_runs(
    instance: dg.DagsterInstance, layout: Layout, before: datetime, kept: Collection[str], *, dry_run: bool
) -> list[str]:
    """Finished runs of this migration that the record store has let go, but those by which partitions have a state."""
    latest = _by_which_partitions_stand(instance, layout)
    old = []
    for run in _runs_before(instance, layout, before):
        parent = run.tags.get(PARENT_TAG, run.run_id)
        if run.run_id not in latest and run.run_id not in kept and parent not in kept:
            old.append(run.run_id)
    if not dry_run:
        for run_id in old:
            instance.delete_run(run_id)
            # What its steps wrote to stdout and stderr.
            instance.compute_log_manager.delete_logs(prefix=[run_id])
    return old


def _runs_before(instance: dg.DagsterInstance, layout: Layout, before: datetime) -> Iterator[dg.DagsterRun]:
    wanted = dg.RunsFilter(
        tags={MIGRATION_TAG: layout.slug}, statuses=_FINISHED, created_before=before, updated_before=before
    )
    cursor: str | None = None
    while page := instance.get_runs(wanted, cursor=cursor, limit=_PAGE):
        yield from page
        cursor = page[-1].run_id


def _by_which_partitions_stand(instance: dg.DagsterInstance, layout: Layout) -> set[str]:
    """The runs of the last materialization and observation of each partition: without them it would look undone."""
    found = set()
    for name in ASSET_OF.values():
        for partition in layout.partitions.get_partition_keys():
            wanted = dg.AssetRecordsFilter(asset_key=layout.asset(name), asset_partitions=[partition])
            for page in (
                instance.fetch_materializations(wanted, limit=1),
                instance.fetch_observations(wanted, limit=1),
            ):
                found |= {record.run_id for record in page.records}
    return found

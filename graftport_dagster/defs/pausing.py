"""Schedules that pause themselves when their runs keep failing alike, and the job that lets them go on.

A pause is in the record store, said at every tick, shown by `graftport status`, and lifted by
`graftport resume`, by `<slug>_resume` in Dagster, or by any run that does well what the failed ones
were to do. Nothing is ever turned off.
"""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from graftport_dagster.defs.layout import Layout
from graftport_dagster.records import ResourceType, Result, Run
from graftport_dagster.reports.wording import moment, presentable
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore, SchedulePause

_LOOK_BACK = 500


def paused_by_failures(layout: Layout, name: str, actor: str) -> str:
    """The sentence that says why this schedule asks for nothing; "" where it may. `actor`: whom its runs name."""
    limit = layout.migration.options.pause_after_failures
    with open_store() as store:
        pause = next((one for one in store.stores.paused_schedules(layout.slug) if one.schedule == name), None)
        if pause is not None and pause.resumed_at is None:
            good = _made_good(store, layout.slug, pause)
            if good is None:
                return _sentence(layout, pause)
            store.stores.resume_schedule(layout.slug, name, by=f"run {good.run_id}")
            pause = None
            since = good.started_at
        else:
            since = pause.resumed_at if pause else None
        runs = [
            run for run in store.runs.list(layout.slug, since=since, limit=_LOOK_BACK)
            if run.options.actor == actor and run.result.is_final
        ]  # fmt: skip
        if not limit or not _fail_alike(store, runs, limit):
            return ""
        last = runs[-1]
        reason = f"{limit} runs in a row failed alike, the last one: {last.first_error}"
        store.stores.pause_schedule(layout.slug, name, run_id=last.run_id, reason=presentable(reason))
        (pause,) = [one for one in store.stores.paused_schedules(layout.slug) if one.schedule == name]
    return _sentence(layout, pause)


def _sentence(layout: Layout, pause: SchedulePause) -> str:
    return (
        f"{pause.schedule} has paused itself since {moment(pause.since)} UTC: {pause.reason.rstrip('.')}. It goes on "
        f"after `graftport resume {layout.slug}`, the job {layout.job('resume')}, or a run that does well."
    )


def _fail_alike(store: RecordStore, runs: Sequence[Run], limit: int) -> bool:
    """Whether nothing but failures of one kind ended last, so many of them of the same types.

    The freshness sensor asks for a run per type; where all of them fail at once, that is one failure of each.
    """
    kinds: set[frozenset[str]] = set()
    of_types: Counter[tuple[ResourceType, ...]] = Counter()
    for run in reversed(runs):
        kinds.add(_kind(store, run))
        if run.result is not Result.FAILED or len(kinds) > 1:
            return False
        of_types[run.options.resource_types] += 1
        if of_types[run.options.resource_types] == limit:
            return True
    return False


def _kind(store: RecordStore, run: Run) -> frozenset[str]:
    items = [item for item in store.runs.items(run.run_id) if item.result is Result.FAILED]
    return frozenset(str(item.error_class or "rows") for item in items)


def _made_good(store: RecordStore, slug: str, pause: SchedulePause) -> Run | None:
    """A later run that did not fail at what the last failed one was to do."""
    failed = store.runs.find(pause.run_id)
    if failed is None:
        return None
    everything = set(ResourceType)
    for run in store.runs.list(slug, since=pause.since):
        did, was = run.options, failed.options
        covers = set(did.resource_types or everything) >= set(was.resource_types or everything)
        ended_well = run.result.is_final and run.result not in (Result.FAILED, Result.CANCELED)
        if ended_well and covers and set(did.phases) >= set(was.phases) and not did.dry_run:
            return run
    return None


def build_resume_job(layout: Layout) -> dg.JobDefinition:
    """`<slug>_resume`: lifts the migration's pause and those that schedules put on themselves."""

    @dg.op(name=f"{layout.job('resume')}_now", out=dg.Out(dg.Nothing))
    def resume_now(context: dg.OpExecutionContext) -> None:
        with open_store() as store:
            lifted = store.stores.resume(layout.slug, by=f"Dagster's run {context.run.run_id}")
        context.log.info(f"{layout.slug} may run again." if lifted else f"{layout.slug} was not paused.")

    @dg.graph(name=layout.job("resume"))
    def resume() -> None:
        resume_now()

    return resume.to_job(
        name=layout.job("resume"), executor_def=dg.in_process_executor, tags=layout.tags,
        description="Lifts a pause: the one that a person set, and those of schedules whose runs kept failing.",
    )  # fmt: skip

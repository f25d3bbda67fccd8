"""How a run ends in the record store when nobody is left to say so: killed, interrupted, crashed.

A run that ends by itself is finished by its last step (`steps.py`, `migrate.py`). Here are the
other ends: `concluding` wraps an executor, so that the process which watches over the steps has
the last word, and `reap` finds runs whose process is gone. What a result means is in `records.py`.
"""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dagster as dg

from graftport_dagster.defs.layout import HOST_TAG, MIGRATION_TAG, PARENT_TAG, PROCESS_TAG, Layout
from graftport_dagster.defs.telling import result_tags
from graftport_dagster.errors import ErrorClass
from graftport_dagster.pipeline import Work, finish_run, skip_item, store_url
from graftport_dagster.records import Result, Run, RunItem
from graftport_dagster.store.record_store import RecordStore

_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_DIED = "The process that did this died before it was done."


def process_tags() -> dict[str, str]:
    """Tags by which another process can tell whether this one still lives."""
    return {HOST_TAG: socket.gethostname(), PROCESS_TAG: str(os.getpid())}


def conclude(instance: dg.DagsterInstance, layout: Layout, run_id: str, *, canceled: bool) -> Run | None:
    """Gives a run its final result: what was in hand ends, what was not begun is recorded as such. Idempotent.

    None where the run never reached the record store. No process may be working for the run any more.
    """
    for child in instance.get_runs(dg.RunsFilter(tags={PARENT_TAG: run_id}, statuses=_UNFINISHED)):
        _report_ended(instance, child, _DIED)
    with RecordStore.open(store_url()) as store:
        run = store.runs.find(run_id)
        if run is None or run.result.is_final:
            return run
        _end_items(layout, store, run, canceled=canceled)
        run = finish_run(store, run_id, canceled=canceled)
    instance.add_run_tags(run_id, result_tags(run))
    return run


def _end_items(layout: Layout, store: RecordStore, run: Run, *, canceled: bool) -> None:
    work = Work(layout.migration, store, run, should_stop=lambda: False, progress=lambda _: None)
    items = store.runs.items(run.run_id)
    for item in items:
        if not item.result.is_final:
            store.runs.finish_item(_ended(item, canceled=canceled))
    begun = {(item.resource_type, item.phase) for item in items}
    for resource_type in run.options.resource_types:
        for phase in run.options.phases:
            if (resource_type, phase) not in begun:
                skip_item(work, phase, resource_type, why="the run was stopped" if canceled else "its process died")


def _ended(item: RunItem, *, canceled: bool) -> RunItem:
    if canceled:
        return replace(item, result=Result.CANCELED)
    return replace(item, result=Result.FAILED, first_error=item.first_error or _DIED, error_class=ErrorClass.UNEXPECTED)


def concluding(inner: dg.ExecutorDefinition, layout: Layout) -> dg.ExecutorDefinition:
    """The same executor, which concludes the run in its own process after all steps have ended."""

    def conclude_after(init_context: dg.InitExecutorContext) -> dg.Executor:
        make = inner.executor_creation_fn
        if make is None:
            raise dg.DagsterInvalidDefinitionError(f"The executor {inner.name} cannot be made.")
        return _Concluding(make(init_context), layout)

    schema: Any = inner.config_schema
    return dg.ExecutorDefinition(
        inner.name, config_schema=schema, requirements=inner.get_requirements,
        executor_creation_fn=conclude_after, description=inner.description,
    )  # fmt: skip


class _Concluding(dg.Executor):
    def __init__(self, inner: dg.Executor, layout: Layout) -> None:
        self._inner = inner
        self._layout = layout

    @property
    def retries(self) -> Any:
        return self._inner.retries

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        canceled = True
        try:
            yield from self._inner.execute(plan_context, execution_plan)
            canceled = False
        except Exception:
            canceled = False
            raise
        finally:
            conclude(plan_context.instance, self._layout, plan_context.run_id, canceled=canceled)


def reap(instance: dg.DagsterInstance, layout: Layout) -> list[str]:
    """Reports runs of this migration as ended whose process is gone; says of each what was found.

    A killed process leaves its run STARTED in Dagster for ever. Another machine's processes cannot be seen
    from here; of theirs only children of finished runs are ended.
    """
    told = []
    for run in instance.get_runs(dg.RunsFilter(tags={MIGRATION_TAG: layout.slug}, statuses=_UNFINISHED)):
        if why := _why_dead(instance, run):
            _report_ended(instance, run, why)
            if PARENT_TAG not in run.tags:
                conclude(instance, layout, run.run_id, canceled=run.status is dg.DagsterRunStatus.CANCELING)
            told.append(f"{run.run_id}: {why}")
    return told


def _why_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    host, process = run.tags.get(HOST_TAG), run.tags.get(PROCESS_TAG)
    if host == socket.gethostname() and process:
        return "" if _lives(int(process)) else f"Its process {process} is gone."
    parent = instance.get_run_by_id(run.tags[PARENT_TAG]) if PARENT_TAG in run.tags else None
    return f"Its run {parent.run_id} has ended." if parent and parent.is_finished else ""


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _report_ended(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        instance.report_run_failed(run, why)

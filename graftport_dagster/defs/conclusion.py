"""How a run ends in the record store when nobody is left to say so: killed, interrupted, crashed.

A run that ends by itself is finished by its last step (`steps.py`, `migrate.py`). Here are the
other ends: `concluding` wraps an executor, so that the process which watches over the steps has
the last word, and `reap` finds runs whose process is gone. What a result means is in `records.py`.
"""

import multiprocessing
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from graftport_dagster.defs.layout import HOST_TAG, MIGRATION_TAG, PARENT_TAG, PROCESS_TAG, Layout
from graftport_dagster.defs.stopping import is_stopping
from graftport_dagster.defs.telling import leave_report, result_tags
from graftport_dagster.errors import ErrorClass
from graftport_dagster.pipeline import Work, finish_run, open_store, skip_item
from graftport_dagster.records import Result, Run, RunItem
from graftport_dagster.store.leases import process_mark
from graftport_dagster.store.record_store import RecordStore

_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# Dagster launches a run that it has made, or puts it into its queue, within seconds.
_NEVER_LAUNCHED = timedelta(minutes=10)
# How the items of a run begin whose process died; nobody but a person or `retry_due` tries them again.
DIED = "The process that did this died before it was done."
NOT_BEGUN = "Not begun: a process of this run died."
_STOPPED = "the run was stopped"


def process_tags(pid: int | None = None) -> dict[str, str]:
    """Tags of a run that lives as long as this process (or that one), by which others can tell whether it does."""
    pid = os.getpid() if pid is None else pid
    return {HOST_TAG: socket.gethostname(), PROCESS_TAG: f"{pid} {process_mark(pid)}"}


def tag_process(instance: dg.DagsterInstance, run_id: str) -> None:
    """From within a step: names the process that the run lives as long as, unless `concluding` has done so."""
    run = instance.get_run_by_id(run_id)
    if run and PROCESS_TAG not in run.tags:
        above = multiprocessing.parent_process()
        instance.add_run_tags(run_id, process_tags(above.pid if above else None))


def conclude(instance: dg.DagsterInstance, layout: Layout, run_id: str, *, canceled: bool) -> Run | None:
    """Gives a run its final result: what was in hand ends, what was not begun is recorded as such. Idempotent.

    None where the run never reached the record store. No process may be working for the run any more.
    """
    for child in instance.get_runs(dg.RunsFilter(tags={PARENT_TAG: run_id}, statuses=_UNFINISHED)):
        _report_ended(instance, child, DIED)
    with open_store(in_a_run=True) as store:
        run = store.runs.find(run_id)
        if run is None or run.result.is_final:
            return run
        _end_items(layout, store, run, canceled=canceled)
        run = finish_run(store, run_id, canceled=canceled, migration=layout.migration)
        leave_report(store, run_id)
        tags = result_tags(run, store.runs.items(run_id))
    instance.add_run_tags(run_id, tags)
    return run


def _end_items(layout: Layout, store: RecordStore, run: Run, *, canceled: bool) -> None:
    items = store.runs.items(run.run_id)
    for item in items:
        if not item.result.is_final:
            store.runs.finish_item(replace(item, result=Result.CANCELED) if canceled else _failed(item, DIED))
    work = Work(layout.migration, store, run, asks_to_stop=lambda: True, progress=lambda _: None)
    begun = {(item.resource_type, item.phase) for item in items}
    # A type that failed in one phase has not begun the next, and that is no news.
    failed = {item.resource_type for item in items if item.result is Result.FAILED}
    for resource_type in run.options.resource_types:
        for phase in run.options.phases:
            if (resource_type, phase) not in begun and resource_type not in failed:
                item = skip_item(work, phase, resource_type, why=_STOPPED if canceled else NOT_BEGUN)
                if not canceled:
                    store.runs.finish_item(_failed(item, NOT_BEGUN))


def _failed(item: RunItem, why: str) -> RunItem:
    return replace(
        item, result=Result.FAILED, first_error=item.first_error or why, error_class=ErrorClass.UNEXPECTED
    )  # fmt: skip


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
        instance, run_id = plan_context.instance, plan_context.run_id
        instance.add_run_tags(run_id, process_tags())
        interrupted = True
        try:
            yield from self._inner.execute(plan_context, execution_plan)
            interrupted = False
        except Exception:
            interrupted = False
            raise
        finally:
            conclude(instance, self._layout, run_id, canceled=interrupted or is_stopping(instance, run_id))


def reap(instance: dg.DagsterInstance, layout: Layout, *, now: datetime | None = None) -> list[str]:
    """Ends runs of this migration whose process is gone, in Dagster and in the record store; tells of each.

    A killed process leaves its run STARTED in Dagster for ever. Another machine's processes cannot be seen
    from here; of theirs only children of finished runs are ended.
    """
    told = []
    for run in instance.get_runs(dg.RunsFilter(tags={MIGRATION_TAG: layout.slug}, statuses=_UNFINISHED)):
        if why := _why_dead(instance, run):
            _report_ended(instance, run, why)
            told.append(f"{run.run_id}: {why}")
    told += _never_launched(instance, layout, (now or datetime.now(UTC)) - _NEVER_LAUNCHED)
    with open_store() as store:
        left = [run.run_id for run in store.runs.list(layout.slug, going_on=True)]
    for run_id in left:
        ended = instance.get_run_by_id(run_id)
        # Of a run that this Dagster does not know another one may know more.
        if ended and ended.is_finished:
            conclude(instance, layout, run_id, canceled=ended.status is dg.DagsterRunStatus.CANCELED)
    return told


def _never_launched(instance: dg.DagsterInstance, layout: Layout, before: datetime) -> Iterator[str]:
    """Ends runs whose process was killed between making and launching them: no process is named in them."""
    wanted = dg.RunsFilter(
        tags={MIGRATION_TAG: layout.slug}, statuses=[dg.DagsterRunStatus.NOT_STARTED], created_before=before
    )  # fmt: skip
    for run in instance.get_runs(wanted):
        why = "It was never launched."
        instance.report_run_failed(run, why)
        yield f"{run.run_id}: {why}"


def conclude_dead(instance: dg.DagsterInstance, layout: Layout, run_id: str) -> None:
    """Ends one run as canceled where its process is gone, so that nobody waits for it."""
    run = instance.get_run_by_id(run_id)
    if run and not run.is_finished and (why := _why_dead(instance, run)):
        _report_ended(instance, run, why)
        conclude(instance, layout, run_id, canceled=True)


def _why_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    pid, _, mark = run.tags.get(PROCESS_TAG, "").partition(" ")
    if pid and run.tags.get(HOST_TAG) == socket.gethostname():
        return "" if _lives(int(pid), mark) else f"Its process {pid} is gone."
    parent = instance.get_run_by_id(run.tags[PARENT_TAG]) if PARENT_TAG in run.tags else None
    return f"Its run {parent.run_id} has ended." if parent and parent.is_finished else ""


def _lives(pid: int, mark: str) -> bool:
    here, there = process_mark(os.getpid()).rpartition(":")[0], mark.rpartition(":")[0]
    if here and there:
        # Another boot's processes are gone; those of another container under this name are not ours to judge.
        same_boot = here.partition(":")[0] == there.partition(":")[0]
        return process_mark(pid) == mark if here == there else same_boot
    try:
        os.kill(pid, 0)
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

"""`<slug>_migrate`, `<slug>_dry_run` and `<slug>_replay`: all types in one run, in dependency order.

An op per resource type. In `_migrate` it runs a child run of the partitioned assets, in
`_dry_run` the phases themselves; the run of the ops is Graftport's run. A failed type stops
nobody: what depends on it goes on and holds the records that cannot resolve. The last op says
how the whole ended and raises where the exit status must be 1. A run that was interrupted or
whose process died is ended by `conclusion.py`.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import dagster as dg

from graftport_dagster.defs.asking import asked_at
from graftport_dagster.defs.conclusion import concluding, reap, tag_process
from graftport_dagster.defs.jobs import run_child
from graftport_dagster.defs.launch import announce
from graftport_dagster.defs.layout import DRY_RUN_TAG, PHASES_TAG, REPLAY_TAG, RETRY_TAG, Layout
from graftport_dagster.defs.options import OptionsResource
from graftport_dagster.defs.steps import cause, failure, open_records
from graftport_dagster.defs.stopping import graceful, interrupt, is_stopping, was_interrupted
from graftport_dagster.defs.telling import Metadata, leave_report, result_tags
from graftport_dagster.errors import ErrorClass, GraftportError
from graftport_dagster.pipeline import (
    finish_run,
    open_store,
    open_work,
    plan_replay,
    released_types,
    run_phase,
    state_folder,
)
from graftport_dagster.records import Phase, ResourceType, Result, Run, RunOptions
from graftport_dagster.reports import terminal
from graftport_dagster.reports.terminal import REPORT_FOLLOWS
from graftport_dagster.reports.wording import presentable
from graftport_dagster.store.record_store import RecordStore

_BEGUN = "begun"
_WAITING = str(ErrorClass.MISSING_REFERENCE)


@dataclass(frozen=True)
class _Whole:
    """A job over all types: its name, whether it is a rehearsal, and what it does for one type."""

    layout: Layout
    name: str
    dry_run: bool
    each: Callable[[dg.OpExecutionContext, ResourceType, RunOptions], None]
    replays: bool = False

    def asked(self, options: OptionsResource) -> RunOptions:
        """The options with the types spelled out. Raises dg.Failure for what cannot be done."""
        if self.replays:
            return self._repeated(options)
        wanted = options.types() or self.layout.resource_types
        if unknown := [str(kind) for kind in wanted if kind not in self.layout.resource_types]:
            enabled = ", ".join(self.layout.resource_types)
            raise dg.Failure(
                f"{self.layout.slug} does not migrate {', '.join(unknown)}; it does: {enabled}.", allow_retries=False
            )
        in_order = tuple(resource_type for resource_type in self.layout.resource_types if resource_type in wanted)
        try:
            return options.to_run_options(self.layout.migration, resource_types=in_order, dry_run=self.dry_run)
        except GraftportError as error:
            raise failure(error) from None

    def _repeated(self, options: OptionsResource) -> RunOptions:
        try:
            asked = options.to_run_options(self.layout.migration)
            with open_store(in_a_run=True) as store:
                return plan_replay(store, self.layout.migration, asked.replay_of, asked).options
        except GraftportError as error:
            raise failure(error) from None

    def graph(self) -> dg.GraphDefinition:
        """First `begin`, then every type after those it requires, last `report`."""

        @dg.graph(name=self.layout.job(self.name))
        def over_all_types() -> None:
            begun = self._begin()()
            done: dict[ResourceType, object] = {}
            for resource_type in self.layout.resource_types:
                before = {str(kind): done[kind] for kind in self._before(resource_type)}
                done[resource_type] = self._each(resource_type)(**{_BEGUN: begun}, **before)
            self._report()(**{_BEGUN: begun}, **{str(kind): end for kind, end in done.items()})

        return over_all_types

    def _before(self, resource_type: ResourceType) -> list[ResourceType]:
        return [kind for kind in self.layout.resource_types if kind in resource_type.requires]

    def _op_name(self, last: str) -> str:
        return f"{self.layout.job(self.name)}_{last}"

    def _begin(self) -> dg.OpDefinition:
        # The pool is on this op alone: by run it holds the whole run back, by op it must not hold up the children.
        @dg.op(name=self._op_name("begin"), out=dg.Out(dg.Nothing), pool=None if self.dry_run else self.layout.pool)
        def begin(context: dg.OpExecutionContext, options: OptionsResource) -> None:
            """Ends runs whose process is gone, and starts this one in the record store."""
            for line in reap(context.instance, self.layout):
                context.log.info(f"Ended a run that nobody works for any more: {line}")
            asked = self.asked(options)
            tags = {PHASES_TAG: ",".join(asked.phases), DRY_RUN_TAG: str(self.dry_run).lower()}
            if asked.replay_of:
                tags[REPLAY_TAG] = asked.replay_of
            context.instance.add_run_tags(context.run.run_id, {**self.layout.tags, **tags})
            tag_process(context.instance, context.run.run_id)
            try:
                with open_work(
                    self.layout.migration, asked, run_id=context.run.run_id,
                    retry_of=context.run.tags.get(RETRY_TAG, ""),
                    asked_at=asked_at(context.instance, context.run.run_id),
                ):  # fmt: skip
                    announce(context.run.run_id)
            except GraftportError as error:
                raise failure(error) from cause(error)

        return begin

    def _each(self, resource_type: ResourceType) -> dg.OpDefinition:
        after = [_BEGUN, *map(str, self._before(resource_type))]

        @dg.op(
            name=self._op_name(resource_type), ins={name: dg.In(dg.Nothing) for name in after},
            out=dg.Out(dg.Nothing), description=f"The asked phases of {resource_type}; its failure stops nobody.",
        )  # fmt: skip
        def one_type(context: dg.OpExecutionContext, options: OptionsResource) -> None:
            asked = self.asked(options)
            if is_stopping(context.instance, context.run.run_id):
                raise dg.DagsterExecutionInterruptedError
            if resource_type in asked.resource_types:
                self.each(context, resource_type, asked)

        return one_type

    def _report(self) -> dg.OpDefinition:
        after = [_BEGUN, *map(str, self.layout.resource_types)]

        @dg.op(name=self._op_name("report"), ins={name: dg.In(dg.Nothing) for name in after}, out=dg.Out(dg.Nothing))
        def report(
            context: dg.OpExecutionContext, options: OptionsResource
        ) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
            """Loads what was released meanwhile, sets the run's result and fails where the exit status must be 1."""
            asked = self.asked(options)
            with open_store(in_a_run=True) as store:
                if Phase.LOAD in asked.phases and not self.dry_run:
                    self._load_released(context, store, asked)
                run = finish_run(store, context.run.run_id, migration=self.layout.migration)
                told = terminal.text(store, run.run_id, reports_folder=state_folder() / "reports")
                metadata: Metadata = {"result": str(run.result), **leave_report(store, run.run_id)}
                tags = result_tags(run, store.runs.items(run.run_id))
                open_now = open_records(self.layout, store)
            context.log.info(f"{REPORT_FOLLOWS}\n\n{told}\n")
            context.instance.add_run_tags(run.run_id, tags)
            if not self.dry_run:
                yield open_now
            if sentence := _why_failed(run):
                raise dg.Failure(sentence, metadata=metadata, allow_retries=False)
            yield dg.Output(None, metadata=metadata)

        return report

    def _load_released(self, context: dg.OpExecutionContext, store: RecordStore, asked: RunOptions) -> None:
        for resource_type in released_types(store, self.layout.migration, context.run.run_id):
            context.log.info(f"{resource_type}: records that waited for others can land now")
            waiting = asked.error_group or _WAITING
            options = replace(asked, phases=(Phase.LOAD,), error_group=waiting)
            if asked.retry:
                # What a retried record lets go was held for it, and is no part of the retry itself.
                options = replace(options, retry="", source_ids=(), except_ids=(), error_group=_WAITING)
            self.each(context, resource_type, options)


def _why_failed(run: Run) -> str:
    """Why the exit status must be 1, "" where it need not be."""
    if run.result in (Result.SUCCEEDED, Result.UNCHANGED):
        return ""
    if run.result is Result.COMPLETED_WITH_ERRORS and not run.options.fail_on_row_errors:
        return ""
    return f"{run.migration}: {run.result.replace('_', ' ')}. {presentable(run.first_error)}".strip()


def build_migrate_job(
    layout: Layout, assets: dg.Definitions, executor: dg.ExecutorDefinition | None = None
) -> dg.JobDefinition:
    """The job for CI and schedules. `assets`: the definitions that hold `<slug>_migrate_one`.

    `executor`: where the ops run, each with its child run inside; two processes of this machine unless given.
    """
    whole = _Whole(layout, "migrate", dry_run=False, each=_as_child(layout, assets))
    return whole.graph().to_job(
        name=layout.job("migrate"),
        description="Moves everything that is pending, all enabled types in dependency order. Exit status 1 unless all "
        "went well.",
        tags=layout.tags,
        executor_def=concluding(executor, layout) if executor else _two_processes(layout),
    )


def build_replay_job(
    layout: Layout, assets: dg.Definitions, executor: dg.ExecutorDefinition | None = None
) -> dg.JobDefinition:
    """The job that repeats an earlier run on the source data it had; `replay_of` names that run."""
    whole = _Whole(layout, "replay", dry_run=False, each=_as_child(layout, assets), replays=True)
    return whole.graph().to_job(
        name=layout.job("replay"),
        description="Repeats the run that the option replay_of names, on exactly the source data that it had.",
        tags=layout.tags,
        executor_def=concluding(executor, layout) if executor else _two_processes(layout),
    )


def _as_child(
    layout: Layout, assets: dg.Definitions
) -> Callable[[dg.OpExecutionContext, ResourceType, RunOptions], None]:
    def as_child(context: dg.OpExecutionContext, resource_type: ResourceType, options: RunOptions) -> None:
        child = run_child(context, assets, layout, resource_type, options)
        if was_interrupted(child) or is_stopping(context.instance, context.run.run_id):
            raise dg.DagsterExecutionInterruptedError
        context.log.info(f"{resource_type}: run {child.run_id} ended, {child.status.value.lower()}")

    return as_child


def build_dry_run_job(layout: Layout) -> dg.JobDefinition:
    """The same without the last write: what would be created, updated, held or refused, by record."""

    def rehearse(context: dg.OpExecutionContext, resource_type: ResourceType, options: RunOptions) -> None:
        with (
            graceful(context) as stop,
            open_work(
                layout.migration, options, run_id=context.run.run_id, should_stop=stop, progress=context.log.info
            ) as work,
        ):
            for phase in options.phases:
                try:
                    item = run_phase(work, phase, resource_type)
                except Exception as error:  # noqa: BLE001 - recorded with its item; the other types go on
                    context.log.error(f"{resource_type}: {phase} failed. {presentable(str(error))}")  # noqa: TRY400 - the store has the traceback
                    return
                if item.result is Result.CANCELED or stop():
                    raise interrupt(context)

    whole = _Whole(layout, "dry_run", dry_run=True, each=rehearse)
    return whole.graph().to_job(
        name=layout.job("dry_run"),
        description="Rehearses a migration and reports what it would do. Changes nothing in Shopify or in our records.",
        tags={**layout.tags, DRY_RUN_TAG: "true"},
        executor_def=concluding(dg.in_process_executor, layout),
    )


def _two_processes(layout: Layout) -> dg.ExecutorDefinition:
    # A process per type: signals reach it, a crash is its own, and two types that do not need each other run at once.
    # Windows has no forkserver.
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    start = {"forkserver": {"preload_modules": ["graftport_dagster.defs.warm"]}} if forks else {"spawn": {}}
    return concluding(dg.multiprocess_executor, layout).configured({"max_concurrent": 2, "start_method": start})

"""One phase of one resource type as a step of Dagster: the body that the assets share.

What the phase does is in `pipeline/`. Here it is told to Dagster (materialization, checks,
failure), and a run of assets that nobody started on its behalf is begun and finished as a run
of Graftport's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from graftport_dagster.defs.asking import asked_at
from graftport_dagster.defs.checks import check_results
from graftport_dagster.defs.conclusion import reap, tag_process
from graftport_dagster.defs.launch import announce
from graftport_dagster.defs.layout import ASSET_OF, PARENT_TAG, PHASES_TAG, RETRY_TAG, Layout
from graftport_dagster.defs.options import OptionsResource
from graftport_dagster.defs.stopping import StopRequest, graceful, interrupt
from graftport_dagster.defs.telling import child_tags, item_metadata, leave_report, open_records_metadata, result_tags
from graftport_dagster.errors import BrokenPromiseError, GraftportError
from graftport_dagster.pipeline import Work, finish_run, has_row_errors, open_work, run_phase, skip_item
from graftport_dagster.records import Phase, ResourceType, Result, RunItem
from graftport_dagster.reports.wording import presentable
from graftport_dagster.store.record_store import RecordStore

Event = dg.AssetCheckResult | dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult[None]


def failure(error: GraftportError) -> dg.Failure:
    """Our error as Dagster shows it: its sentence, its class and code, what to do; never retried by Dagster."""
    metadata = {"error_class": str(error.error_class), "code": error.code, "hint": error.hint, "path": error.path}
    metadata = {name: presentable(text) for name, text in metadata.items() if text}
    return dg.Failure(presentable(str(error)), metadata=metadata, allow_retries=False)


def cause(error: GraftportError) -> GraftportError | None:
    """What Dagster is to print below the failure: the stack of a broken promise, nothing of what the sentence says."""
    return error if isinstance(error, BrokenPromiseError) else None


def open_records(layout: Layout, store: RecordStore) -> dg.AssetMaterialization:
    """`incomplete_records` as it is now, for the last step of any run to yield."""
    metadata = open_records_metadata(store, layout.migration, now=datetime.now(UTC))
    return dg.AssetMaterialization(layout.asset("incomplete_records"), metadata=metadata)


def run_step(
    context: dg.AssetExecutionContext, layout: Layout, phase: Phase, options: OptionsResource
) -> Iterator[Event]:
    """Does the phase for the run's partition and yields what Dagster is to record of it.

    Raises dg.Failure for what is fatal and, in the last selected step, for rows that could not pass; the
    interrupt for a run that was asked to stop.
    """
    step = _Step(context, layout, phase, layout.resource_type(context), layout.phases(context))
    try:
        step.run(options)
    except GraftportError as error:
        step.end = failure(error)
        step.end.__cause__ = cause(error)
    except Exception as error:  # noqa: BLE001 - raised below, when what is known of it has been told
        step.end = error
    # Yielded here, outside the signal handlers, because Dagster changes its own around each event; and not logged
    # by the context, which forgets what was logged before an exception.
    yield from step.events
    if step.end is not None:
        raise step.end


@dataclass
class _Step:
    context: dg.AssetExecutionContext
    layout: Layout
    phase: Phase
    resource_type: ResourceType
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        self.run_id = self.context.run.tags.get(PARENT_TAG, self.context.run.run_id)
        self.stands_alone = self.run_id == self.context.run.run_id
        self.is_last = self.phase is self.phases[-1]
        self.events: list[Event] = []
        self.end: BaseException | None = None

    def run(self, options: OptionsResource) -> None:
        if self.stands_alone and self.phase is self.phases[0]:
            self._begin()
        asked = options.to_run_options(self.layout.migration, phases=self.phases, resource_types=(self.resource_type,))
        with (
            graceful(self.context) as stop,
            open_work(
                self.layout.migration, asked, run_id=self.run_id, child_run_id=self.context.run.run_id,
                should_stop=stop, progress=self.context.log.info, retry_of=self.context.run.tags.get(RETRY_TAG, ""),
                asked_at=asked_at(self.context.instance, self.context.run.run_id),
            ) as work,
        ):  # fmt: skip
            try:
                item = run_phase(work, self.phase, self.resource_type)
            except Exception:
                self._tell_fatal(work)
                raise
            self._tell(work, item, stop, fail=options.fail_on_row_errors)

    def _begin(self) -> None:
        for line in reap(self.context.instance, self.layout):
            self.context.log.info(f"Ended a run that nobody works for any more: {line}")
        self.context.instance.add_run_tags(self.run_id, {**self.layout.tags, PHASES_TAG: ",".join(self.phases)})
        tag_process(self.context.instance, self.run_id)
        announce(self.run_id)

    def _own_items(self, work: Work) -> list[RunItem]:
        own = self.context.run.run_id
        items = work.store.runs.items(self.run_id)
        ours = [item for item in items if item.resource_type is self.resource_type]
        return [item for item in ours if own in (item.child_run_id, item.run_id)]

    def _tell_fatal(self, work: Work) -> None:
        for item in self._own_items(work):
            if item.phase is self.phase:
                self._observe(work, item)
        self._finish(work)

    def _tell(self, work: Work, item: RunItem, stop: StopRequest, *, fail: bool) -> None:
        checks = list(check_results(self.layout, item, work.store))
        if item.result is Result.CANCELED:
            self._observe(work, item)
            self._stop(work)
            return
        if self.is_last and self._is_spoiled(work, fail=fail):
            # A partition that is materialized in a failing run stays green, so the counts go on an observation.
            self._observe(work, item)
            self.events += checks
            self.end = self._row_errors(work)
        else:
            self.events.append(dg.MaterializeResult(metadata=item_metadata(item, work), check_results=checks))
        if self.is_last:
            self._finish(work)
        elif stop():
            self._stop(work)

    def _is_spoiled(self, work: Work, *, fail: bool) -> bool:
        """Whether the partition fails at its end: for its row errors, or because nothing at all could land."""
        items = self._own_items(work)
        return (fail and has_row_errors(items)) or any(item.result is Result.FAILED for item in items)

    def _row_errors(self, work: Work) -> dg.Failure:
        items = [item for item in self._own_items(work) if has_row_errors([item])]
        told = "; ".join(f"{item.phase}: {item.first_error or item.first_skip_reason}" for item in items)
        return dg.Failure(
            f"{self.resource_type}: some records could not pass; all others did. {presentable(told)}",
            metadata={"run": dg.MetadataValue.dagster_run(self.run_id)},
            allow_retries=False,
        )

    def _observe(self, work: Work, item: RunItem) -> None:
        asset = self.layout.asset(ASSET_OF[self.phase])
        metadata = item_metadata(item, work)
        self.events.append(dg.AssetObservation(asset, partition=str(self.resource_type), metadata=metadata))

    def _stop(self, work: Work) -> None:
        for phase in self.phases[self.phases.index(self.phase) + 1 :]:
            skip_item(work, phase, self.resource_type, why="the run was stopped")
        self._finish(work, canceled=True)
        self.end = interrupt(self.context)

    def _finish(self, work: Work, *, canceled: bool = False) -> None:
        if self.stands_alone:
            run = finish_run(work.store, self.run_id, canceled=canceled, migration=self.layout.migration)
            tags = result_tags(run, work.store.runs.items(self.run_id))
            leave_report(work.store, self.run_id)
            self.events.append(open_records(self.layout, work.store))
        else:
            tags = child_tags(self._own_items(work))
        self.context.instance.add_run_tags(self.context.run.run_id, tags)

"""The schedules of the migration file, off until somebody turns them on.

What a scheduled run does is `migrate.py`; here it is only asked for, and not asked for while the
migration is paused, another run goes on, or, where the file wants that, nothing has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from graftport_dagster.defs.asking import going_on, paused, without_person
from graftport_dagster.defs.freshness import unchanged_sentence
from graftport_dagster.defs.launch import run_config
from graftport_dagster.defs.layout import MIGRATION_TAG, RESULT_TAG, SCHEDULE_TAG, Layout
from graftport_dagster.defs.pausing import paused_by_failures
from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Schedule
from graftport_dagster.pipeline import open_stored_source
from graftport_dagster.records import ResourceType, Result, RunOptions
from graftport_dagster.sources.source import Source
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore


def build_schedules(layout: Layout) -> list[dg.ScheduleDefinition]:
    """One per entry under `schedules`, named `<slug>_<name>`."""
    return [_schedule(layout, name, schedule) for name, schedule in layout.migration.schedules.items()]


def _schedule(layout: Layout, name: str, schedule: Schedule) -> dg.ScheduleDefinition:
    asker = _Asker(layout, name, schedule)

    @dg.schedule(
        name=layout.job(name),
        job_name=layout.job("migrate"),
        cron_schedule=schedule.cron,
        execution_timezone=schedule.time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Runs {layout.job('migrate')} by the migration file's schedule {name}.",
    )
    def ask(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return asker.ask(context.instance)

    return ask


@dataclass(frozen=True)
class _Asker:
    """What one schedule asks for at a tick."""

    layout: Layout
    name: str
    schedule: Schedule

    def ask(self, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
        """The run, or the reason why there is none."""
        options = self._options()
        if reason := (
            paused(self.layout)
            or self._overlaps(instance)
            or paused_by_failures(self.layout, self.name, options.actor)
        ):  # fmt: skip
            return dg.SkipReason(reason)
        if self.schedule.only_when_changed and (sentence := self._unchanged(instance)):
            return dg.SkipReason(sentence)
        return dg.RunRequest(run_config=run_config(options), tags={**self.layout.tags, SCHEDULE_TAG: self.name})

    def _overlaps(self, instance: dg.DagsterInstance) -> str:
        # A run that waits for another in the queue does all that a second one could do.
        waiting_for_itself = {SCHEDULE_TAG: self.name} if self.schedule.overlap == "wait" else {}
        return going_on(instance, self.layout, **waiting_for_itself)

    def _unchanged(self, instance: dg.DagsterInstance) -> str:
        """The sentence that says since when the source has been as the last good extract read it; "" where it may not.

        It may have changed where it cannot be asked; and there is something to do where a staged record has run out,
        or where this schedule's last run did not go well.
        """
        if not self._went_well(instance):
            return ""
        with open_store() as store:
            if any(store.staged_records.expired(self.layout.slug, kind) for kind in self._types()):
                return ""
            try:
                source = open_stored_source(self.layout.migration)
                try:
                    told = [self._as_it_was(store, source, kind) for kind in self._types()]
                finally:
                    source.close()
            except (GraftportError, OSError):
                return ""
        return "" if "" in told else "; ".join(told)

    def _as_it_was(self, store: RecordStore, source: Source, kind: ResourceType) -> str:
        groups = tuple(self.schedule.field_filter.get(kind, ()))
        token = source.freshness(kind).token
        same = store.fingerprints.unchanged(self.layout.slug, kind, token, field_groups=groups)
        return f"{kind}: {unchanged_sentence(same)}" if same else ""

    def _types(self) -> Sequence[ResourceType]:
        return self.schedule.resource_types or self.layout.resource_types

    def _went_well(self, instance: dg.DagsterInstance) -> bool:
        """Whether this schedule's last run did, if there was one."""
        tags = {MIGRATION_TAG: self.layout.slug, SCHEDULE_TAG: self.name}
        last = instance.get_runs(dg.RunsFilter(tags=tags), limit=1)
        return not last or last[0].tags.get(RESULT_TAG) in (Result.SUCCEEDED, Result.UNCHANGED)

    def _options(self) -> RunOptions:
        schedule = self.schedule
        return without_person(
            RunOptions(
                phases=tuple(schedule.phases),
                resource_types=tuple(schedule.resource_types),
                field_filter={str(kind): tuple(groups) for kind, groups in schedule.field_filter.items()},
                conflict_strategy=schedule.conflict_strategy or self.layout.migration.options.conflict_strategy,
                full_extract=schedule.full_extract,
                actor=f"schedule {self.name}",
            )
        )

"""The schedules of the migration file, off until somebody turns them on.

What a scheduled run does is `migrate.py`; here it is only asked for, and not asked for while
another run of the migration goes on or the migration is paused.
"""

import dagster as dg

from graftport_dagster.defs.asking import why_not, without_person
from graftport_dagster.defs.launch import run_config
from graftport_dagster.defs.layout import Layout
from graftport_dagster.defs.pausing import paused_by_failures
from graftport_dagster.migration import Schedule
from graftport_dagster.records import RunOptions


def build_schedules(layout: Layout) -> list[dg.ScheduleDefinition]:
    """One per entry under `schedules`, named `<slug>_<name>`."""
    return [_schedule(layout, name, schedule) for name, schedule in layout.migration.schedules.items()]


def _schedule(layout: Layout, name: str, schedule: Schedule) -> dg.ScheduleDefinition:
    options = without_person(
        RunOptions(
            phases=tuple(schedule.phases),
            resource_types=tuple(schedule.resource_types),
            field_filter={str(kind): tuple(groups) for kind, groups in schedule.field_filter.items()},
            conflict_strategy=layout.migration.options.conflict_strategy,
            actor=f"schedule {name}",
        )
    )

    @dg.schedule(
        name=layout.job(name),
        job_name=layout.job("migrate"),
        cron_schedule=schedule.cron,
        execution_timezone=schedule.time_zone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Runs {layout.job('migrate')} by the migration file's schedule {name}.",
    )
    def ask(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if reason := why_not(context.instance, layout) or paused_by_failures(layout, name, options.actor):
            return dg.SkipReason(reason)
        return dg.RunRequest(run_config=run_config(options), tags=layout.tags)

    return ask

"""The sensors of one migration: `<slug>_reaper`, and those with modules of their own.

How a dead run is recognised is in `conclusion.py`.
"""

import dagster as dg

from graftport_dagster.defs.conclusion import reap
from graftport_dagster.defs.freshness import build_source_freshness
from graftport_dagster.defs.layout import Layout
from graftport_dagster.defs.notifications import build_notifications
from graftport_dagster.defs.retry_due import build_retry_due

_REAPER_SECONDS = 60


def build_sensors(layout: Layout) -> list[dg.SensorDefinition]:
    """The reaper and the retries are on by themselves; the others wait to be turned on."""
    return [build_source_freshness(layout), build_retry_due(layout), build_notifications(layout), _reaper(layout)]


def _reaper(layout: Layout) -> dg.SensorDefinition:
    @dg.sensor(
        name=layout.job("reaper"),
        job_name=layout.job("migrate_one"),
        minimum_interval_seconds=_REAPER_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process was killed; Dagster would show them as started for ever. Asks for no run.",
    )
    def reaper(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        ended = reap(context.instance, layout)
        return dg.SkipReason("Ended " + "; ".join(ended) if ended else "Every started run is alive.")

    return reaper

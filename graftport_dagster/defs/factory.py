"""`build_migration`: everything of one migration, as Dagster definitions.

The door for other Dagster projects: merge what it returns with definitions of your own. What
is in them stands in the modules beside this one.
"""

import warnings

import dagster as dg

from graftport_dagster.defs.assets import build_assets
from graftport_dagster.defs.jobs import build_asset_jobs
from graftport_dagster.defs.layout import Layout
from graftport_dagster.defs.migrate import build_dry_run_job, build_migrate_job
from graftport_dagster.defs.options import OPTIONS
from graftport_dagster.defs.schedules import build_schedules
from graftport_dagster.defs.sensors import build_sensors
from graftport_dagster.migration import Migration


def build_migration(migration: Migration, *, executor: dg.ExecutorDefinition | None = None) -> dg.Definitions:
    """Assets, checks, jobs, sensors and schedules of one migration; all names begin with its slug.

    Opens nothing and asks for no secret. `executor`: where `<slug>_migrate` runs its ops (on Kubernetes, say); two
    processes of this machine unless given. The resource key `options` must stay this module's own.
    """
    layout = Layout(migration)
    with warnings.catch_warnings():
        # Check specs with partitions are in preview: without them one type's green would hide another's red.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = dg.Definitions(
            assets=build_assets(layout), jobs=build_asset_jobs(layout), resources={"options": OPTIONS}
        )
        whole = dg.Definitions(
            jobs=[build_migrate_job(layout, assets, executor), build_dry_run_job(layout)],
            sensors=build_sensors(layout),
            schedules=build_schedules(layout),
            resources={"options": OPTIONS},
        )
        return dg.Definitions.merge(assets, whole)

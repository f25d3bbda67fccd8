"""`build_migration`: everything of one migration, as Dagster definitions; `build_all`: of every one in the folder.

The doors for other Dagster projects: merge what they return with definitions of your own. What
is in them stands in the modules beside this one.
"""

import logging
import multiprocessing
import warnings
from pathlib import Path

import dagster as dg

from graftport_dagster.defs.assets import build_assets
from graftport_dagster.defs.broken import build_broken
from graftport_dagster.defs.jobs import build_asset_jobs
from graftport_dagster.defs.layout import Layout
from graftport_dagster.defs.migrate import build_dry_run_job, build_migrate_job, build_replay_job
from graftport_dagster.defs.options import OPTIONS
from graftport_dagster.defs.pausing import build_resume_job
from graftport_dagster.defs.purging import build_purge_job, build_purge_schedule
from graftport_dagster.defs.schedules import build_schedules
from graftport_dagster.defs.sensors import build_sensors
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration, survey
from graftport_dagster.reports.wording import presentable

_log = logging.getLogger(__name__)


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
            jobs=[
                build_migrate_job(layout, assets, executor),
                build_replay_job(layout, assets, executor),
                build_dry_run_job(layout),
                build_resume_job(layout),
                build_purge_job(layout),
            ],
            sensors=build_sensors(layout),
            schedules=[*build_schedules(layout), build_purge_schedule(layout)],
            resources={"options": OPTIONS},
        )
        return dg.Definitions.merge(assets, whole)


def build_all(folder: Path | None = None) -> dg.Definitions:
    """Every migration of the folder (that of GRAFTPORT_MIGRATIONS unless given).

    One whose file is not right is warned of and stands there as what fails with the reason; it stops no other.
    Raises ConfigurationError for a folder that is not there.
    """
    migrations, broken = survey(folder)
    built = []
    for slug, migration in migrations.items():
        try:
            built.append(build_migration(migration))
        except ConfigurationError as error:
            broken[slug] = error
        except dg.DagsterInvalidDefinitionError as error:
            broken[slug] = ConfigurationError(f"{error}.", code="MIGRATION_FILE", path=f"{slug}.yaml")
    for slug, problem in broken.items() if multiprocessing.parent_process() is None else ():
        # A log line, and no warning: Dagster shows none of code that it loads.
        _log.error("The migration %s is not there. %s", slug, presentable(str(problem)))
    return dg.Definitions.merge(*built, *(build_broken(slug, problem) for slug, problem in broken.items()))

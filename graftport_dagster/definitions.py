"""The code location: every migration of the folder, as Dagster sees it.

A table of contents. Per migration file `<slug>.yaml` in the folder that GRAFTPORT_MIGRATIONS
names (the demo's by default):

    assets     <slug>/source_data → <slug>/staged_records → <slug>/shopify_loads    defs/assets.py
               by resource type; <slug>/incomplete_records
    checks     rows_are_conserved, rows_without_errors, mapping_is_current,         defs/checks.py
               references_resolved, by resource type
    jobs       <slug>_migrate, <slug>_dry_run, <slug>_replay                        defs/migrate.py
               <slug>_extract, _transform, _load, _migrate_one                      defs/jobs.py
               <slug>_resume                                                        defs/pausing.py
    sensors    <slug>_source_freshness, <slug>_reaper                               defs/sensors.py
               <slug>_retry_due                                                     defs/retry_due.py
               <slug>_notifications                                                 defs/notifications.py
    schedules  as the file says                                                     defs/schedules.py
    resource   options: what one run is asked to do                                 defs/options.py

A file that is not right is told of when this is loaded, and its migration is an asset and jobs that
fail with the sentence (`defs/broken.py`); the others are whole.
"""

import dagster as dg

from graftport_dagster.defs.factory import build_all

defs: dg.Definitions = build_all()

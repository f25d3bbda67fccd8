"""The verbs of a migration: one phase over one resource type, and the runs they belong to.

This is the door for Dagster's layer, the command line and a REPL alike:

    with open_work(migration, RunOptions(), run_id="…") as work:
        item = run_phase(work, Phase.EXTRACT, ResourceType.PRODUCTS)
    run = finish_run(store, "…")

What a phase does is in `extract.py`, `transform.py` and `load.py`; what one record goes through
when it lands is in `loaders/`.
"""

from graftport_dagster.pipeline.purge import purge_customer, purge_everything, purge_old
from graftport_dagster.pipeline.replay import Replay, plan_replay
from graftport_dagster.pipeline.run import (
    finish_run,
    has_row_errors,
    loadable,
    must_be_loadable,
    open_work,
    released_types,
    run_phase,
    skip_item,
)
from graftport_dagster.pipeline.source_files import open_stored_source, taken_files
from graftport_dagster.pipeline.work import Work, connect, must_have_secrets
from graftport_dagster.store.place import (
    STATE_VARIABLE,
    STORE_VARIABLE,
    open_store,
    report_folder,
    state_folder,
    store_url,
)

__all__ = [
    "STATE_VARIABLE",
    "STORE_VARIABLE",
    "Replay",
    "Work",
    "connect",
    "finish_run",
    "has_row_errors",
    "loadable",
    "must_be_loadable",
    "must_have_secrets",
    "open_store",
    "open_stored_source",
    "open_work",
    "plan_replay",
    "purge_customer",
    "purge_everything",
    "purge_old",
    "released_types",
    "report_folder",
    "run_phase",
    "skip_item",
    "state_folder",
    "store_url",
    "taken_files",
]

"""The asset jobs of one migration: one partition at a time, in this process.

`<slug>_extract`, `<slug>_transform`, `<slug>_load` and `<slug>_migrate_one`. The jobs over all
types are in `migrate.py`.
"""

import uuid
from typing import Any

import dagster as dg

from graftport_dagster.defs.conclusion import concluding, process_tags
from graftport_dagster.defs.launch import run_config
from graftport_dagster.defs.layout import PARENT_TAG, PHASES_TAG, Layout
from graftport_dagster.records import Phase, ResourceType, RunOptions

_DESCRIPTIONS = {
    "extract": "Reads one resource type from the source. Writes nothing to Shopify.",
    "transform": "Maps one resource type into Shopify's shape and checks it. Writes nothing to Shopify.",
    "load": "Sends what is pending of one resource type to Shopify.",
    "migrate_one": "Extract, transform and load of one resource type.",
}


def build_asset_jobs(layout: Layout) -> list[Any]:
    """One job per phase and one for all three; the partition tag says the resource type."""
    return [
        dg.define_asset_job(
            layout.job(name),
            selection=layout.assets(tuple(Phase) if name == "migrate_one" else (Phase(name),)),
            description=description,
            tags=layout.tags,
            # A step's process costs a second and gains nothing here; a child run must stay in its parent's process.
            executor_def=concluding(dg.in_process_executor, layout),
        )
        for name, description in _DESCRIPTIONS.items()
    ]


def run_child(
    context: dg.OpExecutionContext, assets: dg.Definitions, layout: Layout, resource_type: ResourceType,
    options: RunOptions,
) -> dg.DagsterRun:  # fmt: skip
    """Runs `<slug>_migrate_one` for one partition inside this process, as a child of the run that asks.

    `assets`: the definitions that hold the job. Never raises for what went wrong in the child; its run says so.
    """
    run_id = str(uuid.uuid4())
    context.log.info(f"{resource_type}: {', '.join(options.phases)} in run {run_id}")
    assets.resolve_job_def(layout.job("migrate_one")).execute_in_process(
        instance=context.instance,
        partition_key=str(resource_type),
        asset_selection=layout.assets(options.phases),
        run_config=run_config(options),
        run_id=run_id,
        raise_on_error=False,
        tags={
            **layout.tags, **process_tags(),
            PARENT_TAG: context.run.run_id, PHASES_TAG: ",".join(options.phases),
        },
    )  # fmt: skip
    run = context.instance.get_run_by_id(run_id)
    if run is None:
        raise dg.DagsterInvariantViolationError(f"The run {run_id} was not stored.")
    return run

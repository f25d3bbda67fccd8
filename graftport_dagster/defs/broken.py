"""What stands in Dagster for a migration file that is not right: something red that says why.

The other migrations of the folder go on. Of this one there is a job under each of the names that
scripts use, which fails with the sentence, and an asset that shows it. What is right with a file is
decided in `migration.py`, and which types can be loaded in `layout.py`.
"""

import re
from collections.abc import Callable

import dagster as dg

from graftport_dagster.defs.steps import failure
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.reports.wording import presentable

JOBS = ("migrate", "dry_run")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")


def build_broken(slug: str, error: ConfigurationError) -> dg.Definitions:
    """`<slug>/migration_file` and the jobs `<slug>_migrate` and `<slug>_dry_run`, all of which fail with the error.

    Characters of the file's name that Dagster takes in no name become `_`.
    """
    name = _NOT_IN_NAMES.sub("_", slug) or "_"
    told = presentable(str(error))

    @dg.asset(
        key=[name, "migration_file"], group_name=name, kinds={"yaml"}, tags={"graftport/broken": "true"},
        description=f"This migration is not there, because its file is not right. {told}",
    )  # fmt: skip
    def migration_file() -> None:
        raise failure(error)

    return dg.Definitions(assets=[migration_file], jobs=[_job(f"{name}_{job}", error) for job in JOBS])


def _job(name: str, error: ConfigurationError) -> dg.JobDefinition:
    @dg.op(name=f"{name}_file", out=dg.Out(dg.Nothing))
    def refuse() -> None:
        raise failure(error)

    @dg.graph(name=name)
    def only_refuses() -> None:
        _call(refuse)

    return only_refuses.to_job(
        name=name, description=f"Fails: {presentable(str(error))}", executor_def=dg.in_process_executor
    )


def _call(op: Callable[[], object]) -> None:
    op()

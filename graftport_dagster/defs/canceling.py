"""Cancelling a run from outside Dagster: the mark that every process of the run looks for.

A run that runs notices the mark within a second (`stopping.py`), whoever launched it; one that
waits in the queue never begins. That our record of it says so too is the caller's.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from graftport_dagster.defs.conclusion import conclude_dead
from graftport_dagster.defs.layout import MIGRATION_TAG, Layout
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import find_migration

_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
_GOES_ON = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING)


@contextmanager
def instance_here() -> Iterator[dg.DagsterInstance | None]:
    """The Dagster of this folder, as every command of Dagster's finds it; None where nothing says which it is."""
    if os.environ.get("DAGSTER_HOME"):
        with dg.DagsterInstance.get() as instance:
            yield instance
    elif Path("dagster.yaml").is_file():
        with dg.DagsterInstance.from_config(str(Path.cwd())) as instance:
            yield instance
    else:
        yield None


def cancel_in_dagster(run_id: str) -> str:
    """Marks the run as canceling, or as canceled where it has not begun; its status then, "" where Dagster has none.

    A run whose process is gone is ended at once.
    """
    with instance_here() as instance:
        run = instance.get_run_by_id(run_id) if instance else None
        if instance is None or run is None:
            return ""
        if run.status in _WAITING:
            instance.report_run_canceled(run, "Canceled before it began.")
        elif run.status in _GOES_ON:
            instance.report_run_canceling(run, "graftport cancel")
        # What is wrong with the file meanwhile keeps nobody from stopping the run.
        with suppress(ConfigurationError):
            if slug := run.tags.get(MIGRATION_TAG):
                conclude_dead(instance, Layout(find_migration(slug)), run_id)
        now = instance.get_run_by_id(run_id)
        return now.status.value if now else ""

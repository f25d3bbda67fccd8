"""A run in the foreground: launched, waited for, and told as its report; for every command that starts one.

The run itself is Dagster's job, started by `defs/launch.py`; which options it is given is decided by
the commands in `run.py`, `retry.py` and `incomplete.py`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from graftport_dagster import reports
from graftport_dagster.cli.answers import ExitStatus, answer, refuse
from graftport_dagster.cli.progress import Progress
from graftport_dagster.errors import BrokenPromiseError, ConfigurationError
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, Run, RunOptions
from graftport_dagster.reports.terminal import terminal
from graftport_dagster.store.place import open_store, state_folder
from graftport_dagster.store.record_store import RecordStore


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended, or None where somebody stopped it before it began."""

    run: Run | None


def must_not_be_paused(store: RecordStore, migration: Migration) -> None:
    """Raises ConfigurationError that says since when, by whom and why."""
    if pause := store.stores.paused(migration.slug):
        raise ConfigurationError(
            f"{migration.slug} has been paused since {pause['since']} by {pause['by'] or 'somebody'}: "
            f"{pause['reason'] or 'no reason given'}.", code="PAUSED",
            hint=f"`graftport resume {migration.slug}` lifts it.",
        )  # fmt: skip


def run_to_end(migration: Migration, options: RunOptions, *, job: str = "", retry_of: str = "") -> Ended:
    """Runs the job (by itself `migrate`, or `dry_run` where that is asked), its progress on stderr."""
    # Not at the top: it is the way to Dagster, which a refused option does without.
    from graftport_dagster.defs.launch import launch

    progress = Progress(sys.stderr)
    job = job or ("dry_run" if options.dry_run else "migrate")
    try:
        launched = launch(migration.slug, options, job=job, retry_of=retry_of, stream=progress)
    finally:
        progress.end()
    if launched.run is None and not launched.is_stopped:
        raise BrokenPromiseError(f"Dagster stopped before the run began: {progress.last_words}")
    return Ended(launched.run)


def run_and_tell(
    migration: Migration, options: RunOptions, *, retry_of: str = "", beside: JsonObject | None = None,
    lines: Sequence[str] = (), as_json: bool,
) -> int:  # fmt: skip
    """Runs, and answers with the report, `beside` among its keys and `lines` before it."""
    run = run_to_end(migration, options, retry_of=retry_of).run
    if run is None:
        refuse("", ["Stopped before the run began: nothing was done."], as_json=as_json)
        return ExitStatus.CANCELED
    with open_store() as store:
        told = reports.report(store, run.run_id, reports_folder=state_folder() / "reports")
    answer(told | (beside or {}), lambda: Group(*map(Text, lines), terminal(told)), as_json=as_json)
    return ExitStatus.of(run.result)

"""`graftport replay`: failed runs once more, each on exactly the source data that it had.

Which runs can be replayed is decided in `pipeline/replay.py`; each replay is a run of Dagster's job
`<slug>_replay`, which can be launched there as well.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import ExitStatus, answer, json_option
from graftport_dagster.cli.inputs import MigrationName, Moment, asking, examples, reason_option
from graftport_dagster.cli.runs import failed_runs
from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Migration, find_migration
from graftport_dagster.records import JsonObject, Result, Run, RunOptions
from graftport_dagster.reports.account import find_run
from graftport_dagster.reports.terminal import listing, result_text
from graftport_dagster.reports.wording import moment, number, presentable, printable
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore


@click.command(
    epilog=examples(
        "graftport replay 3f2a91c0",
        "graftport replay --failed --from 2026-11-20 --to 2026-11-21 --dry-run",
        "graftport replay --failed --migration demo --mapping original",
    )
)
@click.argument("run_ids", metavar="[RUN]...", nargs=-1)
@click.option("--failed", is_flag=True, help="All that did not end well and that nothing has made good; oldest first.")
@click.option("--migration", type=MigrationName(), metavar="SLUG", help="With --failed: of this migration.")
@click.option("--all", "every", is_flag=True, help="With --failed: of every migration (so it is by itself).")
@click.option("--platform", metavar="P", help="With --failed: of the migrations whose source is of this platform.")
@click.option("--from", "since", type=Moment(), help="With --failed: started at this time or later.")
@click.option("--to", "until", type=Moment(end=True), help="With --failed: started before this time.")
@click.option("--dry-run", is_flag=True, help="Only list them, and the records that something newer has overtaken.")
@click.option("--overwrite-newer", is_flag=True, help="Send those records too.")
@click.option("--mapping", type=click.Choice(["current", "original"]), default="current", show_default=True,
              help="The version in use now, or the one that each run applied.")  # fmt: skip
@reason_option
@json_option
def replay(
    *, run_ids: tuple[str, ...], failed: bool, migration: Migration | None, every: bool, platform: str | None,
    since: datetime | None, until: datetime | None, dry_run: bool, overwrite_newer: bool, mapping: str, reason: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Repeat runs on exactly the source data that they had, one after the other, oldest first.

    A record for which something newer has landed since is passed over (superseded). A run that failed while it read
    the source has no data, and is refused with the way to a new one.
    """
    if bool(run_ids) == failed:
        raise click.UsageError("Give runs, or --failed.", click.get_current_context())
    if not failed and (migration or every or platform or since or until):
        raise click.UsageError("--migration, --all, --platform, --from and --to go with --failed.",
                               click.get_current_context())  # fmt: skip
    with open_store() as store:
        if failed:
            runs = failed_runs(store, migration, platform, since, until, every=every)
        else:
            runs = sorted((find_run(store, run_id) for run_id in run_ids), key=lambda run: run.seq)
    asked = RunOptions(overwrite_newer=overwrite_newer, mapping=mapping, actor=asking(), reason=reason)
    rows = []
    for run in runs:
        rows.append(_replayed(run, asked, dry_run=dry_run))
        if rows[-1]["result"] == str(Result.CANCELED):
            break
    answer({"dry_run": dry_run, "replays": rows}, lambda: _listing(rows), as_json=as_json)
    return _status(rows)


def _replayed(run: Run, asked: RunOptions, *, dry_run: bool) -> JsonObject:
    """One run found, and what became of its replay, or why there is none (`errors`, by field)."""
    told: JsonObject = {
        "run_id": run.run_id, "migration": run.migration, "error": presentable(run.first_error) or None,
        "started_at": run.started_at.isoformat() if run.started_at else None, "records": {}, "superseded": {},
        "replay_run_id": None, "result": None, "errors": [],
    }  # fmt: skip
    try:
        migration = find_migration(run.migration)
        with open_store() as store:
            options = _look(store, migration, run, asked, told)
        if not dry_run:
            _launch(migration, options, told)
    except GraftportError as error:
        told["errors"].append({"field": error.path or "run_id", "messages": [presentable(str(error))]})
    return told


def _look(store: RecordStore, migration: Migration, run: Run, asked: RunOptions, told: JsonObject) -> RunOptions:
    # Not at the top: what it needs takes a while to import.
    from graftport_dagster.cli.foreground import must_not_be_paused
    from graftport_dagster.pipeline import plan_replay

    must_not_be_paused(store, migration)
    plan = plan_replay(store, migration, run.run_id, asked)
    for resource_type in plan.options.resource_types:
        kept = store.replays.look(plan.original, resource_type)
        told["records"][str(resource_type)] = kept.records
        if kept.superseded and not asked.overwrite_newer:
            told["superseded"][str(resource_type)] = list(kept.superseded)
    return plan.options


def _launch(migration: Migration, options: RunOptions, told: JsonObject) -> None:
    from graftport_dagster.cli.foreground import run_to_end

    ended = run_to_end(migration, options, job="replay").run
    told["replay_run_id"] = ended.run_id if ended else None
    told["result"] = str(ended.result if ended else Result.CANCELED)


def _status(rows: Sequence[JsonObject]) -> int:
    results = {row["result"] for row in rows}
    if str(Result.CANCELED) in results:
        return ExitStatus.CANCELED
    if rows and all(row["errors"] for row in rows):
        return ExitStatus.REFUSED
    if str(Result.FAILED) in results or any(row["errors"] for row in rows):
        return ExitStatus.FAILED
    return ExitStatus.WITH_ERRORS if str(Result.COMPLETED_WITH_ERRORS) in results else ExitStatus.DONE


def _listing(rows: Sequence[JsonObject]) -> RenderableType:
    if not rows:
        return Text("There is no failed run to repeat.", style="green")
    lines = [
        (Text(row["run_id"][:8], style="bold"), row["migration"], moment(row["started_at"])[:-3], _became(row))
        for row in rows
    ]
    return listing(("run", "migration", "started (UTC)", "replay"), lines, whole=(0,))


def _became(row: JsonObject) -> Text:
    if row["errors"]:
        return Text(row["errors"][0]["messages"][0], style="yellow")
    told: list[Any] = []
    if row["result"]:
        told += [result_text(row["result"]), f", run {(row['replay_run_id'] or '')[:8]}"]
    else:
        counts = [f"{number(count)} {name}" for name, count in row["records"].items()]
        told.append(f"would take {', '.join(counts)}" + (f"; it failed: {row['error']}" if row["error"] else ""))
    for name, ids in row["superseded"].items():
        shown = ", ".join(map(printable, ids[:10])) + (" …" if len(ids) > 10 else "")
        told.append(f"\n{name}, something newer has landed: {shown}")
    return Text.assemble(*told)

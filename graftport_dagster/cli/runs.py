"""`graftport runs` and `graftport report`: which runs there were, and what one of them did.

What a report contains is decided in `reports/`; starting a run is in `run.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import RenderableType
from rich.text import Text

from graftport_dagster import reports
from graftport_dagster.cli.answers import answer, json_option
from graftport_dagster.cli.inputs import HOW_MANY, MigrationName, Moment, examples, migration_argument, unknown
from graftport_dagster.cli.status import paused_line, paused_schedules
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration, survey
from graftport_dagster.records import JsonObject, Phase, Result, Run, RunItem
from graftport_dagster.reports.terminal import listing, result_text, terminal
from graftport_dagster.reports.unresolved import unresolved_runs
from graftport_dagster.reports.wording import duration, moment, number, presentable
from graftport_dagster.store.place import open_store, state_folder
from graftport_dagster.store.record_store import RecordStore

_FIGURES = ("created", "updated", "skipped", "errors")


@click.command(
    epilog=examples(
        "graftport runs demo",
        "graftport runs --all --failed --from 2026-11-20",
        "graftport runs --platform magento --open --json",
    )
)
@click.argument("migration", type=MigrationName(), metavar="[SLUG]", required=False)
@click.option("--all", "every", is_flag=True, help="Of every migration (so it is without SLUG, too).")
@click.option("--platform", metavar="P", help="Of the migrations whose source is of this platform.")
@click.option("--failed", is_flag=True, help="Only those that failed or completed with errors.")
@click.option("--open", "unresolved", is_flag=True, help="Only what did not end well and no later run has made good.")
@click.option("--from", "since", type=Moment(), help="Started at this time or later (ISO 8601, UTC).")
@click.option("--to", "until", type=Moment(end=True), help="Started before this time; a date means its end.")
@click.option("--limit", type=HOW_MANY, default=50, show_default=True, metavar="N", help="The newest N.")
@json_option
def runs(
    *, migration: Migration | None, every: bool, platform: str | None, failed: bool, unresolved: bool,
    since: datetime | None, until: datetime | None, limit: int, as_json: bool,
) -> None:  # fmt: skip
    """List runs, oldest first."""
    slugs = _slugs(migration, platform, every=every)
    with open_store() as store:
        found = _found(store, slugs, since, until)
        if unresolved:
            found = unresolved_runs(found, _found(store, slugs, since, None))
        if failed:
            found = [run for run in found if run.result in (Result.FAILED, Result.COMPLETED_WITH_ERRORS)]
        rows = [_row(run, store.runs.items(run.run_id)) for run in found[-limit:]]
        for slug in [migration.slug] if migration else survey()[0]:
            for pause in paused_schedules(store, slug):
                click.echo(f"{slug}: {paused_line(slug, pause)}", err=True)
    answer({"runs": rows}, lambda: _listing(rows, of_one=migration is not None), as_json=as_json)


def failed_runs(
    store: RecordStore, migration: Migration | None, platform: str | None, since: datetime | None,
    until: datetime | None, *, every: bool,
) -> list[Run]:  # fmt: skip
    """Those that did not end well and that nothing has made good, oldest first; not those that tried one again."""
    slugs = _slugs(migration, platform, every=every)
    found = unresolved_runs(_found(store, slugs, since, until), _found(store, slugs, since, None))
    return [run for run in found if not (run.options.dry_run or run.retry_of or run.replay_of)]


def _slugs(migration: Migration | None, platform: str | None, *, every: bool) -> list[str | None]:
    if sum((migration is not None, platform is not None, every)) > 1:
        raise click.UsageError("Give SLUG, --all or --platform, one of them.", click.get_current_context())
    if platform is None:
        return [migration.slug if migration else None]
    migrations, _ = survey()
    of_platform = {found.platform: found for found in migrations.values()}
    if platform not in of_platform:
        raise ConfigurationError(unknown("migration of platform", platform, sorted(of_platform)), code="NO_PLATFORM")
    return [slug for slug, found in migrations.items() if found.platform == platform]


def _found(
    store: RecordStore, slugs: Sequence[str | None], since: datetime | None, until: datetime | None
) -> list[Run]:
    found = [run for slug in slugs for run in store.runs.list(slug, since=since, until=until)]
    return sorted(found, key=lambda run: (run.started_at is None, run.started_at, run.seq))


def _row(run: Run, items: Sequence[RunItem]) -> JsonObject:
    loads = [item.counts for item in items if item.phase is Phase.LOAD]
    seconds = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None
    return {
        "run_id": run.run_id,
        "migration": run.migration,
        "result": str(run.result),
        "dry_run": run.options.dry_run,
        "resource_types": sorted({str(item.resource_type) for item in items}),
        "phases": [str(phase) for phase in run.options.phases],
        "operations": [phase.operation for phase in Phase if phase in run.options.phases],
        **{name: sum(counts.get(name, 0) for counts in loads) for name in _FIGURES[:-1]},
        "errors": sum(item.counts.get("errored", 0) for item in items),
        "first_error": presentable(run.first_error) or None,
        "retry_of": run.retry_of or None,
        "replay_of": run.replay_of or None,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "seconds": seconds,
    }


def _listing(rows: Sequence[JsonObject], *, of_one: bool) -> RenderableType:
    if not rows:
        return Text("No such runs.", style="dim")
    lines = [
        (Text(row["run_id"][:8]), *(() if of_one else (Text(row["migration"]),)), _result(row), _figures(row),
         Text(moment(row["started_at"])[:-3], style="dim"), Text(duration(row["seconds"]), style="dim"))
        for row in rows
    ]  # fmt: skip
    titles = ("run", *(() if of_one else ("migration",)), "result", "records and types", "started (UTC)", "time")
    last = len(titles) - 1
    return listing(titles, lines, figures=(last,), whole=(0, last - 3, last - 1))


def _result(row: JsonObject) -> Text:
    return Text.assemble(result_text(row["result"], short=True), ("\ndry run", "dim") if row["dry_run"] else "")


def _figures(row: JsonObject) -> Text:
    told = [
        Text(f"{number(row[name])} {name}", style="red" if name == "errors" else "") for name in _FIGURES if row[name]
    ]
    types = row["resource_types"]
    told.append(Text(", ".join(types) if len(types) <= 2 else f"{len(types)} types", style="dim"))
    does = ", ".join(row["operations"])
    return Text.assemble(
        Text(", ").join(told), *([(f"\n{does}", "dim")] if len(row["operations"]) < len(Phase) else [])
    )


@click.command(
    epilog=examples(
        "graftport report demo", "graftport report demo 3f2a91c0 --html report.html", "graftport report demo --json"
    )
)
@migration_argument
@click.argument("run_id", metavar="[RUN]", default="")
@click.option("--markdown", "as_markdown", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write it as Markdown.")  # fmt: skip
@click.option("--html", "as_html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write it as one HTML file.")  # fmt: skip
@json_option
def report(*, migration: Migration, run_id: str, as_markdown: Path | None, as_html: Path | None, as_json: bool) -> None:
    """Show what a run did: the last one, or the one whose id begins with RUN."""
    folder = state_folder() / "reports"
    with open_store() as store:
        run_id = run_id or _last(store, migration)
        told = reports.report(store, run_id, reports_folder=folder)
        if told["migration"] != migration.slug:
            raise ConfigurationError(
                f"Run {told['run_id']} is one of {told['migration']}, not of {migration.slug}.", code="NO_RUN"
            )
        if as_markdown:
            as_markdown.write_text(reports.markdown(store, run_id, reports_folder=folder), encoding="utf-8")
        if as_html:
            as_html.write_text(reports.html(store, run_id, reports_folder=folder), encoding="utf-8")
    answer(told, lambda: terminal(told), as_json=as_json)


def _last(store: RecordStore, migration: Migration) -> str:
    latest = store.runs.list(migration.slug, limit=1)
    if not latest:
        raise ConfigurationError(
            f"{migration.slug} has not run yet.", code="NO_RUN", hint=f"`graftport run {migration.slug}` runs it."
        )
    return latest[-1].run_id

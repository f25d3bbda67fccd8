"""`graftport status`: how a migration stands now: paused or not, what runs, what is open, what comes next.

What a run did is in `report`, what is open record by record in `incomplete list`.
"""

from collections.abc import Iterator

import click
from rich.console import Group, RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import answer, json_option
from graftport_dagster.cli.inputs import examples, migration_argument
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject
from graftport_dagster.reports.terminal import result_text, section
from graftport_dagster.reports.wording import moment, number, presentable
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore

_LATEST = 20


@click.command(epilog=examples("graftport status demo", "graftport status demo --json"))
@migration_argument
@json_option
def status(*, migration: Migration, as_json: bool) -> None:
    """Show how a migration stands: pauses, runs under way, what is open and when it is tried again."""
    with open_store() as store:
        told = _told(store, migration)
    answer(told, lambda: Group(*_shown(told)), as_json=as_json)


def paused_schedules(store: RecordStore, slug: str) -> list[JsonObject]:
    """Those that paused themselves and have not been resumed."""
    return [
        {"schedule": one.schedule, "since": one.since.isoformat(), "reason": one.reason, "run_id": one.run_id}
        for one in store.stores.paused_schedules(slug)
        if one.resumed_at is None
    ]


def paused_line(slug: str, pause: JsonObject) -> str:
    """The sentence about one of them."""
    return (
        f"{pause['schedule']} has paused itself since {moment(pause['since'])} UTC: {pause['reason'].rstrip('.')}. "
        f"`graftport resume {slug}` lets it go on."
    )


def _told(store: RecordStore, migration: Migration) -> JsonObject:
    slug = migration.slug
    latest = store.runs.list(slug, limit=_LATEST)
    ended = [run for run in latest if run.result.is_final]
    next_due = store.incomplete.next_due(slug)
    return {
        "migration": slug,
        "paused": store.stores.paused(slug),
        "paused_schedules": paused_schedules(store, slug),
        "running": [
            {"run_id": run.run_id, "since": run.started_at.isoformat() if run.started_at else None,
             "actor": run.options.actor}
            for run in latest if not run.result.is_final
        ],
        "last_run": _last(ended[-1].run_id, str(ended[-1].result), ended[-1].first_error) if ended else None,
        "open": store.incomplete.counts(slug),
        "due": {str(name): count for name, count in store.incomplete.due(slug).items()},
        "next_due": next_due.isoformat() if next_due else None,
    }  # fmt: skip


def _last(run_id: str, result: str, first_error: str) -> JsonObject:
    return {"run_id": run_id, "result": result, "first_error": presentable(first_error) or None}


def _shown(told: JsonObject) -> Iterator[RenderableType]:
    yield Text(told["migration"], style="bold")
    if pause := told["paused"]:
        yield Text(f"Paused since {moment(pause['since'])} UTC by {pause['by']}: {pause['reason']}", style="yellow")
    for one in told["paused_schedules"]:
        yield Text(paused_line(told["migration"], one), style="yellow")
    for run in told["running"]:
        yield Text(f"Run {run['run_id'][:8]} goes on since {moment(run['since'])} UTC, asked for by {run['actor']}.")
    if last := told["last_run"]:
        yield Text.assemble(f"Last run {last['run_id'][:8]}: ", result_text(last["result"]))
        if last["first_error"]:
            yield Text(last["first_error"], style="dim")
    if not told["open"]:
        yield Text("Nothing is open.", style="green")
        return
    lines = [
        Text(f"{number(row['count'])} {row['resource_type']}, {row['phase']}: {row['code']}, {row['status']}")
        for row in told["open"]
    ]
    yield section("Open", *lines)
    if told["next_due"]:
        yield Text(f"Next attempt {moment(told['next_due'])} UTC.", style="dim")

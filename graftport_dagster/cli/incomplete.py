"""`graftport incomplete`: the records that did not end well, listed, shown whole, retried, given up.

What is kept of each is said in `store/incomplete.py`; a retry is a run like any other, whose scope
are the records that it claims when it begins. The schedule's own retries are asked for by a sensor.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from graftport_dagster import reports
from graftport_dagster.cli.answers import ExitStatus, answer, json_option, refuse
from graftport_dagster.cli.inputs import HOW_MANY, Word, asking, examples, migration_argument, reason_option
from graftport_dagster.cli.story import payload
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, Phase, ResourceType, RunOptions
from graftport_dagster.reports.card_ids import whole_ids, without_card_id
from graftport_dagster.reports.terminal import listing, section
from graftport_dagster.reports.wording import moment, number, presentable, printable, words
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore, Which

_SHOWN = (
    "resource_type", "source_id", "phase", "store_gid", "status", "outcome", "error_class", "code", "path", "message",
    "hint", "waits_for", "tries", "next_attempt_at", "opened_at", "failed_at", "mapping_version", "run_id",
    "claimed_by",
)  # fmt: skip

type_option = click.option(
    "--resource-type", type=Word(ResourceType, "resource type"), metavar="TYPE", help="Only of this type."
)


def _choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The ways to say which ones: ids, a group, or all but some."""
    for option in (
        click.option(
            "--except", "except_ids", multiple=True, metavar="ID", help="With --all or --group: but this one."
        ),
        click.option("--all", "every", is_flag=True, help="All that are open."),
        click.option("--group", default="", metavar="G", help="Those of CODE, CLASS:CODE or CLASS:CODE:PATH."),
        type_option,
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        command = option(command)
    return command


@click.group()
def incomplete() -> None:
    """Records that did not end well: list, show, retry, discard."""


@incomplete.command("list", epilog=examples("graftport incomplete list demo", "graftport incomplete list demo --json"))
@migration_argument
@type_option
@click.option("--phase", type=Word(Phase, "phase"), metavar="PHASE", help="Only of extract, transform or load.")
@click.option("--group", default="", metavar="G", help="Only CODE, CLASS:CODE or CLASS:CODE:PATH.")
@click.option("--limit", type=HOW_MANY, metavar="N", help="The oldest N.")
@json_option
def list_(
    *, migration: Migration, resource_type: ResourceType | None, phase: Phase | None, group: str, limit: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List the open ones, oldest first, with their next attempt."""
    which = Which((resource_type,) if resource_type else (), (phase,) if phase else (), group)
    with open_store() as store:
        rows = [_presented(row) for row in store.incomplete.open(migration.slug, which, limit=limit)]
        count = sum(row["count"] for row in store.incomplete.counts(migration.slug))
    told = {"migration": migration.slug, "open": count, "incomplete": rows}
    answer(told, lambda: _listing(rows), as_json=as_json)


@incomplete.command(epilog=examples("graftport incomplete show demo MS-004 --json"))
@migration_argument
@_choosing
@json_option
def show(
    *, migration: Migration, ids: tuple[str, ...], resource_type: ResourceType | None, group: str, every: bool,
    except_ids: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Show some whole: payloads as they were when they failed, every attempt, the next one.

    Payloads may hold personal data.
    """
    with open_store() as store:
        rows = _chosen(store, migration, _which(store, migration, ids, resource_type, group, except_ids, every=every))
        whole = [without_card_id(reports.incomplete_record(store, row)) for row in rows]
    told: JsonObject = {"migration": migration.slug, "incomplete": whole}
    answer(told, lambda: Group(*(part for row in whole for part in _whole(row))), as_json=as_json)


@incomplete.command(
    epilog=examples(
        "graftport incomplete retry demo MS-004", "graftport incomplete retry demo --group TAKEN",
        "graftport incomplete retry demo --all --except MS-004",
    )
)  # fmt: skip
@migration_argument
@_choosing
@reason_option
@json_option
def retry(
    *, migration: Migration, ids: tuple[str, ...], resource_type: ResourceType | None, group: str, every: bool,
    except_ids: tuple[str, ...], reason: str, as_json: bool,
) -> int:  # fmt: skip
    """Try some again now, in a run that sends these and nothing else.

    First it is said what has changed since they failed, or that the same error is to be expected. They are mapped
    anew by the version in use, so that a mended mapping counts; those that failed in extract are read anew. A second
    command at the same time finds them claimed, and says so.
    """
    # Not at the top: it needs what a list does without.
    from graftport_dagster.cli.foreground import must_not_be_paused, run_and_tell

    with open_store() as store:
        which = _which(store, migration, ids, resource_type, group, except_ids, every=every)
        must_not_be_paused(store, migration)
        rows = _chosen(store, migration, which)
        free = [row for row in rows if row["status"] != "in_progress" or not _is_going_on(store, row["claimed_by"])]
        ready = _readiness(store, migration, free)
    if not free:
        runs = ", ".join(sorted({row["claimed_by"] for row in rows}))
        refuse("ids", [f"Nothing is left to retry: run {runs} has claimed it."], as_json=as_json)
        return ExitStatus.REFUSED
    phases = {Phase(row["phase"]) for row in free}
    options = RunOptions(
        phases=tuple(phase for phase in Phase if phase is not Phase.EXTRACT or phase in phases),
        resource_types=tuple(name for name in ResourceType if any(row["resource_type"] == name for row in free)),
        source_ids=which.source_ids, except_ids=which.except_ids, error_group=which.error_group, retry="open",
        conflict_strategy=migration.options.conflict_strategy, actor=asking(), reason=reason,
    )  # fmt: skip
    told = f"{number(len(free))} of {number(len(rows))} are tried again." if len(free) < len(rows) else ""
    if ready:
        click.echo(ready["sentence"], err=True)
    beside = {"retried": len(free), "in_progress": len(rows) - len(free), "readiness": ready}
    return run_and_tell(migration, options, beside=beside, lines=[told] if told else [], as_json=as_json)


@incomplete.command(epilog=examples('graftport incomplete discard demo MS-004 --reason "sold out"'))
@migration_argument
@_choosing
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with each.")
@json_option
def discard(
    *, migration: Migration, ids: tuple[str, ...], resource_type: ResourceType | None, group: str, every: bool,
    except_ids: tuple[str, ...], reason: str, as_json: bool,
) -> None:  # fmt: skip
    """Give some up for good: they are not tried again until their payload changes.

    What a run is trying just now is left.
    """
    with open_store() as store:
        which = _which(store, migration, ids, resource_type, group, except_ids, every=every)
        rows = _chosen(store, migration, which)
        count = store.incomplete.discard(migration.slug, which, by=asking(), reason=reason)
    told = {"migration": migration.slug, "discarded": count, "in_progress": len(rows) - count, "reason": reason}
    line = f"{number(count)} given up." + (
        f" {len(rows) - count} are being tried just now." if count < len(rows) else ""
    )
    answer(told, lambda: Text(line), as_json=as_json)


def _readiness(store: RecordStore, migration: Migration, rows: Sequence[JsonObject]) -> JsonObject | None:
    """What has changed since the newest of the runs in which these failed; None where there is none any more."""
    from graftport_dagster.reports.readiness import readiness

    runs = [run for run_id in {row["run_id"] for row in rows} if (run := store.runs.find(run_id))]
    if not runs:
        return None
    types = tuple(name for name in ResourceType if any(row["resource_type"] == name for row in rows))
    return readiness(store, migration, max(runs, key=lambda run: run.seq), types)


def _which(
    store: RecordStore, migration: Migration, ids: Sequence[str], resource_type: ResourceType | None, group: str,
    except_ids: Sequence[str], *, every: bool,
) -> Which:  # fmt: skip
    if sum((bool(ids), bool(group), every)) != 1:
        raise click.UsageError("Give ids, --group or --all, one of them.", click.get_current_context())
    if ids and except_ids:
        raise click.UsageError("--except goes with --all or --group.", click.get_current_context())
    types = (resource_type,) if resource_type else ()
    named, but = (whole_ids(store, migration.slug, given) for given in (ids, except_ids))
    return Which(types, error_group=group, source_ids=named, except_ids=but)


def _chosen(store: RecordStore, migration: Migration, which: Which) -> list[JsonObject]:
    """The open ones. Raises ConfigurationError where there is none, an id is not open, or one of several types."""
    rows = store.incomplete.open(migration.slug, which)
    found = {row["source_id"] for row in rows}
    if missing := [printable(name) for name in which.source_ids if name not in found]:
        raise ConfigurationError(
            f"Not open: {', '.join(missing[:5])}.", code="NOT_OPEN",
            hint=f"`graftport incomplete list {migration.slug}` lists what is.",
        )  # fmt: skip
    if not rows:
        raise ConfigurationError(
            "Nothing of that is open.", code="NOTHING_OPEN",
            hint=f"`graftport incomplete list {migration.slug}` lists what is.",
        )  # fmt: skip
    types = {row["resource_type"] for row in rows}
    if which.source_ids and len(types) > 1:
        raise ConfigurationError(
            f"These ids are open in {' and '.join(sorted(types))}.", code="AMBIGUOUS_ID", path="resource_type",
            hint="Say of which: --resource-type.",
        )  # fmt: skip
    return rows


def _is_going_on(store: RecordStore, run_id: str) -> bool:
    run = store.runs.find(run_id) if run_id else None
    return run is not None and not run.result.is_final


def _presented(row: JsonObject) -> JsonObject:
    row = without_card_id(row)
    shown = {name: row[name] for name in _SHOWN}
    return shown | {name: presentable(row[name]) for name in ("message", "hint", "path")}


def _listing(rows: Sequence[JsonObject]) -> RenderableType:
    if not rows:
        return Text("Nothing is open.", style="green")
    lines = [
        (Text(printable(row["source_id"]), style="bold"), f"{row['resource_type']}, {row['phase']}", row["code"],
         Text(_next(row)), Text(row["message"], style="dim"))
        for row in rows
    ]  # fmt: skip
    return listing(("id", "of", "code", "next attempt (UTC)", "why"), lines, whole=(0,))


def _next(row: JsonObject) -> str:
    if row["status"] == "in_progress":
        return f"now, run {row['claimed_by'][:8]}"
    if row["next_attempt_at"]:
        return moment(row["next_attempt_at"])[:-3]
    return "when released" if row["outcome"] == "held" else "by a person"


def _whole(row: JsonObject) -> Iterator[RenderableType]:
    title = f"{printable(row['source_id'])}  {row['resource_type']}, {row['phase']}, {words(row['status'])}"
    facts = [Text(f"{row['code']}: {row['path'] + ': ' if row['path'] else ''}{row['message']}")]
    if row["hint"]:
        facts.append(Text(f"→ {row['hint']}", style="cyan"))
    tries = f"{row['tries']} {'try' if row['tries'] == 1 else 'tries'}"
    facts.append(Text(f"{tries}; next: {_next(row)}; open since {moment(row['opened_at'])}", style="dim"))
    tried = [
        (moment(one["at"]), one["phase"], one["outcome"], one["code"], f"run {one['run_id'][:8]}",
         " ".join(filter(None, (one["actor"], one["asked_because"]))))
        for one in row["attempts"]
    ]  # fmt: skip
    yield section(title, *facts, listing(("at (UTC)", "phase", "outcome", "code", "", "asked by"), tried))
    for name in ("source_payload", "payload"):
        if row[name] is not None:
            yield section(words(name), *payload(row[name]))

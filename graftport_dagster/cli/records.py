"""`graftport record` and `graftport errors`: what became of one record, and what is still open.

Which rows count as open and how they are grouped is decided in `reports/open_errors.py`; the
story of a record is the record store's.
"""

from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from graftport_dagster import reports
from graftport_dagster.cli.answers import answer, json_option
from graftport_dagster.cli.inputs import Word, examples, migration_argument, resource_type_argument
from graftport_dagster.cli.story import story
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, Phase, ResourceType
from graftport_dagster.reports.terminal import error_group, section
from graftport_dagster.reports.wording import moment, number
from graftport_dagster.store.place import open_store


@click.command(
    epilog=examples("graftport record demo products 24-MB01", "graftport record demo products 24-MB01 --payload --json")
)
@migration_argument
@resource_type_argument
@click.argument("source_id", metavar="SOURCE_ID")
@click.option("--payload", "with_payload", is_flag=True, help="The payloads as well, which may hold personal data.")
@json_option
def record(
    *, migration: Migration, resource_type: ResourceType, source_id: str, with_payload: bool, as_json: bool
) -> None:
    """Tell the whole story of one record: where it is, why, and every attempt."""
    with open_store() as store:
        told = reports.record_story(store, migration, resource_type, source_id, with_payload=with_payload)
    answer(told, lambda: story(told), as_json=as_json)


@click.command(
    epilog=examples(
        "graftport errors demo",
        "graftport errors demo --resource-type products --phase load",
        "graftport errors demo --group DataError:TAKEN --csv taken.csv",
    )
)
@migration_argument
@click.option("--resource-type", type=Word(ResourceType, "resource type"), metavar="TYPE", help="Only of this type.")
@click.option("--phase", type=Word(Phase, "phase"), metavar="PHASE", help="Only of extract, transform or load.")
@click.option("--group", default="", metavar="G", help="Only CODE, CLASS:CODE or CLASS:CODE:PATH.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write every row with its reason and source line.")  # fmt: skip
@click.option("--raw", is_flag=True, help="With --csv: the source's own row as well, which may hold personal data.")
@json_option
def errors(
    *, migration: Migration, resource_type: ResourceType | None, phase: Phase | None, group: str,
    csv_file: Path | None, raw: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show what is open now, grouped by cause, with what to do about it."""
    if raw and csv_file is None:
        raise click.UsageError("--raw goes with --csv.", click.get_current_context())
    with open_store() as store:
        rows = reports.open_errors(
            store, migration.slug, resource_type=resource_type, phase=phase, group=group, with_raw=raw
        )
    if csv_file:
        reports.write_errors_csv(rows, csv_file, with_raw=raw)
    groups = reports.group_errors(rows)
    shown = [{name: row[name] for name in reports.ERROR_COLUMNS} for row in rows]
    told = {"migration": migration.slug, "open": len(rows), "groups": groups, "records": shown}
    answer(told, lambda: _errors(told), as_json=as_json)


def _errors(told: JsonObject) -> RenderableType:
    if not told["open"]:
        return Text("Nothing is open.", style="green")
    sections: dict[str, list[RenderableType]] = {}
    for group in told["groups"]:
        seen = f"seen {moment(group['first_seen'])} to {moment(group['last_seen'])} UTC"
        parts = sections.setdefault(f"{group['resource_type']}, {group['phase']}", [])
        parts.append(error_group(group, beside=seen))
    return Group(
        Text.assemble((told["migration"], "bold"), f"  {number(told['open'])} open"),
        *(section(title, *parts) for title, parts in sections.items()),
    )

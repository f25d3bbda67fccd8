"""`graftport purge`: what is old, one customer's personal data, or all that a migration has read.

What is purged is decided in `store/`; here it is asked for, confirmed and listed.
"""

import click
from rich.console import Group, RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import answer, json_option
from graftport_dagster.cli.inputs import examples, given, migration_argument
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject
from graftport_dagster.reports.terminal import listing
from graftport_dagster.reports.wording import number, printable, words
from graftport_dagster.store.place import open_store


@click.command(
    epilog=examples(
        "graftport purge demo --dry-run", "graftport purge demo --older-than 30",
        "graftport purge demo --customer anna@example.com", "graftport purge demo --all --yes",
    )
)  # fmt: skip
@migration_argument
@click.option("--older-than", type=click.IntRange(min=1, max=36_500), metavar="DAYS",
              help="Instead of the migration file's retention.keep_days.")  # fmt: skip
@click.option("--customer", default="", callback=given, metavar="ID_OR_EMAIL",
              help="The personal data of this customer, whatever its age.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="All that was read, and made of it, whatever its age.")
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@click.option("--yes", is_flag=True, help="With --all: do not ask.")
@json_option
def purge(
    *, migration: Migration, older_than: int | None, customer: str, everything: bool, dry_run: bool, yes: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Remove what is old and needed by nothing, or personal data; what landed in Shopify stays known.

    Never what an open record, or a failed run that nothing has made good, still needs, but with --customer or --all.
    """
    if sum((older_than is not None, bool(customer), everything)) > 1:
        raise click.UsageError("Give --older-than, --customer or --all, one of them.", click.get_current_context())
    if everything and not (dry_run or yes):
        if as_json:
            raise click.UsageError("--all --json needs --yes, or --dry-run.", click.get_current_context())
        click.confirm(f"Remove all that {migration.slug} has read, for good?", abort=True, err=True)
    # Not at the top: a refused option does without them.
    from graftport_dagster.pipeline import purge_customer, purge_everything

    with open_store() as store:
        if customer:
            told = purge_customer(store, migration, customer, dry_run=dry_run)
        elif everything:
            told = purge_everything(store, migration, dry_run=dry_run)
        else:
            from graftport_dagster.defs.purging import purge_here

            told = purge_here(store, migration, days=older_than, dry_run=dry_run)
    answer(told, lambda: _told(told), as_json=as_json)


def _told(told: JsonObject) -> RenderableType:
    if not told["removed"]:
        return Text("There is nothing to remove.", style="green")
    rows = [(words(name), number(count)) for name, count in told["removed"].items()]
    parts: list[RenderableType] = [
        Text("Would be removed:" if told["dry_run"] else "Removed:", style="bold"),
        listing(("what", "how many"), rows, figures=(1,)),
    ]
    if records := told.get("records"):
        parts.append(Text("Records, which the next run reads anew if the source still has them:", style="bold"))
        parts.append(
            listing(("of", "id"), [(row["resource_type"], Text(printable(row["source_id"]))) for row in records])
        )
    parts += [
        Text(f"{words(name)}: {', '.join(one[:8] for one in told[name])}", style="dim")
        for name in ("runs", "dagster_runs")
        if told.get(name)
    ]
    if told["removed"].get("payloads_of_others"):
        parts.append(Text("Another migration has read some of it as well: purge it there, too.", style="yellow"))
    return Group(*parts)

"""`graftport migrations`, `pause` and `resume`: what there is to run, and whether it may.

What is right with a migration file is decided in `migration.py`; whether everything that a run needs is
there, in `check.py`.
"""

from collections.abc import Sequence
from datetime import datetime

import click
from rich.console import RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import ExitStatus, answer, json_option
from graftport_dagster.cli.inputs import asking, examples, migration_argument, reason_option
from graftport_dagster.migration import Migration, migrations_folder, survey
from graftport_dagster.records import JsonObject
from graftport_dagster.reports.terminal import listing
from graftport_dagster.reports.wording import presentable
from graftport_dagster.store.place import open_store


@click.command(epilog=examples("graftport migrations"))
@json_option
def migrations(*, as_json: bool) -> int:
    """List the migration files, what each moves, and what is wrong with those that are not right.

    Exit status 2 where something is wrong with one.
    """
    migrations, broken = survey()
    found = [
        {
            "slug": migration.slug,
            "description": migration.description,
            "platform": migration.platform,
            "source": migration.source.type,
            "shop": migration.destination.shop,
            "resource_types": [str(resource_type) for resource_type in migration.resource_types],
        }
        for migration in migrations.values()
    ]
    wrong = [{"slug": slug, "problem": presentable(str(error))} for slug, error in broken.items()]
    answer({"migrations": found, "broken": wrong}, lambda: _migrations(found, wrong), as_json=as_json)
    return ExitStatus.REFUSED if wrong else ExitStatus.DONE


def _migrations(found: Sequence[JsonObject], wrong: Sequence[JsonObject]) -> RenderableType:
    if not found and not wrong:
        return Text(f"There are no migration files in {migrations_folder()}.", style="dim")
    rows = [
        (Text(row["slug"], style="bold"), row["platform"], row["shop"],
         Text(", ".join(row["resource_types"]) or "all that the source has"))
        for row in found
    ]  # fmt: skip
    rows += [(Text(row["slug"], style="bold red"), "", "", Text(row["problem"], style="red")) for row in wrong]
    return listing(("migration", "from", "into", "resource types"), rows)


@click.command(epilog=examples('graftport pause demo --reason "cut-over freeze"'))
@migration_argument
@reason_option
@json_option
def pause(*, migration: Migration, reason: str, as_json: bool) -> None:
    """Stop every run, sensor and retry of a migration until it is resumed.

    A run that is under way is not touched: stop it with Ctrl-C or in Dagster.
    """
    with open_store() as store:
        store.stores.pause(migration.slug, by=asking(), reason=reason)
        paused = store.stores.paused(migration.slug) or {}
    told = {"migration": migration.slug, "paused": True, **_pause(paused)}
    line = f"{migration.slug} is paused: nothing of it runs until `graftport resume {migration.slug}`."
    answer(told, lambda: Text(line), as_json=as_json)


def _pause(paused: JsonObject) -> JsonObject:
    since = paused.get("since")
    return {
        "since": since.isoformat() if isinstance(since, datetime) else since,
        "by": paused.get("by"),
        "reason": paused.get("reason") or None,
    }


@click.command(epilog=examples("graftport resume demo"))
@migration_argument
@json_option
def resume(*, migration: Migration, as_json: bool) -> None:
    """Lift a pause."""
    with open_store() as store:
        was_paused = store.stores.resume(migration.slug, by=asking())
    told = {"migration": migration.slug, "paused": False, "was_paused": was_paused}
    line = f"{migration.slug} may run again." if was_paused else f"{migration.slug} was not paused."
    answer(told, lambda: Text(line), as_json=as_json)

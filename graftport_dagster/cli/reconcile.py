"""`graftport reconcile`: is everything that landed really in Shopify, and did it cost what it cost.

What is compared, and how, is decided in `reports/audit.py`; here it is asked for and shown.
"""

from collections.abc import Sequence

import click
from rich.console import Group, RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import ExitStatus, answer, json_option
from graftport_dagster.cli.inputs import examples, migration_argument, must_be_enabled, resource_types_option
from graftport_dagster.loaders import preflight
from graftport_dagster.migration import Migration
from graftport_dagster.pipeline import connect, loadable
from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.reports.audit import audit
from graftport_dagster.reports.terminal import listing, section
from graftport_dagster.reports.wording import number, printable
from graftport_dagster.store.place import open_store


@click.command(epilog=examples("graftport reconcile demo", "graftport reconcile demo --resource-types orders --json"))
@migration_argument
@resource_types_option("Only of these types.")
@json_option
def reconcile(*, migration: Migration, resource_types: Sequence[ResourceType], as_json: bool) -> int:
    """Hold what landed against the Shopify store: every object by its id, every order to the cent.

    Asks only. Exit status 0 when all is there and nothing differs, 3 when something is gone or differs.
    """
    must_be_enabled(migration, resource_types)
    wanted = tuple(resource_types) or tuple(migration.resource_types) or loadable()
    shop = connect(migration)
    try:
        facts = preflight.ask(shop)
        with open_store() as store:
            rows = list(audit(store, shop, migration.slug, facts.gid, wanted))
    finally:
        shop.close()
    told: JsonObject = {
        "migration": migration.slug, "store": facts.domain, "ok": all(row["ok"] for row in rows), "types": rows,
    }  # fmt: skip
    answer(told, lambda: _shown(told), as_json=as_json)
    return ExitStatus.DONE if told["ok"] else ExitStatus.WITH_ERRORS


def _shown(told: JsonObject) -> RenderableType:
    rows = told["types"]
    parts: list[RenderableType] = [
        Text(f"{told['migration']}  {'✓ all there' if told['ok'] else '! something is gone or differs'}"),
        Text(f"against {told['store']}", style="dim"),
        listing(
            ("type", "landed", "in Shopify", "gone"),
            [
                (row["resource_type"], number(row["landed"]), number(row["there"]), _gone(row))
                for row in rows
                if row["landed"]
            ],
            figures=(1, 2),
        ),
    ]
    parts += [_money(row) for row in rows if "sums" in row]
    return Group(*parts)


def _gone(row: JsonObject) -> str:
    count = row["landed"] - row["there"]
    return f"{number(count)}: {', '.join(map(printable, row['gone'][:3]))}{', …' if count > 3 else ''}" if count else ""


def _money(row: JsonObject) -> RenderableType:
    sums = listing(
        ("currency", "", "source", "Shopify"),
        [
            (currency, what, of[f"source_{amount}"], of[f"shopify_{amount}"])
            for currency, of in row["sums"].items()
            for amount, what in (("total", "cost"), ("refunded", "refunded"))
            if f"source_{amount}" in of
        ],
        figures=(2, 3),
    )
    differing = [
        Text(f"{printable(one['source_id'])}: {one['amount']} {one['source']} in the source, ")
        + Text(f"{one['shopify']} {one['currency']}")
        for one in row["differing"]
    ]
    return section(f"{row['resource_type']}: {number(row['compared'])} compared to the cent", sums, *differing)

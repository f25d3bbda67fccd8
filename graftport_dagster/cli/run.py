"""`graftport run`: a migration, or a part of it, in the foreground, and how it ended.

Here are the options; how a run is started, waited for and told is in `foreground.py`.
"""

from collections.abc import Iterable

import click

from graftport_dagster.cli.answers import json_option
from graftport_dagster.cli.foreground import must_not_be_paused, run_and_tell
from graftport_dagster.cli.inputs import (
    HOW_MANY,
    FieldFilter,
    asking,
    examples,
    given,
    migration_argument,
    must_be_enabled,
    phases_option,
    reason_option,
    resource_types_option,
    unknown,
)
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.loaders.groups import field_groups
from graftport_dagster.migration import Migration
from graftport_dagster.records import Phase, ResourceType, RunOptions
from graftport_dagster.store.place import open_store


@click.command(
    epilog=examples(
        "graftport run demo",
        "graftport run demo --dry-run --resource-types products --limit 20",
        "graftport run demo --phases transform,load --source-id 24-MB01",
        "graftport run demo --field-filter products=stock,price",
    )
)
@migration_argument
@phases_option("Only these phases (extract, transform, load); all unless given.")
@resource_types_option("Only these resource types; all that the migration moves unless given.")
@click.option("--dry-run", is_flag=True, help="Do everything but the last write, and report what would be done.")
@click.option("--live", is_flag=True, help="With --dry-run: read Shopify, so that differences are those of now.")
@click.option("--limit", type=HOW_MANY, metavar="N", help="Only the first N records of each type.")
@click.option("--source-id", "source_ids", multiple=True, metavar="ID", help="Only this record; may be repeated.")
@click.option("--error-group", default="", callback=given, metavar="G",
              help="Only records with an open error CODE or CLASS:CODE.")  # fmt: skip
@click.option("--conflict-strategy", type=click.Choice(["overwrite", "skip"]),
              help="For changed records that have landed; unless given, as the file says.")  # fmt: skip
@click.option("--all-records", is_flag=True, help="Send every record again, not only what is pending.")
@click.option("--field-filter", "field_filters", type=FieldFilter(), multiple=True, metavar="TYPE=GROUP,…",
              help="Update only these groups of fields; may be repeated.")  # fmt: skip
@click.option("--no-fail-on-row-errors", is_flag=True,
              help="Failed rows leave the partition materialized; the exit status is 3 still.")  # fmt: skip
@click.option("--confirm-store", is_flag=True, help="Load into this Shopify store though it is another than before.")
@click.option("--full-extract", is_flag=True, help="Read the whole source, not only what changed.")
@click.option("--mapping", default="current", metavar="V", help="This version of the mapping, for this run alone.")
@reason_option
@json_option
def run(
    *, migration: Migration, phases: tuple[Phase, ...], resource_types: tuple[ResourceType, ...], dry_run: bool,
    live: bool, limit: int | None, source_ids: tuple[str, ...], error_group: str, conflict_strategy: str | None,
    all_records: bool, field_filters: tuple[tuple[ResourceType, tuple[str, ...]], ...], no_fail_on_row_errors: bool,
    confirm_store: bool, full_extract: bool, mapping: str, reason: str, as_json: bool,
) -> int:  # fmt: skip
    """Run a migration, or some of its phases and resource types, in the foreground.

    Exit status: 0 succeeded or unchanged, 3 completed with errors, 1 failed, 2 wrong usage or configuration, 130
    canceled. Ctrl-C lets the call in flight finish; whatever happens, running again goes on where this run stopped.
    """
    if live and not dry_run:
        raise click.UsageError("--live goes with --dry-run.", click.get_current_context())
    options = RunOptions(
        phases=phases, resource_types=resource_types, dry_run=dry_run, live=live, limit=limit, source_ids=source_ids,
        error_group=error_group, only_dirty=not all_records,
        conflict_strategy=conflict_strategy or migration.options.conflict_strategy, field_filter=_merged(field_filters),
        fail_on_row_errors=not no_fail_on_row_errors, full_extract=full_extract, confirm_store=confirm_store,
        mapping=mapping, actor=asking(), reason=reason,
    )  # fmt: skip
    _refuse_beforehand(migration, options)
    return run_and_tell(migration, options, as_json=as_json)


def _merged(filters: Iterable[tuple[ResourceType, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """The groups of each type, whether they came in one option or in several. Raises ConfigurationError."""
    merged: dict[str, tuple[str, ...]] = {}
    for resource_type, groups in filters:
        known = sorted(field_groups(resource_type).names)
        for group in groups:
            if group not in known:
                raise ConfigurationError(
                    unknown(f"group of fields of {resource_type}", group, known), code="UNKNOWN_FIELD_GROUP"
                )
        merged[str(resource_type)] = (*merged.get(str(resource_type), ()), *groups)
    return merged


def _refuse_beforehand(migration: Migration, options: RunOptions) -> None:
    """What Dagster would take seconds to refuse."""
    must_be_enabled(migration, options.resource_types)
    with open_store() as store:
        must_not_be_paused(store, migration)
        if options.mapping not in ("current", "original"):
            for resource_type in options.resource_types or migration.resource_types:
                store.mappings.find(migration.platform, resource_type, options.mapping)
    if Phase.LOAD in options.phases:
        # On demand: it brings what a refused option does without.
        from graftport_dagster.pipeline import must_have_secrets

        must_have_secrets(migration)

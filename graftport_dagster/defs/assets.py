"""The assets of one migration: what was read, what is staged, what has landed, what is open.

Three of them have a partition per resource type and one body, `steps.run_step`; they pass
nothing to each other, because the record store is the only memory.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from graftport_dagster.defs.checks import check_specs
from graftport_dagster.defs.layout import ASSET_OF, Layout
from graftport_dagster.defs.options import OptionsResource
from graftport_dagster.defs.steps import Event, run_step
from graftport_dagster.defs.telling import open_records_metadata
from graftport_dagster.mappings.registry import file_of
from graftport_dagster.records import Phase
from graftport_dagster.store.place import open_store

OWNER = "team:migration"
# Raised when the meaning of what is stored changes, so that Dagster shows older partitions as outdated.
CODE_VERSION = "1"


def build_assets(layout: Layout) -> list[dg.AssetsDefinition]:
    """`source_data → staged_records → shopify_loads` by resource type, and `incomplete_records`."""

    @_asset(layout, Phase.EXTRACT, kinds={"source", layout.migration.platform})
    def source_data(context: dg.AssetExecutionContext, options: OptionsResource) -> Iterator[Event]:
        """Records exactly as the source returned them, by stable id, each content stored once."""
        yield from run_step(context, layout, Phase.EXTRACT, options)

    @_asset(layout, Phase.TRANSFORM, deps=[source_data], kinds={"jsonata"})
    def staged_records(context: dg.AssetExecutionContext, options: OptionsResource) -> Iterator[Event]:
        """Shopify's own input for each record, made by the mapping version in use and checked against the schema."""
        yield from run_step(context, layout, Phase.TRANSFORM, options)

    @_asset(layout, Phase.LOAD, deps=[staged_records], kinds={"shopify"})
    def shopify_loads(context: dg.AssetExecutionContext, options: OptionsResource) -> Iterator[Event]:
        """What has landed in the Shopify store: created, updated, skipped, held or refused, each record once."""
        yield from run_step(context, layout, Phase.LOAD, options)

    @dg.asset(
        key=layout.asset("incomplete_records"), group_name=layout.slug, owners=[OWNER], tags=layout.tags,
        code_version=CODE_VERSION, deps=[shopify_loads], kinds={"sql"},
    )  # fmt: skip
    def incomplete_records() -> dg.MaterializeResult[None]:
        """Records whose last attempt did not end well, by class and age; every run refreshes the figures."""
        with open_store() as store:
            return dg.MaterializeResult(metadata=open_records_metadata(store, layout.migration, now=datetime.now(UTC)))

    # Where the UI is on the machine that has the code, it opens the body of an asset in the editor.
    linked = dg.with_source_code_references([source_data, staged_records, shopify_loads, incomplete_records])
    return [one for one in linked if isinstance(one, dg.AssetsDefinition)]


def _files_behind(layout: Layout, phase: Phase) -> dict[str, dg.CodeReferencesMetadataValue]:
    """The mapping files behind what is staged, the migration file behind the rest: links that the UI shows."""
    migration = layout.migration
    files = {f"mapping of {kind}": file_of(migration, kind) for kind in layout.resource_types}
    if phase is not Phase.TRANSFORM:
        names = (f"{migration.slug}.yaml", f"{migration.slug}.yml", "migration.yaml")
        files = {"migration file": next((path for name in names if (path := migration.folder / name).is_file()), None)}
    links = [
        dg.LocalFileCodeReference(file_path=str(path.absolute()), label=label) for label, path in files.items() if path
    ]
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[*links])} if links else {}


def _asset(
    layout: Layout, phase: Phase, *, kinds: set[str], deps: Sequence[dg.AssetsDefinition] = ()
) -> Callable[[Callable[..., Iterator[Event]]], dg.AssetsDefinition]:
    return dg.asset(
        key=layout.asset(ASSET_OF[phase]),
        group_name=layout.slug,
        partitions_def=layout.partitions,
        owners=[OWNER],
        tags=layout.tags,
        kinds=kinds,
        deps=deps,
        code_version=CODE_VERSION,
        check_specs=check_specs(layout, phase),
        metadata=_files_behind(layout, phase),
        pool=layout.pool if phase is Phase.LOAD else None,
    )

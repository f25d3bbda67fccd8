"""What the things of one migration are called in Dagster, and which partitions they have.

Names only: nothing here runs anything, reads a source or opens the record store.
"""

from dataclasses import dataclass
from functools import cached_property

import dagster as dg

from graftport_dagster import pipeline
from graftport_dagster.migration import Migration
from graftport_dagster.records import Phase, ResourceType

# Tags on Dagster's runs. Dagster shows and filters them; Graftport's own record of a run is in the record store.
MIGRATION_TAG = "graftport/migration"
PARENT_TAG = "graftport/parent"
RETRY_TAG = "graftport/retry_of"
REPLAY_TAG = "graftport/replay_of"
WAVE_TAG = "graftport/wave"
PHASES_TAG = "graftport/phases"
RESULT_TAG = "graftport/result"
COUNTS_TAG = "graftport/counts"
FIRST_ERROR_TAG = "graftport/first_error"
DRY_RUN_TAG = "graftport/dry_run"
SCHEDULE_TAG = "graftport/schedule"
# Dagster keeps tags with this beginning to itself: no page shows them.
HOST_TAG = ".dagster/graftport_worker_host"
PROCESS_TAG = ".dagster/graftport_worker_process"

ASSET_OF = {Phase.EXTRACT: "source_data", Phase.TRANSFORM: "staged_records", Phase.LOAD: "shopify_loads"}


@dataclass(frozen=True)
class Layout:
    """The names of one migration's definitions."""

    migration: Migration

    @property
    def slug(self) -> str:
        """The migration's name, which starts every other."""
        return self.migration.slug

    @cached_property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """The enabled types in dependency order: the partitions.

        Those that the file names; else those whose files it names; else all that can be loaded. Asking the
        source itself would mean network traffic whenever Dagster looks at the code. Raises ConfigurationError
        where the file names a type that cannot be loaded: leaving it out would look like success.
        """
        for resource_type in self.migration.resource_types:
            pipeline.must_be_loadable(resource_type)
        named = self.migration.resource_types or self.migration.source.named_types()
        return tuple(kind for kind in ResourceType if kind in (named or ResourceType) and kind in pipeline.loadable())

    @cached_property
    def partitions(self) -> dg.StaticPartitionsDefinition:
        """One partition per enabled resource type, in dependency order."""
        return dg.StaticPartitionsDefinition([str(resource_type) for resource_type in self.resource_types])

    @property
    def pool(self) -> str:
        """The pool that keeps two queued runs from one store."""
        return f"shopify_{self.slug}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of every run of this migration."""
        return {MIGRATION_TAG: self.slug}

    def asset(self, name: str) -> dg.AssetKey:
        """The key of an asset of this migration."""
        return dg.AssetKey([self.slug, name])

    def assets(self, phases: tuple[Phase, ...]) -> list[dg.AssetKey]:
        """The assets that these phases materialize."""
        return [self.asset(ASSET_OF[phase]) for phase in phases]

    def job(self, name: str) -> str:
        """The name of a job or sensor of this migration."""
        return f"{self.slug}_{name}"

    def resource_type(self, context: dg.AssetExecutionContext) -> ResourceType:
        """The type that this run's partition names. Raises dg.Failure that names the partitions there are."""
        key = context.partition_key if context.has_partition_key else ""
        if key in self.partitions.get_partition_keys():
            return ResourceType(key)
        first = self.resource_types[0] if self.resource_types else ""
        raise dg.Failure(
            (f"{self.slug} has no partition {key}." if key else f"A run of {self.slug}'s assets needs one partition.")
            + f" There are: {', '.join(self.resource_types)}."
            + f""" On the command line: --tags '{{"dagster/partition": "{first}"}}'.""",
            allow_retries=False,
        )

    def phases(self, context: dg.AssetExecutionContext) -> tuple[Phase, ...]:
        """The phases that this run does: those whose assets are selected, less those not executed again."""
        steps = context.run.step_keys_to_execute or [node.name for node in context.job_def.graph.node_defs]
        return tuple(phase for phase in Phase if f"{self.slug}__{ASSET_OF[phase]}" in steps)

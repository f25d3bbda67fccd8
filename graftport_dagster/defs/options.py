"""What a person may ask of one run, as the resource `options` that every asset and op takes.

One key for all of them, so that run configuration is always
`resources: {options: {config: {limit: 5}}}`. Here a configuration becomes `records.RunOptions`; the other
way round is `launch.run_config`, and what the options do is decided in `pipeline/`.
"""

from enum import Enum

import dagster as dg
from pydantic import Field

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration
from graftport_dagster.records import Phase, ResourceType, RunOptions


# Dagster's configuration takes an enum's *names*, so these are named as people write them.
class PhaseChoice(Enum):
    """`records.Phase`, as configuration."""

    extract = "extract"
    transform = "transform"
    load = "load"


class ResourceTypeChoice(Enum):
    """`records.ResourceType`, as configuration."""

    collections = "collections"
    products = "products"
    customers = "customers"
    discount_codes = "discount_codes"
    gift_cards = "gift_cards"
    orders = "orders"
    blogs = "blogs"
    markets = "markets"
    redirects = "redirects"


class ConflictStrategyChoice(Enum):
    """What happens to a record that has landed before and changed since."""

    overwrite = "overwrite"
    skip = "skip"


class OptionsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The options of one run; what is left out is the migration's default."""

    phases: list[PhaseChoice] | None = Field(
        default=None,
        description="For `_migrate` and `_dry_run`: extract, transform, load, or some of them. All, unless given. "
        "Runs of assets do the phases of the assets that are selected.",
    )
    resource_types: list[ResourceTypeChoice] | None = Field(
        default=None,
        description="For `_migrate` and `_dry_run`: only these types. All that are enabled, unless given. "
        "Runs of assets do the type that their partition names.",
    )
    limit: int | None = Field(default=None, description="Only the first so many records of each type; 1 or more.")
    source_ids: list[str] = Field(default=[], description="Only the records with these ids in the source.")
    error_group: str = Field(
        default="",
        description="Only records with an open error of this group: `CODE`, `Class:CODE` or `Class:CODE:path`.",
    )
    except_ids: list[str] = Field(default=[], description="With `retry`: all but the records with these ids.")
    retry: str = Field(
        default="",
        description="`open`: nothing but open incomplete records, each sent once more; `due`: those of them that the "
        "retry schedule wants tried now. What another run has claimed is left to it.",
    )
    only_dirty: bool = Field(default=True, description="Load only what is pending; false sends every record again.")
    conflict_strategy: ConflictStrategyChoice | None = Field(
        default=None, description="overwrite: changed records are updated. skip: they are left and stay pending."
    )
    field_filter: dict[str, list[str]] = Field(
        default={},
        description="Groups of fields that updates may send, per type: `{products: [stock, price]}`. "
        "New records load whole.",
    )
    live: bool = Field(default=False, description="For `_dry_run`: read Shopify, so that differences are by field.")
    fail_on_row_errors: bool = Field(
        default=True,
        description="After everything that could land has landed, fail where rows could not. "
        "Schedules and sensors say false.",
    )
    resend_refused: bool = Field(
        default=True,
        description="Send again what Shopify refused before though nothing changed. Schedules and sensors say false.",
    )
    full_extract: bool = Field(default=False, description="Read the whole source, also where it can say what changed.")
    confirm_store: bool = Field(
        default=False, description="Load into this Shopify store although the migration has loaded into another before."
    )
    mapping: str = Field(
        default="current",
        description="current: the pinned version. Or another one for this run alone, by its number or content hash.",
    )
    replay_of: str = Field(default="", description="For `_replay`: the id of the run to repeat, on the data it had.")
    overwrite_newer: bool = Field(
        default=False, description="For `_replay`: send records too for which something newer has landed since."
    )
    actor: str = Field(default="", description="Who asks; kept with every attempt.")
    reason: str = Field(default="", description="Why; kept with every attempt.")

    def types(self) -> tuple[ResourceType, ...]:
        """The resource types asked for, in dependency order; empty for all."""
        asked = {choice.value for choice in self.resource_types or ()}
        return tuple(resource_type for resource_type in ResourceType if resource_type in asked)

    def to_run_options(
        self,
        migration: Migration,
        *,
        phases: tuple[Phase, ...] = (),
        resource_types: tuple[ResourceType, ...] = (),
        dry_run: bool = False,
    ) -> RunOptions:
        """What the run is asked to do. `phases` and `resource_types` given here win over those configured.

        Raises ConfigurationError for values that Dagster's own check of types lets through.
        """
        self._check()
        asked = {choice.value for choice in self.phases or PhaseChoice}
        strategy = self.conflict_strategy.value if self.conflict_strategy else migration.options.conflict_strategy
        return RunOptions(
            phases=phases or tuple(phase for phase in Phase if phase in asked),
            resource_types=resource_types or self.types(),
            dry_run=dry_run,
            live=self.live,
            limit=self.limit,
            source_ids=tuple(self.source_ids),
            error_group=self.error_group,
            except_ids=tuple(self.except_ids),
            retry=self.retry,
            only_dirty=self.only_dirty,
            conflict_strategy=strategy,
            field_filter={name: tuple(groups) for name, groups in self.field_filter.items()},
            fail_on_row_errors=self.fail_on_row_errors,
            resend_refused=self.resend_refused,
            full_extract=self.full_extract,
            confirm_store=self.confirm_store,
            mapping=self.mapping,
            replay_of=self.replay_of,
            overwrite_newer=self.overwrite_newer,
            actor=self.actor,
            reason=self.reason,
        )

    def _check(self) -> None:
        # Not as constraints of the fields: Dagster would answer with pydantic's error and a stack.
        if self.limit is not None and not 1 <= self.limit < 2**31:
            raise ConfigurationError(f"{self.limit} is no number of records.", path="limit", hint="Write 1 or more.")
        for name, given, choices in (
            ("phases", self.phases, PhaseChoice), ("resource_types", self.resource_types, ResourceTypeChoice),
        ):  # fmt: skip
            if given is not None and not given:
                hint = f"Leave it away for all, or name some of {', '.join(choice.value for choice in choices)}."
                raise ConfigurationError("The list is empty.", path=name, hint=hint)


# One object for all migrations: `Definitions.merge` refuses two values under one key.
OPTIONS = OptionsResource()

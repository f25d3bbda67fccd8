"""What commands take: a migration by its slug, resource types, phases, field filters, times.

Each is a click type whose refusal is a sentence that names the nearest thing there is. Nothing
is opened here but the migration files; whether a record or a run exists, the record store says.
"""

import difflib
import getpass
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration, find_migration
from graftport_dagster.records import Phase, ResourceType


class WrongInputError(click.BadParameter):
    """A refused argument or option, in one sentence of ours without click's "Invalid value for"."""

    def format_message(self) -> str:
        """The sentence."""
        return self.message


class _Input(click.ParamType):  # type: ignore[type-arg]  # generic in later releases of click only
    def refuse(self, message: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        raise WrongInputError(message, ctx=ctx, param=param)


class MigrationName(_Input):
    """A slug; becomes the migration."""

    name = "slug"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Migration:
        """The migration of that slug, read from its file."""
        if isinstance(value, Migration):
            return value
        try:
            return find_migration(value)
        except ConfigurationError as error:
            if error.code != "NO_MIGRATION":
                raise
            self.refuse(str(error), param, ctx)


class Word(_Input):
    """A word of an enum, or, with `several`, a tuple of them from a list with commas."""

    def __init__(self, enum: type[StrEnum], name: str, *, several: bool = False) -> None:
        self.enum, self.name, self.several = enum, name, several

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word, or the tuple of words in the enum's order."""
        if not isinstance(value, str) or isinstance(value, self.enum):
            return value
        if not self.several:
            return self._word(value, param, ctx)
        named = {self._word(part, param, ctx) for part in value.split(",") if part.strip()}
        if not named:
            self.refuse(f"Name at least one {self.name}: {', '.join(self.enum)}.", param, ctx)
        return tuple(word for word in self.enum if word in named)

    def _word(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> StrEnum:
        word = value.strip().lower().replace("-", "_")
        if word not in list(self.enum):
            self.refuse(unknown(self.name, value.strip(), list(self.enum)), param, ctx)
        return self.enum(word)


class FieldFilter(_Input):
    """`products=stock,price`; becomes (resource type, groups of fields)."""

    name = "type=group,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The pair of type and groups."""
        if not isinstance(value, str):
            return value
        name, equals, groups = value.partition("=")
        chosen = tuple(group.strip() for group in groups.split(",") if group.strip())
        if not equals or not chosen:
            self.refuse(f"{value} is no field filter; write for example products=stock,price.", param, ctx)
        return Word(ResourceType, "resource type").convert(name, param, ctx), chosen


class Moment(_Input):
    """A date or time in ISO 8601, UTC where it names no zone; `end`: a bare date means its end."""

    name = "time"

    def __init__(self, *, end: bool = False) -> None:
        self.end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment, with its zone."""
        if isinstance(value, datetime):
            return value
        is_date = len(value.strip()) <= len("2026-11-21")
        try:
            moment = datetime.fromisoformat(value.strip())
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment + timedelta(days=1) if self.end and is_date else moment
        except (ValueError, OverflowError):
            self.refuse(f"{value} is no time; write for example 2026-11-21 or 2026-11-21T18:30+01:00.", param, ctx)


def unknown(what: str, value: str, known: Sequence[str]) -> str:
    """`There is no resource type product. Did you mean products?`, or the names that there are."""
    near = difflib.get_close_matches(value.lower(), known, n=1)
    return f"There is no {what} {value}. " + (f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}.")


def examples(*lines: str) -> str:
    """The end of a command's help."""
    # \b keeps click from running the lines together.
    return "\b\n" + "\n".join(["Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])


def must_be_enabled(migration: Migration, resource_types: Sequence[ResourceType]) -> None:
    """Raises ConfigurationError for a resource type that the migration does not move, or nobody can load."""
    # On demand: asking costs half a second of imports, and most commands name no type.
    from graftport_dagster.loaders.registry import must_be_loadable

    enabled = migration.resource_types
    for resource_type in resource_types:
        if enabled and resource_type not in enabled:
            raise ConfigurationError(
                f"The migration {migration.slug} does not move {resource_type}.", code="NOT_ENABLED",
                hint=f"Its file enables: {', '.join(enabled)}.",
            )  # fmt: skip
        must_be_loadable(resource_type)


def asking() -> str:
    """The name kept beside what a person asked for on the command line."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "command line"


def given(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Refuses an option that was given empty, as by a variable that is not set: it would narrow nothing."""
    if not value and ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE:
        raise WrongInputError(f"{param.opts[0]} is empty.", ctx=ctx, param=param)
    return value


HOW_MANY = click.IntRange(min=1, max=2**31 - 1)
migration_argument = click.argument("migration", type=MigrationName(), metavar="SLUG")
resource_type_argument = click.argument("resource_type", type=Word(ResourceType, "resource type"), metavar="TYPE")
reason_option = click.option("--reason", default="", metavar="TEXT", help="Kept beside what was done.")


def resource_types_option(description: str) -> Callable[[Any], Any]:
    """`--resource-types products,orders`."""
    return click.option(
        "--resource-types", type=Word(ResourceType, "resource type", several=True), default=(), metavar="TYPE,…",
        help=description,
    )  # fmt: skip


def phases_option(description: str) -> Callable[[Any], Any]:
    """`--phases extract,transform`."""
    return click.option(
        "--phases", type=Word(Phase, "phase", several=True), default=tuple(Phase), metavar="PHASE,…", help=description
    )

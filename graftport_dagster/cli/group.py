"""The command group: which module each command is in, and what happens when one fails.

Every refusal becomes one sentence on stderr, or with --json one object on stdout, and an exit
status; nothing else in this package catches errors. What the statuses mean is in `answers.py`.
"""

import errno
import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from graftport_dagster.cli.answers import ExitStatus, refuse
from graftport_dagster.cli.inputs import WrongInputError, examples, unknown
from graftport_dagster.errors import ConfigurationError, GraftportError

# name → (module, one line for the list of commands); the order is that of the list.
COMMANDS = {
    "run": ("run", "Run a migration, or some of its phases and resource types, in the foreground."),
    "report": ("runs", "Show what a run did: the last one, or the one whose id begins with RUN."),
    "runs": ("runs", "List runs, oldest first."),
    "record": ("records", "Tell the whole story of one record: where it is, why, and every attempt."),
    "errors": ("records", "Show what is open now, grouped by cause, with what to do about it."),
    "incomplete": ("incomplete", "Records that did not end well: list, show, retry, discard."),
    "status": (
        "status",
        "Show how a migration stands: pauses, runs under way, what is open and when it is tried again.",
    ),
    "retry": ("retry", "Do again what did not end well in a run, with the same options, in a new run."),
    "replay": (
        "replay",
        "Repeat runs on exactly the source data that they had, one after the other, oldest first.",
    ),
    "cancel": (
        "retry",
        "Stop a run, wherever it runs: the call in flight ends and is recorded, nothing new begins.",
    ),
    "migrations": (
        "migrations",
        "List the migration files, what each moves, and what is wrong with those that are not right.",
    ),
    "reconcile": (
        "reconcile",
        "Hold what landed against the Shopify store: every object by its id, every order to the cent.",
    ),
    "check": ("check", "Look at everything that a run needs, and say what is missing."),
    "pause": ("migrations", "Stop every run, sensor and retry of a migration until it is resumed."),
    "resume": ("migrations", "Lift a pause."),
    "purge": (
        "purge",
        "Remove what is old and needed by nothing, or personal data; what landed in Shopify stays known.",
    ),
    "mapping": ("mapping", "History, pins and previews of mappings."),
    "simulator": ("simulator", "Serve a simulated Shopify store, or another simulated shop, until Ctrl-C."),
}

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Which argument or option a refusal is about, where its code says so.
_FIELDS = {
    "NOT_ENDED": "run_id", "HAS_ENDED": "run_id", "BEING_RETRIED": "run_id", "NOTHING_TO_RETRY": "run_id",
    "NOT_IN_RUN": "resource_type", "NO_MIGRATION": "migration", "NOT_OPEN": "ids", "NOTHING_OPEN": "ids",
    "NO_RECORD": "source_id", "NO_RUN": "run_id", "AMBIGUOUS_RUN": "run_id",
    "NO_PLATFORM": "platform", "NOT_ENABLED": "resource_types", "MAPPING_VERSION": "version",
    "NO_CUSTOMER": "customer", "UNKNOWN_FIELD_GROUP": "field_filters",
}  # fmt: skip


class _Commands(click.Group):
    """Imports a command's module when the command is asked for; turns what is raised into an answer."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the list."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, whose module is imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"graftport_dagster.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but naming the nearest command for one that is not there."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise WrongInputError(unknown("command", args[0], list(COMMANDS)), ctx=ctx, param_hint="command")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Runs a command and exits with its status, whoever calls."""
        arguments = sys.argv[1:] if args is None else list(args)
        extra["standalone_mode"] = False
        try:
            status = super().main(arguments, *rest, **extra)
        except click.Abort:
            status = ExitStatus.CANCELED
        except Exception as error:  # noqa: BLE001 - whatever it was, the answer is in the form that was asked for
            status = _answer_to(error, as_json="--json" in arguments)
        sys.exit(status or ExitStatus.DONE)


def _answer_to(error: Exception, *, as_json: bool) -> ExitStatus:
    if isinstance(error, click.ClickException):
        refuse(_field(error), [_sentence(error)], as_json=as_json)
        return ExitStatus.REFUSED
    if isinstance(error, GraftportError):
        refuse(_field(error), [str(error)], as_json=as_json)
        return ExitStatus.REFUSED if isinstance(error, ConfigurationError) else ExitStatus.FAILED
    if isinstance(error, OSError) and (error.filename or error.errno in _FULL):
        # A full disk, a file that may not be written: the system's own words need no traceback.
        place = f"{error.filename}: " if error.filename else ""
        refuse(str(error.filename or ""), [f"{place}{error.strerror}."], as_json=as_json)
        return ExitStatus.FAILED
    traceback.print_exception(error)
    refuse("", [f"Unexpected {type(error).__name__}: {error}"], as_json=as_json)
    return ExitStatus.FAILED


def _field(error: click.ClickException | GraftportError) -> str:
    if isinstance(error, GraftportError):
        return _FIELDS.get(error.code, error.path)
    if isinstance(error, click.NoSuchOption):
        return error.option_name.lstrip("-").replace("-", "_")
    if isinstance(error, click.BadParameter):
        return str(error.param.name if error.param else error.param_hint or "")
    return ""


def _sentence(error: click.ClickException) -> str:
    message = error.format_message()
    if isinstance(error, click.UsageError) and not isinstance(error, WrongInputError) and error.ctx:
        return f"{message} `{error.ctx.command_path} --help` tells how."
    return message


@click.group(
    cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "graftport check demo", "graftport run demo --resource-types products --dry-run", "graftport run demo",
        "graftport record demo products 24-MB01",
    ),
)  # fmt: skip
@click.version_option(package_name="graftport-dagster", message="%(package)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Move a shop into Shopify: run migrations, and see what became of every record.

    SLUG is the name of a migration file in the folder that GRAFTPORT_MIGRATIONS names (`graftport migrations`
    lists them). Every command takes --json. Exit status: 0 done, 1 failed, 2 wrong usage or configuration,
    3 completed with errors, 130 canceled.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())

"""How every command answers and ends: one JSON object on stdout, or something to read; an exit status.

What is refused is told in one sentence on stderr, or with --json as `{"errors": [{"field", "messages"}]}`
on stdout, so that a script reads stdout alone. Progress and logs go to stderr in either case. Which
exception becomes which refusal is in `group.py`; what tables look like is in
`reports/terminal.py`.
"""

import json
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum

import click
from rich.console import Console, RenderableType

from graftport_dagster.records import JsonObject, Result

_NARROWEST = 64

json_option = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object on stdout.")


class ExitStatus(IntEnum):
    """Part of the contract: scripts decide by it."""

    DONE = 0
    FAILED = 1
    REFUSED = 2
    WITH_ERRORS = 3
    CANCELED = 130

    @classmethod
    def of(cls, result: Result) -> "ExitStatus":
        """What `graftport run` exits with when its run ended so; one that has not ended has failed."""
        return _BY_RESULT.get(result, cls.FAILED)


_BY_RESULT = {
    Result.SUCCEEDED: ExitStatus.DONE,
    Result.UNCHANGED: ExitStatus.DONE,
    Result.COMPLETED_WITH_ERRORS: ExitStatus.WITH_ERRORS,
    Result.CANCELED: ExitStatus.CANCELED,
}


def answer(data: JsonObject, shown: Callable[[], RenderableType], *, as_json: bool) -> None:
    """Prints the object, or what `shown` makes for a reader (called only then)."""
    if as_json:
        # A lone surrogate (an id from a file that is not UTF-8) becomes the JSON escape of itself.
        text = json.dumps(data, indent=2, ensure_ascii=False).encode(errors="backslashreplace").decode()
        click.echo(text)
    else:
        show(shown())


def show(shown: RenderableType) -> None:
    """Prints for a reader: in colour on a terminal, plain and 80 columns wide (or COLUMNS) elsewhere.

    A terminal narrower than the tables need breaks their lines itself, which reads better than words cut to letters.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = max(console.width, _NARROWEST)
    with console.capture() as capture:
        console.print(shown)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = "\n".join(line.rstrip() for line in capture.get().split("\n"))
    click.echo(text.encode(encoding, errors="replace").decode(encoding), nl=False, color=console.is_terminal)


def refuse(field: str, messages: Sequence[str], *, as_json: bool) -> None:
    """Says why nothing, or nothing more, was done."""
    # Not at the top: the package of reports brings SQLAlchemy, which a plain --help does without.
    from graftport_dagster.reports.wording import presentable

    messages = [presentable(message) for message in messages]
    if as_json:
        click.echo(json.dumps({"errors": [{"field": field, "messages": messages}]}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(f"Error: {message}" for message in messages), err=True)

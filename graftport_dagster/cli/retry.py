"""`graftport retry` and `graftport cancel`: a run once more, or a run no more.

What trying again can change is said by `reports/readiness.py`; the retry itself is a run like any
other. That a run notices its cancel is in `pipeline/work.py` and `defs/stopping.py`.
"""

import time
from dataclasses import replace

import click
from rich.text import Text

from graftport_dagster.cli.answers import answer, json_option
from graftport_dagster.cli.inputs import Word, asking, examples, reason_option
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import find_migration
from graftport_dagster.records import JsonObject, ResourceType, Result, Run
from graftport_dagster.reports.account import find_run
from graftport_dagster.reports.wording import words
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore

_GOOD = (Result.SUCCEEDED, Result.UNCHANGED)
_LOOK_SECONDS = 0.5


@click.command(
    epilog=examples(
        "graftport retry 3f2a91c0", "graftport retry 3f2a91c0 --resource-type products --mapping original",
    )
)  # fmt: skip
@click.argument("run_id", metavar="RUN")
@click.option("--resource-type", type=Word(ResourceType, "resource type"), metavar="TYPE",
              help="Only this type; all that did not end well unless given.")  # fmt: skip
@click.option("--mapping", type=click.Choice(["current", "original"]), default="current", show_default=True,
              help="The version in use now, or the one that the run applied.")  # fmt: skip
@reason_option
@json_option
def retry(*, run_id: str, resource_type: ResourceType | None, mapping: str, reason: str, as_json: bool) -> int:
    """Do again what did not end well in a run, with the same options, in a new run.

    First it is said what has changed since the last attempt, or that the same error is to be expected.
    """
    from graftport_dagster.cli.foreground import must_not_be_paused, run_and_tell
    from graftport_dagster.reports.readiness import readiness

    with open_store() as store:
        run = find_run(store, run_id)
        migration = find_migration(run.migration)
        must_not_be_paused(store, migration)
        last, types = _left(store, run, _types(store, run, resource_type))
        ready = readiness(store, migration, last, types, mapping=mapping)
    options = replace(run.options, resource_types=types, mapping=mapping, actor=asking(), reason=reason, retry="")
    click.echo(ready["sentence"], err=True)
    beside = {"retry_of": last.run_id, "readiness": ready}
    return run_and_tell(migration, options, retry_of=last.run_id, beside=beside, as_json=as_json)


def _types(store: RecordStore, run: Run, wanted: ResourceType | None) -> tuple[ResourceType, ...]:
    from graftport_dagster.reports.readiness import troubled_types

    if not run.result.is_final:
        raise ConfigurationError(
            f"Run {run.run_id} has not ended yet.", code="NOT_ENDED",
            hint=f"Wait for its end, or stop it: graftport cancel {run.run_id}.",
        )  # fmt: skip
    items = store.runs.items(run.run_id)
    if wanted is not None and wanted not in {item.resource_type for item in items}:
        raise ConfigurationError(f"Run {run.run_id} did nothing for {wanted}.", code="NOT_IN_RUN")
    bad = troubled_types(items)
    if not bad and run.result not in _GOOD:
        # It failed before its first item.
        bad = run.options.resource_types
    types = tuple(name for name in bad if wanted in (None, name))
    if not types:
        raise ConfigurationError(
            f"Run {run.run_id} ended well{f' for {wanted}' if wanted else ''}.", code="NOTHING_TO_RETRY"
        )
    return types


def _left(store: RecordStore, run: Run, types: tuple[ResourceType, ...]) -> tuple[Run, tuple[ResourceType, ...]]:
    """The newest try in the line that begins with this run, and the types that none of it has made good.

    Raises ConfigurationError where another one goes on, or nothing is left.
    """
    again = store.runs.tries_again(run.run_id)
    for other in again:
        if not other.result.is_final:
            raise ConfigurationError(
                f"Run {other.run_id} tries it again already.", code="BEING_RETRIED",
                hint="Wait for its end, or cancel it.",
            )  # fmt: skip
    good = {name: other for other in again if other.result in _GOOD for name in other.options.resource_types}
    left = tuple(name for name in types if name not in good)
    if types and not left:
        raise ConfigurationError(f"Run {good[types[-1]].run_id} has made it good.", code="NOTHING_TO_RETRY")
    return (again[-1] if again else run), left


@click.command(epilog=examples("graftport cancel 3f2a91c0"))
@click.argument("run_id", metavar="RUN")
@click.option("--wait", "wait_seconds", type=click.FloatRange(min=0), default=60.0, show_default=True,
              metavar="SECONDS", help="How long to wait for its end; 0 only asks.")  # fmt: skip
@json_option
def cancel(*, run_id: str, wait_seconds: float, as_json: bool) -> None:
    """Stop a run, wherever it runs: the call in flight ends and is recorded, nothing new begins.

    Its result is `canceled`, and nothing restarts it. Running again goes on where it stopped.
    """
    # Not at the top: it brings Dagster.
    from graftport_dagster.defs.canceling import cancel_in_dagster

    with open_store() as store:
        run = store.runs.find(run_id)
        if run is not None and run.result.is_final:
            raise ConfigurationError(f"Run {run.run_id} has ended: {words(run.result)}.", code="HAS_ENDED")
        if run is not None:
            store.runs.ask_to_cancel(run.run_id, asking())
        status = cancel_in_dagster(run.run_id if run else run_id)
        if run is None and not status:
            run = find_run(store, run_id)
        if run is None and status in ("SUCCESS", "FAILURE"):
            raise ConfigurationError(f"Run {run_id} has ended: {status.lower()}.", code="HAS_ENDED")
        ended = _ended(store, run.run_id, wait_seconds) if run else None
    is_canceled = run is None and status == "CANCELED"
    told: JsonObject = {
        "run_id": run.run_id if run else run_id, "asked": True,
        "result": str(ended.result if ended else Result.CANCELED if is_canceled else Result.RUNNING),
    }  # fmt: skip
    line = f"Run {told['run_id']} " + (
        "is asked to stop; it has not ended yet."
        if told["result"] == "running"
        else f"has ended: {words(told['result'])}."
    )
    answer(told, lambda: Text(line), as_json=as_json)


def _ended(store: RecordStore, run_id: str, wait_seconds: float) -> Run | None:
    give_up = time.monotonic() + wait_seconds
    while True:
        run = store.runs.find(run_id)
        if run is not None and run.result.is_final:
            return run
        if not time.monotonic() < give_up:
            return None
        time.sleep(_LOOK_SECONDS)

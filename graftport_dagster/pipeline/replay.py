"""Replay: an earlier run once more, on exactly the source data that it had.

Which runs can be replayed and with which options is decided here; the data as it was is put together
in `store/replays.py`. Reading the source anew is no replay: that is a new run.
"""

from dataclasses import dataclass, replace

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration
from graftport_dagster.records import Phase, ResourceType, Result, Run, RunOptions
from graftport_dagster.reports.readiness import troubled_types
from graftport_dagster.store.record_store import RecordStore


@dataclass(frozen=True, slots=True)
class Replay:
    """A run to be repeated: the one whose source data is taken, and what the new run is asked to do."""

    original: Run
    options: RunOptions


def original_of(store: RecordStore, run: Run) -> Run:
    """The run whose data it had: itself, or of a replay the one that it repeats."""
    while run.replay_of and (before := store.runs.find(run.replay_of)) is not None:
        run = before
    return run


def plan_replay(store: RecordStore, migration: Migration, run_id: str, asked: RunOptions) -> Replay:
    """What a replay of this run does: mapping and load of the types that did not end well.

    Raises ConfigurationError where there is no such run, it has not ended or has ended well, it was a rehearsal, or
    its data is not there: it failed in extract, or the payloads were purged.
    """
    run = store.runs.find(run_id) if run_id else None
    if run is None or run.migration != migration.slug:
        raise ConfigurationError(f"{migration.slug} has no run {run_id or '(none was named)'}.", code="NO_RUN")
    if not run.result.is_final:
        raise ConfigurationError(f"Run {run.run_id} has not ended yet.", code="NOT_ENDED")
    if run.options.dry_run:
        raise ConfigurationError(f"Run {run.run_id} was a dry run, whose data went with it.", code="NO_SOURCE_DATA")
    original = original_of(store, run)
    types = troubled_types(store.runs.items(run.run_id))
    if not types:
        if run.result in (Result.SUCCEEDED, Result.UNCHANGED):
            raise ConfigurationError(f"Run {run.run_id} ended well.", code="NOTHING_TO_RETRY")
        raise _no_data(migration, run, "it ended before it had read anything")
    types = _with_data(store, migration, original, types)
    phases = (Phase.TRANSFORM, Phase.LOAD) if Phase.LOAD in original.options.phases else (Phase.TRANSFORM,)
    options = replace(
        original.options, phases=phases, resource_types=types, replay_of=run.run_id, retry="", full_extract=False,
        overwrite_newer=asked.overwrite_newer, mapping=asked.mapping, actor=asked.actor, reason=asked.reason,
        fail_on_row_errors=asked.fail_on_row_errors, confirm_store=asked.confirm_store,
    )  # fmt: skip
    return Replay(original, options)


def _with_data(
    store: RecordStore, migration: Migration, original: Run, types: tuple[ResourceType, ...]
) -> tuple[ResourceType, ...]:
    failed = {
        item.resource_type: item.first_error
        for item in store.runs.items(original.run_id)
        if item.phase is Phase.EXTRACT and item.result is Result.FAILED and not item.counts.get("read")
    }
    there = tuple(resource_type for resource_type in types if resource_type not in failed)
    if not there:
        raise _no_data(migration, original, f"it failed while it read the source ({next(iter(failed.values()))})")
    for resource_type in there:
        kept = store.replays.look(original, resource_type, limit=0)
        if kept.purged:
            raise ConfigurationError(
                f"{kept.purged} of {kept.records} {resource_type} that run {original.run_id} had were purged since.",
                code="SOURCE_DATA_PURGED", hint=f"A new run reads the source anew: graftport run {migration.slug}.",
            )  # fmt: skip
    return there


def _no_data(migration: Migration, run: Run, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"Run {run.run_id} has no source data to repeat: {why}.", code="NO_SOURCE_DATA",
        hint=f"A new run reads the source: graftport run {migration.slug}.",
    )  # fmt: skip

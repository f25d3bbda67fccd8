"""Transform: source records through the pinned mapping version into staged records.

What was staged by the same source payload, version and settings is not evaluated again. The
evaluation itself, bounded in time and memory in processes of its own, is in `transform`; which
version applies is decided in `mappings`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from graftport_dagster.errors import GraftportError
from graftport_dagster.loaders.groups import group_hashes
from graftport_dagster.mappings.registry import Resolved, current
from graftport_dagster.pipeline.work import Work
from graftport_dagster.records import Outcome, Phase, ResourceType, Run
from graftport_dagster.store.record_store import StagedResult, TransformInput
from graftport_dagster.transform import TransformPool


@dataclass
class Transformed:
    """What a transform counted, by which mapping version. `fatal`: what stopped it."""

    resolved: Resolved
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    fatal: GraftportError | None = None


def transform(work: Work, resource_type: ResourceType) -> Transformed:
    """Maps one resource type. Raises ConfigurationError for a mapping that does not compile, or a pin to none."""
    options = work.run.options
    resolved = current(
        work.migration, work.store.mappings, resource_type,
        publish=not options.dry_run, by=options.actor, version=_version(work, resource_type),
    )  # fmt: skip
    done = Transformed(resolved)
    if options.mapping == "original" and resolved.version.content_hash[:8] not in _original(work, resource_type):
        done.notes.append("The earlier run applied no mapping that is still there; the current one was used.")
    if resolved.note:
        done.notes.append(resolved.note)
    # A dry run reads what it extracted itself where it has extracted, else what is there.
    source = work.dataset(own=Phase.EXTRACT in options.phases)
    staged = work.dataset(own=True)
    settings_hash = work.migration.settings_hash
    records = work.store.staged_records
    scope = records.scope(source, staged, resource_type, resolved.version, settings_hash, work.selection)
    done.counts.update(in_scope=scope.in_scope, unchanged=scope.unchanged, excluded=scope.unchanged_excluded)
    to_do = scope.in_scope - scope.unchanged - scope.unchanged_excluded
    if not to_do:
        return done
    batches = records.to_transform(source, staged, resource_type, resolved.version, settings_hash, work.selection)
    tried = 0
    try:
        for results in _evaluated(work, resource_type, resolved, batches, to_do):
            hashed = [_hashed(resource_type, result) for result in results]
            outcomes = records.stage(staged, resource_type, work.run, resolved.version, settings_hash, hashed)
            done.counts.update({str(outcome): number for outcome, number in outcomes.items()})
            tried += len(results)
            work.progress(f"{resource_type}: {tried} of {to_do} records mapped")
            if work.should_stop():
                break
    except GraftportError as error:
        # Carried, and raised when the counts until then are recorded.
        done.fatal = error
    done.counts["not_reached"] = scope.in_scope - sum(done.counts[str(outcome)] for outcome in Outcome)
    return done


def _version(work: Work, resource_type: ResourceType) -> str:
    """Which version is asked for; of a run that is to repeat the old one, that one's by its hash."""
    if work.run.options.mapping != "original":
        return work.run.options.mapping
    found = re.search(r"\(([0-9a-f]+)\)$", _original(work, resource_type))
    known = work.store.mappings.versions(work.migration.platform, resource_type)
    return found[1] if found and any(one.content_hash.startswith(found[1]) for one in known) else "current"


def _original(work: Work, resource_type: ResourceType) -> str:
    """The name of the version that the run applied which this one retries or replays, or that one's own."""
    run: Run | None = work.run
    while run is not None:
        for item in work.store.runs.items(run.run_id) if run is not work.run else ():
            if item.resource_type is resource_type and item.mapping_version:
                return item.mapping_version
        before = run.retry_of or run.replay_of
        run = work.store.runs.find(before) if before else None
    return ""


def _evaluated(
    work: Work,
    resource_type: ResourceType,
    resolved: Resolved,
    batches: Iterator[list[TransformInput]],
    to_do: int,
) -> Iterator[list[StagedResult]]:
    migration = work.migration
    with TransformPool(
        resolved.version.text,
        name=resolved.version.name,
        resource_type=resource_type,
        platform=migration.platform,
        settings=dict(migration.settings),
        publications=list(migration.publications),
        now=work.run.started_at,
        expected=to_do,
        abort_after=migration.options.abort_after,
    ) as pool:
        yield from pool.rows(batches)


def _hashed(resource_type: ResourceType, result: StagedResult) -> StagedResult:
    if result.payload is None:
        return result
    return replace(result, group_hashes=group_hashes(resource_type, result.payload))

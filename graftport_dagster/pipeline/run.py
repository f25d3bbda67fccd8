"""Runs and their items: begun, carried out phase by phase, concluded, and never left without a result.

What a phase does with records is in `extract.py`, `transform.py` and `load.py`; here is what they
have in common: the record of the item, its result word, the equations that must hold.
"""

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from graftport_dagster.errors import (
    ConfigurationError,
    ConservationError,
    ErrorClass,
    GraftportError,
    LeaseHeldError,
    StoppedError,
)
from graftport_dagster.loaders.groups import field_groups
from graftport_dagster.loaders.registry import loadable, must_be_loadable
from graftport_dagster.migration import Migration
from graftport_dagster.pipeline.extract import extract
from graftport_dagster.pipeline.load import acquire, load
from graftport_dagster.pipeline.replay import original_of
from graftport_dagster.pipeline.source_files import settle_files
from graftport_dagster.pipeline.transform import transform
from graftport_dagster.pipeline.work import Work, keeping, must_have_secrets
from graftport_dagster.records import (
    EXTRACT_COUNTS,
    LOAD_COUNTS,
    TRANSFORM_COUNTS,
    ErrorGroup,
    Phase,
    ResourceType,
    Result,
    Run,
    RunItem,
    RunOptions,
    broken_equations,
    run_result,
    shown_id,
)
from graftport_dagster.reports.readiness import credentials_mark
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore, Which

__all__ = [
    "finish_run", "has_row_errors", "loadable", "must_be_loadable", "open_work", "released_types", "run_phase",
    "skip_item",
]  # fmt: skip

_NAMES: Mapping[Phase, Sequence[str]] = {
    Phase.EXTRACT: EXTRACT_COUNTS,
    Phase.TRANSFORM: TRANSFORM_COUNTS,
    Phase.LOAD: LOAD_COUNTS,
}
_SPOILS = ("errored", "rows_invalid", "held", "unknown", "not_reached")


@dataclass(frozen=True, slots=True)
class _Did:
    """What a phase reports of itself. `landed_before`: whether the type had anything before this run."""

    counts: Counter[str]
    notes: Sequence[str] = ()
    mapping_version: str = ""
    api_calls: int = 0
    api_cost: float = 0.0
    had_before: int = 0
    fatal: Exception | None = None


@contextmanager
def open_work(
    migration: Migration,
    options: RunOptions,
    *,
    run_id: str,
    child_run_id: str = "",
    should_stop: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda line: None,  # noqa: ARG005 - nobody listens by default
    retry_of: str = "",
    asked_at: datetime | None = None,
    store: RecordStore | None = None,
) -> Iterator[Work]:
    """Opens the record store and begins the run there, or joins it when it was begun (children, later phases).

    Who begins a run claims the open incomplete records in its scope, those that had failed when it was asked for
    (`asked_at`, now unless given).

    Raises ConfigurationError when the migration is paused, or an option names something that is not there.
    """
    opened = open_store(in_a_run=True) if store is None else store
    try:
        _check(migration, options, opened)
        own = Run(
            run_id=run_id, migration=migration.slug, options=options, retry_of=retry_of,
            replay_of=options.replay_of, host=socket.gethostname(), pid=os.getpid(),
            credentials=credentials_mark(migration),
        )  # fmt: skip
        is_new = opened.runs.find(run_id) is None
        # Who joins a run does so with options of its own, and holds leases as the process that works.
        run = replace(
            opened.runs.start(own), options=options, host=own.host, pid=own.pid, keeping=keeping(migration)
        )  # fmt: skip
        if run.replay_of:
            original = original_of(opened, run)
            run = replace(run, source_seq=original.seq)
            if is_new:
                opened.replays.take(run, original, options.resource_types)
        elif is_new and not options.dry_run:
            claim(opened, run, migration.resource_types, asked_at)
        work = Work(migration, opened, run, should_stop, progress, child_run_id)
        try:
            yield work
        finally:
            work.close()
    finally:
        if store is None:
            opened.close()


def claim(store: RecordStore, run: Run, enabled: Sequence[ResourceType], asked_at: datetime | None = None) -> int:
    """Takes the open incomplete records in the run's scope on, so that no other run tries them; how many."""
    return store.incomplete.claim(run, which_of(run.options, enabled), asked_at=asked_at)


def which_of(options: RunOptions, enabled: Sequence[ResourceType] = ()) -> Which:
    """The incomplete records that a run with these options is about."""
    return Which(
        options.resource_types or tuple(enabled), options.phases, options.error_group, options.source_ids,
        options.except_ids,
    )  # fmt: skip


def _check(migration: Migration, options: RunOptions, store: RecordStore) -> None:
    if pause := store.stores.paused(migration.slug):
        raise ConfigurationError(
            f"{migration.slug} is paused since {pause['since']} by {pause['by'] or 'somebody'}: "
            f"{pause['reason'] or 'no reason given'}.",
            code="PAUSED", hint=f"graftport resume {migration.slug} lifts it.",
        )  # fmt: skip
    if Phase.LOAD in options.phases:
        # Before anything is read: hours of it would be for nothing.
        must_have_secrets(migration)
    if not options.phases:
        raise ConfigurationError("A run needs at least one phase.", code="NO_PHASE", path="phases")
    if options.limit is not None and options.limit < 1:
        raise ConfigurationError("A limit is a number from 1.", code="BAD_LIMIT", path="limit")
    if options.retry not in ("", "open", "due"):
        raise ConfigurationError(
            f"{options.retry} is nothing that a run can retry.", code="BAD_RETRY", path="retry",
            hint="Write open (all open incomplete records in scope), due, or leave it away.",
        )  # fmt: skip
    for name, groups in options.field_filter.items():
        known = field_groups(_resource_type(name)).names
        if unknown := [group for group in groups if group not in known]:
            raise ConfigurationError(
                f"{name} has no field group {unknown[0]}.", code="UNKNOWN_FIELD_GROUP", path=f"field_filter.{name}",
                hint=f"It has: {', '.join(sorted(known))}.",
            )  # fmt: skip


def _resource_type(name: str) -> ResourceType:
    try:
        return ResourceType(name)
    except ValueError:
        raise ConfigurationError(
            f"There is no resource type {name}.", code="UNKNOWN_RESOURCE_TYPE",
            hint=f"There are: {', '.join(ResourceType)}.",
        ) from None  # fmt: skip


def run_phase(work: Work, phase: Phase, resource_type: ResourceType) -> RunItem:
    """Does one run item and records it, whatever happens.

    Row errors are in the item, not raised. What stops the whole type is recorded as `failed` and then raised.
    A stop that was asked for ends as `canceled`, returned; what was not tried is `not_reached`. An equation
    that does not hold raises ConservationError, after recording.
    """
    item = RunItem(
        run_id=work.run.run_id, resource_type=resource_type, phase=phase, child_run_id=work.child_run_id,
        started_at=datetime.now(UTC),
    )  # fmt: skip
    earlier = _earlier(work, item)
    work.store.runs.start_item(item)
    work.stopped_by = None
    try:
        did = _do(work, phase, resource_type)
        did = replace(did, fatal=None if _is_stop(work, did.fatal) else did.fatal or work.stopped_by)
    except BaseException as error:
        if _is_stop(work, error):
            return _stopped(work, item, earlier, error)
        failed = _failed(work, item, error)
        work.store.runs.finish_item(failed if earlier is None else replace(failed, counts=earlier.counts))
        raise
    item = _concluded(work, item, did if earlier is None else _together(earlier, did))
    is_broken = item.error_class is not None
    if earlier is not None:
        # What stopped the first pass is still true of what that did not reach.
        first = earlier if earlier.error_class is not None and not is_broken else item
        item = replace(item, started_at=earlier.started_at, error_class=first.error_class,
                       first_error=first.first_error, result=first.result)  # fmt: skip
    work.store.runs.finish_item(item)
    if did.fatal is not None:
        raise did.fatal
    if is_broken:
        raise ConservationError(item.first_error)
    return item


def _is_stop(work: Work, error: BaseException | None) -> bool:
    """Whether it only says that the run was asked to stop while it waited: for another run, or for Shopify."""
    return isinstance(error, LeaseHeldError | StoppedError) and work.should_stop() and work.stopped_by is None


def _stopped(work: Work, item: RunItem, earlier: RunItem | None, error: BaseException) -> RunItem:
    """The item of a phase that a stop kept from beginning; it is no failure, which would be tried again by itself."""
    why = f"stopped while it waited: {error}"
    if earlier is None:
        return skip_item(work, item.phase, item.resource_type, why=why)
    stopped = replace(earlier, result=Result.CANCELED, first_error=why, ended_at=datetime.now(UTC))
    work.store.runs.finish_item(stopped)
    return stopped


def _earlier(work: Work, item: RunItem) -> RunItem | None:
    """The same item of this run, where the pass for released records comes after the first one."""
    for other in work.store.runs.items(item.run_id):
        if (other.resource_type, other.phase) == (item.resource_type, item.phase) and other.result.is_final:
            return other if item.phase is Phase.LOAD else None
    return None


def _together(earlier: RunItem, did: "_Did") -> "_Did":
    """Both passes as one: the second was over records that the first had held, and says what became of them.

    What it found unchanged the first had landed; held records that the first was not about come on top.
    """
    counts = Counter(earlier.counts)
    tried = did.counts["in_scope"] - did.counts["unchanged"]
    from_first = min(tried, counts["held"])
    counts["held"] -= from_first
    counts["in_scope"] += tried - from_first
    counts.update({name: number for name, number in did.counts.items() if name not in {"in_scope", "unchanged"}})
    return replace(
        did,
        counts=counts,
        notes=tuple(dict.fromkeys([*earlier.notes, *did.notes])),
        api_calls=earlier.api_calls + did.api_calls,
        api_cost=earlier.api_cost + did.api_cost,
    )


def _do(work: Work, phase: Phase, resource_type: ResourceType) -> _Did:
    if work.run.options.dry_run:
        return _phase(work, phase, resource_type)
    # A load holds what is staged still, too: another run's transform would change its scope under its hands.
    with work.holding(acquire(work, "", resource_type)):
        return _phase(work, phase, resource_type)


def _phase(work: Work, phase: Phase, resource_type: ResourceType) -> _Did:
    if phase is Phase.LOAD:
        loaded = load(work, resource_type)
        return _Did(
            loaded.counts, loaded.notes, api_calls=loaded.api_calls, api_cost=loaded.api_cost,
            had_before=loaded.landed_before, fatal=loaded.fatal,
        )  # fmt: skip
    if phase is Phase.EXTRACT:
        before = work.store.source_records.count(work.dataset(own=False), resource_type)
        extracted = extract(work, resource_type)
        return _Did(extracted.counts, extracted.notes, had_before=before)
    transformed = transform(work, resource_type)
    return _Did(
        transformed.counts, transformed.notes, transformed.resolved.version.name,
        had_before=transformed.counts["unchanged"], fatal=transformed.fatal,
    )  # fmt: skip


def _concluded(work: Work, item: RunItem, did: _Did) -> RunItem:
    counts = {name: did.counts[name] for name in _NAMES[item.phase]}
    counts |= {name: number for name, number in did.counts.items() if name not in counts}
    if lost := _not_kept(work, item):
        counts["not_kept"] = lost
    item = _described(work, replace(item, counts=counts, mapping_version=did.mapping_version))
    broken = broken_equations(item.phase, counts)
    result = Result.CANCELED if work.should_stop() and _left(item.phase, did) else _result(item.phase, counts, did)
    first_error = item.first_error
    if did.fatal is not None:
        result, first_error = Result.FAILED, _sentence(did.fatal)
    return replace(
        item,
        result=Result.FAILED if broken else result,
        first_error="; ".join(broken) or first_error,
        error_class=ErrorClass.UNEXPECTED if broken else _class_of(did.fatal),
        api_calls=did.api_calls,
        api_cost=round(did.api_cost, 1),
        notes=tuple(did.notes),
        ended_at=datetime.now(UTC),
    )


def _not_kept(work: Work, item: RunItem) -> int:
    keeping = work.run.keeping
    if work.run.options.dry_run or not (keeping.drops or keeping.is_off):
        return 0
    return work.store.incomplete.count_not_kept(work.run, item.resource_type, item.phase)


def _left(phase: Phase, did: _Did) -> bool:
    """Whether a stop left something undone, or unsaid; an extract cannot know what it did not read."""
    return phase is Phase.EXTRACT or did.counts["not_reached"] > 0 or did.counts["unknown"] > 0


def _described(work: Work, item: RunItem) -> RunItem:
    runs, run_id = work.store.runs, item.run_id
    groups = tuple(_shown(group, item) for group in runs.error_groups(run_id, item.resource_type, item.phase))
    reasons = runs.skip_reasons(run_id, item.resource_type, item.phase)
    first = _first(groups[0]) if groups else ""
    return replace(
        item,
        error_groups=groups,
        warnings=runs.warnings(run_id, item.resource_type, item.phase),
        skip_reasons=reasons,
        first_error=first,
        first_skip_reason=next(iter(reasons), ""),
    )


def _shown(group: ErrorGroup, item: RunItem) -> ErrorGroup:
    """The group with ids as they may be shown."""
    message, shown = group.message, tuple(shown_id(item.resource_type, one) for one in group.sample_ids)
    for one, other in zip(group.sample_ids, shown, strict=True):
        message = message.replace(one, other) if one != other else message
    return replace(group, message=message, sample_ids=shown)


def _first(group: ErrorGroup) -> str:
    """The oldest of a group, with the id where the message does not begin with it."""
    source_id = group.sample_ids[0] if group.sample_ids else ""
    return group.message if group.message.startswith(source_id) else f"{source_id}: {group.message}"


def _result(phase: Phase, counts: Mapping[str, int], did: _Did) -> Result:
    spoiled = any(counts.get(name, 0) for name in _SPOILS)
    errored = counts.get("errored", 0) or counts.get("rows_invalid", 0)
    fine = _fine(phase, counts)
    if errored and not fine and not did.had_before:
        return Result.FAILED
    if spoiled:
        return Result.COMPLETED_WITH_ERRORS
    if phase is Phase.TRANSFORM and counts["in_scope"] and counts["excluded"] == counts["in_scope"]:
        return Result.COMPLETED_WITH_ERRORS
    return Result.SUCCEEDED if fine or _settled(counts) else Result.UNCHANGED


def _fine(phase: Phase, counts: Mapping[str, int]) -> int:
    names = {
        Phase.EXTRACT: ("new", "changed", "deleted_at_source"),
        Phase.TRANSFORM: ("staged", "restaged"),
        Phase.LOAD: ("created", "updated", "adopted", "archived", "deleted"),
    }[phase]
    return sum(counts.get(name, 0) for name in names)


def _settled(counts: Mapping[str, int]) -> bool:
    return any(counts.get(name, 0) for name in ("skipped", "discarded", "refused_before", "superseded"))


def _failed(work: Work, item: RunItem, error: BaseException) -> RunItem:
    is_ours = isinstance(error, Exception)
    described = _described(work, item) if is_ours else item
    return replace(
        described,
        result=Result.FAILED if is_ours else Result.CANCELED,
        first_error=_sentence(error) if is_ours else "interrupted",
        error_class=_class_of(error) if is_ours else None,
        ended_at=datetime.now(UTC),
    )


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, GraftportError) else f"{type(error).__name__}: {error}"


def _class_of(error: BaseException | None) -> ErrorClass | None:
    if error is None:
        return None
    return error.error_class if isinstance(error, GraftportError) else ErrorClass.UNEXPECTED


def skip_item(work: Work, phase: Phase, resource_type: ResourceType, *, why: str) -> RunItem:
    """Records an item that was not begun because the run was stopped before it (`canceled`)."""
    now = datetime.now(UTC)
    item = RunItem(
        run_id=work.run.run_id, resource_type=resource_type, phase=phase, child_run_id=work.child_run_id,
        result=Result.CANCELED, first_error=why, started_at=now, ended_at=now,
    )  # fmt: skip
    work.store.runs.start_item(item)
    work.store.runs.finish_item(item)
    return item


def has_row_errors(items: Sequence[RunItem]) -> bool:
    """Whether any row of these items is invalid, errored, held, unknown or was not reached."""
    return any(item.counts.get(name, 0) for item in items for name in _SPOILS)


def released_types(store: RecordStore, migration: Migration, run_id: str) -> tuple[ResourceType, ...]:
    """Types with held records whose references have landed since, on a store that this run loaded into."""
    if not any(item.phase is Phase.LOAD for item in store.runs.items(run_id)):
        return ()
    waiting: set[ResourceType] = set()
    for known in store.stores.known(migration.slug):
        if known.confirmed:
            waiting |= {resource_type for resource_type, due in store.loads.waiters(migration.slug, known.gid).items()
                        if due}  # fmt: skip
    return tuple(resource_type for resource_type in ResourceType if resource_type in waiting)


def finish_run(store: RecordStore, run_id: str, *, canceled: bool = False, migration: Migration | None = None) -> Run:
    """The run's final result from its items; drops a dry run's rows. Repeating it changes nothing.

    With the migration, the source files of which nothing is left to do are taken away before, as it wants.
    """
    run = store.runs.find(run_id)
    if run is None:
        raise ConfigurationError(f"There is no run {run_id}.", code="NO_RUN")
    if run.result.is_final:
        return run
    if migration is not None and not canceled:
        settle_files(store, migration, run)
    items = store.runs.items(run_id)
    first_error = next((item.first_error for item in items if item.first_error), "")
    # Nobody looks again at a run that has ended, so that is said last.
    if run.options.dry_run:
        store.runs.drop_dry_run(run_id)
    else:
        store.incomplete.unclaim(run)
        if run.replay_of:
            store.replays.drop(run)
    return store.runs.finish(run_id, Result.CANCELED if canceled else run_result(items), first_error)

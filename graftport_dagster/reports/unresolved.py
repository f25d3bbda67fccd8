"""Which runs did not end well and are still to be dealt with: no retry, replay or later run has made them good."""

from collections.abc import Sequence

from graftport_dagster.records import ResourceType, Result, Run

_GOOD = (Result.SUCCEEDED, Result.UNCHANGED)


def unresolved_runs(found: Sequence[Run], later: Sequence[Run]) -> list[Run]:
    """Those of `found` that did not end well and that nothing among `later` has made good."""
    answered = {run.run_id: run.retry_of or run.replay_of for run in later}
    made_good = set()
    for run in later:
        before = answered[run.run_id] if run.result in _GOOD else ""
        while before and before not in made_good:
            made_good.add(before)
            before = answered.get(before, "")
    troubled = [run for run in found if run.result.is_final and run.result not in _GOOD]
    good = [run for run in later if run.result in _GOOD]
    return [
        run for run in troubled if run.run_id not in made_good and not any(_covers(after, run) for after in good)
    ]  # fmt: skip


def _covers(after: Run, run: Run) -> bool:
    """Whether a run that ended well did all that an earlier one was asked to do, in the same store."""
    asked, did = run.options, after.options
    if after.migration != run.migration or after.seq <= run.seq or (did.dry_run and not asked.dry_run):
        return False
    if (
        did.limit is not None
        or did.source_ids
        or did.error_group
        or (run.store_gid and run.store_gid != after.store_gid)
    ):
        return False
    everything = set(ResourceType)
    types_covered = set(did.resource_types or everything) >= set(asked.resource_types or everything)
    return types_covered and set(did.phases) >= set(asked.phases)

"""The sensor `<slug>_retry_due`: what is to be tried again by itself, and when.

Two things are: records that the retry schedule wants tried now, or that were held and whose
references have landed; and types that failed as a whole for a cause that may pass, or because their
process died. What is left to a person (data, configuration, credentials, what somebody canceled) is
said in the skip text. When a record is due is decided in `store/incomplete.py`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from graftport_dagster.defs.asking import why_not, without_person
from graftport_dagster.defs.conclusion import DIED, NOT_BEGUN
from graftport_dagster.defs.launch import run_config
from graftport_dagster.defs.layout import RETRY_TAG, WAVE_TAG, Layout
from graftport_dagster.records import Phase, ResourceType, Result, Run, RunItem, RunOptions
from graftport_dagster.reports.wording import moment, number, presentable
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore, Wave
from graftport_dagster.store.set_aside import RETRY_MINUTES

_SECONDS = 30
_ACTOR = "sensor retry_due"
_KILLED = "The run that this is a part of was killed."
_NOTHING = Wave(0, None, 0, None, 0, None)


def build_retry_due(layout: Layout) -> dg.SensorDefinition:
    """On by itself: a failure that may pass must not wait for somebody to look."""

    @dg.sensor(
        name=layout.job("retry_due"),
        job_name=layout.job("migrate_one"),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a run of each type that has records due, or that failed for a cause that may pass.",
    )
    def retry_due(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if reason := why_not(context.instance, layout):
            return dg.SkipReason(reason)
        with open_store() as store:
            return _Tick(layout, context.instance, store, datetime.now(UTC)).ask()

    return retry_due


@dataclass(frozen=True)
class _Failed:
    """A type's newest run, where that failed as a whole: how often in a row, and whether it may pass by itself."""

    run: Run
    item: RunItem
    times: int
    is_passing: bool


@dataclass
class _Tick:
    layout: Layout
    instance: dg.DagsterInstance
    store: RecordStore
    now: datetime

    def ask(self) -> dg.SensorResult:
        """One run per type at the most, and a sentence for each type that has something open and gets none."""
        waves = self.store.incomplete.waves(self.layout.slug)
        requests, told = [], []
        for resource_type in self.layout.resource_types:
            request, sentence = self._of_type(resource_type, waves.get(resource_type, _NOTHING))
            if request is not None:
                requests.append(request)
            if sentence:
                told.append(f"{resource_type}: {sentence}")
        nothing = "; ".join(told) or "Nothing is due."
        return dg.SensorResult(run_requests=requests, skip_reason=None if requests else nothing)

    def _of_type(self, resource_type: ResourceType, wave: Wave) -> tuple[dg.RunRequest | None, str]:
        tried = self.store.runs.newest_items(self.layout.slug, resource_type)
        if (canceled := _canceled(tried)) and not (wave.since and wave.since > (canceled.ended_at or self.now)):
            return None, f"run {canceled.run_id} was canceled, which nothing restarts by itself" if wave.due else ""
        if failed := _failed(tried):
            return self._whole_type(resource_type, failed, wave)
        if wave.due:
            return self._records(resource_type, wave)
        return None, _waiting(wave)

    def _whole_type(
        self, resource_type: ResourceType, failed: _Failed, wave: Wave
    ) -> tuple[dg.RunRequest | None, str]:  # fmt: skip
        error = presentable(failed.item.first_error)
        if not failed.is_passing:
            return None, f"failed, and waits for a person: {error}"
        if failed.times > len(RETRY_MINUTES):
            return None, f"failed {failed.times} times in a row, and is left for a person: {error}"
        ended = failed.item.ended_at or failed.run.ended_at or self.now
        due = max(ended + timedelta(minutes=RETRY_MINUTES[failed.times - 1]), wave.lifts_at or ended)
        if due > self.now:
            return None, f"failed ({error}); try {failed.times + 1} {_in(due, self.now)}"
        options = replace(
            failed.run.options, resource_types=(resource_type,), actor=_ACTOR, retry="",
            reason=f"try {failed.times + 1} after run {failed.run.run_id}",
        )  # fmt: skip
        what = f"failed ({error}); try {failed.times + 1}"
        return self._once(resource_type, options, f"run:{failed.run.run_id}", what, retry_of=failed.run.run_id)

    def _records(self, resource_type: ResourceType, wave: Wave) -> tuple[dg.RunRequest | None, str]:
        options = RunOptions(
            phases=(Phase.TRANSFORM, Phase.LOAD), resource_types=(resource_type,), retry="due", actor=_ACTOR,
            conflict_strategy=self.layout.migration.options.conflict_strategy, reason=f"{wave.due} records were due",
        )  # fmt: skip
        since = wave.since.isoformat() if wave.since else ""
        return self._once(resource_type, options, since, f"{number(wave.due)} records due")

    def _once(
        self, resource_type: ResourceType, options: RunOptions, cause: str, what: str, *, retry_of: str = ""
    ) -> tuple[dg.RunRequest | None, str]:
        """A cause is asked for once; where its run never reached the records, again after the schedule's pause."""
        key = f"{resource_type}:{cause}"
        wanted = dg.RunsFilter(tags={WAVE_TAG: f"{self.layout.slug}:{key}"})
        asked = self.instance.get_run_records(wanted, limit=20)
        for record in asked:
            if record.dagster_run.status is dg.DagsterRunStatus.CANCELED:
                return None, f"run {record.dagster_run.run_id} was canceled, which nothing restarts by itself"
        if len(asked) > len(RETRY_MINUTES):
            return None, f"{what}; asked for {len(asked)} times in vain, and left for a person"
        if asked:
            last = max(record.create_timestamp.replace(tzinfo=UTC) for record in asked)
            due = last + timedelta(minutes=RETRY_MINUTES[len(asked) - 1])
            if due > self.now:
                return None, f"{what}; the run before did not reach them, next {_in(due, self.now)}"
        return self._request(resource_type, options, key, tries=len(asked), retry_of=retry_of), ""

    def _request(
        self, resource_type: ResourceType, options: RunOptions, key: str, *, tries: int, retry_of: str
    ) -> dg.RunRequest:
        tags = {**self.layout.tags, WAVE_TAG: f"{self.layout.slug}:{key}"}
        if retry_of:
            tags[RETRY_TAG] = retry_of
        return dg.RunRequest(
            run_key=f"{key}:{tries}", partition_key=str(resource_type), tags=tags,
            # What is due is refused by nobody's data; the others are not in its scope.
            run_config=run_config(replace(without_person(options), resend_refused=True)),
            asset_selection=self.layout.assets(options.phases),
        )  # fmt: skip


def _canceled(tried: list[tuple[Run, list[RunItem]]]) -> Run | None:
    """The newest run of a type, where somebody stopped it."""
    if not tried:
        return None
    run, items = tried[0]
    return run if any(item.result is Result.CANCELED for item in items) else None


def _failed(tried: list[tuple[Run, list[RunItem]]]) -> _Failed | None:
    times, newest = 0, None
    for run, items in tried:
        item = next((item for item in items if item.result is Result.FAILED and item.error_class), None)
        if item is None:
            break
        times += 1
        newest = newest or (run, item)
    if newest is None:
        return None
    run, item = newest
    crashed = item.first_error.startswith((DIED, NOT_BEGUN, _KILLED))
    return _Failed(run, item, times, crashed or bool(item.error_class and item.error_class.is_retried))


def _waiting(wave: Wave) -> str:
    told = []
    if wave.waiting and wave.until:
        told.append(f"{number(wave.waiting)} records wait, the next until {moment(wave.until)} UTC")
    if wave.left:
        told.append(f"{number(wave.left)} are left for a person")
    return ", ".join(told)


def _in(due: datetime, now: datetime) -> str:
    minutes = max(1, round((due - now).total_seconds() / 60))
    return f"in {minutes} min, at {moment(due)} UTC"

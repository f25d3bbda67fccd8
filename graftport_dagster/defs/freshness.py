"""`<slug>_source_freshness`: asks the source, per resource type, whether it changed, and for a run of each that did.

A change is what differs from the fingerprint of the last extract that ended well, whoever asked
for it. The cursor remembers which change a run has been asked for already, because that run may
wait or fail. How a source tells its state is in `sources/`; fingerprints are in the record store.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import dagster as dg

from graftport_dagster.defs.asking import GOING_ON, paused, without_person
from graftport_dagster.defs.launch import run_config
from graftport_dagster.defs.layout import DRY_RUN_TAG, Layout
from graftport_dagster.defs.pausing import paused_by_failures
from graftport_dagster.defs.telling import state_of
from graftport_dagster.errors import GraftportError, StoppedError
from graftport_dagster.pipeline import open_stored_source
from graftport_dagster.records import ResourceType, Result, RunOptions
from graftport_dagster.reports.wording import moment, presentable
from graftport_dagster.sources.source import Freshness, Source
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import Fingerprint, RecordStore

_ACTOR = "sensor source_freshness"
# A run that failed before it had read, or never began, has seen no change. That this does not go on for ever is
# `pause_after_failures`.
ASK_AGAIN = timedelta(minutes=10)
# Dagster ends a tick, and with it what it has found out, after 60 seconds. One type's source, and whole ones, may hang:
# no answer is waited for longer than this, after that long no further type is asked, and then nothing is waited for.
_ANSWER_SECONDS, _ASK_SECONDS, _TICK_SECONDS = 10.0, 15.0, 45.0
_LOOKED_AT = 20


def build_source_freshness(layout: Layout) -> dg.SensorDefinition:
    """The sensor, off until somebody turns it on."""

    @dg.sensor(
        name=layout.job("source_freshness"),
        job_name=layout.job("migrate_one"),
        minimum_interval_seconds=layout.migration.options.freshness_seconds,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Asks the source whether it changed, and for a run of each type that did.",
    )
    def source_freshness(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if sentence := paused(layout) or paused_by_failures(layout, "source_freshness", _ACTOR):
            return dg.SkipReason(sentence)
        deadline = time.monotonic() + _TICK_SECONDS
        try:
            source = open_stored_source(
                layout.migration, stop=lambda: time.monotonic() > deadline, patience_seconds=_ANSWER_SECONDS
            )
        except GraftportError as error:
            return dg.SkipReason(f"The source cannot be asked: {presentable(str(error))}")
        try:
            with open_store() as store:
                return _Tick(layout, json.loads(context.cursor or "{}"), datetime.now(UTC), store, context).ask(source)
        finally:
            source.close()

    return source_freshness


def unchanged_sentence(same: Fingerprint) -> str:
    """Since when the source has been as it is, and by what it was recognised."""
    return f"unchanged since {moment(same.since)[:-3]} UTC, {state_of(same.kind, same.token, same.etag)}"


def _words(error: Exception) -> str:
    if isinstance(error, StoppedError):
        return f"it takes more than {_TICK_SECONDS:g} seconds. A schedule waits for as long as it takes."
    return presentable(str(error))


@dataclass
class _Tick:
    """One look at all types.

    `seen`: per type how many changes there have been and, of the last one that a run was asked for: its token, when
    and by which key it was asked for, and which extract was the last good one then; and which moment has been asked
    a run for on which records are to be looked at again though nothing changed.
    """

    layout: Layout
    seen: dict[str, dict[str, Any]]
    now: datetime
    store: RecordStore
    context: dg.SensorEvaluationContext

    def ask(self, source: Source) -> dg.SensorResult:
        """A run per changed type, and a sentence for each of the others."""
        changed: dict[ResourceType, Freshness] = {}
        told = []
        begun = time.monotonic()
        for resource_type in self._in_turn():
            if time.monotonic() - begun > _ASK_SECONDS:
                self.seen.setdefault(str(resource_type), {"change": 0})["waits"] = True
                told.append(f"{resource_type}: asked at the next tick, because others took long to answer")
                continue
            self.seen.get(str(resource_type), {}).pop("waits", None)
            try:
                freshness = source.freshness(resource_type, self._etag(resource_type))
            except (GraftportError, OSError) as error:
                # One dead endpoint is its type's trouble; the others are asked all the same.
                told.append(f"{resource_type}: cannot be asked: {_words(error)}")
                # What comes back is another change, also where a run found nothing meanwhile.
                self.seen.get(resource_type, {}).pop("token", None)
                self.context.log.warning(told[-1])
                continue
            if why := self._why_not(resource_type, freshness):
                told.append(f"{resource_type}: {why}")
            else:
                changed[resource_type] = freshness
        return dg.SensorResult(
            run_requests=[self._request(resource_type) for resource_type in changed],
            asset_events=[self._observation(*change) for change in changed.items()],
            cursor=json.dumps(self.seen),
            skip_reason=None if changed else "; ".join(told) or "No resource type is enabled.",
        )

    def _in_turn(self) -> list[ResourceType]:
        """First those that the last tick did not come to."""
        return sorted(self.layout.resource_types, key=lambda kind: "waits" not in self.seen.get(str(kind), {}))

    def _etag(self, resource_type: ResourceType) -> str:
        known = self.store.fingerprints.of(self.layout.slug, resource_type).get("")
        return known.etag if known else ""

    @cached_property
    def _going_on(self) -> str:
        """A run of the migration that may well read the change itself; what it does not read differs afterwards."""
        found = self.context.instance.get_runs(
            dg.RunsFilter(tags=self.layout.tags, statuses=GOING_ON), limit=_LOOKED_AT
        )
        runs = [run.run_id for run in found if run.tags.get(DRY_RUN_TAG) != "true"]
        return f"changed; looked at again when run {runs[0]} has ended" if runs else ""

    def _why_not(self, resource_type: ResourceType, freshness: Freshness) -> str:
        """Why no run is asked for; "" where one is, which the cursor then knows."""
        entry = self.seen.setdefault(str(resource_type), {"change": 0})
        due = self._moment(resource_type)
        if same := self.store.fingerprints.unchanged(self.layout.slug, resource_type, freshness.token):
            # Whatever was asked for has been read: should the source come back to that, it is another change.
            entry.pop("token", None)
            if due <= entry.get("moment", ""):
                return unchanged_sentence(same)
        if self._going_on:
            return self._going_on
        if not same and entry.get("token") == freshness.token:
            if waits := self._asked_already(resource_type, entry):
                return waits
            if not self._run(entry):
                # Dagster never made it, and would not make it twice by this key.
                return ""
        self._remember(resource_type, entry, freshness, due)
        return ""

    def _moment(self, resource_type: ResourceType) -> str:
        expired = self.store.staged_records.expired(self.layout.slug, resource_type)
        return expired.isoformat() if expired else ""

    def _remember(self, resource_type: ResourceType, entry: dict[str, Any], freshness: Freshness, due: str) -> None:
        entry |= {
            "token": freshness.token, "since": (freshness.changed_at or self.now).isoformat(timespec="seconds"),
            "moment": due, "asked_at": self.now.isoformat(), "last_read": self._last_read(resource_type),
        }  # fmt: skip
        entry["key"] = ""
        # The number of the change is in the key, so that a source that goes back to what it was is read again.
        # It begins anew when somebody resets the cursor, and Dagster makes no second run of one key.
        while not entry["key"] or self._run(entry):
            entry["change"] += 1
            entry["key"] = f"{resource_type}:{entry['change']}:{freshness.token}"

    def _last_read(self, resource_type: ResourceType) -> str:
        known = self.store.fingerprints.of(self.layout.slug, resource_type)
        return max((one.read_at for one in known.values()), default=datetime.fromtimestamp(0, UTC)).isoformat()

    def _run(self, entry: dict[str, Any]) -> dg.DagsterRun | None:
        found = self.context.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": entry.get("key", "")}), limit=1)
        return found[0] if found else None

    def _asked_already(self, resource_type: ResourceType, entry: dict[str, Any]) -> str:
        """What has become of the run that was asked for this very change; "" where another one is to be asked for."""
        run = self._run(entry)
        if run is None:
            return ""
        if self._last_read(resource_type) != entry.get("last_read"):
            # It was read since, as something else: it has changed once more, to what it was asked for before.
            return ""
        known = self.store.runs.find(run.run_id)
        if run.status is dg.DagsterRunStatus.CANCELED or (known and known.result is Result.CANCELED):
            return f"changed, but run {run.run_id} for it was canceled; asked for again when the source changes"
        if self.now >= datetime.fromisoformat(entry["asked_at"]) + ASK_AGAIN:
            return ""
        error = f"failed: {presentable(known.first_error).rstrip('.')}" if known else "never began"
        return f"changed, but run {run.run_id} for it {error}. Another one is asked for soon"

    def _request(self, resource_type: ResourceType) -> dg.RunRequest:
        entry = self.seen[resource_type]
        options = RunOptions(
            conflict_strategy=self.layout.migration.options.conflict_strategy, actor=_ACTOR,
            reason=f"change {entry['change']} of {resource_type}",
        )  # fmt: skip
        return dg.RunRequest(
            run_key=entry["key"], partition_key=str(resource_type), run_config=run_config(without_person(options)),
            tags=self.layout.tags,
        )  # fmt: skip

    def _observation(self, resource_type: ResourceType, freshness: Freshness) -> dg.AssetObservation:
        """What the graph says of the change. No check: outside a run Dagster stores one per partition for ever."""
        entry = self.seen[resource_type]
        metadata = {
            "token": presentable(freshness.token), "kind": freshness.kind, "change": entry["change"],
            "since": entry["since"],
        }  # fmt: skip
        return dg.AssetObservation(
            self.layout.asset("source_data"), partition=str(resource_type), metadata=metadata,
            description="The source has changed.",
            tags={"dagster/data_version": freshness.token},
        )  # fmt: skip

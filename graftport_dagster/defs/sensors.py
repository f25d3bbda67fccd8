"""The sensors of one migration: `<slug>_source_freshness`, `<slug>_reaper`, and those with modules of their own.

Here it is decided when a run is asked for or ended; how a source tells that it changed is in
`sources/`, how a dead run is recognised in `conclusion.py`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from graftport_dagster.defs.asking import paused, without_person
from graftport_dagster.defs.conclusion import reap
from graftport_dagster.defs.launch import run_config
from graftport_dagster.defs.layout import Layout
from graftport_dagster.defs.notifications import build_notifications
from graftport_dagster.defs.pausing import paused_by_failures
from graftport_dagster.defs.retry_due import build_retry_due
from graftport_dagster.errors import GraftportError
from graftport_dagster.records import ResourceType, RunOptions
from graftport_dagster.reports.wording import presentable
from graftport_dagster.sources.opening import open_source
from graftport_dagster.sources.source import Freshness, Source
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore

_FRESHNESS_SECONDS = 60
_FRESHNESS_ACTOR = "sensor source_freshness"
_REAPER_SECONDS = 60


def build_sensors(layout: Layout) -> list[dg.SensorDefinition]:
    """The reaper and the retries are on by themselves; the others wait to be turned on."""
    return [_source_freshness(layout), build_retry_due(layout), build_notifications(layout), _reaper(layout)]


def _reaper(layout: Layout) -> dg.SensorDefinition:
    @dg.sensor(
        name=layout.job("reaper"),
        job_name=layout.job("migrate_one"),
        minimum_interval_seconds=_REAPER_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process was killed; Dagster would show them as started for ever. Asks for no run.",
    )
    def reaper(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        ended = reap(context.instance, layout)
        return dg.SkipReason("Ended " + "; ".join(ended) if ended else "Every started run is alive.")

    return reaper


def _source_freshness(layout: Layout) -> dg.SensorDefinition:
    @dg.sensor(
        name=layout.job("source_freshness"),
        job_name=layout.job("migrate_one"),
        minimum_interval_seconds=_FRESHNESS_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Asks the source whether it changed, and for a run of each type that did.",
    )
    def source_freshness(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if sentence := paused(layout) or paused_by_failures(layout, "source_freshness", _FRESHNESS_ACTOR):
            return dg.SkipReason(sentence)
        try:
            source = open_source(layout.migration)
        except GraftportError as error:
            return dg.SkipReason(f"The source cannot be asked: {presentable(str(error))}")
        try:
            with open_store() as store:
                return _Tick(layout, json.loads(context.cursor or "{}"), datetime.now(UTC), store).ask(source)
        finally:
            source.close()

    return source_freshness


@dataclass
class _Tick:
    """One look at all types.

    `seen`: per type the number of changes so far, the last token, since when, and which moment has been asked a run
    for on which records are to be looked at again though nothing changed.
    """

    layout: Layout
    seen: dict[str, dict[str, Any]]
    now: datetime
    store: RecordStore

    def ask(self, source: Source) -> dg.SensorResult:
        """A run per changed type, and a sentence for each of the others."""
        changed: dict[ResourceType, Freshness] = {}
        told = []
        for resource_type in self.layout.resource_types:
            try:
                freshness = source.freshness(resource_type)
            except (GraftportError, OSError) as error:
                # One dead endpoint is its type's trouble; the others are asked all the same.
                told.append(f"{resource_type}: cannot be asked: {presentable(str(error))}")
                continue
            before = self.seen.get(resource_type)
            expired = self.store.staged_records.expired(self.layout.slug, resource_type)
            moment = expired.isoformat() if expired else ""
            if before and before["token"] == freshness.token and moment <= before.get("moment", ""):
                told.append(f"{resource_type}: unchanged since {before['since']}")
            else:
                changed[resource_type] = freshness
                number = before["change"] + 1 if before else 1
                since = (freshness.changed_at or self.now).isoformat(timespec="seconds")
                self.seen[resource_type] = {
                    "change": number, "token": freshness.token, "since": since, "moment": moment
                }  # fmt: skip
        return dg.SensorResult(
            run_requests=[self._request(resource_type) for resource_type in changed],
            asset_events=[self._observation(*change) for change in changed.items()],
            cursor=json.dumps(self.seen),
            skip_reason=None if changed else "; ".join(told) or "No resource type is enabled.",
        )

    def _request(self, resource_type: ResourceType) -> dg.RunRequest:
        now = self.seen[resource_type]
        # The number of the change is in the key, so that a source that goes back to what it was is read again.
        key = f"{resource_type}:{now['change']}:{now['token']}"
        options = RunOptions(
            conflict_strategy=self.layout.migration.options.conflict_strategy, actor=_FRESHNESS_ACTOR,
            reason=f"change {now['change']} of {resource_type}",
        )  # fmt: skip
        config = run_config(without_person(options))
        return dg.RunRequest(run_key=key, partition_key=str(resource_type), run_config=config, tags=self.layout.tags)

    def _observation(self, resource_type: ResourceType, freshness: Freshness) -> dg.AssetObservation:
        now = self.seen[resource_type]
        metadata = {"token": freshness.token, "kind": freshness.kind, "change": now["change"], "since": now["since"]}
        return dg.AssetObservation(
            self.layout.asset("source_data"), partition=str(resource_type), metadata=metadata,
            description="The source has changed.",
        )  # fmt: skip

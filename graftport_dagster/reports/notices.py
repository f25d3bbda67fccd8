"""What people are told without asking: that something failed, is tried again, waits too long, or paused itself.

One notice per cause, and nothing personal in it: counts, types, classes and codes, and the command
that shows the rest. How notices are sent is in `channels.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from graftport_dagster.errors import ErrorClass
from graftport_dagster.migration import Migration
from graftport_dagster.notifications import Event
from graftport_dagster.records import JsonObject, Result, Run, RunItem
from graftport_dagster.reports.wording import moment, number
from graftport_dagster.store.record_store import RecordStore

_LOOK_BACK = 200
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """One cause: `key` stays the same while it lasts, so that it is told once."""

    key: str
    event: Event
    text: str

    def as_dict(self) -> JsonObject:
        """For a cursor."""
        return {"key": self.key, "event": str(self.event), "text": self.text}


def notices(store: RecordStore, migration: Migration, since: datetime, now: datetime) -> list[Notice]:
    """What is to be told of what ended after `since`, and of what is so now; those that are asked for."""
    found = [*_runs(store, migration, since), *_backlog(store, migration, now), *_pauses(store, migration)]
    wanted = set(migration.notifications.events)
    return [notice for notice in found if notice.event in wanted]


def healed(store: RecordStore, migration: Migration, since: datetime) -> bool:
    """Whether a run ended well after `since`: what was told before may be told again when it comes back."""
    return any(run.result in (Result.SUCCEEDED, Result.UNCHANGED) for run in _ended(store, migration, since))


def _ended(store: RecordStore, migration: Migration, since: datetime) -> list[Run]:
    runs = store.runs.list(migration.slug, limit=_LOOK_BACK)
    return [run for run in runs if run.ended_at and run.ended_at > since and not run.options.dry_run]


def _runs(store: RecordStore, migration: Migration, since: datetime) -> Iterator[Notice]:
    for run in _ended(store, migration, since):
        if run.result not in (Result.FAILED, Result.COMPLETED_WITH_ERRORS):
            continue
        items = [item for item in store.runs.items(run.run_id) if item.result in (Result.FAILED, run.result)]
        planned = run.result is Result.FAILED and _passes(items)
        event = Event.RETRY_PLANNED if planned else Event(str(run.result))
        causes = sorted({cause for item in items for cause in _causes(item)}) or ["before its first record"]
        types = sorted({str(item.resource_type) for item in items})
        shown = "; ".join(causes[:_SHOWN]) + ("; …" if len(causes) > _SHOWN else "")
        words = {
            Event.FAILED: "failed",
            Event.RETRY_PLANNED: "failed, and is tried again by itself",
            Event.COMPLETED_WITH_ERRORS: "completed with errors",
        }[event]
        of = f" ({', '.join(types)})" if types else ""
        yield Notice(
            f"{event}:{','.join(types)}:{','.join(sorted({cause.rpartition(' × ')[2] for cause in causes}))}", event,
            f"{migration.slug}{of} {words}: {shown}. graftport report {migration.slug} {run.run_id[:8]}",
        )  # fmt: skip


def _passes(items: Sequence[RunItem]) -> bool:
    return bool(items) and all(item.error_class is not None and item.error_class.is_retried for item in items)


def _causes(item: RunItem) -> Iterator[str]:
    """`12 × DataError TAKEN`, never a message: vendors put names and addresses into them."""
    if item.error_class is not None:
        yield str(item.error_class)
    for group in item.error_groups:
        yield f"{number(group.count)} × {group.error_class} {group.code}"


def _backlog(store: RecordStore, migration: Migration, now: datetime) -> Iterator[Notice]:
    hours = migration.notifications.backlog_hours
    rows = [
        row for row in store.incomplete.counts(migration.slug)
        if now - datetime.fromisoformat(row["oldest"]) > timedelta(hours=hours)
    ]  # fmt: skip
    if not rows:
        return
    oldest = min(row["oldest"] for row in rows)
    count = store.incomplete.count(migration.slug)
    held = sum(row["count"] for row in rows if row["error_class"] == str(ErrorClass.MISSING_REFERENCE))
    waiting = f", {number(held)} of them held" if held else ""
    since = f"the oldest since {moment(oldest)} UTC, longer than {hours:g} hours"
    text = f"{migration.slug}: {number(count)} records are open{waiting}, {since}. graftport errors {migration.slug}"
    yield Notice(f"backlog:{oldest}", Event.BACKLOG, text)


def _pauses(store: RecordStore, migration: Migration) -> Iterator[Notice]:
    for pause in store.stores.paused_schedules(migration.slug):
        if pause.resumed_at is None:
            text = (
                f"{migration.slug}: the schedule {pause.schedule} has paused itself since {moment(pause.since)} UTC: "
                f"its runs kept failing. graftport status {migration.slug}; graftport resume {migration.slug}"
            )
            yield Notice(f"auto_paused:{pause.schedule}:{pause.since.isoformat()}", Event.AUTO_PAUSED, text)

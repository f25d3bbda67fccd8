"""The sensor `<slug>_notifications`: tells people what they would otherwise have to look for.

Off until somebody turns it on. What is told, once per cause, is decided in `reports/notices.py`; how it
is sent in `reports/channels.py`. Here is when: the first at once, what follows within the digest
window together; what could not be sent is kept and sent again.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from graftport_dagster.defs.layout import Layout
from graftport_dagster.reports.channels import send
from graftport_dagster.reports.notices import healed, notices
from graftport_dagster.store.place import open_store

_SECONDS = 60
# Of causes told; more would make the cursor grow for ever.
_REMEMBERED = 200


def build_notifications(layout: Layout) -> dg.SensorDefinition:
    """Asks for no run."""

    @dg.sensor(
        name=layout.job("notifications"),
        job_name=layout.job("migrate_one"),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Tells of failures, planned retries, records open for long and schedules that paused themselves.",
    )
    def tell(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tick = Tick.of(context.cursor, datetime.now(UTC))
        said = tick.tell(layout, context)
        return dg.SensorResult(cursor=tick.cursor(), skip_reason=said)

    return tell


@dataclass
class Tick:
    """What is remembered between ticks: until when runs were looked at, what was told, what waits for the digest."""

    now: datetime
    since: datetime
    sent_at: datetime | None
    told: list[str]
    waiting: list[str]

    @classmethod
    def of(cls, cursor: str | None, now: datetime) -> "Tick":
        """Without a cursor nothing that happened before is told, but what is so now."""
        kept: dict[str, Any] = json.loads(cursor or "{}")
        sent_at = kept.get("sent_at")
        return cls(
            now, datetime.fromisoformat(kept["since"]) if "since" in kept else now,
            datetime.fromisoformat(sent_at) if sent_at else None, kept.get("told", []), kept.get("waiting", []),
        )  # fmt: skip

    def cursor(self) -> str:
        """As the next tick reads it."""
        return json.dumps(
            {
                "since": self.since.isoformat(), "sent_at": self.sent_at.isoformat() if self.sent_at else None,
                "told": self.told[-_REMEMBERED:], "waiting": self.waiting,
            }
        )  # fmt: skip

    def tell(self, layout: Layout, context: dg.SensorEvaluationContext) -> str:
        """Looks, sends what is due, and says what it did."""
        with open_store() as store:
            if healed(store, layout.migration, self.since):
                # A cause that comes back after a good run is news.
                self.told = [key for key in self.told if key.startswith(("backlog:", "auto_paused:"))]
            found = notices(store, layout.migration, self.since, self.now)
        for notice in found:
            if notice.key not in self.told:
                self.told.append(notice.key)
                self.waiting.append(notice.text)
                context.log.info(notice.text)
        self.since = self.now
        if not self.waiting:
            return "Nothing new to tell."
        window = timedelta(minutes=layout.migration.notifications.digest_minutes)
        if self.sent_at is not None and self.now < self.sent_at + window:
            return f"{len(self.waiting)} notices wait for the digest at {(self.sent_at + window):%H:%M} UTC."
        if problems := send(layout.migration, self.waiting):
            return f"Not told, and tried again: {'; '.join(problems)}"
        count, self.waiting, self.sent_at = len(self.waiting), [], self.now
        return f"Told {count}."

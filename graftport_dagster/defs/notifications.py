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
from graftport_dagster.reports.channels import CHANNELS, send
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
    """What is remembered between ticks: when runs were looked at, what was told, what channels are yet to get."""

    now: datetime
    since: datetime
    sent_at: datetime | None
    told: list[str]
    unsent: dict[str, list[str]]

    @classmethod
    def of(cls, cursor: str | None, now: datetime) -> "Tick":
        """Without a cursor nothing that happened before is told, but what is so now."""
        kept: dict[str, Any] = json.loads(cursor or "{}")
        sent_at = kept.get("sent_at")
        return cls(
            now, datetime.fromisoformat(kept["since"]) if "since" in kept else now,
            datetime.fromisoformat(sent_at) if sent_at else None, kept.get("told", []), kept.get("unsent", {}),
        )  # fmt: skip

    def cursor(self) -> str:
        """As the next tick reads it."""
        return json.dumps(
            {
                "since": self.since.isoformat(), "sent_at": self.sent_at.isoformat() if self.sent_at else None,
                "told": self.told[-_REMEMBERED:], "unsent": self.unsent,
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
                for name in CHANNELS:
                    self.unsent.setdefault(name, []).append(notice.text)
                context.log.info(notice.text)
        self.since = self.now
        count = max(map(len, self.unsent.values()), default=0)
        if not count:
            return "Nothing new to tell."
        window = timedelta(minutes=layout.migration.notifications.digest_minutes)
        if self.sent_at is not None and self.now < self.sent_at + window:
            return f"{count} notices wait for the digest at {(self.sent_at + window):%H:%M} UTC."
        answers = send(layout.migration, self.unsent)
        self.unsent = {name: lines for name, lines in self.unsent.items() if answers.get(name)}
        problems = [f"{name}: {why}" for name, why in answers.items() if why]
        # What one channel took it does not get again because another one is down.
        if not problems or len(problems) < len(answers):
            self.sent_at = self.now
        return f"Not told, and tried again: {'; '.join(problems)}" if problems else f"Told {count}."

"""The Shopify stores that a migration has met, and whether it is paused.

What landed on a store is in `landing.py`; asking the store who it is, is in `shopify/`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, select, update

from graftport_dagster.records import JsonObject
from graftport_dagster.store.database import Database, over_restarts, put, serialise
from graftport_dagster.store.tables import pauses, schedule_pauses, stores


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A Shopify store by its shop GID, under the address and name it last gave."""

    gid: str
    domain: str
    name: str
    confirmed: bool
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class SchedulePause:
    """A schedule that paused itself after a run; `resumed_at` where a person, or a good run, lifted that."""

    schedule: str
    run_id: str
    reason: str
    since: datetime
    resumed_at: datetime | None = None


@over_restarts
class Stores:
    """The Shopify stores a migration has met, and pauses."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def meet(self, migration: str, gid: str, domain: str, name: str, *, confirm: bool = False) -> KnownStore:
        """The first store of a migration is confirmed by itself; any other only with confirm=True (kept)."""
        with self._database.write() as connection:
            serialise(connection, f"stores of {migration}")
            query = select(stores).where(stores.c.migration == migration)
            met = {row.gid: row for row in connection.execute(query)}
            before = met.get(gid)
            store = KnownStore(
                gid, domain, name, confirm or not met or (before is not None and before.confirmed),
                before.first_seen if before is not None else self._now(),
            )  # fmt: skip
            row = {name: getattr(store, name) for name in ("gid", "domain", "name", "confirmed", "first_seen")}
            put(connection, stores, [row | {"migration": migration}])
        return store

    def known(self, migration: str) -> list[KnownStore]:
        """Those met so far, first met first."""
        query = select(stores).where(stores.c.migration == migration).order_by(stores.c.first_seen, stores.c.gid)
        with self._database.read() as connection:
            return [
                KnownStore(row.gid, row.domain, row.name, row.confirmed, row.first_seen)
                for row in connection.execute(query)
            ]

    def pause(self, migration: str, *, by: str, reason: str) -> None:
        """Stops the migration's runs, sensors and retries until it is resumed; a second pause replaces the words."""
        row = {"migration": migration, "by": by, "reason": reason, "since": self._now()}
        with self._database.write() as connection:
            put(connection, pauses, [row], update=("by", "reason"))

    def resume(self, migration: str, *, by: str = "") -> bool:
        """Lifts the pause of the migration and those of its schedules; whether there was any."""
        mine = and_(schedule_pauses.c.migration == migration, schedule_pauses.c.resumed_at.is_(None))
        values = {"resumed_at": self._now(), "resumed_by": by}
        with self._database.write() as connection:
            lifted = connection.execute(delete(pauses).where(pauses.c.migration == migration)).rowcount
            return connection.execute(update(schedule_pauses).where(mine).values(values)).rowcount + lifted > 0

    def pause_schedule(self, migration: str, schedule: str, *, run_id: str, reason: str) -> None:
        """Notes that a schedule asks for nothing more, after which run, and why."""
        row = {
            "migration": migration, "schedule": schedule, "run_id": run_id, "reason": reason, "resumed_by": "",
            "since": self._now(), "resumed_at": None,
        }  # fmt: skip
        with self._database.write() as connection:
            put(connection, schedule_pauses, [row])

    def resume_schedule(self, migration: str, schedule: str, *, by: str) -> None:
        """Lets one schedule ask again; what it looks at starts anew from here."""
        mine = and_(schedule_pauses.c.migration == migration, schedule_pauses.c.schedule == schedule)
        values = {"resumed_at": self._now(), "resumed_by": by}
        with self._database.write() as connection:
            connection.execute(update(schedule_pauses).where(mine).values(values))

    def paused_schedules(self, migration: str) -> list[SchedulePause]:
        """Those that are, or were, paused because their runs kept failing."""
        query = select(schedule_pauses).where(schedule_pauses.c.migration == migration)
        with self._database.read() as connection:
            return [
                SchedulePause(row.schedule, row.run_id, row.reason, row.since, row.resumed_at)
                for row in connection.execute(query.order_by(schedule_pauses.c.schedule))
            ]

    def paused(self, migration: str) -> JsonObject | None:
        """`{"since", "by", "reason"}`, since in ISO 8601; None where nothing is paused."""
        with self._database.read() as connection:
            row = connection.execute(select(pauses).where(pauses.c.migration == migration)).one_or_none()
        return None if row is None else {"since": row.since.isoformat(), "by": row.by, "reason": row.reason}

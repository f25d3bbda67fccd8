"""Mapping texts as immutable, numbered versions, and which one each migration uses.

Finding mapping files and compiling them is in `mappings/`; what a version made of a record is in
`staged_records.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import JsonObject, ResourceType, content_hash
from graftport_dagster.store.database import Database, over_restarts, put, serialise
from graftport_dagster.store.tables import mapping_versions, pin_history, pins

_NAME = re.compile(r"[a-z_]+/(?P<number>\d+) \([0-9a-f]+\)")
_SHORTEST_HASH = 4


@dataclass(frozen=True, slots=True)
class MappingVersion:
    """A mapping text as it was once published; it never changes."""

    platform: str
    resource_type: ResourceType
    number: int
    content_hash: str
    text: str
    published_at: datetime
    published_by: str = ""

    @property
    def name(self) -> str:
        """As people see it: `products/3 (a1b2c3d4)`."""
        return f"{self.resource_type}/{self.number} ({self.content_hash[:8]})"


@dataclass(frozen=True, slots=True)
class Pin:
    """The version a migration uses for a type. `held`: pinned by a person, a changed file does not move it."""

    version: MappingVersion
    held: bool
    pinned_at: datetime
    pinned_by: str
    reason: str


@over_restarts
class MappingVersions:
    """Immutable versions of mapping texts per (platform, resource type), and the pins of migrations."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def publish(self, platform: str, resource_type: ResourceType, text: str, *, by: str) -> MappingVersion:
        """The existing version if this text was published before, else the next number."""
        name = content_hash(text.encode())
        with self._database.write() as connection:
            serialise(connection, "mapping versions")
            published = _versions(connection, platform, resource_type)
            for version in published:
                if version.content_hash == name:
                    return version
            number = max((version.number for version in published), default=0) + 1
            version = MappingVersion(platform, resource_type, number, name, text, self._now(), by)
            connection.execute(insert(mapping_versions).values(_row(version)))
        return version

    def find(self, platform: str, resource_type: ResourceType, version: str) -> MappingVersion:
        """By number ("3"), by hash prefix (≥ 4 digits) or by name. Raises ConfigurationError naming those there are."""
        published = self.versions(platform, resource_type)
        named = _NAME.fullmatch(version)
        number = named["number"] if named else version
        found = [one for one in published if str(one.number) == number]
        if not found and len(version) >= _SHORTEST_HASH:
            found = [one for one in published if one.content_hash.startswith(version.lower())]
        if len(found) == 1:
            return found[0]
        there = ", ".join(one.name for one in published) or "none"
        raise ConfigurationError(
            f"There is {'more than one' if found else 'no'} version {version!r} of the {platform} mapping for "
            f"{resource_type}.",
            code="MAPPING_VERSION", hint=f"There are: {there}.",
        )  # fmt: skip

    def versions(self, platform: str, resource_type: ResourceType) -> list[MappingVersion]:
        """All, by number."""
        with self._database.read() as connection:
            return _versions(connection, platform, resource_type)

    def pinned(self, migration: str, resource_type: ResourceType) -> Pin | None:
        """The version in use; None before the first transform."""
        query = (
            select(mapping_versions, pins.c.held, pins.c.pinned_at, pins.c.pinned_by, pins.c.reason)
            .join(
                pins,
                (pins.c.platform == mapping_versions.c.platform)
                & (pins.c.resource_type == mapping_versions.c.resource_type)
                & (pins.c.number == mapping_versions.c.number),
            )
            .where(pins.c.migration == migration, pins.c.resource_type == str(resource_type))
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Pin(_version(row), row.held, row.pinned_at, row.pinned_by, row.reason)

    def pin(self, migration: str, version: MappingVersion, *, held: bool, by: str, reason: str = "") -> Pin:
        """Makes it the one in use and keeps in the history who did so, and why."""
        now = self._now()
        row = {
            "migration": migration, "resource_type": str(version.resource_type), "platform": version.platform,
            "number": version.number, "held": held, "pinned_by": by, "reason": reason, "pinned_at": now,
        }  # fmt: skip
        with self._database.write() as connection:
            put(connection, pins, [row])
            _remember(connection, row, "hold" if held else "pin", by, reason, now)
        return Pin(version, held, now, by, reason)

    def unpin(self, migration: str, resource_type: ResourceType, *, by: str, reason: str = "") -> None:
        """A held pin becomes an ordinary one again (the next transform follows the file)."""
        now = self._now()
        mine = (pins.c.migration == migration, pins.c.resource_type == str(resource_type), pins.c.held)
        with self._database.write() as connection:
            row = connection.execute(select(pins).where(*mine)).one_or_none()
            if row is not None:
                connection.execute(update(pins).where(*mine).values(held=False, pinned_by=by, reason=reason))
                _remember(connection, row._asdict(), "release", by, reason, now)

    def pin_history(self, migration: str, resource_type: ResourceType) -> list[JsonObject]:
        """`[{action, number, version, by, reason, at}]`, oldest first; action is pin, hold or release."""
        columns = pin_history.c
        query = (
            select(
                columns.action, columns.number, mapping_versions.c.content_hash, columns.by, columns.reason, columns.at
            )
            .join(
                mapping_versions,
                (mapping_versions.c.platform == columns.platform)
                & (mapping_versions.c.resource_type == columns.resource_type)
                & (mapping_versions.c.number == columns.number),
            )
            .where(columns.migration == migration, columns.resource_type == str(resource_type))
            .order_by(columns.id)
        )  # fmt: skip
        with self._database.read() as connection:
            return [
                {
                    "action": row.action, "number": row.number,
                    "version": f"{resource_type}/{row.number} ({row.content_hash[:8]})", "by": row.by,
                    "reason": row.reason, "at": row.at.isoformat(),
                }
                for row in connection.execute(query)
            ]  # fmt: skip


def _row(version: MappingVersion) -> dict[str, Any]:
    return {
        "platform": version.platform, "resource_type": str(version.resource_type), "number": version.number,
        "content_hash": version.content_hash, "text": version.text, "published_at": version.published_at,
        "published_by": version.published_by,
    }  # fmt: skip


def _version(row: Any) -> MappingVersion:
    return MappingVersion(
        row.platform, ResourceType(row.resource_type), row.number, row.content_hash, row.text, row.published_at,
        row.published_by,
    )  # fmt: skip


def _versions(connection: Connection, platform: str, resource_type: ResourceType) -> list[MappingVersion]:
    columns = mapping_versions.c
    query = select(mapping_versions).where(columns.platform == platform, columns.resource_type == str(resource_type))
    return [_version(row) for row in connection.execute(query.order_by(columns.number))]


def _remember(connection: Connection, row: dict[str, Any], action: str, by: str, reason: str, now: datetime) -> None:
    kept = {name: row[name] for name in ("migration", "resource_type", "platform", "number")}
    connection.execute(insert(pin_history).values(**kept, action=action, by=by, reason=reason, at=now))

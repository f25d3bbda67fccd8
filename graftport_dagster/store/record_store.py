"""The record store: the only memory of a migration, on SQLite or Postgres.

This is its door, and all that others import. Each part is a class of its own in this package;
the tables are in `tables.py`, how they come to be in `schema.py` and `migrations/`.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.store import payloads, schema, story
from graftport_dagster.store.bulk_operations import BulkLine, OpenBulk
from graftport_dagster.store.database import Database
from graftport_dagster.store.fingerprints import Fingerprint, Fingerprints
from graftport_dagster.store.forgetting import Forgetting
from graftport_dagster.store.incomplete import IncompleteRecords, Wave, Which
from graftport_dagster.store.landing import LoadInput
from graftport_dagster.store.leases import Lease
from graftport_dagster.store.loads import Loads
from graftport_dagster.store.mapping_versions import MappingVersion, MappingVersions, Pin
from graftport_dagster.store.purging import Purged, Purging
from graftport_dagster.store.replays import Replays
from graftport_dagster.store.runs import Runs
from graftport_dagster.store.selection import Dataset, Selection
from graftport_dagster.store.settlements import Intent, OpenStep, Settlement
from graftport_dagster.store.source_files import SourceFile, SourceFiles
from graftport_dagster.store.source_records import SourceRecords, Upserted
from graftport_dagster.store.staged_records import StagedRecords, StagedResult, TransformInput, TransformScope
from graftport_dagster.store.stores import KnownStore, SchedulePause, Stores

__all__ = [
    "BulkLine", "Dataset", "Fingerprint", "Fingerprints", "IncompleteRecords", "Intent", "KnownStore", "Lease",
    "LoadInput", "Loads", "MappingVersion", "MappingVersions", "OpenBulk", "OpenStep", "Pin", "Purged",
    "RecordStore", "Runs", "SchedulePause", "Selection", "Settlement", "SourceFile", "SourceFiles", "SourceRecords",
    "StagedRecords", "StagedResult", "Stores", "TransformInput", "TransformScope", "Upserted", "Wave", "Which",
]  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)


class RecordStore:
    """Opened by URL: `sqlite:///path`, `postgresql://…`. To be closed, or used as a context."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self.source_records = SourceRecords(database, now)
        self.fingerprints = Fingerprints(database, now)
        self.source_files = SourceFiles(database, now)
        self.staged_records = StagedRecords(database, now)
        self.mappings = MappingVersions(database, now)
        self.loads = Loads(database, now)
        self.incomplete = IncompleteRecords(database, now)
        self.runs = Runs(database, now)
        self.replays = Replays(database)
        self.stores = Stores(database, now)
        self.purging = Purging(database, now)
        self.forgetting = Forgetting(database, now)

    @classmethod
    def open(cls, url: str, *, now: Callable[[], datetime] = _now, patience: float = 0.0) -> "RecordStore":
        """Upgrades the schema where it is older, one process at a time.

        `patience`: for how many seconds a database that does not answer yet is waited for.

        Raises SchemaTooNewError for a store of a later version, ConfigurationError for a place that
        is none, UnreachableError where no database answers. Leases go by the database's clock,
        everything else by `now`.
        """
        database = Database(url, patience=patience)
        try:
            schema.upgrade(database)
        except BaseException:
            database.close()
            raise
        return cls(database, now)

    def close(self) -> None:
        """Gives back all connections."""
        self._database.close()

    def __enter__(self) -> "RecordStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def story(self, migration: str, resource_type: ResourceType, source_id: str) -> JsonObject:
        """Everything known of one record, as JSON with times in ISO 8601; {} if it is unknown.

        `source` (payload, versions with the runs that met them), `staged` (payload, mapping,
        warnings), `stores` (per store: identity, parts, what landed, open steps, snapshot),
        `attempts` oldest first with actor and reason, `incomplete` (open ones), `extract_errors`.
        """
        with self._database.read() as connection:
            return story.tell(connection, migration, resource_type, source_id)

    def payload(self, payload_hash: str) -> JsonObject:
        """The payload of that content hash. Raises ConfigurationError where there is none (any more)."""
        with self._database.read() as connection:
            return payloads.get(connection, payload_hash)

"""Local files that a source was read from: as they were when they were read, and what became of them since.

What is done with the files themselves is in `pipeline/source_files.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update

from graftport_dagster.records import Phase, ResourceType, Run
from graftport_dagster.store.database import Database, put
from graftport_dagster.store.selection import is_open
from graftport_dagster.store.tables import extract_errors, incomplete_records, source_files, source_records

# read: its rows are in the record store; loaded: a load has been over all of them; done: and nothing of it was open.
# leaving: it is about to be moved or deleted; moved, deleted: it was.
READ, LOADED, DONE, LEAVING, MOVED, DELETED = "read", "loaded", "done", "leaving", "moved", "deleted"
GONE = (MOVED, DELETED)

_files = source_files.c


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of one resource type. `path`: relative to the source's folder; `name`: as origins have it.

    `stamp` tells whether the file on disk is still the one that was read. `place`: where it was moved to.
    """

    resource_type: ResourceType
    path: str
    name: str
    stamp: str
    sha256: str
    run_id: str = ""
    run_seq: int = 0
    state: str = READ
    place: str = ""
    at: datetime | None = None


class SourceFiles:
    """What is known of each local file that a migration was read from."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def read(self, migration: str, run: Run, files: Sequence[SourceFile]) -> None:
        """Notes that this run has read these to their end."""
        rows = [
            {
                "migration": migration, "resource_type": str(file.resource_type), "path": file.path,
                "name": file.name, "stamp": file.stamp, "sha256": file.sha256, "run_id": run.run_id,
                "run_seq": run.seq, "state": READ, "place": "", "at": self._now(),
            }
            for file in files
        ]  # fmt: skip
        with self._database.write() as connection:
            put(connection, source_files, rows)

    def known(self, migration: str, resource_type: ResourceType | None = None) -> list[SourceFile]:
        """All of them, by path and type."""
        query = select(source_files).where(_files.migration == migration).order_by(_files.path, _files.resource_type)
        if resource_type is not None:
            query = query.where(_files.resource_type == str(resource_type))
        with self._database.read() as connection:
            return [_file(row._asdict()) for row in connection.execute(query)]

    def mark(self, migration: str, files: Sequence[SourceFile], state: str, place: str = "") -> None:
        """Gives these a new state, unless they were read again meanwhile."""
        with self._database.write() as connection:
            for file in files:
                connection.execute(
                    update(source_files)
                    .where(
                        _files.migration == migration, _files.resource_type == str(file.resource_type),
                        _files.path == file.path, _files.stamp == file.stamp,
                    )
                    .values(state=state, place=place, at=self._now())
                )  # fmt: skip

    def forget(self, migration: str) -> None:
        """All of them, as if none had been read."""
        with self._database.write() as connection:
            connection.execute(delete(source_files).where(_files.migration == migration))

    def is_open(self, migration: str, file: SourceFile) -> bool:
        """Whether anything is open that came from this file, or that cannot be told to come from another one."""
        return self._has_bad_rows(migration, file) or self._has_incomplete_records(migration, file)

    def _has_bad_rows(self, migration: str, file: SourceFile) -> bool:
        errors, given_up = extract_errors.c, incomplete_records.c
        dismissed = (
            select(given_up.source_id)
            .where(
                given_up.migration == errors.migration, given_up.resource_type == errors.resource_type,
                given_up.source_id == errors.source_id, given_up.phase == str(Phase.EXTRACT),
                given_up.status == "discarded",
            )
            .correlate(extract_errors)
            .exists()
        )  # fmt: skip
        query = select(errors.error_key).where(
            errors.migration == migration, errors.dry_run_id == "", errors.is_open,
            errors.resource_type == str(file.resource_type), _of(errors.document, file.name), ~dismissed,
        )  # fmt: skip
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def _has_incomplete_records(self, migration: str, file: SourceFile) -> bool:
        others = {other.name for other in self.known(migration, file.resource_type)
                  if other.run_seq >= file.run_seq and other.name != file.name}  # fmt: skip
        mine, records = incomplete_records.c, source_records.c
        same = and_(
            records.migration == mine.migration, records.resource_type == mine.resource_type,
            records.source_id == mine.source_id, records.dry_run_id == "",
        )  # fmt: skip
        # A record that this file's reading did not meet is not of it; where it stands is not told again while it
        # is unchanged, and so may be the place in an earlier file.
        query = select(records.origin).select_from(incomplete_records.join(source_records, same)).where(
            mine.migration == migration, mine.resource_type == str(file.resource_type), is_open(),
            mine.phase != str(Phase.EXTRACT), records.seen_seq >= file.run_seq,
        )  # fmt: skip
        with self._database.read() as connection:
            return any(_document(row.origin) not in others for row in connection.execute(query))


def _of(document: Any, name: str) -> Any:
    return or_(document == name, func.substr(document, 1, len(name) + 1) == f"{name}:")


def _document(origin: str) -> str:
    document, _, line = origin.rpartition(":")
    return document if document and line.isdecimal() else origin


def _file(row: dict[str, Any]) -> SourceFile:
    row.pop("migration")
    return SourceFile(**{**row, "resource_type": ResourceType(row["resource_type"])})

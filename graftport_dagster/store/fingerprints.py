"""What the source looked like when it was last read well: the memory by which a change is recognised.

A fingerprint is noted by the extract that has ended well, as it was before the extract began to
read, so that a change that came meanwhile still differs from it. How a source makes its token is
in `sources/`; who compares is the freshness sensor and schedules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from graftport_dagster.records import ResourceType
from graftport_dagster.store.database import Database, put
from graftport_dagster.store.tables import source_fingerprints


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`since`: since when the source has been so; `read_at`: when the last run took it that read the source well.

    `etag`: as the server wrote it, to be asked with.
    """

    token: str
    kind: str
    since: datetime
    read_at: datetime
    run_id: str
    etag: str = ""


class Fingerprints:
    """Per type, and per set of field groups that the run which read was to land.

    A run that lands prices alone has read a changed title as well; who lands everything must not take that for seen.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def note(
        self, migration: str, resource_type: ResourceType, taken: Fingerprint, *, field_groups: tuple[str, ...] = ()
    ) -> None:
        """To be called when an extract has ended well. `since` stays while the token does."""
        before = self.of(migration, resource_type).get(_scope(field_groups))
        since = before.since if before and before.token == taken.token else taken.since
        row = {
            "migration": migration, "resource_type": str(resource_type), "field_groups": _scope(field_groups),
            "token": taken.token, "kind": taken.kind, "etag": taken.etag, "run_id": taken.run_id,
            "since": since, "read_at": taken.read_at,
        }  # fmt: skip
        with self._database.write() as connection:
            put(connection, source_fingerprints, [row])

    def of(self, migration: str, resource_type: ResourceType) -> Mapping[str, Fingerprint]:
        """By field groups, "" for all of them; empty where no extract has ended well yet."""
        columns = source_fingerprints.c
        query = select(source_fingerprints).where(
            columns.migration == migration, columns.resource_type == str(resource_type)
        )
        with self._database.read() as connection:
            return {
                row.field_groups: Fingerprint(row.token, row.kind, row.since, row.read_at, row.run_id, row.etag)
                for row in connection.execute(query)
            }

    def unchanged(
        self, migration: str, resource_type: ResourceType, token: str, *, field_groups: tuple[str, ...] = ()
    ) -> Fingerprint | None:
        """The fingerprint by which a source with this token has nothing new for these groups; None where it may.

        Both must have it: the last run that read at all (else what is staged is of another state), and one that was
        to land these groups.
        """
        found = self.of(migration, resource_type)
        if not found or max(found.values(), key=lambda one: one.read_at).token != token:
            return None
        of_groups = (found[scope] for scope in ("", _scope(field_groups)) if scope in found)
        return next((one for one in of_groups if one.token == token), None)


def _scope(field_groups: tuple[str, ...]) -> str:
    return ",".join(sorted(field_groups))

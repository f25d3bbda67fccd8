"""What the source returned: records with their payload versions, and the cursor to go on from.

Rows that could not become a record are in `extract_errors.py`; what is made of the records is
in `staged_records.py`. The source itself is read in `sources/`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, literal, select, update
from sqlalchemy.sql import Select

from graftport_dagster.records import (
    InvalidRow,
    JsonObject,
    ResourceType,
    Run,
    SourceRecord,
    canonical_json,
    content_hash,
)
from graftport_dagster.store import extract_errors, payloads, set_aside
from graftport_dagster.store.columns import among, dump_json
from graftport_dagster.store.database import Database, over_restarts, put
from graftport_dagster.store.selection import Dataset, rows_of
from graftport_dagster.store.tables import source_cursors, source_history, source_records

# Bytes. Postgres takes keys of at most 2,700, and a key has other parts beside the id.
_LONGEST_ID = 1_000


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of a batch. Nothing of `duplicates` and `refused` was written.

    `duplicates`: second records with an id already seen in this run. `refused`: records that
    cannot be stored (no usable id, a payload that JSON cannot hold), ready for `record_errors`.
    """

    new: int
    changed: int
    unchanged: int
    duplicates: tuple[SourceRecord, ...] = ()
    refused: tuple[InvalidRow, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    payload_hash: str
    seen_seq: int
    deleted_seq: int


@over_restarts
class SourceRecords:
    """Source records, their payload versions, extract errors and cursors."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def upsert(
        self, dataset: Dataset, resource_type: ResourceType, run: Run, records: Sequence[SourceRecord]
    ) -> Upserted:
        """One batch (≤ 1,000), one transaction: compares content hashes with what is stored.

        A new or changed payload goes into the payload versions (once per hash) and into the
        append-only history with run.seq; every record is marked as seen in run.seq; a record that
        had been deleted at the source is `new` again. Within one run the second of the same id is
        a duplicate. A dry run's are written all, and counted as they compare with the real ones.
        """
        hashed, duplicates, refused = _hashed(records)
        if not hashed:
            return Upserted(0, 0, 0, tuple(duplicates), tuple(refused))
        with self._database.write() as connection:
            own = _known(connection, dataset, resource_type, list(hashed))
            real = Dataset(dataset.migration)
            known = _known(connection, real, resource_type, list(hashed)) if dataset.dry_run_id else own
            new: list[str] = []
            changed: list[str] = []
            unchanged: list[str] = []
            for source_id, (payload_hash, record) in hashed.items():
                before = known.get(source_id)
                if source_id in own and own[source_id].seen_seq == run.seq:
                    duplicates.append(record)
                elif before is None or before.deleted_seq > 0 or not before.payload_hash:
                    new.append(source_id)
                else:
                    (unchanged if before.payload_hash == payload_hash else changed).append(source_id)
            fresh = [*new, *changed, *(unchanged if dataset.dry_run_id else [])]
            self._write(connection, dataset, resource_type, run, {name: hashed[name] for name in fresh})
            _mark_seen(connection, dataset, resource_type, run, unchanged)
        return Upserted(len(new), len(changed), len(unchanged), tuple(duplicates), tuple(refused))

    def _write(
        self,
        connection: Connection,
        dataset: Dataset,
        resource_type: ResourceType,
        run: Run,
        fresh: dict[str, tuple[str, SourceRecord]],
    ) -> None:
        payloads.keep(
            connection, dataset.dry_run_id, {name: dump_json(record.payload) for name, record in fresh.values()}
        )
        mine = {"migration": dataset.migration, "dry_run_id": dataset.dry_run_id, "resource_type": str(resource_type)}
        rows: list[dict[str, Any]] = [
            mine
            | {
                "source_id": source_id, "payload_hash": payload_hash, "origin": record.origin,
                "updated_at": record.updated_at, "rows": record.rows, "first_seq": run.seq, "changed_seq": run.seq,
                "seen_seq": run.seq, "deleted_seq": 0,
            }
            for source_id, (payload_hash, record) in fresh.items()
        ]  # fmt: skip
        put(
            connection, source_records, rows,
            update=("payload_hash", "origin", "updated_at", "rows", "changed_seq", "seen_seq", "deleted_seq"),
        )  # fmt: skip
        at = self._now()
        history = [
            mine
            | {"source_id": source_id, "run_seq": run.seq, "payload_hash": payload_hash, "deleted": False, "at": at}
            for source_id, (payload_hash, _) in fresh.items()
        ]
        put(connection, source_history, history)

    def record_errors(self, dataset: Dataset, resource_type: ResourceType, run: Run, rows: Sequence[InvalidRow]) -> int:
        """Keeps each as an extract error; open ones of the same origin, code and record are refreshed, not doubled.

        Those that name a source id mark that record as seen (so that it is not concluded deleted),
        and open or refresh an incomplete record (phase extract, DataError) for it, but in a dry
        run. Returns how many distinct source ids were named that no earlier call of this run counted.
        """
        if not rows:
            return 0
        with self._database.write() as connection:
            fresh = extract_errors.keep(connection, dataset, resource_type, run, rows, self._now())
            named = list({row.source_id for row in rows if row.source_id})
            _mark_seen(connection, dataset, resource_type, run, named)
        return fresh

    def seen_clean(self, dataset: Dataset, resource_type: ResourceType, run: Run) -> int:
        """After an extract: resolves open extract errors, and incomplete records of extract, that this run met no more.

        That is, whose record this run read without error, or whose file it read from end to end
        (which a run with `limit` or `source_ids` does not). Returns how many errors were resolved.
        """
        with self._database.write() as connection:
            return extract_errors.resolve_seen(connection, dataset, resource_type, run, self._now())

    def count(self, dataset: Dataset, resource_type: ResourceType) -> int:
        """Records not deleted at the source."""
        return self._count(rows_of(source_records, dataset, resource_type))

    def count_unseen(self, dataset: Dataset, resource_type: ResourceType, run: Run) -> int:
        """Live records that this run has not seen."""
        return self._count(_unseen(dataset, resource_type, run))

    def count_changed(self, dataset: Dataset, resource_type: ResourceType, since: Run) -> int:
        """Live records that a later run than this one found new or changed."""
        return self._count(
            and_(rows_of(source_records, dataset, resource_type), source_records.c.changed_seq > since.seq)
        )

    def _count(self, condition: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(source_records).where(condition, source_records.c.deleted_seq == 0)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def mark_deleted(self, dataset: Dataset, resource_type: ResourceType, run: Run) -> int:
        """Marks the unseen ones as deleted at the source, in the history too; returns how many.

        What was open about them is closed: there is nothing left to try.
        """
        gone = _unseen(dataset, resource_type, run)
        columns = source_records.c
        history: Select[Any] = select(
            columns.migration, columns.dry_run_id, columns.resource_type, columns.source_id,
            *_literals(run.seq, self._now()),
        ).where(gone)  # fmt: skip
        names = ["migration", "dry_run_id", "resource_type", "source_id", "run_seq", "payload_hash", "deleted", "at"]
        with self._database.write() as connection:
            connection.execute(insert(source_history).from_select(names, history))
            marked = connection.execute(update(source_records).where(gone).values(deleted_seq=run.seq)).rowcount
            if marked:
                vanished = select(columns.source_id).where(
                    rows_of(source_records, dataset, resource_type), columns.deleted_seq == run.seq
                )
                set_aside.resolve_vanished(
                    connection, dataset.migration, resource_type, run, vanished, self._now()
                )  # fmt: skip
        return marked

    def cursor(self, migration: str, resource_type: ResourceType) -> JsonObject | None:
        """Where the next incremental extract goes on; None for a full one."""
        found: JsonObject | None = self._bookmark(migration, resource_type, source_cursors.c.cursor)
        return found

    def set_cursor(self, migration: str, resource_type: ResourceType, cursor: JsonObject | None, run: Run) -> None:
        """To be called once the rows before it are in; None makes the next extract a full one."""
        self._set_bookmark(migration, resource_type, run, {"cursor": cursor})

    def shape(self, migration: str, resource_type: ResourceType) -> JsonObject | None:
        """What the records looked like at the last whole extract; None before the first."""
        found: JsonObject | None = self._bookmark(migration, resource_type, source_cursors.c.shape)
        return found

    def set_shape(self, migration: str, resource_type: ResourceType, shape: JsonObject, run: Run) -> None:
        """To be called when a whole extract has ended."""
        self._set_bookmark(migration, resource_type, run, {"shape": shape})

    def _bookmark(self, migration: str, resource_type: ResourceType, column: ColumnElement[Any]) -> Any:
        query = select(column).where(
            source_cursors.c.migration == migration, source_cursors.c.resource_type == str(resource_type)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def _set_bookmark(self, migration: str, resource_type: ResourceType, run: Run, values: dict[str, Any]) -> None:
        row = {"migration": migration, "resource_type": str(resource_type), "run_id": run.run_id, "at": self._now()}
        with self._database.write() as connection:
            put(connection, source_cursors, [row | values])

    def extract_errors(
        self, migration: str, resource_type: ResourceType | None = None, *, open_only: bool = True
    ) -> list[JsonObject]:
        """Rows that cannot be used, with raw text, reason and the runs that met them first and last; oldest first."""
        with self._database.read() as connection:
            return extract_errors.listed(connection, migration, resource_type, open_only=open_only)

    def count_without_record(self, migration: str) -> dict[str, int]:
        """Resource type → how many open rows cannot be used and belong to no record that is known."""
        with self._database.read() as connection:
            return extract_errors.count_without_record(connection, migration)


def _hashed(
    records: Sequence[SourceRecord],
) -> tuple[dict[str, tuple[str, SourceRecord]], list[SourceRecord], list[InvalidRow]]:
    hashed: dict[str, tuple[str, SourceRecord]] = {}
    duplicates: list[SourceRecord] = []
    refused: list[InvalidRow] = []
    for record in records:
        if record.source_id in hashed:
            duplicates.append(record)
            continue
        if not _is_storable(record.source_id):
            refused.append(_refused(record, "BAD_ID", "its id is empty, longer than 1,000 bytes, or not text"))
            continue
        try:
            hashed[record.source_id] = (content_hash(canonical_json(record.payload)), record)
        except (TypeError, ValueError) as error:
            refused.append(_refused(record, "NOT_JSON", f"it holds what JSON cannot: {error}"))
    return hashed, duplicates, refused


def _is_storable(source_id: str) -> bool:
    try:
        return 0 < len(source_id.encode()) <= _LONGEST_ID and "\0" not in source_id
    except UnicodeEncodeError:
        return False


def _refused(record: SourceRecord, code: str, reason: str) -> InvalidRow:
    return InvalidRow(
        raw=dump_json(record.payload) if code == "BAD_ID" else repr(record.payload),
        reason=f"The record cannot be kept: {reason}.", code=code, origin=record.origin,
        source_id="" if code == "BAD_ID" else record.source_id, rows=record.rows, rows_invalid=record.rows,
        hint="Correct it at the source.",
    )  # fmt: skip


def _known(
    connection: Connection, dataset: Dataset, resource_type: ResourceType, source_ids: list[str]
) -> dict[str, _Known]:
    columns = source_records.c
    query = select(columns.source_id, columns.payload_hash, columns.seen_seq, columns.deleted_seq).where(
        rows_of(source_records, dataset, resource_type), among(columns.source_id, source_ids)
    )
    return {row[0]: _Known(row[1], row[2], row[3]) for row in connection.execute(query).all()}


def _mark_seen(
    connection: Connection, dataset: Dataset, resource_type: ResourceType, run: Run, source_ids: list[str]
) -> None:
    if source_ids:
        connection.execute(
            update(source_records)
            .where(
                rows_of(source_records, dataset, resource_type),
                among(source_records.c.source_id, source_ids),
                # A later run at the same time may have seen it too; its mark stays.
                source_records.c.seen_seq < run.seq,
            )
            .values(seen_seq=run.seq)
        )


def _unseen(dataset: Dataset, resource_type: ResourceType, run: Run) -> ColumnElement[bool]:
    return and_(
        rows_of(source_records, dataset, resource_type),
        source_records.c.seen_seq < run.seq,
        source_records.c.deleted_seq == 0,
    )


def _literals(run_seq: int, at: datetime) -> list[Any]:
    from_history = source_history.c
    values = ((from_history.run_seq, run_seq), (from_history.payload_hash, ""), (from_history.deleted, True),
              (from_history.at, at))  # fmt: skip
    return [literal(value, column.type).label(column.name) for column, value in values]

"""Personal data taken out of the record store: of one customer, or all that a migration has read.

What stays says only that something landed: identities (our id of a record beside Shopify's), hashes, counts. Found
are the customer's record, records that name its id and records that hold one of its mail addresses; what they quote
of it in words elsewhere is blotted out. What is purged by age is in `purging.py`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    delete,
    func,
    or_,
    select,
    text,
    type_coerce,
    update,
)

from graftport_dagster.personal import EMAIL, personal_texts
from graftport_dagster.records import JsonObject, ResourceType, read_json
from graftport_dagster.store import tables
from graftport_dagster.store.columns import JsonText, PlainText, among
from graftport_dagster.store.database import Database
from graftport_dagster.store.tables import (
    attempts,
    extract_errors,
    incomplete_records,
    landed_records,
    payloads,
    record_warnings,
    run_items,
    runs,
    source_history,
    source_records,
    staged_records,
)

BLOTTED = "[purged]"
_SCANNED = (source_records, source_history, staged_records)
# Of a record these say what it is; they go whole.
_CONTENT = (
    source_records, source_history, staged_records, tables.landed_snapshots, tables.waits, record_warnings,
)  # fmt: skip
# And these that it landed, which must not be forgotten, but where its id itself is a mail address.
_TRACES = (
    tables.identities, landed_records, tables.record_steps, tables.bulk_lines, attempts, incomplete_records,
    extract_errors,
)  # fmt: skip
_CUSTOMER_KEY = re.compile(r"customer_?id|^customer$|customers$", re.IGNORECASE)

RecordName = tuple[str, str]


@dataclass(slots=True)
class Found:
    """Records that carry a customer's data, and the texts by which the customer is known elsewhere."""

    records: set[RecordName] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    payload_hashes: set[str] = field(default_factory=set)

    def blotter(self) -> re.Pattern[str] | None:
        """Finds the texts wherever they stand, as they are and as JSON writes them."""
        written = {form for one in self.texts for form in (one, json.dumps(one)[1:-1])}
        longest_first = sorted(written, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if written else None

    def named(self, resource_type: str) -> list[str]:
        """Ids of the records of that type."""
        return sorted(source_id for kind, source_id in self.records if kind == resource_type)


class Forgetting:
    """Finds and removes personal data of one migration."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def find(self, migration: str, wanted: str) -> Found:
        """By the id that the customer has in the source, or by a mail address."""
        found = Found()
        with self._database.read() as connection:
            emails: set[str] = {wanted} if EMAIL.fullmatch(wanted) else set()
            ids = {wanted} & _known_customers(connection, migration, wanted)
            own = {(str(ResourceType.CUSTOMERS), one) for one in ids}
            for _, _, body in _payloads_of(connection, migration, own):
                emails |= {one.lower() for one in EMAIL.findall(body)}
            found.records |= own
            for email in emails:
                found.records |= _holding(connection, migration, email)
            ids |= {name for kind, name in found.records if kind == str(ResourceType.CUSTOMERS)}
            for one in ids:
                found.records |= _naming(connection, migration, one)
            found.records |= _failed_rows(connection, migration, emails)
            found.texts |= emails
            for kind, payload_hash, body in _payloads_of(connection, migration, found.records):
                found.payload_hashes.add(payload_hash)
                found.texts |= personal_texts(read_json(body), ResourceType(kind))
        return found

    def everything(self, migration: str) -> Found:
        """All records of the migration."""
        found = Found()
        with self._database.read() as connection:
            for table in _SCANNED:
                query = select(table.c.resource_type, table.c.source_id, table.c.payload_hash)
                for row in connection.execute(query.where(table.c.migration == migration)):
                    found.records.add((row[0], row[1]))
                    found.payload_hashes.add(row[2])
            for table in (incomplete_records, extract_errors, landed_records):
                query = select(table.c.resource_type, table.c.source_id).where(table.c.migration == migration)
                found.records |= {(row[0], row[1]) for row in connection.execute(query) if row[1]}
        return found

    def forget(self, migration: str, found: Found, *, everything: bool, dry_run: bool) -> dict[str, int]:
        """Removes what was found, in one transaction; how many rows of each kind. A dry run changes nothing."""
        with self._database.write() as connection:
            if connection.dialect.name == "sqlite":
                # What is removed is overwritten with zeros, whatever becomes of the file afterwards.
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            else:
                connection.execute(text("LOCK TABLE payloads IN SHARE ROW EXCLUSIVE MODE"))
            counts = _drop_records(connection, migration, found)
            if everything:
                counts |= _drop_the_rest(connection, migration)
            else:
                counts["texts"] = _blot(connection, migration, found)
            counts |= _drop_payloads(connection, migration, found)
            if dry_run:
                connection.rollback()
        return {name: count for name, count in counts.items() if count}

    def rewrite(self) -> None:
        """After something was forgotten: no trace of it stays in the database's own file."""
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if self._database.is_sqlite:
                raw: Any = connection.connection.dbapi_connection
                for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                    raw.execute(statement).fetchall()
            else:
                connection.execute(text("VACUUM"))


def _known_customers(connection: Connection, migration: str, wanted: str) -> set[str]:
    found: set[str] = set()
    for table in (source_records, tables.identities, incomplete_records, extract_errors):
        query = select(table.c.source_id).where(
            table.c.migration == migration, table.c.resource_type == str(ResourceType.CUSTOMERS),
            table.c.source_id == wanted,
        )  # fmt: skip
        found |= set(connection.execute(query.limit(1)).scalars())
    return found


def _with_payload(table: Table, *conditions: ColumnElement[bool]) -> Any:
    joined = table.join(payloads, payloads.c.hash == table.c.payload_hash)
    return (
        select(table.c.resource_type, table.c.source_id, payloads.c.hash, payloads.c.body)
        .select_from(joined)
        .where(*conditions)
    )


def _payloads_of(
    connection: Connection, migration: str, records: Iterable[RecordName]
) -> Iterator[tuple[str, str, str]]:
    """(type, hash, body) of all payloads that these records have or had, in the source's and in Shopify's shape."""
    by_type: dict[str, list[str]] = {}
    for kind, source_id in records:
        by_type.setdefault(kind, []).append(source_id)
    for kind, ids in by_type.items():
        for table in _SCANNED:
            mine = (table.c.migration == migration, table.c.resource_type == kind, among(table.c.source_id, ids))
            for row in connection.execute(_with_payload(table, *mine)):
                yield kind, row.hash, row.body
        for table in (attempts, incomplete_records):
            for column in (table.c.source_hash, table.c.payload_hash):
                query = select(payloads.c.hash, payloads.c.body).join(table, payloads.c.hash == column)
                mine = (table.c.migration == migration, table.c.resource_type == kind, among(table.c.source_id, ids))
                for row in connection.execute(query.where(*mine)):
                    yield kind, row.hash, row.body


def _holding(connection: Connection, migration: str, email: str) -> set[RecordName]:
    """Records whose payload has this very mail address in it, or whose id it is."""
    exact = _exactly(email)
    found: set[RecordName] = set()
    for table in _SCANNED:
        holds = _contains(payloads.c.body, email)
        for row in connection.execute(_with_payload(table, table.c.migration == migration, holds)):
            if exact.search(row.body):
                found.add((row.resource_type, row.source_id))
    for table in (source_records, tables.identities, incomplete_records):
        query = select(table.c.resource_type, table.c.source_id).where(
            table.c.migration == migration, func.lower(table.c.source_id) == email.lower()
        )
        found |= {(row[0], row[1]) for row in connection.execute(query)}
    return found


def _exactly(email: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.+%'-]){re.escape(email)}(?![\w-]|\.\w)", re.IGNORECASE)


def _contains(column: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    return func.lower(column).contains(words.lower(), autoescape=True)


def _naming(connection: Connection, migration: str, customer_id: str) -> set[RecordName]:
    """Records that refer to the customer by its id, in the source's words or by a reference of a mapping."""
    found: set[RecordName] = set()
    for table in (source_records, staged_records):
        about = (
            table.c.migration == migration, payloads.c.body.contains(customer_id, autoescape=True),
            payloads.c.body.contains("ustomer"),
        )  # fmt: skip
        for row in connection.execute(_with_payload(table, *about)):
            if row.resource_type != ResourceType.CUSTOMERS and _refers(read_json(row.body), customer_id):
                found.add((row.resource_type, row.source_id))
    return found


def _refers(value: Any, customer_id: str, key: str = "") -> bool:
    if isinstance(value, dict):
        if value.get("resource_type") == ResourceType.CUSTOMERS and str(value.get("source_id")) == customer_id:
            return True
        if _CUSTOMER_KEY.search(key) and str(value.get("id")) == customer_id:
            return True
        return any(_refers(each, customer_id, name) for name, each in value.items())
    if isinstance(value, list):
        return any(_refers(each, customer_id, key) for each in value)
    return bool(_CUSTOMER_KEY.search(key)) and not isinstance(value, bool) and str(value) == customer_id


def _failed_rows(connection: Connection, migration: str, emails: Iterable[str]) -> set[RecordName]:
    found: set[RecordName] = set()
    for email in emails:
        exact = _exactly(email)
        query = select(extract_errors.c.resource_type, extract_errors.c.source_id, extract_errors.c.raw).where(
            extract_errors.c.migration == migration, extract_errors.c.source_id != "",
            _contains(extract_errors.c.raw, email),
        )  # fmt: skip
        found |= {(row[0], row[1]) for row in connection.execute(query) if exact.search(row.raw)}
    return found


def _drop_records(connection: Connection, migration: str, found: Found) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind in sorted({kind for kind, _ in found.records}):
        ids = found.named(kind)
        for table in _CONTENT:
            _count(counts, table.name, connection, delete(table).where(_of(table, migration, kind, ids)))
        named_by_mail = [one for one in ids if EMAIL.search(one)]
        for table in _TRACES:
            _count(counts, table.name, connection, delete(table).where(_of(table, migration, kind, named_by_mail)))
        given_up = incomplete_records.c.status == "discarded"
        mine = _of(incomplete_records, migration, kind, ids)
        _count(counts, "incomplete_records", connection, delete(incomplete_records).where(mine, ~given_up))
        for table, words in (
            (incomplete_records, ("message", "hint", "path", "reason", "resolution")),
            (attempts, ("message", "hint", "path", "reason")),
            (extract_errors, ("raw", "reason", "hint")),
        ):
            blank = {name: BLOTTED if name in ("raw", "message") else "" for name in words}
            with_words = or_(*(table.c[name].not_in(("", BLOTTED)) for name in words))
            blotted = update(table).where(_of(table, migration, kind, ids), with_words).values(blank)
            _count(counts, f"{table.name}_blotted", connection, blotted)
    return counts


def _count(counts: dict[str, int], name: str, connection: Connection, statement: Any) -> None:
    counts[name] = counts.get(name, 0) + connection.execute(statement).rowcount


def _of(table: Table, migration: str, kind: str, ids: list[str]) -> ColumnElement[bool]:
    return and_(table.c.migration == migration, table.c.resource_type == kind, among(table.c.source_id, ids))


def _drop_the_rest(connection: Connection, migration: str) -> dict[str, int]:
    """Of a whole migration: rows without an id, where reads go on from, and every word that was said of records."""
    counts: dict[str, int] = {}
    # Else an incremental source would give only what changes from now on.
    for table in (tables.source_cursors, tables.source_fingerprints, extract_errors, record_warnings, attempts):
        _count(counts, table.name, connection, delete(table).where(table.c.migration == migration))
    words: JsonObject = {"first_error": "", "first_skip_reason": "", "error_groups": [], "warnings": []}
    of_migration = run_items.c.run_id.in_(select(runs.c.run_id).where(runs.c.migration == migration))
    connection.execute(update(run_items).where(of_migration).values(words | {"skip_reasons": {}, "notes": []}))
    connection.execute(update(runs).where(runs.c.migration == migration).values(first_error=""))
    return counts


def _blot(connection: Connection, migration: str, found: Found) -> int:
    """Takes the texts out of every word that is kept of the migration; how many places."""
    blotter = found.blotter()
    if blotter is None:
        return 0
    blotted = 0
    for table in tables.metadata.sorted_tables:
        if "migration" in table.c:
            mine = table.c.migration == migration
        elif table is run_items:
            mine = run_items.c.run_id.in_(select(runs.c.run_id).where(runs.c.migration == migration))
        else:
            continue
        for column in table.c:
            if isinstance(column.type, JsonText | PlainText):
                blotted += _blot_column(connection, table, column, mine, found.texts, blotter)
    return blotted


def _blot_column(
    connection: Connection, table: Table, column: Any, mine: ColumnElement[bool], texts: set[str],
    blotter: re.Pattern[str],
) -> int:  # fmt: skip
    plain = type_coerce(column, Text)
    key = list(table.primary_key.columns)
    blotted = 0
    for some in _parts(sorted(texts), 50):
        forms = {form for one in some for form in (one, json.dumps(one)[1:-1])}
        holds = or_(*(_contains(plain, form) for form in forms))
        for row in connection.execute(select(plain.label("words"), *key).where(mine, holds)).all():
            here = and_(*(part == value for part, value in zip(key, row[1:], strict=True)))
            words = blotter.sub(BLOTTED, row[0])
            connection.execute(update(table).where(here).values({column: type_coerce(words, Text)}))
            blotted += 1
    return blotted


def _parts(items: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _drop_payloads(connection: Connection, migration: str, found: Found) -> dict[str, int]:
    """What nothing else has; `payloads_of_others`: what another migration has read as well, and keeps."""
    dropped = kept = 0
    for some in _parts(sorted(found.payload_hashes - {""}), 5_000):
        elsewhere: set[str] = set()
        for table in _SCANNED:
            elsewhere |= set(
                connection.execute(
                    select(table.c.payload_hash).where(
                        among(table.c.payload_hash, some), table.c.migration != migration
                    )
                ).scalars()
            )
        free = [one for one in some if one not in elsewhere]
        dropped += connection.execute(delete(payloads).where(among(payloads.c.hash, free))).rowcount
        kept += len(elsewhere)
    return {"payloads": dropped, "payloads_of_others": kept}

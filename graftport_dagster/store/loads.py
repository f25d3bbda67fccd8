"""What a load asks the record store and tells it: the door to leases, identities, landing and settlements.

The one algorithm that uses it is in `loaders/`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from graftport_dagster.errors import BrokenPromiseError
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, Run
from graftport_dagster.store import bulk_operations, landing, leases, payloads, settlements, waits
from graftport_dagster.store import identities as identity_rows
from graftport_dagster.store.bulk_operations import BulkLine, OpenBulk
from graftport_dagster.store.database import Database, over_restarts
from graftport_dagster.store.landing import LoadInput
from graftport_dagster.store.leases import Lease
from graftport_dagster.store.selection import Dataset, Selection
from graftport_dagster.store.settlements import Intent, OpenStep, Settlement


@over_restarts
class Loads:
    """What landed where: leases, identities, intents, landed hashes, attempts."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def acquire(
        self, migration: str, store_gid: str, resource_type: ResourceType, run: Run, *, seconds: float = 60
    ) -> Lease:
        """Raises LeaseHeldError naming the holder (run id, host, since), `retry_after` its remaining seconds.

        A lease whose process is dead on this same host (run.host, run.pid: the pid is gone, or in
        its second life) is taken over at once; any other when it has expired by the database's
        clock. The same process may ask again for the same run. Each acquisition increases `fencing`.
        """
        with self._database.write() as connection:
            return leases.acquire(connection, migration, store_gid, resource_type, run, seconds)

    def renew(self, lease: Lease, *, seconds: float = 60) -> None:
        """Puts the lease's end `seconds` from now. Raises LeaseLostError after a take-over."""
        with self._database.write() as connection:
            leases.renew(connection, lease, seconds)

    def release(self, lease: Lease) -> None:
        """Gives the lease back; nothing happens where it was lost."""
        with self._database.write() as connection:
            leases.release(connection, lease)

    def scope(
        self, dataset: Dataset, store_gid: str, resource_type: ResourceType, selection: Selection, *,
        with_deleted: bool = False,
    ) -> Mapping[str, int]:  # fmt: skip
        """`{"in_scope": n, "pending": n, "landed": n}` of the records in state `staged` within the selection.

        Pending: never landed here, or landed_hash differs, or with open or done steps, or failed there; with
        `with_deleted` also those deleted at the source and not yet withdrawn here. Counts only.
        """
        with self._database.read() as connection:
            return landing.scope(connection, dataset, store_gid, resource_type, selection, with_deleted=with_deleted)

    def to_load(
        self, dataset: Dataset, store_gid: str, resource_type: ResourceType, selection: Selection, *,
        only_pending: bool, with_deleted: bool = False, batch: int = 200,
    ) -> Iterator[list[LoadInput]]:  # fmt: skip
        """Batches by source id (keyset: safe to settle while iterating; each record is given once)."""
        return landing.to_load(
            self._database, dataset, store_gid, resource_type, selection, only_pending=only_pending,
            with_deleted=with_deleted, batch=batch,
        )  # fmt: skip

    def identities(self, migration: str, store_gid: str, keys: Collection[RecordKey]) -> dict[RecordKey, Identity]:
        """The identities of these keys; those that have not landed are absent."""
        with self._database.read() as connection:
            return identity_rows.find(connection, migration, store_gid, keys)

    def parts(
        self, migration: str, store_gid: str, resource_type: ResourceType, source_ids: Sequence[str]
    ) -> dict[str, dict[RecordKey, Identity]]:
        """Source id → its parts, without the record itself; ids without parts are absent."""
        with self._database.read() as connection:
            return identity_rows.parts_of(connection, migration, store_gid, resource_type, source_ids)

    def put_identities(self, migration: str, store_gid: str, identities: Sequence[Identity]) -> None:
        """Writes what belongs to no record of a load: locations, publications."""
        with self._database.write() as connection:
            identity_rows.keep(connection, migration, store_gid, identities, self._now())

    def staged_keys(self, dataset: Dataset, keys: Collection[RecordKey]) -> set[RecordKey]:
        """Which of these records (parts ignored) are staged: a reference to one of them may still come."""
        with self._database.read() as connection:
            return landing.staged_keys(connection, dataset, keys)

    def intend(self, lease: Lease, intents: Sequence[Intent], run: Run) -> None:
        """Commits the intents in one transaction that checks the lease. Raises LeaseLostError after a take-over."""
        if run.options.dry_run:
            raise BrokenPromiseError("A dry run was about to send something.", code="DRY_RUN_WRITES")
        with self._database.write() as connection:
            leases.check(connection, lease)
            settlements.intend(connection, lease, intents, run, self._now())

    def begin_bulk(
        self, lease: Lease, run: Run, token: str, lines: Sequence[BulkLine], intents: Sequence[Intent]
    ) -> None:
        """Writes a bulk operation that is about to be asked for, with its lines and intents. Raises LeaseLostError."""
        if run.options.dry_run:
            raise BrokenPromiseError("A dry run was about to send something.", code="DRY_RUN_WRITES")
        now = self._now()
        with self._database.write() as connection:
            leases.check(connection, lease)
            settlements.intend(connection, lease, intents, run, now)
            bulk_operations.begin(connection, lease, run, token, lines, now)

    def name_bulk(self, lease: Lease, token: str, gid: str) -> None:
        """Writes what Shopify calls the operation. Raises LeaseLostError."""
        with self._database.write() as connection:
            leases.check(connection, lease)
            bulk_operations.name(connection, lease, token, gid)

    def end_bulk(self, lease: Lease, token: str) -> None:
        """Forgets an operation: it is over, and its lines are settled or left to be sent. Raises LeaseLostError."""
        with self._database.write() as connection:
            leases.check(connection, lease)
            bulk_operations.end(connection, lease, token)

    def open_bulks(self, migration: str, store_gid: str, resource_type: ResourceType) -> list[OpenBulk]:
        """Operations that an earlier load has left, the oldest first: to be cleared up before anything is sent."""
        with self._database.read() as connection:
            return bulk_operations.still_open(connection, migration, store_gid, resource_type)

    def bulk_lines(self, lease: Lease, token: str, numbers: Collection[int]) -> dict[int, BulkLine]:
        """Line → record, of these lines of an operation."""
        with self._database.read() as connection:
            return bulk_operations.lines_of(connection, lease, token, numbers)

    def open_steps(self, migration: str, store_gid: str, resource_type: ResourceType) -> list[OpenStep]:
        """Steps without an outcome, by record and step: to be verified before anything else."""
        with self._database.read() as connection:
            return settlements.open_steps(connection, migration, store_gid, resource_type)

    def done_steps(
        self, migration: str, store_gid: str, resource_type: ResourceType, source_ids: Sequence[str]
    ) -> dict[str, dict[str, tuple[str, str]]]:
        """Source id → step → (payload hash, remote id) of steps done for a payload that is not clean yet."""
        with self._database.read() as connection:
            return settlements.done_steps(connection, migration, store_gid, resource_type, source_ids)

    def settle(self, lease: Lease, run: Run, phase_settlements: Sequence[Settlement]) -> None:
        """Commits outcomes in one transaction that checks the lease. Raises LeaseLostError after a take-over.

        In a dry run only the attempts are kept, under the run's id, and the lease is not looked at.
        """
        if not phase_settlements:
            return
        now = self._now()
        with self._database.write() as connection:
            if run.options.dry_run:
                settlements.record_attempts(connection, lease, run, phase_settlements, now, dry_run_id=run.run_id)
                return
            leases.check(connection, lease)
            settlements.settle(connection, lease, run, phase_settlements, now)

    def landed_payload(
        self, migration: str, store_gid: str, resource_type: ResourceType, source_id: str
    ) -> tuple[JsonObject | None, JsonObject | None]:
        """(payload that last landed whole, snapshot of Shopify's answer)."""
        with self._database.read() as connection:
            return landing.landed_payload(connection, migration, store_gid, resource_type, source_id)

    def payload(self, payload_hash: str) -> JsonObject | None:
        """The payload of that content hash; None where there is none (any more)."""
        with self._database.read() as connection:
            return payloads.find(connection, payload_hash)

    def snapshots(
        self, migration: str, store_gid: str, resource_type: ResourceType, source_ids: Sequence[str]
    ) -> dict[str, JsonObject]:
        """Source id → what Shopify answered last; records without a snapshot are absent."""
        with self._database.read() as connection:
            return landing.snapshots(connection, migration, store_gid, resource_type, list(source_ids))

    def awaited_of_others(
        self, migration: str, store_gid: str, resource_type: ResourceType, run: Run
    ) -> list[tuple[str, int, str]]:
        """(type, how many held records wait for some of it, the other run that writes it into the store now)."""
        with self._database.read() as connection:
            others = leases.others(connection, migration, store_gid, run)
            found = waits.awaited(connection, migration, store_gid, str(resource_type)) if others else {}
        return [(kind, count, others[kind]) for kind, count in sorted(found.items()) if kind in others]

    def judge_waits(self, migration: str, store_gid: str, enabled: Sequence[str]) -> dict[str, int]:
        """Marks held records that wait in a circle, or for what never comes; how many, by code."""
        with self._database.write() as connection:
            return waits.judge(connection, migration, store_gid, enabled)

    def waiters(self, migration: str, store_gid: str) -> dict[ResourceType, int]:
        """Held records whose references have all landed since: due now."""
        with self._database.read() as connection:
            return landing.waiters(connection, migration, store_gid)

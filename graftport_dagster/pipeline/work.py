"""What a run works with: its folders, its record store, its Shopify store.

Opening and closing only; what is done with them is in the phases' own modules.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from graftport_dagster import simulator
from graftport_dagster.errors import ConfigurationError, ErrorClass, GraftportError
from graftport_dagster.loaders.loader import LEASE_SECONDS
from graftport_dagster.migration import Migration
from graftport_dagster.records import Keeping, Phase, ResourceType, Run
from graftport_dagster.settings import resolve_secret
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.credentials import AccessToken, ClientCredentials, Credentials
from graftport_dagster.store.place import report_folder, state_folder
from graftport_dagster.store.record_store import Dataset, Lease, RecordStore, Selection

# The short one is for a store that was unreachable for another type of the same run, which is asked once.
_CONNECT_SECONDS, _SHORT_CONNECT_SECONDS = 10.0, 2.0


def must_have_secrets(migration: Migration) -> None:
    """Raises ConfigurationError for a secret of the Shopify store that is not there."""
    if not migration.destination.shop.startswith("simulator:"):
        _credentials(migration)


# How often the record store is asked whether somebody canceled the run.
_LOOK_SECONDS = 1.0


def keeping(migration: Migration) -> Keeping:
    """What the migration file says of keeping incomplete records."""
    options = migration.options
    return Keeping(options.incomplete_limit, drops=options.allow_data_loss, is_off=not options.store_incomplete)


def connect(migration: Migration, *, stop: Callable[[], bool] = lambda: False, is_known_silent: bool = False) -> Shop:
    """The migration's Shopify store, its secrets resolved now; starts the embedded simulator where that is it.

    `is_known_silent`: it did not answer a moment ago, and is asked once. Raises ConfigurationError for a secret
    that is not there. Sends nothing yet.
    """
    destination = migration.destination
    url = destination.shop
    credentials: Credentials = AccessToken("simulator")
    if url.startswith("simulator:"):
        # `simulator://rehearsal` is a store of its own beside `simulator://`.
        name = url.partition("://")[2].strip("/")
        url = simulator.ensure(state_folder() / ("simulator" + (f"-{name}" if name else "")))
    else:
        credentials = _credentials(migration)
        url = url if "://" in url else f"https://{url}"
    return Shop(
        url,
        credentials=credentials,
        api_version=destination.api_version,
        concurrency=destination.concurrency,
        timeout_seconds=destination.timeout_seconds,
        stop=stop,
        patience_seconds=0.0 if is_known_silent else destination.patience_seconds,
        connect_seconds=_SHORT_CONNECT_SECONDS if is_known_silent else _CONNECT_SECONDS,
    )


def _credentials(migration: Migration) -> Credentials:
    destination = migration.destination
    if destination.access_token is not None:
        return AccessToken(resolve_secret(destination.access_token, base=migration.folder))
    return ClientCredentials(
        resolve_secret(destination.client_id or "", base=migration.folder),
        resolve_secret(destination.client_secret or "", base=migration.folder),
    )


@dataclass
class Work:
    """One run at work; made by `open_work`. `child_run_id`: the Dagster run that does it, if not the run itself."""

    migration: Migration
    store: RecordStore
    run: Run
    asks_to_stop: Callable[[], bool]
    progress: Callable[[str], None]
    child_run_id: str = ""
    renew_after_seconds: float = LEASE_SECONDS / 3
    # What stops the type at the next batch, though nobody asked for it.
    stopped_by: GraftportError | None = None
    _is_stopping: bool = False
    _looked_at: float = 0.0
    _lease: Lease | None = None
    _renewed_at: float = 0.0
    _shop: Shop | None = field(default=None, repr=False)

    def should_stop(self) -> bool:
        """Whether somebody asked this run to stop; asked at batch boundaries, by the thread that works.

        Keeps what is held (`holding`) as well. Raises LeaseLostError after a take-over.
        """
        if self._lease is not None and time.monotonic() - self._renewed_at > self.renew_after_seconds:
            self.store.loads.renew(self._lease, seconds=LEASE_SECONDS)
            self._renewed_at = time.monotonic()
        self._is_stopping = self._is_stopping or self.asks_to_stop() or self._is_canceled()
        return self._is_stopping or self.stopped_by is not None

    def _is_canceled(self) -> bool:
        if time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = time.monotonic()
        self._watch_the_limit()
        return self.store.runs.is_to_stop(self.run.run_id)

    def _watch_the_limit(self) -> None:
        kept = self.run.keeping
        if kept.is_off or kept.drops or kept.limit is None or self.run.options.dry_run or self.run.options.retry:
            return
        count = self.store.incomplete.count(self.migration.slug)
        if count >= kept.limit:
            self.stopped_by = ConfigurationError(
                f"{count} incomplete records are open, as many as incomplete_limit allows.", code="INCOMPLETE_LIMIT",
                hint="Mend and retry them, give some up (graftport incomplete discard), or raise incomplete_limit.",
            )  # fmt: skip

    @contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Renews the lease while the block asks whether it should stop, and gives it back at its end."""
        self._lease, self._renewed_at = lease, time.monotonic()
        try:
            yield
        finally:
            self._lease = None
            self.store.loads.release(lease)

    def shop(self) -> Shop:
        """The Shopify store, connected once for all phases of this work."""
        if self._shop is None:
            self._shop = connect(
                self.migration, stop=lambda: self._is_stopping, is_known_silent=self._was_silent()
            )  # fmt: skip
        return self._shop

    def _was_silent(self) -> bool:
        """Whether another type of this run gave up on a store that could not be reached."""
        return any(
            item.phase is Phase.LOAD and item.error_class is ErrorClass.CONNECTION
            for item in self.store.runs.items(self.run.run_id)
        )

    def close(self) -> None:
        """Closes what was opened for this work alone."""
        if self._shop is not None:
            self._shop.close()
            self._shop = None

    @property
    def report_folder(self) -> Path:
        """Where this run leaves its files."""
        return report_folder(self.run.run_id)

    def dataset(self, *, own: bool) -> Dataset:
        """The migration's rows, in a dry run that makes them itself (`own`) the dry run's, in a replay its own."""
        if self.run.replay_of:
            return Dataset(self.migration.slug, replay_id=self.run.run_id)
        return Dataset(self.migration.slug, self.run.run_id if self.run.options.dry_run and own else "")

    def wanted_ids(self, resource_type: ResourceType) -> set[str] | None:
        """The ids that an extract is narrowed to; None where it is not."""
        if self.run.options.retry:
            return self.store.incomplete.claimed(self.run, resource_type)
        return set(self.run.options.source_ids) or None

    @property
    def selection(self) -> Selection:
        """How the run's options narrow each phase."""
        options = self.run.options
        if options.retry:
            return Selection(run_id=self.run.run_id, is_retry=True)
        return Selection(
            options.source_ids, options.error_group, options.limit, run_id=self.run.run_id,
            source_seq=0 if options.overwrite_newer else self.run.source_seq,
        )  # fmt: skip

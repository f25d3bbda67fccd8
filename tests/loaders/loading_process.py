"""A process that loads what is staged, so that it can be killed: called with an address, a folder and a number."""

import os
import socket
import sys
from pathlib import Path

from graftport_dagster.migration import Defaults, Destination, Migration
from graftport_dagster.records import ResourceType
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import RecordStore
from tests.loaders.conftest import MIGRATION, World

TYPES = (
    ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.DISCOUNT_CODES, ResourceType.GIFT_CARDS,
    ResourceType.ORDERS, ResourceType.BLOGS, ResourceType.MARKETS,
)  # fmt: skip
# Shorter than search lags: what is not found yet must not be given up.
VERIFY_AFTER_SECONDS = 0.2


def world_of(url: str, folder: Path, store: RecordStore, runs: int = 0) -> World:
    """A world over a record store that several processes use, one after the other."""
    destination = Destination(
        shop=url, access_token="env:TOKEN", concurrency=4, verify_after_seconds=VERIFY_AFTER_SECONDS
    )
    migration = Migration(
        slug=MIGRATION, folder=folder, source=FilesSettings(platform="magento"), destination=destination,
        options=Defaults(),
    )  # fmt: skip
    return World(url, store, migration, runs=runs)


def main(url: str, folder: Path, number: int) -> None:
    """Loads every type once; `number` keeps the runs of several processes apart."""
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        world = world_of(url, folder, store, runs=number * 100)
        world.host, world.pid = socket.gethostname(), os.getpid()
        for resource_type in TYPES:
            world.load(resource_type)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

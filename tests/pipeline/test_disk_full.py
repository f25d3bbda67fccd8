"""A disk that is full in the middle of a run, and is not any more before the next."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import ErrorClass, GraftportError
from graftport_dagster.records import Result
from graftport_dagster.store.record_store import RecordStore

DISK_BYTES = 24 * 1024 * 1024
VERIFY_AFTER_SECONDS = 0.3


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk to fill")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(disk: Path, *, leave: int) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65_536)
        except OSError:
            pass
    with filler.open("r+b") as file:
        file.truncate(max(0, filler.stat().st_size - leave))
    return filler


# Room for a little of the extract, for all of it, and into the load.
@pytest.mark.parametrize("leave_kb", [128, 640, 1100])
def test_a_disk_full_in_mid_run_says_so_and_the_next_runs_end_with_everything_once(
    shop: Any, disk: Path, leave_kb: int
) -> None:
    soon = shop.migration.destination.model_copy(update={"verify_after_seconds": VERIFY_AFTER_SECONDS})
    migration = shop.migration.model_copy(update={"destination": soon})
    with RecordStore.open(f"sqlite:///{disk}/records.db") as store:
        there = replace(shop, store=store, migration=migration)
        filler = _fill(disk, leave=leave_kb * 1024)
        assert ErrorClass.OUT_OF_SPACE in _told_by_a_run(there)
        filler.unlink()

        results = []
        for _ in range(3):
            time.sleep(VERIFY_AFTER_SECONDS)
            results.append(there.run().run.result)
        assert results[-1] is Result.UNCHANGED, results
        assert there.incomplete() == []
        landed = {kind: len(shop.objects(kind)) for kind in ("Product", "Collection", "UrlRedirect")}
        assert landed == {"Product": 32, "Collection": 18, "UrlRedirect": 97}


def _told_by_a_run(there: Any) -> set[ErrorClass | None]:
    """The classes of what stopped it; even the run's own end may find no room."""
    try:
        ran = there.run()
    except GraftportError as error:
        return {error.error_class}
    return {error.error_class for error in ran.raised.values()} | {item.error_class for item in ran.items.values()}

"""Purging: what is old and needed by nothing, or one customer's personal data, or all that a migration has read.

What goes from the record store is decided in `store/purging.py` and `store/forgetting.py`; here are the files of runs
beside it, and that nobody is at work meanwhile.
"""

import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from graftport_dagster.errors import ConfigurationError, LeaseHeldError
from graftport_dagster.loaders.loader import LEASE_SECONDS
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, ResourceType, Run, RunOptions, shown_id
from graftport_dagster.reports.unresolved import unresolved_runs
from graftport_dagster.store.forgetting import BLOTTED, Found
from graftport_dagster.store.place import report_folder
from graftport_dagster.store.record_store import RecordStore

_LISTED = 1_000


def purge_old(store: RecordStore, migration: Migration, *, before: datetime, dry_run: bool) -> JsonObject:
    """Removes what ended before that and is needed by nothing; says what, `kept` why the rest stayed."""
    runs = store.runs.list(migration.slug)
    unresolved = unresolved_runs(runs, runs)
    purged = store.purging.by_age(migration.slug, before, unresolved=unresolved, dry_run=dry_run)
    folders = [run_id for run_id in purged.run_ids if report_folder(run_id).is_dir()]
    if not dry_run:
        for run_id in folders:
            shutil.rmtree(report_folder(run_id), ignore_errors=True)
    return {
        "migration": migration.slug, "dry_run": dry_run, "before": before.isoformat(timespec="seconds"),
        "removed": purged.counts | ({"reports": len(folders)} if folders else {}), "runs": list(purged.run_ids),
        "kept": {"unresolved_runs": len(unresolved), "open_records": store.incomplete.count(migration.slug)},
    }  # fmt: skip


def purge_customer(store: RecordStore, migration: Migration, wanted: str, *, dry_run: bool) -> JsonObject:
    """Removes the personal data of the customer with this id in the source, or this mail address.

    Raises ConfigurationError where nothing is known of such a customer, LeaseHeldError while a run is at work.
    """
    with _nobody_at_work(store, migration):
        found = store.forgetting.find(migration.slug, wanted)
        files = list(_files_with(store, migration, found))
        if not found.records and not files:
            raise ConfigurationError(
                f"Nothing that {migration.slug} has read is of such a customer.", code="NO_CUSTOMER",
                hint="Give the id that the customer has in the source, or the whole mail address.",
            )  # fmt: skip
        removed = _forget(store, migration, found, everything=False, dry_run=dry_run)
        if not dry_run:
            for path in files:
                _blot_file(path, found)
    return _told(migration, found, removed | _number("files", len(files)), dry_run=dry_run)


def purge_everything(store: RecordStore, migration: Migration, *, dry_run: bool) -> JsonObject:
    """Removes all that was read and made of it; identities, hashes, counts and mappings stay.

    Raises LeaseHeldError while a run is at work.
    """
    with _nobody_at_work(store, migration):
        found = store.forgetting.everything(migration.slug)
        folders = [folder for run in store.runs.list(migration.slug) if (folder := report_folder(run.run_id)).is_dir()]
        removed = _forget(store, migration, found, everything=True, dry_run=dry_run)
        if not dry_run:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
    return _told(migration, found, removed | _number("reports", len(folders)), dry_run=dry_run)


def _number(name: str, count: int) -> dict[str, int]:
    return {name: count} if count else {}


def _forget(
    store: RecordStore, migration: Migration, found: Found, *, everything: bool, dry_run: bool
) -> dict[str, int]:
    removed = store.forgetting.forget(migration.slug, found, everything=everything, dry_run=dry_run)
    if not dry_run:
        store.forgetting.rewrite()
    return removed


@contextmanager
def _nobody_at_work(store: RecordStore, migration: Migration) -> Iterator[None]:
    """Holds every type, so that no run reads or makes anew what is just being taken out.

    A run between two phases holds none, nor does a dry run: one that goes on is refused all the same.
    """
    for going_on in store.runs.list(migration.slug, going_on=True):
        raise LeaseHeldError(
            f"Run {going_on.run_id} on {going_on.host or 'an unnamed host'} is at work for {migration.slug}.",
            hint=f"Wait for it, or end it, also where its process is dead: graftport cancel {going_on.run_id}.",
        )
    run = Run(
        f"purge-{uuid.uuid4()}", migration.slug, RunOptions(), host=socket.gethostname(), pid=os.getpid(),
    )  # fmt: skip
    with ExitStack() as held:
        for kind in ResourceType:
            lease = store.loads.acquire(migration.slug, "", kind, run, seconds=10 * LEASE_SECONDS)
            held.callback(store.loads.release, lease)
        yield


def _told(migration: Migration, found: Found, removed: dict[str, int], *, dry_run: bool) -> JsonObject:
    shown = sorted(found.records)[:_LISTED]
    return {
        "migration": migration.slug, "dry_run": dry_run, "removed": removed,
        "records": [{"resource_type": kind, "source_id": _shown(kind, one)} for kind, one in shown],
        "records_in_all": len(found.records),
    }  # fmt: skip


def _shown(kind: str, source_id: str) -> str:
    return shown_id(ResourceType(kind), source_id)


def _files_with(store: RecordStore, migration: Migration, found: Found) -> Iterator[Path]:
    """Files that runs of this migration left and that hold something of the customer."""
    blotter = found.blotter()
    for run in store.runs.list(migration.slug):
        folder = report_folder(run.run_id)
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and any(_is_about(line, path, found, blotter) for line in _lines(path)):
                yield path


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


def _is_about(line: str, path: Path, found: Found, blotter: re.Pattern[str] | None) -> bool:
    if blotter is not None and blotter.search(line):
        return True
    if path.suffix != ".jsonl":
        return False
    try:
        source_id = json.loads(line).get("source_id")
    except (ValueError, AttributeError):
        return False
    return (path.stem, str(source_id)) in found.records


def _blot_file(path: Path, found: Found) -> None:
    """Lines of records go whole; in a page that people read the texts are blotted out."""
    blotter = found.blotter()
    part = path.with_name(f".{path.name}.part")
    part.touch(mode=0o600)
    with part.open("w", encoding="utf-8") as out:
        for line in _lines(path):
            if not _is_about(line, path, found, blotter):
                out.write(line)
            elif path.suffix != ".jsonl" and blotter is not None:
                out.write(blotter.sub(BLOTTED, line))
    part.replace(path)

"""Source files after they were read: kept, or moved to a backup or deleted once all of their records have landed.

A file goes only when a load has been over all of its records, a run of its types has ended well, nothing that came
from it is open, and it is still the file that was read. What is about to happen is written down first, so that a
process that dies in between leaves either the file or its backup, and the next run ends what was begun.
"""

import errno
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from graftport_dagster.errors import LeaseHeldError
from graftport_dagster.loaders.loader import LEASE_SECONDS
from graftport_dagster.loaders.registry import loadable
from graftport_dagster.migration import Migration
from graftport_dagster.records import Phase, ResourceType, Result, Run, RunItem
from graftport_dagster.sources.file_bytes import sha256_of
from graftport_dagster.sources.files import FileSource
from graftport_dagster.sources.opening import files_of, open_source
from graftport_dagster.sources.source import Source
from graftport_dagster.sources.taken_files import TAKING, TakenFiles, stamp_of
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import RecordStore, SourceFile
from graftport_dagster.store.source_files import DELETED, DONE, GONE, LEAVING, LOADED, MOVED, READ

_GOOD = (Result.SUCCEEDED, Result.UNCHANGED)


def taken_files(migration: Migration, store: RecordStore) -> TakenFiles:
    """What a file source is to know of files that went away because we took them."""
    gone = {file.path: file.sha256 for file in store.source_files.known(migration.slug) if file.state in GONE}
    retention = migration.retention
    return TakenFiles(gone, retention.backup_folder if retention.source_files == "move" else "")


def open_stored_source(
    migration: Migration, *, stop: Callable[[], bool] = lambda: False, patience_seconds: float = 0.0
) -> Source:
    """The source, opened for a look: files that we took away ourselves are no error in it; see `open_source`."""
    with open_store() as store:
        taken = taken_files(migration, store)
    return open_source(migration, stop=stop, taken=taken, patience_seconds=patience_seconds)


def note_read(store: RecordStore, migration: Migration, run: Run, files: FileSource, kind: ResourceType) -> None:
    """Notes that the type's local files were read to their end."""
    if not migration.retention.takes_files:
        return
    read = [
        SourceFile(kind, file.relative, file.name, file.stamp, sha256_of(file.path))
        for file in files.files_read(kind)
        if _is_still(file.path, file.stamp)
    ]
    store.source_files.read(migration.slug, run, read)


def why_nothing_to_read(store: RecordStore, migration: Migration, kind: ResourceType) -> str:
    """The sentence for a type whose files were all taken away, and no new one has come."""
    gone = [file for file in store.source_files.known(migration.slug, kind) if file.state in GONE]
    last = max(gone, key=lambda file: (file.at or datetime.min.replace(tzinfo=UTC), file.path), default=None)
    if last is None:
        return "No file is there; the ones that were read were taken away."
    what = f"moved to {last.place}" if last.state == MOVED else "deleted"
    return f"{last.name} was {what} on {last.at:%Y-%m-%d} after it had landed; no new file has come."


def settle_files(store: RecordStore, migration: Migration, run: Run) -> None:
    """At the end of a run: takes away the files of its types of which nothing is left to do.

    What was done, or could not be, is noted on the type's extract, or else its load.
    """
    items = store.runs.items(run.run_id)
    if run.options.dry_run or run.replay_of or not migration.retention.takes_files:
        return
    for item in items:
        if item.phase is Phase.LOAD and _went_over_all(run, item):
            read = [file for file in store.source_files.known(migration.slug, item.resource_type) if file.state == READ]
            store.source_files.mark(migration.slug, read, LOADED)
    ended_well = _ended_well(items)
    if (files := files_of(migration)) is None or not ended_well:
        return
    keeper = _Keeper(store, migration, replace(run, host=socket.gethostname(), pid=os.getpid()), files)
    try:
        notes = keeper.settle(ended_well)
    finally:
        files.close()
    _tell(store, items, notes)


def _ended_well(items: Sequence[RunItem]) -> set[ResourceType]:
    loaded = {item.resource_type for item in items if item.phase is Phase.LOAD}
    return loaded - {item.resource_type for item in items if item.result not in _GOOD}


def _went_over_all(run: Run, item: RunItem) -> bool:
    options = run.options
    is_narrow = bool(options.source_ids or options.error_group or options.retry) or options.limit is not None
    left = item.counts.get("not_reached", 0) + item.counts.get("not_kept", 0)
    return not is_narrow and not left and item.result in (*_GOOD, Result.COMPLETED_WITH_ERRORS)


def _tell(store: RecordStore, items: Sequence[RunItem], notes: dict[ResourceType, list[str]]) -> None:
    for kind, lines in notes.items():
        item = next(item for item in items if item.resource_type is kind)
        store.runs.finish_item(replace(item, notes=(*item.notes, *lines)))


class _Keeper:
    """The files of one migration, at the end of one run."""

    def __init__(self, store: RecordStore, migration: Migration, run: Run, files: FileSource) -> None:
        self._store = store
        self._slug = migration.slug
        self._retention = migration.retention
        self._run = run
        self._files = files
        enabled = migration.resource_types or files.resource_types()
        self._enabled = [kind for kind in files.resource_types() if kind in enabled and kind in loadable()]

    def settle(self, ended_well: set[ResourceType]) -> dict[ResourceType, list[str]]:
        known = self._store.source_files.known(self._slug)
        now_done = [
            file
            for file in known
            if file.resource_type in ended_well and file.state in (LOADED, DONE)
            and not self._store.source_files.is_open(self._slug, file)
        ]  # fmt: skip
        self._store.source_files.mark(self._slug, now_done, DONE)
        notes: dict[ResourceType, list[str]] = {}
        for path in dict.fromkeys(file.path for file in now_done):
            wanted = [kind for kind in self._enabled if self._files.names_file(kind, path)]
            try:
                with self._alone(wanted):
                    if line := self._take(path, wanted):
                        notes.setdefault(next(kind for kind in wanted if kind in ended_well), []).append(line)
            except LeaseHeldError:
                # Another run has the type in hand; its end comes to this file again.
                continue
        return notes

    @contextmanager
    def _alone(self, kinds: Sequence[ResourceType]) -> Iterator[None]:
        loads = self._store.loads
        with ExitStack() as held:
            for kind in kinds:
                lease = loads.acquire(self._slug, "", kind, self._run, seconds=LEASE_SECONDS)
                held.callback(loads.release, lease)
            yield

    def _take(self, path: str, wanted: Sequence[ResourceType]) -> str:
        """Takes one file away, if every type that is read from it is done with it as it is now; says what was done."""
        rows = [file for file in self._store.source_files.known(self._slug) if file.path == path]
        done = [file for file in rows if file.state == DONE and file.resource_type in wanted]
        there = self._files.root / path
        if {file.resource_type for file in done} != set(wanted) or not _is_still(there, *(f.stamp for f in done)):
            return ""
        if any(self._store.source_files.is_open(self._slug, file) for file in done):
            return ""
        place = self._backup() if self._retention.source_files == "move" else None
        self._store.source_files.mark(self._slug, done, LEAVING, _shown(place, self._files.root) if place else "")
        try:
            moved = _take_away(there, done[0].stamp, place)
        except OSError as error:
            self._store.source_files.mark(self._slug, done, DONE)
            return f"{done[0].name} could not be taken away: {error.strerror}. It stays where it is."
        if moved is None:
            self._store.source_files.mark(self._slug, done, READ)
            return ""
        name = _shown(moved, self._files.root) if place else ""
        self._store.source_files.mark(self._slug, done, MOVED if place else DELETED, name)
        return f"{done[0].name} was moved to {name}." if place else f"{done[0].name} was deleted: all of it has landed."

    def _backup(self) -> Path:
        return self._files.root / self._retention.backup_folder / f"{datetime.now(UTC):%Y-%m-%d}"


def end_what_was_begun(store: RecordStore, migration: Migration) -> None:
    """Before a source is read: files that a run that died was just taking away are taken, or left, for good."""
    leaving: dict[str, list[SourceFile]] = {}
    for file in store.source_files.known(migration.slug):
        if file.state == LEAVING:
            leaving.setdefault(file.path, []).append(file)
    files = files_of(migration) if leaving else None
    if files is None:
        return
    for path, rows in leaving.items():
        there = files.root / path
        place = files.root / rows[0].place if rows[0].place else None
        if _is_still(there, rows[0].stamp):
            store.source_files.mark(migration.slug, rows, DONE)
            continue
        moved: Path | None = None
        if (taking := _taking(there)).exists():
            moved = _put_away(taking, place, there.name) if place else None
            taking.unlink(missing_ok=True)
        found = moved or (_newest(place, there.name) if place else None)
        shown = _shown(found or place, files.root) if place else ""
        store.source_files.mark(migration.slug, rows, MOVED if place else DELETED, shown)
    files.close()


def _is_still(path: Path, *stamps: str) -> bool:
    try:
        return path.is_file() and {stamp_of(path)} == set(stamps)
    except OSError:
        return False


def _shown(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()


def _taking(path: Path) -> Path:
    return path.with_name(f".{path.name}{TAKING}")


def _take_away(path: Path, stamp: str, place: Path | None) -> Path | None:
    """Moves the file to a folder, or deletes it, and gives its new path; None where it was another file by then."""
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    taking = _taking(path)
    # In one step, so that what is looked at below is what goes: somebody may write the next file just now.
    path.rename(taking)
    if not _is_still(taking, stamp):
        _give_back(taking, path)
        return None
    try:
        if place is not None:
            return _put_away(taking, place, path.name)
        taking.unlink()
    except OSError:
        _give_back(taking, path)
        raise
    return path


def _give_back(taking: Path, path: Path) -> None:
    """Where nothing else stands there by now; else under a name beside it, so that it is not lost."""
    _put(taking, path.parent, path.name)


def _put_away(taking: Path, place: Path, name: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    try:
        return _put(taking, place, name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    # On another file system: whole and on the disk there, before it goes here.
    copy = place / f".{name}{TAKING}"
    shutil.copy2(taking, copy)
    with copy.open("rb+") as stream:
        os.fsync(stream.fileno())
    found = _put(copy, place, name)
    taking.unlink()
    return found


def _put(file: Path, folder: Path, name: str) -> Path:
    """Gives the file that name in a folder of its own file system, or one with a number where it is taken."""
    stem, suffix = name.partition(".")[0], name[len(name.partition(".")[0]) :]
    number = 1
    while True:
        there = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        try:
            os.link(file, there)
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
                raise
            # No second names on this file system: the name is taken first, so that nothing is written over.
            try:
                os.close(os.open(there, os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                number += 1
                continue
            file.replace(there)
            return there
        file.unlink()
        return there


def _newest(place: Path, name: str) -> Path | None:
    stem, suffix = name.partition(".")[0], name[len(name.partition(".")[0]) :]
    found = [path for path in place.glob(f"{stem}*{suffix}") if not path.name.startswith(".")] if place.is_dir() else []
    return max(found, key=lambda path: path.stat().st_ctime_ns, default=None)

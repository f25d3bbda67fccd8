"""A source made of files, local or fetched: plain tables of any resource type, and native product exports.

One row of a plain file is one record whose payload is its columns as they are. Formats are
read in `row_files`, exports are put together in `exports`; which files there are, their freshness
and what `check` says of them is here.
"""

import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from graftport_dagster.errors import ConfigurationError, GraftportError, TransientError
from graftport_dagster.records import CheckResult, InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.source_settings.files import FileSpec, FilesSettings
from graftport_dagster.sources.exports import Desk, NativeExport, as_list, named_exports
from graftport_dagster.sources.file_bytes import modified_at, refusal, sha256_of
from graftport_dagster.sources.rest_reader import Clock
from graftport_dagster.sources.row_files import OpenRows, find_id_column, open_rows
from graftport_dagster.sources.rows import BadRow, Row, text_id
from graftport_dagster.sources.source import Freshness
from graftport_dagster.sources.taken_files import LocalFile, TakenFiles, stamp_of
from graftport_dagster.sources.web_files import WebFiles

_Files = list[tuple[Path, FileSpec]]


class FileSource:
    """Reads the files that the migration names, relative to `root` in the folder of the migration file.

    A native export gives several types; a plain file named for one that its rows only tell of (Magento's collections
    or redirects) takes its place. `scratch`: where an export's temporary folder goes, the system's by default.
    `taken`: files that are gone because we took them away.
    """

    def __init__(
        self, settings: FilesSettings, folder: Path, scratch: Path | None = None,
        stop: Callable[[], bool] = lambda: False, clock: Clock | None = None, taken: TakenFiles | None = None,
        patience_seconds: float = 0.0,
    ) -> None:  # fmt: skip
        self.root = (folder / settings.root).resolve()
        self._taken = taken or TakenFiles()
        self._were_read: dict[ResourceType, list[LocalFile]] = {}
        self._web = WebFiles(
            int(settings.max_download_mb * 2**20),
            base=folder,
            stop=stop,
            clock=clock,
            scratch=scratch,
            patience_seconds=patience_seconds,
        )
        self._limit = int(settings.max_record_mb * 2**20)
        self._plain = {kind: as_list(specs) for kind, specs in settings.files.items()}
        magento = as_list(settings.magento_export) + self._exports_named_as_files()
        desk = Desk(self._paths, self._name, self._limit, scratch)
        self._export = self._one_export(named_exports(settings, magento, desk))
        self._inconclusive: set[ResourceType] = set()

    def _exports_named_as_files(self) -> list[FileSpec]:
        found: list[FileSpec] = []
        for kind, specs in list(self._plain.items()):
            if any(spec.format == "magento_export" for spec in specs):
                if kind is not ResourceType.PRODUCTS or not all(spec.format == "magento_export" for spec in specs):
                    raise ConfigurationError(
                        f"`source.files.{kind}` cannot be a Magento export.", code="MAGENTO_EXPORT",
                        hint="Name it under `source.magento_export`.",
                    )  # fmt: skip
                found += self._plain.pop(kind)
        return found

    def _one_export(self, exports: list[NativeExport]) -> NativeExport | None:
        """The export, where one is named and nothing else gives what is its own."""
        names = [f"`source.{export.setting}`" for export in exports]
        if len(exports) == 1:
            names += [f"`source.files.{kind}`" for kind in exports[0].types if kind in self._plain
                      and exports[0].own(kind)]  # fmt: skip
        if len(names) > 1:
            raise ConfigurationError(
                f"The same type is given twice: {' and '.join(names)}.", code="PRODUCTS_TWICE",
                hint="Keep one of them.",
            )  # fmt: skip
        if not exports and not self._plain:
            raise ConfigurationError(
                "The source names no files.", code="NO_FILES",
                hint="Give `source.files`, or an export such as `source.magento_export`.",
            )  # fmt: skip
        return exports[0] if exports else None

    def resource_types(self) -> tuple[ResourceType, ...]:
        """The types that a file is named for, in dependency order."""
        derived = self._export.types if self._export else ()
        return tuple(kind for kind in ResourceType if kind in self._plain or kind in derived)

    def read(self, resource_type: ResourceType, since: JsonObject | None) -> Iterator[SourceRecord | InvalidRow]:
        """Every record; `since` has no meaning for files."""
        del since
        files = self._files(resource_type)
        before = _stamps(files)
        local = self._local(resource_type)
        self._were_read.pop(resource_type, None)
        self._inconclusive.discard(resource_type)
        if not files:
            # All of them were read before and taken away since.
            return
        if resource_type in self._plain:
            yield from self._read_plain(resource_type, files)
        elif self._export is not None:
            yield from self._export.read(resource_type)
            if self._export.unreadable(resource_type):
                self._inconclusive.add(resource_type)
        if _stamps(files) != before:
            raise TransientError(
                f"The files of {resource_type} changed while they were read.", code="FILE_CHANGED",
                hint="Run again once they are written whole; write to another name and rename at the end.",
            )  # fmt: skip
        self._were_read[resource_type] = local

    def files_read(self, resource_type: ResourceType) -> list[LocalFile]:
        """After `read` ended cleanly: the local files that it was from, as they were then."""
        return self._were_read.get(resource_type, [])

    def awaits(self, resource_type: ResourceType) -> bool:
        """Whether there is nothing to read because all of the type's files were taken away, and no new one came."""
        return not any(spec.is_fetched for spec in self._specs_of(resource_type)) and not self._files(resource_type)

    def names_file(self, resource_type: ResourceType, relative: str) -> bool:
        """Whether the file of that path is one of the type's."""
        specs = self._specs_of(resource_type) if resource_type in self.resource_types() else []
        means = TakenFiles({relative: ""})
        return any(means.named_by(spec.path) for spec in specs if not spec.is_fetched)

    def conclusive(self, resource_type: ResourceType) -> bool:
        """After `read`: False where a damaged row may hide which records there are."""
        return resource_type not in self._inconclusive

    def cursor(self, resource_type: ResourceType) -> JsonObject | None:
        """None: a file is always read whole."""
        del resource_type
        return None

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        """The checksum of a file's content, the tag of a fetched one; of several, those of all in their order."""
        specs = self._specs_of(resource_type)
        # Of several files the tag of which is not known.
        known = known if len(specs) == 1 else ""
        found = [self._web.freshness(spec, known) for spec in specs if spec.is_fetched]
        local = {self._relative(path): path for spec in specs if not spec.is_fetched for path in self._paths(spec)}
        # What was taken away counts as it was, so that taking it is no change.
        gone = [name for spec in specs if not spec.is_fetched for name in self._taken.named_by(spec.path)]
        for name in [*local] if not gone else sorted({*local, *gone}):
            if name in local:
                found.append(Freshness(sha256_of(local[name]), "sha256", modified_at(local[name])))
            else:
                found.append(Freshness(self._taken.sha256[name], "sha256"))
        if len(found) == 1:
            return found[0]
        token = hashlib.sha256("".join(each.token for each in found).encode()).hexdigest()
        moments = [each.changed_at for each in found if each.changed_at]
        kinds = dict.fromkeys(each.kind for each in found)
        return Freshness(token, " and ".join(kinds), max(moments, default=None))

    def check(self) -> list[CheckResult]:
        """One result per type and file: whether its first rows can be read."""
        results = []
        for resource_type in self.resource_types():
            own = self._plain.get(resource_type) or (self._export.own(resource_type) if self._export else [])
            if own:
                try:
                    files = self._found(own)
                except GraftportError as error:
                    results.append(
                        CheckResult(f"source {resource_type}", ok=False, detail=_said(error), hint=error.hint)
                    )
                    continue
                results += [self._check_file(resource_type, path, spec) for path, spec in files]
                if not files:
                    detail = "waits for a new file; the last one was taken away once all of it had landed"
                    results.append(CheckResult(f"source {resource_type}", ok=True, detail=detail))
        return results

    def close(self) -> None:
        """Deletes what putting an export together left in the temporary folder."""
        if self._export is not None:
            self._export.close()
        self._web.close()

    # --- files --------------------------------------------------------------------------------------

    def _files(self, resource_type: ResourceType) -> _Files:
        return self._found(self._specs_of(resource_type))

    def _found(self, specs: list[FileSpec]) -> _Files:
        found: dict[Path, FileSpec] = {}
        for spec in specs:
            for path in self._paths(spec):
                found.setdefault(path, spec)
        return list(found.items())

    def _specs_of(self, resource_type: ResourceType) -> list[FileSpec]:
        if resource_type in self._plain:
            return self._plain[resource_type]
        if self._export is not None and resource_type in self._export.types:
            return self._export.specs(resource_type)
        raise ConfigurationError(f"No file is named for {resource_type}.", code="NO_FILES", hint="See `source.files`.")

    def _paths(self, spec: FileSpec) -> list[Path]:
        if spec.is_fetched:
            return [self._web.file(spec)]
        path = self.root / spec.path
        is_gone = bool(self._taken.named_by(spec.path))
        if path.exists() or not glob.has_magic(spec.path):
            return [] if is_gone and not path.exists() else [path]
        matching = sorted(
            match
            for match in self.root.glob(spec.path)
            if match.is_file() and not self._taken.is_ours(match, self.root)
        )
        if not matching and not is_gone:
            raise refusal(path, f"No file matches {spec.path}.", "FILE_ABSENT", f"Put it into {self.root}.")
        return matching

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name

    def _relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.root)).as_posix()

    def _local(self, resource_type: ResourceType) -> list[LocalFile]:
        paths = dict.fromkeys(
            path for spec in self._specs_of(resource_type) if not spec.is_fetched for path in self._paths(spec)
        )
        return [
            LocalFile(path, self._relative(path), self._name(path), stamp_of(path)) for path in paths if path.exists()
        ]

    def _check_file(self, resource_type: ResourceType, path: Path, spec: FileSpec) -> CheckResult:
        name = f"source {resource_type}: {self._name(path)}"
        try:
            is_plain = resource_type in self._plain
            id_column = find_id_column(path, spec, self._limit) if is_plain else ""
            with open_rows(path, spec, self._limit) as opened:
                if self._export is not None and not is_plain:
                    id_column = self._export.recognise(resource_type, opened)
                if opened.csv is not None:
                    opened.csv.identify_by(id_column)
                bad = [row for row in islice(opened.rows, 100) if isinstance(row, BadRow)]
        except GraftportError as error:
            return CheckResult(name, ok=False, detail=_said(error), hint=error.hint)
        if bad:
            detail = f"line {bad[0].line}: {bad[0].reason} ({len(bad)} bad among the first 100 rows)"
            return CheckResult(name, ok=False, detail=detail, hint=bad[0].hint)
        columns = f", {len(opened.columns)} columns" if opened.columns else ""
        return CheckResult(name, ok=True, detail=f"readable, id in {id_column}{columns}")

    # --- plain tables -------------------------------------------------------------------------------

    def _read_plain(self, resource_type: ResourceType, files: _Files) -> Iterator[SourceRecord | InvalidRow]:
        id_columns = [find_id_column(path, spec, self._limit) for path, spec in files]
        if len(set(id_columns)) > 1:
            raise ConfigurationError(
                f"The files of {resource_type} have different columns of ids: {', '.join(sorted(set(id_columns)))}.",
                code="ID_COLUMN", hint="Name one with `id_column`.",
            )  # fmt: skip
        for (path, spec), id_column in zip(files, id_columns, strict=True):
            with open_rows(path, spec, self._limit, id_column) as opened:
                yield from _plain_records(opened, id_column, self._name(path))
            if not opened.is_sound:
                self._inconclusive.add(resource_type)


def _plain_records(opened: OpenRows, id_column: str, name: str) -> Iterator[SourceRecord | InvalidRow]:
    for row in opened.rows:
        if isinstance(row, Row):
            row_id = text_id(row.values.get(id_column))
            if row_id and row_id.isprintable():
                yield SourceRecord(row_id, row.values, origin=f"{name}:{row.line}")
            else:
                yield _without_id(row, id_column).as_invalid(name)
        else:
            yield row.as_invalid(name)


def _without_id(row: Row, id_column: str) -> BadRow:
    value = row.values.get(id_column)
    what = "is empty" if value in (None, "") or not str(value).strip() else f"is {str(value)[:60]!r}, which is no id"
    return BadRow(row.line, row.raw, "NO_ID", f"The row has no id: {id_column} {what}.", f"Fill {id_column}.")


def _stamps(files: _Files) -> list[tuple[int, int]]:
    return [(path.stat().st_mtime_ns, path.stat().st_size) for path, _ in files if path.exists()]


def _said(error: GraftportError) -> str:
    return f"{error.path}: {error.message}" if error.path else error.message

"""The one door to sources: a migration in, its source out."""

from collections.abc import Callable

from graftport_dagster.migration import Migration
from graftport_dagster.records import ResourceType
from graftport_dagster.source_settings import FilesSettings, ShopifySettings, SqlSettings, WooCommerceSettings
from graftport_dagster.source_settings.beside import WithFiles
from graftport_dagster.source_settings.source_model import SourceModel
from graftport_dagster.sources.beside import SourceWithFiles
from graftport_dagster.sources.files import FileSource
from graftport_dagster.sources.magento import MagentoSource
from graftport_dagster.sources.shopify import ShopifySource
from graftport_dagster.sources.source import Source
from graftport_dagster.sources.sql import SqlSource
from graftport_dagster.sources.taken_files import TakenFiles
from graftport_dagster.sources.woocommerce import WooCommerceSource


def open_source(
    migration: Migration, *, stop: Callable[[], bool] = lambda: False, taken: TakenFiles | None = None,
    patience_seconds: float = 0.0,
) -> Source:  # fmt: skip
    """The source that the migration names, open until `close()`.

    `stop` is asked while the source waits for another computer; `taken` are local files that we took away ourselves
    (`pipeline.source_files.taken_files`). `patience_seconds`: for how long one answer is waited for, and asked for once
    only, where that is shorter than what the settings say. Raises ConfigurationError where its settings
    contradict each other or a secret is absent; nothing is asked before it is read.
    """
    if patience_seconds:
        migration = migration.model_copy(update={"source": _hurried(migration.source, patience_seconds)})
    settings = migration.source

    def files(named: FilesSettings) -> FileSource:
        return FileSource(named, migration.folder, stop=stop, taken=taken, patience_seconds=patience_seconds)

    if isinstance(settings, FilesSettings):
        return files(settings)
    if isinstance(settings, ShopifySettings):
        return _with_files(ShopifySource(settings, migration.folder, stop=stop), migration, files)
    if isinstance(settings, SqlSettings):
        return _with_files(SqlSource(settings, migration.folder), migration, files)
    if isinstance(settings, WooCommerceSettings):
        return _with_files(WooCommerceSource(settings, migration.folder, stop=stop), migration, files)
    return _with_files(MagentoSource(settings, migration.folder, stop=stop), migration, files)


def files_in(source: Source, resource_type: ResourceType) -> FileSource | None:
    """The part of the source that reads this type from files; None where no part does."""
    files = source if isinstance(source, FileSource) else getattr(source, "files", None)
    return files if isinstance(files, FileSource) and resource_type in files.resource_types() else None


def files_of(migration: Migration) -> FileSource | None:
    """The files alone that the migration names, read or beside a shop; None where it names none. Opens nothing."""
    settings = migration.source
    found = settings if isinstance(settings, FilesSettings) else None
    if found is None and (beside := getattr(settings, "files_beside", None)):
        found = beside()
    return FileSource(found, migration.folder) if found else None


def _hurried(settings: SourceModel, seconds: float) -> SourceModel:
    given = getattr(settings, "timeout_seconds", None)
    hurried = {"timeout_seconds": min(given, seconds), "attempts": 1} if given else {}
    return settings.model_copy(update={name: value for name, value in hurried.items() if hasattr(settings, name)})


def _with_files(shop: Source, migration: Migration, files: Callable[[FilesSettings], FileSource]) -> Source:
    """The shop, with the files that are named beside it."""
    beside = migration.source.files_beside() if isinstance(migration.source, WithFiles) else None
    return shop if beside is None else SourceWithFiles(shop, files(beside))

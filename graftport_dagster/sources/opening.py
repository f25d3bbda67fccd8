"""The one door to sources: a migration in, its source out."""

from collections.abc import Callable

from graftport_dagster.migration import Migration
from graftport_dagster.records import ResourceType
from graftport_dagster.source_settings import FilesSettings, ShopifySettings, SqlSettings, WooCommerceSettings
from graftport_dagster.source_settings.beside import WithFiles
from graftport_dagster.sources.beside import SourceWithFiles
from graftport_dagster.sources.files import FileSource
from graftport_dagster.sources.magento import MagentoSource
from graftport_dagster.sources.shopify import ShopifySource
from graftport_dagster.sources.source import Source
from graftport_dagster.sources.sql import SqlSource
from graftport_dagster.sources.taken_files import TakenFiles
from graftport_dagster.sources.woocommerce import WooCommerceSource


def open_source(
    migration: Migration, *, stop: Callable[[], bool] = lambda: False, taken: TakenFiles | None = None
) -> Source:
    """The source that the migration names, open until `close()`.

    `stop` is asked while the source waits for another computer; `taken` are local files that we took away ourselves
    (`pipeline.source_files.taken_files`). Raises ConfigurationError where its settings
    contradict each other or a secret is absent; nothing is asked before it is read.
    """
    settings = migration.source
    if isinstance(settings, FilesSettings):
        return FileSource(settings, migration.folder, stop=stop, taken=taken)
    if isinstance(settings, ShopifySettings):
        return _with_files(ShopifySource(settings, migration.folder, stop=stop), migration, stop, taken)
    if isinstance(settings, SqlSettings):
        return _with_files(SqlSource(settings, migration.folder), migration, stop, taken)
    if isinstance(settings, WooCommerceSettings):
        return _with_files(WooCommerceSource(settings, migration.folder, stop=stop), migration, stop, taken)
    return _with_files(MagentoSource(settings, migration.folder, stop=stop), migration, stop, taken)


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


def _with_files(shop: Source, migration: Migration, stop: Callable[[], bool], taken: TakenFiles | None) -> Source:
    """The shop, with the files that are named beside it."""
    beside = migration.source.files_beside() if isinstance(migration.source, WithFiles) else None
    if beside is None:
        return shop
    return SourceWithFiles(shop, FileSource(beside, migration.folder, stop=stop, taken=taken))

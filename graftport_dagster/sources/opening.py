"""The one door to sources: a migration in, its source out."""

from collections.abc import Callable

from graftport_dagster.migration import Migration
from graftport_dagster.source_settings import FilesSettings, ShopifySettings, SqlSettings, WooCommerceSettings
from graftport_dagster.source_settings.beside import WithFiles
from graftport_dagster.sources.beside import SourceWithFiles
from graftport_dagster.sources.files import FileSource
from graftport_dagster.sources.magento import MagentoSource
from graftport_dagster.sources.shopify import ShopifySource
from graftport_dagster.sources.source import Source
from graftport_dagster.sources.sql import SqlSource
from graftport_dagster.sources.woocommerce import WooCommerceSource


def open_source(migration: Migration, *, stop: Callable[[], bool] = lambda: False) -> Source:
    """The source that the migration names, open until `close()`.

    `stop` is asked while the source waits for another computer. Raises ConfigurationError where its settings
    contradict each other or a secret is absent; nothing is asked before it is read.
    """
    settings = migration.source
    if isinstance(settings, FilesSettings):
        return FileSource(settings, (migration.folder / settings.root).resolve(), stop=stop)
    if isinstance(settings, ShopifySettings):
        return _with_files(ShopifySource(settings, migration.folder, stop=stop), migration, stop)
    if isinstance(settings, SqlSettings):
        return _with_files(SqlSource(settings, migration.folder), migration, stop)
    if isinstance(settings, WooCommerceSettings):
        return WooCommerceSource(settings, migration.folder, stop=stop)
    return MagentoSource(settings, migration.folder, stop=stop)


def _with_files(shop: Source, migration: Migration, stop: Callable[[], bool]) -> Source:
    """The shop, with the files that are named beside it."""
    beside = migration.source.files_beside() if isinstance(migration.source, WithFiles) else None
    if beside is None:
        return shop
    return SourceWithFiles(shop, FileSource(beside, (migration.folder / beside.root).resolve(), stop=stop))

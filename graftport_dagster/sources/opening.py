"""The one door to sources: a migration in, its source out."""

from graftport_dagster.migration import Migration
from graftport_dagster.sources.files import FileSource
from graftport_dagster.sources.source import Source


def open_source(migration: Migration) -> Source:
    """The source that the migration names, open until `close()`.

    Raises ConfigurationError where its settings contradict each other; files are looked at when they are read.
    """
    return FileSource(migration.source, migration.source_root)

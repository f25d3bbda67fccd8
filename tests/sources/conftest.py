"""Sources over files that a test writes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.migration import FileSpec
from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.files import FileSource

Given = tuple[list[SourceRecord], list[InvalidRow]]


@pytest.fixture
def read_file(tmp_path: Path) -> Callable[..., Given]:
    """Writes one file of customers, reads it, and gives (records, invalid rows)."""

    def read(name: str, content: bytes | str, *, max_record_mb: float = 16, **spec: Any) -> Given:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        files = {ResourceType.CUSTOMERS: FileSpec(path=name, **spec)}
        source = FileSource(FilesSettings(files=files, max_record_mb=max_record_mb), tmp_path)
        return apart(source.read(ResourceType.CUSTOMERS, None))

    return read


@pytest.fixture
def magento(tmp_path: Path) -> Iterator[Callable[..., FileSource]]:
    """A source over a Magento export with the given text (or several, by name)."""
    opened: list[FileSource] = []

    def make(*contents: bytes | str, **settings: Any) -> FileSource:
        specs = []
        for place, content in enumerate(contents):
            name = f"products{place or ''}.csv"
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
            specs.append(FileSpec(path=name))
        source = FileSource(FilesSettings(platform="magento", magento_export=specs, **settings), tmp_path)
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()


def apart(given: Iterator[SourceRecord | InvalidRow]) -> Given:
    """Records and invalid rows apart, in order."""
    everything = list(given)
    return (
        [item for item in everything if isinstance(item, SourceRecord)],
        [item for item in everything if isinstance(item, InvalidRow)],
    )

"""A shop or database with files beside it, for the types that it cannot give: which one is asked goes by the type."""

from collections.abc import Iterator

from graftport_dagster.records import CheckResult, InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.sources.files import FileSource
from graftport_dagster.sources.source import Freshness, Source


class SourceWithFiles:
    """Two sources as one: a type that a file is named for is the files', every other the shop's."""

    def __init__(self, shop: Source, files: FileSource) -> None:
        self._shop = shop
        self.files = self._files = files
        self._from_files = frozenset(files.resource_types())

    def resource_types(self) -> tuple[ResourceType, ...]:
        """Those of both, in dependency order."""
        both = self._from_files | set(self._shop.resource_types())
        return tuple(kind for kind in ResourceType if kind in both)

    def read(self, resource_type: ResourceType, since: JsonObject | None) -> Iterator[SourceRecord | InvalidRow]:
        """Of the one that has the type; a cursor of the other one has no meaning for it."""
        return self._of(resource_type).read(resource_type, since)

    def conclusive(self, resource_type: ResourceType) -> bool:
        """As the one that has the type says."""
        return self._of(resource_type).conclusive(resource_type)

    def cursor(self, resource_type: ResourceType) -> JsonObject | None:
        """As the one that has the type says."""
        return self._of(resource_type).cursor(resource_type)

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        """As the one that has the type says."""
        return self._of(resource_type).freshness(resource_type, known)

    def check(self) -> list[CheckResult]:
        """What either finds."""
        return [*self._shop.check(), *self._files.check()]

    def close(self) -> None:
        """Closes both."""
        self._shop.close()
        self._files.close()

    def _of(self, resource_type: ResourceType) -> Source:
        return self._files if resource_type in self._from_files else self._shop

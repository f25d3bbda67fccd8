"""What every source promises, whatever it reads: a small protocol, and nothing of any platform.

The promises that the signatures cannot say are tests (`tests/contracts/test_source.py`), which
every source passes: ids are stable and given once, reading twice gives the same records, a page
of unexpected shape is an error and never the end, nothing is ever written to the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from graftport_dagster.records import CheckResult, InvalidRow, JsonObject, ResourceType, SourceRecord


@dataclass(frozen=True, slots=True)
class Freshness:
    """A token that changes when the source does, and how it was got (`sha256`, `etag`, `max(updated_at)` …).

    `etag`: the tag as the server wrote it, where that is what the token was made of.
    """

    token: str
    kind: str
    changed_at: datetime | None = None
    etag: str = ""


class Source(Protocol):
    """Reads one source shop. Open for one run; `close()` ends it."""

    def resource_types(self) -> tuple[ResourceType, ...]:
        """The types that this source has rows for, in dependency order."""

    def read(self, resource_type: ResourceType, since: JsonObject | None) -> Iterator[SourceRecord | InvalidRow]:
        """Every record of the type, or those changed since the cursor where the source can say that.

        Streams: never holds the type in memory. Raises ConfigurationError for a source that cannot be read at
        all (absent, empty, truncated, not what it claims to be), TransientError where trying later may help.
        """

    def conclusive(self, resource_type: ResourceType) -> bool:
        """After `read` ended cleanly: whether a record that it did not give is gone from the source.

        False where something unreadable may hide records, also such as `read` could name.
        """

    def cursor(self, resource_type: ResourceType) -> JsonObject | None:
        """After `read` ended cleanly: where the next incremental read may start; None where reads are always full."""

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        """The present token of that type. `known`: an `etag` of before, by which a server need only say "the same"."""

    def check(self) -> list[CheckResult]:
        """What stands between this source and a run; reads as little as it can."""

    def close(self) -> None:
        """Releases files and connections."""

"""Whether trying again can help: what has changed since the last attempt, or that nothing has.

Only what the record store and the migration's files say is compared; nobody is asked. That a retry
claims its records, and what it sends, is in `pipeline/` and the store.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.mappings.registry import current
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, Phase, ResourceType, Result, Run, RunItem, json_hash
from graftport_dagster.reports.wording import duration, moment, number, presentable
from graftport_dagster.settings import resolve_secret
from graftport_dagster.store.record_store import Dataset, RecordStore, Which

_BAD = (Result.FAILED, Result.COMPLETED_WITH_ERRORS, Result.CANCELED)


def credentials_mark(migration: Migration) -> str:
    """Changes when a secret of the destination does, and tells nothing of it; "" where one cannot be read."""
    destination = migration.destination
    references = (destination.access_token, destination.client_id, destination.client_secret)
    try:
        values = [resolve_secret(name, base=migration.folder) if name else "" for name in references]
    except ConfigurationError:
        return ""
    return json_hash([migration.slug, destination.shop, *values])[:12]


def troubled_types(items: Sequence[RunItem]) -> tuple[ResourceType, ...]:
    """The types of a run that did not end well, in the order of loading."""
    bad = {item.resource_type for item in items if item.result in _BAD}
    return tuple(resource_type for resource_type in ResourceType if resource_type in bad)


def readiness(
    store: RecordStore, migration: Migration, last: Run, types: Sequence[ResourceType], *, mapping: str = "current",
    now: datetime | None = None,
) -> JsonObject:  # fmt: skip
    """`{"changed": [sentences], "sentence"}`: what differs from the last attempt, the run `last`."""
    now = now or datetime.now(UTC)
    items = [item for item in store.runs.items(last.run_id) if item.resource_type in types]
    changed = [
        *_credentials(migration, last),
        *_mappings(store, migration, items, mapping),
        *_settings(store, migration, types),
        *_source(store, migration, last, types),
        *_waiting(items, last, now),
    ]
    error = next((item.first_error for item in items if item.first_error), last.first_error)
    nothing = "Nothing changed since the last attempt: expect the same error" + (f". {error}" if error else ".")
    sentence = f"Since the last attempt: {'; '.join(changed)}." if changed else nothing
    return {"changed": changed, "last_attempt": last.run_id, "sentence": presentable(sentence)}


def _credentials(migration: Migration, last: Run) -> Iterator[str]:
    mark = credentials_mark(migration)
    if last.credentials != mark:
        yield "the credentials of the store are others" if mark else "the credentials of the store cannot be read"


def _mappings(
    store: RecordStore, migration: Migration, items: Sequence[RunItem], mapping: str
) -> Iterator[str]:  # fmt: skip
    if mapping != "current":
        return
    for item in items:
        if item.phase is not Phase.TRANSFORM or not item.mapping_version:
            continue
        try:
            version = current(migration, store.mappings, item.resource_type, publish=False, by="").version
        except ConfigurationError as error:
            yield f"the mapping of {item.resource_type} cannot be used: {error}"
            continue
        # The name of a version carries the beginning of its text's hash.
        if version.content_hash[:8] not in item.mapping_version:
            yield f"{item.resource_type} has another mapping than {item.mapping_version}"


def _settings(store: RecordStore, migration: Migration, types: Sequence[ResourceType]) -> Iterator[str]:
    rows = store.incomplete.open(migration.slug, Which(tuple(types)), limit=100) if types else []
    if any(row["settings_hash"] not in ("", migration.settings_hash) for row in rows):
        yield "the settings that mappings see are others"


def _source(store: RecordStore, migration: Migration, last: Run, types: Sequence[ResourceType]) -> Iterator[str]:
    for resource_type in types:
        if count := store.source_records.count_changed(Dataset(migration.slug), resource_type, last):
            yield f"{number(count)} {resource_type} have been read anew"


def _waiting(items: Sequence[RunItem], last: Run, now: datetime) -> Iterator[str]:
    """Time is a change only for what may pass by itself."""
    passing = any(
        (item.error_class is not None and item.error_class.is_retried)
        or any(group.error_class in _PASSING for group in item.error_groups)
        for item in items
    )
    ended = last.ended_at or last.started_at
    if passing and ended is not None:
        waited = (now - ended).total_seconds()
        yield f"{duration(waited)} have passed (it ended {moment(ended)} UTC)"


_PASSING = ("ConnectionError", "RateLimitError", "ModuleTimeoutError", "OutOfSpaceError", "UnknownOutcomeError")

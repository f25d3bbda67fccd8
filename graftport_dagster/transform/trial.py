"""What records become by a mapping, without staging them: for whoever is writing one."""

from collections.abc import Sequence
from typing import Any

from graftport_dagster.errors import ConfigurationError, GraftportError
from graftport_dagster.mappings.registry import current
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, ResourceType, read_json
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection, TransformInput
from graftport_dagster.transform.pool import TransformPool


def preview(
    migration: Migration, store: RecordStore, resource_type: ResourceType, *, source_ids: Sequence[str] = (),
    limit: int | None = None, version: str = "current",
) -> list[JsonObject]:  # fmt: skip
    """`[{source_id, mapping, source, result, payload, exclude_reason, problems, warnings, valid_until}]`, by id.

    By the text of now, published or not, or by a published version. `result` is what the mapping gives, `payload` what
    would be staged of it (None where nothing would); `problems` and `warnings` are `[{code, path, message, hint}]`.
    Raises ConfigurationError for an id that was not extracted, and for a text that does not compile.
    """
    resolved = current(migration, store.mappings, resource_type, publish=False, by="", version=version)
    real = Dataset(migration.slug)
    # Nothing is staged under this name, so that every record needs evaluation.
    nowhere = Dataset(migration.slug, "preview")
    selection = Selection(source_ids=tuple(source_ids), limit=limit)
    batches = store.staged_records.to_transform(
        real, nowhere, resource_type, resolved.version, migration.settings_hash, selection
    )
    records = [record for batch in batches for record in batch]
    if missing := [source_id for source_id in source_ids if source_id not in {record.source_id for record in records}]:
        raise ConfigurationError(
            f"There is no {resource_type} record {missing[0]}.",
            code="NO_RECORD",
            hint="Extract first, or see the id again.",
        )
    with TransformPool(
        resolved.version.text, resolved.version.name, resource_type=resource_type, platform=migration.platform,
        settings=migration.settings, publications=migration.publications, expected=len(records),
    ) as pool:  # fmt: skip
        return [
            _shown(resolved.version.name, record, *row[1:])
            for answers in pool.answers([records])
            for record, row in answers
        ]


def _shown(
    mapping: str, record: TransformInput, data: bytes | None, reason: str, error: GraftportError | None,
    warnings: tuple[tuple[str, str], ...], valid_until: str,
) -> JsonObject:  # fmt: skip
    result: Any = None if data is None else read_json(data)
    return {
        "source_id": record.source_id, "mapping": mapping, "source": read_json(record.payload), "result": result,
        "payload": None if reason or error else result, "exclude_reason": reason or None,
        "problems": [_told(error.code, error.path, error.message, error.hint)] if error else [],
        "warnings": [_told(code, "", message, "") for code, message in warnings],
        "valid_until": valid_until or None,
    }  # fmt: skip


def _told(code: str, path: str, message: str, hint: str) -> JsonObject:
    return {"code": code, "path": path, "message": message, "hint": hint}

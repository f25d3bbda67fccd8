"""What Dagster is told of a run item: metadata, the results of checks, tags.

Numbers are plain numbers, so that Dagster can plot them over partitions and time. Texts that
came from a shop pass through `reports.wording.presentable`. What is told to people in Markdown
or HTML is made in `reports/`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from graftport_dagster.defs.layout import COUNTS_TAG, FIRST_ERROR_TAG, RESULT_TAG
from graftport_dagster.migration import Migration
from graftport_dagster.pipeline import Work
from graftport_dagster.records import ErrorGroup, JsonObject, Phase, Result, Run, RunItem
from graftport_dagster.reports import AdminLinks, item_markdown, markdown, write_page
from graftport_dagster.reports.wording import counts_sentence, presentable
from graftport_dagster.store.place import report_folder
from graftport_dagster.store.record_store import RecordStore

Metadata = dict[str, Any]

_GROUP_COLUMNS = ("error_class", "code", "path", "count", "message", "hint", "sample_ids")
_OPEN_COLUMNS = ("resource_type", "phase", "status", "error_class", "code", "count", "oldest")
_OPEN_SHOWN = 10
_TAG_LENGTH = 200
_LONG_TOKEN = 44


def item_metadata(item: RunItem, work: Work) -> Metadata:
    """Everything that a materialization shows of what it did, in the order in which it is read."""
    metadata: Metadata = {"result": str(item.result)}
    for name in ("first_error", "first_skip_reason", "mapping_version"):
        if text := getattr(item, name):
            metadata[name] = presentable(text)
    metadata |= item.counts
    if item.started_at and item.ended_at:
        metadata["seconds"] = round((item.ended_at - item.started_at).total_seconds(), 3)
    if item.api_calls:
        metadata |= {"api_calls": item.api_calls, "api_cost": item.api_cost}
    if item.error_groups:
        metadata["error_groups"] = groups_table(item.error_groups)
    if item.warnings:
        metadata["warnings"] = groups_table(item.warnings)
    if item.skip_reasons:
        metadata["skip_reasons"] = dg.MetadataValue.json({presentable(k): n for k, n in item.skip_reasons.items()})
    if item.notes:
        metadata["notes"] = _listed([presentable(note) for note in item.notes])
    metadata |= _source(item, work)
    if item.phase is Phase.LOAD and (lines := AdminLinks(work.store, work.migration).examples(item)):
        metadata["records"] = _listed(lines)
    metadata["run"] = dg.MetadataValue.dagster_run(item.run_id)
    metadata["report"] = dg.MetadataValue.md(item_markdown(item))
    # The page is there once the run has ended.
    metadata["report_page"] = dg.MetadataValue.path(report_folder(item.run_id) / "report.html")
    metadata["report_command"] = f"graftport report {work.migration.slug} {item.run_id}"
    return metadata


def leave_report(store: RecordStore, run_id: str) -> Metadata:
    """Writes the page of a run that has ended, and links to it; says so where the disk takes no more."""
    folder = report_folder(run_id).parent
    metadata: Metadata = {"report": dg.MetadataValue.md(markdown(store, run_id, reports_folder=folder))}
    try:
        metadata["report_page"] = dg.MetadataValue.path(write_page(store, run_id, folder))
    except OSError as error:
        metadata["report_page"] = f"The page could not be written: {error.strerror}."
    return metadata


def _listed(lines: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- {line}" for line in lines))


def _source(item: RunItem, work: Work) -> Metadata:
    """What the source looked like when this item read it."""
    known = work.store.fingerprints.of(work.migration.slug, item.resource_type) if item.phase is Phase.EXTRACT else {}
    read = next((one for one in known.values() if one.run_id == item.run_id), None)
    if read is None:
        return {}
    return {
        "source": state_of(read.kind, read.token, read.etag),
        "source_since": dg.MetadataValue.timestamp(read.since),
    }


def state_of(kind: str, token: str, etag: str = "") -> str:
    """How a source's state is recognised, short: `etag W/"5f-1a"`, `sha256 3fa94c0b12de…`."""
    told = etag or token
    return presentable(f"{kind} {told if len(told) <= _LONG_TOKEN else told[:12] + '…'}")


def groups_table(groups: Sequence[ErrorGroup]) -> dg.TableMetadataValue:
    """Error groups as a table, one row per (class, code, path)."""
    rows = [
        {
            **group.as_dict(),
            "sample_ids": presentable(", ".join(group.sample_ids)),
            "message": presentable(group.message),
            "hint": presentable(group.hint),
            "path": presentable(group.path),
        }
        for group in groups
    ]
    return _table(_GROUP_COLUMNS, rows)


def open_records_metadata(store: RecordStore, migration: Migration, *, now: datetime) -> Metadata:
    """The open incomplete records: how many, by class, since when, the oldest with links, the commands for them."""
    slug = migration.slug
    counts = store.incomplete.counts(slug)
    by_class: dict[str, int] = {}
    for row in counts:
        by_class[row["error_class"]] = by_class.get(row["error_class"], 0) + row["count"]
    metadata: Metadata = {"open": sum(by_class.values()), **by_class}
    oldest = [since for row in counts if (since := _moment(row.get("oldest")))]
    if oldest:
        metadata["oldest_age_hours"] = round((now - min(oldest)).total_seconds() / 3600, 2)
    if counts:
        metadata["by_type"] = _table(_OPEN_COLUMNS, counts)
        lines = AdminLinks(store, migration).open_ones(store.incomplete.open(slug, limit=_OPEN_SHOWN))
        metadata["oldest_records"] = _listed(lines)
        metadata["to_see_them"] = f"graftport incomplete list {slug}"
        metadata["to_retry"] = _listed([f"all: `graftport incomplete retry {slug} --all`", *_retries(slug, counts)])
    return metadata


def _retries(slug: str, counts: Sequence[JsonObject]) -> Iterator[str]:
    """The command for each group. In a list, because a table would hide its last column."""
    for row in counts:
        group = f"--resource-type {row['resource_type']} --group {row['error_class']}:{row['code']}"
        what = f"{row['count']} {row['resource_type']}, {row['code']}"
        yield f"{what}: `graftport incomplete retry {slug} {group}`"


def result_tags(ended: Run | RunItem, items: Sequence[RunItem]) -> dict[str, str]:
    """The tags that say how a run ended, and what became of the records in its last phase."""
    tags = {RESULT_TAG: str(ended.result)}
    if ended.first_error:
        tags[FIRST_ERROR_TAG] = presentable(ended.first_error)[:_TAG_LENGTH]
    if items:
        phase = max((item.phase for item in items), key=list(Phase).index)
        counts = Counter[str]()
        for item in items:
            counts.update(item.counts if item.phase is phase else {})
        told = {"phase": str(phase), "counts": dict(counts), "result": str(ended.result)}
        tags[COUNTS_TAG] = counts_sentence(told)[:_TAG_LENGTH]
    return tags


def child_tags(items: Sequence[RunItem]) -> dict[str, str]:
    """The same of a run of one type inside another, by its own items: the first that did not go well tells the end."""
    if not items:
        return {}
    ended = next((item for item in items if item.result not in (Result.SUCCEEDED, Result.UNCHANGED)), items[-1])
    return result_tags(ended, items)


def _moment(value: object) -> datetime | None:
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _table(columns: Sequence[str], rows: Sequence[JsonObject]) -> dg.TableMetadataValue:
    # Dagster's table cells are str, int, float or bool, and nothing else.
    records = [{name: _cell(row.get(name)) for name in columns} for row in rows]
    schema = [dg.TableColumn(name, "int" if name == "count" else "string") for name in columns]
    return dg.MetadataValue.table([dg.TableRecord(record) for record in records], dg.TableSchema(schema))


def _cell(value: object) -> str | int | float | bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return "" if value is None else str(value)

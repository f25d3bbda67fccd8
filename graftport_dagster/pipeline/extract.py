"""Extract: the source's records into the record store, each compared with what was there.

Streams in batches. A bad row sets its own record aside and stops nothing else; that a record is
gone from the source is concluded only by a whole, clean read. Nothing is written to the source,
nothing to Shopify.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from graftport_dagster.errors import GraftportError, StoppedError, WriteBrakeError
from graftport_dagster.pipeline.samples import Sample
from graftport_dagster.pipeline.shape import Shape
from graftport_dagster.pipeline.source_files import (
    end_what_was_begun,
    note_read,
    taken_files,
    why_nothing_to_read,
)
from graftport_dagster.pipeline.work import Work
from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord, shown_id
from graftport_dagster.sources.opening import files_in, open_source
from graftport_dagster.sources.source import Source
from graftport_dagster.store.record_store import Fingerprint

# Smaller batches cost more per row: at 250 a third of the speed is gone.
_BATCH = 1000
# Fewer than this may always vanish from a source: a share of a small shop says little.
_ALWAYS_MAY_VANISH = 10


@dataclass
class Extracted:
    """What an extract counted; `is_whole` once everything was read to the end."""

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    is_whole: bool = False
    has_unreadable_ids: bool = False
    fingerprint: Fingerprint | None = None


def extract(work: Work, resource_type: ResourceType) -> Extracted:
    """Reads one resource type. Raises ConfigurationError where the source cannot be read at all."""
    if not work.run.options.dry_run:
        end_what_was_begun(work.store, work.migration)
    taken = taken_files(work.migration, work.store)
    source = open_source(work.migration, stop=work.should_stop, taken=taken)
    try:
        return _Extract(work, resource_type, source).run()
    finally:
        source.close()


class _Extract:
    def __init__(self, work: Work, resource_type: ResourceType, source: Source) -> None:
        self._work = work
        self._type = resource_type
        self._source = source
        self._files = files_in(source, resource_type)
        self._rows = work.store.source_records
        self._dataset = work.dataset(own=True)
        self._options = work.run.options
        self._wanted = work.wanted_ids(resource_type)
        self._done = Extracted()
        self._shape = Shape()
        self._sample = Sample(resource_type, work.migration.retention.sample_records)

    def run(self) -> Extracted:
        if self._files is not None and self._files.awaits(self._type):
            self._done.notes.append(why_nothing_to_read(self._work.store, self._work.migration, self._type))
            self._done.is_whole = True
            return self._done
        if self._files is None and (unencrypted := self._work.migration.source.unencrypted()):
            self._done.notes.append(unencrypted)
        since = None
        # Records that are asked for by name need not have changed since.
        if not (self._options.full_extract or self._options.dry_run or self._wanted is not None):
            since = self._rows.cursor(self._work.migration.slug, self._type)
        taken = self._take_fingerprint()
        stream = self._narrowed(self._source.read(self._type, since))
        try:
            while batch := list(islice(stream, _BATCH)):
                self._take(batch)
                self._work.progress(f"{self._type}: {self._done.counts['rows_read']} rows read")
                if self._work.should_stop():
                    return self._done
        except StoppedError:
            # A source that waits for another computer gives up as soon as the run is to stop.
            if self._work.should_stop():
                return self._done
            raise
        self._done.is_whole = True
        self._sample.write(self._work.report_folder)
        if not self._is_narrowed:
            self._conclude(is_full=since is None)
            self._note(taken)
        return self._done

    @property
    def _is_narrowed(self) -> bool:
        return self._wanted is not None or self._options.limit is not None

    def _take_fingerprint(self) -> Fingerprint | None:
        """What the source looks like before it is read: a change that comes while it is read then still differs."""
        if self._is_narrowed or self._options.dry_run:
            return None
        now = datetime.now(UTC)
        try:
            found = self._source.freshness(self._type)
        except (GraftportError, OSError) as error:
            self._done.notes.append(f"Whether the source changes cannot be told: {error}")
            return None
        return Fingerprint(found.token, found.kind, found.changed_at or now, now, self._work.run.run_id, found.etag)

    def _note(self, taken: Fingerprint | None) -> None:
        if taken is None:
            return
        groups = self._options.field_filter.get(str(self._type), ())
        self._work.store.fingerprints.note(self._work.migration.slug, self._type, taken, field_groups=tuple(groups))
        self._done.fingerprint = taken

    def _narrowed(self, stream: Iterator[SourceRecord | InvalidRow]) -> Iterator[SourceRecord | InvalidRow]:
        wanted = self._wanted
        chosen = stream if wanted is None else (item for item in stream if item.source_id in wanted)
        return islice(chosen, self._options.limit)

    def _take(self, batch: list[SourceRecord | InvalidRow]) -> None:
        counts = self._done.counts
        records = [item for item in batch if isinstance(item, SourceRecord)]
        for record in records:
            self._shape.see(record.payload)
        self._sample.see(records)
        upserted = self._rows.upsert(self._dataset, self._type, self._work.run, records)
        left_out = sum(record.rows for record in upserted.duplicates) + sum(row.rows for row in upserted.refused)
        kept_rows = sum(record.rows for record in records) - left_out
        counts.update(new=upserted.new, changed=upserted.changed, unchanged=upserted.unchanged)
        counts.update(read=upserted.new + upserted.changed + upserted.unchanged)
        counts.update(rows_read=kept_rows, rows_in_records=kept_rows)
        invalid = [item for item in batch if isinstance(item, InvalidRow)]
        invalid += upserted.refused
        self._done.has_unreadable_ids |= any(not row.source_id for row in invalid)
        self._set_aside([*invalid, *(_duplicate(record, self._type) for record in upserted.duplicates)])

    def _set_aside(self, rows: list[InvalidRow]) -> None:
        if not rows:
            return
        counts = self._done.counts
        errored = self._rows.record_errors(self._dataset, self._type, self._work.run, rows)
        bad = sum(row.rows_invalid if row.source_id else row.rows for row in rows)
        every = sum(row.rows for row in rows)
        counts.update(rows_read=every, rows_invalid=bad, rows_in_records=every - bad)
        counts.update(read=errored, errored=errored)

    def _conclude(self, *, is_full: bool) -> None:
        """What only a whole read can say: which errors are mended, what is gone, where the next read starts."""
        run, slug = self._work.run, self._work.migration.slug
        self._rows.seen_clean(self._dataset, self._type, run)
        if is_full:
            self._compare_shapes()
        if is_full and not self._options.dry_run:
            self._conclude_deletions()
        if self._files is not None and not self._options.dry_run:
            note_read(self._work.store, self._work.migration, run, self._files, self._type)
        cursor = self._source.cursor(self._type)
        if cursor is not None and not self._options.dry_run:
            self._rows.set_cursor(slug, self._type, cursor, run)

    def _compare_shapes(self) -> None:
        slug = self._work.migration.slug
        self._done.notes += self._shape.changes(self._rows.shape(slug, self._type))
        if not self._options.dry_run:
            self._rows.set_shape(slug, self._type, self._shape.as_json(), self._work.run)

    def _conclude_deletions(self) -> None:
        missing = self._rows.count_unseen(self._dataset, self._type, self._work.run)
        if not missing:
            return
        if self._files is not None and self._work.migration.retention.takes_files:
            self._done.notes.append(
                f"{missing} records are in no file that is there now: nothing is taken as deleted, because files that "
                "were read before were taken away (retention.source_files)."
            )
            return
        if self._done.has_unreadable_ids or not self._source.conclusive(self._type):
            self._done.notes.append(
                f"{missing} records were not found, but may be there still, among damaged rows or where this reading "
                "does not reach: nothing is taken as deleted."
            )
            return
        options = self._work.migration.options
        total = self._rows.count(self._dataset, self._type)
        if missing > max(_ALWAYS_MAY_VANISH, options.max_deleted_share * total):
            share = f"{missing} of {total} records ({missing / total:.0%}) are missing from the source"
            if options.on_source_delete != "keep":
                raise WriteBrakeError(
                    f"{share}, more than max_deleted_share allows.", code="TOO_MANY_DELETED",
                    hint="See that the export is whole; if it is, raise options.max_deleted_share for one run.",
                )  # fmt: skip
            self._done.notes.append(f"{share}; too many to take as deleted, so all of them are kept as they were.")
            return
        self._done.counts["deleted_at_source"] = self._rows.mark_deleted(self._dataset, self._type, self._work.run)


def _duplicate(record: SourceRecord, resource_type: ResourceType) -> InvalidRow:
    shown = shown_id(resource_type, record.source_id)
    return InvalidRow(
        raw=record.source_id,
        reason=f"The id {shown} was read before in this run; the first record stands.",
        code="DUPLICATE_ID",
        origin=record.origin,
        hint="Remove one of the two, or name another id column.",
        rows=record.rows,
        rows_invalid=record.rows,
    )

"""Any sequence of extracts leaves what a plain dictionary would say; see tests/contracts for each rule alone."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.records import InvalidRow, ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.store.record_store import Dataset, RecordStore

PRODUCTS = ResourceType.PRODUCTS
REAL = Dataset("acme")
IDS = st.sampled_from(["1", "10", "2", "é", "a:b", "A", "a"])
RECORDS = st.builds(SourceRecord, IDS, st.fixed_dictionaries({"v": st.integers(0, 2)}))
BATCHES = st.lists(st.lists(RECORDS, max_size=6), max_size=3)
EXTRACTS = st.lists(st.tuples(BATCHES, st.lists(IDS, max_size=2), st.booleans()), max_size=5)


@dataclass
class Model:
    """What is known of the source, as a dictionary keeps it."""

    live: dict[str, dict[str, int]] = field(default_factory=dict)
    history: dict[str, list[tuple[int, int | None]]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def upsert(self, run: int, batch: list[SourceRecord]) -> tuple[int, int, int, list[SourceRecord]]:
        new = changed = unchanged = 0
        duplicates = []
        for record in batch:
            before = self.live.get(record.source_id)
            if record.source_id in self.seen:
                duplicates.append(record)
                continue
            self.seen.add(record.source_id)
            if before == record.payload:
                unchanged += 1
                continue
            new, changed = (new + 1, changed) if before is None else (new, changed + 1)
            self.live[record.source_id] = record.payload
            self.history.setdefault(record.source_id, []).append((run, record.payload["v"]))
        return new, changed, unchanged, duplicates

    def unseen(self) -> set[str]:
        return self.live.keys() - self.seen

    def delete(self, run: int) -> int:
        gone = self.unseen()
        for source_id in gone:
            del self.live[source_id]
            self.history[source_id].append((run, None))
        return len(gone)


def check(store: RecordStore, model: Model) -> None:
    assert store.source_records.count(REAL, PRODUCTS) == len(model.live)
    for source_id, versions in model.history.items():
        told = store.story("acme", PRODUCTS, source_id)["source"]
        assert told["deleted"] == (source_id not in model.live)
        assert [
            (int(one["run_id"]), None if one["deleted"] else store.payload(one["payload_hash"])["v"])
            for one in told["versions"]
        ] == versions


@given(EXTRACTS)
@settings(max_examples=30, deadline=None)
def test_any_sequence_of_extracts_leaves_what_a_dictionary_would(
    extracts: list[tuple[list[list[SourceRecord]], list[str], bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, RecordStore.open(f"sqlite:///{Path(folder) / 'store.db'}") as store:
        model = Model()
        for number, (batches, spoiled, is_complete) in enumerate(extracts):
            run = store.runs.start(Run(str(number), "acme", RunOptions()))
            model.seen = set()
            for batch in batches:
                result = store.source_records.upsert(REAL, PRODUCTS, run, batch)
                found = sorted(map(repr, result.duplicates))
                new, changed, unchanged, duplicates = model.upsert(number, batch)
                assert (result.new, result.changed, result.unchanged) == (new, changed, unchanged)
                assert found == sorted(map(repr, duplicates))
            rows = [InvalidRow("", "bad", "BAD", source_id=source_id) for source_id in spoiled]
            assert store.source_records.record_errors(REAL, PRODUCTS, run, rows) == len(set(spoiled))
            model.seen |= set(spoiled)
            assert store.source_records.count_unseen(REAL, PRODUCTS, run) == len(model.unseen())
            if is_complete:
                assert store.source_records.mark_deleted(REAL, PRODUCTS, run) == model.delete(number)
            check(store, model)

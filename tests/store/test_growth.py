"""Postgres is told of tables that have grown; the reason is in `store/growth.py`."""

from sqlalchemy import text

from graftport_dagster.records import ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.store.database import Database
from graftport_dagster.store.growth import Growth
from graftport_dagster.store.record_store import Dataset, RecordStore


def test_a_table_is_due_at_a_thousand_rows_and_whenever_it_has_grown_fourfold() -> None:
    growth = Growth()
    due_after = []
    for written in range(100, 20_001, 100):
        growth.note("staged_records", 100)
        if growth.take_due() == ["staged_records"]:
            due_after.append(written)

    assert due_after == [1_000, 4_000, 16_000]


def test_the_planner_knows_of_rows_that_were_written_a_moment_ago(postgres_url: str) -> None:
    with RecordStore.open(postgres_url) as store:
        run = store.runs.start(Run("run-1", "acme", RunOptions()))
        for start in range(0, 2_000, 500):
            batch = [SourceRecord(str(number), {"v": number}) for number in range(start, start + 500)]
            store.source_records.upsert(Dataset("acme"), ResourceType.PRODUCTS, run, batch)
    database = Database(postgres_url)
    with database.read() as connection:
        query = text("SELECT reltuples FROM pg_class WHERE relname = 'source_records'")
        assert connection.execute(query).scalar_one() >= 1_000
    database.close()

"""The preview: what a record becomes, with the mapping of now, staged nowhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Migration
from graftport_dagster.records import ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import Dataset, RecordStore
from graftport_dagster.transform import preview

PRODUCTS = ResourceType.PRODUCTS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    with RecordStore.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        run = opened.runs.start(Run("run-1", "acme", RunOptions()))
        records = [SourceRecord(f"p{i}", {"name": f"Bag {i}", "bad": i == 2, "off": i == 3}) for i in range(5)]
        opened.source_records.upsert(Dataset("acme"), PRODUCTS, run, records)
        yield opened


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    (tmp_path / "mappings").mkdir()
    text = """{
        "exclude": off, "exclude_reason": "off",
        "input": {"title": bad ? 12 : $truncate(name, 3)}
    }"""
    (tmp_path / "mappings" / "products.jsonata").write_text(text)
    return Migration(slug="acme", folder=tmp_path, source=FilesSettings())


def test_it_shows_source_result_payload_problems_and_warnings(migration: Migration, store: RecordStore) -> None:
    good, bad, off = preview(migration, store, PRODUCTS, source_ids=["p1", "p2", "p3"])
    assert good["source"] == {"name": "Bag 1", "bad": False, "off": False}
    assert good["payload"]["input"] == {"title": "Bag"}
    assert good["mapping"].startswith("products/draft (")
    assert [warning["code"] for warning in good["warnings"]] == ["TRUNCATED"]
    assert good["problems"] == []
    assert bad["payload"] is None
    assert bad["result"]["input"] == {"title": 12}
    assert [problem["path"] for problem in bad["problems"]] == ["input.title"]
    assert (off["exclude_reason"], off["payload"]) == ("off", None)


def test_it_stages_and_publishes_nothing(migration: Migration, store: RecordStore) -> None:
    assert [row["source_id"] for row in preview(migration, store, PRODUCTS, limit=2)] == ["p0", "p1"]
    assert store.mappings.versions("files", PRODUCTS) == []
    assert store.story("acme", PRODUCTS, "p0")["staged"] is None


def test_an_unknown_record_is_named(migration: Migration, store: RecordStore) -> None:
    with pytest.raises(ConfigurationError) as caught:
        preview(migration, store, PRODUCTS, source_ids=["p1", "p9"])
    assert caught.value.code == "NO_RECORD"
    assert "p9" in caught.value.message

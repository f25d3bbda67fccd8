"""A masked sample of what was read is written where that is wanted, for the owner alone."""

import json
import stat
from pathlib import Path

import pytest

from graftport_dagster import pipeline
from graftport_dagster.migration import Destination, FileSpec, Migration
from graftport_dagster.pipeline.samples import Sample
from graftport_dagster.records import Phase, ResourceType, RunOptions, SourceRecord
from graftport_dagster.retention import Retention
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import RecordStore

CUSTOMERS = ResourceType.CUSTOMERS


def test_a_run_writes_as_many_masked_records_as_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    rows = [f"{number},anna{number}@example.at,Anna Gruber{number},+43 664 12345{number:02}" for number in range(50)]
    (tmp_path / "c.csv").write_text("id,email,name,phone\n" + "\n".join(rows) + "\n")
    migration = Migration(
        slug="shop", folder=tmp_path, source=FilesSettings(files={CUSTOMERS: FileSpec(path="c.csv")}),
        destination=Destination(), retention=Retention(sample_records=10),
    )  # fmt: skip
    extract = RunOptions(phases=(Phase.EXTRACT,), resource_types=(CUSTOMERS,))
    with RecordStore.open(f"sqlite:///{tmp_path}/records.db") as store:
        for options in (extract, RunOptions(phases=(Phase.EXTRACT,), dry_run=True)):
            run_id = f"run-{options.dry_run}"
            with pipeline.open_work(migration, options, run_id=run_id, store=store) as work:
                pipeline.run_phase(work, Phase.EXTRACT, CUSTOMERS)
            path = tmp_path / "state/reports" / run_id / "sample-customers.jsonl"
            written = [json.loads(line) for line in path.read_text().splitlines()]
            assert len(written) == len({row["source_id"] for row in written}) == 10
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            text = path.read_text().lower()
            assert [word for word in ("anna", "gruber", "example", "664 12345") if word in text] == []
            assert {row["payload"]["email"].count("@") for row in written} == {1}


def test_every_record_is_as_likely_to_be_in_the_sample(tmp_path: Path) -> None:
    met: set[str] = set()
    for _ in range(60):
        sample = Sample(CUSTOMERS, 2)
        sample.see([SourceRecord(str(number), {"id": number}) for number in range(10)])
        sample.write(tmp_path)
        written = (tmp_path / "sample-customers.jsonl").read_text().splitlines()
        assert len(written) == 2
        met |= {json.loads(line)["source_id"] for line in written}
    assert met == {str(number) for number in range(10)}

"""`graftport purge`: lists, asks, and leaves no word of a customer in the record store or in reports."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.records import ResourceType, Result, Run, RunOptions, SourceRecord
from graftport_dagster.store.record_store import Dataset, RecordStore
from tests.cli.conftest import Invoke

CUSTOMERS = ResourceType.CUSTOMERS
ANNA = {"id": 7, "email": "anna@example.at", "phone": "+43 664 1234567"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def read(store: RecordStore, state: Path) -> RecordStore:
    """Two customers, read by a run that left a report and a dry run's verdicts."""
    run = store.runs.start(Run("run-1", "shop", RunOptions()))
    rows = [SourceRecord("7", ANNA), SourceRecord("8", {"id": 8, "email": "ben@example.at"})]
    store.source_records.upsert(Dataset("shop"), CUSTOMERS, run, rows)
    store.runs.finish("run-1", Result.SUCCEEDED)
    folder = state / "reports" / "run-1"
    folder.mkdir(parents=True)
    (folder / "customers.jsonl").write_text('{"source_id": "7", "x": 1}\n{"source_id": "8", "e": "ben@example.at"}\n')
    (folder / "report.html").write_text("<p>Anna@example.at was refused</p>\n")
    return store


def test_a_customer_goes_from_record_store_and_reports_and_is_listed(
    read: RecordStore, told: Callable[..., Any], graftport: Invoke, state: Path, tmp_path: Path
) -> None:
    looked = told("purge", "shop", "--customer", "anna@example.at", "--dry-run")
    assert read.source_records.count(Dataset("shop"), CUSTOMERS) == 2
    shown = graftport("purge", "shop", "--customer", "anna@example.at").stdout
    assert "customers" in shown
    assert looked["records"] == [{"resource_type": "customers", "source_id": "7"}]
    assert (looked["removed"]["files"], looked["removed"]["source_records"]) == (2, 1)
    assert (state / "reports/run-1/customers.jsonl").read_text() == '{"source_id": "8", "e": "ben@example.at"}\n'
    assert (state / "reports/run-1/report.html").read_text() == "<p>[purged] was refused</p>\n"
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (b"anna@example.at" in held.lower(), b"1234567" in held, b"ben@example.at" in held) == (False, False, True)
    again = told("purge", "shop", "--customer", "anna@example.at", status=2)
    assert again["errors"][0]["field"] == "customer"


def test_a_whole_migration_is_asked_for_first(read: RecordStore, graftport: Invoke, told: Callable[..., Any]) -> None:
    assert "Remove all that shop has read" in graftport("purge", "shop", "--all", status=130).output
    told("purge", "shop", "--all", status=2)
    assert read.source_records.count(Dataset("shop"), CUSTOMERS) == 2
    done = told("purge", "shop", "--all", "--yes")
    assert (done["records_in_all"], done["removed"]["reports"]) == (2, 1)
    assert read.source_records.count(Dataset("shop"), CUSTOMERS) == 0


def test_a_run_at_work_is_not_purged_under_its_hands(read: RecordStore, graftport: Invoke) -> None:
    other = read.runs.start(Run("run-2", "shop", RunOptions(), host="elsewhere", pid=1))
    read.loads.acquire("shop", "", CUSTOMERS, other, seconds=600)
    assert "Run run-2 on elsewhere" in graftport("purge", "shop", "--all", "--yes", status=1).stderr
    assert read.source_records.count(Dataset("shop"), CUSTOMERS) == 2


def test_old_runs_go_with_their_reports_by_the_days_given(
    tmp_path: Path, read: RecordStore, told: Callable[..., Any], state: Path
) -> None:
    assert told("purge", "shop")["removed"] == {}
    long_ago = datetime.now(UTC) - timedelta(days=40)
    with RecordStore.open(f"sqlite:///{tmp_path / 'store.db'}", now=lambda: long_ago) as then:
        then.runs.start(Run("run-0", "shop", RunOptions()))
        then.runs.finish("run-0", Result.UNCHANGED)
    (state / "reports/run-0").mkdir()
    assert told("purge", "shop")["removed"] == {}
    looked = told("purge", "shop", "--older-than", "30", "--dry-run")
    assert (looked["runs"], looked["removed"]) == (["run-0"], {"runs": 1, "reports": 1})
    assert told("purge", "shop", "--older-than", "30")["removed"] == looked["removed"]
    assert [path.name for path in (state / "reports").iterdir()] == ["run-1"]


def test_one_thing_at_a_time_is_purged(graftport: Invoke) -> None:
    refused = graftport("purge", "shop", "--all", "--customer", "7", status=2)
    assert "one of them" in refused.stderr


@pytest.mark.parametrize("words", [("--customer", "7"), ("--all", "--yes")])
def test_nothing_is_taken_out_while_a_dry_run_or_a_run_between_two_phases_is_at_work(
    read: RecordStore, told: Callable[..., Any], words: tuple[str, ...]
) -> None:
    for run_id, options in (("rehearsal", RunOptions(dry_run=True)), ("load-after", RunOptions())):
        read.runs.start(Run(run_id, "shop", options))
        refused = told("purge", "shop", *words, status=1)
        assert f"Run {run_id} on an unnamed host is at work for shop" in str(refused["errors"])
        assert read.source_records.count(Dataset("shop"), CUSTOMERS) == 2
        read.runs.finish(run_id, Result.SUCCEEDED)
    told("purge", "shop", *words)

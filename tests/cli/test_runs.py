"""`graftport runs` and `graftport report`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from graftport_dagster.records import Phase, ResourceType, Run, RunItem, RunOptions
from graftport_dagster.records import Result as Ended
from graftport_dagster.store.record_store import RecordStore

Invoke = Callable[..., Result]


def ran(store: RecordStore, run_id: str, result: Ended, migration: str = "shop", **fields: Any) -> None:
    store.runs.start(Run(run_id, migration, fields.pop("options", RunOptions()), **fields))
    counts = {"in_scope": 3, "created": 2, "errored": 1}
    for item in (
        RunItem(run_id, ResourceType.PRODUCTS, Phase.EXTRACT, result, {"read": 3, "new": 2, "errored": 1}),
        RunItem(run_id, ResourceType.PRODUCTS, Phase.LOAD, result, counts, first_error="A1: Title can't be blank"),
    ):
        store.runs.start_item(item)
        store.runs.finish_item(item)
    store.runs.finish(run_id, result)


@pytest.fixture
def four_runs(store: RecordStore) -> None:
    """A failure, its good retry, a failure of another migration, and one that is open."""
    ran(store, "aaaaaaaa-1", Ended.FAILED)
    ran(store, "bbbbbbbb-2", Ended.SUCCEEDED, retry_of="aaaaaaaa-1")
    ran(store, "cccccccc-3", Ended.FAILED, "other")
    ran(store, "dddddddd-4", Ended.COMPLETED_WITH_ERRORS, options=RunOptions(dry_run=True))


@pytest.mark.usefixtures("four_runs")
@pytest.mark.parametrize(
    ("words", "letters"),
    [
        ((), "abcd"),
        (("--all",), "abcd"),
        (("shop",), "abd"),
        (("--platform", "magento"), "c"),
        (("--failed",), "acd"),
        (("--open",), "cd"),
        (("shop", "--open", "--failed"), "d"),
        (("--limit", "2"), "cd"),
        (("--from", "2000-01-01"), "abcd"),
        (("--to", "2000-01-01"), ""),
    ],
)
def test_runs_are_listed_oldest_first(told: Callable[..., Any], words: tuple[str, ...], letters: str) -> None:
    assert "".join(run["run_id"][0] for run in told("runs", *words)["runs"]) == letters


@pytest.mark.parametrize(
    ("later", "is_open"),
    [
        (RunOptions(), False),
        (RunOptions(resource_types=(ResourceType.PRODUCTS, ResourceType.REDIRECTS)), False),
        (RunOptions(resource_types=(ResourceType.REDIRECTS,)), True),
        (RunOptions(phases=(Phase.EXTRACT,)), True),
        (RunOptions(limit=5), True),
        (RunOptions(source_ids=("A1",)), True),
        (RunOptions(dry_run=True), True),
    ],
)
def test_a_failure_is_open_until_a_later_run_did_all_of_it_well(
    store: RecordStore, told: Callable[..., Any], later: RunOptions, *, is_open: bool
) -> None:
    ran(store, "aaaaaaaa-1", Ended.FAILED, options=RunOptions(resource_types=(ResourceType.PRODUCTS,)))
    ran(store, "bbbbbbbb-2", Ended.UNCHANGED, options=later)
    assert bool(told("runs", "--open")["runs"]) is is_open


@pytest.mark.usefixtures("four_runs")
def test_a_listed_run_has_the_keys_that_scripts_rely_on(told: Callable[..., Any]) -> None:
    run = told("runs", "shop")["runs"][0]
    assert list(run) == [
        "run_id", "migration", "result", "dry_run", "resource_types", "phases", "operations", "created", "updated",
        "skipped", "errors", "first_error", "retry_of", "replay_of", "started_at", "ended_at", "seconds",
    ]  # fmt: skip
    assert (run["created"], run["errors"], run["resource_types"]) == (2, 2, ["products"])


def test_a_run_of_some_phases_is_listed_with_what_it_does(
    store: RecordStore, told: Callable[..., Any], graftport: Invoke
) -> None:
    ran(store, "aaaaaaaa-1", Ended.SUCCEEDED)
    assert "import" not in graftport("runs").stdout
    ran(store, "bbbbbbbb-2", Ended.SUCCEEDED, options=RunOptions(phases=(Phase.EXTRACT, Phase.LOAD)))
    whole, part = told("runs")["runs"]
    assert (whole["operations"], part["operations"]) == (["import", "transform", "export"], ["import", "export"])
    assert "import, export" in graftport("runs").stdout


@pytest.mark.usefixtures("four_runs")
def test_the_list_fits_80_columns(graftport: Invoke) -> None:
    lines = graftport("runs").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "aaaaaaaa" in lines[1]


def test_no_runs_are_said_to_be_none(graftport: Invoke, told: Callable[..., Any]) -> None:
    assert graftport("runs").stdout == "No such runs.\n"
    assert told("runs") == {"runs": []}


@pytest.mark.usefixtures("four_runs")
def test_report_tells_the_last_run_or_the_one_named(told: Callable[..., Any], graftport: Invoke) -> None:
    assert told("report", "shop")["run_id"] == "dddddddd-4"
    assert told("report", "shop", "aaaaaaaa")["run_id"] == "aaaaaaaa-1"
    text = graftport("report", "shop", "aaaaaaaa").stdout
    assert "First error: A1: Title can't be blank" in text
    assert "3: 2 created, 1 errored" in text


@pytest.mark.usefixtures("four_runs")
def test_report_is_written_as_markdown_and_html(graftport: Invoke, tmp_path: Path) -> None:
    graftport("report", "shop", "--markdown", "report.md", "--html", "report.html")
    assert "**shop: completed with errors**" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.usefixtures("four_runs")
def test_report_refuses_runs_that_are_not_the_migrations(told: Callable[..., Any]) -> None:
    assert "is one of other, not of shop" in json.dumps(told("report", "shop", "cccccccc", status=2))
    assert "There is no run zzzzzzzz" in json.dumps(told("report", "shop", "zzzzzzzz", status=2))


def test_report_before_the_first_run_says_how_to_run(graftport: Invoke) -> None:
    assert "shop has not run yet. `graftport run shop` runs it." in graftport("report", "shop", status=2).stderr

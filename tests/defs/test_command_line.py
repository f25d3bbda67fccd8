"""`dagster job execute` as CI runs it: exit statuses, signals, killed processes; and the door of `graftport run`."""

import io
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from graftport_dagster.defs.launch import launch
from graftport_dagster.defs.layout import PROCESS_TAG
from graftport_dagster.records import Phase, ResourceType, RunOptions
from tests.defs.commands import ROOT, dagster_run, execute, only_run, started, wait_until

PRODUCTS, REDIRECTS = ResourceType.PRODUCTS, ResourceType.REDIRECTS
BAD = "sku,title,price,collection\nA1,Tarp,10.00,\nA2,BAD,20.00,\n"


def child(project: Any) -> dg.DagsterRun:
    with dg.DagsterInstance.from_config(str(project.folder)) as instance:
        run: dg.DagsterRun = wait_until(
            lambda: [run for run in instance.get_runs() if run.tags.get("dagster/partition") == "products"]
        )[0]
    return run


def stands_to_reason(project: Any, run: Any) -> None:
    """Nothing landed twice, and the next run brings what is missing."""
    titles = [item["title"] for item in project.objects("Product")]
    assert len(titles) == len(set(titles))
    project.slow_down(0)
    again = execute(project, "migrate")
    assert again.returncode == 0, again.stderr[-2000:]
    assert project.result(run.run_id) not in {"running", "queued"}
    assert len(project.objects("Product")) == 15


# Exit statuses


def test_exit_status_0_when_all_went_well_and_when_there_is_nothing_to_do(project: Any) -> None:
    first = execute(project, "migrate")
    assert first.returncode == 0, first.stderr[-2000:]
    assert only_run(project).result == "succeeded"
    second = execute(project, "migrate")
    assert second.returncode == 0
    assert only_run(project).result == "unchanged"
    assert re.search(r"shop  . unchanged", second.stderr)
    assert not list(project.folder.glob(".tmp_dagster_home_*"))


@pytest.mark.parametrize(("fail", "status"), [(True, 1), (False, 0)])
def test_exit_status_with_bad_rows_follows_fail_on_row_errors(project: Any, fail: bool, status: int) -> None:
    project.write("products.csv", BAD)
    done = execute(project, "migrate", fail_on_row_errors=fail, resource_types=["products"])
    assert done.returncode == status
    assert only_run(project).result == "completed_with_errors"
    assert "This row is bad." in done.stderr


def test_options_come_from_a_file(project: Any) -> None:
    done = execute(project, "migrate", phases=["extract", "load"], resource_types=["products"], limit=2)
    assert done.returncode == 0, done.stderr[-2000:]
    run = only_run(project)
    assert run.options.phases == (Phase.EXTRACT, Phase.LOAD)
    assert list(project.items(run.run_id)) == ["products extract", "products load"]
    assert project.items(run.run_id)["products extract"].counts["read"] == 2


def test_one_partition_runs_by_its_tag(project: Any) -> None:
    done = execute(project, "migrate_one", "redirects")
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(project.items(only_run(project).run_id)) == [
        "redirects extract",
        "redirects transform",
        "redirects load",
    ]


@pytest.mark.parametrize("partition", ["orders", ""])
def test_a_partition_that_is_not_there_is_exit_status_1_and_a_sentence(project: Any, partition: str) -> None:
    done = execute(project, "load", partition)
    assert done.returncode == 1
    assert "There are: collections, products, redirects." in done.stderr


@pytest.mark.slow
def test_two_runs_at_once_both_end_and_nothing_lands_twice(slow_project: Any) -> None:
    execute(slow_project, "extract", "collections")
    with started(slow_project, "migrate") as first:
        wait_until(lambda: slow_project.objects("Product"))
        second = execute(slow_project, "load", "products")
        assert first.wait(timeout=120) == 0
    assert "Ended a run" not in second.stderr
    assert len(slow_project.objects("Product")) == 15


# Signals


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_group", [False, True], ids=["process", "group"])
def test_a_first_signal_ends_the_run_in_order(slow_project: Any, number: signal.Signals, to_group: bool) -> None:
    with started(slow_project, "migrate") as process:
        wait_until(lambda: slow_project.objects("Product"))
        (os.killpg if to_group else os.kill)(process.pid, number)
        assert process.wait(timeout=30) == 1
    run = only_run(slow_project)
    assert run.result == "canceled"
    items = slow_project.items(run.run_id)
    assert items["products load"].result == "canceled"
    assert 0 < items["products load"].counts["created"] < 15
    assert items["products load"].counts["unknown"] == 0
    assert items["products load"].counts["not_reached"] == 15 - items["products load"].counts["created"]
    assert items["redirects extract"].result == "canceled"
    assert items["redirects extract"].counts == {}
    stands_to_reason(slow_project, run)


@pytest.mark.slow
def test_a_second_signal_interrupts_and_nothing_lands_twice(slow_project: Any) -> None:
    with started(slow_project, "migrate") as process:
        wait_until(lambda: slow_project.objects("Product"))
        slow_project.slow_down(30_000)
        time.sleep(1)
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(1.2)
        assert process.wait(timeout=15) == 1
    run = only_run(slow_project)
    assert run.result == "canceled"
    stands_to_reason(slow_project, run)


def test_a_signal_to_a_single_partition_ends_it_in_order(slow_project: Any) -> None:
    with started(slow_project, "migrate_one", "products") as process:
        wait_until(lambda: slow_project.objects("Product"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 1
    assert only_run(slow_project).result == "canceled"


def test_a_dry_run_stops_at_a_signal(slow_project: Any) -> None:
    rows = "".join(f"P{number},Product {number},1.00,\n" for number in range(60_000))
    slow_project.write("products.csv", f"sku,title,price,collection\n{rows}")
    with started(slow_project, "dry_run") as process:
        wait_until(lambda: "rows read" in (slow_project.folder / "output").read_text().partition("products:")[2])
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 1
    run = only_run(slow_project)
    assert run.result == "canceled"
    assert run.options.dry_run


# Killed processes


@pytest.mark.slow
def test_a_killed_step_fails_its_type_alone_and_the_run_ends(slow_project: Any) -> None:
    with started(slow_project, "migrate") as process:
        wait_until(lambda: slow_project.objects("Product"))
        os.kill(int(child(slow_project).tags[PROCESS_TAG].split()[0]), signal.SIGKILL)
        assert process.wait(timeout=60) == 1
    run = only_run(slow_project)
    assert run.result == "completed_with_errors"
    items = slow_project.items(run.run_id)
    assert items["collections load"].result == "succeeded"
    assert items["products load"].result == "failed"
    assert "died" in items["products load"].first_error
    assert items["redirects extract"].first_error == "Not begun: a process of this run died."
    stands_to_reason(slow_project, run)


@pytest.mark.slow
def test_a_killed_run_leaves_no_process_behind_and_is_ended_by_the_next(slow_project: Any) -> None:
    with started(slow_project, "migrate") as process:
        wait_until(lambda: slow_project.objects("Product"))
        step = int(child(slow_project).tags[PROCESS_TAG].split()[0])
        process.kill()
        process.wait()
        wait_until(lambda: not Path(f"/proc/{step}").exists())
    run = only_run(slow_project)
    assert run.result == "running"
    with dg.DagsterInstance.from_config(str(slow_project.folder)) as instance:
        assert dagster_run(instance, run.run_id).status is dg.DagsterRunStatus.STARTED
        stands_to_reason(slow_project, run)
        assert dagster_run(instance, run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert slow_project.result(run.run_id) != "canceled"


def test_a_run_canceled_in_dagster_alone_stops_at_its_next_batch(slow_project: Any) -> None:
    """What `graftport cancel` and *Mark as canceling* do to a run that Dagster cannot reach."""
    with started(slow_project, "migrate") as process:
        wait_until(lambda: slow_project.objects("Product"))
        run = only_run(slow_project)
        with dg.DagsterInstance.from_config(str(slow_project.folder)) as instance:
            instance.report_run_canceling(dagster_run(instance, run.run_id))
            assert process.wait(timeout=30) == 1
            assert dagster_run(instance, child(slow_project).run_id).status is dg.DagsterRunStatus.CANCELED
    assert only_run(slow_project).result == "canceled"


# The door of the command line


def test_launch_gives_the_run_as_the_record_store_has_it(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stream = io.StringIO()
    done = launch("shop", RunOptions(resource_types=(REDIRECTS,), actor="ann"), retry_of="before", stream=stream)
    assert done.exit_status == 0, stream.getvalue()
    assert done.run is not None
    assert (done.run.result, done.run.options.actor, done.run.retry_of) == ("succeeded", "ann", "before")
    assert "superseded" not in stream.getvalue()
    assert "redirects: 1 rows read" in stream.getvalue()


def test_launch_runs_one_partition(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = launch("shop", RunOptions(), job="extract", partition=REDIRECTS, stream=io.StringIO())
    assert done.run is not None
    assert list(project.items(done.run.run_id)) == ["redirects extract"]


def test_launch_is_not_misled_by_files_in_the_current_folder(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("json", "queue", "csv"):
        (project.folder / f"{name}.py").write_text("raise SystemExit('a file of the user')\n")
    stream = io.StringIO()
    done = launch("shop", RunOptions(), stream=stream)
    assert done.run is not None, stream.getvalue()
    assert done.run.result == "succeeded"


def test_launch_says_when_dagster_stopped_before_the_run_began(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stream = io.StringIO()
    done = launch("shop", RunOptions(), job="nothing", stream=stream)
    assert (done.run, done.exit_status) == (None, 2)
    assert "shop_nothing" in stream.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_launch_passes_signals_on_and_gives_handlers_back(
    slow_project: Any, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = signal.getsignal(number)

    def interrupt() -> None:
        wait_until(lambda: slow_project.objects("Product"))
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    done = launch("shop", RunOptions(), stream=io.StringIO())
    thread.join()
    assert done.run is not None
    assert (done.run.result, done.exit_status) == ("canceled", 1)
    assert signal.getsignal(number) is before


def test_a_run_started_with_nohup_outlives_its_terminal(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    class Closing(io.StringIO):
        def write(self, text: str) -> int:
            os.kill(os.getpid(), signal.SIGHUP)
            return super().write(text)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done = launch("shop", RunOptions(resource_types=(REDIRECTS,)), stream=Closing())
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (done.is_stopped, done.exit_status) == (False, 0)

"""`graftport retry` and `graftport cancel`, on runs in processes of their own."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from graftport_dagster.cli import main

CONSOLE = [sys.executable, "-m", "graftport_dagster.cli"]
BAD = "sku,title,price,collection\nA1,Tarp,10.00,\nA2,BAD,20.00,\n"
NO_ERROR = 'title = "BAD" ? $error("This row is bad.") : '


def graftport(project: Any, *words: str, status: int = 0) -> tuple[Any, str]:
    """The object that it answers, and what it says beside."""
    done = subprocess.run(
        [*CONSOLE, *words, "--json"], cwd=project.folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


def mend_the_mapping(project: Any) -> None:
    path = project.migrations / "mappings" / "products.jsonata"
    path.write_text(path.read_text(encoding="utf-8").replace(NO_ERROR, ""), encoding="utf-8")


def test_a_retry_says_what_changed_does_only_what_failed_and_is_not_done_twice(project: Any) -> None:
    project.write("products.csv", BAD)
    first = project.run("migrate", resource_types=("products", "redirects"))
    assert project.result(first.run_id) == "completed_with_errors"

    told, said = graftport(project, "retry", first.run_id, status=3)
    assert "Nothing changed since the last attempt: expect the same error." in told["readiness"]["sentence"]
    assert told["readiness"]["sentence"] in " ".join(said.split())
    assert [item["resource_type"] for item in told["items"]] == ["products"] * 3
    assert told["retry_of"] == first.run_id
    second = told["run_id"]

    mend_the_mapping(project)
    told, _ = graftport(project, "retry", first.run_id, "--reason", "mapping mended")
    assert "products has another mapping than products/1" in told["readiness"]["sentence"]
    assert told["retry_of"] == second
    assert told["items"][-1]["counts"]["created"] == 1
    runs, _ = graftport(project, "runs", "shop", "--open")
    assert runs["runs"] == []

    (error,) = graftport(project, "retry", first.run_id, status=2)[0]["errors"]
    assert "has made it good" in error["messages"][0]
    (error,) = graftport(project, "retry", told["run_id"], status=2)[0]["errors"]
    assert (error["field"], "ended well" in error["messages"][0]) == ("run_id", True)
    (error,) = graftport(project, "retry", first.run_id, "--resource-type", "orders", status=2)[0]["errors"]
    assert error["field"] == "resource_type"


def test_a_retry_of_open_records_says_what_changed_as_well(project: Any) -> None:
    project.write("products.csv", BAD)
    project.run("migrate_one", "products")
    told, said = graftport(project, "incomplete", "retry", "shop", "A2", status=3)
    assert (told["retried"], told["readiness"]["changed"]) == (1, [])
    assert "Nothing changed since the last attempt: expect the same error" in " ".join(said.split())


def test_the_original_mapping_is_repeated_where_that_is_asked_for(project: Any) -> None:
    project.write("products.csv", BAD)
    first = project.run("migrate", resource_types=("products",))
    mend_the_mapping(project)
    told, _ = graftport(project, "retry", first.run_id, "--mapping", "original", status=3)
    assert told["items"][1]["mapping_version"].startswith("products/1 (")
    assert told["items"][1]["counts"]["errored"] == 1


def test_other_credentials_are_a_change(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write("products.csv", BAD)
    first = project.run("migrate", resource_types=("products",))
    monkeypatch.setenv("SHOP_TOKEN", "shpat_renewed")
    told, said = graftport(project, "retry", first.run_id, status=3)
    assert told["readiness"]["changed"] == ["the credentials of the store are others"]
    assert "shpat" not in json.dumps(told) + said


@pytest.mark.slow
def test_a_run_in_another_process_is_canceled_and_nothing_restarts_it(slow_project: Any) -> None:
    slow_project.slow_down(3000)
    with subprocess.Popen(
        [*CONSOLE, "run", "shop", "--resource-types", "products", "--json"], cwd=slow_project.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        run_id = wait_for_a_product(slow_project)
        told, _ = graftport(slow_project, "cancel", run_id[:10])
        out, _ = process.communicate(timeout=60)
    assert (told["run_id"], told["result"]) == (run_id, "canceled")
    assert process.returncode == 130
    report = json.loads(out)
    assert report["result"] == "canceled"
    load = report["items"][-1]["counts"]
    assert load["created"] + load["not_reached"] == 15
    assert 0 < load["created"] < 15
    (error,) = graftport(slow_project, "cancel", run_id, status=2)[0]["errors"]
    assert "has ended: canceled" in error["messages"][0]
    slow_project.slow_down(0)
    again, _ = graftport(slow_project, "retry", run_id)
    assert again["items"][-1]["counts"]["created"] == 15 - load["created"]
    assert len(slow_project.objects("Product")) == 15


def wait_for_a_product(project: Any) -> str:
    give_up = time.monotonic() + 150
    while not project.objects("Product"):
        assert time.monotonic() < give_up
        time.sleep(0.2)
    with project.store() as store:
        (run,) = store.runs.list("shop")
    return str(run.run_id)


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [("NOT_STARTED", "CANCELED", "canceled"), ("STARTED", "CANCELING", "running"), ("FAILURE", "FAILURE", None)],
)
def test_cancel_says_of_a_run_that_only_dagster_knows_how_it_stands(
    project: Any, before: str, after: str, result: str | None
) -> None:
    job = project.definitions().resolve_job_def("shop_load")
    with dg.DagsterInstance.from_config(str(project.folder)) as instance:
        run = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus(before), tags={"graftport/migration": "shop"}
        )  # fmt: skip
        project.write("shop.yaml", "source: {type: nothing}\n")
        told = CliRunner().invoke(main, ["cancel", run.run_id, "--json"])
        assert told.exit_code == (0 if result else 2), told.output
        assert json.loads(told.stdout).get("result") == result
        now = instance.get_run_by_id(run.run_id)
        assert now is not None
        assert now.status.value == after


def test_a_run_that_nobody_knows_is_refused(project: Any) -> None:
    for command in ("retry", "cancel"):
        (error,) = graftport(project, command, "nothing-like-it", status=2)[0]["errors"]
        assert error["field"] == "run_id"
    assert Path(project.folder).exists()

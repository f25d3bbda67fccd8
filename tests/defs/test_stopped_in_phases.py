"""Whole runs of Dagster, stopped by signals while they read or map: how they end, and what the next run finds."""

import os
import signal
import time
from typing import Any

import dagster as dg
import pytest

from graftport_dagster.records import ResourceType
from graftport_dagster.store.record_store import Dataset
from tests.defs.commands import dagster_run, execute, only_run, started, wait_until

ROWS = 12_000
PHASES = ["extract", "transform"]
# What the step logs once it is in the midst of the phase.
IN_HAND = {"extract": "rows read", "transform": "mapped"}


@pytest.fixture
def large_project(project: Any) -> Any:
    rows = "".join(f"P{number:05},Product {number},1.00,\n" for number in range(ROWS))
    project.write("products.csv", f"sku,title,price,collection\n{rows}")
    return project


def stop(process: Any, how: str) -> None:
    if how == "killed":
        os.killpg(process.pid, signal.SIGKILL)
        return
    process.send_signal(signal.SIGTERM)
    if how == "told twice":
        time.sleep(1.2)
        process.send_signal(signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "of"),
    [
        ("told once", "one partition"), ("told twice", "one partition"), ("killed", "one partition"),
        ("told once", "the whole job"), ("killed", "the whole job"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("phase", PHASES)
def test_a_run_stopped_in_a_phase_says_so_and_the_next_one_has_every_row_once(
    large_project: Any, phase: str, how: str, of: str
) -> None:
    both: dict[str, Any] = {"phases": PHASES, "resource_types": ["products"]}
    if of == "one partition":
        if phase == "transform":
            assert execute(large_project, "extract", "products").returncode == 0
        begun = started(large_project, phase, "products")
    else:
        begun = started(large_project, "migrate", **both)
    output = large_project.folder / "output"
    with begun as process:
        wait_until(lambda: _in_hand(output.read_text(), phase))
        stop(process, how)
        status = process.wait(timeout=60)
    run = only_run(large_project)
    items = large_project.items(run.run_id)
    if how == "killed":
        assert status == -signal.SIGKILL
        assert items[f"products {phase}"].result == "running"
    else:
        # A second signal may come when the first has ended the run, and the process is about to.
        assert status in (1, -signal.SIGTERM), output.read_text()[-2000:]
        assert (run.result, items[f"products {phase}"].result) == ("canceled", "canceled")

    again = execute(large_project, "migrate", **both)
    assert again.returncode == 0, again.stderr[-2000:]
    last = only_run(large_project)
    assert last.result == "succeeded"
    counts = large_project.items(last.run_id)["products extract"].counts
    assert counts["rows_read"] == counts["rows_in_records"] == counts["read"] == ROWS
    assert counts["new"] + counts["unchanged"] == ROWS
    with large_project.store() as store:
        assert store.source_records.count(Dataset("shop"), ResourceType.PRODUCTS) == ROWS
        assert sum(store.staged_records.states(Dataset("shop"), ResourceType.PRODUCTS).values()) == ROWS
        assert store.incomplete.open("shop") == []
    # Whoever was killed is ended by then, in Dagster as well.
    with dg.DagsterInstance.from_config(str(large_project.folder)) as instance:
        assert dagster_run(instance, run.run_id).is_finished
    assert large_project.result(run.run_id) not in {"running", "queued"}


def _in_hand(text: str, phase: str) -> bool:
    return any("products:" in line and IN_HAND[phase] in line for line in text.splitlines())

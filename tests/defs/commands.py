"""`dagster job execute` in processes of their own, and what the stores then say of the run."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def command(project: Any, job: str, partition: str = "", **options: Any) -> list[str]:
    words = ["-m", "graftport_dagster.definitions", "-j", f"shop_{job}"]
    if partition:
        words += ["--tags", f'{{"dagster/partition": "{partition}"}}']
    if options:
        config = project.folder / "options.yaml"
        config.write_text(yaml.safe_dump({"resources": {"options": {"config": options}}}), encoding="utf-8")
        words += ["-c", str(config)]
    return [sys.executable, "-m", "dagster", "job", "execute", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def execute(project: Any, job: str, partition: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(project, job, partition, **options), cwd=project.folder, env=environment(),
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


@contextlib.contextmanager
def started(project: Any, job: str, partition: str = "", **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The command under way, in a process group of its own; whatever is left of it is killed at the end."""
    with (project.folder / "output").open("w") as output:
        process = subprocess.Popen(
            command(project, job, partition, **options), cwd=project.folder, env=environment(),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(happens: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := happens():
            return found
        time.sleep(0.1)
    pytest.fail("It did not happen in time.")


def only_run(project: Any) -> Any:
    with project.store() as store:
        runs = store.runs.list("shop")
    return runs[-1] if runs else None


def dagster_run(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run

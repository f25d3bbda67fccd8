"""A feed with its source touched, changed, taken away and put back: each change is read once, and none is lost.

Most of it at the level of the sensor; at the end with Dagster's daemon as a process of its own that is killed again
and again, as in production beside a code server.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from graftport_dagster import pipeline
from graftport_dagster.defs import freshness
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import load_migrations
from graftport_dagster.records import Phase, ResourceType, RunOptions
from tests.defs.conftest import ROOT
from tests.defs.test_sensors import sensor

PRODUCTS = ResourceType.PRODUCTS
PRODUCTS_ALONE = """
source:
  platform: csv
  files: {{products: {{path: products.csv, id_column: sku}}}}
destination: {{shop: "{url}", access_token: env:SHOP_TOKEN}}
"""
STEPS = ("touch", "change", "change", "back", "vanish", "appear", "tick", "tick", "tick", "run", "run")
PATIENCE = 240


def rows(price: int) -> str:
    return f"sku,title,price,collection\nA1,Tarp,{price}.00,\n"


class Feed:
    """The products of the project, the sensor that watches them, and what must have become of them."""

    def __init__(self, project: Any, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.path: Path = project.migrations / "products.csv"
        self.texts = [rows(price) for price in range(1, 4)]
        self.now: str | None = self.texts[0]
        self.asked: dg.DagsterRun | None = None
        self.read: str | None = None
        self.reads = 0
        self.cursor: str | None = None
        self.moment = 1_700_000_000
        project.write("shop.yaml", PRODUCTS_ALONE.format(url=project.url))
        definitions = project.definitions()
        self.code = definitions.get_repository_def()
        self.job = definitions.resolve_job_def("shop_migrate_one")
        self.sensor = sensor(project, "source_freshness")
        self.migration = load_migrations(project.migrations)["shop"]
        self.write()

    def write(self) -> None:
        self.moment += 1
        if self.now is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.write_text(self.now, encoding="utf-8")
        os.utime(self.path, (self.moment, self.moment))

    def step(self, name: str) -> None:
        if name in ("touch", "change", "back", "vanish", "appear"):
            self.edit(name)
        elif name == "run":
            self.run()
        else:
            self.tick()

    def edit(self, name: str) -> None:
        others = [text for text in self.texts if text != self.now]
        if name == "change" and self.now is not None:
            self.now = self.random.choice(others)
        elif name == "back" and self.now is not None and self.read is not None:
            self.now = self.read
        elif name == "vanish":
            self.now = None
        elif name == "appear" and self.now is None:
            self.now = self.random.choice(self.texts)
        self.write()

    def tick(self) -> None:
        """The daemon's part: evaluates, makes the run that is asked for, keeps the cursor; asked for exactly if due."""
        project = self.project
        context = dg.build_sensor_context(instance=project.instance, cursor=self.cursor, repository_def=self.code)
        answer: Any = self.sensor(context)
        self.cursor = answer.cursor
        wanted = list(answer.run_requests or [])
        is_due = self.asked is None and self.now is not None and self.now != self.read
        assert len(wanted) == is_due, answer.skip_reason
        if is_due:
            tags = {"graftport/migration": "shop", "dagster/run_key": wanted[0].run_key}
            self.asked = project.instance.create_run_for_job(self.job, tags=tags)

    def run(self) -> None:
        """The run's part, as its first step does it: reads what is there by now."""
        if self.asked is None:
            return
        options = RunOptions(phases=(Phase.EXTRACT,), resource_types=(PRODUCTS,))
        event = dg.DagsterEventType.RUN_SUCCESS
        with pipeline.open_work(self.migration, options, run_id=self.asked.run_id) as work:
            try:
                item = pipeline.run_phase(work, Phase.EXTRACT, PRODUCTS)
            except ConfigurationError:
                assert self.now is None
                event = dg.DagsterEventType.RUN_FAILURE
            else:
                self.reads += 1
                assert (item.counts["new"], item.counts["changed"]) == self.difference()
                self.read = self.now
            pipeline.finish_run(work.store, self.asked.run_id)
        done = dg.DagsterEvent(event.value, self.job.name, message="")
        self.project.instance.report_dagster_event(done, run_id=self.asked.run_id)
        self.asked = None

    def difference(self) -> tuple[int, int]:
        """New and changed records that a run must find now."""
        if self.read is None:
            return (1, 0)
        return (0, int(self.now != self.read))


SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 20))]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_becomes_of_the_file_each_change_is_asked_for_once_and_none_is_lost(
    project: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "ASK_AGAIN", timedelta(0))
    feed = Feed(project, seed)
    for _ in range(25):
        feed.step(feed.random.choice(STEPS))
    if feed.now is None:
        feed.edit("appear")
    for _ in range(3):
        feed.tick()
        feed.run()
    assert feed.read is not None
    assert feed.read == feed.now
    with project.store() as store:
        story = store.story("shop", PRODUCTS, "A1")
    assert story["source"]["payload"]["price"] == feed.read.splitlines()[1].split(",")[2]
    feed.tick()
    assert feed.asked is None


# With the daemon really running


class Daemon:
    """A code server that lives on, as on a server, and the daemon beside it, which is killed."""

    def __init__(self, project: Any) -> None:
        self.project = project
        self.home: Path = project.folder
        self.environment = os.environ | {"DAGSTER_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        self.process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.call("instance", "info")
        self.code = self.spawn("dagster", "api", "grpc", "-m", "graftport_dagster.definitions", "-p", str(self.port))
        workspace = {"load_from": [{"grpc_server": {"host": "127.0.0.1", "port": self.port, "location_name": "code"}}]}
        (self.home / "workspace.yaml").write_text(json.dumps(workspace), encoding="utf-8")
        wait_until("the code server answers", self.answers)
        self.call("sensor", "start", "shop_source_freshness", "-w", "workspace.yaml")

    def call(self, *words: str) -> None:
        command = [sys.executable, "-m", "dagster", *words]
        done = subprocess.run(command, cwd=self.home, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def spawn(self, *words: str) -> "subprocess.Popen[bytes]":
        with (self.home / "daemon.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words], cwd=self.home, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def answers(self) -> bool:
        assert self.code.poll() is None, (self.home / "daemon.log").read_text(encoding="utf-8")
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def start(self) -> None:
        self.process = self.spawn("dagster._daemon", "run", "-w", "workspace.yaml")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        for process in (self.process, self.code):
            if process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def ticks(self) -> int:
        """How often the sensor has looked without finding anything."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            (state,) = [one for one in instance.all_instigator_state() if one.name == "shop_source_freshness"]
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1000)
        return sum(1 for tick in ticks if tick.status.value == "SKIPPED")

    def runs(self) -> list[tuple[str, str]]:
        """The ended runs, oldest first: which type, and how."""
        with self.project.store() as store:
            return [
                (str(run.options.resource_types[0]), str(run.result))
                for run in store.runs.list("shop") if run.result.is_final
            ]  # fmt: skip

    def has_run(self, times: int) -> bool:
        return len(self.runs()) >= times

    def has_looked(self, times: int) -> bool:
        return self.ticks() >= times

    def prices(self) -> set[str]:
        return {one["variants"][0]["price"] for one in self.project.objects("Product")}


def wait_until(what: str, is_so: Callable[[], Any]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < give_up, f"not within {PATIENCE} seconds: {what}"
        time.sleep(0.2)


@pytest.fixture
def daemon(project: Any) -> Iterator[Daemon]:
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8").partition("schedules:")[0]
    project.write("shop.yaml", f"{text}options: {{freshness_seconds: 1}}\n")
    project.write("products.csv", rows(1))
    made = Daemon(project)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.slow
def test_the_daemon_killed_at_any_moment_loses_no_change_and_runs_none_twice(daemon: Daemon) -> None:
    chance = random.Random(7)
    path: Path = daemon.project.migrations / "products.csv"
    daemon.start()
    wait_until("each type has run", lambda: len(daemon.runs()) == 3)
    assert sorted(daemon.runs()) == [(kind, "succeeded") for kind in ("collections", "products", "redirects")]

    # Touched and not changed: looked at twice, and nothing is started.
    os.utime(path, (1_700_000_000, 1_700_000_000))
    before = daemon.ticks()
    wait_until("two looks found nothing", partial(daemon.has_looked, before + 2))
    assert len(daemon.runs()) == 3

    for price in range(2, 5):
        path.write_text(rows(price), encoding="utf-8")
        time.sleep(chance.uniform(0, 8))
        daemon.kill()
        if chance.random() < 0.5:
            # Away and back while nobody looks.
            path.unlink()
            path.write_text(rows(price), encoding="utf-8")
        daemon.start()
        expected = [("products", "succeeded")] * (price - 1)
        wait_until(f"price {price} has been read", partial(daemon.has_run, 2 + price))
        before = daemon.ticks()
        wait_until("a look found nothing more", partial(daemon.has_looked, before + 1))
        assert daemon.runs()[3:] == expected
        assert daemon.prices() == {f"{price}.00"}

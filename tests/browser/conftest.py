"""One small shop in Dagster's real UI, seen through a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.store.record_store import RecordStore
from tests.browser.browser import BROWSERS, DRIVERS, executable, open_browser
from tests.browser.ui import ROOT, Ui, serve
from tests.defs.conftest import FILES, MAPPINGS, MIGRATION

SCHEDULES = """
  hourly: {cron: "0 * * * *", time_zone: Europe/Vienna}
  half_past_two: {cron: "30 2 * * *", time_zone: Europe/Vienna}
"""


@dataclass
class Stage:
    """The shop's files, its simulated store, and the UI on them."""

    folder: Path
    store_url: str
    shop_url: str
    ui: Ui

    def write(self, name: str, text: str) -> None:
        """A file beside the migration file."""
        path = self.folder / "migrations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def result(self, run_id: str) -> str:
        """Our own word for how a run ended."""
        with RecordStore.open(self.store_url) as store:
            run = store.runs.find(run_id)
        return str(run.result) if run else ""

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """What the store holds."""
        found: list[dict[str, Any]] = requests.get(
            f"{self.shop_url}/_simulator/objects", params={"type": kind}, timeout=30
        ).json()
        return found

    def slow_down(self, milliseconds: float) -> None:
        """How long the store takes over each product."""
        rule = {"fault": "slow", "operation": "productSet", "milliseconds": milliseconds}
        body = {"replace": True, "faults": [rule] if milliseconds else []}
        requests.post(f"{self.shop_url}/_simulator/faults", json=body, timeout=30).raise_for_status()


@pytest.fixture(scope="module")
def shop_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a simulated Shopify store, in a process of its own."""
    state = tmp_path_factory.mktemp("shop") / "state.sqlite"
    command = [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(state)]
    with subprocess.Popen([*command, "--plan", "plus"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, shop_url: str) -> Iterator[Stage]:
    """The shop in the UI, for all tests of a module."""
    if not (executable(DRIVERS) and executable(BROWSERS)):
        pytest.skip("there is no Chromium with its driver: apt-get install chromium chromium-driver")
    folder = tmp_path_factory.mktemp("project")
    (folder / "state").mkdir()
    (folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    store_url = f"sqlite:///{folder / 'state' / 'records.db'}"
    made = Stage(folder, store_url, shop_url, None)  # type: ignore[arg-type]  # it is up only when the files are there
    made.write("shop.yaml", MIGRATION.format(url=shop_url).rstrip() + SCHEDULES)
    for name, text in MAPPINGS.items():
        made.write(f"mappings/{name}.jsonata", text)
    for name, text in FILES.items():
        made.write(f"{name}.csv", text)
    environment = {
        "GRAFTPORT_MIGRATIONS": str(folder / "migrations"), "GRAFTPORT_STATE": str(folder / "state"),
        "GRAFTPORT_STORE_URL": store_url, "SHOP_TOKEN": "shpat_test",
    }  # fmt: skip
    with serve(folder, environment) as url, open_browser() as browser:
        made.ui = Ui(url, browser)
        yield made

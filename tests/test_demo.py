"""The demo as the README gives it, on this machine's own storage and on a server's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, make_url, text

from tests.whole_schema import file_of, mistakes_in_calls

ROOT = Path(__file__).resolve().parents[1]
OWN = {"DAGSTER_HOME", "GRAFTPORT_DAGSTER_URL", "GRAFTPORT_MIGRATIONS", "GRAFTPORT_STATE", "GRAFTPORT_STORE_URL"}
RECORDS = {
    "collections": 18, "products": 32, "customers": 8, "discount_codes": 2, "gift_cards": 2, "orders": 5, "blogs": 3,
    "markets": 3, "redirects": 97,
}  # fmt: skip


@dataclass
class Demo:
    """A folder with Dagster's settings, in which the demo runs as it does in the project's own."""

    folder: Path
    environment: dict[str, str]

    def migrate(self) -> None:
        dagster = str(Path(sys.executable).with_name("dagster"))
        self._run(dagster, "job", "execute", "-m", "graftport_dagster.definitions", "-j", "demo_migrate")

    def graftport(self, *words: str) -> str:
        return self._run(sys.executable, "-m", "graftport_dagster.cli", *words)

    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.graftport("report", "demo", "--json"))
        return told

    @property
    def port_file(self) -> Path:
        return self.folder / ".dagster" / "graftport" / "simulator" / "port"

    def simulator(self) -> str:
        address: str = json.loads(self.port_file.read_text(encoding="utf-8"))["url"]
        return address

    def _run(self, *command: str) -> str:
        kept = {name: value for name, value in os.environ.items() if name not in OWN}
        environment = kept | {"PYTHONPATH": str(ROOT)} | self.environment
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path, {})
    yield made
    if made.port_file.exists():
        requests.post(f"{made.simulator()}/_simulator/stop", timeout=10)


@pytest.fixture
def second_postgres_url(postgres_server: str) -> Iterator[str]:
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE demo_records"))
    yield make_url(postgres_server).set(database="demo_records").render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE demo_records WITH (FORCE)"))
    engine.dispose()


def loads(report: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {item["resource_type"]: item["counts"] for item in report["items"] if item["phase"] == "load"}


def test_demo_lands_whole_and_a_second_time_sends_nothing(demo: Demo) -> None:
    shutil.copy(ROOT / "dagster.yaml", demo.folder)

    demo.migrate()
    first = demo.report()
    assert first["result"] == "succeeded"
    assert {name: counts["created"] for name, counts in loads(first).items()} == RECORDS
    if file_of("2026-10").exists():
        seen, mistakes = mistakes_in_calls(demo.simulator())
        assert (seen > sum(RECORDS.values()), mistakes) == (True, [])
    products = requests.get(f"{demo.simulator()}/_simulator/objects?type=Product", timeout=10).json()
    assert len(products) == RECORDS["products"]
    asked = requests.get(f"{demo.simulator()}/_simulator/", timeout=10).json()["requests"]

    demo.migrate()
    second = demo.report()
    assert second["result"] == "unchanged"
    assert {name: counts["unchanged"] for name, counts in loads(second).items()} == RECORDS
    later = requests.get(f"{demo.simulator()}/_simulator/requests?after={asked}", timeout=10).json()
    assert [request for request in later if "mutation" in json.dumps(request).lower()] == []


def test_demo_runs_with_every_memory_in_postgres(demo: Demo, postgres_url: str, second_postgres_url: str) -> None:
    home = demo.folder / "home"
    home.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home)
    demo.environment.update(
        DAGSTER_HOME=str(home), GRAFTPORT_DAGSTER_URL=postgres_url, GRAFTPORT_STORE_URL=second_postgres_url
    )

    demo.migrate()

    assert {name: counts["created"] for name, counts in loads(demo.report()).items()} == RECORDS
    assert not list((demo.folder / ".dagster" / "graftport").glob("*.db"))
    assert not list(home.rglob("*.db"))

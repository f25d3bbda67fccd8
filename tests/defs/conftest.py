"""A project of its own per test: migration files, a record store, a simulated Shopify store in another process."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from graftport_dagster.defs.factory import build_migration
from graftport_dagster.defs.launch import run_config
from graftport_dagster.migration import load_migrations
from graftport_dagster.records import ResourceType, RunItem, RunOptions
from graftport_dagster.store.record_store import RecordStore

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = """
title = "BAD" ? $error("This row is bad.") : {
  "input": {
    "title": title,
    "collections": collection ? [$ref("collections", collection)] : [],
    "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
    "variants": [{"price": price, "optionValues": [{"optionName": "Title", "name": "Default Title"}]}]
  }
}
"""
MAPPINGS = {
    "collections": '{"input": {"title": title, "handle": id}}',
    "products": PRODUCT,
    "redirects": '{"input": {"path": path, "target": target}}',
}
FILES = {
    "collections": "id,title\ntents,Tents\nstoves,Stoves\n",
    "products": "sku,title,price,collection\nA1,Tarp,10.00,tents\nA2,Burner,20.00,stoves\nA3,Peg,1.50,\n",
    "redirects": "path,target\n/old-tents,/collections/tents\n",
}
MIGRATION = """
description: A small shop of files
source:
  platform: csv
  files:
    collections: {{path: collections.csv, id_column: id}}
    products: {{path: products.csv, id_column: sku}}
    redirects: {{path: redirects.csv, id_column: path}}
destination: {{shop: "{url}", access_token: env:SHOP_TOKEN, verify_after_seconds: 0, concurrency: 1}}
schedules:
  nightly: {{cron: "0 3 * * *", time_zone: Europe/Berlin, phases: [extract, transform], resource_types: [products]}}
"""


@pytest.fixture(scope="module")
def shop_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a simulated Shopify store, in a process of its own."""
    state = tmp_path_factory.mktemp("shop") / "state.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(state),
         "--plan", "plus"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Dagster logs every event on a console of its own."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def shop_url(shop_process: str) -> str:
    """An empty simulated Shopify store."""
    requests.post(f"{shop_process}/_simulator/reset", timeout=10).raise_for_status()
    return shop_process


@dataclass
class Project:
    """A folder as an engineer has it, and short ways to run it in this process."""

    folder: Path
    url: str
    instance: dg.DagsterInstance

    @property
    def migrations(self) -> Path:
        return self.folder / "migrations"

    def write(self, name: str, text: str) -> None:
        """A file beside the migration file."""
        path = self.migrations / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def definitions(self) -> dg.Definitions:
        return dg.Definitions.merge(*map(build_migration, load_migrations(self.migrations).values()))

    def run(self, job: str, partition: str = "", **options: Any) -> dg.ExecuteInProcessResult:
        """Runs a job of the migration `shop` here; `tags` are Dagster's, the rest are options."""
        tags = options.pop("tags", {}) | ({"dagster/partition": partition} if partition else {})
        return (
            self.definitions()
            .resolve_job_def(f"shop_{job}")
            .execute_in_process(
                instance=self.instance, raise_on_error=False, tags=tags, run_config=run_config(RunOptions(**options))
            )
        )

    def store(self) -> RecordStore:
        return RecordStore.open(os.environ["GRAFTPORT_STORE_URL"])

    def items(self, run_id: str) -> dict[str, RunItem]:
        """`products load` → item."""
        with self.store() as store:
            return {f"{item.resource_type} {item.phase}": item for item in store.runs.items(run_id)}

    def result(self, run_id: str) -> str:
        with self.store() as store:
            run = store.runs.find(run_id)
            assert run is not None
            return str(run.result)

    def state(self, asset: str, partition: str) -> str:
        """What Dagster shows of a partition: MATERIALIZED, FAILED, … or "" for nothing yet."""
        keys = [str(resource_type) for resource_type in ResourceType]
        found = self.instance.get_status_by_partition(
            dg.AssetKey(["shop", asset]), keys, dg.StaticPartitionsDefinition(keys)
        )
        status = (found or {}).get(partition)
        return status.value if status else ""

    def objects(self, kind: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/_simulator/objects", params={"type": kind}, timeout=10)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    def slow_down(self, milliseconds: float) -> None:
        """How long the store takes over each product."""
        rule = {"fault": "slow", "operation": "productSet", "milliseconds": milliseconds}
        body = {"replace": True, "faults": [rule] if milliseconds else []}
        requests.post(f"{self.url}/_simulator/faults", json=body, timeout=10).raise_for_status()


@pytest.fixture
def project(tmp_path: Path, shop_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """One migration `shop`: two collections, three products, one redirect, all good."""
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFTPORT_MIGRATIONS", str(tmp_path / "migrations"))
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GRAFTPORT_STORE_URL", f"sqlite:///{tmp_path / 'state' / 'records.db'}")
    monkeypatch.setenv("SHOP_TOKEN", "shpat_test")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "state").mkdir()
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path, shop_url, instance)
        project.write("shop.yaml", MIGRATION.format(url=shop_url))
        for name, text in MAPPINGS.items():
            project.write(f"mappings/{name}.jsonata", text)
        for name, text in FILES.items():
            project.write(f"{name}.csv", text)
        yield project


@pytest.fixture
def slow_project(project: Project) -> Project:
    """Fifteen products, and a store that takes a while over each."""
    rows = "".join(f"P{number:02},Product {number:02},1.00,\n" for number in range(15))
    project.write("products.csv", f"sku,title,price,collection\n{rows}")
    project.slow_down(400)
    return project

"""A migration from files into a simulated store, run without Dagster."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster import pipeline
from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Destination, FileSpec, Migration
from graftport_dagster.records import JsonObject, ResourceType, Run, RunItem, RunOptions
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import RecordStore

SHARED = Path(__file__).parents[2] / ".." / "shared"
SAMPLE = SHARED / "data/magento2-sample-data/app/code/Magento/ConfigurableSampleData/fixtures/products.csv"
DEMO = Path(__file__).parents[2] / "data/demo/products.csv"


@dataclass
class Ran:
    """One run: its items by `<resource type> <phase>`, and what stopped a type."""

    run: Run
    items: dict[str, RunItem]
    raised: dict[str, GraftportError]

    def counts(self, item: str) -> dict[str, int]:
        """Those that are not zero."""
        return {name: number for name, number in self.items[item].counts.items() if number}


# What the native product export has; other types need files of their own.
EXPORTED = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS)


@dataclass
class Shop:
    """A source folder, a migration and the store that it goes to."""

    folder: Path
    migration: Migration
    store: RecordStore
    url: str
    runs: int = 0

    @property
    def export(self) -> Path:
        return self.folder / "products.csv"

    def run(self, **options: Any) -> Ran:
        """All types in order, as the job does it."""
        self.runs += 1
        asked = RunOptions(**options)
        items, raised = {}, {}
        run_id = f"run-{self.runs}"
        with pipeline.open_work(self.migration, asked, run_id=run_id, store=self.store) as work:
            for resource_type in asked.resource_types or EXPORTED:
                try:
                    for phase in asked.phases:
                        item = pipeline.run_phase(work, phase, resource_type)
                        items[f"{resource_type} {phase}"] = item
                except GraftportError as error:
                    raised[str(resource_type)] = error
        return Ran(pipeline.finish_run(self.store, run_id), items, raised)

    def objects(self, kind: str) -> list[JsonObject]:
        found: list[JsonObject] = requests.get(f"{self.url}/_simulator/objects?type={kind}", timeout=30).json()
        return found

    def writes(self) -> int:
        answer = requests.get(f"{self.url}/_simulator/requests?after=0", timeout=30).json()
        asked = answer["requests"] if isinstance(answer, dict) else answer
        return sum(1 for request in asked if request["writes"])

    def replace(self, old: str, new: str, *, times: int = 1) -> None:
        """Edits the export."""
        text = self.export.read_bytes()
        assert old.encode() in text
        self.export.write_bytes(text.replace(old.encode(), new.encode(), times))

    def incomplete(self) -> list[JsonObject]:
        return self.store.incomplete.open(self.migration.slug)


def _shop(export: Path, folder: Path, url: str) -> Iterator[Shop]:
    requests.post(f"{url}/_simulator/reset", timeout=10).raise_for_status()
    shutil.copyfile(export, folder / "products.csv")
    source = FilesSettings(platform="magento", magento_export=FileSpec(path="products.csv"))
    migration = Migration(
        slug="shop", folder=folder, source=source, settings={"weight_unit": "lb"},
        destination=Destination(shop=url, access_token="env:SIMULATOR_TOKEN"),
    )  # fmt: skip
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        yield Shop(folder, migration, store, url)


@pytest.fixture
def shop(simulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The demo's export, which is written for this project."""
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    yield from _shop(DEMO, tmp_path, simulator_url)


@pytest.fixture
def sample(simulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Magento's own sample shop, where it lies beside the project."""
    if not SAMPLE.is_file():
        pytest.skip("Magento's sample shop is not beside the project (../shared)")
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    yield from _shop(SAMPLE, tmp_path, simulator_url)

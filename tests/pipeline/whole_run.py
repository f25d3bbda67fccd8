"""A run in a process of its own: a shop of two files into a store, told line by line and at last whole."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graftport_dagster import pipeline
from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Destination, FileSpec, Migration
from graftport_dagster.records import Phase, ResourceType, RunOptions, broken_equations
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store import database
from graftport_dagster.store.record_store import RecordStore

# Shorter than the minute of a real store: what is not found yet must not be given up.
VERIFY_AFTER_SECONDS = 0.2
MAPPINGS = {
    "products": """{"input": {"title": title, "handle": sku,
      "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
      "variants": [{"price": price, "optionValues": [{"optionName": "Title", "name": "Default Title"}]}]}}""",
    "redirects": '{"input": {"path": path, "target": target}}',
}


def write_shop(folder: Path, *, products: int, redirects: int) -> None:
    """The files of the source, and their mappings."""
    (folder / "mappings").mkdir(parents=True, exist_ok=True)
    for name, text in MAPPINGS.items():
        (folder / "mappings" / f"{name}.jsonata").write_text(text, encoding="utf-8")
    rows = "".join(f"p{number:05},Product {number},1.00\n" for number in range(products))
    (folder / "products.csv").write_text(f"sku,title,price\n{rows}", encoding="utf-8")
    rows = "".join(f"/old-{number:05},/new-{number}\n" for number in range(redirects))
    (folder / "redirects.csv").write_text(f"path,target\n{rows}", encoding="utf-8")


def migration(folder: Path, url: str) -> Migration:
    """The shop in this folder into the store at this address."""
    files = {
        ResourceType.PRODUCTS: FileSpec(path="products.csv", id_column="sku"),
        ResourceType.REDIRECTS: FileSpec(path="redirects.csv", id_column="path"),
    }
    return Migration(
        slug="shop", folder=folder, resource_types=list(files), source=FilesSettings(files=files),
        destination=Destination(
            shop=url, access_token="env:SIMULATOR_TOKEN", verify_after_seconds=VERIFY_AFTER_SECONDS, concurrency=2
        ),
    )  # fmt: skip


def run(
    folder: Path, store_url: str, url: str, run_id: str, phases: str, types: str,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """All phases of all types in order, as the job does it; what the items say, and what was raised."""
    asked = RunOptions(
        phases=tuple(map(Phase, phases.split(","))), resource_types=tuple(map(ResourceType, types.split(",")))
    )
    raised: dict[str, Any] = {}
    with RecordStore.open(store_url) as store:
        with pipeline.open_work(
            migration(folder, url), asked, run_id=run_id, store=store, progress=say or (lambda _: None)
        ) as work:
            for resource_type in asked.resource_types:
                try:
                    for phase in asked.phases:
                        pipeline.run_phase(work, phase, resource_type)
                except GraftportError as error:
                    raised[str(resource_type)] = [str(error.error_class), error.code, str(error)]
        result = str(pipeline.finish_run(store, run_id).result)
        items = store.runs.items(run_id)
        for item in items:
            assert broken_equations(item.phase, item.counts) == [], item
        told = {
            f"{item.resource_type} {item.phase}": {
                "result": str(item.result), "error_class": str(item.error_class or ""), "first_error": item.first_error,
                "counts": {name: number for name, number in item.counts.items() if number},
            }
            for item in items
        }  # fmt: skip
    return {"result": result, "items": told, "raised": raised}


class Running:
    """Such a process under way; `lines` is what it has said so far."""

    def __init__(
        self, folder: Path, store_url: str, url: str, run_id: str, phases: str, types: str, *, patience: float = 0.0
    ) -> None:
        # Forked from a process that has imported everything, which else takes longer than the run.
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload([__name__])
        self._ear, mouth = forks.Pipe(duplex=False)
        set_here = {name: os.environ[name] for name in ("SIMULATOR_TOKEN", "GRAFTPORT_STATE")}
        words = [folder, store_url, url, run_id, phases, types]
        self.process = forks.Process(target=_work, args=(mouth, set_here, words, patience))
        self.process.start()
        mouth.close()
        self.lines: list[str] = []
        self._told: Any = None
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError):
            while True:
                said = self._ear.recv()
                if isinstance(said, str):
                    self.lines.append(said)
                else:
                    self._told = said

    def signal(self, number: signal.Signals) -> None:
        """Sends it to the process."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def ended(self) -> Any:
        """What it said at its end."""
        self.process.join(timeout=180)
        assert self.process.exitcode == 0, self.lines
        self._listener.join()
        return self._told


def _work(mouth: Any, environment: dict[str, str], words: list[Any], patience: float) -> None:
    os.environ.update(environment)
    # A database that stays away is given up after two minutes, which no test waits for.
    database.AWAY_SECONDS = patience or database.AWAY_SECONDS
    folder, store_url, url, run_id, phases, types = words
    try:
        mouth.send(run(folder, store_url, url, run_id, phases, types, mouth.send))
    except GraftportError as error:
        mouth.send({"lost": [str(error.error_class), error.code, str(error)]})

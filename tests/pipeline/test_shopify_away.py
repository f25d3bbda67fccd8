"""Shopify goes away in the middle of a load, as a server that is killed and comes back with what it had."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import ResourceType, Result
from tests.pipeline.whole_run import VERIFY_AFTER_SECONDS, migration, write_shop

ROOT = Path(__file__).parents[2]
ALL, AWAY_AFTER = 30, 8
PRODUCTS = ResourceType.PRODUCTS


class Store:
    """A simulated store in a process of its own, which is killed and started again at the same address."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.port = 0
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "graftport_dagster.simulator", "--port", str(self.port), "--state",
             str(self._state), "--plan", "plus", "--latency-ms", "60"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def handles(self) -> list[str]:
        found = requests.get(f"{self.url}/_simulator/objects?type=Product", timeout=30).json()
        return sorted(one["handle"] for one in found)

    def sent(self) -> int:
        """Calls for products that it took."""
        answer = requests.get(f"{self.url}/_simulator/requests?after=0", timeout=30).json()
        return sum(request["operation"] == "productSet" for request in answer)

    def kill_once_it_has(self, number: int) -> None:
        while len(self.handles()) < number:
            time.sleep(0.02)
        self.kill()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "shop.sqlite")
    yield made
    made.kill()


def test_a_store_that_goes_away_leaves_the_rest_pending_and_the_next_run_sends_exactly_that(
    shop: Any, store: Store
) -> None:
    write_shop(shop.folder, products=ALL, redirects=1)
    made = migration(shop.folder, store.url)
    soon = made.model_copy(update={"destination": made.destination.model_copy(update={"patience_seconds": 0.5})})
    there = replace(shop, migration=soon, url=store.url)
    killer = threading.Thread(target=store.kill_once_it_has, args=(AWAY_AFTER,))
    killer.start()
    first = there.run(resource_types=(PRODUCTS,))
    killer.join()
    counts = first.items["products load"].counts
    assert counts["created"] >= AWAY_AFTER
    refused = [row for row in there.incomplete() if row["error_class"] == ErrorClass.CONNECTION]
    assert 0 < len(refused) == counts["errored"]
    assert {row["code"] for row in refused} == {"CONNECTION_REFUSED"}
    assert all(row["hint"] for row in refused)
    assert sum(counts[name] for name in ("created", "unknown", "errored")) == ALL

    store.start()
    landed = len(store.handles())
    assert counts["created"] <= landed <= counts["created"] + counts["unknown"]
    before = store.sent()
    time.sleep(VERIFY_AFTER_SECONDS)
    assert there.run(resource_types=(PRODUCTS,)).run.result is Result.SUCCEEDED
    assert store.sent() - before == ALL - landed
    assert there.incomplete() == []
    assert store.handles() == [f"p{number:05}" for number in range(ALL)]
    assert there.run(resource_types=(PRODUCTS,)).run.result is Result.UNCHANGED

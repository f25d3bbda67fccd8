"""Records of many steps, killed anywhere while they load: each piece of them is there once in the end."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.records import Outcome, ResourceType
from graftport_dagster.store.record_store import RecordStore
from tests.loaders.conftest import product
from tests.loaders.loading_process import world_of
from tests.loaders.test_content import article, page
from tests.loaders.test_customers import customer
from tests.loaders.test_discounts import basic, bxgy
from tests.loaders.test_gift_cards import card
from tests.loaders.test_markets import market, price, variant
from tests.loaders.test_orders import order

ROOT = Path(__file__).parents[2]
POINTS = 3
MOST_RUNS = 8


@contextmanager
def lagging(state: Path, words: str) -> Iterator[str]:
    """A simulator whose search lags."""
    command = [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--plan", "unlimited"]
    process = subprocess.Popen([*command, "--state", str(state), *words.split()], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def slow_search_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulator with some latency, whose search lags a little."""
    words = "--latency-ms 10 --search-lag-seconds 0.5 --processing-seconds 0.2"
    with lagging(tmp_path_factory.mktemp("lagging") / "state.db", words) as url:
        yield url


def stage(folder: Path, url: str) -> None:
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        world = world_of(url, folder, store)
        bag = product("Bag")
        world.stage(ResourceType.PRODUCTS, {"0": {**bag, "parts": {"variant": ["0-S", "0-M"]}}})
        world.stage(ResourceType.CUSTOMERS, {str(number): customer(number) for number in range(4)})
        world.stage(ResourceType.ORDERS, {str(number): order(str(number)) for number in range(6)})
        world.stage(ResourceType.DISCOUNT_CODES, {
            "1": basic("TEN", codes=[f"TEN{number}" for number in range(300)]), "2": bxgy(), "3": basic("FIVE"),
        })  # fmt: skip
        world.stage(ResourceType.GIFT_CARDS, {
            str(number): card(f"giftcode{number:04}", spent="20.00", off=number == 3) for number in range(6)
        })  # fmt: skip
        world.stage(ResourceType.BLOGS, {"1": article(), "2": article("again", blog="tips"), "3": page()})
        prices = [price(variant(0, size), "9.00") for size in ("S", "M")]
        world.stage(ResourceType.MARKETS, {"1": market(prices=prices), "2": market("France", "FR")})


def there(url: str) -> dict[str, Any]:
    """What is in the store, by what names it."""
    kinds = ("DiscountCodeNode", "DiscountRedeemCode", "GiftCard", "Blog", "Article", "Page", "Market", "PriceList",
             "MarketCatalog", "MarketWebPresence", "_FixedPrice", "Customer", "Order")  # fmt: skip
    found = {kind: requests.get(f"{url}/_simulator/objects?type={kind}", timeout=30).json() for kind in kinds}
    return {
        "counts": {kind: len(items) for kind, items in found.items()},
        "codes": len({one["code"] for one in found["DiscountRedeemCode"]}),
        "cards": sorted(
            (one["code"], one["balance"]["amount"], len(one["transactions"]), bool(one["deactivatedAt"]))
            for one in found["GiftCard"]
        ),
        "customers": sorted(
            (one["email"], len(one["addresses"]), len(one["metafields"]), one["emailMarketingConsent"] is not None,
             one["smsMarketingConsent"] is not None)
            for one in found["Customer"]
        ),
        "orders": sorted(
            (one["name"], len(one["fulfillments"]), len(one["refunds"]), len(one["transactions"]))
            for one in found["Order"]
        ),
        "markets": sorted((one["name"], len(one["catalogs"]), len(one["webPresences"])) for one in found["Market"]),
    }  # fmt: skip


def start(url: str, folder: Path, number: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.loaders.loading_process", url, str(folder), str(number)]
    return subprocess.Popen(command, cwd=ROOT)


def writes(url: str) -> int:
    asked = requests.get(f"{url}/_simulator/requests?after=0", timeout=30).json()
    return sum(1 for one in asked if one["writes"])


@pytest.mark.slow
def test_killed_at_any_moment_every_piece_is_there_once(slow_search_url: str, tmp_path: Path) -> None:
    calm = _calm(slow_search_url, tmp_path / "calm")
    assert calm["counts"]["DiscountRedeemCode"] == calm["codes"] == 303
    for point in range(POINTS):
        folder = tmp_path / str(point)
        folder.mkdir()
        requests.post(f"{slow_search_url}/_simulator/reset", timeout=10).raise_for_status()
        stage(folder, slow_search_url)
        process = start(slow_search_url, folder, 1)
        goal = random.Random(point).randrange(1, calm["writes"])
        while process.poll() is None and writes(slow_search_url) < goal:
            time.sleep(0.003)
        process.kill()
        process.wait()
        for run in range(2, MOST_RUNS):
            assert start(slow_search_url, folder, run).wait(timeout=60) == 0
            found = there(slow_search_url)
            if found == calm["shop"]:
                break
            time.sleep(0.6)
        assert found == calm["shop"], f"point {point}: killed after {goal} writes"
        before = writes(slow_search_url)
        assert start(slow_search_url, folder, MOST_RUNS).wait(timeout=60) == 0
        assert writes(slow_search_url) == before, f"point {point}: a run more sent something"


def _calm(url: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    requests.post(f"{url}/_simulator/reset", timeout=10).raise_for_status()
    stage(folder, url)
    assert start(url, folder, 1).wait(timeout=120) == 0
    shop = there(url)
    return {"shop": shop, "writes": writes(url), "counts": shop["counts"], "codes": shop["codes"]}


def test_a_card_that_search_does_not_know_yet_is_waited_for(tmp_path: Path) -> None:
    lag = 8  # longer than a busy machine takes over the second load
    with (
        lagging(tmp_path / "state.db", f"--search-lag-seconds {lag}") as url,
        RecordStore.open(f"sqlite:///{tmp_path}/records.db") as store,
    ):
        world = world_of(url, tmp_path, store)
        world.fault("hangup_after_commit", "giftCardCreate")
        world.stage(ResourceType.GIFT_CARDS, {"1": card(spent="20.00")})
        assert world.load(ResourceType.GIFT_CARDS).outcomes[Outcome.UNKNOWN] == 1
        assert world.load(ResourceType.GIFT_CARDS).outcomes[Outcome.CREATED] == 0
        time.sleep(lag)
        assert world.load(ResourceType.GIFT_CARDS).outcomes[Outcome.CREATED] == 1
        assert [one["balance"]["amount"] for one in world.objects("GiftCard")] == ["30.00"]

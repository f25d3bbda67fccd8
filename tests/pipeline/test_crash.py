"""Killed anywhere, or left without answers: the runs after it end with everything there, once.

The seed of each point is its number; `pytest -s` prints what was met.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster import pipeline
from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Destination, Migration, read_migration
from graftport_dagster.records import Phase, ResourceType, RunItem, RunOptions, broken_equations
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection

FOLDER = Path(__file__).parent
DEMO = FOLDER.parents[1] / "data/demo"
KINDS = (
    "Product", "ProductVariant", "Collection", "UrlRedirect", "Customer", "Order", "DiscountCodeNode", "GiftCard",
    "Blog", "Article", "Market",
)  # fmt: skip
# Shorter than search lags: what is not found yet must not be given up.
VERIFY_AFTER_SECONDS = 0.2
LATENCY_MS = 4
MOST_RUNS = 8


@dataclass
class World:
    """A simulated store with some latency and a slow search, a process that loads into it, and what a calm run made."""

    url: str
    loader: "subprocess.Popen[str]"
    staged: Path
    calm: dict[str, Any]
    calm_requests: int
    calm_seconds: float

    def told(self, path: str) -> Any:
        return requests.get(f"{self.url}/_simulator/{path}", timeout=30).json()

    def asked(self) -> int:
        return int(self.told("")["requests"])

    def fault(self, *rules: dict[str, Any], seed: int = 0) -> None:
        body = {"faults": list(rules), "seed": seed, "replace": True}
        requests.post(f"{self.url}/_simulator/faults", json=body, timeout=10).raise_for_status()

    def reset(self) -> None:
        requests.post(f"{self.url}/_simulator/reset", timeout=10).raise_for_status()

    def shop(self) -> dict[str, Any]:
        """Everything in the store by what names it, without Shopify's ids."""
        found = {kind: self.told(f"objects?type={kind}") for kind in KINDS}
        collections = {one["id"]: one["handle"] for one in found["Collection"]}
        return {
            "counts": {kind: len(items) for kind, items in found.items()},
            "products": {one["handle"]: _product(one, collections) for one in found["Product"]},
            "collections": {one["handle"]: (one["title"], len(one["publications"])) for one in found["Collection"]},
            "redirects": {one["path"]: one["target"] for one in found["UrlRedirect"]},
            "customers": {one["email"]: _customer(one) for one in found["Customer"]},
            "orders": {one["name"]: _order(one) for one in found["Order"]},
            "gift_cards": {one["lastCharacters"]: one["balance"] for one in found["GiftCard"]},
            "discounts": {one["title"]: one["startsAt"] for one in found["DiscountCodeNode"]},
            "articles": {one["handle"]: len(one["metafields"]) for one in found["Article"]},
            "markets": {one["name"]: len(one["webPresences"]) for one in found["Market"]},
        }


def _customer(customer: dict[str, Any]) -> Any:
    return customer["firstName"], customer["tags"], len(customer["addresses"]), len(customer["metafields"])


def _order(order: dict[str, Any]) -> Any:
    parts = [len(order[name]) for name in ("lineItems", "transactions", "fulfillments", "refunds")]
    return order["totalPriceSet"], order["totalRefundedSet"], order["customerId"] is not None, parts


def _product(product: dict[str, Any], collections: dict[str, str]) -> Any:
    variants = [(one["sku"], one["price"], sorted(one["levels"].values())) for one in product["variants"]]
    files = [file["originalSource"] for file in product["files"]]
    members = sorted(collections[gid] for gid in product["collections"])
    return product["title"], product["status"], len(product["publications"]), variants, files, members


def _migration(folder: Path, url: str, *, by_bulk: bool = False) -> Migration:
    """The demo's shop with all that it has, for a store that decides soon."""
    destination = Destination(
        shop=url, access_token="env:SIMULATOR_TOKEN", verify_after_seconds=VERIFY_AFTER_SECONDS, timeout_seconds=5
    )
    demo = read_migration(DEMO / "demo.yaml")
    options = demo.options.model_copy(update={"bulk_threshold": int(by_bulk)})
    own = {"slug": "shop", "folder": folder, "destination": destination, "resource_types": list(pipeline.loadable())}
    return demo.model_copy(update=own | {"options": options})


def _run(
    folder: Path, url: str, run_id: str, phases: tuple[Phase, ...] = tuple(Phase), *, by_bulk: bool = False
) -> list[RunItem]:
    """All types in order, as the job does it."""
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        options = RunOptions(phases=phases)
        migration = _migration(folder, url, by_bulk=by_bulk)
        with pipeline.open_work(migration, options, run_id=run_id, store=store) as work:
            for resource_type in pipeline.loadable():
                try:
                    for phase in phases:
                        pipeline.run_phase(work, phase, resource_type)
                except GraftportError:
                    continue
        items = list(store.runs.items(run_id))
        for item in items:
            assert broken_equations(item.phase, item.counts) == [], item
        pipeline.finish_run(store, run_id)
    return items


def serve_kills() -> None:
    """Forks a process per line `folder url phases by-bulk` of standard input: says its pid, then how it ended."""
    for line in sys.stdin:
        folder, url, phases, by_bulk = line.split()
        if (pid := os.fork()) == 0:
            _run(Path(folder), url, "killed", tuple(map(Phase, phases.split(","))), by_bulk=by_bulk == "True")
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _settles(
    folder: Path, world: World, phases: tuple[Phase, ...] = tuple(Phase), *, by_bulk: bool = False
) -> list[dict[str, int]]:
    """Runs until one finds nothing to do; the outcomes of each load."""
    told = []
    for number in range(MOST_RUNS):
        items = _run(folder, world.url, f"after-{number}", phases, by_bulk=by_bulk)
        counts: Counter[str] = Counter()
        for item in items:
            if item.phase == "load":
                counts.update({name: count for name, count in item.counts.items() if count})
        told.append(dict(counts))
        if items and counts["unchanged"] == counts["in_scope"]:
            return told
        time.sleep(VERIFY_AFTER_SECONDS / 2)
    pytest.fail(f"not settled after {MOST_RUNS} runs: {told}")


def _check(folder: Path, world: World) -> None:
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        assert store.incomplete.open("shop") == []
    assert world.shop() == world.calm


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("crash")
    os.environ["SIMULATOR_TOKEN"] = "anything"
    os.environ["GRAFTPORT_STATE"] = str(folder / "state")
    simulator = subprocess.Popen(
        [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(folder / "shop.db"),
         "--plan", "unlimited", "--latency-ms", str(LATENCY_MS), "--search-lag-seconds", "0.3"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    loader = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert simulator.stdout is not None
    made = World(simulator.stdout.readline().strip(), loader, folder / "staged", {}, 0, 0.0)
    try:
        _prepare(made)
        yield made
    finally:
        for process in (loader, simulator):
            process.kill()
            process.communicate()


def _prepare(world: World) -> None:
    """What is read and mapped once for all points, and the shop that a calm run makes."""
    calm = world.staged.parent / "calm"
    for folder in (world.staged, calm):
        shutil.copytree(DEMO, folder)
    before = world.asked()
    _run(calm, world.url, "calm")
    world.calm_requests = world.asked() - before
    world.calm = world.shop()
    assert all(world.calm["counts"].values())
    _run(world.staged, world.url, "staged", (Phase.EXTRACT, Phase.TRANSFORM))


def _killed(world: World, folder: Path, seed: int) -> str:
    """A load that dies just after so many calls were answered, or a moment later; says what it left behind."""
    chance = random.Random(seed)
    world.reset()
    shutil.copytree(world.staged, folder)
    begun = world.asked()
    calls = chance.randint(1, world.calm_requests - 1)
    moment = chance.choice((0.0, 0.0, chance.uniform(0, 0.03)))
    pid = _start(world, folder, "load")
    deadline = time.monotonic() + 30
    while world.asked() - begun < calls and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(moment)
    return f"seed {seed}: killed after {calls} calls and {moment * 1000:.0f} ms, status {_kill(world, pid)}"


def _killed_anywhere(world: World, folder: Path, seed: int) -> str:
    """A whole run that dies at any moment, be it reading, mapping or loading."""
    moment = random.Random(seed).uniform(0, _calm_seconds(world, folder.with_name("calm")))
    pid = _start_anew(world, folder)
    time.sleep(moment)
    return f"seed {seed}: killed after {moment:.3f} s of {world.calm_seconds:.1f}, status {_kill(world, pid)}"


def _calm_seconds(world: World, folder: Path) -> float:
    """How long such a run takes where nobody kills it."""
    if not world.calm_seconds:
        begun = time.monotonic()
        _start_anew(world, folder)
        assert world.loader.stdout is not None
        world.loader.stdout.readline()
        world.calm_seconds = time.monotonic() - begun
    return world.calm_seconds


def _start_anew(world: World, folder: Path) -> int:
    world.reset()
    shutil.copytree(DEMO, folder)
    return _start(world, folder, "extract,transform,load")


def _start(world: World, folder: Path, phases: str, *, by_bulk: bool = False) -> int:
    assert world.loader.stdin is not None
    assert world.loader.stdout is not None
    world.loader.stdin.write(f"{folder} {world.url} {phases} {by_bulk}\n")
    world.loader.stdin.flush()
    return int(world.loader.stdout.readline())


def _kill(world: World, pid: int) -> int:
    assert world.loader.stdout is not None
    with contextlib.suppress(ProcessLookupError):  # it had ended
        os.kill(pid, signal.SIGKILL)
    return int(world.loader.stdout.readline())


def _left_open(world: World, folder: Path) -> tuple[int, int]:
    """Steps without an outcome, and objects in the store that the record store does not know."""
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        open_steps = unknown = 0
        for resource_type, kind in (
            ("collections", "Collection"), ("products", "Product"), ("redirects", "UrlRedirect"),
            ("customers", "Customer"), ("orders", "Order"), ("gift_cards", "GiftCard"),
        ):  # fmt: skip
            gid = world.told("")["shop"]
            open_steps += len(store.loads.open_steps("shop", gid, ResourceType(resource_type)))
            known = store.loads.scope(Dataset("shop"), gid, ResourceType(resource_type), Selection())["landed"]
            unknown += max(0, len(world.told(f"objects?type={kind}")) - known)
    return open_steps, unknown


def _survives(world: World, folder: Path, seed: int) -> tuple[int, int]:
    said = _killed(world, folder, seed)
    left = _left_open(world, folder)
    # What was read and mapped is whole: only the load is left to be done.
    runs = _settles(folder, world, (Phase.LOAD,))
    sys.stdout.write(f"{said}; {left[0]} steps open, {left[1]} objects not settled; then {len(runs)} runs\n")
    _check(folder, world)
    return left


def test_a_killed_load_is_finished_by_plain_runs_with_nothing_twice(world: World, tmp_path: Path) -> None:
    left = [_survives(world, tmp_path / f"point-{seed}", seed) for seed in range(8)]
    assert sum(open_steps for open_steps, _ in left) > 0, "no kill fell between an intent and its answer"


def _killed_with_bulk(world: World, folder: Path, seed: int) -> tuple[str, int]:
    """A load by bulk operations that dies at any moment of its products or customers; how many are left open."""
    chance = random.Random(seed)
    world.reset()
    shutil.copytree(world.staged, folder)
    slow = {"fault": "bulk_slow", "milliseconds": chance.choice((1, 10))}
    lost = {"fault": chance.choice(("hangup_after_commit", "commit_after_hangup")), "times": chance.randint(0, 2),
            "operation": "bulkOperationRunMutation", "seconds": 0.1}  # fmt: skip
    world.fault({"operation": "productSet", **slow}, {"operation": "customerSet", **slow}, lost, seed=seed)
    kind, operation = chance.choice((("products", "productSet"), ("customers", "customerSet")))
    begun = world.asked()
    # From the first upload of the type on, any number of calls and a moment: before, while and after it runs.
    calls, moment = chance.randint(0, 6), chance.uniform(0, 0.3)
    pid = _start(world, folder, "load", by_bulk=True)
    deadline = time.monotonic() + 60
    while not _is_about(world, begun, operation) and time.monotonic() < deadline:
        time.sleep(0.005)
    reached = world.asked()
    while world.asked() - reached < calls and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(moment)
    status = _kill(world, pid)
    world.fault()
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        left = sum(
            len(store.loads.open_bulks("shop", world.told("")["shop"], ResourceType(one)))
            for one in ("products", "customers")
        )
    return f"seed {seed}: killed in {kind} after {calls} calls and {moment * 1000:.0f} ms, status {status}", left


def _is_about(world: World, begun: int, operation: str) -> bool:
    """Whether a file for this mutation is being asked a place for, or more has happened."""
    asked = world.told(f"requests?after={begun}")
    uploads = [one for one in asked if one["operation"] == "stagedUploadsCreate"]
    return len(uploads) >= (1 if operation == "productSet" else 2)


def _survives_with_bulk(world: World, folder: Path, seed: int) -> int:
    said, left = _killed_with_bulk(world, folder, seed)
    runs = _settles(folder, world, (Phase.LOAD,), by_bulk=seed % 3 > 0)
    sys.stdout.write(f"{said}; {left} bulk operations open; then {len(runs)} runs\n")
    _check(folder, world)
    return left


def test_a_load_killed_with_bulk_operations_under_way_is_finished_by_plain_runs(world: World, tmp_path: Path) -> None:
    left = [_survives_with_bulk(world, tmp_path / f"bulk-{seed}", seed) for seed in range(3)]
    assert sum(left) > 0, "no kill fell between a bulk operation and its results"


@pytest.mark.slow
def test_loads_killed_with_bulk_operations_at_many_points_are_finished(world: World, tmp_path: Path) -> None:
    left = 0
    for seed in range(2000, 2000 + int(os.environ.get("GRAFTPORT_KILL_BULKS", "40"))):
        left += _survives_with_bulk(world, tmp_path / "bulk", seed)
        shutil.rmtree(tmp_path / "bulk")
    assert left > 0, "no kill fell between a bulk operation and its results"


def test_a_run_killed_at_any_moment_is_finished_by_plain_runs_with_nothing_twice(world: World, tmp_path: Path) -> None:
    for seed in range(500, 500 + int(os.environ.get("GRAFTPORT_KILL_MOMENTS", "3"))):
        folder = tmp_path / f"moment-{seed}"
        said = _killed_anywhere(world, folder, seed)
        runs = _settles(folder, world)
        sys.stdout.write(f"{said}; then {len(runs)} runs\n")
        _check(folder, world)


@pytest.mark.slow
@pytest.mark.parametrize("quarter", range(4))
def test_loads_killed_at_many_points_are_finished_by_plain_runs(world: World, tmp_path: Path, quarter: int) -> None:
    between, points = 0, int(os.environ.get("GRAFTPORT_KILL_POINTS", "100"))
    for seed in range(1000 + quarter, 1000 + points, 4):
        open_steps, unknown = _survives(world, tmp_path / "point", seed)
        between += bool(open_steps and unknown)
        shutil.rmtree(tmp_path / "point")
    assert between > 0, "no kill fell between Shopify's commit and ours"


LOST = ("hangup_after_commit", "commit_after_hangup", "truncated_json", "http_502_after_commit", "reset_after_commit")


@pytest.mark.parametrize("share", [pytest.param(0.05, marks=pytest.mark.slow), 0.2])
@pytest.mark.parametrize("fault", LOST)
def test_lost_answers_double_nothing(world: World, tmp_path: Path, fault: str, share: float) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(world.staged, folder)
    world.reset()
    world.fault({"fault": fault, "probability": share, "seconds": 0.3, "only_writes": True}, seed=len(fault))
    _run(folder, world.url, "faulty")
    time.sleep(VERIFY_AFTER_SECONDS)
    world.fault()
    runs = _settles(folder, world)
    sys.stdout.write(f"{fault} at {share:.0%}: {len(runs)} runs after it\n")
    _check(folder, world)
    assert len(runs) <= 3


if __name__ == "__main__":
    serve_kills()

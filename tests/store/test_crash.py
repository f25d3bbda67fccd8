"""A writer that is killed between any two statements leaves whole batches behind, and nothing else."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from graftport_dagster.records import ResourceType, Run, RunOptions
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection

PRODUCTS = ResourceType.PRODUCTS
SHOP = "gid://shopify/Shop/1"
BATCH = 20
WRITER = """
import os, sys
from graftport_dagster.records import Identity, Outcome, RecordKey, ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.store.record_store import Dataset, Intent, RecordStore, Settlement, StagedResult

PRODUCTS, SHOP, SIZE = ResourceType.PRODUCTS, "gid://shopify/Shop/1", 20
with RecordStore.open(sys.argv[1]) as store:
    run = store.runs.start(Run(sys.argv[2], "acme", RunOptions(), host="here", pid=os.getpid()))
    lease = store.loads.acquire("acme", SHOP, PRODUCTS, run)
    version = store.mappings.publish("files", PRODUCTS, "{}", by="test")
    real = Dataset("acme")
    begin = store.source_records.count(real, PRODUCTS)
    print("ready", flush=True)
    for first in range(begin, 10**6, SIZE):
        names = [f"{number:06}" for number in range(first, first + SIZE)]
        store.source_records.upsert(real, PRODUCTS, run, [SourceRecord(name, {"v": name * 50}) for name in names])
        results = [StagedResult(name, "h", payload={"input": name * 50}, group_hashes={"all": name}) for name in names]
        store.staged_records.stage(real, PRODUCTS, run, version, "s", results)
        store.loads.intend(lease, [Intent(name, "set", name, repeatable=True) for name in names], run)
        store.loads.settle(lease, run, [
            Settlement(name, Outcome.CREATED, name, clean=True, landed_groups={"all": name}, snapshot={"n": name},
                       identities=(Identity(RecordKey("products", name), "gid://" + name),))
            for name in names
        ])
"""
# What one transaction writes together: these tables hold the same records, at any moment.
TOGETHER = (
    ("source_records", "source_history"),
    ("landed_records", "identities", "landed_snapshots"),
)


def kill_while_writing(url: str, run_id: str, delay: float) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, run_id], stdout=subprocess.PIPE, text=True, env=environment
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)


def counts(url: str) -> dict[str, int]:
    engine = create_engine(url)
    tables = (*(name for names in TOGETHER for name in names), "staged_records", "payloads", "record_steps")
    with engine.connect() as connection:
        found = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}
        for phase in ("transform", "load"):
            query = text("SELECT count(*) FROM attempts WHERE phase = :phase")
            found[phase] = connection.execute(query, {"phase": phase}).scalar_one()
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    engine.dispose()
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_leaves_whole_batches(tmp_path: Path, seed: int) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    chance = random.Random(seed)
    for number in range(3):
        kill_while_writing(url, f"run-{seed}-{number}", chance.uniform(0.0, 0.25))
        found = counts(url)

        for names in TOGETHER:
            assert len({found[name] for name in names}) == 1, found
        assert all(count % BATCH == 0 for count in found.values()), found
        assert found["staged_records"] == found["transform"]
        assert found["landed_records"] == found["load"]
        assert found["payloads"] == found["source_records"] + found["staged_records"]
        with RecordStore.open(url) as store:
            run = store.runs.start(Run(f"next-{number}", "acme", RunOptions()))
            assert len(store.loads.open_steps("acme", SHOP, PRODUCTS)) == found["record_steps"]
            scope = store.loads.scope(Dataset("acme"), SHOP, PRODUCTS, Selection())
            assert scope["in_scope"] == found["staged_records"]
            assert run.seq > 0
    assert found["landed_records"] > 0

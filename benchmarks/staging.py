"""Rows per CPU-second from JSONL into the record store, first time and unchanged, and how memory grows.

Beside it, in the same run, the least that could do: parse, canonical hash, one SQLite upsert.
The bars were set where that least took in 34,800 rows first and 50,100 unchanged ones: the ratio is what the machine's
noise cannot change. Run with `python benchmarks/staging.py`; figures count the CPU of each measurement's own process,
user and system, row generation excluded.
"""

import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson

from graftport_dagster.records import ResourceType, Run, RunOptions, SourceRecord, canonical_json, content_hash
from graftport_dagster.store.record_store import Dataset, RecordStore

ROWS = 20_000
MEMORY_ROWS = (10_000, 50_000, 200_000)
BATCH = 1_000
BARS = {"first": 10_000, "unchanged": 15_000}
BARE_AT_BARS = {"first": 34_800, "unchanged": 50_100}
_WORDS = (
    "linen", "wool", "cotton", "silk", "jersey", "denim", "leather", "suede", "canvas", "velvet", "rain", "summer",
    "winter", "slim", "wide", "long",
)  # fmt: skip


def write_rows(path: Path, count: int) -> None:
    """Product rows of 3–4 KB as a shop's export has them, the same for the same count."""
    chance = random.Random(7)
    with path.open("wb") as file:
        for number in range(count):
            file.write(orjson.dumps(_product(number, chance)) + b"\n")


def _product(number: int, chance: random.Random) -> dict[str, object]:
    words = [chance.choice(_WORDS) for _ in range(240)]
    variants = [
        {"sku": f"SKU-{number}-{size}", "size": size, "price": f"{chance.randint(500, 20_000) / 100:.2f}",
         "qty": chance.randint(0, 90), "weight": chance.random(), "barcode": str(chance.randint(10**12, 10**13))}
        for size in ("XS", "S", "M", "L", "XL")
    ]  # fmt: skip
    return {
        "entity_id": number, "sku": f"SKU-{number}", "name": " ".join(words[:5]).title(), "status": 1,
        "description": " ".join(words), "short_description": " ".join(words[:40]), "variants": variants,
        "categories": [chance.randint(2, 400) for _ in range(6)], "url_key": "-".join(words[:4]) + f"-{number}",
        "media": [{"file": f"/{number % 10}/{number}-{n}.jpg", "position": n, "label": words[n]} for n in range(5)],
        "custom_attributes": [{"attribute_code": word, "value": words[n + 10]} for n, word in enumerate(_WORDS)],
    }  # fmt: skip


def lines(path: Path) -> Iterator[list[bytes]]:
    """The file's lines, batch by batch."""
    with path.open("rb") as file:
        while batch := list(islice(file, BATCH)):
            yield batch


def stage(rows: Path, folder: Path) -> None:
    """Our own: twice over the same file. The first argument's rows, a store in the second."""
    dataset = Dataset("benchmark")
    with RecordStore.open(f"sqlite:///{folder / 'store.db'}") as store:
        for name in ("first", "unchanged"):
            run = store.runs.start(Run(f"run-{name}", "benchmark", RunOptions()))
            began, count = time.process_time(), 0
            for batch in lines(rows):
                payloads = [orjson.loads(line) for line in batch]
                records = [SourceRecord(str(payload["entity_id"]), payload) for payload in payloads]
                result = store.source_records.upsert(dataset, ResourceType.PRODUCTS, run, records)
                count += result.new if name == "first" else result.unchanged
            _report(name, count, time.process_time() - began)


def bare(rows: Path, folder: Path) -> None:
    """The least that could do the same work: no history, no versions, one table."""
    with sqlite3.connect(folder / "bare.db", isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, hash TEXT, body TEXT)")
        for name in ("first", "unchanged"):
            began, count = time.process_time(), 0
            for batch in lines(rows):
                values = []
                for line in batch:
                    payload = orjson.loads(line)
                    values.append((str(payload["entity_id"]), content_hash(canonical_json(payload)), line.decode()))
                database.execute("BEGIN IMMEDIATE")
                database.executemany(
                    "INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, "
                    "body = excluded.body WHERE hash <> excluded.hash",
                    values,
                )
                database.execute("COMMIT")
                count += len(values)
            _report(name, count, time.process_time() - began)
    database.close()


def _report(name: str, count: int, cpu_seconds: float) -> None:
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"name": name, "rows": count, "cpu_seconds": cpu_seconds, "peak_kb": peak_kb}))


def measure(kind: str, rows: Path) -> dict[str, dict[str, float]]:
    """One measurement in a process of its own, so that peak memory is its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, kind, str(rows), folder]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line["name"]: line for line in map(json.loads, printed.splitlines())}


def main() -> None:
    """Prints the figures and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        write_rows(rows, ROWS)
        print(f"{ROWS:,} rows of {rows.stat().st_size / ROWS:,.0f} bytes")
        ours, least = measure("stage", rows), measure("bare", rows)
        for name in ("first", "unchanged"):
            speed, most = (found[name]["rows"] / found[name]["cpu_seconds"] for found in (ours, least))
            bar = f"bar {BARS[name]:,}, which is {BARS[name] / BARE_AT_BARS[name]:.2f}"
            print(f"{name:>10}: {speed:,.0f} rows per CPU-second; bare {most:,.0f}; ratio {speed / most:.2f} ({bar})")
        peaks: dict[int, float] = {}
        for count in MEMORY_ROWS:
            write_rows(rows, count)
            peaks[count] = measure("stage", rows)["unchanged"]["peak_kb"]
            ratio = peaks[count] / peaks[MEMORY_ROWS[0]]
            print(f"{count:>10,} rows: peak {peaks[count] / 1024:6.1f} MB; ratio {ratio:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"stage": stage, "bare": bare}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()

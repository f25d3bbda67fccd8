"""A lying network: what one run makes of it, beside the calm run, and what a second one has to mend.

    python -m benchmarks.network [--records 1000] [--seed 1]

Products (an upsert by our id) and redirects (no id of ours at all) are loaded into the simulator, calm and
then under faults: answers lost after the commit, commits that happen seconds after the hang-up, and 5 % and
20 % of everything a network and a busy Shopify can do. Each begins with an empty shop and an empty record
store. `double` and `lost` compare what the shop holds at the end with the rows of the source. Bars: one run
completes; 0 double, 0 lost; at 5 % at most 1.3 × the calm time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from graftport_dagster import pipeline
from graftport_dagster.migration import read_migration
from graftport_dagster.records import Phase, ResourceType, RunOptions
from graftport_dagster.store.record_store import RecordStore

TYPES = (ResourceType.PRODUCTS, ResourceType.REDIRECTS)
# A real `productSet` takes some hundred.
LATENCY_MS = 150
VERIFY_AFTER_SECONDS = 3.0
MOST_RUNS = 10

_REFUSED = ("http_429", "throttled", "http_500", "http_502", "http_503", "html_error", "internal_error")
_BROKEN = ("reset_before_commit", "hangup_before_commit", "reset_after_commit", "hangup_after_commit")
_CROOKED = ("truncated_json", "html_error_after_commit", "wrong_content_type", "http_502_after_commit")
MIXED = (*_REFUSED, *_BROKEN, *_CROOKED)

PRODUCT = """{ "input": {
  "title": title, "handle": $handle(title), "status": "ACTIVE",
  "productOptions": [{ "name": "Size", "values": [sizes.{ "name": $ }] }],
  "variants": [sizes.{
    "optionValues": [{ "optionName": "Size", "name": $ }], "sku": $$.id & "-" & $, "price": $$.price
  }]
} }"""
REDIRECT = """{ "input": { "path": path, "target": $ref("products", product) } }"""
SETTINGS = """
source:
  type: files
  platform: bench
  files:
    products: {{path: products.jsonl, id_column: id}}
    redirects: {{path: redirects.jsonl, id_column: path}}
resource_types: [products, redirects]
destination: {{shop: "{url}", access_token: "env:BENCH_TOKEN", verify_after_seconds: {verify}, timeout_seconds: 10}}
options: {{bulk_threshold: {bulk}}}
"""


def main() -> None:
    """Prints a table, a line per kind of network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000, help="products, and as many redirects")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.environ["BENCH_TOKEN"] = "bench"
    print(f"{asked.records} products of 3 variants and as many redirects, {LATENCY_MS} ms a call, seed {asked.seed}")
    head = ("network", "one run", "time", "calls", "landed", "unknown", "errored", "runs after", "double", "lost")
    print("{:<38}{:>22}{:>8}{:>8}{:>9}{:>9}{:>9}{:>12}{:>8}{:>6}".format(*head))
    calm: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        os.environ["GRAFTPORT_STATE"] = name
        with simulator(Path(name)) as url:
            for label, faults in _networks():
                figures = _measure(Path(name), url, label, faults, asked.records, asked.seed)
                calm = calm or figures
                print(_line(label, figures, calm))


def _networks() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield "calm", []
    yield "1 % of answers lost after the commit", _rules(("hangup_after_commit", "truncated_json"), 0.01, writes=True)
    yield "1 % commit seconds after the hang-up", _rules(("commit_after_hangup",), 0.01, writes=True)
    yield "5 % of everything", _rules(MIXED, 0.05)
    yield "20 % of everything", _rules(MIXED, 0.20)


def _rules(faults: tuple[str, ...], share: float, *, writes: bool = False) -> list[dict[str, Any]]:
    each = share / len(faults)
    return [
        {"fault": fault, "probability": each, "only_writes": writes, "seconds": 2.0, "retry_after": 0.5}
        for fault in faults
    ]


@contextmanager
def simulator(folder: Path, *, latency_ms: int = LATENCY_MS) -> Iterator[str]:
    """The address of a simulated store, of its own process, that ends with the block."""
    server = subprocess.Popen(
        [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(folder / "shop.db"),
         "--plan", "unlimited", "--latency-ms", str(latency_ms), "--search-lag-seconds", "0.5"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


def write_shop(
    folder: Path, url: str, records: int, verify: float = VERIFY_AFTER_SECONDS, *, bulk_threshold: int = 0
) -> None:
    """The migration file, its rows and its mappings; every record is called unless a threshold is given."""
    (folder / "mappings").mkdir(parents=True)
    (folder / "shop.yaml").write_text(SETTINGS.format(url=url, verify=verify, bulk=bulk_threshold))
    (folder / "mappings" / "products.jsonata").write_text(PRODUCT)
    (folder / "mappings" / "redirects.jsonata").write_text(REDIRECT)
    products = [
        {"id": f"p{n}", "title": f"Product {n}", "price": "12.50", "sizes": ["S", "M", "L"]} for n in range(records)
    ]
    redirects = [{"path": f"/old/{n}.html", "product": f"p{n}"} for n in range(records)]
    for name, rows in (("products", products), ("redirects", redirects)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_once(folder: Path, run_id: str, phases: tuple[Phase, ...] = tuple(Phase)) -> dict[str, Any]:
    """One run over all types as the job does it: the sums of its loads' counts, its calls, seconds and result."""
    counts: Counter[str] = Counter()
    begun = time.perf_counter()
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        migration = read_migration(folder / "shop.yaml")
        with pipeline.open_work(migration, RunOptions(phases=phases), run_id=run_id, store=store) as work:
            for resource_type in migration.resource_types:
                for phase in phases:
                    item = pipeline.run_phase(work, phase, resource_type)
                    if phase is Phase.LOAD:
                        counts.update(item.counts)
                        counts["calls"] += item.api_calls
                        counts[f"{resource_type} calls"] += item.api_calls
                        counts[f"{resource_type} points"] += round(item.api_cost)
        result = pipeline.finish_run(store, run_id).result
    return {**counts, "seconds": time.perf_counter() - begun, "result": str(result)}


def _measure(
    folder: Path, url: str, label: str, faults: list[dict[str, Any]], records: int, seed: int
) -> dict[str, Any]:
    own = folder / label.replace(" ", "-").replace("%", "percent")
    requests.post(f"{url}/_simulator/reset", timeout=30).raise_for_status()
    write_shop(own, url, records)
    run_once(own, "stage", (Phase.EXTRACT, Phase.TRANSFORM))
    _fault(url, faults, seed)
    first = run_once(own, "first", (Phase.LOAD,))
    _fault(url, [], seed)
    after = 0
    while after < MOST_RUNS:
        time.sleep(VERIFY_AFTER_SECONDS)
        again = run_once(own, f"after-{after}", (Phase.LOAD,))
        if again.get("unchanged") == again["in_scope"]:
            break
        after += 1
    return first | {"after": after} | _held(url, records)


def _fault(url: str, faults: list[dict[str, Any]], seed: int) -> None:
    body = {"faults": faults, "seed": seed, "replace": True}
    requests.post(f"{url}/_simulator/faults", json=body, timeout=30).raise_for_status()


def _held(url: str, records: int) -> dict[str, int]:
    """What the shop holds too much of, and what it lacks."""
    titles = Counter(one["title"] for one in _objects(url, "Product"))
    paths = Counter(one["path"] for one in _objects(url, "UrlRedirect"))
    double = sum(titles.values()) - len(titles) + sum(paths.values()) - len(paths)
    return {"double": double, "lost": 2 * records - len(titles) - len(paths)}


def _objects(url: str, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{url}/_simulator/objects?type={kind}", timeout=120).json()
    return found


def _line(label: str, figures: dict[str, Any], calm: dict[str, Any]) -> str:
    landed = figures.get("created", 0) + figures.get("updated", 0)
    return (
        f"{label:<38}{figures['result']:>22}{figures['seconds'] / calm['seconds']:>7.2f}x"
        f"{figures['calls'] / calm['calls']:>7.2f}x{landed:>9}{figures.get('unknown', 0):>9}"
        f"{figures.get('errored', 0):>9}{figures['after']:>12}{figures['double']:>8}{figures['lost']:>6}"
    )


if __name__ == "__main__":
    main()

"""A whole generated shop, every resource type, over HTTP into the simulated store; and once more.

    python -m benchmarks.shop --platform woocommerce [--products 1000] [--customers 2000] [--orders 3000] [--seed 1]

The source is a simulated Magento or WooCommerce of a process of its own, its rows cross-referenced, orders with
refunds and shipments; or a simulated Shopify, into which such a WooCommerce was moved before. Printed per type: what
was read, what landed and how, how long it took; then what the store holds against what landed, object by object and
orders to the cent; then the second run, which must send nothing.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import requests

from graftport_dagster import pipeline
from graftport_dagster.errors import GraftportError
from graftport_dagster.loaders import preflight
from graftport_dagster.migration import Migration, read_migration
from graftport_dagster.records import Phase, ResourceType, RunItem, RunOptions
from graftport_dagster.reports.audit import audit
from graftport_dagster.store.record_store import RecordStore

SOURCES = {
    "woocommerce": 'url: "{url}", consumer_key: "env:BENCH_KEY", consumer_secret: "env:BENCH_SECRET", sign_in: header',
    "magento": (
        'url: "{url}", consumer_key: "env:BENCH_KEY", consumer_secret: "env:BENCH_SECRET", '
        'access_token: "env:BENCH_TOKEN", access_token_secret: "env:BENCH_TOKEN_SECRET"'
    ),
    "shopify": 'shop: "{url}", access_token: "env:BENCH_SHOPIFY"',
}
SECRETS = {
    "BENCH_KEY": "ck_simulated", "BENCH_SECRET": "cs_simulated", "BENCH_TOKEN": "at_simulated",
    "BENCH_TOKEN_SECRET": "ats_simulated", "BENCH_SHOPIFY": "bench",
}  # fmt: skip
# Its keys go over plain http only where a proxy in front of it has ended TLS.
OPTIONS: dict[str, tuple[str, ...]] = {"woocommerce": ("--behind-tls",), "magento": ()}
MIGRATION = """
source: {{type: {platform}, {source}}}
destination: {{shop: "{shop}", access_token: "env:BENCH_SHOPIFY", concurrency: 8}}
locations: {{{locations}}}
settings: {{{settings}}}
options: {{adopt_existing: {adopt}}}
"""
# The simulated Magento has stock in two places; both are sold from the store's one.
LOCATIONS = {"woocommerce": "", "magento": "alps: Shop location", "shopify": ""}
# Of a Shopify shop everything is as it was, and its first market is the new one's first market.
SETTINGS = {"shopify": "keep_publications: true"}


def main() -> None:
    """Prints what became of every type."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", choices=sorted(SOURCES), default="woocommerce")
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--orders", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.environ.update(SECRETS)
    size = [f"--{name}={getattr(asked, name)}" for name in ("products", "customers", "orders", "seed")]
    with tempfile.TemporaryDirectory() as name:
        os.environ["GRAFTPORT_STATE"] = name
        with _source(asked.platform, size, Path(name)) as source, _store(f"{name}/shopify.db") as shop:
            _measure(Path(name), _migration(Path(name) / "shop.yaml", asked.platform, source, shop), shop)


def _store(state: str) -> AbstractContextManager[str]:
    return _serving("graftport_dagster.simulator", "--plan", "unlimited", "--state", state)


@contextmanager
def _source(platform: str, size: list[str], folder: Path) -> Iterator[str]:
    if platform != "shopify":
        with _serving(f"graftport_dagster.simulator.{platform}", *size, *OPTIONS[platform]) as url:
            yield url
        return
    with _store(f"{folder}/old.db") as old:
        with (
            _source("woocommerce", size, folder) as first,
            RecordStore.open(f"sqlite:///{folder}/old_records.db") as it,
        ):
            _run(it, _migration(folder / "old.yaml", "woocommerce", first, old), "before")
        yield old


def _migration(file: Path, platform: str, source: str, shop: str) -> Migration:
    settings = SOURCES[platform].format(url=source)
    file.write_text(
        MIGRATION.format(
            platform=platform, source=settings, shop=shop, locations=LOCATIONS[platform],
            settings=SETTINGS.get(platform, "status: as_source, excluded_countries: [US]"),
            adopt="by_natural_key" if platform == "shopify" else "never",
        )
    )  # fmt: skip
    return read_migration(file)


@contextmanager
def _serving(module: str, *options: str) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0", *options], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


def _measure(folder: Path, migration: Migration, shop: str) -> None:
    with RecordStore.open(f"sqlite:///{folder}/records.db") as store:
        first, cpu = _run(store, migration, "first")
        print("type              extract  transform   load  records: what became of them, calls")
        for kind, items in first.items():
            print(f"{kind:<16}{''.join(f'{_seconds(item):>8.1f}s' for item in items)}  {_told(items)}", flush=True)
        print(f"{sum(_seconds(item) for items in first.values() for item in items):.0f} s, {cpu:.0f} s of our CPU")
        asked = pipeline.connect(migration)
        gid = preflight.ask(asked).gid
        for row in audit(store, asked, migration.slug, gid, _types(migration)):
            money = "; ".join(f"{currency} {of}" for currency, of in row.get("sums", {}).items())
            print(f"{row['resource_type']:<16}{row['there']:,} of {row['landed']:,} there; ok: {row['ok']} {money}")
            for one in row.get("differing", ())[:3]:
                print(f"  {one}")
        asked.close()
        before = _writes(shop)
        again, cpu_again = _run(store, migration, "again")
        results = sorted({str(item.result) for items in again.values() for item in items})
        writes = _writes(shop) - before
        print(f"second run: {writes} writes, {cpu_again / cpu:.1%} of the first one's CPU, items {', '.join(results)}")


def _run(store: RecordStore, migration: Migration, run_id: str) -> tuple[dict[str, list[RunItem]], float]:
    items: dict[str, list[RunItem]] = {}
    before = _cpu()
    with pipeline.open_work(migration, RunOptions(), run_id=run_id, store=store) as work:
        for resource_type in _types(migration):
            for phase in Phase:
                try:
                    items.setdefault(resource_type, []).append(pipeline.run_phase(work, phase, resource_type))
                except GraftportError as error:
                    print(f"{resource_type} {phase}: {error}")
                    break
    pipeline.finish_run(store, run_id)
    return {kind: of for kind, of in items.items() if len(of) == len(Phase)}, _cpu() - before


def _types(migration: Migration) -> list[ResourceType]:
    named = migration.resource_types or migration.source.named_types()
    return [kind for kind in pipeline.loadable() if not named or kind in named]


def _cpu() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _seconds(item: RunItem) -> float:
    return (item.ended_at - item.started_at).total_seconds() if item.ended_at and item.started_at else 0.0


def _told(items: list[RunItem]) -> str:
    load = items[-1]
    counts = ", ".join(f"{name} {number:,}" for name, number in load.counts.items() if number and name != "in_scope")
    warnings = sum(group.count for item in items for group in item.warnings)
    errors = sum(item.counts.get("errored", 0) for item in items)
    beside = f", {warnings:,} warnings" if warnings else ""
    beside += f", {errors:,} errors ({load.first_error})" if errors else ""
    return f"{items[0].counts.get('read', 0):,} read, {counts}, {load.api_calls:,} calls{beside}"


def _writes(shop: str) -> int:
    """Of the last requests, how many wrote; the log gives at most 10,000 at once."""
    total = requests.get(f"{shop}/_simulator/", timeout=120).json()["requests"]
    found, after = 0, 0
    while after < total:
        page: list[dict[str, Any]] = requests.get(f"{shop}/_simulator/requests?after={after}", timeout=300).json()
        found += sum(1 for one in page if one["writes"])
        after += max(1, len(page))
    return found


if __name__ == "__main__":
    main()

"""Records landed per CPU-second of our process, and calls per product, against a trivial local server.

    python -m benchmarks.load [--records 5000] [--ways 1000]

Every record's intent, call and outcome are on disk in the record store, as in a real load. The server
answers `productSet` and publications from memory and does nothing else, so that what is measured is
ours. Beside it, in the same run, the bare calls of the same bodies by urllib3 and nothing else: the ratio is
what the machine's noise cannot change. Bars: ≥ 1,500 records per CPU-second where a bare call takes
154 µs, which is 4.33 bare calls for a record; ≤ 1.05 calls per product.
"""

import argparse
import multiprocessing
import os
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import urllib3

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Shopify-API-Version: 2026-10\r\nContent-Length: %d\r\n\r\n"
)
_BAR = 1 / 1500 / 154e-6
_OWNERS = ("PRODUCT", "PRODUCTVARIANT", "COLLECTION", "CUSTOMER", "ORDER", "LOCATION")


def _preflight() -> dict[str, Any]:
    scopes = ("write_products", "write_publications", "write_inventory", "read_locations")
    definition = {"nodes": [{"id": "gid://shopify/MetafieldDefinition/1", "type": {"name": "id"}}]}
    return {
        "shop": {"id": "gid://shopify/Shop/1", "name": "Bench", "myshopifyDomain": "bench.myshopify.com",
                 "plan": {"publicDisplayName": "Plus"}},
        "currentAppInstallation": {"accessScopes": [{"handle": scope} for scope in scopes]},
        "locations": {"nodes": [{"id": "gid://shopify/Location/1", "name": "Main", "isActive": True}]},
        "publications": {"nodes": [{"id": "gid://shopify/Publication/1", "name": "Online Store"}]},
        **dict.fromkeys(_OWNERS, definition),
    }  # fmt: skip


def _answer(body: bytes, number: int) -> bytes:
    asked = orjson.loads(body)
    query, variables = asked["query"], asked.get("variables") or {}
    cost = {"requestedQueryCost": 10, "actualQueryCost": 10,
            "throttleStatus": {"maximumAvailable": 1e9, "currentlyAvailable": 1e9, "restoreRate": 1e9}}  # fmt: skip
    if "productSet(" in query:
        variants = [
            {"id": f"gid://shopify/ProductVariant/{number}{index}", "sku": variant.get("sku"), "position": index,
             "selectedOptions": [{"name": o["optionName"], "value": o["name"]} for o in variant["optionValues"]],
             "inventoryItem": {"id": f"gid://shopify/InventoryItem/{number}{index}"}}
            for index, variant in enumerate(variables["input"].get("variants", []))
        ]  # fmt: skip
        product = {"id": f"gid://shopify/Product/{number}", "handle": f"p-{number}", "status": "DRAFT",
                   "updatedAt": "2026-11-21T00:00:00Z", "variants": {"nodes": variants},
                   "media": {"nodes": []}}  # fmt: skip
        data: dict[str, Any] = {"productSet": {"product": product, "userErrors": []}}
    elif "publishablePublish" in query:
        aliases = [line.split(":")[0].strip() for line in query.splitlines() if "publishablePublish(" in line]
        data = {alias: {"userErrors": []} for alias in aliases}
    else:
        data = _preflight()
    return orjson.dumps({"data": data, "extensions": {"cost": cost}})


def _serve_one(connection: socket.socket, numbers: Iterator[int]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb")
    while line := stream.readline():
        length = 0
        while (line := stream.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = _answer(stream.read(length), next(numbers))
        connection.sendall(_HEAD % len(body) + body)


def _serve(ready: Any) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    numbers = iter(range(1, 1 << 60))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve_one, args=(connection, numbers), daemon=True).start()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _product(index: int) -> dict[str, Any]:
    return {
        "input": {
            "title": f"Product {index}", "handle": f"product-{index}", "vendor": "Bench", "status": "DRAFT",
            "tags": ["a", "b"],
            "descriptionHtml": "<p>" + "Words. " * 300 + "</p>",
            "productOptions": [{"name": "Size", "values": [{"name": "S"}, {"name": "M"}, {"name": "L"}]}],
            "variants": [
                {"optionValues": [{"optionName": "Size", "name": size}], "sku": f"P{index}-{size}", "price": "12.50",
                 "inventoryItem": {"tracked": True}}
                for size in ("S", "M", "L")
            ],
        },
        "publications": ["Online Store"],
    }  # fmt: skip


def main() -> None:
    """Stages generated products, loads them, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--ways", type=int, default=1000, help="products that go both ways; 0: none")
    asked = parser.parse_args()
    records = asked.records
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRAFTPORT_STATE"] = folder
        os.environ["BENCH_TOKEN"] = "bench"
        _measure(url, Path(folder), records)
        if asked.ways:
            _both_ways(Path(folder), asked.ways)
    server.kill()


def _both_ways(folder: Path, products: int) -> None:
    """The calls and points of the same products, called and in bulk."""
    from benchmarks.network import run_once, simulator, write_shop

    (folder / "ways").mkdir()
    for way, threshold in (("by calls", 0), ("by bulk", 1)):
        own = folder / "ways" / way.replace(" ", "-")
        own.mkdir()
        with simulator(own, latency_ms=0) as url:
            write_shop(own / "shop", url, products, bulk_threshold=threshold)
            did = run_once(own / "shop", "run")
        calls, points = did["products calls"], did["products points"]
        told = f"{calls:,} calls, {points:,} points, {points / 100:,.0f} s of a standard plan's rate"
        print(f"{products:,} products {way:<14}{told} ({did['result']})")


def _measure(url: str, folder: Path, records: int) -> None:
    from graftport_dagster import pipeline
    from graftport_dagster.loaders.groups import group_hashes
    from graftport_dagster.migration import Defaults, Destination, Migration
    from graftport_dagster.records import Phase, ResourceType, Run, RunOptions, SourceRecord
    from graftport_dagster.shopify.documents import document
    from graftport_dagster.source_settings import FilesSettings
    from graftport_dagster.store.record_store import Dataset, Selection, StagedResult

    migration = Migration(
        slug="bench", folder=folder, source=FilesSettings(platform="bench"),
        destination=Destination(shop=url, access_token="env:BENCH_TOKEN"), resource_types=[ResourceType.PRODUCTS],
        options=Defaults(bulk_threshold=0),
    )  # fmt: skip
    options = RunOptions(phases=(Phase.LOAD,))
    products = ResourceType.PRODUCTS
    with pipeline.open_store() as store:
        run = store.runs.start(Run(run_id="stage", migration="bench", options=options))
        version = store.mappings.publish("bench", products, "$", by="bench")
        data = Dataset("bench")
        for start in range(0, records, 500):
            batch = [SourceRecord(f"p{index:07}", _product(index)) for index in range(start, min(start + 500, records))]
            store.source_records.upsert(data, products, run, batch)
        for inputs in store.staged_records.to_transform(data, data, products, version, "s", Selection()):
            staged = []
            for record in inputs:
                payload = orjson.loads(record.payload)
                hashes = group_hashes(products, payload)
                staged.append(StagedResult(record.source_id, record.source_hash, payload, hashes))
            store.staged_records.stage(data, products, run, version, "s", staged)
        call = {"identifier": None, "input": _product(1)["input"], "variants": 3, "media": 1}
        body = orjson.dumps({"query": document("product_set"), "variables": call})
        # Before and after, for the machine is not the same for long.
        bare = [_bare_call(url, body)]
        with pipeline.open_work(migration, options, run_id="load", store=store) as work:
            before, wall = _cpu(), time.perf_counter()
            item = pipeline.run_phase(work, Phase.LOAD, products)
            cpu, wall = _cpu() - before, time.perf_counter() - wall
        bare.append(_bare_call(url, body))
        with pipeline.open_work(migration, options, run_id="again", store=store) as work:
            before = _cpu()
            again = pipeline.run_phase(work, Phase.LOAD, products)
            again_cpu = _cpu() - before
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {records} products of 3 variants")
    print(f"created                       {item.counts['created']:>10,}  ({item.result})")
    print(f"records per CPU-second        {records / cpu:>10,.0f}  (bar 1,500)")
    print(f"records per second            {records / wall:>10,.0f}")
    print(f"calls per product             {item.api_calls / records:>10.3f}  (bar 1.05)")
    told = f"(bar {_BAR:.2f}; a bare call takes {' and '.join(f'{each * 1e6:.0f}' for each in bare)} µs)"
    print(f"CPU of a record in bare calls {cpu / records / (sum(bare) / 2):>10.2f}  {told}")
    print(f"second run, CPU of the first  {again_cpu / cpu:>10.2%}  (bar 3 %), {again.api_calls} writes")


def _bare_call(url: str, body: bytes, count: int = 2000) -> float:
    """CPU-seconds of one call by urllib3, its answer parsed."""
    pool = urllib3.connection_from_url(url)
    before = _cpu()
    for _ in range(count):
        orjson.loads(pool.request("POST", "/", body=body, headers={"Content-Type": "application/json"}).data)
    used = _cpu() - before
    pool.close()
    return used / count


if __name__ == "__main__":
    main()

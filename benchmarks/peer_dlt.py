"""The peer of `benchmarks.peers`: rows into collections with dlt's custom destination, as its documentation has it.

    python benchmarks/peer_dlt.py ROWS.jsonl URL FOLDER

Runs in a virtual environment of its own (`pip install dlt==1.31.0`) and imports nothing of this project. One
row is one request, through dlt's own retrying client; a package that was left behind is loaded before anything
new is read, and what was read is not read again.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

DOCUMENT = """mutation ($collection: CollectionCreateInput!) {
  collectionCreate(collection: $collection) { collection { id } userErrors { field message } }
}"""


def main(rows: Path, url: str, folder: Path) -> None:
    """Loads what is pending, or else all rows, once."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["DLT_DATA_DIR"] = str(folder)
    import dlt  # type: ignore[import-not-found, unused-ignore]
    from dlt.sources.helpers import requests  # type: ignore[import-not-found, unused-ignore]

    @dlt.destination(batch_size=1, name="shop", max_parallel_load_jobs=8)  # type: ignore[untyped-decorator, unused-ignore]
    def shop(items: Any, table: Any) -> None:  # noqa: ARG001 - dlt's signature
        for item in items:
            body = {"query": DOCUMENT, "variables": {"collection": {"title": item["title"]}}}
            answer = requests.post(
                f"{url}/admin/api/2026-10/graphql.json", json=body, timeout=10,
                headers={"X-Shopify-Access-Token": "bench"},
            )  # fmt: skip
            answer.raise_for_status()
            answer.json()["data"]["collectionCreate"]["collection"]["id"]

    def read() -> Any:
        with rows.open() as file:
            yield from (json.loads(line) for line in file)

    pipeline = dlt.pipeline("peer", destination=shop, pipelines_dir=str(folder))
    done = folder / "read"
    if pipeline.has_pending_data:
        pipeline.load()
    elif not done.exists():
        pipeline.extract(dlt.resource(read, name="collections"))
        done.touch()
        pipeline.normalize()
        pipeline.load()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))

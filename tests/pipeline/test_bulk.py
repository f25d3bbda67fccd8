"""Bulk operations in a whole run: reckoned with, told of, canceled with it."""

from typing import Any

import requests

from graftport_dagster import pipeline
from graftport_dagster.records import Phase, ResourceType, Result, RunItem, RunOptions

Shop = Any
PRODUCTS, COLLECTIONS = ResourceType.PRODUCTS, ResourceType.COLLECTIONS
BOTH = (COLLECTIONS, PRODUCTS)


def from_one_on(shop: Shop) -> None:
    options = shop.migration.options.model_copy(update={"bulk_threshold": 1})
    shop.migration = shop.migration.model_copy(update={"options": options})


def test_a_report_and_a_dry_run_say_what_goes_by_bulk(shop: Shop) -> None:
    alone = shop.run(resource_types=BOTH, dry_run=True).items["products load"]
    from_one_on(shop)
    tried = shop.run(resource_types=BOTH, dry_run=True)
    in_bulk = tried.items["products load"]
    assert in_bulk.api_cost < alone.api_cost / 2
    assert in_bulk.api_calls < alone.api_calls / 5
    assert "Records would go by bulk operations, which ask for no points." in in_bulk.notes
    assert shop.objects("BulkOperation") == []
    item = shop.run(resource_types=BOTH).items["products load"]
    number = item.counts["created"]
    assert (item.result, number) == (Result.SUCCEEDED, len(shop.objects("Product")))
    assert f"{number} of {number} records went by bulk, in 1 operation." in item.notes
    assert item.api_calls < alone.api_calls / 2
    assert shop.run(resource_types=BOTH).items["products load"].result is Result.UNCHANGED
    assert len(shop.objects("BulkOperation")) == 1


def load(shop: Shop, run_id: str, *, until: int | None = None) -> RunItem:
    """Products, until so many are in the store."""
    asks = RunOptions(phases=(Phase.LOAD,), resource_types=(PRODUCTS,))

    def should_stop() -> bool:
        return until is not None and len(shop.objects("Product")) >= until

    with pipeline.open_work(
        shop.migration, asks, run_id=run_id, store=shop.store, should_stop=should_stop
    ) as work:  # fmt: skip
        item = pipeline.run_phase(work, Phase.LOAD, PRODUCTS)
    pipeline.finish_run(shop.store, run_id)
    return item


def test_a_run_that_is_canceled_cancels_its_operation_and_records_what_landed(shop: Shop) -> None:
    from_one_on(shop)
    shop.run(resource_types=(COLLECTIONS,))
    shop.run(resource_types=(PRODUCTS,), phases=(Phase.EXTRACT, Phase.TRANSFORM))
    rule = {"fault": "bulk_slow", "operation": "productSet", "milliseconds": 60, "times": 1}
    requests.post(f"{shop.url}/_simulator/faults", json=rule, timeout=9).raise_for_status()
    item = load(shop, "canceled", until=5)
    landed = shop.objects("Product")
    assert item.result is Result.CANCELED
    assert shop.store.runs.find("canceled").result is Result.CANCELED
    assert [one["status"] for one in shop.objects("BulkOperation")] == ["CANCELED"]
    assert 5 <= len(landed) < item.counts["in_scope"]
    # What landed is ours, though it is not published yet; of the others nobody has said anything.
    assert item.counts["unknown"] == item.counts["in_scope"] - len(landed)
    assert item.counts["created"] + item.counts["not_reached"] == len(landed)
    item = load(shop, "after")
    assert (item.result, item.counts["created"]) == (Result.SUCCEEDED, len(shop.objects("Product")))
    assert len({one["handle"] for one in shop.objects("Product")}) == len(shop.objects("Product"))
    assert {one["id"] for one in landed} <= {one["id"] for one in shop.objects("Product")}
    assert shop.incomplete() == []

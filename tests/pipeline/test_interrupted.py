"""What stops a phase half-way, or keeps it waiting, and what its item then says."""

import time
from typing import Any

import pytest
import requests

from graftport_dagster import pipeline
from graftport_dagster.errors import GraftportError, LeaseHeldError
from graftport_dagster.records import Phase, ResourceType, Result, Run, RunItem, RunOptions

Shop = Any
REDIRECTS = ResourceType.REDIRECTS
WAITING = RunOptions(phases=(Phase.LOAD,), error_group="MissingReferenceError")


def counts(item: RunItem) -> dict[str, int]:
    return {name: number for name, number in item.counts.items() if number}


def in_order(shop: Shop, run_id: str, *resource_types: str) -> None:
    with pipeline.open_work(shop.migration, RunOptions(), run_id=run_id, store=shop.store) as work:
        for resource_type in resource_types:
            for phase in Phase:
                pipeline.run_phase(work, phase, ResourceType(resource_type))


def test_the_pass_for_released_records_counts_none_that_the_first_had_landed(shop: Shop) -> None:
    in_order(shop, "before", "redirects")
    in_order(shop, "run", "collections", "products", "redirects")
    with pipeline.open_work(shop.migration, WAITING, run_id="run", store=shop.store) as work:
        item = pipeline.run_phase(work, Phase.LOAD, REDIRECTS)
    assert counts(item) == {"in_scope": 97, "created": 97}


def test_a_pass_for_released_records_that_fails_leaves_the_first_ones_counts(shop: Shop) -> None:
    in_order(shop, "run", "redirects", "collections", "products")
    requests.post(f"{shop.url}/_simulator/revoke", json={"token": "anything"}, timeout=10).raise_for_status()
    with (
        pipeline.open_work(shop.migration, WAITING, run_id="run", store=shop.store) as work,
        pytest.raises(GraftportError),
    ):
        pipeline.run_phase(work, Phase.LOAD, REDIRECTS)
    requests.post(f"{shop.url}/_simulator/revoke", json={"restore": "anything"}, timeout=10)
    (item,) = [one for one in shop.store.runs.items("run") if (one.resource_type, one.phase) == (REDIRECTS, Phase.LOAD)]
    assert (item.result, counts(item)) == (Result.FAILED, {"in_scope": 97, "held": 97})


def test_a_long_read_keeps_its_lease(shop: Shop) -> None:
    with pipeline.open_work(shop.migration, RunOptions(), run_id="long", store=shop.store) as work:
        work.renew_after_seconds = 0
        lease = shop.store.loads.acquire("shop", "", REDIRECTS, work.run, seconds=0.3)
        with work.holding(lease):
            assert not work.should_stop()
            time.sleep(0.5)
            other = shop.store.runs.start(Run("other", "shop", RunOptions(), host="elsewhere", pid=1))
            with pytest.raises(LeaseHeldError):
                shop.store.loads.acquire("shop", "", REDIRECTS, other)
        shop.store.loads.acquire("shop", "", REDIRECTS, other)


def test_a_stop_while_waiting_for_another_run_ends_as_canceled(shop: Shop) -> None:
    other = shop.store.runs.start(Run("other", "shop", RunOptions(), host="elsewhere", pid=1))
    shop.store.loads.acquire("shop", "", REDIRECTS, other)
    asked = iter(range(100))
    with pipeline.open_work(
        shop.migration, RunOptions(), run_id="run", store=shop.store, should_stop=lambda: next(asked) > 0
    ) as work:
        item = pipeline.run_phase(work, Phase.EXTRACT, REDIRECTS)
    assert item.result is Result.CANCELED
    assert "Run other on elsewhere" in item.first_error


@pytest.mark.parametrize("is_second_pass", [False, True])
def test_a_stop_before_the_store_was_asked_anything_is_no_failure(shop: Shop, is_second_pass: bool) -> None:
    """A failure would be tried again by itself, which nobody who stopped a run wants."""
    in_order(shop, "run", "redirects")
    with pipeline.open_work(
        shop.migration, WAITING if is_second_pass else RunOptions(phases=(Phase.LOAD,)),
        run_id="run" if is_second_pass else "another", store=shop.store, should_stop=lambda: True,
    ) as work:  # fmt: skip
        assert work.should_stop()
        item = pipeline.run_phase(work, Phase.LOAD, REDIRECTS)
    assert (item.result, item.error_class) == (Result.CANCELED, None)
    assert "the run was asked to stop" in item.first_error
    assert counts(item) == ({"in_scope": 97, "held": 97} if is_second_pass else {})


def test_one_failed_record_of_a_type_that_has_landed_does_not_fail_the_type(shop: Shop) -> None:
    mutation = "mutation($input: ProductSetInput!) { productSet(input: $input) { product { id } } }"
    requests.post(
        f"{shop.url}/admin/api/2026-10/graphql.json",
        json={"query": mutation, "variables": {"input": {"title": "Theirs", "handle": "zunder-gas-stove"}}},
        headers={"X-Shopify-Access-Token": "another"}, timeout=10,
    ).raise_for_status()  # fmt: skip
    shop.run(resource_types=(ResourceType.COLLECTIONS, ResourceType.PRODUCTS))
    (taken,) = shop.incomplete()
    only = {"resource_types": (ResourceType.PRODUCTS,), "source_ids": (taken["source_id"],), "phases": (Phase.LOAD,)}
    item = shop.run(**only).items["products load"]
    assert (counts(item), item.result) == ({"in_scope": 1, "errored": 1}, Result.COMPLETED_WITH_ERRORS)


def test_a_pass_for_released_records_that_goes_well_does_not_hide_that_the_first_one_failed(shop: Shop) -> None:
    in_order(shop, "run", "redirects")
    in_order(shop, "before", "collections", "products")
    requests.post(f"{shop.url}/_simulator/revoke", json={"token": "anything"}, timeout=10).raise_for_status()
    with (
        pytest.raises(GraftportError),
        pipeline.open_work(shop.migration, RunOptions(), run_id="failed", store=shop.store) as work,
    ):
        pipeline.run_phase(work, Phase.LOAD, REDIRECTS)
    requests.post(f"{shop.url}/_simulator/revoke", json={"restore": "anything"}, timeout=10).raise_for_status()
    (before,) = shop.store.runs.items("failed")
    assert before.result is Result.FAILED
    with pipeline.open_work(shop.migration, WAITING, run_id="failed", store=shop.store) as work:
        item = pipeline.run_phase(work, Phase.LOAD, REDIRECTS)
    assert counts(item)["created"] == 97
    assert (item.result, item.first_error, item.error_class) == (Result.FAILED, before.first_error, before.error_class)
    assert shop.store.runs.items("failed") == [item]

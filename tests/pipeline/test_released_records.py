"""Records that wait for others: released in the same run, and counted once."""

from typing import Any

from graftport_dagster import pipeline
from graftport_dagster.records import Phase, ResourceType, Result, RunOptions

Shop = Any


def test_the_pass_for_released_records_adds_up_with_the_first(shop: Shop) -> None:
    options = RunOptions()
    with pipeline.open_work(shop.migration, options, run_id="run", store=shop.store) as work:
        for resource_type in (ResourceType.REDIRECTS, ResourceType.COLLECTIONS, ResourceType.PRODUCTS):
            for phase in Phase:
                item = pipeline.run_phase(work, phase, resource_type)
                if (resource_type, phase) == (ResourceType.REDIRECTS, Phase.LOAD):
                    assert item.counts["held"] == item.counts["in_scope"] == 97
                    assert item.result is Result.COMPLETED_WITH_ERRORS
    assert pipeline.released_types(shop.store, shop.migration, "run") == (ResourceType.REDIRECTS,)
    again = RunOptions(phases=(Phase.LOAD,), error_group="MissingReferenceError")
    with pipeline.open_work(shop.migration, again, run_id="run", store=shop.store) as work:
        item = pipeline.run_phase(work, Phase.LOAD, ResourceType.REDIRECTS)
    counts = {name: number for name, number in item.counts.items() if number}
    assert counts == {"in_scope": 97, "created": 97}
    assert pipeline.finish_run(shop.store, "run").result is Result.SUCCEEDED
    assert shop.incomplete() == []
    assert shop.run().run.result is Result.UNCHANGED

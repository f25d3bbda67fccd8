"""Schedules of the migration file: what they ask for, and when they do not."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

FEEDS = """
  hourly: {cron: "0 * * * *", time_zone: Europe/Vienna, only_when_changed: true, resource_types: [products],
           field_filter: {products: [stock, price]}, conflict_strategy: skip, full_extract: true}
  patient: {cron: "30 2 * * *", time_zone: Europe/Vienna, overlap: wait}
"""


@pytest.fixture
def instance(project: Any) -> Iterator[dg.DagsterInstance]:
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8").rstrip() + FEEDS
    project.write("shop.yaml", text)
    with dg.DagsterInstance.local_temp(str(project.folder)) as instance:
        yield instance


def found(project: Any, name: str) -> dg.ScheduleDefinition:
    (one,) = [one for one in project.definitions().schedules if one.name == f"shop_{name}"]
    assert isinstance(one, dg.ScheduleDefinition)
    return one


def tick(project: Any, instance: dg.DagsterInstance, name: str) -> Any:
    with dg.build_schedule_context(instance=instance) as context:
        return found(project, name).evaluate_tick(context)


def run_of(project: Any, instance: dg.DagsterInstance, status: str, **tags: str) -> dg.DagsterRun:
    named = {name.replace("_", "/", 1): value for name, value in tags.items()}
    job = project.definitions().resolve_job_def("shop_load")
    run: dg.DagsterRun = instance.create_run_for_job(
        job, status=dg.DagsterRunStatus(status), tags={"graftport/migration": "shop", **named}
    )
    return run


def test_a_feed_asks_with_its_own_options(project: Any, instance: dg.DagsterInstance) -> None:
    (request,) = tick(project, instance, "hourly").run_requests
    config = request.run_config["resources"]["options"]["config"]
    assert config["field_filter"] == {"products": ["stock", "price"]}
    assert (config["conflict_strategy"], config["full_extract"]) == ("skip", True)
    assert request.tags["graftport/schedule"] == "hourly"


def test_a_feed_asks_only_when_the_source_has_changed_since_it_was_read(
    project: Any, instance: dg.DagsterInstance
) -> None:
    assert tick(project, instance, "hourly").run_requests
    project.run("extract", "products")
    assert tick(project, instance, "hourly").skip_message.startswith("products: unchanged since 20")
    project.write("collections.csv", "id,title\nlamps,Lamps\n")
    assert not tick(project, instance, "hourly").run_requests
    project.write("products.csv", "sku,title,price,collection\nB1,Mug,5.00,\n")
    assert tick(project, instance, "hourly").run_requests
    project.run("extract", "products", field_filter={"products": ("price", "stock")})
    assert tick(project, instance, "hourly").skip_message.startswith("products: unchanged since 20")


def test_a_feed_whose_last_run_did_not_go_well_asks_though_nothing_changed(
    project: Any, instance: dg.DagsterInstance
) -> None:
    project.run("extract", "products")
    run_of(project, instance, "SUCCESS", graftport_schedule="hourly", graftport_result="completed_with_errors")
    assert tick(project, instance, "hourly").run_requests
    run_of(project, instance, "SUCCESS", graftport_schedule="hourly", graftport_result="unchanged")
    assert not tick(project, instance, "hourly").run_requests


def test_a_source_that_cannot_be_asked_may_have_changed(project: Any, instance: dg.DagsterInstance) -> None:
    project.run("extract", "products")
    (project.migrations / "products.csv").unlink()
    assert tick(project, instance, "hourly").run_requests


def test_a_patient_schedule_waits_for_others_and_does_not_queue_behind_itself(
    project: Any, instance: dg.DagsterInstance
) -> None:
    other = run_of(project, instance, "STARTED")
    assert tick(project, instance, "hourly").skip_message == f"Run {other.run_id} of shop has not ended yet."
    assert tick(project, instance, "patient").run_requests
    own = run_of(project, instance, "NOT_STARTED", graftport_schedule="patient")
    assert tick(project, instance, "patient").skip_message == f"Run {own.run_id} of shop has not ended yet."


def test_a_pause_holds_the_patient_back_too(project: Any, instance: dg.DagsterInstance) -> None:
    with project.store() as store:
        store.stores.pause("shop", by="ann", reason="cut-over")
    assert "by ann: cut-over" in tick(project, instance, "patient").skip_message

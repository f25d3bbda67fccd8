"""When something is tried again by itself, and when it is left alone; how often is in the skip text."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import requests

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import Outcome, Phase, ResourceType, Result, Run, RunItem, RunOptions
from graftport_dagster.store.record_store import RecordStore
from graftport_dagster.store.set_aside import RETRY_MINUTES
from graftport_dagster.store.tables import incomplete_records

REDIRECTS = ResourceType.REDIRECTS


def tick(project: Any) -> Any:
    (sensor,) = [one for one in project.definitions().sensors if one.name == "shop_retry_due"]
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    return sensor(dg.build_sensor_context(instance=project.instance, definitions=project.definitions()))


def told(answer: Any) -> str:
    if isinstance(answer, dg.SkipReason):
        return answer.skip_message or ""
    return answer.skip_reason.skip_message if answer.skip_reason else ""


def launch(project: Any, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    """What the daemon does with it."""
    job: dg.JobDefinition = project.definitions().resolve_job_def("shop_migrate_one")
    return job.execute_in_process(
        instance=project.instance, raise_on_error=False, partition_key=request.partition_key,
        run_config=request.run_config, asset_selection=request.asset_selection, tags=request.tags,
    )  # fmt: skip


def faults(project: Any, *rules: dict[str, Any]) -> None:
    body = {"replace": True, "faults": list(rules)}
    requests.post(f"{project.url}/_simulator/faults", json=body, timeout=10).raise_for_status()


def later(project: Any, now: datetime) -> RecordStore:
    """The same record store, for which it is another moment."""
    return RecordStore.open(os.environ["GRAFTPORT_STORE_URL"], now=lambda: now)


def at(project: Any, **moments: datetime) -> None:
    """Moves what is due to another moment, as time does."""
    with project.store() as store, store._database.write() as connection:
        connection.execute(incomplete_records.update().values(**moments))


@pytest.fixture
def unreachable(project: Any) -> Any:
    """A redirect that Shopify failed on, twice over: it is due in a minute."""
    faults(project, {"fault": "http_502", "operation": "urlRedirectCreate"})
    project.run("migrate_one", "redirects", fail_on_row_errors=False)
    faults(project)
    return project


def end(project: Any, number: int, *, error_class: ErrorClass | None, error: str, ended: datetime,
        result: Result = Result.FAILED, kinds: tuple[ResourceType, ...] = (REDIRECTS,)) -> None:  # fmt: skip
    """A run of redirects, or of those types, that ended so, as its last step wrote it."""
    with later(project, ended) as store:
        run = store.runs.start(Run(f"run-{number}", "shop", RunOptions(resource_types=kinds, actor="ann")))
        for kind in kinds:
            item = RunItem(run.run_id, kind, Phase.EXTRACT, result, error_class=error_class, first_error=error)
            store.runs.finish_item(item)
        store.runs.finish(run.run_id, result, error)


def test_what_failed_for_a_passing_cause_waits_its_time_and_is_then_sent_once(unreachable: Any) -> None:
    with unreachable.store() as store:
        (row,) = store.incomplete.open("shop")
        assert (row["status"], row["outcome"]) == ("pending_retry", str(Outcome.UNKNOWN))
    assert "redirects: 1 records wait, the next until" in told(tick(unreachable))
    at(unreachable, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    (request,) = tick(unreachable).run_requests
    assert (request.partition_key, request.run_key.split(":")[0]) == ("redirects", "redirects")
    assert [key.path[-1] for key in request.asset_selection] == ["staged_records", "shopify_loads"]
    done = launch(unreachable, request)
    assert done.success
    assert unreachable.items(done.run_id)["redirects load"].counts["in_scope"] == 1
    assert len(unreachable.objects("UrlRedirect")) == 1
    assert told(tick(unreachable)) == "Nothing is due."


def test_the_same_wave_is_asked_for_once_and_after_a_run_that_missed_it_only_after_a_pause(unreachable: Any) -> None:
    at(unreachable, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    (request,), (again,) = tick(unreachable).run_requests, tick(unreachable).run_requests
    assert request.run_key == again.run_key
    job = unreachable.definitions().resolve_job_def("shop_migrate_one")
    unreachable.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE, tags=request.tags)
    assert "1 records due; the run before did not reach them, next in 1 min" in told(tick(unreachable))


def test_a_daemon_that_starts_anew_asks_for_nothing_twice(unreachable: Any) -> None:
    at(unreachable, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    # Without a cursor there is nothing to lose: the key of the wave alone decides.
    assert tick(unreachable).cursor is None
    assert tick(unreachable).run_requests[0].run_key == tick(unreachable).run_requests[0].run_key


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_type_that_failed_as_a_whole_is_tried_again_after_a_growing_while(project: Any, times: int) -> None:
    now = datetime.now(UTC)
    wait = timedelta(minutes=RETRY_MINUTES[times - 1])
    for number in range(times):
        age = wait - timedelta(seconds=30) + timedelta(hours=times - 1 - number)
        end(project, number, error_class=ErrorClass.CONNECTION, error="no answer", ended=now - age)
    assert f"redirects: failed (no answer); try {times + 1} in 1 min" in told(tick(project))
    end(project, times, error_class=None, error="", ended=now - timedelta(hours=1), result=Result.SUCCEEDED)
    end(project, 90, error_class=ErrorClass.CONNECTION, error="no answer", ended=now - timedelta(minutes=2))
    (request,) = tick(project).run_requests
    assert request.tags["graftport/retry_of"] == "run-90"
    assert len(request.asset_selection) == 3


def test_two_types_that_failed_in_one_run_are_each_tried_again(project: Any) -> None:
    past = datetime.now(UTC) - timedelta(minutes=5)
    kinds = (ResourceType.PRODUCTS, REDIRECTS)
    end(project, 0, error_class=ErrorClass.CONNECTION, error="no answer", ended=past, kinds=kinds)
    asked = {request.partition_key: request.run_key for request in tick(project).run_requests}
    assert list(asked) == ["products", "redirects"]
    # Dagster makes one run of a key, and passes over what is asked for by the same one later.
    assert asked["products"] != asked["redirects"]


def test_a_retry_of_a_type_whose_run_never_began_is_asked_for_anew_and_a_canceled_one_is_not(project: Any) -> None:
    past = datetime.now(UTC) - timedelta(minutes=5)
    end(project, 0, error_class=ErrorClass.CONNECTION, error="no answer", ended=past)
    (request,) = tick(project).run_requests
    job = project.definitions().resolve_job_def("shop_migrate_one")
    never = project.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE, tags=request.tags)
    assert "the run before did not reach them, next in 1 min" in told(tick(project))
    project.instance.delete_run(never.run_id)
    project.instance.create_run_for_job(job, status=dg.DagsterRunStatus.CANCELED, tags=request.tags)
    assert "was canceled, which nothing restarts by itself" in told(tick(project))


def test_what_failed_too_often_or_for_a_cause_that_stays_is_left_for_a_person(project: Any) -> None:
    now = datetime.now(UTC)
    end(project, 0, error_class=ErrorClass.INVALID_ACCESS_TOKEN, error="401", ended=now - timedelta(days=1))
    assert "redirects: failed, and waits for a person: 401" in told(tick(project))
    for number in range(1, 10):
        end(project, number, error_class=ErrorClass.CONNECTION, error="down", ended=now - timedelta(hours=20 - number))
    assert "in a row, and is left for a person: down" in told(tick(project))


def test_a_run_whose_process_died_is_tried_again_and_a_canceled_one_never(project: Any) -> None:
    now = datetime.now(UTC)
    died = "The process that did this died before it was done."
    end(project, 0, error_class=ErrorClass.UNEXPECTED, error=died, ended=now - timedelta(minutes=5))
    assert tick(project).run_requests[0].tags["graftport/retry_of"] == "run-0"
    end(project, 1, error_class=None, error="the run was stopped", ended=now, result=Result.CANCELED)
    assert told(tick(project)) == "Nothing is due."


def test_records_of_a_canceled_run_stay_where_they_are_and_it_is_said(unreachable: Any) -> None:
    at(unreachable, next_attempt_at=datetime.now(UTC) - timedelta(minutes=3))
    end(unreachable, 1, error_class=None, error="the run was stopped", ended=datetime.now(UTC), result=Result.CANCELED)
    assert "redirects: run run-1 was canceled, which nothing restarts by itself" in told(tick(unreachable))


def test_nothing_is_asked_for_while_a_run_goes_on_or_the_migration_is_paused(unreachable: Any) -> None:
    at(unreachable, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    job = unreachable.definitions().resolve_job_def("shop_load")
    run = unreachable.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={"graftport/migration": "shop"}
    )
    assert f"Run {run.run_id} of shop has not ended yet." in told(tick(unreachable))
    unreachable.instance.report_run_failed(run)
    with unreachable.store() as store:
        store.stores.pause("shop", by="ann", reason="cut-over")
    assert "cut-over" in told(tick(unreachable))


def test_held_records_whose_parent_has_landed_are_due(project: Any) -> None:
    project.run("migrate_one", "products", fail_on_row_errors=False)
    assert "products" not in told(tick(project))
    project.run("migrate_one", "collections")
    (request,) = tick(project).run_requests
    done = launch(project, request)
    assert project.items(done.run_id)["products load"].counts["created"] == 2


def test_the_daily_limit_of_variants_stops_the_type_and_goes_on_by_itself(project: Any) -> None:
    rows = "".join(f"P{number},Product {number},1.00,\n" for number in range(20))
    project.write("products.csv", f"sku,title,price,collection\n{rows}")
    faults(project, {"fault": "variant_limit", "operation": "productSet", "after": 3})
    done = project.run("migrate_one", "products", fail_on_row_errors=False)
    item = project.items(done.run_id)["products load"]
    assert item.error_class is ErrorClass.RATE_LIMIT
    assert item.counts["created"] + item.counts["errored"] + item.counts["not_reached"] == 20
    assert item.counts["not_reached"] > 0
    assert "products: failed" in told(tick(project))
    faults(project)
    past = datetime.now(UTC) - timedelta(minutes=1)
    at(project, next_attempt_at=past)
    with project.store() as store:
        store.runs.finish_item(RunItem(**{**_fields(item), "ended_at": past - timedelta(minutes=5)}))
    (request,) = tick(project).run_requests
    launch(project, request)
    assert len(project.objects("Product")) == 20


def _fields(item: RunItem) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}

"""When runs are asked for, and when not; and what becomes of runs whose process is gone."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from graftport_dagster.defs.asking import why_not
from graftport_dagster.defs.conclusion import reap
from graftport_dagster.defs.layout import HOST_TAG, PROCESS_TAG, Layout
from graftport_dagster.migration import load_migrations
from graftport_dagster.records import Result, Run, RunItem, RunOptions


def sensor(project: Any, name: str) -> dg.SensorDefinition:
    (found,) = [one for one in project.definitions().sensors if one.name == f"shop_{name}"]
    assert isinstance(found, dg.SensorDefinition)
    return found


def tick(project: Any, cursor: str | None = None) -> Any:
    context = dg.build_sensor_context(instance=project.instance, cursor=cursor, definitions=project.definitions())
    return sensor(project, "source_freshness")(context)


def asked(answer: Any) -> list[str]:
    return [request.partition_key for request in answer.run_requests or ()]


def reads(project: Any, answer: Any, *kinds: str) -> None:
    """What the runs that were asked for do: the record store learns what the source looked like."""
    for request in answer.run_requests or ():
        if not kinds or request.partition_key in kinds:
            options = request.run_config["resources"]["options"]["config"]
            project.run(
                "extract", request.partition_key, tags={"dagster/run_key": request.run_key}, actor=options["actor"]
            )


def message(answer: Any) -> str:
    assert not answer.run_requests
    return str(answer.skip_reason.skip_message)


def test_every_type_is_new_at_the_first_look_and_unchanged_once_it_was_read(project: Any) -> None:
    first = tick(project)
    assert asked(first) == ["collections", "products", "redirects"]
    reads(project, first)
    os.utime(project.migrations / "products.csv", (1_700_000_000, 1_700_000_000))
    second = message(tick(project, first.cursor))
    assert re.search(r"products: unchanged since 20\d\d-\d\d-\d\d \d\d:\d\d UTC, sha256 [0-9a-f]{12}…", second)


def test_what_a_person_has_read_is_not_asked_for(project: Any) -> None:
    project.run("extract", "products")
    assert asked(tick(project)) == ["collections", "redirects"]


def test_an_extract_of_some_records_a_failed_one_and_a_dry_run_have_not_read_the_change(project: Any) -> None:
    project.run("extract", "products", limit=1)
    project.run("extract", "products", source_ids=("A1",))
    project.run("dry_run", resource_types=("products",))
    project.write("collections.csv", "")
    project.run("extract", "collections")
    project.write("collections.csv", "id,title\ntents,Tents\n")
    assert asked(tick(project)) == ["collections", "products", "redirects"]


def test_a_change_is_asked_for_once_while_its_run_waits_or_goes_on(project: Any) -> None:
    first = tick(project)
    reads(project, first, "collections", "redirects")
    (key,) = [request.run_key for request in first.run_requests if request.partition_key == "products"]
    run = unfinished(project, tags={"dagster/run_key": key}, status="NOT_STARTED")
    assert f"products: changed; looked at again when run {run.run_id} has ended" in message(tick(project, first.cursor))
    project.write("products.csv", "sku,title,price,collection\nA1,Tarp,12.00,\n")
    assert f"products: changed; looked at again when run {run.run_id} has ended" in message(tick(project, first.cursor))


def test_a_run_of_somebody_else_is_waited_for_and_a_dry_run_is_not(project: Any) -> None:
    unfinished(project, tags={"graftport/dry_run": "true"})
    assert len(asked(tick(project))) == 3
    run = unfinished(project, tags={})
    assert f"products: changed; looked at again when run {run.run_id} has ended" in message(tick(project))


def test_a_run_that_dagster_never_made_is_asked_for_again_by_the_same_key(project: Any) -> None:
    first = tick(project)
    again = tick(project, first.cursor)
    assert [one.run_key for one in again.run_requests] == [one.run_key for one in first.run_requests]


def test_a_cursor_that_was_reset_asks_by_a_key_that_was_never_used(project: Any) -> None:
    first = tick(project)
    (key,) = [request.run_key for request in first.run_requests if request.partition_key == "products"]
    unfinished(project, tags={"dagster/run_key": key}, status="FAILURE")
    anew = {request.partition_key: request.run_key for request in tick(project).run_requests}
    assert anew["products"].startswith("products:2:")
    assert anew["redirects"].startswith("redirects:1:")


def test_a_run_that_failed_before_it_read_is_told_and_not_asked_for_each_minute(project: Any) -> None:
    project.write("products.csv", "sku,title,price,collection\n")
    first = tick(project)
    reads(project, first)
    with project.store() as store:
        failed = [run for run in store.runs.list("shop") if str(run.result) == "failed"]
    told = message(tick(project, first.cursor))
    assert f"products: changed, but run {failed[0].run_id} for it failed: " in told
    seen = json.loads(first.cursor)
    seen["products"]["asked_at"] = "2026-01-01T00:00:00+00:00"
    assert asked(tick(project, json.dumps(seen))) == ["products"]
    project.write("products.csv", "sku,title,price,collection\nA1,Tarp,10.00,\n")
    assert asked(tick(project, first.cursor)) == ["products"]


def test_a_run_that_was_canceled_is_not_asked_for_again_until_the_source_changes(project: Any) -> None:
    first = tick(project)
    reads(project, first, "collections", "redirects")
    (key,) = [request.run_key for request in first.run_requests if request.partition_key == "products"]
    unfinished(project, tags={"dagster/run_key": key}, status="CANCELED")
    seen = json.loads(first.cursor)
    seen["products"]["asked_at"] = "2026-01-01T00:00:00+00:00"
    assert "for it was canceled" in message(tick(project, json.dumps(seen)))


def test_a_run_that_never_began_is_asked_for_again_after_a_while(project: Any) -> None:
    first = tick(project)
    reads(project, first, "collections", "redirects")
    (key,) = [request.run_key for request in first.run_requests if request.partition_key == "products"]
    job = project.definitions().resolve_job_def("shop_migrate_one")
    project.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.FAILURE, tags={"graftport/migration": "shop", "dagster/run_key": key}
    )
    assert "products: changed, but run" in message(tick(project, first.cursor))
    seen = json.loads(first.cursor)
    seen["products"]["asked_at"] = "2026-01-01T00:00:00+00:00"
    (request,) = tick(project, json.dumps(seen)).run_requests
    assert request.run_key.startswith("products:2:")


def test_a_change_that_came_back_between_two_looks_is_not_lost(project: Any) -> None:
    """A is read, B is asked for, its run finds A again, and then B is there once more."""
    a, b = "sku,title,price,collection\nA1,Tarp,10.00,\n", "sku,title,price,collection\nA1,Tarp,12.00,\n"
    project.write("products.csv", a)
    first = tick(project)
    reads(project, first)
    project.write("products.csv", b)
    second = tick(project, first.cursor)
    project.write("products.csv", a)
    reads(project, second)
    project.write("products.csv", b)
    third = tick(project, second.cursor)
    assert asked(third) == ["products"]
    assert third.run_requests[0].run_key.startswith("products:3:")


def test_prices_that_were_read_alone_leave_the_rest_of_the_change_to_the_sensor(project: Any) -> None:
    reads(project, tick(project))
    project.write("products.csv", "sku,title,price,collection\nA1,Tarpaulin,12.00,\n")
    project.run("extract", "products", field_filter={"products": ("price",)})
    assert asked(tick(project)) == ["products"]
    project.run("extract", "products")
    assert "products: unchanged" in message(tick(project))


def test_only_the_type_that_changed_is_asked_for(project: Any) -> None:
    first: Any = tick(project)
    reads(project, first)
    project.write("products.csv", "sku,title,price,collection\nB1,Mug,5.00,\n")
    second: Any = tick(project, first.cursor)
    assert asked(second) == ["products"]
    (observation,) = second.asset_events
    assert observation.partition == "products"
    assert observation.metadata["change"].value == 2


def test_what_the_sensor_tells_of_a_second_change_is_stored_as_that_of_the_first(project: Any) -> None:
    cursor = None
    for price in range(1, 4):
        project.write("products.csv", f"sku,title,price,collection\nA1,Tarp,{price}.00,\n")
        found: Any = tick(project, cursor)
        cursor = found.cursor
        assert "products" in [event.partition for event in found.asset_events]
        for event in found.asset_events:
            # As the daemon does it.
            project.instance.report_runless_asset_event(event)
        reads(project, found)
    key = dg.AssetKey(["shop", "source_data"])
    told = project.instance.fetch_observations(dg.AssetRecordsFilter(key, asset_partitions=["products"]), limit=10)
    assert len(told.records) == 3


def test_a_source_that_goes_back_to_what_it_was_is_read_three_times(project: Any) -> None:
    a, b = "sku,title,price,collection\nA1,Tarp,10.00,\n", "sku,title,price,collection\nA1,Tarp,12.00,\n"
    keys, cursor = [], None
    for text in (a, b, a):
        project.write("products.csv", text)
        answer: Any = tick(project, cursor)
        cursor = answer.cursor
        reads(project, answer)
        keys += [request.run_key for request in answer.run_requests if request.partition_key == "products"]
    assert len(set(keys)) == 3
    assert [key.split(":")[:2] for key in keys] == [["products", "1"], ["products", "2"], ["products", "3"]]
    assert keys[0].split(":", 2)[2] == keys[2].split(":", 2)[2]


def test_one_dead_endpoint_does_not_kill_the_tick(project: Any) -> None:
    (project.migrations / "products.csv").unlink()
    answer: Any = tick(project)
    assert asked(answer) == ["collections", "redirects"]
    assert "products" not in json.loads(answer.cursor)
    reads(project, answer)
    assert "products: cannot be asked" in message(tick(project, answer.cursor))


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def served_by(project: Any, address: str, *kinds: str) -> None:
    path = project.migrations / "shop.yaml"
    text = path.read_text(encoding="utf-8")
    for kind in kinds:
        text = text.replace(f"path: {kind}.csv", f'path: "{address}/{kind}.csv"')
    path.write_text(text, encoding="utf-8")


def test_an_endpoint_that_does_not_answer_costs_the_others_some_seconds_only(project: Any, silent: str) -> None:
    served_by(project, silent, "products")
    begun = time.monotonic()
    answer: Any = tick(project)
    assert asked(answer) == ["collections", "redirects"]
    assert time.monotonic() - begun < 40


@pytest.mark.slow
def test_what_one_tick_does_not_come_to_is_asked_first_at_the_next(project: Any, silent: str) -> None:
    """Dagster ends a tick after a minute, and forgets what it has found out."""
    served_by(project, silent, "collections", "products", "redirects")
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    begun = time.monotonic()
    answer: Any = tick(project)
    assert time.monotonic() - begun < 55
    assert "redirects: asked at the next tick" in message(answer)
    (project.migrations / "shop.yaml").write_text(text.replace(f"{silent}/redirects.csv", "redirects.csv"))
    assert asked(tick(project, answer.cursor)) == ["redirects"]


def test_runs_that_nobody_asked_for_tolerate_bad_rows_and_do_not_resend_refused_ones(project: Any) -> None:
    answer: Any = tick(project)
    config = answer.run_requests[0].run_config["resources"]["options"]["config"]
    assert (config["fail_on_row_errors"], config["resend_refused"]) == (False, False)
    job = project.definitions().resolve_job_def("shop_migrate_one")
    dg.validate_run_config(job, answer.run_requests[0].run_config)


def test_a_paused_migration_is_not_looked_at(project: Any) -> None:
    with project.store() as store:
        store.stores.pause("shop", by="ann", reason="cut-over")
    answer = tick(project)
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message is not None
    assert "by ann: cut-over" in answer.skip_message


def schedule(project: Any, *, going_on: str = "") -> Any:
    (found,) = [one for one in project.definitions().schedules if one.name == "shop_nightly"]
    with (
        dg.DagsterInstance.local_temp(str(project.folder)) as instance,
        dg.build_schedule_context(instance=instance) as context,
    ):
        if going_on:
            instance.create_run_for_job(
                project.definitions().resolve_job_def("shop_load"), run_id=going_on,
                status=dg.DagsterRunStatus.STARTED, tags={"graftport/migration": "shop"},
            )  # fmt: skip
        return found.evaluate_tick(context)


def test_a_schedule_asks_for_what_the_file_says(project: Any) -> None:
    (request,) = schedule(project).run_requests
    config = request.run_config["resources"]["options"]["config"]
    assert (config["phases"], config["resource_types"]) == (["extract", "transform"], ["products"])
    assert (config["fail_on_row_errors"], config["resend_refused"]) == (False, False)


def test_a_schedule_skips_while_another_run_goes_on(project: Any) -> None:
    run_id = str(uuid.uuid4())
    assert schedule(project, going_on=run_id).skip_message == f"Run {run_id} of shop has not ended yet."


def test_a_schedule_skips_while_the_migration_is_paused(project: Any) -> None:
    with project.store() as store:
        store.stores.pause("shop", by="ann", reason="")
    assert "has been paused since" in schedule(project).skip_message


# Runs whose process is gone


def unfinished(project: Any, *, tags: dict[str, str], status: str = "STARTED") -> dg.DagsterRun:
    job = project.definitions().resolve_job_def("shop_migrate_one")
    run: dg.DagsterRun = project.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus(status), tags={"graftport/migration": "shop", **tags}
    )
    with project.store() as store:
        store.runs.start(Run(run.run_id, "shop", RunOptions(resource_types=("redirects",))))  # type: ignore[arg-type]
        store.runs.start_item(RunItem(run.run_id, "redirects", "extract"))  # type: ignore[arg-type]
    return run


def reaped(project: Any) -> str:
    answer = sensor(project, "reaper")(dg.build_sensor_context(instance=project.instance))
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message or ""


@pytest.fixture
def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_is_ended_in_dagster_and_in_the_record_store(
    project: Any, dead_process: int
) -> None:
    run = unfinished(project, tags={HOST_TAG: socket.gethostname(), PROCESS_TAG: f"{dead_process} "})
    assert f"Its process {dead_process} is gone." in reaped(project)
    assert project.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert project.result(run.run_id) == "failed"
    items = project.items(run.run_id)
    assert {str(item.result) for item in items.values()} == {"failed"}
    assert "died" in items["redirects extract"].first_error
    assert reaped(project) == "Every started run is alive."


def test_a_live_run_is_left_alone(project: Any) -> None:
    tags = {HOST_TAG: socket.gethostname(), PROCESS_TAG: f"{os.getpid()} "}
    run = unfinished(project, tags=tags)
    assert reaped(project) == "Every started run is alive."
    assert project.result(run.run_id) == str(Result.RUNNING)


def test_a_process_of_another_machine_is_not_judged(project: Any, dead_process: int) -> None:
    unfinished(project, tags={HOST_TAG: "elsewhere", PROCESS_TAG: f"{dead_process} "})
    assert reaped(project) == "Every started run is alive."


def test_a_child_of_an_ended_run_is_ended_wherever_it_was(project: Any) -> None:
    parent = unfinished(project, tags={}, status="FAILURE")
    child = unfinished(project, tags={"graftport/parent": parent.run_id, HOST_TAG: "elsewhere"})
    assert f"{child.run_id}: Its run {parent.run_id} has ended." in reaped(project)


def test_a_canceled_run_whose_process_is_gone_ends_as_canceled(project: Any, dead_process: int) -> None:
    tags = {HOST_TAG: socket.gethostname(), PROCESS_TAG: f"{dead_process} "}
    run = unfinished(project, tags=tags, status="CANCELING")
    reaped(project)
    assert project.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED
    assert project.result(run.run_id) == "canceled"


def test_a_run_that_dagster_ended_by_itself_ends_in_the_record_store_too(project: Any) -> None:
    """Dagster's own server notices when a process that it launched crashes."""
    run = unfinished(project, tags={}, status="FAILURE")
    reaped(project)
    assert project.result(run.run_id) == "failed"


def test_a_run_that_was_made_and_never_launched_stands_in_the_way_of_others_for_minutes_only(project: Any) -> None:
    job = project.definitions().resolve_job_def("shop_migrate")
    run = project.instance.create_run_for_job(job, tags={"graftport/migration": "shop"})
    layout = Layout(load_migrations(project.migrations)["shop"])
    assert reap(project.instance, layout) == []
    assert why_not(project.instance, layout) == f"Run {run.run_id} of shop has not ended yet."
    ended = reap(project.instance, layout, now=datetime.now(UTC) + timedelta(minutes=11))
    assert ended == [f"{run.run_id}: It was never launched."]
    assert why_not(project.instance, layout) == ""


def test_the_next_run_reaps_first(project: Any, dead_process: int) -> None:
    tags = {HOST_TAG: socket.gethostname(), PROCESS_TAG: f"{dead_process} "}
    run = unfinished(project, tags=tags)
    project.run("extract", "redirects")
    assert project.result(run.run_id) == "failed"

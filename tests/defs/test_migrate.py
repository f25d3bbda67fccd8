"""All types in one run: order, isolation, results, the rehearsal that changes nothing."""

import itertools
import logging
from typing import Any

import dagster as dg
import pytest

from graftport_dagster.records import Phase, ResourceType, RunOptions

COLLECTIONS, PRODUCTS, REDIRECTS = ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS
BAD = "sku,title,price,collection\nA1,Tarp,10.00,tents\nA2,BAD,20.00,\n"


def children(instance: dg.DagsterInstance, run_id: str) -> dict[str, dg.DagsterRun]:
    """Partition → child run."""
    runs = instance.get_runs(dg.RunsFilter(tags={"graftport/parent": run_id}))
    return {run.tags["dagster/partition"]: run for run in runs}


def results(project: Any, run_id: str) -> dict[str, str]:
    return {name: str(item.result) for name, item in project.items(run_id).items()}


def test_everything_lands_in_one_run_and_a_second_has_nothing_to_do(project: Any) -> None:
    first = project.run("migrate")
    assert first.success
    assert project.result(first.run_id) == "succeeded"
    assert set(results(project, first.run_id).values()) == {"succeeded"}
    assert len(project.objects("Product")) == 3
    second = project.run("migrate")
    assert second.success
    assert project.result(second.run_id) == "unchanged"


def test_each_type_is_a_child_run_of_its_partition(project: Any) -> None:
    done = project.run("migrate")
    found = children(project.instance, done.run_id)
    assert sorted(found) == ["collections", "products", "redirects"]
    assert {run.status for run in found.values()} == {dg.DagsterRunStatus.SUCCESS}
    items = project.items(done.run_id)
    assert items["products load"].child_run_id == found["products"].run_id
    assert {project.state("shopify_loads", name) for name in found} == {"MATERIALIZED"}


def test_a_failed_type_stops_nobody_and_what_depends_on_it_is_held(project: Any) -> None:
    (project.migrations / "collections.csv").unlink()
    done = project.run("migrate")
    assert not done.success
    assert project.result(done.run_id) == "completed_with_errors"
    found = results(project, done.run_id)
    assert found["collections extract"] == "failed"
    assert "collections load" not in found
    assert project.items(done.run_id)["products load"].counts["held"] == 2
    assert found["redirects load"] == "succeeded"
    assert [project.state("source_data", name) for name in ("collections", "products", "redirects")] == [
        "FAILED", "MATERIALIZED", "MATERIALIZED",
    ]  # fmt: skip


@pytest.mark.parametrize("fail", [True, False])
def test_the_runs_success_follows_fail_on_row_errors(project: Any, fail: bool) -> None:
    project.write("products.csv", BAD)
    done = project.run("migrate", fail_on_row_errors=fail)
    assert done.success is not fail
    assert project.result(done.run_id) == "completed_with_errors"
    assert project.state("shopify_loads", "products") == ("FAILED" if fail else "MATERIALIZED")
    assert project.state("shopify_loads", "collections") == "MATERIALIZED"
    tags = project.instance.get_run_by_id(done.run_id).tags
    assert tags["graftport/result"] == "completed_with_errors"
    assert "This row is bad." in tags["graftport/first_error"]


def test_the_list_of_runs_says_of_each_type_and_of_all_what_became_of_the_records(project: Any) -> None:
    project.write("products.csv", BAD)
    done = project.run("migrate")
    told = {run.tags.get("dagster/partition", "all"): run.tags for run in project.instance.get_runs()}
    assert told["all"]["graftport/counts"] == "4 created"
    assert told["redirects"]["graftport/counts"] == "1 created"
    assert told["redirects"]["graftport/result"] == "succeeded"
    assert told["products"]["graftport/result"] == "completed_with_errors"
    assert "This row is bad." in told["products"]["graftport/first_error"]
    again = project.run("migrate", phases=("transform",), resource_types=("products",))
    assert project.instance.get_run_by_id(again.run_id).tags["graftport/counts"] == "2 records: 1 unchanged, 1 errored"
    assert done.run_id != again.run_id


def test_a_run_in_which_nothing_could_be_done_has_failed_even_where_row_errors_may_pass(project: Any) -> None:
    for name in ("collections", "products", "redirects"):
        (project.migrations / f"{name}.csv").unlink()
    done = project.run("migrate", fail_on_row_errors=False)
    assert not done.success
    assert project.result(done.run_id) == "failed"


PHASE_SETS = [tuple(phases) for size in (1, 2) for phases in itertools.combinations(Phase, size)]


@pytest.mark.parametrize("phases", PHASE_SETS, ids=lambda phases: "+".join(phases))
def test_any_subset_of_phases_runs_alone(project: Any, phases: tuple[Phase, ...]) -> None:
    done = project.run("migrate", phases=phases, resource_types=(REDIRECTS,))
    assert done.success
    assert list(project.items(done.run_id)) == [f"redirects {phase}" for phase in phases]


def test_only_the_types_that_were_asked_for_are_touched(project: Any) -> None:
    done = project.run("migrate", resource_types=(REDIRECTS, COLLECTIONS), phases=(Phase.EXTRACT,))
    assert list(project.items(done.run_id)) == ["collections extract", "redirects extract"]
    with project.store() as store:
        assert store.runs.find(done.run_id).options.resource_types == (COLLECTIONS, REDIRECTS)


def test_options_reach_the_children(project: Any) -> None:
    done = project.run("migrate", resource_types=(PRODUCTS,), phases=(Phase.EXTRACT,), limit=2, actor="ann")
    assert project.items(done.run_id)["products extract"].counts["read"] == 2
    with project.store() as store:
        assert store.runs.find(done.run_id).options == RunOptions(
            phases=(Phase.EXTRACT,), resource_types=(PRODUCTS,), limit=2, actor="ann"
        )


def test_a_dry_run_reports_and_changes_nothing(project: Any) -> None:
    done = project.run("dry_run")
    assert done.success
    assert project.result(done.run_id) == "succeeded"
    counts = project.items(done.run_id)["products load"].counts
    assert (counts["created"], counts["held"]) == (3, 0)
    assert project.objects("Product") == []
    assert project.objects("Collection") == []
    with project.store() as store:
        assert store.mappings.pinned("shop", PRODUCTS) is None
    assert project.state("source_data", "products") == ""
    report = done.events_for_node("shop_dry_run_report")
    (output,) = [event for event in report if event.is_successful_output]
    assert "shop" in output.step_output_data.metadata["report"].value
    assert project.run("migrate").success
    assert len(project.objects("Product")) == 3


def test_a_dry_run_goes_on_after_a_failed_type(project: Any) -> None:
    (project.migrations / "collections.csv").unlink()
    done = project.run("dry_run")
    assert not done.success
    found = results(project, done.run_id)
    assert found["collections extract"] == "failed"
    assert found["redirects load"] == "succeeded"


def test_a_paused_migration_fails_at_its_first_op_and_nothing_begins(project: Any) -> None:
    with project.store() as store:
        store.stores.pause("shop", by="ann", reason="cut-over")
    done = project.run("migrate")
    failed = done.failure_data_for_node("shop_migrate_begin")
    assert failed is not None
    assert failed.error is not None
    assert "cut-over" in failed.error.message
    assert failed.user_failure_data.metadata["code"].value == "PAUSED"
    assert children(project.instance, done.run_id) == {}


def test_a_run_says_which_one_it_repeats(project: Any) -> None:
    done = project.run("migrate", resource_types=(REDIRECTS,), tags={"graftport/retry_of": "an-earlier-run"})
    with project.store() as store:
        assert store.runs.find(done.run_id).retry_of == "an-earlier-run"


# One collection names its member itself, and so waits for a type that is loaded after its own.
WITH_MEMBER = """{"input": {
  "title": title, "handle": id,
  "sources": id = "tents"
    ? [{"source": {"title": "Chosen", "inclusion": {"selections": [{"productId": $ref("products", "A1")}]}}}]
}}"""


def test_records_that_waited_for_a_later_type_land_in_the_same_run(project: Any) -> None:
    project.write("mappings/collections.jsonata", WITH_MEMBER)
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    project.write("shop.yaml", text + "settings: {members: collections}\n")
    project.write("products.csv", "sku,title,price,collection\nA1,Tarp,10.00,\n")
    done = project.run("migrate")
    assert done.success
    assert project.result(done.run_id) == "succeeded"
    counts = project.items(done.run_id)["collections load"].counts
    assert (counts["in_scope"], counts["held"]) == (2, 0)
    assert project.state("shopify_loads", "collections") == "MATERIALIZED"
    assert len(project.objects("Collection")) == 2
    assert len(children(project.instance, done.run_id)) == 3


def test_a_rehearsal_that_fails_logs_no_mail_address(project: Any) -> None:
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    project.write("shop.yaml", text.replace("path: products.csv", "path: anna@example.com.csv"))
    logging.disable(logging.NOTSET)
    done = project.run("dry_run", resource_types=("products",))
    logged = "\n".join(entry.user_message for entry in project.instance.all_logs(done.run_id))
    assert "products: extract failed." in logged
    assert "anna@example" not in logged

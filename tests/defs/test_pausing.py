"""A schedule whose runs keep failing alike pauses itself and says so, until somebody, or a good run, lifts that."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from click.testing import CliRunner

from graftport_dagster.cli import main
from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import Phase, ResourceType, Result, Run, RunItem, RunOptions

PRODUCTS = ResourceType.PRODUCTS


def nightly(project: Any) -> str:
    """What the schedule says now; "" where it asks for a run."""
    (schedule,) = [one for one in project.definitions().schedules if one.name == "shop_nightly"]
    with (
        dg.DagsterInstance.local_temp(str(project.folder)) as instance,
        dg.build_schedule_context(instance=instance) as context,
    ):
        return schedule.evaluate_tick(context).skip_message or ""


def ran(
    project: Any, run_id: str, *, result: Result = Result.FAILED, error_class: ErrorClass = ErrorClass.CONNECTION,
    actor: str = "schedule nightly", phases: tuple[Phase, ...] = (Phase.EXTRACT, Phase.TRANSFORM),
    kind: ResourceType = PRODUCTS,
) -> None:  # fmt: skip
    with project.store() as store:
        started = datetime.now(UTC)
        options = RunOptions(resource_types=(kind,), actor=actor, phases=phases)
        store.runs.start(Run(run_id, "shop", options, started_at=started))
        failed = result is Result.FAILED
        item = RunItem(run_id, kind, Phase.EXTRACT, result, error_class=error_class if failed else None)
        store.runs.finish_item(item)
        store.runs.finish(run_id, result, "the source is not there" if failed else "")


def fail_five_times(project: Any) -> None:
    for number in range(5):
        ran(project, f"night-{number}")


def test_five_runs_that_fail_alike_pause_it_and_the_skip_says_what_lifts_that(project: Any) -> None:
    for number in range(4):
        ran(project, f"night-{number}")
    assert nightly(project) == ""
    ran(project, "night-4")
    said = nightly(project)
    assert "nightly has paused itself since" in said
    assert "5 runs in a row failed alike, the last one: the source is not there" in said
    assert "graftport resume shop" in said
    assert "shop_resume" in said
    told = json.loads(CliRunner().invoke(main, ["status", "shop", "--json"]).stdout)
    assert [one["schedule"] for one in told["paused_schedules"]] == ["nightly"]
    assert "nightly has paused itself" in " ".join(CliRunner().invoke(main, ["status", "shop"]).stdout.split())
    assert "nightly has paused itself" in CliRunner().invoke(main, ["runs", "shop"]).stderr


def test_failures_of_different_kinds_or_of_others_runs_do_not_pause_it(project: Any) -> None:
    for number in range(4):
        ran(project, f"night-{number}")
    ran(project, "night-4", error_class=ErrorClass.INVALID_ACCESS_TOKEN)
    for number in range(5):
        ran(project, f"by-hand-{number}", actor="ann")
    assert nightly(project) == ""


def test_the_freshness_sensor_whose_types_all_keep_failing_alike_pauses_itself(project: Any) -> None:
    (sensor,) = [one for one in project.definitions().sensors if one.name == "shop_source_freshness"]
    kinds = (ResourceType.COLLECTIONS, PRODUCTS, ResourceType.REDIRECTS)
    for number in range(5):
        answer = sensor(dg.build_sensor_context(instance=project.instance, definitions=project.definitions()))
        assert not isinstance(answer, dg.SkipReason), number
        for kind in kinds:
            ran(project, f"{kind}-{number}", actor="sensor source_freshness", kind=kind)
    answer = sensor(dg.build_sensor_context(instance=project.instance, definitions=project.definitions()))
    assert "source_freshness has paused itself since" in answer.skip_message


def test_a_person_lifts_it_and_only_failures_after_that_count(project: Any) -> None:
    fail_five_times(project)
    assert nightly(project)
    assert CliRunner().invoke(main, ["resume", "shop"]).exit_code == 0
    assert nightly(project) == ""


def test_it_is_lifted_in_dagster_by_a_job(project: Any) -> None:
    fail_five_times(project)
    assert nightly(project)
    assert project.definitions().resolve_job_def("shop_resume").execute_in_process(instance=project.instance).success
    assert nightly(project) == ""


def test_a_run_that_does_well_what_failed_lifts_it(project: Any) -> None:
    fail_five_times(project)
    assert nightly(project)
    ran(project, "too-narrow", result=Result.SUCCEEDED, actor="ann", phases=(Phase.TRANSFORM,))
    assert nightly(project)
    ran(project, "mended", result=Result.SUCCEEDED, actor="ann")
    assert nightly(project) == ""


def test_zero_never_pauses(project: Any) -> None:
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    project.write("shop.yaml", text + "options: {pause_after_failures: 0}\n")
    fail_five_times(project)
    assert nightly(project) == ""

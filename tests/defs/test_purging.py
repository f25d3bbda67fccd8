"""`<slug>_purge`: Dagster's old runs go with the record store's, and partitions keep their states."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from graftport_dagster.defs.purging import purge_with_dagster
from graftport_dagster.migration import find_migration
from tests.defs.conftest import Project


def test_old_runs_go_but_those_by_which_a_partition_stands(project: Project) -> None:
    first = project.run("extract", "products").run_id
    second = project.run("extract", "products").run_id
    migration, tomorrow = find_migration("shop"), datetime.now(UTC) + timedelta(days=1)
    with project.store() as store:
        looked = purge_with_dagster(store, migration, project.instance, before=tomorrow, dry_run=True)
        assert project.instance.has_run(first)
        done = purge_with_dagster(store, migration, project.instance, before=tomorrow, dry_run=False)
    assert looked["dagster_runs"] == done["dagster_runs"] == done["runs"] == [first]
    assert (project.instance.has_run(first), project.instance.has_run(second)) == (False, True)
    assert project.state("source_data", "products") == "MATERIALIZED"


def test_what_its_steps_wrote_goes_with_a_run(project: Project, tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        on_disk = replace(project, instance=instance)
        first = on_disk.run("extract", "products").run_id
        second = on_disk.run("extract", "products").run_id

        def of(run_id: str) -> list[Path]:
            return [path for path in (tmp_path / "dagster").rglob("*") if run_id in str(path) and path.is_file()]

        assert any(path.suffix == ".err" for path in of(first))
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        with project.store() as store:
            purge_with_dagster(store, find_migration("shop"), instance, before=tomorrow, dry_run=False)
        assert [path for path in of(first) if path.suffix in (".err", ".out", ".complete")] == []
        assert of(second)


def test_the_job_says_what_it_removed_and_its_schedule_is_off(project: Project) -> None:
    job = project.definitions().resolve_job_def("shop_purge")
    done = job.execute_in_process(instance=project.instance)
    metadata = done.all_node_events
    assert done.success
    assert any("before" in str(event.event_specific_data) for event in metadata)
    schedule = project.definitions().get_repository_def().get_schedule_def("shop_purge_daily")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED

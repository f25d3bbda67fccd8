"""`<slug>_purge`: Dagster's old runs go with the record store's, and partitions keep their states."""

from datetime import UTC, datetime, timedelta

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


def test_the_job_says_what_it_removed_and_its_schedule_is_off(project: Project) -> None:
    job = project.definitions().resolve_job_def("shop_purge")
    done = job.execute_in_process(instance=project.instance)
    metadata = done.all_node_events
    assert done.success
    assert any("before" in str(event.event_specific_data) for event in metadata)
    schedule = project.definitions().get_repository_def().get_schedule_def("shop_purge_daily")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED

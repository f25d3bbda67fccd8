"""What the code location holds: names, order, descriptions; and what it says of a file that is not right."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

ROOT = Path(__file__).resolve().parents[2]
OTHER = """
source:
  platform: csv
  files:
    redirects: {path: redirects.csv, id_column: path}
    collections: {path: collections.csv, id_column: id}
"""
GRAPH = """
incomplete_records <- shopify_loads
shopify_loads <- staged_records, checked by references_resolved, rows_are_conserved, rows_without_errors
source_data <-, checked by rows_are_conserved, rows_without_errors, source_was_read
staged_records <- source_data, checked by mapping_is_current, rows_are_conserved, rows_without_errors
"""


def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def job_names(definitions: dg.Definitions) -> set[str]:
    return {job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")}


def validate(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`dagster definitions validate` with nothing in the environment but where things are."""
    return subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "graftport_dagster.definitions"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}, cwd=folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_asset_graph_is_this(project: Any) -> None:
    definitions = project.definitions()
    checks: dict[str, list[str]] = {}
    for key in definitions.resolve_asset_graph().asset_check_keys:
        checks.setdefault(key.asset_key.to_user_string(), []).append(key.name)
    lines = []
    for name, spec in sorted(specs(definitions).items()):
        line = f"{name.removeprefix('shop/')} <- {', '.join(dep.asset_key.path[-1] for dep in spec.deps)}".rstrip()
        lines.append(line + (f", checked by {', '.join(sorted(checks[name]))}" if name in checks else ""))
    assert "\n".join(lines) == GRAPH.strip()


def test_partitions_are_the_enabled_types_in_dependency_order(project: Any) -> None:
    found = specs(project.definitions())
    for name in ("source_data", "staged_records", "shopify_loads"):
        partitions = found[f"shop/{name}"].partitions_def
        assert partitions is not None
        assert list(partitions.get_partition_keys()) == ["collections", "products", "redirects"]
    assert found["shop/incomplete_records"].partitions_def is None


def test_every_asset_has_an_owner_a_group_kinds_a_version_and_a_description(project: Any) -> None:
    for name, spec in specs(project.definitions()).items():
        assert spec.owners, name
        assert spec.group_name == "shop"
        assert spec.kinds, name
        assert spec.code_version, name
        assert spec.description, name
        assert spec.description.count("\n") == 0
        assert spec.tags["graftport/migration"] == "shop"


def test_the_jobs_sensors_and_schedules_are_these(project: Any) -> None:
    definitions = project.definitions()
    assert job_names(definitions) == {
        "shop_extract", "shop_transform", "shop_load", "shop_migrate_one", "shop_migrate", "shop_dry_run",
        "shop_replay", "shop_resume", "shop_purge",
    }  # fmt: skip
    sensors = {sensor.name: sensor.default_status.value for sensor in definitions.sensors or ()}
    assert sensors == {
        "shop_source_freshness": "STOPPED", "shop_reaper": "RUNNING", "shop_retry_due": "RUNNING",
        "shop_notifications": "STOPPED",
    }  # fmt: skip
    schedule, purge = [found for found in definitions.schedules or () if isinstance(found, dg.ScheduleDefinition)]
    assert (purge.name, purge.default_status.value) == ("shop_purge_daily", "STOPPED")
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone) == (
        "shop_nightly", "0 3 * * *", "Europe/Berlin",
    )  # fmt: skip
    assert schedule.default_status.value == "STOPPED"


def test_ops_stand_in_dependency_order(project: Any) -> None:
    job = project.definitions().resolve_job_def("shop_migrate")
    order = [node.name.removeprefix("shop_migrate_") for node in job.graph.nodes_in_topological_order]
    assert order[0] == "begin"
    assert order.index("collections") < order.index("products") < order.index("redirects")
    assert order[-1] == "report"


def test_several_migrations_stand_side_by_side(project: Any) -> None:
    project.write("other.yaml", OTHER)
    definitions = project.definitions()
    dg.Definitions.validate_loadable(definitions)
    assert {"shop/source_data", "other/source_data"} <= set(specs(definitions))
    assert {"shop_migrate", "other_migrate"} <= job_names(definitions)
    other = specs(definitions)["other/source_data"].partitions_def
    assert other is not None
    assert list(other.get_partition_keys()) == ["collections", "redirects"]


def test_the_code_location_loads_with_an_empty_environment(tmp_path: Path) -> None:
    done = validate(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PreviewWarning" not in done.stderr
    assert "BetaWarning" not in done.stderr


def test_secrets_are_not_looked_at_when_definitions_load(project: Any) -> None:
    done = validate(project.folder, GRAFTPORT_MIGRATIONS=str(project.migrations))
    assert done.returncode == 0, done.stderr


def test_a_broken_file_is_told_loudly_with_its_name_and_key(project: Any) -> None:
    project.write("other.yaml", OTHER.replace("platform", "plattform"))
    done = validate(project.folder, GRAFTPORT_MIGRATIONS=str(project.migrations))
    assert done.returncode == 0
    assert "other.yaml: source.plattform: unknown key, did you mean platform?" in done.stderr


@pytest.mark.parametrize("job", ["shop_migrate", "shop_dry_run", "shop_load"])
def test_every_job_says_whose_it_is(project: Any, job: str) -> None:
    found = project.definitions().resolve_job_def(job)
    assert found.tags["graftport/migration"] == "shop"
    assert found.description

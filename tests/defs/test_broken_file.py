"""A migration file that is not right: red, with its reason, and in nobody's way."""

import logging
from typing import Any

import dagster as dg
import pytest

from graftport_dagster.defs.factory import build_all
from graftport_dagster.defs.layout import Layout
from graftport_dagster.migration import read_migration

SENTENCE = "acme.yaml: source.platfrom: unknown key, did you mean platform?"


@pytest.fixture
def broken(project: Any) -> Any:
    project.write("acme.yaml", "source: {platfrom: files}\n")
    return project


def test_the_others_are_whole(broken: Any) -> None:
    there = build_all(broken.migrations)
    dg.Definitions.validate_loadable(there)
    whole = {key.path[-1] for key in broken_free(broken)}
    assert {key.path[-1] for key in there.resolve_all_asset_keys() if key.path[0] == "shop"} == whole
    assert there.resolve_job_def("shop_migrate").execute_in_process(instance=broken.instance).success


def broken_free(project: Any) -> set[dg.AssetKey]:
    layout = Layout(read_migration(project.migrations / "shop.yaml"))
    return {layout.asset(name) for name in ("source_data", "staged_records", "shopify_loads", "incomplete_records")}


@pytest.mark.parametrize("job", ["acme_migrate", "acme_dry_run"])
def test_its_jobs_fail_with_the_reason(broken: Any, job: str) -> None:
    done = build_all(broken.migrations).resolve_job_def(job).execute_in_process(
        instance=broken.instance, raise_on_error=False
    )  # fmt: skip
    assert not done.success
    assert SENTENCE in str(done.failure_data_for_node(f"{job}_file"))


def test_it_is_an_asset_that_tells_the_reason_and_fails_with_it(broken: Any) -> None:
    there = build_all(broken.migrations)
    (asset,) = [one for one in there.assets or () if isinstance(one, dg.AssetsDefinition) and one.key.path[0] == "acme"]
    assert SENTENCE in asset.descriptions_by_key[asset.key]
    done = dg.materialize([asset], instance=broken.instance, raise_on_error=False)
    assert not done.success


def test_it_is_told_when_the_code_is_loaded(broken: Any, caplog: pytest.LogCaptureFixture) -> None:
    logging.disable(logging.NOTSET)
    build_all(broken.migrations)
    assert [record.getMessage() for record in caplog.records] == [f"The migration acme is not there. {SENTENCE}"]


def test_a_name_that_dagster_cannot_take_is_told_all_the_same(broken: Any) -> None:
    broken.write("My-Shop.yaml", "source: {type: files}\n")
    assert dg.AssetKey(["My_Shop", "migration_file"]) in build_all(broken.migrations).resolve_all_asset_keys()


def test_two_files_of_one_name_are_neither(broken: Any) -> None:
    broken.write("shop/migration.yaml", "source: {type: files}\n")
    keys = {tuple(key.path) for key in build_all(broken.migrations).resolve_all_asset_keys()}
    assert keys == {("acme", "migration_file"), ("shop", "migration_file")}


def test_a_type_that_cannot_be_loaded_is_its_own_migrations_trouble(broken: Any) -> None:
    broken.write("other.yaml", "source: {type: files}\nresource_types: [markets]\n")
    keys = {tuple(key.path) for key in build_all(broken.migrations).resolve_all_asset_keys()}
    assert ("other", "migration_file") in keys or ("other", "source_data") in keys
    assert ("shop", "source_data") in keys


def test_a_schedule_that_dagster_cannot_take_is_told_and_stops_no_other_migration(project: Any) -> None:
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    project.write("never.yaml", text.split("schedules:")[0] + "schedules: {leap: {cron: '0 0 31 2 *'}}\n")
    there = build_all(project.migrations)
    assert {"shop", "never"} == {key.path[0] for key in there.resolve_all_asset_keys()}
    assert dg.AssetKey(["never", "migration_file"]) in there.resolve_all_asset_keys()

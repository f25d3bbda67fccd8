"""One partition through Dagster: what people see of it, and how it is tried again."""

import re
import shlex
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from graftport_dagster.cli.group import main as graftport
from graftport_dagster.defs.telling import leave_report
from graftport_dagster.pipeline import finish_run
from graftport_dagster.records import Phase, ResourceType, Run, RunOptions

BAD = "sku,title,price,collection\nA1,Tarp,10.00,\nA2,BAD,20.00,\nA3,Peg,1.50,\n"
GOOD = BAD.replace("BAD", "Burner")


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """What the asset's materialization, or else its observation, carries."""
    key = dg.AssetKey(["shop", asset])
    for event in result.all_events:
        if event.is_step_materialization and event.asset_key == key:
            return {name: value.value for name, value in event.materialization.metadata.items()}
        if event.event_type_value == "ASSET_OBSERVATION" and event.asset_key == key:
            found = event.asset_observation_data.asset_observation.metadata
            return {name: value.value for name, value in found.items()}
    return {}


def checks(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], bool]:
    found = result.get_asset_check_evaluations()
    return {(check.asset_key.path[-1], check.check_name): check.passed for check in found}


def failure(result: dg.ExecuteInProcessResult, asset: str) -> str:
    failed = result.failure_data_for_node(f"shop__{asset}")
    assert failed is not None
    assert failed.error is not None
    return str(failed.error.message)


def test_a_clean_partition_is_materialized_with_counts_that_plot_and_green_checks(project: Any) -> None:
    done = project.run("migrate_one", "redirects")
    assert done.success
    assert [project.state(asset, "redirects") for asset in ("source_data", "staged_records", "shopify_loads")] == [
        "MATERIALIZED"
    ] * 3
    loaded = metadata(done, "shopify_loads")
    assert (loaded["result"], loaded["in_scope"], loaded["created"], loaded["errored"]) == ("succeeded", 1, 1, 0)
    assert isinstance(loaded["seconds"], float)
    assert metadata(done, "staged_records")["mapping_version"].startswith("redirects/1 (")
    assert metadata(done, "source_data")["rows_read"] == 1
    assert set(checks(done).values()) == {True}
    assert len(checks(done)) == 9


def test_a_materialization_says_what_was_read_and_leads_to_the_records_and_to_the_report(project: Any) -> None:
    project.write("products.csv", BAD)
    done = project.run("migrate_one", "products", fail_on_row_errors=False)
    assert metadata(done, "source_data")["source"].startswith("sha256 ")
    loaded, staged = metadata(done, "shopify_loads"), metadata(done, "staged_records")
    assert "- products `A1`: created · `graftport record shop products A1`" in loaded["records"].splitlines()
    assert loaded["report_command"] == f"graftport report shop {done.run_id}"
    assert "This row is bad." in staged["report"]
    page = Path(loaded["report_page"])
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert page.stat().st_mode & 0o077 == 0
    opened = metadata(done, "incomplete_records")
    assert opened["open"] == 1
    (line,) = opened["oldest_records"].splitlines()
    assert line.startswith("- products `A2`: errored")
    assert [row.data["count"] for row in opened["by_type"].records] == [1]


def test_the_command_that_retries_is_one_that_the_command_line_takes(project: Any) -> None:
    project.write("products.csv", BAD)
    done = project.run("migrate_one", "products", fail_on_row_errors=False)
    everything, line = metadata(done, "incomplete_records")["to_retry"].splitlines()
    assert everything == "- all: `graftport incomplete retry shop --all`"
    (command,) = re.findall(r"^- 1 products, \w+: `graftport (incomplete retry shop .*)`$", line)
    project.write("products.csv", GOOD)
    project.run("extract", "products")
    answer = CliRunner().invoke(graftport, [*shlex.split(command), "--json"])
    assert answer.exit_code == 0, answer.output


def test_a_killed_run_leaves_its_page_too(project: Any) -> None:
    with project.store() as store:
        store.runs.start(Run("gone", "shop", RunOptions(resource_types=(ResourceType.REDIRECTS,))))
        finish_run(store, "gone")
        leave_report(store, "gone")
    assert (project.folder / "state" / "reports" / "gone" / "report.html").is_file()


def test_assets_lead_to_the_migration_file_and_to_the_mappings(project: Any) -> None:
    graph = project.definitions().resolve_asset_graph()

    def linked(asset: str) -> list[tuple[str | None, str]]:
        links = graph.get(dg.AssetKey(["shop", asset])).metadata["dagster/code_references"].code_references
        return [
            (link.label, Path(link.file_path).name) for link in links if isinstance(link, dg.LocalFileCodeReference)
        ]

    assert ("mapping of products", "products.jsonata") in linked("staged_records")
    assert ("migration file", "shop.yaml") in linked("shopify_loads")
    assert any(name == "assets.py" for _, name in linked("source_data"))


def test_a_check_is_yellow_until_all_of_the_source_was_read(project: Any) -> None:
    assert checks(project.run("extract", "products", limit=1))["source_data", "source_was_read"] is False
    assert checks(project.run("extract", "products"))["source_data", "source_was_read"] is True
    assert checks(project.run("extract", "products", limit=1))["source_data", "source_was_read"] is True


def test_a_green_check_says_what_it_went_by(project: Any) -> None:
    done = project.run("migrate_one", "redirects")
    told = {check.check_name: check.metadata for check in done.get_asset_check_evaluations()}
    assert str(told["mapping_is_current"]["mapping_version"].value).startswith("redirects/1 (")
    assert str(told["source_was_read"]["state"].value).startswith("sha256 ")
    assert told["rows_without_errors"]["errored"].value == 0


def test_pages_do_not_show_which_process_a_run_lives_in(project: Any) -> None:
    done = project.run("migrate_one", "redirects")
    tags = project.instance.get_run_by_id(done.run_id).tags
    assert [tag for tag in tags if "process" in tag] == [".dagster/graftport_worker_process"]


def test_a_run_of_assets_is_a_run_of_graftports_own(project: Any) -> None:
    done = project.run("migrate_one", "redirects")
    assert project.result(done.run_id) == "succeeded"
    tags = project.instance.get_run_by_id(done.run_id).tags
    assert tags["graftport/migration"] == "shop"
    assert tags["graftport/phases"] == "extract,transform,load"
    assert tags["graftport/result"] == "succeeded"


@pytest.mark.parametrize("phase", list(Phase))
def test_a_job_for_one_phase_does_that_phase(project: Any, phase: Phase) -> None:
    done = project.run(str(phase), "redirects")
    assert done.success
    assert list(project.items(done.run_id)) == [f"redirects {phase}"]
    assert project.result(done.run_id) in {"succeeded", "unchanged"}


def test_row_errors_fail_the_last_step_after_everything_else_has_landed(project: Any) -> None:
    project.write("products.csv", BAD)
    done = project.run("migrate_one", "products")
    assert not done.success
    assert sorted(item["title"] for item in project.objects("Product")) == ["Peg", "Tarp"]
    assert [project.state(asset, "products") for asset in ("source_data", "staged_records", "shopify_loads")] == [
        "MATERIALIZED", "MATERIALIZED", "FAILED",
    ]  # fmt: skip
    assert "products: some records could not pass; all others did." in failure(done, "shopify_loads")
    assert "This row is bad." in failure(done, "shopify_loads")
    assert metadata(done, "shopify_loads")["created"] == 2
    assert checks(done)["staged_records", "rows_without_errors"] is False
    assert checks(done)["shopify_loads", "rows_are_conserved"] is True
    assert project.result(done.run_id) == "completed_with_errors"
    tags = project.instance.get_run_by_id(done.run_id).tags
    assert "This row is bad." in tags["graftport/first_error"]


def test_row_errors_where_they_shall_not_fail_leave_the_partition_materialized_and_its_check_red(project: Any) -> None:
    project.write("products.csv", BAD)
    done = project.run("migrate_one", "products", fail_on_row_errors=False)
    assert done.success
    assert project.state("shopify_loads", "products") == "MATERIALIZED"
    assert checks(done)["staged_records", "rows_without_errors"] is False
    (evaluation,) = [
        check for check in done.get_asset_check_evaluations()
        if check.check_name == "rows_without_errors" and check.asset_key.path[-1] == "staged_records"
    ]  # fmt: skip
    assert evaluation.partition == "products"
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    table = metadata(done, "staged_records")["error_groups"].records
    assert [(row.data["count"], row.data["sample_ids"]) for row in table] == [(1, "A2")]


@pytest.mark.parametrize("fail", [True, False])
def test_materializing_again_is_the_retry_and_sends_only_what_failed(project: Any, fail: bool) -> None:
    project.write("products.csv", BAD)
    project.run("migrate_one", "products", fail_on_row_errors=fail)
    project.write("products.csv", GOOD)
    done = project.run("migrate_one", "products")
    assert done.success
    assert project.state("shopify_loads", "products") == "MATERIALIZED"
    assert set(checks(done).values()) == {True}
    loaded = project.items(done.run_id)["products load"].counts
    assert (loaded["created"], loaded["unchanged"]) == (1, 2)


def test_materializing_in_the_ui_is_a_run_with_the_same_manners(project: Any) -> None:
    """The UI selects assets in Dagster's own job, which has neither our tags nor our executor."""
    definitions = project.definitions()
    job = definitions.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        instance=project.instance, partition_key="redirects", raise_on_error=False,
        asset_selection=[dg.AssetKey(["shop", "source_data"]), dg.AssetKey(["shop", "staged_records"])],
    )  # fmt: skip
    assert done.success
    assert list(project.items(done.run_id)) == ["redirects extract", "redirects transform"]
    assert project.result(done.run_id) == "succeeded"
    assert project.instance.get_run_by_id(done.run_id).tags["graftport/migration"] == "shop"


def test_a_fatal_error_fails_its_own_step_with_what_to_do(project: Any) -> None:
    (project.migrations / "redirects.csv").unlink()
    done = project.run("migrate_one", "redirects")
    assert not done.success
    assert project.state("source_data", "redirects") == "FAILED"
    assert "redirects.csv" in failure(done, "source_data")
    assert metadata(done, "source_data")["result"] == "failed"
    assert project.result(done.run_id) == "failed"
    assert list(project.items(done.run_id)) == ["redirects extract"]


def test_a_secret_that_is_not_there_is_named(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    done = project.run("load", "redirects")
    failed = done.failure_data_for_node("shop__shopify_loads")
    assert failed is not None
    assert "SHOP_TOKEN" in failed.error.message
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.metadata["code"].value == "SECRET_MISSING"


@pytest.mark.parametrize(
    ("partition", "words"), [("orders", "shop has no partition orders."), ("", "needs one partition.")]
)
def test_a_partition_that_is_not_there_is_answered_with_those_that_are(
    project: Any, partition: str, words: str
) -> None:
    done = project.run("migrate_one", partition)
    assert words in failure(done, "source_data")
    assert "There are: collections, products, redirects." in failure(done, "source_data")


def test_a_paused_migration_says_so(project: Any) -> None:
    with project.store() as store:
        store.stores.pause("shop", by="ann", reason="cut-over")
    done = project.run("migrate_one", "redirects")
    assert "cut-over" in failure(done, "source_data")
    assert project.items(done.run_id) == {}


def test_held_records_turn_references_resolved_red(project: Any) -> None:
    done = project.run("migrate_one", "products")
    assert checks(done)["shopify_loads", "references_resolved"] is False
    assert project.items(done.run_id)["products load"].counts["held"] == 2


def test_a_mapping_that_was_changed_under_a_pin_turns_mapping_is_current_red(project: Any) -> None:
    project.run("transform", "redirects")
    with project.store() as store:
        pin = store.mappings.pinned("shop", "redirects")
        store.mappings.pin("shop", pin.version, held=True, by="ann")
    project.write("mappings/redirects.jsonata", '{"input": {"path": path, "target": "/"}}')
    done = project.run("transform", "redirects")
    assert checks(done)["staged_records", "mapping_is_current"] is False


def test_incomplete_records_shows_what_is_open(project: Any) -> None:
    project.write("products.csv", BAD)
    project.run("migrate_one", "products")
    definitions = project.definitions()
    done = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=project.instance, asset_selection=[dg.AssetKey(["shop", "incomplete_records"])]
    )
    shown = metadata(done, "incomplete_records")
    assert (shown["open"], shown["DataError"]) == (1, 1)
    assert shown["oldest_age_hours"] >= 0
    assert [row.data["resource_type"] for row in shown["by_type"].records] == ["products"]

"""Replays: an earlier run once more, on exactly the source data that it had, whatever has been read since."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from graftport_dagster.cli import main
from graftport_dagster.records import Phase, ResourceType
from graftport_dagster.store.tables import payloads

REDIRECTS = ResourceType.REDIRECTS
GOOD = '{"input": {"path": path, "target": target}}'


def rows(project: Any, **targets: str) -> None:
    lines = "".join(f"/{name},{target}\n" for name, target in targets.items())
    project.write("redirects.csv", f"path,target\n{lines}")


def targets(project: Any) -> dict[str, str]:
    return {one["path"]: one["target"] for one in project.objects("UrlRedirect")}


def replay(project: Any, run_id: str, **options: Any) -> Any:
    return project.run("replay", replay_of=run_id, **options)


def ask(*words: str, status: int = 0) -> Any:
    result = CliRunner().invoke(main, [*words, "--json"])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


@pytest.fixture
def failed(project: Any) -> Any:
    """A run whose mapping was wrong: nothing of what it read could land."""
    rows(project, a="/a-1", b="/b-1")
    project.write("mappings/redirects.jsonata", '$error("not yet")')
    project.failed = project.run("migrate", resource_types=("redirects",)).run_id
    project.write("mappings/redirects.jsonata", GOOD)
    return project


def test_a_replay_lands_what_the_run_had_and_not_what_is_there_now(failed: Any) -> None:
    rows(failed, a="/a-2", c="/c-2")
    failed.run("extract", "redirects")
    done = replay(failed, failed.failed, actor="ann", reason="the mapping is mended")
    assert done.success
    assert targets(failed) == {"/a": "/a-1", "/b": "/b-1"}
    with failed.store() as store:
        run = store.runs.find(done.run_id)
        assert (run.replay_of, run.options.phases) == (failed.failed, (Phase.TRANSFORM, Phase.LOAD))
        # What is staged and read now is untouched, and nothing of the replay's own rows is left.
        assert store.story("shop", REDIRECTS, "/a")["source"]["payload"]["target"] == "/a-2"
        assert store.replays.look(run, REDIRECTS).records == 2
    tags = failed.instance.get_run_by_id(done.run_id).tags
    assert tags["graftport/replay_of"] == failed.failed
    after = failed.run("migrate_one", "redirects")
    assert after.success
    assert targets(failed) == {"/a": "/a-2", "/b": "/b-1", "/c": "/c-2"}


def test_a_good_replay_closes_the_failure(failed: Any) -> None:
    assert [run["run_id"] for run in ask("runs", "shop", "--open")["runs"]] == [failed.failed]
    replay(failed, failed.failed)
    assert ask("runs", "shop", "--open")["runs"] == []
    assert ask("replay", "--failed")["replays"] == []


def test_what_something_newer_has_landed_for_is_passed_over_unless_that_is_asked_for(failed: Any) -> None:
    rows(failed, a="/a-2")
    failed.run("migrate_one", "redirects")
    (listed,) = ask("replay", failed.failed, "--dry-run")["replays"]
    assert listed["records"] == {"redirects": 2}
    assert listed["superseded"] == {"redirects": ["/a"]}
    assert (listed["replay_run_id"], listed["errors"]) == (None, [])

    done = replay(failed, failed.failed)
    counts = failed.items(done.run_id)["redirects load"].counts
    assert (counts["superseded"], counts["created"]) == (1, 1)
    assert targets(failed) == {"/a": "/a-2", "/b": "/b-1"}
    forced = replay(failed, failed.failed, overwrite_newer=True)
    assert forced.success
    assert targets(failed)["/a"] == "/a-1"


def test_two_failed_runs_replayed_in_turn_leave_the_later_data(failed: Any) -> None:
    failed.write("mappings/redirects.jsonata", '$error("still not")')
    rows(failed, a="/a-2")
    second = failed.run("migrate", resource_types=("redirects",)).run_id
    failed.write("mappings/redirects.jsonata", GOOD)
    for run_id in (failed.failed, second):
        assert replay(failed, run_id).success
    assert targets(failed)["/a"] == "/a-2"
    # The later one has landed: the earlier one overwrites nothing of it.
    done = replay(failed, failed.failed)
    assert failed.items(done.run_id)["redirects load"].counts["superseded"] == 1


def test_the_original_mapping_is_repeated_where_that_is_asked_for(failed: Any) -> None:
    done = replay(failed, failed.failed, mapping="original")
    item = failed.items(done.run_id)["redirects transform"]
    assert item.mapping_version.startswith("redirects/1 (")
    assert item.counts["errored"] == 2


def test_a_run_that_failed_in_extract_has_no_data_and_a_new_run_is_offered(project: Any) -> None:
    (project.migrations / "redirects.csv").unlink()
    run_id = project.run("migrate", resource_types=("redirects",)).run_id
    (told,) = ask("replay", "--failed", "--from", "2020-01-01", status=2)["replays"]
    assert told["run_id"] == run_id
    (error,) = told["errors"]
    assert "has no source data to repeat: it failed while it read the source" in error["messages"][0]
    assert "graftport run shop" in error["messages"][0]
    assert not replay(project, run_id).success


def test_purged_data_is_said_to_be_gone(failed: Any) -> None:
    with failed.store() as store, store._database.write() as connection:
        connection.execute(payloads.delete())
    (told,) = ask("replay", failed.failed, "--dry-run", status=2)["replays"]
    assert "2 of 2 redirects that run" in told["errors"][0]["messages"][0]


def test_failed_runs_are_found_by_time_platform_and_migration(failed: Any) -> None:
    assert [one["error"] for one in ask("replay", "--failed", "--dry-run", "--platform", "csv")["replays"]]
    assert ask("replay", "--failed", "--dry-run", "--to", "2020-01-01")["replays"] == []
    assert len(ask("replay", "--failed", "--dry-run", "--migration", "shop", "--from", "2020-01-01")["replays"]) == 1
    for words in (["replay"], ["replay", "--failed", failed.failed], ["replay", failed.failed, "--all"]):
        ask(*words, status=2)
    assert CliRunner().invoke(main, ["replay", "--failed", "--dry-run"]).exit_code == 0


def test_a_replay_by_command_gives_the_new_runs_id(failed: Any) -> None:
    (told,) = ask("replay", failed.failed, "--reason", "mended")["replays"]
    assert told["result"] == "succeeded"
    assert failed.result(told["replay_run_id"]) == "succeeded"
    assert targets(failed) == {"/a": "/a-1", "/b": "/b-1"}
    (again,) = ask("replay", told["replay_run_id"], status=2)["replays"]
    assert "ended well" in again["errors"][0]["messages"][0]

"""A replay beside what is newer, which it says nothing of; and what a run holds for itself until it has ended."""

from typing import Any

import pytest
import requests
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from graftport_dagster import pipeline
from graftport_dagster.migration import Defaults, Destination, FileSpec, Migration
from graftport_dagster.pipeline import plan_replay
from graftport_dagster.records import Phase, ResourceType, RunOptions
from graftport_dagster.source_settings import FilesSettings

REDIRECTS = ResourceType.REDIRECTS
GOOD = '{"input": {"path": path, "target": target}}'
PICKY = f'$contains(target, "2") ? $error("No twos.") : {GOOD}'
Shop = Any


@pytest.fixture
def redirects(shop: Shop) -> Shop:
    shop.migration = Migration(
        slug="shop", folder=shop.folder, resource_types=[REDIRECTS], options=Defaults(abort_after=100),
        source=FilesSettings(files={REDIRECTS: FileSpec(path="redirects.csv", id_column="path")}),
        destination=Destination(shop=shop.url, access_token="env:SIMULATOR_TOKEN", verify_after_seconds=0),
    )  # fmt: skip
    (shop.folder / "mappings").mkdir()
    use(shop, GOOD)
    return shop


def use(shop: Shop, mapping: str) -> None:
    (shop.folder / "mappings/redirects.jsonata").write_text(mapping, encoding="utf-8")


def write(shop: Shop, **targets: str) -> None:
    lines = "".join(f"/{name},{target}\n" for name, target in targets.items())
    (shop.folder / "redirects.csv").write_text(f"path,target\n{lines}", encoding="utf-8")


def run(shop: Shop, **options: Any) -> Any:
    return shop.run(resource_types=(REDIRECTS,), **options)


def replay(shop: Shop, run_id: str) -> Any:
    asked = plan_replay(shop.store, shop.migration, run_id, RunOptions(replay_of=run_id)).options
    items = {}
    with pipeline.open_work(shop.migration, asked, run_id=f"replay of {run_id}", store=shop.store) as work:
        for phase in asked.phases:
            items[str(phase)] = pipeline.run_phase(work, phase, REDIRECTS)
    pipeline.finish_run(shop.store, work.run.run_id)
    return items


def fail(shop: Shop, fault: str, **more: Any) -> None:
    rule = {"fault": fault, "operation": "urlRedirectCreate", **more}
    requests.post(f"{shop.url}/_simulator/faults", json=rule, timeout=9).raise_for_status()


def open_now(shop: Shop) -> list[tuple[str, str]]:
    return [(row["source_id"], row["phase"]) for row in shop.incomplete()]


def test_a_replay_leaves_the_failure_of_a_newer_mapping_open(redirects: Shop) -> None:
    use(redirects, '$error("not yet")')
    write(redirects, a="/1")
    run(redirects)
    use(redirects, PICKY)
    write(redirects, a="/2")
    run(redirects)
    assert open_now(redirects) == [("/a", "transform")]
    assert replay(redirects, "run-1")["load"].counts["created"] == 1
    assert open_now(redirects) == [("/a", "transform")]


LONG = "x" * 2100


def test_a_replay_that_passes_a_record_over_leaves_the_failure_of_its_newest_version_open(redirects: Shop) -> None:
    use(redirects, '$error("not yet")')
    write(redirects, a="/1")
    run(redirects)
    use(redirects, GOOD)
    write(redirects, a="/2")
    run(redirects)
    write(redirects, a=f"/{LONG}")
    run(redirects)
    assert open_now(redirects) == [("/a", "load")]
    assert replay(redirects, "run-1")["load"].counts["superseded"] == 1
    assert open_now(redirects) == [("/a", "load")]


def test_a_replay_that_lands_an_older_version_leaves_the_failure_of_the_newest_open(redirects: Shop) -> None:
    use(redirects, '$error("not yet")')
    write(redirects, a="/1")
    run(redirects)
    use(redirects, GOOD)
    write(redirects, a=f"/{LONG}")
    run(redirects)
    assert open_now(redirects) == [("/a", "load")]
    replay(redirects, "run-1")
    assert open_now(redirects) == [("/a", "load")]


def test_a_replay_that_fails_leaves_the_failure_of_the_newest_version_as_it_is(redirects: Shop) -> None:
    use(redirects, '$error("not yet")')
    write(redirects, a="/1")
    run(redirects)
    use(redirects, GOOD)
    write(redirects, a=f"/{LONG}")
    run(redirects)
    before = redirects.incomplete()
    use(redirects, '{"input": {"path": path, "target": target & "#" & $pad("", 2100, "x")}}')
    assert replay(redirects, "run-1")["load"].counts["errored"] == 1
    assert redirects.incomplete() == before


def test_a_replay_closes_what_it_repeats_and_what_is_older(redirects: Shop) -> None:
    write(redirects, a=f"/{LONG}")
    run(redirects)
    use(redirects, '{"input": {"path": path, "target": "/short"}}')
    assert replay(redirects, "run-1")["load"].counts["created"] == 1
    assert open_now(redirects) == []


def dies_at(shop: Shop, moment: str, run_id: str) -> None:
    """The process that ends a run dies at that statement; the next one ends the run as it finds it."""
    with shop.store._database.write() as connection:
        connection.execute(text(f"CREATE TRIGGER dies BEFORE {moment} BEGIN SELECT RAISE(ABORT, 'died'); END"))
    with pytest.raises(DatabaseError, match="died"):
        pipeline.finish_run(shop.store, run_id)
    with shop.store._database.write() as connection:
        connection.execute(text("DROP TRIGGER dies"))
    pipeline.finish_run(shop.store, run_id, canceled=True)


def rows_of(shop: Shop, run_id: str) -> int:
    """Rows that a run holds for itself."""
    with shop.store._database.read() as connection:
        held = f"SELECT count(*) FROM source_records WHERE dry_run_id = '{run_id}'"
        return int(connection.execute(text(held)).scalar_one())


def begin(shop: Shop, run_id: str, phase: Phase, asked: RunOptions) -> None:
    with pipeline.open_work(shop.migration, asked, run_id=run_id, store=shop.store) as work:
        pipeline.run_phase(work, phase, REDIRECTS)


def test_a_run_whose_process_dies_while_it_ends_keeps_no_record_claimed(redirects: Shop) -> None:
    write(redirects, a=f"/{LONG}")
    run(redirects)
    begin(redirects, "dying", Phase.EXTRACT, RunOptions(phases=(Phase.EXTRACT, Phase.LOAD)))
    assert [row["claimed_by"] for row in redirects.incomplete()] == ["dying"]
    dies_at(redirects, "UPDATE OF claimed_by ON incomplete_records", "dying")
    assert [(row["status"], row["claimed_by"]) for row in redirects.incomplete()] == [("unresolved", "")]


def test_a_dry_run_whose_process_dies_while_it_ends_leaves_no_rows(redirects: Shop) -> None:
    write(redirects, a="/1")
    begin(redirects, "dying", Phase.EXTRACT, RunOptions(dry_run=True))
    assert rows_of(redirects, "dying") == 1
    dies_at(redirects, "DELETE ON source_records", "dying")
    assert rows_of(redirects, "dying") == 0


def test_a_replay_whose_process_dies_while_it_ends_leaves_no_rows(redirects: Shop) -> None:
    use(redirects, '$error("not yet")')
    write(redirects, a="/1")
    run(redirects)
    asked = plan_replay(redirects.store, redirects.migration, "run-1", RunOptions(replay_of="run-1")).options
    begin(redirects, "dying", Phase.TRANSFORM, asked)
    assert rows_of(redirects, "dying") == 1
    dies_at(redirects, "DELETE ON source_records", "dying")
    assert rows_of(redirects, "dying") == 0

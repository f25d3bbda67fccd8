"""A Shopify store that cannot be loaded into is told of once, early, and costs the run little."""

import socket
import time
from typing import Any

import pytest
import yaml

MESSAGE = "The environment variable SHOP_TOKEN is not set. Set SHOP_TOKEN and run again."


def failures(done: Any) -> list[str]:
    """What each failed step said."""
    return [
        event.event_specific_data.error.message + "".join(
            cause.message for cause in [event.event_specific_data.error.cause] if cause
        )
        for event in done.all_events if event.is_failure and event.is_step_event
    ]  # fmt: skip


@pytest.mark.parametrize(("job", "partition"), [("migrate", ""), ("dry_run", ""), ("migrate_one", "products")])
def test_an_unset_secret_ends_the_run_before_anything_is_read(
    project: Any, monkeypatch: pytest.MonkeyPatch, job: str, partition: str
) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    done = project.run(job, partition)
    assert not done.success
    assert MESSAGE in failures(done)[0]
    with project.store() as store:
        assert store.runs.find(done.run_id) is None


def test_a_run_that_loads_nothing_needs_no_secret(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    assert project.run("extract", "products").success


def test_an_unknown_publication_fails_the_type_at_once_in_one_sentence(project: Any) -> None:
    project.write("mappings/collections.jsonata", '{"input": {"title": title}, "publications": ["Kiosk"]}')
    done = project.run("migrate")
    item = project.items(done.run_id)["collections load"]
    assert (str(item.result), item.error_groups) == ("failed", ())
    assert item.first_error.startswith("publications: The store has no publication Kiosk.")
    assert item.counts["not_reached"] == item.counts["in_scope"] == 2
    assert project.objects("Collection") == []


@pytest.mark.slow
def test_an_unreachable_store_costs_the_whole_run_no_more_than_one_wait(project: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8").replace(project.url, nobody)
    project.write("shop.yaml", text)
    assert yaml.safe_load(text)["destination"]["shop"] == nobody
    began = time.monotonic()
    done = project.run("migrate")
    assert time.monotonic() - began < 30
    loads = [item for name, item in project.items(done.run_id).items() if name.endswith(" load")]
    assert len(loads) == 3
    assert {str(item.error_class) for item in loads} == {"ConnectionError"}
    seconds = sorted((item.ended_at - item.started_at).total_seconds() for item in loads)
    assert seconds[1] < 3

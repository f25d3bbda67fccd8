"""Replays and retries through Dagster's own API, in the words of the documentation, against a real webserver."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from tests.defs.conftest import PRODUCT

PAGE = Path(__file__).resolve().parents[2] / "docs" / "replay-and-retry.md"
SETTINGS = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
"""


@pytest.fixture
def webserver(project: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a webserver of the project's own, which launches what it is asked to at once."""
    home = project.folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(SETTINGS, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("dagster-webserver")), "-m", "graftport_dagster.definitions"]
    process = subprocess.Popen(
        [*command, "-h", "127.0.0.1", "-p", str(port)], cwd=project.folder,
        env=os.environ | {"DAGSTER_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/graphql"
    try:
        wait_for(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + 180
    while True:
        try:
            if requests.post(url, json={"query": "{ version }"}, timeout=5).ok:
                return
        except requests.RequestException:
            assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.3)


def documented(kind: str) -> str:
    """The query or mutation of the page, for this test's migration."""
    blocks = re.findall(r"```graphql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(kind)]
    return str(found).replace("demo", "shop")


def ask(url: str, query: str, **variables: Any) -> Any:
    answer = requests.post(url, json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer
    return answer["data"]


def ended(url: str, run_id: str) -> str:
    give_up = time.monotonic() + 180
    query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    while True:
        status = str(ask(url, query, id=run_id)["runOrError"]["status"])
        if status in ("SUCCESS", "FAILURE", "CANCELED"):
            return status
        assert time.monotonic() < give_up, status
        time.sleep(0.5)


def launch(url: str, mutation: str, **options: Any) -> str:
    config = {"resources": {"options": {"config": options}}}
    launched = ask(url, mutation, config=config)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


@pytest.mark.slow
def test_a_failed_run_is_found_and_replayed_as_the_page_says(project: Any, webserver: str) -> None:
    project.write("mappings/redirects.jsonata", '$error("not yet")')
    migrate = documented("mutation Replay").replace("shop_replay", "shop_migrate")
    failed = launch(webserver, migrate, resource_types=["redirects"])
    assert ended(webserver, failed) == "FAILURE"
    found = ask(webserver, documented("query FailedRuns"), after=0.0)["runsOrError"]["results"]
    assert failed in [run["runId"] for run in found]

    project.write("mappings/redirects.jsonata", '{"input": {"path": path, "target": target}}')
    replayed = launch(
        webserver, documented("mutation Replay"), replay_of=failed, actor="ops", reason="the outage of Friday"
    )
    assert ended(webserver, replayed) == "SUCCESS"
    assert [one["path"] for one in project.objects("UrlRedirect")] == ["/old-tents"]
    with project.store() as store:
        run = store.runs.find(replayed)
        assert (run.replay_of, run.options.actor, run.options.reason) == (failed, "ops", "the outage of Friday")


def wait_until(happens: Callable[[], Any]) -> None:
    give_up = time.monotonic() + 180
    while not happens():
        assert time.monotonic() < give_up
        time.sleep(0.2)


@pytest.mark.slow
def test_a_launched_run_is_canceled_and_its_partition_retried_as_the_page_says(
    slow_project: Any, webserver: str
) -> None:
    project, retry = slow_project, documented("mutation RetryPartition")
    project.write("mappings/products.jsonata", PRODUCT.replace('"BAD"', '"Product 11"'))
    stopped = launch(webserver, retry)
    wait_until(lambda: project.objects("Product"))
    asked = ask(webserver, documented("mutation Cancel"), run=stopped)["terminateRun"]
    assert asked["__typename"] == "TerminateRunSuccess", asked
    assert ended(webserver, stopped) == "CANCELED"
    assert project.result(stopped) == "canceled"
    load = project.items(stopped)["products load"]
    assert (load.result, load.counts["unknown"]) == ("canceled", 0)
    assert load.counts["created"] + load.counts["not_reached"] == 14
    (sensor,) = [one for one in project.definitions().sensors if one.name == "shop_retry_due"]
    answer = sensor(dg.build_sensor_context(instance=project.instance, definitions=project.definitions()))
    assert not getattr(answer, "run_requests", None)

    # All that can pass does; the one that cannot leaves the partition failed.
    project.slow_down(0)
    failed = launch(webserver, retry)
    assert ended(webserver, failed) == "FAILURE"
    assert project.items(failed)["products load"].counts["created"] == load.counts["not_reached"]

    project.write("mappings/products.jsonata", PRODUCT)
    again = launch(webserver, retry, retry="open", actor="ops", reason="the mapping is mended")
    assert ended(webserver, again) == "SUCCESS"
    counts = project.items(again)["products load"].counts
    assert (counts["in_scope"], counts["created"]) == (1, 1)
    titles = [one["title"] for one in project.objects("Product")]
    assert len(titles) == len(set(titles)) == 15
    with project.store() as store:
        run = store.runs.find(again)
        assert (run.options.actor, run.options.reason, run.result) == ("ops", "the mapping is mended", "succeeded")

"""The stock feed of `docs/feeds.md`: its file makes the definitions that the page names, and its commands run."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from graftport_dagster.cli import main
from tests.defs.conftest import ROOT

PAGE = (ROOT / "docs" / "feeds.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def feed(project: Any) -> Any:
    (settings,) = blocks("yaml")
    whole = yaml.safe_load((project.migrations / "shop.yaml").read_text(encoding="utf-8")) | yaml.safe_load(settings)
    (project.migrations / "shop.yaml").unlink()
    project.write("demo.yaml", yaml.safe_dump(whole))
    return project


def test_the_feed_of_the_page_is_two_schedules_that_ask_for_what_it_says(feed: Any) -> None:
    definitions = feed.definitions()
    schedules = {one.name: one for one in definitions.schedules}
    assert {"demo_nightly", "demo_stock"} <= set(schedules)
    with (
        dg.DagsterInstance.local_temp(str(feed.folder)) as instance,
        dg.build_schedule_context(instance=instance) as context,
    ):
        (request,) = schedules["demo_stock"].evaluate_tick(context).run_requests
    config = request.run_config["resources"]["options"]["config"]
    assert config["field_filter"] == {"products": ["stock", "price"]}
    sensors = {one.name: one for one in definitions.sensors}
    assert sensors["demo_source_freshness"].minimum_interval_seconds == 300


@pytest.mark.slow
def test_every_command_of_the_page_runs(feed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(feed.folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 9
    for line in lines:
        program, *words = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', line)]
        if program.endswith("graftport"):
            answer = CliRunner().invoke(main, words)
            assert answer.exit_code == 0, (line, answer.output)
            if words[0] == "status" and "cut-over" not in answer.output:
                pytest.fail(answer.output)
        else:
            command = [str(Path(sys.executable).with_name("dagster")), *words]
            done = subprocess.run(command, cwd=feed.folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (line, done.stdout + done.stderr)
            assert "Started" in done.stdout

"""The workflow of `docs/ci.md`, its steps run as a runner would run them, in a repository with a changed mapping."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.defs.conftest import MAPPINGS, ROOT

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").replace("acme", "shop")
BAD = "sku,title,price,collection\nA1,Tarp,10.00,tents\nA2,BAD,20.00,stoves\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


class Runner:
    """What of a runner the workflow needs: a checkout, a file for outputs and one for the summary."""

    def __init__(self, project: Any) -> None:
        self.folder: Path = project.folder
        (workflow,) = [text for text in blocks("yaml") if text.startswith("# .github")]
        self.jobs = yaml.safe_load(workflow)["jobs"]
        self.outputs: dict[str, str] = {}
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "GRAFTPORT_MIGRATIONS": "migrations", "GITHUB_BASE_REF": "main",
            "GITHUB_OUTPUT": str(self.folder / "outputs"), "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@example.com", "GIT_COMMITTER_NAME": "ann",
            "GIT_COMMITTER_EMAIL": "ann@example.com",
        }  # fmt: skip
        self.shell("git init -q -b main && git add migrations && git commit -qm start")
        self.shell("git update-ref refs/remotes/origin/main main && git checkout -q -b change")

    def shell(self, text: str, status: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def run(self, job: str, **statuses: int) -> list[str]:
        """Every step with a command, but the installation; the names of those that ran."""
        ran = []
        for step in self.jobs[job]["steps"]:
            command = step.get("run", "")
            name = step.get("name", "")
            if not command or command.startswith("pip install "):
                continue
            if "outputs.types != ''" in step.get("if", "") and not self.outputs.get("types"):
                continue
            command = re.sub(
                r"\$\{\{ steps\.changed\.outputs\.(\w+) \}\}", lambda found: self.outputs[found[1]], command
            )
            assert "${{" not in command
            self.shell(command, statuses.get(name.split()[0].lower(), 0))
            ran.append(name)
            if (self.folder / "outputs").exists():
                lines = (self.folder / "outputs").read_text(encoding="utf-8").splitlines()
                self.outputs |= dict(line.split("=", 1) for line in lines)
        return ran


@pytest.mark.slow
def test_a_changed_mapping_is_rehearsed_and_a_merge_loads(project: Any) -> None:
    runner = Runner(project)
    assert runner.run("load") == ["Check", "Load", "Report"]
    assert runner.run("rehearse") == ["Which mappings changed"]

    project.write("mappings/products.jsonata", MAPPINGS["products"].replace('"title": title', '"title": title & "!"'))
    runner.shell("git add migrations && git commit -qm change")
    assert runner.run("rehearse") == ["Which mappings changed", "Dry run of these", "Report"]
    assert runner.outputs == {"types": "products"}
    summary = (project.folder / "summary.md").read_text(encoding="utf-8")
    assert "Dry run" in summary
    assert "| products | 3 update |" in summary
    assert "Peg!" in (project.folder / "report.html").read_text(encoding="utf-8")
    assert sorted(one["title"] for one in project.objects("Product")) == ["Burner", "Peg", "Tarp"]

    project.write("products.csv", BAD)
    runner.run("load", load=1)
    assert sorted(one["title"] for one in project.objects("Product")) == ["Burner", "Peg", "Tarp!"]
    assert "This row is bad." in (project.folder / "errors.csv").read_text(encoding="utf-8-sig")

    (green,) = blocks("sh")
    (options,) = [text for text in blocks("yaml") if "fail_on_row_errors" in text]
    (project.folder / "options.yaml").write_text(options, encoding="utf-8")
    runner.shell(green)

"""Both settings files of Dagster work as they lie there: SQLite beside the project, Postgres on a server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

ROOT = Path(__file__).resolve().parents[1]
URL_VARIABLE = "GRAFTPORT_DAGSTER_URL"
JOB = """
import dagster as dg

@dg.op
def count(context):
    context.log.info("counted")

@dg.job
def tiny():
    count()
"""


def execute(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (folder / "tiny_job.py").write_text(JOB, encoding="utf-8")
    dagster = str(Path(sys.executable).with_name("dagster"))
    return subprocess.run(
        [dagster, "job", "execute", "-f", "tiny_job.py", "-j", "tiny"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in {"DAGSTER_HOME", URL_VARIABLE}}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_local_settings_keep_runs_beside_the_project_without_dagster_home(tmp_path: Path) -> None:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)

    for _ in range(2):
        done = execute(tmp_path, {})
        assert done.returncode == 0, done.stderr

    assert len(list((tmp_path / ".dagster" / "history" / "runs").glob("*-*.db"))) == 2
    assert not list(tmp_path.glob(".tmp_dagster_home_*"))
    assert "DEBUG" not in done.stderr


def test_server_settings_keep_runs_in_postgres(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home)

    done = execute(tmp_path, {"DAGSTER_HOME": str(home), URL_VARIABLE: postgres_url})
    assert done.returncode == 0, done.stderr

    monkeypatch.setenv(URL_VARIABLE, postgres_url)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_runs(limit=1)[0]
        assert (run.job_name, run.status) == ("tiny", dg.DagsterRunStatus.SUCCESS)
        assert any(record.user_message == "counted" for record in instance.all_logs(run.run_id))
        instance.delete_run(run.run_id)
    assert not list(tmp_path.rglob("*.db"))


def test_server_settings_name_the_variable_that_is_missing(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy" / "dagster.yaml", tmp_path)

    done = execute(tmp_path, {"DAGSTER_HOME": str(tmp_path)})

    assert done.returncode != 0
    assert URL_VARIABLE in done.stdout + done.stderr


def test_workspace_and_project_name_the_same_code_location() -> None:
    for text in (
        (ROOT / "workspace.yaml").read_text(encoding="utf-8"),
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
    ):
        assert "graftport_dagster.definitions" in text
        assert "location_name" in text

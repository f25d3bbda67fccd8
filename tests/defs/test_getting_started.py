"""The table of `docs/getting-started.md`: its files are written, its commands run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.defs.conftest import ROOT

PAGE = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Your own table") : PAGE.index("## Your own shop")]
MOST_COMMANDS = 14


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)


@pytest.mark.slow
def test_a_table_lands_by_the_commands_of_the_page_and_fewer_than_fifteen(tmp_path: Path) -> None:
    (settings,), (mapping,) = blocks("yaml"), blocks("jsonata")
    first, then = blocks("sh")
    commands = [line for block in (first, then) for line in block.splitlines()]
    assert len(commands) <= MOST_COMMANDS
    folder = tmp_path / "tea" / "migrations"
    files = {"tea.yaml": settings, "mappings/products.jsonata": mapping}
    written = "".join(f"cat > {folder}/{name} <<'END'\n{text}END\n" for name, text in files.items())
    script = f"set -ex\n{first}{written}{then}"
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    environment = {
        **os.environ, "DAGSTER_HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
        "GRAFTPORT_STATE": str(tmp_path / "state"), "GRAFTPORT_STORE_URL": f"sqlite:///{tmp_path}/records.db",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout
    assert "2 create" in told
    assert "2 created" in told
    assert "No price yet." in told
    assert "1 updated" in told
    assert "✓ all there" in told

"""Every command of the pages on recovery is run, on a shop where rows have failed."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from graftport_dagster.cli import main

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def commands(page: str) -> list[list[str]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = [line for block in SHELL.findall(text) for line in block.splitlines() if line.strip()]
    found = [re.sub(r"\s+# .*", "", line).removeprefix(".venv/bin/graftport ") for line in lines]
    return [[part.strip('"') for part in re.findall(r'"[^"]*"|\S+', line)] for line in found]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["when-rows-fail.md", "replay-and-retry.md"])
def test_every_command_of_the_page_does_something(page: str, project: Any) -> None:
    project.write("products.csv", "sku,title,price,collection\nA1,Tarp,10.00,\nA2,BAD,20.00,\n")
    failed = project.run("migrate", resource_types=("products",)).run_id
    asked = commands(page)
    assert len(asked) >= 6
    for words in asked:
        named = {"demo": "shop", "RUN": failed, "MS-001": "A2"}
        done = CliRunner().invoke(main, [named.get(word, word) for word in words])
        # What an earlier command of the page has mended, or given up, a later one may refuse, in a sentence.
        assert done.exit_code in (0, 2, 3), (words, done.output)
        if done.exit_code == 2:
            assert re.search("open|made it good|ended well|made good|has no", done.output), (words, done.output)

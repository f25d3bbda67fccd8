"""Help, refusals and exit statuses, which every command has in common."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from graftport_dagster.cli import main
from graftport_dagster.cli.group import COMMANDS

Invoke = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[2]


def process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "graftport_dagster.cli", *words], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, check=False,
    )  # fmt: skip


def test_every_command_is_listed_with_the_words_of_its_own_help(graftport: Invoke) -> None:
    listed = graftport("--help").stdout
    context = click.Context(main)
    for name, (_, line) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert name in listed
        assert (command.help or "").split("\n\n")[0].replace("\n", " ").strip() == line


def test_without_a_command_the_help_is_shown(graftport: Invoke) -> None:
    assert "Commands:" in graftport().stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("recrod",), "There is no command recrod. Did you mean record?"),
        (("runs", "shopp"), "There is no migration shopp in "),
        (("runs", "shopp"), "Did you mean shop?"),
        (("errors", "shop", "--resource-type", "product"), "There is no resource type product. Did you mean products?"),
        (("errors", "shop", "--phase", "transfrom"), "There is no phase transfrom. Did you mean transform?"),
        (("runs", "--from", "yesterday"), "yesterday is no time; write for example 2026-11-21"),
        (("runs", "--limit", "0"), "0 is not in the range 1<=x<=2147483647."),
        (("runs", "--lmit", "3"), "No such option '--lmit'."),
        (("runs", "shop", "--all"), "Give SLUG, --all or --platform, one of them."),
        (("runs", "--platform", "magneto"), "Did you mean magento?"),
    ],
)
def test_wrong_usage_is_one_sentence_on_stderr_and_status_2(graftport: Invoke, words: list[str], sentence: str) -> None:
    result = graftport(*words, status=2)
    assert result.stdout == ""
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_wrong_usage_with_json_is_one_object_on_stdout(told: Callable[..., Any]) -> None:
    answer = told("errors", "shop", "--resource-type", "product", status=2)
    assert answer == {
        "errors": [
            {"field": "resource_type", "messages": ["There is no resource type product. Did you mean products?"]}
        ]
    }
    assert told("runs", "shopp", status=2)["errors"][0]["field"] == "migration"
    assert told("rusn", status=2)["errors"][0]["field"] == "command"
    assert told("runs", "--lmit", "3", status=2)["errors"][0]["field"] == "lmit"


def test_a_migration_file_with_a_mistake_names_file_and_place(graftport: Invoke, folder: Path) -> None:
    (folder / "broken.yaml").write_text("source: {platfrom: files}\n", encoding="utf-8")
    sentence = "broken.yaml: source.platfrom: unknown key, did you mean platform?"
    assert sentence in " ".join(graftport("migrations", status=2).stdout.split())
    assert sentence in graftport("mapping", "history", "broken", "products", status=2).stderr


def test_a_migration_file_with_a_mistake_stops_no_other_migration(
    graftport: Invoke, told: Callable[..., Any], folder: Path
) -> None:
    (folder / "broken.yaml").write_text("source: {platfrom: files}\n", encoding="utf-8")
    graftport("mapping", "history", "shop", "products")
    listed = told("migrations", status=2)
    assert [one["slug"] for one in listed["migrations"]] == ["other", "shop"]
    assert [one["slug"] for one in listed["broken"]] == ["broken"]
    assert told("runs", "--platform", "magento") == {"runs": []}


def test_an_unset_secret_is_refused_before_a_run_begins(graftport: Invoke, folder: Path) -> None:
    destination = "destination: {shop: acme.myshopify.com, access_token: env:NO_SUCH_TOKEN}\n"
    with (folder / "shop.yaml").open("a", encoding="utf-8") as file:
        file.write(destination)
    result = graftport("run", "shop", status=2)
    sentence = "The environment variable NO_SUCH_TOKEN is not set. Set NO_SUCH_TOKEN and run again."
    assert result.stderr == f"Error: {sentence}\n"


def test_a_place_that_cannot_be_written_is_said_without_a_traceback(graftport: Invoke, tmp_path: Path) -> None:
    result = graftport("errors", "shop", "--csv", str(tmp_path / "nowhere" / "errors.csv"), status=1)
    assert "nowhere/errors.csv: No such file or directory." in result.stderr
    assert "Traceback" not in result.stderr


def test_a_record_store_from_nowhere_is_refused_with_status_2(
    graftport: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFTPORT_STORE_URL", "mysql://root@localhost/graftport")
    assert graftport("runs", status=2).stderr.startswith("Error: ")


def test_the_console_exits_as_the_contract_says() -> None:
    assert process("runs").returncode == 0
    refused = process("runs", "shopp", "--json")
    assert (refused.returncode, refused.stderr) == (2, "")
    assert json.loads(refused.stdout)["errors"][0]["field"] == "migration"


def test_neither_help_nor_lists_import_dagster_or_pandas() -> None:
    code = (
        "import sys; from graftport_dagster.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('dagster', 'pandas', 'sqlalchemy') if name in sys.modules])"
    )

    def imported(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT, check=True
        ).stdout.splitlines()[-1]

    assert imported("--help") == "[]"
    assert imported("migrations") in ("[]", "['sqlalchemy']")
    assert imported("runs") == "['sqlalchemy']"
    assert imported("run", "--help") in ("[]", "['sqlalchemy']")


def test_output_in_a_narrow_encoding_loses_signs_and_nothing_else() -> None:
    result = process("migrations", PYTHONIOENCODING="ascii", COLUMNS="120")
    assert result.returncode == 0, result.stderr
    assert "shop" in result.stdout

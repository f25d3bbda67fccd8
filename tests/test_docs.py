"""The documentation cannot lie: what it names exists, and what exists it names."""

import ast
import gzip
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel

from graftport_dagster.errors import ErrorClass
from graftport_dagster.loaders.groups import field_groups
from graftport_dagster.loaders.registry import loadable
from graftport_dagster.mappings.functions import FUNCTIONS
from graftport_dagster.migration import Migration
from graftport_dagster.records import (
    EXTRACT_COUNTS,
    LOAD_COUNTS,
    TRANSFORM_COUNTS,
    Outcome,
    ResourceType,
    Result,
    RunOptions,
)
from graftport_dagster.simulator.faults import FAULTS
from graftport_dagster.simulator.old_shops.faults import FAULTS as OLD_SHOP_FAULTS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
PAGES = [page for page in PAGES if page.name != "HELPERS.md"]
SHELL = re.compile(r"```(?:sh|console|bash)\n(.*?)```", re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
UPPER = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def all_text() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def commands(program: str) -> Iterator[list[str]]:
    """Every use of the program in a shell block or a code span, as its words after the program's name."""
    text = all_text()
    lines = [line for block in SHELL.findall(text) for line in block.splitlines()]
    for line in [*lines, *SPAN.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))]:
        match = re.match(rf"(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?{program} (.+)", line.strip())
        if match:
            yield match[1].split("#")[0].split()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", text_of("Makefile"), re.MULTILINE))


def test_every_make_target_named_exists() -> None:
    named = {words[0] for words in commands("make") if re.fullmatch(r"[a-z-]+", words[0])}
    assert {"demo", "test", "dev"} <= named
    assert named <= make_targets()


def test_every_make_target_is_documented() -> None:
    named = {words[0] for words in commands("make")}
    assert sorted(make_targets() - named - {"help"}) == []


def cli_commands() -> dict[tuple[str, ...], click.Command]:
    from graftport_dagster.cli import main

    def walk(command: click.Command, name: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for word in command.list_commands(context):
                child = command.get_command(context, word)
                assert child is not None, word
                yield from walk(child, (*name, word))
        else:
            yield name, command

    return dict(walk(main, ()))


def test_every_graftport_command_named_exists() -> None:
    known = cli_commands()
    groups = {name[:-1] for name in known if len(name) > 1}
    for words in commands("graftport"):
        found = tuple(words[:2]) in known or tuple(words[:1]) in known or tuple(words[:1]) in groups
        assert found or words[0].startswith("-"), f"graftport {' '.join(words)}"


def test_every_graftport_command_has_help_and_a_section_with_all_its_options() -> None:
    page = text_of("docs/command-line.md")
    for name, command in cli_commands().items():
        assert command.help, name
        section = re.search(rf"^### `graftport {' '.join(name)}\b(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, f"graftport {' '.join(name)} has no section in docs/command-line.md"
        long = [max(option.opts, key=len) for option in command.params if isinstance(option, click.Option)]
        common = {"--help", "--json"}
        assert [option for option in long if option not in common and f"{option}" not in section[1]] == [], name


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and field of every setting of the migration file."""
    for name, field in model.model_fields.items():
        inner = [part for part in _parts(field.annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
        yield prefix + name, field
        for part in dict.fromkeys(inner):
            star = (
                ".*" if any(getattr(part, "__origin__", None) is Mapping for part in _parts(field.annotation)) else ""
            )
            yield from settings(part, f"{prefix}{name}{star}.")


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def documented_settings() -> dict[str, list[str]]:
    """Per setting the defaults shown; a setting of several kinds of sources may stand more than once."""
    shown: dict[str, list[str]] = {}
    for name, default in re.findall(r"^\| `([a-z_.*]+)` \| (.+?) \|", text_of("docs/migration-file.md"), re.MULTILINE):
        shown.setdefault(name, []).append(default.strip("`").replace("\u202f", "").replace(",", ""))
    return shown


# `slug` is the file's name and `folder` where it lies; neither is written into the file.
GIVEN = {"slug", "folder"}


def test_every_setting_of_the_migration_file_is_documented_and_none_else() -> None:
    assert set(documented_settings()) == {name for name, _ in settings(Migration)} - GIVEN


def test_documented_defaults_are_the_true_ones() -> None:
    shown = documented_settings()
    for name, field in settings(Migration):
        if name in GIVEN or field.is_required() or field.default_factory is not None:
            continue
        if isinstance(field.default, bool | int | float | str) and field.default != "":
            wanted = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert wanted in shown[name], f"{name}: documented {shown[name]}, is {wanted}"


# Calls that take a code of ours by position.
TAKES_A_CODE = {"refusal", "warn", "CellError", "BadRow", "InvalidRow", "Failure", "_bad", "_refused", "_Status"}
# Names in capitals that are no codes: arguments of the command line, and a word of Dagster's.
NO_CODES = {"SOURCE_ID", "ID_OR_EMAIL", "UNEXPECTED_TERMINATION", "DAGSTER_HOME"}
# JSONata's own codes are reported as they are.
JSONATA = re.compile(r"[DSTU]\d{4}")


def constants(node: ast.AST | None) -> set[str]:
    found = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant)) if node else ()
    return {text for text in found if isinstance(text, str) and UPPER.fullmatch(text)}


def codes_in(node: ast.AST) -> set[str]:
    if isinstance(node, ast.keyword) and node.arg == "code":
        return constants(node.value)
    if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "default_code" for target in node.targets):
        return constants(node.value)
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in TAKES_A_CODE:
        return set().union(*(constants(argument) for argument in node.args))
    return {text for text in constants(node) if "_" in text} if isinstance(node, ast.Constant) else set()


def words_of_shopify() -> set[str]:
    """Enum values of Shopify's schema, and kinds of GraphQL: names in capitals that are no codes of ours."""
    text = gzip.decompress((ROOT / "graftport_dagster" / "shopify" / "admin_2026-10.json.gz").read_bytes()).decode()
    return set(re.findall(r'"([A-Z][A-Z0-9_]*)"', text))


def package_trees() -> Iterator[ast.Module]:
    for path in (ROOT / "graftport_dagster").rglob("*.py"):
        # The simulator answers in Shopify's codes; the trimming of the schema is no part of a run.
        if "simulator" not in path.parts and path.name != "trim_schema.py":
            yield ast.parse(path.read_text(encoding="utf-8"))


def names_defined(tree: ast.Module) -> set[str]:
    """Constants that a module defines; `__all__` names them in capitals as well."""
    targets = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    return {getattr(target, "id", "") for target in targets}


def error_codes() -> set[str]:
    """Every code of ours that a report, a message or a JSON answer may carry."""
    found = set().union(*(codes_in(node) for tree in package_trees() for node in ast.walk(tree)))
    found |= set(re.findall(r"\$warn\(\"([A-Z_]+)\"", packaged_mappings()))
    names = set().union(*(names_defined(tree) for tree in package_trees()))
    found = {code for code in found if not JSONATA.fullmatch(code) and not code.startswith("GRAFTPORT_")}
    return found - NO_CODES - (names - documented_codes()) - (words_of_shopify() - documented_codes())


def documented_codes() -> set[str]:
    first_cells = re.findall(r"^\| ((?:`[A-Z0-9_]+`(?:, )?)+) \|", text_of("docs/errors.md"), re.MULTILINE)
    return {code for cell in first_cells for code in SPAN.findall(cell)}


def test_every_error_code_is_documented() -> None:
    assert sorted(error_codes() - documented_codes()) == []


def test_every_documented_error_code_is_in_the_package() -> None:
    there = set().union(*(constants(tree) for tree in package_trees()), error_codes())
    assert sorted(documented_codes() - there) == []


def test_every_error_class_is_documented() -> None:
    page = text_of("docs/errors.md")
    assert [str(error_class) for error_class in ErrorClass if f"`{error_class}`" not in page] == []


def test_every_run_option_count_outcome_and_result_is_documented() -> None:
    page = text_of("docs/runs.md")
    words = [
        *(field.name for field in fields(RunOptions)),
        *EXTRACT_COUNTS,
        *TRANSFORM_COUNTS,
        *LOAD_COUNTS,
        *Outcome,
        *Result,
    ]
    assert [word for word in dict.fromkeys(map(str, words)) if f"`{word}`" not in page] == []


def test_every_function_of_mappings_is_documented_with_its_example() -> None:
    documented = [line for line in text_of("docs/mappings.md").splitlines() if line.startswith("| `$")]
    assert documented == [
        f"| `${function.name}({function.takes})` | {function.gives} | `{function.example}` | "
        f"{f'`{json.dumps(function.result, ensure_ascii=False)}`' if function.result is not None else ''} |"
        for function in FUNCTIONS
    ]


def packaged_mappings() -> str:
    folder = ROOT / "graftport_dagster" / "mappings"
    return "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.jsonata"))


def test_every_setting_that_packaged_mappings_read_is_documented() -> None:
    functions = text_of("graftport_dagster/mappings/functions.py")
    read = {
        *re.findall(r"\$setting\(\"(\w+)\"", packaged_mappings()),
        *re.findall(r"settings\.get\(\"(\w+)\"", functions),
    }
    page = text_of("docs/mappings.md")
    assert len(read) > 5
    assert sorted(name for name in read if not re.search(rf"^\| `{name}` \|", page, re.MULTILINE)) == []


def test_every_field_group_of_a_type_that_can_be_loaded_is_documented() -> None:
    page = text_of("docs/runs.md")
    for resource_type in loadable():
        row = re.search(rf"^\| {resource_type} \| (.*) \|$", page, re.MULTILINE)
        assert row, resource_type
        assert set(SPAN.findall(row[1])) == field_groups(resource_type).names


def test_every_fault_of_the_simulator_is_documented() -> None:
    named = set(SPAN.findall(text_of("docs/simulator.md")))
    assert {fault for fault in FAULTS if not {fault, fault.removesuffix("_after_commit")} & named} == set()
    assert set(OLD_SHOP_FAULTS) - named == set()


def test_every_control_path_of_the_simulator_is_documented() -> None:
    paths = re.findall(r'Route\("(/_simulator/\w*)"', text_of("graftport_dagster/simulator/control.py"))
    assert len(paths) > 5
    assert [path for path in paths if f" {path}" not in text_of("docs/simulator.md")] == []


def test_every_resource_type_is_named_in_the_readme() -> None:
    readme = text_of("README.md")
    assert [str(name) for name in ResourceType if str(name) not in readme] == []


def test_every_job_sensor_schedule_and_asset_of_a_migration_is_documented() -> None:
    from graftport_dagster.definitions import defs

    page = text_of("docs/dagster.md")
    repository = defs.get_repository_def()
    names = {job.name.replace("demo_", "<slug>_") for job in repository.get_all_jobs() if not job.name.startswith("__")}
    names |= {sensor.name.replace("demo_", "<slug>_") for sensor in repository.sensor_defs}
    names |= {key.path[-1] for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
    named = set(re.findall(r"`(<slug>_[a-z_]+)`", all_text()))
    assert sorted(named - names) == []


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_internal_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name}: {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", text_of("README.md")))
    assert linked == {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}


# Put together from pieces, so that this file passes its own test.
HOSTS = re.compile(
    "|".join([r"pypi\." + "org", "python" + r"hosted\.org", r"npm" + r"js\.(org|com)", r"deb\.deb" + r"ian\.org"])
)
MACHINE = re.compile(
    r"(^|[^\w.<>)}*-])/(" + "|".join(["wo" + "rk", "fa" + "rm", "ro" + "ot", "ho" + "me/\\w+"]) + r")/"
)


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing is tracked")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        assert not HOSTS.search(text), f"{path.relative_to(ROOT)} names a registry's host"
        found = MACHINE.search(text)
        assert found is None, f"{path.relative_to(ROOT)} names a path of one machine: {found}"

"""The frame holds: exact versions, one direction of imports, small rooms, documented doors."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "graftport_dagster"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_MODULE_LINES = 450
MAX_BODY_LINES = 50


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def demanded() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
        project["build-system"]["requires"],
    ]
    return [Requirement(text) for requirements in lists for text in requirements]


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pins() -> dict[str, str]:
    return {str(canonicalize_name(pin.name)): str(pin.specifier)[2:] for pin in locked() if applies(pin)}


def test_lock_has_one_exact_version_of_each_package() -> None:
    for requirement in locked():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
    here = [canonicalize_name(requirement.name) for requirement in locked() if applies(requirement)]
    assert sorted(here) == sorted(set(here))


def test_lock_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert " @ " not in text
    assert not re.search(r"^\s*-", text, re.MULTILINE), "an option line, where an address could stand"


def test_lock_satisfies_every_requirement_of_pyproject() -> None:
    for requirement in demanded():
        version = pins().get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked: run make lock"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: run make lock"


@pytest.mark.skipif(
    Path(sys.prefix).resolve() != (ROOT / ".venv").resolve(), reason="asks about the environment that make setup built"
)
def test_lock_is_what_is_installed() -> None:
    for pin in filter(applies, locked()):
        assert importlib.metadata.version(pin.name) == str(pin.specifier)[2:], f"{pin.name}: run make setup"


def test_versions_that_only_work_together_are_locked_together() -> None:
    pin = pins()
    assert pin["dagster"] == pin["dagster-webserver"] == pin["dagster-graphql"] == "1.13.27"
    assert pin["dagster-postgres"] == "0.29.27"
    assert pin["sqlalchemy"].startswith("2.0.")
    assert (pin["graphql-core"], pin["jsonata-python"]) == ("3.2.14", "0.7.1")


def test_imports_point_downwards() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_fits_in_its_room(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_MODULE_LINES, f"{name_of(path)} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_function_bodies_are_short(path: Path) -> None:
    too_long = [f"{name} has {lines}" for name, lines in bodies(path) if lines > MAX_BODY_LINES]
    assert not too_long, f"{name_of(path)}: {too_long}"


def bodies(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, (node.body[-1].end_lineno or 0) - first[0].lineno + 1 if first else 0


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_imports_by_full_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    relative = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert not relative, f"{name_of(path)}: relative import in line {relative}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_says_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_points_to_modules_that_are_there(path: Path) -> None:
    words = set(re.findall(r"`([\w/]+\.py)`", path.read_text(encoding="utf-8")))
    there = {f"/{name_of(other)}" for folder in (PACKAGE, ROOT / "tests") for other in folder.rglob("*.py")}
    assert not {word for word in words if not any(name.endswith(f"/{word}") for name in there)}


def test_every_folder_of_code_is_a_package() -> None:
    # A folder without __init__.py is left out of a built distribution, and of the import contracts.
    folders = {path.parent for path in MODULES}
    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []

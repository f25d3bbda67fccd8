"""A folder with two migrations, a record store of its own, and the command line on both."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from graftport_dagster.cli import main
from graftport_dagster.store.record_store import RecordStore

Invoke = Callable[..., Result]

SHOP = """
description: A shop of files
source:
  platform: files
  files:
    products: {path: products.csv, id_column: sku}
resource_types: [products]
"""
OTHER = """
source: {platform: magento, magento_export: {path: export.csv}}
resource_types: [collections, products, redirects]
"""
PRODUCTS = "sku,name,price\nA1,Tent,199.00\nA2,Stove,89.50\n"
MAPPING = '{"input": {"title": name}}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of migration files; state and record store lie beside it."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    (folder / "products.csv").write_text(PRODUCTS, encoding="utf-8")
    (folder / "mappings").mkdir()
    (folder / "mappings" / "products.jsonata").write_text(MAPPING, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFTPORT_MIGRATIONS", str(folder))
    monkeypatch.setenv("GRAFTPORT_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    monkeypatch.delenv("COLUMNS", raising=False)
    return folder


@pytest.fixture
def store(tmp_path: Path, folder: Path) -> Iterator[RecordStore]:
    """The record store that the commands see."""
    with RecordStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        yield store


@pytest.fixture
def graftport() -> Invoke:
    """Runs a command in this process; `status` is what is expected of it."""

    def invoke(*words: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, list(words))
        assert result.exit_code == status, result.output + result.stderr
        return result

    return invoke


@pytest.fixture
def told(graftport: Invoke) -> Callable[..., Any]:
    """The object that a command answers with --json."""

    def ask(*words: str, status: int = 0) -> Any:
        return json.loads(graftport(*words, "--json", status=status).stdout)

    return ask


@pytest.fixture
def noon() -> datetime:
    return datetime(2026, 11, 20, 12, tzinfo=UTC)

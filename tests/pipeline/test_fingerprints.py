"""An extract that ends well leaves what the source looked like before it began to read."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.records import Phase, ResourceType
from graftport_dagster.source_settings.files import FileSpec, FilesSettings
from graftport_dagster.sources.opening import open_source

PRODUCTS = ResourceType.PRODUCTS
EXTRACT = {"phases": (Phase.EXTRACT,), "resource_types": (PRODUCTS,)}
SERVER = Path(__file__).parents[1] / "sources" / "file_server.py"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A file server's, with the habits of `sources/file_server.py`."""
    (tmp_path / "shelf.csv").write_text("id,title\nA1,Tarp {reads}\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(SERVER), str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def on_the_web(shop: Any, address: str) -> None:
    """From here on the shop's products are the file at that address."""
    source = FilesSettings(platform="csv", files={PRODUCTS: FileSpec(path=address)})
    shop.migration = shop.migration.model_copy(update={"source": source})


def token(shop: Any) -> str:
    found = shop.store.fingerprints.of("shop", PRODUCTS)
    return found[""].token if found else ""


def test_an_extract_notes_the_checksum_of_the_file_that_it_read(shop: Any) -> None:
    shop.run(**EXTRACT)
    assert token(shop) == hashlib.sha256(shop.export.read_bytes()).hexdigest()


def test_an_extract_of_some_records_or_of_a_dry_run_or_one_that_fails_notes_nothing(shop: Any) -> None:
    shop.run(**EXTRACT, limit=2)
    shop.run(**EXTRACT, source_ids=("x",))
    shop.run(**EXTRACT, dry_run=True)
    kept = shop.export.read_bytes()
    shop.export.write_bytes(b"")
    assert shop.run(**EXTRACT).raised
    assert token(shop) == ""
    shop.export.write_bytes(kept)
    shop.run(**EXTRACT)
    assert token(shop) != ""


def test_a_change_that_comes_while_a_run_reads_still_differs(shop: Any, address: str) -> None:
    on_the_web(shop, f"{address}/moves/shelf.csv")
    shop.run(**EXTRACT)
    assert token(shop) == "change 0"
    source = open_source(shop.migration)
    assert shop.store.fingerprints.unchanged("shop", PRODUCTS, source.freshness(PRODUCTS).token) is None
    source.close()
    assert shop.run(**EXTRACT).items["products extract"].counts["changed"] == 1
    assert token(shop) == "change 1"


def test_a_source_that_cannot_tell_its_state_is_read_all_the_same(shop: Any, address: str) -> None:
    on_the_web(shop, f"{address}/opens/shelf.csv")
    ran = shop.run(**EXTRACT)
    assert ran.items["products extract"].counts["new"] == 1
    assert "403" in ran.items["products extract"].notes[0]
    assert token(shop) == ""

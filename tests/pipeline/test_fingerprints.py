"""An extract that ends well leaves what the source looked like before it began to read."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from graftport_dagster.pipeline import extract as extract_module
from graftport_dagster.records import InvalidRow, Phase, ResourceType, SourceRecord
from graftport_dagster.sources.source import Freshness

PRODUCTS = ResourceType.PRODUCTS
EXTRACT = {"phases": (Phase.EXTRACT,), "resource_types": (PRODUCTS,)}


class Connector:
    """A source of another project: it gives a token of its own, and changes while it is read."""

    def __init__(self, *, dumb: bool = False) -> None:
        self.change = 1
        self.dumb = dumb

    def resource_types(self) -> tuple[ResourceType, ...]:
        return (PRODUCTS,)

    def freshness(self, resource_type: ResourceType, known: str = "") -> Freshness:
        del resource_type, known
        if self.dumb:
            raise OSError("no answer")
        return Freshness(f"change {self.change}", "token")

    def read(self, resource_type: ResourceType, since: object) -> Iterator[SourceRecord | InvalidRow]:
        del resource_type, since
        yield SourceRecord("A1", {"title": f"Tarp {self.change}"})
        self.change += 1

    def conclusive(self, resource_type: ResourceType) -> bool:
        del resource_type
        return True

    def cursor(self, resource_type: ResourceType) -> None:
        del resource_type

    def check(self) -> list[Any]:
        return []

    def close(self) -> None:
        pass


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


def test_a_change_that_comes_while_a_run_reads_still_differs(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Connector()
    monkeypatch.setattr(extract_module, "open_source", lambda *_, **__: source)
    shop.run(**EXTRACT)
    assert token(shop) == "change 1"
    assert shop.store.fingerprints.unchanged("shop", PRODUCTS, source.freshness(PRODUCTS).token) is None
    shop.run(**EXTRACT)
    assert token(shop) == "change 2"


def test_a_source_that_cannot_tell_its_state_is_read_all_the_same(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_module, "open_source", lambda *_, **__: Connector(dumb=True))
    ran = shop.run(**EXTRACT)
    assert ran.items["products extract"].counts["new"] == 1
    assert "no answer" in ran.items["products extract"].notes[0]
    assert token(shop) == ""

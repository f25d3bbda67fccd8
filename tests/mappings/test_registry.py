"""Which mapping is used: the file, the packaged default, a pin; what publishing changes and what it does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.mappings.registry import current, text_of
from graftport_dagster.migration import Migration
from graftport_dagster.records import ResourceType
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import MappingVersions, RecordStore

PRODUCTS = ResourceType.PRODUCTS


@pytest.fixture
def versions(tmp_path: Path) -> Iterator[MappingVersions]:
    with RecordStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        yield store.mappings


def migration(folder: Path, platform: str = "files", **settings: Any) -> Migration:
    return Migration(slug="acme", folder=folder, source=FilesSettings(platform=platform), **settings)


def write(folder: Path, text: str, name: str = "products") -> None:
    (folder / "mappings").mkdir(exist_ok=True)
    (folder / "mappings" / f"{name}.jsonata").write_text(text, encoding="utf-8")


def test_the_file_beside_the_migration_goes_before_the_packaged_default(tmp_path: Path) -> None:
    packaged = text_of(migration(tmp_path, "magento"), PRODUCTS)
    assert packaged.origin == "packaged magento/products.jsonata"
    assert "ProductSetInput" in packaged.text
    write(tmp_path, '{"input": {}}')
    assert text_of(migration(tmp_path, "magento"), PRODUCTS).origin == "mappings/products.jsonata"


def test_without_either_both_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        text_of(migration(tmp_path), PRODUCTS)
    assert caught.value.code == "NO_MAPPING"
    assert "mappings/products.jsonata" in caught.value.message
    assert "packaged default for files" in caught.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "mappings" / "products.jsonata").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigurationError) as caught:
        text_of(migration(tmp_path), PRODUCTS)
    assert caught.value.code == "MAPPING_UNREADABLE"


def test_fix_save_transform_again(tmp_path: Path, versions: MappingVersions) -> None:
    acme = migration(tmp_path)
    write(tmp_path, '{"input": {"title": a}}')
    first = current(acme, versions, PRODUCTS, publish=True, by="eva")
    assert (first.version.number, first.note) == (1, "")
    assert current(acme, versions, PRODUCTS, publish=True, by="eva").version == first.version
    write(tmp_path, '{"input": {"title": b}}')
    second = current(acme, versions, PRODUCTS, publish=True, by="eva")
    assert second.version.number == 2
    assert second.version.name in second.note
    pin = versions.pinned("acme", PRODUCTS)
    assert pin is not None
    assert (pin.version.number, pin.held, pin.pinned_by) == (2, False, "eva")


def test_going_back_to_an_old_text_uses_its_old_version(tmp_path: Path, versions: MappingVersions) -> None:
    acme = migration(tmp_path)
    for text in ('{"input": {"title": a}}', '{"input": {"title": b}}', '{"input": {"title": a}}'):
        write(tmp_path, text)
        found = current(acme, versions, PRODUCTS, publish=True, by="")
    assert found.version.number == 1
    assert len(versions.versions("files", PRODUCTS)) == 2


def test_a_text_that_does_not_compile_changes_nothing(tmp_path: Path, versions: MappingVersions) -> None:
    acme = migration(tmp_path)
    write(tmp_path, '{"input": {}}')
    current(acme, versions, PRODUCTS, publish=True, by="")
    write(tmp_path, '{\n  "input": }')
    with pytest.raises(ConfigurationError) as caught:
        current(acme, versions, PRODUCTS, publish=True, by="")
    assert caught.value.path.startswith("mappings/products.jsonata:2:")
    pin = versions.pinned("acme", PRODUCTS)
    assert pin is not None
    assert pin.version.number == 1
    assert len(versions.versions("files", PRODUCTS)) == 1


def test_a_dry_run_uses_the_text_without_publishing_it(tmp_path: Path, versions: MappingVersions) -> None:
    write(tmp_path, '{"input": {}}')
    found = current(migration(tmp_path), versions, PRODUCTS, publish=False, by="")
    assert found.version.number == 0
    assert found.version.name == f"products/draft ({found.version.content_hash[:8]})"
    assert versions.versions("files", PRODUCTS) == []
    assert versions.pinned("acme", PRODUCTS) is None
    published = current(migration(tmp_path), versions, PRODUCTS, publish=True, by="")
    assert published.version.content_hash == found.version.content_hash
    # A text that has a version goes by its name in a dry run too.
    assert current(migration(tmp_path), versions, PRODUCTS, publish=False, by="").version == published.version


def test_manual_pinning_holds_and_says_that_the_file_differs(tmp_path: Path, versions: MappingVersions) -> None:
    acme = migration(tmp_path, pinning="manual")
    write(tmp_path, '{"input": {"title": a}}')
    first = current(acme, versions, PRODUCTS, publish=True, by="")
    write(tmp_path, '{"input": {"title": b}}')
    again = current(acme, versions, PRODUCTS, publish=True, by="")
    assert again.version == first.version
    assert "differs from products/1" in again.note
    assert "pinning is manual" in again.note


def test_a_pin_held_by_a_person_stays_until_it_is_released(tmp_path: Path, versions: MappingVersions) -> None:
    acme = migration(tmp_path)
    write(tmp_path, '{"input": {"title": a}}')
    first = current(acme, versions, PRODUCTS, publish=True, by="")
    versions.pin("acme", first.version, held=True, by="eva", reason="live since Friday")
    write(tmp_path, "this does not even compile (")
    held = current(acme, versions, PRODUCTS, publish=True, by="")
    assert held.version == first.version
    assert "pinned by eva" in held.note
    versions.unpin("acme", PRODUCTS, by="eva")
    with pytest.raises(ConfigurationError):
        current(acme, versions, PRODUCTS, publish=True, by="")


def test_a_version_named_in_the_migration_file_is_used(tmp_path: Path, versions: MappingVersions) -> None:
    write(tmp_path, '{"input": {"title": a}}')
    first = current(migration(tmp_path), versions, PRODUCTS, publish=True, by="")
    write(tmp_path, '{"input": {"title": b}}')
    current(migration(tmp_path), versions, PRODUCTS, publish=True, by="")
    for pin in ("1", first.version.content_hash[:8]):
        pinned = migration(tmp_path, pins={PRODUCTS: pin})
        assert current(pinned, versions, PRODUCTS, publish=True, by="").version == first.version
    with pytest.raises(ConfigurationError):
        current(migration(tmp_path, pins={PRODUCTS: "9"}), versions, PRODUCTS, publish=True, by="")


def test_a_version_for_this_once_moves_no_pin(tmp_path: Path, versions: MappingVersions) -> None:
    acme = migration(tmp_path)
    for text in ('{"input": {"title": a}}', '{"input": {"title": b}}'):
        write(tmp_path, text)
        current(acme, versions, PRODUCTS, publish=True, by="")
    assert current(acme, versions, PRODUCTS, publish=True, by="", version="1").version.number == 1
    pin = versions.pinned("acme", PRODUCTS)
    assert pin is not None
    assert pin.version.number == 2


def test_remarks_come_with_the_version(tmp_path: Path, versions: MappingVersions) -> None:
    write(tmp_path, '{"input": {"tags": a.b}}')
    assert "tags is a list" in current(migration(tmp_path), versions, PRODUCTS, publish=True, by="").remarks[0]

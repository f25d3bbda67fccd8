"""How many failed records are kept, what happens at the limit, and what waits its turn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Defaults, Destination, FileSpec, Migration
from graftport_dagster.records import Phase, ResourceType
from graftport_dagster.source_settings import FilesSettings

REDIRECTS = ResourceType.REDIRECTS
MAPPING = '$contains(target, "bad") ? $error("This row is bad.") : {"input": {"path": path, "target": target}}'


@pytest.fixture
def redirects(shop: Any) -> Any:
    """A migration of redirects, of which some rows are bad; `options` makes it again with others."""

    def configure(**options: Any) -> None:
        shop.migration = Migration(
            slug="shop", folder=shop.folder, options=Defaults(**options), resource_types=[REDIRECTS],
            source=FilesSettings(files={REDIRECTS: FileSpec(path="redirects.csv", id_column="path")}),
            destination=Destination(shop=shop.url, access_token="env:SIMULATOR_TOKEN"),
        )  # fmt: skip

    (shop.folder / "mappings").mkdir()
    (shop.folder / "mappings" / "redirects.jsonata").write_text(MAPPING, encoding="utf-8")
    shop.configure = configure
    configure()
    return shop


def write(folder: Path, *, good: int, bad: int) -> None:
    rows = [f"/g{number},/new" for number in range(good)] + [f"/z{number},/bad" for number in range(bad)]
    (folder / "redirects.csv").write_text("\n".join(["path,target", *rows, ""]), encoding="utf-8")


def run(shop: Any, **options: Any) -> Any:
    return shop.run(resource_types=(REDIRECTS,), **options)


def test_at_the_limit_the_type_stops_with_a_sentence_and_nothing_is_lost(redirects: Any) -> None:
    write(redirects.folder, good=3, bad=4)
    redirects.configure(incomplete_limit=4)
    run(redirects)
    assert len(redirects.incomplete()) == 4
    write(redirects.folder, good=5, bad=6)
    stopped = run(redirects)
    assert "as many as incomplete_limit allows" in str(stopped.raised["redirects"])
    assert isinstance(stopped.raised["redirects"], ConfigurationError)
    redirects.configure(incomplete_limit=100)
    assert run(redirects).counts("redirects transform")["errored"] == 6
    assert len(redirects.incomplete()) == 6
    assert len(redirects.objects("UrlRedirect")) == 5


def test_with_data_loss_allowed_it_goes_on_and_counts_what_was_not_kept(redirects: Any) -> None:
    write(redirects.folder, good=3, bad=5)
    redirects.configure(incomplete_limit=2, allow_data_loss=True)
    counts = run(redirects).counts("redirects transform")
    assert (counts["errored"], counts["not_kept"]) == (5, 3)
    assert len(redirects.incomplete()) == 2
    assert len(redirects.objects("UrlRedirect")) == 3


def test_without_keeping_errors_are_counted_and_every_run_tries_again(redirects: Any) -> None:
    write(redirects.folder, good=2, bad=2)
    redirects.configure(store_incomplete=False)
    counts = run(redirects).counts("redirects transform")
    assert (counts["errored"], counts["not_kept"]) == (2, 2)
    assert redirects.incomplete() == []
    (redirects.folder / "mappings" / "redirects.jsonata").write_text(
        '{"input": {"path": path, "target": target}}', encoding="utf-8"
    )
    assert run(redirects).counts("redirects load")["created"] == 2


def test_in_sequence_nothing_new_is_loaded_while_a_record_is_open(redirects: Any) -> None:
    redirects.configure(sequential_processing=True)
    write(redirects.folder, good=2, bad=0)
    assert run(redirects).counts("redirects load")["created"] == 2
    write(redirects.folder, good=4, bad=1)
    held_back = run(redirects)
    assert held_back.counts("redirects load") == {"in_scope": 4, "unchanged": 2, "not_reached": 2}
    assert any("2 records were kept back" in note for note in held_back.items["redirects load"].notes)
    write(redirects.folder, good=4, bad=0)
    (redirects.folder / "redirects.csv").write_text(
        "path,target\n/g0,/new\n/g1,/new\n/g2,/new\n/g3,/new\n/z0,/good\n", encoding="utf-8"
    )
    assert run(redirects).counts("redirects load")["created"] == 3


def test_a_version_that_no_dry_run_has_tried_is_remarked_or_refused(redirects: Any) -> None:
    write(redirects.folder, good=1, bad=0)
    redirects.configure(require_dry_run=True)
    refused = run(redirects)
    assert "No dry run has tried redirects/1" in str(refused.raised["redirects"])
    assert redirects.objects("UrlRedirect") == []
    run(redirects, dry_run=True)
    assert run(redirects).counts("redirects load")["created"] == 1
    redirects.configure()
    write(redirects.folder, good=2, bad=0)
    (redirects.folder / "mappings" / "redirects.jsonata").write_text(MAPPING + " ", encoding="utf-8")
    remarked = run(redirects).items["redirects load"]
    assert any("No dry run has tried redirects/2" in note for note in remarked.notes)
    assert replace(remarked).phase is Phase.LOAD

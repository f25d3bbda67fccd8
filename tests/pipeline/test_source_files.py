"""Source files after they were read: kept, moved to a dated backup or deleted, and never before all of them landed."""

import errno
import gzip
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas
import pytest
import requests

from graftport_dagster import pipeline
from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Destination, FileSpec, Migration
from graftport_dagster.pipeline import source_files
from graftport_dagster.records import Phase, ResourceType, Run, RunItem, RunOptions
from graftport_dagster.retention import Retention
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.taken_files import stamp_of
from graftport_dagster.store.record_store import RecordStore, Which
from tests.conftest import Clock

COLLECTIONS = ResourceType.COLLECTIONS
MAPPING = '{"input": {"title": title, "handle": id}}'
HEADER = "id,title\n"
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
Specs = FileSpec | list[FileSpec]


@dataclass
class Drop:
    """A folder that files are dropped into, and what is made of them."""

    folder: Path
    migration: Migration
    store: RecordStore
    url: str
    runs: int = 0

    def put(self, name: str, *rows: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
        return path

    def run(self, *, types: tuple[ResourceType, ...] = (COLLECTIONS,), **options: Any) -> dict[str, RunItem]:
        """The items by type and phase, as they are when the run has ended."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        asked = RunOptions(resource_types=types, **options)
        with pipeline.open_work(self.migration, asked, run_id=run_id, store=self.store) as work:
            for kind in types:
                try:
                    for phase in asked.phases:
                        pipeline.run_phase(work, phase, kind)
                except GraftportError:
                    continue
        pipeline.finish_run(self.store, run_id, migration=self.migration)
        return {f"{item.resource_type} {item.phase}": item for item in self.store.runs.items(run_id)}

    def extract(self, **options: Any) -> RunItem:
        return self.run(**options)["collections extract"]

    def left(self) -> list[str]:
        """Files in the folder, the backup among them."""
        found = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        return sorted(name for name in found if not name.startswith(("mappings/", "records.db", "state/")))

    def titles(self) -> set[str]:
        found = requests.get(f"{self.url}/_simulator/objects?type=Collection", timeout=30).json()
        return {one["title"] for one in found}


@pytest.fixture
def dropping(
    simulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Drop]]:  # fmt: skip
    """Makes the folder with one collections file, or what is given, and this retention."""
    monkeypatch.setenv("SIMULATOR_TOKEN", "anything")
    monkeypatch.setenv("GRAFTPORT_STATE", str(tmp_path / "state"))
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings/collections.jsonata").write_text(MAPPING)
    opened: list[RecordStore] = []

    def make(keep: Literal["keep", "move", "delete"], specs: Specs | None = None, **settings: Any) -> Drop:
        given = settings.pop("source", None) or FilesSettings(
            files={COLLECTIONS: specs or FileSpec(path="c.csv", id_column="id")}
        )
        migration = Migration(
            slug="drop", folder=tmp_path, source=given, retention=Retention(source_files=keep, **settings),
            destination=Destination(shop=simulator_url, access_token="env:SIMULATOR_TOKEN"),
        )  # fmt: skip
        store = RecordStore.open(f"sqlite:///{tmp_path}/records.db")
        opened.append(store)
        return Drop(tmp_path, migration, store, simulator_url)

    yield make
    for store in opened:
        store.close()


def test_a_file_is_kept_unless_it_is_said_otherwise(dropping: Callable[..., Drop]) -> None:
    drop = dropping("keep")
    drop.put("c.csv", "a,Alpha")
    drop.run(confirm_store=True)
    assert drop.left() == ["c.csv"]


def test_a_file_that_landed_is_moved_and_its_absence_is_no_error_and_no_deletion(
    dropping: Callable[..., Drop],
) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha", "b,Beta")
    told = drop.extract(confirm_store=True)
    assert drop.left() == [f"backup/{TODAY}/c.csv"]
    assert told.notes[-1] == f"c.csv was moved to backup/{TODAY}/c.csv."

    again = drop.run()
    assert {str(item.result) for item in again.values()} == {"unchanged"}
    assert again["collections extract"].notes == (
        f"c.csv was moved to backup/{TODAY}/c.csv on {TODAY} after it had landed; no new file has come.",
    )
    drop.put("c.csv", "a,Alpha 2")
    told = drop.extract()
    assert (told.counts["changed"], told.counts.get("deleted_at_source", 0)) == (1, 0)
    assert "nothing is taken as deleted" in told.notes[0]
    assert drop.titles() == {"Alpha 2", "Beta"}
    assert drop.left() == [f"backup/{TODAY}/c-2.csv", f"backup/{TODAY}/c.csv"]
    assert (drop.folder / f"backup/{TODAY}/c.csv").read_text() == HEADER + "a,Alpha\nb,Beta\n"


def test_a_file_that_landed_is_deleted_where_that_is_wanted(dropping: Callable[..., Drop]) -> None:
    drop = dropping("delete")
    drop.put("c.csv", "a,Alpha")
    assert drop.extract(confirm_store=True).notes[-1] == "c.csv was deleted: all of it has landed."
    assert drop.left() == []
    assert "c.csv was deleted on" in drop.extract().notes[0]


def test_a_file_that_was_never_there_is_an_error_still(dropping: Callable[..., Drop]) -> None:
    told = dropping("move").extract(confirm_store=True)
    assert (str(told.result), "no such file" in told.first_error) == ("failed", True)


def test_a_bad_row_keeps_the_files_until_a_run_ends_well(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move", FileSpec(path="c-*.csv", id_column="id"))
    drop.put("c-1.csv", "a,Alpha")
    drop.put("c-2.csv", "b,Beta", "c,Gamma,too many")
    drop.run(confirm_store=True)
    assert drop.left() == ["c-1.csv", "c-2.csv"]
    drop.put("c-2.csv", "b,Beta", "c,Gamma")
    drop.run()
    assert drop.left() == [f"backup/{TODAY}/c-1.csv", f"backup/{TODAY}/c-2.csv"]
    assert drop.titles() == {"Alpha", "Beta", "Gamma"}


def test_a_record_that_does_not_land_keeps_its_file_until_a_retry_lands_it(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    (drop.folder / "mappings/collections.jsonata").write_text('{"input": {"title": title, "handle": $error("no")}}')
    drop.put("c.csv", "a,Alpha")
    drop.run(confirm_store=True)
    (drop.folder / "mappings/collections.jsonata").write_text(
        '{"input": {"title": id = "b" ? $error("not yet") : title, "handle": id}}'
    )
    drop.put("c.csv", "a,Alpha", "b,Beta")
    drop.run()
    assert drop.left() == ["c.csv"]
    (drop.folder / "mappings/collections.jsonata").write_text(MAPPING)
    items = drop.run(retry="open", phases=(Phase.TRANSFORM, Phase.LOAD))
    assert drop.left() == [f"backup/{TODAY}/c.csv"]
    assert items["collections transform"].notes[-1] == f"c.csv was moved to backup/{TODAY}/c.csv."
    assert drop.titles() == {"Alpha", "Beta"}


def test_a_record_given_up_lets_its_file_go_with_the_next_run(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha", "b," + "x" * 300)
    drop.run(confirm_store=True)
    assert drop.left() == ["c.csv"]
    drop.store.incomplete.discard("drop", Which(), by="test", reason="not wanted")
    drop.run()
    assert drop.left() == [f"backup/{TODAY}/c.csv"]


def test_a_run_over_some_records_or_a_rehearsal_takes_no_file_away(dropping: Callable[..., Drop]) -> None:
    drop = dropping("delete")
    drop.put("c.csv", "a,Alpha", "b,Beta")
    for options in ({"dry_run": True}, {"limit": 1}, {"source_ids": ("a",)}):
        drop.run(confirm_store=True, **options)
        assert drop.left() == ["c.csv"]


def test_phases_in_runs_of_their_own_take_the_file_away_at_the_end_of_the_load(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha")
    drop.run(phases=(Phase.EXTRACT,))
    drop.run(phases=(Phase.TRANSFORM,))
    assert drop.left() == ["c.csv"]
    drop.run(phases=(Phase.LOAD,), confirm_store=True)
    assert drop.left() == [f"backup/{TODAY}/c.csv"]


def test_a_file_that_was_written_anew_since_it_was_read_stays_and_is_read(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha")
    drop.run(phases=(Phase.EXTRACT, Phase.TRANSFORM))
    drop.put("c.csv", "b,Beta")
    drop.run(phases=(Phase.LOAD,), confirm_store=True)
    assert drop.left() == ["c.csv"]
    drop.run()
    assert drop.titles() == {"Alpha", "Beta"}
    assert drop.left() == [f"backup/{TODAY}/c.csv"]


def test_packed_files_and_workbooks_are_moved_as_they_are(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move", [FileSpec(path=name, id_column="id") for name in ("c.csv.gz", "c.xlsx")])
    (drop.folder / "c.csv.gz").write_bytes(gzip.compress((HEADER + "a,Alpha\n").encode()))
    pandas.DataFrame([["b", "Beta"]], columns=["id", "title"]).to_excel(drop.folder / "c.xlsx", index=False)
    drop.run(confirm_store=True)
    assert drop.left() == [f"backup/{TODAY}/c.csv.gz", f"backup/{TODAY}/c.xlsx"]
    assert drop.titles() == {"Alpha", "Beta"}


def test_files_in_the_backup_are_never_read_again_whatever_the_pattern(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move", FileSpec(path="**/*.csv", id_column="id"))
    drop.put("in/c.csv", "a,Alpha")
    drop.run(confirm_store=True)
    assert drop.extract().notes[0].startswith("in/c.csv was moved")
    drop.put("in/d.csv", "b,Beta")
    assert drop.extract().counts["rows_read"] == 1


def test_a_file_of_several_types_goes_when_all_of_them_are_done_with_it(
    dropping: Callable[..., Drop],
) -> None:
    export = Path(__file__).parents[2] / "data/demo/products.csv"
    source = FilesSettings(platform="magento", magento_export=FileSpec(path="products.csv"))
    drop = dropping("move", source=source)
    (drop.folder / "mappings/collections.jsonata").unlink()
    text = export.read_text().splitlines(keepends=True)
    (drop.folder / "products.csv").write_text("".join(text[:3]))
    wanted = (COLLECTIONS, ResourceType.PRODUCTS)
    drop.run(types=wanted, confirm_store=True)
    assert drop.left() == ["products.csv"]
    drop.run(types=(ResourceType.REDIRECTS,))
    assert drop.left() == [f"backup/{TODAY}/products.csv"]


def test_a_backup_on_another_file_system_is_whole_before_the_file_goes(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha")
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == drop.folder.stat().st_dev:
        pytest.skip("there is no second file system: /dev/shm")
    with tempfile.TemporaryDirectory(prefix="graftport-", dir=memory) as elsewhere:
        (drop.folder / "backup").symlink_to(elsewhere)
        drop.run(confirm_store=True)
        assert not (drop.folder / "c.csv").exists()
        assert [path.name for path in Path(elsewhere, TODAY).iterdir()] == ["c.csv"]
        assert Path(elsewhere, TODAY, "c.csv").read_text() == HEADER + "a,Alpha\n"


def test_a_file_system_without_second_names_overwrites_no_backup(
    dropping: Callable[..., Drop], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(file: Path, there: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    drop = dropping("move")
    for title in ("Alpha", "Beta"):
        drop.put("c.csv", f"a,{title}")
        drop.run(confirm_store=True)
    assert drop.left() == [f"backup/{TODAY}/c-2.csv", f"backup/{TODAY}/c.csv"]
    assert "Alpha" in (drop.folder / f"backup/{TODAY}/c.csv").read_text()


def test_a_backup_that_cannot_be_written_leaves_the_file_and_says_so(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha")
    (drop.folder / "backup").write_text("a file, no folder")
    told = drop.extract(confirm_store=True)
    assert (str(told.result), "could not be taken away" in told.notes[-1]) == ("succeeded", True)
    assert drop.left() == ["backup", "c.csv"]


class Killed(BaseException):
    """Stands for the process's end."""


@pytest.mark.parametrize("step", ["rename", "link", "unlink", "mark"])
def test_a_process_that_dies_while_it_moves_a_file_loses_nothing(
    dropping: Callable[..., Drop], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha")
    names = {"rename": (Path, "rename"), "link": (os, "link"), "unlink": (Path, "unlink")}
    owner, name = names.get(step, (type(drop.store.source_files), "mark"))
    real: Any = getattr(owner, name)

    def dies(*args: Any, **kwargs: Any) -> Any:
        if step == "mark" and args[3] != "moved":
            return real(*args, **kwargs)
        if step != "mark" and ".graftport-taking" not in f"{args}" and step != "rename":
            return real(*args, **kwargs)
        done = real(*args, **kwargs) if step in ("rename", "link") else None
        raise Killed(done)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, dies)
        with pytest.raises(Killed):
            drop.run(confirm_store=True)
    found = [path for path in drop.folder.rglob("*c.csv*") if path.is_file()]
    assert any(path.read_text() == HEADER + "a,Alpha\n" for path in found)
    assert {str(item.result) for item in drop.run().values()} == {"unchanged"}
    assert [name for name in drop.left() if "taking" in name or name == "c.csv"] == []
    assert (drop.folder / f"backup/{TODAY}/c.csv").read_text() == HEADER + "a,Alpha\n"
    assert "no new file has come" in drop.extract().notes[0]


def test_what_was_taken_away_is_no_change_of_the_source_and_what_comes_next_is(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move", FileSpec(path="c-*.csv", id_column="id"))

    def token() -> str:
        source = pipeline.open_stored_source(drop.migration)
        try:
            return source.freshness(COLLECTIONS).token
        finally:
            source.close()

    drop.put("c-1.csv", "a,Alpha")
    os.environ["GRAFTPORT_STORE_URL"] = f"sqlite:///{drop.folder}/records.db"
    try:
        before = token()
        drop.run(confirm_store=True)
        assert drop.left() == [f"backup/{TODAY}/c-1.csv"]
        assert token() == before
        drop.put("c-2.csv", "b,Beta")
        assert token() != before
        (after,) = {token()}
        drop.run()
        assert token() == after
    finally:
        del os.environ["GRAFTPORT_STORE_URL"]


def test_another_run_that_has_the_type_in_hand_keeps_the_file_where_it_is(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha")
    other = drop.store.runs.start(Run("other", "drop", RunOptions(), host="elsewhere", pid=1))
    with pipeline.open_work(drop.migration, RunOptions(confirm_store=True), run_id="mine", store=drop.store) as work:
        for phase in Phase:
            pipeline.run_phase(work, phase, COLLECTIONS)
        lease = drop.store.loads.acquire("drop", "", COLLECTIONS, other, seconds=600)
        pipeline.finish_run(drop.store, "mine", migration=drop.migration)
        assert drop.left() == ["c.csv"]
        drop.store.loads.release(lease)
    drop.run()
    assert drop.left() == [f"backup/{TODAY}/c.csv"]


def test_check_says_that_a_new_file_is_awaited(dropping: Callable[..., Drop]) -> None:
    drop = dropping("move")
    drop.put("c.csv", "a,Alpha")
    drop.run(confirm_store=True)
    from graftport_dagster.sources.opening import open_source

    taken = source_files.taken_files(drop.migration, drop.store)
    (result,) = open_source(drop.migration, taken=taken).check()
    assert (result.ok, result.detail.startswith("waits for a new file")) == (True, True)


def test_files_written_while_they_are_taken_are_given_back(tmp_path: Path, clock: Clock) -> None:
    del clock
    path = tmp_path / "c.csv"
    path.write_text("old")
    stamp = stamp_of(path)
    shutil.copy(path, tmp_path / "new")
    (tmp_path / "new").write_text("next")
    (tmp_path / "new").replace(path)
    assert source_files._take_away(path, stamp, tmp_path / "backup") is None
    assert path.read_text() == "next"
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["c.csv"]

"""Files behind addresses: fetched from a real server that runs in a process of its own."""

import gzip
import itertools
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import requests
from pydantic import ValidationError

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    ErrorClass,
    GraftportError,
    RemoteFaultError,
    RemoteTimeoutError,
    StoppedError,
    UnreachableError,
)
from graftport_dagster.records import ResourceType, SourceRecord
from graftport_dagster.source_settings.files import FileSpec, FilesSettings
from graftport_dagster.sources.files import FileSource
from graftport_dagster.sources.rest_reader import Clock
from graftport_dagster.sources.web_files import WebFiles

CUSTOMERS = ResourceType.CUSTOMERS
ROWS = "sku,name\n" + "".join(f"A-{number},Name {number}\n" for number in range(200))


def impatient() -> Clock:
    """Pauses take no time."""
    moments = [0.0]

    def sleep(seconds: float) -> None:
        moments[0] += seconds

    return Clock(now=lambda: moments[0], sleep=sleep, spread=lambda _: 0.0)


class Server:
    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    def has(self, text: str | bytes, name: str = "rows.csv") -> None:
        (self.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def asked(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/_log", timeout=10).json()
        return found


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("served")
    script = Path(__file__).with_name("file_server.py")
    started = subprocess.Popen([sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    yield started.stdout.readline().strip(), folder
    started.kill()
    started.wait()
    started.stdout.close()


@pytest.fixture
def server(process: tuple[str, Path]) -> Server:
    url, folder = process
    for path in folder.iterdir():
        path.unlink()
    made = Server(url, folder)
    made.has(ROWS)
    return made


Make = Callable[..., FileSource]


@pytest.fixture
def make(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """A source of one file at an address; each test has paths of its own, because the server counts."""
    opened: list[FileSource] = []

    def make(habit: str, name: str = "rows.csv", *, max_download_mb: float = 10, **spec: Any) -> FileSource:
        path = f"{server.url}/{habit}/{name}?test={abs(hash(request.node.name))}&token=geheim-in-query"
        given = FileSpec(**{"path": path, **spec})
        settings = FilesSettings(files={CUSTOMERS: given}, max_download_mb=max_download_mb)
        opened.append(FileSource(settings, tmp_path, tmp_path, clock=impatient()))
        return opened[-1]

    yield make
    for source in opened:
        source.close()
    assert list(tmp_path.iterdir()) == [], "what was fetched goes with the source"


def test_a_secret_in_a_file_is_looked_for_beside_the_migration_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("geheim-token", encoding="utf-8")
    given = FileSpec(path=f"{server.url}/locked/rows.csv", token="file:token")
    source = FileSource(FilesSettings(files={CUSTOMERS: given}, root="exports"), tmp_path, clock=impatient())
    assert count(source) > 0
    source.close()


def count(source: FileSource) -> int:
    given = list(source.read(CUSTOMERS, None))
    assert all(isinstance(item, SourceRecord) for item in given)
    return len(given)


def refused(source: FileSource) -> GraftportError:
    with pytest.raises(GraftportError) as raised:
        list(source.read(CUSTOMERS, None))
    results = source.check()
    assert not results[0].ok
    assert "geheim" not in f"{raised.value} {results}"
    return raised.value


@pytest.mark.parametrize("habit", ["plain", "etag", "weak", "dated", "packed", "members", "pieces", "slow", "away"])
def test_a_file_is_read_from_its_address(make: Make, habit: str) -> None:
    source = make(habit)
    assert count(source) == 200
    assert source.check()[0].ok


def fetched(server: Server, folder: Path, clock: Clock, stop: Callable[[], bool]) -> Path:
    web = WebFiles(10_000, base=folder, stop=stop, clock=clock, scratch=folder)
    try:
        return web.file(FileSpec(path=f"{server.url}/trickles/rows.csv"))
    finally:
        web.close()


def test_a_file_that_trickles_is_given_up_and_one_that_comes_slowly_is_not(server: Server, tmp_path: Path) -> None:
    moments = itertools.count(0, 10)
    slow = Clock(now=lambda: next(moments), sleep=lambda _: None, spread=lambda _: 0.0)
    with pytest.raises(RemoteTimeoutError, match="less than 1 KB came in 60 seconds"):
        fetched(server, tmp_path, slow, lambda: False)
    assert fetched(server, tmp_path, impatient(), lambda: False).name == "rows.csv"


def test_a_stop_is_heard_while_a_file_trickles(server: Server, tmp_path: Path) -> None:
    asked = itertools.count()
    with pytest.raises(StoppedError):
        fetched(server, tmp_path, impatient(), lambda: next(asked) > 20)
    assert next(asked) < 40


def test_what_is_fetched_is_for_this_user_alone(make: Make, tmp_path: Path) -> None:
    source = make("plain")
    next(source.read(CUSTOMERS, None))
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl", "rows.xlsx", "export"])
def test_every_kind_of_file_can_be_fetched(server: Server, make: Make, name: str, tmp_path: Path) -> None:
    if name == "rows.xlsx":
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("Rows")
        for row in (["sku", "name"], ["A", "x"], ["B", "y"]):
            sheet.append(row)
        book.save(server.folder / name)
    else:
        text = '{"sku": "A"}\n{"sku": "B"}\n' if name == "rows.jsonl" else "sku,name\nA,x\nB,y\n"
        server.has(gzip.compress(text.encode()) if name.endswith(".gz") else text, name)
    assert count(make("plain", name)) == 2
    if name == "rows.xlsx":
        (server.folder / name).rename(server.folder / "download")
        assert count(make("plain", "download")) == 2, "a workbook is known by its content"
    if name == "rows.csv.gz":
        assert count(make("packed", name)) == 2, "packed once more on the way"
        server.has(text, name)
        assert count(make("plain", name)) == 2, "unpacked already, under the packed name"


def test_the_servers_name_says_what_the_address_does_not(server: Server, make: Make, tmp_path: Path) -> None:
    server.has('{"sku": "A"}\n{"sku": "B"}\n', "download")
    assert count(make("named", "download")) == 2


def test_a_fetch_that_breaks_off_goes_on_where_it_was(server: Server, make: Make) -> None:
    assert count(make("breaks")) == 200
    asked = [entry for entry in server.asked() if entry["path"].startswith("/breaks/")]
    assert [entry.get("range") for entry in asked] == [None, f"bytes={len(ROWS) // 2}-"]


def test_a_part_that_is_not_all_of_the_rest_is_not_taken_for_it(make: Make) -> None:
    assert count(make("sips")) == 200


def test_a_part_from_another_place_is_not_taken_for_the_file(server: Server, make: Make) -> None:
    assert count(make("elsewhere")) == 200
    asked = [entry for entry in server.asked() if entry["path"].startswith("/elsewhere/")]
    assert [entry.get("range") for entry in asked] == [None, f"bytes={len(ROWS) // 2}-", None]


def test_a_fetch_that_cannot_be_resumed_begins_anew(server: Server, make: Make) -> None:
    assert count(make("forgets")) == 200
    asked = [entry for entry in server.asked() if entry["path"].startswith("/forgets/")]
    assert [entry.get("range") for entry in asked] == [None, None]


def test_a_busy_server_is_asked_again(make: Make) -> None:
    assert count(make("busy")) == 200


@pytest.mark.parametrize(("habit", "code"), [("short", "FILE_TRUNCATED"), ("halfpacked", "FILE_TRUNCATED")])
def test_a_file_that_always_ends_early_is_never_taken_for_whole(make: Make, habit: str, code: str) -> None:
    error = refused(make(habit))
    assert isinstance(error, RemoteFaultError)
    assert error.code in {code, "ANSWER_LOST"}


@pytest.mark.parametrize(
    ("habit", "kind", "code"),
    [
        ("login", ConfigurationError, "FILE_NOT_ROWS"), ("page", ConfigurationError, "FILE_NOT_ROWS"),
        ("locked", CredentialsError, "SOURCE_UNAUTHORIZED"), ("status/403", CredentialsError, "SOURCE_FORBIDDEN"),
        ("status/410", ConfigurationError, "FILE_ABSENT"), ("status/418", ConfigurationError, "SOURCE_REFUSED"),
        ("loop", ConfigurationError, "FILE_ADDRESS"), ("brotli", ConfigurationError, "CONTENT_ENCODING"),
    ],
)  # fmt: skip
def test_what_is_no_file_is_refused_in_plain_words(
    make: Make, habit: str, kind: type[GraftportError], code: str
) -> None:
    error = refused(make(habit))
    assert (type(error), error.code) == (kind, code)
    assert error.hint


def test_an_absent_file_is_refused(make: Make) -> None:
    assert refused(make("plain", "absent.csv")).code == "FILE_ABSENT"


def test_a_server_that_is_not_there_is_unreachable(make: Make) -> None:
    error = refused(make("plain", path="http://127.0.0.1:9/rows.csv"))
    assert isinstance(error, UnreachableError)


@pytest.mark.parametrize("habit", ["plain", "pieces", "packed"])
def test_a_file_beyond_the_limit_is_not_fetched_whole(server: Server, make: Make, habit: str) -> None:
    server.has("sku,name\n" + "A,B\n" * 400_000)
    error = refused(make(habit, max_download_mb=1))
    assert (error.error_class, error.code) == (ErrorClass.MAX_FILE_SIZE, "FILE_TOO_LARGE")


@pytest.mark.parametrize(
    "spec", [{"user": "env:SHOP_USER", "password": "env:SHOP_PASSWORD"}, {"token": "env:SHOP_TOKEN"}]
)
def test_credentials_open_what_is_locked(make: Make, spec: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_USER", "reader")
    monkeypatch.setenv("SHOP_PASSWORD", "geheim")
    monkeypatch.setenv("SHOP_TOKEN", "geheim-token")
    assert count(make("locked", **spec)) == 200


def test_credentials_are_not_given_to_another_host(server: Server, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "geheim-token")
    server.has(ROWS, "elsewhere.csv")
    assert count(make("away", "elsewhere.csv", token="env:SHOP_TOKEN")) == 200
    asked = {entry["path"].split("/")[1]: entry for entry in server.asked() if "elsewhere" in entry["path"]}
    assert asked["away"]["authorization"] == "Bearer geheim-token"
    assert "authorization" not in asked["plain"]


def test_credentials_are_never_sent_unencrypted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "geheim-token")
    error = refused(make("plain", path="http://files.example/rows.csv", token="env:SHOP_TOKEN"))
    assert error.code == "FILE_ADDRESS"


def test_an_address_with_a_token_in_it_may_be_a_secret(
    server: Server, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_ADDRESS", f"{server.url}/plain/rows.csv?sig=geheim")
    assert count(make("plain", path="env:EXPORT_ADDRESS")) == 200
    monkeypatch.setenv("EXPORT_ADDRESS", "rows.csv")
    assert refused(make("plain", path="env:EXPORT_ADDRESS")).code == "FILE_ADDRESS"


@pytest.mark.parametrize(
    "spec",
    [
        {"path": "rows.csv", "token": "env:X"}, {"path": "https://h/x", "user": "env:X"},
        {"path": "https://h/x", "token": "geheim"}, {"path": "https://u:p@h/x"},
        {"path": "https://h/x", "token": "env:X", "user": "env:X", "password": "env:X"},
    ],
)  # fmt: skip
def test_credentials_are_given_whole_and_as_secrets(spec: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        FilesSettings.model_validate({"files": {"customers": spec}})


@pytest.mark.parametrize(
    ("habit", "kind"),
    [("etag", "etag"), ("weak", "etag"), ("nohead", "etag"), ("plain", "sha256"), ("packed", "sha256")],
)
def test_freshness_changes_exactly_when_the_content_does(server: Server, make: Make, habit: str, kind: str) -> None:
    tokens = []
    for text in ("sku\nA\n", "sku\nA\n", "sku\nB\n", "sku\nA\n"):
        server.has(text)
        freshness = make(habit).freshness(CUSTOMERS)
        assert freshness.kind == kind
        tokens.append(freshness.token)
    assert tokens[0] == tokens[1] == tokens[3] != tokens[2]


def test_freshness_by_time_where_there_is_no_tag(server: Server, make: Make) -> None:
    os.utime(server.folder / "rows.csv", (1_700_000_000, 1_700_000_000))
    before = make("dated").freshness(CUSTOMERS)
    assert (before.kind, before.token) == ("last-modified", "2023-11-14T22:13:20+00:00")
    os.utime(server.folder / "rows.csv", (1_800_000_000, 1_800_000_000))
    assert make("dated").freshness(CUSTOMERS).token != before.token


def test_freshness_does_not_fetch_what_the_server_has_a_tag_for(server: Server, make: Make) -> None:
    make("etag").freshness(CUSTOMERS)
    asked = [entry for entry in server.asked() if entry["path"].startswith("/etag/")]
    assert asked[-1]["method"] == "HEAD"


@pytest.mark.parametrize("habit", ["etag", "weak", "nohead"])
def test_a_known_tag_is_asked_with_and_the_answer_is_no_more_than_the_same(
    server: Server, make: Make, habit: str
) -> None:
    first = make(habit).freshness(CUSTOMERS)
    assert first.etag.strip("W/").strip('"') == first.token
    again = make(habit).freshness(CUSTOMERS, first.etag)
    asked = [entry for entry in server.asked() if entry["path"].startswith(f"/{habit}/")]
    assert asked[-1]["if-none-match"] == first.etag
    assert again.token == first.token
    server.has("sku\nonly\n")
    assert make(habit).freshness(CUSTOMERS, first.etag).token != first.token


def test_a_file_that_was_put_back_from_before_has_changed(server: Server, make: Make) -> None:
    """By its time alone a server would call it not modified since."""
    os.utime(server.folder / "rows.csv", (1_800_000_000, 1_800_000_000))
    before = make("dated").freshness(CUSTOMERS)
    os.utime(server.folder / "rows.csv", (1_700_000_000, 1_700_000_000))
    assert make("dated").freshness(CUSTOMERS, before.etag).token != before.token


@pytest.mark.parametrize("habit", ["etag", "dated"])
def test_an_unchanged_file_is_not_fetched_twice_by_one_source(server: Server, make: Make, habit: str) -> None:
    source = make(habit)
    assert count(source) == count(source) == 200
    server.has("sku\nonly\n")
    os.utime(server.folder / "rows.csv", (1_900_000_000, 1_900_000_000))
    assert count(source) == 1


def test_local_and_fetched_files_stand_side_by_side(server: Server, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "local.csv").write_text("sku\nL-1\n")
        specs = [FileSpec(path="local.csv"), FileSpec(path=f"{server.url}/etag/rows.csv")]
        source = FileSource(FilesSettings(files={CUSTOMERS: specs}), Path(folder))
        assert count(source) == 201
        assert source.freshness(CUSTOMERS).kind == "etag and sha256"
        source.close()

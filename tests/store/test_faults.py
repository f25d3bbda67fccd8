"""What a database refuses reaches us as an error of ours that says what to do."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from graftport_dagster.errors import (
    BrokenPromiseError,
    ConfigurationError,
    GraftportError,
    OutOfSpaceError,
    StoreLostError,
    TransientError,
    UnreachableError,
)
from graftport_dagster.records import ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.store.database import Database, over_restarts
from graftport_dagster.store.record_store import Dataset, RecordStore
from graftport_dagster.store.source_records import SourceRecords

PRODUCTS = ResourceType.PRODUCTS
REAL = Dataset("acme")


def opened_with(path: Path, *pragmas: str) -> Database:
    """A database whose connections have these settings on top of ours."""
    RecordStore.open(f"sqlite:///{path}").close()
    database = Database(f"sqlite:///{path}")

    @event.listens_for(database.engine, "connect")
    def _set(connection: Any, record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma)

    return database


def test_a_full_disk_loses_the_batch_in_hand_and_nothing_else(tmp_path: Path, clock: Any) -> None:
    database = opened_with(tmp_path / "store.db", "PRAGMA max_page_count = 400")
    records = SourceRecords(database, clock)
    run = Run("run-1", "acme", RunOptions(), seq=1)
    written: list[int] = []

    def write_on() -> None:
        for start in range(0, 10_000, 100):
            batch = [SourceRecord(str(number), {"v": f"{number}" * 200}) for number in range(start, start + 100)]
            written.append(records.upsert(REAL, PRODUCTS, run, batch).new)

    with pytest.raises(OutOfSpaceError, match="full") as caught:
        write_on()
    assert "Free some space" in caught.value.hint
    assert records.count(REAL, PRODUCTS) == sum(written) > 0
    database.close()


def test_a_file_that_another_process_keeps_locked_is_tried_again_later(tmp_path: Path, clock: Any) -> None:
    database = opened_with(tmp_path / "store.db", "PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    run = Run("run-1", "acme", RunOptions(), seq=1)

    with pytest.raises(TransientError, match="locked") as caught:
        SourceRecords(database, clock).upsert(REAL, PRODUCTS, run, [SourceRecord("a", {})])
    assert caught.value.code == "STORE_BUSY"
    assert SourceRecords(database, clock).count(REAL, PRODUCTS) == 0
    other.close()
    database.close()


def test_a_second_writer_waits_for_the_first(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / "store.db"
    with RecordStore.open(f"sqlite:///{path}", now=clock) as store:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")

        def commit_later() -> None:
            time.sleep(0.3)
            other.execute("COMMIT")

        thread = threading.Thread(target=commit_later)
        thread.start()
        store.runs.start(Run("run-1", "acme", RunOptions()))
        thread.join()
        other.close()


def test_a_file_that_is_no_database_is_named_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database at all " * 100)

    with pytest.raises(BrokenPromiseError, match="not a database") as caught:
        RecordStore.open(f"sqlite:///{path}")
    assert caught.value.code == "STORE_DAMAGED"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("no url", "STORE_URL"),
        ("mysql://host/database", "STORE_URL"),
        ("sqlite://", "STORE_URL"),
        ("sqlite:///:memory:", "STORE_URL"),
        ("sqlite:////proc/nowhere/store.db", "STORE_PLACE"),
        ("sqlite:////", "STORE_PLACE"),
    ],
)
def test_a_place_that_is_none_is_a_matter_of_configuration(url: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RecordStore.open(url)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize("url", ["postgresql://nobody:secret@127.0.0.1:1/db", "postgres://no-such-host.invalid/db"])
def test_a_postgres_that_does_not_answer_was_provably_not_reached(url: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        RecordStore.open(url)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_to_be_created(postgres_url: str) -> None:
    elsewhere = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(ConfigurationError, match="does not exist"):
        RecordStore.open(elsewhere)


def test_a_connection_that_the_server_ends_is_lost_for_now_and_made_anew(postgres_url: str) -> None:
    RecordStore.open(postgres_url).close()
    database, killer = Database(postgres_url), Database(postgres_url)

    def write_while_it_ends() -> None:
        with database.write() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with killer.write() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            connection.execute(text("SELECT 1"))

    with pytest.raises(GraftportError) as caught:
        write_while_it_ends()
    assert (type(caught.value), caught.value.code) == (StoreLostError, "STORE_LOST")

    with database.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()
    killer.close()


@over_restarts
class Cut:
    """Writes one row; the server ends its connection the first time, before or after the last statement."""

    def __init__(self, url: str, *, ends_early: bool) -> None:
        self.database, self._killer, self._ends_early = Database(url), Database(url), ends_early
        self.tries = 0

    def write(self) -> None:
        self.tries += 1
        with self.database.write() as connection:
            connection.execute(
                text("INSERT INTO pauses (migration, by, reason, since) VALUES ('acme', 'ann', '', now())")
            )
            if self.tries > 1:
                return
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with self._killer.write() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            if self._ends_early:
                connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.database.close()
        self._killer.close()


@pytest.fixture(params=[True, False], ids=["before the commit", "in the commit"])
def cut(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Cut]:
    RecordStore.open(postgres_url).close()
    made = Cut(postgres_url, ends_early=request.param)
    yield made
    made.close()


def test_a_transaction_is_done_once_more_where_it_was_certainly_not_committed(
    cut: Cut, request: pytest.FixtureRequest
) -> None:
    if "before" in request.node.name:
        cut.write()
        assert cut.tries == 2
    else:
        with pytest.raises(StoreLostError) as caught:
            cut.write()
        assert (cut.tries, caught.value.is_undone) == (1, False)
        assert "back" in caught.value.hint
    with cut.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM pauses")).scalar_one() == cut.tries - 1


@pytest.mark.parametrize(("patience", "told"), [(0.0, []), (0.1, ["Waiting for the database, up to 0 s."])])
def test_a_database_that_was_never_there_is_waited_for_only_where_that_is_asked(
    patience: float, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UnreachableError):
        RecordStore.open("postgresql://nobody:secret@127.0.0.1:1/db", patience=patience)
    assert [message.partition(" s.")[0] + " s." for message in caplog.messages] == told
    assert "secret" not in caplog.text


def test_a_store_in_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="cannot be made or written"):
        RecordStore.open(f"sqlite:///{tmp_path / 'store.db'}")


def test_what_a_statement_was_about_stands_in_no_error(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with database.engine.connect() as connection, pytest.raises(SQLAlchemyError) as found:
        connection.execute(text("SELECT * FROM nowhere WHERE mail = :mail"), {"mail": "ada@example.com"})
    database.close()
    assert "ada@example.com" not in str(found.value)

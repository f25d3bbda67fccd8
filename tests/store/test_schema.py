"""A store comes to be by its migrations, once, closed to others; and later versions are refused."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

import graftport_dagster.store
from graftport_dagster.errors import SchemaTooNewError
from graftport_dagster.records import Run, RunOptions
from graftport_dagster.store.database import Database
from graftport_dagster.store.record_store import RecordStore
from graftport_dagster.store.schema import REVISIONS
from graftport_dagster.store.tables import metadata

OPEN = """
import sys
from graftport_dagster.records import Run, RunOptions
from graftport_dagster.store.record_store import RecordStore
sys.stdin.readline()
with RecordStore.open(sys.argv[1]) as store:
    print(store.runs.start(Run(sys.argv[2], "acme", RunOptions())).seq)
"""


def shape(url: str) -> dict[str, Any]:
    """Tables with columns, keys and indexes, as the database itself tells them."""
    database = Database(url)
    found = {}
    look = inspect(database.engine)
    for table in look.get_table_names():
        columns = [(one["name"], str(one["type"]), one["nullable"], one["default"]) for one in look.get_columns(table)]
        indexes = sorted((str(one["name"]), one["column_names"], one["unique"]) for one in look.get_indexes(table))
        found[table] = columns, look.get_pk_constraint(table)["constrained_columns"], indexes
    found.pop("alembic_version", None)
    database.close()
    return found


def test_the_migrated_schema_is_the_one_that_the_code_has(record_store_url: str, tmp_path: Path) -> None:
    RecordStore.open(record_store_url).close()
    migrated = shape(record_store_url)
    database = Database(record_store_url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    metadata.drop_all(database.engine)
    metadata.create_all(database.engine)
    database.close()

    assert shape(record_store_url) == migrated


def test_tables_on_sqlite_are_written_word_for_word_alike(tmp_path: Path) -> None:
    def statements(path: Path) -> set[str]:
        engine = create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            query = text("SELECT sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL")
            found = {" ".join(statement.split()) for statement in connection.execute(query).scalars()}
        engine.dispose()
        return found

    RecordStore.open(f"sqlite:///{tmp_path / 'migrated.db'}").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    metadata.create_all(engine)
    engine.dispose()

    assert statements(tmp_path / "migrated.db") == statements(tmp_path / "created.db")


def test_the_code_knows_every_revision_in_order() -> None:
    config = Config()
    folder = Path(str(graftport_dagster.store.__file__)).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    scripts = ScriptDirectory.from_config(config)

    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS


def test_a_store_of_a_later_version_is_refused_with_a_sentence(record_store_url: str) -> None:
    RecordStore.open(record_store_url).close()
    database = Database(record_store_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(SchemaTooNewError, match=r"later version of Graftport \(schema 9999"):
        RecordStore.open(record_store_url)


def test_processes_that_open_an_empty_store_at_once_all_get_it(record_store_url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, record_store_url, f"run-{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for number in range(4)
    ]  # fmt: skip
    said = [opener.communicate("go\n")[0] for opener in openers]

    assert sorted(map(int, said)) == [1, 2, 3, 4]


def test_opening_again_changes_nothing_and_needs_no_migration(record_store_url: str) -> None:
    with RecordStore.open(record_store_url) as store:
        run = store.runs.start(Run("run-1", "acme", RunOptions()))
    with RecordStore.open(record_store_url) as store:
        assert store.runs.find("run-1") == run


def test_files_are_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "state" / "store.db"
    with RecordStore.open(f"sqlite:///{path}") as store:
        store.runs.start(Run("run-1", "acme", RunOptions()))
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
        assert {file.name for file in path.parent.iterdir()} >= {"store.db", "store.db-wal"}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    path.chmod(0o644)
    RecordStore.open(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

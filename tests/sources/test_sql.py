"""A database as a source, on SQLite and on a real Postgres."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, make_url, text

from graftport_dagster.errors import ConfigurationError, CredentialsError, GraftportError, UnreachableError
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.source_settings.sql import SqlSettings
from graftport_dagster.sources.sql import SqlSource

ORDERS = ResourceType.ORDERS
CUSTOMERS = ResourceType.CUSTOMERS
PAST = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(address: str) -> Iterator[Engine]:
    """A shop of three orders with their lines."""
    engine = create_engine(address)
    moment = "TIMESTAMP" if engine.dialect.name == "sqlite" else "TIMESTAMPTZ"
    with engine.begin() as connection:
        for statement in (
            f'CREATE TABLE "order" (id INTEGER PRIMARY KEY, email TEXT, total NUMERIC(12, 2), updated_at {moment})',
            "CREATE TABLE order_line (order_id INTEGER, place INTEGER, sku TEXT)",
            "INSERT INTO \"order\" VALUES (1, 'a@example.com', 10.50, '2026-01-01 08:00:00+00:00'),"
            " (2, 'b@example.com', 0.10, '2026-01-02 08:00:00+00:00'), (3, NULL, NULL, '2026-01-03 08:00:00+00:00')",
            "INSERT INTO order_line VALUES (1, 2, 'B'), (1, 1, 'A'), (3, 1, 'C')",
        ):
            connection.execute(text(statement))
    yield engine
    engine.dispose()


Make = Callable[..., SqlSource]


@pytest.fixture
def make(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Make]:
    """A source over the shop, with these queries."""
    monkeypatch.setenv("SHOP_DATABASE", address)
    opened: list[SqlSource] = []

    def make(kind: ResourceType = ORDERS, **rows: Any) -> SqlSource:
        given = {"type": "sql", "url": "env:SHOP_DATABASE", "queries": {kind: rows}, "overlap_minutes": 0}
        opened.append(SqlSource(SqlSettings.model_validate(given), tmp_path))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def read(source: SqlSource, since: JsonObject | None = None) -> tuple[dict[str, SourceRecord], list[InvalidRow]]:
    given = list(source.read(source.resource_types()[0], since))
    return (
        {item.source_id: item for item in given if isinstance(item, SourceRecord)},
        [item for item in given if isinstance(item, InvalidRow)],
    )


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_table_gives_one_record_per_row_under_its_id(database: Engine, make: Make) -> None:
    records, invalid = read(make(table="order"))
    assert (list(records), invalid) == (["1", "2", "3"], [])
    assert records["3"].payload["email"] is None
    assert records["1"].origin == "order id=1"


def test_rows_below_a_row_are_put_together_under_its_id_in_their_order(database: Engine, make: Make) -> None:
    lines = {"query": "SELECT * FROM order_line -- all of them", "parent_column": "order_id", "order_by": "place"}
    records, _ = read(make(query='SELECT * FROM "order";', children={"lines": lines}))
    assert [line["sku"] for line in records["1"].payload["lines"]] == ["A", "B"]
    assert records["2"].payload["lines"] == []
    assert [record.rows for record in records.values()] == [3, 1, 2]


def test_more_rows_than_a_batch_get_their_own_lines(database: Engine, make: Make) -> None:
    count = 1203
    values = ", ".join(f"({number}, 1, 'S{number}')" for number in range(10, 10 + count))
    orders = ", ".join(f"({number}, 'x', 1, '2026-02-01 08:00:00+00:00')" for number in range(10, 10 + count))
    run(database, f'INSERT INTO "order" VALUES {orders}', f"INSERT INTO order_line VALUES {values}")
    records, _ = read(make(table="order", children={"lines": {"table": "order_line", "parent_column": "order_id"}}))
    assert len(records) == count + 3
    assert records["1212"].payload["lines"][0]["sku"] == "S1212"


def test_later_reads_give_what_changed_and_the_cursor_moves_on(database: Engine, make: Make) -> None:
    source = make(table="order", updated_at_column="updated_at")
    records, _ = read(source)
    cursor = source.cursor(ORDERS)
    assert cursor is not None
    assert records["2"].updated_at == datetime(2026, 1, 2, 8, tzinfo=UTC)
    assert list(read(source, cursor)[0]) == ["3"], "the last moment itself is read again: more may have happened in it"
    run(
        database, "UPDATE \"order\" SET email = 'new', updated_at = '2026-01-05 08:00:00+00:00' WHERE id = 1",
        "INSERT INTO \"order\" VALUES (4, 'untimed', 1, NULL)",
    )  # fmt: skip
    assert sorted(read(source, cursor)[0]) == ["1", "3", "4"]
    moved = source.cursor(ORDERS)
    assert moved is not None
    assert "2026-01-05" in moved["since"]


def test_the_overlap_reads_what_was_committed_late(database: Engine, address: str, make: Make, tmp_path: Path) -> None:
    source = make(table="order", updated_at_column="updated_at")
    read(source)
    given = {"type": "sql", "url": "env:SHOP_DATABASE", "overlap_minutes": 24 * 60,
             "queries": {ORDERS: {"table": "order", "updated_at_column": "updated_at"}}}  # fmt: skip
    patient = SqlSource(SqlSettings.model_validate(given), tmp_path)
    assert list(read(patient, source.cursor(ORDERS))[0]) == ["2", "3"]
    patient.close()


def test_a_query_may_say_itself_where_the_time_goes(database: Engine, make: Make) -> None:
    query = 'SELECT id, email, updated_at FROM "order" WHERE updated_at >= :since ORDER BY id DESC'
    source = make(query=query, updated_at_column="updated_at")
    assert list(read(source)[0]) == ["3", "2", "1"]
    assert list(read(source, source.cursor(ORDERS))[0]) == ["3"]


def test_a_changed_query_is_read_whole(database: Engine, make: Make) -> None:
    source = make(query='SELECT id, updated_at FROM "order"', updated_at_column="updated_at")
    read(source)
    other = make(query='SELECT id, email, updated_at FROM "order"', updated_at_column="updated_at")
    assert len(read(other, source.cursor(ORDERS))[0]) == 3


def test_an_incremental_read_without_changes_is_no_empty_shop(database: Engine, make: Make) -> None:
    source = make(query='SELECT * FROM "order" WHERE updated_at > :since', updated_at_column="updated_at")
    read(source)
    assert read(source, source.cursor(ORDERS)) == ({}, [])
    with pytest.raises(ConfigurationError) as refused:
        read(make(query='SELECT * FROM "order" WHERE id > 99'))
    assert refused.value.code == "NO_ROWS"


def test_freshness_is_the_latest_time_and_the_number_of_rows(database: Engine, make: Make) -> None:
    source = make(table="order", updated_at_column="updated_at")
    before = source.freshness(ORDERS)
    assert (before.kind, before.changed_at) == ("max(updated_at)", datetime(2026, 1, 3, 8, tzinfo=UTC))
    run(database, 'DELETE FROM "order" WHERE id = 1')
    assert source.freshness(ORDERS).token != before.token


def test_freshness_without_a_time_is_a_checksum_of_rows_and_lines(database: Engine, make: Make) -> None:
    source = make(table="order", children={"lines": {"table": "order_line", "parent_column": "order_id"}})
    before = source.freshness(ORDERS)
    assert source.freshness(ORDERS) == before
    run(database, "UPDATE order_line SET sku = 'A2' WHERE sku = 'A'")
    changed = source.freshness(ORDERS).token
    run(database, "UPDATE order_line SET sku = 'A' WHERE sku = 'A2'")
    assert source.freshness(ORDERS).token == before.token != changed


@pytest.mark.parametrize("statement", ["DELETE FROM order_line", 'DROP TABLE "order"'])
def test_nothing_can_be_written_through_its_connection(database: Engine, make: Make, statement: str) -> None:
    source = make(table="order")
    with source._database().reading() as (connection, _), pytest.raises(Exception, match=r"(?i)read-?only"):
        connection.execute(text(statement))
    assert len(read(source)[0]) == 3


def test_a_query_that_writes_is_refused_by_the_database(address: str, database: Engine, make: Make) -> None:
    if "postgres" not in address:
        pytest.skip("SQLite has no writing WITH")
    with pytest.raises(GraftportError) as refused:
        read(make(query="WITH gone AS (DELETE FROM order_line RETURNING *) SELECT order_id AS id FROM gone"))
    assert refused.value.code == "QUERY"
    assert read(make(query="SELECT count(*) AS id FROM order_line"))[0].keys() == {"3"}


@pytest.mark.parametrize(
    "query", ["DELETE FROM t", "SELECT 1; DROP TABLE t", "", "SELECT 'a;b'; -- ;\nCOMMIT", "PRAGMA query_only = OFF"]
)
def test_more_than_one_reading_statement_is_refused_with_the_settings(query: str) -> None:
    with pytest.raises(ValidationError):
        SqlSettings.model_validate({"type": "sql", "url": "env:X", "queries": {"orders": {"query": query}}})


def test_semicolons_in_texts_and_comments_end_nothing(database: Engine, make: Make) -> None:
    records, _ = read(make(query="SELECT id, ';' AS mark /* ; */ FROM \"order\"; -- the end;"))
    assert records["1"].payload == {"id": 1, "mark": ";"}


def test_amounts_are_exact_and_times_are_iso(address: str, make: Make) -> None:
    if "postgres" not in address:
        pytest.skip("SQLite has no such types")
    query = """SELECT 7::numeric AS id, 0.10::numeric(9,2) AS price, '2026-03-29 02:30'::timestamp AS local,
        '2026-03-29 02:30+01'::timestamptz AT TIME ZONE 'UTC' AS utc, '2026-03-29'::date AS day, true AS yes,
        '{"a": [1]}'::jsonb AS doc, ARRAY['x', 'y'] AS tags, '90 seconds'::interval AS span,
        '12345678-1234-5678-1234-567812345678'::uuid AS key, 9007199254740993::bigint AS big, '10:30'::time AS at"""
    records, invalid = read(make(query=query))
    assert not invalid
    assert records["7"].payload == {
        "id": "7", "price": "0.10", "local": "2026-03-29T02:30:00", "utc": "2026-03-29T01:30:00", "day": "2026-03-29",
        "yes": True, "doc": {"a": [1]}, "tags": ["x", "y"], "span": "PT90S", "at": "10:30:00",
        "key": "12345678-1234-5678-1234-567812345678", "big": 9007199254740993,
    }  # fmt: skip


def test_bytes_and_what_is_no_number_spoil_only_their_own_record(database: Engine, address: str, make: Make) -> None:
    blob = "decode('ff', 'hex')" if "postgres" in address else "x'ff'"
    infinite = "'Infinity'::float" if "postgres" in address else "9e999"
    query = f"SELECT 1 AS id, {blob} AS photo UNION ALL SELECT 2, NULL"
    records, invalid = read(make(CUSTOMERS, query=query))
    assert list(records) == ["2"]
    assert (invalid[0].source_id, invalid[0].code) == ("1", "COLUMN_TYPE")
    assert "photo holds bytes" in invalid[0].reason
    _, invalid = read(make(CUSTOMERS, query=f"SELECT 1 AS id, {infinite} AS price"))
    assert "price is inf" in invalid[0].reason


def test_a_row_below_that_cannot_be_used_spoils_its_record(database: Engine, address: str, make: Make) -> None:
    blob = "decode('ff', 'hex')" if "postgres" in address else "x'ff'"
    lines = {"query": f"SELECT order_id, CASE WHEN sku = 'C' THEN {blob} END AS label FROM order_line",
             "parent_column": "order_id"}  # fmt: skip
    records, invalid = read(make(table="order", children={"lines": lines}))
    assert list(records) == ["1", "2"]
    assert invalid[0].source_id == "3"
    assert invalid[0].reason.startswith("lines: label holds bytes")


def test_a_row_without_an_id_is_invalid(database: Engine, make: Make) -> None:
    records, invalid = read(make(table="order", id_column="email"))
    assert list(records) == ["a@example.com", "b@example.com"]
    assert [(row.code, row.source_id) for row in invalid] == [("NO_ID", "")]


def test_check_is_content_with_a_good_query(database: Engine, make: Make) -> None:
    (result,) = make(table="order", updated_at_column="updated_at").check()
    assert (result.ok, result.detail) == (True, "readable, id in id, later reads by updated_at")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"query": 'SELECT id,\n  emial\nFROM "order"'}, "line 2, column 3"),
        ({"query": 'SELECT id FROM "order" WHERE\n id = = 1'}, "(line"),
        ({"table": "oders"}, "oders"),
        ({"table": "order", "id_column": "number"}, "no column number; it gives id, email"),
        ({"table": "order", "updated_at_column": "changed"}, "no column changed"),
        ({"query": 'SELECT id, id FROM "order"'}, "two columns named id"),
        ({"table": "order", "children": {"email": {"table": "order_line", "parent_column": "order_id"}}}, "email is a"),
        ({"table": "order", "children": {"lines": {"table": "order_line", "parent_column": "order"}}}, "order"),
        ({"table": "order", "children": {"lines": {"table": "lines", "parent_column": "order_id"}}}, "lines"),
        ({"query": 'SELECT id FROM "order" WHERE id = :number'}, "number"),
        ({"query": 'SELECT id FROM "order" WHERE id > 99'}, "no rows"),
    ],
)
def test_check_names_what_is_wrong_with_a_query(database: Engine, make: Make, rows: dict[str, Any], said: str) -> None:
    (result,) = make(**rows).check()
    assert not result.ok
    assert said in result.detail
    assert result.hint


def refused(address: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> GraftportError:
    monkeypatch.setenv("SHOP_DATABASE", address)
    given = {"type": "sql", "url": "env:SHOP_DATABASE", "queries": {"orders": {"table": "orders"}}}
    source = SqlSource(SqlSettings.model_validate(given), folder)
    (result,) = source.check()
    assert not result.ok
    assert result.hint
    with pytest.raises(GraftportError) as raised:
        list(source.read(ORDERS, None))
    assert "geheim" not in f"{raised.value} {result}"
    return raised.value


@pytest.mark.parametrize(
    ("address", "kind", "code"),
    [
        ("nodatabase://user:geheim@host/shop", ConfigurationError, "DRIVER_MISSING"),
        ("mysql+mysqldb://user:geheim@host/shop", ConfigurationError, "DRIVER_MISSING"),
        ("user:geheim@host/shop", ConfigurationError, "DATABASE_ADDRESS"),
        ("postgresql+psycopg2://user:geheim@127.0.0.1:1/shop", UnreachableError, "DATABASE_UNREACHABLE"),
        ("sqlite:///absent.db", ConfigurationError, "FILE_ABSENT"),
    ],
)
def test_an_address_that_cannot_be_opened_is_refused_in_plain_words(
    address: str, kind: type[GraftportError], code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = refused(address, monkeypatch, tmp_path)
    assert (type(error), error.code) == (kind, code)
    assert not list(tmp_path.iterdir()), "no database is made of a name that is not there"


def test_wrong_credentials_and_absent_databases_are_told_apart(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = make_url(postgres_url)
    no_database = url.set(database="nowhere").render_as_string(hide_password=False)
    assert refused(no_database, monkeypatch, tmp_path).code == "DATABASE_ABSENT"
    nobody = url.set(username="nobody_here", password="geheim").render_as_string(hide_password=False)
    error = refused(nobody, monkeypatch, tmp_path)
    assert (type(error), error.code) == (CredentialsError, "DATABASE_CREDENTIALS")


def test_a_file_that_is_no_database_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"not a database, surely" * 100)
    assert refused("sqlite:///shop.db", monkeypatch, tmp_path).message


def test_the_address_must_be_a_secret() -> None:
    with pytest.raises(ValidationError):
        SqlSettings.model_validate({"type": "sql", "url": "sqlite:///x.db", "queries": {"orders": {"table": "o"}}})
    assert "SHOP_DATABASE" not in os.environ

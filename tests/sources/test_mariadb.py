"""A database as a source on a real MariaDB, which speaks as MySQL does: streams, values, times, refusals.

What holds for every database is in `test_sql.py` and in the suite of `tests/contracts/test_source.py`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from graftport_dagster.errors import CredentialsError, GraftportError
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.source_settings.sql import SqlSettings
from graftport_dagster.sources.sql import SqlSource

ORDERS = ResourceType.ORDERS
Make = Callable[..., SqlSource]


@pytest.fixture
def database(mariadb_url: str) -> Iterator[Engine]:
    """A shop of three orders with their lines."""
    engine = create_engine(mariadb_url)
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE `order`"
            " (id BIGINT PRIMARY KEY, email VARCHAR(80), total DECIMAL(12, 2), updated_at DATETIME(3))",
            "CREATE TABLE order_line (order_id BIGINT, place INT, sku VARCHAR(40))",
            "INSERT INTO `order` VALUES (1, 'a@example.com', 10.50, '2026-01-01 08:00:00'),"
            " (2, 'b@example.com', 0.10, '2026-01-02 08:00:00'), (3, NULL, NULL, '2026-01-03 08:00:00')",
            "INSERT INTO order_line VALUES (1, 2, 'B'), (1, 1, 'A'), (3, 1, 'C')",
        ):
            connection.execute(text(statement))
    yield engine
    engine.dispose()


@pytest.fixture
def make(mariadb_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Make]:
    """A source over the shop, with these queries."""
    monkeypatch.setenv("SHOP_DATABASE", mariadb_url)
    opened: list[SqlSource] = []

    def make(**rows: Any) -> SqlSource:
        given = {"type": "sql", "url": "env:SHOP_DATABASE", "queries": {ORDERS: rows}, "overlap_minutes": 0}
        opened.append(SqlSource(SqlSettings.model_validate(given), tmp_path))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def read(source: SqlSource, since: JsonObject | None = None) -> tuple[dict[str, SourceRecord], list[InvalidRow]]:
    given = list(source.read(ORDERS, since))
    return (
        {item.source_id: item for item in given if isinstance(item, SourceRecord)},
        [item for item in given if isinstance(item, InvalidRow)],
    )


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_more_rows_than_a_batch_come_with_their_lines_over_two_connections(database: Engine, make: Make) -> None:
    count = 1203
    orders = ", ".join(f"({number}, 'x', 1, '2026-02-01 08:00:00')" for number in range(10, 10 + count))
    lines = ", ".join(f"({number}, 1, 'S{number}')" for number in range(10, 10 + count))
    run(database, f"INSERT INTO `order` VALUES {orders}", f"INSERT INTO order_line VALUES {lines}")
    below = {"lines": {"table": "order_line", "parent_column": "order_id", "order_by": "place"}}
    given = make(table="order", children=below).read(ORDERS, None)
    assert isinstance(next(given), SourceRecord)
    assert len(list(given)) == count + 2
    records, invalid = read(make(table="order", children=below))
    assert (len(records), invalid) == (count + 3, [])
    assert [line["sku"] for line in records["1"].payload["lines"]] == ["A", "B"]
    assert records["1212"].payload["lines"][0]["sku"] == "S1212"


def test_a_read_that_is_given_up_leaves_the_source_usable(database: Engine, make: Make) -> None:
    run(database, *(f"INSERT INTO `order` VALUES ({number}, 'x', 1, NULL)" for number in range(10, 40)))
    source = make(table="order")
    next(iter(source.read(ORDERS, None)))
    assert len(read(source)[0]) == 33


def test_later_reads_give_what_changed(database: Engine, make: Make) -> None:
    source = make(table="order", updated_at_column="updated_at")
    records, _ = read(source)
    cursor = source.cursor(ORDERS)
    assert records["2"].updated_at == datetime(2026, 1, 2, 8, tzinfo=UTC)
    assert list(read(source, cursor)[0]) == ["3"]
    run(
        database, "UPDATE `order` SET updated_at = '2026-01-05 08:00:00.5' WHERE id = 1",
        "INSERT INTO `order` VALUES (4, 'untimed', 1, NULL)",
    )  # fmt: skip
    assert sorted(read(source, cursor)[0]) == ["1", "3", "4"]
    before = source.freshness(ORDERS)
    assert before.kind == "max(updated_at)"
    run(database, "DELETE FROM `order` WHERE id = 2")
    assert source.freshness(ORDERS).token != before.token


def test_timestamps_are_read_in_utc_whatever_the_zone_of_the_server(database: Engine, make: Make) -> None:
    run(
        database, "CREATE TABLE stamped (id INT PRIMARY KEY, updated_at TIMESTAMP NULL)",
        "SET GLOBAL time_zone = '+05:00'",
    )  # fmt: skip
    try:
        run(database, "SET time_zone = '+00:00'", "INSERT INTO stamped VALUES (1, '2026-01-01 08:00:00')")
        records, _ = read(make(table="stamped", updated_at_column="updated_at"))
    finally:
        run(database, "SET GLOBAL time_zone = 'SYSTEM'")
    assert records["1"].payload["updated_at"] == "2026-01-01T08:00:00"
    assert records["1"].updated_at == datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_values_are_exact_and_json_is_the_text_that_it_is_there(database: Engine, make: Make) -> None:
    run(
        database,
        "CREATE TABLE kinds (id BIGINT UNSIGNED, price DECIMAL(20,4), at DATETIME(6), day DATE, span TIME, yes BOOLEAN,"
        " doc JSON, name VARCHAR(40) CHARACTER SET utf8mb4, year YEAR, kind ENUM('a', 'b'), note TEXT)",
        "INSERT INTO kinds VALUES (18446744073709551615, 12345678901234.1, '2026-03-29 02:30:00.25', '2026-03-29',"
        " '10:30:00', TRUE, '{\"a\": [1, null]}', 'Müller 🙂', 2026, 'b', '')",
    )  # fmt: skip
    records, invalid = read(make(table="kinds"))
    assert invalid == []
    assert records["18446744073709551615"].payload == {
        "id": 18446744073709551615, "price": "12345678901234.1000", "at": "2026-03-29T02:30:00.250000",
        "day": "2026-03-29", "span": "PT37800S", "yes": 1, "doc": '{"a": [1, null]}', "name": "Müller 🙂", "year": 2026,
        "kind": "b", "note": "",
    }  # fmt: skip


def test_dates_of_zeros_are_nothing_and_bytes_spoil_their_own_record(database: Engine, make: Make) -> None:
    run(
        database, "CREATE TABLE odd (id INT, born DATE, updated_at DATETIME, photo BLOB)", "SET sql_mode = ''",
        "INSERT INTO odd VALUES (1, '0000-00-00', '0000-00-00 00:00:00', NULL), (2, NULL, '2026-01-01', x'ff')",
    )  # fmt: skip
    records, invalid = read(make(table="odd", updated_at_column="updated_at"))
    assert records["1"].payload == {"id": 1, "born": None, "updated_at": None, "photo": None}
    assert [(row.source_id, row.code) for row in invalid] == [("2", "COLUMN_TYPE")]


@pytest.mark.parametrize("statement", ["DELETE FROM order_line", "UPDATE `order` SET email = 'x'"])
def test_nothing_can_be_written_through_its_connection(database: Engine, make: Make, statement: str) -> None:
    source = make(table="order")
    with source._database().reading() as (parents, children):
        for connection in (parents, children):
            with pytest.raises(Exception, match=r"(?i)read.only"):
                connection.execute(text(statement))
    assert len(read(source)[0]) == 3


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"query": "SELECT id,\n  emial\nFROM `order`"}, "line 2, column 3"),
        ({"query": "SELECT id FROM `order` WHERE\n id = = 1"}, "(line 2"),
        ({"table": "oders"}, "oders"),
        ({"table": "order", "updated_at_column": "changed"}, "no column changed"),
        ({"table": "order", "children": {"lines": {"table": "lines", "parent_column": "order_id"}}}, "lines"),
    ],
)
def test_check_names_what_is_wrong_with_a_query(database: Engine, make: Make, rows: dict[str, Any], said: str) -> None:
    (result,) = make(**rows).check()
    assert not result.ok
    assert said in result.detail
    assert result.hint


def test_wrong_credentials_and_absent_databases_are_told_apart(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(address: str) -> GraftportError:
        monkeypatch.setenv("SHOP_DATABASE", address)
        given = {"type": "sql", "url": "env:SHOP_DATABASE", "queries": {"orders": {"table": "orders"}}}
        source = SqlSource(SqlSettings.model_validate(given), tmp_path)
        with pytest.raises(GraftportError) as raised:
            list(source.read(ORDERS, None))
        assert "geheim" not in f"{raised.value}"
        return raised.value

    url = make_url(mariadb_url)
    assert refused(url.set(database="nowhere").render_as_string(hide_password=False)).code == "DATABASE_ABSENT"
    error = refused(url.set(username="nobody_here", password="geheim").render_as_string(hide_password=False))
    assert (type(error), error.code) == (CredentialsError, "DATABASE_CREDENTIALS")

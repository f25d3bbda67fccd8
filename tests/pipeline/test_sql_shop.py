"""A shop in a database, moved whole: rows, rows below them, and only what changed the next time."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from graftport_dagster.records import ResourceType
from graftport_dagster.source_settings.sql import SqlSettings
from tests.pipeline.conftest import Shop

MAPPING = """{
  "input": {
    "title": name, "handle": $handle(name),
    "descriptionHtml": $join([texts.body], " ")
  },
  "publications": [$publications]
}"""


def _write(folder: Path, *statements: str) -> None:
    engine = create_engine(f"sqlite:///{folder / 'shop.db'}")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def database(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("SHOP_DATABASE", "sqlite:///shop.db")
    (shop.folder / "mappings").mkdir()
    (shop.folder / "mappings" / "collections.jsonata").write_text(MAPPING)
    values = ", ".join(f"({number}, 'Shelf {number}', '2026-01-01 08:00:00')" for number in range(1, 31))
    _write(
        shop.folder, "CREATE TABLE shelf (id INTEGER PRIMARY KEY, name TEXT, updated_at TEXT)",
        "CREATE TABLE shelf_text (shelf_id INTEGER, place INTEGER, body TEXT)", f"INSERT INTO shelf VALUES {values}",
        "INSERT INTO shelf_text VALUES (1, 2, 'second'), (1, 1, 'first')",
    )  # fmt: skip
    texts = {"table": "shelf_text", "parent_column": "shelf_id", "order_by": "place"}
    rows = {"table": "shelf", "updated_at_column": "updated_at", "children": {"texts": texts}}
    source = SqlSettings.model_validate({"type": "sql", "url": "env:SHOP_DATABASE", "queries": {"collections": rows}})
    shop.migration = shop.migration.model_copy(update={"source": source})
    return shop


def test_a_database_lands_once_and_later_only_what_changed(database: Shop) -> None:
    first = database.run(resource_types=(ResourceType.COLLECTIONS,))
    assert first.counts("collections extract") == {
        "rows_read": 32, "rows_in_records": 32, "read": 30, "new": 30,
    }  # fmt: skip
    assert first.counts("collections load") == {"in_scope": 30, "created": 30}
    made = {item["handle"]: item for item in database.objects("Collection")}
    assert made["shelf-1"]["descriptionHtml"] == "first second"
    writes = database.writes()
    _write(database.folder, "UPDATE shelf SET name = 'Corner', updated_at = '2026-02-01 08:00:00' WHERE id = 7")
    second = database.run(resource_types=(ResourceType.COLLECTIONS,))
    assert second.counts("collections extract")["changed"] == 1
    assert second.counts("collections load")["updated"] == 1
    third = database.run(resource_types=(ResourceType.COLLECTIONS,))
    assert third.counts("collections extract")["read"] == 1, "the one row of the latest time, and nothing before it"
    assert database.writes() - writes <= 3

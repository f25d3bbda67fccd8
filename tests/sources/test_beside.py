"""Files beside a database: which of the two is asked goes by the type."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from graftport_dagster.migration import Migration
from graftport_dagster.records import ResourceType, SourceRecord
from graftport_dagster.source_settings import SqlSettings
from graftport_dagster.sources.opening import open_source

GIVEN = {
    "type": "sql", "url": "env:SHOP_DATABASE", "root": "exports",
    "queries": {"customers": {"table": "person"}, "orders": {"table": "purchase"}},
    "files": {"gift_cards": {"path": "cards.csv", "id_column": "code"}, "orders": {"path": "orders.csv"}},
}  # fmt: skip


def test_a_type_that_a_file_is_named_for_is_read_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", "sqlite:///shop.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        for statement in ("CREATE TABLE person (id INTEGER)", "INSERT INTO person VALUES (7)"):
            connection.execute(text(statement))
    engine.dispose()
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "cards.csv").write_text("code,balance\nABCD1234,5\n")
    (tmp_path / "exports" / "orders.csv").write_text("id,total\n1,9\n")
    settings = SqlSettings.model_validate(GIVEN)
    kinds = (ResourceType.CUSTOMERS, ResourceType.GIFT_CARDS, ResourceType.ORDERS)
    assert settings.named_types() == kinds
    source = open_source(Migration(slug="shop", folder=tmp_path, source=settings))
    assert source.resource_types() == kinds
    given = {
        kind: [one.source_id for one in source.read(kind, None) if isinstance(one, SourceRecord)] for kind in kinds
    }
    assert given == {kinds[0]: ["7"], kinds[1]: ["ABCD1234"], kinds[2]: ["1"]}
    assert [source.freshness(kind).kind for kind in kinds] == ["checksum", "sha256", "sha256"]
    assert [source.cursor(kind) for kind in kinds] == [None] * 3
    assert all(source.conclusive(kind) for kind in kinds)
    told = source.check()
    assert {result.name for result in told if result.ok} >= {"source customers", "source gift_cards: cards.csv"}
    assert [result.name for result in told if not result.ok] == ["source orders"], "its query is wrong, and not asked"
    source.close()

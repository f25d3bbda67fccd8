"""What changes without the source: results that run out, known records in a dry run, mappings without an end."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, update

from graftport_dagster.store.tables import staged_records
from tests.defs.conftest import PRODUCT
from tests.defs.test_sensors import asked, tick

SALE = """
(
  $over := $toMillis($valid_until("%s")) <= $millis();
  {"input": {
    "title": title, "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
    "variants": [{"price": $over ? "9.00" : price, "optionValues": [{"optionName": "Title", "name": "Default Title"}]}]
  }}
)
"""


def prices(project: Any) -> set[str]:
    return {variant["price"] for variant in project.objects("ProductVariant")}


def test_a_price_that_ends_by_date_alone_is_loaded_by_the_next_run_after_it(project: Any) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=4)
    project.write("mappings/products.jsonata", SALE % soon.isoformat())
    project.write("products.csv", "sku,title,price,collection\nA1,Tarp,10.00,\n")
    assert project.run("migrate", resource_types=("products",)).success
    before = datetime.now(UTC)
    done = project.run("migrate", resource_types=("products",))
    if before < soon:
        assert project.items(done.run_id)["products transform"].counts["unchanged"] == 1
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds() + 1))
    later = project.run("migrate", resource_types=("products",))
    assert project.items(later.run_id)["products load"].counts["updated"] + project.items(done.run_id)[
        "products load"
    ].counts["updated"] == 1  # fmt: skip
    assert prices(project) == {"9.00"}


def test_a_dry_run_of_what_has_landed_finds_nothing_to_do(project: Any) -> None:
    project.run("migrate")
    project.write(
        "products.csv", "sku,title,price,collection\nA1,Tarp,10.00,tents\nA2,Burner,21.00,stoves\nA4,Pot,5.00,\n"
    )
    items = project.items(project.run("dry_run").run_id)
    named = ("new", "changed", "unchanged")
    assert {name: items["products extract"].counts[name] for name in named} == dict.fromkeys(named, 1)
    staged = ("staged", "restaged", "unchanged")
    assert {name: items["products transform"].counts[name] for name in staged} == dict.fromkeys(staged, 1)
    assert str(items["redirects extract"].result) == "unchanged"
    assert str(items["redirects load"].result) == "unchanged"


@pytest.mark.slow
def test_a_mapping_without_an_end_stops_its_type_and_leaves_the_rest_untried(project: Any) -> None:
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8") + "options: {abort_after: 1}\n"
    project.write("shop.yaml", text)
    loop = "$forever := function($x) { $forever($x + 1) };"
    project.write("mappings/products.jsonata", f"({loop} title = 'Tarp' ? {PRODUCT} : $forever(1))")
    done = project.run("migrate")
    item = project.items(done.run_id)["products transform"]
    assert str(item.result) == "failed"
    assert "1 records in a row took more than 5 s" in item.first_error
    assert [item.counts[name] for name in ("staged", "errored", "not_reached")] == [1, 1, 1]
    assert str(project.items(done.run_id)["redirects load"].result) == "succeeded"


def test_the_sensor_asks_for_one_run_when_a_result_has_run_out(project: Any) -> None:
    for resource_type in ("collections", "products", "redirects"):
        assert project.run("extract", resource_type).success
    assert project.run("transform", "products").success
    first: Any = tick(project)
    assert asked(first) == []
    engine = create_engine(os.environ["GRAFTPORT_STORE_URL"])
    with engine.begin() as connection:
        connection.execute(update(staged_records).values(valid_until=datetime(2026, 1, 1, tzinfo=UTC)))
    engine.dispose()
    second: Any = tick(project, first.cursor)
    assert asked(second) == ["products"]
    assert asked(tick(project, second.cursor)) == []

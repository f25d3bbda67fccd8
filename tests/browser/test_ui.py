"""What a person does in Dagster's UI, by clicks in a real browser, and what they read there."""

import itertools
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.browser.conftest import Stage
from tests.browser.ui import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

GOOD = "sku,title,price,collection\nA1,Tarp,10.00,\nA2,Burner,20.00,\nA3,Peg,1.50,\n"
BAD = GOOD.replace("Burner", "BAD")
PHASES = ("extract", "transform", "load")
SOME_PHASES = [list(some) for number in (1, 2) for some in itertools.combinations(PHASES, number)]
LONG = 300
ALL_RUNS = 1200


def materialize(stage: Stage, partition: str) -> None:
    """All three assets of a partition, from the page of the job; returns when the run has ended."""
    browser = stage.ui.browser
    before = newest(stage)
    browser.open(stage.ui.job("shop_migrate_one"))
    browser.click("Materialize all…")
    browser.click("Select a partition or create one", kinds="*")
    browser.sees("Select all (3)")
    browser.click(partition, kinds="label, li, a, span, div")
    browser.click("Launch 1 run")
    run_id = browser.until("a new run", lambda: after(newest(stage), before))
    stage.ui.ends(run_id, seconds=LONG)


def after(now: str, before: str) -> str:
    return now if now != before else ""


def newest(stage: Stage) -> str:
    found = stage.ui.ask("{ runsOrError(limit: 1) { ... on Runs { results { runId } } } }")["runsOrError"]["results"]
    return str(found[0]["runId"]) if found else ""


def going(stage: Stage) -> list[str]:
    """The runs that wait or run, children too."""
    states = "[QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]"
    query = f"{{ runsOrError(filter: {{statuses: {states}}}) {{ ... on Runs {{ results {{ runId }} }} }} }}"
    return [str(one["runId"]) for one in stage.ui.ask(query)["runsOrError"]["results"]]


def partition_page(stage: Stage, *texts: str) -> str:
    """What the page of the partition `products` of the loads says, once these texts are on it."""
    stage.ui.browser.open(stage.ui.asset("shop", "shopify_loads", view="partitions", partition="products"))
    return stage.ui.browser.sees(*texts)


def test_a_partition_is_green_red_for_a_bad_row_and_green_again_after_the_fix(stage: Stage) -> None:
    stage.write("products.csv", GOOD)
    materialize(stage, "products")
    # Tests before this one may have materialized other partitions.
    assert re.search(r"Failed \(0\) Materialized \([1-3]\)", partition_page(stage, "Failed (0)", "in_scope"))
    stage.write("products.csv", BAD)
    materialize(stage, "products")
    page = partition_page(stage, "Failed (1)", "did not materialize this asset")
    assert re.search(r"Run [0-9a-f]{8} failed, and did not materialize this asset", page)
    # What a failing run did stands on an observation, or its partition would be green.
    stage.ui.browser.open(stage.ui.asset("shop", "shopify_loads", view="events", partition="products"))
    assert "in_scope" in stage.ui.browser.sees("observed in run")
    stage.ui.browser.open(stage.ui.asset("shop", "staged_records", view="events", partition="products"))
    assert "errored 1" in stage.ui.browser.sees("first_error", "This row is bad.")
    stage.ui.browser.open(stage.ui.asset("shop", "staged_records", view="checks"))
    assert stage.ui.browser.sees("rows_without_errors")
    stage.write("products.csv", GOOD)
    materialize(stage, "products")
    assert re.search(r"Failed \(0\) Materialized \([1-3]\)", partition_page(stage, "Failed (0)", "in_scope"))


def launched(stage: Stage, job: str) -> dict[str, str]:
    """Launches every kind of run; id → our result that is expected."""
    chosen: dict[str, Any] = {"resource_types": ["redirects"]}
    asked: list[tuple[dict[str, Any], str]] = [
        *(({**chosen, "phases": some}, "succeeded unchanged") for some in SOME_PHASES),
        ({**chosen, "limit": 1}, "succeeded unchanged"),
        ({**chosen, "only_dirty": False}, "succeeded"),
        ({**chosen, "conflict_strategy": "skip"}, "succeeded unchanged"),
        ({"resource_types": ["products"], "fail_on_row_errors": False}, "completed_with_errors"),
    ]
    return {stage.ui.launch(job, **options): expected for options, expected in asked}


def listed(stage: Stage, job: str) -> dict[str, tuple[str, str]]:
    """What the list of runs says of each: the beginning of its id → Dagster's state, our result."""
    browser = stage.ui.browser
    browser.open(f"{stage.ui.url}/runs?q%5B0%5D=job%3A{job}")
    page = browser.sees("Created at", job)
    rows = re.split(r" (?=[0-9a-f]{8} )", page[page.index("Duration") :])[1:]
    states = "Success|Failure|Canceled|Started|Starting|Queued|Not started"
    found = {}
    for row in rows:
        state, result = re.search(rf"\b({states})\b", row), re.search(r"graftport/result: (\w+)", row)
        found[row[:8]] = (state[1] if state else "", result[1] if result else "")
    return found


@pytest.mark.parametrize("job", ["shop_dry_run", "shop_migrate"])
def test_each_set_of_phases_and_each_option_is_launched_from_the_launchpad(stage: Stage, job: str) -> None:
    stage.write("products.csv", BAD)
    expected = launched(stage, job)

    def all_done() -> dict[str, tuple[str, str]]:
        found = listed(stage, job)
        states = {found.get(run_id[:8], ("", ""))[0] for run_id in expected}
        return found if states <= {"Success", "Failure"} else {}

    found = stage.ui.browser.until("the end of all runs", all_done, seconds=ALL_RUNS)
    for run_id, results in expected.items():
        state, result = found[run_id[:8]]
        assert state == "Success", run_id
        assert result in results.split(), run_id
        assert stage.result(run_id) == result


def test_a_load_that_is_terminated_half_way_ends_as_canceled_and_keeps_what_it_did(stage: Stage) -> None:
    browser = stage.ui.browser
    # A run that a test before this one left behind would hold this one back, and load its file.
    browser.until("the end of all runs before", lambda: not going(stage), seconds=ALL_RUNS)
    before = len(stage.objects("Product"))
    rows = "".join(f"T{number:02},Thing {number:02},1.00,\n" for number in range(40))
    stage.write("products.csv", f"sku,title,price,collection\n{rows}")
    stage.slow_down(1000)
    run_id = stage.ui.launch("shop_migrate", resource_types=["products"])
    browser.until("some products", lambda: len(stage.objects("Product")) >= before + 3, seconds=LONG)
    browser.click("Terminate")
    browser.click("Terminate 1 run")
    stage.slow_down(0)
    assert stage.ui.ends(run_id, seconds=LONG) == "Canceled"
    browser.click("View tags and config")
    browser.sees("graftport/result: canceled")
    assert stage.result(run_id) == "canceled"
    assert before + 3 <= len(stage.objects("Product")) < before + 40


def test_a_sensor_is_turned_on_and_stays_on(stage: Stage) -> None:
    browser = stage.ui.browser
    page = f"{stage.ui.url}/locations/{REPOSITORY}/sensors/shop_source_freshness"
    is_on = "const box = document.querySelector('input[type=checkbox]'); return box && box.checked"
    browser.open(page)
    browser.sees("Frequency", "Asks the source whether it changed")
    browser.until("the sensor's switch, off", lambda: browser.run(is_on) is False)
    browser.run("document.querySelector('input[type=checkbox]').click()")
    time.sleep(2)
    browser.open(page)
    browser.sees("Frequency")
    browser.until("the sensor's switch", lambda: bool(browser.run(is_on)))
    browser.run("document.querySelector('input[type=checkbox]').click()")


def ticks(stage: Stage, schedule: str, after: datetime, number: int) -> list[datetime]:
    """When Dagster would tick next."""
    query = """query Ticks($name: String!, $cursor: Float, $limit: Int) {
        scheduleOrError(scheduleSelector: {
            repositoryLocationName: "graftport_dagster", repositoryName: "__repository__", scheduleName: $name
        }) { ... on Schedule { futureTicks(cursor: $cursor, limit: $limit) { results { timestamp } } } }
    }"""
    answer = stage.ui.ask(query, name=schedule, cursor=after.timestamp(), limit=number)
    found = answer["scheduleOrError"]["futureTicks"]["results"]
    return [datetime.fromtimestamp(one["timestamp"], UTC) for one in found]


@pytest.mark.parametrize("night", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
def test_an_hourly_feed_runs_each_hour_once_in_the_nights_when_clocks_are_changed(
    stage: Stage, night: datetime
) -> None:
    assert ticks(stage, "shop_hourly", night, 10) == [night + timedelta(hours=hour) for hour in range(10)]


@pytest.mark.parametrize("day", [datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 10, 23, 12, tzinfo=UTC)])
def test_a_nightly_feed_in_an_hour_that_is_left_out_or_comes_twice_runs_once_a_night(
    stage: Stage, day: datetime
) -> None:
    nights = [(moment + timedelta(hours=2)).date() for moment in ticks(stage, "shop_half_past_two", day, 4)]
    assert nights == [(day + timedelta(days=number)).date() for number in range(1, 5)]

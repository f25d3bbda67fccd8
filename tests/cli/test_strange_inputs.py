"""Numbers, times and texts that no shop has, and ids that would steer a terminal: one sentence, or shown harmless."""

from collections.abc import Callable
from typing import Any

import pytest

from graftport_dagster.records import ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.store.record_store import Dataset, RecordStore
from tests.cli.conftest import Invoke


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("runs", "shop", "--to", "9999-12-31"), "until"),
        (("runs", "shop", "--from", "0001-01-01T00:00+14:00"), "since"),
        (("purge", "shop", "--older-than", "1000000", "--dry-run"), "older_than"),
        (("purge", "shop", "--customer", ""), "customer"),
        (("incomplete", "list", "shop", "--limit", "99999999999999999999"), "limit"),
        (("mapping", "preview", "shop", "products", "--limit", "99999999999999999999"), "limit"),
        (("run", "shop", "--limit", "99999999999999999999"), "limit"),
        (("mapping", "pin", "shop", "products", "99999999999999999999"), "version"),
        (("run", "shop", "--error-group", ""), "error_group"),
    ],
)
def test_what_is_out_of_all_bounds_is_refused_by_its_field(
    told: Callable[..., Any], words: tuple[str, ...], field: str
) -> None:
    (error,) = told(*words, status=2)["errors"]
    assert error["field"] == field
    assert error["messages"]


def test_to_wait_for_no_number_of_seconds_is_not_to_wait_for_ever(told: Callable[..., Any], store: RecordStore) -> None:
    store.runs.start(Run("run-1", "shop", RunOptions()))
    assert told("cancel", "run-1", "--wait", "nan")["result"] == "running"


def test_a_full_disk_is_said_without_a_traceback(graftport: Invoke, store: RecordStore) -> None:
    store.runs.start(Run("run-1", "shop", RunOptions()))
    ended = graftport("report", "shop", "--html", "/dev/full", status=1)
    assert ended.stderr == "Error: No space left on device.\n"


def test_a_preview_shows_ids_and_texts_of_a_shop_that_cannot_steer_a_terminal(
    graftport: Invoke, store: RecordStore
) -> None:
    run = store.runs.start(Run("run-1", "shop", RunOptions()))
    row = SourceRecord("A\x1b]0;owned\x07", {"name": "Tent \x9b31m\u202e", "sku": "A"})
    store.source_records.upsert(Dataset("shop"), ResourceType.PRODUCTS, run, [row])
    shown = graftport("mapping", "preview", "shop", "products").stdout
    assert "owned" in shown
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)
    story = graftport("record", "shop", "products", "A\x1b]0;owned\x07", "--payload").stdout
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(story)

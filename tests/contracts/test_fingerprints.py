"""What a source looked like when it was last read well, as it is kept and compared, on SQLite and on Postgres."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from graftport_dagster.records import ResourceType
from graftport_dagster.store.record_store import Fingerprint, RecordStore

PRODUCTS = ResourceType.PRODUCTS
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICES = ("stock", "price")


@pytest.fixture
def store(record_store_url: str) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url) as store:
        yield store


def note(store: RecordStore, token: str, minute: int, *groups: str) -> None:
    at = NOON + timedelta(minutes=minute)
    taken = Fingerprint(token, "etag", at, at, f"run-{minute}", f'W/"{token}"')
    store.fingerprints.note("acme", PRODUCTS, taken, field_groups=groups)


def same(store: RecordStore, token: str, *groups: str) -> Fingerprint | None:
    return store.fingerprints.unchanged("acme", PRODUCTS, token, field_groups=groups)


def test_a_source_is_new_until_it_was_read_and_then_unchanged_since_its_token_came(store: RecordStore) -> None:
    assert same(store, "a") is None
    note(store, "a", 0)
    note(store, "a", 5)
    found = same(store, "a")
    assert found is not None
    assert (found.since, found.read_at, found.run_id, found.etag) == (
        NOON, NOON + timedelta(minutes=5), "run-5", 'W/"a"'
    )  # fmt: skip
    assert same(store, "b") is None
    assert store.fingerprints.of("acme", ResourceType.ORDERS) == {}


def test_a_source_that_goes_back_is_unchanged_since_it_went_back(store: RecordStore) -> None:
    for minute, token in enumerate("aba"):
        note(store, token, minute)
    found = same(store, "a")
    assert found is not None
    assert found.since == NOON + timedelta(minutes=2)


def test_what_was_read_for_prices_alone_is_new_for_the_rest_and_seen_for_prices(store: RecordStore) -> None:
    note(store, "a", 0)
    note(store, "b", 1, *PRICES)
    assert same(store, "b") is None
    assert same(store, "b", "title") is None
    assert same(store, "b", *reversed(PRICES)) is not None
    assert same(store, "a") is None, "what is staged is of b"
    note(store, "b", 2)
    assert same(store, "b") is not None
    assert same(store, "b", "title") is not None

"""What every record store promises of leases and incomplete records."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from graftport_dagster.errors import (
    GraftportError,
    LeaseHeldError,
    LeaseLostError,
    LoadRejectedError,
    MissingReferenceError,
    RemoteFaultError,
    ThrottledError,
    UnknownOutcomeError,
)
from graftport_dagster.records import (
    Identity,
    Outcome,
    RecordKey,
    ResourceType,
    Result,
    Run,
    RunOptions,
)
from graftport_dagster.store.record_store import (
    Dataset,
    Intent,
    Lease,
    RecordStore,
    Settlement,
    StagedResult,
    Which,
)

SHOP = "gid://shopify/Shop/1"
REAL = Dataset("acme")
PRODUCTS = ResourceType.PRODUCTS


@pytest.fixture
def store(record_store_url: str, clock: Callable[[], datetime]) -> Iterator[RecordStore]:
    with RecordStore.open(record_store_url, now=clock) as opened:
        yield opened


def start(store: RecordStore, run_id: str = "run-1", **options: Any) -> Run:
    return store.runs.start(Run(run_id, "acme", RunOptions(**options), host="here", pid=os.getpid()))


def acquire(store: RecordStore, run: Run) -> Lease:
    return store.loads.acquire("acme", SHOP, PRODUCTS, run)


def stage(store: RecordStore, run: Run, value: object, *source_ids: str) -> None:
    version = store.mappings.publish("files", PRODUCTS, "{}", by="test")
    results = [StagedResult(source_id, "hash", payload={"input": value}) for source_id in source_ids]
    store.staged_records.stage(REAL, PRODUCTS, run, version, "settings", results)


def fail(store: RecordStore, lease: Lease, run: Run, error: GraftportError, payload_hash: str = "p1") -> dict[str, Any]:
    outcome = Outcome.UNKNOWN if isinstance(error, UnknownOutcomeError) else Outcome.ERRORED
    store.loads.settle(lease, run, [Settlement("a", outcome, payload_hash, error=error)])
    (found,) = store.incomplete.open("acme")
    return found


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_second_run_is_refused_with_a_sentence_that_names_the_first(store: RecordStore) -> None:
    acquire(store, start(store, "run-1"))
    with pytest.raises(LeaseHeldError, match=r"Run run-1 on here \(process \d+\) has been writing products") as caught:
        acquire(store, start(store, "run-2"))
    assert 0 < caught.value.retry_after <= 60


def test_a_released_lease_is_free_and_its_number_grows(store: RecordStore) -> None:
    first = acquire(store, start(store, "run-1"))
    store.loads.release(first)
    second = acquire(store, start(store, "run-2"))
    store.loads.release(first)

    assert second.fencing > first.fencing
    store.loads.renew(second)


def test_leases_of_other_stores_types_and_migrations_do_not_meet(store: RecordStore) -> None:
    acquire(store, start(store, "run-1"))
    other = start(store, "run-2")
    store.loads.acquire("acme", "gid://shopify/Shop/2", PRODUCTS, other)
    store.loads.acquire("acme", SHOP, ResourceType.ORDERS, other)
    store.loads.acquire("beta", SHOP, PRODUCTS, other)


def test_a_dead_process_of_this_host_is_taken_over_at_once_and_can_write_nothing_more(store: RecordStore) -> None:
    dead = replace(start(store, "run-1"), pid=dead_pid())
    lost = acquire(store, dead)
    taken = acquire(store, start(store, "run-2"))

    assert taken.fencing > lost.fencing
    with pytest.raises(LeaseLostError, match="run-1"):
        store.loads.renew(lost)
    with pytest.raises(LeaseLostError, match="run-1"):
        store.loads.intend(lost, [Intent("a", "set", "p", repeatable=True)], dead)
    with pytest.raises(LeaseLostError, match="run-1"):
        store.loads.settle(lost, dead, [Settlement("a", Outcome.CREATED, "p", clean=True)])
    assert store.loads.open_steps("acme", SHOP, PRODUCTS) == []
    assert store.story("acme", PRODUCTS, "a") == {}


def test_a_dead_process_of_another_host_is_taken_over_when_its_lease_has_expired(store: RecordStore) -> None:
    away = replace(start(store, "run-1"), host="elsewhere", pid=dead_pid())
    store.loads.acquire("acme", SHOP, PRODUCTS, away, seconds=60)
    with pytest.raises(LeaseHeldError):
        acquire(store, start(store, "run-2"))

    store.loads.renew(acquire(store, away), seconds=-1)
    assert acquire(store, start(store, "run-2")).run_id == "run-2"


RACE = """
import sys
from graftport_dagster.errors import LeaseHeldError
from graftport_dagster.records import ResourceType, Run, RunOptions
from graftport_dagster.store.record_store import RecordStore
import os
with RecordStore.open(sys.argv[1]) as store:
    run = Run(sys.argv[2], "acme", RunOptions(), host="here", pid=os.getpid())
    sys.stdin.readline()
    try:
        store.loads.acquire("acme", "shop", ResourceType.PRODUCTS, run)
        print("won", flush=True)
    except LeaseHeldError:
        print("refused", flush=True)
    sys.stdin.readline()
"""


def test_of_processes_that_race_for_a_lease_exactly_one_wins(record_store_url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, record_store_url, f"run-{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment,
        )
        for number in range(4)
    ]  # fmt: skip
    said = []
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
    for racer in racers:
        assert racer.stdout is not None
        said.append(racer.stdout.readline().strip())
    # Only now may the winner end: the lease of a dead process would be anybody's.
    for racer in racers:
        racer.communicate("end\n")

    assert sorted(said) == ["refused", "refused", "refused", "won"]


def test_failures_of_a_passing_kind_are_due_by_the_schedule_and_then_left_for_a_person(
    store: RecordStore, clock: Any
) -> None:
    run = start(store)
    lease = acquire(store, run)
    waits = []
    for _ in range(8):
        found = fail(store, lease, run, RemoteFaultError("502"))
        assert found["status"] == "pending_retry"
        waits.append((datetime.fromisoformat(found["next_attempt_at"]) - clock()).total_seconds() / 60)
        assert store.incomplete.due("acme") == {}
        clock.turn(minutes=waits[-1])
        assert store.incomplete.due("acme") == {PRODUCTS: 1}

    assert waits == [1, 10, 10, 30, 30, 30, 180, 180]
    last = fail(store, lease, run, RemoteFaultError("502"))
    assert (last["status"], last["next_attempt_at"], last["tries"]) == ("unresolved", None, 9)


def test_a_newer_payload_supersedes_the_failure_of_the_older(store: RecordStore, clock: Any) -> None:
    run = start(store)
    lease = acquire(store, run)
    fail(store, lease, run, RemoteFaultError("502"))
    clock.turn(hours=1)
    assert fail(store, lease, run, RemoteFaultError("502"))["tries"] == 2
    newer = fail(store, lease, run, RemoteFaultError("502"), "p2")

    assert (newer["tries"], newer["payload_hash"]) == (1, "p2")
    assert newer["opened_at"] == clock().isoformat()


def test_waiting_for_a_limit_to_lift_uses_up_no_try(store: RecordStore, clock: Any) -> None:
    run = start(store)
    daily = ThrottledError("daily variant limit", retry_after=20 * 3600)
    found = fail(store, acquire(store, run), run, daily)

    assert (found["tries"], found["status"]) == (0, "pending_retry")
    assert found["next_attempt_at"] == (clock() + timedelta(hours=20)).isoformat()


def test_data_errors_wait_for_a_person_and_unknown_outcomes_do_not(store: RecordStore) -> None:
    run = start(store)
    lease = acquire(store, run)
    refused = fail(
        store, lease, run, LoadRejectedError("Title is too long", code="TOO_LONG", path="title", hint="Cut it.")
    )
    assert (refused["status"], refused["next_attempt_at"]) == ("unresolved", None)
    assert (refused["error_class"], refused["code"], refused["path"]) == ("DataError", "TOO_LONG", "title")
    assert (refused["message"], refused["hint"]) == ("Title is too long", "Cut it.")

    unknown = fail(store, lease, run, UnknownOutcomeError("answer lost"))
    assert (unknown["status"], unknown["outcome"]) == ("pending_retry", "unknown")


def test_an_incomplete_record_keeps_what_is_needed_to_try_again(store: RecordStore) -> None:
    run = start(store, actor="ann", reason="go-live")
    lease = acquire(store, run)
    stage(store, run, 1, "a")
    found = fail(store, lease, run, LoadRejectedError("no"))

    assert (found["source_hash"], found["settings_hash"], found["payload_hash"]) == ("hash", "settings", "p1")
    assert found["mapping_version"].startswith("products/1 (")
    assert (found["options"]["actor"], found["run_id"]) == ("ann", "run-1")

    store.loads.settle(lease, run, [Settlement("a", Outcome.CREATED, "p1", clean=True)])
    assert store.incomplete.open("acme") == store.incomplete.counts("acme") == []


def test_open_ones_are_listed_and_counted_by_group(store: RecordStore, clock: Any) -> None:
    run = start(store)
    lease = acquire(store, run)
    for source_id, code in (("a", "TAKEN"), ("b", "TAKEN"), ("c", "BLANK")):
        error = LoadRejectedError("no", code=code)
        store.loads.settle(lease, run, [Settlement(source_id, Outcome.ERRORED, "p", error=error)])
        clock.turn(minutes=1)

    assert [one["source_id"] for one in store.incomplete.open("acme", Which((PRODUCTS,), error_group="TAKEN"))] == [
        "a",
        "b",
    ]
    assert [one["source_id"] for one in store.incomplete.open("acme", Which(source_ids=("c", "d")))] == ["c"]
    assert store.incomplete.open("acme", Which((ResourceType.ORDERS,))) == store.incomplete.open("beta") == []
    counts = [(one["code"], one["count"], one["oldest"]) for one in store.incomplete.counts("acme")]
    assert counts == [("BLANK", 1, "2026-03-01T12:02:00+00:00"), ("TAKEN", 2, "2026-03-01T12:00:00+00:00")]


def test_claimed_records_are_found_by_no_second_claim_until_the_run_has_ended(store: RecordStore) -> None:
    run, second, third = start(store, "run-1"), start(store, "run-2"), start(store, "run-3")
    lease = acquire(store, run)
    fail(store, lease, run, RemoteFaultError("502"))

    due = replace(second, options=RunOptions(retry="due"))
    assert store.incomplete.claim(due) == 0
    assert store.incomplete.claim(second, Which(error_group="REMOTE_FAULT")) == 1
    assert store.incomplete.open("acme")[0]["status"] == "in_progress"
    assert store.incomplete.claim(third) == 0
    assert store.incomplete.discard("acme", by="ann", reason="no") == 0
    store.runs.finish("run-2", Result.CANCELED)
    assert store.incomplete.claim(third) == 1
    assert store.incomplete.unclaim(third) == 1
    assert store.incomplete.open("acme")[0]["status"] == "pending_retry"


def test_a_person_gives_records_up_for_a_reason(store: RecordStore) -> None:
    run = start(store)
    lease = acquire(store, run)
    held = [Settlement(name, Outcome.ERRORED, "p", error=LoadRejectedError("no")) for name in "abc"]
    store.loads.settle(lease, run, held)

    assert store.incomplete.discard("acme", Which((PRODUCTS,), except_ids=("b",)), by="ann", reason="sold out") == 2
    assert [one["source_id"] for one in store.incomplete.open("acme")] == ["b"]


def test_waiters_are_due_when_all_they_wait_for_has_landed(store: RecordStore) -> None:
    run = start(store)
    lease = acquire(store, run)
    first, second = RecordKey("collections", "1"), RecordKey("collections", "2", "image", "i")
    missing = MissingReferenceError("not there yet")
    store.loads.settle(lease, run, [
        Settlement("a", Outcome.HELD, "p", error=missing, waits_for=(first, second), reason="reference"),
        Settlement("b", Outcome.HELD, "p", error=missing, waits_for=(first,), reason="reference"),
        Settlement("c", Outcome.HELD, "p", reason="drift"),
    ])  # fmt: skip

    assert store.loads.waiters("acme", SHOP) == {}
    store.loads.put_identities("acme", SHOP, [Identity(first, "gid://1")])
    assert store.loads.waiters("acme", SHOP) == {PRODUCTS: 1}
    store.loads.put_identities("acme", SHOP, [Identity(second, "gid://2")])
    assert store.loads.waiters("acme", SHOP) == {PRODUCTS: 2}
    store.loads.settle(lease, run, [Settlement("b", Outcome.CREATED, "p", clean=True)])
    store.loads.settle(lease, run, [Settlement("a", Outcome.ERRORED, "p", error=LoadRejectedError("no"))])
    assert store.loads.waiters("acme", SHOP) == {}
    assert [one["waits_for"] for one in store.incomplete.open("acme")] == [[], []]

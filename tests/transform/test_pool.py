"""The worker processes: every record has one result, in order, whatever a record does to its worker."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import ConfigurationError, GraftportError
from graftport_dagster.records import ResourceType
from graftport_dagster.store.record_store import StagedResult, TransformInput
from graftport_dagster.transform import TransformPool

PRODUCTS = ResourceType.PRODUCTS
PLAIN = '{"input": {"title": "Bag " & i}}'


def chunks(count: int, size: int = 200, **payload: Any) -> Iterator[list[TransformInput]]:
    rows = [TransformInput(f"r{i}", json.dumps({"i": i, **payload}).encode(), f"h{i}", "") for i in range(count)]
    for start in range(0, count, size):
        yield rows[start : start + size]


def transformed(text: str, count: int, size: int = 200, **limits: Any) -> list[StagedResult]:
    with TransformPool(text, "products/1", resource_type=PRODUCTS, **limits) as pool:
        results = [result for chunk in pool.rows(chunks(count, size)) for result in chunk]
    assert [result.source_id for result in results] == [f"r{i}" for i in range(count)]
    assert [result.source_hash for result in results] == [f"h{i}" for i in range(count)]
    return results


def codes(results: list[StagedResult]) -> dict[str, str]:
    return {result.source_id: error.code for result in results if isinstance(error := result.error, GraftportError)}


def workers() -> list[int]:
    """The worker processes of this one."""
    found = []
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            try:
                if b"transform.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
            except OSError:
                continue
    return found


def test_results_come_in_the_order_of_the_records_and_in_chunks() -> None:
    with TransformPool(PLAIN, "m", resource_type=PRODUCTS) as pool:
        found = list(pool.rows(chunks(1050)))
    assert [len(chunk) for chunk in found] == [200, 200, 200, 200, 200, 50]
    titles = [result.payload["input"]["title"] for chunk in found for result in chunk if result.payload]
    assert titles == [f"Bag {i}" for i in range(1050)]


def test_nothing_in_nothing_out_and_no_process() -> None:
    with TransformPool(PLAIN, "m", resource_type=PRODUCTS) as pool:
        assert list(pool.rows(iter([]))) == []
        assert list(pool.rows(iter([[], []]))) == []
        assert workers() == []


def test_a_text_that_does_not_compile_starts_nothing() -> None:
    with pytest.raises(ConfigurationError) as caught:
        TransformPool("{", "mappings/products.jsonata", resource_type=PRODUCTS)
    assert caught.value.path.startswith("mappings/products.jsonata:1")


def test_every_kind_of_outcome() -> None:
    text = """
        i = 0 ? {"exclude": true}
        : i = 1 ? {"exclude": true, "exclude_reason": "disabled"}
        : i = 2 ? nothing
        : i = 3 ? null
        : i = 4 ? [1]
        : i = 5 ? {"title": "no input"}
        : i = 6 ? {"input": {"title": "x", "nonsense": 1}}
        : i = 7 ? {"input": {"title": $money("x")}}
        : i = 8 ? {"exclude": false, "input": {"title": $truncate("long title", 4)}}
        : {"input": {"title": 1 / 0}}
    """
    results = transformed(text, 10)
    assert [result.exclude_reason for result in results[:2]] == ["excluded by the mapping", "disabled"]
    assert codes(results)["r2"] == codes(results)["r3"] == "NO_RESULT"
    assert codes(results)["r4"] == codes(results)["r5"] == "BAD_RESULT"
    assert codes(results)["r7"] == "BAD_MONEY"
    assert codes(results)["r9"] == "D1001"
    refused = results[6].error
    assert isinstance(refused, GraftportError)
    assert refused.path == "input.nonsense"
    assert results[8].payload is not None
    assert results[8].warnings == (("TRUNCATED", "Cut to 4 characters."),)
    for result in results:
        assert [result.payload is not None, result.exclude_reason != "", result.error is not None].count(True) == 1


def test_settings_publications_platform_and_time_reach_the_mapping() -> None:
    text = '{"input": {"title": $setting("vendor") & $platform}, "publications": [$publications]}'
    with TransformPool(
        text,
        "m",
        resource_type=PRODUCTS,
        settings={"vendor": "Acme "},
        publications=["Online Store"],
        platform="magento",
    ) as pool:
        [[result]] = pool.rows(chunks(1))
    assert result.payload == {"input": {"title": "Acme magento"}, "publications": ["Online Store"]}


def test_a_mapping_that_loops_is_given_up_after_some_records_in_a_row() -> None:
    text = '($forever := function($x) { $forever($x + 1) }; {"input": {"title": i < 5 ? "Bag" : $forever(1)}})'
    results: list[StagedResult] = []
    with TransformPool(text, "m", resource_type=PRODUCTS, seconds_per_record=0.05, abort_after=3) as pool:
        given = pool.rows(chunks(400))
        with pytest.raises(ConfigurationError, match="3 records in a row took more than") as caught:
            results.extend(result for chunk in given for result in chunk)
    assert caught.value.code == "ABORTED"
    assert len({result.source_id for result in results}) == len(results)
    assert [result.source_id for result in results if result.payload] == [f"r{i}" for i in range(5)]
    assert 3 <= sum(result.error is not None for result in results) <= 12


def test_a_record_out_of_time_here_and_there_stops_nothing() -> None:
    text = '($forever := function($x) { $forever($x + 1) }; {"input": {"title": i % 40 = 3 ? $forever(1) : "Bag"}})'
    assert set(codes(transformed(text, 200, seconds_per_record=0.05, abort_after=2))) == {
        f"r{i}" for i in range(3, 200, 40)
    }


def test_until_when_a_result_holds_comes_with_it() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    text = '{"input": {"title": $valid_until("2026-03-02") & $valid_until("2026-03-01 12:00:00")}}'
    with TransformPool(text, "m", resource_type=PRODUCTS, now=moment) as pool:
        [[result]] = pool.rows(chunks(1))
    assert result.valid_until == moment.replace(hour=12)


def test_long_integers_stay_exact() -> None:
    with TransformPool('{"input": {"title": "id " & id}}', "m", resource_type=PRODUCTS) as pool:
        [[result]] = pool.rows([[TransformInput("1", b'{"id": 123456789012345678901}', "", "")]])
    assert result.payload == {"input": {"title": "id 123456789012345678901"}}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("($f := function($x) { $f($x) }; $f(1))", "D1012"),
        ('$contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)', "D1012"),
        ("$sum($map([1..1000000], function($v) { $v * 2 }))", "D1012"),
        ("($f := function($x) { 1 + $f($x) }; $f(1))", "D1011"),
        ('$length($pad("x", 3000000000))', "OUT_OF_MEMORY"),
    ],
)
def test_a_record_that_runs_away_is_one_error_and_the_others_pass(bad: str, code: str) -> None:
    text = '{"input": {"title": i = 77 ? $string(' + bad + ') : "Bag"}}'
    results = transformed(text, 150, seconds_per_record=0.4)
    assert codes(results) == {"r77": code}


@pytest.mark.parametrize(
    "huge",
    [
        '{"input": {"title": "Bag", "descriptionHtml": $pad("x", 20000000)}}',
        '{"input": {"title": $pad("x", 20000000)}}',
        '{"exclude": true, "exclude_reason": $pad("x", 20000000)}',
        '($warn("LONG", $pad("x", 20000000)); {"input": {"title": "Bag"}})',
        '$error($pad("x", 20000000))',
    ],
)
def test_a_result_beyond_what_a_record_may_be_is_one_error_and_comes_to_nobody(huge: str) -> None:
    with TransformPool("i = 7 ? " + huge + ' : {"input": {"title": "Bag"}}', "m", resource_type=PRODUCTS) as pool:
        answers = [answer for chunk in pool.answers(chunks(20)) for answer in chunk]
    assert {record.source_id: row[3].code for record, row in answers if row[3] is not None} == {
        "r7": "RESULT_TOO_LARGE"
    }
    assert max(len(str(row)) for _, row in answers) < 1000


def test_an_endless_loop_cannot_hide_in_a_condition() -> None:
    text = '{"input": {"title": i = 3 and ($f := function($x) { $f($x) }; $f(1)) ? "a" : "b"}}'
    assert codes(transformed(text, 10, seconds_per_record=0.3)) == {"r3": "D1012"}


def test_a_record_that_ends_its_worker_becomes_an_error_and_none_is_lost() -> None:
    rows = next(chunks(120))
    # Larger than the worker may be: it cannot even be received.
    rows[60] = TransformInput("r60", b'{"t": "' + b"x" * 120_000_000 + b'"}', "h60", "")
    with TransformPool(PLAIN, "m", resource_type=PRODUCTS, memory_bytes=300 << 20) as pool:
        results = [result for chunk in pool.rows([rows]) for result in chunk]
    assert [result.source_id for result in results] == [f"r{i}" for i in range(120)]
    assert codes(results) == {"r60": "EVALUATION_CRASHED"}
    assert workers() == []


def test_workers_killed_from_outside_lose_nothing() -> None:
    stop = threading.Event()

    def kill() -> None:
        for _ in range(2):
            if stop.wait(0.25):
                return
            for pid in workers()[:1]:
                os.kill(pid, signal.SIGKILL)

    text = '{"input": {"title": "Bag " & i & $substring($string($sum($map([1..400], function($v) { $v }))), 0, 0)}}'
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        results = transformed(text, 2500)
    finally:
        stop.set()
        killer.join()
    # A record whose process is killed while it is alone there counts as having ended it: the second kill may do that.
    assert len([result for result in results if result.payload]) >= 2499


def test_the_source_is_drained_only_as_fast_as_results_are_taken() -> None:
    given = 0

    def counted() -> Iterator[list[TransformInput]]:
        nonlocal given
        for chunk in chunks(5000, size=50):
            given += 1
            yield chunk

    with TransformPool(PLAIN, "m", resource_type=PRODUCTS) as pool:
        results = pool.rows(counted())
        for taken in range(1, 20):
            next(results)
            assert given - taken <= 2 * 3 + 2


def test_leaving_the_pool_ends_its_workers_at_once() -> None:
    text = '{"input": {"title": $string(($f := function($x) { $f($x) }; $f(1)))}}'

    def interrupted() -> None:
        with TransformPool(text, "m", resource_type=PRODUCTS, seconds_per_record=60) as pool:
            threading.Timer(0.8, os.kill, (os.getpid(), signal.SIGINT)).start()
            list(pool.rows(chunks(400)))

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - started < 10
    assert workers() == []


def test_workers_end_with_their_parent_even_when_it_is_killed() -> None:
    program = (
        "from graftport_dagster.transform import TransformPool\n"
        "from graftport_dagster.store.record_store import TransformInput\n"
        "from graftport_dagster.records import ResourceType\n"
        "rows = [TransformInput(str(i), b'{}', '', '') for i in range(400)]\n"
        'text = \'{"input": {"title": $string(($f := function($x) { $f($x) }; $f(1)))}}\'\n'
        "pool = TransformPool(text, 'm', resource_type=ResourceType.PRODUCTS, seconds_per_record=600)\n"
        "print('up', flush=True)\n"
        "list(pool.rows([rows]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        until = time.monotonic() + 20
        while len(pids := children.read_text().split()) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(pids) == 2
        time.sleep(0.5)
        parent.kill()
    while any(Path(f"/proc/{pid}/cmdline").exists() and _is_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(_is_alive(pid) for pid in pids)


def _is_alive(pid: str) -> bool:
    try:
        return b"transform.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_files_in_the_current_folder_do_not_take_the_place_of_pythons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('a file of the user')\n")
    monkeypatch.chdir(tmp_path)
    assert codes(transformed(PLAIN, 3)) == {}


def test_a_pool_works_in_a_thread() -> None:
    found: list[StagedResult] = []
    thread = threading.Thread(target=lambda: found.extend(transformed(PLAIN, 20)))
    thread.start()
    thread.join()
    assert len(found) == 20


def test_what_a_mapping_makes_is_the_same_with_any_number_of_workers() -> None:
    assert transformed(PLAIN, 500, processes=1) == transformed(PLAIN, 500, processes=3)

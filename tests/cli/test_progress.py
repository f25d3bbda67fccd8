"""What of Dagster's log reaches a person while a run is under way."""

import io
import re

import pytest

from graftport_dagster.cli.progress import Progress

RUN = "714aeb28-aef5-4a6b-a953-a58a21e44fb7"
AT = "2026-11-21 04:01:20 +0000 - dagster"


def shown(*lines: str) -> list[str]:
    out = io.StringIO()
    progress = Progress(out)
    for line in lines:
        progress.write(f"{line}\n")
    progress.finish()
    return out.getvalue().splitlines()


def test_lines_about_records_are_shown_without_their_prefix() -> None:
    assert shown(f"{AT} - INFO - demo_migrate - {RUN} - demo__source_data - products: 79 rows read") == [
        "products: 79 rows read"
    ]
    assert shown(f"{AT} - INFO - demo_migrate - {RUN} - products: begun - twice") == ["products: begun - twice"]


def test_dagsters_own_events_and_the_logged_report_are_left_out() -> None:
    assert (
        shown(
            f"{AT} - DEBUG - demo_migrate - {RUN} - 4711 - RUN_START - Started execution of run.",
            f"{AT} - INFO - demo_migrate - {RUN} - 4711 - demo__source_data - STEP_OUTPUT - Yielded output.",
            f"{AT} - INFO - demo_migrate - {RUN} - demo_migrate_report - The run's report:",
            "| type | phase |",
        )
        == []
    )


def test_an_end_on_purpose_shows_no_stack() -> None:
    assert (
        shown(
            f"{AT} - ERROR - demo_migrate - {RUN} - 4711 - demo__loads - STEP_FAILURE - Execution of step failed.",
            "",
            "dagster._core.definitions.events.Failure: products: some records could not pass",
            "Stack Trace:",
            '  File "execute_plan.py", line 243',
            f"{AT} - ERROR - demo_migrate - {RUN} - 4711 - RUN_FAILURE - Execution of run failed.",
            "dagster._core.errors.DagsterExecutionInterruptedError",
        )
        == []
    )


def test_a_defect_shows_its_stack_once() -> None:
    stack = ["ZeroDivisionError: division by zero", "Stack Trace:", '  File "load.py", line 1']
    step = f"{AT} - ERROR - demo_migrate - {RUN} - 4711 - demo__loads - STEP_FAILURE - Execution of step failed."
    seen = shown(step, *stack, step, *stack, f"{AT} - INFO - demo_migrate - {RUN} - x - products: done")
    assert seen[1:] == [*stack, "products: done"]


def test_a_loud_line_alone_and_words_before_the_log_pass() -> None:
    warning = f"{AT} - WARNING - demo_migrate - {RUN} - demo__loads - slow"
    assert shown("Usage: dagster job", warning, warning) == ["Usage: dagster job", "slow", "slow"]


def batch(text: str) -> str:
    return f"{AT} - INFO - demo_migrate - {RUN} - demo__source_data - {text}\n"


def test_where_nobody_watches_batches_are_told_now_and_then_and_the_last_one_always() -> None:
    out = io.StringIO()
    progress = Progress(out)
    for done in range(1, 501):
        progress.write(batch(f"products: {done * 1000} rows read"))
    for done in range(1, 501):
        progress.write(batch(f"products: {done * 1000} of 500000 records mapped"))
    progress.end()
    lines = out.getvalue().splitlines()
    assert lines[0] == "products: 1000 rows read"
    assert "products: 500000 of 500000 records mapped" in lines
    assert "products: 500000 rows read" in lines
    # A machine that takes half a minute over this tells a few more.
    assert len(lines) < 50


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_each_phase_is_a_bar_and_other_lines_stand_above(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    progress = Progress(out)
    progress.write(batch("collections: begun"))
    progress.write(batch("products: 1000 rows read"))
    progress.write(batch("products: 2000 rows read"))
    progress.write(batch("products: 20 of 40 records settled, 21 calls, 300 points"))
    progress.write(batch("products: held up [for a while]"))
    progress.end()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "collections: begun" in plain
    assert "products: held up [for a while]" in plain
    last = plain.splitlines()[-2:]
    assert [re.sub(r"[━╸╺ ]+", " ", line).strip() for line in last] == [
        "products 2,000 rows read", "products 20 of 40 records settled, 21 calls, 300 points"
    ]  # fmt: skip
    assert "\x1b[?25h" in out.getvalue(), "the cursor is shown again"

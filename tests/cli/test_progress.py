"""What of Dagster's log reaches a person while a run is under way."""

import io

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

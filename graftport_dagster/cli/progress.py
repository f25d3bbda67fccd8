"""What a person sees while a run is under way, out of Dagster's log: bars on a terminal, else a calm line now and then.

Dagster's own events (a step started, an output handled) say nothing about records and are left
out; warnings, errors and whatever is no line of a log pass as they are.
"""

import io
import re
import time
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from graftport_dagster.reports.terminal import REPORT_FOLLOWS

_LINE = re.compile(r"[\d-]{10} [\d:]{8}(?: [+-]\d{4})? - dagster - (?P<level>[A-Z]+) - (?P<rest>.*)", re.DOTALL)
# job - run id - [process id -] [step -] message, or an event's name in capitals before the message
_REST = re.compile(r"\S+ - [0-9a-f-]{36} - (?:\d+ - )?(?:[\w.\[\]-]+ - )?(?P<message>.*)", re.DOTALL)
_EVENT = re.compile(r"(?:[\w.\[\]-]+ - )?[A-Z]+(_[A-Z]+)+ - ")
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})
# How a step says that it ended badly on purpose: the reason is in the report, the stack is Dagster's own.
_ON_PURPOSE = re.compile(r"dagster\._core\S*\.(Failure|DagsterExecutionInterruptedError)\b")
# What a phase says after each of its batches.
_BATCH = re.compile(
    r"(?P<kind>[a-z_]+): (?P<done>[\d,]+)(?: of (?P<all>[\d,]+))? "
    r"(?P<what>rows read|records mapped|records settled)(?P<more>.*)"
)
# Where nobody watches, a log should not grow with the shop.
_CALM_SECONDS = 10.0


class Progress(io.StringIO):
    """A stream for Dagster's log lines, one whole line at a time; passes on those that say something.

    A loud line waits for the one after it, which says what kind of failure it was; `finish` ends the wait, and `end`
    all that is under way.
    """

    def __init__(self, to: TextIO) -> None:
        super().__init__()
        self._to = to
        self._waiting = ""
        self._is_open = True
        self._told: set[str] = set()
        self._bars = _Bars(to) if to.isatty() else None
        self._shown_at: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], str] = {}
        self.last_words = ""

    def write(self, line: str) -> int:
        """One line of the log, or one that belongs to the line before it (a traceback)."""
        text = line.rstrip("\n")
        found = _LINE.fullmatch(text)
        if found is None:
            self._follow(text)
        else:
            self.finish()
            self._begin(found["level"], found["rest"])
        return len(line)

    def flush(self) -> None:
        """Passes on what was written."""
        self._to.flush()

    def finish(self) -> None:
        """Shows the loud line that nothing followed."""
        if self._waiting:
            self._show(self._waiting)
        self._waiting = ""

    def end(self) -> None:
        """The run is over: the last batch of each kind is shown, and bars stay as they are."""
        self.finish()
        for message in self._held.values():
            self._show(message)
        self._held.clear()
        if self._bars:
            self._bars.stop()

    def _batch(self, found: re.Match[str]) -> None:
        self.last_words = found[0]
        if self._bars:
            self._bars.move(found)
            return
        key, now = (found["kind"], found["what"]), time.monotonic()
        self._held.pop(key, None)
        if found["done"] == found["all"] or now - self._shown_at.get(key, -_CALM_SECONDS) >= _CALM_SECONDS:
            self._shown_at[key] = now
            self._show(found[0])
        else:
            self._held[key] = found[0]

    def _begin(self, level: str, rest: str) -> None:
        found = _REST.fullmatch(rest)
        message = found["message"] if found else rest
        self._is_open = level in _LOUD
        if self._is_open:
            self._waiting = message
        # The last step logs the whole report, which is printed better at the end.
        elif level == "INFO" and not _EVENT.match(message) and not message.startswith(REPORT_FOLLOWS):
            found_batch = _BATCH.fullmatch(message)
            if found_batch:
                self._batch(found_batch)
            else:
                self._show(message)

    def _follow(self, text: str) -> None:
        if self._waiting:
            if not text.strip():
                return
            # The same failure is logged for its step, its run and the run above it.
            self._is_open = not _ON_PURPOSE.match(text) and text not in self._told
            self._told.add(text)
            if self._is_open:
                self._show(self._waiting)
            self._waiting = ""
        if self._is_open:
            self._show(text)

    def _show(self, text: str) -> None:
        self.last_words = text.strip() or self.last_words
        if self._bars:
            self._bars.say(text)
        else:
            self._to.write(f"{text}\n")


class _Bars:
    """One bar per type and phase that has begun, below the lines; none before the first batch."""

    def __init__(self, to: TextIO) -> None:
        self._console = Console(file=to, force_terminal=True, highlight=False)
        self._bars = RichProgress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[told]}"),
            console=self._console, refresh_per_second=4,
        )  # fmt: skip
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def move(self, found: re.Match[str]) -> None:
        """Draws a batch. A phase of which nobody knows how much is left has an end once the next one begins."""
        key = (found["kind"], found["what"])
        if key not in self._tasks:
            self._bars.start()
            for (kind, _), task in self._tasks.items():
                if kind == found["kind"]:
                    self._close(task)
            self._tasks[key] = self._bars.add_task(found["kind"], total=None, told="")
        done, total = (int(found[name].replace(",", "")) if found[name] else None for name in ("done", "all"))
        of_all = f" of {total:,}" if total is not None else ""
        told = f"{done:,}{of_all} {found['what']}{found['more']}"
        self._bars.update(self._tasks[key], completed=done or 0, total=total, told=told)

    def _close(self, task: TaskID) -> None:
        done = self._bars.tasks[self._bars.task_ids.index(task)].completed
        self._bars.update(task, total=done or 1, completed=done or 1)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._console.print(text, markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Leaves them as they are."""
        for task in self._tasks.values():
            if self._bars.tasks[self._bars.task_ids.index(task)].total is None:
                self._close(task)
        self._bars.stop()

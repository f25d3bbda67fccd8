"""What a person sees while a run is under way: one calm line per batch, out of Dagster's log.

Dagster's own events (a step started, an output handled) say nothing about records and are left
out; warnings, errors and whatever is no line of a log pass as they are.
"""

import io
import re
from typing import TextIO

from graftport_dagster.reports.terminal import REPORT_FOLLOWS

_LINE = re.compile(r"[\d-]{10} [\d:]{8}(?: [+-]\d{4})? - dagster - (?P<level>[A-Z]+) - (?P<rest>.*)", re.DOTALL)
# job - run id - [process id -] [step -] message, or an event's name in capitals before the message
_REST = re.compile(r"\S+ - [0-9a-f-]{36} - (?:\d+ - )?(?:[\w.\[\]-]+ - )?(?P<message>.*)", re.DOTALL)
_EVENT = re.compile(r"(?:[\w.\[\]-]+ - )?[A-Z]+(_[A-Z]+)+ - ")
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})
# How a step says that it ended badly on purpose: the reason is in the report, the stack is Dagster's own.
_ON_PURPOSE = re.compile(r"dagster\._core\S*\.(Failure|DagsterExecutionInterruptedError)\b")


class Progress(io.StringIO):
    """A stream for Dagster's log lines, one whole line at a time; passes on those that say something.

    A loud line waits for the one after it, which says what kind of failure it was; `finish` ends the wait.
    """

    def __init__(self, to: TextIO) -> None:
        super().__init__()
        self._to = to
        self._waiting = ""
        self._is_open = True
        self._told: set[str] = set()
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

    def _begin(self, level: str, rest: str) -> None:
        found = _REST.fullmatch(rest)
        message = found["message"] if found else rest
        self._is_open = level in _LOUD
        if self._is_open:
            self._waiting = message
        # The last step logs the whole report, which is printed better at the end.
        elif level == "INFO" and not _EVENT.match(message) and not message.startswith(REPORT_FOLLOWS):
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
        self._to.write(f"{text}\n")

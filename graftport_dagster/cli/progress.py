"""What a person sees while a run is under way: one calm line per batch, out of Dagster's log.

Dagster's own events (a step started, an output handled) say nothing about records and are left
out; warnings, errors and whatever is no line of a log pass as they are.
"""

import io
import re
from typing import TextIO

_LINE = re.compile(r"[\d-]{10} [\d:]{8}(?: [+-]\d{4})? - dagster - (?P<level>[A-Z]+) - (?P<rest>.*)", re.DOTALL)
# job - run id - [process id -] [step -] message, or an event's name in capitals before the message
_REST = re.compile(r"\S+ - [0-9a-f-]{36} - (?:\d+ - )?(?:[\w.\[\]-]+ - )?(?P<message>.*)", re.DOTALL)
_EVENT = re.compile(r"(?:[\w.\[\]-]+ - )?[A-Z]+(_[A-Z]+)+ - ")
_LOUD = frozenset({"WARNING", "ERROR", "CRITICAL"})


class Progress(io.StringIO):
    """A stream for Dagster's log lines; writes those that say something to `to`."""

    def __init__(self, to: TextIO) -> None:
        super().__init__()
        self._to = to
        self._is_loud = True
        self.last_words = ""

    def write(self, line: str) -> int:
        """One whole line of the log, or one that follows such a line (a traceback)."""
        shown = self._shown(line.rstrip("\n"))
        if shown:
            self.last_words = shown.strip()
            self._to.write(f"{shown}\n")
        return len(line)

    def flush(self) -> None:
        """Passes on what was written."""
        self._to.flush()

    def _shown(self, line: str) -> str:
        found = _LINE.fullmatch(line)
        if found is None:
            return line if self._is_loud else ""
        rest = _REST.fullmatch(found["rest"])
        message = rest["message"] if rest else found["rest"]
        is_event = _EVENT.match(message) is not None
        self._is_loud = found["level"] in _LOUD
        # The last step logs the whole report, which we print better ourselves.
        is_said = found["level"] == "INFO" and not is_event and not message.startswith("**")
        return message if self._is_loud or is_said else ""

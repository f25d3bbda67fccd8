"""The door of the command line: runs one job in the foreground and says how it ended.

The job runs as `dagster job execute` in a process and session of its own, so that this process
decides which signals reach it, and how often. Imports nothing of Dagster, so that `graftport`
starts quickly. What is printed about the run is in `cli/`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

import yaml

from graftport_dagster.records import JsonObject, ResourceType, Run, RunOptions
from graftport_dagster.store.place import open_store

RUN_FILE_VARIABLE = "GRAFTPORT_RUN_FILE"
_LOCATION = "graftport_dagster.definitions"
_QUIET = "ignore:Function `job_execute_command` is superseded"
_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True, slots=True)
class Launched:
    """How a foreground run ended.

    `run` is what the record store knows of it, None where Dagster stopped before it began (the reason is in the
    stream). `exit_status`: Dagster's, 0 or 1, or the negative number of the signal that killed it. `is_stopped`:
    whether a signal asked for the end.
    """

    run: Run | None
    exit_status: int
    is_stopped: bool = False


def launch(
    slug: str, options: RunOptions, *, job: str = "migrate", partition: ResourceType | None = None,
    retry_of: str = "", stream: TextIO = sys.stderr,
) -> Launched:  # fmt: skip
    """Runs `<slug>_<job>` to its end, with Dagster's log lines on `stream`.

    `partition`: for the jobs of assets (`extract`, `transform`, `load`, `migrate_one`). The first SIGINT, SIGTERM
    or SIGHUP lets the batch in hand end; a later one interrupts at once. Of a run that is stopped before it began
    nothing more goes to the stream: Dagster tells of that in stacks.
    """
    tags = {"graftport/retry_of": retry_of, "dagster/partition": str(partition or "")}
    with tempfile.TemporaryDirectory(prefix="graftport-") as folder:
        config, run_file = Path(folder, "options.yaml"), Path(folder, "run_id")
        config.write_text(yaml.safe_dump(run_config(options)), encoding="utf-8")
        # Without -P and -d, files of the current folder would take the place of Python's own: json.py, csv.py.
        command = [
            sys.executable, "-P", "-m", "dagster", "job", "execute", "-d", folder, "-m", _LOCATION,
            "-j", f"{slug}_{job}", "-c", str(config),
            "--tags", json.dumps({name: value for name, value in tags.items() if value}),
        ]  # fmt: skip
        exit_status, is_stopped = _execute(command, run_file, stream)
        run_id = run_file.read_text(encoding="utf-8") if run_file.exists() else ""
    if not run_id:
        return Launched(None, exit_status, is_stopped)
    with open_store(in_a_run=True) as store:
        return Launched(store.runs.find(run_id), exit_status, is_stopped)


def announce(run_id: str) -> None:
    """Tells the process that launched this run, if one did, which run it is."""
    if path := os.environ.get(RUN_FILE_VARIABLE):
        Path(path).write_text(run_id, encoding="utf-8")


def run_config(options: RunOptions) -> JsonObject:
    """The run configuration that asks for these options.

    `dry_run` is not in it, because that is a job of its own.
    """
    config = {name: value for name, value in options.as_dict().items() if value not in (None, [], {})}
    del config["dry_run"]
    return {"resources": {"options": {"config": config}}}


def _execute(command: list[str], run_file: Path, stream: TextIO) -> tuple[int, bool]:
    warnings = filter(None, [os.environ.get("PYTHONWARNINGS"), _QUIET])
    # Dagster takes the first path away while it imports the definitions.
    paths = [str(run_file.parent), *map(os.path.abspath, sys.path)]
    environment = os.environ | {
        RUN_FILE_VARIABLE: str(run_file), "PYTHONWARNINGS": ",".join(warnings), "PYTHONPATH": os.pathsep.join(paths),
    }  # fmt: skip
    with (
        subprocess.Popen(  # noqa: S603 - the command is made above
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        ) as process,
        _forwarding(process) as received,
    ):  # fmt: skip
        for line in process.stdout or ():
            if not received or run_file.exists():
                stream.write(line)
                stream.flush()
        return process.wait(), bool(received)


@contextmanager
def _forwarding(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Signals go on to the process, which passes the first to its steps; later ones reach the steps as well.

    Yields those that came, while they come.
    """
    received: list[int] = []
    hang_up = getattr(signal, "SIGHUP", None)

    def forward(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            # Of a terminal that is gone Dagster knows nothing: it would die of it at once.
            process.send_signal(signal.SIGINT if number == hang_up else number)
        elif process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)

    numbers = [getattr(signal, name) for name in _FORWARDED if hasattr(signal, name)]
    if hang_up is not None and signal.getsignal(hang_up) is signal.SIG_IGN:
        # Under nohup.
        numbers.remove(hang_up)
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

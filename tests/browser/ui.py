"""Dagster's real UI, with its daemon and code server, on a project in a folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
import yaml

from tests.browser.browser import Browser

ROOT = Path(__file__).resolve().parents[2]
LOCATION = "graftport_dagster"
REPOSITORY = f"__repository__@{LOCATION}"


@dataclass
class Ui:
    """A running UI and a window on it."""

    url: str
    browser: Browser

    def ask(self, query: str, **variables: Any) -> Any:
        """Dagster's own answer, for what no page is needed for."""
        body = {"query": query, "variables": variables}
        answer = requests.post(f"{self.url}/graphql", json=body, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def job(self, name: str) -> str:
        """The address of a job's pages."""
        return f"{self.url}/locations/{REPOSITORY}/jobs/{name}"

    def asset(self, *key: str, **query: str) -> str:
        """The address of an asset's page."""
        return f"{self.url}/assets/{'/'.join(key)}" + "".join(
            f"{'&' if i else '?'}{name}={quote(value)}" for i, (name, value) in enumerate(query.items())
        )

    def launchpad(self, job: str, **options: Any) -> str:
        """The address that opens the Launchpad with these options filled in."""
        config = yaml.safe_dump({"resources": {"options": {"config": options}}}) if options else ""
        return f"{self.job(job)}/playground/setup?mode=default&config={quote(config)}"

    def launch(self, job: str, **options: Any) -> str:
        """Fills in the Launchpad, presses its button, and brings the id of the run that it leads to."""
        self.browser.open(self.launchpad(job, **options))
        self.browser.click("Launch Run")
        return self.browser.until("the page of the run", self._run_of_page)

    def _run_of_page(self) -> str:
        found = re.search(r"/runs/([0-9a-f-]{36})", self.browser.url)
        return found[1] if found else ""

    def ends(self, run_id: str, *, seconds: float = 120) -> str:
        """The state that the page of a run shows at its end."""
        self.browser.open(f"{self.url}/runs/{run_id}")
        return self.browser.until("the end of the run", self._state, seconds=seconds)

    def _state(self) -> str:
        page = self.browser.text()
        return next((state for state in ("Success", "Failure", "Canceled") if re.search(rf"\b{state}\b", page)), "")


@contextmanager
def serve(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """`dagster dev` in the folder, on a free port, until the end of the block; the address of its UI."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    everything = os.environ | environment | {"PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(folder)}
    command = [sys.executable, "-m", "dagster"]
    # Two first commands at once would spoil a new SQLite storage.
    subprocess.run([*command, "instance", "info"], cwd=folder, env=everything, check=True, capture_output=True)
    with (folder / "dagster.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "dev", "-w", str(ROOT / "workspace.yaml"), "-p", str(port)],
            cwd=folder, env=everything, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}", process, folder / "dagster.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 120
    query = {"query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"}
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            nodes = requests.post(f"{url}/graphql", json=query, timeout=30).json()["data"]["repositoriesOrError"][
                "nodes"
            ]
        except (requests.RequestException, json.JSONDecodeError):
            nodes = []
        if nodes:
            return
        time.sleep(0.5)
    raise AssertionError(log.read_text())

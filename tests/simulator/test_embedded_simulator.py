"""One simulator for all processes of a project."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from graftport_dagster.simulator import SimulatorNotStartedError, ensure

ROOT = Path(__file__).parents[2]
ASK = (
    "import sys; from pathlib import Path; from graftport_dagster.simulator import ensure; "
    "print(ensure(Path(sys.argv[1])))"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "simulator"
    for pid in servers(tmp_path / "simulator"):
        os.kill(pid, signal.SIGKILL)


def servers(folder: Path) -> list[int]:
    """Processes that serve the folder's state."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if str(folder / "state.sqlite").encode() in command.split(b"\0"):
            found.append(int(entry.name))
    return found


def summary(url: str) -> dict[str, object]:
    answer: dict[str, object] = requests.get(f"{url}/_simulator/", timeout=9).json()
    return answer


def test_the_second_that_asks_finds_the_first_one_s(folder: Path) -> None:
    url = ensure(folder)
    assert url.startswith("http://127.0.0.1:")
    assert ensure(folder) == url
    assert len(servers(folder)) == 1


def test_several_processes_asking_at_once_get_one_simulator(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    askers = [
        subprocess.Popen([sys.executable, "-c", ASK, str(folder)], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    urls = {asker.communicate(timeout=60)[0].strip() for asker in askers}
    assert len(urls) == 1
    assert len(servers(folder)) == 1


def test_a_killed_simulator_is_started_again_with_the_same_shop(folder: Path) -> None:
    first = ensure(folder)
    shop = summary(first)["shop"]
    os.kill(servers(folder)[0], signal.SIGKILL)
    while servers(folder):
        time.sleep(0.01)
    assert summary(ensure(folder))["shop"] == shop


def test_a_port_file_that_leads_to_another_shop_is_not_believed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    ensure(other)
    folder.mkdir()
    (folder / "port").write_text((other / "port").read_text().replace("gid://shopify/Shop/", "gid://shopify/Shop/1"))
    try:
        assert summary(ensure(folder))["shop"] != summary(ensure(other))["shop"]
    finally:
        for pid in servers(other):
            os.kill(pid, signal.SIGKILL)


def test_a_port_that_something_else_listens_at_by_now_is_not_believed(folder: Path) -> None:
    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = f"http://127.0.0.1:{listener.getsockname()[1]}"
        (folder / "port").write_text(json.dumps({"url": taken, "shop": "gid://shopify/Shop/1"}))
        threads = [threading.Thread(target=answer, args=(listener,), daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert ensure(folder) != taken


def test_it_starts_with_standard_input_closed_and_leaves_its_starter_free_to_end(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"import os; os.close(0); {ASK}", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    # The pipes were closed by the end of the starter alone: nobody else holds them.
    assert summary(done.stdout.strip())["shop"]


def test_it_starts_where_a_file_has_the_name_of_one_of_pythons_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the user')\n")
    monkeypatch.chdir(tmp_path)
    assert summary(ensure(folder))["shop"]


def test_it_ends_when_nobody_asks(folder: Path) -> None:
    ensure(folder, idle_seconds=1.0)
    deadline = time.monotonic() + 15
    while servers(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert servers(folder) == []


def test_what_cannot_be_started_is_said_with_its_log(folder: Path) -> None:
    with pytest.raises(SimulatorNotStartedError, match="log"):
        ensure(folder, arguments=("--faults", "/nowhere.json"))

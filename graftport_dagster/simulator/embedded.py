"""One simulator for all processes of a project, started by the first that needs it.

What lives here: the port file, the lock, and the detached process. The process ends itself
when nobody has asked for a while (`hosting.py`); its state is a file, so that the next one is
the same shop.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

_IDLE_SECONDS = 600.0
_START_SECONDS = 30.0
# One that is busy answers late; where there is none, nothing is waited for.
_ASK_SECONDS = 30.0


class SimulatorNotStartedError(RuntimeError):
    """The embedded simulator did not come up; the message names its log."""


def ensure(
    folder: Path,
    *,
    plan: str = "unlimited",
    idle_seconds: float = _IDLE_SECONDS,
    arguments: tuple[str, ...] = (),
) -> str:
    """The base URL of the folder's simulator, which is started if it does not answer.

    Of several processes asking at once one starts it. What the options say counts for the one
    that starts; `arguments` are more of the command line's. Raises SimulatorNotStartedError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if address := _found(folder):
        return address
    with _locked(folder / "lock"):
        if address := _found(folder):
            return address
        return _start(folder, plan, idle_seconds, arguments)


def _found(folder: Path) -> str | None:
    """The address in the port file, if the simulator of this very folder answers there."""
    try:
        known = json.loads((folder / "port").read_text())
        with urlopen(f"{known['url']}/_simulator/", timeout=_ASK_SECONDS) as answer:  # noqa: S310 - our own loopback
            shop = json.load(answer)["shop"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    # After a kill the port may belong to another folder's simulator.
    return str(known["url"]) if shop == known["shop"] else None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(folder: Path, plan: str, idle_seconds: float, arguments: tuple[str, ...]) -> str:
    told = folder / f"address.{os.getpid()}"
    log = folder / "log"
    command = [
        sys.executable, "-P", "-m", "graftport_dagster.simulator.detached", str(told), "--port", "0",
        "--state", str(folder / "state.sqlite"), "--plan", plan, "--idle-seconds", str(idle_seconds), *arguments,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(it for it in (_root(), *sys.path) if it)}
    with log.open("w") as output, Path(os.devnull).open() as nothing:
        # The process started here starts the simulator and ends at once: nobody is left with a child.
        starter = subprocess.run(  # noqa: S603 - our own module
            command, stdin=nothing, stdout=output, stderr=output, start_new_session=True, env=environment,
            check=False, timeout=_START_SECONDS,
        )  # fmt: skip
    deadline = time.monotonic() + _START_SECONDS
    try:
        while starter.returncode == 0 and time.monotonic() < deadline:
            address = told.read_text() if told.exists() else ""
            if address.endswith("\n"):
                if not address.startswith("http"):
                    break
                return _note(folder, address.strip())
            time.sleep(0.02)
    finally:
        told.unlink(missing_ok=True)
    raise SimulatorNotStartedError(f"The embedded Shopify simulator did not start; its log is {log}")


def _note(folder: Path, address: str) -> str:
    with urlopen(f"{address}/_simulator/", timeout=_ASK_SECONDS) as answer:  # noqa: S310 - our own loopback
        shop = json.load(answer)["shop"]
    written = folder / f"port.{os.getpid()}"
    written.write_text(json.dumps({"url": address, "shop": shop}))
    written.replace(folder / "port")
    return address


def _root() -> str:
    return str(Path(__file__).parents[2])

"""Killed, and left without answers: rows twice and rows lost, beside dlt, on the same simulated store.

    python -m benchmarks.peers --dlt-python .dlt/bin/python [--rows 200] [--kills 10] [--seed 1]

Collections, whose create Shopify lets anybody repeat: nothing but the loader's own care keeps a row from landing
twice. The kill is a real SIGKILL after a seeded number of calls was answered, followed by plain runs until one
finds nothing to do. Make the peer's environment once: `python3 -m venv .dlt && .dlt/bin/pip install dlt==1.31.0`.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.network import run_once, simulator

VERIFY_AFTER_SECONDS = 1.0
MOST_RUNS = 12
LATENCY_MS = 20
SETTINGS = """
source: {{type: files, platform: bench, files: {{collections: {{path: rows.jsonl, id_column: id}}}}}}
resource_types: [collections]
publications: []
destination: {{shop: "{url}", access_token: "env:BENCH_TOKEN", verify_after_seconds: {verify}, timeout_seconds: 10}}
"""
MAPPING = '{ "input": { "title": title } }'


@dataclass(frozen=True)
class Contender:
    """A loader: what begins it in a folder, and the command of one run of it."""

    name: str
    begin: Callable[[Path, str], None]
    command: Callable[[Path, str], Sequence[str]]


def main() -> None:
    """Prints a table: per contender kills with doubles, doubles, lost rows, runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dlt-python", help="an interpreter that has dlt")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one-run", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ["BENCH_TOKEN"] = "bench"
    if asked.one_run:
        os.environ["GRAFTPORT_STATE"] = str(asked.one_run)
        run_once(asked.one_run, f"run-{time.time_ns()}")
        return
    contenders = [_graftport()] + ([_dlt(asked.dlt_python)] if asked.dlt_python else [])
    print(f"{asked.rows} rows, {asked.kills} kills, seed {asked.seed}")
    head = ("contender", "what happened", "cases with a double", "doubles", "lost", "runs after, most")
    print("{:<12}{:<34}{:>20}{:>10}{:>8}{:>18}".format(*head))
    with tempfile.TemporaryDirectory() as name, simulator(Path(name), latency_ms=LATENCY_MS) as url:
        rows = Path(name) / "rows.jsonl"
        rows.write_text("".join(json.dumps({"id": f"c{n}", "title": f"Row {n}"}) + "\n" for n in range(asked.rows)))
        for contender in contenders:
            world = _World(contender, Path(name), url, rows, asked.rows)
            world.tell("killed at a seeded call", [world.killed(asked.seed + n) for n in range(asked.kills)])
            world.tell("1 % of answers lost", [world.lied_to(asked.seed, 0.01)])
            world.tell("10 % of answers lost", [world.lied_to(asked.seed, 0.10)])


def _graftport() -> Contender:
    def begin(folder: Path, url: str) -> None:
        (folder / "mappings").mkdir()
        (folder / "shop.yaml").write_text(SETTINGS.format(url=url, verify=VERIFY_AFTER_SECONDS))
        (folder / "mappings" / "collections.jsonata").write_text(MAPPING)

    return Contender(
        "graftport", begin, lambda folder, _: (sys.executable, "-m", "benchmarks.peers", "--one-run", str(folder))
    )


def _dlt(python: str) -> Contender:
    script = Path(__file__).with_name("peer_dlt.py")

    def command(folder: Path, url: str) -> Sequence[str]:
        return (python, str(script), str(folder / "rows.jsonl"), url, str(folder))

    return Contender("dlt 1.31.0", lambda _, __: None, command)


@dataclass(frozen=True)
class _World:
    contender: Contender
    folder: Path
    url: str
    rows: Path
    number: int

    def killed(self, seed: int) -> tuple[int, int, int]:
        """One kill and the runs after it: doubles, lost rows, runs."""
        own = self._fresh(f"kill-{seed}")
        begun, calls = self._asked(), random.Random(seed).randint(5, self.number)
        process = self._start(own)
        while self._asked() - begun < calls and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return self._settled(own)

    def lied_to(self, seed: int, share: float) -> tuple[int, int, int]:
        """A run whose answers are lost in part, and the runs after it."""
        own = self._fresh(f"lied-{share}")
        faults = [
            {"fault": fault, "probability": share / 2, "only_writes": True}
            for fault in ("hangup_after_commit", "http_502_after_commit")
        ]
        self._post("faults", {"faults": faults, "seed": seed, "replace": True})
        self._start(own).wait()
        self._post("faults", {"faults": [], "replace": True})
        return self._settled(own)

    def _fresh(self, name: str) -> Path:
        self._post("reset", {})
        own = self.folder / self.contender.name.split()[0] / name
        own.mkdir(parents=True)
        shutil.copyfile(self.rows, own / "rows.jsonl")
        self.contender.begin(own, self.url)
        return own

    def _start(self, own: Path) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self.contender.command(own, self.url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _settled(self, own: Path) -> tuple[int, int, int]:
        runs = 0
        while runs < MOST_RUNS:
            time.sleep(VERIFY_AFTER_SECONDS)
            before = self._writes()
            self._start(own).wait()
            if self._writes() == before:
                break
            runs += 1
        found: list[dict[str, str]] = self._get("objects?type=Collection")
        titles = Counter(one["title"] for one in found)
        return sum(titles.values()) - len(titles), self.number - len(titles), runs

    def _writes(self) -> int:
        return int(self._get("")["objects"].get("Collection", 0))

    def _asked(self) -> int:
        return int(self._get("")["requests"])

    def _get(self, path: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - JSON
        return requests.get(f"{self.url}/_simulator/{path}", timeout=60).json()

    def _post(self, path: str, body: object) -> None:
        requests.post(f"{self.url}/_simulator/{path}", json=body, timeout=60).raise_for_status()

    def tell(self, what: str, cases: Sequence[tuple[int, int, int]]) -> None:
        """A line of the table."""
        doubled = f"{sum(double > 0 for double, _, _ in cases)} of {len(cases)}"
        doubles, lost = sum(case[0] for case in cases), sum(case[1] for case in cases)
        most = max(runs for _, _, runs in cases)
        print(f"{self.contender.name:<12}{what:<34}{doubled:>20}{doubles:>10}{lost:>8}{most:>18}", flush=True)


if __name__ == "__main__":
    main()

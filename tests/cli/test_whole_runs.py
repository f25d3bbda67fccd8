"""Whole runs of the console against a simulated store of its own: exit statuses, objects, and what is told after."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIGRATION = """
source:
  platform: files
  files:
    products: {{path: {slug}.csv, id_column: sku}}
destination: {{shop: "{url}", access_token: "env:SHOP_TOKEN"}}
resource_types: [products]
"""
MAPPING = """
{ "input": {
    "title": name,
    "productOptions": [{"name": "Title", "values": [{"name": "Default Title"}]}],
    "variants": [{
      "price": price = "" ? $error("no price") : price,
      "optionValues": [{"optionName": "Title", "name": "Default Title"}]
    }]
} }
"""


@dataclass
class Console:
    """`graftport` in processes of its own, in a folder of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "graftport_dagster.cli", *words], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, *words: str, status: int = 0) -> str:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == status, out + err
        return out

    def told(self, *words: str, status: int = 0) -> Any:
        return json.loads(self(*words, "--json", status=status))

    def write(self, slug: str, url: str, rows: list[str]) -> None:
        (self.folder / "shops" / f"{slug}.yaml").write_text(MIGRATION.format(slug=slug, url=url), encoding="utf-8")
        self.rows(slug, rows)

    def rows(self, slug: str, rows: list[str]) -> None:
        (self.folder / "shops" / f"{slug}.csv").write_text("\n".join(["sku,name,price", *rows, ""]), encoding="utf-8")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    folder = tmp_path_factory.mktemp("console")
    (folder / "shops" / "mappings").mkdir(parents=True)
    (folder / "shops" / "mappings" / "products.jsonata").write_text(MAPPING, encoding="utf-8")
    (folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    removed = {"DAGSTER_HOME", "COLUMNS", "GRAFTPORT_STORE_URL", "GRAFTPORT_STATE"}
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    paths = {"PYTHONPATH": str(ROOT), "GRAFTPORT_MIGRATIONS": str(folder / "shops"), "SHOP_TOKEN": "shpat_secret"}
    return Console(folder, environment | paths)


def served(console: Console, *words: str) -> Iterator[str]:
    process = console.start("simulator", "--port", "0", *words)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def shop(console: Console) -> Iterator[str]:
    """The URL of a simulated store."""
    yield from served(console, "--state", "shop.sqlite", "--plan", "enterprise")


@pytest.fixture(scope="module")
def slow_shop(console: Console) -> Iterator[str]:
    yield from served(console, "--state", "slow.sqlite", "--latency-ms", "400")


def titles(shop: str, *, of: str) -> list[str]:
    """Of the products whose titles begin so, since all tests share the store."""
    with urlopen(f"{shop}/_simulator/objects?type=Product") as answer:
        objects = json.load(answer)
    return sorted(one["title"] for one in objects if one["title"].startswith(of))


def test_a_first_run_a_second_and_one_with_a_bad_row(console: Console, shop: str) -> None:
    console.write("tents", shop, ["A1,Old Tent,199.00", "A2,Old Stove,89.50"])

    dry = console.told("run", "tents", "--dry-run")
    assert (dry["result"], dry["dry_run"]) == ("succeeded", True)
    assert dry["verdicts"][0]["verdicts"] == {"create": 2}
    assert titles(shop, of="Old") == []

    first = console.told("run", "tents", "--reason", "rehearsal")
    assert {
        "run_id", "migration", "result", "dry_run", "started_at", "ended_at", "items",
    } <= first.keys()  # fmt: skip
    assert (first["migration"], first["result"], first["dry_run"]) == ("tents", "succeeded", False)
    assert [(item["resource_type"], item["phase"], item["result"]) for item in first["items"]] == [
        ("products", "extract", "succeeded"),
        ("products", "transform", "succeeded"),
        ("products", "load", "succeeded"),
    ]
    assert first["items"][2]["counts"]["created"] == 2
    assert titles(shop, of="Old") == ["Old Stove", "Old Tent"]
    assert console.told("run", "tents")["result"] == "unchanged"

    console.rows("tents", ["A1,Old Tent,189.00", "A2,Old Stove,", "A3,Old Lamp,12.00"])
    third = console.told("run", "tents", status=3)
    assert third["result"] == "completed_with_errors"
    assert titles(shop, of="Old") == ["Old Lamp", "Old Stove", "Old Tent"]
    (group,) = third["items"][1]["error_groups"]
    assert (group["count"], group["sample_ids"]) == (1, ["A2"])

    assert [run["result"] for run in console.told("runs", "tents")["runs"]] == [
        "succeeded", "succeeded", "unchanged", "completed_with_errors",
    ]  # fmt: skip
    record = console.told("record", "tents", "products", "A2")
    assert record["incomplete"][0]["phase"] == "transform"
    assert "no price" in record["why"]
    assert record["attempts"][0]["asked_because"] == "rehearsal"
    assert "payload" not in json.dumps(list(record["source"])).replace("payload_hash", "")
    assert console.told("record", "tents", "products", "A2", "--payload")["source"]["payload"]["name"] == "Old Stove"

    open_now = console.told("errors", "tents")
    assert (open_now["open"], open_now["groups"][0]["sample_ids"]) == (1, ["A2"])
    console("errors", "tents", "--csv", "errors.csv")
    with (console.folder / "errors.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["source_id"] for row in csv.DictReader(file)] == ["A2"]

    text = console("report", "tents", "--html", "report.html")
    assert "tents  ! completed with errors" in text
    assert "A2" in (console.folder / "report.html").read_text(encoding="utf-8")


def test_a_source_that_is_not_there_fails_the_run(console: Console, shop: str) -> None:
    console.write("nothing", shop, [])
    (console.folder / "shops" / "nothing.csv").unlink()
    told = console.told("run", "nothing", status=1)
    assert told["result"] == "failed"
    assert "nothing.csv" in told["first_error"]
    assert not console.told("check", "nothing", status=2)["ok"]


def test_a_paused_migration_is_refused_until_it_is_resumed(console: Console, shop: str) -> None:
    console.write("paused", shop, ["A1,Paused Tent,199.00"])
    console("pause", "paused", "--reason", "cut-over freeze")
    (error,) = console.told("run", "paused", status=2)["errors"]
    assert "cut-over freeze" in error["messages"][0]
    assert "graftport resume paused" in error["messages"][0]
    console("resume", "paused")
    assert console.told("run", "paused", "--phases", "extract")["result"] == "succeeded"


def test_ctrl_c_lets_the_batch_end_and_exits_130(console: Console, slow_shop: str) -> None:
    console.write("many", slow_shop, [f"M{number},Tent {number},10.00" for number in range(600)])
    with console.start("run", "many", "--json") as process:
        assert process.stderr is not None
        seen = ""
        while "mapped" not in seen:
            seen = process.stderr.readline()
            assert seen, "the run ended before it could be interrupted"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    told = json.loads(out)
    assert told["result"] == "canceled"
    load = next(item for item in told["items"] if item["phase"] == "load")
    assert load["result"] == "canceled"
    assert "Traceback" not in err


def test_ctrl_c_before_the_run_began_exits_130_in_a_sentence(console: Console, slow_shop: str) -> None:
    console.write("early", slow_shop, [f"E{number},Tent {number},10.00" for number in range(20)])
    with console.start("run", "early", "--dry-run") as process:
        # Dagster is a process of its own, which has yet to import itself when it appears.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        give_up = time.monotonic() + 60
        while not children.read_text() and time.monotonic() < give_up:
            time.sleep(0.02)
        # A signal between its fork and its exec would reach nobody.
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert "Stopped before the run began: nothing was done." in err or "canceled" in out


def test_check_says_that_all_is_well_and_that_another_store_must_be_confirmed(
    console: Console, shop: str, slow_shop: str
) -> None:
    console.write("moved", shop, ["A1,Moved Tent,199.00"])
    told = console.told("check", "moved")
    assert list(told) == ["migration", "ok", "checks"]
    assert {check["of"] for check in told["checks"]} == {"source", "disk", "record store", "mapping", "shopify"}
    assert all(list(check) == ["of", "name", "ok", "detail", "hint"] for check in told["checks"])
    console("run", "moved")

    console.write("moved", slow_shop, ["A1,Moved Tent,199.00"])
    refused = [check for check in console.told("check", "moved", status=2)["checks"] if not check["ok"]]
    assert [check["name"] for check in refused] == ["store"]
    assert "graftport check moved --confirm-store" in refused[0]["hint"]
    assert console.told("check", "moved", "--confirm-store")["ok"]


def test_mappings_are_published_held_previewed_and_let_go(console: Console, shop: str) -> None:
    console.write("mapped", shop, ["A1,Mapped Tent,199.00", "A2,Broken,"])
    console("run", "mapped", "--phases", "extract,transform", status=3)
    history = console.told("mapping", "history", "mapped", "products")
    assert list(history) == ["migration", "resource_type", "pin", "versions", "history"]
    assert (history["pin"]["version"], history["pin"]["held"]) == (1, False)
    assert console.told("mapping", "pin", "mapped", "products", "1", "--reason", "live")["pin"]["held"]
    good, bad = console.told("mapping", "preview", "mapped", "products", "A1", "A2")["records"]
    assert good["payload"]["input"]["title"] == "Mapped Tent"
    assert bad["payload"] is None
    assert "no price" in bad["problems"][0]["message"]
    assert console.told("mapping", "unpin", "mapped", "products")["was_held"]
    (error,) = console.told("mapping", "pin", "mapped", "products", "9", status=2)["errors"]
    assert error["field"] == "version"
    (error,) = console.told("run", "mapped", "--mapping", "9", status=2)["errors"]
    assert "9" in error["messages"][0]

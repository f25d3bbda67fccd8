"""A whole shop with customers, orders and gift cards, many of which fail: nothing personal and no secret gets out.

Out of the record store, that is: into Dagster's event log and runs, logs, reports, samples or what commands print.
"""

import csv
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "shpat_0b5ecf1c4d2a4e53a9f0"
MAIL_PASSWORD = "pw-of-the-mail-server-81"
# Where personal data belongs: the shop's own files, the record store, the store that it is moved into.
# A dry run's verdicts hold what would be sent: they are the record store's, written down for a person to read.
BELONGS = re.compile(r"migrations/|state/records\.db|state/reports/[^/]+/(?!sample-)[a-z_]+\.jsonl")
BAD_CUSTOMERS = [
    {"email": "quirin.zwirnbacher@mail.example", "firstname": "Quirin", "lastname": "Zwirnbacher",
     "_address_telephone": "+43 7612 9087651", "_address_street": "Zwetschkenweg 77", "_address_country_id": "XQ"},
    {"email": "hildegund.obermayrhofer@localhost", "firstname": "Hildegund", "lastname": "Obermayrhofer",
     "_address_street": "Distelfinkgasse 3", "_address_telephone": "0043/660/7654321"},
    {"email": "lena.hofer@example.com", "firstname": "Walpurga", "lastname": "Unterkofler"},
    {"email": "tilly.vanderbeek@mail.example", "firstname": "Tilly" * 60, "lastname": "Vanderbeekhuizen"},
]  # fmt: skip
BAD_CARDS = [
    {"giftcardaccount_id": "8", "code": "ZYXW9876VUTS", "balance": "999999999", "recipient_email": "x@mail.example"},
    {"giftcardaccount_id": "9", "code": "00DEMO7KQ2AB", "balance": "5"},
    {"giftcardaccount_id": "10", "code": "QPON5544MLKJ", "balance": "ten"},
]  # fmt: skip


@dataclass
class World:
    """A folder in which the shop is moved, and all that was printed."""

    folder: Path
    printed: dict[str, str]

    def graftport(self, *words: str) -> str:
        own = {
            "GRAFTPORT_MIGRATIONS": "migrations", "GRAFTPORT_STATE": "state", "DAGSTER_HOME": str(self.folder / "home"),
            "SHOP_TOKEN": TOKEN, "MAIL_PASSWORD": MAIL_PASSWORD, "PYTHONPATH": str(ROOT), "COLUMNS": "200",
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRAFTPORT_", "DAGSTER_"))}
        done = subprocess.run(
            [sys.executable, "-m", "graftport_dagster.cli", *words], cwd=self.folder, env=kept | own,
            capture_output=True, text=True, check=False, timeout=1200,
        )  # fmt: skip
        self.printed[f"`graftport {' '.join(words)}`, stdout"] = done.stdout
        self.printed[f"`graftport {' '.join(words)}`, stderr"] = done.stderr
        return done.stdout

    def texts(self) -> Iterator[tuple[str, str]]:
        """Everything that is outside of where it belongs, by its place."""
        yield from self.printed.items()
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if not path.is_file() or BELONGS.match(name):
                continue
            yield name, path.read_bytes().decode("utf-8", "replace")
            if path.read_bytes()[:15] == b"SQLite format 3":
                with sqlite3.connect(path) as database:
                    yield f"{name}, as rows", "\n".join(database.iterdump())


def write_shop(folder: Path, url: str) -> None:
    migrations = folder / "migrations"
    shutil.copytree(ROOT / "data/demo", migrations)
    settings = yaml.safe_load((migrations / "demo.yaml").read_text())
    settings["destination"] = {"shop": url, "access_token": "env:SHOP_TOKEN"}
    settings["retention"] = {"sample_records": 100}
    mail = {"host": "localhost", "user": "me", "password": "env:MAIL_PASSWORD", "sender": "a@b.example"}
    settings["notifications"] = {"mail": {**mail, "to": ["c@d.example"]}}
    (migrations / "demo.yaml").write_text(yaml.safe_dump(settings))
    add_rows(migrations / "customers.csv", BAD_CUSTOMERS)
    add_rows(migrations / "gift_cards.csv", BAD_CARDS)
    orders = [json.loads(line) for line in (migrations / "orders.jsonl").read_text().splitlines()]
    wrong = dict(
        orders[0], increment_id="000000901", order_currency_code="XQX", customer_email="anton.nobody@mail.example"
    )
    lost = dict(orders[1], increment_id="000000902", customer_email="quirin.zwirnbacher@mail.example")
    bad = dict(orders[2], increment_id="000000903", items="Zacharias Wolkenstein, Nebelgasse 9")
    with (migrations / "orders.jsonl").open("a") as file:
        file.writelines(json.dumps(order, ensure_ascii=False) + "\n" for order in (wrong, lost, bad))
        file.write('{"increment_id": "000000904", "customer_email": "kaspar.brochen@mail.example", "billing\n')


def add_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open(newline="") as file:
        columns = next(csv.reader(file))
    with path.open("a", newline="") as file:
        csv.DictWriter(file, columns).writerows(rows)
        file.write('"Ottokar ""Quastenflosser, Kieselweg 5",broken.ottokar@mail.example\n')


def personal_values(migrations: Path) -> set[str]:
    """Mail addresses, phones, surnames, street lines and codes of the shop's persons, which no product has."""
    found = {"Quastenflosser", "Wolkenstein", "Nebelgasse 9"}
    found |= {"broken.ottokar@mail.example", "kaspar.brochen@mail.example"}
    with (migrations / "customers.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            for name in ("email", "lastname", "_address_telephone", "_address_street"):
                found.add(row.get(name) or "")
    with (migrations / "gift_cards.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found |= {row["code"] or "", row.get("recipient_email") or ""}
    for line in (migrations / "orders.jsonl").read_text().splitlines()[:-1]:
        order = json.loads(line)
        found |= {order["customer_email"], order["customer_lastname"]}
        for place in ("billing_address", "shipping_address"):
            if address := order.get(place):
                found |= {address["lastname"], address["telephone"], *address["street"]}
    others = "".join(
        (migrations / name).read_text() for name in ("products.csv", "blogs.jsonl", "markets.jsonl", "demo.yaml")
    )
    return {one for one in found if one and len(one) >= 5 and one.lower() not in others.lower()}


@pytest.fixture
def world(simulator_url: str, tmp_path: Path) -> World:
    requests.post(f"{simulator_url}/_simulator/reset", timeout=30).raise_for_status()
    (tmp_path / "home").mkdir()
    shutil.copy(ROOT / "dagster.yaml", tmp_path / "home")
    write_shop(tmp_path, simulator_url)
    return World(tmp_path, {})


@pytest.mark.slow
def test_no_secret_and_nothing_personal_is_outside_the_record_store(world: World) -> None:
    world.graftport("run", "demo", "--dry-run", "--confirm-store", "--json")
    told: dict[str, Any] = json.loads(world.graftport("run", "demo", "--confirm-store", "--json"))
    assert told["result"] == "completed_with_errors"
    failed = {item["resource_type"] for item in told["items"] if item["first_error"]}
    assert {"customers", "gift_cards", "orders"} <= failed
    world.graftport("report", "demo", "--html", "report.html", "--markdown", "report.md")
    world.graftport("runs", "demo", "--json")
    world.graftport("status", "demo")
    world.graftport("retry", told["items"][0]["run_id"])

    wanted = {form: value for value in (*personal_values(world.folder / "migrations"), TOKEN, MAIL_PASSWORD)
              for form in (value.lower(), json.dumps(value)[1:-1].lower())}  # fmt: skip
    assert len(wanted) > 40
    looked_at = dict(world.texts())
    assert any("sample-customers" in name for name in looked_at)
    assert sum("as rows" in name for name in looked_at) >= 3
    leaks = {
        (name, wanted[form]): looked_at[name][max(0, place - 80) : place + 80]
        for name, text in looked_at.items()
        for form in wanted
        if (place := text.lower().find(form)) >= 0
    }
    assert leaks == {}

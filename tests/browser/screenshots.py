"""The pictures of `docs/ui.md`: the demo shop in Dagster's UI, with a product whose price is no number.

`make screenshots` runs it. Each picture is taken when what it is to show stands on the page.
"""

import csv
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.browser.browser import BROWSERS, DRIVERS, Browser, executable, open_browser
from tests.browser.ui import REPOSITORY, ROOT, Ui, serve

PICTURES = ROOT / "docs" / "pictures"
_LONG = 600.0
# Graphs and lists move for a while after their words are there.
_SETTLED_SECONDS = 3.0


def main() -> None:
    """Takes all of them."""
    if not (executable(DRIVERS) and executable(BROWSERS)):
        sys.exit("This needs Chromium and its driver: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(prefix="graftport-pictures-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environment = _project(folder)
        with serve(folder, environment) as url, open_browser() as browser:
            _take(Ui(url, browser), browser, folder / "migrations" / "products.csv")


def _project(folder: Path) -> dict[str, str]:
    shutil.copy(ROOT / "dagster.yaml", folder)
    shutil.copytree(ROOT / "data" / "demo", folder / "migrations")
    (folder / "state").mkdir()
    return {
        "GRAFTPORT_MIGRATIONS": str(folder / "migrations"), "GRAFTPORT_STATE": str(folder / "state"),
        "GRAFTPORT_STORE_URL": f"sqlite:///{folder / 'state' / 'records.db'}",
    }  # fmt: skip


def _spoil(export: Path) -> None:
    """Gives one product a price that is none."""
    with export.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    next(row for row in rows if row["price"])["price"] = "on request"
    with export.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _take(ui: Ui, browser: Browser, export: Path) -> None:
    def picture(name: str, *texts: str) -> None:
        browser.sees(*texts)
        time.sleep(_SETTLED_SECONDS)
        browser.picture(PICTURES / f"{name}.png")

    browser.open(ui.launchpad("demo_dry_run", resource_types=["products"], limit=20))
    picture("launchpad", "Launch Run", "No errors")
    run_id = ui.launch("demo_migrate")
    ui.ends(run_id, seconds=_LONG)
    # A failed one would show the stack, and with it where this machine keeps its files.
    picture("run", "Events", "report")
    _spoil(export)
    ui.ends(ui.launch("demo_migrate"), seconds=_LONG)
    browser.open(f"{ui.url}/locations/graftport_dagster/asset-groups/demo")
    picture("graph", "shopify_loads", "partitions")
    browser.open(ui.asset("demo", "shopify_loads", view="partitions", partition="collections"))
    picture("partition", "created", "in_scope")
    browser.open(ui.asset("demo", "source_data", view="checks", checkDetail="rows_without_errors"))
    picture("checks", "Evaluation result", "rows_invalid")
    browser.open(ui.asset("demo", "incomplete_records"))
    picture("incomplete", "Description", "open")
    browser.open(f"{ui.url}/automation")
    picture("automation", "demo_reaper")
    browser.open(f"{ui.url}/runs")
    picture("runs", "graftport/result")
    browser.open(f"{ui.url}/locations/{REPOSITORY}/sensors/demo_source_freshness")
    picture("sensor", "Frequency")


if __name__ == "__main__":
    main()

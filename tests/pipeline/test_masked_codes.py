"""A gift card whose id is its code: no run, report or list of errors shows it."""

import json
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster import pipeline, reports
from graftport_dagster.migration import Destination, FileSpec, Migration
from graftport_dagster.records import ResourceType, RunOptions
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import RecordStore

CODES = ("verysecret12", "secretcode345", "badsecretcard")
MAPPING = """{"input": {"code": code, "initialAmount": {"amount": $money(amount), "currencyCode": "USD"}}}"""


@pytest.fixture
def cards(simulator_url: str, tmp_path: Path) -> Migration:
    rows = [f"{CODES[0]},50", f"{CODES[0]},50", f"{CODES[1]},20000", f"{CODES[2]},"]
    (tmp_path / "cards.csv").write_text("code,amount\n" + "\n".join(rows) + "\n")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings/gift_cards.jsonata").write_text(MAPPING)
    source = FilesSettings(
        platform="magento", files={ResourceType.GIFT_CARDS: FileSpec(path="cards.csv", id_column="code")}
    )
    destination = Destination(shop=simulator_url, access_token="env:SIMULATOR_TOKEN")
    return Migration(slug="cards", folder=tmp_path, source=source, destination=destination)


def test_no_code_is_shown_of_cards_whose_id_it_is(
    cards: Migration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMULATOR_TOKEN", "secret")
    said: list[Any] = []
    with RecordStore.open(f"sqlite:///{tmp_path}/records.db") as store:
        with pipeline.open_work(cards, RunOptions(confirm_store=True), run_id="run-1", store=store) as work:
            phases = work.run.options.phases
            said += [pipeline.run_phase(work, phase, ResourceType.GIFT_CARDS).as_dict() for phase in phases]
        said.append(pipeline.finish_run(store, "run-1"))
        said.append(reports.open_errors(store, "cards"))
    text = json.dumps(said, default=str).lower()
    assert "••••" in json.dumps(said, default=str, ensure_ascii=False)
    assert [code for code in CODES if code in text] == []

"""What a run did, as data, Markdown and HTML; what is open, as rows, groups and CSV."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from graftport_dagster import reports
from graftport_dagster.errors import ConfigurationError, TransformError
from graftport_dagster.records import (
    ErrorGroup,
    InvalidRow,
    JsonObject,
    Phase,
    ResourceType,
    Result,
    Run,
    RunItem,
    RunOptions,
    SourceRecord,
)  # fmt: skip
from graftport_dagster.reports import terminal
from graftport_dagster.reports.wording import (
    count_parts,
    counts_sentence,
    duration,
    moment,
    presentable,
    printable,
)  # fmt: skip
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection, StagedResult

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRODUCTS = ResourceType.PRODUCTS
REFUSED = ErrorGroup(
    "DataError", "INVALID", "input.variants[0].price", "Price <b>must</b> be ≥ 0 | ask anna@example.com", "Mend it.",
    3, ("24-MB01", "24-MB02", "bob@example.com"), NOON, NOON,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    with RecordStore.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
        yield store


def started(store: RecordStore, run_id: str = "run-00000001", **options: object) -> Run:
    return store.runs.start(Run(run_id, "demo", RunOptions(**options)))  # type: ignore[arg-type]


def item(phase: Phase, result: Result, run_id: str = "run-00000001", **fields: object) -> RunItem:
    times = {"started_at": NOON, "ended_at": NOON + timedelta(seconds=2.5)}
    return RunItem(run_id, PRODUCTS, phase, result, **(times | fields))  # type: ignore[arg-type]


def add(store: RecordStore, *items: RunItem) -> None:
    for one in items:
        store.runs.start_item(one)
        store.runs.finish_item(one)


@pytest.fixture
def run(store: RecordStore) -> Run:
    """A run whose load refused three of ten products and held one."""
    started(store)
    add(
        store,
        item(Phase.EXTRACT, Result.SUCCEEDED, counts={
            "rows_read": 40, "rows_in_records": 38, "rows_invalid": 2, "read": 11, "new": 10, "errored": 1,
            "deleted_at_source": 4,
        }),
        item(Phase.TRANSFORM, Result.SUCCEEDED, counts={"in_scope": 10, "staged": 10},
             mapping_version="products/1 (a1b2c3d4)"),
        item(Phase.LOAD, Result.COMPLETED_WITH_ERRORS, counts={"in_scope": 10, "created": 6, "errored": 3, "held": 1},
             first_error="24-MB01: Price must be ≥ 0", first_skip_reason="waits for collections 9",
             error_groups=(REFUSED,), skip_reasons={"waits for collections 9": 1}, api_cost=120.5, api_calls=12),
    )  # fmt: skip
    return store.runs.finish("run-00000001", Result.COMPLETED_WITH_ERRORS, first_error="24-MB01: Price must be ≥ 0")


def test_report_has_the_keys_that_scripts_rely_on(store: RecordStore, run: Run) -> None:
    told = reports.report(store, run.run_id)
    assert list(told) == [
        "run_id", "migration", "result", "dry_run", "started_at", "ended_at", "seconds", "first_error", "store_gid",
        "retry_of", "replay_of", "options", "items", "reconciliation", "verdicts",
    ]  # fmt: skip
    assert (told["run_id"], told["migration"], told["result"], told["dry_run"]) == (
        "run-00000001", "demo", "completed_with_errors", False,
    )  # fmt: skip
    load = told["items"][2]
    assert {
        "run_id", "resource_type", "phase", "result", "mapping_version", "counts", "first_error", "first_skip_reason",
        "error_groups",
    } <= load.keys()  # fmt: skip
    assert load["counts"] == {"in_scope": 10, "created": 6, "errored": 3, "held": 1}
    assert load["seconds"] == 2.5
    assert load["error_groups"][0]["count"] == 3
    json.dumps(told)


def test_report_is_found_by_the_beginning_of_its_id(store: RecordStore, run: Run) -> None:
    assert reports.report(store, run.run_id[:8])["run_id"] == run.run_id


def test_report_of_an_unknown_run_says_where_runs_are_listed(store: RecordStore) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no run nowhere.*graftport runs"):
        reports.report(store, "nowhere")


def test_messages_and_ids_that_are_mail_addresses_are_masked(store: RecordStore, run: Run) -> None:
    group = reports.report(store, run.run_id)["items"][2]["error_groups"][0]
    assert "anna@example.com" not in group["message"]
    assert group["sample_ids"] == ["24-MB01", "24-MB02", "[mail address]"]


class _Page(HTMLParser):
    """Whether tags close in the order in which they opened, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def test_html_is_whole_escaped_and_needs_nothing_else(store: RecordStore, run: Run) -> None:
    html = reports.html(store, run.run_id)
    page = parsed(html)
    assert page.addresses == []
    assert "<script" not in html
    assert "prefers-color-scheme: dark" in html
    assert "Price <b>must</b> be ≥ 0" in page.text
    assert "10 records: 6 created, 1 held, 3 errored" in page.text
    assert "waits for collections 9" in page.text
    assert "12 calls to Shopify, 120 points" in page.text


def test_what_leaves_the_machine_holds_no_mail_address(store: RecordStore, run: Run) -> None:
    for text in (reports.html(store, run.run_id), reports.markdown(store, run.run_id)):
        assert "@example.com" not in text
        assert "[mail address]" in text.replace("\\", "")


def test_markdown_shows_hostile_text_as_it_is(store: RecordStore, run: Run) -> None:
    text = reports.markdown(store, run.run_id)
    assert "**demo: completed with errors**" in text
    assert "| products | load | completed with errors | 10 records: 6 created, 1 held, 3 errored |" in text
    assert "Price &lt;b&gt;must&lt;/b&gt; be ≥ 0 \\| ask" in text
    assert "- 1 × held or skipped: waits for collections 9" in text


def test_a_run_that_did_nothing_has_a_report(store: RecordStore) -> None:
    started(store)
    told = reports.report(store, "run-00000001")
    assert (told["result"], told["items"], told["seconds"]) == ("running", [], None)
    parsed(reports.html(store, "run-00000001"))
    assert "demo: running" in reports.markdown(store, "run-00000001")


@pytest.fixture
def verdicts(tmp_path: Path, store: RecordStore) -> Path:
    """The folder of reports after a dry run of products and customers."""
    started(store, "dry-00000001", dry_run=True)
    folder = tmp_path / "reports" / "dry-00000001"
    folder.mkdir(parents=True)
    change = {"path": "input.title", "old": "Old", "new": "New"}
    lines = [
        {"source_id": "1", "verdict": "create", "diff": [], "reason": "", "cost": 50.0},
        {"source_id": "2", "verdict": "update", "diff": [change], "reason": "", "cost": 30.0},
        {"source_id": "3", "verdict": "held", "diff": [], "reason": "waits for collections 9", "cost": 0},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "products.jsonl").write_text(text + '{"source_id": "4", "verd', encoding="utf-8")
    change = {"path": "input.email", "old": "anna@example.com", "new": "Anna Lind"}
    line = {"source_id": "7", "verdict": "update", "diff": [change], "reason": "", "cost": 10}
    (folder / "customers.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    return tmp_path / "reports"


def test_dry_run_sums_up_verdicts_cost_and_time(store: RecordStore, verdicts: Path) -> None:
    products, customers = reports.report(store, "dry-00000001", reports_folder=verdicts)["verdicts"]
    assert products == {
        "resource_type": "products",
        "verdicts": {"create": 1, "update": 1, "held": 1},
        "reasons": {"waits for collections 9": 1},
        "diffs": [{"source_id": "2", "fields": [{"path": "input.title", "old": "Old", "new": "New"}]}],
        "cost": 80.0,
        "seconds": 0.8,
    }
    assert customers["verdicts"] == {"update": 1}


def test_dry_run_tells_only_which_fields_of_a_person_change(store: RecordStore, verdicts: Path) -> None:
    told = reports.report(store, "dry-00000001", reports_folder=verdicts)
    assert told["verdicts"][1]["diffs"] == [{"source_id": "7", "fields": [{"path": "input.email"}]}]
    page = parsed(reports.html(store, "dry-00000001", reports_folder=verdicts))
    assert "Anna" not in page.text + json.dumps(told)
    assert "input.title" in page.text
    assert "1 create, 1 update, 1 held" in reports.markdown(store, "dry-00000001", reports_folder=verdicts)


def test_dry_run_without_its_files_has_no_verdicts(store: RecordStore, tmp_path: Path) -> None:
    started(store, "dry-00000001", dry_run=True)
    assert reports.report(store, "dry-00000001", reports_folder=tmp_path)["verdicts"] == []


@pytest.fixture
def open_rows(store: RecordStore) -> list[JsonObject]:
    """Two invalid rows (one names its record), two records that the mapping failed on."""
    run = started(store)
    dataset = Dataset("demo")
    store.source_records.upsert(
        dataset, PRODUCTS, run, [SourceRecord(name, {"sku": name}, origin=f"p.csv:{n}") for n, name in enumerate("abc")]
    )
    store.source_records.record_errors(dataset, PRODUCTS, run, [
        InvalidRow("=1+1;anna@example.com", "5 columns where 6 are", "COLUMNS", "p.csv:7", hint="Quote the cell."),
        InvalidRow("x", "twice", "DUPLICATE_ID", "p.csv:9", source_id="x"),
    ])  # fmt: skip
    version = store.mappings.publish("files", PRODUCTS, "{}", by="anna")
    failed = TransformError("not a number", code="D3030", path="input.price", hint="Look at the mapping.")
    hashes = {one.source_id: one.source_hash for batch in store.staged_records.to_transform(
        dataset, dataset, PRODUCTS, version, "s", Selection()) for one in batch}  # fmt: skip
    store.staged_records.stage(dataset, PRODUCTS, run, version, "s", [
        StagedResult("a", hashes["a"], error=failed), StagedResult("b", hashes["b"], error=failed),
        StagedResult("c", hashes["c"], payload={"input": {}}, group_hashes={"all": "1"}),
    ])  # fmt: skip
    return reports.open_errors(store, "demo")


def test_open_errors_tell_a_spoiled_record_once_with_its_line(open_rows: list[JsonObject]) -> None:
    assert [(row["phase"], row["code"], row["source_id"], row["origin"]) for row in open_rows] == [
        ("extract", "COLUMNS", "", "p.csv:7"),
        ("extract", "DUPLICATE_ID", "x", "p.csv:9"),
        ("transform", "D3030", "a", ""),
        ("transform", "D3030", "b", ""),
    ]
    assert all(tuple(row) == reports.ERROR_COLUMNS for row in open_rows)


def test_open_errors_narrow_by_phase_and_group(store: RecordStore, open_rows: list[JsonObject]) -> None:
    def ids(**narrowed: object) -> list[str]:
        return [row["source_id"] for row in reports.open_errors(store, "demo", **narrowed)]  # type: ignore[arg-type]

    assert ids(phase=Phase.TRANSFORM) == ["a", "b"]
    assert ids(group="DUPLICATE_ID") == ["x"]
    assert ids(group="DataError:D3030:input.price") == ["a", "b"]
    assert ids(group="DataError:D3030:input.title") == []
    assert ids(resource_type=ResourceType.ORDERS) == []


def test_groups_name_cause_count_samples_and_remedy(open_rows: list[JsonObject]) -> None:
    largest, *others = reports.group_errors(open_rows)
    assert (largest["code"], largest["path"], largest["count"], largest["sample_ids"]) == (
        "D3030", "input.price", 2, ["a", "b"],
    )  # fmt: skip
    assert (largest["message"], largest["hint"]) == ("not a number", "Look at the mapping.")
    assert {group["sample_ids"][0] for group in others} == {"p.csv:7", "x"}


def test_csv_has_every_row_and_runs_as_no_formula(
    store: RecordStore, open_rows: list[JsonObject], tmp_path: Path
) -> None:
    path = tmp_path / "errors.csv"
    reports.write_errors_csv(reports.open_errors(store, "demo", with_raw=True), path, with_raw=True)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["origin"] for row in rows] == ["p.csv:7", "p.csv:9", "", ""]
    assert rows[0]["raw"] == "'=1+1;anna@example.com"
    assert path.stat().st_mode & 0o077 == 0
    reports.write_errors_csv(open_rows, path)
    assert "anna@example.com" not in path.read_text(encoding="utf-8")


def test_reconciliation_accounts_for_every_record(store: RecordStore, open_rows: list[JsonObject]) -> None:
    assert reports.reconciliation(store, "demo") == [
        {"resource_type": "products", "source": 3, "staged": 1, "excluded": 0, "landed": 0, "pending": 1,
         "errors_open": 4},
    ]  # fmt: skip


def test_excluded_records_are_counted_where_they_are_now(store: RecordStore) -> None:
    run, dataset = started(store), Dataset("demo")
    store.source_records.upsert(dataset, PRODUCTS, run, [SourceRecord("a", {}), SourceRecord("b", {})])
    version = store.mappings.publish("files", PRODUCTS, "{}", by="")
    for batch in store.staged_records.to_transform(dataset, dataset, PRODUCTS, version, "s", Selection()):
        left_out = [StagedResult(one.source_id, one.source_hash, exclude_reason="old") for one in batch]
        store.staged_records.stage(dataset, PRODUCTS, run, version, "s", left_out)
    assert reports.reconciliation(store, "demo")[0]["excluded"] == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ask anna.lind+shop@mail.example.co.uk now", "ask [mail address] now"),
        ("call +46 (0)8 123 45 67", "call [telephone]"),
        ("\x1b[31mred\x07", "�[31mred�"),
        ("two\nlines", "two\nlines"),
        ("half \ud83d", "half \\ud83d"),
        ("gid://shopify/Product/9223372036854775807", "gid://shopify/Product/9223372036854775807"),
        ("at 2026-11-20T12:00:00+00:00", "at 2026-11-20T12:00:00+00:00"),
    ],
)
def test_text_of_a_shop_is_made_harmless(text: str, shown: str) -> None:
    assert presentable(text) == shown


def test_long_text_is_cut_and_ids_are_only_made_printable() -> None:
    assert len(presentable("x" * 1_000_000)) == 2_002
    assert printable("a\x00@example.com") == "a�@example.com"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.04, "0.0 s"), (9.99, "10.0 s"), (42, "42 s"), (185, "3 min 05 s"), (7_380, "2 h 03 min")],
)
def test_durations_read_well(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_moments_are_told_in_utc() -> None:
    assert moment("2026-11-20T13:00:00+01:00") == "2026-11-20 12:00:00"
    assert moment(None) == "–"


def test_counts_become_a_sentence() -> None:
    told = item(Phase.EXTRACT, Result.SUCCEEDED, counts={
        "rows_read": 9_000, "rows_invalid": 4, "read": 1_200, "new": 1_000, "unchanged": 200, "deleted_at_source": 2,
    }).as_dict()  # fmt: skip
    assert counts_sentence(told) == (
        "1,200 records: 1,000 new, 200 unchanged; 4 of 9,000 rows invalid; 2 deleted at the source"
    )
    assert list(count_parts(told)) == [("new", 1_000), ("unchanged", 200)]
    assert counts_sentence(item(Phase.LOAD, Result.UNCHANGED).as_dict()) == "nothing to do"


def test_an_item_that_failed_before_its_first_record_is_not_told_as_having_nothing_to_do(store: RecordStore) -> None:
    started(store)
    add(store, item(Phase.LOAD, Result.FAILED, first_error="The environment variable TOKEN is not set."))
    told = terminal.text(store, "run-00000001")
    assert "nothing done" in told
    assert "nothing to do" not in told


def test_a_scope_that_no_record_is_in_is_remarked(store: RecordStore) -> None:
    started(store, source_ids=("NH-J1O",), error_group="EMPTY")
    add(store, item(Phase.LOAD, Result.UNCHANGED))
    told = reports.markdown(store, "run-00000001")
    assert "No record has id NH-J1O or error group EMPTY: nothing was in scope." in told


def test_the_calls_of_a_dry_run_are_told_as_what_a_load_would_take(store: RecordStore) -> None:
    started(store, dry_run=True)
    add(store, item(Phase.LOAD, Result.SUCCEEDED, api_calls=2, api_cost=20, counts={"in_scope": 2, "created": 2}))
    assert "a load would take 2 calls, 20 points" in terminal.text(store, "run-00000001")

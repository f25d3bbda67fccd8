"""`graftport record` and `graftport errors`, over a store with a record in every kind of trouble."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from graftport_dagster.errors import LoadRejectedError, MissingReferenceError, TransformError, UnknownOutcomeError
from graftport_dagster.records import Identity, InvalidRow, Outcome, RecordKey, ResourceType, Run, RunOptions
from graftport_dagster.records import SourceRecord as Source
from graftport_dagster.reports.admin_links import admin_link
from graftport_dagster.store.record_store import (
    Dataset,
    Intent,
    RecordStore,
    Selection,
    Settlement,
    StagedResult,
)  # fmt: skip

Invoke = Callable[..., Result]
PRODUCTS = ResourceType.PRODUCTS
STORE = "gid://shopify/Shop/1"
GID = "gid://shopify/Product/77"


@pytest.fixture(autouse=True)
def shop(store: RecordStore, folder: Path) -> None:
    """`good` landed, `held` waits, `taken` was refused, `lost` has no answer, `odd` fails, `bad` is no row."""
    text = (folder / "shop.yaml").read_text(encoding="utf-8")
    destination = 'destination: {shop: acme.myshopify.com, access_token: "env:TOKEN"}\n'
    (folder / "shop.yaml").write_text(text + destination, encoding="utf-8")
    run = store.runs.start(Run("run-1111-2222", "shop", RunOptions(actor="anna", reason="rehearsal")))
    dataset = Dataset("shop")
    names = ("good", "held", "lost", "odd", "out", "taken")
    store.source_records.upsert(
        dataset, PRODUCTS, run,
        [Source(name, {"name": name, "mail": "anna@example.com"}, origin=f"p.csv:{n}") for n, name in enumerate(names)],
    )  # fmt: skip
    row = InvalidRow(
        "bad;anna@example.com", "two columns", "COLUMN_COUNT", "p.csv:9", source_id="bad", hint="Quote it."
    )
    store.source_records.record_errors(dataset, PRODUCTS, run, [row])
    stage(store, run, dataset)
    load(store, run)


def stage(store: RecordStore, run: Run, dataset: Dataset) -> None:
    version = store.mappings.publish("files", PRODUCTS, "{}", by="anna")
    inputs = store.staged_records.to_transform(dataset, dataset, PRODUCTS, version, "s", Selection())
    results = []
    for record in (record for batch in inputs for record in batch):
        made: dict[str, Any] = {"payload": {"input": {"title": record.source_id}}, "group_hashes": {"all": "1"}}
        if record.source_id == "odd":
            made = {"error": TransformError("not a number", code="D3030", path="input.price", hint="Look at it.")}
        if record.source_id == "out":
            made = {"exclude_reason": "no longer sold"}
        results.append(StagedResult(record.source_id, record.source_hash, **made))
    store.staged_records.stage(dataset, PRODUCTS, run, version, "s", results)


def load(store: RecordStore, run: Run) -> None:
    store.stores.meet("shop", STORE, "acme.myshopify.com", "Acme")
    lease = store.loads.acquire("shop", STORE, PRODUCTS, run)
    staged = {
        one.source_id: one
        for batch in store.loads.to_load(Dataset("shop"), STORE, PRODUCTS, Selection(), only_pending=True)
        for one in batch
    }

    def settled(name: str, outcome: Outcome, **fields: Any) -> Settlement:
        return Settlement(name, outcome, payload_hash=staged[name].payload_hash, **fields)

    store.loads.intend(lease, [Intent("lost", "set", staged["lost"].payload_hash, repeatable=False)], run)
    refused = LoadRejectedError(
        "Handle anna@example.com is taken", code="TAKEN", path="input.handle", hint="Rename it."
    )
    missing = MissingReferenceError("collections 9 is not there", code="MISSING")
    waits = (RecordKey("collections", "9"), RecordKey("products", "taken"), RecordKey("products", "good"))
    good = Identity(RecordKey("products", "good"), GID, "good-tent")
    part = Identity(RecordKey("products", "good", "variant", "good-1"), "gid://shopify/ProductVariant/78")
    store.loads.settle(lease, run, [
        settled("good", Outcome.CREATED, clean=True, identities=(good, part), landed_groups={"all": "1"}),
        settled("taken", Outcome.ERRORED, error=refused),
        settled("lost", Outcome.UNKNOWN, steps_unknown=("set",), error=UnknownOutcomeError("the answer was lost")),
        settled("held", Outcome.HELD, error=missing, waits_for=waits, reason="waits for collections"),
    ])  # fmt: skip
    store.loads.release(lease)


@pytest.mark.parametrize(
    ("source_id", "where", "why"),
    [
        ("good", f"On acme.myshopify.com as {GID}, up to date.", None),
        ("taken", "Staged; not on the store yet.", "TAKEN in load: input.handle: Handle [mail address] is taken"),
        ("lost", "Staged; not on the store yet.", "UNKNOWN_OUTCOME in load: the answer was lost"),
        (
            "held",
            "Staged; not on the store yet.",
            "Waits for collections 9 (missing), products taken (staged), products",
        ),
        ("odd", "Read; the mapping failed on it.", "D3030 in transform: input.price: not a number Look at it."),
        ("out", "Left out by the mapping.", "no longer sold"),
        ("bad", "Not read yet: its rows are invalid.", "two columns"),
    ],
)
def test_record_says_where_it_is_and_why(
    told: Callable[..., Any], graftport: Invoke, source_id: str, where: str, why: str | None
) -> None:
    story = told("record", "shop", "products", source_id)
    assert story["where"] == where
    assert (story["why"] is None) if why is None else (why in story["why"])
    text = " ".join(graftport("record", "shop", "products", source_id).stdout.split())
    assert where in text


def test_record_has_the_keys_that_scripts_rely_on(told: Callable[..., Any]) -> None:
    story = told("record", "shop", "products", "good")
    assert list(story) == [
        "migration", "resource_type", "source_id", "source", "staged", "stores", "attempts", "incomplete",
        "extract_errors", "where", "why",
    ]  # fmt: skip
    (place,) = story["stores"]
    assert (place["gid"], place["handle"], place["domain"]) == (GID, "good-tent", "acme.myshopify.com")
    assert place["link"] == "https://admin.shopify.com/store/acme/products/77"
    assert place["parts"][0]["part_id"] == "good-1"
    assert [attempt["outcome"] for attempt in story["attempts"]] == ["staged", "created"]
    assert (story["attempts"][0]["actor"], story["attempts"][0]["asked_because"]) == ("anna", "rehearsal")


@pytest.mark.parametrize("source_id", ["good", "taken", "bad"])
def test_payloads_are_shown_on_purpose_only(told: Callable[..., Any], graftport: Invoke, source_id: str) -> None:
    for words in (("record", "shop", "products", source_id), ("errors", "shop"), ("report", "shop")):
        assert "anna@example.com" not in json.dumps(told(*words)) + graftport(*words).stdout
    assert "anna@example.com" in json.dumps(told("record", "shop", "products", source_id, "--payload"))
    assert "anna@example.com" in graftport("record", "shop", "products", source_id, "--payload").stdout


def test_an_unknown_record_is_refused_with_what_there_is(told: Callable[..., Any], graftport: Invoke) -> None:
    (error,) = told("record", "shop", "products", "GOOD", status=2)["errors"]
    assert error["field"] == "source_id"
    assert "6 products have been read" in error["messages"][0]
    assert "run extract first" in graftport("record", "shop", "orders", "1", status=2).stderr


@pytest.mark.parametrize(
    ("domain", "gid", "link"),
    [
        ("acme.myshopify.com", "gid://shopify/Customer/5", "https://admin.shopify.com/store/acme/customers/5"),
        ("acme.myshopify.com", "gid://shopify/UrlRedirect/5", None),
        ("localhost:8500", "gid://shopify/Product/5", None),
        ("acme.myshopify.com", "", None),
    ],
)
def test_admin_links_are_given_where_the_admin_has_a_page(domain: str, gid: str, link: str | None) -> None:
    assert admin_link(domain, gid) == link


def test_errors_group_what_is_open_and_say_what_to_do(told: Callable[..., Any], graftport: Invoke) -> None:
    answer = told("errors", "shop")
    assert list(answer) == ["migration", "open", "groups", "records"]
    assert answer["open"] == 5
    taken = next(group for group in answer["groups"] if group["code"] == "TAKEN")
    assert list(taken) == [
        "resource_type", "phase", "error_class", "code", "path", "message", "hint", "count", "sample_ids",
        "first_seen", "last_seen",
    ]  # fmt: skip
    assert (taken["phase"], taken["path"], taken["sample_ids"]) == ("load", "input.handle", ["taken"])
    text = graftport("errors", "shop").stdout
    assert "1 × TAKEN (DataError) at input.handle" in text
    assert "→ Rename it." in text


def test_errors_narrow_and_are_written_as_csv(told: Callable[..., Any], graftport: Invoke, tmp_path: Path) -> None:
    assert told("errors", "shop", "--phase", "transform")["open"] == 1
    assert told("errors", "shop", "--group", "DataError:TAKEN")["records"][0]["source_id"] == "taken"
    assert graftport("errors", "shop", "--group", "NONE").stdout == "Nothing is open.\n"

    def written(*words: str) -> list[dict[str, str]]:
        graftport("errors", "shop", "--csv", "errors.csv", *words)
        with (tmp_path / "errors.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    rows = written("--phase", "extract")
    assert [(row["source_id"], row["origin"], row["message"]) for row in rows] == [("bad", "p.csv:9", "two columns")]
    assert "raw" not in rows[0]
    assert written("--phase", "extract", "--raw")[0]["raw"] == "bad;anna@example.com"
    assert "--raw goes with --csv." in graftport("errors", "shop", "--raw", status=2).stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_everything_fits_the_terminal(graftport: Invoke, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    commands = [("record", "shop", "products", name) for name in ("good", "held", "lost", "bad")]
    for words in (*commands, ("errors", "shop"), ("report", "shop"), ("runs",), ("migrations",)):
        assert max(map(len, graftport(*words).stdout.splitlines())) <= columns, words


def test_pause_and_resume_say_how_it_stands(told: Callable[..., Any], graftport: Invoke) -> None:
    paused = told("pause", "shop", "--reason", "freeze")
    assert list(paused) == ["migration", "paused", "since", "by", "reason"]
    assert (paused["paused"], paused["reason"]) == (True, "freeze")
    assert "freeze" in graftport("run", "shop", status=2).stderr
    assert told("resume", "shop") == {"migration": "shop", "paused": False, "was_paused": True}
    assert graftport("resume", "shop").stdout == "shop was not paused.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "shop", "--live"), "--live goes with --dry-run."),
        (("run", "shop", "--resource-types", "orders"), "shop does not move orders. Its file enables: products."),
        (("run", "shop", "--resource-types", ","), "Name at least one resource type"),
        (("run", "shop", "--phases", "extract,lode"), "There is no phase lode. Did you mean load?"),
        (("run", "shop", "--field-filter", "products=stok"), "Did you mean stock?"),
        (("run", "shop", "--field-filter", "products"), "write for example products=stock,price"),
        (("run", "shop", "--mapping", "7"), "There is no version '7'"),
        (("mapping", "pin", "shop", "products", "7"), "There is no version '7'"),
        (("mapping", "history", "shop", "orders"), "shop does not move orders"),
        (("simulator", "--port", "1"), "Give --port and --state."),
        (("simulator", "--embedded-url"), "There is no embedded simulator in this folder."),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_begins(
    graftport: Invoke, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in graftport(*words, status=2).stderr

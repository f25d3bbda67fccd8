"""k bad rows of n, in every phase, for every cause: the others land, each bad one is named, a retry sends k calls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests

from graftport_dagster.loaders.products import ProductLoader
from graftport_dagster.records import Phase, ResourceType, Result
from graftport_dagster.reports.readiness import readiness
from tests.pipeline.whole_run import MAPPINGS, migration, write_shop

ALL, BAD = 7, ("p00004", "p00005", "p00006")
CREATE = "mutation($input: ProductSetInput!) { productSet(input: $input) { product { id } } }"
DELETE = "mutation($input: ProductDeleteInput!) { productDelete(input: $input) { deletedProductId } }"
PRODUCTS, REDIRECTS = ResourceType.PRODUCTS, ResourceType.REDIRECTS
NOTHING = "Nothing changed since the last attempt: expect the same error"


@dataclass
class Rows:
    """A shop of seven rows of a type, and what goes wrong with three of them until it is mended."""

    shop: Any
    faults_of_ours: pytest.MonkeyPatch
    kind: ResourceType = PRODUCTS

    def mapping(self, old: str = "", new: str = "") -> None:
        path = self.shop.folder / "mappings" / f"{self.kind}.jsonata"
        path.write_text(MAPPINGS[str(self.kind)].replace(old, new), encoding="utf-8")

    def source(self, old: str = "", new: str = "") -> None:
        write_shop(self.shop.folder, products=ALL, redirects=ALL)
        path = self.shop.folder / "products.csv"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def fault(self, fault: str = "", **more: Any) -> None:
        rules = [{"fault": fault, "after": ALL - len(BAD), **more}] if fault else []
        body = {"replace": True, "faults": rules}
        requests.post(f"{self.shop.url}/_simulator/faults", json=body, timeout=10).raise_for_status()

    def ask(self, query: str, variables: Any) -> Any:
        return requests.post(
            f"{self.shop.url}/admin/api/2026-10/graphql.json", json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": "merchant"}, timeout=10,
        ).json()["data"]  # fmt: skip

    def run(self, **options: Any) -> Any:
        return self.shop.run(resource_types=(self.kind,), **options)

    def sent(self) -> int:
        """Calls that may create. What is refused as taken, because an earlier call had made it, is updated as well."""
        answer = requests.get(f"{self.shop.url}/_simulator/requests?after=0", timeout=30).json()
        return sum(request["operation"] in ("productSet", "urlRedirectCreate") for request in answer)

    def ids(self) -> list[str]:
        if self.kind is REDIRECTS:
            return sorted(one["path"].replace("/old-", "p") for one in self.shop.objects("UrlRedirect"))
        return sorted(one["handle"] for one in self.shop.objects("Product") if one["title"] != "Theirs")

    def readiness(self, ran: Any) -> str:
        told = readiness(self.shop.store, self.shop.migration, ran.run, (self.kind,))
        return str(told["sentence"])


# What breaks the three, and what mends them.


def _no_rule(rows: Rows, *, broken: bool) -> None:
    rows.mapping('{"input"', 'sku > "p00003" ? $error("No price is known.") : {"input"') if broken else rows.mapping()


def _not_in_the_schema(rows: Rows, *, broken: bool) -> None:
    word = "SOLD" if broken else "DRAFT"
    rows.mapping('"title": title', f'"title": title, "status": sku > "p00003" ? "{word}" : "DRAFT"')


def _no_result(rows: Rows, *, broken: bool) -> None:
    rows.mapping('{"input"', 'sku <= "p00003" ? {"input"') if broken else rows.mapping()


def _without_end(rows: Rows, *, broken: bool) -> None:
    endless = '($f := function($x) { $f($x + 1) }; sku > "p00003" ? $f(1) : {"input"'
    rows.mapping('{"input"', endless)
    if not broken:
        rows.mapping()
        return
    path = rows.shop.folder / "mappings" / "products.jsonata"
    path.write_text(path.read_text(encoding="utf-8") + ")", encoding="utf-8")


def _handle_taken(rows: Rows, *, broken: bool) -> None:
    if broken:
        for handle in BAD:
            rows.ask(CREATE, {"input": {"title": "Theirs", "handle": handle}})
        return
    for one in rows.shop.objects("Product"):
        if one["title"] == "Theirs":
            rows.ask(DELETE, {"input": {"id": one["id"]}})


def _throttled(rows: Rows, *, broken: bool) -> None:
    rows.fault(*["throttled"] * broken, operation="productSet")


def _no_answer(rows: Rows, *, broken: bool) -> None:
    rows.fault(*["http_503"] * broken, operation="productSet")


def _lost_after_commit(rows: Rows, *, broken: bool) -> None:
    rows.kind = REDIRECTS
    rows.fault(*["hangup_after_commit"] * broken, operation="urlRedirectCreate")


def _waits(rows: Rows, *, broken: bool) -> None:
    wanted = '[$ref("collections", "tents")]' if broken else "[]"
    rows.mapping('"title": title', f'"title": title, "collections": sku > "p00003" ? {wanted} : []')


def _a_fault_of_ours(rows: Rows, *, broken: bool) -> None:
    whole = ProductLoader.call

    def call(loader: ProductLoader, plan: Any) -> Any:
        if plan.record.source_id in BAD:
            raise KeyError("nobody foresaw it")
        return whole(loader, plan)

    if broken:
        rows.faults_of_ours.setattr(ProductLoader, "call", call)
    else:
        rows.faults_of_ours.undo()


Break = Callable[..., None]
# What goes wrong, in which phase it is met, its class and code, and whether the record store can know of the mending.
CAUSES: list[tuple[Break, Phase, str, str, str]] = [
    (_no_rule, Phase.TRANSFORM, "DataError", "D3137", "another mapping"),
    (_not_in_the_schema, Phase.TRANSFORM, "DataError", "", "another mapping"),
    (_no_result, Phase.TRANSFORM, "DataError", "NO_RESULT", "another mapping"),
    (_without_end, Phase.TRANSFORM, "DataError", "D1012", "another mapping"),
    (_handle_taken, Phase.LOAD, "DataError", "ALREADY_THERE", NOTHING),
    (_throttled, Phase.LOAD, "RateLimitError", "THROTTLED", "have passed"),
    (_no_answer, Phase.LOAD, "UnknownOutcomeError", "HTTP_503", "have passed"),
    (_lost_after_commit, Phase.LOAD, "UnknownOutcomeError", "", "have passed"),
    (_waits, Phase.LOAD, "MissingReferenceError", "", "another mapping"),
    (_a_fault_of_ours, Phase.LOAD, "UnexpectedError", "KeyError", NOTHING),
]


@pytest.fixture
def rows(shop: Any) -> Iterator[Rows]:
    write_shop(shop.folder, products=ALL, redirects=ALL)
    one_by_one = migration(shop.folder, shop.url)
    destination = one_by_one.destination.model_copy(
        update={"concurrency": 1, "verify_after_seconds": 0.0, "patience_seconds": 0.2}
    )
    small = replace(shop, migration=one_by_one.model_copy(update={"destination": destination}))
    with pytest.MonkeyPatch.context() as faults_of_ours:
        made = Rows(small, faults_of_ours)
        yield made
    made.fault()


@pytest.mark.parametrize(
    ("cause", "phase", "error_class", "code", "told"),
    [
        # It takes seconds of processor time for each of the three, which is what it is about.
        pytest.param(*one, id=one[0].__name__[1:], marks=[pytest.mark.slow] * (one[0] is _without_end))
        for one in CAUSES
    ],
)
def test_of_n_rows_k_are_set_aside_and_a_retry_sends_k(
    rows: Rows, cause: Break, phase: Phase, error_class: str, code: str, told: str
) -> None:
    cause(rows, broken=True)
    first = rows.run()
    bad = set(BAD) if rows.kind is PRODUCTS else {f"/old-{name[1:]}" for name in BAD}

    # Those that can pass have; those that cannot are named, with class, code, reason and remedy.
    assert first.counts(f"{rows.kind} load")["created"] == ALL - len(BAD)
    assert first.run.result is Result.COMPLETED_WITH_ERRORS
    is_named(rows, bad, phase, error_class, code)

    # Nothing was mended: the same again, and nothing of the others is sent.
    before = rows.shop.writes()
    again = rows.run(phases=(Phase.TRANSFORM, Phase.LOAD), retry="open") if cause is not _lost_after_commit else first
    if phase is Phase.TRANSFORM or error_class in ("MissingReferenceError", "UnexpectedError"):
        assert rows.shop.writes() == before
    if cause is not _lost_after_commit:
        is_named(rows, bad, phase, error_class, code)
    passes = error_class in ("RateLimitError", "UnknownOutcomeError")
    assert (NOTHING in rows.readiness(again)) is not passes

    # Mended: exactly those are sent, once each.
    cause(rows, broken=False)
    assert told in rows.readiness(again)
    before = rows.sent()
    retried = rows.run(phases=(Phase.TRANSFORM, Phase.LOAD), retry="open")
    assert rows.sent() - before == len(BAD)
    assert retried.counts(f"{rows.kind} load")["in_scope"] == len(BAD)
    assert retried.run.result is Result.SUCCEEDED
    assert rows.shop.incomplete() == []
    assert rows.ids() == [f"p{number:05}" for number in range(ALL)]
    assert rows.run().run.result is Result.UNCHANGED


STOPS = {"token_revoked": "InvalidAccessTokenError", "variant_limit": "RateLimitError"}


@pytest.mark.parametrize("fault", STOPS)
def test_what_stops_a_type_leaves_the_rest_pending_and_the_next_run_sends_exactly_that(rows: Rows, fault: str) -> None:
    rows.fault(fault, operation="productSet")
    first = rows.run()
    items = rows.shop.store.runs.items(first.run.run_id)
    stopped = next(item for item in items if item.phase is Phase.LOAD)
    assert str(stopped.error_class) == STOPS[fault]
    assert stopped.first_error
    assert stopped.counts["created"] == ALL - len(BAD)
    assert stopped.counts["errored"] + stopped.counts["not_reached"] == len(BAD)

    rows.fault()
    restored = {"restore": "anything"}
    requests.post(f"{rows.shop.url}/_simulator/revoke", json=restored, timeout=10).raise_for_status()
    before = rows.sent()
    again = rows.run()
    assert rows.sent() - before == len(BAD)
    assert again.run.result is Result.SUCCEEDED
    assert rows.shop.incomplete() == []
    assert rows.ids() == [f"p{number:05}" for number in range(ALL)]


def is_named(rows: Rows, bad: set[str], phase: Phase, error_class: str, code: str) -> None:
    found = rows.shop.incomplete()
    assert {row["source_id"] for row in found} == bad
    for row in found:
        assert (row["phase"], row["error_class"]) == (str(phase), error_class), row
        assert row["code"] == code or (not code and row["code"]), row
        assert row["message"], row
        assert row["hint"], row


BROKEN_ROWS = {
    "no id": ("p00005,", ",", "NO_ID"),
    "the same id twice": ("p00005,", "p00004,", "DUPLICATE_ID"),
    "too many cells": ("p00005,", "p00005,one more,", ""),
}


@pytest.mark.parametrize(("old", "new", "code"), BROKEN_ROWS.values(), ids=list(BROKEN_ROWS))
def test_a_row_that_is_no_record_is_named_and_its_mending_sends_one_call(
    rows: Rows, old: str, new: str, code: str
) -> None:
    rows.source(old, new)
    first = rows.run()
    counts = first.counts("products extract")
    assert (counts["rows_read"], counts["rows_invalid"], counts["rows_in_records"]) == (ALL, 1, ALL - 1)
    assert first.counts("products load")["created"] == ALL - 1
    (error,) = rows.shop.store.source_records.extract_errors("shop", PRODUCTS)
    assert error["code"] == code or not code
    assert "products.csv" in error["origin"]
    assert error["reason"]
    assert error["hint"]
    (group,) = first.items["products extract"].error_groups
    assert str(group.error_class) == "DataError"

    again = rows.run()
    assert again.counts("products extract")["rows_invalid"] == 1
    rows.source()
    before = rows.shop.writes()
    mended = rows.run()
    assert rows.shop.writes() - before == 1
    assert mended.run.result is Result.SUCCEEDED
    assert rows.ids() == [f"p{number:05}" for number in range(ALL)]
    assert rows.shop.store.source_records.extract_errors("shop", PRODUCTS) == []

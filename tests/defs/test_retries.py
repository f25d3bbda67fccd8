"""Retries of incomplete records, whoever asks for them: each row is claimed and sent once more, and nothing else is."""

import json
import threading
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import requests
from click.testing import CliRunner

from graftport_dagster.cli import main
from graftport_dagster.records import Phase, ResourceType, Run, RunOptions
from graftport_dagster.store.record_store import Which

REDIRECTS = ResourceType.REDIRECTS
CREATE = "mutation($r: UrlRedirectInput!) { urlRedirectCreate(urlRedirect: $r) { urlRedirect { id } } }"
DELETE = "mutation($id: ID!) { urlRedirectDelete(id: $id) { deletedUrlRedirectId } }"


def graphql(project: Any, query: str, **variables: Any) -> Any:
    answer = requests.post(
        f"{project.url}/admin/api/2026-10/graphql.json", json={"query": query, "variables": variables}, timeout=10,
        headers={"X-Shopify-Access-Token": "merchant"},
    )  # fmt: skip
    answer.raise_for_status()
    return answer.json()["data"]


def occupy(project: Any, *paths: str) -> list[str]:
    """A merchant makes redirects by hand, so that ours are refused; their ids."""
    made = [graphql(project, CREATE, r={"path": path, "target": "/"}) for path in paths]
    return [one["urlRedirectCreate"]["urlRedirect"]["id"] for one in made]


def writes(project: Any) -> int:
    asked = requests.get(f"{project.url}/_simulator/requests", params={"after": 0}, timeout=10).json()
    return sum(1 for request in asked if request["writes"])


@pytest.fixture
def refused(project: Any) -> Any:
    """Five redirects, of which two were refused; the paths are free again now."""
    rows = "".join(f"/old-{number},/new-{number}\n" for number in range(5))
    project.write("redirects.csv", f"path,target\n{rows}")
    there = occupy(project, "/old-1", "/old-3")
    project.run("migrate_one", "redirects")
    for gid in there:
        graphql(project, DELETE, id=gid)
    return project


def ask(*words: str, status: int = 0) -> Any:
    result = CliRunner().invoke(main, [*words, "--json"])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def test_what_is_open_is_listed_and_shown_whole(refused: Any) -> None:
    listed = ask("incomplete", "list", "shop")
    assert [(row["source_id"], row["status"], row["code"]) for row in listed["incomplete"]] == [
        ("/old-1", "unresolved", "ALREADY_THERE"), ("/old-3", "unresolved", "ALREADY_THERE"),
    ]  # fmt: skip
    (shown,) = ask("incomplete", "show", "shop", "/old-1")["incomplete"]
    assert shown["source_payload"] == {"path": "/old-1", "target": "/new-1"}
    assert shown["payload"]["input"] == {"path": "/old-1", "target": "/new-1"}
    assert [(one["phase"], one["outcome"]) for one in shown["attempts"]] == [
        ("transform", "staged"),
        ("load", "errored"),
    ]
    assert CliRunner().invoke(main, ["incomplete", "show", "shop", "--all"]).exit_code == 0
    assert CliRunner().invoke(main, ["incomplete", "list", "shop"]).exit_code == 0


def test_a_retry_in_dagster_sends_exactly_the_refused_rows(refused: Any) -> None:
    before = writes(refused)
    done = refused.run("load", "redirects", retry="open", phases=(Phase.LOAD,), actor="ann", reason="mended by hand")
    assert done.success
    assert writes(refused) - before == 2
    counts = refused.items(done.run_id)["redirects load"].counts
    assert (counts["in_scope"], counts["created"]) == (2, 2)
    with refused.store() as store:
        assert store.incomplete.open("shop") == []
        (attempt,) = [
            one for one in store.story("shop", REDIRECTS, "/old-1")["attempts"] if one["outcome"] == "created"
        ]
    assert (attempt["actor"], attempt["asked_because"]) == ("ann", "mended by hand")


@pytest.mark.parametrize(
    ("options", "sent"),
    [({"source_ids": ("/old-3",)}, ["/old-3"]), ({"except_ids": ("/old-3",)}, ["/old-1"]),
     ({"error_group": "DataError:ALREADY_THERE"}, ["/old-1", "/old-3"]), ({"error_group": "TAKEN"}, [])],
)  # fmt: skip
def test_a_retry_takes_what_it_was_told_to_and_nothing_else(refused: Any, options: Any, sent: list[str]) -> None:
    done = refused.run("load", "redirects", retry="open", phases=(Phase.LOAD,), **options)
    counts = refused.items(done.run_id)["redirects load"].counts
    assert (counts["in_scope"], counts["created"]) == (len(sent), len(sent))
    assert refused.result(done.run_id) == ("succeeded" if sent else "unchanged")


def test_a_mapping_fix_resolves_them_in_the_retry(project: Any) -> None:
    project.write("redirects.csv", "path,target\n/old-1,/new-1\n/old-2,/new-2\n")
    project.write(
        "mappings/redirects.jsonata", 'path = "/old-1" ? $error("no") : {"input": {"path": path, "target": target}}'
    )
    project.run("migrate_one", "redirects")
    project.write("mappings/redirects.jsonata", '{"input": {"path": path, "target": target}}')
    before = writes(project)
    done = project.run("migrate_one", "redirects", retry="open")
    assert done.success
    assert writes(project) - before == 1
    assert project.items(done.run_id)["redirects transform"].counts["in_scope"] == 1


def test_what_another_run_has_claimed_is_left_to_it_and_named(refused: Any) -> None:
    with refused.store() as store:
        other = store.runs.start(Run("other-run", "shop", RunOptions()))
        assert store.incomplete.claim(other) == 2
    before = writes(refused)
    done = refused.run("load", "redirects", retry="open", phases=(Phase.LOAD,))
    assert refused.result(done.run_id) == "unchanged"
    assert writes(refused) == before
    told = ask("incomplete", "retry", "shop", "--all", status=2)
    assert "run other-run has claimed it" in told["errors"][0]["messages"][0]
    told = ask("incomplete", "discard", "shop", "--all", "--reason", "no")
    assert (told["discarded"], told["in_progress"]) == (0, 2)


def test_a_materialization_in_the_ui_claims_what_is_open_while_it_goes_on(refused: Any) -> None:
    slow = {"fault": "slow", "operation": "urlRedirectCreate", "milliseconds": 500}
    requests.post(f"{refused.url}/_simulator/faults", json={"replace": True, "faults": [slow]}, timeout=10)
    seen: list[tuple[int, int]] = []
    over = threading.Event()

    def look() -> None:
        with refused.store() as store:
            while not over.wait(0.05):
                rows = store.incomplete.open("shop")
                claimed = [row for row in rows if row["status"] == "in_progress"]
                late = store.runs.start(Run("second-click", "shop", RunOptions(retry="open")))
                seen.append((len(claimed), store.incomplete.claim(late) if len(claimed) == 2 else 0))

    watcher = threading.Thread(target=look)
    watcher.start()
    # What the UI launches is Dagster's own job over the selected assets.
    done = refused.definitions().resolve_implicit_global_asset_job_def().execute_in_process(
        instance=refused.instance, partition_key="redirects", raise_on_error=False,
        asset_selection=[dg.AssetKey(["shop", "shopify_loads"])],
    )  # fmt: skip
    over.set()
    watcher.join()
    requests.post(f"{refused.url}/_simulator/faults", json={"replace": True, "faults": []}, timeout=10)
    assert done.success
    assert (2, 0) in seen
    assert all(taken == 0 for _, taken in seen)
    with refused.store() as store:
        assert store.incomplete.open("shop") == []


def test_a_run_asked_for_before_the_last_failure_does_not_try_it_again(refused: Any) -> None:
    with refused.store() as store:
        (first, *_) = store.incomplete.open("shop")
        early = store.runs.start(Run("early", "shop", RunOptions(retry="open")))
        failed_at = datetime.fromisoformat(first["failed_at"])
        assert store.incomplete.claim(early, asked_at=failed_at - timedelta(seconds=1)) == 0
        assert store.incomplete.claim(early, asked_at=failed_at + timedelta(seconds=5)) == 2


def test_given_up_records_are_not_tried_until_their_payload_changes(refused: Any) -> None:
    told = ask("incomplete", "discard", "shop", "/old-1", "--reason", "the old page is gone")
    assert told["discarded"] == 1
    before = writes(refused)
    done = refused.run("migrate_one", "redirects")
    assert writes(refused) - before == 1
    assert refused.items(done.run_id)["redirects load"].counts["discarded"] == 1
    refused.write("redirects.csv", "path,target\n/old-1,/newer\n")
    changed = refused.run("migrate_one", "redirects")
    assert refused.items(changed.run_id)["redirects load"].counts["created"] == 1


def test_a_record_given_up_in_transform_is_left_out_until_it_changes(project: Any) -> None:
    project.write("products.csv", "sku,title,price,collection\nA1,Tarp,10.00,\nA2,BAD,20.00,\n")
    project.run("migrate_one", "products")
    ask("incomplete", "discard", "shop", "A2", "--reason", "discontinued")
    done = project.run("migrate_one", "products")
    assert done.success
    transformed = project.items(done.run_id)["products transform"]
    assert transformed.counts["excluded"] == 1
    assert transformed.first_skip_reason == "given up: discontinued"
    with project.store() as store:
        assert store.incomplete.open("shop") == []


def test_a_newer_version_of_a_row_supersedes_its_stale_retry(refused: Any) -> None:
    refused.write("redirects.csv", "path,target\n/old-1,/newer\n/old-3,/new-3\n")
    refused.run("extract", "redirects")
    refused.run("transform", "redirects")
    with refused.store() as store:
        assert [row["source_id"] for row in store.incomplete.open("shop")] == ["/old-3"]
    done = refused.run("load", "redirects")
    assert refused.items(done.run_id)["redirects load"].counts["created"] == 2
    assert {one["path"]: one["target"] for one in refused.objects("UrlRedirect")}["/old-1"] == "/newer"


@pytest.mark.parametrize(
    ("words", "field"),
    [(["retry", "shop"], ""), (["retry", "shop", "/old-9"], "ids"), (["show", "shop", "--group", "NOTHING"], "ids"),
     (["discard", "shop", "--all"], "reason"), (["retry", "shop", "/old-1", "--all"], ""),
     (["retry", "shop", "/old-1", "--except", "/old-3"], "")],
)  # fmt: skip
def test_refusals_name_their_field(refused: Any, words: list[str], field: str) -> None:
    (error,) = ask("incomplete", *words, status=2)["errors"]
    assert error["field"] == field
    with refused.store() as store:
        assert len(store.incomplete.open("shop", Which())) == 2

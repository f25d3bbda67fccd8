"""Bulk operations: the same records end as by calls, whatever becomes of the operation, its file or its answers."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from graftport_dagster.errors import CredentialsError
from graftport_dagster.loaders.bulk_operation import Limits, limits_for
from graftport_dagster.loaders.registry import loader_for
from graftport_dagster.records import ResourceType
from graftport_dagster.store.record_store import RecordStore
from tests.loaders.test_customers import consent, customer

COLLECTIONS, CUSTOMERS, PRODUCTS = ResourceType.COLLECTIONS, ResourceType.CUSTOMERS, ResourceType.PRODUCTS
World = Any
Make = Callable[..., dict[str, Any]]
ALL = Limits(fewest=1)
RUN = "bulkOperationRunMutation"


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def operations(world: World) -> int:
    return sum(name == RUN for name in world.calls())


def shop_of(world: World) -> str:
    return str(requests.get(f"{world.url}/_simulator/", timeout=9).json()["shop"])


def open_bulks(world: World) -> int:
    return sum(len(world.store.loads.open_bulks("shop", shop_of(world), kind)) for kind in (PRODUCTS, CUSTOMERS))


# --- the same, both ways -----------------------------------------------------------


def _bare(value: Any) -> str:
    """As text, without ids and moments."""
    text = json.dumps(value, sort_keys=True, default=str)
    text = re.sub(r"gid://shopify/(\w+)/\d+", r"\1", text)
    return re.sub(r"20\d\d-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "then", text)


def _of_record(world: World, kind: ResourceType, source_id: str) -> Any:
    story = world.story(kind, source_id)
    attempts = [
        {name: one[name] for name in ("outcome", "error_class", "code", "path", "message", "hint", "reason")}
        for one in story["attempts"]
    ]
    landed = [
        {
            "groups": (place["landed"] or {}).get("group_hashes"), "whole": (place["landed"] or {}).get("landed_hash"),
            "parts": sorted((part["part"], part["part_id"]) for part in place["parts"]), "handle": place["handle"],
            "steps": [(step["step"], step["state"]) for step in place["steps"]], "snapshot": place.get("snapshot"),
        }
        for place in story["stores"]
    ]  # fmt: skip
    return _bare([attempts, landed, [one["status"] for one in story["incomplete"]]])


def _in_shop(world: World) -> dict[str, list[str]]:
    own = ("createdAt", "updatedAt", "publishedAt")
    return {
        kind: sorted(_bare({k: v for k, v in one.items() if k not in own}) for one in world.objects(kind))
        for kind in ("Product", "Customer")
    }


def _products(make_product: Make, reference: Make) -> dict[str, Any]:
    """Every kind of end that a product meets, by source id."""
    files = [{"originalSource": f"https://example.com/{name}.jpg", "alt": name} for name in "ab"]
    odd = make_product("Odd")
    odd["input"]["variants"][1]["optionValues"][0]["name"] = "S"
    broad = make_product("Broad")
    names = [f"N{n}" for n in range(120)]
    broad["input"] |= {
        "productOptions": [{"name": "Size", "values": [{"name": name} for name in names]}],
        "variants": [{"optionValues": [{"optionName": "Size", "name": name}], "price": "1.00"} for name in names],
    }
    return {
        "plain": make_product("Plain"), "files": make_product("Files", files=files), "broad": broad, "odd": odd,
        "refused": make_product("Refused", vendor="v" * 300), "occupied": make_product("Occupied"),
        "held": make_product("Held", collections=[reference("collections", "never")]),
        "nothing": make_product("Nothing") | {"publications": []},
        "tagged": make_product("Tagged", tags=["a"], metafields=[
            {"namespace": "custom", "key": "xy", "type": "single_line_text_field", "value": "y"}]),
    }  # fmt: skip


def _life_of_products(world: World, make_product: Make, reference: Make, limits: Limits | None) -> list[Any]:
    taken = {"title": "Theirs", "handle": "occupied"}
    world.graphql(
        "mutation($i: ProductSetInput!) { productSet(input: $i) { product { id } userErrors { message } } }", i=taken
    )
    payloads = _products(make_product, reference)
    told: list[Any] = []

    def load(**options: Any) -> None:
        world.stage(PRODUCTS, payloads)
        told.append(outcomes(world.load(PRODUCTS, by_bulk=limits, **options)))
        told.append({one: _of_record(world, PRODUCTS, one) for one in payloads})
        told.append(_in_shop(world))

    load()
    gids = {one["handle"]: one for one in world.objects("Product")}
    # A variant, and a whole product, that somebody deleted in Shopify; and a title that somebody edited.
    deleted = {"id": gids["plain"]["variants"][0]["id"], "delete": True}
    requests.post(f"{world.url}/_simulator/edit", json=deleted, timeout=10).raise_for_status()
    world.graphql(
        "mutation($i: ProductDeleteInput!) { productDelete(input: $i) { userErrors { message } } }",
        i={"id": gids["nothing"]["id"]},
    )
    world.edit(gids["tagged"]["id"], title="By hand")
    for one in ("plain", "files", "nothing", "tagged", "broad"):
        payloads[one]["input"]["vendor"] = "New"
    payloads["refused"]["input"]["vendor"] = "Short"
    payloads["late"] = make_product("Late")
    load()
    payloads["files"]["input"] |= {"tags": ["z"], "vendor": "Other"}
    load(field_filter={"products": ("tags",)})
    world.options(adopt_existing="by_natural_key")
    load()
    load(only_dirty=False)
    return told


def test_products_end_alike_by_calls_and_by_bulk(
    world: World, other_world: World, make_product: Make, reference: Make
) -> None:
    by_calls = _life_of_products(world, make_product, reference, None)
    requests.post(f"{world.url}/_simulator/reset", timeout=10).raise_for_status()
    by_bulk = _life_of_products(other_world, make_product, reference, ALL)
    assert operations(other_world) >= 4
    assert by_calls[0] == {"created": 5, "held": 1, "errored": 3}
    assert by_bulk == by_calls


def _life_of_customers(world: World, limits: Limits | None) -> list[Any]:
    world.graphql(
        "mutation($i: CustomerSetInput!) { customerSet(input: $i) { customer { id } userErrors { message } } }",
        i={"email": "ada8@example.com"},
    )
    payloads = {f"c{n}": customer(n) for n in range(5)}
    payloads |= {
        "taken": customer(8), "bad": customer(6, email="nonsense"), "bare": customer(7, addresses=[], parts={}),
        "silent": customer(9, emailMarketingConsent=consent("NOT_SUBSCRIBED")),
    }  # fmt: skip
    told: list[Any] = []

    def load(**options: Any) -> None:
        world.stage(CUSTOMERS, payloads)
        told.append(outcomes(world.load(CUSTOMERS, by_bulk=limits, **options)))
        told.append({one: _of_record(world, CUSTOMERS, one) for one in payloads})
        told.append(_in_shop(world))

    load()
    payloads["c1"]["input"]["note"] = "new"
    payloads["c2"]["input"]["addresses"].pop()
    payloads["c2"]["parts"] = {"address": ["a1"]}
    payloads["c3"]["emailMarketingConsent"] = consent("UNSUBSCRIBED", "2025-01-01T00:00:00Z")
    payloads["bad"]["input"]["email"] = "good@example.com"
    load()
    world.options(adopt_existing="by_natural_key")
    load()
    return told


def test_customers_end_alike_by_calls_and_by_bulk(world: World, other_world: World) -> None:
    by_calls = _life_of_customers(world, None)
    requests.post(f"{world.url}/_simulator/reset", timeout=10).raise_for_status()
    by_bulk = _life_of_customers(other_world, ALL)
    assert operations(other_world) >= 2
    assert by_calls[0] == {"created": 7, "errored": 2}
    assert by_bulk == by_calls


@pytest.fixture
def other_world(world: World, tmp_path: Path) -> Iterator[World]:
    """The same shop from an empty record store."""
    with RecordStore.open(f"sqlite:///{tmp_path}/other.db") as store:
        yield replace(world, store=store)


# --- how much goes, and how ----------------------------------------------------------


def test_many_products_take_a_few_calls_and_next_to_no_points(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n:03}": make_product(f"Product {n}") for n in range(120)})
    tally = world.load(PRODUCTS, by_bulk=Limits(fewest=20, lines=50))
    assert outcomes(tally) == {"created": 120}
    assert (tally.in_bulk, tally.operations) == (120, 3)
    assert "productSet" not in world.calls()
    assert sum(name.startswith("publishablePublish") for name in world.calls()) == 3
    assert len({one["handle"] for one in world.objects("Product")}) == len(world.objects("Product")) == 120
    assert outcomes(world.load(PRODUCTS, by_bulk=ALL)) == {}
    assert open_bulks(world) == 0


def test_what_is_left_over_of_full_files_is_called(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n:03}": make_product(f"Product {n}") for n in range(13)})
    tally = world.load(PRODUCTS, by_bulk=Limits(fewest=5, lines=10))
    assert (outcomes(tally), tally.in_bulk) == ({"created": 13}, 10)
    assert world.calls().count("productSet") == 3


def test_a_file_is_no_larger_than_it_may_be(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n}": make_product(f"Product {n}", descriptionHtml="x" * 4000) for n in range(10)}
                | {"huge": make_product("Huge", descriptionHtml="x" * 20_000)})  # fmt: skip
    tally = world.load(PRODUCTS, by_bulk=Limits(fewest=1, size=16_000))
    assert outcomes(tally) == {"created": 11}
    assert tally.operations >= 4
    assert world.calls().count("productSet") == 1


@pytest.mark.parametrize(
    ("threshold", "pending", "kind", "goes"),
    [(1000, 1000, PRODUCTS, True), (1000, 999, PRODUCTS, False), (0, 10**6, PRODUCTS, False),
     (1, 1, CUSTOMERS, True), (1, 10**6, COLLECTIONS, False)],
)  # fmt: skip
def test_the_migration_says_from_how_many_on(
    world: World, threshold: int, pending: int, kind: ResourceType, goes: bool
) -> None:
    world.options(bulk_threshold=threshold)
    assert (limits_for(loader_for(kind), world.migration, pending) is not None) is goes


# --- what may happen to an operation ----------------------------------------------------


def many(make_product: Make, count: int = 30) -> dict[str, Any]:
    """So many good products with a file each, and one that Shopify refuses."""
    files = [{"originalSource": "https://example.com/a.jpg"}]
    return {f"p{n:03}": make_product(f"Product {n}", files=files) for n in range(count)} | {
        "refused": make_product("Refused", vendor="v" * 300)
    }


def decides_soon(world: World) -> None:
    destination = world.migration.destination.model_copy(update={"verify_after_seconds": 0.4})
    world.migration = world.migration.model_copy(update={"destination": destination})


def each_is_there_once(world: World, count: int = 30) -> None:
    found = world.objects("Product")
    assert sorted(one["handle"] for one in found) == sorted(f"product-{n}" for n in range(count))
    assert all(len(one["publications"]) == 1 and len(one["files"]) == 1 for one in found)
    assert len(world.objects("MediaImage")) == count
    assert open_bulks(world) == 0


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (RUN, {"fault": "hangup_after_commit"}),
        (RUN, {"fault": "hangup_before_commit"}),
        (RUN, {"fault": "commit_after_hangup", "seconds": 0.2}),
        (RUN, {"fault": "http_502"}),
        (RUN, {"fault": "truncated_json"}),
        ("productSet", {"fault": "bulk_failed", "lines": 7}),
        ("productSet", {"fault": "bulk_failed", "lines": 7, "partial": False, "error_code": "TIMEOUT"}),
        ("productSet", {"fault": "bulk_failed", "error_code": "ACCESS_DENIED"}),
        ("productSet", {"fault": "bulk_expired"}),
        ("productSet", {"fault": "bulk_lines_missing", "lines": 5}),
        ("resultFile", {"fault": "http_503", "times": 2}),
        ("resultFile", {"fault": "truncated_json"}),
        ("resultFile", {"fault": "hangup_midway"}),
        ("stagedUpload", {"fault": "http_500", "times": 2}),
        ("stagedUpload", {"fault": "hangup_before_commit", "times": 99}),
        ("bulkOperation", {"fault": "http_502", "times": 2}),
        ("bulkOperation", {"fault": "throttled", "times": 2}),
        ("stagedUploadsCreate", {"fault": "hangup_after_commit"}),
    ],
    ids=lambda it: it if isinstance(it, str) else "-".join(map(str, it.values())),
)
def test_one_load_ends_well_whatever_becomes_of_the_operation(
    world: World, make_product: Make, operation: str, fault: dict[str, Any]
) -> None:
    decides_soon(world)
    world.stage(PRODUCTS, many(make_product))
    requests.post(f"{world.url}/_simulator/faults", json={"times": 1, **fault, "operation": operation}, timeout=9)
    assert outcomes(world.load(PRODUCTS, by_bulk=ALL)) == {"created": 30, "errored": 1}
    each_is_there_once(world)
    assert requests.get(f"{world.url}/_simulator/faults", timeout=9).json()["rules"][0]["happened"] > 0
    world.calm()
    assert outcomes(world.load(PRODUCTS, by_bulk=ALL)) == {"errored": 1}
    each_is_there_once(world)


def test_an_answer_that_was_lost_is_found_by_the_operation_that_it_named(world: World, make_product: Make) -> None:
    decides_soon(world)
    world.stage(PRODUCTS, many(make_product))
    world.fault("hangup_after_commit", RUN)
    tally = world.load(PRODUCTS, by_bulk=ALL)
    assert (tally.in_bulk, operations(world)) == (31, 1)


def test_while_others_keep_shopify_busy_records_are_called(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, many(make_product))
    world.fault("bulk_slow", "productUpdate", times=5, milliseconds=60_000)
    mutation = "mutation($product: ProductUpdateInput!) { productUpdate(product: $product) { userErrors { message } } }"
    for _ in range(5):
        given = {"resource": "BULK_MUTATION_VARIABLES", "filename": "v", "mimeType": "text/jsonl", "httpMethod": "POST"}
        (target,) = world.graphql(
            "mutation($i: [StagedUploadInput!]!) { stagedUploadsCreate(input: $i) { stagedTargets { url parameters "
            "{ name value } } userErrors { message } } }", i=[given],
        )["stagedUploadsCreate"]["stagedTargets"]  # fmt: skip
        fields = {it["name"]: it["value"] for it in target["parameters"]}
        lines = b'{"product": {}}\n' * 2
        requests.post(target["url"], data=fields, files={"file": ("v", lines)}, timeout=9).raise_for_status()
        begun = world.graphql(
            "mutation($m: String!, $p: String!) { bulkOperationRunMutation(mutation: $m, stagedUploadPath: $p) "
            "{ userErrors { message } } }", m=mutation, p=fields["key"],
        )  # fmt: skip
        assert begun["bulkOperationRunMutation"]["userErrors"] == []
    tally = world.load(PRODUCTS, by_bulk=ALL)
    assert (outcomes(tally), tally.in_bulk) == ({"created": 30, "errored": 1}, 0)
    each_is_there_once(world)


def test_a_revoked_token_stops_the_load_and_marks_no_record(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, many(make_product))
    world.fault("token_revoked", "bulkOperation")
    tally = world.load(PRODUCTS, by_bulk=ALL)
    assert isinstance(tally.fatal, CredentialsError)
    assert (outcomes(tally), world.incomplete()) == ({}, [])
    world.restore()
    tally = world.load(PRODUCTS, by_bulk=ALL)
    assert outcomes(tally) == {"created": 30, "errored": 1}
    # What the first one had begun was read, and the one refused alone was sent again.
    assert tally.in_bulk == 1
    each_is_there_once(world)


def test_a_stop_cancels_the_operation_and_keeps_what_it_did(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {one: {**payload, "publications": []} for one, payload in many(make_product).items()})
    world.fault("bulk_slow", "productSet", milliseconds=40)
    tally = world.load(PRODUCTS, by_bulk=ALL, should_stop=lambda: len(world.objects("Product")) >= 5, stops_calls=True)
    told = outcomes(tally)
    assert tally.fatal is None
    assert "bulkOperationCancel" in world.calls()
    assert told["created"] >= 5
    assert told["created"] == len(world.objects("Product"))
    # Whether a line without an answer was sent is not known.
    assert set(told) <= {"created", "errored", "unknown"}
    assert sum(told.values()) == 31
    assert open_bulks(world) == 0
    assert sum(outcomes(world.load(PRODUCTS, by_bulk=ALL)).values()) >= 31 - told["created"]
    found = [one["handle"] for one in world.objects("Product")]
    assert sorted(found) == sorted(f"product-{n}" for n in range(30))


def test_a_stop_before_the_operation_begins_leaves_nothing_behind(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, many(make_product))

    def is_uploading() -> bool:
        return "stagedUploadsCreate" in world.calls()

    tally = world.load(PRODUCTS, by_bulk=ALL, should_stop=is_uploading, stops_calls=True)
    assert (outcomes(tally), tally.fatal) == ({}, None)
    assert RUN not in world.calls()
    assert open_bulks(world) == 0
    assert world.store.loads.open_steps("shop", shop_of(world), PRODUCTS) == []
    assert outcomes(world.load(PRODUCTS, by_bulk=ALL)) == {"created": 30, "errored": 1}
    each_is_there_once(world)


def test_a_newer_payload_is_sent_only_when_the_older_operation_has_ended(world: World, make_product: Make) -> None:
    payloads = many(make_product)
    world.stage(PRODUCTS, payloads)
    world.fault("bulk_slow", "productSet", milliseconds=25)
    # The first load loses sight of its operation, which goes on.
    world.fault("token_revoked", "bulkOperation")
    world.load(PRODUCTS, by_bulk=ALL)
    world.restore()
    assert open_bulks(world) > 0
    for payload in payloads.values():
        payload["input"]["title"] += " again"
    payloads["refused"]["input"]["vendor"] = "Short"
    world.stage(PRODUCTS, payloads)
    assert outcomes(world.load(PRODUCTS)) == {"created": 31}
    assert open_bulks(world) == 0
    assert all(one["title"].endswith(" again") for one in world.objects("Product"))
    assert len(world.objects("Product")) == 31

"""What happens between runs: answers lost while payloads change, objects and parts deleted, records half done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import requests

from graftport_dagster.errors import LeaseLostError
from graftport_dagster.records import Outcome, ResourceType
from graftport_dagster.store.record_store import Lease

COLLECTIONS, PRODUCTS, REDIRECTS = ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS
World = Any
Make = Callable[..., dict[str, Any]]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def collection(title: str) -> dict[str, Any]:
    return {"input": {"title": title, "handle": "c"}, "publications": ["Online Store"]}


def redirect(target: str) -> dict[str, Any]:
    return {"input": {"path": "/old.html", "target": target}}


def delete(world: World) -> None:
    """A merchant deletes the one product."""
    mutation = "mutation($input: ProductDeleteInput!) { productDelete(input: $input) { deletedProductId } }"
    world.graphql(mutation, input={"id": world.objects("Product")[0]["id"]})


def test_what_an_earlier_payload_made_is_brought_to_the_later_one(world: World) -> None:
    world.stage(COLLECTIONS, {"c": collection("Old")})
    world.fault("hangup_after_commit", "collectionCreate")
    assert outcomes(world.load(COLLECTIONS)) == {"unknown": 1}
    world.stage(COLLECTIONS, {"c": collection("New")})
    world.fault("token_revoked", "collectionByIdentifier")
    assert world.load(COLLECTIONS).fatal is not None
    requests.post(f"{world.url}/_simulator/revoke", json={"restore": "secret"}, timeout=10)
    assert outcomes(world.load(COLLECTIONS)) == {"created": 1}
    assert [item["title"] for item in world.objects("Collection")] == ["New"]


def test_looking_too_early_does_not_put_the_decision_off(world: World) -> None:
    world.stage(COLLECTIONS, {"c": collection("C")})
    world.fault("hangup_before_commit", "collectionCreate")
    world.load(COLLECTIONS)
    before = world.incomplete()[0]["hint"]
    world.clock.ahead = timedelta(seconds=40)
    assert outcomes(world.load(COLLECTIONS)) == {"unknown": 1}
    steps = world.store.loads.open_steps(
        "shop", requests.get(f"{world.url}/_simulator/", timeout=10).json()["shop"], COLLECTIONS
    )
    assert steps[0].payload_hash
    world.clock.ahead = timedelta(seconds=61)
    assert outcomes(world.load(COLLECTIONS)) == {"created": 1}, before


def test_a_redirect_without_answer_is_still_ours_after_a_run_that_could_not_ask(world: World) -> None:
    world.stage(REDIRECTS, {"/old.html": redirect("/new")})
    world.fault("hangup_after_commit", "urlRedirectCreate")
    assert outcomes(world.load(REDIRECTS)) == {"unknown": 1}
    world.patience_seconds = 0.1
    world.fault("throttled", "urlRedirectCreate", times=None)
    assert outcomes(world.load(REDIRECTS)) == {"errored": 1}
    world.calm()
    assert outcomes(world.load(REDIRECTS)) == {"created": 1}
    assert len(world.objects("UrlRedirect")) == 1


def test_a_call_that_a_stop_kept_from_being_sent_is_no_error_of_its_record(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n}": make_product(f"P {n}") for n in range(4)})
    world.fault("throttled", "productSet", times=None)
    asked = iter(range(1000))
    tally = world.load(PRODUCTS, should_stop=lambda: next(asked) > 2, stops_calls=True)
    assert outcomes(tally) == {}
    assert world.incomplete() == []
    world.calm()
    assert outcomes(world.load(PRODUCTS)) == {"created": 4}


def test_an_object_found_gone_by_a_load_of_everything_is_created_by_the_next_plain_run(
    world: World, make_product: Make
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    delete(world)
    assert outcomes(world.load(PRODUCTS, only_dirty=False)) == {"errored": 1}
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    assert world.incomplete() == []


def test_what_was_deleted_in_shopify_is_created_whole_by_any_load(world: World, make_product: Make) -> None:
    for options in ({"field_filter": {"products": ("price",)}}, {"conflict_strategy": "skip"}):
        world.stage(PRODUCTS, {"p": make_product("P", price="1.00")})
        world.load(PRODUCTS)
        delete(world)
        world.stage(PRODUCTS, {"p": make_product("P", price="2.00")})
        assert outcomes(world.load(PRODUCTS)) == {"errored": 1}
        assert outcomes(world.load(PRODUCTS, **options)) == {"created": 1}
        (item,) = world.objects("Product")
        assert item["title"] == "P"
        assert [variant["sku"] for variant in item["variants"]] == ["p-S", "p-M"]


def test_a_product_deleted_before_it_was_published_is_created_by_the_next_run(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.fault("internal_error", "publishablePublish", times=None)
    world.patience_seconds = 0.1
    assert outcomes(world.load(PRODUCTS)) == {"unknown": 1}
    world.calm()
    delete(world)
    assert outcomes(world.load(PRODUCTS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "GONE"
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    assert world.incomplete() == []


def test_a_record_that_was_not_published_resumes_there(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.fault("internal_error", "publishablePublish", times=None)
    world.patience_seconds = 0.1
    assert outcomes(world.load(PRODUCTS)) == {"unknown": 1}
    world.calm()
    sets = [call for call in world.writes() if call["operation"] == "productSet"]
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    assert [call for call in world.writes() if call["operation"] == "productSet"] == sets
    assert len(world.objects("Product")[0]["publications"]) == 1


def test_a_filtered_update_that_was_not_published_is_not_taken_for_the_whole(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", price="7.00", status="ACTIVE")})
    world.fault("internal_error", "publishablePublish", times=None)
    world.patience_seconds = 0.1
    assert outcomes(world.load(PRODUCTS, field_filter={"products": ("status",)})) == {"unknown": 1}
    world.calm()
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert {variant["price"] for variant in world.objects("Product")[0]["variants"]} == {"7.00"}


def test_a_payload_that_comes_back_before_the_other_was_published_is_sent_again(
    world: World, make_product: Make
) -> None:
    world.patience_seconds = 0.1
    first, other = make_product("P", price="1.00"), make_product("P", price="2.00")
    for payload in (first, other):
        world.stage(PRODUCTS, {"p": payload})
        world.fault("internal_error", "publishablePublish", times=None)
        assert outcomes(world.load(PRODUCTS)) == {"unknown": 1}
        world.calm()
    world.stage(PRODUCTS, {"p": first})
    world.load(PRODUCTS)
    assert {variant["price"] for variant in world.objects("Product")[0]["variants"]} == {"1.00"}


def test_a_filtered_update_names_variants_as_the_whole_record_does(world: World, make_product: Make) -> None:
    note = {"namespace": "custom", "key": "note", "type": "single_line_text_field", "value": "kept"}
    payload = make_product("P")
    for variant in payload["input"]["variants"]:
        variant["metafields"] = [note]
    world.stage(PRODUCTS, {"p": payload})
    world.load(PRODUCTS)
    before = world.objects("ProductVariant")
    payload["input"]["variants"][0]["price"] = "12.00"
    world.stage(PRODUCTS, {"p": payload})
    assert outcomes(world.load(PRODUCTS, field_filter={"products": ("price",)})) == {"updated": 1}
    after = world.objects("ProductVariant")
    assert [item["id"] for item in after] == [item["id"] for item in before]
    assert [item["metafields"] for item in after] == [item["metafields"] for item in before]
    (store,) = world.story(PRODUCTS, "p")["stores"]
    assert sorted(part["part_id"] for part in store["parts"] if part["part"] == "variant") == ["p-M", "p-S"]


def test_an_image_named_twice_is_sent_once_and_keeps_its_neighbour(world: World, make_product: Make) -> None:
    files = [{"originalSource": f"https://example.com/{name}.jpg", "contentType": "IMAGE"} for name in "aab"]
    for price in ("1.00", "2.00", "3.00"):
        world.stage(PRODUCTS, {"p": make_product("P", files=files, price=price)})
        world.load(PRODUCTS)
    (item,) = world.objects("Product")
    assert [file["originalSource"][-5] for file in item["files"]] == ["a", "b"]
    assert len(world.objects("MediaImage")) == 2


def test_a_variant_or_image_deleted_in_shopify_is_made_again_with_the_rest(world: World, make_product: Make) -> None:
    files = [{"originalSource": f"https://example.com/{name}.jpg", "contentType": "IMAGE"} for name in "ab"]
    world.stage(PRODUCTS, {"p": make_product("P", files=files)})
    world.load(PRODUCTS)
    product = world.objects("Product")[0]
    kept = product["variants"][1]["id"]
    only = {
        "productOptions": [{"name": "Size", "values": [{"name": "S"}, {"name": "M"}]}],
        "variants": [{"id": kept, "optionValues": [{"optionName": "Size", "name": "M"}]}],
    }
    world.graphql(
        "mutation($id: ID!, $input: ProductSetInput!) "
        "{ productSet(identifier: {id: $id}, input: $input) { userErrors { message } } }",
        id=product["id"], input=only,
    )  # fmt: skip
    world.graphql(
        "mutation($gone: [ID!]!) { fileDelete(fileIds: $gone) { userErrors { message } } }", gone=[product["media"][1]]
    )
    world.stage(PRODUCTS, {"p": make_product("P", files=files, price="3.00")})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    (item,) = world.objects("Product")
    assert [(variant["sku"], variant["price"]) for variant in item["variants"]] == [("p-S", "3.00"), ("p-M", "3.00")]
    assert item["variants"][1]["id"] == kept
    assert len(item["media"]) == 2
    assert outcomes(world.load(PRODUCTS, only_dirty=False)) == {"updated": 1}


def test_an_object_that_was_taken_over_is_taken_once(world: World, make_product: Make) -> None:
    world.options(adopt_existing="by_natural_key")
    mutation = "mutation($input: ProductSetInput!) { productSet(input: $input) { product { id } } }"
    note = {"namespace": "custom", "key": "note", "type": "single_line_text_field", "value": "theirs"}
    world.graphql(mutation, input={"title": "Theirs", "handle": "p", "metafields": [note]})
    world.stage(PRODUCTS, {"p": make_product("P")})
    assert outcomes(world.load(PRODUCTS)) == {"adopted": 1}
    metafields = {item["key"]: item["value"] for item in world.objects("Product")[0]["metafields"]}
    assert metafields == {"note": "theirs", "source_id": "magento:products:p"}
    world.stage(PRODUCTS, {"p": make_product("P"), "second": make_product("P")})
    assert outcomes(world.load(PRODUCTS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "ALREADY_THERE"


def test_a_payload_that_an_older_version_staged_stops_no_other_record(world: World) -> None:
    world.stage(REDIRECTS, {"/a": {"input": {"path": "/a"}}, "/b": {"input": {"path": "/b", "target": "/new"}}})
    assert outcomes(world.load(REDIRECTS)) == {"created": 1, "errored": 1}
    world.stage(PRODUCTS, {"p": {"input": {"title": "P", "variants": [{"price": "1.00"}]}}})
    assert outcomes(world.load(PRODUCTS)) == {"errored": 1}


def test_a_product_of_as_many_variants_as_shopify_takes_has_an_id_on_each(world: World) -> None:
    firsts, seconds = [f"A{n}" for n in range(64)], [f"B{n}" for n in range(32)]
    options = [{"name": "A", "values": [{"name": name} for name in firsts]},
               {"name": "B", "values": [{"name": name} for name in seconds]}]  # fmt: skip
    variants = [
        {"optionValues": [{"optionName": "A", "name": a}, {"optionName": "B", "name": b}], "sku": f"{a}-{b}"}
        for a in firsts for b in seconds
    ]  # fmt: skip
    payload = {"input": {"title": "Many", "handle": "many", "productOptions": options, "variants": variants}}
    world.stage(PRODUCTS, {"many": payload})
    tally = world.load(PRODUCTS)
    assert outcomes(tally) == {"created": 1}
    named = {item["value"] for variant in world.objects("ProductVariant") for item in variant["metafields"]}
    assert named == {f"magento:products:many:variant:{a}-{b}" for a in firsts for b in seconds}
    payload["input"]["title"] = "Most"
    world.stage(PRODUCTS, {"many": payload})
    again = world.load(PRODUCTS)
    assert again.outcomes == {Outcome.UPDATED: 1}
    assert again.calls < 15


def test_what_failed_when_everything_was_sent_again_is_mended_by_a_plain_run(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P"), "q": make_product("Q")})
    world.load(PRODUCTS)
    world.patience_seconds = 0.1
    world.fault("throttled", "productSet", times=None)
    assert outcomes(world.load(PRODUCTS, only_dirty=False)) == {"errored": 2}
    world.calm()
    assert outcomes(world.load(PRODUCTS)) == {"updated": 2}
    assert world.incomplete() == []
    assert outcomes(world.load(PRODUCTS)) == {}


def test_one_failed_publication_of_many_records_counts_once_towards_the_abort(world: World, make_product: Make) -> None:
    world.options(abort_after=2)
    world.patience_seconds = 0.1
    world.stage(PRODUCTS, {f"p{n}": make_product(f"P {n}") for n in range(5)})
    world.fault("internal_error", "publishablePublish", times=5)
    tally = world.load(PRODUCTS)
    assert tally.fatal is None
    assert outcomes(tally) == {"unknown": 5}
    world.calm()
    assert outcomes(world.load(PRODUCTS)) == {"created": 5}


def test_a_load_that_lost_its_lease_says_what_became_of_the_records_before(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n:02}": make_product(f"P {n}") for n in range(40)})
    asked = iter(range(10_000))

    def takes_over() -> bool:
        if next(asked) == 6:
            gid = requests.get(f"{world.url}/_simulator/", timeout=10).json()["shop"]
            world.store.loads.release(Lease("shop", gid, PRODUCTS, f"run-{world.runs}", fencing=1))
        return False

    tally = world.load(PRODUCTS, should_stop=takes_over)
    assert isinstance(tally.fatal, LeaseLostError)
    assert tally.seen < 40
    world.load(PRODUCTS)
    assert len(world.objects("Product")) == 40
    assert outcomes(world.load(PRODUCTS)) == {}


def test_the_conditions_of_a_collection_change_with_the_source(world: World) -> None:
    def by_type(name: str, title: str) -> dict[str, Any]:
        condition = {"productTag": {"matchType": "ANY", "relation": "TAGGED_WITH", "values": [name]}}
        source = {"title": "Rules", "inclusion": {"conditions": [condition], "matchType": "ALL"}}
        return {"input": {"title": title, "handle": "c", "sources": [{"source": source}]}, "publications": []}

    for name, title in (("Shirts", "C"), ("Shirts", "D"), ("Bags", "D")):
        world.stage(COLLECTIONS, {"c": by_type(name, title)})
        world.fault("hangup_after_commit", "collectionUpdate")
        assert outcomes(world.load(COLLECTIONS)) in ({"created": 1}, {"updated": 1}), world.incomplete()
        (item,) = world.objects("Collection")
        assert item["title"] == title
        assert len(item["sources"]) == 1
        assert name in str(item["sources"][0]["conditions"])


def test_a_payload_that_an_older_version_staged_stops_no_dry_run(world: World) -> None:
    world.stage(REDIRECTS, {"/a": {"input": {"path": "/a"}}, "/b": {"input": {"path": "/b", "target": "/new"}}})
    world.stage(PRODUCTS, {"p": {"input": {"title": "P", "variants": [{"price": "1.00"}]}}})
    assert outcomes(world.rehearse(REDIRECTS)) == {"created": 1, "errored": 1}
    assert outcomes(world.rehearse(PRODUCTS)) == {"errored": 1}
    assert world.incomplete() == []

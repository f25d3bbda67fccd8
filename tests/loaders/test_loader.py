"""What every record goes through, whatever its type: sent once, settled once, cleared up when an answer was lost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from graftport_dagster.errors import CredentialsError, ErrorClass, TransientError
from graftport_dagster.loaders import preflight
from graftport_dagster.records import Outcome, ResourceType

COLLECTIONS, PRODUCTS, REDIRECTS = ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS
World = Any
Make = Callable[..., dict[str, Any]]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def test_a_first_load_creates_everything_and_a_second_sends_nothing(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n}": make_product(f"Product {n}") for n in range(7)})
    assert outcomes(world.load(PRODUCTS)) == {"created": 7}
    writes = len(world.writes())
    assert outcomes(world.load(PRODUCTS)) == {}
    assert len(world.writes()) == writes
    assert sorted(item["title"] for item in world.objects("Product")) == [f"Product {n}" for n in range(7)]
    assert all(len(item["publications"]) == 1 for item in world.objects("Product"))


def test_a_changed_record_alone_is_sent_again_and_keeps_its_object(world: World, make_product: Make) -> None:
    payloads = {f"p{n}": make_product(f"Product {n}") for n in range(5)}
    world.stage(PRODUCTS, payloads)
    world.load(PRODUCTS)
    before = {item["handle"]: item["id"] for item in world.objects("Product")}
    variants = {item["sku"]: item["id"] for item in world.objects("ProductVariant")}
    payloads["p3"]["input"]["variants"][0]["price"] = "99.00"
    world.stage(PRODUCTS, payloads)
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert {item["handle"]: item["id"] for item in world.objects("Product")} == before
    assert {item["sku"]: item["id"] for item in world.objects("ProductVariant")} == variants


def test_fifty_products_are_published_in_one_call(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n:03}": make_product(f"Product {n}") for n in range(60)})
    tally = world.load(PRODUCTS)
    assert tally.calls == 62


def test_every_record_refused_by_shopify_is_named_with_its_own_words(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"good": make_product("Good"), "bad": make_product("Bad", vendor="v" * 300)})
    assert outcomes(world.load(PRODUCTS)) == {"created": 1, "errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["source_id"] == "bad"
    assert incomplete["error_class"] == ErrorClass.DATA
    assert "too long" in incomplete["message"]


def test_a_refused_record_is_tried_again_by_a_person_and_not_by_a_schedule(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"bad": make_product("Bad", vendor="v" * 300)})
    world.load(PRODUCTS)
    assert outcomes(world.load(PRODUCTS, resend_refused=False)) == {"refused_before": 1}
    assert outcomes(world.load(PRODUCTS)) == {"errored": 1}


def test_a_record_waits_for_what_it_refers_to_and_is_due_once_that_has_landed(
    world: World, make_product: Make, reference: Make
) -> None:
    world.stage(COLLECTIONS, {"c": {"input": {"title": "C"}, "publications": []}})
    world.stage(PRODUCTS, {"p": make_product("P", collections=[reference("collections", "c")])})
    assert outcomes(world.load(PRODUCTS)) == {"held": 1}
    (held,) = world.incomplete()
    assert "collections c" in held["message"]
    gid = world.store.stores  # the store is known by what landed there
    assert gid is not None
    world.load(COLLECTIONS)
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    assert world.incomplete() == []
    (item,) = world.objects("Product")
    assert item["collections"] == [world.objects("Collection")[0]["id"]]


def test_a_reference_that_is_not_even_staged_is_told_apart(world: World, make_product: Make, reference: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", collections=[reference("collections", "never")])})
    world.load(PRODUCTS)
    (held,) = world.incomplete()
    assert held["code"] == "REFERENCE_NOT_STAGED"


def test_the_conflict_strategy_skip_creates_but_never_updates(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", price="11.00"), "q": make_product("Q")})
    assert outcomes(world.load(PRODUCTS, conflict_strategy="skip")) == {"skipped": 1, "created": 1}
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}


def test_all_records_are_sent_again_when_asked_for(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n}": make_product(f"P {n}") for n in range(3)})
    world.load(PRODUCTS)
    assert outcomes(world.load(PRODUCTS, only_dirty=False)) == {"updated": 3}
    assert len(world.objects("Product")) == 3


def test_a_filtered_load_sends_its_groups_only_and_the_rest_stays_pending(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", price="12.00", tags=["new"])})
    assert outcomes(world.load(PRODUCTS, field_filter={"products": ("price",)})) == {"updated": 1}
    (item,) = world.objects("Product")
    assert item["tags"] == []
    assert {variant["price"] for variant in item["variants"]} == {"12.00"}
    assert outcomes(world.load(PRODUCTS, field_filter={"products": ("price",)})) == {"unchanged": 1}
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert world.objects("Product")[0]["tags"] == ["new"]
    assert outcomes(world.load(PRODUCTS)) == {}


def test_a_lost_answer_to_an_upsert_is_asked_for_again_and_doubles_nothing(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.fault("hangup_after_commit", "productSet")
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    assert len(world.objects("Product")) == 1


def test_a_lost_answer_to_a_create_is_looked_up_before_anything_is_sent(world: World) -> None:
    world.stage(COLLECTIONS, {"c": {"input": {"title": "C"}, "publications": []}})
    world.fault("hangup_after_commit", "collectionCreate")
    assert outcomes(world.load(COLLECTIONS)) == {"unknown": 1}
    (open_record,) = world.incomplete()
    assert open_record["error_class"] == ErrorClass.UNKNOWN_OUTCOME
    writes = len(world.writes())
    assert outcomes(world.load(COLLECTIONS)) == {"created": 1}
    assert len(world.writes()) == writes
    assert len(world.objects("Collection")) == 1
    assert world.incomplete() == []


def test_not_there_counts_only_a_minute_after_the_last_send(world: World) -> None:
    world.stage(COLLECTIONS, {"c": {"input": {"title": "C"}, "publications": []}})
    world.fault("hangup_before_commit", "collectionCreate")
    assert outcomes(world.load(COLLECTIONS)) == {"unknown": 1}
    assert outcomes(world.load(COLLECTIONS)) == {"unknown": 1}
    assert world.objects("Collection") == []
    world.clock.ahead = timedelta(seconds=61)
    assert outcomes(world.load(COLLECTIONS)) == {"created": 1}
    assert len(world.objects("Collection")) == 1


def test_a_redirect_without_answer_is_found_by_its_path(world: World, make_product: Make, reference: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    world.stage(REDIRECTS, {"/p.html": {"input": {"path": "/p.html", "target": reference("products", "p")}}})
    world.fault("hangup_after_commit", "urlRedirectCreate")
    assert outcomes(world.load(REDIRECTS)) == {"unknown": 1}
    assert outcomes(world.load(REDIRECTS)) == {"created": 1}
    (redirect,) = world.objects("UrlRedirect")
    assert (redirect["path"], redirect["target"]) == ("/p.html", "/products/p")


def test_a_redirect_to_its_own_path_is_skipped_once_and_for_all(world: World) -> None:
    world.stage(REDIRECTS, {"/a": {"input": {"path": "/a", "target": "/a"}}})
    assert outcomes(world.load(REDIRECTS)) == {"skipped": 1}
    assert outcomes(world.load(REDIRECTS)) == {}


@pytest.mark.parametrize("policy", ["never", "by_natural_key"])
def test_an_object_that_is_there_already_is_named_or_taken_over(world: World, make_product: Make, policy: str) -> None:
    world.options(adopt_existing=policy)
    world.graphql(
        "mutation($input: ProductSetInput!) { productSet(input: $input) { product { id } userErrors { message } } }",
        input={"title": "Theirs", "handle": "p"},
    )
    (theirs,) = world.objects("Product")
    world.stage(PRODUCTS, {"p": make_product("P")})
    if policy == "never":
        assert outcomes(world.load(PRODUCTS)) == {"errored": 1}
        (incomplete,) = world.incomplete()
        assert incomplete["code"] == "ALREADY_THERE"
        assert theirs["id"] in incomplete["message"]
    else:
        assert outcomes(world.load(PRODUCTS)) == {"adopted": 1}
        (item,) = world.objects("Product")
        assert (item["id"], item["title"]) == (theirs["id"], "P")
        assert outcomes(world.load(PRODUCTS)) == {}


def test_an_object_with_another_graftport_id_is_never_taken_over(world: World, make_product: Make) -> None:
    world.options(adopt_existing="by_natural_key")
    world.stage(PRODUCTS, {"first": make_product("P"), "second": make_product("P")})
    assert outcomes(world.load(PRODUCTS)) == {"created": 1, "errored": 1}
    (incomplete,) = world.incomplete()
    assert "carries the id magento:products:" in incomplete["message"]


def test_the_stock_of_a_landed_product_is_sent_when_the_source_changes_it(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5, price="11.00")})
    world.load(PRODUCTS)
    (update,) = [call for call in world.writes() if call["variables"].get("identifier", {}).get("id")]
    assert all("inventoryQuantities" not in variant for variant in update["variables"]["input"]["variants"])
    world.stage(PRODUCTS, {"p": make_product("P", quantity=7, price="11.00")})
    world.load(PRODUCTS)
    last = world.writes()[-1]
    assert last["operation"] == "inventorySetQuantities"
    assert [it["quantity"] for it in last["variables"]["input"]["quantities"]] == [7, 7]


def test_an_image_is_uploaded_once(world: World, make_product: Make) -> None:
    files = [{"originalSource": f"https://example.com/{name}.jpg", "contentType": "IMAGE"} for name in "ab"]
    world.stage(PRODUCTS, {"p": make_product("P", files=files)})
    world.load(PRODUCTS)
    before = world.objects("Product")[0]["media"]
    world.stage(PRODUCTS, {"p": make_product("P", files=files[::-1], price="3.00")})
    world.load(PRODUCTS)
    assert world.objects("Product")[0]["media"] == before[::-1]


def test_a_product_deleted_in_shopify_is_said_to_be_gone_and_created_by_the_next_run(
    world: World, make_product: Make
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    (there,) = world.objects("Product")
    mutation = "mutation($input: ProductDeleteInput!) { productDelete(input: $input) { deletedProductId } }"
    world.graphql(mutation, input={"id": there["id"]})
    world.stage(PRODUCTS, {"p": make_product("P", price="3.00")})
    assert outcomes(world.load(PRODUCTS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "GONE"
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    assert len(world.objects("Product")) == 1


def test_a_wrong_token_stops_the_type_and_marks_no_record(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n}": make_product(f"P {n}") for n in range(30)})
    world.fault("token_revoked", "productSet", times=None)
    tally = world.load(PRODUCTS)
    assert isinstance(tally.fatal, CredentialsError)
    assert tally.seen == 0
    assert world.incomplete() == []
    world.calm()


def test_errors_of_one_class_in_a_row_stop_the_type(world: World, make_product: Make) -> None:
    world.options(abort_after=5)
    world.patience_seconds = 0.2
    world.stage(PRODUCTS, {f"p{n:02}": make_product(f"P {n}") for n in range(40)})
    world.fault("throttled", "productSet", times=None)
    tally = world.load(PRODUCTS)
    assert isinstance(tally.fatal, TransientError)
    assert tally.fatal.error_class is ErrorClass.RATE_LIMIT
    assert 5 <= tally.outcomes[Outcome.ERRORED] < 20
    world.calm()
    assert outcomes(world.load(PRODUCTS)) == {"created": 40}


def test_a_stop_finishes_what_is_in_flight_and_begins_nothing_new(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n:03}": make_product(f"P {n}") for n in range(50)})
    asked = iter(range(1000))
    tally = world.load(PRODUCTS, should_stop=lambda: next(asked) > 6)
    assert 0 < tally.seen < 50
    assert len(world.objects("Product")) == tally.seen
    rest = world.load(PRODUCTS)
    assert tally.seen + rest.seen == 50
    assert len(world.objects("Product")) == 50


def test_a_product_of_more_variants_than_a_page_knows_them_all(world: World) -> None:
    names = [f"S{n}" for n in range(300)]
    payload = {
        "input": {
            "title": "Many", "handle": "many",
            "productOptions": [
                {"name": "A", "values": [{"name": name} for name in names[:100]]},
                {"name": "B", "values": [{"name": name} for name in names[100:103]]},
            ],
            "variants": [
                {"optionValues": [{"optionName": "A", "name": a}, {"optionName": "B", "name": b}], "sku": f"{a}-{b}"}
                for a in names[:100] for b in names[100:103]
            ],
        }
    }  # fmt: skip
    world.stage(PRODUCTS, {"many": payload})
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    (store,) = world.story(PRODUCTS, "many")["stores"]
    assert len(store["parts"]) == 300


@pytest.mark.parametrize(
    ("policy", "outcome", "left"),
    [("keep", {}, ["ACTIVE"]), ("archive", {"archived": 1}, ["ARCHIVED"]), ("delete", {"deleted": 1}, [])],
)
def test_a_product_gone_from_the_source_is_kept_archived_or_deleted_as_the_policy_says(
    world: World, make_product: Make, policy: str, outcome: dict[str, int], left: list[str]
) -> None:
    world.options(on_source_delete=policy)
    world.stage(PRODUCTS, {"p": make_product("P", status="ACTIVE")})
    world.load(PRODUCTS)
    world.forget(PRODUCTS)
    assert outcomes(world.load(PRODUCTS)) == outcome
    assert [item["status"] for item in world.objects("Product")] == left
    assert outcomes(world.load(PRODUCTS)) == {}
    world.stage(PRODUCTS, {"p": make_product("P", status="ACTIVE")})
    world.load(PRODUCTS)
    assert [item["status"] for item in world.objects("Product")] == ["ACTIVE"]


def test_a_record_gone_from_the_source_before_it_landed_is_never_created(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.forget(PRODUCTS)
    assert outcomes(world.load(PRODUCTS)) == {}
    assert world.objects("Product") == []


@pytest.mark.parametrize(("minutes", "said"), [(10, "ahead of"), (-10, "behind")])
def test_a_clock_that_differs_from_shopifys_is_told(world: Any, minutes: int, said: str) -> None:
    world.clock.ahead = timedelta(minutes=minutes)
    found = preflight.check(world.shop(), world.migration, [PRODUCTS], now=world.clock)
    (clock,) = [one for one in found if one.name == "clock"]
    assert not clock.ok
    assert f"s {said} Shopify's" in clock.detail


def test_a_clock_that_is_right_within_a_minute_is_right(world: Any) -> None:
    found = preflight.check(world.shop(), world.migration, [PRODUCTS])
    assert [one.ok for one in found if one.name == "clock"] == [True]

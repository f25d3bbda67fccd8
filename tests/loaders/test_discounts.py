"""Discounts by code: each lands once with all its codes, follows its source, and takes nobody else's code."""

from typing import Any

import pytest

from graftport_dagster.records import ResourceType

DISCOUNTS = ResourceType.DISCOUNT_CODES
World = Any


def outcomes(tally: Any) -> dict[str, int]:
    assert tally.fatal is None
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def basic(code: str = "TEN", *, codes: Any = None, items: Any = None, **more: Any) -> dict[str, Any]:
    discount = {
        "title": code, "code": code, "startsAt": "2024-01-01T00:00:00Z", "endsAt": None, "context": {"all": "ALL"},
        "customerGets": {"value": {"percentage": 0.1}, "items": items or {"all": True}},
        "usageLimit": 100, "appliesOncePerCustomer": True,
        "minimumRequirement": {"subtotal": {"greaterThanOrEqualToSubtotal": "50.00"}}, **more,
    }  # fmt: skip
    envelope: dict[str, Any] = {"input": {"basicCodeDiscount": discount}}
    return envelope if codes is None else {**envelope, "codes": codes}


def bxgy(code: str = "B3G1") -> dict[str, Any]:
    """Of the product `0`: Shopify takes none of any product."""
    gets = {"discountOnQuantity": {"quantity": "1", "effect": {"percentage": 1.0}}}
    items = {"products": {"productsToAdd": [{"$ref": {"resource_type": "products", "source_id": "0"}}]}}
    return {"input": {"bxgyCodeDiscount": {
        "title": code, "code": code, "startsAt": "2024-01-01T00:00:00Z", "context": {"all": "ALL"},
        "customerBuys": {"items": items, "value": {"quantity": "3"}},
        "customerGets": {"items": items, "value": gets}, "usesPerOrderLimit": 1,
    }}}  # fmt: skip


def free(code: str = "FREE", **more: Any) -> dict[str, Any]:
    return {"input": {"freeShippingCodeDiscount": {
        "title": code, "code": code, "startsAt": "2024-01-01T00:00:00Z", "context": {"all": "ALL"},
        "destination": {"all": True}, **more,
    }}}  # fmt: skip


def codes(world: World) -> list[str]:
    return sorted(one["code"] for one in world.objects("DiscountRedeemCode"))


def nodes(world: World) -> dict[str, Any]:
    return {one["title"]: one for one in world.objects("DiscountCodeNode")}


def merchant_makes(world: World, code: str) -> str:
    """A discount that is in the store already."""
    given = basic(code)["input"]["basicCodeDiscount"]
    query = (
        "mutation($d: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $d) "
        "{ codeDiscountNode { id } } }"
    )
    return str(world.graphql(query, d=given)["discountCodeBasicCreate"]["codeDiscountNode"]["id"])


def test_each_kind_lands_in_one_call_and_a_second_load_sends_nothing(world: World, make_product: Any) -> None:
    world.stage(ResourceType.PRODUCTS, {"0": make_product("Bag")})
    world.load(ResourceType.PRODUCTS)
    world.stage(DISCOUNTS, {"1": basic(), "2": bxgy(), "3": free()})
    assert outcomes(world.load(DISCOUNTS)) == {"created": 3}
    kinds = {title: node["kind"] for title, node in nodes(world).items()}
    assert kinds == {"TEN": "Basic", "B3G1": "Bxgy", "FREE": "FreeShipping"}
    assert codes(world) == ["B3G1", "FREE", "TEN"]
    writes = len(world.writes())
    assert outcomes(world.load(DISCOUNTS)) == {}
    assert len(world.writes()) == writes


def test_an_update_keeps_the_code_and_changes_the_rest(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic(), "3": free()})
    world.load(DISCOUNTS)
    world.stage(DISCOUNTS, {"1": basic(usageLimit=5), "3": free()})
    assert outcomes(world.load(DISCOUNTS)) == {"updated": 1}
    assert nodes(world)["TEN"]["usageLimit"] == 5
    assert codes(world) == ["FREE", "TEN"]


def test_a_code_that_changed_in_the_source_is_renamed(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic("OLD")})
    world.load(DISCOUNTS)
    world.stage(DISCOUNTS, {"1": basic("NEW")})
    assert outcomes(world.load(DISCOUNTS)) == {"updated": 1}
    assert codes(world) == ["NEW"]


def test_products_that_left_a_discount_leave_it_in_shopify(world: World, make_product: Any, reference: Any) -> None:
    world.stage(ResourceType.PRODUCTS, {str(n): make_product(f"Bag {n}") for n in range(3)})
    world.load(ResourceType.PRODUCTS)

    def of(*numbers: int) -> dict[str, Any]:
        chosen = [reference("products", str(n)) for n in numbers]
        return basic(items={"products": {"productsToAdd": chosen}})

    world.stage(DISCOUNTS, {"1": of(0, 1)})
    world.load(DISCOUNTS)
    world.stage(DISCOUNTS, {"1": of(1, 2)})
    assert outcomes(world.load(DISCOUNTS)) == {"updated": 1}
    gids = {one["title"]: one["id"] for one in world.objects("Product")}
    assert nodes(world)["TEN"]["customerGets"]["items"]["products"] == [gids["Bag 1"], gids["Bag 2"]]
    world.stage(DISCOUNTS, {"1": basic()})
    world.load(DISCOUNTS)
    assert nodes(world)["TEN"]["customerGets"]["items"] == {"all": True}


def test_a_discount_waits_for_its_product_and_is_released(world: World, make_product: Any, reference: Any) -> None:
    items = {"products": {"productsToAdd": [reference("products", "bag")]}}
    world.stage(DISCOUNTS, {"1": basic(items=items), "2": free()})
    assert outcomes(world.load(DISCOUNTS)) == {"created": 1, "held": 1}
    world.stage(ResourceType.PRODUCTS, {"bag": make_product("Bag")})
    world.load(ResourceType.PRODUCTS)
    assert outcomes(world.load(DISCOUNTS)) == {"created": 1}


def test_a_thousand_codes_come_in_batches_each_once(world: World) -> None:
    many = [f"C{number}" for number in range(1000)]
    world.stage(DISCOUNTS, {"1": basic("C0", codes=[*many, "c5", "C7 "])})
    assert outcomes(world.load(DISCOUNTS)) == {"created": 1}
    assert len(codes(world)) == 1000
    assert world.calls().count("discountRedeemCodeBulkAdd") == 4
    writes = len(world.writes())
    assert outcomes(world.load(DISCOUNTS)) == {}
    assert len(world.writes()) == writes


def test_of_more_codes_only_the_new_ones_are_sent(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B", "C"])})
    world.load(DISCOUNTS)
    before = len(world.writes())
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B", "C", "D"])})
    assert outcomes(world.load(DISCOUNTS)) == {"updated": 1}
    assert codes(world) == ["A", "B", "C", "D"]
    sent = world.writes()[before:]
    assert [one["operation"] for one in sent] == ["discountRedeemCodeBulkAdd"]
    assert sent[0]["variables"]["codes"] == [{"code": "D"}]


def test_a_further_code_of_another_discount_is_named_and_all_others_are_there(world: World) -> None:
    merchant_makes(world, "TAKEN")
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B", "taken", "C"])})
    assert outcomes(world.load(DISCOUNTS)) == {"errored": 1}
    assert codes(world) == ["A", "B", "C", "TAKEN"]
    (incomplete,) = world.incomplete()
    assert incomplete["code"] == "CODES_TAKEN"
    assert "taken" in incomplete["message"]
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B", "C"])})
    assert outcomes(world.load(DISCOUNTS)) in ({"created": 1}, {"updated": 1})
    assert world.incomplete() == []


@pytest.mark.parametrize("fault", ["hangup_after_commit", "http_500_after_commit", "truncated_json"])
def test_a_lost_answer_makes_no_second_discount(world: World, fault: str) -> None:
    world.fault(fault, "discountCodeBasicCreate")
    world.stage(DISCOUNTS, {"1": basic(), "2": free()})
    assert outcomes(world.load(DISCOUNTS)) == {"created": 1, "unknown": 1}
    assert outcomes(world.load(DISCOUNTS)) == {"created": 1}
    assert codes(world) == ["FREE", "TEN"]
    assert len(world.objects("DiscountCodeNode")) == 2


def test_a_lost_answer_to_further_codes_adds_none_twice(world: World) -> None:
    world.fault("hangup_after_commit", "discountRedeemCodeBulkAdd")
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B", "C"])})
    world.load(DISCOUNTS)
    world.load(DISCOUNTS)
    assert codes(world) == ["A", "B", "C"]
    assert world.incomplete() == []


def test_a_load_that_stopped_between_the_discount_and_its_codes_goes_on_with_them(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B", "C"])})
    world.fault("http_500", "discountRedeemCodeBulkAdd", times=100)
    world.patience_seconds = 1
    world.load(DISCOUNTS)
    assert codes(world) == ["A"]
    world.calm()
    world.patience_seconds = 20
    world.load(DISCOUNTS)
    assert codes(world) == ["A", "B", "C"]
    assert world.calls().count("discountCodeBasicCreate") == 1
    writes = len(world.writes())
    assert outcomes(world.load(DISCOUNTS)) == {}
    assert len(world.writes()) == writes


def test_a_code_that_is_there_already_is_an_error_unless_it_may_be_adopted(world: World) -> None:
    gid = merchant_makes(world, "ten")
    world.stage(DISCOUNTS, {"1": basic("TEN", usageLimit=7)})
    assert outcomes(world.load(DISCOUNTS)) == {"errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["code"] == "ALREADY_THERE"
    assert gid in incomplete["message"]
    world.options(adopt_existing="by_natural_key")
    assert outcomes(world.load(DISCOUNTS)) == {"adopted": 1}
    (node,) = world.objects("DiscountCodeNode")
    assert (node["id"], node["usageLimit"]) == (gid, 7)


def test_a_code_somebody_had_long_before_our_lost_call_is_not_taken_for_ours(world: World) -> None:
    gid = merchant_makes(world, "TEN")
    world.edit(gid, createdAt="2024-01-01T00:00:00Z")
    world.fault("hangup_after_commit", "discountCodeBasicCreate")
    world.stage(DISCOUNTS, {"1": basic("TEN")})
    world.load(DISCOUNTS)
    assert outcomes(world.load(DISCOUNTS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "ALREADY_THERE"


def test_shopifys_refusal_is_an_error_with_its_place_and_the_others_land(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic(endsAt="2023-01-01T00:00:00Z"), "2": free()})
    assert outcomes(world.load(DISCOUNTS)) == {"created": 1, "errored": 1}
    (incomplete,) = world.incomplete()
    assert (incomplete["code"], incomplete["path"]) == ("INVALID", "input.endsAt")


def test_another_kind_of_discount_under_the_same_id_is_refused_in_plain_words(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic("TEN")})
    world.load(DISCOUNTS)
    world.stage(DISCOUNTS, {"1": free("TEN")})
    assert outcomes(world.load(DISCOUNTS)) == {"errored": 1}
    assert world.incomplete()[0]["code"] == "KIND_CHANGED"


@pytest.mark.parametrize(("policy", "outcome"), [("archive", "archived"), ("delete", "deleted")])
def test_a_discount_gone_from_the_source_ends_or_goes(world: World, policy: str, outcome: str) -> None:
    world.stage(DISCOUNTS, {"1": basic()})
    world.load(DISCOUNTS)
    world.options(on_source_delete=policy)
    world.forget(DISCOUNTS)
    assert outcomes(world.load(DISCOUNTS)) == {outcome: 1}
    left = world.objects("DiscountCodeNode")
    assert (left == []) if policy == "delete" else (left[0]["endsAt"] is not None)


def test_a_discount_deleted_in_shopify_is_made_again_by_the_next_load(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B"])})
    world.load(DISCOUNTS)
    gid = world.objects("DiscountCodeNode")[0]["id"]
    world.graphql("mutation($id: ID!) { discountCodeDelete(id: $id) { deletedCodeDiscountId } }", id=gid)
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B"], usageLimit=3)})
    assert outcomes(world.load(DISCOUNTS)) == {"errored": 1}
    assert outcomes(world.load(DISCOUNTS)) == {"created": 1}
    assert codes(world) == ["A", "B"]


def test_a_filtered_load_sends_the_codes_alone(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B"])})
    world.load(DISCOUNTS)
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B", "C"], usageLimit=3)})
    tally = world.load(DISCOUNTS, field_filter={DISCOUNTS: frozenset({"codes"})})
    assert outcomes(tally) == {"updated": 1}
    assert codes(world) == ["A", "B", "C"]
    assert nodes(world)["A"]["usageLimit"] == 100


def test_a_dry_run_says_create_update_and_what_it_costs(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic("A", codes=["B"])})
    rehearsed = world.rehearse(DISCOUNTS)
    assert rehearsed.outcomes["created"] == 1
    assert rehearsed.cost >= 20
    assert world.objects("DiscountCodeNode") == []


def test_codes_that_leave_the_source_are_deleted_and_a_merchants_stay(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic(codes=["A", "B", "C"])})
    world.load(DISCOUNTS)
    gid = nodes(world)["TEN"]["id"]
    query = (
        "mutation($id: ID!, $c: [DiscountRedeemCodeInput!]!) "
        "{ discountRedeemCodeBulkAdd(discountId: $id, codes: $c) { bulkCreation { id } } }"
    )
    world.graphql(query, id=gid, c=[{"code": "THEIRS"}])
    world.stage(DISCOUNTS, {"1": basic(codes=["b", "D"])})
    assert outcomes(world.load(DISCOUNTS)) == {"updated": 1}
    assert codes(world) == ["B", "D", "TEN", "THEIRS"]
    assert outcomes(world.load(DISCOUNTS)) == {}
    world.stage(DISCOUNTS, {"1": basic()})
    world.load(DISCOUNTS)
    assert codes(world) == ["B", "D", "TEN", "THEIRS"], "a list that is not given is left alone"


def test_the_first_code_of_several_is_replaced(world: World) -> None:
    world.stage(DISCOUNTS, {"1": basic(codes=["A"])})
    world.load(DISCOUNTS)
    renamed = basic(codes=["A"])
    renamed["input"]["basicCodeDiscount"]["code"] = "ELEVEN"
    world.stage(DISCOUNTS, {"1": renamed})
    assert outcomes(world.load(DISCOUNTS)) == {"updated": 1}
    assert codes(world) == ["A", "ELEVEN"]
    renamed["input"]["basicCodeDiscount"]["code"] = "TWELVE"
    world.stage(DISCOUNTS, {"1": renamed})
    world.fault("hangup_after_commit", "discountCodeRedeemCodeBulkDelete")
    world.load(DISCOUNTS)
    world.load(DISCOUNTS)
    assert (codes(world), world.incomplete()) == (["A", "TWELVE"], [])

"""A change that was on its way, and that the source took back before it had landed whole: Shopify follows."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from graftport_dagster.records import ResourceType
from tests.loaders.test_customers import consent, customer
from tests.loaders.test_orders import order

CUSTOMERS, ORDERS, PRODUCTS = ResourceType.CUSTOMERS, ResourceType.ORDERS, ResourceType.PRODUCTS
World = Any
Make = Callable[..., dict[str, Any]]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def lose(world: World, kind: ResourceType, operation: str) -> None:
    """A load of which Shopify executes that operation, and no answer to it comes through."""
    patience, world.patience_seconds = world.patience_seconds, 0.2
    world.fault("hangup_after_commit", operation, times=20)
    assert outcomes(world.load(kind)) == {"unknown": 1}
    world.patience_seconds = patience
    world.calm()


def tags(world: World, kind: str) -> Any:
    (one,) = world.objects(kind)
    return one["tags"]


@pytest.mark.parametrize(
    ("kind", "object_kind", "make", "operation"),
    [
        (ORDERS, "Order", order, "orderUpdate"),
        (CUSTOMERS, "Customer", customer, "customerSet"),
    ],
)
def test_an_update_that_was_executed_unheard_and_is_taken_back_is_undone(
    world: World, kind: ResourceType, object_kind: str, make: Make, operation: str
) -> None:
    world.stage(kind, {"1": make()})
    world.load(kind)
    world.stage(kind, {"1": make(tags=["new"])})
    lose(world, kind, operation)
    assert tags(world, object_kind) == ["new"]
    world.stage(kind, {"1": make()})
    assert outcomes(world.load(kind)) == {"updated": 1}
    assert tags(world, object_kind) == ["imported"]
    assert world.incomplete() == []
    assert outcomes(world.load(kind)) == {}


def metafields(value: str) -> list[dict[str, Any]]:
    return [{"namespace": "custom", "key": "tier", "type": "single_line_text_field", "value": value}]


def tier(world: World) -> str:
    (one,) = world.objects("Customer")
    return next(str(field["value"]) for field in one["metafields"] if field["key"] == "tier")


def test_a_step_that_was_executed_unheard_and_is_taken_back_is_undone(world: World) -> None:
    world.stage(CUSTOMERS, {"1": customer()})
    world.load(CUSTOMERS)
    world.stage(CUSTOMERS, {"1": customer(metafields=metafields("new"))})
    lose(world, CUSTOMERS, "metafieldsSet")
    assert tier(world) == "new"
    world.stage(CUSTOMERS, {"1": customer()})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert tier(world) == "gold"
    assert outcomes(world.load(CUSTOMERS)) == {}


def test_what_landed_before_a_later_step_was_refused_is_undone_once_it_is_taken_back(world: World) -> None:
    world.stage(CUSTOMERS, {"1": customer()})
    world.load(CUSTOMERS)
    changed = customer(
        tags=["new"],
        metafields=metafields("new"),
        emailMarketingConsent=consent("UNSUBSCRIBED", "2999-01-01T00:00:00Z"),
    )
    world.stage(CUSTOMERS, {"1": changed})
    assert outcomes(world.load(CUSTOMERS)) == {"errored": 1}
    assert (tags(world, "Customer"), tier(world)) == (["new"], "new")
    world.stage(CUSTOMERS, {"1": customer()})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert (tags(world, "Customer"), tier(world)) == (["imported"], "gold")
    assert outcomes(world.load(CUSTOMERS)) == {}


def levels(world: World) -> list[int]:
    (product,) = world.objects("Product")
    return [sum(variant["levels"].values()) for variant in product["variants"]]


@pytest.mark.parametrize("how", ["lost", "died"])
def test_stock_that_was_written_unheard_and_is_taken_back_is_not_left_as_it_was_sent(
    world: World, make_product: Make, how: str
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P", quantity=7)})
    if how == "lost":
        lose(world, PRODUCTS, "inventorySetQuantities")
    else:
        dying(world, lambda: levels(world) == [7, 7], "inventorySetQuantities", PRODUCTS)
    assert levels(world) == [7, 7]
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert levels(world) == [5, 5]
    assert outcomes(world.load(PRODUCTS)) == {}


def test_stock_is_compared_with_what_was_written_before_the_record_had_landed_whole(
    world: World, make_product: Make
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", quantity=5)})
    world.load(PRODUCTS)
    published = make_product("P", quantity=7) | {"publications": ["Online Store", "Point of Sale"]}
    world.stage(PRODUCTS, {"p": published})
    world.patience_seconds = 0.2
    world.fault("hangup_before_commit", "publishablePublish", times=20)
    assert outcomes(world.load(PRODUCTS)) == {"unknown": 1}
    world.calm()
    assert levels(world) == [7, 7]
    world.patience_seconds = 20
    world.stage(PRODUCTS, {"p": published | make_product("P", quantity=6)})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert levels(world) == [6, 6]


class DiedError(BaseException):
    """The process is no more, in the middle of a call."""


def dying(world: World, is_there: Callable[[], bool], operation: str, kind: ResourceType, **options: Any) -> None:
    """A load whose process dies once Shopify has executed that operation, and before it has answered."""

    def dies() -> bool:
        if is_there():
            raise DiedError
        return False

    world.fault("slow", operation, milliseconds=500)
    with pytest.raises(DiedError):
        world.load(kind, should_stop=dies, **options)
    world.calm()
    assert is_there()


def test_an_update_in_the_middle_of_which_the_process_died_is_undone_once_it_is_taken_back(world: World) -> None:
    world.stage(ORDERS, {"1": order()})
    world.load(ORDERS)
    world.stage(ORDERS, {"1": order(tags=["new"])})

    dying(world, lambda: tags(world, "Order") == ["new"], "orderUpdate", ORDERS)
    world.stage(ORDERS, {"1": order()})
    assert outcomes(world.load(ORDERS)) == {"updated": 1}
    assert tags(world, "Order") == ["imported"]


def test_a_filtered_update_that_was_executed_unheard_and_is_taken_back_is_undone(world: World) -> None:
    only_tags = {"customers": ("tags",)}
    world.stage(CUSTOMERS, {"1": customer()})
    world.load(CUSTOMERS)
    world.stage(CUSTOMERS, {"1": customer(tags=["new"], note="other")})
    world.patience_seconds = 0.2
    world.fault("hangup_after_commit", "customerSet", times=20)
    assert outcomes(world.load(CUSTOMERS, field_filter=only_tags)) == {"unknown": 1}
    world.calm()
    world.patience_seconds = 20
    world.stage(CUSTOMERS, {"1": customer(note="other")})
    assert outcomes(world.load(CUSTOMERS, field_filter=only_tags)) == {"updated": 1}
    (there,) = world.objects("Customer")
    assert (there["tags"], there["note"]) == (["imported"], "n")
    assert outcomes(world.load(CUSTOMERS, field_filter=only_tags)) == {"unchanged": 1}


@pytest.mark.parametrize("title", ["First", "Third"])
def test_what_an_unheard_update_of_ours_wrote_is_no_edit_of_somebody_else(
    world: World, make_product: Make, title: str
) -> None:
    world.options(drift="hold")
    world.stage(PRODUCTS, {"1": make_product("First")})
    world.load(PRODUCTS)
    # Shopify's times are whole seconds.
    time.sleep(1.1)
    world.stage(PRODUCTS, {"1": make_product("Second", price="2.00")})
    lose(world, PRODUCTS, "productSet")
    (there,) = world.objects("Product")
    assert there["title"] == "Second"
    world.stage(PRODUCTS, {"1": make_product(title)})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    (there,) = world.objects("Product")
    assert there["title"] == title


def test_an_edit_that_came_after_an_unheard_update_of_ours_is_seen(world: World, make_product: Make) -> None:
    world.options(drift="hold")
    world.stage(PRODUCTS, {"1": make_product("First")})
    world.load(PRODUCTS)
    # Shopify's times are whole seconds.
    time.sleep(1.1)
    world.stage(PRODUCTS, {"1": make_product("Second")})
    lose(world, PRODUCTS, "productSet")
    (there,) = world.objects("Product")
    world.edit(there["id"], title="By hand")
    world.stage(PRODUCTS, {"1": make_product("Third")})
    assert outcomes(world.load(PRODUCTS)) == {"held": 1}


def email_consent(world: World) -> str:
    (one,) = world.objects("Customer")
    return str(one["emailMarketingConsent"]["marketingState"])


@pytest.mark.parametrize("options", [{}, {"field_filter": {"customers": ("metafields",)}}], ids=["whole", "filtered"])
def test_a_step_in_which_the_process_died_is_undone_once_it_is_taken_back(
    world: World, options: dict[str, Any]
) -> None:
    world.stage(CUSTOMERS, {"1": customer()})
    world.load(CUSTOMERS)
    world.stage(CUSTOMERS, {"1": customer(metafields=metafields("new"))})
    dying(world, lambda: tier(world) == "new", "metafieldsSet", CUSTOMERS, **options)
    world.stage(CUSTOMERS, {"1": customer()})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert tier(world) == "gold"
    assert outcomes(world.load(CUSTOMERS)) == {}


@pytest.mark.parametrize(("before", "meanwhile"), [("SUBSCRIBED", "UNSUBSCRIBED"), ("UNSUBSCRIBED", "SUBSCRIBED")])
@pytest.mark.parametrize("how", ["lost", "died"])
def test_a_consent_that_was_sent_unheard_and_is_taken_back_is_undone(
    world: World, before: str, meanwhile: str, how: str
) -> None:
    given: dict[str, Any] = {"emailMarketingConsent": consent(before, "2024-01-01T00:00:00Z")}
    world.stage(CUSTOMERS, {"1": customer(**given)})
    world.load(CUSTOMERS)
    world.stage(CUSTOMERS, {"1": customer(emailMarketingConsent=consent(meanwhile, "2024-02-01T00:00:00Z"))})
    operation = "customerEmailMarketingConsentUpdate"
    if how == "lost":
        lose(world, CUSTOMERS, operation)
    else:
        dying(world, lambda: email_consent(world) == meanwhile, operation, CUSTOMERS)
    world.stage(CUSTOMERS, {"1": customer(**given)})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert email_consent(world) == before
    assert outcomes(world.load(CUSTOMERS)) == {}


def test_a_consent_that_the_customer_gave_after_one_of_ours_was_sent_unheard_stays(world: World) -> None:
    world.stage(CUSTOMERS, {"1": customer()})
    world.load(CUSTOMERS)
    world.stage(CUSTOMERS, {"1": customer(emailMarketingConsent=consent("UNSUBSCRIBED", "2024-02-01T00:00:00Z"))})
    lose(world, CUSTOMERS, "customerEmailMarketingConsentUpdate")
    (there,) = world.objects("Customer")
    theirs = {"customerId": there["id"], "emailMarketingConsent": consent("UNSUBSCRIBED", "2024-03-01T00:00:00Z")}
    world.graphql(
        "mutation($input: CustomerEmailMarketingConsentUpdateInput!) {"
        " customerEmailMarketingConsentUpdate(input: $input) { userErrors { message } } }",
        input=theirs,
    )
    world.stage(CUSTOMERS, {"1": customer()})
    assert outcomes(world.load(CUSTOMERS)) == {"updated": 1}
    assert email_consent(world) == "UNSUBSCRIBED"


CHANNELS = ["Online Store", "Point of Sale"]


@pytest.mark.parametrize(("before", "meanwhile"), [(CHANNELS[:1], CHANNELS), (CHANNELS, CHANNELS[:1])])
def test_a_channel_that_a_record_was_put_into_or_out_of_as_the_process_died_is_as_the_source_says(
    world: World, make_product: Make, before: list[str], meanwhile: list[str]
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P") | {"publications": before}})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P") | {"publications": meanwhile}})

    operation = "publishablePublish" if len(meanwhile) > len(before) else "publishableUnpublish"
    dying(world, lambda: len(world.objects("Product")[0]["publications"]) == len(meanwhile), operation, PRODUCTS)
    world.stage(PRODUCTS, {"p": make_product("P") | {"publications": before}})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert len(world.objects("Product")[0]["publications"]) == len(before)
    assert outcomes(world.load(PRODUCTS)) == {}

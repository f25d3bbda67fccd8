"""A creation whose answer was lost, of a record that is gone from the source by the next load."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from graftport_dagster.records import ResourceType
from tests.loaders.test_customers import customer
from tests.loaders.test_orders import order

CUSTOMERS, ORDERS, PRODUCTS = ResourceType.CUSTOMERS, ResourceType.ORDERS, ResourceType.PRODUCTS
REDIRECTS = ResourceType.REDIRECTS
KINDS = {
    PRODUCTS: ("Product", "productSet"), CUSTOMERS: ("Customer", "customerSet"), ORDERS: ("Order", "orderCreate"),
}  # fmt: skip
World = Any


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def payload(kind: ResourceType, make_product: Callable[..., Any]) -> Any:
    return {PRODUCTS: lambda: make_product("P"), CUSTOMERS: customer, ORDERS: order}[kind]()


def lose(world: World, kind: ResourceType, operation: str, fault: str) -> None:
    """A load of which no answer to that operation comes through."""
    patience, world.patience_seconds = world.patience_seconds, 0.2
    world.fault(fault, operation, times=20)
    assert outcomes(world.load(kind)) == {"unknown": 1}
    world.patience_seconds = patience
    world.calm()


@pytest.mark.parametrize("policy", ["keep", "delete"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_created_unheard_is_found_and_then_the_policy_holds(
    world: World, make_product: Callable[..., Any], kind: ResourceType, policy: str
) -> None:
    object_kind, operation = KINDS[kind]
    world.options(on_source_delete=policy)
    world.stage(kind, {"1": payload(kind, make_product)})
    lose(world, kind, operation, "hangup_after_commit")
    assert len(world.objects(object_kind)) == 1
    world.forget(kind)
    world.clock.ahead += timedelta(minutes=2)
    assert outcomes(world.load(kind)) == ({"skipped": 1} if policy == "keep" else {"deleted": 1})
    assert len(world.objects(object_kind)) == (1 if policy == "keep" else 0)
    assert world.incomplete() == []
    (store,) = world.story(kind, "1")["stores"]
    assert bool(store["gid"]) == (policy == "keep")
    # And should the source have it again, it is there once.
    world.stage(kind, {"1": payload(kind, make_product)})
    world.load(kind)
    assert len(world.objects(object_kind)) == 1


@pytest.mark.parametrize("policy", ["keep", "archive", "delete"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_never_created_is_asked_for_and_done_with(
    world: World, make_product: Callable[..., Any], kind: ResourceType, policy: str
) -> None:
    object_kind, operation = KINDS[kind]
    world.options(on_source_delete=policy)
    world.stage(kind, {"1": payload(kind, make_product)})
    lose(world, kind, operation, "hangup_before_commit")
    world.forget(kind)
    # A call may take a while: until then nothing is known.
    assert outcomes(world.load(kind)) == {"unknown": 1}
    world.clock.ahead += timedelta(minutes=2)
    assert outcomes(world.load(kind)) == {"skipped": 1}
    assert (world.objects(object_kind), world.incomplete()) == ([], [])
    assert outcomes(world.load(kind)) == {}


def test_a_redirect_that_nobody_can_ask_for_by_an_id_waits_for_a_person(world: World) -> None:
    world.options(on_source_delete="delete")
    world.stage(REDIRECTS, {"1": {"input": {"path": "/old", "target": "/new"}}})
    lose(world, REDIRECTS, "urlRedirectCreate", "hangup_after_commit")
    world.forget(REDIRECTS)
    world.clock.ahead += timedelta(minutes=2)
    assert outcomes(world.load(REDIRECTS)) == {"held": 1}
    (open_record,) = world.incomplete()
    assert "gone from the source" in open_record["message"]
    assert "discard" in open_record["hint"]

"""Redirects: straight, in no circle, carried over where they are there, and following a target that moved."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from graftport_dagster.records import ResourceType

PRODUCTS, REDIRECTS = ResourceType.PRODUCTS, ResourceType.REDIRECTS
World = Any
Make = Callable[..., dict[str, Any]]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def stage(world: World, **redirects: tuple[str, Any]) -> None:
    payloads = {name: {"input": {"path": path, "target": target}} for name, (path, target) in redirects.items()}
    world.stage(REDIRECTS, payloads)


def there(world: World) -> dict[str, str]:
    return {it["path"]: it["target"] for it in world.objects("UrlRedirect")}


def create(world: World, path: str, target: str) -> None:
    """A merchant has it already."""
    mutation = "mutation($it: UrlRedirectInput!) { urlRedirectCreate(urlRedirect: $it) { urlRedirect { id } } }"
    world.graphql(mutation, it={"path": path, "target": target})


def test_a_chain_is_written_straight(world: World) -> None:
    stage(world, a=("/a", "/b"), b=("/b", "/C/"), c=("/c", "/d?x=1"), d=("/elsewhere", "https://example.com/a"))
    assert outcomes(world.load(REDIRECTS)) == {"created": 4}
    chained = {"/a": "/d?x=1", "/b": "/d?x=1", "/c": "/d?x=1"}
    assert there(world) == {**chained, "/elsewhere": "https://example.com/a"}
    assert outcomes(world.load(REDIRECTS)) == {}


def test_redirects_that_lead_in_a_circle_are_refused_and_no_others(world: World) -> None:
    stage(world, a=("/a", "/b"), b=("/b", "/a"), c=("/c", "/a"), d=("/d", "/e"))
    assert outcomes(world.load(REDIRECTS)) == {"errored": 3, "created": 1}
    said = {it["source_id"]: it["message"] for it in world.incomplete()}
    assert said["a"] == "It leads in a circle: /a → /b → /a."
    assert said["c"] == "It leads in a circle: /c → /a → /b → /a."
    assert {it["code"] for it in world.incomplete()} == {"REDIRECT_LOOP"}
    assert there(world) == {"/d": "/e"}


def test_an_address_that_stays_needs_no_redirect_in_whatever_case(world: World) -> None:
    stage(world, a=("/Shoes/", "/shoes"))
    assert outcomes(world.load(REDIRECTS)) == {"skipped": 1}
    assert outcomes(world.load(REDIRECTS)) == {}
    assert there(world) == {}


def test_a_redirect_that_became_part_of_a_chain_is_straightened(world: World) -> None:
    stage(world, a=("/a", "/b"))
    world.load(REDIRECTS)
    stage(world, a=("/a", "/b"), b=("/b", "/c"))
    assert outcomes(world.load(REDIRECTS)) == {"updated": 1, "created": 1}
    assert there(world) == {"/a": "/c", "/b": "/c"}
    assert outcomes(world.load(REDIRECTS)) == {}


@pytest.mark.parametrize("handle", ["renamed", "old"])
def test_a_redirect_follows_the_handle_of_its_target(
    world: World, make_product: Make, reference: Make, handle: str
) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", handle="old")})
    world.load(PRODUCTS)
    stage(world, r=("/old.html", reference("products", "p")))
    assert outcomes(world.load(REDIRECTS)) == {"created": 1}
    world.stage(PRODUCTS, {"p": make_product("P", handle=handle, vendor="v")})
    world.load(PRODUCTS)
    writes = len(world.writes())
    expected = {"updated": 1} if handle == "renamed" else {}
    assert outcomes(world.load(REDIRECTS)) == expected
    assert there(world) == {"/old.html": f"/products/{handle}"}
    assert len(world.writes()) == writes + len(expected)
    assert outcomes(world.load(REDIRECTS)) == {}


def test_a_redirect_waits_for_its_target(world: World, make_product: Make, reference: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P")})
    stage(world, r=("/old.html", reference("products", "p")))
    assert outcomes(world.load(REDIRECTS)) == {"held": 1}
    world.load(PRODUCTS)
    assert outcomes(world.load(REDIRECTS)) == {"created": 1}
    assert there(world) == {"/old.html": "/products/p"}


def test_a_redirect_that_is_there_with_the_same_target_is_carried_over(world: World) -> None:
    create(world, "/a", "/b")
    create(world, "/c", "/elsewhere")
    stage(world, a=("/a", "/b"), c=("/c", "/d"))
    assert outcomes(world.load(REDIRECTS)) == {"created": 1, "errored": 1}
    (refused,) = world.incomplete()
    assert (refused["source_id"], refused["code"]) == ("c", "ALREADY_THERE")
    assert there(world) == {"/a": "/b", "/c": "/elsewhere"}
    world.options(adopt_existing="by_natural_key")
    assert outcomes(world.load(REDIRECTS)) == {"adopted": 1}
    assert there(world) == {"/a": "/b", "/c": "/d"}


def test_a_redirect_gone_from_the_source_goes_where_the_policy_says_so(world: World) -> None:
    stage(world, a=("/a", "/b"))
    world.load(REDIRECTS)
    world.forget(REDIRECTS)
    assert outcomes(world.load(REDIRECTS)) == {}
    world.options(on_source_delete="delete")
    assert outcomes(world.load(REDIRECTS)) == {"deleted": 1}
    assert there(world) == {}


def test_many_redirects_go_in_one_file_and_the_rest_by_single_calls(world: World) -> None:
    create(world, "/r-7", "/kept")
    redirects = {f"r{n:03}": (f"/r-{n}", f"/t-{n}") for n in range(300)}
    stage(world, **redirects, bad=("/" + "x" * 2000, "/t"), same=("/r-8/", "/t-8"), chain=("/chain", "/r-9"))
    assert outcomes(world.load(REDIRECTS, imports=True)) == {"created": 300}
    assert there(world)["/r-7"] == "/kept"
    assert there(world)["/chain"] == "/t-9"
    creates = [it for it in world.writes() if it["operation"] == "urlRedirectCreate"]
    assert len(creates) == 1  # the merchant's own
    rest = outcomes(world.load(REDIRECTS))
    assert rest["errored"] >= 2
    assert {"r007", "bad"} <= {it["source_id"] for it in world.incomplete()}
    stage(world, r001=("/r-1", "/moved"))
    world.load(REDIRECTS)
    assert there(world)["/r-1"] == "/moved"
    assert len(there(world)) == 301


@pytest.mark.parametrize("operation", ["stagedUploadsCreate", "urlRedirectImportCreate", "urlRedirectImportSubmit"])
@pytest.mark.parametrize("fault", ["hangup_after_commit", "http_503"])
def test_a_file_whose_answer_is_lost_doubles_nothing(world: World, operation: str, fault: str) -> None:
    stage(world, **{f"r{n}": (f"/r-{n}", f"/t-{n}") for n in range(5)})
    world.fault(fault, operation)
    world.load(REDIRECTS, imports=True)
    world.load(REDIRECTS)
    world.clock.ahead = timedelta(minutes=2)
    world.load(REDIRECTS)
    assert there(world) == {f"/r-{n}": f"/t-{n}" for n in range(5)}
    assert len(world.objects("UrlRedirect")) == 5
    assert world.incomplete() == []
    assert outcomes(world.load(REDIRECTS)) == {}


def test_a_redirect_whose_answer_was_lost_costs_one_more_write(world: World) -> None:
    stage(world, a=("/a", "/b"))
    world.fault("hangup_after_commit", "urlRedirectCreate")
    assert outcomes(world.load(REDIRECTS)) == {"unknown": 1}
    before = len(world.calls())
    assert outcomes(world.load(REDIRECTS)) == {"created": 1}
    assert world.calls()[before:] == ["urlRedirectCreate"]
    assert there(world) == {"/a": "/b"}
    stage(world, a=("/a", "/c"))
    assert outcomes(world.load(REDIRECTS)) == {"updated": 1}
    assert there(world) == {"/a": "/c"}

"""Products and collections over their life: pictures once, channels left again, members owned by one side."""

from collections.abc import Callable
from typing import Any

import pytest

from graftport_dagster.records import ResourceType

COLLECTIONS, PRODUCTS = ResourceType.COLLECTIONS, ResourceType.PRODUCTS
World = Any
Make = Callable[..., dict[str, Any]]
CHANNELS = ["Online Store", "Point of Sale"]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def picture(name: str, alt: str = "") -> dict[str, Any]:
    source = f"https://example.com/{name}.jpg"
    return {"originalSource": source, "contentType": "IMAGE", "alt": alt or name}


def published(item: dict[str, Any]) -> int:
    return len(item["publications"])


@pytest.mark.parametrize("fault", ["hangup_after_commit", "truncated_json", "http_500_after_commit"])
def test_pictures_are_uploaded_once_though_the_answer_was_lost(world: World, make_product: Make, fault: str) -> None:
    world.stage(PRODUCTS, {"p": make_product("P", files=[picture("front"), picture("back")])})
    world.fault(fault, "productSet")
    assert outcomes(world.load(PRODUCTS)) == {"created": 1}
    assert len(world.objects("MediaImage")) == 2
    world.stage(PRODUCTS, {"p": make_product("P", files=[picture("side"), picture("back", "Rear"), picture("front")])})
    world.fault(fault, "productSet")
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    (item,) = world.objects("Product")
    assert [it["alt"] for it in item["files"]] == ["side", "Rear", "front"]
    assert len(world.objects("MediaImage")) == 3
    assert outcomes(world.load(PRODUCTS)) == {}


def test_pictures_of_one_name_in_two_products_are_two(world: World, make_product: Make) -> None:
    files = {name: {**picture("front"), "originalSource": f"https://example.com/{name}/front.jpg"} for name in "pq"}
    world.stage(PRODUCTS, {name: make_product(name, files=[files[name]]) for name in "pq"})
    world.load(PRODUCTS)
    assert len({it["filename"] for it in world.objects("MediaImage")}) == 2
    assert all(it["filename"].startswith("front-") for it in world.objects("MediaImage"))


@pytest.mark.parametrize("kind", [PRODUCTS, COLLECTIONS])
def test_a_record_taken_out_of_a_channel_leaves_it(world: World, make_product: Make, kind: ResourceType) -> None:
    def envelope(channels: list[str]) -> dict[str, Any]:
        given = make_product("P") if kind is PRODUCTS else {"input": {"title": "P"}}
        return {**given, "publications": channels}

    def there() -> dict[str, Any]:
        (item,) = world.objects("Product" if kind is PRODUCTS else "Collection")
        found: dict[str, Any] = item
        return found

    world.stage(kind, {"p": envelope(CHANNELS)})
    world.load(kind)
    assert published(there()) == 2
    for channels in (["Online Store"], CHANNELS, ["Point of Sale"], []):
        world.stage(kind, {"p": envelope(channels)})
        assert outcomes(world.load(kind)) == {"updated": 1}
        assert published(there()) == len(channels)
        assert outcomes(world.load(kind)) == {}


def test_a_record_that_was_not_taken_out_resumes_there(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": {**make_product("P"), "publications": CHANNELS}})
    world.load(PRODUCTS)
    world.stage(PRODUCTS, {"p": {**make_product("P"), "publications": ["Online Store"]}})
    world.patience_seconds = 0.2
    world.fault("http_503", "publishableUnpublish", times=20)
    world.load(PRODUCTS)
    assert published(world.objects("Product")[0]) == 2
    world.calm()
    world.load(PRODUCTS)
    assert published(world.objects("Product")[0]) == 1
    assert outcomes(world.load(PRODUCTS)) == {}


def test_the_picture_of_a_collection_is_uploaded_once(world: World) -> None:
    image = {"src": "https://example.com/c.jpg", "altText": "C"}
    given = {"title": "C", "image": image}
    world.stage(COLLECTIONS, {"c": {"input": given, "publications": []}})
    world.load(COLLECTIONS)
    world.stage(COLLECTIONS, {"c": {"input": {**given, "sortOrder": "PRICE_ASC"}, "publications": []}})
    world.load(COLLECTIONS)
    world.load(COLLECTIONS, only_dirty=False)
    updates = [it for it in world.writes() if it["operation"] == "collectionUpdate"]
    assert len(updates) == 2
    assert all("image" not in it["variables"]["collection"] for it in updates)
    (collection,) = world.objects("Collection")
    assert (collection["image"]["src"], collection["sortOrder"]) == ("https://example.com/c.jpg", "PRICE_ASC")


def chosen(*products: dict[str, Any]) -> dict[str, Any]:
    selections = [{"productId": it} for it in products]
    source = {"source": {"title": "Chosen", "inclusion": {"selections": selections}}}
    return {"input": {"title": "C", "sources": [source]}, "publications": []}


def owned_by(world: World, owner: str) -> None:
    world.migration = world.migration.model_copy(update={"settings": {"members": owner}})


def test_a_collection_that_names_products_waits_for_them_and_follows_the_source(
    world: World, make_product: Make, reference: Make
) -> None:
    owned_by(world, "collections")
    world.stage(PRODUCTS, {name: make_product(name) for name in "pq"})
    world.stage(COLLECTIONS, {"c": chosen(reference("products", "p"), reference("products", "q"))})
    assert outcomes(world.load(COLLECTIONS)) == {"held": 1}
    world.load(PRODUCTS)
    assert outcomes(world.load(COLLECTIONS)) == {"created": 1}
    assert len(world.objects("Collection")[0]["products"]) == 2
    world.stage(COLLECTIONS, {"c": chosen(reference("products", "q"))})
    assert outcomes(world.load(COLLECTIONS)) == {"updated": 1}
    gids = {it["handle"]: it["id"] for it in world.objects("Product")}
    assert world.objects("Collection")[0]["products"] == [gids["q"]]
    assert outcomes(world.load(COLLECTIONS)) == {}
    # A product that changes leaves the members alone.
    world.stage(PRODUCTS, {name: make_product(name, vendor="v") for name in "pq"})
    world.load(PRODUCTS)
    assert world.objects("Collection")[0]["products"] == [gids["q"]]


@pytest.mark.parametrize("owner", ["products", "collections"])
def test_members_are_never_said_by_both_sides(world: World, make_product: Make, reference: Make, owner: str) -> None:
    owned_by(world, owner)
    world.stage(COLLECTIONS, {"c": {"input": {"title": "C"}, "publications": []}})
    world.load(COLLECTIONS)
    world.stage(PRODUCTS, {"p": make_product("P", collections=[reference("collections", "c")])})
    world.load(PRODUCTS)
    world.stage(COLLECTIONS, {"c": chosen()})
    world.stage(PRODUCTS, {"q": make_product("Q")})
    world.load(PRODUCTS)
    world.stage(COLLECTIONS, {"c": chosen(reference("products", "q"))})
    world.load(COLLECTIONS)
    (refused,) = world.incomplete()
    assert refused["code"] == "MEMBERS_ELSEWHERE"
    assert refused["resource_type"] == ("collections" if owner == "products" else "products")


def test_the_text_of_a_collections_picture_changes_without_the_picture(world: Any) -> None:
    def staged(text: str, source: str = "https://example.com/a.jpg") -> dict[str, Any]:
        return {"input": {"title": "C", "handle": "c", "image": {"src": source, "altText": text}}, "publications": []}

    kind = ResourceType.COLLECTIONS
    world.stage(kind, {"c": staged("first")})
    world.load(kind)
    world.stage(kind, {"c": staged("second")})
    world.load(kind)
    assert world.objects("Collection")[0]["image"] == {"src": "https://example.com/a.jpg", "altText": "second"}
    assert world.writes()[-1]["variables"]["collection"]["image"] == {"altText": "second"}
    world.stage(kind, {"c": staged("second", "https://example.com/b.jpg")})
    world.load(kind)
    assert world.objects("Collection")[0]["image"]["src"] == "https://example.com/b.jpg"

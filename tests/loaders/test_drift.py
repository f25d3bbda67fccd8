"""What somebody edited in Shopify since our last write is told before it is overwritten, or held."""

import time
from collections.abc import Callable
from typing import Any

from graftport_dagster.records import Phase, ResourceType

COLLECTIONS, CUSTOMERS, PRODUCTS = ResourceType.COLLECTIONS, ResourceType.CUSTOMERS, ResourceType.PRODUCTS
World = Any
Make = Callable[..., dict[str, Any]]


def outcomes(tally: Any) -> dict[str, int]:
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def a_second_passes() -> None:
    """Shopify tells times of change to the second."""
    time.sleep(1.1)


def edit(world: World, **fields: Any) -> None:
    """A merchant edits the first product, or a variant's price (`price`), in Shopify."""
    a_second_passes()
    product = world.objects("Product")[0]
    if price := fields.pop("price", None):
        variants = [
            {"id": one["id"], "optionValues": [{"optionName": "Size", "name": size}], "price": price}
            for one, size in zip(product["variants"], "SM", strict=True)
        ]
        options = [{"name": "Size", "values": [{"name": "S"}, {"name": "M"}]}]
        world.graphql(
            "mutation($id: ID!, $input: ProductSetInput!) "
            "{ productSet(identifier: {id: $id}, input: $input) { userErrors { message } } }",
            id=product["id"], input={"productOptions": options, "variants": variants},
        )  # fmt: skip
    if fields:
        world.graphql(
            "mutation($product: ProductUpdateInput!) { productUpdate(product: $product) { userErrors { message } } }",
            product={"id": product["id"], **fields},
        )


def reads(world: World) -> list[str]:
    return [call["operation"] for call in world.asked() if call["operation"] == "nodes"]


def test_an_edit_in_shopify_is_overwritten_with_a_warning_that_names_it(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {"p": make_product("P"), "q": make_product("Q")})
    world.load(PRODUCTS)
    edit(world, title="Edited", price="99.00")
    title = world.objects("Product")[0]["handle"]
    world.stage(PRODUCTS, {name: make_product(name.upper(), price="2.00") for name in "pq"})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 2}
    (warning,) = world.store.runs.warnings(f"run-{world.runs}", PRODUCTS, Phase.LOAD)
    assert (warning.code, warning.sample_ids) == ("DRIFTED", (title,))
    assert "title, variants.price" in warning.message
    assert {item["title"] for item in world.objects("Product")} == {"P", "Q"}
    world.stage(PRODUCTS, {name: make_product(name.upper(), price="3.00") for name in "pq"})
    world.load(PRODUCTS)
    assert world.warnings(PRODUCTS) == {}


def test_an_edit_is_held_with_its_field_where_the_file_says_so(world: World, make_product: Make) -> None:
    world.options(drift="hold")
    world.stage(PRODUCTS, {"p": make_product("P"), "q": make_product("Q")})
    world.load(PRODUCTS)
    edit(world, title="Edited")
    gid = world.objects("Product")[0]["id"]
    world.stage(PRODUCTS, {name: make_product(name.upper(), price="2.00") for name in "pq"})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1, "held": 1}
    (held,) = world.incomplete()
    assert (held["code"], held["reason"], held["path"]) == ("DRIFTED", "drift", "input.title")
    assert next(item for item in world.objects("Product") if item["id"] == gid)["title"] == "Edited"
    world.options(drift="overwrite")
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert world.incomplete() == []


def test_a_field_that_the_mapping_leaves_to_shopify_is_no_drift(world: World, make_product: Make) -> None:
    world.options(drift="hold")
    world.stage(PRODUCTS, {"p": make_product("P")})
    world.load(PRODUCTS)
    edit(world, vendor="Theirs", descriptionHtml="<p>Theirs</p>")
    world.stage(PRODUCTS, {"p": make_product("P", price="2.00")})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}
    assert world.objects("Product")[0]["vendor"] == "Theirs"


def test_the_same_edit_in_source_and_shopify_is_no_drift(world: World, make_product: Make) -> None:
    world.options(drift="hold")
    world.stage(PRODUCTS, {"p": make_product("P", vendor="Old")})
    world.load(PRODUCTS)
    edit(world, vendor="New")
    world.stage(PRODUCTS, {"p": make_product("P", vendor="New")})
    assert outcomes(world.load(PRODUCTS)) == {"updated": 1}


def test_a_filtered_update_looks_at_what_it_sends_and_forgets_nothing(world: World, make_product: Make) -> None:
    world.options(drift="hold")
    world.stage(PRODUCTS, {"p": make_product("P", vendor="V")})
    world.load(PRODUCTS)
    edit(world, vendor="Edited")
    world.stage(PRODUCTS, {"p": make_product("P", vendor="V", price="2.00")})
    assert outcomes(world.load(PRODUCTS, field_filter={"products": ("price",)})) == {"updated": 1}
    assert world.objects("Product")[0]["vendor"] == "Edited"
    world.stage(PRODUCTS, {"p": make_product("P", vendor="W", price="2.00")})
    assert outcomes(world.load(PRODUCTS)) == {"held": 1}
    assert world.incomplete()[0]["path"] == "input.vendor"


def test_new_records_and_unchanged_ones_are_not_looked_at(world: World, make_product: Make) -> None:
    world.stage(PRODUCTS, {f"p{n}": make_product(f"P {n}") for n in range(5)})
    world.load(PRODUCTS)
    world.load(PRODUCTS)
    assert reads(world) == []
    edit(world, title="Edited")
    world.stage(PRODUCTS, {f"p{n}": make_product(f"P {n}", price="2.00") for n in range(5)})
    world.load(PRODUCTS)
    assert reads(world) == ["nodes", "nodes"]


def test_edits_of_customers_and_collections_are_noticed_too(world: World) -> None:
    world.options(drift="hold")
    customer: dict[str, Any] = {"input": {"email": "a@example.com", "firstName": "A", "tags": ["x"]}}
    collection: dict[str, Any] = {"input": {"title": "C", "handle": "c"}, "publications": []}
    world.stage(CUSTOMERS, {"a": customer})
    world.stage(COLLECTIONS, {"c": collection})
    world.load(CUSTOMERS)
    world.load(COLLECTIONS)
    a_second_passes()
    world.graphql(
        "mutation($input: CustomerInput!) { customerUpdate(input: $input) { userErrors { message } } }",
        input={"id": world.objects("Customer")[0]["id"], "tags": ["x", "vip"]},
    )
    world.graphql(
        "mutation($it: CollectionUpdateInput!) { collectionUpdate(collection: $it) { userErrors { message } } }",
        it={"id": world.objects("Collection")[0]["id"], "title": "Edited"},
    )
    customer["input"]["tags"] = ["x", "y"]
    collection["input"]["title"] = "D"
    world.stage(CUSTOMERS, {"a": customer})
    world.stage(COLLECTIONS, {"c": collection})
    assert outcomes(world.load(CUSTOMERS)) == {"held": 1}
    assert outcomes(world.load(COLLECTIONS)) == {"held": 1}
    assert [(one["resource_type"], one["path"]) for one in world.incomplete()] == [
        ("customers", "input.tags"), ("collections", "input.title"),
    ]  # fmt: skip

"""Collections stand where their categories stood: the one above in a metafield, the whole tree as one menu."""

from typing import Any

import pytest

from graftport_dagster.migration import CategoryMenu
from graftport_dagster.records import ResourceType

COLLECTIONS = ResourceType.COLLECTIONS
World = Any
Tree = dict[str, tuple[str, int]]


def stage(world: World, tree: Tree, **more: Any) -> None:
    """`{"2": ("1", 5)}`: the collection 2 stands below 1, at 5; "" is the top."""
    world.stage(COLLECTIONS, {
        name: {
            "input": {"title": f"C{name}", "handle": f"c{name}"}, "publications": [],
            "hierarchy": {"position": position, **({"parent": above} if above else {}), **more.get(f"c{name}", {})},
        }
        for name, (above, position) in tree.items()
    })  # fmt: skip


def with_menu(world: World, handle: str = "categories") -> None:
    menu = CategoryMenu(handle=handle, title="Categories")
    world.migration = world.migration.model_copy(update={"menu": menu})


def parents(world: World) -> dict[str, str]:
    """Title → title of the one above."""
    found = world.objects("Collection")
    titles = {it["id"]: it["title"] for it in found}
    return {
        it["title"]: titles[field["value"]]
        for it in found for field in it["metafields"] if (field["namespace"], field["key"]) == ("custom", "parent")
    }  # fmt: skip


def shown(items: list[Any]) -> list[Any]:
    return [(it["title"], shown(it["items"])) if it["items"] else it["title"] for it in items]


def ours(world: World) -> Any:
    (menu,) = [it for it in world.objects("Menu") if it["handle"] == "categories"]
    return menu


TREE: Tree = {"1": ("", 2), "2": ("", 1), "3": ("1", 1), "4": ("3", 1), "5": ("4", 1), "6": ("1", 0)}


def test_the_tree_is_kept_in_metafields_and_in_one_menu_and_a_second_load_sends_nothing(world: World) -> None:
    with_menu(world)
    stage(world, TREE)
    world.load(COLLECTIONS)
    assert parents(world) == {"C3": "C1", "C4": "C3", "C5": "C4", "C6": "C1"}
    menu = ours(world)
    assert shown(menu["items"]) == ["C2", ("C1", ["C6", ("C3", ["C4"])])]
    assert (menu["title"], {it["type"] for it in menu["items"]}) == ("Categories", {"COLLECTION"})
    assert any("1 collections are not in the menu categories" in note for note in world.notes)
    writes = len(world.writes())
    world.load(COLLECTIONS)
    assert len(world.writes()) == writes


def test_a_tree_that_changes_changes_the_same_menu(world: World) -> None:
    with_menu(world)
    stage(world, TREE)
    world.load(COLLECTIONS)
    before = ours(world)["id"]
    stage(world, {**TREE, "3": ("", 0), "6": ("2", 0)})
    world.load(COLLECTIONS)
    assert ours(world)["id"] == before
    assert shown(ours(world)["items"]) == [("C3", [("C4", ["C5"])]), ("C2", ["C6"]), "C1"]
    assert parents(world) == {"C4": "C3", "C5": "C4", "C6": "C2"}
    assert not any("not in the menu" in note for note in world.notes)


def test_without_a_menu_in_the_file_there_is_none(world: World) -> None:
    stage(world, TREE)
    world.load(COLLECTIONS)
    assert [it for it in world.objects("Menu") if it["handle"] == "categories"] == []
    assert len(parents(world)) == 4
    with_menu(world)
    world.load(COLLECTIONS)
    assert len(ours(world)["items"]) == 2


def test_what_is_hidden_is_not_in_the_menu_nor_what_is_below_it(world: World) -> None:
    with_menu(world)
    stage(world, TREE, c3={"in_menu": False})
    world.load(COLLECTIONS)
    assert shown(ours(world)["items"]) == ["C2", ("C1", ["C6"])]


def test_categories_in_a_circle_are_left_out_of_the_menu(world: World) -> None:
    with_menu(world)
    stage(world, {"1": ("2", 0), "2": ("1", 0), "3": ("", 0), "4": ("4", 0)})
    world.load(COLLECTIONS)
    assert shown(ours(world)["items"]) == ["C3"]


def test_a_collection_that_is_gone_from_the_source_leaves_the_menu(world: World) -> None:
    with_menu(world)
    world.options(on_source_delete="delete")
    stage(world, TREE)
    world.load(COLLECTIONS)
    world.forget(COLLECTIONS)
    stage(world, {"1": ("", 1), "3": ("1", 1)})
    world.load(COLLECTIONS)
    assert shown(ours(world)["items"]) == [("C1", ["C3"])]


@pytest.mark.parametrize("fault", ["hangup_after_commit", "hangup_before_commit"])
def test_a_lost_answer_makes_no_second_menu(world: World, fault: str) -> None:
    with_menu(world)
    stage(world, TREE)
    world.fault(fault, "menuCreate")
    with pytest.raises(Exception, match="answer"):
        world.load(COLLECTIONS)
    world.load(COLLECTIONS)
    assert shown(ours(world)["items"])[0] == "C2"
    assert len({it["handle"] for it in world.objects("Menu")}) == len(world.objects("Menu"))


def test_a_menu_that_is_there_already_is_left_alone_or_taken_over(world: World) -> None:
    query = 'mutation { menuCreate(title: "Mine", handle: "categories", items: []) { menu { id } } }'
    gid = world.graphql(query)["menuCreate"]["menu"]["id"]
    with_menu(world)
    stage(world, TREE)
    world.load(COLLECTIONS)
    assert (ours(world)["title"], ours(world)["items"]) == ("Mine", [])
    assert any("is in the store already" in note and "adopt_existing" in note for note in world.notes)
    world.options(adopt_existing="by_natural_key")
    world.load(COLLECTIONS)
    assert (ours(world)["id"], len(ours(world)["items"])) == (gid, 2)


def test_a_menu_deleted_in_shopify_is_made_again_with_the_next_change(world: World) -> None:
    with_menu(world)
    stage(world, TREE)
    world.load(COLLECTIONS)
    world.graphql("mutation($id: ID!) { menuDelete(id: $id) { deletedMenuId } }", id=ours(world)["id"])
    stage(world, {**TREE, "6": ("2", 0)})
    world.load(COLLECTIONS)
    assert shown(ours(world)["items"]) == [("C2", ["C6"]), ("C1", [("C3", ["C4"])])]

"""Menus of the online store.

What lives here: menus and the items in them, up to three levels. No error of theirs was
recorded; codes are the schema's.
"""

from collections.abc import Iterable
from typing import Any

from graftport_dagster.simulator.answers import refuse
from graftport_dagster.simulator.handles import handle_of
from graftport_dagster.simulator.lists import list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_DEEPEST = 3


def _items(call: Call, given: list[Object], path: list[str | int], depth: int = 1) -> list[Object]:
    if given and depth > _DEEPEST:
        raise refuse(path, f"Menu items cannot be nested more than {_DEEPEST} levels deep", "NESTING_TOO_DEEP")
    items = []
    for index, it in enumerate(given):
        place = [*path, index]
        target = it.get("resourceId")
        if target and call.state.get(target) is None:
            raise refuse([*place, "resourceId"], "Resource does not exist", "NOT_FOUND")
        items.append({
            "id": it.get("id") or call.state.new_id("MenuItem"), "title": it["title"], "type": it["type"],
            "url": it.get("url"), "resourceId": target, "tags": it.get("tags") or [],
            "items": _items(call, it.get("items") or [], [*place, "items"], depth + 1),
        })  # fmt: skip
    return items


def _write(call: Call, menu: Object, arguments: Arguments) -> Object:
    handle = handle_of(arguments.get("handle") or menu["handle"] or arguments["title"])
    if any(gid != menu["id"] for gid in call.state.find("menu handle", handle)):
        raise refuse(["handle"], "Handle has already been taken", "TAKEN")
    menu.update(title=arguments["title"], handle=handle, items=_items(call, arguments["items"], ["items"]))
    call.state.put(menu)
    return {"menu": menu}


def _create(call: Call, arguments: Arguments) -> Object:
    return _write(call, {"id": call.state.new_id("Menu"), "handle": "", "isDefault": False}, arguments)


def _update(call: Call, arguments: Arguments) -> Object:
    menu = call.take(arguments["id"], "Menu")
    if menu is None:
        raise refuse(["id"], "Menu does not exist", "NOT_FOUND")
    return _write(call, menu, arguments)


def _delete(call: Call, arguments: Arguments) -> Object:
    menu = call.take(arguments["id"], "Menu")
    if menu is None:
        raise refuse(["id"], "Menu does not exist", "MENU_DOES_NOT_EXIST")
    call.state.delete(menu)
    return {"deletedMenuId": menu["id"]}


def _values(it: Object, field: str) -> Iterable[Any] | None:
    if field == "id":
        return [it["id"].rpartition("/")[2], it["id"]]
    return [it["title"]] if field in {"default", "title"} else None


PART = Part(
    queries={
        "menu": lambda call, _, it: call.take(it["id"], "Menu"),
        "menus": list_of(Searchable("Menu", _values, {})),
    },
    mutations={"menuCreate": _create, "menuUpdate": _update, "menuDelete": _delete},
    keys={"Menu": lambda it: [("menu handle", it["handle"])]},
)

"""The same objects in pages: where bulk queries are refused, or there is too little to ask for in bulk.

A page is as large as one call's allowance lets it be. Lists that go on behind a page are asked for
object by object. What is wanted is in `catalogue`, the documents in `asking`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from graftport_dagster.errors import RemoteFaultError
from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.cost import requested_cost
from graftport_dagster.sources.shopify.asking import Connection, page_document, rest_document

_SIZES = (250, 100, 50, 25, 10, 5, 2, 1)
# Of the thousand points that one call may ask for; the estimate may be a little low.
_MOST_POINTS = 800


class PageReader:
    """Reads one shop in pages."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def read(self, root: Connection, search: str) -> Iterator[JsonObject]:
        """Every root object with what is below it."""
        document = page_document(root)
        size = next((size for size in _SIZES if requested_cost(document, {"first": size}) <= _MOST_POINTS), _SIZES[-1])
        after: str | None = None
        while True:
            variables: JsonObject = {"first": size, "after": after}
            if root.arguments != "-":
                variables["query"] = search or None
            page = self._shop.call(document, variables, repeatable=True).data
            for node in _nodes(page, root.name):
                yield self._whole(node, root)
            following = page["pageInfo"]
            if not following["hasNextPage"]:
                return
            if following["endCursor"] == after:
                raise RemoteFaultError(f"Shopify gave a page of {root.name} twice.", code="UNEXPECTED_ANSWER")
            after = following["endCursor"]

    def by_ids(self, document: str, ids: Sequence[str]) -> dict[str, JsonObject]:
        """What the document says of each of these objects; those that are gone are left out."""
        found = self._shop.call(document, {"ids": list(ids)}, repeatable=True).data["nodes"]
        return {node["id"]: flattened(node) for node in found if node}

    def _whole(self, node: JsonObject, connection: Connection) -> JsonObject:
        for child in connection.children:
            holder: Any = (node.get(child.within) or {}) if child.within else node
            page = holder.get(child.name)
            if page is None:
                continue
            objects = _nodes(page, child.name)
            while page is not None and page["pageInfo"]["hasNextPage"]:
                page = self._next(node, connection, child, page["pageInfo"]["endCursor"])
                objects += _nodes(page, child.name) if page else []
            if page is None:
                node["__incomplete"] = "it was deleted while the shop was read"
            holder[child.name] = [self._whole(each, child) for each in objects]
        whole: JsonObject = flattened(node)
        return whole

    def _next(self, node: JsonObject, parent: Connection, child: Connection, after: str) -> JsonObject | None:
        """The next page of an object's list; None where the object is gone."""
        document = rest_document(parent, child)
        found = self._shop.call(document, {"id": node["id"], "after": after}, repeatable=True).data
        if not found:
            return None
        holder: Any = (found.get(child.within) or {}) if child.within else found
        if child.name not in holder:
            raise RemoteFaultError(
                f"Shopify did not give the rest of {child.name} of {node['id']}.", code="UNEXPECTED_ANSWER"
            )
        page: JsonObject = holder[child.name]
        return page


def _nodes(page: Any, name: str) -> list[JsonObject]:
    if not isinstance(page, dict) or not isinstance(page.get("nodes"), list):
        raise RemoteFaultError(f"Shopify answered {name} with no page.", code="UNEXPECTED_ANSWER")
    return list(page["nodes"])


def flattened(value: Any) -> Any:
    """Pages within as plain lists; one that goes on leaves `__incomplete` on the object, with its name."""
    if isinstance(value, list):
        return [flattened(each) for each in value]
    if not isinstance(value, dict):
        return value
    made: JsonObject = {}
    for name, inner in value.items():
        if isinstance(inner, dict) and isinstance(inner.get("nodes"), list):
            if inner["pageInfo"]["hasNextPage"]:
                made["__incomplete"] = f"it has more {name} than one page holds"
            made[name] = [flattened(each) for each in inner["nodes"]]
        else:
            made[name] = flattened(inner)
    return made


def incomplete(value: Any) -> str:
    """Why the object is not whole, wherever within it is said; "" where it is. Takes the words out of it."""
    if isinstance(value, list):
        return next((why for each in value if (why := incomplete(each))), "")
    if not isinstance(value, dict):
        return ""
    own = str(value.pop("__incomplete", ""))
    return own or next((why for each in value.values() if (why := incomplete(each))), "")

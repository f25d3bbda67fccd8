"""Collections as the tree that categories were: which one is above which, and a menu of the online store.

Shopify's collections have none above them. Where a mapping gives `hierarchy` beside `input`, the one above is kept
in a metafield (`custom.parent`), and where the migration has a `menu`, the tree is that menu: one, known by its
handle, made again in place when the tree changes. Both are done when the collections themselves have landed, for
they need their GIDs; what was written is remembered, so that a second load sends nothing.

Facts (API 2026-10): a menu has three levels; its handle is unique in the store; `menuUpdate` takes all items.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from graftport_dagster.loaders.plan import Caller, LoadContext
from graftport_dagster.migration import CategoryMenu
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, json_hash
from graftport_dagster.shopify.documents import document
from graftport_dagster.store.record_store import Selection

# Kinds of identities that no record has: the metafield of a collection, and the menu.
_PARENTS, _MENUS = "collection_parents", "menus"
PARENT = {"namespace": "custom", "key": "parent"}
_METAFIELDS = 25
_LEVELS = 3
_PAGE = 100
# Of a menu that is about to be made: what is found under its handle after a lost answer is ours.
_INTENDED = "intended"


@dataclass(frozen=True, slots=True)
class _Node:
    """One collection in the tree. `above`: the source id of the one above it, "" at the top."""

    source_id: str
    gid: str
    title: str
    above: str
    position: float
    in_menu: bool


class Hierarchy:
    """The tree of one migration's collections on one store, as it is staged and has landed now."""

    def __init__(self, context: LoadContext) -> None:
        self._context = context
        self._loads = context.store.loads
        self._nodes = {node.source_id: node for node in self._read()}

    @property
    def is_empty(self) -> bool:
        """Whether no collection that has landed says where it stands."""
        return not self._nodes

    def keep(self, caller: Caller) -> list[str]:
        """Writes what has changed of the tree; remarks for the run. Raises what concerns the whole store."""
        notes = self._keep_parents(caller)
        menu = self._context.migration.menu
        return notes if menu is None else [*notes, *self._keep_menu(menu, caller)]

    def _read(self) -> Iterator[_Node]:
        context = self._context
        for batch in self._loads.to_load(
            context.dataset, context.store_gid, ResourceType.COLLECTIONS, Selection(), only_pending=False
        ):
            for record in batch:
                place = record.payload.get("hierarchy")
                if place is None or not record.gid or record.source_deleted:
                    continue
                given = record.payload["input"]
                yield _Node(
                    source_id=record.source_id, gid=record.gid, title=str(given["title"]),
                    above=str(place.get("parent") or ""), position=float(place.get("position") or 0),
                    in_menu=place.get("in_menu") is not False,
                )  # fmt: skip

    # --- the one above, in a metafield -------------------------------------------------------

    def _keep_parents(self, caller: Caller) -> list[str]:
        keys = [RecordKey(_PARENTS, source_id) for source_id in self._nodes]
        known = self._loads.identities(self._context.migration.slug, self._context.store_gid, keys)
        wanted = {node.source_id: self._parent(node) for node in self._nodes.values()}
        # What was written names the one above (gid) and the collection it was written to (handle).
        before = {key.source_id: (it.gid, it.handle) for key, it in known.items()}
        due = [
            node for node in self._nodes.values()
            if before.get(node.source_id, ("", node.gid)) != (wanted[node.source_id], node.gid)
        ]  # fmt: skip
        refused: list[str] = []
        for few in _batches(due, _METAFIELDS):
            if self._context.should_stop():
                break
            if said := self._write_parents(few, wanted, caller):
                refused.append(said)
            else:
                self._remember(
                    Identity(RecordKey(_PARENTS, node.source_id), wanted[node.source_id], node.gid) for node in few
                )
        return [f"Shopify refused to keep which collection is above another: {refused[0]}"] if refused else []

    def _parent(self, node: _Node) -> str:
        """The GID of the one above; "" at the top, or while that has not landed."""
        return self._nodes[node.above].gid if node.above in self._nodes else ""

    def _write_parents(self, few: Sequence[_Node], wanted: dict[str, str], caller: Caller) -> str:
        """Shopify's words where it refused them."""
        kept: list[JsonObject] = [
            {"ownerId": node.gid, **PARENT, "type": "collection_reference", "value": wanted[node.source_id]}
            for node in few
            if wanted[node.source_id]
        ]
        gone: list[JsonObject] = [{"ownerId": node.gid, **PARENT} for node in few if not wanted[node.source_id]]
        for name, metafields in (("metafields_set", kept), ("metafields_delete", gone)):
            if metafields:
                answer = caller.call(document(name), {"metafields": metafields}, repeatable=True)
                if answer.user_errors:
                    return answer.user_errors[0].message
        return ""

    # --- the menu ------------------------------------------------------------------------------

    def _keep_menu(self, menu: CategoryMenu, caller: Caller) -> list[str]:
        items, left_out = self._items()
        key = RecordKey(_MENUS, menu.handle)
        known = self._loads.identities(self._context.migration.slug, self._context.store_gid, [key]).get(key)
        digest = json_hash([menu.title, items])
        notes = [f"{left_out} collections are not in the menu {menu.handle}: they are deeper than Shopify's "
                 f"{_LEVELS} levels, or the one above them is not in it."] if left_out else []  # fmt: skip
        is_same = known is not None and known.gid != _INTENDED and known.handle == digest
        if self._context.should_stop() or (is_same and self._context.run.options.only_dirty):
            return notes
        gid, refused = self._put_menu(menu, items, known, caller)
        if refused:
            return [*notes, refused]
        self._remember([Identity(key, gid, digest)])
        return [*notes, f"the menu {menu.handle} has {_count(items)} collections"]

    def _put_menu(
        self, menu: CategoryMenu, items: list[JsonObject], known: Identity | None, caller: Caller
    ) -> tuple[str, str]:
        """The GID of the menu, made or changed; or why there is none."""
        there = next((it for it in _menus(caller) if it["handle"] == menu.handle), None)
        variables = {"title": menu.title, "handle": menu.handle, "items": items}
        if there is None:
            self._remember([Identity(RecordKey(_MENUS, menu.handle), _INTENDED)])
            answer = caller.call(document("menu_create"), variables, repeatable=False)
        elif known is None and self._context.migration.options.adopt_existing == "never":
            return "", (
                f"The menu {menu.handle} is in the store already and is not from this migration: give another "
                "menu.handle, or set options.adopt_existing: by_natural_key to replace its items."
            )
        else:
            answer = caller.call(document("menu_update"), {"id": there["id"], **variables}, repeatable=True)
        if answer.user_errors:
            return "", f"Shopify refused the menu {menu.handle}: {answer.user_errors[0].message}"
        return str(answer.data["menu"]["id"]), ""

    def _items(self) -> tuple[list[JsonObject], int]:
        """The menu's items, and how many collections that want to be in it are not."""
        below: dict[str, list[_Node]] = {}
        for node in self._nodes.values():
            if node.in_menu:
                below.setdefault(node.above, []).append(node)
        items = _level(below, "", 1)
        return items, sum(map(len, below.values())) - _count(items)

    def _remember(self, identities: Iterable[Identity]) -> None:
        self._loads.put_identities(self._context.migration.slug, self._context.store_gid, list(identities))


def _level(below: dict[str, list[_Node]], above: str, depth: int) -> list[JsonObject]:
    items = []
    for node in sorted(below.get(above, ()), key=lambda node: (node.position, node.title, node.source_id)):
        item: JsonObject = {"title": node.title, "type": "COLLECTION", "resourceId": node.gid}
        if inner := _level(below, node.source_id, depth + 1) if depth < _LEVELS else []:
            item["items"] = inner
        items.append(item)
    return items


def _count(items: Sequence[JsonObject]) -> int:
    return sum(1 + _count(item.get("items", ())) for item in items)


def _menus(caller: Caller) -> Iterator[JsonObject]:
    after = None
    while True:
        page = caller.call(document("menus"), {"first": _PAGE, "after": after}, repeatable=True).data
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _batches(nodes: Iterable[_Node], size: int) -> Iterator[list[_Node]]:
    iterator = iter(nodes)
    while few := list(islice(iterator, size)):
        yield few

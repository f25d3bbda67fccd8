"""One description of what is wanted of a type, and the documents that ask for it.

A bulk query may hold five connections, two deep, and none within a list; what is wanted of a type
may need more, and is then asked in several parts that `bulk` puts together. Pages ask for all of
it at once. What is wanted of which type is in `catalogue`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Connection:
    """A list of objects. `types`: what they are, by `__typename`; the first is that of the object they hang from.

    `within`: the object of the parent that holds it (`inventoryItem`), and `on` the types that object may be of where
    it is a union. `part`: the bulk query that asks for it. `first`: how many a page asks for at once.
    """

    name: str
    types: tuple[str, ...]
    fields: str
    children: tuple["Connection", ...] = ()
    arguments: str = ""
    within: str = ""
    on: tuple[str, ...] = ()
    part: int = 1
    first: int = 50
    # Some objects have no id of their own, and nothing can be asked of them later.
    has_id: bool = True

    @property
    def parts(self) -> frozenset[int]:
        """The bulk queries that this, or something below it, belongs to."""
        return frozenset({self.part}).union(*(child.parts for child in self.children))


def bulk_document(root: Connection, part: int, search: str) -> str:
    """The query for one part; `search`: what the root is narrowed to."""
    given = f"(query: {_quoted(search)})" if search else ""
    return "{ " + _bulk(root, part, given) + " }"


def _bulk(connection: Connection, part: int, arguments: str = "") -> str:
    arguments = arguments or (f"({connection.arguments})" if connection.arguments else "")
    fields = connection.fields if connection.part == part else ""
    own = "__typename id" if connection.has_id else "__typename"
    children = " ".join(_placed(child, _bulk(child, part)) for child in connection.children if part in child.parts)
    return f"{connection.name}{arguments} {{ edges {{ node {{ {own} {fields} {children} }} }} }}"


def page_document(root: Connection) -> str:
    """The query for one page of everything: `$first`, `$after`, `$query`."""
    narrowed = "query: $query" if root.arguments != "-" else ""
    head = "query Page($first: Int!, $after: String" + (", $query: String)" if narrowed else ")")
    return f"{head} {{ {_page(root, f'(first: $first, after: $after {narrowed})')} }}"


def _page(connection: Connection, arguments: str = "") -> str:
    given = arguments or f"(first: {connection.first} {connection.arguments})"
    own = "__typename id" if connection.has_id else "__typename"
    children = " ".join(_placed(child, _page(child)) for child in connection.children)
    return (
        f"{connection.name}{given} {{ pageInfo {{ hasNextPage endCursor }} "
        f"nodes {{ {own} {connection.fields} {children} }} }}"
    )


def rest_document(parent: Connection, child: Connection) -> str:
    """The query for the next page of one object's list: `$id`, `$after`."""
    more = replace(child, first=min(250, child.first * 5))
    inner = _placed(child, _page(more, f"(first: {more.first}, after: $after {child.arguments})"))
    return f"query Rest($id: ID!, $after: String) {{ node(id: $id) {{ ... on {parent.types[0]} {{ id {inner} }} }} }}"


def _placed(child: Connection, text: str) -> str:
    """The list where it hangs: in the object itself, or in one of its objects, whose id Shopify wants beside it."""
    if not child.within:
        return text
    if child.on:
        return child.within + " { " + " ".join(f"... on {kind} {{ {text} }}" for kind in child.on) + " }"
    return f"{child.within} {{ id {text} }}"


def walk(root: Connection) -> Iterator[tuple[Connection | None, Connection]]:
    """Every connection with the one that it is below."""
    todo: list[tuple[Connection | None, Connection]] = [(None, root)]
    while todo:
        parent, connection = todo.pop()
        yield parent, connection
        todo += [(connection, child) for child in connection.children]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

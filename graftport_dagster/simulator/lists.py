"""The lists that Shopify offers of a type: everything, or what a search finds.

What lives here: the two root fields that most types have alike, `things(query:)` and
`thingsCount(query:)`. What is searched is said by each type's own module.
"""

from graftport_dagster.simulator.connections import page_of_all, page_of_found
from graftport_dagster.simulator.parts import Arguments, Call, Resolver
from graftport_dagster.simulator.search import Searchable, search
from graftport_dagster.simulator.state import Object


def list_of(what: Searchable) -> Resolver:
    """The list of a type; without a query it shows objects as they are now, with one as search knows them."""

    def _list(call: Call, _: None, arguments: Arguments) -> Object:
        if not (query := arguments.get("query")):
            return page_of_all(call.state, what.kind, arguments)
        return page_of_found(search(call.state, what, query), arguments)

    return _list


def count_of(what: Searchable) -> Resolver:
    """How many there are, or how many a search finds; no more than the `limit`, which is 10,000 unless given."""

    def _count(call: Call, _: None, arguments: Arguments) -> Object:
        query, limit = arguments.get("query"), arguments.get("limit")
        count = sum(1 for _ in search(call.state, what, query)) if query else call.state.count(what.kind)
        if limit is not None and count > limit:
            return {"count": limit, "precision": "AT_LEAST"}
        return {"count": count, "precision": "EXACT"}

    return _count

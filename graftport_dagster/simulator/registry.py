"""The parts of the simulated shop, and a shop that has just been opened.

What lives here: which modules there are; a new resource type is a module of the same form and a
line here.
"""

from pathlib import Path
from typing import Any

from graftport_dagster.simulator import (
    addresses,
    bulk,
    catalogs,
    collections,
    consent,
    content,
    customers,
    discounts,
    files,
    fulfillments,
    gift_cards,
    inventory,
    locations,
    markets,
    menus,
    metafield_definitions,
    metafields,
    order_fields,
    orders,
    product_set,
    products,
    publications,
    redeem_codes,
    redirects,
    refunds,
    shop,
    uploads,
    variants,
    web_presences,
)
from graftport_dagster.simulator.state import State

PARTS = (
    shop.PART, locations.PART, publications.PART, metafields.PART, metafield_definitions.PART, files.PART,
    uploads.PART, products.PART, product_set.PART, variants.PART, inventory.PART, collections.PART, redirects.PART,
    customers.PART, addresses.PART, consent.PART,
    discounts.PART, redeem_codes.PART, gift_cards.PART, content.PART, menus.PART, markets.PART, web_presences.PART,
    catalogs.PART, orders.PART, order_fields.PART, fulfillments.PART, refunds.PART,
    bulk.PART,
)  # fmt: skip


def open_state(path: Path, **options: Any) -> State:
    """The state in a file, with what every shop has from the start; the options are State's."""
    keys_of = {kind: it for part in PARTS for kind, it in part.keys.items()}
    state = State(path, keys_of, **options)
    furnish(state)
    return state


def furnish(state: State) -> None:
    """Gives an empty shop its first location, its publications, its primary market and that one's address."""
    with state.transaction():
        if not state.count("Location"):
            locations.found_first(state)
            publications.found_first(state)
        if not state.count("Market"):
            markets.found_first(state)
            web_presences.found_first(state)

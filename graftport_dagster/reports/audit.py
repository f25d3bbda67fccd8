"""What the record store says has landed, held against the Shopify store that has it: every object, and every cent.

Asks only. Objects are asked for by id, which Shopify answers at once, never by search; what an order
cost is the source's own word, which a mapping passes on in `source_totals`. Where every record is in
the record store is said in `reconciliation.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from graftport_dagster.records import JsonObject, ResourceType, shown_id
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.documents import document
from graftport_dagster.store.record_store import Dataset, LoadInput, RecordStore, Selection

# Shopify takes so many ids in one question.
_IDS = 250
_SAMPLES = 20
_AMOUNTS = ("total", "refunded")
_FIELDS = {"total": "totalPriceSet", "refunded": "totalRefundedSet"}


@dataclass
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    gone: list[str] = field(default_factory=list)
    differing: list[JsonObject] = field(default_factory=list)
    sums: dict[str, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))


def audit(
    store: RecordStore, shop: Shop, migration: str, store_gid: str, resource_types: Iterable[ResourceType]
) -> Iterator[JsonObject]:
    """One object per resource type, in the order given; streams, so a type is told when it is done.

    `landed`: records with an object on the store; `there`: of those, how many Shopify has; `gone`: ids of up to
    20 that it has not. Orders whose source said what they cost have `compared`, `differing` (up to 20 of them:
    `source_id`, `amount`, `source`, `shopify`, `currency`) and `sums`: per currency `source_total`, `shopify_total`,
    `source_refunded`, `shopify_refunded`, as text. `ok`: nothing is gone, nothing differs. Raises as `Shop.call` does.
    """
    for resource_type in resource_types:
        tally = _Tally()
        records = store.loads.to_load(
            Dataset(migration), store_gid, resource_type, Selection(), only_pending=False, batch=_IDS
        )
        landed = (record for batch in records for record in batch if record.gid)
        while chunk := list(islice(landed, _IDS)):
            _ask(shop, resource_type, chunk, tally)
        yield _told(resource_type, tally)


def _ask(shop: Shop, resource_type: ResourceType, records: Sequence[LoadInput], tally: _Tally) -> None:
    asks = "reconcile_orders" if resource_type is ResourceType.ORDERS else "reconcile_objects"
    answer = shop.call(document(asks), {"ids": [record.gid for record in records]}, repeatable=True)
    for record, node in zip(records, answer.data["nodes"], strict=True):
        tally.counts["landed"] += 1
        if node is None:
            tally.counts["gone"] += 1
            tally.gone += [shown_id(resource_type, record.source_id)] if len(tally.gone) < _SAMPLES else []
            continue
        tally.counts["there"] += 1
        if expected := record.payload.get("source_totals"):
            _compare(record.source_id, expected, node, tally)


def _compare(source_id: str, expected: JsonObject, node: JsonObject, tally: _Tally) -> None:
    tally.counts["compared"] += 1
    for amount in _AMOUNTS:
        if amount not in expected:
            continue
        currency = expected[amount]["currencyCode"]
        there = node[_FIELDS[amount]]["presentmentMoney"]
        said, has = Decimal(str(expected[amount]["amount"])), Decimal(str(there["amount"]))
        sums = tally.sums[currency]
        sums[f"source_{amount}"] += said
        sums[f"shopify_{amount}"] += has
        if said == has and there["currencyCode"] == currency:
            continue
        tally.counts["differing"] += 1
        if len(tally.differing) < _SAMPLES:
            found = {"amount": amount, "source": str(said), "shopify": str(has), "currency": there["currencyCode"]}
            tally.differing.append({"source_id": source_id, **found})


def _told(resource_type: ResourceType, tally: _Tally) -> JsonObject:
    counts = tally.counts
    told: JsonObject = {
        "resource_type": str(resource_type), "landed": counts["landed"], "there": counts["there"], "gone": tally.gone,
        "ok": not counts["gone"] and not counts["differing"],
    }  # fmt: skip
    if counts["compared"]:
        sums = {currency: {name: f"{amount:.2f}" for name, amount in of.items()} for currency, of in tally.sums.items()}
        told |= {"compared": counts["compared"], "differing": tally.differing, "sums": sums}
    return told

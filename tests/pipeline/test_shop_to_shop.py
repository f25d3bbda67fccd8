"""From one Shopify shop into another: the same objects again, and nothing the second time."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.loaders.registry import loadable
from graftport_dagster.records import ResourceType, SourceRecord
from graftport_dagster.source_settings import ShopifySettings
from graftport_dagster.sources.shopify import ShopifySource
from tests.pipeline.conftest import Shop
from tests.sources.shopify_shop import FilledShop

# What a new object has of its own: ids, times, and the addresses of pictures that Shopify keeps.
OF_ITS_OWN = frozenset({
    "id", "createdAt", "updatedAt", "publishedAt", "processedAt", "url", "sourceIdentifier", "discountAllocations",
    "marketingUpdatedAt", "asyncUsageCount", "sources",
})  # fmt: skip


@pytest.fixture
def old_shop(tmp_path: Path) -> Iterator[FilledShop]:
    arguments = ["-m", "graftport_dagster.simulator", "--port", "0", "--plan", "unlimited"]
    process = subprocess.Popen(
        [sys.executable, *arguments, "--state", str(tmp_path / "old.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield FilledShop(process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()


def seen(shop: str, kind: ResourceType, folder: Path) -> dict[str, Any]:
    """Every object of the type by its name in the shop, without what each shop gives of its own."""
    source = ShopifySource(ShopifySettings(type="shopify", shop=shop, access_token="env:SIMULATOR_TOKEN"), folder)
    records = [item for item in source.read(kind, None) if isinstance(item, SourceRecord)]
    source.close()
    return {name_of(record.payload): plain(record.payload) for record in records}


def name_of(payload: dict[str, Any]) -> str:
    for name in ("handle", "path", "name"):
        if payload.get(name):
            return str(payload[name])
    within = payload.get("defaultEmailAddress") or payload["codeDiscount"]
    return str(within.get("emailAddress") or within["title"])


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(each) for each in value if not is_ours(each)]
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if name not in OF_ITS_OWN}
    if not isinstance(value, str):
        return value
    # A refund is known again by its note; what points at another object points at the new shop's.
    return re.sub(r"^(gid://shopify/\w+/)\d+$", r"\1…", re.sub(r" \(shopify:[^)]*\)$", "", value))


def differences(old: Any, new: Any, place: str) -> Iterator[str]:
    """Each place where the two shops differ, and how."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from differences(old.get(name), new.get(name), f"{place}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    elif old != new:
        yield f"{place}: {old} became {new}"


def is_ours(value: Any) -> bool:
    """The identities that a migration keeps in metafields."""
    return isinstance(value, dict) and value.get("namespace") == "graftport"


@pytest.mark.slow
def test_the_same_objects_again_and_nothing_the_second_time(shop: Shop, old_shop: FilledShop) -> None:
    os.environ.setdefault("SIMULATOR_TOKEN", "anything")
    into_old = shop.migration.model_copy(
        update={"destination": shop.migration.destination.model_copy(update={"shop": old_shop.url}), "slug": "first"}
    )
    new, shop.migration = shop.migration, into_old
    kinds = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.REDIRECTS)
    shop.run(resource_types=kinds)
    old_shop.fill()

    source = ShopifySettings(type="shopify", shop=old_shop.url, access_token="env:SIMULATOR_TOKEN")
    shop.migration = new.model_copy(update={"source": source, "slug": "again"})
    types = tuple(kind for kind in loadable() if kind not in (ResourceType.GIFT_CARDS, ResourceType.MARKETS))
    ran = shop.run(resource_types=types)
    assert ran.raised == {}
    assert {name: item.first_error for name, item in ran.items.items() if item.first_error} == {}
    for kind in types:
        counts = ran.counts(f"{kind} load")
        assert counts == {"in_scope": counts["in_scope"], "created": counts["in_scope"]}, kind
        told = list(differences(seen(old_shop.url, kind, shop.folder), seen(shop.url, kind, shop.folder), str(kind)))
        assert told == []

    writes = shop.writes()
    again = shop.run(resource_types=types)
    assert {name: again.counts(name).get("errored", 0) for name in again.items} == dict.fromkeys(again.items, 0)
    assert shop.writes() == writes


@pytest.mark.slow
def test_markets_land_with_their_prices_and_cards_are_left_out_with_the_reason(
    shop: Shop, old_shop: FilledShop
) -> None:
    old_shop.fill()
    source = ShopifySettings(type="shopify", shop=old_shop.url, access_token="env:SIMULATOR_TOKEN")
    shop.migration = shop.migration.model_copy(update={"source": source, "slug": "again"})
    types = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS, ResourceType.GIFT_CARDS, ResourceType.MARKETS)
    ran = shop.run(resource_types=types)
    assert ran.counts("gift_cards transform") == {"in_scope": 1, "excluded": 1}
    assert "give a file with the codes" in ran.items["gift_cards transform"].first_skip_reason
    # The market that every shop begins with is not taken over unasked.
    assert ran.counts("markets load") == {"in_scope": 2, "created": 1, "errored": 1}
    assert "is there already" in ran.items["markets load"].first_error
    old, new = (seen(url, ResourceType.MARKETS, shop.folder) for url in (old_shop.url, shop.url))
    assert list(differences(old, new, "markets")) == []
    assert len(new["austria"]["catalogs"][0]["priceList"]["prices"]) == 2

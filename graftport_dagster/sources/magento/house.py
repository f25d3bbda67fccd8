"""The shop itself: its websites with views, configuration and countries as markets, and its pages."""

from collections.abc import Iterator, Sequence
from typing import Any

from graftport_dagster.errors import RemoteFaultError
from graftport_dagster.records import JsonObject, SourceRecord
from graftport_dagster.sources.magento.client import PAGES, Filter, MagentoClient


def websites(client: MagentoClient) -> Iterator[SourceRecord]:
    """Every website with its active store views (`store_views`, each with its `config`) and its `countries`."""
    configs = {one["code"]: one for one in _list(client, "store/storeConfigs")}
    views = [one for one in _list(client, "store/storeViews") if one.get("id") and one.get("is_active", 1)]
    sites = [one for one in _list(client, "store/websites") if one.get("id")]
    for site in sites:
        own = [view for view in views if view.get("website_id") == site["id"]]
        site["store_views"] = [view | {"config": configs.get(view["code"], {})} for view in own]
        # Which countries a website sells to depends on the store that is asked.
        countries = _list(client, "directory/countries", store=own[0]["code"]) if own else []
        site["countries"] = sorted(str(country.get("id")) for country in countries)
        site["is_default"] = site["id"] == min(each["id"] for each in sites)
        yield SourceRecord(str(site["id"]), site, rows=1 + len(own), origin=f"website {site.get('code')}")


def pages(client: MagentoClient, filters: Sequence[Filter]) -> Iterator[SourceRecord]:
    """Every CMS page, or those that changed."""
    for page in client.items(PAGES, filters):
        yield SourceRecord(str(page["id"]), page, origin=f"cmsPage/{page['id']}")


def _list(client: MagentoClient, path: str, *, store: str = "") -> list[JsonObject]:
    found: Any = client.get(path, store=store)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RemoteFaultError(f"Magento answered {path} with no list of records.", code="UNEXPECTED_ANSWER")
    return found

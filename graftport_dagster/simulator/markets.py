"""Markets: where a shop sells, in which currency, under which address.

What lives here: markets with their regions, and the first one, which every shop has. Their web
presences are in `web_presences.py`, their catalogs and prices in `catalogs.py`. That a country
is in another active market was not recorded; its code is the schema's.
"""

from collections.abc import Iterable
from typing import Any

from graftport_dagster.simulator.answers import not_simulated, refuse
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.handles import free_handle, handle_of
from graftport_dagster.simulator.lists import list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object, State

_SHORTEST, _LONGEST = 2, 255
_UNSUPPORTED = frozenset({"CU", "KP", "IR", "SY"})


def found_first(state: State) -> None:
    """Gives a new shop its primary market."""
    state.put({
        "id": state.new_id("Market"), "name": "United States", "handle": "us", "status": "ACTIVE", "primary": True,
        "regions": [_region(state, "US")], "currencySettings": {}, "catalogs": [], "webPresences": [], "metafields": [],
        "priceInclusions": None,
    })  # fmt: skip


def _region(state: State, code: str) -> Object:
    return {"id": state.new_id("MarketRegionCountry"), "__typename": "MarketRegionCountry", "code": code, "name": code}


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    _check_simulated(given)
    _check_name(call, given["name"], None)
    market: Object = {
        "id": call.state.new_id("Market"), "primary": False, "regions": [], "currencySettings": {}, "handle": "",
        "catalogs": [], "webPresences": [], "metafields": [], "priceInclusions": None,
        "status": _status(given) or "DRAFT",
    }  # fmt: skip
    conditions = ((given.get("conditions") or {}).get("regionsCondition") or {}).get("regions")
    regions, place = (conditions, ["conditions", "regionsCondition", "regions"])
    if regions is None:
        regions, place = given.get("regions"), ["regions"]
    _add_regions(call, market, regions or [], ["input", *place], given)
    _write(call, market, given)
    _link(call, market, "catalogs", given.get("catalogs"), ["input", "catalogs"])
    _link(call, market, "webPresences", given.get("webPresences"), ["input", "webPresences"])
    call.state.put(market)
    return {"market": market}


def _update(call: Call, arguments: Arguments) -> Object:
    market, given = _found(call, arguments["id"]), arguments["input"]
    _check_simulated(given)
    if "name" in given:
        _check_name(call, given["name"] or "", market["id"])
    was_active, status = market["status"] == "ACTIVE", _status(given)
    if market["primary"] and status == "DRAFT":
        raise refuse(["input", "status"], "The primary market can't be disabled.", "CANNOT_DISABLE_PRIMARY_MARKET")
    market["status"] = status or market["status"]
    change = given.get("conditions") or {}
    gone = _codes((change.get("conditionsToDelete") or {}).get("regionsCondition"))
    market["regions"] = [it for it in market["regions"] if it["code"] not in gone]
    if market["status"] == "ACTIVE" and not was_active:
        for region in market["regions"]:
            _check_free(call, market, region["code"], ["input", "status"], given)
    added = ((change.get("conditionsToAdd") or {}).get("regionsCondition") or {}).get("regions") or []
    place: list[str | int] = ["input", "conditions", "conditionsToAdd", "regionsCondition", "regions"]
    _add_regions(call, market, added, place, given)
    _write(call, market, given)
    for name in ("catalogs", "webPresences"):
        removed = set(given.get(f"{name}ToDelete") or ())
        market[name] = [gid for gid in market[name] if gid not in removed]
        _link(call, market, name, given.get(f"{name}ToAdd"), ["input", f"{name}ToAdd"])
    call.state.put(market)
    return {"market": market}


def _delete(call: Call, arguments: Arguments) -> Object:
    market = _found(call, arguments["id"])
    if market["primary"]:
        raise refuse(["id"], "The primary market can't be deleted.", "CANNOT_DELETE_PRIMARY_MARKET")
    call.state.delete(market)
    return {"deletedId": market["id"]}


def _found(call: Call, gid: str) -> Object:
    market = call.take(gid, "Market")
    if market is None:
        raise refuse(["id"], "Market does not exist", "MARKET_NOT_FOUND")
    return market


def _status(given: Object) -> str | None:
    """What an input says of being open, in either of its two ways; None where it says nothing."""
    status, enabled = given.get("status"), given.get("enabled")
    by_switch = None if enabled is None else "ACTIVE" if enabled else "DRAFT"
    if status and by_switch and status != by_switch:
        message = "Invalid status and enabled combination."
        raise refuse(["input"], message, "INVALID_STATUS_AND_ENABLED_COMBINATION")
    found: str | None = status or by_switch
    return found


def _check_simulated(given: Object) -> None:
    """Refuses what a market may have and is kept nowhere here: nobody shall believe that it landed."""
    conditions = given.get("conditions") or {}
    changes = [conditions, *(conditions.get(name) or {} for name in ("conditionsToAdd", "conditionsToDelete"))]
    known = {"regionsCondition", "conditionsToAdd", "conditionsToDelete"}
    left = [f"conditions.{name}" for change in changes for name in change if change[name] and name not in known]
    left += [name for name in ("delivery", "discounts", "discountsToAdd", "discountsToDelete") if given.get(name)]
    if left:
        raise not_simulated(f"'{left[0]}' of a market")


def _check_name(call: Call, name: str, own: str | None) -> None:
    if not name.strip():
        raise refuse(["input", "name"], "Name can't be blank", "BLANK")
    if len(name) < _SHORTEST:
        raise refuse(["input", "name"], f"Name is too short (minimum is {_SHORTEST} characters)", "TOO_SHORT")
    if len(name) > _LONGEST:
        raise refuse(["input", "name"], f"Name is too long (maximum is {_LONGEST} characters)", "TOO_LONG")
    if any(gid != own for gid in call.state.find("market name", name.lower())):
        raise refuse(["input", "name"], "Name has already been taken", "TAKEN")


def _codes(condition: Object | None) -> set[str]:
    return {it["countryCode"] for it in (condition or {}).get("regions") or ()}


def _add_regions(call: Call, market: Object, regions: list[Object], path: list[str | int], given: Object) -> None:
    known = {it["code"] for it in market["regions"]}
    for index, region in enumerate(regions):
        code = region["countryCode"]
        if code in _UNSUPPORTED:
            message = f"{code} is not a supported country or region code."
            raise refuse([*path, index, "countryCode"], message, "UNSUPPORTED_COUNTRY_REGION")
        if market["status"] == "ACTIVE":
            _check_free(call, market, code, [*path, index, "countryCode"], given)
        if code not in known:
            market["regions"].append(_region(call.state, code))


def _check_free(call: Call, market: Object, code: str, path: list[str | int], given: Object) -> None:
    others = [call.state.get(gid) for gid in call.state.find("active region", code)]
    for other in (it for it in others if it and it["id"] != market["id"]):
        if other["primary"] or not (
            given.get("makeDuplicateUniqueMarketsDraft") or given.get("makeDuplicateRegionMarketsDraft")
        ):
            message = f"{code} is already in the active market {other['name']}."
            raise refuse(path, message, "DUPLICATE_REGION_MARKET")
        other["status"] = "DRAFT"
        call.state.put(other)


def _write(call: Call, market: Object, given: Object) -> None:
    if "baseCurrencyManualRate" in (settings := given.get("currencySettings") or {}):
        rate = settings["baseCurrencyManualRate"]
        if rate is not None and float(rate) <= 0:
            path = ["input", "currencySettings", "baseCurrencyManualRate"]
            raise refuse(path, "Enter a rate above 0.")
    market["name"] = given.get("name") or market.get("name")
    market["currencySettings"] = {**market["currencySettings"], **settings}
    if given.get("removeCurrencySettings"):
        market["currencySettings"] = {}
    if "priceInclusions" in given or given.get("removePriceInclusions"):
        market["priceInclusions"] = given.get("priceInclusions")

    def taken(handle: str) -> bool:
        return any(gid != market["id"] for gid in call.state.find("market handle", handle))

    wanted = handle_of(given.get("handle") or "")
    if wanted and taken(wanted):
        raise refuse(["input", "handle"], "Handle has already been taken", "TAKEN")
    market["handle"] = wanted or market["handle"] or free_handle(handle_of(market["name"]), taken)


def _link(call: Call, market: Object, name: str, gids: list[str] | None, path: list[str | int]) -> None:
    kind = {"catalogs": "MarketCatalog", "webPresences": "MarketWebPresence"}[name]
    missing = [gid for gid in gids or () if f"/{kind}/" not in gid or call.state.get(gid) is None]
    if missing:
        numbers = ", ".join(gid.rpartition("/")[2] for gid in missing)
        message = f"The following customization IDs were not found: {numbers}"
        raise refuse(path, message, "CUSTOMIZATIONS_NOT_FOUND")
    market[name] = list(dict.fromkeys([*market[name], *(gids or ())]))


def _values(it: Object, field: str) -> Iterable[Any] | None:
    values = {
        "id": [it["id"].rpartition("/")[2], it["id"]], "name": [it["name"]], "default": [it["name"]],
        "status": [it["status"]],
    }  # fmt: skip
    return values.get(field)


def _keys(it: Object) -> Iterable[tuple[str, str]]:
    yield "market name", it["name"].lower()
    yield "market handle", it["handle"]
    for gid in it["webPresences"]:
        yield "market at", gid
    for gid in it["catalogs"]:
        yield "market with", gid
    if it["status"] == "ACTIVE":
        for region in it["regions"]:
            yield "active region", region["code"]


def _conditions(_: Call, market: Object, __: Arguments) -> Object | None:
    if not market["regions"]:
        return None
    return {"conditionTypes": ["REGION"], "regionsCondition": {"applicationLevel": "SPECIFIED", "market": market}}


def _currency(call: Call, market: Object, _: Arguments) -> Object | None:
    settings = market["currencySettings"]
    base = settings.get("baseCurrency") or call.settings.currency
    return {
        "baseCurrency": {"currencyCode": base, "currencyName": base, "enabled": True, "rateUpdatedAt": None,
                         "manualRate": settings.get("baseCurrencyManualRate")},
        "localCurrencies": bool(settings.get("localCurrencies")),
        "roundingEnabled": bool(settings.get("roundingEnabled")),
    }  # fmt: skip


def present(call: Call, gids: Iterable[str]) -> list[Object]:
    """The objects with these ids that are there."""
    return [it for gid in gids if (it := call.state.get(gid)) is not None]


def _first_presence(call: Call, market: Object, _: Arguments) -> Object | None:
    return next(iter(present(call, market["webPresences"])), None)


PART = Part(
    queries={
        "market": lambda call, _, it: call.take(it["id"], "Market"),
        "markets": list_of(Searchable("Market", _values, {"name": "market name"})),
    },
    mutations={"marketCreate": _create, "marketUpdate": _update, "marketDelete": _delete},
    fields={
        "Market.conditions": _conditions,
        "Market.currencySettings": _currency,
        "Market.enabled": lambda _, it, __: it["status"] == "ACTIVE",
        "Market.type": lambda *_: "REGION",
        "Market.regions": lambda _, it, arguments: page_of(it["regions"], arguments),
        "Market.catalogs": lambda call, it, arguments: page_of(present(call, it["catalogs"]), arguments),
        "Market.catalogsCount": lambda _, it, __: {"count": len(it["catalogs"]), "precision": "EXACT"},
        "Market.webPresences": lambda call, it, arguments: page_of(present(call, it["webPresences"]), arguments),
        "Market.webPresence": _first_presence,
        "RegionsCondition.regions": lambda _, it, arguments: page_of(it["market"]["regions"], arguments),
        "MarketRegionCountry.currency": lambda call, _, __: {
            "currencyCode": call.settings.currency, "currencyName": call.settings.currency, "enabled": True,
        },
    },
    keys={"Market": _keys},
)  # fmt: skip

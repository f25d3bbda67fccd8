"""Catalogs of markets, their price lists, and fixed prices.

What lives here: which catalog has which price list (one each), and what a variant costs there:
the last price set wins. Of a price list's `prices` only the fixed ones are shown; those that
follow from its adjustment are not worked out.
"""

from collections.abc import Iterable
from typing import Any

from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.connections import page_of, page_of_all
from graftport_dagster.simulator.lists import list_of
from graftport_dagster.simulator.markets import present
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_LONGEST = 255
_MOST_UP, _MOST_DOWN = 1000, 100


def _create_catalog(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    catalog: Object = {"id": call.state.new_id("MarketCatalog"), "__typename": "MarketCatalog", "publicationId": None}
    _write_catalog(call, catalog, given)
    markets = _markets(call, given["context"], ["input", "context"])
    call.state.put(catalog)
    _assign(call, catalog, given)
    _put_into(call, catalog["id"], markets)
    return {"catalog": catalog}


def _update_catalog(call: Call, arguments: Arguments) -> Object:
    catalog, given = _catalog(call, arguments["id"], ["id"]), arguments["input"]
    _write_catalog(call, catalog, {"title": catalog["title"], **given})
    call.state.put(catalog)
    _assign(call, catalog, given)
    if given.get("context") is not None:
        wanted = _markets(call, given["context"], ["input", "context"])
        for market in present(call, call.state.find("market with", catalog["id"])):
            market["catalogs"].remove(catalog["id"])
            call.state.put(market)
        _put_into(call, catalog["id"], wanted)
    return {"catalog": catalog}


def _delete_catalog(call: Call, arguments: Arguments) -> Object:
    catalog = _catalog(call, arguments["id"], ["id"])
    for market in present(call, call.state.find("market with", catalog["id"])):
        market["catalogs"].remove(catalog["id"])
        call.state.put(market)
    for price_list in present(call, call.state.find("price list of", catalog["id"])):
        if arguments.get("deleteDependentResources"):
            _drop_list(call, price_list)
        else:
            call.state.put({**price_list, "catalogId": None})
    call.state.delete(catalog)
    return {"deletedId": catalog["id"]}


def _catalog(call: Call, gid: str, path: list[str | int]) -> Object:
    catalog = call.take(gid, "MarketCatalog")
    if catalog is None:
        raise refuse(path, "Catalog does not exist", "CATALOG_NOT_FOUND")
    return catalog


def _write_catalog(call: Call, catalog: Object, given: Object) -> None:
    if not (given.get("title") or "").strip():
        raise refuse(["input", "title"], "Title can't be blank", "BLANK")
    publication = given.get("publicationId")
    if publication and call.state.get(publication) is None:
        raise refuse(["input", "publicationId"], "Publication not found.", "PUBLICATION_NOT_FOUND")
    catalog.update({name: given[name] for name in ("title", "status", "publicationId") if given.get(name)})


def _markets(call: Call, context: Object, path: list[str | int]) -> list[Object]:
    kinds = [name for name in ("marketIds", "companyLocationIds") if context.get(name)]
    if kinds != ["marketIds"]:
        message = "Must provide exactly one context type."
        raise refuse(path, message, "MUST_PROVIDE_EXACTLY_ONE_CONTEXT_TYPE")
    markets = []
    for index, gid in enumerate(context["marketIds"]):
        market = call.take(gid, "Market")
        if market is None:
            raise refuse([*path, "marketIds", index], "Market not found.", "MARKET_NOT_FOUND")
        markets.append(market)
    return markets


def _put_into(call: Call, catalog_id: str, markets: list[Object]) -> None:
    for market in markets:
        market["catalogs"] = list(dict.fromkeys([*market["catalogs"], catalog_id]))
        call.state.put(market)


def _assign(call: Call, catalog: Object, given: Object) -> None:
    """Its price list by id, where one is given."""
    if (gid := given.get("priceListId")) is None:
        return
    price_list = call.take(gid, "PriceList")
    if price_list is None:
        raise refuse(["input", "priceListId"], "Price list not found.", "PRICE_LIST_NOT_FOUND")
    if price_list["catalogId"] not in {None, catalog["id"]}:
        raise refuse(["input", "priceListId"], "Price list has already been taken", "TAKEN")
    call.state.put({**price_list, "catalogId": catalog["id"]})


def _create_list(call: Call, arguments: Arguments) -> Object:
    price_list: Object = {"id": call.state.new_id("PriceList"), "catalogId": None}
    _write_list(call, price_list, arguments["input"])
    return {"priceList": price_list}


def _update_list(call: Call, arguments: Arguments) -> Object:
    price_list = _list_of_prices(call, arguments["id"], ["id"])
    _write_list(call, price_list, {"name": price_list["name"], **arguments["input"]})
    return {"priceList": price_list}


def _delete_list(call: Call, arguments: Arguments) -> Object:
    price_list = _list_of_prices(call, arguments["id"], ["id"])
    _drop_list(call, price_list)
    return {"deletedId": price_list["id"]}


def _drop_list(call: Call, price_list: Object) -> None:
    for price in present(call, call.state.find("prices of", price_list["id"])):
        call.state.delete(price)
    call.state.delete(price_list)


def _list_of_prices(call: Call, gid: str, path: list[str | int]) -> Object:
    price_list = call.take(gid, "PriceList")
    if price_list is None:
        raise refuse(path, "Price list does not exist.", "PRICE_LIST_NOT_FOUND")
    return price_list


def _write_list(call: Call, price_list: Object, given: Object) -> None:
    name = given.get("name") or ""
    if not name.strip():
        raise refuse(["input", "name"], "Name can't be blank", "BLANK")
    if len(name) > _LONGEST:
        raise refuse(["input", "name"], f"Name is too long (maximum is {_LONGEST} characters)", "TOO_LONG")
    if any(gid != price_list["id"] for gid in call.state.find("price list name", name.lower())):
        raise refuse(["input", "name"], "Name has already been taken", "TAKEN")
    _check_adjustment(given)
    if (catalog := given.get("catalogId")) is not None:
        if call.take(catalog, "MarketCatalog") is None:
            raise refuse(["input", "catalogId"], "Catalog does not exist.", "CATALOG_DOES_NOT_EXIST")
        if any(gid != price_list["id"] for gid in call.state.find("price list of", catalog)):
            raise refuse(["input", "catalogId"], "Catalog has a price list already assigned.", "CATALOG_TAKEN")
    fields = ("name", "currency", "parent")
    price_list.update({field: given[field] for field in fields if given.get(field) is not None})
    if "catalogId" in given:
        price_list["catalogId"] = given["catalogId"]
    call.state.put(price_list)


def _check_adjustment(given: Object) -> None:
    adjustment = (given.get("parent") or {}).get("adjustment")
    if adjustment is None:
        return
    most = _MOST_DOWN if adjustment["type"] == "PERCENTAGE_DECREASE" else _MOST_UP
    if not 0 <= adjustment["value"] <= most:
        message = (
            "The adjustment value must be a positive value and not be greater than 100% for PERCENTAGE_DECREASE "
            "and not be greater than 1000% for PERCENTAGE_INCREASE."
        )
        raise refuse(["input", "parent", "adjustment", "value"], message, "INVALID_ADJUSTMENT_VALUE")


def _add_prices(call: Call, arguments: Arguments) -> Object:
    price_list = _list_of_prices(call, arguments["priceListId"], ["priceListId"])
    errors = [
        it for index, given in enumerate(arguments["prices"]) for it in _price_errors(call, price_list, index, given)
    ]
    if errors:
        raise Refused(errors)
    return {"prices": [_set_price(call, price_list, given) for given in arguments["prices"]]}


def _price_errors(call: Call, price_list: Object, index: int, given: Object) -> Iterable[Object]:
    if "/ProductVariant/" not in given["variantId"] or call.state.get(given["variantId"]) is None:
        message = "Product variant ID does not exist."
        yield user_error(["prices", index, "variantId"], message, "VARIANT_NOT_FOUND")
    for name in ("price", "compareAtPrice"):
        money = given.get(name)
        if money is not None and money["currencyCode"] != price_list["currency"]:
            message = "The specified currency does not match the price list's currency."
            yield user_error(["prices", index, name, "currencyCode"], message, "PRICE_LIST_CURRENCY_MISMATCH")


def _set_price(call: Call, price_list: Object, given: Object) -> Object:
    known = call.state.find_one("price at", f"{price_list['id']}:{given['variantId']}")
    price = known or {"id": call.state.new_id("_FixedPrice"), "priceListId": price_list["id"],
                      "variantId": given["variantId"]}  # fmt: skip
    price.update(price=given["price"], compareAtPrice=given.get("compareAtPrice"))
    call.state.put(price)
    return price


def _delete_prices(call: Call, arguments: Arguments) -> Object:
    price_list = _list_of_prices(call, arguments["priceListId"], ["priceListId"])
    found, errors = [], []
    for index, variant in enumerate(arguments["variantIds"]):
        price = call.state.find_one("price at", f"{price_list['id']}:{variant}")
        if price is not None:
            found.append(price)
        elif call.state.get(variant) is None:
            errors.append(user_error(["variantIds", index], "Product variant ID does not exist.", "VARIANT_NOT_FOUND"))
        else:
            errors.append(user_error(["variantIds", index], "Only fixed prices can be deleted.", "PRICE_NOT_FIXED"))
    if errors:
        raise Refused(errors)
    for price in found:
        call.state.delete(price)
    return {"deletedFixedPriceVariantIds": arguments["variantIds"]}


def _prices(call: Call, price_list: Object, arguments: Arguments) -> Object:
    if arguments.get("originType") == "RELATIVE":
        return page_of([], arguments)
    return page_of(present(call, call.state.find("prices of", price_list["id"])), arguments)


def _price_list(call: Call, catalog: Object, _: Arguments) -> Object | None:
    return next(iter(present(call, call.state.find("price list of", catalog["id"]))), None)


def _parent(_: Call, price_list: Object, __: Arguments) -> Object | None:
    parent = price_list.get("parent")
    return parent and {**parent, "settings": parent.get("settings") or {"compareAtMode": "ADJUSTED"}}


def _values(it: Object, field: str) -> Iterable[Any] | None:
    if field == "id":
        return [it["id"].rpartition("/")[2], it["id"]]
    return {"default": [it["title"]], "title": [it["title"]], "status": [it["status"]]}.get(field)


def _list_keys(it: Object) -> Iterable[tuple[str, str]]:
    yield "price list name", it["name"].lower()
    if it["catalogId"]:
        yield "price list of", it["catalogId"]


def _price_keys(it: Object) -> Iterable[tuple[str, str]]:
    return [("price at", f"{it['priceListId']}:{it['variantId']}"), ("prices of", it["priceListId"])]


PART = Part(
    queries={
        "catalog": lambda call, _, it: call.take(it["id"], "MarketCatalog"),
        "catalogs": list_of(Searchable("MarketCatalog", _values, {})),
        "priceList": lambda call, _, it: call.take(it["id"], "PriceList"),
        "priceLists": lambda call, _, arguments: page_of_all(call.state, "PriceList", arguments),
    },
    mutations={
        "catalogCreate": _create_catalog, "catalogUpdate": _update_catalog, "catalogDelete": _delete_catalog,
        "priceListCreate": _create_list, "priceListUpdate": _update_list, "priceListDelete": _delete_list,
        "priceListFixedPricesAdd": _add_prices, "priceListFixedPricesDelete": _delete_prices,
    },
    fields={
        "MarketCatalog.priceList": _price_list,
        "MarketCatalog.publication": lambda call, it, _: (
            call.state.get(it["publicationId"]) if it["publicationId"] else None
        ),
        "MarketCatalog.markets": lambda call, it, arguments: page_of(
            present(call, call.state.find("market with", it["id"])), arguments
        ),
        "PriceList.catalog": lambda call, it, _: call.state.get(it["catalogId"]) if it["catalogId"] else None,
        "PriceList.prices": _prices,
        "PriceList.fixedPricesCount": lambda call, it, _: len(call.state.find("prices of", it["id"])),
        "PriceList.parent": _parent,
        "PriceListPrice.variant": lambda call, it, _: call.state.get(it["variantId"]),
        "PriceListPrice.originType": lambda *_: "FIXED",
    },
    keys={"PriceList": _list_keys, "_FixedPrice": _price_keys},
)  # fmt: skip

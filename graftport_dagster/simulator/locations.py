"""The places where stock lies.

What lives here: locations and their first one, which every shop has. How much lies there is in
`inventory.py`.
"""

from collections.abc import Iterable

from graftport_dagster.simulator import metafields
from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.connections import page_of_all
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, State

_MOST = 200
_LONGEST_NAME = 100
_LONGEST_LINE = 255
_LINE_WORDS = {"address1": "name for the street", "city": "city name", "zip": "postal / ZIP code"}


def found_first(state: State) -> None:
    """Gives a new shop its first location."""
    _put(state, {"name": "Shop location", "fulfillsOnlineOrders": True, "address": {"countryCode": "US"}})


def first(state: State) -> Object:
    """The location that was there first."""
    return next(state.all("Location"))


def _put(state: State, given: Object) -> Object:
    now = state.now()
    address = {**dict.fromkeys(("address1", "address2", "city", "phone", "zip", "provinceCode")), **given["address"]}
    location = {
        "id": state.new_id("Location"), "name": given["name"], "address": {**address, "formatted": []},
        "fulfillsOnlineOrders": given["fulfillsOnlineOrders"], "isActive": True, "activatable": False,
        "deactivatable": True, "deletable": False, "addressVerified": False, "isFulfillmentService": False,
        "isPrimary": state.count("Location") == 0, "shipsInventory": True, "hasActiveInventory": False,
        "hasUnfulfilledOrders": False, "createdAt": now, "updatedAt": now, "metafields": [],
    }  # fmt: skip
    state.put(location)
    return location


def _add(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    errors = _name_errors(call, given.get("name") or "", None) + _address_errors(given.get("address") or {})
    if errors:
        raise Refused(errors)
    if call.state.count("Location") >= _MOST:
        raise refuse(["input"], f"You have reached the maximum number of locations ({_MOST})", "INVALID")
    location = _put(call.state, given)
    if given.get("metafields"):
        problems = metafields.write(call, location, given["metafields"], replace=False)
        if problems:
            raise Refused([user_error(["input", "metafields", *path], text, code) for path, text, code in problems])
        call.state.put(location)
    return {"location": location}


def _edit(call: Call, arguments: Arguments) -> Object:
    location = call.take(arguments["id"], "Location")
    if location is None:
        raise refuse(["id"], "Location not found.", "NOT_FOUND")
    given = arguments["input"]
    errors = _address_errors(given.get("address") or {})
    if "name" in given:
        errors = _name_errors(call, given["name"] or "", location["id"]) + errors
    if given.get("fulfillsOnlineOrders") is False and not _others_fulfill(call, location):
        message = (
            "Online order fulfillment could not be disabled for this location "
            "as it is the only location that fulfills online orders."
        )
        errors.append(user_error(["input"], message, "CANNOT_DISABLE_ONLINE_ORDER_FULFILLMENT"))
    if errors:
        raise Refused(errors)
    location["address"].update(given.get("address") or {})
    location.update({name: given[name] for name in ("name", "fulfillsOnlineOrders") if name in given})
    problems = metafields.write(call, location, given.get("metafields") or [], replace=False)
    if problems:
        raise Refused([user_error(["input", "metafields", *path], text, code) for path, text, code in problems])
    location["updatedAt"] = call.state.now()
    call.state.put(location)
    return {"location": location}


def _others_fulfill(call: Call, location: Object) -> bool:
    return any(it["fulfillsOnlineOrders"] and it["id"] != location["id"] for it in call.state.all("Location"))


def _name_errors(call: Call, name: str, own: str | None) -> list[Object]:
    if not name.strip():
        return [user_error(["input", "name"], "Add a location name", "BLANK")]
    if len(name) > _LONGEST_NAME:
        message = f"Use a shorter location name (up to {_LONGEST_NAME} characters)"
        return [user_error(["input", "name"], message, "TOO_LONG")]
    if any(gid != own for gid in call.state.find("location name", name.lower())):
        return [user_error(["input", "name"], "You already have a location with this name", "TAKEN")]
    return []


def _address_errors(address: Object) -> list[Object]:
    return [
        user_error(["input", "address", line], f"Use a shorter {words} (up to {_LONGEST_LINE} characters)", "TOO_LONG")
        for line, words in _LINE_WORDS.items()
        if len(address.get(line) or "") > _LONGEST_LINE
    ]


def _keys(location: Object) -> Iterable[tuple[str, str]]:
    yield "location name", location["name"].lower()
    yield from metafields.keys_of(location)


def _list(call: Call, _: None, arguments: Arguments) -> Object:
    inactive = arguments.get("includeInactive")
    return page_of_all(call.state, "Location", arguments, lambda it: it["isActive"] or bool(inactive))


def _one(call: Call, _: None, arguments: Arguments) -> Object | None:
    return call.take(arguments["id"], "Location") if arguments.get("id") else first(call.state)


PART = Part(
    queries={
        "locations": _list,
        "location": _one,
        "locationByIdentifier": lambda call, _, it: metafields.by_identifier(call, "Location", it["identifier"]),
    },
    mutations={"locationAdd": _add, "locationEdit": _edit},
    keys={"Location": _keys},
)

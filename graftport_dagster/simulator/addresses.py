"""Mailing addresses: of customers, and those written on an order.

What lives here: what an address may contain, in the words Shopify refuses the rest with, how it
is kept, and the mutations on a customer's own addresses.
"""

import re
from collections.abc import Sequence

from graftport_dagster.simulator.answers import Refused, TopLevelError, refuse, user_error
from graftport_dagster.simulator.countries import COUNTRIES, PROVINCES, country_code, province_code
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, split_gid

_LABELS = {
    "address1": "Address1", "address2": "Address2", "city": "City", "company": "Company", "firstName": "First name",
    "lastName": "Last name", "phone": "Phone", "zip": "Zip",
}  # fmt: skip
_LONGEST = 255
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S", re.IGNORECASE)
_EMOJI = re.compile("[\U0001f300-\U0001faff☀-➿\U0001f1e6-\U0001f1ff]")

Complaint = tuple[list[str], str]


def text_complaints(name: str, label: str, text: str, *, emojis: bool = False) -> list[Complaint]:
    """What Shopify says about a short text of a person or an address; nothing when it is good."""
    found = []
    if len(text) > _LONGEST:
        found.append(f"{label} is too long (maximum is {_LONGEST} characters)")
    if has_tags(text):
        found.append(f"{label} cannot contain HTML tags")
    if _ADDRESS.search(text):
        found.append(f"{label} cannot contain URL")
    if not emojis and _EMOJI.search(text):
        found.append(f"{label} cannot contain emojis")
    return [([name], message) for message in found]


def has_tags(text: str) -> bool:
    """Whether there is HTML in a text that takes none."""
    return _TAG.search(text) is not None


def complaints(given: Object) -> list[Complaint]:
    """All that is wrong with an address."""
    found = []
    for name, label in _LABELS.items():
        found.extend(text_complaints(name, label, given.get(name) or ""))
    country = given.get("countryCode") or country_code(given.get("country") or "")
    if given.get("country") and country is None:
        found.append((["country"], "Country is invalid"))
    province = given.get("provinceCode") or given.get("province")
    if province and province_code(country, province) is None:
        found.append((["province"], "Province is invalid"))
    return found


def kept(given: Object) -> Object:
    """An address as it is kept and shown, without an id."""
    texts = {name: given.get(name) or None for name in _LABELS}
    country = given.get("countryCode") or country_code(given.get("country") or "")
    province = given.get("provinceCode") or given.get("province")
    code = province_code(country, province) if province else None
    name = " ".join(it for it in (texts["firstName"], texts["lastName"]) if it)
    return {
        **texts, "name": name or None, "country": COUNTRIES.get(country or "", country), "countryCode": country,
        "countryCodeV2": country, "provinceCode": code,
        "province": PROVINCES.get(country or "", {}).get(code or "", code), "coordinatesValidated": False,
    }  # fmt: skip


def with_id(call: Call, address: Object) -> Object:
    """An address of a customer with an id of its own."""
    return {"id": f"{call.state.new_id('MailingAddress')}?model_name=CustomerAddress", **address}


def same(one: Object, other: Object) -> bool:
    """True when both say the same."""
    return all(value == other.get(name) for name, value in one.items() if name != "id")


def replaced(call: Call, before: Sequence[Object], given: Sequence[Object]) -> list[Object]:
    """A customer's addresses where `given` stands for all; an address that was there keeps its id."""
    after: list[Object] = []
    free = list(before)
    for it in given:
        content = kept(it)
        known = next((one for one in free if (one["id"] == it["id"] if it.get("id") else same(content, one))), None)
        if known is not None:
            free.remove(known)
            after.append({**known, **content})
        elif not any(same(content, one) for one in after):
            after.append(with_id(call, content))
    return after


def _customer(call: Call, gid: str) -> Object:
    customer = call.take(gid, "Customer")
    if customer is None:
        raise refuse(["customerId"], "Customer does not exist")
    return customer


def _create(call: Call, arguments: Arguments) -> Object:
    customer, given = _customer(call, arguments["customerId"]), arguments["address"]
    if found := complaints(given):
        raise Refused([user_error(["address", *path], text) for path, text in found])
    content = kept(given)
    if any(same(content, it) for it in customer["addresses"]):
        raise refuse(["address"], "Address already exists")
    address = with_id(call, content)
    customer["addresses"].append(address)
    _settle(call, customer, address["id"] if arguments.get("setAsDefault") else None)
    return {"address": address}


def _update(call: Call, arguments: Arguments) -> Object:
    customer, gid, given = _customer(call, arguments["customerId"]), arguments["addressId"], arguments["address"]
    address = _address(customer, gid)
    if given.get("id") is not None and split_gid(given["id"]) != split_gid(gid):
        raise refuse(["addressId"], "The id of the address does not match the id in the input")
    changed = {**address, **_without_stale_names(given)}
    if found := complaints(changed):
        raise Refused([user_error(["address", *path], text) for path, text in found])
    address.update(kept(changed))
    _settle(call, customer, address["id"] if arguments.get("setAsDefault") else None)
    return {"address": address}


def _without_stale_names(given: Object) -> Object:
    """A new country or province is said by code or name; what the address had of the other is dropped."""
    change = {name: value for name, value in given.items() if name != "id"}
    for code, name in (("countryCode", "country"), ("provinceCode", "province")):
        if code in change or name in change:
            change = {code: None, name: None, **change}
    return change


def _delete(call: Call, arguments: Arguments) -> Object:
    customer = _customer(call, arguments["customerId"])
    address = _address(customer, arguments["addressId"])
    customer["addresses"].remove(address)
    _settle(call, customer, None)
    return {"deletedAddressId": address["id"]}


def _address(customer: Object, gid: str) -> Object:
    kind, number = split_gid(gid)
    if kind != "MailingAddress":
        raise TopLevelError("RESOURCE_NOT_FOUND", "invalid id")
    found: Object | None = next((it for it in customer["addresses"] if split_gid(it["id"]) == (kind, number)), None)
    if found is None:
        raise refuse(["addressId"], "Address does not exist")
    return found


def _settle(call: Call, customer: Object, default: str | None) -> None:
    settle_default(customer, default)
    customer["updatedAt"] = call.state.now()
    call.state.put(customer)


def settle_default(customer: Object, wanted: str | None = None) -> None:
    """Gives a customer with addresses a default one: the wanted, the one it had, or the first."""
    ids = [it["id"] for it in customer["addresses"]]
    chosen = wanted or customer["defaultAddressId"]
    customer["defaultAddressId"] = chosen if chosen in ids else next(iter(ids), None)


def _formatted(_: Call, address: Object, arguments: Arguments) -> list[str]:
    name = address["name"] if arguments.get("withName") else None
    company = address["company"] if arguments.get("withCompany", True) else None
    area = " ".join(it for it in (address["city"], address["provinceCode"], address["zip"]) if it)
    lines = (name, company, address["address1"], address["address2"], area, address["country"])
    return [it for it in lines if it]


def _area(_: Call, address: Object, __: Arguments) -> str | None:
    town = " ".join(it for it in (address["city"], address["provinceCode"]) if it)
    return ", ".join(it for it in (town, address["country"]) if it) or None


PART = Part(
    mutations={
        "customerAddressCreate": _create, "customerAddressUpdate": _update, "customerAddressDelete": _delete,
    },
    fields={"MailingAddress.formatted": _formatted, "MailingAddress.formattedArea": _area},
)  # fmt: skip

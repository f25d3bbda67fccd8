"""Customers: who they are, how they are found, and how they come and go.

What lives here: customerSet, customerCreate, customerUpdate, customerDelete, the queries and a
customer's fields. Addresses are in `addresses.py`, consent to marketing in `consent.py`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from graftport_dagster.simulator import addresses, consent, metafields, money
from graftport_dagster.simulator.answers import Refused, not_simulated, refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.products import tags
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_LONGEST, _LONGEST_NOTE, _MOST_TAGS = 255, 5000, 250
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>.]+(?:\.[^\s@<>.]+)+\Z")
_PHONE = re.compile(r"\+[1-9]\d{6,14}\Z")
_LOCALE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z]{2,4})?\Z")
_TEXTS = ("firstName", "lastName", "note", "locale", "taxExempt", "taxExemptions", "multipassIdentifier")
_BY_FIELD = {"email": "customer email", "phone": "customer phone"}
# A complaint: path below the input, words, and the code that typed userErrors have.
Complaint = tuple[list[str], str, str]


def new(call: Call) -> Object:
    """A customer with Shopify's defaults, not stored."""
    now = call.state.now()
    return {
        "id": call.state.new_id("Customer"), "firstName": None, "lastName": None, "email": None, "phone": None,
        "locale": "en", "note": None, "tags": [], "taxExempt": False, "taxExemptions": [], "addresses": [],
        "defaultAddressId": None, "emailMarketingConsent": None, "smsMarketingConsent": None, "state": "DISABLED",
        "verifiedEmail": True, "multipassIdentifier": None, "metafields": [], "createdAt": now, "updatedAt": now,
    }  # fmt: skip


def email_of(text: str | None) -> str | None:
    """A mail address as Shopify keeps it."""
    return (text or "").strip().lower() or None


def phone_of(text: str | None) -> str | None:
    """A phone number in E.164 as Shopify keeps it; ten digits alone are taken for a US number."""
    digits = re.sub(r"[\s().-]", "", text or "")
    return f"+1{digits}" if re.fullmatch(r"[2-9]\d{9}", digits) else digits or None


def is_phone(text: str) -> bool:
    """Whether Shopify takes a text for a phone number."""
    return _PHONE.match(phone_of(text) or "") is not None


def complaints(call: Call, customer: Object, given: Object) -> list[Complaint]:
    """All that is wrong with what would be written on a customer."""
    found = [*_email_complaints(call, customer, given), *_phone_complaints(call, customer, given)]
    for name, label in (("firstName", "First name"), ("lastName", "Last name")):
        wrong = addresses.text_complaints(name, label, given.get(name) or "", emojis=True)
        found += [(path, text, "TOO_LONG" if "too long" in text else "INVALID") for path, text in wrong]
    if len(given.get("note") or "") > _LONGEST_NOTE:
        found.append((["note"], f"Note is too long (maximum is {_LONGEST_NOTE} characters)", "TOO_LONG"))
    if given.get("locale") and not _LOCALE.match(given["locale"]):
        found.append((["locale"], "Locale is invalid", "INVALID"))
    wanted = tags(given.get("tags") or ())
    if any(len(tag) > _LONGEST for tag in wanted):
        found.append((["tags"], f"Tags is too long (maximum is {_LONGEST} characters)", "TOO_LONG"))
    if len(wanted) > _MOST_TAGS:
        found.append((["tags"], f"Tags cannot be more than {_MOST_TAGS}", "INVALID"))
    if "taxExempt" in given and given["taxExempt"] is None:
        found.append((["taxExempt"], "Tax exempt is of unexpected type NilClass", "INVALID"))
    for index, address in enumerate(given.get("addresses") or ()):
        at = ["addresses", str(index)]
        found += [([*at, *path], text, "INVALID") for path, text in addresses.complaints(address)]
        if not any(value for name, value in address.items() if name != "id"):
            found.append((at, "Customer address cannot be blank.", "BLANK"))
    return found


def _email_complaints(call: Call, customer: Object, given: Object) -> Iterable[Complaint]:
    email = email_of(given.get("email"))
    if email is None:
        return
    if len(email) > _LONGEST:
        yield ["email"], f"Email is too long (maximum is {_LONGEST} characters)", "TOO_LONG"
    elif not _EMAIL.match(email):
        yield ["email"], "Email is invalid", "INVALID"
    elif _is_taken(call, "customer email", email, customer["id"]):
        yield ["email"], "Email has already been taken", "TAKEN"


def _phone_complaints(call: Call, customer: Object, given: Object) -> Iterable[Complaint]:
    phone = phone_of(given.get("phone"))
    if phone is None:
        return
    if len(phone) > _LONGEST:
        yield ["phone"], f"Phone is too long (maximum is {_LONGEST} characters)", "TOO_LONG"
    elif not _PHONE.match(phone):
        yield ["phone"], "Phone is invalid", "INVALID"
    elif _is_taken(call, "customer phone", phone, customer["id"]):
        yield ["phone"], "Phone has already been taken", "TAKEN"


def _is_taken(call: Call, space: str, value: str, own: str) -> bool:
    return any(gid != own for gid in call.state.find(space, value))


def fill(call: Call, customer: Object, given: Object) -> None:
    """Writes on a customer what was given; what was not stays."""
    customer.update({name: given[name] for name in _TEXTS if name in given})
    customer["locale"] = customer["locale"] or "en"
    if "email" in given:
        customer["email"] = email_of(given["email"])
    if "phone" in given:
        customer["phone"] = phone_of(given["phone"])
    if given.get("tags") is not None:
        customer["tags"] = tags(given["tags"])
    if given.get("addresses") is not None:
        customer["addresses"] = addresses.replaced(call, customer["addresses"], given["addresses"])
        addresses.settle_default(customer)
    customer["updatedAt"] = call.state.now()


def _is_nobody(customer: Object) -> bool:
    return not any(customer[name] for name in ("firstName", "lastName", "email", "phone"))


_NOBODY = "A name, phone number, or email address must be present"


def _set(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    identifier = arguments.get("identifier") or {}
    customer = _identified(call, identifier, given)
    is_new = customer is None
    customer = customer or new(call)
    wrong = _new_part_errors(given, "addresses", "address") if is_new else _unknown_address_errors(customer, given)
    errors = [{**it, "field": ["input", *it["field"]]} for it in wrong]
    errors += [user_error(["input", *path], text, code) for path, text, code in complaints(call, customer, given)]
    if errors:
        raise Refused(errors)
    fill(call, customer, given)
    if _is_nobody(customer):
        raise refuse(["input"], _NOBODY, "INVALID")
    if is_new and identifier.get("customId") is not None:
        custom_id = {**identifier["customId"], "type": "id"}
        problems = metafields.write(call, customer, [custom_id], replace=False)
        if problems:
            raise Refused([user_error(["input"], text, code) for _, text, code in problems])
    call.state.put(customer)
    return {"customer": customer}


def _identified(call: Call, identifier: Object, given: Object) -> Object | None:
    """Whom customerSet is to change; None where it is to create."""
    if identifier and given.get("id") is not None:
        raise refuse(["input"], "The id field is not allowed if identifier is provided.", "ID_NOT_ALLOWED")
    gid = identifier.get("id") or given.get("id")
    if gid is not None:
        customer = call.take(gid, "Customer")
        if customer is None:
            raise refuse(["input"], "Resource matching the identifier was not found.", "NOT_FOUND")
        return customer
    if identifier.get("customId") is not None:
        return metafields.by_custom_id(call, "Customer", identifier["customId"])
    for name, normal in (("email", email_of), ("phone", phone_of)):
        if identifier.get(name) is not None:
            value = normal(identifier[name])
            if normal(given.get(name)) is None:
                message = "The input field corresponding to the identifier is required."
                raise refuse(["input"], message, "MISSING_FIELD_REQUIRED")
            if normal(given[name]) != value:
                message = "The identifier value does not match the value of the corresponding field in the input."
                raise refuse(["input"], message, "INPUT_MISMATCH")
            return call.state.find_one(_BY_FIELD[name], value or "")
    return None


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    consent.check_states(given, "emailMarketingConsent", "smsMarketingConsent")
    if given.get("id") is not None:
        raise refuse(["id"], "Cannot specify ID on creation")
    customer = new(call)
    errors = _new_part_errors(given, "addresses", "address") + _new_part_errors(given, "metafields", "metafield")
    errors += [user_error(path, text) for path, text, _ in complaints(call, customer, given)]
    errors += _consent_errors(given)
    fill(call, customer, given)
    if _is_nobody(customer):
        errors.append(user_error(None, _NOBODY))
    problems = metafields.write(call, customer, given.get("metafields") or [], replace=False)
    errors += [user_error(["metafields", *path], text) for path, text, _ in problems]
    if errors:
        raise Refused(errors)
    if given.get("whatsAppMarketingConsent"):
        raise not_simulated("'whatsAppMarketingConsent' of a customer")
    for name in ("emailMarketingConsent", "smsMarketingConsent"):
        if given.get(name):
            customer[name] = consent.kept(call, given[name], None, [name])
    call.state.put(customer)
    return {"customer": customer}


def _new_part_errors(given: Object, many: str, one: str) -> list[Object]:
    return [
        user_error([many, index, "id"], f"Cannot specify {one} ID on creation")
        for index, it in enumerate(given.get(many) or ())
        if it.get("id") is not None
    ]


def _consent_errors(given: Object) -> list[Object]:
    needs = (
        ("emailMarketingConsent", "email", "An email address is required to set the email marketing consent state."),
        ("smsMarketingConsent", "phone", "A phone number is required to set the SMS consent state."),
        ("whatsAppMarketingConsent", "phone", "A phone number is required to set the WhatsApp consent state."),
    )
    return [user_error([name], message) for name, needed, message in needs if given.get(name) and not given.get(needed)]


def _update(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    customer = call.take(given["id"], "Customer") if given.get("id") else None
    if customer is None:
        raise refuse(["id"], "Customer does not exist")
    errors = _other_mutation_errors(given) + _unknown_address_errors(customer, given)
    errors += [user_error(path, text) for path, text, _ in complaints(call, customer, given)]
    fill(call, customer, given)
    if _is_nobody(customer):
        errors.append(user_error(None, _NOBODY))
    problems = metafields.write(call, customer, given.get("metafields") or [], replace=False)
    errors += [user_error(["metafields", *path], text) for path, text, _ in problems]
    if errors:
        raise Refused(errors)
    call.state.put(customer)
    return {"customer": customer}


def _other_mutation_errors(given: Object) -> list[Object]:
    errors = []
    for name in ("emailMarketingConsent", "smsMarketingConsent", "whatsAppMarketingConsent"):
        if given.get(name):
            other = f"customer{name[0].upper()}{name[1:]}Update"
            errors.append(user_error([name], f"To update {name}, please use the {other} Mutation instead"))
    return errors


def _unknown_address_errors(customer: Object, given: Object) -> list[Object]:
    known = {it["id"] for it in customer["addresses"]}
    return [
        user_error(["addresses", index, "id"], "Customer address does not exist")
        for index, it in enumerate(given.get("addresses") or ())
        if it.get("id") is not None and it["id"] not in known
    ]


def _delete(call: Call, arguments: Arguments) -> Object:
    gid = arguments["input"]["id"]
    customer = call.take(gid, "Customer")
    if customer is None:
        raise refuse(["id"], "Customer can't be found")
    if _orders(call, customer):
        raise refuse(["id"], "Customer can’t be deleted because they have associated orders")
    call.state.delete(customer)
    return {"deletedCustomerId": gid}


def _orders(call: Call, customer: Object) -> list[Object]:
    found = (call.state.get(gid) for gid in call.state.find("orders of", customer["id"]))
    return [it for it in found if it is not None]


def _by_identifier(call: Call, _: None, arguments: Arguments) -> Object | None:
    identifier = arguments["identifier"]
    if identifier.get("emailAddress") is not None:
        return call.state.find_one("customer email", email_of(identifier["emailAddress"]) or "")
    if identifier.get("phoneNumber") is not None:
        return call.state.find_one("customer phone", phone_of(identifier["phoneNumber"]) or "")
    return metafields.by_identifier(call, "Customer", identifier)


def _keys(it: Object) -> Iterable[tuple[str, str]]:
    if it["email"]:
        yield "customer email", it["email"]
    if it["phone"]:
        yield "customer phone", it["phone"]
    yield from metafields.keys_of(it)


def _values(it: Object, field: str) -> Iterable[Any] | None:
    if field.startswith("metafields."):
        name = field.removeprefix("metafields.")
        return [m["value"] for m in it["metafields"] if f"{m['namespace']}.{m['key']}" == name]
    known: dict[str, Sequence[Any]] = {
        "id": [it["id"], it["id"].rpartition("/")[2]], "email": [it["email"]], "phone": [it["phone"]],
        "first_name": [it["firstName"]], "last_name": [it["lastName"]], "tag": it["tags"], "state": [it["state"]],
        "country": [address["country"] for address in it["addresses"]], "created_at": [it["createdAt"]],
        "customer_date": [it["createdAt"]], "updated_at": [it["updatedAt"]],
        "accepts_marketing": [
            str((it["emailMarketingConsent"] or {}).get("marketingState") == "SUBSCRIBED").lower()
        ],
        "default": [" ".join(text for text in (it["firstName"], it["lastName"], it["email"], it["phone"]) if text)],
    }  # fmt: skip
    return known.get(field)


SEARCH = Searchable("Customer", _values, {"email": "customer email", "phone": "customer phone"})


def display_name(customer: Object) -> str:
    """How Shopify's lists call a customer."""
    name = " ".join(it for it in (customer["firstName"], customer["lastName"]) if it)
    return name or customer["email"] or customer["phone"] or ""


def _default_address(_: Call, customer: Object, __: Arguments) -> Object | None:
    wanted = customer["defaultAddressId"]
    return next((it for it in customer["addresses"] if it["id"] == wanted), None)


def _amount_spent(call: Call, customer: Object, _: Arguments) -> Object:
    paid = money.total(money.given(it["netPaymentSet"]) for it in _orders(call, customer))
    return {"amount": money.text(paid.shop), "currencyCode": call.settings.currency}


def _picture(call: Call, *_: Any) -> Object:
    address = f"{call.base_url}/customer.png"
    return {"url": address, "src": address, "originalSrc": address}


PART = Part(
    queries={
        "customer": lambda call, _, it: call.take(it["id"], "Customer"),
        "customerByIdentifier": _by_identifier, "customers": list_of(SEARCH), "customersCount": count_of(SEARCH),
    },
    mutations={
        "customerSet": _set, "customerCreate": _create, "customerUpdate": _update, "customerDelete": _delete,
    },
    fields={
        "Customer.addresses": lambda _, it, arguments: it["addresses"][: arguments.get("first")],
        "Customer.addressesV2": lambda _, it, arguments: page_of(it["addresses"], arguments),
        "Customer.defaultAddress": _default_address,
        "Customer.displayName": lambda _, it, __: display_name(it),
        "Customer.orders": lambda call, it, arguments: page_of(_orders(call, it), arguments),
        "Customer.numberOfOrders": lambda call, it, _: str(len(_orders(call, it))),
        "Customer.lastOrder": lambda call, it, _: next(reversed(_orders(call, it)), None),
        "Customer.canDelete": lambda call, it, _: not _orders(call, it),
        "Customer.amountSpent": _amount_spent,
        "Customer.image": _picture,
        "Customer.lifetimeDuration": lambda *_: "less than a minute",
        "Customer.productSubscriberStatus": lambda *_: "NEVER_SUBSCRIBED",
        "Customer.validEmailAddress": lambda _, it, __: it["email"] is not None,
        "Customer.unsubscribeUrl": lambda call, *_: f"{call.base_url}/account/unsubscribe",
        "Customer.statistics": lambda *_: {},
    },
    keys={"Customer": _keys},
)  # fmt: skip

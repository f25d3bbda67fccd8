"""Who may be written to: consent to marketing by mail and by message.

What lives here: what a consent may say, how it is kept with the customer, and the two mutations
that change it. Nothing is ever sent. What Shopify says to a location that there is not was not recorded.
"""

from datetime import UTC, datetime
from typing import Any

from graftport_dagster.simulator.answers import TopLevelError, refuse
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object

_INPUT_STATES = frozenset({"SUBSCRIBED", "UNSUBSCRIBED", "PENDING"})


def check_states(given: Object, *names: str) -> None:
    """Raises the top-level refusal of a state that is Shopify's own to set."""
    for name in names:
        state = (given.get(name) or {}).get("marketingState")
        if state is not None and state not in _INPUT_STATES:
            raise TopLevelError("INVALID", f"Cannot specify {state} as a marketing state input")


def kept(call: Call, given: Object, before: Object | None, path: list[str | int]) -> Object:
    """A consent as it is kept. Raises the refusal, `path` is the consent's, of a location that there is not."""
    place = given.get("sourceLocationId")
    location = call.take(place, "Location") if place else None
    if place and location is None:
        raise refuse([*path, "sourceLocationId"], "Location does not exist", "INVALID")
    level = given.get("marketingOptInLevel") or (before or {}).get("marketingOptInLevel")
    return {
        "marketingState": given["marketingState"], "marketingOptInLevel": level or "SINGLE_OPT_IN",
        "consentUpdatedAt": given.get("consentUpdatedAt") or call.state.now(),
        "sourceLocation": location,
    }  # fmt: skip


def _check(call: Call, given: Object, name: str) -> None:
    level = given.get("marketingOptInLevel")
    if given["marketingState"] == "SUBSCRIBED" and level is None:
        raise refuse(["input", name, "marketingOptInLevel"], "Marketing opt in level must exist", "MISSING_ARGUMENT")
    if given["marketingState"] == "PENDING" and level != "CONFIRMED_OPT_IN":
        message = "Marketing opt in level must be confirmed opt-in for pending consent state"
        raise refuse(["input", name, "marketingOptInLevel"], message, "INVALID")
    moment = given.get("consentUpdatedAt")
    if moment is not None and _moment(moment) > _moment(call.state.now()):
        raise refuse(["input", name, "consentUpdatedAt"], "Consent updated at must not be in the future", "INVALID")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _email(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    check_states(given, "emailMarketingConsent")
    customer = call.take(given["customerId"], "Customer")
    if customer is None:
        raise refuse(["input", "customerId"], "Customer not found", "INVALID")
    _check(call, given["emailMarketingConsent"], "emailMarketingConsent")
    if not customer["email"]:
        message = "An email address is required to set the email marketing consent state."
        raise refuse(["input", "emailMarketingConsent"], message, "INVALID")
    return _change(call, customer, "emailMarketingConsent", given["emailMarketingConsent"])


def _sms(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    check_states(given, "smsMarketingConsent")
    customer = call.take(given["customerId"], "Customer")
    if customer is None:
        raise refuse(None, "Customer not found")
    _check(call, given["smsMarketingConsent"], "smsMarketingConsent")
    if not customer["phone"]:
        message = "A phone number is required to set the SMS consent state."
        raise refuse(["input", "smsMarketingConsent"], message, "INVALID")
    return _change(call, customer, "smsMarketingConsent", given["smsMarketingConsent"])


def _change(call: Call, customer: Object, name: str, given: Object) -> Object:
    customer[name] = kept(call, given, customer[name], ["input", name])
    customer["updatedAt"] = call.state.now()
    call.state.put(customer)
    return {"customer": customer}


def _email_shown(_: Call, customer: Object, __: Arguments) -> Object | None:
    return (customer["emailMarketingConsent"] or _NOTHING) if customer["email"] else None


def _sms_shown(_: Call, customer: Object, __: Arguments) -> Object | None:
    if not customer["phone"]:
        return None
    return {**(customer["smsMarketingConsent"] or _NOTHING), "consentCollectedFrom": "OTHER"}


def _email_address(call: Call, customer: Object, __: Arguments) -> Object | None:
    if not customer["email"]:
        return None
    consent = customer["emailMarketingConsent"] or _NOTHING
    unsubscribe = f"{call.base_url}/account/unsubscribe"
    return {
        "emailAddress": customer["email"], "validFormat": True, "marketingUnsubscribeUrl": unsubscribe,
        "openTrackingUrl": unsubscribe, "openTrackingLevel": "UNKNOWN", **_marketing(consent),
    }  # fmt: skip


def _phone_number(_: Call, customer: Object, __: Arguments) -> Object | None:
    if not customer["phone"]:
        return None
    consent = customer["smsMarketingConsent"] or _NOTHING
    shown = _marketing(consent)
    return {
        "phoneNumber": customer["phone"], "marketingCollectedFrom": "OTHER", **shown,
        "smsMarketingConsent": {
            "state": consent["marketingState"], "optInLevel": consent["marketingOptInLevel"],
            "updatedAt": consent["consentUpdatedAt"], "sourceLocation": consent["sourceLocation"],
            "collectedFrom": "OTHER",
        },
    }  # fmt: skip


_NOTHING: dict[str, Any] = {
    "marketingState": "NOT_SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN", "consentUpdatedAt": None,
    "sourceLocation": None,
}  # fmt: skip


def _marketing(consent: Object) -> Object:
    return {
        "marketingState": consent["marketingState"], "marketingOptInLevel": consent["marketingOptInLevel"],
        "marketingUpdatedAt": consent["consentUpdatedAt"], "sourceLocation": consent["sourceLocation"],
    }  # fmt: skip


PART = Part(
    mutations={"customerEmailMarketingConsentUpdate": _email, "customerSmsMarketingConsentUpdate": _sms},
    fields={
        "Customer.emailMarketingConsent": _email_shown,
        "Customer.smsMarketingConsent": _sms_shown,
        "Customer.defaultEmailAddress": _email_address,
        "Customer.defaultPhoneNumber": _phone_number,
    },
)

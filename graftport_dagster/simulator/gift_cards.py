"""Gift cards, and what is taken from and put on them.

What lives here: creating, changing, debiting, crediting and deactivating them. A code is shown
in the answer to its create alone; afterwards a card is found by it, and shows its last four.
Messages are those of recorded answers.
"""

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from graftport_dagster.simulator import addresses
from graftport_dagster.simulator.answers import Refused, TopLevelError, refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_SHORTEST, _LONGEST = 8, 20
_MOST_MONEY = Decimal(10_000)
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_CHANGEABLE = ("note", "expiresOn", "templateSuffix", "customerId", "recipientAttributes",
               "crossCurrencyRedemptionStrategy")  # fmt: skip
# Of what a deactivated card does not let change, the first of these is named.
_NAMED_WHEN_OFF = ("expiresOn", "customerId", "recipientAttributes")


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    code = given.get("code") or "".join(secrets.choice(_ALPHABET) for _ in range(16))
    amount = given.get("initialAmount") or {"amount": given.get("initialValue"), "currencyCode": call.settings.currency}
    errors = _code_errors(call, code) + _amount_errors(amount) + _people_errors(call, given)
    if errors:
        raise Refused(errors)
    now = call.state.now()
    money = {"amount": _money(Decimal(amount["amount"])), "currencyCode": amount["currencyCode"]}
    card: Object = {
        "id": call.state.new_id("GiftCard"), "code": code.lower(), "initialValue": money, "balance": dict(money),
        "lastCharacters": code[-4:].lower(), "maskedCode": f"•••• •••• •••• {code[-4:].lower()}", "enabled": True,
        "deactivatedAt": None, "createdAt": now, "updatedAt": now, "transactions": [], "isRedeemable": True,
        **dict.fromkeys(_CHANGEABLE), **{name: given[name] for name in _CHANGEABLE if name in given},
    }  # fmt: skip
    call.state.put(card)
    return {"giftCard": card, "giftCardCode": code.lower()}


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _code_errors(call: Call, code: str) -> list[Object]:
    path = ["input", "code"]
    if len(code) < _SHORTEST:
        return [user_error(path, f"Code must be at least {_SHORTEST} characters long", "TOO_SHORT")]
    if len(code) > _LONGEST:
        return [user_error(path, f"Code must be at most {_LONGEST} characters long", "TOO_LONG")]
    if not re.fullmatch(r"[a-zA-Z0-9]+", code):
        return [user_error(path, "Code can only contain letters(a-z) and numbers(0-9)", "INVALID")]
    if call.state.find("gift card code", code.lower()):
        return [user_error(path, "Code has already been taken")]
    return []


def _amount_errors(amount: Object) -> list[Object]:
    if amount.get("amount") is None or Decimal(amount["amount"]) <= 0:
        return [user_error(["input", "initialValue"], "must be greater than 0", "GREATER_THAN")]
    if Decimal(amount["amount"]) > _MOST_MONEY:
        message = f"can't exceed ${_MOST_MONEY:,.2f} {amount['currencyCode']}"
        return [user_error(["input", "initialValue"], message, "GIFT_CARD_LIMIT_EXCEEDED")]
    return []


def _people_errors(call: Call, given: Object) -> list[Object]:
    errors = []
    if given.get("customerId") and call.take(given["customerId"], "Customer") is None:
        errors.append(user_error(["input", "customerId"], "The customer could not be found.", "CUSTOMER_NOT_FOUND"))
    recipient = given.get("recipientAttributes")
    for name, most in (("preferredName", 255), ("message", 200)):
        if len((recipient or {}).get(name) or "") > most:
            raise TopLevelError("INVALID_FIELD_ARGUMENTS", f"{name} is too long (maximum is {most})")
    if recipient and call.take(recipient["id"], "Customer") is None:
        path = ["input", "recipientAttributes", "id"]
        errors.append(user_error(path, "Recipient could not be found", "RECIPIENT_NOT_FOUND"))
    return errors + _recipient_errors(recipient or {})


def _recipient_errors(given: Object) -> list[Object]:
    errors = []
    for name, said in (("preferredName", "Preferred name"), ("message", "Message")):
        path = ["input", "recipientAttributes", name]
        if given.get(name) is not None and not given[name].strip():
            errors.append(user_error(path, f"{said} can't be blank", "INVALID"))
        elif addresses.has_tags(given.get(name) or ""):
            errors.append(user_error(path, f"{said} cannot contain HTML tags", "INVALID"))
    return errors


def _update(call: Call, arguments: Arguments) -> Object:
    card, given = call.take(arguments["id"], "GiftCard"), arguments["input"]
    if card is None:
        raise refuse(["id"], "The gift card could not be found.")
    if not given:
        raise refuse(["input"], "At least one argument is required in the input.")
    if card["deactivatedAt"] is not None:
        named = next((["input", name] for name in _NAMED_WHEN_OFF if name in given), ["id"])
        raise refuse(named, "The gift card is deactivated.")
    if errors := _people_errors(call, given):
        raise Refused(errors)
    card.update({name: given[name] for name in _CHANGEABLE if name in given}, updatedAt=call.state.now())
    call.state.put(card)
    return {"giftCard": card}


def _deactivate(call: Call, arguments: Arguments) -> Object:
    card = call.take(arguments["id"], "GiftCard")
    if card is None:
        raise refuse(["id"], "The gift card could not be found.", "GIFT_CARD_NOT_FOUND")
    if card["deactivatedAt"] is None:
        card.update(deactivatedAt=call.state.now(), enabled=False, isRedeemable=False, updatedAt=call.state.now())
        call.state.put(card)
    return {"giftCard": card}


def _book(call: Call, card_id: str, given: Object, verb: str) -> Object:
    """One transaction: `verb` is debit or credit."""
    argument = f"{verb}Input"
    money = given[f"{verb}Amount"]
    card = _usable(call, card_id)
    moment = given.get("processedAt") or call.state.now()
    if _moment(moment) > _moment(call.state.now()):
        raise refuse([argument, "processedAt"], "The processed date must not be in the future.", "INVALID")
    if _moment(moment).year < 1970:
        raise refuse([argument, "processedAt"], "A valid processed date must be used.", "INVALID")
    path = [argument, f"{verb}Amount"]
    if money["currencyCode"] != card["balance"]["currencyCode"]:
        message = "The currency provided does not match the currency of the gift card."
        raise refuse([*path, "currencyCode"], message, "MISMATCHING_CURRENCY")
    amount, balance = Decimal(money["amount"]), Decimal(card["balance"]["amount"])
    if amount <= 0:
        raise refuse([*path, "amount"], "A positive amount must be used.", "NEGATIVE_OR_ZERO_AMOUNT")
    if verb == "debit" and amount > balance:
        message = "The gift card does not have sufficient funds to satisfy the request."
        raise refuse([*path, "amount"], message, "INSUFFICIENT_FUNDS")
    signed = -amount if verb == "debit" else amount
    kind = f"GiftCard{verb.capitalize()}Transaction"
    entry = {
        "id": call.state.new_id(kind), "__typename": kind, "note": given.get("note"), "processedAt": moment,
        "amount": {"amount": _money(signed), "currencyCode": money["currencyCode"]}, "giftCardId": card["id"],
    }  # fmt: skip
    card["balance"] = {**card["balance"], "amount": _money(balance + signed)}
    card["transactions"].append(entry)
    card["updatedAt"] = call.state.now()
    call.state.put(card)
    return {f"giftCard{verb.capitalize()}Transaction": entry}


def _usable(call: Call, card_id: str) -> Object:
    card = call.take(card_id, "GiftCard")
    if card is None:
        raise refuse(["id"], "The gift card could not be found.", "GIFT_CARD_NOT_FOUND")
    if card["deactivatedAt"] is not None:
        raise refuse(["id"], "The gift card is deactivated.", "INVALID")
    if card["expiresOn"] and card["expiresOn"] < call.state.now()[:10]:
        raise refuse(["id"], "The gift card has expired.", "INVALID")
    return card


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _values(it: Object, field: str) -> Iterable[Any] | None:
    customer = str(it["customerId"] or "").rpartition("/")[2]
    values: dict[str, list[Any]] = {
        "default": [it["code"], it["lastCharacters"], it["note"]], "id": [it["id"].rpartition("/")[2], it["id"]],
        "created_at": [it["createdAt"]], "customer_id": [customer], "expires_on": [it["expiresOn"]],
        "initial_value": [it["initialValue"]["amount"]], "status": ["enabled" if it["enabled"] else "disabled"],
        "balance_status": [_balance_status(it)],
    }  # fmt: skip
    return values.get(field)


def _balance_status(it: Object) -> str:
    balance = Decimal(it["balance"]["amount"])
    if balance == 0:
        return "empty"
    return "full" if balance == Decimal(it["initialValue"]["amount"]) else "partial"


SEARCH = Searchable("GiftCard", _values, {})


def _recipient(call: Call, it: Object, _: Arguments) -> Object | None:
    given = it["recipientAttributes"]
    if not given:
        return None
    texts = {name: given.get(name) for name in ("message", "preferredName", "sendNotificationAt")}
    return {"recipient": call.state.get(given["id"]), **texts}


PART = Part(
    queries={
        "giftCard": lambda call, _, it: call.take(it["id"], "GiftCard"),
        "giftCards": list_of(SEARCH), "giftCardsCount": count_of(SEARCH),
    },
    mutations={
        "giftCardCreate": _create, "giftCardUpdate": _update, "giftCardDeactivate": _deactivate,
        "giftCardDebit": lambda call, it: _book(call, it["id"], it["debitInput"], "debit"),
        "giftCardCredit": lambda call, it: _book(call, it["id"], it["creditInput"], "credit"),
    },
    fields={
        "GiftCard.customer": lambda call, it, _: call.state.get(it["customerId"]) if it["customerId"] else None,
        "GiftCard.recipientAttributes": _recipient,
        "GiftCard.transactions": lambda _, it, arguments: page_of(it["transactions"], arguments),
        "GiftCardDebitTransaction.giftCard": lambda call, it, _: call.state.get(it["giftCardId"]),
        "GiftCardCreditTransaction.giftCard": lambda call, it, _: call.state.get(it["giftCardId"]),
    },
    keys={"GiftCard": lambda it: [("gift card code", it["code"])]},
)  # fmt: skip

"""Customers: `customerSet` carries who they are; metafields and consent to marketing follow.

Facts (API 2026-10): `customerSet` is an upsert by the `id` metafield, which it writes itself; its
addresses replace those that were there, fields that are absent are left alone. It takes neither
metafields nor consent. A mail address and a phone number are each unique in the store. Nothing
here makes Shopify write to anybody.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from graftport_dagster.loaders import metafields
from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Step, Unsent
from graftport_dagster.loaders.products import custom_id
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, json_hash
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

_READABLE = ("email", "phone", "firstName", "lastName", "locale", "note", "tags", "taxExempt", "taxExemptions")
_MOST_ADDRESSES = 250
# What makes an address the same one; Shopify gives a name for the code of a country or province that it was sent.
_OF_AN_ADDRESS = ("address1", "address2", "city", "zip", "firstName", "lastName", "company")
_CHANNELS: Mapping[str, tuple[str, str]] = {
    "emailMarketingConsent": ("consent:email", "customer_email_consent"),
    "smsMarketingConsent": ("consent:sms", "customer_sms_consent"),
}
_IN_FURTHER_STEPS = frozenset({"marketing", "metafields"})


class CustomerLoader:
    """Loads customers."""

    resource_type = ResourceType.CUSTOMERS
    repeats_creation = True
    has_identifier = True
    publishes = False
    watched_document = "customers_watched"
    bulk_document = "customer_set_in_bulk"
    unwatched_groups = _IN_FURTHER_STEPS
    is_timed = True
    sends_changed_groups = False

    def prepare(self, plan: Plan, caller: Caller) -> Plan:  # noqa: ARG002 - the protocol's
        """Nothing needs to be there first."""
        return plan

    def call(self, plan: Plan) -> Call | None:
        """`customerSet`, by our id when it creates and by GID when it updates."""
        payload = dict(plan.envelope["input"])
        if plan.gid and (not payload or plan.changed <= _IN_FURTHER_STEPS):
            return None
        if "addresses" in payload:
            payload["addresses"] = list(self._addresses(plan, payload["addresses"]))
        variables = {
            "identifier": {"id": plan.gid} if plan.gid else custom_id(plan.identity),
            "input": payload,
            "addresses": max(1, min(len(payload.get("addresses", ())), _MOST_ADDRESSES)),
        }
        return Call(document("customer_set"), variables)

    def _addresses(self, plan: Plan, addresses: list[JsonObject]) -> Iterator[JsonObject]:
        for key, address in zip(self._address_keys(plan, len(addresses)), addresses, strict=False):
            known = plan.parts.get(key) if key is not None else None
            yield {"id": known.gid, **address} if known is not None else address

    def _address_keys(self, plan: Plan, number: int) -> list[RecordKey | None]:
        """The key of each address; None where the mapping gave no ids."""
        ids = (plan.record.payload.get("parts") or {}).get("address") or ()
        if len(ids) != number:
            return [None] * number
        return [RecordKey(self.resource_type, plan.record.source_id, "address", str(part_id)) for part_id in ids]

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The metafields, then the consent to each channel."""
        return (*metafields.steps(plan), *self._consents(plan))

    def _consents(self, plan: Plan) -> Iterator[Step]:
        for name, (key, file) in _CHANNELS.items():
            if not (given := plan.envelope.get(name)):
                continue

            def variables(
                plan: Plan, caller: Caller, name: str = name, given: JsonObject = given, key: str = key
            ) -> JsonObject | Unsent | None:
                there = {} if _is_fresh(plan) else self._consent(plan, name, caller)
                wanted = _to_send(given, there, is_ours=_sent(plan, key) == _digest(there))
                return wanted if not isinstance(wanted, dict) else {"input": {"customerId": plan.gid, name: wanted}}

            yield Step(
                key=key, path=name, digest=_digest(given), document=document(file), variables=variables,
                only_changed=True,
            )  # fmt: skip

    def _consent(self, plan: Plan, name: str, caller: Caller) -> JsonObject:
        customer = caller.call(document("customer_consent"), {"id": plan.gid}, repeatable=True).data
        return (customer or {}).get(name) or {}

    def withdraw(self, plan: Plan) -> Call | None:
        """Customers can be deleted while they have no orders; Shopify has no archive for them."""
        if plan.withdrawal != "delete":
            return None
        return Call(document("customer_delete"), {"input": {"id": plan.gid}})

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:  # noqa: ARG002 - the protocol's
        """The customer with the GIDs of its addresses."""
        customer = answer["customer"]
        given = plan.envelope["input"].get("addresses")
        parts: list[Identity] = []
        if given is not None:
            free = list(customer["addressesV2"]["nodes"])
            for key, address in zip(self._address_keys(plan, len(given)), given, strict=False):
                node = next((node for node in free if _is_same(node, address)), None)
                if node is not None and key is not None:
                    free.remove(node)
                    parts.append(Identity(key, node["id"]))
        present = {part.key for part in parts}
        gone = tuple(key for key in plan.parts if given is not None and key not in present)
        return Landed(customer["id"], "", tuple(parts), gone, snapshot(self, plan, customer))

    def fill_in(self, answers: Sequence[tuple[Plan, JsonObject]], caller: Caller) -> None:
        """A line's answer says all that there is to know."""

    def watched(self, node: JsonObject) -> JsonObject:
        """The customer's own fields; consent is looked after in its own steps."""
        return {name: node[name] for name in _READABLE if name in node}

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:
        """The customer that carries our id."""
        return self._by(custom_id(plan.identity), caller)

    def _by(self, identifier: JsonObject, caller: Caller) -> Found | None:
        answer = caller.call(document("customer_by_identifier"), {"identifier": identifier}, repeatable=True)
        if not answer.data:
            return None
        return Found(answer.data["id"], identity=(answer.data.get("metafield") or {}).get("value", ""))

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The customer that has the mail address or the phone number."""
        if "taken" not in error.message and error.code != "TAKEN":
            return None
        given = plan.envelope["input"]
        for name, identifier in (("email", "emailAddress"), ("phone", "phoneNumber")):
            if error.field[-1:] == (name,) and given.get(name):
                return self._by({identifier: given[name]}, caller)
        return None

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:
        """The address that somebody deleted in Shopify, while its customer stayed."""
        where = error.field[1:] if error.field[:1] == ("input",) else error.field
        if len(where) != 3 or where[0] != "addresses" or where[2] != "id" or not where[1].isdigit():
            return None
        keys = self._address_keys(plan, len(plan.envelope["input"].get("addresses", ())))
        return keys[int(where[1])] if int(where[1]) < len(keys) else None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's words, in each of the steps, for a customer that was deleted."""
        return error.message in {
            "Resource matching the identifier was not found.", "Customer not found", "Owner does not exist.",
            "Customer does not exist", "Customer can't be found",
        }  # fmt: skip

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """The customer's own fields; what is not read counts as the same."""
        variables = {"id": plan.gid, "addresses": 1}
        customer = caller.call(document("customer_read"), variables, repeatable=True).data
        if not customer:
            return None
        return {**plan.envelope["input"], **{name: customer.get(name) for name in _READABLE}}

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """A customer always has something to send."""
        return ""


def _is_fresh(plan: Plan) -> bool:
    """Whether this run's own call made the customer, so that nobody can have said anything since."""
    return plan.is_new and not plan.is_found and plan.open_step is None and not plan.is_set


def _digest(consent: JsonObject) -> str:
    return json_hash({name: value for name, value in consent.items() if value is not None})


def _sent(plan: Plan, key: str) -> str:
    """The digest of the consent that was sent last, and had not landed with its whole record."""
    opened = plan.open_steps.get(key)
    return opened.payload_hash if opened is not None else plan.done_steps.get(key, "")


def _to_send(given: JsonObject, there: JsonObject, *, is_ours: bool) -> JsonObject | Unsent | None:
    """The consent to send over what Shopify has; whoever spoke last is heard, and silence subscribes nobody.

    `is_ours`: what Shopify has is what the source said before, and nobody's word.
    """
    state, now = given["marketingState"], there.get("marketingState", "NOT_SUBSCRIBED")
    is_subscribed = now in {"SUBSCRIBED", "PENDING"}
    if state == "NOT_SUBSCRIBED":
        # Not a state that Shopify takes; it only takes back a subscription.
        if not is_subscribed:
            return None
        given, state = {**given, "marketingState": "UNSUBSCRIBED"}, "UNSUBSCRIBED"
    if state == now:
        return None
    if is_ours:
        return given
    said, heard = _moment(given.get("consentUpdatedAt")), _moment(there.get("consentUpdatedAt"))
    is_stale = heard is not None and said is not None and heard > said
    if now in {"UNSUBSCRIBED", "REDACTED"} and (said is None or heard is None or is_stale):
        return Unsent("CONSENT_KEPT", "The customer unsubscribed in Shopify since the source's consent; that stays.")
    if is_subscribed and is_stale:
        return Unsent("CONSENT_KEPT", "The customer subscribed in Shopify since the source's consent; that stays.")
    return given


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _is_same(node: JsonObject, address: JsonObject) -> bool:
    return all((node.get(name) or "") == str(address.get(name) or "").strip() for name in _OF_AN_ADDRESS)

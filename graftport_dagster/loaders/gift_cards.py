"""Gift cards: created with their code, debited by what was spent already, deactivated where they are not to be used.

Facts (API 2026-10): there is no upsert and no id of ours; a code is unique, readable in the answer to its create
alone, and found by search, which may lag. Code and value cannot change later. A debit must not happen twice and takes
no key: it carries one in its note, and the card's own list of transactions says whether it was booked. A code is a
bearer's money: it is in no message of ours, see `masking.py`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from graftport_dagster.errors import UnclearError
from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.groups import CONTENT
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Repeats, Step
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, json_hash
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

_CHANGEABLE = ("note", "expiresOn", "customerId", "recipientAttributes", "templateSuffix",
               "crossCurrencyRedemptionStrategy")  # fmt: skip
_PAGE = 50
_LAST = 4
# The part that marks a card which was in the store before us.
_ADOPTED = "adopted"
DEACTIVATE_STEP = "deactivate"


class GiftCardLoader:
    """Loads gift cards."""

    resource_type = ResourceType.GIFT_CARDS
    repeats_creation = False
    has_identifier = False
    publishes = False
    watched_document = "gift_cards_watched"
    unwatched_groups = frozenset({"value", "balance", "status"})
    # What its holder spends changes it too.
    is_timed = False
    sends_changed_groups = False

    def prepare(self, plan: Plan, caller: Caller) -> Plan:  # noqa: ARG002 - the protocol's
        """Nothing must be there before a card."""
        return plan

    def call(self, plan: Plan) -> Call | None:
        """`giftCardCreate`, or `giftCardUpdate` with what may change; None where nothing of that is given.

        A card that was deactivated takes no changes any more.
        """
        given = plan.envelope["input"]
        if not plan.gid:
            return Call(document("gift_card_create"), {"input": given})
        change = {name: given[name] for name in _CHANGEABLE if name in given}
        is_off = f"step:{DEACTIVATE_STEP}" in plan.record.landed_groups or DEACTIVATE_STEP in plan.done_steps
        if not change or is_off or not (plan.is_new or CONTENT in plan.changed):
            return None
        return Call(document("gift_card_update"), {"id": plan.gid, "input": change})

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The debit, then the deactivation: a deactivated card cannot be debited."""
        steps = []
        debit = plan.envelope.get("debit")
        # What is left on a card that was there before is its owner's affair.
        if debit and not any(key.part == _ADOPTED for key in plan.parts):
            steps.append(self._debit(plan, debit))
        if plan.envelope.get("deactivate"):
            steps.append(Step(
                key=DEACTIVATE_STEP, path="deactivate", digest=json_hash(True),  # noqa: FBT003 - what is sent
                document=document("gift_card_deactivate"), variables=lambda plan, _: {"id": plan.gid},
            ))  # fmt: skip
        return steps

    def _debit(self, plan: Plan, debit: JsonObject) -> Step:
        mark = f"[graftport {json_hash([plan.identity, 'debit'])[:16]}]"
        noted = {**debit, "note": f"{debit.get('note') or ''} {mark}".strip()}
        return Step(
            key="debit", path="debit", digest=json_hash(debit), document=document("gift_card_debit"),
            variables=lambda plan, _: {"id": plan.gid, "debit": noted}, repeats=Repeats.NEVER,
            part=RecordKey(self.resource_type, plan.record.source_id, "debit", "1"),
            made=lambda answer: str(answer["giftCardDebitTransaction"]["id"]),
            find=lambda plan, caller: _booked(plan, debit, mark, caller),
        )  # fmt: skip

    def withdraw(self, plan: Plan) -> Call | None:
        """Deactivated, which is for good; Shopify deletes no gift cards."""
        return Call(document("gift_card_deactivate"), {"id": plan.gid}) if plan.withdrawal == "archive" else None

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:  # noqa: ARG002 - the protocol's
        """The card; it has no handle that might be shown."""
        card = answer["giftCard"]
        adopted = tuple(part for key, part in plan.parts.items() if key.part == _ADOPTED)
        return Landed(card["id"], parts=adopted, snapshot=snapshot(self, plan, card))

    def watched(self, node: JsonObject) -> JsonObject:
        """What may be changed on a card; what is left on it is its holder's affair."""
        fields: JsonObject = {name: node[name] for name in ("note", "expiresOn", "templateSuffix") if name in node}
        recipient = node.get("recipientAttributes")
        if recipient:
            texts = {name: recipient[name] for name in ("message", "preferredName") if recipient[name] is not None}
            recipient = {"id": (recipient["recipient"] or {}).get("id"), **texts}
        return {**fields, "customerId": (node.get("customer") or {}).get("id"), "recipientAttributes": recipient}

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:  # noqa: ARG002 - the protocol's
        """None: Shopify keeps no id of ours on a gift card."""
        return None

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The card with our code, where that was refused as taken and search knows it."""
        if error.field[-1:] != ("code",) or "taken" not in error.message:
            return None
        given = plan.envelope["input"]
        code = str(given["code"])
        variables = {"query": code, "first": _PAGE}
        nodes = caller.call(document("gift_cards"), variables, repeatable=True).data["nodes"]
        # Search looks into notes too: what it finds must end as our code does.
        cards = [node for node in nodes if node["lastCharacters"].lower() == code[-_LAST:].lower()]
        alike = [card for card in cards if _amount(card["initialValue"]) == _amount(given["initialAmount"])]
        chosen = cards if len(cards) == 1 else alike
        if len(chosen) != 1:
            return None
        gid = str(chosen[0]["id"])
        adopted = Identity(RecordKey(self.resource_type, plan.record.source_id, _ADOPTED, "1"), gid)
        parts = (adopted,) if plan.open_step is None else ()
        return Found(gid, parts=parts, created_at=datetime.fromisoformat(chosen[0]["createdAt"]))

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:  # noqa: ARG002 - the protocol's
        """None: a transaction stays."""
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's words for a card that is not there."""
        return error.code == "GIFT_CARD_NOT_FOUND" or error.message == "The gift card could not be found."

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """What of it can be read; its code counts as the same."""
        card = caller.call(document("gift_card_read"), {"id": plan.gid, "first": 1}, repeatable=True).data
        if not card:
            return None
        there = {name: card.get(name) for name in ("note", "expiresOn", "templateSuffix")}
        return {**plan.envelope["input"], **there, "customerId": (card["customer"] or {}).get("id")}

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """A card always has something to send."""
        return ""


def _amount(money: JsonObject) -> Decimal:
    return Decimal(str(money["amount"]))


def _booked(plan: Plan, debit: JsonObject, mark: str, caller: Caller) -> str | None:
    """The debit that carries our mark; None where the card has been debited by nobody.

    Raises UnclearError where its balance says otherwise than its transactions.
    """
    like_ours = False
    spent = False
    for transaction in _transactions(plan.gid, caller):
        if mark in (transaction["note"] or ""):
            return str(transaction["id"])
        if transaction["__typename"] == "GiftCardDebitTransaction":
            spent = True
            like_ours = like_ours or abs(_amount(transaction["amount"])) == _amount(debit["debitAmount"])
    card = caller.call(document("gift_card_read"), {"id": plan.gid, "first": 1}, repeatable=True).data
    is_whole = bool(card) and _amount(card["balance"]) == _amount(card["initialValue"])
    if like_ours or (not is_whole and not spent):
        raise UnclearError(
            "A debit of this gift card was sent, and its transactions do not show for certain whether it was booked.",
            hint="Compare its balance in Shopify, then resolve or discard the record.",
        )
    return None


def _transactions(gid: str, caller: Caller) -> Iterator[JsonObject]:
    after = None
    while True:
        variables = {"id": gid, "first": _PAGE, "after": after}
        page = caller.call(document("gift_card_read"), variables, repeatable=True).data.get("transactions")
        if not page:
            return
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]

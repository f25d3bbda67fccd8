"""Collections: one create or update; who is in them is said by the products, unless a mapping says it here.

Facts (API 2026-10): `collectionCreate(collection:)` has no upsert, but takes the `id` metafield inside the
create, and `collectionByIdentifier` finds by it at once; userErrors are plain (no code). That a picture without
`src` changes its text alone is what `ImageInput` says, where both are optional; recorded it is nowhere.
"""

from collections.abc import Sequence

from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Step
from graftport_dagster.loaders.products import custom_id, id_metafield
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

_WATCHED = ("title", "handle", "descriptionHtml", "sortOrder", "templateSuffix", "seo")


def _image(plan: Plan, payload: JsonObject) -> JsonObject | None:
    """What is sent of the picture: the same address would be fetched and kept a second time, another text is not."""
    given: JsonObject | None = payload.get("image")
    if given is None or plan.record.landed_groups.get("image") == plan.record.group_hashes.get("image"):
        return None
    before = (plan.before.get("input") or {}).get("image") or {}
    is_same = bool(given.get("src")) and before.get("src") == given["src"]
    return {name: value for name, value in given.items() if name != "src"} if is_same else given


class CollectionLoader:
    """Loads collections."""

    resource_type = ResourceType.COLLECTIONS
    repeats_creation = False
    has_identifier = True
    publishes = True
    watched_document = "collections_watched"
    unwatched_groups = frozenset({"members"})
    is_timed = True
    sends_changed_groups = False

    def prepare(self, plan: Plan, caller: Caller) -> Plan:  # noqa: ARG002 - the protocol's
        """Nothing needs to be there first."""
        return plan

    def call(self, plan: Plan) -> Call:
        """`collectionUpdate` when the GID is known, else `collectionCreate` with our id in it."""
        payload = dict(plan.envelope["input"])
        if plan.gid:
            self._replace_sources(plan, payload)
            if (image := _image(plan, payload)) is None:
                payload.pop("image", None)
            else:
                payload["image"] = image
            return Call(document("collection_update"), {"collection": {"id": plan.gid, **payload}})
        payload["metafields"] = [*payload.get("metafields", ()), id_metafield(plan.identity)]
        return Call(document("collection_create"), {"collection": payload})

    def _replace_sources(self, plan: Plan, payload: JsonObject) -> None:
        """An update takes sources one by one: those that we made go, the payload's come, if they have changed."""
        sources = payload.pop("sources", None)
        members = plan.record.landed_groups.get("members")
        if sources is None or (members is not None and members == plan.record.group_hashes.get("members")):
            return
        payload["sourcesToDelete"] = [part.gid for key, part in plan.parts.items() if key.part == "source"]
        payload["sourcesToCreate"] = sources

    def steps(self, plan: Plan) -> Sequence[Step]:  # noqa: ARG002 - the protocol's
        """One call carries it whole."""
        return ()

    def withdraw(self, plan: Plan) -> Call | None:
        """Collections can be deleted; Shopify has no archive for them."""
        if plan.withdrawal != "delete":
            return None
        return Call(document("collection_delete"), {"input": {"id": plan.gid}})

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:
        """The collection with its handle, and the sources of its members."""
        collection = answer["collection"]
        parts = tuple(
            Identity(RecordKey(self.resource_type, plan.record.source_id, "source", str(index)), source["id"])
            for index, source in enumerate(self._settled_sources(plan, collection, caller))
        )
        gone = tuple(key for key in plan.parts if key not in {part.key for part in parts})
        return Landed(collection["id"], collection["handle"], parts, gone, snapshot(self, plan, collection))

    def watched(self, node: JsonObject) -> JsonObject:
        """The collection's own fields."""
        return {name: node[name] for name in _WATCHED if name in node}

    def _settled_sources(self, plan: Plan, collection: JsonObject, caller: Caller) -> list[JsonObject]:
        """The sources that the payload gives; older ones, also of a call whose answer was lost, are taken away."""
        sources = sorted(collection["sources"] or (), key=lambda source: int(source["id"].rpartition("/")[2]))
        given = plan.envelope["input"].get("sources")
        if given is None or len(sources) <= len(given):
            return sources
        surplus = sources[: len(sources) - len(given)]
        change = {"id": collection["id"], "sourcesToDelete": [source["id"] for source in surplus]}
        caller.call(document("collection_update"), {"collection": change}, repeatable=True).raise_for_user_errors()
        return sources[len(surplus) :]

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:
        """The collection that carries our id."""
        return self._by(custom_id(plan.identity), caller)

    def _by(self, identifier: JsonObject, caller: Caller) -> Found | None:
        answer = caller.call(document("collection_by_identifier"), {"identifier": identifier}, repeatable=True)
        if not answer.data:
            return None
        return Found(answer.data["id"], answer.data["handle"], (answer.data.get("metafield") or {}).get("value", ""))

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The collection that has our id, or the handle that was refused as taken."""
        if "metafields" in error.field:
            return self.look_up(plan, caller)
        handle = plan.envelope["input"].get("handle")
        taken = "handle" in error.field or "taken" in error.message or "in use" in error.message
        return self._by({"handle": handle}, caller) if handle and taken else None

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:  # noqa: ARG002 - the protocol's
        """None: it has no parts."""
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's words for an update of a collection that was deleted."""
        return error.message == "Collection does not exist"

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """The collection's own fields; what is not read counts as the same."""
        variables = {"identifier": {"id": plan.gid}}
        collection = caller.call(document("collection_by_identifier"), variables, repeatable=True).data
        if not collection:
            return None
        readable = ("title", "handle", "descriptionHtml", "sortOrder", "templateSuffix", "seo")
        return {**plan.envelope["input"], **{name: collection.get(name) for name in readable}}

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """A collection always has something to send."""
        return ""

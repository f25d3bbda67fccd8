"""Articles and pages; the blog an article stands in is made once, by its handle.

Facts (API 2026-10): there is no upsert and no identifier query; an article's handle is unique in its blog, a page's
in the store. Search by handle may lag; lists do not. Our id is kept in an ordinary metafield, by which an object of
ours is told from another's. An update of an article must name its author.
What the blogs themselves are called is `blog_homes.py`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from graftport_dagster.loaders.blog_homes import BlogHomes
from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Step
from graftport_dagster.loaders.products import ID_KEY, ID_NAMESPACE
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

_PAGE = 100
_BLOG = "blog"
_WATCHED = ("title", "handle", "body", "summary", "tags", "templateSuffix")


class BlogLoader:
    """Loads articles and pages, for one load: it remembers the blogs of the store it loads into."""

    resource_type = ResourceType.BLOGS
    repeats_creation = False
    has_identifier = False
    publishes = False
    watched_document = "content_watched"
    unwatched_groups = frozenset({"image", "metafields", "status"})
    is_timed = True
    sends_changed_groups = False

    def __init__(self) -> None:
        self._homes = BlogHomes()

    def prepare(self, plan: Plan, caller: Caller) -> Plan:
        """An article in its blog, which is made where there is none of that handle."""
        payload = plan.envelope["input"]
        blog = plan.record.payload.get("blog") or {}
        if not payload or _kind(plan) == "page" or payload.get("blogId") or not blog.get("handle"):
            return plan
        given = ((plan.record.payload.get("parts") or {}).get(_BLOG) or [blog["handle"]])[0]
        key = RecordKey(self.resource_type, plan.record.source_id, _BLOG, str(given))
        own_id = f"{plan.identity.partition(':')[0]}:{self.resource_type}:{_BLOG}:{given}"
        home = self._homes.home(blog, caller, own_id=own_id, before=plan.parts.get(key))
        envelope = {**plan.envelope, "input": {**payload, "blogId": home}}
        others = {other: part for other, part in plan.parts.items() if other.part != _BLOG}
        # Its handle here is the title that the source had, so that a change of that can be told.
        return replace(plan, envelope=envelope, parts={**others, key: Identity(key, home, str(blog["title"]))})

    def call(self, plan: Plan) -> Call | None:
        """`articleCreate`, `pageCreate` or their updates, with our id in it."""
        kind, payload = _kind(plan), plan.envelope["input"]
        if not payload:
            return None
        metafields = [*(payload.get("metafields") or ()), _own_id(plan.identity)]
        if not plan.gid:
            return Call(document(f"{kind}_create"), {kind: {**payload, "metafields": metafields}})
        change = {**payload, "metafields": metafields} if plan.is_new else dict(payload)
        if kind == "article":
            change["author"] = payload.get("author") or plan.record.payload["input"]["author"]
        return Call(document(f"{kind}_update"), {"id": plan.gid, kind: change})

    def steps(self, plan: Plan) -> Sequence[Step]:  # noqa: ARG002 - the protocol's
        """None: one call says all."""
        return ()

    def withdraw(self, plan: Plan) -> Call | None:
        """Deleted, or hidden."""
        kind = _kind(plan)
        if plan.withdrawal == "delete":
            return Call(document(f"{kind}_delete"), {"id": plan.gid})
        change: JsonObject = {"isPublished": False}
        if kind == "article":
            change["author"] = plan.record.payload["input"]["author"]
        return Call(document(f"{kind}_update"), {"id": plan.gid, kind: change})

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:  # noqa: ARG002 - the protocol's
        """The article or page; its handle is what its address ends with, below /blogs or in full."""
        kind = _kind(plan)
        it = answer[kind]
        blogs = tuple(part for key, part in plan.parts.items() if key.part == _BLOG)
        return Landed(it["id"], _address(kind, it), blogs, snapshot=snapshot(self, plan, it))

    def watched(self, node: JsonObject) -> JsonObject:
        """What is written in it; whether it is visible follows the clock."""
        return {name: node[name] for name in _WATCHED if name in node}

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:  # noqa: ARG002 - the protocol's
        """None: nothing is found by a metafield."""
        return None

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """What has our handle, where that was refused as taken: found by search, else in the list."""
        handle = plan.envelope["input"].get("handle")
        if not handle or (error.code != "TAKEN" and "taken" not in error.message):
            return None
        kind = _kind(plan)
        for it in _candidates(plan, kind, handle, caller):
            if it["handle"] == handle:
                identity = (it["metafield"] or {}).get("value", "")
                return Found(
                    it["id"], _address(kind, it), identity, created_at=datetime.fromisoformat(it["createdAt"])
                )  # fmt: skip
        return None

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:  # noqa: ARG002 - the protocol's
        """None: it has no parts that an update names."""
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's code for what was deleted, unless it speaks of the blog."""
        return error.code == "NOT_FOUND" and "blog" not in error.message

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """Its own fields; what is not read counts as the same."""
        there = caller.call(document(f"{_kind(plan)}_read"), {"id": plan.gid}, repeatable=True).data
        return {**plan.envelope["input"], **there} if there else None

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """Content always has something to send."""
        return ""


def _kind(plan: Plan) -> str:
    return "page" if plan.record.payload.get("content_type") == "page" else "article"


def _own_id(identity: str) -> JsonObject:
    # Without a definition: the type `id` would need one per kind of owner, and nothing is found by it here.
    return {"namespace": ID_NAMESPACE, "key": ID_KEY, "type": "single_line_text_field", "value": identity}


def _address(kind: str, it: JsonObject) -> str:
    return f"/pages/{it['handle']}" if kind == "page" else f"{it['blog']['handle']}/{it['handle']}"


def _candidates(plan: Plan, kind: str, handle: str, caller: Caller) -> Iterator[JsonObject]:
    """What search finds by the handle; then, for it may lag, everything in the same place, newest first."""
    quoted = handle.replace("\\", "\\\\").replace("'", "\\'")
    variables: JsonObject = {"query": f"handle:'{quoted}'", "first": _PAGE}
    blog = plan.envelope["input"].get("blogId")
    name = "pages" if kind == "page" else "articles"
    found = caller.call(document(name), variables, repeatable=True).data["nodes"]
    yield from (it for it in found if kind == "page" or it["blog"]["id"] == blog)
    yield from _listed(kind, blog, caller)


def _listed(kind: str, blog: str | None, caller: Caller) -> Iterator[JsonObject]:
    """All pages, or all articles of a blog, newest first."""
    after = None
    while True:
        place: JsonObject = {"first": _PAGE, "after": after}
        if kind == "page":
            page = caller.call(document("pages"), place, repeatable=True).data
        else:
            page = caller.call(document("blog_articles"), {"id": blog, **place}, repeatable=True).data.get(
                "articles", {}
            )
        if not page:
            return
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]

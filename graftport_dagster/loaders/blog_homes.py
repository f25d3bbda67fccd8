"""The blogs that articles stand in: each handle once in a store, whoever makes it first.

A blog that we made carries an id of ours in a metafield. Its title follows the source; its handle does too where the
mapping gives blogs ids of their own (`parts.blog`), for else another handle is another blog. One that was there before
us is used as it is.

Facts (API 2026-10): whether Shopify refuses a second blog of the same handle, or gives it another one, is recorded
nowhere, so both are met: the list of blogs, which does not lag, is asked first, and a blog that came out under
another handle is taken away again.
"""

import threading
from dataclasses import dataclass, replace

from graftport_dagster.errors import LoadRejectedError
from graftport_dagster.loaders.plan import Caller
from graftport_dagster.loaders.products import ID_KEY, ID_NAMESPACE
from graftport_dagster.records import Identity, JsonObject
from graftport_dagster.shopify.client import Answer
from graftport_dagster.shopify.documents import document

_PAGE = 250


@dataclass(frozen=True, slots=True)
class _Home:
    """A blog in the store."""

    gid: str
    handle: str
    title: str
    is_ours: bool


class BlogHomes:
    """Handle → blog of one store; asked by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Home] = {}

    def home(self, blog: JsonObject, caller: Caller, *, own_id: str, before: Identity | None = None) -> str:
        """The GID of the blog of this handle, found or made, under the title that the source has now.

        `own_id`: what a blog that is made carries. `before`: the blog that the record was in when it landed last;
        its handle is the title that the source had then.
        """
        handle = str(blog["handle"]).strip().lower()
        with self._lock:
            if handle not in self._known:
                self._known = _listed(caller)
            if handle not in self._known:
                self._known[handle] = self._moved(handle, before, caller) or _made(
                    {**blog, "handle": handle}, own_id, caller
                )
            home = self._known[handle]
            # A title that somebody gave it in Shopify meanwhile stays.
            was = before.handle if before is not None else ""
            if home.is_ours and was and was == home.title and was != blog["title"]:
                _change(home.gid, {"title": blog["title"]}, caller)
                self._known[handle] = replace(home, title=blog["title"])
            return home.gid

    def _moved(self, handle: str, before: Identity | None, caller: Caller) -> _Home | None:
        """The blog that had another handle until now; None where that is not certain."""
        home = next((it for it in self._known.values() if before is not None and it.gid == before.gid), None)
        if home is None or not home.is_ours:
            return None
        _change(home.gid, {"handle": handle}, caller)
        del self._known[home.handle]
        return replace(home, handle=handle)


def _change(gid: str, change: JsonObject, caller: Caller) -> None:
    _raised(caller.call(document("blog_update"), {"id": gid, "blog": change}, repeatable=True))


def _made(blog: JsonObject, own_id: str, caller: Caller) -> _Home:
    """The blog just made, or that of another process (or of a call whose answer was lost) which was faster."""
    mark = {"namespace": ID_NAMESPACE, "key": ID_KEY, "type": "single_line_text_field", "value": own_id}
    given = {**blog, "metafields": [*(blog.get("metafields") or ()), mark]}
    answer = caller.call(document("blog_create"), {"blog": given}, repeatable=True)
    if not answer.user_errors:
        made = answer.data["blog"]
        home = _Home(str(made["id"]), made["handle"], str(blog["title"]), is_ours=True)
        if made["handle"] == blog["handle"]:
            return home
        other = _listed(caller).get(blog["handle"])
        if other is None:
            # Shopify writes the handle in its own way, and nobody else has it so.
            return home
        caller.call(document("blog_delete"), {"id": made["id"]}, repeatable=True)
        return other
    if (other := _listed(caller).get(blog["handle"])) is not None:
        return other
    _raised(answer)
    raise AssertionError("a refusal raises")


def _raised(answer: Answer) -> None:
    try:
        answer.raise_for_user_errors()
    except LoadRejectedError as error:
        error.path = error.path.replace("input", "blog", 1)
        raise


def _listed(caller: Caller) -> dict[str, _Home]:
    found: dict[str, _Home] = {}
    after = None
    while True:
        page = caller.call(document("blogs"), {"first": _PAGE, "after": after}, repeatable=True).data
        for node in page["nodes"]:
            own = (node.get("metafield") or {}).get("value", "")
            found[node["handle"]] = _Home(node["id"], node["handle"], node["title"], is_ours=bool(own))
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]

"""The blogs that articles stand in: each handle once in a store, whoever makes it first.

Facts (API 2026-10): whether Shopify refuses a second blog of the same handle, or gives it another one, is recorded
nowhere, so both are met: the list of blogs, which does not lag, is asked first, and a blog that came out under
another handle is taken away again.
"""

import threading

from graftport_dagster.errors import LoadRejectedError
from graftport_dagster.loaders.plan import Caller
from graftport_dagster.records import JsonObject
from graftport_dagster.shopify.documents import document

_PAGE = 250


class BlogHomes:
    """Handle → GID of the blogs of one store; asked by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def home(self, blog: JsonObject, caller: Caller) -> str:
        """The GID of the blog of this handle, found or made."""
        handle = str(blog["handle"]).strip().lower()
        with self._lock:
            if handle not in self._known:
                self._known = _listed(caller)
            if handle not in self._known:
                self._known[handle] = _made({**blog, "handle": handle}, caller)
            return self._known[handle]


def _made(blog: JsonObject, caller: Caller) -> str:
    """The blog just made, or that of another process (or of a call whose answer was lost) which was faster."""
    answer = caller.call(document("blog_create"), {"blog": blog}, repeatable=True)
    if not answer.user_errors:
        made = answer.data["blog"]
        if made["handle"] == blog["handle"]:
            return str(made["id"])
        other = _listed(caller).get(blog["handle"])
        if other is None:
            # Shopify writes the handle in its own way, and nobody else has it so.
            return str(made["id"])
        caller.call(document("blog_delete"), {"id": made["id"]}, repeatable=True)
        return other
    if (other := _listed(caller).get(blog["handle"])) is not None:
        return other
    try:
        answer.raise_for_user_errors()
    except LoadRejectedError as error:
        error.path = error.path.replace("input", "blog", 1)
        raise
    raise AssertionError("a refusal raises")


def _listed(caller: Caller) -> dict[str, str]:
    found: dict[str, str] = {}
    after = None
    while True:
        page = caller.call(document("blogs"), {"first": _PAGE, "after": after}, repeatable=True).data
        found |= {node["handle"]: node["id"] for node in page["nodes"]}
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]

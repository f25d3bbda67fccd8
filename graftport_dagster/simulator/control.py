"""The control paths, by which tests and people look into the simulator and change it.

What lives here: `/_simulator/…`. Nothing of it is Shopify's.
"""

import time
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graftport_dagster.simulator import registry, shop
from graftport_dagster.simulator.faults import FAULTS, UnknownFaultError
from graftport_dagster.simulator.state import Object, split_gid

if TYPE_CHECKING:
    from graftport_dagster.simulator.server import Server

_MOST_REQUESTS = 10_000


def routes(server: "Server") -> list[Route]:
    """The control paths of a server."""
    paths = _Control(server)
    return [
        Route("/_simulator/", paths.summary, methods=["GET"]),
        Route("/_simulator/objects", paths.objects, methods=["GET"]),
        Route("/_simulator/requests", paths.requests, methods=["GET"]),
        Route("/_simulator/faults", paths.faults, methods=["GET", "POST"]),
        Route("/_simulator/reset", paths.reset, methods=["POST"]),
        Route("/_simulator/edit", paths.edit, methods=["POST"]),
        Route("/_simulator/stop", paths.stop, methods=["POST"]),
        Route("/_simulator/revoke", paths.revoke, methods=["POST"]),
    ]


class _Control:
    def __init__(self, server: "Server") -> None:
        self._server = server
        self._state = server.state

    async def summary(self, _: Request) -> Response:
        self._server.last_asked = time.monotonic()
        counts = {kind: count for kind, count in self._state.counts().items() if not kind.startswith("_")}
        return _json({
            "shop": shop.shop_id(self._state), "domain": shop.domain(self._state), "plan": self._server.settings.plan,
            "objects": counts, "requests": self._state.request_count(),
            "uptime_seconds": round(time.monotonic() - self._server.started, 1),
        })  # fmt: skip

    async def objects(self, request: Request) -> Response:
        kind = request.query_params.get("type")
        if not kind:
            return _json({"error": "say which: /_simulator/objects?type=Product"}, 400)
        return _json([self._whole(it) for it in self._state.all(kind)])

    def _whole(self, it: Object) -> Object:
        shown = {name: value for name, value in it.items() if not name.startswith("_")}
        if "variantIds" in shown:
            found = [self._state.get(gid) for gid in shown.pop("variantIds")]
            shown["variants"] = [self._whole(one) for one in found if one]
            shown["files"] = [self._whole(one) for gid in shown["media"] if (one := self._state.get(gid))]
        if split_gid(shown["id"])[0] == "Collection":
            shown["products"] = self._state.find("member", shown["id"])
        return shown

    async def requests(self, request: Request) -> Response:
        try:
            after = int(request.query_params.get("after", "0"))
        except ValueError:
            return _json({"error": "after is the number of a request"}, 400)
        return _json(self._state.requests(after, _MOST_REQUESTS))

    async def faults(self, request: Request) -> Response:
        faults = self._server.faults
        if request.method == "POST":
            try:
                faults.load(orjson.loads(await request.body() or b"{}"))
            except (orjson.JSONDecodeError, UnknownFaultError, TypeError) as error:
                return _json({"error": str(error)}, 400)
        rules = [{name: getattr(it, name) for name in it.__slots__} for it in faults.rules]
        return _json({"rules": rules, "faults": list(FAULTS)})

    async def reset(self, _: Request) -> Response:
        self._state.clear()
        registry.furnish(self._state)
        self._server.faults.rules.clear()
        self._server.revoked.clear()
        return _json({"shop": shop.shop_id(self._state)})

    async def edit(self, request: Request) -> Response:
        """Body: `{"id": gid, "set": {"title": "…"}}` or `{"id": gid, "delete": true}`."""
        change = orjson.loads(await request.body() or b"{}")
        edited = self._state.get(str(change.get("id", "")))
        if edited is None:
            return _json({"error": f"there is no object {change.get('id')!r}"}, 404)
        with self._state.transaction():
            if change.get("delete"):
                for variant in map(self._state.get, edited.get("variantIds", ())):
                    if variant is not None:
                        self._state.delete(variant)
                self._state.delete(edited)
            else:
                edited.update(change.get("set") or {})
                edited["updatedAt"] = self._state.now()
                self._state.put(edited)
        return _json(self._whole(edited))

    async def stop(self, _: Request) -> Response:
        self._server.stop()
        return _json({"stopping": True})

    async def revoke(self, request: Request) -> Response:
        """Body: `{"token": "…"}`; with `{"restore": "…"}` it is good again."""
        change = orjson.loads(await request.body() or b"{}")
        if "token" in change:
            self._server.revoked.add(change["token"])
        self._server.revoked.discard(change.get("restore", ""))
        return _json({"revoked": len(self._server.revoked)})


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")

"""Where products and collections can be seen.

What lives here: the shop's publications, publishing and unpublishing of whatever can be
published, and the fields that tell. Objects start unpublished.
"""

from datetime import datetime
from typing import Any

from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.connections import page_of, page_of_all
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, State, split_gid

_PUBLISHABLE = ("Product", "Collection", "ProductVariant")
_FIRST_YEAR = 1970


def found_first(state: State) -> None:
    """Gives a new shop its publications."""
    for name in ("Online Store", "Point of Sale"):
        state.put({"id": state.new_id("Publication"), "name": name, "autoPublish": False,
                   "supportsFuturePublishing": name == "Online Store"})  # fmt: skip


def _publish(call: Call, arguments: Arguments) -> Object:
    publishable, wanted = _checked(call, arguments)
    dates = {it["publicationId"]: it["publishDate"] for it in publishable.get("publications", ())}
    for gid, given in wanted.items():
        dates[gid] = given.get("publishDate") or dates.get(gid) or call.state.now()
    return _store(call, publishable, dates)


def _unpublish(call: Call, arguments: Arguments) -> Object:
    publishable, unwanted = _checked(call, arguments)
    dates = {it["publicationId"]: it["publishDate"] for it in publishable.get("publications", ())}
    return _store(call, publishable, {gid: date for gid, date in dates.items() if gid not in unwanted})


def _store(call: Call, publishable: Object, dates: dict[str, str]) -> Object:
    publishable["publications"] = [{"publicationId": gid, "publishDate": date} for gid, date in dates.items()]
    call.state.put(publishable)
    return {"publishable": publishable}


def _checked(call: Call, arguments: Arguments) -> tuple[Object, dict[str, Object]]:
    gid = arguments["id"]
    publishable = call.state.get(gid) if split_gid(gid)[0] in _PUBLISHABLE else None
    if publishable is None:
        raise refuse(["id"], "Resource does not exist")
    errors: list[Object] = []
    wanted: dict[str, Object] = {}
    for index, given in enumerate(arguments["input"]):
        publication = given.get("publicationId")
        if wrong := _problem(call, given, wanted):
            errors.append(user_error(["input", index, wrong[0]], wrong[1]))
        elif publication:
            wanted[publication] = given
    if errors:
        raise Refused(errors)
    return publishable, wanted


def _problem(call: Call, given: Object, wanted: dict[str, Object]) -> tuple[str, str] | None:
    publication, date = given.get("publicationId"), given.get("publishDate")
    if not publication:
        return "publicationId", "PublicationId cannot be empty"
    if publication in wanted:
        return "publicationId", "The same publication was specified more than once"
    if split_gid(publication)[0] != "Publication" or call.state.get(publication) is None:
        return "publicationId", "Publication does not exist or is not publishable"
    if date and datetime.fromisoformat(date).year < _FIRST_YEAR:
        return "publishDate", "Publish date must be a date after the year 1969"
    return None


def _shown(call: Call, source: Object, arguments: Arguments) -> list[Object]:
    now = call.state.now()
    entries = [
        {
            "publishDate": it["publishDate"], "isPublished": it["publishDate"] <= now, "publishable": source,
            "publication": call.state.get(it["publicationId"]), "__publicationId": it["publicationId"],
        }
        for it in source.get("publications", ())
    ]  # fmt: skip
    only_published = arguments.get("onlyPublished", True)
    return [it for it in entries if it["isPublished"] or not only_published]


def _page(call: Call, source: Object, arguments: Arguments) -> Object:
    return page_of(_shown(call, source, arguments), arguments)


def _count(call: Call, source: Object, arguments: Arguments) -> Object:
    return {"count": len(_shown(call, source, arguments)), "precision": "EXACT"}


def _is_on(call: Call, source: Object, arguments: Arguments) -> bool:
    return any(it["__publicationId"] == arguments["publicationId"] for it in _shown(call, source, {}))


def _unpublished(call: Call, source: Object, arguments: Arguments) -> Object:
    on = {it["publicationId"] for it in source.get("publications", ())}
    return page_of([it for it in call.state.all("Publication") if it["id"] not in on], arguments)


def _list(call: Call, _: Any, arguments: Arguments) -> Object:
    return page_of_all(call.state, "Publication", arguments)


PART = Part(
    queries={"publications": _list},
    mutations={"publishablePublish": _publish, "publishableUnpublish": _unpublish},
    fields={
        "*.resourcePublications": _page,
        "*.resourcePublicationsV2": _page,
        "*.resourcePublicationsCount": _count,
        "*.availablePublicationsCount": lambda call, it, _: _count(call, it, {}),
        "*.publicationCount": lambda call, it, arguments: len(_shown(call, it, arguments)),
        "*.publishedOnPublication": _is_on,
        "*.publishedOnCurrentPublication": lambda call, it, _: bool(_shown(call, it, {})),
        "*.unpublishedPublications": _unpublished,
    },
)

"""URL redirects, one by one and as an imported file.

What lives here: redirects and their import. Nothing of them was recorded from a real shop: the
texts for a taken path and for blank ones are the admin's own; the codes are the schema's.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

from graftport_dagster.simulator import uploads
from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_LONGEST_PATH = 1024
_LONGEST_TARGET = 2048
_PREVIEWED = 5


def _path(text: str) -> str:
    """A path as Shopify keeps it: without the shop's address, with a slash in front."""
    path = re.sub(r"^(https?:)?//[^/?#]*", "", text.strip(), flags=re.IGNORECASE).partition("#")[0].removesuffix("?")
    return path if path.startswith("/") else f"/{path}"


def _key(path: str) -> str:
    return path.rstrip("/").lower() or "/"


def _problems(call: Call, path: str, target: str, own: str | None) -> list[tuple[str, str]]:
    problems = []
    if not path.strip():
        problems.append(("path", "Path can't be blank"))
    elif len(path) > _LONGEST_PATH:
        problems.append(("path", f"Path is too long (maximum is {_LONGEST_PATH} characters)"))
    elif any(gid != own for gid in call.state.find("redirect path", _key(_path(path)))):
        problems.append(("path", "Path has already been taken"))
    if not target.strip():
        problems.append(("target", "Target can't be blank"))
    elif len(target) > _LONGEST_TARGET:
        problems.append(("target", f"Target is too long (maximum is {_LONGEST_TARGET} characters)"))
    elif path.strip() and _key(_path(path)) == _key(target):
        problems.append(("target", "Target can't be the same as path"))
    return problems


def make(call: Call, path: str, target: str) -> Object:
    """Stores a redirect, in place of one with the same path."""
    known = call.state.find_one("redirect path", _key(_path(path)))
    redirect = known or {"id": call.state.new_id("UrlRedirect"), "createdAt": call.state.now()}
    redirect.update(path=_path(path), target=target, updatedAt=call.state.now())
    call.state.put(redirect)
    return redirect


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["urlRedirect"]
    path, target = given.get("path") or "", given.get("target") or ""
    if problems := _problems(call, path, target, None):
        raise Refused([user_error(["urlRedirect", name], text, "CREATE_FAILED") for name, text in problems])
    return {"urlRedirect": make(call, path, target)}


def _update(call: Call, arguments: Arguments) -> Object:
    redirect = call.take(arguments["id"], "UrlRedirect")
    if redirect is None:
        raise refuse(["id"], "Redirect does not exist", "DOES_NOT_EXIST")
    given = arguments["urlRedirect"]
    path, target = given.get("path", redirect["path"]) or "", given.get("target", redirect["target"]) or ""
    if problems := _problems(call, path, target, redirect["id"]):
        raise Refused([user_error(["urlRedirect", name], text, "UPDATE_FAILED") for name, text in problems])
    redirect.update(path=_path(path), target=target, updatedAt=call.state.now())
    call.state.put(redirect)
    return {"urlRedirect": redirect}


def _delete(call: Call, arguments: Arguments) -> Object:
    redirect = call.take(arguments["id"], "UrlRedirect")
    if redirect is None:
        raise refuse(["id"], "Redirect does not exist", "DOES_NOT_EXIST")
    call.state.delete(redirect)
    return {"deletedUrlRedirectId": redirect["id"]}


def _rows(text: str) -> Iterator[tuple[str, str]]:
    rows = csv.reader(StringIO(text.removeprefix("\ufeff")))
    for index, row in enumerate(rows):
        path, target = (row[0].strip(), row[1].strip()) if len(row) > 1 else ("", "")
        if index == 0 and path.lower() in {"redirect from", "path"}:
            continue
        if row:
            yield path, target


def _import_create(call: Call, arguments: Arguments) -> Object:
    text = uploads.content(call, arguments["url"])
    if text is None:
        raise refuse(["url"], "File does not exist", "FILE_DOES_NOT_EXIST")
    rows = list(_rows(text))
    entry = {
        "id": call.state.new_id("UrlRedirectImport"), "rows": rows, "count": len(rows), "finished": False,
        "finishedAt": None, "createdCount": None, "updatedCount": None, "failedCount": None,
        "previewRedirects": [{"path": path, "target": target} for path, target in rows[:_PREVIEWED]],
    }  # fmt: skip
    call.state.put(entry)
    return {"urlRedirectImport": entry}


def _import_submit(call: Call, arguments: Arguments) -> Object:
    entry = call.take(arguments["id"], "UrlRedirectImport")
    if entry is None:
        raise refuse(["id"], "Redirect import does not exist", "NOT_FOUND")
    if entry["finished"]:
        raise refuse(["id"], "Redirect import has already been submitted", "ALREADY_IMPORTED")
    created = updated = failed = 0
    for path, target in entry["rows"]:
        known = call.state.find_one("redirect path", _key(_path(path)))
        if _problems(call, path, target, known["id"] if known else None):
            failed += 1
            continue
        make(call, path, target)
        created, updated = (created, updated + 1) if known else (created + 1, updated)
    entry.update(finished=True, finishedAt=call.state.now(), rows=[],
                 createdCount=created, updatedCount=updated, failedCount=failed)  # fmt: skip
    call.state.put(entry)
    return {"job": {"id": call.state.new_id("Job"), "done": False}}


def _values(it: Object, field: str) -> Iterable[Any] | None:
    if field in {"path", "target"}:
        return [it[field]]
    if field == "id":
        return [it["id"].rpartition("/")[2], it["id"]]
    return {"default": [it["path"], it["target"]], "created_at": [it["createdAt"]]}.get(field)


SEARCH = Searchable("UrlRedirect", _values, {"path": "redirect path exact"})


def _keys(it: Object) -> list[tuple[str, str]]:
    return [("redirect path", _key(it["path"])), ("redirect path exact", it["path"].lower())]


PART = Part(
    queries={
        "urlRedirect": lambda call, _, it: call.take(it["id"], "UrlRedirect"),
        "urlRedirects": list_of(SEARCH),
        "urlRedirectsCount": count_of(SEARCH),
        "urlRedirectImport": lambda call, _, it: call.take(it["id"], "UrlRedirectImport"),
    },
    mutations={
        "urlRedirectCreate": _create, "urlRedirectUpdate": _update, "urlRedirectDelete": _delete,
        "urlRedirectImportCreate": _import_create, "urlRedirectImportSubmit": _import_submit,
    },
    keys={"UrlRedirect": _keys},
)  # fmt: skip

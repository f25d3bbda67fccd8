"""Files: images and other media, by address or as already there.

What lives here: how a given file becomes an object (new, replaced by name, or referred to by
id), its processing, and the file mutations. Which files a product shows is `products.py`'s.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from graftport_dagster.simulator.answers import Refused, TopLevelError, user_error
from graftport_dagster.simulator.connections import page_of_all
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, split_gid

KINDS = {"IMAGE": "MediaImage", "VIDEO": "Video", "EXTERNAL_VIDEO": "ExternalVideo", "MODEL_3D": "Model3d",
         "FILE": "GenericFile"}  # fmt: skip
_LONGEST_ALT = 512
_LONGEST_SOURCE = 2048
Problem = tuple[str, str, str]


def write(
    call: Call, given: Object, *, blame: str = "INVALID_IMAGE_SOURCE_URL"
) -> tuple[Object | None, Problem | None]:
    """The stored file of an input, or what is wrong with it as (field, message, code)."""
    if len(given.get("alt") or "") > _LONGEST_ALT:
        message = f"The alt value exceeds the maximum limit of {_LONGEST_ALT} characters."
        return None, ("alt", message, "ALT_VALUE_LIMIT_EXCEEDED")
    if given.get("id"):
        known = _file(call, given["id"])
        if known is None:
            return None, ("id", f"File id {given['id']} does not exist.", "FILE_DOES_NOT_EXIST")
        if "alt" in given and given["alt"] != known["alt"]:
            known["alt"] = given["alt"]
            call.state.put(known)
        return known, None
    source = given.get("originalSource") or ""
    if not _is_address(source):
        return None, ("originalSource", "Image URL is invalid", blame)
    filename = given.get("filename") or unquote(PurePosixPath(urlsplit(source).path).name) or "file"
    mode = given.get("duplicateResolutionMode") or "APPEND_UUID"
    return _resolved(call, given, source, filename, mode)


def _file(call: Call, gid: str) -> Object | None:
    return call.state.get(gid) if split_gid(gid)[0] in KINDS.values() else None


def _resolved(call: Call, given: Object, source: str, filename: str, mode: str) -> tuple[Object | None, Problem | None]:
    if mode == "REPLACE" and not given.get("filename"):
        message = "Missing filename argument when attempting to use REPLACE duplicate mode."
        return None, ("filename", message, "MISSING_FILENAME_FOR_DUPLICATE_MODE_REPLACE")
    if given.get("filename") and _suffix(given["filename"]) != _suffix(urlsplit(source).path):
        message = "Provided filename extension must match original source."
        return None, ("filename", message, "MISMATCHED_FILENAME_AND_ORIGINAL_SOURCE")
    known = call.state.find_one("filename", filename.lower())
    if known is not None and mode == "RAISE_ERROR":
        return None, ("filename", "A file with this name already exists.", "FILENAME_ALREADY_EXISTS")
    if known is not None and mode == "APPEND_UUID":
        stem, suffix = PurePosixPath(filename).stem, PurePosixPath(filename).suffix
        filename, known = f"{stem}_{uuid.uuid4()}{suffix}", None
    return _stored(call, given, source, filename, known), None


def _stored(call: Call, given: Object, source: str, filename: str, known: Object | None) -> Object:
    now = call.state.now()
    content_type = given.get("contentType") or given.get("mediaContentType") or "IMAGE"
    file = known or {"id": call.state.new_id(KINDS[content_type]), "createdAt": now, "alt": None}
    file.update(
        originalSource=source, filename=filename, mediaContentType=content_type, updatedAt=now,
        alt=given["alt"] if "alt" in given else file["alt"],
    )  # fmt: skip
    call.state.put(file)
    return file


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in text


def _suffix(path: str) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    return ".jpg" if suffix == ".jpeg" else suffix


def _create(call: Call, arguments: Arguments) -> Object:
    created, errors = [], []
    for index, given in enumerate(arguments["files"]):
        source = given["originalSource"]
        if not source:
            raise TopLevelError("INVALID_FIELD_ARGUMENTS", "originalSource is too short (minimum is 1)")
        if len(source) > _LONGEST_SOURCE:
            raise TopLevelError("INVALID_FIELD_ARGUMENTS", f"originalSource is too long (maximum is {_LONGEST_SOURCE})")
        file, problem = write(call, given)
        if problem is not None:
            message = "File URL is invalid" if problem[0] == "originalSource" else problem[1]
            errors.append(user_error(["files", index, problem[0]], message, problem[2]))
        created.append(file)
    if errors:
        raise Refused(errors)
    return {"files": created}


def _update(call: Call, arguments: Arguments) -> Object:
    changes = arguments["files"]
    known = {it["id"]: _file(call, it["id"]) for it in changes}
    if missing := [gid for gid, it in known.items() if it is None]:
        shown = ", ".join(f'"{gid}"' for gid in missing)
        message = f"File id [{shown}] does not exist." if len(missing) == 1 else f"File ids [{shown}] do not exist."
        raise Refused([user_error(["files"], message, "FILE_DOES_NOT_EXIST")])
    errors = [
        user_error(["files", index, "alt"], f"The alt value exceeds the maximum limit of {_LONGEST_ALT} characters.",
                   "ALT_VALUE_LIMIT_EXCEEDED")
        for index, it in enumerate(changes) if len(it.get("alt") or "") > _LONGEST_ALT
    ]  # fmt: skip
    if errors:
        raise Refused(errors)
    updated = []
    for change in changes:
        file = known[change["id"]] or {}
        file.update({name: change[name] for name in ("alt", "filename", "originalSource") if name in change})
        file["updatedAt"] = call.state.now()
        call.state.put(file)
        updated.append(file)
    return {"files": updated}


def _delete(call: Call, arguments: Arguments) -> Object:
    known = [(gid, _file(call, gid)) for gid in arguments["fileIds"]]
    if missing := [gid for gid, it in known if it is None]:
        one = len(missing) == 1
        message = f"File id {missing[0]} does not exist." if one else f"File ids {','.join(missing)} do not exist."
        raise Refused([user_error(["fileIds"], message, "FILE_DOES_NOT_EXIST")])
    for gid, file in known:
        for product_id in call.state.find("media", gid):
            product = call.state.get(product_id)
            if product is not None:
                product["media"] = [it for it in product["media"] if it != gid]
                call.state.put(product)
        if file is not None:
            call.state.delete(file)
    return {"deletedFileIds": arguments["fileIds"]}


def _status(call: Call, file: Object, _: Arguments) -> str:
    age = datetime.fromisoformat(call.state.now()) - datetime.fromisoformat(file["updatedAt"])
    if age.total_seconds() < call.settings.processing_seconds:
        return "PROCESSING"
    # A host that by RFC 2606 can never answer stands for every picture that cannot be fetched.
    host = urlsplit(file["originalSource"]).hostname or ""
    return "FAILED" if host.endswith(".invalid") else "READY"


def _errors(call: Call, file: Object, _: Arguments) -> list[Object]:
    if _status(call, file, {}) != "FAILED":
        return []
    message = "The file could not be downloaded from the original source."
    return [{"code": "IMAGE_DOWNLOAD_FAILURE", "message": message, "details": message}]


def image(call: Call, file: Object, _: Arguments) -> Object | None:
    """The picture of a file, once it is ready."""
    if _status(call, file, {}) != "READY":
        return None
    address = f"https://cdn.shopify.com/s/files/1/{call.state.shop_number}/files/{file['filename']}"
    return {"id": file["id"].replace("MediaImage", "ImageSource"), "url": address, "src": address,
            "originalSrc": address, "altText": file["alt"], "width": 1000, "height": 1000}  # fmt: skip


def _preview(call: Call, file: Object, _: Arguments) -> Object:
    return {"status": _status(call, file, {}), "image": image(call, file, {})}


def _keys(file: Object) -> Iterable[tuple[str, str]]:
    yield "filename", file["filename"].lower()


def _fields(kind: str) -> dict[str, Any]:
    return {
        f"{kind}.status": _status, f"{kind}.fileStatus": _status, f"{kind}.preview": _preview,
        f"{kind}.mediaErrors": _errors, f"{kind}.fileErrors": _errors, f"{kind}.image": image,
        f"{kind}.mimeType": lambda *_: "image/jpeg",
        f"{kind}.originalSource": lambda _, it, __: {"url": it["originalSource"], "fileSize": 1},
    }  # fmt: skip


PART = Part(
    queries={"files": lambda call, _, it: page_of_all(call.state, "MediaImage", it)},
    mutations={"fileCreate": _create, "fileUpdate": _update, "fileDelete": _delete},
    fields={name: it for kind in KINDS.values() for name, it in _fields(kind).items()},
    keys=dict.fromkeys(KINDS.values(), _keys),
)

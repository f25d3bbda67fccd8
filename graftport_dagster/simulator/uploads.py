"""Staged uploads: an address to put a file at, and the file once it is there.

What lives here: `stagedUploadsCreate` and what the upload endpoint stores and gives back.
Receiving the bytes over HTTP is `server.py`'s.
"""

import re
import uuid
from email import message_from_bytes
from urllib.parse import urlsplit

from graftport_dagster.simulator.answers import Refused, user_error
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.state import Object, State

PREFIX = "/_uploads/"
_SIZED = {"VIDEO": "video", "MODEL_3D": "3D model"}


def _create(call: Call, arguments: Arguments) -> Object:
    errors = []
    for index, given in enumerate(arguments["input"]):
        if given["resource"] in _SIZED and not given.get("fileSize"):
            message = f"file size is required for {_SIZED[given['resource']]} resources"
            errors.append(user_error(["input", index, "fileSize"], message))
        elif given["mimeType"] == "application/x-msdownload":
            message = f"{given['filename']}: ({given['mimeType']}) is not a recognized format"
            errors.append(user_error(["input", index, "mimeType"], message))
    if errors:
        raise Refused(errors)
    return {"stagedTargets": [_target(call, given) for given in arguments["input"]]}


def _target(call: Call, given: Object) -> Object:
    key = f"tmp/{call.state.shop_number}/{uuid.uuid4()}/{given['filename']}"
    address = f"{call.base_url}{PREFIX}"
    if given.get("httpMethod") == "POST":
        parameters = [
            {"name": "Content-Type", "value": given["mimeType"]},
            {"name": "success_action_status", "value": "201"},
            {"name": "acl", "value": "private"},
            {"name": "key", "value": key},
        ]
        return {"url": address, "resourceUrl": f"{address}{key}", "parameters": parameters}
    parameters = [{"name": "content_type", "value": given["mimeType"]}, {"name": "acl", "value": "private"}]
    return {"url": f"{address}{key}", "resourceUrl": f"{address}{key}", "parameters": parameters}


def store(state: State, key: str, body: bytes) -> None:
    """Keeps an uploaded file under its key, in place of an earlier one."""
    with state.transaction():
        known = state.find_one("upload", key)
        entry = known or {"id": state.new_id("_Upload"), "key": key}
        entry["text"] = body.decode("utf-8", "replace")
        state.put(entry)


def content(call: Call, address: str) -> str | None:
    """The text uploaded to an address of ours; None when nothing is there."""
    return stored(call.state, urlsplit(address).path.partition(PREFIX)[2])


def stored(state: State, key: str) -> str | None:
    """The text uploaded under a key."""
    entry = state.find_one("upload", key)
    return None if entry is None else str(entry["text"])


def form_parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a multipart form by name, in the order they came."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts: dict[str, bytes] = {}
    for part in message.get_payload() if message.is_multipart() else ():
        name = re.search(r'\bname="([^"]*)"', str(part["Content-Disposition"]))  # type: ignore[index]
        content = part.get_payload(decode=True)  # type: ignore[union-attr]
        if name is not None and isinstance(content, bytes):
            parts[name[1]] = content
    return parts


PART = Part(mutations={"stagedUploadsCreate": _create}, keys={"_Upload": lambda it: [("upload", it["key"])]})

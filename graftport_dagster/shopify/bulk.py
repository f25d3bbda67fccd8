"""Many calls by one file: a bulk operation is begun, found again, looked at, canceled, and its results are read.

Facts (API 2026-10): a line of the file is the variables of one call. Lines are worked off in any order, outside the
store's points; each leaves a line of results with its number. An operation says its document, which is how one is
found whose begin was never answered: the document's name carries a token of ours. What `partialDataUrl` of a canceled
one has is not documented; it is read where there is one. When to do which of these is decided in `loaders/bulk.py`.
"""

import errno
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import orjson
import requests
from urllib3.exceptions import HTTPError

from graftport_dagster.errors import (
    OutOfSpaceError,
    RemoteFaultError,
    TransientError,
    UnknownOutcomeError,
    UnreachableError,
)
from graftport_dagster.records import JsonObject
from graftport_dagster.shopify import uploads
from graftport_dagster.shopify.client import Answer
from graftport_dagster.shopify.documents import document

RESULTS_GONE = "RESULTS_GONE"
"""The code of the error for a result file that is not there any more."""

_OPEN = frozenset({"CREATED", "RUNNING", "CANCELING"})
_NAME = re.compile(r"^mutation \w+")
_TRIES = 5
_PAUSE_SECONDS = 1.0
_TIMEOUTS = (10.0, 60.0)
_PIECE = 1 << 20
# A download that gives less than so much in so long is given up.
_SPAN_SECONDS = 60.0
_LEAST_IN_SPAN = 1024
# Of statuses that refuse; an address that has run out is 400, 403, 404 or 410, as the file server likes.
_NOT_NOW = frozenset({408, 429})
# By how much Shopify's clock and ours may disagree.
_CLOCKS_DIFFER = timedelta(minutes=5)


class Caller(Protocol):
    """`client.Shop`, or something that counts what it spends."""

    def call(self, document: str, variables: JsonObject, *, repeatable: bool) -> Answer:
        """The answer, userErrors included. Raises as `Shop.call` does."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as Shopify tells it. `url`: its results, or what there is of them; "" for none."""

    gid: str
    status: str
    error_code: str
    done: int
    url: str

    @property
    def is_over(self) -> bool:
        """Whether it writes nothing any more."""
        return self.status not in _OPEN


def put(caller: Caller, content: bytes, name: str, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """Puts a file of lines where Shopify takes it, and gives its path. Nothing follows from it yet."""
    given = {"resource": "BULK_MUTATION_VARIABLES", "filename": f"{name}.jsonl", "mimeType": "text/jsonl",
             "httpMethod": "POST"}  # fmt: skip
    for left in reversed(range(_TRIES)):
        answer = caller.call(document("staged_uploads_create"), {"input": [given]}, repeatable=True)
        answer.raise_for_user_errors()
        (target,) = answer.data["stagedTargets"]
        try:
            uploads.put(target, f"{name}.jsonl", content)
        except TransientError:
            if not left:
                raise
            sleep(_PAUSE_SECONDS)
        else:
            break
    return next(str(item["value"]) for item in target["parameters"] if item["name"] == "key")


def begin(caller: Caller, text: str, path: str, token: str) -> str:
    """Begins an operation over a file, and gives its GID.

    Raises LoadRejectedError where Shopify does not take it, UnknownOutcomeError where the answer was lost.
    """
    variables = {
        "mutation": _NAME.sub(f"mutation Graftport_{token}", text),
        "path": path,
        "label": f"graftport-{token}",
    }
    # A second one over the same file would be another operation, so it is never sent again from here.
    answer = caller.call(document("bulk_operation_run"), variables, repeatable=False)
    answer.raise_for_user_errors()
    if not (begun := answer.data.get("bulkOperation")):
        raise UnknownOutcomeError("Shopify did not name the bulk operation that it was asked for.", code="NO_DATA")
    return str(begun["id"])


def find(caller: Caller, token: str, since: datetime) -> str:
    """The GID of the operation with this token, begun since then; "" where the list does not have it (yet)."""
    search = f"operation_type:mutation created_at:>='{since - _CLOCKS_DIFFER:%Y-%m-%dT%H:%M:%SZ}'"
    after = None
    while True:
        page = caller.call(document("bulk_operations"), {"search": search, "after": after}, repeatable=True).data
        for node in page["nodes"]:
            if token in node["query"]:
                return str(node["id"])
        if not page["pageInfo"]["hasNextPage"]:
            return ""
        after = page["pageInfo"]["endCursor"]


def look(caller: Caller, gid: str) -> Operation | None:
    """The operation as it is now; None where Shopify does not know it (any more)."""
    told = caller.call(document("bulk_operation"), {"id": gid}, repeatable=True).data
    if not told:
        return None
    url = "" if told["status"] == "EXPIRED" else told.get("url") or told.get("partialDataUrl") or ""
    return Operation(gid, str(told["status"]), str(told.get("errorCode") or ""), int(told["objectCount"]), str(url))


def cancel(caller: Caller, gid: str) -> None:
    """Asks for its end, which comes in a while; does nothing where it is over."""
    caller.call(document("bulk_operation_cancel"), {"id": gid}, repeatable=True)


def fetch(
    url: str, into: Path, *, stop: Callable[[], bool], sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> None:  # fmt: skip
    """Writes a result file to the disk; after a stop, one that does not come within a minute or two is given up.

    Raises RemoteFaultError, code RESULTS_GONE, where it is not there any more.
    """
    for left in reversed(range(_TRIES)):
        try:
            with requests.get(url, stream=True, timeout=_TIMEOUTS) as reply:
                if 400 <= reply.status_code < 500 and reply.status_code not in _NOT_NOW:
                    raise RemoteFaultError("The file of results is not there any more.", code=RESULTS_GONE)
                reply.raise_for_status()
                with into.open("wb") as file:
                    file.writelines(_pieces(reply, stop, now))
        except (requests.RequestException, HTTPError) as error:
            if not left or stop():
                told = "could not be read" if isinstance(error, requests.HTTPError) else "did not come whole"
                raise UnreachableError(
                    f"A bulk operation's file of results {told}.", code="RESULTS_UNREADABLE"
                ) from error
            sleep(_PAUSE_SECONDS)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OutOfSpaceError("There is no space for a bulk operation's file of results.") from error
        else:
            return


def _pieces(reply: requests.Response, stop: Callable[[], bool], now: Callable[[], float]) -> Iterator[bytes]:
    """What comes, as it comes: to wait for a whole piece would let a file trickle for hours."""
    since, came = now(), 0
    while piece := reply.raw.read1(_PIECE, decode_content=True):
        yield piece
        came += len(piece)
        if now() - since > _SPAN_SECONDS:
            if came < _LEAST_IN_SPAN or stop():
                raise requests.Timeout
            since, came = now(), 0


def results(file: Path) -> Iterator[tuple[int, JsonObject]]:
    """Line number → answer, in the order of the file; what cannot be read is left out, as if it were not there."""
    with file.open("rb") as lines:
        for line in lines:
            try:
                answer = orjson.loads(line)
                yield int(answer["__lineNumber"]), answer
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                continue

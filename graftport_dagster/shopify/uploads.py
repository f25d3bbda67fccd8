"""Files on their way into Shopify: a place to put one is asked for, and it is put there.

What becomes of the file (a bulk operation, an import of redirects) is the caller's next call.
"""

import requests

from graftport_dagster.errors import RemoteFaultError, UnreachableError
from graftport_dagster.records import JsonObject

_SECONDS = 120.0


def put(target: JsonObject, filename: str, content: bytes) -> None:
    """Posts a file to a staged target; raises UnreachableError or RemoteFaultError. Nothing follows from it yet."""
    fields = {item["name"]: item["value"] for item in target["parameters"]}
    try:
        answer = requests.post(target["url"], data=fields, files={"file": (filename, content)}, timeout=_SECONDS)
    except requests.RequestException as error:
        raise UnreachableError(f"The file could not be put where Shopify takes it: {error}.") from error
    if not answer.ok:
        raise RemoteFaultError(f"The place where Shopify takes files answered {answer.status_code}.")

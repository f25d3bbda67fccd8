"""The settings that every source asked over HTTP has: address, patience and pace.

What they do is in `sources/rest_reader.py`.
"""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from graftport_dagster.settings import WebAddress
from graftport_dagster.source_settings.source_model import SourceModel

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class RestModel(SourceModel):
    """A shop that is asked over HTTP."""

    url: WebAddress
    timeout_seconds: Annotated[float, Field(gt=0)] = 60
    attempts: Annotated[int, Field(ge=1, le=20)] = 6
    requests_per_second: Annotated[float, Field(ge=0)] = 0

    def unencrypted(self) -> str:
        """Says so of an http:// address that is not this machine's own."""
        parts = urlsplit(self.url)
        if parts.scheme == "https" or parts.hostname in LOOPBACK:
            return ""
        return (
            f"{self.url} is not encrypted: on the way anybody can read what the shop answers, and the password, "
            "token or key where one is sent."
        )

"""The settings that every source asked over HTTP has: patience and pace.

What they do is in `sources/rest_reader.py`.
"""

from typing import Annotated

from pydantic import Field

from graftport_dagster.source_settings.source_model import SourceModel


class RestModel(SourceModel):
    """A shop that is asked over HTTP."""

    timeout_seconds: Annotated[float, Field(gt=0)] = 60
    attempts: Annotated[int, Field(ge=1, le=20)] = 6
    requests_per_second: Annotated[float, Field(ge=0)] = 0

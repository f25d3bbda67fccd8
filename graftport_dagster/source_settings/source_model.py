"""What the settings of every kind of source have in common."""

from typing import Annotated

from pydantic import Field

from graftport_dagster.records import ResourceType
from graftport_dagster.settings import Settings

Platform = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class SourceModel(Settings):
    """One kind of source. `platform` names the packaged mappings and starts every identity."""

    type: str
    platform: Platform

    def named_types(self) -> tuple[ResourceType, ...]:
        """The resource types that these settings name one by one; none where that is not how they are written."""
        return ()

    def unencrypted(self) -> str:
        """A sentence where what is read, or a secret, goes over a network unencrypted; "" where not."""
        return ""

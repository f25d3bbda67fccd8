"""The settings of a shop or database that may have files beside it.

How the two are one source is in `sources/beside.py`.
"""

from collections.abc import Mapping

from pydantic import Field

from graftport_dagster.records import ResourceType
from graftport_dagster.source_settings.files import FileSpecs, FilesSettings
from graftport_dagster.source_settings.source_model import SourceModel


class WithFiles(SourceModel):
    """`files`: types that are read from files instead, relative to `root`."""

    root: str = "."
    files: Mapping[ResourceType, FileSpecs] = Field(default_factory=dict)

    def files_beside(self) -> FilesSettings | None:
        """The settings of the files, where there are any."""
        if not self.files:
            return None
        return FilesSettings(type="files", platform=self.platform, root=self.root, files=self.files)

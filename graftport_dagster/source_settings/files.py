"""`source: {type: files}`: which files hold the rows of which resource type.

How they are read is in `sources/files.py`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from graftport_dagster.records import ResourceType
from graftport_dagster.settings import Settings
from graftport_dagster.source_settings.source_model import Platform, SourceModel


class FileSpec(Settings):
    """One file of rows. Separator, encoding and id column are detected where they are not given."""

    path: str
    format: Literal["auto", "csv", "json", "jsonl", "excel", "magento_export"] = "auto"
    id_column: str = ""
    separator: str = ""
    encoding: str = ""
    sheet: str = ""


class FilesSettings(SourceModel):
    """Files of rows, relative to `root`, and Magento's native product export."""

    type: Literal["files"] = "files"
    platform: Platform = "files"
    root: str = "."
    files: Mapping[ResourceType, FileSpec | list[FileSpec]] = Field(default_factory=dict)
    magento_export: FileSpec | list[FileSpec] | None = None
    address_suffix: str = ".html"
    hidden_addresses: bool = True
    category_ancestors: bool = False
    attribute_sets: list[str] = Field(default_factory=list)
    max_record_mb: Annotated[float, Field(gt=0)] = 16

    def named_types(self) -> tuple[ResourceType, ...]:
        """Those that a file is named for; an export gives several that are not named."""
        return () if self.magento_export else tuple(self.files)

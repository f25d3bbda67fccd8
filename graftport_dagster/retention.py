"""The settings of retention: source files that were read, how long the story of runs is kept, samples.

What is done with files is in `pipeline/source_files.py`, what is purged in `store/purging.py`.
"""

from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field, field_validator

from graftport_dagster.settings import Settings


class Retention(Settings):
    """What is kept, for how long. `backup_folder` is relative to the folder of the source's files."""

    source_files: Literal["keep", "move", "delete"] = "keep"
    backup_folder: str = "backup"
    keep_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    sample_records: Annotated[int, Field(ge=0, le=1000)] = 0

    @property
    def takes_files(self) -> bool:
        """Whether a source file goes away once all of it has landed."""
        return self.source_files != "keep"

    @field_validator("backup_folder")
    @classmethod
    def _backup_is_a_folder_of_its_own(cls, value: str) -> str:
        if PurePath(value) in (PurePath(), PurePath("..")):
            raise ValueError("name a folder of its own, not the one that the source's files are in")
        return value

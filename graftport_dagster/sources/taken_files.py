"""Source files that are not there any more because we moved or deleted them: their absence is no error.

When they are taken away is decided in `pipeline/source_files.py`; here a file source tells them from files that
somebody forgot, and from new ones.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

# Ends the name of a file that is just being taken away; no pattern of source files means such a one.
TAKING = ".graftport-taking"


@dataclass(frozen=True, slots=True)
class TakenFiles:
    """Checksums of the files that were taken, by their path relative to the source's folder."""

    sha256: Mapping[str, str] = field(default_factory=dict)
    backup_folder: str = ""

    def named_by(self, pattern: str) -> list[str]:
        """Those of them that a path of the migration file, or a pattern, means; in their order."""
        wanted = PurePosixPath(os.path.normpath(pattern))
        return sorted(path for path in self.sha256 if _means(wanted, PurePosixPath(path)))

    def is_ours(self, path: Path, root: Path) -> bool:
        """Whether a file that a pattern found is one in the backup, or is just being taken there."""
        backup = (root / self.backup_folder).resolve() if self.backup_folder else None
        return path.name.endswith(TAKING) or (backup is not None and path.resolve().is_relative_to(backup))


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A local file as it was when it was read. `relative`: its path in the source's folder; `name`: as origins say."""

    path: Path
    relative: str
    name: str
    stamp: str


def stamp_of(path: Path) -> str:
    """Tells a file from what is written in its place later, and stays with it when it is renamed."""
    status = path.stat()
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def _means(wanted: PurePosixPath, path: PurePosixPath) -> bool:
    if wanted == path:
        return True
    if "**" in wanted.parts:
        return fnmatchcase(str(path), str(wanted)) or path.match(str(wanted).removeprefix("**/"))
    return len(wanted.parts) == len(path.parts) and all(map(fnmatchcase, path.parts, wanted.parts))

"""What came of what was sent: of a main step, of a further one, of many at once. Nouns only.

Made by `sending.py` in its threads, settled by `loader.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graftport_dagster.errors import LoadRejectedError
from graftport_dagster.loaders.plan import Landed, Plan
from graftport_dagster.loaders.steps import Course


class GoneError(LoadRejectedError):
    """The object that the record became is not in Shopify any more."""

    default_code = "GONE"


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one plan: `landed`, `error`, or neither where it was verified and is still to be sent."""

    plan: Plan
    landed: Landed | None = None
    is_adopted: bool = False
    error: Exception | None = None
    calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Stepped:
    """What came of a further step: done, with the GID of what it made; an error; or `is_absent`, still to be sent."""

    course: Course
    gid: str = ""
    is_absent: bool = False
    error: Exception | None = None
    calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing a batch: refusals by GID, or one failure for all."""

    courses: Sequence[Course]
    refused: Mapping[str, LoadRejectedError]
    failure: Exception | None = None
    calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of a step that went in one call for many records: of each its own."""

    results: Sequence[Stepped]
    calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of main steps that a bulk operation has carried, `token` its own: of each its own.

    `is_recovered`: it was an earlier load's, and only what has landed is told.
    """

    token: str
    results: Sequence[Sent]
    is_recovered: bool
    calls: int = 0
    cost: float = 0.0


Answered = Sent | Stepped | Published | Joined | Carried

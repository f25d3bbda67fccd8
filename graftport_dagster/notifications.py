"""The settings of notifications: who is told, of what, how often.

What a message says is in `reports/notices.py`, how it is sent in `reports/channels.py`; when, in the
sensor `defs/notifications.py`.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from graftport_dagster.settings import Secret, Settings


class Event(StrEnum):
    """What somebody may want to be told of."""

    FAILED = "failed"
    RETRY_PLANNED = "retry_planned"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    BACKLOG = "backlog"
    AUTO_PAUSED = "auto_paused"


class Webhook(Settings):
    """An address that takes JSON with `text`, as Slack, Mattermost and many others do."""

    url: Secret


class Mail(Settings):
    """A mail server, and whom it writes to."""

    host: str
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None
    sender: str
    to: Annotated[list[str], Field(min_length=1)]


class Notifications(Settings):
    """Off until somebody turns the sensor on; in its log it tells everything in any case."""

    webhook: Webhook | None = None
    mail: Mail | None = None
    events: list[Event] = Field(default_factory=lambda: list(Event))
    backlog_hours: Annotated[float, Field(gt=0, le=876_000)] = 24
    digest_minutes: Annotated[float, Field(ge=0, le=525_600)] = 15

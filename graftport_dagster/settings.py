"""What every part of a migration file is made of: strict models, secrets by reference, addresses.

Here are the words that any setting may be written in. Which settings there are is in
`migration.py` and, for the kinds of sources, in `source_settings/`.
"""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict

from graftport_dagster.errors import ConfigurationError


class Settings(BaseModel):
    """A part of the migration file; an unknown key in it is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def resolve_secret(reference: str, *, base: Path | None = None) -> str:
    """The value behind `env:NAME` or `file:PATH`; anything else is the value itself.

    Raises ConfigurationError naming the variable or file (never its content) when it is absent or empty.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        if value := os.environ.get(name, "").strip():
            return value
        raise ConfigurationError(
            f"The environment variable {name} is not set.", code="SECRET_MISSING", hint=f"Set {name} and run again."
        )
    if kind == "file":
        path = Path(name) if base is None else base / name
        try:
            if value := path.read_text(encoding="utf-8").strip():
                return value
        except (OSError, UnicodeDecodeError):
            pass
        raise ConfigurationError(
            f"The secret file {name} is absent, unreadable, no text or empty.", code="SECRET_MISSING",
            hint="Write the secret into that file, readable by this user.",
        )  # fmt: skip
    return reference


def _is_reference(value: str) -> str:
    if value.partition(":")[0] not in {"env", "file"}:
        raise ValueError("write a secret as env:NAME or file:PATH, never into the migration file")
    return value


Secret = Annotated[str, AfterValidator(_is_reference)]


def _is_web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ValueError("write the whole address, like https://shop.example")
    if parts.username or parts.password:
        raise ValueError("an address holds no user name and no password; give them as secrets")
    return value.rstrip("/")


# Without a slash at its end.
WebAddress = Annotated[str, AfterValidator(_is_web_address)]

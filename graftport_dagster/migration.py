"""The migration file: one merchant's move, as a checked model with its defaults.

One YAML file per migration, in the folder that GRAFTPORT_MIGRATIONS names (the demo's by
default). Reading it opens nothing and asks for no secret: `env:NAME` and `file:PATH` stay
references until a run resolves them, so that rotating a secret needs no restart.
What the options of one run mean is in `records.RunOptions`; how mapping texts become
versions is in `mappings/`.
"""

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.mistakes import mistakes
from graftport_dagster.notifications import Notifications
from graftport_dagster.records import Phase, ResourceType, json_hash
from graftport_dagster.retention import Retention
from graftport_dagster.settings import Secret, Settings, resolve_secret
from graftport_dagster.source_settings import AnySource
from graftport_dagster.source_settings.files import FileSpec

__all__ = [
    "Destination",
    "FileSpec",
    "Migration",
    "find_migration",
    "load_migrations",
    "migrations_folder",
    "read_migration",
    "resolve_secret",
]

SHOPIFY_API_VERSION = "2026-10"
MIGRATIONS_VARIABLE = "GRAFTPORT_MIGRATIONS"
_DEMO = Path(__file__).resolve().parent.parent / "data" / "demo"
_HANDLE = re.compile(r"[a-z0-9][a-z0-9-]{0,254}")
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-f:]+")
_TAKEN = ("purge_daily", "source_freshness", "retry_due", "notifications", "reaper")
_SCHEDULE = re.compile(r"[A-Za-z0-9_]+")
_CRON_PART = re.compile(r"(\*|(\w+)(-(\w+))?)(/[1-9]\d*)?")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Of each field: the least and the greatest number, and words that stand for numbers from the least on.
_CRON: tuple[tuple[int, int, list[str]], ...] = ((0, 59, []), (0, 23, []), (1, 31, []), (1, 12, _MONTHS), (0, 7, _DAYS))


class Destination(Settings):
    """The Shopify store. `simulator://` is the embedded one; else `<shop>.myshopify.com` or a URL.

    Either `access_token`, or `client_id` and `client_secret` of an app of the store's own organisation.
    """

    shop: str = "simulator://"
    access_token: Secret | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    api_version: str = SHOPIFY_API_VERSION
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    timeout_seconds: Annotated[float, Field(gt=0)] = 60
    patience_seconds: Annotated[float, Field(ge=0, le=86_400)] = 120
    verify_after_seconds: Annotated[float, Field(ge=0)] = 60

    @property
    def is_simulated(self) -> bool:
        """Whether it is the embedded simulator."""
        return self.shop.startswith("simulator:")

    @field_validator("shop")
    @classmethod
    def _shop_is_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value if "://" in value else f"https://{value}")
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            host = " "
        if value.startswith("simulator:"):
            # One without a name is the default one.
            host = host or "default"
        if not _HOST.fullmatch(host.replace("_", "-")):
            raise ValueError("write it as <shop>.myshopify.com, as a URL, or simulator:// for the embedded simulator")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> "Destination":
        if self.shop.startswith("simulator:"):
            return self
        credentials = (self.client_id is not None, self.client_secret is not None)
        if credentials[0] != credentials[1] or credentials[0] == (self.access_token is not None):
            raise ValueError("give either access_token, or client_id and client_secret")
        return self


class Defaults(Settings):
    """Options of every run of this migration; a run may say otherwise where `RunOptions` has the same name."""

    conflict_strategy: Literal["overwrite", "skip"] = "overwrite"
    on_source_delete: Literal["keep", "archive", "delete"] = "keep"
    max_deleted_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    max_changed_share: Annotated[float, Field(ge=0, le=1)] | None = None
    adopt_existing: Literal["never", "by_natural_key"] = "never"
    drift: Literal["overwrite", "hold"] = "overwrite"
    abort_after: Annotated[int, Field(ge=1)] = 25
    bulk_threshold: Annotated[int, Field(ge=0)] = 1000
    store_incomplete: bool = True
    incomplete_limit: Annotated[int, Field(ge=1)] = 100_000
    allow_data_loss: bool = False
    sequential_processing: bool = False
    require_dry_run: bool = False
    pause_after_failures: Annotated[int, Field(ge=0)] = 5
    freshness_seconds: Annotated[int, Field(ge=1)] = 60


class CategoryMenu(Settings):
    """A menu of the online store that shows the collections as the tree that they were in the source."""

    handle: str
    title: str

    @field_validator("handle")
    @classmethod
    def _handle_is_one(cls, value: str) -> str:
        if not _HANDLE.fullmatch(value):
            raise ValueError("a handle has lower-case letters, digits and -, for example categories")
        return value


class Schedule(Settings):
    """A schedule, off until somebody turns it on.

    `overlap`: what its tick does while another run of the migration goes on. `only_when_changed`: it asks for a run
    only when the source has changed since it was last read for what this schedule lands, or when its last run did not
    go well.
    """

    cron: str
    time_zone: str = "UTC"
    resource_types: list[ResourceType] = Field(default_factory=list)
    phases: list[Phase] = Field(default_factory=lambda: list(Phase))
    field_filter: Mapping[ResourceType, list[str]] = Field(default_factory=dict)
    conflict_strategy: Literal["overwrite", "skip"] | None = None
    full_extract: bool = False
    overlap: Literal["skip", "wait"] = "skip"
    only_when_changed: bool = False

    @field_validator("cron")
    @classmethod
    def _cron_is_a_line(cls, value: str) -> str:
        fields = value.lower().split()
        if len(fields) != len(_CRON) or not all(map(_is_cron_field, fields, _CRON)):
            raise ValueError("five fields of a cron line: minute, hour, day, month, weekday; `0 * * * *` is every hour")
        return value

    @field_validator("time_zone")
    @classmethod
    def _time_zone_is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError("no time zone of that name is known; write it like Europe/Vienna") from error
        return value


def _day(value: object) -> str:
    """YAML takes `2026-11-21` for a date; JSON has none."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _is_cron_field(field: str, allowed: tuple[int, int, list[str]]) -> bool:
    least, greatest, words = allowed
    for part in field.split(","):
        found = _CRON_PART.fullmatch(part)
        if found is None:
            return False
        named = [name for name in (found[2], found[4]) if name]
        numbers = [least + words.index(name) if name in words else name for name in named]
        if not all(str(number).isdecimal() and least <= int(number) <= greatest for number in numbers):
            return False
    return True


class Migration(Settings):
    """One merchant's move, as its file says. `folder` is where the file lies; paths are relative to it."""

    slug: str
    folder: Path
    description: str = ""
    source: AnySource
    destination: Destination = Destination()
    resource_types: list[ResourceType] = Field(default_factory=list)
    mappings: str = "mappings"
    pinning: Literal["auto", "manual"] = "auto"
    pins: Mapping[ResourceType, str] = Field(default_factory=dict)
    settings: Mapping[str, Any] = Field(default_factory=dict)
    menu: CategoryMenu | None = None
    publications: list[str] = Field(default_factory=lambda: ["Online Store"])
    locations: Mapping[str, str] = Field(default_factory=dict)
    options: Defaults = Defaults()
    schedules: Mapping[str, Schedule] = Field(default_factory=dict)
    notifications: Notifications = Notifications()
    retention: Retention = Retention()

    @field_validator("slug")
    @classmethod
    def _slug_is_a_name(cls, value: str) -> str:
        if not _SLUG.fullmatch(value):
            raise ValueError("a slug has lower-case letters, digits and _, begins with a letter, at most 40")
        return value

    @field_validator("schedules")
    @classmethod
    def _schedules_have_names(cls, value: Mapping[str, Schedule]) -> Mapping[str, Schedule]:
        if wrong := [name for name in value if not _SCHEDULE.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} is no name of a schedule; it has letters, digits and _")
        for name in value:
            if name in _TAKEN:
                raise ValueError(f"{name} is the name of a schedule or sensor that is there already")
        return value

    @field_validator("settings")
    @classmethod
    def _settings_are_json(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            told: Mapping[str, Any] = json.loads(json.dumps(value, default=_day, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError("mappings take texts, numbers, true, false, null, lists and `key: value`") from error
        return told

    @field_validator("pins", mode="before")
    @classmethod
    def _numbers_are_versions(cls, value: object) -> object:
        return {key: str(pin) for key, pin in value.items()} if isinstance(value, dict) else value

    @field_validator("resource_types")
    @classmethod
    def _in_dependency_order(cls, value: list[ResourceType]) -> list[ResourceType]:
        return [resource_type for resource_type in ResourceType if resource_type in value]

    @property
    def platform(self) -> str:
        """The word that starts every identity of this migration."""
        return self.source.platform

    @property
    def settings_hash(self) -> str:
        """Changes whenever anything that mappings can see besides the record changes."""
        return json_hash({"settings": dict(self.settings), "publications": self.publications})


def migrations_folder() -> Path:
    """The folder of migration files: GRAFTPORT_MIGRATIONS, or the demo's."""
    return Path(os.environ[MIGRATIONS_VARIABLE]).resolve() if os.environ.get(MIGRATIONS_VARIABLE) else _DEMO


def load_migrations(folder: Path | None = None) -> dict[str, Migration]:
    """Every migration in the folder by slug. Raises as `survey` does, and for the first file that is not right."""
    found, broken = survey(folder)
    for error in broken.values():
        raise error
    return found


def survey(folder: Path | None = None) -> tuple[dict[str, Migration], dict[str, ConfigurationError]]:
    """By slug: every migration in the folder, and what is wrong with each file that is none.

    A file is `<slug>.yaml` in the folder, or `<slug>/migration.yaml` below it. A slug used twice is wrong, for either
    file may be the one that is meant. Raises ConfigurationError for a folder that is not there.
    """
    folder = migrations_folder() if folder is None else folder
    if not folder.is_dir():
        raise ConfigurationError(
            f"There is no folder {folder} with migration files.", code="NO_MIGRATIONS",
            hint=f"Set {MIGRATIONS_VARIABLE} to the folder that holds them.",
        )  # fmt: skip
    found: dict[str, Migration] = {}
    broken: dict[str, ConfigurationError] = {}
    for path in _files(folder):
        slug = _slug_of(path)
        if slug in found or slug in broken:
            found.pop(slug, None)
            told = f"Two files name the migration {slug}."
            broken[slug] = ConfigurationError(told, code="MIGRATION_FILE", path=path.name, hint="Remove one of them.")
            continue
        try:
            found[slug] = read_migration(path)
        except ConfigurationError as error:
            broken[slug] = error
    return found, broken


def _slug_of(path: Path) -> str:
    return path.parent.name if path.name == "migration.yaml" else path.stem


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    yield from sorted(folder.glob("*/migration.yaml"))


def find_migration(slug: str) -> Migration:
    """The migration of that name, whatever is wrong with the files of others.

    Raises ConfigurationError for what is wrong with its own file, or with the nearest name there is.
    """
    migrations, broken = survey()
    if slug in broken:
        raise broken[slug]
    if slug in migrations:
        return migrations[slug]
    near = difflib.get_close_matches(slug, migrations, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(migrations)) or 'none'}."
    raise ConfigurationError(f"There is no migration {slug} in {migrations_folder()}.", code="NO_MIGRATION", hint=hint)


def read_migration(path: Path) -> Migration:
    """One migration file, checked. Raises ConfigurationError with every mistake and its place in the file."""
    raw = _read(path)
    if not isinstance(raw, dict):
        raise ConfigurationError(
            "There are no settings in it." if raw is None else "A migration file is settings, `key: value`, no more.",
            code="MIGRATION_FILE", path=path.name, hint="It says at least where the rows come from: source.",
        )  # fmt: skip
    slug = _slug_of(path)
    own = {"slug": slug, "folder": path.parent.resolve()}
    # The two are no settings: the file's name and place say them.
    named = [f"{key}: unknown key, the file's own name and place say it" for key in own if key in raw]
    try:
        migration = Migration.model_validate({**raw, **own})
    except ValidationError as error:
        named += mistakes(error, Migration)
    if named:
        raise ConfigurationError("; ".join(named), code="MIGRATION_FILE", path=path.name)
    return migration


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once; yaml itself takes the last one and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's signature
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _read(path: Path) -> object:
    """What the file says. The message has yaml's words and the place, never the line, which may hold a secret."""
    try:
        # The loader is a safe one.
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except OSError as error:
        told, hint, place = f"Not readable: {error.strerror}.", "", path.name
    except UnicodeDecodeError:
        told, hint, place = "Not readable: it is no text in UTF-8.", "Save it as UTF-8.", path.name
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        told = f"Not readable as YAML: {getattr(error, 'problem', None) or 'a character that may not stand there'}."
        hint = "YAML is indented with spaces, never with tabs." if "'\\t'" in told else ""
        place = f"{path.name}:{mark.line + 1}:{mark.column + 1}" if mark else path.name
    except (ValueError, RecursionError):
        told = "Not readable as YAML: a date or number that there is none of, or lists too deep in each other."
        hint, place = "A text that looks like a date or a number stands in quotes.", path.name
    raise ConfigurationError(told, code="MIGRATION_FILE", path=place, hint=hint)

"""Which mapping is used now: the text beside the migration file, the packaged default, or a held version.

A changed text that compiles becomes the next immutable version and the pin ("fix, save, transform
again"), unless a person or the migration file holds another. Versions and pins are kept by the
record store; compiling is in `mapping.py`, running in `transform/`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.mappings.mapping import Mapping
from graftport_dagster.migration import Migration
from graftport_dagster.records import ResourceType, content_hash
from graftport_dagster.store.record_store import MappingVersion, MappingVersions

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Draft(MappingVersion):
    """A text that a dry run tries without publishing it; its number is 0."""

    @property
    def name(self) -> str:
        """`products/draft (a1b2c3d4)`."""
        return f"{self.resource_type}/draft ({self.content_hash[:8]})"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The version a phase uses, where the text of now stands, and what the run must say about it (or "")."""

    version: MappingVersion
    origin: str = ""
    note: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MappingText:
    """A text and where it stands, as a person names it."""

    text: str
    origin: str


def text_of(migration: Migration, resource_type: ResourceType) -> MappingText:
    """The text beside the migration file, else the packaged default of its platform.

    Raises ConfigurationError that names both places where neither is there, and for a file that cannot be read.
    """
    beside = f"{migration.mappings}/{resource_type}.jsonata"
    path = migration.folder / migration.mappings / f"{resource_type}.jsonata"
    packaged = files("graftport_dagster.mappings").joinpath(migration.platform, f"{resource_type}.jsonata")
    try:
        if path.is_file():
            return MappingText(path.read_text(encoding="utf-8-sig"), beside)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The mapping cannot be read: {error}.",
            code="MAPPING_UNREADABLE",
            path=beside,
            hint="Save it as UTF-8 text.",
        ) from error
    if packaged.is_file():
        return MappingText(
            packaged.read_text(encoding="utf-8"), f"packaged {migration.platform}/{resource_type}.jsonata"
        )
    raise ConfigurationError(
        f"There is no mapping for {resource_type}: neither {beside} beside the migration file, nor a packaged default"
        f" for {migration.platform}.",
        code="NO_MAPPING", hint=f"Write {beside}, or take {resource_type} out of resource_types.",
    )  # fmt: skip


def file_of(migration: Migration, resource_type: ResourceType) -> Path | None:
    """Where the text of `text_of` lies on this machine; None where there is none."""
    beside = migration.folder / migration.mappings / f"{resource_type}.jsonata"
    packaged = Path(__file__).with_name(migration.platform) / beside.name
    return next((path for path in (beside, packaged) if path.is_file()), None)


def current(
    migration: Migration, versions: MappingVersions, resource_type: ResourceType, *, publish: bool, by: str,
    version: str = "current", now: Clock = lambda: datetime.now(UTC),
) -> Resolved:  # fmt: skip
    """The version to use now; with `publish`, a changed text is published and pinned first.

    `version`: `current`, or a number or hash for this once. Raises ConfigurationError with file, line and column for
    a text that does not compile, and nothing is changed then; for a pin to a version that is not there.
    """
    wanted = migration.pins.get(resource_type, "") if version in {"", "current"} else version
    if wanted:
        return _held(migration, resource_type, versions.find(migration.platform, resource_type, wanted), "pinned")
    pin = versions.pinned(migration.slug, resource_type)
    if pin is not None and (pin.held or migration.pinning == "manual"):
        why = (
            f"pinned by {pin.pinned_by}"
            if pin.held and pin.pinned_by
            else "pinned"
            if pin.held
            else "pinning is manual"
        )
        return _held(migration, resource_type, pin.version, why)
    found = text_of(migration, resource_type)
    remarks = Mapping.compile(found.text, name=found.origin).remarks
    if pin is not None and pin.version.text == found.text:
        return Resolved(pin.version, found.origin, remarks=remarks)
    if not publish:
        return Resolved(_draft(migration, versions, resource_type, found.text, now), found.origin, remarks=remarks)
    published = versions.publish(migration.platform, resource_type, found.text, by=by)
    reason = f"{found.origin} is new" if pin is None else f"{found.origin} changed"
    versions.pin(migration.slug, published, held=False, by=by, reason=reason)
    note = (
        "" if pin is None else f"{found.origin} changed: {published.name} is used now, {pin.version.name} was before."
    )
    return Resolved(published, found.origin, note, remarks)


def _held(migration: Migration, resource_type: ResourceType, version: MappingVersion, why: str) -> Resolved:
    try:
        found = text_of(migration, resource_type)
    except ConfigurationError:
        # Without a text of now there is nothing that could differ.
        return Resolved(version)
    note = "" if found.text == version.text else f"{found.origin} differs from {version.name}, which is used: {why}."
    return Resolved(version, found.origin, note)


def _draft(
    migration: Migration, versions: MappingVersions, resource_type: ResourceType, text: str, now: Clock
) -> MappingVersion:
    for version in versions.versions(migration.platform, resource_type):
        if version.text == text:
            return version
    return Draft(migration.platform, resource_type, 0, content_hash(text.encode()), text, now())

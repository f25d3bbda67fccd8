"""`graftport mapping`: which versions of a mapping there are, which one a migration uses, what one would make.

Publishing is done by runs: a transform makes a changed file a new version and moves the pin. Here a
person looks at versions, holds one, lets go of it, or tries one on a record. What a version is,
is in the record store; how a text is found, compiled and tried, in `mappings/`.
"""

import click
from rich.console import Group, RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import answer, json_option
from graftport_dagster.cli.inputs import (
    asking,
    migration_argument,
    must_be_enabled,
    reason_option,
    resource_type_argument,
)  # fmt: skip
from graftport_dagster.cli.layout import listing, section
from graftport_dagster.migration import Migration
from graftport_dagster.pipeline import store_url
from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.reports.wording import moment
from graftport_dagster.store.record_store import MappingVersion, Pin, RecordStore


@click.group()
def mapping() -> None:
    """History, pins and previews of mappings."""


@mapping.command()
@migration_argument
@resource_type_argument
@json_option
def history(*, migration: Migration, resource_type: ResourceType, as_json: bool) -> None:
    r"""List a mapping's versions, the one in use, and who pinned what when.

    \b
    Example:
      graftport mapping history demo products
    """
    must_be_enabled(migration, [resource_type])
    with RecordStore.open(store_url()) as store:
        versions = store.mappings.versions(migration.platform, resource_type)
        pin = store.mappings.pinned(migration.slug, resource_type)
        pinned = store.mappings.pin_history(migration.slug, resource_type)
    told = {
        "migration": migration.slug,
        "resource_type": str(resource_type),
        "pin": _pin(pin) if pin else None,
        "versions": [_version(version) for version in versions],
        "history": pinned,
    }
    answer(told, lambda: _history(told), as_json=as_json)


@mapping.command()
@migration_argument
@resource_type_argument
@click.argument("version", metavar="VERSION")
@reason_option
@json_option
def pin(*, migration: Migration, resource_type: ResourceType, version: str, reason: str, as_json: bool) -> None:
    r"""Hold a version: runs use it whatever the file says, until it is unpinned.

    VERSION is its number, or the beginning of its content hash (at least four digits).

    \b
    Example:
      graftport mapping pin demo products 2 --reason "live since Friday"
    """
    must_be_enabled(migration, [resource_type])
    with RecordStore.open(store_url()) as store:
        found = store.mappings.find(migration.platform, resource_type, version)
        held = _pin(store.mappings.pin(migration.slug, found, held=True, by=asking(), reason=reason))
    told = {"migration": migration.slug, "resource_type": str(resource_type), "pin": held}
    line = f"{migration.slug} holds {held['name']}; the next transform uses it."
    answer(told, lambda: Text(line), as_json=as_json)


@mapping.command()
@migration_argument
@resource_type_argument
@reason_option
@json_option
def unpin(*, migration: Migration, resource_type: ResourceType, reason: str, as_json: bool) -> None:
    r"""Let go of a held version: the next transform follows the file again.

    \b
    Example:
      graftport mapping unpin demo products
    """
    must_be_enabled(migration, [resource_type])
    with RecordStore.open(store_url()) as store:
        before = store.mappings.pinned(migration.slug, resource_type)
        store.mappings.unpin(migration.slug, resource_type, by=asking(), reason=reason)
        after = store.mappings.pinned(migration.slug, resource_type)
    was_held = before is not None and before.held
    told = {
        "migration": migration.slug,
        "resource_type": str(resource_type),
        "pin": _pin(after) if after else None,
        "was_held": was_held,
    }
    line = "The next transform follows the file." if was_held else "No version was held."
    answer(told, lambda: Text(f"{migration.slug}, {resource_type}: {line}"), as_json=as_json)


def _version(version: MappingVersion) -> JsonObject:
    return {
        "number": version.number,
        "name": version.name,
        "content_hash": version.content_hash,
        "published_at": version.published_at.isoformat(),
        "published_by": version.published_by or None,
    }


def _pin(pin: Pin) -> JsonObject:
    return {
        "version": pin.version.number,
        "name": pin.version.name,
        "held": pin.held,
        "pinned_at": pin.pinned_at.isoformat(),
        "pinned_by": pin.pinned_by or None,
        "reason": pin.reason or None,
    }


def _history(told: JsonObject) -> RenderableType:
    if not told["versions"]:
        return Text("No version has been published yet: the first transform does that.", style="dim")
    pin = told["pin"] or {}
    kind = "held" if pin.get("held") else "in use"
    versions = listing(
        ("version", "published (UTC)", "by", ""),
        [
            (Text(version["name"]), moment(version["published_at"]), Text(version["published_by"] or ""),
             Text(kind if version["number"] == pin.get("version") else "", style="green"))
            for version in told["versions"]
        ],
    )  # fmt: skip
    if not told["history"]:
        return versions
    pins = listing(
        ("when (UTC)", "what", "version", "by", "reason"),
        [
            (moment(row["at"]), Text(row["action"]), str(row["number"] or ""), Text(row["by"]), Text(row["reason"]))
            for row in told["history"]
        ],
    )
    return Group(versions, section("Pins", pins))

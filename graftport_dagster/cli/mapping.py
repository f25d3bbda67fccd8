"""`graftport mapping`: which versions of a mapping there are, which one a migration uses, what one would make.

Publishing is done by runs: a transform makes a changed file a new version and moves the pin. Here a
person looks at versions, holds one, lets go of it, or tries one on a record. What a version is,
is in the record store; how a text is found, compiled and tried, in `mappings/`.
"""

from collections.abc import Iterator, Sequence

import click
from rich.console import Group, RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import answer, json_option
from graftport_dagster.cli.inputs import (
    HOW_MANY,
    asking,
    examples,
    migration_argument,
    must_be_enabled,
    reason_option,
    resource_type_argument,
)  # fmt: skip
from graftport_dagster.migration import Migration
from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.reports.terminal import listing, section
from graftport_dagster.reports.wording import moment, printable, printable_json
from graftport_dagster.store.place import open_store
from graftport_dagster.store.record_store import MappingVersion, Pin


@click.group()
def mapping() -> None:
    """History, pins and previews of mappings."""


@mapping.command(epilog=examples("graftport mapping history demo products"))
@migration_argument
@resource_type_argument
@json_option
def history(*, migration: Migration, resource_type: ResourceType, as_json: bool) -> None:
    """List a mapping's versions, the one in use, and who pinned what when."""
    must_be_enabled(migration, [resource_type])
    with open_store() as store:
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


@mapping.command(epilog=examples('graftport mapping pin demo products 2 --reason "live since Friday"'))
@migration_argument
@resource_type_argument
@click.argument("version", metavar="VERSION")
@reason_option
@json_option
def pin(*, migration: Migration, resource_type: ResourceType, version: str, reason: str, as_json: bool) -> None:
    """Hold a version: runs use it whatever the file says, until it is unpinned.

    VERSION is its number, or the beginning of its content hash (at least four digits).
    """
    must_be_enabled(migration, [resource_type])
    with open_store() as store:
        found = store.mappings.find(migration.platform, resource_type, version)
        held = _pin(store.mappings.pin(migration.slug, found, held=True, by=asking(), reason=reason))
    told = {"migration": migration.slug, "resource_type": str(resource_type), "pin": held}
    line = f"{migration.slug} holds {held['name']}; the next transform uses it."
    answer(told, lambda: Text(line), as_json=as_json)


@mapping.command(epilog=examples("graftport mapping unpin demo products"))
@migration_argument
@resource_type_argument
@reason_option
@json_option
def unpin(*, migration: Migration, resource_type: ResourceType, reason: str, as_json: bool) -> None:
    """Let go of a held version: the next transform follows the file again."""
    must_be_enabled(migration, [resource_type])
    with open_store() as store:
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


@mapping.command(
    epilog=examples(
        "graftport mapping preview demo products 24-MB01",
        "graftport mapping preview demo products --limit 1 --version 2",
    )
)
@migration_argument
@resource_type_argument
@click.argument("source_ids", metavar="[SOURCE_ID]…", nargs=-1)
@click.option("--version", default="current", metavar="V", help="A published version instead of the file's text.")
@click.option("--limit", type=HOW_MANY, default=3, show_default=True, metavar="N",
              help="Without SOURCE_ID: the first N records.")  # fmt: skip
@json_option
def preview(
    *, migration: Migration, resource_type: ResourceType, source_ids: tuple[str, ...], version: str, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Show what the mapping makes of records that were extracted; nothing is staged.

    Prints source and payload as they are, which may hold personal data.
    """
    # Not at the top: only this command evaluates mappings.
    from graftport_dagster.transform import preview as previewed

    must_be_enabled(migration, [resource_type])
    with open_store() as store:
        records = previewed(
            migration, store, resource_type, source_ids=source_ids, limit=None if source_ids else limit, version=version
        )
    told = {"migration": migration.slug, "resource_type": str(resource_type), "records": records}
    answer(told, lambda: _previews(records), as_json=as_json)


def _previews(records: Sequence[JsonObject]) -> RenderableType:
    if not records:
        return Text("No records have been read yet: run extract first.", style="dim")
    return Group(*(part for record in records for part in _preview(record)))


def _preview(record: JsonObject) -> Iterator[RenderableType]:
    yield Text.assemble((printable(record["source_id"]), "bold"), (f"  {record['mapping']}", "dim"))
    for problem in record["problems"]:
        place = f"{problem['path']}: " if problem["path"] else ""
        yield Text(printable(f"{problem['code']}: {place}{problem['message']}"), style="red")
        if problem["hint"]:
            yield Text(f"→ {problem['hint']}", style="cyan")
    if record["exclude_reason"]:
        yield Text(printable(f"excluded: {record['exclude_reason']}"), style="yellow")
    yield from (Text(printable(f"{one['code']}: {one['message']}"), style="yellow") for one in record["warnings"])
    yield section("Source", Text(printable_json(record["source"])))
    if record["payload"] is not None or record["result"] is not None:
        name = "Payload" if record["payload"] is not None else "Result (not staged)"
        shown = record["result"] if record["payload"] is None else record["payload"]
        yield section(name, Text(printable_json(shown)))
    yield Text()


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
            (moment(row["at"]), Text(row["action"]), Text(row["version"]), Text(row["by"]), Text(row["reason"]))
            for row in told["history"]
        ],
    )
    return Group(versions, section("Pins", pins))

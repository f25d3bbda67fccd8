"""`graftport check`: everything that a run needs, looked at before it, each ok or what to do.

What is looked at, and in which words, is decided where the knowledge is: the source says what it
lacks (`sources/`), the preflight what Shopify lacks (`loaders/preflight.py`), the registry what
is wrong with a mapping. Here their answers are put together; nothing is sent but questions.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import click
from rich.console import RenderableType
from rich.text import Text

from graftport_dagster.cli.answers import ExitStatus, answer, json_option
from graftport_dagster.cli.inputs import asking, examples, migration_argument
from graftport_dagster.errors import ConfigurationError, GraftportError
from graftport_dagster.loaders import preflight
from graftport_dagster.mappings.registry import current
from graftport_dagster.migration import Migration
from graftport_dagster.pipeline import connect, loadable, open_stored_source
from graftport_dagster.pipeline.shape import Shape
from graftport_dagster.records import CheckResult, JsonObject, ResourceType, SourceRecord
from graftport_dagster.reports.terminal import listing
from graftport_dagster.reports.wording import presentable
from graftport_dagster.source_settings import FilesSettings, SqlSettings
from graftport_dagster.store.place import open_store, state_folder
from graftport_dagster.store.record_store import RecordStore

_FREE_BYTES = 1 << 30
_FIRST_RECORDS = 500


@click.command(epilog=examples("graftport check demo", "graftport check demo --confirm-store"))
@migration_argument
@click.option("--confirm-store", is_flag=True,
              help="Load into the Shopify store that answers now, though it is another.")  # fmt: skip
@json_option
def check(*, migration: Migration, confirm_store: bool, as_json: bool) -> int:
    """Look at everything that a run needs, and say what is missing.

    The source, the mappings, the Shopify store, the record store and the disk. Exit status 0 when all is well, else 2.
    """
    results = list(_results(migration, confirm_store=confirm_store))
    ok = all(result.ok for _, result in results)
    told: JsonObject = {
        "migration": migration.slug,
        "ok": ok,
        "checks": [
            {"of": of, "name": result.name, "ok": result.ok, "detail": presentable(result.detail),
             "hint": presentable(result.hint) or None}
            for of, result in results
        ],
    }  # fmt: skip
    answer(told, lambda: _listing(told["checks"]), as_json=as_json)
    return ExitStatus.DONE if ok else ExitStatus.REFUSED


def _results(migration: Migration, *, confirm_store: bool) -> Iterator[tuple[str, CheckResult]]:
    yield from _safely("source", lambda: _source(migration))
    yield from _safely("disk", _disk)
    try:
        store = open_store()
    except GraftportError as error:
        yield "record store", _failed("record store", error)
        return
    with store:
        yield "record store", CheckResult("record store", ok=True, detail="open, and of this version")
        types = _resource_types(migration)
        yield from _safely("source", lambda: _shapes(migration, store, types))
        yield from _safely("mapping", lambda: [_mapping(migration, store, resource_type) for resource_type in types])
        yield from _safely("shopify", lambda: _shopify(migration, store, types, confirm=confirm_store))


def _safely(of: str, look: Callable[[], Iterable[CheckResult]]) -> Iterator[tuple[str, CheckResult]]:
    """What the look finds; what stops it becomes a finding, so that the other looks go on."""
    try:
        yield from [(of, result) for result in look()]
    except GraftportError as error:
        yield of, _failed(of, error)


def _failed(name: str, error: GraftportError) -> CheckResult:
    place = f"{error.path}: " if error.path else ""
    return CheckResult(name, ok=False, detail=f"{place}{error.message}", hint=error.hint)


def _source(migration: Migration) -> list[CheckResult]:
    source = open_stored_source(migration)
    try:
        return source.check()
    finally:
        source.close()


def _shapes(migration: Migration, store: RecordStore, types: Sequence[ResourceType]) -> Iterator[CheckResult]:
    """What changed in the first rows since the last whole read, where looking costs little."""
    if not isinstance(migration.source, FilesSettings | SqlSettings):
        return
    source = open_stored_source(migration)
    try:
        for resource_type in types:
            before = store.source_records.shape(migration.slug, resource_type)
            if before is None:
                continue
            shape = Shape()
            for item in islice(source.read(resource_type, None), _FIRST_RECORDS):
                if isinstance(item, SourceRecord):
                    shape.see(item.payload)
            changes = shape.changes(before)
            gone = any("vanished" in told or "empty" in told for told in changes)
            yield CheckResult(
                f"source {resource_type}: fields", ok=not gone, detail=" ".join(changes) or "as at the last whole read",
                hint="See that the export is the right one, or change the mapping." if gone else "",
            )  # fmt: skip
    finally:
        source.close()


def _disk() -> list[CheckResult]:
    folder = next(path for path in (state_folder(), *state_folder().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    hint = "" if free >= _FREE_BYTES else f"Free some space under {folder}."
    return [
        CheckResult("free space", ok=not hint, detail=f"{free / (1 << 30):,.1f} GiB free for local state", hint=hint)
    ]


def _resource_types(migration: Migration) -> list[ResourceType]:
    """The types that a run would move."""
    if migration.resource_types:
        return list(migration.resource_types)
    source = open_stored_source(migration)
    try:
        return [kind for kind in source.resource_types() if kind in loadable()]
    finally:
        source.close()


def _mapping(migration: Migration, store: RecordStore, resource_type: ResourceType) -> CheckResult:
    try:
        resolved = current(migration, store.mappings, resource_type, publish=False, by=asking())
    except ConfigurationError as error:
        return _failed(f"mapping {resource_type}", error)
    remarks = [note for note in (resolved.note, *resolved.remarks) if note]
    detail = " ".join([resolved.version.name, f"from {resolved.origin}." if resolved.origin else "", *remarks])
    return CheckResult(f"mapping {resource_type}", ok=True, detail=detail.strip())


def _shopify(
    migration: Migration, store: RecordStore, types: Sequence[ResourceType], *, confirm: bool
) -> Iterator[CheckResult]:
    shop = connect(migration)
    try:
        results = preflight.check(shop, migration, types)
        yield from results
        if results[0].ok:
            yield _confirmed(migration, store, preflight.ask(shop), confirm=confirm)
    finally:
        shop.close()


def _confirmed(migration: Migration, store: RecordStore, facts: preflight.StoreFacts, *, confirm: bool) -> CheckResult:
    if confirm:
        store.stores.meet(migration.slug, facts.gid, facts.domain, facts.name, confirm=True)
    known = {one.gid: one for one in store.stores.known(migration.slug)}
    others = [one.domain for one in known.values() if one.confirmed]
    if not others:
        return CheckResult("store", ok=True, detail="the first one; the first load confirms it")
    if facts.gid in known and known[facts.gid].confirmed:
        return CheckResult("store", ok=True, detail="confirmed" if confirm else "the one loaded into before")
    return CheckResult(
        "store", ok=False, detail=f"{facts.domain} is another store than before ({', '.join(others)}); every record "
        "would be created there anew", hint=f"If that is meant: graftport check {migration.slug} --confirm-store.",
    )  # fmt: skip


def _listing(checks: Sequence[JsonObject]) -> RenderableType:
    rows = []
    for one in checks:
        sign = Text("✓", style="green") if one["ok"] else Text("✗", style="red")
        detail = Text(one["detail"])
        if one["hint"]:
            detail.append(f"\n→ {one['hint']}", style="cyan")
        rows.append((sign, Text(one["name"]), detail))
    return listing(("", "what", ""), rows)
